//! Neutral turns to what each wire says: the server-sent events of one answer.

use serde_json::{Value, json};

/// Which protocol an answer is spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI Chat Completions, `/v1/chat/completions`.
    OpenAi,
    /// Anthropic Messages, `/v1/messages`.
    Anthropic,
}

impl Wire {
    /// Both, for conformance tables.
    pub const ALL: [Wire; 2] = [Wire::OpenAi, Wire::Anthropic];
}

/// What goes wrong with a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An error status with the wire's own error body.
    Status {
        /// HTTP status.
        status: u16,
        /// Error type and code, such as `rate_limit_error` or `insufficient_quota`.
        code: String,
        /// Error message.
        message: String,
        /// Extra response headers, such as `("retry-after", "1")`.
        headers: Vec<(String, String)>,
    },
    /// An error status with the `Authorization`/`x-api-key` value echoed in the message.
    EchoKey(u16),
    /// The connection is reset before any byte of an answer.
    ResetAtOnce,
    /// Half of the events, then a TCP reset.
    Reset,
    /// Half of the events, then silence.
    Stall,
    /// Headers never come.
    StallAtOnce,
    /// Half of the events, then a well-formed end of the body.
    CleanEnd,
    /// The last events are cut in the middle of a line, then a well-formed end of the body.
    HalfEvent,
    /// The arguments of every call lack their last bytes, and the answer ends as if all were well.
    BrokenArguments,
    /// An answer with nothing in it, ended properly.
    Empty,
    /// An event stream of no bytes at all.
    NoEvents,
    /// HTTP 200 and an HTML page.
    Html,
    /// HTTP 200 and a JSON document that is no event stream.
    Json(String),
    /// One line of this many bytes without an end.
    GiganticLine(usize),
    /// An event whose data is not JSON.
    BrokenEvent,
    /// An error event in the middle of the stream: type and message.
    ErrorEvent(String, String),
    /// A redirect to this address.
    Redirect(String),
}

impl Fault {
    /// A status with a plain error body.
    pub fn status(status: u16) -> Self {
        Fault::error(status, "server_error", "something went wrong")
    }

    /// A status with a code and a message.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Fault::Status { status, code: code.into(), message: message.into(), headers: Vec::new() }
    }

    /// The same with one more header.
    pub fn with_header(self, name: &str, value: &str) -> Self {
        match self {
            Fault::Status { status, code, message, mut headers } => {
                headers.push((name.into(), value.into()));
                Fault::Status { status, code, message, headers }
            }
            other => other,
        }
    }
}

/// One answer of the scripted model.
#[derive(Debug, Clone)]
pub struct Turn {
    pub(super) thinking: Option<(String, String)>,
    pub(super) redacted: Option<String>,
    pub(super) text: String,
    pub(super) calls: Vec<(String, Value)>,
    pub(super) stop: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) tokens: Tokens,
    pub(super) delta: usize,
    pub(super) write: Option<usize>,
    pub(super) crlf: bool,
    pub(super) bom: bool,
    pub(super) noise: bool,
    pub(super) done: bool,
    pub(super) whole_arguments: bool,
    pub(super) without_ids: bool,
    pub(super) pause_ms: u64,
    pub(super) hangs_up: bool,
    pub(super) faults: Vec<Fault>,
    pub(super) always: Option<Fault>,
}

/// Token figures as a provider counts them.
#[derive(Debug, Clone, Copy)]
pub struct Tokens {
    /// Input not from a cache.
    pub input: u64,
    /// Input read from a cache.
    pub cached: u64,
    /// Input written to a cache (Anthropic only).
    pub cache_write: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Reasoning (OpenAI only).
    pub reasoning: u64,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            thinking: None,
            redacted: None,
            text: String::new(),
            calls: Vec::new(),
            stop: None,
            refusal: None,
            tokens: Tokens { input: 100, cached: 0, cache_write: 0, output: 10, reasoning: 0 },
            delta: 16,
            write: None,
            crlf: false,
            bom: false,
            noise: false,
            done: true,
            whole_arguments: false,
            without_ids: false,
            pause_ms: 0,
            hangs_up: false,
            faults: Vec::new(),
            always: None,
        }
    }
}

impl Turn {
    /// A final answer.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Tool calls, side by side.
    pub fn calls<N: Into<String>>(calls: impl IntoIterator<Item = (N, Value)>) -> Self {
        Self {
            calls: calls.into_iter().map(|(name, arguments)| (name.into(), arguments)).collect(),
            ..Self::default()
        }
    }

    /// One tool call.
    pub fn call(name: &str, arguments: Value) -> Self {
        Self::calls([(name, arguments)])
    }

    /// The provider's policy says no.
    pub fn refusal(why: &str) -> Self {
        Self { refusal: Some(why.into()), ..Self::default() }
    }

    /// Says this before the calls.
    pub fn saying(mut self, text: &str) -> Self {
        self.text = text.into();
        self
    }

