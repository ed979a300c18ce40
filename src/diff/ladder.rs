//! The matching ladder shared by `edit` and `patch`: exact, then four named losses, never similarity.
//!
//! Every rung is linear in the text, so that a needle without a match costs no more than one with.

use super::fold::{Loss, Shift, frayed, normalize, plain};
use super::lines::{Ending, bare, is_blank, split};
pub use super::nearest::Nearest;
use super::nearest::nearest;
use super::place::Haystack;
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::fmt;
use std::ops::Range;

/// How a match was found, strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Byte for byte.
    Exact,
    /// Trailing blanks and line endings ignored.
    Trailing,
    /// The whole block stands shifted in indentation, by the same shift on every line.
    Shifted,
    /// Typographic characters (curly quotes, dashes, unusual spaces) taken for their plain spelling.
    Folded,
}

impl Rung {
    /// All rungs, strictest first.
    pub(super) const ALL: [Rung; 4] = [Rung::Exact, Rung::Trailing, Rung::Shifted, Rung::Folded];

    /// What was overlooked, to end "matched with …"; `None` for an exact match.
    pub fn overlooked(self) -> Option<&'static str> {
        match self {
            Rung::Exact => None,
            Rung::Trailing => Some("trailing blanks or line endings ignored"),
            Rung::Shifted => Some("the whole block shifted in indentation (the replacement was re-indented)"),
            Rung::Folded => Some("typographic characters (curly quotes, dashes, spaces) read as plain ones"),
        }
    }
}

/// Where a needle stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Bytes of the text it covers.
    pub range: Range<usize>,
    /// How it was found.
    pub rung: Rung,
    shift: Option<Shift>,
    ending: Option<Ending>,
}

/// Most candidate lines a [`Miss::Ambiguous`] lists.
pub const MAX_LISTED: usize = 20;

/// Why there is no single match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Miss {
    /// The needle is empty, or blank where only a loss could match it.
    Empty,
    /// There are several.
    Ambiguous {
        /// How they were found.
        rung: Rung,
        /// 1-based lines they begin on, at most [`MAX_LISTED`].
        lines: Vec<usize>,
        /// How many there are; a lower bound where copies overlap.
        total: usize,
    },
    /// There is none.
    Absent {
        /// What comes nearest, to look at; never matched against.
        nearest: Option<Nearest>,
    },
}

impl Miss {
    /// The same without any content of the text: line numbers only.
    #[must_use]
    pub fn without_content(self) -> Self {
        match self {
            Miss::Absent { nearest: Some(nearest) } => {
                Miss::Absent { nearest: Some(nearest.without_content()) }
            }
            other => other,
        }
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Miss::Empty => f.write_str("the text to find is empty"),
            Miss::Ambiguous { rung, lines, total } => {
                let listed: Vec<String> = lines.iter().map(usize::to_string).collect();
                let more =
                    if *total >= MAX_LISTED && lines.len() >= MAX_LISTED { " and maybe more" } else { "" };
                write!(f, "found {total} times, at lines {}{more}", listed.join(", "))?;
                if let Some(overlooked) = rung.overlooked() {
                    write!(f, " (none exactly; with {overlooked})")?;
                }
                Ok(())
            }
            Miss::Absent { nearest: None } => f.write_str("not found, and nothing in the file is near it"),
            Miss::Absent { nearest: Some(nearest) } => write!(f, "not found; {nearest}"),
        }
    }
}

impl std::error::Error for Miss {}

/// Finds the one place where `needle` stands in `text`. Linear in both.
pub fn locate(text: &str, needle: &str) -> Result<Match, Miss> {
    let mut all = climb(text, needle, true)?;
    match (all.pop(), all.len()) {
        (Some(only), 0) => Ok(only),
        _ => Err(Miss::Empty),
    }
}

/// Finds every place where `needle` stands in `text`, none overlapping, in order; all on the strictest rung that
/// finds any.
pub fn locate_all(text: &str, needle: &str) -> Result<Vec<Match>, Miss> {
    climb(text, needle, false)
}

