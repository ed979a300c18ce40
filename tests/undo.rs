//! `agent diff`, `undo`, `redo` through the real binary, and one agent at a time in a workspace.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{Fault, ModelServer, Turn, Wire};
use house::stage::{Run, Stage};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A session that has edited, created, removed and run a command.
fn played() -> (Stage, std::collections::BTreeMap<String, String>) {
    let stage = Stage::with(&[("app.py", "one\ntwo\n"), ("old.txt", "old\n"), ("data.txt", "data\n")]);
    let before = stage.tree();
    let turns = vec![
        Turn::calls([("read", json!({"filePath": "app.py"})), ("read", json!({"filePath": "old.txt"}))]),
        Turn::call("edit", json!({"filePath": "app.py", "oldString": "two", "newString": "TWO"})),
        Turn::call("write", json!({"filePath": "new/file.txt", "content": "new\n"})),
        Turn::call("bash", json!({"command": "echo more >> data.txt; rm old.txt; echo 1 > made.txt"})),
        Turn::text("Done."),
    ];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = stage.env(&server.environment());
    let run =
        stage.agent(&["run", "Work.", "--model", "openai/scripted", "--yes", "--output-format", "json"]);
    run.exits(0);
    (stage, before)
}

fn json_of(stage: &Stage, args: &[&str], code: i32) -> Value {
    stage.agent(&[args, &["--output-format", "json"]].concat()).exits(code).result()
}

#[test]
fn what_tools_and_commands_changed_is_shown_taken_back_and_done_again() {
    let (stage, before) = played();
    let after = stage.tree();
    assert_eq!(after["data.txt"], "data\nmore\n", "the command ran");
    let diff = stage.agent(&["diff"]).exits(0).stdout;
    for part in
        ["-two\n+TWO", "+++ b/new/file.txt", "+more", "--- a/old.txt\n+++ /dev/null", "+++ b/made.txt"]
    {
        assert!(diff.contains(part), "{part}: {diff}");
    }
    assert_eq!(json_of(&stage, &["diff"], 0)["files"].as_array().unwrap().len(), 5);
    assert_eq!(json_of(&stage, &["diff", "--turn", "2"], 0)["files"][0]["path"], "app.py");
    let undone = json_of(&stage, &["undo"], 0);
    assert_eq!(undone["status"], "done");
    assert_eq!(undone["files"].as_array().unwrap().len(), 5);
    assert_eq!(stage.tree(), before);
    assert!(!stage.root().join("new").exists());
    assert_eq!(json_of(&stage, &["undo"], 0)["status"], "nothing");
    assert_eq!(stage.agent(&["diff"]).exits(0).stdout, "");
    stage.agent(&["redo"]).exits(0);
    assert_eq!(stage.tree(), after);
    stage.agent(&["redo"]).exits(4);
    stage.agent(&["undo", "--file", "app.py"]).exits(0);
    assert_eq!((stage.read("app.py").as_str(), stage.read("made.txt").as_str()), ("one\ntwo\n", "1\n"));
}

#[test]
fn a_later_change_of_the_user_is_refused_and_the_rest_waits_for_partial() {
    let (stage, _) = played();
    stage.write("app.py", "mine\n");
    let run = stage.agent(&["undo"]).exits(6);
    assert!(run.stdout.contains("refused app.py") && run.stdout.contains("--partial"), "{run}");
    assert_eq!(stage.read("made.txt"), "1\n", "nothing was changed");
    let done = json_of(&stage, &["undo", "--partial"], 6);
    assert_eq!((&done["status"], &done["refused"][0]["path"]), (&json!("partial"), &json!("app.py")));
    assert_eq!((stage.read("app.py").as_str(), stage.read("old.txt").as_str()), ("mine\n", "old\n"));
    assert!(stage.agent(&["diff"]).exits(0).stdout.contains("changed again since"));
}

#[test]
fn a_session_that_is_not_there_exits_4() {
    let stage = Stage::empty();
    for args in [&["undo"][..], &["redo"], &["diff"], &["undo", "../x"], &["diff", "0199-none"]] {
        stage.agent(args).exits(4);
    }
    stage.agent(&["undo", "--turn", "0"]).exits(2);
}

#[test]
fn a_diff_hides_secrets() {
    let key = "AKIAIOSFODNN7EXAMPLE";
    let stage = Stage::with(&[("app.py", "x = 1\n")]);
    let turns = vec![
        Turn::call("bash", json!({"command": format!("echo 'aws_access_key_id = \"{key}\"' >> app.py")})),
        Turn::text("Done."),
    ];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = stage.env(&server.environment());
    stage.agent(&["run", "Work.", "--model", "openai/scripted", "--yes"]).exits(0);
    assert!(stage.read("app.py").contains(key), "the command ran");
    for format in ["text", "json"] {
        let run = stage.agent(&["diff", "--output-format", format]).exits(0);
        assert!(run.stdout.contains("app.py") && !run.stdout.contains(key), "{run}");
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test sends a signal")]
fn the_second_agent_in_a_workspace_is_told_who_is_at_work() {
    let server = ModelServer::start_blocking(
        Wire::OpenAi,
        vec![
            Turn::call("read", json!({"filePath": "app.py"})),
            Turn::text("Done.").always(Fault::StallAtOnce),
        ],
    );
    let stage = Stage::with(&[("app.py", "x = 1\n")]).env(&server.environment());
    let work = ["run", "Work.", "--model", "openai/scripted", "--yes"];
    let mut first =
        stage.command(&work).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let first = first.as_mut().unwrap();
    let begun = Instant::now();
    while server.received().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the first agent gets to work");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = first.id().to_string();
    let told = |run: Run| {
        let run = run.exits(8);
        assert!(run.to_string().contains(&format!("process {pid}, session ")), "{run}");
    };
    told(stage.agent(&["run", "fix the sql injection", "--yes"]));
    told(stage.agent(&["undo", stage.records()[0].file_stem().unwrap().to_str().unwrap()]));
    stage.agent(&["scan"]).exits(0);
    stage.agent(&["run", "fix the sql injection", "--mode", "read-only"]).exits(0);
    assert_eq!(stage.tree().len(), 1, "no lock file in the workspace");
    first.kill().unwrap();
    first.wait().unwrap();
    stage.agent(&["run", "fix the sql injection", "--yes"]).exits(0);
}
