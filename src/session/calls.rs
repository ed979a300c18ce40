//! What becomes of an answer's calls: understood, judged, asked about, performed, answered in order.

use super::arguments::parse_arguments;
use super::ledger::Note;
use super::record::{Entry, RecordError};
use super::{Session, trace};
use crate::action::Action;
use crate::event::{Event, Host};
use crate::message::{Part, ToolCall, ToolResult};
use crate::policy::{Permit, Verdict};
use crate::text::stream::Stream;
use crate::text::{clip, printable, redact};
use crate::tool::{self, Leave, Plan, Progress, Request, ToolError, ToolOutput};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// The most a result may say to the model, in bytes. Tools cap themselves well below; this is the last net.
const MAX_RESULT: usize = 96 * 1024;

/// A call, and how far it has come.
pub(super) struct Call {
    pub(super) asked: ToolCall,
    pub(super) started: Started,
    /// What the account says of it when it has gone well.
    about: Vec<Note>,
    begun: Instant,
}

/// How far a call has come.
pub(super) enum Started {
    /// It is understood; nobody has judged it.
    Planned(Plan),
    /// It only looks, was allowed, and is under way.
    Running(JoinHandle<Result<ToolOutput, ToolError>>),
    /// It could not be understood.
    Refused(ToolError),
    /// It has been taken to be performed.
    Taken,
}

/// The answers to an answer's calls.
pub(super) struct Results {
    pub(super) parts: Vec<Part>,
    /// What was done, for the account.
    pub(super) notes: Vec<Note>,
    /// Why the turn should end: the model repeats itself.
    pub(super) stuck: Option<String>,
}

/// At this many same calls in a row the model is told.
const TOLD_AT: u32 = 3;
/// At this many the turn ends.
const STOPPED_AT: u32 = 5;

impl Drop for Call {
    fn drop(&mut self) {
        // A call that is given up (retry, cancel) must not go on in the dark.
        if let Started::Running(task) = &self.started {
            task.abort();
        }
    }
}

impl Session {
    /// Finds the tool and plans the call. Planning looks and touches nothing.
    pub(super) fn understand(&self, call: ToolCall) -> Call {
        let (started, about) = match self.plan(&call) {
            Ok(plan) => {
                let about = about(&call.name, &plan.action);
                (Started::Planned(plan), about)
            }
            Err(error) => (Started::Refused(error), Vec::new()),
        };
        Call { asked: call, started, about, begun: Instant::now() }
    }

    fn plan(&self, call: &ToolCall) -> Result<Plan, ToolError> {
        let Some(tool) = self.parts.toolbox.find(&call.name) else {
            let names = self.parts.toolbox.names().join(", ");
            return Err(ToolError::Arguments(format!(
                "there is no tool `{}`; there are: {names}",
                call.name
            )));
        };
        let args = parse_arguments(&call.arguments).map_err(ToolError::Arguments);
        args.and_then(|args| tool.plan(&args, &self.parts.world)).map_err(|error| match error {
            ToolError::Arguments(reason) => {
                let schema = &tool.spec().parameters;
                ToolError::Arguments(format!("{reason}\nThe arguments of `{}` are: {schema}", call.name))
            }
            failed @ ToolError::Failed(_) => failed,
        })
    }

    /// Starts a call that only looks and that policy simply allows.
    pub(super) fn start_if_it_only_looks(&self, call: &mut Call, host: &mut dyn Host) {
        let Started::Planned(plan) = &call.started else { return };
        if !plan.action.is_read_only() {
            return;
        }
        let Verdict::Allow(permit) = self.parts.policy.judge(&plan.action) else { return };
        let Started::Planned(plan) = std::mem::replace(&mut call.started, Started::Taken) else { return };
        announce(&call.asked, Some(&plan.action), host);
        let progress = Progress { cancel: self.parts.cancel.clone(), ..Progress::silent() };
        let span = trace::tool(&call.asked.name, &call.asked.id);
        call.started = Started::Running(tokio::spawn(plan.perform(permit, progress).instrument(span)));
    }

