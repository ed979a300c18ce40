//! Keys while nothing is open: words, history, candidates, commands.

use crate::text::clip;
use crate::tui::commands::{self, next_mode};
use crate::tui::complete;
use crate::tui::composer::{Composer, Move};
use crate::tui::keys::{Deed, Place};
use crate::tui::state::{Block, Content, Dialog, Effect, Order, State, Tone};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What was sent is remembered up to so many entries.
const HISTORY: usize = 500;
/// Of what the user's own commands printed, so much goes to the model; bytes.
const MAX_NOTE: usize = 16 * 1024;

/// Takes a key.
pub(super) fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let deed = state.keys.deed(key, Place::Writing);
    if deed != Some(Deed::Quit) {
        state.leaving = false;
    }
    if let Some(effects) = candidates(state, deed) {
        return effects;
    }
    let Some(deed) = deed else {
        if let KeyCode::Char(letter) = key.code
            && !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
        {
            state.composer.insert(letter.encode_utf8(&mut [0; 4]));
            complete(state);
        }
        return Vec::new();
    };
    match deed {
        Deed::Submit => return submit(state),
        Deed::Newline => state.composer.insert("\n"),
        Deed::Interrupt => return interrupt(state),
        Deed::Quit => return quit(state),
        Deed::Leave if state.composer.is_empty() && !state.is_busy() => return vec![Effect::Leave],
        Deed::Suspend => return vec![Effect::Suspend],
        Deed::Palette => state.dialog = Some(commands::palette()),
        Deed::Help => state.dialog = Some(commands::sheet("Help", Content::Help)),
        Deed::Transcript => state.dialog = Some(commands::sheet("Conversation", Content::Transcript)),
        Deed::Findings => return commands::run(state, "findings"),
        Deed::Sessions => return commands::run(state, "resume"),
        Deed::NextMode if state.is_busy() => {
            state.hint = Some("the mode changes between answers; esc stops this one".into());
        }
        Deed::NextMode => return vec![Effect::Order(Order::Mode(next_mode(&state.desk.mode)))],
        Deed::Editor => return vec![Effect::Edit { text: state.composer.whole(), ending: "md".into() }],
        Deed::Recall if state.queued.is_empty() => {}
        Deed::Recall => return vec![Effect::Recall],
        Deed::Redraw => return vec![Effect::Redraw],
        Deed::Up | Deed::Down => browse(state, deed == Deed::Down),
        Deed::Left => state.composer.go(Move::Left),
        Deed::Right => state.composer.go(Move::Right),
        Deed::WordLeft => state.composer.go(Move::WordLeft),
        Deed::WordRight => state.composer.go(Move::WordRight),
        Deed::Home => state.composer.go(Move::Home),
        Deed::End => state.composer.go(Move::End),
        Deed::Backspace => state.composer.delete(Move::Left),
        Deed::Delete | Deed::Leave => state.composer.delete(Move::Right),
        Deed::DeleteWord => state.composer.delete(Move::WordLeft),
        Deed::DeleteToStart => state.composer.delete(Move::Home),
        Deed::DeleteToEnd => state.composer.delete(Move::End),
        Deed::Yank => state.composer.yank(),
        Deed::UndoTyping => state.composer.undo(),
        _ => {}
    }
    if !matches!(deed, Deed::Up | Deed::Down) {
        complete(state);
    }
    Vec::new()
}

/// Looks for candidates for what stands before the cursor.
pub(super) fn complete(state: &mut State) {
    state.completion = complete::candidates(state.composer.text(), state.composer.at(), &state.files);
}

/// Keys that mean something else while candidates are shown.
fn candidates(state: &mut State, deed: Option<Deed>) -> Option<Vec<Effect>> {
    let completion = state.completion.as_mut()?;
    let count = completion.items.len();
    match deed? {
        Deed::Up => completion.chosen = (completion.chosen + count - 1) % count,
        Deed::Down => completion.chosen = (completion.chosen + 1) % count,
        Deed::Interrupt => state.completion = None,
        deed @ (Deed::Complete | Deed::Submit) => {
            let completion = state.completion.take()?;
            let (text, _) = completion.items.get(completion.chosen)?.clone();
            let written = state.composer.text().get(completion.start..state.composer.at())?;
            // What is written in full already is sent, not completed once more.
            if deed == Deed::Submit && written == text {
                return None;
            }
            let takes_more =
                commands::COMMANDS.iter().any(|c| text == format!("/{}", c.name) && !c.args.is_empty());
            let is_command = text.starts_with('/') && completion.start == 0;
            let space = if is_command && !takes_more { "" } else { " " };
            state.composer.complete(completion.start, &format!("{text}{space}"));
            if deed == Deed::Submit && is_command && !takes_more {
                return Some(submit(state));
            }
        }
        _ => return None,
    }
    Some(Vec::new())
}

