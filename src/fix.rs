//! The mission: issue to opening, contract, done-check, report.

mod changes;
pub mod deliver;
pub mod dependency;
pub mod forge;
mod markdown;
mod page;
mod report;
mod review;
pub mod show;
mod watch;

pub use changes::{befores, changes};
pub use report::{Delivery, File, Report, Work};

use crate::action::{Action, Change};
use crate::event::{Event, Host, Outcome};
use crate::finding::contract::{self, Contract};
use crate::finding::hand_over;
use crate::finding::issue::{Ask, Sighting};
use crate::message::{Message, Role};
use crate::model::rules::NAME as RULES;
use crate::policy::Mode;
use crate::prompt;
use crate::proof::{self, After, Baseline, Befores, Gate, Status, TestRun};
use crate::sandbox::git::Repository;
use crate::session::record::RecordError;
use crate::session::{Ending, Session, claimed};
use crate::workspace::copy::CACHES;
use crate::workspace::survey::survey;
use dependency::Advisory;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Tools whose use begins the editing: the contract stands before.
const EDITING: &[&str] = &["edit", "write", "patch"];

/// An issue to close, and what stood before.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mission {
    /// The issue, in its own words. Untrusted.
    pub issue: String,
    /// The tests' command, the user's or the survey's.
    pub test_command: Option<String>,
    /// The first look at the repository, as the opening shows it. Untrusted.
    pub look: String,
    /// What was seen before anything changed.
    pub baseline: Baseline,
    /// The advisory it is about, where it is about a dependency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advisory: Option<Advisory>,
    /// Whether a fresh helper looks for a way round the change.
    #[serde(default = "yes")]
    pub review: bool,
    /// The report, once there is one: for whoever shows the session later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
}

fn yes() -> bool {
    true
}

impl Mission {
    /// Takes the baseline: scan, tests, stamps; picks what the issue speaks of; shows the contract.
    pub async fn begin(
        issue: String,
        test_command: Option<String>,
        session: &mut Session,
        host: &mut dyn Host,
    ) -> Result<Self, RecordError> {
        Self::begin_on(issue, test_command, None, session, host).await
    }

    /// The same on an advisory of a dependency: what is pinned is looked at beside the code.
    pub async fn begin_on(
        issue: String,
        test_command: Option<String>,
        advisory: Option<Advisory>,
        session: &mut Session,
        host: &mut dyn Host,
    ) -> Result<Self, RecordError> {
        let world = Arc::clone(session.world());
        let mut look = survey(&world.workspace);
        let test_command = test_command.or_else(|| look.test_command.clone());
        look.test_command.clone_from(&test_command);
        // Work that is passed on is not begun.
        let ours = advisory.is_some() || hand_over::asked(&issue).is_none();
        let mut findings = if ours { proof::scan_all(&world).await } else { Vec::new() };
        let pinned =
            advisory.as_ref().map(|advisory| advisory.findings(&world.workspace)).unwrap_or_default();
        findings.extend(pinned.iter().cloned());
        let sightings: Vec<Sighting> = findings.iter().map(Sighting::from).collect();
        let ask = Ask::of(&issue);
        let chosen = if ask.is_known() { ask.select(&sightings) } else { Vec::new() };
        let targets: Vec<String> = match &advisory {
            Some(_) => pinned.iter().map(|finding| finding.id.clone()).collect(),
            None => chosen.iter().map(|sighting| sighting.id.clone()).collect(),
        };
        let about: Vec<_> =
            findings.iter().filter(|finding| targets.contains(&finding.id)).cloned().collect();
        let mut contract = Contract::of(&about, test_command.as_deref());
        if let Some(contract) = contract.as_mut().filter(|_| advisory.is_some()) {
            contract.files_in_scope = dependency::files(&contract.files_in_scope);
        }
        host.tell(Event::Findings { findings: about });
        if let Some(contract) = &contract {
            host.tell(Event::Contract { contract: contract.clone() });
        }
        // Without a target the tests may still be needed by a model that finds more than the scanner does;
        // the embedded rules end at once then, and a user should not wait for tests nobody compares.
        let needs_tests =
            ours && session.mode() != Mode::ReadOnly && (!targets.is_empty() || session.model() != RULES);
        let tests = match &test_command {
            Some(command) if needs_tests => Some(run_tests(command, "before", session, host).await),
            _ => None,
        };
        let stamps = proof::stamp_all(&world).await;
        let baseline = Baseline { findings, targets, contract, tests, stamps };
        let mission =
            Self { issue, test_command, look: look.render(), baseline, advisory, review: true, report: None };
        session.note_mission(serde_json::to_value(&mission).unwrap_or_default())?;
        Ok(mission)
    }

