//! All the changes or none of them: verify, stage beside the target, rename, take back what failed.

use super::{MAX_FILE, Workspace, WorkspaceError, door};
use crate::action::Change;
use crate::policy::paths::{Class, class};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, Stat, fchmod, fchown, fsync, linkat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::rc::Rc;

/// One file's part in the whole. A move is a removal and a creation.
struct Step<'a> {
    /// Resolved path.
    path: String,
    /// What must be there; `None` when nothing may be.
    before: Option<&'a [u8]>,
    /// What will be there; `None` when nothing will.
    after: Option<&'a [u8]>,
    /// Permission bits of the new file; those of `like` when absent.
    mode: Option<u32>,
    /// The file whose mode and owner the new one takes.
    like: Option<Stat>,
    /// Whether it is where the step before it moves to, and takes mode and owner from there.
    moved: bool,
    /// What was there when it was verified.
    found: Option<Stat>,
}

/// One file before and after, as bytes: what undo is made of.
pub(super) struct Replacement {
    /// Workspace-relative path, free of links.
    pub(super) path: String,
    /// What must be there; `None` when nothing may be.
    pub(super) before: Option<Vec<u8>>,
    /// What will be there; `None` when nothing will.
    pub(super) after: Option<Vec<u8>>,
    /// Permission bits of the new file; the old file's when absent.
    pub(super) mode: Option<u32>,
}

/// At this many new files the whole file system is synced once instead of each of them alone.
const MANY: usize = 32;

/// A step whose new content lies ready, and how far it has come.
struct Staged<'a> {
    step: Step<'a>,
    /// Shared by all steps in one folder.
    dir: Rc<OwnedFd>,
    name: String,
    temporary: Option<String>,
    backup: Option<String>,
    done: bool,
}

/// Folders made for the steps, outermost first: parent and name.
type Made = Vec<(OwnedFd, String)>;

pub(super) fn apply(workspace: &Workspace, changes: &[Change]) -> Result<(), WorkspaceError> {
    perform(workspace, steps(workspace, changes)?)
}

/// Makes all the replacements or none, by the same rules.
pub(super) fn replace(workspace: &Workspace, replacements: &[Replacement]) -> Result<(), WorkspaceError> {
    let mut steps = Vec::with_capacity(replacements.len());
    for one in replacements {
        let real = resolve(workspace, &one.path)?;
        if real != one.path {
            return Err(WorkspaceError::Linked(one.path.clone(), real));
        }
        let (before, after) = (one.before.as_deref(), one.after.as_deref());
        steps.push(Step { path: real, before, after, mode: one.mode, like: None, moved: false, found: None });
    }
    perform(workspace, steps)
}

