//! Where an evaluation begins: the top level, handlers, functions the file itself does not call.

use super::expr::imports_one;
use super::invoke::has_self;
use super::value::{Callable, ClassRef, FunctionRef, Shape, Value};
use super::{Engine, Frame, GENEROUS, MODEST};
use crate::scan::ir::{Block, Class, Expr, ExprKind, Function, Param, ParamKind, StmtKind};
use crate::scan::rules::Handler;
use std::collections::HashSet;
use std::rc::Rc;

/// A handler that waits until the file's top level is known.
pub(super) type Pending<'a> = (FunctionRef<'a>, &'static Handler, Option<Rc<str>>);

impl<'a> Engine<'a> {
    /// Evaluates the whole file.
    pub(super) fn run(&mut self) {
        let file = self.entry;
        // An empty set of globals first: imports that lead back here see nothing yet.
        self.globals.insert(file, Rc::default());
        let globals = self.top_level(file);
        self.globals.insert(file, globals);
        let mut functions = Vec::new();
        let source = self.source(file);
        Self::collect(file, &source.module.body, None, &mut functions);
        let names = if self.is_java(file) {
            super::java::called_names(&source.module.body)
        } else {
            called_names(&source.module.body)
        };
        let (later, first): (Vec<_>, Vec<_>) =
            functions.into_iter().partition(|function| names.contains(&function.function.name));
        self.run_pending();
        let mut later_still = Vec::new();
        for function in first {
            self.run_entry(&function);
        }
        for function in later {
            // A handler is one even when something in the file calls it too.
            if self.handler_of(&function).is_some() {
                self.run_entry(&function);
            } else {
                later_still.push(function);
            }
        }
        // Functions that are values: `exports.login = (req, res) => …`, methods of an exported object.
        super::javascript::collect_values(file, &source.module.body, None, &mut later_still);
        for function in later_still {
            if !self.called.contains(&std::ptr::from_ref(function.function)) {
                self.run_entry(&function);
            }
        }
    }

