//! Writing SQL text back with placeholders, in the form and lines it was built in.

use super::imports::replace;
use super::pieces::Piece;
use super::sql_text::{New, Out, Param, Reading, escape_template};
use super::syntax::{Js, quoted};
use crate::finding::TextEdit;

/// How a driver marks a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// `?`.
    Question,
    /// `$1`, `$2`; the number is that of the first new one.
    Dollar(usize),
    /// `:name`.
    Named,
    /// `$${params.length}`: the text grows as the list does.
    Counted,
    /// `${expression}` in a tagged template.
    Tagged,
}

/// What a part of the new string is.
enum Item {
    Text(String),
    Code(String),
}

/// Edits that write every building of the reading anew.
///
/// # Errors
/// When comments between the operands would be lost.
pub(crate) fn render(
    js: &Js<'_>,
    reading: &Reading<'_, '_>,
    mark: Mark,
    names: &[String],
    list_name: &str,
) -> Result<Vec<TextEdit>, String> {
    let mut edits = Vec::new();
    for (index, building) in reading.buildings.iter().enumerate() {
        let own: Vec<&Out<'_>> = reading.out.iter().filter(|out| out.building == index).collect();
        if !own.iter().any(|out| matches!(out.new, New::Mark(_))) {
            continue;
        }
        let mut groups: Vec<(usize, usize, Vec<Item>)> = Vec::new();
        let operands = &building.operands;
        let separated = operands.windows(2).all(|pair| {
            let between = js.src.get(pair[0].node.end_byte()..pair[1].node.start_byte()).unwrap_or("(");
            !between.contains(['(', ')'])
        });
        for (at, operand) in operands.iter().enumerate() {
            let items = own
                .iter()
                .filter(|out| out.operand == at)
                .filter_map(|out| item(js, &out.new, reading, mark, names, list_name));
            let same_line = groups.last().is_some_and(|(_, last, _)| {
                operands[*last].node.end_position().row == operand.node.start_position().row
            });
            match groups.last_mut() {
                Some((_, end, list)) if same_line || !separated => {
                    let between = js.src.get(operands[*end].node.end_byte()..operand.node.start_byte());
                    if between.is_some_and(|b| b.contains("//") || b.contains("/*")) {
                        return Err("the text is built with comments between its parts".into());
                    }
                    *end = at;
                    list.extend(items);
                }
                _ => groups.push((at, at, items.collect())),
            }
        }
        let mut text = String::new();
        for (number, (first, last, items)) in groups.iter().enumerate() {
            let template = (*first..=*last).any(|at| operands[at].node.kind() == "template_string");
            let preferred = operands[*first..=*last]
                .iter()
                .find(|o| o.node.kind() == "string")
                .map(|o| js.text(o.node))
                // `"… '" + x + "'"` was set in the other quotes only for the quotes inside.
                .filter(|text| text.starts_with(js.quote()) || !text.contains(js.quote()))
                .and_then(|text| text.chars().next())
                .unwrap_or_else(|| js.quote());
            let code = write_group(items, template, preferred);
            if code.is_empty() && groups.len() > 1 {
                continue;
            }
            if number > 0 && !text.is_empty() {
                let from = operands[groups[number - 1].1].node.end_byte();
                text.push_str(js.src.get(from..operands[*first].node.start_byte()).unwrap_or(" + "));
            }
            text.push_str(if code.is_empty() { "''" } else { &code });
        }
        let node = building.node;
        edits.push(replace(node, text));
    }
    Ok(edits)
}

