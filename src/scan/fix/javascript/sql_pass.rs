//! Handing bound values to a JavaScript driver: arrays, prepared statements, options.

use super::imports::{insert, replace};
use super::sql_text::{Param, Reading};
use super::syntax::entry;
use super::syntax::{How, Js, bare, field, is_function, named};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The values in the order of their marks, each as it is to be written.
pub(crate) struct Values {
    /// One for each parameter; a list has `...` before it where it is spread.
    pub(crate) codes: Vec<String>,
    /// How many old marks stood before each.
    pub(crate) before: Vec<usize>,
    /// How many marks the text had.
    pub(crate) marks: usize,
}

impl Values {
    /// The values of a reading.
    pub(crate) fn of(
        reading: &Reading<'_, '_>,
        numbered: bool,
        write: &dyn Fn(&Param<'_>) -> String,
    ) -> Self {
        let marks = if numbered { reading.greatest_dollar() } else { reading.question_marks() };
        Self {
            codes: reading.params.iter().map(write).collect(),
            before: reading.params.iter().map(|p| if numbered { marks } else { p.before }).collect(),
            marks,
        }
    }

    fn joined(&self) -> String {
        self.codes.join(", ")
    }

    /// Edits that put the values between the `old` ones at their places.
    fn between(&self, old: &[Node<'_>], empty_at: usize) -> Result<Vec<TextEdit>, String> {
        if old.iter().any(|node| node.kind() == "spread_element")
            && self.before.iter().any(|b| *b < self.marks)
        {
            return Err(
                "the values already bound are spread, so the order of the new ones is not known".into()
            );
        }
        if old.len() != self.marks && !old.iter().any(|node| node.kind() == "spread_element") {
            return Err("the values already bound do not match the placeholders of the text".into());
        }
        let mut edits: Vec<TextEdit> = Vec::new();
        for (code, before) in self.codes.iter().zip(&self.before) {
            let (at, text) = if old.is_empty() {
                let first = edits.is_empty();
                (empty_at, if first { code.clone() } else { format!(", {code}") })
            } else if let Some(next) = old.get(*before).filter(|_| *before < self.marks) {
                (next.start_byte(), format!("{code}, "))
            } else {
                (old.last().map_or(empty_at, Node::end_byte), format!(", {code}"))
            };
            edits.push(insert(at, text));
        }
        Ok(edits)
    }
}

/// Whether an argument is a callback.
pub(crate) fn is_callback<'t>(js: &Js<'t>, node: Node<'t>) -> bool {
    let node = bare(node);
    if is_function(node) {
        return true;
    }
    if node.kind() == "call_expression" {
        return js.callee_name(node) == "bind";
    }
    if node.kind() != "identifier" {
        return false;
    }
    let name = js.text(node);
    match js.binding(name, node) {
        Some(binding) if binding.how == How::Function => true,
        Some(binding) if binding.value.is_some_and(|value| is_function(bare(value))) => true,
        Some(binding) if binding.how != How::Param => false,
        _ => matches!(name, "cb" | "callback" | "done" | "next" | "fn" | "handler" | "resolve"),
    }
}

/// Values as an array behind the text: `query(sql, [a, b], …)`.
///
/// # Errors
/// When what is bound already cannot be read.
pub(crate) fn pass_array<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    sql: Node<'t>,
    values: &Values,
    single_values: bool,
) -> Result<Vec<TextEdit>, String> {
    let arguments = js.arguments(call);
    let at =
        arguments.iter().position(|a| a.id() == sql.id()).ok_or("the text is not an argument of the call")?;
    let rest = &arguments[at + 1..];
    let fresh = || vec![insert(sql.end_byte(), format!(", [{}]", values.joined()))];
    let Some(second) = rest.first().copied() else { return Ok(fresh()) };
    let bound = bare(second);
    if bound.kind() == "array" {
        return values.between(&named(bound), bound.start_byte() + 1);
    }
    if is_callback(js, second) {
        return Ok(fresh());
    }
    if matches!(js.text(bound), "undefined" | "null") {
        return Ok(vec![replace(second, format!("[{}]", values.joined()))]);
    }
    if single_values && values.marks > 0 {
        let old: Vec<Node<'_>> = rest.iter().copied().take_while(|node| !is_callback(js, *node)).collect();
        if old.len() == values.marks
            && bound.kind() != "object"
            && (values.marks > 1 || bound.kind() != "identifier")
        {
            return values.between(&old, second.start_byte());
        }
    }
    if matches!(bound.kind(), "identifier" | "member_expression") && values.marks > 0 {
        if values.before.iter().all(|before| *before == values.marks) {
            return Ok(vec![replace(second, format!("[...{}, {}]", js.text(bound), values.joined()))]);
        }
        return Err("the list of values is made elsewhere, so the order of the new ones is not known".into());
    }
    Err("it is not clear what the call's second argument is".into())
}

