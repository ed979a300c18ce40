//! How far a text's lines have moved since a patch was made: hunks with one possible place tell, the others follow.

use super::patch::Chunk;
use super::place::Haystack;
use super::seek::{Seat, Unplaced, seek};

/// The places of all chunks of one file, or the 0-based index of one that has none, and why.
pub(super) fn seats(
    hay: &Haystack<'_>,
    text: &str,
    chunks: &[Chunk],
) -> Result<Vec<Seat>, (usize, Unplaced)> {
    let first = round(hay, text, chunks, &|_| vec![0]);
    let moved =
        |at: usize| first[at].as_ref().map_or(true, |seat| drift(&chunks[at], seat).unwrap_or(0) != 0);
    let second = if (0..chunks.len()).any(moved) {
        // A number that was right by chance is not to be trusted where its neighbours' are all off.
        let firm: Vec<Option<isize>> = chunks
            .iter()
            .zip(&first)
            .map(|(chunk, seat)| seat.as_ref().ok().filter(|seat| seat.is_firm(hay, chunk)))
            .zip(chunks)
            .map(|(seat, chunk)| seat.and_then(|seat| drift(chunk, seat)))
            .collect();
        round(hay, text, chunks, &|at| hints(&firm, at))
    } else {
        first
    };
    second.into_iter().enumerate().map(|(at, seat)| seat.map_err(|why| (at, why))).collect()
}

/// Seeks every chunk, each with the drifts it may have.
fn round(
    hay: &Haystack<'_>,
    text: &str,
    chunks: &[Chunk],
    drifts: &dyn Fn(usize) -> Vec<isize>,
) -> Vec<Result<Seat, Unplaced>> {
    let mut floor = 0;
    let mut seats = Vec::with_capacity(chunks.len());
    for (at, chunk) in chunks.iter().enumerate() {
        let seat = seek(hay, text, chunk, floor, &drifts(at));
        if let Ok(seat) = &seat {
            floor = seat.line + chunk.changed().1;
        }
        seats.push(seat);
    }
    seats
}

/// How many lines below its stated place a chunk was found; `None` when it states none, or has no lines to find.
fn drift(chunk: &Chunk, seat: &Seat) -> Option<isize> {
    let (line, old) = chunk.stated?;
    if old == 0 || chunk.old_lines().is_empty() {
        return None;
    }
    seat.line.checked_add(1)?.checked_signed_diff(line)
}

/// The drifts of the nearest chunks with a certain place: its own, or those before and behind.
fn hints(firm: &[Option<isize>], at: usize) -> Vec<isize> {
    if let Some(own) = firm[at] {
        return vec![own];
    }
    let before = firm[..at].iter().rev().find_map(|drift| *drift);
    let behind = firm[at..].iter().find_map(|drift| *drift);
    let mut all: Vec<isize> = before.into_iter().chain(behind).collect();
    all.dedup();
    if all.is_empty() { vec![0] } else { all }
}

#[cfg(test)]
mod tests {
    use super::super::patch::parse;

    #[test]
    fn a_number_that_is_right_by_chance_gives_way_to_how_far_the_others_moved() {
        let blocks = "k\nv\n".repeat(6);
        let check = |text: &str, hunks: &str, expected: Option<&str>| {
            let patch = parse(&format!("--- f\n+++ f\n{hunks}")).unwrap();
            let got = patch.files[0].apply(Some(text)).map(Option::unwrap_or_default);
            match expected {
                Some(expected) => assert_eq!(got.as_deref(), Ok(expected), "{hunks}"),
                None => assert!(got.is_err(), "{hunks}: {got:?}"),
            }
        };
        let third = "k\nv\nk\nv\nk\nw\nk\nv\nk\nv\nk\nv\n";
        let second = "@@ -6,2 +6,2 @@\n k\n-v\n+w\n";
        // Made for a text that began with `u`; now two lines stand before it.
        let moved = format!("new\nnew\nu\n{blocks}");
        check(&moved, &format!("@@ -1 +1 @@\n-u\n+U\n{second}"), Some(&format!("new\nnew\nU\n{third}")));
        // The certain hunk may come behind.
        let behind = format!("new\nnew\nu\n{blocks}end\n");
        let hunks = format!("{second}@@ -14 +14 @@\n-end\n+END\n");
        check(&behind, &hunks, Some(&format!("new\nnew\nu\n{third}END\n")));
        // Lines put in at a number move along, unless it cannot be told by how much.
        let hunks = "@@ -1 +1 @@\n-u\n+U\n@@ -3,0 +4 @@\n+i\n";
        check(&moved, hunks, Some(&format!("new\nnew\nU\nk\nv\ni\n{}", "k\nv\n".repeat(5))));
        let torn = format!("new\nu\n{blocks}new\nend\n");
        let hunks = "@@ -1 +1 @@\n-u\n+U\n@@ -3,0 +4 @@\n+i\n@@ -14 +15 @@\n-end\n+END\n";
        check(&torn, hunks, None);
        let hunks = format!("@@ -1 +1 @@\n-u\n+U\n{second}@@ -14 +14 @@\n-end\n+END\n");
        check(&format!("new\nu\n{blocks}new\nnew\nend\n"), &hunks, None);
        // Nothing moved: the number counts.
        check(&format!("u\n{blocks}"), second, Some(&format!("u\n{third}")));
    }
}
