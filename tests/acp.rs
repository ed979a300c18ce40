//! ACP as a client sees it: the real binary, raw JSON lines, the scripted model.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::pipe::Pipe;
use house::stage::Stage;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const APP: &str = "import sqlite3\n\n\ndef find(name):\n    return name\n";

/// A client that offers nothing, after the handshake.
fn open(stage: &Stage, args: &[&str]) -> Pipe {
    open_with(stage, args, &json!({}))
}

fn open_with(stage: &Stage, args: &[&str], offers: &Value) -> Pipe {
    let mut words = vec!["acp"];
    words.extend(args);
    let mut pipe = Pipe::start(stage.command(&words));
    let hello = pipe.result("initialize", json!({"protocolVersion": 1, "clientCapabilities": offers}));
    assert_eq!(hello["protocolVersion"], 1);
    pipe
}

fn begin(pipe: &mut Pipe, folder: &Path) -> String {
    let session = pipe.result("session/new", json!({"cwd": folder, "mcpServers": []}));
    session["sessionId"].as_str().unwrap().to_owned()
}

fn prompt(id: &str, text: &str) -> Value {
    json!({"sessionId": id, "prompt": [{"type": "text", "text": text}]})
}

/// The updates of one kind heard so far.
fn updates<'a>(pipe: &'a Pipe, kind: &str) -> Vec<&'a Value> {
    pipe.heard
        .iter()
        .map(|message| &message["params"]["update"])
        .filter(|update| update["sessionUpdate"] == kind)
        .collect()
}

/// What the agent said so far.
fn said(pipe: &Pipe) -> String {
    let texts = updates(pipe, "agent_message_chunk");
    texts.iter().map(|update| update["content"]["text"].as_str().unwrap()).collect()
}

/// A stage with a scripted model behind it.
fn scripted(stage: Stage, turns: Vec<Turn>) -> (Stage, ModelServer) {
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    (stage.env(&server.environment()), server)
}

fn read() -> Turn {
    Turn::call("read", json!({"filePath": "app.py"}))
}

const SCRIPTED: [&str; 2] = ["--model", "openai/scripted"];

#[test]
fn answers_version_one_to_any_version_and_says_who_it_is() {
    for version in [0, 1, 2, 99] {
        let stage = Stage::empty();
        let mut pipe = Pipe::start(stage.command(&["acp"]));
        let hello = pipe.result(
            "initialize",
            json!({"protocolVersion": version, "clientCapabilities": {"auth": {"terminal": true}}}),
        );
        assert_eq!(hello["protocolVersion"], 1);
        assert_eq!(hello["agentInfo"]["name"], "agent");
        assert_eq!(hello["agentCapabilities"]["loadSession"], true);
        for capability in ["list", "resume", "close", "delete", "fork"] {
            assert!(
                hello["agentCapabilities"]["sessionCapabilities"][capability].is_object(),
                "{capability}"
            );
        }
        let methods = hello["authMethods"].as_array().unwrap();
        assert!(methods[0]["description"].as_str().unwrap().contains("agent login"), "{methods:?}");
        if version == 1 {
            assert_eq!(methods[1]["type"], "terminal");
        }
    }
}

#[test]
fn what_is_malformed_is_answered_and_ends_nothing() {
    let stage = Stage::empty();
    let mut pipe = open(&stage, &[]);
    for (line, code) in [
        (&b"{nope"[..], -32700),
        (b"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"session/list\"}]", -32600),
        (b"[]", -32600),
        (b"\xff\xfe\xfd", -32700),
        (b"17", -32600),
    ] {
        pipe.write(line);
        let answer = pipe.until("an error", |message| message["error"].is_object());
        assert_eq!(answer["error"]["code"], code, "{line:?}");
        assert!(answer["id"].is_null(), "{answer}");
    }
    assert_eq!(pipe.fault("session/no_such_thing", json!({})), -32601);
    pipe.write(b"");
    pipe.result("session/list", json!({}));
}

