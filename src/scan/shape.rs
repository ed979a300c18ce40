//! Plain patterns: code that is wrong wherever it stands, written as code.
//!
//! A pattern is one expression or one assignment of the rule's language. `$NAME` stands for any expression, the
//! same one where it stands twice; `...` among arguments or items for any number of them, `"..."` for any text.
//! Names are compared after imports are resolved, so `requests.get($URL)` also finds `from requests import get`.
//! Keyword arguments and entries of an object are found in any order; more entries than the pattern names are
//! no hindrance, more arguments are, unless `...` allows them.

use super::ir::{Block, Expr, ExprKind, Function, ListKind, Stmt, StmtKind};
use super::lower;
use super::project::SourceFile;
use super::rules::{Rule, RuleSet, Tongue};
use regex::Regex;
use std::sync::{Mutex, PoisonError};

/// What `$NAME` becomes for the grammar.
const META: &str = "agent_meta_";
/// What `...` becomes for the grammar.
const REST: &str = "agent_rest_";

/// What a pattern's names stand for.
pub(super) type Bound<'a> = Vec<(String, &'a Expr)>;

/// A pattern, read.
#[derive(Debug, Clone)]
struct Shape {
    target: Option<Expr>,
    value: Expr,
    /// A word that a file holds where this fits.
    word: String,
}

/// The patterns of a rule, read.
#[derive(Debug)]
pub(super) struct Shapes {
    pub(super) rule: &'static Rule,
    inner: Inner,
}

#[derive(Debug)]
struct Inner {
    patterns: Vec<Shape>,
    unless: Vec<Shape>,
    given: Vec<(String, Option<Regex>, Option<bool>)>,
}

/// A place where a rule's patterns fit.
pub(super) struct Fit<'a> {
    pub(super) expr: &'a Expr,
    pub(super) argument: &'a Expr,
    pub(super) functions: Vec<&'a Function>,
}

/// The patterns of a language's rules, read at the first call.
pub(super) fn of(set: &'static RuleSet, tongue: Tongue) -> &'static [Shapes] {
    type Known = (usize, Tongue, &'static [Shapes]);
    static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
    let key = std::ptr::from_ref(set) as usize;
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, shapes)) = known.iter().find(|(set, of, _)| *set == key && *of == tongue) {
        return shapes;
    }
    let rules = set.rules.iter().filter(|rule| !rule.patterns.is_empty() && rule.languages.contains(&tongue));
    let shapes: Vec<Shapes> =
        rules.filter_map(|rule| Some(Shapes { rule, inner: read_all(rule, tongue).ok()? })).collect();
    let shapes: &'static [Shapes] = Box::leak(shapes.into_boxed_slice());
    known.push((key, tongue, shapes));
    shapes
}

/// Whether the patterns of a rule can be read: key, why, what next.
pub(super) fn check(rule: &Rule) -> Result<(), (&'static str, String, &'static str)> {
    for tongue in &rule.languages {
        let inner = read_all(rule, *tongue)?;
        for (name, _, _) in &inner.given {
            let used = rule.patterns.iter().any(|pattern| pattern.contains(&format!("${name}")));
            if !used {
                return Err(("where", format!("no pattern has `${name}`"), "write the name without `$`"));
            }
        }
    }
    Ok(())
}

fn read_all(rule: &Rule, tongue: Tongue) -> Result<Inner, (&'static str, String, &'static str)> {
    let read = |key: &'static str,
                texts: &[String]|
     -> Result<Vec<Shape>, (&'static str, String, &'static str)> {
        texts
            .iter()
            .map(|text| {
                read(text, tongue).ok_or((
                    key,
                    format!("`{}` is not one expression or assignment of the rule's language", text.trim()),
                    "write code as it stands in a file, with `$NAME` and `...` for what may vary",
                ))
            })
            .collect()
    };
    let mut given = Vec::new();
    for (name, given_for) in &rule.given {
        let regex = given_for.matches.as_deref().map(Regex::new).transpose().map_err(|error| {
            ("where", format!("`{name}`: {error}"), "write a regular expression of the `regex` crate")
        })?;
        given.push((name.clone(), regex, given_for.literal));
    }
    Ok(Inner { patterns: read("patterns", &rule.patterns)?, unless: read("unless", &rule.unless)?, given })
}

