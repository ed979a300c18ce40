//! Data: which classes may be read, which tags, and secrets from the environment.

use super::edit::replace;
use super::syntax::{bare, field, simple};
use super::{Case, Java, draft, parse};
use crate::finding::Tier;
use crate::scan::fix::{Draft, Site};

/// `stream.readObject()`: only the class that is asked for.
pub(super) fn filter(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let object = field(case.call, "object").map(bare).filter(|object| object.kind() == "identifier");
    let object = object.ok_or("the stream has no name of its own here")?;
    let mut outer = case.call.parent();
    while outer.is_some_and(|node| node.kind() == "parenthesized_expression") {
        outer = outer.and_then(|node| node.parent());
    }
    let asked = outer.filter(|node| node.kind() == "cast_expression").and_then(|node| field(node, "type"));
    let kind = asked
        .map(|kind| java.text(kind))
        .ok_or("which class is meant is not known here; set a filter by hand")?;
    let name = simple(kind);
    if matches!(name, "Object" | "Serializable" | "List" | "Map" | "Set" | "Collection") {
        return Err("which classes are meant is not known here; set a filter by hand".into());
    }
    let full = full_name(java, kind);
    let mut edits = Vec::new();
    let filter = java.type_name("java.io.ObjectInputFilter", &mut edits);
    let line = format!(
        "{}.setObjectInputFilter({filter}.Config.createFilter(\"{full};java.lang.*;java.util.*;!*\"));",
        java.text(object)
    );
    edits.push(java.before(case.call, &[line])?);
    let mut out = draft(Tier::B, "Read the expected class and nothing else.", edits);
    out.by_hand =
        "Name the other classes that stand in the fields of this one in the filter. Needs Java 9.".into();
    Ok(out)
}

/// The full name of a type as this file sees it.
fn full_name(java: &Java<'_>, kind: &str) -> String {
    let plain = kind.split('<').next().unwrap_or(kind).trim();
    if plain.contains('.') {
        return plain.to_owned();
    }
    let lines = |head: &'static str| {
        let words = java.src.lines().map(str::trim);
        words.filter_map(move |line| line.strip_prefix(head)?.strip_suffix(';').map(str::trim))
    };
    if let Some(full) = lines("import ").find(|full| full.rsplit('.').next() == Some(plain)) {
        return full.to_owned();
    }
    match lines("package ").next() {
        Some(package) => format!("{package}.{plain}"),
        None => plain.to_owned(),
    }
}

/// `new Yaml()`: plain data only.
pub(super) fn safe_yaml(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let object = field(case.call, "object").map(bare).ok_or("the reader is not seen here")?;
    let made = match object.kind() {
        "object_creation_expression" => object,
        "identifier" => java
            .value_of(java.text(object), object)
            .or_else(|| java.field_of(java.text(object), object).and_then(|found| field(found, "value")))
            .map(bare)
            .ok_or("where the reader is made is not seen here")?,
        _ => return Err("where the reader is made is not seen here".into()),
    };
    if made.kind() != "object_creation_expression" || !java.arguments(made).is_empty() {
        return Err("the reader is made with a constructor of its own".into());
    }
    let list = field(made, "arguments").ok_or("the reader has no arguments")?;
    let mut edits = Vec::new();
    let safe = java.type_name("org.yaml.snakeyaml.constructor.SafeConstructor", &mut edits);
    let options = java.type_name("org.yaml.snakeyaml.LoaderOptions", &mut edits);
    edits.push(replace(list, format!("(new {safe}(new {options}()))")));
    let mut out = draft(Tier::B, "Read plain data only.", edits);
    out.by_hand = "With SnakeYAML before 1.32 `SafeConstructor` takes no options.".into();
    Ok(out)
}

/// A secret in the code: from the environment.
pub(super) fn environment(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let java = Java { src: &site.file.text, root: tree.root_node(), notes: site.notes };
    let node = java.node_at(site.argument.at).ok_or("the secret is not found in the tree")?;
    if node.kind() != "string_literal" {
        return Err("the secret is put together; read it from the environment by hand".into());
    }
    if super::syntax::around(node).any(|outer| matches!(outer.kind(), "annotation" | "switch_label")) {
        return Err("an annotation takes constants only; read the secret from the configuration".into());
    }
    let holder = node.parent().ok_or("the secret has no name")?;
    let name = match holder.kind() {
        "variable_declarator" => field(holder, "name").map(|name| java.text(name)),
        "assignment_expression" => {
            field(holder, "left").map(|left| java.text(left).rsplit('.').next().unwrap_or(""))
        }
        _ => None,
    };
    let name = name.ok_or("the secret has no name of its own here; read it from the environment by hand")?;
    let mut variable = String::new();
    let mut low = false;
    for letter in name.chars() {
        if letter.is_uppercase() && low {
            variable.push('_');
        }
        low = letter.is_lowercase() || letter.is_ascii_digit();
        variable.extend(letter.to_uppercase());
    }
    let mut edits = Vec::new();
    let objects = java.type_name("java.util.Objects", &mut edits);
    edits.push(replace(
        node,
        format!("{objects}.requireNonNull(System.getenv(\"{variable}\"), \"{variable} is not set\")"),
    ));
    let mut out = draft(
        Tier::B,
        &format!(
            "Read the secret from the environment variable {variable}; without it the program does not start."
        ),
        edits,
    );
    out.by_hand =
        format!("Rotate the secret: the old one stays in the history. Set {variable} wherever this runs.");
    Ok(out)
}
