//! The values from outside inside a text that is put together in JavaScript, and a call wrapped around each.

use super::bring::{ESCAPE_HTML, ESCAPE_LDAP, helper};
use super::imports::{insert, replace};
use super::pieces::Piece;
use super::syntax::{How, Js, bare, entry, field, named};
use crate::finding::TextEdit;
use crate::scan::ir::At;
use tree_sitter::Node;

const ELSEWHERE: &str = "the text is made elsewhere, where the value cannot be told from the rest";

/// Methods that give a part of what they are called on.
const TAKING: &[&str] = &[
    "get",
    "trim",
    "toString",
    "toLowerCase",
    "toUpperCase",
    "slice",
    "substring",
    "split",
    "header",
    "param",
    "replace",
];

impl<'t> Js<'t> {
    /// Whether something from outside is in the expression.
    pub(crate) fn is_tainted(&self, node: Node<'_>) -> bool {
        let seen = self.notes.and_then(|notes| notes.note(At::new(node.start_byte(), node.end_byte())));
        seen.is_some_and(|seen| seen.tainted)
    }

    /// The values from outside in an expression, each where it enters the text.
    pub(crate) fn leaves(&self, node: Node<'t>) -> Result<Vec<Node<'t>>, String> {
        let mut out = Vec::new();
        self.look(node, &mut out, 0)?;
        if out.is_empty() {
            return Err(ELSEWHERE.to_owned());
        }
        out.sort_by_key(Node::start_byte);
        out.dedup_by_key(|leaf| leaf.start_byte());
        Ok(out)
    }

    fn look(&self, node: Node<'t>, out: &mut Vec<Node<'t>>, depth: usize) -> Result<(), String> {
        let node = bare(node);
        if depth > 6 || !self.is_tainted(node) {
            return Ok(());
        }
        match node.kind() {
            "template_string" | "binary_expression" if self.is_building(node) => {
                let operands = self.operands(node).ok_or(ELSEWHERE)?;
                for piece in operands.into_iter().flat_map(|operand| operand.pieces) {
                    if let Piece::Hole(hole) = piece {
                        self.look(hole, out, depth + 1)?;
                    }
                }
            }
            "ternary_expression" => {
                for side in ["consequence", "alternative"].iter().filter_map(|side| field(node, side)) {
                    self.look(side, out, depth + 1)?;
                }
            }
            "binary_expression" => {
                for side in ["left", "right"].iter().filter_map(|side| field(node, side)) {
                    self.look(side, out, depth + 1)?;
                }
            }
            "identifier" => {
                let name = self.text(node);
                let binding = self.binding(name, node).ok_or(ELSEWHERE)?;
                let mut values: Vec<Node<'t>> = binding.value.into_iter().collect();
                let writes = self.writes(name, binding.scope);
                let adds = writes.iter().any(|write| write.kind() == "augmented_assignment_expression");
                values.extend(writes.iter().filter_map(|write| field(*write, "right")));
                let own = matches!(binding.how, How::Const | How::Let);
                if own
                    && (adds
                        || values
                            .iter()
                            .any(|value| self.is_building(*value) && self.is_tainted(bare(*value))))
                {
                    for value in values {
                        self.look(value, out, depth + 1)?;
                    }
                } else {
                    out.push(node);
                }
            }
            "call_expression" => {
                let name = self.callee_name(node);
                let on = self.receiver(node);
                if name == "join"
                    && let Some(list) = on.map(bare).filter(|list| list.kind() == "array")
                {
                    for item in named(list) {
                        self.look(item, out, depth + 1)?;
                    }
                } else if on.is_some() && TAKING.contains(&name)
                    || matches!(name, "String" | "decodeURIComponent")
                {
                    out.push(node);
                } else {
                    return Err(ELSEWHERE.to_owned());
                }
            }
            "member_expression" | "subscript_expression" | "await_expression" => out.push(node),
            _ => return Err(ELSEWHERE.to_owned()),
        }
        Ok(())
    }

    /// A call wrapped around each value from outside in `argument`.
    fn wrapped(&self, argument: Node<'t>, write: impl Fn(&str) -> String) -> Result<Vec<TextEdit>, String> {
        Ok(self.leaves(argument)?.into_iter().map(|leaf| replace(leaf, write(self.text(leaf)))).collect())
    }
}

/// Escapes each value where it enters the page: by a function of the file, or one that is brought along.
pub(crate) fn escape<'t>(js: &Js<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let known = js.import("escape-html");
    let (name, mut edits) = match known.whole {
        Some(name) => (name.to_owned(), Vec::new()),
        None => helper(js, argument, "escapeHtml", ESCAPE_HTML)?,
    };
    edits.extend(js.wrapped(argument, |code| format!("{name}({code})"))?);
    Ok(edits)
}

