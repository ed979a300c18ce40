//! Weak password hashes in Python: where they are made and where they are compared, changed together.

use super::driver::visit;
use super::password_lookup;
use super::password_project::{compared_elsewhere, elsewhere, enclosing, unclear, weak_hashes, wrapped_uses};
use super::password_role::{Role, Use, role_of};
use super::password_text::{Digest, is_salt};
use super::password_write::{Hasher, Words, body_of, functions_at, whole_line};
use super::place::{free_name, newline};
use crate::finding::Tier;
use crate::scan::detect::{Found, is_password};
use crate::scan::fix::{Draft, Site, replace};
use crate::scan::ir::{At, ExprKind, Function, StmtKind};

/// The project's own function that gives the hash.
pub(super) struct Wrapper<'a> {
    /// It.
    pub(super) function: &'a Function,
    /// The password's source inside it.
    pub(super) password: String,
    /// Whether the hash is a part of what it gives.
    pub(super) joined: bool,
}

/// Changes every hash of a password in the file, and every comparison with one.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    if site.callee == "PASSWORD_HASHERS" {
        return Ok(prefer(
            site,
            "\"django.contrib.auth.hashers.PBKDF2PasswordHasher\"",
            "new passwords are hashed with PBKDF2; the weak hashes are still verified and replaced at the next login",
        ));
    }
    if site.callee == "CryptContext" {
        return Ok(prefer(
            site,
            "\"scrypt\"",
            "new passwords are hashed with scrypt; the weak hashes are still verified",
        ));
    }
    let file = site
        .project
        .files
        .iter()
        .position(|file| std::ptr::eq(std::ptr::from_ref(&**file), site.file))
        .unwrap_or(0);
    let mut found: Vec<Found<'_>> = weak_hashes(site, file);
    if !site.callee.starts_with("hashlib.") {
        return Err(
            "the library that makes these hashes has to be told another scheme on both sides".to_owned()
        );
    }
    found.retain(|one| one.callee.starts_with("hashlib."));
    if stored_literals(site) {
        return Err("hashes that were made before stand in this file; make new ones by hand".to_owned());
    }
    add_literals(site, &mut found);
    if let Some(text) = unclear(site, &found) {
        return Err(format!(
            "whether `{text}` hashes a password too is not clear; change all sides together by hand"
        ));
    }
    let mut wrapper: Option<Wrapper<'_>> = None;
    let mut uses: Vec<Use<'_>> = Vec::new();
    let mut seen: Vec<At> = Vec::new();
    for one in &found {
        let digest = Digest::of(site, one)?;
        if seen.contains(&digest.expr.at) {
            continue;
        }
        seen.push(digest.expr.at);
        uses.extend(digest.feeds.iter().map(|at| Use::Dropped { at: *at }));
        match role_of(site, digest.expr, &one.functions, &digest.password)? {
            Role::Returned { function, joined } if wrapper.is_none() => {
                wrapper = Some(Wrapper { function, password: digest.password, joined });
            }
            Role::Returned { .. } => return Err("several functions hash passwords here".to_owned()),
            Role::Used(found) => uses.extend(found),
        }
    }
    if let Some(wrapper) = &wrapper {
        wrapped_uses(site, wrapper, &mut uses)?;
        elsewhere(site, wrapper.function)?;
    }
    let compares = uses.iter().any(|one| matches!(one, Use::Compared { .. } | Use::LookedUp { .. }));
    let stores = wrapper.is_some() || uses.iter().any(|one| matches!(one, Use::Stored { .. }));
    if !stores {
        return Err(
            "the hash is made and compared in different files; change both sides together by hand".to_owned()
        );
    }
    if !compares && compared_elsewhere(site) {
        return Err(
            "the hash is made here and compared in different files; change both sides together by hand"
                .to_owned(),
        );
    }
    write(site, wrapper.as_ref(), &uses, compares)
}

