//! SQL injection in JavaScript and TypeScript: values leave the text and are bound in the driver's own style.

use super::driver::Driver;
use super::imports::{insert, replace};
use super::sql_grow::bind_growing;
use super::sql_pass::{Values, pass_array, pass_entry, pass_statement, write_named};
use super::sql_render::{Mark, keeps_values, parameter_names, render};
use super::sql_text::{Param, Reading};
use super::syntax::entry;
use super::syntax::{How, Js, bare, field, named};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The edits that bind the values of the SQL text `sql` in `call`.
///
/// # Errors
/// Why no safe change is known.
pub(crate) fn bind<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    sql: Node<'t>,
    driver: Driver,
) -> Result<Vec<TextEdit>, String> {
    let argument = bare(sql);
    if argument.kind() == "object" {
        return bind_in_object(js, argument, call, driver);
    }
    if let Some(object) = object_of_name(js, argument) {
        return bind_in_object(js, object, call, driver);
    }
    let double = !matches!(driver, Driver::Pg | Driver::Prisma { dollar: true });
    let mut reading = Reading::new(js, double);
    if js.is_building(argument) {
        reading.read(argument)?;
    } else {
        let Some(value) = text_of_name(js, argument, call)? else {
            return bind_growing(js, call, argument, driver);
        };
        reading.read(value)?;
    }
    finish(js, call, sql, driver, &reading)
}

fn finish<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    sql: Node<'t>,
    driver: Driver,
    reading: &Reading<'_, 't>,
) -> Result<Vec<TextEdit>, String> {
    check_reading(js, call, driver, reading)?;
    let mark = mark_of(driver, reading);
    let numbered = matches!(mark, Mark::Dollar(_));
    let values = Values::of(reading, numbered, &|param| write_value(js, param, driver));
    let arguments = js.arguments(call);
    let at =
        arguments.iter().position(|a| a.id() == sql.id()).ok_or("the text is not an argument of the call")?;
    let second = arguments.get(at + 1).copied().map(bare);
    let mut names = Vec::new();
    let mut mark = mark;
    let mut edits = match driver {
        Driver::Pg | Driver::Mysql | Driver::MysqlExecute | Driver::SqlJs | Driver::Knex => {
            pass_array(js, call, sql, &values, false)?
        }
        Driver::Sqlite => {
            let mut edits = pass_array(js, call, sql, &values, true)?;
            if js.callee_name(call) == "exec" {
                edits.push(rename_method(js, call, "run")?);
            }
            edits
        }
        Driver::Statement if js.callee_name(call) == "exec" => {
            let unused = call.parent().is_some_and(|p| p.kind() == "expression_statement");
            if !unused || second.is_some() {
                return Err("`exec` runs a whole script, which takes no values".into());
            }
            vec![
                rename_method(js, call, "prepare")?,
                insert(call.end_byte(), format!(".run({})", values.codes.join(", "))),
            ]
        }
        Driver::Statement => pass_statement(js, call, reading, &values)?,
        Driver::Sequelize => match second.filter(|s| s.kind() == "object") {
            None if second.is_none() => {
                vec![insert(sql.end_byte(), format!(", {{ replacements: [{}] }}", values.codes.join(", ")))]
            }
            None => return Err("the query's options are made elsewhere".into()),
            Some(options) => {
                let given = entry(js, options, "replacements").and_then(|p| field(p, "value")).map(bare);
                if entry(js, options, "bind").is_some() {
                    return Err("the query already uses `bind`".into());
                }
                if given.is_some_and(|g| g.kind() == "object") {
                    let taken: Vec<String> =
                        given.map(named).unwrap_or_default().iter().map(|p| key_of(js, *p)).collect();
                    names = parameter_names(&reading.params, js, &taken);
                    mark = Mark::Named;
                    pass_entry(js, options, "replacements", &values, Some(&names))?
                } else {
                    pass_entry(js, options, "replacements", &values, None)?
                }
            }
        },
        Driver::Builder => {
            let taken: Vec<String> =
                second.map(named).unwrap_or_default().iter().map(|p| key_of(js, *p)).collect();
            names = parameter_names(&reading.params, js, &taken);
            mark = Mark::Named;
            let written = write_named(&names, &values.codes);
            match second {
                None => vec![insert(sql.end_byte(), format!(", {{ {written} }}"))],
                Some(object) if object.kind() == "object" => match named(object).last() {
                    Some(last) => vec![insert(last.end_byte(), format!(", {written}"))],
                    None => vec![replace(object, format!("{{ {written} }}"))],
                },
                Some(_) => return Err("the parameters are made elsewhere".into()),
            }
        }
        Driver::Prisma { .. } => {
            if second.is_none() && bare(sql).kind() == "template_string" && !keeps_values(reading) {
                return tag_prisma(js, call, reading);
            }
            let rest = &arguments[at + 1..];
            if rest.len() != values.marks {
                return Err("the values already bound do not match the placeholders of the text".into());
            }
            let last = rest.last().unwrap_or(&sql);
            vec![insert(last.end_byte(), format!(", {}", values.codes.join(", ")))]
        }
        Driver::LibsqlClient => {
            let text = render_one(js, reading, mark, sql)?;
            return Ok(vec![replace(sql, format!("{{ sql: {text}, args: [{}] }}", values.codes.join(", ")))]);
        }
    };
    if matches!(driver, Driver::Prisma { .. }) && values.before.iter().any(|b| *b < values.marks) {
        return Err("the order of the values already bound is not known".into());
    }
    edits.extend(render(js, reading, mark, &names, "")?);
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(edits)
}

