//! The digest of a password: the expression that gives it, the statements that feed it, the password as a text.

use super::driver::visit;
use super::place::resolved;
use super::template::bindings;
use crate::scan::detect::{Found, is_password, speaks_of};
use crate::scan::fix::Site;
use crate::scan::ir::{At, Block, Expr, ExprKind, Function, Stmt, StmtKind, TextPart};

/// A digest.
#[derive(Debug, Clone)]
pub(super) struct Digest<'a> {
    /// The outermost expression that is still the digest: `….hexdigest()`, `b64encode(….digest()).decode()`.
    pub(super) expr: &'a Expr,
    /// The password's source.
    pub(super) password: String,
    /// Statements that only feed the digest.
    pub(super) feeds: Vec<At>,
}

impl<'a> Digest<'a> {
    /// Of what the detector found.
    pub(super) fn of(site: &Site<'a>, found: &Found<'a>) -> Result<Self, String> {
        let scope = scope_of(site, found.functions.last().copied());
        let password = text_of(site, scope, found.argument)
            .ok_or("the password reaches the digest as bytes, in a way that is not followed")?;
        let is_update = matches!(&found.expr.kind, ExprKind::Call(call)
            if matches!(&call.callee.kind, ExprKind::Member { name, .. } if name == "update"));
        let holder = if is_update { updated(found.expr) } else { assigned(scope, found.expr.at) };
        let Some(holder) = holder else {
            let expr = read_out(site, &|object| object.at == found.expr.at)
                .ok_or("the digest is used in a way that is not followed")?;
            return Ok(Self { expr, password, feeds: Vec::new() });
        };
        let expr =
            read_out(site, &|object| object.as_name() == Some(holder) && scope_holds(scope, object.at))
                .ok_or("the digest is used in a way that is not followed")?;
        let mut feeds = Vec::new();
        let mut reads = 0;
        scope.walk(&mut |stmt| {
            let feeds_it = match &stmt.kind {
                StmtKind::Assign { targets, .. } => {
                    targets.len() == 1 && targets[0].as_name() == Some(holder)
                }
                StmtKind::Expr(expr) => updated(expr) == Some(holder),
                _ => false,
            };
            if feeds_it {
                feeds.push(stmt.at);
            } else {
                for expr in stmt.exprs() {
                    expr.walk(&mut |inner| reads += usize::from(inner.as_name() == Some(holder)));
                }
            }
        });
        if reads != 1 {
            return Err("the digest is fed step by step in a way that is not followed".to_owned());
        }
        Ok(Self { expr, password, feeds })
    }
}

/// The block of a function, or the file's.
pub(super) fn scope_of<'a>(site: &Site<'a>, function: Option<&'a Function>) -> &'a Block {
    function.map_or(&site.file.module.body, |function| &function.body)
}

fn scope_holds(scope: &Block, at: At) -> bool {
    scope.stmts.iter().any(|stmt| stmt.at.holds(at))
}

fn updated(expr: &Expr) -> Option<&str> {
    match &expr.as_call()?.callee.kind {
        ExprKind::Member { object, name, .. } if name == "update" => object.as_name(),
        _ => None,
    }
}

fn assigned(scope: &Block, at: At) -> Option<&str> {
    let mut found = None;
    scope.walk(&mut |stmt| {
        if let StmtKind::Assign { targets, value, .. } = &stmt.kind
            && value.at == at
            && targets.len() == 1
        {
            found = targets[0].as_name();
        }
    });
    found
}

