//! Versions in order, loosely enough for npm, `PyPI`, Cargo, Go and Maven.

use std::cmp::Ordering;

/// A part of a version: numbers count, words come before numbers (`1.0-rc1` before `1.0`).
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Number(u64),
    Word(String),
}

/// Compares two versions as their ecosystems do for releases and the usual pre-releases.
pub(super) fn compare(one: &str, other: &str) -> Ordering {
    let (one, other) = (parts(one), parts(other));
    for at in 0..one.len().max(other.len()) {
        let order = match (one.get(at), other.get(at)) {
            (Some(Part::Number(a)), Some(Part::Number(b))) => a.cmp(b),
            (Some(Part::Word(a)), Some(Part::Word(b))) => rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)),
            (Some(Part::Number(_)) | None, Some(Part::Word(word))) => behind(word).reverse(),
            (Some(Part::Word(word)), Some(Part::Number(_)) | None) => behind(word),
            (Some(Part::Number(number)), None) => number.cmp(&0),
            (None, Some(Part::Number(number))) => 0.cmp(number),
            (None, None) => Ordering::Equal,
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// Where a version with this word stands to the one without it.
fn behind(word: &str) -> Ordering {
    if rank(word) < RELEASE { Ordering::Less } else { Ordering::Greater }
}

/// Whether one may take the place of the other without a change of interface, by the rules of versions.
pub(super) fn is_compatible(from: &str, to: &str) -> bool {
    let numbers = |version: &str| -> Vec<u64> {
        parts(version)
            .iter()
            .map_while(|part| if let Part::Number(n) = part { Some(*n) } else { None })
            .collect()
    };
    let (from, to) = (numbers(from), numbers(to));
    match (from.first(), to.first()) {
        (Some(0), Some(0)) => from.get(1) == to.get(1),
        (a, b) => a == b,
    }
}

const RELEASE: u8 = 10;

fn rank(word: &str) -> u8 {
    match word {
        "dev" | "snapshot" => 0,
        "a" | "alpha" => 1,
        "b" | "beta" => 2,
        "m" | "milestone" => 3,
        "c" | "rc" | "cr" | "pre" | "preview" => 4,
        "final" | "ga" | "release" => RELEASE,
        "post" | "sp" | "jre" | "android" => RELEASE + 1,
        _ => 5,
    }
}

fn parts(version: &str) -> Vec<Part> {
    let version = version.trim().trim_start_matches(['v', '=']).to_lowercase();
    // What a build is called does not order it.
    let version = version.split('+').next().unwrap_or_default();
    let mut out: Vec<Part> = Vec::new();
    let mut rest = version;
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let same = |c: char| c.is_ascii_alphanumeric() && c.is_ascii_digit() == is_digit;
        let end = rest.find(|c: char| !same(c)).unwrap_or(rest.len());
        if end == 0 {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let word = &rest[..end];
        out.push(word.parse().map_or_else(|_| Part::Word(word.to_owned()), Part::Number));
        rest = &rest[end..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_versions_of_every_ecosystem() {
        let check = |less: &str, more: &str| {
            assert_eq!(compare(less, more), Ordering::Less, "{less} < {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{more} > {less}");
        };
        for (less, more) in [
            ("1.2.3", "1.10.0"),
            ("1.0-rc1", "1.0"),
            ("1.0a1", "1.0b1"),
            ("1.0.dev1", "1.0a1"),
            ("2.0", "2.0.post1"),
            ("v1.2.3", "v1.2.4"),
            ("4.17.20", "4.17.21"),
            ("2.14.0", "2.15.0-rc1"),
            ("1.0-SNAPSHOT", "1.0"),
        ] {
            check(less, more);
        }
        for same in [("1.0", "1.0.0"), ("v1.2", "1.2"), ("1.0+a", "1.0+b"), ("1.0.final", "1.0.final")] {
            assert_eq!(compare(same.0, same.1), Ordering::Equal, "{same:?}");
        }
        assert!(is_compatible("1.2.3", "1.9.0") && !is_compatible("1.2.3", "2.0.0"));
        assert!(is_compatible("0.3.1", "0.3.9") && !is_compatible("0.3.1", "0.4.0"));
    }
}
