//! What the evaluation knows of a value: taint, constant, path, shape, callable.

use super::env::Env;
use crate::scan::ir::{At, Class, Function};
use crate::scan::rules::{Kind, Source};
use std::rc::Rc;

/// More dangerous origins than this are not told apart.
const MAX_TAINTS: usize = 6;

/// An abstract value.
#[derive(Debug, Clone, Default)]
pub(super) struct Value<'a> {
    /// Dangerous origins that are in it.
    pub(super) taints: Vec<Taint>,
    /// Its value, when it is always the same.
    pub(super) known: Option<Known>,
    /// Whether it is made of constants only.
    pub(super) constant: bool,
    /// What leads to it: `flask.request.args`, `sqlite3.connect()`.
    pub(super) path: Option<Rc<str>>,
    /// Its parts, when they are told apart.
    pub(super) shape: Option<Rc<Shape<'a>>>,
    /// What a call of it does.
    pub(super) callable: Option<Callable<'a>>,
    /// Whether it is a text that was put together.
    pub(super) built: bool,
    /// What is known of it as a path.
    pub(super) route: Route,
    /// Variables it was made from (for checks on a derived value).
    pub(super) from: Vec<Rc<str>>,
}

/// What is known of a value as a file path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Route {
    /// `..` and links are resolved.
    pub(super) normal: bool,
    /// Holds no `..`.
    pub(super) no_dots: bool,
    /// Is not absolute.
    pub(super) no_root: bool,
    /// Begins with a slash.
    pub(super) rooted: bool,
    /// Does not begin with two.
    pub(super) not_double: bool,
}

/// A dangerous origin inside a value.
#[derive(Debug, Clone)]
pub(super) struct Taint {
    pub(super) source: Source,
    /// File and place of the origin.
    pub(super) origin: (usize, At),
    /// Kinds it was made safe for.
    pub(super) cleared: Kinds,
    /// How it came here.
    pub(super) trail: Rc<Trail>,
}

/// A step and those before it.
#[derive(Debug)]
pub(super) struct Trail {
    pub(super) file: usize,
    pub(super) at: At,
    pub(super) note: String,
    pub(super) before: Option<Rc<Trail>>,
    pub(super) length: usize,
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kinds(u128);

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    Text(Rc<str>),
    Int(i64),
    Bool(bool),
    Null,
}

/// The parts of a value.
#[derive(Debug, Clone)]
pub(super) enum Shape<'a> {
    /// Items in order; `rest` stands for more that are not told apart.
    List { items: Vec<Value<'a>>, rest: Option<Box<Value<'a>>> },
    /// Entries by literal key; `rest` stands for more.
    Map { entries: Vec<(Rc<str>, Value<'a>)>, rest: Option<Box<Value<'a>>> },
    /// An object of a class in the project.
    Object { class: ClassRef<'a>, fields: Vec<(Rc<str>, Value<'a>)> },
}

/// What a call does.
#[derive(Debug, Clone)]
pub(super) enum Callable<'a> {
    Function(FunctionRef<'a>),
    /// A method with its object.
    Method(FunctionRef<'a>, Box<Value<'a>>),
    Class(ClassRef<'a>),
    /// Not callable: a file of the project as a namespace.
    Namespace(usize),
}

/// A function of the project with what it sees.
#[derive(Debug, Clone)]
pub(super) struct FunctionRef<'a> {
    pub(super) file: usize,
    pub(super) function: &'a Function,
    /// Enclosing functions, outermost first, itself not included.
    pub(super) chain: Rc<Vec<&'a Function>>,
    /// Variables of the enclosing functions.
    pub(super) captured: Option<Rc<Env<'a>>>,
    /// Class it stands in.
    pub(super) class: Option<&'a Class>,
}

/// A class of the project.
#[derive(Debug, Clone)]
pub(super) struct ClassRef<'a> {
    pub(super) file: usize,
    pub(super) class: &'a Class,
    pub(super) chain: Rc<Vec<&'a Function>>,
    pub(super) captured: Option<Rc<Env<'a>>>,
}

