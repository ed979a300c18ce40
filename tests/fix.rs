//! The main job on real backends: find, change, test, scan again, report; with no key and no network.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::stage::{Run, Stage, has, skip};
use std::collections::BTreeSet;
use std::path::Path;

/// The seven families, as an issue names them.
const FAMILIES: &[(&str, &str)] = &[
    ("SQL injection", "sql-injection"),
    ("OS command injection", "command-injection"),
    ("path traversal", "path-traversal"),
    ("hard-coded secret", "hardcoded-secret"),
    ("weak password hashing", "weak-password-hash"),
    ("unsafe deserialisation", "unsafe-deserialization"),
    ("error details sent to the client", "error-disclosure"),
];

fn has_node() -> bool {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders-node/node_modules");
    has("node")
        && has("npm")
        && (modules.is_dir() || skip("examples/orders-node: run `npm ci --ignore-scripts` there"))
}

fn fix(stage: &Stage, issue: &str) -> Run {
    stage.agent(&["fix", issue, "--yes", "--output-format", "json"])
}

fn families_found(stage: &Stage) -> BTreeSet<String> {
    let findings = stage.agent(&["scan", "--output-format", "json"]).exits(0).result();
    findings.as_array().unwrap().iter().map(|f| f["family"].as_str().unwrap().to_owned()).collect()
}

/// Every changed line of a diff lies in a hunk; every other line of every file is as it was.
fn untouched_lines_are_identical(
    before: &std::collections::BTreeMap<String, String>,
    after: &std::collections::BTreeMap<String, String>,
    changed: &BTreeSet<String>,
) {
    for (path, text) in before {
        if !changed.contains(path) {
            assert_eq!(after.get(path), Some(text), "{path} was not reported as changed");
            continue;
        }
        let new: Vec<&str> = after[path].split_inclusive('\n').collect();
        let old: Vec<&str> = text.split_inclusive('\n').collect();
        let kept = old.iter().filter(|line| new.contains(line)).count();
        assert!(kept * 10 >= old.len() * 6, "{path}: only {kept} of {} lines were kept", old.len());
    }
}

fn closes_every_planted_weakness(example: &str) {
    for (words, name) in FAMILIES {
        let stage = Stage::of_example(example);
        assert!(families_found(&stage).contains(*name), "{example} has a planted {name}");
        let before = stage.tree();
        let run = fix(&stage, &format!("Close the {words}")).exits(0);
        let result = run.result();
        assert_eq!(result["status"], "fixed", "{example} {name}: {run}");
        for gate in result["verification"].as_array().unwrap() {
            assert_eq!(gate["status"], "passed", "{example} {name}: {run}");
        }
        assert!(!families_found(&stage).contains(*name), "{example}: {name} is gone");
        let changed: BTreeSet<String> = result["files"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["path"].as_str().unwrap().to_owned())
            .collect();
        assert!(!changed.is_empty());
        untouched_lines_are_identical(&before, &stage.tree(), &changed);
        let fixed = stage.tree();
        let again = fix(&stage, &format!("Close the {words}")).exits(0);
        assert_eq!(again.result()["status"], "no_change", "{example} {name}: {again}");
        assert_eq!(stage.tree(), fixed, "a second run changes nothing");
    }
}

/// Exploits that know nothing of the scanner: every one of them must fail on the fixed backend.
#[allow(clippy::disallowed_methods, reason = "the test plays the attacker")]
fn no_attack_gets_through(stage: &Stage) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks/notes_python.py");
    let attack = std::process::Command::new("python3").arg(script).arg(stage.root()).output().unwrap();
    let said =
        String::from_utf8_lossy(&attack.stdout).into_owned() + &String::from_utf8_lossy(&attack.stderr);
    assert_eq!(attack.status.code(), Some(0), "{said}");
}

#[test]
fn closes_every_planted_weakness_of_the_python_backend() {
    if has("python3") {
        closes_every_planted_weakness("notes-python");
    }
}

#[test]
fn closes_every_planted_weakness_of_the_node_backend() {
    if has_node() {
        closes_every_planted_weakness("orders-node");
    }
}

#[test]
fn closes_everything_at_once() {
    for example in ["notes-python", "orders-node"] {
        let ready = if example == "orders-node" { has_node() } else { has("python3") };
        if !ready {
            continue;
        }
        let stage = Stage::of_example(example);
        let run = fix(&stage, "Fix all vulnerabilities").exits(0);
        assert_eq!(run.result()["status"], "fixed", "{run}");
        assert_eq!(families_found(&stage), BTreeSet::new(), "{example}: nothing is left");
        if example == "notes-python" {
            no_attack_gets_through(&stage);
        }
    }
}

#[test]
fn fixes_only_the_place_the_issue_names() {
    if !has("python3") {
        return;
    }
    let stage = Stage::of_example("notes-python");
    let run = fix(&stage, "SQL injection in the login endpoint").exits(0);
    let files: Vec<_> = run.result()["files"].as_array().unwrap().iter().map(|f| f["path"].clone()).collect();
    assert_eq!(files, ["notes/accounts.py"], "{run}");
    assert!(families_found(&stage).contains("sql-injection"), "the other place is another issue");
}

#[test]
fn reads_the_issue_from_a_file_and_from_standard_input() {
    if !has("python3") {
        return;
    }
    let stage = Stage::of_example("notes-python");
    stage.write(
        "issue.md",
        "# Login is injectable\n\nSQL injection in the login endpoint, see notes/accounts.py\n",
    );
    let run = stage.agent(&["fix", "issue.md", "--yes", "--output-format", "json"]).exits(0);
    assert_eq!(run.result()["status"], "fixed", "{run}");
    let stage = Stage::of_example("notes-python");
    let input = Some("path traversal in attachments");
    let run = stage.agent_with_input(&["fix", "-", "--yes", "--output-format", "json"], input).exits(0);
    assert_eq!(run.result()["status"], "fixed", "{run}");
}

#[test]
fn a_failing_test_after_the_change_is_not_fixed() {
    if !has("python3") {
        return;
    }
    let stage = Stage::of_example("notes-python");
    // Passes before, fails once the file is touched.
    stage.write("check.sh", "grep -q 'f\"SELECT' notes/accounts.py\n");
    let run = stage.agent(&[
        "fix",
        "SQL injection in login",
        "--yes",
        "--output-format",
        "json",
        "--test",
        "sh check.sh",
    ]);
    let run = run.exits(6);
    let result = run.result();
    assert_eq!(result["status"], "not_fixed");
    let behaviour =
        result["verification"].as_array().unwrap().iter().find(|g| g["name"] == "behaviour").unwrap();
    assert_eq!(behaviour["status"], "failed");
}

#[test]
fn a_missing_toolchain_is_unknown_and_said() {
    let stage = Stage::of_example("notes-python");
    let run = stage
        .agent(&[
            "fix",
            "SQL injection in login",
            "--yes",
            "--output-format",
            "json",
            "--test",
            "no-such-runner",
        ])
        .exits(10);
    let result = run.result();
    assert_eq!(result["status"], "fixed_unverified");
    assert!(run.stdout.contains("no-such-runner"));
}

#[test]
fn without_a_yes_nothing_is_changed_headless() {
    let stage = Stage::of_example("notes-python");
    let before = stage.tree();
    let run = stage.agent(&["fix", "SQL injection in login", "--output-format", "json"]);
    assert_eq!(stage.tree(), before);
    assert!(run.stdout.contains("--yes"), "{run}");
    assert!(matches!(run.code, Some(5 | 8)), "{run}");
}
