//! Error details in Python: a general text for the client, the error to the log.

use super::disclose_carry::Carriers;
use super::disclose_log::{log_first, logger, logs};
use super::place::{newline, resolved};
use super::sql_grow::indent_of;
use super::template::{Seg, Template};
use crate::finding::Tier;
use crate::scan::fix::{Draft, Site, replace};
use crate::scan::ir::{At, Block, Expr, ExprKind, Function, ListKind, StmtKind, TextPart};

/// Withholds the details.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = Draft {
        tier: Some(Tier::B),
        summary: "answers with a general text and writes the error to the log".to_owned(),
        ..Draft::default()
    };
    let mut work = Work { site, status: status_of(site), details: Vec::new(), logged: Vec::new() };
    let own = Carriers::of(site, site.scope(), site.function());
    let roots: Vec<&Expr> = match (site.callee.as_str(), site.expr.as_call()) {
        ("return", _) | (_, None) => vec![site.expr],
        (_, Some(call)) => call
            .args
            .iter()
            .filter(|arg| !is_about_status(arg.name.as_deref()))
            .map(|arg| &arg.value)
            .collect(),
    };
    for root in roots {
        work.details_in(&own, root, 0);
    }
    if work.details.is_empty() {
        work.look_around();
    }
    if work.details.is_empty() {
        return Err(
            "the details reach the answer in a way that is not followed; answer with a general text by hand"
                .to_owned(),
        );
    }
    work.details.sort_by_key(|detail| detail.at.start);
    work.details.dedup_by_key(|detail| detail.at);
    for at in 0..work.details.len() {
        let text = work.details[at].text.clone();
        draft.edits.push(replace(work.details[at].at, text));
        let (carriers, place) = (work.details[at].carriers.clone(), work.details[at].place);
        work.log(&carriers, place, &mut draft)?;
    }
    Ok(draft)
}

/// A place that tells the client about an error.
struct Detail<'a> {
    at: At,
    text: String,
    place: At,
    carriers: Carriers<'a>,
}

struct Work<'s, 'a> {
    site: &'s Site<'a>,
    status: Option<u32>,
    details: Vec<Detail<'a>>,
    /// Blocks that have their log line.
    logged: Vec<At>,
}

