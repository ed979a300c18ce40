//! Checks: what a condition proves about the variables in it.

use super::value::{Callable, Kinds, Known, Shape, Value};
use super::{Engine, Frame};
use crate::scan::ir::{Call, Catch, Expr, ExprKind, StmtKind};
use crate::scan::rules::{Kind, Source};

/// What a check proves.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof {
    Safe(Kinds),
    /// The host of a URL was compared.
    Host,
    /// Begins with one slash at least.
    Rooted,
    /// Does not begin with two slashes.
    NotDouble,
    NoDots,
    NoRoot,
    Inside,
}

/// Text methods that hold only for harmless texts.
const HARMLESS: &[&str] = &["isdigit", "isnumeric", "isdecimal", "isalnum", "isalpha", "isidentifier"];

/// Calls after which nothing runs.
const LEAVING: &[&str] = &[
    "abort",
    "flask.abort",
    "sys.exit",
    "exit",
    "quit",
    "os._exit",
    "process.exit",
    "ctx.throw",
    "context.throw",
    "werkzeug.exceptions.abort",
    "bottle.abort",
];

impl<'a> Engine<'a> {
    /// Whether nothing runs after this call.
    pub(super) fn leaves(&mut self, frame: &Frame<'a>, expr: &'a Expr) -> bool {
        let Some(call) = expr.as_call() else { return false };
        let Some(written) = call.callee.dotted() else { return false };
        if LEAVING.contains(&written.as_str()) {
            return true;
        }
        call.callee
            .as_name()
            .and_then(|name| self.source(frame.file).import_of(name))
            .is_some_and(|import| LEAVING.contains(&import.dotted().as_str()))
    }

    /// Narrows variables by a condition that held (or did not).
    pub(super) fn narrow(&mut self, frame: &mut Frame<'a>, test: &'a Expr, held: bool) {
        if self.is_java(frame.file) {
            self.java_narrow(frame, test, held);
            return;
        }
        if super::javascript::asks_environment(test) || (held && asks_debug(test)) {
            // Either branch is written with the kind of environment in mind.
            frame.vars.change(
                |value| value.taints.iter().any(|taint| taint.source == Source::Exception),
                |value| value.clear(Kinds::of(&[Kind::Disclosure])),
            );
        }
        match &test.kind {
            ExprKind::Unary { op, operand } if op == "not" || op == "!" => self.narrow(frame, operand, !held),
            ExprKind::Binary { op, left, right } if (op == "and" || op == "&&") == held && is_logic(op) => {
                self.narrow(frame, left, held);
                self.narrow(frame, right, held);
            }
            ExprKind::Binary { op, left, right } => self.narrow_comparison(frame, op, left, right, held),
            ExprKind::Call(call) => self.narrow_call(frame, call, held),
            // `not parsed.netloc`
            ExprKind::Member { .. } if !held && is_host(test) => self.prove(frame, test, Proof::Host),
            // `err.isJoi`, `err.expose`
            ExprKind::Member { object, name, .. }
                if held && matches!(name.as_str(), "isJoi" | "expose" | "isOperational" | "isPublic") =>
            {
                self.prove(frame, object, Proof::Safe(Kinds::of(&[Kind::Disclosure])));
            }
            ExprKind::Assign { value, .. } | ExprKind::Await(value) => self.narrow(frame, value, held),
            ExprKind::Other(children) if held => {
                // `1 <= x <= 9` and the like: nothing that we need.
                let _ = children;
            }
            _ => {}
        }
    }

