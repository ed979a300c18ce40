//! A definition's permissions as plain data. What is not understood refuses the file.

use super::Note;
use super::front::{Front, shown};
use super::tools::{Named, named};
use serde_json::Value;

/// One permission: what it is about, which of that, and what then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is about.
    pub subject: Subject,
    /// Which: a path, a command line, a host; `*` stands for any run of characters.
    pub pattern: String,
    /// Patterns that are taken out of it again: a later, milder line of the same map.
    pub except: Vec<String>,
    /// What then.
    pub effect: Effect,
    /// Its line in the file.
    pub line: usize,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Everything.
    Every,
    /// Looking at files.
    Read,
    /// Changing files.
    Write,
    /// Running commands.
    Run,
    /// Fetching pages.
    Fetch,
    /// Calling helpers.
    Helper,
}

/// What a rule does. A later one is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Needs no question.
    Allow,
    /// Someone decides each time.
    Ask,
    /// Never.
    Deny,
}

impl Subject {
    /// What a tool of ours does to the world.
    pub(super) fn of(tool: &str) -> Self {
        match tool {
            "write" | "edit" | "patch" => Subject::Write,
            "bash" => Subject::Run,
            "webfetch" => Subject::Fetch,
            "task" => Subject::Helper,
            _ => Subject::Read,
        }
    }

    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "*" => Subject::Every,
            "read" => Subject::Read,
            "write" => Subject::Write,
            "run" => Subject::Run,
            "fetch" => Subject::Fetch,
            "helper" => Subject::Helper,
            _ => return None,
        })
    }
}

impl Effect {
    fn named(value: &Value) -> Option<Self> {
        Some(match value.as_str()? {
            "allow" => Effect::Allow,
            "ask" => Effect::Ask,
            "deny" => Effect::Deny,
            _ => return None,
        })
    }
}

/// The permissions of a definition in the making.
#[derive(Default)]
pub(super) struct Permissions {
    pub(super) rules: Vec<Rule>,
    pub(super) read_only: bool,
    /// Tools that are denied as a whole.
    pub(super) removed: Vec<&'static str>,
}

impl Permissions {
    pub(super) fn push(&mut self, subject: Subject, pattern: &str, effect: Effect, line: usize) {
        self.rules.push(Rule { subject, pattern: pattern.to_owned(), except: Vec::new(), effect, line });
    }

    /// Takes opencode's `permission`: one effect, or a map of tools to an effect or to patterns and effects,
    /// where the last line that fits decides.
    pub(super) fn read_map(&mut self, value: &Value, front: &Front, line: usize) -> Result<Vec<Note>, Note> {
        let mut notes = Vec::new();
        if let Some(effect) = Effect::named(value) {
            self.push(Subject::Every, "*", effect, line);
            return Ok(notes);
        }
        let Value::Object(map) = value else {
            return Err(Note::new(line, "permission must be allow, ask, deny or a map of tools to them"));
        };
        for (word, value) in map {
            let line = front.line(&["permission", word]);
            let tool = match named(word) {
                _ if word == "*" => None,
                Named::Ours(name) => Some(name),
                Named::Elsewhere => {
                    if word == "external_directory" && *value != Value::String("deny".to_owned()) {
                        notes.push(Note::new(line, "external_directory is always denied here"));
                    }
                    continue;
                }
                Named::Outside | Named::Unknown => {
                    let text = format!(
                        "permission: {} is not known, so the file is refused; known are edit, read, glob, grep, list, bash, webfetch, task",
                        shown(word)
                    );
                    return Err(Note::new(line, text));
                }
            };
            self.read_lines(word, tool, value, front, line)?;
        }
        Ok(notes)
    }