impl<'a> Work<'_, 'a> {
    /// Collects the smallest texts that hold the details.
    fn details_in(&mut self, carriers: &Carriers<'a>, expr: &'a Expr, depth: usize) {
        if depth > 8 || !carriers.bears(expr) {
            return;
        }
        match &expr.kind {
            ExprKind::Map(entries) => {
                for entry in entries {
                    self.details_in(carriers, &entry.value, depth);
                }
            }
            // `return body, status, headers`: only the body is a text.
            ExprKind::List { kind: ListKind::Tuple, items } => {
                let answer = items.len() > 1 && matches!(self.site.callee.as_str(), "return");
                let count = if answer && depth == 0 { 1 } else { items.len() };
                for item in items.iter().take(count) {
                    self.details_in(carriers, item, depth + 1);
                }
            }
            ExprKind::List { items, .. } => {
                for item in items {
                    self.details_in(carriers, item, depth + 1);
                }
            }
            ExprKind::Conditional { then, other, .. } => {
                self.details_in(carriers, then, depth);
                self.details_in(carriers, other, depth);
            }
            ExprKind::Await(inner) | ExprKind::Spread(inner) => self.details_in(carriers, inner, depth),
            ExprKind::Call(call) => {
                let callee = resolved(self.site, &call.callee).unwrap_or_default();
                let last = match &call.callee.kind {
                    ExprKind::Member { name, .. } => name.as_str(),
                    _ => callee.rsplit('.').next().unwrap_or(""),
                };
                if matches!(
                    last,
                    "str"
                        | "repr"
                        | "format_exc"
                        | "exc_info"
                        | "format"
                        | "format_exception"
                        | "join"
                        | "format_tb"
                        | "format_exception_only"
                        | "format_stack"
                        | "ascii"
                ) {
                    self.push(carriers, expr);
                    return;
                }
                if let ExprKind::Member { object, name, .. } = &call.callee.kind
                    && carriers.bears(object)
                {
                    // `str(e).encode()`: what is sent stays bytes.
                    let keeps = matches!(
                        name.as_str(),
                        "encode"
                            | "strip"
                            | "rstrip"
                            | "replace"
                            | "lower"
                            | "upper"
                            | "title"
                            | "capitalize"
                    );
                    if keeps {
                        self.details_in(carriers, object, depth + 1);
                    } else {
                        self.push(carriers, expr);
                    }
                    return;
                }
                for arg in call.args.iter().filter(|arg| !is_about_status(arg.name.as_deref())) {
                    self.details_in(carriers, &arg.value, depth + 1);
                }
            }
            ExprKind::Name(name) if !carriers.is_error(name) => {
                let bindings = carriers.bindings(name);
                if bindings.is_empty() {
                    self.push(carriers, expr);
                }
                for value in bindings {
                    // `_, value, _ = sys.exc_info()`: the parts have no text of their own.
                    let is_info = value.as_call().and_then(|call| resolved(self.site, &call.callee));
                    if is_info.is_some_and(|callee| callee.ends_with("exc_info"))
                        || matches!(value.kind, ExprKind::Name(_))
                    {
                        self.push(carriers, expr);
                    } else {
                        self.details_in(carriers, value, depth + 1);
                    }
                }
            }
            _ => self.push(carriers, expr),
        }
    }

    fn push(&mut self, carriers: &Carriers<'a>, expr: &'a Expr) {
        let (at, text) = self.general(carriers, expr);
        self.details.push(Detail { at, text, place: expr.at, carriers: carriers.clone() });
    }

    /// The place to change and the text that goes there.
    fn general(&self, carriers: &Carriers<'a>, detail: &'a Expr) -> (At, String) {
        let written = self.site.text(detail.outer);
        let quote = if written.contains('\'') && !written.contains('"') { '\'' } else { '"' };
        let words = match self.status {
            Some(400..=499) => "the request could not be processed",
            _ => "internal server error",
        };
        // A page keeps its markup: only the hole is filled with other words.
        let markup = written.contains('<') || written.contains('{') && written.contains('\\');
        if markup && let ExprKind::Text(text) = &detail.kind {
            let bearing: Vec<At> = text
                .parts
                .iter()
                .filter_map(|part| match part {
                    TextPart::Hole { at, expr, .. } if carriers.bears(expr) => Some(*at),
                    _ => None,
                })
                .collect();
            if let [only] = bearing.as_slice() {
                return (*only, words.to_owned());
            }
        }
        if markup && let ExprKind::Binary { op, left, right } = &detail.kind {
            if op == "+" {
                match (carriers.bears(left), carriers.bears(right)) {
                    (true, false) => return self.general(carriers, left),
                    (false, true) => return self.general(carriers, right),
                    _ => {}
                }
            }
            if op == "%" && !matches!(right.kind, ExprKind::List { .. }) {
                return (right.outer, format!("{quote}{words}{quote}"));
            }
            if op == "%"
                && let ExprKind::List { items, .. } = &right.kind
            {
                let bearing: Vec<&Expr> = items.iter().filter(|item| carriers.bears(item)).collect();
                if let [only] = bearing.as_slice() {
                    return (only.outer, format!("{quote}{words}{quote}"));
                }
            }
        }
        let own = Template::of(self.site, detail)
            .ok()
            .filter(|template| template.holes().count() == 1)
            .and_then(|template| {
                let Seg::Lit { at, .. } = template.segs.iter().find(|seg| match seg {
                    Seg::Lit { at, .. } => at.start < at.end,
                    Seg::Hole(_) => true,
                })?
                else {
                    return None;
                };
                let letters = at.of(&self.site.file.text);
                let words =
                    letters.trim_end_matches([' ', ':', '-', '\'', '"', '(', '[', '=', '.', ',']).trim();
                let readable = words.chars().filter(|letter| letter.is_alphabetic()).count() >= 4
                    && !words.contains(['\\', '"', '\'', '{', '}', '<', '%', '\n']);
                readable.then(|| words.to_owned())
            });
        let is_bytes = matches!(&detail.kind, ExprKind::Text(text) if text.is_bytes);
        let words = own.unwrap_or_else(|| words.to_owned());
        (detail.outer, format!("{}{quote}{words}{quote}", if is_bytes { "b" } else { "" }))
    }

    /// The details come from a function that is called here, or from those who call this one.
    fn look_around(&mut self) {
        let here = self.site.function();
        let mut called: Vec<&str> = Vec::new();
        for stmt in all_statements(self.site.scope()) {
            for expr in stmt {
                expr.walk(&mut |inner| {
                    if let Some(call) = inner.as_call() {
                        match &call.callee.kind {
                            ExprKind::Name(name) | ExprKind::Member { name, .. } => called.push(name),
                            _ => {}
                        }
                    }
                });
            }
        }
        let mut functions: Vec<&'a Function> = Vec::new();
        functions_in(&self.site.file.module.body, &mut functions);
        for function in functions {
            let carriers = Carriers::of(self.site, &function.body, Some(function));
            if called.contains(&function.name.as_str()) {
                let mut answers: Vec<&'a Expr> = Vec::new();
                function.body.walk(&mut |stmt| {
                    if let StmtKind::Return(Some(value)) = &stmt.kind {
                        answers.push(value);
                    }
                });
                for answer in answers {
                    self.details_in(&carriers, answer, 1);
                }
            }
            let Some(here) = here else { continue };
            for exprs in all_statements(&function.body) {
                for expr in exprs {
                    let mut calls = Vec::new();
                    expr.walk(&mut |inner| {
                        let name = inner.as_call().and_then(|call| match &call.callee.kind {
                            ExprKind::Name(name) | ExprKind::Member { name, .. } => Some(name.as_str()),
                            _ => None,
                        });
                        if name == Some(here.name.as_str()) && matches!(inner.kind, ExprKind::Call(_)) {
                            calls.push(inner);
                        }
                    });
                    for call in calls.iter().filter_map(|call| call.as_call()) {
                        for arg in &call.args {
                            self.details_in(&carriers, &arg.value, 1);
                        }
                    }
                }
            }
        }
    }

    /// A log line where the error of a place is caught, once, unless there is one.
    fn log(&mut self, carriers: &Carriers<'a>, place: At, draft: &mut Draft) -> Result<(), String> {
        let site = self.site;
        if let Some(catch) = carriers.catch_around(place) {
            if !self.logged.contains(&catch.at) {
                self.logged.push(catch.at);
                if !logs(&catch.body, catch.name.as_deref()) {
                    draft.edits.push(log_first(site, catch, carriers.function, &mut draft.imports)?);
                }
            }
            return Ok(());
        }
        let function = carriers.function.ok_or("the error is answered at the top level")?;
        let (Some(error), Some(first)) = (carriers.parameter(), function.body.stmts.first()) else {
            return Err("where the error is caught is not in this function".to_owned());
        };
        if !self.logged.contains(&function.at) {
            self.logged.push(function.at);
            if !logs(&function.body, Some(error)) {
                let indent = indent_of(&site.file.text, first)?;
                let logger = logger(site, &mut draft.imports);
                let line =
                    format!("{logger}.error(\"unhandled error\", exc_info={error}){}{indent}", newline(site));
                draft.edits.push(replace(At::new(first.at.start, first.at.start), line));
            }
        }
        Ok(())
    }
}

/// Keywords that are no text of an answer.
fn is_about_status(keyword: Option<&str>) -> bool {
    matches!(
        keyword,
        Some(
            "status"
                | "status_code"
                | "code"
                | "mimetype"
                | "content_type"
                | "headers"
                | "media_type"
                | "response_class"
        )
    )
}

fn all_statements(block: &Block) -> Vec<Vec<&Expr>> {
    let mut out = Vec::new();
    block.walk(&mut |stmt| out.push(stmt.exprs()));
    out
}

fn functions_in<'a>(block: &'a Block, out: &mut Vec<&'a Function>) {
    block.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Function(function) => {
            out.push(function);
            functions_in(&function.body, out);
        }
        StmtKind::Class(class) => functions_in(&class.body, out),
        _ => {}
    });
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
