//! A look at the workspace before each command: secrets to blank, repositories and settings to protect.

use crate::policy::paths::{Class, class};
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
    /// Entries were left unseen.
    pub(super) cut: bool,
}

/// Entries looked at; larger trees are cut, which is told.
const MAX_ENTRIES: usize = 50_000;
/// Levels looked at.
const MAX_DEPTH: usize = 12;
/// Made by tools, large, and without secrets of the project.
const SKIPPED: [&str; 11] = [
    "node_modules", "target", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache", ".gradle", "vendor",
    ".next", "site-packages",
];
/// Settings of this and other agents and editors at the root: each can start programs.
const SETTINGS: [&str; 10] = [
    ".agent", ".claude", ".codex", ".cursor", ".gemini", ".opencode", ".mcp.json", ".vscode", ".idea", ".envrc",
];

/// Looks.
pub(super) fn look(root: &Path) -> Survey {
    let mut found = Survey::default();
    found.freeze.extend(SETTINGS.iter().map(|name| root.join(name)).filter(|path| path.exists()));
    let mut budget = MAX_ENTRIES;
    walk(root, "", 0, &mut budget, &mut found);
    found
}

fn walk(folder: &Path, relative: &str, depth: usize, budget: &mut usize, found: &mut Survey) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if *budget == 0 {
            found.cut = true;
            return;
        }
        *budget -= 1;
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        if name == ".git" {
            repository(&path, kind.is_dir(), found);
            continue;
        }
        let below = if relative.is_empty() { name.to_string() } else { format!("{relative}/{name}") };
        if kind.is_dir() {
            if SKIPPED.contains(&&*name) {
                continue;
            }
            if depth < MAX_DEPTH {
                walk(&path, &below, depth + 1, budget, found);
            } else {
                found.cut = true;
            }
        } else if class(&below) == Class::Secret {
            found.secrets.push(path);
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
