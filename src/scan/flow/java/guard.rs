//! Checks as Java writes them: what a condition proves.

use super::{Engine, Frame};
use crate::scan::flow::guard::Proof;
use crate::scan::flow::letters::allowed_by_regex;
use crate::scan::flow::value::{Kinds, Known};
use crate::scan::ir::{Call, Expr, ExprKind};
use crate::scan::rules::Kind;

/// Methods whose result is the text itself, for a check.
const SAME: &[&str] =
    &["trim", "strip", "toLowerCase", "toUpperCase", "toString", "intern", "normalize", "getPath", "valueOf"];

/// What a host that is known makes an address safe for.
const ADDRESS: &[Kind] = &[Kind::Url, Kind::Redirect];

impl<'a> Engine<'a> {
    /// Narrows variables by a condition that held (or did not).
    pub(in crate::scan::flow) fn java_narrow(&mut self, frame: &mut Frame<'a>, test: &'a Expr, held: bool) {
        match &test.kind {
            ExprKind::Unary { op, operand } if op == "!" => self.java_narrow(frame, operand, !held),
            ExprKind::Binary { op, left, right } if (op == "&&") == held && (op == "&&" || op == "||") => {
                self.java_narrow(frame, left, held);
                self.java_narrow(frame, right, held);
            }
            ExprKind::Binary { op, left, right } if (op == "==") == held && (op == "==" || op == "!=") => {
                self.equal(frame, left, right);
            }
            ExprKind::Call(call) => self.java_narrow_call(frame, call, held),
            _ => {}
        }
    }

    /// Two values that are the same: one that is a constant proves the other.
    fn equal(&mut self, frame: &mut Frame<'a>, left: &'a Expr, right: &'a Expr) {
        for (one, other) in [(left, right), (right, left)] {
            let value = self.quiet_value(frame, other);
            if value.constant && !matches!(value.known, Some(Known::Null)) {
                self.java_prove(frame, one, Self::harmless());
            }
        }
    }

    fn java_narrow_call(&mut self, frame: &mut Frame<'a>, call: &'a Call, held: bool) {
        let ExprKind::Member { object, name, .. } = &call.callee.kind else {
            self.narrow_function(frame, call, held);
            return;
        };
        let first = call.position(0).map(|arg| &arg.value);
        let second = call.position(1).map(|arg| &arg.value);
        match (name.as_str(), first) {
            ("equals" | "equalsIgnoreCase" | "contentEquals", Some(other)) if held => match second {
                Some(second) => self.equal(frame, other, second),
                None => self.equal(frame, object, other),
            },
            ("contains", Some(item)) => self.contained(frame, object, item, held),
            ("containsKey", Some(item)) if held && self.is_allow_list(frame, object) => {
                self.java_prove(frame, item, Self::harmless());
            }
            ("matches", pattern) if held => self.matched(frame, object, pattern, second),
            ("startsWith", Some(beginning)) => self.begins(frame, object, beginning, held),
            (
                "isNumeric" | "isAlphanumeric" | "isAlpha" | "isDigits" | "isCreatable" | "isParsable",
                Some(item),
            ) if held => {
                self.java_prove(frame, item, Self::harmless());
            }
            ("isAbsolute", None) if !held => self.prove(frame, object, Proof::NoRoot),
            _ => self.narrow_function(frame, call, held),
        }
    }

    /// `ALLOWED.contains(item)`, `text.contains("..")`.
    fn contained(&mut self, frame: &mut Frame<'a>, object: &'a Expr, item: &'a Expr, held: bool) {
        let value = self.quiet_value(frame, item);
        match (value.known_text(), held) {
            (Some(".." | "../"), false) => self.prove(frame, object, Proof::NoDots),
            (Some("/" | "\\"), false) => self.prove(frame, object, Proof::NoRoot),
            (Some("\n" | "\r"), false) => {
                self.java_prove(frame, object, Kinds::of(&[Kind::Log, Kind::Header]));
            }
            (None, true) if self.is_allow_list(frame, object) => {
                self.java_prove(frame, item, Self::harmless());
            }
            _ => {}
        }
    }

    /// `text.matches("…")`, `Pattern.matches("…", text)`, `PATTERN.matcher(text).matches()`.
    fn matched(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        pattern: Option<&'a Expr>,
        subject: Option<&'a Expr>,
    ) {
        if let Some(call) = object.as_call().filter(|_| pattern.is_none())
            && let ExprKind::Member { object: compiled, name, .. } = &call.callee.kind
            && name == "matcher"
            && let Some(text) = call.position(0)
        {
            let value = self.quiet_value(frame, compiled);
            let pattern = value.shape.as_deref().and_then(|shape| shape.entry("pattern")).cloned();
            if let Some(pattern) = pattern.as_ref().and_then(|value| value.known_text()) {
                let kinds = allowed_by_regex(pattern, true);
                self.java_prove(frame, &text.value, kinds);
            }
            return;
        }
        let Some(pattern) = pattern else { return };
        let pattern = self.quiet_value(frame, pattern);
        let Some(pattern) = pattern.known_text() else { return };
        let kinds = allowed_by_regex(pattern, true);
        self.java_prove(frame, subject.unwrap_or(object), kinds);
    }

    fn begins(&mut self, frame: &mut Frame<'a>, object: &'a Expr, beginning: &'a Expr, held: bool) {
        let value = self.quiet_value(frame, beginning);
        let text = value.known_text();
        match (text, held) {
            (Some("//" | "/\\"), false) => self.java_prove(frame, object, Kinds::of(&[Kind::Redirect])),
            (Some("/" | "\\"), false) => self.prove(frame, object, Proof::NoRoot),
            (Some(".."), false) => self.prove(frame, object, Proof::NoDots),
            (Some(text), true) if names_a_host(text) => {
                self.java_prove(frame, object, Kinds::of(ADDRESS));
            }
            (_, true) => self.prove(frame, object, Proof::Inside),
            _ => {}
        }
    }

    /// Notes a proof on the variable an expression is, or that it only passes on.
    fn java_prove(&mut self, frame: &mut Frame<'a>, expr: &'a Expr, kinds: Kinds) {
        if kinds == Kinds::default() {
            return;
        }
        match &expr.kind {
            ExprKind::Name(_) | ExprKind::Member { .. } => self.prove(frame, expr, Proof::Safe(kinds)),
            ExprKind::Assign { target, .. } => self.java_prove(frame, target, kinds),
            ExprKind::Call(call) => {
                let ExprKind::Member { object, name, .. } = &call.callee.kind else { return };
                if matches!(name.as_str(), "getHost" | "getAuthority") {
                    self.prove_address(frame, object);
                } else if SAME.contains(&name.as_str()) {
                    self.java_prove(frame, object, kinds);
                    for arg in &call.args {
                        self.java_prove(frame, &arg.value, kinds);
                    }
                }
            }
            _ => {}
        }
    }

    /// An address whose host was checked, and the text it was read from.
    fn prove_address(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) {
        let Some(name) = expr.as_name() else { return };
        let from = frame.vars.get(name).map(|value| value.from.clone()).unwrap_or_default();
        self.prove(frame, expr, Proof::Safe(Kinds::of(ADDRESS)));
        for name in from {
            if let Some(mut value) = frame.vars.get(&name).cloned() {
                value.clear(Kinds::of(ADDRESS));
                frame.vars.insert(name, value);
            }
        }
    }
}

/// `https://host/…` with a whole host.
fn names_a_host(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.contains(['/', '?']) && !rest.starts_with(['/', '?']))
}
