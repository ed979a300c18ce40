//! A text that is put together, as its pieces in order.

use super::syntax::{Java, bare, field, named};
use tree_sitter::Node;

/// One piece.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'t> {
    /// A literal: its node, its letters as written.
    Text(Node<'t>, &'t str),
    /// Any other expression.
    Value(Node<'t>),
}

impl<'t> Piece<'t> {
    pub(super) fn node(self) -> Node<'t> {
        match self {
            Piece::Text(node, _) | Piece::Value(node) => node,
        }
    }
}

impl<'t> Java<'t> {
    /// The pieces of `a + b + c`; of anything else the thing itself.
    pub(super) fn pieces(&self, node: Node<'t>) -> Vec<Piece<'t>> {
        let mut out = Vec::new();
        self.collect_pieces(node, true, &mut out);
        out
    }

    fn collect_pieces(&self, node: Node<'t>, is_text: bool, out: &mut Vec<Piece<'t>>) {
        let inner = bare(node);
        match inner.kind() {
            "string_literal" => {
                let written = self.text(inner);
                let width = if written.starts_with("\"\"\"") { 3 } else { 1 };
                out.push(Piece::Text(inner, written.get(width..written.len() - width).unwrap_or("")));
            }
            // `1 + 2` in parentheses is a number.
            "binary_expression"
                if field(inner, "operator").is_some_and(|op| self.text(op) == "+")
                    && (is_text || self.type_of(inner) == Some("String")) =>
            {
                let (Some(left), Some(right)) = (field(inner, "left"), field(inner, "right")) else { return };
                self.collect_pieces(left, true, out);
                let nested = right.kind() == "parenthesized_expression";
                self.collect_pieces(right, !nested, out);
            }
            _ => out.push(Piece::Value(inner)),
        }
    }

    /// The literal format and the arguments of `String.format(…)` or `"…".formatted(…)`.
    pub(super) fn format_of(&self, node: Node<'t>) -> Option<(Node<'t>, Vec<Node<'t>>)> {
        let call = bare(node);
        if call.kind() != "method_invocation" {
            return None;
        }
        let object = field(call, "object")?;
        let mut arguments = self.arguments(call);
        match self.name_of(call) {
            "format" if self.text(object) == "String" && !arguments.is_empty() => {
                let format = bare(arguments.remove(0));
                (format.kind() == "string_literal").then_some((format, arguments))
            }
            "formatted" => {
                let format = bare(object);
                (format.kind() == "string_literal").then_some((format, arguments))
            }
            _ => None,
        }
    }

    /// The items of an array: `{a, b}`, `new String[] {a, b}`.
    pub(super) fn items(&self, node: Node<'t>) -> Option<Vec<Node<'t>>> {
        let node = bare(node);
        match node.kind() {
            "array_initializer" => Some(named(node)),
            "array_creation_expression" => field(node, "value").map(named),
            "method_invocation"
                if matches!(self.name_of(node), "asList" | "of")
                    && field(node, "object").is_some_and(|object| {
                        self.text(object).ends_with("Arrays") || self.text(object).ends_with("List")
                    }) =>
            {
                Some(self.arguments(node))
            }
            _ => None,
        }
    }
}
