//! A file patch applied to a text: every chunk placed on the text as it was, then all written at once.

use super::drift::seats;
use super::ladder::{Miss, Rung};
use super::lines::{BOM, Ending, bare};
use super::patch::{Chunk, FilePatch, Form, Kind};
use super::place::Haystack;
use super::seek::{Seat, Unplaced};
use super::{Line, Tag};
use std::fmt;

/// Why a file patch does not apply. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchError {
    /// The file, as the patch names it.
    pub path: String,
    /// Why.
    pub reason: Box<Reason>,
}

/// What stands against a file patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// An added file exists already.
    Exists,
    /// An updated or deleted file does not exist.
    Missing,
    /// It would leave the file as it is.
    Nothing,
    /// A deleted file has more content than the patch removes.
    Leftover,
    /// An added file's patch removes lines or wants context.
    NotNew,
    /// A hunk has no place.
    Unplaced {
        /// Which, 1-based, and of how many.
        hunk: (usize, usize),
        /// Its header.
        header: String,
        /// Its old lines, cut to a few.
        wanted: String,
        /// Why.
        why: Unplaced,
    },
    /// Two hunks change the same lines; both 1-based.
    Overlap(usize, usize),
    /// A line of this hunk cannot be re-indented with its block.
    Indentation(usize),
}

impl PatchError {
    /// The same without any content of the file: line numbers only.
    #[must_use]
    pub fn without_content(mut self) -> Self {
        if let Reason::Unplaced { why, .. } = &mut *self.reason {
            *why = match why.clone() {
                Unplaced::Lines(miss) => Unplaced::Lines(miss.without_content()),
                Unplaced::Anchor(anchor, miss) => Unplaced::Anchor(anchor, miss.without_content()),
                other => other,
            };
        }
        self
    }
}

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &*self.reason {
            Reason::Exists => {
                write!(f, "{path} exists already; update it, or delete it in the same patch first")
            }
            Reason::Missing => write!(f, "{path} does not exist; check the path, or add the file"),
            Reason::Nothing => write!(f, "the patch changes nothing in {path}; it may be applied already"),
            Reason::Leftover => {
                write!(f, "{path} has other content than the patch deletes; read it again")
            }
            Reason::NotNew => write!(f, "{path} is to be added, so its hunks may only add lines"),
            Reason::Overlap(one, other) => {
                write!(f, "hunks {one} and {other} of {path} change the same lines; join them")
            }
            Reason::Indentation(hunk) => write!(
                f,
                "hunk {hunk} of {path} fits only in another indentation, and a line it adds is indented less than \
                 the block; write the file's own indentation"
            ),
            Reason::Unplaced { hunk: (at, of), header, wanted, why } => {
                write!(f, "hunk {at} of {of} in {path} (`{header}`) ")?;
                match why {
                    Unplaced::Nowhere => {
                        return f.write_str(
                            "only adds lines and does not say where; put the line before them as ` context`, \
                             or behind `@@`",
                        );
                    }
                    Unplaced::Beyond { line, lines } => {
                        return write!(f, "is for line {line}, but the file ends at line {lines}");
                    }
                    Unplaced::Adrift(line) => {
                        return write!(
                            f,
                            "is for line {line}, but lines have moved since and nothing in it says where to; give it \
                             context lines"
                        );
                    }
                    Unplaced::Anchor(anchor, miss) => {
                        return write!(f, "has a context line `{anchor}` that cannot be placed: {miss}");
                    }
                    Unplaced::Lines(miss @ Miss::Ambiguous { .. }) => write!(
                        f,
                        "has no single place: its lines were {miss}; add context lines or an `@@ line` that \
                         stands before them"
                    )?,
                    Unplaced::Elsewhere(lines) => {
                        let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
                        let lines = lines.join(", ");
                        write!(
                            f,
                            "has no single place: its lines stand at {lines}, not below its `@@` context line"
                        )?;
                    }
                    Unplaced::Lines(miss) => write!(f, "does not fit: its lines were {miss}")?,
                }
                write!(f, "\nThe hunk wants:\n{wanted}")
            }
        }
    }
}

