//! Where a line can be put, and how the code around it refuses a request.

use super::sql_grow::indent_of;
use super::template::count_word;
use crate::finding::TextEdit;
use crate::scan::fix::{NewImport, Site, replace};
use crate::scan::ir::{At, Expr, ExprKind, Stmt, StmtKind};

/// The innermost statement whose own expressions hold a place, when lines can be put before it.
pub(super) fn statement<'a>(site: &Site<'a>, at: At) -> Result<&'a Stmt, String> {
    let mut found: Option<&'a Stmt> = None;
    let mut hidden = false;
    site.scope().walk(&mut |stmt| {
        for expr in stmt.exprs() {
            if expr.outer.holds(at) {
                found = Some(stmt);
                expr.walk(&mut |inner| {
                    hidden |= matches!(inner.kind, ExprKind::Comprehension { .. })
                        && inner.at.holds(at)
                        && inner.at != at;
                });
            }
        }
    });
    let stmt = found.ok_or("the place is inside a lambda or a decorator")?;
    let text = stmt.at.of(&site.file.text);
    let repeats = matches!(&stmt.kind, StmtKind::Loop { test: Some(_), .. });
    if hidden || repeats || text.starts_with("elif") {
        return Err("the check cannot be put before the expression without changing when it runs".to_owned());
    }
    indent_of(&site.file.text, stmt)?;
    Ok(stmt)
}

/// An edit that puts lines before a statement, indented as it is.
pub(super) fn before(site: &Site<'_>, stmt: &Stmt, lines: &[String]) -> Result<TextEdit, String> {
    let indent = indent_of(&site.file.text, stmt)?;
    let newline = newline(site);
    let gap = format!("{newline}{indent}");
    let body = lines.join(&gap) + &gap;
    Ok(replace(At::new(stmt.at.start, stmt.at.start), body))
}

/// An edit that puts lines behind a statement.
pub(super) fn behind(site: &Site<'_>, stmt: &Stmt, lines: &[String]) -> Result<TextEdit, String> {
    let indent = indent_of(&site.file.text, stmt)?;
    let text = &site.file.text;
    let end = stmt.at.end;
    let rest = text[end..].split('\n').next().unwrap_or("").trim();
    if !rest.is_empty() && !rest.starts_with('#') {
        return Err("several statements stand on one line".to_owned());
    }
    let newline = newline(site);
    let mut at = end + text[end..].find('\n').unwrap_or(text.len() - end);
    if text[..at].ends_with('\r') {
        at -= 1;
    }
    let gap = format!("{newline}{indent}");
    let body = gap.clone() + &lines.join(&gap);
    Ok(replace(At::new(at, at), body))
}

pub(super) fn newline(site: &Site<'_>) -> &'static str {
    if site.file.text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// One step of indentation as the file has it.
pub(super) fn step(site: &Site<'_>) -> String {
    let first = site.file.text.lines().find(|line| line.starts_with([' ', '\t']));
    match first {
        Some(line) if line.starts_with('\t') => "\t".to_owned(),
        Some(line) => {
            let width = line.len() - line.trim_start_matches(' ').len();
            " ".repeat(if width == 2 { 2 } else { 4 })
        }
        None => "    ".to_owned(),
    }
}

/// A name that stands nowhere in the file.
pub(super) fn free_name(site: &Site<'_>, choices: &[&str]) -> Option<String> {
    choices.iter().find(|name| count_word(&site.file.text, name) == 0).map(|name| (*name).to_owned())
}

/// Lines that refuse a request as not found, in the way of the framework in use.
pub(super) fn not_found(site: &Site<'_>) -> (Vec<String>, Vec<NewImport>) {
    let file = site.file;
    let import = |module: &str, member: &str| {
        vec![NewImport { module: module.to_owned(), member: Some(member.to_owned()) }]
    };
    let function = site.function();
    if let Some(function) = function {
        let names: Vec<&str> = function.params.iter().map(|param| param.name.as_str()).collect();
        if names.contains(&"start_response") {
            return (
                vec![
                    "start_response(\"404 Not Found\", [(\"Content-Type\", \"text/plain; charset=utf-8\")])"
                        .to_owned(),
                    "return [b\"Not Found\"]".to_owned(),
                ],
                Vec::new(),
            );
        }
        if function.is_method && function.name.starts_with("do_") {
            return (vec!["self.send_error(404)".to_owned(), "return".to_owned()], Vec::new());
        }
    }
    if file.imports("fastapi") {
        return (vec!["raise HTTPException(status_code=404)".to_owned()], import("fastapi", "HTTPException"));
    }
    if file.imports("flask") {
        return (vec!["abort(404)".to_owned()], import("flask", "abort"));
    }
    if file.imports("quart") {
        return (vec!["abort(404)".to_owned()], import("quart", "abort"));
    }
    if file.imports("bottle") {
        return (vec!["abort(404)".to_owned()], import("bottle", "abort"));
    }
    if file.imports("django") || file.imports("rest_framework") {
        return (vec!["raise Http404".to_owned()], import("django.http", "Http404"));
    }
    if file.imports("starlette") {
        return (
            vec!["raise HTTPException(status_code=404)".to_owned()],
            import("starlette.exceptions", "HTTPException"),
        );
    }
    if file.imports("aiohttp") {
        return (vec!["raise web.HTTPNotFound()".to_owned()], import("aiohttp", "web"));
    }
    (vec!["raise FileNotFoundError(\"no such file\")".to_owned()], Vec::new())
}

/// Lines that refuse a request as malformed, in the way of the framework in use.
pub(super) fn bad_request(site: &Site<'_>) -> (Vec<String>, Vec<NewImport>) {
    let (lines, mut imports) = not_found(site);
    let lines = lines
        .iter()
        .map(|line| {
            if line == "raise Http404" {
                imports = vec![NewImport {
                    module: "django.core.exceptions".to_owned(),
                    member: Some("BadRequest".to_owned()),
                }];
                return "raise BadRequest".to_owned();
            }
            if line.starts_with("raise FileNotFoundError") {
                return "raise ValueError(\"refused\")".to_owned();
            }
            line.replace("404 Not Found", "400 Bad Request")
                .replace("HTTPNotFound", "HTTPBadRequest")
                .replace("Not Found", "Bad Request")
                .replace("404", "400")
        })
        .collect();
    (lines, imports)
}

/// All calls in the file whose callee is written like this or resolves to it.
pub(super) fn resolved<'a>(site: &Site<'a>, expr: &'a Expr) -> Option<String> {
    let written = expr.dotted()?;
    let (root, rest) = written.split_once('.').map_or((written.as_str(), ""), |(root, rest)| (root, rest));
    match site.file.import_of(root) {
        Some(import) if rest.is_empty() => Some(import.dotted()),
        Some(import) => Some(format!("{}.{rest}", import.dotted())),
        None => Some(written),
    }
}
