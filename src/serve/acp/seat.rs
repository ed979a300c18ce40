//! One session of a connection: the session itself, and what is known of it while it works.

use super::options::Choices;
use crate::config::Config;
use crate::config::command::Command;
use crate::policy::Mode;
use crate::session::{Session, Steering};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// A session somebody may prompt.
pub(super) struct Seat {
    pub(super) id: String,
    /// Its canonical workspace.
    pub(super) root: PathBuf,
    pub(super) config: Config,
    /// The commands that files hold.
    pub(super) commands: Vec<Command>,
    /// Held while a turn runs. Between turns the session rests: it holds no lock on the workspace.
    pub(super) session: Arc<tokio::sync::Mutex<Session>>,
    steering: Steering,
    now: Mutex<Now>,
}

/// What changes while it is open.
struct Now {
    choices: Choices,
    /// Interrupts the turn under way; absent when there is none.
    turn: Option<CancellationToken>,
    /// What the user said no to for good.
    rejected: BTreeSet<String>,
    /// Whether it has a name of its own or one was made for it.
    titled: bool,
}

impl Seat {
    pub(super) fn new(session: Session, config: Config, choices: Choices, commands: Vec<Command>) -> Self {
        Self {
            id: session.id().to_owned(),
            root: session.world().workspace.root().to_owned(),
            config,
            commands,
            steering: session.steering(),
            now: Mutex::new(Now {
                choices,
                turn: None,
                rejected: BTreeSet::new(),
                titled: !session.history().is_empty(),
            }),
            session: Arc::new(tokio::sync::Mutex::new(session)),
        }
    }

    /// What may be chosen and is.
    pub(super) fn choices(&self) -> Choices {
        self.now().choices.clone()
    }

    /// Chooses a mode; a turn under way goes on in it from its next call.
    pub(super) fn choose_mode(&self, mode: Mode) {
        let mut now = self.now();
        now.choices.mode = mode;
        if now.turn.is_some() {
            self.steering.switch(mode);
        }
    }

    /// Chooses the model of the next turn.
    pub(super) fn choose_model(&self, name: &str) {
        name.clone_into(&mut self.now().choices.model);
    }

    /// Begins a turn; `None` while another one runs.
    pub(super) fn begin_turn(&self) -> Option<CancellationToken> {
        let mut now = self.now();
        if now.turn.is_some() {
            return None;
        }
        let token = CancellationToken::new();
        now.turn = Some(token.clone());
        Some(token)
    }

    /// The turn is over.
    pub(super) fn end_turn(&self) {
        self.now().turn = None;
    }

    /// Interrupts the turn under way, if there is one.
    pub(super) fn cancel(&self) {
        if let Some(turn) = &self.now().turn {
            turn.cancel();
        }
    }

    /// Whether a turn is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.now().turn.is_some()
    }

    /// The user never wants to be asked for `what` again.
    pub(super) fn reject_always(&self, what: String) {
        self.now().rejected.insert(what);
    }

    /// Whether the user said no to `what` for good.
    pub(super) fn is_rejected(&self, what: &str) -> bool {
        self.now().rejected.contains(what)
    }

    /// True once: when the session is said something for the first time.
    pub(super) fn wants_title(&self) -> bool {
        !std::mem::replace(&mut self.now().titled, true)
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // Every change is a single step: a thread that died in one left whole data.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
