//! The tools as a host is told of them: when to call them, what they take, what they give.

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Map, Value, json};
use std::sync::Arc;

const CWD: &str = "Absolute path of the repository; the server's own folder when absent";
const MODE: &str = "How much happens without asking: `auto` edits files and runs sandboxed commands, `ask` asks the \
                    user for each, `read-only` changes nothing. Never more than the server was started with";

/// Every tool.
pub(super) fn tools() -> Vec<Tool> {
    let text = |words: &str| json!({"type": "string", "description": words});
    let mode = json!({"type": "string", "enum": ["ask", "auto", "read-only"], "description": MODE});
    let turns = json!({"type": "integer", "minimum": 1, "description": "Most answers of the model"});
    let issue = text("The weakness to close, in your words, as an issue, or a scanner's finding");
    let fix = json!({
        "issue": issue, "cwd": text(CWD), "test_command": text("The project's test command, when it is not found"),
        "mode": mode, "max_turns": turns,
    });
    let run = json!({"prompt": text("What to do; the agent sees only this text"), "cwd": text(CWD), "mode": mode, "max_turns": turns});
    let handle = json!({"handle": text("What `start` gave; a session id works as well")});
    let mut start = fix.clone();
    start["prompt"] = text("For work that is no fix: what to do, instead of `issue`");
    let acts = || ToolAnnotations::new().read_only(false).destructive(true).open_world(true);
    let looks = || ToolAnnotations::new().read_only(true).open_world(false);
    vec![
        tool(
            "fix",
            "Close one security weakness in a backend and prove it: scan, smallest change, project's own tests, scan \
             again, report with gates. Takes minutes; in a host with a short limit use `start`. Not for audits, \
             compliance questions or features.",
            fix,
            &["issue"],
            report(),
            acts(),
        ),
        tool(
            "scan",
            "List known weaknesses (injection, path traversal, secrets, weak hashes and more) with places and proposed \
             fixes. Changes nothing, needs no model, takes seconds.",
            json!({"cwd": text(CWD), "path": text("Only this file, or what is below this folder"), "family": text("Only this family, such as sql-injection")}),
            &[],
            json!({"type": "object", "properties": {
                "findings": {"type": "array", "items": {"type": "object"}}, "files": {"type": "integer"},
                "left_out": {"type": "integer", "description": "Findings beyond those listed"},
            }, "required": ["findings", "files"]}),
            looks(),
        ),
        tool(
            "run",
            "Ask the security agent for something else in a repository: look into a weakness, explain a finding, write a \
             test. It sees only the prompt. For closing a weakness use `fix`.",
            run,
            &["prompt"],
            report(),
            acts(),
        ),
        tool(
            "reply",
            "Say more to an earlier session of `fix`, `run` or `start`; it remembers everything.",
            json!({"session_id": text("The session"), "prompt": text("What to say"), "mode": mode}),
            &["session_id", "prompt"],
            report(),
            acts(),
        ),
        tool(
            "start",
            "As `fix` (with `issue`) or `run` (with `prompt`), but answers at once with a handle; ask with `status` and \
             `result`.",
            start,
            &[],
            standing(),
            acts(),
        ),
        tool("status", "How a started job goes.", handle.clone(), &["handle"], standing(), looks()),
        tool(
            "result",
            "The result of a started job; waits for its end for at most `wait_seconds`, then says how it goes.",
            json!({"handle": handle["handle"], "wait_seconds": {"type": "integer", "minimum": 0, "maximum": 50, "description": "0 when absent"}}),
            &["handle"],
            either(),
            looks(),
        ),
        tool(
            "cancel",
            "Interrupt a started job; what it runs is killed, what it changed stays and can be undone.",
            handle,
            &["handle"],
            standing(),
            ToolAnnotations::new().read_only(false).destructive(false).idempotent(true).open_world(false),
        ),
    ]
}

fn tool(
    name: &'static str,
    words: &'static str,
    properties: impl Into<Value>,
    required: &[&str],
    gives: Value,
    hints: ToolAnnotations,
) -> Tool {
    let takes = json!({
        "type": "object", "properties": properties.into(), "required": required, "additionalProperties": false,
    });
    Tool::new(name, words, Arc::new(object(takes)))
        .with_raw_output_schema(Arc::new(object(gives)))
        .with_annotations(hints)
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// What finished work gives.
fn report() -> Value {
    json!({"type": "object", "properties": report_fields(), "required": ["status", "summary", "session_id"]})
}

fn report_fields() -> Value {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let objects = json!({"type": "array", "items": {"type": "object"}});
    json!({
        "status": {"type": "string", "description": "fixed, fixed_unverified, done, no_change, not_fixed, blocked, denied, \
            needs_approval, policy_refusal, budget, model_unavailable, cancelled or error"},
        "summary": text, "session_id": text, "model": text, "files": objects, "findings": objects,
        "verification": objects, "by_hand": texts, "permission_denials": texts,
        "needs_approval": texts,
        "patch": {"type": "string", "description": "Unified diff; absent when long, the report's resource has it"},
        "report": {"type": "string", "description": "Address of the whole report, a resource"},
        "usage": {"type": "object"}, "cost_usd": {"type": ["number", "null"]}, "turns": {"type": "integer"},
        "duration_ms": {"type": "integer"},
    })
}

/// How a job goes.
fn standing() -> Value {
    json!({"type": "object", "properties": standing_fields(), "required": ["handle", "state"]})
}

fn standing_fields() -> Value {
    json!({
        "handle": {"type": "string"}, "state": {"type": "string", "enum": ["running", "done"]},
        "line": {"type": "string"}, "elapsed_ms": {"type": "integer"},
        "needs_approval": {"type": "array", "items": {"type": "string"}},
    })
}

fn either() -> Value {
    let mut properties = report_fields();
    if let (Value::Object(all), Value::Object(more)) = (&mut properties, standing_fields()) {
        all.extend(more);
    }
    json!({"type": "object", "properties": properties, "required": ["state"]})
}
