//! The loop, through the real binary and a scripted model on loopback: every tool over every wire, histories
//! that are always valid, bytes that never change, and an end for everything that goes wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{Fault, ModelServer, Received, Turn, Wire};
use house::stage::{Run, Stage, has};
use serde_json::{Value, json};

/// Plays a script to `agent run` in a workspace.
fn play(stage: Stage, wire: Wire, turns: Vec<Turn>, more: &[&str]) -> (Run, Stage, Vec<Received>) {
    let server = ModelServer::start_blocking(wire, turns);
    let stage = stage.env(&server.environment());
    let mut args = vec!["run", "Do the work.", "--model", wire.model(), "--yes", "--output-format", "json"];
    args.extend(more);
    let run = stage.agent(&args);
    let received = server.received();
    (run, stage, received)
}

/// What the model was told last about its calls.
fn last_results(wire: Wire, received: &[Received]) -> Vec<String> {
    wire.last_results(&received.last().expect("a request").json())
}

const APP: &str = "import sqlite3\n\n\ndef find(name):\n    return name\n";

#[test]
fn drives_every_tool_over_every_wire() {
    for wire in Wire::ALL {
        let turns = vec![
            Turn::calls([
                ("list", json!({})),
                ("glob", json!({"pattern": "**/*.py"})),
                ("grep", json!({"pattern": "def find"})),
                ("read", json!({"filePath": "app.py"})),
                ("scan", json!({})),
            ])
            .saying("I look around."),
            Turn::call(
                "edit",
                json!({"filePath": "app.py", "oldString": "return name", "newString": "return name or ''"}),
            ),
            Turn::call("write", json!({"filePath": "notes/new.txt", "content": "hello\n"})),
            Turn::call(
                "patch",
                json!({"patchText": "*** Begin Patch\n*** Update File: app.py\n@@\n-import sqlite3\n+import json\n*** End Patch\n"}),
            ),
            Turn::call("bash", json!({"command": "cat notes/new.txt; exit 3"})),
            Turn::call("webfetch", json!({"url": "http://127.0.0.1:1/secret"})),
            Turn::text("All done."),
        ];
        let (run, stage, received) = play(Stage::with(&[("app.py", APP)]), wire, turns, &[]);
        let run = run.exits(0);
        assert_eq!(run.result()["summary"], "All done.");
        assert_eq!(
            stage.read("app.py"),
            APP.replace("sqlite3", "json").replace("return name", "return name or ''")
        );
        assert_eq!(stage.read("notes/new.txt"), "hello\n");
        assert_eq!(received.len(), 7);
        let looked = last_results(wire, &received[..2]);
        assert_eq!(looked.len(), 5, "results keep the order of the calls: {looked:?}");
        assert!(looked[0].contains("app.py"), "{looked:?}");
        assert!(looked[2].contains("4: def find(name):"), "{looked:?}");
        assert!(looked[3].contains("1: import sqlite3"), "{looked:?}");
        let ran = &last_results(wire, &received[..6])[0];
        assert!(ran.contains("hello") && ran.contains('3'), "the exit code is seen: {ran}");
        let fetched = &last_results(wire, &received)[0];
        assert!(!fetched.contains("secret content"), "{fetched}");
        let denials = run.result()["permission_denials"].to_string();
        assert!(fetched.contains("127.0.0.1") || denials.contains("127.0.0.1"), "{fetched} {denials}");
    }
}

#[test]
fn every_request_begins_with_the_bytes_of_the_last() {
    for wire in Wire::ALL {
        let mut turns: Vec<Turn> = (0..5)
            .map(|n| Turn::call("grep", json!({"pattern": format!("word{n}")})).thinking("hm", "sig"))
            .collect();
        turns.push(Turn::text("Done."));
        let (run, _, received) = play(Stage::with(&[("app.py", APP)]), wire, turns, &[]);
        run.exits(0);
        let prompts: Vec<(Value, Vec<Value>)> = received
            .iter()
            .map(|request| {
                let body = request.json();
                let strip = without_marks(body[wire.history_field()].clone());
                let fixed =
                    ["system", "instructions", "systemInstruction", "tools"].map(|field| body[field].clone());
                (without_marks(json!(fixed)), strip.as_array().unwrap().clone())
            })
            .collect();
        for pair in prompts.windows(2) {
            assert_eq!(pair[0].0, pair[1].0, "system and tools never change");
            assert_eq!(pair[1].1[..pair[0].1.len()], pair[0].1, "history only grows");
        }
        if wire != Wire::Anthropic {
            // No marks on this wire: the raw bytes of the history are a prefix as they stand.
            let bodies: Vec<String> =
                received.iter().map(|r| String::from_utf8(r.body.clone()).unwrap()).collect();
            for pair in bodies.windows(2) {
                let common = pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
                let history_end = pair[0].rfind("}]").unwrap();
                assert!(common >= history_end.min(pair[0].len() - 64), "{common} of {}", pair[0].len());
            }
        }
    }
}

