//! Ignore files, read through the door: a `.gitignore` that is a FIFO or a link to a device stops no walk.

use super::door::Door;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, PoisonError, RwLock};

/// Ignore files of a folder, the strongest first.
const NAMES: &[&str] = &[".ignore", ".gitignore"];

/// Bytes of an ignore file that are read.
const MAX_BYTES: u64 = 1024 * 1024;

/// What the ignore files of the workspace say, each read once per walk.
#[derive(Debug)]
pub(super) struct Ignores {
    door: Arc<Door>,
    folders: RwLock<HashMap<String, Arc<Vec<Gitignore>>>>,
}

impl Ignores {
    pub(super) fn new(door: Arc<Door>) -> Self {
        Self { door, folders: RwLock::default() }
    }

    /// Whether a path is ignored by the ignore files from its own folder up to `top`; the nearest that speaks
    /// of it decides. Whether a folder above it is ignored is the walk's business.
    pub(super) fn covers(&self, path: &str, is_directory: bool, top: &str) -> bool {
        let mut folder = parent(path);
        loop {
            let below = if folder == "." { path } else { &path[folder.len() + 1..] };
            for rules in self.of(folder).iter() {
                match rules.matched(below, is_directory) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
            if folder == top || folder == "." {
                return false;
            }
            folder = parent(folder);
        }
    }

    fn of(&self, folder: &str) -> Arc<Vec<Gitignore>> {
        if let Some(known) = self.folders.read().unwrap_or_else(PoisonError::into_inner).get(folder) {
            return Arc::clone(known);
        }
        let beneath = |name: &str| if folder == "." { name.to_owned() } else { format!("{folder}/{name}") };
        let mut files: Vec<String> = NAMES.iter().map(|name| beneath(name)).collect();
        if folder == "." {
            files.push(".git/info/exclude".into());
        }
        let rules = Arc::new(files.iter().filter_map(|file| self.read(file)).collect::<Vec<_>>());
        let mut folders = self.folders.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(folders.entry(folder.to_owned()).or_insert(rules))
    }

    /// The rules of one file; `None` when it is no regular file, is not there, or says nothing.
    fn read(&self, path: &str) -> Option<Gitignore> {
        let (file, _) = self.door.file(path).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let mut builder = GitignoreBuilder::new("");
        for line in text.trim_start_matches('\u{feff}').lines() {
            // A line that is no pattern is no rule; git does the same.
            let _ = builder.add_line(None, line);
        }
        builder.build().ok().filter(|rules| !rules.is_empty())
    }
}

/// The folder a relative path lies in; `.` for the root's own entries.
fn parent(path: &str) -> &str {
    super::door::split(path).0
}
