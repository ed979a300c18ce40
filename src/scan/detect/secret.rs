//! Hard-coded secrets: literals bound to names that say so, and literals in the shape a provider gives its keys.

use super::Found;
use crate::scan::ir::{Arg, Block, Expr, ExprKind, Function, StmtKind, TextPart};
use crate::scan::project::Project;
use crate::scan::rules::Rule;
use std::sync::LazyLock;

/// Finds them.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let mut search = Search { found: Vec::new(), chain: Vec::new(), bound: None };
    search.block(&source.module.body);
    search.found
}

struct Search<'a> {
    found: Vec<Found<'a>>,
    chain: Vec<&'a Function>,
    /// The name that what is being looked at is bound to.
    bound: Option<String>,
}

impl<'a> Search<'a> {
    fn block(&mut self, block: &'a Block) {
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Assign { targets, value, .. } => {
                    for target in targets {
                        if let Some(name) = name_of(target) {
                            self.check(&name, value);
                        }
                    }
                    self.bound = targets.first().and_then(name_of);
                    self.expr(value);
                    self.bound = None;
                }
                StmtKind::Function(function) => self.function(function),
                StmtKind::Class(class) => self.block(&class.body),
                _ => stmt.exprs().into_iter().for_each(|expr| self.expr(expr)),
            }
            for inner in stmt.blocks() {
                self.block(inner);
            }
        }
    }

    fn function(&mut self, function: &'a Function) {
        for param in &function.params {
            if let Some(default) = &param.default {
                self.check(&param.name, default);
            }
        }
        self.chain.push(function);
        self.block(&function.body);
        self.chain.pop();
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Call(call) => {
                let callee = call.callee.dotted().unwrap_or_default();
                for Arg { name, value, .. } in &call.args {
                    if let Some(name) = name
                        && !is_lookup(&callee)
                    {
                        self.check(name, value);
                    }
                }
                self.key_arguments(&callee, call);
                self.session_secret(&callee, call);
            }
            ExprKind::Map(entries) => {
                for entry in entries {
                    if let Some(key) = entry.key.as_ref().and_then(Expr::as_text) {
                        self.check(&key, &entry.value);
                    }
                }
            }
            ExprKind::Lambda(function) => self.function(function),
            ExprKind::Class(class) => self.block(&class.body),
            ExprKind::Text(_) => self.shaped(expr),
            // A secret as the fallback of an environment look-up is one all the same; `check` sees it by name.
            _ => {}
        }
        for child in expr.children() {
            self.expr(child);
        }
    }

    /// `session({ secret: 'keyboard cat' })`, `cookieParser('keyboard cat')`: a phrase is a secret here too.
    fn session_secret(&mut self, callee: &str, call: &'a crate::scan::ir::Call) {
        let last = callee.rsplit('.').next().unwrap_or(callee).to_lowercase();
        let Some(first) = call.position(0).filter(|_| last.ends_with("session") || last == "cookieparser")
        else {
            return;
        };
        let mut phrases: Vec<&'a Expr> = Vec::new();
        match &first.value.kind {
            ExprKind::Text(_) if last == "cookieparser" => phrases.push(&first.value),
            ExprKind::Map(entries) => {
                for entry in entries {
                    let key = entry.key.as_ref().and_then(Expr::as_text).unwrap_or_default();
                    match &entry.value.kind {
                        ExprKind::Text(_) if key == "secret" => phrases.push(&entry.value),
                        ExprKind::List { items, .. } if matches!(key.as_str(), "keys" | "secret") => {
                            phrases.extend(items);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        for phrase in phrases {
            if constant(phrase).is_some_and(|text| text.len() >= 4 && !is_placeholder(&text)) {
                self.push(phrase, "secret");
            }
        }
    }

    /// `jwt.encode(payload, "secret")`, `hmac.new(b"key", …)`, `app.set('secret', '…')`.
    fn key_arguments(&mut self, callee: &str, call: &'a crate::scan::ir::Call) {
        let position = match callee {
            "hmac.new" | "hmac.digest" => 0,
            "jwt.encode"
            | "jwt.decode"
            | "jwt.sign"
            | "jwt.verify"
            | "jsonwebtoken.sign"
            | "jsonwebtoken.verify"
            | "crypto.createHmac"
            | "createHmac" => 1,
            _ => return,
        };
        if let Some(arg) = call.position(position) {
            self.check("secret_key", &arg.value);
        }
    }

    /// A name and what it is bound to.
    fn check(&mut self, name: &str, value: &'a Expr) {
        if !is_secret_name(name) {
            return;
        }
        let literal = match &value.kind {
            ExprKind::Text(_) => value,
            // `os.environ.get("KEY", "literal")`, `process.env.KEY || "literal"`
            ExprKind::Call(call) if is_lookup(&call.callee.dotted().unwrap_or_default()) => {
                match call.position(1) {
                    Some(arg) => &arg.value,
                    None => return,
                }
            }
            ExprKind::Binary { op, right, .. } if matches!(op.as_str(), "or" | "||" | "??") => right,
            // `"literal".encode()`
            ExprKind::Call(call) => match &call.callee.kind {
                ExprKind::Member { object, name, .. } if name == "encode" && call.args.is_empty() => object,
                _ => return,
            },
            _ => return,
        };
        let Some(text) = constant(literal) else { return };
        if is_secret_text(name, &text) {
            self.push(value, name);
        }
    }

    /// A literal in the shape of a provider's key, whatever it is bound to.
    fn shaped(&mut self, expr: &'a Expr) {
        let Some(text) = constant(expr) else { return };
        if is_provider_shape(&text) && !is_placeholder(&text) {
            let name = self.bound.clone().unwrap_or_else(|| "provider_key".to_owned());
            self.push(expr, &name);
        }
    }

    fn push(&mut self, expr: &'a Expr, name: &str) {
        let inside = |known: &Found<'a>| known.expr.at.holds(expr.at) || expr.at.holds(known.expr.at);
        if self.found.iter().any(inside) {
            return;
        }
        self.found.push(Found {
            expr,
            argument: expr,
            functions: self.chain.clone(),
            note: format!("`{name}` is bound to a literal"),
            callee: name.to_owned(),
        });
    }
}

fn constant(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Text(text) if text.parts.iter().all(|part| matches!(part, TextPart::Literal { .. })) => {
            text.constant()
        }
        _ => None,
    }
}

/// The name a target gives its value: `SECRET_KEY`, `app.secret_key`, `app.config['SECRET_KEY']`.
pub(super) fn name_of(target: &Expr) -> Option<String> {
    match &target.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => Some(name.clone()),
        ExprKind::Index { index, .. } => index.as_text(),
        _ => None,
    }
}

fn is_lookup(callee: &str) -> bool {
    let last = callee.rsplit('.').next().unwrap_or(callee);
    matches!(last, "getenv" | "get" | "env" | "config" | "setdefault" | "getattr" | "str")
}

/// Words a name is split into, lower case: `dbPassword` and `DB_PASSWORD` give `db`, `password`.
pub(in crate::scan) fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut before_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            out.push(String::new());
            before_lower = false;
            continue;
        }
        if letter.is_uppercase() && before_lower {
            out.push(String::new());
        }
        before_lower = letter.is_lowercase() || letter.is_ascii_digit();
        if out.is_empty() {
            out.push(String::new());
        }
        if let Some(word) = out.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    out.retain(|word| !word.is_empty());
    out
}

