//! MCP as a host sees it: the real binary, raw JSON lines and the crate's own client, the scripted model.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::needless_pass_by_value, reason = "`json!` at the call reads better without `&`")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::pipe::Pipe;
use house::stage::Stage;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A host after the handshake.
fn open(stage: &Stage, args: &[&str], offers: &Value) -> Pipe {
    let mut words = vec!["mcp"];
    words.extend(args);
    let mut pipe = Pipe::start(stage.command(&words));
    let hello = pipe.result(
        "initialize",
        json!({"protocolVersion": "2025-06-18", "capabilities": offers, "clientInfo": {"name": "host", "version": "1"}}),
    );
    assert_eq!(hello["protocolVersion"], "2025-06-18");
    assert_eq!(hello["serverInfo"]["name"], "agent");
    pipe.notify("notifications/initialized", json!({}));
    pipe
}

fn tool(pipe: &mut Pipe, name: &str, arguments: Value) -> Value {
    pipe.result("tools/call", json!({"name": name, "arguments": arguments}))
}

fn scripted(stage: Stage, turns: Vec<Turn>) -> (Stage, ModelServer) {
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    (stage.env(&server.environment()), server)
}

const SCRIPTED: [&str; 2] = ["--model", "openai/scripted"];

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[test]
fn every_tool_says_what_it_takes_and_what_it_gives() {
    let stage = Stage::empty();
    let mut pipe = open(&stage, &[], &json!({}));
    let tools = pipe.result("tools/list", json!({}));
    let names: Vec<&str> =
        tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["fix", "scan", "run", "reply", "start", "status", "result", "cancel"]);
    for tool in tools["tools"].as_array().unwrap() {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        assert!(tool["description"].as_str().unwrap().len() < 400);
        let looks = matches!(tool["name"].as_str(), Some("scan" | "status" | "result"));
        assert_eq!(tool["annotations"]["readOnlyHint"], looks, "{tool}");
    }
}

#[test]
fn fixes_a_weakness_and_gives_a_result_that_fits_its_schema() {
    let stage = Stage::of_example("notes-python");
    let mut pipe = open(&stage, &[], &json!({}));
    let tools = pipe.result("tools/list", json!({}));
    let schema = &tools["tools"][0]["outputSchema"];
    let result =
        tool(&mut pipe, "fix", json!({"issue": "SQL injection in the search of notes", "cwd": stage.root()}));
    let fixed = &result["structuredContent"];
    assert!(fixed["status"].as_str().unwrap().starts_with("fixed"), "{result}");
    assert!(text(&result).starts_with("Status: fixed"), "{}", text(&result));
    assert!(jsonschema::validator_for(schema).unwrap().is_valid(fixed), "{fixed}");
    assert_eq!(result["isError"], false);
    assert!(
        !fixed["files"].as_array().unwrap().is_empty()
            && !fixed["verification"].as_array().unwrap().is_empty()
    );
    // The whole report is a resource, also for a server that was started later.
    let address = fixed["report"].as_str().unwrap().to_owned();
    drop(pipe);
    let mut pipe = open(&stage, &[], &json!({}));
    let listed = pipe.result("resources/list", json!({}));
    assert_eq!(listed["resources"][0]["uri"], *address);
    let read = pipe.result("resources/read", json!({"uri": address}));
    let report: Value = serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(report["status"], fixed["status"]);
    assert!(report["patch"].as_str().unwrap().contains("---"));
    let again = tool(&mut pipe, "result", json!({"handle": fixed["session_id"]}));
    assert_eq!(
        (&again["structuredContent"]["state"], &again["structuredContent"]["status"]),
        (&json!("done"), &fixed["status"])
    );
    assert_eq!(
        pipe.call("resources/read", json!({"uri": "agent://session/../../x/report"}))["error"]["code"],
        -32002
    );
}

#[test]
fn scans_without_arguments_and_changes_nothing() {
    let stage = Stage::of_example("notes-python");
    let before = stage.tree();
    let mut pipe = open(&stage, &[], &json!({}));
    let scan = pipe.result("tools/call", json!({"name": "scan"}));
    let found = scan["structuredContent"]["findings"].as_array().unwrap();
    assert!(!found.is_empty(), "{scan}");
    assert!(text(&scan).contains("findings in"));
    let family = tool(&mut pipe, "scan", json!({"cwd": stage.root(), "family": "sql-injection"}));
    assert!(family["structuredContent"]["findings"].as_array().unwrap().len() <= found.len());
    assert_eq!(stage.tree(), before);
}

