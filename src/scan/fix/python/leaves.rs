//! The values from outside inside a text that is put together, and a function wrapped around each.

use super::argument::drafted;
use super::template::{Form, Seg, Template};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{Block, Expr, ExprKind, Function, StmtKind};

/// A value that is to be wrapped where it stands.
pub(super) struct Leaf<'a> {
    /// The value.
    pub(super) expr: &'a Expr,
    /// How it gets into the text.
    pub(super) form: Form,
    /// The quote of the literal it stands in.
    pub(super) quote: String,
}

const ELSEWHERE: &str = "the text is made elsewhere, where the value cannot be told from the rest";

/// Methods that give a part of what they are called on.
const TAKING: &[&str] = &[
    "get",
    "getlist",
    "strip",
    "lstrip",
    "rstrip",
    "lower",
    "upper",
    "decode",
    "encode",
    "title",
    "replace",
    "pop",
    "keys",
    "values",
    "get_json",
    "getvalue",
    "read",
    "get_argument",
    "split",
    "capitalize",
    "items",
    "getfirst",
];

/// Functions that give what they are given.
const GIVING: &[&str] =
    &["str", "unquote", "unquote_plus", "b64decode", "loads", "format", "join", "repr", "next", "dumps"];

/// The values from outside in an expression.
pub(super) fn leaves<'a>(site: &Site<'a>, expr: &'a Expr) -> Result<Vec<Leaf<'a>>, String> {
    let mut found = Vec::new();
    Search { site, seen: Vec::new() }.look(expr, site.function(), Form::Joined, "", &mut found, 0)?;
    if found.is_empty() {
        return Err(ELSEWHERE.to_owned());
    }
    found.sort_by_key(|leaf| leaf.expr.at);
    found.dedup_by_key(|leaf| leaf.expr.at);
    Ok(found)
}

struct Search<'s, 'a> {
    site: &'s Site<'a>,
    seen: Vec<(String, usize)>,
}

