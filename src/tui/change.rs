//! A change as people read it: unified or side by side, words that differ marked, code coloured.

use super::code::{highlight, language_of};
use super::paint::columns;
use super::state::Shown;
use super::wrap::{clean, cut, one_line};
use crate::action::Change;
use crate::diff::{self, Hunk, Tag};
use crate::text::redact;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use similar::{ChangeTag, TextDiff};

const FAINT: Style = Style::new().fg(Color::DarkGray);
/// From this width on a change is shown side by side.
pub const SPLIT_AT: usize = 150;
/// Words of longer lines are not compared, in bytes.
const MAX_WORDS: usize = 400;

/// What differs, with secrets hidden. The hunks are those of the true texts: what is hidden never moves a line.
pub fn shown(change: &Change) -> Shown {
    let (before, after) = (change.before.as_deref().unwrap_or(""), change.after.as_deref().unwrap_or(""));
    let hunks = diff::hunks(before, after, 3);
    let (before, after) = (redact(before), redact(after));
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let hide = |mut hunk: Hunk| {
        let (mut at_old, mut at_new) = (hunk.old_start - 1, hunk.new_start - 1);
        for line in &mut hunk.lines {
            let text = if line.tag == Tag::Removed { old.get(at_old) } else { new.get(at_new) };
            text.copied().unwrap_or_default().clone_into(&mut line.text);
            at_old += usize::from(line.tag != Tag::Added);
            at_new += usize::from(line.tag != Tag::Removed);
        }
        hunk
    };
    Shown {
        path: change.path.clone(),
        moved_from: change.moved_from.clone(),
        created: change.before.is_none(),
        removed: change.after.is_none(),
        hunks: hunks.into_iter().map(hide).collect(),
    }
}

/// Which hunks are chosen, and which one the cursor is on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picked {
    /// For each file, for each hunk.
    pub taken: Vec<Vec<bool>>,
    /// The hunk under the cursor, counted over all files.
    pub at: usize,
}

/// The change's text when only the chosen hunks are made.
pub fn partial(before: &str, after: &str, taken: &[bool]) -> String {
    let hunks = diff::hunks(before, after, 3);
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let mut out = String::with_capacity(after.len());
    let mut at = 0;
    for (index, hunk) in hunks.iter().enumerate() {
        let start = hunk.old_start - 1;
        out.extend(old[at..start].iter().copied());
        if taken.get(index).copied().unwrap_or(true) {
            let first = hunk.new_start - 1;
            out.extend(new[first..first + hunk.new_count()].iter().copied());
        } else {
            out.extend(old[start..start + hunk.old_count()].iter().copied());
        }
        at = start + hunk.old_count();
    }
    out.extend(old[at..].iter().copied());
    out
}

/// One line on a file: what happens to it and how much.
pub fn title(shown: &Shown) -> Line<'static> {
    let count = |tag| shown.hunks.iter().flat_map(|hunk| &hunk.lines).filter(|line| line.tag == tag).count();
    let what = match (shown.created, shown.removed, &shown.moved_from) {
        (true, ..) => "new file ".to_owned(),
        (_, true, _) => "remove ".to_owned(),
        (.., Some(from)) => format!("move {} → ", one_line(from)),
        _ => String::new(),
    };
    Line::from(vec![
        Span::styled(what, Style::new().fg(Color::Yellow)),
        Span::styled(one_line(&shown.path), Style::new().add_modifier(Modifier::BOLD)),
        Span::styled(format!("  +{}", count(Tag::Added)), Style::new().fg(Color::Green)),
        Span::styled(format!(" -{}", count(Tag::Removed)), Style::new().fg(Color::Red)),
    ])
}

