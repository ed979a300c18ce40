//! Loops that count: turned as often as they turn; of all others nothing constant is believed that they change.

use super::{Engine, Frame};
use crate::scan::flow::env::join_envs;
use crate::scan::flow::fold;
use crate::scan::flow::stmt::Way;
use crate::scan::ir::{Block, Expr, ExprKind, StmtKind};

/// More turns than this are not followed one by one.
const MAX_TURNS: usize = 20;

impl<'a> Engine<'a> {
    /// Turns a loop whose condition is constant in every turn. `None` when it has to be treated as any other.
    pub(in crate::scan::flow) fn counted_turns(
        &mut self,
        frame: &mut Frame<'a>,
        test: Option<&'a Expr>,
        body: &'a Block,
    ) -> Option<Way> {
        let test = test.filter(|test| !matches!(test.kind, ExprKind::Bool(_)));
        let before = frame.vars.clone();
        if let Some(test) = test {
            let mut exits = Vec::new();
            for _ in 0..MAX_TURNS {
                let value = self.expr(frame, test);
                match fold::truth(&value) {
                    Some(true) => {}
                    Some(false) => {
                        exits.push(std::mem::take(&mut frame.vars));
                        frame.vars = exits.into_iter().reduce(join_envs)?;
                        return Some(Way::On);
                    }
                    None => break,
                }
                frame.breaks.push(Vec::new());
                let way = self.block(frame, body);
                let mut ends = frame.breaks.pop().unwrap_or_default();
                exits.extend(ends.iter().cloned());
                if way == Way::On {
                    ends.push(std::mem::take(&mut frame.vars));
                }
                let Some(next) = ends.into_iter().reduce(join_envs) else { return Some(Way::Left) };
                frame.vars = next;
            }
        }
        frame.vars = before;
        forget(frame, body);
        None
    }
}

/// What a loop changes is no constant in it.
fn forget(frame: &mut Frame<'_>, body: &Block) {
    let mut names: Vec<&str> = Vec::new();
    body.walk(&mut |stmt| {
        match &stmt.kind {
            StmtKind::Assign { targets, declares: false, .. } => {
                names.extend(targets.iter().filter_map(Expr::as_name));
            }
            StmtKind::Augment { target, .. } => names.extend(target.as_name()),
            _ => {}
        }
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                if let ExprKind::Assign { target, .. } = &inner.kind {
                    names.extend(target.as_name());
                }
            });
        }
    });
    for name in names {
        if let Some(mut value) = frame.vars.get(name).cloned()
            && value.known.is_some()
        {
            value.known = None;
            frame.vars.insert(name.into(), value);
        }
    }
}
