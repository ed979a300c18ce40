//! The gates: what the harness itself saw before and after. Nobody's word is taken.

mod check;
mod cheats;
mod run;
mod scope;

pub use check::{Befores, Check, Tried, attempt, find, texts};
pub use run::{TEST_LIMIT, TestRun};
pub use scope::is_test;

use crate::action::Change;
use crate::finding::Finding;
use crate::finding::contract::Contract;
use crate::message::Usage;
use crate::scan::Filter;
use crate::tool::World;
use check::Told;
use run::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
    /// The runs it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<TestRun>,
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
    /// What the change has to keep to, as far as the scanner knows.
    #[serde(default)]
    pub contract: Option<Contract>,
    /// The project's tests, where there are any.
    pub tests: Option<TestRun>,
    /// Files that stood there, to tell what commands changed.
    pub stamps: BTreeMap<String, Stamp>,
}

/// What was seen after.
#[derive(Debug, Clone, Default)]
pub struct After {
    /// Everything the scanner finds now.
    pub findings: Vec<Finding>,
    /// The project's tests again; a second run where the first disagrees with the baseline.
    pub tests: Vec<TestRun>,
    /// The project's tests as they were before, run on the result, where the change touches tests.
    pub old_tests: Option<Result<TestRun, String>>,
    /// What the agent changed: first before, last after.
    pub changes: Vec<Change>,
    /// Files that commands changed and whose texts are not known.
    pub by_commands: Vec<String>,
    /// The contract, the model's words included.
    pub contract: Option<Contract>,
    /// The reproducing check, where there is one.
    pub check: Option<Tried>,
    /// What a fresh helper made of the change; `None` where none was asked.
    pub review: Option<Review>,
    /// Texts that hold attack inputs: the check's files, its command.
    pub inputs: Vec<String>,
}

/// The word of a fresh helper that saw only the finding and the change.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub struct Review {
    /// `passed` where it found no way round, `failed` where it names one, `unknown` where it could not tell.
    pub status: Status,
    /// Its evidence.
    pub text: String,
    /// Tokens it took.
    #[serde(default)]
    pub usage: Usage,
    /// What they cost in US dollars; `None` where that is not known.
    #[serde(default)]
    pub cost_usd: Option<f64>,
}

/// Runs the project's tests in the workspace, in the sandbox.
pub async fn run_tests(world: &Arc<World>, command: &str, cancel: &CancellationToken) -> TestRun {
    run::run(&world.sandbox, world.workspace.root(), "workspace", command, cancel).await
}

/// Runs the project's tests on a clean copy of the result in which the files in `old` are as they were.
pub async fn run_old_tests(
    world: &Arc<World>,
    command: &str,
    old: &Befores,
    cancel: &CancellationToken,
) -> Result<TestRun, String> {
    let mut runs =
        check::on_copy(world, old, "result with the tests as they were", command, None, cancel).await?;
    runs.pop().ok_or_else(|| "it was not run".to_owned())
}

/// Whether the tests have to be run a second time: they passed before and did not pass now.
pub fn disagrees(before: Option<&TestRun>, after: &TestRun) -> bool {
    before.is_some_and(|before| before.verdict() == Verdict::Passes) && after.verdict() == Verdict::Fails
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
        reproduced(baseline, after.check.as_ref()),
        closed(baseline, after),
        behaviour(baseline.tests.as_ref(), after),
        no_new_weakness(baseline, after),
        scope::judge(issue, after),
    ]
}

fn gate(name: &str, status: Status, evidence: impl Into<String>) -> Gate {
    Gate { name: name.to_owned(), status, evidence: evidence.into(), runs: Vec::new() }
}

fn targets(baseline: &Baseline) -> Vec<&Finding> {
    baseline.findings.iter().filter(|finding| baseline.targets.contains(&finding.id)).collect()
}