fn write(
    site: &Site<'_>,
    wrapper: Option<&Wrapper<'_>>,
    uses: &[Use<'_>],
    compares: bool,
) -> Result<Draft, String> {
    let hasher = Hasher::of(site);
    let text = &site.file.text;
    let nl = newline(site);
    let mut draft = Draft {
        tier: Some(Tier::B),
        summary: "hashes passwords with a salt and a slow function, and compares them in constant time".to_owned(),
        by_hand: "hashes stored before no longer match: reset those passwords, or hash them anew at the next login; \
                  the column has to hold 170 characters"
            .to_owned(),
        ..Draft::default()
    };
    if !compares {
        draft.by_hand.push_str("; whoever compares these hashes has to verify them with the same library");
    }
    // Functions of two parameters that only compare become the verification themselves.
    let mut verifiers: Vec<(&Function, String, String)> = Vec::new();
    for one in uses {
        if let Use::Compared { function: Some(function), .. } = one
            && let Some((password, stored)) = verifies(function)
            && !verifiers.iter().any(|(known, ..)| known.at == function.at)
            && (hasher == Hasher::Scrypt || wrapper.is_some_and(|wrapper| wrapper.joined))
        {
            verifiers.push((function, password, stored));
        }
    }
    let covered = |at: At| verifiers.iter().any(|(function, ..)| function.at.holds(at));
    let open = uses.iter().any(|one| match one {
        Use::Compared { at, .. } => !covered(*at),
        Use::LookedUp { .. } => true,
        _ => false,
    });
    if wrapper.is_some_and(|wrapper| wrapper.joined) && open {
        return Err(
            "the hash is a part of a longer text, which the new one does not fit; change both sides by hand"
                .to_owned(),
        );
    }
    let own = verifiers
        .iter()
        .find(|(function, ..)| !function.is_method)
        .map(|(function, ..)| function.name.clone());
    let mut words = Words::of(hasher);
    let mut added: Vec<String> = Vec::new();
    let inline_stores = uses.iter().any(|one| matches!(one, Use::Stored { wrapped: false, .. }));
    if hasher == Hasher::Scrypt {
        let top = wrapper.filter(|wrapper| !wrapper.function.is_method && !wrapper.joined);
        words.make = match top {
            Some(wrapper) => wrapper.function.name.clone(),
            None => free_name(site, &["hash_password", "make_password_hash", "new_password_hash"])
                .ok_or("no free name is left for the function")?,
        };
        if inline_stores && top.is_none() {
            added.push(Hasher::make_function(&words.make, nl));
        }
        words.check = match (&own, open) {
            (Some(own), _) => own.clone(),
            (None, false) => String::new(),
            (None, true) => {
                let name = free_name(site, &["verify_password", "password_matches", "check_password_hash"])
                    .ok_or("no free name is left for the function")?;
                added.push(Hasher::check_function(&name, nl));
                name
            }
        };
    }
    let (mut makes, mut checks) = (wrapper.is_some(), !verifiers.is_empty());
    let mut names = Vec::new();
    let mut dropped: Vec<At> = Vec::new();
    let in_body = |at: At| covered(at) || wrapper.is_some_and(|wrapper| wrapper.function.at.holds(at));
    for one in uses {
        match one {
            Use::Stored { at, password, wrapped } => {
                if !wrapped && !in_body(*at) {
                    draft.edits.push(replace(*at, format!("{}({password})", words.make)));
                    makes = true;
                }
            }
            Use::Compared { at, stored, password, negated, may_be_none, .. } => {
                if !in_body(*at) {
                    let guarded = if *may_be_none && hasher != Hasher::Scrypt {
                        format!("{stored} or \"\"")
                    } else {
                        (*stored).to_owned()
                    };
                    let call = words.verify(hasher, password, &guarded);
                    draft.edits.push(replace(*at, if *negated { format!("not {call}") } else { call }));
                    checks = true;
                }
            }
            Use::LookedUp { lookup, password } => {
                let check = |stored: &str| words.verify(hasher, password, stored);
                draft.edits.extend(password_lookup::edits(site, lookup, &check, &mut names)?);
                checks = true;
            }
            Use::Dropped { at } => {
                if !in_body(*at) && !dropped.contains(at) {
                    dropped.push(*at);
                    draft.edits.push(replace(whole_line(text, *at), ""));
                }
            }
        }
    }
    if let Some(wrapper) = wrapper {
        if !is_pure(wrapper.function) {
            return Err(format!("`{}` does more than hash", wrapper.function.name));
        }
        let lines = match hasher {
            Hasher::Scrypt => Hasher::make_lines(&wrapper.password),
            _ => vec![format!("return {}({})", words.make, wrapper.password)],
        };
        draft.edits.push(body_of(site, wrapper.function, &lines)?);
    }
    for (function, password, stored) in &verifiers {
        let lines = match hasher {
            Hasher::Scrypt => Hasher::check_lines(password, stored),
            _ => vec![format!("return {}", words.verify(hasher, password, stored))],
        };
        draft.edits.push(body_of(site, function, &lines)?);
    }
    if !added.is_empty() {
        draft.edits.push(functions_at(site, wrapper.map(|wrapper| wrapper.function), &added));
    }
    hasher.imports(makes, checks, &mut draft.imports);
    Ok(draft)
}

/// Whether a function only computes: assignments, branches and returns with calls of hashing and text functions.
fn is_pure(function: &Function) -> bool {
    const ROOTS: &[&str] =
        &["hashlib", "hmac", "os", "secrets", "base64", "binascii", "random", "uuid", "string", "codecs"];
    const PLAIN: &[&str] = &[
        "str",
        "bytes",
        "len",
        "isinstance",
        "bool",
        "range",
        "bytearray",
        "compare_digest",
        "print",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "new",
        "hexlify",
        "b64encode",
        "b64decode",
        "unhexlify",
    ];
    let mut pure = true;
    let mut returns = 0;
    function.body.walk(&mut |stmt| {
        pure &= matches!(
            stmt.kind,
            StmtKind::Assign { .. }
                | StmtKind::Augment { .. }
                | StmtKind::Expr(_)
                | StmtKind::If { .. }
                | StmtKind::Return(_)
                | StmtKind::Loop { .. }
                | StmtKind::Import(_)
        );
        returns += usize::from(matches!(stmt.kind, StmtKind::Return(Some(_))));
        if let StmtKind::Assign { targets, .. } = &stmt.kind {
            pure &= targets
                .iter()
                .all(|target| !matches!(target.kind, ExprKind::Member { .. } | ExprKind::Index { .. }));
        }
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                let ExprKind::Call(call) = &inner.kind else { return };
                pure &= match &call.callee.kind {
                    ExprKind::Name(name) => {
                        PLAIN.contains(&name.as_str()) || is_password(name) || name.contains("hash")
                    }
                    ExprKind::Member { name, .. } => {
                        let root = call.callee.dotted().unwrap_or_default();
                        let root = root.split('.').next().unwrap_or("");
                        ROOTS.contains(&root)
                            || name.contains("hash")
                            || matches!(
                                name.as_str(),
                                "encode"
                                    | "decode"
                                    | "update"
                                    | "hexdigest"
                                    | "digest"
                                    | "split"
                                    | "partition"
                                    | "strip"
                                    | "hex"
                                    | "join"
                                    | "format"
                                    | "rsplit"
                                    | "lower"
                                    | "upper"
                                    | "rpartition"
                                    | "startswith"
                                    | "fromhex"
                            )
                    }
                    _ => false,
                };
            });
        }
    });
    pure && returns > 0
}

