//! Hard-coded secrets in JavaScript and TypeScript: read from the environment, refuse to start without.

use super::imports::{insert, replace};
use super::syntax::{Js, field, named, statement_of, walk};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The edits that take the secret out of the code, and the variable's name.
///
/// # Errors
/// When the secret stands where no value can be put.
pub(crate) fn from_environment<'t>(
    js: &Js<'t>,
    literal: Node<'t>,
) -> Result<(Vec<TextEdit>, String), String> {
    let secret = js.string(literal).ok_or("the secret is not a plain text")?;
    // `process.env.X || 'secret'`: the fallback goes.
    let fallback = literal.parent().filter(|p| {
        p.kind() == "binary_expression"
            && field(*p, "operator").is_some_and(|op| matches!(js.text(op), "||" | "??"))
            && field(*p, "left").is_some_and(|left| js.text(left).starts_with("process.env."))
    });
    let value = fallback.unwrap_or(literal);
    let variable = fallback
        .and_then(|f| field(f, "left"))
        .and_then(|left| js.text(left).strip_prefix("process.env."))
        .map_or_else(|| unused_variable(js, variable_name(js, literal)), str::to_owned);
    if fallback.is_none() && is_record(literal) {
        return Err("the secret stands in a list of records; take sample data out of the code".into());
    }
    let declarator = value
        .parent()
        .filter(|p| p.kind() == "variable_declarator")
        .filter(|p| field(*p, "name").is_some_and(|name| name.kind() == "identifier"));
    let top = declarator.and_then(|d| {
        statement_of(d).filter(|s| s.parent().is_some_and(|p| p.kind() == "program")).map(|s| (d, s))
    });
    let mut edits = Vec::new();
    let local = if let Some((declarator, statement)) = top {
        let name = field(declarator, "name").map_or("", |name| js.text(name)).to_owned();
        edits.push(replace(value, read(js, &variable)));
        if !js.typescript {
            edits.push(insert(statement.end_byte(), check(js, &name, &variable)));
        } else if !js.has_name("requireEnv") {
            edits.push(insert(statement.end_byte(), require_function(js)));
        }
        name
    } else {
        let name = js.fresh(&variable);
        let mut text = format!("\n\n{} {name} = {}{}", js.declare(), read(js, &variable), js.semi());
        if !js.typescript {
            text.push_str(&check(js, &name, &variable));
        } else if !js.has_name("requireEnv") {
            text.push_str(&require_function(js));
        }
        let at = behind_imports(js);
        if at == 0 {
            text = format!("{}\n\n", text.trim_start());
        } else if next_line(js.src.get(at..).unwrap_or("")).is_some_and(|line| !line.trim().is_empty()) {
            text.push('\n');
        }
        edits.push(insert(at, lines(js, text)));
        edits.push(replace(value, name.clone()));
        name
    };
    // Whoever checks with the same secret must go on doing so.
    walk(js.root, &mut |node| {
        let same = node.kind() == "string" && node != literal && js.string(node).as_deref() == Some(&secret);
        let in_import = node.parent().is_some_and(|p| p.kind().starts_with("import"));
        if same
            && !in_import
            && !(value.start_byte() <= node.start_byte() && node.end_byte() <= value.end_byte())
        {
            edits.push(replace(node, local.clone()));
        }
    });
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok((edits, variable))
}

/// The line behind the first line break.
fn next_line(rest: &str) -> Option<&str> {
    rest.lines().nth(1)
}

/// Another secret of the file may have the name already.
fn unused_variable(js: &Js<'_>, wish: String) -> String {
    let taken = |name: &str| {
        js.src.match_indices(name).any(|(at, _)| {
            let after = js.src[at + name.len()..].chars().next();
            js.src[..at].ends_with("process.env.") && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
        }) || js.src.contains(&format!("requireEnv('{name}')"))
    };
    if !taken(&wish) {
        return wish;
    }
    (2..1000).map(|n| format!("{wish}_{n}")).find(|name| !taken(name)).unwrap_or(wish)
}

/// Whether a literal is a field of an object in a list.
fn is_record(literal: Node<'_>) -> bool {
    let object = literal.parent().filter(|p| p.kind() == "pair").and_then(|p| p.parent());
    object.and_then(|o| o.parent()).is_some_and(|list| list.kind() == "array")
}

fn read(js: &Js<'_>, variable: &str) -> String {
    let q = js.quote();
    if js.typescript { format!("requireEnv({q}{variable}{q})") } else { format!("process.env.{variable}") }
}

/// The statement that ends the start when the variable is absent.
fn check(js: &Js<'_>, name: &str, variable: &str) -> String {
    let (q, semi, unit) = (js.quote(), js.semi(), js.unit());
    lines(js, format!("\nif (!{name}) {{\n{unit}throw new Error({q}{variable} must be set{q}){semi}\n}}"))
}

