//! The journal for people: what changed as a diff, and what became of taking it back in words.

use super::super::Workspace;
use super::{Choice, Done, Journal, JournalError, Refused, Touch, Version};
use crate::diff::unified;
use crate::text::redact;
use std::fmt::Write as _;
use std::path::Path;

/// What one file went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Workspace-relative path.
    pub path: String,
    /// `created`, `removed` or `changed`.
    pub change: &'static str,
    /// A unified diff from before the agent to what it left, secrets hidden; or a line that says why not.
    pub diff: String,
    /// Whether what the agent left is no longer what is there.
    pub changed_since: bool,
}

impl Touch {
    /// `A`, `D` or `M`.
    pub fn sign(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "A",
            (_, None) => "D",
            _ => "M",
        }
    }

    /// `created`, `removed` or `changed`.
    pub fn change(&self) -> &'static str {
        match self.sign() {
            "A" => "created",
            "D" => "removed",
            _ => "changed",
        }
    }
}

impl Done {
    /// `done`, `partial`, `nothing` or `refused`.
    pub fn status(&self) -> &'static str {
        match (self.applied, self.refused.is_empty()) {
            (true, true) => "done",
            (true, false) => "partial",
            (false, true) => "nothing",
            (false, false) => "refused",
        }
    }

    /// A line for every file and what became of it, then how many there were, without a line's end.
    pub fn render(&self) -> String {
        let mut text = String::new();
        if self.applied {
            for touch in &self.files {
                let _ = writeln!(text, "{} {}", touch.sign(), touch.path);
            }
        }
        for Refused { path, reason } in &self.refused {
            let _ = writeln!(text, "refused {path}: {reason}");
        }
        for one in &self.uncovered {
            let _ = writeln!(text, "not covered: {one}");
        }
        text + &match self.status() {
            "nothing" => "nothing to do".to_owned(),
            "refused" if self.files.is_empty() => "nothing was changed".to_owned(),
            "refused" => {
                format!("nothing was changed; --partial goes on with the other {}", counted(self.files.len()))
            }
            _ => counted(self.files.len()),
        }
    }
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

impl Journal {
    /// What the chosen steps changed, file by file.
    pub fn show(&self, workspace: &Workspace, choice: &Choice) -> Vec<Shown> {
        let show = |touch: Touch| {
            let (diff, changed_since) = self.diff(workspace, &touch);
            Shown { change: touch.change(), diff, changed_since, path: touch.path }
        };
        self.changes(choice).into_iter().map(show).collect()
    }

    /// What the journal does not cover, as it was noted.
    pub fn uncovered(&self) -> Vec<String> {
        let mut uncovered: Vec<String> = self.steps().into_iter().flat_map(|step| step.uncovered).collect();
        uncovered.dedup();
        uncovered
    }

    /// Forgets everything that was kept of a session: nothing of it can be taken back after that.
    pub fn forget(state: &Path, session_id: &str) -> Result<(), JournalError> {
        let folder = state.join("journal").join(session_id);
        #[allow(clippy::disallowed_methods, reason = "a folder of the state, not of a workspace")]
        match std::fs::remove_dir_all(&folder) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(JournalError::Io { path: folder.display().to_string(), source })
            }
            _ => Ok(()),
        }
    }

    /// One file's diff with secrets hidden, and whether what the agent left is no longer what is there.
    pub fn diff(&self, workspace: &Workspace, touch: &Touch) -> (String, bool) {
        let current = workspace.place(&touch.path).and_then(|place| workspace.read(&place)).ok();
        let changed_since =
            current.as_ref().map(|content| content.hash) != touch.after.as_ref().map(|v| v.hash);
        let kept = |version: &Option<Version>| version.as_ref().map(|version| self.content(version));
        let before = kept(&touch.before);
        let after = match (&touch.after, changed_since) {
            (Some(_), false) => Some(current.map(|content| content.bytes)),
            (after, _) => kept(after),
        };
        let gone = |side: &Option<Option<Vec<u8>>>| matches!(side, Some(None));
        if gone(&before) || gone(&after) {
            return (format!("# {}: a content is no longer kept\n", touch.path), changed_since);
        }
        let text = |side: &Option<Option<Vec<u8>>>| -> Option<Result<String, ()>> {
            let bytes = side.as_ref()?.as_ref()?;
            let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
            // Both sides are hidden before they are compared: a key's lines are one secret, a diff's are not.
            Some(text.map(|text| redact(text).into_owned()).ok_or(()))
        };
        let diff = match (text(&before), text(&after)) {
            (Some(Err(())), _) | (_, Some(Err(()))) => format!("# {}: a binary file differs\n", touch.path),
            (before, after) => {
                let (before, after) = (before.and_then(Result::ok), after.and_then(Result::ok));
                let diff = unified(&touch.path, before.as_deref(), after.as_deref());
                if diff.is_empty() {
                    format!("# {}: its mode or a hidden part differs\n", touch.path)
                } else {
                    diff
                }
            }
        };
        (diff, changed_since)
    }
}
