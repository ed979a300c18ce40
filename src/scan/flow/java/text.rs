//! Texts and their builders.

use super::make::flat;
use super::{Engine, Frame};
use crate::scan::flow::call::Given;
use crate::scan::flow::fold;
use crate::scan::flow::letters::allowed_by_regex;
use crate::scan::flow::text::concat;
use crate::scan::flow::value::{Kinds, Known, Shape, Value};
use crate::scan::ir::{Expr, ExprKind};
use crate::scan::rules::Kind;

impl<'a> Engine<'a> {
    /// Methods of `StringBuilder` and its kin: they change the object and give it.
    pub(super) fn builder_method(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let path = holder.path.as_deref()?;
        if !matches!(path, "StringBuilder" | "StringBuffer" | "StringJoiner" | "StringWriter" | "Appendable")
        {
            return None;
        }
        let arg = |at: usize| given.get(at).map(|arg| flat(arg.value.clone())).unwrap_or_default();
        let own = Value { path: None, shape: None, ..holder.clone() };
        let changed = match name {
            "append" | "add" | "write" | "print" => concat(&[own, arg(0)]),
            "appendCodePoint" => concat(&[own, Value::default()]),
            "insert" => concat(&[arg(1), own]),
            "replace" => {
                let mut value = concat(&[own, arg(2)]);
                value.known = None;
                value
            }
            "setCharAt" | "deleteCharAt" | "reverse" => Value { known: None, ..own },
            "delete" | "setLength" => {
                let empties = match name {
                    "setLength" => arg(0).known == Some(Known::Int(0)),
                    _ => arg(0).known == Some(Known::Int(0)) && given.get(1).is_some_and(|end| {
                        end.expr.as_call().is_some_and(|call| {
                            matches!(&call.callee.kind, ExprKind::Member { name, object: of, .. }
                                if name == "length" && of.dotted().is_some() && of.dotted() == object.dotted())
                        })
                    }),
                };
                if empties { Value::text("") } else { Value { known: None, ..own } }
            }
            "toString" | "substring" | "subSequence" => {
                return Some(match (name, given) {
                    ("toString", _) => own,
                    _ => text_of(&own, name, given).unwrap_or(Value { known: None, ..own }),
                });
            }
            _ => return None,
        };
        let changed = Value { path: holder.path.clone(), ..changed };
        if let Some(root) = root_of(object) {
            self.assign(frame, root, changed.clone());
        }
        Some(changed)
    }

    /// Methods of texts, and the static ones that make texts.
    pub(super) fn text_method(
        &mut self,
        holder: &Value<'a>,
        name: &str,
        path: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let first = given.first().map(|arg| &arg.value);
        match path {
            "String.format" | "MessageFormat.format" => {
                let parts: Vec<Value<'a>> = given.iter().map(|arg| flat(arg.value.clone())).collect();
                return Some(formatted(&parts));
            }
            "String.valueOf"
            | "String.copyValueOf"
            | "Objects.toString"
            | "Objects.requireNonNull"
            | "Objects.requireNonNullElse"
            | "String.new" => {
                let mut value = first?.clone();
                if path != "Objects.requireNonNull" {
                    if let Some(Known::Int(number)) = value.known {
                        value.known = Some(Known::Text(number.to_string().into()));
                    }
                    value = Value { path: None, ..flat(value) };
                }
                return Some(value);
            }
            "String.join" => {
                let mut parts: Vec<Value<'a>> = Vec::new();
                for arg in given.iter().skip(1) {
                    match arg.value.shape.as_deref() {
                        Some(shape) => parts.extend(shape.parts().into_iter().cloned()),
                        None => parts.push(arg.value.clone()),
                    }
                }
                return Some(concat(&parts));
            }
            "Integer.parseInt" | "Integer.valueOf" | "Long.parseLong" | "Long.valueOf" => {
                let number = match &first?.known {
                    Some(Known::Text(text)) => text.trim().parse().ok(),
                    Some(Known::Int(number)) => Some(*number),
                    _ => None,
                };
                return number.map(|number| Value::known(Known::Int(number)));
            }
            _ => {}
        }
        if holder.shape.is_some() || holder.callable.is_some() {
            return None;
        }
        if name == "formatted" {
            let args = given.iter().map(|arg| flat(arg.value.clone()));
            return Some(formatted(&std::iter::once(holder.clone()).chain(args).collect::<Vec<_>>()));
        }
        if matches!(name, "toString" | "intern" | "getBytes" | "toCharArray") && holder.known_text().is_some()
        {
            return Some(Value { path: None, ..holder.clone() });
        }
        if name == "concat"
            && let Some(first) = first
        {
            return Some(concat(&[holder.clone(), first.clone()]));
        }
        text_of(holder, name, given).or_else(|| self.replaced(holder, name, given))
    }

