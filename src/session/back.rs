//! What a session changed, shown and taken back while it is open.

use super::Session;
use super::record::RecordError;
use crate::workspace::journal::{Choice, Done};
use std::fmt::Write as _;

impl Session {
    /// What this session changed, as one unified diff with secrets hidden; empty when nothing. Blocks.
    pub fn diff(&self) -> String {
        let (Some(keep), workspace) = (&self.keep, &self.parts.world.workspace) else { return String::new() };
        let mut text = String::new();
        for touch in keep.journal().changes(&Choice::default()) {
            let (diff, changed_since) = keep.journal().diff(workspace, &touch);
            text.push_str(&diff);
            if changed_since {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "# {}: changed again since, by somebody else", touch.path);
            }
        }
        text
    }

    /// Takes back what the last answer that changed something did, or everything; `None` when there is nothing.
    /// What somebody else changed since stays, and then nothing is changed at all. Blocks.
    pub fn undo(&self, all: bool) -> Result<Option<Done>, RecordError> {
        let Some(keep) = &self.keep else { return Ok(None) };
        let journal = keep.journal();
        let mut choices =
            (1..=journal.last_turn()).rev().map(|turn| Choice { turn: Some(turn), ..Choice::default() });
        let choice = if all {
            Some(Choice::default()).filter(|choice| !journal.changes(choice).is_empty())
        } else {
            choices.find(|choice| !journal.changes(choice).is_empty())
        };
        choice.map(|choice| Ok(journal.undo(&self.parts.world.workspace, &choice)?)).transpose()
    }

    /// Takes the last undo back. Blocks.
    pub fn redo(&self) -> Result<Option<Done>, RecordError> {
        let Some(keep) = &self.keep else { return Ok(None) };
        Ok(Some(keep.journal().redo(&self.parts.world.workspace, false)?))
    }
}
