//! All the changes or none of them: verify, stage beside the target, rename, take back what failed.

use super::{MAX_FILE, Workspace, WorkspaceError, door};
use crate::action::Change;
use crate::policy::paths::{Class, class};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, Stat, fchmod, fchown, fsync, linkat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;

/// One file's part in the whole. A move is a removal and a creation.
struct Step<'a> {
    /// Resolved path.
    path: String,
    /// What must be there; `None` when nothing may be.
    before: Option<&'a str>,
    /// What will be there; `None` when nothing will.
    after: Option<&'a str>,
    /// The file whose mode and owner the new one takes.
    like: Option<Stat>,
    /// Whether it is where the step before it moves to, and takes mode and owner from there.
    moved: bool,
    /// What was there when it was verified.
    found: Option<Stat>,
}

/// A step whose new content lies ready, and how far it has come.
struct Staged<'a> {
    step: Step<'a>,
    dir: OwnedFd,
    name: String,
    temporary: Option<String>,
    backup: Option<String>,
    done: bool,
}

/// Folders made for the steps, outermost first: parent and name.
type Made = Vec<(OwnedFd, String)>;

pub(super) fn apply(workspace: &Workspace, changes: &[Change]) -> Result<(), WorkspaceError> {
    let mut steps = steps(workspace, changes)?;
    for step in &mut steps {
        verify(workspace, step)?;
    }
    for at in 1..steps.len() {
        if steps[at].moved {
            steps[at].like = steps[at - 1].found;
        }
    }
    let mut staged = Vec::with_capacity(steps.len());
    let mut made = Made::new();
    let result = stage_all(workspace, steps, &mut staged, &mut made)
        .and_then(|()| staged.iter_mut().try_for_each(commit));
    match result {
        Ok(()) => {
            finish(&staged);
            Ok(())
        }
        Err(error) => {
            take_back(&staged, &made);
            Err(error)
        }
    }
}

fn steps<'a>(workspace: &Workspace, changes: &'a [Change]) -> Result<Vec<Step<'a>>, WorkspaceError> {
    let mut steps = Vec::with_capacity(changes.len());
    let mut named = HashSet::new();
    for change in changes {
        let path = resolve(workspace, &change.path)?;
        let from = change.moved_from.as_deref().map(|from| resolve(workspace, from)).transpose()?;
        let before = change.before.as_deref();
        let after = change.after.as_deref();
        if after.is_some_and(|text| text.len() as u64 > MAX_FILE) {
            let size = after.map_or(0, str::len) as u64;
            return Err(WorkspaceError::TooLarge(path, size, MAX_FILE));
        }
        let step = |path, before, after, moved| Step { path, before, after, like: None, moved, found: None };
        match from {
            Some(from) if from != path => {
                steps.push(step(from, before, None, false));
                steps.push(step(path, None, after, true));
            }
            _ => steps.push(step(path, before, after, false)),
        }
    }
    for step in &steps {
        if !named.insert(step.path.clone()) {
            return Err(WorkspaceError::Twice(step.path.clone()));
        }
    }
    Ok(steps)
}

/// The real path of a change. Policy judged the name in the change: a link may lead to another plain file,
/// not to one that policy would have judged otherwise.
fn resolve(workspace: &Workspace, written: &str) -> Result<String, WorkspaceError> {
    let real = workspace.place(written)?.relative;
    if real != written && class(&real) != Class::Plain && class(&real) != class(written) {
        return Err(WorkspaceError::Linked(written.to_owned(), real));
    }
    if real == "." {
        return Err(WorkspaceError::NotRegular(written.to_owned(), "a directory"));
    }
    Ok(real)
}

fn verify(workspace: &Workspace, step: &mut Step<'_>) -> Result<(), WorkspaceError> {
    match (workspace.read_with_stat(&step.path), step.before) {
        (Ok((content, stat)), Some(before)) if content.bytes == before.as_bytes() => {
            step.found = Some(stat);
            step.like = Some(stat);
            Ok(())
        }
        (Err(WorkspaceError::Missing(_)), None) => Ok(()),
        (Ok(_), _) | (Err(WorkspaceError::Missing(_)), Some(_)) => {
            Err(WorkspaceError::Stale(step.path.clone()))
        }
        (Err(error), _) => Err(error),
    }
}

fn stage_all<'a>(
    workspace: &Workspace,
    steps: Vec<Step<'a>>,
    staged: &mut Vec<Staged<'a>>,
    made: &mut Made,
) -> Result<(), WorkspaceError> {
    for step in steps {
        let (parent, name) = door::split(&step.path);
        let io = |errno: Errno| match errno {
            Errno::NOTDIR => WorkspaceError::NotRegular(parent.to_owned(), "not a directory"),
            _ => door::failed(&step.path, errno),
        };
        let (dir, new) = workspace.door.make_directory(parent).map_err(io)?;
        made.extend(new);
        let name = name.to_owned();
        staged.push(Staged { step, dir, name, temporary: None, backup: None, done: false });
        if let Some(last) = staged.last_mut() {
            stage(last)?;
        }
    }
    Ok(())
}

/// Writes the new content beside its target, with the target's mode, down to the disk.
fn stage(staged: &mut Staged<'_>) -> Result<(), WorkspaceError> {
    let Some(after) = staged.step.after else { return Ok(()) };
    let name = fresh_name();
    let written = write_beside(&staged.dir, &name, after.as_bytes(), staged.step.like.as_ref());
    staged.temporary = Some(name);
    written.map_err(|source| WorkspaceError::Io { path: staged.step.path.clone(), source })
}

