//! The state as lines: functions of what is known, nothing else.

mod ask;
mod block;
mod sheet;
mod viewport;

pub use block::{block, separated};

use super::screen::Frame;
use super::state::{Dialog, State};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

const FAINT: Style = Style::new().fg(Color::DarkGray);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const BAD: Style = Style::new().fg(Color::Red);
const WARN: Style = Style::new().fg(Color::Yellow);
const PLACE: Style = Style::new().fg(Color::Cyan);
const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);

/// What is to be drawn.
pub enum View {
    /// Under the terminal's own text.
    Inline(Frame),
    /// Over everything.
    Sheet(Frame),
}

/// The state at its size.
pub fn view(state: &State) -> View {
    let (width, height) = (usize::from(state.size.0), usize::from(state.size.1));
    match &state.dialog {
        Some(Dialog::Sheet(sheet)) => View::Sheet(sheet::text(state, sheet, width, height)),
        Some(Dialog::Findings { chosen }) => View::Sheet(sheet::findings(state, *chosen, width, height)),
        Some(Dialog::Ask(ask)) => ask::view(state, ask, width, height),
        _ => View::Inline(viewport::viewport(state, width, height)),
    }
}

/// A rule with words in it.
fn rule(title: &str, width: usize, look: Style) -> Line<'static> {
    let title = super::wrap::cut(title, width.saturating_sub(4));
    let rest = width.saturating_sub(super::paint::columns(&title) + 4);
    Line::from(vec![
        Span::styled("── ", FAINT),
        Span::styled(title, look),
        Span::styled(format!(" {}", "─".repeat(rest)), FAINT),
    ])
}

/// Names of keys and what they do, as many as fit.
fn hints(pairs: &[(&str, &str)], width: usize) -> Line<'static> {
    let mut spans = Vec::new();
    let mut used = 0;
    for (key, what) in pairs.iter().filter(|(key, _)| !key.is_empty()) {
        let need =
            super::paint::columns(key) + super::paint::columns(what) + 1 + if used > 0 { 3 } else { 0 };
        if used + need > width {
            break;
        }
        if used > 0 {
            spans.push(Span::styled(" · ", FAINT));
        }
        spans.push(Span::styled((*key).to_owned(), PLACE));
        spans.push(Span::styled(format!(" {what}"), FAINT));
        used += need;
    }
    Line::from(spans)
}
