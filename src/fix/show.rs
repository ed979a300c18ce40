//! A recorded session for whoever reviews it: report and transcript, from the record alone.

use super::Mission;
use super::page::page;
use super::report::Report;
use crate::event::Outcome;
use crate::message::{Message, Part, Role};
use crate::session::record::{Entry, RecordError};
use crate::session::shelf;
use crate::text::{clip, redact};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// Most bytes of one thing said.
const MAX_SAID: usize = 16 * 1024;
/// What is longer than this is folded in a page.
const LONG: usize = 600;

/// One thing that was said or done.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Said {
    /// `user`, `agent`, a tool's name.
    pub who: String,
    /// The words, cut to size, secrets hidden.
    pub text: String,
}

impl Said {
    pub(super) fn is_long(&self) -> bool {
        self.text.len() > LONG
    }
}

/// A session as its record tells it.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// The report, whole or as far as the work went.
    pub report: Report,
    /// What was said, in order.
    pub transcript: Vec<Said>,
}

/// Reads the session `id` below `state`; also one that is at work.
pub fn show(state: &Path, id: &str) -> Result<Shown, RecordError> {
    let mut report = None;
    let mut mission = None;
    let mut transcript = Vec::new();
    let mut outcome = None;
    let mut by = String::new();
    for entry in shelf::read(state, id)? {
        match entry {
            Entry::Start { model, .. } => by = model,
            Entry::Mission { mission: found } => {
                if let Ok(found) = serde_json::from_value::<Mission>(found) {
                    report = found.report.clone().map(|report| *report).or(report);
                    mission = Some(found);
                }
            }
            Entry::Message { message } => transcript.extend(said(&message)),
            Entry::End { outcome: found, .. } => outcome = Some(found),
            _ => {}
        }
    }
    let report = report.unwrap_or_else(|| {
        let words = transcript.iter().rev().find(|said: &&Said| said.who == "agent");
        let mut report = Report::failed(
            outcome.unwrap_or(Outcome::Cancelled),
            words.map_or("the session has not come to an end", |said| said.text.as_str()),
        );
        report.session_id = id.to_owned();
        report.model = by;
        if let Some(mission) = mission {
            report.issue = mission.issue;
            report.contract = mission.baseline.contract;
            report.findings = mission.baseline.findings;
            report.findings.retain(|finding| mission.baseline.targets.contains(&finding.id));
        }
        report
    });
    Ok(Shown { report, transcript })
}

impl Shown {
    /// As text: the report, then what was said.
    pub fn text(&self) -> String {
        let mut out =
            format!("{}\nSession {} ({})\n", self.report.title(), self.report.session_id, self.report.model);
        if let Some(contract) = &self.report.contract {
            let _ = writeln!(out, "\nContract\n{}", contract.render().trim_end());
        }
        let _ = writeln!(out, "\n{}", self.report.render().trim_end());
        if !self.report.patch.is_empty() {
            let _ = writeln!(out, "\nThe change\n{}", self.report.patch.trim_end());
        }
        if !self.transcript.is_empty() {
            let _ = writeln!(out, "\nTranscript");
            for said in &self.transcript {
                let _ = writeln!(out, "\n[{}]\n{}", said.who, said.text.trim_end());
            }
        }
        out
    }

    /// As one self-contained HTML page.
    pub fn html(&self) -> String {
        page(&self.report, &self.transcript)
    }
}

fn said(message: &Message) -> Vec<Said> {
    let speaker = if message.role == Role::User { "user" } else { "agent" };
    let one = |who: String, text: &str| {
        let text = redact(text);
        let cut = clip(&text, MAX_SAID);
        let more =
            if cut.left_out > 0 { format!("\n… {} bytes more", cut.left_out) } else { String::new() };
        Said { who, text: format!("{}{more}", cut.text) }
    };
    let parts = message.parts.iter().filter_map(|part| match part {
        Part::Text { text } if !text.trim().is_empty() => Some(one(speaker.to_owned(), text)),
        Part::Call(call) => Some(one(format!("agent calls {}", call.name), &call.arguments)),
        Part::Result(result) => {
            let how = if result.is_error { " refuses" } else { "" };
            Some(one(format!("{}{how}", result.name), &result.text))
        }
        _ => None,
    });
    parts.collect()
}
