//! What a turn costs beyond the wire: the loop against a bare HTTP client that plays the same conversation.
//!
//! `cargo bench --bench turn`: compare `agent` with `bare`; both talk to the same scripted model on loopback.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the bench plays the user")]

#[path = "../tests/house/mod.rs"]
mod house;

use agent::event::{Answer, Event, Host, Question};
use agent::model::{Model, choose};
use agent::policy::{Mode, Policy};
use agent::sandbox::{Wish, open};
use agent::scan::Scanner;
use agent::session::{Limits, Parts, Session};
use agent::tool::{self, Toolbox, World};
use agent::workspace::Workspace;
use futures_util::future::BoxFuture;
use house::model::{ModelServer, Turn, Wire};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const TURNS: usize = 50;

fn main() {
    divan::main();
}

struct Nobody;

impl Host for Nobody {
    fn tell(&mut self, _event: Event) {}
    fn ask<'a>(&'a mut self, _question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::Reject(None) })
    }
}

fn script() -> Vec<Turn> {
    let mut turns: Vec<Turn> =
        (0..TURNS).map(|n| Turn::call("grep", json!({"pattern": format!("word{n}")}))).collect();
    turns.push(Turn::text("Done."));
    turns
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The whole loop: plan, judge, perform, record.
#[divan::bench(sample_count = 10)]
fn agent(bencher: divan::Bencher<'_, '_>) {
    let runtime = runtime();
    bencher
        .with_inputs(|| (ModelServer::start_blocking(Wire::OpenAi, script()), tempfile::tempdir().unwrap()))
        .bench_values(|(server, folder)| {
            let url = server.base_url();
            let lookup = |name: &str| match name {
                "OPENAI_BASE_URL" => Some(url.clone()),
                "OPENAI_API_KEY" => Some("FAKE-bench-canary".to_owned()),
                _ => None,
            };
            let model: Arc<dyn Model> = Arc::from(choose::open("openai/scripted", &lookup).unwrap());
            let workspace = Workspace::open(folder.path()).unwrap();
            let sandbox = open(workspace.root(), folder.path(), folder.path(), Wish::Off);
            let parts = Parts {
                model,
                fallbacks: Vec::new(),
                toolbox: Toolbox::of(tool::all()),
                world: Arc::new(World { workspace, sandbox, scanner: Scanner::new() }),
                policy: Policy::new(Mode::Yes),
                system: "You are a bench.".into(),
                limits: Limits::default(),
                cancel: tokio_util::sync::CancellationToken::new(),
            };
            let mut session = Session::begin(parts, folder.path()).unwrap();
            runtime.block_on(session.run("Go.".into(), &mut Nobody)).unwrap()
        });
}

/// Sessions that outgrow their window again and again: a turn must cost as much in a long one as in a short one.
#[divan::bench(args = [100, 400, 1600], sample_count = 3)]
fn beyond_the_window(bencher: divan::Bencher<'_, '_>, turns: usize) {
    let runtime = runtime();
    bencher
        .counter(divan::counter::ItemsCount::new(turns))
        .with_inputs(|| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("big.txt"), "a line of some length\n".repeat(400)).unwrap();
            let count = AtomicUsize::new(0);
            let server = ModelServer::answering(Wire::OpenAi, move |body, _| {
                if body.to_string().contains("The conversation is about to be cut") {
                    return Turn::text("Notes.");
                }
                match count.fetch_add(1, Ordering::SeqCst) {
                    n if n == turns => Turn::text("Done."),
                    n => {
                        Turn::call("read", json!({"filePath": "big.txt", "offset": n % 300 + 1, "limit": 60}))
                    }
                }
            });
            (server, folder)
        })
        .bench_values(|(server, folder)| {
            let limits = Limits { max_turns: 5_000, window: Some(32_000), ..Limits::default() };
            let model = house::workshop::mind(Wire::OpenAi, &server, "scripted");
            let parts = house::workshop::parts(folder.path(), model, limits, Vec::new());
            let mut session = Session::begin(parts, folder.path()).unwrap();
            let ending = runtime.block_on(session.run("Go.".into(), &mut Nobody)).unwrap();
            assert_eq!(ending.text, "Done.");
        });
}

/// The same exchanges with nothing around them.
#[divan::bench(sample_count = 10)]
fn bare(bencher: divan::Bencher<'_, '_>) {
    let runtime = runtime();
    let _ = rustls::crypto::ring::default_provider().install_default();
    bencher.with_inputs(|| ModelServer::start_blocking(Wire::OpenAi, script())).bench_values(|server| {
        runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let mut messages = vec![json!({"role": "user", "content": "Go."})];
            for _ in 0..=TURNS {
                let body = json!({"model": "scripted", "stream": true, "tools": [{"type": "function", "function": {"name": "grep"}}], "messages": messages});
                let request = client.post(format!("{}/chat/completions", server.base_url()));
                let request = request.header("content-type", "application/json").body(body.to_string());
                let text = request.send().await.unwrap().text().await.unwrap();
                let events: Vec<Value> = text
                    .lines()
                    .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
                    .collect();
                let deltas = events.iter().filter_map(|event| event["choices"][0]["delta"]["tool_calls"].get(0));
                let (mut id, mut arguments) = (String::new(), String::new());
                for delta in deltas {
                    id.push_str(delta["id"].as_str().unwrap_or_default());
                    arguments.push_str(delta["function"]["arguments"].as_str().unwrap_or_default());
                }
                if arguments.is_empty() {
                    break;
                }
                messages.push(json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": {"name": "grep", "arguments": arguments}}]}));
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": "no matches"}));
            }
        });
    });
}
