//! Python's statements to the small tree.

use super::tree::{at, child, children, errors_and_comments, text_of};
use crate::scan::ir::{
    Block, Case, Catch, Class, ExprKind, Function, Import, Language, Module, Param, ParamKind, Stmt, StmtKind,
};
use std::sync::Arc;
use tree_sitter::Node;

/// Lowers a text.
pub(super) fn lower(text: &str) -> Option<Module> {
    let tree = super::tree::parse(Language::Python, text)?;
    let root = tree.root_node();
    let (errors, comments) = errors_and_comments(root, text);
    let mut lowering = Python { text, imports: Vec::new(), depth: 0 };
    let body = lowering.block(root, false);
    Some(Module { language: Language::Python, body, imports: lowering.imports, comments, errors })
}

/// The state of one lowering.
pub(super) struct Python<'t> {
    pub(super) text: &'t str,
    pub(super) imports: Vec<Import>,
    pub(super) depth: usize,
}

impl Python<'_> {
    /// The statements of a block, or of the module.
    pub(super) fn block(&mut self, node: Node, in_class: bool) -> Block {
        let mut stmts = Vec::new();
        for inner in children(node) {
            self.stmt(inner, in_class, &mut stmts);
        }
        stmts.shrink_to_fit();
        Block { at: at(node), stmts }
    }

    fn block_of(&mut self, node: Node, field: &str) -> Block {
        child(node, field).map_or_else(Block::default, |body| self.block(body, false))
    }

    fn stmt(&mut self, node: Node, in_class: bool, out: &mut Vec<Stmt>) {
        if self.depth >= super::tree::MAX_DEPTH {
            return;
        }
        self.depth += 1;
        let kind = self.stmt_kind(node, in_class, out);
        self.depth -= 1;
        if let Some(kind) = kind {
            out.push(Stmt { at: at(node), kind });
        }
    }

    fn stmt_kind(&mut self, node: Node, in_class: bool, out: &mut Vec<Stmt>) -> Option<StmtKind> {
        Some(match node.kind() {
            "expression_statement" => {
                let inner: Vec<Node> = children(node).collect();
                match inner.as_slice() {
                    [only] if only.kind() == "assignment" => self.assignment(*only),
                    [only] if only.kind() == "augmented_assignment" => self.augmented(*only),
                    [only] => StmtKind::Expr(self.expr(*only)),
                    many => StmtKind::Other(many.iter().map(|one| self.expr(*one)).collect()),
                }
            }
            "return_statement" => StmtKind::Return(children(node).next().map(|value| self.expr(value))),
            "raise_statement" => StmtKind::Raise(children(node).next().map(|value| self.expr(value))),
            "break_statement" => StmtKind::Break,
            "continue_statement" => StmtKind::Continue,
            "pass_statement" | "comment" | "global_statement" | "nonlocal_statement"
            | "line_continuation" => {
                return None;
            }
            "delete_statement" => {
                let inner = children(node).next()?;
                let targets = if inner.kind() == "expression_list" {
                    children(inner).map(|one| self.expr(one)).collect()
                } else {
                    vec![self.expr(inner)]
                };
                StmtKind::Delete(targets)
            }
            "if_statement" => self.conditional(node),
            "for_statement" => StmtKind::Loop {
                target: child(node, "left").map(|target| Box::new(self.expr(target))),
                over: child(node, "right").map(|over| Box::new(self.expr(over))),
                test: None,
                body: self.block_of(node, "body"),
                other: self.alternative(node),
            },
            "while_statement" => StmtKind::Loop {
                target: None,
                over: None,
                test: child(node, "condition").map(|test| Box::new(self.expr(test))),
                body: self.block_of(node, "body"),
                other: self.alternative(node),
            },
            "try_statement" => self.attempt(node),
            "with_statement" => self.with(node),
            "function_definition" => StmtKind::Function(Arc::new(self.function(node, Vec::new(), in_class))),
            "class_definition" => StmtKind::Class(Arc::new(self.class(node, Vec::new()))),
            "decorated_definition" => return self.decorated(node, in_class),
            "import_statement" | "import_from_statement" | "future_import_statement" => {
                let imports = self.import(node);
                self.imports.extend(imports.iter().cloned());
                StmtKind::Import(imports)
            }
            "match_statement" => self.switch(node),
            "ERROR" => {
                // What the grammar could not place is still looked at, statement by statement.
                for inner in children(node) {
                    if inner.kind().ends_with("_statement") || inner.kind().ends_with("_definition") {
                        self.stmt(inner, in_class, out);
                    }
                }
                return None;
            }
            "block" => StmtKind::Block(self.block(node, in_class)),
            _ => StmtKind::Other(children(node).map(|inner| self.expr(inner)).collect()),
        })
    }

    fn decorated(&mut self, node: Node, in_class: bool) -> Option<StmtKind> {
        let decorators = children(node)
            .filter(|inner| inner.kind() == "decorator")
            .filter_map(|decorator| children(decorator).next())
            .map(|expr| self.expr(expr))
            .collect();
        let inner = child(node, "definition")?;
        Some(match inner.kind() {
            "class_definition" => StmtKind::Class(Arc::new(self.class(inner, decorators))),
            _ => StmtKind::Function(Arc::new(self.function(inner, decorators, in_class))),
        })
    }

    fn assignment(&mut self, node: Node) -> StmtKind {
        // Trees of a whole repository are held at once: no list is longer than what is in it.
        let mut targets = Vec::with_capacity(1);
        let annotation = child(node, "type").map(|kind| text_of(kind, self.text).to_owned());
        let declares = annotation.is_some();
        let mut here = node;
        loop {
            if let Some(left) = child(here, "left") {
                targets.push(self.expr(left));
            }
            match child(here, "right") {
                Some(right) if right.kind() == "assignment" => here = right,
                Some(right) => {
                    let value = self.expr(right);
                    return StmtKind::Assign { targets, value, declares, annotation };
                }
                None => {
                    let value = crate::scan::ir::Expr::new(at(node), ExprKind::Null);
                    return StmtKind::Assign { targets, value, declares, annotation };
                }
            }
        }
    }

    fn augmented(&mut self, node: Node) -> StmtKind {
        let (Some(left), Some(right)) = (child(node, "left"), child(node, "right")) else {
            return StmtKind::Other(Vec::new());
        };
        let op = child(node, "operator").map_or("", |op| text_of(op, self.text));
        StmtKind::Augment {
            target: Box::new(self.expr(left)),
            op: op.trim_end_matches('=').to_owned(),
            value: self.expr(right),
        }
    }

    fn conditional(&mut self, node: Node) -> StmtKind {
        let mut clauses: Vec<Node> = Vec::new();
        let mut cursor = node.walk();
        clauses.extend(node.children_by_field_name("alternative", &mut cursor));
        self.conditional_from(node, &clauses)
    }

    fn conditional_from(&mut self, node: Node, clauses: &[Node]) -> StmtKind {
        let test = child(node, "condition").map_or_else(
            || crate::scan::ir::Expr::new(at(node), ExprKind::Other(Vec::new())),
            |test| self.expr(test),
        );
        let then = self.block_of(node, "consequence");
        let other = match clauses.split_first() {
            None => Block::default(),
            Some((clause, _)) if clause.kind() == "else_clause" => self.block_of(*clause, "body"),
            Some((clause, rest)) => {
                let kind = self.conditional_from(*clause, rest);
                Block { at: at(*clause), stmts: vec![Stmt { at: at(*clause), kind }] }
            }
        };
        StmtKind::If { test, then, other }
    }

    fn alternative(&mut self, node: Node) -> Block {
        child(node, "alternative").map_or_else(Block::default, |clause| self.block_of(clause, "body"))
    }

    fn attempt(&mut self, node: Node) -> StmtKind {
        let body = self.block_of(node, "body");
        let (mut handlers, mut other, mut finally) = (Vec::new(), Block::default(), Block::default());
        for clause in children(node) {
            match clause.kind() {
                "except_clause" | "except_group_clause" => handlers.push(self.catch(clause)),
                "else_clause" => other = self.block_of(clause, "body"),
                "finally_clause" => {
                    if let Some(inner) = children(clause).find(|inner| inner.kind() == "block") {
                        finally = self.block(inner, false);
                    }
                }
                _ => {}
            }
        }
        StmtKind::Try { body, handlers, other, finally }
    }

    fn catch(&mut self, node: Node) -> Catch {
        let body = children(node)
            .find(|inner| inner.kind() == "block")
            .map_or_else(Block::default, |inner| self.block(inner, false));
        let mut value = child(node, "value");
        let mut name = child(node, "alias").map(|alias| text_of(alias, self.text).to_owned());
        if let Some(pattern) = value.filter(|value| value.kind() == "as_pattern") {
            name = child(pattern, "alias").map(|alias| text_of(alias, self.text).to_owned());
            value = children(pattern).next();
        }
        let types = match value {
            None => Vec::new(),
            Some(tuple) if tuple.kind() == "tuple" => children(tuple).map(|one| self.expr(one)).collect(),
            Some(one) => vec![self.expr(one)],
        };
        Catch { at: at(node), types, name, body }
    }

    fn with(&mut self, node: Node) -> StmtKind {
        let mut items = Vec::with_capacity(1);
        for clause in children(node).filter(|inner| inner.kind() == "with_clause") {
            for item in children(clause) {
                let Some(value) = child(item, "value") else { continue };
                if value.kind() == "as_pattern" {
                    let target = child(value, "alias").and_then(|alias| children(alias).next());
                    let expr = children(value).next().map(|inner| self.expr(inner));
                    let target = target.map(|target| self.expr(target));
                    items.extend(expr.map(|expr| (expr, target)));
                } else {
                    items.push((self.expr(value), None));
                }
            }
        }
        StmtKind::With { items, body: self.block_of(node, "body") }
    }

    fn function(&mut self, node: Node, decorators: Vec<crate::scan::ir::Expr>, is_method: bool) -> Function {
        let name = child(node, "name").map_or("", |name| text_of(name, self.text)).to_owned();
        let params = child(node, "parameters").map_or_else(Vec::new, |params| self.params(params));
        let is_async = node.child(0).is_some_and(|first| first.kind() == "async");
        let body = self.block_of(node, "body");
        Function {
            at: at(node),
            name,
            params,
            decorators,
            returns: None,
            body,
            is_expression: false,
            is_async,
            is_method,
        }
    }

    /// The parameters of a function or lambda.
    pub(super) fn params(&mut self, node: Node) -> Vec<Param> {
        let mut params: Vec<Param> = children(node).filter_map(|param| self.param(param)).collect();
        params.shrink_to_fit();
        params
    }

    fn param(&mut self, node: Node) -> Option<Param> {
        let named = match node.kind() {
            "identifier" | "list_splat_pattern" | "dictionary_splat_pattern" => node,
            "default_parameter" | "typed_default_parameter" => child(node, "name")?,
            "typed_parameter" => children(node).next()?,
            _ => return None,
        };
        let kind = match named.kind() {
            "list_splat_pattern" => ParamKind::Rest,
            "dictionary_splat_pattern" => ParamKind::KeywordRest,
            _ => ParamKind::Plain,
        };
        Some(Param {
            at: at(node),
            name: text_of(named, self.text).trim_start_matches('*').to_owned(),
            pattern: None,
            annotation: child(node, "type").map(|kind| text_of(kind, self.text).to_owned()),
            default: child(node, "value").map(|value| self.expr(value)),
            kind,
            decorators: Vec::new(),
        })
    }

    fn class(&mut self, node: Node, decorators: Vec<crate::scan::ir::Expr>) -> Class {
        let name = child(node, "name").map_or("", |name| text_of(name, self.text)).to_owned();
        let bases = child(node, "superclasses")
            .map_or_else(Vec::new, |bases| children(bases).map(|base| self.expr(base)).collect());
        let body = child(node, "body").map_or_else(Block::default, |body| self.block(body, true));
        Class { at: at(node), name, bases, decorators, body }
    }

    fn import(&mut self, node: Node) -> Vec<Import> {
        let from = child(node, "module_name").map(|module| text_of(module, self.text).replace(' ', ""));
        let mut imports = Vec::new();
        let mut cursor = node.walk();
        let names: Vec<Node> = node.children_by_field_name("name", &mut cursor).collect();
        for name in names {
            let (full, alias) = if name.kind() == "aliased_import" {
                let full = child(name, "name").map_or("", |full| text_of(full, self.text));
                (full, child(name, "alias").map(|alias| text_of(alias, self.text)))
            } else {
                (text_of(name, self.text), None)
            };
            imports.push(match &from {
                Some(module) => Import {
                    at: at(node),
                    local: alias.unwrap_or(full).to_owned(),
                    module: module.clone(),
                    member: Some(full.to_owned()),
                },
                // `import a.b` binds `a`, which then leads to `a.b`.
                None => Import {
                    at: at(node),
                    local: alias.unwrap_or_else(|| full.split('.').next().unwrap_or(full)).to_owned(),
                    module: if alias.is_some() {
                        full.to_owned()
                    } else {
                        full.split('.').next().unwrap_or(full).to_owned()
                    },
                    member: None,
                },
            });
        }
        if children(node).any(|inner| inner.kind() == "wildcard_import") {
            imports.push(Import {
                at: at(node),
                local: "*".to_owned(),
                module: from.unwrap_or_default(),
                member: None,
            });
        }
        imports
    }

    fn switch(&mut self, node: Node) -> StmtKind {
        let mut cursor = node.walk();
        let subjects: Vec<Node> = node.children_by_field_name("subject", &mut cursor).collect();
        let subject = subjects.first().map_or_else(
            || crate::scan::ir::Expr::new(at(node), ExprKind::Other(Vec::new())),
            |subject| self.expr(*subject),
        );
        let body = child(node, "body").unwrap_or(node);
        let mut cases = Vec::new();
        for clause in children(body).filter(|inner| inner.kind() == "case_clause") {
            let pattern = children(clause).find(|inner| inner.kind() == "case_pattern");
            let guarded = child(clause, "guard").is_some();
            let whole = pattern.map_or("", |pattern| text_of(pattern, self.text).trim());
            let is_default = !guarded && is_capture(whole);
            let values = match pattern {
                Some(pattern) if !is_default && !guarded => self.case_values(pattern),
                _ => Vec::new(),
            };
            let body = self.block_of(clause, "consequence");
            cases.push(Case { at: at(clause), values, is_default, body });
        }
        StmtKind::Switch { subject, cases, falls_through: false }
    }

    /// The constants a pattern stands for; none when it is not made of constants alone.
    fn case_values(&mut self, pattern: Node) -> Vec<crate::scan::ir::Expr> {
        let mut values = Vec::new();
        let mut open = vec![pattern];
        while let Some(node) = open.pop() {
            match node.kind() {
                "case_pattern" | "union_pattern" => open.extend(children(node)),
                "string" | "concatenated_string" | "integer" | "float" | "true" | "false" | "none" => {
                    values.push(self.expr(node));
                }
                _ => return Vec::new(),
            }
        }
        values
    }
}

/// `_` or a bare name: takes whatever is left.
fn is_capture(pattern: &str) -> bool {
    !pattern.is_empty()
        && !matches!(pattern, "True" | "False" | "None")
        && pattern.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
        && !pattern.starts_with(|letter: char| letter.is_ascii_digit())
}