/// The change's lines, without its title. With `picked` every hunk has a mark; `offset` is the first hunk's number
/// over all files.
pub fn lines(
    shown: &Shown,
    width: usize,
    split: bool,
    picked: Option<(&[bool], usize, usize)>,
) -> Vec<Line<'static>> {
    let mut out = Vec::new();
    for (index, hunk) in shown.hunks.iter().enumerate() {
        let place = format!("@@ line {} @@", hunk.new_start);
        match picked {
            Some((taken, offset, at)) => {
                let here = offset + index == at;
                let mark = if taken.get(index).copied().unwrap_or(true) { "[x]" } else { "[ ]" };
                let look = Style::new().fg(Color::Cyan);
                let look = if here { look.add_modifier(Modifier::REVERSED) } else { look };
                out.push(Line::from(Span::styled(format!("{mark} {place}"), look)));
            }
            None if index > 0 => out.push(Line::from(Span::styled("  ⋮", FAINT))),
            None => {}
        }
        let rows = rows(shown, hunk);
        if split {
            side_by_side(&rows, width, &mut out);
        } else {
            unified(&rows, width, &mut out);
        }
    }
    if shown.hunks.is_empty() {
        out.push(Line::from(Span::styled("  no line differs", FAINT)));
    }
    out
}

/// A line of a hunk, coloured, the words that differ marked.
struct Row {
    tag: Tag,
    number: usize,
    spans: Vec<Span<'static>>,
}

fn rows(shown: &Shown, hunk: &Hunk) -> Vec<Row> {
    let language = language_of(&shown.path);
    let side = |without: Tag| {
        let lines: Vec<_> = hunk.lines.iter().filter(|line| line.tag != without).collect();
        let text: String = lines
            .iter()
            .map(|line| clean(&line.text).trim_end_matches('\n').replace('\n', " ") + "\n")
            .collect();
        highlight(&text, language).into_iter()
    };
    let (mut old, mut new) = (side(Tag::Added), side(Tag::Removed));
    let mut rows: Vec<Row> = Vec::new();
    for (number, line) in hunk.numbered() {
        let spans = match line.tag {
            Tag::Removed => old.next(),
            Tag::Added => new.next(),
            Tag::Same => {
                old.next();
                new.next()
            }
        };
        let mut spans = spans.unwrap_or_default();
        if line.unended {
            spans.push(Span::styled(" (no newline at the end)", FAINT));
        }
        rows.push(Row { tag: line.tag, number, spans });
    }
    mark_words(hunk, &mut rows);
    rows
}

/// Marks the words that differ where as many lines came as went.
fn mark_words(hunk: &Hunk, rows: &mut [Row]) {
    let mut at = 0;
    while at < rows.len() {
        let run = |from: usize, tag: Tag| rows[from..].iter().take_while(|row| row.tag == tag).count();
        let removed = run(at, Tag::Removed);
        let added = run(at + removed, Tag::Added);
        if removed > 0 && removed == added {
            for pair in at..at + removed {
                let (old, new) = (clean(&hunk.lines[pair].text), clean(&hunk.lines[pair + removed].text));
                if old.len().max(new.len()) > MAX_WORDS {
                    continue;
                }
                let words = TextDiff::from_words(old.as_ref(), new.as_ref());
                if words.ratio() < 0.4 {
                    continue;
                }
                let (mut gone, mut come) = (Vec::new(), Vec::new());
                let (mut in_old, mut in_new) = (0, 0);
                for change in words.iter_all_changes() {
                    let length = change.value().len();
                    match change.tag() {
                        ChangeTag::Equal => (in_old, in_new) = (in_old + length, in_new + length),
                        ChangeTag::Delete => {
                            gone.push(in_old..in_old + length);
                            in_old += length;
                        }
                        ChangeTag::Insert => {
                            come.push(in_new..in_new + length);
                            in_new += length;
                        }
                    }
                }
                rows[pair].spans = underline(std::mem::take(&mut rows[pair].spans), &gone);
                let other = pair + removed;
                rows[other].spans = underline(std::mem::take(&mut rows[other].spans), &come);
            }
        }
        at += (removed + added).max(1);
    }
}

