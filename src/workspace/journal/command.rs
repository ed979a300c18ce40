//! Before a command: what every file was, kept. After it: what became of them.

use super::super::{MAX_FILE, Place, Workspace, WorkspaceError, hash_of};
use super::look::{Seen, Stamp, is_ignore_file, look};
use super::{Inner, JournalError, MAX_ONE, MAX_SNAPSHOT, Settled, Touch, Version};
use crate::policy::paths::is_secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{self, Write as _};

/// What is known of a file that a command may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    stamp: Stamp,
    /// What it held, when that is kept.
    version: Option<Version>,
    /// Whether the stamp alone does not tell that the content is still the same.
    fresh: bool,
}

/// A line of `known.jsonl`: what is known of a file from here on, or that it is gone.
#[derive(Serialize, Deserialize)]
struct Line {
    path: String,
    known: Option<Known>,
}

/// Why a step cannot be kept.
#[derive(Debug)]
pub(super) enum Trouble {
    Workspace(WorkspaceError),
    Io(io::Error),
}

impl From<WorkspaceError> for Trouble {
    fn from(error: WorkspaceError) -> Self {
        Trouble::Workspace(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Trouble::Io(error)
    }
}

/// The state that all lines together give.
pub(super) fn read_known(text: &str) -> BTreeMap<String, Known> {
    let mut all = BTreeMap::new();
    for line in text.lines() {
        // A line that cannot be read only means that its file is looked at again.
        let Ok(Line { path, known }) = serde_json::from_str(line) else { continue };
        match known {
            Some(known) => all.insert(path, known),
            None => all.remove(&path),
        };
    }
    all
}

impl Inner {
    /// Keeps every file's content, as far as the bounds go; what is known already is not read again.
    pub(super) fn snapshot(&mut self, workspace: &Workspace) -> Result<(), Trouble> {
        let seen = look(workspace, self.own.as_deref())?;
        let mut lines = Vec::new();
        let mut budget = MAX_SNAPSHOT;
        if !seen.too_many {
            for (path, stamp) in &seen.files {
                let known = self.known.get(path);
                let is_same = |known: &&Known| {
                    known.stamp == *stamp
                        && !known.fresh
                        && known.version.as_ref().is_none_or(|version| self.store.has(&version.hash))
                };
                if known.is_some_and(|known| {
                    is_same(&known) && (known.version.is_some() || !may_keep(path, stamp))
                }) {
                    continue;
                }
                let known = self.read(workspace, path, *stamp, &mut budget)?;
                note(&mut lines, path, Some(&known))?;
                self.known.insert(path.clone(), known);
            }
        }
        let gone: Vec<String> =
            self.known.keys().filter(|path| !seen.files.contains_key(*path)).cloned().collect();
        for path in gone {
            note(&mut lines, &path, None)?;
            self.known.remove(&path);
        }
        self.before = Some(seen);
        self.store.sync()?;
        if let Some(files) = &mut self.files {
            files.known.write_all(&lines)?;
            files.known.sync_data()?;
        }
        Ok(())
    }

    /// Reads and keeps one file. One that vanished meanwhile or cannot be read is known by its stamp alone.
    fn read(
        &mut self,
        workspace: &Workspace,
        path: &str,
        stamp: Stamp,
        budget: &mut u64,
    ) -> Result<Known, io::Error> {
        let unkept = Known { stamp, version: None, fresh: stamp.is_fresh() };
        if !may_keep(path, &stamp) || stamp.size > *budget {
            return Ok(unkept);
        }
        let Ok((content, stat)) = workspace.read_with_stat(path) else { return Ok(unkept) };
        if !self.store.has(&content.hash) {
            *budget = budget.saturating_sub(content.bytes.len() as u64);
            self.store.put(content.hash, &content.bytes)?;
        }
        let stamp = Stamp::of(&stat);
        let version = Some(Version { hash: content.hash, mode: Some(stamp.mode) });
        Ok(Known { stamp, version, fresh: stamp.is_fresh() })
    }

    /// What changed since [`Self::snapshot`].
    pub(super) fn compare(&mut self, workspace: &Workspace) -> Result<Settled, JournalError> {
        let now = look(workspace, self.own.as_deref())?;
        let mut settled = Settled::default();
        let before = self.before.take();
        if now.too_many || before.as_ref().is_some_and(|before| before.too_many) {
            settled.uncovered.push(format!(
                "what the command changed: there are more than {} files here",
                super::look::MAX_FILES
            ));
            return Ok(settled);
        }
        self.find_changed(workspace, &now, &mut settled);
        self.find_gone(workspace, &now, &mut settled);
        let excluded = before.as_ref().is_some_and(|before| before.exclude != now.exclude);
        self.find_new(workspace, &now, excluded, &mut settled);
        if let Some(before) = before {
            settled.folders.extend(now.folders.difference(&before.folders).cloned());
            let links = before.links.symmetric_difference(&now.links);
            settled.uncovered.extend(links.map(|path| format!("{path}: a link came or went")));
        }
        Ok(settled)
    }

