//! What a password's hash is used for: kept, compared, returned, or looked up.

use crate::scan::fix::Site;
use crate::scan::ir::{At, Block, Expr, ExprKind, Function, Stmt, StmtKind};

/// One use.
#[derive(Debug, Clone)]
pub(super) enum Use<'a> {
    /// The hash is kept.
    Stored {
        /// The expression that makes it.
        at: At,
        /// The password's source.
        password: String,
        /// Made by the project's own function, which is changed itself.
        wrapped: bool,
    },
    /// The hash is compared with a stored one.
    Compared {
        /// The whole comparison.
        at: At,
        /// The stored one's source.
        stored: &'a str,
        /// The password's source.
        password: String,
        /// `!=`.
        negated: bool,
    },
    /// A statement that is needed no more.
    Dropped {
        /// Its place.
        at: At,
    },
}

/// What becomes of one hash.
pub(super) enum Role<'a> {
    /// It is what a function returns.
    Returned(&'a Function, &'a Stmt),
    /// It is used on the spot.
    Used(Vec<Use<'a>>),
}

impl Use<'_> {
    /// The same use of what the project's own function gives.
    pub(super) fn of_wrapper(mut self) -> Self {
        if let Use::Stored { wrapped, .. } = &mut self {
            *wrapped = true;
        }
        self
    }
}

const LOOKUP: &str = "stored hashes are looked up by their value, which no salted hash allows; fetch the user first and then verify";

/// Finds out. `chain` are the functions around the hash.
pub(super) fn role_of<'a>(
    site: &Site<'a>,
    hash: &'a Expr,
    chain: &[&'a Function],
    password: String,
) -> Result<Role<'a>, String> {
    let text = &site.file.text;
    let scope: &'a Block = chain.last().map_or(&site.file.module.body, |function| &function.body);
    let stmt = innermost(scope, hash.at).ok_or("the hash stands where it is not followed")?;
    if let StmtKind::Return(Some(value)) = &stmt.kind
        && value.at == hash.at
    {
        let function = chain.last().copied().ok_or("a return outside a function")?;
        return Ok(Role::Returned(function, stmt));
    }
    let exprs = stmt.exprs();
    for expr in &exprs {
        if is_lookup(expr, hash.at, text) {
            return Err(LOOKUP.to_owned());
        }
        if let Some((at, stored, negated)) = comparison(expr, &|side| side.at == hash.at) {
            return Ok(Role::Used(vec![Use::Compared {
                at,
                stored: stored.outer.of(text),
                password,
                negated,
            }]));
        }
    }
    let StmtKind::Assign { targets, value, .. } = &stmt.kind else {
        return Ok(Role::Used(vec![Use::Stored { at: hash.outer, password, wrapped: false }]));
    };
    let name = targets.first().and_then(Expr::as_name).filter(|_| value.at == hash.at && targets.len() == 1);
    let Some(name) = name else {
        return Ok(Role::Used(vec![Use::Stored { at: hash.outer, password, wrapped: false }]));
    };
    let mut compared: Vec<Use<'a>> = Vec::new();
    let (mut reads, mut lookups) = (0, false);
    scope.walk(&mut |other| {
        if other.at == stmt.at {
            return;
        }
        for expr in other.exprs() {
            expr.walk(&mut |inner| reads += usize::from(inner.as_name() == Some(name)));
            expr.walk(&mut |inner| {
                lookups |= inner.as_name() == Some(name) && is_lookup(expr, inner.at, text);
            });
            if let Some((at, stored, negated)) = comparison(expr, &|side| side.as_name() == Some(name)) {
                compared.push(Use::Compared {
                    at,
                    stored: stored.outer.of(text),
                    password: password.clone(),
                    negated,
                });
            }
        }
    });
    if lookups {
        return Err(LOOKUP.to_owned());
    }
    if compared.is_empty() {
        return Ok(Role::Used(vec![Use::Stored { at: hash.outer, password, wrapped: false }]));
    }
    if compared.len() != reads {
        return Err("one hash is both kept and compared".to_owned());
    }
    compared.push(Use::Dropped { at: stmt.at });
    Ok(Role::Used(compared))
}

/// The innermost statement whose own expressions hold a place.
fn innermost(scope: &Block, at: At) -> Option<&Stmt> {
    let mut found = None;
    scope.walk(&mut |stmt| {
        if stmt.exprs().iter().any(|expr| expr.outer.holds(at)) {
            found = Some(stmt);
        }
    });
    found
}

/// A comparison inside an expression: its place, the other side, whether it is negated.
fn comparison<'a>(expr: &'a Expr, is_hash: &dyn Fn(&Expr) -> bool) -> Option<(At, &'a Expr, bool)> {
    let mut found = None;
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Binary { op, left, right } if matches!(op.as_str(), "==" | "!=") => {
            for (one, other) in [(left, right), (right, left)] {
                if is_hash(one) {
                    found = Some((inner.at, &**other, op == "!="));
                }
            }
        }
        ExprKind::Call(call) => {
            let compares = call.callee.dotted().is_some_and(|name| name.ends_with("compare_digest"));
            if compares && call.args.len() == 2 {
                for (one, other) in [(0, 1), (1, 0)] {
                    if is_hash(&call.args[one].value) {
                        found = Some((inner.at, &call.args[other].value, false));
                    }
                }
            }
        }
        _ => {}
    });
    found
}

/// Whether a query looks for the hash: `SELECT … password = ?`, `.filter_by(password=hash)`.
fn is_lookup(expr: &Expr, at: At, text: &str) -> bool {
    let mut found = false;
    expr.walk(&mut |inner| {
        let ExprKind::Call(call) = &inner.kind else { return };
        if !call.args.iter().any(|arg| arg.value.outer.holds(at)) {
            return;
        }
        let method = match &call.callee.kind {
            ExprKind::Member { name, .. } => name.as_str(),
            _ => "",
        };
        let first = call.args.first().map_or("", |arg| arg.value.outer.of(text)).to_lowercase();
        let queries = method.starts_with("execute") || method.starts_with("fetch") || method == "query_db";
        let by_name = !first.contains("insert") && !first.contains("update");
        found |= queries && (first.contains("select") || by_name);
        found |= matches!(method, "filter" | "filter_by" | "where" | "find_one" | "find");
        found |= method == "get" && call.args.iter().any(|arg| arg.name.is_some());
    });
    found
}
