//! What makes deeds safe: the workspace is ours alone, and what a deed changes is in the journal before it happens.

use super::record::RecordError;
use crate::action::Action;
use crate::tool::{ToolError, ToolOutput, World};
use crate::workspace::journal::{Choice, Journal, JournalError};
use crate::workspace::lock::Lock;
use std::path::Path;
use std::sync::Arc;

/// The most files that a result names as not covered by undo.
const NAMED: usize = 8;

impl super::Session {
    /// The files that were changed, made or removed, by tools or by commands, as they were before; `None` where
    /// there was none.
    pub fn befores(&self) -> Vec<(String, Option<Vec<u8>>)> {
        self.keep.as_ref().map(Keep::befores).unwrap_or_default()
    }
}

/// The lock and the journal of a session that may change something.
pub(super) struct Keep {
    journal: Arc<Journal>,
    /// The model's answers of earlier stretches of work.
    turns: u32,
    _lock: Lock,
}

impl Keep {
    /// Takes the workspace. What a session that was cut off left behind is settled and swept away first.
    pub(super) fn take(world: &World, state: &Path, id: &str) -> Result<Self, RecordError> {
        let (lock, left) = Lock::take(state, world.workspace.root(), id)?;
        if let Some(left) = left.filter(|left| left.session_id != id) {
            // Another session's journal may be damaged or gone; that is no reason not to work.
            let _ = Journal::open(state, &left.session_id, &world.workspace);
        }
        let journal = Journal::open(state, id, &world.workspace)?;
        Ok(Self { turns: journal.last_turn(), journal: Arc::new(journal), _lock: lock })
    }

    /// The journal's turns that are not of this stretch of work.
    pub(super) fn earlier_turns(&self) -> u32 {
        self.turns
    }

    /// The same with another count of earlier turns.
    pub(super) fn counting_from(self, turns: u32) -> Self {
        Self { turns, ..self }
    }

    /// Keeps what `action` is about to change; the step's number, if it changes files.
    pub(super) async fn begin(
        &self,
        world: &Arc<World>,
        action: &Action,
        turn: u32,
    ) -> Result<Option<u32>, ToolError> {
        let (world, action, turn) = (Arc::clone(world), action.clone(), self.turns + turn);
        let begun = self.work(move |journal| journal.begin(&world.workspace, &action, turn)).await;
        begun.map_err(|error| {
            ToolError::Failed(format!("{error}; nothing was changed, since it could not be undone"))
        })
    }

    /// Notes how a step ended, and says in the result what undo does not cover.
    pub(super) async fn settle(
        &self,
        world: &Arc<World>,
        step: u32,
        action: &Action,
        outcome: Result<ToolOutput, ToolError>,
    ) -> Result<ToolOutput, ToolError> {
        let (world, well) = (Arc::clone(world), outcome.is_ok());
        let settled = self.work(move |journal| journal.settle(&world.workspace, step, well)).await;
        let mut notes = match settled {
            Ok(uncovered) => uncovered,
            Err(error) => vec![format!("all of it: {error}")],
        };
        if matches!(action, Action::Run { background: true, .. }) {
            notes.push("what this command changes from now on".to_owned());
        }
        let more = notes.len().saturating_sub(NAMED);
        notes.truncate(NAMED);
        if more > 0 {
            notes.push(format!("{more} more"));
        }
        if notes.is_empty() {
            return outcome;
        }
        let note = format!("[not covered by undo: {}]", notes.join("; "));
        match outcome {
            Ok(output) => Ok(ToolOutput { text: format!("{}\n{note}", output.text), ..output }),
            Err(ToolError::Failed(text)) => Err(ToolError::Failed(format!("{text}\n{note}"))),
            other @ Err(_) => other,
        }
    }

    /// What was changed, and what it takes to undo it.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The files that commands or tools changed, made or removed since the session began, as they were.
    pub(super) fn befores(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let touched = self.journal.changes(&Choice::default());
        touched
            .into_iter()
            .filter_map(|touch| {
                let before = match &touch.before {
                    Some(version) => Some(self.journal.content(version)?),
                    None => None,
                };
                Some((touch.path, before))
            })
            .collect()
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, ToolError> {
        let journal = Arc::clone(&self.journal);
        match tokio::task::spawn_blocking(move || work(&journal)).await {
            Ok(done) => done.map_err(|error| ToolError::Failed(error.to_string())),
            Err(error) => Err(ToolError::Failed(format!("the journal broke: {error}"))),
        }
    }
}
