//! What a call is about to do to the world: proposed by a tool, judged by policy, seen by the user,
//! compared by `perform`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One thing that is about to happen.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Files or folders are looked at.
    Read {
        /// Workspace-relative paths, `/`-separated; `.` is the root.
        paths: Vec<String>,
    },
    /// Files change. The changes hold before and after, so the preview is what will be written.
    Write {
        /// All of them or none of them happen.
        changes: Vec<Change>,
    },
    /// A shell command runs in the sandbox.
    Run {
        /// The command text, as `bash -c` gets it.
        command: String,
        /// Workspace-relative directory it runs in; `.` is the root.
        workdir: String,
        /// Limit in milliseconds.
        timeout_ms: u64,
        /// Whether it goes on after the call returned.
        background: bool,
    },
    /// A page is fetched.
    Fetch {
        /// The whole URL.
        url: String,
        /// Its host as parsed, lower case.
        host: String,
    },
    /// A tool of another process is called.
    Call {
        /// The server's name in the user's settings.
        server: String,
        /// The tool's name there.
        tool: String,
        /// Its arguments, a JSON object as text.
        arguments: String,
    },
    /// A command that is under way reaches a host, which it can then send anything.
    Connect {
        /// The host's name, lower case.
        host: String,
        /// The port.
        port: u16,
        /// The command, as `bash -c` got it.
        command: String,
    },
    /// One value that is hidden goes to the model, in one request.
    Reveal {
        /// Workspace-relative path of the file it stands in.
        path: String,
        /// Its line, from 1.
        line: u64,
        /// What it was taken for: `github-token`, `assignment`, `value`, …
        kind: String,
        /// Its length in bytes.
        bytes: u64,
    },
}

/// One file before and after.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Change {
    /// Workspace-relative path, `/`-separated.
    pub path: String,
    /// Text before; `None` when the file is new.
    pub before: Option<String>,
    /// Text after; `None` when the file goes.
    pub after: Option<String>,
    /// Where the file was before, when it moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
}

impl Action {
    /// Whether nothing but looking happens, inside the workspace.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Action::Read { .. })
    }

    /// SHA-256 over the whole action: a permit is for this and nothing else.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        // Serialising plain data to JSON cannot fail; an empty text would only make a permit useless.
        hasher.update(serde_json::to_vec(self).unwrap_or_default());
        hasher.finalize().into()
    }

    /// The same action with its texts passed through `map`, for showing and recording.
    #[must_use]
    pub fn map_text(mut self, map: &dyn Fn(&str) -> String) -> Self {
        match &mut self {
            Action::Write { changes } => {
                for text in
                    changes.iter_mut().flat_map(|change| [&mut change.before, &mut change.after]).flatten()
                {
                    *text = map(text);
                }
            }
            Action::Run { command, .. } | Action::Connect { command, .. } => *command = map(command),
            Action::Fetch { url, .. } => *url = map(url),
            Action::Call { arguments, .. } => *arguments = map(arguments),
            Action::Read { .. } | Action::Reveal { .. } => {}
        }
        self
    }

    /// One line for people: `edit src/app.py`, `run pytest -q`.
    pub fn title(&self) -> String {
        match self {
            Action::Read { paths } => format!("read {}", paths.join(", ")),
            Action::Write { changes } => {
                let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
                format!("write {}", paths.join(", "))
            }
            Action::Run { command, workdir, .. } if workdir == "." => format!("run {command}"),
            Action::Run { command, workdir, .. } => format!("run {command} (in {workdir})"),
            Action::Fetch { url, .. } => format!("fetch {url}"),
            Action::Call { server, tool, arguments } => format!("call {server}/{tool} {arguments}"),
            Action::Connect { host, port, .. } => format!("reach {host}:{port}"),
            Action::Reveal { path, line, kind, bytes } => {
                format!("show the model the hidden value at {path}:{line} ({kind}, {bytes} bytes), once")
            }
        }
    }
}
