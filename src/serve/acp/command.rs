//! The commands a prompt may begin with. What is no command is said to the model as it stands.

use crate::config::command::Command;
use crate::text::printable;
use agent_client_protocol::v1::schema as acp;

/// What a prompt asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The model is told.
    Words(String),
    /// An issue is closed and proven.
    Fix(String),
    /// Weaknesses are listed.
    Scan(String),
    /// What this session changed.
    Diff,
    /// It is taken back.
    Undo,
    /// The last undo is taken back.
    Redo,
    /// What is lacking, in words for the user.
    Lacking(&'static str),
}

/// Every command: name, what it does, what follows it.
const COMMANDS: [(&str, &str, Option<&str>); 5] = [
    (
        "fix",
        "Close one issue and prove it: scan, change, test, scan again, report",
        Some("the issue, in your words"),
    ),
    ("scan", "Look for known weaknesses; changes nothing", Some("a folder or file (optional)")),
    ("diff", "Show what this session changed", None),
    ("undo", "Take back what this session changed; what somebody else changed since stays", None),
    ("redo", "Take the last undo back", None),
];

/// As a client is told of them; then those that files hold.
pub(super) fn advertised(files: &[Command]) -> Vec<acp::AvailableCommand> {
    let own = COMMANDS.iter().map(|(name, words, hint)| {
        let input = hint
            .map(|hint| acp::AvailableCommandInput::Unstructured(acp::UnstructuredCommandInput::new(hint)));
        acp::AvailableCommand::new(*name, *words).input(input)
    });
    let of_files =
        files.iter().filter(|file| COMMANDS.iter().all(|(name, ..)| file.name != *name)).map(|file| {
            let input =
                acp::AvailableCommandInput::Unstructured(acp::UnstructuredCommandInput::new("arguments"));
            acp::AvailableCommand::new(file.name.clone(), printable(&file.description)).input(input)
        });
    own.chain(of_files).collect()
}

/// Reads a prompt.
pub(super) fn read(words: String, files: &[Command]) -> Asked {
    let Some(line) = words.strip_prefix('/') else { return Asked::Words(words) };
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match name {
        "fix" if rest.is_empty() => Asked::Lacking("Say what to fix: `/fix SQL injection in login`."),
        "fix" => Asked::Fix(rest.to_owned()),
        "scan" => Asked::Scan(rest.to_owned()),
        "diff" => Asked::Diff,
        "undo" => Asked::Undo,
        "redo" => Asked::Redo,
        name => match files.iter().find(|file| file.name == name) {
            Some(file) => Asked::Words(file.prompt(rest)),
            None => Asked::Words(words),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_commands_are_commands() {
        let check =
            |words: &str, expected: Asked| assert_eq!(read(words.to_owned(), &[]), expected, "{words}");
        check("/fix login\nnow", Asked::Fix("login\nnow".into()));
        check("/fix", Asked::Lacking("Say what to fix: `/fix SQL injection in login`."));
        check("/scan", Asked::Scan(String::new()));
        check("/scan src", Asked::Scan("src".into()));
        check("/undo", Asked::Undo);
        check("/etc/passwd can be read", Asked::Words("/etc/passwd can be read".into()));
        check("fix it", Asked::Words("fix it".into()));
    }
}
