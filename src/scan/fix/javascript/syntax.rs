//! A JavaScript or TypeScript file as a fixer sees it: nodes, bindings, style.

use crate::scan::fix::Notes;
use crate::scan::ir::At;
use std::ops::Range;
use tree_sitter::Node;

/// A parsed file.
#[derive(Clone, Copy)]
pub(crate) struct Js<'t> {
    /// Its text.
    pub(crate) src: &'t str,
    /// The `program` node.
    pub(crate) root: Node<'t>,
    /// What the evaluation saw of its expressions.
    pub(crate) notes: Option<&'t dyn Notes>,
    /// Whether it is TypeScript.
    pub(crate) typescript: bool,
}

/// How a name came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// `const x = value`.
    Const,
    /// `let x = value` or `var x = value`.
    Let,
    /// `const { key: x } = value` (any kind of declaration, any depth).
    Taken,
    /// A parameter, a caught error or a loop variable.
    Param,
    /// A function or class of that name.
    Function,
    /// An import.
    Import,
}

/// The declaration a name refers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Binding<'t> {
    /// How it came to be.
    pub(crate) how: How,
    /// The declaring identifier.
    pub(crate) ident: Node<'t>,
    /// The declarator's value, where it has one.
    pub(crate) value: Option<Node<'t>>,
    /// The block, function or program it is visible in.
    pub(crate) scope: Node<'t>,
}

/// Children with a name in the grammar, comments left out.
pub(crate) fn named(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| child.kind() != "comment").collect()
}

/// A child by field name.
pub(crate) fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
}

/// The expression inside parentheses, casts and non-null marks.
pub(crate) fn bare(node: Node<'_>) -> Node<'_> {
    let mut at = node;
    while matches!(
        at.kind(),
        "parenthesized_expression" | "as_expression" | "satisfies_expression" | "non_null_expression"
    ) {
        match named(at).first() {
            Some(inner) => at = *inner,
            None => break,
        }
    }
    at
}

/// Every node below `node`, itself included, in reading order.
pub(crate) fn walk<'t>(node: Node<'t>, visit: &mut dyn FnMut(Node<'t>)) {
    visit(node);
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        walk(child, visit);
    }
}

/// Whether a node is a function of any form.
pub(crate) fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "function_declaration"
            | "function_expression"
            | "arrow_function"
            | "method_definition"
            | "generator_function"
            | "generator_function_declaration"
    )
}

