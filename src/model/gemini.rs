//! Gemini, `streamGenerateContent`: whole calls, signatures beside the parts they belong to.

mod listen;
mod schema;

use super::http::{Answered, Auth, Endpoint};
use super::json::{as_object, as_word};
use super::{Model, ModelError, Request};
use crate::message::{Message, Part, Role};
use futures_util::stream::BoxStream;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Google's own base URL.
pub const BASE_URL: &str = "https://generativelanguage.googleapis.com/v1beta";

/// What the provider documents for a call that another model made and that has no signature.
const FOREIGN_SIGNATURE: &str = "context_engineering_is_the_way_to_go";

/// A model behind `generateContent`.
pub struct Gemini {
    name: String,
    /// Whether it rejects a call without a signature.
    wants_signatures: bool,
    endpoint: Endpoint,
}

impl Gemini {
    /// Model `model` at `base_url`, to which `/models/…` is added.
    pub fn new(model: &str, base_url: &Url, key: SecretString) -> Result<Self, ModelError> {
        let mut url = base_url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{path}/models/{model}:streamGenerateContent"));
        url.set_query(Some("alt=sse"));
        let endpoint = Endpoint::new(url, key, Auth::GoogleKey)?;
        let wants_signatures = model.starts_with("gemini-3");
        Ok(Self { name: format!("gemini/{model}"), wants_signatures, endpoint })
    }

    /// The same with another idle limit.
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.endpoint = self.endpoint.with_idle(idle);
        self
    }

    /// The request's body. The contents come last and each is written the same way every time, so a longer
    /// conversation only adds to the bytes of a shorter one.
    pub fn body(&self, request: &Request<'_>) -> Value {
        let mut body = json!({ "generationConfig": {"maxOutputTokens": request.max_output} });
        if !request.tools.is_empty() {
            let tools: Vec<Value> = request
                .tools
                .iter()
                .map(|spec| {
                    let mut tool = json!({"name": spec.name, "description": spec.description});
                    // An object without fields is rejected; no parameters say the same.
                    if let Some(parameters) = schema::reduce(&spec.parameters) {
                        tool["parameters"] = parameters;
                    }
                    tool
                })
                .collect();
            body["tools"] = json!([{ "functionDeclarations": tools }]);
        }
        if !request.system.is_empty() {
            body["systemInstruction"] = json!({"parts": [{"text": request.system}]});
        }
        let mut own_ids = BTreeSet::new();
        let contents =
            request.messages.iter().filter_map(|message| self.write_message(message, &mut own_ids));
        body["contents"] = contents.collect();
        body
    }

    /// `own_ids` are those the provider gave itself: only they go back, others it would not know.
    fn write_message<'a>(&self, message: &'a Message, own_ids: &mut BTreeSet<&'a str>) -> Option<Value> {
        let role = if message.role == Role::User { "user" } else { "model" };
        let mut parts = Vec::new();
        let mut note: Option<&Value> = None;
        let mut signed = !self.wants_signatures;
        for part in &message.parts {
            match part {
                Part::Text { text } if text.is_empty() => {}
                Part::Text { text } => parts.push(json!({"text": text})),
                Part::Reasoning { raw: Some(raw), .. } => match raw["gemini"].as_str() {
                    Some("call") => note = Some(raw),
                    Some("text") => {
                        parts.push(json!({"text": "", "thoughtSignature": raw["thoughtSignature"]}));
                    }
                    // Another provider's.
                    _ => {}
                },
                Part::Reasoning { .. } => {}
                Part::Call(call) => {
                    let mut spoken = json!({"name": as_word(&call.name), "args": as_object(&call.arguments)});
                    let note = note.take();
                    if let Some(id) = note.and_then(|note| note.get("id")) {
                        own_ids.insert(&call.id);
                        spoken["id"] = id.clone();
                    }
                    let mut out = json!({ "functionCall": spoken });
                    if let Some(signature) = note.and_then(|note| note.get("thoughtSignature")) {
                        out["thoughtSignature"] = signature.clone();
                    } else if !signed {
                        out["thoughtSignature"] = json!(FOREIGN_SIGNATURE);
                    }
                    signed = true;
                    parts.push(out);
                }
                Part::Result(result) => {
                    let field = if result.is_error { "error" } else { "output" };
                    let mut answer = json!({"name": as_word(&result.name), "response": {}});
                    answer["response"][field] = json!(result.text);
                    if own_ids.contains(result.call_id.as_str()) {
                        answer["id"] = json!(result.call_id);
                    }
                    let mut pictures = result.images.iter().map(
                        |image| json!({"inlineData": {"mimeType": image.media_type, "data": image.base64}}),
                    );
                    // The newer models take pictures within a result, the older ones beside it.
                    if self.wants_signatures && !result.images.is_empty() {
                        answer["parts"] = pictures.by_ref().collect();
                    }
                    parts.push(json!({ "functionResponse": answer }));
                    parts.extend(pictures);
                }
            }
        }
        (!parts.is_empty()).then(|| json!({"role": role, "parts": parts}))
    }
}

