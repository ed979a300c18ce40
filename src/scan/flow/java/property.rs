//! Property files of the repository, read as what they say; classes made by their names.

use super::{Engine, Frame};
use crate::scan::flow::call::Given;
use crate::scan::flow::value::{Callable, Known, Shape, Value};
use crate::scan::ir::Expr;
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// `load`, `getProperty`, `getBundle`, `getResourceAsStream`, `Class.forName`.
    pub(super) fn property_method(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        path: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let first = given.first().map(|arg| &arg.value);
        match name {
            "getResourceAsStream"
            | "getResource"
            | "newInputStream"
            | "newBufferedReader"
            | "openStream"
            | "openResource"
                if first.or(Some(holder)).and_then(resource).is_some() =>
            {
                let text = first.or(Some(holder)).and_then(resource)?;
                Some(Value { path: Some("InputStream".into()), ..named_resource(&text) })
            }
            "load" | "loadFromXML" if holder.path.as_deref() == Some("Properties") => {
                let text = first.and_then(resource)?;
                let shape = self.entries(&text)?;
                self.put_back(frame, object, holder.clone(), shape);
                Some(Value::default())
            }
            "loadProperties" | "loadAllProperties" => {
                let text = first.and_then(resource)?;
                let shape = self.entries(&text)?;
                Some(Value { path: Some("Properties".into()), ..Value::shaped(shape) })
            }
            "getBundle" if path.starts_with("ResourceBundle.") => {
                let base = first.and_then(Value::known_text)?.replace('.', "/");
                let shape = self.entries(&format!("{base}.properties"))?;
                Some(Value { path: Some("ResourceBundle".into()), ..Value::shaped(shape) })
            }
            // A file that is not there: what stands for it in the code.
            "getProperty" if holder.shape.is_none() && !holder.is_tainted() => match given {
                [_, default] => Some(default.value.clone()),
                _ => None,
            },
            "forName" | "loadClass" => {
                let text = first.and_then(Value::known_text)?;
                let last = text.rsplit(['.', '$']).next().unwrap_or(text).to_owned();
                let class = self.java_class(frame.file, &last)?;
                Some(Value {
                    callable: Some(Callable::Class(class)),
                    path: Some("Class".into()),
                    ..Value::default()
                })
            }
            "getDeclaredConstructor" | "getConstructor" | "asSubclass" if holder.callable.is_some() => {
                Some(holder.clone())
            }
            "newInstance" if holder.callable.is_some() => self.made_by_name(frame, object, holder),
            _ => None,
        }
    }

    /// The entries of a property file of the repository.
    fn entries(&self, name: &str) -> Option<Shape<'a>> {
        let text = self.project.property_file(name)?;
        let entries = read(text).into_iter().map(|(key, value)| (key.into(), Value::text(&value))).collect();
        Some(Shape::Map { entries, rest: None })
    }
}

/// The name of the resource a value stands for.
fn resource(value: &Value<'_>) -> Option<String> {
    if let Some(Known::Text(text)) = &value.known {
        return Some(text.to_string());
    }
    value.shape.as_ref()?.entry("resource")?.known_text().map(str::to_owned)
}

fn named_resource<'a>(text: &str) -> Value<'a> {
    let entries = vec![("resource".into(), Value::text(text))];
    Value { shape: Some(Rc::new(Shape::Map { entries, rest: None })), ..Value::default() }
}

/// Keys and values of a property file.
fn read(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        while line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            match lines.next() {
                Some(next) => line.push_str(next.trim_start()),
                None => break,
            }
        }
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let end = line.find(['=', ':', ' ', '\t']).unwrap_or(line.len());
        let (key, rest) = line.split_at(end);
        let value = rest.trim_start().trim_start_matches(['=', ':']).trim_start();
        out.push((key.to_owned(), value.trim_end().to_owned()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn property_files_are_read_as_java_reads_them() {
        let read = read("# c\n! d\na=1\nb : two words \nc  three\nd=x\\\n  y\n");
        let shown: Vec<(&str, &str)> = read.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(shown, [("a", "1"), ("b", "two words"), ("c", "three"), ("d", "xy")]);
    }
}
