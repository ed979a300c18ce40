//! Fixes in JavaScript and TypeScript: the fixers by name, and the tree they read.

mod answer;
mod bring;
mod command;
#[cfg(test)]
mod command_tests;
mod data;
mod disclose;
#[cfg(test)]
mod disclose_tests;
mod driver;
mod imports;
mod options;
mod password;
mod password_lookup;
mod password_plan;
mod password_use;
mod path;
#[cfg(test)]
mod path_tests;
mod pieces;
mod secret;
#[cfg(test)]
mod secret_tests;
mod sql;
mod sql_grow;
mod sql_pass;
pub(super) mod sql_place;
mod sql_render;
mod sql_text;
#[cfg(test)]
mod sql_tests;
mod style;
mod syntax;
mod values;
mod wider;
pub(super) mod words;

use super::{Draft, Fixer, Site};
use crate::finding::Tier;
use crate::scan::ir::Language;
use syntax::Js;
use tree_sitter::{Parser, Tree};

/// The fixer of a name in a JavaScript rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    Some(match name {
        "js-sql" => fix_sql,
        "js-command" => fix_command,
        "js-path" => fix_path,
        "js-data" => fix_data,
        "js-disclosure" => fix_disclosure,
        "js-secret" => fix_secret,
        "js-password" => fix_password,
        _ => return wider::named(name),
    })
}

/// The grammar's tree of the site's file.
fn parse(site: &Site<'_>) -> Result<Tree, String> {
    let grammar = match site.file.language() {
        Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
        _ => tree_sitter_javascript::LANGUAGE,
    };
    let mut parser = Parser::new();
    let ready = parser.set_language(&grammar.into()).is_ok();
    let tree = if ready { parser.parse(&*site.file.text, None) } else { None };
    tree.ok_or_else(|| "the file cannot be parsed".to_owned())
}

/// The file as the fixers read it.
fn read<'t>(site: &'t Site<'_>, tree: &'t Tree) -> Js<'t> {
    Js {
        src: &site.file.text,
        root: tree.root_node(),
        notes: Some(site.notes),
        typescript: site.file.language() != Language::JavaScript,
    }
}

fn fix_sql(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let call = js.call_at(site.expr.at.start..site.expr.at.end).ok_or("the call is not found in the tree")?;
    let argument = argument_of(&js, site, call)?;
    let driver = driver::driver_of(&js, site, call)?;
    let edits = sql::bind(&js, call, argument, driver)?;
    Ok(Draft { edits, summary: "Bind the values as query parameters.".into(), ..Draft::default() })
}

fn fix_command(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let call = js.call_at(site.expr.at.start..site.expr.at.end).ok_or("the call is not found in the tree")?;
    let edits = command::unshell(&js, call, &site.callee)?;
    Ok(Draft {
        edits,
        summary: "Run the program with an argument list instead of a shell.".into(),
        ..Draft::default()
    })
}

fn fix_path(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let call = js.call_at(site.expr.at.start..site.expr.at.end).ok_or("the call is not found in the tree")?;
    let argument = argument_of(&js, site, call)?;
    let edits = path::contain(&js, call, argument)?;
    Ok(Draft {
        edits,
        tier: Some(Tier::B),
        summary: "Refuse paths outside the folder the name is joined to.".into(),
        ..Draft::default()
    })
}

/// The argument of the call that the site points at.
fn argument_of<'t>(
    js: &Js<'t>,
    site: &Site<'_>,
    call: tree_sitter::Node<'t>,
) -> Result<tree_sitter::Node<'t>, String> {
    js.arguments(call)
        .into_iter()
        .find(|a| a.start_byte() <= site.argument.at.start && site.argument.at.end <= a.end_byte())
        .ok_or_else(|| "the dangerous value is not an argument of the call".to_owned())
}

fn fix_data(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let call = js.call_at(site.expr.at.start..site.expr.at.end).ok_or("the call is not found in the tree")?;
    let edits = data::parse_data(&js, call, &site.callee)?;
    let by_hand = if site.callee.ends_with("unserialize") {
        "Remove the package from package.json when nothing else uses it. Values stored with functions in them are refused now."
    } else {
        "Clients must send JSON; other JavaScript literals are refused now."
    };
    Ok(Draft {
        edits,
        tier: Some(Tier::B),
        summary: "Parse the text as data instead of running it.".into(),
        by_hand: by_hand.into(),
        ..Draft::default()
    })
}

fn fix_disclosure(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let call = js.call_at(site.expr.at.start..site.expr.at.end).ok_or("the call is not found in the tree")?;
    let edits = disclose::withhold(&js, call, &js.arguments(call))?;
    Ok(Draft {
        edits,
        tier: Some(Tier::B),
        summary: "Log the error on the server and send the client a generic text.".into(),
        ..Draft::default()
    })
}

fn fix_secret(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let node = js
        .node_at(site.argument.at.start..site.argument.at.end)
        .ok_or("the secret is not found in the tree")?;
    let node = if node.kind() == "string_fragment" { node.parent().unwrap_or(node) } else { node };
    let (edits, variable) = secret::from_environment(&js, node)?;
    let example =
        site.project.env_examples.first().map_or_else(String::new, |file| format!(" and name it in {file}"));
    Ok(Draft {
        edits,
        tier: Some(Tier::B),
        summary: format!(
            "Read the secret from the environment variable {variable}; without it the program does not start."
        ),
        by_hand: format!(
            "Rotate the secret: the old one stays in the history. Set {variable} wherever this runs{example}."
        ),
        ..Draft::default()
    })
}

fn fix_password(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let elsewhere = |name: &str| {
        site.project.files.iter().any(|file| {
            file.path != site.file.path
                && file.text.lines().any(|line| {
                    line.contains(&format!("{name}(")) && (line.contains("==") || line.contains("!="))
                })
        })
    };
    let edits = password_plan::slow_down(&js, &|name| site.has_package(name), &elsewhere)?;
    let hashed = site.text(site.expr.at);
    let pepper = if hashed.contains(" + ") || hashed.contains("${") {
        " The pepper or salt that was mixed into the password is no longer used."
    } else {
        ""
    };
    Ok(Draft {
        edits,
        tier: Some(Tier::B),
        summary: "Hash passwords with a slow, salted function and compare in constant time.".into(),
        by_hand: format!(
            "Stored hashes no longer match: let people set a new password, or rehash at their next login.{pepper}"
        ),
        ..Draft::default()
    })
}