impl std::error::Error for PatchError {}

/// A file patch applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The text after; `None` when the file goes.
    pub after: Option<String>,
    /// The loosest rung any hunk needed.
    pub rung: Rung,
}

/// Where a chunk changes the text: old lines `start..end` give way to some of the chunk's lines.
struct Cut<'a> {
    hunk: usize,
    start: usize,
    end: usize,
    lines: &'a [Line],
    chunk: &'a Chunk,
    seat: Seat,
    /// Whether the chunk covers the end of the text.
    reaches_end: bool,
}

impl FilePatch {
    /// The text after this patch, from the text before (`None`: there is no file); `None` when the file goes.
    pub fn apply(&self, before: Option<&str>) -> Result<Option<String>, PatchError> {
        self.fit(before).map(|applied| applied.after)
    }

    /// As [`FilePatch::apply`], and says how well the hunks matched.
    pub fn fit(&self, before: Option<&str>) -> Result<Applied, PatchError> {
        let fail = |reason| PatchError { path: self.path.clone(), reason };
        let boxed = |reason| fail(Box::new(reason));
        let exact = |after| Applied { after, rung: Rung::Exact };
        match (self.kind, before) {
            (Kind::Add, Some(_)) => Err(boxed(Reason::Exists)),
            (Kind::Update | Kind::Delete, None) => Err(boxed(Reason::Missing)),
            (Kind::Add, None) => {
                self.content().map(|text| exact(Some(text))).ok_or_else(|| boxed(Reason::NotNew))
            }
            (Kind::Delete, Some(_)) if self.form == Form::Envelope => Ok(exact(None)),
            (Kind::Delete, Some(before)) => {
                let (after, rung) = self.update(before).map_err(fail)?;
                let empty = after.trim_start_matches(BOM).is_empty();
                if empty { Ok(Applied { after: None, rung }) } else { Err(boxed(Reason::Leftover)) }
            }
            (Kind::Update, Some(before)) => {
                let (after, rung) = self.update(before).map_err(fail)?;
                if after == before && self.moved_to.is_none() {
                    return Err(boxed(Reason::Nothing));
                }
                Ok(Applied { after: Some(after), rung })
            }
        }
    }

    /// The content of an added file; `None` when the patch wants anything but to add.
    fn content(&self) -> Option<String> {
        let mut out = String::new();
        let mut writer = Writer { out: &mut out, ending: "" };
        let mut unended = false;
        for line in self.chunks.iter().flat_map(|chunk| &chunk.lines) {
            if line.tag != Tag::Added {
                return None;
            }
            writer.add(&line.text, "\n");
            unended = line.unended;
        }
        if !unended {
            writer.finish();
        }
        Some(out)
    }

    /// Places all chunks on `before` and writes them.
    fn update(&self, before: &str) -> Result<(String, Rung), Box<Reason>> {
        // A byte order mark the patch does not mention stays where it is.
        let mentioned =
            self.chunks.iter().flat_map(|chunk| &chunk.lines).any(|line| line.text.starts_with(BOM));
        let text = before.strip_prefix(BOM).filter(|_| !mentioned).unwrap_or(before);
        let hay = Haystack::new(text);
        let seats = seats(&hay, text, &self.chunks).map_err(|(at, why)| {
            let chunk = &self.chunks[at];
            Box::new(Reason::Unplaced {
                hunk: (at + 1, self.chunks.len()),
                header: chunk.header.clone(),
                wanted: preview(&chunk.old_lines()),
                why,
            })
        })?;
        let placed = self.chunks.iter().zip(seats).enumerate();
        let mut cuts: Vec<Cut<'_>> =
            placed.map(|(at, (chunk, seat))| Cut::new(at + 1, chunk, seat, hay.lines.len())).collect();
        cuts.sort_by_key(|cut| cut.start);
        let overlap = cuts.windows(2).find(|pair| pair[1].start < pair[0].end);
        if let Some([one, other]) = overlap {
            let (first, second) = (one.hunk.min(other.hunk), one.hunk.max(other.hunk));
            return Err(Box::new(Reason::Overlap(first, second)));
        }
        let rung = cuts.iter().map(|cut| cut.seat.rung).max().unwrap_or(Rung::Exact);
        let mut out = String::with_capacity(before.len() + 256);
        out.push_str(&before[..before.len() - text.len()]);
        self.write(&hay, text, &cuts, &mut out)?;
        Ok((out, rung))
    }

