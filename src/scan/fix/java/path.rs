//! Path traversal: the path must lie inside the folder it was joined to.

use super::edit::replace;
use super::pieces::Piece;
use super::syntax::{Java, around, bare, field, named, simple};
use super::{Case, draft};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::Draft;
use tree_sitter::Node;

const NO_FOLDER: &str =
    "no folder is known that the path must stay in; name one and resolve the name against it";

/// A path and the folder it begins with.
struct Joined {
    /// The folder as an expression of type `Path`.
    folder: String,
    /// What the path's variable has to be given for a `Path`: nothing, `.toPath()`.
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Path,
    File,
    Text,
}

/// The fixer.
pub(super) fn contain(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let object = field(case.call, "object");
    let mut node = bare(case.argument.or(object).ok_or("the path is not found in the call")?);
    // `new FileInputStream(new File(x))`, `new FileInputStream(file)` of a file that a text names.
    let mut named_at: Option<(Node<'_>, &str)> = None;
    for _ in 0..4 {
        if node.kind() == "identifier" {
            let name = java.text(node);
            let value = java.value_of(name, node).ok_or("the path is not made in one step in this method")?;
            named_at = Some((value, name));
            node = bare(value);
        }
        match inner_of(java, node) {
            Some(inner) => node = bare(inner),
            None => break,
        }
        named_at = None;
        if node.kind() != "identifier" {
            break;
        }
    }
    let mut edits = Vec::new();
    let paths = java.type_name("java.nio.file.Paths", &mut edits);
    let joined = joined(java, node, &paths)?;
    let absolute = |path: &str| format!("{path}.toAbsolutePath().normalize()");
    let as_path = |name: &str| match joined.kind {
        Kind::Path => absolute(name),
        Kind::File => absolute(&format!("{name}.toPath()")),
        Kind::Text => absolute(&format!("{paths}.get({name})")),
    };
    if joined.kind != Kind::Text && !joined.folder.contains(&format!("{paths}.get(")) {
        edits.clear();
    }
    let unit = java.unit(java.statement_of(case.call).unwrap_or(case.call));
    let refusal = refuse(case, &mut edits);
    let check = |name: &str| {
        let mut lines = vec![format!("if (!{}.startsWith({})) {{", as_path(name), absolute(&joined.folder))];
        lines.extend(refusal.iter().map(|line| format!("{unit}{line}")));
        lines.push("}".to_owned());
        lines
    };
    if let Some((value, name)) = named_at {
        let in_header = around(value)
            .take_while(|outer| outer.kind() != "block")
            .any(|outer| matches!(outer.kind(), "resource" | "field_declaration" | "lambda_expression"));
        if in_header {
            return Err("the path is made where no check can follow it".into());
        }
        edits.push(java.behind(value, &check(name))?);
    } else {
        let (name, kind) = match joined.kind {
            Kind::Path => ("requested", java.type_name("java.nio.file.Path", &mut edits)),
            Kind::File => ("requested", java.type_name("java.io.File", &mut edits)),
            Kind::Text => ("requested", "String".to_owned()),
        };
        let name = java.fresh(name, case.call);
        let mut lines = vec![format!("{kind} {name} = {};", java.text(node))];
        lines.extend(check(&name));
        edits.push(java.before(case.call, &lines)?);
        edits.push(replace(node, name));
    }
    Ok(draft(Tier::B, "Refuse paths outside the folder the name is joined to.", edits))
}

/// What a path is only wrapped around: `new File(x)`, `Paths.get(x)`, `x.toPath()`.
fn inner_of<'t>(java: &Java<'t>, node: Node<'t>) -> Option<Node<'t>> {
    match node.kind() {
        "object_creation_expression" => {
            let arguments = java.arguments(node);
            let [one] = arguments.as_slice() else { return None };
            let wraps = matches!(
                java.name_of(node),
                "File"
                    | "FileInputStream"
                    | "FileReader"
                    | "FileWriter"
                    | "FileOutputStream"
                    | "FileSystemResource"
            );
            // A file keeps its own name where its text is put together right there.
            let text = bare(*one);
            (wraps && text.kind() == "identifier").then_some(*one)
        }
        "method_invocation" => match (java.name_of(node), java.arguments(node).as_slice()) {
            ("get" | "of", [one])
                if field(node, "object")
                    .is_some_and(|o| matches!(simple(java.text(o)), "Paths" | "Path"))
                    && bare(*one).kind() == "identifier" =>
            {
                Some(*one)
            }
            ("toPath" | "toFile" | "toString" | "getPath" | "normalize" | "toAbsolutePath", []) => {
                field(node, "object")
            }
            _ => None,
        },
        _ => None,
    }
}

/// The folder of a path that is put together.
fn joined<'t>(java: &Java<'t>, node: Node<'t>, paths: &str) -> Result<Joined, String> {
    let get = |text: &str| format!("{paths}.get({text})");
    match node.kind() {
        "object_creation_expression" if java.name_of(node) == "File" => {
            match java.arguments(node).as_slice() {
                [base, _] if !java.is_tainted(*base) => {
                    let folder = match java.type_of(*base) {
                        Some("File") => format!("{}.toPath()", java.text(*base)),
                        Some("Path") => java.text(*base).to_owned(),
                        _ if base.kind() == "object_creation_expression" => {
                            format!("{}.toPath()", java.text(*base))
                        }
                        _ => get(java.text(*base)),
                    };
                    Ok(Joined { folder, kind: Kind::File })
                }
                [text] => Ok(Joined { folder: get(&folder_of(java, *text)?), kind: Kind::File }),
                _ => Err(NO_FOLDER.into()),
            }
        }
        "method_invocation" => {
            let object = field(node, "object").ok_or(NO_FOLDER)?;
            let arguments = java.arguments(node);
            match java.name_of(node) {
                "get" | "of" if matches!(simple(java.text(object)), "Paths" | "Path") => {
                    let fixed: Vec<&str> = arguments
                        .iter()
                        .take_while(|argument| !java.is_tainted(**argument))
                        .map(|argument| java.text(*argument))
                        .collect();
                    let folder = match (fixed.is_empty(), arguments.first()) {
                        (false, _) => get(&fixed.join(", ")),
                        (true, Some(first)) => get(&folder_of(java, *first)?),
                        (true, None) => return Err(NO_FOLDER.into()),
                    };
                    Ok(Joined { folder, kind: Kind::Path })
                }
                "resolve" if !java.is_tainted(object) => {
                    Ok(Joined { folder: java.text(object).to_owned(), kind: Kind::Path })
                }
                _ => Err(NO_FOLDER.into()),
            }
        }
        _ => Ok(Joined { folder: get(&folder_of(java, node)?), kind: Kind::Text }),
    }
}

