//! The screen: a viewport at the end of the terminal's own text, and sheets that cover everything.
//!
//! What is finished is printed above the viewport as ordinary lines, so it can be selected, scrolled to and
//! survives the program. Every move is relative to the viewport: no question to the terminal is needed, and the
//! first frame does not wait for an answer. See `docs/tui.md` for what was tried.

use super::paint;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::io::{self, Write};

/// Lines to show and where the cursor stands in them.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// From the top; each is cut at the screen's width.
    pub lines: Vec<Line<'static>>,
    /// Column and row of the cursor, from 0; `None` hides it.
    pub cursor: Option<(u16, u16)>,
}

/// A terminal as we left it.
pub struct Screen<W> {
    out: W,
    bytes: Vec<u8>,
    width: u16,
    height: u16,
    colours: bool,
    /// What the viewport shows; `None` when it must be drawn whole.
    drawn: Option<Buffer>,
    /// Rows of the viewport that are on the terminal.
    rows: u16,
    /// The cursor's row in the viewport.
    at: u16,
    /// What the sheet shows, while there is one.
    sheet: Option<Buffer>,
}

impl<W: Write> Screen<W> {
    /// A screen of that size whose cursor stands at the beginning of a line.
    pub fn new(out: W, (width, height): (u16, u16), colours: bool) -> Self {
        let bytes = Vec::with_capacity(16 * 1024);
        Self { out, bytes, width, height, colours, drawn: None, rows: 1, at: 0, sheet: None }
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// What it writes to.
    pub fn out(&mut self) -> &mut W {
        &mut self.out
    }

    /// Prints `above` for good and draws the viewport under it. One write, shown at once by terminals that know
    /// synchronised updates.
    pub fn draw(&mut self, above: &[Line<'_>], frame: &Frame) -> io::Result<()> {
        self.leave_sheet();
        self.begin();
        if !above.is_empty() {
            self.go_to_row(0);
            self.bytes.extend_from_slice(b"\r\x1b[J");
            self.print(above);
            (self.rows, self.drawn) = (1, None);
        }
        self.paint_viewport(frame);
        self.end(frame.cursor.map(|(x, y)| (x, y.min(self.rows.saturating_sub(1)))))
    }

    /// Covers everything with `frame`.
    pub fn draw_sheet(&mut self, frame: &Frame) -> io::Result<()> {
        self.begin();
        if self.sheet.is_none() {
            self.bytes.extend_from_slice(b"\x1b[?1049h\x1b[2J");
            super::guard::note_sheet(true);
        }
        let new = fill(&frame.lines, self.width, self.height);
        for y in 0..self.height {
            if self.sheet.as_ref().is_some_and(|old| cells_of(old, y) == cells_of(&new, y)) {
                continue;
            }
            let _ = write!(self.bytes, "\x1b[{};1H", y + 1);
            self.row(&new, y);
        }
        self.sheet = Some(new);
        if let Some((x, y)) = frame.cursor {
            let _ = write!(self.bytes, "\x1b[{};{}H\x1b[?25h", y + 1, x + 1);
        }
        self.flush()
    }

    /// Takes a new size. The terminal has moved its lines about, so what can be seen is printed anew: `tail`
    /// holds the last lines of what was printed, and they are put where the screen begins.
    pub fn resize(&mut self, (width, height): (u16, u16)) {
        (self.width, self.height) = (width, height);
        (self.drawn, self.sheet) = (None, self.sheet.take().map(|_| Buffer::empty(Rect::default())));
    }

    /// Prints the last lines and the viewport from the screen's first row on; wipes what else is visible.
    pub fn redraw(&mut self, tail: &[Line<'_>], frame: &Frame) -> io::Result<()> {
        self.leave_sheet();
        self.begin();
        // Row by row: wiping the whole screen at once makes some terminals keep it in the scrollback.
        for y in 1..=self.height {
            let _ = write!(self.bytes, "\x1b[{y};1H\x1b[2K");
        }
        self.bytes.extend_from_slice(b"\x1b[1;1H");
        (self.rows, self.at, self.drawn) = (1, 0, None);
        let room = usize::from(self.height).saturating_sub(frame.lines.len());
        self.print(&tail[tail.len().saturating_sub(room)..]);
        self.paint_viewport(frame);
        self.end(frame.cursor)
    }

    /// Takes the viewport away; the cursor stands where it began.
    pub fn finish(&mut self) -> io::Result<()> {
        self.leave_sheet();
        self.go_to_row(0);
        self.bytes.extend_from_slice(b"\r\x1b[J\x1b[?25h");
        (self.rows, self.drawn) = (1, None);
        self.out.write_all(&self.bytes)?;
        self.bytes.clear();
        self.out.flush()
    }

    /// Forgets what is drawn: somebody else wrote to the terminal.
    pub fn forget(&mut self) {
        (self.drawn, self.rows, self.at) = (None, 1, 0);
    }

    /// Sends bytes that the terminal keeps to itself (a copy to its clipboard).
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    fn begin(&mut self) {
        self.bytes.extend_from_slice(b"\x1b[?2026h\x1b[?25l");
    }

    fn end(&mut self, cursor: Option<(u16, u16)>) -> io::Result<()> {
        if let Some((x, y)) = cursor {
            self.go_to_row(y);
            self.bytes.push(b'\r');
            if x > 0 {
                let _ = write!(self.bytes, "\x1b[{x}C");
            }
            self.bytes.extend_from_slice(b"\x1b[?25h");
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.bytes.extend_from_slice(b"\x1b[?2026l");
        self.out.write_all(&self.bytes)?;
        self.bytes.clear();
        self.out.flush()
    }

    fn leave_sheet(&mut self) {
        if self.sheet.take().is_some() {
            self.bytes.extend_from_slice(b"\x1b[?1049l");
            super::guard::note_sheet(false);
        }
    }

    /// Prints lines where the cursor is; it ends up at the beginning of the line after them.
    fn print(&mut self, lines: &[Line<'_>]) {
        for line in lines {
            let cells = paint::cells(line, self.width);
            paint::row(&mut self.bytes, &cells.content, self.colours);
            self.bytes.extend_from_slice(b"\r\n");
            self.at = 0;
        }
    }

    fn paint_viewport(&mut self, frame: &Frame) {
        let height = u16::try_from(frame.lines.len()).unwrap_or(u16::MAX).clamp(1, self.height.max(1));
        let new = fill(&frame.lines, self.width, height);
        if self.rows > height {
            self.go_to_row(height);
            self.bytes.extend_from_slice(b"\r\x1b[J");
            self.rows = height + 1;
        }
        for y in 0..height {
            let same = |old: &Buffer| y < old.area.height && cells_of(old, y) == cells_of(&new, y);
            if y < self.rows && self.drawn.as_ref().is_some_and(same) {
                continue;
            }
            self.go_to_row(y);
            self.bytes.push(b'\r');
            self.row(&new, y);
        }
        self.drawn = Some(new);
        self.rows = self.rows.max(height);
    }

    fn row(&mut self, buffer: &Buffer, y: u16) {
        let filled = paint::row(&mut self.bytes, cells_of(buffer, y), self.colours);
        if filled < usize::from(self.width) {
            self.bytes.extend_from_slice(b"\x1b[K");
        }
    }

    /// Moves the cursor to a row of the viewport; one that is not there yet is made by a line feed.
    fn go_to_row(&mut self, row: u16) {
        if row < self.at {
            let _ = write!(self.bytes, "\x1b[{}A", self.at - row);
        } else if row > self.at {
            let there = row.min(self.rows.saturating_sub(1));
            if there > self.at {
                let _ = write!(self.bytes, "\x1b[{}B", there - self.at);
            }
            for _ in there.max(self.at)..row {
                self.bytes.extend_from_slice(b"\r\n");
                self.rows += 1;
            }
        }
        self.at = row;
    }
}

fn fill(lines: &[Line<'static>], width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    for (y, line) in (0..height).zip(lines) {
        buffer.set_line(0, y, line, width);
    }
    buffer
}

fn cells_of(buffer: &Buffer, y: u16) -> &[ratatui::buffer::Cell] {
    let width = usize::from(buffer.area.width);
    let start = usize::from(y) * width;
    buffer.content.get(start..start + width).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(lines: &[&str], cursor: Option<(u16, u16)>) -> Frame {
        Frame { lines: lines.iter().map(|line| Line::from((*line).to_owned())).collect(), cursor }
    }

    fn lines(texts: &[&str]) -> Vec<Line<'static>> {
        frame(texts, None).lines
    }

    fn shown(screen: &mut Screen<Vec<u8>>, terminal: &mut vt100::Parser) -> String {
        let bytes = std::mem::take(screen.out());
        terminal.process(&bytes);
        terminal.screen().contents()
    }

    #[test]
    fn finished_lines_go_above_and_the_viewport_grows_and_shrinks_under_them() {
        let mut terminal = vt100::Parser::new(6, 20, 100);
        terminal.process(b"$ agent\r\n");
        let mut screen = Screen::new(Vec::new(), (20, 6), true);
        screen.draw(&[], &frame(&[">", "status"], Some((2, 0)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "$ agent\n>\nstatus");
        assert_eq!(terminal.screen().cursor_position(), (1, 2));
        screen.draw(&lines(&["one", "two"]), &frame(&[">", "status"], Some((2, 0)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "$ agent\none\ntwo\n>\nstatus");
        screen.draw(&lines(&["three", "four"]), &frame(&["a", "b", "c"], Some((1, 2)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "two\nthree\nfour\na\nb\nc");
        screen.draw(&[], &frame(&[">"], Some((2, 0)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "two\nthree\nfour\n>");
        screen.draw(&lines(&["five"]), &frame(&[">"], Some((2, 0)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "two\nthree\nfour\nfive\n>");
        terminal.screen_mut().set_scrollback(2);
        assert!(terminal.screen().contents().starts_with("$ agent\none\n"));
    }

    #[test]
    fn a_frame_that_changes_one_row_writes_one_row() {
        let mut screen = Screen::new(Vec::new(), (80, 24), true);
        screen.draw(&[], &frame(&["aaaa", "bbbb", "cccc"], None)).unwrap();
        screen.out().clear();
        screen.draw(&[], &frame(&["aaaa", "b2bb", "cccc"], None)).unwrap();
        let bytes = String::from_utf8(std::mem::take(screen.out())).unwrap();
        assert!(bytes.contains("b2bb") && !bytes.contains("aaaa") && !bytes.contains("cccc"), "{bytes:?}");
    }

    #[test]
    fn a_sheet_covers_everything_and_leaves_it_as_it_was() {
        let mut terminal = vt100::Parser::new(5, 20, 10);
        let mut screen = Screen::new(Vec::new(), (20, 5), true);
        screen.draw(&lines(&["one"]), &frame(&[">"], Some((2, 0)))).unwrap();
        screen.draw_sheet(&frame(&["help", "more"], None)).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "help\nmore");
        screen.draw(&lines(&["two"]), &frame(&[">"], Some((2, 0)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "one\ntwo\n>");
    }

    #[test]
    fn after_a_resize_the_tail_fills_the_screen() {
        let mut terminal = vt100::Parser::new(4, 20, 10);
        let mut screen = Screen::new(Vec::new(), (20, 4), true);
        screen.draw(&lines(&["one", "two", "three"]), &frame(&[">"], None)).unwrap();
        shown(&mut screen, &mut terminal);
        terminal.screen_mut().set_size(5, 12);
        screen.resize((12, 5));
        screen.redraw(&lines(&["one", "two", "three"]), &frame(&[">", "status"], Some((2, 0)))).unwrap();
        assert_eq!(shown(&mut screen, &mut terminal), "one\ntwo\nthree\n>\nstatus");
    }
}