    fn write(
        &self,
        hay: &Haystack<'_>,
        text: &str,
        cuts: &[Cut<'_>],
        out: &mut String,
    ) -> Result<(), Box<Reason>> {
        let dominant = Ending::dominant(text).unwrap_or(Ending::Lf);
        let mut writer = Writer { out, ending: "" };
        let mut at = 0;
        for cut in cuts {
            hay.lines[at..cut.start].iter().for_each(|line| writer.keep(line, dominant));
            at = cut.start;
            let verbatim = self.is_verbatim(cut.chunk, &cut.seat, hay.lines.is_empty());
            for line in cut.lines {
                if line.tag == Tag::Removed {
                    at += 1;
                } else if line.tag == Tag::Same {
                    writer.keep(hay.lines[at], dominant);
                    at += 1;
                } else if verbatim {
                    writer.add(&line.text, "\n");
                } else {
                    let near = hay.lines.get(at.saturating_sub(1)).and_then(|line| Ending::of_line(line));
                    let bare = line.text.trim_end_matches('\r');
                    let shifted = match &cut.seat.shift {
                        Some(shift) => {
                            shift.shift(bare).ok_or_else(|| Box::new(Reason::Indentation(cut.hunk)))?
                        }
                        None => bare.to_owned(),
                    };
                    writer.add(&shifted, near.unwrap_or(dominant).as_str());
                }
            }
        }
        hay.lines[at..].iter().for_each(|line| writer.keep(line, dominant));
        if ends_with_newline(text, cuts) {
            writer.finish();
        }
        Ok(())
    }

    /// Whether added lines are taken byte for byte: the patch knew the file's endings.
    fn is_verbatim(&self, chunk: &Chunk, seat: &Seat, empty: bool) -> bool {
        let aware = self.form == Form::Unified || chunk.lines.iter().any(|line| line.text.ends_with('\r'));
        let placed = chunk.lines.iter().any(|line| line.tag != Tag::Added);
        empty || (aware && placed && seat.rung == Rung::Exact)
    }
}

impl<'a> Cut<'a> {
    /// The part of a placed chunk from its first change to its last: context around it may be shared.
    fn new(hunk: usize, chunk: &'a Chunk, seat: Seat, count: usize) -> Self {
        let changed = |line: &Line| line.tag != Tag::Same;
        let first = chunk.lines.iter().position(changed).unwrap_or(chunk.lines.len());
        let last = chunk.lines.iter().rposition(changed).map_or(first, |last| last + 1);
        let lines = &chunk.lines[first..last];
        let (start, end) = chunk.changed();
        let (start, end) = (seat.line + start, seat.line + end);
        let reaches_end = seat.line + chunk.old_lines().len() == count;
        Cut { hunk, start, end, lines, chunk, seat, reaches_end }
    }
}

/// Whether the text ends with a newline afterwards: as a hunk at its end says, or else as before.
fn ends_with_newline(text: &str, cuts: &[Cut<'_>]) -> bool {
    let unended = |tag: Tag, chunk: &Chunk| {
        chunk.lines.iter().rfind(|line| line.tag != tag).is_some_and(|line| line.unended)
    };
    for cut in cuts.iter().rev().filter(|cut| cut.reaches_end) {
        if unended(Tag::Removed, cut.chunk) {
            return false;
        }
        if unended(Tag::Added, cut.chunk) {
            return true;
        }
    }
    text.is_empty() || text.ends_with('\n')
}

/// Writes lines; the ending of each is held back until it is known not to be the last.
struct Writer<'a> {
    out: &'a mut String,
    ending: &'static str,
}

impl Writer<'_> {
    fn add(&mut self, text: &str, ending: &'static str) {
        self.finish();
        self.out.push_str(text);
        self.ending = ending;
    }

