//! New objects: of the project's classes, of the libraries' collections and builders, and all others.

use super::{Engine, Frame, collection, is_type};
use crate::scan::flow::call::Given;
use crate::scan::flow::text::concat;
use crate::scan::flow::value::{Callable, ClassRef, Shape, Taint, Value};
use crate::scan::ir::{Call, Expr, ExprKind, Function, StmtKind};
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// `new Type(…)`.
    pub(super) fn java_new(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        call: &'a Call,
        given: &[Given<'a>],
    ) -> Value<'a> {
        if let ExprKind::Class(class) = &call.callee.kind {
            Self::define_methods(frame, class);
            let reference = Self::class_reference(frame, class);
            let base = class.bases.first().and_then(Expr::as_name).unwrap_or("");
            let mut value = self.java_instance(frame, expr, &reference, given);
            value.path = Some(base.into()).filter(|_| is_type(base));
            return value;
        }
        let name = call.callee.as_name().unwrap_or("?");
        if let Some(class) = self.java_class(frame.file, name) {
            let mut value = self.java_instance(frame, expr, &class, given);
            value.path = Some(name.into());
            return value;
        }
        let path = format!("{name}.new");
        let listed = super::call::argument_list(&path, given);
        self.java_sinks(frame, expr, &path, None, listed.as_deref().unwrap_or(given));
        if let Some(origin) = self.call_source(frame, &path) {
            let mut value = Value::tainted(Taint::new(
                origin.source,
                frame.file,
                expr.at,
                format!("`new {name}` comes from outside"),
            ));
            value.path = Some(name.into());
            return value;
        }
        if matches!(name, "StringBuilder" | "StringBuffer" | "StringJoiner" | "StringWriter") {
            // A capacity is no text.
            let texts: Vec<Value<'a>> = given
                .iter()
                .map(|arg| arg.value.clone())
                .filter(|value| !matches!(value.known, Some(crate::scan::flow::value::Known::Int(_))))
                .collect();
            let parts = if texts.is_empty() { vec![Value::text("")] } else { texts };
            let parts = if name == "StringJoiner" { vec![Value::text("")] } else { parts };
            return Value { path: Some(name.into()), built: false, ..concat(&parts) };
        }
        if name == "String" {
            let value = given.first().map_or_else(|| Value::text(""), |arg| arg.value.clone());
            return Value { path: None, callable: None, shape: None, ..flat(value) };
        }
        if let Some(mut value) = collection::made(name, given) {
            value.path = Some(name.into());
            return value;
        }
        if let Some(value) = self.sanitized(&path, &Value::default(), None, given) {
            return Value { path: Some(name.into()), ..value };
        }
        self.run_callbacks(frame, &path, None, given);
        let mut value = Self::unknown(&path, &Value::default(), None, given);
        value.constant = !given.is_empty() && given.iter().all(|arg| arg.value.constant);
        if given.len() > 1 {
            value.route = crate::scan::flow::value::Route::default();
            value.built |= matches!(name, "File") && value.is_tainted();
        }
        if value.is_tainted()
            && let Some(restorer) = self.lexicon.restorers.matches(&path).first()
        {
            value.restore(crate::scan::flow::value::Kinds::of(&restorer.kinds));
        }
        if matches!(name, "Cookie" | "SAXBuilder" | "SAXReader" | "ObjectMapper" | "XStream" | "Yaml") {
            let mut shape = fresh();
            if let Some(first) = given.first() {
                shape.put("arg", Value { shape: None, ..first.value.clone() });
            }
            value.shape = Some(Rc::new(shape));
        }
        if matches!(name, "FileInputStream" | "FileReader" | "ClassPathResource")
            && let Some(text) = given.first().and_then(|arg| arg.value.known_text())
        {
            value.shape = Some(Rc::new(Shape::Map {
                entries: vec![("resource".into(), Value::text(text))],
                rest: None,
            }));
        }
        if matches!(
            name,
            "BufferedReader" | "Scanner" | "InputStreamReader" | "BufferedInputStream" | "DataInputStream"
        ) && let Some(first) = given.first()
        {
            value.shape.clone_from(&first.value.shape);
        }
        value.path = Some(name.into());
        value
    }

    /// A new object of a class of the project.
    pub(super) fn java_instance(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        class: &ClassRef<'a>,
        given: &[Given<'a>],
    ) -> Value<'a> {
        let values: Vec<&Value<'a>> = given.iter().map(|arg| &arg.value).collect();
        let mut object = Value {
            shape: Some(Rc::new(Shape::Object { class: class.clone(), fields: Vec::new() })),
            ..Value::default()
        };
        let own = self.java_method_of(class, &values);
        if own.is_none_or(|own| !begins_with_constructor(own))
            && let Some(base) = self.bases(class).into_iter().next()
            && let Some(function) = self.java_method(&base, "constructor", &[])
        {
            self.changed = None;
            self.invoke(frame, expr, &function, Some(&object), &[]);
            object = self.changed.take().unwrap_or(object);
        }
        if own.is_some()
            && let Some(function) = self.java_method(class, "constructor", &values)
        {
            self.changed = None;
            match self.invoke(frame, expr, &function, Some(&object), given) {
                Some(_) => object = self.changed.take().unwrap_or(object),
                None => given.iter().for_each(|arg| object.taint_from(&arg.value)),
            }
        }
        object
    }

    fn java_method_of(&mut self, class: &ClassRef<'a>, values: &[&Value<'a>]) -> Option<&'a Function> {
        let found = self.java_method(class, "constructor", values)?;
        found.class.is_some_and(|own| std::ptr::eq(own, class.class)).then_some(found.function)
    }

    /// The object that `Class.forName(name).newInstance()` makes.
    pub(super) fn made_by_name(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        holder: &Value<'a>,
    ) -> Option<Value<'a>> {
        let Some(Callable::Class(class)) = holder.callable.clone() else { return None };
        let name = class.class.name.clone();
        let mut value = self.java_instance(frame, expr, &class, &[]);
        value.path = Some(name.as_str().into());
        Some(value)
    }
}

/// What is known of an object that was just made: nothing has been set.
pub(super) fn fresh<'a>() -> Shape<'a> {
    let flag = Value::known(crate::scan::flow::value::Known::Bool(true));
    Shape::Map { entries: vec![("new".into(), flag)], rest: None }
}

/// Whether a constructor begins with `super(…)` or `this(…)`.
fn begins_with_constructor(function: &Function) -> bool {
    function.body.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Expr(expr) => expr
            .as_call()
            .and_then(|call| call.callee.as_name())
            .is_some_and(|name| matches!(name, "super" | "this")),
        _ => false,
    })
}

/// A value whose parts are no longer told apart.
pub(super) fn flat(value: Value<'_>) -> Value<'_> {
    let taints = value.all_taints();
    Value { taints, shape: None, ..value }
}
