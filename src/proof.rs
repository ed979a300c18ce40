//! The gates: what the harness itself saw before and after. Nobody's word is taken.

mod scope;

use crate::action::Change;
use crate::finding::Finding;
use crate::sandbox::{Exit, Job, Watch};
use crate::scan::Filter;
use crate::text::redact;
use crate::tool::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long the project's tests may take.
pub const TEST_LIMIT: Duration = Duration::from_mins(10);

/// What a gate says.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Seen to hold.
    Passed,
    /// Seen not to hold.
    Failed,
    /// Could not be seen, with the reason in the evidence.
    Unknown,
}

impl Status {
    /// `passed`, `failed` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Unknown => "unknown",
        }
    }
}

/// One gate and what it rests on.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Gate {
    /// `reproduced`, `closed`, `behaviour`, `no_new_weakness` or `scope`.
    pub name: String,
    /// What it says.
    pub status: Status,
    /// What was run or compared, and what it gave.
    pub evidence: String,
}

/// One run of the project's tests.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct TestRun {
    /// The command.
    pub command: String,
    /// Its exit code; `None` when it did not end by itself or could not start.
    pub exit: Option<i32>,
    /// How it ended and the last lines it printed.
    pub tail: String,
    /// Milliseconds it took.
    pub duration_ms: u64,
}

/// A file as the file system tells it without being read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    size: u64,
    /// Nanoseconds since 1970 of the last change of its content.
    modified: i128,
}

/// What was seen before anything changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    /// Everything the scanner found.
    pub findings: Vec<Finding>,
    /// Of these, the ids the mission is about.
    pub targets: Vec<String>,
    /// The project's tests, where there are any.
    pub tests: Option<TestRun>,
    /// Files that stood there, to tell what commands changed.
    pub stamps: BTreeMap<String, Stamp>,
}

/// What was seen after.
#[derive(Debug, Clone)]
pub struct After {
    /// Everything the scanner finds now.
    pub findings: Vec<Finding>,
    /// The project's tests again.
    pub tests: Option<TestRun>,
    /// What the agent's tools changed: first before, last after.
    pub changes: Vec<Change>,
    /// Files that commands changed or removed.
    pub by_commands: Vec<String>,
}

/// Runs the project's tests in the sandbox.
pub async fn run_tests(world: &Arc<World>, command: &str, cancel: &CancellationToken) -> TestRun {
    let job =
        Job { command: command.to_owned(), workdir: world.workspace.root().to_owned(), timeout: TEST_LIMIT };
    let watch = Watch { output: Arc::new(|_| {}), cancel: cancel.clone() };
    match world.sandbox.run(job, watch).await {
        Ok(done) => {
            let (exit, how) = match done.exit {
                Exit::Code(code) => (Some(code), format!("exit {code}")),
                Exit::Signal(signal) => (None, format!("ended by signal {signal}")),
                Exit::TimedOut => (None, format!("stopped after {} s", TEST_LIMIT.as_secs())),
                Exit::Cancelled => (None, "interrupted".to_owned()),
            };
            TestRun {
                command: command.to_owned(),
                exit,
                tail: format!("{how}: {}", last_lines(&redact(&done.output), 6)),
                duration_ms: u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
            }
        }
        Err(error) => {
            TestRun { command: command.to_owned(), exit: None, tail: error.to_string(), duration_ms: 0 }
        }
    }
}

/// Scans everything.
pub async fn scan_all(world: &Arc<World>) -> Vec<Finding> {
    let world = Arc::clone(world);
    let scan = tokio::task::spawn_blocking(move || world.scanner.scan(&world.workspace, &Filter::default()));
    scan.await.map(|scan| scan.findings).unwrap_or_default()
}

/// Stamps every file that is not ignored.
pub async fn stamp_all(world: &Arc<World>) -> BTreeMap<String, Stamp> {
    let world = Arc::clone(world);
    tokio::task::spawn_blocking(move || {
        let Ok(root) = world.workspace.place(".") else { return BTreeMap::new() };
        let stamp = |path: &str| {
            let meta = std::fs::symlink_metadata(world.workspace.root().join(path)).ok()?;
            let modified = meta.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(Stamp { size: meta.len(), modified: i128::try_from(modified.as_nanos()).ok()? })
        };
        world
            .workspace
            .files(&root)
            .unwrap_or_default()
            .iter()
            .filter_map(|place| Some((place.as_str().to_owned(), stamp(place.as_str())?)))
            .collect()
    })
    .await
    .unwrap_or_default()
}

/// The gates, in order.
pub fn judge(issue: &str, baseline: &Baseline, after: &After) -> Vec<Gate> {
    vec![
        reproduced(baseline),
        closed(baseline, after),
        behaviour(baseline.tests.as_ref(), after.tests.as_ref()),
        no_new_weakness(baseline, after),
        scope::judge(issue, after),
    ]
}

