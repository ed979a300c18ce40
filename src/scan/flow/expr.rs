//! Expressions to values.

use super::value::{Callable, Kinds, Known, Shape, Taint, Value};
use super::{Engine, Frame, fold};
use crate::scan::ir::{At, Expr, ExprKind, ListKind};
use crate::scan::rules::{Kind, Origin};
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// The value of an expression.
    pub(super) fn expr(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) -> Value<'a> {
        self.spent += 1;
        let mut value = self.expr_inner(frame, expr);
        if let Some(taint) = self.source_at(frame, expr, &value) {
            value.taints.push(taint);
            value.constant = false;
        }
        self.note(frame.file, expr.at, &value);
        value
    }

    fn expr_inner(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) -> Value<'a> {
        match &expr.kind {
            ExprKind::Name(name) => {
                let mut value = self.lookup(frame, name);
                if value.is_tainted() && !value.from.iter().any(|known| **known == **name) {
                    value.from.push(name.as_str().into());
                }
                value
            }
            ExprKind::Member { object, name, .. } => {
                let object = self.expr(frame, object);
                let mut value = self.member(frame, &object, name);
                if value.is_tainted() && is_status(name) && !self.is_javascript(frame.file) {
                    value.clear(Kinds::of(&[Kind::Disclosure]));
                }
                value
            }
            ExprKind::Index { object, index } => {
                let object = self.expr(frame, object);
                let index = self.expr(frame, index);
                self.index(frame, &object, &index)
            }
            ExprKind::Slice { object, bounds } => {
                let value = self.expr(frame, object);
                for bound in bounds.iter().flatten() {
                    self.expr(frame, bound);
                }
                Self::slice(&value)
            }
            ExprKind::Call(call) => {
                let mut value = self.call(frame, expr, call);
                value.clear(super::text::cleaned(call, &self.source(frame.file).text));
                // `getattr(e, "code", 500)`
                let asked = call.position(1).filter(|_| call.callee.as_name() == Some("getattr"));
                if asked.and_then(|arg| arg.value.as_text()).is_some_and(|name| is_status(&name)) {
                    value.clear(Kinds::of(&[Kind::Disclosure]));
                }
                value
            }
            ExprKind::Text(text) => self.text(frame, text),
            ExprKind::Number(written) => fold::number(written).map_or_else(Value::constant, Value::known),
            ExprKind::Bool(flag) => Value::known(Known::Bool(*flag)),
            ExprKind::Null => Value::known(Known::Null),
            ExprKind::Regex(_) => Value::constant(),
            ExprKind::Binary { op, left, right } => self.binary(frame, expr.at, op, left, right),
            ExprKind::Unary { op, operand } => {
                let value = self.expr(frame, operand);
                match (op.as_str(), fold::truth(&value), &value.known) {
                    ("not" | "!", Some(flag), _) => Value::known(Known::Bool(!flag)),
                    ("-", _, Some(Known::Int(number))) => Value::known(Known::Int(number.wrapping_neg())),
                    _ => Value { constant: value.constant, ..Value::default() },
                }
            }
            ExprKind::List { items, kind } => self.list(frame, items, *kind),
            ExprKind::Map(entries) => self.map(frame, entries),
            ExprKind::Spread(inner) | ExprKind::Await(inner) => self.expr(frame, inner),
            ExprKind::Conditional { test, then, other } => self.conditional(frame, test, then, other),
            ExprKind::Lambda(function) => Self::function_value(frame, function),
            ExprKind::Class(class) => {
                if self.is_java(frame.file) {
                    Self::define_methods(frame, class);
                }
                Self::class_value(frame, class)
            }
            ExprKind::Assign { target, value: written } => {
                let value = self.expr(frame, written);
                self.check_assigned(frame, target, written, &value);
                self.assign(frame, target, value.clone());
                value
            }
            ExprKind::Comprehension { items, loops, tests } => self.comprehension(frame, items, loops, tests),
            ExprKind::Other(children) => {
                let mut value = Value::default();
                for child in children {
                    let part = self.expr(frame, child);
                    value.taint_from(&part);
                    value.built |= part.built;
                }
                value
            }
        }
    }

    /// The source that a whole path is in this file, without a key.
    pub(super) fn path_origin(&self, file: usize, path: &str) -> Option<&'static Origin> {
        let file = self.source(file);
        let found = self.lexicon.path_sources.matches(path).into_iter();
        found.copied().find(|origin| origin.keys.is_empty() && imports_one(file, &origin.imports))
    }

    /// The taint an expression brings in by itself.
    fn source_at(&self, frame: &Frame<'a>, expr: &Expr, value: &Value<'a>) -> Option<Taint> {
        let path = match &expr.kind {
            ExprKind::Member { .. } | ExprKind::Name(_) => value.path.as_deref()?,
            _ => return None,
        };
        if !value.taints.is_empty() {
            return None;
        }
        let origin = self.path_origin(frame.file, path)?;
        let note = format!("`{}` comes from outside", short(path));
        Some(Taint::new(origin.source, frame.file, expr.at, note).safe_for(&origin.safe))
    }

    /// A part of a value by index or key.
    pub(super) fn index(&mut self, frame: &Frame<'a>, object: &Value<'a>, index: &Value<'a>) -> Value<'a> {
        if let Some(Known::Text(key)) = &index.known
            && let Some(taint) = self.keyed_source(frame, object, key)
        {
            return Value::tainted(taint);
        }
        if let (Some(path), Some(Known::Int(at))) = (object.path.as_deref(), &index.known)
            && path.ends_with(".path.split()")
            && is_fixed_segment(frame.route.as_deref(), *at)
        {
            return Value::constant();
        }
        if let (Some(Known::Text(text)), Some(Known::Int(at))) = (&object.known, &index.known)
            && let Some(letter) = fold::letter(text, *at)
        {
            return Value::known(letter);
        }
        if let Some(shape) = &object.shape {
            let found = match (&**shape, &index.known) {
                (Shape::List { items, rest }, Some(Known::Int(at))) => {
                    let place = usize::try_from(*at).ok().or_else(|| {
                        (rest.is_none())
                            .then(|| items.len().checked_sub(usize::try_from(-*at).ok()?))
                            .flatten()
                    });
                    place.and_then(|place| items.get(place)).or(rest.as_deref()).cloned()
                }
                (shape @ (Shape::Map { .. } | Shape::Object { .. }), Some(Known::Text(key))) => {
                    shape.entry(key).cloned()
                }
                (_, None) => Some(shape.any()),
                _ => None,
            };
            if let Some(mut found) = found {
                merge_own(&mut found, object);
                return found;
            }
        }
        let path = object.path.as_deref().map(|path| super::scope::extend(path, "[]").into());
        let constant = object.constant;
        let mut value = Value { path, constant, from: object.from.clone(), ..Value::default() };
        value.taints.clone_from(&object.taints);
        value
    }

    /// `environ['QUERY_STRING']`: only some keys of an object are dangerous.
    pub(super) fn keyed_source(&self, frame: &Frame<'a>, object: &Value<'a>, key: &str) -> Option<Taint> {
        let path = object.path.as_deref()?;
        let file = self.source(frame.file);
        let origin = self.lexicon.path_sources.matches(path).into_iter().find(|origin| {
            origin.keys.iter().any(|word| crate::scan::pattern::word_fits(word, key))
                && imports_one(file, &origin.imports)
        })?;
        let at = At::default();
        Some(
            Taint::new(origin.source, frame.file, at, format!("`{}[{key}]` comes from outside", short(path)))
                .safe_for(&origin.safe),
        )
    }

    fn slice(value: &Value<'a>) -> Value<'a> {
        let mut out = Value { known: None, shape: None, callable: None, ..value.clone() };
        if let Some(shape) = &value.shape {
            let any = shape.any();
            out.shape = Some(Rc::new(Shape::List { items: Vec::new(), rest: Some(Box::new(any)) }));
        }
        out
    }

    fn list(&mut self, frame: &mut Frame<'a>, items: &'a [Expr], _kind: ListKind) -> Value<'a> {
        let (mut values, mut rest): (Vec<Value<'a>>, Option<Value<'a>>) = (Vec::new(), None);
        for item in items {
            let value = self.expr(frame, item);
            if matches!(item.kind, ExprKind::Spread(_)) {
                match value.shape.as_deref() {
                    Some(Shape::List { items, rest: None }) if rest.is_none() => values.extend(items.clone()),
                    _ => {
                        let mut any = value.shape.as_ref().map_or_else(|| value.clone(), |shape| shape.any());
                        any.shape = None;
                        rest = Some(match rest.take() {
                            Some(known) => known.join(any),
                            None => any,
                        });
                    }
                }
            } else if let Some(known) = rest.take() {
                rest = Some(known.join(value));
            } else {
                values.push(value);
            }
        }
        Value::shaped(Shape::List { items: values, rest: rest.map(Box::new) })
    }

    fn map(&mut self, frame: &mut Frame<'a>, entries: &'a [crate::scan::ir::Entry]) -> Value<'a> {
        let mut shape = Shape::Map { entries: Vec::new(), rest: None };
        for entry in entries {
            let key = entry.key.as_ref().map(|key| self.expr(frame, key));
            let value = self.expr(frame, &entry.value);
            match (key.as_ref().and_then(Value::known_text), value.shape.as_deref()) {
                (Some(key), _) => {
                    self.check_named(frame, key, &entry.value, &value);
                    shape.put(key, value);
                }
                (None, Some(Shape::Map { entries, rest: None })) if entry.key.is_none() => {
                    for (key, value) in entries {
                        shape.put(key, value.clone());
                    }
                }
                _ => {
                    if let Shape::Map { rest, .. } = &mut shape {
                        let known = rest.take();
                        *rest = Some(Box::new(match known {
                            Some(known) => known.join(value),
                            None => value,
                        }));
                    }
                }
            }
        }
        Value::shaped(shape)
    }

    fn conditional(
        &mut self,
        frame: &mut Frame<'a>,
        test: &'a Expr,
        then: &'a Expr,
        other: &'a Expr,
    ) -> Value<'a> {
        let value = self.expr(frame, test);
        match fold::truth(&value) {
            Some(true) => self.expr(frame, then),
            Some(false) => self.expr(frame, other),
            None => {
                let before = frame.vars.clone();
                self.narrow(frame, test, true);
                let one = self.expr(frame, then);
                frame.vars.clone_from(&before);
                self.narrow(frame, test, false);
                let two = self.expr(frame, other);
                frame.vars = before;
                one.join(two)
            }
        }
    }

    fn comprehension(
        &mut self,
        frame: &mut Frame<'a>,
        items: &'a [Expr],
        loops: &'a [(Expr, Expr)],
        tests: &'a [Expr],
    ) -> Value<'a> {
        let before = frame.vars.clone();
        for (target, over) in loops {
            let over = self.expr(frame, over);
            let item = Self::element(&over);
            self.assign(frame, target, item);
        }
        for test in tests {
            self.expr(frame, test);
            self.narrow(frame, test, true);
        }
        let values: Vec<Value<'a>> = items.iter().map(|item| self.expr(frame, item)).collect();
        frame.vars = before;
        let any = match values.len() {
            2 => values.into_iter().nth(1),
            _ => values.into_iter().next(),
        };
        Value::shaped(Shape::List { items: Vec::new(), rest: any.map(Box::new) })
    }

    /// What one turn of a loop over a value gets.
    pub(super) fn element(over: &Value<'a>) -> Value<'a> {
        match over.shape.as_deref() {
            Some(shape @ Shape::List { .. }) => {
                let mut any = shape.any();
                merge_own(&mut any, over);
                any
            }
            // Walking over a dict gives its keys.
            Some(Shape::Map { .. }) => Value { taints: over.taints.clone(), ..Value::constant() },
            _ => {
                let path = over.path.as_deref().map(|path| super::scope::extend(path, "[]").into());
                Value {
                    taints: over.taints.clone(),
                    path,
                    constant: over.constant,
                    from: over.from.clone(),
                    ..Value::default()
                }
            }
        }
    }

    /// The object a callable belongs to, for `super()` and the like.
    pub(super) fn is_namespace(value: &Value<'a>) -> bool {
        matches!(value.callable, Some(Callable::Namespace(_)))
    }
}

