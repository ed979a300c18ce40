//! Statements.

use super::{Lowering, at, field, named};
use crate::scan::ir::{At, Block, Catch, Expr, ExprKind, Stmt, StmtKind};
use tree_sitter::Node;

impl Lowering<'_> {
    /// The statements between braces, in a scope of their own.
    pub(super) fn block(&self, node: Node<'_>) -> Block {
        self.scopes.borrow_mut().open();
        let mut stmts = Vec::new();
        for statement in named(node) {
            self.statement(statement, &mut stmts);
        }
        self.scopes.borrow_mut().close();
        let start = node.start_byte() + 1;
        Block { at: At::new(start, node.end_byte().saturating_sub(1).max(start)), stmts }
    }

    /// The body of a construct: a block, or a single statement.
    pub(super) fn body(&self, node: Option<Node<'_>>) -> Block {
        match node {
            None => Block::default(),
            Some(node) if node.kind() == "block" => self.block(node),
            Some(node) => {
                self.scopes.borrow_mut().open();
                let mut stmts = Vec::new();
                self.statement(node, &mut stmts);
                self.scopes.borrow_mut().close();
                Block { at: at(node), stmts }
            }
        }
    }

    pub(super) fn statement(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        self.deeper(|| (), || self.statement_within(node, out));
    }

    fn statement_within(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        let place = at(node);
        let mut push = |kind| out.push(Stmt { at: place, kind });
        match node.kind() {
            "expression_statement" => {
                if let Some(expression) = named(node).next() {
                    self.expression_statement(place, expression, out);
                }
            }
            "local_variable_declaration" => self.declaration(node, out),
            "class_declaration" | "interface_declaration" | "enum_declaration" | "record_declaration" => {
                push(StmtKind::Class(self.class(node)));
            }
            "if_statement" => push(StmtKind::If {
                test: self.field_expr(node, "condition"),
                then: self.body(field(node, "consequence")),
                other: self.body(field(node, "alternative")),
            }),
            "for_statement" => self.for_loop(node, out),
            "enhanced_for_statement" => push(self.for_each(node)),
            "while_statement" | "do_statement" => push(StmtKind::Loop {
                target: None,
                over: None,
                test: Some(Box::new(self.field_expr(node, "condition"))),
                body: self.body(field(node, "body")),
                other: Block::default(),
            }),
            "return_statement" => match named(node).next() {
                Some(value) if value.kind() == "switch_expression" => {
                    let switch = self.switch_into(value, &|value| StmtKind::Return(Some(value)));
                    push(switch);
                }
                value => push(StmtKind::Return(value.map(|value| self.expr(value)))),
            },
            "throw_statement" => push(StmtKind::Raise(named(node).next().map(|value| self.expr(value)))),
            "break_statement" => push(StmtKind::Break),
            "continue_statement" => push(StmtKind::Continue),
            "try_statement" | "try_with_resources_statement" => push(self.try_statement(node)),
            "switch_expression" => push(self.switch(node)),
            "block" => push(StmtKind::Block(self.block(node))),
            "synchronized_statement" => push(StmtKind::Block(self.body(field(node, "body")))),
            "labeled_statement" => push(StmtKind::Block(self.body(named(node).last()))),
            "assert_statement" => {
                for child in named(node) {
                    let value = self.expr(child);
                    out.push(Stmt { at: place, kind: StmtKind::Expr(value) });
                }
            }
            "explicit_constructor_invocation" => push(StmtKind::Expr(self.constructor_call(node))),
            _ => push(StmtKind::Other(named(node).map(|child| self.expr(child)).collect())),
        }
    }

    fn expression_statement(&self, place: At, node: Node<'_>, out: &mut Vec<Stmt>) {
        let kind = match node.kind() {
            "assignment_expression" => {
                let op = field(node, "operator").map_or("=", |op| self.str(op));
                let target = self.field_expr(node, "left");
                if op != "=" {
                    StmtKind::Augment {
                        target: Box::new(target),
                        op: op.trim_end_matches('=').to_owned(),
                        value: self.field_expr(node, "right"),
                    }
                } else if let Some(right) =
                    field(node, "right").filter(|right| right.kind() == "switch_expression")
                {
                    self.switch_into(right, &|value| assigned(target.clone(), value))
                } else {
                    assigned(target, self.field_expr(node, "right"))
                }
            }
            "update_expression" => {
                let op = if self.str(node).contains("--") { "-" } else { "+" };
                let Some(operand) = named(node).next() else { return };
                StmtKind::Augment {
                    target: Box::new(self.expr(operand)),
                    op: op.to_owned(),
                    value: Expr::new(at(node), ExprKind::Number("1".into())),
                }
            }
            "switch_expression" => self.switch(node),
            _ => StmtKind::Expr(self.expr(node)),
        };
        out.push(Stmt { at: place, kind });
    }

    fn declaration(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        let annotation = field(node, "type").map(|kind| self.type_name(kind));
        let declarators: Vec<Node<'_>> =
            named(node).filter(|child| child.kind() == "variable_declarator").collect();
        let alone = declarators.len() == 1;
        for declarator in declarators {
            let place = if alone { at(node) } else { at(declarator) };
            let Some(name) = field(declarator, "name") else { continue };
            let value = field(declarator, "value");
            let end = declarator.end_byte();
            let target = Expr::new(at(name), ExprKind::Name(self.str(name).to_owned()));
            let chosen = value.filter(|value| value.kind() == "switch_expression");
            let lowered = match value {
                Some(value) if chosen.is_none() => self.expr(value),
                _ => Expr::new(At::new(end, end), ExprKind::Null),
            };
            self.scopes.borrow_mut().declare(self.str(name));
            let annotation = annotation.clone().filter(|kind| kind != "var");
            let kind = StmtKind::Assign {
                targets: vec![target.clone()],
                value: lowered,
                declares: true,
                annotation,
            };
            out.push(Stmt { at: place, kind });
            if let Some(value) = chosen {
                let kind = self.switch_into(value, &|value| assigned(target.clone(), value));
                out.push(Stmt { at: place, kind });
            }
        }
    }

    fn for_loop(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        self.scopes.borrow_mut().open();
        let mut cursor = node.walk();
        let starts: Vec<Node<'_>> = node.children_by_field_name("init", &mut cursor).collect();
        let mut cursor = node.walk();
        let steps: Vec<Node<'_>> = node.children_by_field_name("update", &mut cursor).collect();
        for start in starts {
            if start.kind() == "local_variable_declaration" {
                self.declaration(start, out);
            } else {
                self.expression_statement(at(start), start, out);
            }
        }
        let test = field(node, "condition").map(|test| Box::new(self.expr(test)));
        let mut body = self.body(field(node, "body"));
        for step in steps {
            self.expression_statement(at(step), step, &mut body.stmts);
        }
        self.scopes.borrow_mut().close();
        out.push(Stmt {
            at: at(node),
            kind: StmtKind::Loop { target: None, over: None, test, body, other: Block::default() },
        });
    }

    /// The element gets its declared type by a first statement of the body.
    fn for_each(&self, node: Node<'_>) -> StmtKind {
        let over = self.field_expr(node, "value");
        self.scopes.borrow_mut().open();
        let name = field(node, "name");
        let written = name.map_or("", |name| self.str(name));
        let place = name.map_or(at(node), at);
        self.scopes.borrow_mut().declare(written);
        let target = Expr::new(place, ExprKind::Name(written.to_owned()));
        let mut body = self.body(field(node, "body"));
        let kind = field(node, "type").map(|kind| self.type_name(kind)).filter(|kind| kind != "var");
        if kind.is_some() {
            let typed = StmtKind::Assign {
                targets: vec![target.clone()],
                value: target.clone(),
                declares: true,
                annotation: kind,
            };
            body.stmts.insert(0, Stmt { at: place, kind: typed });
        }
        self.scopes.borrow_mut().close();
        StmtKind::Loop {
            target: Some(Box::new(target)),
            over: Some(Box::new(over)),
            test: None,
            body,
            other: Block::default(),
        }
    }

    fn try_statement(&self, node: Node<'_>) -> StmtKind {
        self.scopes.borrow_mut().open();
        let mut opened = Vec::new();
        for resource in field(node, "resources").into_iter().flat_map(named) {
            self.resource(resource, &mut opened);
        }
        let mut body = self.body(field(node, "body"));
        let own = std::mem::take(&mut body.stmts);
        body.stmts = opened.into_iter().chain(own).collect();
        self.scopes.borrow_mut().close();
        let mut handlers = Vec::new();
        let mut finally = Block::default();
        for clause in named(node) {
            match clause.kind() {
                "catch_clause" => handlers.push(self.catch(clause)),
                "finally_clause" => finally = self.body(named(clause).next()),
                _ => {}
            }
        }
        StmtKind::Try { body, handlers, other: Block::default(), finally }
    }

    fn resource(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        let (Some(name), Some(value)) = (field(node, "name"), field(node, "value")) else { return };
        let value = self.expr(value);
        self.scopes.borrow_mut().declare(self.str(name));
        let kind = StmtKind::Assign {
            targets: vec![Expr::new(at(name), ExprKind::Name(self.str(name).to_owned()))],
            value,
            declares: true,
            annotation: field(node, "type").map(|kind| self.type_name(kind)).filter(|kind| kind != "var"),
        };
        out.push(Stmt { at: at(node), kind });
    }

    fn catch(&self, node: Node<'_>) -> Catch {
        let param = named(node).find(|child| child.kind() == "catch_formal_parameter");
        let name = param.and_then(|param| field(param, "name")).map(|name| self.str(name).to_owned());
        let types = param
            .and_then(|param| named(param).find(|child| child.kind() == "catch_type"))
            .map(|kinds| {
                named(kinds).map(|kind| Expr::new(at(kind), ExprKind::Name(self.type_name(kind)))).collect()
            })
            .unwrap_or_default();
        self.scopes.borrow_mut().open();
        if let Some(name) = &name {
            self.scopes.borrow_mut().declare(name);
        }
        let body = self.body(field(node, "body"));
        self.scopes.borrow_mut().close();
        Catch { at: at(node), types, name, body }
    }
}

fn assigned(target: Expr, value: Expr) -> StmtKind {
    StmtKind::Assign { targets: vec![target], value, declares: false, annotation: None }
}