/// Escapes values in an LDAP filter.
pub(crate) fn ldap<'t>(js: &Js<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let (name, mut edits) = helper(js, argument, "escapeLdap", ESCAPE_LDAP)?;
    let object = bare(argument);
    let filter = if object.kind() == "object" {
        let pair = entry(js, object, "filter").ok_or("the filter is not written here")?;
        field(pair, "value").unwrap_or(pair)
    } else {
        argument
    };
    // `{ filter }`: the value is bound above.
    let filter = if filter.kind() == "shorthand_property_identifier" {
        let binding = js.binding(js.text(filter), filter).and_then(|binding| binding.value);
        binding.ok_or("the filter is made elsewhere")?
    } else {
        filter
    };
    edits.extend(js.wrapped(filter, |code| format!("{name}({code})"))?);
    Ok(edits)
}

/// Takes line breaks out of each value.
pub(crate) fn one_line<'t>(js: &Js<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let q = js.quote();
    js.wrapped(argument, |code| format!("String({code}).replace(/[\\r\\n]/g, {q}{q})"))
}

/// A secret kept out of the log: its place stays.
pub(crate) fn redact<'t>(js: &Js<'t>, argument: Node<'t>) -> Vec<TextEdit> {
    let hole = argument.parent().filter(|hole| hole.kind() == "template_substitution");
    let q = js.quote();
    vec![match hole {
        Some(hole) => replace(hole, "[redacted]"),
        None => replace(argument, format!("{q}[redacted]{q}")),
    }]
}

/// A pattern that matches the text itself.
pub(crate) fn regex<'t>(js: &Js<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let q = js.quote();
    js.wrapped(argument, |code| format!("String({code}).replace(/[.*+?^${{}}()|[\\]\\\\]/g, {q}\\\\$&{q})"))
}

/// Texts where query objects could be sent.
pub(crate) fn text<'t>(js: &Js<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    const WHOLE: &str = "the whole filter comes from outside; name the fields that a client may search by";
    let mut object = bare(argument);
    if object.kind() == "identifier" {
        let binding = js.binding(js.text(object), object).and_then(|binding| binding.value);
        object = bare(binding.ok_or(WHOLE)?);
    }
    if object.kind() != "object" {
        return Err(WHOLE.to_owned());
    }
    let mut edits = Vec::new();
    fields(js, object, &mut edits)?;
    if edits.is_empty() {
        return Err(ELSEWHERE.to_owned());
    }
    Ok(edits)
}

fn fields<'t>(js: &Js<'t>, object: Node<'t>, out: &mut Vec<TextEdit>) -> Result<(), String> {
    for pair in named(object) {
        match pair.kind() {
            "shorthand_property_identifier" if js.is_tainted(pair) => {
                let name = js.text(pair);
                out.push(replace(pair, format!("{name}: String({name})")));
            }
            "pair" => {
                let Some(value) = field(pair, "value") else { continue };
                let inner = bare(value);
                if matches!(inner.kind(), "object") {
                    fields(js, inner, out)?;
                } else if inner.kind() == "array" {
                    for item in named(inner).into_iter().map(bare) {
                        if item.kind() == "object" {
                            fields(js, item, out)?;
                        }
                    }
                } else if js.is_tainted(inner) {
                    out.push(insert(value.start_byte(), "String("));
                    out.push(insert(value.end_byte(), ")"));
                }
            }
            "spread_element" if named(pair).first().is_some_and(|inner| js.is_tainted(*inner)) => {
                return Err(
                    "the whole filter comes from outside; name the fields that a client may search by".into(),
                );
            }
            _ => {}
        }
    }
    Ok(())
}

/// A template's text made constant, its values handed over as variables.
pub(crate) fn template<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    argument: Node<'t>,
    marks: (&str, &str),
) -> Result<Vec<TextEdit>, String> {
    let mut text = bare(argument);
    if text.kind() == "identifier" {
        let binding = js
            .binding(js.text(text), text)
            .filter(|binding| js.writes(js.text(text), binding.scope).is_empty());
        text = bare(binding.and_then(|binding| binding.value).ok_or("the template is made elsewhere")?);
    }
    if !js.is_building(text) {
        return Err("the whole template comes from outside; keep templates in files".to_owned());
    }
    let (constant, values) = variables(js, text, |name| format!("{}{name}{}", marks.0, marks.1))?;
    let q = js.quote();
    let mut edits = vec![replace(text, super::syntax::quoted(&constant, q))];
    let arguments = js.arguments(call);
    let written = values.iter().map(|(name, code)| property(name, code)).collect::<Vec<_>>().join(", ");
    let callee = js.callee_name(call);
    if callee == "compile" {
        // `compile(text)(values)`: the values go where it is called.
        let outer = call
            .parent()
            .filter(|outer| outer.kind() == "call_expression" && field(*outer, "function") == Some(call));
        let outer = outer.ok_or("the compiled template is called elsewhere; hand the value over there")?;
        edits.push(with_properties(js, outer, js.arguments(outer).first().copied(), &written)?);
        return Ok(edits);
    }
    edits.push(with_properties(js, call, arguments.get(1).copied(), &written)?);
    Ok(edits)
}

