//! Fixes in Java: the fixers by name, and the tree they read.
#![allow(
    clippy::unused_self,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "steps over the tree read as its methods, and edits are small texts"
)]

mod answer;
mod command;
mod cookie;
mod data;
mod edit;
mod html;
mod imports;
mod path;
mod pieces;
mod random;
mod sql;
mod sql_place;
mod sql_text;
mod syntax;
mod words;
mod xml;

use super::{Draft, Fixer, Site};
use crate::finding::Tier;
use syntax::Java;
use tree_sitter::{Node, Parser, Tree};

/// The fixer of a name in a Java rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    Some(match name {
        "java-sql" => |site| with_call(site, sql::bind),
        "java-jdbc-template" => |site| with_call(site, sql_place::template),
        "java-jpa" => |site| with_call(site, sql_place::query),
        "java-command" => |site| with_call(site, command::unshell),
        "java-path" => |site| with_call(site, path::contain),
        "java-html" => |site| with_call(site, html::encode),
        "java-random" => |site| with_call(site, random::secure),
        "java-cookie" => |site| with_call(site, cookie::flag),
        "java-xml" => |site| with_call(site, xml::harden),
        "java-words" => |site| with_call(site, words::replace_word),
        "java-redirect" => |site| with_call(site, answer::redirect),
        "java-lines" => |site| with_call(site, answer::one_line),
        "java-disclosure" => |site| with_call(site, answer::withhold),
        "java-timing" => |site| with_call(site, words::constant_time),
        "java-temp-file" => |site| with_call(site, words::temp_file),
        "java-filter" => |site| with_call(site, data::filter),
        "java-yaml" => |site| with_call(site, data::safe_yaml),
        "java-secret" => data::environment,
        "java-ldap" => |site| with_call(site, sql_place::filter),
        "java-xpath" => |site| with_call(site, sql_place::variables),
        _ => return None,
    })
}

/// What a fixer looks at.
struct Case<'t, 's> {
    java: Java<'t>,
    site: &'s Site<'s>,
    /// The call (or creation) the finding points at.
    call: Node<'t>,
    /// The dangerous argument.
    argument: Option<Node<'t>>,
}

fn parse(site: &Site<'_>) -> Result<Tree, String> {
    let mut parser = Parser::new();
    let ready = parser.set_language(&tree_sitter_java::LANGUAGE.into()).is_ok();
    let tree = if ready { parser.parse(&site.file.text, None) } else { None };
    tree.ok_or_else(|| "the file cannot be parsed".to_owned())
}

fn with_call(
    site: &Site<'_>,
    fix: impl for<'t, 's> Fn(&Case<'t, 's>) -> Result<Draft, String>,
) -> Result<Draft, String> {
    let tree = parse(site)?;
    let java = Java { src: &site.file.text, root: tree.root_node(), notes: site.notes };
    let call = java.node_at(site.expr.at).ok_or("the call is not found in the tree")?;
    let argument = java.arguments(call).into_iter().find(|argument| {
        argument.start_byte() <= site.argument.at.start && site.argument.at.end <= argument.end_byte()
    });
    let argument = if site.callee == "return" { Some(call) } else { argument };
    fix(&Case { java, site, call, argument })
}

/// A draft that needs nothing but its edits.
fn draft(tier: Tier, summary: &str, edits: Vec<crate::finding::TextEdit>) -> Draft {
    Draft { edits, tier: Some(tier), summary: summary.to_owned(), ..Draft::default() }
}
