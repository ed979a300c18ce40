//! Listens to one answer of Chat Completions: chunks in, deltas out.

use super::REASONING;
use crate::message::Usage;
use crate::model::fault::{Said, Trouble};
use crate::model::http::{Reader, Stage};
use crate::model::json::{Text, Written, count, is_whole};
use crate::model::sse::Frame;
use crate::model::{Delta, Stop};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::VecDeque;

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    delta: Option<Spoken<'a>>,
    #[serde(borrow, default)]
    finish_reason: Text<'a>,
}

#[derive(Deserialize)]
struct Spoken<'a> {
    #[serde(borrow, default)]
    content: Text<'a>,
    #[serde(borrow, default)]
    reasoning_content: Text<'a>,
    #[serde(borrow, default)]
    reasoning: Text<'a>,
    #[serde(default)]
    reasoning_details: Option<Vec<Value>>,
    #[serde(borrow, default)]
    refusal: Text<'a>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Fragment<'a>>>,
}

#[derive(Deserialize)]
struct Fragment<'a> {
    #[serde(default)]
    index: Option<u64>,
    #[serde(borrow, default)]
    id: Text<'a>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Deserialize, Default)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
    #[serde(borrow, default)]
    arguments: Written<'a>,
}

/// A call as it grows.
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    started: bool,
    ended: bool,
}

/// Listens to one answer.
#[derive(Default)]
pub(super) struct Listener {
    calls: Vec<Call>,
    /// Field and text of the reasoning that is not yet closed by a block.
    reasoning: Option<(&'static str, String)>,
    details: Vec<Value>,
    usage: Option<Usage>,
    refusal: String,
    finish: String,
    said: bool,
    done: bool,
}

impl Reader for Listener {
    fn read(&mut self, frame: &Frame, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        let data = frame.data.trim();
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| {
            Trouble::Protocol(format!("an event that is not a chat completion chunk: {error}"))
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Trouble::Said(Said::in_event(&error)));
        }
        if let Some(usage) = chunk.usage.filter(Value::is_object) {
            self.hear_usage(&usage);
        }
        for choice in chunk.choices.into_iter().flatten() {
            if let Some(spoken) = choice.delta {
                self.hear(spoken, out)?;
            }
            if !choice.finish_reason.0.is_empty() {
                self.finish = choice.finish_reason.0.into_owned();
            }
        }
        Ok(())
    }

    fn stage(&self) -> Stage {
        match (self.done, self.finish.is_empty()) {
            (true, _) => Stage::Closed,
            (false, false) => Stage::Answered,
            (false, true) => Stage::Open,
        }
    }

    fn finish(&mut self, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        if self.finish.is_empty() && !(self.done && (self.said || !self.calls.is_empty())) {
            return Err(Trouble::Cut("the stream ended before the answer did".into()));
        }
        self.close_reasoning(out);
        let cut_short = self.finish == "length";
        for at in 0..self.calls.len() {
            self.end_call(at, cut_short, out);
        }
        out.extend(self.usage.map(Delta::Usage));
        let stop = self.stop()?;
        out.push_back(Delta::Stop(stop));
        Ok(())
    }
}

impl Listener {
    fn hear(&mut self, spoken: Spoken<'_>, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        // Some servers send the same reasoning under both names.
        let (field, reasoning) = if spoken.reasoning_content.0.is_empty() {
            (REASONING[1], spoken.reasoning.0)
        } else {
            (REASONING[0], spoken.reasoning_content.0)
        };
        for detail in spoken.reasoning_details.into_iter().flatten() {
            join_detail(&mut self.details, detail);
        }
        if !reasoning.is_empty() {
            self.said = true;
            let (_, text) = self.reasoning.get_or_insert_with(|| (field, String::new()));
            text.push_str(&reasoning);
            out.push_back(Delta::Reasoning(reasoning.into_owned()));
        }
        if !spoken.content.0.is_empty() {
            self.close_reasoning(out);
            self.said = true;
            out.push_back(Delta::Text(spoken.content.0.into_owned()));
        }
        self.refusal.push_str(&spoken.refusal.0);
        for fragment in spoken.tool_calls.into_iter().flatten() {
            self.close_reasoning(out);
            self.hear_call(fragment, out)?;
        }
        Ok(())
    }

