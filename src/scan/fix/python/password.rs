//! Weak password hashes in Python: where they are made and where they are compared, changed together.

use super::driver::visit;
use super::password_role::{Role, Use, role_of};
use super::place::{free_name, newline};
use super::sql_grow::indent_of;
use super::template::count_word;
use crate::finding::Tier;
use crate::scan::detect;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Expr, ExprKind, Function, Stmt, StmtKind};
use crate::scan::rules::embedded;

/// What hashes from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hasher {
    Werkzeug,
    Django,
    Scrypt,
}

/// Changes every hash of a password in the file, and every comparison with one.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let file = site
        .project
        .files
        .iter()
        .position(|file| std::ptr::eq(std::ptr::from_ref(&**file), site.file))
        .unwrap_or(0);
    let find = detect::named("python-password").ok_or("the detector is missing")?;
    let rule = embedded()
        .rules
        .iter()
        .find(|rule| rule.id == site.rule.id)
        .ok_or("the rule is not an embedded one")?;
    let found = find(site.project, file, rule);
    if stored_literals(site) {
        return Err("hashes that were made before stand in this file; make new ones by hand".to_owned());
    }
    let mut wrapper: Option<(&Function, String, &Stmt)> = None;
    let mut uses: Vec<Use<'_>> = Vec::new();
    for hash in &found {
        let password = text_of(site, hash.argument)
            .ok_or("the password reaches the digest as bytes, in a way that is not followed")?;
        let digest = digest_around(site, hash.expr.at).ok_or("the digest is fed step by step")?;
        match role_of(site, digest, &hash.functions, password)? {
            Role::Returned(function, stmt) if wrapper.is_none() => {
                let params = function
                    .params
                    .iter()
                    .filter(|param| !matches!(param.name.as_str(), "self" | "cls"))
                    .count();
                if params != 1 {
                    return Err(format!("`{}` takes more than the password", function.name));
                }
                let last = function.body.stmts.last().map(|last| last.at);
                if last != Some(stmt.at) || function.is_method {
                    return Err(format!("`{}` does more than hash", function.name));
                }
                let code = text_of(site, hash.argument).unwrap_or_default();
                wrapper = Some((function, code, stmt));
            }
            Role::Returned(..) => return Err("several functions hash passwords here".to_owned()),
            Role::Used(found) => uses.extend(found),
        }
    }
    if let Some((function, ..)) = wrapper {
        wrapped_uses(site, function, &mut uses)?;
        elsewhere(site, function)?;
    }
    let compares = uses.iter().any(|one| matches!(one, Use::Compared { .. }));
    let stores = wrapper.is_some() || uses.iter().any(|one| matches!(one, Use::Stored { .. }));
    if !compares || !stores {
        return Err(
            "the hash is made and compared in different files; change both sides together by hand".to_owned()
        );
    }
    write(site, wrapper, &uses)
}

