//! What the parent tells its re-executed self: which walls, where, around which command; and what comes back.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which walls are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Height {
    /// Namespaces, mounts, Landlock and the call filter.
    Namespaces,
    /// Landlock and the call filter.
    Landlock,
}

/// One command and its walls.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) height: Height,
    pub(super) shell: PathBuf,
    pub(super) command: String,
    pub(super) workdir: PathBuf,
    pub(super) workspace: PathBuf,
    /// Folders that become empty memory file systems, with their size.
    pub(super) hide: Vec<(PathBuf, String)>,
    /// Folders made inside those.
    pub(super) fresh: Vec<PathBuf>,
    /// Small files written inside those.
    pub(super) seed: Vec<(PathBuf, String)>,
    /// Put back read-only from what is hidden: toolchains and package caches.
    pub(super) keep: Vec<PathBuf>,
    /// Cannot be renamed or removed.
    pub(super) pin: Vec<PathBuf>,
    /// Cannot be written.
    pub(super) freeze: Vec<PathBuf>,
    /// Read as empty.
    pub(super) blank: Vec<PathBuf>,
    /// Landlock alone: what may be read.
    pub(super) readable: Vec<PathBuf>,
    /// What may be written.
    pub(super) writable: Vec<PathBuf>,
}

/// What the helper says on its way, one JSON line each.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) enum Report {
    /// The walls stand and the command starts; what is missing from them.
    Up(Vec<String>),
    /// They do not, and nothing was started.
    Fail(String),
    /// The command ended by itself.
    Code(i32),
    /// The command ended by a signal.
    Signal(i32),
}
