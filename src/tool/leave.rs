//! Leave for what turns up while a deed is under way: policy's word, and the user's where policy has none.

use crate::action::Action;
use crate::policy::{Policy, Verdict};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Something a deed wants that its permit does not cover.
#[derive(Debug)]
pub struct Request {
    /// What.
    pub action: Action,
    /// Takes the decision; dropped, it means no.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// Where a deed asks.
#[derive(Clone, Default)]
pub struct Leave {
    policy: Option<Arc<Policy>>,
    asking: Option<mpsc::UnboundedSender<Request>>,
    disclosing: Option<mpsc::UnboundedSender<String>>,
}

impl Leave {
    /// Nothing is allowed and nobody is asked.
    pub fn none() -> Self {
        Self::default()
    }

    /// What `policy` allows now is allowed; what it asks goes to whoever receives.
    pub fn of(policy: Policy, asking: mpsc::UnboundedSender<Request>) -> Self {
        Self { policy: Some(Arc::new(policy)), asking: Some(asking), disclosing: None }
    }

    /// With somebody who takes words that the model sees in one request and nobody keeps.
    #[must_use]
    pub fn disclosing(self, disclosing: mpsc::UnboundedSender<String>) -> Self {
        Self { disclosing: Some(disclosing), ..self }
    }

    /// Gives the model words for its next request alone; neither history nor record holds them. Says whether
    /// there is somebody who takes them.
    pub fn disclose(&self, words: String) -> bool {
        self.disclosing.as_ref().is_some_and(|disclosing| disclosing.send(words).is_ok())
    }

    /// For a deed that outlives its call: what is allowed now, and nobody is asked.
    #[must_use]
    pub fn without_asking(self) -> Self {
        Self { asking: None, ..self }
    }

    /// Whether a command can come to reach anything.
    pub fn opens_network(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.opens_network())
    }

    /// Whether that may be done; why not, else.
    pub async fn ask(&self, action: Action) -> Result<(), String> {
        let Some(policy) = &self.policy else { return Err("nobody is there to allow it".into()) };
        let why = match policy.judge(&action) {
            Verdict::Allow(_) => return Ok(()),
            Verdict::Deny(why) => why,
            Verdict::Ask(question) => {
                format!("{}; nobody is asked for a command in the background", question.reason)
            }
        };
        // A denial goes there too: whoever watches sees it, and so does the record.
        let Some(asking) = &self.asking else { return Err(why) };
        let (answer, answered) = oneshot::channel();
        asking.send(Request { action, answer }).map_err(|_| why)?;
        answered.await.unwrap_or_else(|_| Err("the call ended before somebody answered".into()))
    }
}
