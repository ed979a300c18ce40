//! The scope gate: only what the contract covers was touched, and nothing that holds the project to account
//! was weakened.

use super::{After, Gate, Status, gate};
use crate::action::Change;
use crate::policy::paths::{Class, class};

/// Comments that silence a scanner.
const SILENCERS: &[&str] = &[
    "agent: ignore",
    "nosec",
    "nosemgrep",
    "noqa",
    "nolint",
    "eslint-disable",
    "codeql[",
    "lgtm[",
    "@suppresswarnings",
    "suppressfbwarnings",
    "nosonar",
    "rubocop:disable",
    "@phpstan-ignore",
    "#pragma warning disable",
    "gitleaks:allow",
];

/// Marks that skip a test.
const SKIPS: &[&str] = &[
    "unittest.skip",
    "@skip",
    "pytest.mark.skip",
    "pytest.mark.xfail",
    "pytest.skip(",
    "pytest.importorskip",
    "expectedfailure",
    "skiptest",
    ".skip(",
    ".todo(",
    ".only(",
    "skip: true",
    "todo: true",
    "xit(",
    "xdescribe(",
    "xtest(",
    "#[ignore",
    "t.skip",
    "@disabled",
    "@ignore",
    "assumetrue(",
    "marktestskipped",
    "marktestincomplete",
    "skip_all",
    "sys.exit(0",
    "process.exit(0",
    "exit 0",
    "|| true",
];

/// Marks that change which tests are run, or end the run, also from a new file.
const TAMPERS: &[&str] = &[
    "collect_ignore",
    "pytest_collection_modifyitems",
    "pytest_ignore_collect",
    "pytest_runtest",
    "os._exit(0",
];

/// Marks in settings that make a runner leave tests out.
const LEFT_OUT: &[&str] = &[
    "--deselect",
    "--ignore",
    "testpathignorepatterns",
    "--passwithnotests",
    "skiptests",
    "maven.test.skip",
    "--exclude",
    "norecursedirs",
    "testignore",
    "|| true",
    "exit 0",
];

/// Files that pin what is installed.
const LOCKS: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "poetry.lock",
    "pipfile.lock",
    "uv.lock",
    "pdm.lock",
    "cargo.lock",
    "go.sum",
    "composer.lock",
    "gemfile.lock",
    "packages.lock.json",
    "gradle.lockfile",
];

/// Files that decide what a scanner sees or says.
const SIGHT: &[&str] = &[
    ".gitignore",
    ".ignore",
    ".agentignore",
    ".semgrepignore",
    ".semgrep.yml",
    ".bandit",
    "bandit.yaml",
    ".snyk",
    ".trivyignore",
    ".gitleaks.toml",
    ".gitleaksignore",
    ".eslintignore",
    "sonar-project.properties",
    ".pylintrc",
    ".flake8",
    ".golangci.yml",
    "brakeman.ignore",
];

/// Words that guard a route or a connection, and words that take a guard away.
const GUARDS: &[&str] = &[
    "login_required",
    "requires_auth",
    "require_auth",
    "requireauth",
    "isauthenticated",
    "permission_required",
    "permission_classes",
    "@preauthorize",
    "@rolesallowed",
    "csrf_protect",
    "before_action :authenticate",
    "[authorize",
];
const UNGUARDS: &[&str] = &[
    "csrf_exempt",
    "allowany",
    "permitall",
    "[allowanonymous",
    "skip_before_action",
    "verify=false",
    "rejectunauthorized: false",
    "insecureskipverify: true",
    "verify_mode = openssl::ssl::verify_none",
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
    held_to_the_contract(after)
}

