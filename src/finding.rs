//! A weakness in the code, as data: where, what, why, and the change that would close it.

pub mod contract;
pub mod baseline;
mod facts;
mod family;
pub mod hand_over;
pub mod issue;
pub mod listing;
pub mod reported;
pub mod sarif;

pub use facts::FAMILIES;
pub use family::{Family, FamilyFacts};

use serde::{Deserialize, Serialize};

/// How bad, in the words of SARIF's `security-severity` bands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Below 4.0.
    Low,
    /// 4.0 to 6.9.
    Medium,
    /// 7.0 to 8.9.
    High,
    /// 9.0 and more.
    Critical,
}

impl Severity {
    /// `low`, `medium`, `high` or `critical`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn named(name: &str) -> Option<Severity> {
        [Severity::Low, Severity::Medium, Severity::High, Severity::Critical]
            .into_iter()
            .find(|severity| severity.name() == name)
    }
}

/// How sure a fix is (see `rules/README.md`).
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash)]
pub enum Tier {
    /// A local rewrite; benign behaviour is provably the same.
    A,
    /// Needs an import, a helper or a changed signature; holds when the tests hold.
    B,
}

/// A place in a file. Lines and columns count from 1, columns in bytes, `end` is exclusive.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// Line of the first byte.
    pub line: usize,
    /// Column of the first byte.
    pub column: usize,
    /// Line of the last byte.
    pub end_line: usize,
}

/// One step of the way from where the attacker's value enters to where it does harm.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Step {
    /// Workspace-relative path.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What happens there, a few words.
    pub note: String,
}

/// A replacement of bytes in one file, against the text that was scanned.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct TextEdit {
    /// First byte replaced.
    pub start: usize,
    /// One past the last byte replaced.
    pub end: usize,
    /// The new text.
    pub text: String,
}

/// The change that closes a finding, all in the finding's own file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Fix {
    /// How sure it is.
    pub tier: Tier,
    /// What it does, one sentence.
    pub summary: String,
    /// What a person must still do (rotate the key, migrate stored hashes); empty when nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by_hand: String,
    /// Disjoint edits, in order.
    pub edits: Vec<TextEdit>,
}

/// A weakness found in the code.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Finding {
    /// Stable id: rule and normalised place, twelve hex digits; does not move with lines above it.
    pub id: String,
    /// Rule id, as in `rules/`.
    pub rule: String,
    /// Family.
    pub family: Family,
    /// CWE number.
    pub cwe: u32,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, why it matters, what to do.
    pub message: String,
    /// Workspace-relative path.
    pub path: String,
    /// The sink.
    pub span: Span,
    /// Name of the innermost enclosing function, and of the route it serves where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<String>,
    /// From source to sink.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flow: Vec<Step>,
    /// The proposed change; `None` when a safe automatic change is not possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// Why there is no fix, when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_no_fix: Option<String>,
}

/// A finding that a comment in the code sets aside, with the reason it gives.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Suppressed {
    /// The finding; no fix is prepared for it.
    pub finding: Finding,
    /// The reason.
    pub reason: String,
}

impl Fix {
    /// `text` with the edits made. `None` when an edit lies outside the text or overlaps another.
    pub fn apply(&self, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len() + 64);
        let mut at = 0;
        for edit in &self.edits {
            if edit.start < at || edit.end < edit.start {
                return None;
            }
            out.push_str(text.get(at..edit.start)?);
            text.get(edit.start..edit.end)?;
            out.push_str(&edit.text);
            at = edit.end;
        }
        out.push_str(text.get(at..)?);
        Some(out)
    }
}
