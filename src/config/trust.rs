//! Which workspaces the user trusts: kept outside of them, by path, identity and a hash of what gains power.
//!
//! Before that, nothing in a repository configures or runs anything. Whoever loads something from a workspace
//! asks here first ([`is_trusted`], or [`Store::standing`] to say why not), and loads only what
//! [`is_covered`]; [`Pass::vouches`] says whether bytes just read are the bytes that were trusted.

mod look;

pub use look::{LookError, is_covered};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Largest record that is read, in bytes.
const MAX_RECORD: u64 = 4 * 1024 * 1024;

/// Whether the user trusts this workspace as it is now. `state` is the state folder
/// ([`super::Config::state`]), `root` the folder the agent works in. Whatever goes wrong means no.
pub fn is_trusted(state: &Path, root: &Path) -> bool {
    matches!(Store::of(state).standing(root), Standing::Trusted(_))
}

/// The trusted workspaces of one user.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// What is kept of one workspace.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Record {
    v: u32,
    root: String,
    /// What tells this folder from another one that comes to lie at the same path.
    identity: String,
    /// When, in RFC 3339.
    time: String,
    /// SHA-256 by path, of everything that gains power.
    files: BTreeMap<String, String>,
}

/// How a workspace stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The user trusts it, as it is.
    Trusted(Pass),
    /// There is nothing in it that trust would make a difference to.
    Nothing,
    /// The user was never asked. What would gain power or be read as instructions, by path.
    Unknown(Vec<String>),
    /// It was trusted, and what gains power is not what it was: these paths were added, changed or removed.
    Changed(Vec<String>),
    /// It cannot be vouched for, and why.
    Unclear(String),
}

impl Standing {
    /// One sentence for the user, where trust would make a difference.
    pub fn hint(&self) -> Option<String> {
        match self {
            Standing::Trusted(_) | Standing::Nothing => None,
            Standing::Unknown(paths) => Some(format!(
                "this workspace is not trusted: {} there configure or run nothing; look at them, then `agent trust`",
                named(paths)
            )),
            Standing::Changed(paths) => Some(format!(
                "this workspace is no longer trusted, since {} changed: nothing in it configures or runs anything; \
                 look at it, then `agent trust`",
                named(paths)
            )),
            Standing::Unclear(why) => Some(format!(
                "this workspace is not trusted ({why}): nothing in it configures or runs anything"
            )),
        }
    }
}

/// The first few of many.
fn named(paths: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = paths.iter().take(SHOWN).map(|path| crate::text::printable_name(path)).collect::<Vec<_>>();
    match paths.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What was trusted, file by file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    files: BTreeMap<String, String>,
}

impl Pass {
    /// Whether these are the bytes that were trusted at that workspace-relative path. For whoever reads a file
    /// after asking how the workspace stands: it may have changed in between.
    pub fn vouches(&self, path: &str, content: &[u8]) -> bool {
        self.files.get(path).is_some_and(|hash| *hash == hash_of(content))
    }

    /// What gains power, by path.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }
}

/// A workspace in the list.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Listed {
    /// Its root.
    pub root: String,
    /// Since when, in RFC 3339.
    pub since: String,
    /// `trusted`, `changed`, `gone` or `unclear`.
    pub status: &'static str,
}

/// Why trust could not be given, taken back or listed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The folder cannot be vouched for.
    #[error("{0} cannot be trusted: {1}")]
    Look(String, LookError),
    /// The record cannot be kept.
    #[error("the list of trusted workspaces cannot be kept in {folder}: {error}")]
    Keep {
        /// Where it would be.
        folder: String,
        /// Why not.
        error: std::io::Error,
    },
}

impl Store {
    /// The store below a state folder. Touches nothing.
    pub fn of(state: &Path) -> Self {
        Self { folder: state.join("trust") }
    }