/// A body without cache marks, which move with the end of the history.
fn without_marks(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.shift_remove("cache_control");
            for field in fields.values_mut() {
                *field = without_marks(field.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_marks(item.take());
            }
        }
        _ => {}
    }
    value
}

#[test]
fn the_first_request_is_small() {
    for wire in Wire::ALL {
        let (run, _, received) = play(Stage::empty(), wire, vec![Turn::text("ok")], &[]);
        run.exits(0);
        let size = received[0].body.len();
        assert!(size <= 10 * 1024, "{wire:?}: {size} bytes before repository context");
    }
}

#[test]
fn bad_calls_become_results_and_never_end_the_run() {
    for wire in Wire::ALL {
        let turns = vec![
            Turn::call("no_such_tool", json!({"a": 1})),
            Turn::call("read", json!({})),
            Turn::call("read", json!({"filePath": 7, "colour": "blue"})),
            Turn::call("read", json!({"filePath": "app.py"})).fault(Fault::BrokenArguments),
            Turn::text("Done."),
        ];
        let (run, _, received) = play(Stage::with(&[("app.py", APP)]), wire, turns, &[]);
        run.exits(0);
        let told = |n: usize| last_results(wire, &received[..n]).join("\n");
        assert!(told(2).contains("no_such_tool") && told(2).contains("glob"), "{}", told(2));
        assert!(told(3).contains("filePath"), "{}", told(3));
        assert!(told(4).contains("colour") || told(4).contains("filePath"), "{}", told(4));
        assert!(told(5).contains("JSON"), "a cut-off call is not run: {}", told(5));
    }
}

#[test]
fn passing_faults_are_retried_and_calls_are_not_repeated() {
    for wire in Wire::ALL {
        for fault in [
            Fault::status(500).with_header("retry-after", "0"),
            Fault::Reset,
            Fault::CleanEnd,
            Fault::HalfEvent,
        ] {
            let turns = vec![
                Turn::call("bash", json!({"command": "echo once >> log.txt"})),
                Turn::text("Done, and this answer is long enough to be cut in the middle.")
                    .fault(fault.clone()),
            ];
            let (run, stage, received) = play(Stage::empty(), wire, turns, &[]);
            let run = run.exits(0);
            assert_eq!(stage.read("log.txt"), "once\n", "{fault:?}");
            assert_eq!(received.len(), 3, "{fault:?}");
            assert!(run.result()["summary"].as_str().unwrap().starts_with("Done, and"), "{fault:?}: {run}");
        }
    }
}

#[test]
fn faults_that_do_not_pass_end_in_their_own_exit_code() {
    for wire in Wire::ALL {
        let check = |fault: Fault, code: i32, status: &str| {
            let (run, ..) = play(Stage::empty(), wire, vec![Turn::text("x").always(fault.clone())], &[]);
            let run = run.exits(code);
            assert_eq!(run.result()["status"], status, "{wire:?} {fault:?}: {run}");
            assert!(
                !run.stdout.contains("FAKE-model-canary") && !run.stderr.contains("FAKE-model-canary"),
                "{run}"
            );
        };
        check(Fault::status(401), 9, "model_unavailable");
        check(Fault::EchoKey(401), 9, "model_unavailable");
        check(Fault::error(400, "invalid_request_error", "no such field"), 1, "error");
        check(Fault::Html, 1, "error");
    }
}