    fn narrow_comparison(
        &mut self,
        frame: &mut Frame<'a>,
        op: &str,
        left: &'a Expr,
        right: &'a Expr,
        held: bool,
    ) {
        if op == "instanceof" && held {
            // A class of errors that was asked for has texts that are meant to be read.
            self.prove(frame, left, Proof::Safe(Kinds::of(&[Kind::Disclosure])));
            return;
        }
        let positive = match op {
            "==" | "===" | "in" | "is" => held,
            "!=" | "!==" | "not in" | "is not" => !held,
            _ => return,
        };
        if op == "in" || op == "not in" {
            if let Some(text) = self.quiet_value(frame, left).known_text() {
                // `'..' in name`
                if !positive {
                    match text {
                        ".." | "../" => self.prove(frame, right, Proof::NoDots),
                        "/" => self.prove(frame, right, Proof::Safe(Kinds::of(&[Kind::Path]))),
                        "'" | "\"" => self.prove(frame, right, Proof::Safe(Kinds::of(&[Kind::Xpath]))),
                        "\n" | "\r" => {
                            self.prove(frame, right, Proof::Safe(Kinds::of(&[Kind::Log, Kind::Header])));
                        }
                        _ => {}
                    }
                }
                return;
            }
            if positive && is_host(left) && !self.quiet_value(frame, right).is_tainted() {
                self.prove(frame, left, Proof::Host);
            }
            if positive && self.is_allow_list(frame, right) {
                self.prove(frame, left, Proof::Safe(Kinds::of(&[Kind::All])));
            }
            // `base in path.parents`
            if positive
                && let ExprKind::Member { object, name, .. } = &right.kind
                && name == "parents"
            {
                self.prove(frame, object, Proof::Inside);
            }
            return;
        }
        if !positive {
            return;
        }
        for (one, other) in [(left, right), (right, left)] {
            // `typeof x === 'string'`
            if let ExprKind::Unary { op, operand } = &one.kind
                && op == "typeof"
            {
                let kinds = match other.as_text().as_deref() {
                    Some("string") => Kinds::of(&[Kind::Nosql, Kind::Fields]),
                    Some("number" | "boolean" | "bigint") => Kinds::of(&[Kind::All]),
                    _ => Kinds::default(),
                };
                self.prove(frame, operand, Proof::Safe(kinds));
                continue;
            }
            if is_host(one) && !self.quiet_value(frame, other).is_tainted_by(Source::Request) {
                self.prove(frame, one, Proof::Host);
            }
            // `os.path.commonpath([base, path]) == base`
            if let Some(call) = one.as_call()
                && call
                    .callee
                    .dotted()
                    .is_some_and(|name| name.ends_with("commonpath") || name.ends_with("commonprefix"))
                && let Some(arg) = call.position(0)
            {
                self.prove(frame, &arg.value, Proof::Inside);
                continue;
            }
            if op == "is" && matches!(other.kind, ExprKind::Null) {
                continue;
            }
            // `os.path.basename(name) == name`
            if let Some(call) = one.as_call()
                && call
                    .callee
                    .dotted()
                    .is_some_and(|name| name.ends_with("basename") || name.ends_with("secure_filename"))
                && call
                    .position(0)
                    .is_some_and(|arg| arg.value.dotted().is_some() && arg.value.dotted() == other.dotted())
            {
                self.prove(frame, other, Proof::Safe(Kinds::of(&[Kind::Path])));
                continue;
            }
            let value = self.quiet_value(frame, other);
            if value.constant
                && let ExprKind::Member { object, name, .. } = &one.kind
                && matches!(name.as_str(), "name" | "type" | "kind")
            {
                // `err.name === 'ValidationError'`
                self.prove(frame, object, Proof::Safe(Kinds::of(&[Kind::Disclosure])));
            }
            if value.constant && !matches!(value.known, Some(Known::Null)) {
                self.prove(frame, one, Proof::Safe(Kinds::of(&[Kind::All])));
            }
        }
    }

