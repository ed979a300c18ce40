//! The composer: words in the making. Many lines, a cursor, what was pasted as one piece.

use super::paint::columns;
use unicode_segmentation::UnicodeSegmentation;

/// A paste of more lines or bytes than this is shown as one piece.
const PASTE_LINES: usize = 8;
const PASTE_BYTES: usize = 1200;
/// The most that a person may say at once, in bytes; as for every other door.
pub const MAX: usize = 4 * 1024 * 1024;

/// Text under the cursor's hands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composer {
    text: String,
    /// Byte offset of the cursor, at a grapheme's edge.
    at: usize,
    /// What was cut last.
    cut: String,
    /// Pastes by the words that stand for them.
    pastes: Vec<(String, String)>,
    /// What was undone to, newest last.
    earlier: Vec<(String, usize)>,
}

/// A move of the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One character.
    Left,
    /// One character.
    Right,
    /// To the beginning of a word.
    WordLeft,
    /// To the end of a word.
    WordRight,
    /// To the beginning of the line.
    Home,
    /// To the end of the line.
    End,
}

impl Composer {
    /// With this text, the cursor at its end.
    pub fn of(text: &str) -> Self {
        Self { at: text.len(), text: text.to_owned(), ..Self::default() }
    }

    /// The text as it is shown: pastes as the words that stand for them.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The cursor's place in the text, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text as it is sent: pastes in full.
    pub fn whole(&self) -> String {
        let mut whole = self.text.clone();
        for (name, text) in &self.pastes {
            whole = whole.replacen(name, text, 1);
        }
        whole
    }

    /// Takes everything and leaves nothing.
    pub fn take(&mut self) -> String {
        let whole = self.whole();
        self.clear();
        whole
    }

    /// Leaves nothing; what was cut stays.
    pub fn clear(&mut self) {
        *self = Self { cut: std::mem::take(&mut self.cut), ..Self::default() };
    }

    /// Puts other text in place of all.
    pub fn set(&mut self, text: &str) {
        self.keep();
        text.clone_into(&mut self.text);
        self.at = text.len();
        self.pastes.clear();
    }

    /// Types text.
    pub fn insert(&mut self, text: &str) {
        if self.text.len() + text.len() > MAX {
            return;
        }
        if text.len() > 1 || text == " " {
            self.keep();
        }
        self.text.insert_str(self.at, text);
        self.at += text.len();
    }

    /// Takes what was pasted; a long paste is shown as one piece. Line ends become `\n`.
    pub fn paste(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines = text.matches('\n').count() + 1;
        if lines <= PASTE_LINES && text.len() <= PASTE_BYTES {
            self.insert(&text);
            return;
        }
        let name = format!("[paste {}: {lines} lines, {} bytes]", self.pastes.len() + 1, text.len());
        self.insert(&name);
        self.pastes.push((name, text));
    }

    /// Puts `text` in place of the bytes from `start` to the cursor.
    pub fn complete(&mut self, start: usize, text: &str) {
        self.keep();
        self.text.replace_range(start..self.at, text);
        self.at = start + text.len();
    }

    /// Moves the cursor.
    pub fn go(&mut self, step: Move) {
        self.at = self.target(step);
    }

    /// Removes what lies between the cursor and where that move leads.
    pub fn delete(&mut self, step: Move) {
        self.keep();
        let to = self.target(step);
        // A paste goes as it came: whole.
        let (mut start, mut end) = (self.at.min(to), self.at.max(to));
        for (name, _) in &self.pastes {
            if let Some(found) = self.text.find(name.as_str())
                && found < end
                && start < found + name.len()
            {
                start = start.min(found);
                end = end.max(found + name.len());
            }
        }
        if start == end && matches!(step, Move::End) && self.text[end..].starts_with('\n') {
            end += 1;
        }
        let gone: String = self.text.drain(start..end).collect();
        self.at = start;
        let text = &self.text;
        self.pastes.retain(|(name, _)| text.contains(name.as_str()));
        if !matches!(step, Move::Left | Move::Right) && !gone.is_empty() {
            self.cut = gone;
        }
    }

    /// Puts back what was cut last.
    pub fn yank(&mut self) {
        let cut = self.cut.clone();
        self.insert(&cut);
    }

    /// Takes the last change back.
    pub fn undo(&mut self) {
        if let Some((text, at)) = self.earlier.pop() {
            (self.text, self.at) = (text, at);
        }
    }

