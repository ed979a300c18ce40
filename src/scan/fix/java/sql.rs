//! SQL in JDBC: the statement is prepared, and every value set on it.

use super::edit::{insert, replace};
use super::sql_text::Bound;
use super::syntax::{Java, bare, field, named, simple};
use super::{Case, draft};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::Draft;
use tree_sitter::Node;

const SUMMARY: &str = "Prepare the statement and set the values on it.";

/// Where the text of a statement stands.
pub(super) struct Source<'t> {
    /// The expression.
    pub(super) expr: Node<'t>,
    /// The variable that holds it.
    pub(super) variable: Option<&'t str>,
}

/// The expression that an argument stands for.
pub(super) fn source_of<'t>(java: &Java<'t>, argument: Node<'t>) -> Result<Source<'t>, String> {
    let node = bare(argument);
    if node.kind() != "identifier" {
        return Ok(Source { expr: node, variable: None });
    }
    let name = java.text(node);
    let expr = java.value_of(name, node).ok_or_else(|| {
        format!("`{name}` is not made in one step in this method; put the values in as parameters by hand")
    })?;
    Ok(Source { expr: bare(expr), variable: Some(name) })
}

/// The fixer.
pub(super) fn bind(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = case.argument.ok_or("the statement is not an argument of the call")?;
    let source = source_of(java, argument)?;
    if java.text(source.expr).contains('?') {
        return Err(
            "the statement has places already; the order of its values has to be settled by hand".into()
        );
    }
    let bound = java.bind_sql(source.expr, &|_| "?".to_owned())?;
    if bound.values.iter().any(|(_, kind)| kind.is_none() || kind.as_deref() == Some("String"))
        && case.site.project.dependencies.iter().any(|name| name == "postgresql")
        && java.text(source.expr).split('\'').count() < 3
    {
        return Err(
            "PostgreSQL asks for the type of the column; convert the value and set it as a parameter".into(),
        );
    }
    let edits = match java.name_of(case.call) {
        "prepareStatement" | "prepareCall" | "nativeSQL" => prepared(case, &source, &bound)?,
        "addBatch" => return Err("a batch of different statements cannot be prepared once".into()),
        _ => executed(case, &source, &bound)?,
    };
    Ok(draft(Tier::A, SUMMARY, edits))
}

/// `name.setString(1, value);` for every value.
fn setters(name: &str, bound: &Bound) -> Vec<String> {
    bound
        .values
        .iter()
        .enumerate()
        .map(|(at, (value, kind))| {
            let method = match kind.as_deref() {
                Some("String") => "setString",
                Some("int") => "setInt",
                Some("long") => "setLong",
                Some("double") => "setDouble",
                Some("boolean") => "setBoolean",
                _ => "setObject",
            };
            format!("{name}.{method}({}, {value});", at + 1)
        })
        .collect()
}

/// The variable that a call's result is bound to.
fn bound_name<'t>(java: &Java<'t>, call: Node<'t>) -> Option<(&'t str, Node<'t>)> {
    let parent = call.parent()?;
    let name = match parent.kind() {
        "variable_declarator" | "resource" => field(parent, "name")?,
        "assignment_expression" => field(parent, "left").filter(|left| left.kind() == "identifier")?,
        _ => return None,
    };
    Some((java.text(name), parent))
}

/// `connection.prepareStatement(text)`.
fn prepared<'t>(case: &Case<'t, '_>, source: &Source<'t>, bound: &Bound) -> Result<Vec<TextEdit>, String> {
    let java = &case.java;
    let mut edits = vec![replace(source.expr, bound.text.clone())];
    let Some((name, holder)) = bound_name(java, case.call) else {
        let connection = field(case.call, "object").map_or("", |object| java.text(object));
        let kind = java.type_name("java.sql.PreparedStatement", &mut edits);
        let name = java.fresh("prepared", case.call);
        let argument = case.argument.map_or("", |argument| java.text(argument));
        let text = if source.variable.is_some() { argument.to_owned() } else { bound.text.clone() };
        let made = format!("{kind} {name} = {connection}.{}({text});", java.name_of(case.call));
        let mut lines = vec![made];
        lines.extend(setters(&name, bound));
        if source.variable.is_none() {
            edits.remove(0);
        }
        edits.push(java.before(case.call, &lines)?);
        edits.push(replace(case.call, name));
        return Ok(edits);
    };
    let sets = java.uses(name, case.call).into_iter().any(|node| {
        node.parent().is_some_and(|call| {
            call.kind() == "method_invocation"
                && field(call, "object") == Some(node)
                && (java.name_of(call).starts_with("set") || java.name_of(call).starts_with("register"))
                && !matches!(java.name_of(call), "setMaxRows" | "setQueryTimeout" | "setFetchSize")
        })
    });
    if sets {
        return Err(
            "the statement has parameters already; the order of its values has to be settled by hand".into(),
        );
    }
    let lines = setters(name, bound);
    if holder.kind() == "resource" {
        edits.extend(in_resources(java, holder, &lines, &[])?);
    } else {
        edits.push(java.behind(case.call, &lines)?);
    }
    Ok(edits)
}

