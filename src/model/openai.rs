//! OpenAI Chat Completions, as OpenAI and the many compatible servers speak it.

mod listen;

use super::http::{Answered, Auth, Endpoint};
use super::json::{as_object, as_word};
use super::{Model, ModelError, Request};
use crate::message::{Image, Message, Part, Role};
use futures_util::stream::BoxStream;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::time::Duration;

/// OpenAI's own base URL.
pub const BASE_URL: &str = "https://api.openai.com/v1";

/// Fields in which servers stream reasoning; each wants it back under the same name.
const REASONING: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];

/// A model behind Chat Completions.
pub struct OpenAi {
    name: String,
    model: String,
    endpoint: Endpoint,
}

impl OpenAi {
    /// Model `model` at `base_url`, to which `/chat/completions` is added.
    pub fn new(model: &str, base_url: &Url, key: SecretString) -> Result<Self, ModelError> {
        let mut url = base_url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with("/chat/completions") {
            url.set_path(&format!("{path}/chat/completions"));
        }
        let endpoint = Endpoint::new(url, key, Auth::Bearer)?;
        Ok(Self { name: format!("openai/{model}"), model: model.to_owned(), endpoint })
    }

    /// The same with another idle limit.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.endpoint = self.endpoint.with_idle(idle);
        self
    }

    /// The request's body. The messages come last and each is written the same way every time, so a
    /// longer conversation only adds to the bytes of a shorter one.
    pub fn body(&self, request: &Request<'_>) -> Value {
        // The newer name is required by OpenAI's reasoning models and unknown to many others.
        let limit =
            if self.endpoint.is_at("api.openai.com") { "max_completion_tokens" } else { "max_tokens" };
        let mut body = json!({
            "model": self.model,
            "stream": true,
            "stream_options": {"include_usage": true},
        });
        body[limit] = json!(request.max_output);
        if !request.tools.is_empty() {
            let tools = request.tools.iter().map(|spec| json!({"type": "function", "function": spec}));
            body["tools"] = tools.collect();
        }
        let mut messages = Vec::with_capacity(request.messages.len() + 1);
        if !request.system.is_empty() {
            messages.push(json!({"role": "system", "content": request.system}));
        }
        for message in request.messages {
            match message.role {
                Role::User => write_user(message, &mut messages),
                Role::Assistant => messages.extend(write_assistant(message)),
            }
        }
        body["messages"] = Value::Array(messages);
        body
    }
}

impl Model for OpenAi {
    fn name(&self) -> &str {
        &self.name
    }

    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Answered> {
        // Plain data always serialises.
        let body = serde_json::to_vec(&self.body(&request)).unwrap_or_default();
        self.endpoint.converse(body, listen::Listener::default())
    }
}

fn write_user(message: &Message, out: &mut Vec<Value>) {
    for result in message.results() {
        out.push(json!({"role": "tool", "tool_call_id": result.call_id, "content": result.text}));
    }
    let text = join_texts(message);
    // This wire takes no pictures in a tool's message: they follow as the user's, behind all results.
    let mut seen: Vec<Value> = message
        .results()
        .flat_map(|result| {
            let title = json!({"type": "text", "text": format!("What `{}` showed:", result.name)});
            let images = result
                .images
                .iter()
                .map(|image| json!({"type": "image_url", "image_url": {"url": data_url(image)}}));
            (!result.images.is_empty()).then_some(title).into_iter().chain(images)
        })
        .collect();
    if seen.is_empty() {
        if !text.is_empty() {
            out.push(json!({"role": "user", "content": text}));
        }
        return;
    }
    if !text.is_empty() {
        seen.push(json!({"type": "text", "text": text}));
    }
    out.push(json!({"role": "user", "content": seen}));
}

/// A picture as an address that holds it.
pub(super) fn data_url(image: &Image) -> String {
    format!("data:{};base64,{}", image.media_type, image.base64)
}

fn write_assistant(message: &Message) -> Option<Value> {
    let text = join_texts(message);
    let calls: Vec<Value> = message
        .calls()
        .map(|call| {
            let arguments = write_arguments(&call.arguments);
            json!({"id": call.id, "type": "function",
                "function": {"name": as_word(&call.name), "arguments": arguments}})
        })
        .collect();
    if text.is_empty() && calls.is_empty() {
        return None;
    }
    let mut out = json!({"role": "assistant"});
    out["content"] = if text.is_empty() { Value::Null } else { Value::String(text) };
    if !calls.is_empty() {
        // Servers want reasoning back between a call and its result, and some reject it elsewhere.
        for part in &message.parts {
            if let Part::Reasoning { raw: Some(Value::Object(raw)), .. } = part {
                for (field, value) in raw.iter().filter(|(field, _)| REASONING.contains(&field.as_str())) {
                    out[field] = value.clone();
                }
            }
        }
        out["tool_calls"] = Value::Array(calls);
    }
    Some(out)
}

/// What the model wrote goes back as it wrote it, unless a server or its chat template could choke on it.
pub(super) fn write_arguments(arguments: &str) -> Cow<'_, str> {
    match serde_json::from_str::<serde_json::Map<String, Value>>(arguments) {
        Ok(_) => Cow::Borrowed(arguments),
        Err(_) => Cow::Owned(as_object(arguments).to_string()),
    }
}

fn join_texts(message: &Message) -> String {
    let texts: Vec<&str> = message
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::Text { text } if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
        .collect();
    texts.join("\n\n")
}
