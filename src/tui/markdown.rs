//! Markdown to lines. The text is made printable first: it comes from a model.

use super::code;
use super::paint::columns;
use super::wrap::{clean, width_of, wrap};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

const CODE: Style = Style::new().fg(Color::Cyan);
const FAINT: Style = Style::new().fg(Color::DarkGray);
const LINK: Style = Style::new().fg(Color::Blue).add_modifier(Modifier::UNDERLINED);

/// Renders Markdown at a width. Links show where they lead; nothing in it is obeyed.
pub fn render(text: &str, width: usize) -> Vec<Line<'static>> {
    let text = clean(text);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut page = Page { width: width.max(8), ..Page::default() };
    for event in Parser::new_ext(&text, options) {
        page.take(event);
    }
    page.end_text();
    page.lines
}

/// What is being put together.
#[derive(Default)]
struct Page {
    width: usize,
    lines: Vec<Line<'static>>,
    /// Pieces of the paragraph under way.
    spans: Vec<Span<'static>>,
    looks: Vec<Style>,
    /// What stands before the next row, once.
    mark: Option<String>,
    /// Columns that all rows are moved in by.
    indent: usize,
    quotes: usize,
    /// For each open list the next number, if it has numbers.
    lists: Vec<Option<u64>>,
    code: Option<(String, String)>,
    link: Option<String>,
    table: Option<Table>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<Vec<Span<'static>>>>,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => match &mut self.code {
                Some((_, code)) => code.push_str(&text),
                None => self.say(&text, Style::new()),
            },
            Event::Code(text) => self.say(&text, CODE),
            // Markup is shown, not obeyed.
            Event::Html(text) | Event::InlineHtml(text) => {
                for (at, line) in text.trim_end_matches('\n').split('\n').enumerate() {
                    if at > 0 {
                        self.end_text();
                    }
                    self.say(line, FAINT);
                }
            }
            // Models end a line where they mean it.
            Event::SoftBreak | Event::HardBreak => self.break_line(),
            Event::Rule => {
                self.gap();
                self.lines.push(Line::from(Span::styled("─".repeat(self.width.min(40)), FAINT)));
            }
            Event::TaskListMarker(done) => self.say(if done { "☑ " } else { "☐ " }, Style::new()),
            Event::FootnoteReference(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.say(&text, Style::new());
            }
        }
    }

    fn say(&mut self, text: &str, style: Style) {
        let look = self.looks.iter().fold(style, |style, look| look.patch(style));
        self.spans.push(Span::styled(text.to_owned(), look));
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph if self.lists.is_empty() => self.gap(),
            Tag::Heading { level, .. } => {
                self.gap();
                let bold = Style::new().add_modifier(Modifier::BOLD);
                self.looks.push(match level {
                    HeadingLevel::H1 => bold.add_modifier(Modifier::UNDERLINED),
                    HeadingLevel::H2 => bold,
                    _ => bold.add_modifier(Modifier::ITALIC),
                });
            }
            Tag::BlockQuote(_) => {
                self.gap();
                self.quotes += 1;
                self.looks.push(FAINT);
            }
            Tag::CodeBlock(kind) => {
                self.end_text();
                let word = match kind {
                    CodeBlockKind::Fenced(word) => word.to_string(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((word, String::new()));
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.gap();
                } else {
                    self.end_text();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                let depth = self.lists.len().saturating_sub(1) * 2;
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        let mark = format!("{number}. ");
                        *number += 1;
                        mark
                    }
                    _ => "• ".to_owned(),
                };
                self.indent = depth + columns(&mark);
                self.mark = Some(" ".repeat(depth) + &mark);
            }
            Tag::Emphasis => self.looks.push(Style::new().add_modifier(Modifier::ITALIC)),
            Tag::Strong => self.looks.push(Style::new().add_modifier(Modifier::BOLD)),
            Tag::Strikethrough => self.looks.push(Style::new().add_modifier(Modifier::CROSSED_OUT)),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.looks.push(LINK);
                self.link = Some(dest_url.to_string());
            }
            Tag::Table(_) => {
                self.gap();
                self.table = Some(Table::default());
            }
            Tag::TableRow | Tag::TableHead => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Item => {
                self.end_text();
                if tag == TagEnd::Item {
                    self.indent = self.lists.len().saturating_sub(1) * 2;
                    self.mark = None;
                }
            }
            TagEnd::Heading(_) => {
                self.end_text();
                self.looks.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.end_text();
                self.quotes -= 1;
                self.looks.pop();
            }
            TagEnd::CodeBlock => self.end_code(),
            TagEnd::List(_) => {
                self.end_text();
                self.lists.pop();
                self.indent = self.lists.len() * 2;
            }
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.looks.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.looks.pop();
                let shown: String = self.spans.iter().map(|span| span.content.as_ref()).collect();
                // A link says where it leads: its words may say something else.
                if let Some(link) = self.link.take().filter(|link| !shown.ends_with(link.as_str())) {
                    self.say(&format!(" ({link})"), FAINT);
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.spans);
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            TagEnd::Table => self.end_table(),
            _ => {}
        }
    }

    /// A blank line before what comes, unless it comes first or in a list.
    fn gap(&mut self) {
        self.end_text();
        if self.lists.is_empty() && self.mark.is_none() && !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
    }

    fn end_text(&mut self) {
        let spans = std::mem::take(&mut self.spans);
        if spans.is_empty() && self.mark.is_none() {
            return;
        }
        let quote = "▎ ".repeat(self.quotes);
        let rest = quote.clone() + &" ".repeat(self.indent);
        let first = quote + &self.mark.take().unwrap_or_else(|| " ".repeat(self.indent));
        let lead = |text: String| Span::styled(text, FAINT);
        self.lines.extend(wrap(&spans, self.width, &lead(first), &lead(rest)));
    }

    /// The next line of the same paragraph.
    fn break_line(&mut self) {
        if self.table.is_none() {
            self.end_text();
        } else {
            self.say(" ", Style::new());
        }
    }

    /// Code is moved in by two columns and has no frame, so that it can be selected and pasted.
    fn end_code(&mut self) {
        let Some((word, text)) = self.code.take() else { return };
        if self.lists.is_empty() && !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        let lead = Span::raw(" ".repeat(self.indent + 2));
        let lines = if word == "diff" {
            text.lines().map(|line| vec![Span::styled(line.to_owned(), diff_look(line))]).collect()
        } else {
            code::highlight(&text, code::language(&word))
        };
        for line in lines {
            self.lines.extend(wrap(&line, self.width, &lead, &lead));
        }
    }

    fn end_table(&mut self) {
        let Some(table) = self.table.take() else { return };
        let count = table.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |at: usize| {
            table.rows.iter().filter_map(|row| row.get(at)).map(|cell| width_of(cell)).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..count).map(widest).collect();
        let fits = widths.iter().sum::<usize>() + 3 * count.saturating_sub(1) <= self.width;
        for (at, row) in table.rows.into_iter().enumerate() {
            let mut spans = Vec::new();
            for (column, cell) in row.into_iter().enumerate() {
                if column > 0 {
                    spans.push(Span::styled(" │ ", FAINT));
                }
                let pad = widths[column].saturating_sub(width_of(&cell));
                let bold = if at == 0 { Modifier::BOLD } else { Modifier::empty() };
                spans.extend(cell.into_iter().map(|span| {
                    let style = span.style.add_modifier(bold);
                    span.style(style)
                }));
                if fits && column + 1 < count {
                    spans.push(Span::raw(" ".repeat(pad)));
                }
            }
            if fits {
                self.lines.push(Line::from(spans));
            } else {
                self.lines.extend(wrap(&spans, self.width, &Span::raw(""), &Span::raw("  ")));
            }
            if at == 0 && fits {
                let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
                self.lines.push(Line::from(Span::styled(rule.join("─┼─"), FAINT)));
            }
        }
    }
}

