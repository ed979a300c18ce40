//! A workspace, a home and the real binary: what a test of the whole program stands on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A temporary home and workspace.
pub struct Stage {
    home: TempDir,
    workspace: TempDir,
    environment: Vec<(String, String)>,
}

/// How one run of the binary ended.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The result object of `--output-format json`.
    pub fn result(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The lines of `--output-format stream-json`.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(read).collect()
    }

    /// Checks the exit code; shows everything when it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

impl Stage {
    /// An empty workspace.
    pub fn empty() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            workspace: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        }
    }

    /// A workspace that holds these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let stage = Self::empty();
        for (path, text) in files {
            stage.write(path, text);
        }
        stage
    }

    /// A workspace that is a copy of `examples/NAME`.
    pub fn of_example(name: &str) -> Self {
        let stage = Self::empty();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), stage.root());
        stage
    }

    /// Adds to the environment of the binary.
    pub fn env<S: AsRef<str>>(mut self, pairs: &[(&str, S)]) -> Self {
        self.environment
            .extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_ref().to_owned())));
        self
    }

    /// What was added to the environment of the binary.
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// The workspace.
    pub fn root(&self) -> &Path {
        self.workspace.path()
    }

    /// The home directory of the binary.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Writes a file of the workspace.
    #[allow(clippy::disallowed_methods, reason = "the test plays the user")]
    pub fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Reads a file of the workspace.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Every source file of the workspace with its text.
    pub fn tree(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut folders = vec![self.root().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if matches!(name.as_str(), "node_modules" | "__pycache__" | ".git" | "var") {
                    continue;
                }
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else if let Ok(text) = std::fs::read_to_string(&path) {
                    out.insert(path.strip_prefix(self.root()).unwrap().display().to_string(), text);
                }
            }
        }
        out
    }

    /// The binary with these arguments, in the workspace, with nothing of this machine's settings.
    #[allow(clippy::disallowed_methods, reason = "the test starts the real program")]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agent"));
        let keep = ["PATH", "LANG", "LD_LIBRARY_PATH", "PYENV_ROOT", "NVM_DIR"];
        let kept: Vec<(&str, std::ffi::OsString)> =
            keep.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect();
        command.args(args).current_dir(self.root()).env_clear().envs(kept).env("HOME", self.home());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the binary to its end without standard input.
    pub fn agent(&self, args: &[&str]) -> Run {
        self.agent_with_input(args, None)
    }

    /// Runs the binary to its end with more in its environment.
    pub fn agent_in<S: AsRef<str>>(&self, args: &[&str], environment: &[(&str, S)]) -> Run {
        let mut command = self.command(args);
        command.envs(environment.iter().map(|(name, value)| (name, value.as_ref())));
        let output = command.stdin(Stdio::null()).output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the binary to its end.
    pub fn agent_with_input(&self, args: &[&str], input: Option<&str>) -> Run {
        use std::io::Write;
        let mut command = self.command(args);
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let Some(input) = input {
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        }
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        Run {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// The session files below the home, newest last.
    pub fn records(&self) -> Vec<PathBuf> {
        let folder = self.home().join(".local/state/agent/sessions");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut out: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        out.sort();
        out
    }
}

/// Copies a folder, leavings of earlier runs aside.
#[allow(clippy::disallowed_methods, reason = "the test plays the user")]
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name == "__pycache__" || name == "var") {
                continue;
            }
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// Whether a program is on this machine. A missing one is said loudly; in CI it is a failure, since the
/// gate installs what the tests need.
pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    found || skip(&format!("{program} is not on this machine"))
}

/// Says loudly that a test was skipped, and fails it where nothing may be skipped. Always false.
#[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
pub fn skip(reason: &str) -> bool {
    let strict = std::env::var("AGENT_TEST_NO_SKIP").is_ok_and(|value| !value.is_empty());
    assert!(!strict, "nothing may be skipped here: {reason}");
    eprintln!("SKIPPED: {reason}");
    false
}

/// Says loudly that a test does not apply to this run (not: that the machine lacks something). Never fails.
#[allow(clippy::print_stderr, reason = "a test that is passed over must be seen")]
pub fn pass_over(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}
