//! Sessions longer than the model's window: the task is kept, the work goes on, a turn costs what the first one
//! did, and every cut can be resumed from.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the test plays the user")]

mod house;

use agent::event::{Event, Outcome};
use agent::message::repair;
use agent::session::{Limits, Session};
use house::model::{Fault, ModelServer, Tokens, Turn, Wire};
use house::stage::Stage;
use house::workshop::{Audience, mind, parts};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TASK: &str = "Close the hole in login. TASK-4711: the gate is `make test`, leave the API alone.";
/// How the question for notes begins.
const ASKS_NOTES: &str = "The conversation is about to be cut to fit";

/// What a long session's server saw.
#[derive(Default)]
struct Seen {
    /// Requests for work.
    turns: AtomicUsize,
    /// Requests for notes.
    notes: AtomicUsize,
    /// The largest request, in bytes.
    largest: AtomicUsize,
    /// What was wrong with a request.
    wrong: Mutex<Vec<String>>,
}

/// The text of the last message, and of the whole conversation.
fn texts(wire: Wire, body: &Value) -> (String, String) {
    let items = body[wire.history_field()].as_array().cloned().unwrap_or_default();
    (items.last().map(Value::to_string).unwrap_or_default(), Value::Array(items).to_string())
}

/// Plays `turns` turns of mixed work, then ends; every request is looked at.
fn worker(wire: Wire, turns: usize, seen: &Arc<Seen>) -> ModelServer {
    let seen = Arc::clone(seen);
    ModelServer::answering(wire, move |body, bytes| {
        let (last, all) = texts(wire, body);
        seen.largest.fetch_max(bytes, Ordering::SeqCst);
        let tokens = Tokens { input: bytes as u64 / 4, cached: 0, cache_write: 0, output: 40, reasoning: 0 };
        let wrong = |what: String| seen.wrong.lock().unwrap().push(what);
        if !all.contains("TASK-4711") {
            wrong("the task is gone".into());
        }
        if last.contains(ASKS_NOTES) {
            let n = seen.notes.fetch_add(1, Ordering::SeqCst);
            return Turn::text(format!("NOTED-{n}: the hole is in login.py.")).tokens(tokens);
        }
        let n = seen.turns.fetch_add(1, Ordering::SeqCst);
        if n > 0 && last.contains("TASK-4711") && !last.contains("[Notes of the harness]") {
            wrong(format!("turn {n} begins from nothing"));
        }
        let noted = seen.notes.load(Ordering::SeqCst);
        if noted > 0 && !all.contains(&format!("NOTED-{}", noted - 1)) {
            wrong(format!("turn {n} has lost what was noted"));
        }
        if n == turns {
            return Turn::text("Status: done\nAll of it.").tokens(tokens);
        }
        let turn = match n % 5 {
            0 => Turn::call(
                "write",
                json!({"filePath": format!("out/f{}.txt", n % 40), "content": format!("{n}\n{}", "line of output\n".repeat(40))}),
            ),
            1 => Turn::call("read", json!({"filePath": "big.txt", "offset": n % 50 + 1, "limit": 60})),
            2 => Turn::calls([
                ("grep", json!({"pattern": format!("word{n}")})),
                ("list", json!({"depth": 1, "ignore": [format!("x{n}")]})),
            ]),
            3 => Turn::call("read", json!({"filePath": format!("out/f{}.txt", (n - 3) % 40)})),
            _ => Turn::call("glob", json!({"pattern": format!("*{n}*")})).thinking("hm", "sig"),
        };
        turn.saying(&format!("Step {n}.")).tokens(tokens)
    })
}

fn furnish(folder: &std::path::Path) {
    std::fs::write(folder.join("big.txt"), "a line of some length, as lines are\n".repeat(400)).unwrap();
}

fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

/// Processor time of this process so far; the clock where the system does not tell.
fn spent(begun: Instant) -> Duration {
    let ticks = || -> Option<u64> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    };
    // A tick is 10 ms on every Linux there is.
    ticks().map_or_else(|| begun.elapsed(), |ticks| Duration::from_millis(ticks * 10))
}

/// Counts turns and looks at the clock and the memory as they pass.
struct Meter {
    begun: Instant,
    marks: Vec<(Duration, u64)>,
    answers: usize,
    cuts: usize,
    asked: Audience,
}

impl agent::event::Host for Meter {
    fn tell(&mut self, event: Event) {
        match event {
            Event::Usage(_) => {
                if self.answers.is_multiple_of(250) {
                    self.marks.push((spent(self.begun), resident_kb().unwrap_or_default()));
                }
                self.answers += 1;
            }
            Event::Status { text } if text.contains("was cut to fit") => self.cuts += 1,
            _ => {}
        }
    }

    fn ask<'a>(
        &'a mut self,
        question: &'a agent::event::Question,
    ) -> futures_util::future::BoxFuture<'a, agent::event::Answer> {
        self.asked.ask(question)
    }
}

