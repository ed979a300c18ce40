//! The journal: what the agent changed in a session, step by step, so that it can be taken back.
//!
//! `<state>/journal/<session>/` holds `log.jsonl` (a line when a step begins and one when it is settled),
//! `known.jsonl` (what every file was before a command ran) and `pack-*` (contents by their hash); all 0600 in
//! 0700, and down on the disk before the change happens. Git plays no part in it.
//!
//! Bounds: [`MAX_ONE`] bytes of a file, [`MAX_SNAPSHOT`] bytes copied before one command, [`MAX_SESSION`] bytes
//! kept of a session and [`MAX_ALL`] of all sessions, oldest dropped first; 100,000 files looked at. Not covered:
//! contents of secret-class files, ignored files, `.git` but for its refs, links, empty folders, and what a background command
//! does after its call returned. What a command changed and is not covered is said in its result.

mod command;
mod look;
mod show;
mod store;
mod undo;

pub use show::Shown;
pub use undo::{Choice, Done, Refused};

use super::{Place, Workspace, WorkspaceError, apply, hash_of, private};
use crate::action::{Action, Change};
use crate::policy::paths::is_secret;
use crate::text::{clip, printable, redact};
use command::Known;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::{Hash, Store};

/// Largest file whose content is kept, in bytes.
pub const MAX_ONE: u64 = 8 * 1024 * 1024;
/// Most bytes of new contents kept before one command runs.
pub const MAX_SNAPSHOT: u64 = 128 * 1024 * 1024;
/// Most bytes kept of one session.
pub const MAX_SESSION: u64 = 512 * 1024 * 1024;
/// Most bytes kept of all sessions together.
pub const MAX_ALL: u64 = 2 * 1024 * 1024 * 1024;

/// Why a step cannot be noted or taken back.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The journal cannot be written or read.
    #[error("the journal {path}: {source}")]
    Io {
        /// File or folder.
        path: String,
        /// The system's word.
        source: io::Error,
    },
    /// The workspace said no.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// There is no undo left to take back.
    #[error("there is no undo to take back in this session")]
    NothingUndone,
}

/// A file at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// SHA-256 of the content.
    #[serde(with = "hex")]
    pub hash: Hash,
    /// Permission bits; absent when they follow from the user's mask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// A file before and after a step; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touch {
    /// Workspace-relative path.
    pub path: String,
    /// Before.
    pub before: Option<Version>,
    /// After.
    pub after: Option<Version>,
}

/// What kind of step it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Cause {
    /// A tool wrote.
    Write,
    /// A command ran.
    Run,
    /// The user took something back.
    Undo,
    /// The user took that undo back.
    Redo {
        /// Number of the undo.
        of: u32,
    },
}

/// One deed of the agent, or one undo of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// Its number, from 1.
    pub step: u32,
    /// The answer of the model it belongs to, from 1; for an undo the one it took back, 0 for all.
    pub turn: u32,
    /// What kind.
    pub cause: Cause,
    /// One line for people.
    pub title: String,
    /// RFC 3339 time.
    pub time: String,
    /// What it touched.
    pub files: Vec<Touch>,
    /// Folders it made.
    #[serde(default)]
    pub folders: Vec<String>,
    /// What it changed and cannot be taken back, with the reason.
    #[serde(default)]
    pub uncovered: Vec<String>,
    /// Whether it was cut off, so that what the user changed later cannot be told from what it changed.
    #[serde(default)]
    pub unsure: bool,
    /// Whether its end is known.
    #[serde(skip)]
    settled: bool,
}

/// A line of the log.
#[derive(Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    Begin(Step),
    Settle { step: u32, files: Vec<Touch>, folders: Vec<String>, uncovered: Vec<String>, unsure: bool },
}

/// The journal of one session. Nothing is on disk before the first step.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    steps: Vec<Step>,
    known: BTreeMap<String, Known>,
    /// What the look before the running command saw; nothing after a crash.
    before: Option<look::Seen>,
    /// The state folder as a workspace path, when it lies in there.
    own: Option<String>,
    files: Option<Files>,
}

