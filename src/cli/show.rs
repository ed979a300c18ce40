//! `agent show` and `agent schema`: a session for whoever reviews it, and the forms of what programs read.

use super::args::Format;
use super::{say, say_error, work};
use crate::config::Flags;
use crate::fix::show::show as read;
use crate::session::record;
use crate::wire::{self, Trouble, exit};
use crate::workspace::Workspace;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The result object, as JSON Schema.
const RESULT: &str = include_str!("../../schemas/result.json");
/// A line of the event stream, as JSON Schema.
const EVENTS: &str = include_str!("../../schemas/events.json");

/// Options of `agent show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Session id; the newest of this workspace when absent
    pub session: Option<String>,
    /// Write one self-contained HTML page to this file instead
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Folder the session worked in
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub output_format: Format,
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// The result object of `--output-format json` and `--result`.
    Result,
    /// A line of `--output-format stream-json`.
    Events,
}

/// `agent schema`.
pub(super) fn schema(which: Schema) -> u8 {
    say(match which {
        Schema::Result => RESULT,
        Schema::Events => EVENTS,
    });
    0
}

/// `agent show`.
pub(super) fn show(args: &ShowArgs) -> u8 {
    match shown(args) {
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

fn shown(args: &ShowArgs) -> Result<String, Trouble> {
    let config = wire::decide(Flags { workspace: args.workspace.clone(), ..Flags::default() })?;
    let newest = || {
        let root = Workspace::open(&config.workspace).ok()?;
        record::list(&config.state, Some(root.root())).into_iter().next().map(|summary| summary.session_id)
    };
    let id = args
        .session
        .clone()
        .or_else(newest)
        .ok_or_else(|| Trouble::coded(exit::NO_INPUT, "no session in this workspace to show"))?;
    let shown = read(&config.state, &id)?;
    if let Some(path) = &args.html {
        work::write_whole(path, shown.html().as_bytes())
            .map_err(|error| Trouble::coded(1, format!("{}: {error}", path.display())))?;
        return Ok(format!("{}\n", path.display()));
    }
    if args.output_format == Format::Text {
        return Ok(crate::text::printable(&shown.text()).into_owned());
    }
    Ok(serde_json::to_string(&shown).unwrap_or_default() + "\n")
}