    fn find_changed(&mut self, workspace: &Workspace, now: &Seen, settled: &mut Settled) {
        for (path, stamp) in &now.files {
            let Some(known) = self.known.get(path) else { continue };
            if known.stamp == *stamp && !known.fresh {
                continue;
            }
            let Some(before) = known.version.clone() else {
                if known.stamp != *stamp {
                    settled.uncovered.push(format!("{path}: {}", why_not(path, &known.stamp)));
                }
                continue;
            };
            match hash_now(workspace, path) {
                Ok(after) if after == before => {}
                Ok(after) => {
                    settled.files.push(Touch {
                        path: path.clone(),
                        before: Some(before),
                        after: Some(after),
                    });
                }
                Err(error) => settled.uncovered.push(format!("{path}: {error}")),
            }
        }
    }

    fn find_gone(&mut self, workspace: &Workspace, now: &Seen, settled: &mut Settled) {
        for (path, known) in self.known.iter().filter(|(path, _)| !now.files.contains_key(*path)) {
            let Some(before) = known.version.clone() else {
                settled.uncovered.push(format!("{path}: it is gone, and {}", why_not(path, &known.stamp)));
                continue;
            };
            // It may only have become an ignored one.
            match hash_now(workspace, path) {
                Ok(after) if after == before => {}
                Ok(after) => {
                    settled.files.push(Touch {
                        path: path.clone(),
                        before: Some(before),
                        after: Some(after),
                    });
                }
                Err(WorkspaceError::Missing(_)) => {
                    settled.files.push(Touch { path: path.clone(), before: Some(before), after: None });
                }
                Err(error) => settled.uncovered.push(format!("{path}: {error}")),
            }
        }
    }

    fn find_new(&mut self, workspace: &Workspace, now: &Seen, excluded: bool, settled: &mut Settled) {
        let rules_changed = excluded
            || settled.files.iter().any(|touch| is_ignore_file(&touch.path))
            || now.files.keys().any(|path| is_ignore_file(path) && !self.known.contains_key(path));
        for (path, stamp) in now.files.iter().filter(|(path, _)| !self.known.contains_key(*path)) {
            // A file that was only ignored before is not one that the command made; it must not be removed.
            if rules_changed && !is_ignore_file(path) {
                settled
                    .uncovered
                    .push(format!("{path}: it may be older, since ignore files changed as well"));
            } else if !may_keep(path, stamp) {
                settled.uncovered.push(format!("{path}: it is new, and {}", why_not(path, stamp)));
            } else {
                match hash_now(workspace, path) {
                    Ok(after) => {
                        settled.files.push(Touch { path: path.clone(), before: None, after: Some(after) });
                    }
                    Err(error) => settled.uncovered.push(format!("{path}: {error}")),
                }
            }
        }
    }
}

fn may_keep(path: &str, stamp: &Stamp) -> bool {
    stamp.size <= MAX_ONE.min(MAX_FILE) && !is_secret(path)
}

/// Why a content is not kept.
fn why_not(path: &str, stamp: &Stamp) -> String {
    if is_secret(path) {
        "it holds secrets, so its content is not kept".to_owned()
    } else if stamp.size > MAX_ONE {
        format!("it has {} bytes, more than the {MAX_ONE} that are kept", stamp.size)
    } else {
        format!("it could not be read, or the {MAX_SNAPSHOT} bytes kept before a command were used up")
    }
}

fn hash_now(workspace: &Workspace, path: &str) -> Result<Version, WorkspaceError> {
    if is_secret(path) {
        return Err(WorkspaceError::NotRegular(path.to_owned(), "a file that holds secrets"));
    }
    let place = Place { relative: path.to_owned() };
    let (content, stat) = workspace.read_with_stat(place.as_str())?;
    Ok(Version { hash: hash_of(&content.bytes), mode: Some(Stamp::of(&stat).mode) })
}

fn note(lines: &mut Vec<u8>, path: &str, known: Option<&Known>) -> io::Result<()> {
    let line = Line { path: path.to_owned(), known: known.cloned() };
    serde_json::to_writer(&mut *lines, &line)?;
    lines.push(b'\n');
    Ok(())
}
