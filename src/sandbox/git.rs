//! The host-side git verb: commits exactly what it is given, by plumbing alone. It runs no hook and no filter of
//! the repository, starts no helper its settings name, asks nobody, and leaves the working tree as it is.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Settings that are laid over the repository's own, whatever those say.
const SETTINGS: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.pager=cat",
    "core.editor=false",
    "core.sshCommand=false",
    "core.untrackedCache=false",
    "diff.external=",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "advice.detachedHead=false",
];

/// The tree with nothing in it, which every repository has.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Why git did not do it.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The folder is in no repository, or git is not there.
    #[error("{0} is no git checkout that can be used here: {1}")]
    NoRepository(String, String),
    /// A file of the change also holds changes of the user's that cannot be told apart.
    #[error(
        "{0} holds uncommitted changes of yours where the fix changed it as well; commit or stash them first"
    )]
    Overlap(String),
    /// The branch is there already, or its name is none.
    #[error("the branch {0} cannot be made: {1}")]
    Branch(String, String),
    /// A step failed.
    #[error("git {0}: {1}")]
    Step(String, String),
}

/// One file before and after, as bytes; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Workspace-relative path, `/`-separated.
    pub path: String,
    /// As it was before the fix.
    pub before: Option<Vec<u8>>,
    /// As it is now.
    pub after: Option<Vec<u8>>,
    /// Whether it is a program.
    pub executable: bool,
}

/// Where a commit goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// On the branch that is checked out.
    Head,
    /// On a new branch that starts at HEAD; the checkout stays on its own.
    Branch(String),
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Hash of the commit.
    pub commit: String,
    /// The branch it is on; `None` for a detached HEAD.
    pub branch: Option<String>,
    /// What the user should know of the index.
    pub notes: Vec<String>,
}

/// A repository around a workspace.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
    /// The workspace's path below the top of the checkout, empty or ending in `/`.
    prefix: String,
    head: String,
    /// Filters that its settings define: each is switched off by name as well.
    filters: Vec<String>,
}

