//! A call's arguments, read strictly: what the model wrote is JSON, or nothing is done.

use serde_json::Value;

/// Reads arguments strictly. Only what loses nothing is unwrapped: a code fence, a string holding JSON.
pub(super) fn parse_arguments(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    let inner = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"))
        .and_then(|rest| rest.strip_suffix("```"))
        .map_or(text, str::trim);
    match serde_json::from_str::<Value>(inner) {
        Ok(Value::String(nested)) => match serde_json::from_str::<Value>(&nested) {
            Ok(value @ Value::Object(_)) => Ok(value),
            _ => Err("they must be a JSON object, not a string".into()),
        },
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(format!("they must be a JSON object, not {}", kind_of(&other))),
        Err(error) => Err(format!("they are not JSON: {error}; nothing was done")),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        match (parse_arguments(text), expected) {
            (Ok(value), Ok(json)) => assert_eq!(value.to_string(), json, "{text}"),
            (Err(error), Err(part)) => assert!(error.contains(part), "{text}: {error}"),
            (got, expected) => panic!("{text}: {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn reads_arguments_strictly_and_loses_nothing() {
        check("", Ok("{}"));
        check(r#"{"a":1}"#, Ok(r#"{"a":1}"#));
        check("```json\n{\"a\":1}\n```", Ok(r#"{"a":1}"#));
        check(r#""{\"a\":1}""#, Ok(r#"{"a":1}"#));
        check(r#"{"command": "rm -rf /tmp/x"#, Err("not JSON"));
        check(r#"{"command": "echo "hi""}"#, Err("not JSON"));
        check(r#"{"a":1}{"b":2}"#, Err("not JSON"));
        check("[1]", Err("a list"));
        check(&"[".repeat(100_000), Err("not JSON"));
    }
}