fn climb(text: &str, needle: &str, single: bool) -> Result<Vec<Match>, Miss> {
    if needle.is_empty() {
        return Err(Miss::Empty);
    }
    let ending = Ending::dominant(text);
    let mixed = ending.is_some_and(|ending| {
        let crlf = text.matches("\r\n").count();
        crlf != 0 && (ending == Ending::Lf || crlf != text.matches('\n').count())
    });
    let matched = |range: Range<usize>, rung, shift| {
        let own = if mixed { Ending::first(&text[range.clone()]) } else { None };
        Match { range, rung, shift, ending: own.or(ending) }
    };
    let steps: [(Rung, &dyn Fn() -> Found); 5] = [
        (Rung::Exact, &|| substrings(text, needle, single, |_| true)),
        (Rung::Trailing, &|| normalized(text, needle, single, Loss::Endings)),
        (Rung::Trailing, &|| normalized(text, needle, single, Loss::Trailing)),
        (Rung::Shifted, &|| shifted(text, needle)),
        (Rung::Folded, &|| normalized(text, needle, single, Loss::Typographic)),
    ];
    for (rung, find) in steps {
        let found = find();
        if single && found.total > 1 {
            let starts = found.places.iter().take(MAX_LISTED).map(|(range, _)| range.start);
            return Err(Miss::Ambiguous { rung, lines: line_numbers(text, starts), total: found.total });
        }
        if !found.places.is_empty() {
            return Ok(found.places.into_iter().map(|(range, shift)| matched(range, rung, shift)).collect());
        }
    }
    Err(Miss::Absent { nearest: nearest(text, needle) })
}

/// What one rung gives: places in the original text, in order, and how many there are in all.
struct Found {
    places: Vec<(Range<usize>, Option<Shift>)>,
    total: usize,
}

/// Where `needle` stands as it is. A single match must be single even among overlapping ones; of more only the
/// first few are located then, since they will be refused anyway.
fn substrings(text: &str, needle: &str, single: bool, fits: impl Fn(&Range<usize>) -> bool) -> Found {
    if !single || !overlaps_itself(needle) {
        let mut all = text
            .match_indices(needle)
            .map(|(at, _)| at..at + needle.len())
            .filter(fits)
            .map(|range| (range, None));
        let limit = if single { MAX_LISTED } else { usize::MAX };
        let places: Vec<_> = all.by_ref().take(limit).collect();
        return Found { total: places.len() + all.count(), places };
    }
    // Overlapping candidates could be as many as bytes, each costing the whole needle: so many are refused.
    let mut tries = (4_000_000 / needle.len()).clamp(MAX_LISTED, 2_000);
    let (mut places, mut from) = (Vec::new(), 0);
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(needle)) {
        let start = from + at;
        let range = start..start + needle.len();
        if fits(&range) {
            places.push((range, None));
        }
        tries -= 1;
        if places.len() == MAX_LISTED || tries == 0 {
            return Found { total: places.len().max(2), places };
        }
        from = start + text[start..].chars().next().map_or(1, char::len_utf8);
    }
    Found { total: places.len(), places }
}

/// Whether a text can overlap with another copy of itself: whether some start of it is also an end.
fn overlaps_itself(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut fallback = vec![0; bytes.len()];
    let mut matched = 0;
    for at in 1..bytes.len() {
        while matched > 0 && bytes[at] != bytes[matched] {
            matched = fallback[matched - 1];
        }
        matched += usize::from(bytes[at] == bytes[matched]);
        fallback[at] = matched;
    }
    matched > 0
}

/// Where `needle` stands once `loss` is taken from both sides.
fn normalized(text: &str, needle: &str, single: bool, loss: Loss) -> Found {
    let wanted = normalize(needle, loss).text;
    if is_blank(&wanted) {
        return Found { places: Vec::new(), total: 0 };
    }
    let mut normal = normalize(text, loss);
    if needle.ends_with('\n') && !text.ends_with('\n') {
        // The newline the last line lacks is an ending, too.
        normal.end_line();
    }
    let (at_start, at_end) = frayed(needle, loss);
    let fits = |range: &Range<usize>| {
        let starts = range.start == 0 || normal.text.as_bytes()[range.start - 1] == b'\n';
        let ends = range.end == normal.text.len() || normal.text.as_bytes()[range.end] == b'\n';
        (!at_start || starts) && (!at_end || ends)
    };
    let mut found = substrings(&normal.text, &wanted, single, fits);
    for (range, _) in &mut found.places {
        let start = normal.origin(range.start);
        let start = if at_start { text[..start].rfind('\n').map_or(0, |at| at + 1) } else { start };
        *range = start..normal.origin(range.end).max(start);
    }
    found
}

