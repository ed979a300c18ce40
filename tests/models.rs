//! Providers as their users meet them, through the real binary: budgets, kept keys, the list of models, a
//! session that goes on with another provider, and not one connection that was not configured.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the test plays the user and starts real programs")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::stage::{Run, Stage, has, skip};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const KEY: &str = "FAKE-kept-canary-0123456789";

/// Turns that each write a file; 100 tokens in, 10 out.
fn writes(count: usize) -> Vec<Turn> {
    let file = |n: usize| Turn::call("write", json!({"filePath": format!("f{n}"), "content": "x\n"}));
    (0..count).map(file).collect()
}

fn settings(stage: &Stage, text: &str) {
    let folder = stage.home().join(".config/agent");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), text).unwrap();
}

const PRICE: &str = "[prices.\"openai/scripted\"]\ninput = 1000.0\noutput = 0.0\n";

#[test]
fn a_budget_of_tokens_or_money_is_hard_names_itself_and_keeps_the_work() {
    for (limit, amount) in [("--max-tokens", "300"), ("--max-usd", "0.25")] {
        let server = ModelServer::start_blocking(Wire::OpenAi, writes(9));
        let stage = Stage::empty().env(&server.environment());
        settings(&stage, PRICE);
        let args =
            ["run", "x", "--model", "openai/scripted", "--yes", "--output-format", "json", limit, amount];
        let run = stage.agent(&args).exits(7);
        let result = run.result();
        assert_eq!(result["status"], "budget");
        assert!(result["summary"].as_str().unwrap().contains(limit), "{run}");
        assert_eq!(server.requests().len(), 3, "{limit}");
        assert_eq!(result["files"].as_array().unwrap().len(), 3, "{run}");
        assert!((result["cost_usd"].as_f64().unwrap() - 0.3).abs() < 1e-9, "{run}");
        assert!(stage.root().join("f2").exists() && !stage.root().join("f3").exists());
    }
}

#[test]
fn a_budget_of_time_ends_what_is_under_way() {
    if !has("sleep") {
        return;
    }
    let slow = Turn::call("bash", json!({"command": "sleep 120"}));
    let silent = Turn::text("a long, long answer that takes its time").in_deltas_of(1).paced(5000);
    for last in [slow, silent] {
        let turns = vec![writes(1).remove(0), last, Turn::text("too late")];
        let server = ModelServer::start_blocking(Wire::OpenAi, turns);
        let stage = Stage::empty().env(&server.environment());
        let begun = Instant::now();
        let run = stage
            .agent(&[
                "run",
                "x",
                "--model",
                "openai/scripted",
                "--yes",
                "--output-format",
                "json",
                "--max-minutes",
                "0.1",
            ])
            .exits(7);
        assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
        let result = run.result();
        assert!(result["summary"].as_str().unwrap().contains("--max-minutes"), "{run}");
        assert_eq!(result["files"].as_array().unwrap().len(), 1, "{run}");
    }
}

#[test]
fn money_is_told_as_it_is_spent_and_never_guessed() {
    let play = |price: &str, more: &[&str]| {
        let turns = vec![writes(1).remove(0), Turn::text("Done.")];
        let server = ModelServer::start_blocking(Wire::OpenAi, turns);
        let stage = Stage::empty().env(&server.environment());
        settings(&stage, price);
        let args = ["run", "x", "--model", "openai/scripted", "--yes", "--output-format", "stream-json"];
        stage.agent(&[&args[..], more].concat())
    };
    let lines = play(PRICE, &[]).exits(0).lines();
    let usage: Vec<&Value> = lines.iter().filter(|line| line["type"] == "usage").collect();
    assert_eq!(usage.len(), 2);
    assert_eq!((&usage[1]["input"], &usage[1]["total"]["input"]), (&json!(100), &json!(200)));
    assert!((usage[1]["cost_usd"].as_f64().unwrap() - 0.1).abs() < 1e-9);
    assert!((usage[1]["total_cost_usd"].as_f64().unwrap() - 0.2).abs() < 1e-9);
    let lines = play("", &[]).exits(0).lines();
    assert_eq!(lines.last().unwrap()["cost_usd"], Value::Null);
    let run = play("", &["--max-usd", "1"]).exits(2);
    assert!(run.stdout.contains("--max-usd") && run.stdout.contains("[prices."), "{run}");
    play("[prices.\"openai/scripted\"]\ninput = 1.0\n", &[]).exits(2);
    for bad in ["0", "-1", "many", "NaN"] {
        play(PRICE, &["--max-usd", bad]).exits(2);
    }
}

