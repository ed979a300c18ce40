//! What a workspace holds that would configure or run something, file by file, and what would be read as
//! instructions.

use super::hash_of;
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// What gains power: agent definitions, helpers, commands, skills, tool servers. Files, or folders with all
/// that is in them, at the root.
const POWERS: [&str; 14] = [
    ".agent",
    ".agents",
    ".claude/agents",
    ".claude/commands",
    ".claude/skills",
    ".github/prompts",
    ".github/skills",
    ".mcp.json",
    ".opencode/agent",
    ".opencode/agents",
    ".opencode/command",
    ".opencode/commands",
    ".opencode/skills",
    "agent.md",
];
/// What is read as instructions, which are context and grant nothing: the path's trust is enough, so that an
/// edit of them is no reason to ask again.
const WORDS: [&str; 3] = ["AGENTS.md", "AGENTS.override.md", "CLAUDE.md"];
/// Files that are vouched for at most.
const MAX_FILES: usize = 2_000;
/// Bytes of them.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// How deep a folder of them may be.
const MAX_DEPTH: usize = 12;

/// Whether a workspace-relative path is among what a change of trust looks at. What is not must not be loaded.
pub fn is_covered(path: &str) -> bool {
    let plain = path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    plain
        && POWERS.iter().any(|power| {
            path.strip_prefix(power).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// Why a workspace cannot be vouched for.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It is no folder that can be opened.
    #[error("{0}")]
    Root(std::io::Error),
    /// Its path is not text.
    #[error("its path is not valid UTF-8")]
    Name,
    /// It is the whole machine or the whole home: everything that comes to lie there would be trusted.
    #[error("it is too much at once; trust the folders that hold projects")]
    TooWide,
    /// More than can be vouched for.
    #[error("{0} holds more than {MAX_FILES} files or 32 MB")]
    TooMuch(String),
    /// Something that has no fixed content, or that cannot be read.
    #[error("{0}: {1}")]
    Odd(String, String),
}

/// What was seen.
pub(super) struct Seen {
    pub(super) root: String,
    pub(super) identity: String,
    /// SHA-256 by path, of everything that gains power.
    pub(super) files: BTreeMap<String, String>,
    /// Instruction files that are there.
    pub(super) words: Vec<String>,
}

pub(super) fn look(root: &Path) -> Result<Seen, LookError> {
    let root = root.canonicalize().map_err(LookError::Root)?;
    let facts = root.metadata().map_err(LookError::Root)?;
    if !facts.is_dir() {
        return Err(LookError::Root(std::io::ErrorKind::NotADirectory.into()));
    }
    let home = std::env::var_os("HOME").map(PathBuf::from).and_then(|home| home.canonicalize().ok());
    if root.parent().is_none() || home.is_some_and(|home| home.starts_with(&root)) {
        return Err(LookError::TooWide);
    }
    let name = root.to_str().ok_or(LookError::Name)?.to_owned();
    let mut walk = Walk { root: &root, files: BTreeMap::new(), bytes: 0 };
    for power in POWERS {
        walk.enter(power, 0)?;
    }
    let files = walk.files;
    let words = WORDS.iter().filter(|word| root.join(word).symlink_metadata().is_ok());
    Ok(Seen {
        identity: identity(&facts),
        words: words.map(|word| (*word).to_owned()).collect(),
        root: name,
        files,
    })
}

/// What tells a folder from another one at the same path: its number and, where the file system keeps it, when
/// it was made. The device's number changes at every start of some machines.
fn identity(facts: &Metadata) -> String {
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(facts);
    #[cfg(not(unix))]
    let number = 0;
    let made = facts.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{number}:{}", made.map_or(0, |made| made.as_nanos()))
}

struct Walk<'a> {
    root: &'a Path,
    files: BTreeMap<String, String>,
    bytes: u64,
}

impl Walk<'_> {
    /// Takes in a file, or a folder with what is in it. A link counts as what it leads to, within the root.
    fn enter(&mut self, path: &str, depth: usize) -> Result<(), LookError> {
        let odd = |why: &dyn std::fmt::Display| LookError::Odd(path.to_owned(), why.to_string());
        let whole = self.root.join(path);
        match whole.symlink_metadata() {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(());
            }
            Err(error) => return Err(odd(&error)),
        }
        let real = whole.canonicalize().map_err(|error| odd(&error))?;
        if !real.starts_with(self.root) {
            return Err(odd(&"a link that leads out of the workspace"));
        }
        let facts = real.metadata().map_err(|error| odd(&error))?;
        if facts.is_dir() {
            if depth > MAX_DEPTH {
                return Err(odd(&"folders too deep, or a link in a circle"));
            }
            let entries = std::fs::read_dir(&real).map_err(|error| odd(&error))?;
            for entry in entries {
                let name = entry.map_err(|error| odd(&error))?.file_name();
                let name = name.to_str().ok_or_else(|| odd(&"a name in it is not valid UTF-8"))?;
                self.enter(&format!("{path}/{name}"), depth + 1)?;
            }
            return Ok(());
        }
        if !facts.is_file() {
            return Err(odd(&"not a regular file"));
        }
        self.bytes += facts.len();
        if self.files.len() >= MAX_FILES || self.bytes > MAX_BYTES {
            return Err(LookError::TooMuch(path.to_owned()));
        }
        let mut content = Vec::new();
        std::fs::File::open(&real)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut content))
            .map_err(|error| odd(&error))?;
        self.files.insert(path.to_owned(), hash_of(&content));
        Ok(())
    }
}
