//! SQL text that grows (`sql += …`) or is chosen along the way: a list of values grows beside it.

use super::driver::Driver;
use super::imports::{insert, replace};
use super::sql::{mark_of, write_value};
use super::sql_pass::is_callback;
use super::sql_render::{Mark, render};
use super::sql_text::Reading;
use super::syntax::{How, Js, bare, field, functions_around, named, statement_of};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// One statement that makes or extends the text.
struct Growth<'t> {
    statement: Node<'t>,
    value: Node<'t>,
    extends: bool,
}

/// Binds the values of a text that grows.
///
/// # Errors
/// Why no safe change is known.
pub(crate) fn bind_growing<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    name: Node<'t>,
    driver: Driver,
) -> Result<Vec<TextEdit>, String> {
    if matches!(driver, Driver::Builder | Driver::LibsqlClient | Driver::Sequelize | Driver::Prisma { .. }) {
        return Err("the text grows along the way and this driver takes no plain list of values".into());
    }
    let text = js.text(name);
    let binding = js.binding(text, name).ok_or("the SQL text is not built in this file")?;
    let home = statement_of(binding.ident).ok_or("the SQL text is not declared in a statement")?;
    if binding.how != How::Let || functions_around(binding.ident).first() != functions_around(call).first() {
        return Err("the SQL text is built across functions".into());
    }
    let growths = growths(js, text, binding.value, binding.scope, home, call)?;
    let arguments = js.arguments(call);
    let at =
        arguments.iter().position(|a| bare(*a) == name).ok_or("the text is not an argument of the call")?;
    let given = arguments.get(at + 1).copied().filter(|node| !is_callback(js, *node));
    let list = match (driver, given) {
        (Driver::Statement, _) | (_, None) => None,
        (_, Some(node)) => Some(existing_list(js, node, home)?),
    };
    let list_name =
        list.map_or_else(|| js.fresh_at("params", call), |node: Node<'t>| js.text(node).to_owned());
    let mut edits = Vec::new();
    let mut first: Vec<String> = Vec::new();
    let mut reading = Reading::new(js, driver != Driver::Pg);
    for growth in &growths {
        let from = reading.params.len();
        if !growth.extends {
            reading.close()?;
        }
        reading.read(growth.value)?;
        reading.close()?;
        let added = &reading.params[from..];
        if added.iter().any(|param| param.list) {
            return Err("a list in IN (…) needs one placeholder for each of its values".into());
        }
        if added.iter().any(|param| param.holes.iter().any(|hole| !js.same_value(*hole, growth.statement))) {
            return Err("a value is not in sight where the text is built".into());
        }
        let codes: Vec<String> = added.iter().map(|param| write_value(js, param, driver)).collect();
        if growth.statement == home {
            first = codes;
        } else if !codes.is_empty() {
            if !growth.extends {
                return Err("the SQL text is chosen among several, each with values of its own".into());
            }
            let counted = driver == Driver::Pg;
            if counted && codes.len() > 1 {
                return Err("several numbered placeholders are added at once".into());
            }
            edits.extend(push_beside(js, growth.statement, &list_name, &codes, counted));
        }
    }
    if reading.params.is_empty() {
        return Err("no value in the text can be bound".into());
    }
    if reading.question_marks() > 0 && list.is_none() || reading.greatest_dollar() > 0 {
        return Err("the text already has placeholders".into());
    }
    let mark = mark_of(driver, &reading);
    edits.extend(render_growing(js, &reading, mark, &list_name, first.len())?);
    match list {
        Some(_) if !first.is_empty() => return Err("the list of values is made before the text".into()),
        Some(_) => {}
        None => {
            let end = if js.src.contains("\r\n") { "\r\n" } else { "\n" };
            edits.push(insert(
                home.end_byte(),
                format!(
                    "{end}{}{} {list_name} = [{}]{}",
                    js.indent(home),
                    js.declare(),
                    first.join(", "),
                    js.semi()
                ),
            ));
            if driver == Driver::Statement {
                edits.push(pass_to_statement(js, call, &list_name)?);
            } else {
                edits.push(insert(name.end_byte(), format!(", {list_name}")));
            }
        }
    }
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(edits)
}

/// The statements that make the text, in order; the first is its declaration.
fn growths<'t>(
    js: &Js<'t>,
    text: &str,
    value: Option<Node<'t>>,
    scope: Node<'t>,
    home: Node<'t>,
    call: Node<'t>,
) -> Result<Vec<Growth<'t>>, String> {
    let value = value.map(bare).filter(|value| js.is_building(*value));
    let value = value.ok_or("the SQL text is not built where it can be seen")?;
    let mut out = vec![Growth { statement: home, value, extends: false }];
    for write in js.writes(text, scope) {
        let statement = write.parent().filter(|p| p.kind() == "expression_statement");
        let statement = statement.ok_or("the SQL text is built inside another expression")?;
        if functions_around(write).first() != functions_around(call).first()
            || write.start_byte() > call.start_byte()
        {
            return Err("the SQL text is built across functions".into());
        }
        let right = field(write, "right").ok_or("the SQL text is built in an unknown way")?;
        let extends = match write.kind() {
            "augmented_assignment_expression" => {
                field(write, "operator").is_some_and(|op| js.text(op) == "+=")
            }
            _ => false,
        };
        if !extends && write.kind() != "assignment_expression" {
            return Err("the SQL text is built in an unknown way".into());
        }
        out.push(Growth { statement, value: right, extends });
    }
    Ok(out)
}

