//! The contract of a mission: what is agreed before anything is edited, as data and as text.

use super::{Family, Finding};
use crate::text::redact;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Most files a contract may name.
const MAX_FILES: usize = 24;

/// Most places of one kind that are written out.
const SHOWN: usize = 6;

/// Longest line of a contract, in characters.
const MAX_LINE: usize = 600;

/// What a change has to keep to. Words come from the scanner, else from the model; both are untrusted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Contract {
    /// Route, handler, job or message where it comes in.
    pub entry_point: String,
    /// Which value, and what it may hold.
    pub attacker_input: String,
    /// Each step from there to the sink.
    pub path_to_sink: String,
    /// What must hold at the sink whatever the input is.
    pub invariant: String,
    /// Where one change enforces it for every caller.
    pub narrowest_place: String,
    /// What must stay as it is.
    pub behaviour_to_keep: String,
    /// Workspace-relative files that may change; new tests may be added besides.
    pub files_in_scope: Vec<String>,
    /// A command that fails while the weakness is there and passes when it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Whether the model has had its say.
    pub declared: bool,
}

/// The lines of a contract by the words they begin with.
const LABELS: &[&str] = &[
    "entry point",
    "attacker input",
    "path to the sink",
    "invariant",
    "narrowest place",
    "behaviour to keep",
    "behavior to keep",
    "files in scope",
    "check",
];

impl Contract {
    /// What the scanner knows; `None` where it found nothing.
    pub fn of(findings: &[Finding], test_command: Option<&str>) -> Option<Self> {
        findings.first()?;
        let mut files: Vec<String> = Vec::new();
        for path in findings.iter().flat_map(|finding| {
            std::iter::once(&finding.path).chain(finding.flow.iter().map(|step| &step.path))
        }) {
            if !files.contains(path) && files.len() < MAX_FILES {
                files.push(path.clone());
            }
        }
        let entries = findings.iter().map(|finding| {
            let within = finding.within.clone().unwrap_or_else(|| "the module itself".to_owned());
            format!("{within} in {}", finding.path)
        });
        let inputs = findings.iter().map(|finding| match finding.flow.first() {
            Some(step) => format!("{} ({}:{})", step.note, step.path, step.line),
            None => "none is needed: the weakness stands in the code itself".to_owned(),
        });
        let ways = findings.iter().map(|finding| {
            let steps: Vec<String> = finding
                .flow
                .iter()
                .map(|step| format!("{}:{} {}", step.path, step.line, step.note))
                .collect();
            let sink = format!("{}:{} {}", finding.path, finding.span.line, finding.rule);
            if steps.is_empty() { sink } else { format!("{} → {sink}", steps.join(" → ")) }
        });
        let places = findings.iter().map(|finding| format!("{}:{}", finding.path, finding.span.line));
        let mut invariants: Vec<&str> = findings.iter().map(|finding| invariant(finding.family)).collect();
        invariants.dedup();
        let tests = match test_command {
            Some(command) => format!("`{command}` gives what it gave before; "),
            None => String::new(),
        };
        Some(Self {
            entry_point: several(entries),
            attacker_input: several(inputs),
            path_to_sink: several(ways),
            invariant: invariants.join("; "),
            narrowest_place: several(places),
            behaviour_to_keep: format!("{tests}results, status codes and errors for legitimate input"),
            files_in_scope: files,
            check: None,
            declared: false,
        })
    }

