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

/// `Arrays.equals(a, b)` as `MessageDigest.isEqual(a, b)`.
pub(super) fn constant_time(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let arguments = java.arguments(case.call);
    if arguments.len() != 2 {
        return Err("parts of arrays are compared; copy them out first".into());
    }
    let other = |kind: &str| kind.ends_with("[]") && kind != "byte[]";
    if arguments.iter().any(|argument| java.type_of(*argument).is_some_and(other)) {
        return Err("the arrays hold no bytes".into());
    }
    let mut edits = Vec::new();
    let kind = java.type_name("java.security.MessageDigest", &mut edits);
    let list = super::syntax::field(case.call, "arguments").map_or("", |list| java.text(list));
    edits.push(replace(case.call, format!("{kind}.isEqual{list}")));
    Ok(draft(Tier::A, "Compare in the same time whatever differs.", edits))
}

/// `File.createTempFile(…)` as `Files.createTempFile(…).toFile()`.
pub(super) fn temp_file(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let arguments: Vec<&str> = java.arguments(case.call).into_iter().map(|node| java.text(node)).collect();
    let mut edits = Vec::new();
    let files = java.type_name("java.nio.file.Files", &mut edits);
    let made = match arguments.as_slice() {
        [prefix, suffix] => format!("{files}.createTempFile({prefix}, {suffix}).toFile()"),
        [prefix, suffix, folder] if *folder != "null" => {
            format!("{files}.createTempFile({folder}.toPath(), {prefix}, {suffix}).toFile()")
        }
        _ => return Err("the folder of the file is not known here".into()),
    };
    edits.push(replace(case.call, made));
    Ok(draft(Tier::A, "Make a file that only its owner can read.", edits))
}
