//! From a hit to the change that closes it, or to the reason why none is safe.
//!
//! A fixer is a function of a [`Site`]. It reads the tree, answers with byte edits against the file's text, or
//! declines with a sentence. It never judges itself: [`settle`] adds the imports, and the report applies the
//! edits, parses again and scans again, and drops a draft that does not hold.

mod imports;
mod java;
mod javascript;
mod python;
mod rewrite;

use super::ir::{At, Block, Expr, Function};
use super::project::{Project, SourceFile};
use super::rules::{FixSpec, Rule, Source};
use crate::finding::{Fix, TextEdit, Tier};

/// Everything a fixer may look at.
pub struct Site<'a> {
    /// All files; the manifests' dependencies.
    pub project: &'a Project,
    /// The file the sink stands in.
    pub file: &'a SourceFile,
    /// The rule that found it.
    pub rule: &'a Rule,
    /// The fixer's parameters.
    pub spec: &'a FixSpec,
    /// The sink: a call (an `await` in front is not part of it), or what a detector points at.
    pub expr: &'a Expr,
    /// The dangerous argument (the receiver or the returned value where the sink says so).
    pub argument: &'a Expr,
    /// The enclosing functions, outermost first; empty at the top level.
    pub functions: Vec<&'a Function>,
    /// Where the dangerous value comes from.
    pub source: Source,
    /// Resolved path of what is called: `sqlite3.connect().cursor().execute`, `conn.execute`.
    pub callee: String,
    /// What the evaluation saw of each expression.
    pub notes: &'a dyn Notes,
}

/// What the flow engine saw of an expression of the site's file, joined over every way it was reached.
pub trait Notes {
    /// `None` when it was never evaluated (a dead branch).
    fn note(&self, at: At) -> Option<Note>;
}

/// What is known of the value of an expression.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Note {
    /// Whether something from outside is in it.
    pub tainted: bool,
    /// Its text, when it is always the same text.
    pub text: Option<String>,
    /// Its path: `flask.request.args`, `sqlite3.connect()`.
    pub path: Option<String>,
    /// Whether it is a constant of whatever type, or put together from constants only.
    pub constant: bool,
}

/// What a fixer proposes.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Replacements, in any order; they must not overlap.
    pub edits: Vec<TextEdit>,
    /// Imports the new text needs; those already there are not added again.
    pub imports: Vec<NewImport>,
    /// How sure it is; `None` means A.
    pub tier: Option<Tier>,
    /// One sentence.
    pub summary: String,
    /// What a person must still do.
    pub by_hand: String,
}

/// A name that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewImport {
    /// `subprocess`, `flask`, `child_process`.
    pub module: String,
    /// `abort` for `from flask import abort`, `const { abort } = …`; `None` for the module itself.
    pub member: Option<String>,
}

/// A fixer: a draft, or why a safe automatic change is not possible (one sentence).
pub type Fixer = for<'a> fn(&Site<'a>) -> Result<Draft, String>;

/// The fixer of a name in a rule file.
pub fn named(name: &str) -> Option<Fixer> {
    if name == "rewrite" {
        return Some(rewrite::fix);
    }
    python::named(name).or_else(|| javascript::named(name)).or_else(|| java::named(name))
}

/// Fixers that look at nothing but the file, what it imports and the manifests.
const LOCAL: &[&str] = &[
    "rewrite",
    "python-yaml",
    "python-pickle",
    "python-debug",
    "python-command",
    "python-path",
    "python-disclosure",
    "python-secret",
    "js-data",
    "js-command",
    "js-path",
    "js-disclosure",
    "js-secret",
];

/// Whether a change in a file that a finding does not depend on leaves its fix as it is.
pub(super) fn is_local(rule: &Rule) -> bool {
    let fixes = rule.fix.iter().chain(rule.sinks.iter().filter_map(|sink| sink.fix.as_ref()));
    fixes.into_iter().all(|spec| LOCAL.contains(&spec.name.as_str()))
}

/// A draft with its imports as one list of edits, in order.
pub fn settle(file: &SourceFile, draft: Draft) -> Result<Fix, String> {
    let mut edits = draft.edits;
    if !draft.imports.is_empty() {
        edits.extend(imports::edits(file, &draft.imports)?);
    }
    edits.sort_by_key(|edit| (edit.start, edit.end));
    if edits.windows(2).any(|pair| pair[1].start < pair[0].end) {
        return Err("the edits of the fix overlap".to_owned());
    }
    Ok(Fix { tier: draft.tier.unwrap_or(Tier::A), summary: draft.summary, by_hand: draft.by_hand, edits })
}

impl<'a> Site<'a> {
    /// The text of a place.
    pub fn text(&self, at: At) -> &'a str {
        at.of(&self.file.text)
    }

    /// The innermost enclosing function.
    pub fn function(&self) -> Option<&'a Function> {
        self.functions.last().copied()
    }

    /// The body of the innermost function, or the module's.
    pub fn scope(&self) -> &'a Block {
        self.function().map_or(&self.file.module.body, |function| &function.body)
    }

    /// Whether a package is a dependency of the project or imported in this file.
    pub fn has_package(&self, name: &str) -> bool {
        self.file.imports(name) || self.project.dependencies.iter().any(|package| package == name)
    }
}

/// An edit that replaces a place.
pub fn replace(at: At, text: impl Into<String>) -> TextEdit {
    TextEdit { start: at.start, end: at.end, text: text.into() }
}