impl Repository {
    /// Opens the repository that a workspace lies in. It needs a commit to build on.
    pub fn open(root: &Path) -> Result<Self, GitError> {
        let none = |error: GitError| GitError::NoRepository(root.display().to_string(), error.to_string());
        let mut repository = Self::unopened(root);
        repository.filters = repository.filters();
        repository.prefix = repository.words(&["rev-parse", "--show-prefix"], None).map_err(none)?;
        repository.head =
            repository.words(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], None).map_err(none)?;
        Ok(repository)
    }

    fn unopened(root: &Path) -> Self {
        Self { root: root.to_owned(), prefix: String::new(), head: String::new(), filters: Vec::new() }
    }

    /// Hash of the commit that HEAD names.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The branch that is checked out.
    pub fn branch(&self) -> Option<String> {
        self.words(&["symbolic-ref", "--quiet", "--short", "HEAD"], None).ok()
    }

    /// The address of a remote, as the repository's settings have it. Untrusted.
    pub fn remote(&self, name: &str) -> Option<String> {
        self.words(&["config", "--local", "--get", &format!("remote.{name}.url")], None).ok()
    }

    /// Commits these pieces and nothing else. What the user has staged or changed besides stays as it is.
    pub fn commit(&self, pieces: &[Piece], message: &str, target: &Target) -> Result<Committed, GitError> {
        if let Target::Branch(name) = target {
            let bad = |why: &str| GitError::Branch(name.clone(), why.to_owned());
            self.words(&["check-ref-format", "--branch", name], None)
                .map_err(|_| bad("that is no name for one"))?;
            if self.words(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}")], None).is_ok()
            {
                return Err(bad("it is there already"));
            }
        }
        let scratch = tempfile::tempdir().map_err(|error| step("scratch", error))?;
        let index = scratch.path().join("index");
        self.words(&["read-tree", &self.head], Some(&index))?;
        let mut entries = Vec::new();
        for piece in pieces {
            entries.push(self.stage(piece, &index, scratch.path())?);
        }
        let tree = self.words(&["write-tree"], Some(&index))?;
        let commit = self.run(&["commit-tree", &tree, "-p", &self.head], None, message.as_bytes())?;
        let commit = text(&commit);
        let branch = match target {
            Target::Branch(name) => {
                let name_of = format!("refs/heads/{name}");
                self.words(&["update-ref", "-m", "agent: fix", &name_of, &commit, ""], None)?;
                Some(name.clone())
            }
            Target::Head => {
                self.words(&["update-ref", "-m", "agent: fix", "HEAD", &commit, &self.head], None)?;
                self.branch()
            }
        };
        let mut notes = Vec::new();
        if *target == Target::Head {
            for entry in entries {
                notes.extend(self.follow(&entry));
            }
        }
        Ok(Committed { commit, branch, notes })
    }

    /// Pushes a commit to a branch of `url`, from a bare repository of its own, so that no setting of the user's
    /// repository has a say. `authorization` is the value of the header that the server asks for.
    pub fn push(
        &self,
        url: &str,
        commit: &str,
        branch: &str,
        authorization: Option<&str>,
    ) -> Result<(), GitError> {
        let bare = tempfile::tempdir().map_err(|error| step("scratch", error))?;
        let objects = self.words(&["rev-parse", "--path-format=absolute", "--git-path", "objects"], None)?;
        let mut init = base(bare.path());
        init.args(["init", "--quiet", "--bare", "--template=", "."]);
        finish(init, "init", &[])?;
        let alternates = bare.path().join("objects/info");
        std::fs::create_dir_all(&alternates).map_err(|error| step("scratch", error))?;
        #[allow(clippy::disallowed_methods, reason = "a scratch repository of our own")]
        std::fs::write(alternates.join("alternates"), format!("{objects}\n"))
            .map_err(|error| step("scratch", error))?;
        let mut push = base(bare.path());
        for protocol in ["https", "http", "file"] {
            push.args(["-c", &format!("protocol.{protocol}.allow=always")]);
        }
        if let Some(value) = authorization {
            // By environment: arguments are seen by every process of the machine.
            push.env("GIT_CONFIG_COUNT", "1");
            push.env("GIT_CONFIG_KEY_0", "http.extraHeader");
            push.env("GIT_CONFIG_VALUE_0", format!("Authorization: {value}"));
        }
        push.args(["push", "--quiet", "--no-verify", url, &format!("{commit}:refs/heads/{branch}")]);
        finish(push, "push", &[]).map(|_| ())
    }

    /// Makes a worktree beside the checkout, on a new branch. Nothing is checked out through filters or hooks.
    pub fn add_worktree(&self, folder: &Path, branch: &str) -> Result<(), GitError> {
        let folder = folder.to_string_lossy().into_owned();
        let mut add = self.base();
        add.args(["worktree", "add", "--quiet", "-b", branch, &folder, &self.head]);
        finish(add, "worktree add", &[]).map(|_| ())
    }

    /// Names of the filters that settings of the repository define.
    fn filters(&self) -> Vec<String> {
        let list = self.words(&["config", "--name-only", "--get-regexp", r"^filter\."], None);
        let mut names: Vec<String> = list
            .unwrap_or_default()
            .lines()
            .filter_map(|line| Some(line.strip_prefix("filter.")?.rsplit_once('.')?.0.to_owned()))
            .collect();
        names.dedup();
        names
    }

    /// Puts one piece into an index of its own: the fix as it would be on top of HEAD.
    fn stage(&self, piece: &Piece, index: &Path, scratch: &Path) -> Result<Entry, GitError> {
        let path = format!("{}{}", self.prefix, piece.path);
        let was = self.entry_at_head(&path)?;
        let known = match &was {
            Some((_, hash)) => Some(self.run(&["cat-file", "blob", hash], None, b"")?),
            None => None,
        };
        let content = if known == piece.before {
            piece.after.clone()
        } else {
            let (Some(known), Some(before), Some(after)) = (&known, &piece.before, &piece.after) else {
                return Err(GitError::Overlap(piece.path.clone()));
            };
            Some(
                self.merged(known, before, after, scratch)
                    .ok_or_else(|| GitError::Overlap(piece.path.clone()))?,
            )
        };
        let Some(content) = content else {
            self.words(&["update-index", "--force-remove", "--", &path], Some(index))?;
            return Ok(Entry { path, was, is: None });
        };
        let hash = text(&self.run(&["hash-object", "-w", "--no-filters", "--stdin"], None, &content)?);
        let new = if piece.executable { "100755" } else { "100644" };
        let mode = was.as_ref().map_or(new, |(mode, _)| mode.as_str()).to_owned();
        self.words(&["update-index", "--add", "--cacheinfo", &format!("{mode},{hash},{path}")], Some(index))?;
        Ok(Entry { path, was, is: Some((mode, hash)) })
    }

    /// Three texts merged; `None` where they overlap.
    fn merged(&self, known: &[u8], before: &[u8], after: &[u8], scratch: &Path) -> Option<Vec<u8>> {
        let names = ["known", "before", "after"];
        for (name, content) in names.iter().zip([known, before, after]) {
            #[allow(clippy::disallowed_methods, reason = "a scratch folder of our own")]
            std::fs::write(scratch.join(name), content).ok()?;
        }
        let at = |name: &str| scratch.join(name).to_string_lossy().into_owned();
        self.run(&["merge-file", "-p", &at("known"), &at("before"), &at("after")], None, b"").ok()
    }

    fn entry_at_head(&self, path: &str) -> Result<Option<(String, String)>, GitError> {
        let line = self.words(&["ls-tree", "--full-tree", &self.head, "--", path], None)?;
        let mut words = line.split_whitespace();
        Ok(match (words.next(), words.next(), words.next()) {
            (Some(mode), Some("blob"), Some(hash)) => Some((mode.to_owned(), hash.to_owned())),
            _ => None,
        })
    }

    /// Lets the user's index follow the commit for one path, unless the user has staged something there.
    fn follow(&self, entry: &Entry) -> Option<String> {
        let top = format!(":(top,literal){}", entry.path);
        let staged =
            self.words(&["ls-files", "--stage", "--full-name", "--", &top], None).unwrap_or_default();
        let mut words = staged.split_whitespace();
        let now = words.next().zip(words.next()).map(|(mode, hash)| (mode.to_owned(), hash.to_owned()));
        if now != entry.was {
            return Some(format!("{}: what you have staged there was left as it is", entry.path));
        }
        // Paths of --cacheinfo count from the top, those of --force-remove from the folder git runs in.
        let done = if let Some((mode, hash)) = &entry.is {
            self.words(
                &["update-index", "--add", "--cacheinfo", &format!("{mode},{hash},{}", entry.path)],
                None,
            )
        } else {
            let local = entry.path.strip_prefix(&self.prefix).unwrap_or(&entry.path);
            self.words(&["update-index", "--force-remove", "--", local], None)
        };
        done.err().map(|error| format!("{}: the index does not follow: {error}", entry.path))
    }

    /// Output as text without the line end.
    fn words(&self, arguments: &[&str], index: Option<&Path>) -> Result<String, GitError> {
        self.run(arguments, index, b"").map(|bytes| text(&bytes))
    }

    fn base(&self) -> Command {
        let mut command = base(&self.root);
        for name in &self.filters {
            for part in ["clean=", "smudge=", "process=", "required=false"] {
                command.args(["-c", &format!("filter.{name}.{part}")]);
            }
        }
        command
    }

    fn run(&self, arguments: &[&str], index: Option<&Path>, input: &[u8]) -> Result<Vec<u8>, GitError> {
        let mut command = self.base();
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.args(arguments);
        finish(command, arguments.first().copied().unwrap_or_default(), input)
    }
}