/// The folder at the beginning of a text, as a text.
fn folder_of<'t>(java: &Java<'t>, node: Node<'t>) -> Result<String, String> {
    let pieces = java.pieces(node);
    let mut fixed: Vec<String> = Vec::new();
    for piece in &pieces {
        match piece {
            Piece::Value(value) if java.is_tainted(*value) => break,
            Piece::Value(value) => fixed.push(java.text(*value).to_owned()),
            Piece::Text(_, letters) => fixed.push(format!("\"{letters}\"")),
        }
    }
    if fixed.len() == pieces.len() {
        return Err(NO_FOLDER.into());
    }
    // The last literal ends at its last slash.
    if let Some(last) = fixed.last().filter(|last| last.starts_with('"')).cloned() {
        let letters = last.trim_matches('"');
        fixed.pop();
        match letters.rfind('/') {
            Some(0) | None if fixed.is_empty() => return Err(NO_FOLDER.into()),
            Some(at) => fixed.push(format!("\"{}\"", &letters[..at])),
            None => {}
        }
        if fixed.len() > 1 && fixed.last().is_some_and(|last| last == "\"\"") {
            fixed.pop();
        }
    }
    if fixed.is_empty() { Err(NO_FOLDER.into()) } else { Ok(fixed.join(" + ")) }
}

/// How a request is refused here.
fn refuse(case: &Case<'_, '_>, edits: &mut Vec<TextEdit>) -> Vec<String> {
    let java = &case.java;
    let method = java.method_of(case.call);
    let in_lambda =
        around(case.call).take_while(|node| Some(*node) != method).any(|n| n.kind() == "lambda_expression");
    if let Some(method) = method.filter(|_| !in_lambda) {
        let is_void = field(method, "type").is_some_and(|kind| java.text(kind) == "void");
        let response = field(method, "parameters").into_iter().flat_map(named).find(|param| {
            field(*param, "type").is_some_and(|kind| simple(java.text(kind)) == "HttpServletResponse")
        });
        let name = response.and_then(|param| field(param, "name")).map(|name| java.text(name));
        if let (true, Some(name)) = (is_void && java.may_raise(case.call, &["IOException"]), name) {
            return vec![format!("{name}.sendError(400);"), "return;".to_owned()];
        }
    }
    if java.src.contains("import org.springframework.web.bind.annotation") {
        let error = java.type_name("org.springframework.web.server.ResponseStatusException", edits);
        let status = java.type_name("org.springframework.http.HttpStatus", edits);
        return vec![format!("throw new {error}({status}.BAD_REQUEST);")];
    }
    vec!["throw new IllegalArgumentException(\"invalid path\");".to_owned()]
}
