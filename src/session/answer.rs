//! How one answer is had: streamed to the host, asked for again after a passing fault, with calls that
//! only look started while the rest still streams.

use super::calls::{Call, Started};
use super::record::RecordError;
use super::{Interruption, Session, trace};
use crate::event::{Event, Host};
use crate::message::{Message, Part, Usage};
use crate::model::retry::{self, Offline};
use crate::model::{Assembly, Delta, Model, ModelError, Request, Stop};
use crate::text::stream::Stream;
use futures_util::StreamExt;
use std::sync::Arc;
use tracing::Instrument;

/// A whole answer.
pub(super) struct Answer {
    pub(super) message: Message,
    pub(super) calls: Vec<Call>,
    pub(super) stop: Stop,
    pub(super) usage: Usage,
}

impl Session {
    /// Asks until there is an answer or no hope of one.
    pub(super) async fn ask_model(
        &mut self,
        host: &mut dyn Host,
    ) -> Result<Result<Answer, Interruption>, RecordError> {
        let mut attempt = 1;
        let mut offline = Offline::default();
        loop {
            let mut assembly = Assembly::default();
            let span = trace::chat(self.model(), self.max_output());
            let answered = self.attempt(&mut assembly, host).instrument(span.clone()).await;
            match &answered {
                Ok(answer) => trace::answered(&span, answer.usage, &answer.stop),
                Err(Interruption::Model(error)) => trace::failed(&span, assembly.usage, error),
                Err(_) => {}
            }
            drop(span);
            if answered.is_err() && assembly.usage != Usage::default() {
                // What an answer that failed has cost is spent all the same.
                self.account(assembly.usage, host)?;
            }
            let error = match answered {
                Err(Interruption::Model(error)) => error,
                other => return Ok(other),
            };
            let wait = if let Some(pause) = offline.wait(&error, tokio::time::Instant::now()) {
                // Being offline is nobody's fault and uses up no try.
                if pause.is_first {
                    let text = format!("offline: {error}; the work goes on when the network is back");
                    host.tell(Event::Status { text });
                }
                pause.time
            } else {
                attempt += 1;
                let Some(wait) = retry::wait(attempt, &error) else {
                    return Ok(Err(Interruption::Model(error)));
                };
                host.tell(Event::Retry {
                    attempt,
                    wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    reason: error.to_string(),
                });
                wait
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.parts.cancel.cancelled() => return Ok(Err(Interruption::Cancelled)),
            }
            if let Some(ending) = self.over() {
                return Ok(Err(Interruption::Over(ending)));
            }
        }
    }

    /// One request, one stream. A failed one leaves nothing behind: calls it started only looked.
    async fn attempt(
        &mut self,
        assembly: &mut Assembly,
        host: &mut dyn Host,
    ) -> Result<Answer, Interruption> {
        let model: Arc<dyn Model> = Arc::clone(&self.parts.model);
        let specs = self.parts.toolbox.specs();
        let once = disclosed(&self.history, &self.disclosed);
        let request = Request {
            system: &self.parts.system,
            tools: &specs,
            messages: once.as_deref().unwrap_or(&self.history),
            max_output: self.max_output(),
        };
        let mut stream = model.stream(request);
        let mut calls: Vec<Call> = Vec::new();
        let mut words = Words::default();
        loop {
            let delta = tokio::select! {
                biased;
                () = self.parts.cancel.cancelled() => return Err(Interruption::Cancelled),
                delta = stream.next() => delta,
            };
            let Some(delta) = delta else { break };
            let delta = delta.map_err(Interruption::Model)?;
            match &delta {
                Delta::Text(text) => words.say(text, host),
                Delta::Reasoning(text) => words.think(text, host),
                _ => {}
            }
            if let Some(call) = assembly.push(&delta) {
                words.end(host);
                let mut call = self.understand(call);
                // Only as long as everything before it only looks: results must not depend on luck.
                if calls.iter().all(|earlier| matches!(earlier.started, Started::Running(_))) {
                    self.start_if_it_only_looks(&mut call, host);
                }
                calls.push(call);
            }
            if assembly.stop.is_some() {
                break;
            }
        }
        words.end(host);
        let Some(stop) = assembly.stop.clone() else {
            return Err(Interruption::Model(ModelError::Cut(
                "the stream ended before the answer did".into(),
            )));
        };
        let usage = assembly.usage;
        let mut message = std::mem::take(assembly).message();
        message.parts.retain(|part| !matches!(part, Part::Text { text } if text.is_empty()));
        // A call that never became complete still stands in the message, and is owed a result.
        for call in message.calls() {
            if !calls.iter().any(|known| known.asked.id == call.id) {
                calls.push(self.understand(call.clone()));
            }
        }
        // Shown once is over with the answer.
        self.disclosed.clear();
        Ok(Answer { message, calls, stop, usage })
    }
}

/// The history with words that only this request holds, where there are any.
fn disclosed(history: &[Message], words: &[(String, String)]) -> Option<Vec<Message>> {
    if words.is_empty() {
        return None;
    }
    let mut history = history.to_vec();
    for part in history.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::Result(result) = part {
            for (_, words) in words.iter().filter(|(id, _)| *id == result.call_id) {
                result.text.push_str(words);
            }
        }
    }
    Some(history)
}

/// The model's words on their way to the host, secrets hidden also where they are cut in two.
#[derive(Default)]
struct Words {
    text: Stream,
    thought: Stream,
}

impl Words {
    fn say(&mut self, text: &str, host: &mut dyn Host) {
        let delta = self.text.push(text);
        if !delta.is_empty() {
            host.tell(Event::Message { delta });
        }
    }

    fn think(&mut self, text: &str, host: &mut dyn Host) {
        let delta = self.thought.push(text);
        if !delta.is_empty() {
            host.tell(Event::Thought { delta });
        }
    }

    /// Says what was held back.
    fn end(&mut self, host: &mut dyn Host) {
        let (thought, text) = (self.thought.finish(), self.text.finish());
        if !thought.is_empty() {
            host.tell(Event::Thought { delta: thought });
        }
        if !text.is_empty() {
            host.tell(Event::Message { delta: text });
        }
    }
}