fn gate(name: &str, status: Status, evidence: impl Into<String>) -> Gate {
    Gate { name: name.to_owned(), status, evidence: evidence.into() }
}

fn targets(baseline: &Baseline) -> Vec<&Finding> {
    baseline.findings.iter().filter(|finding| baseline.targets.contains(&finding.id)).collect()
}

fn reproduced(baseline: &Baseline) -> Gate {
    let found = targets(baseline);
    if found.is_empty() {
        return gate(
            "reproduced",
            Status::Unknown,
            "the scanner knows no finding for this issue, and no check was run",
        );
    }
    gate("reproduced", Status::Passed, format!("the scanner found before the change: {}", places(&found)))
}

fn closed(baseline: &Baseline, after: &After) -> Gate {
    let targets = targets(baseline);
    if targets.is_empty() {
        return gate("closed", Status::Unknown, "nothing was reproduced that could be seen to be gone");
    }
    let is_left = |finding: &&Finding| targets.iter().any(|target| is_same_weakness(target, finding));
    let left: Vec<&Finding> = after.findings.iter().filter(is_left).collect();
    if left.is_empty() {
        let count = targets.len();
        return gate("closed", Status::Passed, format!("the scanner finds none of the {count} any more"));
    }
    let whys: Vec<&str> = left.iter().filter_map(|finding| finding.why_no_fix.as_deref()).collect();
    let why = if whys.is_empty() { String::new() } else { format!(" ({})", whys.join("; ")) };
    gate("closed", Status::Failed, format!("still there: {}{why}", places(&left)))
}

/// Ids move with the code they stand in, so the place counts as well.
fn is_same_weakness(a: &Finding, b: &Finding) -> bool {
    a.id == b.id || (a.family == b.family && a.path == b.path && a.within == b.within)
}

fn no_new_weakness(baseline: &Baseline, after: &After) -> Gate {
    let name = "no_new_weakness";
    let like = |all: &[Finding], this: &Finding| {
        all.iter().filter(|f| f.rule == this.rule && f.path == this.path && f.within == this.within).count()
    };
    let is_new = |finding: &&Finding| {
        baseline.findings.iter().all(|known| known.id != finding.id)
            && like(&after.findings, finding) > like(&baseline.findings, finding)
    };
    let new: Vec<&Finding> = after.findings.iter().filter(is_new).collect();
    if new.is_empty() {
        gate(name, Status::Passed, "the scanner finds nothing after that it did not find before")
    } else {
        gate(name, Status::Failed, format!("new: {}", places(&new)))
    }
}

fn behaviour(before: Option<&TestRun>, after: Option<&TestRun>) -> Gate {
    let name = "behaviour";
    let (Some(before), Some(after)) = (before, after) else {
        return gate(name, Status::Unknown, "no test command was recognised; name one with --test");
    };
    let command = &after.command;
    match (before.exit, after.exit) {
        (Some(0), Some(0)) => {
            gate(name, Status::Passed, format!("`{command}` passed before and after ({})", after.tail))
        }
        (Some(0), _) => {
            gate(name, Status::Failed, format!("`{command}` passed before and not after: {}", after.tail))
        }
        (_, Some(0)) => {
            gate(name, Status::Passed, format!("`{command}` failed before and passes after ({})", after.tail))
        }
        (Some(127), _) => {
            gate(name, Status::Unknown, format!("`{command}` cannot run here: {}", before.tail))
        }
        _ => gate(
            name,
            Status::Unknown,
            format!("`{command}` did not pass before the change either: {}", before.tail),
        ),
    }
}

fn places(findings: &[&Finding]) -> String {
    let shown: Vec<String> = findings
        .iter()
        .take(10)
        .map(|f| format!("{} {} at {}:{}", f.id, f.rule, f.path, f.span.line))
        .collect();
    let more = findings.len().saturating_sub(shown.len());
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
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

    fn run(exit: Option<i32>) -> TestRun {
        TestRun { command: "make test".into(), exit, tail: "t".into(), duration_ms: 1 }
    }

    #[test]
    fn behaviour_is_what_the_tests_say_before_and_after() {
        let check = |before, after, expected| {
            assert_eq!(
                behaviour(Some(&run(before)), Some(&run(after))).status,
                expected,
                "{before:?} {after:?}"
            );
        };
        check(Some(0), Some(0), Status::Passed);
        check(Some(0), Some(1), Status::Failed);
        check(Some(0), None, Status::Failed);
        check(Some(1), Some(0), Status::Passed);
        check(Some(1), Some(1), Status::Unknown);
        check(Some(127), Some(127), Status::Unknown);
        check(None, None, Status::Unknown);
        assert_eq!(behaviour(None, None).status, Status::Unknown);
    }
}
