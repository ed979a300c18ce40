//! Handlers: which functions a framework calls, and what their parameters bring.

use super::Engine;
use super::expr::imports_one;
use super::invoke::{has_self, shown};
use super::value::{Callable, ClassRef, FunctionRef, Shape, Taint, Value};
use crate::scan::ir::{Expr, ExprKind, Function, Param, StmtKind};
use crate::scan::rules::{Handler, Kind, Parameters, Source};
use std::rc::Rc;

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
    pub(super) fn exception(&mut self, function: &FunctionRef<'a>, param: &Param) -> Value<'a> {
        let harmless = function.function.decorators.iter().filter_map(Expr::as_call).any(|call| {
            call.position(0).is_some_and(|arg| match &arg.value.kind {
                ExprKind::Number(code) => code.starts_with('4'),
                _ => arg.value.dotted().is_some_and(|name| {
                    let last = name.rsplit('.').next().unwrap_or("");
                    super::guard::is_worded_for_clients(last)
                        || self.class_named(function.file, &name).is_some()
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
    pub(super) fn handler_parameter(
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
            Parameters::Decorated => super::javascript::is_filled_from_request(param) && !is_number(kind),
        };
        if !tainted {
            return Value::of_path(&param.name);
        }
        let note = format!("parameter `{}` of the route", param.name);
        let taint = Taint::new(Source::Request, function.file, param.at, note);
        let taint = if handler.parameters == Parameters::All {
            // Parts of a path are texts.
            taint.safe_for(&[Kind::Nosql])
        } else {
            taint
        };
        let mut value = Value::tainted(taint);
        // A model's fields are told apart by their types.
        if let Some(class) = self.class_named(function.file, kind) {
            value.shape = Some(Rc::new(Self::model(&class, &value)));
            value.taints.clear();
        }
        value
    }

    /// Fields of a request model, dangerous unless they are numbers.
    pub(super) fn model(class: &ClassRef<'a>, value: &Value<'a>) -> Shape<'a> {
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

    pub(super) fn class_named(&mut self, file: usize, name: &str) -> Option<ClassRef<'a>> {
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
    pub(super) fn is_typed_input(&mut self, function: &FunctionRef<'a>, param: &'a Param) -> bool {
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
    pub(super) fn library_parameter(function: &FunctionRef<'a>, param: &Param) -> Value<'a> {
        let mut value = Value::of_path(&param.name);
        let kind = param.annotation.as_deref().unwrap_or("");
        let number_default = param
            .default
            .as_ref()
            .is_some_and(|default| matches!(default.kind, ExprKind::Number(_) | ExprKind::Bool(_)));
        if is_number(kind) || number_default || NO_VALUES.contains(&param.name.as_str()) || is_handle(kind) {
            return value;
        }
        let name = shown(function.function);
        let note = format!("parameter `{}` of `{name}`", param.name);
        value.taints.push(Taint::new(Source::Parameter, function.file, param.at, note));
        value
    }

    /// How a function is a handler, if it is one, with its route.
    pub(super) fn handler_of(
        &mut self,
        function: &FunctionRef<'a>,
    ) -> Option<(&'static Handler, Option<Rc<str>>)> {
        let file = self.source(function.file);
        let mut frame = self.frame_for(function);
        frame.chain = Rc::clone(&function.chain);
        let decorators: Vec<(String, Option<String>)> = function
            .function
            .decorators
            .iter()
            .map(|decorator| {
                let called = decorator.as_call();
                let target = called.map_or(decorator, |call| &call.callee);
                let path = self.quiet_value(&mut frame, target).path;
                let path = path.map_or_else(|| target.dotted().unwrap_or_default(), |path| path.to_string());
                (path, called.map(|call| route_label(call, target)))
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

/// `POST /login` from a decorator's arguments.
pub(super) fn route_label(call: &crate::scan::ir::Call, callee: &Expr) -> String {
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

pub(super) fn is_handle(annotation: &str) -> bool {
    ["Session", "Connection", "Cursor", "Engine", "Pool", "Client", "Logger", "Callable"]
        .iter()
        .any(|word| annotation.contains(word))
}

/// `<int:name>` in one of the route's texts.
pub(super) fn is_converted(function: &Function, name: &str) -> bool {
    let converted = ["int", "float", "uuid"];
    function.decorators.iter().filter_map(Expr::as_call).filter_map(|call| call.position(0)).any(|arg| {
        arg.value.as_text().is_some_and(|route| {
            converted.iter().any(|kind| route.contains(&format!("<{kind}:{name}>")))
                || route.contains(&"<int(".to_string()) && route.contains(&format!(":{name}>"))
                || route.contains(&format!("{{{name}:int}}"))
        })
    })
}
