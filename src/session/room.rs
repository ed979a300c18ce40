//! How full the model's window is, and what is done before it is too full.

use super::compact::{asked, fold, thin, weigh};
use super::ledger::Note;
use super::record::{Entry, RecordError};
use super::{Ending, Session, ended};
use crate::event::{Event, Host, Outcome};
use crate::message::{Message, Part, Role, Usage};
use crate::model::rules::NAME as RULES;
use crate::model::{Assembly, Delta, Request, Stop};
use crate::prompt;
use crate::text::clip;
use futures_util::StreamExt;

/// Bytes a token stands for until a provider has counted.
const BYTES_PER_TOKEN: f64 = 3.6;
/// The least room worth working in, in tokens beyond the system prompt and the tools.
const LEAST_ROOM: u64 = 1_000;
/// Most tokens the model may note before a cut.
const MAX_WORDS: u64 = 4_096;
/// Bytes of the task that the model is reminded of when it takes notes.
const REMINDER: usize = 4_000;

/// What is known of how tokens are counted.
#[derive(Debug)]
pub(super) struct Gauge {
    /// Tokens a byte.
    ratio: f64,
    /// The window as an overflow has shown it, where that is less than what was said.
    found: Option<u64>,
    /// Bytes of the system prompt and the tools.
    fixed: usize,
}

impl Gauge {
    /// One for a system prompt and tools of `fixed` bytes.
    pub(super) fn of(fixed: usize) -> Self {
        Self { ratio: 1.0 / BYTES_PER_TOKEN, found: None, fixed }
    }

    /// Learns from the provider's own count of a request of `bytes`.
    pub(super) fn learn(&mut self, bytes: usize, usage: Usage) {
        let tokens = usage.input + usage.cached + usage.cache_write;
        if tokens > 0 && bytes > 0 {
            // A count beyond reason is a server's mistake.
            self.ratio = (float(tokens) / float(bytes as u64)).clamp(1.0 / 6.0, 1.0 / 1.5);
        }
    }

    /// Forgets what another model taught.
    pub(super) fn forget(&mut self) {
        *self = Self::of(self.fixed);
    }

    fn tokens(&self, bytes: usize) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of tokens")]
        let tokens = (float((bytes + self.fixed) as u64) * self.ratio) as u64;
        tokens
    }

    /// Bytes of conversation that come to `tokens`, beside the system prompt and the tools.
    fn bytes(&self, tokens: u64) -> usize {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of bytes")]
        let bytes = (float(tokens) / self.ratio) as usize;
        bytes.saturating_sub(self.fixed)
    }
}

#[allow(clippy::cast_precision_loss, reason = "no count of tokens or bytes comes near 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

impl Session {
    /// Tokens that the next request would take, about: an estimate, corrected by the provider's last count.
    pub fn context_used(&self) -> u64 {
        self.gauge.tokens(weigh(&self.history))
    }

    /// Tokens that the model's window holds; `None` where there is no limit.
    pub fn context_window(&self) -> Option<u64> {
        let said = self.parts.limits.window?;
        Some(self.gauge.found.map_or(said, |found| found.min(said)))
    }

    /// Most tokens of one answer: a fifth of the window is kept for it.
    pub(super) fn max_output(&self) -> u32 {
        let most = self.parts.limits.max_output;
        let fifth = self.context_window().map_or(u64::from(most), |window| window / 5);
        most.min(u32::try_from(fifth).unwrap_or(u32::MAX)).max(1)
    }

    /// Bytes that weigh on the window now.
    pub(super) fn weight(&self) -> usize {
        weigh(&self.history) + self.gauge.fixed
    }

    /// Cuts the conversation before it fills four fifths of the window. Gives how the run ends when there is no
    /// room to work in.
    pub(super) async fn make_room(&mut self, host: &mut dyn Host) -> Result<Option<Ending>, RecordError> {
        let Some(window) = self.context_window() else { return Ok(None) };
        if self.context_used() < window / 5 * 4 || self.cut(window, true, host).await? {
            return Ok(None);
        }
        let fixed = self.gauge.tokens(0);
        Ok(Some(ended(
            Outcome::Error,
            format!(
                "no room left to work in: the system prompt and the tools take about {fixed} of the {window} tokens of \
                 {}'s window, and the task and the latest turn most of the rest; use a model with a larger window, or \
                 say --context-window if it is larger than that",
                self.model()
            ),
        )))
    }

    /// After the provider said that the conversation is too long: whether it is shorter now.
    pub(super) async fn cut_after_overflow(&mut self, host: &mut dyn Host) -> Result<bool, RecordError> {
        let used = self.context_used();
        let window = self.context_window().unwrap_or(used).min(used / 10 * 9);
        self.gauge.found = Some(window);
        self.cut(window, false, host).await
    }

    /// Cuts the conversation now, as `/compact` asks. Whether it is shorter.
    pub async fn compact(&mut self, host: &mut dyn Host) -> Result<bool, RecordError> {
        let Some(window) = self.context_window() else { return Ok(false) };
        // What fits easily is still cut: somebody wants it so.
        let window = window.min(self.context_used());
        self.cut(window, true, host).await
    }

