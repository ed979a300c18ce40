//! An agent definition: front matter and persona, in the dialects of opencode and Claude Code.
//!
//! Lenient where a mistake only loses something (an unknown key or tool is a warning with its line), strict
//! where it could allow something: a key that is about permissions and is not understood, a limit that is no
//! number, a refusal that names an unknown tool make the file an error. A file can narrow what the agent may
//! do; what would loosen it (`permissionMode: bypassPermissions`) is left out and said.

pub(super) mod front;
mod judged;
mod rules;
pub mod search;
mod tools;

use front::Front;
pub use rules::{Effect, Rule, Subject};
use serde_json::Value;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// Largest definition file, in bytes.
pub const MAX_DEFINITION: u64 = 256 * 1024;

const EMBEDDED: &str = include_str!("../../agent.md");

/// Who the agent is and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name: lower case, digits, hyphens.
    pub name: String,
    /// When to call it.
    pub description: String,
    /// Tools by our own names, in the file's order; what the file refuses is already gone.
    pub tools: Vec<String>,
    /// Who may call it.
    pub mode: Calling,
    /// `provider/model`, when the file names one.
    pub model: Option<String>,
    /// Most turns of one run, when the file limits them.
    pub max_turns: Option<u32>,
    /// Whether the file asks that nothing changes and nothing runs (`permissionMode: plan`).
    pub read_only: bool,
    /// Its permissions as data, in the file's order. Policy decides what they are worth; deny wins.
    pub rules: Vec<Rule>,
    /// The persona.
    pub body: String,
    /// What was not understood and does no harm.
    pub warnings: Vec<Remark>,
}

/// Who may call an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calling {
    /// A person.
    Primary,
    /// Another agent.
    Subagent,
    /// Both.
    All,
}

/// Something to say about a place in a definition file: a warning, or the reason why it is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What is wrong, and what next.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

impl std::error::Error for Remark {}

impl Definition {
    /// The definition that ships with the program: `agent.md`.
    pub fn embedded() -> Self {
        // A test parses the embedded file; if it ever failed, an agent without tools is the safe one.
        Self::parse("agent.md", EMBEDDED).unwrap_or_else(|remark| Definition {
            name: "backend-security-coder".to_owned(),
            description: String::new(),
            tools: Vec::new(),
            mode: Calling::Subagent,
            model: None,
            max_turns: None,
            read_only: true,
            rules: Vec::new(),
            body: EMBEDDED.to_owned(),
            warnings: vec![remark],
        })
    }

    /// Reads a definition file: a regular file of at most [`MAX_DEFINITION`] bytes of UTF-8.
    pub fn read(path: &Path) -> Result<Self, Remark> {
        let file = path.display().to_string();
        let refuse = |text: String| Remark { file: file.clone(), line: 1, text };
        let facts = std::fs::metadata(path).map_err(|error| refuse(format!("cannot be opened: {error}")))?;
        if !facts.is_file() {
            return Err(refuse("is not a regular file; name a Markdown file".to_owned()));
        }
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|open| open.take(MAX_DEFINITION + 1).read_to_end(&mut bytes))
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| refuse("is not UTF-8 text".to_owned()))?;
        Self::parse(&file, &text)
    }

    /// Reads a definition's text. `file` is its name in messages, and names the agent when the text does not.
    pub fn parse(file: &str, text: &str) -> Result<Self, Remark> {
        if text.len() as u64 > MAX_DEFINITION {
            let text = format!("has more than the {MAX_DEFINITION} bytes a definition may have; shorten it");
            return Err(Remark { file: file.to_owned(), line: 1, text });
        }
        let front = Front::split(file, text)?;
        Draft::new(&front).finish()
    }

    /// Whether a tool is the agent's. `scan` and `skill` only look, so they come with `read`.
    pub fn offers(&self, tool: &str) -> bool {
        let tool = if matches!(tool, "scan" | "skill") { "read" } else { tool };
        self.tools.iter().any(|own| own == tool)
    }
}

