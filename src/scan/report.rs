//! From hits to findings: stable ids, suppression, fixes. Files are evaluated a few at a time, so that no more
//! trees are held than a budget allows, and what an edit cannot have changed is not evaluated again.

use super::fix::{self, Site};
use super::flow::{self, FileNotes, Hit, NoteBook};
use super::project::{Project, SourceFile};
use super::rules::{FixSpec, Source, Tongue};
use super::seen::{Seen, merge};
use super::spread::Count;
use super::{Stage, Watch, detect, shape, spread};
use crate::finding::{Finding, Fix, Suppressed};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Text (bytes) that is evaluated between two looks at what is held.
const BATCH: usize = 1 << 20;

/// Trees of so much text (bytes) are held between two batches; a tree takes about ten times as much.
const MAX_TREES: usize = 2 << 20;

/// What is known of a project's entries.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// What the evaluation of each file gave; `None` where it has to be evaluated.
    seen: Vec<Option<Vec<Seen>>>,
    /// What became of fixes, by entry, file and place.
    fixes: HashMap<Key, Result<Fix, String>>,
}

/// Entry, file, rule and place of a fix.
type Key = (usize, usize, &'static str, super::ir::At);

impl Known {
    /// Forgets what a change in the `touched` files may have made wrong.
    pub(super) fn forget(&mut self, touched: &[bool]) {
        for (seen, touched) in self.seen.iter_mut().zip(touched) {
            if *touched {
                *seen = None;
            }
        }
        let rules = self.seen.iter().flatten().flatten();
        let around: HashSet<&str> =
            rules.filter(|seen| !fix::is_local(seen.rule)).map(|seen| seen.rule.id.as_str()).collect();
        self.fixes.retain(|(entry, file, rule, _), _| {
            !touched[*entry] && !touched[*file] && !around.contains(rule)
        });
    }
}

/// What is wanted, and who is told.
pub(super) struct Asked<'w> {
    pub(super) is_wanted: &'w (dyn Fn(&Finding) -> bool + Sync),
    pub(super) watch: Watch<'w>,
}

/// Everything found in a project, sorted by path and position, each with its fix, and what comments set aside.
/// Paths of files that could not be evaluated are added to `broken`.
pub(super) fn findings(
    project: &mut Project,
    known: &mut Known,
    asked: &Asked<'_>,
    broken: &mut Vec<String>,
) -> (Vec<Finding>, Vec<Suppressed>) {
    look(project, known, asked.watch, broken);
    let all = merge(known.seen.iter().flatten().flatten().cloned().collect());
    let mut alike: BTreeMap<String, usize> = BTreeMap::new();
    let mut chosen: Vec<(Seen, Finding)> = Vec::new();
    let mut suppressed = Vec::new();
    for seen in all {
        let finding = seen.finding(project, &mut alike);
        if !(asked.is_wanted)(&finding) {
            continue;
        }
        match suppression(&project.files[seen.file], &finding) {
            Some(reason) => suppressed.push(Suppressed { finding, reason }),
            None => chosen.push((seen, finding)),
        }
    }
    mend(project, known, &chosen, asked.watch);
    let findings = chosen
        .into_iter()
        .map(|(seen, mut finding)| {
            match known.fixes.get(&key(&seen)) {
                Some(Ok(fix)) => finding.fix = Some(fix.clone()),
                Some(Err(reason)) => finding.why_no_fix = Some(reason.clone()),
                None => finding.why_no_fix = Some("making a fix failed".to_owned()),
            }
            finding
        })
        .collect();
    (findings, suppressed)
}

fn key(seen: &Seen) -> Key {
    (seen.entry, seen.file, seen.rule.id.as_str(), seen.at)
}

/// Evaluates what has to be.
fn look(project: &mut Project, known: &mut Known, watch: Watch<'_>, broken: &mut Vec<String>) {
    known.seen.resize_with(project.files.len(), || None);
    let open: Vec<usize> = (0..project.files.len()).filter(|file| known.seen[*file].is_none()).collect();
    let count = Count::new(Stage::Looking, open.len(), watch);
    for batch in batches(&open, |file| project.files[*file].text.len()) {
        let shared: &Project = project;
        let found = spread::spread(batch.len(), |at| {
            let hits = hits_of(shared, *batch[at]);
            // Asked for while the tree is there.
            shared.reach(*batch[at]);
            count.one();
            hits.iter().map(|hit| Seen::of(shared, hit)).collect::<Vec<_>>()
        });
        for (file, found) in batch.into_iter().copied().zip(found) {
            if found.is_none() {
                broken.push(project.files[file].path.clone());
            }
            known.seen[file] = Some(found.unwrap_or_default());
        }
        let seen = &known.seen;
        project.forget_trees(MAX_TREES, &|file| seen[file].is_some());
    }
}

