//! Keys while a question is open.

use crate::event::Answer;
use crate::tui::code;
use crate::tui::composer::{Composer, Move};
use crate::tui::keys::{Deed, Place};
use crate::tui::question::{Ask, Choice};
use crate::tui::state::{Dialog, Effect, State};
use crate::tui::view::{View, view};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Takes a key.
pub(super) fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let deed = state.keys.deed(key, Place::Question);
    let is_full = deed == Some(Deed::Full) && matches!(view(state), View::Sheet(_));
    let Some(Dialog::Ask(ask)) = &mut state.dialog else { return Vec::new() };
    if !ask.armed && !matches!(deed, Some(Deed::Interrupt | Deed::Quit)) {
        // Typed before the question could be read: words stay words.
        return match key.code {
            KeyCode::Char(letter) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
                state.composer.insert(letter.encode_utf8(&mut [0; 4]));
                Vec::new()
            }
            _ => Vec::new(),
        };
    }
    if ask.tell.is_some() {
        return sentence(state, key);
    }
    let page = usize::from(state.size.1 / 2).max(1);
    let is_change = !ask.changes.is_empty();
    match deed {
        Some(Deed::Once) => return answer(state, Choice::Once),
        Some(Deed::Session) if ask.choices.contains(&Choice::Session) => {
            return answer(state, Choice::Session);
        }
        Some(Deed::Reject) => return answer(state, Choice::Reject),
        Some(Deed::Tell) => ask.tell = Some(Composer::default()),
        Some(Deed::Submit) => match ask.focused() {
            Choice::Tell => ask.tell = Some(Composer::default()),
            choice => return answer(state, choice),
        },
        // Esc says no and stops: what was asked for is not done.
        Some(Deed::Interrupt | Deed::Quit) if ask.picked.is_some() => ask.picked = None,
        Some(Deed::Interrupt | Deed::Quit) => {
            if let Some(work) = &mut state.work {
                work.stopping = true;
            }
            // Stopped first: a model that hears the no may be done with it before the stop comes.
            let mut effects = vec![Effect::Interrupt];
            effects.extend(answer(state, Choice::Reject));
            return effects;
        }
        Some(Deed::Next | Deed::Right) => ask.focus = (ask.focus + 1) % ask.choices.len(),
        Some(Deed::Left) => ask.focus = (ask.focus + ask.choices.len() - 1) % ask.choices.len(),
        Some(Deed::Hunks) => ask.pick(),
        Some(Deed::Toggle) => toggle(ask),
        Some(Deed::Up) if ask.picked.is_some() => step(ask, false),
        Some(Deed::Down) if ask.picked.is_some() => step(ask, true),
        Some(Deed::Up) => ask.top = ask.top.saturating_sub(1),
        Some(Deed::Down) => ask.top += 1,
        Some(Deed::PageUp) => ask.top = ask.top.saturating_sub(page),
        Some(Deed::PageDown) => ask.top += page,
        Some(Deed::Home) => ask.top = 0,
        Some(Deed::End) => ask.top = usize::MAX / 2,
        Some(Deed::Split) if is_change => {
            let now = ask.split.unwrap_or(usize::from(state.size.0) >= crate::tui::change::SPLIT_AT);
            ask.split = Some(!now);
        }
        Some(Deed::Full) => ask.full = Some(!is_full),
        Some(Deed::Edit) if ask.is_editable() => {
            let change = ask.changes.first();
            let text = change.and_then(|change| change.after.clone()).unwrap_or_default();
            let ending =
                change.and_then(|change| change.path.rsplit_once('.')).map_or("txt", |(_, ending)| ending);
            // The ending ends up in a file's name.
            let is_plain = ending.chars().all(|letter| letter.is_ascii_alphanumeric());
            let ending = if is_plain || code::language(ending).is_some() { ending } else { "txt" }.to_owned();
            state.editing = true;
            return vec![Effect::Edit { text, ending }];
        }
        Some(Deed::Suspend) => return vec![Effect::Suspend],
        Some(Deed::Redraw) => return vec![Effect::Redraw],
        _ => {}
    }
    Vec::new()
}

fn answer(state: &mut State, choice: Choice) -> Vec<Effect> {
    let Some(Dialog::Ask(ask)) = state.dialog.take() else { return Vec::new() };
    let answer = ask.answer(choice);
    if let Answer::Instead(changes) = &answer
        && let Some(call) = state.running.last_mut()
    {
        call.changes.clone_from(changes);
    }
    vec![Effect::Answer(ask.number, answer)]
}

/// Keys while the sentence for the model is written.
fn sentence(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let deed = state.keys.deed(key, Place::Writing);
    let Some(Dialog::Ask(ask)) = &mut state.dialog else { return Vec::new() };
    let Some(words) = &mut ask.tell else { return Vec::new() };
    match deed {
        Some(Deed::Submit) => return answer(state, Choice::Tell),
        Some(Deed::Interrupt | Deed::Quit) => ask.tell = None,
        Some(Deed::Newline) => words.insert("\n"),
        Some(Deed::Backspace) => words.delete(Move::Left),
        Some(Deed::Delete) => words.delete(Move::Right),
        Some(Deed::DeleteWord) => words.delete(Move::WordLeft),
        Some(Deed::DeleteToStart) => words.delete(Move::Home),
        Some(Deed::Left) => words.go(Move::Left),
        Some(Deed::Right) => words.go(Move::Right),
        Some(Deed::Home) => words.go(Move::Home),
        Some(Deed::End) => words.go(Move::End),
        None => {
            if let KeyCode::Char(letter) = key.code {
                words.insert(letter.encode_utf8(&mut [0; 4]));
            }
        }
        _ => {}
    }
    Vec::new()
}

fn step(ask: &mut Ask, down: bool) {
    let count: usize = ask.shown.iter().map(|shown| shown.hunks.len()).sum();
    if let Some(picked) = &mut ask.picked {
        picked.at =
            if down { (picked.at + 1).min(count.saturating_sub(1)) } else { picked.at.saturating_sub(1) };
    }
}

fn toggle(ask: &mut Ask) {
    let Some(picked) = &mut ask.picked else { return };
    if let Some(taken) = picked.taken.iter_mut().flatten().nth(picked.at) {
        *taken = !*taken;
    }
}
