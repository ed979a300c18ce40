//! Calls of Java: project methods with their overloads and implementations, then what the libraries do.

use super::{Engine, Frame, is_type, types};
use crate::scan::flow::call::Given;
use crate::scan::flow::value::{Callable, FunctionRef, Kinds, Shape, Taint, Value};
use crate::scan::ir::{Call, Expr, ExprKind};
use crate::scan::rules::Kind;
use std::rc::Rc;

/// Methods of functional interfaces.
const APPLYING: &[&str] = &["apply", "accept", "get", "test", "run", "call", "applyAsInt", "compare"];

/// Objects whose safety depends on what was set since they were made.
const FRESH: &[&str] =
    &["DocumentBuilderFactory", "SAXParserFactory", "XMLInputFactory", "TransformerFactory", "SchemaFactory"];

/// Objects that are as safe as what made them.
const CARRYING: &[&str] = &["DocumentBuilder", "SAXParser", "XMLReader", "ResponseWriter", "ResponseStream"];

/// Objects that outlive a call: what is put into them is not found in their text.
const SURROUNDINGS: &[&str] = &[
    "HttpServletResponse",
    "ServletResponse",
    "HttpServletRequest",
    "ServletRequest",
    "HttpSession",
    "Statement",
    "PreparedStatement",
    "CallableStatement",
    "Connection",
    "ResponseWriter",
    "ResponseStream",
    "Logger",
    "this",
    "Model",
    "ModelMap",
];

