//! Constants folded: what an operator or a text method gives when its operands are known.

use super::value::{Known, Value};

/// Whether a value counts as true, when that is certain.
pub(super) fn truth(value: &Value<'_>) -> Option<bool> {
    Some(match value.known.as_ref()? {
        Known::Bool(flag) => *flag,
        Known::Int(number) => *number != 0,
        Known::Text(text) => !text.is_empty(),
        Known::Null => false,
    })
}

/// A number literal.
pub(super) fn number(written: &str) -> Option<Known> {
    let plain = written.replace('_', "");
    let parsed = if let Some(hex) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        i64::from_str_radix(hex, 16)
    } else if let Some(octal) = plain.strip_prefix("0o") {
        i64::from_str_radix(octal, 8)
    } else {
        plain.parse()
    };
    parsed.ok().map(Known::Int)
}

/// A binary operator on constants.
pub(super) fn binary(op: &str, left: &Known, right: &Known) -> Option<Known> {
    use Known::{Bool, Int, Null, Text};
    Some(match (op, left, right) {
        ("+", Text(a), Text(b)) => Text(format!("{a}{b}").into()),
        ("*", Text(a), Int(n)) if (0..1000).contains(n) && a.len() < 1000 => {
            Text(a.repeat(usize::try_from(*n).ok()?).into())
        }
        ("+", Int(a), Int(b)) => Int(a.checked_add(*b)?),
        ("-", Int(a), Int(b)) => Int(a.checked_sub(*b)?),
        ("*", Int(a), Int(b)) => Int(a.checked_mul(*b)?),
        ("//", Int(a), Int(b)) if *b != 0 => Int(a.div_euclid(*b)),
        // An exact quotient only: everything else is no whole number.
        ("/", Int(a), Int(b)) if *b != 0 && a % b == 0 => Int(a / b),
        ("%", Int(a), Int(b)) if *b != 0 => Int(a.rem_euclid(*b)),
        ("==" | "===" | "is", a, b) => Bool(same(a, b)?),
        ("!=" | "!==" | "is not", a, b) => Bool(!same(a, b)?),
        ("<", Int(a), Int(b)) => Bool(a < b),
        (">", Int(a), Int(b)) => Bool(a > b),
        ("<=", Int(a), Int(b)) => Bool(a <= b),
        (">=", Int(a), Int(b)) => Bool(a >= b),
        ("in", Text(a), Text(b)) => Bool(b.contains(&**a)),
        ("not in", Text(a), Text(b)) => Bool(!b.contains(&**a)),
        ("??", Null, b) => b.clone(),
        ("??", a, _) => a.clone(),
        _ => return None,
    })
}

fn same(left: &Known, right: &Known) -> Option<bool> {
    match (left, right) {
        // `2.0 == 2`, `True == 1` and JavaScript's loose comparison of types are left open.
        (Known::Int(_), Known::Bool(_) | Known::Text(_))
        | (Known::Bool(_) | Known::Text(_), Known::Int(_)) => None,
        _ => Some(left == right),
    }
}

/// A text method without side effects on a constant.
pub(super) fn method(text: &str, name: &str, args: &[&Known]) -> Option<Known> {
    let texts: Vec<&str> = args
        .iter()
        .filter_map(|arg| match arg {
            Known::Text(text) => Some(&**text),
            _ => None,
        })
        .collect();
    let same_kind = texts.len() == args.len();
    Some(match (name, texts.as_slice(), same_kind) {
        ("upper" | "toUpperCase", [], true) => Known::Text(text.to_uppercase().into()),
        ("lower" | "toLowerCase" | "casefold", [], true) => Known::Text(text.to_lowercase().into()),
        ("strip" | "trim", [], true) => Known::Text(text.trim().into()),
        ("replace" | "replaceAll", [from, to], true) if !from.is_empty() => {
            Known::Text(text.replace(from, to).into())
        }
        ("startswith" | "startsWith", [head], true) => Known::Bool(text.starts_with(head)),
        ("endswith" | "endsWith", [tail], true) => Known::Bool(text.ends_with(tail)),
        ("includes", [part], true) => Known::Bool(text.contains(part)),
        _ => return None,
    })
}

/// One letter of a text, negative from the end.
pub(super) fn letter(text: &str, at: i64) -> Option<Known> {
    let letters: Vec<char> = text.chars().collect();
    let length = i64::try_from(letters.len()).ok()?;
    let at = if at < 0 { at + length } else { at };
    let letter = letters.get(usize::try_from(at).ok()?)?;
    Some(Known::Text(letter.to_string().into()))
}