fn write(
    site: &Site<'_>,
    wrapper: Option<(&Function, String, &Stmt)>,
    uses: &[Use<'_>],
) -> Result<Draft, String> {
    let hasher = if site.file.imports("django") || site.has_package("django") {
        Hasher::Django
    } else if ["flask", "werkzeug"]
        .iter()
        .any(|name| site.has_package(name) || site.project.files.iter().any(|file| file.imports(name)))
    {
        Hasher::Werkzeug
    } else {
        Hasher::Scrypt
    };
    let mut draft = Draft {
        tier: Some(Tier::B),
        summary: "hashes passwords with a salt and a slow function, and compares them in constant time"
            .to_owned(),
        by_hand:
            "hashes stored before no longer match: reset those passwords, or hash them anew at the next login"
                .to_owned(),
        ..Draft::default()
    };
    let import = |module: &str, member: Option<&str>| NewImport {
        module: module.to_owned(),
        member: member.map(str::to_owned),
    };
    let (make, check) = match hasher {
        Hasher::Werkzeug => {
            draft.imports.push(import("werkzeug.security", Some("check_password_hash")));
            ("generate_password_hash".to_owned(), "check_password_hash".to_owned())
        }
        Hasher::Django => {
            draft.imports.push(import("django.contrib.auth.hashers", Some("check_password")));
            ("make_password".to_owned(), "check_password".to_owned())
        }
        Hasher::Scrypt => {
            for module in ["hashlib", "hmac", "os"] {
                draft.imports.push(import(module, None));
            }
            let make = match wrapper {
                Some((function, ..)) => function.name.clone(),
                None => free_name(site, &["hash_password", "make_password_hash", "new_password_hash"])
                    .ok_or("no free name is left for the function")?,
            };
            let check = free_name(site, &["verify_password", "password_matches", "check_password_hash"])
                .ok_or("no free name is left for the function")?;
            (make, check)
        }
    };
    let mut makes = false;
    for one in uses {
        match one {
            Use::Stored { at, password, wrapped } => {
                if !wrapped {
                    draft.edits.push(replace(*at, format!("{make}({password})")));
                    makes = true;
                }
            }
            Use::Compared { at, stored, password, negated } => {
                let call = match hasher {
                    Hasher::Werkzeug => format!("{check}({stored}, {password})"),
                    _ => format!("{check}({password}, {stored})"),
                };
                draft.edits.push(replace(*at, if *negated { format!("not {call}") } else { call }));
            }
            Use::Dropped { at } => draft.edits.push(replace(whole_line(&site.file.text, *at), "")),
        }
    }
    if let Some((function, password, stmt)) = wrapper {
        wrap(site, hasher, function, &password, stmt, &make, &check, &mut draft)?;
        makes |= hasher != Hasher::Scrypt;
    } else if hasher == Hasher::Scrypt {
        let nl = newline(site);
        let text = format!("{}{nl}{nl}{nl}{}", hash_function(&make, nl), verify_function(&check, nl));
        let after = site.file.module.body.stmts.iter().rfind(|stmt| matches!(stmt.kind, StmtKind::Import(_)));
        let at = after.map_or(0, |stmt| line_end(&site.file.text, stmt.at.end));
        draft.edits.push(replace(At::new(at, at), format!("{nl}{nl}{nl}{text}")));
    }
    if makes {
        match hasher {
            Hasher::Werkzeug => {
                draft.imports.push(import("werkzeug.security", Some("generate_password_hash")));
            }
            Hasher::Django => {
                draft.imports.push(import("django.contrib.auth.hashers", Some("make_password")));
            }
            Hasher::Scrypt => {}
        }
    }
    Ok(draft)
}

#[allow(clippy::too_many_arguments, reason = "one place writes the function that hashes")]
fn wrap(
    site: &Site<'_>,
    hasher: Hasher,
    function: &Function,
    password: &str,
    stmt: &Stmt,
    make: &str,
    check: &str,
    draft: &mut Draft,
) -> Result<(), String> {
    if hasher != Hasher::Scrypt {
        let StmtKind::Return(Some(value)) = &stmt.kind else {
            return Err("the hash is not returned".to_owned());
        };
        draft.edits.push(replace(value.outer, format!("{make}({password})")));
        return Ok(());
    }
    let text = &site.file.text;
    let indent = indent_of(text, stmt)?;
    let nl = newline(site);
    let salt = free_in(function, text, "salt")?;
    let digest = free_in(function, text, "digest")?;
    let body = format!(
        "{salt} = os.urandom(16){nl}{indent}{digest} = hashlib.scrypt({}.encode(\"utf-8\"), salt={salt}, n=2**14, r=8, p=1)\
         {nl}{indent}return f\"scrypt${{{salt}.hex()}}${{{digest}.hex()}}\"",
        grouped(password)
    );
    draft.edits.push(replace(stmt.at, body));
    let at = line_end(text, function.at.end);
    draft.edits.push(replace(At::new(at, at), format!("{nl}{nl}{nl}{}", verify_function(check, nl))));
    Ok(())
}

fn free_in(function: &Function, text: &str, name: &str) -> Result<String, String> {
    if count_word(function.at.of(text), name) == 0 {
        Ok(name.to_owned())
    } else {
        Err(format!("`{name}` means something else in `{}`", function.name))
    }
}

fn grouped(code: &str) -> String {
    let plain = code.chars().all(|letter| letter.is_alphanumeric() || "_.[]\"'".contains(letter));
    if plain || code.ends_with(')') && !code.contains(" + ") { code.to_owned() } else { format!("({code})") }
}

fn hash_function(name: &str, nl: &str) -> String {
    [
        format!("def {name}(password):"),
        "    salt = os.urandom(16)".to_owned(),
        "    digest = hashlib.scrypt(password.encode(\"utf-8\"), salt=salt, n=2**14, r=8, p=1)".to_owned(),
        "    return f\"scrypt${salt.hex()}${digest.hex()}\"".to_owned(),
    ]
    .join(nl)
}

fn verify_function(name: &str, nl: &str) -> String {
    [
        format!("def {name}(password, stored):"),
        "    scheme, _, rest = (stored or \"\").partition(\"$\")".to_owned(),
        "    salt, _, expected = rest.partition(\"$\")".to_owned(),
        "    if scheme != \"scrypt\" or not expected:".to_owned(),
        "        return False".to_owned(),
        "    digest = hashlib.scrypt(password.encode(\"utf-8\"), salt=bytes.fromhex(salt), n=2**14, r=8, p=1)".to_owned(),
        "    return hmac.compare_digest(digest.hex(), expected)".to_owned(),
    ]
    .join(nl)
}

fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if text[..end].ends_with('\r') { end - 1 } else { end }
}