    /// Answers every call, in order. Calls that only look run side by side, all others alone.
    pub(super) async fn answer_calls(
        &mut self,
        mut calls: Vec<Call>,
        host: &mut dyn Host,
    ) -> Result<Results, RecordError> {
        let mut results = Results { parts: Vec::new(), notes: Vec::new(), stuck: None };
        for at in 0..calls.len() {
            // Whatever only looks, up to the next call that does more, may start now.
            for later in &mut calls[at..] {
                self.start_if_it_only_looks(later, host);
                if !matches!(later.started, Started::Running(_)) {
                    break;
                }
            }
            let call = &mut calls[at];
            let started = std::mem::replace(&mut call.started, Started::Taken);
            let denials = self.denials.len();
            let outcome = if self.parts.cancel.is_cancelled() {
                Err(ToolError::Failed("interrupted by the user before it began".into()))
            } else {
                self.finish(&call.asked, started, host).await?
            };
            if let Ok(output) = &outcome {
                results
                    .notes
                    .extend(std::mem::take(&mut call.about).into_iter().map(|note| done(note, output)));
            }
            let denied = self.denials[denials..].iter().map(|what| Note::Denied { what: what.clone() });
            results.notes.extend(denied);
            let (call, begun) = (call.asked.clone(), call.begun);
            let repeats = self.repeats.count(&call);
            let mut result = tell_result(&call, outcome, repeats, begun, host);
            if self.blind && !result.images.is_empty() {
                result.images.clear();
                result.text.push_str(super::lighten::BLIND);
            }
            results.parts.push(Part::Result(result));
            if repeats >= STOPPED_AT {
                results.stuck = Some(format!(
                    "stopped: the model called `{}` with the same arguments {repeats} times in a row",
                    call.name
                ));
            }
        }
        Ok(results)
    }

    async fn finish(
        &mut self,
        call: &ToolCall,
        started: Started,
        host: &mut dyn Host,
    ) -> Result<Result<ToolOutput, ToolError>, RecordError> {
        match started {
            Started::Refused(error) => {
                announce(call, None, host);
                Ok(Err(error))
            }
            Started::Running(mut task) => {
                let cancel = self.parts.cancel.clone();
                tokio::select! {
                    done = &mut task => Ok(done.unwrap_or_else(|error| Err(ToolError::Failed(format!("the tool broke: {error}"))))),
                    () = cancel.cancelled() => {
                        task.abort();
                        Ok(Err(ToolError::Failed("interrupted by the user".into())))
                    }
                }
            }
            Started::Planned(plan) => self.judge_and_perform(call, plan, host).await,
            Started::Taken => Ok(Err(ToolError::Failed("the call was lost; make it again".into()))),
        }
    }

    async fn judge_and_perform(
        &mut self,
        call: &ToolCall,
        plan: Plan,
        host: &mut dyn Host,
    ) -> Result<Result<ToolOutput, ToolError>, RecordError> {
        announce(call, Some(&plan.action), host);
        self.take_switch(host);
        let (plan, permit) = match self.permit_for(call, &plan.action, host).await {
            Ok((None, permit)) => (plan, permit),
            Ok((Some(changes), permit)) => {
                (tool::write::plan_instead(&plan.action, changes, &self.parts.world), permit)
            }
            Err(reason) => {
                self.stopped_by_denial |= !plan.action.is_read_only();
                self.denials.push(hide(&format!("{}: {reason}", plan.action.title())));
                return Ok(Err(ToolError::Failed(format!("denied: {reason}"))));
            }
        };
        let changes = !plan.action.is_read_only();
        if changes {
            // Noted before it is done: after a crash, what may have happened is known.
            self.record.append(&Entry::Deed { action: plan.action.clone().map_text(&hide) })?;
            self.push_deed(plan.action.clone());
        }
        self.parts.policy.spend(&plan.action);
        let span = trace::tool(&call.name, &call.id);
        let outcome = self.perform_kept(plan, permit, call, host).instrument(span).await;
        self.stopped_by_denial &= !(changes && outcome.is_ok());
        Ok(outcome)
    }

    /// Performs a plan once the journal has what it takes to undo it.
    async fn perform_kept(
        &mut self,
        plan: Plan,
        permit: Permit,
        call: &ToolCall,
        host: &mut dyn Host,
    ) -> Result<ToolOutput, ToolError> {
        let action = plan.action.clone();
        let step = match &self.keep {
            Some(keep) => keep.begin(&self.parts.world, &action, self.turns).await?,
            None => None,
        };
        let outcome = self.perform(plan, permit, call, host).await;
        match (&self.keep, step) {
            (Some(keep), Some(step)) => keep.settle(&self.parts.world, step, &action, outcome).await,
            _ => outcome,
        }
    }

