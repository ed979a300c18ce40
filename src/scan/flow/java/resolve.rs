//! Names of types, fields and methods: this class, the classes around it, its bases, the whole project.

use super::{Engine, Frame, is_type, methods, types};
use crate::scan::flow::value::{Callable, ClassRef, FunctionRef, Shape, Value};
use crate::scan::ir::{Block, Class, Expr, ExprKind, Function, ParamKind, StmtKind};
use std::rc::Rc;

/// How far up the bases of a class are looked through.
const MAX_BASES: usize = 5;

impl<'a> Engine<'a> {
    /// What a name stands for that is no variable.
    pub(in crate::scan::flow) fn java_name(&mut self, frame: &Frame<'a>, name: &str) -> Value<'a> {
        if is_type(name) {
            if let Some(class) = self.java_class(frame.file, name) {
                return Value {
                    callable: Some(Callable::Class(class)),
                    path: Some(name.into()),
                    ..Value::default()
                };
            }
            if name.chars().any(char::is_lowercase) {
                return Value::of_path(name);
            }
        }
        if name == "this" || name == "super" {
            return Value::of_path("this");
        }
        // A field that a base declares, or a static import.
        if let Some(class) = frame.class {
            let class = self.reference(frame.file, class);
            if let Some(value) = self.inherited(&class, name) {
                return value;
            }
        }
        if let Some(import) = self.source(frame.file).import_of(name) {
            let class = import.module.rsplit('.').next().unwrap_or("");
            if let Some(class) = self.java_class(frame.file, class) {
                return self.java_static(&class, name).unwrap_or_else(|| Value::of_path(name));
            }
            return Value::of_path(&format!("{class}.{name}"));
        }
        Value::of_path(name)
    }

    fn inherited(&mut self, class: &ClassRef<'a>, name: &str) -> Option<Value<'a>> {
        for base in self.bases(class) {
            if let Some(declared) = field_type(base.class, name) {
                if let Some(value) = self.java_static(&base, name) {
                    return Some(value);
                }
                return Some(self.typed(Value::default(), declared));
            }
        }
        None
    }

    /// The reference of a class of a file.
    pub(super) fn reference(&self, file: usize, class: &'a Class) -> ClassRef<'a> {
        ClassRef { file, class, chain: Rc::default(), captured: None }
    }

    /// A class of the project by its simple name, as seen from a file.
    pub(super) fn java_class(&mut self, file: usize, name: &str) -> Option<ClassRef<'a>> {
        let key = (file, name.to_owned());
        if let Some(known) = self.java.classes.get(&key) {
            return known.clone();
        }
        let found = self.find_class(file, name);
        self.java.classes.insert(key, found.clone());
        found
    }

    fn find_class(&self, file: usize, name: &str) -> Option<ClassRef<'a>> {
        if let Some(class) = class_in(&self.source(file).module.body, name) {
            return Some(self.reference(file, class));
        }
        let candidates = self.project.declaring(name);
        let folder = |file: usize| self.source(file).path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let source = self.source(file);
        let imported = source.import_of(name).filter(|import| import.member.is_some());
        let in_package = |other: usize, package: &str| {
            let wanted = package.replace('.', "/");
            folder(other) == wanted || folder(other).ends_with(&format!("/{wanted}"))
        };
        let chosen = match (imported, candidates) {
            (_, []) => None,
            (Some(import), several) => several
                .iter()
                .copied()
                .find(|other| in_package(*other, &import.module))
                .or_else(|| several.first().copied().filter(|_| several.len() == 1)),
            (None, several) => several
                .iter()
                .copied()
                .find(|other| folder(*other) == folder(file))
                .or_else(|| {
                    several.iter().copied().find(|other| {
                        let stars = source.module.imports.iter().filter(|import| import.local == "*");
                        stars.into_iter().any(|import| in_package(*other, &import.module))
                    })
                })
                .or_else(|| several.first().copied().filter(|_| several.len() == 1)),
        }?;
        let class = class_in(&self.source(chosen).module.body, name)?;
        Some(self.reference(chosen, class))
    }

    /// The classes of the project above a class, nearest first.
    pub(super) fn bases(&mut self, class: &ClassRef<'a>) -> Vec<ClassRef<'a>> {
        let mut out: Vec<ClassRef<'a>> = Vec::new();
        let mut open = vec![class.clone()];
        while let Some(next) = open.pop() {
            for base in next.class.bases.iter().filter_map(|base| base.as_name()) {
                let Some(found) = self.java_class(next.file, base) else { continue };
                let known = out.iter().any(|other| std::ptr::eq(other.class, found.class));
                if !known && !std::ptr::eq(found.class, class.class) && out.len() < MAX_BASES {
                    open.insert(0, found.clone());
                    out.push(found);
                }
            }
        }
        out
    }

    /// The classes of the project that implement or extend a type.
    pub(super) fn below(&mut self, name: &str) -> Vec<ClassRef<'a>> {
        if let Some(known) = self.java.below.get(name) {
            return known.clone();
        }
        let mut out: Vec<ClassRef<'a>> = Vec::new();
        for file in self.project.extending(name).iter().copied() {
            let mut found = Vec::new();
            classes(&self.source(file).module.body, &mut found);
            for class in found {
                if class.bases.iter().any(|base| base.as_name() == Some(name)) && out.len() < 12 {
                    out.push(self.reference(file, class));
                }
            }
        }
        self.java.below.insert(name.to_owned(), out.clone());
        out
    }

    /// A method of a class or its bases that takes these arguments.
    pub(super) fn java_method(
        &mut self,
        class: &ClassRef<'a>,
        name: &str,
        given: &[&Value<'a>],
    ) -> Option<FunctionRef<'a>> {
        let own = std::iter::once(class.clone()).chain(self.bases(class));
        for class in own.collect::<Vec<_>>() {
            let fitting: Vec<&'a Function> = methods(class.class)
                .filter(|function| function.name == name && takes(function, given.len()))
                .collect();
            let best = fitting.iter().copied().max_by_key(|function| likeness(function, given));
            if let Some(function) = best.filter(|function| function.body.at.end > 0) {
                return Some(class.method(function));
            }
        }
        None
    }

    /// A field of an object or class.
    pub(in crate::scan::flow) fn java_member(
        &mut self,
        frame: &Frame<'a>,
        object: &Value<'a>,
        name: &str,
    ) -> Value<'a> {
        if let Some(Callable::Class(class)) = &object.callable {
            let class = class.clone();
            if name == "class" {
                return object.clone();
            }
            if let Some(value) = self.java_static(&class, name) {
                return value;
            }
            if let Some(inner) = class_in(&class.class.body, name) {
                let inner = self.reference(class.file, inner);
                let path = Some(name.into());
                return Value { callable: Some(Callable::Class(inner)), path, ..Value::default() };
            }
            if let Some(declared) = field_type(class.class, name) {
                return self.typed(Value::default(), declared);
            }
        }
        if let Some(shape @ Shape::Object { class, .. }) = object.shape.as_deref() {
            if let Some(value) = shape.entry(name) {
                return value.clone();
            }
            let class = class.clone();
            let own = std::iter::once(class.clone()).chain(self.bases(&class));
            for class in own.collect::<Vec<_>>() {
                if let Some(declared) = field_type(class.class, name) {
                    let mut value = self.typed(Value::default(), declared);
                    value.taint_from(&Value { taints: object.taints.clone(), ..Value::default() });
                    return value;
                }
            }
        }
        if name == "length" {
            return Value::default();
        }
        let path = object.path.as_deref().map(|path| crate::scan::flow::scope::extend(path, name));
        if let Some(path) = &path
            && let Some(value) = frame.vars.get(path.as_str())
        {
            return value.clone();
        }
        let constant = object.path.as_deref().is_some_and(is_type)
            && object.taints.is_empty()
            && name.chars().all(|letter| !letter.is_lowercase());
        Value {
            taints: object.taints.clone(),
            from: object.from.clone(),
            path: path.map(Into::into),
            constant: constant || name == "separator",
            ..Value::default()
        }
    }