/// `statement.executeQuery(text)`.
fn executed<'t>(case: &Case<'t, '_>, source: &Source<'t>, bound: &Bound) -> Result<Vec<TextEdit>, String> {
    let java = &case.java;
    let receiver = bare(field(case.call, "object").ok_or("the statement's object is not known")?);
    let arguments = field(case.call, "arguments").ok_or("the call has no arguments")?;
    let more: Vec<&str> = java.arguments(case.call).into_iter().skip(1).map(|node| java.text(node)).collect();
    let made = match receiver.kind() {
        "identifier" => java.value_of(java.text(receiver), receiver).map(bare),
        _ => None,
    };
    let creates =
        |node: Node<'t>| node.kind() == "method_invocation" && java.name_of(node) == "createStatement";
    if let Some(made) = made.filter(|made| creates(*made)) {
        declared(case, source, bound, receiver, made, &more)
    } else {
        let connection = if creates(receiver) {
            field(receiver, "object").map_or_else(|| "this".to_owned(), |object| java.text(object).to_owned())
        } else {
            if others(java, receiver, case.call) {
                return Err("the statement is used for other things too".into());
            }
            format!("{}.getConnection()", java.text(receiver))
        };
        let mut edits = Vec::new();
        let kind = java.type_name("java.sql.PreparedStatement", &mut edits);
        let name = java.fresh("prepared", case.call);
        let text = match source.variable {
            Some(variable) => {
                edits.push(replace(source.expr, bound.text.clone()));
                variable.to_owned()
            }
            None => bound.text.clone(),
        };
        let text = std::iter::once(text.as_str()).chain(more).collect::<Vec<_>>().join(", ");
        let mut lines = vec![format!("{kind} {name} = {connection}.prepareStatement({text});")];
        lines.extend(setters(&name, bound));
        let statement = java.statement_of(case.call).ok_or("no statement can be put before the call")?;
        if !java.may_raise(statement, &["SQLException"]) {
            return Err("an SQLException may not be raised before this statement".into());
        }
        edits.push(java.before(case.call, &lines)?);
        edits.push(TextEdit { start: receiver.start_byte(), end: receiver.end_byte(), text: name.clone() });
        edits.push(replace(arguments, "()"));
        // What is asked of the statement later is asked of the prepared one.
        if receiver.kind() == "identifier" {
            for later in java.uses(java.text(receiver), receiver) {
                let closes = later
                    .parent()
                    .is_some_and(|call| call.kind() == "method_invocation" && java.name_of(call) == "close");
                if later.start_byte() > case.call.end_byte() && !closes {
                    edits.push(replace(later, name.clone()));
                }
            }
        }
        Ok(edits)
    }
}

/// Whether a statement runs other texts too.
fn others<'t>(java: &Java<'t>, receiver: Node<'t>, call: Node<'t>) -> bool {
    receiver.kind() == "identifier"
        && java.uses(java.text(receiver), receiver).into_iter().any(|node| {
            node.parent().is_some_and(|other| {
                other.kind() == "method_invocation"
                    && other != call
                    && field(other, "object") == Some(node)
                    && (java.name_of(other).starts_with("execute") || java.name_of(other) == "addBatch")
            })
        })
}

