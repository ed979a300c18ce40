//! The scope gate: only what the issue needs was touched, and nothing that holds the project to account
//! was weakened.

use super::{After, Gate, Status, gate};
use crate::action::Change;
use crate::policy::paths::{Class, class};

/// Comments that silence a scanner.
const SILENCERS: &[&str] = &[
    "agent: ignore",
    "nosec",
    "nosemgrep",
    "noqa: s",
    "eslint-disable",
    "codeql[",
    "lgtm[",
    "@suppresswarnings",
];

/// Marks that skip a test.
const SKIPS: &[&str] = &[
    "@unittest.skip",
    "pytest.mark.skip",
    "pytest.mark.xfail",
    "pytest.skip(",
    "self.skiptest(",
    ".skip(",
    "it.todo(",
    "test.todo(",
    "xit(",
    "xdescribe(",
    "#[ignore",
    "t.skip(",
    "@disabled",
    "@ignore",
];

/// Files that pin what is installed.
const LOCKS: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pipfile.lock",
    "uv.lock",
    "cargo.lock",
    "go.sum",
    "composer.lock",
    "gemfile.lock",
];

/// Judges what changed.
pub(super) fn judge(issue: &str, after: &After) -> Gate {
    let faults: Vec<String> = after.changes.iter().flat_map(|change| faults(issue, change)).collect();
    if !faults.is_empty() {
        return gate("scope", Status::Failed, faults.join("; "));
    }
    let outside = |path: &&String| class(path) != Class::Plain || is_test(path) || is_lock(path);
    let wrong: Vec<&String> = after.by_commands.iter().filter(outside).collect();
    if !wrong.is_empty() {
        return gate("scope", Status::Failed, format!("a command changed: {}", join(&wrong)));
    }
    if !after.by_commands.is_empty() {
        let all: Vec<&String> = after.by_commands.iter().collect();
        return gate(
            "scope",
            Status::Unknown,
            format!("commands changed files that were not previewed: {}", join(&all)),
        );
    }
    let paths: Vec<&String> = after.changes.iter().map(|change| &change.path).collect();
    gate(
        "scope",
        Status::Passed,
        format!("changed: {}; no test, CI definition or lock file was weakened", join(&paths)),
    )
}

fn faults(issue: &str, change: &Change) -> Vec<String> {
    let path = &change.path;
    let mut out = Vec::new();
    let old_path = change.moved_from.as_deref().unwrap_or(path);
    if class(path) != Class::Plain || class(old_path) != Class::Plain {
        out.push(format!("{path} is a settings, secret or CI file"));
    }
    if is_lock(path) && !issue.to_lowercase().contains("dependenc") {
        out.push(format!("{path} pins dependencies, and the issue does not ask for that"));
    }
    let before = change.before.as_deref().unwrap_or_default();
    let Some(after) = change.after.as_deref() else {
        if is_test(old_path) {
            out.push(format!("{path} is a test and was deleted"));
        }
        return out;
    };
    if change.before.is_some() && is_test(old_path) {
        let checks = |text: &str| text.matches("assert").count() + text.matches("expect(").count();
        if checks(after) < checks(before) || after.lines().count() * 2 < before.lines().count() {
            out.push(format!("{path} is a test and checks less than before"));
        }
    }
    for (marks, what) in [(SILENCERS, "silences a scanner"), (SKIPS, "skips a test")] {
        if what == "skips a test" && !is_test(path) {
            continue;
        }
        let count = |text: &str| {
            let lower = text.to_lowercase();
            marks.iter().map(|mark| lower.matches(mark).count()).sum::<usize>()
        };
        if count(after) > count(before) {
            out.push(format!("{path} now {what}"));
        }
    }
    out
}

/// Whether a path is part of the project's tests.
fn is_test(path: &str) -> bool {
    let lower = path.to_lowercase();
    let file = lower.rsplit('/').next().unwrap_or(&lower);
    let in_folder =
        lower.split('/').any(|part| matches!(part, "test" | "tests" | "__tests__" | "spec" | "specs"));
    in_folder
        || file.starts_with("test_")
        || file == "conftest.py"
        || [".test.", ".spec.", "_test.", "_spec."].iter().any(|mark| file.contains(mark))
        || file.ends_with("test.java")
        || file.ends_with("tests.py")
}

fn is_lock(path: &str) -> bool {
    let lower = path.to_lowercase();
    LOCKS.contains(&lower.rsplit('/').next().unwrap_or(&lower))
}

fn join(paths: &[&String]) -> String {
    paths.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, before: Option<&str>, after: Option<&str>, expected: Status) {
        let change = Change {
            path: path.into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
            moved_from: None,
        };
        let seen = After { findings: vec![], tests: None, changes: vec![change], by_commands: vec![] };
        let gate = judge("SQL injection in login", &seen);
        assert_eq!(gate.status, expected, "{path}: {}", gate.evidence);
    }

    #[test]
    fn fails_what_weakens_the_project() {
        check("app.py", Some("a\n"), Some("b\n"), Status::Passed);
        check("tests/test_new.py", None, Some("assert a\n"), Status::Passed);
        check("tests/test_app.py", Some("assert a\n"), Some("assert a\nassert b\n"), Status::Passed);
        check("tests/test_app.py", Some("assert a\nassert b\n"), Some("assert a\n"), Status::Failed);
        check("tests/test_app.py", Some("assert a\n"), None, Status::Failed);
        check("src/app.test.js", Some("expect(a)\n"), Some("it.skip(1)\nexpect(a)\n"), Status::Failed);
        check("app.py", Some("a\n"), Some("a  # nosec\n"), Status::Failed);
        check("package-lock.json", Some("{}"), Some("{ }"), Status::Failed);
    }

    #[test]
    fn does_not_vouch_for_what_commands_changed() {
        let seen = |paths: &[&str]| After {
            findings: vec![],
            tests: None,
            changes: vec![],
            by_commands: paths.iter().map(|path| (*path).to_owned()).collect(),
        };
        assert_eq!(judge("x", &seen(&["src/app.py"])).status, Status::Unknown);
        assert_eq!(judge("x", &seen(&["tests/test_app.py"])).status, Status::Failed);
    }
}