fn item(
    js: &Js<'_>,
    new: &New<'_>,
    reading: &Reading<'_, '_>,
    mark: Mark,
    names: &[String],
    list_name: &str,
) -> Option<Item> {
    match new {
        New::Text(text) if text.is_empty() => None,
        New::Text(text) => Some(Item::Text(text.clone())),
        New::Keep(node) => Some(Item::Code(js.text(*node).to_owned())),
        New::Mark(index) => {
            let param = reading.params.get(*index)?;
            Some(match mark {
                Mark::Question if param.list => {
                    let q = js.quote();
                    Item::Code(format!("{}.map(() => {q}?{q}).join({q}, {q})", param.code))
                }
                Mark::Question => Item::Text("?".into()),
                Mark::Dollar(first) => Item::Text(format!("${}", first + index)),
                Mark::Named => Item::Text(format!(":{}", names.get(*index)?)),
                Mark::Counted => {
                    // The `$` before the hole is text; `escape_template` leaves it alone.
                    return Some(Item::Code(format!("\u{2}{list_name}.length")));
                }
                Mark::Tagged => Item::Code(param.code.clone()),
            })
        }
    }
}

/// One literal, or literals and values joined by `+`.
fn write_group(items: &[Item], template: bool, preferred: char) -> String {
    let mut merged: Vec<Item> = Vec::new();
    for item in items {
        match (merged.last_mut(), item) {
            (Some(Item::Text(last)), Item::Text(text)) => last.push_str(text),
            (_, Item::Text(text)) => merged.push(Item::Text(text.clone())),
            (_, Item::Code(code)) => merged.push(Item::Code(code.clone())),
        }
    }
    let has_code = merged.iter().any(|item| matches!(item, Item::Code(_)));
    let counted = merged.iter().any(|item| matches!(item, Item::Code(code) if code.starts_with('\u{2}')));
    let multi_line = merged.iter().any(|item| matches!(item, Item::Text(text) if text.contains('\n')));
    if counted || (template && (has_code || multi_line)) {
        return as_template(&merged);
    }
    let mut parts = Vec::new();
    for item in &merged {
        parts.push(match item {
            Item::Text(text) => as_string(text, preferred),
            Item::Code(code) => code.clone(),
        });
    }
    parts.join(" + ")
}

fn as_template(items: &[Item]) -> String {
    let mut out = String::from("`");
    for item in items {
        match item {
            Item::Text(text) => out.push_str(&escape_template(text)),
            Item::Code(code) => {
                if let Some(counted) = code.strip_prefix('\u{2}') {
                    out.push_str("$${");
                    out.push_str(counted);
                    out.push('}');
                } else {
                    out.push_str("${");
                    out.push_str(code);
                    out.push('}');
                }
            }
        }
    }
    out.push('`');
    out
}

fn as_string(text: &str, preferred: char) -> String {
    let other = if preferred == '"' { '\'' } else { '"' };
    if !text.contains(preferred) {
        quoted(text, preferred)
    } else if !text.contains(other) {
        quoted(text, other)
    } else if !text.contains('`') && !text.contains("${") && !text.contains('\\') {
        format!("`{text}`")
    } else {
        quoted(text, preferred)
    }
}

/// A name for each parameter, taken from what it reads: `req.query.user` is `user`.
pub(crate) fn parameter_names(params: &[Param<'_>], js: &Js<'_>, taken: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for param in params {
        let source = param.holes.first().map_or("value", |hole| js.text(*hole));
        let word: String = source
            .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
            .find(|word| word.starts_with(|c: char| c.is_alphabetic()))
            .unwrap_or("value")
            .to_owned();
        let mut name = word.clone();
        let mut number = 2;
        while names.contains(&name) || taken.contains(&name) {
            name = format!("{word}{number}");
            number += 1;
        }
        names.push(name);
    }
    names
}

/// Whether a template operand has a value in it that is not bound.
pub(crate) fn keeps_values(reading: &Reading<'_, '_>) -> bool {
    reading
        .buildings
        .iter()
        .flat_map(|b| &b.operands)
        .flat_map(|o| &o.pieces)
        .any(|p| matches!(p, Piece::Hole(_)))
        && reading.out.iter().any(|out| matches!(out.new, New::Keep(_)))
}
