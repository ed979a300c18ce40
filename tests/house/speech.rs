//! Neutral turns to what each wire says: the server-sent events of one answer.

use serde_json::{Value, json};

/// Which protocol an answer is spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// OpenAI Chat Completions, `/v1/chat/completions`.
    OpenAi,
    /// Anthropic Messages, `/v1/messages`.
    Anthropic,
    /// OpenAI Responses, `/v1/responses`.
    Responses,
    /// Gemini, `/v1beta/models/NAME:streamGenerateContent`.
    Gemini,
}

impl Wire {
    /// All, for conformance tables.
    pub const ALL: [Wire; 4] = [Wire::OpenAi, Wire::Anthropic, Wire::Responses, Wire::Gemini];

    /// The provider's name in a model's name.
    pub fn provider(self) -> &'static str {
        match self {
            Wire::OpenAi => "openai",
            Wire::Anthropic => "anthropic",
            Wire::Responses => "responses",
            Wire::Gemini => "gemini",
        }
    }

    /// The scripted model's name.
    pub fn model(self) -> &'static str {
        match self {
            Wire::OpenAi => "openai/scripted",
            Wire::Anthropic => "anthropic/scripted",
            Wire::Responses => "responses/scripted",
            Wire::Gemini => "gemini/scripted",
        }
    }

    /// The wire's word for an answer that ran into the output limit.
    pub fn cut_short(self) -> &'static str {
        match self {
            Wire::OpenAi => "length",
            Wire::Anthropic => "max_tokens",
            Wire::Responses => "max_output_tokens",
            Wire::Gemini => "MAX_TOKENS",
        }
    }

    /// The field of a request that holds the conversation.
    pub fn history_field(self) -> &'static str {
        match self {
            Wire::OpenAi | Wire::Anthropic => "messages",
            Wire::Responses => "input",
            Wire::Gemini => "contents",
        }
    }

    /// How many answers of the model a request holds.
    pub fn answers(self, body: &Value) -> usize {
        let items = body[self.history_field()].as_array().map_or(&[][..], Vec::as_slice);
        let is_answer = |item: &Value| match self {
            Wire::OpenAi | Wire::Anthropic => item["role"] == "assistant",
            Wire::Gemini => item["role"] == "model",
            Wire::Responses => {
                item["role"] == "assistant" || item["type"] == "reasoning" || item["type"] == "function_call"
            }
        };
        let starts = |(at, item): &(usize, &Value)| {
            is_answer(item) && (self != Wire::Responses || *at == 0 || !is_answer(&items[*at - 1]))
        };
        items.iter().enumerate().filter(starts).count()
    }

    /// What a request tells of the results that stand last in it.
    pub fn last_results(self, body: &Value) -> Vec<String> {
        let items = body[self.history_field()].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let parts = |field: &str| items.last().unwrap()[field].as_array().unwrap().clone();
        let trailing = |is_result: fn(&Value) -> bool, field: &str| -> Vec<String> {
            let last: Vec<&Value> = items.iter().rev().take_while(|item| is_result(item)).collect();
            last.iter().rev().map(|item| text(&item[field])).collect()
        };
        match self {
            Wire::OpenAi => trailing(|item| item["role"] == "tool", "content"),
            Wire::Responses => trailing(|item| item["type"] == "function_call_output", "output"),
            Wire::Anthropic => parts("content")
                .iter()
                .filter(|part| part["type"] == "tool_result")
                .map(|part| text(&part["content"][0]["text"]))
                .collect(),
            Wire::Gemini => parts("parts")
                .iter()
                .filter_map(|part| part["functionResponse"]["response"].as_object())
                .map(|response| text(response.values().next().unwrap()))
                .collect(),
        }
    }

    /// An error as the wire writes it, in a body (with its HTTP status) or in an event.
    pub fn error(self, status: Option<u16>, code: &str, message: &str) -> Value {
        match (self, status) {
            (Wire::OpenAi, _) | (Wire::Responses, Some(_)) => {
                json!({"error": {"message": message, "type": code, "code": code, "param": null}})
            }
            (Wire::Responses, None) => {
                json!({"type": "error", "code": code, "message": message, "param": null})
            }
            (Wire::Anthropic, _) => json!({"type": "error", "error": {"type": code, "message": message}}),
            (Wire::Gemini, Some(status)) => {
                json!({"error": {"code": status, "message": message, "status": code}})
            }
            (Wire::Gemini, None) => json!({"error": {"message": message, "status": code}}),
        }
    }
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
    /// Half of the events, then keep-alives for ever.
    Murmur,
    /// Half of the events, then comments as fast as they go, for ever.
    Flood,
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
    pub(super) without_index: bool,
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
    /// Reasoning (all but Anthropic).
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
            without_index: false,
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

    /// A sealed reasoning block comes first (Anthropic and Responses only).
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

    /// Arguments come at once (OpenAI's wires only; as an object, not as text, in Chat Completions).
    pub fn with_whole_arguments(mut self) -> Self {
        self.whole_arguments = true;
        self
    }

    /// Items are told apart by their ids alone (Responses only; llama.cpp does so).
    pub fn without_index(mut self) -> Self {
        self.without_index = true;
        self
    }

    /// Calls have neither id nor index (Chat Completions and Gemini only).
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
        self.faults
            .iter()
            .chain(&self.always)
            .any(|fault| matches!(fault, Fault::Stall | Fault::StallAtOnce | Fault::Murmur))
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
            Wire::Responses => turn.responses(broken),
            Wire::Gemini => turn.gemini(broken),
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

    fn responses(&self, broken: bool) -> Vec<String> {
        let head = json!({"id": "resp_1", "object": "response", "status": "in_progress", "output": []});
        let mut events = vec![named("response.created", json!({ "response": head }))];
        let mut index = 0;
        let numbered = !self.without_index;
        let mut item = |events: &mut Vec<String>, start: Value, deltas: Vec<(&str, Value)>, done: Value| {
            let id = start["id"].clone();
            let mut say = |kind: &str, mut event: Value| {
                if numbered {
                    event["output_index"] = json!(index);
                }
                events.push(named(kind, event));
            };
            say("response.output_item.added", json!({ "item": start }));
            for (kind, mut delta) in deltas {
                delta["item_id"] = id.clone();
                say(kind, delta);
            }
            say("response.output_item.done", json!({ "item": done }));
            index += 1;
        };
        if let Some(sealed) = &self.redacted {
            let start = json!({"type": "reasoning", "id": "rs_0", "summary": []});
            let mut done = start.clone();
            done["encrypted_content"] = json!(sealed);
            item(&mut events, start, Vec::new(), done);
        }
        if let Some((thinking, sealed)) = &self.thinking {
            let start = json!({"type": "reasoning", "id": "rs_1", "summary": []});
            let deltas = pieces(thinking, self.delta)
                .map(|piece| {
                    ("response.reasoning_summary_text.delta", json!({"summary_index": 0, "delta": piece}))
                })
                .collect();
            let done = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": sealed,
                "summary": [{"type": "summary_text", "text": thinking}]});
            item(&mut events, start, deltas, done);
        }
        if !self.text.is_empty() || self.refusal.is_some() {
            let said = pieces(&self.text, self.delta)
                .map(|piece| ("response.output_text.delta", json!({"content_index": 0, "delta": piece})));
            let refused = self.refusal.iter().map(|why| ("response.refusal.delta", json!({ "delta": why })));
            let content = match &self.refusal {
                Some(why) => json!([{"type": "refusal", "refusal": why}]),
                None => json!([{"type": "output_text", "text": self.text, "annotations": []}]),
            };
            item(
                &mut events,
                json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []}),
                said.chain(refused).collect(),
                json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                    "content": content}),
            );
        }
        for (at, (name, arguments)) in self.calls.iter().enumerate() {
            let text = written(arguments, broken);
            let call = |arguments: &str| {
                json!({"type": "function_call", "id": format!("fc_{at}"), "name": name,
                    "call_id": call_id(at, &self.calls[at].1), "arguments": arguments})
            };
            let kind = "response.function_call_arguments.delta";
            let deltas = if self.whole_arguments {
                Vec::new()
            } else {
                pieces(&text, self.delta).map(|piece| (kind, json!({ "delta": piece }))).collect()
            };
            item(&mut events, call(""), deltas, call(&text));
        }
        let tokens = self.tokens;
        let mut response = json!({"id": "resp_1", "object": "response", "status": "completed", "output": [],
            "usage": {"input_tokens": tokens.input + tokens.cached, "output_tokens": tokens.output,
                "input_tokens_details": {"cached_tokens": tokens.cached},
                "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
                "total_tokens": tokens.input + tokens.output}});
        match self.stop.as_deref() {
            Some(reason @ ("max_output_tokens" | "content_filter")) => {
                response["status"] = json!("incomplete");
                response["incomplete_details"] = json!({ "reason": reason });
                events.push(named("response.incomplete", json!({ "response": response })));
            }
            Some("failed") => {
                response["error"] = json!({"code": "server_error", "message": "it failed"});
                events.push(named("response.failed", json!({ "response": response })));
            }
            _ => events.push(named("response.completed", json!({ "response": response }))),
        }
        events
    }

    fn gemini(&self, broken: bool) -> Vec<String> {
        let mut parts: Vec<Value> = Vec::new();
        let mut signature = self.thinking.as_ref().map(|(_, signature)| signature.clone());
        if let Some((thinking, _)) = &self.thinking {
            parts.extend(pieces(thinking, self.delta).map(|piece| json!({"text": piece, "thought": true})));
        }
        parts.extend(pieces(&self.text, self.delta).map(|piece| json!({"text": piece})));
        for (at, (name, arguments)) in self.calls.iter().enumerate() {
            // A wire of whole objects has no broken ones; some proxies hand the model's text on instead.
            let args = if broken { json!(written(arguments, true)) } else { arguments.clone() };
            let mut call = json!({"functionCall": {"name": name, "args": args}});
            if !self.without_ids {
                call["functionCall"]["id"] = json!(call_id(at, arguments));
            }
            if let Some(signature) = signature.take() {
                call["thoughtSignature"] = json!(signature);
            }
            parts.push(call);
        }
        if let Some(signature) = signature {
            parts.push(json!({"text": "", "thoughtSignature": signature}));
        }
        let tokens = self.tokens;
        let piece = |candidate: Value| {
            data(&json!({"candidates": [candidate], "modelVersion": "scripted", "responseId": "r1",
                "usageMetadata": {"promptTokenCount": tokens.input + tokens.cached,
                    "cachedContentTokenCount": tokens.cached, "thoughtsTokenCount": tokens.reasoning,
                    "candidatesTokenCount": tokens.output - tokens.reasoning}}))
        };
        let mut events = vec![piece(json!({"content": {"role": "model", "parts": []}, "index": 0}))];
        events.extend(
            parts
                .iter()
                .map(|part| piece(json!({"content": {"role": "model", "parts": [part]}, "index": 0}))),
        );
        let fitting = if self.refusal.is_some() { "SAFETY" } else { "STOP" };
        let mut last = json!({"finishReason": self.stop.as_deref().unwrap_or(fitting), "index": 0});
        if let Some(why) = &self.refusal {
            last["finishMessage"] = json!(why);
        }
        events.push(piece(last));
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