impl<'a> ClassRef<'a> {
    /// A method of the class, with what it sees of the surroundings.
    pub(super) fn method(&self, function: &'a Function) -> FunctionRef<'a> {
        FunctionRef {
            file: self.file,
            function,
            chain: Rc::clone(&self.chain),
            captured: self.captured.clone(),
            class: Some(self.class),
        }
    }
}

impl Kinds {
    pub(super) fn of(kinds: &[Kind]) -> Self {
        kinds.iter().fold(Kinds(0), |set, kind| set.with(*kind))
    }

    pub(super) fn with(self, kind: Kind) -> Self {
        Kinds(self.0 | bit(kind))
    }

    pub(super) fn and(self, other: Kinds) -> Self {
        Kinds(self.0 & other.0)
    }

    pub(super) fn or(self, other: Kinds) -> Self {
        Kinds(self.0 | other.0)
    }

    pub(super) fn without(self, other: Kinds) -> Self {
        Kinds(self.0 & !other.0)
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & bit(kind) == bit(kind)
    }

    pub(super) fn is_all(self) -> bool {
        self.has(Kind::All)
    }
}

fn bit(kind: Kind) -> u128 {
    let place = match kind {
        Kind::Sql => 0,
        Kind::Command => 1,
        Kind::Path => 2,
        Kind::Html => 3,
        Kind::Deserialize => 4,
        Kind::Disclosure => 5,
        Kind::Code => 6,
        Kind::Template => 7,
        Kind::Nosql => 8,
        Kind::Ldap => 9,
        Kind::Xpath => 10,
        Kind::Xml => 11,
        Kind::Url => 12,
        Kind::Redirect => 13,
        Kind::Header => 14,
        Kind::Log => 15,
        Kind::Regex => 16,
        Kind::Session => 17,
        Kind::Fields => 18,
        // The upper half is for what single rules look for.
        Kind::Own(number) => 64 + u32::from(number % 60),
        Kind::All => return u128::MAX,
    };
    1 << place
}

impl Taint {
    pub(super) fn new(source: Source, file: usize, at: At, note: String) -> Self {
        let trail = Rc::new(Trail { file, at, note, before: None, length: 1 });
        Self { source, origin: (file, at), cleared: Kinds::default(), trail }
    }

    /// Safe for these kinds from the start.
    pub(super) fn safe_for(mut self, kinds: &[Kind]) -> Self {
        self.cleared = self.cleared.or(Kinds::of(kinds));
        self
    }

    /// One step further.
    pub(super) fn step(&self, file: usize, at: At, note: &str) -> Self {
        if self.trail.length >= 12 || (self.trail.at == at && self.trail.file == file) {
            return self.clone();
        }
        let trail = Rc::new(Trail {
            file,
            at,
            note: note.to_owned(),
            before: Some(Rc::clone(&self.trail)),
            length: self.trail.length + 1,
        });
        Self { trail, ..self.clone() }
    }
}

impl<'a> Value<'a> {
    pub(super) fn text(text: &str) -> Self {
        Self { known: Some(Known::Text(text.into())), constant: true, ..Self::default() }
    }

    pub(super) fn known(known: Known) -> Self {
        Self { known: Some(known), constant: true, ..Self::default() }
    }

    pub(super) fn constant() -> Self {
        Self { constant: true, ..Self::default() }
    }

    pub(super) fn of_path(path: &str) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    pub(super) fn tainted(taint: Taint) -> Self {
        Self { taints: vec![taint], ..Self::default() }
    }

    pub(super) fn shaped(shape: Shape<'a>) -> Self {
        let parts = shape.parts();
        let constant = !parts.is_empty() && parts.iter().all(|part| part.constant);
        Self { constant, shape: Some(Rc::new(shape)), ..Self::default() }
    }

