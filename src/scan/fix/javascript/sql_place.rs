//! Whether a value may be bound at the end of a piece of SQL text.

/// What may stand behind a piece of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A single value.
    Value {
        /// Whether it must be a number (`LIMIT`, `OFFSET`).
        numeric: bool,
    },
    /// The whole inside of `IN (…)`.
    List,
}

const NAME: &str = "a table, column or direction cannot be bound; choose it from a fixed list";
const FRAGMENT: &str = "the value is a piece of SQL itself, so it cannot be bound";

/// Judges the place at the end of `before`.
///
/// # Errors
/// Why nothing can be bound there.
pub(crate) fn judge_place(before: &str) -> Result<Place, &'static str> {
    let value = Ok(Place::Value { numeric: false });
    let trimmed = before.trim_end();
    let Some(last) = trimmed.chars().next_back() else { return Err(FRAGMENT) };
    match last {
        '=' | '<' | '>' | '+' | '/' | '|' => return value,
        '-' if !trimmed.ends_with("--") => return value,
        '*' | '%' if trimmed.len() > 1 && !is_word_before(trimmed, "SELECT") => return value,
        '(' => return judge_paren(trimmed, true),
        ',' => return judge_comma(trimmed),
        _ => {}
    }
    if before.len() == trimmed.len() {
        return Err(NAME);
    }
    let words = words_of(trimmed);
    let word =
        |back: usize| words.len().checked_sub(back).and_then(|at| words.get(at)).map_or("", String::as_str);
    match word(1) {
        "LIKE" | "ILIKE" | "GLOB" | "REGEXP" | "RLIKE" | "MATCH" | "BETWEEN" | "THEN" | "ELSE" | "ESCAPE" => {
            value
        }
        "LIMIT" | "OFFSET" => Ok(Place::Value { numeric: true }),
        "AND" => {
            let from = words.len().saturating_sub(7);
            let recent = &words[from..words.len() - 1];
            let between = recent.iter().rposition(|w| w == "BETWEEN");
            let other = recent.iter().rposition(|w| matches!(w.as_str(), "AND" | "OR" | "WHERE"));
            match (between, other) {
                (Some(b), Some(o)) if b > o => value,
                (Some(_), None) => value,
                _ => Err(FRAGMENT),
            }
        }
        "WHERE" | "OR" | "NOT" | "HAVING" | "ON" => Err(FRAGMENT),
        _ => Err(NAME),
    }
}

/// Whether the text ends where a quoted value may begin.
pub(crate) fn opens_value(before: &str) -> bool {
    // A blank is put behind, since a quote need not be set off.
    judge_place(&format!("{} ", before.trim_end())).is_ok()
}

fn is_word_before(trimmed: &str, word: &str) -> bool {
    let rest = trimmed[..trimmed.len() - 1].trim_end();
    rest.len() >= word.len()
        && rest.is_char_boundary(rest.len() - word.len())
        && rest[rest.len() - word.len()..].eq_ignore_ascii_case(word)
}

/// Upper-case words of a text; what stands between quotes counts as one.
fn words_of(text: &str) -> Vec<String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '\u{1}'))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect()
}

/// Judges behind an open parenthesis at the end of `trimmed` (or, for a comma, the one that encloses it).
fn judge_paren(trimmed: &str, first: bool) -> Result<Place, &'static str> {
    let head = trimmed[..trimmed.len() - 1].trim_end();
    if head.ends_with(',') || head.ends_with(')') {
        let words = words_of(head);
        return if words.iter().any(|w| w == "VALUES") {
            Ok(Place::Value { numeric: false })
        } else {
            Err(FRAGMENT)
        };
    }
    if head.ends_with(['=', '<', '>', '+', '-', '*', '/', '|', '(']) {
        return Err(FRAGMENT);
    }
    let words = words_of(head);
    let word =
        |back: usize| words.len().checked_sub(back).and_then(|at| words.get(at)).map_or("", String::as_str);
    match word(1) {
        "IN" if first => Ok(Place::List),
        "" | "AND" | "OR" | "NOT" | "WHERE" | "SELECT" | "FROM" | "JOIN" | "ON" | "USING" | "AS" | "OVER"
        | "BY" | "EXISTS" | "SET" | "HAVING" | "KEY" | "TABLE" | "WITH" | "LIKE" | "THEN" | "ELSE"
        | "WHEN" => Err(FRAGMENT),
        _ if matches!(word(2), "INTO" | "TABLE" | "REFERENCES" | "INDEX" | "ON" | "WITH") => Err(NAME),
        _ => Ok(Place::Value { numeric: false }),
    }
}

fn judge_comma(trimmed: &str) -> Result<Place, &'static str> {
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    for (at, c) in trimmed.char_indices().rev().skip(1) {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, ')') => depth += 1,
            (None, '(') if depth == 0 => return judge_paren(&trimmed[..=at], false),
            (None, '(') => depth -= 1,
            // Inside quotes, or any other letter.
            _ => {}
        }
    }
    let words = words_of(trimmed);
    let clause = words.iter().rev().find(|w| {
        matches!(w.as_str(), "SELECT" | "SET" | "ORDER" | "GROUP" | "FROM" | "LIMIT" | "VALUES" | "RETURNING")
    });
    match clause.map(String::as_str) {
        Some("LIMIT") => Ok(Place::Value { numeric: true }),
        _ => Err(NAME),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_values_from_names_and_fragments() {
        let check = |before: &str, expected: Option<Place>| {
            assert_eq!(judge_place(before).ok(), expected, "{before}");
        };
        let value = Some(Place::Value { numeric: false });
        check("SELECT * FROM t WHERE id = ", value);
        check("SELECT * FROM t WHERE id=", value);
        check("INSERT INTO t (a, b) VALUES (", value);
        check("INSERT INTO t (a, b) VALUES (\u{1}, ", value);
        check("INSERT INTO t (a, b) VALUES (1, 2), (", value);
        check("SELECT * FROM t WHERE a LIKE ", value);
        check("SELECT * FROM t WHERE a BETWEEN \u{1} AND ", value);
        check("SELECT * FROM t WHERE lower(a) = lower(", value);
        check("SELECT * FROM t LIMIT ", Some(Place::Value { numeric: true }));
        check("SELECT * FROM t LIMIT 1, ", Some(Place::Value { numeric: true }));
        check("SELECT * FROM t WHERE id IN (", Some(Place::List));
        check("SELECT * FROM t WHERE id IN (1, ", value);
        check("SELECT * FROM ", None);
        check("SELECT * FROM t ORDER BY ", None);
        check("SELECT * FROM t ORDER BY a ", None);
        check("SELECT * FROM t ORDER BY a, ", None);
        check("SELECT * FROM t WHERE ", None);
        check("SELECT * FROM t WHERE a = 1 AND ", None);
        check("INSERT INTO t (", None);
        check("INSERT INTO t (a, ", None);
        check("SELECT ", None);
        check("", None);
        check("SELECT * FROM user_", None);
    }
}