fn read(text: &str, tongue: Tongue) -> Option<Shape> {
    let text = for_the_grammar(text.trim());
    let language = lower::language_of(tongue.example_path())?;
    let whole = [text.clone(), format!("{text};")];
    let module = whole.iter().find_map(|text| {
        lower::lower(language, text).filter(|module| module.errors == 0 && module.body.stmts.len() == 1)
    })?;
    let (target, value) = match module.body.stmts.into_iter().next()?.kind {
        StmtKind::Expr(Expr { kind: ExprKind::Assign { target, value }, .. }) => (Some(*target), *value),
        StmtKind::Expr(expr) => (None, expr),
        StmtKind::Assign { mut targets, value, .. } if targets.len() == 1 => (targets.pop(), value),
        _ => return None,
    };
    let mut word = String::new();
    for expr in target.iter().chain([&value]) {
        expr.walk(&mut |inner| {
            let (ExprKind::Name(name) | ExprKind::Member { name, .. }) = &inner.kind else { return };
            if !name.starts_with(META) && !name.starts_with(REST) && name.len() > word.len() {
                word.clone_from(name);
            }
        });
    }
    Some(Shape { target, value, word })
}

/// `$NAME` and `...` outside of quotes as names a grammar takes.
fn for_the_grammar(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut quote: Option<char> = None;
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        match quote {
            Some(end) => quote = (letter != end).then_some(end),
            None if matches!(letter, '"' | '\'' | '`') => quote = Some(letter),
            None if letter == '$' && rest[1..].starts_with(|next: char| next.is_ascii_uppercase()) => {
                out.push_str(META);
                rest = &rest[1..];
                continue;
            }
            None => {
                if let Some(after) = rest.strip_prefix("...")
                    && matches!(after.trim_start().chars().next(), Some(',' | ')' | ']' | '}'))
                {
                    out.push_str(REST);
                    rest = after;
                    continue;
                }
            }
        }
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out
}

/// Every place of a file where the rule's patterns fit.
pub(super) fn find<'a>(file: &'a SourceFile, shapes: &Shapes) -> Vec<Fit<'a>> {
    let inner = &shapes.inner;
    if !inner.patterns.iter().any(|shape| file.text.contains(&shape.word)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut walk = Walk {
        chain: Vec::new(),
        visit: &mut |target, value, chain: &[&'a Function]| {
            if let Some(bound) = bind(inner, file, target, value) {
                let argument = bound.first().map_or(value, |(_, expr)| *expr);
                found.push(Fit { expr: value, argument, functions: chain.to_vec() });
            }
        },
    };
    walk.block(&file.module.body);
    found
}

/// What the names of a rule's pattern stand for at an expression it was found at.
pub(super) fn bound_at<'a>(file: &'a SourceFile, rule: &Rule, expr: &'a Expr) -> Option<Bound<'a>> {
    let tongue = Tongue::of(file.language());
    let inner = read_all(rule, tongue).ok()?;
    let mut found = None;
    let mut walk = Walk {
        chain: Vec::new(),
        visit: &mut |target, value: &'a Expr, _: &[&'a Function]| {
            if found.is_none() && std::ptr::eq(value, expr) {
                found = bind(&inner, file, target, value);
            }
        },
    };
    walk.block(&file.module.body);
    found
}

