//! Functions of the project evaluated in place of a call: parameters bound, callbacks run, proofs given back.

use super::call::Given;
use super::env::Env;
use super::value::{Callable, FunctionRef, Known, Shape, Taint, Value};
use super::{CallSite, Engine, Frame};
use crate::scan::ir::{Class, Expr, Function, ParamKind};
use crate::scan::rules::Source;
use std::rc::Rc;

/// Methods that hand their elements to a function.
const WALKING: &[&str] =
    &["map", "forEach", "filter", "find", "some", "every", "then", "flatMap", "reduce", "sort"];

impl<'a> Engine<'a> {
    /// Whether calls are no longer followed.
    fn is_spent(&self) -> bool {
        self.spent > self.budget.function || self.spent + self.spent_before > self.budget.file
    }

    /// A frame for a function's body.
    pub(super) fn frame_for(&mut self, function: &FunctionRef<'a>) -> Frame<'a> {
        let mut chain: Vec<&'a Function> = (*function.chain).clone();
        chain.push(function.function);
        self.globals_of(function.file);
        Frame {
            captured: function.captured.clone(),
            chain: Rc::new(chain),
            ..Self::bare_frame(function.file, function.class)
        }
    }

    /// A frame that no function stands in.
    pub(super) fn bare_frame(file: usize, class: Option<&'a Class>) -> Frame<'a> {
        Frame {
            file,
            vars: Env::new(),
            captured: None,
            chain: Rc::new(Vec::new()),
            class,
            is_module: false,
            returned: None,
            route: None,
            answers: false,
            breaks: Vec::new(),
            site: None,
            defined: Vec::new(),
        }
    }

    /// Evaluates a function with these arguments. `None` when it is not followed.
    pub(super) fn invoke(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        function: &FunctionRef<'a>,
        holder: Option<&Value<'a>>,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let key = std::ptr::from_ref(function.function);
        if !self.quiet {
            self.called.insert(key);
        }
        let runs = self.stack.iter().filter(|open| **open == key).count();
        if self.depth >= self.budget.calls || self.is_spent() || runs > 0 {
            return None;
        }
        if frame.is_module && frame.file == function.file {
            self.globals.insert(frame.file, Rc::new(frame.vars.clone()));
        }
        let mut inner = self.frame_for(function);
        inner.route.clone_from(&frame.route);
        inner.site = Some(Rc::new(Self::call_site(frame, expr, function, holder.is_some(), given)));
        let names = self.bind(frame, expr, &mut inner, function, holder, given);
        self.stack.push(key);
        self.depth += 1;
        Self::hoist(&mut inner, &function.function.body);
        let way = self.block(&mut inner, &function.function.body);
        self.finish_defined(&mut inner);
        self.depth -= 1;
        self.stack.pop();
        if holder.is_some() {
            let own = if self.is_javascript(function.file) {
                Some("this")
            } else {
                function.function.params.first().map(|param| param.name.as_str())
            };
            self.changed = own.and_then(|own| inner.vars.get(own).cloned());
        }
        if self.is_java(function.file) {
            Self::give_back_changes(frame, &inner, function.function, &names);
        }
        if inner.returned.is_none() {
            if way == super::stmt::Way::Left {
                self.left_by_call = true;
            } else {
                give_back_proofs(frame, &inner, &names);
            }
        }
        let mut value = inner.returned.unwrap_or_else(|| Value::known(Known::Null));
        value.step(frame.file, expr.at, &format!("returned by `{}`", shown(function.function)));
        Some(value)
    }

    pub(super) fn call_site(
        frame: &Frame<'a>,
        expr: &'a Expr,
        function: &FunctionRef<'a>,
        has_holder: bool,
        given: &[Given<'a>],
    ) -> CallSite<'a> {
        let params = &function.function.params;
        let skip = usize::from(has_holder && has_self(function.function));
        let positional = given.iter().filter(|arg| arg.name.is_none());
        let by_place =
            params.iter().skip(skip).zip(positional).map(|(param, arg)| (param.name.as_str(), arg.expr));
        let by_name = given.iter().filter_map(|arg| arg.name.map(|name| (name, arg.expr)));
        CallSite {
            file: frame.file,
            expr,
            args: by_place.chain(by_name).collect(),
            chain: Rc::clone(&frame.chain),
            above: frame.site.clone(),
            name: &function.function.name,
        }
    }

    /// Binds arguments to parameters. Gives which variable of the caller stands behind which parameter.
    pub(super) fn bind(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        inner: &mut Frame<'a>,
        function: &FunctionRef<'a>,
        holder: Option<&Value<'a>>,
        given: &[Given<'a>],
    ) -> Vec<(Rc<str>, Rc<str>)> {
        let mut names = Vec::new();
        let params = &function.function.params;
        let mut skip = 0;
        if let Some(holder) = holder {
            if self.is_javascript(function.file) {
                inner.vars.insert("this".into(), holder.clone());
            } else if let Some(first) = params.first() {
                inner.vars.insert(first.name.as_str().into(), holder.clone());
                skip = 1;
            }
        }
        let positional: Vec<&Given<'a>> =
            given.iter().filter(|arg| arg.name.is_none() && !arg.is_keyword_spread).collect();
        let loose = given
            .iter()
            .filter(|arg| arg.is_spread)
            .map(|arg| arg.value.shape.as_ref().map_or_else(|| arg.value.clone(), |shape| shape.any()));
        let loose = loose.reduce(Value::join);
        let spread_at = positional.iter().position(|arg| arg.is_spread).unwrap_or(positional.len());
        let note = format!("passed to `{}`", shown(function.function));
        let taken: Vec<&str> = params.iter().map(|param| param.name.as_str()).collect();
        for (at, param) in params.iter().skip(skip).enumerate() {
            let by_name =
                given.iter().find(|arg| arg.name == Some(param.name.as_str()) && !param.name.is_empty());
            let mut value = match param.kind {
                ParamKind::Plain => {
                    match positional.get(at).filter(|_| at < spread_at).copied().or(by_name) {
                        Some(arg) => {
                            if let Some(variable) = arg.expr.as_name() {
                                names.push((param.name.as_str().into(), variable.into()));
                            }
                            arg.value.clone()
                        }
                        None => match (&loose, &param.default) {
                            (Some(loose), _) => loose.clone(),
                            (None, Some(default)) => self.expr(inner, default),
                            (None, None) => Value::default(),
                        },
                    }
                }
                ParamKind::Rest => {
                    let items = positional.iter().skip(at).map(|arg| arg.value.clone()).collect();
                    Value::shaped(Shape::List { items, rest: None })
                }
                ParamKind::KeywordRest => {
                    let mut shape = Shape::Map { entries: Vec::new(), rest: loose.clone().map(Box::new) };
                    for arg in given {
                        if let Some(name) = arg.name.filter(|name| !taken.contains(name)) {
                            shape.put(name, arg.value.clone());
                        }
                    }
                    Value::shaped(shape)
                }
            };
            value.step(frame.file, expr.at, &note);
            match &param.pattern {
                Some(pattern) => self.assign(inner, pattern, value),
                None => {
                    inner.vars.insert(param.name.as_str().into(), value);
                }
            }
        }
        names
    }

    /// Functions given to an unknown function: they run with what it may hand them. Gives what the last returned.
    pub(super) fn run_callbacks(
        &mut self,
        frame: &mut Frame<'a>,
        path: &str,
        holder: Option<&Value<'a>>,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let mut made = None;
        let method = path.rsplit('.').next().unwrap_or(path);
        let others: Vec<&Value<'a>> = given.iter().map(|arg| &arg.value).collect();
        for arg in given {
            let Some(Callable::Function(function)) = &arg.value.callable else { continue };
            if self.pending.iter().any(|(known, ..)| std::ptr::eq(known.function, function.function)) {
                continue;
            }
            let mut handed = Vec::new();
            for (at, param) in function.function.params.iter().enumerate() {
                let named = matches!(param.name.as_str(), "err" | "error" | "e" | "ex" | "exception");
                let value = if (named || method == "catch") && at == 0 && !WALKING.contains(&method) {
                    let note = format!("error `{}` is received", param.name);
                    Value::tainted(Taint::new(Source::Exception, function.file, param.at, note))
                } else if WALKING.contains(&method) && at == 0 {
                    let item = holder.map(|holder| match method {
                        "then" => holder.clone(),
                        _ => Self::element(holder),
                    });
                    item.unwrap_or_else(|| {
                        others
                            .iter()
                            .find(|other| other.callable.is_none())
                            .map_or_else(Value::default, |list| Self::element(list))
                    })
                } else {
                    Value::of_path(&param.name)
                };
                handed.push(Given {
                    name: None,
                    value,
                    expr: arg.expr,
                    is_spread: false,
                    is_keyword_spread: false,
                });
            }
            // A callback runs in the middle of its surroundings: what it sees are the variables of now.
            let mut function = function.clone();
            if !frame.is_module && Rc::ptr_eq(&function.chain, &frame.chain) {
                let mut vars = frame.captured.as_ref().map_or_else(Env::new, |captured| (**captured).clone());
                vars.extend(&frame.vars);
                function.captured = Some(Rc::new(vars));
            }
            let left = self.left_by_call;
            made = self.invoke(frame, arg.expr, &function, None, &handed);
            self.left_by_call = left;
        }
        made
    }
}

/// What a check inside a function proved about its parameters holds for the caller's variables.
pub(super) fn give_back_proofs<'a>(frame: &mut Frame<'a>, inner: &Frame<'a>, names: &[(Rc<str>, Rc<str>)]) {
    for (param, variable) in names {
        let (Some(after), Some(before)) = (inner.vars.get(param), frame.vars.get(variable)) else { continue };
        if !before.is_tainted() {
            continue;
        }
        let same = after.taints.iter().all(|one| before.taints.iter().any(|two| one.origin == two.origin));
        if !same || after.built != before.built {
            continue;
        }
        let mut next = before.clone();
        next.taints.retain_mut(|taint| {
            match after.taints.iter().find(|other| other.origin == taint.origin) {
                Some(other) => {
                    taint.cleared = taint.cleared.or(other.cleared);
                    true
                }
                // Cleared of everything.
                None => false,
            }
        });
        frame.vars.insert(Rc::clone(variable), next);
    }
}

/// Whether the first parameter is the object.
pub(super) fn has_self(function: &Function) -> bool {
    function.is_method
        && !function.decorators.iter().any(|decorator| decorator.as_name() == Some("staticmethod"))
        && function.params.first().is_some_and(|param| matches!(param.name.as_str(), "self" | "cls" | "this"))
}

/// A function's name for people.
pub(super) fn shown(function: &Function) -> &str {
    if function.name.is_empty() { "the function" } else { &function.name }
}