    /// The same with the bypass review on or off; only models other than the embedded rules are reviewed.
    #[must_use]
    pub fn with_review(mut self, on: bool) -> Self {
        self.review = on;
        self
    }

    /// The first message: mission, issue, first look, what is known of the contract and of the weaknesses.
    pub fn opening(&self) -> String {
        let contract = self.baseline.contract.as_ref().map(Contract::render).unwrap_or_default();
        prompt::mission(&self.issue, &self.look, &contract, &Ask::of(&self.issue).families)
    }

    /// Works on the mission: says `words` to the model and shows the contract once the model has had its say.
    pub async fn work(
        &self,
        session: &mut Session,
        words: String,
        host: &mut dyn Host,
    ) -> Result<Ending, RecordError> {
        let mut watching = watch::Watching::over(host, self.baseline.contract.clone());
        session.run(words, &mut watching).await
    }

    /// What the change has to keep to: what the scanner knows and what the model wrote before it began to edit.
    pub fn contract(&self, session: &Session) -> Option<Contract> {
        let said = before_editing(session.history()).iter().rev().find_map(|text| Contract::parse(text));
        match (self.baseline.contract.clone(), said) {
            (Some(known), Some(said)) => Some(known.joined(said)),
            (known, said) => known.or(said),
        }
    }

    /// Looks again and says what became of it.
    pub async fn conclude(&self, session: &Session, ending: &Ending, host: &mut dyn Host) -> Report {
        let changes = changes(session);
        let by_commands = self.changed_by_commands(session, &changes).await;
        let contract = self.contract(session);
        let mut gates = Vec::new();
        let mut review = None;
        if !(changes.is_empty() && by_commands.is_empty()) {
            let mut after = self.look_again(session, ending, contract.clone(), changes.clone(), host).await;
            after.by_commands = by_commands;
            gates = proof::judge(&self.issue, &self.baseline, &after);
            let worth_it = gates.iter().all(|gate| gate.status != Status::Failed)
                && ending.outcome != Outcome::PolicyRefusal
                && !session.cancel().is_cancelled();
            if self.review && session.model() != RULES && worth_it {
                host.tell(Event::Status {
                    text: "a fresh helper looks for a way round the change".to_owned(),
                });
                after.review = Some(review::review(self, session, contract.as_ref(), &changes).await);
                gates = proof::judge(&self.issue, &self.baseline, &after);
                review = after.review;
            }
            for gate in &gates {
                host.tell(Event::Verify {
                    gate: gate.name.clone(),
                    status: gate.status.name().to_owned(),
                    evidence: gate.evidence.clone(),
                });
            }
        }
        let outcome = outcome(ending, &gates, !self.baseline.targets.is_empty());
        let targets = self.baseline.findings.iter().filter(|f| self.baseline.targets.contains(&f.id));
        let report = Report::of(Work {
            outcome,
            session,
            ending,
            changes: &changes,
            findings: targets.cloned().collect(),
            gates,
        });
        let mut report = report.with_mission(&self.issue, contract, review);
        report.base_commit = Repository::open(session.world().workspace.root())
            .ok()
            .map(|repository| repository.head().to_owned());
        report
    }

