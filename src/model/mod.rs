//! Request in, deltas out: every model speaks through one trait.

pub mod sse;
pub mod json;
pub mod fault;
pub mod http;
pub mod openai;
pub mod anthropic;
pub mod responses;
pub mod gemini;
pub mod price;
pub mod listing;
pub mod window;
pub mod choose;
pub mod retry;
pub mod rules;

use crate::message::{Message, Part, Role, Spec, ToolCall, Usage};
use futures_util::stream::BoxStream;
use serde_json::Value;
use std::time::Duration;

/// What a model is sent. Borrowed: the history is never copied for a request.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// System prompt.
    pub system: &'a str,
    /// Tools on offer, in a stable order.
    pub tools: &'a [&'static Spec],
    /// The conversation, valid to send (see [`crate::message::repair`]).
    pub messages: &'a [Message],
    /// Most tokens to answer with.
    pub max_output: u32,
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// Visible text.
    Text(String),
    /// Reasoning text, for display.
    Reasoning(String),
    /// A finished reasoning block as the provider wants it back.
    ReasoningBlock(Value),
    /// A tool call begins. `index` tells parallel calls apart within one answer.
    CallStart {
        /// Position within the answer.
        index: usize,
        /// Provider's id; empty when it gives none.
        id: String,
        /// Tool name.
        name: String,
    },
    /// More of a call's arguments.
    CallArguments {
        /// Position within the answer.
        index: usize,
        /// Next piece of JSON text.
        fragment: String,
    },
    /// A call is complete and can be planned.
    CallEnd {
        /// Position within the answer.
        index: usize,
    },
    /// Tokens so far; the last one counts.
    Usage(Usage),
    /// The answer is complete. A stream that ends without this was cut.
    Stop(Stop),
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It has said what it had to say.
    End,
    /// It waits for results.
    ToolUse,
    /// It ran into the output limit.
    MaxTokens,
    /// The provider refused on policy grounds.
    Refusal(String),
}

/// Why there is no answer. Messages hold no key, no header, no body beyond a short excerpt.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ModelError {
    /// Not reachable: connection refused, DNS, TLS, reset.
    #[error("cannot reach the model at {host}: {reason}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The transport's word.
        reason: String,
    },
    /// The stream ended or stalled before its terminal event.
    #[error("the answer was cut: {0}")]
    Cut(String),
    /// 408, 429, 5xx, 529: worth another try.
    #[error("the model is busy (HTTP {status}): {reason}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// Provider's message.
        reason: String,
        /// What `retry-after` asked for.
        retry_after: Option<Duration>,
    },
    /// 401, 403, no key.
    #[error("the model refused the key: {0}")]
    Auth(String),
    /// 400, 404, 422 and the like: the same request would fail again.
    #[error("the model rejected the request (HTTP {status}): {reason}")]
    Rejected {
        /// HTTP status.
        status: u16,
        /// Provider's message.
        reason: String,
    },
    /// The conversation no longer fits the model's window.
    #[error("the conversation is longer than the model's window: {0}")]
    Overflow(String),
    /// Quota or credit is used up: trying again does not help.
    #[error("the model's quota is used up: {0}")]
    Quota(String),
    /// Not what this wire speaks: an HTML page, broken JSON in an event, a line without end.
    #[error("the server at {host} does not speak this protocol: {reason}")]
    Protocol {
        /// Host and port.
        host: String,
        /// What came instead.
        reason: String,
    },
    /// The model's name or settings do not say whom to ask.
    #[error("no model to ask: {0}")]
    Unusable(String),
}

/// A mind: something that reads a conversation and answers.
pub trait Model: Send + Sync {
    /// `provider/model`, for people and records.
    fn name(&self) -> &str;
    /// Answers one request. Dropping the stream ends the request.
    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Result<Delta, ModelError>>;
}

/// Builds the assistant's message out of deltas.
#[derive(Debug, Default)]
pub struct Assembly {
    parts: Vec<Part>,
    calls: Vec<(usize, usize)>,
    /// Tokens of this answer.
    pub usage: Usage,
    /// Why it stopped; `None` while it goes on.
    pub stop: Option<Stop>,
}

impl Assembly {
    /// Takes one delta in. Gives the call that just became complete, if one did.
    pub fn push(&mut self, delta: &Delta) -> Option<ToolCall> {
        match delta {
            Delta::Text(text) => match self.parts.last_mut() {
                Some(Part::Text { text: last }) => last.push_str(text),
                _ => self.parts.push(Part::Text { text: text.clone() }),
            },
            Delta::Reasoning(text) => match self.parts.last_mut() {
                Some(Part::Reasoning { text: last, raw: None }) => last.push_str(text),
                _ => self.parts.push(Part::Reasoning { text: text.clone(), raw: None }),
            },
            Delta::ReasoningBlock(block) => match self.parts.last_mut() {
                Some(Part::Reasoning { raw: raw @ None, .. }) => *raw = Some(block.clone()),
                _ => self.parts.push(Part::Reasoning { text: String::new(), raw: Some(block.clone()) }),
            },
            Delta::CallStart { index, id, name } => {
                let id = if id.is_empty() {
                    format!("call_{}", uuid::Uuid::now_v7().simple())
                } else {
                    id.clone()
                };
                self.calls.push((*index, self.parts.len()));
                self.parts.push(Part::Call(ToolCall { id, name: name.clone(), arguments: String::new() }));
            }
            Delta::CallArguments { index, fragment } => {
                if let Some(call) = self.call_mut(*index) {
                    call.arguments.push_str(fragment);
                }
            }
            Delta::CallEnd { index } => return self.call_mut(*index).map(|call| call.clone()),
            Delta::Usage(usage) => self.usage = *usage,
            Delta::Stop(stop) => self.stop = Some(stop.clone()),
        }
        None
    }

    fn call_mut(&mut self, index: usize) -> Option<&mut ToolCall> {
        let (_, at) = self.calls.iter().rev().find(|(known, _)| *known == index)?;
        match self.parts.get_mut(*at) {
            Some(Part::Call(call)) => Some(call),
            _ => None,
        }
    }

    /// The message so far.
    pub fn message(self) -> Message {
        Message { role: Role::Assistant, parts: self.parts }
    }
}
