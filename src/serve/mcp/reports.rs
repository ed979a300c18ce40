//! Reports as they are kept: a file for every session's last job, so that a host that was restarted finds them.

use crate::session::record::{RecordError, find, list, private_folder};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The address of a session's report.
pub(super) fn address(id: &str) -> String {
    format!("agent://session/{id}/report")
}

/// The session of a report's address.
pub(super) fn session_of(address: &str) -> Option<&str> {
    address.strip_prefix("agent://session/")?.strip_suffix("/report")
}

fn place(state: &Path, id: &str) -> PathBuf {
    state.join("reports").join(format!("{id}.json"))
}

/// Keeps a report, whole or not at all.
pub(super) fn keep(state: &Path, id: &str, report: &Value) -> Result<(), RecordError> {
    let path = place(state, id);
    let failed = |source| RecordError::Io { path: path.display().to_string(), source };
    let folder = state.join("reports");
    private_folder(&folder)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    serde_json::to_writer(&mut file, report).map_err(|error| failed(error.into()))?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// The report of a session that is known; ids come from outside and end up in a path.
pub(super) fn read(state: &Path, id: &str) -> Option<Value> {
    find(state, id)?;
    serde_json::from_slice(&std::fs::read(place(state, id)).ok()?).ok()
}

/// The newest sessions with a report: id and title.
pub(super) fn newest(state: &Path, most: usize) -> Vec<(String, String)> {
    let kept = list(state, None).into_iter().filter(|session| place(state, &session.session_id).is_file());
    kept.take(most).map(|session| (session.session_id, session.title)).collect()
}
