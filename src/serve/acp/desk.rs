//! What a connection knows: who the client is, which sessions are open, and what their requests come to.

use super::answers::{invalid, refused, unknown_session};
use super::options::{MODE, MODEL};
use super::seat::Seat;
use super::{answers, command, say, turn};
use crate::serve::Start;
use crate::wire;
use agent_client_protocol::v1::schema as acp;
use agent_client_protocol::v1::{ConnectionTo, Responder};
use agent_client_protocol::{Client, Error, schema::ProtocolVersion};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// The auth method that says what to run.
const KEY_METHOD: &str = "provider-key";
/// The auth method of clients that can show a terminal.
const LOGIN_METHOD: &str = "login";

/// One connection's state.
pub(super) struct Desk {
    pub(super) start: Start,
    client: Mutex<acp::ClientCapabilities>,
    seats: Mutex<BTreeMap<String, Arc<Seat>>>,
    /// What is owed an answer.
    pub(super) tasks: TaskTracker,
}

impl Desk {
    pub(super) fn new(start: Start) -> Self {
        Self { start, client: Mutex::default(), seats: Mutex::default(), tasks: TaskTracker::new() }
    }

    /// Who we are and what we can do. Whatever version is asked for, version 1 is spoken.
    pub(super) fn initialize(&self, request: &acp::InitializeRequest) -> acp::InitializeResponse {
        let offers_terminal = request.client_capabilities.auth.terminal;
        *lock(&self.client) = request.client_capabilities.clone();
        let sessions = acp::SessionCapabilities::new()
            .list(acp::SessionListCapabilities::new())
            .delete(acp::SessionDeleteCapabilities::new())
            .resume(acp::SessionResumeCapabilities::new())
            .close(acp::SessionCloseCapabilities::new())
            .fork(acp::SessionForkCapabilities::new());
        let can = acp::AgentCapabilities::new()
            .load_session(true)
            .prompt_capabilities(acp::PromptCapabilities::new().embedded_context(true))
            .mcp_capabilities(acp::McpCapabilities::new().http(true))
            .session_capabilities(sessions)
            .auth(acp::AgentAuthCapabilities::new().logout(acp::LogoutCapabilities::new()));
        let mut methods = vec![acp::AuthMethod::Agent(
            acp::AuthMethodAgent::new(KEY_METHOD, "Provider key").description(
                "Run `agent login PROVIDER` in a terminal (anthropic, openai or gemini), or set the provider's \
                 key variable such as OPENAI_API_KEY. The embedded model `rules` needs no key."
                    .to_owned(),
            ),
        )];
        if offers_terminal {
            let login = acp::AuthMethodTerminal::new(LOGIN_METHOD, "Keep a provider's key");
            methods.push(acp::AuthMethod::Terminal(
                login.args(vec!["login".to_owned()]).description(
                    "Asks for the key of the configured model's provider and keeps it".to_owned(),
                ),
            ));
        }
        acp::InitializeResponse::new(ProtocolVersion::V1)
            .agent_info(
                acp::Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                    .title("agent: backend security".to_owned()),
            )
            .agent_capabilities(can)
            .auth_methods(methods)
    }

    /// Looks whether the configured model can be opened now.
    pub(super) fn authenticate(
        &self,
        request: &acp::AuthenticateRequest,
        responder: Responder<acp::AuthenticateResponse>,
    ) {
        let known = [KEY_METHOD, LOGIN_METHOD].contains(&&*request.method_id.0);
        let start = self.start.clone();
        self.tasks.spawn(async move {
            let found = if known {
                blocking(move || {
                    let config = start.config(Path::new(".")).map_err(|trouble| answers::of(&trouble, ""))?;
                    wire::model(&config).map_err(|trouble| answers::of(&trouble, ""))?;
                    Ok(acp::AuthenticateResponse::new())
                })
                .await
            } else {
                Err(invalid("authenticate: there is no such method"))
            };
            responder.respond_with_result(found)
        });
    }

    /// Keys are the user's, shared with other programs of theirs: a client does not throw them away.
    #[allow(clippy::unused_self, reason = "one request, one method")]
    pub(super) fn logout(&self) -> Result<acp::LogoutResponse, Error> {
        Err(refused("run `agent logout PROVIDER` in a terminal: a kept key is not this client's to remove"))
    }

    /// Starts a turn.
    pub(super) fn prompt(
        desk: &Arc<Self>,
        request: &acp::PromptRequest,
        responder: Responder<acp::PromptResponse>,
        client: ConnectionTo<Client>,
    ) {
        let begun = desk.seat(&request.session_id.0).and_then(|seat| {
            let words = say::words(&request.prompt)?;
            let token = seat.begin_turn().ok_or_else(|| {
                refused("a prompt is already being worked on in this session; wait for it or cancel it")
            })?;
            Ok((seat, words, token))
        });
        match begun {
            Ok((seat, words, token)) => {
                let job = turn::Job { seat, words, token, offers: lock(&desk.client).clone() };
                desk.tasks.spawn(turn::run(job, responder, client));
            }
            Err(error) => drop(responder.respond_with_error(error)),
        }
    }

