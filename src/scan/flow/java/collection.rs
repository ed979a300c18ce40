//! Lists, sets, queues and maps: what goes in under which place or key, and what comes out again.

use super::make::flat;
use super::{Engine, Frame};
use crate::scan::flow::call::Given;
use crate::scan::flow::text::concat;
use crate::scan::flow::value::{Known, Shape, Value};
use crate::scan::ir::Expr;
use std::rc::Rc;

const LISTS: &[&str] = &[
    "ArrayList",
    "LinkedList",
    "Vector",
    "Stack",
    "ArrayDeque",
    "HashSet",
    "LinkedHashSet",
    "TreeSet",
    "CopyOnWriteArrayList",
    "PriorityQueue",
    "LinkedBlockingQueue",
    "ConcurrentLinkedQueue",
    "ConcurrentLinkedDeque",
    "ConcurrentSkipListSet",
];

const MAPS: &[&str] = &[
    "HashMap",
    "LinkedHashMap",
    "TreeMap",
    "Hashtable",
    "ConcurrentHashMap",
    "IdentityHashMap",
    "WeakHashMap",
    "Properties",
    "JSONObject",
    "LinkedMultiValueMap",
    "EnumMap",
    "MapSqlParameterSource",
];

fn list(items: Vec<Value<'_>>) -> Value<'_> {
    Value::shaped(Shape::List { items, rest: None })
}

/// A list of which only is known what may be in it.
pub(super) fn list_of_any(any: Value<'_>) -> Value<'_> {
    Value::shaped(Shape::List { items: Vec::new(), rest: Some(Box::new(any)) })
}

/// A new collection, perhaps filled from another one.
pub(super) fn made<'a>(name: &str, given: &[Given<'a>]) -> Option<Value<'a>> {
    let first = given.first().map(|arg| &arg.value);
    if LISTS.contains(&name) {
        return Some(match first {
            Some(value) if matches!(value.shape.as_deref(), Some(Shape::List { .. })) => value.clone(),
            Some(value) if value.is_tainted() => list_of_any(flat(value.clone())),
            _ => list(Vec::new()),
        });
    }
    if MAPS.contains(&name) {
        return Some(match first {
            Some(value) if matches!(value.shape.as_deref(), Some(Shape::Map { .. })) => value.clone(),
            Some(value) if value.is_tainted() => {
                Value::shaped(Shape::Map { entries: Vec::new(), rest: Some(Box::new(flat(value.clone()))) })
            }
            _ => Value::shaped(Shape::Map { entries: Vec::new(), rest: None }),
        });
    }
    None
}

/// A key as text.
fn key_of(value: &Value<'_>) -> Option<Rc<str>> {
    match value.known.as_ref()? {
        Known::Text(text) => Some(Rc::clone(text)),
        Known::Int(number) => Some(number.to_string().into()),
        Known::Bool(flag) => Some(flag.to_string().into()),
        Known::Null => None,
    }
}

fn place_of(value: Option<&Value<'_>>) -> Option<usize> {
    match value?.known.as_ref()? {
        Known::Int(at) => usize::try_from(*at).ok(),
        _ => None,
    }
}

fn push_rest<'a>(rest: &mut Option<Box<Value<'a>>>, value: Value<'a>) {
    let known = rest.take();
    *rest = Some(Box::new(match known {
        Some(known) => known.join(value),
        None => value,
    }));
}

