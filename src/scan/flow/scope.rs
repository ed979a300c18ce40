//! Names: variables, captured ones, globals, imports, members of unknown objects.

use super::env::Env;
use super::value::{Callable, ClassRef, FunctionRef, Shape, Value};
use super::{Engine, Frame, SCANTY};
use crate::scan::ir::{Class, Function, StmtKind};
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// What a name stands for here.
    pub(super) fn lookup(&mut self, frame: &Frame<'a>, name: &str) -> Value<'a> {
        if let Some(value) = frame.vars.get(name) {
            return Self::named(value.clone(), name);
        }
        if let Some(value) = frame.captured.as_ref().and_then(|captured| captured.get(name)) {
            return Self::named(value.clone(), name);
        }
        if self.is_java(frame.file) {
            return self.java_name(frame, name);
        }
        if !frame.is_module
            && let Some(value) = self.globals.get(&frame.file).and_then(|globals| globals.get(name))
        {
            return Self::named(value.clone(), name);
        }
        self.imported(frame.file, name).unwrap_or_else(|| Value::of_path(name))
    }

    /// A variable whose value has no path of its own is known by its name.
    fn named(mut value: Value<'a>, name: &str) -> Value<'a> {
        if value.path.is_none() && value.callable.is_none() && !value.constant {
            value.path = Some(name.into());
        }
        value
    }

    /// What an import binds a name to.
    fn imported(&mut self, file: usize, name: &str) -> Option<Value<'a>> {
        let project = self.project;
        let link = project.link(file, name)?;
        let mut value = Value::of_path(&link.dotted);
        value.callable = match &self.source(file).module.imports[link.import].member {
            Some(member) => {
                if let Some(found) = link.submodule {
                    Some(Callable::Namespace(found))
                } else {
                    match link.module.and_then(|found| self.exported(found, member)) {
                        Some(exported) if exported.callable.is_some() => exported.callable,
                        // A constant or an object of another file keeps what is known of it.
                        Some(exported) => return Some(exported),
                        None => None,
                    }
                }
            }
            None => link.module.map(Callable::Namespace),
        };
        Some(value)
    }

    /// What a file offers under a name.
    pub(super) fn exported(&mut self, file: usize, name: &str) -> Option<Value<'a>> {
        let globals = self.globals_of(file);
        if let Some(exports) = globals.get("module.exports")
            && let Some(value) = exports.shape.as_ref().and_then(|shape| shape.entry(name))
        {
            return Some(value.clone());
        }
        if let Some(value) = globals
            .get(format!("exports.{name}").as_str())
            .or_else(|| globals.get(format!("module.exports.{name}").as_str()))
        {
            return Some(value.clone());
        }
        if name == "default" {
            return globals.get("module.exports").cloned();
        }
        globals.get(name).cloned()
    }

    /// The top-level variables of a file, evaluated at the first call.
    pub(super) fn globals_of(&mut self, file: usize) -> Rc<Env<'a>> {
        if let Some(globals) = self.globals.get(&file) {
            return Rc::clone(globals);
        }
        // An import circle sees nothing yet.
        self.globals.insert(file, Rc::new(Env::new()));
        let quiet = std::mem::replace(&mut self.quiet, true);
        // What it costs is not taken from the function that happened to ask first.
        let budget = std::mem::replace(&mut self.budget, SCANTY);
        let spent = std::mem::take(&mut self.spent);
        let depth = std::mem::take(&mut self.depth);
        let globals = self.top_level(file);
        self.spent_before += std::mem::replace(&mut self.spent, spent);
        self.depth = depth;
        self.budget = budget;
        self.quiet = quiet;
        self.globals.insert(file, Rc::clone(&globals));
        globals
    }

    /// Evaluates a file's top level.
    pub(super) fn top_level(&mut self, file: usize) -> Rc<Env<'a>> {
        let mut frame = Frame {
            file,
            vars: Env::new(),
            captured: None,
            chain: Rc::new(Vec::new()),
            class: None,
            is_module: true,
            returned: None,
            route: None,
            answers: false,
            breaks: Vec::new(),
            site: None,
            defined: Vec::new(),
        };
        let source = self.source(file);
        Self::hoist(&mut frame, &source.module.body);
        self.block(&mut frame, &source.module.body);
        Rc::new(frame.vars)
    }

    /// Binds the functions and classes of a block before it runs.
    pub(super) fn hoist(frame: &mut Frame<'a>, block: &'a crate::scan::ir::Block) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Function(function) => {
                    let value = Self::function_value(frame, function);
                    frame.vars.insert(function.name.as_str().into(), value);
                }
                StmtKind::Class(class) => {
                    let value = Self::class_value(frame, class);
                    frame.vars.insert(class.name.as_str().into(), value);
                }
                _ => {}
            }
        }
    }

    /// A function as a value.
    pub(super) fn function_value(frame: &Frame<'a>, function: &'a Function) -> Value<'a> {
        let callable = Callable::Function(Self::function_ref(frame, function));
        Value { callable: Some(callable), ..Value::default() }
    }

    pub(super) fn function_ref(frame: &Frame<'a>, function: &'a Function) -> FunctionRef<'a> {
        FunctionRef {
            file: frame.file,
            function,
            chain: Rc::clone(&frame.chain),
            captured: Self::capture(frame),
            class: frame.class,
        }
    }

    /// The variables a function defined here sees besides the globals.
    fn capture(frame: &Frame<'a>) -> Option<Rc<Env<'a>>> {
        if frame.is_module {
            return None;
        }
        let mut vars = frame.captured.as_ref().map_or_else(Env::new, |captured| (**captured).clone());
        vars.extend(&frame.vars);
        Some(Rc::new(vars))
    }

    pub(super) fn class_value(frame: &Frame<'a>, class: &'a Class) -> Value<'a> {
        let class = ClassRef {
            file: frame.file,
            class,
            chain: Rc::clone(&frame.chain),
            captured: Self::capture(frame),
        };
        Value { callable: Some(Callable::Class(class)), ..Value::default() }
    }

    /// A method of a class or of its bases in the project.
    pub(super) fn method_of(
        &mut self,
        class: &ClassRef<'a>,
        name: &str,
        depth: usize,
    ) -> Option<FunctionRef<'a>> {
        for stmt in &class.class.body.stmts {
            if let StmtKind::Function(function) = &stmt.kind
                && function.name == name
            {
                return Some(class.method(function));
            }
        }
        if depth >= 4 {
            return None;
        }
        let bases: Vec<&'a str> = class.class.bases.iter().filter_map(|base| base.as_name()).collect();
        for base in bases {
            let value = match self.globals.get(&class.file).and_then(|globals| globals.get(base)) {
                Some(value) => value.clone(),
                None => match self.imported(class.file, base) {
                    Some(value) => value,
                    None => continue,
                },
            };
            if let Some(Callable::Class(found)) = value.callable
                && let Some(method) = self.method_of(&found, name, depth + 1)
            {
                return Some(method);
            }
        }
        None
    }

    /// `object.name`.
    pub(super) fn member(&mut self, frame: &Frame<'a>, object: &Value<'a>, name: &str) -> Value<'a> {
        if self.is_java(frame.file) {
            return self.java_member(frame, object, name);
        }
        let path = object.path.as_deref().map(|path| extend(path, name));
        if let Some(path) = &path
            && let Some(value) = frame.vars.get(path.as_str())
        {
            return value.clone();
        }
        match &object.callable {
            Some(Callable::Namespace(file)) => {
                if let Some(mut value) = self.exported(*file, name) {
                    if value.path.is_none() {
                        value.path = path.map(Into::into);
                    }
                    return value;
                }
            }
            Some(Callable::Class(class)) => {
                if let Some(method) = self.method_of(&class.clone(), name, 0) {
                    return Value { callable: Some(Callable::Function(method)), ..Value::default() };
                }
                if let Some(value) = Self::class_field(class, name) {
                    return value;
                }
            }
            _ => {}
        }
        if let Some(shape) = &object.shape {
            if let Shape::Object { class, .. } = &**shape {
                let class = class.clone();
                if let Some(method) = self.method_of(&class, name, 0) {
                    let callable = Callable::Method(method, Box::new(object.clone()));
                    return Value { callable: Some(callable), ..Value::default() };
                }
                let field = shape.entry(name).cloned().or_else(|| Self::class_field(&class, name));
                if let Some(field) = field {
                    return Self::named(field, &path.unwrap_or_default());
                }
            } else if let Some(value) = shape.entry(name) {
                return value.clone();
            }
        }
        if name == "length" && self.is_javascript(frame.file) {
            return Value::default();
        }
        let mut value =
            Value { taints: object.taints.clone(), from: object.from.clone(), ..Value::default() };
        if let Some(path) = path {
            if let Some(known) = self.members.get(&path) {
                return known.clone();
            }
            value.path = Some(path.into());
        }
        value
    }

    /// A field assigned in a class body.
    fn class_field(class: &ClassRef<'a>, name: &str) -> Option<Value<'a>> {
        for stmt in &class.class.body.stmts {
            if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                && targets.iter().any(|target| target.as_name() == Some(name))
                && let Some(text) = value.as_text()
            {
                return Some(Value::text(&text));
            }
        }
        None
    }
}

/// A path one segment longer; a path that grows without end is no longer told apart.
pub(super) fn extend(path: &str, name: &str) -> String {
    if path.len() > 200 { format!("….{name}") } else { format!("{path}.{name}") }
}
