//! The embedded model: no network, no weights. It reads the conversation like any model and answers with
//! the same calls: `scan`, `read`, `edit`, `bash`. What it knows of weaknesses stands in the scan's text.
//!
//! It keeps no state: where it stands follows from the messages alone, so a session resumes like any other.

mod plan;
mod words;

use super::{Delta, Model, ModelError, Request, Stop};
use crate::message::Usage;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;

/// Name of the embedded model.
pub const NAME: &str = "rules";

/// The embedded model.
#[derive(Debug, Default, Clone, Copy)]
pub struct Rules;

/// What it says next.
#[derive(Debug, Clone, PartialEq)]
enum Say {
    /// Calls, side by side, after a word on what they are for.
    Calls(String, Vec<(&'static str, Value)>),
    /// The final message.
    Last(String),
}

impl Model for Rules {
    fn name(&self) -> &'static str {
        NAME
    }

    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Result<Delta, ModelError>> {
        let deltas = deltas(plan::next(&request), request.messages.len());
        stream::iter(deltas.into_iter().map(Ok)).boxed()
    }
}

fn deltas(say: Say, turn: usize) -> Vec<Delta> {
    let mut out = Vec::new();
    let stop = match say {
        Say::Last(text) => {
            out.push(Delta::Text(text));
            Stop::End
        }
        Say::Calls(text, calls) => {
            out.push(Delta::Text(text));
            for (index, (name, args)) in calls.into_iter().enumerate() {
                out.push(Delta::CallStart {
                    index,
                    id: format!("rules_{turn}_{index}"),
                    name: name.to_owned(),
                });
                out.push(Delta::CallArguments { index, fragment: args.to_string() });
                out.push(Delta::CallEnd { index });
            }
            Stop::ToolUse
        }
    };
    out.push(Delta::Usage(Usage::default()));
    out.push(Delta::Stop(stop));
    out
}
