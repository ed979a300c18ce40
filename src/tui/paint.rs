//! Cells to bytes: the only place that writes styles, so that nothing but our own styling reaches the terminal.

use crate::text::printable;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use ratatui::text::Line;
use std::io::Write as _;

/// The look of one cell; cells of one look share one sequence.
type Look = (Color, Color, Modifier);

const PLAIN: Look = (Color::Reset, Color::Reset, Modifier::empty());

/// Writes a row of cells, without what is blank at its end; gives the columns it fills. With `colours` off only
/// weight, slant, underline and reverse remain.
pub(super) fn row(out: &mut Vec<u8>, cells: &[Cell], colours: bool) -> usize {
    let end = cells.iter().rposition(|cell| !is_blank(cell)).map_or(0, |at| at + 1);
    let mut look = PLAIN;
    let mut at = 0;
    while at < end {
        let cell = &cells[at];
        let wanted = look_of(cell, colours);
        if wanted != look {
            sequence(out, wanted);
            look = wanted;
        }
        let symbol = if cell.symbol().is_empty() { " " } else { cell.symbol() };
        let columns = columns(symbol).max(1);
        // Text was made printable where it came in; this is the last net before the terminal.
        if symbol.is_ascii() && !symbol.contains(|c: char| c.is_control()) {
            out.extend_from_slice(symbol.as_bytes());
        } else if printable(symbol) == symbol && !symbol.contains('\n') && !symbol.contains('\t') {
            out.extend_from_slice(symbol.as_bytes());
            // Terminals disagree on the width of emoji: say where the next cell is.
            let _ = write!(out, "\x1b[{}G", at + columns + 1);
        } else {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
        at += columns;
    }
    if look != PLAIN {
        out.extend_from_slice(b"\x1b[0m");
    }
    at
}

/// A line as a row of `width` cells.
pub(super) fn cells(line: &Line<'_>, width: u16) -> Buffer {
    let mut buffer = Buffer::empty(ratatui::layout::Rect::new(0, 0, width, 1));
    buffer.set_line(0, 0, line, width);
    buffer
}

/// Columns a piece of text takes.
pub(super) fn columns(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

fn is_blank(cell: &Cell) -> bool {
    matches!(cell.symbol(), " " | "")
        && cell.bg == Color::Reset
        && !cell.modifier.intersects(Modifier::REVERSED | Modifier::UNDERLINED)
}

fn look_of(cell: &Cell, colours: bool) -> Look {
    if colours { (cell.fg, cell.bg, cell.modifier) } else { (Color::Reset, Color::Reset, cell.modifier) }
}

fn sequence(out: &mut Vec<u8>, (fg, bg, modifier): Look) {
    out.extend_from_slice(b"\x1b[0");
    for (flag, code) in [
        (Modifier::BOLD, 1),
        (Modifier::DIM, 2),
        (Modifier::ITALIC, 3),
        (Modifier::UNDERLINED, 4),
        (Modifier::REVERSED, 7),
        (Modifier::CROSSED_OUT, 9),
    ] {
        if modifier.contains(flag) {
            let _ = write!(out, ";{code}");
        }
    }
    if let Some(code) = code(fg) {
        let _ = write!(out, ";{code}");
    }
    if let Some(code) = code(bg) {
        let _ = write!(out, ";{}", code + 10);
    }
    out.push(b'm');
}

/// The sixteen colours that a light and a dark terminal each choose for themselves; others are not used.
fn code(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Stylize;

    fn check(line: &Line<'_>, colours: bool, expected: &str) {
        let mut out = Vec::new();
        row(&mut out, &cells(line, 20).content, colours);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn writes_styles_once_and_drops_what_is_blank() {
        check(&Line::from("plain"), true, "plain");
        check(
            &Line::from(vec!["a".red(), "b".red(), "c".into()]),
            true,
            "\x1b[0;31mab\x1b[0mc\x1b[0m".trim_end_matches("\x1b[0m"),
        );
        check(&Line::from("a".red().bold()), false, "\x1b[0;1ma\x1b[0m");
        check(&Line::from("漢x"), true, "漢\x1b[3Gx");
    }

    #[test]
    fn a_cell_that_would_drive_the_terminal_is_replaced() {
        let mut buffer = cells(&Line::from("ab"), 4);
        buffer.content[0].set_symbol("\x1b");
        buffer.content[1].set_symbol("\u{202e}");
        let mut out = Vec::new();
        row(&mut out, &buffer.content, true);
        assert_eq!(String::from_utf8(out).unwrap(), "\u{fffd}\u{fffd}");
    }
}