/// A statement that this method makes itself.
fn declared<'t>(
    case: &Case<'t, '_>,
    source: &Source<'t>,
    bound: &Bound,
    receiver: Node<'t>,
    made: Node<'t>,
    more: &[&str],
) -> Result<Vec<TextEdit>, String> {
    let java = &case.java;
    let name = java.text(receiver);
    if others(java, receiver, case.call) {
        return Err("the statement runs other texts too".into());
    }
    let declaration = java.declaration(name, receiver).ok_or("the statement is declared more than once")?;
    let holder = if declaration.kind() == "resource" { Some(declaration) } else { declaration.parent() };
    let kind = holder.and_then(|holder| field(holder, "type")).ok_or("the statement's type is not known")?;
    let mut edits = Vec::new();
    match java.text(kind) {
        "var" => {}
        written if simple(written) == "Statement" => {
            let full = "java.sql.PreparedStatement";
            let shown =
                if written.contains('.') { full.to_owned() } else { java.type_name(full, &mut edits) };
            edits.push(replace(kind, shown));
        }
        _ => return Err("the statement is declared under another type".into()),
    }
    let text = match source.variable {
        None => {
            is_literal(bound)?;
            bound.text.clone()
        }
        Some(variable) => {
            let written =
                java.declaration(variable, receiver).ok_or("the text is declared more than once")?;
            if source.expr.end_byte() <= made.start_byte() {
                edits.push(replace(source.expr, bound.text.clone()));
            } else {
                is_literal(bound)?;
                let own = java.statement_of(written).ok_or("the text is not declared in a statement")?;
                let alone = own.kind() == "local_variable_declaration"
                    && named(own).iter().filter(|child| child.kind() == "variable_declarator").count() == 1
                    && field(written, "value").map(bare) == Some(source.expr);
                let place = java.statement_of(made).and_then(|statement| statement.parent());
                let reaches = place.is_some_and(|place| {
                    place.start_byte() <= own.start_byte() && own.end_byte() <= place.end_byte()
                });
                if !alone || !reaches {
                    return Err("the text is made after the statement".into());
                }
                let kind = java.declared_type(written).unwrap_or("String");
                edits.push(java.before(made, &[format!("{kind} {variable} = {};", bound.text)])?);
                edits.push(java.remove(own));
            }
            variable.to_owned()
        }
    };
    let own: Vec<&str> = java.arguments(made).into_iter().map(|node| java.text(node)).collect();
    let list = std::iter::once(text.as_str()).chain(own).chain(more.iter().copied()).collect::<Vec<_>>();
    let connection =
        field(made, "object").map_or_else(String::new, |object| format!("{}.", java.text(object)));
    edits.push(replace(made, format!("{connection}prepareStatement({})", list.join(", "))));
    let arguments = field(case.call, "arguments").ok_or("the call has no arguments")?;
    let lines = setters(name, bound);
    let in_resource = super::syntax::around(case.call)
        .take_while(|node| node.kind() != "block")
        .find(|node| node.kind() == "resource");
    match in_resource {
        Some(_) if declaration.kind() == "resource" => {
            edits.extend(in_resources(java, declaration, &lines, &[replace(arguments, "()")])?);
        }
        _ => {
            edits.push(java.before(case.call, &lines)?);
            edits.push(replace(arguments, "()"));
        }
    }
    Ok(edits)
}

fn is_literal(bound: &Bound) -> Result<(), String> {
    if bound.is_literal {
        Ok(())
    } else {
        Err("the text still depends on something that is made after the statement".into())
    }
}

/// Lines behind a resource of a `try`: at the start of its body, or, when a later resource needs them, between
/// two of them, with the later ones in a `try` of their own.
fn in_resources<'t>(
    java: &Java<'t>,
    resource: Node<'t>,
    lines: &[String],
    inner_edits: &[TextEdit],
) -> Result<Vec<TextEdit>, String> {
    let header = resource.parent().ok_or("the resource has no try")?;
    let statement = header.parent().ok_or("the resource has no try")?;
    let body = field(statement, "body").ok_or("the try has no body")?;
    let name = field(resource, "name").map_or("", |name| java.text(name));
    let later: Vec<Node<'t>> = named(header)
        .into_iter()
        .filter(|other| other.kind() == "resource" && other.start_byte() > resource.end_byte())
        .collect();
    let needed = later.iter().any(|other| {
        let mut found = false;
        super::syntax::walk(*other, &mut |node| {
            found |= node.kind() == "identifier" && java.text(node) == name;
        });
        found
    });
    let end = java.line_end();
    let outer = java.indent(statement);
    let unit = java.unit(statement);
    if !needed {
        let first = named(body).into_iter().next();
        let indent = first.map_or_else(|| format!("{outer}{unit}"), |first| java.indent(first).to_owned());
        let text: String = lines.iter().map(|line| format!("{end}{indent}{line}")).collect();
        let mut edits = vec![insert(body.start_byte() + 1, text)];
        edits.extend(inner_edits.iter().cloned());
        return Ok(edits);
    }
    let inside = java.src.get(body.start_byte() + 1..body.end_byte() - 1).unwrap_or("");
    if inside.contains("\"\"\"") {
        return Err("the body holds text blocks, which must not be moved".into());
    }
    let first = later.first().ok_or("no resource follows")?;
    let last = later.last().ok_or("no resource follows")?;
    let mut moved = java.src.get(first.start_byte()..last.end_byte()).unwrap_or("").to_owned();
    for edit in inner_edits.iter().rev() {
        let start =
            edit.start.checked_sub(first.start_byte()).ok_or("the call stands in another resource")?;
        let stop = edit.end - first.start_byte();
        moved.replace_range(start..stop, &edit.text);
    }
    let deeper = format!("{outer}{unit}");
    let mut text = String::new();
    for line in lines {
        text.push_str(&format!("{end}{deeper}{line}"));
    }
    text.push_str(&format!("{end}{deeper}try ({moved}) {{"));
    for (at, line) in inside.trim_end().split('\n').enumerate() {
        if at > 0 {
            text.push('\n');
            if !line.trim().is_empty() {
                text.push_str(&unit);
            }
        }
        text.push_str(line);
    }
    text.push_str(&format!("{end}{deeper}}}{end}{outer}"));
    Ok(vec![
        TextEdit { start: resource.end_byte(), end: header.end_byte(), text: ")".into() },
        TextEdit { start: body.start_byte() + 1, end: body.end_byte() - 1, text },
    ])
}
