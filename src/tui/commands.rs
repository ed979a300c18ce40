//! The commands of the composer and of the palette: one table.

use super::state::{Block, Content, Dialog, Effect, Item, Order, Pick, Sheet, State, Then, Tone};
use crate::config;
use crate::policy::Mode;
use std::fmt::Write as _;

/// A command.
pub struct Command {
    /// Without the slash.
    pub name: &'static str,
    /// What it takes, for people.
    pub args: &'static str,
    /// A few words.
    pub help: &'static str,
    /// Whether it can be given while there is work.
    pub any_time: bool,
}

const fn command(name: &'static str, args: &'static str, help: &'static str, any_time: bool) -> Command {
    Command { name, args, help, any_time }
}

/// The table.
pub const COMMANDS: &[Command] = &[
    command("fix", "ISSUE", "close a security issue and prove it", false),
    command("scan", "", "look for known weaknesses in this folder", false),
    command("findings", "", "what the last scan found; enter fixes one", true),
    command("diff", "", "what this session changed", false),
    command("undo", "[all]", "take back what the last answer changed, or all", false),
    command("redo", "", "take the undo back", false),
    command("mode", "[ask|auto|read-only]", "how much happens without asking", false),
    command("model", "[PROVIDER/NAME]", "go on with another model", false),
    command("resume", "", "go on with an earlier session", false),
    command("new", "", "begin a new session", false),
    command("fork", "", "go on with a copy of this session", false),
    command("rename", "NAME", "name this session", false),
    command("compact", "", "cut the conversation to what matters", false),
    command("cost", "", "tokens and money so far", true),
    command("permissions", "", "what is allowed for this session; enter takes one back", false),
    command("sandbox", "", "what confines commands here", true),
    command("transcript", "", "the whole conversation, with search", true),
    command("copy", "", "the last answer to the clipboard", true),
    command("export", "[FILE]", "the conversation as Markdown, to a file of this folder", false),
    command("help", "", "keys and commands", true),
    command("quit", "", "leave", true),
];

/// The table as a palette.
pub fn palette() -> Dialog {
    let item = |command: &Command| Item {
        label: format!("/{} {}", command.name, command.args).trim_end().to_owned(),
        detail: command.help.to_owned(),
        then: Then::Command(command.name),
    };
    let items = COMMANDS.iter().map(item).collect();
    Dialog::Pick(Pick { title: "Commands".into(), items, filter: String::new(), chosen: 0 })
}

/// Runs a command line without its slash.
pub fn run(state: &mut State, line: &str) -> Vec<Effect> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        state.hint = Some(format!("no command /{name}; /help lists them"));
        return Vec::new();
    };
    if state.is_busy() && !command.any_time {
        state.hint = Some(format!("/{name} waits until the work is done; esc stops it"));
        return Vec::new();
    }
    if command.args.starts_with(char::is_uppercase) && rest.is_empty() {
        state.composer.set(&format!("/{name} "));
        state.hint = Some(format!("/{name} needs: {}", command.args));
        return Vec::new();
    }
    let order = match name {
        "fix" => {
            state.transcript.push(Block::User(format!("/fix {rest}")));
            Order::Fix(rest.to_owned())
        }
        "scan" => Order::Scan,
        "diff" => Order::Diff,
        "undo" => Order::Undo { all: rest == "all" },
        "redo" => Order::Redo,
        "mode" if rest.is_empty() => return open(state, modes()),
        "mode" => match config::mode(rest).filter(|mode| *mode != Mode::Yes) {
            Some(mode) => Order::Mode(mode),
            None => return hint(state, "modes are ask, auto and read-only"),
        },
        "model" if rest.is_empty() => Order::Models,
        "model" => Order::Model(rest.to_owned()),
        "resume" => Order::Sessions,
        "new" => Order::New,
        "fork" => Order::Fork,
        "rename" => Order::Rename(rest.to_owned()),
        "compact" => Order::Compact,
        "permissions" => Order::Permissions,
        "export" => Order::Export { path: rest.to_owned(), text: export(state) },
        "findings" if state.findings.is_empty() => return hint(state, "no findings; /scan looks for them"),
        "findings" => return open(state, Dialog::Findings { chosen: 0 }),
        "cost" => {
            let text = cost(state);
            state.note(Tone::Plain, text);
            return Vec::new();
        }
        "sandbox" => {
            let text = sandbox(state);
            state.note(Tone::Plain, text);
            return Vec::new();
        }
        "transcript" => return open(state, sheet("Conversation", Content::Transcript)),
        "copy" => return copy(state),
        "help" => return open(state, sheet("Help", Content::Help)),
        _ => return vec![Effect::Leave],
    };
    vec![Effect::Order(order)]
}

