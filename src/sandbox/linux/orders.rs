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
    #[serde(with = "raw")]
    pub(super) fresh: Vec<PathBuf>,
    /// Small files written inside those.
    pub(super) seed: Vec<(PathBuf, String)>,
    /// Put back read-only from what is hidden: toolchains and package caches.
    #[serde(with = "raw")]
    pub(super) keep: Vec<PathBuf>,
    /// Of those, what is covered by a layer that takes changes and ends with the command.
    #[serde(with = "raw")]
    pub(super) layer: Vec<PathBuf>,
    /// Cannot be renamed or removed.
    #[serde(with = "raw")]
    pub(super) pin: Vec<PathBuf>,
    /// Cannot be written.
    #[serde(with = "raw")]
    pub(super) freeze: Vec<PathBuf>,
    /// Read as empty.
    #[serde(with = "raw")]
    pub(super) blank: Vec<PathBuf>,
    /// Landlock alone: what may be read.
    #[serde(with = "raw")]
    pub(super) readable: Vec<PathBuf>,
    /// What may be written.
    #[serde(with = "raw")]
    pub(super) writable: Vec<PathBuf>,
    /// Whether a door to the parent's proxy is made inside.
    pub(super) door: bool,
}

/// What the helper says on its way, one JSON line each.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(super) enum Report {
    /// The door to the proxy; its listening socket travels along.
    Door,
    /// The walls stand and the command starts; what is missing from them.
    Up(Vec<String>),
    /// They do not, and nothing was started.
    Fail(String),
    /// The command ended by itself.
    Code(i32),
    /// The command ended by a signal.
    Signal(i32),
}

/// Paths as they are: a name need not be text.
mod raw {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::PathBuf;

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Spelled {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        let spell = |path: &PathBuf| match path.to_str() {
            Some(text) => Spelled::Text(text.to_owned()),
            None => Spelled::Bytes(path.as_os_str().as_bytes().to_vec()),
        };
        serializer.collect_seq(paths.iter().map(spell))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
        let spelled = Vec::<Spelled>::deserialize(deserializer)?;
        let read = |spelled| match spelled {
            Spelled::Text(text) => PathBuf::from(text),
            Spelled::Bytes(bytes) => PathBuf::from(OsString::from_vec(bytes)),
        };
        Ok(spelled.into_iter().map(read).collect())
    }
}
