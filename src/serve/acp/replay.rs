//! A recorded session, told again: what was said, what was called, what changed.

use super::tell::{MAX_TEXT, pieces, tool_call};
use crate::action::Action;
use crate::message::{Message, Part, Role, ToolCall};
use crate::prompt::issue_in;
use crate::session::record::Entry;
use crate::text::clip;
use agent_client_protocol::v1::schema as acp;
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;

/// The updates that tell a session from its beginning.
pub(super) fn updates(entries: &[Entry], root: &Path) -> Vec<acp::SessionUpdate> {
    let mut out = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let Entry::Message { message } = entry else { continue };
        // What the calls of an answer did stands behind it, up to the next message.
        let mut deeds: VecDeque<&Action> = entries[at + 1..]
            .iter()
            .take_while(|entry| !matches!(entry, Entry::Message { .. }))
            .filter_map(|entry| if let Entry::Deed { action } = entry { Some(action) } else { None })
            .collect();
        tell(message, &mut deeds, root, &mut out);
    }
    out
}

fn tell(message: &Message, deeds: &mut VecDeque<&Action>, root: &Path, out: &mut Vec<acp::SessionUpdate>) {
    for part in &message.parts {
        match (part, message.role) {
            (Part::Text { text }, Role::User) => {
                let chunk = |text: &str| acp::SessionUpdate::UserMessageChunk(chunk(text));
                // The first look at the repository that went with it is not the user's word.
                out.extend(pieces(issue_in(text)).map(chunk));
            }
            (Part::Text { text }, Role::Assistant) => {
                out.extend(pieces(text).map(|text| acp::SessionUpdate::AgentMessageChunk(chunk(text))));
            }
            (Part::Reasoning { text, .. }, _) => {
                out.extend(pieces(text).map(|text| acp::SessionUpdate::AgentThoughtChunk(chunk(text))));
            }
            (Part::Call(call), _) => out.push(acp::SessionUpdate::ToolCall(called(call, deeds, root))),
            (Part::Result(result), _) => {
                let status = if result.is_error {
                    acp::ToolCallStatus::Failed
                } else {
                    acp::ToolCallStatus::Completed
                };
                let mut fields = acp::ToolCallUpdateFields::new().status(status);
                let changes_files = matches!(result.name.as_str(), "write" | "edit" | "patch");
                if !changes_files || result.is_error {
                    let clipped = clip(&result.text, MAX_TEXT / 2);
                    fields = fields.content(vec![format!("```\n{}\n```", clipped.text).into()]);
                }
                out.push(acp::SessionUpdate::ToolCallUpdate(acp::ToolCallUpdate::new(
                    result.call_id.clone(),
                    fields,
                )));
            }
        }
    }
}

/// A call with what it did, where that is recorded.
fn called(call: &ToolCall, deeds: &mut VecDeque<&Action>, root: &Path) -> acp::ToolCall {
    let did = |action: &Action| match action {
        Action::Write { .. } => matches!(call.name.as_str(), "write" | "edit" | "patch"),
        Action::Run { .. } => call.name == "bash",
        Action::Fetch { .. } => call.name == "webfetch",
        Action::Call { .. } => call.name.starts_with("mcp_"),
        Action::Read { .. } | Action::Connect { .. } | Action::Reveal { .. } => false,
    };
    let action = if deeds.front().is_some_and(|action| did(action)) { deeds.pop_front() } else { None };
    let title = action.map_or_else(|| call.name.clone(), Action::title);
    let shown = tool_call(call.id.clone(), &call.name, &title, action, root);
    if shown.raw_input.is_some() || call.arguments.len() > MAX_TEXT / 2 {
        return shown;
    }
    let input = serde_json::from_str::<Value>(&call.arguments).ok();
    shown.raw_input(input)
}

fn chunk(text: &str) -> acp::ContentChunk {
    acp::ContentChunk::new(text.into())
}
