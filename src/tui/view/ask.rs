//! A question: what will happen, exactly, why it is asked, and the answers.

use super::{BAD, BOLD, CHOSEN, FAINT, PLACE, View, WARN, hints, rule, viewport};
use crate::action::Action;
use crate::text::redact;
use crate::tui::change::{self, SPLIT_AT};
use crate::tui::code::{Language, highlight};
use crate::tui::keys::Deed;
use crate::tui::question::{Ask, Choice};
use crate::tui::screen::Frame;
use crate::tui::state::State;
use crate::tui::wrap::{clean, cut, one_line, wrap, wrap_text};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// The question under the terminal's text, or over everything where it does not fit.
pub(super) fn view(state: &State, ask: &Ask, width: usize, height: usize) -> View {
    let (body, here) = body(state, ask, width);
    let foot = foot(state, ask, width);
    let fixed = foot.len() + 2;
    let fits = body.len() + fixed < height;
    if ask.full.unwrap_or(!fits) {
        let room = height.saturating_sub(foot.len() + 1);
        let mut lines = vec![title(ask, width)];
        lines.extend(window(body, ask.top, room, here));
        lines.resize(1 + room, Line::default());
        let cursor = cursor(ask, &foot, lines.len(), width);
        lines.extend(foot);
        return View::Sheet(Frame { lines, cursor });
    }
    let room = height.saturating_sub(body.len().min(height) + fixed + 1);
    let mut lines = viewport::live(state, width, room.min(4));
    lines.push(title(ask, width));
    lines.extend(window(body, ask.top, height.saturating_sub(fixed), here));
    let cursor = cursor(ask, &foot, lines.len(), width);
    lines.extend(foot);
    lines.push(viewport::status(state, width));
    View::Inline(Frame { lines, cursor })
}

fn title(ask: &Ask, width: usize) -> Line<'static> {
    let what = match &ask.question.action {
        Action::Write { changes } if changes.len() == 1 => "change this file?".to_owned(),
        Action::Write { changes } => format!("change these {} files?", changes.len()),
        Action::Run { .. } => "run this command?".to_owned(),
        Action::Read { .. } => "read this?".to_owned(),
        Action::Fetch { .. } => "fetch this page?".to_owned(),
        Action::Reveal { .. } => "show this hidden value to the model?".to_owned(),
        Action::Connect { .. } => "let this command reach a host?".to_owned(),
        Action::Call { .. } => "call this tool of a server?".to_owned(),
    };
    let edited = if ask.edited { " (edited by you)" } else { "" };
    rule(&format!("{what}{edited}"), width, WARN.patch(BOLD))
}

/// What will happen, and the row of the hunk under the cursor.
fn body(state: &State, ask: &Ask, width: usize) -> (Vec<Line<'static>>, Option<usize>) {
    let mut lines = Vec::new();
    let mut here = None;
    match &ask.question.action {
        Action::Write { .. } => {
            let split = ask.split.unwrap_or(width >= SPLIT_AT);
            let mut offset = 0;
            for (at, shown) in ask.shown.iter().enumerate() {
                if at > 0 {
                    lines.push(Line::default());
                }
                lines.push(change::title(shown));
                let picked = ask
                    .picked
                    .as_ref()
                    .and_then(|picked| Some((picked.taken.get(at)?.as_slice(), offset, picked.at)));
                if let Some((taken, offset, at)) = picked
                    && (offset..offset + taken.len()).contains(&at)
                {
                    let before = crate::tui::state::Shown {
                        hunks: shown.hunks[..at - offset].to_vec(),
                        ..shown.clone()
                    };
                    let above = if before.hunks.is_empty() {
                        0
                    } else {
                        change::lines(&before, width, split, picked).len()
                    };
                    here = Some(lines.len() + above);
                }
                lines.extend(change::lines(shown, width, split, picked));
                offset += shown.hunks.len();
            }
        }
        Action::Run { command, workdir, timeout_ms, background } => {
            let text = redact(command);
            for (at, line) in highlight(&clean(&text), Some(Language::Bash)).iter().enumerate() {
                let lead = Span::styled(if at == 0 { "$ " } else { "  " }, BOLD);
                lines.extend(wrap(line, width, &lead, &Span::raw("  ")));
            }
            let workdir = if workdir == "." {
                state.desk.workspace.clone()
            } else {
                format!("{}/{workdir}", state.desk.workspace)
            };
            let mut fact = |name: &str, text: &str, look: Style| {
                let lead = Span::styled(format!("  {name:<9}"), FAINT);
                let rest = Span::raw(" ".repeat(11));
                lines.extend(wrap(&[Span::styled(one_line(text), look)], width, &lead, &rest));
            };
            fact("in", &workdir, Style::new());
            if state.desk.sandbox == "none" {
                fact("sandbox", "none: it can do whatever you can", BAD);
            } else {
                fact("sandbox", &state.desk.sandbox, Style::new());
                fact(
                    "network",
                    "none; a host that it wants is asked for, if not allowed before",
                    Style::new(),
                );
                fact("writes", "this folder and a private /tmp; not .git/hooks or .git/config", Style::new());
            }
            let seconds = timeout_ms / 1000;
            let on = if *background { ", and goes on after it returned" } else { "" };
            fact("limit", &format!("{seconds} s{on}"), Style::new());
        }
        Action::Read { paths } => {
            for path in paths {
                lines.extend(wrap_text(&one_line(path), BOLD, width, "  ", "  "));
            }
            lines.extend(wrap_text("what it holds goes to the model", FAINT, width, "  ", "  "));
        }
        Action::Connect { host, port, command } => {
            lines.extend(wrap_text(&format!("{}:{port}", one_line(host)), BOLD, width, "  ", "  "));
            let text = redact(command);
            lines.extend(wrap_text(&clean(&text), Style::new(), width, "  $ ", "    "));
            let warning = "it can send that host anything it can read";
            lines.extend(wrap_text(warning, WARN, width, "  ", "  "));
        }
        Action::Fetch { url, host } => {
            lines.extend(wrap_text(&one_line(&redact(url)), BOLD, width, "  ", "  "));
            lines.extend(wrap_text(&format!("host {}", one_line(host)), PLACE, width, "  ", "  "));
            lines.extend(wrap_text(
                "the request leaves this machine; the page goes to the model",
                FAINT,
                width,
                "  ",
                "  ",
            ));
        }
        Action::Reveal { path, line, kind, bytes } => {
            let place = format!("{}:{line}", one_line(path));
            lines.extend(wrap_text(&place, BOLD, width, "  ", "  "));
            let what = format!("{}, {bytes} bytes: it goes to the model, this once", one_line(kind));
            lines.extend(wrap_text(&what, FAINT, width, "  ", "  "));
        }
        Action::Call { server, tool, arguments } => {
            let name = format!("{} of {}", one_line(tool), one_line(server));
            lines.extend(wrap_text(&name, PLACE, width, "  ", "  "));
            lines.extend(wrap_text(&one_line(&redact(arguments)), BOLD, width, "  ", "  "));
            lines.extend(wrap_text("the server works outside of the sandbox", FAINT, width, "  ", "  "));
        }
    }
    (lines, here)
}

