//! A host around another: hears the model write its contract and shows it, once, as soon as it stands.

use crate::event::{Answer, Event, Host, Question};
use crate::finding::contract::Contract;
use futures_util::future::BoxFuture;

/// Most bytes of an answer that are looked through.
const MAX_TEXT: usize = 64 * 1024;

/// Passes everything on and watches.
pub(super) struct Watching<'a> {
    host: &'a mut dyn Host,
    known: Option<Contract>,
    text: String,
    done: bool,
}

impl<'a> Watching<'a> {
    /// Around `host`; `known` is what the harness knows of the contract.
    pub(super) fn over(host: &'a mut dyn Host, known: Option<Contract>) -> Self {
        Self { host, known, text: String::new(), done: false }
    }
}

impl Host for Watching<'_> {
    fn tell(&mut self, event: Event) {
        match &event {
            Event::Message { delta } if !self.done && self.text.len() < MAX_TEXT => self.text.push_str(delta),
            Event::ToolCall { .. } if !self.done => {
                if let Some(said) = Contract::parse(&self.text) {
                    let contract = match self.known.take() {
                        Some(known) => known.joined(said),
                        None => said,
                    };
                    self.done = true;
                    self.host.tell(Event::Contract { contract });
                }
                self.text.clear();
            }
            _ => {}
        }
        self.host.tell(event);
    }

    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.host.ask(question)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Vec<Event>);

    impl Host for Heard {
        fn tell(&mut self, event: Event) {
            self.0.push(event);
        }
        fn ask<'a>(&'a mut self, _question: &'a Question) -> BoxFuture<'a, Answer> {
            Box::pin(async { Answer::Once })
        }
    }

    #[test]
    fn shows_the_contract_when_the_model_begins_to_work() {
        let mut heard = Heard::default();
        let mut watching = Watching::over(&mut heard, None);
        for delta in ["Entry point: a\nAttacker ", "input: b\nInvariant: c\nFiles in scope: a.py\n"] {
            watching.tell(Event::Message { delta: delta.to_owned() });
        }
        for _ in 0..2 {
            watching.tell(Event::ToolCall {
                id: "1".into(),
                tool: "edit".into(),
                title: "e".into(),
                action: None,
            });
        }
        let shown: Vec<&Contract> = heard
            .0
            .iter()
            .filter_map(|event| match event {
                Event::Contract { contract } => Some(contract),
                _ => None,
            })
            .collect();
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0].files_in_scope, ["a.py"]);
    }
}
