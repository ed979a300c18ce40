//! The commands that work with a model: `run`, `fix`, `resume`.

use super::args::{Format, WorkArgs};
use super::fixing::{Beside, FixArgs, Switch};
use super::lines::Lines;
use super::plain::Plain;
use super::{say, say_error};
use crate::config::{Config, command};
use crate::event::{Event, Host, Outcome};
use crate::fix::deliver::{Wish, deliver};
use crate::fix::forge::Forge;
use crate::fix::{Mission, Report, changes, dependency};
use crate::model::rules::NAME as RULES;
use crate::session::{Ending, Session, record};
use crate::wire::{self, Trouble, exit};
use crate::workspace::survey::survey;
use crate::{prompt, workspace};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// The longest prompt or issue, in bytes.
const MAX_ISSUE: u64 = 256 * 1024;

/// What is to be done.
enum Job {
    Run(String),
    /// `named` is the argument as it was given, which may name a ticket.
    Fix {
        issue: String,
        named: String,
        test: Option<String>,
        fixing: Box<FixArgs>,
    },
    Resume {
        session: Option<String>,
        prompt: String,
    },
}

/// `agent run`.
pub(super) fn run(prompt: &str, work: &WorkArgs) -> u8 {
    let job = if prompt == "-" { read_input().map(Job::Run) } else { Ok(Job::Run(prompt.to_owned())) };
    start(job, work)
}

/// `agent fix`.
pub(super) fn fix(issue: &str, test: Option<String>, fixing: FixArgs, work: &WorkArgs) -> u8 {
    let named = issue.to_owned();
    start(read_issue(issue).map(|issue| Job::Fix { issue, named, test, fixing: Box::new(fixing) }), work)
}

/// `agent fix --sarif`.
pub(super) fn fix_reported(
    file: &Path,
    args: &super::sarif::SarifArgs,
    (test, fixing): (Option<&str>, &FixArgs),
    work: &WorkArgs,
) -> u8 {
    let one = |issue: String, door: &mut Door| {
        let test = test.map(ToOwned::to_owned);
        let job = Job::Fix { issue, named: String::new(), test, fixing: Box::new(fixing.clone()) };
        execute(Ok(job), work, door)
    };
    super::sarif::fix(file, args, work, &one)
}

/// `agent resume`.
pub(super) fn resume(session: Option<String>, prompt: &str, work: &WorkArgs) -> u8 {
    start(Ok(Job::Resume { session, prompt: prompt.to_owned() }), work)
}

/// `agent resume --list`.
pub(super) fn list(work: &WorkArgs) -> u8 {
    let listed = wire::decide(work.flags()).and_then(|config| {
        let root = workspace::Workspace::open(&config.workspace)?;
        Ok(record::list(&config.state, Some(root.root())))
    });
    match listed {
        Ok(sessions) if work.output_format == Format::Text => {
            let lines: Vec<String> = sessions
                .iter()
                .map(|s| {
                    format!(
                        "{}  {}  {}  {}\n",
                        s.session_id,
                        s.time,
                        s.model,
                        crate::text::printable(&s.title)
                    )
                })
                .collect();
            say(&if lines.is_empty() {
                "no sessions in this workspace\n".to_owned()
            } else {
                lines.concat()
            });
            0
        }
        Ok(sessions) => {
            say(&(serde_json::to_string(&sessions).unwrap_or_default() + "\n"));
            0
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

/// The door of one run: a host for events, and the words after the last one.
pub(super) enum Door {
    Plain(Plain),
    Lines(Lines),
}

impl Door {
    pub(super) fn of(format: Format) -> Self {
        match format {
            Format::Text => Door::Plain(Plain::default()),
            Format::Json => Door::Lines(Lines::silent()),
            Format::StreamJson => Door::Lines(Lines::default()),
        }
    }

    fn host(&mut self) -> &mut dyn Host {
        match self {
            Door::Plain(host) => host,
            Door::Lines(host) => host,
        }
    }
}

/// Does the job and says how it went: a result comes last, whatever happens.
fn start(job: Result<Job, Trouble>, work: &WorkArgs) -> u8 {
    let mut door = Door::of(work.output_format);
    let (report, code) = execute(job, work, &mut door);
    finish(&mut door, &report, work, code)
}

/// Does the job; the report and the exit code, whatever happens.
fn execute(job: Result<Job, Trouble>, work: &WorkArgs, door: &mut Door) -> (Report, u8) {
    let begun = Instant::now();
    let signalled = std::sync::Arc::new(AtomicU8::new(0));
    let fixing = match &job {
        Ok(Job::Fix { fixing, .. }) => Some(fixing.clone()),
        _ => None,
    };
    let done = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let job = job?;
        let mut config = wire::decide(work.flags())?;
        let beside = fixing.as_ref().map(|fixing| fixing.step_aside(&mut config)).transpose()?.flatten();
        // One thread: the session waits for one stream at a time, and a wake-up of another thread for every
        // packet costs more than the rest of the loop. What blocks runs on the blocking pool.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Trouble::new(Outcome::Error, format!("cannot start: {error}")))?;
        let cancel = CancellationToken::new();
        runtime.spawn(watch_signals(cancel.clone(), std::sync::Arc::clone(&signalled)));
        let done = runtime.block_on(perform(job, (&config, beside.as_ref()), work, cancel, door.host()));
        // A question still waiting for a line on the terminal must not keep the process.
        runtime.shutdown_background();
        done
    }));
    let (report, code) = match done {
        Ok(Ok(report)) => {
            let code = exit::code(report.status);
            (report, code)
        }
        Ok(Err(trouble)) => (Report::failed(trouble.outcome, &trouble.text), trouble.code),
        Err(_) => (Report::failed(Outcome::Error, "the agent broke; this is a bug"), 1),
    };
    let report = report.timed(begun);
    let code = Some(signalled.load(Ordering::Relaxed)).filter(|code| *code != 0).unwrap_or(code);
    let written = fixing.is_none_or(|fixing| fixing.write_reports(&report));
    (report, if written { code } else { code.max(1) })
}

