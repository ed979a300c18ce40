//! How sessions come to be: new, loaded with everything that was said, resumed in silence, forked.

use super::answers::{self, invalid, refused, unknown_session};
use super::desk::{Desk, blocking};
use super::options::Choices;
use super::replay;
use super::seat::Seat;
use crate::config::{Server, command};
use crate::policy::Mode;
use crate::serve::Start;
use crate::session::record::{self, Entry};
use crate::session::{Session, shelf};
use crate::wire::{self, Trouble};
use agent_client_protocol::v1::schema as acp;
use agent_client_protocol::v1::{ConnectionTo, Responder};
use agent_client_protocol::{Client, Error};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Desk {
    /// `session/new`.
    pub(super) fn begin(
        desk: &Arc<Self>,
        request: acp::NewSessionRequest,
        responder: Responder<acp::NewSessionResponse>,
        client: ConnectionTo<Client>,
    ) {
        let (tasks, desk) = (desk.tasks.clone(), Arc::clone(desk));
        tasks.spawn(async move {
            let start = desk.start.clone();
            let opened = blocking(move || {
                let folder = folder(&request.cwd)?;
                let servers = named(&request.mcp_servers);
                open(&start, &folder, None, &servers).map_err(|trouble| answers::of(&trouble, ""))
            });
            match opened.await {
                Ok((seat, warnings)) => {
                    let seat = desk.take_in(seat);
                    let choices = seat.choices();
                    responder.respond(
                        acp::NewSessionResponse::new(seat.id.clone())
                            .modes(choices.as_modes())
                            .config_options(choices.as_options()),
                    )?;
                    welcome(&client, &seat, &warnings);
                    Ok(())
                }
                Err(error) => responder.respond_with_error(error),
            }
        });
    }

    /// `session/load`: everything that was said comes before the answer.
    pub(super) fn load(
        desk: &Arc<Self>,
        request: acp::LoadSessionRequest,
        responder: Responder<acp::LoadSessionResponse>,
        client: ConnectionTo<Client>,
    ) {
        let (tasks, desk) = (desk.tasks.clone(), Arc::clone(desk));
        tasks.spawn(async move {
            match desk.reopen(&request.session_id, request.cwd, &request.mcp_servers).await {
                Ok((seat, entries, warnings)) => {
                    for update in replay::updates(&entries, &seat.root) {
                        let note = acp::SessionNotification::new(seat.id.clone(), update);
                        client.send_notification(note)?;
                    }
                    let choices = seat.choices();
                    responder.respond(
                        acp::LoadSessionResponse::new()
                            .modes(choices.as_modes())
                            .config_options(choices.as_options()),
                    )?;
                    welcome(&client, &seat, &warnings);
                    Ok(())
                }
                Err(error) => responder.respond_with_error(error),
            }
        });
    }

    /// `session/resume`: as `load`, in silence.
    pub(super) fn resume(
        desk: &Arc<Self>,
        request: acp::ResumeSessionRequest,
        responder: Responder<acp::ResumeSessionResponse>,
        client: ConnectionTo<Client>,
    ) {
        let (tasks, desk) = (desk.tasks.clone(), Arc::clone(desk));
        tasks.spawn(async move {
            match desk.reopen(&request.session_id, request.cwd, &request.mcp_servers).await {
                Ok((seat, _, warnings)) => {
                    let choices = seat.choices();
                    responder.respond(
                        acp::ResumeSessionResponse::new()
                            .modes(choices.as_modes())
                            .config_options(choices.as_options()),
                    )?;
                    welcome(&client, &seat, &warnings);
                    Ok(())
                }
                Err(error) => responder.respond_with_error(error),
            }
        });
    }

    /// `session/fork`: a session that remembers what the other one said and did up to now.
    pub(super) fn fork(
        desk: &Arc<Self>,
        request: acp::ForkSessionRequest,
        responder: Responder<acp::ForkSessionResponse>,
        client: ConnectionTo<Client>,
    ) {
        let (tasks, desk) = (desk.tasks.clone(), Arc::clone(desk));
        tasks.spawn(async move {
            let start = desk.start.clone();
            let forked = blocking(move || {
                let folder = folder(&request.cwd)?;
                let servers = named(&request.mcp_servers);
                let id = request.session_id.0.to_string();
                let state = belongs(&start, &folder, &id)?;
                let fork = shelf::fork(&state, &id).map_err(|error| answers::of(&error.into(), &id))?;
                open(&start, &folder, Some(&fork), &servers).map_err(|trouble| answers::of(&trouble, &id))
            });
            match forked.await {
                Ok((seat, warnings)) => {
                    let seat = desk.take_in(seat);
                    let choices = seat.choices();
                    responder.respond(
                        acp::ForkSessionResponse::new(seat.id.clone())
                            .modes(choices.as_modes())
                            .config_options(choices.as_options()),
                    )?;
                    welcome(&client, &seat, &warnings);
                    Ok(())
                }
                Err(error) => responder.respond_with_error(error),
            }
        });
    }

    /// Opens a recorded session, and gives what it holds. One that is open here already stays as it is.
    async fn reopen(
        &self,
        id: &acp::SessionId,
        cwd: PathBuf,
        servers: &[acp::McpServer],
    ) -> Result<(Arc<Seat>, Vec<Entry>, Vec<String>), Error> {
        let (id, servers) = (id.0.to_string(), named(servers));
        let start = self.start.clone();
        let known = self.seat(&id).ok();
        if known.as_ref().is_some_and(|seat| seat.is_busy()) {
            return Err(refused("the session is at work; cancel it or wait for its end"));
        }
        let is_open = known.is_some();
        let (opened, entries) = blocking(move || {
            let folder = folder(&cwd)?;
            let state = belongs(&start, &folder, &id)?;
            let entries = shelf::read(&state, &id).map_err(|error| answers::of(&error.into(), &id))?;
            if is_open {
                return Ok((None, entries));
            }
            let (seat, warnings) =
                open(&start, &folder, Some(&id), &servers).map_err(|trouble| answers::of(&trouble, &id))?;
            Ok((Some((seat, warnings)), entries))
        })
        .await?;
        let (seat, warnings) = match (opened, known) {
            (Some((seat, warnings)), _) => (self.take_in(seat), warnings),
            (None, Some(seat)) => (seat, Vec::new()),
            (None, None) => return Err(answers::failed("the session was lost; load it again")),
        };
        Ok((seat, entries, warnings))
    }
}

