//! The terminal's state: taken once, given back on every way out, also by a panic.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether the other screen is shown.
static SHEET: AtomicBool = AtomicBool::new(false);

/// Raw mode and bracketed paste, given back when it is dropped.
pub(super) struct Guard(());

impl Guard {
    /// Takes the terminal. A panic gives it back before it says anything.
    pub(super) fn take() -> io::Result<Self> {
        enter()?;
        let earlier = std::panic::take_hook();
        let screen = std::thread::current().id();
        std::panic::set_hook(Box::new(move |panic| {
            // Other threads break into results that are shown; they must not write over the screen.
            if std::thread::current().id() == screen {
                give_back();
                earlier(panic);
            }
        }));
        Ok(Self(()))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
        // Dropping the hook on a panicking thread is not allowed, and nothing depends on it then.
        if !std::thread::panicking() {
            let _ = std::panic::take_hook();
        }
    }
}

/// Takes the terminal, also again after it was given back for a while.
pub(super) fn enter() -> io::Result<()> {
    crossterm::terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    // Bracketed paste: what is pasted is text, never keys.
    write(b"\x1b[?2004h")
}

/// Gives the terminal back as it was. Harmless when it was never taken.
pub(super) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    if SHEET.swap(false, Ordering::SeqCst) {
        let _ = write(b"\x1b[?1049l");
    }
    let _ = write(b"\x1b[?2026l\x1b[?2004l\x1b[0m\x1b[?25h");
    let _ = crossterm::terminal::disable_raw_mode();
}

/// Notes whether the other screen is shown.
pub(super) fn note_sheet(shown: bool) {
    SHEET.store(shown, Ordering::SeqCst);
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(bytes)?;
    out.flush()
}