/// A statement with its line.
fn whole_line(text: &str, at: At) -> At {
    let start = text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at.end..].find('\n').map_or(text.len(), |newline| at.end + newline + 1);
    At::new(start, end)
}

/// The password as a text: `password.encode()` gives `password`.
fn text_of(site: &Site<'_>, data: &Expr) -> Option<String> {
    let call = data.as_call()?;
    match &call.callee.kind {
        ExprKind::Member { object, name, .. } if name == "encode" => {
            Some(object.at.of(&site.file.text).to_owned())
        }
        ExprKind::Name(name) if name == "bytes" && call.args.len() == 2 => {
            Some(call.args[0].value.at.of(&site.file.text).to_owned())
        }
        _ => None,
    }
}

/// `….hexdigest()` around a hash.
fn digest_around<'a>(site: &Site<'a>, at: At) -> Option<&'a Expr> {
    let mut found = None;
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let ExprKind::Member { object, name, .. } = &call.callee.kind
            && name == "hexdigest"
            && object.at == at
        {
            found = Some(expr);
        }
    });
    found
}

/// Digests of known length that stand in the file as texts.
fn stored_literals(site: &Site<'_>) -> bool {
    let mut found = false;
    visit(&site.file.module.body, &mut |expr| {
        if let Some(text) = expr.as_text() {
            found |= matches!(text.len(), 32 | 40 | 56 | 64 | 96 | 128)
                && text.chars().all(|letter| letter.is_ascii_hexdigit());
        }
    });
    found
}

/// What becomes of the results of the hashing function in this file.
fn wrapped_uses<'a>(site: &Site<'a>, function: &'a Function, uses: &mut Vec<Use<'a>>) -> Result<(), String> {
    let mut calls: Vec<(&'a Expr, String)> = Vec::new();
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && call.callee.as_name() == Some(&function.name)
            && let Some(arg) = call.args.first()
        {
            calls.push((expr, arg.value.outer.of(&site.file.text).to_owned()));
        }
    });
    for (call, password) in calls {
        let chain = enclosing(site, call.at);
        match role_of(site, call, &chain, password)? {
            Role::Returned(other, _) => {
                return Err(format!("`{}` hands the hash on", other.name));
            }
            Role::Used(found) => uses.extend(found.into_iter().map(Use::of_wrapper)),
        }
    }
    Ok(())
}

/// Other files may store what the function gives, but not compare it.
fn elsewhere(site: &Site<'_>, function: &Function) -> Result<(), String> {
    for file in site.project.files.iter().filter(|file| !std::ptr::eq(&raw const ***file, site.file)) {
        let mut compared = false;
        visit(&file.module.body, &mut |expr| {
            if let ExprKind::Binary { op, left, right } = &expr.kind
                && matches!(op.as_str(), "==" | "!=")
            {
                compared |= [left, right].iter().any(|side| {
                    side.as_call()
                        .and_then(|call| call.callee.dotted())
                        .is_some_and(|name| name.rsplit('.').next() == Some(&function.name))
                });
            }
        });
        if compared {
            return Err(format!("{} compares hashes too; change both sides together by hand", file.path));
        }
    }
    Ok(())
}

/// The functions around a place.
fn enclosing<'a>(site: &Site<'a>, at: At) -> Vec<&'a Function> {
    let mut chain: Vec<&'a Function> = Vec::new();
    let mut blocks = vec![&site.file.module.body];
    while let Some(block) = blocks.pop() {
        block.walk(&mut |stmt| match &stmt.kind {
            StmtKind::Function(function) if function.at.holds(at) => {
                chain.push(function);
                blocks.push(&function.body);
            }
            StmtKind::Class(class) if class.at.holds(at) => blocks.push(&class.body),
            _ => {}
        });
    }
    chain
}