/// The password's and the stored hash's parameter of a function that only compares.
fn verifies(function: &Function) -> Option<(String, String)> {
    let names: Vec<&str> = function
        .params
        .iter()
        .map(|param| param.name.as_str())
        .filter(|name| !matches!(*name, "self" | "cls"))
        .collect();
    let [one, other] = names.as_slice() else { return None };
    let is_stored = |name: &str| {
        ["hash", "stored", "digest", "expected", "saved", "db", "encrypted"]
            .iter()
            .any(|word| name.contains(word))
    };
    let (password, stored) = match (is_stored(one), is_stored(other)) {
        (true, false) => (other, one),
        (false, true) => (one, other),
        _ => return None,
    };
    let mut answers = true;
    function.body.walk(&mut |stmt| {
        if let StmtKind::Return(Some(value)) = &stmt.kind {
            answers &= match &value.kind {
                ExprKind::Bool(_) => true,
                ExprKind::Binary { op, .. } => matches!(op.as_str(), "==" | "!="),
                ExprKind::Call(call) => {
                    call.callee.dotted().is_some_and(|name| name.ends_with("compare_digest"))
                }
                _ => false,
            } && !matches!(&value.kind, ExprKind::Binary { op, .. } if op == "!=");
        }
    });
    (answers && is_pure(function) && !is_salt(stored)).then(|| ((*password).to_owned(), (*stored).to_owned()))
}

/// Passwords that stand in the file and are hashed when it starts: `hashlib.md5(b"…")`.
fn add_literals<'a>(site: &Site<'a>, found: &mut Vec<Found<'a>>) {
    let callees: Vec<String> = found.iter().map(|one| one.callee.clone()).collect();
    let mut more: Vec<Found<'a>> = Vec::new();
    visit(&site.file.module.body, &mut |expr| {
        let ExprKind::Call(call) = &expr.kind else { return };
        let Some(callee) = super::place::resolved(site, &call.callee) else { return };
        let Some(arg) = call.args.first().filter(|_| call.args.len() == 1) else { return };
        let literal = match &arg.value.kind {
            ExprKind::Text(text) => text.is_bytes && !text.has_holes(),
            ExprKind::Call(inner) => matches!(&inner.callee.kind, ExprKind::Member { object, name, .. }
                if name == "encode" && object.as_text().is_some()),
            _ => false,
        };
        if literal && callees.contains(&callee) && !found.iter().any(|one| one.expr.at == expr.at) {
            more.push(Found {
                expr,
                argument: &arg.value,
                functions: enclosing(site, expr.at),
                note: String::new(),
                callee,
            });
        }
    });
    found.extend(more);
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

/// A scheme put in front: the first one hashes, all of them verify.
fn prefer(site: &Site<'_>, slow: &str, summary: &str) -> Draft {
    let text = &site.file.text;
    let at = site.argument.at.start;
    let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let lead = &text[line..at];
    let gap = if lead.trim().is_empty() { format!(",{}{lead}", newline(site)) } else { ", ".to_owned() };
    Draft {
        tier: Some(Tier::B),
        summary: summary.to_owned(),
        by_hand: "accounts that never log in again keep their weak hash: reset those passwords".to_owned(),
        edits: vec![replace(At::new(at, at), format!("{slow}{gap}"))],
        ..Draft::default()
    }
}
