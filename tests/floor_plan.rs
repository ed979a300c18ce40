//! The wall: what `house` rules say of the code's shape, held against the code.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Code lines a file may have. Raising it is a commit that says why.
const MAX_CODE_LINES: usize = 400;

/// Modules that are words only: no I/O, no async runtime.
const GROUND: &[&str] = &["text", "diff", "message", "action", "finding", "event"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                out.push(path);
            }
        }
    }
    out.sort();
    assert!(!out.is_empty(), "no .{ending} files in {folder}");
    out
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

/// The modules in the order of `lib.rs`.
fn floors() -> Vec<String> {
    read(&root().join("src/lib.rs"))
        .lines()
        .filter_map(|line| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned()))
        .collect()
}

/// The module a file of `src/` belongs to.
fn room(path: &Path) -> Option<String> {
    let inner = path.strip_prefix(root().join("src")).ok()?;
    let first = inner.components().next()?.as_os_str().to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(name, "lib" | "main")).then(|| name.to_owned())
}

/// The lines before the unit tests, without comments and blanks.
fn code(text: &str) -> Vec<&str> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect()
}

/// Names after `crate::` in a line of code, those of `use crate::{a, b::c}` included.
fn crate_names(code: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (at, word) in code.match_indices("crate::") {
        let rest = &code[at + word.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            let mut is_head = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        out.insert(std::mem::take(&mut name));
                        is_head = true;
                    }
                    ':' if depth == 0 => is_head = false,
                    c if depth == 0 && is_head && (c.is_alphanumeric() || c == '_') => name.push(c),
                    _ => {}
                }
            }
            out.insert(name);
        } else {
            out.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    out
}

#[test]
fn arrows_point_down() {
    let floors = floors();
    let height = |name: &str| floors.iter().position(|floor| floor == name);
    let mut faults = Vec::new();
    for path in files("src", "rs") {
        let Some(room) = room(&path) else { continue };
        let here = height(&room).unwrap_or_else(|| panic!("{} is in no module of lib.rs", shown(&path)));
        for name in crate_names(&code(&read(&path)).join("\n")) {
            if height(&name).is_some_and(|there| there > here) {
                faults.push(format!("{}: `{room}` uses `{name}`, which is above it", shown(&path)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_its_duty_and_stays_a_room() {
    let mut faults = Vec::new();
    for path in files("src", "rs").into_iter().chain(files("tests", "rs")).chain(files("benches", "rs")) {
        let text = read(&path);
        if !text.starts_with("//! ") {
            faults.push(format!("{}: does not open with a //! line that says its duty", shown(&path)));
        }
        let lines = code(&text).len();
        if lines > MAX_CODE_LINES && path.starts_with(root().join("src")) {
            faults.push(format!("{}: {lines} code lines, more than {MAX_CODE_LINES}", shown(&path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_ground_floor_is_words_only() {
    let banned =
        ["std::fs", "std::env", "std::process", "std::net", "tokio", "reqwest", "println!", "eprintln!"];
    let mut faults = Vec::new();
    for path in files("src", "rs") {
        if !room(&path).is_some_and(|room| GROUND.contains(&room.as_str())) {
            continue;
        }
        for line in code(&read(&path)) {
            for word in banned.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}: {word}: {line}", shown(&path)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn tools_and_their_words_pair_one_to_one() {
    let stems = |folder: &str, ending: &str| -> BTreeSet<String> {
        files(folder, ending)
            .iter()
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let words = stems("tools", "json");
    let mut rooms = stems("src/tool", "rs");
    // Not tools: the floor of the room, and the reader of arguments they share.
    rooms.retain(|name| !matches!(name.as_str(), "mod" | "args" | "leave"));
    let tools: BTreeSet<String> = rooms.iter().filter(|name| words.contains(*name)).cloned().collect();
    assert_eq!(words, tools, "every tools/*.json has its src/tool/*.rs");
    for path in files("tools", "json") {
        let spec: serde_json::Value = serde_json::from_str(&read(&path)).unwrap();
        let description = spec["description"].as_str().unwrap();
        assert!(description.split_whitespace().count() <= 60, "{}: more than 60 words", shown(&path));
        assert_eq!(spec["name"].as_str(), path.file_stem().unwrap().to_str(), "{}", shown(&path));
        assert_eq!(spec["parameters"]["additionalProperties"], false, "{}", shown(&path));
    }
    let mut offered: BTreeSet<String> =
        agent::tool::all().iter().map(|tool| tool.spec().name.clone()).collect();
    // Offered only where there is something for it to do.
    offered.insert("skill".to_owned());
    assert_eq!(offered, words, "every tool is offered");
}

#[test]
fn every_prompt_and_rule_is_embedded_exactly_once() {
    let sources: String = files("src", "rs").iter().map(|path| read(path)).collect();
    let mut faults = Vec::new();
    let prompts =
        files("prompts", "md").into_iter().chain(files("rules", "yaml")).chain(files("tools", "json"));
    for path in prompts.chain([root().join("agent.md")]) {
        let name = shown(&path);
        let count = sources.matches(&format!("/{name}\"")).count();
        if count != 1 {
            faults.push(format!("{name} is embedded {count} times"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_readme_shows_the_floor_plan() {
    let table = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.trim_start_matches("//! ").trim().to_owned())
            .filter(|line| line.starts_with("| `"))
            .collect()
    };
    let plan = table(&read(&root().join("src/lib.rs")));
    let shown = table(&read(&root().join("README.md")));
    assert!(plan.len() >= 15);
    let missing: Vec<&String> = plan.iter().filter(|row| !shown.contains(row)).collect();
    assert!(missing.is_empty(), "README.md lacks: {missing:?}");
    let names: Vec<String> = plan.iter().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    assert_eq!(names, floors(), "the table and the modules of lib.rs");
}

#[test]
fn one_tls_provider_and_no_foreign_ssl() {
    let lock = read(&root().join("Cargo.lock"));
    for banned in ["aws-lc-rs", "openssl-sys", "native-tls"] {
        assert!(!lock.contains(&format!("name = \"{banned}\"")), "{banned} is in Cargo.lock");
    }
}
