//! Expressions and texts of JavaScript and TypeScript.

use super::{Lowering, at, field, is_comment, named};
use crate::scan::ir::{Arg, At, Call, Entry, Expr, ExprKind, ListKind, Text, TextPart, TextPiece};
use tree_sitter::Node;

impl Lowering<'_> {
    pub(super) fn expr(&self, node: Node<'_>) -> Expr {
        let place = at(node);
        self.deeper(
            || Expr::new(place, ExprKind::Other(Vec::new())),
            || match node.kind() {
                "parenthesized_expression" => {
                    let Some(inner) = named(node).into_iter().next() else {
                        return Expr::new(place, ExprKind::Other(Vec::new()));
                    };
                    let mut expr = self.expr(inner);
                    expr.outer = place;
                    expr
                }
                "as_expression"
                | "satisfies_expression"
                | "non_null_expression"
                | "instantiation_expression" => match named(node).first() {
                    Some(inner) => self.expr(*inner),
                    None => Expr::new(place, ExprKind::Other(Vec::new())),
                },
                "type_assertion" => match named(node).last() {
                    Some(inner) => self.expr(*inner),
                    None => Expr::new(place, ExprKind::Other(Vec::new())),
                },
                _ => Expr::new(place, self.kind(node)),
            },
        )
    }

    fn boxed(&self, node: Node<'_>, name: &str) -> Box<Expr> {
        Box::new(self.field_expr(node, name))
    }

    fn kind(&self, node: Node<'_>) -> ExprKind {
        match node.kind() {
            "identifier"
            | "this"
            | "super"
            | "shorthand_property_identifier"
            | "shorthand_property_identifier_pattern"
            | "property_identifier"
            | "private_property_identifier" => ExprKind::Name(self.str(node).to_owned()),
            "undefined" | "null" => ExprKind::Null,
            "true" | "false" => ExprKind::Bool(node.kind() == "true"),
            "number" => ExprKind::Number(self.str(node).to_owned()),
            "string" | "template_string" => ExprKind::Text(self.text_literal(node)),
            "member_expression" => match field(node, "property") {
                Some(property) => ExprKind::Member {
                    object: self.boxed(node, "object"),
                    name: self.str(property).to_owned(),
                    name_at: at(property),
                },
                None => self.other(node),
            },
            "subscript_expression" => {
                ExprKind::Index { object: self.boxed(node, "object"), index: self.boxed(node, "index") }
            }
            "call_expression" => self.call(node),
            "new_expression" => ExprKind::Call(Box::new(Call {
                callee: self.field_expr(node, "constructor"),
                args: field(node, "arguments").map(|list| self.arguments(list)).unwrap_or_default(),
                args_at: field(node, "arguments").map_or(At::new(node.end_byte(), node.end_byte()), at),
                is_new: true,
                is_tag: false,
            })),
            "binary_expression" => ExprKind::Binary {
                op: field(node, "operator").map_or("", |op| self.str(op)).to_owned(),
                left: self.boxed(node, "left"),
                right: self.boxed(node, "right"),
            },
            "unary_expression" => ExprKind::Unary {
                op: field(node, "operator").map_or("", |op| self.str(op)).to_owned(),
                operand: self.boxed(node, "argument"),
            },
            "update_expression" => ExprKind::Assign {
                target: self.boxed(node, "argument"),
                value: Box::new(Expr::new(
                    at(node),
                    ExprKind::Binary {
                        op: if self.str(node).contains("--") { "-" } else { "+" }.to_owned(),
                        left: self.boxed(node, "argument"),
                        right: Box::new(Expr::new(at(node), ExprKind::Number("1".into()))),
                    },
                )),
            },
            "array" | "array_pattern" => ExprKind::List {
                kind: ListKind::List,
                items: named(node).into_iter().map(|item| self.target(item)).collect(),
            },
            "object" | "object_pattern" => {
                ExprKind::Map(named(node).into_iter().filter_map(|entry| self.entry(entry)).collect())
            }
            "spread_element" | "rest_pattern" => match named(node).first() {
                Some(inner) => ExprKind::Spread(Box::new(self.target(*inner))),
                None => self.other(node),
            },
            "ternary_expression" => ExprKind::Conditional {
                test: self.boxed(node, "condition"),
                then: self.boxed(node, "consequence"),
                other: self.boxed(node, "alternative"),
            },
            "arrow_function" | "function_expression" | "generator_function" => {
                ExprKind::Lambda(self.function(node, Vec::new(), false))
            }
            "await_expression" => match named(node).first() {
                Some(inner) => ExprKind::Await(Box::new(self.expr(*inner))),
                None => self.other(node),
            },
            "assignment_expression" => ExprKind::Assign {
                target: Box::new(
                    field(node, "left")
                        .map_or_else(|| self.field_expr(node, "left"), |left| self.target(left)),
                ),
                value: self.boxed(node, "right"),
            },
            "augmented_assignment_expression" => ExprKind::Assign {
                target: self.boxed(node, "left"),
                value: Box::new(Expr::new(
                    at(node),
                    ExprKind::Binary {
                        op: field(node, "operator")
                            .map_or("", |op| self.str(op))
                            .trim_end_matches('=')
                            .to_owned(),
                        left: self.boxed(node, "left"),
                        right: self.boxed(node, "right"),
                    },
                )),
            },
            "class" => ExprKind::Class(self.class(node, Vec::new())),
            "regex" => {
                ExprKind::Regex(field(node, "pattern").map_or("", |pattern| self.str(pattern)).to_owned())
            }
            "import" | "meta_property" => ExprKind::Other(Vec::new()),
            _ => self.other(node),
        }
    }

    fn other(&self, node: Node<'_>) -> ExprKind {
        ExprKind::Other(named(node).into_iter().map(|child| self.expr(child)).collect())
    }

    fn call(&self, node: Node<'_>) -> ExprKind {
        if let Some(local) = self.required(node) {
            return ExprKind::Name(local);
        }
        let callee = self.field_expr(node, "function");
        let Some(list) = field(node, "arguments") else { return self.other(node) };
        let is_tag = list.kind() == "template_string";
        let args = if is_tag {
            let value = self.expr(list);
            vec![Arg { at: at(list), name: None, value, is_keyword_spread: false }]
        } else {
            self.arguments(list)
        };
        ExprKind::Call(Box::new(Call { callee, args, args_at: at(list), is_new: false, is_tag }))
    }

    fn arguments(&self, list: Node<'_>) -> Vec<Arg> {
        named(list)
            .into_iter()
            .map(|argument| Arg {
                at: at(argument),
                name: None,
                value: self.expr(argument),
                is_keyword_spread: false,
            })
            .collect()
    }

    /// A target of an assignment or declaration; a default becomes an `Assign`.
    pub(super) fn target(&self, node: Node<'_>) -> Expr {
        match node.kind() {
            "assignment_pattern" | "object_assignment_pattern" => {
                let kind = ExprKind::Assign {
                    target: Box::new(
                        field(node, "left")
                            .map_or_else(|| self.field_expr(node, "left"), |left| self.target(left)),
                    ),
                    value: self.boxed(node, "right"),
                };
                Expr::new(at(node), kind)
            }
            _ => self.expr(node),
        }
    }

    fn entry(&self, node: Node<'_>) -> Option<Entry> {
        let place = at(node);
        let bare = |name: Node<'_>| Some(self.key_text(name));
        match node.kind() {
            "pair" | "pair_pattern" => Some(Entry {
                at: place,
                key: field(node, "key").map(|key| self.key(key)),
                value: field(node, "value").map(|value| self.target(value))?,
            }),
            "shorthand_property_identifier" | "shorthand_property_identifier_pattern" => {
                Some(Entry { at: place, key: bare(node), value: self.expr(node) })
            }
            "object_assignment_pattern" => {
                let left = field(node, "left")?;
                Some(Entry { at: place, key: bare(left), value: self.target(node) })
            }
            "spread_element" | "rest_pattern" => Some(Entry { at: place, key: None, value: self.expr(node) }),
            "method_definition" => Some(Entry {
                at: place,
                key: field(node, "name").map(|name| self.key(name)),
                value: Expr::new(place, ExprKind::Lambda(self.function(node, Vec::new(), false))),
            }),
            _ => None,
        }
    }

    fn key(&self, node: Node<'_>) -> Expr {
        match node.kind() {
            "computed_property_name" => match named(node).first() {
                Some(inner) => self.expr(*inner),
                None => self.key_text(node),
            },
            "string" => self.expr(node),
            _ => self.key_text(node),
        }
    }

    /// A bare key as the text it stands for.
    pub(super) fn key_text(&self, node: Node<'_>) -> Expr {
        let place = at(node);
        let value = self.str(node).to_owned();
        let text = Text {
            parts: vec![TextPart::Literal { at: place, value, piece: 0 }],
            pieces: vec![TextPiece { at: place, prefix: String::new(), quote: String::new() }],
            is_bytes: false,
        };
        Expr::new(place, ExprKind::Text(text))
    }

    fn text_literal(&self, node: Node<'_>) -> Text {
        let quote = self.str(node).chars().next().unwrap_or('\'').to_string();
        let pieces = vec![TextPiece { at: at(node), prefix: String::new(), quote }];
        let mut parts = Vec::with_capacity(1);
        let mut from = node.start_byte() + 1;
        let last = node.end_byte().saturating_sub(1);
        let mut cursor = node.walk();
        let holes: Vec<Node<'_>> = node
            .named_children(&mut cursor)
            .filter(|child| child.kind() == "template_substitution")
            .collect();
        for hole in holes {
            self.literal(from, hole.start_byte(), &mut parts);
            from = hole.end_byte();
            let mut inner = hole.walk();
            let value = hole.named_children(&mut inner).find(|child| !is_comment(*child));
            if let Some(value) = value {
                parts.push(TextPart::Hole {
                    at: at(hole),
                    expr: Box::new(self.expr(value)),
                    conversion: None,
                    format: None,
                    piece: 0,
                });
            }
        }
        self.literal(from, last, &mut parts);
        parts.shrink_to_fit();
        Text { parts, pieces, is_bytes: false }
    }

    fn literal(&self, from: usize, to: usize, parts: &mut Vec<TextPart>) {
        let raw = self.text.get(from..to).unwrap_or("");
        if !raw.is_empty() {
            parts.push(TextPart::Literal { at: At::new(from, to), value: decode(raw), piece: 0 });
        }
    }
}

/// The value of a literal's letters.
fn decode(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some('0') => out.push('\0'),
            Some('\n') | None => {}
            Some('x') => push_code(&mut out, &chars.by_ref().take(2).collect::<String>()),
            Some('u') if chars.peek() == Some(&'{') => {
                chars.next();
                let digits: String = chars.by_ref().take_while(|c| *c != '}').collect();
                push_code(&mut out, &digits);
            }
            Some('u') => push_code(&mut out, &chars.by_ref().take(4).collect::<String>()),
            Some(other) => out.push(other),
        }
    }
    out
}

fn push_code(out: &mut String, digits: &str) {
    let code = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
    out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
}