/// Names of the first pattern that fits, unless an exception does or a name is not what it must be.
fn bind<'a>(
    inner: &Inner,
    file: &SourceFile,
    target: Option<&'a Expr>,
    value: &'a Expr,
) -> Option<Bound<'a>> {
    let bound = inner.patterns.iter().find_map(|shape| shape.bind(file, target, value))?;
    if inner.unless.iter().any(|shape| shape.bind(file, target, value).is_some()) {
        return None;
    }
    let holds = inner.given.iter().all(|(name, regex, literal)| {
        bound.iter().find(|(known, _)| known == name).is_none_or(|(_, expr)| {
            regex.as_ref().is_none_or(|regex| regex.is_match(expr.at.of(&file.text)))
                && literal.is_none_or(|literal| literal == is_literal(expr))
        })
    });
    holds.then_some(bound)
}

fn is_literal(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Text(text) => !text.has_holes(),
        ExprKind::Number(_) | ExprKind::Bool(_) | ExprKind::Null | ExprKind::Regex(_) => true,
        ExprKind::Unary { operand, .. } => is_literal(operand),
        ExprKind::List { items, .. } => items.iter().all(is_literal),
        ExprKind::Map(entries) => entries.iter().all(|entry| is_literal(&entry.value)),
        _ => false,
    }
}

impl Shape {
    fn bind<'a>(&self, file: &SourceFile, target: Option<&'a Expr>, value: &'a Expr) -> Option<Bound<'a>> {
        let mut fitting = Fitting { file, bound: Vec::new() };
        let fits = match (&self.target, target) {
            (Some(want), Some(target)) => fitting.fits(want, target) && fitting.fits(&self.value, value),
            (None, _) => fitting.fits(&self.value, value),
            (Some(_), None) => false,
        };
        fits.then_some(fitting.bound)
    }
}

struct Fitting<'f, 'a> {
    file: &'f SourceFile,
    bound: Bound<'a>,
}

