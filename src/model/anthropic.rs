//! Anthropic Messages.

use super::fault::{Said, Trouble};
use super::http::{Answered, Auth, Endpoint, Reader, Stage};
use super::json::{Text, as_object, as_word, count};
use super::sse::Frame;
use super::{Delta, Model, ModelError, Request, Stop};
use crate::message::{Message, Part, Usage};
use futures_util::stream::BoxStream;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;

/// Anthropic's own base URL.
pub const BASE_URL: &str = "https://api.anthropic.com";

/// A model behind Messages.
pub struct Anthropic {
    name: String,
    model: String,
    endpoint: Endpoint,
}

impl Anthropic {
    /// Model `model` at `base_url`, with or without its `/v1`.
    pub fn new(model: &str, base_url: &Url, key: SecretString) -> Result<Self, ModelError> {
        let mut url = base_url.clone();
        let path = url.path().trim_end_matches('/').trim_end_matches("/messages");
        let path = path.strip_suffix("/v1").unwrap_or(path).to_owned();
        url.set_path(&format!("{path}/v1/messages"));
        let endpoint = Endpoint::new(url, key, Auth::ApiKey)?.with_header("anthropic-version", "2023-06-01");
        Ok(Self { name: format!("anthropic/{model}"), model: model.to_owned(), endpoint })
    }

    /// The same with another idle limit.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.endpoint = self.endpoint.with_idle(idle);
        self
    }

    /// The request's body. The messages come last and each is written the same way every time, so a
    /// longer conversation only adds to the bytes of a shorter one. That is why the cache mark of the
    /// last message stands at the top, where the provider moves it along by itself: a mark inside the
    /// messages would have to be taken back in the next request.
    pub fn body(&self, request: &Request<'_>) -> Value {
        let mut body = json!({
            "model": self.model,
            "max_tokens": request.max_output,
            "stream": true,
            "cache_control": mark(),
        });
        if !request.tools.is_empty() {
            let mut tools: Vec<Value> = request
                .tools
                .iter()
                .map(|spec| {
                    json!({"name": spec.name, "description": spec.description,
                        "input_schema": spec.parameters})
                })
                .collect();
            if let Some(last) = tools.last_mut() {
                last["cache_control"] = mark();
            }
            body["tools"] = Value::Array(tools);
        }
        if !request.system.is_empty() {
            body["system"] = json!([{"type": "text", "text": request.system, "cache_control": mark()}]);
        }
        body["messages"] = request.messages.iter().filter_map(write_message).collect();
        body
    }
}

impl Model for Anthropic {
    fn name(&self) -> &str {
        &self.name
    }

    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Answered> {
        // Plain data always serialises.
        let body = serde_json::to_vec(&self.body(&request)).unwrap_or_default();
        self.endpoint.converse(body, Listener::default())
    }
}

fn mark() -> Value {
    json!({"type": "ephemeral"})
}

fn write_message(message: &Message) -> Option<Value> {
    let content: Vec<Value> = message.parts.iter().filter_map(write_part).collect();
    (!content.is_empty()).then(|| json!({"role": message.role, "content": content}))
}

