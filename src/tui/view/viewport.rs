//! The viewport: words as they come, calls under way, the composer or a list, the status line.

use super::{BAD, BOLD, CHOSEN, FAINT, GOOD, PLACE, WARN, hints, rule};
use crate::text::redact;
use crate::tui::complete::rank;
use crate::tui::keys::Deed;
use crate::tui::markdown;
use crate::tui::paint::columns;
use crate::tui::screen::Frame;
use crate::tui::state::{Dialog, Pick, State};
use crate::tui::wrap::{clean, cut, one_line};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Rows of a list.
const LIST: usize = 10;
/// Of the words that stream, so much is looked at for a frame; bytes.
const LIVE_BYTES: usize = 12 * 1024;

/// The viewport at that size.
pub(super) fn viewport(state: &State, width: usize, height: usize) -> Frame {
    let (bottom, cursor) = match &state.dialog {
        Some(Dialog::Pick(pick)) => list(pick, width),
        _ => composer(state, width, height),
    };
    let status = status(state, width);
    let room = height.saturating_sub(bottom.len() + 2);
    let mut lines = live(state, width, room);
    let above = lines.len();
    lines.extend(bottom);
    lines.push(status);
    let cursor = cursor.map(|(x, y)| (narrow(x), narrow(y + above)));
    Frame { lines, cursor }
}

