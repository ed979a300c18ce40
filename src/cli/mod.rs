//! Arguments, wiring, plain and JSON output, exit codes.

pub mod args;
mod agents;
mod doctor;
pub mod fixing;
mod hidden;
mod keys;
mod lines;
mod look;
mod plain;
pub mod rules;
pub mod sarif;
pub mod scan;
mod screen;
mod trust;
mod undo;
mod show;
mod work;

use crate::serve::{acp, mcp};
use crate::text::known;
use crate::wire::Trouble;
use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use std::io::Write;
use std::process::ExitCode;

/// Runs the command line of this process to its exit code.
pub fn main() -> ExitCode {
    ExitCode::from(run(Cli::parse()))
}

fn run(cli: Cli) -> u8 {
    let is_secret = |(name, value): &(String, String)| known::is_secret_variable(name, value);
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    known::know(variables.filter(is_secret).map(|(_, value)| value).collect());
    let _logs = match crate::wire::logs::begin() {
        Ok(logs) => logs,
        Err(trouble) => {
            say_error(&trouble.text);
            return trouble.code;
        }
    };
    let Some(command) = cli.command else {
        return screen::open(&cli.work);
    };
    match command {
        Command::Run { prompt, work } => work::run(&prompt, &work),
        Command::Fix { issue, test, fixing, sarif, work } => match &sarif.sarif {
            Some(file) => work::fix_reported(file, &sarif, (test.as_deref(), &fixing), &work),
            None => work::fix(&issue.unwrap_or_default(), test, fixing, &work),
        },
        Command::Resume { list: true, work, .. } => work::list(&work),
        Command::Resume { session, prompt, work, .. } => work::resume(session, &prompt, &work),
        Command::Scan(args) => scan::scan(&args),
        Command::Rules(command) => rules::rules(&command),
        Command::Show(args) => show::show(&args),
        Command::Schema { which } => show::schema(which),
        Command::Diff(args) => undo::diff(&args),
        Command::Undo(args) => undo::undo(&args),
        Command::Redo(args) => undo::redo(&args),
        Command::Acp(args) => serve(acp::serve(args.start())),
        Command::Hidden { session, workspace, output_format } => {
            hidden::hidden(session.as_deref(), &workspace, output_format != args::Format::Text)
        }
        Command::Mcp(args) => serve(mcp::serve(args.start())),
        Command::Trust { path, list, revoke, check, output_format } => {
            let wanted = match (list, revoke, check) {
                (true, ..) => trust::Wanted::List,
                (_, true, _) => trust::Wanted::Revoke,
                (.., true) => trust::Wanted::Check,
                _ => trust::Wanted::Grant,
            };
            trust::trust(&path, wanted, output_format != args::Format::Text)
        }
        Command::Doctor { work } => doctor::doctor(&work),
        Command::Login { provider } => keys::login(provider),
        Command::Logout { provider } => keys::logout(provider),
        Command::Models { provider, output_format } => keys::models(provider.as_deref(), output_format),
        Command::Agents { workspace, output_format } => agents::agents(workspace, output_format),
        Command::Tools { output_format } => look::tools(output_format),
        Command::Sandbox { workspace, allow_host, command } => {
            look::sandbox(&workspace, &allow_host, &command)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "agent", &mut script);
            say_bytes(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => say_bytes(&page),
                Err(error) => {
                    say_error(&error.to_string());
                    1
                }
            }
        }
    }
}

/// The exit code of a door that served.
fn serve(served: Result<u8, Trouble>) -> u8 {
    served.unwrap_or_else(|trouble| {
        say_error(&trouble.text);
        trouble.code
    })
}

/// One line on standard error.
fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "agent: {}", crate::text::printable(&crate::text::redact(text)));
}

/// Text on standard output; a reader that is gone is no error.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

fn say_bytes(bytes: &[u8]) -> u8 {
    say(&String::from_utf8_lossy(bytes));
    0
}
