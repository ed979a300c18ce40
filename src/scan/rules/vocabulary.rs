//! The vocabularies: what is true for a whole language, whatever the rule.

use super::{Condition, Kind, Source, Tongue};
use crate::scan::pattern::Pattern;
use serde::Deserialize;

/// What is true for a language, whatever the rule.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// Languages it is for.
    pub languages: Vec<Tongue>,
    /// Where dangerous values enter.
    #[serde(default)]
    pub sources: Vec<Origin>,
    /// What makes a value safe.
    #[serde(default)]
    pub sanitizers: Vec<Sanitizer>,
    /// Checks whose first argument is safe when they hold.
    #[serde(default)]
    pub guards: Vec<Sanitizer>,
    /// What makes a value dangerous again: decoders.
    #[serde(default)]
    pub restorers: Vec<Sanitizer>,
    /// Calls whose keyword arguments (or options object) are fields of the result, and methods that set a field.
    #[serde(default)]
    pub objects: Vec<Made>,
    /// How route handlers are written.
    #[serde(default)]
    pub handlers: Vec<Handler>,
}

/// Calls that make or change an object whose fields are remembered.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Calls that give the object: its keyword arguments become fields.
    #[serde(default)]
    pub by: Vec<Pattern>,
    /// Methods that set the field their first argument names to their second one.
    #[serde(default)]
    pub set_by: Vec<Pattern>,
}

/// Expressions that give a dangerous value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Which kind of source; `request` when it does not say. In a rule it counts for that rule alone.
    #[serde(default)]
    pub source: Source,
    /// Dotted paths (`*.request.args`, `req.query`); what is read from them is dangerous too.
    #[serde(default)]
    pub paths: Vec<Pattern>,
    /// Calls whose result is dangerous.
    #[serde(default)]
    pub calls: Vec<Pattern>,
    /// Objects of which only these literal keys are dangerous (`environ['QUERY_STRING']`); `HTTP_*` is understood.
    #[serde(default)]
    pub keys: Vec<String>,
    /// Only in files that import one of these modules.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Kinds the value is safe for from the start: a text is no query object.
    #[serde(default)]
    pub safe: Vec<Kind>,
}

/// Calls whose result is safe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sanitizer {
    /// Called functions.
    pub call: Vec<Pattern>,
    /// Kinds it is safe for.
    pub kinds: Vec<Kind>,
    /// Only when the arguments look like this.
    #[serde(default)]
    pub when: Vec<Condition>,
}

/// A way a framework takes handlers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// Decorators that make a function a handler.
    #[serde(default)]
    pub decorator: Vec<Pattern>,
    /// Calls that take functions as handlers (`app.get('/x', handler)`).
    #[serde(default)]
    pub registers: Vec<Pattern>,
    /// Base classes whose `methods` are handlers.
    #[serde(default)]
    pub bases: Vec<Pattern>,
    /// Decorators of a class whose decorated methods are handlers (with `decorator`).
    #[serde(default)]
    pub methods: Vec<String>,
    /// Names of a function's first parameter (after `self`) that make it a handler by convention.
    #[serde(default)]
    pub first_parameter: Vec<String>,
    /// Only in files that import one of these modules.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Paths the parameters stand for, in order after `self`: `[req, res, next]`.
    #[serde(default)]
    pub bind: Vec<String>,
    /// Which of the remaining parameters come from the request.
    #[serde(default)]
    pub parameters: Parameters,
}

/// Which parameters of a handler come from the request.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Parameters {
    /// None (they are bound, or not dangerous).
    #[default]
    None,
    /// All but `self`, `cls` and the bound ones, unless annotated or converted to a number and the like.
    All,
    /// As FastAPI does: by annotation and default; dependencies are none.
    Typed,
    /// Those that carry one of these decorators or none at all are decided by the language's own code.
    Decorated,
}
