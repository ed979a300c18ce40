//! `rewrite`: the change that a rule of patterns gives as a text, with the pattern's names filled in.

use super::{Draft, NewImport, Site, replace};
use crate::finding::Tier;
use crate::scan::shape;

/// Replaces what the pattern found by the rule's `text`. `import` is a module that the text needs, `member`
/// what is taken from it; `summary`, `by_hand` and `tier` say the rest.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let with = |key: &str| site.spec.with.get(key).map(String::as_str);
    let template = with("text").ok_or("the rule gives no `text` to write")?;
    let bound = shape::bound_at(site.file, site.rule, site.expr)
        .ok_or("`rewrite` needs a rule with `patterns`, and none of them fits here")?;
    let mut text = String::with_capacity(template.len() + 64);
    let mut rest = template.trim_end();
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        let end = after
            .find(|letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'))
            .unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        match bound.iter().find(|(known, _)| known == name) {
            Some((_, expr)) => text.push_str(site.text(expr.outer)),
            None if name.is_empty() => text.push('$'),
            None => return Err(format!("the rule's text names `${name}`, which the pattern does not")),
        }
        rest = tail;
    }
    text.push_str(rest);
    let imports = with("import")
        .map(|module| NewImport { module: module.to_owned(), member: with("member").map(str::to_owned) });
    Ok(Draft {
        edits: vec![replace(site.expr.at, text)],
        imports: imports.into_iter().collect(),
        tier: Some(if with("tier") == Some("A") { Tier::A } else { Tier::B }),
        summary: with("summary").unwrap_or("writes what the rule says instead").to_owned(),
        by_hand: with("by_hand").unwrap_or("").to_owned(),
    })
}
