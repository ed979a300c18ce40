//! A weakness in the code, as data: where, what, why, and the change that would close it.

pub mod contract;
pub mod issue;
pub mod listing;
pub mod sarif;

use serde::{Deserialize, Serialize};

/// A family of weaknesses: what an issue, a rule and a prompt page talk about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// CWE-89.
    SqlInjection,
    /// CWE-78.
    CommandInjection,
    /// CWE-22.
    PathTraversal,
    /// CWE-798.
    HardcodedSecret,
    /// CWE-916.
    WeakPasswordHash,
    /// CWE-502.
    UnsafeDeserialization,
    /// CWE-209.
    ErrorDisclosure,
}

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

/// What is known of a family: its words, its page, its CWE.
pub struct FamilyFacts {
    /// The family.
    pub family: Family,
    /// Kebab-case name, as in rule files and `--family`.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Main CWE number.
    pub cwe: u32,
    /// Lower-case words an issue uses for it.
    pub words: &'static [&'static str],
}

/// All families, in the order of their CWE's rank in the wild.
pub const FAMILIES: &[FamilyFacts] = &[
    FamilyFacts {
        family: Family::SqlInjection,
        name: "sql-injection",
        title: "SQL injection",
        cwe: 89,
        words: &[
            "sql injection",
            "sqli",
            "sql-injection",
            "injectable query",
            "unparameterised",
            "unparameterized",
        ],
    },
    FamilyFacts {
        family: Family::CommandInjection,
        name: "command-injection",
        title: "OS command injection",
        cwe: 78,
        words: &["command injection", "shell injection", "command-injection", "os command", "remote command"],
    },
    FamilyFacts {
        family: Family::PathTraversal,
        name: "path-traversal",
        title: "path traversal",
        cwe: 22,
        words: &[
            "path traversal",
            "directory traversal",
            "path-traversal",
            "file inclusion",
            "arbitrary file",
        ],
    },
    FamilyFacts {
        family: Family::HardcodedSecret,
        name: "hardcoded-secret",
        title: "hard-coded secret",
        cwe: 798,
        words: &[
            "hard-coded",
            "hardcoded",
            "hard coded",
            "secret in the code",
            "secret in code",
            "embedded credential",
            "committed secret",
            "secret key in",
        ],
    },
    FamilyFacts {
        family: Family::WeakPasswordHash,
        name: "weak-password-hash",
        title: "weak password hashing",
        cwe: 916,
        words: &[
            "password hash",
            "hashing",
            "md5",
            "sha1",
            "sha-1",
            "weak hash",
            "unsalted",
            "password storage",
            "weak-password-hash",
        ],
    },
    FamilyFacts {
        family: Family::UnsafeDeserialization,
        name: "unsafe-deserialization",
        title: "unsafe deserialisation",
        cwe: 502,
        words: &[
            "deserialization",
            "deserialisation",
            "deserialize",
            "deserialise",
            "pickle",
            "yaml.load",
            "unpickl",
            "node-serialize",
        ],
    },
    FamilyFacts {
        family: Family::ErrorDisclosure,
        name: "error-disclosure",
        title: "error details sent to the client",
        cwe: 209,
        words: &[
            "error detail",
            "stack trace",
            "stacktrace",
            "traceback",
            "exception message",
            "error message",
            "error disclosure",
            "error-disclosure",
            "information leak",
            "leaks error",
            "leaking error",
            "internal error",
        ],
    },
];

impl Family {
    /// The facts of this family.
    pub fn facts(self) -> &'static FamilyFacts {
        FAMILIES.iter().find(|facts| facts.family == self).unwrap_or(&FAMILIES[0])
    }

    /// The family of a kebab-case name.
    pub fn named(name: &str) -> Option<Family> {
        FAMILIES.iter().find(|facts| facts.name == name).map(|facts| facts.family)
    }
}
