//! What mounts cannot hold: settings that a command creates for the first time, and, without mounts, changed
//! hooks. Compared before and after; what should not be there is put aside, never deleted.

use crate::policy::paths::is_protected;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Files below `.git` that decide what git runs.
const DECIDING: [&str; 5] =
    ["config", "config.worktree", "commondir", "info/attributes", "objects/info/alternates"];
/// Words of a new repository's config that start programs.
const STARTING: [&str; 12] = [
    "fsmonitor",
    "hookspath",
    "sshcommand",
    "pager",
    "editor",
    "[alias",
    "[filter",
    "[diff",
    "[merge",
    "[include",
    "[credential",
    "askpass",
];
/// A hook or config larger than this is not restored, only put aside.
const MAX_FILE: u64 = 256 * 1024;
/// Hooks looked at.
const MAX_HOOKS: usize = 100;

/// A look at the root before a command, compared when it has ended; also when it was dropped half way.
pub(super) struct Firsts {
    root: PathBuf,
    aside: PathBuf,
    /// Settings of agents at the root.
    settings: Vec<String>,
    /// Whether there was a repository.
    repository: bool,
    /// Contents of deciding files and hooks, relative to `.git`.
    contents: BTreeMap<PathBuf, Vec<u8>>,
    settled: bool,
}

impl Firsts {
    /// Looks. What is put aside goes below `aside`.
    pub(super) fn note(root: &Path, aside: &Path) -> Self {
        let git = root.join(".git");
        Self {
            root: root.to_owned(),
            aside: aside.to_owned(),
            settings: settings(root),
            repository: git.exists(),
            contents: if git.is_dir() { contents(&git) } else { BTreeMap::new() },
            settled: false,
        }
    }

    /// Compares, puts aside and restores. One sentence for each.
    pub(super) fn settle(mut self) -> Vec<String> {
        self.compare()
    }

    fn compare(&mut self) -> Vec<String> {
        self.settled = true;
        let mut told = Vec::new();
        for name in settings(&self.root) {
            if !self.settings.contains(&name) {
                told.push(self.put_aside(&self.root.join(&name), &name));
            }
        }
        let git = self.root.join(".git");
        if !git.is_dir() {
            return told;
        }
        let now = contents(&git);
        for (path, text) in &now {
            let name = format!(".git/{}", path.display());
            let full = git.join(path);
            match self.contents.get(path) {
                Some(before) if before == text => {}
                Some(before) => {
                    told.push(self.put_aside(&full, &name));
                    restore(&full, before);
                }
                // A new repository has a config of its own, which is fine while it starts nothing.
                None if !self.repository && path == Path::new("config") && !starts_programs(text) => {}
                None => told.push(self.put_aside(&full, &name)),
            }
        }
        for (path, before) in self.contents.iter().filter(|(path, _)| !now.contains_key(*path)) {
            restore(&git.join(path), before);
            told.push(format!(
                "settings: .git/{} was removed by the command and has been restored",
                path.display()
            ));
        }
        told
    }

    fn put_aside(&self, path: &Path, name: &str) -> String {
        let target = self.aside.join(format!("{}-{}", uuid::Uuid::now_v7(), name.replace('/', "_")));
        let moved = crate::sandbox::capture::make_private_dir(&self.aside).and_then(|()| {
            #[allow(
                clippy::disallowed_methods,
                reason = "undoes what a command did behind the workspace's door"
            )]
            std::fs::rename(path, &target)
        });
        if moved.is_ok() {
            return format!(
                "settings: {name} was written by the command and has been put aside in {}",
                target.display()
            );
        }
        // Another file system: what cannot be moved must still not stay.
        #[allow(clippy::disallowed_methods, reason = "undoes what a command did behind the workspace's door")]
        let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        match removed {
            Ok(()) => format!("settings: {name} was written by the command and has been removed"),
            Err(error) => {
                format!("settings: {name} was written by the command and cannot be removed: {error}")
            }
        }
    }
}

impl Drop for Firsts {
    fn drop(&mut self) {
        if !self.settled {
            self.compare();
        }
    }
}

/// Names at the root that are never written, the repository aside.
fn settings(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".git" && is_protected(name)).collect()
}

