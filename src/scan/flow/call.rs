//! Calls: sources, sinks, functions of the project evaluated in place, and everything unknown.

use super::invoke::has_self;
use super::value::{Callable, ClassRef, Kinds, Known, Shape, Taint, Value};
use super::{Engine, Frame, guard};
use crate::scan::ir::{Call, Expr, ExprKind, Language, StmtKind};
use crate::scan::rules::{Kind, Origin};
use std::rc::Rc;

/// An argument with its value.
pub(super) struct Given<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) value: Value<'a>,
    pub(super) expr: &'a Expr,
    pub(super) is_spread: bool,
    pub(super) is_keyword_spread: bool,
}

/// Calls that give what they are given.
const PASSING: &[&str] = &[
    "str",
    "String",
    "contextlib.closing",
    "os.fspath",
    "os.path.expanduser",
    "sqlalchemy.text",
    "sqlalchemy.sql.text",
    "text",
    "Promise.resolve",
    "copy.copy",
    "copy.deepcopy",
    "markupsafe.Markup",
    "typing.cast",
];

/// Calls whose result is constant when what they are given is.
const COLLECTING: &[&str] = &[
    "set",
    "frozenset",
    "tuple",
    "list",
    "dict",
    "sorted",
    "Set",
    "Map",
    "Object.freeze",
    "re.compile",
    "new Set",
    "os.path.dirname",
    "os.path.abspath",
    "os.path.realpath",
    "os.path.join",
    "pathlib.Path",
    "Path",
    "bytes",
    "bytearray",
    "Buffer.from",
    "Buffer.alloc",
    "crypto-js.enc.Utf8.parse",
    "crypto-js.enc.Hex.parse",
];

/// Calls that resolve `..`.
const NORMALISING: &[&str] = &[
    "os.path.realpath",
    "os.path.abspath",
    "os.path.normpath",
    "path.resolve",
    "path.normalize",
    "path.join",
    "fs.realpathSync",
    "fs.promises.realpath",
    "fs/promises.realpath",
];

impl<'a> Engine<'a> {
    /// A call.
    pub(super) fn call(&mut self, frame: &mut Frame<'a>, expr: &'a Expr, call: &'a Call) -> Value<'a> {
        if self.is_java(frame.file) {
            return self.java_call(frame, expr, call);
        }
        let (callee, receiver) = match &call.callee.kind {
            ExprKind::Member { object, name, .. } => {
                let holder = self.expr(frame, object);
                let mut callee = self.member(frame, &holder, name);
                if let Some(taint) = self.member_source(frame, &call.callee, &callee) {
                    callee.taints.push(taint);
                }
                self.note(frame.file, call.callee.at, &callee);
                (callee, Some((&**object, holder, name.as_str())))
            }
            _ => (self.expr(frame, &call.callee), None),
        };
        let given = self.arguments(frame, call);
        let path = Self::callee_path(&callee, call);
        if !self.quiet {
            self.register(frame, call, &path, &given);
        }
        let receiver_value = receiver.as_ref().map(|(object, value, _)| (*object, value));
        self.check_call(frame, expr, &path, receiver_value, &given);
        for arg in &given {
            if let Some(name) = arg.name {
                self.check_named(frame, name, arg.expr, &arg.value);
            }
        }
        if let Some(origin) = self.call_source(frame, &path) {
            let note = format!("`{}()` comes from outside", super::expr::short(&path));
            let taint = Taint::new(origin.source, frame.file, expr.at, note).safe_for(&origin.safe);
            let mut value = Value::tainted(taint);
            value.path = Some(format!("{path}()").into());
            return value;
        }
        if let Some(value) = self.project_call(frame, expr, call, &callee, &given) {
            return value;
        }
        if let Some(value) =
            self.sanitized(&path, &callee, receiver.as_ref().map(|(_, value, _)| value), &given)
        {
            self.run_callbacks(frame, &path, None, &given);
            return value;
        }
        if let Some((object, holder, _)) = &receiver
            && self.set_field(frame, object, holder, &path, &given)
        {
            return Value::default();
        }
        if let Some((object, holder, name)) = &receiver {
            let plain = given.iter().all(|arg| !arg.is_spread);
            let args: Vec<Value<'a>> = given.iter().map(|arg| arg.value.clone()).collect();
            if plain
                && !Self::is_namespace(holder)
                && let Some(mut value) = self.container_method(frame, object, holder, name, &args)
            {
                if value.path.is_none() && value.shape.is_none() {
                    value.path = Some(format!("{path}()").into());
                }
                return value;
            }
        }
        let on = receiver.as_ref().map(|(_, value, name)| (value, *name));
        if let Some(value) = self.narrowed_result(frame, on, &given) {
            return value;
        }
        let holder = receiver.as_ref().map(|(_, value, _)| value);
        let made = self.run_callbacks(frame, &path, holder, &given);
        let on = receiver.as_ref().map(|(_, value, name)| (value, *name));
        if let Some(value) = self.mapped(on, made, &given) {
            return value;
        }
        let mut value = Self::unknown(&path, &callee, holder, &given);
        if value.is_tainted()
            && let Some(restorer) = self.lexicon.restorers.matches(&path).first()
        {
            value.restore(Kinds::of(&restorer.kinds));
        }
        self.keep_fields(&path, &given, &mut value);
        // `request.args.get("n", type=int)` gives a number or the default.
        let converts = given.iter().any(|arg| {
            arg.name == Some("type")
                && matches!(arg.value.path.as_deref(), Some("int" | "float" | "uuid.UUID" | "UUID"))
        });
        if converts {
            value.clear(Kinds::of(&[Kind::All]));
        }
        value
    }

    /// What is called, as a path.
    fn callee_path(callee: &Value<'a>, call: &Call) -> String {
        match (&callee.path, &call.callee.kind) {
            (Some(path), _) => path.to_string(),
            (None, ExprKind::Member { name, .. }) => {
                call.callee.dotted().unwrap_or_else(|| format!("?.{name}"))
            }
            (None, ExprKind::Name(name)) => name.clone(),
            _ => "?".to_owned(),
        }
    }

    pub(super) fn arguments(&mut self, frame: &mut Frame<'a>, call: &'a Call) -> Vec<Given<'a>> {
        call.args
            .iter()
            .map(|arg| Given {
                name: arg.name.as_deref(),
                value: self.expr(frame, &arg.value),
                expr: &arg.value,
                is_spread: matches!(arg.value.kind, ExprKind::Spread(_)),
                is_keyword_spread: arg.is_keyword_spread,
            })
            .collect()
    }

