//! Flow within a file, and through imports into others: abstract evaluation of every function.
//!
//! A file's top level is evaluated first, then every function nobody in the file calls and every route handler,
//! with parameters as the outside would give them. Calls to functions of the project are evaluated in place,
//! so a sink is reached with what really came. Conditions that are constant choose one branch; checks narrow
//! what they check; what is overwritten is forgotten.

mod assigned;
mod branch;
mod call;
mod container;
mod entry;
mod env;
mod expr;
mod fold;
mod guard;
mod handler;
mod invoke;
mod java;
mod javascript;
mod letters;
mod lexicon;
mod origin;
mod prove;
mod scope;
mod sink;
mod stmt;
mod text;
mod value;

use super::fix::{Note, Notes};
use super::ir::{At, Expr, Function};
use super::project::{Project, SourceFile};
use super::rules::{Rule, Sink, Source, Tongue};
use env::Env;
use lexicon::Lexicon;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use value::Value;

/// A sink that was reached by a dangerous value.
#[derive(Debug, Clone)]
pub(super) struct Hit<'a> {
    /// The rule.
    pub rule: &'static Rule,
    /// Its sink; `None` when a detector found it.
    pub sink: Option<&'static Sink>,
    /// Index of the file the sink stands in.
    pub file: usize,
    /// Index of the file whose evaluation reached it.
    pub entry: usize,
    /// The sink.
    pub expr: &'a Expr,
    /// The dangerous argument.
    pub argument: &'a Expr,
    /// Enclosing functions, outermost first.
    pub functions: Vec<&'a Function>,
    /// Where the value comes from.
    pub source: Source,
    /// Resolved path of what is called.
    pub callee: String,
    /// From source to sink: file, place, words.
    pub steps: Vec<(usize, At, String)>,
    /// The route being served: `POST /login`.
    pub route: Option<String>,
}

/// Notes of an evaluation, for fixers.
#[derive(Debug, Default)]
pub(super) struct NoteBook {
    notes: HashMap<(usize, At), Note>,
}

/// The notes of one file.
pub(super) struct FileNotes<'n> {
    /// All notes.
    pub book: &'n NoteBook,
    /// The file.
    pub file: usize,
}

impl Notes for FileNotes<'_> {
    fn note(&self, at: At) -> Option<Note> {
        self.book.notes.get(&(self.file, at)).cloned()
    }
}

/// How many expressions an evaluation may visit before calls are no longer followed.
#[derive(Debug, Clone, Copy)]
struct Budget {
    /// In one function, with all it calls.
    function: usize,
    /// In the file so far.
    file: usize,
    /// How many calls deep functions are followed.
    calls: usize,
}

/// For what requests reach, and for the top level of the file itself.
const GENEROUS: Budget = Budget { function: 15_000, file: 250_000, calls: 7 };

/// For functions nobody is known to hand anything from outside.
const MODEST: Budget = Budget { function: 1_500, file: 30_000, calls: 4 };

/// For the top level of another file, of which only what it binds is wanted.
const SCANTY: Budget = Budget { function: 300, file: 250_000, calls: 2 };

/// The state of the evaluation of one file.
struct Engine<'a> {
    project: &'a Project,
    entry: usize,
    lexicon: &'static Lexicon,
    globals: HashMap<usize, Rc<Env<'a>>>,
    /// What is known of members of unknown objects (`g.db`), over the whole file: paths only.
    members: HashMap<String, Value<'a>>,
    hits: Vec<Hit<'a>>,
    /// Functions that were evaluated because something called them.
    called: HashSet<*const Function>,
    /// Functions being evaluated, against recursion.
    stack: Vec<*const Function>,
    /// Nothing is reported while another file's top level is evaluated.
    quiet: bool,
    budget: Budget,
    spent: usize,
    /// Spent on functions that are done.
    spent_before: usize,
    depth: usize,
    notes: Option<NoteBook>,
    objects: HashMap<*const super::ir::Class, Value<'a>>,
    /// Classes and static fields of Java.
    java: java::Kept<'a>,
    /// Handlers that were registered and wait for their turn.
    pending: Vec<entry::Pending<'a>>,
    /// The object after the method that was called last.
    changed: Option<Value<'a>>,
    /// The function that was called last never returns.
    left_by_call: bool,
}

/// One function call, or a file's top level.
struct Frame<'a> {
    file: usize,
    vars: Env<'a>,
    captured: Option<Rc<Env<'a>>>,
    /// Functions around this place, outermost first, the current one last.
    chain: Rc<Vec<&'a Function>>,
    class: Option<&'a super::ir::Class>,
    /// Whether this is a file's top level.
    is_module: bool,
    /// Joined return values.
    returned: Option<Value<'a>>,
    /// Route label, when it is a handler.
    route: Option<Rc<str>>,
    /// Whether what it returns goes to the client.
    answers: bool,
    /// Variables at `break` and `continue` of the loops around.
    breaks: Vec<Vec<Env<'a>>>,
    /// The call this function was entered by.
    site: Option<Rc<CallSite<'a>>>,
    /// Functions defined here, evaluated at the end when nothing called them.
    defined: Vec<value::FunctionRef<'a>>,
}

/// A call that is being followed.
struct CallSite<'a> {
    file: usize,
    expr: &'a Expr,
    /// Which argument stands behind which parameter.
    args: Vec<(&'a str, &'a Expr)>,
    chain: Rc<Vec<&'a Function>>,
    /// The call that one was entered by.
    above: Option<Rc<CallSite<'a>>>,
    name: &'a str,
}

/// Evaluates one file. With `take_notes` also gives what was seen of every expression.
pub(super) fn evaluate(project: &Project, file: usize, take_notes: bool) -> (Vec<Hit<'_>>, Option<NoteBook>) {
    let Some(source) = project.files.get(file) else {
        return (Vec::new(), None);
    };
    let mut engine = Engine {
        project,
        entry: file,
        lexicon: lexicon::lexicon(project.rules, Tongue::of(source.language())),
        globals: HashMap::new(),
        members: HashMap::new(),
        hits: Vec::new(),
        called: HashSet::new(),
        stack: Vec::new(),
        quiet: false,
        budget: GENEROUS,
        spent: 0,
        spent_before: 0,
        depth: 0,
        notes: take_notes.then(NoteBook::default),
        objects: HashMap::new(),
        java: java::Kept::default(),
        pending: Vec::new(),
        changed: None,
        left_by_call: false,
    };
    engine.run();
    (engine.hits, engine.notes)
}

impl<'a> Engine<'a> {
    fn source(&self, file: usize) -> &'a SourceFile {
        &self.project.files[file]
    }

    /// Writes down what was seen of an expression.
    fn note(&mut self, file: usize, at: At, value: &Value<'a>) {
        let Some(book) = &mut self.notes else { return };
        let now = Note {
            tainted: value.is_tainted(),
            text: value.known_text().map(str::to_owned),
            path: value.path.as_deref().map(str::to_owned),
            constant: value.constant,
        };
        book.notes
            .entry((file, at))
            .and_modify(|seen| {
                seen.tainted |= now.tainted;
                seen.constant &= now.constant;
                if seen.text != now.text {
                    seen.text = None;
                }
                if seen.path != now.path {
                    seen.path = None;
                }
            })
            .or_insert(now);
    }
}