fn write_part(part: &Part) -> Option<Value> {
    match part {
        // The wire rejects blank text.
        Part::Text { text } if text.trim().is_empty() => None,
        Part::Text { text } => Some(json!({"type": "text", "text": text})),
        // Only this wire's own blocks: another provider's would be rejected, and unsigned text too.
        Part::Reasoning { raw, .. } => raw
            .as_ref()
            .filter(|raw| matches!(raw["type"].as_str(), Some("thinking" | "redacted_thinking")))
            .cloned(),
        Part::Call(call) => {
            Some(json!({"type": "tool_use", "id": as_word(&call.id), "name": as_word(&call.name),
            "input": as_object(&call.arguments)}))
        }
        Part::Result(result) => {
            let text = if result.text.trim().is_empty() { "(nothing)" } else { &result.text };
            let mut content = vec![json!({"type": "text", "text": text})];
            content.extend(result.images.iter().map(|image| {
                json!({"type": "image", "source": {"type": "base64", "media_type": image.media_type,
                    "data": image.base64}})
            }));
            let mut block = json!({"type": "tool_result", "tool_use_id": as_word(&result.call_id),
                "content": content});
            if result.is_error {
                block["is_error"] = Value::Bool(true);
            }
            Some(block)
        }
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Text<'a>,
    #[serde(default)]
    index: usize,
    #[serde(borrow, default)]
    delta: Option<Change<'a>>,
    #[serde(default)]
    content_block: Option<Value>,
    #[serde(default)]
    message: Option<Value>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(borrow, default)]
    thinking: Text<'a>,
    #[serde(borrow, default)]
    signature: Text<'a>,
    #[serde(borrow, default)]
    partial_json: Text<'a>,
    #[serde(borrow, default)]
    stop_reason: Text<'a>,
    #[serde(default)]
    stop_details: Option<Value>,
}

/// A content block as it grows.
enum Block {
    Text,
    Thinking {
        block: Value,
        text: String,
        signature: String,
    },
    Call {
        number: usize,
        input: Value,
        grown: bool,
    },
    /// A kind nobody here knows; skipped.
    Other,
}

/// Listens to one answer.
#[derive(Default)]
struct Listener {
    open: Vec<(usize, Block)>,
    calls: usize,
    usage: Usage,
    stop: String,
    why: String,
    said: bool,
    closed: bool,
}

impl Reader for Listener {
    fn read(&mut self, frame: &Frame, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        // Some proxies close with the other wire's word.
        if frame.data.is_empty() || frame.data.trim() == "[DONE]" {
            return Ok(());
        }
        let event: Event = serde_json::from_str(&frame.data)
            .map_err(|error| Trouble::Protocol(format!("an event that is not a message event: {error}")))?;
        match &*event.kind.0 {
            "message_start" => {
                if let Some(usage) = event.message.as_ref().and_then(|message| message.get("usage")) {
                    self.hear_usage(usage, out);
                }
            }
            "content_block_start" => self.open_block(event.index, event.content_block, out),
            "content_block_delta" => {
                if let Some(change) = event.delta {
                    self.grow_block(event.index, change, out);
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.open.iter().position(|(index, _)| *index == event.index) {
                    let (_, block) = self.open.remove(at);
                    close_block(block, out);
                }
            }
            "message_delta" => {
                if let Some(change) = event.delta {
                    self.hear_stop(change);
                }
                if let Some(usage) = &event.usage {
                    self.hear_usage(usage, out);
                }
            }
            "message_stop" => self.closed = true,
            "error" => return Err(Trouble::Said(Said::in_event(&event.error.unwrap_or_default()))),
            // `ping`, and whatever comes next.
            _ => {}
        }
        Ok(())
    }

    fn stage(&self) -> Stage {
        match (self.closed, self.stop.is_empty()) {
            (true, _) => Stage::Closed,
            (false, false) => Stage::Answered,
            (false, true) => Stage::Open,
        }
    }

    fn finish(&mut self, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        if self.stop.is_empty() && !self.closed {
            return Err(Trouble::Cut("the stream ended before the answer did".into()));
        }
        let cut_short = self.stop == "max_tokens";
        for (_, block) in self.open.drain(..) {
            // A call that was cut before its first argument must not pass for one without arguments.
            if !(cut_short && matches!(block, Block::Call { grown: false, .. })) {
                close_block(block, out);
            }
        }
        let stop = match self.stop.as_str() {
            "max_tokens" => Stop::MaxTokens,
            "refusal" if self.why.is_empty() => Stop::Refusal("the provider gave no reason".into()),
            "refusal" => Stop::Refusal(std::mem::take(&mut self.why)),
            "model_context_window_exceeded" => {
                return Err(Trouble::Said(Said {
                    status: 400,
                    code: "context_length_exceeded".into(),
                    message: "the answer ran into the end of the context window".into(),
                    retry_after: None,
                }));
            }
            _ if self.calls > 0 => Stop::ToolUse,
            _ if self.said => Stop::End,
            _ => return Err(Trouble::Cut("the answer is empty".into())),
        };
        out.push_back(Delta::Stop(stop));
        Ok(())
    }
}

impl Listener {
    fn open_block(&mut self, index: usize, start: Option<Value>, out: &mut VecDeque<Delta>) {
        let start = start.unwrap_or_default();
        let text = |field: &str| start[field].as_str().unwrap_or_default().to_owned();
        let block = match start["type"].as_str() {
            Some("text") => {
                self.say(text("text"), out);
                Block::Text
            }
            Some("thinking") => {
                self.said = true;
                Block::Thinking { text: text("thinking"), signature: text("signature"), block: start }
            }
            Some("redacted_thinking") => {
                self.said = true;
                out.push_back(Delta::ReasoningBlock(start));
                Block::Other
            }
            Some("tool_use") => {
                let number = self.calls;
                self.calls += 1;
                out.push_back(Delta::CallStart { index: number, id: text("id"), name: text("name") });
                Block::Call { number, input: start["input"].clone(), grown: false }
            }
            _ => Block::Other,
        };
        self.open.push((index, block));
    }

