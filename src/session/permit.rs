//! Leave for one action: policy's word, or the user's where policy has none.

use super::Session;
use crate::action::{Action, Change};
use crate::event::{Answer, Event, Host};
use crate::message::ToolCall;
use crate::policy::{Permit, Verdict};

impl Session {
    /// Policy's word, or the user's where policy has none; with the changes that the user approved in place of the
    /// planned ones, if so.
    pub(super) async fn permit_for(
        &mut self,
        call: &ToolCall,
        action: &Action,
        host: &mut dyn Host,
    ) -> Result<(Option<Vec<Change>>, Permit), String> {
        let say = |host: &mut dyn Host, verdict: &str, reason: &str| {
            host.tell(Event::Permission {
                id: call.id.clone(),
                verdict: verdict.into(),
                reason: reason.into(),
            });
        };
        match self.parts.policy.judge(action) {
            Verdict::Allow(permit) => Ok((None, permit)),
            Verdict::Deny(reason) => {
                say(host, "denied", &reason);
                Err(reason)
            }
            Verdict::Ask(question) => {
                let cancel = self.parts.cancel.clone();
                let answer = tokio::select! {
                    answer = host.ask(&question) => answer,
                    () = cancel.cancelled() => Answer::Reject(Some("interrupted by the user".into())),
                };
                let policy = &mut self.parts.policy;
                let settled = match &answer {
                    Answer::Instead(changes) => policy
                        .settle_instead(&question, changes)
                        .map(|(_, permit)| (Some(changes.clone()), permit)),
                    _ => policy.settle(&question, &answer).map(|permit| (None, permit)),
                };
                match &settled {
                    Ok((Some(_), _)) => say(host, "allowed", "by the user, with changes of their own"),
                    Ok(_) => say(host, "allowed", "by the user"),
                    Err(reason) => say(host, "denied", reason),
                }
                settled
            }
        }
    }
}
