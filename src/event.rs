//! What the house says and asks. Events are plain data: printable, recordable, replayable.

use crate::action::{Action, Change};
use crate::finding::Finding;
use crate::finding::contract::Contract;
use crate::message::Usage;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

/// Something that happened, for whoever watches. Every door renders the same events.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The session begins or goes on.
    Init {
        /// Session id.
        session_id: String,
        /// Absolute workspace root.
        workspace: String,
        /// `provider/model`.
        model: String,
        /// `ask`, `auto`, `read-only` or `yes`.
        mode: String,
        /// What confines commands, in a few words.
        sandbox: String,
    },
    /// The model says something, as it streams.
    Message {
        /// The next piece of text.
        delta: String,
    },
    /// The model thinks, as it streams.
    Thought {
        /// The next piece of text.
        delta: String,
    },
    /// A call was understood and is about to be judged.
    ToolCall {
        /// Call id.
        id: String,
        /// Tool name.
        tool: String,
        /// One line for people.
        title: String,
        /// What it will do; absent when the call could not be understood.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        action: Option<Action>,
    },
    /// A call prints something while it runs.
    ToolUpdate {
        /// Call id.
        id: String,
        /// The next piece of output.
        delta: String,
    },
    /// A call ended.
    ToolResult {
        /// Call id.
        id: String,
        /// Tool name.
        tool: String,
        /// Whether it did what was asked.
        ok: bool,
        /// One line for people.
        summary: String,
        /// Milliseconds from plan to result.
        duration_ms: u64,
    },
    /// What policy or the user decided on a call that was not simply allowed.
    Permission {
        /// Call id.
        id: String,
        /// `allowed`, `denied`.
        verdict: String,
        /// Who decided and by which rule.
        reason: String,
    },
    /// Tokens and cost of the last answer and of the session.
    Usage(Spent),
    /// The model is asked again after a passing fault.
    Retry {
        /// Which try comes next, from 2.
        attempt: u32,
        /// Milliseconds until then.
        wait_ms: u64,
        /// What went wrong.
        reason: String,
    },
    /// Weaknesses the mission is about, before anything changed.
    Findings {
        /// Them.
        findings: Vec<Finding>,
    },
    /// What the change has to keep to: once as the harness computes it, again when the model has its say.
    Contract {
        /// It.
        contract: Contract,
    },
    /// A gate has its answer.
    Verify {
        /// Gate name: `reproduced`, `closed`, `behaviour`, `no_new_weakness`, `scope`.
        gate: String,
        /// `passed`, `failed` or `unknown`.
        status: String,
        /// What was run or compared, and what it gave.
        evidence: String,
    },
    /// What the user said while the model worked has reached it.
    Steered {
        /// The words.
        text: String,
    },
    /// What the harness itself is doing, for whoever waits.
    Status {
        /// A few words: "running `npm test` in the sandbox".
        text: String,
    },
    /// Something the user should know that ends nothing.
    Warning {
        /// One sentence.
        text: String,
    },
}

/// What was used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq)]
pub struct Spent {
    /// Tokens of the last answer.
    #[serde(flatten)]
    pub usage: Usage,
    /// Its cost in US dollars; `None` where the price is not known.
    pub cost_usd: Option<f64>,
    /// Tokens of the session.
    pub total: Usage,
    /// Their cost in US dollars; `None` where one answer's is not known.
    pub total_cost_usd: Option<f64>,
}

/// What the user is asked before something happens.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Question {
    /// Exactly what will happen.
    pub action: Action,
    /// Why it is asked: rule and place.
    pub reason: String,
    /// What "for this session" would cover, in words; absent when it cannot be remembered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remember: Option<String>,
}

/// The user's word on a question.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// This once.
    Once,
    /// This and what `remember` says, until the session ends.
    Session,
    /// No; the sentence, if any, goes to the model.
    Reject(Option<String>),
    /// This once, but these changes in place of the ones that were asked about: a part of them, or an edit.
    /// They are judged anew, and only files of the question may be among them.
    Instead(Vec<Change>),
}

/// How a session's work ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A free prompt was answered.
    Done,
    /// Every gate passed.
    Fixed,
    /// Changed, but a gate is unknown.
    FixedUnverified,
    /// Nothing to fix, with the reason.
    NoChange,
    /// Tried, and a gate failed or the weakness is still there.
    NotFixed,
    /// Something is missing: a model, an answer, a permission.
    Blocked,
    /// Policy or the user denied what was needed.
    Denied,
    /// The provider refused on policy grounds.
    PolicyRefusal,
    /// A budget is used up.
    Budget,
    /// No key, or the model cannot be reached.
    ModelUnavailable,
    /// The user interrupted.
    Cancelled,
    /// Something broke.
    Error,
}

/// Whoever runs a session: a terminal, a pipe, a protocol, a test. The only wire upward.
pub trait Host: Send {
    /// Something happened.
    fn tell(&mut self, event: Event);
    /// Something must be decided.
    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer>;
}
