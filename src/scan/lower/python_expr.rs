//! Python's expressions to the small tree.

use super::python::Python;
use super::tree::{MAX_DEPTH, at, child, children, text_of};
use crate::scan::ir::{
    Arg, At, Block, Call, Entry, Expr, ExprKind, Function, ListKind, Stmt, StmtKind, Text, TextPart,
    TextPiece,
};
use std::sync::Arc;
use tree_sitter::Node;

impl Python<'_> {
    /// An expression, a pattern or a target.
    pub(super) fn expr(&mut self, node: Node) -> Expr {
        if self.depth >= MAX_DEPTH {
            return Expr::new(at(node), ExprKind::Other(Vec::new()));
        }
        self.depth += 1;
        let expr = self.expr_inner(node);
        self.depth -= 1;
        expr
    }

    fn expr_inner(&mut self, node: Node) -> Expr {
        if node.kind() == "parenthesized_expression"
            && let Some(inner) = children(node).next()
        {
            let mut expr = self.expr(inner);
            expr.outer = at(node);
            return expr;
        }
        let kind = self.expr_kind(node);
        Expr::new(at(node), kind)
    }

    fn boxed(&mut self, node: Option<Node>, whole: Node) -> Box<Expr> {
        Box::new(match node {
            Some(node) => self.expr(node),
            None => Expr::new(at(whole), ExprKind::Other(Vec::new())),
        })
    }

    fn all(&mut self, node: Node) -> Vec<Expr> {
        children(node).map(|inner| self.expr(inner)).collect()
    }

    fn expr_kind(&mut self, node: Node) -> ExprKind {
        match node.kind() {
            "identifier" => ExprKind::Name(text_of(node, self.text).to_owned()),
            "attribute" => {
                let name = child(node, "attribute");
                ExprKind::Member {
                    object: self.boxed(child(node, "object"), node),
                    name: name.map_or("", |name| text_of(name, self.text)).to_owned(),
                    name_at: name.map_or_else(At::default, at),
                }
            }
            "subscript" => self.subscript(node),
            "call" => self.call(node),
            "string" => ExprKind::Text(self.text_literal(&[node])),
            "concatenated_string" => {
                let pieces: Vec<Node> = children(node).filter(|inner| inner.kind() == "string").collect();
                ExprKind::Text(self.text_literal(&pieces))
            }
            "integer" | "float" => ExprKind::Number(text_of(node, self.text).to_owned()),
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "none" => ExprKind::Null,
            "binary_operator" | "boolean_operator" => ExprKind::Binary {
                op: child(node, "operator").map_or("", |op| text_of(op, self.text)).to_owned(),
                left: self.boxed(child(node, "left"), node),
                right: self.boxed(child(node, "right"), node),
            },
            "comparison_operator" => self.comparison(node),
            "not_operator" => {
                ExprKind::Unary { op: "not".to_owned(), operand: self.boxed(child(node, "argument"), node) }
            }
            "unary_operator" => ExprKind::Unary {
                op: child(node, "operator").map_or("", |op| text_of(op, self.text)).to_owned(),
                operand: self.boxed(child(node, "argument"), node),
            },
            "list" | "list_pattern" => ExprKind::List { kind: ListKind::List, items: self.all(node) },
            "tuple" | "expression_list" | "pattern_list" | "tuple_pattern" => {
                ExprKind::List { kind: ListKind::Tuple, items: self.all(node) }
            }
            "set" => ExprKind::List { kind: ListKind::Set, items: self.all(node) },
            "dictionary" => ExprKind::Map(children(node).map(|entry| self.entry(entry)).collect()),
            "list_splat" | "dictionary_splat" | "list_splat_pattern" | "dictionary_splat_pattern" => {
                ExprKind::Spread(self.boxed(children(node).next(), node))
            }
            "conditional_expression" => {
                let mut parts = children(node);
                let then = parts.next();
                let test = parts.next();
                let other = parts.next();
                ExprKind::Conditional {
                    test: self.boxed(test, node),
                    then: self.boxed(then, node),
                    other: self.boxed(other, node),
                }
            }
            "lambda" => self.lambda(node),
            "await" => ExprKind::Await(self.boxed(children(node).next(), node)),
            "named_expression" => ExprKind::Assign {
                target: self.boxed(child(node, "name"), node),
                value: self.boxed(child(node, "value"), node),
            },
            "list_comprehension"
            | "set_comprehension"
            | "generator_expression"
            | "dictionary_comprehension" => self.comprehension(node),
            "as_pattern_target" => match children(node).next() {
                Some(inner) => self.expr(inner).kind,
                None => ExprKind::Other(Vec::new()),
            },
            _ => ExprKind::Other(self.all(node)),
        }
    }

    fn subscript(&mut self, node: Node) -> ExprKind {
        let object = self.boxed(child(node, "value"), node);
        let mut cursor = node.walk();
        let inside: Vec<Node> = node.children_by_field_name("subscript", &mut cursor).collect();
        match inside.as_slice() {
            [only] if only.kind() == "slice" => {
                let mut bounds = vec![None];
                let mut inner = only.walk();
                for part in only.children(&mut inner) {
                    if part.kind() == ":" {
                        bounds.push(None);
                    } else if part.is_named()
                        && let Some(last) = bounds.last_mut()
                    {
                        *last = Some(self.expr(part));
                    }
                }
                ExprKind::Slice { object, bounds }
            }
            [only] => ExprKind::Index { object, index: Box::new(self.expr(*only)) },
            many => {
                let items = many.iter().map(|one| self.expr(*one)).collect();
                let index = Expr::new(at(node), ExprKind::List { kind: ListKind::Tuple, items });
                ExprKind::Index { object, index: Box::new(index) }
            }
        }
    }

    fn call(&mut self, node: Node) -> ExprKind {
        let callee = *self.boxed(child(node, "function"), node);
        let mut args = Vec::new();
        let mut args_at = At::new(node.end_byte(), node.end_byte());
        if let Some(list) = child(node, "arguments") {
            args_at = at(list);
            if list.kind() == "generator_expression" {
                let value = self.expr(list);
                args = vec![Arg { at: at(list), name: None, value, is_keyword_spread: false }];
            } else {
                args = children(list).map(|arg| self.arg(arg)).collect();
            }
        }
        ExprKind::Call(Box::new(Call { callee, args, args_at, is_new: false, is_tag: false }))
    }

    fn arg(&mut self, node: Node) -> Arg {
        let name = (node.kind() == "keyword_argument")
            .then(|| child(node, "name").map(|name| text_of(name, self.text).to_owned()))
            .flatten();
        let value = match child(node, "value") {
            Some(value) if name.is_some() => self.expr(value),
            _ => self.expr(node),
        };
        Arg { at: at(node), name, value, is_keyword_spread: node.kind() == "dictionary_splat" }
    }

    fn comparison(&mut self, node: Node) -> ExprKind {
        let mut cursor = node.walk();
        let ops: Vec<String> = node
            .children_by_field_name("operators", &mut cursor)
            .map(|op| text_of(op, self.text).split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        let operands: Vec<Node> = children(node).filter(Node::is_named).collect();
        if let ([left, right], [op]) = (operands.as_slice(), ops.as_slice()) {
            return ExprKind::Binary {
                op: op.clone(),
                left: self.boxed(Some(*left), node),
                right: self.boxed(Some(*right), node),
            };
        }
        ExprKind::Other(operands.into_iter().map(|operand| self.expr(operand)).collect())
    }

    fn entry(&mut self, node: Node) -> Entry {
        let key = child(node, "key").map(|key| self.expr(key));
        let value = match child(node, "value") {
            Some(value) => self.expr(value),
            None => self.expr(node),
        };
        Entry { at: at(node), key, value }
    }

    fn lambda(&mut self, node: Node) -> ExprKind {
        let params = child(node, "parameters").map_or_else(Vec::new, |params| self.params(params));
        let body = self.boxed(child(node, "body"), node);
        let at_body = body.outer;
        let stmts = vec![Stmt { at: at_body, kind: StmtKind::Return(Some(*body)) }];
        ExprKind::Lambda(Arc::new(Function {
            at: at(node),
            name: String::new(),
            params,
            decorators: Vec::new(),
            body: Block { at: at_body, stmts },
            returns: None,
            is_expression: true,
            is_async: false,
            is_method: false,
        }))
    }

    fn comprehension(&mut self, node: Node) -> ExprKind {
        let items = match child(node, "body") {
            Some(pair) if pair.kind() == "pair" => self.all(pair),
            Some(body) => vec![self.expr(body)],
            None => Vec::new(),
        };
        let (mut loops, mut tests) = (Vec::new(), Vec::new());
        for clause in children(node) {
            match clause.kind() {
                "for_in_clause" => {
                    let target = *self.boxed(child(clause, "left"), clause);
                    let over = *self.boxed(child(clause, "right"), clause);
                    loops.push((target, over));
                }
                "if_clause" => tests.extend(self.all(clause)),
                _ => {}
            }
        }
        ExprKind::Comprehension { items, loops, tests }
    }

    fn text_literal(&mut self, pieces: &[Node]) -> Text {
        let mut text = Text {
            parts: Vec::with_capacity(pieces.len()),
            pieces: Vec::with_capacity(pieces.len()),
            is_bytes: false,
        };
        for (index, node) in pieces.iter().enumerate() {
            let start = node.child(0).map_or("", |start| text_of(start, self.text));
            let split = start.find(['"', '\'']).unwrap_or(start.len());
            let (prefix, quote) = start.split_at(split);
            let lower = prefix.to_ascii_lowercase();
            text.is_bytes |= lower.contains('b');
            text.pieces.push(TextPiece { at: at(*node), prefix: prefix.to_owned(), quote: quote.to_owned() });
            let raw = lower.contains('r');
            let formats = lower.contains('f') || lower.contains('t');
            for part in children(*node) {
                match part.kind() {
                    "string_content" => text.parts.push(TextPart::Literal {
                        at: at(part),
                        value: decode(text_of(part, self.text), raw, formats),
                        piece: index,
                    }),
                    "interpolation" => text.parts.push(self.hole(part, index)),
                    _ => {}
                }
            }
        }
        text.parts.shrink_to_fit();
        text
    }

    fn hole(&mut self, node: Node, piece: usize) -> TextPart {
        let expr = self.boxed(child(node, "expression"), node);
        let conversion =
            child(node, "type_conversion").and_then(|kind| text_of(kind, self.text).chars().nth(1));
        let format = child(node, "format_specifier")
            .map(|format| text_of(format, self.text).trim_start_matches(':').to_owned());
        TextPart::Hole { at: at(node), expr, conversion, format, piece }
    }
}

