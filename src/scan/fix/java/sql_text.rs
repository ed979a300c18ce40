//! An SQL text (or a filter, or an expression) put together from values: the same text with places for them.

use super::pieces::Piece;
use super::syntax::Java;
use tree_sitter::Node;

/// A text with places, and what belongs into them.
#[derive(Debug, Default)]
pub(super) struct Bound {
    /// The new expression.
    pub(super) text: String,
    /// Whether it depends on nothing.
    pub(super) is_literal: bool,
    /// One expression per place, in order, and its type where known.
    pub(super) values: Vec<(String, Option<String>)>,
}

/// How a place is written; counts from 1.
pub(super) type Place<'p> = &'p dyn Fn(usize) -> String;

/// A part of the new text.
enum Segment<'t> {
    Letters(String),
    Kept(&'t str),
    Break(&'t str),
}

/// What stands between two quotes.
#[derive(Default)]
struct Quoted<'t> {
    parts: Vec<Result<Node<'t>, String>>,
    letters: String,
}

impl<'t> Java<'t> {
    /// Binds every value of an SQL expression. Fails where a value is no value but a part of the statement.
    pub(super) fn bind_sql(&self, node: Node<'t>, place: Place<'_>) -> Result<Bound, String> {
        if let Some((format, arguments)) = self.format_of(node) {
            return self.bind_format(format, &arguments, place);
        }
        let pieces = self.pieces(node);
        if pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Text(node, _) if self.text(*node).starts_with("\"\"\"")))
        {
            return Err("the statement is put together from text blocks".into());
        }
        let mut out: Vec<Segment<'t>> = Vec::new();
        let mut sql = String::new();
        let mut quoted: Option<Quoted<'t>> = None;
        let mut bound = Bound::default();
        for (at, piece) in pieces.iter().enumerate() {
            if let Some(before) = at.checked_sub(1).and_then(|at| pieces.get(at)) {
                let between = self.src.get(before.node().end_byte()..piece.node().start_byte()).unwrap_or("");
                if between.contains('\n') {
                    out.push(Segment::Break(between));
                }
            }
            match piece {
                Piece::Text(_, letters) => {
                    self.letters(letters, &mut out, &mut sql, &mut quoted, &mut bound, place);
                }
                Piece::Value(value) => match &mut quoted {
                    Some(open) => {
                        if !open.letters.is_empty() {
                            open.parts.push(Err(std::mem::take(&mut open.letters)));
                        }
                        open.parts.push(Ok(*value));
                    }
                    None => self.bare_value(*value, &mut out, &mut sql, &mut bound, place)?,
                },
            }
        }
        if quoted.is_some() {
            return Err("a quote of the statement is not closed".into());
        }
        if bound.values.is_empty() {
            return Err("no value is found in the statement".into());
        }
        bound.text = render(&out);
        bound.is_literal = !out.iter().any(|segment| matches!(segment, Segment::Kept(_)));
        Ok(bound)
    }

    #[allow(clippy::too_many_arguments, reason = "the state of one walk over a text")]
    fn letters(
        &self,
        letters: &str,
        out: &mut Vec<Segment<'t>>,
        sql: &mut String,
        quoted: &mut Option<Quoted<'t>>,
        bound: &mut Bound,
        place: Place<'_>,
    ) {
        for letter in letters.chars() {
            match (quoted.as_mut(), letter) {
                (None, '\'') => *quoted = Some(Quoted::default()),
                (None, letter) => {
                    push(out, &letter.to_string());
                    sql.push(letter);
                }
                (Some(_), '\'') => {
                    let mut closed = quoted.take().unwrap_or_default();
                    if closed.parts.is_empty() {
                        let text = format!("'{}'", closed.letters);
                        push(out, &text);
                        sql.push_str(&text);
                        continue;
                    }
                    if !closed.letters.is_empty() {
                        closed.parts.push(Err(std::mem::take(&mut closed.letters)));
                    }
                    bound.values.push(self.joined(&closed.parts));
                    let mark = place(bound.values.len());
                    push(out, &mark);
                    sql.push_str(&mark);
                }
                (Some(open), letter) => open.letters.push(letter),
            }
        }
    }

    /// What stood between quotes, as one expression.
    fn joined(&self, parts: &[Result<Node<'t>, String>]) -> (String, Option<String>) {
        if let [Ok(value)] = parts {
            return match self.type_of(*value) {
                Some("String") => (self.text(*value).to_owned(), Some("String".into())),
                _ => (format!("String.valueOf({})", self.text(*value)), Some("String".into())),
            };
        }
        let shown: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| match part {
                Ok(value) if at == 0 && !matches!(parts.get(1), Some(Err(_))) => {
                    format!("\"\" + {}", self.operand(*value))
                }
                Ok(value) => self.operand(*value),
                Err(letters) => format!("\"{letters}\""),
            })
            .collect();
        (shown.join(" + "), Some("String".into()))
    }

    fn operand(&self, value: Node<'t>) -> String {
        let text = self.text(value);
        if matches!(value.kind(), "ternary_expression" | "binary_expression" | "assignment_expression") {
            format!("({text})")
        } else {
            text.to_owned()
        }
    }

    fn bare_value(
        &self,
        value: Node<'t>,
        out: &mut Vec<Segment<'t>>,
        sql: &mut String,
        bound: &mut Bound,
        place: Place<'_>,
    ) -> Result<(), String> {
        if is_value_place(sql) {
            let kind = self.type_of(value).map(str::to_owned);
            bound.values.push((self.text(value).to_owned(), kind));
            let mark = place(bound.values.len());
            push(out, &mark);
            sql.push_str(&mark);
            return Ok(());
        }
        if self.is_tainted(value) {
            return Err(format!(
                "`{}` is a part of the statement, not a value; choose it from a fixed list",
                self.text(value)
            ));
        }
        out.push(Segment::Kept(self.text(value)));
        sql.push('x');
        Ok(())
    }

    fn bind_format(
        &self,
        format: Node<'t>,
        arguments: &[Node<'t>],
        place: Place<'_>,
    ) -> Result<Bound, String> {
        let written = self.text(format);
        let delimiter = if written.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
        let letters = written.get(delimiter.len()..written.len() - delimiter.len()).unwrap_or("");
        let mut bound = Bound::default();
        let mut sql = String::new();
        let mut rest = letters;
        let mut arguments = arguments.iter();
        while let Some(at) = rest.find('%') {
            let (before, behind) = rest.split_at(at);
            let open = (sql.matches('\'').count() + before.matches('\'').count()) % 2 == 1;
            if let Some(more) = behind.strip_prefix("%%") {
                sql.push_str(before);
                sql.push('%');
                rest = more;
                continue;
            }
            if !behind.starts_with("%s") && !behind.starts_with("%d") {
                return Err("the format has places that are no plain texts or numbers".into());
            }
            let value = *arguments.next().ok_or("the format has more places than arguments")?;
            rest = &behind[2..];
            if open {
                let quote = before.rfind('\'').ok_or("two values stand in one text")?;
                let close = rest.find('\'').ok_or("a quote of the statement is not closed")?;
                let (head, tail) = (&before[quote + 1..], &rest[..close]);
                if tail.contains("%s") || tail.contains("%d") {
                    return Err("two values stand in one text".into());
                }
                let (head, tail) = (head.replace("%%", "%"), tail.replace("%%", "%"));
                let mut parts: Vec<Result<Node<'t>, String>> = Vec::new();
                if !head.is_empty() {
                    parts.push(Err(head));
                }
                parts.push(Ok(value));
                if !tail.is_empty() {
                    parts.push(Err(tail));
                }
                bound.values.push(self.joined(&parts));
                sql.push_str(&before[..quote]);
                sql.push_str(&place(bound.values.len()));
                rest = &rest[close + 1..];
            } else {
                sql.push_str(before);
                if !is_value_place(&sql) {
                    return Err(format!(
                        "`{}` is a part of the statement, not a value; choose it from a fixed list",
                        self.text(value)
                    ));
                }
                bound.values.push((self.text(value).to_owned(), self.type_of(value).map(str::to_owned)));
                sql.push_str(&place(bound.values.len()));
            }
        }
        sql.push_str(rest);
        if bound.values.is_empty() || arguments.next().is_some() {
            return Err("the format does not fit its arguments".into());
        }
        bound.text = format!("{delimiter}{sql}{delimiter}");
        bound.is_literal = true;
        Ok(bound)
    }
}