    /// The functions and methods that stand directly in a file or in its classes.
    fn collect(file: usize, block: &'a Block, class: Option<&'a Class>, out: &mut Vec<FunctionRef<'a>>) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Function(function) => {
                    out.push(FunctionRef { file, function, chain: Rc::default(), captured: None, class });
                }
                StmtKind::Class(inner) => Self::collect(file, &inner.body, Some(inner), out),
                _ => {
                    for inner in stmt.blocks() {
                        Self::collect(file, inner, class, out);
                    }
                }
            }
        }
    }

    /// A function that is defined inside another one.
    pub(super) fn define(&mut self, frame: &mut Frame<'a>, function: &'a Function) {
        let value = Self::function_value(frame, function);
        if !frame.is_module
            && let Some(Callable::Function(reference)) = &value.callable
        {
            frame.defined.push(reference.clone());
        }
        for decorator in &function.decorators {
            self.expr(frame, decorator);
        }
        frame.vars.insert(function.name.as_str().into(), value);
    }

    /// A class, with what its body evaluates.
    pub(super) fn define_class(&mut self, frame: &mut Frame<'a>, class: &'a Class) {
        let value = Self::class_value(frame, class);
        for stmt in &class.body.stmts {
            if let StmtKind::Assign { value, .. } | StmtKind::Expr(value) = &stmt.kind {
                self.expr(frame, value);
            }
        }
        frame.vars.insert(class.name.as_str().into(), value);
    }

    /// Functions inside a function that nothing called: handlers of an app factory, callbacks kept for later.
    pub(super) fn finish_defined(&mut self, frame: &mut Frame<'a>) {
        let defined = std::mem::take(&mut frame.defined);
        if self.quiet {
            return;
        }
        for mut function in defined {
            if self.called.contains(&std::ptr::from_ref(function.function)) {
                continue;
            }
            function.captured = Some(Rc::new({
                let mut vars = frame.captured.as_ref().map_or_else(Default::default, |vars| (**vars).clone());
                vars.extend(&frame.vars);
                vars
            }));
            self.run_entry(&function);
        }
    }

    /// A call that takes functions as handlers: they wait until the top level is known.
    pub(super) fn register(
        &mut self,
        frame: &Frame<'a>,
        call: &'a crate::scan::ir::Call,
        path: &str,
        given: &[super::call::Given<'a>],
    ) {
        let file = self.source(frame.file);
        let Some(handler) = self.lexicon.handlers.iter().copied().find(|handler| {
            handler.registers.iter().any(|pattern| pattern.matches(path))
                && imports_one(file, &handler.imports)
        }) else {
            return;
        };
        let method = path.rsplit('.').next().unwrap_or("").to_uppercase();
        let label =
            call.args.first().and_then(|arg| arg.value.as_text()).map(|route| format!("{method} {route}"));
        for arg in given {
            let functions: Vec<FunctionRef<'a>> = match (&arg.value.callable, arg.value.shape.as_deref()) {
                (Some(Callable::Function(function) | Callable::Method(function, _)), _) => {
                    vec![function.clone()]
                }
                (None, Some(Shape::List { items, .. })) => items
                    .iter()
                    .filter_map(|item| match &item.callable {
                        Some(Callable::Function(function)) => Some(function.clone()),
                        _ => None,
                    })
                    .collect(),
                _ => continue,
            };
            for function in functions {
                self.pending.push((function, handler, label.as_deref().map(Into::into)));
            }
        }
    }

    fn run_pending(&mut self) {
        while let Some((function, handler, label)) = self.pending.pop() {
            self.called.insert(std::ptr::from_ref(function.function));
            self.run_function(&function, Some(handler), label);
        }
    }

    fn run_entry(&mut self, function: &FunctionRef<'a>) {
        let handler = self.handler_of(function);
        let (handler, label) = handler.map_or((None, None), |(handler, label)| (Some(handler), label));
        self.run_function(function, handler, label);
        self.run_pending();
    }

    /// Evaluates a function as the outside would call it.
    fn run_function(
        &mut self,
        function: &FunctionRef<'a>,
        handler: Option<&'static Handler>,
        label: Option<Rc<str>>,
    ) {
        if self.stack.contains(&std::ptr::from_ref(function.function)) {
            return;
        }
        self.spent_before += std::mem::take(&mut self.spent);
        let budget = if handler.is_some() { GENEROUS } else { MODEST };
        let outer = std::mem::replace(&mut self.budget, budget);
        let mut frame = self.frame_for(function);
        frame.route = label;
        frame.answers = handler.is_some();
        let params: Vec<&'a Param> = function.function.params.iter().collect();
        let skip = usize::from(has_self(function.function));
        if let Some(class) = function.class {
            let this = if self.is_java(function.file) {
                self.java_this(function, class)
            } else {
                self.self_value(function, class)
            };
            let own = if self.is_javascript(function.file) { "this" } else { "self" };
            let name = params.first().filter(|_| skip == 1).map_or(own, |param| param.name.as_str());
            frame.vars.insert(name.into(), this);
        }
        let bind = handler.map_or(&[][..], |handler| handler.bind.as_slice());
        // Express hands an error first when there are four parameters.
        let shift = usize::from(bind.len() == 3 && params.len() == skip + 4);
        for (at, param) in params.iter().skip(skip).enumerate() {
            let value = if self.is_java(function.file) {
                self.java_parameter(function, handler, param)
            } else if shift == 1 && at == 0 {
                self.exception(function, param)
            } else {
                match (bind.get(at.wrapping_sub(shift)).filter(|_| at >= shift), handler) {
                    (Some(word), _) if word == "exception" => self.exception(function, param),
                    (Some(word), _) => Value::of_path(word),
                    (None, Some(handler)) => self.handler_parameter(function, handler, param),
                    (None, None) => Self::library_parameter(function, param),
                }
            };
            let value = match param.kind {
                ParamKind::Plain => value,
                ParamKind::Rest => {
                    Value::shaped(Shape::List { items: Vec::new(), rest: Some(Box::new(value)) })
                }
                ParamKind::KeywordRest => {
                    Value::shaped(Shape::Map { entries: Vec::new(), rest: Some(Box::new(value)) })
                }
            };
            match &param.pattern {
                Some(pattern) => self.assign(&mut frame, pattern, value),
                None => {
                    frame.vars.insert(param.name.as_str().into(), value);
                }
            }
        }
        self.stack.push(std::ptr::from_ref(function.function));
        Self::hoist(&mut frame, &function.function.body);
        self.block(&mut frame, &function.function.body);
        self.finish_defined(&mut frame);
        self.stack.pop();
        self.budget = outer;
    }

    /// The object a method of this class works on.
    fn self_value(&mut self, function: &FunctionRef<'a>, class: &'a Class) -> Value<'a> {
        let key = std::ptr::from_ref(class);
        if let Some(value) = self.objects.get(&key) {
            return value.clone();
        }
        let reference = ClassRef {
            file: function.file,
            class,
            chain: Rc::clone(&function.chain),
            captured: function.captured.clone(),
        };
        let empty = Value {
            path: Some("self".into()),
            shape: Some(Rc::new(Shape::Object { class: reference.clone(), fields: Vec::new() })),
            ..Value::default()
        };
        self.objects.insert(key, empty.clone());
        let init = ["__init__", "constructor"].iter().find_map(|name| self.method_of(&reference, name, 0));
        let mut value = empty;
        if let Some(init) = init.filter(|init| !std::ptr::eq(init.function, function.function)) {
            let quiet = std::mem::replace(&mut self.quiet, true);
            let mut frame = self.frame_for(&init);
            let own = if self.is_javascript(init.file) {
                "this"
            } else {
                init.function.params.first().map_or("self", |param| param.name.as_str())
            };
            for param in init.function.params.iter().skip(1) {
                frame.vars.insert(param.name.as_str().into(), Value::of_path(&param.name));
            }
            frame.vars.insert(own.into(), value.clone());
            self.depth += 1;
            self.block(&mut frame, &init.function.body);
            self.depth -= 1;
            self.quiet = quiet;
            if let Some(made) = frame.vars.remove(own) {
                value = made;
            }
        }
        self.objects.insert(key, value.clone());
        value
    }
}

/// Names that are called anywhere in a file.
fn called_names(body: &Block) -> HashSet<String> {
    let mut names = HashSet::new();
    visit_calls(body, &mut |callee| match &callee.kind {
        ExprKind::Name(name) => {
            names.insert(name.clone());
        }
        ExprKind::Member { name, object, .. }
            if matches!(object.as_name(), Some("self" | "cls" | "this")) || object.as_call().is_some() =>
        {
            names.insert(name.clone());
        }
        _ => {}
    });
    names
}

pub(super) fn visit_calls(body: &Block, visit: &mut dyn FnMut(&Expr)) {
    body.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            visit_expr_calls(expr, visit);
        }
        match &stmt.kind {
            StmtKind::Function(function) => visit_calls(&function.body, visit),
            StmtKind::Class(class) => visit_calls(&class.body, visit),
            _ => {}
        }
    });
}

fn visit_expr_calls(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Call(call) => visit(&call.callee),
        ExprKind::Lambda(function) => visit_calls(&function.body, visit),
        _ => {}
    });
}
