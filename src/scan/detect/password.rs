//! Passwords hashed by a fast digest, in Python.

use super::Found;
use super::secret::words;
use crate::scan::ir::{Block, Call, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Digests that are too fast for passwords, whatever their strength otherwise.
const FAST: &[&str] = &[
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "new", "sha3_224", "sha3_256", "sha3_384",
    "sha3_512", "blake2b", "blake2s",
];

/// Schemes of passlib that are fast or not salted.
const WEAK_SCHEMES: &[&str] = &[
    "md5_crypt",
    "apr_md5_crypt",
    "des_crypt",
    "bsdi_crypt",
    "bigcrypt",
    "crypt16",
    "sha1_crypt",
    "ldap_md5",
    "ldap_sha1",
    "ldap_salted_md5",
    "ldap_salted_sha1",
    "ldap_plaintext",
    "hex_md5",
    "hex_sha1",
    "hex_sha256",
    "hex_sha512",
    "lmhash",
    "nthash",
    "mysql323",
    "mysql41",
    "plaintext",
    "roundup_plaintext",
];

/// Finds them.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file) else { return Vec::new() };
    let hashes = ["hashlib", "passlib", "crypt"].iter().any(|module| source.imports(module));
    if !hashes && !source.text.contains("PASSWORD_HASHERS") {
        return Vec::new();
    }
    let asks_breaches = source.text.contains("pwnedpasswords") || source.text.contains("haveibeenpwned");
    let mut search = Search { file: source, found: Vec::new(), chain: Vec::new(), asks_breaches };
    search.hashers();
    search.block(&source.module.body);
    search.found
}

struct Search<'a> {
    file: &'a SourceFile,
    found: Vec<Found<'a>>,
    chain: Vec<&'a Function>,
    asks_breaches: bool,
}