    /// Cuts to half of what is free in `window`. With `may_ask` the model is asked for notes when whole turns go.
    async fn cut(&mut self, window: u64, may_ask: bool, host: &mut dyn Host) -> Result<bool, RecordError> {
        let before = self.context_used();
        let fixed = self.gauge.tokens(0);
        let room = (window / 5 * 4).saturating_sub(fixed);
        if room < LEAST_ROOM {
            return Ok(false);
        }
        let target = self.gauge.bytes(fixed + room * 3 / 5);
        let history = if let Some(history) = thin(&self.history, target) {
            history
        } else {
            if may_ask && self.model() != RULES {
                let text = "the conversation fills the model's window; it takes notes".into();
                host.tell(Event::Status { text });
                self.take_notes(window, host).await?;
            }
            let Some(history) = fold(&self.history, &self.ledger, target) else { return Ok(false) };
            history
        };
        self.record
            .append(&Entry::Compacted { history: history.clone(), words: self.ledger.words.clone() })?;
        self.history = history;
        tracing::info!(before, after = self.context_used(), "the conversation was cut");
        let (after, turns) = (self.context_used(), self.history.len() / 2);
        host.tell(Event::Status {
            text: format!(
                "the conversation was cut to fit the model's window: about {before} tokens before, {after} now; the task, \
                 an account of what was done and the last {turns} turns stay, the record keeps everything"
            ),
        });
        Ok(true)
    }

    /// Asks the model for notes on what is about to be left out. They help; the work goes on without them when
    /// the model gives none.
    async fn take_notes(&mut self, window: u64, host: &mut dyn Host) -> Result<(), RecordError> {
        let task = self.history.first().map(Message::text).unwrap_or_default();
        let question = Part::Text { text: prompt::compact(clip(&task, REMINDER).text) };
        // In the place where it would be said, and nowhere afterwards: the conversation before it is in the
        // provider's cache.
        let joined = match self.history.last_mut() {
            Some(last) if last.role == Role::User => {
                last.parts.push(question);
                true
            }
            _ => {
                self.history.push(Message { role: Role::User, parts: vec![question] });
                false
            }
        };
        let mut assembly = Assembly::default();
        let model = std::sync::Arc::clone(&self.parts.model);
        let max_output = self.max_output().min(u32::try_from(MAX_WORDS.min(window / 8)).unwrap_or(u32::MAX));
        let specs = self.parts.toolbox.specs();
        let request =
            Request { system: &self.parts.system, tools: &specs, messages: &self.history, max_output };
        let span = super::trace::chat(model.name(), max_output);
        let mut stream = model.stream(request);
        loop {
            let delta = tokio::select! {
                biased;
                () = self.parts.cancel.cancelled() => break,
                delta = stream.next() => delta,
            };
            let Some(Ok(delta)) = delta else { break };
            if let Delta::Text(_) | Delta::Usage(_) | Delta::Stop(_) = delta {
                assembly.push(&delta);
            }
        }
        drop(stream);
        if let Some(stop) = &assembly.stop {
            super::trace::answered(&span, assembly.usage, stop);
        }
        drop(span);
        if joined {
            self.history.last_mut().and_then(|last| last.parts.pop());
        } else {
            self.history.pop();
        }
        let complete = matches!(assembly.stop, Some(Stop::End | Stop::MaxTokens));
        if assembly.usage != Usage::default() {
            self.account(assembly.usage, host)?;
        }
        let words = assembly.message().text();
        if complete && !words.trim().is_empty() {
            self.ledger.words = Some(super::calls::hide(words.trim()));
        }
        Ok(())
    }

    /// Keeps lines of the account.
    pub(super) fn note(&mut self, notes: Vec<Note>) -> Result<(), RecordError> {
        if notes.is_empty() {
            return Ok(());
        }
        for note in &notes {
            self.ledger.note(note);
        }
        self.record.append(&Entry::Notes { notes })
    }

    /// The user's words in a message, for the account.
    pub(super) fn note_asked(&mut self, message: &Message) {
        for text in asked(message) {
            self.ledger.ask(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_follows_the_providers_count() {
        let mut gauge = Gauge::of(3_600);
        assert_eq!(gauge.tokens(3_600), 2_000);
        assert_eq!(gauge.bytes(2_000), 3_600);
        gauge.learn(10_000, Usage { input: 1_000, cached: 4_000, ..Usage::default() });
        assert_eq!(gauge.tokens(6_400), 5_000);
        gauge.learn(10_000, Usage { input: 1, ..Usage::default() });
        assert_eq!(gauge.tokens(2_400), 1_000, "nobody counts that little");
        gauge.learn(10_000, Usage::default());
        assert_eq!(gauge.tokens(2_400), 1_000);
        gauge.forget();
        assert_eq!(gauge.tokens(3_600), 2_000);
    }
}
