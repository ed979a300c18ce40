//! A question of policy, put to the client. Anything but an answer we know to be a yes is a no.

use super::seat::Seat;
use crate::event::{Answer, Question};
use agent_client_protocol::Client;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema as acp;

const ONCE: &str = "allow_once";
const ALWAYS: &str = "allow_always";
const NO: &str = "reject_once";
const NEVER: &str = "reject_always";

/// Asks. Dropped half way (the turn was cancelled), the question is withdrawn.
pub(super) async fn ask(
    client: &ConnectionTo<Client>,
    seat: &Seat,
    call: Option<acp::ToolCall>,
    question: &Question,
) -> Answer {
    let about = question.remember.clone().unwrap_or_else(|| question.action.title());
    if seat.is_rejected(&about) {
        return Answer::Reject(Some("the user said no to this for the whole session".into()));
    }
    let request = acp::RequestPermissionRequest::new(
        seat.id.clone(),
        shown(call, question),
        options(question.remember.as_deref()),
    );
    let outcome = match client.send_request(request).block_task().await {
        Ok(response) => response.outcome,
        Err(error) => return Answer::Reject(Some(format!("the client could not ask: {}", error.message))),
    };
    let acp::RequestPermissionOutcome::Selected(selected) = outcome else {
        return Answer::Reject(Some("interrupted by the user".into()));
    };
    match &*selected.option_id.0 {
        ONCE => Answer::Once,
        ALWAYS if question.remember.is_some() => Answer::Session,
        NEVER => {
            seat.reject_always(about);
            Answer::Reject(None)
        }
        _ => Answer::Reject(None),
    }
}

/// The call that is asked about, with why it is.
fn shown(call: Option<acp::ToolCall>, question: &Question) -> acp::ToolCallUpdate {
    let Some(call) = call else {
        let fields = acp::ToolCallUpdateFields::new().title(question.action.title());
        return acp::ToolCallUpdate::new("question", fields);
    };
    let reason = format!("Asked because: {}", question.reason);
    let mut content = vec![acp::ToolCallContent::from(reason)];
    content.extend(call.content);
    let fields = acp::ToolCallUpdateFields::new()
        .title(call.title)
        .kind(call.kind)
        .status(acp::ToolCallStatus::Pending)
        .locations(call.locations)
        .raw_input(call.raw_input)
        .content(content);
    acp::ToolCallUpdate::new(call.tool_call_id, fields)
}

fn options(remember: Option<&str>) -> Vec<acp::PermissionOption> {
    let option = |id: &'static str, name: &str, kind| acp::PermissionOption::new(id, name, kind);
    let mut options = vec![option(ONCE, "Allow once", acp::PermissionOptionKind::AllowOnce)];
    if let Some(what) = remember {
        let name = format!("Always this session: {}", crate::text::clip(what, 120).text);
        options.push(option(ALWAYS, &name, acp::PermissionOptionKind::AllowAlways));
    }
    options.push(option(NO, "No", acp::PermissionOptionKind::RejectOnce));
    options.push(option(NEVER, "Never this session", acp::PermissionOptionKind::RejectAlways));
    options
}
