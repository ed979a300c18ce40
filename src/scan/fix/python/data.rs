//! Unsafe deserialisation in Python: safe loaders, JSON where the data are plain.

use super::driver::visit;
use super::place::resolved;
use crate::finding::Tier;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Call, Expr, ExprKind};

/// `yaml.load` with a safe loader.
pub(super) fn fix_yaml(site: &Site<'_>) -> Result<Draft, String> {
    let call = site.expr.as_call().ok_or("the sink is not a call")?;
    let mut draft =
        Draft { summary: "loads plain YAML only, with the safe loader".to_owned(), ..Draft::default() };
    let loader = call.keyword("Loader").or_else(|| call.position(1));
    let all = site.callee.ends_with("load_all");
    let safe = if all { "safe_load_all" } else { "safe_load" };
    match (&call.callee.kind, loader) {
        (ExprKind::Member { object, .. }, Some(loader)) => {
            let module = object.outer.of(&site.file.text);
            draft.edits.push(replace(loader.value.outer, format!("{module}.SafeLoader")));
        }
        (ExprKind::Member { name_at, .. }, None) => draft.edits.push(replace(*name_at, safe)),
        (ExprKind::Name(_), Some(loader)) => {
            draft
                .imports
                .push(NewImport { module: "yaml".to_owned(), member: Some("SafeLoader".to_owned()) });
            draft.edits.push(replace(loader.value.outer, "SafeLoader"));
        }
        (ExprKind::Name(_), None) => {
            draft.imports.push(NewImport { module: "yaml".to_owned(), member: Some(safe.to_owned()) });
            draft.edits.push(replace(call.callee.at, safe));
        }
        _ => return Err("the loader is called in a way that is not followed".to_owned()),
    }
    Ok(draft)
}

/// `pickle` of outside data becomes JSON, on both sides in this file.
pub(super) fn fix_pickle(site: &Site<'_>) -> Result<Draft, String> {
    let mut sites: Vec<(At, &Call, String)> = Vec::new();
    visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let Some(name) = resolved(site, &call.callee)
            && let Some((module, function)) = name.split_once('.')
            && matches!(module, "pickle" | "cPickle" | "_pickle")
        {
            sites.push((expr.at, call, function.to_owned()));
        }
    });
    let mut draft = Draft {
        tier: Some(Tier::B),
        summary: "reads and writes JSON, which holds data only, in place of pickle".to_owned(),
        by_hand: "data that were pickled before cannot be read any more: let clients log in again or convert what is \
                  stored; check that only plain data (texts, numbers, lists, dicts) are kept this way"
            .to_owned(),
        ..Draft::default()
    };
    let text = &site.file.text;
    for (at, call, function) in &sites {
        if !matches!(call.callee.kind, ExprKind::Member { .. }) {
            return Err("pickle's functions are imported by their own names".to_owned());
        }
        match function.as_str() {
            "loads" => {
                let data = call.position(0).ok_or("the data are not the first argument")?;
                draft.edits.push(replace(*at, format!("json.loads({})", data.value.outer.of(text))));
            }
            "load" => {
                let data = call.position(0).ok_or("the file is not the first argument")?;
                draft.edits.push(replace(*at, format!("json.load({})", data.value.outer.of(text))));
            }
            "dumps" => {
                let data = call.position(0).ok_or("the data are not the first argument")?;
                if !is_plain(site, &data.value) {
                    return Err(
                        "what is pickled here is more than plain data, so JSON cannot hold it".to_owned()
                    );
                }
                let code = data.value.outer.of(text);
                draft.edits.push(replace(*at, format!("json.dumps({code}).encode(\"utf-8\")")));
            }
            other => {
                return Err(format!(
                    "`pickle.{other}` is used in this file too, and JSON has no counterpart for it"
                ));
            }
        }
    }
    if used_as_object(site) {
        return Err("the loaded value is used as an object with methods, so JSON cannot hold it".to_owned());
    }
    if draft.edits.is_empty() {
        return Err("the call is made in a way that is not followed".to_owned());
    }
    // Its import is needed no more when every use of it was one of these.
    let import = site.file.module.imports.iter().find(|import| import.local == "pickle");
    let uses = super::template::count_word(text, "pickle");
    let only = import.filter(|import| import.at.of(text) == "import pickle" && uses == sites.len() + 1);
    match only {
        Some(import) if !site.file.imports("json") => draft.edits.push(replace(import.at, "import json")),
        _ => draft.imports.push(NewImport { module: "json".to_owned(), member: None }),
    }
    Ok(draft)
}

fn is_plain(site: &Site<'_>, expr: &Expr) -> bool {
    let set = matches!(&expr.kind, ExprKind::List { kind: crate::scan::ir::ListKind::Set, .. });
    let object = expr.as_call().is_some_and(|call| {
        call.callee.as_name().is_some_and(|name| name.starts_with(|letter: char| letter.is_uppercase()))
    });
    let own = expr.as_name() == Some("self");
    let _ = site;
    !set && !object && !own
}

/// `loaded.method()` or `loaded.field` on what was loaded, dict and list methods apart.
fn used_as_object(site: &Site<'_>) -> bool {
    const PLAIN: &[&str] = &[
        "get",
        "items",
        "keys",
        "values",
        "append",
        "pop",
        "update",
        "setdefault",
        "copy",
        "extend",
        "insert",
        "remove",
        "split",
        "strip",
        "lower",
        "upper",
        "encode",
        "sort",
        "index",
        "count",
        "join",
    ];
    let mut name = None;
    site.scope().walk(&mut |stmt| {
        if let crate::scan::ir::StmtKind::Assign { targets, value, .. } = &stmt.kind
            && value.at == site.expr.at
        {
            name = targets.first().and_then(Expr::as_name);
        }
    });
    let mut found = false;
    site.scope().walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                if let ExprKind::Member { object, name: member, .. } = &inner.kind {
                    let is_loaded = object.at == site.expr.at || (name.is_some() && object.as_name() == name);
                    found |= is_loaded && !PLAIN.contains(&member.as_str());
                }
            });
        }
    });
    found
}
