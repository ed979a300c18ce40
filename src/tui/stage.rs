//! State, screen and desk put together: messages in, frames out. Knows no terminal, so a test can play it.

use super::desk::Wire;
use super::screen::Screen;
use super::state::{Effect, Msg, State};
use super::update::update;
use super::view::{View, block, separated, view};
use ratatui::text::Line;
use std::collections::VecDeque;
use std::io::{self, Write};

/// What the screen cannot do by itself.
#[derive(Debug, PartialEq)]
pub enum Outside {
    /// A question appeared: arm it after a moment.
    Arm,
    /// A text for the user's editor.
    Edit {
        /// The text.
        text: String,
        /// `md`, `py`, …
        ending: String,
    },
    /// To the shell for a while.
    Suspend,
    /// Leave.
    Leave,
}

/// The whole, without a terminal.
pub struct Stage<W> {
    /// What is known.
    pub state: State,
    /// What is drawn.
    pub screen: Screen<W>,
    wire: Wire,
    /// Blocks that are in the terminal's scrollback.
    printed: usize,
    /// Whether what is visible must be printed anew.
    whole: bool,
    /// Words that were said before anybody could listen.
    early: Vec<String>,
}

impl<W: Write> Stage<W> {
    /// Puts them together.
    pub fn new(state: State, screen: Screen<W>, wire: Wire) -> Self {
        Self { state, screen, wire, printed: 0, whole: false, early: Vec::new() }
    }

    /// Takes a message and does what follows from it; gives what is left to do outside.
    pub fn take(&mut self, msg: Msg) -> Vec<Outside> {
        let mut outside = Vec::new();
        let mut messages = VecDeque::from([msg]);
        while let Some(msg) = messages.pop_front() {
            if let Msg::Resize(columns, rows) = msg {
                self.screen.resize((columns, rows));
                self.whole = true;
            }
            for effect in update(&mut self.state, msg) {
                match effect {
                    Effect::Order(order) => self.wire.order(order),
                    Effect::Answer(number, answer) => self.wire.answer(number, answer),
                    Effect::Interrupt => self.wire.interrupt(),
                    Effect::Steer(words) => self.early.push(words),
                    Effect::Recall => {
                        let mut words = self.wire.recall();
                        words.append(&mut self.early);
                        messages.push_back(Msg::Recalled(words));
                    }
                    Effect::Copy(text) => {
                        let copy = crossterm::clipboard::CopyToClipboard::to_clipboard_from(text);
                        let mut bytes = String::new();
                        if crossterm::Command::write_ansi(&copy, &mut bytes).is_ok() {
                            let _ = self.screen.send(bytes.as_bytes());
                        }
                    }
                    Effect::Edit { text, ending } => outside.push(Outside::Edit { text, ending }),
                    Effect::Arm => outside.push(Outside::Arm),
                    Effect::Redraw => self.whole = true,
                    Effect::Suspend => outside.push(Outside::Suspend),
                    Effect::Leave => outside.push(Outside::Leave),
                }
            }
        }
        while let Some(words) = self.early.first() {
            if !self.wire.steer(words) {
                break;
            }
            self.early.remove(0);
        }
        outside
    }

    /// Draws what changed. Finished blocks are printed once; a sheet keeps them waiting.
    pub fn draw(&mut self) -> io::Result<()> {
        match view(&self.state) {
            View::Sheet(frame) => self.screen.draw_sheet(&frame),
            View::Inline(frame) if self.whole => {
                self.whole = false;
                let tail = self.tail();
                self.printed = self.state.transcript.len();
                self.screen.redraw(&tail, &frame)
            }
            View::Inline(frame) => {
                let above = self.fresh();
                self.screen.draw(&above, &frame)
            }
        }
    }

    /// Somebody else wrote to the terminal: print what is visible anew.
    pub fn forget(&mut self) {
        self.screen.forget();
        self.whole = true;
    }

    /// Takes the viewport away and prints what is left to print.
    pub fn finish(&mut self) -> io::Result<()> {
        let above = self.fresh();
        let frame = super::screen::Frame::default();
        self.screen.draw(&above, &frame)?;
        self.screen.finish()
    }

    /// Stops the work for good; the desk's last word is the end of its messages.
    pub fn close(&mut self) {
        self.wire.close();
    }

    /// Lines of blocks that were not printed yet.
    fn fresh(&mut self) -> Vec<Line<'static>> {
        let width = usize::from(self.state.size.0);
        let blocks = &self.state.transcript;
        let mut lines = Vec::new();
        for at in self.printed..blocks.len() {
            if separated(at.checked_sub(1).and_then(|before| blocks.get(before)), &blocks[at]) {
                lines.push(Line::default());
            }
            lines.extend(block(&blocks[at], width));
        }
        self.printed = blocks.len();
        lines
    }

    /// The last lines of what was printed, enough for a screen: however long the session is.
    fn tail(&self) -> Vec<Line<'static>> {
        let (width, height) = (usize::from(self.state.size.0), usize::from(self.state.size.1));
        let blocks = &self.state.transcript;
        let mut parts: Vec<Vec<Line<'static>>> = Vec::new();
        let mut count = 0;
        for at in (0..blocks.len()).rev() {
            if count >= height {
                break;
            }
            let mut lines = block(&blocks[at], width);
            if separated(at.checked_sub(1).and_then(|before| blocks.get(before)), &blocks[at]) {
                lines.insert(0, Line::default());
            }
            count += lines.len();
            parts.push(lines);
        }
        parts.into_iter().rev().flatten().collect()
    }
}
