//! From text with secrets hidden back to the text itself: a model edits what it was shown, and what it was
//! shown holds `[redacted:kind]` where the file holds a secret.

use super::redact;
use std::ops::Range;

/// How every stand-in begins.
const MARK: &str = "[redacted:";

/// Whether a text holds a stand-in for a secret.
pub fn has_stand_in(text: &str) -> bool {
    text.contains(MARK)
}

/// The bytes of `text` that `shown`, a piece of its redacted form, stands for. `None` when it stands for
/// nothing or for more than one place.
pub fn locate(text: &str, shown: &str) -> Option<Range<usize>> {
    if shown.is_empty() {
        return None;
    }
    let view = redact(text);
    let mut found = view.match_indices(shown);
    let (start, _) = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let start_there = offset(text, &view, start)?;
    let end_there = offset(text, &view, start + shown.len())?;
    (start_there <= end_there).then_some(start_there..end_there)
}

/// `new` with its stand-ins replaced by the secrets that stood at the same stand-ins of `shown`, in order.
/// `None` when `new` holds one that `shown` does not.
pub fn restore(shown: &str, original: &str, new: &str) -> Option<String> {
    let mut secrets = secrets(shown, original)?;
    let mut out = String::with_capacity(new.len());
    let mut rest = new;
    while let Some((before, stand_in, after)) = next_stand_in(rest) {
        let at = secrets.iter().position(|(kind, _)| *kind == stand_in)?;
        let (_, secret) = secrets.remove(at);
        out.push_str(before);
        out.push_str(secret);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// One hidden value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden<'a> {
    /// Its line, from 1.
    pub line: u64,
    /// What it was taken for.
    pub kind: &'a str,
    /// What stands there.
    pub value: &'a str,
}

/// What is hidden of `text` in `view`, its redacted (or masked) form, line by line. A line that the two do not
/// agree on otherwise is left out.
pub fn list<'a>(view: &'a str, text: &'a str) -> Vec<Hidden<'a>> {
    let mut all = Vec::new();
    for (line, (shown, original)) in (1..).zip(view.split('\n').zip(text.split('\n'))) {
        if shown == original || !has_stand_in(shown) {
            continue;
        }
        for (stand_in, value) in secrets(shown, original).unwrap_or_default() {
            let kind = stand_in.trim_start_matches(MARK).trim_end_matches(']');
            all.push(Hidden { line, kind, value });
        }
    }
    all
}

/// The kinds that the stand-ins of a text name, in order.
pub fn kinds(text: &str) -> Vec<&str> {
    let (mut all, mut rest) = (Vec::new(), text);
    while let Some((_, stand_in, after)) = next_stand_in(rest) {
        all.push(stand_in.trim_start_matches(MARK).trim_end_matches(']'));
        rest = after;
    }
    all
}

/// The stand-ins of `shown` with what stands in their place in `original`.
fn secrets<'a, 'b>(shown: &'a str, original: &'b str) -> Option<Vec<(&'a str, &'b str)>> {
    let mut out = Vec::new();
    let (mut shown, mut original) = (shown, original);
    while let Some((before, stand_in, after)) = next_stand_in(shown) {
        original = original.strip_prefix(before)?;
        // What follows the secret, up to the next stand-in, tells where it ends.
        let follows = next_stand_in(after).map_or(after, |(text, ..)| text);
        let end = if follows.is_empty() { original.len() } else { original.find(follows)? };
        out.push((stand_in, &original[..end]));
        original = &original[end..];
        shown = after;
    }
    (original == shown).then_some(out)
}

/// Text before the next stand-in, the stand-in, text after it.
fn next_stand_in(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.find(MARK)?;
    let end = start + text[start..].find(']')? + 1;
    Some((&text[..start], &text[start..end], &text[end..]))
}

/// An offset in the redacted view as an offset in the text. Redaction keeps lines, so only the line counts:
/// from its start when no secret stands before, from its end when none stands behind.
fn offset(text: &str, view: &str, at: usize) -> Option<usize> {
    let line = view[..at].matches('\n').count();
    let start_of = |text: &str| {
        if line == 0 { Some(0) } else { text.match_indices('\n').nth(line - 1).map(|(at, _)| at + 1) }
    };
    let line_of =
        |text: &'_ str, start: usize| text[start..].find('\n').map_or(text.len(), |end| start + end);
    let (view_start, text_start) = (start_of(view)?, start_of(text)?);
    let (view_end, text_end) = (line_of(view, view_start), line_of(text, text_start));
    let (before, behind) = (&view[view_start..at], &view[at..view_end.max(at)]);
    if text[text_start..text_end].starts_with(before) {
        Some(text_start + before.len())
    } else if text[text_start..text_end].ends_with(behind) {
        Some(text_end - behind.len())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> String {
        format!("import os\nTOKEN = \"ghp_{}\"  # used below\nprint(TOKEN)\n", "a1B2".repeat(9))
    }

    #[test]
    fn finds_the_place_a_shown_piece_stands_for() {
        let text = sample();
        let view = redact(&text).into_owned();
        assert!(has_stand_in(&view), "{view}");
        let shown: String = view.lines().nth(1).unwrap().to_owned() + "\n";
        let range = locate(&text, &shown).unwrap();
        assert_eq!(&text[range], format!("{}\n", text.lines().nth(1).unwrap()));
        assert_eq!(locate(&text, "no such"), None);
        assert_eq!(locate(&text, ""), None);
        assert_eq!(locate(&text.repeat(2), &shown), None, "two places");
    }

    #[test]
    fn puts_secrets_back_where_they_stay() {
        let text = sample();
        let view = redact(&text).into_owned();
        let renamed = view.replace("TOKEN", "KEY");
        assert_eq!(restore(&view, &text, &renamed).unwrap(), text.replace("TOKEN", "KEY"));
        assert_eq!(restore(&view, &text, "gone").unwrap(), "gone");
        assert_eq!(restore(&view, &text, "x = [redacted:other]"), None);
    }
}
