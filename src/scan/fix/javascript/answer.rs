//! How the code around a place answers a client, or gives up: Express, Fastify, Koa, Nest, plain http, a throw.

use super::syntax::{Js, field, functions_around, is_function, named, walk};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The way out of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// `return res.status(404).json(…)`; the name of the response.
    Express(String),
    /// `return reply.code(404).send(…)`.
    Fastify(String),
    /// `ctx.status = 404; ctx.body = …; return;`.
    Koa(String),
    /// `res.statusCode = 404; return res.end(…)`.
    Http(String),
    /// `throw new NotFoundException()`.
    Nest,
    /// `throw new Error(…)`.
    Throw,
}

/// Lines with something before and behind each.
pub(crate) fn framed(lines: &[String], before: &str, behind: &str) -> String {
    let mut out = String::new();
    for line in lines {
        for part in [before, line, behind] {
            out.push_str(part);
        }
    }
    out
}

impl<'t> Js<'t> {
    /// The names of a function's parameters, plain ones only.
    pub(crate) fn parameters(&self, function: Node<'t>) -> Vec<&'t str> {
        let one = field(function, "parameter");
        let many = field(function, "parameters").map(named).unwrap_or_default();
        one.into_iter()
            .chain(many)
            .map(|parameter| field(parameter, "pattern").unwrap_or(parameter))
            .map(|parameter| if parameter.kind() == "identifier" { self.text(parameter) } else { "" })
            .collect()
    }

    /// The way out for a place, by the functions around it.
    pub(crate) fn way_out(&self, place: Node<'t>) -> Way {
        let express = !self.import("express").is_empty();
        let plain_http = !express
            && (!self.import("http").is_empty() || !self.import("https").is_empty())
            && !self.src.contains(".status(");
        for function in functions_around(place) {
            for name in self.parameters(function) {
                match name {
                    "res" | "response" if plain_http => return Way::Http(name.to_owned()),
                    "res" | "response" => return Way::Express(name.to_owned()),
                    "reply" => return Way::Fastify(name.to_owned()),
                    "ctx" => return Way::Koa(name.to_owned()),
                    _ => {}
                }
            }
        }
        if self.import("@nestjs/common").is_empty() { Way::Throw } else { Way::Nest }
    }

    /// The key this file puts error texts under, when it answers with JSON: `error`, `message`, …
    pub(crate) fn error_key(&self, place: Node<'t>) -> Option<&'t str> {
        let mut scopes: Vec<Node<'t>> = functions_around(place).last().copied().into_iter().collect();
        scopes.push(self.root);
        for scope in scopes {
            let (mut json, mut text) = (0, 0);
            let mut key = None;
            walk(scope, &mut |node| {
                if node.kind() != "call_expression" {
                    return;
                }
                match self.callee_name(node) {
                    "json" => {
                        json += 1;
                        let object = self.arguments(node).first().copied().filter(|o| o.kind() == "object");
                        for pair in object.map(named).unwrap_or_default() {
                            let name = field(pair, "key").map_or("", |key| self.text(key));
                            if key.is_none() && matches!(name, "error" | "message" | "msg" | "err" | "errors")
                            {
                                key = Some(name);
                            }
                        }
                    }
                    "send" | "end" => {
                        text += i32::from(self.arguments(node).first().is_some_and(|a| self.is_building(*a)));
                    }
                    _ => {}
                }
            });
            if json > text {
                return Some(key.unwrap_or("error"));
            }
            if json + text > 0 {
                return None;
            }
        }
        None
    }

    /// The statements of the way out, one a line, without indentation; and the edits they need elsewhere.
    pub(crate) fn refuse(&self, place: Node<'t>, status: u16, words: &str) -> (Vec<String>, Vec<TextEdit>) {
        let q = self.quote();
        let semi = self.semi();
        let body = |key: Option<&str>| match key {
            Some(key) => format!("{{ {key}: {q}{words}{q} }}"),
            None => format!("{q}{words}{q}"),
        };
        let key = self.error_key(place);
        match self.way_out(place) {
            Way::Express(res) if self.returns_nothing(place) => {
                let method = if key.is_some() { "json" } else { "send" };
                (
                    vec![
                        format!("{res}.status({status}).{method}({}){semi}", body(key)),
                        format!("return{semi}"),
                    ],
                    Vec::new(),
                )
            }
            Way::Express(res) => {
                let method = if key.is_some() { "json" } else { "send" };
                (vec![format!("return {res}.status({status}).{method}({}){semi}", body(key))], Vec::new())
            }
            Way::Fastify(reply) => (
                vec![format!(
                    "return {reply}.code({status}).send({}){semi}",
                    body(Some(key.unwrap_or("error")))
                )],
                Vec::new(),
            ),
            Way::Koa(ctx) => (vec![format!("{ctx}.throw({status}, {q}{words}{q}){semi}")], Vec::new()),
            Way::Http(res) => (
                vec![
                    format!("{res}.statusCode = {status}{semi}"),
                    format!("return {res}.end({q}{words}{q}){semi}"),
                ],
                Vec::new(),
            ),
            Way::Nest => {
                let class = if status == 404 { "NotFoundException" } else { "BadRequestException" };
                let reached = self.reach_member("@nestjs/common", class);
                (vec![format!("throw new {}({q}{words}{q}){semi}", reached.name)], reached.edits)
            }
            Way::Throw => (vec![format!("throw new Error({q}{words}{q}){semi}")], Vec::new()),
        }
    }

    /// Whether the function around a place is declared to return nothing, or ends early with a bare `return`.
    fn returns_nothing(&self, place: Node<'t>) -> bool {
        let Some(function) = functions_around(place).first().copied() else { return false };
        let declared = field(function, "return_type").is_some_and(|kind| self.text(kind).contains("void"));
        let (mut bare, mut valued) = (false, false);
        walk(function, &mut |node| {
            if node.kind() == "return_statement" && functions_around(node).first() == Some(&function) {
                if named(node).is_empty() {
                    bare = true;
                } else {
                    valued = true;
                }
            }
        });
        declared || bare && !valued
    }

    /// Puts statements before the one `place` stands in. An arrow without a block gets one; a lone statement too.
    ///
    /// `None` when the place is where statements cannot be added safely (array callbacks, default values).
    pub(crate) fn before(&self, place: Node<'t>, lines: &[String]) -> Option<Vec<TextEdit>> {
        let end = if self.src.contains("\r\n") { "\r\n" } else { "\n" };
        let mut at = place;
        loop {
            let parent = at.parent()?;
            match parent.kind() {
                "program" | "statement_block" | "switch_case" | "switch_default" => {
                    let indent = self.indent(at);
                    let line =
                        self.src.get(..at.start_byte()).and_then(|b| b.rfind('\n')).map_or(0, |b| b + 1);
                    if line + indent.len() != at.start_byte() {
                        // A block on one line stays on one line.
                        let text = framed(lines, "", " ");
                        return Some(vec![super::imports::insert(at.start_byte(), text)]);
                    }
                    let text = framed(lines, "", &format!("{end}{indent}"));
                    return Some(vec![super::imports::insert(at.start_byte(), text)]);
                }
                "arrow_function" if field(parent, "body") == Some(at) => {
                    if self.is_list_callback(parent) {
                        return None;
                    }
                    let outer = self.indent(parent);
                    let inner = format!("{outer}{}", self.unit());
                    let text = framed(lines, &inner, end);
                    let body_start = at.start_byte();
                    return Some(vec![
                        super::imports::insert(body_start, format!("{{{end}{text}{inner}return ")),
                        super::imports::insert(at.end_byte(), format!("{}{end}{outer}}}", self.semi())),
                    ]);
                }
                "if_statement" | "else_clause" | "for_statement" | "for_in_statement" | "while_statement"
                    if field(parent, "body") == Some(at)
                        || field(parent, "consequence") == Some(at)
                        || parent.kind() == "else_clause" =>
                {
                    let outer = self.indent(parent);
                    let inner = format!("{outer}{}", self.unit());
                    let text = framed(lines, &inner, end);
                    return Some(vec![
                        super::imports::insert(at.start_byte(), format!("{{{end}{text}{inner}")),
                        super::imports::insert(at.end_byte(), format!("{end}{outer}}}")),
                    ]);
                }
                "assignment_pattern" | "formal_parameters" | "class_body" => return None,
                kind if is_function(parent) && kind != "arrow_function" => return None,
                _ => at = parent,
            }
        }
    }

    /// Whether a function is handed to `map`, `filter` and their like, where `return` means something else.
    pub(crate) fn is_list_callback(&self, function: Node<'t>) -> bool {
        let call = function.parent().filter(|p| p.kind() == "arguments").and_then(|p| p.parent());
        call.is_some_and(|call| {
            matches!(
                self.callee_name(call),
                "map"
                    | "filter"
                    | "some"
                    | "every"
                    | "find"
                    | "findIndex"
                    | "reduce"
                    | "sort"
                    | "flatMap"
                    | "forEach"
                    | "replace"
            )
        })
    }
}
