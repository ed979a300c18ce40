//! A Java file as a fixer sees it: nodes, declarations, uses.

use crate::scan::fix::Notes;
use crate::scan::ir::At;
use tree_sitter::Node;

/// A parsed file.
#[derive(Clone, Copy)]
pub(super) struct Java<'t> {
    /// Its text.
    pub(super) src: &'t str,
    /// The `program` node.
    pub(super) root: Node<'t>,
    /// What the evaluation saw of its expressions.
    pub(super) notes: &'t dyn Notes,
}

/// Children with a name in the grammar, comments left out.
pub(super) fn named(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor)
        .filter(|child| !matches!(child.kind(), "line_comment" | "block_comment"))
        .collect()
}

pub(super) fn field<'t>(node: Node<'t>, name: &str) -> Option<Node<'t>> {
    node.child_by_field_name(name)
}

/// The expression inside parentheses.
pub(super) fn bare(node: Node<'_>) -> Node<'_> {
    let mut at = node;
    while at.kind() == "parenthesized_expression" {
        match named(at).first() {
            Some(inner) => at = *inner,
            None => break,
        }
    }
    at
}

/// Every node below `node`, itself included, in reading order.
pub(super) fn walk<'t>(node: Node<'t>, visit: &mut dyn FnMut(Node<'t>)) {
    visit(node);
    let mut cursor = node.walk();
    for child in node.named_children(&mut cursor) {
        walk(child, visit);
    }
}

/// The nodes around a node, innermost first, itself included.
pub(super) fn around(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(Some(node), tree_sitter::Node::parent)
}

/// Whether statements stand directly in a node.
pub(super) fn holds_statements(node: Node<'_>) -> bool {
    matches!(node.kind(), "block" | "constructor_body" | "switch_block_statement_group")
}

impl<'t> Java<'t> {
    pub(super) fn text(&self, node: Node<'_>) -> &'t str {
        self.src.get(node.start_byte()..node.end_byte()).unwrap_or("")
    }

    /// The outermost node of exactly this place.
    pub(super) fn node_at(&self, at: At) -> Option<Node<'t>> {
        let mut node = self.root.named_descendant_for_byte_range(at.start, at.end)?;
        while let Some(parent) = node.parent() {
            if parent.start_byte() != at.start || parent.end_byte() != at.end {
                break;
            }
            node = parent;
        }
        (node.start_byte() == at.start && node.end_byte() == at.end)
            .then(|| {
                if node.kind() == "expression_statement" { named(node).first().copied() } else { Some(node) }
            })
            .flatten()
    }

    pub(super) fn arguments(&self, call: Node<'t>) -> Vec<Node<'t>> {
        field(call, "arguments").map(named).unwrap_or_default()
    }

    /// The method's name of a call, the last word of the type of a creation.
    pub(super) fn name_of(&self, call: Node<'t>) -> &'t str {
        let written = field(call, "name").or_else(|| field(call, "type")).map_or("", |name| self.text(name));
        written.split('<').next().unwrap_or(written).rsplit('.').next().unwrap_or(written)
    }

    /// The statement a node stands in, directly in a block.
    pub(super) fn statement_of(&self, node: Node<'t>) -> Option<Node<'t>> {
        around(node).find(|node| node.parent().is_some_and(holds_statements))
    }

    /// The method, constructor or initialiser around a node; lambdas are not among them.
    pub(super) fn method_of(&self, node: Node<'t>) -> Option<Node<'t>> {
        around(node).find(|node| {
            matches!(
                node.kind(),
                "method_declaration"
                    | "constructor_declaration"
                    | "compact_constructor_declaration"
                    | "static_initializer"
            )
        })
    }

    /// The innermost class around a node.
    pub(super) fn class_of(&self, node: Node<'t>) -> Option<Node<'t>> {
        around(node).find(|node| {
            matches!(node.kind(), "class_declaration" | "enum_declaration" | "record_declaration")
        })
    }

    /// The only declaration of a local name in the method around a place: a declarator, resource or parameter.
    pub(super) fn declaration(&self, name: &str, from: Node<'t>) -> Option<Node<'t>> {
        let method = self.method_of(from)?;
        let mut found = Vec::new();
        walk(method, &mut |node| {
            let declares = matches!(
                node.kind(),
                "variable_declarator"
                    | "resource"
                    | "formal_parameter"
                    | "enhanced_for_statement"
                    | "catch_formal_parameter"
            );
            if declares && field(node, "name").is_some_and(|own| self.text(own) == name) {
                found.push(node);
            }
        });
        if found.len() == 1 { found.pop() } else { None }
    }

    /// The field of that name in the classes around a place.
    pub(super) fn field_of(&self, name: &str, from: Node<'t>) -> Option<Node<'t>> {
        around(from).filter(|node| node.kind() == "class_body").find_map(|body| {
            named(body).into_iter().filter(|member| member.kind() == "field_declaration").find_map(|member| {
                named(member).into_iter().find(|declarator| {
                    declarator.kind() == "variable_declarator"
                        && field(*declarator, "name").is_some_and(|own| self.text(own) == name)
                })
            })
        })
    }

    /// The type a declarator, resource or parameter is declared with, as written.
    pub(super) fn declared_type(&self, declaration: Node<'t>) -> Option<&'t str> {
        let holder =
            if declaration.kind() == "variable_declarator" { declaration.parent()? } else { declaration };
        field(holder, "type").map(|kind| self.text(kind))
    }

    /// The identifiers of that name in the method around a place, the declaring one not among them.
    pub(super) fn uses(&self, name: &str, from: Node<'t>) -> Vec<Node<'t>> {
        let mut out = Vec::new();
        let Some(method) = self.method_of(from) else { return out };
        walk(method, &mut |node| {
            if node.kind() == "identifier" && self.text(node) == name && self.is_variable(node) {
                out.push(node);
            }
        });
        out
    }

    fn is_variable(&self, node: Node<'t>) -> bool {
        let Some(parent) = node.parent() else { return false };
        match parent.kind() {
            "field_access" => field(parent, "field") != Some(node),
            "method_invocation" | "variable_declarator" | "resource" | "formal_parameter" => {
                field(parent, "name") != Some(node)
            }
            _ => true,
        }
    }

    /// The assignments to a local name in the method around a place.
    pub(super) fn writes(&self, name: &str, from: Node<'t>) -> Vec<Node<'t>> {
        self.uses(name, from)
            .into_iter()
            .filter_map(|node| {
                let parent = node.parent()?;
                let written = match parent.kind() {
                    "assignment_expression" => field(parent, "left") == Some(node),
                    "update_expression" => true,
                    _ => false,
                };
                written.then_some(parent)
            })
            .collect()
    }

    /// The one expression a local name stands for.
    pub(super) fn value_of(&self, name: &str, from: Node<'t>) -> Option<Node<'t>> {
        let declaration = self.declaration(name, from)?;
        let value = field(declaration, "value").filter(|value| value.kind() != "null_literal");
        let writes = self.writes(name, from);
        match (value, writes.as_slice()) {
            (Some(value), []) => Some(value),
            (None, [one]) if declaration.kind() == "variable_declarator" => {
                let plain = field(*one, "operator").is_some_and(|op| self.text(op) == "=");
                field(*one, "right").filter(|_| plain)
            }
            _ => None,
        }
    }

    /// A name that nothing in the method has.
    pub(super) fn fresh(&self, wanted: &str, from: Node<'t>) -> String {
        let mut taken = Vec::new();
        if let Some(scope) = self.class_of(from) {
            walk(scope, &mut |node| {
                if node.kind() == "identifier" {
                    taken.push(self.text(node));
                }
            });
        }
        let mut name = wanted.to_owned();
        let mut count = 1;
        while taken.contains(&name.as_str()) {
            count += 1;
            name = format!("{wanted}{count}");
        }
        name
    }

    /// Whether something from outside is in the value of an expression.
    pub(super) fn is_tainted(&self, node: Node<'t>) -> bool {
        let inner = bare(node);
        self.notes.note(At::new(inner.start_byte(), inner.end_byte())).is_some_and(|note| note.tainted)
    }

    /// The constant text of an expression.
    pub(super) fn constant(&self, node: Node<'t>) -> Option<String> {
        let inner = bare(node);
        self.notes.note(At::new(inner.start_byte(), inner.end_byte()))?.text
    }

    /// The simple name of an expression's type, where it is plain to see.
    pub(super) fn type_of(&self, node: Node<'t>) -> Option<&'t str> {
        let node = bare(node);
        match node.kind() {
            "string_literal" => Some("String"),
            "decimal_integer_literal" => Some("int"),
            "identifier" => {
                let name = self.text(node);
                let declared = self.declaration(name, node).or_else(|| self.field_of(name, node))?;
                self.declared_type(declared)
                    .filter(|kind| *kind != "var")
                    .map(simple)
                    .or_else(|| field(declared, "value").and_then(|value| self.type_of(value)))
            }
            "binary_expression" => {
                let parts = [field(node, "left")?, field(node, "right")?];
                parts.into_iter().any(|part| self.type_of(part) == Some("String")).then_some("String")
            }
            "cast_expression" => field(node, "type").map(|kind| simple(self.text(kind))),
            "method_invocation" => match self.name_of(node) {
                "getParameter" | "getHeader" | "trim" | "toLowerCase" | "toUpperCase" | "toString"
                | "substring" | "replace" | "replaceAll" | "getQueryString" | "getPathInfo"
                | "getRequestURI" | "concat" | "strip" => Some("String"),
                "parseInt" => Some("int"),
                "parseLong" => Some("long"),
                "format" | "valueOf"
                    if field(node, "object").is_some_and(|object| self.text(object) == "String") =>
                {
                    Some("String")
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// The last word of a type, without its arguments.
pub(super) fn simple(kind: &str) -> &str {
    let plain = kind.split('<').next().unwrap_or(kind).trim();
    plain.rsplit('.').next().unwrap_or(plain)
}