fn contents(git: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let hooks = std::fs::read_dir(git.join("hooks")).into_iter().flatten().flatten();
    let hooks = hooks.map(|entry| Path::new("hooks").join(entry.file_name()));
    let hooks = hooks.filter(|path| path.extension().is_none_or(|end| end != "sample")).take(MAX_HOOKS);
    let paths = DECIDING.iter().map(PathBuf::from).chain(hooks);
    paths.filter_map(|path| Some((path.clone(), read(&git.join(&path))?))).collect()
}

/// A regular file or a link, as bytes to compare; a file that is too large counts by its size.
fn read(path: &Path) -> Option<Vec<u8>> {
    let facts = std::fs::symlink_metadata(path).ok()?;
    if facts.is_symlink() {
        return Some(format!("link to {}", std::fs::read_link(path).ok()?.display()).into_bytes());
    }
    if !facts.is_file() || facts.len() > MAX_FILE {
        return Some(format!("{:?} of {} bytes", facts.file_type(), facts.len()).into_bytes());
    }
    std::fs::read(path).ok()
}

fn restore(path: &Path, text: &[u8]) {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let is_hook = path.parent().is_some_and(|folder| folder.ends_with("hooks"));
    if let Some(folder) = path.parent() {
        // Without its folder the file below fails too, and is told as missing by git itself.
        let _ = std::fs::create_dir_all(folder);
    }
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    if let Ok(mut file) = opened {
        // A half written file is worse than none, but nothing more can be done here.
        let _ = std::io::Write::write_all(&mut file, text);
        if is_hook {
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o755));
        }
    }
}

fn starts_programs(config: &[u8]) -> bool {
    let text = String::from_utf8_lossy(config).to_lowercase();
    STARTING.iter().any(|word| text.contains(word))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use super::*;

    fn stage(git: bool) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir_all(&root).unwrap();
        if git {
            std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
            std::fs::write(root.join(".git/config"), "[core]\n").unwrap();
            std::fs::write(root.join(".git/hooks/pre-commit"), "old").unwrap();
        }
        (folder, root)
    }

    #[test]
    fn puts_first_creations_aside() {
        let (folder, root) = stage(true);
        let firsts = Firsts::note(&root, &folder.path().join("aside"));
        std::fs::create_dir(root.join(".claude")).unwrap();
        std::fs::write(root.join(".git/commondir"), "/evil").unwrap();
        std::fs::write(root.join(".git/hooks/post-checkout"), "evil").unwrap();
        std::fs::write(root.join("fine.txt"), "x").unwrap();
        let told = firsts.settle();
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(!root.join(".claude").exists() && !root.join(".git/commondir").exists());
        assert!(!root.join(".git/hooks/post-checkout").exists());
        assert!(root.join("fine.txt").exists() && root.join(".git/hooks/pre-commit").exists());
        assert_eq!(std::fs::read_dir(folder.path().join("aside")).unwrap().count(), 3);
    }

    #[test]
    fn restores_what_was_changed_or_removed() {
        let (folder, root) = stage(true);
        let firsts = Firsts::note(&root, &folder.path().join("aside"));
        std::fs::write(root.join(".git/config"), "[core]\nfsmonitor = evil\n").unwrap();
        std::fs::remove_file(root.join(".git/hooks/pre-commit")).unwrap();
        assert_eq!(firsts.settle().len(), 2);
        assert_eq!(std::fs::read_to_string(root.join(".git/config")).unwrap(), "[core]\n");
        assert_eq!(std::fs::read_to_string(root.join(".git/hooks/pre-commit")).unwrap(), "old");
    }

    #[test]
    fn lets_a_new_repository_be_while_it_starts_nothing() {
        let (folder, root) = stage(false);
        let firsts = Firsts::note(&root, &folder.path().join("aside"));
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        std::fs::write(root.join(".git/config"), "[core]\n\tbare = false\n").unwrap();
        std::fs::write(root.join(".git/hooks/pre-commit.sample"), "x").unwrap();
        assert_eq!(firsts.settle(), Vec::<String>::new());
        let (folder, root) = stage(false);
        let firsts = Firsts::note(&root, &folder.path().join("aside"));
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        std::fs::write(root.join(".git/config"), "[core]\n\tfsmonitor = ./evil\n").unwrap();
        std::fs::write(root.join(".git/hooks/pre-commit"), "x").unwrap();
        assert_eq!(firsts.settle().len(), 2);
    }
}