fn write_beside(dir: &OwnedFd, name: &str, bytes: &[u8], like: Option<&Stat>) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A new file gets what the user's mask leaves; one that replaces another is private until it has its mode.
    let mode = Mode::from_raw_mode(if like.is_some() { 0o600 } else { 0o666 });
    let mut file = File::from(openat(dir, name, flags, mode)?);
    file.write_all(bytes)?;
    if let Some(like) = like {
        // Another owner's file can be replaced without the right to give the new one away.
        let _ = fchown(
            &file,
            Some(rustix::fs::Uid::from_raw(like.st_uid)),
            Some(rustix::fs::Gid::from_raw(like.st_gid)),
        );
        fchmod(&file, Mode::from_raw_mode(like.st_mode & 0o777))?;
    }
    file.sync_all()
}

/// Puts one staged step in place.
fn commit(staged: &mut Staged<'_>) -> Result<(), WorkspaceError> {
    let path = staged.step.path.clone();
    let failed = |errno| door::failed(&path, errno);
    if staged.step.found.is_some() {
        back_up(staged)?;
    }
    match (&staged.temporary, staged.step.found) {
        (Some(temporary), Some(_)) => {
            renameat(&staged.dir, temporary.as_str(), &staged.dir, staged.name.as_str()).map_err(failed)?;
        }
        (Some(temporary), None) => {
            rename_to_nothing(&staged.dir, temporary, &staged.name).map_err(|errno| match errno {
                Errno::EXIST | Errno::ISDIR | Errno::NOTEMPTY => WorkspaceError::Stale(path.clone()),
                errno => failed(errno),
            })?;
        }
        (None, Some(_)) => {
            unlinkat(&staged.dir, staged.name.as_str(), AtFlags::empty()).map_err(failed)?;
        }
        (None, None) => {}
    }
    staged.temporary = None;
    staged.done = true;
    Ok(())
}

/// Gives the old file a second name, and makes sure that it is still the one that was verified.
fn back_up(staged: &mut Staged<'_>) -> Result<(), WorkspaceError> {
    let name = fresh_name();
    let (dir, old) = (&staged.dir, staged.name.as_str());
    let linked = linkat(dir, old, dir, name.as_str(), AtFlags::empty());
    let look_at = if linked.is_ok() { name.as_str() } else { old };
    let now = statat(dir, look_at, AtFlags::SYMLINK_NOFOLLOW);
    let same = now.is_ok_and(|now| staged.step.found.is_some_and(|then| is_same(&now, &then)));
    let written = if linked.is_err() && same {
        // No hard links here: a copy does.
        let before = staged.step.before.unwrap_or_default();
        write_beside(dir, &name, before.as_bytes(), staged.step.like.as_ref())
    } else {
        Ok(())
    };
    staged.backup = Some(name);
    written.map_err(|source| WorkspaceError::Io { path: staged.step.path.clone(), source })?;
    if same { Ok(()) } else { Err(WorkspaceError::Stale(staged.step.path.clone())) }
}

fn is_same(now: &Stat, then: &Stat) -> bool {
    (now.st_dev, now.st_ino, now.st_size, now.st_mtime, now.st_mtime_nsec)
        == (then.st_dev, then.st_ino, then.st_size, then.st_mtime, then.st_mtime_nsec)
}

/// Renames only when nothing has that name.
fn rename_to_nothing(dir: &OwnedFd, from: &str, to: &str) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    match rustix::fs::renameat_with(dir, from, dir, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        done => return done,
    }
    if statat(dir, to, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(Errno::EXIST);
    }
    renameat(dir, from, dir, to)
}

/// Makes the renames last, and lets the old files go. Nothing here can undo what is done, so nothing fails.
fn finish(staged: &[Staged<'_>]) {
    for one in staged {
        if let Some(backup) = &one.backup {
            let _ = unlinkat(&one.dir, backup.as_str(), AtFlags::empty());
        }
        sync(&one.dir);
    }
}

/// Undoes the steps that were made, last first, and removes what was laid ready.
fn take_back(staged: &[Staged<'_>], made: &Made) {
    for one in staged.iter().rev() {
        match (&one.backup, one.done) {
            (Some(backup), true) => {
                let _ = renameat(&one.dir, backup.as_str(), &one.dir, one.name.as_str());
            }
            (Some(backup), false) => {
                let _ = unlinkat(&one.dir, backup.as_str(), AtFlags::empty());
            }
            (None, true) if one.step.after.is_some() => {
                let _ = unlinkat(&one.dir, one.name.as_str(), AtFlags::empty());
            }
            (None, _) => {}
        }
        if let Some(temporary) = &one.temporary {
            let _ = unlinkat(&one.dir, temporary.as_str(), AtFlags::empty());
        }
        sync(&one.dir);
    }
    for (parent, name) in made.iter().rev() {
        let _ = unlinkat(parent, name.as_str(), AtFlags::REMOVEDIR);
    }
}

/// Some file systems cannot sync a directory; there the rename is as lasting as it gets.
fn sync(dir: &OwnedFd) {
    if let Ok(dir) = openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = fsync(dir);
    }
}

fn fresh_name() -> String {
    format!(".agent-{}.tmp", uuid::Uuid::now_v7().simple())
}
