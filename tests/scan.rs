//! The scanner on whole folders: what it finds in the Python example, and that the fixed example still works.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says where"
)]
#![allow(clippy::disallowed_methods, reason = "the tests run python3 and change copies of their own")]

mod house;

use agent::finding::{Family, Finding};
use agent::scan::{Filter, Scanner};
use agent::workspace::Workspace;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn scan(folder: &Path) -> Vec<Finding> {
    let workspace = Workspace::open(folder).unwrap();
    Scanner::new().scan(&workspace, &Filter::default()).findings
}

/// Applies one fix after the other until none is left; gives what has no fix.
#[allow(clippy::disallowed_methods, reason = "a test changes its own copy")]
fn fix_all(folder: &Path) -> Vec<Finding> {
    for _ in 0..40 {
        let findings = scan(folder);
        let Some(finding) = findings.iter().find(|finding| finding.fix.is_some()) else {
            return findings;
        };
        let path = folder.join(&finding.path);
        let text = std::fs::read_to_string(&path).unwrap();
        let fixed = finding.fix.as_ref().and_then(|fix| fix.apply(&text)).expect("the edits fit");
        assert_ne!(fixed, text);
        std::fs::write(&path, fixed).unwrap();
    }
    panic!("fixes do not come to an end");
}

#[test]
fn finds_every_planted_weakness_of_the_python_example() {
    let findings = scan(&example("notes-python"));
    let families: BTreeSet<Family> = findings.iter().map(|finding| finding.family).collect();
    let shown: Vec<String> = findings
        .iter()
        .map(|f| {
            format!(
                "{} {}:{} {:?} fix={} {:?}",
                f.rule,
                f.path,
                f.span.line,
                f.within,
                f.fix.is_some(),
                f.why_no_fix
            )
        })
        .collect();
    if std::env::var("SHOW").is_ok() {
        eprintln!("{}", shown.join("\n"));
    }
    assert_eq!(families.len(), 7, "{}", shown.join("\n"));
}