impl<'a> Search<'_, 'a> {
    fn look(
        &mut self,
        expr: &'a Expr,
        function: Option<&'a Function>,
        form: Form,
        quote: &str,
        out: &mut Vec<Leaf<'a>>,
        depth: usize,
    ) -> Result<(), String> {
        if depth > 6 || !is_tainted(self.site, expr) {
            return Ok(());
        }
        let leaf = |out: &mut Vec<Leaf<'a>>| out.push(Leaf { expr, form, quote: quote.to_owned() });
        match &expr.kind {
            ExprKind::Text(_) | ExprKind::Binary { .. } if is_text(expr) => {
                let template = Template::of(self.site, expr)?;
                for seg in &template.segs {
                    if let Seg::Hole(hole) = seg {
                        let quote = match (&hole.piece, hole.form) {
                            (Some(piece), Form::Brace) => piece.quote.clone(),
                            _ => String::new(),
                        };
                        if hole.expr.at == expr.at {
                            return Err(ELSEWHERE.to_owned());
                        }
                        self.look(hole.expr, function, hole.form, &quote, out, depth + 1)?;
                    }
                }
            }
            ExprKind::Binary { op, left, right } if matches!(op.as_str(), "or" | "and") => {
                self.look(left, function, form, quote, out, depth + 1)?;
                self.look(right, function, form, quote, out, depth + 1)?;
            }
            ExprKind::Conditional { then, other, .. } => {
                self.look(then, function, form, quote, out, depth + 1)?;
                self.look(other, function, form, quote, out, depth + 1)?;
            }
            ExprKind::List { items, .. } => {
                for item in items {
                    self.look(item, function, form, quote, out, depth + 1)?;
                }
            }
            ExprKind::Name(name) => {
                let key = (name.clone(), function.map_or(0, |function| function.at.start));
                if self.seen.contains(&key) {
                    return Ok(());
                }
                let body = function.map_or(&self.site.file.module.body, |function| &function.body);
                let written = written(body, name);
                if written.iter().any(|(value, adds)| *adds || is_built(value)) {
                    self.seen.push(key);
                    for (value, _) in written {
                        self.look(value, function, Form::Joined, "", out, depth + 1)?;
                    }
                } else {
                    leaf(out);
                }
            }
            ExprKind::Call(call) => {
                if let ExprKind::Member { object, name, .. } = &call.callee.kind {
                    if name == "format" && is_built(expr) {
                        let template = Template::of(self.site, expr)?;
                        for hole in template.holes() {
                            if hole.expr.at == expr.at {
                                return Err(ELSEWHERE.to_owned());
                            }
                            self.look(hole.expr, function, hole.form, "", out, depth + 1)?;
                        }
                        return Ok(());
                    }
                    if matches!(name.as_str(), "join" | "encode") && is_built(object) {
                        return self.look(object, function, form, quote, out, depth + 1);
                    }
                    if TAKING.contains(&name.as_str()) || GIVING.contains(&name.as_str()) {
                        if name == "encode" || name == "decode" {
                            return self.look(object, function, form, quote, out, depth + 1);
                        }
                        leaf(out);
                        return Ok(());
                    }
                    return Err(ELSEWHERE.to_owned());
                }
                let name = call.callee.as_name().unwrap_or("");
                if is_answer(call) {
                    let body = call.keyword("response").or_else(|| call.position(0)).ok_or(ELSEWHERE)?;
                    return self.look(&body.value, function, form, quote, out, depth + 1);
                }
                if let Some(own) = defined(&self.site.file.module.body, name) {
                    return self.returned(own, out, depth);
                }
                if GIVING.contains(&name)
                    || self
                        .site
                        .file
                        .import_of(name)
                        .is_some_and(|import| import.module.contains("urllib") || import.module == "base64")
                {
                    leaf(out);
                    return Ok(());
                }
                return Err(ELSEWHERE.to_owned());
            }
            ExprKind::Index { .. } | ExprKind::Member { .. } | ExprKind::Slice { .. } => leaf(out),
            ExprKind::Await(inner) => return self.look(inner, function, form, quote, out, depth + 1),
            _ => return Err(ELSEWHERE.to_owned()),
        }
        Ok(())
    }

    /// The values from outside in what a function of this file gives.
    fn returned(
        &mut self,
        function: &'a Function,
        out: &mut Vec<Leaf<'a>>,
        depth: usize,
    ) -> Result<(), String> {
        let mut values = Vec::new();
        function.body.walk(&mut |stmt| {
            if let StmtKind::Return(Some(value)) = &stmt.kind {
                values.push(value);
            }
        });
        for value in values {
            self.look(value, Some(function), Form::Joined, "", out, depth + 1)?;
        }
        Ok(())
    }
}

fn is_tainted(site: &Site<'_>, expr: &Expr) -> bool {
    site.notes.note(expr.at).is_some_and(|note| note.tainted)
}

/// A text with something in it, not a look-up.
fn is_text(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Text(_) => true,
        ExprKind::Binary { op, .. } => matches!(op.as_str(), "+" | "%"),
        _ => false,
    }
}

fn is_built(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Text(text) => text.has_holes(),
        ExprKind::Binary { op, .. } => matches!(op.as_str(), "+" | "%"),
        ExprKind::Call(call) => match &call.callee.kind {
            _ if is_answer(call) => true,
            ExprKind::Member { object, name, .. } => {
                name == "format" && (matches!(object.kind, ExprKind::Text(_)) || object.as_name().is_some())
                    || name == "join" && matches!(object.kind, ExprKind::Text(_))
                    || matches!(name.as_str(), "encode" | "strip") && is_built(object)
            }
            _ => false,
        },
        ExprKind::Conditional { then, other, .. } => is_built(then) || is_built(other),
        _ => false,
    }
}

