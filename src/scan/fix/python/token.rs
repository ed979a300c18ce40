//! Tokens that are verified: key, pinned algorithms, no options that switch it off.

use super::argument::{added, call_of, drafted, dropped};
use super::driver::visit;
use super::helper::is_text;
use super::place::resolved;
use crate::scan::fix::{Draft, Site, replace};
use crate::scan::ir::{At, Call, Expr, ExprKind, ListKind};

/// `jwt.decode` with the check on.
pub(super) fn verify(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let text = &site.file.text;
    let mut draft = drafted(site, "verifies the token with its key and a pinned algorithm");
    let issued = issued(site);
    let mut new: Vec<String> = Vec::new();
    if call.keyword("key").or_else(|| call.position(1)).is_none() {
        let key = issued.as_ref().and_then(|(key, _)| key.clone());
        new.push(key.ok_or("the key that the token is signed with is not at hand here")?);
    }
    let pinned = issued.and_then(|(_, algorithm)| algorithm).unwrap_or_else(|| "\"HS256\"".to_owned());
    match call.keyword("algorithms").or_else(|| call.position(2)) {
        None => new.push(format!("algorithms=[{pinned}]")),
        Some(arg) => {
            if let ExprKind::List { items, kind: ListKind::List | ListKind::Tuple, .. } = &arg.value.kind {
                let good: Vec<&str> = items
                    .iter()
                    .filter(|item| !is_text(item, &["none", "None", "NONE"]))
                    .map(|item| item.outer.of(text))
                    .collect();
                let list = if good.is_empty() { pinned } else { good.join(", ") };
                if good.len() != items.len() {
                    draft.edits.push(replace(arg.value.outer, format!("[{list}]")));
                }
            } else if is_text(&arg.value, &["none", "None", "NONE"]) {
                draft.edits.push(replace(arg.value.outer, format!("[{pinned}]")));
            }
        }
    }
    if let Some(arg) = call.keyword("options").or_else(|| call.position(3)) {
        options(site, call, &arg.value, arg.at, &mut draft)?;
    }
    if let Some(edit) = call.keyword("verify").and_then(|arg| dropped(call, arg)) {
        draft.edits.push(edit);
    }
    if !new.is_empty() {
        // Before the keywords that are there already.
        let behind = call
            .args
            .iter()
            .rev()
            .find(|arg| arg.name.is_none())
            .ok_or("the token is not the first argument")?;
        let place = At::new(behind.at.end, behind.at.end);
        let more = new.join(", ");
        match draft.edits.iter_mut().find(|edit| edit.start == place.start) {
            Some(edit) => edit.text = format!(", {more}{}", edit.text),
            None => draft.edits.push(replace(place, format!(", {more}"))),
        }
    }
    Ok(draft)
}

/// Key and algorithm of the `jwt.encode` in this file.
fn issued(site: &Site<'_>) -> Option<(Option<String>, Option<String>)> {
    let mut found = None;
    let text = &site.file.text;
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && resolved(site, &call.callee).is_some_and(|name| name.ends_with("jwt.encode"))
        {
            let code =
                |arg: Option<&crate::scan::ir::Arg>| arg.map(|arg| arg.value.outer.of(text).to_owned());
            let key = call.keyword("key").or_else(|| call.position(1));
            let shared = key.filter(|arg| is_global(site, &arg.value));
            found = Some((code(shared), code(call.keyword("algorithm").or_else(|| call.position(2)))));
        }
    });
    found
}

fn is_global(site: &Site<'_>, expr: &Expr) -> bool {
    let mut root = expr;
    while let ExprKind::Index { object, .. } | ExprKind::Member { object, .. } = &root.kind {
        root = object;
    }
    let Some(name) = root.as_name() else { return false };
    site.file.import_of(name).is_some()
        || super::template::bindings(&site.file.module.body, name).0.len() == 1
}

/// The options without what switches the check off; the whole argument goes when nothing else is in it.
fn options(site: &Site<'_>, call: &Call, value: &Expr, at: At, draft: &mut Draft) -> Result<(), String> {
    let ExprKind::Map(entries) = &value.kind else {
        return Err("the options are made elsewhere; leave `verify_signature` out there".to_owned());
    };
    let text = &site.file.text;
    let is_off = |key: &str| key.starts_with("verify_signature");
    let kept: Vec<&str> = entries
        .iter()
        .filter(|entry| !entry.key.as_ref().and_then(Expr::as_text).is_some_and(|key| is_off(&key)))
        .map(|entry| entry.at.of(text))
        .collect();
    if kept.len() == entries.len() {
        return Ok(());
    }
    if kept.is_empty() {
        let arg = call.args.iter().find(|arg| arg.at == at).ok_or("the options are not found")?;
        draft.edits.extend(dropped(call, arg));
    } else {
        draft.edits.push(replace(value.outer, format!("{{{}}}", kept.join(", "))));
    }
    Ok(())
}

/// Tokens that expire.
pub(super) fn expiry(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let arg = call.keyword("options").ok_or("the options are made elsewhere")?;
    let ExprKind::Map(entries) = &arg.value.kind else {
        return Err("the options are made elsewhere".to_owned());
    };
    let mut draft = drafted(site, "checks when the token expires");
    let kept: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.key.as_ref().and_then(Expr::as_text).as_deref() != Some("verify_exp"))
        .map(|entry| entry.at.of(&site.file.text))
        .collect();
    if kept.is_empty() {
        draft.edits.extend(dropped(call, arg));
    } else {
        draft.edits.push(replace(arg.value.outer, format!("{{{}}}", kept.join(", "))));
    }
    let _ = added;
    Ok(draft)
}
