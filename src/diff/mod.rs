//! Two texts to hunks; patch text to changes and back.
//!
//! Lines end at `\n` and nowhere else: a `\r` before it belongs to the line, so that nothing is lost on the way
//! through a diff and back.

mod apply;
mod drift;
mod envelope;
mod fold;
pub mod ladder;
mod lines;
mod nearest;
pub mod patch;
mod place;
mod seek;
mod unified;

use similar::{Algorithm, DiffOp, capture_diff_slices, group_diff_ops};
use std::fmt::Write as _;

/// What a line of a hunk is to the two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// In both texts.
    Same,
    /// Only in the old text.
    Removed,
    /// Only in the new text.
    Added,
}

impl Tag {
    /// The sign a diff puts before the line.
    pub fn sign(self) -> char {
        match self {
            Tag::Same => ' ',
            Tag::Removed => '-',
            Tag::Added => '+',
        }
    }
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which text it belongs to.
    pub tag: Tag,
    /// Its text without `\n`; a `\r` stays.
    pub text: String,
    /// Whether it is the last line of its text and has no newline.
    pub unended: bool,
}

/// A stretch of change with the lines around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// 1-based line where the hunk begins in the old text; with no old lines, the line it would come before.
    pub old_start: usize,
    /// 1-based line where the hunk begins in the new text; with no new lines, the line it would come before.
    pub new_start: usize,
    /// Same, removed and added lines, in order.
    pub lines: Vec<Line>,
}

impl Hunk {
    /// How many of its lines the old text has.
    pub fn old_count(&self) -> usize {
        self.lines.iter().filter(|line| line.tag != Tag::Added).count()
    }

    /// How many of its lines the new text has.
    pub fn new_count(&self) -> usize {
        self.lines.iter().filter(|line| line.tag != Tag::Removed).count()
    }

    /// Its lines with their 1-based numbers: the old one for removed lines, the new one for all others.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Line)> {
        let (mut old, mut new) = (self.old_start, self.new_start);
        self.lines.iter().map(move |line| {
            let number = if line.tag == Tag::Removed { old } else { new };
            old += usize::from(line.tag != Tag::Added);
            new += usize::from(line.tag != Tag::Removed);
            (number, line)
        })
    }
}

/// The hunks between two texts, each with up to `context` unchanged lines around it.
pub fn hunks(before: &str, after: &str, context: usize) -> Vec<Hunk> {
    let (old, new) = (lines::split(before), lines::split(after));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    group_diff_ops(ops, context)
        .iter()
        .filter(|group| group.iter().any(|op| !matches!(op, DiffOp::Equal { .. })))
        .map(|group| gather(group, &old, &new))
        .collect()
}

fn gather(group: &[DiffOp], old: &[&str], new: &[&str]) -> Hunk {
    let mut lines = Vec::new();
    let mut push = |tag, of: &[&str], range: std::ops::Range<usize>| {
        lines.extend(of[range].iter().map(|line| Line {
            tag,
            text: lines::body(line).to_owned(),
            unended: !line.ends_with('\n'),
        }));
    };
    for op in group {
        if let DiffOp::Equal { .. } = op {
            push(Tag::Same, old, op.old_range());
        } else {
            push(Tag::Removed, old, op.old_range());
            push(Tag::Added, new, op.new_range());
        }
    }
    let start = group.first().map_or((0, 0), |op| (op.old_range().start, op.new_range().start));
    Hunk { old_start: start.0 + 1, new_start: start.1 + 1, lines }
}

