//! The project's own function that hashes: who calls it here, and what other files do with hashes.

use super::driver::visit;
use super::password::Wrapper;
use super::password_role::{Role, Use, role_of};
use super::place::resolved;
use crate::scan::detect::{self, Found, is_password};
use crate::scan::fix::Site;
use crate::scan::ir::{At, Block, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::SourceFile;
use crate::scan::rules::embedded;

/// Whether a call is one of the project's own function: `f(…)`, `self.f(…)`, `Class.f(…)`.
fn calls<'a>(expr: &'a Expr, function: &Function) -> Option<&'a crate::scan::ir::Call> {
    let ExprKind::Call(call) = &expr.kind else { return None };
    let fits = match &call.callee.kind {
        ExprKind::Name(name) => !function.is_method && *name == function.name,
        ExprKind::Member { object, name, .. } => {
            *name == function.name && function.is_method && object.as_name().is_some()
        }
        _ => false,
    };
    fits.then_some(call)
}

/// What becomes of the results of the hashing function in this file.
pub(super) fn wrapped_uses<'a>(
    site: &Site<'a>,
    wrapper: &Wrapper<'a>,
    uses: &mut Vec<Use<'a>>,
) -> Result<(), String> {
    let function = wrapper.function;
    let params: Vec<&str> = function
        .params
        .iter()
        .map(|param| param.name.as_str())
        .filter(|name| !matches!(*name, "self" | "cls"))
        .collect();
    let position = params.iter().position(|param| *param == wrapper.password).or(if params.len() == 1 {
        Some(0)
    } else {
        None
    });
    let position = position
        .ok_or_else(|| format!("which parameter of `{}` is the password is not clear", function.name))?;
    let mut found: Vec<(&'a Expr, String)> = Vec::new();
    visit(&site.file.module.body, &mut |expr| {
        if let Some(call) = calls(expr, function)
            && let Some(arg) = call.position(position).or_else(|| call.keyword(params[position]))
        {
            found.push((expr, arg.value.outer.of(&site.file.text).to_owned()));
        }
    });
    for (call, password) in found {
        if function.at.holds(call.at) {
            return Err(format!("`{}` calls itself", function.name));
        }
        let chain = enclosing(site, call.at);
        match role_of(site, call, &chain, &password)? {
            Role::Returned { function: other, .. } => {
                return Err(format!("`{}` hands the hash on", other.name));
            }
            Role::Used(found) => uses.extend(found.into_iter().map(Use::of_wrapper)),
        }
    }
    Ok(())
}

/// Other files may store what the function gives, but not compare it or look for it.
pub(super) fn elsewhere(site: &Site<'_>, function: &Function) -> Result<(), String> {
    let is_call = |expr: &Expr| {
        expr.as_call()
            .and_then(|call| call.callee.dotted())
            .is_some_and(|name| name.rsplit('.').next() == Some(&function.name))
    };
    for file in others(site) {
        let mut compared = false;
        let mut look = |block: &Block| {
            visit(block, &mut |expr| match &expr.kind {
                ExprKind::Binary { op, left, right } if matches!(op.as_str(), "==" | "!=") => {
                    compared |= is_call(left) || is_call(right);
                }
                ExprKind::Call(call) => {
                    let method = call.callee.dotted().unwrap_or_default();
                    let text = call.args_at.of(&file.text).to_lowercase();
                    let asks = method.ends_with("compare_digest")
                        || method.ends_with("filter_by")
                        || method.ends_with("filter")
                        || (method.contains("execute") && text.contains("select"));
                    call.args
                        .iter()
                        .for_each(|arg| arg.value.walk(&mut |inner| compared |= asks && is_call(inner)));
                }
                _ => {}
            });
        };
        look(&file.module.body);
        // A name for the hash may be compared anywhere.
        let mut names: Vec<String> = Vec::new();
        all_assignments(&file.module.body, &mut |name, value| {
            if is_call(value) {
                names.push(name.to_owned());
            }
        });
        visit(&file.module.body, &mut |expr| {
            if let ExprKind::Binary { op, left, right } = &expr.kind
                && matches!(op.as_str(), "==" | "!=")
            {
                compared |= [left, right]
                    .iter()
                    .any(|side| side.as_name().is_some_and(|name| names.iter().any(|known| known == name)));
            }
        });
        if compared {
            return Err(format!("{} compares hashes too; change both sides together by hand", file.path));
        }
    }
    Ok(())
}

fn all_assignments<'a>(block: &'a Block, look: &mut dyn FnMut(&'a str, &'a Expr)) {
    block.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Assign { targets, value, .. } => {
            if let Some(name) = targets.first().and_then(Expr::as_name) {
                look(name, value);
            }
        }
        StmtKind::Function(function) => all_assignments(&function.body, look),
        StmtKind::Class(class) => all_assignments(&class.body, look),
        _ => {}
    });
}

