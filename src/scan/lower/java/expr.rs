//! Expressions.

use super::scope::Meaning;
use super::{Lowering, at, field, named};
use crate::scan::ir::{
    Arg, At, Block, Call, Expr, ExprKind, Function, ListKind, Param, ParamKind, Stmt, StmtKind,
};
use std::sync::Arc;
use tree_sitter::Node;

impl Lowering<'_> {
    pub(super) fn field_expr(&self, node: Node<'_>, name: &str) -> Expr {
        field(node, name).map_or_else(
            || Expr::new(At::new(node.end_byte(), node.end_byte()), ExprKind::Null),
            |child| self.expr(child),
        )
    }

    fn boxed(&self, node: Node<'_>, name: &str) -> Box<Expr> {
        Box::new(self.field_expr(node, name))
    }

    pub(super) fn expr(&self, node: Node<'_>) -> Expr {
        let mut inner = node;
        loop {
            let next = match inner.kind() {
                "parenthesized_expression" => named(inner).next(),
                // A cast to a number leaves no text; every other one leaves the value as it is.
                "cast_expression" if !self.is_numeric_cast(inner) => field(inner, "value"),
                _ => None,
            };
            match next {
                Some(next) => inner = next,
                None => break,
            }
        }
        let kind = self.deeper(|| ExprKind::Other(Vec::new()), || self.expr_kind(inner));
        Expr { at: at(inner), outer: at(node), kind }
    }

    fn expr_kind(&self, node: Node<'_>) -> ExprKind {
        match node.kind() {
            "identifier" | "type_identifier" => self.name(node),
            "this" | "super" => ExprKind::Name(node.kind().to_owned()),
            "string_literal" | "character_literal" => ExprKind::Text(self.text_literal(node)),
            "true" | "false" => ExprKind::Bool(node.kind() == "true"),
            "null_literal" => ExprKind::Null,
            kind if kind.ends_with("_literal") && kind != "class_literal" => {
                ExprKind::Number(self.str(node).trim_end_matches(['l', 'L']).to_owned())
            }
            "field_access" => self.member(node),
            "scoped_type_identifier" | "generic_type" => ExprKind::Name(self.type_name(node)),
            "class_literal" => {
                let kind =
                    named(node).next().map(|kind| Expr::new(at(kind), ExprKind::Name(self.type_name(kind))));
                kind.map_or(ExprKind::Null, |object| ExprKind::Member {
                    name_at: at(node),
                    object: Box::new(object),
                    name: "class".into(),
                })
            }
            "array_access" => {
                ExprKind::Index { object: self.boxed(node, "array"), index: self.boxed(node, "index") }
            }
            "method_invocation" => self.call(node),
            "object_creation_expression" => self.creation(node),
            "array_creation_expression" => self.array(node),
            "array_initializer" | "element_value_array_initializer" => ExprKind::List {
                kind: ListKind::List,
                items: named(node).map(|item| self.expr(item)).collect(),
            },
            "assignment_expression" => self.assignment(node),
            "update_expression" => self.update(node),
            "binary_expression" => {
                let op = field(node, "operator").map_or("", |op| self.str(op));
                // Whole numbers are divided as whole numbers.
                let op = if op == "/" { "//" } else { op };
                ExprKind::Binary {
                    op: op.to_owned(),
                    left: self.boxed(node, "left"),
                    right: self.boxed(node, "right"),
                }
            }
            "unary_expression" => ExprKind::Unary {
                op: field(node, "operator").map_or("", |op| self.str(op)).to_owned(),
                operand: self.boxed(node, "operand"),
            },
            "instanceof_expression" => self.instance_of(node),
            "ternary_expression" => ExprKind::Conditional {
                test: self.boxed(node, "condition"),
                then: self.boxed(node, "consequence"),
                other: self.boxed(node, "alternative"),
            },
            "cast_expression" => self.cast(node),
            "lambda_expression" => ExprKind::Lambda(self.lambda(node)),
            "method_reference" => self.reference(node),
            "switch_expression" => self.switch_value(node),
            "annotation" | "marker_annotation" => self.annotation(node).kind,
            _ => ExprKind::Other(named(node).map(|child| self.expr(child)).collect()),
        }
    }

    /// A bare name: a local, a field, or a type.
    fn name(&self, node: Node<'_>) -> ExprKind {
        let name = self.str(node);
        match self.scopes.borrow().field(name) {
            Meaning::Plain => ExprKind::Name(name.to_owned()),
            meaning => Self::member_of(node, name, &meaning),
        }
    }

    fn member_of(node: Node<'_>, name: &str, meaning: &Meaning) -> ExprKind {
        let before = At::new(node.start_byte(), node.start_byte());
        let holder = match meaning {
            Meaning::OfClass(class) => class.clone(),
            _ => "this".to_owned(),
        };
        ExprKind::Member {
            object: Box::new(Expr::new(before, ExprKind::Name(holder))),
            name: name.to_owned(),
            name_at: at(node),
        }
    }

    /// The type that a chain of names stands for: `java.net.URLDecoder`.
    fn qualified(&self, node: Node<'_>) -> Option<String> {
        let written = self.str(node);
        let mut parts = written.split('.').map(str::trim);
        let first = parts.next()?;
        let is_package = |part: &str| part.starts_with(|letter: char| letter.is_ascii_lowercase());
        if !is_package(first) || self.scopes.borrow().is_local(first) || written.contains(['(', '[', '"']) {
            return None;
        }
        if self.scopes.borrow().field(first) != Meaning::Plain {
            return None;
        }
        let parts: Vec<&str> = written.split('.').map(str::trim).collect();
        let (last, package) = parts.split_last()?;
        let is_type = last.starts_with(|letter: char| letter.is_ascii_uppercase());
        if !is_type || !package.iter().all(|part| is_package(part)) {
            return None;
        }
        self.mention(at(node), &package.join("."));
        Some((*last).to_owned())
    }

    fn member(&self, node: Node<'_>) -> ExprKind {
        if let Some(kind) = self.qualified(node) {
            return ExprKind::Name(kind);
        }
        let Some(name) = field(node, "field") else { return ExprKind::Other(Vec::new()) };
        // `Outer.this`
        if name.kind() == "this" {
            return ExprKind::Name("this".into());
        }
        ExprKind::Member {
            object: self.boxed(node, "object"),
            name: self.str(name).to_owned(),
            name_at: at(name),
        }
    }

    fn call(&self, node: Node<'_>) -> ExprKind {
        let (Some(name), Some(list)) = (field(node, "name"), field(node, "arguments")) else {
            return ExprKind::Other(named(node).map(|child| self.expr(child)).collect());
        };
        let written = self.str(name);
        let callee = if let Some(object) = field(node, "object") {
            let kind = ExprKind::Member {
                object: Box::new(self.expr(object)),
                name: written.to_owned(),
                name_at: at(name),
            };
            Expr::new(At::new(node.start_byte(), name.end_byte()), kind)
        } else {
            let imported = self.imports.borrow().iter().any(|import| import.local == written);
            let meaning = self.scopes.borrow().method(written);
            let kind = match meaning {
                Some(meaning) => Self::member_of(name, written, &meaning),
                None if imported => ExprKind::Name(written.to_owned()),
                None => Self::member_of(name, written, &Meaning::OfThis),
            };
            Expr::new(at(name), kind)
        };
        let args = self.arguments(list);
        ExprKind::Call(Box::new(Call { callee, args, args_at: at(list), is_new: false, is_tag: false }))
    }

    pub(super) fn arguments(&self, list: Node<'_>) -> Vec<Arg> {
        named(list)
            .map(|argument| Arg {
                at: at(argument),
                name: None,
                value: self.expr(argument),
                is_keyword_spread: false,
            })
            .collect()
    }

    /// `super(…)`, `this(…)` at the start of a constructor.
    pub(super) fn constructor_call(&self, node: Node<'_>) -> Expr {
        let name = field(node, "constructor").map_or("super", |name| self.str(name));
        let place = field(node, "constructor").map_or(at(node), at);
        let list = field(node, "arguments");
        let call = Call {
            callee: Expr::new(place, ExprKind::Name(name.to_owned())),
            args: list.map(|list| self.arguments(list)).unwrap_or_default(),
            args_at: list.map_or(place, at),
            is_new: false,
            is_tag: false,
        };
        Expr::new(at(node), ExprKind::Call(Box::new(call)))
    }

    fn creation(&self, node: Node<'_>) -> ExprKind {
        let (Some(kind), Some(list)) = (field(node, "type"), field(node, "arguments")) else {
            return ExprKind::Other(named(node).map(|child| self.expr(child)).collect());
        };
        let named_type = Expr::new(at(kind), ExprKind::Name(self.type_name(kind)));
        let args = self.arguments(list);
        let body = named(node).find(|child| child.kind() == "class_body");
        let callee = match body {
            Some(body) => Expr::new(at(kind), ExprKind::Class(self.anonymous(named_type, body))),
            None => named_type,
        };
        ExprKind::Call(Box::new(Call { callee, args, args_at: at(list), is_new: true, is_tag: false }))
    }

    /// `new String[] {…}`, `new String[3]`.
    fn array(&self, node: Node<'_>) -> ExprKind {
        if let Some(value) = field(node, "value") {
            return self.expr_kind(value);
        }
        let length = named(node).find(|child| child.kind() == "dimensions_expr").and_then(|dimension| {
            named(dimension).next().and_then(|length| self.str(length).parse::<usize>().ok())
        });
        let place = At::new(node.end_byte(), node.end_byte());
        let count = length.filter(|length| *length <= 32).unwrap_or(0);
        let items = (0..count).map(|_| Expr::new(place, ExprKind::Null)).collect();
        ExprKind::List { kind: ListKind::List, items }
    }

    fn assignment(&self, node: Node<'_>) -> ExprKind {
        let op = field(node, "operator").map_or("=", |op| self.str(op));
        let value = if op == "=" {
            self.boxed(node, "right")
        } else {
            let kind = ExprKind::Binary {
                op: op.trim_end_matches('=').to_owned(),
                left: self.boxed(node, "left"),
                right: self.boxed(node, "right"),
            };
            Box::new(Expr::new(at(node), kind))
        };
        ExprKind::Assign { target: self.boxed(node, "left"), value }
    }

    /// `i++` as a value: the new one, which is right for taint.
    fn update(&self, node: Node<'_>) -> ExprKind {
        let Some(operand) = named(node).next() else { return ExprKind::Other(Vec::new()) };
        let op = if self.str(node).contains("--") { "-" } else { "+" };
        let one = Expr::new(at(node), ExprKind::Number("1".into()));
        let kind =
            ExprKind::Binary { op: op.to_owned(), left: Box::new(self.expr(operand)), right: Box::new(one) };
        ExprKind::Assign { target: Box::new(self.expr(operand)), value: Box::new(Expr::new(at(node), kind)) }
    }

    /// `x instanceof T`, `x instanceof T name`.
    fn instance_of(&self, node: Node<'_>) -> ExprKind {
        let kind =
            field(node, "right").or_else(|| field(node, "pattern").and_then(|pattern| named(pattern).next()));
        let kind = kind.map_or(ExprKind::Null, |kind| ExprKind::Name(self.type_name(kind)));
        let mut left = self.field_expr(node, "left");
        if let Some(name) = field(node, "name") {
            self.scopes.borrow_mut().declare(self.str(name));
            let target = Expr::new(at(name), ExprKind::Name(self.str(name).to_owned()));
            let place = left.at;
            left = Expr::new(place, ExprKind::Assign { target: Box::new(target), value: Box::new(left) });
        }
        let right = Expr::new(At::new(node.end_byte(), node.end_byte()), kind);
        ExprKind::Binary { op: "instanceof".into(), left: Box::new(left), right: Box::new(right) }
    }

    fn is_numeric_cast(&self, node: Node<'_>) -> bool {
        let kind = field(node, "type").map_or("", |kind| self.str(kind));
        matches!(kind, "int" | "long" | "short" | "byte" | "double" | "float" | "boolean")
    }

    fn cast(&self, node: Node<'_>) -> ExprKind {
        let kind = field(node, "type").map_or("", |kind| self.str(kind));
        ExprKind::Unary { op: format!("({kind})"), operand: self.boxed(node, "value") }
    }

    fn lambda(&self, node: Node<'_>) -> Arc<Function> {
        self.scopes.borrow_mut().open();
        let params: Vec<Param> = match field(node, "parameters") {
            Some(one) if one.kind() == "identifier" => {
                self.scopes.borrow_mut().declare(self.str(one));
                vec![Param {
                    at: at(one),
                    name: self.str(one).to_owned(),
                    pattern: None,
                    annotation: None,
                    default: None,
                    kind: ParamKind::Plain,
                    decorators: Vec::new(),
                }]
            }
            Some(list) => named(list).filter_map(|param| self.param(param)).collect(),
            None => Vec::new(),
        };
        let body = field(node, "body");
        let is_expression = body.is_some_and(|body| body.kind() != "block");
        let block = match body {
            Some(body) if is_expression => {
                let place = at(body);
                let kind = StmtKind::Return(Some(self.expr(body)));
                Block { at: place, stmts: vec![Stmt { at: place, kind }] }
            }
            body => self.body(body),
        };
        self.scopes.borrow_mut().close();
        Arc::new(Function {
            at: at(node),
            name: String::new(),
            params,
            decorators: Vec::new(),
            returns: None,
            body: block,
            is_expression,
            is_async: false,
            is_method: false,
        })
    }

    /// `Type::method`, `this::method`.
    fn reference(&self, node: Node<'_>) -> ExprKind {
        let parts: Vec<Node<'_>> = named(node).collect();
        let written = self.str(node);
        let name = written.rsplit("::").next().unwrap_or("").trim().to_owned();
        let Some(holder) = parts.first() else { return ExprKind::Name(name) };
        ExprKind::Member {
            object: Box::new(self.expr(*holder)),
            name,
            name_at: parts.last().map_or(at(node), |last| at(*last)),
        }
    }
}
