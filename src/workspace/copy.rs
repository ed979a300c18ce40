//! A copy of the workspace as it was or as it would be: what a check is tried on without touching the original.

use super::{Kind, MAX_FILE, Place, Workspace, WorkspaceError};
use crate::policy::paths::is_secret;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

/// Most files of a copy.
pub const MAX_FILES: usize = 50_000;

/// Most bytes of a copy.
pub const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// Ignored folders that tests need and that are lent to the copy rather than copied.
const LENT: &[&str] =
    &["node_modules", ".venv", "venv", "env", "vendor", "bower_components", ".bundle", ".yarn"];

/// Folders that hold what an interpreter or a tool keeps for itself.
pub const CACHES: &[&str] =
    &["__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".nyc_output", ".gradle"];

/// What a copy holds.
#[derive(Debug, Default)]
pub struct Copied {
    /// Folders of the original that the copy leads to by links, absolute.
    pub lent: Vec<PathBuf>,
    /// What is not in it, and why, one sentence each.
    pub left_out: Vec<String>,
}

impl Workspace {
    /// Copies every file that is not ignored to the empty folder `target`. Where `instead` names a path, that
    /// content stands there (or nothing, for `None`) whatever the workspace holds. Files that hold secrets are
    /// empty in the copy, `.git` is not in it, links lead nowhere outside it; ignored folders of dependencies
    /// are linked to.
    pub fn copy_to(
        &self,
        target: &Path,
        instead: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Result<Copied, WorkspaceError> {
        let io = |path: &str| {
            let path = path.to_owned();
            move |source| WorkspaceError::Io { path, source }
        };
        let root = self.place(".")?;
        let mut copied = Copied::default();
        let mut folders = BTreeSet::from([String::new()]);
        let (mut files, mut bytes) = (0_usize, 0_u64);
        for entry in self.walk(&root, None)? {
            let path = entry.place.as_str().to_owned();
            if path.split('/').any(|part| CACHES.contains(&part)) {
                continue;
            }
            if entry.is_link {
                self.copy_link(target, &path, &mut copied);
                continue;
            }
            match entry.kind {
                Kind::Directory => {
                    std::fs::create_dir_all(target.join(&path)).map_err(io(&path))?;
                    folders.insert(path);
                }
                Kind::File(_) if instead.contains_key(&path) => {}
                Kind::File(size) => {
                    files += 1;
                    bytes += size.min(MAX_FILE);
                    if files > MAX_FILES || bytes > MAX_BYTES {
                        return Err(WorkspaceError::TooLarge(".".to_owned(), bytes, MAX_BYTES));
                    }
                    self.copy_file(target, &path, &mut copied)?;
                }
                Kind::Special => copied.left_out.push(format!("{path} is no regular file")),
            }
        }
        for (path, content) in instead {
            let Some(content) = content else { continue };
            let mode = self.door.stat(path).map_or(0o644, |stat| stat.st_mode & 0o777);
            put(target, path, content, mode).map_err(io(path))?;
        }
        for folder in folders {
            self.lend(target, &folder, &mut copied);
        }
        Ok(copied)
    }

    fn copy_file(&self, target: &Path, path: &str, copied: &mut Copied) -> Result<(), WorkspaceError> {
        let write = |content: &[u8], mode| {
            put(target, path, content, mode)
                .map_err(|source| WorkspaceError::Io { path: path.to_owned(), source })
        };
        if is_secret(path) {
            copied.left_out.push(format!("{path} holds secrets and is empty here"));
            return write(b"", 0o600);
        }
        match self.read_with_stat(path) {
            Ok((content, stat)) => write(&content.bytes, stat.st_mode & 0o777),
            Err(error) => {
                copied.left_out.push(error.to_string());
                Ok(())
            }
        }
    }

    /// Links that stay inside are made again; others are left out.
    fn copy_link(&self, target: &Path, path: &str, copied: &mut Copied) {
        let leads = std::fs::read_link(self.root.join(path)).ok();
        let inside = |to: &PathBuf| to.is_relative() && stays_inside(path, to);
        let Some(to) = leads.filter(inside) else {
            copied.left_out.push(format!("{path} is a link that leads outside"));
            return;
        };
        let at = target.join(path);
        let made = at.parent().map(std::fs::create_dir_all).transpose().and_then(|_| symlink(to, &at));
        if let Err(error) = made {
            copied.left_out.push(format!("{path}: {error}"));
        }
    }

    fn lend(&self, target: &Path, folder: &str, copied: &mut Copied) {
        for name in LENT {
            let path = if folder.is_empty() { (*name).to_owned() } else { format!("{folder}/{name}") };
            // Only what really lies in the workspace is lent: a link could name any folder of the machine.
            let Ok(place) = self.place(&path) else { continue };
            let at = target.join(&path);
            if place == (Place { relative: path })
                && matches!(self.kind(&place), Ok(Kind::Directory))
                && at.symlink_metadata().is_err()
                && symlink(self.root.join(place.as_str()), &at).is_ok()
            {
                copied.lent.push(self.root.join(place.as_str()));
            }
        }
    }
}

/// Whether a relative link at `path` stays below the root by its text.
fn stays_inside(path: &str, to: &Path) -> bool {
    let mut depth = path.matches('/').count();
    for component in to.components() {
        match component {
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

fn put(target: &Path, path: &str, content: &[u8], mode: u32) -> std::io::Result<()> {
    use std::io::Write as _;
    let at = target.join(path);
    if let Some(folder) = at.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(mode | 0o200).open(&at)?;
    file.write_all(content)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode | 0o600))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests set the stage with plain files")]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_copy_holds_what_was_there_and_no_secret() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("project");
        fs::create_dir_all(root.join("src")).unwrap();
        fs::create_dir_all(root.join("node_modules/left")).unwrap();
        for (path, text) in [
            ("src/app.js", "after"),
            ("new.js", "made since"),
            (".env", "KEY=FAKE-canary"),
            (".gitignore", "node_modules\n"),
            ("node_modules/left/index.js", "1"),
        ] {
            fs::write(root.join(path), text).unwrap();
        }
        symlink("/etc/passwd", root.join("outside")).unwrap();
        symlink("src/app.js", root.join("inside")).unwrap();
        let target = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(&root).unwrap();
        let instead = BTreeMap::from([
            ("src/app.js".to_owned(), Some(b"before".to_vec())),
            ("new.js".to_owned(), None),
            ("gone.js".to_owned(), Some(b"was here".to_vec())),
        ]);
        let copied = workspace.copy_to(target.path(), &instead).unwrap();
        let read = |path: &str| fs::read_to_string(target.path().join(path)).ok();
        assert_eq!(read("src/app.js").as_deref(), Some("before"));
        assert_eq!(read("inside").as_deref(), Some("before"));
        assert_eq!(read("gone.js").as_deref(), Some("was here"));
        assert_eq!(read(".env").as_deref(), Some(""));
        assert_eq!(read("node_modules/left/index.js").as_deref(), Some("1"));
        assert_eq!((read("new.js"), read("outside")), (None, None));
        assert_eq!(copied.lent, [workspace.root().join("node_modules")]);
        assert_eq!(copied.left_out.len(), 2, "{:?}", copied.left_out);
    }
}
