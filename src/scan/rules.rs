//! The rule files: what they may say, and the embedded set, read once.
//!
//! `rules/README.md` says how to write one. A *rule* names sinks and a fix; a *vocabulary* names what is
//! true for a whole language: where requests enter, what makes a value safe, how handlers are registered.

pub mod own;
mod shelf;
mod sources;
pub mod trial;
mod vocabulary;

pub use sources::Sources;
pub use vocabulary::{Handler, Made, Origin, Parameters, Sanitizer, Vocabulary};

use super::ir::Language;
use super::pattern::Pattern;
use crate::finding::{Family, Severity};
use serde::Deserialize;
use shelf::{JAVA, JAVASCRIPT, PYTHON, VOCABULARIES};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// A weakness to look for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `python-sql-injection`: language (or `any`), then the weakness.
    pub id: String,
    /// Family; `other` when none fits.
    #[serde(default)]
    pub family: Family,
    /// CWE number.
    pub cwe: u32,
    /// OWASP category: `A05:2025`; may be left out in a rule of one's own.
    #[serde(default)]
    pub owasp: String,
    /// Severity when the value comes from a request; one from a library function's parameter gives `medium`.
    pub severity: Severity,
    /// Languages it is for.
    pub languages: Vec<Tongue>,
    /// What is wrong, why it matters, what to do.
    pub message: String,
    /// The taint kind: a sanitiser of this kind (or of all kinds) makes a value safe for this rule.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Which values are dangerous here; `request` when empty. Besides words, origins that count for this rule
    /// alone.
    #[serde(default)]
    pub sources: Sources,
    /// Calls whose result is safe for this rule (for its `kind`, when it has one).
    #[serde(default)]
    pub sanitizers: Vec<Pattern>,
    /// Where they do harm.
    #[serde(default)]
    pub sinks: Vec<Sink>,
    /// Code that is wrong wherever it stands (see `shape`).
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Code that is not meant though a pattern fits it.
    #[serde(default)]
    pub unless: Vec<String>,
    /// What the names in the patterns must stand for.
    #[serde(default, rename = "where")]
    pub given: BTreeMap<String, Given>,
    /// A check written in Rust instead of sinks (`detect::named`).
    #[serde(default)]
    pub detector: Option<String>,
    /// Data for the detector.
    #[serde(default)]
    pub with: BTreeMap<String, Vec<String>>,
    /// The fix; a sink may name its own.
    #[serde(default)]
    pub fix: Option<FixSpec>,
    /// Why there is no fix, when there is none at all.
    #[serde(default)]
    pub why_no_fix: Option<String>,
    /// Its tests.
    pub examples: Examples,
    /// The file it was read from; empty when it is embedded.
    #[serde(skip)]
    pub file: String,
    /// Its sanitisers with the kind they are for, once numbered.
    #[serde(skip)]
    pub safe_by: Option<Sanitizer>,
}

/// What a name in a pattern must stand for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The text it stands for, as written, holds a match of this regular expression.
    #[serde(default)]
    pub matches: Option<String>,
    /// Whether it is a literal.
    #[serde(default)]
    pub literal: Option<bool>,
}

/// A language as rule files spell it.
#[derive(Debug, Clone, Copy, Deserialize, serde::Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Tongue {
    /// Python.
    Python,
    /// JavaScript and TypeScript.
    JavaScript,
    /// Java.
    Java,
}

/// What a value can be safe or unsafe for.
#[derive(Debug, Clone, Copy, Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// SQL text.
    Sql,
    /// A shell command, or the program that is run.
    Command,
    /// A file path.
    Path,
    /// HTML.
    Html,
    /// Data given to an unsafe deserialiser.
    Deserialize,
    /// Text that a client gets to read.
    Disclosure,
    /// Program text.
    Code,
    /// A template's text.
    Template,
    /// A query object of a document store.
    Nosql,
    /// An LDAP filter or name.
    Ldap,
    /// An `XPath` expression.
    Xpath,
    /// An XML document.
    Xml,
    /// Where a request of the server itself goes.
    Url,
    /// Where a browser is sent.
    Redirect,
    /// A header of an answer.
    Header,
    /// A line of a log.
    Log,
    /// A pattern.
    Regex,
    /// What is kept in the session.
    Session,
    /// Fields of a record.
    Fields,
    /// What one rule alone looks for: a rule with sanitisers and no kind gets the next number.
    #[serde(skip)]
    Own(u8),
    /// Every kind (in sanitisers).
    All,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// From a client's request.
    #[default]
    Request,
    /// From what one rule alone calls a source.
    #[serde(skip)]
    Own(u16),
    /// From a parameter of a function nobody in the repository calls with something known; counts only when
    /// a text was built from it.
    Parameter,
    /// From a caught exception or a traceback.
    Exception,
    /// From a generator whose next value can be guessed.
    Random,
    /// Anything that is not a constant (`yaml.load(f)`).
    Any,
    /// Whatever it is: the sink's conditions alone decide.
    Always,
}