/// The two files that are appended to.
#[derive(Debug)]
struct Files {
    log: File,
    known: File,
}

impl Journal {
    /// Opens the journal of a session below `state`; only looks.
    pub fn look(state: &Path, session_id: &str) -> Result<Self, JournalError> {
        let folder = state.join("journal").join(session_id);
        let failed = |source| JournalError::Io { path: folder.display().to_string(), source };
        let mut inner = Inner {
            store: Store::open(&folder, MAX_SESSION).map_err(failed)?,
            steps: Vec::new(),
            known: BTreeMap::new(),
            before: None,
            own: None,
            files: None,
        };
        if folder.join("log.jsonl").exists() {
            let mut log = File::open(folder.join("log.jsonl")).map_err(failed)?;
            inner.steps = read_log(&mut log).map_err(failed)?;
        }
        Ok(Self { folder, inner: Mutex::new(inner) })
    }

    /// Opens the journal of a session to go on with it. Call with the workspace locked: a step that was cut
    /// off is settled by what is there now, and temporary files it left are swept away.
    pub fn open(state: &Path, session_id: &str, workspace: &Workspace) -> Result<Self, JournalError> {
        let mut journal = Self::look(state, session_id)?;
        let inner = journal.inner.get_mut().unwrap_or_else(PoisonError::into_inner);
        let folder = journal.folder.clone();
        let own = state.canonicalize().ok();
        let own = own.as_deref().and_then(|state| state.strip_prefix(workspace.root()).ok());
        inner.own = own.and_then(Path::to_str).filter(|path| !path.is_empty()).map(str::to_owned);
        let failed = |source| JournalError::Io { path: folder.display().to_string(), source };
        if folder.join("log.jsonl").exists() {
            inner.open_files(&folder).map_err(failed)?;
            let open: Vec<Step> = inner.steps.iter().filter(|step| !step.settled).cloned().collect();
            for step in open {
                apply::sweep(workspace, step.files.iter().map(|touch| touch.path.as_str()));
                let (number, ran) = (step.step, step.cause == Cause::Run);
                let settled = if ran { inner.compare(workspace)? } else { happened(workspace, step) };
                inner.settle(number, settled, ran).map_err(failed)?;
            }
        }
        Ok(journal)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::Io { path: self.folder.display().to_string(), source }
    }

    /// Every step so far, in order.
    pub fn steps(&self) -> Vec<Step> {
        self.inner().steps.clone()
    }

    /// The number of the last answer that changed something; 0 when none did.
    pub fn last_turn(&self) -> u32 {
        self.inner().steps.iter().map(|step| step.turn).max().unwrap_or(0)
    }

    /// A content that is kept.
    pub fn content(&self, version: &Version) -> Option<Vec<u8>> {
        self.inner().store.read(&version.hash)
    }

    /// Keeps all that is needed to take an action back, down on the disk, before it happens. Gives the
    /// step's number; nothing for an action that changes no file. Blocks.
    pub fn begin(
        &self,
        workspace: &Workspace,
        action: &Action,
        turn: u32,
    ) -> Result<Option<u32>, JournalError> {
        let mut inner = self.inner();
        let cause = match action {
            Action::Write { .. } => Cause::Write,
            Action::Run { .. } => Cause::Run,
            Action::Read { .. }
            | Action::Fetch { .. }
            | Action::Connect { .. }
            | Action::Call { .. }
            | Action::Reveal { .. } => {
                return Ok(None);
            }
        };
        if inner.files.is_none() {
            prune(&self.folder, MAX_ALL);
            inner.open_files(&self.folder).map_err(|source| self.failed(source))?;
        }
        let mut settled = Settled::default();
        match action {
            Action::Write { changes } => inner.keep_changes(workspace, changes, &mut settled),
            _ => inner.snapshot(workspace),
        }
        .map_err(|error| match error {
            command::Trouble::Workspace(error) => JournalError::Workspace(error),
            command::Trouble::Io(source) => self.failed(source),
        })?;
        let title = clip(&printable(&redact(&action.title())).replace('\n', " "), 200).text.to_owned();
        let step = inner.start(cause, turn, title, settled).map_err(|source| self.failed(source))?;
        Ok(Some(step))
    }

