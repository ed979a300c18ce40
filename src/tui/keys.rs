//! Every key has a name: one table for what keys do, what the help says and what `[keys]` may change.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::BTreeMap;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deed {
    /// Sends what is written; chooses in a list.
    Submit,
    /// A line more.
    Newline,
    /// Stops the work; closes what is open.
    Interrupt,
    /// Clears, interrupts; twice leaves.
    Quit,
    /// Leaves when nothing is written.
    Leave,
    /// Suspends the program.
    Suspend,
    /// The command palette.
    Palette,
    /// The help sheet.
    Help,
    /// The editor of the user's environment.
    Editor,
    /// The next mode.
    NextMode,
    /// The whole conversation, with search.
    Transcript,
    /// The findings.
    Findings,
    /// Sessions.
    Sessions,
    /// The words that wait, back into the composer.
    Recall,
    /// Completes.
    Complete,
    /// Draws everything anew.
    Redraw,
    /// One up: line, entry, history.
    Up,
    /// One down.
    Down,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Cursor.
    Left,
    /// Cursor.
    Right,
    /// Cursor.
    WordLeft,
    /// Cursor.
    WordRight,
    /// Cursor.
    Home,
    /// Cursor.
    End,
    /// Removes.
    Backspace,
    /// Removes.
    Delete,
    /// Removes.
    DeleteWord,
    /// Removes.
    DeleteToStart,
    /// Removes.
    DeleteToEnd,
    /// Puts back.
    Yank,
    /// Takes back.
    UndoTyping,
    /// Question: this once.
    Once,
    /// Question: for this session.
    Session,
    /// Question: no.
    Reject,
    /// Question: no, with a sentence.
    Tell,
    /// Question: edit before accepting.
    Edit,
    /// Question: choose hunks.
    Hunks,
    /// Question: this hunk or not.
    Toggle,
    /// Question: side by side or not.
    Split,
    /// Question: cover the whole screen.
    Full,
    /// Next choice.
    Next,
}

/// Where a key means what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Everywhere.
    Everywhere,
    /// While writing.
    Writing,
    /// While a question is open.
    Question,
}

/// A line of the table.
pub struct Entry {
    /// What it does.
    pub deed: Deed,
    /// Where.
    pub place: Place,
    /// Its name in `[keys]`.
    pub name: &'static str,
    /// Keys when nothing else is said, separated by blanks.
    pub keys: &'static str,
    /// A few words for the help.
    pub help: &'static str,
}

const fn entry(
    deed: Deed,
    place: Place,
    name: &'static str,
    keys: &'static str,
    help: &'static str,
) -> Entry {
    Entry { deed, place, name, keys, help }
}

use Place::{Everywhere, Question, Writing};

