//! What mounts cannot hold: settings that a command creates for the first time, and, without mounts, changed
//! hooks. Compared before and after; what should not be there is put aside, never deleted.

use super::survey::{self, EDITORS, Survey};
use crate::policy::paths::is_protected;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
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

/// Folders below `.git` that those files and the hooks lie in; a link in their place is a change of its own.
const FOLDERS: [&str; 4] = ["hooks", "info", "objects", "objects/info"];

/// A look at the root before a command, compared when it has ended; also when it was dropped half way.
///
/// Runs outside the walls on what a command left, so it follows no link: every folder is opened by the kernel
/// without links, and files are read, moved and written relative to it.
pub(super) struct Firsts {
    root: PathBuf,
    aside: PathBuf,
    /// Settings of agents at the root.
    settings: Vec<String>,
    /// Device and number of the repository's folder, when there was one.
    repository: Option<(u64, u64)>,
    /// Whether `.git` was anything at all.
    had_git: bool,
    /// Contents of deciding files, hooks and links, relative to `.git`.
    contents: BTreeMap<PathBuf, Vec<u8>>,
    /// Settings below the root; absent where not everything was seen.
    below: Option<Vec<PathBuf>>,
    settled: bool,
}

impl Firsts {
    /// Looks. What is put aside goes below `aside`.
    pub(super) fn note(root: &Path, aside: &Path, seen: &Survey) -> Self {
        let git = open_folder(root, Path::new(".git"));
        Self {
            root: root.to_owned(),
            aside: aside.to_owned(),
            settings: settings(root),
            repository: git.as_ref().and_then(identity),
            had_git: root.join(".git").symlink_metadata().is_ok(),
            contents: if git.is_some() { contents(root) } else { BTreeMap::new() },
            below: (!seen.cut).then(|| seen.settings.clone()),
            settled: false,
        }
    }

    /// Compares, puts aside and restores. One sentence for each.
    pub(super) fn settle(mut self) -> Vec<String> {
        self.compare()
    }

    fn compare(&mut self) -> Vec<String> {
        self.settled = true;
        let mut told = self.compare_below();
        for name in settings(&self.root) {
            if !self.settings.contains(&name) {
                told.push(self.put_aside(Path::new(&name)));
            }
        }
        let git = open_folder(&self.root, Path::new(".git"));
        let Some(git) = git else {
            let is_there = self.root.join(".git").symlink_metadata().is_ok();
            if is_there && (!self.had_git || self.repository.is_some()) {
                // A link or a pointer file: git would obey a configuration somewhere else.
                told.push(self.put_aside(Path::new(".git")));
            } else if !is_there && self.had_git {
                told.push("settings: .git is gone; the command moved or removed it".into());
            }
            return told;
        };
        if self.repository.is_some() && self.repository != identity(&git) {
            told.push("settings: .git was replaced by the command; look at it before you use git".into());
            return told;
        }
        let now = contents(&self.root);
        for (path, text) in &now {
            match self.contents.get(path) {
                Some(before) if before == text => {}
                Some(before) => {
                    told.push(self.put_aside(&Path::new(".git").join(path)));
                    self.restore(path, before);
                }
                // A new repository has a config of its own, which is fine while it starts nothing.
                None if self.repository.is_none()
                    && path == Path::new("config")
                    && !starts_programs(text) => {}
                None => told.push(self.put_aside(&Path::new(".git").join(path))),
            }
        }
        for (path, before) in self.contents.iter().filter(|(path, _)| !now.contains_key(*path)) {
            self.restore(path, before);
            told.push(format!(
                "settings: .git/{} was removed by the command and has been restored",
                path.display()
            ));
        }
        told
    }

    /// Settings that a command created in folders below the root.
    fn compare_below(&self) -> Vec<String> {
        let Some(before) = &self.below else { return Vec::new() };
        let now = survey::look(&self.root).settings;
        let fresh = now.iter().filter(|path| !before.contains(path)).take(MAX_HOOKS);
        fresh.filter_map(|path| Some(self.put_aside(path.strip_prefix(&self.root).ok()?))).collect()
    }