    /// A line of the old text, bytes kept.
    fn keep(&mut self, line: &str, dominant: Ending) {
        match Ending::of_line(line) {
            Some(ending) => self.add(bare(line), ending.as_str()),
            None => self.add(line, dominant.as_str()),
        }
    }

    fn finish(&mut self) {
        self.out.push_str(self.ending);
        self.ending = "";
    }
}

/// The first lines of a hunk's old side, as the error shows them.
fn preview(lines: &[&str]) -> String {
    const SHOWN: usize = 12;
    let mut out: Vec<String> = lines
        .iter()
        .take(SHOWN)
        .map(|line| format!("  {}", crate::text::clip(line.trim_end_matches('\r'), 160).text))
        .collect();
    if lines.len() > SHOWN {
        out.push(format!("  … and {} more lines", lines.len() - SHOWN));
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::{patch, unified};
    use proptest::prelude::*;

    fn applied(text: &str, before: &str) -> Result<String, String> {
        let patch = patch::parse(text).map_err(|error| error.to_string())?;
        patch.files[0].apply(Some(before)).map(Option::unwrap_or_default).map_err(|error| error.to_string())
    }

    fn update(body: &str) -> String {
        format!("*** Begin Patch\n*** Update File: f\n{body}*** End Patch\n")
    }

    #[test]
    fn a_pure_insertion_goes_where_its_context_says_and_never_to_the_end_by_default() {
        let file = "a\nb\nc\n";
        let check = |body: &str, expected: Result<&str, &str>| {
            let got =
                if body.starts_with("---") { applied(body, file) } else { applied(&update(body), file) };
            match (got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{body}"),
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{body}: {got}"),
                (got, expected) => panic!("{body}: {got:?} instead of {expected:?}"),
            }
        };
        check("@@ a\n+x\n", Ok("a\nx\nb\nc\n"));
        check("@@ c\n+x\n", Ok("a\nb\nc\nx\n"));
        check("@@\n+x\n", Err("does not say where"));
        check("+x\n", Err("does not say where"));
        check("@@\n+x\n*** End of File\n", Ok("a\nb\nc\nx\n"));
        check("@@ z\n+x\n", Err("cannot be placed"));
        check("--- f\n+++ f\n@@ -1,0 +2 @@\n+x\n", Ok("a\nx\nb\nc\n"));
        check("--- f\n+++ f\n@@ -0,0 +1 @@\n+x\n", Ok("x\na\nb\nc\n"));
        check("--- f\n+++ f\n@@ -2,3 +2,4 @@\n+x\n", Ok("a\nx\nb\nc\n"));
        check("--- f\n+++ f\n@@ -9,0 +10 @@\n+x\n", Err("the file ends at line 3"));
    }

    #[test]
    fn an_anchor_leads_to_its_own_block_and_not_to_the_next_one_of_the_same_shape() {
        let file = "def a():\n    return 1\n\ndef b():\n    pass\n\ndef c():\n    return 1\n";
        let to = |anchor: &str| update(&format!("@@ {anchor}\n-    return 1\n+    return 2\n"));
        assert_eq!(applied(&to("def c():"), file).unwrap(), file[..file.len() - 2].to_owned() + "2\n");
        assert_eq!(applied(&to("def a"), file).unwrap(), file.replacen("return 1", "return 2", 1));
        let wrong = applied(&to("def b():"), file).unwrap_err();
        assert!(wrong.contains("its lines stand at 2, 8, not below"), "{wrong}");
        let flat = "[server]\nhost = 1\nport = 1\n[client]\nhost = 1\nport = 1\n";
        let ini = update("@@ [server]\n-port = 1\n+port = 2\n");
        assert_eq!(applied(&ini, flat).unwrap(), flat.replacen("port = 1", "port = 2", 1));
    }

    #[test]
    fn a_byte_order_mark_the_patch_does_not_mention_stays() {
        let text = update("@@\n+new\n a\n-b\n+c\n");
        assert_eq!(applied(&text, "\u{feff}a\nb\n").unwrap(), "\u{feff}new\na\nc\n");
        let text = update("@@\n-\u{feff}a\n+a\n");
        assert_eq!(applied(&text, "\u{feff}a\nb\n").unwrap(), "a\nb\n");
    }

    #[test]
    fn a_hidden_error_shows_no_content() {
        let text = update("@@\n-password = wrong\n+x\n");
        let patch = patch::parse(&text).unwrap();
        let error = patch.files[0].apply(Some("password = FAKE-canary\n")).unwrap_err();
        assert!(error.to_string().contains("FAKE-canary"));
        assert!(!error.without_content().to_string().contains("FAKE-canary"));
    }

    /// Lines with every ending, blank and repeated ones, signs and markers at their start.
    fn text() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            3 => "[ab]{0,2}",
            1 => "[ -~]{0,6}",
            1 => prop::sample::select(vec!["-- x", "++ y", "@@ -1 +1 @@", "\\ z", "\u{feff}a", "\r", "ä“\t", " "])
                .prop_map(str::to_owned),
        ];
        let ending = prop::sample::select(vec!["\n", "\n", "\r\n"]);
        let body = prop::collection::vec((line, ending), 0..24);
        (body, any::<bool>()).prop_map(|(lines, ended)| {
            let mut text: String = lines.iter().flat_map(|(line, ending)| [line.as_str(), ending]).collect();
            if !ended {
                text.truncate(text.trim_end_matches(['\n', '\r']).len());
            }
            text
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_diff_read_back_and_applied_gives_the_new_text(before in text(), after in text()) {
            prop_assume!(before != after);
            for (old, new) in [(Some(&before), Some(&after)), (None, Some(&after)), (Some(&before), None)] {
                let (old, new) = (old.map(String::as_str), new.map(String::as_str));
                let diff = unified("dir/f", old, new);
                let patch = patch::parse(&diff).map_err(|error| TestCaseError::fail(format!("{error}\n{diff}")))?;
                prop_assert_eq!(&patch.files[0].path, "dir/f");
                let got = patch.files[0].apply(old).map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(got.as_deref(), new);
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "(\\*\\*\\* (Begin Patch|Update File: f|Add File: f|End Patch)?|@@( -[0-9]{1,2},[0-9] \\+[0-9] @@)?|--- f|\\+\\+\\+ f|diff --git a/f b/f|[-+ ab\\\\é\"]{0,4}|\n|\r){0,40}", before in text()) {
            for text in [text.clone(), format!("*** Begin Patch\n*** Update File: f\n@@\n{text}\n*** End Patch")] {
                if let Ok(patch) = patch::parse(&text) {
                    for file in &patch.files {
                        let _ = file.apply(Some(&before));
                        let _ = file.apply(None);
                    }
                }
            }
        }

        #[test]
        fn no_needle_makes_the_ladder_panic(text in text(), needle in "[ab\"“ \r\n\té]{0,5}") {
            if let Ok(found) = crate::diff::ladder::locate(&text, &needle) {
                prop_assert!(text.get(found.range.clone()).is_some());
                let _ = found.rewrite(&text, &needle, "x\ny");
            }
            let _ = crate::diff::ladder::locate_all(&text, &needle);
        }
    }
}
