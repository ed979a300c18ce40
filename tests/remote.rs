//! Tools of other processes: this binary's own tool server, called by a session through policy, limits and quotes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::pipe::Pipe;
use house::stage::{Run, Stage};
use serde_json::{Value, json};

/// A home whose settings name a tool server, and more.
#[allow(clippy::disallowed_methods, reason = "the test plays the user")]
fn configured(more: &str) -> Stage {
    let stage = Stage::of_example("notes-python");
    let folder = stage.home().join(".config/agent");
    std::fs::create_dir_all(&folder).unwrap();
    let program = env!("CARGO_BIN_EXE_agent");
    let text = format!("{more}\n[mcp.sec]\ncommand = {program:?}\nargs = [\"mcp\"]\n");
    std::fs::write(folder.join("config.toml"), text).unwrap();
    stage
}

fn scan() -> Vec<Turn> {
    vec![Turn::call("mcp_sec_scan", json!({"family": "sql-injection"})), Turn::text("Done.")]
}

fn play(stage: Stage, turns: Vec<Turn>, mode: &str) -> (Run, String) {
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = stage.env(&server.environment());
    let run = stage.agent(&[
        "run",
        "Scan.",
        "--model",
        "openai/scripted",
        "--mode",
        mode,
        "--output-format",
        "stream-json",
    ]);
    let told = Wire::OpenAi.last_results(&server.received().last().unwrap().json()).join("\n");
    (run, told)
}

const ALLOW: &str = "[[rules]]\naction = \"call\"\npattern = \"sec/scan\"\neffect = \"allow\"\n";

#[test]
fn a_call_needs_a_word_of_the_user_in_every_mode() {
    for (rules, mode, happens) in [
        ("", "auto", false),
        ("", "yes", false),
        ("", "read-only", false),
        (ALLOW, "auto", true),
        (ALLOW, "yes", true),
        (ALLOW, "read-only", true),
        ("[[rules]]\naction = \"call\"\npattern = \"sec/*\"\neffect = \"deny\"\n", "ask", false),
    ] {
        let (run, told) = play(configured(rules), scan(), mode);
        assert_eq!(told.contains("findings in"), happens, "{rules} {mode}: {told}\n{run}");
        if happens {
            assert!(told.starts_with("<untrusted source=\"mcp sec\""), "{told}");
        } else {
            assert!(told.contains("denied"), "{told}");
        }
    }
}

#[test]
fn a_broken_server_is_a_warning_and_no_end() {
    let broken = "[mcp.gone]\ncommand = \"/no/such/program\"\n[mcp.mute]\ncommand = \"true\"\n\
                  [mcp.far]\nurl = \"http://example.com/mcp\"\n[mcp.none]\n";
    let (run, told) = play(configured(&format!("{ALLOW}{broken}")), scan(), "auto");
    assert!(told.contains("findings in"), "{told}");
    let warnings: String = run
        .lines()
        .iter()
        .filter(|line| line["type"] == "warning")
        .map(|line| line["text"].as_str().unwrap().to_owned() + "\n")
        .collect();
    for name in ["gone", "mute", "far", "none"] {
        assert!(warnings.contains(&format!("tool server {name}:")), "{name}: {warnings}");
    }
}

#[test]
fn servers_named_by_an_acp_client_are_asked_for_and_end_with_the_session() {
    let stage = Stage::of_example("notes-python");
    let server = ModelServer::start_blocking(Wire::OpenAi, scan());
    let stage = stage.env(&server.environment());
    let mut pipe = Pipe::start(stage.command(&["acp", "--model", "openai/scripted", "--mode", "auto"]));
    pipe.result("initialize", json!({"protocolVersion": 1}));
    let servers = json!([
        {"name": "sec", "command": env!("CARGO_BIN_EXE_agent"), "args": ["mcp"], "env": []},
        {"name": "broken", "command": "/no/such/program", "args": [], "env": []},
    ]);
    let session = pipe.result("session/new", json!({"cwd": stage.root(), "mcpServers": servers}));
    let id = session["sessionId"].clone();
    let asked =
        pipe.ask("session/prompt", json!({"sessionId": id, "prompt": [{"type": "text", "text": "Scan."}]}));
    let question = pipe.until("a question", |message| message["method"] == "session/request_permission");
    assert!(question["params"]["toolCall"]["title"].as_str().unwrap().starts_with("call sec/scan"));
    pipe.answer(&question, json!({"outcome": {"outcome": "selected", "optionId": "allow_once"}}));
    let done = pipe.response(asked);
    assert_eq!(done["result"]["stopReason"], "end_turn", "{done}");
    let told = Wire::OpenAi.last_results(&server.received().last().unwrap().json()).join("\n");
    assert!(told.contains("findings in"), "{told}");
    let broken = |message: &Value| message["params"]["update"].to_string().contains("tool server broken");
    assert!(pipe.heard.iter().any(broken), "{:?}", pipe.heard);
    pipe.hang_up();
    let (code, took) = pipe.end();
    assert_eq!(code, Some(0));
    assert!(took < std::time::Duration::from_secs(3), "{took:?}");
}