/// Whether a name speaks of a secret itself, not of something about one (`password_field`, `token_url`).
pub(super) fn is_secret_name(name: &str) -> bool {
    let words = words(name);
    let Some(last) = words.last().map(String::as_str) else { return false };
    let before = words.len().checked_sub(2).map_or("", |at| words[at].as_str());
    match last {
        "password" | "passwd" | "pwd" | "passphrase" | "secret" | "secretkey" | "apikey" | "accesskey"
        | "privatekey" | "authtoken" | "pepper" | "credential" | "credentials" => true,
        "pass" => words.len() > 1,
        "token" => !matches!(
            before,
            "csrf"
                | "next"
                | "page"
                | "input"
                | "output"
                | "continuation"
                | "cancel"
                | "cancellation"
                | "stop"
                | "eos"
                | "bos"
                | "pad"
                | "unk"
        ),
        "key" => matches!(
            before,
            "secret"
                | "api"
                | "private"
                | "signing"
                | "encryption"
                | "jwt"
                | "access"
                | "master"
                | "auth"
                | "hmac"
                | "session"
                | "cookie"
                | "aes"
                | "crypto"
                | "cipher"
                | "fernet"
                | "license"
                | "webhook"
        ),
        _ => false,
    }
}

/// Whether a literal bound to such a name looks like the secret.
fn is_secret_text(name: &str, text: &str) -> bool {
    if is_provider_shape(text) && !is_placeholder(text) {
        return true;
    }
    let length = text.chars().count();
    let letters_ok = text.chars().all(|letter| letter.is_ascii_graphic());
    // Prose, labels with blanks, urls, paths and templates are no secrets.
    if !(4..=512).contains(&length)
        || !letters_ok
        || text.contains("://")
        || text.starts_with(['/', '.', '$', '<', '{'])
    {
        return false;
    }
    if is_placeholder(text) || is_about(text) {
        return false;
    }
    let name_words = words(name);
    // `PASSWORD = "password"`: a field's name, not its value.
    if name_words.join("") == words(text).join("") || name.eq_ignore_ascii_case(text) {
        return false;
    }
    // `ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"`, `token: "nextToken"`: the name of one.
    let last = name_words.last().map_or("", String::as_str);
    if last.starts_with("token") || last.starts_with("credential") {
        let letters = text.chars().all(|letter| letter.is_ascii_alphabetic() || "-_".contains(letter));
        if letters && words(text).last().is_some_and(|word| word == last) {
            return false;
        }
    }
    let password = name_words.iter().any(|word| word.starts_with("pass") || word == "pwd");
    // Keys are not as short as passwords may be; an identifier in a key's place is a setting's name.
    password || length >= 6
}