/// Row by row: whatever goes wrong for good after work was done, the run ends in bounded time, says why, has its
/// exit code, and the work is kept and reported.
#[test]
fn every_lasting_fault_ends_in_time_with_its_code_and_the_work_kept() {
    let soon = |fault: Fault| fault.with_header("retry-after-ms", "10");
    let event = |code: &str, message: &str| Fault::ErrorEvent(code.into(), message.into());
    // What ends it, its exit code, how many requests it takes, what the words say.
    let rows = [
        (soon(Fault::status(408)), 9, 5, "HTTP 408"),
        (soon(Fault::status(429)), 9, 5, "HTTP 429"),
        (soon(Fault::status(500)), 9, 5, "HTTP 500"),
        (soon(Fault::status(503)), 9, 5, "HTTP 503"),
        (soon(Fault::status(529)), 9, 5, "HTTP 529"),
        (Fault::status(429).with_header("retry-after", "3600"), 9, 1, "HTTP 429"),
        (Fault::error(429, "insufficient_quota", "You exceeded your current quota"), 9, 1, "quota"),
        (Fault::status(403), 9, 1, "key"),
        (Fault::status(404), 1, 1, "HTTP 404"),
        (Fault::Html, 1, 1, "HTML"),
        (Fault::Json("{\"id\":1}".into()), 1, 1, "no event stream"),
        (Fault::BrokenEvent, 1, 1, "does not speak"),
        (Fault::GiganticLine(17 * 1024 * 1024), 1, 1, "does not speak"),
        (Fault::Redirect("https://elsewhere.example/".into()), 1, 1, "redirects"),
        (Fault::error(400, "context_length_exceeded", "too long"), 1, 1, "window"),
        (event("invalid_request_error", "prompt is too long"), 1, 1, "window"),
        (event("authentication_error", "bad"), 9, 1, "key"),
    ];
    for wire in Wire::ALL {
        for (fault, code, requests, words) in &rows {
            let turns = vec![
                Turn::call("write", json!({"filePath": "kept.txt", "content": "x\n"})),
                Turn::text("a rather long answer in several deltas").always(fault.clone()),
            ];
            let begun = std::time::Instant::now();
            let (run, stage, received) = play(Stage::empty(), wire, turns, &[]);
            let run = run.exits(*code);
            let result = run.result();
            assert!(begun.elapsed().as_secs() < 30, "{wire:?} {fault:?}");
            assert!(result["summary"].as_str().unwrap().contains(words), "{wire:?} {fault:?}: {run}");
            assert_eq!(result["files"][0]["path"], "kept.txt", "{wire:?} {fault:?}: {run}");
            assert_eq!(stage.read("kept.txt"), "x\n");
            assert_eq!(received.len(), 1 + requests, "{wire:?} {fault:?}");
        }
    }
}

/// The faults that are waited out by the clock: on one wire, since waiting is not the wires' business.
#[test]
fn what_never_comes_right_ends_after_five_tries_with_the_work_kept() {
    for (fault, code) in [(Fault::ResetAtOnce, 9), (Fault::CleanEnd, 1), (Fault::Reset, 1)] {
        let turns = vec![
            Turn::call("write", json!({"filePath": "kept.txt", "content": "x\n"})),
            Turn::text("a rather long answer in several deltas").always(fault.clone()),
        ];
        let (run, stage, _) = play(Stage::empty(), Wire::OpenAi, turns, &[]);
        let run = run.exits(code);
        assert_eq!(run.result()["files"][0]["path"], "kept.txt", "{fault:?}: {run}");
        assert_eq!(stage.read("kept.txt"), "x\n");
    }
}

#[test]
fn an_empty_answer_is_never_taken_for_success() {
    for wire in Wire::ALL {
        let turn = || Turn::text("").always(Fault::Empty);
        let (run, ..) = play(Stage::empty(), wire, vec![turn(), turn(), turn(), turn()], &[]);
        let run = run.exits(1);
        assert_eq!(run.result()["status"], "error", "{run}");
    }
}

#[test]
fn a_refusal_is_its_own_outcome() {
    for wire in Wire::ALL {
        let (run, ..) = play(Stage::empty(), wire, vec![Turn::refusal("against policy")], &[]);
        assert_eq!(run.exits(11).result()["status"], "policy_refusal");
    }
}

#[test]
fn the_turn_budget_is_hard_and_keeps_the_work() {
    let turns =
        (0..9).map(|n| Turn::call("write", json!({"filePath": format!("f{n}"), "content": "x\n"}))).collect();
    let (run, stage, received) = play(Stage::empty(), Wire::OpenAi, turns, &["--max-turns", "3"]);
    let run = run.exits(7);
    assert_eq!(run.result()["status"], "budget");
    assert_eq!(received.len(), 3);
    assert_eq!(run.result()["files"].as_array().unwrap().len(), 3, "{run}");
    assert!(stage.root().join("f2").exists() && !stage.root().join("f3").exists());
}

#[test]
fn a_model_that_repeats_itself_is_told_and_then_stopped() {
    let turns = (0..9).map(|_| Turn::call("read", json!({"filePath": "app.py"}))).collect();
    let (run, _, received) = play(Stage::with(&[("app.py", APP)]), Wire::OpenAi, turns, &[]);
    run.exits(1);
    assert_eq!(received.len(), 5);
    assert!(last_results(Wire::OpenAi, &received[..4])[0].contains("same call"));
    assert!(!last_results(Wire::OpenAi, &received[..3])[0].contains("same call"));
}

#[test]
fn what_was_denied_is_told_and_has_its_exit_code() {
    let turns = vec![
        Turn::call("write", json!({"filePath": ".git/hooks/pre-commit", "content": "#!/bin/sh\n"})),
        Turn::text("I could not."),
    ];
    let (run, stage, received) = play(Stage::empty(), Wire::OpenAi, turns, &[]);
    let run = run.exits(5);
    assert!(!stage.root().join(".git").exists());
    assert_eq!(run.result()["permission_denials"].as_array().unwrap().len(), 1);
    let told = last_results(Wire::OpenAi, &received).remove(0);
    assert!(told.contains("denied") || told.contains(".git"), "{told}");
}