/// The functions around a node, innermost first.
pub(crate) fn functions_around(node: Node<'_>) -> Vec<Node<'_>> {
    let mut out = Vec::new();
    let mut at = node;
    while let Some(parent) = at.parent() {
        if is_function(parent) {
            out.push(parent);
        }
        at = parent;
    }
    out
}

/// The statement a node stands in, directly below a block, a switch case or the program.
pub(crate) fn statement_of(node: Node<'_>) -> Option<Node<'_>> {
    let mut at = node;
    while let Some(parent) = at.parent() {
        if matches!(parent.kind(), "program" | "statement_block" | "switch_case" | "switch_default") {
            return Some(at);
        }
        at = parent;
    }
    None
}

impl<'t> Js<'t> {
    /// Whether the evaluation saw the expression, and nothing from outside in it.
    pub(crate) fn is_clean(&self, node: Node<'_>) -> bool {
        let seen = self.notes.and_then(|notes| notes.note(At::new(node.start_byte(), node.end_byte())));
        seen.is_some_and(|seen| !seen.tainted)
    }

    /// The text of a node.
    pub(crate) fn text(&self, node: Node<'_>) -> &'t str {
        self.src.get(node.byte_range()).unwrap_or("")
    }

    /// The smallest named node that covers exactly or tightly the bytes.
    pub(crate) fn node_at(&self, range: Range<usize>) -> Option<Node<'t>> {
        self.root.named_descendant_for_byte_range(range.start, range.end)
    }

    /// The call or `new` that starts and ends with the bytes, or the nearest around them.
    pub(crate) fn call_at(&self, range: Range<usize>) -> Option<Node<'t>> {
        let mut at = self.node_at(range)?;
        loop {
            if matches!(at.kind(), "call_expression" | "new_expression") {
                return Some(at);
            }
            at = at.parent()?;
        }
    }

    /// The constant text of a string or of a template without holes.
    pub(crate) fn string(&self, node: Node<'_>) -> Option<String> {
        let node = bare(node);
        match node.kind() {
            "string" => {
                let text = self.text(node);
                text.get(1..text.len().checked_sub(1)?).map(unescape)
            }
            "template_string" if !named(node).iter().any(|c| c.kind() == "template_substitution") => {
                let text = self.text(node);
                text.get(1..text.len().checked_sub(1)?).map(unescape)
            }
            _ => None,
        }
    }

    /// The arguments of a call, in order.
    pub(crate) fn arguments(&self, call: Node<'t>) -> Vec<Node<'t>> {
        let _ = self.src;
        field(call, "arguments").filter(|list| list.kind() == "arguments").map(named).unwrap_or_default()
    }

    /// The last word of what is called: `query` of `this.db.query(…)`.
    pub(crate) fn callee_name(&self, call: Node<'_>) -> &'t str {
        let function = field(call, "function").or_else(|| field(call, "constructor"));
        match function {
            Some(f) if f.kind() == "member_expression" => field(f, "property").map_or("", |p| self.text(p)),
            Some(f) => self.text(f),
            None => "",
        }
    }

    /// What a call's method is called on.
    pub(crate) fn receiver(&self, call: Node<'t>) -> Option<Node<'t>> {
        let _ = self.src;
        field(call, "function").filter(|f| f.kind() == "member_expression").and_then(|f| field(f, "object"))
    }

    /// The declaration of `name` as seen from `at`.
    pub(crate) fn binding(&self, name: &str, at: Node<'t>) -> Option<Binding<'t>> {
        let mut scope = Some(at);
        while let Some(node) = scope {
            if let Some(found) = self.declared_in(name, node) {
                return Some(found);
            }
            scope = node.parent();
        }
        None
    }

    fn declared_in(&self, name: &str, scope: Node<'t>) -> Option<Binding<'t>> {
        let param = |ident| Binding { how: How::Param, ident, value: None, scope };
        match scope.kind() {
            "program" | "statement_block" | "switch_case" | "switch_default" => {
                named(scope).into_iter().find_map(|statement| self.declared_by(name, statement, scope))
            }
            "catch_clause" => field(scope, "parameter")
                .and_then(|p| self.in_pattern(name, p))
                .map(|(ident, _)| param(ident)),
            "for_in_statement" => {
                field(scope, "left").and_then(|p| self.in_pattern(name, p)).map(|(ident, _)| param(ident))
            }
            "for_statement" => field(scope, "initializer")
                .and_then(|s| self.declared_by(name, s, scope))
                .map(|b| param(b.ident)),
            _ if is_function(scope) => {
                let one = field(scope, "parameter");
                let many = field(scope, "parameters").map(named).unwrap_or_default();
                one.into_iter()
                    .chain(many)
                    .find_map(|pattern| self.in_pattern(name, pattern))
                    .map(|(ident, _)| param(ident))
            }
            _ => None,
        }
    }

    fn declared_by(&self, name: &str, statement: Node<'t>, scope: Node<'t>) -> Option<Binding<'t>> {
        match statement.kind() {
            "lexical_declaration" | "variable_declaration" => {
                let constant = self.text(statement).starts_with("const");
                named(statement).into_iter().filter(|d| d.kind() == "variable_declarator").find_map(
                    |declarator| {
                        let (ident, plain) = self.in_pattern(name, field(declarator, "name")?)?;
                        let how = match (plain, constant) {
                            (false, _) => How::Taken,
                            (true, true) => How::Const,
                            (true, false) => How::Let,
                        };
                        Some(Binding { how, ident, value: field(declarator, "value"), scope })
                    },
                )
            }
            "function_declaration" | "class_declaration" | "generator_function_declaration" => {
                let ident = field(statement, "name").filter(|ident| self.text(*ident) == name)?;
                Some(Binding { how: How::Function, ident, value: Some(statement), scope })
            }
            "export_statement" => self.declared_by(name, field(statement, "declaration")?, scope),
            "import_statement" => {
                let mut found = None;
                walk(statement, &mut |node| {
                    let local = match node.kind() {
                        "import_specifier" => field(node, "alias").or_else(|| field(node, "name")),
                        "import_clause" | "namespace_import" | "import_require_clause" => {
                            named(node).into_iter().find(|child| child.kind() == "identifier")
                        }
                        _ => None,
                    };
                    if let Some(ident) = local.filter(|ident| self.text(*ident) == name) {
                        found = Some(Binding { how: How::Import, ident, value: Some(statement), scope });
                    }
                });
                found
            }
            _ => None,
        }
    }

    /// The identifier `name` in a binding pattern, and whether it is the whole pattern.
    fn in_pattern(&self, name: &str, pattern: Node<'t>) -> Option<(Node<'t>, bool)> {
        match pattern.kind() {
            "identifier" | "shorthand_property_identifier_pattern" => {
                (self.text(pattern) == name).then_some((pattern, pattern.kind() == "identifier"))
            }
            "required_parameter" | "optional_parameter" => self.in_pattern(name, field(pattern, "pattern")?),
            "assignment_pattern" | "object_assignment_pattern" => {
                self.in_pattern(name, field(pattern, "left")?)
            }
            "pair_pattern" => {
                self.in_pattern(name, field(pattern, "value")?).map(|(ident, _)| (ident, false))
            }
            "object_pattern" | "array_pattern" | "rest_pattern" => named(pattern)
                .into_iter()
                .find_map(|part| self.in_pattern(name, part))
                .map(|(ident, _)| (ident, false)),
            _ => None,
        }
    }

    /// Assignments to a name below `scope` (`=`, `+=`, `++`), declarations not counted.
    pub(crate) fn writes(&self, name: &str, scope: Node<'t>) -> Vec<Node<'t>> {
        let mut out = Vec::new();
        walk(scope, &mut |node| {
            let target = match node.kind() {
                "assignment_expression" | "augmented_assignment_expression" => field(node, "left"),
                "update_expression" => field(node, "argument"),
                _ => None,
            };
            if target.is_some_and(|left| {
                let mut hit = false;
                walk(left, &mut |part| {
                    hit |= matches!(part.kind(), "identifier" | "shorthand_property_identifier_pattern")
                        && self.text(part) == name
                        && (part == left
                            || !matches!(left.kind(), "member_expression" | "subscript_expression"));
                });
                hit
            }) {
                out.push(node);
            }
        });
        out
    }

    /// Uses of a name below `scope`, the declaration itself and property names not counted.
    pub(crate) fn uses(&self, name: &str, scope: Node<'t>, declared: Node<'t>) -> Vec<Node<'t>> {
        let mut out = Vec::new();
        walk(scope, &mut |node| {
            if matches!(node.kind(), "identifier" | "shorthand_property_identifier")
                && node != declared
                && self.text(node) == name
            {
                out.push(node);
            }
        });
        out
    }
}

/// Text of a literal's body with its escapes resolved. Unknown escapes stay as they are.
pub(crate) fn unescape(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\n') | None => {}
            Some(other @ ('\\' | '\'' | '"' | '`' | '$')) => out.push(other),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
        }
    }
    out
}

/// A string literal with this quote.
pub(crate) fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// The field of an object literal by name.
pub(crate) fn entry<'t>(js: &Js<'t>, object: Node<'t>, key: &str) -> Option<Node<'t>> {
    named(object).into_iter().find(|pair| match pair.kind() {
        "pair" => field(*pair, "key").is_some_and(|k| js.text(k).trim_matches(['\'', '"']) == key),
        "shorthand_property_identifier" => js.text(*pair) == key,
        _ => false,
    })
}