/// The table.
pub const TABLE: &[Entry] = &[
    entry(Deed::Submit, Everywhere, "submit", "enter", "send; choose"),
    entry(
        Deed::Newline,
        Writing,
        "newline",
        "alt-enter ctrl-j shift-enter",
        "a new line (also \\ before enter)",
    ),
    entry(Deed::Interrupt, Everywhere, "interrupt", "esc", "stop the work at once; close what is open"),
    entry(Deed::Quit, Everywhere, "quit", "ctrl-c", "clear, interrupt; twice leaves"),
    entry(Deed::Leave, Writing, "leave", "ctrl-d", "leave, when nothing is written"),
    entry(Deed::Suspend, Everywhere, "suspend", "ctrl-z", "back to the shell for a while (fg returns)"),
    entry(Deed::Palette, Everywhere, "palette", "ctrl-p", "all commands"),
    entry(Deed::Help, Everywhere, "help", "f1", "this sheet"),
    entry(Deed::Editor, Writing, "editor", "ctrl-g", "write in $VISUAL or $EDITOR"),
    entry(Deed::NextMode, Writing, "next-mode", "shift-tab", "next mode: ask, auto, read-only"),
    entry(Deed::Transcript, Everywhere, "transcript", "ctrl-t", "the whole conversation; type to search"),
    entry(Deed::Findings, Everywhere, "findings", "ctrl-f", "what the scan found"),
    entry(Deed::Sessions, Everywhere, "sessions", "ctrl-r", "earlier sessions"),
    entry(Deed::Recall, Writing, "recall", "alt-up", "take waiting words back"),
    entry(Deed::Complete, Writing, "complete", "tab", "complete @file or /command"),
    entry(Deed::Redraw, Everywhere, "redraw", "ctrl-l", "draw everything anew"),
    entry(Deed::Up, Everywhere, "up", "up ctrl-up", "up; earlier words"),
    entry(Deed::Down, Everywhere, "down", "down ctrl-down", "down; later words"),
    entry(Deed::PageUp, Everywhere, "page-up", "pageup", "a page up"),
    entry(Deed::PageDown, Everywhere, "page-down", "pagedown", "a page down"),
    entry(Deed::Left, Everywhere, "left", "left ctrl-b", "left"),
    entry(Deed::Right, Everywhere, "right", "right", "right"),
    entry(Deed::WordLeft, Writing, "word-left", "ctrl-left alt-left alt-b", "a word left"),
    entry(Deed::WordRight, Writing, "word-right", "ctrl-right alt-right alt-f", "a word right"),
    entry(Deed::Home, Everywhere, "home", "home ctrl-a", "to the beginning"),
    entry(Deed::End, Everywhere, "end", "end ctrl-e", "to the end"),
    entry(Deed::Backspace, Everywhere, "backspace", "backspace ctrl-h", "remove before the cursor"),
    entry(Deed::Delete, Writing, "delete", "delete", "remove after the cursor"),
    entry(Deed::DeleteWord, Writing, "delete-word", "ctrl-w alt-backspace", "remove a word"),
    entry(Deed::DeleteToStart, Writing, "delete-to-start", "ctrl-u", "remove to the line's beginning"),
    entry(Deed::DeleteToEnd, Writing, "delete-to-end", "ctrl-k", "remove to the line's end"),
    entry(Deed::Yank, Writing, "yank", "ctrl-y", "put back what was removed"),
    entry(Deed::UndoTyping, Writing, "undo-typing", "ctrl-_ ctrl-7", "take typing back"),
    entry(Deed::Once, Question, "allow-once", "y", "allow this once"),
    entry(Deed::Session, Question, "allow-session", "a", "allow for this session, exactly as shown"),
    entry(Deed::Reject, Question, "reject", "n", "reject"),
    entry(Deed::Tell, Question, "reject-with-words", "r", "reject and say why"),
    entry(Deed::Edit, Question, "edit-change", "e", "edit the change before it is made"),
    entry(Deed::Hunks, Question, "choose-hunks", "h", "choose hunks"),
    entry(Deed::Toggle, Question, "toggle-hunk", "space", "this hunk or not"),
    entry(Deed::Split, Question, "side-by-side", "s", "side by side or not"),
    entry(Deed::Full, Question, "full-screen", "f", "the whole screen or not"),
    entry(Deed::Next, Question, "next-choice", "tab", "next choice"),
];

/// A key as it is compared: shift belongs to letters already.
type Stroke = (KeyCode, KeyModifiers);

/// What each key does, with the user's changes.
#[derive(Debug, Clone)]
pub struct Keys {
    bound: Vec<(Stroke, Deed, Place)>,
    names: BTreeMap<&'static str, String>,
}

impl Default for Keys {
    fn default() -> Self {
        // The table's own keys are valid; a test holds that.
        Self::with(&BTreeMap::new()).unwrap_or(Self { bound: Vec::new(), names: BTreeMap::new() })
    }
}

impl Keys {
    /// The table with the user's changes: name to keys separated by blanks. An unknown name or key is an error,
    /// and so is a key that would mean two things in one place.
    pub fn with(changes: &BTreeMap<String, String>) -> Result<Self, String> {
        for name in changes.keys() {
            if !TABLE.iter().any(|entry| entry.name == name) {
                let names: Vec<&str> = TABLE.iter().map(|entry| entry.name).collect();
                return Err(format!("[keys] {name}: no such name; there are {}", names.join(", ")));
            }
        }
        let mut keys = Self { bound: Vec::new(), names: BTreeMap::new() };
        for entry in TABLE {
            let words = changes.get(entry.name).map_or(entry.keys, String::as_str);
            keys.names.insert(entry.name, words.split_whitespace().next().unwrap_or("none").to_owned());
            for word in words.split_whitespace() {
                let stroke = parse(word).ok_or_else(|| {
                    format!(
                        "[keys] {} = \"{word}\": no such key; write it like ctrl-p, alt-enter, f1",
                        entry.name
                    )
                })?;
                let clash = keys
                    .bound
                    .iter()
                    .find(|(known, _, place)| *known == stroke && overlap(*place, entry.place));
                if let Some((_, deed, _)) = clash {
                    let other = TABLE.iter().find(|entry| entry.deed == *deed).map_or("", |entry| entry.name);
                    return Err(format!("[keys] {word} is both {other} and {}", entry.name));
                }
                keys.bound.push((stroke, entry.deed, entry.place));
            }
        }
        Ok(keys)
    }

