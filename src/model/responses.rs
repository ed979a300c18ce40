//! OpenAI Responses: the wire that carries reasoning as sealed items, without anything stored at the provider.

mod listen;

use super::http::{Answered, Auth, Endpoint};
use super::json::as_word;
use super::openai::{data_url, write_arguments};
use super::{Model, ModelError, Request};
use crate::message::{Message, Part, Role};
use futures_util::stream::BoxStream;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest id of a call the wire takes, in characters.
const MAX_ID: usize = 64;

/// A model behind Responses.
pub struct Responses {
    name: String,
    model: String,
    endpoint: Endpoint,
}

impl Responses {
    /// Model `model` at `base_url`, to which `/responses` is added.
    pub fn new(model: &str, base_url: &Url, key: SecretString) -> Result<Self, ModelError> {
        let mut url = base_url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with("/responses") {
            url.set_path(&format!("{path}/responses"));
        }
        let endpoint = Endpoint::new(url, key, Auth::Bearer)?;
        Ok(Self { name: format!("responses/{model}"), model: model.to_owned(), endpoint })
    }

    /// The same with another idle limit.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.endpoint = self.endpoint.with_idle(idle);
        self
    }

    /// The request's body. The items come last and each is written the same way every time, so a longer
    /// conversation only adds to the bytes of a shorter one.
    pub fn body(&self, request: &Request<'_>) -> Value {
        let mut body = json!({
            "model": self.model,
            "stream": true,
            "store": false,
            "max_output_tokens": request.max_output,
        });
        if may_reason(&self.model) {
            body["include"] = json!(["reasoning.encrypted_content"]);
        }
        if !request.tools.is_empty() {
            let tools = request.tools.iter().map(|spec| {
                json!({"type": "function", "name": spec.name, "description": spec.description,
                    "parameters": spec.parameters, "strict": false})
            });
            body["tools"] = tools.collect();
        }
        if !request.system.is_empty() {
            body["instructions"] = json!(request.system);
        }
        body["input"] = request.messages.iter().flat_map(write_message).collect();
        body
    }
}

impl Model for Responses {
    fn name(&self) -> &str {
        &self.name
    }

    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Answered> {
        // Plain data always serialises.
        let body = serde_json::to_vec(&self.body(&request)).unwrap_or_default();
        self.endpoint.converse(body, listen::Listener::default())
    }
}

/// Whether a model may be asked for sealed reasoning; the older ones reject the question itself.
fn may_reason(model: &str) -> bool {
    !["gpt-4", "gpt-3", "chatgpt-"].iter().any(|old| model.starts_with(old))
}

fn write_message(message: &Message) -> impl Iterator<Item = Value> {
    message.parts.iter().filter_map(|part| write_part(message.role, part))
}

fn write_part(role: Role, part: &Part) -> Option<Value> {
    match part {
        Part::Text { text } if text.is_empty() => None,
        Part::Text { text } => {
            let kind = if role == Role::User { "input_text" } else { "output_text" };
            Some(json!({"type": "message", "role": role, "content": [{"type": kind, "text": text}]}))
        }
        // Only this wire's own items, and only sealed ones: nothing is stored that an id could point at.
        Part::Reasoning { raw, .. } => raw
            .as_ref()
            .filter(|raw| raw["type"] == "reasoning" && raw["encrypted_content"].is_string())
            .cloned(),
        Part::Call(call) => Some(json!({"type": "function_call", "call_id": write_id(&call.id),
            "name": as_word(&call.name), "arguments": write_arguments(&call.arguments)})),
        Part::Result(result) => {
            let mut output = json!(result.text);
            if !result.images.is_empty() {
                let text = json!({"type": "input_text", "text": result.text});
                let images = result
                    .images
                    .iter()
                    .map(|image| json!({"type": "input_image", "image_url": data_url(image)}));
                output = std::iter::once(text).chain(images).collect();
            }
            Some(json!({"type": "function_call_output", "call_id": write_id(&result.call_id),
                "output": output}))
        }
    }
}

/// Another provider's id may be too long; its end tells calls apart as well as all of it does.
fn write_id(id: &str) -> String {
    let word = as_word(id);
    word[word.len().saturating_sub(MAX_ID)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_and_stay_apart() {
        assert_eq!(write_id("call_1"), "call_1");
        assert_eq!(write_id("functions.read:0"), "functions_read_0");
        let long = |end: &str| format!("{}{end}", "x".repeat(400));
        assert_eq!(write_id(&long("1")).len(), MAX_ID);
        assert_ne!(write_id(&long("1")), write_id(&long("2")));
    }

    #[test]
    fn only_models_that_may_reason_are_asked_for_sealed_reasoning() {
        for (model, expected) in [("gpt-5", true), ("o3", true), ("gpt-4.1", false), ("gpt-4o-mini", false)] {
            assert_eq!(may_reason(model), expected, "{model}");
        }
    }
}