impl<'a> Fitting<'_, 'a> {
    fn fits(&mut self, want: &Expr, expr: &'a Expr) -> bool {
        if let Some(name) = want.as_name().and_then(|name| name.strip_prefix(META)) {
            let text = |expr: &Expr| expr.at.of(&self.file.text).split_whitespace().collect::<String>();
            if let Some((_, known)) = self.bound.iter().find(|(known, _)| known == name) {
                return text(known) == text(expr);
            }
            self.bound.push((name.to_owned(), expr));
            return true;
        }
        if let Some(path) = want.dotted().filter(|path| !path.contains(META)) {
            return self.resolved(expr).is_some_and(|found| found == path);
        }
        if let ExprKind::Await(inner) = &expr.kind
            && !matches!(want.kind, ExprKind::Await(_))
        {
            return self.fits(want, inner);
        }
        match (&want.kind, &expr.kind) {
            (ExprKind::Text(want), ExprKind::Text(text)) => match want.constant() {
                Some(any) if any == "..." => true,
                Some(want) => text.constant().is_some_and(|text| text == want),
                None => false,
            },
            (ExprKind::Number(want), ExprKind::Number(number)) => want == number,
            (ExprKind::Bool(want), ExprKind::Bool(flag)) => want == flag,
            (ExprKind::Regex(want), ExprKind::Regex(regex)) => want == regex,
            (ExprKind::Null, ExprKind::Null) => true,
            (ExprKind::Member { object: want, name: wanted, .. }, ExprKind::Member { object, name, .. }) => {
                (wanted == name || wanted.starts_with(META)) && self.fits(want, object)
            }
            (ExprKind::Index { object: want, index: at }, ExprKind::Index { object, index }) => {
                self.fits(want, object) && self.fits(at, index)
            }
            (ExprKind::Call(want), ExprKind::Call(call)) => {
                want.is_new == call.is_new
                    && self.fits(&want.callee, &call.callee)
                    && self.arguments(want, call)
            }
            (ExprKind::Binary { op: wanted, left: a, right: b }, ExprKind::Binary { op, left, right }) => {
                wanted == op && self.fits(a, left) && self.fits(b, right)
            }
            (ExprKind::Unary { op: wanted, operand: want }, ExprKind::Unary { op, operand }) => {
                wanted == op && self.fits(want, operand)
            }
            (ExprKind::List { items: want, kind: wanted }, ExprKind::List { items, kind }) => {
                (wanted == kind || *wanted == ListKind::List) && self.items(want, items)
            }
            (ExprKind::Map(want), ExprKind::Map(entries)) => {
                want.iter().filter(|entry| !is_rest(&entry.value)).all(|wanted| {
                    let Some(key) = wanted.key.as_ref().and_then(Expr::as_text) else { return false };
                    let entry = entries
                        .iter()
                        .find(|entry| entry.key.as_ref().and_then(Expr::as_text).as_deref() == Some(&*key));
                    entry.is_some_and(|entry| self.fits(&wanted.value, &entry.value))
                })
            }
            (ExprKind::Spread(want), ExprKind::Spread(inner))
            | (ExprKind::Await(want), ExprKind::Await(inner)) => self.fits(want, inner),
            (
                ExprKind::Conditional { test: a, then: b, other: c },
                ExprKind::Conditional { test, then, other },
            ) => self.fits(a, test) && self.fits(b, then) && self.fits(c, other),
            _ => false,
        }
    }

    /// What a chain of names stands for, imports resolved.
    fn resolved(&self, expr: &Expr) -> Option<String> {
        let path = expr.dotted()?;
        let (root, rest) =
            path.split_once('.').map_or((path.as_str(), None), |(root, rest)| (root, Some(rest)));
        let Some(import) = self.file.import_of(root) else { return Some(path) };
        Some(match rest {
            Some(rest) => format!("{}.{rest}", import.dotted()),
            None => import.dotted(),
        })
    }

    fn arguments(&mut self, want: &super::ir::Call, call: &'a super::ir::Call) -> bool {
        let has_rest = want.args.iter().any(|arg| is_rest(&arg.value));
        let named = want.args.iter().filter(|arg| arg.name.is_some());
        for wanted in named.clone() {
            let Some(arg) = wanted.name.as_deref().and_then(|name| call.keyword(name)) else { return false };
            if !self.fits(&wanted.value, &arg.value) {
                return false;
            }
        }
        let keywords = call.args.iter().filter(|arg| arg.name.is_some() || arg.is_keyword_spread).count();
        if !has_rest && keywords != named.count() {
            return false;
        }
        let wanted: Vec<&Expr> =
            want.args.iter().filter(|arg| arg.name.is_none()).map(|arg| &arg.value).collect();
        let given = call.args.iter().filter(|arg| arg.name.is_none() && !arg.is_keyword_spread);
        self.row(&wanted, &given.map(|arg| &arg.value).collect::<Vec<_>>())
    }

    fn items(&mut self, want: &[Expr], items: &'a [Expr]) -> bool {
        self.row(&want.iter().collect::<Vec<_>>(), &items.iter().collect::<Vec<_>>())
    }

    /// One after the other; `...` takes as many as it needs.
    fn row(&mut self, want: &[&Expr], given: &[&'a Expr]) -> bool {
        let Some((first, more)) = want.split_first() else { return given.is_empty() };
        if is_rest(first) {
            let known = self.bound.len();
            return (0..=given.len()).any(|taken| {
                self.bound.truncate(known);
                self.row(more, &given[taken..])
            });
        }
        given.split_first().is_some_and(|(one, rest)| self.fits(first, one) && self.row(more, rest))
    }
}

fn is_rest(expr: &Expr) -> bool {
    expr.as_name().is_some_and(|name| name.starts_with(REST))
}

/// Told of an assignment's target (if it is one), the value, and the enclosing functions.
type Visit<'v, 'a> = &'v mut dyn FnMut(Option<&'a Expr>, &'a Expr, &[&'a Function]);

/// Every expression of a file, functions and classes entered.
struct Walk<'v, 'a> {
    chain: Vec<&'a Function>,
    visit: Visit<'v, 'a>,
}