fn underline(spans: Vec<Span<'static>>, ranges: &[std::ops::Range<usize>]) -> Vec<Span<'static>> {
    let mut out = Vec::new();
    let mut at = 0;
    for span in spans {
        let mut rest = span.content.as_ref();
        while !rest.is_empty() {
            let inside = ranges.iter().find(|range| range.contains(&at));
            let next = ranges.iter().map(|range| range.start).filter(|start| *start > at).min();
            let end = inside.map(|range| range.end).or(next).unwrap_or(usize::MAX);
            let take = rest.floor_char_boundary((end - at).min(rest.len())).max(1);
            let Some((piece, after)) = rest.split_at_checked(take) else { break };
            let mark = Modifier::BOLD | Modifier::UNDERLINED;
            let style = if inside.is_some() { span.style.add_modifier(mark) } else { span.style };
            out.push(Span::styled(piece.to_owned(), style));
            at += take;
            rest = after;
        }
    }
    out
}

fn sign(tag: Tag) -> Span<'static> {
    match tag {
        Tag::Same => Span::raw("  "),
        Tag::Removed => Span::styled("- ", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)),
        Tag::Added => Span::styled("+ ", Style::new().fg(Color::Green).add_modifier(Modifier::BOLD)),
    }
}

fn gutter(number: usize, tag: Tag) -> Span<'static> {
    let look = match tag {
        Tag::Same => FAINT,
        Tag::Removed => Style::new().fg(Color::Red),
        Tag::Added => Style::new().fg(Color::Green),
    };
    Span::styled(format!("{number:>4} "), look)
}

/// The text of a removed line is red where the code's own colours say nothing, so that it is told at a glance.
fn tint(spans: &[Span<'static>], tag: Tag) -> Vec<Span<'static>> {
    let colour = match tag {
        Tag::Same => return spans.to_vec(),
        Tag::Removed => Color::Red,
        Tag::Added => Color::Green,
    };
    let tinted = |span: &Span<'static>| {
        let style =
            if span.style.fg.is_none() || tag == Tag::Removed { span.style.fg(colour) } else { span.style };
        Span::styled(span.content.clone(), style)
    };
    spans.iter().map(tinted).collect()
}

fn unified(rows: &[Row], width: usize, out: &mut Vec<Line<'static>>) {
    for row in rows {
        let lead = [gutter(row.number, row.tag), sign(row.tag)];
        let spans = tint(&row.spans, row.tag);
        // Everything is shown: a line that is too long goes on below.
        for (at, line) in
            super::wrap::wrap(&spans, width.saturating_sub(7).max(8), &Span::raw(""), &Span::raw(""))
                .into_iter()
                .enumerate()
        {
            let mut whole: Vec<Span<'static>> =
                if at == 0 { lead.to_vec() } else { vec![Span::styled("     ↪ ", FAINT)] };
            whole.extend(line.spans);
            out.push(Line::from(whole));
        }
    }
}

fn side_by_side(rows: &[Row], width: usize, out: &mut Vec<Line<'static>>) {
    let half = width.saturating_sub(3) / 2;
    let cell = |row: Option<&Row>| -> Vec<Line<'static>> {
        let Some(row) = row else { return vec![Line::default()] };
        let mut lines = Vec::new();
        unified(std::slice::from_ref(row), half, &mut lines);
        lines
    };
    let mut join = |left: Option<&Row>, right: Option<&Row>| {
        let (left, right) = (cell(left), cell(right));
        for at in 0..left.len().max(right.len()) {
            let mut spans = left.get(at).cloned().unwrap_or_default().spans;
            let used = super::wrap::width_of(&spans);
            spans.push(Span::raw(" ".repeat(half.saturating_sub(used))));
            spans.push(Span::styled(" │ ", FAINT));
            spans.extend(right.get(at).cloned().unwrap_or_default().spans);
            out.push(Line::from(spans));
        }
    };
    let mut at = 0;
    while at < rows.len() {
        if rows[at].tag == Tag::Same {
            join(Some(&rows[at]), Some(&rows[at]));
            at += 1;
            continue;
        }
        let removed = rows[at..].iter().take_while(|row| row.tag == Tag::Removed).count();
        let added = rows[at + removed..].iter().take_while(|row| row.tag == Tag::Added).count();
        for pair in 0..removed.max(added) {
            let left = (pair < removed).then(|| &rows[at + pair]);
            let right = (pair < added).then(|| &rows[at + removed + pair]);
            join(left, right);
        }
        at += removed + added;
    }
}

