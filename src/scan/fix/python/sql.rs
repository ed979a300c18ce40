//! SQL injection in Python: values bound as parameters, in the driver's own style.

use super::driver::{Style, style_of, visit};
use super::sql_grow;
use super::sql_text::{Bound, Rewrite, rewrite};
use super::template::{Template, bindings};
use crate::finding::TextEdit;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Call, Expr, ExprKind, Function, StmtKind};

/// Keywords that hand parameters over.
const PARAMS: &[&str] = &["params", "parameters", "args", "vars", "values", "param"];

/// Where the values go.
pub(super) enum Target {
    /// Behind the statement, as the next argument.
    Next,
    /// By keyword.
    Keyword(String),
}

/// Binds the values of a statement.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let call = site.expr.as_call().ok_or("the sink is not a call")?;
    let mut style = style_of(site);
    let (mut argument, mut wrapped) = (site.argument, false);
    if let Some(inner) = text_wrapper(argument) {
        argument = inner;
        wrapped = true;
        style = Some(Style::Named);
    }
    if let ExprKind::List { items, .. } = &argument.kind {
        match items.as_slice() {
            [only] => argument = only,
            _ => return Err("several pieces of SQL are given at once; bind their values by hand".to_owned()),
        }
    }
    let method = call.callee.dotted().unwrap_or_default();
    if method.ends_with("executemany") {
        return Err("`executemany` takes its values row by row; bind them by hand".to_owned());
    }
    let style = style.ok_or(
        "which database driver runs the statement is not certain here, so how it writes parameters is not known",
    )?;
    let target =
        if helper(site, call).is_none() { direct_target(&method) } else { helper_target(site, call)? };
    let mut draft = Draft {
        summary: "binds the values as parameters instead of writing them into the statement".to_owned(),
        ..Draft::default()
    };
    if let Some(name) = argument.as_name() {
        variable(site, call, name, style, &target, &mut draft)?;
    } else {
        let template = Template::of(site, argument)?;
        if !template.has_literals() {
            return Err("the whole statement comes from elsewhere, so there is no text to bind values into"
                .to_owned());
        }
        let existing = existing_params(call);
        let (rewritten, _) = rewrite(site, &template, style, "", existing.is_some(), &mut Vec::new())?;
        draft.edits.extend(rewritten.edits.iter().cloned());
        hand_over(site, call, style, &rewritten, &target, &mut draft.edits)?;
    }
    if style == Style::Named && !wrapped && !is_wrapped_variable(site, argument) && needs_text(site) {
        wrap(site, argument, &mut draft);
    }
    Ok(draft)
}

/// `text(…)` of SQLAlchemy around the statement.
pub(super) fn text_wrapper(expr: &Expr) -> Option<&Expr> {
    let call = expr.as_call()?;
    let name = call.callee.dotted()?;
    let last = name.rsplit('.').next()?;
    (last == "text" || last == "RawSQL").then(|| call.position(0).map(|arg| &arg.value)).flatten()
}

fn is_wrapped_variable(site: &Site<'_>, argument: &Expr) -> bool {
    argument.as_name().is_some_and(|name| {
        let (assigned, _) = bindings(site.scope(), name);
        assigned.iter().any(|value| text_wrapper(value).is_some())
    })
}

fn needs_text(site: &Site<'_>) -> bool {
    (site.file.imports("sqlalchemy") || site.file.imports("flask_sqlalchemy"))
        && !site.file.imports("databases")
}

fn wrap(site: &Site<'_>, argument: &Expr, draft: &mut Draft) {
    let direct = site.file.imports("sqlalchemy");
    let known = site.file.import_of("text").is_some_and(|import| import.module.starts_with("sqlalchemy"));
    if !known {
        draft.imports.push(NewImport { module: "sqlalchemy".to_owned(), member: Some("text".to_owned()) });
    }
    let _ = direct;
    draft.edits.push(replace(At::new(argument.outer.start, argument.outer.start), "text("));
    // The closing parenthesis stands before the values that are added at the same byte.
    let at = argument.outer.end;
    match draft.edits.iter_mut().find(|edit| edit.start == at && edit.end == at && edit.text.starts_with(','))
    {
        Some(edit) => edit.text.insert(0, ')'),
        None => draft.edits.push(replace(At::new(at, at), ")")),
    }
}

fn direct_target(method: &str) -> Target {
    if method.ends_with("read_sql") || method.ends_with("read_sql_query") || method.ends_with("extra") {
        Target::Keyword("params".to_owned())
    } else {
        Target::Next
    }
}

