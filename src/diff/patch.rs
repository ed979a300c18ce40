//! Patch text to changes: the `*** Begin Patch` envelope and unified diffs, parsed to one shape.
//!
//! Parsing and applying are pure: the caller reads and writes the files.

pub use super::apply::{Applied, PatchError, Reason};
use super::lines::BOM;
pub use super::seek::Unplaced;
use super::{Line, Tag, envelope, unified};
use std::fmt;

/// What a patch text says, file by file, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// At least one.
    pub files: Vec<FilePatch>,
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePatch {
    /// The file, as the patch names it; where it is before a move.
    pub path: String,
    /// Where it goes, when it moves.
    pub moved_to: Option<String>,
    /// What happens.
    pub kind: Kind,
    /// Changes in file order; the whole content of an added file, the old content of a deleted one.
    pub chunks: Vec<Chunk>,
    pub(super) form: Form,
}

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is made; it must not exist.
    Add,
    /// It changes, or moves, or both; it must exist.
    Update,
    /// It goes; it must exist.
    Delete,
}

/// Which of the two spellings a file patch came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Envelope,
    Unified,
}

/// One stretch of change, with what says where it belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Its header as written, `@@` when it had none.
    pub header: String,
    /// Lines that stand before it, outermost first (`@@ class A`, `@@ def b`).
    pub anchors: Vec<String>,
    /// The 1-based old line and old line count its header states.
    pub stated: Option<(usize, usize)>,
    /// What git puts behind the numbers: a line that stands before it. Only ever chooses between candidates.
    pub section: Option<String>,
    /// Whether it must end where the file ends.
    pub at_end: bool,
    /// Same, removed and added lines.
    pub lines: Vec<Line>,
}

impl Chunk {
    /// The lines it wants to find, `\r` kept.
    pub(super) fn old_lines(&self) -> Vec<&str> {
        self.lines.iter().filter(|line| line.tag != Tag::Added).map(|line| line.text.as_str()).collect()
    }

    /// Where its first change stands within its old lines, and where the line behind its last one.
    pub(super) fn changed(&self) -> (usize, usize) {
        let old = |lines: &[Line]| lines.iter().filter(|line| line.tag != Tag::Added).count();
        let changed = |line: &Line| line.tag != Tag::Same;
        let first = self.lines.iter().position(changed).unwrap_or(self.lines.len());
        let last = self.lines.iter().rposition(changed).map_or(first, |last| last + 1);
        (old(&self.lines[..first]), old(&self.lines[..last]))
    }

    /// The line its header states, moved by a drift.
    pub(super) fn line_after(&self, drift: isize) -> Option<isize> {
        isize::try_from(self.stated?.0).ok()?.checked_add(drift)
    }

    /// Takes up what its header states.
    pub(super) fn state(&mut self, line: &str) {
        line.trim_end().clone_into(&mut self.header);
        match header(line) {
            Some(Header::Numbers { old_start, old_count, section, .. }) => {
                self.stated = Some((old_start, old_count));
                self.section = Some(section.to_owned()).filter(|section| !section.is_empty());
            }
            Some(Header::Anchor(anchor)) => self.anchors.push(anchor.to_owned()),
            Some(Header::Bare) | None => {}
        }
    }

    /// Appends a line.
    pub(super) fn push(&mut self, tag: Tag, text: &str) {
        self.lines.push(Line { tag, text: text.to_owned(), unended: false });
    }

    /// Marks the line last appended as one without a newline.
    pub(super) fn mark_unended(&mut self) {
        if let Some(last) = self.lines.last_mut() {
            last.unended = true;
        }
    }

    /// Takes away empty context lines at the end that were only there to look tidy.
    pub(super) fn drop_trailing(&mut self, empty: usize) {
        let keep = self.lines.len().saturating_sub(empty);
        self.lines.truncate(keep);
    }
}

/// Why a text is not a patch; the line is 1-based within the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where, when it is one line's fault.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl ParseError {
    pub(super) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self { line: Some(line + 1), reason: reason.into() }
    }

    pub(super) fn whole(reason: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into() }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} of the patch: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for ParseError {}

