//! A session within the test's own process: a folder, a scripted model, hands that may do everything.

use super::model::{ModelServer, Wire};
use agent::event::{Answer, Event, Host, Question};
use agent::model::{Model, choose};
use agent::policy::{Mode, Policy};
use agent::sandbox::{Wish, open};
use agent::scan::Scanner;
use agent::session::{Limits, Mind, Parts};
use agent::tool::{self, Toolbox, World};
use agent::workspace::Workspace;
use futures_util::future::BoxFuture;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The scripted model of a server, by this name.
pub fn mind(wire: Wire, server: &ModelServer, name: &str) -> Arc<dyn Model> {
    let url = server.base_url();
    let lookup = |variable: &str| {
        if variable.ends_with("_BASE_URL") {
            Some(url.clone())
        } else if variable.ends_with("_API_KEY") {
            Some("FAKE-model-canary".to_owned())
        } else {
            None
        }
    };
    Arc::from(choose::open(&format!("{}/{name}", wire.provider()), &lookup).unwrap())
}

/// Everything a session needs, in `folder`.
pub fn parts(folder: &Path, model: Arc<dyn Model>, limits: Limits, fallbacks: Vec<Mind>) -> Parts {
    let workspace = Workspace::open(folder).unwrap();
    let sandbox = open(workspace.root(), folder, folder, Wish::Off);
    Parts {
        model,
        fallbacks,
        toolbox: Toolbox::of(tool::all()),
        world: Arc::new(World { workspace, sandbox, scanner: Scanner::new() }),
        policy: Policy::new(Mode::Yes),
        system: "You are a test.".into(),
        limits,
        cancel: CancellationToken::new(),
    }
}

/// Hears everything, answers every question the same way.
pub struct Audience {
    pub events: Vec<Event>,
    pub asked: Vec<Question>,
    pub answer: Answer,
}

impl Default for Audience {
    fn default() -> Self {
        Self { events: Vec::new(), asked: Vec::new(), answer: Answer::Once }
    }
}

impl Audience {
    /// The harness's own words so far.
    pub fn statuses(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|event| match event {
                Event::Status { text } | Event::Warning { text } => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }
}

impl Host for Audience {
    fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.asked.push(question.clone());
        let answer = self.answer.clone();
        Box::pin(async move { answer })
    }
}
