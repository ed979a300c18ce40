//! One prompt, from the words to the answer.

use super::answers;
use super::command::{self, Asked};
use super::seat::Seat;
use super::tell::{Plan, Teller};
use crate::event::{Event, Host, Outcome};
use crate::fix::Report;
use crate::policy::Mode;
use crate::scan::Filter;
use crate::serve::work;
use crate::session::{Ending, Session};
use crate::wire::{self, Trouble};
use crate::workspace::journal::{Choice, Done, Journal, JournalError};
use agent_client_protocol::v1::schema as acp;
use agent_client_protocol::v1::{ConnectionTo, Responder};
use agent_client_protocol::{Client, Error};
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long cancelled work may take to end by itself before the prompt is answered without it. It goes on
/// ending, unheard.
const PATIENCE: Duration = Duration::from_millis(250);

/// What a prompt needs.
pub(super) struct Job {
    pub(super) seat: Arc<Seat>,
    pub(super) words: String,
    pub(super) token: CancellationToken,
    pub(super) offers: acp::ClientCapabilities,
}

/// How a prompt ended.
struct Reply {
    stop: acp::StopReason,
    meta: acp::Meta,
}

/// Works on a prompt and answers it, once, whatever happens.
pub(super) async fn run(job: Job, responder: Responder<acp::PromptResponse>, client: ConnectionTo<Client>) {
    let Job { seat, words, token, offers } = job;
    let muted = Arc::new(AtomicBool::new(false));
    let host = Teller::new(Arc::clone(&seat), client, offers, Arc::clone(&muted));
    let mut work = tokio::spawn(turn(Arc::clone(&seat), words, token.clone(), host));
    let cancelled = responder.cancellation();
    let done = tokio::select! {
        done = &mut work => Some(done),
        () = token.cancelled() => None,
        () = cancelled.cancelled() => {
            token.cancel();
            None
        }
    };
    let done = match done {
        Some(done) => Some(done),
        None => tokio::time::timeout(PATIENCE, &mut work).await.ok(),
    };
    muted.store(true, Ordering::SeqCst);
    seat.end_turn();
    let was_cancelled = token.is_cancelled();
    let answer = match done {
        None => Ok(acp::PromptResponse::new(acp::StopReason::Cancelled)),
        Some(Ok(Ok(reply))) => Ok(acp::PromptResponse::new(reply.stop).meta(reply.meta)),
        Some(Ok(Err(_)) | Err(_)) if was_cancelled => {
            Ok(acp::PromptResponse::new(acp::StopReason::Cancelled))
        }
        Some(Ok(Err(error))) => Err(error),
        Some(Err(error)) => Err(answers::failed(&format!("the agent broke; this is a bug: {error}"))),
    };
    // A client that is gone needs no answer.
    let _ = responder.respond_with_result(answer);
}

async fn turn(
    seat: Arc<Seat>,
    words: String,
    token: CancellationToken,
    mut host: Teller,
) -> Result<Reply, Error> {
    let mut session = Arc::clone(&seat.session).lock_owned().await;
    session.renew(token);
    let done = ready(&seat, &mut session).map_err(|trouble| answers::of(&trouble, ""));
    let done = match done {
        Ok(()) => carry_out(&seat, &mut session, command::read(words, &seat.commands), &mut host).await,
        Err(error) => Err(error),
    };
    // Between turns the workspace is free for others.
    session.rest();
    done
}

/// Takes the workspace in the chosen mode, with the chosen model.
fn ready(seat: &Seat, session: &mut Session) -> Result<(), Trouble> {
    let choices = seat.choices();
    if choices.model != session.model() {
        wire::change_model(session, &seat.config, &choices.model)?;
    }
    session.set_mode(choices.mode)?;
    Ok(())
}

