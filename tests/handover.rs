//! When a model cannot go on: another one does, the network comes back, a picture is left out, a failed attempt is
//! paid for.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the test plays the user")]

mod house;

use agent::action::Action;
use agent::event::{Answer, Event, Outcome};
use agent::message::Price;
use agent::model::{Delta, Model, ModelError, Request, Stop};
use agent::session::{Limits, Mind, Session};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use house::model::{Fault, ModelServer, Turn, Wire};
use house::stage::Stage;
use house::workshop::{Audience, mind, parts};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn write(name: &str) -> Turn {
    Turn::call("write", json!({"filePath": name, "content": "x\n"}))
}

fn address() -> Action {
    Action::Fetch { url: "http://127.0.0.1:1/v1".into(), host: "127.0.0.1".into() }
}

fn other(model: Arc<dyn Model>, ask: Option<Action>) -> Mind {
    let price = Price { input: 1000.0, output: 0.0, cached: None, cache_write: None };
    Mind { model, price: Some(price), window: Some(50_000), ask }
}

#[tokio::test]
async fn a_refusal_hands_over_between_any_two_wires_and_keeps_the_work() {
    for from in Wire::ALL {
        for to in Wire::ALL {
            let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let first = vec![write("one").thinking("hm", "sig"), Turn::refusal("against policy")];
            let first = ModelServer::start(from, first).await;
            let second =
                ModelServer::start(to, vec![write("never"), write("two"), Turn::text("Done.")]).await;
            let fallbacks = vec![other(mind(to, &second, "second"), None)];
            let parts = parts(folder.path(), mind(from, &first, "first"), Limits::default(), fallbacks);
            let mut session = Session::begin(parts, state.path()).unwrap();
            let mut audience = Audience::default();
            let ending = session.run("Do it.".into(), &mut audience).await.unwrap();
            assert_eq!(
                (ending.outcome, ending.text.as_str()),
                (Outcome::Done, "Done."),
                "{from:?} to {to:?}"
            );
            assert!(folder.path().join("one").exists() && folder.path().join("two").exists());
            assert!(!folder.path().join("never").exists(), "it goes on, it does not begin again");
            assert_eq!(session.model(), format!("{}/second", to.provider()));
            assert_eq!(session.context_window(), Some(50_000));
            assert!(audience.asked.is_empty());
            let said = audience.statuses().join("\n");
            assert!(said.contains("against policy") && said.contains("second goes on"), "{said}");
            let record = std::fs::read_dir(state.path().join("sessions")).unwrap().next().unwrap().unwrap();
            let record = std::fs::read_to_string(record.path()).unwrap();
            assert!(record.contains(&format!("\"entry\":\"model\",\"model\":\"{}/second\"", to.provider())));
            // Each answer at the price of the model that gave it; the first one's is not known.
            assert_eq!(session.cost(), None);
        }
    }
}

#[tokio::test]
async fn the_user_is_asked_before_another_model_reads_the_conversation() {
    for (answer, outcome) in [(Answer::Once, Outcome::Done), (Answer::Reject(None), Outcome::PolicyRefusal)] {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = ModelServer::start(Wire::Anthropic, vec![Turn::refusal("no")]).await;
        let second = ModelServer::start(Wire::OpenAi, vec![Turn::text("Done.")]).await;
        let fallbacks = vec![other(mind(Wire::OpenAi, &second, "second"), Some(address()))];
        let parts =
            parts(folder.path(), mind(Wire::Anthropic, &first, "first"), Limits::default(), fallbacks);
        let mut session = Session::begin(parts, state.path()).unwrap();
        let mut audience = Audience { answer, ..Audience::default() };
        let ending = session.run("Do it.".into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, outcome);
        let question = &audience.asked[0];
        assert_eq!(question.action, address());
        assert!(question.reason.contains("anthropic/first refused: no"), "{}", question.reason);
        assert_eq!(second.requests().len(), usize::from(outcome == Outcome::Done));
    }
}

#[tokio::test]
async fn models_that_may_go_on_are_tried_in_turn_and_each_once() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let refuse = || vec![Turn::refusal("no")];
    let servers = [
        ModelServer::start(Wire::Gemini, refuse()).await,
        ModelServer::start(Wire::OpenAi, refuse()).await,
        ModelServer::start(Wire::Responses, refuse()).await,
    ];
    let minds: Vec<Mind> = [(Wire::OpenAi, 1), (Wire::Responses, 2)]
        .into_iter()
        .map(|(wire, at)| other(mind(wire, &servers[at], "other"), None))
        .collect();
    let parts = parts(folder.path(), mind(Wire::Gemini, &servers[0], "first"), Limits::default(), minds);
    let mut session = Session::begin(parts, state.path()).unwrap();
    let ending = session.run("Do it.".into(), &mut Audience::default()).await.unwrap();
    assert_eq!(ending.outcome, Outcome::PolicyRefusal);
    assert!(servers.iter().all(|server| server.requests().len() == 1));
}