    /// A static field; evaluates the static part of a class at the first call.
    pub(super) fn java_static(&mut self, class: &ClassRef<'a>, name: &str) -> Option<Value<'a>> {
        let key = std::ptr::from_ref(class.class);
        if let std::collections::hash_map::Entry::Vacant(e) = self.java.statics.entry(key) {
            let empty = Value {
                shape: Some(Rc::new(Shape::Map { entries: Vec::new(), rest: None })),
                ..Value::default()
            };
            e.insert(empty);
            let quiet = std::mem::replace(&mut self.quiet, true);
            let notes = self.notes.take();
            self.static_part(class);
            self.notes = notes;
            self.quiet = quiet;
        }
        self.java.statics.get(&key)?.shape.as_ref()?.entry(name).cloned()
    }

    fn static_part(&mut self, class: &ClassRef<'a>) {
        let mut frame = Self::bare_frame(class.file, Some(class.class));
        for stmt in &class.class.body.stmts {
            match &stmt.kind {
                StmtKind::Assign { targets, value, declares: true, annotation } => {
                    let value = self.expr(&mut frame, value);
                    let value = self.typed(value, annotation.as_deref());
                    if let Some(name) = targets.first().and_then(Expr::as_name) {
                        self.put_static(class.class, name, value, false);
                    }
                }
                StmtKind::Block(block) => {
                    self.block(&mut frame, block);
                }
                _ => {}
            }
        }
    }

    /// Sets a static field; `joins` what is known of it already.
    pub(super) fn put_static(&mut self, class: &'a Class, name: &str, value: Value<'a>, joins: bool) {
        let Some(known) = self.java.statics.get_mut(&std::ptr::from_ref(class)) else { return };
        let mut shape =
            known.shape.as_deref().cloned().unwrap_or(Shape::Map { entries: Vec::new(), rest: None });
        let value = match shape.entry(name) {
            Some(before) if joins => before.clone().join(value),
            _ => value,
        };
        shape.put(name, value);
        known.shape = Some(Rc::new(shape));
    }
}

/// The declared type of a field; `Some(None)` for one without.
#[allow(clippy::option_option, reason = "a field without a type is not the same as no field")]
pub(super) fn field_type<'c>(class: &'c Class, name: &str) -> Option<Option<&'c str>> {
    class.body.stmts.iter().find_map(|stmt| match &stmt.kind {
        StmtKind::Assign { targets, annotation, .. }
            if targets.iter().any(|target| matches!(&target.kind, ExprKind::Name(own) if own == name)) =>
        {
            Some(annotation.as_deref())
        }
        _ => None,
    })
}

