//! Options objects and single values of JavaScript calls, set as a rule file says.

use super::imports::{insert, replace};
use super::syntax::{How, Js, bare, entry, field, functions_around, named, statement_of, walk};
use crate::finding::TextEdit;
use std::collections::BTreeMap;
use tree_sitter::Node;

const ELSEWHERE: &str = "the options are made elsewhere; change them there";

/// Words of a rule's parameters that are no keys.
const WORDS: &[&str] = &["position", "tier", "summary", "by_hand"];

impl<'t> Js<'t> {
    /// The object literal an argument is, or is bound to once.
    pub(crate) fn object_of(&self, node: Node<'t>) -> Option<Node<'t>> {
        let node = bare(node);
        match node.kind() {
            "object" => Some(node),
            "identifier" => {
                let binding = self.binding(self.text(node), node)?;
                let once = matches!(binding.how, How::Const)
                    || self.writes(self.text(node), binding.scope).is_empty();
                binding.value.map(bare).filter(|value| once && value.kind() == "object")
            }
            _ => None,
        }
    }
}

/// Sets keys of the options at a position.
pub(crate) fn set<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    with: &BTreeMap<String, String>,
) -> Result<Vec<TextEdit>, String> {
    let position: usize =
        with.get("position").and_then(|at| at.parse().ok()).ok_or("the rule names no position")?;
    let mut edits = Vec::new();
    for (key, value) in with.iter().filter(|(key, _)| !WORDS.contains(&key.as_str())) {
        edits.extend(set_key(js, call, position, key, value)?);
    }
    Ok(edits)
}

/// Sets one key, `a.b` for a key of an object inside.
fn set_key<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    position: usize,
    key: &str,
    value: &str,
) -> Result<Vec<TextEdit>, String> {
    let arguments = js.arguments(call);
    let Some(argument) = arguments.get(position) else {
        if arguments.len() != position || key.contains('.') {
            return Err(ELSEWHERE.to_owned());
        }
        let last = arguments.last().ok_or(ELSEWHERE)?;
        return Ok(vec![insert(last.end_byte(), format!(", {{ {key}: {value} }}"))]);
    };
    let mut object = js.object_of(*argument).ok_or(ELSEWHERE)?;
    let mut key = key;
    while let Some((outer, inner)) = key.split_once('.') {
        let pair = entry(js, object, outer).and_then(|pair| field(pair, "value")).ok_or(ELSEWHERE)?;
        object = js.object_of(pair).ok_or(ELSEWHERE)?;
        key = inner;
    }
    Ok(vec![put(js, object, key, value)])
}

/// An edit that gives an object literal a key.
fn put<'t>(js: &Js<'t>, object: Node<'t>, key: &str, value: &str) -> TextEdit {
    match entry(js, object, key) {
        Some(pair) => match field(pair, "value") {
            Some(old) => replace(old, value),
            None => replace(pair, format!("{key}: {value}")),
        },
        None => match named(object).last() {
            Some(last) => insert(last.end_byte(), format!(", {key}: {value}")),
            None => replace(object, format!("{{ {key}: {value} }}")),
        },
    }
}

/// The flags of a cookie.
pub(crate) fn cookie<'t>(js: &Js<'t>, call: Node<'t>, session: bool) -> Result<Vec<TextEdit>, String> {
    let arguments = js.arguments(call);
    let mut wishes = vec![("secure", "true")];
    let q = js.quote();
    let lax = format!("{q}lax{q}");
    if session {
        wishes = vec![("httpOnly", "true"), ("secure", "true"), ("sameSite", lax.as_str())];
    }
    let Some(options) = arguments.get(2) else {
        let last = arguments.get(1).ok_or("the cookie's value is not written here")?;
        let all: Vec<String> = wishes.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        return Ok(vec![insert(last.end_byte(), format!(", {{ {} }}", all.join(", ")))]);
    };
    let object = js.object_of(*options).ok_or(ELSEWHERE)?;
    let mut edits = Vec::new();
    let mut new = Vec::new();
    for (key, value) in wishes {
        match entry(js, object, key) {
            Some(pair) => {
                let old = field(pair, "value");
                if key != "sameSite"
                    && old.is_some_and(|old| matches!(js.text(old), "false" | "null" | "undefined"))
                {
                    edits.push(put(js, object, key, value));
                }
            }
            None => new.push(format!("{key}: {value}")),
        }
    }
    if !new.is_empty() {
        edits.push(match named(object).last() {
            Some(last) => insert(last.end_byte(), format!(", {}", new.join(", "))),
            None => replace(object, format!("{{ {} }}", new.join(", "))),
        });
    }
    Ok(edits)
}