    /// Thinks first; the signature is sent on the wires that have one.
    pub fn thinking(mut self, text: &str, signature: &str) -> Self {
        self.thinking = Some((text.into(), signature.into()));
        self
    }

    /// A redacted thinking block comes first (Anthropic only).
    pub fn redacted(mut self, sealed: &str) -> Self {
        self.redacted = Some(sealed.into());
        self
    }

    /// Token figures.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// The wire's own stop reason instead of the fitting one.
    pub fn stopping(mut self, reason: &str) -> Self {
        self.stop = Some(reason.into());
        self
    }

    /// Bytes of text or arguments per event; 16 unless said.
    pub fn in_deltas_of(mut self, bytes: usize) -> Self {
        self.delta = bytes.max(1);
        self
    }

    /// Bytes per write to the socket, whatever they split; whole events unless said.
    pub fn in_writes_of(mut self, bytes: usize) -> Self {
        self.write = Some(bytes.max(1));
        self
    }

    /// Lines end with CR LF.
    pub fn with_crlf(mut self) -> Self {
        self.crlf = true;
        self
    }

    /// The stream opens with a byte order mark.
    pub fn with_bom(mut self) -> Self {
        self.bom = true;
        self
    }

    /// Comments, keep-alives, unknown events and unknown fields lie between the events.
    pub fn with_noise(mut self) -> Self {
        self.noise = true;
        self
    }

    /// No `[DONE]` at the end (OpenAI only).
    pub fn without_done(mut self) -> Self {
        self.done = false;
        self
    }

    /// Arguments come at once and as an object, not as text (OpenAI only).
    pub fn with_whole_arguments(mut self) -> Self {
        self.whole_arguments = true;
        self
    }

    /// Calls have neither id nor index (OpenAI only).
    pub fn without_ids(mut self) -> Self {
        self.without_ids = true;
        self
    }

    /// Milliseconds to wait before every event.
    pub fn paced(mut self, ms: u64) -> Self {
        self.pause_ms = ms;
        self
    }

    /// The connection is closed, unannounced, behind the answer.
    pub fn hanging_up(mut self) -> Self {
        self.hangs_up = true;
        self
    }

    /// Goes wrong the first time it is asked for; several faults are played one after the other.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Goes wrong every time.
    pub fn always(mut self, fault: Fault) -> Self {
        self.always = Some(fault);
        self
    }

    /// Whether a fault of it is silence.
    pub fn is_silent(&self) -> bool {
        self.faults.iter().chain(&self.always).any(|fault| matches!(fault, Fault::Stall | Fault::StallAtOnce))
    }

    /// The fault to play on try number `tried` (from 0).
    pub(super) fn fault_at(&self, tried: usize) -> Option<&Fault> {
        self.always.as_ref().or_else(|| self.faults.get(tried))
    }

    /// The events of this answer, each with its closing blank line.
    pub(super) fn events(&self, wire: Wire, fault: Option<&Fault>) -> Vec<String> {
        let mut turn = self.clone();
        if fault == Some(&Fault::Empty) {
            turn = Turn { done: self.done, ..Turn::default() };
        }
        let broken = fault == Some(&Fault::BrokenArguments);
        let mut events = match wire {
            Wire::OpenAi => turn.openai(broken),
            Wire::Anthropic => turn.anthropic(broken),
        };
        if self.noise {
            events = events.into_iter().flat_map(|event| [NOISE.to_owned(), event]).collect();
        }
        if self.crlf {
            for event in &mut events {
                *event = event.replace('\n', "\r\n");
            }
        }
        if self.bom
            && let Some(first) = events.first_mut()
        {
            first.insert(0, '\u{feff}');
        }
        events
    }

