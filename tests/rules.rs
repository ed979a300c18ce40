//! The examples in the rule files: each vulnerable one is found and fixed as it says, each safe one is silent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says where"
)]

use agent::finding::Finding;
use agent::scan::Scanner;
use agent::scan::ir::Language;
use agent::scan::project::SourceFile;
use agent::scan::rules::{Rule, Safe, Tongue, embedded};

fn default_path(rule: &Rule) -> &'static str {
    match rule.languages.first() {
        Some(Tongue::JavaScript) => "app.js",
        Some(Tongue::Java) => "App.java",
        _ => "app.py",
    }
}

fn of_rule(rule: &Rule, path: &str, code: &str) -> Vec<Finding> {
    let findings = Scanner::new().scan_text(path, code);
    findings.into_iter().filter(|finding| finding.rule == rule.id).collect()
}

/// Fixes one finding after the other, as a person would, until none has a fix.
fn fix_all(rule: &Rule, path: &str, code: &str) -> String {
    let mut text = code.to_owned();
    for _ in 0..20 {
        let findings = of_rule(rule, path, &text);
        let Some(fix) = findings.iter().find_map(|finding| finding.fix.as_ref()) else { break };
        text = fix.apply(&text).expect("edits fit the text");
    }
    text
}

fn check(problems: &mut Vec<String>, holds: bool, what: impl FnOnce() -> String) {
    if !holds {
        problems.push(what());
    }
}

#[test]
fn every_rule_file_is_understood() {
    assert_eq!(embedded().broken, Vec::<String>::new());
    let mut ids: Vec<&str> = embedded().rules.iter().map(|rule| rule.id.as_str()).collect();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "rule ids are unique");
}

#[test]
fn every_example_is_found_or_silent_and_fixed_as_it_says() {
    let only = std::env::var("RULE").unwrap_or_default();
    let mut problems = Vec::new();
    for rule in embedded().rules.iter().filter(|rule| rule.id.contains(&only)) {
        for (at, example) in rule.examples.vulnerable.iter().enumerate() {
            let path = example.path.as_deref().unwrap_or_else(|| default_path(rule));
            let name = format!("{} vulnerable {}", rule.id, at + 1);
            let found = of_rule(rule, path, &example.code);
            check(&mut problems, !found.is_empty(), || format!("{name}: not found\n{}", example.code));
            if let Some(words) = &example.declines {
                let reasons: Vec<String> =
                    found.iter().filter_map(|finding| finding.why_no_fix.clone()).collect();
                check(&mut problems, reasons.iter().any(|reason| reason.contains(words)), || {
                    format!("{name}: should decline with `{words}`, says {reasons:?}")
                });
                check(&mut problems, fix_all(rule, path, &example.code) == example.code, || {
                    format!("{name}: is edited")
                });
            }
            if let Some(fixed) = &example.fixed {
                let text = fix_all(rule, path, &example.code);
                let reasons: Vec<String> =
                    found.iter().filter_map(|finding| finding.why_no_fix.clone()).collect();
                check(&mut problems, text == *fixed, || {
                    format!(
                        "{name}: fix differs {reasons:?}\n{}",
                        agent::diff::unified(path, Some(fixed), Some(&text))
                    )
                });
                let left = of_rule(rule, path, fixed);
                check(&mut problems, left.is_empty(), || {
                    format!("{name}: still found after the fix: {left:?}")
                });
                let parsed = SourceFile::parse(path, fixed.clone()).expect("parses");
                check(&mut problems, parsed.module.errors == 0, || {
                    format!("{name}: the fixed text does not parse")
                });
            }
        }
        for (at, example) in rule.examples.safe.iter().enumerate() {
            let (path, code) = match example {
                Safe::Text(code) => (default_path(rule), code),
                Safe::File { code, path } => (path.as_str(), code),
            };
            let found = of_rule(rule, path, code);
            check(&mut problems, found.is_empty(), || {
                format!(
                    "{} safe {}: found {:?}\n{code}",
                    rule.id,
                    at + 1,
                    found.iter().map(|f| (f.span.line, &f.flow)).collect::<Vec<_>>()
                )
            });
        }
    }
    assert!(problems.is_empty(), "{} problems\n{}", problems.len(), problems.join("\n----\n"));
}

#[test]
fn every_rule_has_enough_examples() {
    for rule in &embedded().rules {
        let examples = &rule.examples;
        assert!(examples.vulnerable.len() >= 3, "{} has fewer than three vulnerable examples", rule.id);
        assert!(examples.safe.len() >= 3, "{} has fewer than three safe examples", rule.id);
        let fixes = rule.fix.is_some() || rule.sinks.iter().any(|sink| sink.fix.is_some());
        let shows_fix = examples.vulnerable.iter().any(|example| example.fixed.is_some());
        assert!(!fixes || shows_fix, "{} has a fix and no example of it", rule.id);
        assert!(SourceFile::parse(default_path(rule), String::new()).is_some_and(|file| {
            rule.languages.contains(&Tongue::of(file.language())) || file.language() == Language::Python
        }));
    }
}
