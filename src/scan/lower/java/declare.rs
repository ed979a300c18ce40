//! Classes, interfaces, enums and records with their fields, methods and constructors.

use super::scope::ClassScope;
use super::{Lowering, at, field, named};
use crate::scan::ir::{
    Arg, At, Block, Call, Class, Expr, ExprKind, Function, Param, ParamKind, Stmt, StmtKind,
};
use std::sync::Arc;
use tree_sitter::Node;

/// Name under which constructors stand in a class.
const CONSTRUCTOR: &str = "constructor";

impl Lowering<'_> {
    fn modifiers(node: Node<'_>) -> Option<Node<'_>> {
        named(node).find(|child| child.kind() == "modifiers")
    }

    fn is_static(&self, node: Node<'_>) -> bool {
        Self::modifiers(node).is_some_and(|words| self.str(words).split_whitespace().any(|w| w == "static"))
    }

    /// Annotations, and `static` and `abstract` as bare names.
    fn decorators(&self, node: Node<'_>) -> Vec<Expr> {
        let Some(words) = Self::modifiers(node) else { return Vec::new() };
        let mut cursor = words.walk();
        words
            .children(&mut cursor)
            .filter_map(|word| match word.kind() {
                "annotation" | "marker_annotation" => Some(self.annotation(word)),
                "static" | "abstract" => Some(Expr::new(at(word), ExprKind::Name(word.kind().to_owned()))),
                _ => None,
            })
            .collect()
    }

    /// `@Name`, `@Name(value)`, `@Name(key = value)`.
    pub(super) fn annotation(&self, node: Node<'_>) -> Expr {
        let name = field(node, "name").map_or("", |name| self.str(name));
        let name_at = field(node, "name").map_or(at(node), at);
        let simple = name.rsplit('.').next().unwrap_or(name).to_owned();
        let callee = Expr::new(name_at, ExprKind::Name(simple));
        let Some(list) = field(node, "arguments") else { return callee };
        let args = named(list)
            .map(|argument| {
                let (name, value) = if argument.kind() == "element_value_pair" {
                    let key = field(argument, "key").map(|key| self.str(key).to_owned());
                    (key, field(argument, "value").unwrap_or(argument))
                } else {
                    (None, argument)
                };
                Arg { at: at(argument), name, value: self.expr(value), is_keyword_spread: false }
            })
            .collect();
        let call = Call { callee, args, args_at: at(list), is_new: false, is_tag: false };
        Expr::new(at(node), ExprKind::Call(Box::new(call)))
    }

    /// A class, interface, enum or record; its members become statements of its body.
    pub(super) fn class(&self, node: Node<'_>) -> Arc<Class> {
        let name = field(node, "name").map_or_else(String::new, |name| self.str(name).to_owned());
        let mut bases = Vec::new();
        if let Some(parent) = field(node, "superclass") {
            bases.extend(named(parent).map(|kind| self.type_expr(kind)));
        }
        let lists = field(node, "interfaces")
            .into_iter()
            .chain(named(node).filter(|child| child.kind() == "extends_interfaces"));
        for list in lists {
            for types in named(list) {
                bases.extend(named(types).map(|kind| self.type_expr(kind)));
            }
        }
        let mut decorators = self.decorators(node);
        if node.kind() == "interface_declaration" {
            decorators.push(Expr::new(at(node), ExprKind::Name("interface".into())));
        }
        let parts = field(node, "parameters").filter(|_| node.kind() == "record_declaration");
        let body = field(node, "body");
        self.class_of(at(node), name, bases, decorators, body, parts)
    }

    /// The class an anonymous body stands for.
    pub(super) fn anonymous(&self, base: Expr, body: Node<'_>) -> Arc<Class> {
        self.class_of(at(body), String::new(), vec![base], Vec::new(), Some(body), None)
    }

    fn type_expr(&self, node: Node<'_>) -> Expr {
        Expr::new(at(node), ExprKind::Name(self.type_name(node)))
    }

    fn class_of(
        &self,
        place: At,
        name: String,
        bases: Vec<Expr>,
        decorators: Vec<Expr>,
        body: Option<Node<'_>>,
        components: Option<Node<'_>>,
    ) -> Arc<Class> {
        let members: Vec<Node<'_>> = body.map(members).unwrap_or_default();
        let mut scope = ClassScope { name: name.clone(), ..ClassScope::default() };
        for member in &members {
            self.survey(*member, &mut scope);
        }
        if let Some(list) = components {
            for part in named(list) {
                if let Some(part) = field(part, "name") {
                    scope.fields.insert(self.str(part).to_owned(), false);
                }
            }
        }
        self.scopes.borrow_mut().enter(scope);
        let mut stmts = Vec::new();
        let mut starts: Vec<Stmt> = Vec::new();
        for member in &members {
            self.declared(*member, &mut stmts, &mut starts);
        }
        if let Some(list) = components {
            self.record_parts(list, &mut stmts);
        }
        Self::begin(place, &starts, &mut stmts);
        self.scopes.borrow_mut().leave();
        let block_at = body.map_or(place, |body| {
            At::new(body.start_byte() + 1, body.end_byte().saturating_sub(1).max(body.start_byte() + 1))
        });
        Arc::new(Class { at: place, name, bases, decorators, body: Block { at: block_at, stmts } })
    }

    /// Notes what a member declares, before any body is read.
    fn survey(&self, member: Node<'_>, scope: &mut ClassScope) {
        match member.kind() {
            "field_declaration" | "constant_declaration" => {
                let is_static = self.is_static(member) || member.kind() == "constant_declaration";
                for declarator in named(member).filter(|child| child.kind() == "variable_declarator") {
                    if let Some(name) = field(declarator, "name") {
                        scope.fields.insert(self.str(name).to_owned(), is_static);
                    }
                }
            }
            "enum_constant" => {
                if let Some(name) = field(member, "name") {
                    scope.fields.insert(self.str(name).to_owned(), true);
                }
            }
            "method_declaration" => {
                if let Some(name) = field(member, "name") {
                    let is_static = self.is_static(member);
                    // Of overloads one that needs an object makes the name need one.
                    let known = scope.methods.entry(self.str(name).to_owned()).or_insert(is_static);
                    *known &= is_static;
                }
            }
            _ => {}
        }
    }

    fn declared(&self, member: Node<'_>, out: &mut Vec<Stmt>, starts: &mut Vec<Stmt>) {
        match member.kind() {
            "field_declaration" | "constant_declaration" => self.fields(member, out, starts),
            "method_declaration" => {
                let function = self.function(member, None);
                out.push(Stmt { at: at(member), kind: StmtKind::Function(function) });
            }
            "constructor_declaration" | "compact_constructor_declaration" => {
                let function = self.function(member, Some(CONSTRUCTOR));
                out.push(Stmt { at: at(member), kind: StmtKind::Function(function) });
            }
            "static_initializer" => {
                if let Some(block) = named(member).find(|child| child.kind() == "block") {
                    self.scopes.borrow_mut().open();
                    let block = self.block(block);
                    self.scopes.borrow_mut().close();
                    out.push(Stmt { at: at(member), kind: StmtKind::Block(block) });
                }
            }
            "block" => {
                self.scopes.borrow_mut().open();
                let block = self.block(member);
                self.scopes.borrow_mut().close();
                starts.push(Stmt { at: at(member), kind: StmtKind::Block(block) });
            }
            "enum_constant" => {
                let Some(name) = field(member, "name") else { return };
                let target = Expr::new(at(name), ExprKind::Name(self.str(name).to_owned()));
                let args = field(member, "arguments").map(|list| self.arguments(list)).unwrap_or_default();
                let class = self.scopes.borrow().class().unwrap_or("").to_owned();
                let callee = Expr::new(at(name), ExprKind::Name(class));
                let call = Call { callee, args, args_at: at(member), is_new: true, is_tag: false };
                let value = Expr::new(at(member), ExprKind::Call(Box::new(call)));
                let kind =
                    StmtKind::Assign { targets: vec![target], value, declares: true, annotation: None };
                out.push(Stmt { at: at(member), kind });
            }
            "class_declaration" | "interface_declaration" | "enum_declaration" | "record_declaration" => {
                let class = self.class(member);
                out.push(Stmt { at: at(member), kind: StmtKind::Class(class) });
            }
            _ => {}
        }
    }

    /// Fields: declared in the body, and those of objects assigned at the start of every constructor.
    fn fields(&self, node: Node<'_>, out: &mut Vec<Stmt>, starts: &mut Vec<Stmt>) {
        let is_static = self.is_static(node) || node.kind() == "constant_declaration";
        let annotation = field(node, "type").map(|kind| self.type_name(kind));
        for declarator in named(node).filter(|child| child.kind() == "variable_declarator") {
            let Some(name) = field(declarator, "name") else { continue };
            let place = at(node);
            let value = field(declarator, "value").map(|value| self.expr(value));
            let target = Expr::new(at(name), ExprKind::Name(self.str(name).to_owned()));
            if let (false, Some(value)) = (is_static, &value) {
                let this = Expr::new(At::new(place.start, place.start), ExprKind::Name("this".into()));
                let member = ExprKind::Member {
                    object: Box::new(this),
                    name: self.str(name).to_owned(),
                    name_at: at(name),
                };
                let kind = StmtKind::Assign {
                    targets: vec![Expr::new(at(name), member)],
                    value: value.clone(),
                    declares: false,
                    annotation: annotation.clone(),
                };
                starts.push(Stmt { at: place, kind });
            }
            let end = declarator.end_byte();
            let value =
                value.filter(|_| is_static).unwrap_or_else(|| Expr::new(At::new(end, end), ExprKind::Null));
            let kind = StmtKind::Assign {
                targets: vec![target],
                value,
                declares: is_static,
                annotation: annotation.clone(),
            };
            out.push(Stmt { at: place, kind });
        }
    }

    /// The parts of a record are fields that its constructor fills.
    fn record_parts(&self, list: Node<'_>, stmts: &mut Vec<Stmt>) {
        let params: Vec<Param> = named(list).filter_map(|node| self.param(node)).collect();
        let mut body = Vec::new();
        for param in &params {
            let place = param.at;
            let name_expr = |name: &str| Expr::new(place, ExprKind::Name(name.to_owned()));
            let declared = StmtKind::Assign {
                targets: vec![name_expr(&param.name)],
                value: Expr::new(At::new(place.end, place.end), ExprKind::Null),
                declares: false,
                annotation: param.annotation.clone(),
            };
            stmts.push(Stmt { at: place, kind: declared });
            let member = ExprKind::Member {
                object: Box::new(name_expr("this")),
                name: param.name.clone(),
                name_at: place,
            };
            let kind = StmtKind::Assign {
                targets: vec![Expr::new(place, member)],
                value: name_expr(&param.name),
                declares: false,
                annotation: None,
            };
            body.push(Stmt { at: place, kind });
        }
        let has_own = stmts.iter().any(
            |stmt| matches!(&stmt.kind, StmtKind::Function(f) if f.name == CONSTRUCTOR && !f.params.is_empty()),
        );
        if !has_own {
            let function = synthetic(at(list), params, body);
            stmts.push(Stmt { at: at(list), kind: StmtKind::Function(function) });
        }
    }

    /// What every constructor does first.
    fn begin(place: At, starts: &[Stmt], stmts: &mut Vec<Stmt>) {
        if starts.is_empty() {
            return;
        }
        let mut found = false;
        for stmt in stmts.iter_mut() {
            if let StmtKind::Function(function) = &mut stmt.kind
                && function.name == CONSTRUCTOR
            {
                found = true;
                let mut next = (**function).clone();
                let own = std::mem::take(&mut next.body.stmts);
                next.body.stmts = starts.iter().cloned().chain(own).collect();
                *function = Arc::new(next);
            }
        }
        if !found {
            let function = synthetic(At::new(place.start, place.start), Vec::new(), starts.to_vec());
            stmts.push(Stmt { at: place, kind: StmtKind::Function(function) });
        }
    }

    fn function(&self, node: Node<'_>, name: Option<&str>) -> Arc<Function> {
        let decorators = self.decorators(node);
        self.scopes.borrow_mut().open();
        let params: Vec<Param> = field(node, "parameters")
            .map(|list| named(list).filter_map(|param| self.param(param)).collect())
            .unwrap_or_default();
        let body = field(node, "body").map(|body| self.block(body)).unwrap_or_default();
        self.scopes.borrow_mut().close();
        let name = name.map_or_else(
            || field(node, "name").map_or_else(String::new, |name| self.str(name).to_owned()),
            str::to_owned,
        );
        Arc::new(Function {
            at: at(node),
            name,
            params,
            decorators,
            returns: field(node, "type").map(|kind| self.type_name(kind)),
            body,
            is_expression: false,
            is_async: false,
            is_method: true,
        })
    }

    pub(super) fn param(&self, node: Node<'_>) -> Option<Param> {
        let (name, kind) = match node.kind() {
            "formal_parameter" => (field(node, "name")?, ParamKind::Plain),
            "spread_parameter" => {
                let declarator = named(node).find(|child| child.kind() == "variable_declarator")?;
                (field(declarator, "name")?, ParamKind::Rest)
            }
            "identifier" => (node, ParamKind::Plain),
            _ => return None,
        };
        let declared = field(node, "type").or_else(|| {
            named(node).find(|child| {
                kind == ParamKind::Rest && !matches!(child.kind(), "modifiers" | "variable_declarator")
            })
        });
        let written = self.str(name).to_owned();
        self.scopes.borrow_mut().declare(&written);
        Some(Param {
            at: at(node),
            name: written,
            pattern: None,
            annotation: declared.map(|declared| self.type_name(declared)).filter(|kind| kind != "var"),
            default: None,
            kind,
            decorators: self.decorators(node),
        })
    }
}

/// The members of a body, those behind an enum's constants among them.
fn members(body: Node<'_>) -> Vec<Node<'_>> {
    named(body)
        .flat_map(|member| match member.kind() {
            "enum_body_declarations" => named(member).collect(),
            _ => vec![member],
        })
        .collect()
}

/// A constructor that nobody wrote.
fn synthetic(place: At, params: Vec<Param>, stmts: Vec<Stmt>) -> Arc<Function> {
    Arc::new(Function {
        at: place,
        name: CONSTRUCTOR.to_owned(),
        params,
        decorators: Vec::new(),
        returns: None,
        body: Block { at: place, stmts },
        is_expression: false,
        is_async: false,
        is_method: true,
    })
}