/// A short path for a narrow place.
pub fn short(path: &str, width: usize) -> String {
    let path = one_line(path);
    if columns(&path) <= width {
        return path;
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    cut(&format!("…/{name}"), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: &str, after: &str) -> Change {
        Change {
            path: "a.py".into(),
            before: Some(before.into()),
            after: Some(after.into()),
            moved_from: None,
        }
    }

    fn text(lines: &[Line<'_>]) -> String {
        lines.iter().map(|line| line.to_string().trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn shows_what_goes_and_what_comes_with_numbers() {
        let shown = shown(&change("a\nx = 'one'\nc\n", "a\nx = 'two'\nc\n"));
        assert_eq!(
            text(&lines(&shown, 40, false, None)),
            "   1   a\n   2 - x = 'one'\n   2 + x = 'two'\n   3   c\n"
        );
        assert_eq!(
            text(&lines(&shown, 43, true, None)),
            "   1   a             │    1   a\n   2 - x = 'one'     │    2 + x = 'two'\n   3   c             │    3   c\n"
        );
        assert_eq!(title(&shown).to_string(), "a.py  +1 -1");
    }

    #[test]
    fn marks_the_words_that_differ() {
        let shown = shown(&change("query = a + b\n", "query = a + c\n"));
        let lines = lines(&shown, 40, false, None);
        let marked = |line: &Line<'_>| -> String {
            line.spans
                .iter()
                .filter(|s| s.style.add_modifier.contains(Modifier::UNDERLINED))
                .map(|s| s.content.as_ref())
                .collect()
        };
        assert_eq!((marked(&lines[0]).as_str(), marked(&lines[1]).as_str()), ("b", "c"));
    }

    #[test]
    fn only_the_chosen_hunks_are_made() {
        let before: String = (0..40).fold(String::new(), |text, n| text + "line " + &n.to_string() + "\n");
        let after =
            before.replace("line 3\n", "line three\n").replace("line 30\n", "").replace("line 39\n", "end");
        assert_eq!(partial(&before, &after, &[true, true, true]), after);
        assert_eq!(partial(&before, &after, &[false, false, false]), before);
        assert_eq!(
            partial(&before, &after, &[true, false, false]),
            before.replace("line 3\n", "line three\n")
        );
        assert_eq!(partial("", "new\n", &[false]), "");
    }

    #[test]
    fn secrets_are_hidden_and_hostile_text_is_spelt_out() {
        let token = format!("ghp_{}", "FAKEcanary0".repeat(4));
        let shown = shown(&change("k = 1\n", &format!("k = '{token}'\n\u{1b}[2J\u{202e}\n")));
        let text = text(&lines(&shown, 80, false, None));
        assert!(!text.contains("canary") && text.contains("[redacted:"), "{text}");
        assert!(text.contains("\\u{1b}[2J\\u{202e}"), "{text}");
    }

    #[test]
    fn long_lines_and_wide_characters_are_shown_whole() {
        let shown = shown(&change("", &format!("x = '{}'\n", "漢字".repeat(30))));
        for split in [false, true] {
            let lines = lines(&shown, 60, split, None);
            assert!(lines.iter().all(|line| line.width() <= 60), "{}", text(&lines));
            assert_eq!(text(&lines).matches('漢').count(), 30);
        }
    }
}
