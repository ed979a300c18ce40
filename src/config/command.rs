//! Prompt commands: a Markdown file that stands for a prompt, `/NAME ARGUMENTS`. Nothing in it is run: `$1` to
//! `$9` and `$ARGUMENTS` are filled with words, and that is all.

use super::definition::front::Front;
use super::places::{Candidate, Origin, Places};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// Largest command file, in bytes.
pub const MAX_COMMAND: u64 = 64 * 1024;

/// A command that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    /// Its name, the file's.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its file.
    pub path: PathBuf,
    /// Who wrote it.
    pub origin: Origin,
    #[serde(skip)]
    body: String,
}

/// The commands that count, project (when trusted) before user, and what was wrong with others.
pub fn list(places: &Places) -> (Vec<Command>, Vec<String>) {
    let mut commands: Vec<Command> = Vec::new();
    let mut warnings = Vec::new();
    for candidate in places.commands() {
        if candidate.origin == Origin::Project && places.trusted.is_none() {
            continue;
        }
        match read(&candidate, places) {
            Ok(command) if commands.iter().any(|other| other.name == command.name) => {}
            Ok(command) => commands.push(command),
            Err(why) => warnings.push(why),
        }
    }
    (commands, warnings)
}

fn read(candidate: &Candidate, places: &Places) -> Result<Command, String> {
    let shown = candidate.path.display().to_string();
    let text = places.text(candidate, MAX_COMMAND)?;
    let front = Front::split(&shown, &text).map_err(|remark| remark.to_string())?;
    let description = match front.value("description") {
        Some(Value::String(text)) => text.trim().to_owned(),
        _ => String::new(),
    };
    Ok(Command {
        name: front.stem(),
        description,
        path: candidate.path.clone(),
        origin: candidate.origin,
        body: front.body.clone(),
    })
}

impl Command {
    /// The prompt it stands for. What fills a place is never filled again.
    pub fn prompt(&self, arguments: &str) -> String {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let mut out = String::new();
        let mut filled = false;
        let mut rest = self.body.as_str();
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let digit = after.chars().next().and_then(|c| c.to_digit(10)).filter(|digit| *digit > 0);
            if let Some(after) = after.strip_prefix("ARGUMENTS") {
                out.push_str(arguments.trim());
                (rest, filled) = (after, true);
            } else if let Some(digit) = digit {
                out.push_str(words.get(digit as usize - 1).copied().unwrap_or_default());
                (rest, filled) = (&after[1..], true);
            } else {
                out.push('$');
                rest = after;
            }
        }
        out.push_str(rest);
        // Words that no place takes are still said.
        if !filled && !arguments.trim().is_empty() {
            out.push_str("\n\n");
            out.push_str(arguments.trim());
        }
        out
    }
}

/// `/NAME ARGUMENTS` taken apart; `None` when a text is no such call.
pub fn called(text: &str) -> Option<(&str, &str)> {
    let rest = text.trim().strip_prefix('/')?;
    let (name, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!name.is_empty() && name.chars().all(plain)).then_some((name, arguments.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_places_once_and_runs_nothing() {
        let check = |body: &str, arguments: &str, expected: &str| {
            let command = Command {
                name: "c".into(),
                description: String::new(),
                path: PathBuf::new(),
                origin: Origin::User,
                body: body.into(),
            };
            assert_eq!(command.prompt(arguments), expected, "{body} with {arguments}");
        };
        check("Fix $1 in $2.", "login app.py more", "Fix login in app.py.");
        check("Fix $ARGUMENTS", "$1 a", "Fix $1 a");
        check("Look.", "at this", "Look.\n\nat this");
        check("!`id` costs $5 or $0 or $x", "", "!`id` costs  or $0 or $x");
    }

    #[test]
    fn only_a_slash_and_a_name_call_a_command() {
        assert_eq!(called("/harden login now"), Some(("harden", "login now")));
        assert_eq!(called("/harden"), Some(("harden", "")));
        assert_eq!(called("/etc/passwd is read"), None);
        assert_eq!(called("harden"), None);
    }
}
