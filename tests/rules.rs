//! The examples in the rule files: each vulnerable one is found and fixed as it says, each safe one is silent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says where"
)]

use agent::scan::ir::Language;
use agent::scan::project::SourceFile;
use agent::scan::rules::trial::trial;
use agent::scan::rules::{Tongue, embedded};

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
    let set = embedded();
    let tried = set.rules.iter().filter(|rule| rule.id.contains(&only)).map(|rule| trial(rule, set));
    let problems: Vec<String> = tried
        .flat_map(|trial| {
            let rule = trial.rule;
            trial.problems.into_iter().map(move |problem| format!("{rule}: {problem}"))
        })
        .collect();
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
        assert!(SourceFile::parse(rule.example_path(), String::new()).is_some_and(|file| {
            rule.languages.contains(&Tongue::of(file.language())) || file.language() == Language::Python
        }));
    }
}
