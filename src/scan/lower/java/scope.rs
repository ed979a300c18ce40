//! Which names mean what at a place: locals, fields and methods of the classes around.

use std::collections::{HashMap, HashSet};

/// The names around a place.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    locals: Vec<HashSet<String>>,
    classes: Vec<ClassScope>,
}

/// What a class declares.
#[derive(Debug, Default)]
pub(super) struct ClassScope {
    /// Its name; empty when anonymous.
    pub(super) name: String,
    /// Fields, and whether they are static.
    pub(super) fields: HashMap<String, bool>,
    /// Methods, and whether they are static.
    pub(super) methods: HashMap<String, bool>,
    /// How many scopes of locals lie outside it.
    pub(super) outside: usize,
}

/// What a bare name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A local, or something that nothing here declares.
    Plain,
    /// A member of this object.
    OfThis,
    /// A static member of that class, or one of an object around.
    OfClass(String),
}

impl Scopes {
    pub(super) fn open(&mut self) {
        self.locals.push(HashSet::new());
    }

    pub(super) fn close(&mut self) {
        self.locals.pop();
    }

    pub(super) fn declare(&mut self, name: &str) {
        if let Some(top) = self.locals.last_mut() {
            top.insert(name.to_owned());
        }
    }

    pub(super) fn enter(&mut self, mut class: ClassScope) {
        class.outside = self.locals.len();
        self.classes.push(class);
    }

    pub(super) fn leave(&mut self) {
        self.classes.pop();
    }

    /// The name of the class a place stands in.
    pub(super) fn class(&self) -> Option<&str> {
        self.classes.last().map(|class| class.name.as_str())
    }

    pub(super) fn is_local(&self, name: &str) -> bool {
        self.locals.iter().any(|scope| scope.contains(name))
    }

    /// What a bare name in an expression means.
    pub(super) fn field(&self, name: &str) -> Meaning {
        for (at, class) in self.classes.iter().rev().enumerate() {
            // Locals declared inside this class come before its fields, those around it behind them.
            if self.locals.iter().skip(class.outside).any(|scope| scope.contains(name)) {
                return Meaning::Plain;
            }
            if let Some(is_static) = class.fields.get(name) {
                return meaning(class, *is_static, at);
            }
        }
        Meaning::Plain
    }

    /// What a bare method name means; `None` when no class around declares it.
    pub(super) fn method(&self, name: &str) -> Option<Meaning> {
        self.classes
            .iter()
            .rev()
            .enumerate()
            .find_map(|(at, class)| class.methods.get(name).map(|is_static| meaning(class, *is_static, at)))
    }
}

fn meaning(class: &ClassScope, is_static: bool, depth: usize) -> Meaning {
    if depth == 0 && (!is_static || class.name.is_empty()) {
        Meaning::OfThis
    } else {
        Meaning::OfClass(class.name.clone())
    }
}