impl<'a> Engine<'a> {
    /// A method of a collection, or one that makes one.
    pub(super) fn collection_method(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        path: &str,
        given: &[Given<'a>],
    ) -> Option<Value<'a>> {
        let values: Vec<Value<'a>> = given.iter().map(|arg| arg.value.clone()).collect();
        match path {
            "Arrays.asList" | "List.of" | "Set.of" | "Stream.of" | "Lists.newArrayList"
            | "ImmutableList.of" | "ImmutableSet.of" | "EnumSet.of" | "Sets.newHashSet" => {
                return Some(match values.as_slice() {
                    [one] if matches!(one.shape.as_deref(), Some(Shape::List { .. })) => one.clone(),
                    _ => list(values),
                });
            }
            "Collections.singletonList" | "Collections.singleton" => return Some(list(values)),
            "Collections.emptyList" | "Collections.emptySet" => return Some(list(Vec::new())),
            "Collections.emptyMap" => {
                return Some(Value::shaped(Shape::Map { entries: Vec::new(), rest: None }));
            }
            "Collections.unmodifiableList"
            | "Collections.unmodifiableSet"
            | "Collections.unmodifiableMap"
            | "List.copyOf"
            | "Set.copyOf"
            | "Map.copyOf"
            | "Arrays.stream"
            | "Arrays.copyOf"
            | "Collections.synchronizedList" => return values.into_iter().next(),
            "Arrays.toString" => return values.into_iter().next().map(flat),
            "Map.of" | "Collections.singletonMap" | "ImmutableMap.of" => {
                let mut shape = Shape::Map { entries: Vec::new(), rest: None };
                for pair in values.chunks(2) {
                    if let [key, value] = pair {
                        put(&mut shape, key, value.clone());
                    }
                }
                return Some(Value::shaped(shape));
            }
            "Map.entry" => {
                let mut shape = Shape::Map { entries: Vec::new(), rest: None };
                for (key, value) in ["Key", "Value"].iter().zip(values) {
                    shape.put(key, value);
                }
                return Some(Value { path: Some("Entry".into()), ..Value::shaped(shape) });
            }
            "Map.ofEntries" => {
                let mut shape = Shape::Map { entries: Vec::new(), rest: None };
                for entry in &values {
                    let parts = entry.shape.as_deref()?;
                    put(&mut shape, parts.entry("Key")?, parts.entry("Value")?.clone());
                }
                return Some(Value::shaped(shape));
            }
            _ => {}
        }
        let shape = holder.shape.as_deref()?;
        match shape {
            Shape::List { .. } => self.list_call(frame, object, holder, name, &values),
            Shape::Map { .. } if holder.path.as_deref() == Some("Entry") => {
                shape.entry(name.strip_prefix("get")?).cloned()
            }
            Shape::Map { .. } => self.map_call(frame, object, holder, name, &values),
            // A part of a record, a getter that nobody wrote.
            Shape::Object { .. } => {
                let field = name.strip_prefix("get").or_else(|| name.strip_prefix("is")).unwrap_or(name);
                let mut letters = field.chars();
                let first = letters.next()?;
                let field: String = first.to_lowercase().chain(letters).collect();
                if let (Some(setting), [value]) = (name.strip_prefix("set"), values.as_slice()) {
                    let mut letters = setting.chars();
                    let field: String = letters.next()?.to_lowercase().chain(letters).collect();
                    let mut next = shape.clone();
                    next.put(&field, value.clone());
                    self.put_back(frame, object, holder.clone(), next);
                    return Some(Value::default());
                }
                values.is_empty().then(|| shape.entry(&field).cloned()).flatten()
            }
        }
    }

    fn list_call(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        values: &[Value<'a>],
    ) -> Option<Value<'a>> {
        let shape = holder.shape.as_deref()?;
        let mut next = shape.clone();
        let Shape::List { items, rest } = &mut next else { return None };
        let any = || {
            let mut any = shape.any();
            crate::scan::flow::value::merge(&mut any.taints, &holder.taints);
            any
        };
        let first = values.first();
        let given = match (name, values) {
            ("add" | "addLast" | "offer" | "offerLast" | "addElement", [value]) => {
                match rest {
                    Some(_) => push_rest(rest, value.clone()),
                    None => items.push(value.clone()),
                }
                Value::default()
            }
            ("push" | "addFirst" | "offerFirst", [value]) => {
                let at_end = holder.path.as_deref() == Some("Stack");
                let at = if at_end { items.len() } else { 0 };
                items.insert(at, value.clone());
                value.clone()
            }
            ("add" | "insertElementAt", [at, value]) => {
                match place_of(Some(at)).filter(|at| *at <= items.len()) {
                    Some(at) => items.insert(at, value.clone()),
                    None => push_rest(rest, value.clone()),
                }
                Value::default()
            }
            ("addAll", [more]) => {
                match more.shape.as_deref() {
                    Some(Shape::List { items: others, rest: None }) if rest.is_none() => {
                        items.extend(others.clone());
                    }
                    Some(other) => push_rest(rest, other.any()),
                    None => push_rest(rest, more.clone()),
                }
                Value::default()
            }
            ("set", [at, value]) => {
                match place_of(Some(at)).filter(|at| *at < items.len()) {
                    Some(at) => items[at] = value.clone(),
                    None => push_rest(rest, value.clone()),
                }
                Value::default()
            }
            ("get" | "elementAt", [at]) => {
                return Some(match (place_of(Some(at)), rest.is_some()) {
                    (Some(at), _) if at < items.len() => items[at].clone(),
                    _ => any(),
                });
            }
            ("getFirst" | "firstElement" | "peekFirst" | "element", []) => {
                return Some(items.first().cloned().unwrap_or_else(any));
            }
            ("peek", []) => {
                let found =
                    if holder.path.as_deref() == Some("Stack") { items.last() } else { items.first() };
                return Some(found.cloned().unwrap_or_else(any));
            }
            ("getLast" | "lastElement" | "peekLast", []) => {
                let found = items.last().filter(|_| rest.is_none()).cloned();
                return Some(found.unwrap_or_else(any));
            }
            ("remove" | "removeFirst" | "poll" | "pollFirst" | "pop" | "removeLast" | "pollLast", _) => {
                let last =
                    name.ends_with("Last") || (name == "pop" && holder.path.as_deref() == Some("Stack"));
                let at = match (first, last) {
                    (Some(value), _) => match &value.known {
                        Some(Known::Int(_)) => place_of(Some(value)),
                        Some(known) => items.iter().position(|item| item.known.as_ref() == Some(known)),
                        // An unknown one: no place is certain any more.
                        None => {
                            let all = any();
                            items.clear();
                            *rest = Some(Box::new(all));
                            None
                        }
                    },
                    (None, true) => items.len().checked_sub(1).filter(|_| rest.is_none()),
                    (None, false) => Some(0),
                };
                match at.filter(|at| *at < items.len()) {
                    Some(at) => items.remove(at),
                    None => any(),
                }
            }
            ("clear" | "removeAllElements", []) => {
                items.clear();
                *rest = None;
                Value::default()
            }
            (
                "contains" | "isEmpty" | "size" | "indexOf" | "containsAll" | "hasNext" | "hasMoreElements"
                | "isPresent",
                _,
            ) => {
                return Some(match (name, &rest) {
                    ("size", None) => i64::try_from(items.len())
                        .map_or_else(|_| Value::default(), |count| Value::known(Known::Int(count))),
                    ("isEmpty", None) => Value::known(Known::Bool(items.is_empty())),
                    _ => Value::default(),
                });
            }
            (
                "iterator" | "listIterator" | "elements" | "toArray" | "toList" | "clone" | "stream"
                | "subList" | "parallelStream" | "descendingIterator" | "reversed",
                _,
            ) => {
                let kept = if matches!(name, "subList" | "reversed" | "descendingIterator") {
                    list_of_any(any())
                } else {
                    Value { path: None, ..holder.clone() }
                };
                return Some(kept);
            }
            ("next" | "nextElement" | "orElse" | "orElseThrow" | "take", _) => return Some(any()),
            ("toString", []) => return Some(concat(&[flat(holder.clone())])),
            _ => return None,
        };
        self.put_back(frame, object, holder.clone(), next);
        Some(given)
    }