/// An answer made of a page.
fn is_answer(call: &crate::scan::ir::Call) -> bool {
    call.callee.dotted().is_some_and(|name| {
        matches!(
            name.rsplit('.').next(),
            Some("make_response" | "Response" | "HttpResponse" | "HTMLResponse")
        )
    })
}

/// What a name is set to in a block, and whether it is added to what was there.
fn written<'a>(body: &'a Block, name: &str) -> Vec<(&'a Expr, bool)> {
    let mut out = Vec::new();
    body.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Assign { targets, value, .. }
            if targets.iter().any(|target| target.as_name() == Some(name)) =>
        {
            out.push((value, false));
        }
        StmtKind::Augment { target, value, .. } if target.as_name() == Some(name) => out.push((value, true)),
        _ => {}
    });
    out
}

/// The function of that name at the file's top level.
fn defined<'a>(body: &'a Block, name: &str) -> Option<&'a Function> {
    body.stmts.iter().find_map(|stmt| match &stmt.kind {
        StmtKind::Function(function) if function.name == name => Some(&**function),
        _ => None,
    })
}

/// Escapes each value where it enters the page.
pub(super) fn escape(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = drafted(site, "escapes the value where it enters the page");
    let (module, native) =
        if site.file.imports("flask") || site.file.imports("markupsafe") || site.file.imports("quart") {
            ("markupsafe", true)
        } else if site.file.imports("django") {
            ("django.utils.html", true)
        } else {
            ("html", false)
        };
    draft.imports.push(NewImport { module: module.to_owned(), member: Some("escape".to_owned()) });
    let text = &site.file.text;
    for leaf in leaves(site, site.argument)? {
        let code = leaf.expr.outer.of(text);
        let whole = matches!(leaf.form, Form::Joined);
        let wrapped = match (native, whole) {
            (true, true) => format!("str(escape({code}))"),
            (true, false) => format!("escape({code})"),
            (false, _) => format!("escape(str({code}))"),
        };
        draft.edits.push(replace(leaf.expr.outer, wrapped));
    }
    Ok(draft)
}

/// Wraps a call of the rule's function around each value.
pub(super) fn wrap(site: &Site<'_>) -> Result<Draft, String> {
    let with = &site.spec.with;
    let function = with.get("call").ok_or("the rule names no function")?;
    let mut draft = drafted(site, "makes the value safe where it enters");
    if let Some(module) = with.get("import") {
        draft.imports.push(NewImport { module: module.clone(), member: with.get("member").cloned() });
    }
    draft.edits = wrapped(site, |code, _| format!("{function}({code})"))?;
    Ok(draft)
}

fn wrapped(site: &Site<'_>, write: impl Fn(&str, &Leaf<'_>) -> String) -> Result<Vec<TextEdit>, String> {
    let text = &site.file.text;
    let leaves = leaves(site, site.argument)?;
    if leaves.is_empty() {
        return Err(ELSEWHERE.to_owned());
    }
    Ok(leaves.iter().map(|leaf| replace(leaf.expr.outer, write(leaf.expr.outer.of(text), leaf))).collect())
}

/// Escapes for LDAP.
pub(super) fn ldap(site: &Site<'_>) -> Result<Draft, String> {
    let with = &site.spec.with;
    let (module, member) = (with.get("module"), with.get("member"));
    let (Some(module), Some(member)) = (module, member) else {
        return Err("the rule names no function".to_owned());
    };
    let mut draft = drafted(site, "escapes the value for the place it stands in");
    draft.imports.push(NewImport { module: module.clone(), member: Some(member.clone()) });
    draft.edits = wrapped(site, |code, _| format!("{member}({code})"))?;
    Ok(draft)
}

