//! Which tools a definition gives: our names, the names other agents use for them, choices and refusals.

use super::Note;
use super::front::shown;
use super::rules::{Effect, Permissions, Subject};
use serde_json::Value;

/// The nine that a definition has when it says nothing, in `agent.md`'s order.
const NINE: &[&str] = &["write", "edit", "bash", "patch", "read", "grep", "glob", "list", "webfetch"];

/// Those that a definition has only when it asks for them. `scan` comes with `read` and may be named too.
const ON_REQUEST: &[&str] = &["scan", "todo", "task"];

/// Other agents' names, lower case, and ours.
const ALIASES: &[(&str, &str)] = &[
    ("agent", "task"),
    ("apply_patch", "patch"),
    ("applypatch", "patch"),
    ("bashoutput", "bash"),
    ("create_file", "write"),
    ("edit_file", "edit"),
    ("execute", "bash"),
    ("fetch", "webfetch"),
    ("find", "glob"),
    ("killbash", "bash"),
    ("killshell", "bash"),
    ("list_directory", "list"),
    ("ls", "list"),
    ("multiedit", "edit"),
    ("read_file", "read"),
    ("read_many_files", "read"),
    ("replace", "edit"),
    ("run_shell_command", "bash"),
    ("search", "grep"),
    ("search_file_content", "grep"),
    ("shell", "bash"),
    ("str_replace", "edit"),
    ("task", "task"),
    ("terminal", "bash"),
    ("todoread", "todo"),
    ("todowrite", "todo"),
    ("view", "read"),
    ("web_fetch", "webfetch"),
    ("write_file", "write"),
];

/// Tools of other agents that nothing here corresponds to.
const ELSEWHERE: &[&str] = &[
    "askuserquestion",
    "codesearch",
    "doom_loop",
    "enterplanmode",
    "exitplanmode",
    "external_directory",
    "google_web_search",
    "lsp",
    "notebookedit",
    "notebookread",
    "question",
    "save_memory",
    "skill",
    "slashcommand",
    "toolsearch",
    "websearch",
];