async fn carry_out(
    seat: &Seat,
    session: &mut Session,
    asked: Asked,
    host: &mut Teller,
) -> Result<Reply, Error> {
    if seat.wants_title()
        && let Asked::Words(words) | Asked::Fix(words) = &asked
    {
        let title = crate::text::clip(words.lines().next().unwrap_or_default(), 100).text.to_owned();
        host.send(acp::SessionUpdate::SessionInfoUpdate(
            acp::SessionInfoUpdate::new().title(crate::text::redact(&title).into_owned()),
        ));
    }
    let failed = |trouble: Trouble| answers::of(&trouble, "");
    match asked {
        Asked::Words(words) => {
            let (ending, report) = work::run(session, words, host).await.map_err(failed)?;
            ended(&ending, &report, host)
        }
        Asked::Fix(issue) => {
            host.step(Plan::Look);
            let review = seat.config.review;
            let (ending, report) = work::fix(session, issue, None, review, host).await.map_err(failed)?;
            host.step(Plan::Over);
            host.say(&format!("\n\n{}", report.render()));
            ended(&ending, &report, host)
        }
        Asked::Scan(path) => {
            host.say(&scan(session, &path).await?);
            Ok(plain(Outcome::Done))
        }
        Asked::Diff => {
            let (state, id, world) = kept(seat, session);
            let text = blocking(move || {
                let journal = Journal::look(&state, &id)?;
                let shown = journal.show(&world.workspace, &Choice::default());
                let text: String = shown.iter().map(|shown| shown.diff.as_str()).collect();
                Ok(if text.is_empty() {
                    "This session changed nothing.".to_owned()
                } else {
                    format!("```diff\n{text}```")
                })
            });
            host.say(&text.await?);
            Ok(plain(Outcome::Done))
        }
        Asked::Undo => {
            let done =
                take_back(seat, session, |journal, workspace| journal.undo(workspace, &Choice::default()));
            host.say(&done.await?);
            Ok(plain(Outcome::Done))
        }
        Asked::Redo => {
            let done = take_back(seat, session, |journal, workspace| journal.redo(workspace, false));
            host.say(&done.await?);
            Ok(plain(Outcome::Done))
        }
        Asked::Lacking(words) => {
            host.say(words);
            Ok(plain(Outcome::Blocked))
        }
    }
}

/// The answer to work that came to an end.
fn ended(ending: &Ending, report: &Report, host: &mut Teller) -> Result<Reply, Error> {
    let stop = match ending.outcome {
        Outcome::Cancelled => acp::StopReason::Cancelled,
        Outcome::PolicyRefusal => acp::StopReason::Refusal,
        Outcome::Budget => acp::StopReason::MaxTurnRequests,
        Outcome::ModelUnavailable if ending.text.contains("the key") => {
            return Err(answers::no_key(&ending.text));
        }
        Outcome::ModelUnavailable | Outcome::Error => return Err(answers::failed(&ending.text)),
        _ => acp::StopReason::EndTurn,
    };
    if matches!(stop, acp::StopReason::Refusal | acp::StopReason::MaxTurnRequests) {
        // The model did not say so itself.
        host.tell(Event::Message { delta: format!("\n\n{}", ending.text) });
    }
    let mut meta = plain(report.status).meta;
    meta.insert("agent/report".to_owned(), serde_json::to_value(report).unwrap_or_default());
    Ok(Reply { stop, meta })
}

fn plain(outcome: Outcome) -> Reply {
    let mut meta = acp::Meta::new();
    meta.insert("agent/status".to_owned(), serde_json::to_value(outcome).unwrap_or_default());
    Reply { stop: acp::StopReason::EndTurn, meta }
}

/// Known weaknesses below `path` (empty: everywhere), as text.
async fn scan(session: &Session, path: &str) -> Result<String, Error> {
    let world = Arc::clone(session.world());
    let beneath = match path {
        "" => None,
        path => Some(world.workspace.place(path).map_err(|error| answers::invalid(error.to_string()))?),
    };
    blocking(move || {
        let scan = world.scanner.scan(&world.workspace, &Filter { beneath, ..Filter::default() });
        let mut text = String::new();
        for finding in &scan.findings {
            let source = world.workspace.place(&finding.path).and_then(|place| world.workspace.read(&place));
            let source = source.ok().and_then(|content| content.text().map(ToOwned::to_owned));
            let listed = crate::finding::listing::render(finding, &source.unwrap_or_default());
            let _ = writeln!(text, "{listed}");
        }
        let _ = writeln!(text, "{} findings in {} files", scan.findings.len(), scan.files);
        Ok(crate::text::printable(&crate::text::redact(&text)).into_owned())
    })
    .await
}

/// Takes back, or takes that back; a mode that only looks does neither.
async fn take_back(
    seat: &Seat,
    session: &Session,
    turn: impl FnOnce(&Journal, &crate::workspace::Workspace) -> Result<Done, JournalError> + Send + 'static,
) -> Result<String, Error> {
    if session.mode() == Mode::ReadOnly {
        return Ok("Nothing is changed in mode `read-only`.".to_owned());
    }
    let (state, id, world) = kept(seat, session);
    blocking(move || {
        let journal = Journal::open(&state, &id, &world.workspace)?;
        match turn(&journal, &world.workspace) {
            Ok(done) => Ok(crate::text::redact(&done.render()).into_owned()),
            Err(error @ JournalError::NothingUndone) => Ok(error.to_string()),
            Err(error) => Err(error),
        }
    })
    .await
}

fn kept(seat: &Seat, session: &Session) -> (std::path::PathBuf, String, Arc<crate::tool::World>) {
    (seat.config.state.clone(), seat.id.clone(), Arc::clone(session.world()))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Error> {
    super::desk::blocking(move || work().map_err(|error| answers::failed(&error.to_string()))).await
}
