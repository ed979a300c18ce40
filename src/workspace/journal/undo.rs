//! Taking back: three versions of every file are compared (before, after, now), and what somebody else changed
//! since stays as it is.

use super::super::{Place, Workspace, WorkspaceError, apply::Replacement, door};
use super::command::Trouble;
use super::look::Stamp;
use super::{Cause, Inner, Journal, JournalError, Settled, Step, Touch, Version};
use rustix::fs::{AtFlags, unlinkat};
use std::collections::{BTreeMap, HashSet};
use std::io;

/// What is to be taken back.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Only what this answer of the model changed.
    pub turn: Option<u32>,
    /// Only this file, or what is below this folder; workspace-relative.
    pub file: Option<String>,
    /// Go on with the other files when some cannot be taken back; else nothing is.
    pub partial: bool,
    /// The refs of the repository (branches, tags, HEAD) and nothing else; without it everything but them.
    pub history: bool,
    /// Also what was found changed after a command that was cut off, though it may be the user's own change.
    pub interrupted: bool,
}

/// A file that stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Refused {
    /// Workspace-relative path.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// What became of an undo or redo.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Files that were changed, or would have been had nothing been refused: as they were, as they are to be.
    pub files: Vec<Touch>,
    /// Files that stay as they are.
    pub refused: Vec<Refused>,
    /// What the journal does not cover, with the reason.
    pub uncovered: Vec<String>,
    /// Whether the files were changed.
    pub applied: bool,
}

/// One file's way through some steps.
#[derive(Debug, Clone)]
struct Net {
    touch: Touch,
    /// Why the way is not whole.
    fault: Option<String>,
}

/// Most folders whose files are replaced as one: each is a descriptor held open.
const MAX_FOLDERS: usize = 200;

impl Journal {
    /// The files that these steps changed altogether: first version, last version.
    pub fn changes(&self, choice: &Choice) -> Vec<Touch> {
        let steps = self.steps();
        let nets = nets(chosen(&steps, choice), choice);
        nets.into_values().map(|net| net.touch).filter(|touch| touch.before != touch.after).collect()
    }

    /// Takes back what was chosen. Call with the workspace locked. Blocks.
    pub fn undo(&self, workspace: &Workspace, choice: &Choice) -> Result<Done, JournalError> {
        let mut inner = self.inner();
        let steps = inner.steps.clone();
        let picked: Vec<&Step> = chosen(&steps, choice).collect();
        let uncovered = picked.iter().flat_map(|step| step.uncovered.clone()).collect();
        let folders = picked.iter().flat_map(|step| step.folders.clone()).collect();
        let nets = nets(picked.into_iter(), choice);
        let whole = nets.into_values().map(|net| Net { touch: reverse(net.touch), ..net }).collect();
        let done = inner.turn(workspace, whole, Cause::Undo, choice, folders);
        done.map(|done| Done { uncovered, ..done }).map_err(|error| self.told(error))
    }

    /// Takes the last undo back that was not taken back yet. Call with the workspace locked. Blocks.
    pub fn redo(&self, workspace: &Workspace, partial: bool) -> Result<Done, JournalError> {
        let mut inner = self.inner();
        let undone = inner.steps.iter().rev().find(|step| {
            let redone =
                |other: &Step| other.cause == Cause::Redo { of: step.step } && !other.files.is_empty();
            step.cause == Cause::Undo && !step.files.is_empty() && !inner.steps.iter().any(redone)
        });
        let Some(undone) = undone.cloned() else { return Err(JournalError::NothingUndone) };
        let choice =
            Choice { turn: Some(undone.turn).filter(|turn| *turn > 0), partial, ..Choice::default() };
        let nets = undone.files.into_iter().map(|touch| Net { touch: reverse(touch), fault: None }).collect();
        inner
            .turn(workspace, nets, Cause::Redo { of: undone.step }, &choice, Vec::new())
            .map_err(|error| self.told(error))
    }

    fn told(&self, error: Trouble) -> JournalError {
        match error {
            Trouble::Workspace(error) => JournalError::Workspace(error),
            Trouble::Io(source) => self.failed(source),
        }
    }
}

/// The steps a choice is about, undos of them included.
fn chosen<'a>(steps: &'a [Step], choice: &Choice) -> impl Iterator<Item = &'a Step> {
    let turn = choice.turn;
    steps.iter().filter(move |step| turn.is_none_or(|turn| step.turn == turn))
}

