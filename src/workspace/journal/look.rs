//! What a command may have changed: stamps of every file before and after, contents where stamps differ.

use super::super::{Place, Workspace, WorkspaceError, door};
use ignore::WalkState;
use rustix::fs::{FileType, Stat};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Most files of a workspace that are looked at; with more, commands are not covered.
pub(super) const MAX_FILES: usize = 100_000;

/// A file that was changed this shortly before it was looked at may change again without a new stamp.
const TICK: Duration = Duration::from_millis(50);

/// What the system says of a file without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) size: u64,
    modified: i128,
    changed: i128,
    inode: u64,
    pub(super) mode: u32,
}

impl Stamp {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        clippy::cast_sign_loss,
        reason = "the fields have other widths on other systems"
    )]
    pub(super) fn of(stat: &Stat) -> Self {
        let nanoseconds = |seconds, rest| i128::from(seconds) * 1_000_000_000 + (rest as i128);
        Self {
            size: stat.st_size as u64,
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
            inode: stat.st_ino as u64,
            mode: stat.st_mode as u32 & 0o777,
        }
    }

    /// Whether the same stamp may stand for another content later.
    pub(super) fn is_fresh(&self) -> bool {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.changed > i128::try_from(now.saturating_sub(TICK).as_nanos()).unwrap_or(i128::MAX)
    }
}

/// Everything below the root that is not ignored: files with their stamps, the rest by name.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) files: BTreeMap<String, Stamp>,
    pub(super) folders: BTreeSet<String>,
    pub(super) links: BTreeSet<String>,
    /// The ignore rules that lie in `.git`.
    pub(super) exclude: Option<Stamp>,
    /// Whether there were more files than are looked at.
    pub(super) too_many: bool,
}

/// Looks at every file of the workspace that its ignore files do not cover, and at the refs of its repository;
/// not at the rest of `.git`, nor below `own`, the agent's own folder, should that lie in the workspace.
pub(super) fn look(workspace: &Workspace, own: Option<&str>) -> Result<Seen, WorkspaceError> {
    let (mut builder, top) = workspace.builder(&Place { relative: ".".into() })?;
    builder.threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8)));
    let exclude = workspace.door.stat(".git/info/exclude").ok().map(|stat| Stamp::of(&stat));
    let seen = Mutex::new(Seen { exclude, ..Seen::default() });
    builder.build_parallel().run(|| {
        Box::new(|found| {
            let Ok(found) = found else { return WalkState::Continue };
            let Some(path) = found.path().strip_prefix(&top).ok().and_then(|path| path.to_str()) else {
                return WalkState::Continue;
            };
            let kind = found.file_type();
            if own == Some(path) {
                return WalkState::Skip;
            }
            if path.is_empty() || super::super::apply::is_leftover(door::split(path).1) {
                return WalkState::Continue;
            }
            let stamp = if kind.is_some_and(|kind| kind.is_file()) {
                workspace.door.stat(path).ok().filter(|stat| door::file_type(stat) == FileType::RegularFile)
            } else {
                None
            };
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match (stamp, kind) {
                (Some(stat), _) => {
                    if seen.files.len() >= MAX_FILES {
                        seen.too_many = true;
                        return WalkState::Quit;
                    }
                    seen.files.insert(path.to_owned(), Stamp::of(&stat));
                }
                (None, Some(kind)) if kind.is_dir() => {
                    seen.folders.insert(path.to_owned());
                }
                (None, Some(kind)) if kind.is_symlink() => {
                    seen.links.insert(path.to_owned());
                }
                _ => {}
            }
            WalkState::Continue
        })
    });
    let mut seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    look_at_refs(workspace, &mut seen.files);
    Ok(seen)
}

/// Most refs that are looked at.
const MAX_REFS: usize = 10_000;

/// Where the branches and tags of the repository point; its objects are not looked at.
fn look_at_refs(workspace: &Workspace, files: &mut BTreeMap<String, Stamp>) {
    let mut todo = vec![".git/HEAD".to_owned(), ".git/packed-refs".to_owned(), ".git/refs".to_owned()];
    let mut count = 0;
    while let Some(path) = todo.pop() {
        count += 1;
        let Ok(stat) = workspace.door.stat(&path) else { continue };
        match door::file_type(&stat) {
            FileType::RegularFile => {
                files.insert(path, Stamp::of(&stat));
            }
            FileType::Directory if count < MAX_REFS => {
                let names = workspace.door.names(&path).unwrap_or_default();
                let is_ref = |name: &String| name.rsplit('.').next() != Some("lock");
                todo.extend(names.into_iter().filter(is_ref).map(|name| format!("{path}/{name}")));
            }
            _ => {}
        }
    }
}

/// Whether a change of this file changes which files are looked at.
pub(super) fn is_ignore_file(path: &str) -> bool {
    matches!(door::split(path).1, ".gitignore" | ".ignore")
}
