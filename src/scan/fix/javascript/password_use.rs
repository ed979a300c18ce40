//! What becomes of a password's hash: it is kept, compared, or asked for in a query.

use super::syntax::{How, Js, field, functions_around, statement_of, walk};
use tree_sitter::Node;

/// What becomes of a hash.
pub(crate) enum Use<'t> {
    /// It is kept.
    Stored,
    /// It is among the values of a query that looks for it.
    Asked(Node<'t>),
    /// It is compared: the comparison, the other side, whether equality is asked for.
    Compared(Node<'t>, Node<'t>, bool),
}

/// The node with the parentheses and awaits around it.
pub(crate) fn outermost(node: Node<'_>) -> Node<'_> {
    let mut at = node;
    while let Some(parent) = at
        .parent()
        .filter(|p| matches!(p.kind(), "parenthesized_expression" | "await_expression" | "as_expression"))
    {
        at = parent;
    }
    at
}

/// What becomes of a value that is a hash.
pub(crate) fn judge<'t>(js: &Js<'t>, node: Node<'t>) -> Result<Use<'t>, String> {
    let outer = outermost(node);
    let parent = outer.parent().ok_or("the hash is not used")?;
    if parent.kind() == "binary_expression" {
        let equal = match field(parent, "operator").map_or("", |op| js.text(op)) {
            "===" | "==" => true,
            "!==" | "!=" => false,
            _ => return Err("the hash is mixed with other text".into()),
        };
        let (left, right) = (field(parent, "left"), field(parent, "right"));
        let other = if left == Some(outer) { right } else { left };
        let other = other.ok_or("the hash is compared with nothing")?;
        return Ok(Use::Compared(parent, other, equal));
    }
    if is_looked_up(js, outer) {
        return Ok(Use::Asked(outer));
    }
    match parent.kind() {
        "arguments"
        | "array"
        | "pair"
        | "object"
        | "return_statement"
        | "assignment_expression"
        | "shorthand_property_identifier" => Ok(Use::Stored),
        _ => Err("the hash is used in a way that is not understood".into()),
    }
}

/// Whether a hash is a condition of a query.
fn is_looked_up<'t>(js: &Js<'t>, node: Node<'t>) -> bool {
    let function = functions_around(node).first().map(tree_sitter::Node::id);
    let mut at = node;
    while let Some(parent) = at.parent() {
        if Some(parent.id()) == function || statement_of(at) == Some(at) {
            break;
        }
        at = parent;
    }
    let mut asked = false;
    walk(at, &mut |part| {
        if part.kind() == "call_expression" {
            asked |= matches!(
                js.callee_name(part),
                "findOne"
                    | "find"
                    | "findFirst"
                    | "findUnique"
                    | "findOneBy"
                    | "findAll"
                    | "where"
                    | "countDocuments"
                    | "exists"
            );
        }
        if matches!(part.kind(), "string" | "template_string") {
            let text = js.text(part).trim_start_matches(['\'', '"', '`']).trim_start().to_ascii_uppercase();
            asked |= text.starts_with("SELECT");
        }
        if part.kind() == "identifier" {
            let value = js
                .binding(js.text(part), part)
                .filter(|b| matches!(b.how, How::Const | How::Let))
                .and_then(|b| b.value);
            asked |= value.is_some_and(|value| {
                js.is_building(value)
                    && js
                        .text(value)
                        .trim_start_matches(['\'', '"', '`'])
                        .trim_start()
                        .to_ascii_uppercase()
                        .starts_with("SELECT")
            });
        }
    });
    asked
}

pub(crate) fn is_exported(node: Node<'_>) -> bool {
    let mut at = Some(node);
    while let Some(here) = at {
        match here.kind() {
            "export_statement" | "export_specifier" => return true,
            "assignment_expression" => {
                return field(here, "right")
                    .is_some_and(|right| right.byte_range().contains(&node.start_byte()));
            }
            "call_expression" | "statement_block" => return false,
            _ => at = here.parent(),
        }
    }
    false
}
