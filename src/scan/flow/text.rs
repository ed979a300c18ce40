//! Texts put together: literals with holes, `+`, `%`, and the other operators.

use super::value::{Known, Shape, Value};
use super::{Engine, Frame, fold, guard};
use crate::scan::ir::{At, Expr, ExprKind, Text, TextPart};
use crate::scan::rules::Kind;

impl<'a> Engine<'a> {
    pub(super) fn text(&mut self, frame: &mut Frame<'a>, text: &'a Text) -> Value<'a> {
        if let Some(constant) = text.constant() {
            return Value::text(&constant);
        }
        let mut parts = Vec::new();
        for part in &text.parts {
            match part {
                TextPart::Literal { value, .. } => parts.push(Value::text(value)),
                TextPart::Hole { expr, format, .. } => {
                    let mut value = self.expr(frame, expr);
                    // A number format refuses everything that is no number.
                    if format
                        .as_deref()
                        .is_some_and(|format| format.ends_with(['d', 'x', 'f', 'b', 'o', 'e']))
                    {
                        value.clear(super::value::Kinds::of(&[Kind::All]));
                    }
                    parts.push(value);
                }
            }
        }
        concat(&parts)
    }

    pub(super) fn binary(
        &mut self,
        frame: &mut Frame<'a>,
        at: At,
        op: &str,
        left: &'a Expr,
        right: &'a Expr,
    ) -> Value<'a> {
        let _ = at;
        let one = self.expr(frame, left);
        match (op, fold::truth(&one)) {
            ("and" | "&&", Some(false)) | ("or" | "||", Some(true)) => return one,
            ("and" | "&&" | "or" | "||", None) => {
                // The right side is only evaluated when the left one held (or did not).
                let before = frame.vars.clone();
                self.narrow(frame, left, matches!(op, "and" | "&&"));
                let other = self.expr(frame, right);
                frame.vars = before;
                let falsy = Value { taints: one.taints.clone(), ..one.clone() };
                return if matches!(op, "and" | "&&") { other } else { falsy.join(other) };
            }
            ("and" | "&&" | "or" | "||", Some(_)) => return self.expr(frame, right),
            _ => {}
        }
        let two = self.expr(frame, right);
        if let (Some(a), Some(b)) = (&one.known, &two.known)
            && let Some(known) = fold::binary(op, a, b)
        {
            return Value::known(known);
        }
        match op {
            "+" => Self::plus(one, two),
            "%" if is_text(left) || one.built || one.known_text().is_some() => {
                let args = match two.shape.as_deref() {
                    Some(Shape::List { items, .. }) => items.clone(),
                    Some(Shape::Map { entries, .. }) => {
                        entries.iter().map(|(_, value)| value.clone()).collect()
                    }
                    _ => vec![two],
                };
                let numbers =
                    one.known_text().is_some_and(|text| !text.contains("%s") && !text.contains(")s"));
                let mut parts = vec![one];
                parts.extend(args);
                let mut value = concat(&parts);
                if numbers {
                    value.clear(super::value::Kinds::of(&[Kind::All]));
                }
                value
            }
            // pathlib: `base / name`.
            "/" => {
                let mut value = Value { constant: one.constant && two.constant, ..Value::default() };
                value.taint_from(&one);
                value.taint_from(&two);
                value.path = one.path.clone().filter(|path| path.starts_with("pathlib."));
                guard::joined_path(&mut value, &[&one, &two]);
                value
            }
            "==" | "!=" | "===" | "!==" | "<" | ">" | "<=" | ">=" | "in" | "not in" | "is" | "is not"
            | "instanceof" => Value { constant: one.constant && two.constant, ..Value::default() },
            "??" | "|" => one.join(two),
            _ => {
                let mut value = Value { constant: one.constant && two.constant, ..Value::default() };
                value.taint_from(&one);
                value.taint_from(&two);
                value
            }
        }
    }

    /// `+` on what may be texts or lists.
    pub(super) fn plus(one: Value<'a>, two: Value<'a>) -> Value<'a> {
        if let (Some(Shape::List { items: a, rest: None }), Some(Shape::List { items: b, rest })) =
            (one.shape.as_deref(), two.shape.as_deref())
        {
            let items = a.iter().chain(b).cloned().collect();
            return Value::shaped(Shape::List { items, rest: rest.clone() });
        }
        // `['git', 'log'] + more`: what a list is added to is one too.
        if let Some(Shape::List { items, rest }) = one.shape.as_deref()
            && !items.is_empty()
            && two.known.is_none()
            && !two.built
        {
            let more = Self::element(&two);
            let rest = match rest.as_deref() {
                Some(rest) => rest.clone().join(more),
                None => more,
            };
            return Value::shaped(Shape::List { items: items.clone(), rest: Some(Box::new(rest)) });
        }
        concat(&[one, two])
    }
}

/// A text put together from parts.
pub(super) fn concat<'a>(parts: &[Value<'a>]) -> Value<'a> {
    let mut value =
        Value { built: true, constant: parts.iter().all(|part| part.constant), ..Value::default() };
    let mut text = Some(String::new());
    for (index, part) in parts.iter().enumerate() {
        let mut part = part.clone();
        // Behind a literal beginning, a part without `..` cannot leave the folder.
        if index > 0 && (part.route.no_dots) {
            part.clear(super::value::Kinds::of(&[Kind::Path]));
        }
        value.taint_from(&part);
        text = match (text, part.known_text()) {
            (Some(text), Some(more)) => Some(text + more),
            _ => None,
        };
        if index == 0 {
            value.route.no_dots = part.route.no_dots;
        }
    }
    // Two numbers added up are no text.
    if parts.iter().all(|part| matches!(part.known, Some(Known::Int(_)))) {
        value.built = false;
    }
    if let Some(text) = text {
        value.known = Some(Known::Text(text.into()));
    }
    value
}

pub(super) fn is_text(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Text(_))
}