/// Parses either spelling. Text around it (a fence, a heredoc, a mail) is passed over.
pub fn parse(text: &str) -> Result<Patch, ParseError> {
    let text = text.strip_prefix(BOM).unwrap_or(text);
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    // A patch that came with CRLF throughout was carried so; in one that did not, `\r` is content.
    if !lines.is_empty() && lines.iter().all(|line| line.ends_with('\r')) {
        for line in &mut lines {
            *line = line.trim_end_matches('\r');
        }
    }
    // Either spelling may hold the other's first line as content: the one that comes first counts.
    let begin = lines.iter().position(|line| line.trim() == envelope::BEGIN);
    let files = match begin.filter(|begin| unified::begin(&lines).is_none_or(|other| *begin < other)) {
        Some(begin) => envelope::parse(&lines, begin)?,
        None => unified::parse(&lines)?,
    };
    if files.is_empty() {
        return Err(ParseError::whole(
            "no patch found: it begins with `*** Begin Patch`, or is a unified diff with `--- ` and `+++ ` lines",
        ));
    }
    Ok(Patch { files })
}

/// What stands behind `@@`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header<'a> {
    /// `@@ -a,b +c,d @@ section`: old start and count, new count, and the rest.
    Numbers { old_start: usize, old_count: usize, new_count: usize, section: &'a str },
    /// `@@ some line`.
    Anchor(&'a str),
    /// `@@`.
    Bare,
}

/// Reads a line that begins with `@@`; `None` for any other.
pub(super) fn header(line: &str) -> Option<Header<'_>> {
    let rest = line.strip_prefix("@@")?;
    if let Some(numbers) = numbers(rest) {
        return Some(numbers);
    }
    let anchor = rest.trim_end().strip_suffix("@@").unwrap_or(rest).trim_end_matches('\r');
    let anchor = anchor.strip_prefix(' ').unwrap_or(anchor);
    // `@@ ... @@` and `@@ -?,? +?,? @@` stand for numbers that were not counted: the content decides alone.
    let uncounted = anchor.trim().chars().all(|c| matches!(c, '.' | '…'))
        || (rest.trim_end().ends_with("@@") && anchor.starts_with('-') && anchor.contains(" +"));
    Some(if uncounted { Header::Bare } else { Header::Anchor(anchor) })
}

fn numbers(rest: &str) -> Option<Header<'_>> {
    let (ranges, section) = rest.trim_start().split_once("@@")?;
    let mut sides = ranges.split_whitespace();
    let (old_start, old_count) = range(sides.next()?.strip_prefix('-')?)?;
    let (_, new_count) = range(sides.next()?.strip_prefix('+')?)?;
    let section = section.trim();
    sides.next().is_none().then_some(Header::Numbers { old_start, old_count, new_count, section })
}

fn range(text: &str) -> Option<(usize, usize)> {
    let (start, count) = text.split_once(',').unwrap_or((text, "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_numbers_or_an_anchor_or_bare() {
        let check = |line, expected| assert_eq!(header(line), expected, "{line}");
        let numbers = |old_start, old_count, new_count, section| {
            Some(Header::Numbers { old_start, old_count, new_count, section })
        };
        check("@@ -1,2 +3,4 @@", numbers(1, 2, 4, ""));
        check("@@ -7 +7 @@ def f():", numbers(7, 1, 1, "def f():"));
        check("@@ -0,0 +1,9 @@\r", numbers(0, 0, 9, ""));
        check("@@", Some(Header::Bare));
        check("@@ @@", Some(Header::Bare));
        check("@@ def f(self):", Some(Header::Anchor("def f(self):")));
        check("@@ class A @@", Some(Header::Anchor("class A ")));
        check("@@ ... @@", Some(Header::Bare));
        check("@@ -1,x +2 @@", Some(Header::Bare));
        check("@@ -99999999999999999999 +1 @@", Some(Header::Bare));
        check(" @@", None);
    }

    #[test]
    fn text_that_is_no_patch_is_refused_with_a_reason() {
        for text in ["", "\n", "hello", "*** Update File: a\n@@\n-a\n+b\n", "--- a\n"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("*** Begin Patch"), "{text:?}: {error}");
        }
    }
}
