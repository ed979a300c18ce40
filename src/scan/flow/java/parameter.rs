//! What parameters bring, the object a method works on, and which methods a file calls itself.

use super::{Engine, Frame, resolve::field_type, types};
use crate::scan::flow::invoke::shown;
use crate::scan::flow::value::{ClassRef, FunctionRef, Shape, Taint, Value};
use crate::scan::ir::{Block, Class, Expr, ExprKind, Function, Param, StmtKind};
use crate::scan::rules::{Handler, Source};
use std::collections::HashSet;
use std::rc::Rc;

/// Annotations with which a framework fills a parameter from the request.
const FILLED: &[&str] = &[
    "RequestParam",
    "PathVariable",
    "RequestBody",
    "RequestHeader",
    "CookieValue",
    "ModelAttribute",
    "MatrixVariable",
    "RequestPart",
    "QueryParam",
    "PathParam",
    "FormParam",
    "HeaderParam",
    "CookieParam",
    "MatrixParam",
    "BeanParam",
    "QueryValue",
    "Body",
    "Header",
    "RestQuery",
    "RestPath",
    "RestForm",
    "FormDataParam",
    "Payload",
    "Argument",
];

/// Types a framework hands to handlers that are no input.
const HANDED: &[&str] = &[
    "Model",
    "ModelMap",
    "ModelAndView",
    "Principal",
    "Authentication",
    "HttpSession",
    "BindingResult",
    "Errors",
    "RedirectAttributes",
    "Locale",
    "Pageable",
    "HttpServletResponse",
    "ServletResponse",
    "UriComponentsBuilder",
    "SecurityContext",
    "UriInfo",
    "HttpHeaders",
    "Request",
    "AsyncResponse",
    "WebRequest",
    "NativeWebRequest",
    "HttpServletRequest",
    "ServletRequest",
    "SessionStatus",
    "UserDetails",
    "Jwt",
    "OAuth2User",
    "PrintWriter",
    "Writer",
    "OutputStream",
    "TimeZone",
    "ZoneId",
    "Map",
    "ServerHttpRequest",
    "ServerHttpResponse",
    "ServerWebExchange",
];