/// Keys of known dialects that change nothing here.
const WITHOUT_EFFECT: &[&str] = &[
    "argument-hint",
    "author",
    "background",
    "color",
    "compatibility",
    "display-name",
    "effort",
    "hidden",
    "icon",
    "id",
    "infer",
    "initialPrompt",
    "isolation",
    "kind",
    "license",
    "memory",
    "metadata",
    "options",
    "reasoningEffort",
    "skills",
    "tags",
    "target",
    "temperature",
    "textVerbosity",
    "thinking",
    "top_p",
    "topP",
    "variant",
    "version",
    "when_to_use",
    "whenToUse",
];

/// Keys that would start or load something; a definition file cannot.
const NEVER_STARTED: &[&str] = &["handoffs", "hooks", "mcp", "mcp-servers", "mcpServers", "plugins"];

/// Beginnings of keys that are about what is allowed: not understood means refused.
const ABOUT_PERMISSION: &[&str] = &[
    "allow",
    "approv",
    "block",
    "deni",
    "deny",
    "disable",
    "disallow",
    "enable",
    "exclude",
    "forbid",
    "guard",
    "limit",
    "max",
    "network",
    "permi",
    "policy",
    "policies",
    "read-only",
    "read_only",
    "readonly",
    "restrict",
    "sandbox",
    "secur",
    "trust",
    "write",
];

/// A definition in the making.
struct Draft<'a> {
    front: &'a Front,
    warnings: Vec<Remark>,
}

impl<'a> Draft<'a> {
    fn new(front: &'a Front) -> Self {
        Self { front, warnings: front.warnings.clone() }
    }

    fn finish(mut self) -> Result<Definition, Remark> {
        let name = self.name()?;
        let description = self.text("description")?.unwrap_or_default();
        if description.is_empty() && !self.front.fields.is_empty() {
            self.warn(
                "description",
                "there is no description; other agents cannot tell when to call this one",
            );
        }
        let mut permissions = rules::Permissions::default();
        let mut tools = tools::Tools::everything();
        for (key, value) in &self.front.fields {
            let line = self.front.line(&[key]);
            let said = match key.as_str() {
                "tools" | "allowed-tools" | "allowedTools" => tools.choose(value, &mut permissions, line),
                "permission" => permissions.read_map(value, self.front, line),
                "rules" => permissions.read_list(value, line),
                "permissionMode" => permissions.read_mode(value, line),
                _ => Ok(Vec::new()),
            };
            self.take(said)?;
        }
        // Refusals come last, wherever the file has them: they win over every choice.
        for key in ["disallowedTools", "disallowed-tools"] {
            if let Some(value) = self.front.value(key) {
                let line = self.front.line(&[key]);
                let said = tools.refuse(value, &mut permissions, line);
                self.take(said)?;
            }
        }
        let names = tools.names().into_iter().filter(|name| !permissions.is_removed(name)).collect();
        let mode = self.mode();
        let model = self.model()?;
        let max_turns = self.max_turns()?;
        self.check_keys()?;
        Ok(Definition {
            name,
            description,
            tools: names,
            mode,
            model,
            max_turns,
            read_only: permissions.read_only,
            rules: permissions.rules,
            body: self.front.body.clone(),
            warnings: self.warnings,
        })
    }

    fn take(&mut self, said: Result<Vec<Note>, Note>) -> Result<(), Remark> {
        let remark = |note: Note| self.front.remark(note.line, &note.text);
        match said {
            Ok(notes) => {
                let remarks: Vec<Remark> = notes.into_iter().map(remark).collect();
                self.warnings.extend(remarks);
                Ok(())
            }
            Err(note) => Err(remark(note)),
        }
    }

    fn warn(&mut self, key: &str, text: &str) {
        self.warnings.push(self.front.remark(self.front.line(&[key]), text));
    }

    fn refuse<T>(&self, key: &str, text: &str) -> Result<T, Remark> {
        Err(self.front.remark(self.front.line(&[key]), text))
    }