    /// Notes how a step ended, well or not. Gives what it changed and cannot be taken back, one sentence each.
    /// Blocks.
    pub fn settle(&self, workspace: &Workspace, step: u32, well: bool) -> Result<Vec<String>, JournalError> {
        let mut inner = self.inner();
        let Some(begun) = inner.steps.iter().find(|known| known.step == step).cloned() else {
            return Ok(Vec::new());
        };
        let settled = match begun.cause {
            Cause::Run => inner.compare(workspace)?,
            _ if well => begun.into(),
            _ => happened(workspace, begun),
        };
        let uncovered = settled.uncovered.clone();
        inner.settle(step, settled, false).map_err(|source| self.failed(source))?;
        Ok(uncovered)
    }
}

/// What is known of a step at its end.
#[derive(Debug, Default)]
struct Settled {
    files: Vec<Touch>,
    folders: Vec<String>,
    uncovered: Vec<String>,
}

impl From<Step> for Settled {
    fn from(step: Step) -> Self {
        Self { files: step.files, folders: step.folders, uncovered: step.uncovered }
    }
}

impl Inner {
    fn open_files(&mut self, folder: &Path) -> io::Result<()> {
        private::folder(folder)?;
        let mut log = private::file(&folder.join("log.jsonl"), true)?;
        // Held while the session lives, so that nobody prunes it.
        let _ = log.try_lock_shared();
        private::whole_lines(&mut log)?;
        let mut known = private::file(&folder.join("known.jsonl"), true)?;
        self.known = command::read_known(&private::whole_lines(&mut known)?);
        self.files = Some(Files { log, known });
        Ok(())
    }

    /// Logs the beginning of a step, once everything it needs lasts.
    fn start(&mut self, cause: Cause, turn: u32, title: String, settled: Settled) -> io::Result<u32> {
        self.store.sync()?;
        self.store.shrink();
        let step = Step {
            step: self.steps.last().map_or(1, |last| last.step + 1),
            turn,
            cause,
            title,
            time: format!("{:.3}", jiff::Timestamp::now()),
            files: settled.files,
            folders: settled.folders,
            uncovered: settled.uncovered,
            unsure: false,
            settled: false,
        };
        self.log(&Entry::Begin(step.clone()))?;
        let number = step.step;
        self.steps.push(step);
        Ok(number)
    }

    fn settle(&mut self, number: u32, settled: Settled, unsure: bool) -> io::Result<()> {
        let Settled { files, folders, uncovered } = settled;
        if let Some(step) = self.steps.iter_mut().find(|step| step.step == number) {
            step.files.clone_from(&files);
            step.folders.clone_from(&folders);
            step.uncovered.clone_from(&uncovered);
            (step.unsure, step.settled) = (unsure, true);
        }
        self.log(&Entry::Settle { step: number, files, folders, uncovered, unsure })
    }

    fn log(&mut self, entry: &Entry) -> io::Result<()> {
        let Some(files) = &mut self.files else { return Ok(()) };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let end = files.log.metadata()?.len();
        let written = files.log.write_all(&line).and_then(|()| files.log.sync_data());
        if written.is_err() {
            // Half a line must not stand before the next one.
            let _ = files.log.set_len(end);
        }
        written
    }

