//! `agent agents`: definitions, skills and commands, where they come from and which of them count.

use super::args::Format;
use super::{say, say_error};
use crate::config::definition::Definition;
use crate::config::definition::search::{self, Found, State};
use crate::config::places::{Origin, Places};
use crate::config::{Flags, command, skill};
use crate::text::{clip, printable};
use crate::wire;
use std::fmt::Write as _;
use std::path::PathBuf;

/// `agent agents`.
pub(super) fn agents(workspace: PathBuf, name: Option<&str>, format: Format) -> u8 {
    let shown = wire::decide(Flags { workspace: Some(workspace), ..Flags::default() }).and_then(|config| {
        Ok(match name {
            Some(name) => portable(&wire::definition(Some(name), &config)?.0),
            None => show(&wire::places(&config), format),
        })
    });
    match shown {
        Ok(text) => {
            say(&text);
            0
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

/// The part that every host understands: no tools, whose lists differ from host to host and stop one of them.
fn portable(definition: &Definition) -> String {
    // A JSON string is a YAML string, whatever it holds.
    let description = serde_json::Value::from(definition.description.as_str());
    let (name, body) = (&definition.name, &definition.body);
    format!("---\nname: {name}\ndescription: {description}\nmode: subagent\n---\n{body}\n")
}

fn show(places: &Places, format: Format) -> String {
    let agents = search::list(places);
    let (skills, mut warnings) = skill::list(places);
    let (commands, more) = command::list(places);
    warnings.extend(more);
    if format != Format::Text {
        let object = serde_json::json!({
            "trusted": places.trusted.is_some(), "agents": agents, "skills": skills, "commands": commands, "warnings": warnings,
        });
        return format!("{object}\n");
    }
    let mut out = String::from("Agents, the first of a name counts (--agent NAME):\n");
    for found in &agents {
        let _ = writeln!(out, "  {}", agent_line(found));
    }
    list(&mut out, "Skills", skills.iter().map(|s| (&s.name, &s.description, s.origin, &s.folder)));
    list(&mut out, "Commands", commands.iter().map(|c| (&c.name, &c.description, c.origin, &c.path)));
    for warning in warnings {
        let _ = writeln!(out, "warning: {warning}");
    }
    printable(&out).into_owned()
}

fn agent_line(found: &Found) -> String {
    let state = match &found.state {
        State::Used => String::new(),
        State::Shadowed => "  [another one comes first]".to_owned(),
        State::Untrusted => "  [not trusted: `agent trust`]".to_owned(),
        State::Refused(why) => format!("  [refused: {why}]"),
    };
    let path = found.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    format!("{}  {} {}  {path}{state}  {}", found.name, found.origin, found.mode, short(&found.description))
}

fn list<'a>(
    out: &mut String,
    heading: &str,
    lines: impl Iterator<Item = (&'a String, &'a String, Origin, &'a PathBuf)>,
) {
    for (at, (name, description, origin, path)) in lines.enumerate() {
        if at == 0 {
            let _ = writeln!(out, "{heading}:");
        }
        let _ = writeln!(out, "  {name}  {origin}  {}  {}", path.display(), short(description));
    }
}

fn short(text: &str) -> &str {
    clip(text.lines().next().unwrap_or_default(), 120).text
}