/// A unified diff of one file with three lines of context, `--- a/path` and `+++ b/path` headers included;
/// `/dev/null` stands where a side does not exist. Empty when nothing differs.
pub fn unified(path: &str, before: Option<&str>, after: Option<&str>) -> String {
    if before == after {
        return String::new();
    }
    let old = before.map_or_else(|| "/dev/null".to_owned(), |_| format!("a/{path}"));
    let new = after.map_or_else(|| "/dev/null".to_owned(), |_| format!("b/{path}"));
    let mut out = format!("--- {old}\n+++ {new}\n");
    for hunk in hunks(before.unwrap_or(""), after.unwrap_or(""), 3) {
        let old = side(hunk.old_start, hunk.old_count());
        let new = side(hunk.new_start, hunk.new_count());
        // Writing to a String cannot fail.
        let _ = writeln!(out, "@@ -{old} +{new} @@");
        for line in &hunk.lines {
            let _ = writeln!(out, "{}{}", line.tag.sign(), line.text);
            if line.unended {
                out.push_str("\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// One side of a hunk header: an empty side names the line before it, a single line needs no count.
fn side(start: usize, count: usize) -> String {
    match count {
        0 => format!("{},0", start - 1),
        1 => start.to_string(),
        _ => format!("{start},{count}"),
    }
}

/// The diff with line numbers (`12 - old`, `12 + new`), hunks parted by `...`. Removed lines carry their old
/// number, all others their new one. Empty when nothing differs.
pub fn numbered(before: &str, after: &str, context: usize) -> String {
    let hunks = hunks(before, after, context);
    let last = hunks.iter().flat_map(Hunk::numbered).map(|(number, _)| number).max().unwrap_or(0);
    let width = last.to_string().len();
    // Where every line ends in CRLF the carriage returns say nothing.
    let crlf =
        hunks.iter().flat_map(|hunk| &hunk.lines).all(|line| line.unended || line.text.ends_with('\r'));
    let mut out = String::new();
    for (index, hunk) in hunks.iter().enumerate() {
        if index > 0 {
            out.push_str("...\n");
        }
        for (number, line) in hunk.numbered() {
            let text = if crlf { line.text.trim_end_matches('\r') } else { &line.text };
            let _ = writeln!(out, "{number:>width$} {} {text}", line.tag.sign());
            if line.unended {
                out.push_str("\\ No newline at end of file\n");
            }
        }
    }
    out
}

/// Lines added and removed.
pub fn stats(before: &str, after: &str) -> (usize, usize) {
    let (old, new) = (lines::split(before), lines::split(after));
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    ops.iter()
        .filter(|op| !matches!(op, DiffOp::Equal { .. }))
        .fold((0, 0), |(added, removed), op| (added + op.new_range().len(), removed + op.old_range().len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_both_sides_and_counts_their_lines() {
        let check = |before: Option<&str>, after: Option<&str>, expected: &str| {
            assert_eq!(unified("f", before, after), expected);
        };
        check(Some("a\n"), Some("a\n"), "");
        check(Some("a\nb\n"), Some("a\nc\n"), "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n");
        check(None, Some("a\n"), "--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+a\n");
        check(Some("a\n"), None, "--- a/f\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n");
        check(None, Some(""), "--- /dev/null\n+++ b/f\n");
        check(
            Some("a"),
            Some("a\n"),
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n",
        );
        check(
            Some("a\nb"),
            Some("x\nb"),
            "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n",
        );
    }

    #[test]
    fn a_lone_carriage_return_does_not_end_a_line() {
        assert_eq!(
            unified("f", Some("a\rb\n"), Some("a\rc\n")),
            "--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\rb\n+a\rc\n"
        );
        assert_eq!(stats("a\rb\n", "a\rc\n"), (1, 1));
    }

    #[test]
    fn the_numbered_diff_shows_where_each_line_stands() {
        let before = "l1\nl2\nl3\nl4\nl5\nl6\nl7\nl8\nl9\nl10\nl11\nl12\n";
        let after = before.replace("l2\n", "L2\nnew\n").replace("l11\n", "");
        assert_eq!(
            numbered(before, &after, 1),
            " 1   l1\n 2 - l2\n 2 + L2\n 3 + new\n 4   l3\n...\n11   l10\n11 - l11\n12   l12\n"
        );
        assert_eq!(numbered("a\r\nb\r\n", "a\r\nc\r\n", 1), "1   a\n2 - b\n2 + c\n");
        assert_eq!(numbered("same", "same", 3), "");
    }

    #[test]
    fn stats_count_lines_not_hunks() {
        let check = |before, after, expected| assert_eq!(stats(before, after), expected);
        check("", "", (0, 0));
        check("", "a\nb", (2, 0));
        check("a\nb\nc\n", "a\nc\n", (0, 1));
        check("a\n", "a", (1, 1));
    }
}
