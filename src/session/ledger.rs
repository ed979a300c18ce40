//! What was done, by the harness's own account: files read and changed, commands and how they ended, pages,
//! denials, the user's words. It outlives every cut of the conversation.

use crate::text::clip;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Lines of one kind that are kept; the ones untouched for longest go.
const KEPT: usize = 400;
/// Bytes kept of one line.
const LINE: usize = 300;
/// Bytes kept of what the user said once.
const WORDS: usize = 1_000;

/// One line of the account.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(tag = "note", rename_all = "snake_case")]
pub enum Note {
    /// A file was read.
    Read {
        /// Workspace-relative path.
        path: String,
    },
    /// A file was changed, made or removed.
    Changed {
        /// Workspace-relative path.
        path: String,
    },
    /// A command was run.
    Ran {
        /// Its text.
        command: String,
        /// Its exit code, where there was one.
        exit: Option<i32>,
    },
    /// A page was fetched.
    Fetched {
        /// Its address.
        url: String,
    },
    /// Something was denied.
    Denied {
        /// What, and why.
        what: String,
    },
}

/// The account.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    read: Tally,
    changed: Tally,
    ran: Tally,
    fetched: Tally,
    denied: Tally,
    /// What the user said, in order, each cut to size; the first is the task.
    asked: Vec<String>,
    /// What the model itself noted at the last cut.
    pub(super) words: Option<String>,
}

/// Lines of one kind, the latest last.
#[derive(Debug, Default)]
struct Tally {
    lines: Vec<Line>,
    dropped: usize,
}

#[derive(Debug)]
struct Line {
    key: String,
    ending: String,
    times: u32,
}

impl Tally {
    fn add(&mut self, key: &str, ending: String) {
        let key = clip(key, LINE).text;
        let mut line = match self.lines.iter().rposition(|line| line.key == key) {
            Some(at) => self.lines.remove(at),
            None => Line { key: key.to_owned(), ending: String::new(), times: 0 },
        };
        line.times += 1;
        line.ending = ending;
        self.lines.push(line);
        if self.lines.len() > KEPT {
            self.lines.remove(0);
            self.dropped += 1;
        }
    }

    /// The latest lines under a title, as many as fit into `room` bytes.
    fn render(&self, title: &str, room: usize, out: &mut String) {
        if self.lines.is_empty() {
            return;
        }
        let mut shown = Vec::new();
        let mut used = title.len() + 40;
        for line in self.lines.iter().rev() {
            let mut text = format!("- {}{}", line.key.replace('\n', " "), line.ending);
            if line.times > 1 {
                let _ = write!(text, " ({} times)", line.times);
            }
            used += text.len() + 1;
            if used > room {
                break;
            }
            shown.push(text);
        }
        let left = self.lines.len() - shown.len() + self.dropped;
        let _ = writeln!(out, "{title}, the latest last:");
        if left > 0 {
            let _ = writeln!(out, "- ({left} earlier)");
        }
        for text in shown.iter().rev() {
            let _ = writeln!(out, "{text}");
        }
    }
}

impl Ledger {
    /// Takes a line in.
    pub(super) fn note(&mut self, note: &Note) {
        match note {
            Note::Read { path } => self.read.add(path, String::new()),
            Note::Changed { path } => self.changed.add(path, String::new()),
            Note::Ran { command, exit } => {
                let ending =
                    exit.map_or_else(|| ": did not end by itself".into(), |exit| format!(": exit {exit}"));
                self.ran.add(command, ending);
            }
            Note::Fetched { url } => self.fetched.add(url, String::new()),
            Note::Denied { what } => self.denied.add(what, String::new()),
        }
    }

    /// Takes the user's words in.
    pub(super) fn ask(&mut self, text: &str) {
        self.asked.push(clip(text, WORDS).text.to_owned());
        if self.asked.len() > KEPT {
            // The first is the task.
            self.asked.remove(1);
        }
    }

    /// The account in at most about `room` bytes.
    pub(super) fn render(&self, room: usize) -> String {
        let mut out = String::new();
        let between: Vec<&String> = self.asked.iter().skip(1).rev().skip(1).collect();
        let mut words = Vec::new();
        let mut used = 0;
        for text in between {
            used += text.len() + 3;
            if used > room / 5 {
                break;
            }
            words.push(format!("- {}\n", text.replace('\n', " ")));
        }
        if !words.is_empty() {
            words.reverse();
            out.push_str("What the user said between the task and the latest words:\n");
            out.push_str(&words.concat());
        }
        self.changed.render("Files changed", room / 4, &mut out);
        self.read.render("Files read", room / 6, &mut out);
        self.ran.render("Commands run", room / 4, &mut out);
        self.denied.render("Denied", room / 10, &mut out);
        self.fetched.render("Pages fetched", room / 12, &mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_done_how_often_and_how_it_ended() {
        let mut ledger = Ledger::default();
        ledger.ask("Fix the login.");
        ledger.ask("Leave the tests alone.");
        ledger.ask("Go on.");
        for exit in [Some(1), Some(0), None] {
            ledger.note(&Note::Ran { command: "make test".into(), exit });
        }
        ledger.note(&Note::Ran { command: "ls".into(), exit: Some(0) });
        ledger.note(&Note::Read { path: "a.py".into() });
        ledger.note(&Note::Changed { path: "a.py".into() });
        ledger.note(&Note::Denied { what: "write .git/config: protected".into() });
        let text = ledger.render(10_000);
        assert!(text.contains("- make test: did not end by itself (3 times)\n- ls: exit 0\n"), "{text}");
        assert!(text.contains("- Leave the tests alone.") && !text.contains("Fix the login"), "{text}");
        assert!(text.contains("Files changed, the latest last:\n- a.py\n"), "{text}");
        assert!(text.contains("protected"), "{text}");
    }

    #[test]
    fn stays_small_however_much_was_done() {
        let mut ledger = Ledger::default();
        for n in 0..5_000 {
            ledger.ask(&format!("words {n} {}", "x".repeat(5_000)));
            ledger.note(&Note::Read { path: format!("src/file{n}.py") });
            ledger.note(&Note::Ran { command: format!("echo {n} {}", "y".repeat(5_000)), exit: Some(0) });
        }
        let text = ledger.render(4_000);
        assert!(text.len() < 4_400, "{}", text.len());
        assert!(text.contains("file4999") && text.contains("echo 4999"), "{text}");
        assert!(ledger.read.lines.len() <= KEPT && ledger.asked.len() <= KEPT);
    }
}
