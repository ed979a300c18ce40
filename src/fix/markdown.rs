//! The report as Markdown, as the body of a pull request and as SARIF.

use super::report::Report;
use crate::finding::{contract::Contract, sarif};
use crate::proof::Gate;
use crate::text::printable;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Longest diff in the body of a pull request: the forge shows the rest.
const MAX_BODY_DIFF: usize = 20_000;

impl Report {
    /// The report as Markdown: cause, contract, change, proof, what is left to do.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n", self.title());
        let _ = writeln!(out, "**Result**: `{}`\n", self.status_name());
        self.put_body(&mut out, usize::MAX);
        let _ = writeln!(out, "## Cost\n");
        let cost = self.cost_usd.map_or_else(|| "price not known".to_owned(), |usd| format!("${usd:.4}"));
        let _ = writeln!(
            out,
            "Model {}, {} answers, {} tokens, {cost}, {:.1} s. Session `{}`.",
            code(&self.model),
            self.turns,
            self.usage.tokens(),
            seconds(self.duration_ms),
            self.session_id
        );
        out
    }

    /// Title and body of a pull or merge request.
    pub fn pull_request(&self) -> (String, String) {
        let mut out = String::new();
        self.put_body(&mut out, MAX_BODY_DIFF);
        let _ = writeln!(
            out,
            "---\nMade by `agent fix` (session `{}`); review it as you would any change.",
            self.session_id
        );
        (self.title(), out)
    }

    /// The message of a commit.
    pub fn commit_message(&self) -> String {
        let mut out = format!("{}\n\n", self.title());
        for line in first_words(&self.summary).lines() {
            let _ = writeln!(out, "{line}");
        }
        for finding in &self.findings {
            let _ = writeln!(out, "CWE-{}: {}:{}", finding.cwe, finding.path, finding.span.line);
        }
        for gate in &self.verification {
            let _ = writeln!(out, "{}: {}", gate.name, gate.status.name());
        }
        printable(&out).into_owned()
    }

    /// The findings it was about as SARIF, with their fixes and what became of them.
    pub fn sarif(&self) -> Value {
        let mut document = sarif::document(&self.findings);
        let run = &mut document["runs"][0];
        run["properties"] = json!({
            "agent/status": self.status,
            "agent/verification": self.verification.iter().map(|gate| json!({
                "gate": gate.name, "status": gate.status, "evidence": gate.evidence,
            })).collect::<Vec<Value>>(),
        });
        let closed =
            self.verification.iter().any(|gate| gate.name == "closed" && gate.status.name() == "passed");
        if let Some(results) = run["results"].as_array_mut() {
            for result in results {
                result["baselineState"] = json!(if closed { "absent" } else { "unchanged" });
            }
        }
        document
    }

    /// One line that says what it is about.
    pub fn title(&self) -> String {
        let first = self.findings.first().map(|finding| {
            let within = finding.within.as_deref().map(|within| format!(" in {within}")).unwrap_or_default();
            let more = if self.findings.len() > 1 {
                format!(" and {} more", self.findings.len() - 1)
            } else {
                String::new()
            };
            format!("Close {}{within}{more}", finding.family.facts().title)
        });
        let line = first.unwrap_or_else(|| {
            let issue = self.issue.lines().find(|line| !line.trim().is_empty()).unwrap_or("a weakness");
            format!("Close: {}", issue.trim_start_matches(['#', ' ']))
        });
        printable(&line).chars().filter(|c| !c.is_control()).take(100).collect()
    }

    /// `fixed`, `not_fixed`, …
    pub fn status_name(&self) -> String {
        serde_json::to_value(self.status)
            .ok()
            .and_then(|v| v.as_str().map(ToOwned::to_owned))
            .unwrap_or_default()
    }

    fn put_body(&self, out: &mut String, max_diff: usize) {
        let said = first_words(&self.summary);
        if !said.is_empty() {
            let _ = writeln!(out, "{}\n", quoted(&said));
        }
        if !self.findings.is_empty() {
            let _ = writeln!(out, "## What was wrong\n");
            for finding in &self.findings {
                let words = finding.message.split_whitespace().collect::<Vec<_>>().join(" ");
                let _ = writeln!(
                    out,
                    "- {}{}: CWE-{}, {}. {}",
                    code(&format!("{}:{}", finding.path, finding.span.line)),
                    finding.within.as_deref().map(|w| format!(" in {}", code(w))).unwrap_or_default(),
                    finding.cwe,
                    finding.severity.name(),
                    plain(&words)
                );
            }
            out.push('\n');
        }
        if let Some(contract) = &self.contract {
            put_contract(out, contract);
        }
        if !self.files.is_empty() {
            let _ = writeln!(out, "## What changed\n");
            for file in &self.files {
                let _ =
                    writeln!(out, "- {} {} (+{} −{})", file.kind, code(&file.path), file.added, file.removed);
            }
            let shown = crate::text::clip(&self.patch, max_diff.min(self.patch.len().max(1)));
            let _ = writeln!(out, "\n{}", fenced(shown.text, "diff"));
        }
        if !self.verification.is_empty() {
            put_proof(out, &self.verification);
        }
        for (title, notes) in
            [("What to do by hand", &self.by_hand), ("What was denied", &self.permission_denials)]
        {
            if !notes.is_empty() {
                let _ = writeln!(out, "## {title}\n");
                for note in notes {
                    let _ = writeln!(out, "- {}", plain(note));
                }
                out.push('\n');
            }
        }
    }
}