fn nets<'a>(steps: impl Iterator<Item = &'a Step>, choice: &Choice) -> BTreeMap<String, Net> {
    let mut nets: BTreeMap<String, Net> = BTreeMap::new();
    let wanted = |path: &str| {
        if path.starts_with(".git/") != choice.history {
            return false;
        }
        choice.file.as_deref().is_none_or(|file| {
            file == "." || path == file || path.strip_prefix(file).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    for step in steps {
        for touch in step.files.iter().filter(|touch| wanted(&touch.path)) {
            let net = nets
                .entry(touch.path.clone())
                .and_modify(|net| {
                    if hash(net.touch.after.as_ref()) != hash(touch.before.as_ref()) {
                        net.fault.get_or_insert_with(|| {
                            format!(
                                "somebody else changed it before turn {}; --turn takes back a single turn",
                                step.turn
                            )
                        });
                    }
                    net.touch.after.clone_from(&touch.after);
                })
                .or_insert_with(|| Net { touch: touch.clone(), fault: None });
            if step.unsure && !choice.interrupted {
                net.fault.get_or_insert_with(|| {
                    "it was found changed after a command that was cut off, so it may be your own change; look at \
                     `agent diff`, then --interrupted takes it back as well"
                        .to_owned()
                });
            }
        }
    }
    nets
}

fn reverse(touch: Touch) -> Touch {
    Touch { path: touch.path, before: touch.after, after: touch.before }
}

fn hash(version: Option<&Version>) -> Option<[u8; 32]> {
    version.map(|version| version.hash)
}

/// What is at a path now.
fn now(workspace: &Workspace, path: &str) -> Result<Option<(Vec<u8>, Version)>, WorkspaceError> {
    let place = Place { relative: path.to_owned() };
    if workspace.place(path)? != place {
        return Err(WorkspaceError::NotRegular(path.to_owned(), "behind a link now"));
    }
    match workspace.read_with_stat(path) {
        Ok((content, stat)) => {
            let version = Version { hash: content.hash, mode: Some(Stamp::of(&stat).mode) };
            Ok(Some((content.bytes, version)))
        }
        Err(WorkspaceError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Inner {
    /// Turns files from `before` to `after` of their nets, where they still are what `before` says.
    fn turn(
        &mut self,
        workspace: &Workspace,
        nets: Vec<Net>,
        cause: Cause,
        choice: &Choice,
        folders: Vec<String>,
    ) -> Result<Done, Trouble> {
        let mut done = Done::default();
        let mut replacements = Vec::new();
        for net in nets {
            let path = net.touch.path.clone();
            match self.plan(workspace, net) {
                Ok(Some((replacement, touch))) => {
                    replacements.push(replacement);
                    done.files.push(touch);
                }
                Ok(None) => {}
                Err(reason) => done.refused.push(Refused { path, reason }),
            }
        }
        if replacements.is_empty() || !(done.refused.is_empty() || choice.partial) {
            return Ok(done);
        }
        for (replacement, touch) in replacements.iter().zip(&done.files) {
            if let (Some(bytes), Some(version)) = (&replacement.before, &touch.before) {
                self.store.put(version.hash, bytes)?;
            }
        }
        let made = Settled { files: done.files.clone(), ..Settled::default() };
        let title =
            format!("{} of {} files", if cause == Cause::Undo { "undo" } else { "redo" }, done.files.len());
        let step = self.start(cause, choice.turn.unwrap_or(0), title, made)?;
        if let Err(error) = replace_all(workspace, replacements) {
            self.settle(step, Settled::default(), false)?;
            return Err(error.into());
        }
        if cause == Cause::Undo {
            remove_empty(workspace, folders);
        }
        let made = Settled { files: done.files.clone(), ..Settled::default() };
        self.settle(step, made, false)?;
        done.applied = true;
        Ok(done)
    }

    /// What turning one file takes: nothing when it is as it should be; else why it stays as it is.
    fn plan(&self, workspace: &Workspace, net: Net) -> Result<Option<(Replacement, Touch)>, String> {
        let Touch { path, before, after } = net.touch;
        if before == after {
            return Ok(None);
        }
        let current = now(workspace, &path).map_err(|error| error.to_string())?;
        let (bytes, version) = current.map_or((None, None), |(bytes, version)| (Some(bytes), Some(version)));
        let mode = |version: &Option<Version>| version.as_ref().and_then(|version| version.mode);
        // A mode that somebody else set stays.
        let own_mode = bytes.is_none() || mode(&before).is_none() || mode(&before) == mode(&version);
        let new_mode = mode(&after).filter(|_| own_mode);
        let mode_stays = new_mode.is_none() || new_mode == mode(&version);
        if hash(version.as_ref()) == hash(after.as_ref()) && mode_stays {
            return Ok(None);
        }
        if let Some(fault) = net.fault {
            return Err(fault);
        }
        if hash(version.as_ref()) != hash(before.as_ref()) {
            return Err("it was changed after the agent; it stays as it is".to_owned());
        }
        let content = match &after {
            None => None,
            Some(wanted) => Some(self.store.read(&wanted.hash).ok_or_else(|| {
                "its earlier content is no longer kept: the journal lets the oldest go first".to_owned()
            })?),
        };
        let touch = Touch { path: path.clone(), before: version, after };
        Ok(Some((Replacement { path, before: bytes, after: content, mode: new_mode }, touch)))
    }
}

/// All of them or none: what was done is taken back when a later part fails.
fn replace_all(workspace: &Workspace, mut replacements: Vec<Replacement>) -> Result<(), WorkspaceError> {
    let batches = batches(&replacements);
    for (done, batch) in batches.iter().enumerate() {
        let Err(error) = workspace.replace(&replacements[batch.clone()]) else { continue };
        for batch in &batches[..done] {
            for one in &mut replacements[batch.clone()] {
                std::mem::swap(&mut one.before, &mut one.after);
                one.mode = None;
            }
            let _ = workspace.replace(&replacements[batch.clone()]);
        }
        return Err(error);
    }
    Ok(())
}

/// Replacements are in the order of their paths, so those of one folder come together.
fn batches(replacements: &[Replacement]) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let (mut start, mut folders) = (0, HashSet::new());
    for (at, one) in replacements.iter().enumerate() {
        folders.insert(door::split(&one.path).0);
        if folders.len() > MAX_FOLDERS {
            out.push(start..at);
            start = at;
            folders.clear();
        }
    }
    out.push(start..replacements.len());
    out
}

/// Removes folders that were made on the way, where nothing is in them; deepest first.
fn remove_empty(workspace: &Workspace, mut folders: Vec<String>) {
    folders.sort_unstable_by_key(|folder| std::cmp::Reverse(folder.matches('/').count()));
    folders.dedup();
    for folder in folders {
        let (parent, name) = door::split(&folder);
        if let Ok(dir) = workspace.door.directory(parent) {
            let _: io::Result<()> = unlinkat(&dir, name, AtFlags::REMOVEDIR).map_err(io::Error::from);
        }
    }
}