/// The look of a line of a diff by its sign.
pub(super) fn diff_look(line: &str) -> Style {
    match line.as_bytes().first() {
        Some(b'+') => Style::new().fg(Color::Green),
        Some(b'-') => Style::new().fg(Color::Red),
        Some(b'@') => Style::new().fg(Color::Cyan),
        _ => Style::new(),
    }
}

/// A Markdown text as it streams in: what can no longer change comes out in pieces.
#[derive(Debug, Clone, Default)]
pub struct Flow {
    text: String,
    /// Everything before this was looked at; always at the beginning of a line.
    seen: usize,
    /// The opening of the code block we are in.
    fence: Option<String>,
    /// Lines of the code block we are in.
    code_lines: usize,
    was_blank: bool,
    /// Whether what comes next goes on with a code block that was cut.
    goes_on: bool,
}

/// A finished piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Markdown.
    pub text: String,
    /// Whether it goes on with the code block of the piece before.
    pub goes_on: bool,
}

/// A code block is cut after so many lines, so that what is still open stays small.
const CODE_LINES: usize = 60;

impl Flow {
    /// Takes the next words; gives what is finished.
    pub fn push(&mut self, delta: &str) -> Vec<Piece> {
        self.text.push_str(delta);
        let mut pieces = Vec::new();
        while let Some(length) = self.text[self.seen..].find('\n') {
            let line = self.text[self.seen..self.seen + length].to_owned();
            let end = self.seen + length + 1;
            let trimmed = line.trim_start();
            let marks = trimmed.chars().take_while(|c| matches!(c, '`' | '~')).count();
            if let Some(fence) = &self.fence {
                let open = fence.trim_start().chars().take_while(|c| matches!(c, '`' | '~')).count();
                self.code_lines += 1;
                if marks >= open && trimmed.trim_end().len() == marks {
                    self.fence = None;
                    self.was_blank = true;
                } else if self.code_lines >= CODE_LINES {
                    let opening = fence.clone();
                    let mut text: String = self.text.drain(..end).collect();
                    text.push_str(&opening.chars().take_while(|c| !c.is_alphanumeric()).collect::<String>());
                    pieces.push(Piece { text, goes_on: std::mem::replace(&mut self.goes_on, true) });
                    self.text.insert_str(0, &format!("{opening}\n"));
                    self.seen = opening.len() + 1;
                    self.code_lines = 0;
                    continue;
                }
            } else {
                if self.was_blank && !line.trim().is_empty() && !line.starts_with("  ") && self.seen > 0 {
                    let text: String = self.text.drain(..self.seen).collect();
                    self.seen = 0;
                    pieces.extend(self.piece(text));
                    // The same line again, from its new place.
                    self.was_blank = false;
                    continue;
                }
                self.was_blank = line.trim().is_empty();
                if marks >= 3 {
                    self.fence = Some(line.clone());
                    self.code_lines = 0;
                }
            }
            self.seen = end;
        }
        pieces
    }

