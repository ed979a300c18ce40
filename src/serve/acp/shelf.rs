//! Sessions as a client keeps them: listed, closed, deleted.

use super::answers::{self, invalid, refused};
use super::desk::{Desk, blocking};
use crate::session::{record, shelf};
use agent_client_protocol::Error;
use agent_client_protocol::v1::Responder;
use agent_client_protocol::v1::schema as acp;
use std::path::Path;
use std::sync::Arc;

/// Sessions on one page of a list.
const PAGE: usize = 50;

impl Desk {
    /// `session/list`: newest first, a page at a time.
    pub(super) fn list(
        &self,
        request: &acp::ListSessionsRequest,
    ) -> Result<acp::ListSessionsResponse, Error> {
        if request.cwd.as_ref().is_some_and(|cwd| !cwd.is_absolute()) {
            return Err(invalid("cwd: must be an absolute path"));
        }
        let from = match &request.cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| invalid("cursor: not one that was given here"))?,
        };
        let config = self.start.config(Path::new(".")).map_err(|trouble| answers::of(&trouble, ""))?;
        let root = request.cwd.as_ref().map(|cwd| cwd.canonicalize().unwrap_or_else(|_| cwd.clone()));
        let all = record::list(&config.state, root.as_deref());
        let page = all.iter().skip(from).take(PAGE).map(|session| {
            acp::SessionInfo::new(session.session_id.clone(), session.workspace.clone())
                .title(Some(session.title.clone()).filter(|title| !title.is_empty()))
                .updated_at(session.time.clone())
        });
        let more = from.saturating_add(PAGE);
        let next = (all.len() > more).then(|| more.to_string());
        Ok(acp::ListSessionsResponse::new(page.collect()).next_cursor(next))
    }

    /// `session/close`: interrupts what it does and lets it go; it can be loaded again.
    pub(super) fn close(
        &self,
        request: &acp::CloseSessionRequest,
    ) -> Result<acp::CloseSessionResponse, Error> {
        let id = &request.session_id.0;
        self.let_go(id).ok_or_else(|| answers::unknown_session(id))?;
        Ok(acp::CloseSessionResponse::new())
    }

    /// `session/delete`: its record and its journal go.
    pub(super) fn delete(
        desk: &Arc<Self>,
        request: acp::DeleteSessionRequest,
        responder: Responder<acp::DeleteSessionResponse>,
    ) {
        let (tasks, desk) = (desk.tasks.clone(), Arc::clone(desk));
        tasks.spawn(async move {
            let id = request.session_id.0.to_string();
            if desk.seat(&id).is_ok_and(|seat| seat.is_busy()) {
                return responder.respond_with_error(refused("the session is at work; cancel it first"));
            }
            if let Some(seat) = desk.let_go(&id) {
                // The record is let go with the session.
                drop(seat.session.lock().await);
            }
            let start = desk.start.clone();
            let deleted = blocking(move || {
                let config = start.config(Path::new(".")).map_err(|trouble| answers::of(&trouble, ""))?;
                shelf::delete(&config.state, &id).map_err(|error| answers::of(&error.into(), &id))?;
                Ok(acp::DeleteSessionResponse::new())
            });
            responder.respond_with_result(deleted.await)
        });
    }
}