    fn narrow_call(&mut self, frame: &mut Frame<'a>, call: &'a Call, held: bool) {
        if held && self.narrow_by_guard(frame, call) {
            return;
        }
        let ExprKind::Member { object, name, .. } = &call.callee.kind else {
            self.narrow_function(frame, call, held);
            return;
        };
        let first = call.position(0).map(|arg| &arg.value);
        match (name.as_str(), first) {
            (method, None) if HARMLESS.contains(&method) && held => {
                self.prove(frame, object, Proof::Safe(Kinds::of(&[Kind::All])));
            }
            ("startswith" | "startsWith", Some(beginning)) => {
                let value = self.quiet_value(frame, beginning);
                match (value.known_text(), held) {
                    // `path.relative(base, full).startsWith('..')`
                    (Some(".." | "../"), false) if self.is_relative(frame, object) => {
                        self.prove(frame, object, Proof::NoDots);
                    }
                    (Some("/" | "\\"), false) => self.prove(frame, object, Proof::NoRoot),
                    (Some("//"), false) => self.prove(frame, object, Proof::NotDouble),
                    (Some("/"), true) => {
                        self.prove(frame, object, Proof::Inside);
                        self.prove(frame, object, Proof::Rooted);
                    }
                    (Some(text), true) if names_host(text) => {
                        self.prove(frame, object, Proof::Safe(Kinds::of(&[Kind::Url, Kind::Redirect])));
                    }
                    (_, true) => self.prove(frame, object, Proof::Inside),
                    _ => {}
                }
            }
            ("is_relative_to", Some(_)) if held => self.prove(frame, object, Proof::Inside),
            ("isabs" | "isAbsolute", Some(path)) if !held => self.prove(frame, path, Proof::NoRoot),
            ("is_absolute", None) if !held => self.prove(frame, object, Proof::NoRoot),
            ("includes" | "has" | "indexOf", Some(item))
                if held && is_host(item) && !self.quiet_value(frame, object).is_tainted() =>
            {
                self.prove(frame, item, Proof::Host);
            }
            ("includes" | "has" | "hasOwnProperty", Some(item)) => {
                let text = self.quiet_value(frame, item);
                match (text.known_text(), held) {
                    (Some(".." | "../"), false) => self.prove(frame, object, Proof::NoDots),
                    (Some("/"), false) => self.prove(frame, object, Proof::Safe(Kinds::of(&[Kind::Path]))),
                    (None, true) if self.is_allow_list(frame, object) => {
                        self.prove(frame, item, Proof::Safe(Kinds::of(&[Kind::All])));
                    }
                    _ => {}
                }
            }
            ("hasOwn", Some(table)) if held && self.is_allow_list(frame, table) => {
                if let Some(item) = call.position(1) {
                    self.prove(frame, &item.value, Proof::Safe(Kinds::of(&[Kind::All])));
                }
            }
            ("isInteger" | "isSafeInteger" | "isFinite", Some(item)) if held => {
                self.prove(frame, item, Proof::Safe(Kinds::of(&[Kind::All])));
            }
            ("test", Some(item)) if held => {
                if let ExprKind::Regex(pattern) = &self.literal_of(frame, object).kind {
                    let kinds = super::letters::allowed_by_regex(pattern, false);
                    self.prove(frame, item, Proof::Safe(kinds));
                }
            }
            ("fullmatch" | "match", Some(one)) if held => self.narrow_regex(frame, object, name, one, call),
            _ => self.narrow_function(frame, call, held),
        }
    }

    /// A check that the vocabulary names: its first argument is safe when it holds.
    fn narrow_by_guard(&mut self, frame: &mut Frame<'a>, call: &'a Call) -> bool {
        let last = match &call.callee.kind {
            ExprKind::Member { name, .. } | ExprKind::Name(name) => name.as_str(),
            _ => return false,
        };
        if !self.lexicon.guards.knows(last) && self.source(frame.file).import_of(last).is_none() {
            return false;
        }
        let value = self.quiet_value(frame, &call.callee);
        let path = value.path.map(|path| path.to_string()).or_else(|| call.callee.dotted());
        let Some(path) = path else { return false };
        let found = self.lexicon.guards.matches(&path);
        let (Some(guard), Some(first)) = (found.first(), call.args.first()) else { return false };
        self.prove(frame, &first.value, Proof::Safe(Kinds::of(&guard.kinds)));
        true
    }

    fn narrow_regex(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        name: &str,
        one: &'a Expr,
        call: &'a Call,
    ) {
        let whole = name == "fullmatch";
        let pattern = self.quiet_value(frame, one);
        if let (Some(pattern), Some(item)) = (pattern.known_text(), call.position(1)) {
            let kinds = super::letters::allowed_by_regex(pattern, whole);
            self.prove(frame, &item.value, Proof::Safe(kinds));
            return;
        }
        if let ExprKind::Regex(pattern) = &self.literal_of(frame, one).kind {
            let kinds = super::letters::allowed_by_regex(pattern, false);
            self.prove(frame, object, Proof::Safe(kinds));
            return;
        }
        // A compiled pattern: `SAFE = re.compile('…')` above.
        let compiled = self.literal_of(frame, object);
        if let Some(made) = compiled.as_call()
            && made.callee.dotted().is_some_and(|name| name.ends_with("compile"))
            && let Some(pattern) = made.position(0).and_then(|arg| arg.value.as_text())
        {
            let kinds = super::letters::allowed_by_regex(&pattern, whole);
            self.prove(frame, one, Proof::Safe(kinds));
        }
    }

    /// What a statement proves by not having raised: `target.relative_to(base)`, `int(x)`.
    pub(super) fn narrow_by_statement(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) {
        let Some(call) = expr.as_call() else { return };
        match &call.callee.kind {
            ExprKind::Member { object, name, .. } if name == "relative_to" => {
                self.prove(frame, object, Proof::Inside);
            }
            ExprKind::Name(name) if matches!(name.as_str(), "int" | "float") => {
                if let Some(arg) = call.position(0) {
                    self.prove(frame, &arg.value, Proof::Safe(Kinds::of(&[Kind::All])));
                }
            }
            _ => {}
        }
    }

