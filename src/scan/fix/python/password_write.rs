//! What is written in place of a weak hash: the framework's own functions, or scrypt from the standard library.

use super::place::newline;
use super::sql_grow::indent_of;
use crate::finding::TextEdit;
use crate::scan::fix::{NewImport, Site, replace};
use crate::scan::ir::{At, ExprKind, Function, StmtKind};

/// What hashes from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hasher {
    /// `werkzeug.security`.
    Werkzeug,
    /// `django.contrib.auth.hashers`.
    Django,
    /// `hashlib.scrypt`.
    Scrypt,
}

/// Names of the two functions.
#[derive(Debug, Clone)]
pub(super) struct Words {
    pub(super) make: String,
    pub(super) check: String,
}

impl Words {
    /// Those of a library; scrypt's are chosen by the caller.
    pub(super) fn of(hasher: Hasher) -> Self {
        let (make, check) = match hasher {
            Hasher::Werkzeug => ("generate_password_hash", "check_password_hash"),
            Hasher::Django => ("make_password", "check_password"),
            Hasher::Scrypt => ("", ""),
        };
        Self { make: make.to_owned(), check: check.to_owned() }
    }

    /// The call that verifies.
    pub(super) fn verify(&self, hasher: Hasher, password: &str, stored: &str) -> String {
        match hasher {
            Hasher::Werkzeug => format!("{}({stored}, {password})", self.check),
            _ => format!("{}({password}, {stored})", self.check),
        }
    }
}

impl Hasher {
    /// What the project already depends on.
    pub(super) fn of(site: &Site<'_>) -> Self {
        if site.file.imports("django") || site.has_package("django") {
            return Hasher::Django;
        }
        let flask = ["flask", "werkzeug"]
            .iter()
            .any(|name| site.has_package(name) || site.project.files.iter().any(|file| file.imports(name)));
        if flask { Hasher::Werkzeug } else { Hasher::Scrypt }
    }

    /// The imports that are needed.
    pub(super) fn imports(self, makes: bool, checks: bool, out: &mut Vec<NewImport>) {
        let mut push = |module: &str, member: Option<&str>| {
            out.push(NewImport { module: module.to_owned(), member: member.map(str::to_owned) });
        };
        match self {
            Hasher::Werkzeug => {
                if checks {
                    push("werkzeug.security", Some("check_password_hash"));
                }
                if makes {
                    push("werkzeug.security", Some("generate_password_hash"));
                }
            }
            Hasher::Django => {
                if checks {
                    push("django.contrib.auth.hashers", Some("check_password"));
                }
                if makes {
                    push("django.contrib.auth.hashers", Some("make_password"));
                }
            }
            Hasher::Scrypt => {
                push("hashlib", None);
                if checks {
                    push("hmac", None);
                }
                if makes {
                    push("secrets", None);
                }
            }
        }
    }

    /// The lines that make a hash.
    pub(super) fn make_lines(password: &str) -> Vec<String> {
        vec![
            "salt = secrets.token_bytes(16)".to_owned(),
            format!(
                "digest = hashlib.scrypt({}.encode(\"utf-8\"), salt=salt, n=2**14, r=8, p=1)",
                grouped(password)
            ),
            "return f\"scrypt${salt.hex()}${digest.hex()}\"".to_owned(),
        ]
    }

    /// The lines that verify one.
    pub(super) fn check_lines(password: &str, stored: &str) -> Vec<String> {
        vec![
            format!("scheme, _, rest = ({stored} or \"\").partition(\"$\")"),
            "salt, _, expected = rest.partition(\"$\")".to_owned(),
            "if scheme != \"scrypt\" or not expected:".to_owned(),
            "    return False".to_owned(),
            format!(
                "digest = hashlib.scrypt({}.encode(\"utf-8\"), salt=bytes.fromhex(salt), n=2**14, r=8, p=1)",
                grouped(password)
            ),
            "return hmac.compare_digest(digest.hex(), expected)".to_owned(),
        ]
    }

    /// A function that makes a hash.
    pub(super) fn make_function(name: &str, nl: &str) -> String {
        function(&format!("def {name}(password):"), &Self::make_lines("password"), nl)
    }

    /// A function that verifies one.
    pub(super) fn check_function(name: &str, nl: &str) -> String {
        function(&format!("def {name}(password, stored):"), &Self::check_lines("password", "stored"), nl)
    }
}

fn function(head: &str, lines: &[String], nl: &str) -> String {
    let body: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
    format!("{head}{nl}{}", body.join(nl))
}

fn grouped(code: &str) -> String {
    let plain = code.chars().all(|letter| letter.is_alphanumeric() || "_.[]\"'".contains(letter));
    if plain || code.ends_with(')') && !code.contains(" + ") { code.to_owned() } else { format!("({code})") }
}

/// An edit that gives a function another body; its docstring stays.
pub(super) fn body_of(site: &Site<'_>, function: &Function, lines: &[String]) -> Result<TextEdit, String> {
    let text = &site.file.text;
    let is_docstring =
        |kind: &StmtKind| matches!(kind, StmtKind::Expr(expr) if matches!(expr.kind, ExprKind::Text(_)));
    let first = function
        .body
        .stmts
        .iter()
        .find(|stmt| !is_docstring(&stmt.kind))
        .ok_or("the function has no body")?;
    let last = function.body.stmts.last().ok_or("the function has no body")?;
    let indent = indent_of(text, first)?;
    let nl = newline(site);
    let body: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let step = if indent.starts_with('\t') { line.replace("    ", "\t") } else { line.clone() };
            if at == 0 { step } else { format!("{indent}{step}") }
        })
        .collect();
    Ok(replace(At::new(first.at.start, last.at.end), body.join(nl)))
}

/// An edit that adds functions: behind the project's own hashing function, or behind the imports.
pub(super) fn functions_at(site: &Site<'_>, beside: Option<&Function>, functions: &[String]) -> TextEdit {
    let text = &site.file.text;
    let nl = newline(site);
    let body = functions.join(&format!("{nl}{nl}{nl}"));
    if let Some(beside) = beside.filter(|function| !function.is_method && is_at_top(site, function)) {
        let at = line_end(text, beside.at.end);
        return replace(At::new(at, at), format!("{nl}{nl}{nl}{body}"));
    }
    let after = site.file.module.body.stmts.iter().rfind(|stmt| matches!(stmt.kind, StmtKind::Import(_)));
    let end = after.map_or(0, |stmt| line_end(text, stmt.at.end));
    // Behind the line's end, so that new imports come before.
    let at = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
    let blank = text[at..].starts_with(['\n', '\r']);
    let gap = if blank { String::new() } else { format!("{nl}{nl}") };
    replace(At::new(at, at), format!("{nl}{nl}{body}{nl}{gap}"))
}

fn is_at_top(site: &Site<'_>, function: &Function) -> bool {
    site.file.module.body.stmts.iter().any(|stmt| match &stmt.kind {
        StmtKind::Function(own) => own.at == function.at,
        _ => false,
    })
}

/// The end of a line, its newline not included.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if text[..end].ends_with('\r') { end - 1 } else { end }
}

/// A statement with its line.
pub(super) fn whole_line(text: &str, at: At) -> At {
    let start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at.end..].find('\n').map_or(text.len(), |newline| at.end + newline + 1);
    At::new(start, end)
}
