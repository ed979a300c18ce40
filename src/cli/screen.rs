//! `agent` alone: the terminal UI, where there is a terminal.

use super::args::WorkArgs;
use super::say_error;
use crate::tui::{self, Setup};
use crate::wire::{self, Trouble, exit};
use std::io::IsTerminal;

/// Opens the terminal UI.
pub(super) fn open(work: &WorkArgs) -> u8 {
    let code = setup(work)
        .and_then(|setup| tui::open(setup, std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())));
    code.unwrap_or_else(|trouble| {
        say_error(&trouble.text);
        trouble.code
    })
}

fn setup(work: &WorkArgs) -> Result<Setup, Trouble> {
    let is_dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    if is_dumb || !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        return Err(Trouble::coded(
            exit::USAGE,
            "the terminal UI needs a terminal; without one: `agent fix ISSUE`, `agent scan`, or `agent --help`",
        ));
    }
    let mut config = wire::decide(work.flags())?;
    let (definition, origin) = wire::definition(work.session.agent.as_deref(), &config)?;
    wire::fit(&mut config, &work.flags(), (&definition, origin));
    let mut warnings: Vec<String> = definition.warnings.iter().map(ToString::to_string).collect();
    warnings.extend(wire::notes(&config));
    Ok(Setup { config, definition, warnings })
}
