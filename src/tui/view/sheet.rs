//! Sheets: the help, the conversation with search, texts, the findings.

use super::{BAD, BOLD, CHOSEN, FAINT, PLACE, WARN, block, hints, rule, separated};
use crate::finding::{Finding, Severity};
use crate::text::redact;
use crate::tui::commands::COMMANDS;
use crate::tui::keys::TABLE;
use crate::tui::markdown::diff_look;
use crate::tui::screen::Frame;
use crate::tui::state::{Content, Sheet, State};
use crate::tui::wrap::{clean, cut, one_line, wrap, wrap_text};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// A sheet's text from its top line on, with its search.
pub(super) fn text(state: &State, sheet: &Sheet, width: usize, height: usize) -> Frame {
    let mut all = match &sheet.content {
        Content::Help => help(state, width),
        Content::Transcript => transcript(state, width),
        Content::Text(text) => plain(text, width),
    };
    let room = height.saturating_sub(2).max(1);
    let sought = sheet.search.to_lowercase();
    let mut title = sheet.title.clone();
    if !sought.is_empty() {
        let hit = |line: &Line<'static>| line.to_string().to_lowercase().contains(&sought);
        let count = all.iter().filter(|line| hit(line)).count();
        // Only what matches, with nothing around: the list is short, and clearing the search leads back.
        all = all.into_iter().filter(|line| hit(line)).map(|line| mark(line, &sought)).collect();
        title = format!("{title} · “{}”: {count} lines", one_line(&sheet.search));
    }
    let top = sheet.top.min(all.len().saturating_sub(room));
    let mut lines = vec![rule(&title, width, BOLD)];
    let count = all.len();
    lines.extend(all.into_iter().skip(top).take(room));
    lines.resize(room + 1, Line::default());
    let place = format!("{}/{count}", (top + room).min(count));
    lines.push(hints(
        &[("↑↓ pgup pgdn", "move"), ("type", "to search"), ("esc", "close"), (&place, "")],
        width,
    ));
    Frame { lines, cursor: None }
}

fn mark(line: Line<'static>, sought: &str) -> Line<'static> {
    let whole = line.to_string();
    let lower = whole.to_lowercase();
    match lower.find(sought) {
        // Lower case may be of another length; then the line is shown as it is.
        Some(at)
            if lower.len() == whole.len()
                && whole.is_char_boundary(at)
                && whole.is_char_boundary(at + sought.len()) =>
        {
            Line::from(vec![
                Span::raw(whole[..at].to_owned()),
                Span::styled(whole[at..at + sought.len()].to_owned(), CHOSEN),
                Span::raw(whole[at + sought.len()..].to_owned()),
            ])
        }
        _ => line,
    }
}

fn help(state: &State, width: usize) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(Span::styled("Commands", BOLD))];
    let entry = |name: String, help: &str| {
        let lead = Span::styled(format!("  {name:<34}"), PLACE);
        wrap(&[Span::raw(help.to_owned())], width, &lead, &Span::raw(" ".repeat(36)))
    };
    for command in COMMANDS {
        lines.extend(entry(format!("/{} {}", command.name, command.args), command.help));
    }
    lines.extend(entry("!COMMAND".into(), "a command of your own, in the sandbox; its output goes along"));
    lines.extend(entry("@FILE".into(), "names a file; tab completes"));
    lines.push(Line::default());
    lines.push(Line::from(Span::styled("Keys ([keys] in config.toml changes them by these names)", BOLD)));
    for entry_of in TABLE {
        lines.extend(entry(
            format!("{:<16} {}", state.keys.name(entry_of.deed), entry_of.name),
            entry_of.help,
        ));
    }
    lines
}

fn transcript(state: &State, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut before = None;
    for one in &state.transcript {
        if separated(before, one) {
            lines.push(Line::default());
        }
        lines.extend(block(one, width));
        before = Some(one);
    }
    lines
}

fn plain(text: &str, width: usize) -> Vec<Line<'static>> {
    let text = redact(text);
    clean(&text).lines().flat_map(|line| wrap_text(line, diff_look(line), width, "", "  ")).collect()
}

/// The findings: a list, and the chosen one with its way from source to sink.
pub(super) fn findings(state: &State, chosen: usize, width: usize, height: usize) -> Frame {
    let all = &state.findings;
    let room = height.saturating_sub(3);
    let list = (room / 2).clamp(1, all.len().max(1));
    let mut lines = vec![rule(&format!("Findings · {}", all.len()), width, BOLD)];
    let first = (chosen + 1).saturating_sub(list);
    for (at, finding) in all.iter().enumerate().skip(first).take(list) {
        let text =
            format!("{}:{}  {}", one_line(&finding.path), finding.span.line, finding.family.facts().title);
        let look = if at == chosen { CHOSEN } else { Style::new() };
        let fix = if finding.fix.is_some() { "fix known" } else { "" };
        lines.push(Line::from(vec![
            Span::styled(format!(" {:<9}", finding.severity.name()), severity(finding.severity)),
            Span::styled(cut(&text, width.saturating_sub(22)), look),
            Span::styled(format!("  {fix}"), FAINT),
        ]));
    }
    lines.push(Line::from(Span::styled("─".repeat(width), FAINT)));
    if let Some(finding) = all.get(chosen) {
        lines.extend(detail(finding, width));
    }
    lines.truncate(height.saturating_sub(1));
    lines.resize(height.saturating_sub(1), Line::default());
    lines.push(hints(&[("enter", "fix this one"), ("↑↓", "next"), ("esc", "close")], width));
    Frame { lines, cursor: None }
}

fn detail(finding: &Finding, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let within = finding.within.as_deref().map(|within| format!(" in {within}")).unwrap_or_default();
    let head =
        format!("{}:{}{within} · CWE-{} · {}", finding.path, finding.span.line, finding.cwe, finding.rule);
    lines.extend(wrap_text(&one_line(&head), BOLD, width, " ", " "));
    let message = finding.message.split_whitespace().collect::<Vec<_>>().join(" ");
    lines.extend(wrap_text(&clean(&redact(&message)), Style::new(), width, " ", " "));
    for (at, step) in finding.flow.iter().enumerate() {
        let lead = if at == 0 { " from " } else { "  →   " };
        let text = format!("{}:{}  {}", one_line(&step.path), step.line, one_line(&redact(&step.note)));
        lines.extend(wrap_text(&text, PLACE, width, lead, "      "));
    }
    match (&finding.fix, &finding.why_no_fix) {
        (Some(fix), _) => {
            lines.extend(wrap_text(&one_line(&fix.summary), Style::new(), width, " fix: ", "      "));
        }
        (None, Some(why)) => {
            lines.extend(wrap_text(&one_line(why), WARN, width, " no fix of its own: ", "      "));
        }
        (None, None) => {}
    }
    lines
}

fn severity(severity: Severity) -> Style {
    match severity {
        Severity::Critical => BAD.add_modifier(Modifier::BOLD),
        Severity::High => BAD,
        Severity::Medium => WARN,
        Severity::Low => FAINT,
    }
}
