//! Reads a call's arguments: one table of other agents' spellings, one voice for what is wrong.
//!
//! Names asked for are always the canonical ones of `tools/*.json`; the aliases are found here.

use super::ToolError;
use crate::message::Spec;
use serde_json::{Map, Value};

/// Other spellings of our argument names, canonical name first. An alias counts only where the tool has
/// the canonical argument and no argument of the alias's own name.
const ALIASES: &[(&str, &[&str])] = &[
    (
        "filePath",
        &["file_path", "filepath", "path", "file", "filename", "target_file", "absolute_path", "uri"],
    ),
    ("path", &["dir", "directory", "dir_path", "folder", "dirPath", "filePath", "file_path", "search_path"]),
    ("content", &["contents", "text", "file_text", "fileContent", "file_content", "data"]),
    ("oldString", &["old_string", "old_str", "oldText", "old_text", "oldStr", "search", "find"]),
    ("newString", &["new_string", "new_str", "newText", "new_text", "newStr", "replacement", "replace"]),
    ("replaceAll", &["replace_all", "all", "allow_multiple"]),
    ("edits", &["changes", "replacements"]),
    ("patchText", &["patch_text", "patch", "input", "diff"]),
    ("command", &["cmd", "script", "shell_command"]),
    ("workdir", &["cwd", "working_directory", "workingDirectory", "working_dir", "directory", "dir_path"]),
    ("timeout", &["timeout_ms", "timeoutMs"]),
    ("background", &["run_in_background", "is_background", "runInBackground"]),
    ("pattern", &["query", "regex", "glob_pattern", "globPattern", "search_pattern", "regexp"]),
    ("include", &["glob", "include_pattern", "includePattern", "file_pattern", "filePattern"]),
    ("literal", &["literal_text", "literalText", "fixed_strings", "fixedStrings", "-F"]),
    ("ignoreCase", &["ignore_case", "case_insensitive", "caseInsensitive", "-i"]),
    ("context", &["-C", "context_lines", "contextLines"]),
    ("ignore", &["exclude", "ignore_patterns", "excludes"]),
    ("depth", &["max_depth", "maxDepth"]),
    ("offset", &["start_line", "startLine", "line_offset", "from"]),
    ("limit", &["max_lines", "maxLines", "num_lines", "lines", "line_count"]),
    ("url", &["uri", "href", "link"]),
    ("format", &["output_format"]),
    ("severity", &["min_severity", "minSeverity"]),
];

/// Arguments other agents' models add out of habit; they say nothing we need.
const IGNORED: &[&str] = &["description", "explanation", "reason", "justification", "thought", "title"];

/// The words of one tool as the model is told them: parses the text of one file in `tools/`.
///
/// A file that does not parse gives a spec without a name; a test holds that none does.
pub fn spec(json: &str) -> Spec {
    serde_json::from_str(json).unwrap_or_else(|error| Spec {
        name: String::new(),
        description: error.to_string(),
        parameters: Value::Null,
    })
}

/// The arguments of one call under their canonical names.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    values: Map<String, Value>,
}

impl Args {
    /// Takes the arguments of a call to the tool of that spec. `null` counts as absent.
    ///
    /// Fails when they are no object, when one is unknown, or when one the spec requires is missing;
    /// the error names it and lists what is allowed.
    pub fn of(args: &Value, spec: &Spec) -> Result<Args, ToolError> {
        let properties = spec.parameters.get("properties").and_then(Value::as_object);
        let names: Vec<&str> =
            properties.map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default();
        let parsed;
        let object = match args {
            Value::Object(object) => object,
            Value::Null => &Map::new(),
            // Some models send the object as a text of JSON.
            Value::String(text) => {
                parsed =
                    serde_json::from_str::<Map<String, Value>>(text).map_err(|_| not_an_object(&names))?;
                &parsed
            }
            _ => return Err(not_an_object(&names)),
        };
        let mut values = Map::new();
        for (name, value) in object {
            if value.is_null() {
                continue;
            }
            let Some(canonical) = canonical(name, &names, object) else {
                if IGNORED.contains(&name.as_str()) {
                    continue;
                }
                return Err(ToolError::Arguments(format!("unknown argument `{name}`; {}", allowed(&names))));
            };
            if values.insert(canonical.to_owned(), value.clone()).is_some() {
                return Err(ToolError::Arguments(format!("`{canonical}` is given twice (also as `{name}`)")));
            }
        }
        let required = spec.parameters.get("required").and_then(Value::as_array);
        for name in required.into_iter().flatten().filter_map(Value::as_str) {
            if !values.contains_key(name) {
                return Err(ToolError::Arguments(format!("`{name}` is missing; {}", allowed(&names))));
            }
        }
        Ok(Args { values })
    }

