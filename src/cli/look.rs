//! The commands that work without a model: `scan`, `tools`, `sandbox`.

use super::args::{Format, ScanFormat};
use super::{say, say_error};
use crate::config::{self, Flags};
use crate::event::Outcome;
use crate::finding::{Family, Finding, Severity, listing, sarif};
use crate::sandbox::{Exit, Job, Watch};
use crate::scan::{Filter, Scan, Scanner};
use crate::text::{printable, redact};
use crate::tool;
use crate::wire::{self, Trouble, exit};
use crate::workspace::Workspace;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `agent scan`.
pub(super) fn scan(
    path: &Path,
    families: Vec<Family>,
    severity: Option<Severity>,
    fail_on_findings: bool,
    format: ScanFormat,
) -> u8 {
    match look(path, families, severity) {
        Ok((workspace, scan)) => {
            say(&match format {
                ScanFormat::Text => text(&workspace, &scan),
                ScanFormat::Json => serde_json::to_string_pretty(&scan.findings).unwrap_or_default() + "\n",
                ScanFormat::Sarif => {
                    serde_json::to_string_pretty(&sarif::document(&scan.findings)).unwrap_or_default() + "\n"
                }
            });
            if fail_on_findings && !scan.findings.is_empty() { exit::NOT_FIXED } else { 0 }
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn look(
    path: &Path,
    families: Vec<Family>,
    severity: Option<Severity>,
) -> Result<(Workspace, Scan), Trouble> {
    let missing =
        |error: std::io::Error| Trouble::coded(exit::NO_INPUT, format!("{}: {error}", path.display()));
    let whole = path.canonicalize().map_err(missing)?;
    // A file is scanned within the folder it was named from, so that its findings carry that path.
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).map_err(missing)?;
    let root = if whole.is_dir() {
        whole.clone()
    } else if whole.starts_with(&here) {
        here
    } else {
        whole.parent().unwrap_or(&whole).to_owned()
    };
    let workspace = Workspace::open(&root)?;
    let beneath = if whole == root { None } else { Some(workspace.place(&whole.to_string_lossy())?) };
    let scan = Scanner::new().scan(&workspace, &Filter { beneath, families, severity });
    Ok((workspace, scan))
}

fn text(workspace: &Workspace, scan: &Scan) -> String {
    let mut out = String::new();
    for finding in &scan.findings {
        let _ = writeln!(out, "{}", listing::render(finding, &file_text(workspace, finding)));
    }
    for (path, reason) in &scan.skipped {
        let _ = writeln!(out, "skipped {path}: {reason}");
    }
    let _ = writeln!(out, "{} findings in {} files", scan.findings.len(), scan.files);
    printable(&redact(&out)).into_owned()
}

fn file_text(workspace: &Workspace, finding: &Finding) -> String {
    let content = workspace.place(&finding.path).and_then(|place| workspace.read(&place));
    content.ok().and_then(|content| content.text().map(ToOwned::to_owned)).unwrap_or_default()
}

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
pub(super) fn sandbox(workspace: &Path, command: &[String]) -> u8 {
    match run_walled(workspace, command) {
        Ok(code) => code,
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn run_walled(workspace: &Path, command: &[String]) -> Result<u8, Trouble> {
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
    let done = runtime
        .block_on(walls.run(job, watch))
        .map_err(|error| Trouble::new(Outcome::Error, error.to_string()))?;
    for denial in &done.denials {
        say_error(&format!("sandbox: {denial}"));
    }
    Ok(match done.exit {
        Exit::Code(code) => u8::try_from(code).unwrap_or(1),
        Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(1),
        Exit::TimedOut => 3,
        Exit::Cancelled => exit::code(Outcome::Cancelled),
    })
}

/// A word as the shell reads it back unchanged.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
