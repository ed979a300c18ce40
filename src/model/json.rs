//! Reading JSON as servers really write it: a field may be null, a list, an object where text is meant.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Text that may be absent, null, or a list of text parts. Borrows where it can.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

/// Text that may also be an object, which is then written out: tool arguments.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Written<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Written<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As it stands: objects nested beyond all reason are for whoever reads the arguments to refuse.
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('{') {
            return Ok(Written(Cow::Borrowed(raw)));
        }
        serde_json::from_str::<Text>(raw).map(|text| Written(text.0)).map_err(serde::de::Error::custom)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let mut joined = String::new();
        while let Some(part) = parts.next_element::<Value>()? {
            match &part {
                Value::String(text) => joined.push_str(text),
                part => joined.push_str(part["text"].as_str().unwrap_or_default()),
            }
        }
        Ok(Cow::Owned(joined))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cow::Borrowed(""))
    }
}

/// Whether a text is one whole JSON value.
pub fn is_whole(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// A call's arguments as an object, for wires and chat templates that take nothing else. Text in a text
/// is unwrapped; what is no object is kept, readable, under a name of its own.
pub fn as_object(arguments: &str) -> Value {
    if arguments.trim().is_empty() {
        return Value::Object(serde_json::Map::new());
    }
    let read = match serde_json::from_str::<Value>(arguments) {
        Ok(Value::String(inner)) => serde_json::from_str(&inner),
        other => other,
    };
    match read {
        Ok(object @ Value::Object(_)) => object,
        _ => serde_json::json!({ "invalid_arguments": arguments }),
    }
}

/// A name or id as wires take it: letters, digits, `_` and `-`. Models make up names
/// with dots in them, and other providers' ids hold colons; one of those in the history would have every
/// later request rejected.
pub fn as_word(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let word: String = text.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if word.is_empty() { "unnamed".into() } else { word }
}

/// A token count at `path`; 0 where there is none.
pub fn count(value: &Value, path: &str) -> u64 {
    value.pointer(path).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_text_in_every_shape() {
        let check = |json: &str, expected: &str| {
            assert_eq!(serde_json::from_str::<Text>(json).unwrap().0, expected, "{json}");
        };
        check(r#""a""#, "a");
        check(r#""a\n""#, "a\n");
        check("null", "");
        check("7", "7");
        check("false", "");
        check(r#"{"x":{"y":1}}"#, "");
        check(r#"["a",{"type":"text","text":"b"},{"type":"image"}]"#, "ab");
    }

    #[test]
    fn writes_objects_out_in_their_order() {
        let written: Written = serde_json::from_str(r#"{"b":1,"a":[2,{"c":null}]}"#).unwrap();
        assert_eq!(written.0, r#"{"b":1,"a":[2,{"c":null}]}"#);
    }

    #[test]
    fn words_fit_every_wire() {
        let check = |text: &str, expected: &str| assert_eq!(as_word(text), expected);
        check("call_1-a", "call_1-a");
        check("functions.read:0", "functions_read_0");
        check("läuft", "l_uft");
        check("", "unnamed");
    }

    #[test]
    fn arguments_are_always_an_object_for_the_wire() {
        let check = |arguments: &str, expected: &str| {
            assert_eq!(as_object(arguments).to_string(), expected, "{arguments}");
        };
        check("", "{}");
        check(r#"{"a":1}"#, r#"{"a":1}"#);
        check(r#""{\"a\":1}""#, r#"{"a":1}"#);
        check(r#"{"a":"#, r#"{"invalid_arguments":"{\"a\":"}"#);
        check("[1]", r#"{"invalid_arguments":"[1]"}"#);
    }
}