/// TypeScript does not know that a checked constant is no longer undefined inside functions.
fn require_function(js: &Js<'_>) -> String {
    let (semi, unit) = (js.semi(), js.unit());
    lines(
        js,
        format!(
            "\n\nfunction requireEnv(name: string): string {{\n{unit}const value = process.env[name]{semi}\n\
             {unit}if (!value) {{\n{unit}{unit}throw new Error(`${{name}} must be set`){semi}\n{unit}}}\n\
             {unit}return value{semi}\n}}"
        ),
    )
}

fn lines(js: &Js<'_>, text: String) -> String {
    if js.src.contains("\r\n") { text.replace('\n', "\r\n") } else { text }
}

/// Behind the imports, and behind the line that loads a `.env` file.
fn behind_imports(js: &Js<'_>) -> usize {
    let mut at = js.last_import().map_or(0, |last| last.end_byte());
    for statement in named(js.root) {
        if statement.kind() == "expression_statement" {
            let text = js.text(statement);
            let directive = named(statement).first().is_some_and(|e| e.kind() == "string");
            if (text.contains("dotenv") && text.contains("config(")) || (directive && at == 0) {
                at = at.max(statement.end_byte());
            }
        }
    }
    at
}

/// A name for the variable, from the name the secret has or the call it is given to.
fn variable_name(js: &Js<'_>, literal: Node<'_>) -> String {
    let mut key = String::new();
    // A literal that is an argument itself is named by the call, not by what the call's result is bound to.
    let mut settled = false;
    let mut around = Vec::new();
    let mut at = literal;
    while let Some(parent) = at.parent() {
        match parent.kind() {
            "variable_declarator" if key.is_empty() && !settled => key = text_of(js, field(parent, "name")),
            "assignment_expression" if key.is_empty() && !settled => {
                key = text_of(js, field(parent, "left"));
                if let Some(at) = key.rfind('.') {
                    key.drain(..=at);
                }
            }
            "pair" | "public_field_definition" | "field_definition" if key.is_empty() && !settled => {
                let name = field(parent, "key")
                    .or_else(|| field(parent, "name"))
                    .or_else(|| field(parent, "property"));
                let written = text_of(js, name);
                key.push_str(written.trim_matches(['\'', '"']));
            }
            "pair" => around.push(text_of(js, field(parent, "key"))),
            "variable_declarator" => around.push(text_of(js, field(parent, "name"))),
            "arguments" if at.id() == literal.id() => settled = true,
            "call_expression" | "new_expression" => {
                let callee = field(parent, "function").or_else(|| field(parent, "constructor"));
                around.push(text_of(js, callee));
            }
            "program" => break,
            _ => {}
        }
        at = parent;
    }
    let around = around.join(" ").to_ascii_lowercase();
    let name = snake(&key);
    let generic = matches!(
        name.as_str(),
        "" | "SECRET"
            | "KEY"
            | "PASSWORD"
            | "PASS"
            | "PWD"
            | "TOKEN"
            | "SECRETS"
            | "KEYS"
            | "SECRET_KEY"
            | "SECRET_OR_KEY"
            | "PASSPHRASE"
    );
    if !generic {
        return name;
    }
    let kind = if matches!(name.as_str(), "PASSWORD" | "PASS" | "PWD") { "PASSWORD" } else { "SECRET" };
    let file = js.src.to_ascii_lowercase();
    let owner = if kind == "PASSWORD" {
        let mail = around.contains("mail") || around.contains("transport") || around.contains("smtp");
        if mail {
            "SMTP"
        } else if around.contains("redis") {
            "REDIS"
        } else {
            "DB"
        }
    } else if around.contains("jwt")
        || around.contains("sign")
        || around.contains("verify")
        || around.contains("strategy")
    {
        "JWT"
    } else if around.contains("session") {
        "SESSION"
    } else if around.contains("cookie") {
        "COOKIE"
    } else if around.contains("hmac") {
        "HMAC"
    } else if around.contains("cipher") {
        return "ENCRYPTION_KEY".into();
    } else if file.contains("jsonwebtoken") || file.contains("jose") {
        "JWT"
    } else if file.contains("express-session") || file.contains("cookie-session") {
        "SESSION"
    } else if name.is_empty() {
        "APP"
    } else {
        return if name == "SECRET" || name == "KEY" || name == "TOKEN" {
            format!("APP_{name}")
        } else {
            name
        };
    };
    format!("{owner}_{kind}")
}

fn text_of(js: &Js<'_>, node: Option<Node<'_>>) -> String {
    node.map_or_else(String::new, |node| js.text(node).to_owned())
}

/// `jwtSecret` to `JWT_SECRET`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    let mut lower_before = false;
    for c in name.chars() {
        if c.is_uppercase() && lower_before {
            out.push('_');
        }
        lower_before = c.is_lowercase() || c.is_ascii_digit();
        out.extend(if c.is_alphanumeric() { c.to_uppercase().next() } else { Some('_') });
    }
    out.trim_matches('_').to_owned()
}