/// A path of a commit: as it was in HEAD, as it is in the commit.
struct Entry {
    path: String,
    was: Option<(String, String)>,
    is: Option<(String, String)>,
}

/// git with an environment of ours: from the user's come the search path and, for the name of the author alone,
/// the home.
fn base(folder: &Path) -> Command {
    #[allow(clippy::disallowed_methods, reason = "this is the sandbox: git on the host, by plumbing alone")]
    let mut command = Command::new("git");
    command
        .env_clear()
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env("PATH", search_path(folder));
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        // Attributes name filters, and git runs those even where it only writes an index: take none.
        ("GIT_ATTR_SOURCE", EMPTY_TREE),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        ("GIT_NO_LAZY_FETCH", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_ASKPASS", "false"),
        ("SSH_ASKPASS", "false"),
        ("LC_ALL", "C"),
    ] {
        command.env(name, value);
    }
    let (name, address) = author();
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), &name).env(format!("GIT_{role}_EMAIL"), &address);
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
}

/// The user's search path without the repository and without relative folders.
fn search_path(folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let safe = std::env::split_paths(&path).filter(|entry| entry.is_absolute() && !entry.starts_with(folder));
    std::env::join_paths(safe).unwrap_or_default()
}

/// Who commits: the user, by environment or by the user's own settings; else the agent.
fn author() -> (String, String) {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let settings =
        variable("HOME").and_then(|home| std::fs::read_to_string(Path::new(&home).join(".gitconfig")).ok());
    let settings = settings.unwrap_or_default();
    let mut inside = false;
    let mut found = (None, None);
    for line in settings.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.eq_ignore_ascii_case("[user]");
        } else if inside && let Some((name, value)) = line.split_once('=') {
            let value = Some(value.trim().trim_matches('"').to_owned());
            match name.trim().to_lowercase().as_str() {
                "name" => found.0 = value,
                "email" => found.1 = value,
                _ => {}
            }
        }
    }
    (
        variable("GIT_AUTHOR_NAME").or(found.0).unwrap_or_else(|| "agent".to_owned()),
        variable("GIT_AUTHOR_EMAIL").or(found.1).unwrap_or_else(|| "agent@localhost".to_owned()),
    )
}

