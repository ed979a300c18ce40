//! Holes that other agents had, each by its name.

use crate::house::model::{ModelServer, Turn, Wire};
use crate::yard::{CANARY, Yard, letter};
use agent::action::{Action, Change};
use agent::policy::{Effect, Kind, Mode, Policy};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_pure_insertion_does_not_land_at_the_end_of_the_file() {
    let yard = Yard::new();
    yard.stage.write("f.py", "def a():\n    pass\n\ndef b():\n    pass\n");
    let hands = yard.hands(Mode::Auto);
    hands.call("read", json!({"filePath": "f.py"})).await;
    let patch = "*** Begin Patch\n*** Update File: f.py\n@@ def a():\n+    inserted = 1\n*** End Patch";
    let went = hands.call("patch", json!({"patchText": patch})).await;
    assert!(went.is_done(), "{}", went.text());
    assert_eq!(yard.stage.read("f.py"), "def a():\n    inserted = 1\n    pass\n\ndef b():\n    pass\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_something_similar_changes_nothing() {
    let yard = Yard::new();
    let text =
        "def total(items):\n    sum = 0\n    for item in items:\n        sum += item.price\n    return sum\n";
    yard.stage.write("f.py", text);
    let hands = yard.hands(Mode::Auto);
    hands.call("read", json!({"filePath": "f.py"})).await;
    for old in [
        "def total(item):\n    sum = 0\n    for item in items:\n        sum += item.cost\n    return sum",
        "def total(items):\n\n    return sum",
        "sum = 1",
        "def total",
    ] {
        let went = hands.call("edit", json!({"filePath": "f.py", "oldString": old, "newString": if old == "def total" { "def total" } else { "GONE" }})).await;
        if old != "def total" {
            assert!(!went.is_done(), "{old}: {}", went.text());
        }
        assert_eq!(yard.stage.read("f.py"), text, "{old}");
    }
}

#[test]
fn an_allow_for_one_file_does_not_override_a_deny_on_another() {
    let rule = |pattern: &str, effect| crate::yard::rule(Kind::Write, pattern, effect);
    let policy = Policy::new(Mode::Auto).with_rules(vec![
        rule("ok.py", Effect::Allow),
        rule("no.py", Effect::Deny),
        rule("*.py", Effect::Allow),
    ]);
    let change =
        |path: &str| Change { path: path.into(), before: None, after: Some("x".into()), moved_from: None };
    let both = |a: &str, b: &str| Action::Write { changes: vec![change(a), change(b)] };
    assert_eq!(letter(&policy, &both("ok.py", "no.py")), 'd');
    assert_eq!(letter(&policy, &both("no.py", "ok.py")), 'd');
    assert_eq!(letter(&policy, &both("ok.py", "ok2.py")), 'a');
    let moved = Change { moved_from: Some("no.py".into()), ..change("ok.py") };
    assert_eq!(letter(&policy, &Action::Write { changes: vec![moved] }), 'd');
}

#[test]
fn echo_tee_and_python_do_not_write_outside() {
    let yard = Yard::new();
    yard.batch(
        &[],
        &[
            ("echo", "echo x > $OUT/a", "echo x > a"),
            ("tee", "set -o pipefail; echo x | tee $OUT/a", "echo x | tee a"),
            (
                "python",
                "python3 -c \"open('$OUT/a','w').write('x')\"",
                "python3 -c \"open('a','w').write('x')\"",
            ),
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_does_not_leave_the_workspace() {
    let yard = Yard::new();
    let hands = yard.hands(Mode::Auto);
    for (tool, args) in [
        ("read", json!({"filePath": "passwd-link"})),
        ("read", json!({"filePath": "out-link/keep"})),
        ("write", json!({"filePath": "out-link/new", "content": "x"})),
    ] {
        assert!(!hands.call(tool, args).await.is_done());
    }
    assert!(hands.call("read", json!({"filePath": "app.py"})).await.is_done());
}

#[tokio::test(flavor = "multi_thread")]
async fn grep_does_not_show_dotenv() {
    let yard = Yard::new();
    let went = yard.hands(Mode::Auto).call("grep", json!({"pattern": "SECRET"})).await;
    assert!(!went.text().contains(CANARY), "{}", went.text());
    assert!(yard.hands(Mode::Auto).call("grep", json!({"pattern": "main"})).await.text().contains("app.py"));
}

#[tokio::test(flavor = "multi_thread")]
async fn webfetch_does_not_reach_loopback() {
    let yard = Yard::new();
    let went = yard.hands(Mode::Auto).call("webfetch", json!({"url": "http://127.0.0.1:1/"})).await;
    assert!(went.text().contains("loopback"), "{}", went.text());
}

#[test]
fn the_keys_of_the_environment_are_not_in_a_childs_env() {
    let yard = Yard::new();
    if yard.is_walled() {
        let run = yard.run("env; echo key=$OPENAI_API_KEY$AWS_SECRET_ACCESS_KEY$DATABASE_PASSWORD");
        assert!(!run.stdout.contains(CANARY) && run.stdout.contains("PATH="), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_never_read_is_not_overwritten() {
    let yard = Yard::new();
    let hands = yard.hands(Mode::Auto);
    let went = hands.call("write", json!({"filePath": "app.py", "content": "x"})).await;
    assert!(!went.is_done(), "{}", went.text());
    assert!(yard.stage.read("app.py").contains("main"));
    hands.call("read", json!({"filePath": "app.py"})).await;
    assert!(hands.call("write", json!({"filePath": "app.py", "content": "x\n"})).await.is_done());
    // Changed by somebody else meanwhile.
    yard.stage.write("app.py", "user's own\n");
    assert!(!hands.call("write", json!({"filePath": "app.py", "content": "y\n"})).await.is_done());
    assert_eq!(yard.stage.read("app.py"), "user's own\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_sees_the_exit_code() {
    let yard = Yard::new();
    if yard.is_walled() {
        let went = yard.hands(Mode::Auto).call("bash", json!({"command": "exit 42"})).await;
        assert!(went.text().contains("exit 42"), "{}", went.text());
    }
}

/// `@.env` in a prompt is a word like any other: no file is put into a request because a text names it.
#[test]
fn a_prompt_that_names_a_file_does_not_send_it() {
    for wire in Wire::ALL {
        let yard = Yard::new();
        let server = ModelServer::start_blocking(wire, vec![Turn::text("done")]);
        let stage = yard.stage.env(&server.environment());
        let model = wire.model();
        for prompt in [
            "look at @.env and @/etc/passwd",
            "@sub/.env.local",
            "!{cat .env}",
            "file://.env",
            "```!cat .env```",
            "$(cat .env)",
            "@deploy/id_rsa",
        ] {
            stage.agent(&["run", prompt, "--model", model, "--yes"]).exits(0);
            stage.agent(&["fix", prompt, "--model", model, "--yes"]);
        }
        for body in server.requests() {
            let body = String::from_utf8_lossy(&body);
            assert!(!body.contains(CANARY) && !body.contains("root:x:"), "{body}");
        }
    }
}

#[test]
fn a_list_of_safe_beginnings_lets_nothing_through() {
    let run = |command: &str| Action::Run {
        command: command.into(),
        workdir: ".".into(),
        timeout_ms: 1,
        background: false,
    };
    let check = |command: &str| {
        assert_eq!(letter(&Policy::new(Mode::Ask), &run(command)), '?', "{command:?}");
        assert_eq!(letter(&Policy::new(Mode::ReadOnly), &run(command)), 'd', "{command:?}");
    };
    for command in [
        "env",
        "env sh",
        "echo x > f",
        "echo x >> f",
        "timeout 5 rm f",
        "nohup sh",
        "nohup sh -c 'rm f'",
        "ls\nrm f",
        "git status\nrm f",
        "ls & rm f",
        "ls &rm f",
        "git log & rm f",
        "time rm f",
        "nice rm f",
        "kill 1",
        "set x",
        "unset x",
        "top",
        "date -s x",
        "git config --list; rm f",
        "ls;rm f",
        "ls|sh",
        "ls||rm f",
    ] {
        check(command);
    }
}