/// Where `needle` stands as whole lines, indented otherwise.
fn shifted(text: &str, needle: &str) -> Found {
    let block: Vec<&str> = needle.split_inclusive('\n').map(bare).collect();
    let haystack = Haystack::new(text);
    let spots = haystack.find(&block, Rung::Shifted);
    let mut places: Vec<(Range<usize>, Option<Shift>)> = Vec::new();
    let total = spots.len();
    for spot in spots {
        let lines = &haystack.lines[spot.line..spot.line + block.len()];
        let start = haystack.offset(spot.line);
        let mut end = haystack.offset(spot.line + block.len());
        if !needle.ends_with('\n') {
            end -= lines.last().map_or(0, |last| last.len() - bare(last).len());
        }
        if places.last().is_none_or(|(last, _)| last.end <= start) {
            places.push((start..end, spot.shift));
        }
    }
    Found { places, total }
}

/// 1-based line numbers of ascending offsets, in one pass.
fn line_numbers(text: &str, starts: impl Iterator<Item = usize>) -> Vec<usize> {
    let (mut at, mut line) = (0, 1);
    let number = |start: usize| {
        line += text[at.min(start)..start].matches('\n').count();
        at = start;
        line
    };
    starts.map(number).collect()
}

impl Match {
    /// What to write over the range so that `needle` becomes `replacement`: the file's line ending adopted,
    /// re-indented with the block, lines that do not change kept as the file has them. `None` when a line lacks
    /// the indentation that would have to go.
    pub fn rewrite(&self, text: &str, needle: &str, replacement: &str) -> Option<String> {
        let region = text.get(self.range.clone())?;
        match (self.rung, self.ending) {
            (Rung::Exact, Some(ending)) => Some(ending.adopt(replacement)),
            (Rung::Exact, None) => Some(replacement.to_owned()),
            (_, ending) => self.graft(region, needle, replacement, ending.unwrap_or(Ending::Lf)),
        }
    }

    /// The replacement line by line: what equals a line of the needle stays as the region has it.
    fn graft(&self, region: &str, needle: &str, replacement: &str, ending: Ending) -> Option<String> {
        let (found, old, new) = (split(region), split(needle), split(replacement));
        let paired = found.len() == old.len();
        let old_bare: Vec<&str> = old.iter().map(|line| bare(line)).collect();
        let new_bare: Vec<&str> = new.iter().map(|line| bare(line)).collect();
        let mut out = String::with_capacity(replacement.len());
        for op in capture_diff_slices(Algorithm::Myers, &old_bare, &new_bare) {
            let (from, to) = (op.old_range(), op.new_range());
            let one_to_one = paired && from.len() == to.len();
            for (index, line) in to.clone().enumerate() {
                let at = from.start + index;
                let written = match op {
                    DiffOp::Equal { .. } if paired => bare(found[at]).to_owned(),
                    _ if self.rung == Rung::Folded && one_to_one => {
                        mend(bare(found[at]), old_bare[at], new_bare[line])
                    }
                    _ => self.shift_line(new_bare[line])?,
                };
                out.push_str(&written);
                if new[line].ends_with('\n') {
                    let own = found.get(at).filter(|_| paired && matches!(op, DiffOp::Equal { .. }));
                    out.push_str(own.and_then(|line| Ending::of_line(line)).unwrap_or(ending).as_str());
                }
            }
        }
        if needle.ends_with('\n') && !region.ends_with('\n') && out.ends_with('\n') {
            out.truncate(bare(&out).len());
        }
        Some(out)
    }

    fn shift_line(&self, line: &str) -> Option<String> {
        self.shift.as_ref().map_or_else(|| Some(line.to_owned()), |shift| shift.shift(line))
    }
}

/// A changed line whose unchanged head and tail keep the file's typographic characters.
fn mend(found: &str, old: &str, new: &str) -> String {
    let (found, old, new): (Vec<char>, Vec<char>, Vec<char>) =
        (found.chars().collect(), old.trim_end().chars().collect(), new.chars().collect());
    // Only where found and old differ by folding alone do positions agree.
    if found.len() < old.len() || found.iter().zip(&old).any(|(a, b)| plain(*a) != plain(*b)) {
        return new.into_iter().collect();
    }
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(a, b)| a == b).count();
    let mut out: String = found[..head].iter().collect();
    out.extend(&new[head..new.len() - tail]);
    out.extend(&found[old.len() - tail..old.len()]);
    out
}

#[cfg(test)]
mod tests {
    use super::super::lines::indent;
    use super::Rung::{Exact, Folded, Shifted, Trailing};
    use super::*;
    use proptest::prelude::*;
    use std::fmt::Write as _;
    use std::time::{Duration, Instant};

