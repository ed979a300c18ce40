//! Detectors for JavaScript and TypeScript alone: passwords hashed with a fast function.

use super::secret::{name_of, words};
use super::{Detector, Found};
use crate::scan::ir::{Block, Call, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// The detector of a name in a JavaScript rule file.
pub(super) fn named(name: &str) -> Option<Detector> {
    match name {
        "js-password-hash" => Some(find_hashes),
        _ => None,
    }
}

/// Algorithms made to be fast.
const FAST: &[&str] =
    &["md4", "md5", "sha", "sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160", "rmd160"];

/// Packages that are one fast hash.
const PACKAGES: &[&str] =
    &["md5", "sha1", "sha256", "js-md5", "js-sha1", "js-sha256", "js-sha512", "blueimp-md5"];

fn find_hashes<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let given = given_passwords(source);
    let mut search = Search { source, given, found: Vec::new(), chain: Vec::new(), names: Vec::new() };
    search.block(&source.module.body);
    search.found
}

struct Search<'a> {
    source: &'a SourceFile,
    /// Functions of the file that are called with a password.
    given: Vec<String>,
    found: Vec<Found<'a>>,
    chain: Vec<&'a Function>,
    /// What the value of this place is bound to, innermost last; a function's name starts anew.
    names: Vec<String>,
}

impl<'a> Search<'a> {
    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Assign { targets, value, .. } => {
                    let name = targets.first().and_then(name_of).unwrap_or_default();
                    self.named(name, |search| search.expr(value));
                }
                StmtKind::Function(function) => self.function(function, &function.name),
                StmtKind::Class(class) => self.block(&class.body),
                _ => stmt.exprs().into_iter().for_each(|expr| self.expr(expr)),
            }
            stmt.blocks().into_iter().for_each(|inner| self.block(inner));
        }
    }

    fn named(&mut self, name: String, run: impl FnOnce(&mut Self)) {
        self.names.push(name);
        run(self);
        self.names.pop();
    }

    fn function(&mut self, function: &'a Function, name: &str) {
        let outer = std::mem::replace(&mut self.names, vec![name.to_owned()]);
        self.chain.push(function);
        self.block(&function.body);
        self.chain.pop();
        self.names = outer;
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Call(call) => {
                if let Some(password) = self.hashed(call)
                    && (speaks_of_passwords(password, self.source)
                        || self.names.iter().any(|name| is_password_name(name))
                        || self.names.first().is_some_and(|name| self.given.contains(name)))
                {
                    self.found.push(Found {
                        expr,
                        argument: expr,
                        functions: self.chain.clone(),
                        note: "a password is hashed with a fast function".to_owned(),
                        callee: call.callee.dotted().unwrap_or_default(),
                    });
                    return;
                }
            }
            ExprKind::Lambda(function) => {
                let name = self.names.last().cloned().unwrap_or_default();
                self.function(function, &name);
            }
            ExprKind::Class(class) => self.block(&class.body),
            ExprKind::Map(entries) => {
                for entry in entries {
                    let name = entry.key.as_ref().and_then(Expr::as_text).unwrap_or_default();
                    self.named(name, |search| search.expr(&entry.value));
                }
                return;
            }
            _ => {}
        }
        expr.children().into_iter().for_each(|child| self.expr(child));
    }

    /// What a call hashes with a fast function.
    fn hashed(&self, call: &'a Call) -> Option<&'a Expr> {
        let first = |call: &'a Call| call.position(0).map(|arg| &arg.value);
        match &call.callee.kind {
            ExprKind::Member { object, name, .. } if name == "digest" => {
                let (update, create) = chain_of(object, "update")?;
                let (create, _) = chain_of(create, "createHash").or_else(|| {
                    let made = create.as_call()?;
                    (made.callee.as_name()? == "createHash").then_some((made, &made.callee))
                })?;
                let algorithm = first(create)?.as_text()?.to_ascii_lowercase().replace('-', "");
                first(update).filter(|_| FAST.contains(&algorithm.as_str()))
            }
            ExprKind::Member { object, name, .. } if name == "toString" => {
                let inner = object.as_call()?;
                let callee = inner.callee.dotted()?;
                let (library, method) = callee.rsplit_once('.')?;
                let fast =
                    matches!(method, "MD5" | "SHA1" | "SHA256" | "SHA512") && library.contains("rypto");
                first(inner).filter(|_| fast)
            }
            ExprKind::Name(name) => {
                let import = self.source.import_of(name)?;
                first(call).filter(|_| PACKAGES.contains(&import.module.as_str()))
            }
            _ => None,
        }
    }
}

/// Names of functions that are called with something named like a password.
fn given_passwords(source: &SourceFile) -> Vec<String> {
    let mut names = Vec::new();
    each_call(&source.module.body, &mut |call| {
        if let (Some(name), Some(first)) = (call.callee.as_name(), call.position(0))
            && speaks_of_passwords(&first.value, source)
        {
            names.push(name.to_owned());
        }
    });
    names
}

fn each_call<'a>(block: &'a Block, visit: &mut dyn FnMut(&'a Call)) {
    block.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            each_call_in(expr, visit);
        }
        match &stmt.kind {
            StmtKind::Function(function) => each_call(&function.body, visit),
            StmtKind::Class(class) => each_call(&class.body, visit),
            _ => {}
        }
    });
}

fn each_call_in<'a>(expr: &'a Expr, visit: &mut dyn FnMut(&'a Call)) {
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Call(call) => visit(call),
        ExprKind::Lambda(function) => each_call(&function.body, visit),
        _ => {}
    });
}

/// The call `….method(…)` an expression is, and what it is called on.
fn chain_of<'a>(expr: &'a Expr, method: &str) -> Option<(&'a Call, &'a Expr)> {
    let call = expr.as_call()?;
    match &call.callee.kind {
        ExprKind::Member { object, name, .. } if name == method => Some((call, object)),
        _ => None,
    }
}

fn is_password_name(name: &str) -> bool {
    let words = words(name);
    words
        .iter()
        .any(|word| matches!(word.as_str(), "password" | "passwords" | "passwd" | "passphrase" | "pwd"))
        || words.iter().any(|word| word == "pass")
}

fn speaks_of_passwords(expr: &Expr, source: &SourceFile) -> bool {
    expr.at.of(&source.text).split(|c: char| !(c.is_alphanumeric() || c == '_')).any(is_password_name)
}
