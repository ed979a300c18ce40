//! Error details sent to a client in JavaScript and TypeScript: a generic text for the client, the error to the log.

use super::imports::replace;
use super::pieces::Piece;
use super::syntax::{Js, bare, field, functions_around, is_function, named, walk};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The edits that keep the error on the server.
///
/// # Errors
/// When the error is sent on purpose, or in a form that is not understood.
pub(crate) fn withhold<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    arguments: &[Node<'t>],
) -> Result<Vec<TextEdit>, String> {
    let error = error_name(js, call).ok_or("it is not clear which value is the error")?;
    if let Some(reason) = on_purpose(js, call, error) {
        return Err(reason);
    }
    let mut edits = Vec::new();
    let status = status_of(js, call);
    for argument in arguments {
        if mentions(js, *argument, error) {
            let whole = matches!(js.callee_name(call), "json" | "jsonp");
            rewrite(js, call, *argument, error, generic(status), whole, &mut edits)?;
        }
    }
    if edits.is_empty() {
        return Err("the error's text is not found in the answer".into());
    }
    if !is_logged(js, call, error) {
        let line = format!("{}({error}){}", logger(js, call), js.semi());
        edits.extend(js.before(call, &[line]).ok_or("no log line can be put before the answer")?);
    }
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(edits)
}

/// The name the error goes by: of the innermost `catch`, `.catch(e => …)`, error callback or middleware.
fn error_name<'t>(js: &Js<'t>, place: Node<'t>) -> Option<&'t str> {
    let mut at = place;
    let mut found = None;
    while let Some(parent) = at.parent() {
        if parent.kind() == "catch_clause" {
            let name = field(parent, "parameter").filter(|p| p.kind() == "identifier");
            return Some(name.map(|name| js.text(name)).or(found).unwrap_or(""))
                .filter(|name| !name.is_empty());
        }
        if is_function(parent) {
            let names = js.parameters(parent);
            let first = names.first().copied().unwrap_or("");
            let caught = parent
                .parent()
                .filter(|p| p.kind() == "arguments")
                .and_then(|p| p.parent())
                .is_some_and(|call| {
                    matches!(js.callee_name(call), "catch" | "then" | "on" | "setErrorHandler" | "onError")
                });
            let like = matches!(first, "err" | "error" | "e" | "ex" | "exception" | "reason");
            if like || (caught && !first.is_empty()) || (names.len() == 4 && !first.is_empty()) {
                if mentions(js, place, first) {
                    return Some(first);
                }
                found = found.or(Some(first));
            }
        }
        at = parent;
    }
    found
}

/// Whether an expression reads the error, or a name made from it.
fn mentions<'t>(js: &Js<'t>, node: Node<'t>, error: &str) -> bool {
    let mut hit = false;
    walk(node, &mut |part| {
        hit |=
            matches!(part.kind(), "identifier" | "shorthand_property_identifier") && js.text(part) == error;
        hit |= part.kind() == "identifier" && made_from(js, part, error);
    });
    hit
}

/// Whether a name was declared with something read from the error: `const message = err.message`.
fn made_from<'t>(js: &Js<'t>, name: Node<'t>, error: &str) -> bool {
    let value = js.binding(js.text(name), name).and_then(|binding| binding.value);
    value.is_some_and(|value| {
        !is_function(bare(value)) && value.byte_range().len() < 400 && mentions_plainly(js, value, error)
    })
}

/// Why the error's text is meant for the client: its class was asked for, or it says so itself.
fn on_purpose<'t>(js: &Js<'t>, call: Node<'t>, error: &str) -> Option<String> {
    let mut at = call;
    while let Some(parent) = at.parent() {
        let chosen = matches!(parent.kind(), "if_statement" | "ternary_expression")
            && field(parent, "consequence") == Some(at);
        if let Some(condition) = field(parent, "condition").filter(|_| chosen) {
            let text = js.text(condition);
            let asked = text.contains(&format!("{error} instanceof"))
                || ["name", "isJoi", "expose", "isOperational", "isBoom", "errors", "type"]
                    .iter()
                    .any(|member| text.contains(&format!("{error}.{member}")));
            if asked {
                return Some(
                    "the kind of error was asked for first, so its text may be meant for the client".into(),
                );
            }
            if text.contains("NODE_ENV") || text.contains("'env'") {
                return Some("it is sent in development only".into());
            }
        }
        if is_function(parent) || parent.kind() == "catch_clause" {
            break;
        }
        at = parent;
    }
    None
}