fn key_file(stage: &Stage) -> PathBuf {
    stage.home().join(".config/agent/keys.toml")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn never_shows_the_key(run: Run) -> Run {
    assert!(!run.stdout.contains("canary") && !run.stderr.contains("canary"), "{run}");
    run
}

#[test]
fn a_kept_key_is_used_shown_by_name_alone_and_forgotten() {
    for wire in Wire::ALL {
        let server = ModelServer::start_blocking(wire, vec![Turn::text("Done.")]);
        let (name, base, path) = match wire {
            Wire::OpenAi | Wire::Responses => ("openai", "OPENAI_BASE_URL", "/v1"),
            Wire::Anthropic => ("anthropic", "ANTHROPIC_BASE_URL", ""),
            Wire::Gemini => ("gemini", "GEMINI_BASE_URL", "/v1beta"),
        };
        // A host beyond loopback, which only the proxy knows: keys are not needed on loopback.
        let stage = Stage::empty().env(&[
            (base, format!("http://models.example.test{path}")),
            ("http_proxy", format!("http://{}", server.host())),
        ]);
        let ask = || {
            let args = ["run", "x", "--model", wire.model(), "--yes", "--output-format", "json"];
            never_shows_the_key(stage.agent(&args))
        };
        let run = ask().exits(9);
        assert!(run.stdout.contains(&format!("agent login {name}")), "{run}");

        let run = never_shows_the_key(stage.agent_with_input(&["login", name], Some(&format!("{KEY}\n"))));
        let run = run.exits(0);
        assert!(run.stderr.contains("no keyring") && run.stderr.contains("unencrypted"), "{run}");
        assert_eq!(mode(&key_file(&stage)), 0o600);
        assert_eq!(mode(key_file(&stage).parent().unwrap()), 0o700);

        ask().exits(0);
        let received = server.received();
        let sent = received.last().unwrap().headers.iter().find(|(_, value)| value.ends_with(KEY));
        assert!(sent.is_some(), "{wire:?}: the kept key is sent");
        for command in [&["doctor"][..], &["models"], &["models", "--output-format", "json"]] {
            let run = never_shows_the_key(stage.agent(command)).exits(0);
            assert!(run.stdout.contains(&format!("{name} (file")), "{run}");
        }
        let run = stage.agent(&["models", "--provider", wire.provider()]).exits(0);
        let provider = wire.provider();
        assert_eq!(run.stdout, format!("{provider}/other\n{provider}/scripted\n"));

        // The environment wins.
        let other = "FAKE-environment-canary";
        let key_variable = base.replace("BASE_URL", "API_KEY");
        let mut command = stage.command(&["run", "x", "--model", wire.model(), "--yes"]);
        assert!(command.env(key_variable, other).output().unwrap().status.success());
        let received = server.received();
        assert!(received.last().unwrap().headers.iter().any(|(_, value)| value.ends_with(other)));

        std::fs::set_permissions(key_file(&stage), std::fs::Permissions::from_mode(0o640)).unwrap();
        let run = ask().exits(9);
        assert!(run.stdout.contains("chmod 600"), "{run}");
        std::fs::set_permissions(key_file(&stage), std::fs::Permissions::from_mode(0o600)).unwrap();
        never_shows_the_key(stage.agent(&["logout", name])).exits(0);
        assert!(!std::fs::read_to_string(key_file(&stage)).unwrap().contains("canary"));
        ask().exits(9);
    }
}

#[test]
fn a_kept_key_that_a_tool_prints_is_hidden() {
    for wire in Wire::ALL {
        let turns = vec![
            Turn::call("read", json!({"filePath": "notes.txt"})),
            Turn::call("bash", json!({"command": "cat notes.txt"})),
            Turn::text(format!("It is {KEY}.")),
        ];
        let server = ModelServer::start_blocking(wire, turns);
        let (name, base, path) = match wire {
            Wire::OpenAi | Wire::Responses => ("openai", "OPENAI_BASE_URL", "/v1"),
            Wire::Anthropic => ("anthropic", "ANTHROPIC_BASE_URL", ""),
            Wire::Gemini => ("gemini", "GEMINI_BASE_URL", "/v1beta"),
        };
        let stage = Stage::with(&[("notes.txt", &format!("the word of the day: {KEY}\n"))]).env(&[
            (base, format!("http://models.example.test{path}")),
            ("http_proxy", format!("http://{}", server.host())),
        ]);
        stage.agent_with_input(&["login", name], Some(KEY)).exits(0);
        let args = ["run", "x", "--model", wire.model(), "--yes", "--output-format", "stream-json"];
        never_shows_the_key(stage.agent(&args)).exits(0);
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "{wire:?}");
        for body in requests {
            assert!(!String::from_utf8_lossy(&body).contains("canary"), "{wire:?}: it went to the model");
        }
        let record = std::fs::read_to_string(stage.records().pop().unwrap()).unwrap();
        assert!(!record.contains("canary") && record.contains("[redacted:"), "{wire:?}: {record}");
    }
}

#[test]
fn login_refuses_what_is_no_key_or_no_provider() {
    let stage = Stage::empty();
    for (args, input) in [
        (&["login", "openai"][..], ""),
        (&["login", "openai"], "two words canary"),
        (&["login", "nobody"], KEY),
        (&["login"], KEY),
    ] {
        never_shows_the_key(stage.agent_with_input(args, Some(input))).exits(2);
    }
    assert!(!key_file(&stage).exists());
    stage.agent(&["models", "--provider", "nobody"]).exits(2);
    stage.agent(&["logout", "openai"]).exits(0);
}