/// Only files that the contract names were changed, new tests and the check's own files aside.
fn held_to_the_contract(after: &After) -> Gate {
    let mut check: Vec<&String> = after.check.iter().flat_map(|tried| &tried.check.files).collect();
    check.retain(|path| after.changes.iter().any(|change| change.path == **path && change.before.is_none()));
    let files: &[String] = after.contract.as_ref().map_or(&[], |contract| &contract.files_in_scope);
    let is_outside = |change: &&Change| {
        !is_test(&change.path) && !files.contains(&change.path) && !check.contains(&&change.path)
    };
    let outside: Vec<&String> = after.changes.iter().filter(is_outside).map(|change| &change.path).collect();
    let paths: Vec<&String> = after.changes.iter().map(|change| &change.path).collect();
    if outside.is_empty() {
        return gate(
            "scope",
            Status::Passed,
            format!("changed: {}; no test, CI definition or lock file was weakened", join(&paths)),
        );
    }
    let declared = after.contract.as_ref().is_some_and(|contract| contract.declared);
    if declared {
        return gate(
            "scope",
            Status::Failed,
            format!("changed beyond the files the contract names: {}", join(&outside)),
        );
    }
    gate(
        "scope",
        Status::Unknown,
        format!("changed without a contract that names the file before it was edited: {}", join(&outside)),
    )
}

fn faults(issue: &str, change: &Change) -> Vec<String> {
    let path = &change.path;
    let mut out = Vec::new();
    let old_path = change.moved_from.as_deref().unwrap_or(path);
    if class(path) != Class::Plain || class(old_path) != Class::Plain {
        out.push(format!("{path} is a settings, secret or CI file"));
    }
    if is_lock(path) && !speaks_of_dependencies(issue) {
        out.push(format!("{path} pins dependencies, and the issue does not ask for that"));
    }
    if decides_what_is_seen(path) {
        out.push(format!("{path} decides what scanners see"));
    }
    let before = change.before.as_deref().unwrap_or_default();
    let Some(after) = change.after.as_deref() else {
        if is_test(old_path) {
            out.push(format!("{path} is a test and was deleted"));
        }
        return out;
    };
    let count = |marks: &[&str], text: &str| {
        let lower = text.to_lowercase();
        marks.iter().map(|mark| lower.matches(mark).count()).sum::<usize>()
    };
    if change.before.is_some() && is_test(old_path) {
        out.extend(weakened(path, before, after));
    }
    if count(SILENCERS, after) > count(SILENCERS, before) {
        out.push(format!("{path} now silences a scanner"));
    }
    // A new test that is skipped weakens nothing; it only proves nothing.
    let skips = change.before.is_some() && count(SKIPS, after) > count(SKIPS, before);
    if is_test(path) && (skips || count(TAMPERS, after) > count(TAMPERS, before)) {
        out.push(format!("{path} now skips a test"));
    }
    if is_test_setting(path) && count(LEFT_OUT, after) > count(LEFT_OUT, before) {
        out.push(format!("{path} now leaves tests out"));
    }
    if change.before.is_some() && runs_tests_otherwise(path, before, after) {
        out.push(format!("{path} changes how the project's tests are run"));
    }
    if !is_test(path) {
        if count(GUARDS, after) < count(GUARDS, before) {
            out.push(format!("{path} lost a check of who may"));
        }
        if count(UNGUARDS, after) > count(UNGUARDS, before) {
            out.push(format!("{path} now lets through what was guarded"));
        }
    }
    out
}

/// What an existing test no longer holds: its assertions and its names have to stay.
fn weakened(path: &str, before: &str, after: &str) -> Option<String> {
    let asserts = |text: &str| -> Vec<String> {
        let marks = [
            "assert", "expect(", "expect ", ".should", "t.error", "t.fatal", " or die", "is(", "ok(",
            "exit 1",
        ];
        let is_assert = |line: &&str| {
            let lower = line.to_lowercase();
            !lower.starts_with("import ")
                && !lower.starts_with("from ")
                && !lower.contains("require(")
                && !lower.starts_with("use ")
                && marks.iter().any(|mark| lower.contains(mark))
        };
        text.lines().map(str::trim).filter(is_assert).map(ToOwned::to_owned).collect()
    };
    let mut left = asserts(after);
    for line in asserts(before) {
        match left.iter().position(|kept| *kept == line) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => return Some(format!("{path} is a test and no longer asserts `{}`", line.trim())),
        }
    }
    let count = |text: &str| {
        let names = ["def test", "test(", "it(", "@test", "func test", "#[test]", "function test", "subtest"];
        let lower = text.to_lowercase();
        names.iter().map(|name| lower.matches(name).count()).sum::<usize>()
    };
    (count(after) < count(before)).then(|| format!("{path} holds fewer tests than before"))
}

