//! The log line an error gets: whether there is one, which logger the file has, where the line goes.

use super::place::{newline, resolved, step};
use super::sql_grow::indent_of;
use crate::finding::TextEdit;
use crate::scan::fix::{NewImport, Site, replace};
use crate::scan::ir::{At, Block, Catch, Expr, ExprKind, Function, StmtKind};

/// Whether a block already writes the error to a log.
pub(super) fn logs(block: &Block, error: Option<&str>) -> bool {
    let mut found = false;
    block.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                if let ExprKind::Call(call) = &inner.kind
                    && let ExprKind::Member { name, object, .. } = &call.callee.kind
                {
                    let to_log = matches!(name.as_str(), "error" | "critical" | "warning" | "log" | "fatal")
                        && object.dotted().is_some_and(|object| object.to_lowercase().contains("log"));
                    let mut tells = call.keyword("exc_info").is_some();
                    for arg in &call.args {
                        arg.value.walk(&mut |part| {
                            tells |= error.is_some() && part.as_name() == error
                                || part.as_call().is_some_and(|call| {
                                    call.callee.dotted().is_some_and(|name| name.ends_with("format_exc"))
                                });
                        });
                    }
                    let logs_whole = name == "exception"
                        && object.dotted().is_some_and(|object| object.to_lowercase().contains("log"));
                    found |=
                        logs_whole || (to_log && tells) || name == "print_exc" || name == "capture_exception";
                }
            });
        }
    });
    found
}

/// The logger the file has, or the one of its module.
pub(super) fn logger(site: &Site<'_>, imports: &mut Vec<NewImport>) -> String {
    let mut own: Option<&str> = None;
    let mut app: Option<&str> = None;
    for stmt in &site.file.module.body.stmts {
        if let StmtKind::Assign { targets, value, .. } = &stmt.kind
            && let Some(name) = targets.first().and_then(Expr::as_name)
            && let Some(callee) = value.as_call().and_then(|call| resolved(site, &call.callee))
        {
            match callee.as_str() {
                "logging.getLogger" | "structlog.get_logger" => own = Some(name),
                "flask.Flask" | "quart.Quart" => app = Some(name),
                _ => {}
            }
        }
    }
    if let Some(own) = own {
        return own.to_owned();
    }
    if let Some(app) = app {
        return format!("{app}.logger");
    }
    if site.file.import_of("current_app").is_some_and(|import| import.module == "flask") {
        return "current_app.logger".to_owned();
    }
    imports.push(NewImport { module: "logging".to_owned(), member: None });
    "logging.getLogger(__name__)".to_owned()
}

/// A log line at the beginning of an `except` body.
pub(super) fn log_first(
    site: &Site<'_>,
    catch: &Catch,
    function: Option<&Function>,
    imports: &mut Vec<NewImport>,
) -> Result<TextEdit, String> {
    let logger = logger(site, imports);
    let first = catch.body.stmts.first().ok_or("the `except` has no body")?;
    let what = function.map_or("the request", |function| function.name.as_str());
    let line = format!("{logger}.exception(\"{what} failed\")");
    let text = &site.file.text;
    let line_start = text[..first.at.start].rfind('\n').map_or(0, |at| at + 1);
    if text[line_start..first.at.start].trim().is_empty() {
        let indent = indent_of(text, first)?;
        return Ok(replace(
            At::new(first.at.start, first.at.start),
            format!("{line}{}{indent}", newline(site)),
        ));
    }
    // `except Exception as e: return …` on one line.
    let indent: String =
        text[line_start..].chars().take_while(|letter| *letter == ' ' || *letter == '\t').collect();
    let inner = format!("{}{indent}{}", newline(site), step(site));
    let gap = At::new(text[..first.at.start].trim_end().len(), first.at.start);
    Ok(replace(gap, format!("{inner}{line}{inner}")))
}