    pub(super) fn known_text(&self) -> Option<&str> {
        match &self.known {
            Some(Known::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Its own taints and those of its parts.
    pub(super) fn all_taints(&self) -> Vec<Taint> {
        let mut out = self.taints.clone();
        if let Some(shape) = &self.shape {
            for part in shape.parts() {
                merge(&mut out, &part.all_taints());
            }
        }
        out
    }

    pub(super) fn is_tainted(&self) -> bool {
        !self.taints.is_empty()
            || self.shape.as_ref().is_some_and(|shape| shape.parts().iter().any(|part| part.is_tainted()))
    }

    /// Whether something of this source is in it.
    pub(super) fn is_tainted_by(&self, source: Source) -> bool {
        self.all_taints().iter().any(|taint| taint.source == source)
    }

    /// Takes over another value's taints.
    pub(super) fn taint_from(&mut self, other: &Value<'a>) {
        merge(&mut self.taints, &other.all_taints());
        for name in &other.from {
            if !self.from.contains(name) && self.from.len() < 8 {
                self.from.push(Rc::clone(name));
            }
        }
    }

    /// Marks all its taints as safe for these kinds.
    pub(super) fn clear(&mut self, kinds: Kinds) {
        // A number that can be guessed is one after every conversion.
        for taint in self.taints.iter_mut().filter(|taint| taint.source != Source::Random) {
            taint.cleared = taint.cleared.or(kinds);
        }
        self.taints.retain(|taint| !taint.cleared.is_all());
        if let Some(shape) = &self.shape
            && shape.parts().iter().any(|part| part.is_tainted())
        {
            let mut next = (**shape).clone();
            next.parts_mut().into_iter().for_each(|part| part.clear(kinds));
            self.shape = Some(Rc::new(next));
        }
    }

    /// Marks all its taints as dangerous for these kinds again.
    pub(super) fn restore(&mut self, kinds: Kinds) {
        for taint in &mut self.taints {
            taint.cleared = taint.cleared.without(kinds);
        }
    }

    /// Every taint one step further.
    pub(super) fn step(&mut self, file: usize, at: At, note: &str) {
        for taint in &mut self.taints {
            *taint = taint.step(file, at, note);
        }
    }

    /// Either this or that.
    pub(super) fn join(mut self, other: Value<'a>) -> Value<'a> {
        merge(&mut self.taints, &other.taints);
        if self.known != other.known {
            self.known = None;
        }
        self.constant &= other.constant;
        // A value that is nothing yet (`None` before a branch) does not hide what the other branch gives.
        if self.path != other.path {
            self.path = match (self.path.take(), other.path) {
                (Some(path), None) | (None, Some(path)) => Some(path),
                _ => None,
            };
        }
        self.callable = self.callable.or(other.callable);
        self.built |= other.built;
        self.route = Route {
            normal: self.route.normal && other.route.normal,
            no_dots: self.route.no_dots && other.route.no_dots,
            no_root: self.route.no_root && other.route.no_root,
            rooted: self.route.rooted && other.route.rooted,
            not_double: self.route.not_double && other.route.not_double,
        };
        for name in other.from {
            if !self.from.contains(&name) && self.from.len() < 8 {
                self.from.push(name);
            }
        }
        self.shape = match (self.shape.take(), other.shape) {
            (Some(left), Some(right)) if Rc::ptr_eq(&left, &right) => Some(left),
            (Some(left), Some(right)) => {
                if let Some(shape) = Shape::join(&left, &right) {
                    Some(Rc::new(shape))
                } else {
                    for part in left.parts().into_iter().chain(right.parts()) {
                        merge(&mut self.taints, &part.all_taints());
                    }
                    None
                }
            }
            (one, two) => one.or(two),
        };
        self
    }
}

/// Adds taints; of the same origin the less cleared stays.
pub(super) fn merge(into: &mut Vec<Taint>, from: &[Taint]) {
    for taint in from {
        let full = into.len() >= MAX_TAINTS;
        match into.iter_mut().find(|known| known.origin == taint.origin && known.source == taint.source) {
            Some(known) => {
                if taint.cleared != known.cleared && taint.cleared.and(known.cleared) == taint.cleared {
                    known.trail = Rc::clone(&taint.trail);
                }
                known.cleared = known.cleared.and(taint.cleared);
            }
            None if !full => into.push(taint.clone()),
            None => {}
        }
    }
}

impl<'a> Shape<'a> {
    pub(super) fn parts(&self) -> Vec<&Value<'a>> {
        match self {
            Shape::List { items, rest } => items.iter().chain(rest.as_deref()).collect(),
            Shape::Map { entries, rest } => {
                entries.iter().map(|(_, value)| value).chain(rest.as_deref()).collect()
            }
            Shape::Object { fields, .. } => fields.iter().map(|(_, value)| value).collect(),
        }
    }

    pub(super) fn parts_mut(&mut self) -> Vec<&mut Value<'a>> {
        match self {
            Shape::List { items, rest } => items.iter_mut().chain(rest.as_deref_mut()).collect(),
            Shape::Map { entries, rest } => {
                entries.iter_mut().map(|(_, value)| value).chain(rest.as_deref_mut()).collect()
            }
            Shape::Object { fields, .. } => fields.iter_mut().map(|(_, value)| value).collect(),
        }
    }

    /// Any of the parts.
    pub(super) fn any(&self) -> Value<'a> {
        let mut parts = self.parts().into_iter();
        let Some(first) = parts.next() else { return Value::default() };
        parts.fold(first.clone(), |joined, part| joined.join(part.clone()))
    }

    /// The part under a key.
    pub(super) fn entry(&self, key: &str) -> Option<&Value<'a>> {
        match self {
            Shape::Map { entries, rest } => {
                entries.iter().find(|(name, _)| &**name == key).map(|(_, value)| value).or(rest.as_deref())
            }
            Shape::Object { fields, .. } => {
                fields.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
            }
            Shape::List { .. } => None,
        }
    }

