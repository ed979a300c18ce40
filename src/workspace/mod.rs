//! The one door to files: every path from whatever source is resolved beneath the root here.

mod apply;
pub mod copy;
mod door;
mod ignores;
pub mod journal;
mod lines;
pub mod lock;
mod private;
mod walk;
pub mod survey;

pub use lines::{Line, Lines};
pub use walk::{Entry, Walk};

use crate::action::Change;
use door::Door;
use rustix::fs::FileType;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A path that was resolved beneath the root, links and all: policy judges it, and the door opens nothing
/// else by that name. Only [`Workspace::place`] and its walks make one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    relative: String,
}

impl Place {
    /// Workspace-relative, `/`-separated; `.` is the root.
    pub fn as_str(&self) -> &str {
        &self.relative
    }
}

/// A file as it was read.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// SHA-256 of them.
    pub hash: [u8; 32],
}

impl Content {
    /// The text, when it is UTF-8 and holds no NUL.
    pub fn text(&self) -> Option<&str> {
        if self.bytes.contains(&0) {
            return None;
        }
        std::str::from_utf8(&self.bytes).ok()
    }
}

/// What kind of thing a place holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file of so many bytes.
    File(u64),
    /// A directory.
    Directory,
    /// A FIFO, device, socket.
    Special,
}

/// Why the door stayed shut. Errors say what, why and what next; they never quote content.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The path leaves the workspace, by `..`, by being absolute or through a link.
    #[error("{0} is outside the workspace; use a path below its root")]
    Outside(String),
    /// There is nothing there.
    #[error("{0} does not exist")]
    Missing(String),
    /// Not a regular file (or not a directory where one is needed).
    #[error("{0} is {1}; only regular files can be opened")]
    NotRegular(String, &'static str),
    /// Larger than what this door opens.
    #[error("{0} has {1} bytes, more than the limit of {2}")]
    TooLarge(String, u64, u64),
    /// A path no system call can take.
    #[error("{0:?} holds a NUL character; write the path without it")]
    Nul(String),
    /// Two changes of one deed are about one file.
    #[error("{0} is named by two changes at once; make it one change")]
    Twice(String),
    /// A link to a file that policy treats differently from the name that was judged.
    #[error("{0} leads through a link to {1}; name {1} itself")]
    Linked(String, String),
    /// Changed since the plan was made.
    #[error("{0} changed since it was read; read it again")]
    Stale(String),
    /// The operating system said no.
    #[error("{path}: {source}")]
    Io {
        /// Workspace-relative path.
        path: String,
        /// The system's word.
        source: std::io::Error,
    },
}

/// The folder the agent works in. Shared through `Arc`; the root is a descriptor held open, so a folder
/// that is renamed or swapped meanwhile changes nothing.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    door: Arc<Door>,
    seen: Mutex<HashMap<String, [u8; 32]>>,
}

/// Largest file that is read or written whole, in bytes.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

impl Workspace {
    /// Opens a folder. The root is fixed from here on.
    pub fn open(root: &Path) -> Result<Self, WorkspaceError> {
        let io = |source| WorkspaceError::Io { path: root.display().to_string(), source };
        let canonical = root.canonicalize().map_err(io)?;
        let given = std::path::absolute(root).map_err(io)?;
        let door = Door::open(&canonical, &given).map_err(|errno| io(errno.into()))?;
        Ok(Self { root: canonical, door: Arc::new(door), seen: Mutex::default() })
    }

