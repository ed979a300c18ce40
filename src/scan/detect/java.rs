//! What surrounds a finding in Java, and checks that are no flow: trust in every certificate, origins for everyone.

use super::Found;
use crate::scan::ir::{Block, Class, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Words of a function in which a number that can be guessed does harm.
const SECRET_WORDS: &[&str] = &[
    "token",
    "session",
    "cookie",
    "passw",
    "secret",
    "salt",
    "nonce",
    "otp",
    "csrf",
    "auth",
    "remember",
    "credential",
    "apikey",
    "api_key",
    "voucher",
    "verification",
    "cipher",
    "encrypt",
    "signature",
    "resetcode",
];

/// Words of a name that is compared with something an attacker must not guess.
const DIGEST_WORDS: &[&str] =
    &["digest", "hash", "hmac", "mac", "signature", "token", "password", "secret", "apikey", "checksum"];

/// A check on the surroundings; `None` when it is not one of Java's.
pub(super) fn holds(
    name: &str,
    file: &SourceFile,
    expr: &Expr,
    argument: &Expr,
    chain: &[&Function],
) -> Option<bool> {
    let function = chain.last();
    let annotated = |word: &str| function.is_some_and(|function| has_annotation(&function.decorators, word));
    let is_body =
        file.text.contains("@RestController") || annotated("ResponseBody") || file.imports("javax.ws.rs");
    let returns_text = function.is_some_and(|function| function.returns.as_deref() == Some("String"));
    Some(match name {
        "java-sensitive" => is_sensitive(file, chain),
        "java-answers-text" => is_body && returns_text,
        "java-redirect-view" => !is_body && expr.at.of(&file.text).starts_with("\"redirect:"),
        "java-answers" => is_body,
        "java-always-true" => {
            matches!(&argument.kind, ExprKind::Lambda(function) if always_true(&function.body))
        }
        "java-digest" => {
            let text = argument.at.of(&file.text).to_lowercase();
            let whole = expr.at.of(&file.text).to_lowercase();
            DIGEST_WORDS.iter().any(|word| text.contains(word) || whole.contains(word))
                && !whole.contains("\"\"")
        }
        "java-keeps-sessions" => {
            !file.text.contains("STATELESS") && !file.text.contains("oauth2ResourceServer")
        }
        "java-credentials" => {
            file.text.contains("llowCredentials(true") || file.text.contains("Allow-Credentials")
        }
        _ => return None,
    })
}

/// Whether a function serves requests, or speaks of something that must not be guessed.
fn is_sensitive(file: &SourceFile, chain: &[&Function]) -> bool {
    chain.iter().any(|function| {
        let serves = function.params.iter().any(|param| {
            matches!(
                param.annotation.as_deref(),
                Some("HttpServletRequest" | "HttpServletResponse" | "ServletRequest" | "HttpSession")
            )
        });
        let text = function.at.of(&file.text).to_lowercase();
        serves || SECRET_WORDS.iter().any(|word| text.contains(word))
    })
}

fn has_annotation(decorators: &[Expr], word: &str) -> bool {
    decorators
        .iter()
        .any(|decorator| decorator.as_call().map_or(decorator, |call| &call.callee).as_name() == Some(word))
}

/// Trust managers and host name checks that let everything pass.
pub(super) fn trust<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    if let Some(source) = project.files.get(file) {
        blocks(&source.module.body, &mut |class, stmt_functions| {
            for function in stmt_functions {
                let lets_pass = match function.name.as_str() {
                    "checkServerTrusted" => function.body.at.end > 0 && does_nothing(&function.body),
                    "verify" => {
                        function.params.len() == 2
                            && always_true(&function.body)
                            && names(class, "HostnameVerifier")
                    }
                    _ => false,
                };
                if lets_pass && let Some(base) = class.bases.first() {
                    found.push(Found {
                        expr: base,
                        argument: base,
                        functions: vec![function],
                        note: format!("`{}` accepts everything", function.name),
                        callee: function.name.clone(),
                    });
                }
            }
        });
    }
    found
}

/// `@CrossOrigin` without origins, or for all of them.
pub(super) fn cross_origin<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    if let Some(source) = project.files.get(file) {
        blocks(&source.module.body, &mut |class, functions| {
            let own = class.decorators.iter().map(|decorator| (decorator, None));
            let theirs = functions.iter().flat_map(|function| {
                function.decorators.iter().map(|decorator| (decorator, Some(*function)))
            });
            for (decorator, function) in own.chain(theirs) {
                if is_open(decorator) {
                    found.push(Found {
                        expr: decorator,
                        argument: decorator,
                        functions: function.into_iter().collect(),
                        note: "every origin may read the answers".to_owned(),
                        callee: "CrossOrigin".to_owned(),
                    });
                }
            }
        });
    }
    found
}

fn is_open(decorator: &Expr) -> bool {
    let Some(call) = decorator.as_call() else { return decorator.as_name() == Some("CrossOrigin") };
    if call.callee.as_name() != Some("CrossOrigin") {
        return false;
    }
    let origins: Vec<_> = call
        .args
        .iter()
        .filter(|arg| matches!(arg.name.as_deref(), None | Some("origins" | "value" | "originPatterns")))
        .collect();
    let has_star = |expr: &Expr| {
        let mut star = false;
        expr.walk(&mut |part| star |= part.as_text().as_deref() == Some("*"));
        star
    };
    origins.is_empty() || origins.iter().any(|arg| has_star(&arg.value))
}

fn does_nothing(block: &Block) -> bool {
    block.stmts.iter().all(|stmt| matches!(&stmt.kind, StmtKind::Return(None)))
}

fn always_true(block: &Block) -> bool {
    matches!(block.stmts.as_slice(), [stmt] if matches!(&stmt.kind,
        StmtKind::Return(Some(Expr { kind: ExprKind::Bool(true), .. }))))
}

fn names(class: &Class, base: &str) -> bool {
    class.bases.iter().any(|own| own.as_name() == Some(base))
}

/// Every class of a block, anonymous ones too, with its functions.
fn blocks<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Class, Vec<&'a Function>)) {
    block.walk(&mut |stmt| {
        match &stmt.kind {
            StmtKind::Class(class) => class_of(class, visit),
            StmtKind::Function(function) => blocks(&function.body, visit),
            _ => {}
        }
        for expr in stmt.exprs() {
            expr.walk(&mut |part| match &part.kind {
                ExprKind::Class(class) => class_of(class, visit),
                ExprKind::Lambda(function) => blocks(&function.body, visit),
                _ => {}
            });
        }
    });
}

fn class_of<'a>(class: &'a Class, visit: &mut dyn FnMut(&'a Class, Vec<&'a Function>)) {
    let functions = class
        .body
        .stmts
        .iter()
        .filter_map(|stmt| match &stmt.kind {
            StmtKind::Function(function) => Some(&**function),
            _ => None,
        })
        .collect();
    visit(class, functions);
    blocks(&class.body, visit);
}
