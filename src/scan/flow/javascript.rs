//! What JavaScript adds to the evaluation: functions that are values, decorated parameters, `NODE_ENV`.

use super::value::{FunctionRef, Shape, Value};
use super::{Engine, Frame};
use crate::scan::ir::{Block, Class, Expr, ExprKind, Param, StmtKind};
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// Results of methods that narrow what comes out: a look-up in a constant map, letters stripped by a pattern.
    pub(super) fn narrowed_result(
        &self,
        frame: &Frame<'a>,
        receiver: Option<(&Value<'a>, &str)>,
        given: &[super::call::Given<'a>],
    ) -> Option<Value<'a>> {
        let (holder, name) = receiver.filter(|_| self.is_javascript(frame.file))?;
        if name == "get" && given.len() == 1 && holder.constant {
            // `new Map([['a', 'b']]).get(x)` gives what stands there, or nothing.
            return Some(Value::constant());
        }
        self.stripped(frame, receiver, given)
    }

    /// `list.map(x => …)` holds what the function gives; `list.map(Number)` numbers.
    pub(super) fn mapped(
        &self,
        receiver: Option<(&Value<'a>, &str)>,
        made: Option<Value<'a>>,
        given: &[super::call::Given<'a>],
    ) -> Option<Value<'a>> {
        let (Some((holder, "map")), [first]) = (receiver, given) else { return None };
        let converted = || {
            let by = first.value.path.as_deref().filter(|_| first.value.callable.is_none())?;
            let sanitizer = self.lexicon.sanitizers.matches(by).into_iter().next()?;
            let mut element = Self::element(holder);
            element.clear(super::value::Kinds::of(&sanitizer.kinds));
            Some(element)
        };
        let element = made.or_else(converted)?;
        let rest = Some(Box::new(Value { path: None, ..element }));
        Some(Value::shaped(Shape::List { items: Vec::new(), rest }))
    }

    /// `name.replace(/[^a-z]/g, '')`: only the letters of the class are left.
    fn stripped(
        &self,
        frame: &Frame<'a>,
        receiver: Option<(&Value<'a>, &str)>,
        given: &[super::call::Given<'a>],
    ) -> Option<Value<'a>> {
        let (holder, "replace" | "replaceAll") = receiver? else { return None };
        let [pattern, by] = given else { return None };
        let ExprKind::Regex(letters) = &pattern.expr.kind else { return None };
        let class = letters.trim_end_matches('+').strip_prefix("[^")?.strip_suffix(']')?;
        let written = pattern.expr.at.of(&self.source(frame.file).text);
        let everywhere = written.rsplit('/').next().is_some_and(|flags| flags.contains('g'));
        if !everywhere || class.contains('[') || !by.value.constant {
            return None;
        }
        let mut value = Value { known: None, path: None, ..holder.clone() };
        value.clear(super::letters::allowed_by_regex(&format!("^[{class}]+$"), true));
        Some(value)
    }
}

/// The function expressions that stand directly in a file's assignments, object literals and class fields.
pub(super) fn collect_values<'a>(
    file: usize,
    block: &'a Block,
    class: Option<&'a Class>,
    out: &mut Vec<FunctionRef<'a>>,
) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Assign { value, .. } | StmtKind::Expr(value) => {
                function_values(file, value, class, out);
            }
            StmtKind::Class(inner) => collect_values(file, &inner.body, Some(inner), out),
            _ => {
                for inner in stmt.blocks() {
                    collect_values(file, inner, class, out);
                }
            }
        }
    }
}

/// Functions in a value made inside a function (`this.save = (req, res) => …`, a returned object of handlers).
pub(super) fn define_values<'a>(frame: &mut Frame<'a>, value: &'a Expr) {
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
            for entry in entries {
                function_values(file, &entry.value, class, out);
            }
        }
        ExprKind::Assign { value, .. } => function_values(file, value, class, out),
        _ => {}
    }
}

/// Decorators with which Nest fills a parameter from the request.
pub(super) fn is_filled_from_request(param: &Param) -> bool {
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

/// Whether a condition asks for the kind of environment: `process.env.NODE_ENV === 'production'`.
pub(super) fn asks_environment(test: &Expr) -> bool {
    let mut asks = false;
    test.walk(&mut |part| match &part.kind {
        ExprKind::Member { name, .. } => asks |= name == "NODE_ENV",
        ExprKind::Call(call) => {
            let get = matches!(&call.callee.kind, ExprKind::Member { name, .. } if name == "get");
            asks |= get && call.position(0).and_then(|arg| arg.value.as_text()).as_deref() == Some("env");
        }
        _ => {}
    });
    asks
}