/// The status the answer has, where it is a number in sight.
fn status_of<'t>(js: &Js<'t>, call: Node<'t>) -> u16 {
    let mut at = js.receiver(call);
    while let Some(node) = at {
        if node.kind() == "call_expression"
            && matches!(js.callee_name(node), "status" | "code" | "sendStatus")
        {
            let first = js.arguments(node).first().copied();
            return first.and_then(|number| js.text(number).parse().ok()).unwrap_or(500);
        }
        at = js.receiver(node);
    }
    500
}

fn generic(status: u16) -> &'static str {
    match status {
        400 => "Bad request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not found",
        409 => "Conflict",
        422 => "Unprocessable entity",
        _ => "Internal server error",
    }
}

/// Writes a value of the answer without the error.
fn rewrite<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    node: Node<'t>,
    error: &str,
    words: &str,
    whole: bool,
    edits: &mut Vec<TextEdit>,
) -> Result<(), String> {
    let q = js.quote();
    let text = format!("{q}{words}{q}");
    let inner = bare(node);
    match inner.kind() {
        "object" => {
            let entries = named(inner);
            let mut kept = 0;
            let mut removed = Vec::new();
            for entry in &entries {
                if !mentions(js, *entry, error) {
                    kept += 1;
                    continue;
                }
                let key = field(*entry, "key").map_or("", |key| js.text(key)).trim_matches(['\'', '"']);
                let detail = matches!(
                    key,
                    "stack"
                        | "stackTrace"
                        | "trace"
                        | "details"
                        | "detail"
                        | "name"
                        | "code"
                        | "sql"
                        | "sqlMessage"
                        | "errno"
                );
                let value = field(*entry, "value").map(bare);
                let itself = value.is_some_and(|value| js.text(value) == error);
                let shown = js.callee_name(call) == "render";
                match entry.kind() {
                    "pair" if itself && shown && entries.len() > 1 => {
                        if let Some(value) = value {
                            edits.push(replace(value, "{}"));
                        }
                        kept += 1;
                    }
                    "pair" if !((detail || itself) && entries.len() > 1) => {
                        let value = field(*entry, "value").ok_or("an entry has no value")?;
                        rewrite(js, call, value, error, words, false, edits)?;
                        kept += 1;
                    }
                    "shorthand_property_identifier" => {
                        edits.push(replace(*entry, format!("{}: {text}", js.text(*entry))));
                        kept += 1;
                    }
                    "pair" | "spread_element" => removed.push(*entry),
                    _ => return Err("the answer holds the error in a form that is not understood".into()),
                }
            }
            if kept == 0 {
                edits.push(replace(inner, format!("{{ error: {text} }}")));
                return Ok(());
            }
            for entry in removed {
                edits.push(without(&entries, entry));
            }
            Ok(())
        }
        "array" => {
            for item in named(inner) {
                if mentions(js, item, error) {
                    rewrite(js, call, item, error, words, false, edits)?;
                }
            }
            Ok(())
        }
        "binary_expression"
            if field(inner, "operator").is_some_and(|op| matches!(js.text(op), "||" | "??")) =>
        {
            let right =
                field(inner, "right").filter(|right| js.is_constant(*right) && js.string(*right).is_some());
            let code = right.map_or(text, |right| js.text(right).to_owned());
            edits.push(replace(node, code));
            Ok(())
        }
        "call_expression"
            if js.callee_name(inner) == "stringify"
                && js.arguments(inner).first().is_some_and(|first| bare(*first).kind() == "object") =>
        {
            let first = js.arguments(inner)[0];
            rewrite(js, call, first, error, words, true, edits)
        }
        "string" | "template_string" | "binary_expression" => {
            edits.push(replace(node, leading_words(js, inner).map_or(text, |lead| format!("{q}{lead}{q}"))));
            Ok(())
        }
        "identifier" if object_of(js, inner).is_some() => {
            let object = object_of(js, inner).unwrap_or(inner);
            rewrite(js, call, object, error, words, whole, edits)
        }
        "identifier"
        | "member_expression"
        | "subscript_expression"
        | "call_expression"
        | "ternary_expression" => {
            let code = if whole {
                format!("{{ {}: {text} }}", js.error_key(inner).unwrap_or("error"))
            } else {
                text
            };
            edits.push(replace(node, code));
            Ok(())
        }
        _ => Err("the answer holds the error in a form that is not understood".into()),
    }
}

