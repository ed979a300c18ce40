//! Checks that are no flow from a source to a sink: written in Rust, named in rule files.

mod compare;
mod context;
mod csrf;
mod debug;
mod java;
mod javascript;
mod logged;
mod merge;
mod password;
mod secret;
mod sibling;
mod upload;

pub(super) use context::is_session_cookie;
pub(super) use password::{is_neutral, is_password, speaks_of};
pub(super) use secret::words as secret_words;

use super::ir::{Expr, Function};
use super::project::{Project, SourceFile};
use super::rules::Rule;

/// What a detector found.
#[derive(Debug, Clone)]
pub(super) struct Found<'a> {
    /// What is wrong: what the finding points at.
    pub expr: &'a Expr,
    /// The part the fix is about; often the same.
    pub argument: &'a Expr,
    /// Enclosing functions, outermost first.
    pub functions: Vec<&'a Function>,
    /// A few words for the flow's only step.
    pub note: String,
    /// What is called or assigned, for fixers.
    pub callee: String,
}

/// A detector: looks at one file of a project.
pub(super) type Detector = for<'a> fn(&'a Project, usize, &'static Rule) -> Vec<Found<'a>>;

/// The detector of a name in a rule file.
pub(super) fn named(name: &str) -> Option<Detector> {
    match name {
        "secret" => Some(secret::find),
        "python-debug" => Some(debug::find),
        "compare" => Some(compare::find),
        "logged" => Some(logged::find),
        "unasked" => Some(sibling::unasked),
        "unlimited" => Some(sibling::unlimited),
        "python-upload" => Some(upload::find),
        "js-prototype" => Some(merge::find),
        "python-csrf-exempt" => Some(csrf::find),
        "python-password" => Some(password::find),
        "java-trust" => Some(java::trust),
        "java-cross-origin" => Some(java::cross_origin),
        _ => javascript::named(name),
    }
}

/// Whether a check that a sink names under `only` holds at a place.
pub(super) fn holds(
    name: &str,
    project: &Project,
    file: &SourceFile,
    expr: &Expr,
    argument: &Expr,
    chain: &[&Function],
) -> bool {
    java::holds(name, file, expr, argument, chain)
        .unwrap_or_else(|| context::holds(name, &context::Place { project, file, expr, argument, chain }))
}
