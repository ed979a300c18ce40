//! The expression a dangerous value came from, found again by its place.

use crate::scan::ir::{At, Block, Expr, ExprKind, Function, StmtKind};

/// The expression at a place, with the functions around it, outermost first.
pub(super) fn find(body: &Block, at: At) -> Option<(&Expr, Vec<&Function>)> {
    let mut chain = Vec::new();
    in_block(body, at, &mut chain).map(|expr| (expr, chain))
}

fn in_block<'a>(block: &'a Block, at: At, chain: &mut Vec<&'a Function>) -> Option<&'a Expr> {
    for stmt in &block.stmts {
        if !stmt.at.holds(at) {
            continue;
        }
        if let Some(found) = stmt.exprs().into_iter().find_map(|expr| in_expr(expr, at, chain)) {
            return Some(found);
        }
        match &stmt.kind {
            StmtKind::Function(function) => return in_function(function, at, chain),
            StmtKind::Class(class) => return in_block(&class.body, at, chain),
            _ => {}
        }
        if let Some(found) = stmt.blocks().into_iter().find_map(|inner| in_block(inner, at, chain)) {
            return Some(found);
        }
    }
    None
}

fn in_function<'a>(function: &'a Function, at: At, chain: &mut Vec<&'a Function>) -> Option<&'a Expr> {
    chain.push(function);
    let found = in_block(&function.body, at, chain);
    if found.is_none() {
        chain.pop();
    }
    found
}

fn in_expr<'a>(expr: &'a Expr, at: At, chain: &mut Vec<&'a Function>) -> Option<&'a Expr> {
    if expr.at == at {
        return Some(expr);
    }
    if !expr.outer.holds(at) {
        return None;
    }
    if let ExprKind::Lambda(function) = &expr.kind {
        return in_function(function, at, chain);
    }
    expr.children().into_iter().find_map(|child| in_expr(child, at, chain))
}
