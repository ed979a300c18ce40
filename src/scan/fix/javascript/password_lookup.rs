//! A password's hash as a condition of a query: the row is asked for by name alone, the password is checked in code.

use super::imports::replace;
use super::syntax::{How, Js, bare, field, is_function, named, walk};
use crate::finding::TextEdit;
use regex::Regex;
use std::sync::LazyLock;
use tree_sitter::Node;

const DATABASE: &str = "the hash is looked up by the database; fetch the user by name and compare in code";

/// `AND password = ?` at the end of the conditions.
static CONDITION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\s+AND\s+([A-Za-z_][\w.]*)\s*=\s*(\?|\$\d+)").ok());

/// Takes `asked`, a hash among a query's values, out of the query, and puts `verified(stored)` where the row is
/// tested.
///
/// # Errors
/// When the query, its values or the test of its row are not all in sight.
pub(crate) fn check_in_code<'t>(
    js: &Js<'t>,
    asked: Node<'t>,
    verified: &dyn Fn(&str, bool) -> String,
) -> Result<(Vec<TextEdit>, Node<'t>), String> {
    let list = asked.parent().filter(|p| matches!(p.kind(), "array" | "arguments")).ok_or(DATABASE)?;
    let values = named(list);
    let (query, sql) = query_of(js, list).ok_or(DATABASE)?;
    let given = if list.kind() == "array" { values.clone() } else { values_before_callback(&values) };
    let place = given.iter().position(|value| *value == asked).ok_or(DATABASE)?;
    if place + 1 != given.len() || place == 0 {
        return Err(DATABASE.into());
    }
    let text = js.text(sql);
    let found = CONDITION.as_ref().and_then(|pattern| pattern.captures_iter(text).last()).ok_or(DATABASE)?;
    let (Some(whole), Some(column), Some(mark)) = (found.get(0), found.get(1), found.get(2)) else {
        return Err(DATABASE.into());
    };
    let last = match mark.as_str() {
        "?" => !text[mark.end()..].contains('?') && text.matches('?').count() == given.len(),
        numbered => numbered == format!("${}", given.len()) && text.matches(numbered).count() == 1,
    };
    let column = column.as_str().rsplit('.').next().unwrap_or("");
    let upper = text.to_ascii_uppercase();
    let head = upper.find(" FROM ").map_or("", |end| &text[..end]);
    let selected =
        head.contains('*') || head.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|w| w == column);
    if !last || !selected || !upper.contains("SELECT") {
        return Err(DATABASE.into());
    }
    let (row, scope) = row_of(js, query).ok_or(DATABASE)?;
    let test =
        single_test(js, row, scope).ok_or("the row that the query gives is not tested in one place")?;
    let start = sql.start_byte();
    let previous = given[place - 1];
    let mut edits = vec![
        TextEdit { start: start + whole.start(), end: start + whole.end(), text: String::new() },
        TextEdit { start: previous.end_byte(), end: asked.end_byte(), text: String::new() },
    ];
    let stored = format!("{row}.{column}");
    edits.push(if test.kind() == "unary_expression" {
        let both = format!("!{row} || {}", verified(&stored, false));
        let loose = test.parent().is_some_and(|p| match p.kind() {
            "parenthesized_expression" => true,
            "binary_expression" => field(p, "operator").is_some_and(|op| js.text(op) == "||"),
            _ => false,
        });
        replace(test, if loose { both } else { format!("({both})") })
    } else {
        replace(test, format!("{row} && {}", verified(&stored, true)))
    });
    Ok((edits, test))
}

fn values_before_callback<'t>(values: &[Node<'t>]) -> Vec<Node<'t>> {
    values.iter().copied().take_while(|value| !is_function(bare(*value))).collect()
}

/// The call whose result is the row, and the literal of its SQL.
fn query_of<'t>(js: &Js<'t>, list: Node<'t>) -> Option<(Node<'t>, Node<'t>)> {
    let arguments =
        if list.kind() == "array" { list.parent().filter(|p| p.kind() == "arguments")? } else { list };
    let call = arguments.parent().filter(|p| p.kind() == "call_expression")?;
    let sql = if list.kind() == "array" {
        *js.arguments(call).first()?
    } else {
        let prepare = js.receiver(call).filter(|r| js.callee_name(*r) == "prepare")?;
        *js.arguments(prepare).first()?
    };
    let sql = bare(sql);
    let literal = if sql.kind() == "identifier" {
        let binding = js.binding(js.text(sql), sql).filter(|b| b.how == How::Const)?;
        let alone = js.uses(js.text(sql), binding.scope, binding.ident).len() == 1;
        binding.value.map(bare).filter(|_| alone)?
    } else {
        sql
    };
    js.string(literal).map(|_| (call, literal))
}

/// The name of the single row a query gives, and where it is visible.
fn row_of<'t>(js: &Js<'t>, query: Node<'t>) -> Option<(&'t str, Node<'t>)> {
    if let Some(callback) = js.arguments(query).last().copied().map(bare).filter(|last| is_function(*last)) {
        let single = matches!(js.callee_name(query), "get");
        let names = js.parameters(callback);
        let row = names.get(1).copied().filter(|name| single && !name.is_empty())?;
        return field(callback, "body").map(|body| (row, body));
    }
    let outer = super::password_use::outermost(query);
    let declarator = outer.parent().filter(|p| p.kind() == "variable_declarator")?;
    let name =
        field(declarator, "name").filter(|n| n.kind() == "identifier" && js.callee_name(query) == "get")?;
    let binding = js.binding(js.text(name), name)?;
    Some((js.text(name), binding.scope))
}

/// The only place where the row is tested: `!row`, or `row` as a whole condition.
fn single_test<'t>(js: &Js<'t>, row: &str, scope: Node<'t>) -> Option<Node<'t>> {
    let mut tests = Vec::new();
    walk(scope, &mut |node| {
        if node.kind() == "unary_expression" && js.text(node) == format!("!{row}") {
            tests.push(node);
        }
        if matches!(node.kind(), "if_statement" | "ternary_expression") {
            let condition = field(node, "condition").map(bare);
            tests.extend(condition.filter(|test| test.kind() == "identifier" && js.text(*test) == row));
        }
    });
    match tests.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