/// A sheet of that content; a conversation opens at its end.
pub fn sheet(title: &str, content: Content) -> Dialog {
    let top = if content == Content::Transcript { usize::MAX } else { 0 };
    Dialog::Sheet(Sheet { title: title.into(), content, top, search: String::new() })
}

/// The mode after this one.
pub fn next_mode(mode: &str) -> Mode {
    match mode {
        "ask" => Mode::Auto,
        "auto" => Mode::ReadOnly,
        _ => Mode::Ask,
    }
}

fn open(state: &mut State, dialog: Dialog) -> Vec<Effect> {
    state.dialog = Some(dialog);
    Vec::new()
}

fn hint(state: &mut State, text: &str) -> Vec<Effect> {
    state.hint = Some(text.to_owned());
    Vec::new()
}

fn modes() -> Dialog {
    let item = |(mode, detail): (Mode, &str)| Item {
        label: mode.to_string(),
        detail: detail.to_owned(),
        then: Then::Order(Order::Mode(mode)),
    };
    let items = [
        (Mode::Ask, "every change and every command is asked for"),
        (Mode::Auto, "edits and sandboxed commands happen; anything beyond asks"),
        (Mode::ReadOnly, "nothing changes and nothing runs"),
    ];
    Dialog::Pick(Pick {
        title: "Mode".into(),
        items: items.into_iter().map(item).collect(),
        filter: String::new(),
        chosen: 0,
    })
}

fn copy(state: &mut State) -> Vec<Effect> {
    let mut words: Vec<&str> = Vec::new();
    for block in state.transcript.iter().rev() {
        match block {
            Block::Prose(piece) => words.push(&piece.text),
            _ if words.is_empty() => {}
            _ => break,
        }
    }
    words.reverse();
    let text = words.concat();
    if text.is_empty() {
        return hint(state, "there is no answer to copy yet");
    }
    state.hint = Some(format!("{} bytes sent to the terminal's clipboard", text.len()));
    vec![Effect::Copy(text)]
}

fn cost(state: &State) -> String {
    let Some(spent) = state.spent else { return "nothing was spent yet".to_owned() };
    let money = match spent.total_cost_usd {
        Some(cost) => format!("${cost:.4}"),
        None => "cost not known (set a price in config.toml)".to_owned(),
    };
    let (total, last) = (spent.total, spent.usage);
    format!(
        "session: {} tokens, {money}; last answer: {} in, {} out",
        total.tokens(),
        last.tokens().saturating_sub(last.output),
        last.output
    )
}

fn sandbox(state: &State) -> String {
    let mut text = format!("commands run behind: {}", state.desk.sandbox);
    for missing in &state.desk.missing {
        let _ = write!(text, "\n- {missing}");
    }
    text + "\nwithout network unless a question says so; `agent doctor` tells more"
}

/// The conversation as Markdown.
fn export(state: &State) -> String {
    let mut out =
        format!("# Session {}\n\nModel {}, {}.\n", state.session, state.desk.model, state.desk.workspace);
    for block in &state.transcript {
        match block {
            Block::User(text) => {
                let _ = write!(out, "\n## You\n\n{text}\n\n");
            }
            Block::Prose(piece) => out.push_str(&piece.text),
            other => {
                let lines = super::view::block(other, 100);
                if !lines.is_empty() {
                    out.push_str("\n```\n");
                    for line in lines {
                        let _ = writeln!(out, "{}", line.to_string().trim_end());
                    }
                    out.push_str("```\n");
                }
            }
        }
    }
    crate::text::redact(&out).into_owned()
}
