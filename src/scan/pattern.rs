//! Dotted patterns: how rule files name functions and values.
//!
//! A path is what the flow engine knows of a value: `subprocess.run`, `flask.request.args`,
//! `sqlite3.connect().cursor().execute`, `conn.execute` (a call's result ends in `()`).
//! In a pattern a leading `*` stands for one or more segments, `**` for any number, a `*` elsewhere for exactly
//! one, `{a,b}` for one of several, and a segment may begin or end with `*`: `*View`, `HTTP_*`.

use serde::{Deserialize, Deserializer};
use std::collections::HashMap;

/// A dotted pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// `**`, and a leading `*` with `at_least` 1.
    Any { at_least: usize },
    /// Exactly one, whatever it is.
    One,
    /// One of these, each possibly with a `*` at an end.
    Words(Vec<String>),
}

impl Pattern {
    /// Reads a pattern.
    pub fn new(text: &str) -> Self {
        let segments = split(text)
            .into_iter()
            .enumerate()
            .map(|(index, segment)| match segment {
                "**" => Segment::Any { at_least: 0 },
                "*" if index == 0 => Segment::Any { at_least: 1 },
                "*" => Segment::One,
                word => Segment::Words(alternatives(word)),
            })
            .collect();
        Self { segments }
    }

    /// Whether the whole path fits.
    pub fn matches(&self, path: &str) -> bool {
        let parts = split(path);
        fits(&self.segments, &parts)
    }
}

/// Many patterns, looked up by the last segment of a path.
#[derive(Debug)]
pub struct Index<T> {
    patterns: Vec<(Pattern, T)>,
    by_last: HashMap<String, Vec<usize>>,
    loose: Vec<usize>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { patterns: Vec::new(), by_last: HashMap::new(), loose: Vec::new() }
    }
}

impl<T> Index<T> {
    /// Adds a pattern.
    pub fn add(&mut self, pattern: &Pattern, value: T) {
        let at = self.patterns.len();
        match pattern.segments.last() {
            Some(Segment::Words(words)) if words.iter().all(|word| !word.contains('*')) => {
                for word in words {
                    self.by_last.entry(word.clone()).or_default().push(at);
                }
            }
            _ => self.loose.push(at),
        }
        self.patterns.push((pattern.clone(), value));
    }

    /// Whether a path that ends in this segment may fit one of the patterns.
    pub fn knows(&self, last: &str) -> bool {
        !self.loose.is_empty() || self.by_last.contains_key(last)
    }

    /// What was added under patterns that fit the path, in the order it was added.
    pub fn matches(&self, path: &str) -> Vec<&T> {
        let lead = path.len() - path.trim_start_matches(['.', '/']).len();
        let last = path[lead..].rsplit('.').next().unwrap_or(path);
        let direct = self.by_last.get(last).map_or(&[][..], Vec::as_slice);
        if direct.is_empty() && self.loose.is_empty() {
            return Vec::new();
        }
        let parts = split(path);
        let mut fitting: Vec<usize> = direct
            .iter()
            .chain(&self.loose)
            .copied()
            .filter(|&at| fits(&self.patterns[at].0.segments, &parts))
            .collect();
        fitting.sort_unstable();
        fitting.into_iter().map(|at| &self.patterns[at].1).collect()
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Pattern::new(&String::deserialize(deserializer)?))
    }
}

fn fits(pattern: &[Segment], parts: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else {
        return parts.is_empty();
    };
    match first {
        Segment::Any { at_least } => (*at_least..=parts.len()).any(|taken| fits(rest, &parts[taken..])),
        Segment::One => !parts.is_empty() && fits(rest, &parts[1..]),
        Segment::Words(words) => {
            parts.first().is_some_and(|part| words.iter().any(|word| word_fits(word, part)))
                && fits(rest, &parts[1..])
        }
    }
}

/// Whether a word, possibly with a `*` at either end, is this text.
pub fn word_fits(word: &str, text: &str) -> bool {
    match (word.strip_prefix('*'), word.strip_suffix('*')) {
        (Some(tail), None) => text.ends_with(tail),
        (None, Some(head)) => text.starts_with(head),
        (Some(_), Some(_)) if word.len() > 1 => text.contains(word.trim_matches('*')),
        (Some(_), Some(_)) => true,
        (None, None) => word == text,
    }
}

/// Splits at dots that are outside braces; leading dots of a relative import stay with their word.
fn split(text: &str) -> Vec<&str> {
    let lead = text.len() - text.trim_start_matches(['.', '/']).len();
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0usize);
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '.' if depth == 0 && at >= lead => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn alternatives(word: &str) -> Vec<String> {
    let Some((head, rest)) = word.split_once('{') else {
        return vec![word.to_owned()];
    };
    let Some((inside, tail)) = rest.split_once('}') else {
        return vec![word.to_owned()];
    };
    inside.split(',').map(|choice| format!("{head}{}{tail}", choice.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_dotted_paths() {
        fn check(pattern: &str, path: &str, expected: bool) {
            assert_eq!(Pattern::new(pattern).matches(path), expected, "{pattern} against {path}");
        }
        check("subprocess.run", "subprocess.run", true);
        check("subprocess.run", "my.subprocess.run", false);
        check("*.execute", "conn.execute", true);
        check("*.execute", "self.db.cursor().execute", true);
        check("*.execute", "execute", false);
        check("**.execute", "execute", true);
        check("subprocess.*", "subprocess.call", true);
        check("subprocess.*", "subprocess.a.b", false);
        check("subprocess.{run,call}", "subprocess.call", true);
        check("**.request.{args,form}", "flask.request.args", true);
        check("**.request.{args,form}", "request.form", true);
        check("sqlite3.connect().**.execute", "sqlite3.connect().cursor().execute", true);
        check("**.*View", "django.views.View", true);
        check("os.popen", "os.path", false);
        check("./db.*", "./db.run", true);
    }
}
