//! Recorded sessions as a person keeps them: read without going on, named, forked.

use super::record::{
    Entry, Record, RecordError, failed, first_line, fresh_id, is_id, now, parse, private_mode,
};
use crate::workspace::journal::Journal;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a session's record holds, also while somebody writes it; a torn last line is left out.
pub fn read(state: &Path, id: &str) -> Result<Vec<Entry>, RecordError> {
    let path = place(state, id)?;
    let text = std::fs::read_to_string(&path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            RecordError::Unknown(id.to_owned())
        } else {
            failed(&path, source)
        }
    })?;
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    parse(&path, &text[..whole])
}

/// Names a session; its first line, at most 100 bytes, takes the place of what was asked in every list.
pub fn rename(state: &Path, id: &str, title: &str) -> Result<(), RecordError> {
    let path = place(state, id)?;
    if !path.is_file() {
        return Err(RecordError::Unknown(id.to_owned()));
    }
    let path = path.with_extension("title");
    let mut options = OpenOptions::new();
    options.create(true).write(true).truncate(true);
    private_mode(&mut options);
    let mut file = options.open(&path).map_err(|source| failed(&path, source))?;
    let title = first_line(&crate::text::redact(title));
    file.write_all(title.as_bytes()).map_err(|source| failed(&path, source))
}

/// Begins a session that remembers everything the other one said and did up to now; gives its id. What the
/// other one changed stays the other one's to undo.
pub fn fork(state: &Path, id: &str) -> Result<String, RecordError> {
    let entries = read(state, id)?;
    let fresh = fresh_id();
    let mut record = Record::create(state, &fresh)?;
    for mut entry in entries {
        if let Entry::Start { session_id, time, .. } = &mut entry {
            session_id.clone_from(&fresh);
            *time = now();
        }
        record.append(&entry)?;
    }
    Ok(fresh)
}

/// Removes a session: its record, its name, and what was kept to undo what it did. One that somebody writes is
/// refused.
pub fn delete(state: &Path, id: &str) -> Result<(), RecordError> {
    // Held until all is gone: nobody goes on with half a session.
    let record = match Record::open(state, id) {
        Err(RecordError::Damaged { .. }) => None,
        opened => Some(opened?.0),
    };
    Journal::forget(state, id)?;
    let path = place(state, id)?;
    for path in [path.with_extension("title"), path] {
        #[allow(clippy::disallowed_methods, reason = "a file of the state, not of a workspace")]
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&path, source));
            }
            _ => {}
        }
    }
    drop(record);
    Ok(())
}

/// The name given to the session of the record at `path`.
pub(super) fn title(path: &Path) -> Option<String> {
    let title = std::fs::read_to_string(path.with_extension("title")).ok()?;
    Some(title).filter(|title| !title.is_empty())
}

fn place(state: &Path, id: &str) -> Result<PathBuf, RecordError> {
    if !is_id(id) {
        return Err(RecordError::Unknown(id.to_owned()));
    }
    Ok(state.join("sessions").join(format!("{id}.jsonl")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::session::record::list;

    fn recorded(state: &Path) -> String {
        let id = fresh_id();
        let mut record = Record::create(state, &id).unwrap();
        let start = Entry::Start {
            v: 1,
            session_id: id.clone(),
            workspace: "/w".into(),
            model: "rules".into(),
            time: now(),
        };
        record.append(&start).unwrap();
        record.append(&Entry::Message { message: Message::user("find it") }).unwrap();
        id
    }

    #[test]
    fn a_fork_remembers_and_has_an_id_of_its_own() {
        let state = tempfile::tempdir().unwrap();
        let id = recorded(state.path());
        let fork = fork(state.path(), &id).unwrap();
        assert_ne!(fork, id);
        let titles: Vec<_> = list(state.path(), None).into_iter().map(|s| (s.session_id, s.title)).collect();
        assert_eq!(titles, [(fork, "find it".to_owned()), (id, "find it".to_owned())]);
    }

    #[test]
    fn a_name_takes_the_place_of_what_was_asked() {
        let state = tempfile::tempdir().unwrap();
        let id = recorded(state.path());
        rename(state.path(), &id, "login\nsecond line").unwrap();
        assert_eq!(list(state.path(), None)[0].title, "login");
        assert!(matches!(rename(state.path(), "../x", "t"), Err(RecordError::Unknown(_))));
        assert!(matches!(fork_of_none(state.path()), Err(RecordError::Unknown(_))));
    }

    #[test]
    fn a_deleted_session_leaves_nothing() {
        let state = tempfile::tempdir().unwrap();
        let id = recorded(state.path());
        rename(state.path(), &id, "login").unwrap();
        let (held, _) = Record::open(state.path(), &id).unwrap();
        assert!(matches!(delete(state.path(), &id), Err(RecordError::Busy(_))));
        drop(held);
        delete(state.path(), &id).unwrap();
        assert_eq!(std::fs::read_dir(state.path().join("sessions")).unwrap().count(), 0);
        for id in [id.as_str(), "../x"] {
            assert!(matches!(delete(state.path(), id), Err(RecordError::Unknown(_))), "{id}");
        }
    }

    fn fork_of_none(state: &Path) -> Result<String, RecordError> {
        fork(state, "0000")
    }
}
