//! JavaScript and TypeScript to the small tree: the file, its blocks and statements.

mod declare;
mod expr;
mod import;

use super::tree::{at, child as field, errors_and_comments, parse, text_of};
use crate::scan::ir::{At, Block, Case, Catch, Expr, ExprKind, Import, Language, Module, Stmt, StmtKind};
use std::cell::{Cell, RefCell};
use tree_sitter::Node;

/// Deeper nesting than this is not entered: no program people write has it.
const DEEPEST: usize = 300;

/// Lowers a text.
pub(super) fn lower(language: Language, text: &str) -> Option<Module> {
    let tree = parse(language, text)?;
    let root = tree.root_node();
    let lowering = Lowering { text, imports: RefCell::new(Vec::new()), depth: Cell::new(0) };
    let body = lowering.block_of(root, named(root));
    let (errors, comments) = errors_and_comments(root, text);
    Some(Module { language, body, imports: lowering.imports.into_inner(), comments, errors })
}

/// What a lowering carries along.
struct Lowering<'s> {
    text: &'s str,
    imports: RefCell<Vec<Import>>,
    depth: Cell<usize>,
}

/// Named children, comments left out.
fn named(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !is_comment(*child)).collect()
}

fn is_comment(node: Node<'_>) -> bool {
    matches!(node.kind(), "comment" | "html_comment")
}