fn push(out: &mut Vec<Segment<'_>>, letters: &str) {
    match out.last_mut() {
        Some(Segment::Letters(known)) => known.push_str(letters),
        _ => out.push(Segment::Letters(letters.to_owned())),
    }
}

/// The segments as an expression; line breaks stay where letters stand on both sides.
fn render(segments: &[Segment<'_>]) -> String {
    let mut out = String::new();
    let mut open = false;
    let mut pending: Option<&str> = None;
    for segment in segments {
        match segment {
            Segment::Break(between) => pending = pending.or(Some(between)),
            Segment::Letters(letters) => {
                if open {
                    if let Some(between) = pending.take() {
                        out.push_str(&format!("\"{between}\""));
                    }
                } else {
                    if !out.is_empty() {
                        out.push_str(pending.take().unwrap_or(" + "));
                    }
                    out.push('"');
                    open = true;
                }
                pending = None;
                out.push_str(letters);
            }
            Segment::Kept(expression) => {
                if open {
                    out.push('"');
                    open = false;
                }
                if !out.is_empty() {
                    out.push_str(pending.take().unwrap_or(" + "));
                }
                pending = None;
                out.push_str(expression);
            }
        }
    }
    if open {
        out.push('"');
    }
    out
}

/// Whether a value may stand behind this much of a statement.
pub(super) fn is_value_place(sql: &str) -> bool {
    let low = sql.to_lowercase();
    let trimmed = low.trim_end();
    let words: Vec<&str> = trimmed
        .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .filter(|w| !w.is_empty())
        .collect();
    let keyword = words.iter().rev().find(|word| {
        matches!(
            **word,
            "select"
                | "from"
                | "where"
                | "values"
                | "set"
                | "order"
                | "group"
                | "limit"
                | "offset"
                | "having"
                | "on"
                | "into"
                | "table"
                | "call"
                | "join"
                | "update"
                | "in"
                | "exec"
                | "execute"
        )
    });
    let last = trimmed.chars().last();
    match last {
        Some('=' | '<' | '>') => true,
        Some('(' | ',') => {
            matches!(keyword, Some(&"values"))
                || (matches!(keyword, Some(&"call" | &"where" | &"set" | &"having")) && trimmed.contains('('))
        }
        _ => {
            matches!(words.last(), Some(&"like" | &"limit" | &"offset" | &"between" | &"ilike"))
                || (words.last() == Some(&"and") && words.iter().rev().nth(2) == Some(&"between"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_behind_operators_and_in_value_lists_only() {
        fn check(sql: &str, expected: bool) {
            assert_eq!(is_value_place(sql), expected, "{sql}");
        }
        check("SELECT * FROM t WHERE id = ", true);
        check("SELECT * FROM t WHERE name LIKE ", true);
        check("INSERT INTO t (a, b) VALUES (", true);
        check("INSERT INTO t VALUES (1, ", true);
        check("SELECT * FROM ", false);
        check("SELECT * FROM t ORDER BY ", false);
        check("SELECT ", false);
        check("SELECT * FROM t WHERE id IN (", false);
        check("{call ", false);
        check("{call find(", true);
        check("UPDATE t SET a = ", true);
        check("SELECT * FROM t LIMIT ", true);
    }
}