/// Allowed origins from the environment.
pub(crate) fn origins<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let q = js.quote();
    set_key(js, call, 0, "origin", &format!("(process.env.ALLOWED_ORIGINS || {q}{q}).split({q},{q})"))
}

/// A strong hash in place of a broken one.
pub(crate) fn hash<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let argument = js.arguments(call).first().copied().ok_or("the hash is not named here")?;
    let q = js.quote();
    let signs = matches!(js.callee_name(call), "createSign" | "createVerify");
    let name = if signs && js.string(argument).is_some_and(|text| text.to_lowercase().starts_with("rsa-")) {
        "RSA-SHA256"
    } else {
        "sha256"
    };
    Ok(vec![replace(argument, format!("{q}{name}{q}"))])
}

/// Rights for the owner only.
pub(crate) fn mode<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    if js.callee_name(call) == "umask" {
        let argument = js.arguments(call).first().copied().ok_or("the mask is not written here")?;
        return Ok(vec![replace(argument, "0o077")]);
    }
    let argument = js.arguments(call).get(1).copied().ok_or("the rights are not written here")?;
    let text = js.string(argument).unwrap_or_else(|| js.text(argument).to_owned());
    let octal = text.trim_start_matches("0o").trim_start_matches("0O").trim_start_matches('0');
    let bits = i64::from_str_radix(octal, 8).map_err(|_| "the rights are computed elsewhere")?;
    if argument.kind() == "number" && !js.text(argument).starts_with("0o") {
        return Err("the rights are not written in octal".to_owned());
    }
    Ok(vec![replace(argument, if bits & 0o111 == 0 { "0o600" } else { "0o700" })])
}

/// Numbers and texts that cannot be guessed in place of `Math.random()`.
#[allow(clippy::unnecessary_wraps, reason = "a fixer may decline")]
pub(crate) fn random<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let crypto = js.reach_module("crypto");
    let q = js.quote();
    // `Math.random().toString(36).slice(2)`: a text of letters and digits.
    let chain = |node: Node<'t>, method: &str| {
        let member = node.parent().filter(|member| member.kind() == "member_expression")?;
        let name = field(member, "property").map(|property| js.text(property))?;
        let outer = member.parent().filter(|outer| outer.kind() == "call_expression")?;
        (name == method).then_some(outer)
    };
    let mut edits = crypto.edits;
    if let Some(text) = chain(call, "toString") {
        let mut whole = text;
        for method in ["slice", "substring", "substr"] {
            if let Some(cut) = chain(whole, method) {
                let one = js.arguments(cut).len() == 1;
                whole = if one { cut } else { whole };
            }
        }
        if whole != text {
            edits.push(replace(whole, format!("{}.randomBytes(16).toString({q}hex{q})", crypto.name)));
            return Ok(edits);
        }
    }
    edits.push(replace(call, format!("({}.randomInt(2 ** 47) / 2 ** 47)", crypto.name)));
    Ok(edits)
}

/// The algorithms of `jwt.verify` without `none`.
pub(crate) fn algorithms<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let q = js.quote();
    let object = js.arguments(call).get(2).and_then(|options| js.object_of(*options)).ok_or(ELSEWHERE)?;
    let list =
        entry(js, object, "algorithms").and_then(|pair| field(pair, "value")).map(bare).ok_or(ELSEWHERE)?;
    if list.kind() != "array" {
        return Err(ELSEWHERE.to_owned());
    }
    let good: Vec<&str> = named(list)
        .into_iter()
        .filter(|item| js.string(*item).is_none_or(|text| !text.eq_ignore_ascii_case("none")))
        .map(|item| js.text(item))
        .collect();
    let written = if good.is_empty() { format!("{q}HS256{q}") } else { good.join(", ") };
    Ok(vec![replace(list, format!("[{written}]"))])
}