    fn member_source(&self, frame: &Frame<'a>, expr: &Expr, callee: &Value<'a>) -> Option<Taint> {
        if !callee.taints.is_empty() {
            return None;
        }
        let path = callee.path.as_deref()?;
        let origin = self.path_origin(frame.file, path)?;
        let note = format!("`{}()` comes from outside", super::expr::short(path));
        Some(Taint::new(origin.source, frame.file, expr.at, note).safe_for(&origin.safe))
    }

    pub(super) fn call_source(&self, frame: &Frame<'a>, path: &str) -> Option<&'static Origin> {
        let file = self.source(frame.file);
        let matches = self.lexicon.call_sources.matches(path);
        matches.into_iter().find(|origin| super::expr::imports_one(file, &origin.imports)).copied()
    }

    pub(super) fn sanitized(
        &self,
        path: &str,
        callee: &Value<'a>,
        holder: Option<&Value<'a>>,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let found = self.lexicon.sanitizers.matches(path);
        let fitting = found
            .into_iter()
            .filter(|one| one.when.iter().all(|condition| super::sink::holds(condition, holder, given)));
        let kinds = fitting.map(|one| Kinds::of(&one.kinds)).reduce(Kinds::or)?;
        let mut value = Self::unknown(path, callee, holder, given);
        value.clear(kinds);
        Some(value)
    }

    /// What an unknown function gives: everything it was given may be in it.
    pub(super) fn unknown(
        path: &str,
        callee: &Value<'a>,
        holder: Option<&Value<'a>>,
        given: &[Given<'a>],
    ) -> Value<'a> {
        let first = given.first().map(|arg| &arg.value);
        if PASSING.contains(&path)
            && let (Some(first), 1) = (first, given.len())
        {
            let mut value = Value { callable: None, ..first.clone() };
            if matches!(value.known, Some(Known::Null | Known::Bool(_))) {
                value.known = None;
            }
            if let (true, Some(Known::Int(number))) = (matches!(path, "str" | "String"), &first.known) {
                value.known = Some(Known::Text(number.to_string().into()));
            }
            return value;
        }
        let collects = COLLECTING.contains(&path);
        if collects
            && let (Some(first), 1) = (first, given.len())
            && first.shape.is_some()
        {
            return first.clone();
        }
        let mut value = Value { path: Some(format!("{path}()").into()), ..Value::default() };
        merge_from(&mut value, callee);
        if let Some(holder) = holder {
            merge_from(&mut value, holder);
        }
        for arg in given {
            merge_from(&mut value, &arg.value);
        }
        value.constant = collects && given.iter().all(|arg| arg.value.constant || is_dunder_file(arg.expr));
        let base = holder.or(first);
        if let Some(base) = base {
            value.route = base.route;
        }
        let name = path.rsplit('.').next().unwrap_or(path);
        if NORMALISING.contains(&path) || (name == "resolve" && given.is_empty()) {
            value.route.normal = true;
        } else if name == "join" || name == "joinpath" {
            let parts: Vec<&Value<'a>> =
                holder.into_iter().chain(given.iter().map(|arg| &arg.value)).collect();
            guard::joined_path(&mut value, &parts);
        }
        value
    }

    /// A call of something the project defines.
    fn project_call(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        call: &'a Call,
        callee: &Value<'a>,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        match callee.callable.clone()? {
            Callable::Function(function) => {
                // `Class.method(obj, …)` and static calls have no object of their own.
                let is_static = function.function.is_method && !has_self(function.function);
                let holder = (function.function.is_method && !is_static && is_super(call))
                    .then(|| frame.vars.get("self").cloned().unwrap_or_default());
                self.invoke(frame, expr, &function, holder.as_ref(), given)
            }
            Callable::Method(function, object) => {
                let holder = if has_self(function.function) || self.is_javascript(function.file) {
                    Some(*object)
                } else {
                    None
                };
                let value = self.invoke(frame, expr, &function, holder.as_ref(), given)?;
                if let (ExprKind::Member { object, .. }, Some(changed)) =
                    (&call.callee.kind, self.changed.take())
                    && let Some(variable) = object.as_name()
                    && frame.vars.contains_key(variable)
                {
                    frame.vars.insert(variable.into(), changed);
                }
                Some(value)
            }
            Callable::Class(class) => Some(self.instance(frame, expr, &class, given)),
            Callable::Namespace(_) => None,
        }
    }