impl<'a> Engine<'a> {
    /// A parameter as the outside gives it.
    pub(in crate::scan::flow) fn java_parameter(
        &mut self,
        function: &FunctionRef<'a>,
        handler: Option<&Handler>,
        param: &'a Param,
    ) -> Value<'a> {
        let kind = param.annotation.as_deref().unwrap_or("");
        let value = self.typed(Value::default(), param.annotation.as_deref());
        let annotated = |names: &[&str]| {
            param.decorators.iter().any(|decorator| {
                let callee = decorator.as_call().map_or(decorator, |call| &call.callee);
                callee.as_name().is_some_and(|name| names.contains(&name))
            })
        };
        let mapped = handler.is_some_and(|handler| !handler.decorator.is_empty());
        let injected =
            annotated(&["Context", "Autowired", "Value", "Inject", "AuthenticationPrincipal", "Suspended"]);
        let filled =
            annotated(FILLED) || (mapped && !injected && !HANDED.contains(&kind) && !types::is_number(kind));
        if types::is_number(kind) {
            return value;
        }
        let (source, note) = if filled {
            (Source::Request, format!("parameter `{}` of the route", param.name))
        } else if handler.is_none() && matches!(kind, "String" | "CharSequence" | "StringBuilder") {
            (Source::Parameter, format!("parameter `{}` of `{}`", param.name, shown(function.function)))
        } else {
            return value;
        };
        let taint = Taint::new(source, function.file, param.at, note);
        let mut tainted = Value { taints: vec![taint], path: value.path, ..Value::default() };
        // A model's fields are told apart by their types.
        if let Some(class) = self.java_class(function.file, kind).filter(|_| filled) {
            let is_enum = field_type(class.class, "values").is_some()
                || class.class.body.stmts.iter().any(|stmt| {
                    matches!(&stmt.kind, StmtKind::Assign { targets, value, declares: true, .. }
                        if targets.len() == 1
                            && value.as_call().is_some_and(|call| call.is_new
                                && call.callee.as_name() == Some(class.class.name.as_str())))
                });
            if is_enum {
                return Value::default();
            }
            tainted.shape = Some(Rc::new(self.java_model(&class, &tainted)));
            tainted.taints.clear();
        }
        tainted
    }

    /// Fields of a request's model, dangerous unless they are numbers.
    fn java_model(&mut self, class: &ClassRef<'a>, value: &Value<'a>) -> Shape<'a> {
        let mut shape = Shape::Object { class: class.clone(), fields: Vec::new() };
        let own = std::iter::once(class.clone()).chain(self.bases(class));
        for class in own.collect::<Vec<_>>() {
            for stmt in &class.class.body.stmts {
                if let StmtKind::Assign { targets, annotation, declares: false, .. } = &stmt.kind
                    && let Some(name) = targets.first().and_then(Expr::as_name)
                {
                    let number = annotation.as_deref().is_some_and(types::is_number);
                    let field = if number { Value::default() } else { value.clone() };
                    shape.put(name, Value { shape: None, path: None, ..field });
                }
            }
        }
        shape
    }

    /// The object a method of this class works on, as its constructor makes it.
    pub(in crate::scan::flow) fn java_this(
        &mut self,
        function: &FunctionRef<'a>,
        class: &'a Class,
    ) -> Value<'a> {
        let key = std::ptr::from_ref(class);
        if let Some(value) = self.objects.get(&key) {
            return value.clone();
        }
        let reference = ClassRef {
            file: function.file,
            class,
            chain: Rc::clone(&function.chain),
            captured: function.captured.clone(),
        };
        let empty = Value {
            path: Some("this".into()),
            shape: Some(Rc::new(Shape::Object { class: reference.clone(), fields: Vec::new() })),
            ..Value::default()
        };
        self.objects.insert(key, empty.clone());
        let constructor = super::methods(class).find(|own| own.name == "constructor");
        let mut value = empty;
        if let Some(constructor) = constructor.filter(|own| !std::ptr::eq(*own, function.function)) {
            let reference = FunctionRef { function: constructor, ..function.clone() };
            let quiet = std::mem::replace(&mut self.quiet, true);
            let notes = self.notes.take();
            let mut frame: Frame<'a> = self.frame_for(&reference);
            for param in &constructor.params {
                let value = self.typed(Value::default(), param.annotation.as_deref());
                frame.vars.insert(param.name.as_str().into(), value);
            }
            frame.vars.insert("this".into(), value.clone());
            self.depth += 1;
            self.block(&mut frame, &constructor.body);
            self.depth -= 1;
            self.notes = notes;
            self.quiet = quiet;
            if let Some(made) = frame.vars.remove("this") {
                value = made;
            }
        }
        self.objects.insert(key, value.clone());
        value
    }

    /// Collections, builders and objects that a function changed stay changed for its caller.
    pub(in crate::scan::flow) fn give_back_changes(
        frame: &mut Frame<'a>,
        inner: &Frame<'a>,
        function: &Function,
        names: &[(Rc<str>, Rc<str>)],
    ) {
        for (param, variable) in names {
            let (Some(after), Some(before)) = (inner.vars.get(param), frame.vars.get(variable)) else {
                continue;
            };
            let shared =
                matches!(after.path.as_deref(), Some("StringBuilder" | "StringBuffer" | "StringJoiner"))
                    || (after.shape.is_some() && before.known.is_none());
            if shared && !rebinds(function, param) {
                let next = Value { from: before.from.clone(), ..after.clone() };
                frame.vars.insert(Rc::clone(variable), next);
            }
        }
    }
}

/// Whether a function binds one of its parameters to something else.
fn rebinds(function: &Function, name: &str) -> bool {
    let mut found = false;
    function.body.walk(&mut |stmt| {
        if let StmtKind::Assign { targets, .. } = &stmt.kind {
            found |= targets.iter().any(|target| target.as_name() == Some(name));
        }
    });
    found
}

/// Names of methods a file calls, on whatever object; constructors under theirs.
pub(in crate::scan::flow) fn called_names(body: &Block) -> HashSet<String> {
    let mut names = HashSet::new();
    crate::scan::flow::entry::visit_calls(body, &mut |callee| match &callee.kind {
        ExprKind::Member { name, .. } => {
            names.insert(name.clone());
        }
        ExprKind::Name(name) => {
            names.insert(name.clone());
            names.insert("constructor".to_owned());
        }
        ExprKind::Class(class) => {
            for function in super::methods(class) {
                crate::scan::flow::entry::visit_calls(&function.body, &mut |callee| {
                    if let ExprKind::Member { name, .. } = &callee.kind {
                        names.insert(name.clone());
                    }
                });
            }
        }
        _ => {}
    });
    names
}
