//! Where a chunk of a patch belongs: by its lines, its `@@` context, its order, its stated line.

use super::fold::{Shift, key, without_trailing};
use super::ladder::{MAX_LISTED, Miss, Rung};
use super::lines::{bare, body, indent, is_blank};
use super::nearest::nearest;
use super::patch::Chunk;
use super::place::{Haystack, Spot};
use std::ops::Range;

/// Where a chunk goes: its old lines begin at `line` (0-based).
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) line: usize,
    pub(super) rung: Rung,
    pub(super) shift: Option<Shift>,
    /// Whether it was the only candidate; `None` when others were not looked for.
    firm: Option<bool>,
}

impl Seat {
    /// Whether the chunk can be nowhere else.
    pub(super) fn is_firm(&self, hay: &Haystack<'_>, chunk: &Chunk) -> bool {
        self.firm.unwrap_or_else(|| hay.find(&chunk.old_lines(), self.rung).len() == 1)
    }
}

/// Why a chunk has no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unplaced {
    /// Its old lines are not there, or stand in several places.
    Lines(Miss),
    /// Its old lines stand only where its `@@` context does not lead: the 1-based lines they begin on.
    Elsewhere(Vec<usize>),
    /// An `@@` line is not there, or stands in several places.
    Anchor(String, Miss),
    /// It only adds lines and does not say where.
    Nowhere,
    /// It only adds lines at a number, and other hunks show that the numbers are off by different counts.
    Adrift(usize),
    /// It states a line beyond the file's end.
    Beyond {
        /// 1-based, as stated.
        line: usize,
        /// Lines the file has.
        lines: usize,
    },
}

/// How far from its stated line a block that stands in several places is still the one that was meant.
const SLACK: usize = 3;

/// Finds the place of a chunk. `floor` is the line behind the chunk before it; `drifts` is by how many lines the
/// stated line may be off.
pub(super) fn seek(
    hay: &Haystack<'_>,
    text: &str,
    chunk: &Chunk,
    floor: usize,
    drifts: &[isize],
) -> Result<Seat, Unplaced> {
    let old = chunk.old_lines();
    if old.is_empty() {
        let line = insertion(hay, text, chunk, floor, drifts)?;
        return Ok(Seat { line, rung: Rung::Exact, shift: None, firm: Some(false) });
    }
    let regions = narrow(hay, text, &chunk.anchors)?;
    let unended = chunk.lines.iter().any(|line| line.unended && line.tag != super::Tag::Added);
    let ends = |line: usize| !(chunk.at_end || unended) || line + old.len() == hay.lines.len();
    if let (Some((line, _)), true, [0]) = (chunk.stated, chunk.anchors.is_empty(), drifts) {
        // Where the content stands right where the header says, nothing else can be meant.
        let line = line.saturating_sub(1);
        if ends(line) && hay.stands(&old, line) {
            return Ok(Seat { line, rung: Rung::Exact, shift: None, firm: None });
        }
    }
    let mut elsewhere = Vec::new();
    for rung in Rung::ALL {
        let mut spots = hay.find(&old, rung);
        spots.retain(|spot| ends(spot.line));
        if !chunk.anchors.is_empty() {
            let lines: Vec<usize> = spots.iter().map(|spot| spot.line + 1).collect();
            spots = within(hay, spots, &regions);
            if spots.is_empty() && elsewhere.is_empty() {
                elsewhere = lines;
            }
        }
        if let (Some(section), true) = (&chunk.section, spots.len() > 1) {
            let stretch = narrow(hay, text, std::slice::from_ref(section)).unwrap_or_default();
            let inside = within(hay, spots.clone(), &stretch);
            if inside.len() == 1 {
                spots = inside;
            }
        }
        if !spots.is_empty() {
            let firm = Some(spots.len() == 1);
            let stated: Vec<isize> = drifts.iter().filter_map(|drift| chunk.line_after(*drift)).collect();
            return choose(spots, &stated, floor)
                .map(|spot| Seat { line: spot.line, rung, shift: spot.shift, firm })
                .map_err(|lines| Unplaced::Lines(ambiguous(rung, lines)));
        }
    }
    if elsewhere.is_empty() {
        return Err(Unplaced::Lines(Miss::Absent { nearest: nearest(text, &old.join("\n")) }));
    }
    elsewhere.truncate(MAX_LISTED);
    Err(Unplaced::Elsewhere(elsewhere))
}

fn ambiguous(rung: Rung, mut lines: Vec<usize>) -> Miss {
    let total = lines.len();
    lines.truncate(MAX_LISTED);
    Miss::Ambiguous { rung, lines, total }
}

/// The one spot that is meant, or the 1-based lines of all that could be.
fn choose(mut spots: Vec<Spot>, stated: &[isize], floor: usize) -> Result<Spot, Vec<usize>> {
    let mut prefer = |wanted: &dyn Fn(&Spot) -> bool, one: bool| {
        let count = spots.iter().filter(|spot| wanted(spot)).count();
        if spots.len() > 1 && count > 0 && (count == 1 || !one) {
            spots.retain(wanted);
        }
    };
    let near = |spot: &Spot, slack| {
        let line = isize::try_from(spot.line).unwrap_or(isize::MAX).saturating_add(1);
        stated.iter().any(|stated| stated.abs_diff(line) <= slack)
    };
    prefer(&|spot| near(spot, 0), true);
    prefer(&|spot| spot.line >= floor, false);
    prefer(&|spot| near(spot, SLACK), true);
    match spots.len() {
        1 => spots.pop().ok_or_else(Vec::new),
        _ => Err(spots.iter().map(|spot| spot.line + 1).collect()),
    }
}

