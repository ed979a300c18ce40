//! One word for another: an algorithm, a constant, a flag.

use super::edit::replace;
use super::syntax::bare;
use super::{Case, draft};
use crate::finding::Tier;
use crate::scan::fix::Draft;

/// Replaces a literal argument (`position`, 0 when absent) by `to`, or the method's name by `method`; `hand` says what is left.
pub(super) fn replace_word(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let with = &case.site.spec.with;
    let summary = with.get("summary").map_or("Use the safe form.", String::as_str);
    let mut edits = Vec::new();
    if let Some(to) = with.get("to") {
        let position = with.get("position").and_then(|position| position.parse().ok()).unwrap_or(0usize);
        let arguments = java.arguments(case.call);
        let argument = bare(*arguments.get(position).ok_or("the argument is not found")?);
        let literal = if argument.kind() == "identifier" {
            java.value_of(java.text(argument), argument).map_or(argument, bare)
        } else {
            argument
        };
        if !matches!(literal.kind(), "string_literal" | "true" | "false") {
            return Err("the word is kept elsewhere; change it there".into());
        }
        edits.push(replace(literal, to.clone()));
    }
    if let Some(pairs) = with.get("methods") {
        let name = java.name_of(case.call);
        let to = pairs.split(' ').find_map(|pair| pair.split_once('>').filter(|(from, _)| *from == name));
        let (_, to) = to.ok_or("no safe form of this method is known")?;
        let node = super::syntax::field(case.call, "name").ok_or("the method's name is not found")?;
        edits.push(replace(node, to));
    }
    let mut out = draft(if with.contains_key("hand") { Tier::B } else { Tier::A }, summary, edits);
    out.by_hand = with.get("hand").cloned().unwrap_or_default();
    Ok(out)
}
