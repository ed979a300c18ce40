//! Patterns as checks: for which kinds the letters that a pattern lets through do no harm.

use super::value::Kinds;
use crate::scan::rules::Kind;

/// Kinds for which spaces, slashes and the like do no harm.
const PLAIN_LETTERS: &[Kind] =
    &[Kind::Html, Kind::Ldap, Kind::Xpath, Kind::Header, Kind::Log, Kind::Template, Kind::Nosql, Kind::Xml];

/// For which kinds a text is safe that this pattern let through.
pub(super) fn allowed_by_regex(pattern: &str, whole: bool) -> Kinds {
    let mut body = pattern;
    let ends = body.ends_with('$') || body.ends_with("\\Z") || body.ends_with("\\z");
    // `re.match` is anchored at its start by itself.
    if !whole && !ends {
        return Kinds::default();
    }
    body = body.trim_start_matches('^').trim_start_matches("\\A");
    body = body.trim_end_matches('$').trim_end_matches("\\Z").trim_end_matches("\\z");
    let mut allowed = Kinds::of(&[Kind::All]);
    let mut letters = body.chars().peekable();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('w' | 'd' | '.' | '-' | '_' | '@' | '+') => {}
                _ => return Kinds::default(),
            },
            '[' if !in_class => {
                in_class = true;
                if letters.peek() == Some(&'^') {
                    return Kinds::default();
                }
            }
            ']' => in_class = false,
            '.' if !in_class => return Kinds::default(),
            '/' => {
                allowed = allowed.and(
                    Kinds::of(&[Kind::Sql, Kind::Command, Kind::Deserialize]).or(Kinds::of(PLAIN_LETTERS)),
                );
            }
            ' ' | ',' | ':' | '=' | '@' | '+' | '%' if in_class => {
                allowed = allowed.and(Kinds::of(&[Kind::Sql, Kind::Path]).or(Kinds::of(PLAIN_LETTERS)));
            }
            '(' | ')' | '*' | '?' | '{' | '}' | '|' if in_class => {
                allowed =
                    allowed.and(Kinds::of(&[Kind::Sql, Kind::Path, Kind::Html, Kind::Log, Kind::Header]));
            }
            letter if letter.is_alphanumeric() || "_-().+*?{},|:".contains(letter) => {}
            _ => return Kinds::default(),
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_anchored_narrow_patterns_prove_something() {
        fn check(pattern: &str, whole: bool, kind: Kind, expected: bool) {
            assert_eq!(allowed_by_regex(pattern, whole).has(kind), expected, "{pattern}");
        }
        check("[a-z0-9_]+", true, Kind::Sql, true);
        check("[a-z0-9_]+", false, Kind::Sql, false);
        check("^[a-z0-9_]+$", false, Kind::Command, true);
        check("^.*$", false, Kind::Sql, false);
        check("^[^;]+$", false, Kind::Command, false);
        check("^[\\w/]+$", false, Kind::Path, false);
        check("^[\\w.-]+$", false, Kind::Path, true);
        check("^\\d{4}-\\d{2}$", false, Kind::All, true);
    }
}
