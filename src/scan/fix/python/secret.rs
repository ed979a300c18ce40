//! Hard-coded secrets in Python: read from the environment, missing at start when absent.

use crate::finding::Tier;
use crate::scan::detect::secret_words as words;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{Expr, ExprKind};

/// Reads the secret from the environment.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let value = site.expr;
    let text = &site.file.text;
    let mut name = variable(&site.callee);
    let mut draft = Draft {
        tier: Some(Tier::B),
        imports: vec![NewImport { module: "os".to_owned(), member: None }],
        ..Draft::default()
    };
    match &value.kind {
        ExprKind::Text(literal) => {
            if literal.has_holes() {
                return Err("the literal is put together".to_owned());
            }
            let tail = if literal.is_bytes { ".encode()" } else { "" };
            draft.edits.push(replace(value.outer, format!("os.environ[\"{name}\"]{tail}")));
        }
        // `os.environ.get("KEY", "literal")`: the literal goes, the name stays.
        ExprKind::Call(call) if call.args.len() == 2 => {
            let callee = super::place::resolved(site, &call.callee).unwrap_or_default();
            if !matches!(callee.as_str(), "os.environ.get" | "os.getenv" | "os.environ.setdefault") {
                return Err("the literal is the default of a look-up that is not the environment's; take it out by hand".to_owned());
            }
            name = call
                .position(0)
                .and_then(|arg| arg.value.as_text())
                .ok_or("the variable's name is not a literal")?;
            draft.edits.push(replace(value.outer, format!("os.environ[\"{name}\"]")));
        }
        ExprKind::Binary { op, left, .. } if op == "or" => {
            let known = left.as_call().and_then(|call| call.position(0)).and_then(|arg| arg.value.as_text());
            let callee = left
                .as_call()
                .and_then(|call| super::place::resolved(site, &call.callee))
                .unwrap_or_default();
            match known {
                Some(known) if callee == "os.environ.get" || callee == "os.getenv" => {
                    draft.edits.push(replace(value.outer, format!("os.environ[\"{known}\"]")));
                    name = known;
                }
                _ => return Err(
                    "the literal is the fallback of something else than the environment; take it out by hand"
                        .to_owned(),
                ),
            }
        }
        ExprKind::Call(call) => match &call.callee.kind {
            ExprKind::Member { object, name: method, .. } if method == "encode" => {
                draft.edits.push(replace(object.outer, format!("os.environ[\"{name}\"]")));
            }
            _ => return Err("the literal is handed on in a way that is not followed".to_owned()),
        },
        _ => return Err("the literal is handed on in a way that is not followed".to_owned()),
    }
    if is_annotated_default(site, value) {
        return Err(
            "the literal is a parameter's default; take it out and hand the secret over by hand".to_owned()
        );
    }
    draft.summary = format!(
        "reads the secret from the environment variable {name}; the program does not start without it"
    );
    let example = match site.project.env_examples.first() {
        Some(path) => format!(" Add {name} to {path}."),
        None => String::new(),
    };
    draft.by_hand = format!(
        "Set {name} wherever the program or its tests run, and replace the old secret where it is used: it is in the \
         repository's history.{example}"
    );
    let _ = text;
    Ok(draft)
}

fn is_annotated_default(site: &Site<'_>, value: &Expr) -> bool {
    let mut found = false;
    let mut blocks = vec![&site.file.module.body];
    while let Some(block) = blocks.pop() {
        block.walk(&mut |stmt| match &stmt.kind {
            crate::scan::ir::StmtKind::Function(function) => {
                found |= function
                    .params
                    .iter()
                    .any(|param| param.default.as_ref().is_some_and(|default| default.at.holds(value.at)));
                blocks.push(&function.body);
            }
            crate::scan::ir::StmtKind::Class(class) => blocks.push(&class.body),
            _ => {}
        });
    }
    found
}

/// The environment variable for a name: `app.secret_key` gives `SECRET_KEY`, `password` gives `APP_PASSWORD`.
fn variable(name: &str) -> String {
    let words = words(name);
    let joined = words.join("_").to_uppercase();
    match words.as_slice() {
        [_] => format!("APP_{joined}"),
        [] => "APP_SECRET".to_owned(),
        _ => joined,
    }
}
