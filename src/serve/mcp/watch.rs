//! The host of a job: keeps the last word on how it goes, passes questions to whoever waits, notes what nobody
//! could be asked.

use crate::event::{Answer, Event, Host, Question};
use crate::text::{clip, redact};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// The longest line on how it goes, in bytes.
const MAX_LINE: usize = 200;

/// A question on its way to a person.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) answer: oneshot::Sender<Answer>,
}

/// What is known of a job while it runs.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The last thing that happened, in a line.
    pub(super) line: String,
    /// What nobody could be asked.
    pub(super) needs_approval: Vec<String>,
}

/// A job's standing, shared with those who ask for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Board(Arc<Mutex<Standing>>);

impl Board {
    /// Looks at it, or changes it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Standing) -> T) -> T {
        // Every change is a single step: a thread that died in one left whole data.
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, text: &str) {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let line = clip(&redact(first), MAX_LINE).text.to_owned();
        self.with(|standing| standing.line = line);
    }
}

/// The host.
pub(super) struct Watcher {
    board: Board,
    /// Where questions go; absent when nobody can be asked.
    asks: Option<mpsc::Sender<Asked>>,
}

impl Watcher {
    pub(super) fn new(board: Board, asks: Option<mpsc::Sender<Asked>>) -> Self {
        Self { board, asks }
    }
}

impl Host for Watcher {
    fn tell(&mut self, event: Event) {
        match event {
            Event::ToolCall { title, .. } => self.board.write(&title),
            Event::Status { text } | Event::Warning { text } => self.board.write(&text),
            Event::Retry { reason, .. } => self.board.write(&reason),
            Event::Verify { gate, status, .. } => self.board.write(&format!("{gate}: {status}")),
            _ => {}
        }
    }

    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            if let Some(asks) = &self.asks {
                let (answer, answered) = oneshot::channel();
                if asks.send(Asked { question: question.clone(), answer }).await.is_ok()
                    && let Ok(answer) = answered.await
                {
                    return answer;
                }
            }
            let what = format!("{} ({})", question.action.title(), question.reason);
            let what = clip(&redact(&what), 500).text.to_owned();
            self.board.with(|standing| standing.needs_approval.push(what));
            Answer::Reject(Some("nobody can be asked here; go on without it, and say what is left".into()))
        })
    }
}