/// The statement is in a variable of this function.
fn variable<'a>(
    site: &Site<'a>,
    call: &'a Call,
    name: &str,
    style: Style,
    target: &Target,
    draft: &mut Draft,
) -> Result<(), String> {
    let scope = site.scope();
    let is_param =
        site.function().is_some_and(|function| function.params.iter().any(|param| param.name == name));
    let (assigned, others) = bindings(scope, name);
    if assigned.is_empty() {
        return Err(if is_param {
            format!(
                "the statement is built by the callers of `{}`; let it take the values too and bind them there",
                site.function().map_or("", |function| &function.name)
            )
        } else {
            "the statement is built outside this function".to_owned()
        });
    }
    let calls = executions(site, name);
    if let ([value], 0) = (assigned.as_slice(), others) {
        let value = text_wrapper(value).unwrap_or(value);
        let template = Template::of(site, value)?;
        if !template.has_literals() {
            return Err("the whole statement comes from elsewhere, so there is no text to bind values into"
                .to_owned());
        }
        let had = existing_params(call).is_some();
        let (rewritten, _) = rewrite(site, &template, style, "", had, &mut Vec::new())?;
        unchanged_since(site, &template, value.at.end, call.args_at.start)?;
        if calls.is_empty() {
            return Err("the call that runs the statement is not in this function".to_owned());
        }
        draft.edits.extend(rewritten.edits.iter().cloned());
        for call in calls {
            hand_over(site, call, style, &rewritten, target, &mut draft.edits)?;
        }
        return Ok(());
    }
    if calls.len() != 1 || existing_params(call).is_some() {
        return Err(
            "the statement is built in several steps and run more than once; bind its values by hand"
                .to_owned(),
        );
    }
    sql_grow::fix(site, call, name, style, target, draft)
}

/// The calls in this function that run the statement of a variable.
fn executions<'a>(site: &Site<'a>, name: &str) -> Vec<&'a Call> {
    let mut out: Vec<&'a Call> = Vec::new();
    // `db().execute(query)` has no dotted name, only a last member.
    let callee = site.expr.as_call().map(|call| &call.callee);
    let method = callee.and_then(|callee| member_name(callee).or(callee.as_name())).unwrap_or("").to_owned();
    let scope = site.scope();
    scope.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                if let ExprKind::Call(call) = &inner.kind
                    && call.callee.dotted().map_or_else(
                        || member_name(&call.callee) == Some(&method),
                        |called| called.rsplit('.').next() == Some(&method),
                    )
                    && call.args.iter().any(|arg| {
                        arg.value.as_name() == Some(name)
                            || text_wrapper(&arg.value).is_some_and(|inner| inner.as_name() == Some(name))
                    })
                {
                    out.push(call);
                }
            });
        }
    });
    out
}

fn member_name(expr: &Expr) -> Option<&str> {
    match &expr.kind {
        ExprKind::Member { name, .. } => Some(name),
        _ => None,
    }
}

/// The names in the holes still mean the same where the statement runs.
fn unchanged_since(site: &Site<'_>, template: &Template<'_>, from: usize, to: usize) -> Result<(), String> {
    let mut names: Vec<&str> = Vec::new();
    for hole in template.holes() {
        hole.expr.walk(&mut |inner| names.extend(inner.as_name()));
    }
    let mut changed = false;
    site.scope().walk(&mut |stmt| {
        if stmt.at.start < from || stmt.at.end > to {
            return;
        }
        let target = match &stmt.kind {
            StmtKind::Assign { targets, .. } => targets.first(),
            StmtKind::Augment { target, .. } => Some(&**target),
            _ => None,
        };
        changed |= target.and_then(Expr::as_name).is_some_and(|name| names.contains(&name));
    });
    if changed {
        Err("a value changes between where the statement is built and where it runs".to_owned())
    } else {
        Ok(())
    }
}

/// The argument that already holds parameters.
pub(super) fn existing_params(call: &Call) -> Option<&Expr> {
    call.position(1)
        .or_else(|| PARAMS.iter().find_map(|name| call.keyword(name)))
        .map(|arg| &arg.value)
        .filter(|value| !matches!(value.kind, ExprKind::Null))
}

