//! A definition file's text to front matter and body, with the line of each key.

use super::{Note, Remark};
use serde_json::Value;
use std::path::Path;

/// A file taken apart.
pub(in crate::config) struct Front {
    pub(in crate::config) file: String,
    /// Top-level keys and values, in the file's order.
    pub(in crate::config) fields: Vec<(String, Value)>,
    pub(in crate::config) body: String,
    pub(in crate::config) warnings: Vec<Remark>,
    /// Lines of the front matter; the first is the file's second.
    lines: Vec<String>,
}

impl Front {
    /// Takes a text apart. No front matter is no error; front matter that is not YAML is one.
    pub(in crate::config) fn split(file: &str, text: &str) -> Result<Self, Remark> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
        let mut front = Front {
            file: file.to_owned(),
            fields: Vec::new(),
            body: String::new(),
            warnings: Vec::new(),
            lines: Vec::new(),
        };
        let mut lines = text.lines();
        if lines.next().map(str::trim_end) != Some("---") {
            text.trim().clone_into(&mut front.body);
            return Ok(front);
        }
        let mut closed = false;
        for line in lines.by_ref() {
            if matches!(line.trim_end(), "---" | "...") {
                closed = true;
                break;
            }
            front.lines.push(line.to_owned());
        }
        if !closed {
            return Err(front.remark(1, "the front matter is never closed; end it with a line of ---"));
        }
        lines.collect::<Vec<_>>().join("\n").trim().clone_into(&mut front.body);
        front.fields = front.parse()?;
        Ok(front)
    }

    pub(in crate::config) fn value(&self, key: &str) -> Option<&Value> {
        self.fields.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    /// Line of a key, given as the way to it (`["permission", "bash"]`); of the nearest known parent when the
    /// key itself cannot be told apart in the text; 1 when there is none.
    pub(in crate::config) fn line(&self, way: &[&str]) -> usize {
        let mut found = None;
        let mut from = 0;
        for (depth, key) in way.iter().enumerate() {
            let Some(at) = self.lines.iter().skip(from).position(|line| is_key(line, key, depth == 0)) else {
                break;
            };
            found = Some(from + at);
            // The next key of the way may stand on the same line: `permission: {bash: deny}`.
            from += at;
            from += usize::from(!self.lines[from].contains('{'));
        }
        found.map_or(1, |at| at + 2)
    }

    pub(in crate::config) fn remark(&self, line: usize, text: &str) -> Remark {
        Remark { file: self.file.clone(), line, text: text.to_owned() }
    }

    /// The file's name without folders and endings (`x.agent.md` gives `x`).
    pub(in crate::config) fn stem(&self) -> String {
        let name = Path::new(&self.file).file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let name = name.strip_suffix(".md").unwrap_or(&name);
        name.strip_suffix(".agent").unwrap_or(name).to_owned()
    }

    fn parse(&mut self) -> Result<Vec<(String, Value)>, Remark> {
        let written = self.lines.join("\n");
        let first = match read_yaml(&written) {
            Ok(value) => return self.top(value),
            Err(note) => note,
        };
        // Hosts in the wild accept `description: one: two`; YAML does not. Nothing but such lines is mended.
        let mended: Vec<String> = self.lines.iter().map(|line| quote_plain_colons(line)).collect();
        if mended == self.lines {
            return Err(self.remark(first.line, &first.text));
        }
        match read_yaml(&mended.join("\n")) {
            Ok(value) => {
                let at = mended.iter().zip(&self.lines).position(|(new, old)| new != old).unwrap_or(0);
                self.warnings.push(self.remark(at + 2, "a value with a colon is not quoted; read as text"));
                self.top(value)
            }
            Err(_) => Err(self.remark(first.line, &first.text)),
        }
    }

    fn top(&self, value: Value) -> Result<Vec<(String, Value)>, Remark> {
        match value {
            Value::Null => Ok(Vec::new()),
            Value::Object(fields) => Ok(fields.into_iter().collect()),
            _ => Err(self.remark(2, "the front matter is not a list of keys and values")),
        }
    }
}

/// Reads YAML with no anchors, no aliases, no merge keys and small bounds: a definition needs none of them.
fn read_yaml(text: &str) -> Result<Value, Note> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Value::Null);
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_aliases: 0,
            max_anchors: 0,
            max_merge_keys: 0,
            max_documents: 1,
            max_depth: 16,
            max_nodes: 4_000,
            max_events: 12_000,
        },
    };
    serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| {
        let line = error.location().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
        let text = error.without_snippet().to_string();
        // Its own line counts from the front matter's start; ours, from the file's, stands before it.
        let text = text.lines().next().unwrap_or("not YAML");
        let text = text.split(" at line ").next().unwrap_or(text);
        Note::new(line + 1, format!("the front matter is not understood: {}", shown(text)))
    })
}

fn is_key(line: &str, key: &str, top: bool) -> bool {
    let bare = line.trim_start();
    if top && bare.len() != line.len() {
        return false;
    }
    let starts = |text: &str| {
        ["", "\"", "'"].iter().any(|quote| {
            text.strip_prefix(quote)
                .and_then(|text| text.strip_prefix(key))
                .and_then(|text| text.strip_prefix(quote))
                .is_some_and(|text| text.trim_start().starts_with(':'))
        })
    };
    starts(bare) || (!top && bare.split(['{', ',']).any(|part| starts(part.trim_start())))
}

/// `key: a: b` to `key: "a: b"`, for top-level keys with plain values.
fn quote_plain_colons(line: &str) -> String {
    let Some((key, value)) = line.split_once(": ") else { return line.to_owned() };
    let value = value.trim();
    let plain_key = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    let opens = value.starts_with(['"', '\'', '{', '[', '|', '>', '&', '*', '!', '#']);
    if !plain_key || opens || !(value.contains(": ") || value.ends_with(':')) {
        return line.to_owned();
    }
    format!("{key}: \"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A word from the file as a message may show it.
pub(in crate::config) fn shown(text: &str) -> String {
    let clipped = crate::text::clip(text, 120).text;
    clipped.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