    /// Interrupts a session's turn. An unknown id is no error: it may have been closed a moment ago.
    pub(super) fn cancel(&self, id: &str) {
        if let Ok(seat) = self.seat(id) {
            seat.cancel();
        }
    }

    /// Changes how much happens without asking.
    pub(super) fn set_mode(
        &self,
        request: &acp::SetSessionModeRequest,
        client: &ConnectionTo<Client>,
    ) -> Result<acp::SetSessionModeResponse, Error> {
        let seat = self.seat(&request.session_id.0)?;
        choose_mode(&seat, &request.mode_id.0)?;
        let options = acp::ConfigOptionUpdate::new(seat.choices().as_options());
        let _ = client.send_notification(acp::SessionNotification::new(
            request.session_id.clone(),
            acp::SessionUpdate::ConfigOptionUpdate(options),
        ));
        Ok(acp::SetSessionModeResponse::new())
    }

    /// Changes an option.
    pub(super) fn set_option(
        &self,
        request: &acp::SetSessionConfigOptionRequest,
        client: &ConnectionTo<Client>,
    ) -> Result<acp::SetSessionConfigOptionResponse, Error> {
        let seat = self.seat(&request.session_id.0)?;
        let acp::SessionConfigOptionValue::ValueId { value } = &request.value else {
            return Err(invalid("value: this option is chosen by the id of a value"));
        };
        match &*request.config_id.0 {
            MODE => {
                choose_mode(&seat, &value.0)?;
                let mode = acp::CurrentModeUpdate::new(value.0.to_string());
                let _ = client.send_notification(acp::SessionNotification::new(
                    request.session_id.clone(),
                    acp::SessionUpdate::CurrentModeUpdate(mode),
                ));
            }
            MODEL => {
                if !seat.choices().models.iter().any(|name| **name == *value.0) {
                    return Err(invalid("value: there is no such model on offer"));
                }
                seat.choose_model(&value.0);
            }
            _ => return Err(invalid("configId: there is no such option")),
        }
        Ok(acp::SetSessionConfigOptionResponse::new(seat.choices().as_options()))
    }

    /// The open session of that id.
    pub(super) fn seat(&self, id: &str) -> Result<Arc<Seat>, Error> {
        lock(&self.seats).get(id).cloned().ok_or_else(|| unknown_session(id))
    }

    /// Opens a session to prompts.
    pub(super) fn take_in(&self, seat: Seat) -> Arc<Seat> {
        let seat = Arc::new(seat);
        lock(&self.seats).insert(seat.id.clone(), Arc::clone(&seat));
        seat
    }

    /// Closes a session to prompts; what it does is interrupted.
    pub(super) fn let_go(&self, id: &str) -> Option<Arc<Seat>> {
        let seat = lock(&self.seats).remove(id)?;
        seat.cancel();
        Some(seat)
    }

    /// Interrupts every turn under way.
    pub(super) fn cancel_all(&self) {
        for seat in lock(&self.seats).values() {
            seat.cancel();
        }
    }

    /// Interrupts everything and waits for its end, for at most `time`.
    pub(super) async fn close_all(&self, time: Duration) {
        let seats: Vec<Arc<Seat>> = std::mem::take(&mut *lock(&self.seats)).into_values().collect();
        for seat in &seats {
            seat.cancel();
        }
        self.tasks.close();
        let ended = async {
            self.tasks.wait().await;
            for seat in &seats {
                drop(seat.session.lock().await);
            }
        };
        let _ = tokio::time::timeout(time, ended).await;
    }

    /// Tells the client which commands a session has.
    pub(super) fn advertise(client: &ConnectionTo<Client>, seat: &Seat) {
        let commands = acp::AvailableCommandsUpdate::new(command::advertised(&seat.commands));
        let _ = client.send_notification(acp::SessionNotification::new(
            seat.id.clone(),
            acp::SessionUpdate::AvailableCommandsUpdate(commands),
        ));
    }
}

fn choose_mode(seat: &Seat, name: &str) -> Result<(), Error> {
    let mode = seat.choices().mode_named(name).ok_or_else(|| invalid("there is no such mode on offer"))?;
    seat.choose_mode(mode);
    Ok(())
}

/// Does what blocks (files, keyrings) aside from the one thread that serves all sessions.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(answers::failed(&format!("the agent broke: {error}"))))
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is a single step: a thread that died in one left whole data.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
