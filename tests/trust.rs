//! `agent trust`: the user's word on a workspace, through the real binary.
#![allow(clippy::disallowed_methods, reason = "tests play the user and the repository")]
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code, reason = "tests")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::stage::Stage;

#[test]
fn a_workspace_is_trusted_listed_asked_for_again_and_forgotten() {
    let stage = Stage::with(&[(".agent/agents/helper.md", "one"), ("AGENTS.md", "words")]);
    let check = stage.agent(&["trust", "--check"]).exits(6);
    assert!(check.stdout.contains("not trusted") && check.stdout.contains("  AGENTS.md"), "{check}");
    let granted = stage.agent(&["trust"]).exits(0);
    assert!(granted.stdout.contains("trusted as it is now"), "{granted}");
    assert!(granted.stdout.contains("  .agent/agents/helper.md"), "{granted}");
    stage.agent(&["trust", "--check"]).exits(0);
    let list = stage.agent(&["trust", "--list", "--output-format", "json"]).exits(0);
    assert_eq!(list.result()[0]["status"], "trusted");
    assert_eq!(list.result()[0]["root"], stage.root().display().to_string());

    stage.write(".agent/agents/helper.md", "two");
    let changed = stage.agent(&["trust", "--check", "--output-format", "json"]).exits(6).result();
    assert_eq!(
        (&changed["status"], &changed["paths"][0]),
        (&"changed".into(), &".agent/agents/helper.md".into())
    );

    stage.agent(&["trust", "--revoke"]).exits(0);
    let list = stage.agent(&["trust", "--list"]).exits(0);
    assert_eq!(list.stdout, "no workspace is trusted\n");
}

#[test]
fn a_run_says_what_it_ignores_and_nothing_where_there_is_nothing() {
    let check = |files: &[(&str, &str)], trusted: bool, expected: Option<&str>| {
        let server = ModelServer::start_blocking(Wire::OpenAi, vec![Turn::text("done")]);
        let stage = Stage::with(files).env(&server.environment());
        if trusted {
            stage.agent(&["trust"]).exits(0);
        }
        let run = stage
            .agent(&["run", "x", "--model", "openai/scripted", "--output-format", "stream-json"])
            .exits(0);
        let warned = run.lines().iter().any(|line| {
            line["type"] == "warning"
                && expected.is_some_and(|word| line["text"].as_str().unwrap().contains(word))
        });
        assert_eq!(warned, expected.is_some(), "{run}");
        assert_eq!(run.stdout.contains("trusted"), expected.is_some(), "{run}");
    };
    check(&[("app.py", "x = 1\n")], false, None);
    check(&[(".mcp.json", "{}")], false, Some("agent trust"));
    check(&[(".mcp.json", "{}")], true, None);
}

/// A command cannot trust for the user: the store is not in its sight.
#[test]
fn a_command_behind_the_walls_cannot_trust() {
    let stage = Stage::with(&[(".mcp.json", "{}")]);
    let program = env!("CARGO_BIN_EXE_agent");
    stage.agent(&["sandbox", "--", program, "trust"]);
    stage.agent(&["trust", "--check"]).exits(6);
}