    fn replaced(text: &str, needle: &str, replacement: &str) -> (Rung, String) {
        let found = locate(text, needle).unwrap_or_else(|miss| panic!("{needle:?} in {text:?}: {miss}"));
        let new = found.rewrite(text, needle, replacement).unwrap();
        (found.rung, format!("{}{new}{}", &text[..found.range.start], &text[found.range.end..]))
    }

    #[test]
    fn each_rung_finds_what_the_one_before_it_missed_and_writes_as_the_file_does() {
        let check = |text: &str, needle: &str, replacement: &str, rung, expected: &str| {
            let got = replaced(text, needle, replacement);
            assert_eq!(got, (rung, expected.to_owned()), "{text:?} {needle:?}");
        };
        check("a b c", "b", "x", Exact, "a x c");
        check("a\r\nb\r\n", "b", "x\ny", Exact, "a\r\nx\r\ny\r\n");
        check("a\nb\n", "a\n", "x\r\n", Exact, "x\nb\n");
        check("a\r\nb\r\nc", "a\nb", "x\ny", Trailing, "x\r\ny\r\nc");
        check("f(a,\r\n  b)\r\n", "(a,\n  b", "(c,\n  b", Trailing, "f(c,\r\n  b)\r\n");
        check("a  \nb\t\nc\n", "a\nb\n", "a\nx\n", Trailing, "a  \nx\nc\n");
        check("a\nb\n", "a \nb ", "x", Trailing, "x\n");
        check("a\r\nb", "b\n", "c\nd\n", Trailing, "a\r\nc\r\nd");
        check("a\n  b\n    c", "b\n  c\n", "b\n  d\n", Shifted, "a\n  b\n    d");
        check("x\nfoo  \nbar\n", "\nfoo\nbar", "\nbaz\nbar", Trailing, "x\nbaz\nbar\n");
        check("    a\n      b\n", "a\n  b\n", "a\n  c\nd\n", Shifted, "    a\n      c\n    d\n");
        check("\tif x:\n\t\ty\n", "if x:\n\ty", "if z:\n\ty", Shifted, "\tif z:\n\t\ty\n");
        check("a\n  b\n", "    a\n      b\n", "    a\n      c\n", Shifted, "a\n  c\n");
        check("  a\r\n\r\n  b\r\n", "a\n\nb\n", "a\n\nc\n", Shifted, "  a\r\n\r\n  c\r\n");
        check("say(“hi”) – ok\n", "say(\"hi\") - ok", "say(\"hi\") - no", Folded, "say(“hi”) – no\n");
        check("a\u{a0}b\nc’s\nd\n", "a b\nc's\nd", "a b\nc's\ne", Folded, "a\u{a0}b\nc’s\ne\n");
        check("é “x” é", "é \"x\" é", "é \"y\" é", Folded, "é “y” é");
    }

    #[test]
    fn nothing_is_found_by_similarity() {
        let check = |text: &str, needle: &str| {
            assert!(matches!(locate(text, needle), Err(Miss::Absent { .. })), "{text:?} {needle:?}");
        };
        check("fn add(a: i32) {\n    a + 1\n}\n", "fn add(a: i64) {\n    a + 1\n}\n");
        check("a\nb\nc\nd\n", "a\nc\nd\n");
        check("return x + y\n", "return x+y");
        check("Foo\n", "foo");
        check("a\n  b\n c\n", "a\nb\nc\n");
        check("return xyz\n", "return x ");
        check("a\\nb\n", "a\nb\n");
        check("", "a");
        check("\n\n\n", "  \n\t");
    }

    #[test]
    fn several_candidates_are_listed_and_none_is_chosen() {
        let check = |text: &str, needle: &str, rung, lines: &[usize], total| {
            let expected = Miss::Ambiguous { rung, lines: lines.to_vec(), total };
            assert_eq!(locate(text, needle), Err(expected), "{text:?}");
        };
        check("x\na\nx\na\n", "a", Rung::Exact, &[2, 4], 2);
        check("aaa", "aa", Rung::Exact, &[1, 1], 2);
        check("a\t\nb\na  \nb\n", "a\nb", Rung::Trailing, &[1, 3], 2);
        check("  a\n  b\n    a\n    b\n", "a\nb\n", Rung::Shifted, &[1, 3], 2);
        check("“a”\n„a”\n", "\"a\"", Rung::Folded, &[1, 2], 2);
        let many = "a\n".repeat(50);
        let Err(Miss::Ambiguous { lines, total, .. }) = locate(&many, "a") else { panic!("not ambiguous") };
        assert_eq!((lines.len(), total), (MAX_LISTED, 50));
        assert_eq!(locate("a", ""), Err(Miss::Empty));
    }