/// Makes the fixes that are not known yet.
fn mend(project: &mut Project, known: &mut Known, chosen: &[(Seen, Finding)], watch: Watch<'_>) {
    // Hits of one entry in one file share one evaluation with notes.
    let mut groups: BTreeMap<(usize, usize), Vec<&Seen>> = BTreeMap::new();
    for (seen, _) in chosen.iter().filter(|(seen, _)| !known.fixes.contains_key(&key(seen))) {
        groups.entry((seen.entry, seen.file)).or_default().push(seen);
    }
    let groups: Vec<((usize, usize), Vec<&Seen>)> = groups.into_iter().collect();
    let count = Count::new(Stage::Fixing, groups.len(), watch);
    for batch in batches(&groups, |((_, file), _)| project.files[*file].text.len()) {
        let shared: &Project = project;
        let proposals = spread::spread(batch.len(), |at| {
            let ((entry, file), members) = batch[at];
            let proposals = proposals(shared, *entry, *file, members);
            count.one();
            proposals
        });
        known.fixes.extend(proposals.into_iter().flatten().flatten());
        project.forget_trees(MAX_TREES, &|_| true);
    }
}

/// Runs of items that hold no more than a batch's text each.
fn batches<T>(items: &[T], size: impl Fn(&T) -> usize) -> Vec<Vec<&T>> {
    let mut out: Vec<Vec<&T>> = Vec::new();
    let mut room = 0;
    for item in items {
        let size = size(item);
        if out.is_empty() || room < size {
            out.push(Vec::new());
            room = BATCH;
        }
        room = room.saturating_sub(size);
        if let Some(last) = out.last_mut() {
            last.push(item);
        }
    }
    out
}

/// What flow and detectors find in one file.
fn hits_of(project: &Project, file: usize) -> Vec<Hit<'_>> {
    let mut hits = flow::evaluate(project, file, false).0;
    hits.extend(detected(project, file));
    hits
}

/// What detectors and plain patterns find in one file.
fn detected(project: &Project, file: usize) -> Vec<Hit<'_>> {
    let mut hits = Vec::new();
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

/// The reason of `# agent: ignore[rule-id, other-rule] reason` on one of the finding's lines or on the line above.
/// Without a reason of a word or more it does not count.
fn suppression(file: &SourceFile, finding: &Finding) -> Option<String> {
    // Asking for comments makes the tree.
    if !file.text.contains("agent: ignore[") {
        return None;
    }
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
fn counts(project: &Project, file: usize, entry: usize) -> BTreeMap<&'static str, usize> {
    let mut hits = hits_of(project, file);
    if entry != file {
        hits.extend(flow::evaluate(project, entry, false).0);
    }
    let mut out = BTreeMap::new();
    for seen in merge(hits.iter().map(|hit| Seen::of(project, hit)).collect()) {
        if seen.file == file {
            *out.entry(seen.rule.id.as_str()).or_default() += 1;
        }
    }
    out
}

/// The fixes of what one entry found in one file.
fn proposals(
    project: &Project,
    entry: usize,
    file: usize,
    members: &[&Seen],
) -> Vec<(Key, Result<Fix, String>)> {
    let (mut hits, book) = flow::evaluate(project, entry, true);
    let book = book.unwrap_or_default();
    if members.iter().any(|seen| !seen.flowed) {
        hits.extend(detected(project, file));
    }
    let before = counts(project, file, entry);
    members
        .iter()
        .map(|seen| {
            let hit = hits.iter().find(|hit| seen.is(hit)).ok_or("it is not found again");
            let fix = hit.map_err(ToOwned::to_owned).and_then(|hit| propose(project, hit, &book, &before));
            (key(seen), fix)
        })
        .collect()
}

/// The fix of a hit, tried: it must parse, close the finding and open none.
fn propose(
    project: &Project,
    hit: &Hit<'_>,
    book: &NoteBook,
    before: &BTreeMap<&'static str, usize>,
) -> Result<Fix, String> {
    let file = &project.files[hit.file];
    let rule = hit.rule;
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
    if *text == *file.text {
        return Err("the change would leave the file as it is".to_owned());
    }
    let next = project.with_text(hit.file, text).ok_or("the changed file no longer parses")?;
    if next.files[hit.file].module.errors > file.module.errors {
        return Err("the changed file would no longer parse".to_owned());
    }
    let after = counts(&next, hit.file, hit.entry);
    let count = |counts: &BTreeMap<&'static str, usize>, rule: &str| counts.get(rule).copied().unwrap_or(0);
    if count(&after, &rule.id) >= count(before, &rule.id) {
        return Err("the change that is known for this form does not close it here".to_owned());
    }
    if let Some((other, _)) = after.iter().find(|(other, found)| **found > count(before, other)) {
        return Err(format!("the change would open a new finding of {other}"));
    }
    Ok(fix)
}
