//! Runs of tests and checks in the sandbox, and what their output says of single tests.

use crate::sandbox::{Exit, Job, Sandbox, Watch};
use crate::text::redact;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the project's tests may take.
pub const TEST_LIMIT: Duration = Duration::from_mins(10);

/// Most failing tests that are named.
const MAX_NAMED: usize = 200;

/// One run of the project's tests or of a check.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct TestRun {
    /// The command.
    pub command: String,
    /// What it ran on: `workspace`, `base` or `result`, the last two being clean copies.
    #[serde(default)]
    pub on: String,
    /// Its exit code; `None` when it did not end by itself or could not start.
    pub exit: Option<i32>,
    /// How it ended and the last lines it printed.
    pub tail: String,
    /// Tests that it named as failed, as far as its output is understood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failing: Vec<String>,
    /// Why the run says nothing about the code: a missing program, no test found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
    /// Names in it that were not there when the code was loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<String>,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

/// What a run says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It ended well.
    Passes,
    /// It ended with a failure.
    Fails,
    /// It says nothing, and why.
    Void(String),
}

impl TestRun {
    pub(super) fn verdict(&self) -> Verdict {
        if let Some(why) = &self.void {
            return Verdict::Void(why.clone());
        }
        match self.exit {
            Some(0) => Verdict::Passes,
            Some(_) => Verdict::Fails,
            None => Verdict::Void(self.tail.clone()),
        }
    }
}

/// Runs a command in `root`, behind the walls that stand around it.
pub(super) async fn run(
    sandbox: &Arc<dyn Sandbox>,
    root: &Path,
    on: &str,
    command: &str,
    cancel: &CancellationToken,
) -> TestRun {
    // Code compiled by an earlier run must not stand in for what was changed within the same second.
    let fresh = format!(
        "export PYTHONDONTWRITEBYTECODE=1 PYTHONPYCACHEPREFIX=\"${{TMPDIR:-/tmp}}/agent-no-cache\"\n{command}"
    );
    let job = Job { command: fresh, workdir: root.to_owned(), timeout: TEST_LIMIT };
    let watch = Watch { output: Arc::new(|_| {}), cancel: cancel.clone() };
    let mut run = TestRun { command: command.to_owned(), on: on.to_owned(), ..TestRun::default() };
    match sandbox.run(job, watch).await {
        Ok(done) => {
            let (exit, how) = match done.exit {
                Exit::Code(code) => (Some(code), format!("exit {code}")),
                Exit::Signal(signal) => (None, format!("ended by signal {signal}")),
                Exit::TimedOut => (None, format!("stopped after {} s", TEST_LIMIT.as_secs())),
                Exit::Cancelled => (None, "interrupted".to_owned()),
            };
            run.exit = exit;
            run.void = void(exit, &done.output);
            run.failing = failing(&done.output);
            run.unresolved = unresolved(&done.output);
            run.tail = format!("{how}: {}", last_lines(&redact(&done.output), 6));
            run.duration_ms = u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX);
        }
        Err(error) => {
            run.tail = error.to_string();
            run.void = Some(error.to_string());
        }
    }
    run
}

/// Why a run says nothing of the code.
fn void(exit: Option<i32>, output: &str) -> Option<String> {
    static NOTHING: OnceLock<Option<Regex>> = OnceLock::new();
    static MISSING: OnceLock<Option<Regex>> = OnceLock::new();
    let last = || last_lines(&redact(output), 2);
    match exit {
        Some(126 | 127) => {
            return Some(format!("a program it needs is missing or cannot run here: {}", last()));
        }
        None => return None,
        Some(_) => {}
    }
    let nothing = pattern(
        &NOTHING,
        r"(?mi)^Ran 0 tests|^=* ?no tests ran|^no tests found|No test files found|^# tests 0$|^ℹ tests 0$|\[no tests to run\]|No tests executed|Tests run: 0,|running 0 tests\s*$",
    );
    if nothing.is_some_and(|nothing| nothing.is_match(output)) && !has_run_some(output) {
        return Some("it ran no test at all".to_owned());
    }
    let missing = pattern(
        &MISSING,
        r"(?m)No module named '?pytest'?\s*$|: command not found$|sh: \d+: .*: not found$|Could not (?:find|resolve) .*(?:plugin|dependenc)|Non-resolvable parent POM|Cannot find module '(?:jest|vitest|mocha)",
    );
    let found = missing.filter(|_| exit != Some(0)).and_then(|missing| missing.find(output))?;
    Some(format!("a tool it needs is missing here: {}", found.as_str().trim()))
}