    fn hear_call(&mut self, fragment: Fragment<'_>, out: &mut VecDeque<Delta>) -> Result<(), Trouble> {
        let function = fragment.function.unwrap_or_default();
        let (id, name) = (fragment.id.0, function.name.0);
        let known = match fragment.index {
            Some(_) => self.calls.iter().rposition(|call| call.index == fragment.index),
            None => self.calls.len().checked_sub(1),
        };
        // Some servers give every parallel call the same index, or none; a new id with a name is a new
        // call, and so is a name after whole arguments.
        let known = known.filter(|at| {
            let call = &self.calls[*at];
            // First and cheapest: a fragment without a name goes on with what there is.
            if name.is_empty() {
                return true;
            }
            let other_id = !id.is_empty() && !call.id.is_empty() && call.id != id;
            let renamed = fragment.index.is_none() && id.is_empty() && call.name != name;
            let more = fragment.index.is_none() || !function.arguments.0.trim().is_empty();
            !(other_id
                || renamed
                || (id.is_empty() && more && call.arguments.ends_with('}') && is_whole(&call.arguments)))
        });
        let at = known.unwrap_or_else(|| {
            for at in 0..self.calls.len() {
                self.end_if_whole(at, out);
            }
            self.calls.push(Call {
                index: fragment.index,
                id: String::new(),
                name: String::new(),
                arguments: String::new(),
                started: false,
                ended: false,
            });
            self.calls.len() - 1
        });
        let call = &mut self.calls[at];
        if call.ended {
            if function.arguments.0.trim().is_empty() {
                return Ok(());
            }
            return Err(Trouble::Protocol("more arguments for a tool call that was complete".into()));
        }
        if call.id.is_empty() {
            call.id = id.into_owned();
        }
        if call.name.is_empty() {
            call.name = name.into_owned();
        }
        call.arguments.push_str(&function.arguments.0);
        if call.started {
            if !function.arguments.0.is_empty() {
                out.push_back(Delta::CallArguments {
                    index: at,
                    fragment: function.arguments.0.into_owned(),
                });
            }
        } else if !call.name.is_empty() {
            call.start(at, out);
        }
        Ok(())
    }

    /// Ends a call early only when its arguments are whole: fragments of two calls may interleave.
    fn end_if_whole(&mut self, at: usize, out: &mut VecDeque<Delta>) {
        let call = &mut self.calls[at];
        if call.started && !call.ended && is_whole(&call.arguments) {
            call.ended = true;
            out.push_back(Delta::CallEnd { index: at });
        }
    }

    fn end_call(&mut self, at: usize, cut_short: bool, out: &mut VecDeque<Delta>) {
        let call = &mut self.calls[at];
        if !call.started {
            call.start(at, out);
        }
        // A call that was cut before its first argument must not pass for one without arguments.
        if !(call.ended || cut_short && call.arguments.is_empty()) {
            call.ended = true;
            out.push_back(Delta::CallEnd { index: at });
        }
    }

    fn close_reasoning(&mut self, out: &mut VecDeque<Delta>) {
        let details = std::mem::take(&mut self.details);
        let block = match (self.reasoning.take(), details.is_empty()) {
            (_, false) => json!({ "reasoning_details": details }),
            (Some((field, text)), true) => {
                let mut block = json!({});
                block[field] = Value::String(text);
                block
            }
            (None, true) => return,
        };
        out.push_back(Delta::ReasoningBlock(block));
    }

    fn hear_usage(&mut self, usage: &Value) {
        let cached = count(usage, "/prompt_tokens_details/cached_tokens")
            .max(count(usage, "/prompt_cache_hit_tokens"));
        self.usage = Some(Usage {
            input: count(usage, "/prompt_tokens").saturating_sub(cached),
            cached,
            cache_write: 0,
            output: count(usage, "/completion_tokens"),
            reasoning: count(usage, "/completion_tokens_details/reasoning_tokens"),
        });
    }

