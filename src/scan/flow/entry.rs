//! Where an evaluation begins: the top level, handlers, functions the file itself does not call.

use super::call::has_self;
use super::expr::imports_one;
use super::value::{Callable, ClassRef, FunctionRef, Shape, Taint, Value};
use super::{Engine, Frame};
use crate::scan::ir::{Block, Class, Expr, ExprKind, Function, Param, ParamKind, StmtKind};
use crate::scan::rules::{Handler, Parameters, Source};
use std::collections::HashSet;
use std::rc::Rc;

/// A handler that waits until the file's top level is known.
pub(super) type Pending<'a> = (FunctionRef<'a>, &'static Handler, Option<Rc<str>>);

/// Parameters of library functions that are no values of a user: names of things, handles.
const NO_VALUES: &[&str] = &[
    "self",
    "cls",
    "conn",
    "connection",
    "db",
    "cursor",
    "cur",
    "session",
    "engine",
    "table",
    "table_name",
    "tablename",
    "column",
    "columns",
    "column_name",
    "col",
    "cols",
    "field",
    "fields",
    "schema",
    "sql",
    "query",
    "stmt",
    "statement",
    "limit",
    "offset",
    "logger",
    "log",
    "config",
    "placeholders",
    "where",
    "cmd",
    "command",
    "args",
    "kwargs",
    "app",
];

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
        self.collect(file, &source.module.body, None, &mut functions);
        let names = called_names(&source.module.body);
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
        self.collect_values(file, &source.module.body, None, &mut later_still);
        for function in later_still {
            if !self.called.contains(&std::ptr::from_ref(function.function)) {
                self.run_entry(&function);
            }
        }
    }

    /// The function expressions that stand directly in a file's assignments, object literals and class fields.
    fn collect_values(
        &self,
        file: usize,
        block: &'a Block,
        class: Option<&'a Class>,
        out: &mut Vec<FunctionRef<'a>>,
    ) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Assign { value, .. } | StmtKind::Expr(value) => {
                    function_values(file, value, class, out)
                }
                StmtKind::Class(inner) => self.collect_values(file, &inner.body, Some(inner), out),
                _ => stmt.blocks().into_iter().for_each(|inner| self.collect_values(file, inner, class, out)),
            }
        }
    }

    /// The functions and methods that stand directly in a file or in its classes.
    fn collect(
        &mut self,
        file: usize,
        block: &'a Block,
        class: Option<&'a Class>,
        out: &mut Vec<FunctionRef<'a>>,
    ) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Function(function) => {
                    out.push(FunctionRef { file, function, chain: Rc::default(), captured: None, class })
                }
                StmtKind::Class(inner) => self.collect(file, &inner.body, Some(inner), out),
                _ => {
                    for inner in stmt.blocks() {
                        self.collect(file, inner, class, out);
                    }
                }
            }
        }
    }

    /// A function that is defined inside another one.
    pub(super) fn define(&mut self, frame: &mut Frame<'a>, function: &'a Function) {
        let value = self.function_value(frame, function);
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

    /// Functions in a value made inside a function (`this.save = (req, res) => …`, a returned object of handlers).
    pub(super) fn define_values(&mut self, frame: &mut Frame<'a>, value: &'a Expr) {
        if frame.is_module {
            return;
        }
        let mut found = Vec::new();
        function_values(frame.file, value, frame.class, &mut found);
        for mut function in found {
            function.chain = Rc::clone(&frame.chain);
            frame.defined.push(function);
        }
    }

    /// A class, with what its body evaluates.
    pub(super) fn define_class(&mut self, frame: &mut Frame<'a>, class: &'a Class) {
        let value = self.class_value(frame, class);
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
                vars.extend(frame.vars.iter().map(|(name, value)| (Rc::clone(name), value.clone())));
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
        self.spent = 0;
        let mut frame = self.frame_for(function);
        frame.route = label;
        frame.answers = handler.is_some();
        let params: Vec<&'a Param> = function.function.params.iter().collect();
        let skip = usize::from(has_self(function.function));
        if let Some(class) = function.class {
            let this = self.self_value(function, class);
            let own = if self.is_javascript(function.file) { "this" } else { "self" };
            let name = params.first().filter(|_| skip == 1).map_or(own, |param| param.name.as_str());
            frame.vars.insert(name.into(), this);
        }
        let bind = handler.map_or(&[][..], |handler| handler.bind.as_slice());
        // Express hands an error first when there are four parameters.
        let shift = usize::from(bind.len() == 3 && params.len() == skip + 4);
        for (at, param) in params.iter().skip(skip).enumerate() {
            let value = if shift == 1 && at == 0 {
                self.exception(function, param)
            } else {
                match (bind.get(at.wrapping_sub(shift)).filter(|_| at >= shift), handler) {
                    (Some(word), _) if word == "exception" => self.exception(function, param),
                    (Some(word), _) => Value::of_path(word),
                    (None, Some(handler)) => self.handler_parameter(function, handler, param),
                    (None, None) => self.library_parameter(function, param),
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
        self.hoist(&mut frame, &function.function.body);
        self.block(&mut frame, &function.function.body);
        self.finish_defined(&mut frame);
        self.stack.pop();
    }

    fn exception(&mut self, function: &FunctionRef<'a>, param: &Param) -> Value<'a> {
        let harmless = function.function.decorators.iter().filter_map(Expr::as_call).any(|call| {
            call.position(0).is_some_and(|arg| match &arg.value.kind {
                ExprKind::Number(code) => code.starts_with('4'),
                _ => arg.value.dotted().is_some_and(|name| {
                    let last = name.rsplit('.').next().unwrap_or("");
                    super::guard::is_worded_for_clients(last) || self.class_named(function.file, &name).is_some()
                }),
            })
        });
        if harmless {
            return Value::of_path("exception");
        }
        let note = format!("error `{}` is handled", param.name);
        let mut value = Value::tainted(Taint::new(Source::Exception, function.file, param.at, note));
        value.path = Some("exception".into());
        value
    }

    /// A parameter that a framework fills from the request.
    fn handler_parameter(
        &mut self,
        function: &FunctionRef<'a>,
        handler: &Handler,
        param: &'a Param,
    ) -> Value<'a> {
        let kind = param.annotation.as_deref().unwrap_or("");
        let tainted = match handler.parameters {
            Parameters::None => false,
            Parameters::All => !is_number(kind) && !is_converted(function.function, &param.name),
            Parameters::Typed => self.is_typed_input(function, param),
            Parameters::Decorated => is_filled_from_request(param) && !is_number(kind),
        };
        if !tainted {
            return Value::of_path(&param.name);
        }
        let note = format!("parameter `{}` of the route", param.name);
        let taint = Taint::new(Source::Request, function.file, param.at, note);
        let mut value = Value::tainted(taint);
        // A model's fields are told apart by their types.
        if let Some(class) = self.class_named(function.file, kind) {
            value.shape = Some(Rc::new(self.model(&class, &value)));
            value.taints.clear();
        }
        value
    }

    /// Fields of a request model, dangerous unless they are numbers.
    fn model(&mut self, class: &ClassRef<'a>, value: &Value<'a>) -> Shape<'a> {
        let mut shape = Shape::Object { class: class.clone(), fields: Vec::new() };
        for stmt in &class.class.body.stmts {
            if let StmtKind::Assign { targets, annotation: Some(kind), .. } = &stmt.kind
                && let Some(name) = targets.first().and_then(Expr::as_name)
            {
                let field = if is_number(kind) { Value::default() } else { value.clone() };
                shape.put(name, Value { shape: None, ..field });
            }
        }
        shape
    }

    fn class_named(&mut self, file: usize, name: &str) -> Option<ClassRef<'a>> {
        let plain = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        if !plain || name.is_empty() {
            return None;
        }
        let value = self.globals_of(file).get(name).cloned().or_else(|| {
            let module = self.source(file).import_of(name)?;
            let found = self.project.resolve(file, &module.module)?;
            self.exported(found, module.member.as_deref()?)
        })?;
        match value.callable {
            Some(Callable::Class(class)) => Some(class),
            _ => None,
        }
    }

    /// FastAPI's reading of a parameter.
    fn is_typed_input(&mut self, function: &FunctionRef<'a>, param: &'a Param) -> bool {
        let kind = param.annotation.as_deref().unwrap_or("");
        let called = param.default.as_ref().and_then(Expr::as_call).and_then(|call| call.callee.dotted());
        let written = called.unwrap_or_default();
        if written.ends_with("Depends") || written.ends_with("Security") || kind.contains("Depends(") {
            return false;
        }
        if is_number(kind) {
            return false;
        }
        let last = kind.rsplit('.').next().unwrap_or(kind);
        if matches!(
            last,
            "Request"
                | "Response"
                | "WebSocket"
                | "BackgroundTasks"
                | "Session"
                | "AsyncSession"
                | "UUID"
                | "date"
                | "datetime"
                | "Connection"
        ) || kind.contains("Literal[")
        {
            return false;
        }
        if let Some(class) = self.class_named(function.file, kind) {
            // An enumeration takes its members only.
            return !class
                .class
                .bases
                .iter()
                .any(|base| base.dotted().is_some_and(|name| name.ends_with("Enum")));
        }
        true
    }

    /// A parameter of a function that anyone may call.
    fn library_parameter(&self, function: &FunctionRef<'a>, param: &Param) -> Value<'a> {
        let mut value = Value::of_path(&param.name);
        let kind = param.annotation.as_deref().unwrap_or("");
        let number_default = param
            .default
            .as_ref()
            .is_some_and(|default| matches!(default.kind, ExprKind::Number(_) | ExprKind::Bool(_)));
        if is_number(kind) || number_default || NO_VALUES.contains(&param.name.as_str()) || is_handle(kind) {
            return value;
        }
        let name = super::call::shown(function.function);
        let note = format!("parameter `{}` of `{name}`", param.name);
        value.taints.push(Taint::new(Source::Parameter, function.file, param.at, note));
        value
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

    /// How a function is a handler, if it is one, with its route.
    fn handler_of(&mut self, function: &FunctionRef<'a>) -> Option<(&'static Handler, Option<Rc<str>>)> {
        let file = self.source(function.file);
        let mut frame = self.frame_for(function);
        frame.chain = Rc::clone(&function.chain);
        let decorators: Vec<(String, Option<String>)> = function
            .function
            .decorators
            .iter()
            .map(|decorator| {
                let called = decorator.as_call();
                let callee = called.map_or(decorator, |call| &call.callee);
                let path = self.quiet_value(&mut frame, callee).path;
                let path = path.map_or_else(|| callee.dotted().unwrap_or_default(), |path| path.to_string());
                (path, called.map(|call| route_label(call, callee)))
            })
            .collect();
        let bases: Vec<String> = function.class.map_or_else(Vec::new, |class| {
            class
                .bases
                .iter()
                .map(|base| {
                    let path = self.quiet_value(&mut frame, base).path;
                    path.map_or_else(|| base.dotted().unwrap_or_default(), |path| path.to_string())
                })
                .collect()
        });
        let skip = usize::from(has_self(function.function));
        let first = function.function.params.get(skip).map(|param| param.name.as_str());
        for handler in &self.lexicon.handlers {
            if !imports_one(file, &handler.imports) {
                continue;
            }
            for (path, label) in &decorators {
                if handler.decorator.iter().any(|pattern| pattern.matches(path)) {
                    return Some((handler, label.as_deref().map(Into::into)));
                }
            }
            let named = handler.methods.contains(&function.function.name);
            if named && bases.iter().any(|base| handler.bases.iter().any(|pattern| pattern.matches(base))) {
                return Some((handler, None));
            }
            if first.is_some_and(|first| handler.first_parameter.iter().any(|name| name == first)) {
                return Some((handler, None));
            }
        }
        None
    }
}

/// The functions an expression is or holds, calls not entered.
fn function_values<'a>(
    file: usize,
    expr: &'a Expr,
    class: Option<&'a Class>,
    out: &mut Vec<FunctionRef<'a>>,
) {
    match &expr.kind {
        ExprKind::Lambda(function) => {
            out.push(FunctionRef { file, function, chain: Rc::default(), captured: None, class });
        }
        ExprKind::Map(entries) => {
            entries.iter().for_each(|entry| function_values(file, &entry.value, class, out))
        }
        ExprKind::Assign { value, .. } => function_values(file, value, class, out),
        _ => {}
    }
}

/// Decorators with which Nest fills a parameter from the request.
fn is_filled_from_request(param: &Param) -> bool {
    param.decorators.iter().any(|decorator| {
        let callee = decorator.as_call().map_or(decorator, |call| &call.callee);
        let name = callee.dotted().unwrap_or_default();
        matches!(
            name.rsplit('.').next().unwrap_or(""),
            "Query"
                | "Param"
                | "Body"
                | "Headers"
                | "Req"
                | "Request"
                | "UploadedFile"
                | "UploadedFiles"
                | "HostParam"
                | "RawBody"
                | "Payload"
                | "MessageBody"
                | "Args"
        ) && !decorator.as_call().is_some_and(|call| {
            call.args.iter().any(|arg| {
                let pipe = arg.value.as_call().map_or(&arg.value, |made| &made.callee);
                pipe.dotted().is_some_and(|name| {
                    matches!(
                        name.as_str(),
                        "ParseIntPipe"
                            | "ParseFloatPipe"
                            | "ParseBoolPipe"
                            | "ParseUUIDPipe"
                            | "ParseEnumPipe"
                    )
                })
            })
        })
    })
}

/// `POST /login` from a decorator's arguments.
fn route_label(call: &crate::scan::ir::Call, callee: &Expr) -> String {
    let text = |at: usize| call.position(at).and_then(|arg| arg.value.as_text()).unwrap_or_default();
    let route = text(0);
    // `@route("POST", "/login")`
    if !route.is_empty() && route.chars().all(|letter| letter.is_ascii_uppercase()) {
        return format!("{route} {}", text(1));
    }
    let listed = call.keyword("methods").map(|arg| match &arg.value.kind {
        ExprKind::List { items, .. } => items.iter().filter_map(Expr::as_text).collect::<Vec<_>>().join("|"),
        _ => String::new(),
    });
    let last =
        callee.dotted().and_then(|name| name.rsplit('.').next().map(str::to_uppercase)).unwrap_or_default();
    let method = match listed {
        Some(listed) if !listed.is_empty() => listed,
        _ if matches!(last.as_str(), "GET" | "POST" | "PUT" | "DELETE" | "PATCH") => last,
        _ => "GET".to_owned(),
    };
    format!("{method} {route}")
}

/// Types whose values hold no text of a client.
pub(super) fn is_number(annotation: &str) -> bool {
    let inner = annotation
        .trim_start_matches("Optional[")
        .trim_start_matches("typing.Optional[")
        .trim_end_matches(']')
        .split('|')
        .map(str::trim)
        .find(|part| *part != "None")
        .unwrap_or("");
    let inner = inner.strip_prefix("Annotated[").map_or(inner, |rest| rest.split(',').next().unwrap_or(rest));
    matches!(
        inner,
        "int"
            | "float"
            | "bool"
            | "Decimal"
            | "UUID"
            | "uuid.UUID"
            | "date"
            | "datetime"
            | "datetime.date"
            | "datetime.datetime"
            | "number"
            | "boolean"
            | "bigint"
            | "Number"
    )
}

fn is_handle(annotation: &str) -> bool {
    ["Session", "Connection", "Cursor", "Engine", "Pool", "Client", "Logger", "Callable"]
        .iter()
        .any(|word| annotation.contains(word))
}

/// `<int:name>` in one of the route's texts.
fn is_converted(function: &Function, name: &str) -> bool {
    let converted = ["int", "float", "uuid"];
    function.decorators.iter().filter_map(Expr::as_call).filter_map(|call| call.position(0)).any(|arg| {
        arg.value.as_text().is_some_and(|route| {
            converted.iter().any(|kind| route.contains(&format!("<{kind}:{name}>")))
                || route.contains(&format!("<int(")) && route.contains(&format!(":{name}>"))
                || route.contains(&format!("{{{name}:int}}"))
        })
    })
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

fn visit_calls(body: &Block, visit: &mut dyn FnMut(&Expr)) {
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
