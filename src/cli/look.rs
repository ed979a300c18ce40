//! The commands that show what there is: `tools`, `sandbox`.

use super::args::Format;
use super::{say, say_error};
use crate::action::Action;
use crate::config::{self, Flags};
use crate::event::Outcome;
use crate::network::{Fixed, Gate};
use crate::policy::{Mode, Policy, Verdict};
use crate::sandbox::{Exit, Job, Watch};
use crate::tool;
use crate::wire::{self, Trouble, exit};
use crate::workspace::Workspace;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `agent tools`.
pub(super) fn tools(format: Format) -> u8 {
    let tools = tool::all();
    let specs: Vec<_> = tools.iter().map(|tool| tool.spec()).collect();
    if format == Format::Text {
        for spec in specs {
            say(&format!("{}\n    {}\n", spec.name, spec.description));
        }
    } else {
        say(&(serde_json::to_string_pretty(&specs).unwrap_or_default() + "\n"));
    }
    0
}

/// `agent sandbox -- CMD`.
pub(super) fn sandbox(workspace: &Path, hosts: &[String], command: &[String]) -> u8 {
    match run_walled(workspace, hosts, command) {
        Ok(code) => code,
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn run_walled(workspace: &Path, hosts: &[String], command: &[String]) -> Result<u8, Trouble> {
    let config = config::decide(Flags::default(), &wire::lookup)
        .map_err(|error| Trouble::coded(exit::USAGE, error.to_string()))?;
    let workspace = Workspace::open(workspace)?;
    let walls = wire::walls(&workspace, &config.state, false)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Trouble::new(Outcome::Error, format!("cannot start: {error}")))?;
    let job = Job {
        command: command.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "),
        workdir: workspace.root().to_owned(),
        timeout: Duration::from_hours(1),
    };
    let watch = Watch { output: Arc::new(say), cancel: CancellationToken::new() };
    let run = match gate(hosts, &job.command)? {
        Some(gate) => walls.run_reaching(job, watch, gate),
        None => walls.run(job, watch),
    };
    let done = runtime.block_on(run).map_err(|error| Trouble::new(Outcome::Error, error.to_string()))?;
    for denial in &done.denials {
        say_error(&format!("sandbox: {denial}"));
    }
    for place in &done.reached {
        say_error(&format!("sandbox: reached {place}"));
    }
    Ok(match done.exit {
        Exit::Code(code) => u8::try_from(code).unwrap_or(1),
        Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(1),
        Exit::TimedOut => 3,
        Exit::Cancelled => exit::code(Outcome::Cancelled),
    })
}

/// What the command may reach: the hosts of the flag, and nobody is asked.
fn gate(hosts: &[String], command: &str) -> Result<Option<Arc<dyn Gate>>, Trouble> {
    let mut policy = Policy::new(Mode::Yes);
    for host in hosts {
        policy.allow_host(host).map_err(|why| Trouble::coded(exit::USAGE, why))?;
    }
    if hosts.is_empty() {
        return Ok(None);
    }
    let command = command.to_owned();
    Ok(Some(Arc::new(Fixed(move |host: &str, port| {
        let action = Action::Connect { host: host.to_owned(), port, command: command.clone() };
        match policy.judge(&action) {
            Verdict::Allow(_) => Ok(()),
            Verdict::Ask(_) | Verdict::Deny(_) => Err("not among the hosts of --allow-host".into()),
        }
    }))))
}

/// A word as the shell reads it back unchanged.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