fn narrow(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// What is under way, cut to the last `room` rows.
pub(super) fn live(state: &State, width: usize, room: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let rest = state.flow.rest();
    if !rest.trim().is_empty() {
        lines.push(Line::default());
        let start = rest.ceil_char_boundary(rest.len().saturating_sub(LIVE_BYTES));
        lines.extend(markdown::render(&rest[start..], width));
    }
    if !state.thought.trim().is_empty() {
        lines.push(Line::from(Span::styled(
            cut(&format!("  ∴ {}", one_line(state.thought.trim())), width),
            FAINT,
        )));
    }
    for call in &state.running {
        lines.push(Line::from(vec![
            Span::styled("… ", WARN),
            Span::raw(cut(&one_line(&redact(&call.title)), width.saturating_sub(2))),
        ]));
        for line in call.tail.iter().filter(|line| !line.trim().is_empty()) {
            let text = format!("    {}", one_line(&redact(line)));
            lines.push(Line::from(Span::styled(cut(&text, width), FAINT)));
        }
    }
    if let Some(work) = &state.work {
        let what = if work.stopping { "stopping" } else { work.what.as_str() };
        let key = state.keys.name(Deed::Interrupt);
        let text = format!("  {what} · {} s · {key} stops", work.seconds);
        lines.push(Line::from(Span::styled(cut(&text, width), FAINT)));
    }
    for words in &state.queued {
        let text = cut(&format!("  waits: {}", one_line(&redact(words))), width);
        lines.push(Line::from(Span::styled(text, PLACE)));
    }
    lines.drain(..lines.len().saturating_sub(room));
    lines
}

/// The composer with its candidates, and the cursor in it.
fn composer(state: &State, width: usize, height: usize) -> (Vec<Line<'static>>, Option<(usize, usize)>) {
    let mut lines = vec![Line::from(Span::styled("─".repeat(width), FAINT))];
    let inner = width.saturating_sub(2);
    let (rows, (x, y)) = state.composer.rows(inner);
    let most = (height / 3).clamp(1, 12);
    let top = (y + 1).saturating_sub(most);
    if state.composer.is_empty() {
        let words = if state.is_busy() {
            "say more: it is read before the next answer"
        } else {
            "describe an issue, or / for commands"
        };
        let text = cut(words, inner.saturating_sub(1));
        lines.push(Line::from(vec![Span::styled("› ", BOLD), Span::styled(text, FAINT)]));
    } else {
        for (at, row) in rows.iter().enumerate().skip(top).take(most) {
            let lead = if at == 0 { Span::styled("› ", BOLD) } else { Span::raw("  ") };
            lines.push(Line::from(vec![lead, Span::raw(row.clone())]));
        }
    }
    if let Some(completion) = &state.completion {
        let room = height.saturating_sub(lines.len() + 3).clamp(1, 8);
        let first = (completion.chosen + 1).saturating_sub(room);
        for (at, (text, detail)) in completion.items.iter().enumerate().skip(first).take(room) {
            let look = if at == completion.chosen { CHOSEN } else { Style::new() };
            let text = cut(&one_line(text), inner);
            let detail = cut(&one_line(detail), inner.saturating_sub(columns(&text) + 2));
            lines.push(Line::from(vec![
                Span::raw("  "),
                Span::styled(text, look),
                Span::styled(format!("  {detail}"), FAINT),
            ]));
        }
    }
    (lines, Some((x + 2, y - top + 1)))
}

fn list(pick: &Pick, width: usize) -> (Vec<Line<'static>>, Option<(usize, usize)>) {
    let mut lines = vec![rule(&pick.title, width, BOLD)];
    let filter = cut(&clean(&pick.filter), width.saturating_sub(4));
    let cursor = (2 + columns(&filter), 1);
    lines.push(Line::from(vec![Span::styled("› ", BOLD), Span::raw(filter)]));
    let matching = rank(pick);
    let first = (pick.chosen + 1).saturating_sub(LIST);
    for (at, index) in matching.iter().enumerate().skip(first).take(LIST) {
        let Some(item) = pick.items.get(*index) else { continue };
        let look = if at == pick.chosen { CHOSEN } else { Style::new() };
        let label = cut(&one_line(&item.label), width.saturating_sub(4));
        let detail = cut(&one_line(&item.detail), width.saturating_sub(columns(&label) + 6));
        lines.push(Line::from(vec![
            Span::raw("  "),
            Span::styled(label, look),
            Span::styled(format!("  {detail}"), FAINT),
        ]));
    }
    if matching.is_empty() {
        lines.push(Line::from(Span::styled("  nothing matches", FAINT)));
    }
    lines.push(hints(&[("enter", "choose"), ("esc", "close"), ("type", "to narrow")], width));
    (lines, Some(cursor))
}

/// Model, mode, sandbox, context, cost; or a hint.
pub(super) fn status(state: &State, width: usize) -> Line<'static> {
    if let Some(hint) = &state.hint {
        return Line::from(Span::styled(cut(&one_line(&redact(hint)), width), WARN));
    }
    let desk = &state.desk;
    let mode = match desk.mode.as_str() {
        "auto" => WARN,
        "read-only" => GOOD,
        _ => PLACE,
    };
    let walls = if desk.sandbox == "none" { BAD } else { FAINT };
    let mut parts: Vec<(String, Style)> = Vec::new();
    if desk.model.is_empty() {
        parts.push(("starting".into(), FAINT));
    } else {
        parts.push((one_line(&desk.model), BOLD));
        parts.push((desk.mode.clone(), mode));
        parts.push((format!("sandbox {}", desk.sandbox), walls));
    }
    let (used, window) = state.context;
    if used > 0 {
        let text = match (used * 100).checked_div(window) {
            Some(percent) => format!("context {percent}%"),
            None => format!("context {}k", used.div_ceil(1000)),
        };
        let look = if window > 0 && used * 10 > window * 8 { WARN } else { FAINT };
        parts.push((text, look));
    }
    if let Some(cost) = state.spent.and_then(|spent| spent.total_cost_usd).filter(|cost| *cost > 0.0) {
        parts.push((format!("${cost:.4}"), FAINT));
    }
    parts.push((format!("{} commands", state.keys.name(Deed::Palette)), FAINT));
    parts.push((format!("{} help", state.keys.name(Deed::Help)), FAINT));
    let mut spans = Vec::new();
    let mut used = 0;
    for (text, look) in parts {
        let need = columns(&text) + if used > 0 { 3 } else { 0 };
        if used + need > width {
            break;
        }
        if used > 0 {
            spans.push(Span::styled(" · ", FAINT));
        }
        used += need;
        spans.push(Span::styled(text, look));
    }
    Line::from(spans)
}