    /// Reads the contract that a model wrote; `None` where a text holds none. Half of the lines make one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut found: Vec<(usize, String)> = Vec::new();
        let mut open = false;
        for line in text.lines() {
            let bare = line.trim().trim_start_matches(['-', '*', '#', ' ', '>', '|']).trim();
            let lower = bare.to_lowercase();
            let label = LABELS.iter().position(|label| {
                lower
                    .strip_prefix(label)
                    .is_some_and(|rest| rest.trim_start_matches(['*', '_', ' ']).starts_with(':'))
            });
            if let Some(at) = label {
                let rest = bare.split_once(':').map_or("", |(_, rest)| rest);
                found.push((at, rest.trim_matches(['*', ' ', '_']).to_owned()));
                open = true;
            } else if line.trim().is_empty() || line.trim_start().starts_with('#') || line.starts_with("```")
            {
                open = false;
            } else if open && let Some((_, value)) = found.last_mut() {
                if !value.is_empty() {
                    value.push(' ');
                }
                value.push_str(bare);
            }
        }
        let value = |names: &[usize]| {
            let line = found.iter().find(|(at, text)| names.contains(at) && !text.is_empty());
            line.map(|(_, text)| cut(text)).unwrap_or_default()
        };
        let contract = Self {
            entry_point: value(&[0]),
            attacker_input: value(&[1]),
            path_to_sink: value(&[2]),
            invariant: value(&[3]),
            narrowest_place: value(&[4]),
            behaviour_to_keep: value(&[5, 6]),
            files_in_scope: paths(&[value(&[7]), value(&[4]), value(&[2])].join(" ")),
            check: command(&value(&[8])),
            declared: true,
        };
        let lines = [
            &contract.entry_point,
            &contract.attacker_input,
            &contract.path_to_sink,
            &contract.invariant,
            &contract.narrowest_place,
            &contract.behaviour_to_keep,
        ];
        (lines.iter().filter(|line| !line.is_empty()).count() >= 3).then_some(contract)
    }

    /// Both together: the scanner's words stand where it has any, the model's fill the rest; files are joined.
    #[must_use]
    pub fn joined(mut self, said: Contract) -> Self {
        let Contract { files_in_scope, check, declared, .. } = &said;
        for path in files_in_scope {
            if !self.files_in_scope.contains(path) && self.files_in_scope.len() < MAX_FILES {
                self.files_in_scope.push(path.clone());
            }
        }
        self.check = check.clone().or(self.check);
        self.declared |= declared;
        for (mine, theirs) in [
            (&mut self.entry_point, said.entry_point),
            (&mut self.attacker_input, said.attacker_input),
            (&mut self.path_to_sink, said.path_to_sink),
            (&mut self.invariant, said.invariant),
            (&mut self.narrowest_place, said.narrowest_place),
            (&mut self.behaviour_to_keep, said.behaviour_to_keep),
        ] {
            if mine.is_empty() {
                *mine = theirs;
            }
        }
        self
    }

    /// The same with secrets hidden.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        for text in [
            &mut self.entry_point,
            &mut self.attacker_input,
            &mut self.path_to_sink,
            &mut self.invariant,
            &mut self.narrowest_place,
            &mut self.behaviour_to_keep,
        ] {
            *text = redact(text).into_owned();
        }
        self.check = self.check.map(|check| redact(&check).into_owned());
        self
    }

    /// The contract as lines of `- **Name**: text`, in the order the prompt asks for them.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for (name, text) in self.lines() {
            if !text.is_empty() {
                // Writing to a String cannot fail.
                let _ = writeln!(out, "- **{name}**: {text}");
            }
        }
        out
    }

    /// Name and text of every line.
    pub fn lines(&self) -> [(&'static str, String); 8] {
        [
            ("Entry point", self.entry_point.clone()),
            ("Attacker input", self.attacker_input.clone()),
            ("Path to the sink", self.path_to_sink.clone()),
            ("Invariant", self.invariant.clone()),
            ("Narrowest place", self.narrowest_place.clone()),
            ("Behaviour to keep", self.behaviour_to_keep.clone()),
            ("Files in scope", self.files_in_scope.join(", ")),
            ("Check", self.check.clone().map(|check| format!("`{check}`")).unwrap_or_default()),
        ]
    }
}

/// The command a model names as its check, out of backticks; a word that says there is none is none.
pub fn command(text: &str) -> Option<String> {
    let text = text.trim();
    let inner = match text.split_once('`') {
        Some((_, rest)) => rest.split('`').next().unwrap_or_default(),
        None => text,
    };
    let inner = inner.trim();
    let none = ["", "none", "n/a", "-", "nothing", "no", "not needed", "the scanner's finding"];
    (!none.contains(&inner.to_lowercase().trim_end_matches('.'))).then(|| cut(inner))
}