#[test]
fn naming_another_model_is_the_users_word_where_nobody_can_be_asked() {
    let first = ModelServer::start_blocking(Wire::Anthropic, vec![write("one"), Turn::refusal("no")]);
    let second = ModelServer::start_blocking(Wire::OpenAi, vec![Turn::text("x"), Turn::text("Done.")]);
    let stage = Stage::empty().env(&first.environment()).env(&second.environment());
    let args = ["run", "Do it.", "--model", "anthropic/m", "--output-format", "stream-json", "--yes"];
    stage.agent(&args).exits(11);
    let run = stage.agent(&[&args[..], &["--fallback-model", "openai/m"]].concat()).exits(0);
    assert!(run.lines().iter().any(|line| line["type"] == "warning"), "{run}");
    let folder = stage.home().join(".config/agent");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "fallback_models = [\"openai/m\"]\n").unwrap();
    stage.agent(&args).exits(0);
    // A limit of money cannot be kept with a model whose price nobody knows.
    let run = stage.agent(&[&args[..], &["--max-usd", "1"]].concat()).exits(2);
    assert!(run.stdout.contains("price"), "{run}");
    let run = stage.agent(&[&args[..], &["--fallback-model", "nobody/m"]].concat()).exits(2);
    assert!(run.stdout.contains("\\\"nobody\\\""), "{run}");
}

/// A model that fails in these ways, one after the other, before it answers.
struct Shaky {
    errors: Vec<ModelError>,
    asked: AtomicUsize,
}

impl Model for Shaky {
    fn name(&self) -> &'static str {
        "openai/shaky"
    }

    fn stream<'a>(&'a self, _: Request<'a>) -> BoxStream<'a, Result<Delta, ModelError>> {
        let at = self.asked.fetch_add(1, Ordering::SeqCst);
        let answers = match self.errors.get(at) {
            Some(error) => vec![Err(error.clone())],
            None => vec![Ok(Delta::Text("Done.".into())), Ok(Delta::Stop(Stop::End))],
        };
        stream::iter(answers).boxed()
    }
}

fn away() -> ModelError {
    ModelError::Unreachable { host: "h:443".into(), reason: "Network is unreachable (os error 101)".into() }
}

#[tokio::test]
async fn being_offline_is_waited_for_without_using_up_tries() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pause = Some(Duration::from_millis(5));
    let busy = || ModelError::Busy { status: 503, reason: "x".into(), retry_after: pause };
    // Four faults are all that five tries bear; being offline between them takes none away.
    let errors = vec![busy(), away(), busy(), away(), busy(), busy()];
    let model = Arc::new(Shaky { errors, asked: AtomicUsize::new(0) });
    let parts = parts(folder.path(), model, Limits::default(), Vec::new());
    let mut session = Session::begin(parts, state.path()).unwrap();
    let mut audience = Audience::default();
    let ending = session.run("Do it.".into(), &mut audience).await.unwrap();
    assert_eq!(ending.outcome, Outcome::Done, "{}", ending.text);
    let retries = audience.events.iter().filter(|event| matches!(event, Event::Retry { .. })).count();
    assert_eq!(retries, 4);
    assert!(audience.statuses()[0].contains("offline"), "{:?}", audience.statuses());
}

#[tokio::test]
async fn waiting_for_the_network_ends_with_the_budget_or_the_users_word() {
    let forever = || Arc::new(Shaky { errors: vec![away(); 100], asked: AtomicUsize::new(0) });
    let begun = Instant::now();
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let limits = Limits { max_time: Some(Duration::from_millis(300)), ..Limits::default() };
    let parts = parts(folder.path(), forever(), limits, Vec::new());
    let mut session = Session::begin(parts, state.path()).unwrap();
    let ending = session.run("Do it.".into(), &mut Audience::default()).await.unwrap();
    assert_eq!(ending.outcome, Outcome::Budget, "{}", ending.text);
    drop(session);
    let parts = house::workshop::parts(folder.path(), forever(), Limits::default(), Vec::new());
    let cancel = parts.cancel.clone();
    let mut session = Session::begin(parts, state.path()).unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
    });
    let ending = session.run("Do it.".into(), &mut Audience::default()).await.unwrap();
    assert_eq!(ending.outcome, Outcome::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_a_failed_attempt_has_cost_is_counted() {
    // The other wires tell their counts with the last event, so an answer that is cut has none.
    for (wire, expected) in [(Wire::Anthropic, 300), (Wire::Gemini, 300), (Wire::OpenAi, 200)] {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let turns = vec![write("one"), Turn::text("a rather long answer to be cut").fault(Fault::CleanEnd)];
        let server = ModelServer::start(wire, turns).await;
        let parts = parts(folder.path(), mind(wire, &server, "m"), Limits::default(), Vec::new());
        let mut session = Session::begin(parts, state.path()).unwrap();
        session.run("Do it.".into(), &mut Audience::default()).await.unwrap();
        assert_eq!(session.usage().input, expected, "{wire:?}");
    }
}

/// The smallest PNG there is, as good as any.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\nIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";

#[tokio::test]
async fn a_picture_that_is_read_is_shown_on_every_wire() {
    for wire in Wire::ALL {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("screen.png"), PNG).unwrap();
        let turns = vec![Turn::call("read", json!({"filePath": "screen.png"})), Turn::text("I see.")];
        let server = ModelServer::start(wire, turns).await;
        let parts = parts(folder.path(), mind(wire, &server, "m"), Limits::default(), Vec::new());
        let mut session = Session::begin(parts, state.path()).unwrap();
        let ending = session.run("Look.".into(), &mut Audience::default()).await.unwrap();
        assert_eq!(ending.text, "I see.");
        let sent = server.received()[1].json();
        let data = sent.to_string();
        assert_eq!(data.matches("iVBORw0KGgo").count(), 1, "{wire:?}: {data}");
        match wire {
            Wire::Anthropic => {
                let content = &sent["messages"][2]["content"][0]["content"];
                assert_eq!(content[1]["source"]["media_type"], "image/png");
                assert_eq!(content[1]["type"], "image");
            }
            Wire::OpenAi => {
                assert_eq!(sent["messages"][3]["role"], "tool");
                let url = &sent["messages"][4]["content"][1]["image_url"]["url"];
                assert!(url.as_str().unwrap().starts_with("data:image/png;base64,iVBOR"), "{url}");
            }
            Wire::Responses => {
                let output = &sent["input"][2]["output"];
                assert_eq!(
                    (&output[0]["type"], &output[1]["type"]),
                    (&json!("input_text"), &json!("input_image"))
                );
            }
            Wire::Gemini => {
                let parts = &sent["contents"][2]["parts"];
                assert_eq!(parts[1]["inlineData"]["mimeType"], "image/png", "{parts}");
            }
        }
    }
}

