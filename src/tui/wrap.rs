//! Styled text to lines of a width: breaks at spaces, between wide characters, and where nothing else helps.

use super::paint::columns;
use crate::text::printable;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::borrow::Cow;
use unicode_segmentation::UnicodeSegmentation;

/// Columns of a tab.
const TAB: &str = "    ";

/// Text from outside as it may be shown: what drives a terminal is spelt out, tabs are spaces, line ends stay.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    match printable(text) {
        shown if shown.contains('\t') => Cow::Owned(shown.replace('\t', TAB)),
        shown => shown,
    }
}

/// As [`clean`], on one line.
pub(super) fn one_line(text: &str) -> String {
    let text = clean(text);
    if text.contains('\n') { text.replace('\n', " ⏎ ") } else { text.into_owned() }
}

/// `text` cut to `width` columns, with an ellipsis where something is left out.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for piece in text.graphemes(true) {
        let next = columns(piece);
        if used + next + 1 > width {
            break;
        }
        out.push_str(piece);
        used += next;
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// Columns of styled pieces.
pub(super) fn width_of(spans: &[Span<'_>]) -> usize {
    spans.iter().map(|span| columns(&span.content)).sum()
}

/// Wraps one logical line: `first` stands before its first row, `rest` before all others.
pub(super) fn wrap(
    spans: &[Span<'_>],
    width: usize,
    first: &Span<'static>,
    rest: &Span<'static>,
) -> Vec<Line<'static>> {
    let mut rows =
        Rows { width: width.max(4), done: Vec::new(), row: Vec::new(), used: 0, rest: rest.clone() };
    rows.start(first.clone());
    let mut word: Vec<(String, Style)> = Vec::new();
    for span in spans {
        for piece in span.content.graphemes(true) {
            if piece == " " {
                rows.word(&mut word);
                rows.space(span.style);
            } else if columns(piece) > 1 {
                rows.word(&mut word);
                word.push((piece.to_owned(), span.style));
                rows.word(&mut word);
            } else {
                match word.last_mut() {
                    Some((text, style)) if *style == span.style => text.push_str(piece),
                    _ => word.push((piece.to_owned(), span.style)),
                }
            }
        }
    }
    rows.word(&mut word);
    rows.finish()
}

/// Wraps plain text of one look.
pub(super) fn wrap_text(
    text: &str,
    style: Style,
    width: usize,
    first: &str,
    rest: &str,
) -> Vec<Line<'static>> {
    let (first, rest) = (Span::styled(first.to_owned(), style), Span::styled(rest.to_owned(), style));
    let mut out = Vec::new();
    for (at, line) in text.split('\n').enumerate() {
        let lead = if at == 0 { &first } else { &rest };
        out.extend(wrap(&[Span::styled(line, style)], width, lead, &rest));
    }
    out
}

/// Rows in the making.
struct Rows {
    width: usize,
    done: Vec<Line<'static>>,
    row: Vec<Span<'static>>,
    used: usize,
    rest: Span<'static>,
}

impl Rows {
    fn start(&mut self, lead: Span<'static>) {
        self.used = columns(&lead.content);
        self.row = if lead.content.is_empty() { Vec::new() } else { vec![lead] };
    }

    fn break_row(&mut self) {
        let mut row = std::mem::take(&mut self.row);
        while row.len() > 1 && row.last().is_some_and(|span| span.content == " ") {
            row.pop();
        }
        self.done.push(Line::from(row));
        self.start(self.rest.clone());
    }

    fn push(&mut self, text: &str, style: Style) {
        let pieces = self.row.len();
        match self.row.last_mut() {
            Some(last) if last.style == style && pieces > 1 => last.content.to_mut().push_str(text),
            _ => self.row.push(Span::styled(text.to_owned(), style)),
        }
        self.used += columns(text);
    }

    fn space(&mut self, style: Style) {
        if self.used < self.width {
            self.row.push(Span::styled(" ".to_owned(), style));
            self.used += 1;
        }
    }

    fn word(&mut self, word: &mut Vec<(String, Style)>) {
        let wide: usize = word.iter().map(|(text, _)| columns(text)).sum();
        let indent = columns(&self.rest.content);
        if self.used + wide > self.width && self.used > indent && wide + indent <= self.width {
            self.break_row();
        }
        for (text, style) in word.drain(..) {
            if self.used + columns(&text) <= self.width {
                self.push(&text, style);
                continue;
            }
            for piece in text.graphemes(true) {
                if self.used + columns(piece) > self.width {
                    self.break_row();
                }
                self.push(piece, style);
            }
        }
    }

    fn finish(mut self) -> Vec<Line<'static>> {
        if !self.row.is_empty() || self.done.is_empty() {
            self.break_row();
        }
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, width: usize, expected: &[&str]) {
        let lines = wrap_text(text, Style::new(), width, "- ", "  ");
        let shown: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{text} at {width}");
        assert!(lines.iter().all(|line| line.width() <= width.max(4)), "{shown:?}");
    }

    #[test]
    fn breaks_at_spaces_between_wide_characters_and_in_long_words() {
        check("one two three", 9, &["- one two", "  three"]);
        check("one twothreefour", 8, &["- one tw", "  othree", "  four"]);
        check("漢字漢字漢字", 8, &["- 漢字漢", "  字漢字"]);
        check("a 🎉🎉🎉", 7, &["- a 🎉", "  🎉🎉"]);
        check("", 10, &["- "]);
        check("a\nb", 10, &["- a", "  b"]);
    }

    #[test]
    fn cuts_at_columns_not_bytes() {
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(one_line("a\n\u{1b}[31mb\tc"), "a ⏎ \\u{1b}[31mb    c");
    }
}