    /// Moves what is at `path` (relative to the root) away, a link as the link it is.
    fn put_aside(&self, path: &Path) -> String {
        let shown = path.display();
        let name = path.file_name().unwrap_or_default();
        let target = format!("{}-{}", uuid::Uuid::now_v7(), path.to_string_lossy().replace('/', "_"));
        let moved = crate::sandbox::capture::make_private_dir(&self.aside).ok().and_then(|()| {
            let from = open_folder(&self.root, path.parent().unwrap_or(Path::new("")))?;
            let to = fs::open(&self.aside, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
            fs::renameat(&from, name, &to, &target).ok()
        });
        if moved.is_some() {
            let place = self.aside.join(&target);
            return format!(
                "settings: {shown} was written by the command and has been put aside in {}",
                place.display()
            );
        }
        // Another file system: what cannot be moved must still not be obeyed, so it gets another name.
        let renamed = open_folder(&self.root, path.parent().unwrap_or(Path::new("")))
            .and_then(|folder| fs::renameat(&folder, name, &folder, format!("put-aside-{target}")).ok());
        match renamed {
            Some(()) => format!("settings: {shown} was written by the command and is now put-aside-{target}"),
            None => {
                format!("settings: {shown} was written by the command and cannot be put aside; remove it")
            }
        }
    }

    fn restore(&self, path: &Path, text: &[u8]) {
        let is_hook = path.starts_with("hooks");
        let parent = Path::new(".git").join(path.parent().unwrap_or(Path::new("")));
        if let (None, Some(git)) =
            (open_folder(&self.root, &parent), open_folder(&self.root, Path::new(".git")))
        {
            let _ = fs::mkdirat(&git, path.parent().unwrap_or(Path::new("")), Mode::from_raw_mode(0o755));
        }
        let Some(folder) = open_folder(&self.root, &parent) else { return };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(if is_hook { 0o755 } else { 0o644 });
        let name = path.file_name().unwrap_or_default();
        if let Ok(file) = fs::openat(&folder, name, flags, mode) {
            // Nothing more can be done when even this fails; what was written before is put aside already.
            let _ = std::fs::File::from(file).write_all(text);
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

/// A folder below the root, reached without any link.
fn open_folder(root: &Path, path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = fs::open(root, flags, Mode::empty()).ok()?;
    if path.as_os_str().is_empty() {
        return Some(root);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    fs::openat2(&root, path, flags | OFlags::NOFOLLOW, Mode::empty(), resolve).ok()
}

fn identity(folder: &OwnedFd) -> Option<(u64, u64)> {
    let facts = fs::fstat(folder).ok()?;
    Some((facts.st_dev, facts.st_ino))
}

/// Names at the root that are never written, the repository aside.
fn settings(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name != ".git" && (is_protected(name) || EDITORS.contains(&name.as_str()))).collect()
}

fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut paths: Vec<PathBuf> = DECIDING.iter().chain(&FOLDERS).map(PathBuf::from).collect();
    if let Some(Ok(hooks)) = open_folder(root, Path::new(".git/hooks")).map(fs::Dir::read_from) {
        let names = hooks.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let names = names.filter(|name| name != "." && name != ".." && !name.ends_with(".sample"));
        paths.extend(names.take(MAX_HOOKS).map(|name| Path::new("hooks").join(name)));
    }
    paths
        .into_iter()
        .filter_map(|path| {
            let folder = open_folder(root, &Path::new(".git").join(path.parent()?))?;
            let text =
                read(&folder, path.file_name()?, FOLDERS.iter().any(|folder| path == Path::new(folder)))?;
            Some((path, text))
        })
        .collect()
}

/// A regular file or a link, as bytes to compare; anything else counts by its kind and size, a folder where one
/// belongs not at all.
fn read(folder: &OwnedFd, name: &OsStr, may_be_folder: bool) -> Option<Vec<u8>> {
    let facts = fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    let size = u64::try_from(facts.st_size).unwrap_or(u64::MAX);
    match FileType::from_raw_mode(facts.st_mode) {
        FileType::Directory if may_be_folder => None,
        FileType::Symlink => {
            let target = fs::readlinkat(folder, name, Vec::new()).ok()?;
            Some([b"link to ", target.as_bytes()].concat())
        }
        FileType::RegularFile if size <= MAX_FILE => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = fs::openat(folder, name, flags, Mode::empty()).ok()?;
            let mut text = Vec::new();
            std::fs::File::from(file).take(MAX_FILE).read_to_end(&mut text).ok()?;
            Some(text)
        }
        other => Some(format!("{other:?} of {size} bytes").into_bytes()),
    }
}

pub(super) fn starts_programs(config: &[u8]) -> bool {
    let text = String::from_utf8_lossy(config).to_lowercase();
    text.starts_with("link to ") || STARTING.iter().any(|word| text.contains(word))
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
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
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
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        std::fs::write(root.join(".git/config"), "[core]\nfsmonitor = evil\n").unwrap();
        std::fs::remove_file(root.join(".git/hooks/pre-commit")).unwrap();
        assert_eq!(firsts.settle().len(), 2);
        assert_eq!(std::fs::read_to_string(root.join(".git/config")).unwrap(), "[core]\n");
        assert_eq!(std::fs::read_to_string(root.join(".git/hooks/pre-commit")).unwrap(), "old");
    }

    #[test]
    fn follows_no_link_that_a_command_left() {
        use std::os::unix::fs::symlink;
        let (folder, root) = stage(true);
        let private = folder.path().join("private");
        std::fs::create_dir(&private).unwrap();
        std::fs::write(private.join("config"), "mine").unwrap();
        std::fs::write(private.join("pre-commit"), "mine").unwrap();
        let is_whole = || {
            assert_eq!(std::fs::read_to_string(private.join("config")).unwrap(), "mine");
            assert_eq!(std::fs::read_to_string(private.join("pre-commit")).unwrap(), "mine");
            assert_eq!(std::fs::read_dir(&private).unwrap().count(), 2);
        };
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        std::fs::remove_dir_all(root.join(".git/hooks")).unwrap();
        symlink(&private, root.join(".git/hooks")).unwrap();
        assert!(!firsts.settle().is_empty());
        is_whole();
        assert!(root.join(".git/hooks").symlink_metadata().unwrap().is_dir());
        assert_eq!(std::fs::read_to_string(root.join(".git/hooks/pre-commit")).unwrap(), "old");
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        std::fs::rename(root.join(".git"), root.join("moved")).unwrap();
        symlink(&private, root.join(".git")).unwrap();
        assert!(!firsts.settle().is_empty());
        is_whole();
        assert!(root.join(".git").symlink_metadata().is_err());
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        std::fs::create_dir(root.join(".git")).unwrap();
        symlink(private.join("config"), root.join(".git/config")).unwrap();
        assert!(!firsts.settle().is_empty());
        is_whole();
    }

    #[test]
    fn puts_aside_what_appears_in_folders_below() {
        let (folder, root) = stage(true);
        for path in ["old/.claude", "old/.git/hooks", "made/deep"] {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        std::fs::write(root.join("old/.git/hooks/pre-commit"), "old").unwrap();
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        for path in
            ["made/.cursor", "made/deep/.agent", "new/.git/hooks", "new/src", "made/node_modules/x/.claude"]
        {
            std::fs::create_dir_all(root.join(path)).unwrap();
        }
        for (path, text) in [
            ("made/.envrc", "evil"),
            ("made/deep/.mcp.json", "{}"),
            ("new/.git/hooks/post-checkout", "evil"),
            ("new/.git/hooks/pre-push.sample", "x"),
            ("new/.git/config", "[core]\n\tfsmonitor = evil\n"),
            ("old/.git/hooks/post-merge", "evil"),
            ("new/src/.gitignore", "x"),
            ("old/.claude/kept", "x"),
        ] {
            std::fs::write(root.join(path), text).unwrap();
        }
        assert_eq!(firsts.settle().len(), 7);
        for path in [
            "made/.cursor",
            "made/deep/.agent",
            "made/.envrc",
            "made/deep/.mcp.json",
            "new/.git/config",
            "new/.git/hooks/post-checkout",
            "old/.git/hooks/post-merge",
        ] {
            assert!(root.join(path).symlink_metadata().is_err(), "{path}");
        }
        for path in [
            "old/.claude/kept",
            "old/.git/hooks/pre-commit",
            "new/src/.gitignore",
            "new/.git/hooks/pre-push.sample",
        ] {
            assert!(root.join(path).exists(), "{path}");
        }
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        assert_eq!(firsts.settle(), Vec::<String>::new(), "nothing new, nothing told");
    }

    #[test]
    fn lets_a_new_repository_be_while_it_starts_nothing() {
        let (folder, root) = stage(false);
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        std::fs::write(root.join(".git/config"), "[core]\n\tbare = false\n").unwrap();
        std::fs::write(root.join(".git/hooks/pre-commit.sample"), "x").unwrap();
        assert_eq!(firsts.settle(), Vec::<String>::new());
        let (folder, root) = stage(false);
        let firsts = Firsts::note(&root, &folder.path().join("aside"), &survey::look(&root));
        std::fs::create_dir_all(root.join(".git/hooks")).unwrap();
        std::fs::write(root.join(".git/config"), "[core]\n\tfsmonitor = ./evil\n").unwrap();
        std::fs::write(root.join(".git/hooks/pre-commit"), "x").unwrap();
        assert_eq!(firsts.settle().len(), 2);
    }
}