fn finish(mut command: Command, name: &str, input: &[u8]) -> Result<Vec<u8>, GitError> {
    let mut child = command.spawn().map_err(|error| step(name, error))?;
    let writer = child.stdin.take().map(|mut pipe| {
        let input = input.to_vec();
        // git may write before it has read everything.
        std::thread::spawn(move || {
            let _ = pipe.write_all(&input);
        })
    });
    let output = child.wait_with_output().map_err(|error| step(name, error))?;
    if let Some(writer) = writer {
        let _ = writer.join();
    }
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().last().unwrap_or("it failed").to_owned();
    Err(GitError::Step(name.to_owned(), crate::text::redact(&said).into_owned()))
}

fn step(name: &str, error: impl std::fmt::Display) -> GitError {
    GitError::Step(name.to_owned(), error.to_string())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests set the stage with plain files and git")]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    fn git(root: &Path, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]);
        command.args(arguments).current_dir(root);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A repository with hostile settings, a change of the user's in the index and one in the working tree.
    fn stage() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        fs::create_dir(&root).unwrap();
        git(&root, &["init", "-q", "-b", "trunk"]);
        fs::write(root.join("app.py"), "one\ntwo\nthree\nfour\nfive\n").unwrap();
        fs::write(root.join("other.py"), "other\n").unwrap();
        fs::write(root.join(".gitattributes"), "*.py filter=evil\n").unwrap();
        git(&root, &["add", "app.py", "other.py", ".gitattributes"]);
        git(&root, &["commit", "-q", "-m", "first"]);
        let trap = folder.path().join("trap.sh");
        let sprung = folder.path().join("sprung");
        fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", sprung.display())).unwrap();
        fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
        for hook in [
            "pre-commit",
            "post-commit",
            "reference-transaction",
            "commit-msg",
            "pre-push",
            "post-checkout",
            "post-index-change",
        ] {
            fs::create_dir_all(root.join(".git/hooks")).unwrap();
            fs::copy(&trap, root.join(".git/hooks").join(hook)).unwrap();
        }
        let trap = trap.display().to_string();
        for (name, value) in [
            ("core.fsmonitor", trap.as_str()),
            ("filter.evil.clean", &trap),
            ("filter.evil.smudge", &trap),
            ("core.sshCommand", &trap),
            ("core.editor", &trap),
            ("core.pager", &trap),
            ("diff.external", &trap),
            ("gpg.program", &trap),
            ("commit.gpgsign", "true"),
            ("credential.helper", &trap),
        ] {
            let mut text = fs::read_to_string(root.join(".git/config")).unwrap();
            let (section, key) = name.rsplit_once('.').unwrap();
            let section = section.replace("filter.evil", "filter \"evil\"");
            writeln!(text, "[{section}]\n\t{key} = {value}").unwrap();
            fs::write(root.join(".git/config"), text).unwrap();
        }
        (folder, root)
    }

    fn piece(path: &str, before: Option<&str>, after: Option<&str>) -> Piece {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Piece { path: path.into(), before: bytes(before), after: bytes(after), executable: false }
    }

    /// Looks at a repository without its settings.
    fn look(root: &Path, arguments: &[&str]) -> String {
        Repository::unopened(root).words(arguments, None).unwrap()
    }

    #[test]
    fn commits_the_fix_and_nothing_else_and_springs_no_trap() {
        let (folder, root) = stage();
        fs::write(root.join("other.py"), "the user's\n").unwrap();
        let hash = look(&root, &["hash-object", "-w", "--no-filters", "other.py"]);
        look(&root, &["update-index", "--cacheinfo", &format!("100644,{hash},other.py")]);
        let before = "one\ntwo\nthree\nfour\nmine\n";
        let after = "ONE\ntwo\nthree\nfour\nmine\n";
        fs::write(root.join("app.py"), after).unwrap();
        let repository = Repository::open(&root).unwrap();
        let pieces = [piece("app.py", Some(before), Some(after)), piece("new.py", None, Some("new\n"))];
        let done = repository.commit(&pieces, "Close it\n", &Target::Head).unwrap();
        assert_eq!(done.branch.as_deref(), Some("trunk"));
        assert_eq!(look(&root, &["rev-parse", "HEAD"]), done.commit);
        let named = look(&root, &["diff-tree", "-r", "--name-only", "--no-commit-id", "HEAD"]);
        assert_eq!(named, "app.py\nnew.py");
        assert_eq!(look(&root, &["cat-file", "blob", "HEAD:app.py"]), "ONE\ntwo\nthree\nfour\nfive");
        assert_eq!(
            look(&root, &["ls-files", "--stage", "other.py"]).split_whitespace().nth(1),
            Some(hash.as_str())
        );
        assert_eq!(fs::read_to_string(root.join("app.py")).unwrap(), after);
        let sprung = fs::read_to_string(folder.path().join("sprung")).unwrap_or_default();
        assert_eq!(sprung, "", "a hook, filter or helper of the repository ran");
    }

    #[test]
    fn a_new_branch_leaves_the_checkout_where_it_is() {
        let (folder, root) = stage();
        let repository = Repository::open(&root).unwrap();
        let all = "one\ntwo\nthree\nfour\nfive\n";
        let pieces = [piece("app.py", Some(all), Some("gone\n"))];
        let done = repository.commit(&pieces, "m", &Target::Branch("fix/it".into())).unwrap();
        assert_eq!(look(&root, &["rev-parse", "HEAD"]), repository.head());
        assert_eq!(look(&root, &["rev-parse", "fix/it"]), done.commit);
        for name in ["fix/it", "--force", "a..b"] {
            let again = repository.commit(&pieces, "m", &Target::Branch(name.into()));
            assert!(matches!(again, Err(GitError::Branch(..))), "{name}: {again:?}");
        }
        let bare = folder.path().join("bare.git");
        fs::create_dir(&bare).unwrap();
        git(&bare, &["init", "-q", "--bare"]);
        repository.push(&bare.display().to_string(), &done.commit, "fix/it", None).unwrap();
        assert_eq!(look(&bare, &["rev-parse", "fix/it"]), done.commit);
        repository.add_worktree(&folder.path().join("beside"), "side").unwrap();
        assert!(folder.path().join("beside/app.py").exists());
        let sprung = fs::read_to_string(folder.path().join("sprung")).unwrap_or_default();
        assert_eq!(sprung, "", "a hook, filter or helper of the repository ran");
    }

    #[test]
    fn refuses_where_the_users_changes_overlap() {
        let (_folder, root) = stage();
        let repository = Repository::open(&root).unwrap();
        let pieces = [piece(
            "app.py",
            Some("MINE\ntwo\nthree\nfour\nfive\n"),
            Some("fixed\ntwo\nthree\nfour\nfive\n"),
        )];
        let refused = repository.commit(&pieces, "m", &Target::Head);
        assert!(matches!(refused, Err(GitError::Overlap(_))), "{refused:?}");
        assert_eq!(look(&root, &["rev-parse", "HEAD"]), repository.head());
        assert!(matches!(Repository::open(Path::new("/")), Err(GitError::NoRepository(..))));
    }
}
