//! One agent at a time in a workspace: a locked file in the state folder, never one in the workspace.
//!
//! The system lets the lock go with the process, however it ends. What the file says is only who had it.

use super::{hash_of, private};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who works in a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Session id.
    pub session_id: String,
}

/// Why a workspace cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another agent works there.
    #[error(
        "another agent is at work in this workspace ({}); wait for its end or stop it. Looking is allowed \
         meanwhile: `agent scan`, `--mode read-only`",
        .0.as_ref().map_or_else(|| "it has just begun".to_owned(), |holder| format!("process {}, session {}", holder.pid, holder.session_id))
    )]
    Busy(Option<Holder>),
    /// The operating system said no.
    #[error("{path}: {source}; the workspace cannot be locked, so nothing is started")]
    Io {
        /// The lock's file.
        path: String,
        /// The system's word.
        source: io::Error,
    },
}

/// A workspace that is ours until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// How often a lock that is held is tried again: a process that was killed may take a moment to be gone.
const TRIES: u32 = 10;

impl Lock {
    /// Takes the workspace with that canonical root. Also gives who had it and never let it go by itself:
    /// that session was cut off.
    pub fn take(state: &Path, root: &Path, session_id: &str) -> Result<(Self, Option<Holder>), LockError> {
        let path = path(state, root);
        let failed = |source| LockError::Io { path: path.display().to_string(), source };
        private::folder(&state.join("locks")).map_err(failed)?;
        let mut file = private::file(&path, false).map_err(failed)?;
        let mut tries = 0;
        while let Err(error) = file.try_lock() {
            if let TryLockError::Error(source) = error {
                return Err(failed(source));
            }
            tries += 1;
            if tries == TRIES {
                return Err(LockError::Busy(holder(&mut file)));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let left = holder(&mut file);
        let ours = Holder { pid: std::process::id(), session_id: session_id.to_owned() };
        let text = serde_json::to_vec(&ours).map_err(|error| failed(error.into()))?;
        rewrite(&mut file, &text).map_err(failed)?;
        Ok((Self { file }, left))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Empty: it was let go in good order.
        let _ = rewrite(&mut self.file, b"");
    }
}

fn path(state: &Path, root: &Path) -> PathBuf {
    let hash = hash_of(root.as_os_str().as_encoded_bytes());
    let number = u128::from_be_bytes(std::array::from_fn(|at| hash[at]));
    state.join("locks").join(format!("{number:032x}.lock"))
}

fn rewrite(file: &mut File, text: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(text)
}

fn holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_agent_is_told_who_is_at_work() {
        let (state, root) = (tempfile::tempdir().unwrap(), Path::new("/some/where"));
        let (lock, left) = Lock::take(state.path(), root, "first").unwrap();
        assert_eq!(left, None);
        let error = Lock::take(state.path(), root, "second").unwrap_err().to_string();
        assert!(error.contains("session first"), "{error}");
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        Lock::take(state.path(), Path::new("/some/where/else"), "third").unwrap();
        drop(lock);
        let (_lock, left) = Lock::take(state.path(), root, "second").unwrap();
        assert_eq!(left, None, "it was let go in good order");
    }

    #[test]
    fn a_lock_whose_holder_died_names_the_session_that_was_cut_off() {
        let (state, root) = (tempfile::tempdir().unwrap(), Path::new("/some/where"));
        let (lock, _) = Lock::take(state.path(), root, "first").unwrap();
        // The way a killed process leaves it: no longer locked, never emptied.
        let copy = std::fs::read(path(state.path(), root)).unwrap();
        drop(lock);
        #[allow(clippy::disallowed_methods, reason = "the test plays the crash")]
        std::fs::write(path(state.path(), root), copy).unwrap();
        let (_lock, left) = Lock::take(state.path(), root, "second").unwrap();
        assert_eq!(left.unwrap().session_id, "first");
    }
}
