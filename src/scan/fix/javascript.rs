//! Fixes in JavaScript and TypeScript: the fixers by name, and the tree they read.

mod imports;
mod pieces;
mod sql;
mod sql_grow;
mod sql_pass;
mod sql_place;
mod sql_render;
mod sql_text;
mod syntax;

use super::{Draft, Fixer, Site};
use crate::scan::ir::Language;
use syntax::Js;
use tree_sitter::{Parser, Tree};

/// The fixer of a name in a JavaScript rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    Some(match name {
        "js-sql" => fix_sql,
        _ => return None,
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
    let tree = if ready { parser.parse(&site.file.text, None) } else { None };
    tree.ok_or_else(|| "the file cannot be parsed".to_owned())
}

/// The file as the fixers read it.
fn read<'t>(site: &'t Site<'_>, tree: &'t Tree) -> Js<'t> {
    Js { src: &site.file.text, root: tree.root_node(), notes: Some(site.notes), typescript: site.file.language() != Language::JavaScript }
}

fn fix_sql(site: &Site<'_>) -> Result<Draft, String> {
    let tree = parse(site)?;
    let js = read(site, &tree);
    let call = js.call_at(site.expr.at.start..site.expr.at.end).ok_or("the call is not found in the tree")?;
    let argument = js
        .arguments(call)
        .into_iter()
        .find(|a| a.start_byte() <= site.argument.at.start && site.argument.at.end <= a.end_byte())
        .ok_or("the SQL text is not an argument of the call")?;
    let driver = sql::driver_of(&js, site, call)?;
    let edits = sql::bind(&js, call, argument, driver)?;
    Ok(Draft { edits, summary: "Bind the values as query parameters.".into(), ..Draft::default() })
}