    /// Keeps the report with the session, for `agent show`.
    pub fn keep(&self, report: &Report, session: &mut Session) -> Result<(), RecordError> {
        let whole = Self { report: Some(Box::new(report.clone())), ..self.clone() };
        session.note_mission(serde_json::to_value(&whole).unwrap_or_default())
    }

    /// What is seen after the work: scan, tests, the check on clean copies.
    async fn look_again(
        &self,
        session: &Session,
        ending: &Ending,
        contract: Option<Contract>,
        changes: Vec<Change>,
        host: &mut dyn Host,
    ) -> After {
        let world = session.world();
        let cancel = session.cancel();
        let befores = befores(session);
        let mut after = After { changes, contract, ..After::default() };
        if let Some(command) = self.test_command.as_ref().filter(|_| !cancel.is_cancelled()) {
            after.tests.push(run_tests(command, "after", session, host).await);
            if proof::disagrees(self.baseline.tests.as_ref(), &after.tests[0]) {
                after.tests.push(run_tests(command, "again after", session, host).await);
                // What fails twice is no accident.
                if after.tests[1].exit != Some(0) {
                    after.tests.truncate(1);
                }
            }
            let old: Befores = befores
                .iter()
                .filter(|(path, _)| proof::is_test(path))
                .map(|(path, before)| (path.clone(), before.clone()))
                .collect();
            // A test that was only added takes nothing away from the others, unless it is one that all of them load.
            let is_shared = |path: &String| {
                ["conftest.py", "__init__.py", "sitecustomize.py"].iter().any(|name| path.ends_with(name))
                    || path.contains("setup")
                    || path.contains("helper")
            };
            if old.iter().any(|(path, before)| before.is_some() || is_shared(path)) {
                host.tell(Event::Status {
                    text: format!("the tests as they were, on a clean copy: {command}"),
                });
                after.old_tests = Some(proof::run_old_tests(world, command, &old, cancel).await);
            }
        }
        let sources: Vec<String> = after.contract.iter().flat_map(|c| c.files_in_scope.clone()).collect();
        let named = named_check(&ending.text)
            .or_else(|| after.contract.as_ref().and_then(|contract| contract.check.clone()));
        let check = proof::find(named.as_deref(), &after.changes, &sources, self.test_command.as_deref());
        after.inputs = vec![self.issue.clone()];
        if let Some(check) = check.filter(|_| !cancel.is_cancelled()) {
            host.tell(Event::Status {
                text: format!("the check on clean copies of base and result: {}", check.command),
            });
            after.inputs.push(check.command.clone());
            after.inputs.extend(proof::texts(world, &check));
            after.check = Some(proof::attempt(world, check, &sources, &befores, cancel).await);
        }
        after.findings = proof::scan_all(world).await;
        if let Some(advisory) = &self.advisory {
            after.findings.extend(advisory.findings(&world.workspace));
        }
        after
    }

    async fn changed_by_commands(&self, session: &Session, changes: &[Change]) -> Vec<String> {
        if !session.deeds().iter().any(|deed| matches!(deed, Action::Run { .. })) {
            return Vec::new();
        }
        let now = proof::stamp_all(session.world()).await;
        let known = |path: &String| changes.iter().any(|change| change.path == *path);
        let befores = befores(session);
        let is_as_before = |path: &String| {
            let Some(Some(before)) = befores.get(path) else { return false };
            let world = session.world();
            world
                .workspace
                .place(path)
                .and_then(|place| world.workspace.read(&place))
                .is_ok_and(|content| content.bytes == *before)
        };
        let is_cache = |path: &String| path.split('/').any(|part| CACHES.contains(&part));
        let touched = |(path, was): &(&String, &proof::Stamp)| {
            now.get(*path) != Some(*was) && !known(path) && !is_cache(path) && !is_as_before(path)
        };
        self.baseline.stamps.iter().filter(touched).map(|(path, _)| path.clone()).collect()
    }
}

/// What the model wrote before its first edit, message by message.
fn before_editing(history: &[Message]) -> Vec<String> {
    let mut out = Vec::new();
    for message in history.iter().filter(|message| message.role == Role::Assistant) {
        out.push(message.text());
        if message.calls().any(|call| EDITING.contains(&call.name.as_str())) {
            break;
        }
    }
    out
}

