//! One tool of a server as a tool of ours: planned, judged, performed with a limit.

use crate::action::Action;
use crate::message::{Spec, map_strings};
use crate::prompt::untrusted;
use crate::text::{clip, printable, redact};
use crate::tool::{Plan, Tool, ToolError, ToolOutput, World};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock};
use rmcp::service::{RoleClient, RunningService};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

/// The longest name a model's provider takes, in bytes.
const MAX_NAME: usize = 64;
/// The longest description, in bytes.
const MAX_DESCRIPTION: usize = 600;
/// The largest schema of arguments that is passed on, in bytes of JSON.
const MAX_SCHEMA: usize = 16 * 1024;
/// The most a result says to the model, in bytes.
const MAX_RESULT: usize = 48 * 1024;

/// Specs live as long as the process; the same tool of the same server is kept once.
static SPECS: LazyLock<Mutex<HashMap<String, &'static Spec>>> = LazyLock::new(Mutex::default);

/// A server that answers.
pub(super) struct Wire {
    pub(super) server: String,
    pub(super) running: RunningService<RoleClient, ()>,
    pub(super) limit: Duration,
}

/// The tool.
pub(super) struct McpTool {
    wire: Arc<Wire>,
    name: String,
    spec: &'static Spec,
}

impl McpTool {
    pub(super) fn new(wire: Arc<Wire>, tool: &rmcp::model::Tool) -> Self {
        let spec = described(
            &wire.server,
            &tool.name,
            tool.description.as_deref().unwrap_or_default(),
            &Value::Object((*tool.input_schema).clone()),
        );
        Self { name: tool.name.to_string(), spec: kept(spec), wire }
    }
}

/// What the model is told. The server's own words are cut and made printable.
fn described(server: &str, tool: &str, words: &str, schema: &Value) -> Spec {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = format!("mcp_{server}_{tool}").chars().map(plain).take(MAX_NAME).collect();
    let words = redact(&printable(words)).into_owned();
    let mut parameters = schema.clone();
    map_strings(&mut parameters, &|text| printable(text).into_owned());
    if !parameters.is_object() || parameters.to_string().len() > MAX_SCHEMA {
        parameters = json!({"type": "object"});
    }
    let description = format!(
        "Tool `{}` of the server `{server}`, in the server's own words: {}",
        printable(tool),
        clip(words.trim(), MAX_DESCRIPTION).text
    );
    Spec { name, description, parameters }
}

fn kept(spec: Spec) -> &'static Spec {
    let key = serde_json::to_string(&spec).unwrap_or_default();
    let mut specs = SPECS.lock().unwrap_or_else(PoisonError::into_inner);
    specs.entry(key).or_insert_with(|| Box::leak(Box::new(spec)))
}

impl Tool for McpTool {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn plan(&self, args: &Value, _world: &Arc<World>) -> Result<Plan, ToolError> {
        let Value::Object(arguments) = args.clone() else {
            return Err(ToolError::Arguments("they must be a JSON object".into()));
        };
        let action = Action::Call {
            server: self.wire.server.clone(),
            tool: self.name.clone(),
            arguments: args.to_string(),
        };
        let (wire, request) =
            (Arc::clone(&self.wire), CallToolRequestParams::new(self.name.clone()).with_arguments(arguments));
        Ok(Plan::new(action, move |progress| {
            Box::pin(async move {
                let failed = |why: String| Err(ToolError::Failed(format!("{}: {why}", wire.server)));
                tokio::select! {
                    called = wire.running.call_tool(request) => match called {
                        Ok(result) => output(&wire.server, &result),
                        Err(error) => failed(clip(&printable(&error.to_string()), 500).text.to_owned()),
                    },
                    () = tokio::time::sleep(wire.limit) => {
                        failed(format!("no answer within {} s", wire.limit.as_secs()))
                    }
                    () = progress.cancel.cancelled() => failed("interrupted by the user".into()),
                }
            })
        }))
    }
}

/// A result as the model reads it: quoted, since it is somebody else's text.
fn output(server: &str, result: &CallToolResult) -> Result<ToolOutput, ToolError> {
    let mut text = String::new();
    for block in &result.content {
        match block {
            ContentBlock::Text(block) => text.push_str(&block.text),
            _ => text.push_str("[content that is no text was left out]"),
        }
        text.push('\n');
    }
    if text.trim().is_empty()
        && let Some(value) = &result.structured_content
    {
        text = value.to_string();
    }
    let clipped = clip(&text, MAX_RESULT);
    let mut shown = untrusted(&format!("mcp {server}"), clipped.text);
    if clipped.left_out > 0 {
        shown = format!("{shown}\n[{} bytes left out]", clipped.left_out);
    }
    if result.is_error == Some(true) {
        return Err(ToolError::Failed(shown));
    }
    let summary = format!("{} bytes", text.len());
    Ok(ToolOutput { text: shown, summary, ..ToolOutput::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_of_itself_is_cut_and_made_printable() {
        let schema = json!({"type": "object", "properties": {"q": {"description": "a\u{202e}b"}}});
        let spec = described("docs", "find it/now", &format!("x\u{1b}[2J{}", "y".repeat(5_000)), &schema);
        assert_eq!(spec.name, "mcp_docs_find_it_now");
        assert!(spec.description.len() < 700 && !spec.description.contains('\u{1b}'), "{}", spec.description);
        assert!(!spec.parameters.to_string().contains('\u{202e}'));
        let large = json!({"type": "object", "description": "z".repeat(MAX_SCHEMA)});
        assert_eq!(described("docs", "t", "", &large).parameters, json!({"type": "object"}));
        assert!(described("docs", &"n".repeat(200), "", &schema).name.len() <= MAX_NAME);
    }
}
