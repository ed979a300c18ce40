//! From hits to findings: severity, stable ids, suppression, fixes.

use super::fix::{self, Site};
use super::flow::{self, FileNotes, Hit, NoteBook};
use super::ir::{At, Block, StmtKind};
use super::project::{Project, SourceFile};
use super::rules::{FixSpec, Rule, Source, Tongue};
use super::spread::Count;
use super::{Stage, Watch, detect, shape, spread};
use crate::finding::{Finding, Fix, Severity, Span, Step, Suppressed};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Everything found in a project that `is_wanted`, sorted by path and position, each with its fix, and what
/// comments set aside. Files in `silent` are known to reach no sink; those that turn out not to are added.
pub(super) fn findings(
    project: &Project,
    silent: &mut [bool],
    is_wanted: &(dyn Fn(&Finding) -> bool + Sync),
    watch: Watch<'_>,
) -> (Vec<Finding>, Vec<Suppressed>) {
    let known: &[bool] = silent;
    let is_silent = |file: usize| known.get(file).copied().unwrap_or(false);
    let count = Count::new(Stage::Looking, project.files.len(), watch);
    let found = spread::spread(project.files.len(), |file| {
        let hits = hits_of(project, file, is_silent(file));
        count.one();
        hits
    });
    for (quiet, hits) in silent.iter_mut().zip(&found) {
        *quiet = hits.as_ref().is_some_and(|hits| hits.iter().all(|hit| hit.sink.is_none()));
    }
    let hits = merge(found.into_iter().flatten().flatten().collect());
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen: Vec<(Hit<'_>, Finding)> = Vec::new();
    let mut suppressed = Vec::new();
    for hit in hits {
        let finding = describe(project, &hit, &mut seen);
        if !is_wanted(&finding) {
            continue;
        }
        match suppression(&project.files[hit.file], &finding) {
            Some(reason) => suppressed.push(Suppressed { finding, reason }),
            None => chosen.push((hit, finding)),
        }
    }
    // Hits of one entry share one evaluation with notes.
    let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (at, (hit, _)) in chosen.iter().enumerate() {
        groups.entry((hit.entry, hit.file)).or_default().push(at);
    }
    let groups: Vec<((usize, usize), Vec<usize>)> = groups.into_iter().collect();
    let count = Count::new(Stage::Fixing, groups.len(), watch);
    let proposals = spread::spread(groups.len(), |at| {
        count.one();
        let ((entry, file), members) = &groups[at];
        let (_, book) = flow::evaluate(project, *entry, true);
        let book = book.unwrap_or_default();
        let before = counts(project, *file, *entry);
        members
            .iter()
            .map(|member| (*member, propose(project, &chosen[*member].0, &book, &before)))
            .collect::<Vec<_>>()
    });
    let mut fixes: BTreeMap<usize, Result<Fix, String>> = proposals.into_iter().flatten().flatten().collect();
    let findings = chosen
        .into_iter()
        .enumerate()
        .map(|(at, (_, mut finding))| {
            match fixes.remove(&at) {
                Some(Ok(fix)) => finding.fix = Some(fix),
                Some(Err(reason)) => finding.why_no_fix = Some(reason),
                None => finding.why_no_fix = Some("making a fix failed".to_owned()),
            }
            finding
        })
        .collect();
    (findings, suppressed)
}

/// What flow and detectors find in one file.
fn hits_of(project: &Project, file: usize, is_silent: bool) -> Vec<Hit<'_>> {
    let mut hits = if is_silent { Vec::new() } else { flow::evaluate(project, file, false).0 };
    let tongue = Tongue::of(project.files[file].language());
    for rule in &project.rules.rules {
        let Some(detector) = rule.detector.as_deref().and_then(detect::named) else { continue };
        if !rule.languages.contains(&tongue) {
            continue;
        }
        hits.extend(detector(project, file, rule).into_iter().map(|found| Hit {
            rule,
            sink: None,
            file,
            entry: file,
            expr: found.expr,
            argument: found.argument,
            functions: found.functions,
            source: Source::Any,
            callee: found.callee,
            steps: vec![(file, found.expr.at, found.note)],
            route: None,
        }));
    }
    for shapes in shape::of(project.rules, tongue) {
        hits.extend(shape::find(&project.files[file], shapes).into_iter().map(|fit| Hit {
            rule: shapes.rule,
            sink: None,
            file,
            entry: file,
            expr: fit.expr,
            argument: fit.argument,
            functions: fit.functions,
            source: Source::Any,
            callee: String::new(),
            steps: vec![(file, fit.expr.at, "this is written here".to_owned())],
            route: None,
        }));
    }
    hits
}