/// The value of a literal's letters.
fn decode(written: &str, raw: bool, formats: bool) -> String {
    let mut out = String::with_capacity(written.len());
    let mut letters = written.chars().peekable();
    while let Some(letter) = letters.next() {
        if formats && (letter == '{' || letter == '}') && letters.peek() == Some(&letter) {
            letters.next();
            out.push(letter);
            continue;
        }
        if letter != '\\' || raw {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some('\n') => {}
            Some('x') => push_code(&mut out, &mut letters, 2),
            Some('u') => push_code(&mut out, &mut letters, 4),
            Some('U') => push_code(&mut out, &mut letters, 8),
            Some(same @ ('\\' | '\'' | '"')) => out.push(same),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

fn push_code(out: &mut String, letters: &mut std::iter::Peekable<std::str::Chars>, digits: usize) {
    let mut code = String::new();
    while code.len() < digits && letters.peek().is_some_and(char::is_ascii_hexdigit) {
        code.extend(letters.next());
    }
    let letter = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
    out.push(letter.unwrap_or('\u{fffd}'));
}

#[cfg(test)]
mod tests {
    use crate::scan::ir::{ExprKind, Language, StmtKind, TextPart};

    fn first(code: &str) -> ExprKind {
        let module = crate::scan::lower::lower(Language::Python, code).unwrap();
        assert_eq!(module.errors, 0, "{code}");
        match module.body.stmts.into_iter().next().unwrap().kind {
            StmtKind::Expr(expr) => expr.kind,
            StmtKind::Assign { value, .. } => value.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn joined_and_formatted_texts_become_one_text_of_parts() {
        let ExprKind::Text(text) = first("q = ('a\\n' f\"b{x!r:>4}{{c}}\" r'\\d')") else { panic!() };
        let shown: Vec<String> = text
            .parts
            .iter()
            .map(|part| match part {
                TextPart::Literal { value, .. } => value.clone(),
                TextPart::Hole { conversion, format, .. } => format!("<{conversion:?} {format:?}>"),
            })
            .collect();
        assert_eq!(shown, ["a\n", "b", "<Some('r') Some(\">4\")>", "{c}", "\\d"]);
        assert_eq!(text.pieces.len(), 3);
    }

    #[test]
    fn nested_quotes_of_python_3_12_parse() {
        let ExprKind::Text(text) = first("f\"{d[\"k\"]} {f'{x}'}\"") else { panic!() };
        assert!(text.has_holes());
    }

    #[test]
    fn a_text_of_brackets_does_not_end_the_run() {
        let code = format!("x = {}1{}", "(".repeat(20_000), ")".repeat(20_000));
        let lowered = std::thread::Builder::new()
            .stack_size(32 << 20)
            .spawn(move || crate::scan::lower::lower(Language::Python, &code).is_some());
        assert!(lowered.unwrap().join().unwrap());
    }

    #[test]
    fn calls_keep_positions_keywords_and_spreads() {
        let ExprKind::Call(call) = first("f(a, *b, k=1, **c)") else { panic!() };
        assert_eq!(call.position(0).unwrap().value.as_name(), Some("a"));
        assert!(call.position(1).is_none());
        assert!(call.keyword("k").is_some());
        assert!(call.args[3].is_keyword_spread);
    }
}
