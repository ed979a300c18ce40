//! `try` and `switch`: several ways on, joined.

use super::env::{Env, join_envs};
use super::stmt::Way;
use super::value::{Known, Taint, Value};
use super::{Engine, Frame};
use crate::scan::ir::{Block, Case, Catch, Expr};
use crate::scan::rules::Source;

impl<'a> Engine<'a> {
    pub(super) fn attempt(
        &mut self,
        frame: &mut Frame<'a>,
        body: &'a Block,
        handlers: &'a [Catch],
        other: &'a Block,
        finally: &'a Block,
    ) -> Way {
        let before = frame.vars.clone();
        let mut way = self.block(frame, body);
        let broken = join_envs(before, frame.vars.clone());
        if way == Way::On {
            way = self.block(frame, other);
        }
        let mut ends: Vec<Env<'a>> = Vec::new();
        if way == Way::On {
            ends.push(std::mem::take(&mut frame.vars));
        }
        for catch in handlers {
            frame.vars.clone_from(&broken);
            if let Some(name) = &catch.name {
                let at = catch.at;
                let taint =
                    Taint::new(Source::Exception, frame.file, at, format!("exception `{name}` is caught"));
                let mut value = Value::tainted(taint);
                value.path = Some("exception".into());
                if self.tells_little(frame, catch) {
                    value = Value::of_path("exception");
                }
                frame.vars.insert(name.as_str().into(), value);
            }
            if self.block(frame, &catch.body) == Way::On {
                ends.push(std::mem::take(&mut frame.vars));
            }
        }
        let left = ends.into_iter().reduce(join_envs);
        let way = if left.is_some() { Way::On } else { Way::Left };
        frame.vars = left.unwrap_or(broken);
        match self.block(frame, finally) {
            Way::Left => Way::Left,
            Way::On => way,
        }
    }

    pub(super) fn switch(
        &mut self,
        frame: &mut Frame<'a>,
        subject: &'a Expr,
        cases: &'a [Case],
        falls_through: bool,
    ) -> Way {
        let value = self.expr(frame, subject);
        let chosen = value.known.as_ref().and_then(|known| self.chosen(frame, known, cases));
        let before = frame.vars.clone();
        let mut ends: Vec<Env<'a>> = Vec::new();
        let mut has_default = chosen.is_some();
        let mut falling: Option<Env<'a>> = None;
        for (at, case) in cases.iter().enumerate() {
            let hits = chosen.is_none_or(|chosen| chosen == at);
            if !hits && falling.is_none() {
                continue;
            }
            has_default |= case.is_default;
            frame.vars.clone_from(&before);
            if !case.values.is_empty() {
                self.clear_checked(frame, subject);
            }
            if let Some(more) = falling.take() {
                let vars = std::mem::take(&mut frame.vars);
                frame.vars = if hits { join_envs(vars, more) } else { more };
            }
            if falls_through {
                frame.breaks.push(Vec::new());
            }
            let way = self.block(frame, &case.body);
            if falls_through {
                ends.extend(frame.breaks.pop().unwrap_or_default());
            }
            if way == Way::On {
                let vars = std::mem::take(&mut frame.vars);
                if falls_through && at + 1 < cases.len() {
                    falling = Some(vars);
                } else {
                    ends.push(vars);
                }
            }
        }
        if !has_default {
            ends.push(before.clone());
        }
        if let Some(vars) = ends.into_iter().reduce(join_envs) {
            frame.vars = vars;
            Way::On
        } else {
            frame.vars = before;
            Way::Left
        }
    }

    /// The case a constant leads to.
    pub(super) fn chosen(
        &mut self,
        frame: &mut Frame<'a>,
        known: &Known,
        cases: &'a [Case],
    ) -> Option<usize> {
        let mut default = None;
        for (at, case) in cases.iter().enumerate() {
            if case.is_default {
                default = Some(at);
            } else if case.values.is_empty() {
                return None;
            }
            for value in &case.values {
                let value = self.expr(frame, value);
                match value.known.as_ref() {
                    Some(other) if other == known => return Some(at),
                    Some(_) => {}
                    None => return None,
                }
            }
        }
        default
    }
}