#[test]
fn a_base_url_of_the_users_file_is_used_and_a_repositorys_is_not() {
    let server = ModelServer::start_blocking(Wire::OpenAi, vec![Turn::text("Done.")]);
    let stage = Stage::with(&[
        ("config.toml", "model = \"openai/evil\"\n"),
        (".env", "OPENAI_BASE_URL=http://127.0.0.1:9\n"),
    ]);
    settings(
        &stage,
        &format!("model = \"openai/scripted\"\n[base_urls]\nopenai = \"{}\"\n", server.base_url()),
    );
    stage.agent(&["run", "x", "--yes"]).exits(0);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_session_goes_on_with_any_other_provider_without_foreign_reasoning() {
    for from in Wire::ALL {
        for to in Wire::ALL {
            let first = vec![
                Turn::call("read", json!({"filePath": "app.py"}))
                    .saying("I look.")
                    .thinking("private musing", "c2lnbmF0dXJl")
                    .redacted("c2VhbGVk"),
                Turn::text("First done."),
            ];
            let server = ModelServer::start_blocking(from, first);
            let stage = Stage::with(&[("app.py", "x = 1\n")]).env(&server.environment());
            let args = ["run", "Look.", "--model", from.model(), "--yes", "--output-format", "json"];
            let run = stage.agent(&args).exits(0);
            let id = run.result()["session_id"].as_str().unwrap().to_owned();

            let script = vec![Turn::text("unused"), Turn::text("unused"), Turn::text("Second done.")];
            let server = ModelServer::start_blocking(to, script);
            let stage = stage.env(&server.environment());
            let args = ["resume", &id, "--model", to.model(), "--yes", "--output-format", "json"];
            let run = stage.agent(&args).exits(0);
            assert_eq!(run.result()["summary"], "Second done.", "{from:?} to {to:?}");
            assert_eq!(run.result()["model"], to.model());
            let body = server.received().pop().unwrap().json().to_string();
            for said in ["I look.", "app.py", "x = 1", "First done."] {
                assert!(body.contains(said), "{from:?} to {to:?} lacks {said:?}: {body}");
            }
            let sealed = ["private musing", "c2lnbmF0dXJl", "c2VhbGVk"].map(|word| body.contains(word));
            let expected = match (from == to, to) {
                (false, _) => [false; 3],
                (true, Wire::OpenAi) => [true, false, false],
                (true, Wire::Anthropic | Wire::Responses) => [true; 3],
                (true, Wire::Gemini) => [false, true, false],
            };
            assert_eq!(sealed, expected, "{from:?} to {to:?}: {body}");
        }
    }
}

/// Every address that the program and its children tried to reach, by strace.
fn reached(stage: &Stage, args: &[&str], code: i32) -> Vec<String> {
    let log = stage.home().join("strace.log");
    let program = stage.command(args);
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]).arg(&log);
    command.arg(program.get_program()).args(program.get_args()).current_dir(stage.root()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let shown =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{shown}");
    let log = std::fs::read_to_string(log).unwrap();
    let is_address = |line: &&str| line.contains("sa_family=AF_INET") || line.contains("bus");
    log.lines().filter(is_address).map(ToOwned::to_owned).collect()
}

#[test]
fn nothing_is_contacted_that_was_not_configured() {
    if !has("strace") {
        return;
    }
    let tried = std::process::Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        skip("strace may not trace here");
        return;
    }
    let stage = Stage::of_example("notes-python");
    let fix =
        ["fix", "SQL injection in the login endpoint", "--yes", "--test", "true", "--output-format", "json"];
    assert_eq!(reached(&stage, &fix, 0), Vec::<String>::new());
    let turns = vec![Turn::call("bash", json!({"command": "true"})), Turn::text("Done.")];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::empty().env(&server.environment());
    let run = ["run", "x", "--model", "openai/scripted", "--yes", "--output-format", "json"];
    let addresses = reached(&stage, &run, 0);
    let port = format!("htons({})", server.host().rsplit(':').next().unwrap());
    assert!(!addresses.is_empty());
    for address in addresses {
        assert!(address.contains(&port) && address.contains("\"127.0.0.1\""), "{address}");
    }
}

#[test]
fn works_where_there_is_no_network_at_all() {
    let alone = |program: &[&str]| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-r", "-n"]).args(program);
        command
    };
    if !has("unshare") {
        return;
    }
    if !alone(&["true"]).output().is_ok_and(|output| output.status.success()) {
        skip("no namespace without a network can be made here");
        return;
    }
    let stage = Stage::of_example("notes-python");
    let args =
        ["fix", "SQL injection in the login endpoint", "--yes", "--test", "true", "--output-format", "json"];
    let program = stage.command(&args);
    let mut command = alone(&[env!("CARGO_BIN_EXE_agent")]);
    command.args(args).current_dir(stage.root()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["status"], output.status.code()), (&json!("fixed"), Some(0)), "{result}");
}