/// A class of that name, at whatever depth.
pub(super) fn class_in<'c>(block: &'c Block, name: &str) -> Option<&'c Class> {
    block.stmts.iter().find_map(|stmt| match &stmt.kind {
        StmtKind::Class(class) if class.name == name => Some(&**class),
        StmtKind::Class(class) => class_in(&class.body, name),
        _ => None,
    })
}

/// All classes that stand in a block or in one of its classes.
fn classes<'c>(block: &'c Block, out: &mut Vec<&'c Class>) {
    for stmt in &block.stmts {
        if let StmtKind::Class(class) = &stmt.kind {
            out.push(class);
            classes(&class.body, out);
        }
    }
}

fn takes(function: &Function, count: usize) -> bool {
    match function.params.last() {
        Some(last) if last.kind == ParamKind::Rest => count + 1 >= function.params.len(),
        _ => function.params.len() == count,
    }
}

/// How well arguments fit the declared types.
fn likeness(function: &Function, given: &[&Value<'_>]) -> usize {
    use crate::scan::flow::value::Known;
    let fits = |(param, value): (&crate::scan::ir::Param, &&Value<'_>)| {
        let kind = param.annotation.as_deref().unwrap_or("");
        let text = matches!(kind, "String" | "CharSequence");
        match (&value.known, value.path.as_deref()) {
            (Some(Known::Text(_)), _) => usize::from(text) * 2,
            (Some(Known::Int(_)), _) => usize::from(types::is_number(kind)) * 2,
            (_, Some(path)) if path == kind => 2,
            (None, _) if value.is_tainted() && text => 1,
            _ => 0,
        }
    };
    let plain = usize::from(function.params.last().is_none_or(|last| last.kind != ParamKind::Rest));
    function.params.iter().zip(given).map(fits).sum::<usize>() * 2 + plain
}