    /// Absolute, canonical root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Resolves a path as a model, a user or a file wrote it: relative, or absolute below the root.
    /// The thing itself need not exist.
    ///
    /// `.`, `..` and doubled slashes are resolved by the text, links by the file system: the place that comes
    /// back is the real one, so `notes` linked to `.env` is judged as `.env`. `~`, `%2e` and `\\` are ordinary
    /// characters. An empty path is the root. What leaves the root, by whatever way, is `Outside`.
    pub fn place(&self, path: &str) -> Result<Place, WorkspaceError> {
        if path.contains('\0') {
            return Err(WorkspaceError::Nul(path.to_owned()));
        }
        let outside = || WorkspaceError::Outside(path.to_owned());
        let written = Path::new(path);
        let below = if written.is_absolute() {
            self.door.below(&normal(written).ok_or_else(outside)?).ok_or_else(outside)?
        } else {
            normal(written).ok_or_else(outside)?
        };
        let below = below.to_str().ok_or_else(outside)?;
        let relative = self.door.resolve(if below.is_empty() { "." } else { below }).map_err(|error| {
            // The error is about what was written, not about what it was reduced to.
            if matches!(error, WorkspaceError::Outside(_)) { outside() } else { error }
        })?;
        Ok(Place { relative })
    }

    /// What is at a place; `Missing` when nothing.
    pub fn kind(&self, place: &Place) -> Result<Kind, WorkspaceError> {
        let stat = self.door.stat(&place.relative).map_err(|errno| door::failed(&place.relative, errno))?;
        Ok(match door::file_type(&stat) {
            FileType::RegularFile => Kind::File(u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Directory => Kind::Directory,
            _ => Kind::Special,
        })
    }

    /// Reads a regular file whole, up to [`MAX_FILE`] bytes. A FIFO, device, socket or directory is refused
    /// at once; nothing is waited for.
    pub fn read(&self, place: &Place) -> Result<Content, WorkspaceError> {
        self.read_with_stat(&place.relative).map(|(content, _)| content)
    }

    /// Opens a regular file of any size for reading from its start, under the same rules as [`Self::read`].
    pub fn stream(&self, place: &Place) -> Result<std::fs::File, WorkspaceError> {
        self.door.file(&place.relative).map(|(file, _)| file)
    }

    /// The lines of a regular file of any size, at most `keep` bytes of each; the hash of the whole is
    /// counted along for files up to [`MAX_FILE`].
    pub fn lines(&self, place: &Place, keep: usize) -> Result<Lines, WorkspaceError> {
        let (file, stat) = self.door.file(&place.relative)?;
        let small = u64::try_from(stat.st_size).is_ok_and(|size| size <= MAX_FILE);
        Ok(Lines::new(file, keep, small))
    }

    /// When a place was last changed, in nanoseconds since 1970; 0 when that cannot be told.
    pub fn modified(&self, place: &Place) -> i128 {
        self.door
            .stat(&place.relative)
            .map_or(0, |stat| i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec))
    }

    /// Makes all the changes or none. Every `before` is compared with what is on disk (`Stale` when it
    /// differs), then every file is replaced by an atomic rename of a synced temporary file in the same
    /// directory; modes are kept, missing parents made. When one step fails, those before it are taken back.
    ///
    /// A name that is a link has the file behind it replaced and stays a link. A file with several names
    /// (hard links) loses that tie: only the name that was given leads to the new content. Set-id bits,
    /// access lists and extended attributes are not carried over.
    pub fn apply(&self, changes: &[Change]) -> Result<(), WorkspaceError> {
        apply::apply(self, changes)
    }

    /// The same for contents that need not be text; a mode is set where one is given.
    fn replace(&self, replacements: &[apply::Replacement]) -> Result<(), WorkspaceError> {
        apply::replace(self, replacements)
    }

    /// Notes that the model has seen this content of this file.
    pub fn note_seen(&self, place: &Place, hash: [u8; 32]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(place.relative.clone(), hash);
    }

    /// The hash the model saw last, if any.
    pub fn seen(&self, place: &Place) -> Option<[u8; 32]> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&place.relative).copied()
    }

    fn read_with_stat(&self, path: &str) -> Result<(Content, rustix::fs::Stat), WorkspaceError> {
        let (file, stat) = self.door.file(path)?;
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let too_large = |size| WorkspaceError::TooLarge(path.to_owned(), size, MAX_FILE);
        if size > MAX_FILE {
            return Err(too_large(size));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        // The size is what it was a moment ago; the cap holds whatever the file does meanwhile.
        file.take(MAX_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| WorkspaceError::Io { path: path.to_owned(), source })?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(too_large(bytes.len() as u64));
        }
        let hash = hash_of(&bytes);
        Ok((Content { bytes, hash }, stat))
    }
}

