//! Parsers of XML that resolve nothing from outside.

use super::argument::{added, call_of, drafted, set_one};
use super::driver::visit;
use super::template::bindings;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{Call, Expr, ExprKind};

/// A parser of its own for a call that has none.
pub(super) fn own_parser(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let value = site.spec.with.get("value").ok_or("the rule gives no parser")?;
    let mut draft = drafted(site, "parses with entities switched off");
    let parser = if let ExprKind::Member { object, .. } = &call.callee.kind {
        format!("{}.{value}", object.outer.of(&site.file.text))
    } else {
        draft
            .imports
            .push(NewImport { module: "lxml.etree".to_owned(), member: Some("XMLParser".to_owned()) });
        value.clone()
    };
    match call.keyword("parser").or_else(|| call.position(1)) {
        Some(arg) => draft.edits.push(replace(arg.value.outer, parser)),
        None => draft.edits.push(added(call, &format!("parser={parser}"))),
    }
    Ok(draft)
}

/// The parser in use, wherever it is made in this file, with entities switched off.
pub(super) fn given_parser(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let given =
        call.keyword("parser").or_else(|| call.position(1)).ok_or("the parser is not written here")?;
    let made = made_by(site, &given.value)
        .ok_or("the parser is made elsewhere; switch `resolve_entities` off there")?;
    let mut draft = drafted(site, "switches entities off on the parser in use");
    let mut new = Vec::new();
    for (name, value) in &site.spec.with {
        match made.keyword(name) {
            Some(_) => draft.edits.extend(set_one(made, name, None, value)?),
            None => new.push(format!("{name}={value}")),
        }
    }
    if !new.is_empty() {
        draft.edits.push(added(made, &new.join(", ")));
    }
    Ok(draft)
}

/// The call that makes what an expression stands for.
fn made_by<'a>(site: &Site<'a>, expr: &'a Expr) -> Option<&'a Call> {
    if let Some(call) = expr.as_call() {
        return Some(call);
    }
    let name = expr.as_name()?;
    [site.scope(), &site.file.module.body].into_iter().find_map(|scope| match bindings(scope, name) {
        (values, 0) if values.len() == 1 => values[0].as_call(),
        _ => None,
    })
}

/// `setFeature(feature_external_ges, True)` turned off.
pub(super) fn feature(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let parser = match call.keyword("parser").or_else(|| call.position(1)) {
        Some(arg) => &arg.value,
        None => match &call.callee.kind {
            ExprKind::Member { object, .. } => object,
            _ => return Err("the parser is not written here".to_owned()),
        },
    };
    let name = parser.as_name().ok_or("the parser is made elsewhere")?;
    let mut draft = drafted(site, "switches external entities off on the parser in use");
    visit(site.scope(), &mut |expr| {
        if let ExprKind::Call(set) = &expr.kind
            && let ExprKind::Member { object, name: method, .. } = &set.callee.kind
            && method == "setFeature"
            && object.as_name() == Some(name)
            && let (Some(feature), Some(flag)) = (set.position(0), set.position(1))
        {
            let written = feature.value.outer.of(&site.file.text);
            let external = written.contains("external_ges") || written.contains("external-general-entities");
            if external && !matches!(flag.value.kind, ExprKind::Bool(false)) {
                draft.edits.push(replace(flag.value.outer, "False"));
            }
        }
    });
    if draft.edits.is_empty() {
        return Err("the feature is switched on elsewhere".to_owned());
    }
    Ok(draft)
}