/// Values as an entry of an options object: `query({ sql, values: [a] })`, `query(sql, { replacements: [a] })`.
///
/// # Errors
/// When what is bound already cannot be read.
pub(crate) fn pass_entry<'t>(
    js: &Js<'t>,
    object: Node<'t>,
    key: &str,
    values: &Values,
    named_marks: Option<&[String]>,
) -> Result<Vec<TextEdit>, String> {
    let wanted = if named_marks.is_some() { "object" } else { "array" };
    if let Some(pair) = entry(js, object, key) {
        let old = field(pair, "value").map(bare).filter(|value| value.kind() == wanted);
        let old =
            old.ok_or_else(|| format!("`{key}` is made elsewhere, so the new values cannot be added"))?;
        return match named_marks {
            None => values.between(&named(old), old.start_byte() + 1),
            Some(names) => {
                let text = write_named(names, &values.codes);
                Ok(match named(old).last() {
                    Some(last) => vec![insert(last.end_byte(), format!(", {text}"))],
                    None => vec![replace(old, format!("{{ {text} }}"))],
                })
            }
        };
    }
    let written = match named_marks {
        None => format!("{key}: [{}]", values.joined()),
        Some(names) => format!("{key}: {{ {} }}", write_named(names, &values.codes)),
    };
    Ok(match named(object).last() {
        Some(last) if last.start_position().row > object.start_position().row => {
            vec![insert(last.end_byte(), format!(",\n{}{written}", js.indent(*last)))]
        }
        Some(last) => vec![insert(last.end_byte(), format!(", {written}"))],
        None => vec![replace(object, format!("{{ {written} }}"))],
    })
}

/// `a, b: req.query.b`: entries of an object literal.
pub(crate) fn write_named(names: &[String], codes: &[String]) -> String {
    let entries: Vec<String> = names
        .iter()
        .zip(codes)
        .map(|(name, code)| if name == code { name.clone() } else { format!("{name}: {code}") })
        .collect();
    entries.join(", ")
}

/// Values handed to the statement that `prepare(sql)` gave, wherever it is run.
///
/// # Errors
/// When the statement's runs are not all in sight.
pub(crate) fn pass_statement<'t>(
    js: &Js<'t>,
    prepare: Node<'t>,
    reading: &Reading<'_, 't>,
    values: &Values,
) -> Result<Vec<TextEdit>, String> {
    let mut parent = prepare.parent();
    while let Some(node) =
        parent.filter(|p| matches!(p.kind(), "await_expression" | "parenthesized_expression"))
    {
        parent = node.parent();
    }
    let runs = match parent {
        Some(member) if member.kind() == "member_expression" => vec![run_of(js, member)?],
        Some(declarator) if declarator.kind() == "variable_declarator" => {
            let name = field(declarator, "name").filter(|n| n.kind() == "identifier");
            let name = name.ok_or("the statement is taken apart")?;
            let binding = js.binding(js.text(name), name).ok_or("the statement's name is not found")?;
            let uses = js.uses(js.text(name), binding.scope, name);
            if uses.is_empty() || !js.writes(js.text(name), binding.scope).is_empty() {
                return Err("the statement is not run in this function".into());
            }
            let mut runs = Vec::new();
            for usage in uses {
                let member = usage
                    .parent()
                    .filter(|p| p.kind() == "member_expression" && field(*p, "object") == Some(usage))
                    .ok_or("the statement is handed on, so its runs are not all in sight")?;
                if js.text(field(member, "property").unwrap_or(member)) == "finalize" {
                    continue;
                }
                let run = run_of(js, member)?;
                for hole in reading.params.iter().flat_map(|p| &p.holes) {
                    if !js.same_value(*hole, run) {
                        return Err("a value may have changed between preparing and running".into());
                    }
                }
                runs.push(run);
            }
            runs
        }
        _ => return Err("the statement is handed on, so its runs are not all in sight".into()),
    };
    let mut edits = Vec::new();
    for run in runs {
        let list = field(run, "arguments").ok_or("the statement's run has no argument list")?;
        let old = named(list);
        let single = match old.as_slice() {
            [one] if bare(*one).kind() == "array" => Some(bare(*one)),
            _ => None,
        };
        if let Some(array) = single {
            edits.extend(values.between(&named(array), array.start_byte() + 1)?);
            continue;
        }
        if old.iter().any(|node| is_callback(js, *node)) {
            let kept: Vec<Node<'_>> =
                old.iter().copied().take_while(|node| !is_callback(js, *node)).collect();
            let mut added = values.between(&kept, list.start_byte() + 1)?;
            if let (true, Some(last)) = (kept.is_empty(), added.last_mut()) {
                last.text.push_str(", ");
            }
            edits.extend(added);
            continue;
        }
        edits.extend(values.between(&old, list.start_byte() + 1)?);
    }
    Ok(edits)
}

/// The call that runs the statement, behind `pluck()` and its like.
fn run_of<'t>(js: &Js<'t>, member: Node<'t>) -> Result<Node<'t>, String> {
    let call = member
        .parent()
        .filter(|p| p.kind() == "call_expression")
        .ok_or("the statement's method is handed on")?;
    match js.text(field(member, "property").unwrap_or(member)) {
        "get" | "all" | "run" | "iterate" | "bind" | "each" | "values" | "getAsObject" => Ok(call),
        "pluck" | "raw" | "expand" | "safeIntegers" | "columns" => call
            .parent()
            .filter(|p| p.kind() == "member_expression")
            .ok_or_else(|| "the statement is handed on, so its runs are not all in sight".to_owned())
            .and_then(|next| run_of(js, next)),
        other => Err(format!("`{other}` of a statement takes no values")),
    }
}