    pub(super) fn is_javascript(&self, file: usize) -> bool {
        self.source(file).language() != Language::Python
    }

    /// A new object of a class of the project.
    pub(super) fn instance(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        class: &ClassRef<'a>,
        given: &[Given<'a>],
    ) -> Value<'a> {
        let empty = Value {
            shape: Some(Rc::new(Shape::Object { class: class.clone(), fields: Vec::new() })),
            ..Value::default()
        };
        for name in ["__init__", "constructor"] {
            if let Some(function) = self.method_of(class, name, 0) {
                self.changed = None;
                self.invoke(frame, expr, &function, Some(&empty), given);
                return self.changed.take().unwrap_or(empty);
            }
        }
        // A data class: fields by keyword, or in the order they are declared.
        let declared: Vec<&'a str> = class
            .class
            .body
            .stmts
            .iter()
            .filter_map(|stmt| match &stmt.kind {
                StmtKind::Assign { targets, annotation: Some(_), .. } => targets.first()?.as_name(),
                _ => None,
            })
            .collect();
        let mut shape = Shape::Object { class: class.clone(), fields: Vec::new() };
        let mut loose = Value::default();
        for (at, arg) in given.iter().enumerate() {
            match arg.name.or_else(|| declared.get(at).copied()) {
                Some(name) if !arg.is_spread => shape.put(name, arg.value.clone()),
                _ => loose.taint_from(&arg.value),
            }
        }
        Value { shape: Some(Rc::new(shape)), taints: loose.taints, ..Value::default() }
    }
}

fn merge_from<'a>(value: &mut Value<'a>, part: &Value<'a>) {
    value.taint_from(part);
    value.built |= part.built;
}

fn is_dunder_file(expr: &Expr) -> bool {
    matches!(expr.as_name(), Some("__file__" | "__dirname" | "__name__"))
}

fn is_super(call: &Call) -> bool {
    match &call.callee.kind {
        ExprKind::Member { object, .. } => {
            object.as_call().and_then(|inner| inner.callee.as_name()) == Some("super")
        }
        _ => false,
    }
}