fn reproduced(baseline: &Baseline, check: Option<&Tried>) -> Gate {
    let name = "reproduced";
    let found = targets(baseline);
    let by_scanner = || format!("the scanner found before the change: {}", places(&found));
    let Some(tried) = check else {
        return if found.is_empty() {
            gate(
                name,
                Status::Unknown,
                "the scanner knows no finding for this issue, and there was no check to run",
            )
        } else {
            gate(name, Status::Passed, by_scanner())
        };
    };
    let command = &tried.check.command;
    let judged = match (tried.on_base(), &tried.hollow) {
        (_, Some(why)) => gate(name, Status::Failed, format!("`{command}` proves nothing: {why}")),
        (Told::Fails(how), None) => {
            let more = if found.is_empty() { String::new() } else { format!("; {}", by_scanner()) };
            gate(name, Status::Passed, format!("`{command}` fails on a clean copy of the base ({how}){more}"))
        }
        (Told::Passes(how), None) if tried.check.declared || found.is_empty() => gate(
            name,
            Status::Failed,
            format!("`{command}` passes on a clean copy of the base as well, so it shows nothing ({how})"),
        ),
        (Told::Passes(_), None) => gate(
            name,
            Status::Passed,
            format!("{}; the new tests pass on the base as well and show nothing more", by_scanner()),
        ),
        (Told::Unknown(why), None) => {
            gate(name, Status::Unknown, format!("`{command}` on a clean copy of the base: {why}"))
        }
    };
    Gate { runs: tried.base.clone(), ..judged }
}

