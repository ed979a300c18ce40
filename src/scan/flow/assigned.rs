//! Sinks that are assigned to, and values that get a name of their own.

use super::call::Given;
use super::sink::danger;
use super::value::Value;
use super::{Engine, Frame};
use crate::scan::ir::{Expr, ExprKind};

impl<'a> Engine<'a> {
    /// Checks `target = value`, and `target[key] = value`.
    pub(super) fn check_assigned(
        &mut self,
        frame: &mut Frame<'a>,
        target: &'a Expr,
        value_expr: &'a Expr,
        value: &Value<'a>,
    ) {
        if self.quiet {
            return;
        }
        if let Some(name) = name_of(target) {
            self.check_named(frame, &name, value_expr, value);
        }
        let last = match &target.kind {
            ExprKind::Member { name, .. } | ExprKind::Name(name) => name.as_str(),
            _ => "[]",
        };
        if !self.lexicon.assigned.knows(last) {
            return;
        }
        let (path, key) = match &target.kind {
            ExprKind::Member { object, name, .. } => (self.holder_path(frame, object, name), None),
            ExprKind::Index { object, index } => {
                let key = self.quiet_value(frame, index);
                (self.holder_path(frame, object, "[]"), Some((&**index, key)))
            }
            ExprKind::Name(name) if frame.is_module => (Some(name.clone()), None),
            _ => return,
        };
        let Some(path) = path else { return };
        let reached = self.lexicon.assigned.matches(&path);
        if reached.is_empty() {
            return;
        }
        let given = std::iter::once((value_expr, value.clone())).chain(key).map(|(expr, value)| Given {
            name: None,
            value,
            expr,
            is_spread: false,
            is_keyword_spread: false,
        });
        let given: Vec<Given<'a>> = given.collect();
        self.check_sinks(frame, target, &path, &reached, None, &given);
    }

    fn holder_path(&mut self, frame: &mut Frame<'a>, object: &'a Expr, name: &str) -> Option<String> {
        let holder = self.quiet_value(frame, object);
        let path = holder.path.map(|path| path.to_string()).or_else(|| object.dotted())?;
        Some(super::scope::extend(&path, name))
    }

    /// Checks a value that gets a name of its own: a variable, a field, a key, a keyword, what a function gives.
    pub(super) fn check_named(&mut self, frame: &Frame<'a>, name: &str, expr: &'a Expr, value: &Value<'a>) {
        if self.quiet || self.lexicon.named.is_empty() || !value.is_tainted() {
            return;
        }
        let taints = value.all_taints();
        if !taints.iter().any(|taint| self.lexicon.named_sources.contains(&taint.source)) {
            return;
        }
        let words = crate::scan::detect::secret_words(name);
        for (rule, sink) in &self.lexicon.named {
            let says = sink
                .names
                .iter()
                .any(|wanted| wanted.split('+').all(|part| words.iter().any(|word| word == part)));
            if says && let Some(danger) = danger(rule, sink, value) {
                self.report(frame, rule, Some(sink), expr, expr, danger, name);
            }
        }
    }
}

/// The name a target gives: the variable, the field, the literal key.
fn name_of(target: &Expr) -> Option<String> {
    match &target.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => Some(name.clone()),
        ExprKind::Index { index, .. } => index.as_text(),
        _ => None,
    }
}
