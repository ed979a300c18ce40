//! Places in other texts: `JdbcTemplate`, JPA, LDAP filters, `XPath` expressions.

use super::edit::{insert, replace};
use super::pieces::Piece;
use super::sql::source_of;
use super::syntax::field;
use super::{Case, draft};
use crate::finding::Tier;
use crate::scan::fix::Draft;

/// `jdbc.query(text, mapper)`: the values follow the other arguments.
pub(super) fn template(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = case.argument.ok_or("the statement is not an argument of the call")?;
    if matches!(java.name_of(case.call), "execute" | "batchUpdate") {
        return Err("this method takes no values; use `update` or `query` with `?`".into());
    }
    let source = source_of(java, argument)?;
    if java.text(source.expr).contains('?') {
        return Err(
            "the statement has places already; the order of its values has to be settled by hand".into()
        );
    }
    let arguments = java.arguments(case.call);
    if arguments.iter().skip(1).any(|node| {
        java.text(*node).contains("Object[]")
            || matches!(java.type_of(*node), Some("PreparedStatementSetter"))
    }) {
        return Err("the values are handed over as an array; add the new ones to it by hand".into());
    }
    let bound = java.bind_sql(source.expr, &|_| "?".to_owned())?;
    let values: Vec<&str> = bound.values.iter().map(|(value, _)| value.as_str()).collect();
    let last = arguments.last().ok_or("the call has no arguments")?;
    let mut edits = vec![replace(source.expr, bound.text.clone())];
    let behind = format!(", {}", values.join(", "));
    if *last == argument && source.variable.is_none() {
        edits[0].text.push_str(&behind);
    } else {
        edits.push(insert(last.end_byte(), behind));
    }
    Ok(draft(Tier::A, "Hand the values over as arguments of the query.", edits))
}

/// `em.createQuery(text)`: named places, and `setParameter` behind the call.
pub(super) fn query(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = case.argument.ok_or("the query is not an argument of the call")?;
    let source = source_of(java, argument)?;
    let native = java.name_of(case.call) == "createNativeQuery";
    let first = java.bind_sql(source.expr, &|_| "?".to_owned())?;
    let text = java.text(source.expr);
    if text.contains('?') || (!native && text.replace("::", "").contains(':')) {
        return Err("the query has places already; add the new ones by hand".into());
    }
    let mut names: Vec<String> = Vec::new();
    for (at, (value, _)) in first.values.iter().enumerate() {
        let plain = value.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        let name = if plain && !names.contains(value) { value.clone() } else { format!("value{}", at + 1) };
        names.push(name);
    }
    let bound = java.bind_sql(source.expr, &|at| {
        if native {
            format!("?{at}")
        } else {
            format!(":{}", names.get(at - 1).map_or("value", String::as_str))
        }
    })?;
    let quoted = text.split('\'').count() / 2;
    if bound.values.len() > quoted
        && bound.values.iter().any(|(_, kind)| kind.as_deref().is_none_or(|kind| kind == "String"))
    {
        return Err(
            "the type of the attribute is not known here; convert the value and set it as a parameter".into(),
        );
    }
    let sets: String = bound
        .values
        .iter()
        .enumerate()
        .map(|(at, (value, _))| {
            let key = if native { (at + 1).to_string() } else { format!("\"{}\"", names[at]) };
            format!(".setParameter({key}, {value})")
        })
        .collect();
    let edits = vec![replace(source.expr, bound.text.clone()), insert(case.call.end_byte(), sets)];
    Ok(draft(Tier::A, "Set the values as parameters of the query.", edits))
}

/// `context.search(name, filter, controls)`: the filter's values as arguments; Spring's encoder elsewhere.
pub(super) fn filter(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let arguments = java.arguments(case.call);
    let argument = case.argument.ok_or("the filter is not an argument of the call")?;
    if arguments.get(1) != Some(&argument) {
        return Err("the value stands in a name, not in a filter; encode it by `Rdn.escapeValue`".into());
    }
    let source = source_of(java, argument)?;
    let pieces = java.pieces(source.expr);
    let mut text = String::new();
    let mut values = Vec::new();
    let mut edits = Vec::new();
    let spring = java.constant_path(case).is_some_and(|path| path.starts_with("LdapTemplate"));
    for piece in &pieces {
        match piece {
            Piece::Text(_, letters) if letters.contains(['{', '}']) => {
                return Err("the filter holds braces already".into());
            }
            Piece::Text(_, letters) => text.push_str(letters),
            Piece::Value(value) => {
                if text.rfind('=').is_none_or(|at| text.rfind('(').is_some_and(|open| open > at)) {
                    return Err("the value is not what an attribute is compared with".into());
                }
                if spring && java.is_tainted(*value) {
                    let kind = java.type_name("org.springframework.ldap.support.LdapEncoder", &mut edits);
                    edits.push(replace(*value, format!("{kind}.filterEncode({})", java.text(*value))));
                }
                text.push_str(&format!("{{{}}}", values.len()));
                values.push(java.text(*value));
            }
        }
    }
    if values.is_empty() {
        return Err("no value is found in the filter".into());
    }
    if spring {
        return Ok(draft(Tier::B, "Encode the values for the filter.", edits));
    }
    if arguments.len() != 3 {
        return Err("the filter has arguments already".into());
    }
    edits.push(replace(source.expr, format!("\"{text}\"")));
    let list = format!(", new Object[] {{{}}}", values.join(", "));
    if source.variable.is_none() {
        edits[0].text.push_str(&list);
    } else {
        edits.push(insert(argument.end_byte(), list));
    }
    Ok(draft(Tier::A, "Hand the values over as arguments of the filter.", edits))
}

/// `xpath.evaluate(expression, …)`: variables, and a resolver that gives them.
pub(super) fn variables(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let argument = case.argument.ok_or("the expression is not an argument of the call")?;
    let object = field(case.call, "object").filter(|object| object.kind() == "identifier");
    let object = object.ok_or("the XPath object has no name of its own here")?;
    if java.src.contains("setXPathVariableResolver") {
        return Err("there is a resolver of variables already; add the value to it by hand".into());
    }
    let source = source_of(java, argument)?;
    let bound = java.bind_sql(source.expr, &|at| format!("$value{at}"))?;
    let xpath = java.text(object);
    let mut lines = Vec::new();
    let mut chain = String::new();
    for (at, (value, kind)) in bound.values.iter().enumerate() {
        let name = java.fresh(&format!("value{}", at + 1), case.call);
        let shown = kind.as_deref().unwrap_or("Object");
        lines.push(format!("final {shown} {name} = {value};"));
        chain.push_str(&format!("\"value{}\".equals(variable.getLocalPart()) ? {name} : ", at + 1));
    }
    lines.push(format!("{xpath}.setXPathVariableResolver(variable -> {chain}null);"));
    let edits = vec![replace(source.expr, bound.text.clone()), java.before(case.call, &lines)?];
    Ok(draft(Tier::B, "Use variables in the expression and give their values by a resolver.", edits))
}

impl super::syntax::Java<'_> {
    /// The path of what is called.
    pub(super) fn constant_path(&self, case: &Case<'_, '_>) -> Option<String> {
        Some(case.site.callee.clone()).filter(|callee| !callee.is_empty())
    }
}
