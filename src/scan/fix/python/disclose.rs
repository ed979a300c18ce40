//! Error details in Python: a general text for the client, the error to the log.

use super::place::{catch_around, newline, resolved, step};
use super::sql_grow::indent_of;
use super::template::{Seg, Template};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Block, Catch, Expr, ExprKind, StmtKind};

/// Withholds the details.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = Draft {
        tier: Some(Tier::B),
        summary: "answers with a general text and writes the error to the log".to_owned(),
        ..Draft::default()
    };
    let root = if site.callee == "return" { site.expr } else { site.argument };
    let mut details: Vec<&Expr> = Vec::new();
    find_details(site, root, &mut details);
    if details.is_empty() {
        return Err(
            "the details reach the answer in a way that is not followed; answer with a general text by hand"
                .to_owned(),
        );
    }
    let status = status_of(site);
    for detail in &details {
        let words = general(site, detail, status);
        draft.edits.push(replace(detail.outer, words));
    }
    let catch = catch_around(site.scope(), site.expr.at);
    if let Some(catch) = catch {
        if !logs(site, &catch.body) {
            draft.edits.push(log_first(site, catch, &mut draft.imports)?);
        }
    } else if let Some(function) = site.function() {
        let error = function.params.iter().find(|param| {
            matches!(param.name.as_str(), "e" | "err" | "error" | "exc" | "ex" | "exception" | "_e" | "_exc")
        });
        let (Some(error), Some(first)) = (error, function.body.stmts.first()) else {
            return Err("where the error is caught is not in this function".to_owned());
        };
        if !logs(site, &function.body) {
            let indent = indent_of(&site.file.text, first)?;
            let logger = logger(site, &mut draft.imports);
            let line = format!(
                "{logger}.error(\"unhandled error\", exc_info={}){}{indent}",
                error.name,
                newline(site)
            );
            draft.edits.push(replace(At::new(first.at.start, first.at.start), line));
        }
    } else {
        return Err("the error is answered at the top level".to_owned());
    }
    Ok(draft)
}

/// Methods of a text that give a text (or its bytes).
const TEXTUAL: &[&str] = &["encode", "strip", "splitlines", "lower", "upper", "title", "capitalize"];

/// The smallest texts that hold the details.
fn find_details<'a>(site: &Site<'a>, expr: &'a Expr, out: &mut Vec<&'a Expr>) {
    let tainted = site.notes.note(expr.at).is_some_and(|note| note.tainted);
    if !tainted {
        return;
    }
    match &expr.kind {
        ExprKind::Map(entries) => entries.iter().for_each(|entry| find_details(site, &entry.value, out)),
        ExprKind::List { items, .. } => items.iter().for_each(|item| find_details(site, item, out)),
        ExprKind::Conditional { then, other, .. } => {
            find_details(site, then, out);
            find_details(site, other, out);
        }
        ExprKind::Await(inner) | ExprKind::Spread(inner) => find_details(site, inner, out),
        ExprKind::Call(call) => {
            let callee = resolved(site, &call.callee).unwrap_or_default();
            let last = callee.rsplit('.').next().unwrap_or("");
            let whole =
                matches!(
                    callee.as_str(),
                    "str" | "repr" | "traceback.format_exc" | "sys.exc_info" | "format"
                ) || matches!(last, "format_exc" | "format_exception" | "format" | "join" | "format_tb");
            if whole {
                out.push(expr);
                return;
            }
            // `str(e).encode()`: what is sent stays bytes.
            if let ExprKind::Member { object, name, .. } = &call.callee.kind
                && TEXTUAL.contains(&name.as_str())
            {
                let before = out.len();
                find_details(site, object, out);
                if out.len() > before {
                    return;
                }
            }
            let before = out.len();
            for arg in &call.args {
                find_details(site, &arg.value, out);
            }
            if out.len() == before && call.args.is_empty() {
                out.push(expr);
            }
        }
        _ => out.push(expr),
    }
}