fn put_contract(out: &mut String, contract: &Contract) {
    let _ = writeln!(out, "## Contract\n");
    for (name, text) in contract.lines().into_iter().filter(|(_, text)| !text.is_empty()) {
        let _ = writeln!(out, "- **{name}**: {}", plain(&text));
    }
    out.push('\n');
}

fn put_proof(out: &mut String, gates: &[Gate]) {
    let _ = writeln!(out, "## What is proven\n\n| gate | status | evidence |\n|---|---|---|");
    for gate in gates {
        let evidence = plain(&gate.evidence).replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(out, "| {} | {} | {evidence} |", gate.name, gate.status.name());
    }
    out.push('\n');
}

/// The model's own words without the lines that only repeat the form.
fn first_words(summary: &str) -> String {
    let lines = summary.lines().filter(|line| !line.to_lowercase().starts_with("status:"));
    printable(&lines.collect::<Vec<_>>().join("\n")).trim().to_owned()
}

/// Untrusted text in a paragraph: no markup of its own, no mention that notifies anybody, no link to an issue.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200b}"),
            '#' => out.push_str("&#35;"),
            '[' | ']' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

fn quoted(text: &str) -> String {
    plain(text).lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n")
}

fn code(text: &str) -> String {
    format!("`{}`", printable(text).replace('`', "'").replace('\n', " "))
}

/// A block that its own text cannot close.
fn fenced(text: &str, language: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}{language}\n{}\n{fence}\n", printable(text).trim_end())
}

#[allow(clippy::cast_precision_loss, reason = "for people, to a tenth of a second")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;

    #[test]
    fn text_from_outside_stays_text() {
        let mut report =
            Report::failed(Outcome::NotFixed, "Status: not_fixed\n@everyone <img src=x> [a](b) #1");
        report.patch = "+ ``` \n".into();
        report.files =
            vec![super::super::File { path: "a`b".into(), kind: "M".into(), added: 1, removed: 0 }];
        let text = report.markdown();
        assert!(!text.contains("<img") && !text.contains("@everyone") && !text.contains(" #1"), "{text}");
        assert!(text.contains("````diff"), "{text}");
        let (title, body) = report.pull_request();
        assert!(title.starts_with("Close") && body.contains("agent fix"));
    }
}