    fn grow_block(&mut self, index: usize, change: Change<'_>, out: &mut VecDeque<Delta>) {
        let block = self.open.iter_mut().rev().find(|(known, _)| *known == index).map(|(_, block)| block);
        match (&*change.kind.0, block) {
            ("text_delta", _) => self.say(change.text.0.into_owned(), out),
            ("thinking_delta", Some(Block::Thinking { text, .. })) => {
                text.push_str(&change.thinking.0);
                if !change.thinking.0.is_empty() {
                    out.push_back(Delta::Reasoning(change.thinking.0.into_owned()));
                }
            }
            ("signature_delta", Some(Block::Thinking { signature, .. })) => {
                signature.push_str(&change.signature.0);
            }
            ("input_json_delta", Some(Block::Call { number, grown, .. }))
                if !change.partial_json.0.is_empty() =>
            {
                *grown = true;
                let fragment = change.partial_json.0.into_owned();
                out.push_back(Delta::CallArguments { index: *number, fragment });
            }
            _ => {}
        }
    }

    fn say(&mut self, text: String, out: &mut VecDeque<Delta>) {
        if !text.is_empty() {
            self.said = true;
            out.push_back(Delta::Text(text));
        }
    }

    fn hear_stop(&mut self, change: Change<'_>) {
        if !change.stop_reason.0.is_empty() {
            self.stop = change.stop_reason.0.into_owned();
        }
        if let Some(why) = change.stop_details.as_ref().and_then(|details| details["explanation"].as_str()) {
            why.clone_into(&mut self.why);
        }
    }