fn perform(workspace: &Workspace, mut steps: Vec<Step<'_>>) -> Result<(), WorkspaceError> {
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
        let before = change.before.as_deref().map(str::as_bytes);
        let after = change.after.as_deref().map(str::as_bytes);
        if after.is_some_and(|text| text.len() as u64 > MAX_FILE) {
            let size = after.map_or(0, <[u8]>::len) as u64;
            return Err(WorkspaceError::TooLarge(path, size, MAX_FILE));
        }
        let step = |path, before, after, moved| Step {
            path,
            before,
            after,
            mode: None,
            like: None,
            moved,
            found: None,
        };
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
        (Ok((content, stat)), Some(before)) if content.bytes == before => {
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
    let many = cfg!(target_os = "linux") && steps.iter().filter(|step| step.after.is_some()).count() >= MANY;
    let mut dirs: HashMap<String, Rc<OwnedFd>> = HashMap::new();
    for step in steps {
        let (parent, name) = door::split(&step.path);
        let io = |errno: Errno| match errno {
            Errno::NOTDIR => WorkspaceError::NotRegular(parent.to_owned(), "not a directory"),
            _ => door::failed(&step.path, errno),
        };
        let dir = if let Some(dir) = dirs.get(parent) {
            Rc::clone(dir)
        } else {
            let (dir, new) = workspace.door.make_directory(parent).map_err(io)?;
            made.extend(new);
            let dir = Rc::new(dir);
            dirs.insert(parent.to_owned(), Rc::clone(&dir));
            dir
        };
        let name = name.to_owned();
        staged.push(Staged { step, dir, name, temporary: None, backup: None, done: false });
        if let Some(last) = staged.last_mut() {
            stage(last, !many)?;
        }
    }
    if many { sync_all(staged) } else { Ok(()) }
}

/// Writes the new content beside its target, with the target's mode, down to the disk when told so.
fn stage(staged: &mut Staged<'_>, lasting: bool) -> Result<(), WorkspaceError> {
    let Some(after) = staged.step.after else { return Ok(()) };
    let name = fresh_name();
    let written =
        write_beside(&staged.dir, &name, after, staged.step.like.as_ref(), staged.step.mode, lasting);
    staged.temporary = Some(name);
    written.map_err(|source| WorkspaceError::Io { path: staged.step.path.clone(), source })
}

/// Brings everything that was laid ready down to the disk at once: a thousand files cost little more than one.
#[cfg(target_os = "linux")]
fn sync_all(staged: &[Staged<'_>]) -> Result<(), WorkspaceError> {
    let mut devices = HashSet::new();
    for one in staged {
        let synced = rustix::fs::fstat(&one.dir).and_then(|stat| {
            if devices.insert(stat.st_dev) { rustix::fs::syncfs(open_dir(&one.dir)?) } else { Ok(()) }
        });
        synced.map_err(|errno| WorkspaceError::Io { path: one.step.path.clone(), source: errno.into() })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn sync_all(_staged: &[Staged<'_>]) -> Result<(), WorkspaceError> {
    Ok(())
}

fn open_dir(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn write_beside(
    dir: &OwnedFd,
    name: &str,
    bytes: &[u8],
    like: Option<&Stat>,
    mode: Option<u32>,
    lasting: bool,
) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // A new file gets what the user's mask leaves; one that replaces another is private until it has its mode.
    let first = Mode::from_raw_mode(if like.is_some() || mode.is_some() { 0o600 } else { 0o666 });
    let mut file = File::from(openat(dir, name, flags, first)?);
    file.write_all(bytes)?;
    if let Some(like) = like {
        // Another owner's file can be replaced without the right to give the new one away.
        let _ = fchown(
            &file,
            Some(rustix::fs::Uid::from_raw(like.st_uid)),
            Some(rustix::fs::Gid::from_raw(like.st_gid)),
        );
    }
    if let Some(mode) = mode.or(like.map(|like| like.st_mode)) {
        fchmod(&file, Mode::from_raw_mode(mode & 0o777))?;
    }
    if lasting { file.sync_all() } else { Ok(()) }
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
        write_beside(dir, &name, before, staged.step.like.as_ref(), None, true)
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
    let mut dirs: HashMap<&str, &OwnedFd> = HashMap::new();
    for one in staged {
        if let Some(backup) = &one.backup {
            let _ = unlinkat(&one.dir, backup.as_str(), AtFlags::empty());
        }
        dirs.insert(door::split(&one.step.path).0, &one.dir);
    }
    if cfg!(target_os = "linux") && dirs.len() > 4 {
        let _ = sync_all(staged);
    } else {
        dirs.into_values().for_each(sync);
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
    if let Ok(dir) = open_dir(dir) {
        let _ = fsync(dir);
    }
}

fn fresh_name() -> String {
    format!(".agent-{}.tmp", uuid::Uuid::now_v7().simple())
}

/// Whether a name is one that [`apply`] lays files ready under: left behind by a crash, it can go.
pub(super) fn is_leftover(name: &str) -> bool {
    let id = name.strip_prefix(".agent-").and_then(|rest| rest.strip_suffix(".tmp"));
    id.is_some_and(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Removes what a crash left beside these files, and gives how many there were.
pub(super) fn sweep<'a>(workspace: &Workspace, paths: impl Iterator<Item = &'a str>) -> usize {
    let folders: HashSet<&str> = paths.map(|path| door::split(path).0).collect();
    let mut swept = 0;
    for folder in folders {
        let Ok(dir) = workspace.door.directory(folder) else { continue };
        let names = workspace.door.names(folder).unwrap_or_default();
        for name in names.iter().filter(|name| is_leftover(name)) {
            swept += usize::from(unlinkat(&dir, name.as_str(), AtFlags::empty()).is_ok());
        }
    }
    swept
}