/// What must hold before anything is bound.
pub(crate) fn check_reading<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    driver: Driver,
    reading: &Reading<'_, 't>,
) -> Result<(), String> {
    reading.close()?;
    if reading.params.is_empty() {
        return Err("no value in the text can be bound".into());
    }
    if reading.sql().trim_end().trim_end_matches(';').contains(';') {
        return Err("the text holds several statements; split them first".into());
    }
    for param in &reading.params {
        if param.list
            && !matches!(
                driver,
                Driver::Statement | Driver::Sqlite | Driver::Mysql | Driver::Sequelize | Driver::Knex
            )
        {
            return Err("a list in IN (…) needs one placeholder for each of its values".into());
        }
        for hole in &param.holes {
            if !js.same_value(*hole, call) {
                return Err("a value may have changed between building the text and running it".into());
            }
        }
    }
    Ok(())
}

/// The mark a driver wants.
pub(crate) fn mark_of(driver: Driver, reading: &Reading<'_, '_>) -> Mark {
    match driver {
        Driver::Pg | Driver::Prisma { dollar: true } => Mark::Dollar(reading.greatest_dollar() + 1),
        _ => Mark::Question,
    }
}

/// The value as the driver wants it.
pub(crate) fn write_value(js: &Js<'_>, param: &Param<'_>, driver: Driver) -> String {
    if param.list {
        return format!("...{}", param.code);
    }
    let number = param.holes.first().is_some_and(|hole| {
        let hole = bare(*hole);
        hole.kind() == "number"
            || matches!(js.callee_name(hole), "Number" | "parseInt" | "Number.parseInt" | "parseFloat")
    });
    match driver {
        _ if !param.numeric => param.code.clone(),
        Driver::Mysql | Driver::Sequelize | Driver::Knex if !number => format!("Number({})", param.code),
        Driver::MysqlExecute => format!("String({})", param.code),
        _ => param.code.clone(),
    }
}

fn key_of(js: &Js<'_>, pair: Node<'_>) -> String {
    js.text(field(pair, "key").unwrap_or(pair)).trim_matches(['\'', '"']).to_owned()
}

/// The one text a name was bound to. `Ok(None)` when it grows or is chosen along the way.
fn text_of_name<'t>(js: &Js<'t>, name: Node<'t>, call: Node<'t>) -> Result<Option<Node<'t>>, String> {
    if name.kind() != "identifier" {
        return Err("the SQL text is not built where it can be seen".into());
    }
    let text = js.text(name);
    let binding = js.binding(text, name).ok_or("the SQL text is not built in this file")?;
    match binding.how {
        How::Param => return Err("the SQL text is built by the callers of this function".into()),
        How::Const | How::Let => {}
        _ => return Err("the SQL text is not built where it can be seen".into()),
    }
    if !js.writes(text, binding.scope).is_empty() {
        return Ok(None);
    }
    let value = binding.value.map(bare).filter(|value| js.is_building(*value));
    let value = value.ok_or("the SQL text is not built where it can be seen")?;
    let others = js.uses(text, binding.scope, binding.ident);
    let logged =
        |node: &Node<'t>| node.start_byte() < call.start_byte() || node.start_byte() > call.end_byte();
    if others.iter().filter(|node| logged(node)).any(|node| is_query_argument(js, *node)) {
        return Err("the SQL text is run in more than one place".into());
    }
    Ok(Some(value))
}