#[test]
fn what_is_wrong_is_said_and_never_hangs() {
    let stage = Stage::empty();
    let mut pipe = open(&stage, &[], &json!({}));
    for (name, arguments, part) in [
        ("fix", json!({}), "issue"),
        ("fix", json!({"issue": " "}), "issue"),
        ("fix", json!({"issue": "x", "cwd": "relative"}), "cwd"),
        ("fix", json!({"issue": "x", "cwd": "/no/such/folder"}), "cwd"),
        ("run", json!({"prompt": "x", "mode": "yolo"}), "mode"),
        ("run", json!({"prompt": "x", "colour": "red"}), "colour"),
        ("reply", json!({"session_id": "../x", "prompt": "hi"}), "no such session"),
        ("status", json!({"handle": "nope"}), "handle"),
        ("scan", json!({"path": "../.."}), "path"),
        ("scan", json!({"family": "teapots"}), "family"),
    ] {
        let result = tool(&mut pipe, name, arguments.clone());
        assert_eq!(result["isError"], true, "{name} {arguments}: {result}");
        assert!(text(&result).contains(part), "{name} {arguments}: {result}");
    }
    assert_eq!(pipe.fault("tools/call", json!({"name": "no-such"})), -32602);
    // Broken lines and late cancellations end nothing.
    pipe.write(b"{nope");
    pipe.notify("notifications/cancelled", json!({"requestId": 4711}));
    pipe.result("ping", json!({}));
}

#[test]
fn a_caller_cannot_loosen_what_the_server_was_started_with() {
    let turns = vec![Turn::call("bash", json!({"command": "touch made"})), Turn::text("Done.")];
    let (stage, _server) = scripted(Stage::empty(), turns);
    let mut pipe = open(&stage, &["--model", "openai/scripted", "--mode", "read-only"], &json!({}));
    let refused = tool(&mut pipe, "run", json!({"prompt": "Make it.", "cwd": stage.root(), "mode": "auto"}));
    assert_eq!(refused["isError"], true);
    tool(&mut pipe, "run", json!({"prompt": "Make it.", "cwd": stage.root()}));
    assert!(!stage.root().join("made").exists());
}

#[test]
fn asks_the_user_where_the_host_can_and_only_a_yes_is_a_yes() {
    for (answer, happens) in [
        (json!({"action": "accept", "content": {"allow": true}}), true),
        (json!({"action": "accept", "content": {"allow": false}}), false),
        (json!({"action": "accept", "content": {}}), false),
        (json!({"action": "accept"}), false),
        (json!({"action": "decline"}), false),
        (json!({"action": "cancel"}), false),
    ] {
        let turns = vec![Turn::call("bash", json!({"command": "touch made"})), Turn::text("Done.")];
        let (stage, _server) = scripted(Stage::empty(), turns);
        let mut pipe = open(&stage, &SCRIPTED, &json!({"elicitation": {}}));
        let asked = pipe.ask(
            "tools/call",
            json!({"name": "run", "arguments": {"prompt": "Make it.", "cwd": stage.root(), "mode": "ask"}}),
        );
        let question = pipe.until("a question", |message| message["method"] == "elicitation/create");
        assert!(question["params"]["message"].as_str().unwrap().contains("touch made"), "{question}");
        pipe.answer(&question, answer.clone());
        let done = pipe.response(asked);
        assert_eq!(stage.root().join("made").exists(), happens, "{answer}: {done}");
    }
}

#[test]
fn where_nobody_can_be_asked_it_says_what_needs_approval() {
    let turns = vec![
        Turn::call("webfetch", json!({"url": "http://example.com/x"})),
        Turn::text("I could not fetch it."),
    ];
    let (stage, _server) = scripted(Stage::empty(), turns);
    let mut pipe = open(&stage, &SCRIPTED, &json!({}));
    let result = tool(&mut pipe, "run", json!({"prompt": "Fetch it.", "cwd": stage.root()}));
    let needs = result["structuredContent"]["needs_approval"].as_array().unwrap();
    assert!(needs[0].as_str().unwrap().contains("example.com"), "{result}");
    assert_eq!(result["structuredContent"]["status"], "needs_approval");
    assert!(text(&result).contains("needs approval: "), "{result}");
}

