//! A job: one session at work for a host, whoever waits for it.

use super::reports;
use super::watch::{Asked, Board, Watcher};
use crate::config::Config;
use crate::event::{Host, Outcome};
use crate::fix::Report;
use crate::policy::Mode;
use crate::serve::{Start, work};
use crate::session::{Session, record};
use crate::wire::{Trouble, exit};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// A patch longer than this is left to the report's resource, in bytes.
const MAX_PATCH: usize = 24 * 1024;

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum Task {
    Fix { issue: String, test: Option<String> },
    Run(String),
    Reply { session: String, prompt: String },
}

/// What a host asked for.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) task: Task,
    pub(super) folder: PathBuf,
    /// Stricter than the server's own, or absent.
    pub(super) mode: Option<Mode>,
    pub(super) max_turns: Option<u32>,
}

/// A job that was begun.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) board: Board,
    pub(super) cancel: CancellationToken,
    pub(super) begun: Instant,
    done: watch::Receiver<Option<Value>>,
}

impl Job {
    /// Opens the session and sets it to work.
    pub(super) async fn begin(
        start: &Start,
        order: Order,
        asks: Option<mpsc::Sender<Asked>>,
    ) -> Result<Arc<Self>, Trouble> {
        let cancel = CancellationToken::new();
        let (start, token) = (start.clone(), cancel.clone());
        let opened = tokio::task::spawn_blocking(move || open(&start, order, token)).await;
        let (session, task, config) =
            opened.map_err(|error| Trouble::new(Outcome::Error, format!("the agent broke: {error}")))??;
        let (board, (sender, done)) = (Board::default(), watch::channel(None));
        let job =
            Self { id: session.id().to_owned(), board: board.clone(), cancel, begun: Instant::now(), done };
        let host = Watcher::new(board.clone(), asks);
        tokio::spawn(async move {
            let id = session.id().to_owned();
            // A job that breaks still has a result.
            let worked = tokio::spawn(carry_out(session, task, host)).await;
            let report =
                worked.unwrap_or_else(|_| Report::failed(Outcome::Error, "the agent broke; this is a bug"));
            let result = result(&report, &id, &board);
            let whole = json!({"report": report, "result": result});
            let _ = tokio::task::spawn_blocking(move || reports::keep(&config.state, &id, &whole)).await;
            let _ = sender.send(Some(result));
        });
        Ok(Arc::new(job))
    }

    /// The result, once there is one.
    pub(super) fn result(&self) -> Option<Value> {
        self.done.borrow().clone()
    }

    /// Waits for the result.
    pub(super) async fn finished(&self) -> Value {
        let mut done = self.done.clone();
        let waited = done.wait_for(Option::is_some).await;
        waited.ok().and_then(|value| value.clone()).unwrap_or_else(
            || json!({"status": "error", "summary": "the agent broke; this is a bug", "session_id": self.id}),
        )
    }
}

/// How strict a mode is; higher is stricter.
fn strictness(mode: Mode) -> u8 {
    match mode {
        Mode::Auto | Mode::Yes => 0,
        Mode::Ask => 1,
        Mode::ReadOnly => 2,
    }
}

/// The mode of a job. Where the user said nothing the caller was asked whether it may call: then it works as
/// `auto`, in the sandbox, and what goes beyond is asked for or left.
fn mode(config: &Config, wished: Option<Mode>) -> Result<Mode, Trouble> {
    let own = if config.mode_said { config.mode } else { Mode::Auto };
    match wished {
        Some(wished) if strictness(wished) < strictness(own) => {
            Err(Trouble::coded(exit::USAGE, format!("mode: this server allows `{own}` and what is stricter")))
        }
        wished => Ok(wished.unwrap_or(own)),
    }
}

fn open(start: &Start, order: Order, cancel: CancellationToken) -> Result<(Session, Task, Config), Trouble> {
    let folder = match &order.task {
        Task::Reply { session, .. } => {
            let config = start.config(Path::new("."))?;
            let found = record::find(&config.state, session)
                .ok_or_else(|| Trouble::from(record::RecordError::Unknown(session.clone())))?;
            PathBuf::from(found.workspace)
        }
        _ => order.folder,
    };
    let mut config = start.config(&folder)?;
    config.mode = mode(&config, order.mode)?;
    if let Some(turns) = order.max_turns {
        config.max_turns = turns.min(config.max_turns);
    }
    let most = config.max_turns;
    let mut opening = start.open(config, &BTreeMap::new(), cancel)?;
    opening.parts.limits.max_turns = opening.parts.limits.max_turns.min(most);
    let config = opening.config;
    let session = match &order.task {
        Task::Reply { session, .. } => Session::resume(opening.parts, &config.state, session)?.0,
        _ => Session::begin(opening.parts, &config.state)?,
    };
    Ok((session, order.task, config))
}

async fn carry_out(mut session: Session, task: Task, mut host: Watcher) -> Report {
    session.announce(&mut host as &mut dyn Host);
    let worked = match task {
        Task::Fix { issue, test } => work::fix(&mut session, issue, test, &mut host).await,
        Task::Run(prompt) | Task::Reply { prompt, .. } => work::run(&mut session, prompt, &mut host).await,
    };
    match worked {
        Ok((_, report)) => report,
        Err(trouble) => Report::failed(trouble.outcome, &trouble.text),
    }
}

/// A report as a host's model reads it: small.
fn result(report: &Report, id: &str, board: &Board) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    let needs = board.with(|standing| standing.needs_approval.clone());
    let Some(map) = value.as_object_mut() else { return value };
    if report.patch.len() > MAX_PATCH || report.patch.is_empty() {
        map.remove("patch");
    }
    for finding in map.get_mut("findings").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(finding) = finding.as_object_mut() {
            finding.remove("fix");
            finding.remove("flow");
        }
    }
    if !needs.is_empty() && matches!(report.status, Outcome::Denied | Outcome::Blocked) {
        map.insert("status".into(), "needs_approval".into());
    }
    map.insert("session_id".into(), id.into());
    map.insert("needs_approval".into(), json!(needs));
    map.insert("report".into(), reports::address(id).into());
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_makes_a_mode_stricter_and_never_looser() {
        let home = |name: &str| (name == "HOME").then(|| "/nowhere".to_owned());
        let check = |own: Option<Mode>, wished: Option<Mode>, expected: Option<Mode>| {
            let flags = crate::config::Flags { mode: own, ..Default::default() };
            let config = crate::config::decide(flags, &home).unwrap();
            assert_eq!(mode(&config, wished).ok(), expected, "{own:?} {wished:?}");
        };
        check(None, None, Some(Mode::Auto));
        check(None, Some(Mode::Ask), Some(Mode::Ask));
        check(Some(Mode::Ask), None, Some(Mode::Ask));
        check(Some(Mode::Ask), Some(Mode::Auto), None);
        check(Some(Mode::ReadOnly), Some(Mode::Auto), None);
        check(Some(Mode::Yes), Some(Mode::ReadOnly), Some(Mode::ReadOnly));
    }
}
