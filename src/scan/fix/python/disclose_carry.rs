//! What in a function carries an error: the caught exception, a traceback, and what is made of them.

use super::place::resolved;
use crate::scan::fix::Site;
use crate::scan::ir::{At, Block, Catch, Expr, ExprKind, Function, StmtKind};

/// The carriers of one function (or of the top level).
#[derive(Debug, Clone)]
pub(super) struct Carriers<'a> {
    /// The function; none at the top level.
    pub(super) function: Option<&'a Function>,
    catches: Vec<&'a Catch>,
    parameter: Option<&'a str>,
    /// Names made of an error, with the expressions that make them so.
    made: Vec<(&'a str, &'a Expr)>,
    /// Tracebacks by call: places of `traceback.format_exc()` and its kin.
    traces: Vec<At>,
}

/// Members of an error that tell nothing.
const PLAIN: &[&str] = &["code", "status", "status_code", "__class__", "name", "returncode", "headers"];

/// Calls that leave nothing of the text.
const HARMLESS: &[&str] =
    &["type", "isinstance", "len", "int", "bool", "id", "hash", "getattr", "hasattr", "issubclass", "print"];

impl<'a> Carriers<'a> {
    /// Those of a scope.
    pub(super) fn of(site: &Site<'a>, scope: &'a Block, function: Option<&'a Function>) -> Self {
        let mut out =
            Self { function, catches: Vec::new(), parameter: None, made: Vec::new(), traces: Vec::new() };
        out.parameter = function.and_then(|function| {
            let handles = function.decorators.iter().filter_map(Expr::as_call).any(|call| {
                call.callee.dotted().is_some_and(|name| {
                    name.ends_with("errorhandler")
                        || name.ends_with("error_handler")
                        || name.ends_with("exception_handler")
                })
            });
            let named = function.params.iter().find(|param| {
                matches!(
                    param.name.as_str(),
                    "e" | "err" | "error" | "exc" | "ex" | "exception" | "_e" | "_exc"
                )
            });
            named.or(if handles { function.params.last() } else { None }).map(|param| param.name.as_str())
        });
        let mut assigns: Vec<(&'a str, &'a Expr)> = Vec::new();
        scope.walk(&mut |stmt| {
            for expr in stmt.exprs() {
                expr.walk(&mut |inner| {
                    if let Some(call) = inner.as_call() {
                        let callee = resolved(site, &call.callee).unwrap_or_default();
                        if callee.starts_with("traceback.format") || callee == "sys.exc_info" {
                            out.traces.push(inner.at);
                        }
                        if let ExprKind::Member { object, name, .. } = &call.callee.kind
                            && matches!(name.as_str(), "append" | "update" | "extend" | "add" | "write")
                            && let Some(holder) = object.as_name()
                        {
                            assigns.extend(call.args.iter().map(|arg| (holder, &arg.value)));
                        }
                    }
                });
            }
            match &stmt.kind {
                StmtKind::Try { handlers, .. } => out.catches.extend(handlers),
                StmtKind::Assign { targets, value, .. } => {
                    for target in targets {
                        target.walk(&mut |part| {
                            if let Some(name) = part.as_name() {
                                assigns.push((name, value));
                            }
                        });
                    }
                }
                StmtKind::Augment { target, value, .. } => {
                    if let Some(name) = root_name(target) {
                        assigns.push((name, value));
                    }
                }
                _ => {}
            }
        });
        // What is made of what is made of an error, until nothing new comes.
        for _ in 0..4 {
            let before = out.made.len();
            for (name, value) in &assigns {
                let known = out.made.iter().any(|(made_name, made)| made_name == name && made.at == value.at);
                if !known && *name != "self" && out.bears(value) {
                    out.made.push((name, value));
                }
            }
            if out.made.len() == before {
                break;
            }
        }
        out
    }

    /// Whether an expression tells something about an error.
    pub(super) fn bears(&self, expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::Name(name) => {
                self.is_error_at(name, expr.at) || self.made.iter().any(|(made, _)| made == name)
            }
            ExprKind::Member { object, name, .. } => !PLAIN.contains(&name.as_str()) && self.bears(object),
            ExprKind::Call(call) => {
                if self.traces.contains(&expr.at) {
                    return true;
                }
                if call.callee.as_name().is_some_and(|name| HARMLESS.contains(&name)) {
                    return false;
                }
                expr.children().iter().any(|child| self.bears(child))
            }
            ExprKind::Binary { op, left, right } => {
                let compares =
                    matches!(op.as_str(), "==" | "!=" | "in" | "not in" | "is" | "is not" | "<" | ">");
                !compares && (self.bears(left) || self.bears(right))
            }
            ExprKind::Conditional { then, other, .. } => self.bears(then) || self.bears(other),
            _ => expr.children().iter().any(|child| self.bears(child)),
        }
    }

    /// Whether a name is the error itself.
    pub(super) fn is_error(&self, name: &str) -> bool {
        self.parameter == Some(name) || self.catches.iter().any(|catch| catch.name.as_deref() == Some(name))
    }

    fn is_error_at(&self, name: &str, at: At) -> bool {
        self.parameter == Some(name)
            || self.catches.iter().any(|catch| catch.name.as_deref() == Some(name) && catch.at.holds(at))
    }

    /// The expressions that make a name a carrier.
    pub(super) fn bindings(&self, name: &str) -> Vec<&'a Expr> {
        self.made.iter().filter(|(made, _)| *made == name).map(|(_, value)| *value).collect()
    }

    /// The parameter that is an error.
    pub(super) fn parameter(&self) -> Option<&'a str> {
        self.parameter
    }

    /// The innermost `except` clause around a place.
    pub(super) fn catch_around(&self, at: At) -> Option<&'a Catch> {
        self.catches.iter().filter(|catch| catch.at.holds(at)).max_by_key(|catch| catch.at.start).copied()
    }
}

fn root_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Member { object, .. } | ExprKind::Index { object, .. } => root_name(object),
        _ => None,
    }
}