/// A command that goes on and on, and says that it runs.
fn endless() -> Vec<Turn> {
    vec![
        Turn::call("bash", json!({"command": "touch running; sleep 301", "timeout": 200_000})),
        Turn::text("Done."),
    ]
}

fn wait_for(stage: &Stage, name: &str) {
    let begun = Instant::now();
    while !stage.root().join(name).exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no {name}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn sleeps(stage: &Stage) -> bool {
    let root = stage.root().canonicalize().unwrap();
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    all.flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x00301"))
            && std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == root)
    })
}

fn is_gone(stage: &Stage) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if !sleeps(stage) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn tells_progress_and_stops_when_the_call_is_cancelled_or_the_host_is_gone() {
    let (stage, _server) = scripted(Stage::empty(), endless());
    let mut pipe = open(&stage, &SCRIPTED, &json!({}));
    let asked = pipe.ask(
        "tools/call",
        json!({"name": "run", "arguments": {"prompt": "Run it.", "cwd": stage.root()}, "_meta": {"progressToken": "t"}}),
    );
    wait_for(&stage, "running");
    let begun = Instant::now();
    let beats = |message: &Value| {
        message["method"] == "notifications/progress"
            && message["params"]["progressToken"] == "t"
            && message["params"]["message"].as_str().is_some_and(|line| line.contains("touch running"))
    };
    pipe.until("progress", beats);
    assert!(begun.elapsed() < Duration::from_secs(10));
    pipe.notify("notifications/cancelled", json!({"requestId": asked}));
    assert!(is_gone(&stage), "runs on after its call was cancelled");
    pipe.result("ping", json!({}));

    let (stage, _server) = scripted(Stage::empty(), endless());
    let mut pipe = open(&stage, &SCRIPTED, &json!({}));
    pipe.ask("tools/call", json!({"name": "run", "arguments": {"prompt": "Run it.", "cwd": stage.root()}}));
    wait_for(&stage, "running");
    pipe.hang_up();
    pipe.end();
    assert!(is_gone(&stage), "runs on after the host is gone");
}

#[test]
fn works_by_handle_for_hosts_with_short_limits() {
    let (stage, _server) = scripted(Stage::empty(), endless());
    let mut pipe = open(&stage, &SCRIPTED, &json!({}));
    let begun = Instant::now();
    let started = tool(&mut pipe, "start", json!({"prompt": "Run it.", "cwd": stage.root()}));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let handle = started["structuredContent"]["handle"].clone();
    assert_eq!(started["structuredContent"]["state"], "running");
    wait_for(&stage, "running");
    let status = tool(&mut pipe, "status", json!({"handle": handle}));
    assert!(status["structuredContent"]["line"].as_str().unwrap().contains("touch running"), "{status}");
    let early = tool(&mut pipe, "result", json!({"handle": handle, "wait_seconds": 1}));
    assert_eq!(early["structuredContent"]["state"], "running");
    // A second job in the same folder is told so at once.
    let second = tool(&mut pipe, "run", json!({"prompt": "Also.", "cwd": stage.root()}));
    assert!(text(&second).contains("another agent is at work"), "{second}");
    let cancelled = tool(&mut pipe, "cancel", json!({"handle": handle}));
    assert_eq!(cancelled["structuredContent"]["state"], "done", "{cancelled}");
    assert!(is_gone(&stage));
    let result = tool(&mut pipe, "result", json!({"handle": handle}));
    assert_eq!(result["structuredContent"]["status"], "cancelled", "{result}");
}

#[test]
fn goes_on_with_an_earlier_session() {
    let (stage, server) = scripted(Stage::empty(), vec![Turn::text("First."), Turn::text("Second.")]);
    let mut pipe = open(&stage, &SCRIPTED, &json!({}));
    let first = tool(&mut pipe, "run", json!({"prompt": "Remember the teapot.", "cwd": stage.root()}));
    let id = first["structuredContent"]["session_id"].clone();
    let second = tool(&mut pipe, "reply", json!({"session_id": id, "prompt": "What was it?"}));
    assert_eq!(second["structuredContent"]["summary"], "Second.");
    assert!(server.received().last().unwrap().json().to_string().contains("teapot"));
}