fn finish(door: &mut Door, report: &Report, work: &WorkArgs, code: u8) -> u8 {
    let mut code = code;
    if let Some(path) = &work.result
        && let Err(error) = write_result(path, report)
    {
        say_error(&format!("{}: {error}; the result is not on disk", path.display()));
        code = code.max(1);
    }
    show(door, report);
    code
}

/// The report, as the last word on a job.
pub(super) fn show(door: &mut Door, report: &Report) {
    match door {
        Door::Plain(_) if report.session_id.is_empty() => say_error(&report.summary),
        Door::Plain(host) => host.print(&format!("\n{}\nSession: {}\n", report.render(), report.session_id)),
        Door::Lines(host) => host.finish(report),
    }
}

async fn perform(
    job: Job,
    (config, beside): (&Config, Option<&Beside>),
    work: &WorkArgs,
    cancel: CancellationToken,
    host: &mut dyn Host,
) -> Result<Report, Trouble> {
    let mut config = config.clone();
    let (definition, origin) = wire::definition(work.session.agent.as_deref(), &config)?;
    wire::fit(&mut config, &work.flags(), (&definition, origin));
    let job = spelled_out(job, &config)?;
    let mut parts = wire::parts(&config, &definition, cancel)?;
    for text in wire::join_servers(&mut parts, &config, &definition, &BTreeMap::new()).await {
        host.tell(Event::Warning { text });
    }
    for warning in &definition.warnings {
        host.tell(Event::Warning { text: warning.to_string() });
    }
    for text in wire::notes(&config) {
        host.tell(Event::Warning { text });
    }
    match job {
        Job::Run(prompt) => {
            let mut session = Session::begin(parts, &config.state)?;
            session.announce(host);
            let opening = prompt::run(&prompt, &survey(&session.world().workspace).render());
            let ending = session.run(opening, host).await?;
            Ok(plain_report(&mut session, &ending))
        }
        Job::Fix { issue, named, test, fixing } => {
            let issue = match super::fixing::ticket(&named, &config)? {
                Some(ticket) => {
                    host.tell(Event::Status { text: format!("reading {named}") });
                    let read = ticket.read().await;
                    read.map_err(|error| Trouble::coded(exit::NO_INPUT, error.to_string()))?
                }
                None => issue,
            };
            let mut parts = parts;
            let mut issue = issue;
            let advisory = match super::fixing::advisory_id(&named, &fixing) {
                Some(id) => {
                    host.tell(Event::Status { text: format!("asking {} for {id}", fixing.osv_url) });
                    let found = dependency::fetch(&id, &fixing.osv_url).await;
                    let found = found.map_err(|error| Trouble::coded(exit::NO_INPUT, error))?;
                    let plan = found.plan(&parts.world.workspace);
                    issue = found.issue(&plan);
                    if parts.model.name() == RULES {
                        let tests = test.clone().or_else(|| survey(&parts.world.workspace).test_command);
                        parts.model = std::sync::Arc::new(dependency::Upgrade::of(&found, plan, tests));
                    }
                    Some(found)
                }
                None => None,
            };
            let mut session = Session::begin(parts, &config.state)?;
            session.announce(host);
            let mission = Mission::begin_on(issue, test, advisory, &mut session, host).await?;
            let mission =
                mission.with_review(fixing.review.map_or(config.review, |review| review == Switch::On));
            let opening = mission.opening();
            let wish = fixing.wish(beside);
            let forge = if wish.pull_request { super::fixing::forge(&config) } else { None };
            work_on(&mission, &mut session, opening, host, &(wish, forge)).await
        }
        Job::Resume { session, prompt } => {
            let root = parts.world.workspace.root().to_owned();
            let id = session.or_else(|| {
                record::list(&config.state, Some(&root)).into_iter().next().map(|s| s.session_id)
            });
            let id = id.ok_or_else(|| {
                Trouble::coded(exit::NO_INPUT, "no session in this workspace to go on with")
            })?;
            let (mut session, mission) = Session::resume(parts, &config.state, &id)?;
            session.announce(host);
            match mission.map(serde_json::from_value::<Mission>) {
                Some(Ok(mission)) => {
                    // Killed before the first word: the mission still has to be opened.
                    let words = if session.history().is_empty() { mission.opening() } else { prompt };
                    work_on(&mission, &mut session, words, host, &(Wish::default(), None)).await
                }
                Some(Err(error)) => {
                    Err(Trouble::new(Outcome::Error, format!("the session's mission is damaged: {error}")))
                }
                None => {
                    let ending = session.run(prompt, host).await?;
                    Ok(plain_report(&mut session, &ending))
                }
            }
        }
    }
}

