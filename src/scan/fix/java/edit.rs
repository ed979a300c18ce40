//! Edits in the style of the file: indentation, line ends, lines before and behind a statement.

use super::syntax::{Java, around, holds_statements, named};
use crate::finding::TextEdit;
use tree_sitter::Node;

pub(super) fn replace(node: Node<'_>, text: impl Into<String>) -> TextEdit {
    TextEdit { start: node.start_byte(), end: node.end_byte(), text: text.into() }
}

pub(super) fn insert(at: usize, text: impl Into<String>) -> TextEdit {
    TextEdit { start: at, end: at, text: text.into() }
}

impl<'t> Java<'t> {
    pub(super) fn line_end(&self) -> &'static str {
        if self.src.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// The blanks a node's line begins with.
    pub(super) fn indent(&self, node: Node<'t>) -> &'t str {
        let start = self.src[..node.start_byte()].rfind('\n').map_or(0, |at| at + 1);
        let line = &self.src[start..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// One step of indentation.
    pub(super) fn unit(&self, node: Node<'t>) -> String {
        let own = self.indent(node);
        let outer = around(node)
            .skip(1)
            .find(|outer| holds_statements(*outer) || outer.kind() == "class_body")
            .and_then(|outer| outer.parent())
            .map_or("", |outer| self.indent(outer));
        match own.strip_prefix(outer) {
            Some(step) if !step.is_empty() && step.len() <= 8 => step.to_owned(),
            _ => "    ".to_owned(),
        }
    }

    /// Lines before the statement of a node. Fails where no statement may stand.
    pub(super) fn before(&self, node: Node<'t>, lines: &[String]) -> Result<TextEdit, String> {
        let statement = self.statement_of(node).ok_or("no statement can be put before the call")?;
        if around(node)
            .take_while(|inner| *inner != statement)
            .any(|inner| inner.kind() == "lambda_expression")
        {
            return Err("the call stands in a lambda without a body of its own".into());
        }
        self.must_begin_line(statement)?;
        let end = self.line_end();
        let indent = self.indent(statement);
        let text: String = lines.iter().map(|line| format!("{line}{end}{indent}")).collect();
        Ok(insert(statement.start_byte(), text))
    }

    /// Lines behind the statement of a node.
    pub(super) fn behind(&self, node: Node<'t>, lines: &[String]) -> Result<TextEdit, String> {
        let statement = self.statement_of(node).ok_or("no statement can be put behind the declaration")?;
        self.must_begin_line(statement)?;
        let end = self.line_end();
        let indent = self.indent(statement);
        let text: String = lines.iter().map(|line| format!("{end}{indent}{line}")).collect();
        Ok(insert(statement.end_byte(), text))
    }

    fn must_begin_line(&self, statement: Node<'t>) -> Result<(), String> {
        if statement.parent().is_some_and(|parent| parent.kind() == "switch_block_statement_group")
            && statement.kind() == "switch_label"
        {
            return Err("the call stands in a case label".into());
        }
        Ok(())
    }

    /// Takes a statement out, with its line.
    pub(super) fn remove(&self, statement: Node<'t>) -> TextEdit {
        let line_start = self.src[..statement.start_byte()].rfind('\n').map_or(0, |at| at + 1);
        let alone = self.src[line_start..statement.start_byte()].trim().is_empty();
        let rest = &self.src[statement.end_byte()..];
        let line_rest = rest.find('\n').map_or(rest.len(), |at| at + 1);
        if alone && rest[..line_rest].trim().is_empty() {
            TextEdit { start: line_start, end: statement.end_byte() + line_rest, text: String::new() }
        } else {
            replace(statement, "")
        }
    }

    /// Whether a method declares that it throws one of these (or everything).
    pub(super) fn throws(&self, method: Node<'t>, kinds: &[&str]) -> bool {
        named(method).into_iter().filter(|child| child.kind() == "throws").flat_map(named).any(|kind| {
            let name = super::syntax::simple(self.text(kind));
            kinds.contains(&name) || matches!(name, "Exception" | "Throwable")
        })
    }

    /// Whether an exception of these kinds may be raised at a place: it is caught around it, or declared.
    pub(super) fn may_raise(&self, node: Node<'t>, kinds: &[&str]) -> bool {
        for outer in around(node) {
            match outer.kind() {
                "lambda_expression" => return false,
                "try_statement" | "try_with_resources_statement" => {
                    let inside = super::syntax::field(outer, "body").is_some_and(|body| {
                        body.start_byte() <= node.start_byte() && node.end_byte() <= body.end_byte()
                    });
                    let caught = named(outer).into_iter().filter(|child| child.kind() == "catch_clause").any(
                        |clause| {
                            let head = self.text(clause).split(')').next().unwrap_or("").to_owned();
                            kinds.iter().chain(&["Exception", "Throwable"]).any(|kind| {
                                head.split(|letter: char| !letter.is_alphanumeric()).any(|word| word == *kind)
                            })
                        },
                    );
                    if inside && caught {
                        return true;
                    }
                }
                "method_declaration" | "constructor_declaration" => return self.throws(outer, kinds),
                _ => {}
            }
        }
        false
    }
}