impl<'s> Lowering<'s> {
    fn str(&self, node: Node<'_>) -> &'s str {
        text_of(node, self.text)
    }

    /// Runs a step one level deeper, or gives up with `fallback`.
    fn deeper<T>(&self, fallback: impl FnOnce() -> T, step: impl FnOnce() -> T) -> T {
        if self.depth.get() >= DEEPEST {
            return fallback();
        }
        self.depth.set(self.depth.get() + 1);
        let out = step();
        self.depth.set(self.depth.get() - 1);
        out
    }

    fn block_of(&self, node: Node<'_>, statements: Vec<Node<'_>>) -> Block {
        let place = match node.kind() {
            "statement_block" | "class_body" => {
                At::new(node.start_byte() + 1, node.end_byte().saturating_sub(1).max(node.start_byte() + 1))
            }
            _ => at(node),
        };
        let mut stmts = Vec::new();
        for statement in statements {
            self.statement(statement, &mut stmts);
        }
        stmts.shrink_to_fit();
        Block { at: place, stmts }
    }

    /// The body of a construct: a block, or a single statement.
    fn body(&self, node: Option<Node<'_>>) -> Block {
        match node {
            None => Block::default(),
            Some(node) if node.kind() == "statement_block" => self.block_of(node, named(node)),
            Some(node) if node.kind() == "else_clause" => self.body(named(node).into_iter().next()),
            Some(node) => self.block_of(node, vec![node]),
        }
    }

    fn statement(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        self.deeper(|| (), || self.statement_within(node, out));
    }

    fn statement_within(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        let place = at(node);
        let mut push = |kind| out.push(Stmt { at: place, kind });
        match node.kind() {
            "expression_statement" => {
                if let Some(expression) = named(node).first() {
                    push(self.expression_statement(*expression));
                }
            }
            "lexical_declaration" | "variable_declaration" => self.declaration(node, out),
            "function_declaration" | "generator_function_declaration" => {
                push(StmtKind::Function(self.function(node, Vec::new(), false)));
            }
            "class_declaration" | "abstract_class_declaration" => {
                push(StmtKind::Class(self.class(node, Vec::new())));
            }
            "import_statement" => push(StmtKind::Import(self.import(node))),
            "export_statement" => self.export(node, out),
            "if_statement" => push(StmtKind::If {
                test: self.field_expr(node, "condition"),
                then: self.body(field(node, "consequence")),
                other: self.body(field(node, "alternative")),
            }),
            "for_statement" => self.for_loop(node, out),
            "for_in_statement" => push(StmtKind::Loop {
                target: field(node, "left").map(|left| Box::new(self.target(left))),
                over: field(node, "right").map(|right| Box::new(self.expr(right))),
                test: None,
                body: self.body(field(node, "body")),
                other: Block::default(),
            }),
            "while_statement" | "do_statement" => push(StmtKind::Loop {
                target: None,
                over: None,
                test: field(node, "condition").map(|test| Box::new(self.expr(test))),
                body: self.body(field(node, "body")),
                other: Block::default(),
            }),
            "return_statement" => push(StmtKind::Return(named(node).first().map(|value| self.expr(*value)))),
            "throw_statement" => push(StmtKind::Raise(named(node).first().map(|value| self.expr(*value)))),
            "break_statement" => push(StmtKind::Break),
            "continue_statement" => push(StmtKind::Continue),
            "try_statement" => push(self.try_statement(node)),
            "switch_statement" => push(self.switch(node)),
            "statement_block" | "class_static_block" => {
                let block = field(node, "body").unwrap_or(node);
                push(StmtKind::Block(self.block_of(block, named(block))));
            }
            "labeled_statement" | "internal_module" | "module" => {
                push(StmtKind::Block(self.body(field(node, "body"))));
            }
            "enum_declaration" => push(self.enumeration(node)),
            "ambient_declaration" => {
                for child in named(node) {
                    self.statement(child, out);
                }
            }
            "empty_statement"
            | "interface_declaration"
            | "type_alias_declaration"
            | "hash_bang_line"
            | "debugger_statement"
            | "function_signature"
            | "import_alias" => {}
            _ => push(StmtKind::Other(named(node).into_iter().map(|child| self.expr(child)).collect())),
        }
    }

    fn expression_statement(&self, node: Node<'_>) -> StmtKind {
        match node.kind() {
            "assignment_expression" => {
                let mut targets = Vec::new();
                let mut value = node;
                while value.kind() == "assignment_expression" {
                    let (Some(left), Some(right)) = (field(value, "left"), field(value, "right")) else {
                        break;
                    };
                    targets.push(self.target(left));
                    value = right;
                }
                StmtKind::Assign { targets, value: self.expr(value), declares: false, annotation: None }
            }
            "augmented_assignment_expression" => StmtKind::Augment {
                target: Box::new(self.field_expr(node, "left")),
                op: field(node, "operator").map_or("", |op| self.str(op)).trim_end_matches('=').to_owned(),
                value: self.field_expr(node, "right"),
            },
            "update_expression" => StmtKind::Augment {
                target: Box::new(self.field_expr(node, "argument")),
                op: if self.str(node).contains("--") { "-" } else { "+" }.to_owned(),
                value: Expr::new(at(node), ExprKind::Number("1".into())),
            },
            "unary_expression" if self.str(node).starts_with("delete") => {
                StmtKind::Delete(vec![self.field_expr(node, "argument")])
            }
            "function_expression" | "internal_module" if field(node, "name").is_some() => {
                if node.kind() == "internal_module" {
                    StmtKind::Block(self.body(field(node, "body")))
                } else {
                    StmtKind::Function(self.function(node, Vec::new(), false))
                }
            }
            _ => StmtKind::Expr(self.expr(node)),
        }
    }

    fn export(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        if let Some(declaration) = field(node, "declaration") {
            let decorators = self.decorators(node);
            if matches!(declaration.kind(), "class_declaration" | "abstract_class_declaration") {
                let class = self.class(declaration, decorators);
                out.push(Stmt { at: at(node), kind: StmtKind::Class(class) });
            } else {
                self.statement(declaration, out);
            }
        } else if let Some(value) = field(node, "value") {
            out.push(Stmt { at: at(node), kind: self.expression_statement(value) });
        } else if let Some(inner) =
            named(node).into_iter().find(|c| c.kind() != "export_clause" && c.kind() != "string")
        {
            // `export = value` of TypeScript.
            out.push(Stmt { at: at(node), kind: StmtKind::Other(vec![self.expr(inner)]) });
        }
    }

    fn for_loop(&self, node: Node<'_>, out: &mut Vec<Stmt>) {
        if let Some(start) = field(node, "initializer") {
            if start.kind().ends_with("declaration") || start.kind() == "expression_statement" {
                self.statement(start, out);
            } else if start.kind() != "empty_statement" {
                out.push(Stmt { at: at(start), kind: self.expression_statement(start) });
            }
        }
        let mut body = self.body(field(node, "body"));
        if let Some(step) = field(node, "increment") {
            body.stmts.push(Stmt { at: at(step), kind: self.expression_statement(step) });
        }
        let test = field(node, "condition").map(|test| match test.kind() {
            "expression_statement" => named(test).first().copied().unwrap_or(test),
            _ => test,
        });
        let test = test.filter(|test| test.kind() != "empty_statement").map(|test| Box::new(self.expr(test)));
        out.push(Stmt {
            at: at(node),
            kind: StmtKind::Loop { target: None, over: None, test, body, other: Block::default() },
        });
    }

    fn try_statement(&self, node: Node<'_>) -> StmtKind {
        let handlers = field(node, "handler")
            .map(|clause| Catch {
                at: at(clause),
                types: Vec::new(),
                name: field(clause, "parameter")
                    .filter(|parameter| parameter.kind() == "identifier")
                    .map(|parameter| self.str(parameter).to_owned()),
                body: self.body(field(clause, "body")),
            })
            .into_iter()
            .collect();
        StmtKind::Try {
            body: self.body(field(node, "body")),
            handlers,
            other: Block::default(),
            finally: self.body(field(node, "finalizer").and_then(|clause| field(clause, "body"))),
        }
    }

    fn switch(&self, node: Node<'_>) -> StmtKind {
        let cases = field(node, "body").map(named).unwrap_or_default();
        let cases = cases
            .into_iter()
            .map(|case| {
                let value = field(case, "value");
                let body = named(case).into_iter().filter(|child| Some(*child) != value).collect();
                Case {
                    at: at(case),
                    values: value.map(|value| self.expr(value)).into_iter().collect(),
                    is_default: case.kind() == "switch_default",
                    body: self.block_of(case, body),
                }
            })
            .collect();
        StmtKind::Switch { subject: self.field_expr(node, "value"), cases, falls_through: true }
    }

    fn field_expr(&self, node: Node<'_>, name: &str) -> Expr {
        field(node, name)
            .map_or_else(|| Expr::new(at(node), ExprKind::Other(Vec::new())), |child| self.expr(child))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowered(language: Language, text: &str) -> Module {
        lower(language, text).expect("a tree")
    }

    #[test]
    fn every_way_to_import_is_one() {
        fn check(text: &str, local: &str, dotted: &str) {
            let module = lowered(Language::TypeScript, text);
            let import = module.imports.iter().find(|import| import.local == local);
            assert_eq!(import.map(Import::dotted).as_deref(), Some(dotted), "{text}");
        }
        check("const cp = require('child_process');", "cp", "child_process");
        check("const { exec: run } = require('node:child_process');", "run", "child_process.exec");
        check("const read = require('fs').promises;", "read", "fs.promises");
        check("import express from 'express';", "express", "express");
        check("import * as fs from 'node:fs';", "fs", "fs");
        check("import { exec as run } from 'child_process';", "run", "child_process.exec");
        check("import db = require('./db');", "db", "./db");
        check(
            "const { exec } = require('child_process');\nconst run = promisify(exec);",
            "run",
            "child_process.exec",
        );
        check("require('fs').readFile(x);", "require(fs)", "fs");
    }

    #[test]
    fn patterns_keys_and_defaults_are_targets() {
        let module = lowered(Language::JavaScript, "const { a, b: c = 1, ...rest } = req.body;");
        let StmtKind::Assign { targets, declares, .. } = &module.body.stmts[0].kind else {
            panic!("an assignment")
        };
        assert!(declares);
        let ExprKind::Map(entries) = &targets[0].kind else { panic!("a pattern") };
        let keys: Vec<Option<String>> =
            entries.iter().map(|e| e.key.as_ref().and_then(Expr::as_text)).collect();
        assert_eq!(keys, [Some("a".to_owned()), Some("b".to_owned()), None]);
    }

    #[test]
    fn decorated_parameters_keep_their_decorators() {
        let text = "@Controller('x')\nexport class X {\n  constructor(private readonly db: Pool) {}\n  @Get(':id')\n  one(@Param('id') id: string) { return id; }\n}";
        let module = lowered(Language::TypeScript, text);
        let StmtKind::Class(class) = &module.body.stmts[0].kind else { panic!("a class") };
        assert_eq!(class.decorators.len(), 1);
        let methods: Vec<_> = class
            .body
            .stmts
            .iter()
            .filter_map(|stmt| match &stmt.kind {
                StmtKind::Function(function) => Some(function),
                _ => None,
            })
            .collect();
        assert_eq!(methods[1].decorators.len(), 1);
        assert_eq!(methods[1].params[0].decorators.len(), 1);
        assert_eq!(methods[1].params[0].annotation.as_deref(), Some("string"));
    }

    #[test]
    fn broken_and_bottomless_texts_still_give_a_tree() {
        assert!(lowered(Language::JavaScript, "function ( {").errors > 0);
        let deep = format!("x = {}1{}", "(".repeat(5000), ")".repeat(5000));
        assert_eq!(lowered(Language::JavaScript, &deep).body.stmts.len(), 1);
        let long = format!("x = {}'z'", "'a' + ".repeat(3000));
        assert_eq!(lowered(Language::JavaScript, &long).body.stmts.len(), 1);
        assert_eq!(lowered(Language::Tsx, "const a = <p title={x}>{y}</p>;").errors, 0);
    }
}