/// The text that stands in place of the details.
fn general(site: &Site<'_>, detail: &Expr, status: Option<u32>) -> String {
    let quote = if site.text(detail.outer).contains('\'') && !site.text(detail.outer).contains('"') {
        '\''
    } else {
        '"'
    };
    let own = Template::of(site, detail).ok().and_then(|template| {
        let Seg::Lit { at, .. } = template.segs.iter().find(|seg| match seg {
            Seg::Lit { at, .. } => at.start < at.end,
            Seg::Hole(_) => true,
        })?
        else {
            return None;
        };
        let letters = at.of(&site.file.text);
        let words = letters.trim_end_matches([' ', ':', '-', '\'', '"', '(', '[', '=']).trim();
        let readable = words.chars().filter(|letter| letter.is_alphabetic()).count() >= 4
            && !words.contains(['\\', '"', '\'', '{', '}', '<', '%']);
        readable.then(|| words.to_owned())
    });
    let is_bytes = matches!(&detail.kind, ExprKind::Text(text) if text.is_bytes);
    let words = own.unwrap_or_else(|| {
        match status {
            Some(400..=499) => "the request could not be processed",
            _ => "internal server error",
        }
        .to_owned()
    });
    format!("{}{quote}{words}{quote}", if is_bytes { "b" } else { "" })
}

/// The status code that the answer is given, where it is written beside it.
fn status_of(site: &Site<'_>) -> Option<u32> {
    let mut found = None;
    site.expr.walk(&mut |inner| {
        if let ExprKind::Number(code) = &inner.kind
            && let Ok(code) = code.parse::<u32>()
            && (400..600).contains(&code)
        {
            found = found.or(Some(code));
        }
    });
    found
}

/// Whether a block already writes the error to a log.
fn logs(site: &Site<'_>, block: &Block) -> bool {
    let mut found = false;
    block.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                if let ExprKind::Call(call) = &inner.kind
                    && let ExprKind::Member { name, .. } = &call.callee.kind
                {
                    let text = inner.at.of(&site.file.text);
                    found |= name == "exception"
                        || (matches!(name.as_str(), "error" | "critical" | "warning" | "log")
                            && text.contains("exc_info"))
                        || name == "print_exc"
                        || name == "capture_exception";
                }
            });
        }
    });
    found
}

/// The logger the file has, or the one of its module.
fn logger(site: &Site<'_>, imports: &mut Vec<NewImport>) -> String {
    let mut own: Option<&str> = None;
    let mut app: Option<&str> = None;
    for stmt in &site.file.module.body.stmts {
        if let StmtKind::Assign { targets, value, .. } = &stmt.kind
            && let Some(name) = targets.first().and_then(Expr::as_name)
            && let Some(callee) = value.as_call().and_then(|call| resolved(site, &call.callee))
        {
            match callee.as_str() {
                "logging.getLogger" | "structlog.get_logger" => own = Some(name),
                "flask.Flask" => app = Some(name),
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
fn log_first(site: &Site<'_>, catch: &Catch, imports: &mut Vec<NewImport>) -> Result<TextEdit, String> {
    let logger = logger(site, imports);
    let first = catch.body.stmts.first().ok_or("the `except` has no body")?;
    let what = site.function().map_or("the request", |function| function.name.as_str());
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

/// `debug=True` from the environment, off by default.
pub(super) fn fix_debug(site: &Site<'_>) -> Result<Draft, String> {
    let at = site.argument.outer;
    if !matches!(site.argument.kind, ExprKind::Bool(true) | ExprKind::Number(_)) {
        return Err("where debug mode is switched on is not here".to_owned());
    }
    Ok(Draft {
        tier: Some(Tier::B),
        summary: "debug mode is off unless FLASK_DEBUG asks for it".to_owned(),
        by_hand: "set FLASK_DEBUG=1 where you develop".to_owned(),
        imports: vec![NewImport { module: "os".to_owned(), member: None }],
        edits: vec![replace(at, "os.environ.get(\"FLASK_DEBUG\") == \"1\"")],
    })
}