#[tokio::test]
async fn a_model_that_takes_no_pictures_goes_on_without_them() {
    for wire in Wire::ALL {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("screen.png"), PNG).unwrap();
        let rejected = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&rejected);
        let server = ModelServer::answering(wire, move |body, _| {
            if body.to_string().contains("iVBORw0KGgo") {
                counter.fetch_add(1, Ordering::SeqCst);
                let fault = Fault::error(400, "invalid_request_error", "image input is not supported");
                return Turn::text("x").always(fault);
            }
            match body.to_string().matches("the model takes no images").count() {
                0 => Turn::call("read", json!({"filePath": "screen.png"})),
                1 => Turn::call("read", json!({"filePath": "screen.png", "offset": 1})),
                _ => Turn::text("Done."),
            }
        });
        let parts = parts(folder.path(), mind(wire, &server, "m"), Limits::default(), Vec::new());
        let mut session = Session::begin(parts, state.path()).unwrap();
        let ending = session.run("Look.".into(), &mut Audience::default()).await.unwrap();
        assert_eq!(ending.text, "Done.", "{wire:?}");
        assert_eq!(rejected.load(Ordering::SeqCst), 1, "{wire:?}: it is told once");
    }
}

#[tokio::test]
async fn a_picture_that_is_too_large_or_in_a_secret_place_is_not_shown() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut large = PNG.to_vec();
    large.resize(3_600_000, 0);
    std::fs::write(folder.path().join("large.png"), large).unwrap();
    let mut wide = PNG.to_vec();
    wide[16..20].copy_from_slice(&9_000_u32.to_be_bytes());
    std::fs::write(folder.path().join("wide.png"), wide).unwrap();
    let turns = vec![
        Turn::calls([("read", json!({"filePath": "large.png"})), ("read", json!({"filePath": "wide.png"}))]),
        Turn::text("Done."),
    ];
    let server = ModelServer::start(Wire::OpenAi, turns).await;
    let parts = parts(folder.path(), mind(Wire::OpenAi, &server, "m"), Limits::default(), Vec::new());
    let mut session = Session::begin(parts, state.path()).unwrap();
    session.run("Look.".into(), &mut Audience::default()).await.unwrap();
    let told = Wire::OpenAi.last_results(&server.received()[1].json()).join("\n");
    assert!(told.contains("3600000 bytes") && told.contains("9000x1 pixels"), "{told}");
}

#[tokio::test]
async fn arguments_nested_beyond_reason_are_a_tools_error() {
    let mut deep = json!("x");
    for _ in 0..300 {
        deep = json!({ "a": deep });
    }
    for wire in Wire::ALL {
        for whole in [false, true] {
            let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let turn = Turn::call("read", deep.clone());
            let turn = if whole { turn.with_whole_arguments() } else { turn };
            let server = ModelServer::start(wire, vec![turn, Turn::text("Sorry.")]).await;
            let parts = parts(folder.path(), mind(wire, &server, "m"), Limits::default(), Vec::new());
            let mut session = Session::begin(parts, state.path()).unwrap();
            let ending = session.run("Do it.".into(), &mut Audience::default()).await.unwrap();
            assert_eq!((ending.outcome, ending.text.as_str()), (Outcome::Done, "Sorry."), "{wire:?}");
            let told = wire.last_results(&server.received()[1].json()).join("\n");
            assert!(told.contains("recursion limit"), "{wire:?}: {told}");
        }
    }
}