    fn read_lines(
        &mut self,
        word: &str,
        tool: Option<&'static str>,
        value: &Value,
        front: &Front,
        line: usize,
    ) -> Result<(), Note> {
        let bad = |line| Note::new(line, format!("permission: {} must be allow, ask or deny", shown(word)));
        let subject = tool.map_or(Subject::Every, Subject::of);
        let lines: Vec<(&str, Effect, usize)> = match value {
            Value::Object(map) => {
                let mut lines = Vec::new();
                for (pattern, value) in map {
                    let line = front.line(&["permission", word, pattern]);
                    lines.push((pattern.as_str(), Effect::named(value).ok_or_else(|| bad(line))?, line));
                }
                lines
            }
            _ => vec![("*", Effect::named(value).ok_or_else(|| bad(line))?, line)],
        };
        for (at, (pattern, effect, line)) in lines.iter().enumerate() {
            let milder = |(_, later, _): &&(&str, Effect, usize)| later < effect;
            let except: Vec<String> =
                lines[at + 1..].iter().filter(milder).map(|(pattern, ..)| (*pattern).to_owned()).collect();
            let whole = *effect == Effect::Deny && *pattern == "*" && except.is_empty();
            match tool {
                // One way of looking that is denied whole takes that tool away and leaves the others.
                Some(name @ ("grep" | "glob" | "list" | "todo")) if whole => {
                    self.removed.push(name);
                    continue;
                }
                Some("todo") => continue,
                _ => {}
            }
            self.rules.push(Rule {
                subject,
                pattern: (*pattern).to_owned(),
                except,
                effect: *effect,
                line: *line,
            });
        }
        Ok(())
    }

    /// Takes our own `rules`: a list of `{action, pattern, effect}`.
    pub(super) fn read_list(&mut self, value: &Value, line: usize) -> Result<Vec<Note>, Note> {
        let Value::Array(items) = value else {
            return Err(Note::new(line, "rules must be a list of action, pattern and effect"));
        };
        for item in items {
            let Value::Object(fields) = item else {
                return Err(Note::new(line, "a rule must have action, pattern and effect"));
            };
            if let Some(key) =
                fields.keys().find(|key| !matches!(key.as_str(), "action" | "pattern" | "effect"))
            {
                return Err(Note::new(line, format!("a rule has no {}, so the file is refused", shown(key))));
            }
            let subject = fields.get("action").and_then(Value::as_str).and_then(Subject::named);
            let effect = fields.get("effect").and_then(Effect::named);
            let pattern = match fields.get("pattern") {
                None => Some("*"),
                Some(value) => value.as_str(),
            };
            let (Some(subject), Some(effect), Some(pattern)) = (subject, effect, pattern) else {
                let text = "a rule is not understood, so the file is refused; action is read, write, run, fetch, helper or *, effect is allow, ask or deny";
                return Err(Note::new(line, text));
            };
            self.push(subject, pattern, effect, line);
        }
        Ok(Vec::new())
    }

    /// Takes Claude Code's `permissionMode`. A file can tighten with it, not loosen.
    pub(super) fn read_mode(&mut self, value: &Value, line: usize) -> Result<Vec<Note>, Note> {
        match value.as_str() {
            Some("default" | "manual") => Ok(Vec::new()),
            Some("plan") => {
                self.read_only = true;
                Ok(Vec::new())
            }
            Some(loose @ ("acceptEdits" | "auto" | "bypassPermissions" | "dontAsk")) => {
                let text = format!(
                    "permissionMode {loose} is left out: a file cannot loosen what is asked; use --mode"
                );
                Ok(vec![Note::new(line, text)])
            }
            _ => Err(Note::new(line, "permissionMode is not known, so the file is refused; known is plan")),
        }
    }

    /// Tools that nothing allows: denied one by one, or through the whole of what they do.
    pub(super) fn is_removed(&self, tool: &str) -> bool {
        let whole =
            |rule: &&Rule| rule.effect == Effect::Deny && rule.pattern == "*" && rule.except.is_empty();
        self.removed.contains(&tool)
            || (self.read_only && matches!(Subject::of(tool), Subject::Write | Subject::Run))
            || self
                .rules
                .iter()
                .filter(whole)
                .any(|rule| rule.subject == Subject::Every || rule.subject == Subject::of(tool))
    }
}