fn interrupt(state: &mut State) -> Vec<Effect> {
    if let Some(work) = &mut state.work {
        work.stopping = true;
        return vec![Effect::Interrupt];
    }
    Vec::new()
}

/// Clears what is written, then stops the work, then leaves: each at its own press.
fn quit(state: &mut State) -> Vec<Effect> {
    if state.leaving {
        return vec![Effect::Leave];
    }
    state.leaving = true;
    let key = state.keys.name(Deed::Quit).to_owned();
    state.hint = Some(format!("{key} again leaves"));
    if !state.composer.is_empty() {
        state.composer.clear();
        state.completion = None;
        return Vec::new();
    }
    interrupt(state)
}

fn submit(state: &mut State) -> Vec<Effect> {
    // A backslash before Enter is a new line, for terminals that have no other key for it.
    if state.composer.text().ends_with('\\') && state.composer.at() == state.composer.text().len() {
        state.composer.delete(Move::Left);
        state.composer.insert("\n");
        return Vec::new();
    }
    let text = state.composer.take();
    (state.completion, state.browsing) = (None, None);
    let words = text.trim();
    if words.is_empty() {
        return Vec::new();
    }
    if state.history.last().is_none_or(|last| last != words) {
        state.history.push(words.to_owned());
        let excess = state.history.len().saturating_sub(HISTORY);
        state.history.drain(..excess);
    }
    if let Some(line) = words.strip_prefix('/').filter(|line| is_command(line)) {
        return commands::run(state, line);
    }
    if let Some(command) = words.strip_prefix('!').map(str::trim).filter(|command| !command.is_empty()) {
        if state.is_busy() {
            state.hint = Some("your command waits until the work is done".into());
            state.composer = Composer::of(words);
            return Vec::new();
        }
        return vec![Effect::Order(Order::Run(command.to_owned()))];
    }
    if state.is_busy() {
        state.queued.push(words.to_owned());
        return vec![Effect::Steer(words.to_owned())];
    }
    state.transcript.push(Block::User(words.to_owned()));
    vec![Effect::Order(Order::Say(with_notes(state, words)))]
}

/// A path like `/etc/hosts` at the beginning is no command.
fn is_command(line: &str) -> bool {
    let name = line.split(char::is_whitespace).next().unwrap_or_default();
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
}

/// What the user's own commands printed goes along with the next words.
fn with_notes(state: &mut State, words: &str) -> String {
    let mut out = String::new();
    for note in state.notes.drain(..) {
        out.push_str(clip(&note, MAX_NOTE).text);
        out.push_str("\n\n");
    }
    out + words
}

fn browse(state: &mut State, down: bool) {
    let before = state.composer.text().len();
    // Within many lines the cursor moves; at their edge the history goes on.
    if state.browsing.is_none() && state.composer.go_line(down) {
        return;
    }
    let count = state.history.len();
    let (at, draft) = match state.browsing.take() {
        Some((at, draft)) => (at, draft),
        None if down || count == 0 => return,
        None => (count, if before == 0 { String::new() } else { state.composer.whole() }),
    };
    let at = if down { at + 1 } else { at.saturating_sub(1) };
    match state.history.get(at) {
        Some(words) => {
            state.composer = Composer::of(words);
            state.browsing = Some((at, draft));
        }
        None => state.composer = Composer::of(&draft),
    }
    state.completion = None;
}

/// A finding to fix, from the pane.
pub(super) fn fix_finding(state: &mut State, index: usize) -> Vec<Effect> {
    let Some(finding) = state.findings.get(index) else { return Vec::new() };
    if state.is_busy() {
        state.hint = Some("one at a time: esc stops the work".into());
        return Vec::new();
    }
    let within = finding.within.as_deref().map(|within| format!(" in {within}")).unwrap_or_default();
    let issue = format!(
        "{} in {}:{}{within} (CWE-{})",
        finding.family.facts().title,
        finding.path,
        finding.span.line,
        finding.cwe
    );
    state.dialog = None::<Dialog>;
    state.note(Tone::Plain, format!("to fix: {issue}"));
    vec![Effect::Order(Order::Fix(issue))]
}
