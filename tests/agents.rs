//! Agents, skills, commands and standing instructions: who wrote them decides whether they count.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::ModelServer;
use house::speech::{Turn, Wire};
use house::stage::Stage;
use serde_json::{Value, json};

const READER: &str =
    "---\nname: reader\ndescription: looks\ntools: Read, Grep\nmode: subagent\n---\nYou only look.\n";
const SKILL: &str = "---\nname: release\ndescription: How a release is made here: steps and checks.\n---\nTag it, then wait.\n";

#[allow(clippy::disallowed_methods, reason = "the test plays the user")]
fn at_home(stage: &Stage, path: &str, text: &str) {
    let path = stage.home().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn agents(stage: &Stage) -> Value {
    stage.agent(&["agents", "--output-format", "json"]).exits(0).result()
}

fn state_of(listed: &Value, name: &str, origin: &str) -> Value {
    let of = |found: &&Value| found["name"] == name && found["origin"] == origin;
    listed["agents"].as_array().unwrap().iter().find(of).unwrap_or_else(|| panic!("{listed}"))["state"]
        .clone()
}

/// What one run sends first to a model.
fn first_request(stage: Stage, args: &[&str]) -> (Value, Value) {
    let model = ModelServer::start_blocking(Wire::OpenAi, vec![Turn::text("Status: done")]);
    let stage = stage.env(&model.environment());
    let whole = [args, &["--yes", "--output-format", "json", "--model", "openai/scripted"]].concat();
    let run = stage.agent(&whole).exits(0);
    (serde_json::from_slice(&model.requests()[0]).unwrap(), run.result())
}

#[test]
fn an_agent_is_found_by_name_and_an_unknown_one_is_an_error() {
    let stage = Stage::empty();
    at_home(&stage, ".config/agent/agents/reader.md", READER);
    let run = stage.agent(&[
        "run",
        "fix the sql injection",
        "--agent",
        "reader",
        "--yes",
        "--output-format",
        "json",
    ]);
    assert!(run.exits(8).result()["summary"].as_str().unwrap().contains("edit"));
    let run = stage.agent(&["run", "x", "--agent", "raeder", "--yes"]).exits(2);
    assert!(run.stderr.contains("no agent named raeder") && run.stderr.contains("reader"), "{run}");
    assert_eq!(state_of(&agents(&stage), "backend-security-coder", "embedded"), "used");
}

#[test]
fn a_repositorys_agent_counts_once_it_is_trusted_and_then_before_the_users() {
    for folder in [".agent/agents", ".opencode/agent", ".opencode/agents", ".claude/agents"] {
        let stage = Stage::with(&[(&format!("{folder}/reader.md"), READER)]);
        assert_eq!(state_of(&agents(&stage), "reader", "project"), "untrusted", "{folder}");
        let run = stage.agent(&["run", "x", "--agent", "reader", "--yes"]).exits(2);
        assert!(run.stderr.contains("agent trust"), "{run}");

        at_home(&stage, ".claude/agents/reader.md", READER);
        assert_eq!(state_of(&agents(&stage), "reader", "user"), "used");
        stage.agent(&["trust"]).exits(0);
        let listed = agents(&stage);
        assert_eq!(state_of(&listed, "reader", "project"), "used");
        assert_eq!(state_of(&listed, "reader", "user"), "shadowed");

        stage.write(&format!("{folder}/reader.md"), &READER.replace("Read, Grep", "Bash"));
        assert_eq!(state_of(&agents(&stage), "reader", "project"), "untrusted", "changed since");
    }
}

#[test]
fn a_refused_file_never_gives_way_to_another_one_in_silence() {
    let stage = Stage::empty();
    at_home(&stage, ".config/agent/agents/reader.md", "---\nname: [\n---\n");
    at_home(&stage, ".claude/agents/reader.md", READER);
    let run = stage.agent(&["run", "x", "--agent", "reader", "--yes"]).exits(2);
    assert!(run.stderr.contains("reader.md:"), "{run}");
}

#[test]
fn a_skill_stands_in_the_prompt_and_is_read_on_demand() {
    let turns = vec![
        Turn::call("skill", json!({"name": "release"})),
        Turn::call("skill", json!({"name": "release", "file": "notes/more.md"})),
        Turn::call("skill", json!({"name": "release", "file": "../../config.toml"})),
        Turn::call("skill", json!({"name": "nothing"})),
        Turn::text("Status: done"),
    ];
    let model = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::empty().env(&model.environment());
    at_home(&stage, ".config/agent/skills/release/SKILL.md", SKILL);
    at_home(&stage, ".config/agent/skills/release/notes/more.md", "Wait an hour.\n");
    at_home(&stage, ".config/agent/config.toml", "max_turns = 9\n");
    stage.agent(&["run", "x", "--yes", "--model", "openai/scripted"]).exits(0);
    let bodies: Vec<Value> =
        model.requests().iter().map(|body| serde_json::from_slice(body).unwrap()).collect();
    let system = bodies[0]["messages"][0]["content"].to_string();
    assert!(system.contains("- release: How a release is made here"), "{system}");
    assert!(!system.contains("Tag it"), "the body comes on demand");
    let results: Vec<String> =
        bodies.iter().skip(1).map(|body| Wire::OpenAi.last_results(body).concat()).collect();
    assert!(results[0].contains("Tag it") && results[0].contains("notes/more.md"), "{results:?}");
    assert!(results[1].contains("Wait an hour"), "{results:?}");
    assert!(!results[2].contains("max_turns"), "{results:?}");
    assert!(results[3].contains("release"), "{results:?}");
}

#[test]
fn without_skills_there_is_no_skill_tool() {
    let (request, _) = first_request(Stage::empty(), &["run", "x"]);
    assert!(!request["tools"].to_string().contains("\"skill\""));
}

#[test]
fn standing_instructions_are_the_users_or_those_of_a_trusted_repository() {
    let stage = || {
        let stage = Stage::with(&[
            ("AGENTS.md", "Use tabs, root."),
            ("api/AGENTS.md", "Use tabs, api."),
            (".agent/skills/release/SKILL.md", SKILL),
        ]);
        at_home(&stage, ".config/agent/AGENTS.md", "Answer in short words.");
        stage
    };
    let (request, _) = first_request(stage(), &["run", "x"]);
    let system = request["messages"][0]["content"].to_string();
    assert!(system.contains("Answer in short words") && !system.contains("Use tabs"), "{system}");
    assert!(!system.contains("How a release"), "{system}");

    let trusting = stage();
    trusting.agent(&["trust"]).exits(0);
    let (request, _) = first_request(trusting, &["run", "x"]);
    let system = request["messages"][0]["content"].to_string();
    assert!(system.contains("Use tabs, root.") && !system.contains("Use tabs, api."), "{system}");
    assert!(system.contains("How a release is made here"), "{system}");
}

#[test]
fn a_link_of_a_repository_shows_nothing_from_outside() {
    let stage = Stage::empty();
    at_home(&stage, "outside.md", "FAKE-outside-canary");
    std::os::unix::fs::symlink(stage.home().join("outside.md"), stage.root().join("AGENTS.md")).unwrap();
    let _ = stage.agent(&["trust"]);
    let (request, _) = first_request(stage, &["run", "x"]);
    assert!(!request.to_string().contains("FAKE-outside-canary"));
}

#[test]
fn a_command_is_the_prompt_that_its_file_holds() {
    let stage = Stage::empty();
    at_home(&stage, ".claude/commands/harden.md", "---\ndescription: harden\n---\nHarden $1 against !`id`.");
    let (request, _) = first_request(stage, &["run", "/harden login"]);
    assert!(request["messages"][1].to_string().contains("Harden login against !`id`."), "{request}");
    let stage = Stage::empty();
    let run = stage.agent(&["run", "/harden login", "--yes"]).exits(2);
    assert!(run.stderr.contains("no command /harden"), "{run}");
}
