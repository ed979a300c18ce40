//! Passwords hashed by a fast digest, in Python.

use super::Found;
use super::secret::words;
use crate::scan::ir::{Block, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Digests that are too fast for passwords, whatever their strength otherwise.
const FAST: &[&str] = &[
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "new", "sha3_256", "sha3_512", "blake2b",
    "blake2s",
];

/// Finds them.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let mut search = Search { file: source, found: Vec::new(), chain: Vec::new() };
    search.block(&source.module.body);
    search.found
}

struct Search<'a> {
    file: &'a SourceFile,
    found: Vec<Found<'a>>,
    chain: Vec<&'a Function>,
}

impl<'a> Search<'a> {
    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            let target = match &stmt.kind {
                StmtKind::Assign { targets, .. } => targets.first().and_then(Expr::dotted),
                _ => None,
            };
            for expr in stmt.exprs() {
                self.expr(expr, target.as_deref());
            }
            match &stmt.kind {
                StmtKind::Function(function) => {
                    self.chain.push(function);
                    self.block(&function.body);
                    self.chain.pop();
                }
                StmtKind::Class(class) => self.block(&class.body),
                _ => {}
            }
            for inner in stmt.blocks() {
                self.block(inner);
            }
        }
    }

    fn expr(&mut self, expr: &'a Expr, target: Option<&str>) {
        if let ExprKind::Call(call) = &expr.kind
            && let Some(callee) = self.resolved(&call.callee)
            && let Some(digest) = callee.strip_prefix("hashlib.")
            && FAST.contains(&digest)
            && call.keyword("usedforsecurity").is_none()
        {
            let data = call.position(usize::from(digest == "new")).map(|arg| &arg.value);
            if let Some(data) = data
                && (speaks_of_password(data) || (is_neutral(data) && self.context(target)))
            {
                self.found.push(Found {
                    expr,
                    argument: data,
                    functions: self.chain.clone(),
                    note: format!("a password is hashed by `{digest}`"),
                    callee,
                });
            }
        }
        if let ExprKind::Lambda(function) = &expr.kind {
            self.chain.push(function);
            self.block(&function.body);
            self.chain.pop();
        }
        for child in expr.children() {
            self.expr(child, target);
        }
    }

    /// Whether the function's or the target's name says that this is a password.
    fn context(&self, target: Option<&str>) -> bool {
        let function = self.chain.last().map(|function| function.name.as_str());
        [function, target].into_iter().flatten().any(is_password)
    }

    fn resolved(&self, callee: &Expr) -> Option<String> {
        let written = callee.dotted()?;
        let (root, rest) =
            written.split_once('.').map_or((written.as_str(), None), |(root, rest)| (root, Some(rest)));
        let import = self.file.import_of(root)?;
        Some(match rest {
            Some(rest) => format!("{}.{rest}", import.dotted()),
            None => import.dotted(),
        })
    }
}

/// Whether a name speaks of a password: `password`, `user_pwd`, `hash_passwd`.
pub(in crate::scan) fn is_password(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| {
        matches!(
            word.as_str(),
            "password"
                | "passwd"
                | "pwd"
                | "passphrase"
                | "passcode"
                | "passw"
                | "pw"
                | "pass"
                | "plaintext"
                | "pswd"
        )
    }) && !words.iter().any(|word| {
        matches!(word.as_str(), "pwned" | "breach" | "breached" | "hibp" | "leaked" | "cache" | "etag")
    })
}

fn speaks_of_password(expr: &Expr) -> bool {
    let mut found = false;
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => found |= is_password(name),
        ExprKind::Index { index, .. } => found |= index.as_text().is_some_and(|key| is_password(&key)),
        ExprKind::Call(call) => {
            found |=
                call.position(0).and_then(|arg| arg.value.as_text()).is_some_and(|key| is_password(&key));
        }
        _ => {}
    });
    found
}

/// Data whose name says nothing: `value.encode()`, `text`.
fn is_neutral(expr: &Expr) -> bool {
    let mut names = Vec::new();
    expr.walk(&mut |inner| names.extend(inner.as_name().map(str::to_lowercase)));
    !names.is_empty()
        && !names.iter().any(|name| {
            ["token", "file", "content", "etag", "url", "key", "email", "body", "chunk", "path"]
                .iter()
                .any(|word| name.contains(word))
        })
}