/// The check that a final message names in a line of its own, `Check: COMMAND`.
fn named_check(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let bare = line.trim().trim_start_matches(['-', '*', '#', ' ']);
        let head = bare.get(..5).filter(|head| head.eq_ignore_ascii_case("check"))?;
        let rest = bare[head.len()..].trim_start_matches(['*', '_', ' ']).strip_prefix(':')?;
        contract::command(rest.trim_start_matches(['*', ' ']))
    })
}

/// Runs the project's tests and says so: they are the repository's code, so they run behind the sandbox's walls.
async fn run_tests(command: &str, when: &str, session: &Session, host: &mut dyn Host) -> TestRun {
    let level = session.world().sandbox.level().name;
    host.tell(Event::Status { text: format!("tests {when} the change, sandbox {level}: {command}") });
    let run = proof::run_tests(session.world(), command, session.cancel()).await;
    host.tell(Event::Status { text: format!("tests {when} the change: {}", run.tail) });
    run
}

/// What the gates make of it. A model's own word counts only where it claims less.
fn outcome(ending: &Ending, gates: &[Gate], had_targets: bool) -> Outcome {
    let claim = claimed(&ending.text);
    if gates.is_empty() {
        return match (ending.outcome, claim) {
            (Outcome::Done | Outcome::NoChange, Some(Outcome::NoChange)) if !had_targets => Outcome::NoChange,
            (Outcome::Blocked, _) => Outcome::Blocked,
            (Outcome::Done | Outcome::NoChange, _) => Outcome::NotFixed,
            (other, _) => other,
        };
    }
    let failed = gates.iter().any(|gate| gate.status == Status::Failed);
    let unknown = gates.iter().any(|gate| gate.status == Status::Unknown);
    match ending.outcome {
        Outcome::Done | Outcome::NoChange | Outcome::Blocked | Outcome::Denied if failed => Outcome::NotFixed,
        Outcome::Done | Outcome::NoChange if claim == Some(Outcome::NotFixed) => Outcome::NotFixed,
        Outcome::Done | Outcome::NoChange if unknown => Outcome::FixedUnverified,
        Outcome::Done | Outcome::NoChange => Outcome::Fixed,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gates(statuses: &[Status]) -> Vec<Gate> {
        statuses
            .iter()
            .map(|status| Gate {
                name: "closed".into(),
                status: *status,
                evidence: String::new(),
                runs: vec![],
            })
            .collect()
    }

    #[test]
    fn only_gates_make_it_fixed() {
        use Status::{Failed, Passed, Unknown};
        let check = |ended: Outcome, text: &str, statuses: &[Status], targets: bool, expected: Outcome| {
            let ending = Ending { outcome: ended, text: text.into() };
            assert_eq!(
                outcome(&ending, &gates(statuses), targets),
                expected,
                "{ended:?} {text} {statuses:?}"
            );
        };
        check(Outcome::Done, "Status: fixed", &[Passed, Passed], true, Outcome::Fixed);
        check(Outcome::Done, "Status: fixed", &[Passed, Unknown], true, Outcome::FixedUnverified);
        check(Outcome::Done, "Status: fixed", &[Passed, Failed], true, Outcome::NotFixed);
        check(Outcome::Done, "Status: not_fixed", &[Passed], true, Outcome::NotFixed);
        check(Outcome::Done, "Status: fixed", &[], true, Outcome::NotFixed);
        check(Outcome::NoChange, "Status: no_change", &[], true, Outcome::NotFixed);
        check(Outcome::NoChange, "Status: no_change", &[], false, Outcome::NoChange);
        check(Outcome::Blocked, "Status: blocked", &[], false, Outcome::Blocked);
        check(Outcome::Budget, "", &[Passed, Passed], true, Outcome::Budget);
        check(Outcome::Cancelled, "", &[], true, Outcome::Cancelled);
    }
}
