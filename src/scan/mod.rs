//! Rules and flow over syntax trees to findings with fixes.
//!
//! Files are read and lowered to one small tree (`lower`, `ir`), evaluated with the rules of their language
//! (`flow`, `detect`, `rules`), and what is found becomes findings with proposed changes (`report`, `fix`).

pub mod ir;
pub mod pattern;
pub mod lower;
pub mod project;
pub mod rules;
pub mod fix;
mod detect;
mod flow;
mod gather;
mod report;
mod seen;
mod shape;
pub(crate) mod spread;

use crate::finding::{Family, Finding, Severity, Suppressed};
use crate::workspace::{Place, Workspace};
use project::{Project, SourceFile};
use report::{Asked, Known};
use rules::{RuleSet, embedded};
use std::sync::{Arc, Mutex, PoisonError};

/// What to look for, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Below this place; the whole workspace when absent.
    pub beneath: Option<Place>,
    /// Only these families; all when empty.
    pub families: Vec<Family>,
    /// At least this severity.
    pub severity: Option<Severity>,
    /// Only rules of these ids; all when empty.
    pub rules: Vec<String>,
}

/// How far a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is at.
    pub stage: Stage,
    /// Files (or groups of findings) that are done.
    pub done: usize,
    /// Of so many.
    pub all: usize,
}

/// The stages of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Files are read and parsed.
    Reading,
    /// Files are evaluated.
    Looking,
    /// Fixes are made and tried.
    Fixing,
}

/// Who is told how far a scan is, from any thread.
pub type Watch<'w> = Option<&'w (dyn Fn(Progress) + Sync)>;

/// What a scan gave.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Findings, by path and position.
    pub findings: Vec<Finding>,
    /// Files looked at.
    pub files: usize,
    /// Files that could not be read or parsed, with the reason.
    pub skipped: Vec<(String, String)>,
    /// What comments in the code set aside.
    pub suppressed: Vec<Suppressed>,
}

/// The embedded rules, ready to run. What a scan read is kept, so that the next one parses only what changed.
#[derive(Debug)]
pub struct Scanner {
    rules: &'static RuleSet,
    last: Mutex<Option<Last>>,
}

/// More text than this (bytes, all files of a scan) is not kept for the next one.
const MAX_KEPT: usize = 128 << 20;

/// What the scan before this one read and found.
#[derive(Debug)]
struct Last {
    project: Project,
    known: Known,
}

impl Last {
    /// What still holds for a project, which learns what this one knows. `None` where files came or went: one of
    /// them may be what an import leads to.
    fn still_known(mut self, project: &mut Project) -> Option<Known> {
        let earlier = &self.project;
        let is_alike = earlier.files.len() == project.files.len()
            && earlier.files.iter().zip(&project.files).all(|(one, two)| one.path == two.path)
            && earlier.dependencies == project.dependencies
            && earlier.env_examples == project.env_examples
            && earlier.properties == project.properties;
        if !is_alike {
            return None;
        }
        project.learn_from(earlier);
        let changed = earlier.files.iter().zip(&project.files).map(|(one, two)| !Arc::ptr_eq(one, two));
        let touched = project.importers_of(changed.collect());
        self.known.forget(&touched);
        Some(self.known)
    }
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// The embedded rules.
    pub fn new() -> Self {
        Self::of(embedded())
    }

    /// These rules.
    pub fn of(rules: &'static RuleSet) -> Self {
        Self { rules, last: Mutex::default() }
    }

    /// The rules it scans with.
    pub fn rules(&self) -> &'static RuleSet {
        self.rules
    }

    /// Scans the workspace, in parallel, ignore files respected. Test code and vendored code are left out
    /// unless the filter's place lies in them. Calls are followed through the whole workspace also when only
    /// a part of it is asked for.
    pub fn scan(&self, workspace: &Workspace, filter: &Filter) -> Scan {
        self.scan_watched(workspace, filter, None)
    }

    /// As [`Scanner::scan`], and tells how far it is.
    pub fn scan_watched(&self, workspace: &Workspace, filter: &Filter, watch: Watch<'_>) -> Scan {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        let read = last.as_ref().map_or(&[][..], |last| last.project.files.as_slice());
        let gathered = gather::gather(workspace, filter.beneath.as_ref(), read, watch);
        let (mut project, mut skipped) = (gathered.project, gathered.skipped);
        project.rules = self.rules;
        let beneath = filter.beneath.as_ref().map_or(".", Place::as_str);
        let is_beneath = |path: &str| {
            beneath == "."
                || path.strip_prefix(beneath).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let is_wanted = |finding: &Finding| {
            is_beneath(&finding.path)
                && (filter.families.is_empty() || filter.families.contains(&finding.family))
                && (filter.rules.is_empty() || filter.rules.contains(&finding.rule))
                && filter.severity.is_none_or(|least| finding.severity >= least)
        };
        let mut known = last.and_then(|last| last.still_known(&mut project)).unwrap_or_default();
        let mut broken = Vec::new();
        let asked = Asked { is_wanted: &is_wanted, watch };
        let (findings, suppressed) = report::findings(&mut project, &mut known, &asked, &mut broken);
        skipped.extend(broken.into_iter().map(|path| (path, "the scanner broke on it".to_owned())));
        skipped.retain(|(path, _)| is_beneath(path));
        let files = project.files.iter().filter(|file| is_beneath(&file.path)).count();
        if project.files.iter().map(|file| file.text.len()).sum::<usize>() <= MAX_KEPT {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Last { project, known });
        }
        Scan { findings, files, skipped, suppressed }
    }

    /// Scans one text as if it stood at `path` (its ending chooses the language).
    pub fn scan_text(&self, path: &str, text: &str) -> Vec<Finding> {
        self.scan_texts(&[(path, text)])
    }

    /// Scans several texts as one project; none of them is left out for where it stands.
    pub fn scan_texts(&self, files: &[(&str, &str)]) -> Vec<Finding> {
        let parsed = spread::spread(files.len(), |at| SourceFile::parse(files[at].0, files[at].1.to_owned()));
        let parsed = parsed.into_iter().flatten().flatten().map(Arc::new).collect();
        let mut project = Project::new(parsed);
        let properties = files.iter().filter(|(path, _)| path.ends_with(".properties"));
        project.properties =
            properties.map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        project.rules = self.rules;
        let asked = Asked { is_wanted: &|_| true, watch: None };
        report::findings(&mut project, &mut Known::default(), &asked, &mut Vec::new()).0
    }
}