    /// Keeps what a tool is about to replace.
    fn keep_changes(
        &mut self,
        workspace: &Workspace,
        changes: &[Change],
        settled: &mut Settled,
    ) -> Result<(), command::Trouble> {
        for change in changes {
            let sides = match change.moved_from.as_deref().filter(|from| *from != change.path) {
                Some(from) => {
                    vec![
                        (from, change.before.as_deref(), None),
                        (&*change.path, None, change.after.as_deref()),
                    ]
                }
                None => vec![(&*change.path, change.before.as_deref(), change.after.as_deref())],
            };
            let from_mode = change.moved_from.as_deref().and_then(|from| mode_of(workspace, from));
            for (written, before, after) in sides {
                let place = workspace.place(written)?;
                let path = place.as_str().to_owned();
                if is_secret(&path) {
                    settled.uncovered.push(format!("{path}: it holds secrets, so its content is not kept"));
                    continue;
                }
                let mode = mode_of(workspace, &path);
                let mut version = |text: Option<&str>, mode, keep: bool| {
                    let Some(text) = text else { return Ok(None) };
                    let hash = hash_of(text.as_bytes());
                    if keep {
                        self.store.put(hash, text.as_bytes())?;
                    }
                    Ok::<_, io::Error>(Some(Version { hash, mode }))
                };
                let before = version(before, mode, true)?;
                let after = version(after, mode.or(from_mode), false)?;
                if before.is_none() {
                    missing_folders(workspace, &path, &mut settled.folders);
                }
                settled.files.push(Touch { path, before, after });
            }
        }
        Ok(())
    }
}

/// Of what a step was to change, all that is not as it was: what failed or was cut off did not happen.
fn happened(workspace: &Workspace, mut step: Step) -> Settled {
    step.files.retain(|touch| {
        let now = workspace.read(&Place { relative: touch.path.clone() }).ok().map(|content| content.hash);
        now != touch.before.as_ref().map(|version| version.hash)
    });
    step.into()
}

fn mode_of(workspace: &Workspace, path: &str) -> Option<u32> {
    workspace.door.stat(path).ok().map(|stat| look::Stamp::of(&stat).mode)
}

/// The folders above a path that are not there yet, outermost first.
fn missing_folders(workspace: &Workspace, path: &str, out: &mut Vec<String>) {
    for (at, _) in path.match_indices('/') {
        let folder = &path[..at];
        if workspace.door.stat(folder).is_err() && !out.iter().any(|known| known == folder) {
            out.push(folder.to_owned());
        }
    }
}

fn read_log(file: &mut File) -> io::Result<Vec<Step>> {
    let mut text = String::new();
    io::Read::read_to_string(file, &mut text)?;
    let whole = text.rfind('\n').map_or(0, |at| at + 1);
    let mut steps: Vec<Step> = Vec::new();
    for line in text[..whole].lines() {
        match serde_json::from_str(line)? {
            Entry::Begin(step) => steps.push(step),
            Entry::Settle { step, files, folders, uncovered, unsure } => {
                if let Some(begun) = steps.iter_mut().find(|known| known.step == step) {
                    *begun = Step { files, folders, uncovered, unsure, settled: true, ..begun.clone() };
                }
            }
        }
    }
    Ok(steps)
}

/// Lets the oldest sessions' journals go until all together are within `limit`; never one that is in use.
fn prune(own: &Path, limit: u64) {
    let Some(all) = own.parent() else { return };
    let Ok(entries) = std::fs::read_dir(all) else { return };
    let size = |folder: &Path| -> u64 {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
    };
    // Session ids begin with their time.
    let folders: BTreeMap<PathBuf, u64> =
        entries.flatten().map(|entry| entry.path()).map(|path| (path.clone(), size(&path))).collect();
    let mut total: u64 = folders.values().sum();
    for (folder, size) in folders {
        if total <= limit {
            return;
        }
        let in_use = File::open(folder.join("log.jsonl")).is_ok_and(|log| log.try_lock().is_err());
        if folder != own && !in_use {
            #[allow(clippy::disallowed_methods, reason = "a folder of the state, not of a workspace")]
            let _ = std::fs::remove_dir_all(&folder);
            total -= size;
        }
    }
}

/// A hash as 64 hexadecimal digits.
mod hex {
    use super::Hash;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::fmt::Write as _;

    pub(super) fn serialize<S: Serializer>(hash: &Hash, to: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(64);
        for byte in hash {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        to.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(from)?;
        let mut hash = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(D::Error::custom("a hash has 64 digits"));
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(D::Error::custom)?;
        }
        Ok(hash)
    }
}

#[cfg(test)]
mod tests;
