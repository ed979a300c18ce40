//! The conversation as data: what was said, what was called, what came back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A tool as the model is told of it: the text of one file in `tools/`, sent as it stands.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Spec {
    /// Name the model calls it by.
    pub name: String,
    /// What it does, at most 60 words.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person, the mission, or the harness (tool results travel in user messages).
    User,
    /// The model.
    Assistant,
}

/// One turn of one speaker.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

/// A piece of a message.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Part {
    /// Plain text.
    Text {
        /// The text.
        text: String,
    },
    /// The model's reasoning; `raw` is the provider's own block, carried back unchanged.
    Reasoning {
        /// Readable text, may be empty.
        text: String,
        /// The provider's block as received.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        raw: Option<Value>,
    },
    /// The model calls a tool.
    Call(ToolCall),
    /// What the call gave.
    Result(ToolResult),
}

/// A call as the model wrote it.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ToolCall {
    /// The provider's id, or one of ours where it gave none.
    pub id: String,
    /// Tool name as called.
    pub name: String,
    /// Arguments as the text the model wrote: JSON when all went well, kept as it was when not.
    pub arguments: String,
}

/// The answer to a call.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ToolResult {
    /// Id of the call it answers.
    pub call_id: String,
    /// Tool name as called.
    pub name: String,
    /// What the model reads.
    pub text: String,
    /// Whether the call failed.
    #[serde(default)]
    pub is_error: bool,
    /// What it shows beside the text, for models that see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
}

/// A picture.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Image {
    /// `image/png` and the like.
    pub media_type: String,
    /// Its bytes in Base64.
    pub base64: String,
}

/// Tokens, as the provider counted them.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens that were not read from a cache.
    pub input: u64,
    /// Input tokens read from a cache.
    pub cached: u64,
    /// Input tokens written to a cache.
    pub cache_write: u64,
    /// Output tokens, reasoning included.
    pub output: u64,
    /// Of the output, reasoning tokens.
    pub reasoning: u64,
}

impl Usage {
    /// Adds another answer's usage to this one.
    pub fn add(&mut self, other: Usage) {
        self.input += other.input;
        self.cached += other.cached;
        self.cache_write += other.cache_write;
        self.output += other.output;
        self.reasoning += other.reasoning;
    }
}

impl Usage {
    /// All tokens, input and output, from a cache or not.
    pub fn tokens(self) -> u64 {
        self.input + self.cached + self.cache_write + self.output
    }
}

/// What a model costs, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input that was not read from a cache.
    pub input: f64,
    /// Output, reasoning included.
    pub output: f64,
    /// Input read from a cache; as `input` when absent.
    #[serde(default)]
    pub cached: Option<f64>,
    /// Input written to a cache; as `input` when absent.
    #[serde(default)]
    pub cache_write: Option<f64>,
}

impl Price {
    /// What `usage` costs, in US dollars.
    pub fn of(self, usage: Usage) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "no count of tokens comes near 2^52")]
        let millions = |tokens: u64| tokens as f64 / 1e6;
        millions(usage.input) * self.input
            + millions(usage.cached) * self.cached.unwrap_or(self.input)
            + millions(usage.cache_write) * self.cache_write.unwrap_or(self.input)
            + millions(usage.output) * self.output
    }
}

impl Message {
    /// A user message of one text.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, parts: vec![Part::Text { text: text.into() }] }
    }

    /// The calls in this message, in order.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        self.parts.iter().filter_map(|part| match part {
            Part::Call(call) => Some(call),
            _ => None,
        })
    }

    /// The results in this message, in order.
    pub fn results(&self) -> impl Iterator<Item = &ToolResult> {
        self.parts.iter().filter_map(|part| match part {
            Part::Result(result) => Some(result),
            _ => None,
        })
    }

    /// All plain text of the message, joined.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Text { text } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("")
    }
}

impl Message {
    /// The message with every readable text passed through `map`: texts, results, and the strings within a
    /// call's arguments. What the provider wants back unchanged (`raw`) stays as it is.
    #[must_use]
    pub fn map_text(mut self, map: &dyn Fn(&str) -> String) -> Self {
        for part in &mut self.parts {
            match part {
                Part::Text { text } | Part::Reasoning { text, raw: None } => *text = map(text),
                Part::Result(result) => result.text = map(&result.text),
                Part::Call(call) => match serde_json::from_str::<Value>(&call.arguments) {
                    Ok(mut value) => {
                        if map_strings(&mut value, map) {
                            call.arguments = value.to_string();
                        }
                    }
                    Err(_) => call.arguments = map(&call.arguments),
                },
                Part::Reasoning { .. } => {}
            }
        }
        self
    }
}

/// Maps every string in a value, keys aside; tells whether any changed.
pub fn map_strings(value: &mut Value, map: &dyn Fn(&str) -> String) -> bool {
    match value {
        Value::String(text) => {
            let mapped = map(text);
            let changed = mapped != *text;
            *text = mapped;
            changed
        }
        Value::Array(items) => items.iter_mut().fold(false, |changed, item| map_strings(item, map) | changed),
        Value::Object(fields) => {
            fields.values_mut().fold(false, |changed, item| map_strings(item, map) | changed)
        }
        _ => false,
    }
}

