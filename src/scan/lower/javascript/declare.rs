//! Declarations of JavaScript and TypeScript: variables, functions, parameters, classes.

use super::{Lowering, at, field, named};
use crate::scan::ir::{Block, Class, Entry, Expr, ExprKind, Function, Param, ParamKind, Stmt, StmtKind};
use std::sync::Arc;
use tree_sitter::Node;

impl Lowering<'_> {
    /// `const a = 1, { b } = c;`: one assignment a declarator; a `require` is an import.
    pub(super) fn declaration(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        let declarators: Vec<Node<'_>> =
            named(node).into_iter().filter(|child| child.kind() == "variable_declarator").collect();
        let alone = declarators.len() == 1;
        for declarator in declarators {
            let place = if alone { at(node) } else { at(declarator) };
            let Some(name) = field(declarator, "name") else { continue };
            let value = field(declarator, "value");
            if let Some(imports) = value.and_then(|value| self.require_declarator(place, name, value)) {
                out.push(Stmt { at: place, kind: StmtKind::Import(imports) });
                continue;
            }
            let end = declarator.end_byte();
            let value = value.map_or_else(
                || Expr::new(crate::scan::ir::At::new(end, end), ExprKind::Null),
                |value| self.expr(value),
            );
            let annotation = field(declarator, "type").map(|kind| self.annotation(kind));
            let kind =
                StmtKind::Assign { targets: vec![self.target(name)], value, declares: true, annotation };
            out.push(Stmt { at: place, kind });
        }
    }

    fn annotation(&self, node: Node<'_>) -> String {
        self.str(node).trim_start_matches(':').trim().to_owned()
    }

    /// The decorators that are children of a node.
    pub(super) fn decorators(&self, node: Node<'_>) -> Vec<Expr> {
        named(node)
            .into_iter()
            .filter(|child| child.kind() == "decorator")
            .filter_map(|d| self.decorator(d))
            .collect()
    }

    fn decorator(&self, node: Node<'_>) -> Option<Expr> {
        named(node).first().map(|inner| self.expr(*inner))
    }

    pub(super) fn function(
        &self,
        node: Node<'_>,
        mut decorators: Vec<Expr>,
        is_method: bool,
    ) -> Arc<Function> {
        decorators.extend(self.decorators(node));
        let mut params = Vec::new();
        if let Some(one) = field(node, "parameter") {
            params.push(self.param(one));
        }
        for parameter in field(node, "parameters").map(named).unwrap_or_default() {
            params.push(self.param(parameter));
        }
        let body = field(node, "body");
        let is_expression = body.is_some_and(|body| body.kind() != "statement_block");
        let block = match body {
            Some(body) if is_expression => {
                let value = self.expr(body);
                let place = at(body);
                Block { at: place, stmts: vec![Stmt { at: place, kind: StmtKind::Return(Some(value)) }] }
            }
            Some(body) => self.block_of(body, named(body)),
            None => Block::default(),
        };
        let head = body.map_or(node.end_byte(), |body| body.start_byte());
        let head = self.text.get(node.start_byte()..head).unwrap_or("");
        let name = match node.kind() {
            "arrow_function" => String::new(),
            _ => field(node, "name").map_or_else(String::new, |name| self.str(name).to_owned()),
        };
        Arc::new(Function {
            at: at(node),
            name,
            params,
            decorators,
            body: block,
            returns: None,
            is_expression,
            is_async: head
                .split('(')
                .next()
                .is_some_and(|head| head.split_whitespace().any(|w| w == "async"))
                || head.starts_with("async"),
            is_method,
        })
    }

    fn param(&self, node: Node<'_>) -> Param {
        let mut pattern = node;
        let mut annotation = None;
        let mut default = None;
        let mut decorators = Vec::new();
        let mut kind = ParamKind::Plain;
        if matches!(node.kind(), "required_parameter" | "optional_parameter") {
            decorators = self.decorators(node);
            annotation = field(node, "type").map(|kind| self.annotation(kind));
            default = field(node, "value").map(|value| self.expr(value));
            if let Some(inner) = field(node, "pattern") {
                pattern = inner;
            }
        }
        if pattern.kind() == "assignment_pattern" {
            default = field(pattern, "right").map(|value| self.expr(value));
            if let Some(left) = field(pattern, "left") {
                pattern = left;
            }
        }
        if pattern.kind() == "rest_pattern" {
            kind = ParamKind::Rest;
            if let Some(inner) = named(pattern).first() {
                pattern = *inner;
            }
        }
        let plain = matches!(pattern.kind(), "identifier" | "this");
        Param {
            at: at(node),
            name: if plain { self.str(pattern).to_owned() } else { String::new() },
            pattern: if plain { None } else { Some(self.target(pattern)) },
            annotation,
            default,
            kind,
            decorators,
        }
    }

    pub(super) fn class(&self, node: Node<'_>, mut decorators: Vec<Expr>) -> Arc<Class> {
        decorators.extend(self.decorators(node));
        let name = field(node, "name").map_or_else(String::new, |name| self.str(name).to_owned());
        let mut bases = Vec::new();
        for child in named(node).into_iter().filter(|child| child.kind() == "class_heritage") {
            for part in named(child) {
                match part.kind() {
                    "implements_clause" => {}
                    "extends_clause" => bases.extend(field(part, "value").map(|value| self.expr(value))),
                    _ => bases.push(self.expr(part)),
                }
            }
        }
        let body = field(node, "body");
        let mut stmts = Vec::new();
        let mut waiting = Vec::new();
        for member in body.map(named).unwrap_or_default() {
            match member.kind() {
                // TypeScript's grammar sets a method's decorators beside it.
                "decorator" => waiting.extend(self.decorator(member)),
                "method_definition" => {
                    self.parameter_fields(member, &mut stmts);
                    let function = self.function(member, std::mem::take(&mut waiting), true);
                    stmts.push(Stmt { at: at(member), kind: StmtKind::Function(function) });
                }
                "field_definition" | "public_field_definition" => {
                    waiting.clear();
                    let Some(name) = field(member, "property").or_else(|| field(member, "name")) else {
                        continue;
                    };
                    let end = member.end_byte();
                    let value = field(member, "value").map_or_else(
                        || Expr::new(crate::scan::ir::At::new(end, end), ExprKind::Null),
                        |value| self.expr(value),
                    );
                    stmts.push(Stmt {
                        at: at(member),
                        kind: StmtKind::Assign {
                            targets: vec![self.name(name)],
                            value,
                            declares: true,
                            annotation: field(member, "type").map(|kind| self.annotation(kind)),
                        },
                    });
                }
                "class_static_block" => self.statement(member, &mut stmts),
                _ => waiting.clear(),
            }
        }
        let place = body.map_or_else(crate::scan::ir::At::default, at);
        Arc::new(Class { at: at(node), name, bases, decorators, body: Block { at: place, stmts } })
    }

    /// `constructor(private readonly db: Pool)` declares a field `db`.
    fn parameter_fields(&self, method: Node<'_>, stmts: &mut Vec<Stmt>) {
        for parameter in field(method, "parameters").map(named).unwrap_or_default() {
            let declares = named(parameter).iter().any(|c| c.kind() == "accessibility_modifier")
                || self.str(parameter).starts_with("readonly ");
            let pattern = field(parameter, "pattern").filter(|p| declares && p.kind() == "identifier");
            if let Some(pattern) = pattern {
                let place = at(parameter);
                let kind = StmtKind::Assign {
                    targets: vec![self.name(pattern)],
                    value: Expr::new(crate::scan::ir::At::new(place.end, place.end), ExprKind::Null),
                    declares: true,
                    annotation: field(parameter, "type").map(|kind| self.annotation(kind)),
                };
                stmts.push(Stmt { at: place, kind });
            }
        }
    }

    fn name(&self, node: Node<'_>) -> Expr {
        Expr::new(at(node), ExprKind::Name(self.str(node).to_owned()))
    }

    /// An enum is a constant table.
    pub(super) fn enumeration(&self, node: Node<'_>) -> StmtKind {
        let name = field(node, "name").map(|name| self.name(name));
        let mut entries = Vec::new();
        for member in field(node, "body").map(named).unwrap_or_default() {
            let key = field(member, "name").unwrap_or(member);
            let value = field(member, "value").map_or_else(|| self.key_text(key), |value| self.expr(value));
            entries.push(Entry { at: at(member), key: Some(self.key_text(key)), value });
        }
        StmtKind::Assign {
            targets: name.into_iter().collect(),
            value: Expr::new(at(node), ExprKind::Map(entries)),
            declares: true,
            annotation: None,
        }
    }
}
