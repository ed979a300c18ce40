//! Bringing a name of a module into a JavaScript or TypeScript file, in the file's own way.

use super::syntax::{Js, bare, field, named, walk};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// How a module is already known to a file.
#[derive(Debug, Default)]
pub(crate) struct Import<'t> {
    /// Local name of the whole module.
    pub(crate) whole: Option<&'t str>,
    /// (exported name, local name) of single members.
    pub(crate) members: Vec<(&'t str, &'t str)>,
    /// The pattern or `{…}` list of the members, to be extended.
    list: Option<Node<'t>>,
}

impl Import<'_> {
    /// Whether the file does not know the module.
    pub(crate) fn is_empty(&self) -> bool {
        self.whole.is_none() && self.members.is_empty() && self.list.is_none()
    }
}

/// A name to write, and the edits that make it known.
#[derive(Debug)]
pub(crate) struct Reached {
    /// The expression that stands for the member or the module.
    pub(crate) name: String,
    /// Edits of the import section; empty when nothing is to be done.
    pub(crate) edits: Vec<TextEdit>,
}

/// The module a `require("x")` names, without `node:`.
pub(crate) fn required<'t>(js: &Js<'t>, node: Node<'t>) -> Option<&'t str> {
    let node = bare(node);
    if node.kind() == "await_expression" {
        return required(js, *named(node).first()?);
    }
    let function = field(node, "function").filter(|_| node.kind() == "call_expression")?;
    if !matches!(js.text(function), "require" | "import") {
        return None;
    }
    let argument = js.arguments(node).into_iter().next().filter(|a| a.kind() == "string")?;
    Some(plain_module(js.text(argument)))
}

fn plain_module(quoted: &str) -> &str {
    let name = quoted.trim_matches(|c| c == '\'' || c == '"');
    name.strip_prefix("node:").unwrap_or(name)
}