/// The part of the body that is shown; what is above and below is said.
fn window(body: Vec<Line<'static>>, top: usize, room: usize, here: Option<usize>) -> Vec<Line<'static>> {
    let count = body.len();
    if count <= room {
        return body;
    }
    let inner = room.saturating_sub(1).max(1);
    let last = count - inner;
    let top = here.map_or(top, |row| row.saturating_sub(2)).min(last);
    let mut lines: Vec<Line<'static>> = body.into_iter().skip(top).take(inner).collect();
    let text = format!("  lines {}-{} of {count}; ↑ ↓ move", top + 1, top + inner);
    lines.push(Line::from(Span::styled(text, WARN)));
    lines
}

fn foot(state: &State, ask: &Ask, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let lead = Span::styled("  asked because ", FAINT);
    let reason = one_line(&redact(&ask.question.reason));
    lines.extend(wrap(&[Span::raw(reason)], width, &lead, &Span::raw("  ")));
    if let Some(words) = &ask.tell {
        let text = one_line(&cut(words.text(), 4000));
        let shown = if columns_left(&text, width) {
            text
        } else {
            format!("…{}", tail(&text, width.saturating_sub(20)))
        };
        lines.push(Line::from(vec![Span::styled("  tell it: ", BOLD), Span::raw(shown)]));
        lines.push(hints(&[("enter", "reject with these words"), ("esc", "back")], width));
        return lines;
    }
    let mut spans = vec![Span::raw("  ")];
    for (at, choice) in ask.choices.iter().enumerate() {
        let (deed, text) = match choice {
            Choice::Once => (Deed::Once, "allow once"),
            Choice::Session => (Deed::Session, "allow for this session"),
            Choice::Reject => (Deed::Reject, "reject"),
            Choice::Tell => (Deed::Tell, "reject and say why"),
        };
        let look = if at == ask.focus { CHOSEN } else { Style::new() };
        if at > 0 {
            spans.push(Span::raw("  "));
        }
        spans.push(Span::styled(format!("[{}] {text}", state.keys.name(deed)), look));
    }
    lines.extend(wrap(&spans, width, &Span::raw(""), &Span::raw("  ")));
    if let Some(remember) = &ask.question.remember {
        lines.extend(wrap_text(&one_line(&redact(remember)), FAINT, width, "  for this session: ", "  "));
    }
    let mut pairs = vec![(state.keys.name(Deed::Next), "next choice")];
    if ask.picked.is_some() {
        pairs = vec![
            (state.keys.name(Deed::Toggle), "take or leave the hunk"),
            ("↑↓", "next hunk"),
            ("esc", "all hunks"),
        ];
    } else if !ask.changes.is_empty() {
        if ask.has_hunks() {
            pairs.push((state.keys.name(Deed::Hunks), "choose hunks"));
        }
        if ask.is_editable() {
            pairs.push((state.keys.name(Deed::Edit), "edit first"));
        }
        pairs.push((state.keys.name(Deed::Split), "side by side"));
    }
    pairs.push((state.keys.name(Deed::Full), "full screen"));
    let mut hints = hints(&pairs, width.saturating_sub(2));
    hints.spans.insert(0, Span::raw("  "));
    lines.push(hints);
    lines
}

/// The cursor stands in the sentence while one is written.
fn cursor(ask: &Ask, foot: &[Line<'static>], above: usize, width: usize) -> Option<(u16, u16)> {
    ask.tell.as_ref()?;
    let row = foot.len().checked_sub(2)?;
    let column = foot.get(row)?.width().min(width.saturating_sub(1));
    Some((u16::try_from(column).ok()?, u16::try_from(above + row).ok()?))
}

fn columns_left(text: &str, width: usize) -> bool {
    crate::tui::paint::columns(text) + 14 < width
}

fn tail(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters[letters.len().saturating_sub(width / 2)..].iter().collect()
}