    fn stop(&mut self) -> Result<Stop, Trouble> {
        if !self.refusal.is_empty() {
            return Ok(Stop::Refusal(std::mem::take(&mut self.refusal)));
        }
        match self.finish.as_str() {
            "length" | "model_length" | "max_tokens" => Ok(Stop::MaxTokens),
            "content_filter" => Ok(Stop::Refusal("the provider's content filter stopped the answer".into())),
            "error" | "insufficient_system_resource" | "network_error" => Err(Trouble::Said(Said {
                status: 503,
                message: format!("the answer ended with {:?}", self.finish),
                ..Said::default()
            })),
            _ if !self.calls.is_empty() => Ok(Stop::ToolUse),
            _ if self.said => Ok(Stop::End),
            _ => Err(Trouble::Cut("the answer is empty".into())),
        }
    }
}

impl Call {
    fn start(&mut self, index: usize, out: &mut VecDeque<Delta>) {
        self.started = true;
        out.push_back(Delta::CallStart { index, id: self.id.clone(), name: self.name.clone() });
        if !self.arguments.is_empty() {
            out.push_back(Delta::CallArguments { index, fragment: self.arguments.clone() });
        }
    }
}

/// Joins a streamed piece of a reasoning block to the one it continues: same kind, same index.
fn join_detail(details: &mut Vec<Value>, piece: Value) {
    const GROWING: [&str; 3] = ["text", "summary", "data"];
    let continued = details
        .last_mut()
        .filter(|last| last["type"] == piece["type"] && last["index"] == piece["index"])
        .and_then(Value::as_object_mut);
    let (Some(last), Value::Object(fields)) = (continued, &piece) else {
        details.push(piece);
        return;
    };
    for (field, value) in fields {
        match (last.get_mut(field), value) {
            (Some(Value::String(grown)), Value::String(more)) if GROWING.contains(&field.as_str()) => {
                grown.push_str(more);
            }
            (Some(known), value) if !value.is_null() => *known = value.clone(),
            (Some(_), _) => {}
            (None, value) => {
                last.insert(field.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Assembly;

    /// Plays the `delta`s of one answer; gives the calls as `name(arguments)`, with a `!` where one ended
    /// before the answer did.
    fn calls(deltas: &[&str]) -> Result<Vec<String>, Trouble> {
        let mut listener = Listener::default();
        let mut out = VecDeque::new();
        for delta in deltas {
            let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#);
            listener.read(&Frame { event: String::new(), data }, &mut out)?;
        }
        let early = out.iter().filter(|delta| matches!(delta, Delta::CallEnd { .. })).count();
        let data = r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#.into();
        listener.read(&Frame { event: String::new(), data }, &mut out)?;
        listener.finish(&mut out)?;
        let mut assembly = Assembly::default();
        let mut ended = 0;
        for delta in &out {
            ended += usize::from(assembly.push(delta).is_some());
        }
        let message = assembly.message();
        assert_eq!(message.calls().count(), ended, "each call ends once");
        let shown = message.calls().enumerate().map(|(at, call)| {
            format!("{}({}){}", call.name, call.arguments, if at < early { "!" } else { "" })
        });
        Ok(shown.collect())
    }

    fn check(deltas: &[&str], expected: &[&str]) {
        assert_eq!(calls(deltas).unwrap(), expected, "{deltas:?}");
    }

    #[test]
    fn calls_are_told_apart_however_servers_number_them() {
        // By index, as OpenAI does.
        check(
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"k\":"}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"y","arguments":"{}"}}]}"#,
            ],
            &[r#"x({"k":1})!"#, "y({})"],
        );
        // The id comes again with every fragment, the name too.
        check(
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":"{\"k\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":":1}"}}]}"#,
            ],
            &[r#"x({"k":1})"#],
        );
        // Every call has index 0 and an id of its own.
        check(
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"index":0,"id":"b","function":{"name":"x","arguments":"{}"}}]}"#,
            ],
            &["x({})!", "x({})"],
        );
        // Neither ids nor indices; nulls for what is missing.
        check(
            &[
                r#"{"tool_calls":[{"index":null,"id":null,"function":{"name":"x","arguments":"{}"}}]}"#,
                r#"{"tool_calls":[{"function":{"name":"x","arguments":{"k":[1]}}},{"function":{"name":"y"}}]}"#,
                r#"{"tool_calls":[{"function":{"name":"z"}}]}"#,
            ],
            &["x({})!", r#"x({"k":[1]})!"#, "y()", "z()"],
        );
        // No index, fragments without a name.
        check(
            &[
                r#"{"tool_calls":[{"id":"a","function":{"name":"x","arguments":"{\"k\""}}]}"#,
                r#"{"tool_calls":[{"function":{"arguments":":1}"}}]}"#,
                r#"{"tool_calls":[{"id":"b","function":{"name":"y","arguments":"{}"}}]}"#,
            ],
            &[r#"x({"k":1})!"#, "y({})"],
        );
        // Fragments of two calls in turn.
        check(
            &[
                r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":"{\"k\""}}]}"#,
                r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"y","arguments":"{\"m\""}}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#,
                r#"{"tool_calls":[{"index":1,"function":{"arguments":":2}"}}]}"#,
            ],
            &[r#"x({"k":1})"#, r#"y({"m":2})"#],
        );
        // The id first, the name later.
        check(
            &[
                r#"{"tool_calls":[{"index":0,"id":"a"}]}"#,
                r#"{"tool_calls":[{"index":0,"function":{"name":"x","arguments":"{}"}}]}"#,
            ],
            &["x({})"],
        );
    }

    #[test]
    fn more_arguments_for_a_finished_call_are_no_silent_change() {
        let got = calls(&[
            r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"x","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"y","arguments":"{}"}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"evil\":1}"}}]}"#,
        ]);
        assert!(matches!(got, Err(Trouble::Protocol(_))), "{got:?}");
    }

    fn blocks(deltas: &[&str]) -> Vec<Value> {
        let mut listener = Listener::default();
        let mut out = VecDeque::new();
        for delta in deltas {
            let data = format!(r#"{{"choices":[{{"delta":{delta}}}]}}"#);
            listener.read(&Frame { event: String::new(), data }, &mut out).unwrap();
        }
        listener.finish = "stop".into();
        listener.finish(&mut out).unwrap();
        let blocks = out.into_iter().filter_map(|delta| match delta {
            Delta::ReasoningBlock(block) => Some(block),
            _ => None,
        });
        blocks.collect()
    }

    #[test]
    fn reasoning_goes_back_under_the_name_it_came_by() {
        let check = |deltas: &[&str], expected: Value| assert_eq!(Value::Array(blocks(deltas)), expected);
        check(
            &[
                r#"{"reasoning_content":"a"}"#,
                r#"{"reasoning_content":"b","content":""}"#,
                r#"{"content":"c"}"#,
            ],
            json!([{"reasoning_content": "ab"}]),
        );
        check(&[r#"{"reasoning":"a"}"#, r#"{"content":"c"}"#], json!([{"reasoning": "a"}]));
        check(
            &[r#"{"reasoning":"a","reasoning_content":"a"}"#, r#"{"content":"c"}"#],
            json!([{"reasoning_content": "a"}]),
        );
        check(
            &[
                r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","index":0,"text":"a","signature":null}]}"#,
                r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","index":0,"text":"b"}]}"#,
                r#"{"reasoning_details":[{"type":"reasoning.text","index":0,"text":null,"signature":"s","format":"f"}]}"#,
                r#"{"reasoning_details":[{"type":"reasoning.encrypted","index":1,"data":"zz"}]}"#,
                r#"{"content":"c"}"#,
            ],
            json!([{"reasoning_details": [
                {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s", "format": "f"},
                {"type": "reasoning.encrypted", "index": 1, "data": "zz"}]}]),
        );
        check(&[r#"{"content":"c"}"#], json!([]));
    }

    #[test]
    fn a_done_without_a_reason_ends_what_was_said_and_nothing_else() {
        let play = |events: &[&str]| {
            let mut listener = Listener::default();
            let mut out = VecDeque::new();
            for data in events {
                listener.read(&Frame { event: String::new(), data: (*data).into() }, &mut out).unwrap();
            }
            listener.finish(&mut out).map(|()| out.pop_back())
        };
        let said = r#"{"choices":[{"delta":{"content":[{"type":"text","text":"hi"}]}}]}"#;
        assert_eq!(play(&[said, "[DONE]"]), Ok(Some(Delta::Stop(Stop::End))));
        assert!(matches!(play(&["[DONE]"]), Err(Trouble::Cut(_))));
        assert!(matches!(play(&[said]), Err(Trouble::Cut(_))));
        assert!(matches!(play(&[r#"{"choices":null,"usage":null}"#, "", " "]), Err(Trouble::Cut(_))));
    }
}
