//! Secrets written to a log, in every language.

use super::Found;
use super::compare::is_test;
use super::context::last_word;
use super::secret::{is_secret_name, words};
use crate::scan::ir::{Block, Call, Expr, ExprKind, Function, StmtKind, TextPart};
use crate::scan::project::Project;
use crate::scan::rules::Rule;

/// Log calls that are given a password, a token or the like.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let mut found = Vec::new();
    if !is_test(&source.path) {
        look(&source.module.body, &mut Vec::new(), &mut found);
    }
    found
}

fn look<'a>(block: &'a Block, chain: &mut Vec<&'a Function>, out: &mut Vec<Found<'a>>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Function(function) => inside(function, chain, out),
            StmtKind::Class(class) => look(&class.body, chain, out),
            _ => {}
        }
        for expr in stmt.exprs() {
            look_expr(expr, chain, out);
        }
        for inner in stmt.blocks() {
            look(inner, chain, out);
        }
    }
}

fn inside<'a>(function: &'a Function, chain: &mut Vec<&'a Function>, out: &mut Vec<Found<'a>>) {
    chain.push(function);
    look(&function.body, chain, out);
    chain.pop();
}

fn look_expr<'a>(expr: &'a Expr, chain: &mut Vec<&'a Function>, out: &mut Vec<Found<'a>>) {
    match &expr.kind {
        ExprKind::Call(call) if is_log(call) => {
            for arg in &call.args {
                for secret in secrets(&arg.value) {
                    out.push(Found {
                        expr: secret,
                        argument: secret,
                        functions: chain.clone(),
                        note: "a secret is written to the log".to_owned(),
                        callee: call.callee.dotted().unwrap_or_default(),
                    });
                }
            }
        }
        ExprKind::Lambda(function) => inside(function, chain, out),
        _ => {}
    }
    for child in expr.children() {
        look_expr(child, chain, out);
    }
}

fn is_log(call: &Call) -> bool {
    let ExprKind::Member { object, name, .. } = &call.callee.kind else {
        return call.callee.as_name() == Some("print");
    };
    let level = matches!(
        name.as_str(),
        "info"
            | "debug"
            | "warning"
            | "warn"
            | "error"
            | "critical"
            | "exception"
            | "log"
            | "trace"
            | "verbose"
    );
    let on = last_word(object).unwrap_or("").to_lowercase();
    level && (on.contains("log") || on == "console" || on == "winston")
}

/// The secrets in what is logged: the value itself, a part of a text.
fn secrets(expr: &Expr) -> Vec<&Expr> {
    match &expr.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } if is_value(name) => vec![expr],
        ExprKind::Index { index, .. } if index.as_text().is_some_and(|name| is_value(&name)) => vec![expr],
        ExprKind::Call(call) if last_word(&call.callee) == Some("get") => {
            let key = call.position(0).and_then(|arg| arg.value.as_text());
            if key.is_some_and(|name| is_value(&name)) { vec![expr] } else { Vec::new() }
        }
        ExprKind::Text(text) => text
            .parts
            .iter()
            .filter_map(|part| match part {
                TextPart::Hole { expr, .. } => Some(secrets(expr)),
                TextPart::Literal { .. } => None,
            })
            .flatten()
            .collect(),
        ExprKind::Binary { op, left, right } if matches!(op.as_str(), "+" | "%") => {
            secrets(left).into_iter().chain(secrets(right)).collect()
        }
        ExprKind::List { items, .. } => items.iter().flat_map(secrets).collect(),
        _ => Vec::new(),
    }
}

/// Whether a name is that of a secret's value, not of something about it.
fn is_value(name: &str) -> bool {
    let words = words(name);
    let about = [
        "type", "id", "count", "length", "len", "expiry", "expires", "name", "field", "valid", "error",
        "hash", "url", "path", "file", "index", "tokens", "policy", "max", "min", "usage", "line", "kind",
        "required", "changed", "reset", "strength",
    ];
    is_secret_name(name)
        && !words.iter().any(|word| about.contains(&word.as_str()))
        && words.last().is_some_and(|last| {
            matches!(last.as_str(), "password" | "passwd" | "pwd" | "secret" | "token" | "apikey" | "key" | "passphrase" | "pin" | "otp" | "cvv" | "ssn")
        })
        // A lexer's tokens are no secrets.
        && !(words.len() == 1 && matches!(words[0].as_str(), "token" | "key" | "pin"))
}