/// Cargo and others print a line per binary, some of which hold no tests.
fn has_run_some(output: &str) -> bool {
    static SOME: OnceLock<Option<Regex>> = OnceLock::new();
    pattern(
        &SOME,
        r"(?mi)^Ran [1-9]\d* test|[1-9]\d* passed|[1-9]\d* failed|^(?:#|ℹ) tests [1-9]|Tests run: [1-9]",
    )
    .is_some_and(|some| some.is_match(output))
}

/// The names of failed tests in the output of unittest, pytest, `node:test`, mocha, jest, go, cargo, Maven,
/// `PHPUnit`, `RSpec` and TAP.
fn failing(output: &str) -> Vec<String> {
    static FAILED: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern = pattern(
        &FAILED,
        r"(?m)^\s*(?:(?:FAIL|ERROR): (\S+ \([^)]*\))|FAILED (\S+::\S+)|not ok \d+ -? ?([^\n#]+)|✖ ([^\n(]+) \(|--- FAIL: (\S+)|test (\S+) \.\.\. FAILED|\[ERROR\]\s+([\w.$]+[.#]\w+)[ :(]|● ([^\n]+)|rspec (\./\S+)|\d+\) (\w+::\w+)$)",
    );
    let Some(pattern) = pattern else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for found in pattern.captures_iter(output) {
        let Some(name) = found.iter().skip(1).flatten().next() else { continue };
        let name = redact(name.as_str().trim()).into_owned();
        if !name.is_empty() && !names.contains(&name) && names.len() < MAX_NAMED {
            names.push(name);
        }
    }
    names
}

/// What could not be found when the code was loaded: a test that needs what a change adds fails without it
/// for a reason of its own.
fn unresolved(output: &str) -> Vec<String> {
    static NAMES: OnceLock<Option<Regex>> = OnceLock::new();
    let pattern = pattern(
        &NAMES,
        r"(?m)^\S*(?:ModuleNotFoundError|ImportError|NameError|SyntaxError|IndentationError)\b[^\n]*|AttributeError: (?:partially initialized )?module[^\n]*|AttributeError: type object[^\n]*|Cannot find module[^\n]*|ERR_MODULE_NOT_FOUND|does not provide an export named[^\n]*|TypeError: \S+ is not a function|ReferenceError: [^\n]*|error: cannot find symbol|undefined: \w+|unresolved import[^\n]*|Could not find or load main class[^\n]*|NoClassDefFoundError[^\n]*|Undefined subroutine[^\n]*|Can't locate \S+ in @INC|Call to undefined function[^\n]*",
    );
    let Some(pattern) = pattern else { return Vec::new() };
    let mut all: Vec<String> =
        pattern.find_iter(output).map(|found| redact(found.as_str().trim()).into_owned()).collect();
    all.dedup();
    all.truncate(4);
    all
}

fn pattern(cell: &'static OnceLock<Option<Regex>>, text: &str) -> Option<&'static Regex> {
    cell.get_or_init(|| Regex::new(text).ok()).as_ref()
}

/// The last lines of an output that say something, joined.
fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| line.contains(char::is_alphanumeric)).collect();
    lines[lines.len().saturating_sub(count)..].join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_failed_tests_of_common_runners() {
        let check = |output: &str, expected: &[&str]| assert_eq!(failing(output), expected, "{output}");
        check("FAIL: test_a (tests.test_x.Case.test_a)\nboom", &["test_a (tests.test_x.Case.test_a)"]);
        check("FAILED tests/test_x.py::test_a - AssertionError", &["tests/test_x.py::test_a"]);
        check("    not ok 2 - refuses it\n  ---", &["refuses it"]);
        check("✖ refuses it (3.2ms)", &["refuses it"]);
        check("--- FAIL: TestLogin (0.00s)", &["TestLogin"]);
        check("test room::holds ... FAILED", &["room::holds"]);
        check("[ERROR]   LoginTest.refuses:12 expected", &["LoginTest.refuses"]);
        check("all well", &[]);
    }

    #[test]
    fn tells_runs_that_say_nothing() {
        let check = |exit, output: &str, expected: bool| {
            assert_eq!(void(Some(exit), output).is_some(), expected, "{exit} {output}");
        };
        check(127, "sh: 1: nope: not found", true);
        check(1, "/usr/bin/python3: No module named pytest", true);
        check(0, "Ran 0 tests in 0.000s\n\nOK", true);
        check(0, "running 0 tests\n\nrunning 3 tests\ntest result: ok. 3 passed; 0 failed", false);
        check(1, "AssertionError", false);
        check(0, "OK", false);
    }
}
