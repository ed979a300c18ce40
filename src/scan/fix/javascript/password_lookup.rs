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
    let is_last = match mark.as_str() {
        "?" => !text[mark.end()..].contains('?') && text.matches('?').count() == given.len(),
        numbered => numbered == format!("${}", given.len()) && text.matches(numbered).count() == 1,
    };
    let column = column.as_str().rsplit('.').next().unwrap_or("");
    let upper = text.to_ascii_uppercase();
    let head = upper.find(" FROM ").map_or("", |end| &text[..end]);
    let selected =
        head.contains('*') || head.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|w| w == column);
    if !is_last || !selected || !upper.contains("SELECT") {
        return Err(DATABASE.into());
    }
    let row = row_of(js, query).ok_or(DATABASE)?;
    let (check, present) =
        single_test(js, &row).ok_or("the row that the query gives is not tested in one place")?;
    let start = sql.start_byte();
    let previous = given[place - 1];
    let mut edits = vec![
        TextEdit { start: start + whole.start(), end: start + whole.end(), text: String::new() },
        TextEdit { start: previous.end_byte(), end: asked.end_byte(), text: String::new() },
    ];
    let stored = format!("{}.{column}", row.code);
    let joint = if present { "&&" } else { "||" };
    let both = format!("{} {joint} {}", js.text(check), verified(&stored, present));
    let loose = check.parent().is_some_and(|p| match p.kind() {
        "parenthesized_expression" => true,
        "binary_expression" => field(p, "operator").is_some_and(|sign| js.text(sign) == joint),
        _ => false,
    });
    edits.push(replace(check, if loose { both } else { format!("({both})") }));
    Ok((edits, check))
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

/// A row as the code knows it.
struct Row<'t> {
    /// The expression of the row: `user`, `rows[0]`.
    code: String,
    /// The expression of the list it is in, where it is in one.
    list: Option<String>,
    /// Where it is visible.
    scope: Node<'t>,
}

/// The rows a query gives: the row itself of `get`, the first of a list otherwise.
fn row_of<'t>(js: &Js<'t>, query: Node<'t>) -> Option<Row<'t>> {
    let single = js.callee_name(query) == "get";
    let in_result =
        |name: &str| if js.import("pg").is_empty() { name.to_owned() } else { format!("{name}.rows") };
    let (name, scope) = if let Some(callback) =
        js.arguments(query).last().copied().map(bare).filter(|last| is_function(*last))
    {
        let names = js.parameters(callback);
        let name = names.get(1).copied().filter(|name| !name.is_empty())?;
        (if single { name.to_owned() } else { in_result(name) }, field(callback, "body")?)
    } else {
        let outer = super::password_use::outermost(query);
        let declarator = outer.parent().filter(|p| p.kind() == "variable_declarator")?;
        let pattern = field(declarator, "name")?;
        let (ident, whole) = match pattern.kind() {
            "identifier" => (pattern, true),
            "array_pattern" | "object_pattern" => (*named(pattern).first()?, false),
            _ => return None,
        };
        let scope = js.binding(js.text(ident), ident)?.scope;
        let name = js.text(ident);
        if !whole && pattern.kind() == "object_pattern" && name != "rows" {
            return None;
        }
        (if single || !whole { name.to_owned() } else { in_result(name) }, scope)
    };
    if single {
        return Some(Row { code: name, list: None, scope });
    }
    // `const user = rows[0];`
    let mut taken = None;
    walk(scope, &mut |node| {
        if node.kind() == "variable_declarator"
            && field(node, "value").is_some_and(|value| js.text(value) == format!("{name}[0]"))
        {
            taken = field(node, "name").filter(|n| n.kind() == "identifier");
        }
    });
    if let Some(ident) = taken {
        let row = Row { code: js.text(ident).to_owned(), list: None, scope };
        if single_test(js, &row).is_some() {
            return Some(row);
        }
    }
    Some(Row { code: format!("{name}[0]"), list: Some(name), scope })
}

/// The only place where the row is tested, and whether the test says that it is there.
fn single_test<'t>(js: &Js<'t>, row: &Row<'t>) -> Option<(Node<'t>, bool)> {
    let mut absent = vec![format!("!{}", row.code)];
    let mut present = Vec::new();
    let mut alone = vec![row.code.clone()];
    if let Some(list) = &row.list {
        absent.extend(["===0", "==0", "<1"].map(|test| format!("{list}.length{test}")));
        absent.push(format!("!{list}.length"));
        present
            .extend([">0", ">=1", "===1", "==1", "!==0", "!=0"].map(|test| format!("{list}.length{test}")));
        alone.push(format!("{list}.length"));
    }
    let mut tests = Vec::new();
    walk(row.scope, &mut |node| {
        let written = |node: Node<'_>| js.text(node).split_whitespace().collect::<String>();
        if matches!(node.kind(), "unary_expression" | "binary_expression") && node.byte_range().len() < 120 {
            let text = written(node);
            if absent.contains(&text) {
                tests.push((node, false));
            } else if present.contains(&text) {
                tests.push((node, true));
            }
        }
        if matches!(node.kind(), "if_statement" | "ternary_expression") {
            let condition = field(node, "condition").map(bare).filter(|test| alone.contains(&written(*test)));
            tests.extend(condition.map(|test| (test, true)));
        }
    });
    match tests.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}