/// Opens a session at rest: it takes the workspace with its first turn and lets it go with the end of each, so
/// that several sessions, and the user's own terminal, can live in one folder.
fn open(
    start: &Start,
    folder: &Path,
    id: Option<&str>,
    servers: &BTreeMap<String, Server>,
) -> Result<(Seat, Vec<String>), Trouble> {
    let config = start.config(folder)?;
    let mut resting = config.clone();
    resting.mode = Mode::ReadOnly;
    let opening = start.open(resting, servers, CancellationToken::new())?;
    let session = match id {
        Some(id) => Session::resume(opening.parts, &config.state, id)?.0,
        None => Session::begin(opening.parts, &config.state)?,
    };
    let choices = Choices::of(&config, opening.read_only);
    let (commands, _) = command::list(&wire::places(&opening.config));
    Ok((Seat::new(session, opening.config, choices, commands), opening.warnings))
}

/// The tool servers a client names. Their tools are judged like any other's.
fn named(servers: &[acp::McpServer]) -> BTreeMap<String, Server> {
    let plain = |name: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        name.chars().map(plain).take(32).collect()
    };
    let one = |server: &acp::McpServer| match server {
        acp::McpServer::Stdio(server) => Some((
            plain(&server.name),
            Server {
                command: Some(server.command.display().to_string()),
                args: server.args.clone(),
                env: server.env.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect(),
                ..Server::default()
            },
        )),
        acp::McpServer::Http(server) => Some((
            plain(&server.name),
            Server {
                url: Some(server.url.clone()),
                headers: server.headers.iter().map(|pair| (pair.name.clone(), pair.value.clone())).collect(),
                ..Server::default()
            },
        )),
        // Not advertised.
        _ => None,
    };
    servers.iter().filter_map(one).collect()
}

/// An absolute folder that is there.
fn folder(cwd: &Path) -> Result<PathBuf, Error> {
    if !cwd.is_absolute() {
        return Err(invalid("cwd: must be an absolute path"));
    }
    if !cwd.is_dir() {
        return Err(invalid("cwd: there is no such folder"));
    }
    cwd.canonicalize().map_err(|error| invalid(format!("cwd: {error}")))
}

/// Where sessions are kept, if session `id` is kept there and worked in `folder`.
fn belongs(start: &Start, folder: &Path, id: &str) -> Result<PathBuf, Error> {
    let config = start.config(folder).map_err(|trouble| answers::of(&trouble, ""))?;
    let found = record::find(&config.state, id).ok_or_else(|| unknown_session(id))?;
    if Path::new(&found.workspace) != folder {
        return Err(invalid(format!("cwd: the session belongs to {}", found.workspace)));
    }
    Ok(config.state)
}

/// What follows the answer that opened a session.
fn welcome(client: &ConnectionTo<Client>, seat: &Seat, warnings: &[String]) {
    Desk::advertise(client, seat);
    for text in warnings {
        let chunk = acp::ContentChunk::new(format!("{text}\n").into());
        let _ = client.send_notification(acp::SessionNotification::new(
            seat.id.clone(),
            acp::SessionUpdate::AgentThoughtChunk(chunk),
        ));
    }
}
