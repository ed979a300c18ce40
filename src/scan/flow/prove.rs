//! What a check proved, noted on the variables it speaks of.

use super::guard::Proof;
use super::value::{Callable, Kinds, Value};
use super::{Engine, Frame};
use crate::scan::ir::{Call, Expr, ExprKind, StmtKind};
use crate::scan::rules::Kind;
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// A predicate of the project with one `return`: what its condition proves of the parameter.
    pub(super) fn narrow_function(&mut self, frame: &mut Frame<'a>, call: &'a Call, held: bool) {
        if call.callee.dotted().is_some_and(|name| name == "isinstance") {
            let number = call.position(1).and_then(|arg| arg.value.dotted());
            if held
                && number.as_deref() == Some("str")
                && let Some(item) = call.position(0)
            {
                self.prove(frame, &item.value, Proof::Safe(Kinds::of(&[Kind::Nosql])));
            }
            if held
                && number.is_some_and(|kind| matches!(kind.as_str(), "int" | "float" | "bool"))
                && let Some(item) = call.position(0)
            {
                self.prove(frame, &item.value, Proof::Safe(Kinds::of(&[Kind::All])));
            }
            return;
        }
        let callee = self.quiet_value(frame, &call.callee);
        let Some(Callable::Function(function) | Callable::Method(function, _)) = callee.callable else {
            return;
        };
        // The checks inside are run as if their value had held, on a frame of its own.
        if self.depth >= self.budget.calls {
            return;
        }
        let skip = usize::from(function.function.is_method && !matches!(call.callee.kind, ExprKind::Name(_)));
        let mut inner = self.frame_for(&function);
        let mut names: Vec<(Rc<str>, &'a Expr)> = Vec::new();
        for (at, param) in function.function.params.iter().skip(skip).enumerate() {
            if let Some(arg) = call.position(at) {
                let value = self.quiet_value(frame, &arg.value);
                inner.vars.insert(param.name.as_str().into(), Value { from: Vec::new(), ..value });
                names.push((param.name.as_str().into(), &arg.value));
            }
        }
        let quiet = std::mem::replace(&mut self.quiet, true);
        self.depth += 1;
        let proved = self.prove_through(&mut inner, &function.function.body, held);
        self.depth -= 1;
        self.quiet = quiet;
        if !proved {
            return;
        }
        for (name, arg) in names {
            let Some(value) = inner.vars.get(&name) else { continue };
            let cleared = value.taints.iter().map(|taint| taint.cleared).reduce(Kinds::and);
            let kinds = cleared.unwrap_or_else(|| Kinds::of(&[Kind::All]));
            self.prove(frame, arg, Proof::Safe(kinds));
        }
    }

    /// Runs the body of a predicate under the assumption that it returns `held`.
    pub(super) fn prove_through(
        &mut self,
        inner: &mut Frame<'a>,
        body: &'a crate::scan::ir::Block,
        held: bool,
    ) -> bool {
        for stmt in &body.stmts {
            match &stmt.kind {
                StmtKind::Return(Some(expr)) => {
                    self.narrow(inner, expr, held);
                    return true;
                }
                StmtKind::If { test, then, other } if other.stmts.is_empty() => {
                    let gives = match then.stmts.last().map(|last| &last.kind) {
                        Some(StmtKind::Return(Some(Expr { kind: ExprKind::Bool(flag), .. }))) => *flag,
                        _ => return false,
                    };
                    if gives == held {
                        return false;
                    }
                    self.narrow(inner, test, false);
                }
                StmtKind::Assign { targets, value, .. } => {
                    let value = self.expr(inner, value);
                    for target in targets {
                        self.assign(inner, target, value.clone());
                    }
                }
                StmtKind::Expr(_) => {}
                _ => return false,
            }
        }
        false
    }

    /// A subject that equals one of the case's values.
    pub(super) fn clear_checked(&mut self, frame: &mut Frame<'a>, subject: &'a Expr) {
        self.prove(frame, subject, Proof::Safe(Kinds::of(&[Kind::All])));
    }

    /// Notes a proof on the variables of an expression.
    pub(super) fn prove(&mut self, frame: &mut Frame<'a>, expr: &'a Expr, proof: Proof) {
        match &expr.kind {
            ExprKind::Name(name) => Self::prove_variable(frame, name, proof, 0),
            // `name.lower() in ALLOWED`, `os.path.realpath(path).startswith(base)`, `str(path)`.
            ExprKind::Call(call) => {
                let normal = matches!(proof, Proof::Inside) && self.quiet_value(frame, expr).route.normal;
                if normal || !matches!(proof, Proof::Inside) {
                    let proof = if normal { Proof::Safe(Kinds::of(&[Kind::Path])) } else { proof };
                    if let ExprKind::Member { object, .. } = &call.callee.kind {
                        self.prove(frame, object, proof);
                    }
                    for arg in &call.args {
                        self.prove(frame, &arg.value, proof);
                    }
                } else {
                    for arg in &call.args {
                        self.prove(frame, &arg.value, proof);
                    }
                }
            }
            ExprKind::List { items, .. } => items.iter().for_each(|item| self.prove(frame, item, proof)),
            // `urlparse(url).netloc`, `parsed.hostname`
            ExprKind::Member { object, .. } if matches!(proof, Proof::Host) => {
                self.prove(frame, object, proof);
            }
            ExprKind::Member { object, .. } => {
                if let Some(path) = expr.dotted() {
                    let value = self.quiet_value(frame, expr);
                    if value.is_tainted() {
                        frame.vars.insert(path.as_str().into(), value);
                        Self::prove_variable(frame, &path, proof, 0);
                    }
                }
                let _ = object;
            }
            ExprKind::Await(inner) | ExprKind::Spread(inner) => self.prove(frame, inner, proof),
            ExprKind::Assign { target, .. } => self.prove(frame, target, proof),
            ExprKind::Binary { left, right, .. } => {
                self.prove(frame, left, proof);
                self.prove(frame, right, proof);
            }
            _ => {}
        }
    }

    pub(super) fn prove_variable(frame: &mut Frame<'a>, name: &str, proof: Proof, depth: usize) {
        let Some(mut value) = frame.vars.get(name).cloned() else { return };
        let from = value.from.clone();
        match proof {
            Proof::Safe(kinds) => value.clear(kinds),
            Proof::NoDots => {
                value.route.no_dots = true;
                if value.route.no_root {
                    value.clear(Kinds::of(&[Kind::Path]));
                }
            }
            Proof::NoRoot => {
                value.route.no_root = true;
                if value.route.no_dots {
                    value.clear(Kinds::of(&[Kind::Path]));
                }
            }
            Proof::Host => value.clear(Kinds::of(&[Kind::Url, Kind::Redirect])),
            Proof::Rooted | Proof::NotDouble => {
                value.route.rooted |= matches!(proof, Proof::Rooted);
                value.route.not_double |= matches!(proof, Proof::NotDouble);
                if value.route.rooted && value.route.not_double {
                    value.clear(Kinds::of(&[Kind::Redirect]));
                }
            }
            Proof::Inside => {
                if !value.route.normal {
                    return;
                }
                value.clear(Kinds::of(&[Kind::Path]));
            }
        }
        let inside = matches!(proof, Proof::Inside)
            || value.route.no_dots
                && value.route.no_root
                && value.path.as_deref().is_some_and(|path| path.ends_with("path.relative()"));
        frame.vars.insert(name.into(), value);
        if matches!(proof, Proof::Host) && depth < 2 {
            for made_from in &from {
                if &**made_from != name {
                    Self::prove_variable(frame, made_from, proof, depth + 1);
                }
            }
        }
        // A check on the resolved path also speaks for the path it was made from.
        if inside && depth < 2 {
            for made_from in from {
                let Some(mut value) = frame.vars.get(&made_from).cloned() else { continue };
                value.clear(Kinds::of(&[Kind::Path]));
                frame.vars.insert(made_from, value);
            }
        }
    }

    /// Whether a value is the way from one path to another, in which `..` can only stand at the start.
    pub(super) fn is_relative(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) -> bool {
        self.quiet_value(frame, expr).path.is_some_and(|path| path.ends_with("path.relative()"))
    }

    /// The value of an expression without reporting anything.
    pub(super) fn quiet_value(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) -> Value<'a> {
        let quiet = std::mem::replace(&mut self.quiet, true);
        let notes = self.notes.take();
        let value = self.expr(frame, expr);
        self.notes = notes;
        self.quiet = quiet;
        value
    }
}