    fn text(&self, key: &str) -> Result<Option<String>, Remark> {
        match self.front.value(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim().to_owned())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => self.refuse(key, &format!("{key} must be text")),
        }
    }

    fn name(&mut self) -> Result<String, Remark> {
        let written = match self.text("name")? {
            Some(name) => name,
            None => self.front.stem(),
        };
        let name = slug(&written);
        if name.is_empty() {
            return self
                .refuse("name", "the name has no letter or digit; use lower case, digits and hyphens");
        }
        if self.front.value("name").is_some() && name != written {
            self.warn("name", &format!("the name is read as {name}: lower case, digits and hyphens only"));
        }
        Ok(name)
    }

    fn mode(&mut self) -> Calling {
        match self.front.value("mode") {
            None | Some(Value::Null) => Calling::All,
            Some(Value::String(mode)) if mode == "subagent" => Calling::Subagent,
            Some(Value::String(mode)) if mode == "primary" => Calling::Primary,
            Some(Value::String(mode)) if mode == "all" => Calling::All,
            Some(_) => {
                self.warn("mode", "mode is not primary, subagent or all; read as subagent");
                Calling::Subagent
            }
        }
    }

    fn model(&mut self) -> Result<Option<String>, Remark> {
        Ok(match self.text("model")? {
            None => None,
            Some(model) if model == "inherit" || model.is_empty() => None,
            Some(model)
                if model == "rules"
                    || model.split_once('/').is_some_and(|(p, m)| !p.is_empty() && !m.is_empty()) =>
            {
                Some(model)
            }
            Some(_) => {
                self.warn("model", "the model is not written as provider/model; it is not used");
                None
            }
        })
    }

    fn max_turns(&mut self) -> Result<Option<u32>, Remark> {
        let mut least: Option<u32> = None;
        for key in ["maxTurns", "max_turns", "max-turns", "steps", "maxSteps"] {
            let turns = match self.front.value(key) {
                None | Some(Value::Null) => continue,
                Some(Value::Number(number)) => number.as_u64(),
                Some(Value::String(text)) => text.trim().parse().ok(),
                Some(_) => None,
            };
            let Some(turns) = turns.filter(|turns| *turns > 0).and_then(|turns| u32::try_from(turns).ok())
            else {
                return self.refuse(key, &format!("{key} must be a whole number from 1"));
            };
            least = Some(least.map_or(turns, |least| least.min(turns)));
        }
        Ok(least)
    }

    /// Keys that nobody reads: harmless ones pass, unknown ones are said, those about permission are refused.
    fn check_keys(&mut self) -> Result<(), Remark> {
        const READ: &[&str] = &[
            "name",
            "description",
            "tools",
            "allowed-tools",
            "allowedTools",
            "disallowedTools",
            "disallowed-tools",
            "permission",
            "permissionMode",
            "rules",
            "mode",
            "model",
            "maxTurns",
            "max_turns",
            "max-turns",
            "steps",
            "maxSteps",
        ];
        for (key, value) in &self.front.fields {
            let key = key.as_str();
            if READ.contains(&key)
                || WITHOUT_EFFECT.contains(&key)
                || (key == "disable" && *value == Value::Bool(false))
            {
                continue;
            }
            if NEVER_STARTED.contains(&key) {
                self.warn(key, &format!("{key} is left out: a definition file starts and loads nothing"));
                continue;
            }
            if key == "disable" {
                return self.refuse(key, "this agent is disabled by its file");
            }
            let folded = key.to_lowercase();
            if ABOUT_PERMISSION.iter().any(|start| folded.starts_with(start)) || folded.contains("permission")
            {
                let text = format!(
                    "{} looks like a permission and is not known, so the file is refused; use tools, disallowedTools, permission or rules",
                    front::shown(key)
                );
                return self.refuse(key, &text);
            }
            self.warn(key, &format!("{} is not a known key; it is left out", front::shown(key)));
        }
        Ok(())
    }
}

/// A remark before it has its file.
struct Note {
    line: usize,
    text: String,
}

impl Note {
    fn new(line: usize, text: impl Into<String>) -> Self {
        Self { line, text: text.into() }
    }
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.trim().chars().take(256) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(64);
    slug.trim_end_matches('-').to_owned()
}