    /// Performs a plan, passes on what it prints, and has what it asks for meanwhile judged. Never dropped
    /// half-way: on cancel the deed is told and comes to its own end, so that no file is left half-written and
    /// no process behind.
    async fn perform(
        &mut self,
        plan: Plan,
        permit: Permit,
        call: &ToolCall,
        host: &mut dyn Host,
    ) -> Result<ToolOutput, ToolError> {
        let (sender, mut receiver) = mpsc::unbounded_channel::<String>();
        let (asking, mut asked) = mpsc::unbounded_channel();
        let (disclosing, mut disclosed) = mpsc::unbounded_channel();
        let progress = Progress {
            tell: Arc::new(move |piece| {
                let _ = sender.send(piece.to_owned());
            }),
            cancel: self.parts.cancel.clone(),
            leave: Leave::of(self.parts.policy.clone(), asking).disclosing(disclosing),
        };
        let mut deed = Box::pin(plan.perform(permit, progress));
        let mut hiding = Stream::default();
        let show = |host: &mut dyn Host, delta: String| {
            if !delta.is_empty() {
                host.tell(Event::ToolUpdate { id: call.id.clone(), delta });
            }
        };
        let outcome = loop {
            tokio::select! {
                biased;
                Some(piece) = receiver.recv() => show(host, hiding.push(&piece)),
                Some(Request { action, answer }) = asked.recv() => {
                    // The deed goes on while somebody thinks; when it ends first, the answer is not needed.
                    let settled = tokio::select! {
                        settled = self.permit_for(call, &action, host) => settled,
                        outcome = &mut deed => break outcome,
                    };
                    if let Err(reason) = &settled {
                        self.denials.push(hide(&format!("{}: {reason}", action.title())));
                    }
                    let _ = answer.send(settled.map(drop));
                }
                outcome = &mut deed => break outcome,
            }
        };
        while let Ok(piece) = receiver.try_recv() {
            show(host, hiding.push(&piece));
        }
        show(host, hiding.finish());
        while let Ok(words) = disclosed.try_recv() {
            self.disclosed.push((call.id.clone(), words));
        }
        outcome
    }
}

fn tell_result(
    call: &ToolCall,
    outcome: Result<ToolOutput, ToolError>,
    repeats: u32,
    begun: Instant,
    host: &mut dyn Host,
) -> ToolResult {
    let (mut text, summary, images, is_error) = match outcome {
        Ok(output) => (output.text, output.summary, output.images, false),
        Err(error) => {
            let text = error.to_string();
            (text.clone(), text.lines().next().unwrap_or_default().to_owned(), Vec::new(), true)
        }
    };
    let clipped = clip(&text, MAX_RESULT);
    if clipped.left_out > 0 {
        text = format!("{}\n[{} bytes left out]", clipped.text, clipped.left_out);
    }
    // The one place where results leave for the model, the record and the screen.
    let mut text = redact(&text).into_owned();
    if repeats >= TOLD_AT {
        text.push_str(
            "\n[The same call with the same arguments came several times in a row; do something else.]",
        );
    }
    host.tell(Event::ToolResult {
        id: call.id.clone(),
        tool: call.name.clone(),
        ok: !is_error,
        summary: clip(&redact(&summary), 300).text.to_owned(),
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    ToolResult { call_id: call.id.clone(), name: call.name.clone(), text, is_error, images }
}

/// What an action is to the account.
fn about(tool: &str, action: &Action) -> Vec<Note> {
    match action {
        // The other tools that look search: what they saw is no file that was read.
        Action::Read { paths } if tool == "read" => {
            paths.iter().map(|path| Note::Read { path: path.clone() }).collect()
        }
        Action::Write { changes } => {
            changes.iter().map(|change| Note::Changed { path: change.path.clone() }).collect()
        }
        Action::Run { command, .. } => vec![Note::Ran { command: hide(command), exit: None }],
        Action::Fetch { url, .. } => vec![Note::Fetched { url: hide(url) }],
        _ => Vec::new(),
    }
}

/// The same note once it is known how the call ended.
fn done(note: Note, output: &ToolOutput) -> Note {
    match note {
        Note::Ran { command, .. } => Note::Ran { command, exit: output.exit },
        note => note,
    }
}

fn announce(call: &ToolCall, action: Option<&Action>, host: &mut dyn Host) {
    let title = match action {
        // Five tools look; which one does is what a person wants to know.
        Some(Action::Read { paths }) => format!("{} {}", call.name, paths.join(", ")),
        Some(action) => action.title(),
        None => call.name.clone(),
    };
    host.tell(Event::ToolCall {
        id: call.id.clone(),
        tool: call.name.clone(),
        title: redact(&printable(&title)).into_owned(),
        action: action.cloned().map(|action| action.map_text(&hide)),
    });
}

/// Text as it may leave the house.
pub(super) fn hide(text: &str) -> String {
    redact(text).into_owned()
}
