//! `agent fix --sarif`: a mission for every chosen weakness that another tool reported, then a word on all of them.

use super::args::{self, Format, WorkArgs};
use super::work::{self, Door};
use super::{say, say_error};
use crate::event::Outcome;
use crate::finding::reported::{Choice, counterpart, issue_of, issue_text, line_of};
use crate::finding::sarif::read::{self, Reported};
use crate::finding::{Finding, Severity};
use crate::fix::Report;
use crate::model::rules::NAME as RULES;
use crate::scan::{Filter, Scanner};
use crate::text::{printable, redact};
use crate::wire::{self, Trouble, exit};
use crate::workspace::{Kind, Workspace};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;

/// Which findings of another tool are meant.
#[derive(Debug, Clone, Args)]
pub struct SarifArgs {
    /// Findings of another tool (`CodeQL`, Semgrep, Bandit, gosec, …) instead of an issue; untrusted
    #[arg(long, value_name = "FILE", conflicts_with = "issue")]
    pub sarif: Option<PathBuf>,
    /// Of the file the finding with this id, its beginning, or this rule; may be repeated
    #[arg(long, value_name = "ID", requires = "sarif")]
    pub id: Vec<String>,
    /// Of the file the findings at least this severe
    #[arg(long, value_parser = args::severity, value_name = "low|medium|high|critical", requires = "sarif")]
    pub severity: Option<Severity>,
    /// Every finding of the file
    #[arg(long, requires = "sarif")]
    pub all: bool,
}

/// What became of one finding.
struct Done {
    reported: Reported,
    report: Report,
    code: u8,
}

/// `agent fix --sarif FILE`. `fix` runs one mission on an issue.
pub(super) fn fix(
    file: &Path,
    args: &SarifArgs,
    work: &WorkArgs,
    fix: &dyn Fn(String, &mut Door) -> (Report, u8),
) -> u8 {
    match fix_all(file, args, work, fix) {
        Ok(code) => code,
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn fix_all(
    file: &Path,
    args: &SarifArgs,
    work: &WorkArgs,
    fix: &dyn Fn(String, &mut Door) -> (Report, u8),
) -> Result<u8, Trouble> {
    let config = wire::decide(work.flags())?;
    let workspace = Workspace::open(&config.workspace)?;
    let scanner = Scanner::of(wire::rules(&config)?);
    let read = open(file, &workspace)?;
    let chosen = choose(file, args, &read)?;
    let scan = |scanner: &Scanner| scanner.scan(&workspace, &Filter::default()).findings;
    // Which finding of ours a report means is decided before anything moves; ids do not move with lines.
    let before = scan(&scanner);
    let meant: Vec<Option<&Finding>> = chosen.iter().map(|one| counterpart(one, &before)).collect();
    let mut door = Door::of(work.output_format);
    let mut done: Vec<Done> = Vec::new();
    for (reported, meant) in chosen.iter().zip(meant) {
        let now = if done.iter().any(|done| !done.report.files.is_empty()) {
            scan(&scanner)
        } else {
            before.clone()
        };
        let here = meant.map(|meant| now.iter().find(|finding| finding.id == meant.id));
        let (report, code) = match here {
            Some(Some(finding)) => fix(issue_of(reported, finding), &mut door),
            Some(None) => settled("an earlier change of this run closed it too", Outcome::Fixed),
            None if config.model == RULES => settled(
                "the embedded rules see no weakness they know at that place; a model can look: --model PROVIDER/NAME",
                Outcome::Blocked,
            ),
            None => fix(issue_text(reported), &mut door),
        };
        // One object comes at the end where one is asked for; a report nobody worked for stands in the summary.
        if work.output_format != Format::Json && !report.session_id.is_empty() {
            work::show(&mut door, &report);
        }
        let reported = (*reported).clone();
        done.push(Done { reported, report, code });
        if matches!(code, 129 | 130 | 143) {
            break;
        }
    }
    let summary = summary(file, &chosen, &done, read.left_out);
    let code = done.iter().map(|done| done.code).max_by_key(|code| rank(*code)).unwrap_or(0);
    if let Some(path) = &work.result
        && let Err(error) = work::write_result(path, &summary)
    {
        say_error(&format!("{}: {error}; the result is not on disk", path.display()));
    }
    match work.output_format {
        Format::Text => say(&printable(&redact(&told(file, &chosen, &done, read.left_out)))),
        Format::Json => say(&format!("{summary}\n")),
        Format::StreamJson => say(&format!("{}\n", json!({ "v": 1, "type": "summary", "summary": summary }))),
    }
    Ok(code)
}

/// A report of something nobody had to work on.
fn settled(why: &str, outcome: Outcome) -> (Report, u8) {
    (Report::failed(outcome, why), exit::code(outcome))
}

fn open(file: &Path, workspace: &Workspace) -> Result<read::Read, Trouble> {
    let trouble = |why: String| {
        let next = "give the SARIF 2.1.0 file that the tool wrote";
        Trouble::coded(exit::NO_INPUT, format!("--sarif {}: {why}; {next}", file.display()))
    };
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text))
        .map_err(|error| trouble(error.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(trouble(format!("is larger than {} MB", MAX_FILE >> 20)));
    }
    let is_file = |path: &str| {
        let kind = workspace.place(path).and_then(|place| workspace.kind(&place));
        matches!(kind, Ok(Kind::File(_)))
    };
    read::read(&text, &workspace.root().to_string_lossy(), &is_file).map_err(trouble)
}

/// The chosen ones. A file with one finding needs no choice.
fn choose<'r>(file: &Path, args: &SarifArgs, read: &'r read::Read) -> Result<Vec<&'r Reported>, Trouble> {
    let choice = Choice { ids: args.id.clone(), severity: args.severity, all: args.all };
    let list = || {
        read.reported
            .iter()
            .take(50)
            .fold(String::new(), |list, one| list + "\n  " + &printable(&line_of(one)))
    };
    if choice.is_empty() && read.reported.len() > 1 {
        let text = format!(
            "{} holds {} open findings; choose with --id ID, --severity high or --all:{}",
            file.display(),
            read.reported.len(),
            list()
        );
        return Err(Trouble::coded(exit::USAGE, text));
    }
    choice.of(&read.reported).map_err(|id| {
        let text = format!(
            "--id {id}: {} holds no open finding of that id or rule; it holds:{}",
            file.display(),
            list()
        );
        Trouble::coded(exit::NO_INPUT, text)
    })
}

