//! `switch` in both forms, as a statement and as a value.

use super::{Lowering, at, field, named};
use crate::scan::ir::{Block, Case, Expr, ExprKind, Stmt, StmtKind};
use tree_sitter::Node;

/// What a case gives, as a statement.
type Into<'i> = &'i dyn Fn(Expr) -> StmtKind;

impl Lowering<'_> {
    /// `switch` for what it does.
    pub(super) fn switch(&self, node: Node<'_>) -> StmtKind {
        self.switch_with(node, None)
    }

    /// `switch` for what it gives: every result becomes a statement.
    pub(super) fn switch_into(&self, node: Node<'_>, into: Into<'_>) -> StmtKind {
        self.switch_with(node, Some(into))
    }

    fn switch_with(&self, node: Node<'_>, into: Option<Into<'_>>) -> StmtKind {
        let subject = self.field_expr(node, "condition");
        let groups: Vec<Node<'_>> = field(node, "body").map(|body| named(body).collect()).unwrap_or_default();
        let falls_through = groups.iter().any(|group| group.kind() == "switch_block_statement_group");
        self.scopes.borrow_mut().open();
        let cases = groups.into_iter().map(|group| self.case(group, into)).collect();
        self.scopes.borrow_mut().close();
        StmtKind::Switch { subject, cases, falls_through }
    }

    fn case(&self, group: Node<'_>, into: Option<Into<'_>>) -> Case {
        let mut values = Vec::new();
        let mut is_default = false;
        let mut stmts = Vec::new();
        for child in named(group) {
            if child.kind() == "switch_label" {
                is_default |= self.str(child).starts_with("default");
                values.extend(
                    named(child)
                        .filter(|value| !matches!(value.kind(), "pattern" | "guard"))
                        .map(|value| self.expr(value)),
                );
                continue;
            }
            let arrow = group.kind() == "switch_rule" && child.kind() == "expression_statement";
            match (arrow, into, named(child).next()) {
                (true, Some(into), Some(value)) => {
                    stmts.push(Stmt { at: at(child), kind: into(self.expr(value)) });
                }
                _ => self.statement(child, &mut stmts),
            }
        }
        let mut body = Block { at: at(group), stmts };
        if let Some(into) = into {
            yields(&mut body, into);
        }
        Case { at: at(group), values, is_default, body }
    }

    /// A `switch` inside an expression: a chain of conditions; cases with bodies give whatever is in them.
    pub(super) fn switch_value(&self, node: Node<'_>) -> ExprKind {
        let StmtKind::Switch { subject, cases, .. } =
            self.switch_into(node, &|value| StmtKind::Return(Some(value)))
        else {
            return ExprKind::Other(Vec::new());
        };
        let result = |case: &Case| {
            let mut found = Vec::new();
            case.body.walk(&mut |stmt| {
                if let StmtKind::Return(Some(value)) = &stmt.kind {
                    found.push(value.clone());
                }
            });
            match found.len() {
                1 => found.remove(0),
                _ => Expr::new(case.at, ExprKind::Other(found)),
            }
        };
        let default = cases.iter().find(|case| case.is_default).map(result);
        let mut chain = default.unwrap_or_else(|| Expr::new(at(node), ExprKind::Null));
        for case in cases.iter().rev().filter(|case| !case.values.is_empty()) {
            let tests = case.values.iter().map(|value| {
                let kind = ExprKind::Binary {
                    op: "==".into(),
                    left: Box::new(subject.clone()),
                    right: Box::new(value.clone()),
                };
                Expr::new(value.at, kind)
            });
            let test = tests.reduce(|one, two| {
                let place = two.at;
                let kind = ExprKind::Binary { op: "||".into(), left: Box::new(one), right: Box::new(two) };
                Expr::new(place, kind)
            });
            let Some(test) = test else { continue };
            let kind = ExprKind::Conditional {
                test: Box::new(test),
                then: Box::new(result(case)),
                other: Box::new(chain),
            };
            chain = Expr::new(case.at, kind);
        }
        chain.kind
    }
}

/// `yield value;` of the bodies becomes the statement, and leaves the switch.
fn yields(block: &mut Block, into: Into<'_>) {
    let mut out = Vec::with_capacity(block.stmts.len());
    for mut stmt in std::mem::take(&mut block.stmts) {
        match &mut stmt.kind {
            StmtKind::Other(values) if is_yield(values) => {
                if let Some(value) = values.pop() {
                    out.push(Stmt { at: stmt.at, kind: into(value) });
                    out.push(Stmt { at: stmt.at, kind: StmtKind::Break });
                }
                continue;
            }
            StmtKind::If { then, other, .. } => {
                yields(then, into);
                yields(other, into);
            }
            StmtKind::Block(inner) => yields(inner, into),
            _ => {}
        }
        out.push(stmt);
    }
    block.stmts = out;
}

/// `yield` is the only statement without a word of its own that holds one expression.
fn is_yield(values: &[Expr]) -> bool {
    values.len() == 1
}
