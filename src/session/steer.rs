//! What the user says while the model works: it waits here until the next answer is asked for. Another mode
//! holds from the next call on.

use crate::policy::Mode;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A queue of the user's words, shared by the session and whoever shows it.
#[derive(Debug, Clone, Default)]
pub struct Steering {
    words: Arc<Mutex<VecDeque<String>>>,
    mode: Arc<Mutex<Option<Mode>>>,
}

impl Steering {
    /// Adds words to the end.
    pub fn push(&self, text: impl Into<String>) {
        self.lock().push_back(text.into());
    }

    /// Takes the last words back, if they still wait.
    pub fn recall(&self) -> Option<String> {
        self.lock().pop_back()
    }

    /// What waits, first first.
    pub fn waiting(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    /// Changes how much happens without asking, from the next call on.
    pub fn switch(&self, mode: Mode) {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner) = Some(mode);
    }

    /// The mode that was asked for since the last look.
    pub(super) fn switched(&self) -> Option<Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes everything that waits.
    pub(super) fn drain(&self) -> Vec<String> {
        self.lock().drain(..).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        // A thread that died holding it left a whole queue: pushes and pops are single steps.
        self.words.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
