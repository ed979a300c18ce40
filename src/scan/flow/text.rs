//! Texts put together: literals with holes, `+`, `%`, and the other operators.

use super::value::{Kinds, Known, Shape, Value};
use super::{Engine, Frame, fold, guard};
use crate::scan::ir::{Arg, At, Call, Expr, ExprKind, Text, TextPart};
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
                TextPart::Hole { expr, format, conversion, .. } => {
                    let mut value = self.expr(frame, expr);
                    if matches!(conversion, Some('r' | 'a')) {
                        value.clear(Kinds::of(&[Kind::Log, Kind::Header]));
                    }
                    // A number format refuses everything that is no number.
                    if format
                        .as_deref()
                        .is_some_and(|format| format.ends_with(['d', 'x', 'f', 'b', 'o', 'e']))
                    {
                        value.clear(Kinds::of(&[Kind::All]));
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
                let escapes = is_markup(left);
                let shown = one.known_text().is_some_and(|text| !text.contains("%s") && text.contains("%r"));
                let numbers =
                    one.known_text().is_some_and(|text| !text.contains("%s") && !text.contains(")s"));
                let mut parts = vec![one];
                parts.extend(args);
                let mut value = concat(&parts);
                if shown {
                    value.clear(Kinds::of(&[Kind::Log, Kind::Header]));
                } else if numbers {
                    value.clear(Kinds::of(&[Kind::All]));
                }
                if escapes {
                    value.clear(Kinds::of(&[Kind::Html]));
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
    let mut lead = Lead::default();
    for (index, part) in parts.iter().enumerate() {
        let mut part = part.clone();
        // Behind a literal beginning, a part without `..` cannot leave the folder.
        if index > 0 && (part.route.no_dots) {
            part.clear(Kinds::of(&[Kind::Path]));
        }
        let fixed = lead.place();
        if !fixed.is_empty() && part.is_tainted() {
            part.clear(Kinds::of(fixed));
        }
        lead.add(&part);
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

/// `Markup("…") % x` escapes what is put in.
fn is_markup(left: &Expr) -> bool {
    left.as_call().and_then(|call| call.callee.dotted()).is_some_and(|name| name.ends_with("Markup"))
}

/// For which kinds a call takes away what does harm: line breaks replaced, letters outside a class removed.
pub(super) fn cleaned(call: &Call, source: &str) -> Kinds {
    let text = |at: usize| call.position(at).and_then(|arg| arg.value.as_text());
    let ExprKind::Member { object, name, .. } = &call.callee.kind else { return Kinds::default() };
    match name.as_str() {
        "format" if is_markup(object) => Kinds::of(&[Kind::Html]),
        "replace" if is_letter_ten(call) => Kinds::of(&[Kind::Log, Kind::Header]),
        "replace" | "replaceAll" => match (text(0).as_deref(), text(1)) {
            (Some("\n"), Some(by)) if !by.contains(['\r', '\n']) => Kinds::of(&[Kind::Log, Kind::Header]),
            // `x.replace(/[\r\n]/g, '')`
            (None, Some(by)) if !by.contains(['\r', '\n']) && call.position(0).is_some_and(breaks) => {
                Kinds::of(&[Kind::Log, Kind::Header])
            }
            (Some("'"), Some(by)) if !by.contains('\'') => Kinds::of(&[Kind::Xpath]),
            (Some("<"), Some(by)) if !by.contains('<') && name == "replaceAll" => Kinds::of(&[Kind::Html]),
            (None, _) => call.position(0).map_or_else(Kinds::default, |arg| escaped(arg, source)),
            _ => Kinds::default(),
        },
        "sub" if object.as_name() == Some("re") => match (text(0), text(1)) {
            (Some(pattern), Some(by)) if !by.contains(['\r', '\n']) => {
                let class =
                    pattern.trim_end_matches('+').strip_prefix("[^").and_then(|rest| rest.strip_suffix(']'));
                match class {
                    Some(class) if !class.contains('[') => {
                        super::letters::allowed_by_regex(&format!("^[{class}]+$"), true)
                    }
                    _ if pattern.contains("\\n") || pattern.contains('\n') || pattern.contains("\\s") => {
                        Kinds::of(&[Kind::Log, Kind::Header])
                    }
                    _ => Kinds::default(),
                }
            }
            _ => Kinds::default(),
        },
        "translate" => Kinds::of(&[Kind::Log, Kind::Header]),
        _ => Kinds::default(),
    }
}

/// `x.replace(chr(10), '')`
fn is_letter_ten(call: &Call) -> bool {
    call.position(0).and_then(|arg| arg.value.as_call()).is_some_and(|inner| {
        inner.callee.as_name() == Some("chr")
            && inner
                .position(0)
                .is_some_and(|arg| matches!(&arg.value.kind, ExprKind::Number(n) if n == "10"))
    })
}

/// `x.replace(/[&<>"']/g, …)`: for which kinds the letters of the class are what does harm.
fn escaped(arg: &Arg, source: &str) -> Kinds {
    let ExprKind::Regex(pattern) = &arg.value.kind else { return Kinds::default() };
    let flags = arg.value.at.of(source).rsplit('/').next().unwrap_or("");
    if !flags.contains('g') {
        return Kinds::default();
    }
    let class = pattern.trim_end_matches('+').strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let class = class.filter(|class| !class.starts_with('^'));
    let has = |letters: &str| class.is_some_and(|class| letters.chars().all(|letter| class.contains(letter)));
    let mut kinds = Kinds::default();
    if pattern == "<" || has("<") {
        kinds = kinds.with(Kind::Html);
    }
    if has("*()") {
        kinds = kinds.with(Kind::Ldap);
    }
    if has("*+?(") {
        kinds = kinds.with(Kind::Regex);
    }
    kinds
}

/// A pattern that stands for line breaks, all over the text.
fn breaks(arg: &Arg) -> bool {
    match &arg.value.kind {
        ExprKind::Regex(pattern) => pattern.contains("\\n") || pattern.contains("\\s"),
        _ => false,
    }
}

/// What stands before the first value from outside.
#[derive(Default)]
struct Lead {
    /// The letters that are known since `unknown`.
    letters: String,
    /// Whether something that is not known, and not from outside, came first.
    unknown: bool,
    /// Whether something from outside came.
    open: bool,
}

impl Lead {
    fn add(&mut self, part: &Value<'_>) {
        match part.known_text() {
            _ if self.open => {}
            Some(text) => self.letters.push_str(text),
            None if part.is_tainted() => self.open = self.place().is_empty(),
            None => {
                self.letters.clear();
                self.unknown = true;
            }
        }
    }

    /// For which kinds it does not matter any more what follows: host and scheme are fixed.
    fn place(&self) -> &'static [Kind] {
        if self.open {
            return &[];
        }
        let after_scheme = self.letters.split_once("://").map(|(_, rest)| rest);
        let host_is_fixed = match after_scheme {
            Some(rest) => rest.find(['/', '?', '#']).is_some_and(|at| at > 0),
            None => self.unknown && self.letters.contains(['/', '?', '#']),
        };
        let is_path = !self.unknown
            && after_scheme.is_none()
            && self.letters.starts_with(['/', '?', '#'])
            && self.letters.len() > 1
            && !self.letters.starts_with("//")
            && !self.letters.starts_with("/\\");
        match (host_is_fixed, is_path) {
            (true, _) => &[Kind::Url, Kind::Redirect],
            (_, true) => &[Kind::Redirect],
            _ => &[],
        }
    }
}

pub(super) fn is_text(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Text(_))
}