/// Whether the part of a manifest that runs tests has changed.
fn runs_tests_otherwise(path: &str, before: &str, after: &str) -> bool {
    let part = |text: &str| -> String {
        match file_name(path).as_str() {
            "package.json" | "composer.json" => {
                let parsed: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
                let keys = ["scripts", "jest", "mocha", "vitest", "nyc", "c8"];
                keys.map(|key| parsed[key].to_string()).join("\n")
            }
            "makefile" | "gnumakefile" => {
                let lines = text.lines().skip_while(|line| !line.starts_with("test"));
                let mut lines = lines.peekable();
                let first = lines.next().unwrap_or_default().to_owned();
                let recipe = lines.take_while(|line| line.starts_with(['\t', ' ']) || line.trim().is_empty());
                recipe.fold(first, |all, line| all + "\n" + line.trim_end()).trim_end().to_owned()
            }
            "pyproject.toml" | "setup.cfg" | "tox.ini" => {
                sections(text, &["pytest", "coverage", "tox", "testenv"])
            }
            "pytest.ini" | ".mocharc.json" | ".mocharc.yml" | ".rspec" | "phpunit.xml"
            | "phpunit.xml.dist" | "jest.config.js" | "jest.config.ts" | "vitest.config.ts"
            | "vitest.config.js" => text.to_owned(),
            _ => String::new(),
        }
    };
    part(before) != part(after)
}