fn property(name: &str, code: &str) -> String {
    if name == code { name.to_owned() } else { format!("{name}: {code}") }
}

/// Adds properties to the object that is handed over, or hands one over.
fn with_properties<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    object: Option<Node<'t>>,
    written: &str,
) -> Result<TextEdit, String> {
    match object.map(bare) {
        Some(object) if object.kind() == "object" => match named(object).last() {
            Some(last) => Ok(insert(last.end_byte(), format!(", {written}"))),
            None => Ok(replace(object, format!("{{ {written} }}"))),
        },
        Some(other) => Ok(replace(other, format!("{{ ...{}, {written} }}", js.text(other)))),
        None => {
            if let Some(last) = js.arguments(call).last() {
                Ok(insert(last.end_byte(), format!(", {{ {written} }}")))
            } else {
                let list = field(call, "arguments").ok_or("the call has no arguments")?;
                Ok(insert(list.start_byte() + 1, format!("{{ {written} }}")))
            }
        }
    }
}

/// A text with its values as variables: the constant text, and each name with its code.
fn variables<'t>(
    js: &Js<'t>,
    text: Node<'t>,
    mark: impl Fn(&str) -> String,
) -> Result<(String, Vec<(String, String)>), String> {
    let operands = js.operands(text).ok_or("the text has escapes that are not followed")?;
    let mut constant = String::new();
    let mut values: Vec<(String, String)> = Vec::new();
    for piece in operands.into_iter().flat_map(|operand| operand.pieces) {
        match piece {
            Piece::Text(text) => constant.push_str(&text),
            Piece::Hole(hole) => {
                let code = js.text(bare(hole)).to_owned();
                let known = values.iter().find(|(_, other)| *other == code).map(|(name, _)| name.clone());
                let name = known.unwrap_or_else(|| {
                    let wish = match bare(hole).kind() {
                        "identifier" => code.clone(),
                        "member_expression" => {
                            field(bare(hole), "property").map_or("", |p| js.text(p)).to_owned()
                        }
                        _ => "value".to_owned(),
                    };
                    let mut name = wish.clone();
                    let mut count = 2;
                    while values.iter().any(|(taken, _)| *taken == name) {
                        name = format!("{wish}{count}");
                        count += 1;
                    }
                    values.push((name.clone(), code.clone()));
                    name
                });
                constant.push_str(&mark(&name));
            }
        }
    }
    Ok((constant, values))
}

/// An `XPath` with variables.
pub(crate) fn xpath<'t>(js: &Js<'t>, call: Node<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let method = js.callee_name(call);
    let object = js.receiver(call).ok_or("this library takes no variables; refuse values with quotes")?;
    if !matches!(method, "select" | "select1") {
        return Err("this library takes no variables; refuse values with quotes".to_owned());
    }
    let mut text = bare(argument);
    if text.kind() == "identifier" {
        let binding = js
            .binding(js.text(text), text)
            .filter(|binding| js.writes(js.text(text), binding.scope).is_empty());
        text = bare(binding.and_then(|binding| binding.value).ok_or("the expression is made elsewhere")?);
    }
    if !js.is_building(text) {
        return Err("the whole expression comes from outside; choose from fixed ones".to_owned());
    }
    let (constant, values) = variables(js, text, |name| format!("\u{1}{name}\u{1}"))?;
    let mut plain = String::new();
    for (at, part) in constant.split('\u{1}').enumerate() {
        if at % 2 == 1 {
            // The quotes around it go.
            let Some(quote) = plain.pop().filter(|quote| matches!(quote, '\'' | '"')) else {
                return Err(
                    "a value stands outside quotes in the expression; check it against what is allowed"
                        .to_owned(),
                );
            };
            plain.push('$');
            plain.push_str(part);
            plain.push(quote);
        } else if at > 0 {
            let quote = plain.pop();
            let rest = part.strip_prefix(['\'', '"']).filter(|_| part.chars().next() == quote);
            plain.push_str(rest.ok_or("a value is only a part of a text in the expression")?);
        } else {
            plain.push_str(part);
        }
    }
    let q = if plain.contains('\'') && !plain.contains('"') { '"' } else { js.quote() };
    let arguments = js.arguments(call);
    let [_, node] = arguments.as_slice() else {
        return Err("the call has more than an expression and a node".to_owned());
    };
    let written =
        values.iter().map(|(name, code)| format!("{name}: String({code})")).collect::<Vec<_>>().join(", ");
    let select = format!(
        "select{}({{ node: {}, variables: {{ {written} }} }})",
        &method["select".len()..],
        js.text(*node)
    );
    let head =
        if text == bare(argument) { super::syntax::quoted(&plain, q) } else { js.text(argument).to_owned() };
    let mut edits = vec![replace(call, format!("{}.parse({head}).{select}", js.text(object)))];
    if text != bare(argument) {
        edits.push(replace(text, super::syntax::quoted(&plain, q)));
    }
    Ok(edits)
}