/// The object literal a name was bound to once: `const query = { text: … }`.
fn object_of_name<'t>(js: &Js<'t>, name: Node<'t>) -> Option<Node<'t>> {
    if name.kind() != "identifier" {
        return None;
    }
    let binding = js.binding(js.text(name), name)?;
    let object = binding.value.map(bare).filter(|value| value.kind() == "object")?;
    let alone = js.uses(js.text(name), binding.scope, binding.ident).len() == 1;
    (alone && binding.how == How::Const).then_some(object)
}

fn is_query_argument<'t>(js: &Js<'t>, node: Node<'t>) -> bool {
    node.parent().filter(|p| p.kind() == "arguments").and_then(|p| p.parent()).is_some_and(|call| {
        !matches!(js.callee_name(call), "log" | "debug" | "info" | "warn" | "error" | "trace")
    })
}

/// `query({ text: sql, values: [..] })` of pg, `query({ sql, values })` of mysql, `execute({ sql, args })` of libsql.
fn bind_in_object<'t>(
    js: &Js<'t>,
    object: Node<'t>,
    call: Node<'t>,
    driver: Driver,
) -> Result<Vec<TextEdit>, String> {
    let (text_key, values_key) = match driver {
        Driver::Pg => ("text", "values"),
        Driver::LibsqlClient => ("sql", "args"),
        Driver::Mysql | Driver::MysqlExecute => ("sql", "values"),
        _ => return Err("the query is an object of unknown form".into()),
    };
    let pair = entry(js, object, text_key).ok_or("the query object has no text")?;
    let value = field(pair, "value").unwrap_or(pair);
    let text = if js.is_building(value) {
        bare(value)
    } else {
        let name = if pair.kind() == "pair" { bare(value) } else { pair };
        let binding =
            js.binding(js.text(name), name).filter(|b| js.writes(js.text(name), b.scope).is_empty());
        binding
            .and_then(|b| b.value)
            .filter(|v| js.is_building(*v))
            .map(bare)
            .ok_or("the SQL text is not built where it can be seen")?
    };
    let mut reading = Reading::new(js, driver != Driver::Pg);
    reading.read(text)?;
    check_reading(js, object, driver, &reading)?;
    check_reading(js, call, driver, &reading)?;
    let mark = mark_of(driver, &reading);
    let values =
        Values::of(&reading, matches!(mark, Mark::Dollar(_)), &|param| write_value(js, param, driver));
    let mut edits = pass_entry(js, object, values_key, &values, None)?;
    edits.extend(render(js, &reading, mark, &[], "")?);
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(edits)
}

/// `$queryRawUnsafe(`…${x}…`)` to ``$queryRaw`…${x}…` ``.
fn tag_prisma<'t>(js: &Js<'t>, call: Node<'t>, reading: &Reading<'_, 't>) -> Result<Vec<TextEdit>, String> {
    let function = field(call, "function").ok_or("the call has no name")?;
    let list = field(call, "arguments").ok_or("the call has no arguments")?;
    let name = js.text(function).strip_suffix("Unsafe").ok_or("the call is not one of Prisma's raw calls")?;
    let written = render(js, reading, Mark::Tagged, &[], "")?;
    let text = written.into_iter().next().map(|edit| edit.text).ok_or("the text could not be written")?;
    let end = list.start_byte();
    Ok(vec![
        TextEdit { start: function.start_byte(), end, text: name.to_owned() },
        TextEdit { start: end, end: list.end_byte(), text },
    ])
}

fn render_one(js: &Js<'_>, reading: &Reading<'_, '_>, mark: Mark, sql: Node<'_>) -> Result<String, String> {
    let edits = render(js, reading, mark, &[], "")?;
    match edits.as_slice() {
        [edit] if edit.start == sql.start_byte() => Ok(edit.text.clone()),
        _ => Err("the SQL text is built apart from the call".into()),
    }
}

fn rename_method(js: &Js<'_>, call: Node<'_>, name: &str) -> Result<TextEdit, String> {
    let _ = js;
    let property =
        field(call, "function").and_then(|f| field(f, "property")).ok_or("the call has no method name")?;
    Ok(replace(property, name))
}
