//! Imports of JavaScript and TypeScript, `require` in all its places among them.

use super::{Lowering, at, field, named};
use crate::scan::ir::{At, Import};
use tree_sitter::Node;

impl Lowering<'_> {
    /// `import a, { b as c } from 'm'`, `import * as a from 'm'`, `import a = require('m')`.
    pub(super) fn import(&self, node: Node<'_>) -> Vec<Import> {
        let place = at(node);
        let mut out = Vec::new();
        let mut source = field(node, "source").map(|source| self.module(source));
        for child in named(node) {
            match child.kind() {
                "import_clause" => self.clause(child, place, &mut out),
                "import_require_clause" => {
                    source = field(child, "source").map(|source| self.module(source));
                    if let Some(name) = named(child).first() {
                        out.push(bound(place, self.str(*name), None));
                    }
                }
                _ => {}
            }
        }
        let module = source.unwrap_or_default();
        if out.is_empty() {
            out.push(bound(place, "", None));
        }
        for import in &mut out {
            import.module.clone_from(&module);
        }
        self.imports.borrow_mut().extend(out.iter().cloned());
        out
    }

    fn clause(&self, clause: Node<'_>, place: At, out: &mut Vec<Import>) {
        for part in named(clause) {
            match part.kind() {
                "identifier" => out.push(bound(place, self.str(part), None)),
                "namespace_import" => {
                    if let Some(name) = named(part).first() {
                        out.push(bound(place, self.str(*name), None));
                    }
                }
                "named_imports" => {
                    for specifier in named(part).into_iter().filter(|s| s.kind() == "import_specifier") {
                        let Some(name) = field(specifier, "name") else { continue };
                        let local = field(specifier, "alias").unwrap_or(name);
                        let member = Some(self.str(name)).filter(|name| *name != "default");
                        out.push(bound(place, self.str(local), member));
                    }
                }
                _ => {}
            }
        }
    }

    /// A module's name without quotes and `node:`.
    fn module(&self, node: Node<'_>) -> String {
        let name = self.str(node).trim_matches(|c| matches!(c, '\'' | '"' | '`'));
        name.strip_prefix("node:").unwrap_or(name).to_owned()
    }

    /// The module of `require('m')` or `import('m')`.
    fn required_module(&self, node: Node<'_>) -> Option<String> {
        if node.kind() != "call_expression" {
            return None;
        }
        let function = field(node, "function")?;
        if !matches!(self.str(function), "require" | "import") {
            return None;
        }
        let argument = named(field(node, "arguments")?).into_iter().next()?;
        (argument.kind() == "string").then(|| self.module(argument))
    }

    /// A `require` inside an expression gets a name of its own, so that `require('m').x` reads as `m.x`.
    pub(super) fn required(&self, node: Node<'_>) -> Option<String> {
        let module = self.required_module(node)?;
        let local = format!("require({module})");
        let mut imports = self.imports.borrow_mut();
        if !imports.iter().any(|import| import.local == local) {
            imports.push(Import { at: at(node), local: local.clone(), module, member: None });
        }
        Some(local)
    }

    /// `const a = require('m')`, `const { a, b: c } = require('m')`, `const a = require('m').b`,
    /// `const a = promisify(b)` of an imported `b`.
    pub(super) fn require_declarator(
        &self,
        place: At,
        name: Node<'_>,
        value: Node<'_>,
    ) -> Option<Vec<Import>> {
        let mut value = value;
        while matches!(value.kind(), "await_expression" | "parenthesized_expression" | "as_expression") {
            value = *named(value).first()?;
        }
        let (module, path) = self.source_of(value)?;
        let join = |member: Option<&str>| match (&path, member) {
            (Some(path), Some(member)) => Some(format!("{path}.{member}")),
            (Some(path), None) => Some(path.clone()),
            (None, member) => member.map(str::to_owned),
        };
        let import = |local: &str, member: Option<&str>| Import {
            at: place,
            local: local.to_owned(),
            module: module.clone(),
            member: join(member.filter(|member| *member != "default")),
        };
        let mut out = Vec::new();
        match name.kind() {
            "identifier" => out.push(import(self.str(name), None)),
            "object_pattern" => {
                for part in named(name) {
                    match part.kind() {
                        "shorthand_property_identifier_pattern" => {
                            out.push(import(self.str(part), Some(self.str(part))));
                        }
                        "pair_pattern" => {
                            let (key, local) = (field(part, "key")?, field(part, "value")?);
                            if local.kind() != "identifier" {
                                return None;
                            }
                            out.push(import(self.str(local), Some(self.str(key))));
                        }
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
        self.imports.borrow_mut().extend(out.iter().cloned());
        Some(out)
    }

    /// Module and member path an initialiser stands for.
    fn source_of(&self, value: Node<'_>) -> Option<(String, Option<String>)> {
        if let Some(module) = self.required_module(value) {
            return Some((module, None));
        }
        if value.kind() == "member_expression" {
            let object = field(value, "object")?;
            let member = self.str(field(value, "property")?);
            let (module, path) = if let Some(module) = self.required_module(object) {
                (module, None)
            } else {
                return None;
            };
            let path =
                Some(path.map_or_else(|| member.to_owned(), |path: String| format!("{path}.{member}")));
            return Some((module, path.filter(|path| path != "default")));
        }
        self.promisified(value)
    }

    /// `promisify(exec)`: the promise form of an imported function keeps its name.
    fn promisified(&self, value: Node<'_>) -> Option<(String, Option<String>)> {
        if value.kind() != "call_expression" {
            return None;
        }
        let function = self.str(field(value, "function")?);
        if function != "promisify" && !function.ends_with(".promisify") {
            return None;
        }
        let wrapped = named(field(value, "arguments")?).into_iter().next()?;
        match wrapped.kind() {
            "identifier" => {
                let imports = self.imports.borrow();
                let import = imports.iter().rev().find(|import| import.local == self.str(wrapped))?;
                Some((import.module.clone(), import.member.clone()))
            }
            "member_expression" => {
                let object = field(wrapped, "object")?;
                let member = self.str(field(wrapped, "property")?).to_owned();
                if let Some(module) = self.required_module(object) {
                    return Some((module, Some(member)));
                }
                let imports = self.imports.borrow();
                let import = imports.iter().rev().find(|import| import.local == self.str(object))?;
                let path =
                    import.member.as_ref().map_or_else(|| member.clone(), |path| format!("{path}.{member}"));
                Some((import.module.clone(), Some(path)))
            }
            _ => None,
        }
    }
}

fn bound(at: At, local: &str, member: Option<&str>) -> Import {
    Import { at, local: local.to_owned(), module: String::new(), member: member.map(str::to_owned) }
}
