//! Path traversal in Python: the resolved path must stay in its folder.

use super::place::{before, behind, free_name, not_found, statement, step};
use super::template::{Seg, Template, bindings};
use crate::scan::fix::{Draft, Site, replace};
use crate::scan::ir::{At, Expr, ExprKind, StmtKind};

/// A path under construction.
struct Built {
    /// The folder it must stay in, as source text.
    base: String,
    /// Whether it is a `pathlib` path.
    is_pathlib: bool,
}

/// Adds the containment check.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let argument = inner_path(site, site.argument);
    let mut draft = Draft {
        tier: Some(crate::finding::Tier::B),
        summary: "refuses a path that leaves its folder once it is resolved".to_owned(),
        ..Draft::default()
    };
    let (refusal, imports) = not_found(site);
    draft.imports.extend(imports);
    if let Some(name) = argument.as_name() {
        let (assigned, others) = bindings(site.scope(), name);
        let value = match (assigned.as_slice(), others) {
            ([value], 0) => *value,
            ([], 0) => {
                return Err("the path is built by the callers; there is no folder here that it must stay in"
                    .to_owned());
            }
            _ => {
                return Err("the path is built in several steps; check by hand that it stays in its folder"
                    .to_owned());
            }
        };
        let built = built(site, value)?;
        let lines = check(site, &built, name, &refusal, &mut draft)?;
        let stmt = statement(site, value.at)?;
        if !matches!(stmt.kind, StmtKind::Assign { .. }) {
            return Err("the path is bound inside another statement".to_owned());
        }
        draft.edits.push(behind(site, stmt, &lines)?);
        return Ok(draft);
    }
    let built = built(site, argument)?;
    let stmt = statement(site, argument.at)?;
    let name = free_name(site, &["path", "file_path", "target_path", "requested_path", "checked_path"])
        .ok_or("no free name is left for the path")?;
    let mut lines = vec![format!("{name} = {}", argument.at.of(&site.file.text))];
    lines.extend(check(site, &built, &name, &refusal, &mut draft)?);
    draft.edits.push(before(site, stmt, &lines)?);
    draft.edits.push(replace(argument.outer, name));
    Ok(draft)
}

/// The path inside `os.path.dirname(path)`, `str(path)`, `path.parent`: that is what must stay in the folder.
fn inner_path<'a>(site: &Site<'a>, argument: &'a Expr) -> &'a Expr {
    let inner = match &argument.kind {
        ExprKind::Call(call) if call.args.len() == 1 => {
            let callee = super::place::resolved(site, &call.callee).unwrap_or_default();
            matches!(callee.as_str(), "os.path.dirname" | "str" | "os.fspath").then(|| &call.args[0].value)
        }
        ExprKind::Member { object, name, .. } if name == "parent" => Some(&**object),
        _ => None,
    };
    inner.filter(|inner| inner.as_name().is_some()).unwrap_or(argument)
}

/// The lines of the check.
fn check(
    site: &Site<'_>,
    built: &Built,
    name: &str,
    refusal: &[String],
    draft: &mut Draft,
) -> Result<Vec<String>, String> {
    let step = step(site);
    let mut lines = Vec::new();
    if built.is_pathlib {
        lines.push(format!("if not {name}.resolve().is_relative_to({}.resolve()):", built.base));
    } else {
        draft.imports.push(crate::scan::fix::NewImport { module: "os".to_owned(), member: None });
        let base = if built.base.len() <= 30 && !built.base.contains('(') {
            format!("os.path.realpath({})", built.base)
        } else {
            let free = free_name(site, &["base_dir", "base", "root_dir", "allowed_dir"])
                .ok_or("no free name is left")?;
            lines.push(format!("{free} = os.path.realpath({})", built.base));
            free
        };
        lines.push(format!("if os.path.commonpath([{base}, os.path.realpath({name})]) != {base}:"));
    }
    lines.extend(refusal.iter().map(|line| format!("{step}{line}")));
    Ok(lines)
}

