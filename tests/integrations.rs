//! `docs/integrations.md` is what people paste: it parses, and this version takes its commands.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use agent::cli::args::Cli;
use agent::config::definition::Definition;
use clap::Parser;
use house::stage::Stage;
use serde_json::Value;

/// Every fenced block of a language.
fn blocks(language: &str) -> Vec<String> {
    let page = include_str!("../docs/integrations.md");
    let opened = format!("```{language}\n");
    page.split(&opened).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The words of one simple command; quotes are taken off, redirections and what follows `|` end it.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => (quote, any) = (Some(c), true),
            (None, '>' | '|') => break,
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                    any = false;
                }
            }
            (_, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

fn takes(words: &[String]) {
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{words:?}: {error}"));
}

#[test]
fn every_command_line_is_one_that_this_version_takes() {
    let mut count = 0;
    for block in [blocks("sh"), blocks("yaml")].concat() {
        let lines = block.lines().map(|line| line.trim().trim_start_matches("- "));
        for line in lines.filter(|line| line.starts_with("agent ")) {
            takes(&words(line));
            count += 1;
        }
    }
    assert!(count >= 6, "{count} commands");
}

#[test]
fn every_settings_block_parses_and_starts_a_door_that_exists() {
    let mut doors = 0;
    for block in blocks("json") {
        let value: Value = serde_json::from_str(&block).unwrap_or_else(|error| panic!("{error}: {block}"));
        let (_, entry) =
            value.as_object().unwrap().values().next().unwrap().as_object().unwrap().iter().next().unwrap();
        let list = |value: &Value| -> Vec<String> {
            let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let first = entry["command"].as_str().map(|word| vec![word.to_owned()]);
        takes(&[first.unwrap_or_else(|| list(&entry["command"])), list(&entry["args"])].concat());
        doors += 1;
    }
    for block in blocks("toml") {
        let value: toml::Table = block.parse().unwrap();
        let entry = &value["mcp_servers"]["agent"];
        let args = entry["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap().to_owned());
        takes(
            &std::iter::once(entry["command"].as_str().unwrap().to_owned()).chain(args).collect::<Vec<_>>(),
        );
        doors += 1;
    }
    assert_eq!(doors, 4);
    for block in blocks("yaml") {
        serde_saphyr::from_str::<Value>(&block).unwrap_or_else(|error| panic!("{error}: {block}"));
    }
}

#[test]
fn the_agent_file_for_other_hosts_has_no_key_that_stops_one() {
    let run = Stage::empty().agent(&["agents", "--show", "backend-security-coder"]).exits(0);
    let definition = Definition::parse("x.md", &run.stdout).unwrap();
    assert_eq!(definition.name, "backend-security-coder");
    assert_eq!(definition.description, Definition::embedded().description);
    assert!(definition.warnings.is_empty() && run.stdout.contains("agent fix - --output-format json --yes"));
    let front = run.stdout.split("---").nth(1).unwrap();
    assert!(!front.contains("tools:") && !front.contains("color:"), "{front}");
    Stage::empty().agent(&["agents", "--show", "nobody"]).exits(2);
}