/// The line before which a chunk without old lines goes.
fn insertion(
    hay: &Haystack<'_>,
    text: &str,
    chunk: &Chunk,
    floor: usize,
    drifts: &[isize],
) -> Result<usize, Unplaced> {
    let count = hay.lines.len();
    if let Some(last) = chunk.anchors.last() {
        let mut regions = narrow(hay, text, &chunk.anchors)?;
        if regions.len() > 1 && regions.iter().any(|region| region.start >= floor) {
            regions.retain(|region| region.start >= floor);
        }
        return match regions.as_slice() {
            [only] => Ok(only.start + 1),
            several => {
                let lines = several.iter().map(|region| region.start + 1).collect();
                Err(Unplaced::Anchor(last.clone(), ambiguous(Rung::Exact, lines)))
            }
        };
    }
    match chunk.stated {
        // With no old lines the header names the line before; with a wrong count, the first line meant.
        Some((line, old)) => {
            let [drift] = drifts else { return Err(Unplaced::Adrift(line)) };
            let at = if old == 0 { line } else { line.saturating_sub(1) };
            let at = at.checked_add_signed(*drift).filter(|at| *at <= count);
            at.ok_or(Unplaced::Beyond { line, lines: count })
        }
        None if chunk.at_end || count == 0 => Ok(count),
        None => Err(Unplaced::Nowhere),
    }
}

/// The stretches that the anchors leave: each begins at a line that is the last anchor, inside a stretch that
/// begins at the one before it, and ends where the same anchor stands again.
fn narrow(hay: &Haystack<'_>, text: &str, anchors: &[String]) -> Result<Vec<Range<usize>>, Unplaced> {
    let mut regions: Vec<Range<usize>> = std::iter::once(0..hay.lines.len()).collect();
    for anchor in anchors {
        let all = occurrences(hay, anchor);
        let mut inner: Vec<Range<usize>> = Vec::new();
        for region in &regions {
            let first = all.partition_point(|line| *line < region.start);
            let end = all.partition_point(|line| *line < region.end);
            let starts = &all[first..end.max(first)];
            inner.extend(
                starts
                    .iter()
                    .enumerate()
                    .map(|(index, line)| *line..starts.get(index + 1).copied().unwrap_or(region.end)),
            );
        }
        if inner.is_empty() {
            let miss = Miss::Absent { nearest: nearest(text, anchor) };
            return Err(Unplaced::Anchor(anchor.clone(), miss));
        }
        regions = inner;
    }
    Ok(regions)
}

/// The lines an `@@` line means: by the ladder, and at last those that begin with it.
fn occurrences(hay: &Haystack<'_>, anchor: &str) -> Vec<usize> {
    for rung in Rung::ALL {
        let found = hay.find(&[anchor], rung);
        if !found.is_empty() {
            return found.into_iter().map(|spot| spot.line).collect();
        }
    }
    let start = key(anchor.trim(), Rung::Folded);
    let begins = |line: &&str| {
        let line = bare(line).trim_start();
        line.starts_with(start.as_ref()) || key(line, Rung::Folded).starts_with(start.as_ref())
    };
    let found = hay.lines.iter().enumerate().filter(|(_, line)| begins(line));
    found.map(|(line, _)| line).collect()
}

/// The spots that belong to a region. One that stands in the text only once needs to come after the anchor;
/// others must stand in what the anchor opens, lest the next function of the same shape be taken for it.
fn within(hay: &Haystack<'_>, spots: Vec<Spot>, regions: &[Range<usize>]) -> Vec<Spot> {
    let single = spots.len() == 1;
    let mut kept = Vec::new();
    for spot in spots {
        let region = regions.partition_point(|region| region.start <= spot.line).checked_sub(1);
        let Some(region) = region.and_then(|at| regions.get(at)).filter(|region| region.contains(&spot.line))
        else {
            continue;
        };
        if single || spot.line < scope_end(hay, region.start) {
            kept.push(spot);
        }
    }
    kept
}

/// The line behind what the line `anchor` opens: where indentation falls back to its level, or, in flat text,
/// where a line begins with the same word.
fn scope_end(hay: &Haystack<'_>, anchor: usize) -> usize {
    let plain = |line: usize| without_trailing(body(hay.lines[line]));
    let depth = indent(plain(anchor)).len();
    let first_word = |text: &str| -> String {
        let text = text.trim_start();
        let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if word.is_empty() { text.chars().take(1).collect() } else { word }
    };
    let word = first_word(plain(anchor));
    let mut opens = None;
    for line in anchor + 1..hay.lines.len() {
        let text = plain(line);
        if is_blank(text) {
            continue;
        }
        let here = indent(text).len();
        let opener = text.trim_start().starts_with(['{', '}', ')', ']']);
        if opens.is_none() && !opener {
            opens = Some(here > depth);
        }
        let sibling = opens == Some(true) || first_word(text) == word;
        if !opener && (here < depth || (here == depth && sibling)) {
            return line;
        }
    }
    hay.lines.len()
}
