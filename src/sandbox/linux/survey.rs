//! A look at the workspace before each command: secrets to blank, repositories and settings to protect.

use super::firsts::starts_programs;
use crate::policy::paths::{is_protected, is_secret};
use std::path::{Path, PathBuf};

/// What one look found; all paths absolute.
#[derive(Debug, Default, Clone)]
pub(super) struct Survey {
    /// Files that hold secrets.
    pub(super) secrets: Vec<PathBuf>,
    /// Repositories, kept in their place.
    pub(super) pin: Vec<PathBuf>,
    /// Hooks, settings: never written.
    pub(super) freeze: Vec<PathBuf>,
    /// Settings below the root that are there: of agents and shells, and what starts programs in repositories.
    pub(super) settings: Vec<PathBuf>,
    /// Entries were left unseen.
    pub(super) cut: bool,
}

/// Entries looked at; larger trees are cut, which is told.
const MAX_ENTRIES: usize = 50_000;
/// Levels looked at.
const MAX_DEPTH: usize = 12;
/// Made by tools, large, and without secrets of the project.
const SKIPPED: [&str; 11] = [
    "node_modules",
    "target",
    ".venv",
    "venv",
    "__pycache__",
    ".tox",
    ".mypy_cache",
    ".gradle",
    "vendor",
    ".next",
    "site-packages",
];
/// A repository's config is never larger.
const MAX_CONFIG: u64 = 256 * 1024;
/// Editors' tasks start programs; CI definitions stay writable here, since branches differ in them.
pub(super) const EDITORS: [&str; 2] = [".vscode", ".idea"];

/// Looks.
pub(super) fn look(root: &Path) -> Survey {
    let mut walk = Walk { budget: MAX_ENTRIES, found: Survey::default() };
    walk.enter(root, "", 0);
    walk.found
}

struct Walk {
    budget: usize,
    found: Survey,
}

impl Walk {
    /// `hidden` is the part of the way from the last visible folder on: a secret can depend on the folders
    /// above it only where their names start with a dot.
    fn enter(&mut self, folder: &Path, hidden: &str, depth: usize) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            if self.budget == 0 {
                self.found.cut = true;
                return;
            }
            self.budget -= 1;
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == ".git" {
                repository(&entry.path(), kind.is_dir(), &mut self.found);
                if depth > 0 && kind.is_dir() {
                    starters(&entry.path(), &mut self.found);
                }
                continue;
            }
            if depth > 0 && name.starts_with('.') && is_protected(&name) {
                self.found.settings.push(entry.path());
            }
            let dotted = name.starts_with('.');
            let below = if hidden.is_empty() { name.to_string() } else { format!("{hidden}/{name}") };
            if is_secret(&below) {
                self.found.secrets.push(entry.path());
                continue;
            }
            if (dotted || depth == 0) && is_protected(&name) || depth == 0 && EDITORS.contains(&&*name) {
                self.found.freeze.push(entry.path());
            }
            if kind.is_dir() && !SKIPPED.contains(&&*name) {
                if depth < MAX_DEPTH {
                    let hidden = if dotted || !hidden.is_empty() { below.as_str() } else { "" };
                    self.enter(&entry.path(), hidden, depth + 1);
                } else {
                    self.found.cut = true;
                }
            }
        }
    }
}

/// What in a repository decides what git runs.
fn repository(git: &Path, is_folder: bool, found: &mut Survey) {
    if !is_folder {
        // A pointer to another place: rewriting it would make git obey that place.
        found.freeze.push(git.to_owned());
        return;
    }
    found.pin.push(git.to_owned());
    for name in ["hooks", "config", "config.worktree", "commondir", "objects/info/alternates"] {
        found.freeze.push(git.join(name));
    }
    for (folder, depth) in [("modules", 3), ("worktrees", 1)] {
        nested(&git.join(folder), depth, found);
    }
    found.freeze.retain(|path| path.exists());
}

/// What starts programs in a repository below the root: its hooks, and a config that names some.
fn starters(git: &Path, found: &mut Survey) {
    if let Ok(hooks) = std::fs::read_dir(git.join("hooks")) {
        let paths = hooks.flatten().take(100).map(|hook| hook.path());
        found.settings.extend(paths.filter(|path| path.extension().is_none_or(|end| end != "sample")));
    }
    for name in ["config", "config.worktree"] {
        let path = git.join(name);
        let Ok(facts) = path.symlink_metadata() else { continue };
        let plain = facts.is_file() && facts.len() <= MAX_CONFIG;
        if !plain || std::fs::read(&path).is_ok_and(|text| starts_programs(&text)) {
            found.settings.push(path);
        }
    }
}

fn nested(folder: &Path, depth: usize, found: &mut Survey) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().take(100).filter(|entry| entry.path().is_dir()) {
        let path = entry.path();
        for name in ["hooks", "config", "config.worktree", "commondir", "gitdir"] {
            found.freeze.push(path.join(name));
        }
        if depth > 1 && !path.join("HEAD").exists() {
            nested(&path, depth - 1, found);
        }
    }
}
