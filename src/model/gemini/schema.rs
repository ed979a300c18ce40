//! JSON Schema to the part of it that Gemini takes. What it does not know it rejects, so only known words pass.

use serde_json::{Map, Value, json};

/// Keywords that pass as they are.
const KEPT: [&str; 12] = [
    "description",
    "title",
    "nullable",
    "required",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "pattern",
    "default",
];
/// Formats that pass.
const FORMATS: [&str; 6] = ["enum", "date-time", "int32", "int64", "float", "double"];

/// The schema reduced; `None` for an object without fields.
pub(super) fn reduce(schema: &Value) -> Option<Value> {
    let fields = schema.as_object()?;
    if fields.get("type").is_some_and(|kind| kind == "object")
        && fields.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty)
    {
        return None;
    }
    Some(Value::Object(reduce_fields(fields)))
}

fn reduce_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("type", Value::Array(kinds)) => {
                if let Some(kind) = kinds.iter().find(|kind| *kind != "null") {
                    out.insert("type".into(), kind.clone());
                }
                if kinds.iter().any(|kind| kind == "null") {
                    out.insert("nullable".into(), json!(true));
                }
            }
            ("type", kind) => {
                out.insert("type".into(), kind.clone());
            }
            ("properties", Value::Object(properties)) => {
                let reduced = properties.iter().map(|(name, inner)| (name.clone(), reduce_inner(inner)));
                out.insert("properties".into(), Value::Object(reduced.collect()));
            }
            ("items", inner @ Value::Object(_)) => {
                out.insert("items".into(), reduce_inner(inner));
            }
            ("anyOf" | "oneOf", Value::Array(choices)) => {
                out.insert("anyOf".into(), choices.iter().map(reduce_inner).collect());
            }
            // Only of texts.
            ("enum", Value::Array(words)) if words.iter().all(Value::is_string) => {
                out.insert("enum".into(), value.clone());
            }
            ("const", Value::String(_)) => {
                out.insert("enum".into(), json!([value]));
            }
            ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                out.insert("format".into(), value.clone());
            }
            (name, value) if KEPT.contains(&name) => {
                out.insert(name.to_owned(), value.clone());
            }
            _ => {}
        }
    }
    out
}

/// Within a schema there is no leaving out: an object without fields becomes any text.
fn reduce_inner(schema: &Value) -> Value {
    reduce(schema).unwrap_or_else(|| {
        let mut out = json!({"type": "string"});
        if let Some(description) = schema.get("description") {
            out["description"] = description.clone();
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_provider_knows_passes() {
        let check =
            |schema: Value, expected: Option<Value>| assert_eq!(reduce(&schema), expected, "{schema}");
        check(json!({"type": "object", "properties": {}, "additionalProperties": false}), None);
        check(json!({"type": "object"}), None);
        check(
            json!({"$schema": "x", "type": "object", "additionalProperties": false, "required": ["a"],
                "properties": {"a": {"type": ["string", "null"], "format": "uri", "description": "d"},
                    "b": {"type": "array", "items": {"type": "object", "additionalProperties": false,
                        "properties": {"c": {"const": "x"}}}},
                    "d": {"oneOf": [{"type": "integer", "enum": [1, 2], "exclusiveMinimum": 0}]},
                    "e": {"type": "object"}}}),
            Some(json!({"type": "object", "required": ["a"],
                "properties": {"a": {"type": "string", "nullable": true, "description": "d"},
                    "b": {"type": "array", "items": {"type": "object",
                        "properties": {"c": {"enum": ["x"]}}}},
                    "d": {"anyOf": [{"type": "integer"}]},
                    "e": {"type": "string"}}})),
        );
    }
}
