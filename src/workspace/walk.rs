//! What is in the workspace: walks that respect ignore files and never follow links.

use super::{Kind, Place, Workspace, WorkspaceError};
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// One thing a walk came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is. For a link this is the link itself: resolve its path anew to open what is behind it.
    pub place: Place,
    /// What it is; a link is `Special`.
    pub kind: Kind,
    /// Whether it is a symbolic link.
    pub is_link: bool,
    /// Steps below the place the walk began at, from 1.
    pub depth: usize,
}

/// The entries below a place, in the order of their paths: a folder, then what is in it.
///
/// `.gitignore`, `.ignore` and `.git/info/exclude` of the workspace are respected, hidden files are shown,
/// `.git` is not, links are named and not followed, names that are not UTF-8 are left out.
pub struct Walk {
    inner: ignore::Walk,
    root: PathBuf,
    start: PathBuf,
}

impl Iterator for Walk {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            // What cannot be read is left out: the walk is for what can be looked at.
            let Ok(found) = self.inner.next()? else { continue };
            if let Some(entry) = entry(&found, &self.root, &self.start) {
                return Some(entry);
            }
        }
    }
}

impl Workspace {
    /// Walks what is below a folder, at most `depth` levels when given. A place that is ignored itself is
    /// walked all the same, since it was asked for by name.
    pub fn walk(&self, beneath: &Place, depth: Option<usize>) -> Result<Walk, WorkspaceError> {
        let (mut builder, start, above) = self.builder(beneath)?;
        builder.sort_by_file_name(std::cmp::Ord::cmp).max_depth(depth.map(|depth| depth + above));
        Ok(Walk { inner: builder.build(), root: self.root.clone(), start })
    }

    /// All regular files at or below a place, by the same rules, found in parallel, in the order of their paths.
    pub fn files(&self, beneath: &Place) -> Result<Vec<Place>, WorkspaceError> {
        if let Kind::File(_) = self.kind(beneath)? {
            return Ok(vec![beneath.clone()]);
        }
        let (mut builder, start, _) = self.builder(beneath)?;
        builder.threads(std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8)));
        let files = Mutex::new(Vec::new());
        builder.build_parallel().run(|| {
            Box::new(|found| {
                if let Some(entry) = found.ok().and_then(|found| entry(&found, &self.root, &start))
                    && matches!(entry.kind, Kind::File(_))
                {
                    files.lock().unwrap_or_else(PoisonError::into_inner).push(entry.place);
                }
                WalkState::Continue
            })
        });
        let mut files = files.into_inner().unwrap_or_else(PoisonError::into_inner);
        files.sort_unstable_by(|left, right| left.relative.cmp(&right.relative));
        Ok(files)
    }

    /// A walk from the root that only looks at the way to a place and at what is below it: that way the
    /// ignore files on the way count and none above the root is read.
    fn builder(&self, beneath: &Place) -> Result<(WalkBuilder, PathBuf, usize), WorkspaceError> {
        if self.kind(beneath)? != Kind::Directory {
            return Err(WorkspaceError::NotRegular(beneath.relative.clone(), "not a directory"));
        }
        if beneath.relative == "." {
            return Ok((plain(&self.root), self.root.clone(), 0));
        }
        let start = self.root.join(&beneath.relative);
        let above = beneath.relative.split('/').count();
        let mut way = plain(&self.root);
        let end = start.clone();
        way.max_depth(Some(above)).filter_entry(move |found| end.starts_with(found.path()));
        if !way.build().filter_map(Result::ok).any(|found| found.path() == start) {
            return Ok((plain(&start), start, 0));
        }
        let mut builder = plain(&self.root);
        let within = start.clone();
        builder.filter_entry(move |found| {
            let path = found.path();
            found.file_name() != ".git" && (within.starts_with(path) || path.starts_with(&within))
        });
        Ok((builder, start, above))
    }
}

/// A walk by the house's rules: nothing that depends on the machine or on folders above.
fn plain(root: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    builder
        .hidden(false)
        .parents(false)
        .git_global(false)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|found| found.file_name() != ".git");
    builder
}

fn entry(found: &DirEntry, root: &Path, start: &Path) -> Option<Entry> {
    let depth = found.path().strip_prefix(start).ok()?.components().count();
    if depth == 0 {
        return None;
    }
    let relative = found.path().strip_prefix(root).ok()?.to_str()?.to_owned();
    let file_type = found.file_type()?;
    let kind = if file_type.is_dir() {
        Kind::Directory
    } else if file_type.is_file() {
        Kind::File(found.metadata().map_or(0, |metadata| metadata.len()))
    } else {
        Kind::Special
    };
    Some(Entry { place: Place { relative }, kind, is_link: file_type.is_symlink(), depth })
}
