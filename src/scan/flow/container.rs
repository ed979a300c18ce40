//! Lists, dicts and texts: what their own methods give, and what they change.

use super::call::Given;
use super::value::{Known, Shape, Value};
use super::{Engine, Frame, fold, text::concat};
use crate::scan::ir::{Expr, ExprKind};
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// `object[key] = value`.
    pub(super) fn store(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        key: &Value<'a>,
        value: Value<'a>,
    ) {
        let holder = self.quiet_value(frame, object);
        let mut next = match holder.shape.as_deref() {
            Some(shape) => shape.clone(),
            None => Shape::Map {
                entries: Vec::new(),
                rest: Some(Box::new(Value { shape: None, ..holder.clone() })),
            },
        };
        match (&mut next, &key.known) {
            (Shape::Map { .. } | Shape::Object { .. }, Some(Known::Text(key))) => {
                next.put(&key.clone(), value);
            }
            (Shape::List { items, .. }, Some(Known::Int(at)))
                if usize::try_from(*at).is_ok_and(|at| at < items.len()) =>
            {
                if let Some(slot) = usize::try_from(*at).ok().and_then(|at| items.get_mut(at)) {
                    *slot = value;
                }
            }
            (Shape::List { rest, .. } | Shape::Map { rest, .. }, _) => add_rest(rest, value),
            _ => {}
        }
        self.put_back(frame, object, holder, next);
    }

    /// A call that makes an object: its keywords, and the entries of an options object, are fields of the result.
    pub(super) fn keep_fields(&self, path: &str, given: &[Given<'a>], value: &mut Value<'a>) {
        if self.lexicon.makers.matches(path).is_empty() {
            return;
        }
        let mut shape = Shape::Map { entries: Vec::new(), rest: None };
        for arg in given {
            match (arg.name, arg.value.shape.as_deref()) {
                (Some(name), _) => shape.put(name, arg.value.clone()),
                (None, Some(Shape::Map { entries, .. })) => {
                    for (key, entry) in entries {
                        shape.put(key, entry.clone());
                    }
                }
                _ => {}
            }
        }
        value.shape = Some(Rc::new(shape));
    }

    /// `parser.setFeature(name, flag)`: the object keeps the flag under the last word of the name.
    pub(super) fn set_field(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        path: &str,
        given: &[Given<'a>],
    ) -> bool {
        let [name, value, ..] = given else { return false };
        if self.lexicon.setters.matches(path).is_empty() {
            return false;
        }
        let key = name.value.known_text().map(str::to_owned).or_else(|| {
            let path = name.value.path.as_deref()?;
            path.rsplit('.').next().map(str::to_owned)
        });
        let Some(key) = key else { return false };
        let mut next = match holder.shape.as_deref() {
            Some(shape @ Shape::Map { .. }) => shape.clone(),
            _ => Shape::Map { entries: Vec::new(), rest: None },
        };
        next.put(&key, value.value.clone());
        self.put_back(frame, object, holder.clone(), next);
        true
    }

    /// Stores a changed container under the variable it came from.
    pub(super) fn put_back(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: Value<'a>,
        shape: Shape<'a>,
    ) {
        let path = holder.path.clone();
        let changed = Value { shape: Some(Rc::new(shape)), constant: false, known: None, ..holder };
        match &object.kind {
            ExprKind::Name(name) => {
                frame.vars.insert(name.as_str().into(), changed);
            }
            ExprKind::Member { object: inner, name, .. } => {
                let whole = self.quiet_value(frame, inner);
                if let (Some(variable), Some(Shape::Object { .. } | Shape::Map { .. })) =
                    (inner.as_name(), whole.shape.as_deref())
                {
                    let mut next = whole.shape.as_deref().cloned();
                    if let Some(next) = &mut next {
                        next.put(name, changed);
                    }
                    frame.vars.insert(variable.into(), Value { shape: next.map(Rc::new), ..whole });
                } else if let Some(path) = path {
                    frame.vars.insert(path, changed);
                }
            }
            _ => {}
        }
    }

    /// A method of a list, dict or text. `None` when the method is not one of theirs.
    pub(super) fn container_method(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        args: &[Value<'a>],
    ) -> Option<Value<'a>> {
        if let Some(text) = holder.known_text() {
            let known: Vec<&Known> = args.iter().filter_map(|arg| arg.known.as_ref()).collect();
            if known.len() == args.len()
                && let Some(known) = fold::method(text, name, &known)
            {
                return Some(Value::known(known));
            }
        }
        match (name, args) {
            (
                "append" | "push" | "add" | "appendleft" | "unshift" | "insert" | "extend" | "update"
                | "write" | "writelines" | "setdefault" | "set" | "put" | "append_row",
                _,
            ) if !args.is_empty() => self.change(frame, object, holder, name, args),
            ("pop" | "shift" | "popleft", _) => self.take_out(frame, object, holder, name, args),
            ("remove", [_]) => match holder.shape.as_deref() {
                Some(Shape::List { items, rest }) => {
                    let any = Shape::List { items: items.clone(), rest: rest.clone() }.any();
                    let next = Shape::List { items: Vec::new(), rest: Some(Box::new(any)) };
                    self.put_back(frame, object, holder.clone(), next);
                    Some(Value::default())
                }
                _ => None,
            },
            ("get" | "getlist" | "getvalue" | "getfirst" | "get_all", [key, more @ ..]) => {
                let text = key.known_text();
                if let Some(text) = text
                    && let Some(taint) = self.keyed_source(frame, holder, text)
                {
                    return Some(Value::tainted(taint));
                }
                let Some(Shape::Map { .. }) = holder.shape.as_deref() else {
                    // `parser.get(section, key)` is a carrier kept in `change`.
                    return None;
                };
                let default = more.first().cloned().unwrap_or_else(|| Value::known(Known::Null));
                let two_keys = match (text, more.first().and_then(Value::known_text)) {
                    (Some(one), Some(two)) => {
                        holder.shape.as_deref()?.entry(&format!("{one}\u{0}{two}")).cloned()
                    }
                    _ => None,
                };
                if let Some(found) = two_keys {
                    return Some(found);
                }
                let found = self.index(frame, holder, key);
                let missing = match (text, holder.shape.as_deref()) {
                    (Some(text), Some(shape)) => shape.entry(text).is_none(),
                    _ => true,
                };
                Some(if missing && text.is_some() {
                    default
                } else if missing {
                    found.join(default)
                } else {
                    found
                })
            }
            ("items" | "values" | "keys" | "copy", []) => {
                let shape = holder.shape.as_deref()?;
                match (name, shape) {
                    ("copy", _) => Some(holder.clone()),
                    ("keys", Shape::Map { .. }) => Some(Value::constant()),
                    ("items", Shape::Map { .. }) => {
                        let pair = Shape::List { items: vec![Value::constant(), shape.any()], rest: None };
                        let all =
                            Shape::List { items: Vec::new(), rest: Some(Box::new(Value::shaped(pair))) };
                        Some(Value::shaped(all))
                    }
                    ("values", Shape::Map { .. }) => Some(Value::shaped(Shape::List {
                        items: Vec::new(),
                        rest: Some(Box::new(shape.any())),
                    })),
                    _ => None,
                }
            }
            ("format" | "format_map", _) => {
                let mut parts = vec![holder.clone()];
                parts.extend(args.iter().cloned());
                Some(concat(&parts))
            }
            ("join", [list]) => match list.shape.as_deref() {
                Some(Shape::List { items, rest }) => {
                    let mut parts = items.clone();
                    parts.extend(rest.as_deref().cloned());
                    // JavaScript's `list.join(', ')` has them the other way round, below.
                    Some(joined(holder, &parts))
                }
                _ => Some(concat(&[holder.clone(), list.clone()])),
            },
            _ => Self::list_method(holder, name, args),
        }
    }

    fn list_method(holder: &Value<'a>, name: &str, args: &[Value<'a>]) -> Option<Value<'a>> {
        match (name, holder.shape.as_deref()) {
            ("join", Some(Shape::List { items, rest })) => {
                let mut parts = items.clone();
                parts.extend(rest.as_deref().cloned());
                let glue = args.first().cloned().unwrap_or_else(|| Value::text(","));
                Some(joined(&glue, &parts))
            }
            ("concat", Some(Shape::List { .. })) => {
                Some(args.iter().cloned().fold(holder.clone(), Self::plus))
            }
            ("concat", None) if holder.known_text().is_some() || holder.built => {
                let mut parts = vec![holder.clone()];
                parts.extend(args.iter().cloned());
                Some(concat(&parts))
            }
            ("count" | "indexOf" | "find", Some(_)) if !args.is_empty() => Some(Value::default()),
            _ => None,
        }
    }

    /// A method that puts its arguments into the object.
    fn change(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        args: &[Value<'a>],
    ) -> Option<Value<'a>> {
        let mut next = match holder.shape.as_deref() {
            Some(Shape::Object { .. }) => return None,
            Some(shape) => shape.clone(),
            None if name == "set" && args.len() == 3 => Shape::Map { entries: Vec::new(), rest: None },
            None => {
                // Unknown objects carry what was put into them, unless they are the outside world.
                let dangerous = args.iter().any(Value::is_tainted);
                if let (true, Some(variable)) = (dangerous && object.as_name().is_some(), object.as_name())
                    && frame.vars.contains_key(variable)
                {
                    let mut changed = holder.clone();
                    for arg in args {
                        changed.taint_from(arg);
                    }
                    changed.built = true;
                    frame.vars.insert(variable.into(), changed);
                }
                return None;
            }
        };
        let last = args.last().cloned().unwrap_or_default();
        match (&mut next, name, args) {
            (Shape::List { items, rest: None }, "append" | "push" | "add", _) => {
                items.extend(args.iter().cloned());
            }
            (Shape::List { items, .. }, "insert", [at, value]) => match &at.known {
                Some(Known::Int(at)) if usize::try_from(*at).is_ok_and(|at| at <= items.len()) => {
                    items.insert(usize::try_from(*at).unwrap_or(0), value.clone());
                }
                _ => items.push(value.clone()),
            },
            (Shape::List { items, .. }, "appendleft" | "unshift", [value]) => items.insert(0, value.clone()),
            (Shape::List { items, rest }, "extend", [more]) => match more.shape.as_deref() {
                Some(Shape::List { items: other, rest: None }) if rest.is_none() => {
                    items.extend(other.clone());
                }
                Some(shape) => add_rest(rest, shape.any()),
                None => add_rest(rest, more.clone()),
            },
            (Shape::Map { .. }, "set", [section, key, value]) => {
                if let (Some(section), Some(key)) = (section.known_text(), key.known_text()) {
                    next.put(&format!("{section}\u{0}{key}"), value.clone());
                } else if let Shape::Map { rest, .. } = &mut next {
                    add_rest(rest, value.clone());
                }
            }
            (Shape::Map { .. }, "set" | "setdefault" | "put", [key, value]) => match key.known_text() {
                Some(key) => next.put(key, value.clone()),
                None => {
                    if let Shape::Map { rest, .. } = &mut next {
                        add_rest(rest, value.clone());
                    }
                }
            },
            (Shape::Map { rest, .. }, "update", [more]) => match more.shape.as_deref() {
                Some(Shape::Map { entries, rest: None }) => {
                    for (key, value) in entries.clone() {
                        next.put(&key, value);
                    }
                }
                Some(shape) => add_rest(rest, shape.any()),
                None => add_rest(rest, more.clone()),
            },
            (Shape::List { rest, .. } | Shape::Map { rest, .. }, ..) => add_rest(rest, last.clone()),
            _ => return None,
        }
        self.put_back(frame, object, holder.clone(), next);
        Some(if name == "setdefault" { last } else { Value::default() })
    }

    fn take_out(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        args: &[Value<'a>],
    ) -> Option<Value<'a>> {
        let mut next = (**holder.shape.as_ref()?).clone();
        let taken = match (&mut next, args) {
            (Shape::List { items, rest: None }, _) if !items.is_empty() => {
                let at = match (name, args.first().map(|arg| &arg.known)) {
                    ("pop", Some(Some(Known::Int(at)))) if *at >= 0 => usize::try_from(*at).ok()?,
                    ("pop", Some(None)) => return Some(holder.shape.as_ref()?.any()),
                    ("pop", _) => items.len() - 1,
                    _ => 0,
                };
                if at >= items.len() {
                    return Some(Value::default());
                }
                items.remove(at)
            }
            (Shape::Map { entries, .. }, [key, ..]) => {
                let key = key.known_text()?;
                let at = entries.iter().position(|(name, _)| &**name == key)?;
                entries.remove(at).1
            }
            (shape, _) => return Some(shape.any()),
        };
        self.put_back(frame, object, holder.clone(), next);
        Some(taken)
    }
}

fn add_rest<'a>(rest: &mut Option<Box<Value<'a>>>, value: Value<'a>) {
    let known = rest.take();
    *rest = Some(Box::new(match known {
        Some(known) => known.join(value),
        None => value,
    }));
}

fn joined<'a>(glue: &Value<'a>, parts: &[Value<'a>]) -> Value<'a> {
    let mut all = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            all.push(glue.clone());
        }
        all.push(part.clone());
    }
    concat(&all)
}