    #[test]
    fn all_matches_come_from_one_rung_and_do_not_overlap() {
        let check = |text: &str, needle: &str, expected: &[(usize, usize)]| {
            let found = locate_all(text, needle).unwrap().into_iter();
            let found: Vec<_> = found.map(|found| (found.range.start, found.range.end)).collect();
            assert_eq!(found, expected);
        };
        check("aaaa", "aa", &[(0, 2), (2, 4)]);
        check("f(\"a\") f(“a”)", "f(\"a\")", &[(0, 6)]);
        check("  a\n    a\n", "a", &[(2, 3), (8, 9)]);
        assert!(locate_all("x", "a").is_err());
    }

    #[test]
    fn a_miss_shows_the_nearest_region_with_line_numbers_and_what_differs() {
        let text: String = (1..40).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "line number {n} of many");
            text
        }) + "fn login(user: &str) {\n    check(user);\n    audit(user);\n}\n";
        let miss =
            locate(&text, "fn login(user: &str) {\n    check(name);\n    audit(user);\n}\n").unwrap_err();
        let shown = miss.to_string();
        assert!(shown.contains("40: fn login(user: &str) {"), "{shown}");
        assert!(shown.contains("Line 2 of the text to find"), "{shown}");
        let hidden = miss.without_content().to_string();
        assert!(hidden.contains("line 40") && !hidden.contains("login"), "{hidden}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_loss_hid_is_found_where_it_stands_and_nothing_else_changes(
            indents in prop::collection::vec(2_usize..6, 4..20),
            (from, count) in (0_usize..4, 1_usize..4),
            crlf: bool,
            loss in 0..5,
        ) {
            let ending = if crlf { "\r\n" } else { "\n" };
            let line = |(n, depth): (usize, &usize)| format!("{}say(“{n}”) – {n};", "  ".repeat(*depth));
            let lines: Vec<String> = indents.iter().enumerate().map(line).collect();
            let text: String = lines.iter().flat_map(|line| [line, ending]).collect();
            let block = &lines[from..(from + count).min(lines.len())];
            let (needle, rung): (Vec<String>, _) = match loss {
                0 => (block.to_vec(), if crlf && block.len() > 1 { Trailing } else { Exact }),
                1 => (block.iter().map(|line| format!("{line} \t")).collect(), Trailing),
                2 => (block.iter().map(|line| format!("\t{line}")).collect(), Shifted),
                3 => (block.iter().map(|line| format!("    {line} ")).collect(), Shifted),
                _ => (block.iter().map(|line| line.chars().map(plain).collect()).collect(), Folded),
            };
            let needle = needle.join("\n");
            let start: usize = lines[..from].iter().map(|line| line.len() + ending.len()).sum();
            let length = block.join(ending).len();
            let found = locate(&text, &needle).map_err(|miss| TestCaseError::fail(miss.to_string()))?;
            prop_assert_eq!((found.range.clone(), found.rung), (start..start + length, rung));
            let added = format!("{needle}\n{}last", indent(&needle));
            let new = found.rewrite(&text, &needle, &added).unwrap_or_default();
            let old = &text[found.range];
            let expected = format!("{old}{ending}{}last", indent(old));
            // An exact match writes the replacement as it is given, the ladder keeps what did not change.
            prop_assert_eq!(new, expected);
        }
    }

    #[test]
    fn a_megabyte_is_searched_in_linear_time_whatever_it_holds() {
        let code: String = (0..30_000).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "    let value_{n} = compute({n}, other);");
            text
        });
        let (same, one, blank) = ("aaaaaaa\n".repeat(60_000), "ab".repeat(500_000), "\n".repeat(80_000));
        let shifted = format!("{}  b\n", "  a\n".repeat(500));
        let half = "a".repeat(400_000);
        let needles = [
            "let value_29999 = compute(29998, other);\n  x\n".to_owned(),
            "aaaaaaa\n".repeat(30_000) + "b",
            format!("{half}b"),
            half.clone() + &half,
            shifted,
            "\n".repeat(5_000) + "x",
            "aaaaaaa \n ".repeat(1_000),
        ];
        for text in [&code, &same, &one, &blank, &"a".repeat(1_000_000)] {
            for needle in &needles {
                let start = Instant::now();
                let _ = locate(text, needle);
                let took = start.elapsed();
                // Generous for an unoptimised build on a busy machine; quadratic work would take minutes.
                assert!(took < Duration::from_secs(20), "{took:?} for {:?}", &needle[..8]);
            }
        }
    }
}
