//! The embedded hands of an upgrade: a model that issues the calls of a plan and decides nothing. What it does is
//! judged, asked for and recorded like any other model's work.

use super::{Advisory, Plan};
use crate::message::{ToolResult, Usage};
use crate::model::rules::NAME;
use crate::model::{Delta, Model, ModelError, Request, Stop};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};

/// Works a plan off.
pub struct Upgrade {
    id: String,
    plan: Plan,
    test_command: Option<String>,
}

impl Upgrade {
    /// Hands for the plan of an advisory.
    pub fn of(advisory: &Advisory, plan: Plan, test_command: Option<String>) -> Self {
        Self { id: advisory.id.clone(), plan, test_command }
    }

    fn calls(&self) -> Vec<Vec<(&'static str, Value)>> {
        let mut paths: Vec<&String> =
            self.plan.steps.iter().filter(|step| step.edit.is_some()).map(|step| &step.path).collect();
        paths.dedup();
        let reads = paths.iter().map(|path| ("read", json!({ "filePath": path }))).collect();
        let edits = self.plan.steps.iter().filter_map(|step| {
            let (old, new) = step.edit.as_ref()?;
            Some(("edit", json!({ "filePath": step.path, "oldString": old, "newString": new })))
        });
        let commands = self.plan.steps.iter().filter(|step| step.edit.is_none()).filter_map(|step| {
            let (offline, _) = step.command.as_ref()?;
            Some(("bash", json!({ "command": offline })))
        });
        let tests = self.test_command.iter().map(|command| ("bash", json!({ "command": command })));
        let rounds = [reads, edits.collect(), commands.collect(), tests.collect::<Vec<_>>()];
        rounds.into_iter().filter(|round: &Vec<_>| !round.is_empty()).collect()
    }

    /// The last words, by what the calls gave.
    fn last(&self, results: &[&ToolResult]) -> String {
        // The tests are for the gates to judge; what brings a lock file up to date has to end well.
        let tests =
            self.test_command.is_some().then(|| format!("upgrade_{}_", self.calls().len().saturating_sub(1)));
        let failed = results.iter().find(|result| {
            let is_test = tests.as_ref().is_some_and(|tests| result.call_id.starts_with(tests.as_str()));
            let ended_well =
                ["exit 0", "exit code 0", "exit code: 0"].iter().any(|end| result.text.contains(end));
            result.is_error || (result.name == "bash" && !is_test && !ended_well)
        });
        let by_command: Vec<&str> = self
            .plan
            .steps
            .iter()
            .filter(|step| step.edit.is_none())
            .filter_map(|step| step.command.as_ref().map(|(_, online)| online.as_str()))
            .collect();
        let steps: Vec<String> = self
            .plan
            .steps
            .iter()
            .map(|step| format!("{}: {} {} to {}", step.path, step.name, step.from, step.to))
            .collect();
        if self.plan.steps.is_empty() {
            let why = self.plan.blocked.join("\n");
            return if why.is_empty() {
                format!(
                    "Status: no_change\nNo lock file or pinned manifest here holds a version that {} affects.",
                    self.id
                )
            } else {
                format!("Status: blocked\n{why}")
            };
        }
        let mut out = match (failed, by_command.is_empty()) {
            (Some(_), false) => format!(
                "Status: blocked\nWithout a network the lock file cannot be brought up to date here. Run:\n{}",
                by_command.join("\n")
            ),
            (Some(failed), true) => format!("Status: not_fixed\n{}", failed.text),
            (None, _) => format!(
                "Status: fixed\n{} is closed by the smallest compatible version.\nChanged: {}",
                self.id,
                steps.join("; ")
            ),
        };
        for why in &self.plan.blocked {
            out.push_str("\nLeft: ");
            out.push_str(why);
        }
        out
    }
}

impl Model for Upgrade {
    fn name(&self) -> &str {
        NAME
    }

    fn stream<'a>(&'a self, request: Request<'a>) -> BoxStream<'a, Result<Delta, ModelError>> {
        let results: Vec<&ToolResult> =
            request.messages.iter().flat_map(crate::message::Message::results).collect();
        let done = request.messages.iter().filter(|message| message.calls().next().is_some()).count();
        let rounds = self.calls();
        let refused = results.iter().any(|result| result.is_error);
        let mut deltas = Vec::new();
        let stop = if let Some(round) = rounds.get(done).filter(|_| !refused) {
            deltas.push(Delta::Text(format!("{}, step {}.", self.id, done + 1)));
            for (index, (name, arguments)) in round.iter().enumerate() {
                let id = format!("upgrade_{done}_{index}");
                deltas.push(Delta::CallStart { index, id, name: (*name).to_owned() });
                deltas.push(Delta::CallArguments { index, fragment: arguments.to_string() });
                deltas.push(Delta::CallEnd { index });
            }
            Stop::ToolUse
        } else {
            deltas.push(Delta::Text(self.last(&results)));
            Stop::End
        };
        deltas.push(Delta::Usage(Usage::default()));
        deltas.push(Delta::Stop(stop));
        stream::iter(deltas.into_iter().map(Ok)).boxed()
    }
}
