//! What a session may use up, and when it has.

use super::record::{Entry, RecordError};
use super::{Ending, Session, ended};
use crate::event::{Event, Host, Outcome, Spent};
use crate::message::{Price, Usage};
use crate::model::window;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What bounds one run of a session. Hard: the work so far is kept, and nothing more is asked of the model.
/// Turns, tokens and money are looked at before every answer, so the last answer may go over; time ends
/// whatever is under way.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most answers of the model.
    pub max_turns: u32,
    /// Most tokens per answer.
    pub max_output: u32,
    /// Most tokens in all, input and output, from a cache or not.
    pub max_tokens: Option<u64>,
    /// Most US dollars; needs a price.
    pub max_usd: Option<f64>,
    /// Longest time.
    pub max_time: Option<Duration>,
    /// What the model costs; `None` when nobody knows.
    pub price: Option<Price>,
    /// Tokens its window holds; `None` where there is no limit.
    pub window: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_turns: 200,
            max_output: 16_384,
            max_tokens: None,
            max_usd: None,
            max_time: None,
            price: None,
            window: Some(window::DEFAULT),
        }
    }
}

/// What one run has used so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    usage: Usage,
    /// US dollars, each answer at the price of the model that gave it.
    spent: f64,
    alarm: Option<Alarm>,
}

/// Cancels a run when its time is over.
#[derive(Debug)]
struct Alarm {
    rang: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Budget {
    /// Starts the clock. Within a runtime where there is a limit of time.
    pub(super) fn start(limits: &Limits, cancel: &CancellationToken) -> Self {
        let alarm = limits.max_time.map(|time| {
            let rang = Arc::new(AtomicBool::new(false));
            let (bell, cancel) = (Arc::clone(&rang), cancel.clone());
            let task = tokio::spawn(async move {
                tokio::time::sleep(time).await;
                bell.store(true, Ordering::Relaxed);
                cancel.cancel();
            });
            Alarm { rang, task }
        });
        Self { alarm, ..Self::default() }
    }

    fn is_out_of_time(&self) -> bool {
        self.alarm.as_ref().is_some_and(|alarm| alarm.rang.load(Ordering::Relaxed))
    }
}

impl Session {
    /// How the run ends now, if it must not go on.
    pub(super) fn over(&self) -> Option<Ending> {
        if self.parts.cancel.is_cancelled() {
            return Some(self.interrupted());
        }
        let limits = &self.parts.limits;
        let used = self.budget.usage;
        let tokens = used.tokens();
        let stopped = |why: String| Some(ended(Outcome::Budget, format!("stopped after {why}")));
        let turns = self.turns - self.earlier;
        if turns >= limits.max_turns {
            return stopped(format!("{turns} turns (--max-turns)"));
        }
        if limits.max_tokens.is_some_and(|most| tokens >= most) {
            return stopped(format!("{tokens} tokens (--max-tokens)"));
        }
        let spent = self.budget.spent;
        if limits.max_usd.is_some_and(|most| spent >= most) {
            return stopped(format!("{spent:.4} US dollars (--max-usd)"));
        }
        None
    }

    /// How the run ends when it was cancelled: by its own clock or by the user.
    pub(super) fn interrupted(&self) -> Ending {
        match self.parts.limits.max_time {
            Some(time) if self.budget.is_out_of_time() => {
                let minutes = time.as_secs_f64() / 60.0;
                ended(Outcome::Budget, format!("stopped after {minutes} minutes (--max-minutes)"))
            }
            _ => ended(Outcome::Cancelled, "interrupted"),
        }
    }

    /// Counts an answer's tokens, keeps them and tells them.
    pub(super) fn account(&mut self, usage: Usage, host: &mut dyn Host) -> Result<(), RecordError> {
        let cost = self.parts.limits.price.map(|price| price.of(usage));
        self.budget.usage.add(usage);
        self.budget.spent += cost.unwrap_or_default();
        self.count(usage, cost);
        self.record.append(&Entry::Usage { usage, cost_usd: cost })?;
        host.tell(Event::Usage(Spent {
            usage,
            cost_usd: cost,
            total: self.usage,
            total_cost_usd: self.cost,
        }));
        Ok(())
    }

    /// Adds an answer to the session's sums. One unknown cost makes the sum unknown.
    pub(super) fn count(&mut self, usage: Usage, cost: Option<f64>) {
        self.usage.add(usage);
        self.cost = self.cost.zip(cost).map(|(sum, cost)| sum + cost);
    }
}