/// Makes a history valid to send: every call gets exactly one result right after it, results without a
/// call and empty messages go, neighbours of one role are joined. The messages of a valid history are
/// returned as they were, so that a prompt cache keeps its prefix.
pub fn repair(history: &[Message]) -> Vec<Message> {
    let mut out: Vec<Message> = Vec::with_capacity(history.len());
    for message in history {
        let mut parts = message.parts.clone();
        if message.role == Role::User {
            let owed = owed_calls(&out);
            parts.retain(|part| match part {
                Part::Result(result) => owed.iter().any(|call| call.id == result.call_id),
                _ => true,
            });
            let mut seen = Vec::new();
            parts.retain(|part| match part {
                Part::Result(result) if seen.contains(&result.call_id) => false,
                Part::Result(result) => {
                    seen.push(result.call_id.clone());
                    true
                }
                _ => true,
            });
            let missing = owed.iter().filter(|call| !seen.contains(&call.id)).map(interrupted);
            let at = seen.len();
            // Results come first: some wires demand them right behind their calls.
            parts.sort_by_key(|part| !matches!(part, Part::Result(_)));
            let missing: Vec<Part> = missing.collect();
            parts.splice(at..at, missing);
        } else {
            settle(&mut out);
        }
        if parts.is_empty() {
            continue;
        }
        match out.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(parts),
            _ => out.push(Message { role: message.role, parts }),
        }
    }
    settle(&mut out);
    out
}

/// The calls of the last message, if it is the model's: they are owed a result.
fn owed_calls(out: &[Message]) -> Vec<ToolCall> {
    out.last()
        .filter(|last| last.role == Role::Assistant)
        .map_or_else(Vec::new, |last| last.calls().cloned().collect())
}

/// Answers whatever the last message still owes.
fn settle(out: &mut Vec<Message>) {
    let parts: Vec<Part> = owed_calls(out).iter().map(interrupted).collect();
    if !parts.is_empty() {
        out.push(Message { role: Role::User, parts });
    }
}

fn interrupted(call: &ToolCall) -> Part {
    Part::Result(ToolResult {
        call_id: call.id.clone(),
        name: call.name.clone(),
        text: "interrupted before it gave a result; it may or may not have taken effect".into(),
        is_error: true,
        images: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(id: &str) -> Part {
        Part::Call(ToolCall { id: id.into(), name: "read".into(), arguments: "{}".into() })
    }

    fn result(id: &str) -> Part {
        Part::Result(ToolResult {
            call_id: id.into(),
            name: "read".into(),
            text: "ok".into(),
            is_error: false,
            images: Vec::new(),
        })
    }

    fn text(text: &str) -> Part {
        Part::Text { text: text.into() }
    }

    fn user(parts: Vec<Part>) -> Message {
        Message { role: Role::User, parts }
    }

    fn assistant(parts: Vec<Part>) -> Message {
        Message { role: Role::Assistant, parts }
    }

    /// One letter a part, a message a word: `u` text, `a` text, `c1` call, `r1` result, `x1` made-up result.
    fn shape(history: &[Message]) -> String {
        let parts = |message: &Message| {
            let letters: Vec<String> = message
                .parts
                .iter()
                .map(|part| match part {
                    Part::Call(call) => format!("c{}", call.id),
                    Part::Result(result) if result.is_error => format!("x{}", result.call_id),
                    Part::Result(result) => format!("r{}", result.call_id),
                    _ if message.role == Role::User => "u".into(),
                    _ => "a".into(),
                })
                .collect();
            letters.concat()
        };
        history.iter().map(parts).collect::<Vec<_>>().join(" ")
    }

    fn check(history: &[Message], expected: &str) {
        let repaired = repair(history);
        assert_eq!(shape(&repaired), expected);
        assert_eq!(repair(&repaired), repaired, "a second repair changes nothing");
    }

    #[test]
    fn leaves_a_valid_history_as_it_is() {
        let history = [
            user(vec![text("go")]),
            assistant(vec![text("ok"), call("1"), call("2")]),
            user(vec![result("1"), result("2")]),
        ];
        assert_eq!(repair(&history), history);
        check(&history, "u ac1c2 r1r2");
    }

    #[test]
    fn gives_every_call_exactly_one_result() {
        check(&[user(vec![text("go")]), assistant(vec![call("1")])], "u c1 x1");
        check(
            &[user(vec![text("go")]), assistant(vec![call("1"), call("2")]), user(vec![result("2")])],
            "u c1c2 r2x1",
        );
        check(&[user(vec![text("go")]), assistant(vec![call("1")]), user(vec![text("and?")])], "u c1 x1u");
        check(
            &[
                user(vec![text("go")]),
                assistant(vec![call("1")]),
                user(vec![text("b"), result("1"), result("1")]),
            ],
            "u c1 r1u",
        );
        check(
            &[user(vec![text("go")]), assistant(vec![call("1")]), assistant(vec![text("so")])],
            "u c1 x1 a",
        );
    }

    #[test]
    fn drops_results_without_a_call_and_joins_neighbours() {
        check(&[user(vec![text("go")]), user(vec![result("9")]), assistant(vec![text("ok")])], "u a");
        check(&[user(vec![text("a")]), user(vec![text("b")])], "uu");
        check(&[user(vec![text("a")]), assistant(vec![]), user(vec![text("b")])], "uu");
    }

    #[test]
    fn maps_the_strings_of_arguments_and_keeps_them_json() {
        let shout = |text: &str| text.to_uppercase();
        let message = assistant(vec![Part::Call(ToolCall {
            id: "1".into(),
            name: "x".into(),
            arguments: r#"{"a":["b",{"c":"d"}],"n":1}"#.into(),
        })]);
        let mapped = message.map_text(&shout);
        assert_eq!(
            mapped.calls().next().map(|call| call.arguments.as_str()),
            Some(r#"{"a":["B",{"c":"D"}],"n":1}"#)
        );
    }
}