impl Model for Gemini {
    fn name(&self) -> &str {
        &self.name
    }

    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Answered> {
        // Plain data always serialises.
        let body = serde_json::to_vec(&self.body(&request)).unwrap_or_default();
        self.endpoint.converse(body, listen::Listener::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ToolCall, ToolResult};

    fn history(raw: Option<Value>) -> Vec<Message> {
        let mut parts: Vec<Part> =
            raw.into_iter().map(|raw| Part::Reasoning { text: String::new(), raw: Some(raw) }).collect();
        let call = |id: &str| {
            Part::Call(ToolCall { id: id.into(), name: "read".into(), arguments: r#"{"a":1}"#.into() })
        };
        parts.extend([call("c1"), call("c2")]);
        let result = |id: &str| {
            Part::Result(ToolResult {
                call_id: id.into(),
                name: "read".into(),
                text: "ok".into(),
                is_error: false,
                images: Vec::new(),
            })
        };
        vec![
            Message::user("go"),
            Message { role: Role::Assistant, parts },
            Message { role: Role::User, parts: vec![result("c1"), result("c2")] },
        ]
    }

    fn contents(model: &str, history: &[Message]) -> Value {
        let url = Url::parse(BASE_URL).unwrap();
        let gemini = Gemini::new(model, &url, SecretString::from("FAKE-canary")).unwrap();
        let request = Request { system: "", tools: &[], messages: history, max_output: 10 };
        gemini.body(&request)["contents"].take()
    }

    #[test]
    fn signatures_and_ids_go_back_where_they_came_from() {
        let note = json!({"gemini": "call", "thoughtSignature": "c2ln", "id": "c1"});
        let contents = contents("gemini-3-pro", &history(Some(note)));
        let calls = &contents[1]["parts"];
        assert_eq!(
            calls[0],
            json!({"functionCall": {"name": "read", "args": {"a": 1}, "id": "c1"}, "thoughtSignature": "c2ln"})
        );
        assert_eq!(calls[1], json!({"functionCall": {"name": "read", "args": {"a": 1}}}));
        let results = &contents[2]["parts"];
        assert_eq!(results[0]["functionResponse"]["id"], "c1");
        assert_eq!(results[1]["functionResponse"], json!({"name": "read", "response": {"output": "ok"}}));
    }

    #[test]
    fn calls_of_another_model_are_marked_where_the_model_insists() {
        let foreign = || Some(json!({"type": "thinking", "thinking": "x", "signature": "y"}));
        let newer = contents("gemini-3-pro", &history(foreign()));
        assert_eq!(newer[1]["parts"][0]["thoughtSignature"], FOREIGN_SIGNATURE);
        assert!(newer[1]["parts"][1].get("thoughtSignature").is_none());
        let older = contents("gemini-2.5-pro", &history(foreign()));
        assert!(!older.to_string().contains("ignature"), "{older}");
    }
}
