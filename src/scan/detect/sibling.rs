//! Routes that lack a decorator which the project puts on their siblings: the login check, the limiter.

use super::Found;
use super::compare::is_test;
use super::context::last_word;
use crate::scan::ir::{Block, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Decorators that ask who it is.
const ASKING: &[&str] = &[
    "login_required",
    "jwt_required",
    "token_required",
    "auth_required",
    "requires_auth",
    "require_auth",
    "authenticated",
    "require_login",
    "requires_login",
    "permission_required",
    "admin_required",
    "roles_required",
    "require_token",
    "fresh_login_required",
    "verify_token",
    "check_auth",
    "staff_member_required",
    "user_required",
    "require_user",
];

/// Words of routes that are open on purpose.
const OPEN: &[&str] = &[
    "login",
    "signin",
    "sign_in",
    "logout",
    "register",
    "signup",
    "sign_up",
    "forgot",
    "reset",
    "health",
    "status",
    "ping",
    "webhook",
    "callback",
    "contact",
    "subscribe",
    "search",
    "csp",
    "token",
    "oauth",
    "confirm",
    "verify",
    "refresh",
    "public",
    "track",
];

/// Words by which a body shows that it asks itself.
const OWN_CHECK: &[&str] = &[
    "session",
    "current_user",
    "g.user",
    "Authorization",
    "jwt",
    "token",
    "is_authenticated",
    "request.user",
    "api_key",
    "check_password",
    "compare_digest",
    "verify",
];

struct Route<'a> {
    function: &'a Function,
    decorators: &'a [Expr],
    changes: bool,
}

/// Routes that change something without the login check of their siblings.
pub(super) fn unasked<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file).filter(|source| !is_test(&source.path)) else {
        return Vec::new();
    };
    let routes = routes(&source.module.body);
    let asks = |route: &Route<'a>| route.decorators.iter().find(|one| is_one(one, ASKING));
    let asking: Vec<&Expr> = routes.iter().filter_map(asks).collect();
    if asking.len() < 2 {
        return Vec::new();
    }
    routes
        .iter()
        .filter(|route| route.changes && asks(route).is_none())
        .filter(|route| {
            let body = route.function.at.of(&source.text);
            let name = route.function.name.to_lowercase();
            let path = route.decorators.iter().find_map(path_of).unwrap_or_default().to_lowercase();
            !OPEN.iter().any(|word| name.contains(word) || path.contains(word))
                && !OWN_CHECK.iter().any(|word| body.contains(word))
        })
        .filter_map(|route| lacking(source, route, &asking, "has no login check, as its siblings have"))
        .collect()
}

/// Login routes without the limiter that other routes have.
pub(super) fn unlimited<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file).filter(|source| !is_test(&source.path)) else {
        return Vec::new();
    };
    let routes = routes(&source.module.body);
    let limits = |route: &Route<'a>| {
        route.decorators.iter().find(|one| {
            let callee = one.as_call().map_or(*one, |call| &call.callee);
            matches!(last_word(callee), Some("limit" | "ratelimit" | "rate_limit" | "throttle"))
        })
    };
    let limited: Vec<&Expr> = routes.iter().filter_map(limits).collect();
    if limited.is_empty() {
        return Vec::new();
    }
    routes
        .iter()
        .filter(|route| route.changes && limits(route).is_none())
        .filter(|route| {
            let name = route.function.name.to_lowercase();
            ["login", "signin", "sign_in", "otp", "verify_code", "reset_password", "forgot", "authenticate"]
                .iter()
                .any(|word| name.contains(word))
        })
        .filter_map(|route| lacking(source, route, &limited, "can be tried without end"))
        .collect()
}

/// The finding at the route's last decorator; the pattern to follow is the siblings' when all write the same.
fn lacking<'a>(source: &SourceFile, route: &Route<'a>, patterns: &[&Expr], note: &str) -> Option<Found<'a>> {
    let at = route.decorators.last()?;
    let mut written: Vec<&str> = patterns.iter().map(|one| one.at.of(&source.text)).collect();
    written.sort_unstable();
    written.dedup();
    let callee = if written.len() == 1 { written[0].to_owned() } else { String::new() };
    Some(Found {
        expr: at,
        argument: at,
        functions: vec![route.function],
        note: format!("`{}` {note}", route.function.name),
        callee,
    })
}

fn is_one(decorator: &Expr, names: &[&str]) -> bool {
    let callee = decorator.as_call().map_or(decorator, |call| &call.callee);
    last_word(callee).is_some_and(|name| names.contains(&name))
}

fn path_of(decorator: &Expr) -> Option<String> {
    decorator.as_call()?.position(0)?.value.as_text()
}

/// The functions of a file that have a route's decorator.
fn routes(block: &Block) -> Vec<Route<'_>> {
    let mut out = Vec::new();
    for stmt in &block.stmts {
        if let StmtKind::Function(function) = &stmt.kind
            && let Some(route) = function.decorators.iter().find(|one| is_route(one))
        {
            out.push(Route { function, decorators: &function.decorators, changes: changes(route) });
        }
    }
    out
}

fn is_route(decorator: &Expr) -> bool {
    decorator.as_call().is_some_and(|call| {
        matches!(&call.callee.kind, ExprKind::Member { name, .. }
            if matches!(name.as_str(), "route" | "post" | "put" | "delete" | "patch" | "get"))
            && call.position(0).and_then(|arg| arg.value.as_text()).is_some_and(|path| path.starts_with('/'))
    })
}

fn changes(route: &Expr) -> bool {
    let Some(call) = route.as_call() else { return false };
    if matches!(last_word(&call.callee), Some("post" | "put" | "delete" | "patch")) {
        return true;
    }
    call.keyword("methods").is_some_and(|arg| match &arg.value.kind {
        ExprKind::List { items, .. } => items
            .iter()
            .filter_map(Expr::as_text)
            .any(|method| matches!(method.as_str(), "POST" | "PUT" | "DELETE" | "PATCH")),
        _ => false,
    })
}
