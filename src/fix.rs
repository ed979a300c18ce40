//! The mission: issue to opening, done-check, report.

mod report;

pub use report::{File, Report, Work};

use crate::action::{Action, Change};
use crate::event::{Event, Host, Outcome};
use crate::finding::hand_over;
use crate::finding::issue::{Ask, Sighting};
use crate::policy::Mode;
use crate::prompt;
use crate::proof::{self, After, Baseline, Gate, Status, TestRun};
use crate::session::record::RecordError;
use crate::session::{Ending, Session, claimed};
use crate::text::redact;
use crate::workspace::survey::survey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

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
}

impl Mission {
    /// Takes the baseline: scan, tests, stamps; and picks what the issue speaks of.
    pub async fn begin(
        issue: String,
        test_command: Option<String>,
        session: &mut Session,
        host: &mut dyn Host,
    ) -> Result<Self, RecordError> {
        let world = Arc::clone(session.world());
        let mut look = survey(&world.workspace);
        let test_command = test_command.or_else(|| look.test_command.clone());
        look.test_command.clone_from(&test_command);
        // Work that is passed on is not begun.
        let ours = hand_over::asked(&issue).is_none();
        let findings = if ours { proof::scan_all(&world).await } else { Vec::new() };
        let sightings: Vec<Sighting> = findings.iter().map(Sighting::from).collect();
        let ask = Ask::of(&issue);
        let chosen = if ask.is_known() { ask.select(&sightings) } else { Vec::new() };
        let targets: Vec<String> = chosen.iter().map(|sighting| sighting.id.clone()).collect();
        let about: Vec<_> =
            findings.iter().filter(|finding| targets.contains(&finding.id)).cloned().collect();
        host.tell(Event::Findings { findings: about });
        // Without a target the tests may still be needed by a model that finds more than the scanner does;
        // the embedded rules end at once then, and a user should not wait for tests nobody compares.
        let needs_tests = ours
            && session.mode() != Mode::ReadOnly
            && (!targets.is_empty() || session.model() != crate::model::rules::NAME);
        let tests = match &test_command {
            Some(command) if needs_tests => Some(run_tests(command, "before", session, host).await),
            _ => None,
        };
        let stamps = proof::stamp_all(&world).await;
        let baseline = Baseline { findings, targets, tests, stamps };
        let mission = Self { issue, test_command, look: look.render(), baseline };
        session.note_mission(serde_json::to_value(&mission).unwrap_or_default())?;
        Ok(mission)
    }

    /// The first message: mission, issue, first look, what is known of the weaknesses it names.
    pub fn opening(&self) -> String {
        prompt::fix(&self.issue, &self.look, &Ask::of(&self.issue).families)
    }

    /// Looks again and says what became of it.
    pub async fn conclude(&self, session: &Session, ending: &Ending, host: &mut dyn Host) -> Report {
        let world = session.world();
        let changes = changes(session);
        let by_commands = self.changed_by_commands(session, &changes).await;
        let mut gates = Vec::new();
        if !(changes.is_empty() && by_commands.is_empty()) {
            let tests = match &self.test_command {
                Some(command) if !session.cancel().is_cancelled() => {
                    Some(run_tests(command, "after", session, host).await)
                }
                _ => None,
            };
            let after = After {
                findings: proof::scan_all(world).await,
                tests,
                changes: changes.clone(),
                by_commands,
            };
            gates = proof::judge(&self.issue, &self.baseline, &after);
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
        Report::of(Work {
            outcome,
            session,
            ending,
            changes: &changes,
            findings: targets.cloned().collect(),
            gates,
        })
    }

    async fn changed_by_commands(&self, session: &Session, changes: &[Change]) -> Vec<String> {
        if !session.deeds().iter().any(|deed| matches!(deed, Action::Run { .. })) {
            return Vec::new();
        }
        let now = proof::stamp_all(session.world()).await;
        let known = |path: &String| changes.iter().any(|change| change.path == *path);
        let touched = |(path, was): &(&String, &proof::Stamp)| now.get(*path) != Some(*was) && !known(path);
        self.baseline.stamps.iter().filter(touched).map(|(path, _)| path.clone()).collect()
    }
}

/// Runs the project's tests and says so: they are the repository's code, so they run behind the sandbox's walls.
async fn run_tests(command: &str, when: &str, session: &Session, host: &mut dyn Host) -> TestRun {
    let level = session.world().sandbox.level().name;
    host.tell(Event::Status { text: format!("tests {when} the change, sandbox {level}: {command}") });
    let run = proof::run_tests(session.world(), command, session.cancel()).await;
    host.tell(Event::Status { text: format!("tests {when} the change: {}", run.tail) });
    run
}

/// Every file that the agent's tools changed or made, and every one that its commands changed: as it was before
/// the first deed, as it is now.
pub fn changes(session: &Session) -> Vec<Change> {
    let (deeds, world) = (session.deeds(), session.world());
    let mut before: BTreeMap<String, Option<String>> = BTreeMap::new();
    for deed in deeds {
        let Action::Write { changes } = deed else { continue };
        for change in changes {
            if let Some(from) = &change.moved_from {
                before.entry(from.clone()).or_insert_with(|| change.before.clone());
                before.entry(change.path.clone()).or_insert(None);
            } else {
                before.entry(change.path.clone()).or_insert_with(|| change.before.clone());
            }
        }
    }
    for (path, text) in session.befores() {
        before.entry(path).or_insert(Some(text));
    }
    let now = |path: &str| {
        let place = world.workspace.place(path).ok()?;
        let content = world.workspace.read(&place).ok()?;
        content.text().map(ToOwned::to_owned)
    };
    before
        .into_iter()
        .map(|(path, before)| Change { after: now(&path), before, path, moved_from: None })
        // A record holds its deeds with secrets hidden, so that is how sides are compared.
        .filter(|change| change.before.as_deref().map(redact) != change.after.as_deref().map(redact))
        .collect()
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
            .map(|status| Gate { name: "closed".into(), status: *status, evidence: String::new() })
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
