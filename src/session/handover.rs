//! Another model goes on where a provider's policy refuses: only one that the user named, and with the user's
//! leave.

use super::Session;
use super::record::{Entry, RecordError};
use crate::action::Action;
use crate::event::{Answer, Event, Host, Question};
use crate::message::Price;
use crate::model::Model;
use std::sync::Arc;

/// A model that may go on.
pub struct Mind {
    /// It.
    pub model: Arc<dyn Model>,
    /// What it costs; `None` when nobody knows.
    pub price: Option<Price>,
    /// Tokens its window holds; `None` where there is no limit.
    pub window: Option<u64>,
    /// What the user is asked before it reads the conversation: the address it goes to. `None` where naming the
    /// model was the user's word already.
    pub ask: Option<Action>,
}

impl Session {
    /// Goes on with the next model that may, after the present one refused for `reason`. Whether there is one.
    pub(super) async fn hand_over(&mut self, reason: &str, host: &mut dyn Host) -> Result<bool, RecordError> {
        while !self.parts.fallbacks.is_empty() {
            let mind = self.parts.fallbacks.remove(0);
            let (from, to) = (self.model().to_owned(), mind.model.name().to_owned());
            if let Some(action) = mind.ask {
                let reason = format!(
                    "{from} refused: {reason}. {to} can go on; it then reads the conversation so far"
                );
                let question = Question { action, reason, remember: None };
                let cancel = self.parts.cancel.clone();
                let answer = tokio::select! {
                    answer = host.ask(&question) => answer,
                    () = cancel.cancelled() => Answer::Reject(None),
                };
                if matches!(answer, Answer::Reject(_)) {
                    continue;
                }
            }
            tracing::info!(from, to, "another model goes on");
            self.record.append(&Entry::Model { model: to.clone() })?;
            host.tell(Event::Warning { text: format!("{from} refused: {reason}; {to} goes on") });
            self.set_model(mind.model, mind.price);
            self.set_window(mind.window);
            return Ok(true);
        }
        Ok(false)
    }
}