#[tokio::test]
async fn two_thousand_turns_in_a_small_window_keep_the_task_and_stay_as_cheap_as_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    furnish(folder.path());
    let seen = Arc::default();
    let wire = Wire::OpenAi;
    let server = worker(wire, 2_000, &seen);
    let limits = Limits { max_turns: 3_000, window: Some(32_000), ..Limits::default() };
    let parts = parts(folder.path(), mind(wire, &server, "scripted"), limits, Vec::new());
    let mut session = Session::begin(parts, state.path()).unwrap();
    let mut meter =
        Meter { begun: Instant::now(), marks: Vec::new(), answers: 0, cuts: 0, asked: Audience::default() };
    let ending = session.run(TASK.into(), &mut meter).await.unwrap();
    assert_eq!(ending.outcome, Outcome::Done, "{}", ending.text);
    assert_eq!(seen.wrong.lock().unwrap().as_slice(), [] as [String; 0]);
    assert_eq!(session.turns(), 2_001);
    assert!(meter.cuts >= 10, "{} cuts", meter.cuts);
    let largest = seen.largest.load(Ordering::SeqCst);
    assert!(largest < 32_000 * 4, "{largest} bytes");
    let spans: Vec<Duration> =
        meter.marks.windows(2).map(|pair| pair[1].0.checked_sub(pair[0].0).unwrap()).collect();
    let memory: Vec<u64> = meter.marks.iter().map(|mark| mark.1 / 1024).collect();
    eprintln!(
        "{} cuts, largest request {largest} bytes, 250 turns: {spans:?} of processor time, server included, MB {memory:?}",
        meter.cuts
    );
    // The first stretch works in a window that is not yet full.
    let (early, late) = (spans[1].min(spans[2]), spans[spans.len() - 1].min(spans[spans.len() - 2]));
    assert!(late < early * 3, "{spans:?}");
    assert!(memory[memory.len() - 1] < memory[2] + 48, "{memory:?}");
    // What was done first is still known, though nothing of the talk is left.
    let first = session.history()[0].text();
    assert!(
        first.starts_with(TASK) && first.contains("Files changed") && first.contains("big.txt"),
        "{first}"
    );
    drop(session);
    // Going on from the record gives the same conversation.
    let parts = self::parts(folder.path(), mind(wire, &server, "scripted"), limits, Vec::new());
    let id = agent::session::record::list(state.path(), None)[0].session_id.clone();
    let (session, _) = Session::resume(parts, state.path(), &id).unwrap();
    assert!(session.context_used() < 32_000, "{}", session.context_used());
    assert_eq!(session.history()[0].text(), first);
    assert_eq!(repair(session.history()), session.history());
}

