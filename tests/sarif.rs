//! SARIF out holds to the schema of the standard; SARIF of other tools in becomes missions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::stage::{Run, Stage};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sarif")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap()
}

fn shop() -> Stage {
    Stage::with(&[("app.py", &read("shop/app.py")), ("main.go", &read("shop/main.go"))])
}

fn check_schema(document: &Value) {
    let schema: Value = serde_json::from_str(&read("sarif-schema-2.1.0.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn fix(stage: &Stage, sample: &str, words: &[&str]) -> Run {
    let file = folder().join(sample);
    let args =
        [&["fix", "--sarif", file.to_str().unwrap(), "--yes", "--output-format", "json"], words].concat();
    stage.agent(&args)
}

fn statuses(run: &Run) -> Vec<(String, String)> {
    let reports = run.result()["reports"].as_array().unwrap().clone();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    reports.iter().map(|one| (word(&one["reported"]["rule"]), word(&one["report"]["status"]))).collect()
}

#[test]
fn what_a_scan_writes_holds_to_the_schema() {
    let stage = shop();
    stage.write("été.py", "import os\nfrom flask import request\n\n\ndef x():\n    é = request.args['x']\n    os.system('é' + é)\n");
    stage.write("big.py", &"x = 1\n".repeat(200_000));
    let baseline = stage.root().join("known.json");
    stage.agent(&["scan", "app.py", "--write-baseline", baseline.to_str().unwrap()]).exits(0);
    let text = stage.read("app.py");
    stage.write(
        "app.py",
        &text.replace(
            "    os.system(",
            "    # agent: ignore[python-command-injection] a trusted lab\n    os.system(",
        ),
    );
    let run =
        stage.agent(&["scan", "--output-format", "sarif", "--baseline", baseline.to_str().unwrap()]).exits(0);
    let document = run.result();
    check_schema(&document);
    let results = document["runs"][0]["results"].as_array().unwrap();
    let of = |rule: &str, path: &str| {
        let found = results.iter().find(|result| {
            let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            result["ruleId"] == rule && uri == path
        });
        found.unwrap_or_else(|| panic!("{rule} in {path}: {run}")).clone()
    };
    let sql = of("python-sql-injection", "app.py");
    assert_eq!(sql["baselineState"], "unchanged");
    assert_eq!(sql["taxa"][0]["id"], "89");
    let steps = sql["codeFlows"][0]["threadFlows"][0]["locations"].as_array().unwrap();
    assert!(steps.len() >= 2, "{sql:#}");
    let change = &sql["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert!(change["deletedRegion"]["startColumn"].is_u64(), "{sql:#}");
    let command = of("python-command-injection", "app.py");
    assert_eq!(command["suppressions"][0]["justification"], "a trusted lab");
    let other = of("python-command-injection", "%C3%A9t%C3%A9.py");
    assert_eq!(other["baselineState"], "new");
    let region = &other["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region["startLine"], &region["startColumn"], &region["endColumn"]),
        (&7.into(), &5.into(), &23.into())
    );
    let rule = &document["runs"][0]["tool"]["driver"]["rules"][0];
    assert!(rule["help"]["markdown"].as_str().unwrap().contains("cwe.mitre.org"));
    let notes = &document["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(notes[0]["message"]["text"].as_str().unwrap().contains("not looked at"), "{notes}");
}

#[test]
fn nothing_found_holds_to_the_schema_too() {
    let run = Stage::with(&[("a.py", "x = 1\n")]).agent(&["scan", "--output-format", "sarif"]).exits(0);
    check_schema(&run.result());
}

#[test]
fn the_samples_are_sarif() {
    for sample in ["codeql", "semgrep", "bandit", "gosec"] {
        check_schema(&serde_json::from_str(&read(&format!("{sample}.sarif"))).unwrap());
    }
}

#[test]
fn what_other_tools_found_is_closed_one_mission_each() {
    for (sample, rules) in [
        ("codeql.sarif", &["py/command-line-injection", "py/sql-injection"][..]),
        ("semgrep.sarif", &["sql-from-request", "os-system-from-request", "unsafe-load"]),
        ("bandit.sarif", &["B605", "B608", "B506"]),
    ] {
        let stage = shop();
        stage.write("notes.txt", "mine, not committed\n");
        let run = fix(&stage, sample, &["--all"]).exits(10);
        let seen = statuses(&run);
        assert_eq!(seen.len(), rules.len(), "{sample}: {run}");
        for ((rule, status), expected) in seen.iter().zip(rules) {
            assert!(rule.ends_with(expected) && status == "fixed_unverified", "{sample} {expected}: {run}");
        }
        let sessions: std::collections::BTreeSet<String> = run.result()["reports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["report"]["session_id"].to_string())
            .collect();
        assert_eq!(sessions.len(), rules.len(), "a mission each");
        let text = stage.read("app.py");
        assert!(text.contains("(name,)") && !text.contains("os.system(\"ping"), "{sample}\n{text}");
        assert_eq!(stage.read("notes.txt"), "mine, not committed\n");
        assert_eq!(stage.read("main.go"), read("shop/main.go"));
        let again = fix(&stage, sample, &["--all"]);
        assert_eq!(stage.read("app.py"), text, "a second run changes nothing: {again}");
    }
}

#[test]
fn one_finding_or_the_severe_ones_can_be_chosen() {
    let stage = shop();
    let run = fix(&stage, "bandit.sarif", &["--id", "B506"]).exits(10);
    assert_eq!(statuses(&run), [("B506".to_owned(), "fixed_unverified".to_owned())]);
    let text = stage.read("app.py");
    assert!(text.contains("SafeLoader") || text.contains("safe_load"), "{text}");
    assert!(text.contains("os.system(\"ping"), "nothing else was asked for");
    let run = fix(&shop(), "bandit.sarif", &["--severity", "high"]).exits(10);
    assert_eq!(statuses(&run), [("B605".to_owned(), "fixed_unverified".to_owned())]);
    let run = fix(&shop(), "codeql.sarif", &["--severity", "critical"]).exits(10);
    assert_eq!(statuses(&run)[0].0, "py/command-line-injection");
}

#[test]
fn without_a_choice_the_findings_are_named() {
    let run = fix(&shop(), "semgrep.sarif", &[]).exits(2);
    assert!(run.stderr.contains("3 open findings") && run.stderr.contains("unsafe-load"), "{run}");
    assert!(run.stderr.contains("--id ID"), "{run}");
    let run = fix(&shop(), "semgrep.sarif", &["--id", "ffffffffffff"]).exits(4);
    assert!(run.stderr.contains("no open finding"), "{run}");
    let run = fix(&shop(), "shop/app.py", &["--all"]).exits(4);
    assert!(run.stderr.contains("no JSON"), "{run}");
    let run = shop().agent(&["fix", "--sarif", "nowhere.sarif", "--all"]).exits(4);
    assert!(run.stderr.contains("nowhere.sarif"), "{run}");
}

#[test]
fn what_our_rules_do_not_see_is_not_called_safe() {
    let stage = shop();
    let run = fix(&stage, "gosec.sarif", &[]).exits(8);
    let result = run.result();
    assert_eq!(result["status"], "blocked");
    assert_eq!(result["reports"][0]["reported"]["cwes"], serde_json::json!([89]));
    let summary = result["reports"][0]["report"]["summary"].as_str().unwrap();
    assert!(summary.contains("--model"), "{run}");
    assert_eq!(stage.read("main.go"), read("shop/main.go"));
}

#[test]
fn text_shows_every_report_and_a_summary() {
    let stage = shop();
    let file = folder().join("bandit.sarif");
    let run = stage.agent(&["fix", "--sarif", file.to_str().unwrap(), "--all", "--yes"]).exits(10);
    assert_eq!(run.stdout.matches("What is proven").count(), 3, "{run}");
    assert!(run.stdout.contains("fixed_unverified") && run.stdout.contains("Bandit B605 CWE-78"), "{run}");
    let result = stage.root().join("result.json");
    let args =
        ["fix", "--sarif", file.to_str().unwrap(), "--all", "--yes", "--result", result.to_str().unwrap()];
    stage.agent(&args);
    let object: Value = serde_json::from_str(&std::fs::read_to_string(result).unwrap()).unwrap();
    assert_eq!(object["reports"].as_array().unwrap().len(), 3);
}
