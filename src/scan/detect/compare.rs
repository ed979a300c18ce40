//! Secrets compared with `==`, in every language: how long it takes tells how much was right.

use super::Found;
use super::context::last_word;
use super::secret::words;
use crate::scan::ir::{Block, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Comparisons of something a client sends with a key, or with a keyed digest made here.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    if is_test(&source.path) {
        return Vec::new();
    }
    let mut search = Search { source, chain: Vec::new(), found: Vec::new() };
    search.block(&source.module.body);
    search.found
}

pub(super) fn is_test(path: &str) -> bool {
    path.to_lowercase()
        .split(['/', '_', '.', '-'])
        .any(|part| matches!(part, "test" | "tests" | "spec" | "testing"))
}

struct Search<'a> {
    source: &'a SourceFile,
    chain: Vec<&'a Function>,
    found: Vec<Found<'a>>,
}

impl<'a> Search<'a> {
    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Function(function) => self.function(function),
                StmtKind::Class(class) => self.block(&class.body),
                _ => {}
            }
            stmt.exprs().into_iter().for_each(|expr| self.expr(expr));
            stmt.blocks().into_iter().for_each(|inner| self.block(inner));
        }
    }

    fn function(&mut self, function: &'a Function) {
        self.chain.push(function);
        self.block(&function.body);
        self.chain.pop();
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Binary { op, left, right } if matches!(op.as_str(), "==" | "!=" | "===" | "!==") => {
                let known = self.is_known(left) || self.is_known(right);
                if known && is_sent(left) && is_sent(right) {
                    self.found.push(Found {
                        expr,
                        argument: expr,
                        functions: self.chain.clone(),
                        note: "a secret is compared letter by letter".to_owned(),
                        callee: op.clone(),
                    });
                }
            }
            ExprKind::Lambda(function) => self.function(function),
            _ => {}
        }
        expr.children().into_iter().for_each(|child| self.expr(child));
    }

    /// A key of this program, or a keyed digest it has made.
    fn is_known(&self, expr: &'a Expr) -> bool {
        if is_keyed_digest(expr) || is_key(expr) {
            return true;
        }
        let Some(name) = expr.as_name() else { return false };
        let body = self.chain.last().map_or(&self.source.module.body, |function| &function.body);
        let mut digest = false;
        body.walk(&mut |stmt| {
            if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                && targets.iter().any(|target| target.as_name() == Some(name))
            {
                digest |= is_keyed_digest(value) || is_key(value);
            }
        });
        digest
    }
}

/// `hmac.new(…).hexdigest()`, `createHmac(…).update(…).digest('hex')`.
fn is_keyed_digest(expr: &Expr) -> bool {
    let mut keyed = false;
    if let ExprKind::Call(call) = &expr.kind
        && matches!(last_word(&call.callee), Some("hexdigest" | "digest"))
    {
        expr.walk(&mut |inner| {
            if let ExprKind::Call(call) = &inner.kind {
                keyed |= last_word(&call.callee) == Some("createHmac")
                    || call.callee.dotted().is_some_and(|name| name.ends_with("hmac.new"));
            }
        });
    }
    keyed
}

/// `API_KEY`, `settings.WEBHOOK_SECRET`, `os.environ["TOKEN"]`, `process.env.API_KEY`, `app.config["API_KEY"]`.
fn is_key(expr: &Expr) -> bool {
    let name = match &expr.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => name.clone(),
        ExprKind::Index { index, .. } => index.as_text().unwrap_or_default(),
        ExprKind::Call(call) if matches!(last_word(&call.callee), Some("get" | "getenv")) => {
            let reads = call
                .callee
                .dotted()
                .is_some_and(|name| name.ends_with("environ.get") || name.ends_with("getenv"));
            let key = call.position(0).and_then(|arg| arg.value.as_text());
            key.filter(|_| reads).unwrap_or_default()
        }
        _ => return false,
    };
    let upper = name.len() > 3
        && name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_' || letter.is_ascii_digit());
    let words = words(&name.to_lowercase());
    let says = |word: &str| words.iter().any(|known| known == word);
    let Some(last) = words.last() else { return false };
    upper
        && match last.as_str() {
            "secret" | "token" | "signature" | "hmac" | "apikey" => true,
            "key" => ["api", "access", "auth", "secret", "admin"].iter().any(|word| says(word)),
            _ => false,
        }
}

/// Whether a side is a value that is not known beforehand.
fn is_sent(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::Name(_)
            | ExprKind::Member { .. }
            | ExprKind::Index { .. }
            | ExprKind::Call(_)
            | ExprKind::Binary { .. }
            | ExprKind::Text(_)
    ) && expr.as_text().is_none()
}