/// The object literal a name stands for, when this is its only use.
fn object_of<'t>(js: &Js<'t>, name: Node<'t>) -> Option<Node<'t>> {
    let binding = js.binding(js.text(name), name)?;
    let object = binding.value.map(bare).filter(|value| value.kind() == "object")?;
    let alone = js.uses(js.text(name), binding.scope, binding.ident).len() == 1;
    (alone && js.writes(js.text(name), binding.scope).is_empty()).then_some(object)
}

/// `'Could not save'` of `'Could not save: ' + err.message`; `None` when too little is said.
fn leading_words<'t>(js: &Js<'t>, node: Node<'t>) -> Option<String> {
    let pieces = js.operands(node)?.into_iter().flat_map(|operand| operand.pieces);
    let Some(Piece::Text(lead)) = pieces.into_iter().next() else { return None };
    let lead = lead.trim_end_matches(|c: char| !c.is_alphanumeric()).to_owned();
    let enough = lead.split_whitespace().count() > 1 && !lead.contains(['\'', '"', '\n', '<', '\\']);
    enough.then_some(lead)
}

/// Takes one entry out of a list, with its comma.
fn without(entries: &[Node<'_>], entry: Node<'_>) -> TextEdit {
    let at = entries.iter().position(|other| *other == entry).unwrap_or(0);
    let (start, end) = match (at.checked_sub(1).and_then(|before| entries.get(before)), entries.get(at + 1)) {
        (Some(before), _) => (before.end_byte(), entry.end_byte()),
        (None, Some(next)) => (entry.start_byte(), next.start_byte()),
        (None, None) => (entry.start_byte(), entry.end_byte()),
    };
    TextEdit { start, end, text: String::new() }
}

/// Whether the block around the answer logs the error already.
fn is_logged<'t>(js: &Js<'t>, call: Node<'t>, error: &str) -> bool {
    let mut scope = call;
    while let Some(parent) = scope.parent() {
        scope = parent;
        if is_function(parent) || parent.kind() == "catch_clause" {
            break;
        }
    }
    let mut logged = false;
    walk(scope, &mut |node| {
        if node.kind() != "call_expression" || node == call {
            return;
        }
        let method = js.callee_name(node);
        let receiver = js.receiver(node).map_or("", |receiver| js.text(receiver));
        let last = receiver.rsplit('.').next().unwrap_or("").to_ascii_lowercase();
        let logs =
            matches!(method, "error" | "warn" | "log" | "info" | "debug" | "fatal" | "captureException")
                && (last.contains("log")
                    || matches!(last.as_str(), "console" | "winston" | "sentry" | "debug"));
        logged |= logs && js.arguments(node).iter().any(|argument| mentions_plainly(js, *argument, error));
    });
    logged
}

fn mentions_plainly(js: &Js<'_>, node: Node<'_>, error: &str) -> bool {
    let mut hit = false;
    walk(node, &mut |part| hit |= part.kind() == "identifier" && js.text(part) == error);
    hit
}

/// The file's own way to log an error.
fn logger<'t>(js: &Js<'t>, place: Node<'t>) -> String {
    for name in ["logger", "log", "winston"] {
        if js.binding(name, place).is_some() && js.src.contains(&format!("{name}.")) {
            return format!("{name}.error");
        }
    }
    if js.src.contains("this.logger.")
        && functions_around(place).iter().any(|f| f.kind() == "method_definition")
    {
        return "this.logger.error".into();
    }
    for name in ["req.log", "request.log", "fastify.log"] {
        if js.src.contains(&format!("{name}.")) {
            return format!("{name}.error");
        }
    }
    "console.error".into()
}