/// A place where a value does harm.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    /// Called functions (see [`Pattern`]).
    #[serde(default)]
    pub call: Vec<Pattern>,
    /// Assigned targets (`response.headers.[]`, `*.verify`): position 0 is the value, position 1 the key.
    #[serde(default)]
    pub assign: Vec<Pattern>,
    /// Names that are bound (variables, fields, keys, keyword arguments, functions for what they return): lower-case
    /// words, all of which stand in the name when joined by `+`.
    #[serde(default)]
    pub names: Vec<String>,
    /// The finding points at the place the value comes from: that is what the fix changes.
    #[serde(default)]
    pub at_source: bool,
    /// Checks written in Rust that must hold too (`detect::holds`).
    #[serde(default)]
    pub only: Vec<String>,
    /// What a route handler returns (or, with `call`, nothing).
    #[serde(default)]
    pub returns: bool,
    /// Positions of dangerous arguments; all arguments when this and `keywords` are empty.
    #[serde(default)]
    pub arguments: Vec<usize>,
    /// Keywords of dangerous arguments.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// The receiver of the method is the dangerous value (`Path(x).read_text()`).
    #[serde(default)]
    pub receiver: bool,
    /// Other arguments must look like this, all of them.
    #[serde(default)]
    pub when: Vec<Condition>,
    /// Only in files (or for paths) that import one of these modules; always when empty.
    #[serde(default)]
    pub imports: Vec<String>,
    /// Only when the text was put together (concatenation, hole, format), not when it is passed through whole.
    #[serde(default)]
    pub built: bool,
    /// A list or tuple literal as the dangerous argument is safe (an argument list without a shell).
    #[serde(default)]
    pub list_is_safe: bool,
    /// A fix of its own.
    #[serde(default)]
    pub fix: Option<FixSpec>,
    /// Why a finding at this sink has no fix.
    #[serde(default)]
    pub why_no_fix: Option<String>,
}

/// A condition on an argument of the sink's call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The object whose method is called.
    #[serde(default)]
    pub receiver: bool,
    /// By keyword.
    #[serde(default)]
    pub keyword: Option<String>,
    /// By position (also tried when the keyword is absent).
    #[serde(default)]
    pub position: Option<usize>,
    /// A key of the object at that position or keyword (JavaScript options, fields set by calls that the vocabulary
    /// names under `objects`); `a.b` for one inside another.
    #[serde(default)]
    pub key: Option<String>,
    /// One of these: constants as `true`, `false`, `null`, `12`, `text` (whatever its case, possibly with a `*` at
    /// either end), `constant` for any constant, or dotted patterns. Of a list one item must fit.
    #[serde(default)]
    pub is: Vec<String>,
    /// None of these.
    #[serde(default)]
    pub not: Vec<String>,
    /// A number with one of these bits.
    #[serde(default)]
    pub bits: Option<i64>,
    /// A number smaller than this.
    #[serde(default)]
    pub below: Option<i64>,
    /// What an absent argument means: whether the condition then holds.
    #[serde(default)]
    pub absent: bool,
}

/// Which fixer, with which parameters.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixSpec {
    /// Name in `fix::named`.
    pub name: String,
    /// Its parameters.
    #[serde(default)]
    pub with: BTreeMap<String, String>,
}

/// The examples of a rule: they are its tests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Found; where `fixed` is given the fixes of all findings of this rule give exactly that text.
    #[serde(default)]
    pub vulnerable: Vec<Vulnerable>,
    /// Silent.
    #[serde(default)]
    pub safe: Vec<Safe>,
}

/// Code in which the rule finds something.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vulnerable {
    /// The file's text.
    pub code: String,
    /// Its path, `app.py` (or `app.js`) when absent.
    #[serde(default)]
    pub path: Option<String>,
    /// The text after the fix.
    #[serde(default)]
    pub fixed: Option<String>,
    /// Words that must stand in `why_no_fix`.
    #[serde(default)]
    pub declines: Option<String>,
}

/// Code in which the rule finds nothing: the text, or the text with its path.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Safe {
    /// The text.
    Text(String),
    /// The text and the path it stands at.
    File {
        /// The file's text.
        code: String,
        /// Its path.
        path: String,
    },
}

/// Rules and vocabularies that are used together.
#[derive(Debug, Clone)]
pub struct RuleSet {
    /// The rules, in order of their ids.
    pub rules: Vec<Rule>,
    /// The vocabularies.
    pub vocabularies: Vec<Vocabulary>,
    /// Files that could not be read, with the reason; a test holds that there are none.
    pub broken: Vec<String>,
}

/// The embedded rules, read at the first call.
pub fn embedded() -> &'static RuleSet {
    static RULES: OnceLock<RuleSet> = OnceLock::new();
    RULES.get_or_init(|| {
        let mut broken = Vec::new();
        let mut rules: Vec<Rule> = Vec::new();
        for (name, text) in PYTHON.iter().chain(JAVASCRIPT).chain(JAVA) {
            match serde_saphyr::from_str(text) {
                Ok(rule) => rules.push(rule),
                Err(error) => broken.push(format!("{name}: {error}")),
            }
        }
        let mut vocabularies = Vec::new();
        for (name, text) in VOCABULARIES {
            match serde_saphyr::from_str(text) {
                Ok(vocabulary) => vocabularies.push(vocabulary),
                Err(error) => broken.push(format!("{name}: {error}")),
            }
        }
        rules.sort_by(|left, right| left.id.cmp(&right.id));
        if let Err(error) = own::number(&mut rules) {
            broken.push(error.to_string());
        }
        RuleSet { rules, vocabularies, broken }
    })
}

/// The file of an embedded rule, as it stands.
pub fn source_of(id: &str) -> Option<&'static str> {
    let line = format!("id: {id}");
    let is_its = |text: &str| text.lines().any(|known| known.trim_end() == line);
    PYTHON.iter().chain(JAVASCRIPT).chain(JAVA).map(|(_, text)| *text).find(|text| is_its(text))
}

impl RuleSet {
    /// The rule of an id.
    pub fn find(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

impl Tongue {
    /// The rule files' word for a language.
    pub fn of(language: Language) -> Self {
        match language {
            Language::Python => Tongue::Python,
            Language::Java => Tongue::Java,
            Language::JavaScript | Language::TypeScript | Language::Tsx => Tongue::JavaScript,
        }
    }
}
