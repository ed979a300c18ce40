//! The command line as its users meet it: exit codes, forms of output, errors that say what next.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::stage::Stage;
use serde_json::Value;

#[test]
fn an_unknown_subcommand_exits_2() {
    let stage = Stage::empty();
    for args in [&["audit"][..], &["fix"], &["run", "x", "--colour"], &["run", "x", "--max-turns", "0"], &[]]
    {
        let run = stage.agent(args).exits(2);
        assert!(!run.stderr.is_empty());
    }
}

#[test]
fn says_its_version_and_explains_its_exit_codes() {
    let stage = Stage::empty();
    assert!(stage.agent(&["--version"]).exits(0).stdout.starts_with("agent "));
    assert!(stage.agent(&["--help"]).exits(0).stdout.contains("Exit codes"));
}

#[test]
fn what_it_cannot_do_is_an_honest_answer_with_its_own_exit_code() {
    let stage = Stage::with(&[("app.py", "print('x')\n")]);
    for args in [["run", "add OAuth login"], ["fix", "add OAuth login"]] {
        let run = stage.agent(&[&args[..], &["--yes", "--output-format", "json"]].concat()).exits(8);
        let result = run.result();
        assert_eq!(result["status"], "blocked");
        let summary = result["summary"].as_str().unwrap();
        assert!(summary.contains("--model") && summary.contains("OPENAI_API_KEY"), "{summary}");
    }
}

#[test]
fn an_audit_is_handed_over() {
    let stage = Stage::empty();
    for words in ["Audit this service for compliance", "Write a threat model of the login"] {
        for args in [["run", words], ["fix", words]] {
            let run = stage.agent(&[&args[..], &["--yes", "--output-format", "json"]].concat()).exits(8);
            let result = run.result();
            assert_eq!(result["status"], "blocked");
            assert_eq!(result["hand_over"]["to"], "security-auditor", "{run}");
            assert_eq!(result["hand_over"]["request"], words, "{run}");
        }
    }
}

#[test]
fn a_result_comes_last_whatever_happens() {
    let cases: &[(&[&str], i32)] = &[
        (&["run", "fix the sql injection", "--yes"], 0),
        (&["run", "x", "--model", "openai/m"], 9),
        (&["run", "x", "--model", "nobody/m"], 2),
        (&["run", "x", "--workspace", "/no/such/folder"], 4),
        (&["resume", "0199aaaa-0000-7000-8000-000000000000"], 4),
        (&["resume"], 4),
        (&["fix", "./no-such-file.md"], 4),
        (&["fix", "  "], 2),
    ];
    for (args, code) in cases {
        let stage = Stage::empty();
        let file = stage.home().join("result.json");
        let path = file.display().to_string();
        let run = stage
            .agent(&[args, &["--output-format", "stream-json", "--result", &path][..]].concat())
            .exits(*code);
        let lines = run.lines();
        let last = lines.last().unwrap();
        assert_eq!(last["type"], "result", "{args:?}: {run}");
        assert!(lines.iter().rev().skip(1).all(|line| line["type"] != "result"));
        assert!(
            lines
                .iter()
                .enumerate()
                .all(|(at, line)| line["seq"] == at && line["v"] == 1 && line["ts"].is_string())
        );
        let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(written["status"], last["status"]);
        assert!(!written["summary"].as_str().unwrap().is_empty(), "{args:?}");
    }
}

#[test]
fn piped_output_is_plain() {
    let stage = Stage::of_example("notes-python");
    let run =
        stage.agent(&["fix", "SQL injection in the login endpoint", "--yes", "--test", "true"]).exits(0);
    assert!(!run.stdout.contains('\u{1b}'), "no escape sequences");
    for part in
        ["+++ b/notes/accounts.py", "What was wrong", "What changed", "What is proven", "CWE-89", "passed"]
    {
        assert!(run.stdout.contains(part), "{part}: {run}");
    }
}

#[test]
fn scan_speaks_text_json_and_sarif() {
    let stage = Stage::of_example("notes-python");
    let text = stage.agent(&["scan"]).exits(0).stdout;
    assert!(text.contains("CWE-89") && text.contains("```diff"), "{text}");
    let sarif: Value = stage.agent(&["scan", "--output-format", "sarif"]).exits(0).result();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(!sarif["runs"][0]["results"].as_array().unwrap().is_empty());
    let one =
        stage.agent(&["scan", "notes/accounts.py", "--family", "sql-injection", "--output-format", "json"]);
    let one = one.exits(0).result();
    assert!(one.as_array().unwrap().iter().all(|f| f["path"] == "notes/accounts.py"), "{one}");
    assert!(!one.as_array().unwrap().is_empty());
    stage.agent(&["scan", "--fail-on-findings"]).exits(6);
    stage.agent(&["scan", "--family", "nonsense"]).exits(2);
    stage.agent(&["scan", "no-such-folder"]).exits(4);
}

#[test]
fn tells_what_the_model_is_told() {
    let tools = Stage::empty().agent(&["tools"]).exits(0).result();
    let names: Vec<&str> =
        tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    for name in ["write", "edit", "bash", "patch", "read", "grep", "glob", "list", "webfetch", "scan"] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn doctor_says_what_works_and_why_not() {
    let stage = Stage::empty().env(&[("OPENAI_API_KEY", "FAKE-key-canary")]);
    let run = stage.agent(&["doctor"]).exits(0);
    assert!(run.stdout.contains("sandbox") && run.stdout.contains("OPENAI_API_KEY"), "{run}");
    assert!(!run.stdout.contains("FAKE-key-canary"));
    let seen = stage.agent(&["doctor", "--output-format", "json", "--model", "nobody/m"]).exits(1).result();
    assert_eq!(seen["ok"], false);
}

#[test]
fn prints_completions_and_a_manual_page() {
    let stage = Stage::empty();
    for shell in ["bash", "zsh", "fish"] {
        assert!(stage.agent(&["completions", shell]).exits(0).stdout.contains("agent"));
    }
    assert!(stage.agent(&["man"]).exits(0).stdout.contains(".TH agent"));
}

#[test]
fn a_bad_definition_names_file_and_line() {
    let stage = Stage::with(&[("bad.md", "---\nname: x\ntools: [read\n---\nbody\n")]);
    let run = stage.agent(&["run", "x", "--agent", "bad.md"]).exits(2);
    assert!(run.stderr.contains("bad.md"), "{run}");
}

#[test]
fn a_definition_decides_which_tools_are_offered() {
    let stage = Stage::with(&[(
        "reader.md",
        "---\nname: reader\ndescription: looks\ntools: Read, Grep\n---\nLook.\n",
    )]);
    let run = stage.agent(&[
        "run",
        "fix the sql injection",
        "--agent",
        "reader.md",
        "--yes",
        "--output-format",
        "json",
    ]);
    let run = run.exits(8);
    assert!(run.result()["summary"].as_str().unwrap().contains("edit"), "{run}");
}