/// One hit per sink and rule: the worse source stays. A sink inside another one of the same rule is the same
/// cause.
fn merge(mut hits: Vec<Hit<'_>>) -> Vec<Hit<'_>> {
    hits.sort_by(|left, right| {
        let key = |hit: &Hit<'_>| {
            (hit.file, hit.expr.at.start, std::cmp::Reverse(hit.expr.at.end), hit.rule.id.clone())
        };
        key(left).cmp(&key(right)).then(left.source.cmp(&right.source)).then(left.entry.cmp(&right.entry))
    });
    let mut out: Vec<Hit<'_>> = Vec::new();
    for hit in hits {
        let same = out
            .iter_mut()
            .rev()
            .take_while(|known| known.file == hit.file)
            .find(|known| known.rule.family == hit.rule.family && known.expr.at.holds(hit.expr.at));
        match same {
            Some(known) => {
                if known.route.is_none() {
                    known.route = hit.route;
                }
            }
            None => out.push(hit),
        }
    }
    out
}

/// A finding without its fix.
fn describe(project: &Project, hit: &Hit<'_>, seen: &mut BTreeMap<String, usize>) -> Finding {
    let file = &project.files[hit.file];
    let rule = hit.rule;
    let severity = match hit.source {
        Source::Parameter => rule.severity.min(Severity::Medium),
        _ => rule.severity,
    };
    let within = within(file, hit);
    let flow = hit
        .steps
        .iter()
        .map(|(at_file, at, note)| {
            let source = &project.files[*at_file];
            Step { path: source.path.clone(), line: source.line(at.start), note: note.clone() }
        })
        .collect::<Vec<_>>();
    Finding {
        id: id(file, hit, seen),
        rule: rule.id.clone(),
        family: rule.family,
        cwe: rule.cwe,
        severity,
        message: rule.message.trim().to_owned(),
        path: file.path.clone(),
        span: span(file, hit.expr.at),
        within,
        flow: tidy(flow),
        fix: None,
        why_no_fix: None,
    }
}