#[test]
fn a_session_needs_an_absolute_folder_that_is_there() {
    let stage = Stage::with(&[("file", "x")]);
    let mut pipe = open(&stage, &[]);
    let missing = pipe.call("session/new", json!({"mcpServers": []}));
    assert_eq!(missing["error"]["code"], -32602);
    assert!(missing["error"].to_string().contains("cwd"), "{missing}");
    for cwd in
        [json!("relative"), json!("."), json!("/no/such/folder"), json!(stage.root().join("file")), json!(7)]
    {
        let answer = pipe.call("session/new", json!({"cwd": cwd, "mcpServers": []}));
        assert_eq!(answer["error"]["code"], -32602, "{cwd}: {answer}");
    }
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let stage = Stage::empty();
    let mut pipe = open(&stage, &[]);
    let folder = stage.root();
    for id in ["nope", "../../etc", "00000000-0000-7000-8000-000000000000"] {
        for method in ["session/load", "session/resume", "session/fork"] {
            let answer = pipe.call(method, json!({"sessionId": id, "cwd": folder, "mcpServers": []}));
            assert_eq!(answer["error"]["code"], -32002, "{method} {id}: {answer}");
        }
        for method in ["session/close", "session/delete"] {
            assert_eq!(pipe.fault(method, json!({"sessionId": id})), -32002, "{method} {id}");
        }
        assert_eq!(pipe.fault("session/prompt", prompt(id, "hi")), -32002);
        assert_eq!(pipe.fault("session/set_mode", json!({"sessionId": id, "modeId": "auto"})), -32002);
    }
    let known = begin(&mut pipe, folder);
    let elsewhere = tempfile::tempdir().unwrap();
    let answer =
        pipe.call("session/load", json!({"sessionId": known, "cwd": elsewhere.path(), "mcpServers": []}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[test]
fn an_empty_prompt_and_content_nobody_understands_are_refused() {
    let stage = Stage::empty();
    let mut pipe = open(&stage, &[]);
    let id = begin(&mut pipe, stage.root());
    for blocks in [
        json!([]),
        json!([{"type": "text", "text": "  "}]),
        json!([{"type": "image", "data": "aGk=", "mimeType": "image/png"}]),
        json!([{"type": "no-such-kind"}]),
    ] {
        let code = pipe.fault("session/prompt", json!({"sessionId": id, "prompt": blocks}));
        assert_eq!(code, -32602, "{blocks}");
    }
    pipe.result("session/prompt", prompt(&id, "What can you do?"));
}

#[test]
fn a_missing_key_is_an_auth_error_that_says_what_to_run() {
    let stage = Stage::empty();
    let mut pipe = open(&stage, &["--model", "openai/gpt-5"]);
    let answer = pipe.call("session/new", json!({"cwd": stage.root(), "mcpServers": []}));
    assert_eq!(answer["error"]["code"], -32000, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("agent login openai"), "{answer}");
    assert_eq!(pipe.fault("authenticate", json!({"methodId": "provider-key"})), -32000);
    assert_eq!(pipe.fault("authenticate", json!({"methodId": "no-such"})), -32602);
}

#[test]
fn works_without_any_key_and_streams_what_it_does() {
    let stage = Stage::of_example("notes-python");
    let mut pipe = open(&stage, &["--mode", "auto"]);
    let id = begin(&mut pipe, stage.root());
    let done = pipe.result("session/prompt", prompt(&id, "/fix SQL injection in the search of notes"));
    assert_eq!(done["stopReason"], "end_turn");
    let status = done["_meta"]["agent/status"].as_str().unwrap();
    assert!(status.starts_with("fixed"), "{done}");
    assert!(said(&pipe).contains("What changed"), "{}", said(&pipe));
    let calls = updates(&pipe, "tool_call");
    let edit = calls.iter().find(|call| call["kind"] == "edit").expect("an edit");
    let diff = &edit["content"][0];
    assert_eq!(diff["type"], "diff");
    assert!(Path::new(diff["path"].as_str().unwrap()).is_absolute());
    assert_ne!(diff["oldText"], diff["newText"]);
    assert!(edit["locations"][0]["path"].as_str().unwrap().starts_with('/'));
    let finished = updates(&pipe, "tool_call_update");
    assert!(
        finished
            .iter()
            .any(|update| { update["toolCallId"] == edit["toolCallId"] && update["status"] == "completed" })
    );
    let plans = updates(&pipe, "plan");
    let last = &plans.last().unwrap()["entries"];
    assert!(last.as_array().unwrap().iter().all(|entry| entry["status"] == "completed"), "{last}");
    assert!(!updates(&pipe, "session_info_update").is_empty());
    let undone = pipe.result("session/prompt", prompt(&id, "/diff"));
    assert_eq!(undone["stopReason"], "end_turn");
    assert!(said(&pipe).contains("```diff"));
    pipe.result("session/prompt", prompt(&id, "/undo"));
    assert_eq!(stage.tree(), Stage::of_example("notes-python").tree());
}

#[test]
fn asks_before_a_change_and_takes_only_a_known_yes_for_a_yes() {
    let edit = |to: &str| {
        Turn::call("edit", json!({"filePath": "app.py", "oldString": "return name", "newString": to}))
    };
    for (outcome, happens) in [
        (json!({"outcome": "selected", "optionId": "allow_once"}), true),
        (json!({"outcome": "selected", "optionId": "allow_always"}), true),
        (json!({"outcome": "selected", "optionId": "reject_once"}), false),
        (json!({"outcome": "selected", "optionId": "reject_always"}), false),
        (json!({"outcome": "selected", "optionId": "yes"}), false),
        (json!({"outcome": "selected", "optionId": ""}), false),
        (json!({"outcome": "cancelled"}), false),
        (json!({"outcome": "no-such"}), false),
    ] {
        let turns = vec![read(), edit("return name or ''"), Turn::text("Done.")];
        let (stage, _server) = scripted(Stage::with(&[("app.py", APP)]), turns);
        let mut pipe = open(&stage, &SCRIPTED);
        let id = begin(&mut pipe, stage.root());
        let asked = pipe.ask("session/prompt", prompt(&id, "Do it."));
        let question = pipe.until("a question", |message| message["method"] == "session/request_permission");
        let params = &question["params"];
        let kinds: Vec<&str> =
            params["options"].as_array().unwrap().iter().map(|o| o["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["allow_once", "allow_always", "reject_once", "reject_always"]);
        let content = params["toolCall"]["content"].as_array().unwrap();
        assert!(content.iter().any(|part| part["type"] == "diff"), "{content:?}");
        let announced = updates(&pipe, "tool_call");
        let last = announced.last().unwrap();
        assert_eq!(last["toolCallId"], params["toolCall"]["toolCallId"]);
        // `pending` is what a call is when nothing is said.
        assert!(last["status"].is_null() || last["status"] == "pending");
        pipe.answer(&question, json!({"outcome": outcome}));
        let done = pipe.response(asked);
        assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
        assert_eq!(stage.read("app.py") != APP, happens, "{outcome}");
    }
}

#[test]
fn an_answer_for_the_session_holds_for_the_session_and_no_longer() {
    for (answer, happens) in [("allow_always", true), ("reject_always", false)] {
        let edit = |from: &str, to: &str| {
            Turn::call("edit", json!({"filePath": "app.py", "oldString": from, "newString": to}))
        };
        let turns = vec![
            read(),
            edit("import sqlite3", "import json"),
            edit("return name", "return ''"),
            Turn::text("Done."),
        ];
        let (stage, _server) = scripted(Stage::with(&[("app.py", APP)]), turns);
        let mut pipe = open(&stage, &SCRIPTED);
        let id = begin(&mut pipe, stage.root());
        let asked = pipe.ask("session/prompt", prompt(&id, "Do it."));
        let question = pipe.until("a question", |message| message["method"] == "session/request_permission");
        pipe.answer(&question, json!({"outcome": {"outcome": "selected", "optionId": answer}}));
        pipe.response(asked);
        assert!(!pipe.heard.iter().any(|message| message["method"] == "session/request_permission"));
        assert_eq!(stage.read("app.py").contains("json") && stage.read("app.py").contains("''"), happens);
    }
}

#[test]
fn never_asks_for_files_or_terminals_that_were_not_offered() {
    let turns = vec![
        read(),
        Turn::calls([
            ("edit", json!({"filePath": "app.py", "oldString": "return name", "newString": "return 1"})),
            ("bash", json!({"command": "echo hi"})),
        ]),
        Turn::text("Done."),
    ];
    let (stage, _server) = scripted(Stage::with(&[("app.py", APP)]), turns);
    let mut pipe = open(&stage, &["--model", "openai/scripted", "--mode", "auto"]);
    let id = begin(&mut pipe, stage.root());
    pipe.result("session/prompt", prompt(&id, "Do it."));
    let asked: Vec<&Value> = pipe.heard.iter().filter(|message| message["id"].is_number()).collect();
    assert!(asked.is_empty(), "{asked:?}");
    assert!(stage.read("app.py").contains("return 1"));
    let outputs = updates(&pipe, "tool_call_update");
    assert!(outputs.iter().any(|update| update["content"].to_string().contains("hi")), "{outputs:?}");
    let used = updates(&pipe, "usage_update");
    assert_eq!(used.last().unwrap()["used"], 110);
}

/// Starts a command that goes on and on; its marker file says that it runs.
fn busy(stage: Stage, more: &[&str]) -> (Stage, ModelServer, Pipe, String, i64) {
    let command = "sleep 300 & echo $! > pid; touch running; wait";
    let turns = vec![
        Turn::call("bash", json!({"command": command, "timeout": 200_000})),
        Turn::text("Done."),
        Turn::text("Done again."),
    ];
    let (stage, server) = scripted(stage, turns);
    let mut args = vec!["--model", "openai/scripted", "--mode", "auto"];
    args.extend(more);
    let mut pipe = open(&stage, &args);
    let id = begin(&mut pipe, stage.root());
    let asked = pipe.ask("session/prompt", prompt(&id, "Run it."));
    let begun = Instant::now();
    while !stage.root().join("running").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the command does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    (stage, server, pipe, id, asked)
}

/// Whether a `sleep 300` below the test's workspace is still there.
fn sleeps(stage: &Stage) -> bool {
    let root = stage.root().canonicalize().unwrap();
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    all.flatten().any(|entry| {
        let folder = entry.path();
        std::fs::read(folder.join("cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x00300"))
            && std::fs::read_link(folder.join("cwd")).is_ok_and(|cwd| cwd == root)
    })
}

fn is_gone(stage: &Stage) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        if !sleeps(stage) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn a_cancelled_prompt_is_answered_at_once_and_nothing_is_said_after_that() {
    for by in ["session/cancel", "$/cancel_request"] {
        let (stage, _server, mut pipe, id, asked) = busy(Stage::empty(), &[]);
        let begun = Instant::now();
        match by {
            "session/cancel" => pipe.notify(by, json!({"sessionId": id})),
            _ => pipe.notify(by, json!({"requestId": asked})),
        }
        let done = pipe.response(asked);
        let took = begun.elapsed();
        assert_eq!(done["result"]["stopReason"], "cancelled", "{by}: {done}");
        assert!(took < Duration::from_millis(500), "{by}: {took:?}");
        assert!(pipe.next_within(Duration::from_millis(700)).is_none(), "{by}");
        assert!(is_gone(&stage), "{by}: the command still runs");
    }
}

#[test]
fn a_prompt_is_cancelled_while_the_model_speaks() {
    let (stage, server) =
        scripted(Stage::empty(), vec![Turn::text("word ".repeat(800)).paced(20), Turn::text("Again.")]);
    let mut pipe = open(&stage, &SCRIPTED);
    let id = begin(&mut pipe, stage.root());
    let asked = pipe.ask("session/prompt", prompt(&id, "Speak."));
    pipe.until("a word", |message| message["params"]["update"]["sessionUpdate"] == "agent_message_chunk");
    let begun = Instant::now();
    pipe.notify("session/cancel", json!({"sessionId": id}));
    assert_eq!(pipe.response(asked)["result"]["stopReason"], "cancelled");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert!(pipe.next_within(Duration::from_millis(300)).is_none());
    assert_eq!(server.received().len(), 1);
    // The session goes on after that.
    let done = pipe.result("session/prompt", prompt(&id, "Once more."));
    assert_eq!(done["stopReason"], "end_turn");
}

#[test]
fn a_question_is_withdrawn_when_its_turn_is_cancelled() {
    let turns = vec![Turn::call("bash", json!({"command": "touch made"})), Turn::text("Done.")];
    let (stage, _server) = scripted(Stage::empty(), turns);
    let mut pipe = open(&stage, &SCRIPTED);
    let id = begin(&mut pipe, stage.root());
    let asked = pipe.ask("session/prompt", prompt(&id, "Run it."));
    let question = pipe.until("a question", |message| message["method"] == "session/request_permission");
    pipe.notify("session/cancel", json!({"sessionId": id}));
    let done = pipe.response(asked);
    assert_eq!(done["result"]["stopReason"], "cancelled");
    let withdrawn = |message: &Value| {
        message["method"] == "$/cancel_request" && message["params"]["requestId"] == question["id"]
    };
    assert!(pipe.heard.iter().any(withdrawn), "{:?}", pipe.heard);
}

#[test]
fn nothing_runs_on_when_the_client_is_gone() {
    let (stage, _server, mut pipe, _, _) = busy(Stage::empty(), &[]);
    pipe.hang_up();
    let (code, took) = pipe.end();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    assert!(is_gone(&stage), "orphaned by the end of input");

    let (stage, _server, mut pipe, _, _) = busy(Stage::empty(), &[]);
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(i32::try_from(pipe.id()).unwrap()).unwrap(),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    let (code, took) = pipe.end();
    assert_eq!(code, Some(143));
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    assert!(is_gone(&stage), "orphaned by SIGTERM");
}

#[test]
fn requests_written_without_waiting_are_all_answered_before_the_end() {
    let stage = Stage::empty();
    let folder = stage.root().display().to_string();
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": 1}}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "session/new", "params": {"cwd": folder, "mcpServers": []}}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "session/list", "params": {"cwd": folder}}),
    ];
    let input: String = lines.iter().flat_map(|line| [line.to_string(), "\n".to_owned()]).collect();
    let run = stage.agent_with_input(&["acp"], Some(&input)).exits(0);
    let answered: Vec<i64> = run
        .lines()
        .iter()
        .filter(|line| line["result"].is_object())
        .map(|line| line["id"].as_i64().unwrap())
        .collect();
    assert_eq!(answered.len(), 3, "{run}");
}

#[test]
fn sessions_work_side_by_side_and_are_cancelled_one_by_one() {
    let server = ModelServer::start_blocking(Wire::OpenAi, vec![Turn::text("word ".repeat(200)).paced(20)]);
    let stage = Stage::empty().env(&server.environment());
    let folders: Vec<tempfile::TempDir> = (0..6).map(|_| tempfile::tempdir().unwrap()).collect();
    let mut pipe = open(&stage, &SCRIPTED);
    let ids: Vec<String> = folders.iter().map(|folder| begin(&mut pipe, folder.path())).collect();
    let asked: Vec<i64> = ids.iter().map(|id| pipe.ask("session/prompt", prompt(id, "Speak."))).collect();
    // All speak at the same time.
    let mut speaking = std::collections::BTreeSet::new();
    while speaking.len() < 6 {
        let chunk = pipe
            .until("a word", |message| message["params"]["update"]["sessionUpdate"] == "agent_message_chunk");
        speaking.insert(chunk["params"]["sessionId"].as_str().unwrap().to_owned());
    }
    pipe.notify("session/cancel", json!({"sessionId": ids[2]}));
    assert_eq!(pipe.response(asked[2])["result"]["stopReason"], "cancelled");
    for (at, request) in asked.iter().enumerate().filter(|(at, _)| *at != 2) {
        let early = pipe.heard.iter().find(|message| message["id"] == *request).cloned();
        let done = early.unwrap_or_else(|| pipe.response(*request));
        assert_eq!(done["result"]["stopReason"], "end_turn", "{at}");
    }
}

#[test]
fn two_sessions_share_a_folder_and_take_turns() {
    let (stage, _server, mut pipe, first, asked) = busy(Stage::empty(), &[]);
    let second = begin(&mut pipe, stage.root());
    // While the first one is at work the second one is told so; looking is allowed.
    let refused = pipe.call("session/prompt", prompt(&second, "Run it."));
    let text = refused["error"]["message"].as_str().unwrap();
    assert!(text.contains("another agent is at work"), "{refused}");
    assert_eq!(pipe.fault("session/prompt", prompt(&first, "More.")), -32600);
    pipe.result("session/set_mode", json!({"sessionId": second, "modeId": "read-only"}));
    let looked = pipe.call("session/prompt", prompt(&second, "Look."));
    assert_eq!(looked["result"]["stopReason"], "end_turn", "{looked}");
    pipe.result("session/set_mode", json!({"sessionId": second, "modeId": "auto"}));
    pipe.notify("session/cancel", json!({"sessionId": first}));
    pipe.response(asked);
    assert!(is_gone(&stage));
    let worked = pipe.call("session/prompt", prompt(&second, "Now."));
    assert_eq!(worked["result"]["stopReason"], "end_turn", "{worked}");
}

#[test]
fn a_session_is_told_again_in_full_and_goes_on() {
    let turns = vec![
        Turn::call("read", json!({"filePath": "app.py"})).saying("I read."),
        Turn::call(
            "edit",
            json!({"filePath": "app.py", "oldString": "return name", "newString": "return 1"}),
        ),
        Turn::text("All done."),
        Turn::text("I remember."),
        Turn::text("I go on."),
    ];
    let (stage, server) = scripted(Stage::with(&[("app.py", APP)]), turns);
    let args = ["--model", "openai/scripted", "--mode", "auto"];
    let mut pipe = open(&stage, &args);
    let id = begin(&mut pipe, stage.root());
    pipe.result("session/prompt", prompt(&id, "Change it, please."));
    pipe.hang_up();
    pipe.end();

    let mut pipe = open(&stage, &args);
    let listed = pipe.result("session/list", json!({"cwd": stage.root()}));
    assert_eq!(listed["sessions"][0]["sessionId"], *id);
    assert_eq!(listed["sessions"][0]["title"], "Change it, please.");
    pipe.heard.clear();
    let loaded = pipe.result("session/load", json!({"sessionId": id, "cwd": stage.root(), "mcpServers": []}));
    assert_eq!(loaded["modes"]["currentModeId"], "auto");
    let user = updates(&pipe, "user_message_chunk");
    assert_eq!(user[0]["content"]["text"], "Change it, please.");
    assert_eq!(said(&pipe), "I read.All done.");
    let calls = updates(&pipe, "tool_call");
    assert_eq!(calls.len(), 2);
    assert_eq!((&calls[1]["kind"], &calls[1]["content"][0]["type"]), (&json!("edit"), &json!("diff")));
    assert_eq!(updates(&pipe, "tool_call_update").len(), 2);
    let done = pipe.result("session/prompt", prompt(&id, "Do you remember?"));
    assert_eq!(done["stopReason"], "end_turn");
    assert!(said(&pipe).ends_with("I remember."));
    let told = server.received().last().unwrap().json().to_string();
    assert!(told.contains("Change it, please.") && told.contains("All done."), "{told}");

    // Closed, then resumed in silence.
    pipe.result("session/close", json!({"sessionId": id}));
    assert_eq!(pipe.fault("session/prompt", prompt(&id, "hi")), -32002);
    pipe.heard.clear();
    pipe.result("session/resume", json!({"sessionId": id, "cwd": stage.root(), "mcpServers": []}));
    assert!(updates(&pipe, "agent_message_chunk").is_empty());
    pipe.result("session/prompt", prompt(&id, "Go on."));
    assert!(said(&pipe).ends_with("I go on."));

    // A fork remembers and has an id of its own; what is deleted is gone.
    let fork = pipe.result("session/fork", json!({"sessionId": id, "cwd": stage.root(), "mcpServers": []}));
    let fork = fork["sessionId"].as_str().unwrap().to_owned();
    assert_ne!(fork, id);
    pipe.result("session/delete", json!({"sessionId": id}));
    let left = pipe.result("session/list", json!({"cwd": stage.root()}));
    let ids: Vec<&Value> = left["sessions"].as_array().unwrap().iter().map(|s| &s["sessionId"]).collect();
    assert_eq!(ids, [&json!(fork)]);
    assert_eq!(
        pipe.fault("session/load", json!({"sessionId": id, "cwd": stage.root(), "mcpServers": []})),
        -32002
    );
}

#[test]
fn mode_and_model_are_chosen_as_modes_and_as_options() {
    let turns = vec![Turn::call("bash", json!({"command": "touch made"})), Turn::text("Done.")];
    let (stage, _server) = scripted(Stage::empty(), turns);
    let mut pipe = open(&stage, &SCRIPTED);
    let session = pipe.result("session/new", json!({"cwd": stage.root(), "mcpServers": []}));
    let id = session["sessionId"].as_str().unwrap().to_owned();
    let modes: Vec<&str> = session["modes"]["availableModes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mode| mode["id"].as_str().unwrap())
        .collect();
    assert_eq!(modes, ["ask", "auto", "read-only", "yes"]);
    let option = |options: &Value, name: &str| {
        options.as_array().unwrap().iter().find(|option| option["id"] == name).unwrap()["currentValue"]
            .clone()
    };
    assert_eq!(option(&session["configOptions"], "model"), "openai/scripted");
    let set = |pipe: &mut Pipe, config: &str, value: &str| {
        pipe.call("session/set_config_option", json!({"sessionId": id, "configId": config, "value": value}))
    };
    for (config, value) in [("mode", "yolo"), ("model", "openai/unheard-of"), ("colour", "red")] {
        assert_eq!(set(&mut pipe, config, value)["error"]["code"], -32602, "{config}");
    }
    assert_eq!(pipe.fault("session/set_mode", json!({"sessionId": id, "modeId": "yolo"})), -32602);
    let chosen = set(&mut pipe, "mode", "read-only");
    assert_eq!(option(&chosen["result"]["configOptions"], "mode"), "read-only");
    assert_eq!(updates(&pipe, "current_mode_update")[0]["currentModeId"], "read-only");
    pipe.result("session/prompt", prompt(&id, "Make it."));
    assert!(!stage.root().join("made").exists());
    pipe.result("session/set_mode", json!({"sessionId": id, "modeId": "auto"}));
    assert!(!updates(&pipe, "config_option_update").is_empty());
    let chosen = set(&mut pipe, "model", "rules");
    assert_eq!(option(&chosen["result"]["configOptions"], "model"), "rules");
    pipe.heard.clear();
    let done = pipe.result("session/prompt", prompt(&id, "/fix Something about teapots"));
    assert_eq!(done["_meta"]["agent/report"]["model"], "rules");
}

#[test]
fn a_definition_that_only_looks_cannot_be_talked_into_more() {
    let stage = Stage::empty();
    stage.write("looker.md", "---\nname: looker\ndescription: looks\nmode: all\npermission:\n  edit: deny\n  bash: deny\n---\nLook.\n");
    let file = stage.root().join("looker.md");
    let mut pipe = open(&stage, &["--agent", file.to_str().unwrap()]);
    let session = pipe.result("session/new", json!({"cwd": stage.root(), "mcpServers": []}));
    let id = session["sessionId"].clone();
    if session["modes"]["currentModeId"] == "read-only" {
        assert_eq!(pipe.fault("session/set_mode", json!({"sessionId": id, "modeId": "yes"})), -32602);
    }
}

#[test]
fn standard_output_holds_nothing_but_the_protocol_and_no_line_is_long() {
    let big = "x".repeat(300_000);
    let turns = vec![
        Turn::call("write", json!({"filePath": "big.txt", "content": big})),
        Turn::call("bash", json!({"command": "head -c 400000 big.txt | fold -w 100"})),
        Turn::text("y".repeat(150_000)),
    ];
    let (stage, _server) = scripted(Stage::empty(), turns);
    let mut pipe = open(&stage, &["--model", "openai/scripted", "--mode", "auto"]);
    let id = begin(&mut pipe, stage.root());
    pipe.result("session/prompt", prompt(&id, "Do it."));
    for message in &pipe.heard {
        assert_eq!(message["jsonrpc"], "2.0");
        assert!(message.to_string().len() < 64 * 1024, "{}", &message.to_string()[..300]);
    }
    assert_eq!(said(&pipe).len(), 150_000);
}

#[test]
fn secrets_do_not_reach_the_client() {
    let secret = "FAKE-sk_live_4eC39HqLyjWDarjtT1zdp7dc";
    let turns = vec![
        Turn::call("bash", json!({"command": format!("echo STRIPE_SECRET_KEY={secret}")})),
        Turn::call("write", json!({"filePath": "n.txt", "content": format!("STRIPE_SECRET_KEY={secret}\n")})),
        Turn::text(format!("It is STRIPE_SECRET_KEY={secret}.")),
    ];
    let (stage, _server) = scripted(Stage::empty(), turns);
    let mut pipe = open(&stage, &["--model", "openai/scripted", "--mode", "auto"]);
    let id = begin(&mut pipe, stage.root());
    let done = pipe.result("session/prompt", prompt(&id, "Do it."));
    let all = format!("{:?}{done}", pipe.heard);
    assert!(!all.contains("4eC39HqLyjWDarjtT1zdp7dc"), "{all}");
}
