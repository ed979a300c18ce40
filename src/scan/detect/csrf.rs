//! Views of Django whose protection against forged requests is switched off by a decorator.

use super::Found;
use super::context::last_word;
use crate::scan::ir::{Block, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::Project;
use crate::scan::rules::Rule;

/// Finds them. Views that check a signature or a token of their own need no other.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let mut found = Vec::new();
    if source.imports("django") {
        look(&source.module.body, &mut found);
    }
    found
}

fn look<'a>(block: &'a Block, out: &mut Vec<Found<'a>>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Function(function) => {
                let exempt = function.decorators.iter().find(|one| last_word(one) == Some("csrf_exempt"));
                if let Some(decorator) = exempt
                    && !is_for_machines(function)
                {
                    out.push(Found {
                        expr: decorator,
                        argument: decorator,
                        functions: vec![function],
                        note: format!("`{}` takes requests that another site may forge", function.name),
                        callee: "csrf_exempt".to_owned(),
                    });
                }
            }
            StmtKind::Class(class) => look(&class.body, out),
            _ => {}
        }
    }
}

/// Whether a view is called by programs that prove themselves: webhooks, callbacks, bearer tokens.
fn is_for_machines(function: &Function) -> bool {
    let name = function.name.to_lowercase();
    let by_name = ["hook", "callback", "ipn", "notify", "notification", "api", "oauth", "token"]
        .iter()
        .any(|word| name.contains(word));
    let by_decorator = function.decorators.iter().any(|one| {
        let callee = one.as_call().map_or(one, |call| &call.callee);
        matches!(last_word(callee), Some("api_view" | "token_required" | "jwt_required" | "basic_auth"))
    });
    let mut proves = false;
    function.body.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| proves |= is_proof(inner));
        }
    });
    by_name || by_decorator || proves
}

fn is_proof(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call(call) => matches!(
            last_word(&call.callee),
            Some("compare_digest" | "construct_event" | "verify" | "verify_signature" | "validate")
        ),
        ExprKind::Text(_) => {
            expr.as_text().is_some_and(|text| matches!(text.as_str(), "Authorization" | "HTTP_AUTHORIZATION"))
        }
        _ => false,
    }
}