    /// Moves one line up or down, keeping the column; `false` where there is no such line.
    pub fn go_line(&mut self, down: bool) -> bool {
        let start = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let column = columns(&self.text[start..self.at]);
        let line_start = if down {
            match self.text[self.at..].find('\n') {
                Some(at) => self.at + at + 1,
                None => return false,
            }
        } else if start == 0 {
            return false;
        } else {
            self.text[..start - 1].rfind('\n').map_or(0, |at| at + 1)
        };
        let line = self.text[line_start..].split('\n').next().unwrap_or_default();
        let mut used = 0;
        let mut at = line_start;
        for piece in line.graphemes(true) {
            if used + columns(piece) > column {
                break;
            }
            used += columns(piece);
            at += piece.len();
        }
        self.at = at;
        true
    }

    /// The rows it takes at that width, and the cursor's column and row in them.
    pub fn rows(&self, width: usize) -> (Vec<String>, (usize, usize)) {
        let width = width.max(4);
        let mut rows = vec![String::new()];
        let (mut used, mut cursor) = (0, (0, 0));
        let mut offset = 0;
        for piece in self.text.graphemes(true) {
            if offset == self.at {
                cursor = (used, rows.len() - 1);
            }
            offset += piece.len();
            if piece == "\n" {
                rows.push(String::new());
                used = 0;
                continue;
            }
            let shown = super::wrap::clean(piece);
            let wide = columns(&shown);
            if used + wide > width {
                rows.push(String::new());
                used = 0;
                if offset - piece.len() == self.at {
                    cursor = (0, rows.len() - 1);
                }
            }
            if let Some(row) = rows.last_mut() {
                row.push_str(&shown);
            }
            used += wide;
        }
        if self.at >= self.text.len() {
            if used >= width {
                rows.push(String::new());
                used = 0;
            }
            cursor = (used, rows.len() - 1);
        }
        (rows, cursor)
    }

    fn keep(&mut self) {
        const UNDOS: usize = 100;
        if self.earlier.len() >= UNDOS {
            self.earlier.remove(0);
        }
        self.earlier.push((self.text.clone(), self.at));
    }

    fn target(&self, step: Move) -> usize {
        let (before, after) = self.text.split_at(self.at);
        match step {
            Move::Left => before.graphemes(true).next_back().map_or(0, |last| self.at - last.len()),
            Move::Right => self.at + after.graphemes(true).next().map_or(0, str::len),
            Move::Home => before.rfind('\n').map_or(0, |at| at + 1),
            Move::End => self.at + after.find('\n').unwrap_or(after.len()),
            Move::WordLeft => {
                let trimmed = before.trim_end_matches(|c: char| !c.is_alphanumeric());
                trimmed.trim_end_matches(char::is_alphanumeric).len()
            }
            Move::WordRight => {
                let rest = after.trim_start_matches(|c: char| !c.is_alphanumeric());
                self.text.len() - rest.trim_start_matches(char::is_alphanumeric).len()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_by_characters_and_words() {
        let mut composer = Composer::of("fix the 漢字 bug");
        composer.delete(Move::WordLeft);
        assert_eq!(composer.text(), "fix the 漢字 ");
        composer.delete(Move::Left);
        composer.delete(Move::Left);
        assert_eq!(composer.text(), "fix the 漢");
        composer.go(Move::Home);
        composer.go(Move::WordRight);
        composer.insert("ed");
        assert_eq!(composer.text(), "fixed the 漢");
        composer.delete(Move::End);
        composer.yank();
        assert_eq!(composer.text(), "fixed the 漢");
        composer.undo();
        assert_eq!(composer.text(), "fixed");
    }

    #[test]
    fn a_long_paste_is_one_piece_and_is_sent_in_full() {
        let pasted = "line\r\n".repeat(10_000);
        let mut composer = Composer::of("look: ");
        composer.paste(&pasted);
        composer.insert(" ok");
        assert_eq!(composer.text(), "look: [paste 1: 10001 lines, 50000 bytes] ok");
        assert_eq!(composer.whole(), format!("look: {} ok", "line\n".repeat(10_000)));
        for _ in 0..4 {
            composer.delete(Move::Left);
        }
        assert_eq!(composer.text(), "look: ");
        composer.paste("two\rlines");
        assert_eq!(composer.text(), "look: two\nlines");
    }

    #[test]
    fn rows_and_cursor_agree_at_every_place() {
        let mut composer = Composer::of("abcdefgh\n漢字漢字x");
        assert_eq!(composer.rows(8).0, ["abcdefgh", "漢字漢字", "x"]);
        assert_eq!(composer.rows(8).1, (1, 2));
        composer.go(Move::Home);
        assert_eq!(composer.rows(8).1, (0, 1));
        assert!(composer.go_line(false));
        assert_eq!(composer.rows(8).1, (0, 0));
        assert!(!composer.go_line(false));
        composer.go(Move::End);
        assert!(composer.go_line(true));
        assert_eq!(composer.rows(20).1, (8, 1));
        assert_eq!(Composer::of("12345678").rows(8).1, (0, 1));
    }
}