    /// The text of that name; missing or no text is an error.
    pub fn text(&self, name: &str) -> Result<String, ToolError> {
        self.text_opt(name)?.ok_or_else(|| ToolError::Arguments(format!("`{name}` is missing")))
    }

    /// The text of that name, if it was given. Numbers and booleans count as their text.
    pub fn text_opt(&self, name: &str) -> Result<Option<String>, ToolError> {
        match self.values.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(other) => Err(wrong(name, "a text", other)),
        }
    }

    /// The whole number of that name, 0 or more, if it was given. A number as text is understood.
    pub fn count_opt(&self, name: &str) -> Result<Option<u64>, ToolError> {
        let Some(value) = self.values.get(name) else {
            return Ok(None);
        };
        let count = match value {
            Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
            Value::String(text) => {
                text.trim().parse().ok().or_else(|| text.trim().parse().ok().and_then(whole))
            }
            _ => None,
        };
        count.map(Some).ok_or_else(|| wrong(name, "a whole number, 0 or more", value))
    }

    /// Whether the flag of that name is set; absent counts as not set. `"true"` and `"false"` are understood.
    pub fn flag(&self, name: &str) -> Result<bool, ToolError> {
        match self.values.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(Value::Number(number)) if number.as_u64() == Some(1) => Ok(true),
            Some(Value::Number(number)) if number.as_u64() == Some(0) => Ok(false),
            Some(other) => Err(wrong(name, "true or false", other)),
        }
    }

    /// The list of texts of that name, if it was given. One text counts as a list of one; a list written
    /// as a text of JSON is understood.
    pub fn list_opt(&self, name: &str) -> Result<Option<Vec<String>>, ToolError> {
        let Some(value) = self.values.get(name) else {
            return Ok(None);
        };
        if let Value::String(text) = value {
            let list = serde_json::from_str::<Vec<String>>(text).unwrap_or_else(|_| vec![text.clone()]);
            return Ok(Some(list));
        }
        let texts = value.as_array().and_then(|items| {
            items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<String>>>()
        });
        texts.map(Some).ok_or_else(|| wrong(name, "a list of texts", value))
    }

    /// The value of that name as it was sent, for arguments with a shape of their own (`edits`).
    pub fn value_opt(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }
}

/// The value of a canonical argument in an object nested in the arguments (an item of `edits`), whatever
/// its spelling.
pub fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let aliases =
        ALIASES.iter().find(|(canonical, _)| *canonical == name).map_or(&[][..], |(_, aliases)| aliases);
    std::iter::once(&name)
        .chain(aliases)
        .find_map(|spelling| object.get(*spelling))
        .filter(|value| !value.is_null())
}

/// The canonical argument that `name` stands for in a tool with the arguments `names`.
fn canonical<'a>(name: &str, names: &[&'a str], given: &Map<String, Value>) -> Option<&'a str> {
    if let Some(same) = names.iter().find(|known| **known == name) {
        return Some(same);
    }
    let meant = |alias_of: &&str| names.iter().find(|known| *known == alias_of).copied();
    let all = ALIASES.iter().filter(|(_, aliases)| aliases.contains(&name)).map(|(canonical, _)| canonical);
    // Where the canonical spelling is there as well, the alias is not taken for it a second time
    // unless nothing else fits.
    let (free, taken): (Vec<&&str>, Vec<&&str>) = all
        .filter(|canonical| meant(canonical).is_some())
        .partition(|canonical| !given.contains_key(**canonical));
    free.into_iter().chain(taken).find_map(meant)
}

fn whole(number: f64) -> Option<u64> {
    // Beyond 2^53 a float no longer names one whole number.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked on the same line"
    )]
    (number.fract() == 0.0 && (0.0..9e15).contains(&number)).then_some(number as u64)
}

fn not_an_object(names: &[&str]) -> ToolError {
    ToolError::Arguments(format!("they must be one JSON object; {}", allowed(names)))
}

fn allowed(names: &[&str]) -> String {
    if names.is_empty() { "none are allowed".into() } else { format!("allowed are {}", names.join(", ")) }
}