/// Reads how a path is built.
fn built(site: &Site<'_>, value: &Expr) -> Result<Built, String> {
    let text = &site.file.text;
    if value.at.of(text).contains('#') {
        return Err("a comment stands inside the path".to_owned());
    }
    match &value.kind {
        ExprKind::Binary { op, left, .. } if op == "/" => {
            let mut base = &**left;
            while let ExprKind::Binary { op, left, .. } = &base.kind
                && op == "/"
                && is_tainted(site, base)
            {
                base = left;
            }
            Ok(Built { base: grouped(base.outer.of(text), base), is_pathlib: true })
        }
        ExprKind::Call(call) => {
            let callee = super::place::resolved(site, &call.callee).unwrap_or_default();
            let last = match &call.callee.kind {
                ExprKind::Member { name, .. } => name.as_str(),
                _ => callee.rsplit('.').next().unwrap_or(""),
            };
            match last {
                "join" if callee.ends_with("path.join") => {
                    let mut parts: Vec<&str> = Vec::new();
                    for (at, arg) in call.args.iter().enumerate() {
                        if at > 0 && is_tainted(site, &arg.value) {
                            break;
                        }
                        if at == 0 && is_bare_tainted(site, &arg.value) {
                            return Err(NO_FOLDER.to_owned());
                        }
                        parts.push(arg.value.outer.of(text));
                    }
                    if parts.len() == call.args.len() {
                        parts.pop();
                    }
                    let base = match parts.as_slice() {
                        [] => return Err(NO_FOLDER.to_owned()),
                        [only] => (*only).to_owned(),
                        many => format!("{}({})", call.callee.at.of(text), many.join(", ")),
                    };
                    Ok(Built { base, is_pathlib: false })
                }
                "Path" | "PurePath" | "PosixPath" if call.args.len() == 1 => {
                    let inner = built(site, &call.args[0].value)?;
                    let path = call.callee.at.of(text);
                    let base = if inner.is_pathlib { inner.base } else { format!("{path}({})", inner.base) };
                    Ok(Built { base, is_pathlib: true })
                }
                "Path" if call.args.len() > 1 => {
                    let first = call.args[0].value.outer.of(text);
                    Ok(Built { base: format!("{}({first})", call.callee.at.of(text)), is_pathlib: true })
                }
                "joinpath" => match &call.callee.kind {
                    ExprKind::Member { object, .. } => {
                        Ok(Built { base: object.outer.of(text).to_owned(), is_pathlib: true })
                    }
                    _ => Err(NO_FOLDER.to_owned()),
                },
                // A path that is only resolved or turned into text.
                "abspath" | "normpath" | "realpath" | "str" | "fspath" | "expanduser"
                    if call.args.len() == 1 =>
                {
                    built(site, &call.args[0].value)
                }
                "resolve" | "absolute" => match &call.callee.kind {
                    ExprKind::Member { object, .. } => built(site, object),
                    _ => Err(NO_FOLDER.to_owned()),
                },
                "format" => from_template(site, value),
                _ => Err(NO_FOLDER.to_owned()),
            }
        }
        ExprKind::Text(_) | ExprKind::Binary { .. } => from_template(site, value),
        ExprKind::Name(name) => {
            let (assigned, others) = bindings(site.scope(), name);
            match (assigned.as_slice(), others) {
                ([inner], 0) => built(site, inner),
                _ => Err(NO_FOLDER.to_owned()),
            }
        }
        _ => Err(NO_FOLDER.to_owned()),
    }
}

const NO_FOLDER: &str = "the whole path comes from outside; decide first which folder it must stay in";

fn grouped(code: &str, expr: &Expr) -> String {
    match expr.kind {
        ExprKind::Binary { .. } if expr.outer == expr.at => format!("({code})"),
        _ => code.to_owned(),
    }
}

fn is_tainted(site: &Site<'_>, expr: &Expr) -> bool {
    site.notes.note(expr.at).is_none_or(|note| note.tainted)
}

/// The first part of a path is the outside value itself, not a folder computed from it.
fn is_bare_tainted(site: &Site<'_>, expr: &Expr) -> bool {
    is_tainted(site, expr) && !matches!(expr.kind, ExprKind::Call(_))
}

/// `f"{BASE}/{name}"`, `BASE + "/" + name`: everything before the first outside value, up to its last `/`.
fn from_template(site: &Site<'_>, value: &Expr) -> Result<Built, String> {
    let text = &site.file.text;
    let template = Template::of(site, value)?;
    let mut parts: Vec<Result<&Expr, String>> = Vec::new();
    for seg in &template.segs {
        match seg {
            Seg::Lit { at, .. } if at.start == at.end => {}
            Seg::Lit { at, .. } => {
                let letters = at.of(text);
                if letters.contains(['\\', '{', '}', '"', '\'']) {
                    return Err("the letters of the path cannot be taken over as they are".to_owned());
                }
                parts.push(Err(letters.to_owned()));
            }
            Seg::Hole(hole) if is_tainted(site, hole.expr) => break,
            Seg::Hole(hole) => parts.push(Ok(hole.expr)),
        }
    }
    if parts.is_empty() {
        return Err(NO_FOLDER.to_owned());
    }
    let alone = parts.len() == 1;
    if let Some(Err(letters)) = parts.last_mut() {
        match letters.rfind('/') {
            Some(0) if alone => parts = vec![Err("/".to_owned())],
            Some(at) => letters.truncate(at),
            None if alone => parts = vec![Err(".".to_owned())],
            None => return Err("the name of the folder and of the file run into each other".to_owned()),
        }
    }
    if matches!(parts.last(), Some(Err(letters)) if letters.is_empty()) {
        parts.pop();
    }
    let base = match parts.as_slice() {
        [] => "\"/\"".to_owned(),
        [Err(letters)] => format!("\"{letters}\""),
        [Ok(expr)] => expr.outer.of(text).to_owned(),
        many => {
            let inside: String = many
                .iter()
                .map(|part| match part {
                    Ok(expr) => format!("{{{}}}", expr.outer.of(text)),
                    Err(letters) => letters.clone(),
                })
                .collect();
            if inside.contains('"') {
                return Err("the folder's code has quotes of its own".to_owned());
            }
            format!("f\"{inside}\"")
        }
    };
    let _ = At::default();
    Ok(Built { base, is_pathlib: false })
}