/// `….hexdigest()` of a hash object, with an encoding of the raw digest around it.
fn read_out<'a>(site: &Site<'a>, is_object: &dyn Fn(&Expr) -> bool) -> Option<&'a Expr> {
    let (mut text, mut raw) = (None, None);
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let ExprKind::Member { object, name, .. } = &call.callee.kind
            && is_object(object)
        {
            match name.as_str() {
                "hexdigest" => text = Some(expr),
                "digest" => raw = Some(expr),
                _ => {}
            }
        }
    });
    if text.is_some() {
        return text;
    }
    let raw: &Expr = raw?;
    let (mut encoded, mut decoded): (Option<&'a Expr>, Option<&'a Expr>) = (None, None);
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && call.args.first().is_some_and(|arg| arg.value.at == raw.at)
            && resolved(site, &call.callee).is_some_and(|callee| {
                matches!(
                    callee.as_str(),
                    "base64.b64encode" | "base64.urlsafe_b64encode" | "binascii.hexlify"
                )
            })
        {
            encoded = Some(expr);
        }
    });
    let (inner, by) = encoded.map_or((raw, "hex"), |encoded| (encoded, "decode"));
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let ExprKind::Member { object, name, .. } = &call.callee.kind
            && name == by
            && object.at == inner.at
        {
            decoded = Some(expr);
        }
    });
    decoded
}

/// The password as a text: `password.encode()` gives `password`; a salt or pepper beside it is left out, since
/// the new hash has its own.
pub(super) fn text_of(site: &Site<'_>, scope: &Block, data: &Expr) -> Option<String> {
    match &data.kind {
        ExprKind::Call(call) => match &call.callee.kind {
            ExprKind::Member { object, name, .. } if name == "encode" => plain(site, object),
            ExprKind::Name(name)
                if matches!(name.as_str(), "bytes" | "bytearray") && call.args.len() == 2 =>
            {
                plain(site, &call.args[0].value)
            }
            _ => None,
        },
        ExprKind::Text(text) if text.is_bytes => {
            let written = data.at.of(&site.file.text);
            let rest = written.strip_prefix(['b', 'B'])?;
            (text.pieces.len() == 1 && !rest.contains("\\x")).then(|| rest.to_owned())
        }
        ExprKind::Binary { op, left, right } if op == "+" => {
            let sides = [left, right].map(|side| (text_of(site, scope, side), speaks(side)));
            match sides {
                [(Some(text), true), (_, false)] | [(_, false), (Some(text), true)] => Some(text),
                _ => None,
            }
        }
        ExprKind::Name(name) => {
            let (values, others) = bindings(scope, name);
            match values.as_slice() {
                [only] if others == 0 => text_of(site, scope, only),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The part of a text that is the password.
fn plain(site: &Site<'_>, expr: &Expr) -> Option<String> {
    let own = |expr: &Expr| expr.outer.of(&site.file.text).to_owned();
    match &expr.kind {
        ExprKind::Binary { op, left, right } if op == "+" => match (speaks(left), speaks(right)) {
            (true, false) => plain(site, left),
            (false, true) => plain(site, right),
            _ => None,
        },
        ExprKind::Text(text) if text.has_holes() => {
            let mut holes = text.parts.iter().filter_map(|part| match part {
                TextPart::Hole { expr, .. } if speaks(expr) => Some(&**expr),
                _ => None,
            });
            match (holes.next(), holes.next()) {
                (Some(only), None) => Some(own(only)),
                _ => None,
            }
        }
        ExprKind::Binary { .. } | ExprKind::Conditional { .. } => None,
        _ => Some(own(expr)),
    }
}

/// Whether an expression speaks of a password (and not of a salt).
pub(super) fn speaks(expr: &Expr) -> bool {
    speaks_of(expr, |name| is_password(name) && !is_salt(name))
}

/// Whether a name is one of what is mixed into a hash.
pub(super) fn is_salt(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("salt") || name.contains("pepper")
}

/// The innermost statement whose own expressions hold a place.
pub(super) fn innermost(scope: &Block, at: At) -> Option<&Stmt> {
    let mut found = None;
    scope.walk(&mut |stmt| {
        if stmt.exprs().iter().any(|expr| expr.outer.holds(at)) {
            found = Some(stmt);
        }
    });
    found
}