    /// How a workspace stands now.
    pub fn standing(&self, root: &Path) -> Standing {
        let looked = look::look(root);
        let record = match self.read(root) {
            Ok(record) => record,
            Err(why) => return Standing::Unclear(why),
        };
        let (seen, record) = match (looked, record) {
            (Ok(seen), Some(record)) => (seen, record),
            (Ok(seen), None) if seen.files.is_empty() && seen.words.is_empty() => return Standing::Nothing,
            (Ok(seen), None) => {
                return Standing::Unknown(seen.files.into_keys().chain(seen.words).collect());
            }
            (Err(error), _) => return Standing::Unclear(error.to_string()),
        };
        if record.identity != seen.identity {
            return Standing::Unclear("another folder lies at this path than the one you trusted".into());
        }
        let mut changed: Vec<String> = seen
            .files
            .iter()
            .filter(|(path, hash)| record.files.get(*path) != Some(hash))
            .map(first)
            .collect();
        changed.extend(record.files.iter().filter(|(path, _)| !seen.files.contains_key(*path)).map(first));
        if changed.is_empty() {
            return Standing::Trusted(Pass { files: seen.files });
        }
        changed.sort();
        Standing::Changed(changed)
    }

    /// Trusts a workspace as it is now. Gives its root and what gains power by it.
    pub fn grant(&self, root: &Path) -> Result<(PathBuf, Vec<String>), TrustError> {
        let cannot = |error| TrustError::Look(root.display().to_string(), error);
        let seen = look::look(root).map_err(cannot)?;
        let record = Record {
            v: 1,
            root: seen.root.clone(),
            identity: seen.identity,
            time: jiff::Timestamp::now().to_string(),
            files: seen.files,
        };
        self.write(&record).map_err(|error| self.failed(error))?;
        let gains = record.files.into_keys().chain(seen.words).collect();
        Ok((PathBuf::from(seen.root), gains))
    }

    /// Takes trust back; whether there was any. The folder may be gone.
    pub fn revoke(&self, root: &Path) -> Result<bool, TrustError> {
        let path = self.place(&canonical(root));
        #[allow(clippy::disallowed_methods, reason = "the store's own record, outside every workspace")]
        match std::fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Every workspace there is a record of, by root.
    pub fn list(&self) -> Result<Vec<Listed>, TrustError> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let mut all: Vec<Listed> = entries
            .flatten()
            .filter_map(|entry| parse(&entry.path()).ok().flatten())
            .map(|record| {
                let root = Path::new(&record.root);
                let status = match self.standing(root) {
                    Standing::Trusted(_) => "trusted",
                    Standing::Changed(_) => "changed",
                    _ if !root.is_dir() => "gone",
                    _ => "unclear",
                };
                Listed { root: record.root, since: record.time, status }
            })
            .collect();
        all.sort_by(|left, right| left.root.cmp(&right.root));
        Ok(all)
    }

    fn failed(&self, error: std::io::Error) -> TrustError {
        TrustError::Keep { folder: self.folder.display().to_string(), error }
    }

    /// One file for each root, so that two agents need no lock.
    fn place(&self, root: &str) -> PathBuf {
        self.folder.join(format!("{}.json", hash_of(root.as_bytes())))
    }

    fn read(&self, root: &Path) -> Result<Option<Record>, String> {
        let root = canonical(root);
        let record = parse(&self.place(&root))?;
        match record {
            Some(record) if record.root != root => Err("its record is about another folder".into()),
            record => Ok(record),
        }
    }

    fn write(&self, record: &Record) -> std::io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.folder)?;
        // Made with mode 0600; whole or not at all.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, record)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(self.place(&record.root))?;
        Ok(())
    }
}

fn first((path, _): (&String, &String)) -> String {
    path.clone()
}

/// A damaged record, or one that others may have written, is no trust.
fn parse(path: &Path) -> Result<Option<Record>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("its record cannot be read: {error}")),
    };
    if is_exposed(&file) {
        return Err("others may write its record; remove it, or make it yours alone".into());
    }
    let mut text = String::new();
    file.take(MAX_RECORD)
        .read_to_string(&mut text)
        .map_err(|error| format!("its record cannot be read: {error}"))?;
    let record =
        serde_json::from_str(&text).map_err(|_| "its record is damaged; `agent trust` makes a new one");
    Ok(Some(record?))
}

#[cfg(unix)]
fn is_exposed(file: &std::fs::File) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().map_or(true, |facts| facts.permissions().mode() & 0o022 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &std::fs::File) -> bool {
    false
}

/// The root as it is kept; a folder that is gone is named as it was given.
fn canonical(root: &Path) -> String {
    let root = root.canonicalize().or_else(|_| std::path::absolute(root)).unwrap_or_else(|_| root.to_owned());
    root.to_string_lossy().into_owned()
}

fn hash_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
