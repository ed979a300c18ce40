//! The host: events and questions as messages for the screen, answers back.

use crate::event::{Answer, Event, Host, Question};
use crate::tui::state::{Msg, Told};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// The desk's end of the wire.
pub(super) struct Door {
    to: UnboundedSender<Msg>,
    answers: UnboundedReceiver<(u64, Answer)>,
    /// Number of the last question: an answer counts for the question that was on the screen and for no other.
    asked: u64,
}

impl Door {
    pub(super) fn new(to: UnboundedSender<Msg>, answers: UnboundedReceiver<(u64, Answer)>) -> Self {
        Self { to, answers, asked: 0 }
    }

    /// Says something of the desk. A screen that is gone needs to hear nothing.
    pub(super) fn told(&self, word: Told) {
        let _ = self.to.send(Msg::Told(word));
    }

    /// For what speaks from elsewhere.
    pub(super) fn sender(&self) -> UnboundedSender<Msg> {
        self.to.clone()
    }
}

impl Host for Door {
    fn tell(&mut self, event: Event) {
        let _ = self.to.send(Msg::House(event));
    }

    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.asked += 1;
        let number = self.asked;
        let sent = self.to.send(Msg::Asked(number, question.clone()));
        Box::pin(async move {
            if sent.is_err() {
                return Answer::Reject(Some("the screen is gone".into()));
            }
            loop {
                match self.answers.recv().await {
                    Some((for_question, answer)) if for_question == number => return answer,
                    Some(_) => {}
                    None => return Answer::Reject(Some("the screen is gone".into())),
                }
            }
        })
    }
}