impl<'a> Search<'a> {
    /// Django's list with a fast one in front. One under an `if` is for tests.
    fn hashers(&mut self) {
        if self.file.path.contains("test") {
            return;
        }
        for stmt in &self.file.module.body.stmts {
            if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                && targets.first().and_then(Expr::as_name) == Some("PASSWORD_HASHERS")
                && let ExprKind::List { items, .. } = &value.kind
                && let Some(first) = items.first()
                && first.as_text().is_some_and(|name| {
                    let name = name.rsplit('.').next().unwrap_or("");
                    ["MD5", "SHA1", "Unsalted", "CryptPassword"].iter().any(|weak| name.contains(weak))
                        && !name.contains("PBKDF2")
                })
            {
                self.push(value, first, "PASSWORD_HASHERS".to_owned(), "the first hasher is a fast one");
            }
        }
    }

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
        if let ExprKind::Call(call) = &expr.kind {
            if is_slow(&call.callee) {
                return;
            }
            self.call(expr, call, target);
        }
        if let ExprKind::Lambda(function) = &expr.kind {
            self.chain.push(function);
            self.block(&function.body);
            self.chain.pop();
        }
        // What is compared with a stored password is one.
        if let ExprKind::Binary { op, left, right } = &expr.kind
            && matches!(op.as_str(), "==" | "!=")
        {
            self.expr(left, if speaks_of_password(right) { Some("password") } else { target });
            self.expr(right, if speaks_of_password(left) { Some("password") } else { target });
            return;
        }
        for child in expr.children() {
            self.expr(child, target);
        }
    }

    fn call(&mut self, expr: &'a Expr, call: &'a Call, target: Option<&str>) {
        if let ExprKind::Member { object, name, .. } = &call.callee.kind
            && name == "update"
            && let Some(holder) = object.as_name()
            && let Some(callee) = self.made_by(holder)
            && let Some(data) = call.args.first().map(|arg| &arg.value)
        {
            self.digest(expr, data, callee, target);
            return;
        }
        let Some(callee) = self.resolved(&call.callee) else { return };
        if let Some(data) = digested(&callee, call) {
            self.digest(expr, data, callee, target);
            return;
        }
        let Some(first) = call.args.first().map(|arg| &arg.value) else { return };
        if let Some(scheme) = callee.strip_prefix("passlib.hash.")
            && let Some((scheme, method)) = scheme.split_once('.')
            && WEAK_SCHEMES.contains(&scheme)
            && matches!(method, "hash" | "encrypt" | "verify")
        {
            self.push(expr, first, callee.clone(), "a password is hashed by a weak scheme");
        }
        if callee == "passlib.context.CryptContext" {
            let schemes = call.keyword("schemes").map_or(first, |arg| &arg.value);
            if let ExprKind::List { items, .. } = &schemes.kind
                && let Some(first) = items.first()
                && first.as_text().is_some_and(|scheme| WEAK_SCHEMES.contains(&scheme.as_str()))
                && call.keyword("default").is_none()
            {
                self.push(expr, first, "CryptContext".to_owned(), "the first scheme is a weak one");
            }
        }
        if callee == "crypt.crypt" && call.args.len() == 2 {
            let salt = &call.args[1].value;
            let weak = salt
                .dotted()
                .is_some_and(|name| name.ends_with("METHOD_MD5") || name.ends_with("METHOD_CRYPT"))
                || salt.as_text().is_some_and(|salt| salt.len() == 2 || salt.starts_with("$1$"));
            if weak {
                self.push(expr, first, callee, "a password is hashed by an old crypt");
            }
        }
    }

    fn digest(&mut self, expr: &'a Expr, data: &'a Expr, callee: String, target: Option<&str>) {
        let other = [self.chain.last().map(|function| function.name.as_str()), target];
        let about_other = other.into_iter().flatten().any(|name| {
            words(name).iter().any(|word| {
                matches!(
                    word.as_str(),
                    "cache"
                        | "etag"
                        | "fingerprint"
                        | "checksum"
                        | "pwned"
                        | "breach"
                        | "breached"
                        | "hibp"
                        | "leaked"
                        | "signature"
                        | "strength"
                        | "key"
                        | "kdf"
                        | "derive"
                        | "derived"
                        | "entropy"
                )
            })
        });
        if about_other || self.asks_breaches || target.is_some_and(|target| self.goes_on(target)) {
            return;
        }
        let data_speaks =
            speaks_of_password(data) || data.as_name().is_some_and(|name| self.holds_password(name));
        if data_speaks || (is_neutral(data) && self.context(target)) {
            let name = callee.rsplit('.').next().unwrap_or("").to_owned();
            self.push(expr, data, callee, &format!("a password is hashed by `{name}`"));
        }
    }

    fn push(&mut self, expr: &'a Expr, argument: &'a Expr, callee: String, note: &str) {
        self.found.push(Found {
            expr,
            argument,
            functions: self.chain.clone(),
            note: note.to_owned(),
            callee,
        });
    }

    /// The digest that a name of this scope is: `h = hashlib.md5()`.
    fn made_by(&self, holder: &str) -> Option<String> {
        let value = self.assigned(holder)?;
        let call = value.as_call()?;
        let callee = self.resolved(&call.callee)?;
        let digest = callee.strip_prefix("hashlib.")?;
        (FAST.contains(&digest) && call.keyword("usedforsecurity").is_none()).then_some(callee)
    }

    fn assigned(&self, name: &str) -> Option<&'a Expr> {
        let scope = self.chain.last().map_or(&self.file.module.body, |function| &function.body);
        let mut found = None;
        scope.walk(&mut |stmt| {
            if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                && targets.iter().any(|target| target.as_name() == Some(name))
            {
                found = Some(value);
            }
        });
        found
    }

    /// `data = password.encode()`.
    fn holds_password(&self, name: &str) -> bool {
        self.assigned(name).is_some_and(|value| {
            let encodes = value.as_call().is_some_and(
                |call| matches!(&call.callee.kind, ExprKind::Member { name, .. } if name == "encode"),
            ) || matches!(&value.kind, ExprKind::Binary { op, .. } if op == "+");
            encodes && speaks_of_password(value)
        })
    }

    /// Whether a digest only goes on into a slow hash.
    fn goes_on(&self, target: &str) -> bool {
        let scope = self.chain.last().map_or(&self.file.module.body, |function| &function.body);
        let mut found = false;
        scope.walk(&mut |stmt| {
            for expr in stmt.exprs() {
                expr.walk(&mut |inner| {
                    if let ExprKind::Call(call) = &inner.kind
                        && is_slow(&call.callee)
                    {
                        for arg in &call.args {
                            arg.value.walk(&mut |part| found |= part.as_name() == Some(target));
                        }
                    }
                });
            }
        });
        found
    }

    /// Whether the function's or the target's name says that this is a password.
    fn context(&self, target: Option<&str>) -> bool {
        let hashing = self.chain.last().is_some_and(|function| {
            let words = words(&function.name);
            is_password(&function.name)
                && words.iter().any(|word| {
                    [
                        "hash", "verif", "check", "encr", "make", "set", "encod", "digest", "compar",
                        "match", "valid",
                    ]
                    .iter()
                    .any(|verb| word.starts_with(verb))
                })
                && !words.iter().any(|word| matches!(word.as_str(), "reset" | "token" | "link" | "generate"))
        });
        hashing || target.is_some_and(is_password)
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

/// A slow password hash: what it is given may well be a digest.
fn is_slow(callee: &Expr) -> bool {
    let name = match &callee.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => name.as_str(),
        _ => return false,
    };
    matches!(
        name,
        "hashpw"
            | "checkpw"
            | "pbkdf2_hmac"
            | "scrypt"
            | "generate_password_hash"
            | "check_password_hash"
            | "make_password"
            | "kdf"
            | "derive"
            | "PBKDF2"
            | "hash_secret"
            | "hash_secret_raw"
    )
}