impl<'a> Engine<'a> {
    /// A call in a Java file.
    pub(in crate::scan::flow) fn java_call(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        call: &'a Call,
    ) -> Value<'a> {
        let ExprKind::Member { object, name, .. } = &call.callee.kind else {
            let given = self.arguments(frame, call);
            if call.is_new {
                return self.java_new(frame, expr, call, &given);
            }
            return self.bare_call(frame, expr, call, &given);
        };
        let holder = self.expr(frame, object);
        let given = self.arguments(frame, call);
        let values: Vec<&Value<'a>> = given.iter().map(|arg| &arg.value).collect();
        let is_super = object.as_name() == Some("super");
        let targets = self.targets(&holder, name, &values, is_super.then_some(&*frame));
        if let Some(value) = self.follow(frame, expr, object, &holder, &targets, &given) {
            return value;
        }
        if let Some(value) = self.apply_lambda(frame, expr, &holder, name, &given) {
            return value;
        }
        let path = match holder.path.as_deref() {
            Some(path) => crate::scan::flow::scope::extend(path, name),
            None => format!("?.{name}"),
        };
        self.library_call(frame, expr, (object, &holder, name), &path, &given)
    }

    /// What a method of the libraries does.
    fn library_call(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        (object, holder, name): (&'a Expr, &Value<'a>, &str),
        path: &str,
        given: &[Given<'a>],
    ) -> Value<'a> {
        self.note_callee(frame, expr, path);
        let listed = argument_list(path, given);
        self.java_sinks(frame, expr, path, Some((object, holder)), listed.as_deref().unwrap_or(given));
        if let Some(origin) = self.call_source(frame, path) {
            let note = format!("`{}()` comes from outside", crate::scan::flow::expr::short(path));
            let mut value =
                Value::tainted(Taint::new(origin.source, frame.file, expr.at, note).safe_for(&origin.safe));
            value.path =
                Some(types::given_by(path).map_or_else(|| format!("{path}()"), str::to_owned).into());
            return value;
        }
        if let Some(value) = self.builder_method(frame, object, holder, name, given) {
            return value;
        }
        if let Some(value) = self.property_method(frame, object, holder, name, path, given) {
            return value;
        }
        if let Some(value) = self.text_method(holder, name, path, given) {
            return value;
        }
        if let Some(value) = self.stream_method(frame, holder, name, path, given) {
            return value;
        }
        if let Some(value) = self.collection_method(frame, object, holder, name, path, given) {
            return value;
        }
        self.fill_argument(frame, holder, name, given);
        if let Some(value) = self.sanitized(path, &Value::default(), Some(holder), given) {
            self.run_callbacks(frame, path, None, given);
            let kind = types::given_by(path).map_or_else(|| format!("{path}()"), str::to_owned);
            return Value { path: Some(kind.into()), ..value };
        }
        if let Some(value) = self.set_bean(frame, object, holder, name, given) {
            return value;
        }
        let made = self.run_callbacks(frame, path, Some(holder), given);
        let mut value = Self::unknown(path, &Value::default(), Some(holder), given);
        if let Some(made) = made {
            value.taint_from(&made);
        }
        if value.is_tainted()
            && let Some(restorer) = self.lexicon.restorers.matches(path).first()
        {
            value.restore(Kinds::of(&restorer.kinds));
        }
        if matches!(name, "getCanonicalPath" | "getCanonicalFile" | "normalize" | "toRealPath") {
            value.route.normal = true;
        } else if matches!(name, "resolve" | "resolveSibling" | "relativize") {
            value.route = crate::scan::flow::value::Route::default();
            value.built = true;
        }
        if path == "Pattern.compile"
            && let Some(first) = given.first()
        {
            let entries = vec![("pattern".into(), first.value.clone())];
            value.shape = Some(Rc::new(Shape::Map { entries, rest: None }));
            value.constant = first.value.constant;
        }
        if let Some(kind) = types::given_by(path) {
            value.path = Some(kind.into());
            if FRESH.contains(&kind) && name.starts_with("new") {
                value.shape = Some(Rc::new(super::make::fresh()));
            }
            if CARRYING.contains(&kind) {
                value.shape.clone_from(&holder.shape);
            }
        } else if is_type(holder.path.as_deref().unwrap_or("")) && returns_itself(holder, name) {
            value.path.clone_from(&holder.path);
            value.shape.clone_from(&holder.shape);
        }
        value
    }

    /// Sinks that a path reaches; conditions may speak of the object as `this`.
    pub(super) fn java_sinks(
        &mut self,
        frame: &Frame<'a>,
        expr: &'a Expr,
        path: &str,
        receiver: Option<(&'a Expr, &Value<'a>)>,
        given: &[Given<'a>],
    ) {
        if self.quiet {
            return;
        }
        let reached = self.lexicon.sinks.matches(path);
        let (of_this, plain): (Vec<_>, Vec<_>) = reached.into_iter().partition(|(_, sink)| {
            sink.when.iter().any(|condition| condition.keyword.as_deref() == Some("this"))
        });
        self.check_sinks(frame, expr, path, &plain, receiver, given);
        if let (false, Some((object, holder))) = (of_this.is_empty(), receiver) {
            let mut known = holder.clone();
            // Of an object nothing was set on, nothing is set.
            known.shape.get_or_insert_with(|| Rc::new(Shape::Map { entries: Vec::new(), rest: None }));
            let writes = path.contains("Writer.") || path.contains("ResponseStream.");
            let this = Given {
                name: Some("this"),
                value: known,
                expr: object,
                is_spread: false,
                is_keyword_spread: false,
            };
            let copies = given.iter().map(|arg| Given {
                name: arg.name,
                // Arrays are written letter by letter, place by place.
                value: if writes { super::make::flat(arg.value.clone()) } else { arg.value.clone() },
                expr: arg.expr,
                is_spread: false,
                is_keyword_spread: false,
            });
            let all: Vec<Given<'a>> = copies.chain([this]).collect();
            self.check_sinks(frame, expr, path, &of_this, receiver, &all);
        }
    }

    fn note_callee(&mut self, frame: &Frame<'a>, expr: &'a Expr, path: &str) {
        if self.notes.is_some()
            && let Some(call) = expr.as_call()
        {
            self.note(frame.file, call.callee.at, &Value::of_path(path));
        }
    }

    /// `super(…)`, `this(…)`, a method that was imported statically.
    fn bare_call(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        call: &'a Call,
        given: &[Given<'a>],
    ) -> Value<'a> {
        let name = call.callee.as_name().unwrap_or("?");
        let values: Vec<&Value<'a>> = given.iter().map(|arg| &arg.value).collect();
        if let ("super" | "this", Some(class)) = (name, frame.class) {
            let own = self.reference(frame.file, class);
            let class = if name == "this" { Some(own) } else { self.bases(&own).into_iter().next() };
            let this = frame.vars.get("this").cloned().unwrap_or_default();
            if let Some(class) = class
                && let Some(function) = self.java_method(&class, "constructor", &values)
            {
                self.changed = None;
                self.invoke(frame, expr, &function, Some(&this), given);
                if let Some(changed) = self.changed.take() {
                    frame.vars.insert("this".into(), changed);
                }
            }
            return Value::default();
        }
        let import = self.source(frame.file).import_of(name);
        let class = import.and_then(|import| import.module.rsplit('.').next()).unwrap_or("?");
        let holder = self.java_name(frame, class);
        let targets = self.targets(&holder, name, &values, None);
        if let Some(value) = self.follow(frame, expr, &call.callee, &holder, &targets, given) {
            return value;
        }
        self.library_call(frame, expr, (&call.callee, &holder, name), &format!("{class}.{name}"), given)
    }

    /// The methods of the project that a call may reach, each with its object.
    fn targets(
        &mut self,
        holder: &Value<'a>,
        name: &str,
        given: &[&Value<'a>],
        of_super: Option<&Frame<'a>>,
    ) -> Vec<(FunctionRef<'a>, Option<Value<'a>>)> {
        if let Some(frame) = of_super {
            let Some(class) = frame.class.map(|class| self.reference(frame.file, class)) else {
                return Vec::new();
            };
            let this = frame.vars.get("this").cloned().unwrap_or_default();
            let found = self.bases(&class).into_iter().find_map(|base| self.java_method(&base, name, given));
            return found.map(|function| (function, Some(this))).into_iter().collect();
        }
        if let Some(Callable::Class(class)) = &holder.callable {
            let found = self.java_method(&class.clone(), name, given);
            return found.map(|function| (function, None)).into_iter().collect();
        }
        if let Some(Shape::Object { class, .. }) = holder.shape.as_deref()
            && let Some(function) = self.java_method(&class.clone(), name, given)
        {
            return vec![(function, Some(holder.clone()))];
        }
        // Only the declared type is known.
        let Some(kind) = holder.path.as_deref().filter(|path| is_type(path)) else { return Vec::new() };
        if holder.shape.is_some() || self.project.declaring(kind).is_empty() {
            return Vec::new();
        }
        let Some(class) = self.java_class(self.entry, kind) else { return Vec::new() };
        let mut classes = vec![class];
        classes.extend(self.below(kind));
        let mut out: Vec<(FunctionRef<'a>, Option<Value<'a>>)> = Vec::new();
        for class in classes {
            let Some(function) = self.java_method(&class, name, given) else { continue };
            if out.iter().any(|(known, _)| std::ptr::eq(known.function, function.function)) {
                continue;
            }
            let shape = Shape::Object { class, fields: Vec::new() };
            let object = Value { shape: Some(Rc::new(shape)), ..holder.clone() };
            out.push((function, Some(object)));
        }
        out
    }

    /// Evaluates project methods in place; either of them may be the one.
    fn follow(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        object: &'a Expr,
        holder: &Value<'a>,
        targets: &[(FunctionRef<'a>, Option<Value<'a>>)],
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let mut out: Option<Value<'a>> = None;
        for (function, this) in targets {
            self.changed = None;
            let left = self.left_by_call;
            let Some(value) = self.invoke(frame, expr, function, this.as_ref(), given) else { continue };
            if targets.len() > 1 {
                self.left_by_call = left;
            }
            let value = self.typed(value, function.function.returns.as_deref());
            if let (1, Some(changed)) = (targets.len(), self.changed.take()) {
                self.put_object(frame, object, holder, changed);
            }
            out = Some(match out {
                Some(known) => known.join(value),
                None => value,
            });
        }
        out
    }

    /// Keeps an object as a method left it.
    fn put_object(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        changed: Value<'a>,
    ) {
        match &object.kind {
            ExprKind::Name(name) if frame.vars.contains_key(name) => {
                frame.vars.insert(name.as_str().into(), changed);
            }
            ExprKind::Name(name) if name == "super" && frame.vars.contains_key("this") => {
                frame.vars.insert("this".into(), changed);
            }
            ExprKind::Member { .. } => {
                if let Some(shape) = changed.shape.as_deref().cloned() {
                    self.put_back(frame, object, holder.clone(), shape);
                }
            }
            _ => {}
        }
    }

    /// `function.apply(x)` of a lambda that is known.
    fn apply_lambda(
        &mut self,
        frame: &mut Frame<'a>,
        expr: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let Some(Callable::Function(function)) = &holder.callable else { return None };
        if !APPLYING.contains(&name) {
            return None;
        }
        let function = function.clone();
        self.invoke(frame, expr, &function, None, given)
    }

    /// `bean.setName(value)`: the object keeps it as a field; `parser.setFeature(name, flag)` under the name's end.
    fn set_bean(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let path = holder.path.as_deref().unwrap_or("");
        let setting = name.strip_prefix("set").or_else(|| name.strip_prefix("add"))?;
        let about_type = name == "setContentType" && path.ends_with("ServletResponse");
        if (SURROUNDINGS.contains(&path) && !about_type) || holder.callable.is_some() || setting.is_empty() {
            return None;
        }
        let (key, value) = match given {
            [value] => (setting.to_owned(), &value.value),
            [key, value] => {
                let written = key.value.known_text().or(key.value.path.as_deref())?;
                let last = written.rsplit(['/', '.']).next().unwrap_or(written);
                (last.to_owned(), &value.value)
            }
            _ => return None,
        };
        let mut shape = match holder.shape.as_deref() {
            Some(shape @ (Shape::Map { .. } | Shape::Object { .. })) => shape.clone(),
            Some(Shape::List { .. }) => return None,
            None => Shape::Map { entries: Vec::new(), rest: None },
        };
        shape.put(&key, value.clone());
        let changed = Value { shape: Some(Rc::new(shape.clone())), ..holder.clone() };
        self.put_back(frame, object, holder.clone(), shape);
        Some(changed)
    }

    /// `stream.read(buffer)`: what is read stands in the argument.
    fn fill_argument(&mut self, frame: &mut Frame<'a>, holder: &Value<'a>, name: &str, given: &[Given<'a>]) {
        let at = match name {
            "read" | "readFully" | "getChars" | "nextBytes" | "readNBytes" => 0,
            "arraycopy" => 2,
            _ => return,
        };
        let from = if name == "arraycopy" { given.first().map(|arg| arg.value.clone()) } else { None };
        if let Some(variable) = given.get(at).and_then(|arg| arg.expr.as_name())
            && frame.vars.contains_key(variable)
        {
            let mut value = Value::default();
            value.taint_from(from.as_ref().unwrap_or(holder));
            frame.vars.insert(variable.into(), value);
        }
    }

    /// Clears everything.
    pub(super) fn harmless() -> Kinds {
        Kinds::of(&[Kind::All])
    }
}

/// The words of `new ProcessBuilder("a", b)` as the one list they are.
pub(super) fn argument_list<'a>(path: &str, given: &[Given<'a>]) -> Option<Vec<Given<'a>>> {
    let first = given.first().filter(|first| first.value.shape.is_none())?;
    if !matches!(path, "ProcessBuilder.new" | "ProcessBuilder.command") {
        return None;
    }
    let items = given.iter().map(|arg| arg.value.clone()).collect();
    Some(vec![Given {
        name: None,
        value: Value::shaped(Shape::List { items, rest: None }),
        expr: given.get(2).map_or(first.expr, |arg| arg.expr),
        is_spread: false,
        is_keyword_spread: false,
    }])
}

/// Methods that give the object they belong to.
fn returns_itself(holder: &Value<'_>, name: &str) -> bool {
    let path = holder.path.as_deref().unwrap_or("");
    path.ends_with("Builder") || (name.starts_with("with") && name.len() > 4)
}
