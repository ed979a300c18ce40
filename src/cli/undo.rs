//! The commands that look at what the agent changed and take it back: `undo`, `redo`, `diff`.

use super::args::{Format, UndoArgs};
use super::{say, say_error};
use crate::config::{self, Flags};
use crate::event::Outcome;
use crate::session::record::{self, RecordError};
use crate::text::{printable, redact};
use crate::wire::{self, Trouble, exit};
use crate::workspace::Workspace;
use crate::workspace::journal::{Choice, Done, Journal, JournalError, Shown};
use crate::workspace::lock::Lock;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The version of the JSON object.
const VERSION: u32 = 1;

/// Which session, where.
struct Case {
    state: PathBuf,
    session_id: String,
    workspace: Workspace,
    choice: Choice,
}

/// `agent undo`.
pub(super) fn undo(args: &UndoArgs) -> u8 {
    tell(args, take_back(args, |journal, case| journal.undo(&case.workspace, &case.choice)))
}

/// `agent redo`.
pub(super) fn redo(args: &UndoArgs) -> u8 {
    tell(args, take_back(args, |journal, case| journal.redo(&case.workspace, case.choice.partial)))
}

/// `agent diff`.
pub(super) fn diff(args: &UndoArgs) -> u8 {
    tell(args, open(args).and_then(|case| look(&case)))
}

/// What is printed, and the exit code.
struct Said {
    text: String,
    json: serde_json::Value,
    code: u8,
}

fn tell(args: &UndoArgs, said: Result<Said, Trouble>) -> u8 {
    match said {
        Ok(said) if args.output_format == Format::Text => {
            say(&printable(&redact(&said.text)));
            said.code
        }
        Ok(said) => {
            say(&format!("{}\n", said.json));
            said.code
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

/// Finds the session and the workspace it is about. A session that is named brings its own workspace.
fn open(args: &UndoArgs) -> Result<Case, Trouble> {
    let config = config::decide(Flags::default(), &wire::lookup)
        .map_err(|error| Trouble::coded(exit::USAGE, error.to_string()))?;
    let here = args.workspace.as_deref();
    let (session_id, root) = if let Some(id) = &args.session {
        let found = record::find(&config.state, id).ok_or_else(|| RecordError::Unknown(id.clone()))?;
        (found.session_id, here.map_or_else(|| PathBuf::from(&found.workspace), ToOwned::to_owned))
    } else {
        let root = Workspace::open(here.unwrap_or_else(|| ".".as_ref()))?.root().to_owned();
        let changed = record::list(&config.state, Some(&root))
            .into_iter()
            .map(|session| session.session_id)
            .find(|id| Journal::look(&config.state, id).is_ok_and(|journal| !journal.steps().is_empty()));
        let nothing = || Trouble::coded(exit::NO_INPUT, "no session has changed anything in this workspace");
        (changed.ok_or_else(nothing)?, root)
    };
    let workspace = Workspace::open(&root)?;
    let ours = record::find(&config.state, &session_id);
    if ours.is_some_and(|session| workspace.root() != std::path::Path::new(&session.workspace)) {
        let text =
            format!("session {session_id} worked in another folder than {}", workspace.root().display());
        return Err(Trouble::coded(exit::NO_INPUT, text));
    }
    let file = match &args.file {
        Some(file) => Some(workspace.place(file)?.as_str().to_owned()),
        None => None,
    };
    let (turn, partial, history, interrupted) = (args.turn, args.partial, args.history, args.interrupted);
    let choice = Choice { turn, file, partial, history, interrupted };
    Ok(Case { state: config.state, session_id, workspace, choice })
}

fn take_back(
    args: &UndoArgs,
    turn: impl FnOnce(&Journal, &Case) -> Result<Done, JournalError>,
) -> Result<Said, Trouble> {
    let case = open(args)?;
    let (_lock, left) =
        Lock::take(&case.state, case.workspace.root(), &case.session_id).map_err(RecordError::from)?;
    if let Some(left) = left.filter(|left| left.session_id != case.session_id) {
        let _ = Journal::open(&case.state, &left.session_id, &case.workspace);
    }
    let journal = Journal::open(&case.state, &case.session_id, &case.workspace)?;
    Ok(report(&case, &turn(&journal, &case)?))
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::NothingUndone => Self::coded(exit::NO_INPUT, error.to_string()),
            _ => Self::new(Outcome::Error, error.to_string()),
        }
    }
}

/// One file of the JSON object.
#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    change: &'static str,
}

fn report(case: &Case, done: &Done) -> Said {
    let text = format!("{} · session {}\n", done.render(), case.session_id);
    let shown = if done.applied { &done.files[..] } else { &[] };
    let named: Vec<File> =
        shown.iter().map(|touch| File { path: &touch.path, change: touch.change() }).collect();
    let json = serde_json::json!({
        "v": VERSION, "session_id": case.session_id, "status": done.status(), "files": named,
        "refused": done.refused, "not_covered": done.uncovered,
    });
    Said { text, json, code: if done.refused.is_empty() { 0 } else { exit::NOT_FIXED } }
}

/// The diff from what was there before the agent to what it left.
fn look(case: &Case) -> Result<Said, Trouble> {
    let journal = Journal::look(&case.state, &case.session_id)?;
    let mut text = String::new();
    let mut files = Vec::new();
    for Shown { path, change, diff, changed_since } in journal.show(&case.workspace, &case.choice) {
        text.push_str(&diff);
        if changed_since {
            let _ = writeln!(text, "# {path}: changed again since, by somebody else");
        }
        files.push(serde_json::json!({
            "path": path, "change": change, "changed_since": changed_since, "diff": redact(&diff),
        }));
    }
    let uncovered = journal.uncovered();
    for one in &uncovered {
        let _ = writeln!(text, "# not covered: {one}");
    }
    let json = serde_json::json!({
        "v": VERSION, "session_id": case.session_id, "files": files, "not_covered": uncovered,
    });
    Ok(Said { text, json, code: 0 })
}
