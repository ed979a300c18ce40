//! The command that lists what was hidden from the model in a session: `hidden`.

use super::{say, say_error};
use crate::config::Flags;
use crate::message::{Part, ToolCall, ToolResult};
use crate::policy::paths;
use crate::session::record::{self, Entry, RecordError};
use crate::session::shelf;
use crate::text::{hidden, mask, printable, redact};
use crate::wire::{self, Trouble, exit};
use crate::workspace::Workspace;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// One place where something was hidden.
#[derive(Debug, Serialize)]
struct Shown {
    kind: String,
    /// `path:line`, or what gave the output and the line of it.
    place: String,
    /// How often it was hidden there.
    times: u32,
    /// Bytes, where the value still stands at that place of a file.
    bytes: Option<usize>,
    /// The same within one list for the same value, and for nothing else.
    fingerprint: Option<String>,
}

/// `agent hidden`.
pub(super) fn hidden(session: Option<&str>, workspace: &Path, as_json: bool) -> u8 {
    match look(session, workspace) {
        Ok((id, all)) if as_json => {
            say(&format!("{}\n", serde_json::json!({ "v": 1, "session_id": id, "hidden": all })));
            0
        }
        Ok((id, all)) => {
            let mut text = String::new();
            for one in &all {
                let value = match (&one.bytes, &one.fingerprint) {
                    (Some(bytes), Some(print)) => format!("{bytes} bytes, {print}"),
                    _ => "no longer there, or not in a file".to_owned(),
                };
                let _ = writeln!(text, "{}  {}  {value}  {}×", one.place, one.kind, one.times);
            }
            let _ = match all.len() {
                0 => writeln!(text, "nothing was hidden in session {id}"),
                count => writeln!(
                    text,
                    "{count} hidden · session {id}\n--reveal PATH:LINE lets the model see one of them, once"
                ),
            };
            say(&printable(&redact(&text)));
            0
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn look(session: Option<&str>, workspace: &Path) -> Result<(String, Vec<Shown>), Trouble> {
    let config = wire::decide(Flags::default())?;
    let (id, root) = if let Some(id) = session {
        let found = record::find(&config.state, id).ok_or_else(|| RecordError::Unknown(id.to_owned()))?;
        (found.session_id, found.workspace.into())
    } else {
        let root = Workspace::open(workspace)?.root().to_owned();
        let newest = record::list(&config.state, Some(&root)).into_iter().next();
        let none = || Trouble::coded(exit::NO_INPUT, "no session in this workspace");
        (newest.ok_or_else(none)?.session_id, root)
    };
    let workspace = Workspace::open(&root).ok();
    let mut calls: BTreeMap<String, ToolCall> = BTreeMap::new();
    let mut all: BTreeMap<(String, String), u32> = BTreeMap::new();
    for entry in shelf::read(&config.state, &id)? {
        let Entry::Message { message } = entry else { continue };
        for part in message.parts {
            match part {
                Part::Call(call) => drop(calls.insert(call.id.clone(), call)),
                Part::Result(result) => {
                    for (place, kind) in places(calls.get(&result.call_id), &result) {
                        *all.entry((place, kind)).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
    }
    let salt = uuid::Uuid::now_v7();
    let mut files = BTreeMap::new();
    let listed = all.into_iter().map(|((place, kind), times)| {
        let found = workspace.as_ref().and_then(|workspace| value_at(workspace, &mut files, &place, &kind));
        let fingerprint = found.as_ref().map(|value| {
            let hash = Sha256::new().chain_update(salt.as_bytes()).chain_update(value.as_bytes()).finalize();
            format!("{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
        });
        Shown { kind, place, times, bytes: found.map(|value| value.len()), fingerprint }
    });
    Ok((id, listed.collect()))
}

/// Where in a result something is hidden, and what it was taken for.
fn places(call: Option<&ToolCall>, result: &ToolResult) -> Vec<(String, String)> {
    let argument = |name: &str| {
        let arguments: serde_json::Value = serde_json::from_str(&call?.arguments).ok()?;
        Some(arguments[name].as_str()?.trim_start_matches("./").to_owned())
    };
    let path = argument("filePath").filter(|_| result.name == "read");
    let source = argument("command").map_or_else(
        || format!("result of {}", result.name),
        |command| format!("output of `{}`", crate::text::clip(&command, 60).text),
    );
    let mut all = Vec::new();
    for (at, line) in (1..).zip(result.text.lines()) {
        if !hidden::has_stand_in(line) {
            continue;
        }
        let number = line.split_once(": ").and_then(|(number, _)| number.parse::<u64>().ok());
        let place = match (&path, number) {
            (Some(path), Some(number)) => format!("{path}:{number}"),
            _ => format!("{source}, line {at}"),
        };
        all.extend(hidden::kinds(line).into_iter().map(|kind| (place.clone(), kind.to_owned())));
    }
    all
}

/// What stands hidden at `path:line` now, when it is of that kind.
fn value_at(
    workspace: &Workspace,
    files: &mut BTreeMap<String, Option<String>>,
    place: &str,
    kind: &str,
) -> Option<String> {
    let (path, line) = place.rsplit_once(':')?;
    let line: u64 = line.parse().ok()?;
    let read = || {
        let place = workspace.place(path).ok()?;
        Some(workspace.read(&place).ok()?.text()?.to_owned())
    };
    let text = files.entry(path.to_owned()).or_insert_with(read).as_deref()?;
    let view = if paths::is_secret(path) { mask(text).into() } else { redact(text) };
    let found = hidden::list(&view, text).into_iter().find(|one| one.line == line && one.kind == kind)?;
    Some(found.value.to_owned())
}
