//! XSS: what comes from outside is encoded where it is put into the page.

use super::edit::{insert, replace};
use super::pieces::Piece;
use super::syntax::{Java, around, bare, field, named};
use super::{Case, draft};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::Draft;
use tree_sitter::Node;

/// The fixer.
pub(super) fn encode(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = case.argument.ok_or("the value is not an argument of the call")?;
    let mut places = Vec::new();
    find(java, bare(argument), &mut places, 0)?;
    if places.is_empty() {
        return Err("where the value is put into the page is not seen here".into());
    }
    let mut edits = Vec::new();
    let encoder = encoder(case, &mut edits)?;
    for place in places {
        let text = java.text(place);
        let shown = if java.type_of(place) == Some("String") {
            text.to_owned()
        } else {
            format!("String.valueOf({text})")
        };
        edits.push(replace(place, format!("{encoder}({shown})")));
    }
    Ok(draft(Tier::B, "Encode the value for HTML.", edits))
}

/// The values from outside in what is written.
fn find<'t>(java: &Java<'t>, node: Node<'t>, out: &mut Vec<Node<'t>>, depth: usize) -> Result<(), String> {
    if !java.is_tainted(node) && depth > 0 {
        return Ok(());
    }
    if let Some((_, arguments)) = java.format_of(node) {
        return arguments.into_iter().try_for_each(|argument| find(java, bare(argument), out, depth + 1));
    }
    if let Some(items) = java.items(node) {
        return items.into_iter().try_for_each(|item| find(java, bare(item), out, depth + 1));
    }
    match node.kind() {
        "binary_expression" => {
            for piece in java.pieces(node) {
                if let Piece::Value(value) = piece {
                    if value == node {
                        out.push(value);
                    } else {
                        find(java, value, out, depth + 1)?;
                    }
                }
            }
            Ok(())
        }
        "identifier" => {
            let name = java.text(node);
            let declared = java.declaration(name, node).and_then(|declared| java.declared_type(declared));
            let array = declared.is_some_and(|kind| kind.ends_with("[]"));
            let value = java.value_of(name, node).map(bare);
            let built = value.is_some_and(|value| {
                value.kind() == "binary_expression"
                    || java.format_of(value).is_some()
                    || java.items(value).is_some()
            });
            match value {
                Some(value) if built && depth < 4 => find(java, value, out, depth + 1),
                _ if array => {
                    Err("the values are handed over in an array that is not made in one step".into())
                }
                _ if matches!(java.type_of(node), Some("StringBuilder" | "StringBuffer")) => {
                    Err("the page is put together in a builder; encode the value where it is appended".into())
                }
                _ => {
                    out.push(node);
                    Ok(())
                }
            }
        }
        "method_invocation" if matches!(java.name_of(node), "toCharArray" | "getBytes") => {
            let object = field(node, "object").ok_or("the value is not seen here")?;
            out.push(object);
            Ok(())
        }
        "method_invocation"
            if java.name_of(node) == "toString"
                && field(node, "object").is_some_and(|object| {
                    matches!(java.type_of(object), Some("StringBuilder" | "StringBuffer"))
                }) =>
        {
            Err("the page is put together in a builder; encode the value where it is appended".into())
        }
        "ternary_expression" => {
            for part in ["consequence", "alternative"] {
                if let Some(part) = field(node, part) {
                    find(java, bare(part), out, depth + 1)?;
                }
            }
            Ok(())
        }
        _ => {
            out.push(node);
            Ok(())
        }
    }
}

/// How the project encodes for HTML; a method of the class itself when no library is there.
fn encoder(case: &Case<'_, '_>, edits: &mut Vec<TextEdit>) -> Result<String, String> {
    let java = &case.java;
    let has = |package: &str, artifact: &str| {
        case.site.file.imports(package) || case.site.project.dependencies.iter().any(|name| name == artifact)
    };
    let known = [
        ("org.owasp.encoder", "encoder", "org.owasp.encoder.Encode", "forHtml"),
        ("org.springframework.web", "spring-web", "org.springframework.web.util.HtmlUtils", "htmlEscape"),
        (
            "org.springframework.web",
            "spring-boot-starter-web",
            "org.springframework.web.util.HtmlUtils",
            "htmlEscape",
        ),
        (
            "org.apache.commons.text",
            "commons-text",
            "org.apache.commons.text.StringEscapeUtils",
            "escapeHtml4",
        ),
    ];
    if let Some((_, _, full, method)) = known.iter().find(|(package, artifact, ..)| has(package, artifact)) {
        return Ok(format!("{}.{method}", java.type_name(full, edits)));
    }
    let class = java.class_of(case.call).ok_or("the class around the call is not found")?;
    // Nested classes use the method of the outermost one.
    let class = around(class).filter(|node| node.kind() == "class_declaration").last().unwrap_or(class);
    let body = field(class, "body").ok_or("the class has no body")?;
    let name = "escapeHtml";
    let exists = named(body).into_iter().any(|member| {
        member.kind() == "method_declaration"
            && field(member, "name").is_some_and(|own| java.text(own) == name)
    });
    if exists {
        return Ok(name.to_owned());
    }
    let member = named(body).into_iter().last();
    let unit = member.map_or_else(|| "    ".to_owned(), |member| java.indent(member).to_owned());
    let end = java.line_end();
    let step = java.unit(case.call);
    let lines = [
        String::new(),
        format!("{unit}private static String {name}(String text) {{"),
        format!("{unit}{step}if (text == null) {{"),
        format!("{unit}{step}{step}return null;"),
        format!("{unit}{step}}}"),
        format!(
            "{unit}{step}return text.replace(\"&\", \"&amp;\").replace(\"<\", \"&lt;\").replace(\">\", \"&gt;\")"
        ),
        format!("{unit}{step}{step}.replace(\"\\\"\", \"&quot;\").replace(\"'\", \"&#39;\");"),
        format!("{unit}}}"),
    ];
    let place = member.map_or(body.start_byte() + 1, |member| member.end_byte());
    let text: String = lines.iter().map(|line| format!("{end}{line}")).collect();
    edits.push(insert(place, text));
    Ok(name.to_owned())
}