/// Whether a segment of the route being served is written out: `/a/b/<name>` has `a` at 1.
fn is_fixed_segment(route: Option<&str>, at: i64) -> bool {
    let Some((_, route)) = route.and_then(|route| route.split_once(' ')) else { return false };
    let segments: Vec<&str> = route.split('/').collect();
    let length = segments.len();
    let place = usize::try_from(at).ok().or_else(|| length.checked_sub(usize::try_from(-at).ok()?));
    place
        .and_then(|place| segments.get(place))
        .is_some_and(|segment| !segment.is_empty() && !segment.contains(['<', '{', ':', '*', '(']))
}

/// A part also carries what the whole carries.
fn merge_own<'a>(part: &mut Value<'a>, whole: &Value<'a>) {
    super::value::merge(&mut part.taints, &whole.taints);
}

/// Whether the file imports one of the modules; an empty list asks for nothing.
pub(super) fn imports_one(file: &crate::scan::project::SourceFile, modules: &[String]) -> bool {
    modules.is_empty() || modules.iter().any(|module| file.imports(module))
}

/// The last three segments of a path.
pub(super) fn short(path: &str) -> &str {
    let cut = path.rmatch_indices('.').nth(2).map_or(0, |(at, _)| at + 1);
    path.get(cut..).unwrap_or(path)
}

/// Members of an error that are numbers or names of a kind, and no text about what happened.
fn is_status(name: &str) -> bool {
    matches!(name, "code" | "status" | "status_code" | "returncode" | "errno" | "__class__")
}