/// Whether a name speaks of a password: `password`, `user_pwd`, `hash_passwd`.
pub(in crate::scan) fn is_password(name: &str) -> bool {
    let words = words(name);
    words.iter().any(|word| {
        matches!(
            word.as_str(),
            "password"
                | "passwords"
                | "passwd"
                | "pwd"
                | "passphrase"
                | "passcode"
                | "passw"
                | "passwrd"
                | "pw"
                | "pass"
                | "plaintext"
                | "pswd"
                | "pword"
                | "userpass"
        )
    }) && !words.iter().any(|word| {
        matches!(
            word.as_str(),
            "pwned" | "breach" | "breached" | "hibp" | "leaked" | "cache" | "etag" | "salt" | "reset"
        )
    })
}

fn speaks_of_password(expr: &Expr) -> bool {
    speaks_of(expr, is_password)
}

/// Whether an expression speaks of a password: by a key, or by a name that `is_named` takes for one.
pub(in crate::scan) fn speaks_of(expr: &Expr, is_named: impl Fn(&str) -> bool) -> bool {
    let mut found = false;
    expr.walk(&mut |inner| match &inner.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => found |= is_named(name),
        ExprKind::Index { index, .. } => found |= index.as_text().is_some_and(|key| is_password(&key)),
        ExprKind::Call(call) => {
            found |=
                call.position(0).and_then(|arg| arg.value.as_text()).is_some_and(|key| is_password(&key));
        }
        _ => {}
    });
    found
}

/// What a fast digest is given.
fn digested<'a>(callee: &str, call: &'a Call) -> Option<&'a Expr> {
    let digest = callee.strip_prefix("hashlib.")?;
    if !FAST.contains(&digest) || call.keyword("usedforsecurity").is_some() {
        return None;
    }
    if digest == "new"
        && call.position(0).and_then(|arg| arg.value.as_text()).is_some_and(|name| name.contains("scrypt"))
    {
        return None;
    }
    call.position(usize::from(digest == "new")).map(|arg| &arg.value)
}

/// Data whose names say nothing: `value.encode()`, `text`.
pub(in crate::scan) fn is_neutral(expr: &Expr) -> bool {
    let mut names = Vec::new();
    expr.walk(&mut |inner| names.extend(inner.as_name().map(str::to_lowercase)));
    !names.is_empty()
        && !names.iter().any(|name| {
            [
                "token", "file", "content", "etag", "url", "key", "email", "body", "chunk", "path", "time",
                "random", "uuid", "secrets", "salt", "urandom",
            ]
            .iter()
            .any(|word| name.contains(word))
                || matches!(name.as_str(), "os" | "now")
        })
}