impl<'a> Walk<'_, 'a> {
    fn block(&mut self, block: &'a Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Assign { targets, value, .. } => {
                for target in targets {
                    (self.visit)(Some(target), value, &self.chain);
                }
                self.inside(value);
                for target in targets {
                    self.expr(target);
                }
            }
            StmtKind::Function(function) => self.function(function),
            StmtKind::Class(class) => self.class(class),
            _ => stmt.exprs().into_iter().for_each(|expr| self.expr(expr)),
        }
        stmt.blocks().into_iter().for_each(|block| self.block(block));
    }

    fn class(&mut self, class: &'a super::ir::Class) {
        class.decorators.iter().chain(&class.bases).for_each(|expr| self.expr(expr));
        self.block(&class.body);
    }

    fn function(&mut self, function: &'a Function) {
        function.decorators.iter().for_each(|expr| self.expr(expr));
        function.params.iter().filter_map(|param| param.default.as_ref()).for_each(|expr| self.expr(expr));
        self.chain.push(function);
        self.block(&function.body);
        self.chain.pop();
    }

    fn expr(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Assign { target, value } => (self.visit)(Some(target), value, &self.chain),
            _ => (self.visit)(None, expr, &self.chain),
        }
        self.inside(expr);
    }

    fn inside(&mut self, expr: &'a Expr) {
        match &expr.kind {
            ExprKind::Lambda(function) => self.function(function),
            ExprKind::Class(class) => self.class(class),
            ExprKind::Assign { target, value } => {
                self.expr(target);
                self.inside(value);
            }
            _ => expr.children().into_iter().for_each(|child| self.expr(child)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(pattern: &str, path: &str, code: &str) -> usize {
        let file = SourceFile::parse(path, code.to_owned()).unwrap();
        let shape = read(pattern, Tongue::of(file.language())).unwrap_or_else(|| panic!("{pattern}"));
        let inner = Inner { patterns: vec![shape], unless: Vec::new(), given: Vec::new() };
        let mut found = 0;
        let mut walk = Walk {
            chain: Vec::new(),
            visit: &mut |target, value, _: &[&Function]| {
                found += usize::from(bind(&inner, &file, target, value).is_some());
            },
        };
        walk.block(&file.module.body);
        found
    }

    #[test]
    fn patterns_fit_code_whatever_it_is_called_here() {
        let check = |pattern: &str, code: &str, expected: usize| {
            assert_eq!(count(pattern, "app.py", code), expected, "{pattern} in {code}");
        };
        check(
            "requests.get($URL, ..., verify=False)",
            "import requests as r\nr.get(u, verify=False, timeout=3)\n",
            1,
        );
        check("requests.get($URL, ..., verify=False)", "from requests import get\nget(u, verify=False)\n", 1);
        check("requests.get($URL, ..., verify=False)", "import requests\nrequests.get(u, verify=True)\n", 0);
        check("requests.get($URL)", "import requests\nrequests.get(u, verify=False)\n", 0);
        check("$X == $X", "if a.b == a.b: pass\nif a == b: pass\n", 1);
        check("DEBUG = True", "DEBUG = True\nDEBUG = False\n", 1);
        check("eval(...)", "def f(x):\n    return [eval(x, {}) for _ in lambda: eval(1)]\n", 2);
        check("os.chmod($P, 511)", "import os\nos.chmod(p, 511)\nos.chmod(p, 448)\n", 1);
        check("hashlib.new(\"md5\", ...)", "import hashlib\nhashlib.new('md5')\nhashlib.new('sha256')\n", 1);
        check("f(\"...\")", "f('x')\nf(x)\n", 1);
    }

    #[test]
    fn patterns_fit_javascript_too() {
        let check = |pattern: &str, code: &str, expected: usize| {
            assert_eq!(count(pattern, "app.js", code), expected, "{pattern} in {code}");
        };
        check(
            "https.request({ rejectUnauthorized: false }, ...)",
            "const https = require('https');\nhttps.request({ host: h, rejectUnauthorized: false }, (r) => r);\n",
            1,
        );
        check("new Function(...)", "const f = new Function('a', b);\n", 1);
        check("$E.innerHTML = $V", "el.innerHTML = x;\nel.textContent = x;\n", 1);
    }
}