#[test]
fn what_a_command_changes_is_in_the_patch() {
    let turns = vec![
        Turn::call("bash", json!({"command": "sed -i s/name/title/ app.py; echo x > made.txt"})),
        Turn::text("Done."),
    ];
    let (run, _, _) = play(Stage::with(&[("app.py", APP)]), Wire::OpenAi, turns, &[]);
    let result = run.exits(0).result();
    let paths: Vec<&str> =
        result["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["app.py", "made.txt"]);
    assert!(result["patch"].as_str().unwrap().contains("+def find(title):"), "{result}");
}

#[test]
fn read_only_mode_changes_nothing() {
    let server = ModelServer::start_blocking(
        Wire::OpenAi,
        vec![
            Turn::calls([
                ("write", json!({"filePath": "a", "content": "x"})),
                ("bash", json!({"command": "touch b"})),
            ]),
            Turn::text("No."),
        ],
    );
    let stage = Stage::with(&[("app.py", APP)]).env(&server.environment());
    stage
        .agent(&["run", "x", "--model", "openai/m", "--mode", "read-only", "--output-format", "json"])
        .exits(5);
    assert_eq!(stage.tree().len(), 1);
}

#[test]
fn resumes_with_a_history_that_is_valid_to_send() {
    for wire in Wire::ALL {
        let first = vec![Turn::call("read", json!({"filePath": "app.py"})), Turn::text("First done.")];
        let (run, stage, _) = play(Stage::with(&[("app.py", APP)]), wire, first, &[]);
        let id = run.exits(0).result()["session_id"].as_str().unwrap().to_owned();
        // Killed while the answer was being acted upon: the call stands there without its result.
        let record = stage.records().pop().unwrap();
        let text = std::fs::read_to_string(&record).unwrap();
        let at = text.find("\"kind\":\"result\"").unwrap();
        let cut = text[..at].rfind('\n').unwrap();
        #[allow(clippy::disallowed_methods, reason = "the test plays the crash")]
        std::fs::write(&record, &text[..cut + 40]).unwrap();

        let server =
            ModelServer::start_blocking(wire, vec![Turn::text("unused"), Turn::text("Second done.")]);
        let stage = stage.env(&server.environment());
        let run = stage
            .agent(&["resume", &id, "--model", wire.model(), "--yes", "--output-format", "json"])
            .exits(0);
        assert_eq!(run.result()["session_id"], id.as_str());
        let told = last_results(wire, &server.received()).join("");
        assert!(wire != Wire::Anthropic || told.contains("interrupted"), "{told}");
        assert!(
            String::from_utf8(server.requests().pop().unwrap())
                .unwrap()
                .contains("interrupted before it gave")
        );
        let listed = stage.agent(&["resume", "--list", "--output-format", "json"]).exits(0).result();
        assert_eq!(listed[0]["session_id"], id.as_str());
    }
}

#[test]
fn an_interrupt_ends_the_command_and_still_gives_a_result() {
    if !has("sleep") {
        return;
    }
    let turns = vec![
        Turn::call("bash", json!({"command": "touch started; sleep 60; touch finished"})),
        Turn::text("x"),
    ];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::empty().env(&server.environment());
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let args = ["run", "x", "--model", "openai/m", "--yes", "--output-format", "stream-json"];
        let mut command = stage.command(&args);
        let child =
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
        let started = std::time::Instant::now();
        while !stage.root().join("started").exists() {
            assert!(started.elapsed().as_secs() < 60, "the command starts");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        send(child.id(), signal);
        let output = child.wait_with_output().unwrap();
        assert!(started.elapsed().as_secs() < 50, "it does not wait for the command");
        assert_eq!(output.status.code(), Some(code));
        let text = String::from_utf8(output.stdout).unwrap();
        let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(
            (last["type"].as_str(), last["status"].as_str()),
            (Some("result"), Some("cancelled")),
            "{text}"
        );
        assert!(!stage.root().join("finished").exists());
        #[allow(clippy::disallowed_methods, reason = "the test tidies up for its next round")]
        std::fs::remove_file(stage.root().join("started")).unwrap();
    }
}

#[allow(clippy::disallowed_methods, reason = "the test plays the terminal")]
fn send(pid: u32, signal: &str) {
    let done =
        std::process::Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn one_connection_carries_the_whole_session() {
    let mut turns: Vec<Turn> =
        (0..6).map(|n| Turn::call("grep", json!({"pattern": format!("w{n}")}))).collect();
    turns.push(Turn::text("Done."));
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::empty().env(&server.environment());
    stage.agent(&["run", "x", "--model", "openai/m", "--yes", "--output-format", "json"]).exits(0);
    assert_eq!(server.connections(), 1);
}
