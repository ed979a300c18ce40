//! The append-only record of a session: one JSON line per entry, from which it can go on.
//!
//! Files are `<state>/sessions/<id>.jsonl`, 0600 in a 0700 directory. A line is written by one `write`, so
//! a crash leaves at most one torn last line, which is dropped when the record is opened again.

use super::ledger::Note;
use crate::action::Action;
use crate::event::Outcome;
use crate::message::{Message, Usage};
use crate::workspace::journal::JournalError;
use crate::workspace::lock::LockError;
use serde::{Deserialize, Serialize};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Version of the line format.
pub const VERSION: u32 = 1;

/// A line of the record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// The session begins.
    Start {
        /// Line format version.
        v: u32,
        /// Session id.
        session_id: String,
        /// Absolute workspace root.
        workspace: String,
        /// `provider/model`.
        model: String,
        /// RFC 3339 time.
        time: String,
    },
    /// A mission begins: what it takes to judge it later.
    Mission {
        /// The mission's own data.
        mission: serde_json::Value,
    },
    /// Something was said.
    Message {
        /// What, by whom.
        message: Message,
    },
    /// Something was done to the world.
    Deed {
        /// What.
        action: Action,
    },
    /// What was done, in the harness's own account.
    Notes {
        /// Its new lines.
        notes: Vec<Note>,
    },
    /// The conversation was cut to fit the model's window: from here on it is this.
    Compacted {
        /// What is left of it.
        history: Vec<Message>,
        /// What the model noted before the cut.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        words: Option<String>,
    },
    /// The session goes on with another model.
    Model {
        /// `provider/model`.
        model: String,
    },
    /// Tokens of an answer.
    Usage {
        /// How many.
        usage: Usage,
        /// What they cost in US dollars, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cost_usd: Option<f64>,
    },
    /// A stretch of work ended; the session can go on after it.
    End {
        /// How.
        outcome: Outcome,
        /// RFC 3339 time.
        time: String,
    },
}

/// Why a record cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// No session of that id (or none at all for this workspace).
    #[error("no such session: {0}; `agent resume --list` shows what there is")]
    Unknown(String),
    /// Another process writes this session.
    #[error("session {0} is in use by another process")]
    Busy(String),
    /// Another agent works in the workspace.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What is changed cannot be kept.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A line that is not the last one cannot be read.
    #[error("{path}: line {line} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// Line number, from 1.
        line: usize,
        /// What the parser said.
        reason: String,
    },
    /// The operating system said no.
    #[error("{path}: {source}; the session cannot be recorded, so nothing is started")]
    Io {
        /// The file or directory.
        path: String,
        /// The system's word.
        source: std::io::Error,
    },
}

/// An open record.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    file: File,
}

/// What a record says of its session, without the conversation.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Session id.
    pub session_id: String,
    /// Absolute workspace root.
    pub workspace: String,
    /// `provider/model`.
    pub model: String,
    /// RFC 3339 time it began.
    pub time: String,
    /// First line of what was asked.
    pub title: String,
}

/// A fresh id: sortable by time, unguessable.
pub fn fresh_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// Now, RFC 3339, UTC, to the millisecond.
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

impl Record {
    /// Begins the record of a new session below `state`.
    pub fn create(state: &Path, id: &str) -> Result<Self, RecordError> {
        let folder = state.join("sessions");
        private_folder(&folder)?;
        let path = folder.join(format!("{id}.jsonl"));
        let mut options = OpenOptions::new();
        options.create_new(true).append(true).read(true);
        private_mode(&mut options);
        let file = options.open(&path).map_err(|source| failed(&path, source))?;
        lock(&file, id)?;
        Ok(Self { path, file })
    }

    /// Opens the record of a session to go on, and gives what it holds. A torn last line is cut off.
    pub fn open(state: &Path, id: &str) -> Result<(Self, Vec<Entry>), RecordError> {
        if !is_id(id) {
            return Err(RecordError::Unknown(id.to_owned()));
        }
        let path = state.join("sessions").join(format!("{id}.jsonl"));
        let mut file = OpenOptions::new().append(true).read(true).open(&path).map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                RecordError::Unknown(id.to_owned())
            } else {
                failed(&path, source)
            }
        })?;
        lock(&file, id)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|source| failed(&path, source))?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            file.set_len(whole as u64).map_err(|source| failed(&path, source))?;
            file.seek(SeekFrom::End(0)).map_err(|source| failed(&path, source))?;
        }
        let entries = parse(&path, &text[..whole])?;
        Ok((Self { path, file }, entries))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one entry.
    pub fn append(&mut self, entry: &Entry) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(entry).map_err(|error| failed(&self.path, error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(|source| failed(&self.path, source))?;
        // What was done and how it ended must survive a power cut; the talk in between follows with it.
        if matches!(entry, Entry::Start { .. } | Entry::Deed { .. } | Entry::End { .. }) {
            self.file.sync_data().map_err(|source| failed(&self.path, source))?;
        }
        Ok(())
    }
}

