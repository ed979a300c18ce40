//! What happens to the state when something happens: pure, no I/O, no clock.

mod answering;
mod choosing;
mod house;
mod told;
mod writing;

use super::state::{Dialog, Effect, Msg, State};
use crossterm::event::KeyEventKind;

/// Takes one message; gives what is to be done outside.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Msg::Key(key) => {
            state.hint = None;
            match &state.dialog {
                None => writing::key(state, key),
                Some(Dialog::Ask(_)) => answering::key(state, key),
                Some(_) => choosing::key(state, key),
            }
        }
        Msg::Paste(text) => paste(state, &text),
        Msg::Resize(columns, rows) => {
            state.size = (columns, rows);
            Vec::new()
        }
        Msg::Second => {
            if let Some(work) = &mut state.work {
                work.seconds += 1;
            }
            Vec::new()
        }
        Msg::Armed => {
            if let Some(Dialog::Ask(ask)) = &mut state.dialog {
                ask.armed = true;
            }
            Vec::new()
        }
        Msg::House(event) => {
            house::take(state, event);
            Vec::new()
        }
        Msg::Asked(number, question) => {
            house::end_text(state);
            state.completion = None;
            state.dialog = Some(Dialog::Ask(Box::new(super::question::Ask::of(number, question))));
            vec![Effect::Arm]
        }
        Msg::Told(word) => told::take(state, word),
        Msg::Recalled(words) => {
            state.queued.clear();
            if !words.is_empty() {
                let mut text = words.join("\n");
                if !state.composer.is_empty() {
                    text = format!("{text}\n{}", state.composer.whole());
                }
                state.composer.set(&text);
            }
            Vec::new()
        }
        Msg::Edited(text) => edited(state, text),
    }
}

fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    match &mut state.dialog {
        None => {
            state.composer.paste(text);
            writing::complete(state);
        }
        Some(Dialog::Ask(ask)) => {
            if let Some(words) = &mut ask.tell {
                words.paste(text);
            }
        }
        Some(Dialog::Pick(pick)) => {
            pick.filter.push_str(text.lines().next().unwrap_or_default());
            pick.chosen = 0;
        }
        Some(Dialog::Sheet(sheet)) => sheet.search.push_str(text.lines().next().unwrap_or_default()),
        Some(Dialog::Findings { .. }) => {}
    }
    Vec::new()
}

fn edited(state: &mut State, text: Option<String>) -> Vec<Effect> {
    let for_question = std::mem::take(&mut state.editing);
    let Some(text) = text else {
        state.hint = Some("the editor ended with an error; nothing was taken over".into());
        return vec![Effect::Redraw];
    };
    match &mut state.dialog {
        Some(Dialog::Ask(ask)) if for_question => ask.edit(text),
        // The question went away while the editor was open.
        _ if for_question => {}
        _ => state.composer.set(text.trim_end_matches('\n')),
    }
    vec![Effect::Redraw]
}
