//! Streams and optionals: what a function makes of each element.

use super::collection::list_of_any;
use super::{Engine, Frame};
use crate::scan::flow::call::Given;
use crate::scan::flow::text::concat;
use crate::scan::flow::value::{Callable, Kinds, Shape, Value};

impl<'a> Engine<'a> {
    /// A step of a stream or an optional.
    pub(super) fn stream_method(
        &mut self,
        frame: &mut Frame<'a>,
        holder: &Value<'a>,
        name: &str,
        path: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        match path {
            "Optional.of" | "Optional.ofNullable" => {
                return given.first().map(|arg| list_of_any(arg.value.clone()));
            }
            "Optional.empty" => return Some(Value::shaped(Shape::List { items: Vec::new(), rest: None })),
            _ => {}
        }
        let list = matches!(holder.shape.as_deref(), Some(Shape::List { .. }));
        if !list {
            return None;
        }
        match (name, given) {
            ("map" | "mapToObj" | "flatMap", [by]) => {
                let made = self.run_callbacks(frame, path, Some(holder), given);
                let made = made.unwrap_or_else(|| {
                    let mut element = Self::element(holder);
                    let by = by.value.path.as_deref().unwrap_or("");
                    if let Some(sanitizer) = self.lexicon.sanitizers.matches(by).first() {
                        element.clear(Kinds::of(&sanitizer.kinds));
                    }
                    element
                });
                let made = match (name, made.shape.as_deref()) {
                    ("flatMap", Some(shape)) => shape.any(),
                    _ => made,
                };
                Some(list_of_any(Value { path: None, ..made }))
            }
            (
                "mapToInt" | "mapToLong" | "mapToDouble" | "count" | "sum" | "anyMatch" | "allMatch"
                | "noneMatch",
                _,
            ) => {
                self.run_callbacks(frame, path, Some(holder), given);
                Some(Value::default())
            }
            ("filter" | "sorted" | "distinct" | "limit" | "skip" | "peek" | "boxed" | "parallel", _) => {
                self.run_callbacks(frame, path, Some(holder), given);
                Some(list_of_any(Self::element(holder)))
            }
            ("forEach" | "forEachOrdered" | "ifPresent", _) => {
                self.run_callbacks(frame, "?.forEach", Some(holder), given);
                Some(Value::default())
            }
            ("findFirst" | "findAny" | "or" | "toArray", _) => Some(list_of_any(Self::element(holder))),
            ("reduce", _) => Some(concat(&[Self::element(holder)])),
            ("collect", [by]) => {
                let by = by.value.path.as_deref().unwrap_or("");
                Some(if by.contains("joining") {
                    concat(&[Self::element(holder), Value::text("")])
                } else {
                    list_of_any(Self::element(holder))
                })
            }
            ("get" | "orElseThrow", []) => Some(Self::element(holder)),
            ("orElse" | "orElseGet", [other]) => {
                let other = match &other.value.callable {
                    Some(Callable::Function(_)) => {
                        self.run_callbacks(frame, path, None, given).unwrap_or_default()
                    }
                    _ => other.value.clone(),
                };
                Some(Self::element(holder).join(other))
            }
            _ => None,
        }
    }
}
