//! Listens to one answer of Responses: typed events in, deltas out.

use crate::message::Usage;
use crate::model::fault::{Said, Trouble};
use crate::model::http::{Reader, Stage};
use crate::model::json::{Text, Written, count};
use crate::model::sse::Frame;
use crate::model::{Delta, Stop};
use serde::Deserialize;
use serde_json::Value;
use std::collections::VecDeque;

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type", default)]
    kind: Text<'a>,
    #[serde(default)]
    output_index: Option<usize>,
    #[serde(borrow, default)]
    item_id: Text<'a>,
    #[serde(default)]
    summary_index: usize,
    #[serde(borrow, default)]
    delta: Written<'a>,
    #[serde(borrow, default)]
    arguments: Written<'a>,
    #[serde(default)]
    item: Option<Value>,
    #[serde(default)]
    response: Option<Closing>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    code: Option<Value>,
    #[serde(borrow, default)]
    message: Text<'a>,
}

/// What the last event says of the whole answer; the answer itself was streamed before.
#[derive(Deserialize)]
struct Closing {
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    incomplete_details: Option<Value>,
}

/// An item of the answer as it grows.
struct Item {
    index: usize,
    /// Number of the call, where it is one.
    call: Option<usize>,
    /// Bytes of text or arguments heard so far.
    heard: usize,
    ended: bool,
}

/// Listens to one answer.
#[derive(Default)]
pub(super) struct Listener {
    items: Vec<Item>,
    /// Ids of items in the order they were first heard, for servers that give no index.
    ids: Vec<String>,
    calls: usize,
    refusal: String,
    /// Why the answer is incomplete, where it is.
    incomplete: String,
    said: bool,
    closed: bool,
}

impl Reader for Listener {
    fn read(&mut self, frame: &Frame, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        let data = frame.data.trim();
        if data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        let event: Event = serde_json::from_str(data)
            .map_err(|error| Trouble::Protocol(format!("an event that is not a response event: {error}")))?;
        let id = match &event.item {
            Some(item) => item["id"].as_str().unwrap_or_default(),
            None => &*event.item_id.0,
        };
        let index = event.output_index.unwrap_or_else(|| self.place(id));
        match &*event.kind.0 {
            "response.output_item.added" => {
                self.open(index, &event.item.unwrap_or_default(), out);
            }
            "response.output_text.delta" => self.say(index, event.delta.0.into_owned(), out),
            "response.refusal.delta" => self.refusal.push_str(&event.delta.0),
            "response.reasoning_summary_part.added" if event.summary_index > 0 => {
                out.push_back(Delta::Reasoning("\n\n".into()));
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.said = true;
                out.push_back(Delta::Reasoning(event.delta.0.into_owned()));
            }
            "response.function_call_arguments.delta" => {
                self.grow_call(index, event.delta.0.into_owned(), out);
            }
            "response.function_call_arguments.done" => self.complete_call(index, &event.arguments.0, out),
            "response.output_item.done" => {
                if let Some(item) = event.item {
                    self.close(index, item, out);
                }
            }
            "response.completed" => self.end(event.response, out),
            "response.incomplete" => {
                let why = event.response.as_ref().and_then(|response| response.incomplete_details.as_ref());
                self.incomplete = match why.and_then(|why| why["reason"].as_str()) {
                    Some(reason) => reason.to_owned(),
                    None => "no reason given".to_owned(),
                };
                self.end(event.response, out);
            }
            "response.failed" | "response.cancelled" => {
                let error = event.response.and_then(|response| response.error).unwrap_or_default();
                return Err(Trouble::Said(Said::in_event(&error)));
            }
            "error" => {
                let error = event
                    .error
                    .unwrap_or_else(|| serde_json::json!({"code": event.code, "message": event.message.0}));
                return Err(Trouble::Said(Said::in_event(&error)));
            }
            _ => {}
        }
        Ok(())
    }

    fn stage(&self) -> Stage {
        if self.closed { Stage::Closed } else { Stage::Open }
    }

    fn finish(&mut self, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        if !self.closed {
            return Err(Trouble::Cut("the stream ended before the answer did".into()));
        }
        let cut_short = !self.incomplete.is_empty();
        for item in &mut self.items {
            // A call that was cut before its first argument must not pass for one without arguments.
            if let Some(number) = item.call
                && !item.ended
                && !(cut_short && item.heard == 0)
            {
                item.ended = true;
                out.push_back(Delta::CallEnd { index: number });
            }
        }
        let stop = match self.incomplete.as_str() {
            _ if !self.refusal.is_empty() => Stop::Refusal(std::mem::take(&mut self.refusal)),
            "content_filter" => Stop::Refusal("the provider's content filter stopped the answer".into()),
            "" if self.calls > 0 => Stop::ToolUse,
            "" if self.said => Stop::End,
            "" => return Err(Trouble::Cut("the answer is empty".into())),
            _ => Stop::MaxTokens,
        };
        out.push_back(Delta::Stop(stop));
        Ok(())
    }
}

