//! Sessions as a person keeps them, and what a session changed.

use super::Desk;
use crate::action::{Action, Change};
use crate::event::Outcome;
use crate::message::{Part, Role};
use crate::prompt;
use crate::session::record::{self, Entry};
use crate::session::{Session, shelf};
use crate::tui::change;
use crate::tui::markdown::Piece;
use crate::tui::state::{Block, Told, Tone};
use crate::wire::Trouble;
use crate::workspace::journal::{Done, Refused};
use std::fmt::Write as _;
use tokio_util::sync::CancellationToken;

/// Blocks of an earlier session that are shown when it goes on.
const MAX_BLOCKS: usize = 200;

impl Desk {
    /// Sessions of this folder, the newest first, without the one at work.
    pub(super) fn sessions(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        let Some(world) = &self.world else { return Ok(()) };
        let mut sessions = record::list(&self.setup.config.state, Some(world.workspace.root()));
        let own = self.session.as_ref().map(|session| session.id().to_owned());
        sessions.retain(|summary| Some(&summary.session_id) != own.as_ref());
        self.door.told(Told::Sessions(sessions));
        Ok(())
    }

    /// Goes on with a session: shows what was said, and waits for words.
    pub(super) async fn resume(&mut self, id: &str, cancel: CancellationToken) -> Result<(), Trouble> {
        let entries = shelf::read(&self.setup.config.state, id)?;
        self.put_away();
        self.ready()?;
        let Some(mut parts) = self.parts.take() else { return Ok(()) };
        parts.cancel = cancel;
        self.join(&mut parts).await;
        let (session, mission) = Session::resume(parts, &self.setup.config.state, id)?;
        self.mission = mission.and_then(|mission| serde_json::from_value(mission).ok());
        self.door.told(Told::Replay(blocks(entries)));
        self.put(session);
        self.facts();
        Ok(())
    }

    /// Goes on with a copy, so that the original stays as it is.
    pub(super) async fn fork(&mut self, cancel: CancellationToken) -> Result<(), Trouble> {
        let Some(session) = &self.session else {
            return Err(Trouble::new(Outcome::Error, "there is nothing to fork yet: no session has begun"));
        };
        let id = shelf::fork(&self.setup.config.state, session.id())?;
        self.put_away();
        self.resume(&id, cancel).await?;
        self.door.told(Told::Done("a copy: what the original changed stays the original's to undo".into()));
        Ok(())
    }

    pub(super) fn rename(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(session) = &self.session else {
            return Err(Trouble::new(Outcome::Error, "there is nothing to name yet: no session has begun"));
        };
        session.rename(name)?;
        self.door.told(Told::Done(format!("named {name}")));
        Ok(())
    }

    pub(super) fn diff(&mut self) {
        let text = self.session.as_ref().map(Session::diff).unwrap_or_default();
        if text.is_empty() {
            self.say_done("this session changed nothing");
        } else {
            self.door.told(Told::Sheet { title: "What this session changed".into(), text });
        }
    }

    pub(super) fn undo(&mut self, all: bool) -> Result<(), Trouble> {
        let done = self.session.as_ref().map(|session| session.undo(all)).transpose()?.flatten();
        match done {
            Some(done) => self.tell_done(&done, "taken back"),
            None => self.say_done("this session has nothing to take back; `agent undo` knows earlier ones"),
        }
        Ok(())
    }

    pub(super) fn redo(&mut self) -> Result<(), Trouble> {
        let done = self.session.as_ref().map(Session::redo).transpose()?.flatten();
        match done {
            Some(done) => self.tell_done(&done, "done again"),
            None => self.say_done("no undo to take back"),
        }
        Ok(())
    }

    fn say_done(&mut self, text: &str) {
        self.door.told(Told::Done(text.to_owned()));
    }

    fn tell_done(&mut self, done: &Done, what: &str) {
        let mut text = String::new();
        for touch in &done.files {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} {}", if done.applied { what } else { "would be" }, touch.path);
        }
        for Refused { path, reason } in &done.refused {
            let _ = writeln!(text, "refused {path}: {reason}");
        }
        for one in &done.uncovered {
            let _ = writeln!(text, "not covered: {one}");
        }
        if !done.applied && !done.refused.is_empty() {
            text.push_str("nothing was changed; `agent undo --partial` goes on with the others\n");
        }
        self.say_done(text.trim_end());
    }

    /// Writes the conversation to a file of the workspace; one that is there already stays.
    pub(super) fn export(&mut self, path: &str, text: String) -> Result<(), Trouble> {
        self.ready()?;
        let Some(world) = &self.world else { return Ok(()) };
        let name = if path.is_empty() {
            let stamp = record::now().replace([':', '.'], "-");
            format!("agent-{}.md", stamp.get(..19).unwrap_or(&stamp))
        } else {
            path.to_owned()
        };
        let path = world.workspace.place(&name)?.as_str().to_owned();
        let change = Change { path: path.clone(), before: None, after: Some(text), moved_from: None };
        world.workspace.apply(&[change])?;
        self.door.told(Told::Done(format!("written to {path}")));
        Ok(())
    }
}

/// A record as the screen would have shown it.
fn blocks(entries: Vec<Entry>) -> Vec<Block> {
    let mut blocks = Vec::new();
    for entry in entries {
        match entry {
            Entry::Message { message } if message.role == Role::Assistant => {
                let text = message.text();
                if !text.trim().is_empty() {
                    blocks.push(Block::Prose(Piece { text, goes_on: false }));
                }
                for call in message.calls() {
                    blocks.push(Block::Note(Tone::Faint, format!("called {}", call.name)));
                }
            }
            Entry::Message { message } => {
                let is_result = message.parts.iter().any(|part| matches!(part, Part::Result(_)));
                let text = message.text();
                let words = prompt::issue_in(&text).trim();
                if !is_result && !words.is_empty() {
                    blocks.push(Block::User(words.to_owned()));
                }
            }
            Entry::Deed { action: Action::Write { changes } } => {
                blocks.extend(changes.iter().map(|one| Block::Change(change::shown(one))));
            }
            Entry::End { outcome, .. } => {
                blocks.push(Block::Note(Tone::Faint, format!("ended: {outcome:?}").to_lowercase()));
            }
            _ => {}
        }
    }
    let more = blocks.len().saturating_sub(MAX_BLOCKS);
    if more > 0 {
        blocks.drain(..more);
        blocks.insert(0, Block::Note(Tone::Faint, format!("… {more} earlier steps")));
    }
    blocks
}
