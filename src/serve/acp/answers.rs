//! What went wrong, as the protocol's errors: a code a program can act on, a sentence a person can.

use crate::event::Outcome;
use crate::text::redact;
use crate::wire::{Trouble, exit};
use agent_client_protocol::Error;
use agent_client_protocol::v1::schema as acp;

/// Parameters that cannot be meant (-32602).
pub(super) fn invalid(text: impl Into<String>) -> Error {
    let mut error = Error::invalid_params();
    error.message = text.into();
    error
}

/// A request that cannot be carried out now (-32600).
pub(super) fn refused(text: impl Into<String>) -> Error {
    let mut error = Error::invalid_request();
    error.message = text.into();
    error
}

/// No session of that id (-32002).
pub(super) fn unknown_session(id: &str) -> Error {
    let mut error: Error = acp::Error::session_not_found(id.to_owned()).into();
    error.message = format!("no such session: {}", crate::text::clip(id, 100).text);
    error
}

/// A key is missing or refused (-32000): the message says what to run.
pub(super) fn no_key(text: &str) -> Error {
    let mut error = Error::auth_required();
    error.message = redact(text).into_owned();
    error
}

/// Something broke or is missing (-32603).
pub(super) fn failed(text: &str) -> Error {
    let mut error = Error::internal_error();
    error.message = redact(text).into_owned();
    error
}

/// Trouble with opening session `id` (empty: a new one).
pub(super) fn of(trouble: &Trouble, id: &str) -> Error {
    match trouble.outcome {
        Outcome::ModelUnavailable => no_key(&trouble.text),
        _ if trouble.code == exit::NO_INPUT && !id.is_empty() => unknown_session(id),
        _ if trouble.code == exit::NO_INPUT || trouble.code == exit::USAGE => invalid(redact(&trouble.text)),
        _ => failed(&trouble.text),
    }
}
