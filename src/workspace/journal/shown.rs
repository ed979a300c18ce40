//! A file's changes as a diff for people.

use super::{Journal, Touch, Version};
use crate::diff::unified;
use crate::text::redact;
use crate::workspace::Workspace;

impl Journal {
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