/// The list of values the call already gets, when it is an array of this function.
fn existing_list<'t>(js: &Js<'t>, node: Node<'t>, home: Node<'t>) -> Result<Node<'t>, String> {
    let node = bare(node);
    let unclear = "the list of values is made elsewhere";
    if node.kind() != "identifier" {
        return Err(unclear.into());
    }
    let binding = js.binding(js.text(node), node).ok_or(unclear)?;
    let array = binding.value.map(bare).filter(|value| value.kind() == "array").ok_or(unclear)?;
    let beside = statement_of(binding.ident).and_then(|s| s.parent()) == home.parent();
    if !beside || !named(array).is_empty() {
        return Err(unclear.into());
    }
    Ok(node)
}

/// `list.push(a)` beside a statement: behind it, or before it when its placeholder counts the list.
fn push_beside(
    js: &Js<'_>,
    statement: Node<'_>,
    list: &str,
    codes: &[String],
    before: bool,
) -> Vec<TextEdit> {
    let end = if js.src.contains("\r\n") { "\r\n" } else { "\n" };
    let push = format!("{list}.push({}){}", codes.join(", "), js.semi());
    let lone = statement.parent().is_some_and(|p| {
        !matches!(p.kind(), "program" | "statement_block" | "switch_case" | "switch_default")
    });
    let indent = js.indent(statement);
    if lone {
        // `if (x) sql += …;` gets a block of its own.
        let inner = format!("{indent}{}", js.unit());
        let (head, tail) = if before {
            (format!("{{{end}{inner}{push}{end}{inner}"), format!("{end}{indent}}}"))
        } else {
            (format!("{{{end}{inner}"), format!("{end}{inner}{push}{end}{indent}}}"))
        };
        return vec![insert(statement.start_byte(), head), insert(statement.end_byte(), tail)];
    }
    if before {
        vec![insert(statement.start_byte(), format!("{push}{end}{indent}"))]
    } else {
        vec![insert(statement.end_byte(), format!("{end}{indent}{push}"))]
    }
}

fn render_growing(
    js: &Js<'_>,
    reading: &Reading<'_, '_>,
    mark: Mark,
    list: &str,
    fixed: usize,
) -> Result<Vec<TextEdit>, String> {
    if !matches!(mark, Mark::Dollar(_)) {
        return render(js, reading, mark, &[], list);
    }
    let counted = render(js, reading, Mark::Counted, &[], list)?;
    let numbered = render(js, reading, mark, &[], list)?;
    // The declaration's own values have fixed numbers, the later ones count the list.
    let home = reading.buildings.first().map_or(0, |b| b.node.start_byte());
    Ok(numbered
        .into_iter()
        .zip(counted)
        .map(|(first, later)| if fixed > 0 && first.start == home { first } else { later })
        .collect())
}

/// `.all()` to `.all(...params)`.
fn pass_to_statement(js: &Js<'_>, prepare: Node<'_>, list: &str) -> Result<TextEdit, String> {
    let run = prepare
        .parent()
        .filter(|p| p.kind() == "member_expression")
        .and_then(|member| member.parent())
        .filter(|run| matches!(js.callee_name(*run), "get" | "all" | "run" | "iterate"))
        .ok_or("the statement is not run where it is prepared")?;
    let arguments = field(run, "arguments").filter(|list| named(*list).is_empty());
    let arguments = arguments.ok_or("the statement already has values")?;
    Ok(replace(arguments, format!("(...{list})")))
}