fn others<'s>(site: &'s Site<'_>) -> impl Iterator<Item = &'s SourceFile> {
    site.project.files.iter().map(|file| &**file).filter(|file| !std::ptr::eq(*file, site.file))
}

/// What the detector finds in a file of the project.
pub(super) fn weak_hashes<'a>(site: &Site<'a>, file: usize) -> Vec<Found<'a>> {
    let rule = embedded().rules.iter().find(|rule| rule.id == site.rule.id);
    match (detect::named("python-password"), rule) {
        (Some(find), Some(rule)) => find(site.project, file, rule),
        _ => Vec::new(),
    }
}

/// A text that is hashed in the same way and may be a password too: `hashlib.sha1(old.encode())`.
pub(super) fn unclear<'a>(site: &Site<'a>, found: &[Found<'a>]) -> Option<&'a str> {
    let callees: Vec<&str> = found.iter().map(|one| one.callee.as_str()).collect();
    let mut unclear = None;
    visit(&site.file.module.body, &mut |expr| {
        let ExprKind::Call(call) = &expr.kind else { return };
        let known = found.iter().any(|one| one.expr.at == expr.at);
        let same = resolved(site, &call.callee).is_some_and(|callee| callees.contains(&callee.as_str()));
        if known || !same {
            return;
        }
        let encodes = call.args.iter().any(|arg| {
            arg.value.as_call().is_some_and(|inner| {
                matches!(&inner.callee.kind, ExprKind::Member { object, name, .. }
                    if name == "encode" && matches!(object.kind, ExprKind::Name(_) | ExprKind::Index { .. }))
            }) && detect::is_neutral(&arg.value)
        });
        if encodes {
            unclear = Some(expr.at.of(&site.file.text));
        }
    });
    unclear
}

/// Whether another file hashes passwords, or compares stored ones: the other side of this one.
pub(super) fn compared_elsewhere(site: &Site<'_>) -> bool {
    site.project.files.iter().enumerate().any(|(at, file)| {
        if std::ptr::eq(std::ptr::from_ref(&**file), site.file) {
            return false;
        }
        let mut compares = !weak_hashes(site, at).is_empty();
        visit(&file.module.body, &mut |expr| {
            if let ExprKind::Binary { op, left, right } = &expr.kind
                && matches!(op.as_str(), "==" | "!=")
            {
                compares |= [left, right].iter().any(|side| match &side.kind {
                    ExprKind::Name(name) | ExprKind::Member { name, .. } => {
                        is_password(name) || name.contains("hash")
                    }
                    ExprKind::Index { index, .. } => index.as_text().is_some_and(|key| is_password(&key)),
                    _ => false,
                });
            }
        });
        compares
    })
}

/// The functions around a place, outermost first.
pub(super) fn enclosing<'a>(site: &Site<'a>, at: At) -> Vec<&'a Function> {
    let mut chain: Vec<&'a Function> = Vec::new();
    let mut blocks = vec![&site.file.module.body];
    while let Some(block) = blocks.pop() {
        block.walk(&mut |stmt| match &stmt.kind {
            StmtKind::Function(function) if function.at.holds(at) => {
                chain.push(function);
                blocks.push(&function.body);
            }
            StmtKind::Class(class) if class.at.holds(at) => blocks.push(&class.body),
            _ => {}
        });
    }
    chain
}
