//! What a password's hash is used for: kept, compared, returned, or looked up.

use super::password_lookup::{Lookup, lookup};
use super::password_text::innermost;
use super::template::bindings;
use crate::scan::fix::Site;
use crate::scan::ir::{At, Block, Expr, ExprKind, Function, StmtKind};

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
        /// The function around it.
        function: Option<&'a Function>,
        /// Whether the stored one comes from a call that may give nothing: `users.get(name)`.
        may_be_none: bool,
    },
    /// A query asks for it.
    LookedUp {
        /// How.
        lookup: Lookup<'a>,
        /// The password's source.
        password: String,
    },
    /// A statement that is needed no more.
    Dropped {
        /// Its place.
        at: At,
    },
}

/// What becomes of one hash.
pub(super) enum Role<'a> {
    /// It is what a function returns; `joined` when it is a part of a longer text (`salt + "$" + hash`).
    Returned {
        /// The function.
        function: &'a Function,
        /// Whether it is a part.
        joined: bool,
    },
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

const JOINED: &str =
    "the hash is a part of a longer text, which the new one does not fit; change both sides by hand";

/// Finds out. `chain` are the functions around the hash.
pub(super) fn role_of<'a>(
    site: &Site<'a>,
    hash: &'a Expr,
    chain: &[&'a Function],
    password: &str,
) -> Result<Role<'a>, String> {
    let text = &site.file.text;
    let function = chain.last().copied();
    let scope: &'a Block = function.map_or(&site.file.module.body, |function| &function.body);
    let stmt = innermost(scope, hash.at).ok_or("the hash stands where it is not followed")?;
    let stored = || Use::Stored { at: hash.outer, password: password.to_owned(), wrapped: false };
    let is_hash = |side: &Expr| side.at == hash.at;
    for expr in stmt.exprs() {
        if let Some(lookup) = lookup(site, scope, stmt, expr, &is_hash)? {
            return Ok(Role::Used(vec![Use::LookedUp { lookup, password: password.to_owned() }]));
        }
        if let Some((at, other, negated)) = comparison(expr, &is_hash) {
            let compared = Use::Compared {
                at,
                stored: other.outer.of(text),
                password: password.to_owned(),
                negated,
                function,
                may_be_none: may_be_none(scope, other),
            };
            return Ok(Role::Used(vec![compared]));
        }
    }
    match &stmt.kind {
        StmtKind::Return(Some(value)) => {
            let function = function.ok_or("a return outside a function")?;
            if value.at == hash.at {
                return Ok(Role::Returned { function, joined: false });
            }
            if is_joined(value, &is_hash) {
                return Ok(Role::Returned { function, joined: true });
            }
            return Ok(Role::Used(vec![stored()]));
        }
        _ if stmt.exprs().iter().any(|expr| is_joined(expr, &is_hash)) => return Err(JOINED.to_owned()),
        _ => {}
    }
    let StmtKind::Assign { targets, value, .. } = &stmt.kind else { return Ok(Role::Used(vec![stored()])) };
    let name = targets.first().and_then(Expr::as_name).filter(|_| value.at == hash.at && targets.len() == 1);
    let Some(name) = name else { return Ok(Role::Used(vec![stored()])) };
    let is_name = |side: &Expr| side.as_name() == Some(name);
    let mut uses: Vec<Use<'a>> = Vec::new();
    let mut trouble: Option<String> = None;
    let (mut reads, mut returned, mut joined) = (0, false, false);
    scope.walk(&mut |other| {
        if other.at == stmt.at {
            return;
        }
        for expr in other.exprs() {
            let mut here = 0;
            expr.walk(&mut |inner| here += usize::from(is_name(inner)));
            if here == 0 || matches!(&other.kind, StmtKind::Assign { targets, .. } if targets.iter().any(|target| target.at == expr.at)) {
                continue;
            }
            reads += 1;
            match lookup(site, scope, other, expr, &is_name) {
                Ok(Some(lookup)) => uses.push(Use::LookedUp { lookup, password: password.to_owned() }),
                Ok(None) => {
                    if let Some((at, stored, negated)) = comparison(expr, &is_name) {
                        uses.push(Use::Compared {
                            at,
                            stored: stored.outer.of(text),
                            password: password.to_owned(),
                            negated,
                            function,
                            may_be_none: may_be_none(scope, stored),
                        });
                    } else if let StmtKind::Return(Some(value)) = &other.kind {
                        returned |= is_name(value);
                        joined |= is_joined(value, &is_name);
                    } else if is_joined(expr, &is_name) {
                        trouble = Some(JOINED.to_owned());
                    }
                }
                Err(reason) => trouble = Some(reason),
            }
        }
    });
    if let Some(reason) = trouble {
        return Err(reason);
    }
    if let Some(function) = function.filter(|_| (returned || joined) && uses.is_empty()) {
        return Ok(Role::Returned { function, joined });
    }
    if uses.is_empty() {
        return Ok(Role::Used(vec![stored()]));
    }
    if uses.len() != reads {
        return Err("one hash is both kept and compared".to_owned());
    }
    uses.push(Use::Dropped { at: stmt.at });
    Ok(Role::Used(uses))
}

