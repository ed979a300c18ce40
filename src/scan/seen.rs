//! What was found, told apart from the trees it was found in: these may be given up while it is kept.

use super::flow::Hit;
use super::ir::{At, Block, StmtKind};
use super::project::{Project, SourceFile};
use super::rules::{Rule, Source};
use crate::finding::{Finding, Severity, Span, Step};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A hit without its trees.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) rule: &'static Rule,
    /// Index of the file the sink stands in.
    pub(super) file: usize,
    /// Index of the file whose evaluation reached it.
    pub(super) entry: usize,
    /// The sink.
    pub(super) at: At,
    /// Whether a value flowed there; a detector found it otherwise.
    pub(super) flowed: bool,
    source: Source,
    /// The route being served.
    route: Option<String>,
    /// Rule, path, functions and text: what the id is made of.
    place: String,
    span: Span,
    within: Option<String>,
    flow: Vec<Step>,
}

impl Seen {
    pub(super) fn of(project: &Project, hit: &Hit<'_>) -> Self {
        let file = &project.files[hit.file];
        let functions: Vec<&str> = hit.functions.iter().map(|function| function.name.as_str()).collect();
        let text: String = hit.expr.at.of(&file.text).split_whitespace().collect();
        let steps = hit.steps.iter().map(|(at_file, at, note)| {
            let source = &project.files[*at_file];
            Step { path: source.path.clone(), line: source.line(at.start), note: note.clone() }
        });
        Self {
            rule: hit.rule,
            file: hit.file,
            entry: hit.entry,
            at: hit.expr.at,
            flowed: hit.sink.is_some(),
            source: hit.source,
            route: hit.route.clone(),
            place: format!("{}\n{}\n{}\n{text}", hit.rule.id, file.path, functions.join(".")),
            span: span(file, hit.expr.at),
            within: within(file, hit),
            flow: tidy(steps),
        }
    }

    /// Whether this is that hit.
    pub(super) fn is(&self, hit: &Hit<'_>) -> bool {
        hit.file == self.file && hit.expr.at == self.at && hit.rule.id == self.rule.id
    }

    /// A finding without its fix. `seen` counts places that look alike.
    pub(super) fn finding(&self, project: &Project, seen: &mut BTreeMap<String, usize>) -> Finding {
        let rule = self.rule;
        let severity = match self.source {
            Source::Parameter => rule.severity.min(Severity::Medium),
            _ => rule.severity,
        };
        let mut within = self.within.clone();
        if let Some(route) = self.route.as_deref().map(str::trim).filter(|route| route.contains(' ')) {
            let own = within.unwrap_or_else(|| "handler".to_owned());
            within = Some(format!("{own} ({route})"));
        }
        Finding {
            id: id(&self.place, seen),
            rule: rule.id.clone(),
            family: rule.family,
            cwe: rule.cwe,
            severity,
            message: rule.message.trim().to_owned(),
            path: project.files[self.file].path.clone(),
            span: self.span,
            within,
            flow: self.flow.clone(),
            fix: None,
            why_no_fix: None,
        }
    }
}

/// One per sink and rule: the worse source stays. A sink inside another one of the same family is the same cause.
pub(super) fn merge(mut all: Vec<Seen>) -> Vec<Seen> {
    all.sort_by(|left, right| {
        let key =
            |seen: &Seen| (seen.file, seen.at.start, std::cmp::Reverse(seen.at.end), seen.rule.id.as_str());
        key(left).cmp(&key(right)).then(left.source.cmp(&right.source)).then(left.entry.cmp(&right.entry))
    });
    let mut out: Vec<Seen> = Vec::new();
    for seen in all {
        let same = out
            .iter_mut()
            .rev()
            .take_while(|known| known.file == seen.file)
            .find(|known| known.rule.family == seen.rule.family && known.at.holds(seen.at));
        match same {
            Some(known) => {
                if known.route.is_none() {
                    known.route = seen.route;
                }
            }
            None => out.push(seen),
        }
    }
    out
}

/// Steps without repetitions; a keyed source has no place of its own.
fn tidy(steps: impl Iterator<Item = Step>) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    for step in steps {
        if out
            .last()
            .is_none_or(|last| last.line != step.line || last.note != step.note || last.path != step.path)
        {
            out.push(step);
        }
    }
    out
}

fn span(file: &SourceFile, at: At) -> Span {
    let line_start = file.text[..at.start].rfind('\n').map_or(0, |newline| newline + 1);
    Span {
        start: at.start,
        end: at.end,
        line: file.line(at.start),
        column: at.start - line_start + 1,
        end_line: file.line(at.end.max(at.start + 1) - 1),
    }
}

/// `Class.method`.
fn within(file: &SourceFile, hit: &Hit<'_>) -> Option<String> {
    let named = hit.functions.iter().rev().find(|function| !function.name.is_empty());
    named.map(|function| match class_around(&file.module.body, function.at) {
        Some(class) if function.is_method => format!("{class}.{}", function.name),
        _ => function.name.clone(),
    })
}

fn class_around(block: &Block, at: At) -> Option<&str> {
    let mut found = None;
    block.walk(&mut |stmt| {
        if let StmtKind::Class(class) = &stmt.kind
            && class.at.holds(at)
        {
            found = class_around(&class.body, at).or(Some(class.name.as_str()));
        }
    });
    found
}

/// Twelve hex digits over rule, path, function and the sink's text without its blanks.
fn id(place: &str, seen: &mut BTreeMap<String, usize>) -> String {
    let nth = seen.entry(place.to_owned()).or_default();
    *nth += 1;
    let digest = Sha256::digest(format!("{place}\n{nth}"));
    digest.iter().take(6).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
