//! What each rung of the ladder overlooks: endings, trailing blanks, indentation, typographic characters.

use super::ladder::Rung;
use super::lines::{BOM, bare, body, indent, is_blank, split};
use std::borrow::Cow;

/// The plain spelling of a typographic character: curly quotes, dashes, unusual spaces. One to one, so that
/// positions stay countable.
pub(super) fn plain(char: char) -> char {
    match char {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

/// What the trailing rung takes away at a line's end.
pub(super) fn without_trailing(line: &str) -> &str {
    line.trim_end_matches([' ', '\t', '\r', '\u{c}'])
}

/// A line (without `\n`) as a rung sees it: lines with equal keys are the same line to it.
pub(super) fn key(line: &str, rung: Rung) -> Cow<'_, str> {
    let unmarked = line.strip_prefix(BOM).unwrap_or(line);
    match rung {
        Rung::Exact => Cow::Borrowed(line),
        Rung::Trailing => Cow::Borrowed(without_trailing(unmarked)),
        Rung::Shifted => Cow::Borrowed(without_trailing(unmarked).trim_start_matches([' ', '\t'])),
        Rung::Folded if unmarked.is_ascii() => Cow::Borrowed(without_trailing(unmarked)),
        Rung::Folded => {
            let folded: String = unmarked.chars().map(plain).collect();
            Cow::Owned(without_trailing(&folded).to_owned())
        }
    }
}

/// What [`normalize`] takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// `\r\n` becomes `\n`.
    Endings,
    /// Trailing blanks go, too.
    Trailing,
    /// Typographic characters become plain, too.
    Typographic,
}

impl Loss {
    fn keep(self, line: &str) -> &str {
        match self {
            Loss::Endings => bare(line),
            Loss::Trailing => without_trailing(body(line)),
            Loss::Typographic => body(line).trim_end(),
        }
    }
}

/// A text after a loss, and where each of its bytes came from.
pub(super) struct Normal {
    /// The text.
    pub(super) text: String,
    /// For each byte of `text`, and for its end, the offset in the original.
    origin: Vec<usize>,
}

impl Normal {
    /// Ends the last line, which had no newline: the one appended here is nowhere in the original.
    pub(super) fn end_line(&mut self) {
        self.text.push('\n');
        self.origin.extend(self.origin.last().copied());
    }

    /// The offset in the original that belongs to an offset in `text`. A line's end maps behind what was taken
    /// away there and before the line's ending.
    pub(super) fn origin(&self, offset: usize) -> usize {
        self.origin.get(offset).copied().unwrap_or(0)
    }
}

/// `text` after `loss`.
pub(super) fn normalize(text: &str, loss: Loss) -> Normal {
    let mut out =
        Normal { text: String::with_capacity(text.len()), origin: Vec::with_capacity(text.len() + 1) };
    let mut start = 0;
    for line in split(text) {
        let kept = loss.keep(line);
        if loss == Loss::Typographic && !kept.is_ascii() {
            for (at, char) in kept.char_indices() {
                let plain = plain(char);
                out.text.push(plain);
                out.origin.extend(std::iter::repeat_n(start + at, plain.len_utf8()));
            }
        } else {
            out.text.push_str(kept);
            out.origin.extend(start..start + kept.len());
        }
        if line.ends_with('\n') {
            out.text.push('\n');
            out.origin.push(start + bare(line).len());
        }
        start += line.len();
    }
    out.origin.push(text.len());
    out
}

/// Whether the loss changed the first and the last line of a needle: such a line stands for a whole line's
/// start or end, not for a piece of a line.
pub(super) fn frayed(needle: &str, loss: Loss) -> (bool, bool) {
    let mut lines = needle.split('\n');
    let cut = |line: &str| loss != Loss::Endings && loss.keep(line).len() != bare(line).len();
    let first = lines.next().unwrap_or("");
    let last = lines.next_back().unwrap_or(first);
    (first.len() != needle.len() && cut(first) && loss.keep(first).is_empty(), cut(last))
}

/// How a whole block stands shifted: its common indentation, and the one found in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shift {
    from: String,
    to: String,
}

impl Shift {
    /// The shift by which `block` becomes `found`, when one and the same shift does it for every line.
    pub(super) fn between(found: &[&str], block: &[&str]) -> Option<Self> {
        let (from, to) = (common_indent(block)?, common_indent(found)?);
        let same = found.iter().zip(block).all(|(found, block)| match (is_blank(found), is_blank(block)) {
            (true, true) => true,
            (false, false) => {
                without_trailing(found).get(to.len()..) == without_trailing(block).get(from.len()..)
            }
            _ => false,
        });
        same.then(|| Self { from: from.to_owned(), to: to.to_owned() })
    }

    /// One line shifted likewise; `None` when it does not have the indentation that would have to go.
    pub(super) fn shift(&self, line: &str) -> Option<String> {
        if is_blank(line) {
            return Some(line.to_owned());
        }
        if let Some(rest) = line.strip_prefix(self.from.as_str()) {
            return Some(format!("{}{rest}", self.to));
        }
        if let Some(more) = self.to.strip_prefix(self.from.as_str()) {
            return Some(format!("{more}{line}"));
        }
        let less = self.from.strip_prefix(self.to.as_str())?;
        line.strip_prefix(less).map(str::to_owned)
    }
}

/// The indentation all lines that are not blank share; `None` when all are blank.
fn common_indent<'a>(lines: &[&'a str]) -> Option<&'a str> {
    let mut indents = lines.iter().filter(|line| !is_blank(line)).map(|line| indent(line));
    let first = indents.next()?;
    Some(indents.fold(first, |common, next| {
        let shared = common.bytes().zip(next.bytes()).take_while(|(a, b)| a == b).count();
        &common[..shared]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_one_and_the_same_for_every_line() {
        let check = |found: &[&str], block: &[&str], line: &str, expected: Option<&str>| {
            let shifted = Shift::between(found, block).and_then(|shift| shift.shift(line));
            assert_eq!(shifted.as_deref(), expected, "{found:?} {block:?} {line:?}");
        };
        check(&["    a", "      b"], &["a", "  b"], "c", Some("    c"));
        check(&["a", "  b"], &["    a", "      b"], "    c", Some("c"));
        check(&["\ta", "\t  b"], &["    a", "      b"], "      c", Some("\t  c"));
        check(&["        a"], &["    a"], "if x:", Some("    if x:"));
        check(&["a"], &["    a"], "if x:", None);
        check(&["a", "", "  b"], &[" a", "  ", "   b"], "", Some(""));
        check(&["  a", "  b"], &["a", " b"], "c", None);
        check(&["  a"], &["b"], "c", None);
        check(&["", " "], &["", ""], "c", None);
    }

    #[test]
    fn a_normalized_text_remembers_where_it_came_from() {
        let normal = normalize("a \r\n“b”\n\u{a0}c", Loss::Typographic);
        assert_eq!(normal.text, "a\n\"b\"\n c");
        assert_eq!(normal.origin(1), 2, "a line's end maps before its ending");
        assert_eq!(normal.origin(2), 4);
        assert_eq!(normal.origin(3), 7);
        assert_eq!(normal.origin(normal.text.len()), "a \r\n“b”\n\u{a0}c".len());
    }
}
