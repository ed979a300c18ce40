//! What logs and telemetry are told: names, counts, times and how things ended, by the field's own names. Never
//! what was said, read or written.

use crate::message::Usage;
use crate::model::{ModelError, Stop};
use tracing::field::Empty;
use tracing::{Span, info_span};

/// A run of the session.
pub(super) fn run(session: &str, model: &str) -> Span {
    let (provider, model) = split(model);
    info_span!(
        "invoke_agent",
        otel.name = "invoke_agent agent",
        otel.kind = "internal",
        "gen_ai.operation.name" = "invoke_agent",
        "gen_ai.agent.name" = "agent",
        "gen_ai.provider.name" = provider,
        "gen_ai.request.model" = model,
        "gen_ai.conversation.id" = session,
        "agent.outcome" = Empty,
    )
}

/// One request to a model, one answer.
pub(super) fn chat(model: &str, max_output: u32) -> Span {
    let (provider, model) = split(model);
    info_span!(
        "chat",
        otel.name = format!("chat {model}"),
        otel.kind = "client",
        otel.status_code = Empty,
        "gen_ai.operation.name" = "chat",
        "gen_ai.provider.name" = provider,
        "gen_ai.request.model" = model,
        "gen_ai.request.max_tokens" = max_output,
        "gen_ai.response.finish_reasons" = Empty,
        "gen_ai.usage.input_tokens" = Empty,
        "gen_ai.usage.output_tokens" = Empty,
        "gen_ai.usage.cache_read.input_tokens" = Empty,
        "gen_ai.usage.cache_creation.input_tokens" = Empty,
        "error.type" = Empty,
    )
}

/// One call of a tool.
pub(super) fn tool(name: &str, id: &str) -> Span {
    info_span!(
        "execute_tool",
        otel.name = format!("execute_tool {name}"),
        otel.kind = "internal",
        "gen_ai.operation.name" = "execute_tool",
        "gen_ai.tool.name" = name,
        "gen_ai.tool.type" = "function",
        "gen_ai.tool.call.id" = id,
    )
}

/// An answer came.
pub(super) fn answered(span: &Span, usage: Usage, stop: &Stop) {
    count(span, usage);
    let reason = match stop {
        Stop::End => "stop",
        Stop::ToolUse => "tool_calls",
        Stop::MaxTokens => "length",
        Stop::Refusal(_) => "content_filter",
    };
    span.record("gen_ai.response.finish_reasons", reason);
}

/// None came.
pub(super) fn failed(span: &Span, usage: Usage, error: &ModelError) {
    count(span, usage);
    let kind = match error {
        ModelError::Unreachable { .. } => "unreachable",
        ModelError::Cut(_) => "cut",
        ModelError::Busy { .. } => "busy",
        ModelError::Auth(_) => "auth",
        ModelError::Rejected { .. } => "rejected",
        ModelError::Overflow(_) => "overflow",
        ModelError::Quota(_) => "quota",
        ModelError::Protocol { .. } => "protocol",
        ModelError::Unusable(_) => "unusable",
    };
    span.record("error.type", kind);
    span.record("otel.status_code", "ERROR");
    tracing::warn!(parent: span, kind, "the model gave no answer");
}

fn count(span: &Span, usage: Usage) {
    if usage == Usage::default() {
        return;
    }
    span.record("gen_ai.usage.input_tokens", usage.input + usage.cached + usage.cache_write);
    span.record("gen_ai.usage.output_tokens", usage.output);
    span.record("gen_ai.usage.cache_read.input_tokens", usage.cached);
    span.record("gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
}

/// `provider/model` as the field names both.
fn split(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("responses", model)) => ("openai", model),
        Some(("gemini", model)) => ("gcp.gemini", model),
        Some((provider, model)) => (provider, model),
        None => ("agent", name),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn providers_have_the_fields_names() {
        assert_eq!(split("responses/gpt-5"), ("openai", "gpt-5"));
        assert_eq!(split("gemini/g"), ("gcp.gemini", "g"));
        assert_eq!(split("openai/org/model"), ("openai", "org/model"));
        assert_eq!(split("rules"), ("agent", "rules"));
    }
}
