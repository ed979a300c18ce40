//! The report: what was wrong, what changed, what is proven; as data and as text.

use crate::action::Change;
use crate::diff;
use crate::event::Outcome;
use crate::finding::Finding;
use crate::finding::contract::Contract;
use crate::finding::hand_over::HandOver;
use crate::message::Usage;
use crate::proof::{Gate, Review};
use crate::session::{Ending, Session};
use crate::text::redact;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::time::Instant;

/// Version of the result object.
const SCHEMA_VERSION: u32 = 1;

/// What a report is made of.
pub struct Work<'a> {
    /// How it ended, all told.
    pub outcome: Outcome,
    /// The session that did it.
    pub session: &'a Session,
    /// The model's last words.
    pub ending: &'a Ending,
    /// What the agent's tools changed.
    pub changes: &'a [Change],
    /// The weaknesses it was about.
    pub findings: Vec<Finding>,
    /// The gates; empty when nothing changed or it was no mission.
    pub gates: Vec<Gate>,
}

/// The result object: what a caller reads after everything is over. Secrets are hidden in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Version of this object.
    pub schema_version: u32,
    /// How it ended.
    pub status: Outcome,
    /// The model's last words, or the reason there are none.
    pub summary: String,
    /// Session id, for `agent resume`.
    pub session_id: String,
    /// `provider/model`.
    pub model: String,
    /// The change as one unified diff; empty when nothing changed.
    pub patch: String,
    /// SHA-256 of the patch, hex.
    pub patch_sha256: String,
    /// Files that changed.
    pub files: Vec<File>,
    /// The weaknesses it was about, as they were found.
    pub findings: Vec<Finding>,
    /// What is proven, and how.
    pub verification: Vec<Gate>,
    /// What the change had to keep to; `null` where it was no mission, or nothing was known.
    #[serde(default)]
    pub contract: Option<Contract>,
    /// The issue, as it was given. Untrusted.
    #[serde(default)]
    pub issue: String,
    /// What the bypass review said; `null` where none was asked for.
    #[serde(default)]
    pub review: Option<Review>,
    /// Commit the work began on, where the workspace is a git checkout.
    #[serde(default)]
    pub base_commit: Option<String>,
    /// Where the change was delivered; absent where it only lies in the working tree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// What a person must still do.
    pub by_hand: Vec<String>,
    /// What was passed on to another agent instead of being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hand_over: Option<HandOver>,
    /// What was denied.
    pub permission_denials: Vec<String>,
    /// Tokens.
    pub usage: Usage,
    /// What they cost in US dollars; `null` where the price is not known.
    pub cost_usd: Option<f64>,
    /// Answers of the model.
    pub turns: u32,
    /// Milliseconds from start to end, set by the door.
    pub duration_ms: u64,
}

/// Where a change was delivered.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Delivery {
    /// Branch that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Commit that holds it and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Address of the pull or merge request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<String>,
    /// Worktree the work was done in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// What was asked for and not done, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// A file that changed.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct File {
    /// Workspace-relative path.
    pub path: String,
    /// `A`, `M` or `D`.
    pub kind: String,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
}

impl Report {
    /// Puts it together.
    pub fn of(work: Work<'_>) -> Self {
        let patch: String = work
            .changes
            .iter()
            .map(|change| {
                // Hidden before they are compared: a line of a secret must not stand out as a change.
                let [before, after] = [&change.before, &change.after].map(|text| text.as_deref().map(redact));
                diff::unified(&change.path, before.as_deref(), after.as_deref())
            })
            .collect();
        let patch = redact(&patch).into_owned();
        let mut by_hand: Vec<String> = work
            .findings
            .iter()
            .filter_map(|finding| finding.fix.as_ref())
            .map(|fix| fix.by_hand.clone())
            .filter(|note| !note.is_empty() && !work.changes.is_empty())
            .collect();
        by_hand.sort_unstable();
        by_hand.dedup();
        Self {
            schema_version: SCHEMA_VERSION,
            status: work.outcome,
            summary: redact(work.ending.text.trim()).into_owned(),
            session_id: work.session.id().to_owned(),
            model: work.session.model().to_owned(),
            patch_sha256: hex(&Sha256::digest(patch.as_bytes())),
            patch,
            files: work.changes.iter().map(file).collect(),
            findings: work.findings,
            verification: work.gates,
            contract: None,
            issue: String::new(),
            review: None,
            base_commit: None,
            delivery: None,
            by_hand,
            hand_over: work.session.handed_over().cloned(),
            permission_denials: work
                .session
                .denials()
                .iter()
                .map(|denial| redact(denial).into_owned())
                .collect(),
            usage: work.session.usage(),
            cost_usd: work.session.cost(),
            turns: work.session.turns(),
            duration_ms: 0,
        }
    }