    /// Puts a part under a key.
    pub(super) fn put(&mut self, key: &str, value: Value<'a>) {
        let (Shape::Map { entries: list, .. } | Shape::Object { fields: list, .. }) = self else { return };
        match list.iter_mut().find(|(name, _)| &**name == key) {
            Some((_, slot)) => *slot = value,
            None => list.push((key.into(), value)),
        }
    }

    fn join(left: &Shape<'a>, right: &Shape<'a>) -> Option<Shape<'a>> {
        match (left, right) {
            (Shape::List { items: a, rest: ra }, Shape::List { items: b, rest: rb }) => {
                let common = a.len().min(b.len());
                let items = (0..common).map(|at| a[at].clone().join(b[at].clone())).collect();
                let more = a[common..].iter().chain(&b[common..]).chain(ra.as_deref()).chain(rb.as_deref());
                let rest = more.cloned().reduce(Value::join).map(Box::new);
                Some(Shape::List { items, rest })
            }
            (Shape::Map { entries: a, rest: ra }, Shape::Map { entries: b, rest: rb }) => {
                let mut entries = a.clone();
                for (key, value) in b {
                    match entries.iter_mut().find(|(name, _)| name == key) {
                        Some((_, slot)) => *slot = std::mem::take(slot).join(value.clone()),
                        None => entries.push((Rc::clone(key), value.clone())),
                    }
                }
                let rest = ra.iter().chain(rb).map(|rest| (**rest).clone()).reduce(Value::join).map(Box::new);
                Some(Shape::Map { entries, rest })
            }
            (Shape::Object { class, fields: a }, Shape::Object { class: other, fields: b })
                if std::ptr::eq(class.class, other.class) =>
            {
                let mut fields = a.clone();
                for (key, value) in b {
                    match fields.iter_mut().find(|(name, _)| name == key) {
                        Some((_, slot)) => *slot = std::mem::take(slot).join(value.clone()),
                        None => fields.push((Rc::clone(key), value.clone())),
                    }
                }
                Some(Shape::Object { class: class.clone(), fields })
            }
            _ => None,
        }
    }
}
