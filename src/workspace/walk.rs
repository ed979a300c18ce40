//! What is in the workspace: walks that respect ignore files and never follow links.

use super::ignores::Ignores;
use super::{Kind, Place, Workspace, WorkspaceError};
use ignore::{DirEntry, WalkBuilder, WalkState};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
        let (mut builder, start) = self.builder(beneath)?;
        builder.sort_by_file_name(std::cmp::Ord::cmp).max_depth(depth);
        Ok(Walk { inner: builder.build(), root: self.root.clone(), start })
    }

    /// All regular files at or below a place, by the same rules, found in parallel, in the order of their paths.
    pub fn files(&self, beneath: &Place) -> Result<Vec<Place>, WorkspaceError> {
        if let Kind::File(_) = self.kind(beneath)? {
            return Ok(vec![beneath.clone()]);
        }
        let (mut builder, start) = self.builder(beneath)?;
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

    /// A walk by the house's rules: nothing that depends on the machine or on folders above the root.
    pub(super) fn builder(&self, beneath: &Place) -> Result<(WalkBuilder, PathBuf), WorkspaceError> {
        if self.kind(beneath)? != Kind::Directory {
            return Err(WorkspaceError::NotRegular(beneath.relative.clone(), "not a directory"));
        }
        let ignores = Ignores::new(Arc::clone(&self.door));
        // The rules above an ignored place have said their word; below it only its own count.
        let top = if is_ignored(&ignores, &beneath.relative) { &beneath.relative } else { "." }.to_owned();
        let start = self.root.join(if beneath.relative == "." { "" } else { &beneath.relative });
        let root = self.root.clone();
        let mut builder = WalkBuilder::new(&start);
        builder.standard_filters(false).follow_links(false).filter_entry(move |found| {
            if found.file_name() == ".git" {
                return false;
            }
            let is_directory = found.file_type().is_some_and(|kind| kind.is_dir());
            relative(found, &root).is_none_or(|path| !ignores.covers(path, is_directory, &top))
        });
        Ok((builder, start))
    }
}

/// Whether a folder or one above it is ignored.
fn is_ignored(ignores: &Ignores, folder: &str) -> bool {
    folder != "."
        && folder
            .match_indices('/')
            .map(|(at, _)| &folder[..at])
            .chain(std::iter::once(folder))
            .any(|part| ignores.covers(part, true, "."))
}

/// Where a walk's entry is below the root; `None` for the root itself and for names that are not UTF-8.
fn relative<'a>(found: &'a DirEntry, root: &Path) -> Option<&'a str> {
    found.path().strip_prefix(root).ok()?.to_str().filter(|path| !path.is_empty())
}

fn entry(found: &DirEntry, root: &Path, start: &Path) -> Option<Entry> {
    let depth = found.path().strip_prefix(start).ok()?.components().count();
    if depth == 0 {
        return None;
    }
    let relative = relative(found, root)?.to_owned();
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
