//! What the desk says: work that begins and ends, lists to choose from, reports.

use super::house::end_text;
use crate::event::Outcome;
use crate::fix::Report;
use crate::session::record::Summary;
use crate::tui::state::{
    Block, Content, Dialog, Effect, Ended, Item, Order, Pick, Sheet, State, Then, Told, Tone, Work,
};
use crate::tui::wrap::one_line;

/// Takes a word of the desk.
pub(super) fn take(state: &mut State, word: Told) -> Vec<Effect> {
    match word {
        Told::Opened(desk) => {
            let first = state.transcript.is_empty();
            state.desk.clone_from(&desk);
            if first {
                state.transcript.push(Block::Welcome(desk));
            }
        }
        Told::Files(files) => state.files = files,
        Told::Busy(what) => state.work = Some(Work { what, seconds: 0, stopping: false }),
        Told::Free => return free(state),
        Told::Trouble(text) => {
            end_text(state);
            state.note(Tone::Bad, text);
        }
        Told::Done(text) => state.note(Tone::Good, text),
        Told::Report(report) => {
            end_text(state);
            let mut ended = ended(&report);
            let said = state.transcript.iter().rev().find_map(|block| match block {
                Block::Prose(piece) => Some(piece.text.trim()),
                _ => None,
            });
            if said.is_some_and(|said| !said.is_empty() && ended.reason.trim().ends_with(said)) {
                ended.reason.clear();
            }
            state.transcript.push(Block::Ended(Box::new(ended)));
        }
        Told::Sheet { title, text } => open(
            state,
            Dialog::Sheet(Sheet { title, content: Content::Text(text), top: 0, search: String::new() }),
        ),
        Told::Sessions(sessions) if sessions.is_empty() => {
            state.hint = Some("no earlier session in this folder".into());
        }
        Told::Sessions(sessions) => {
            let items = sessions.into_iter().map(session).collect();
            open(state, pick("Sessions of this folder", items));
        }
        Told::Models(models) => {
            let item = |name: String| Item {
                label: name.clone(),
                detail: String::new(),
                then: Then::Order(Order::Model(name)),
            };
            open(state, pick("Models", models.into_iter().map(item).collect()));
        }
        Told::Found(findings) => {
            let count = findings.len();
            state.findings = findings;
            if count == 0 {
                state.note(Tone::Good, "the scan found nothing it knows");
            } else {
                let text = format!("{count} {}", if count == 1 { "finding" } else { "findings" });
                state.note(Tone::Warn, text);
                open(state, Dialog::Findings { chosen: 0 });
            }
        }
        Told::Remembered(words) if words.is_empty() => {
            state.note(Tone::Plain, "nothing is allowed for this session beyond its mode");
        }
        Told::Remembered(words) => {
            let item = |(at, label): (usize, String)| Item {
                label,
                detail: "enter takes it back".into(),
                then: Then::Order(Order::Forget(at)),
            };
            open(state, pick("Allowed for this session", words.into_iter().enumerate().map(item).collect()));
        }
        Told::Replay(blocks) => {
            state.transcript.extend(blocks);
            state.findings.clear();
        }
        Told::Ran { command, output, ok } => {
            let tail: Vec<String> = output.lines().map(ToOwned::to_owned).collect();
            let summary = if ok { String::new() } else { tail.last().cloned().unwrap_or_default() };
            let note = format!("The user ran `{command}` and it printed:\n{output}");
            state.notes.push(note);
            state.transcript.push(Block::Call {
                title: format!("! {}", one_line(&command)),
                ok,
                summary,
                tail,
            });
        }
        Told::Context { used, window } => state.context = (used, window),
    }
    Vec::new()
}

/// Work ended: what still waits goes back to the composer.
fn free(state: &mut State) -> Vec<Effect> {
    end_text(state);
    state.work = None;
    state.running.clear();
    if matches!(state.dialog, Some(Dialog::Ask(_))) {
        state.dialog = None;
    }
    if state.queued.is_empty() { Vec::new() } else { vec![Effect::Recall] }
}

/// Opens a dialog, unless a question is open: that comes first.
fn open(state: &mut State, dialog: Dialog) {
    if !matches!(state.dialog, Some(Dialog::Ask(_))) {
        state.dialog = Some(dialog);
    }
}

fn pick(title: &str, items: Vec<Item>) -> Dialog {
    Dialog::Pick(Pick { title: title.into(), items, filter: String::new(), chosen: 0 })
}

fn session(summary: Summary) -> Item {
    let time = summary.time.get(..16).unwrap_or_default().replace('T', " ");
    Item {
        label: one_line(&summary.title),
        detail: format!("{time} · {}", one_line(&summary.model)),
        then: Then::Order(Order::Resume(summary.session_id)),
    }
}

fn ended(report: &Report) -> Ended {
    let said = matches!(
        report.status,
        Outcome::Done | Outcome::Fixed | Outcome::FixedUnverified | Outcome::NoChange
    );
    Ended {
        outcome: report.status,
        // What the model said stands above already.
        reason: if said || !report.verification.is_empty() { String::new() } else { report.summary.clone() },
        files: report.files.iter().map(|file| (file.path.clone(), file.added, file.removed)).collect(),
        by_hand: report.by_hand.clone(),
        ms: report.duration_ms,
        cost: report.cost_usd,
        is_mission: !report.verification.is_empty() || !report.findings.is_empty(),
    }
}
