//! Statements that grow over several lines: the values grow beside them in a list of their own.

use super::driver::Style;
use super::sql::{Target, codes, dict, text_wrapper};
use super::sql_text::rewrite;
use super::template::{Template, count_word};
use crate::scan::fix::{Draft, Site, replace};
use crate::scan::ir::{At, Call, Expr, ExprKind, Stmt, StmtKind};

/// One statement that gives the text or adds to it.
struct Growth<'a> {
    stmt: &'a Stmt,
    value: &'a Expr,
    /// Whether it adds to what is there.
    adds: bool,
}

/// Keeps the values in a list beside the text.
pub(super) fn fix<'a>(
    site: &Site<'a>,
    call: &'a Call,
    name: &str,
    style: Style,
    target: &Target,
    draft: &mut Draft,
) -> Result<(), String> {
    let mut steps: Vec<Growth<'a>> = Vec::new();
    let mut strange = false;
    site.scope().walk(&mut |stmt| match &stmt.kind {
        StmtKind::Assign { targets, value, .. } if targets.iter().any(|one| one.as_name() == Some(name)) => {
            strange |= targets.len() > 1;
            let adds = leftmost(value).as_name() == Some(name);
            steps.push(Growth { stmt, value: text_wrapper(value).unwrap_or(value), adds });
        }
        StmtKind::Augment { target, op, value } if target.as_name() == Some(name) => {
            strange |= op != "+";
            steps.push(Growth { stmt, value, adds: true });
        }
        StmtKind::Loop { target: Some(target), body, .. } => {
            let _ = (target, body);
        }
        _ => {}
    });
    if strange || steps.is_empty() || steps.iter().any(|step| step.stmt.at.start > call.args_at.start) {
        return Err("the statement is built in a way that values cannot follow; bind them by hand".to_owned());
    }
    if steps[0].adds {
        return Err("the statement does not begin in this function".to_owned());
    }
    let holder = ["params", "values", "query_params", "bound_values"]
        .into_iter()
        .find(|free| count_word(&site.file.text, free) == 0)
        .ok_or("no free name is left for the list of values")?;
    let mut taken = Vec::new();
    let mut before = String::new();
    let mut any = false;
    for step in &steps {
        let mut template = Template::of(site, step.value)?;
        if step.adds && matches!(step.stmt.kind, StmtKind::Assign { .. }) {
            // `query = query + …`: the text so far is no value.
            template.segs.remove(0);
        }
        if !step.adds {
            before.clear();
        }
        let needs =
            template.holes().any(|hole| site.notes.note(hole.expr.at).is_none_or(|note| !note.constant));
        let bound = if needs {
            let (rewritten, after) = rewrite(site, &template, style, &before, false, &mut taken)?;
            before = after;
            draft.edits.extend(rewritten.edits);
            rewritten.bound
        } else {
            for seg in &template.segs {
                match seg {
                    super::template::Seg::Lit { at, .. } => before.push_str(at.of(&site.file.text)),
                    super::template::Seg::Hole(_) => before.push('\u{1}'),
                }
            }
            Vec::new()
        };
        any |= !bound.is_empty();
        let line = match (step.adds, style, bound.as_slice()) {
            (true, _, []) => continue,
            (false, Style::Named, bound) => format!("{holder} = {}", dict(bound)),
            (false, _, bound) => format!("{holder} = [{}]", codes(bound).join(", ")),
            (true, Style::Named, bound) => format!("{holder}.update({})", dict(bound)),
            (true, _, [only]) => format!("{holder}.append({})", only.code),
            (true, _, bound) => format!("{holder}.extend([{}])", codes(bound).join(", ")),
        };
        let indent = indent_of(&site.file.text, step.stmt)?;
        let end = step.stmt.at.end;
        let rest = site.file.text[end..].split('\n').next().unwrap_or("").trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err("several statements stand on one line".to_owned());
        }
        let at = end + site.file.text[end..].find('\n').unwrap_or(site.file.text.len() - end);
        let newline = if site.file.text[..at].ends_with('\r') { "\r\n" } else { "\n" };
        let at = if newline == "\r\n" { at - 1 } else { at };
        draft.edits.push(replace(At::new(at, at), format!("{newline}{indent}{line}")));
    }
    if !any {
        return Err("no value in the text can be bound".to_owned());
    }
    let last = call.args.first().ok_or("the call has no arguments")?;
    let at = last.value.outer.end;
    let words = match (style, target) {
        (Style::Dollar, _) => format!(", *{holder}"),
        (_, Target::Next) => format!(", {holder}"),
        (_, Target::Keyword(keyword)) => format!(", {keyword}={holder}"),
    };
    draft.edits.push(replace(At::new(at, at), words));
    Ok(())
}

fn leftmost(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Binary { op, left, .. } if op == "+" => leftmost(left),
        _ => expr,
    }
}

/// The blanks before a statement that begins its line.
pub(super) fn indent_of<'t>(text: &'t str, stmt: &Stmt) -> Result<&'t str, String> {
    let start = text[..stmt.at.start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = &text[start..stmt.at.start];
    if indent.chars().all(|letter| letter == ' ' || letter == '\t') {
        Ok(indent)
    } else {
        Err("the statement does not begin its line".to_owned())
    }
}