    /// What is still open.
    pub fn rest(&self) -> &str {
        &self.text
    }

    /// Ends the text; gives what was open.
    pub fn finish(&mut self) -> Option<Piece> {
        let mut flow = std::mem::take(self);
        let text = std::mem::take(&mut flow.text);
        flow.piece(text)
    }

    fn piece(&mut self, text: String) -> Option<Piece> {
        let goes_on = std::mem::take(&mut self.goes_on);
        (!text.trim().is_empty()).then_some(Piece { text, goes_on })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, width: usize, expected: &[&str]) {
        let shown: Vec<String> = render(text, width).iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "{text:?}");
    }

    #[test]
    fn renders_what_models_write() {
        check("# Title\n\nSome *text* with `code`.", 40, &["Title", "", "Some text with code."]);
        check("- one\n- two\n  - three\n\nend", 40, &["• one", "• two", "  • three", "", "end"]);
        check("3. three\n4. four", 40, &["3. three", "4. four"]);
        check("- a long item that wraps", 12, &["• a long", "  item that", "  wraps"]);
        check("one\ntwo", 40, &["one", "two"]);
        check("> quoted words", 40, &["▎ quoted words"]);
        check("```python\nx = 1\n\ny = 2\n```", 40, &["  x = 1", "  ", "  y = 2"]);
        check("| a | bb |\n|---|---|\n| 1 | 2 |", 40, &["a │ bb", "──┼───", "1 │ 2"]);
        check("[words](http://evil.example)", 60, &["words (http://evil.example)"]);
        check("<b>x</b>", 40, &["<b>x</b>"]);
        check("漢字と絵文字🎉です", 10, &["漢字と絵文", "字🎉です"]);
    }

    #[test]
    fn what_would_drive_the_terminal_is_spelt_out() {
        check("a\u{1b}]52;c;eA==\u{7}b", 60, &["a\\u{1b}]52;c;eA==\\u{7}b"]);
        check("`\u{202e}x`", 60, &["\\u{202e}x"]);
        check("```\n\u{1b}[2J\n```", 60, &["  \\u{1b}[2J"]);
    }

    #[test]
    fn a_stream_comes_out_in_pieces_that_together_are_the_text() {
        let text =
            "First *par*.\nMore.\n\nSecond.\n\n```python\nx = 1\n\ny = 2\n```\nAfter.\n\n- a\n\n  b\n\nEnd";
        for step in [1, 3, 7, 1000] {
            let mut flow = Flow::default();
            let mut pieces = Vec::new();
            let bytes: Vec<char> = text.chars().collect();
            for chunk in bytes.chunks(step) {
                pieces.extend(flow.push(&chunk.iter().collect::<String>()));
            }
            pieces.extend(flow.finish());
            let joined: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
            assert_eq!(joined, text, "step {step}");
            assert!(pieces.len() >= 4, "{pieces:?}");
            assert!(pieces.iter().all(|piece| piece.text.matches("```").count() % 2 == 0), "{pieces:?}");
        }
    }

    #[test]
    fn a_long_code_block_does_not_stay_open() {
        let mut flow = Flow::default();
        let mut pieces = flow.push("```py\n");
        for line in 0..500 {
            pieces.extend(flow.push(&format!("x = {line}\n")));
            assert!(flow.rest().lines().count() <= CODE_LINES + 1);
        }
        pieces.extend(flow.push("```\n"));
        pieces.extend(flow.finish());
        let lines: Vec<String> =
            pieces.iter().flat_map(|piece| render(&piece.text, 40)).map(|line| line.to_string()).collect();
        assert_eq!(lines.len(), 500);
        assert!(pieces[1..].iter().all(|piece| piece.goes_on));
    }
}