/// What a word stands for.
pub(super) enum Named {
    /// One of our tools.
    Ours(&'static str),
    /// A tool that only other agents have.
    Elsewhere,
    /// A tool of an outside server, by the look of it.
    Outside,
    /// Nothing known.
    Unknown,
}

/// What a word stands for, in whatever agent's spelling.
pub(super) fn named(word: &str) -> Named {
    let folded = word.trim().to_lowercase();
    let own = NINE.iter().chain(ON_REQUEST).find(|own| **own == folded);
    let alias = || ALIASES.iter().find(|(theirs, _)| *theirs == folded).map(|(_, ours)| ours);
    if let Some(ours) = own.or_else(alias) {
        Named::Ours(ours)
    } else if ELSEWHERE.contains(&folded.as_str()) {
        Named::Elsewhere
    } else if folded.starts_with("mcp") || folded.contains(['_', '*', '/']) {
        Named::Outside
    } else {
        Named::Unknown
    }
}

/// The tools of a definition in the making.
pub(super) struct Tools {
    names: Vec<&'static str>,
    chosen: bool,
}

impl Tools {
    pub(super) fn everything() -> Self {
        Self { names: NINE.to_vec(), chosen: false }
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// Takes a `tools` value: a comma string, a list, or a map of names to true and false. A second choice
    /// can only narrow the first.
    pub(super) fn choose(
        &mut self,
        value: &Value,
        permissions: &mut Permissions,
        line: usize,
    ) -> Result<Vec<Note>, Note> {
        let mut notes = Vec::new();
        let picked = match value {
            Value::Object(map) => switched(map.iter(), line, &mut notes)?,
            _ => listed(value, permissions, line, &mut notes)?,
        };
        self.names = if self.chosen {
            picked.into_iter().filter(|name| self.names.contains(name)).collect()
        } else {
            picked
        };
        self.chosen = true;
        if self.names.is_empty() {
            notes.push(Note::new(line, "no tool is left; the agent can only talk"));
        }
        Ok(notes)
    }

    /// Takes a `disallowedTools` value. A name that is not understood would refuse nothing, so it is an error.
    pub(super) fn refuse(
        &mut self,
        value: &Value,
        permissions: &mut Permissions,
        line: usize,
    ) -> Result<Vec<Note>, Note> {
        let mut notes = Vec::new();
        for (word, pattern) in entries(value, "disallowedTools", line)? {
            if word == "*" {
                self.names.clear();
                continue;
            }
            match (named(&word), pattern) {
                (Named::Ours(name), None) => self.remove(name),
                (Named::Ours(name), Some(pattern)) if pattern == "*" => self.remove(name),
                (Named::Ours(name), Some(pattern)) => {
                    let pattern =
                        pattern.strip_suffix(":*").map_or(pattern.clone(), |start| format!("{start}*"));
                    permissions.push(Subject::of(name), &pattern, Effect::Deny, line);
                }
                (Named::Elsewhere | Named::Outside, _) => notes.push(not_offered(&word, line)),
                (Named::Unknown, _) => return Err(refusing_unknown(&word, line)),
            }
        }
        Ok(notes)
    }

    /// Takes a tool away, and `patch` with whatever it could stand in for.
    pub(super) fn remove(&mut self, name: &str) {
        self.names.retain(|own| *own != name && !(*own == "patch" && matches!(name, "edit" | "write")));
    }
}

fn listed(
    value: &Value,
    permissions: &mut Permissions,
    line: usize,
    notes: &mut Vec<Note>,
) -> Result<Vec<&'static str>, Note> {
    let mut picked = Vec::new();
    for (word, pattern) in entries(value, "tools", line)? {
        if word == "*" {
            picked.extend(NINE.iter().copied().filter(|name| !picked.contains(name)).collect::<Vec<_>>());
            continue;
        }
        match named(&word) {
            Named::Ours(name) => {
                if !picked.contains(&name) {
                    picked.push(name);
                }
                if let Some(pattern) = pattern.filter(|pattern| pattern != "*") {
                    permissions.push(Subject::of(name), "*", Effect::Ask, line);
                    let text = format!(
                        "{word}({}): narrowing in the tool list is read as asking each time; write a rule",
                        shown(&pattern)
                    );
                    notes.push(Note::new(line, text));
                }
            }
            Named::Elsewhere | Named::Outside => notes.push(not_offered(&word, line)),
            Named::Unknown => notes.push(unknown(&word, line)),
        }
    }
    Ok(picked)
}

fn switched<'a>(
    map: impl Iterator<Item = (&'a String, &'a Value)>,
    line: usize,
    notes: &mut Vec<Note>,
) -> Result<Vec<&'static str>, Note> {
    let mut tools = Tools::everything();
    for (word, value) in map {
        let Value::Bool(on) = value else {
            return Err(Note::new(line, format!("tools: {} must be true or false", shown(word))));
        };
        if word.contains('*') {
            let matching: Vec<&'static str> =
                NINE.iter().copied().filter(|name| globbed(word, name)).collect();
            if matching.is_empty() {
                notes.push(not_offered(word, line));
            }
            for name in matching {
                switch(&mut tools, name, *on);
            }
            continue;
        }
        match named(word) {
            Named::Ours(name) => switch(&mut tools, name, *on),
            Named::Elsewhere | Named::Outside => {
                if *on {
                    notes.push(not_offered(word, line));
                }
            }
            Named::Unknown if *on => notes.push(unknown(word, line)),
            Named::Unknown => return Err(refusing_unknown(word, line)),
        }
    }
    Ok(tools.names)
}

fn switch(tools: &mut Tools, name: &'static str, on: bool) {
    if !on {
        tools.remove(name);
    } else if !tools.names.contains(&name) {
        tools.names.push(name);
    }
}

/// Words of a list or a comma string, each with the pattern in its parentheses.
fn entries(value: &Value, key: &str, line: usize) -> Result<Vec<(String, Option<String>)>, Note> {
    let words = match value {
        Value::Null => Vec::new(),
        Value::String(text) => split_words(text),
        Value::Array(items) => {
            let mut words = Vec::new();
            for item in items {
                let Value::String(word) = item else {
                    return Err(Note::new(line, format!("{key} must hold names")));
                };
                words.push(word.trim().to_owned());
            }
            words
        }
        _ => return Err(Note::new(line, format!("{key} must be a list of names or a text with commas"))),
    };
    let split = |word: String| match word.split_once('(') {
        Some((name, pattern)) => {
            (name.trim().to_owned(), Some(pattern.trim_end_matches(')').trim().to_owned()))
        }
        None => (word, None),
    };
    Ok(words.into_iter().filter(|word| !word.is_empty()).map(split).collect())
}

/// Splits at commas and blanks that are not in parentheses.
fn split_words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (c == ',' || c.is_whitespace()) {
            words.push(String::new());
        } else if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    words
}

/// Whether a pattern of `*` and plain characters fits a name.
fn globbed(pattern: &str, name: &str) -> bool {
    let pattern = pattern.to_lowercase();
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn not_offered(word: &str, line: usize) -> Note {
    Note::new(line, format!("{} is another agent's tool; it is not offered here", shown(word)))
}

fn unknown(word: &str, line: usize) -> Note {
    Note::new(line, format!("{} is not a known tool; known are {}", shown(word), NINE.join(", ")))
}

fn refusing_unknown(word: &str, line: usize) -> Note {
    let text = format!(
        "{} is to be refused and is not a known tool, so the file is refused; known are {}",
        shown(word),
        NINE.join(", ")
    );
    Note::new(line, text)
}