/// Says the kind that came, never the value: it may hold a secret.
fn wrong(name: &str, wanted: &str, got: &Value) -> ToolError {
    let kind = match got {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "another number",
        Value::String(_) => "another text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    ToolError::Arguments(format!("`{name}` must be {wanted}, not {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Spec {
        spec(
            &json!({"name": "edit", "description": "", "parameters": {"type": "object", "properties": {
                "filePath": {"type": "string"}, "oldString": {"type": "string"}, "newString": {"type": "string"},
                "replaceAll": {"type": "boolean"}, "limit": {"type": "integer"}, "ignore": {"type": "array"}},
                "required": ["filePath"], "additionalProperties": false}})
            .to_string(),
        )
    }

    fn search() -> Spec {
        spec(
            &json!({"name": "grep", "description": "", "parameters": {"type": "object", "properties": {
                "pattern": {"type": "string"}, "path": {"type": "string"}, "include": {"type": "string"}},
                "required": ["pattern"], "additionalProperties": false}})
            .to_string(),
        )
    }

    #[test]
    fn understands_the_spellings_of_other_agents() {
        for (given, name) in [
            (json!({"filePath": "x"}), "filePath"),
            (json!({"file_path": "x"}), "filePath"),
            (json!({"path": "x"}), "filePath"),
            (json!({"path": "p", "old_string": "x"}), "oldString"),
            (json!({"path": "p", "new_str": "x", "description": "why"}), "newString"),
            (json!({"file": "p", "newText": "x", "oldText": null}), "newString"),
        ] {
            let args = Args::of(&given, &sample()).unwrap();
            assert_eq!(args.text(name).unwrap(), "x", "{given}");
        }
        let args = Args::of(&json!({"query": "q", "path": "src", "glob": "*.rs"}), &search()).unwrap();
        assert_eq!(args.text("path").unwrap(), "src");
        assert_eq!(args.text("include").unwrap(), "*.rs");
    }

    #[test]
    fn says_what_is_wrong_and_what_is_allowed() {
        fn check(given: &Value, expected: &str) {
            let error = Args::of(given, &sample()).unwrap_err().to_string();
            assert!(error.contains(expected), "{given}: {error}");
        }
        check(&json!({}), "`filePath` is missing; allowed are filePath, oldString");
        check(&json!({"filePath": "a", "colour": 1}), "unknown argument `colour`; allowed are filePath");
        check(&json!({"filePath": "a", "file_path": "b"}), "`filePath` is given twice");
        check(&json!([1]), "one JSON object");
        check(&json!("not json"), "one JSON object");
        check(&Value::Null, "`filePath` is missing");
    }

    #[test]
    fn tolerates_numbers_flags_lists_and_objects_as_texts() {
        let text = r#"{"filePath": "a", "limit": "12", "replace_all": "True", "ignore": "[\"a\", \"b\"]"}"#;
        let args = Args::of(&json!(text), &sample()).unwrap();
        assert_eq!(args.count_opt("limit").unwrap(), Some(12));
        assert!(args.flag("replaceAll").unwrap());
        assert_eq!(args.list_opt("ignore").unwrap().unwrap(), ["a", "b"]);
        let args = Args::of(&json!({"filePath": 7, "limit": 3.0, "ignore": "target"}), &sample()).unwrap();
        assert_eq!(args.text("filePath").unwrap(), "7");
        assert_eq!(args.count_opt("limit").unwrap(), Some(3));
        assert_eq!(args.list_opt("ignore").unwrap().unwrap(), ["target"]);
        assert_eq!(args.text_opt("newString").unwrap(), None);
    }

    #[test]
    fn names_the_kind_and_never_the_value_of_a_wrong_argument() {
        let given =
            json!({"filePath": ["FAKE-canary"], "limit": -1, "replaceAll": "FAKE-canary", "ignore": [1]});
        let args = Args::of(&given, &sample()).unwrap();
        for error in [
            args.text("filePath").unwrap_err(),
            args.count_opt("limit").unwrap_err(),
            args.flag("replaceAll").unwrap_err(),
            args.list_opt("ignore").unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("must be") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn finds_a_nested_field_under_any_spelling() {
        let item = json!({"old_str": "a", "newText": "b"});
        let item = item.as_object().unwrap();
        assert_eq!(field(item, "oldString"), Some(&json!("a")));
        assert_eq!(field(item, "newString"), Some(&json!("b")));
        assert_eq!(field(item, "replaceAll"), None);
    }
}
