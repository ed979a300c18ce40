//! ACP over standard input and output: a client opens sessions, prompts them and watches them.
//!
//! The crate frames and types the messages; here is what they mean. The connection's loop waits for every
//! closure below, so each one only looks something up or starts a task.

mod answers;
mod command;
mod desk;
mod open;
mod options;
mod question;
mod replay;
mod say;
mod seat;
mod shelf;
mod tell;
mod transport;
mod turn;

use super::{Start, signals};
use crate::event::Outcome;
use crate::wire::Trouble;
use agent_client_protocol::v1::schema as acp;
use agent_client_protocol::{Agent, on_receive_notification, on_receive_request};
use desk::Desk;
use std::sync::Arc;
use std::time::Duration;

/// How long running work has to end once the client is gone. Some clients kill after two seconds.
const LAST_CALL: Duration = Duration::from_millis(1_500);

/// Serves until the client closes standard input or a signal comes. Gives the exit code.
pub fn serve(start: Start) -> Result<u8, Trouble> {
    // One thread, as in every door: what blocks runs on the blocking pool, and commands belong to the one thread
    // that lives as long as the process does.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(Outcome::Error, format!("cannot start: {error}")))?;
    let code = runtime.block_on(async {
        let desk = Arc::new(Desk::new(start));
        let code = tokio::select! {
            done = connect(Arc::clone(&desk)) => u8::from(done.is_err()),
            code = signals::ended() => code,
        };
        desk.close_all(LAST_CALL).await;
        code
    });
    runtime.shutdown_background();
    Ok(code)
}

/// One connection, to its end.
async fn connect(desk: Arc<Desk>) -> Result<(), agent_client_protocol::Error> {
    // Nothing that was started goes on without the one who asked for it.
    let hang_up = {
        let desk = Arc::clone(&desk);
        move || desk.cancel_all()
    };
    let [d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11, d12, d13, d14] =
        std::array::from_fn(|_| Arc::clone(&desk));
    Agent
        .v1()
        .name("agent")
        .on_receive_request(
            async move |request: acp::InitializeRequest, responder, _cx| {
                responder.respond(d1.initialize(&request))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::AuthenticateRequest, responder, _cx| {
                d2.authenticate(&request, responder);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::NewSessionRequest, responder, cx| {
                Desk::begin(&d3, request, responder, cx);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::LoadSessionRequest, responder, cx| {
                Desk::load(&d4, request, responder, cx);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::ResumeSessionRequest, responder, cx| {
                Desk::resume(&d5, request, responder, cx);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::ForkSessionRequest, responder, cx| {
                Desk::fork(&d6, request, responder, cx);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::ListSessionsRequest, responder, _cx| {
                responder.respond_with_result(d7.list(&request))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::CloseSessionRequest, responder, _cx| {
                responder.respond_with_result(d8.close(&request))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::DeleteSessionRequest, responder, _cx| {
                Desk::delete(&d9, request, responder);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::PromptRequest, responder, cx| {
                Desk::prompt(&d10, &request, responder, cx);
                Ok(())
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::SetSessionModeRequest, responder, cx| {
                responder.respond_with_result(d11.set_mode(&request, &cx))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |request: acp::SetSessionConfigOptionRequest, responder, cx| {
                responder.respond_with_result(d12.set_option(&request, &cx))
            },
            on_receive_request!(),
        )
        .on_receive_notification(
            async move |cancel: acp::CancelNotification, _cx| {
                d13.cancel(&cancel.session_id.0);
                Ok(())
            },
            on_receive_notification!(),
        )
        .on_receive_request(
            async move |_request: acp::LogoutRequest, responder, _cx| {
                responder.respond_with_result(d14.logout())
            },
            on_receive_request!(),
        )
        .connect_to(transport::stdio(hang_up))
        .await
}