    /// Counts are running totals; a later event may leave out what an earlier one said.
    fn hear_usage(&mut self, usage: &Value, out: &mut VecDeque<Delta>) {
        let known = self.usage;
        self.usage = Usage {
            input: count(usage, "/input_tokens").max(known.input),
            cached: count(usage, "/cache_read_input_tokens").max(known.cached),
            cache_write: count(usage, "/cache_creation_input_tokens").max(known.cache_write),
            output: count(usage, "/output_tokens").max(known.output),
            reasoning: count(usage, "/output_tokens_details/thinking_tokens").max(known.reasoning),
        };
        if self.usage != known {
            out.push_back(Delta::Usage(self.usage));
        }
    }
}

fn close_block(block: Block, out: &mut VecDeque<Delta>) {
    match block {
        Block::Thinking { mut block, text, signature } => {
            block["thinking"] = Value::String(text);
            block["signature"] = Value::String(signature);
            out.push_back(Delta::ReasoningBlock(block));
        }
        Block::Call { number, input, grown } => {
            // Some servers send the arguments whole with the block's start.
            if !grown && input.as_object().is_some_and(|input| !input.is_empty()) {
                out.push_back(Delta::CallArguments { index: number, fragment: input.to_string() });
            }
            out.push_back(Delta::CallEnd { index: number });
        }
        Block::Text | Block::Other => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Role, ToolCall, ToolResult};

    fn listen(events: &[&str]) -> Result<Vec<Delta>, Trouble> {
        let mut listener = Listener::default();
        let mut out = VecDeque::new();
        for data in events {
            listener.read(&Frame { event: String::new(), data: (*data).into() }, &mut out)?;
        }
        listener.finish(&mut out)?;
        Ok(out.into())
    }

    #[test]
    fn servers_that_send_arguments_whole_or_forget_an_end_are_understood() {
        let expected = vec![
            Delta::CallStart { index: 0, id: "a".into(), name: "x".into() },
            Delta::CallArguments { index: 0, fragment: r#"{"k":1}"#.into() },
            Delta::CallEnd { index: 0 },
            Delta::Stop(Stop::ToolUse),
        ];
        let start = r#"{"type":"content_block_start","index":0,
            "content_block":{"type":"tool_use","id":"a","name":"x","input":{"k":1}}}"#;
        let stop = r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#;
        assert_eq!(listen(&[start, stop, r#"{"type":"message_stop"}"#]).as_ref(), Ok(&expected));
        assert_eq!(listen(&[start, stop, "[DONE]"]).as_ref(), Ok(&expected));
        assert_eq!(listen(&[start, r#"{"type":"message_stop"}"#]).as_ref(), Ok(&expected));
        assert!(matches!(listen(&[start]), Err(Trouble::Cut(_))));
    }

    #[test]
    fn blocks_and_deltas_nobody_knows_are_skipped() {
        let got = listen(&[
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"brand_new","x":[1]}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"brand_new_delta","x":1}}"#,
            r#"{"type":"content_block_delta","index":7,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_stop","index":9}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"hi"}}"#,
            r#"{"type":"brand_new"}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":null}"#,
            r#"{"type":"message_stop"}"#,
        ]);
        assert_eq!(got, Ok(vec![Delta::Text("hi".into()), Delta::Stop(Stop::End)]));
    }

    #[test]
    fn messages_are_written_as_the_wire_takes_them() {
        let check = |part: Part, expected: Value| {
            let message = Message { role: Role::Assistant, parts: vec![part] };
            let expected = (!expected.is_null()).then(|| json!({"role": "assistant", "content": [expected]}));
            assert_eq!(write_message(&message), expected);
        };
        let reasoning = |raw: Option<Value>| Part::Reasoning { text: "t".into(), raw };
        let sealed = json!({"type": "redacted_thinking", "data": "x"});
        check(Part::Text { text: "a".into() }, json!({"type": "text", "text": "a"}));
        check(Part::Text { text: " \n".into() }, Value::Null);
        check(reasoning(Some(sealed.clone())), sealed);
        check(reasoning(None), Value::Null);
        check(reasoning(Some(json!({"reasoning_content": "t"}))), Value::Null);
        let call =
            ToolCall { id: "functions.read:0".into(), name: "read".into(), arguments: "{broken".into() };
        check(
            Part::Call(call),
            json!({"type": "tool_use", "id": "functions_read_0", "name": "read",
                "input": {"invalid_arguments": "{broken"}}),
        );
        let result = ToolResult {
            call_id: "functions.read:0".into(),
            name: "read".into(),
            text: String::new(),
            is_error: true,
            images: Vec::new(),
        };
        check(
            Part::Result(result),
            json!({"type": "tool_result", "tool_use_id": "functions_read_0",
                "content": [{"type": "text", "text": "(nothing)"}], "is_error": true}),
        );
    }
}