    /// `replace` and `replaceAll`: what is left of the letters.
    fn replaced(&self, holder: &Value<'a>, name: &str, given: &[Given<'a>]) -> Option<Value<'a>> {
        let ("replace" | "replaceAll", [from, to]) = (name, given) else { return None };
        let from = from.value.known_text()?;
        let mut value = Value { known: None, path: None, ..holder.clone() };
        value.taint_from(&to.value);
        let by = to.value.known_text()?;
        let breaks = |text: &str| text.contains(['\r', '\n']) || text.contains("\\r") || text.contains("\\n");
        if name == "replaceAll"
            && let Some(class) =
                from.trim_end_matches(['+', '*']).strip_prefix("[^").and_then(|rest| rest.strip_suffix(']'))
            && !class.contains('[')
        {
            value.clear(allowed_by_regex(&format!("^[{class}]+$"), true));
            return Some(value);
        }
        if breaks(from) && !breaks(by) {
            let both = (from.contains('\r') || from.contains("\\r"))
                && (from.contains('\n') || from.contains("\\n"))
                || from.contains("\\s")
                || from.contains("\\R")
                || value.taints.iter().all(|taint| taint.cleared.has(Kind::Log));
            let kinds = if both { vec![Kind::Log, Kind::Header] } else { vec![Kind::Log] };
            value.clear(Kinds::of(&kinds));
        }
        if from == "<" && by == "&lt;" {
            value.clear(Kinds::of(&[Kind::Html]));
        }
        if from == ".." || (name == "replaceAll" && matches!(from, "\\.\\." | "\\.{2,}" | "[.]{2}")) {
            value.route.no_dots = true;
        }
        Some(value)
    }
}

/// A format with what stands in its places.
fn formatted<'a>(parts: &[Value<'a>]) -> Value<'a> {
    let mut value = concat(parts);
    let format = parts.first().and_then(Value::known_text);
    value.known = format.and_then(|format| {
        let mut text = String::new();
        let mut pieces = format.split("%s");
        text.push_str(pieces.next()?);
        let mut args = parts.iter().skip(1);
        for piece in pieces {
            text.push_str(args.next()?.known_text()?);
            text.push_str(piece);
        }
        (!text.contains('%') && !text.contains('{')).then(|| Known::Text(text.into()))
    });
    value
}

/// A method of a text that is known.
fn text_of<'a>(holder: &Value<'a>, name: &str, given: &[Given<'a>]) -> Option<Value<'a>> {
    let text = holder.known_text()?;
    let known: Vec<&Known> = given.iter().map(|arg| arg.value.known.as_ref()).collect::<Option<_>>()?;
    let letters: Vec<char> = text.chars().collect();
    let place = |known: &Known| match known {
        Known::Int(at) => usize::try_from(*at).ok(),
        _ => None,
    };
    let made = match (name, known.as_slice()) {
        ("charAt", [Known::Int(at)]) => fold::letter(text, (*at).max(0))?,
        ("substring" | "subSequence", [from]) => {
            Known::Text(letters.get(place(from)?..)?.iter().collect::<String>().into())
        }
        ("substring" | "subSequence", [from, to]) => {
            Known::Text(letters.get(place(from)?..place(to)?)?.iter().collect::<String>().into())
        }
        ("length", []) => Known::Int(i64::try_from(letters.len()).ok()?),
        ("isEmpty", []) => Known::Bool(text.is_empty()),
        ("isBlank", []) => Known::Bool(text.trim().is_empty()),
        ("equals" | "contentEquals", [Known::Text(other)]) => Known::Bool(text == &**other),
        ("equals", [Known::Null]) => Known::Bool(false),
        ("equalsIgnoreCase", [Known::Text(other)]) => {
            Known::Bool(text.to_lowercase() == other.to_lowercase())
        }
        ("contains", [Known::Text(part)]) => Known::Bool(text.contains(&**part)),
        ("indexOf", [Known::Text(part)]) => Known::Int(
            text.find(&**part).and_then(|at| i64::try_from(text[..at].chars().count()).ok()).unwrap_or(-1),
        ),
        ("repeat", [count]) if place(count)? < 100 => Known::Text(text.repeat(place(count)?).into()),
        ("toString" | "strip" | "intern", []) => {
            Known::Text(if name == "strip" { text.trim() } else { text }.into())
        }
        ("split", [Known::Text(by)]) if !by.contains(|c: char| "\\[](){}.*+?^$|".contains(c)) => {
            let items = text.split(&**by).map(Value::text).collect();
            return Some(Value::shaped(Shape::List { items, rest: None }));
        }
        (_, known) => fold::method(text, name, known)?,
    };
    Some(Value::known(made))
}

/// The variable or field at the beginning of a chain of calls.
fn root_of(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Name(_) | ExprKind::Member { .. } => Some(expr),
        ExprKind::Call(call) if !call.is_new => match &call.callee.kind {
            ExprKind::Member { object, name, .. }
                if matches!(
                    name.as_str(),
                    "append" | "insert" | "replace" | "reverse" | "delete" | "deleteCharAt" | "add"
                ) =>
            {
                root_of(object)
            }
            _ => None,
        },
        _ => None,
    }
}
