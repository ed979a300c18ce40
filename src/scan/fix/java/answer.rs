//! Answers: where a browser is sent, what stands in one line, what an error tells.

use super::edit::replace;
use super::pieces::Piece;
use super::syntax::{Java, bare, field, named, simple};
use super::{Case, draft};
use crate::finding::Tier;
use crate::scan::fix::Draft;
use tree_sitter::Node;

/// `response.sendRedirect(target)`: only to places of this site.
pub(super) fn redirect(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = bare(case.argument.ok_or("the target is not an argument of the call")?);
    let object =
        field(case.call, "object").map(|object| java.text(object)).ok_or("the response is not seen")?;
    let method = java.method_of(case.call).ok_or("the method around the call is not found")?;
    if java.name_of(case.call) != "sendRedirect"
        || field(method, "type").is_none_or(|kind| java.text(kind) != "void")
    {
        return Err(
            "which targets are allowed is known only to the project; compare with a fixed list".into()
        );
    }
    if java.type_of(argument) != Some("String") {
        return Err("the target is no text here".into());
    }
    let (name, mut lines, mut edits) = if argument.kind() == "identifier" {
        (java.text(argument).to_owned(), Vec::new(), Vec::new())
    } else {
        let name = java.fresh("target", case.call);
        let lines = vec![format!("String {name} = {};", java.text(argument))];
        (name.clone(), lines, vec![replace(argument, name)])
    };
    let unit = java.unit(java.statement_of(case.call).unwrap_or(case.call));
    lines.push(format!(
        "if ({name} == null || !{name}.startsWith(\"/\") || {name}.startsWith(\"//\") || {name}.startsWith(\"/\\\\\")) {{"
    ));
    lines.push(format!("{unit}{object}.sendError(400);"));
    lines.push(format!("{unit}return;"));
    lines.push("}".to_owned());
    edits.push(java.before(case.call, &lines)?);
    let mut out = draft(Tier::B, "Send browsers to places of this site only.", edits);
    out.by_hand =
        "Targets on other sites are refused now; where some are meant, compare with a list of them.".into();
    Ok(out)
}

/// Headers and lines of a log: no line ends.
pub(super) fn one_line(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = bare(case.argument.ok_or("the value is not an argument of the call")?);
    let by = case.site.spec.with.get("by").map_or("", String::as_str);
    let mut places: Vec<Node<'_>> = Vec::new();
    for argument in java.arguments(case.call).into_iter().map(bare) {
        if argument.start_byte() < bare(case.argument.unwrap_or(argument)).start_byte() {
            continue;
        }
        for piece in java.pieces(argument) {
            if let Piece::Value(value) = piece
                && java.is_tainted(value)
            {
                places.push(value);
            }
        }
    }
    if places.is_empty() {
        places.push(argument);
    }
    let mut edits = Vec::new();
    for place in places {
        if java.type_of(place) != Some("String") {
            return Err("the value is no plain text here; take out its line ends by hand".into());
        }
        let text = java.text(place);
        let shown = if matches!(place.kind(), "identifier" | "method_invocation" | "field_access") {
            text.to_owned()
        } else {
            format!("({text})")
        };
        let kept = if place.kind() == "identifier" {
            format!("{shown}.replaceAll(\"[\\\\r\\\\n]\", \"{by}\")")
        } else {
            format!("String.valueOf({text}).replaceAll(\"[\\\\r\\\\n]\", \"{by}\")")
        };
        let may_be_null = place.kind() == "identifier"
            && java.value_of(text, place).is_none_or(|value| bare(value).kind() == "method_invocation");
        edits.push(replace(
            place,
            if may_be_null && place.kind() == "identifier" {
                format!("String.valueOf({text}).replaceAll(\"[\\\\r\\\\n]\", \"{by}\")")
            } else {
                kept
            },
        ));
    }
    Ok(draft(Tier::A, "Take line ends out of the value.", edits))
}

/// Errors: a text that tells nothing, and the error in the log.
pub(super) fn withhold(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let clause = super::syntax::around(case.call)
        .find(|node| node.kind() == "catch_clause")
        .ok_or("the error is not caught here")?;
    let name = named(clause)
        .into_iter()
        .find(|child| child.kind() == "catch_formal_parameter")
        .and_then(|param| field(param, "name"))
        .map(|name| java.text(name))
        .ok_or("the error has no name here")?;
    let log = logging(java, case.call, name)?;
    let statement = java.statement_of(case.call).ok_or("the call stands in no statement")?;
    if java.name_of(case.call) == "printStackTrace" {
        return Ok(draft(Tier::B, "Keep the error in the log.", vec![replace(statement, log)]));
    }
    let argument = bare(case.argument.ok_or("the text is not an argument of the call")?);
    let body = field(clause, "body").map_or("", |body| java.text(body));
    let mut edits = vec![replace(argument, "\"internal error\"")];
    if !body.contains(log.split('(').next().unwrap_or("?")) {
        edits.push(java.before(case.call, &[log])?);
    }
    Ok(draft(Tier::B, "Keep the error in the log and answer with a text that tells nothing.", edits))
}

/// How this class writes an error to its log.
fn logging<'t>(java: &Java<'t>, from: Node<'t>, name: &str) -> Result<String, String> {
    for body in super::syntax::around(from).filter(|node| node.kind() == "class_body") {
        for member in named(body).into_iter().filter(|member| member.kind() == "field_declaration") {
            let kind = field(member, "type").map_or("", |kind| simple(java.text(kind)));
            let declarator = named(member).into_iter().find(|child| child.kind() == "variable_declarator");
            if let (true, Some(logger)) =
                (matches!(kind, "Logger" | "Log"), declarator.and_then(|child| field(child, "name")))
            {
                let logger = java.text(logger);
                return Ok(if java.src.contains("java.util.logging") {
                    format!("{logger}.log(java.util.logging.Level.SEVERE, \"request failed\", {name});")
                } else {
                    format!("{logger}.error(\"request failed\", {name});")
                });
            }
        }
    }
    let class = java.class_of(from).ok_or("the class around the call is not found")?;
    let is_servlet = field(class, "superclass").is_some_and(|base| java.text(base).contains("HttpServlet"));
    if is_servlet {
        return Ok(format!("log(\"request failed\", {name});"));
    }
    Err("the class has no logger; add one, log the error, and answer with a text that tells nothing".into())
}