/// SHA-256, as [`Content::hash`] and [`Workspace::seen`] have it.
pub fn hash_of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A path without `.` and `..`, by its text alone; `None` when it climbs above where it starts.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    let mut depth = 0_usize;
    for component in path.components() {
        match component {
            Component::Normal(name) => {
                out.push(name);
                depth += 1;
            }
            Component::ParentDir => {
                depth = depth.checked_sub(1)?;
                out.pop();
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => out.push(component),
        }
    }
    Some(out)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests set the stage with plain files")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A workspace `in` with a neighbour `out`; links of every kind between them.
    pub(super) fn stage() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("in");
        for folder in ["in/a/b", "in/real", "out", "in-sibling"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        fs::write(root.join("a/b/f"), "inside").unwrap();
        fs::write(root.join("real/x"), "x").unwrap();
        fs::write(root.join(".env"), "KEY=FAKE-canary").unwrap();
        fs::write(dir.path().join("out/secret"), "FAKE-canary").unwrap();
        symlink("real", root.join("dirlink")).unwrap();
        symlink("a/b/f", root.join("filelink")).unwrap();
        symlink("../../real/x", root.join("a/b/up")).unwrap();
        symlink(root.join("real"), root.join("absolute")).unwrap();
        symlink("../out", root.join("leaves")).unwrap();
        symlink("../out/secret", root.join("leaves-file")).unwrap();
        symlink("/etc/passwd", root.join("leaves-far")).unwrap();
        symlink("../out/nothing", root.join("leaves-dangling")).unwrap();
        symlink("nothing", root.join("dangling")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink(".env", root.join("notes.txt")).unwrap();
        symlink("a/../../out/secret", root.join("leaves-dots")).unwrap();
        let workspace = Workspace::open(&root).unwrap();
        (dir, workspace)
    }

    fn both() -> (tempfile::TempDir, [Workspace; 2]) {
        let (dir, kernel) = stage();
        let walk = Workspace::open(kernel.root()).unwrap();
        let door = Arc::into_inner(walk.door).unwrap().without_kernel();
        let walk = Workspace { root: walk.root, door: Arc::new(door), seen: walk.seen };
        (dir, [kernel, walk])
    }

    #[test]
    fn resolves_what_stays_inside_with_and_without_the_kernel() {
        let (_dir, workspaces) = both();
        for workspace in &workspaces {
            let root = workspace.root().display().to_string();
            let check = |written: &str, expected: &str| {
                let place = workspace.place(written).unwrap_or_else(|error| panic!("{written}: {error}"));
                assert_eq!(place.as_str(), expected, "{written}");
            };
            for (written, expected) in [
                ("a/b/f", "a/b/f"),
                ("./a//b/./f/", "a/b/f"),
                ("a/../real/x", "real/x"),
                ("missing/../a", "a"),
                ("", "."),
                (".", "."),
                ("a/..", "."),
                ("~/x", "~/x"),
                ("%2e%2e/x", "%2e%2e/x"),
                ("..hidden/...", "..hidden/..."),
                ("not/yet/there", "not/yet/there"),
                ("dirlink/x", "real/x"),
                ("dirlink/new", "real/new"),
                ("filelink", "a/b/f"),
                ("a/b/up", "real/x"),
                ("absolute/x", "real/x"),
                ("dangling", "nothing"),
                ("notes.txt", ".env"),
                ("a/b/f/below-a-file", "a/b/f/below-a-file"),
            ] {
                check(written, expected);
            }
            check(&root, ".");
            check(&format!("{root}/a/b"), "a/b");
            check(&format!("{root}/a/../../in/real"), "real");
        }
    }

    #[test]
    fn refuses_a_path_outside_the_workspace() {
        let (_dir, workspaces) = both();
        for workspace in &workspaces {
            let root = workspace.root().display().to_string();
            for written in [
                "..",
                "../in/a",
                "a/../../out/secret",
                "a/../..",
                "/",
                "/etc/passwd",
                "/../etc/passwd",
                "leaves",
                "leaves/secret",
                "leaves/new/file",
                "leaves-file",
                "leaves-far",
                "leaves-dangling",
                "leaves-dots",
                &format!("{root}-sibling"),
                &format!("{root}/../out"),
                &format!("{root}/.."),
            ] {
                let error = workspace.place(written).unwrap_err();
                assert!(
                    matches!(error, WorkspaceError::Outside(ref path) if path == written),
                    "{written}: {error}"
                );
            }
            assert!(matches!(workspace.place("a\0b"), Err(WorkspaceError::Nul(_))));
            assert!(matches!(workspace.place("loop"), Err(WorkspaceError::NotRegular(..))));
        }
    }

    #[test]
    fn a_link_that_appears_after_the_judgement_is_not_followed() {
        let (dir, workspaces) = both();
        for (number, workspace) in workspaces.iter().enumerate() {
            let name = format!("swapped{number}");
            fs::create_dir(workspace.root().join(&name)).unwrap();
            fs::write(workspace.root().join(&name).join("secret"), "plain").unwrap();
            let place = workspace.place(&format!("{name}/secret")).unwrap();
            assert_eq!(workspace.read(&place).unwrap().bytes, b"plain");
            fs::rename(workspace.root().join(&name), workspace.root().join(format!("{name}-old"))).unwrap();
            symlink(dir.path().join("out"), workspace.root().join(&name)).unwrap();
            assert!(workspace.read(&place).is_err());
            let file = workspace.place("real/x").unwrap();
            fs::remove_file(workspace.root().join("real/x")).unwrap();
            symlink("../.env", workspace.root().join("real/x")).unwrap();
            assert!(matches!(workspace.read(&file), Err(WorkspaceError::NotRegular(_, "a link"))));
            fs::remove_file(workspace.root().join("real/x")).unwrap();
            fs::write(workspace.root().join("real/x"), "x").unwrap();
        }
    }

    #[test]
    fn changes_are_made_without_the_kernels_help_too() {
        let (_dir, workspaces) = both();
        for (number, workspace) in workspaces.iter().enumerate() {
            let change = |path: &str, before: Option<&str>, after: Option<&str>| Change {
                path: path.into(),
                before: before.map(str::to_owned),
                after: after.map(str::to_owned),
                moved_from: None,
            };
            let path = format!("dirlink/new{number}/deep/file");
            workspace.apply(&[change(&path, None, Some("one"))]).unwrap();
            workspace.apply(&[change(&path, Some("one"), Some("two"))]).unwrap();
            assert_eq!(
                fs::read(workspace.root().join(format!("real/new{number}/deep/file"))).unwrap(),
                b"two"
            );
            workspace.apply(&[change(&path, Some("two"), None)]).unwrap();
            let error = workspace.apply(&[change("leaves/x", None, Some("x"))]).unwrap_err();
            assert!(matches!(error, WorkspaceError::Outside(_)), "{error}");
        }
    }

    #[test]
    fn no_race_lets_anything_out_or_in() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let (dir, workspaces) = both();
        let out = dir.path().join("out");
        fs::write(out.join("x"), "FAKE-canary").unwrap();
        for (number, workspace) in workspaces.iter().enumerate() {
            let stop = AtomicBool::new(false);
            let (folder, trap) = (format!("flips{number}"), format!("trap{number}"));
            fs::create_dir(workspace.root().join(&folder)).unwrap();
            fs::write(workspace.root().join(&folder).join("x"), "plain").unwrap();
            symlink(&out, workspace.root().join(&trap)).unwrap();
            std::thread::scope(|scope| {
                let attacker = scope.spawn(|| {
                    let root = fs::File::open(workspace.root()).unwrap();
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    while !stop.load(Ordering::Relaxed) {
                        rustix::fs::renameat_with(&root, folder.as_str(), &root, trap.as_str(), flags)
                            .unwrap();
                    }
                });
                let mut reads = 0;
                for turn in 0..3_000 {
                    if let Ok(place) = workspace.place(&format!("{folder}/x"))
                        && let Ok(content) = workspace.read(&place)
                    {
                        assert_eq!(content.bytes, b"plain");
                        reads += 1;
                    }
                    if turn % 30 == 0 {
                        let path = format!("{folder}/new{turn}");
                        let change =
                            Change { path, before: None, after: Some("new".into()), moved_from: None };
                        let _ = workspace.apply(&[change]);
                    }
                }
                stop.store(true, Ordering::Relaxed);
                attacker.join().unwrap();
                assert!(reads > 0, "the reader never won the race");
            });
            let names: Vec<_> = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names.len(), 2, "something was written outside: {names:?}");
        }
    }

    #[test]
    fn a_root_that_is_swapped_stays_the_folder_that_was_opened() {
        let (dir, workspace) = stage();
        let place = workspace.place("real/x").unwrap();
        fs::rename(workspace.root(), dir.path().join("moved")).unwrap();
        symlink("out", dir.path().join("in")).unwrap();
        assert_eq!(workspace.read(&place).unwrap().bytes, b"x");
    }

    #[test]
    fn refuses_what_is_no_regular_file_at_once() {
        let (_dir, workspaces) = both();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            workspaces[0].root().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(workspaces[0].root().join("socket")).unwrap();
        for workspace in &workspaces {
            for (name, what) in
                [("pipe", "a FIFO"), ("socket", "a socket"), ("a", "a directory"), (".", "a directory")]
            {
                let place = workspace.place(name).unwrap();
                let error = workspace.read(&place).unwrap_err();
                assert!(matches!(error, WorkspaceError::NotRegular(_, is) if is == what), "{name}: {error}");
            }
            assert_eq!(workspace.kind(&workspace.place("pipe").unwrap()).unwrap(), Kind::Special);
            let missing = workspace.place("a/nothing").unwrap();
            assert!(matches!(workspace.read(&missing), Err(WorkspaceError::Missing(_))));
            assert!(matches!(workspace.kind(&missing), Err(WorkspaceError::Missing(_))));
        }
    }

    #[test]
    fn refuses_devices_and_the_systems_own_files() {
        let system = Workspace::open(Path::new("/")).unwrap();
        for path in ["/dev/zero", "/proc/self/environ", "/sys/power/state"] {
            if let Ok(place) = system.place(path) {
                assert!(matches!(system.read(&place), Err(WorkspaceError::NotRegular(..))), "{path}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_leads_out_of_the_workspace(
            parts in proptest::collection::vec(
                proptest::sample::select(vec![
                    "..", ".", "", "a", "b", "f", "x", "dirlink", "absolute", "leaves", "leaves-file", "real", "~",
                    "loop", "up", "secret", "dangling", "leaves-dots", "in", "/", "%2e%2e", "é",
                ]),
                0..8,
            ),
            absolute in any::<bool>(),
        ) {
            let (dir, workspaces) = both();
            let mut path = parts.join("/");
            if absolute {
                path = format!("{}/{path}", workspaces[0].root().display());
            }
            let [kernel, walk] = workspaces.map(|workspace| {
                let place = workspace.place(&path).ok();
                if let Some(place) = &place {
                    // Where the place is, the operating system finds the same file, and it is inside.
                    if let Ok(real) = workspace.root().join(place.as_str()).canonicalize() {
                        assert!(real.starts_with(workspace.root()), "{path} leads to {}", real.display());
                        let again = workspace.place(place.as_str()).unwrap();
                        assert_eq!(&again, place);
                    }
                    if let Ok(content) = workspace.read(place) {
                        assert_ne!(content.bytes, b"FAKE-canary");
                    }
                }
                place
            });
            prop_assert_eq!(kernel, walk);
            drop(dir);
        }
    }
}