/// A text where a query object could be sent.
pub(super) fn text(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = drafted(site, "makes the value a text, so that it cannot be an object with operators");
    draft.tier = Some(Tier::B);
    draft.by_hand = "where a number or a list is meant, convert to that instead".into();
    let mut leaves = Vec::new();
    filter_values(site, site.argument, &mut leaves, 0)?;
    if leaves.is_empty() {
        return Err(ELSEWHERE.to_owned());
    }
    for leaf in leaves {
        draft.edits.push(replace(leaf.outer, format!("str({})", leaf.outer.of(&site.file.text))));
    }
    Ok(draft)
}

fn filter_values<'a>(
    site: &Site<'a>,
    expr: &'a Expr,
    out: &mut Vec<&'a Expr>,
    depth: usize,
) -> Result<(), String> {
    const WHOLE: &str = "the whole filter comes from outside; name the fields that a client may search by";
    match &expr.kind {
        ExprKind::Map(entries) => {
            for entry in entries {
                if entry.key.is_none() && is_tainted(site, &entry.value) {
                    return Err(WHOLE.to_owned());
                }
                match &entry.value.kind {
                    ExprKind::Map(_) | ExprKind::List { .. } => {
                        filter_values(site, &entry.value, out, depth + 1)?;
                    }
                    _ if is_tainted(site, &entry.value) => out.push(&entry.value),
                    _ => {}
                }
            }
            Ok(())
        }
        ExprKind::List { items, .. } => {
            items.iter().try_for_each(|item| filter_values(site, item, out, depth + 1))
        }
        ExprKind::Name(name) if depth == 0 => {
            let written = written(site.scope(), name);
            match written.as_slice() {
                [(value @ Expr { kind: ExprKind::Map(_), .. }, false)] => {
                    filter_values(site, value, out, depth + 1)
                }
                _ => Err(WHOLE.to_owned()),
            }
        }
        _ if is_tainted(site, expr) => Err(WHOLE.to_owned()),
        _ => Ok(()),
    }
}

/// Takes line breaks out of each value.
pub(super) fn one_line(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = drafted(site, "takes line breaks out of the value");
    let whole = |leaf: &Leaf<'_>| leaf.expr.at == site.argument.at && site.callee.ends_with("start_response");
    if leaves(site, site.argument)?.iter().any(whole) {
        return Err("the headers are put together elsewhere; take line breaks out there".to_owned());
    }
    draft.edits = wrapped(site, |code, leaf| {
        let bound = leaf.expr.as_name().map(|name| written(site.scope(), name));
        let sure = match bound.as_deref() {
            Some([(value, false)]) => is_surely_text(value),
            _ => is_surely_text(leaf.expr),
        };
        let base = if sure { grouped(code, leaf.expr) } else { format!("str({code})") };
        if leaf.quote.is_empty() {
            format!("{base}.replace(\"\\r\", \"\").replace(\"\\n\", \"\")")
        } else {
            let quote = if leaf.quote.starts_with('"') { "''" } else { "\"\"" };
            format!("{base}.replace(chr(13), {quote}).replace(chr(10), {quote})")
        }
    })?;
    Ok(draft)
}

fn grouped(code: &str, expr: &Expr) -> String {
    match expr.kind {
        ExprKind::Binary { .. } | ExprKind::Conditional { .. } | ExprKind::Await(_) => format!("({code})"),
        _ => code.to_owned(),
    }
}

/// Whether a value from a request is a text whatever was sent: `args["x"]`, `get("x", "")`, a name bound to such.
fn is_surely_text(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Index { object, .. } => {
            !matches!(object.dotted().as_deref(), Some(path) if path.ends_with("json") || path == "data")
        }
        ExprKind::Call(call) => match &call.callee.kind {
            ExprKind::Member { name, .. } => {
                name == "get"
                    && call.position(1).is_some_and(|arg| matches!(arg.value.kind, ExprKind::Text(_)))
                    || matches!(name.as_str(), "strip" | "lower" | "upper" | "decode" | "format" | "join")
            }
            _ => matches!(call.callee.as_name(), Some("str" | "unquote" | "unquote_plus")),
        },
        ExprKind::Text(_) => true,
        _ => false,
    }
}