/// Steps without repetitions; a keyed source has no place of its own.
fn tidy(steps: Vec<Step>) -> Vec<Step> {
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

/// `Class.method (POST /login)`.
fn within(file: &SourceFile, hit: &Hit<'_>) -> Option<String> {
    let named = hit.functions.iter().rev().find(|function| !function.name.is_empty());
    let mut name = named.map(|function| match class_around(&file.module.body, function.at) {
        Some(class) if function.is_method => format!("{class}.{}", function.name),
        _ => function.name.clone(),
    });
    if let Some(route) = hit.route.as_deref().map(str::trim).filter(|route| route.contains(' ')) {
        let own = name.unwrap_or_else(|| "handler".to_owned());
        name = Some(format!("{own} ({route})"));
    }
    name
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
fn id(file: &SourceFile, hit: &Hit<'_>, seen: &mut BTreeMap<String, usize>) -> String {
    let functions: Vec<&str> = hit.functions.iter().map(|function| function.name.as_str()).collect();
    let text: String = hit.expr.at.of(&file.text).split_whitespace().collect();
    let place = format!("{}\n{}\n{}\n{text}", hit.rule.id, file.path, functions.join("."));
    let nth = seen.entry(place.clone()).or_default();
    *nth += 1;
    let digest = Sha256::digest(format!("{place}\n{nth}"));
    digest.iter().take(6).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The reason of `# agent: ignore[rule-id, other-rule] reason` on one of the finding's lines or on the line above.
/// Without a reason of a word or more it does not count.
fn suppression(file: &SourceFile, finding: &Finding) -> Option<String> {
    file.module.comments.iter().find_map(|comment| {
        let (_, rest) = comment.text.split_once("agent: ignore[")?;
        let (rules, reason) = rest.split_once(']')?;
        let line = file.line(comment.at.start);
        let near = line + 1 >= finding.span.line && line <= finding.span.end_line;
        if !near || !rules.split(',').any(|rule| rule.trim() == finding.rule) {
            return None;
        }
        let reason = reason.trim().trim_end_matches("*/").trim();
        (reason.chars().filter(|letter| letter.is_alphabetic()).count() >= 3).then(|| reason.to_owned())
    })
}

/// How often each rule finds something in a file, seen from an entry.
fn counts(project: &Project, file: usize, entry: usize) -> BTreeMap<String, usize> {
    let mut hits = hits_of(project, file, false);
    if entry != file {
        hits.extend(flow::evaluate(project, entry, false).0);
    }
    let mut out = BTreeMap::new();
    for hit in merge(hits) {
        if hit.file == file {
            *out.entry(hit.rule.id.clone()).or_default() += 1;
        }
    }
    out
}

/// The fix of a hit, tried: it must parse, close the finding and open none.
fn propose(
    project: &Project,
    hit: &Hit<'_>,
    book: &NoteBook,
    before: &BTreeMap<String, usize>,
) -> Result<Fix, String> {
    let file = &project.files[hit.file];
    let rule: &Rule = hit.rule;
    let refusal = hit.sink.and_then(|sink| sink.why_no_fix.clone()).or_else(|| rule.why_no_fix.clone());
    let own = hit.sink.and_then(|sink| sink.fix.as_ref());
    let spec: Option<&FixSpec> =
        own.or(rule.fix.as_ref().filter(|_| hit.sink.is_none_or(|sink| sink.why_no_fix.is_none())));
    let Some(spec) = spec else {
        return Err(refusal.unwrap_or_else(|| "no safe automatic change is known for this form".to_owned()));
    };
    let fixer = fix::named(&spec.name).ok_or_else(|| format!("there is no fixer `{}`", spec.name))?;
    let notes = FileNotes { book, file: hit.file };
    let site = Site {
        project,
        file,
        rule,
        spec,
        expr: hit.expr,
        argument: hit.argument,
        functions: hit.functions.clone(),
        source: hit.source,
        callee: hit.callee.clone(),
        notes: &notes,
    };
    let draft = fixer(&site)?;
    let fix = fix::settle(file, draft)?;
    let text = fix.apply(&file.text).ok_or("the edits overlap")?;
    if text == file.text {
        return Err("the change would leave the file as it is".to_owned());
    }
    let next = project.with_text(hit.file, text).ok_or("the changed file no longer parses")?;
    if next.files[hit.file].module.errors > file.module.errors {
        return Err("the changed file would no longer parse".to_owned());
    }
    let after = counts(&next, hit.file, hit.entry);
    let count = |counts: &BTreeMap<String, usize>, rule: &str| counts.get(rule).copied().unwrap_or(0);
    if count(&after, &rule.id) >= count(before, &rule.id) {
        return Err("the change that is known for this form does not close it here".to_owned());
    }
    if let Some((other, _)) = after.iter().find(|(other, found)| **found > count(before, other)) {
        return Err(format!("the change would open a new finding of {other}"));
    }
    Ok(fix)
}