/// Adds the values to the call.
pub(super) fn hand_over(
    site: &Site<'_>,
    call: &Call,
    style: Style,
    rewritten: &Rewrite,
    target: &Target,
    edits: &mut Vec<TextEdit>,
) -> Result<(), String> {
    let text = &site.file.text;
    let bound = &rewritten.bound;
    let Some(existing) = existing_params(call) else {
        let last = call.args.first().filter(|_| matches!(target, Target::Next)).or_else(|| call.args.last());
        let at = last.map_or(call.args_at.end - 1, |arg| arg.at.end.max(arg.value.outer.end));
        let values = match (style, target) {
            (Style::Dollar, Target::Next) => codes(bound).join(", "),
            (Style::Named, _) => dict(bound),
            (_, Target::Keyword(_)) => format!("[{}]", codes(bound).join(", ")),
            _ if member_name(&call.callee) == Some("raw") => format!("[{}]", codes(bound).join(", ")),
            _ => tuple(&codes(bound)),
        };
        let words = match target {
            Target::Next => format!(", {values}"),
            Target::Keyword(name) => format!(", {name}={values}"),
        };
        edits.push(replace(At::new(at, at), words));
        return Ok(());
    };
    let insert = |at: usize, words: String| replace(At::new(at, at), words);
    match (&existing.kind, style) {
        (ExprKind::Map(entries), Style::Named) => {
            let more: Vec<String> =
                bound.iter().map(|one| format!("\"{}\": {}", one.name, one.code)).collect();
            match entries.last() {
                Some(last) => edits.push(insert(last.at.end, format!(", {}", more.join(", ")))),
                None => edits.push(replace(existing.at, format!("{{{}}}", more.join(", ")))),
            }
            Ok(())
        }
        (_, Style::Named) => {
            let more: Vec<String> =
                bound.iter().map(|one| format!("\"{}\": {}", one.name, one.code)).collect();
            edits.push(replace(
                existing.outer,
                format!("{{**{}, {}}}", existing.outer.of(text), more.join(", ")),
            ));
            Ok(())
        }
        (ExprKind::List { items, .. }, Style::Question | Style::Format)
            if items.len() == rewritten.existing =>
        {
            for (at, item) in items.iter().enumerate() {
                let here: Vec<String> =
                    bound.iter().filter(|one| one.before == at).map(|one| one.code.clone()).collect();
                if !here.is_empty() {
                    edits.push(insert(item.outer.start, format!("{}, ", here.join(", "))));
                }
            }
            let behind: Vec<String> =
                bound.iter().filter(|one| one.before >= items.len()).map(|one| one.code.clone()).collect();
            if !behind.is_empty() {
                match items.last() {
                    // `(a,)` needs its comma no more.
                    Some(last)
                        if items.len() == 1
                            && At::new(last.outer.end, existing.at.end).of(text).trim() == ",)" =>
                    {
                        let rest = At::new(last.outer.end, existing.at.end - 1);
                        edits.push(replace(rest, format!(", {}", behind.join(", "))));
                    }
                    Some(last) => edits.push(insert(last.outer.end, format!(", {}", behind.join(", ")))),
                    None => edits.push(replace(existing.outer, tuple(&behind))),
                }
            }
            Ok(())
        }
        (ExprKind::Name(_) | ExprKind::Member { .. }, Style::Question | Style::Format) => {
            let all = codes(bound).join(", ");
            let known = existing.outer.of(text);
            if bound.iter().all(|one| one.before == 0) {
                edits.push(replace(existing.outer, format!("({all}, *{known})")));
            } else if bound.iter().all(|one| one.before == rewritten.existing) {
                edits.push(replace(existing.outer, format!("(*{known}, {all})")));
            } else {
                return Err(
                    "the new values stand between parameters that are handed over in a variable".to_owned()
                );
            }
            Ok(())
        }
        _ => Err("the statement already has parameters in a form that cannot be extended safely".to_owned()),
    }
}

pub(super) fn codes(bound: &[Bound]) -> Vec<String> {
    bound.iter().map(|one| one.code.clone()).collect()
}

pub(super) fn tuple(codes: &[String]) -> String {
    match codes {
        [only] => format!("({only},)"),
        many => format!("({})", many.join(", ")),
    }
}

pub(super) fn dict(bound: &[Bound]) -> String {
    let entries: Vec<String> = bound.iter().map(|one| format!("\"{}\": {}", one.name, one.code)).collect();
    format!("{{{}}}", entries.join(", "))
}

/// The project's function that the sink's call is made through, when it is no driver's method.
fn helper<'a>(site: &Site<'a>, call: &Call) -> Option<&'a Function> {
    let name = site.callee.strip_prefix("through ")?;
    let _ = call;
    let mut found: Option<&'a Function> = None;
    let files = std::iter::once(site.file).chain(site.project.files.iter().map(|file| &**file));
    for file in files {
        walk_functions(&file.module.body, &mut |function| {
            if function.name == name && found.is_none() {
                found = Some(function);
            }
        });
        if found.is_some() {
            break;
        }
    }
    found
}

fn walk_functions<'a>(block: &'a crate::scan::ir::Block, look: &mut dyn FnMut(&'a Function)) {
    block.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Function(function) => {
            look(function);
            walk_functions(&function.body, look);
        }
        StmtKind::Class(class) => walk_functions(&class.body, look),
        _ => {}
    });
}

/// The helper's parameter that it hands to the driver beside the statement.
fn helper_target(site: &Site<'_>, call: &Call) -> Result<Target, String> {
    let refusal = || {
        let name = site.callee.strip_prefix("through ").unwrap_or("the function").to_owned();
        format!(
            "`{name}` runs whatever statement it is given; let it take the values too and bind them there"
        )
    };
    let function = helper(site, call).ok_or_else(refusal)?;
    let names: Vec<&str> = function.params.iter().map(|param| param.name.as_str()).collect();
    let mut handed: Option<String> = None;
    visit(&function.body, &mut |expr| {
        if let Some(inner) = expr.as_call()
            && member_name(&inner.callee)
                .is_some_and(|name| name.starts_with("execute") || name.starts_with("fetch"))
            && let Some(name) = existing_params(inner).and_then(Expr::as_name)
            && names.contains(&name)
        {
            handed = Some(name.to_owned());
        }
    });
    let handed = handed.ok_or_else(refusal)?;
    let skip = usize::from(matches!(names.first(), Some(&("self" | "cls"))));
    if names.get(skip + 1) == Some(&handed.as_str()) { Ok(Target::Next) } else { Ok(Target::Keyword(handed)) }
}