impl Listener {
    /// Where the item of that id stands, as it was first heard.
    fn place(&mut self, id: &str) -> usize {
        self.ids.iter().position(|known| known == id).unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        })
    }

    /// The item at `index`; opened now where its opening was not heard.
    fn item(&mut self, index: usize) -> &mut Item {
        let at = self.items.iter().rposition(|item| item.index == index).unwrap_or_else(|| {
            self.items.push(Item { index, call: None, heard: 0, ended: false });
            self.items.len() - 1
        });
        &mut self.items[at]
    }

    fn open(&mut self, index: usize, start: &Value, out: &mut VecDeque<Delta>) {
        if self.item(index).call.is_some() || start["type"] != "function_call" {
            return;
        }
        let number = self.calls;
        self.calls += 1;
        self.item(index).call = Some(number);
        let text = |field: &str| start[field].as_str().unwrap_or_default().to_owned();
        out.push_back(Delta::CallStart { index: number, id: text("call_id"), name: text("name") });
        self.grow_call(index, text("arguments"), out);
    }

    fn say(&mut self, index: usize, text: String, out: &mut VecDeque<Delta>) {
        if !text.is_empty() {
            self.said = true;
            self.item(index).heard += text.len();
            out.push_back(Delta::Text(text));
        }
    }

    fn grow_call(&mut self, index: usize, fragment: String, out: &mut VecDeque<Delta>) {
        let item = self.item(index);
        if let Some(number) = item.call
            && !fragment.is_empty()
            && !item.ended
        {
            item.heard += fragment.len();
            out.push_back(Delta::CallArguments { index: number, fragment });
        }
    }

    /// Adds what the whole arguments hold beyond what was streamed: some servers stream none of them.
    fn complete_call(&mut self, index: usize, whole: &str, out: &mut VecDeque<Delta>) {
        let heard = self.item(index).heard;
        if let Some(rest) = whole.get(heard..) {
            self.grow_call(index, rest.to_owned(), out);
        }
    }

    fn close(&mut self, index: usize, item: Value, out: &mut VecDeque<Delta>) {
        match item["type"].as_str() {
            Some("function_call") => {
                self.open(index, &item, out);
                self.complete_call(index, item["arguments"].as_str().unwrap_or_default(), out);
                let cut_short = item["status"] == "incomplete";
                let item = self.item(index);
                if let Some(number) = item.call
                    && !item.ended
                    && !cut_short
                {
                    item.ended = true;
                    out.push_back(Delta::CallEnd { index: number });
                }
            }
            Some("reasoning") => {
                self.said = true;
                out.push_back(Delta::ReasoningBlock(item));
            }
            Some("message") => {
                let parts = item["content"].as_array().map_or(&[][..], Vec::as_slice);
                if self.item(index).heard == 0 {
                    for text in parts.iter().filter_map(|part| part["text"].as_str()) {
                        self.say(index, text.to_owned(), out);
                    }
                }
                if self.refusal.is_empty() {
                    self.refusal = parts.iter().filter_map(|part| part["refusal"].as_str()).collect();
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, closing: Option<Closing>, out: &mut VecDeque<Delta>) {
        self.closed = true;
        let Some(usage) = closing.and_then(|closing| closing.usage).filter(Value::is_object) else { return };
        let cached = count(&usage, "/input_tokens_details/cached_tokens");
        out.push_back(Delta::Usage(Usage {
            input: count(&usage, "/input_tokens").saturating_sub(cached),
            cached,
            cache_write: 0,
            output: count(&usage, "/output_tokens"),
            reasoning: count(&usage, "/output_tokens_details/reasoning_tokens"),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Assembly;

    fn hear(events: &[&str]) -> Result<(Assembly, usize), Trouble> {
        let mut listener = Listener::default();
        let mut out = VecDeque::new();
        for data in events {
            listener.read(&Frame { event: String::new(), data: (*data).into() }, &mut out)?;
        }
        listener.finish(&mut out)?;
        let mut assembly = Assembly::default();
        let ended = out.iter().filter(|delta| assembly.push(delta).is_some()).count();
        Ok((assembly, ended))
    }

    const COMPLETED: &str = r#"{"type":"response.completed","response":{"status":"completed"}}"#;

    #[test]
    fn a_server_that_streams_only_whole_items_is_understood() {
        let (assembly, ended) = hear(&[
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"Hi."}]}}"#,
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"read","arguments":"{\"a\":1}"}}"#,
            COMPLETED,
        ])
        .unwrap();
        assert_eq!((assembly.stop.clone(), ended), (Some(Stop::ToolUse), 1));
        let message = assembly.message();
        assert_eq!(message.text(), "Hi.");
        assert_eq!(message.calls().next().unwrap().arguments, r#"{"a":1}"#);
    }

    #[test]
    fn arguments_come_once_however_often_they_are_said() {
        let (assembly, ended) = hear(&[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"read","arguments":""}}"#,
            r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\""}"#,
            r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"a\":1}"}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"read","arguments":"{\"a\":1}"}}"#,
            COMPLETED,
        ])
        .unwrap();
        assert_eq!(ended, 1);
        assert_eq!(assembly.message().calls().next().unwrap().arguments, r#"{"a":1}"#);
    }

    #[test]
    fn a_failed_response_is_an_error_of_its_kind() {
        let failed = hear(&[
            r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded","message":"slow"}}}"#,
        ]);
        assert!(matches!(failed, Err(Trouble::Said(Said { status: 429, .. }))));
        let top = hear(&[r#"{"type":"error","code":"server_error","message":"oops"}"#]);
        assert!(matches!(top, Err(Trouble::Said(Said { status: 500, .. }))));
    }
}
