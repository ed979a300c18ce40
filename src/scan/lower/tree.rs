//! The grammars, and small steps over their trees.

use crate::scan::ir::{At, Comment, Language};
use tree_sitter::{Node, Parser, Tree};

/// How deep a tree is lowered; deeper parts are left out (a text of a million brackets must not end the run).
pub(super) const MAX_DEPTH: usize = 400;

/// What a comment says that is meant for us.
const MARK: &str = "agent:";

/// Parses a text.
pub(super) fn parse(language: Language, text: &str) -> Option<Tree> {
    let grammar = match language {
        Language::Python => tree_sitter_python::LANGUAGE,
        Language::JavaScript => tree_sitter_javascript::LANGUAGE,
        Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
        Language::Java => tree_sitter_java::LANGUAGE,
    };
    let mut parser = Parser::new();
    parser.set_language(&grammar.into()).ok()?;
    parser.parse(text, None)
}

/// Where a node stands.
pub(super) fn at(node: Node) -> At {
    At::new(node.start_byte(), node.end_byte())
}

/// Its text.
pub(super) fn text_of<'t>(node: Node, text: &'t str) -> &'t str {
    at(node).of(text)
}

/// The child of a field.
pub(super) fn child<'t>(node: Node<'t>, field: &str) -> Option<Node<'t>> {
    node.child_by_field_name(field)
}

/// Named children in order, comments left out.
pub(super) fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|inner| {
            !matches!(
                inner.kind(),
                "comment" | "line_comment" | "block_comment" | "line_continuation" | "html_comment"
            )
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// How many ERROR and MISSING nodes there are, and the comments that speak to us. The tree is walked only where one
/// of them can be.
pub(super) fn errors_and_comments(root: Node, text: &str) -> (usize, Vec<Comment>) {
    let (mut errors, mut comments) = (0, Vec::new());
    if !root.has_error() && !text.contains(MARK) {
        return (errors, comments);
    }
    let mut cursor = root.walk();
    loop {
        let node = cursor.node();
        if node.is_error() || node.is_missing() {
            errors += 1;
        }
        if node.kind().ends_with("comment") && text_of(node, text).contains(MARK) {
            comments.push(Comment { at: at(node), text: text_of(node, text).to_owned() });
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return (errors, comments);
            }
        }
    }
}