/// A comparison inside an expression: its place, the other side, whether it is negated.
fn comparison<'a>(expr: &'a Expr, is_hash: &dyn Fn(&Expr) -> bool) -> Option<(At, &'a Expr, bool)> {
    let mut found = None;
    let mut consider = |at: At, one: &'a Expr, other: &'a Expr, negated: bool| {
        let one = undressed(one);
        if is_hash(one) {
            found = Some((at, undressed(other), negated));
        }
    };
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Binary { op, left, right } if matches!(op.as_str(), "==" | "!=") => {
            consider(inner.at, left, right, op == "!=");
            consider(inner.at, right, left, op == "!=");
        }
        ExprKind::Call(call) => {
            let compares = call.callee.dotted().is_some_and(|name| name.ends_with("compare_digest"));
            if compares && call.args.len() == 2 {
                consider(inner.at, &call.args[0].value, &call.args[1].value, false);
                consider(inner.at, &call.args[1].value, &call.args[0].value, false);
            }
        }
        _ => {}
    });
    found
}

fn may_be_none(scope: &Block, stored: &Expr) -> bool {
    let asks = |expr: &Expr| match &expr.kind {
        ExprKind::Call(call) => match &call.callee.kind {
            ExprKind::Member { name, .. } => name == "get" && call.args.len() == 1,
            _ => true,
        },
        ExprKind::Null => true,
        _ => false,
    };
    match &stored.kind {
        ExprKind::Name(name) => bindings(scope, name).0.into_iter().any(asks),
        _ => asks(stored),
    }
}

/// `x.encode()` compared with `y.encode()` compares x with y.
fn undressed(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Call(call) => match &call.callee.kind {
            ExprKind::Member { object, name, .. } if name == "encode" => object,
            _ => expr,
        },
        _ => expr,
    }
}

/// Whether a text is put together with the hash, or a part of it is taken. What is sent to a database is not.
fn is_joined(expr: &Expr, is_hash: &dyn Fn(&Expr) -> bool) -> bool {
    let holds = |expr: &Expr| {
        let mut found = false;
        expr.walk(&mut |inner| found |= is_hash(inner));
        found
    };
    if !holds(expr) || is_hash(expr) {
        return false;
    }
    match &expr.kind {
        ExprKind::Binary { op, .. } => !matches!(op.as_str(), "==" | "!=" | "and" | "or" | "in" | "not in"),
        ExprKind::Text(_) | ExprKind::Slice { .. } => true,
        ExprKind::Call(call) => match &call.callee.kind {
            ExprKind::Member { object, name, .. } => {
                holds(object) && !name.starts_with("execute")
                    || matches!(name.as_str(), "format" | "join")
                    || call.args.iter().any(|arg| is_joined(&arg.value, is_hash))
            }
            _ => call.args.iter().any(|arg| is_joined(&arg.value, is_hash)),
        },
        _ => expr.children().iter().any(|child| is_joined(child, is_hash)),
    }
}
