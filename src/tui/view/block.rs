//! A finished block as lines for the terminal's own scrollback.

use super::{BAD, BOLD, FAINT, GOOD, PLACE, WARN};
use crate::event::Outcome;
use crate::text::redact;
use crate::tui::change;
use crate::tui::markdown;
use crate::tui::state::{Block, Desk, Ended, Tone};
use crate::tui::wrap::{clean, cut, one_line, wrap, wrap_text};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// Lines of a change that are printed when it is made; `/diff` shows all.
const CHANGE_LINES: usize = 60;
/// Lines of the user's own words that are printed.
const USER_LINES: usize = 20;

/// The block at that width.
pub fn block(block: &Block, width: usize) -> Vec<Line<'static>> {
    let width = width.max(20);
    match block {
        Block::Welcome(desk) => welcome(desk, width),
        Block::User(text) => user(text, width),
        Block::Prose(piece) => markdown::render(&piece.text, width),
        Block::Call { title, ok, summary, tail } => call(title, *ok, summary, tail, width),
        Block::Change(shown) => {
            let mut lines = vec![change::title(shown)];
            let all = change::lines(shown, width, width >= change::SPLIT_AT, None);
            let more = all.len().saturating_sub(CHANGE_LINES);
            lines.extend(all.into_iter().take(CHANGE_LINES));
            if more > 0 {
                lines.push(Line::from(Span::styled(
                    format!("  … {more} more lines; /diff shows them"),
                    FAINT,
                )));
            }
            lines
        }
        Block::Finding { text } => wrap_text(&clean(text), WARN, width, "! ", "  "),
        Block::Gate { name, status, evidence } => {
            let (mark, look) = match status.as_str() {
                "passed" => ("✓", GOOD),
                "failed" => ("✗", BAD),
                _ => ("?", WARN),
            };
            let lead = Span::styled(format!("{mark} {:<16}", one_line(name)), look);
            let rest = Span::raw(" ".repeat(18));
            wrap(&[Span::styled(one_line(&redact(evidence)), FAINT)], width, &lead, &rest)
        }
        Block::Ended(ended) => self::ended(ended, width),
        Block::Note(tone, text) => {
            let look = match tone {
                Tone::Faint => FAINT,
                Tone::Plain => Style::new(),
                Tone::Good => GOOD,
                Tone::Warn => WARN,
                Tone::Bad => BAD,
            };
            wrap_text(&clean(&redact(text)), look, width, "  ", "  ")
        }
    }
}

/// Whether a blank line parts two blocks.
pub fn separated(before: Option<&Block>, after: &Block) -> bool {
    let is_line = |block: &Block| {
        matches!(block, Block::Note(..) | Block::Call { .. } | Block::Gate { .. } | Block::Finding { .. })
    };
    match (before, after) {
        (None, _) => false,
        (_, Block::Prose(piece)) if piece.goes_on => false,
        (Some(before), Block::Change(_)) if is_line(before) => false,
        (Some(before), after) => !(is_line(before) && is_line(after)),
    }
}

fn welcome(desk: &Desk, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(vec![
        Span::styled("agent", BOLD),
        Span::styled(format!("  {}", cut(&one_line(&desk.workspace), width.saturating_sub(8))), FAINT),
    ])];
    let mut say = |text: &str| lines.extend(wrap_text(text, FAINT, width, "  ", "  "));
    if desk.model == crate::model::rules::NAME {
        say(
            "The embedded rules are at work: no key, no network. Describe a security issue (SQL injection in the \
             login endpoint) or look around with /scan; /model names others.",
        );
    } else {
        say(
            "Say what to do, /fix ISSUE to close a weakness and prove it, /scan to look around. @ names a file, ! runs \
             a command.",
        );
    }
    if desk.sandbox == "none" {
        lines.extend(wrap_text("No sandbox here: every command is asked for.", WARN, width, "  ", "  "));
    }
    lines
}

fn user(text: &str, width: usize) -> Vec<Line<'static>> {
    let text = redact(text);
    let text = clean(&text);
    let mut lines = wrap_text(text.trim_end(), BOLD, width, "› ", "  ");
    let more = lines.len().saturating_sub(USER_LINES);
    lines.truncate(USER_LINES);
    if more > 0 {
        lines.push(Line::from(Span::styled(format!("  … {more} more lines"), FAINT)));
    }
    lines
}

fn call(title: &str, ok: bool, summary: &str, tail: &[String], width: usize) -> Vec<Line<'static>> {
    let (mark, look) = if ok { ("✓ ", GOOD) } else { ("✗ ", BAD) };
    let summary = one_line(&redact(summary));
    let mut spans = vec![Span::raw(one_line(&redact(title)))];
    if ok && !summary.is_empty() {
        spans.push(Span::styled(format!("  {summary}"), FAINT));
    }
    let mut lines = wrap(&spans, width, &Span::styled(mark, look), &Span::raw("  "));
    for line in tail.iter().filter(|line| !line.trim().is_empty()) {
        lines.push(Line::from(Span::styled(cut(&format!("    {}", one_line(&redact(line))), width), FAINT)));
    }
    if !ok && !summary.is_empty() {
        lines.extend(wrap_text(&summary, BAD, width, "    ", "    "));
    }
    lines
}

fn ended(ended: &Ended, width: usize) -> Vec<Line<'static>> {
    let (words, look) = match ended.outcome {
        Outcome::Fixed => ("fixed, and every gate passed", GOOD),
        Outcome::FixedUnverified => ("changed, but a gate could not be asked", WARN),
        Outcome::NoChange => ("nothing to fix", GOOD),
        Outcome::NotFixed => ("not fixed", BAD),
        Outcome::Blocked => ("blocked: something is missing", WARN),
        Outcome::Denied => ("stopped by a denial", WARN),
        Outcome::PolicyRefusal => ("the provider refused", WARN),
        Outcome::Budget => ("a budget is used up", WARN),
        Outcome::ModelUnavailable => ("the model cannot be reached", BAD),
        Outcome::Cancelled => ("interrupted", WARN),
        Outcome::Error => ("something broke", BAD),
        Outcome::Done => ("done", FAINT),
    };
    let mut lines = Vec::new();
    if ended.outcome != Outcome::Done || ended.is_mission {
        let mut spans = vec![Span::styled("Result: ", BOLD), Span::styled(words, look.patch(BOLD))];
        if ended.ms >= 1000 {
            spans.push(Span::styled(format!("  {} s", ended.ms / 1000), FAINT));
        }
        if let Some(cost) = ended.cost.filter(|cost| *cost > 0.0) {
            spans.push(Span::styled(format!("  ${cost:.4}"), FAINT));
        }
        lines.push(Line::from(spans));
    }
    if !ended.reason.is_empty() {
        lines.extend(wrap_text(&clean(&redact(&ended.reason)), look, width, "  ", "  "));
    }
    for (path, added, removed) in &ended.files {
        lines.push(Line::from(vec![
            Span::styled(format!("  {}", change::short(path, width.saturating_sub(16))), PLACE),
            Span::styled(format!(" +{added}"), GOOD),
            Span::styled(format!(" -{removed}"), BAD),
        ]));
    }
    for note in &ended.by_hand {
        lines.extend(wrap_text(&clean(&redact(note)), WARN, width, "  by hand: ", "           "));
    }
    if !ended.files.is_empty() {
        lines.push(Line::from(Span::styled("  /diff shows it, /undo takes it back", FAINT)));
    }
    lines
}