fn several(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    all.dedup();
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    cut(&all.join("; "))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_LINE {
        return text.to_owned();
    }
    text.chars().take(MAX_LINE).chain(std::iter::once('…')).collect()
}

/// Plain workspace-relative paths in a text. Patterns and folders are no paths: scope is named file by file.
fn paths(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || "`,;()[]{}<>\"'→|".contains(c)) {
        let word = word.trim_matches(|c: char| ".:*_".contains(c) && c != '_').trim_end_matches('.');
        let word = word.split(':').next().unwrap_or_default();
        let word = word.strip_prefix("./").unwrap_or(word);
        let name = word.rsplit('/').next().unwrap_or(word);
        let is_file = name.rsplit_once('.').is_some_and(|(stem, ending)| {
            (!stem.is_empty() || !ending.is_empty())
                && ending.len() <= 10
                && ending.chars().all(|c| c.is_ascii_alphanumeric())
                && ending.chars().any(|c| c.is_ascii_alphabetic())
        });
        let is_plain =
            !word.starts_with('/') && !word.split('/').any(|part| part == "..") && !word.contains('*');
        if is_file && is_plain && !out.iter().any(|known| known == word) && out.len() < MAX_FILES {
            out.push(word.to_owned());
        }
    }
    out
}

/// What must hold at the sinks of a family.
fn invariant(family: Family) -> &'static str {
    match family {
        Family::SqlInjection => "no input becomes part of a statement's text; values are bound",
        Family::CommandInjection => "no input is read by a shell; it stays one argument",
        Family::PathTraversal => "the path that is opened lies beneath its folder, links resolved",
        Family::HardcodedSecret => {
            "no secret stands in the code; without its value the program does not start"
        }
        Family::WeakPasswordHash => {
            "passwords are stored salted by a slow hash and compared in constant time"
        }
        Family::UnsafeDeserialization => "input is read as data and creates no objects",
        Family::ErrorDisclosure => "the client learns that it failed, the log learns why",
        Family::CrossSiteScripting => "input is text in a page, never markup",
        Family::ServerSideRequestForgery => "requests go to hosts that are listed, and to no private address",
        Family::CodeInjection | Family::TemplateInjection => "input is data, never code or template",
        Family::VulnerableDependency => "no lock file pins an affected version",
        Family::XmlExternalEntity => "no document makes the parser open anything",
        _ => "what the rule's message demands holds at the sink for every input",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_model_writes() {
        let text = "First the contract:\n\n- **Entry point**: POST /login\n- **Attacker input**: `name`, any text\n\
                    - **Path to the sink**: app.py:3 → db/users.py:9\n- **Invariant**: bound values\n\
                    - **Narrowest place**: `db/users.py:9`\n- **Behaviour to keep**: 200 and 401\n\
                    - **Files in scope**: db/users.py, ../x.py, /etc/a.b, src/*.py\n- **Check**: `python3 exploit.py`\n\nNow I read.";
        let contract = Contract::parse(text).unwrap();
        assert_eq!(contract.entry_point, "POST /login");
        assert_eq!(contract.files_in_scope, ["db/users.py", "app.py"]);
        assert_eq!(contract.check.as_deref(), Some("python3 exploit.py"));
        assert!(contract.declared);
        let again = Contract::parse(&contract.render()).unwrap();
        assert_eq!(again.invariant, contract.invariant);
    }

    #[test]
    fn takes_other_spellings_and_no_loose_talk() {
        let check = |text: &str, expected: bool| {
            assert_eq!(Contract::parse(text).is_some(), expected, "{text}");
        };
        check("Entry point: a\nAttacker input: b\nInvariant: c", true);
        check("## Contract\n**Entry point:** a\n**Attacker input:** b\n**Invariant:**\n  c\n", true);
        check("The entry point is a. The invariant holds.", false);
        check("Entry point: a", false);
        check("", false);
    }

    #[test]
    fn a_check_is_a_command_or_nothing() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(command(text).as_deref(), expected, "{text}");
        check("`sh exploit.sh`, which prints", Some("sh exploit.sh"));
        check("make exploit", Some("make exploit"));
        check("None.", None);
        check("n/a", None);
        check("", None);
    }
}