/// `/NAME ARGUMENTS` as the prompt that a command file holds.
fn spelled_out(job: Job, config: &Config) -> Result<Job, Trouble> {
    let Job::Run(text) = &job else { return Ok(job) };
    let Some((name, arguments)) = command::called(text) else { return Ok(job) };
    let (commands, _) = command::list(&wire::places(config));
    match commands.iter().find(|command| command.name == name) {
        Some(command) => Ok(Job::Run(command.prompt(arguments))),
        None => Err(Trouble::coded(
            exit::USAGE,
            format!("there is no command /{name}; `agent agents` shows agents, skills and commands"),
        )),
    }
}

async fn work_on(
    mission: &Mission,
    session: &mut Session,
    words: String,
    host: &mut dyn Host,
    (wish, forge): &(Wish, Option<Forge>),
) -> Result<Report, Trouble> {
    let ending = mission.work(session, words, host).await?;
    let mut report = mission.conclude(session, &ending, host).await;
    if wish.is_any() {
        deliver(session, &mut report, wish, forge.as_ref()).await;
    }
    mission.keep(&report, session)?;
    session.note_end(report.status)?;
    Ok(report)
}

fn plain_report(session: &mut Session, ending: &Ending) -> Report {
    let _ = session.note_end(ending.outcome);
    Report::of_words(session, ending, &changes(session))
}

/// First signal: stop cleanly. Second: at once.
async fn watch_signals(cancel: CancellationToken, signalled: std::sync::Arc<AtomicU8>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return;
    };
    let mut count = 0;
    loop {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => signalled.store(exit::TERMINATED, Ordering::Relaxed),
            // The terminal is gone: what there is to say goes to the result file.
            _ = hangup.recv() => signalled.store(exit::HUNG_UP, Ordering::Relaxed),
        }
        count += 1;
        cancel.cancel();
        if count > 1 {
            let code = Some(signalled.load(Ordering::Relaxed)).filter(|code| *code != 0);
            std::process::exit(i32::from(code.unwrap_or(exit::code(Outcome::Cancelled))));
        }
    }
}

/// The issue's text: what a file holds, standard input, or the words themselves.
fn read_issue(issue: &str) -> Result<String, Trouble> {
    if issue == "-" {
        return read_input();
    }
    let path = Path::new(issue);
    if issue.contains('\n') || !path.is_file() {
        if looks_like_a_path(issue) {
            return Err(Trouble::coded(exit::NO_INPUT, format!("{issue}: no such file")));
        }
        return check_issue(issue.to_owned());
    }
    let file = std::fs::File::open(path)
        .map_err(|error| Trouble::coded(exit::NO_INPUT, format!("{issue}: {error}")))?;
    read_capped(file, issue)
}

/// One word with a folder or a text file's ending is meant as a file, not as an issue.
fn looks_like_a_path(issue: &str) -> bool {
    let ending = Path::new(issue).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    !issue.contains(char::is_whitespace)
        && (issue.starts_with("./")
            || issue.starts_with('/')
            || matches!(ending, "md" | "txt" | "json" | "sarif"))
}

fn read_input() -> Result<String, Trouble> {
    if std::io::stdin().is_terminal() {
        let _ = writeln!(std::io::stderr(), "reading from the terminal; end with Ctrl-D");
    }
    read_capped(std::io::stdin(), "standard input")
}

fn read_capped(source: impl Read, name: &str) -> Result<String, Trouble> {
    let mut text = String::new();
    let read = source.take(MAX_ISSUE + 1).read_to_string(&mut text);
    read.map_err(|error| Trouble::coded(exit::NO_INPUT, format!("{name}: {error}")))?;
    if text.len() as u64 > MAX_ISSUE {
        return Err(Trouble::coded(exit::NO_INPUT, format!("{name}: longer than {} KB", MAX_ISSUE / 1024)));
    }
    check_issue(text)
}

fn check_issue(text: String) -> Result<String, Trouble> {
    if text.trim().is_empty() {
        return Err(Trouble::coded(exit::USAGE, "there is nothing to do: the text is empty"));
    }
    Ok(text)
}

/// Whole or not at all: a parent that is gone still finds a result it can read.
pub(super) fn write_result(path: &Path, report: &impl serde::Serialize) -> std::io::Result<()> {
    let mut text = serde_json::to_vec_pretty(report)?;
    text.push(b'\n');
    write_whole(path, &text)
}

/// Writes a file of the user's, whole or not at all.
pub(super) fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
