//! The path gate: opens and resolves names beneath one directory descriptor, never through a link at open.
//!
//! Links are resolved once, by name, in [`Door::resolve`]; what it returns holds no link. Every later open
//! refuses links altogether, so the path that policy judged is the path that is opened.

use super::WorkspaceError;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, open, openat, readlinkat, statat};
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Links followed in one path before it counts as a loop, as in the kernel.
const MAX_LINKS: usize = 40;

/// Flags of a directory that is only walked through.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Flags of a file that is read: never waits for a FIFO's writer, never becomes a terminal's owner.
const LOOK: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A directory descriptor and the names it goes by.
#[derive(Debug)]
pub(super) struct Door {
    root: OwnedFd,
    /// Canonical and as it was given, both absolute: what an absolute path may begin with.
    names: [PathBuf; 2],
    /// Whether the kernel resolves beneath a descriptor by itself.
    kernel: bool,
}

impl Door {
    /// Opens the root, once.
    pub(super) fn open(canonical: &Path, given: &Path) -> Result<Self, Errno> {
        let root = open(canonical, STEP.difference(OFlags::NOFOLLOW), Mode::empty())?;
        let kernel = kernel_resolves(&root);
        Ok(Self { root, names: [canonical.to_owned(), given.to_owned()], kernel })
    }

    /// The same door without the kernel's help: the walk that other systems use.
    #[cfg(test)]
    pub(super) fn without_kernel(self) -> Self {
        Self { kernel: false, ..self }
    }

    /// What is left of an absolute path below the root; `None` when it is not below it.
    pub(super) fn below(&self, absolute: &Path) -> Option<PathBuf> {
        self.names.iter().find_map(|name| absolute.strip_prefix(name).ok().map(Path::to_owned))
    }

