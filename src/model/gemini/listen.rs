//! Listens to one answer of Gemini: partial responses in, deltas out.

use crate::message::Usage;
use crate::model::fault::{Said, Trouble};
use crate::model::http::{Reader, Stage};
use crate::model::json::{Text, Written, count};
use crate::model::sse::Frame;
use crate::model::{Delta, Stop};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Piece<'a> {
    #[serde(borrow, default)]
    candidates: Option<Vec<Candidate<'a>>>,
    #[serde(default)]
    prompt_feedback: Option<Value>,
    #[serde(default)]
    usage_metadata: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
    #[serde(borrow, default)]
    finish_message: Text<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    parts: Option<Vec<Part<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Text<'a>,
    #[serde(default)]
    thought: Option<bool>,
    #[serde(borrow, default)]
    thought_signature: Text<'a>,
    #[serde(borrow, default)]
    function_call: Option<Call<'a>>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    args: Written<'a>,
}

/// Listens to one answer.
#[derive(Default)]
pub(super) struct Listener {
    calls: usize,
    usage: Option<Usage>,
    finish: String,
    why: String,
    blocked: Option<String>,
    said: bool,
}

impl Reader for Listener {
    fn read(&mut self, frame: &Frame, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        let data = frame.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let piece: Piece = serde_json::from_str(data).map_err(|error| {
            Trouble::Protocol(format!("an event that is not a generateContent response: {error}"))
        })?;
        if let Some(error) = piece.error.filter(|error| !error.is_null()) {
            return Err(Trouble::Said(Said::in_event(&error)));
        }
        if let Some(reason) = piece.prompt_feedback.as_ref().and_then(|said| said["blockReason"].as_str()) {
            self.blocked = Some(format!("the provider blocked the prompt: {reason}"));
        }
        if let Some(usage) = piece.usage_metadata.filter(Value::is_object) {
            self.hear_usage(&usage, out);
        }
        // Only one is ever asked for.
        if let Some(candidate) = piece.candidates.into_iter().flatten().next() {
            for part in candidate.content.and_then(|content| content.parts).into_iter().flatten() {
                self.hear(part, out);
            }
            if !candidate.finish_reason.0.is_empty() {
                self.finish = candidate.finish_reason.0.into_owned();
                self.why = candidate.finish_message.0.into_owned();
            }
        }
        Ok(())
    }

    fn stage(&self) -> Stage {
        // The wire has no closing event: the body ends behind the last piece.
        if self.finish.is_empty() && self.blocked.is_none() { Stage::Open } else { Stage::Answered }
    }

    fn finish(&mut self, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        if self.stage() == Stage::Open {
            return Err(Trouble::Cut("the stream ended before the answer did".into()));
        }
        let stop = self.stop()?;
        out.push_back(Delta::Stop(stop));
        Ok(())
    }
}

impl Listener {
    fn hear(&mut self, part: Part<'_>, out: &mut VecDeque<Delta>) {
        let signature = part.thought_signature.0;
        if let Some(call) = part.function_call {
            self.hear_call(call, &signature, out);
            return;
        }
        if !part.text.0.is_empty() {
            self.said = true;
            let text = part.text.0.into_owned();
            out.push_back(if part.thought == Some(true) {
                Delta::Reasoning(text)
            } else {
                Delta::Text(text)
            });
        }
        if !signature.is_empty() {
            self.said = true;
            out.push_back(Delta::ReasoningBlock(json!({"gemini": "text", "thoughtSignature": signature})));
        }
    }

    /// Calls come whole. What belongs to one beside its arguments is noted right before it.
    fn hear_call(&mut self, call: Call<'_>, signature: &str, out: &mut VecDeque<Delta>) {
        let index = self.calls;
        self.calls += 1;
        let mut note = json!({"gemini": "call"});
        if !signature.is_empty() {
            note["thoughtSignature"] = json!(signature);
        }
        if !call.id.0.is_empty() {
            note["id"] = json!(call.id.0);
        }
        if note.as_object().is_some_and(|note| note.len() > 1) {
            out.push_back(Delta::ReasoningBlock(note));
        }
        out.push_back(Delta::CallStart { index, id: call.id.0.into_owned(), name: call.name.0.into_owned() });
        let arguments = if call.args.0.is_empty() { "{}".into() } else { call.args.0.into_owned() };
        out.push_back(Delta::CallArguments { index, fragment: arguments });
        out.push_back(Delta::CallEnd { index });
    }

    fn hear_usage(&mut self, usage: &Value, out: &mut VecDeque<Delta>) {
        let cached = count(usage, "/cachedContentTokenCount");
        let reasoning = count(usage, "/thoughtsTokenCount");
        let input = count(usage, "/promptTokenCount") + count(usage, "/toolUsePromptTokenCount");
        let usage = Some(Usage {
            input: input.saturating_sub(cached),
            cached,
            cache_write: 0,
            output: count(usage, "/candidatesTokenCount") + reasoning,
            reasoning,
        });
        if usage != self.usage {
            self.usage = usage;
            out.extend(usage.map(Delta::Usage));
        }
    }

    fn stop(&mut self) -> Result<Stop, Trouble> {
        if let Some(blocked) = self.blocked.take() {
            return Ok(Stop::Refusal(blocked));
        }
        match self.finish.as_str() {
            "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
            | "IMAGE_SAFETY" => Ok(Stop::Refusal(if self.why.is_empty() {
                format!("the provider stopped the answer: {}", self.finish)
            } else {
                std::mem::take(&mut self.why)
            })),
            "MAX_TOKENS" => Ok(Stop::MaxTokens),
            // The model made something that is no call; another try may do better.
            "MALFORMED_FUNCTION_CALL" | "MALFORMED_RESPONSE" | "UNEXPECTED_TOOL_CALL" | "OTHER" => {
                Err(Trouble::Cut(format!("the answer ended with {}", self.finish)))
            }
            _ if self.calls > 0 => Ok(Stop::ToolUse),
            _ if self.said => Ok(Stop::End),
            _ => Err(Trouble::Cut("the answer is empty".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(data: &str) -> Result<Vec<Delta>, Trouble> {
        let mut listener = Listener::default();
        let mut out = VecDeque::new();
        listener.read(&Frame { event: String::new(), data: data.into() }, &mut out)?;
        listener.finish(&mut out)?;
        Ok(out.into())
    }

    #[test]
    fn a_blocked_prompt_is_a_refusal() {
        let deltas = hear(r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#).unwrap();
        let expected = Stop::Refusal("the provider blocked the prompt: PROHIBITED_CONTENT".into());
        assert_eq!(deltas, [Delta::Stop(expected)]);
    }

    #[test]
    fn a_call_without_arguments_has_none() {
        let deltas = hear(
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"list"}}]},"finishReason":"STOP"}]}"#,
        )
        .unwrap();
        assert!(deltas.contains(&Delta::CallArguments { index: 0, fragment: "{}".into() }), "{deltas:?}");
        assert_eq!(deltas.last(), Some(&Delta::Stop(Stop::ToolUse)));
    }
}