fn sections(text: &str, names: &[&str]) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with('[') {
            inside = names.iter().any(|name| line.contains(name));
        }
        if inside {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

fn is_test_setting(path: &str) -> bool {
    let name = file_name(path);
    matches!(
        name.as_str(),
        "package.json" | "pyproject.toml" | "setup.cfg" | "tox.ini" | "pytest.ini" | "pom.xml" | "makefile"
    ) || name.starts_with("jest.config")
        || name.starts_with("vitest.config")
        || name.starts_with("build.gradle")
        || name.starts_with("phpunit.xml")
}

/// Whether an issue asks for another version of a dependency.
pub(super) fn speaks_of_dependencies(issue: &str) -> bool {
    let lower = issue.to_lowercase();
    ["dependenc", "cve-", "ghsa-", "pysec-", "rustsec-", "osv-", "lock file", "lockfile", "upgrade"]
        .iter()
        .any(|word| lower.contains(word))
}

/// Whether a path is part of the project's tests.
pub fn is_test(path: &str) -> bool {
    let lower = path.to_lowercase();
    let file = file_name(&lower);
    let in_folder = lower.split('/').rev().skip(1).any(|part| {
        matches!(part, "test" | "tests" | "__tests__" | "spec" | "specs" | "t" | "testing" | "e2e")
    });
    in_folder
        || file.starts_with("test_")
        || file.starts_with("test.")
        || file == "conftest.py"
        || [".test.", ".spec.", "_test.", "_spec."].iter().any(|mark| file.contains(mark))
        || file.ends_with("test.java")
        || file.ends_with("tests.java")
        || file.ends_with("test.php")
        || file.ends_with("tests.py")
        || file.ends_with("tests.cs")
}

fn is_lock(path: &str) -> bool {
    LOCKS.contains(&file_name(path).as_str())
}

fn decides_what_is_seen(path: &str) -> bool {
    let name = file_name(path);
    SIGHT.contains(&name.as_str()) || name.starts_with(".eslintrc") || name.starts_with("eslint.config")
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_lowercase()
}

fn join(paths: &[&String]) -> String {
    paths.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::contract::Contract;

    fn contract(files: &[&str], declared: bool) -> Contract {
        let files_in_scope = files.iter().map(|file| (*file).to_owned()).collect();
        Contract { files_in_scope, declared, ..Contract::default() }
    }

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
        Change {
            path: path.into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
            moved_from: None,
        }
    }

    fn check(path: &str, before: Option<&str>, after: Option<&str>, expected: Status) {
        let changes = vec![change(path, before, after)];
        let seen = After { changes, contract: Some(contract(&["app.py", path], true)), ..After::default() };
        let gate = judge("SQL injection in login", &seen);
        assert_eq!(gate.status, expected, "{path}: {}", gate.evidence);
    }

    #[test]
    fn fails_what_weakens_the_project() {
        use Status::{Failed, Passed};
        check("app.py", Some("a\n"), Some("b\n"), Passed);
        check("tests/test_new.py", None, Some("assert a\n"), Passed);
        check("tests/test_app.py", Some("assert a\n"), Some("assert a\nassert b\n"), Passed);
        check("tests/test_app.py", Some("assert a\nassert b\n"), Some("assert a\n"), Failed);
        check("tests/test_app.py", Some("assert a == 1\n"), Some("assert a == 2\n"), Failed);
        check("tests/test_app.py", Some("def test_a(): x()\n"), Some("def _test_a(): x()\n"), Failed);
        check("tests/test_app.py", Some("assert a\n"), None, Failed);
        check("src/app.test.js", Some("expect(a)\n"), Some("it.skip(1)\nexpect(a)\n"), Failed);
        check("app.py", Some("a\n"), Some("a  # nosec\n"), Failed);
        check("package-lock.json", Some("{}"), Some("{ }"), Failed);
        check(".gitignore", None, Some("app.py\n"), Failed);
        check(".github/workflows/ci.yml", Some("a"), Some("b"), Failed);
        check(
            "package.json",
            Some(r#"{"scripts":{"test":"x"}}"#),
            Some(r#"{"scripts":{"test":"true"}}"#),
            Failed,
        );
        check("Makefile", Some("test:\n\tx\n"), Some("test:\n\ttrue\n"), Failed);
        check("Makefile", Some("test:\n\tx\n"), Some("test:\n\tx\n\nrun:\n\ty\n"), Passed);
        check("app.py", Some("@login_required\na\n"), Some("a\n"), Failed);
        check("app.py", Some("get(x)\n"), Some("get(x, verify=False)\n"), Failed);
    }

    #[test]
    fn holds_a_change_to_the_files_of_the_contract() {
        let check = |path: &str, before: Option<&str>, declared: bool, expected| {
            let changes = vec![change(path, before, Some("b"))];
            let seen = After { changes, contract: Some(contract(&["app.py"], declared)), ..After::default() };
            let gate = judge("x", &seen);
            assert_eq!(gate.status, expected, "{path} {declared}: {}", gate.evidence);
        };
        check("app.py", Some("a"), true, Status::Passed);
        check("other.py", Some("a"), true, Status::Failed);
        check("other.py", Some("a"), false, Status::Unknown);
        check("tests/test_a.py", None, true, Status::Passed);
    }

    #[test]
    fn does_not_vouch_for_what_commands_changed() {
        let seen = |paths: &[&str]| After {
            by_commands: paths.iter().map(|path| (*path).to_owned()).collect(),
            ..After::default()
        };
        assert_eq!(judge("x", &seen(&["src/app.py"])).status, Status::Unknown);
        assert_eq!(judge("x", &seen(&["tests/test_app.py"])).status, Status::Failed);
    }
}
