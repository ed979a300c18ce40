//! Findings as the text that the `scan` tool gives, and that text back to findings.
//!
//! One block per finding, blocks apart by an empty line:
//! ~~~text
//! 4f1c09ab22e0 py-sql-dbapi sql-injection critical CWE-89 notes/accounts.py:12-14 in login (POST /login)
//!   message: …
//!   flow: notes/accounts.py:10 `name` comes from the request
//!   fix: what it does
//!   by hand: what a person must still do
//!   no fix: why there is none
//! ```diff
//! …
//! ```
//! ~~~

use super::issue::Sighting;
use super::{Family, Finding};
use crate::diff;
use std::fmt::Write as _;

/// A finding as read back from the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where and what.
    pub sighting: Sighting,
    /// What is wrong.
    pub message: String,
    /// What the proposed change does.
    pub fix: Option<String>,
    /// The proposed change, a unified diff of one file.
    pub diff: Option<String>,
    /// What a person must still do.
    pub by_hand: Option<String>,
    /// Why there is no proposed change.
    pub no_fix: Option<String>,
}

/// Writes one block. `text` is the file as it was scanned.
pub fn render(finding: &Finding, text: &str) -> String {
    let lines = if finding.span.end_line > finding.span.line {
        format!("{}-{}", finding.span.line, finding.span.end_line)
    } else {
        finding.span.line.to_string()
    };
    let within =
        finding.within.as_deref().map(|within| format!(" in {}", one_line(within))).unwrap_or_default();
    let mut out = format!(
        "{} {} {} {} CWE-{} {}:{lines}{within}\n",
        finding.id,
        finding.rule,
        finding.family.facts().name,
        finding.severity.name(),
        finding.cwe,
        finding.path,
    );
    field(&mut out, "message", &finding.message);
    for step in &finding.flow {
        field(&mut out, "flow", &format!("{}:{} {}", step.path, step.line, step.note));
    }
    let fixed = finding.fix.as_ref().and_then(|fix| fix.apply(text));
    if let (Some(fix), Some(fixed)) = (&finding.fix, fixed) {
        field(&mut out, "fix", &fix.summary);
        if !fix.by_hand.is_empty() {
            field(&mut out, "by hand", &fix.by_hand);
        }
        let _ = writeln!(out, "```diff\n{}```", diff::unified(&finding.path, Some(text), Some(&fixed)));
    } else if let Some(reason) = &finding.why_no_fix {
        field(&mut out, "no fix", reason);
    }
    out
}

/// Reads the blocks back; lines that belong to none are passed over.
pub fn parse(text: &str) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(sighting) = header(line) {
            found.push(Listed {
                sighting,
                message: String::new(),
                fix: None,
                diff: None,
                by_hand: None,
                no_fix: None,
            });
        } else if let Some(last) = found.last_mut() {
            if line == "```diff" {
                let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                last.diff = Some(body.join("\n") + "\n");
            } else if let Some(message) = line.strip_prefix("  message: ") {
                message.clone_into(&mut last.message);
            } else if let Some(fix) = line.strip_prefix("  fix: ") {
                last.fix = Some(fix.to_owned());
            } else if let Some(by_hand) = line.strip_prefix("  by hand: ") {
                last.by_hand = Some(by_hand.to_owned());
            } else if let Some(reason) = line.strip_prefix("  no fix: ") {
                last.no_fix = Some(reason.to_owned());
            }
        }
    }
    found
}

fn header(line: &str) -> Option<Sighting> {
    let mut words = line.splitn(6, ' ');
    let id = words.next().filter(|id| id.len() == 12 && id.chars().all(|c| c.is_ascii_hexdigit()))?;
    let rule = words.next()?;
    let family = Family::named(words.next()?)?;
    let (_severity, _cwe) = (words.next()?, words.next()?.strip_prefix("CWE-")?);
    let rest = words.next()?;
    // Paths and routes may hold " in " too; the place is what ends in a line number.
    let (place, within) = rest
        .match_indices(" in ")
        .map(|(at, word)| (&rest[..at], &rest[at + word.len()..]))
        .find(|(place, _)| line_of(place).is_some())
        .unwrap_or((rest, ""));
    let (path, first) = line_of(place)?;
    Some(Sighting {
        id: id.to_owned(),
        rule: rule.to_owned(),
        family,
        path: path.to_owned(),
        line: first,
        within: within.to_owned(),
    })
}

fn line_of(place: &str) -> Option<(&str, usize)> {
    let (path, lines) = place.rsplit_once(':')?;
    let first = lines.split('-').next()?.parse().ok()?;
    Some((path, first))
}

fn field(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name}: {}", one_line(value));
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Fix, Severity, Span, Step, TextEdit, Tier};

    #[test]
    fn what_is_written_is_read_back() {
        let text = "def login():\n    run(name)\n";
        let start = text.find("name").unwrap();
        let mut finding = Finding {
            id: "4f1c09ab22e0".into(),
            rule: "py-sql-dbapi".into(),
            family: Family::SqlInjection,
            cwe: 89,
            severity: Severity::Critical,
            message: "The query is built\n from input.".into(),
            path: "a dir/x in y.py".into(),
            span: Span { start, end: start + 4, line: 2, column: 9, end_line: 2 },
            within: Some("login in (POST /log in x)".into()),
            flow: vec![Step { path: "a dir/x in y.py".into(), line: 1, note: "enters".into() }],
            fix: Some(Fix {
                tier: Tier::A,
                summary: "binds it".into(),
                by_hand: "rotate".into(),
                edits: vec![TextEdit { start, end: start + 4, text: "None".into() }],
            }),
            why_no_fix: None,
        };
        let listed = &parse(&format!("1 finding\n\n{}", render(&finding, text)))[0];
        assert_eq!(listed.message, "The query is built from input.");
        assert_eq!((listed.fix.as_deref(), listed.by_hand.as_deref()), (Some("binds it"), Some("rotate")));
        assert!(listed.diff.as_deref().unwrap().contains("+    run(None)\n"));
        assert_eq!((listed.sighting.path.as_str(), listed.sighting.line), ("a dir/x in y.py", 2));
        finding.fix = None;
        finding.within = None;
        finding.why_no_fix = Some("a table name cannot be bound".into());
        let listed = &parse(&render(&finding, text))[0];
        assert_eq!(listed.no_fix.as_deref(), Some("a table name cannot be bound"));
        assert_eq!(listed.sighting.path, "a dir/x in y.py");
    }
}