    /// The same with what the mission knows: its issue, its contract, its review and what that took.
    #[must_use]
    pub fn with_mission(mut self, issue: &str, contract: Option<Contract>, review: Option<Review>) -> Self {
        self.issue = redact(issue).into_owned();
        self.contract = contract.map(Contract::redacted);
        if let Some(review) = &review {
            self.usage.add(review.usage);
            self.cost_usd = self.cost_usd.zip(review.cost_usd).map(|(own, its)| own + its);
        }
        self.review = review;
        self
    }

    /// The report of words that were no mission.
    pub fn of_words(session: &Session, ending: &Ending, changes: &[Change]) -> Self {
        Self::of(Work {
            outcome: ending.outcome,
            session,
            ending,
            changes,
            findings: Vec::new(),
            gates: Vec::new(),
        })
    }

    /// The same with the time since `begun`.
    #[must_use]
    pub fn timed(mut self, begun: Instant) -> Self {
        self.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// The report of work that could not begin.
    pub fn failed(outcome: Outcome, why: &str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            status: outcome,
            summary: redact(why).into_owned(),
            session_id: String::new(),
            model: String::new(),
            patch: String::new(),
            patch_sha256: hex(&Sha256::digest(b"")),
            files: Vec::new(),
            findings: Vec::new(),
            verification: Vec::new(),
            contract: None,
            issue: String::new(),
            review: None,
            base_commit: None,
            delivery: None,
            by_hand: Vec::new(),
            hand_over: None,
            permission_denials: Vec::new(),
            usage: Usage::default(),
            cost_usd: None,
            turns: 0,
            duration_ms: 0,
        }
    }

    /// The report as plain text: what was wrong, what changed, what is proven, what is left to do.
    pub fn render(&self) -> String {
        let mut out = String::new();
        let name = serde_json::to_value(self.status).ok().and_then(|v| v.as_str().map(ToOwned::to_owned));
        let _ = writeln!(out, "Result: {}", name.unwrap_or_default());
        if !self.findings.is_empty() {
            let _ = writeln!(out, "\nWhat was wrong");
            for finding in &self.findings {
                let within = finding.within.as_deref().map(|w| format!(" in {w}")).unwrap_or_default();
                let _ = writeln!(
                    out,
                    "  {}:{}{within} (CWE-{}, {})",
                    finding.path,
                    finding.span.line,
                    finding.cwe,
                    finding.severity.name()
                );
                let _ =
                    writeln!(out, "    {}", finding.message.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
        if !self.files.is_empty() {
            let _ = writeln!(out, "\nWhat changed");
            for file in &self.files {
                let _ = writeln!(out, "  {} {} (+{} -{})", file.kind, file.path, file.added, file.removed);
            }
        }
        if !self.verification.is_empty() {
            let _ = writeln!(out, "\nWhat is proven");
            for gate in &self.verification {
                let _ = writeln!(out, "  {:<8} {:<16} {}", gate.status.name(), gate.name, gate.evidence);
            }
        }
        if let Some(delivery) = &self.delivery {
            let _ = writeln!(out, "\nWhere it is");
            let places = [
                ("worktree", &delivery.worktree),
                ("branch", &delivery.branch),
                ("commit", &delivery.commit),
                ("pull request", &delivery.pull_request),
            ];
            for (name, place) in places {
                if let Some(place) = place {
                    let _ = writeln!(out, "  {name}: {place}");
                }
            }
            for note in &delivery.left_out {
                let _ = writeln!(out, "  - {note}");
            }
        }
        for (title, notes) in
            [("What to do by hand", &self.by_hand), ("What was denied", &self.permission_denials)]
        {
            if !notes.is_empty() {
                let _ = writeln!(out, "\n{title}");
                for note in notes {
                    let _ = writeln!(out, "  - {note}");
                }
            }
        }
        out
    }
}

fn file(change: &Change) -> File {
    let (before, after) = (change.before.as_deref(), change.after.as_deref());
    let (added, removed) = diff::stats(before.unwrap_or_default(), after.unwrap_or_default());
    let kind = match (before, after) {
        (None, _) => "A",
        (_, None) => "D",
        _ => "M",
    };
    File { path: change.path.clone(), kind: kind.to_owned(), added, removed }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