    fn openai(&self, broken: bool) -> Vec<String> {
        let mut events = Vec::new();
        let chunk = |delta: Value, finish: Value| {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
            data(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1,
                "model": "scripted", "choices": [choice]}))
        };
        events.push(chunk(json!({"role": "assistant", "content": ""}), Value::Null));
        if let Some((thinking, _)) = &self.thinking {
            for piece in pieces(thinking, self.delta) {
                events.push(chunk(json!({"reasoning_content": piece}), Value::Null));
            }
        }
        for piece in pieces(&self.text, self.delta) {
            events.push(chunk(json!({"content": piece}), Value::Null));
        }
        if let Some(why) = &self.refusal {
            events.push(chunk(json!({"refusal": why}), Value::Null));
        }
        for (index, (name, arguments)) in self.calls.iter().enumerate() {
            let id = call_id(index, arguments);
            if self.without_ids {
                let call = json!({"function": {"name": name, "arguments": arguments.to_string()}});
                events.push(chunk(json!({"tool_calls": [call]}), Value::Null));
                continue;
            }
            if self.whole_arguments {
                let call =
                    json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}});
                events.push(chunk(json!({"tool_calls": [call]}), Value::Null));
                continue;
            }
            let opening = json!({"index": index, "id": id, "type": "function",
                "function": {"name": name, "arguments": ""}});
            events.push(chunk(json!({"tool_calls": [opening]}), Value::Null));
            for piece in pieces(&written(arguments, broken), self.delta) {
                let call = json!({"index": index, "function": {"arguments": piece}});
                events.push(chunk(json!({"tool_calls": [call]}), Value::Null));
            }
        }
        let fitting = if self.calls.is_empty() { "stop" } else { "tool_calls" };
        let finish = self.stop.as_deref().unwrap_or(fitting);
        events.push(chunk(json!({}), json!(finish)));
        let tokens = self.tokens;
        events.push(data(&json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [],
            "usage": {"prompt_tokens": tokens.input + tokens.cached, "completion_tokens": tokens.output,
                "total_tokens": tokens.input + tokens.cached + tokens.output,
                "prompt_tokens_details": {"cached_tokens": tokens.cached},
                "completion_tokens_details": {"reasoning_tokens": tokens.reasoning}}})));
        if self.done {
            events.push("data: [DONE]\n\n".into());
        }
        events
    }

    fn anthropic(&self, broken: bool) -> Vec<String> {
        let tokens = self.tokens;
        let mut events = vec![named(
            "message_start",
            json!({"message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted",
                "content": [], "stop_reason": null, "usage": {"input_tokens": tokens.input,
                    "cache_read_input_tokens": tokens.cached,
                    "cache_creation_input_tokens": tokens.cache_write, "output_tokens": 1}}}),
        )];
        let mut index = 0;
        let mut block = |events: &mut Vec<String>, start: Value, deltas: Vec<Value>| {
            events.push(named("content_block_start", json!({"index": index, "content_block": start})));
            for delta in deltas {
                events.push(named("content_block_delta", json!({"index": index, "delta": delta})));
            }
            events.push(named("content_block_stop", json!({"index": index})));
            index += 1;
        };
        if let Some(sealed) = &self.redacted {
            block(&mut events, json!({"type": "redacted_thinking", "data": sealed}), Vec::new());
        }
        if let Some((thinking, signature)) = &self.thinking {
            let mut deltas: Vec<Value> = pieces(thinking, self.delta)
                .map(|piece| json!({"type": "thinking_delta", "thinking": piece}))
                .collect();
            deltas.push(json!({"type": "signature_delta", "signature": signature}));
            block(&mut events, json!({"type": "thinking", "thinking": "", "signature": ""}), deltas);
        }
        if !self.text.is_empty() {
            let deltas = pieces(&self.text, self.delta)
                .map(|piece| json!({"type": "text_delta", "text": piece}))
                .collect();
            block(&mut events, json!({"type": "text", "text": ""}), deltas);
        }
        for (at, (name, arguments)) in self.calls.iter().enumerate() {
            let start = json!({"type": "tool_use", "id": call_id(at, arguments), "name": name, "input": {}});
            let deltas = pieces(&written(arguments, broken), self.delta)
                .map(|piece| json!({"type": "input_json_delta", "partial_json": piece}))
                .collect();
            block(&mut events, start, deltas);
        }
        let fitting = match (&self.refusal, self.calls.is_empty()) {
            (Some(_), _) => "refusal",
            (None, true) => "end_turn",
            (None, false) => "tool_use",
        };
        let reason = self.stop.as_deref().unwrap_or(fitting);
        let mut delta = json!({"stop_reason": reason, "stop_sequence": null});
        if let Some(why) = &self.refusal {
            delta["stop_details"] = json!({"type": "refusal", "explanation": why});
        }
        events
            .push(named("message_delta", json!({"delta": delta, "usage": {"output_tokens": tokens.output}})));
        events.push(named("message_stop", json!({})));
        events
    }
}

const NOISE: &str = ": keep-alive\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: brand_new\n\
    data: {\"type\": \"brand_new\", \"object\": \"brand.new\", \"payload\": [1, 2]}\n\nunheard-of: field\n\n";

fn data(value: &Value) -> String {
    format!("data: {value}\n\n")
}

fn named(event: &str, mut value: Value) -> String {
    value["type"] = json!(event);
    format!("event: {event}\ndata: {value}\n\n")
}

/// The same call always gets the same id, so that a repeated request repeats byte for byte.
fn call_id(index: usize, arguments: &Value) -> String {
    let sum = arguments.to_string().bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    format!("call_{index}_{sum:08x}")
}

fn written(arguments: &Value, broken: bool) -> String {
    let mut text = arguments.to_string();
    if broken {
        text.truncate(text.floor_char_boundary(text.len().saturating_sub(3)));
    }
    text
}

/// Cuts a text into pieces of at most `size` bytes, at least one character each.
fn pieces(text: &str, size: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let at = rest.floor_char_boundary(size).max(first.len_utf8());
        let (piece, after) = rest.split_at(at);
        rest = after;
        Some(piece)
    })
}