    /// Resolves every link in a normal relative path (no `.`, no `..`). Parts that do not exist stay as
    /// they are written. A link that leaves the root is `Outside`, even when its target is missing.
    pub(super) fn resolve(&self, written: &str) -> Result<String, WorkspaceError> {
        if self.kernel && !self.meets_link(written) {
            return Ok(written.to_owned());
        }
        let outside = || WorkspaceError::Outside(written.to_owned());
        let mut todo: VecDeque<String> = parts(written).map(str::to_owned).collect();
        let mut done: Vec<String> = Vec::new();
        let mut dirs: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(part) = todo.pop_front() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    done.pop().ok_or_else(outside)?;
                    dirs.truncate(done.len());
                    continue;
                }
                _ => {}
            }
            // Below something missing or something that is no directory there is nothing to resolve.
            if dirs.len() < done.len() {
                done.push(part);
                continue;
            }
            let dir = dirs.last().unwrap_or(&self.root);
            match kind_of(dir, &part) {
                Some(FileType::Symlink) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(WorkspaceError::NotRegular(written.to_owned(), "a loop of links"));
                    }
                    let target = readlinkat(dir, part.as_str(), Vec::new())
                        .map_err(|errno| failed(written, errno))?
                        .into_string()
                        .map_err(|_| outside())?;
                    let target = if target.starts_with('/') {
                        done.clear();
                        dirs.clear();
                        let below = self.below(Path::new(&target)).ok_or_else(outside)?;
                        below.to_str().ok_or_else(outside)?.to_owned()
                    } else {
                        target
                    };
                    for part in target.split('/').rev() {
                        todo.push_front(part.to_owned());
                    }
                }
                Some(FileType::Directory) => {
                    // A directory that may not be entered is left for the open to complain about.
                    if let Ok(next) = openat(dir, part.as_str(), STEP, Mode::empty()) {
                        dirs.push(next);
                    }
                    done.push(part);
                }
                _ => done.push(part),
            }
        }
        Ok(if done.is_empty() { ".".into() } else { done.join("/") })
    }

    /// Opens a directory whose path holds no links.
    pub(super) fn directory(&self, path: &str) -> Result<OwnedFd, Errno> {
        if self.kernel {
            return open_beneath(&self.root, path, STEP);
        }
        let mut dir = openat(&self.root, ".", STEP, Mode::empty())?;
        for part in parts(path) {
            dir = openat(&dir, part, STEP, Mode::empty())?;
        }
        Ok(dir)
    }

    /// Opens a directory, making what is missing of it. Returns the descriptor and what was made, outermost
    /// first, each as its parent and its name.
    pub(super) fn make_directory(&self, path: &str) -> Result<(OwnedFd, Vec<(OwnedFd, String)>), Errno> {
        match self.directory(path) {
            Err(Errno::NOENT) => {}
            found => return found.map(|dir| (dir, Vec::new())),
        }
        let mut made = Vec::new();
        let mut dir = openat(&self.root, ".", STEP, Mode::empty())?;
        for part in parts(path) {
            let next = match openat(&dir, part, STEP, Mode::empty()) {
                Err(Errno::NOENT) => {
                    rustix::fs::mkdirat(&dir, part, Mode::from_raw_mode(0o777))?;
                    let next = openat(&dir, part, STEP, Mode::empty())?;
                    made.push((std::mem::replace(&mut dir, next), part.to_owned()));
                    continue;
                }
                found => found?,
            };
            dir = next;
        }
        Ok((dir, made))
    }

    /// The directory a path lies in, opened, and its last name. The root itself is `.` in itself.
    pub(super) fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str), Errno> {
        let (parent, name) = split(path);
        Ok((self.directory(parent)?, name))
    }

    /// The names in a directory whose path holds no links; those that are not UTF-8 are left out.
    pub(super) fn names(&self, path: &str) -> Result<Vec<String>, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(self.directory(path)?, ".", flags, Mode::empty())?;
        let entries = rustix::fs::Dir::new(dir)?.flatten();
        let names = entries.filter_map(|entry| entry.file_name().to_str().ok().map(str::to_owned));
        Ok(names.filter(|name| !matches!(name.as_str(), "." | "..")).collect())
    }

    /// What the system knows of a path; a link is itself.
    pub(super) fn stat(&self, path: &str) -> Result<Stat, Errno> {
        let (dir, name) = self.parent(path)?;
        statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// Opens a regular file for reading. Anything else is refused before it is opened, and once more
    /// after, should it have been swapped in between; no open waits.
    pub(super) fn file(&self, path: &str) -> Result<(File, Stat), WorkspaceError> {
        if self.names[0] == Path::new("/") && matches!(parts(path).next(), Some("proc" | "sys" | "dev")) {
            return Err(WorkspaceError::NotRegular(path.to_owned(), "a file of the system"));
        }
        let (dir, name) = self.parent(path).map_err(|errno| failed(path, errno))?;
        let before = statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|errno| failed(path, errno))?;
        must_be_regular(path, &before)?;
        let file = openat(&dir, name, LOOK, Mode::empty()).map_err(|errno| failed(path, errno))?;
        let stat = fstat(&file).map_err(|errno| failed(path, errno))?;
        must_be_regular(path, &stat)?;
        Ok((File::from(file), stat))
    }

    /// Whether the kernel meets a link on the way. Only what holds none can be taken as it is written.
    fn meets_link(&self, written: &str) -> bool {
        #[cfg(target_os = "linux")]
        return !matches!(
            open_beneath(&self.root, written, OFlags::PATH.union(OFlags::CLOEXEC)),
            // Neither of these is reported before every part up to there was seen to be no link.
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR)
        );
        #[cfg(not(target_os = "linux"))]
        return !written.is_empty();
    }
}

/// Directory and last name of a normal relative path.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or((".", path))
}

/// What kind of thing `stat` is about.
pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Refuses everything but a regular file.
pub(super) fn must_be_regular(path: &str, stat: &Stat) -> Result<(), WorkspaceError> {
    let what = match file_type(stat) {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Symlink => "a link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "of an unknown kind",
    };
    Err(WorkspaceError::NotRegular(path.to_owned(), what))
}

/// The system's word as ours.
pub(super) fn failed(path: &str, errno: Errno) -> WorkspaceError {
    match errno {
        Errno::NOENT | Errno::NOTDIR => WorkspaceError::Missing(path.to_owned()),
        Errno::LOOP => WorkspaceError::NotRegular(path.to_owned(), "behind a link that appeared just now"),
        Errno::XDEV => WorkspaceError::Outside(path.to_owned()),
        _ => WorkspaceError::Io { path: path.to_owned(), source: errno.into() },
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

fn kind_of(dir: impl AsFd, name: &str) -> Option<FileType> {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).ok().map(|stat| file_type(&stat))
}

#[cfg(target_os = "linux")]
fn open_beneath(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
    openat2(root, path, flags.difference(OFlags::NOFOLLOW), Mode::empty(), how)
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(root: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    openat(root, path, flags, Mode::empty())
}

fn kernel_resolves(root: &OwnedFd) -> bool {
    cfg!(target_os = "linux") && open_beneath(root, ".", STEP).is_ok()
}
