//! Where a block of whole lines stands in a text, in linear time.

use super::fold::{Shift, key};
use super::ladder::Rung;
use super::lines::{bare, body, is_blank, split};
use std::borrow::Cow;
use std::cell::OnceCell;

/// A text as lines, with the keys of each rung made once.
pub(super) struct Haystack<'a> {
    /// Its lines with their endings.
    pub(super) lines: Vec<&'a str>,
    offsets: Vec<usize>,
    keys: [OnceCell<Vec<Cow<'a, str>>>; 4],
}

/// Where a block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    /// 0-based first line.
    pub(super) line: usize,
    /// How it is shifted, on that rung.
    pub(super) shift: Option<Shift>,
}

/// How many line comparisons, as a multiple of the text's lines, shifted candidates may cost.
const PATIENCE: usize = 64;

impl<'a> Haystack<'a> {
    /// Splits a text.
    pub(super) fn new(text: &'a str) -> Self {
        let lines = split(text);
        let mut offsets = Vec::with_capacity(lines.len() + 1);
        let mut at = 0;
        for line in &lines {
            offsets.push(at);
            at += line.len();
        }
        offsets.push(at);
        Self { lines, offsets, keys: std::array::from_fn(|_| OnceCell::new()) }
    }

    /// Byte offset where a line begins; the text's length for the line after the last.
    pub(super) fn offset(&self, line: usize) -> usize {
        self.offsets[line.min(self.lines.len())]
    }

    fn keys(&self, rung: Rung) -> &[Cow<'a, str>] {
        self.keys[rung as usize].get_or_init(|| self.lines.iter().map(|line| key(body(line), rung)).collect())
    }

    /// Whether the lines of `block` (without `\n`) stand at that line, byte for byte.
    pub(super) fn stands(&self, block: &[&str], line: usize) -> bool {
        let found = self.lines.get(line..line.saturating_add(block.len()));
        found.is_some_and(|found| found.iter().zip(block).all(|(found, block)| body(found) == *block))
    }

    /// Every place where the lines of `block` (without `\n`) stand on one rung, overlapping ones included.
    pub(super) fn find(&self, block: &[&str], rung: Rung) -> Vec<Spot> {
        let blank = block.iter().all(|line| is_blank(line));
        if block.is_empty() || block.len() > self.lines.len() || (blank && rung == Rung::Shifted) {
            return Vec::new();
        }
        let wanted: Vec<Cow<'_, str>> = block.iter().map(|line| key(line, rung)).collect();
        let starts = search(self.keys(rung), &wanted);
        if rung != Rung::Shifted {
            return starts.into_iter().map(|line| Spot { line, shift: None }).collect();
        }
        let mut budget = (self.lines.len() + block.len()).saturating_mul(PATIENCE);
        let mut spots = Vec::new();
        for line in starts {
            let Some(left) = budget.checked_sub(block.len()) else {
                // So many look-alikes that single ones cannot be told apart in time: no match, not a guess.
                return Vec::new();
            };
            budget = left;
            let found: Vec<&str> =
                self.lines[line..line + block.len()].iter().map(|line| bare(line)).collect();
            if let Some(shift) = Shift::between(&found, block) {
                spots.push(Spot { line, shift: Some(shift) });
            }
        }
        spots
    }
}

/// Knuth, Morris and Pratt over lines: every start of `needle` in `hay`.
fn search(hay: &[Cow<'_, str>], needle: &[Cow<'_, str>]) -> Vec<usize> {
    let mut fallback = vec![0; needle.len()];
    let mut matched = 0;
    for at in 1..needle.len() {
        while matched > 0 && needle[at] != needle[matched] {
            matched = fallback[matched - 1];
        }
        matched += usize::from(needle[at] == needle[matched]);
        fallback[at] = matched;
    }
    let mut starts = Vec::new();
    matched = 0;
    for (at, line) in hay.iter().enumerate() {
        while matched > 0 && *line != needle[matched] {
            matched = fallback[matched - 1];
        }
        matched += usize::from(*line == needle[matched]);
        if matched == needle.len() {
            starts.push(at + 1 - matched);
            matched = fallback[matched - 1];
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_start_of_a_block_even_overlapping() {
        let check = |text: &str, block: &[&str], rung, expected: &[usize]| {
            let found: Vec<usize> =
                Haystack::new(text).find(block, rung).into_iter().map(|spot| spot.line).collect();
            assert_eq!(found, expected, "{text:?} {block:?}");
        };
        check("a\nb\na\nb\n", &["a", "b"], Rung::Exact, &[0, 2]);
        check("a\na\na\n", &["a", "a"], Rung::Exact, &[0, 1]);
        check("a\nb", &["b"], Rung::Exact, &[1]);
        check("a \r\nb\r\n", &["a", "b"], Rung::Exact, &[]);
        check("a \r\nb\r\n", &["a", "b"], Rung::Trailing, &[0]);
        check("  a\n    b\n", &["a", "  b"], Rung::Shifted, &[0]);
        check("  a\n    b\n", &["a", " b"], Rung::Shifted, &[]);
        check("“a”\n", &["\"a\""], Rung::Folded, &[0]);
        check("a\n", &[], Rung::Exact, &[]);
        check("", &["a"], Rung::Exact, &[]);
    }
}
