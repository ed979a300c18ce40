//! Debug mode switched on by an assignment, in Python: `app.debug = True`, Django's `DEBUG = True`.

use super::Found;
use crate::scan::ir::{Block, Expr, ExprKind, Function, Stmt, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Finds it. What stands under an `if` was written with the kind of environment in mind.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let mut found = Vec::new();
    if source.imports("flask") {
        flask(&source.module.body, &mut Vec::new(), &mut found);
    }
    if is_django_settings(source) {
        django(source, &mut found);
    }
    found
}

fn flask<'a>(block: &'a Block, chain: &mut Vec<&'a Function>, out: &mut Vec<Found<'a>>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Assign { targets, value, .. } if is_true(value) => {
                let debug = targets.iter().any(|target| match &target.kind {
                    ExprKind::Member { object, name, .. } => name == "debug" && is_app(object),
                    ExprKind::Index { object, index } => {
                        is_config(object) && index.as_text().as_deref() == Some("DEBUG")
                    }
                    _ => false,
                });
                if debug {
                    out.push(at(value, chain));
                }
            }
            StmtKind::Expr(expr) => {
                if let Some(call) = expr.as_call()
                    && let ExprKind::Member { object, name, .. } = &call.callee.kind
                    && name == "update"
                    && is_config(object)
                    && let Some(arg) = call.keyword("DEBUG")
                    && is_true(&arg.value)
                {
                    out.push(at(&arg.value, chain));
                }
            }
            StmtKind::Function(function)
                if function.name.contains("create") || function.name.contains("make") =>
            {
                chain.push(function);
                flask(&function.body, chain, out);
                chain.pop();
            }
            _ => {}
        }
    }
}

fn django<'a>(source: &'a SourceFile, out: &mut Vec<Found<'a>>) {
    let mut values: Vec<&'a Expr> = Vec::new();
    source.module.body.walk(&mut |stmt| values.extend(debug_of(stmt)));
    if let [only] = values.as_slice()
        && is_true(only)
        && source.module.body.stmts.iter().any(|stmt| debug_of(stmt).is_some())
    {
        out.push(at(only, &[]));
    }
}

fn debug_of(stmt: &Stmt) -> Option<&Expr> {
    match &stmt.kind {
        StmtKind::Assign { targets, value, .. } => {
            targets.iter().any(|target| target.as_name() == Some("DEBUG")).then_some(value)
        }
        _ => None,
    }
}

/// A settings module that is not named after a developer's machine.
fn is_django_settings(source: &SourceFile) -> bool {
    let stem = source.path.rsplit('/').next().unwrap_or("").trim_end_matches(".py");
    let parent = source.path.rsplit('/').nth(1).unwrap_or("");
    let is_settings = stem.contains("settings") || parent == "settings";
    let is_local = ["dev", "local", "test", "debug", "example", "ci"]
        .iter()
        .any(|word| stem.split(['_', '.', '-']).any(|part| part.starts_with(word)));
    is_settings
        && !is_local
        && source.module.body.stmts.iter().any(|stmt| match &stmt.kind {
            StmtKind::Assign { targets, .. } => {
                targets.iter().any(|target| target.as_name() == Some("INSTALLED_APPS"))
            }
            _ => false,
        })
}

fn is_true(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Bool(true))
}

fn is_app(expr: &Expr) -> bool {
    matches!(expr.as_name(), Some("app" | "application" | "server" | "api"))
}

fn is_config(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Member { object, name, .. } if name == "config" && is_app(object))
}

fn at<'a>(value: &'a Expr, chain: &[&'a Function]) -> Found<'a> {
    Found {
        expr: value,
        argument: value,
        functions: chain.to_vec(),
        note: "debug mode is switched on".to_owned(),
        callee: "debug".to_owned(),
    }
}