#[test]
fn the_fixed_python_example_passes_its_tests_and_stays_silent() {
    let python = std::process::Command::new("python3").arg("--version").output();
    if python.is_err() {
        house::stage::skip("there is no python3 on this machine");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    copy(&example("notes-python"), temp.path());
    let left = fix_all(temp.path());
    if std::env::var("SHOW").is_ok() {
        let diff = std::process::Command::new("diff")
            .args(["-ru"])
            .arg(example("notes-python"))
            .arg(temp.path())
            .output()
            .unwrap();
        eprintln!("{}", String::from_utf8_lossy(&diff.stdout));
    }
    assert!(left.is_empty(), "{left:#?}");
    let run = std::process::Command::new("python3")
        .args(["-m", "unittest", "discover", "-s", "tests", "-t", "."])
        .current_dir(temp.path())
        .env("NOTES_SIGNING_KEY", "FAKE-test-canary")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_second_scan_sees_what_an_edit_did_to_those_who_import_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| std::fs::write(folder.path().join(path), text).unwrap();
    let safe = "import shlex\n\n\ndef clean(text):\n    return shlex.quote(text)\n";
    put("words.py", safe);
    put(
        "app.py",
        "import os\nfrom flask import Flask, request\nfrom words import clean\n\napp = Flask(__name__)\n\n\n\
         @app.route('/x')\ndef x():\n    os.system('id ' + clean(request.args['x']))\n    return 'ok'\n",
    );
    put("other.py", "VALUE = 1\n");
    let workspace = Workspace::open(folder.path()).unwrap();
    let scanner = Scanner::new();
    let count = || scanner.scan(&workspace, &Filter::default()).findings.len();
    assert_eq!(count(), 0);
    put("other.py", "VALUE = 2\n");
    assert_eq!(count(), 0, "an edit that nothing depends on");
    put("words.py", "def clean(text):\n    return text.strip()\n");
    assert_eq!(count(), 1, "the sanitiser is gone");
    assert_eq!(count(), 1, "nothing changed");
    put("words.py", safe);
    assert_eq!(count(), 0, "the sanitiser is back");
    put("shlex.py", "def quote(text):\n    return text\n");
    assert_eq!(count(), 1, "a new file is what the import leads to");
}

/// Shows what is found in a folder of one's own: `SCAN_FOLDER=… cargo test --test scan shows -- --nocapture`.
#[test]
fn shows_a_folder_of_ones_own() {
    let Ok(folder) = std::env::var("SCAN_FOLDER") else { return };
    let workspace = Workspace::open(Path::new(&folder)).unwrap();
    let begin = std::time::Instant::now();
    let scan = Scanner::new().scan(&workspace, &Filter::default());
    eprintln!(
        "{} findings, {} files, {:?}, skipped {:?}",
        scan.findings.len(),
        scan.files,
        begin.elapsed(),
        scan.skipped
    );
    for finding in &scan.findings {
        let text = std::fs::read_to_string(Path::new(&folder).join(&finding.path)).unwrap();
        eprintln!("{}", agent::finding::listing::render(finding, &text));
    }
}

#[test]
fn a_baseline_leaves_only_what_is_new() {
    let weak =
        "import os\nfrom flask import request\n\n\ndef x():\n    os.system('id ' + request.args['x'])\n";
    let stage = house::stage::Stage::with(&[("app.py", weak)]);
    let run = stage.agent(&["scan", "--write-baseline", "known.json", "--fail-on-findings"]).exits(6);
    assert!(run.stdout.contains("1 findings"), "{run}");
    let known = ["scan", "--baseline", "known.json", "--fail-on-findings"];
    // Lines that come before do not make it another finding.
    stage.write("app.py", &format!("# a licence\n\n\n{weak}"));
    let run = stage.agent(&known).exits(0);
    assert!(run.stdout.contains("0 new findings in 1 files; known 1 of known.json: 0 gone"), "{run}");
    stage.write("app.py", &format!("{weak}\n\ndef y():\n    os.popen('w ' + request.args['y'])\n"));
    let run = stage.agent(&[&known[..], &["--output-format", "json"]].concat()).exits(6);
    assert_eq!(run.result().as_array().unwrap().len(), 1, "{run}");
    assert_eq!(run.result()[0]["within"], "y");
    stage.write("app.py", "x = 1\n");
    let run = stage.agent(&known).exits(0);
    assert!(run.stdout.contains("1 gone"), "{run}");
    let run = stage.agent(&["scan", "--baseline", "app.py"]).exits(4);
    assert!(run.stderr.contains("no baseline") && run.stderr.contains("--write-baseline"), "{run}");
}

#[test]
fn a_comment_sets_a_finding_aside_only_with_its_rule_and_a_reason() {
    let check = |comment: &str, expected: usize| {
        let code = format!(
            "import os\nfrom flask import request\n\n\ndef x():\n    {comment}\n    os.system('id ' + request.args['x'])\n"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.py"), code).unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let scan = Scanner::new().scan(&workspace, &Filter::default());
        assert_eq!(scan.findings.len(), expected, "{comment}");
        assert_eq!(scan.suppressed.len(), 1 - expected, "{comment}");
    };
    check("# agent: ignore[python-command-injection] only we can reach this", 0);
    check("# agent: ignore[python-sql-injection, python-command-injection] lab code", 0);
    check("# agent: ignore[python-command-injection]", 1);
    check("# agent: ignore[python-command-injection] !!", 1);
    check("# agent: ignore[python-sql-injection] another rule", 1);
    check("# agent: ignore", 1);
}

#[test]
fn rules_families_and_severities_can_be_chosen() {
    let code = "import os, pickle, yaml\nfrom flask import request\n\n\ndef x():\n    os.system('id ' + request.args['x'])\n    \
                yaml.load(request.data, Loader=yaml.Loader)\n    return pickle.loads(request.data)\n";
    let stage = house::stage::Stage::with(&[("app.py", code)]);
    let count = |words: &[&str]| {
        let args = [&["scan", "--output-format", "json"], words].concat();
        stage.agent(&args).exits(0).result().as_array().unwrap().len()
    };
    assert_eq!(count(&[]), 3);
    assert_eq!(count(&["--rule", "python-command-injection"]), 1);
    assert_eq!(count(&["--family", "unsafe-deserialization"]), 2);
    assert_eq!(count(&["--family", "sql-injection", "--family", "command-injection"]), 1);
    assert_eq!(count(&["--severity", "critical"]), 2);
    let run = stage.agent(&["scan", "--rule", "python-none"]).exits(2);
    assert!(run.stderr.contains("no such rule"), "{run}");
}

#[test]
fn what_is_kept_from_scan_to_scan_is_what_a_new_scanner_finds() {
    let temp = tempfile::tempdir().unwrap();
    copy(&example("notes-python"), temp.path());
    let workspace = Workspace::open(temp.path()).unwrap();
    let scanner = Scanner::new();
    let compare = |step: &str| {
        let kept = scanner.scan(&workspace, &Filter::default()).findings;
        let fresh = Scanner::new().scan(&workspace, &Filter::default()).findings;
        assert_eq!(kept, fresh, "{step}");
    };
    compare("at first");
    let paths: BTreeSet<String> = scan(temp.path()).into_iter().map(|finding| finding.path).collect();
    for path in &paths {
        let file = temp.path().join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("# moved\n{text}")).unwrap();
        compare(&format!("{path} moved by a line"));
        let finding =
            scan(temp.path()).into_iter().find(|finding| finding.path == *path && finding.fix.is_some());
        if let Some(fixed) =
            finding.and_then(|finding| finding.fix.unwrap().apply(&std::fs::read_to_string(&file).unwrap()))
        {
            std::fs::write(&file, fixed).unwrap();
            compare(&format!("{path} fixed in one place"));
        }
        std::fs::write(&file, "import sqlite3\n").unwrap();
        compare(&format!("{path} emptied"));
        std::fs::write(&file, text).unwrap();
    }
    compare("as it was");
    std::fs::write(
        temp.path().join("another.py"),
        "import os\nfrom flask import request\n\n\ndef x():\n    os.system(request.args['x'])\n",
    )
    .unwrap();
    compare("a new file");
}
