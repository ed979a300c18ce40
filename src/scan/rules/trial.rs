//! The examples of a rule as its tests: each vulnerable one is found and fixed as it says, each safe one is silent.

use super::{Rule, RuleSet, Safe, Tongue};
use crate::diff;
use crate::finding::Finding;
use crate::scan::Scanner;
use crate::scan::project::SourceFile;

/// More fixes than this in one example do not come to an end.
const MAX_FIXES: usize = 20;

/// How a rule's examples went.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Trial {
    /// Rule id.
    pub rule: String,
    /// The file it was read from; empty when it is embedded.
    pub file: String,
    /// Vulnerable examples.
    pub vulnerable: usize,
    /// Safe examples.
    pub safe: usize,
    /// Examples that show a fix.
    pub fixed: usize,
    /// What is not as the rule says; empty when all is well.
    pub problems: Vec<String>,
}

/// Tries every example of a rule of `set`.
pub fn trial(rule: &Rule, set: &'static RuleSet) -> Trial {
    let mut trying = Trying { rule, scanner: Scanner::of(set), problems: Vec::new() };
    let examples = &rule.examples;
    if examples.vulnerable.is_empty() || examples.safe.is_empty() {
        trying.problems.push("`examples` needs at least one `vulnerable` and one `safe`".to_owned());
    }
    for (at, example) in examples.vulnerable.iter().enumerate() {
        let path = example.path.as_deref().unwrap_or_else(|| rule.example_path());
        trying.vulnerable(&format!("vulnerable example {}", at + 1), path, example);
    }
    for (at, example) in examples.safe.iter().enumerate() {
        let (path, code) = match example {
            Safe::Text(code) => (rule.example_path(), code),
            Safe::File { code, path } => (path.as_str(), code),
        };
        for finding in trying.found(path, code) {
            let way: Vec<String> =
                finding.flow.iter().map(|step| format!("{}: {}", step.line, step.note)).collect();
            trying.problems.push(format!(
                "safe example {}: found at line {} ({})\n{code}",
                at + 1,
                finding.span.line,
                way.join(", ")
            ));
        }
    }
    Trial {
        rule: rule.id.clone(),
        file: rule.file.clone(),
        vulnerable: examples.vulnerable.len(),
        safe: examples.safe.len(),
        fixed: examples.vulnerable.iter().filter(|example| example.fixed.is_some()).count(),
        problems: trying.problems,
    }
}

struct Trying<'r> {
    rule: &'r Rule,
    scanner: Scanner,
    problems: Vec<String>,
}

impl Trying<'_> {
    fn found(&self, path: &str, code: &str) -> Vec<Finding> {
        let findings = self.scanner.scan_text(path, code);
        findings.into_iter().filter(|finding| finding.rule == self.rule.id).collect()
    }

    /// Fixes one finding after the other, as a person would, until none has a fix.
    fn fix_all(&self, path: &str, code: &str) -> String {
        let mut text = code.to_owned();
        for _ in 0..MAX_FIXES {
            let findings = self.found(path, &text);
            let next =
                findings.iter().find_map(|finding| finding.fix.as_ref()).and_then(|fix| fix.apply(&text));
            let Some(next) = next else { break };
            text = next;
        }
        text
    }

    fn vulnerable(&mut self, name: &str, path: &str, example: &super::Vulnerable) {
        let found = self.found(path, &example.code);
        if found.is_empty() {
            self.problems.push(format!("{name}: not found\n{}", example.code));
            return;
        }
        let reasons: Vec<&str> = found.iter().filter_map(|finding| finding.why_no_fix.as_deref()).collect();
        let mut problems = Vec::new();
        if let Some(words) = &example.declines {
            if !reasons.iter().any(|reason| reason.contains(words)) {
                problems.push(format!("{name}: should decline with `{words}`, says {reasons:?}"));
            }
            if self.fix_all(path, &example.code) != example.code {
                problems.push(format!("{name}: is edited"));
            }
        }
        if let Some(fixed) = &example.fixed {
            let text = self.fix_all(path, &example.code);
            if text != *fixed {
                let difference = diff::unified(path, Some(fixed), Some(&text));
                problems.push(format!("{name}: the fix is another one {reasons:?}\n{difference}"));
            }
            if !self.found(path, fixed).is_empty() {
                problems.push(format!("{name}: still found after the fix"));
            }
            if SourceFile::parse(path, fixed.clone()).is_none_or(|parsed| parsed.module.errors > 0) {
                problems.push(format!("{name}: the fixed text does not parse"));
            }
        }
        self.problems.append(&mut problems);
    }
}

impl Rule {
    /// Where an example stands that names no path.
    pub fn example_path(&self) -> &'static str {
        self.languages.first().map_or("app.py", |tongue| tongue.example_path())
    }
}

impl Tongue {
    /// Where an example in this language stands that names no path.
    pub fn example_path(self) -> &'static str {
        match self {
            Tongue::Python => "app.py",
            Tongue::JavaScript => "app.js",
            Tongue::Java => "App.java",
        }
    }
}
