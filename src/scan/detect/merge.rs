//! Recursive merges in JavaScript that write whatever key they meet.

use super::Found;
use crate::scan::ir::{Block, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Functions that call themselves and write `target[key]` for every key of another object.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let mut found = Vec::new();
    look(source, &source.module.body, &mut found);
    found
}

fn look<'a>(source: &'a SourceFile, block: &'a Block, out: &mut Vec<Found<'a>>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Function(function) => check(source, function, &function.name, out),
            StmtKind::Assign { targets, value, .. } => {
                if let (Some(name), ExprKind::Lambda(function)) =
                    (targets.first().and_then(last), &value.kind)
                {
                    check(source, function, name, out);
                }
            }
            StmtKind::Class(class) => look(source, &class.body, out),
            _ => stmt.blocks().into_iter().for_each(|inner| look(source, inner, out)),
        }
    }
}

fn last(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => Some(name),
        _ => None,
    }
}

fn check<'a>(source: &'a SourceFile, function: &'a Function, name: &str, out: &mut Vec<Found<'a>>) {
    let text = function.at.of(&source.text);
    if name.is_empty()
        || text.matches(&format!("{name}(")).count() < 2 - usize::from(!text.starts_with("function"))
    {
        return;
    }
    let guarded = ["__proto__", "constructor", "Object.create(null)", "new Map(", "hasOwn"]
        .iter()
        .any(|word| text.contains(word));
    let walks = text.contains(" in ") || text.contains(".keys(") || text.contains(".entries(");
    if guarded || !walks {
        return;
    }
    let (mut writes, mut recurs) = (None, false);
    visit(
        &function.body,
        &mut |target, value| {
            if let (ExprKind::Index { index, .. }, Some(value)) = (&target.kind, value)
                && let Some(key) = index.as_name()
                && matches!(&value.kind, ExprKind::Index { index, .. } if index.as_name() == Some(key))
                && function.params.len() >= 2
            {
                writes = Some(target);
            }
        },
        &mut |call| {
            recurs |= last(call) == Some(name);
        },
    );
    if let (Some(target), true) = (writes, recurs) {
        out.push(Found {
            expr: target,
            argument: target,
            functions: vec![function],
            note: format!("`{name}` writes whatever key it meets"),
            callee: name.to_owned(),
        });
    }
}

/// Every assignment and every callee in a block, callbacks among them.
fn visit<'a>(
    block: &'a Block,
    assign: &mut dyn FnMut(&'a Expr, Option<&'a Expr>),
    call: &mut dyn FnMut(&'a Expr),
) {
    block.walk(&mut |stmt| {
        if let StmtKind::Assign { targets, value, .. } = &stmt.kind {
            for target in targets {
                assign(target, Some(value));
            }
        }
        for expr in stmt.exprs() {
            visit_expr(expr, assign, call);
        }
    });
}

fn visit_expr<'a>(
    expr: &'a Expr,
    assign: &mut dyn FnMut(&'a Expr, Option<&'a Expr>),
    call: &mut dyn FnMut(&'a Expr),
) {
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Assign { target, value } => assign(target, Some(value)),
        ExprKind::Call(made) => call(&made.callee),
        ExprKind::Lambda(function) => visit(&function.body, assign, call),
        _ => {}
    });
}