/// How bad an exit code is: the worst of several is the run's.
fn rank(code: u8) -> u8 {
    // From the best to the worst: done, unverified, open, blocked, denied, budget, refused, no model, broken, ended.
    let order = [0, 10, 6, 8, 5, 7, 11, 9, 4, 2, 1, 129, 143, 130];
    order.iter().position(|known| *known == code).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
}

fn status(report: &Report) -> Value {
    serde_json::to_value(report.status).unwrap_or_default()
}

fn summary(file: &Path, chosen: &[&Reported], done: &[Done], left_out: usize) -> Value {
    let reports: Vec<Value> = done
        .iter()
        .map(|done| json!({ "reported": done.reported, "exit_code": done.code, "report": done.report }))
        .collect();
    let worst = done
        .iter()
        .max_by_key(|done| rank(done.code))
        .map_or(json!("no_change"), |done| status(&done.report));
    let summary = json!({
        "schema_version": 1,
        "status": worst,
        "sarif": file.display().to_string(),
        "not_tried": chosen.len() - done.len(),
        "left_out": left_out,
        "reports": reports,
    });
    // A tool's message may quote a secret of the code.
    serde_json::from_str(&redact(&summary.to_string())).unwrap_or(summary)
}

fn told(file: &Path, chosen: &[&Reported], done: &[Done], left_out: usize) -> String {
    let mut out = format!("\nOf {}:\n", file.display());
    for done in done {
        let status = status(&done.report);
        let _ = writeln!(out, "  {:<17} {}", status.as_str().unwrap_or_default(), line_of(&done.reported));
        if done.report.session_id.is_empty() {
            let _ = writeln!(out, "  {:<17} {}", "", done.report.summary);
        }
    }
    if chosen.is_empty() {
        out.push_str("  no open finding is chosen\n");
    }
    for (count, what) in
        [(chosen.len() - done.len(), "not tried"), (left_out, "without a file of this workspace")]
    {
        if count > 0 {
            let _ = writeln!(out, "  {count} {what}");
        }
    }
    out
}