    /// What a key does in a place.
    pub fn deed(&self, key: KeyEvent, place: Place) -> Option<Deed> {
        let stroke = stroke(key);
        let here = |bound: Place| bound == place || bound == Everywhere;
        self.bound.iter().find(|(known, _, bound)| *known == stroke && here(*bound)).map(|(_, deed, _)| *deed)
    }

    /// The first key of a deed, for hints.
    pub fn name(&self, deed: Deed) -> &str {
        let entry = TABLE.iter().find(|entry| entry.deed == deed);
        entry.and_then(|entry| self.names.get(entry.name)).map_or("", String::as_str)
    }
}

fn overlap(one: Place, other: Place) -> bool {
    one == other || one == Everywhere || other == Everywhere
}

fn stroke(key: KeyEvent) -> Stroke {
    let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
    match key.code {
        KeyCode::BackTab => (KeyCode::Tab, modifiers | KeyModifiers::SHIFT),
        KeyCode::Char(letter) => {
            modifiers.remove(KeyModifiers::SHIFT);
            let plain = modifiers.is_empty();
            (KeyCode::Char(if plain { letter } else { letter.to_ascii_lowercase() }), modifiers)
        }
        code => (code, modifiers),
    }
}

/// A key by its name: `enter`, `ctrl-p`, `alt-enter`, `f1`.
pub fn parse(word: &str) -> Option<Stroke> {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = word;
    loop {
        let found =
            [("ctrl-", KeyModifiers::CONTROL), ("alt-", KeyModifiers::ALT), ("shift-", KeyModifiers::SHIFT)]
                .into_iter()
                .find_map(|(name, flag)| {
                    Some((rest.strip_prefix(name).filter(|rest| !rest.is_empty())?, flag))
                });
        let Some((after, flag)) = found else { break };
        modifiers |= flag;
        rest = after;
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pageup" => KeyCode::PageUp,
        "pagedown" => KeyCode::PageDown,
        _ => {
            let mut letters = rest.chars();
            match (letters.next()?, letters.as_str()) {
                (letter, "") => KeyCode::Char(letter),
                ('f', number) => KeyCode::F(number.parse().ok().filter(|number| (1..=24).contains(number))?),
                _ => return None,
            }
        }
    };
    Some((code, modifiers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_valid_and_every_deed_has_a_key_and_a_name_of_its_own() {
        let keys = Keys::with(&BTreeMap::new()).unwrap();
        for (at, entry) in TABLE.iter().enumerate() {
            assert!(!keys.name(entry.deed).is_empty(), "{}", entry.name);
            assert!(!TABLE[..at].iter().any(|other| other.name == entry.name || other.deed == entry.deed));
        }
    }

    #[test]
    fn keys_are_changed_by_name_and_mistakes_are_errors() {
        let with = |name: &str, keys: &str| Keys::with(&BTreeMap::from([(name.to_owned(), keys.to_owned())]));
        let keys = with("palette", "ctrl-x f2").unwrap();
        let press = |code, modifiers| keys.deed(KeyEvent::new(code, modifiers), Writing);
        assert_eq!(press(KeyCode::Char('x'), KeyModifiers::CONTROL), Some(Deed::Palette));
        assert_eq!(press(KeyCode::F(2), KeyModifiers::NONE), Some(Deed::Palette));
        assert_eq!(press(KeyCode::Char('p'), KeyModifiers::CONTROL), None);
        assert_eq!(press(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Deed::NextMode));
        assert!(with("pallete", "ctrl-x").unwrap_err().contains("no such name"));
        assert!(with("palette", "ctrl-").unwrap_err().contains("no such key"));
        assert!(with("palette", "ctrl-c").unwrap_err().contains("both"));
    }
}
