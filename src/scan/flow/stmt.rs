//! Statements: assignments, branches, loops, returns.

use super::env::join_envs;
use super::value::{Known, Shape, Taint, Value};
use super::{Engine, Frame, fold};
use crate::scan::ir::{Block, Expr, ExprKind, Stmt, StmtKind};
use std::rc::Rc;

/// Whether what follows a statement is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    On,
    Left,
}

impl<'a> Engine<'a> {
    /// The statements of a block, until one leaves it.
    pub(super) fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block) -> Way {
        for stmt in &block.stmts {
            if self.stmt(frame, stmt) == Way::Left {
                return Way::Left;
            }
        }
        Way::On
    }

    fn stmt(&mut self, frame: &mut Frame<'a>, stmt: &'a Stmt) -> Way {
        match &stmt.kind {
            StmtKind::Assign { targets, value, annotation, .. } => {
                super::javascript::define_values(frame, value);
                let written = value;
                let mut value = self.expr(frame, written);
                if self.is_java(frame.file) {
                    value = self.typed(value, annotation.as_deref());
                }
                for target in targets {
                    self.check_assigned(frame, target, written, &value);
                    let mut value = value.clone();
                    if let Some(name) = target.dotted() {
                        value.step(frame.file, stmt.at, &format!("into `{name}`"));
                    }
                    self.assign(frame, target, value);
                }
            }
            StmtKind::Augment { target, op, value } => {
                let before = self.expr(frame, target);
                let written = value;
                let value = self.expr(frame, written);
                let mut after = match (op.as_str(), &before.known, &value.known) {
                    (op, Some(a), Some(b)) if fold::binary(op, a, b).is_some() => {
                        fold::binary(op, a, b).map_or_else(Value::default, Value::known)
                    }
                    ("||" | "??" | "or", ..) => before.join(value),
                    ("+", ..) => Self::plus(before, value),
                    _ => {
                        let mut after = before;
                        after.known = None;
                        after.taint_from(&value);
                        after.built = true;
                        after
                    }
                };
                if let Some(name) = target.dotted() {
                    after.step(frame.file, stmt.at, &format!("into `{name}`"));
                }
                self.check_assigned(frame, target, written, &after);
                self.assign(frame, target, after);
            }
            StmtKind::Expr(expr) => {
                self.left_by_call = false;
                self.expr(frame, expr);
                let left = std::mem::take(&mut self.left_by_call);
                if left || self.leaves(frame, expr) {
                    return Way::Left;
                }
                self.narrow_by_statement(frame, expr);
            }
            StmtKind::If { test, then, other } => return self.branch(frame, test, then, other),
            StmtKind::Loop { target, over, test, body, other } => {
                return self.turns(frame, target.as_deref(), over.as_deref(), test.as_deref(), body, other);
            }
            StmtKind::Return(value) => {
                let returned = match value {
                    Some(expr) => {
                        super::javascript::define_values(frame, expr);
                        let value = self.expr(frame, expr);
                        if frame.answers {
                            self.check_answer(frame, expr, &value);
                        }
                        if let Some(function) = frame.chain.last() {
                            self.check_named(frame, &function.name, expr, &value);
                        }
                        value
                    }
                    None => Value::known(Known::Null),
                };
                frame.returned = Some(match frame.returned.take() {
                    Some(known) => known.join(returned),
                    None => returned,
                });
                return Way::Left;
            }
            StmtKind::Raise(value) => {
                if let Some(value) = value {
                    self.expr(frame, value);
                }
                return Way::Left;
            }
            StmtKind::Break | StmtKind::Continue => {
                let vars = frame.vars.clone();
                if let Some(open) = frame.breaks.last_mut() {
                    open.push(vars);
                }
                return Way::Left;
            }
            StmtKind::Try { body, handlers, other, finally } => {
                return self.attempt(frame, body, handlers, other, finally);
            }
            StmtKind::With { items, body } => {
                for (expr, target) in items {
                    let value = self.expr(frame, expr);
                    if let Some(target) = target {
                        self.assign(frame, target, value);
                    }
                }
                return self.block(frame, body);
            }
            StmtKind::Function(function) => self.define(frame, function),
            StmtKind::Class(class) => self.define_class(frame, class),
            StmtKind::Import(_) => {}
            StmtKind::Switch { subject, cases, falls_through } => {
                return self.switch(frame, subject, cases, *falls_through);
            }
            StmtKind::Delete(targets) => {
                for target in targets {
                    if let Some(name) = target.as_name() {
                        frame.vars.remove(name);
                    }
                }
            }
            StmtKind::Block(block) => return self.block(frame, block),
            StmtKind::Other(exprs) => {
                for expr in exprs {
                    self.expr(frame, expr);
                }
            }
        }
        Way::On
    }

    /// Binds a target to a value.
    pub(super) fn assign(&mut self, frame: &mut Frame<'a>, target: &'a Expr, value: Value<'a>) {
        match &target.kind {
            ExprKind::Name(name) => {
                let value = if self.is_java(frame.file) { Self::retyped(frame, name, value) } else { value };
                Self::forget_members(frame, name);
                self.note(frame.file, target.at, &value);
                frame.vars.insert(name.as_str().into(), value);
            }
            ExprKind::List { items, .. } => self.unpack(frame, items, &value),
            ExprKind::Map(entries) => {
                for entry in entries {
                    let key = entry.key.as_ref().and_then(Expr::as_text);
                    let part = match &key {
                        Some(key) => {
                            let index = Value::text(key);
                            match value.shape {
                                Some(_) => self.index(frame, &value, &index),
                                None => self.member(frame, &value, key),
                            }
                        }
                        None => value.clone(),
                    };
                    // `{ query }` taken from a request is as dangerous as `req.query`.
                    let part = self.with_path_source(frame, &entry.value, part);
                    self.assign(frame, &entry.value, part);
                }
            }
            ExprKind::Spread(inner) => self.assign(frame, inner, value),
            // A default in a target.
            ExprKind::Assign { target, value: default } => {
                let default = self.expr(frame, default);
                self.assign(frame, target, value.join(default));
            }
            ExprKind::Member { object, name, .. } => {
                let kind = value.clone();
                self.assign_member(frame, object, name, value);
                Self::note_type(frame, object, name, &kind);
            }
            ExprKind::Index { object, index } => {
                let key = self.expr(frame, index);
                let kind = value.clone();
                self.store(frame, object, &key, value);
                if let Some(key) = key.known_text() {
                    Self::note_type(frame, object, key, &kind);
                }
            }
            _ => {}
        }
    }

    fn with_path_source(&self, frame: &Frame<'a>, expr: &Expr, mut part: Value<'a>) -> Value<'a> {
        if !part.taints.is_empty() {
            return part;
        }
        let Some(path) = part.path.as_deref() else { return part };
        if let Some(origin) = self.path_origin(frame.file, path) {
            let note = format!("`{}` comes from outside", super::expr::short(path));
            part.taints.push(Taint::new(origin.source, frame.file, expr.at, note).safe_for(&origin.safe));
        }
        part
    }

    fn unpack(&mut self, frame: &mut Frame<'a>, targets: &'a [Expr], value: &Value<'a>) {
        for (at, target) in targets.iter().enumerate() {
            let part = match value.shape.as_deref() {
                Some(Shape::List { items, rest }) if !matches!(target.kind, ExprKind::Spread(_)) => {
                    items.get(at).cloned().or_else(|| rest.as_deref().cloned()).unwrap_or_default()
                }
                Some(shape) => shape.any(),
                None => Self::element(value),
            };
            self.assign(frame, target, part);
        }
    }

    /// `response.mimetype = "text/plain"`, `response.headers["Content-Type"] = …`: no browser reads it as a page.
    fn note_type(frame: &mut Frame<'a>, object: &'a Expr, key: &str, value: &Value<'a>) {
        let holder = match &object.kind {
            ExprKind::Member { object, name, .. } if name == "headers" => object.as_name(),
            _ => object.as_name(),
        };
        let is_type =
            matches!(key.to_ascii_lowercase().as_str(), "content-type" | "content_type" | "mimetype");
        if let (true, Some(holder), Some(kind)) = (is_type, holder, value.known_text())
            && !kind.contains("html")
            && !kind.contains("xml")
        {
            let safe = super::guard::Proof::Safe(super::value::Kinds::of(&[crate::scan::rules::Kind::Html]));
            Self::prove_variable(frame, holder, safe, 0);
        }
    }

    /// `object.name = value`.
    fn assign_member(&mut self, frame: &mut Frame<'a>, object: &'a Expr, name: &str, value: Value<'a>) {
        let holder = self.expr(frame, object);
        if let Some(variable) = object.as_name()
            && let Some(shape) = &holder.shape
            && matches!(&**shape, Shape::Object { .. } | Shape::Map { .. })
        {
            let mut next = (**shape).clone();
            next.put(name, value);
            let changed = Value { shape: Some(Rc::new(next)), ..holder };
            frame.vars.insert(variable.into(), changed);
            return;
        }
        let Some(path) = holder.path.as_deref() else { return };
        let path = super::scope::extend(path, name);
        let kept = Value {
            path: value.path.clone(),
            callable: value.callable.clone(),
            shape: value.shape.clone().filter(|shape| matches!(&**shape, Shape::Object { .. })),
            ..Value::default()
        };
        let known = self.members.remove(&path);
        self.members.insert(
            path.clone(),
            match known {
                Some(known) => known.join(kept),
                None => kept,
            },
        );
        frame.vars.insert(path.as_str().into(), value.clone());
        // `module.exports` and fields written under the object's own name are found again by that name.
        if let Some(written) = object.dotted() {
            frame.vars.insert(format!("{written}.{name}").into(), value);
        }
    }

    /// A variable that is bound anew has no members yet.
    fn forget_members(frame: &mut Frame<'a>, name: &str) {
        if frame.vars.contains_key(name) {
            frame.vars.forget_members(name);
        }
    }

    fn branch(&mut self, frame: &mut Frame<'a>, test: &'a Expr, then: &'a Block, other: &'a Block) -> Way {
        let value = self.expr(frame, test);
        match fold::truth(&value) {
            Some(true) => return self.block(frame, then),
            Some(false) => return self.block(frame, other),
            None => {}
        }
        let before = frame.vars.clone();
        self.narrow(frame, test, true);
        let one = self.block(frame, then);
        let after = std::mem::replace(&mut frame.vars, before);
        self.narrow(frame, test, false);
        let two = self.block(frame, other);
        match (one, two) {
            (Way::Left, Way::Left) => Way::Left,
            (Way::Left, Way::On) => Way::On,
            (Way::On, Way::Left) => {
                frame.vars = after;
                Way::On
            }
            (Way::On, Way::On) => {
                let left = std::mem::take(&mut frame.vars);
                frame.vars = join_envs(after, left);
                Way::On
            }
        }
    }

    fn turns(
        &mut self,
        frame: &mut Frame<'a>,
        target: Option<&'a Expr>,
        over: Option<&'a Expr>,
        test: Option<&'a Expr>,
        body: &'a Block,
        other: &'a Block,
    ) -> Way {
        if self.is_java(frame.file)
            && let Some(way) = self.counted_turns(frame, test, body)
        {
            return way;
        }
        let over = over.map(|over| self.expr(frame, over));
        let mut endless = false;
        // Twice: what the first turn leaves behind reaches the second.
        for _ in 0..2 {
            let before = frame.vars.clone();
            if let Some(test) = test {
                let value = self.expr(frame, test);
                match fold::truth(&value) {
                    Some(false) => break,
                    Some(true) => endless = true,
                    None => self.narrow(frame, test, true),
                }
            }
            if let (Some(target), Some(over)) = (target, &over) {
                let item = Self::element(over);
                self.assign(frame, target, item);
            }
            frame.breaks.push(Vec::new());
            let way = self.block(frame, body);
            let mut ends = frame.breaks.pop().unwrap_or_default();
            if way == Way::On {
                ends.push(std::mem::take(&mut frame.vars));
            }
            let left = ends.into_iter().reduce(join_envs);
            let stays = !endless;
            frame.vars = match left {
                Some(vars) if stays => join_envs(vars, before),
                Some(vars) => vars,
                None if stays => before,
                None => return Way::Left,
            };
        }
        if let Some(test) = test
            && !endless
        {
            self.narrow(frame, test, false);
        }
        self.block(frame, other)
    }
}