/// All sessions below `state`, newest first; with `workspace`, only those of that root.
pub fn list(state: &Path, workspace: Option<&Path>) -> Vec<Summary> {
    let Ok(folder) = std::fs::read_dir(state.join("sessions")) else { return Vec::new() };
    let mut ids: Vec<String> = folder
        .flatten()
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".jsonl")?.to_owned()))
        .filter(|id| is_id(id))
        .collect();
    ids.sort_unstable();
    ids.iter()
        .rev()
        .filter_map(|id| summary(&state.join("sessions").join(format!("{id}.jsonl"))))
        .filter(|summary| workspace.is_none_or(|root| Path::new(&summary.workspace) == root))
        .collect()
}

/// What is known of one session; `None` when there is none of that id.
pub fn find(state: &Path, id: &str) -> Option<Summary> {
    if is_id(id) { summary(&state.join("sessions").join(format!("{id}.jsonl"))) } else { None }
}

/// Reads only as far as the first thing that was asked.
fn summary(path: &Path) -> Option<Summary> {
    use std::io::BufRead;
    let lines = std::io::BufReader::new(File::open(path).ok()?).lines();
    let mut found: Option<Summary> = None;
    for line in lines.take(4) {
        match (serde_json::from_str(&line.ok()?).ok()?, &mut found) {
            (Entry::Start { session_id, workspace, model, time, .. }, None) => {
                found = Some(Summary { session_id, workspace, model, time, title: String::new() });
            }
            (Entry::Mission { mission }, Some(summary)) => {
                summary.title = first_line(mission["issue"].as_str().unwrap_or_default());
                break;
            }
            (Entry::Message { message }, Some(summary)) => {
                summary.title = first_line(&message.text());
                break;
            }
            _ => {}
        }
    }
    let mut found = found?;
    if let Some(title) = super::shelf::title(path) {
        found.title = title;
    }
    Some(found)
}

pub(super) fn first_line(text: &str) -> String {
    crate::text::clip(text.trim().lines().next().unwrap_or_default(), 100).text.to_owned()
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Entry>, RecordError> {
    text.lines()
        .enumerate()
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| RecordError::Damaged {
                path: path.display().to_string(),
                line: at + 1,
                reason: error.to_string(),
            })
        })
        .collect()
}

/// Ids come from the command line and end up in a path.
pub(super) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn lock(file: &File, id: &str) -> Result<(), RecordError> {
    file.try_lock().map_err(|_| RecordError::Busy(id.to_owned()))
}

pub(super) fn failed(path: &Path, source: std::io::Error) -> RecordError {
    RecordError::Io { path: path.display().to_string(), source }
}

/// Creates a folder that only its owner can enter.
pub fn private_folder(folder: &Path) -> Result<(), RecordError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(|source| failed(folder, source))
}

pub(super) fn private_mode(options: &mut OpenOptions) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = options;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Entry {
        Entry::Message { message: Message::user(text) }
    }

    #[test]
    fn goes_on_after_a_torn_last_line() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::create(state.path(), "a1").unwrap();
        record.append(&message("one")).unwrap();
        record.append(&message("two")).unwrap();
        let path = record.path().to_owned();
        drop(record);
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            #[allow(clippy::disallowed_methods, reason = "the test plays the crash")]
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut record, entries) = Record::open(state.path(), "a1").unwrap();
            assert!(entries.len() <= 2);
            record.append(&message("three")).unwrap();
            drop(record);
            let (_, again) = Record::open(state.path(), "a1").unwrap();
            assert_eq!(again.len(), entries.len() + 1, "cut at {cut}");
        }
    }

    #[test]
    fn says_which_line_is_damaged() {
        let state = tempfile::tempdir().unwrap();
        let mut record = Record::create(state.path(), "a1").unwrap();
        record.append(&message("one")).unwrap();
        record.file.write_all(b"not json\n").unwrap();
        record.append(&message("two")).unwrap();
        drop(record);
        let error = Record::open(state.path(), "a1").unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn refuses_a_second_writer_and_ids_that_are_paths() {
        let state = tempfile::tempdir().unwrap();
        let _record = Record::create(state.path(), "a1").unwrap();
        assert!(matches!(Record::open(state.path(), "a1"), Err(RecordError::Busy(_))));
        for id in ["../a1", "a/b", "", "nope"] {
            assert!(matches!(Record::open(state.path(), id), Err(RecordError::Unknown(_))), "{id}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        let record = Record::create(state.path(), "a1").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(record.path()), 0o600);
        assert_eq!(mode(record.path().parent().unwrap()), 0o700);
    }
}