    /// Whether membership in this proves anything: a collection of constants, or a name that says so.
    pub(super) fn is_allow_list(&mut self, frame: &mut Frame<'a>, expr: &'a Expr) -> bool {
        let value = self.quiet_value(frame, expr);
        if value.is_tainted() || value.known_text().is_some() {
            return false;
        }
        let listing = |path: &str| path.ends_with("readdirSync()") || path.ends_with("readdir()");
        if value.constant || value.path.as_deref().is_some_and(listing) {
            return true;
        }
        if let Some(Shape::Map { entries, rest: None }) = value.shape.as_deref() {
            return !entries.is_empty();
        }
        let written = expr.dotted().unwrap_or_default();
        let last = written.rsplit('.').next().unwrap_or("");
        let upper = last.len() > 1 && last.chars().all(|letter| letter.is_uppercase() || letter == '_');
        let low = last.to_lowercase();
        upper
            || ["allow", "valid", "permitted", "whitelist", "choices", "known"]
                .iter()
                .any(|word| low.contains(word))
    }

    /// The expression a name was bound to at the file's top level, or the expression itself.
    fn literal_of(&self, frame: &Frame<'a>, expr: &'a Expr) -> &'a Expr {
        let Some(name) = expr.as_name() else { return expr };
        let bodies = std::iter::once(&self.source(frame.file).module.body)
            .chain(frame.chain.iter().map(|function| &function.body));
        let mut found = expr;
        for body in bodies {
            for stmt in &body.stmts {
                if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                    && targets.iter().any(|target| target.as_name() == Some(name))
                {
                    found = value;
                }
            }
        }
        found
    }

    /// Whether what this clause catches tells a client nothing it should not know: errors the project itself
    /// words for its clients.
    pub(super) fn tells_little(&mut self, frame: &mut Frame<'a>, catch: &'a Catch) -> bool {
        !catch.types.is_empty()
            && catch.types.iter().all(|kind| {
                let value = self.quiet_value(frame, kind);
                if matches!(value.callable, Some(Callable::Class(_))) {
                    return true;
                }
                let name =
                    value.path.as_deref().map_or_else(|| kind.dotted().unwrap_or_default(), str::to_owned);
                is_worded_for_clients(name.rsplit('.').next().unwrap_or(""))
            })
    }
}

/// Names of exceptions whose text is written for whoever sent the request.
pub(super) fn is_worded_for_clients(name: &str) -> bool {
    name.ends_with("ValidationError")
        || name.ends_with("HTTPException")
        || (name.starts_with("HTTP") && name != "HTTPError")
        || matches!(
            name,
            "ValueError"
                | "KeyError"
                | "Http404"
                | "NotFound"
                | "BadRequest"
                | "Forbidden"
                | "Unauthorized"
                | "Conflict"
                | "PermissionDenied"
                | "ValidationException"
        )
}

/// `urlparse(url).netloc`, `parsed.hostname`, `new URL(url).host`.
fn is_host(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Member { name, .. } => {
            matches!(name.as_str(), "netloc" | "hostname" | "host" | "origin")
        }
        ExprKind::Call(call) => {
            matches!(&call.callee.kind, ExprKind::Member { object, .. } if is_host(object))
        }
        _ => false,
    }
}

/// `https://example.com/`: scheme and host are complete.
fn names_host(text: &str) -> bool {
    text.split_once("://").is_some_and(|(_, rest)| rest.find('/').is_some_and(|at| at > 0))
}

fn is_logic(op: &str) -> bool {
    matches!(op, "and" | "&&" | "or" | "||")
}

/// What joining does to the path facts: nothing is resolved any more.
pub(super) fn joined_path<'a>(value: &mut Value<'a>, parts: &[&Value<'a>]) {
    value.built = parts.iter().any(|part| part.built);
    value.route = super::value::Route::default();
}

/// Whether a condition is debug mode: `app.debug`, `settings.DEBUG`, `app.config["DEBUG"]`.
fn asks_debug(test: &Expr) -> bool {
    match &test.kind {
        ExprKind::Name(name) | ExprKind::Member { name, .. } => matches!(name.as_str(), "debug" | "DEBUG"),
        ExprKind::Index { index, .. } => index.as_text().as_deref() == Some("DEBUG"),
        _ => false,
    }
}
