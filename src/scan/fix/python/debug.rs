//! Debug mode in Python: off unless the environment asks for it.

use crate::finding::Tier;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Expr, ExprKind, Stmt, StmtKind};

/// `debug=True` from the environment, off by default.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let django = site.file.module.body.stmts.iter().any(|stmt| assigns(stmt, "INSTALLED_APPS").is_some());
    if django {
        let hosts = site.file.module.body.stmts.iter().find_map(|stmt| assigns(stmt, "ALLOWED_HOSTS"));
        let named = hosts.is_some_and(|hosts| match &hosts.kind {
            ExprKind::List { items, .. } => !items.is_empty(),
            _ => false,
        });
        if !named {
            return Err(
                "without debug mode Django answers only for hosts in ALLOWED_HOSTS, and none is named here"
                    .to_owned(),
            );
        }
    }
    let name = if django {
        "DJANGO_DEBUG"
    } else {
        site.spec.with.get("variable").map_or("FLASK_DEBUG", String::as_str)
    };
    let at = switch(site).ok_or("where debug mode is switched on is not here")?;
    let member = site.file.module.imports.iter().find(|import| {
        import.module == "os" && import.member.as_deref() == Some("environ") && import.local == "environ"
    });
    let (environ, imports) = match member {
        Some(_) => ("environ", Vec::new()),
        None => ("os.environ", vec![NewImport { module: "os".to_owned(), member: None }]),
    };
    Ok(Draft {
        tier: Some(Tier::B),
        summary: format!("debug mode is off unless {name} asks for it"),
        by_hand: format!("set {name}=1 where you develop"),
        imports,
        edits: vec![replace(at, format!("{environ}.get(\"{name}\") == \"1\""))],
    })
}

/// The value a statement gives to a name.
fn assigns<'a>(stmt: &'a Stmt, name: &str) -> Option<&'a Expr> {
    match &stmt.kind {
        StmtKind::Assign { targets, value, .. } => {
            targets.iter().any(|target| target.as_name() == Some(name)).then_some(value)
        }
        _ => None,
    }
}

/// The place of the `True`: the argument itself, or the only thing its name is ever set to.
fn switch(site: &Site<'_>) -> Option<At> {
    match &site.argument.kind {
        ExprKind::Bool(true) | ExprKind::Number(_) => Some(site.argument.outer),
        ExprKind::Name(name) => {
            let mut values: Vec<&Expr> = Vec::new();
            let mut scopes = vec![&site.file.module.body];
            scopes.extend(site.functions.iter().map(|function| &function.body));
            for scope in scopes {
                scope.walk(&mut |stmt| {
                    if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                        && targets.iter().any(|target| target.as_name() == Some(name))
                    {
                        values.push(value);
                    }
                });
            }
            match values.as_slice() {
                [only] if matches!(only.kind, ExprKind::Bool(true)) => Some(only.outer),
                _ => None,
            }
        }
        _ => None,
    }
}