fn closed(baseline: &Baseline, after: &After) -> Gate {
    let name = "closed";
    let targets = targets(baseline);
    let mut seen = Vec::new();
    let mut unknown = Vec::new();
    if let Some(tried) = &after.check {
        let command = &tried.check.command;
        match tried.on_result() {
            Told::Passes(how) => {
                seen.push(format!("`{command}` passes on a clean copy of the result ({how})"));
            }
            Told::Fails(how) => {
                let judged = gate(
                    name,
                    Status::Failed,
                    format!("`{command}` fails on a clean copy of the result ({how})"),
                );
                return Gate { runs: tried.result.clone(), ..judged };
            }
            Told::Unknown(why) => unknown.push(format!("`{command}` on a clean copy of the result: {why}")),
        }
    }
    let is_left = |finding: &&Finding| targets.iter().any(|target| is_same_weakness(target, finding));
    let left: Vec<&Finding> = after.findings.iter().filter(is_left).collect();
    if !left.is_empty() {
        let whys: Vec<&str> = left.iter().filter_map(|finding| finding.why_no_fix.as_deref()).collect();
        let why = if whys.is_empty() { String::new() } else { format!(" ({})", whys.join("; ")) };
        return gate(name, Status::Failed, format!("still there: {}{why}", places(&left)));
    }
    if !targets.is_empty() {
        seen.push(format!("the scanner finds none of the {} any more", targets.len()));
    }
    if targets.is_empty() && after.check.is_none() {
        unknown.push("nothing was reproduced that could be seen to be gone".to_owned());
    }
    match &after.review {
        Some(Review { status: Status::Failed, text, .. }) => {
            return gate(name, Status::Failed, format!("a fresh review found a way round: {text}"));
        }
        Some(Review { status: Status::Passed, text, .. }) => {
            seen.push(format!("a fresh review found no way round: {text}"));
        }
        Some(Review { status: Status::Unknown, text, .. }) => {
            unknown.push(format!("the bypass review came to no end: {text}"));
        }
        None => {}
    }
    let runs = after.check.as_ref().map(|tried| tried.result.clone()).unwrap_or_default();
    let status = if unknown.is_empty() { Status::Passed } else { Status::Unknown };
    unknown.extend(seen);
    Gate { runs, ..gate(name, status, unknown.join("; ")) }
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

/// Legitimate behaviour: the tests say what they said before, and nothing was made to look well that is not.
fn behaviour(before: Option<&TestRun>, after: &After) -> Gate {
    let name = "behaviour";
    let faults = cheats::faults(&after.changes, &after.inputs);
    if !faults.is_empty() {
        return gate(name, Status::Failed, faults.join("; "));
    }
    if let Some(Ok(old)) = &after.old_tests
        && disagrees(before, old)
    {
        let evidence = format!("`{}` as it was before fails on the result: {}", old.command, old.tail);
        return Gate { runs: vec![old.clone()], ..gate(name, Status::Failed, evidence) };
    }
    let judged = compared(before, &after.tests);
    match &after.old_tests {
        Some(Err(why)) if judged.status == Status::Passed => gate(
            name,
            Status::Unknown,
            format!("tests were changed, and those from before could not be run: {why}"),
        ),
        _ => judged,
    }
}

fn compared(before: Option<&TestRun>, after: &[TestRun]) -> Gate {
    let name = "behaviour";
    let (Some(before), Some(last)) = (before, after.last()) else {
        return gate(name, Status::Unknown, "no test command was recognised; name one with --test");
    };
    let command = &last.command;
    let (status, evidence) = match (before.verdict(), last.verdict()) {
        (Verdict::Void(why), _) => (Status::Unknown, format!("`{command}` before the change: {why}")),
        (_, Verdict::Void(why)) if before.verdict() != Verdict::Passes || last.exit.is_some() => {
            (Status::Unknown, format!("`{command}` after the change: {why}"))
        }
        (Verdict::Passes, Verdict::Passes) if after.len() > 1 => (
            Status::Unknown,
            format!("`{command}` failed once and passed once after the change: it is flaky ({})", last.tail),
        ),
        (Verdict::Passes, Verdict::Passes) => {
            (Status::Passed, format!("`{command}` passed before and after ({})", last.tail))
        }
        (Verdict::Passes, _) => {
            (Status::Failed, format!("`{command}` passed before and not after: {}", last.tail))
        }
        (Verdict::Fails, Verdict::Passes) => {
            (Status::Passed, format!("`{command}` failed before and passes after ({})", last.tail))
        }
        (Verdict::Fails, _) => failing_before(command, before, last),
    };
    Gate { runs: after.to_vec(), ..gate(name, status, evidence) }
}

/// Tests that failed before are named, not blamed.
fn failing_before(command: &str, before: &TestRun, after: &TestRun) -> (Status, String) {
    let new: Vec<&str> =
        after.failing.iter().filter(|name| !before.failing.contains(name)).map(String::as_str).collect();
    if before.failing.is_empty() || after.failing.is_empty() {
        return (
            Status::Unknown,
            format!("`{command}` did not pass before the change either: {}", before.tail),
        );
    }
    if new.is_empty() {
        let named = before.failing.join(", ");
        return (Status::Passed, format!("`{command}` fails as it did before, and in nothing new: {named}"));
    }
    (Status::Failed, format!("`{command}` fails in tests that passed before: {}", new.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run(exit: Option<i32>) -> TestRun {
        TestRun { command: "make test".into(), exit, tail: "t".into(), ..TestRun::default() }
    }

    #[test]
    fn behaviour_is_what_the_tests_say_before_and_after() {
        let check = |before, after, expected| {
            assert_eq!(compared(Some(&run(before)), &[run(after)]).status, expected, "{before:?} {after:?}");
        };
        check(Some(0), Some(0), Status::Passed);
        check(Some(0), Some(1), Status::Failed);
        check(Some(0), None, Status::Failed);
        check(Some(1), Some(0), Status::Passed);
        check(Some(1), Some(1), Status::Unknown);
        check(None, None, Status::Unknown);
        assert_eq!(compared(None, &[]).status, Status::Unknown);
        let void = TestRun { void: Some("missing".into()), ..run(Some(127)) };
        assert_eq!(compared(Some(&void), std::slice::from_ref(&void)).status, Status::Unknown);
        assert_eq!(compared(Some(&run(Some(0))), &[run(Some(1)), run(Some(0))]).status, Status::Unknown);
    }

    #[test]
    fn a_test_that_failed_before_is_named_and_not_blamed() {
        let failing = |names: &[&str]| TestRun {
            failing: names.iter().map(|name| (*name).to_owned()).collect(),
            ..run(Some(1))
        };
        let check = |before: &[&str], after: &[&str], expected| {
            let gate = compared(Some(&failing(before)), &[failing(after)]);
            assert_eq!(gate.status, expected, "{}", gate.evidence);
        };
        check(&["a"], &["a"], Status::Passed);
        check(&["a", "b"], &["b"], Status::Passed);
        check(&["a"], &["a", "c"], Status::Failed);
        check(&[], &["c"], Status::Unknown);
    }
}
