//! Keys while a list, a sheet or the findings are open.

use super::writing::fix_finding;
use crate::tui::commands;
use crate::tui::complete::rank;
use crate::tui::keys::{Deed, Place};
use crate::tui::state::{Content, Dialog, Effect, Order, Pick, Sheet, State, Then};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Takes a key.
pub(super) fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let deed = state.keys.deed(key, Place::Everywhere);
    match deed {
        Some(Deed::Suspend) => return vec![Effect::Suspend],
        Some(Deed::Redraw) => return vec![Effect::Redraw],
        _ => {}
    }
    let typed = match key.code {
        KeyCode::Char(letter) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {
            Some(letter)
        }
        _ => None,
    };
    let page = usize::from(state.size.1).saturating_sub(4).max(1);
    match &mut state.dialog {
        Some(Dialog::Pick(pick)) => list(pick, deed, typed).map_or_else(Vec::new, |done| finish(state, done)),
        Some(Dialog::Sheet(sheet)) => {
            if read(sheet, deed, typed, page) {
                state.dialog = None;
            }
            Vec::new()
        }
        Some(Dialog::Findings { chosen }) => {
            let last = state.findings.len().saturating_sub(1);
            match deed {
                Some(Deed::Up) => *chosen = chosen.saturating_sub(1),
                Some(Deed::Down) => *chosen = (*chosen + 1).min(last),
                Some(Deed::Home) => *chosen = 0,
                Some(Deed::End) => *chosen = last,
                Some(Deed::Interrupt | Deed::Quit | Deed::Findings) => state.dialog = None,
                Some(Deed::Submit) => {
                    let index = *chosen;
                    return fix_finding(state, index);
                }
                _ => {}
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// How a list was left.
enum Done {
    Closed,
    Chosen(Then),
}

fn list(pick: &mut Pick, deed: Option<Deed>, typed: Option<char>) -> Option<Done> {
    let matching = rank(pick);
    match deed {
        Some(Deed::Up) => pick.chosen = pick.chosen.saturating_sub(1),
        Some(Deed::Down) => pick.chosen = (pick.chosen + 1).min(matching.len().saturating_sub(1)),
        Some(Deed::Home) => pick.chosen = 0,
        Some(Deed::End) => pick.chosen = matching.len().saturating_sub(1),
        Some(Deed::Interrupt | Deed::Quit | Deed::Palette | Deed::Sessions) => return Some(Done::Closed),
        Some(Deed::Submit) => {
            let item = matching.get(pick.chosen).and_then(|at| pick.items.get(*at))?;
            return Some(Done::Chosen(item.then.clone()));
        }
        Some(Deed::Backspace) => {
            pick.filter.pop();
            pick.chosen = 0;
        }
        _ => {
            pick.filter.extend(typed);
            pick.chosen = 0;
        }
    }
    None
}

fn finish(state: &mut State, done: Done) -> Vec<Effect> {
    state.dialog = None;
    match done {
        Done::Closed => Vec::new(),
        Done::Chosen(Then::Command(name)) => commands::run(state, name),
        Done::Chosen(Then::Order(order)) if state.is_busy() => {
            let waits = !matches!(order, Order::Sessions | Order::Models);
            state.hint = waits.then(|| "that waits until the work is done; esc stops it".to_owned());
            Vec::new()
        }
        Done::Chosen(Then::Order(order)) => vec![Effect::Order(order)],
    }
}

/// Moves in a sheet; `true` when it is to be closed. In a conversation and a text, typing searches.
fn read(sheet: &mut Sheet, deed: Option<Deed>, typed: Option<char>, page: usize) -> bool {
    match deed {
        Some(Deed::Up) => sheet.top = sheet.top.saturating_sub(1),
        Some(Deed::Down) => sheet.top = sheet.top.saturating_add(1),
        Some(Deed::PageUp) => sheet.top = sheet.top.saturating_sub(page),
        Some(Deed::PageDown) => sheet.top = sheet.top.saturating_add(page),
        Some(Deed::Home) => sheet.top = 0,
        Some(Deed::End) => sheet.top = usize::MAX,
        Some(Deed::Interrupt) if !sheet.search.is_empty() => sheet.search.clear(),
        Some(Deed::Interrupt | Deed::Quit | Deed::Help | Deed::Transcript) => return true,
        Some(Deed::Submit) => return sheet.search.is_empty(),
        Some(Deed::Backspace) => {
            sheet.search.pop();
        }
        _ => match typed {
            Some('q') if sheet.search.is_empty() && sheet.content != Content::Transcript => return true,
            Some(letter) => sheet.search.push(letter),
            None => {}
        },
    }
    false
}