/// `X-Api-Key`, `access_token`, `Bearer`: words about secrets.
fn is_about(text: &str) -> bool {
    let words = words(text);
    let plain = text
        .chars()
        .all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter == '-' || letter == '.')
        || text.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_' || letter == '-')
        || text.starts_with("X-");
    let about = [
        "x",
        "token",
        "key",
        "password",
        "secret",
        "auth",
        "authorization",
        "bearer",
        "header",
        "field",
        "cookie",
        "session",
        "csrf",
        "input",
        "credentials",
        "api",
        "access",
        "refresh",
        "id",
        "jwt",
        "hash",
        "user",
        "reset",
        "form",
    ];
    plain && words.len() > 1 && words.iter().all(|word| about.contains(&word.as_str()))
        || words.len() == 1 && about.contains(&text.to_lowercase().as_str())
        || matches!(
            text,
            "string" | "str" | "text" | "none" | "null" | "None" | "true" | "false" | "required" | "hidden"
        )
}

/// What people write where a value is to be filled in.
fn is_placeholder(text: &str) -> bool {
    let low = text.to_lowercase();
    let marks = [
        "your",
        "example",
        "placeholder",
        "changeme",
        "change-me",
        "change_me",
        "replace",
        "insert",
        "xxxx",
        "todo",
        "dummy",
        "<",
        "${",
        "{{",
        "%(",
        "****",
        "...",
        "redacted",
        "n/a",
        "fixme",
        "put-",
        "enter-",
        "not-set",
        "unset",
    ];
    // A database on the developer's own machine with the words everybody uses.
    let everyday = ["postgres:postgres@", ":password@", ":secret@", "guest:guest@", "user:pass"];
    marks.iter().chain(&everyday).any(|mark| low.contains(mark))
        || low
            .chars()
            .all(|letter| letter == 'x' || letter == '*' || letter == '-' || letter == '_' || letter == '0')
        || (low.chars().next().is_some_and(|first| low.chars().all(|letter| letter == first)))
}

/// Keys as providers shape them. The shapes are those of the providers' own documentation.
fn is_provider_shape(text: &str) -> bool {
    static SHAPES: LazyLock<Option<regex::RegexSet>> = LazyLock::new(|| {
        regex::RegexSet::new([
            r"^(AKIA|ASIA)[A-Z0-9]{16}$",
            r"^gh[pousr]_[A-Za-z0-9]{36,}$",
            r"^github_pat_[A-Za-z0-9_]{50,}$",
            r"^glpat-[A-Za-z0-9_-]{20,}$",
            r"^xox[abprs]-[A-Za-z0-9-]{10,}$",
            r"^(sk|rk)_live_[A-Za-z0-9]{16,}$",
            r"^sk-[A-Za-z0-9_-]{20,}$",
            r"^AIza[A-Za-z0-9_-]{35}$",
            r"^SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}$",
            r"^npm_[A-Za-z0-9]{36}$",
            r"^pypi-[A-Za-z0-9_-]{50,}$",
            r"^-----BEGIN [A-Z ]*PRIVATE KEY-----",
            r"^[a-z][a-z0-9+]*://[^:/@\s{}$<]+:[^@/\s{}$<]{6,}@[^\s]+$",
        ])
        .ok()
    });
    SHAPES.as_ref().is_some_and(|shapes| shapes.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_about_them() {
        fn check(name: &str, expected: bool) {
            assert_eq!(is_secret_name(name), expected, "{name}");
        }
        for name in [
            "SECRET_KEY",
            "db_password",
            "apiKey",
            "JWT_SECRET",
            "NOTES_SIGNING_KEY",
            "auth_token",
            "DB_PASS",
        ] {
            check(name, true);
        }
        for name in [
            "password_field",
            "token_url",
            "secret_name",
            "key",
            "primary_key",
            "csrf_token",
            "keyboard",
            "bypass",
        ] {
            check(name, false);
        }
    }

    #[test]
    fn placeholders_labels_and_headers_are_no_secrets() {
        fn check(name: &str, text: &str, expected: bool) {
            assert_eq!(is_secret_text(name, text), expected, "{name} = {text}");
        }
        check("SECRET_KEY", "FAKE-9f8a7b6c-canary", true);
        check("password", "hunter2", true);
        check("password", "your-password-here", false);
        check("api_key", "X-Api-Key", false);
        check("password", "Enter your password", false);
        check("password", "password", false);
        check("token", "access_token", false);
        check("secret", "changeme", false);
        check("api_key", "<API_KEY>", false);
    }
}
