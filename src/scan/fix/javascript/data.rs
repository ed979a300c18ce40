//! Unsafe deserialisation in JavaScript and TypeScript: text becomes data by a parser, never by running it.

use super::imports::replace;
use super::pieces::Piece;
use super::syntax::{Js, bare, field, named};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The edits that parse instead of run.
///
/// # Errors
/// When it is code that is wanted, or a format no parser is known for.
pub(crate) fn parse_data<'t>(js: &Js<'t>, call: Node<'t>, callee: &str) -> Result<Vec<TextEdit>, String> {
    let last = callee.rsplit('.').next().unwrap_or(callee).trim_end_matches("()");
    match last {
        "unserialize" => {
            let argument = js.arguments(call).first().copied().ok_or("nothing is unserialised")?;
            let mut edits = vec![replace(call, format!("JSON.parse({})", js.text(argument)))];
            edits.extend(drop_import(js, call, "node-serialize"));
            edits.sort_by_key(|edit| (edit.start, edit.end));
            Ok(edits)
        }
        "eval" => {
            let argument = js.arguments(call).first().copied().ok_or("nothing is evaluated")?;
            let value = evaluated(js, argument, call)?;
            Ok(vec![replace(call, format!("JSON.parse({value})"))])
        }
        "Function" => {
            // `new Function('return ' + x)()`: the outer call is the one to replace.
            let outer = call
                .parent()
                .map(|p| if p.kind() == "parenthesized_expression" { p.parent().unwrap_or(p) } else { p })
                .filter(|p| p.kind() == "call_expression" && js.arguments(*p).is_empty())
                .ok_or("the function made from the text is kept for later")?;
            let [argument] = js.arguments(call)[..] else {
                return Err("the function made from the text has parameters".into());
            };
            let value = evaluated(js, argument, call)?;
            Ok(vec![replace(outer, format!("JSON.parse({value})"))])
        }
        "load" | "loadAll" => {
            let arguments = js.arguments(call);
            let options = arguments.get(1).copied().map(bare).filter(|o| o.kind() == "object");
            let options = options.ok_or("the loader's options are made elsewhere")?;
            let entries = named(options);
            let at = entries
                .iter()
                .position(|pair| field(*pair, "key").is_some_and(|key| js.text(key) == "schema"))
                .ok_or("the loader's options name no schema")?;
            let comma = js.src.get(..options.start_byte()).unwrap_or("").trim_end().len().saturating_sub(1);
            Ok(vec![match (entries.len(), entries.get(at + 1)) {
                (1, _) => TextEdit { start: comma, end: options.end_byte(), text: String::new() },
                (_, Some(next)) => {
                    TextEdit { start: entries[at].start_byte(), end: next.start_byte(), text: String::new() }
                }
                (_, None) => TextEdit {
                    start: entries[at - 1].end_byte(),
                    end: entries[at].end_byte(),
                    text: String::new(),
                },
            }])
        }
        _ => Err("the text is run as code; take a data format and its parser instead".into()),
    }
}

/// The value inside `'(' + x + ')'`, or `x` itself where its name says that it is data.
fn evaluated<'t>(js: &Js<'t>, argument: Node<'t>, call: Node<'t>) -> Result<String, String> {
    let code =
        "the text is run as code; take a data format and its parser, or a fixed table of operations, instead";
    let operands = js.operands(bare(argument)).ok_or(code)?;
    let pieces: Vec<Piece<'t>> = operands.into_iter().flat_map(|operand| operand.pieces).collect();
    let mut lead = String::new();
    let mut hole = None;
    let mut tail = String::new();
    for piece in &pieces {
        match (piece, hole) {
            (Piece::Text(text), None) => lead.push_str(text),
            (Piece::Text(text), Some(_)) => tail.push_str(text),
            (Piece::Hole(node), None) => hole = Some(*node),
            (Piece::Hole(_), Some(_)) => return Err(code.into()),
        }
    }
    let hole = hole.ok_or(code)?;
    let lead = lead.trim();
    let lead = lead.strip_prefix("return").unwrap_or(lead).trim();
    let tail = tail.trim().trim_end_matches(';').trim();
    let value = js.text(bare(hole)).to_owned();
    match (lead, tail) {
        ("(", ")") => Ok(value),
        ("", "") if says_data(js, hole, call) => Ok(value),
        _ => Err(code.into()),
    }
}

/// Whether the names around an evaluation speak of data rather than of code.
fn says_data<'t>(js: &Js<'t>, hole: Node<'t>, call: Node<'t>) -> bool {
    let mut around = call;
    while let Some(parent) = around.parent() {
        match parent.kind() {
            "variable_declarator" | "assignment_expression" => {
                around = parent;
                break;
            }
            "parenthesized_expression" | "await_expression" | "call_expression" => around = parent,
            _ => break,
        }
    }
    let target = field(around, "name").or_else(|| field(around, "left")).map_or("", |name| js.text(name));
    let words = format!("{target} {}", js.text(hole)).to_ascii_lowercase();
    let code =
        ["expr", "formula", "calc", "code", "script", "cmd", "command", "math", "equation", "fn", "func"];
    let data = [
        "json",
        "data",
        "payload",
        "serial",
        "prefs",
        "preference",
        "settings",
        "config",
        "profile",
        "cart",
        "state",
    ];
    !code.iter().any(|word| words.contains(word)) && data.iter().any(|word| words.contains(word))
}

/// Removes the import of a module that this call was the only one to use.
fn drop_import<'t>(js: &Js<'t>, call: Node<'t>, module: &str) -> Vec<TextEdit> {
    let Some(whole) = js.import(module).whole else { return Vec::new() };
    for statement in named(js.root) {
        let is_import = match statement.kind() {
            "import_statement" => js.text(statement).contains(module),
            "lexical_declaration" | "variable_declaration" => {
                js.text(statement).contains(module)
                    && named(statement).iter().filter(|c| c.kind() == "variable_declarator").count() == 1
            }
            _ => false,
        };
        if !is_import {
            continue;
        }
        let inside = |node: &Node<'_>, outer: Node<'_>| {
            outer.start_byte() <= node.start_byte() && node.end_byte() <= outer.end_byte()
        };
        let mut others = js.uses(whole, js.root, js.root);
        others.retain(|usage| !inside(usage, statement) && !inside(usage, call));
        if others.is_empty() {
            let end = statement.end_byte();
            let more = js.src.get(end..).unwrap_or("");
            let line = if more.starts_with("\r\n") { 2 } else { usize::from(more.starts_with('\n')) };
            return vec![TextEdit { start: statement.start_byte(), end: end + line, text: String::new() }];
        }
    }
    Vec::new()
}