/// `jwt.verify` with the key of this file in place of `jwt.decode`.
pub(crate) fn verify<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let object = js.receiver(call).ok_or("the function is imported by its own name")?;
    let token = js.arguments(call).first().copied().ok_or("the token is not the first argument")?;
    if js.arguments(call).len() > 1 {
        return Err("the token is decoded with options; verify it first, with its key".to_owned());
    }
    let library = js.text(object);
    let mut found = None;
    walk(js.root, &mut |node| {
        if node.kind() == "call_expression"
            && js.callee_name(node) == "sign"
            && js.receiver(node).is_some_and(|on| js.text(on) == library)
        {
            found = Some(node);
        }
    });
    let sign = found.ok_or("the key that the token is signed with is not at hand here")?;
    let arguments = js.arguments(sign);
    let key = arguments.get(1).copied().ok_or("the key is not written here")?;
    let global = js.text(key).starts_with("process.env.")
        || key.kind() == "string"
        || js.binding(js.text(key), key).is_some_and(|binding| binding.scope.kind() == "program");
    if !global {
        return Err("the key that the token is signed with is not at hand here".to_owned());
    }
    let q = js.quote();
    let algorithm = arguments
        .get(2)
        .and_then(|options| js.object_of(*options))
        .and_then(|options| entry(js, options, "algorithm"))
        .and_then(|pair| field(pair, "value"))
        .map_or_else(|| format!("{q}HS256{q}"), |value| js.text(value).to_owned());
    let text =
        format!("{library}.verify({}, {}, {{ algorithms: [{algorithm}] }})", js.text(token), js.text(key));
    Ok(vec![replace(call, text)])
}

/// The statement taken away, its line with it.
pub(crate) fn delete<'t>(js: &Js<'t>, place: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let statement = statement_of(place).filter(|statement| statement.kind() == "expression_statement");
    let statement = statement.ok_or("the value is set inside another statement")?;
    let start =
        js.src.get(..statement.start_byte()).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let alone = js.src.get(start..statement.start_byte()).is_some_and(|lead| lead.trim().is_empty());
    let end = js
        .src
        .get(statement.end_byte()..)
        .and_then(|rest| rest.find('\n'))
        .map_or(js.src.len(), |at| statement.end_byte() + at + 1);
    let rest = js.src.get(statement.end_byte()..end).unwrap_or("").trim();
    if !alone || !rest.is_empty() {
        return Err("the statement shares its line with others".to_owned());
    }
    Ok(vec![TextEdit { start, end, text: String::new() }])
}

/// Keys that lead to the prototype are passed over in the loop around a place.
pub(crate) fn guard_keys<'t>(js: &Js<'t>, place: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let target = bare(place);
    let index = field(target, "index").ok_or("the key is not followed")?;
    let key = js.text(index);
    let q = js.quote();
    let check = format!("if ([{q}__proto__{q}, {q}constructor{q}, {q}prototype{q}].includes({key}))");
    let mut at = place;
    let function = functions_around(place).first().copied();
    while let Some(parent) = at.parent() {
        let (body, leave) = match parent.kind() {
            "for_in_statement" => (field(parent, "body"), "continue"),
            _ if Some(parent) == function => (field(parent, "body"), "return"),
            _ => (None, ""),
        };
        if let Some(body) = body.filter(|body| body.kind() == "statement_block" && at == *body) {
            let first = named(body).first().copied().ok_or("the loop is empty")?;
            let gap = js.indent(first).to_owned();
            let newline = if js.src.contains("\r\n") { "\r\n" } else { "\n" };
            return Ok(vec![insert(
                first.start_byte(),
                format!("{check} {leave}{}{newline}{gap}", js.semi()),
            )]);
        }
        at = parent;
    }
    Err("the loop has no block of its own".to_owned())
}

/// A generic text for the client, the error for the log.
pub(crate) fn withhold<'t>(js: &Js<'t>, value: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let mut root = bare(value);
    while let Some(object) = field(root, "object") {
        root = bare(object);
    }
    if root.kind() != "identifier" || bare(value).kind() == "object" {
        return Err(
            "the answer is put together from more than the error; choose what a client may read".to_owned()
        );
    }
    let statement = statement_of(value).ok_or("the answer is not set in a statement")?;
    let (q, semi) = (js.quote(), js.semi());
    let newline = if js.src.contains("\r\n") { "\r\n" } else { "\n" };
    let line = format!("console.error({}){semi}{newline}{}", js.text(root), js.indent(statement));
    Ok(vec![insert(statement.start_byte(), line), replace(value, format!("{q}Internal server error{q}"))])
}

/// The loader that takes plain values only.
pub(crate) fn safe_loader<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let member = field(call, "function").filter(|member| member.kind() == "member_expression");
    let name = member
        .and_then(|member| field(member, "property"))
        .ok_or("the loader is imported by its own name")?;
    Ok(vec![replace(name, if js.text(name) == "loadAll" { "safeLoadAll" } else { "safeLoad" })])
}
