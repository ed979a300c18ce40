//! What Java adds to the evaluation: declared types, overloads, objects of interfaces, its texts and collections.
//!
//! A value's path is the simple name of its type where one is known (`HttpServletRequest`, `Statement`), so a
//! method is known as `HttpServletRequest.getParameter` and a constructor as `File.new`.

#![allow(clippy::unused_self, reason = "what the engine knows reads as its methods")]

mod call;
mod collection;
mod guard;
mod make;
mod parameter;
mod property;
mod resolve;
mod stream;
mod text;
mod turns;
mod types;

use super::value::{ClassRef, Value};
use super::{Engine, Frame};
use crate::scan::ir::{Class, Function, Language};
use std::collections::HashMap;

pub(super) use parameter::called_names;

/// What is kept while a file is evaluated.
#[derive(Default)]
pub(super) struct Kept<'a> {
    /// Classes by file and name.
    classes: HashMap<(usize, String), Option<ClassRef<'a>>>,
    /// Static fields of classes.
    statics: HashMap<*const Class, Value<'a>>,
    /// Classes that implement or extend a type.
    below: HashMap<String, Vec<ClassRef<'a>>>,
}

impl<'a> Engine<'a> {
    /// Whether a file is Java.
    pub(super) fn is_java(&self, file: usize) -> bool {
        self.source(file).language() == Language::Java
    }

    /// The methods of an anonymous class run with what is known where it stands.
    pub(super) fn define_methods(frame: &mut Frame<'a>, class: &'a Class) {
        if frame.is_module {
            return;
        }
        let reference = Self::class_reference(frame, class);
        for function in methods(class) {
            frame.defined.push(reference.method(function));
        }
    }

    fn class_reference(frame: &Frame<'a>, class: &'a Class) -> ClassRef<'a> {
        match Self::class_value(frame, class).callable {
            Some(super::value::Callable::Class(reference)) => reference,
            _ => ClassRef { file: frame.file, class, chain: std::rc::Rc::default(), captured: None },
        }
    }
}

/// The functions that stand directly in a class.
fn methods(class: &Class) -> impl Iterator<Item = &Function> {
    class.body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        crate::scan::ir::StmtKind::Function(function) => Some(&**function),
        _ => None,
    })
}

/// Whether a path is the simple name of a type.
fn is_type(path: &str) -> bool {
    path.starts_with(|first: char| first.is_ascii_uppercase())
        && path.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}
