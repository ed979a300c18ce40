//! A string being built (template, `+`, variables) taken apart into text and holes.

use super::syntax::{How, Js, bare, field, named, walk};
use crate::scan::ir::At;
use tree_sitter::Node;

/// A piece of the string.
#[derive(Debug, Clone)]
pub(crate) enum Piece<'t> {
    /// Constant text, escapes resolved.
    Text(String),
    /// A value put into it.
    Hole(Node<'t>),
}

/// An operand of the building: a literal, a template, or a value.
#[derive(Debug, Clone)]
pub(crate) struct Operand<'t> {
    /// Its node.
    pub(crate) node: Node<'t>,
    /// Its pieces: one for a literal or a value, any number for a template.
    pub(crate) pieces: Vec<Piece<'t>>,
}

impl<'t> Js<'t> {
    /// The operands of a string expression, in order. `None` when it is not one or has escapes that are not understood.
    pub(crate) fn operands(&self, node: Node<'t>) -> Option<Vec<Operand<'t>>> {
        let mut out = Vec::new();
        self.collect(node, &mut out)?;
        Some(out)
    }

    fn collect(&self, node: Node<'t>, out: &mut Vec<Operand<'t>>) -> Option<()> {
        match node.kind() {
            "string" => {
                let text = self.string(node)?;
                if has_odd_escape(self.text(node)) {
                    return None;
                }
                out.push(Operand { node, pieces: vec![Piece::Text(text)] });
            }
            "template_string" => {
                if has_odd_escape(self.text(node)) {
                    return None;
                }
                out.push(Operand { node, pieces: self.template_pieces(node)? });
            }
            "binary_expression" if field(node, "operator").is_some_and(|op| self.text(op) == "+") => {
                self.collect(field(node, "left")?, out)?;
                self.collect(field(node, "right")?, out)?;
            }
            "parenthesized_expression" if self.is_building(bare(node)) => self.collect(bare(node), out)?,
            _ => out.push(Operand { node, pieces: vec![Piece::Hole(node)] }),
        }
        Some(())
    }

    fn template_pieces(&self, node: Node<'t>) -> Option<Vec<Piece<'t>>> {
        let mut pieces = Vec::new();
        let mut at = node.start_byte() + 1;
        for part in named(node).into_iter().filter(|part| part.kind() == "template_substitution") {
            let text = self.src.get(at..part.start_byte())?;
            if !text.is_empty() {
                pieces.push(Piece::Text(super::syntax::unescape(text)));
            }
            pieces.push(Piece::Hole(*named(part).first()?));
            at = part.end_byte();
        }
        let text = self.src.get(at..node.end_byte().checked_sub(1)?)?;
        if !text.is_empty() {
            pieces.push(Piece::Text(super::syntax::unescape(text)));
        }
        Some(pieces)
    }

    /// Whether the expression itself joins text: a literal, a template or a `+` with one of them in it.
    pub(crate) fn is_building(&self, node: Node<'t>) -> bool {
        let node = bare(node);
        match node.kind() {
            "string" | "template_string" => true,
            "binary_expression" if field(node, "operator").is_some_and(|op| self.text(op) == "+") => {
                [field(node, "left"), field(node, "right")]
                    .into_iter()
                    .flatten()
                    .any(|side| self.is_building(side))
            }
            _ => false,
        }
    }

    /// Whether the expression is the same text whatever a request says: literals, names bound once to them,
    /// a choice between them, a look-up in a constant table.
    pub(crate) fn is_constant(&self, node: Node<'t>) -> bool {
        let seen = self.notes.and_then(|notes| notes.note(At::new(node.start_byte(), node.end_byte())));
        self.constant_within(node, 6) || seen.is_some_and(|seen| seen.constant && !seen.tainted)
    }

    fn constant_within(&self, node: Node<'t>, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let node = bare(node);
        let both = |a: &str, b: &str| {
            [field(node, a), field(node, b)]
                .into_iter()
                .all(|side| side.is_some_and(|side| self.constant_within(side, depth)))
        };
        match node.kind() {
            "string" | "number" | "true" | "false" | "null" | "undefined" => true,
            "template_string" => named(node)
                .into_iter()
                .filter(|part| part.kind() == "template_substitution")
                .all(|part| named(part).first().is_some_and(|hole| self.constant_within(*hole, depth))),
            "ternary_expression" => both("consequence", "alternative"),
            "binary_expression" => match field(node, "operator").map(|op| self.text(op)) {
                Some("+" | "||" | "??" | "-" | "*") => both("left", "right"),
                _ => false,
            },
            "identifier" => self.binding(self.text(node), node).is_some_and(|binding| {
                let once = match binding.how {
                    How::Const => true,
                    How::Let => self.writes(self.text(node), binding.scope).is_empty(),
                    _ => false,
                };
                once && binding.value.is_some_and(|value| self.constant_within(value, depth))
            }),
            "member_expression" | "subscript_expression" => {
                field(node, "object").is_some_and(|table| self.is_constant_table(table, depth))
            }
            _ => false,
        }
    }

    /// An object or array literal of constants, or a name bound to one.
    fn is_constant_table(&self, node: Node<'t>, depth: usize) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let node = bare(node);
        match node.kind() {
            "object" => named(node).into_iter().all(|entry| match entry.kind() {
                "pair" => field(entry, "value")
                    .is_some_and(|v| self.constant_within(v, depth) || self.is_constant_table(v, depth)),
                _ => false,
            }),
            "array" => named(node).into_iter().all(|entry| self.constant_within(entry, depth)),
            "call_expression" if self.text(node).starts_with("Object.freeze(") => {
                self.arguments(node).first().is_some_and(|table| self.is_constant_table(*table, depth))
            }
            "member_expression" | "subscript_expression" => {
                field(node, "object").is_some_and(|table| self.is_constant_table(table, depth))
            }
            "identifier" => self.binding(self.text(node), node).is_some_and(|binding| {
                binding.how == How::Const
                    && self.writes_into(self.text(node), binding.scope)
                    && binding.value.is_some_and(|value| self.is_constant_table(value, depth))
            }),
            _ => false,
        }
    }

    /// Whether no member of `name` is ever assigned.
    fn writes_into(&self, name: &str, scope: Node<'t>) -> bool {
        let mut clean = true;
        walk(scope, &mut |node| {
            if node.kind() == "assignment_expression" {
                let root =
                    field(node, "left").filter(|l| l.kind() != "identifier").map_or("", |l| self.text(l));
                if root.starts_with(name) && root[name.len()..].starts_with(['.', '[']) {
                    clean = false;
                }
            }
        });
        clean
    }

    /// Whether an expression read at `from` has the same value when read at `to`, later in the same run: every name
    /// is visible there as the same declaration and not written in between.
    pub(crate) fn same_value(&self, expression: Node<'t>, to: Node<'t>) -> bool {
        names_in(expression).into_iter().all(|name| {
            let text = self.text(name);
            match (self.binding(text, name), self.binding(text, to)) {
                (Some(here), Some(there)) => {
                    here.ident == there.ident
                        && !self.writes(text, here.scope).iter().any(|write| {
                            write.start_byte() > expression.start_byte() && write.start_byte() < to.end_byte()
                        })
                }
                (None, None) => true,
                _ => false,
            }
        })
    }
}

/// The names an expression reads.
fn names_in(node: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    walk(node, &mut |part| {
        if matches!(part.kind(), "identifier" | "shorthand_property_identifier") {
            out.push(part);
        }
    });
    out
}

fn has_odd_escape(raw: &str) -> bool {
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && !matches!(chars.next(), Some('n' | 't' | 'r' | '\n' | '\\' | '\'' | '"' | '`' | '$'))
        {
            return true;
        }
    }
    false
}
