//! The region of a text that comes nearest to a needle: shown to whoever missed, never matched.

use super::fold::{key, without_trailing};
use super::ladder::Rung;
use super::lines::{body, is_blank, split};
use crate::text::clip;
use std::collections::HashSet;
use std::fmt::{self, Write as _};

/// Where to look after a miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nearest {
    /// 1-based line where it begins.
    pub line: usize,
    /// Its lines as `N: text`, at most 14 lines of at most 160 bytes; empty when content may not be shown.
    pub text: String,
    /// The first line of the needle that is not there, 1-based, and its text cut to 160 bytes; with a word on it
    /// where only the indentation differs.
    pub missing: Option<(usize, String)>,
}

/// Lines shown at most.
const MAX_LINES: usize = 14;
/// Bytes of a line shown at most.
const MAX_WIDTH: usize = 160;
/// Words of a needle that are looked for at most.
const MAX_WORDS: usize = 400;

impl Nearest {
    /// The same without any content.
    #[must_use]
    pub fn without_content(self) -> Self {
        Self { line: self.line, text: String::new(), missing: None }
    }
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return write!(f, "the nearest region begins at line {}", self.line);
        }
        write!(f, "the nearest region is:\n{}", self.text)?;
        if let Some((line, text)) = &self.missing {
            write!(f, "Line {line} of the text to find does not stand there: {text}")?;
        }
        Ok(())
    }
}

/// The window of the text with most of the needle's lines, or else of its words. One pass over both.
pub(super) fn nearest(text: &str, needle: &str) -> Option<Nearest> {
    let wanted: Vec<&str> = split(needle).into_iter().map(body).collect();
    let keys: HashSet<_> =
        wanted.iter().map(|line| key(line.trim(), Rung::Folded)).filter(|key| !key.is_empty()).collect();
    let words: HashSet<&str> = wanted.iter().flat_map(|line| words(line)).take(MAX_WORDS).collect();
    let lines = split(text);
    let score = |line: &str| -> usize {
        if keys.contains(key(line.trim(), Rung::Folded).as_ref()) {
            return 8;
        }
        let hits: HashSet<&str> = self::words(line).filter(|word| words.contains(word)).collect();
        hits.len().min(6)
    };
    let scores: Vec<usize> = lines.iter().map(|line| score(line)).collect();
    let size = wanted.len().clamp(1, lines.len().max(1));
    let mut sum: usize = scores.iter().take(size).sum();
    let mut best = (sum, 0);
    for start in 1..=lines.len().saturating_sub(size) {
        sum = sum - scores[start - 1] + scores[start + size - 1];
        if sum > best.0 {
            best = (sum, start);
        }
    }
    let (top, start) = best;
    if top == 0 {
        return None;
    }
    // A long needle's window is cut; show it from the first line that has something in common.
    let lead = scores[start..start + size].iter().take_while(|score| **score == 0).count();
    let first = (start + lead).saturating_sub(2);
    let mut shown = String::new();
    for (index, line) in lines.iter().enumerate().skip(first).take(MAX_LINES.min(size + 4)) {
        let _ = writeln!(shown, "{}: {}", index + 1, cut(body(line)));
    }
    let window = || lines[start..start + size].iter().map(|line| without_trailing(body(line)));
    let present: HashSet<&str> = window().collect();
    let unindented: HashSet<&str> = window().map(str::trim_start).collect();
    let describe = |line: &str| {
        let hint = if unindented.contains(line.trim()) { " (but indented otherwise)" } else { "" };
        cut(line) + hint
    };
    let missing = wanted
        .iter()
        .enumerate()
        .find(|(_, line)| !is_blank(line) && !present.contains(without_trailing(line)))
        .map(|(index, line)| (index + 1, describe(line)));
    Some(Nearest { line: start + lead + 1, text: shown, missing })
}

fn cut(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let clipped = clip(line, MAX_WIDTH);
    match clipped.left_out {
        0 => clipped.text.to_owned(),
        left => format!("{} … ({left} more bytes)", clipped.text),
    }
}

/// Words worth comparing.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|char: char| !char.is_alphanumeric() && char != '_').filter(|word| word.len() > 2)
}