#[tokio::test]
async fn every_wire_goes_on_after_a_cut_and_resumes_from_one() {
    for wire in Wire::ALL {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        furnish(folder.path());
        let seen = Arc::default();
        let server = worker(wire, 120, &seen);
        let limits = Limits { max_turns: 70, window: Some(10_000), ..Limits::default() };
        let open = || parts(folder.path(), mind(wire, &server, "scripted"), limits, Vec::new());
        let mut session = Session::begin(open(), state.path()).unwrap();
        let mut audience = Audience::default();
        let ending = session.run(TASK.into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, Outcome::Budget, "{wire:?}: {}", ending.text);
        let id = session.id().to_owned();
        drop(session);
        let (mut session, _) = Session::resume(open(), state.path(), &id).unwrap();
        let ending = session.run("Go on.".into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{wire:?}: {}", ending.text);
        assert_eq!(seen.wrong.lock().unwrap().as_slice(), [] as [String; 0], "{wire:?}");
        assert!(seen.notes.load(Ordering::SeqCst) >= 1, "{wire:?}");
        let asked = audience.statuses().join("\n");
        assert!(asked.contains("was cut to fit"), "{asked}");
    }
}

/// Writes until the server says that the conversation is too long, which it does from `limit` bytes on.
fn narrow(wire: Wire, limit: usize, refusals: &Arc<AtomicUsize>) -> ModelServer {
    let refusals = Arc::clone(refusals);
    let count = AtomicUsize::new(0);
    ModelServer::answering(wire, move |_, bytes| {
        if bytes > limit {
            refusals.fetch_add(1, Ordering::SeqCst);
            return Turn::text("x").always(Fault::error(400, "context_length_exceeded", "too long"));
        }
        let n = count.fetch_add(1, Ordering::SeqCst);
        if n == 40 {
            return Turn::text("Done.");
        }
        Turn::call("read", json!({"filePath": "big.txt", "offset": n + 1, "limit": 60}))
    })
}

#[tokio::test]
async fn an_overflow_cuts_the_conversation_and_asks_once_more() {
    for wire in Wire::ALL {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        furnish(folder.path());
        let refusals = Arc::default();
        let server = narrow(wire, 40_000, &refusals);
        // Nobody knows this model: its window is taken for far larger than it is.
        let limits = Limits { window: Some(1_000_000), ..Limits::default() };
        let parts = parts(folder.path(), mind(wire, &server, "scripted"), limits, Vec::new());
        let mut session = Session::begin(parts, state.path()).unwrap();
        let mut audience = Audience::default();
        let ending = session.run(TASK.into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{wire:?}: {}", ending.text);
        let refusals = refusals.load(Ordering::SeqCst);
        assert!((1..=2).contains(&refusals), "{wire:?}: what it has learnt it keeps: {refusals}");
        assert!(session.context_window().unwrap() < 20_000, "{:?}", session.context_window());
    }
}

#[tokio::test]
async fn a_window_that_holds_nothing_ends_the_run_with_a_reason() {
    for wire in Wire::ALL {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let refusals = Arc::default();
        let server = narrow(wire, 100, &refusals);
        let mut audience = Audience::default();
        let open = |window| {
            let limits = Limits { window: Some(window), ..Limits::default() };
            Session::begin(
                parts(folder.path(), mind(wire, &server, "scripted"), limits, Vec::new()),
                state.path(),
            )
            .unwrap()
        };
        let ending = open(1_100).run(TASK.into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, Outcome::Error);
        assert!(
            ending.text.contains("no room left") && ending.text.contains("--context-window"),
            "{}",
            ending.text
        );
        let ending = open(100_000).run(TASK.into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, Outcome::Error);
        assert!(ending.text.contains("longer than the model's window"), "{}", ending.text);
        assert_eq!(refusals.load(Ordering::SeqCst), 1, "{wire:?}: there was nothing to leave out");
    }
}

#[tokio::test]
async fn a_model_that_takes_no_notes_is_worked_with_all_the_same() {
    for answer in ["nothing", "a call", "an error", "a refusal"] {
        let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        furnish(folder.path());
        let wire = Wire::Anthropic;
        let count = AtomicUsize::new(0);
        let server = ModelServer::answering(wire, move |body, _| {
            if texts(wire, body).0.contains(ASKS_NOTES) {
                return match answer {
                    "nothing" => Turn::text("").always(Fault::Empty),
                    "a call" => Turn::call("read", json!({"filePath": "big.txt"})),
                    "an error" => Turn::text("").always(Fault::status(500)),
                    _ => Turn::refusal("no"),
                };
            }
            let n = count.fetch_add(1, Ordering::SeqCst);
            if n == 60 {
                return Turn::text("Done.");
            }
            Turn::call(
                "write",
                json!({"filePath": format!("f{n}"), "content": "words of a file\n".repeat(60)}),
            )
        });
        let limits = Limits { window: Some(10_000), ..Limits::default() };
        let parts = parts(folder.path(), mind(wire, &server, "scripted"), limits, Vec::new());
        let mut session = Session::begin(parts, state.path()).unwrap();
        let mut audience = Audience::default();
        let ending = session.run(TASK.into(), &mut audience).await.unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{answer}: {}", ending.text);
        let first = session.history()[0].text();
        assert!(first.starts_with(TASK) && first.contains("- f3"), "{answer}: {first}");
        assert!(!first.contains("What you noted yourself"), "{answer}: {first}");
    }
}

#[tokio::test]
async fn the_user_can_have_the_conversation_cut_at_any_time() {
    let (folder, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    furnish(folder.path());
    let seen = Arc::default();
    let server = worker(Wire::Gemini, 20, &seen);
    let limits = Limits::default();
    let parts = parts(folder.path(), mind(Wire::Gemini, &server, "scripted"), limits, Vec::new());
    let mut session = Session::begin(parts, state.path()).unwrap();
    let mut audience = Audience::default();
    assert!(!session.compact(&mut audience).await.unwrap(), "there is nothing yet");
    session.run(TASK.into(), &mut audience).await.unwrap();
    let before = session.context_used();
    assert!(session.compact(&mut audience).await.unwrap());
    let after = session.context_used();
    assert!(after * 10 < before * 8, "{before} then {after}");
    assert!(session.history()[0].text().starts_with(TASK));
    assert_eq!(session.context_window(), Some(128_000));
}

#[test]
fn the_window_is_the_users_word_or_the_tables() {
    let server = ModelServer::answering(Wire::OpenAi, |_, bytes| {
        let turn = Turn::call("read", json!({"filePath": "big.txt", "offset": bytes % 300, "limit": 100}));
        if bytes > 30_000 { Turn::text("Done.") } else { turn }
    });
    let stage = Stage::empty().env(&server.environment());
    furnish(stage.root());
    let args = ["run", TASK, "--model", "openai/scripted", "--yes", "--output-format", "stream-json"];
    let cuts = |run: &house::stage::Run| run.stdout.matches("was cut to fit").count();
    let run = stage.agent(&args).exits(0);
    assert_eq!(cuts(&run), 0, "{run}");
    let run = stage.agent(&[&args[..], &["--context-window", "6000", "--max-turns", "12"]].concat()).exits(7);
    assert!(cuts(&run) > 0, "{run}");
    let folder = stage.home().join(".config/agent");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "[context_windows]\n\"openai/scripted\" = 6000\n").unwrap();
    let run = stage.agent(&[&args[..], &["--max-turns", "12"]].concat()).exits(7);
    assert!(cuts(&run) > 0, "{run}");
    std::fs::write(folder.join("config.toml"), "[context_windows]\n\"openai/scripted\" = 60\n").unwrap();
    let run = stage.agent(&args).exits(2);
    assert!(run.stdout.contains("context_windows"), "{run}");
}