    fn map_call(
        &mut self,
        frame: &mut Frame<'a>,
        object: &'a Expr,
        holder: &Value<'a>,
        name: &str,
        values: &[Value<'a>],
    ) -> Option<Value<'a>> {
        let shape = holder.shape.as_deref()?;
        let mut next = shape.clone();
        let given = match (name, values) {
            (
                "put" | "putIfAbsent" | "replace" | "add" | "setProperty" | "addValue" | "accumulate"
                | "putOpt",
                [key, value],
            ) => {
                put(&mut next, key, value.clone());
                Value::default()
            }
            (
                "get" | "getProperty" | "getString" | "getOrDefault" | "optString" | "getFirst",
                [key, more @ ..],
            ) => {
                let default = more.first().cloned().unwrap_or_else(|| Value::known(Known::Null));
                let Some(key) = key_of(key) else { return Some(shape.any().join(default)) };
                let Shape::Map { entries, rest } = shape else { return None };
                let found = entries.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone());
                let mut found = match (found, rest.as_deref()) {
                    (Some(found), _) => found,
                    (None, Some(rest)) => rest.clone().join(default),
                    (None, None) => default,
                };
                crate::scan::flow::value::merge(&mut found.taints, &holder.taints);
                return Some(found);
            }
            ("remove", [key]) => {
                let Shape::Map { entries, .. } = &mut next else { return None };
                let key = key_of(key)?;
                match entries.iter().position(|(known, _)| *known == key) {
                    Some(at) => entries.remove(at).1,
                    None => return Some(Value::known(Known::Null)),
                }
            }
            ("clear", []) => {
                next = Shape::Map { entries: Vec::new(), rest: None };
                Value::default()
            }
            ("putAll", [more]) => {
                match more.shape.as_deref() {
                    Some(Shape::Map { entries, rest }) => {
                        for (key, value) in entries {
                            next.put(key, value.clone());
                        }
                        if let (Some(more), Shape::Map { rest, .. }) = (rest, &mut next) {
                            push_rest(rest, (**more).clone());
                        }
                    }
                    _ => {
                        if let Shape::Map { rest, .. } = &mut next {
                            push_rest(rest, flat(more.clone()));
                        }
                    }
                }
                Value::default()
            }
            ("containsKey", [key]) => {
                let Shape::Map { entries, rest } = shape else { return None };
                let certain = key_of(key).filter(|_| rest.is_none());
                return Some(certain.map_or_else(Value::default, |key| {
                    Value::known(Known::Bool(entries.iter().any(|(known, _)| *known == key)))
                }));
            }
            ("values" | "elements", []) => return Some(list_of_any(shape.any())),
            ("keySet" | "keys" | "stringPropertyNames", []) => return Some(list_of_any(Value::constant())),
            ("entrySet", []) => {
                let mut entry = Shape::Map { entries: Vec::new(), rest: None };
                entry.put("Key", Value { taints: holder.taints.clone(), ..Value::constant() });
                entry.put("Value", shape.any());
                return Some(list_of_any(Value { path: Some("Entry".into()), ..Value::shaped(entry) }));
            }
            ("isEmpty" | "size" | "containsValue", _) => return Some(Value::default()),
            ("toString", []) => return Some(concat(&[flat(holder.clone())])),
            _ => return None,
        };
        self.put_back(frame, object, holder.clone(), next);
        Some(given)
    }
}

fn put<'a>(shape: &mut Shape<'a>, key: &Value<'a>, value: Value<'a>) {
    match key_of(key) {
        Some(key) => shape.put(&key, value),
        None => {
            if let Shape::Map { rest, .. } = shape {
                push_rest(rest, value);
            }
        }
    }
}