impl<'t> Js<'t> {
    /// How the file knows `module`.
    pub(crate) fn import(&self, module: &str) -> Import<'t> {
        let mut found = Import::default();
        for statement in named(self.root) {
            match statement.kind() {
                "import_statement" => self.read_import(statement, module, &mut found),
                "lexical_declaration" | "variable_declaration" => {
                    for declarator in named(statement) {
                        self.read_require(declarator, module, &mut found);
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn read_import(&self, statement: Node<'t>, module: &str, found: &mut Import<'t>) {
        let mut source = field(statement, "source");
        walk(statement, &mut |node| {
            if node.kind() == "import_require_clause" {
                source = field(node, "source");
            }
        });
        if source.is_none_or(|s| plain_module(self.text(s)) != module)
            || self.text(statement).starts_with("import type")
        {
            return;
        }
        walk(statement, &mut |node| match node.kind() {
            "import_clause" | "namespace_import" | "import_require_clause" => {
                if let Some(ident) = named(node).into_iter().find(|child| child.kind() == "identifier") {
                    found.whole = Some(self.text(ident));
                }
            }
            "named_imports" => found.list = Some(node),
            "import_specifier" => {
                if let Some(name) = field(node, "name") {
                    let local = field(node, "alias").unwrap_or(name);
                    if self.text(name) == "default" {
                        found.whole = Some(self.text(local));
                    }
                    found.members.push((self.text(name), self.text(local)));
                }
            }
            _ => {}
        });
    }

    fn read_require(&self, declarator: Node<'t>, module: &str, found: &mut Import<'t>) {
        let (Some(name), Some(value)) = (field(declarator, "name"), field(declarator, "value")) else {
            return;
        };
        if value.kind() == "member_expression" {
            let of = field(value, "object").and_then(|object| required(self, object));
            if let (true, Some(member)) = (of == Some(module), field(value, "property")) {
                found.members.push((self.text(member), self.text(name)));
            }
            return;
        }
        if required(self, value) != Some(module) {
            return;
        }
        if name.kind() == "identifier" {
            found.whole = Some(self.text(name));
            return;
        }
        if name.kind() != "object_pattern" {
            return;
        }
        found.list = Some(name);
        for part in named(name) {
            match part.kind() {
                "shorthand_property_identifier_pattern" => {
                    found.members.push((self.text(part), self.text(part)));
                }
                "pair_pattern" => {
                    if let (Some(key), Some(local)) = (field(part, "key"), field(part, "value")) {
                        found.members.push((self.text(key), self.text(local)));
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether the file is an ES module.
    pub(crate) fn is_esm(&self) -> bool {
        named(self.root).iter().any(|s| matches!(s.kind(), "import_statement" | "export_statement"))
    }

    /// A way to write `member` of `module`; the import is added or extended where needed.
    pub(crate) fn reach_member(&self, module: &str, member: &str) -> Reached {
        let known = self.import(module);
        if let Some((_, local)) = known.members.iter().find(|(name, _)| *name == member) {
            return Reached { name: (*local).to_owned(), edits: Vec::new() };
        }
        if let Some(whole) = known.whole {
            return Reached { name: format!("{whole}.{member}"), edits: Vec::new() };
        }
        let local = self.fresh(member);
        let esm = self.is_esm();
        let part = match (local == member, esm) {
            (true, _) => member.to_owned(),
            (false, true) => format!("{member} as {local}"),
            (false, false) => format!("{member}: {local}"),
        };
        if let Some(list) = known.list {
            let edits = match named(list).last() {
                Some(last) => vec![insert(last.end_byte(), format!(", {part}"))],
                None => vec![insert(list.start_byte() + 1, format!(" {part} "))],
            };
            return Reached { name: local, edits };
        }
        let line = if esm {
            format!("import {{ {part} }} from {}", self.module_name(module))
        } else {
            format!("{} {{ {part} }} = require({})", self.declare(), self.module_name(module))
        };
        Reached { name: local, edits: vec![self.import_line(&line)] }
    }

    /// Takes `old` out of the members imported from `module` and puts `new` there, unless it is there already.
    /// Empty when the members are not a list of plain names.
    pub(crate) fn swap_member(&self, module: &str, old: &str, new: &str) -> Vec<TextEdit> {
        let known = self.import(module);
        if let Some(edits) = self.swap_single(module, old, new) {
            return edits;
        }
        let Some(list) = known.list else { return Vec::new() };
        let parts = named(list);
        let Some(at) = parts.iter().position(|part| self.text(*part) == old) else { return Vec::new() };
        let part = parts[at];
        if !known.members.iter().any(|(name, _)| *name == new) {
            let wish = self.fresh(new);
            return if wish == new { vec![replace(part, new)] } else { Vec::new() };
        }
        let (start, end) = match (parts.get(at + 1), at.checked_sub(1).and_then(|before| parts.get(before))) {
            (Some(next), _) => (part.start_byte(), next.start_byte()),
            (None, Some(before)) => (before.end_byte(), part.end_byte()),
            (None, None) => return Vec::new(),
        };
        vec![TextEdit { start, end, text: String::new() }]
    }

    /// `const exec = require('child_process').exec` under the name of another member.
    fn swap_single(&self, module: &str, old: &str, new: &str) -> Option<Vec<TextEdit>> {
        for statement in named(self.root) {
            for declarator in named(statement).into_iter().filter(|d| d.kind() == "variable_declarator") {
                let (Some(name), Some(value)) = (field(declarator, "name"), field(declarator, "value"))
                else {
                    continue;
                };
                let fits = value.kind() == "member_expression"
                    && self.text(name) == old
                    && field(value, "property").is_some_and(|property| self.text(property) == old)
                    && field(value, "object").and_then(|object| required(self, object)) == Some(module);
                if fits && !self.has_name(new) {
                    return Some(vec![replace(name, new), replace(field(value, "property")?, new)]);
                }
            }
        }
        None
    }

    /// A way to write `module` itself, as in `path.resolve`; imported where needed.
    pub(crate) fn reach_module(&self, module: &str) -> Reached {
        if let Some(whole) = self.import(module).whole {
            return Reached { name: whole.to_owned(), edits: Vec::new() };
        }
        let name = self.fresh(module);
        let line = match (self.is_esm(), self.typescript) {
            (true, true) => format!("import * as {name} from {}", self.module_name(module)),
            (true, false) => format!("import {name} from {}", self.module_name(module)),
            (false, _) => format!("{} {name} = require({})", self.declare(), self.module_name(module)),
        };
        Reached { name, edits: vec![self.import_line(&line)] }
    }

    /// The module's name in quotes, with `node:` where the file writes it so.
    fn module_name(&self, module: &str) -> String {
        let quote = self.quote();
        let prefix = if self.src.contains("'node:") || self.src.contains("\"node:") { "node:" } else { "" };
        format!("{quote}{prefix}{module}{quote}")
    }

    /// Adds a line behind the last import of the file's head.
    pub(crate) fn import_line(&self, line: &str) -> TextEdit {
        let semi = self.semi();
        let end = if self.src.contains("\r\n") { "\r\n" } else { "\n" };
        if let Some(last) = self.last_import() {
            insert(last.end_byte(), format!("{end}{line}{semi}"))
        } else {
            let at = self.head_end();
            let gap = if at == 0 { "" } else { end };
            insert(at, format!("{gap}{line}{semi}{}", if at == 0 { end } else { "" }))
        }
    }

    /// The last top-level import or require that stands before any other code.
    pub(crate) fn last_import(&self) -> Option<Node<'t>> {
        let mut last = None;
        for statement in named(self.root) {
            let is_import = match statement.kind() {
                "import_statement" => true,
                "lexical_declaration" | "variable_declaration" => named(statement)
                    .iter()
                    .filter_map(|d| field(*d, "value"))
                    .any(|value| self.text(value).starts_with("require(")),
                "expression_statement" => self.text(statement).starts_with("require("),
                _ => false,
            };
            if is_import {
                last = Some(statement);
            } else if last.is_some() && !matches!(statement.kind(), "expression_statement") {
                break;
            }
        }
        last
    }

    /// Behind a hash-bang line and directives such as `'use strict'`.
    fn head_end(&self) -> usize {
        let mut at = 0;
        for statement in named(self.root) {
            let directive = statement.kind() == "expression_statement"
                && named(statement).first().is_some_and(|e| e.kind() == "string");
            if statement.kind() == "hash_bang_line" || directive {
                at = statement.end_byte();
            } else {
                break;
            }
        }
        at
    }
}

/// An insertion.
pub(crate) fn insert(at: usize, text: impl Into<String>) -> TextEdit {
    TextEdit { start: at, end: at, text: text.into() }
}

/// A replacement of a node.
pub(crate) fn replace(node: Node<'_>, text: impl Into<String>) -> TextEdit {
    TextEdit { start: node.start_byte(), end: node.end_byte(), text: text.into() }
}
