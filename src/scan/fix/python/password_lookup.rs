//! Queries that look for a row by the hash: the row's hash is read first and verified, and only then looked for.

use super::place::newline;
use super::sql_grow::indent_of;
use super::template::{bindings, free_word};
use crate::finding::TextEdit;
use crate::scan::fix::{Site, replace};
use crate::scan::ir::{At, Block, Call, Expr, ExprKind, Stmt, StmtKind};

/// A query that asks for the hash.
#[derive(Debug, Clone)]
pub(super) enum Lookup<'a> {
    /// `execute("SELECT … WHERE name = ? AND password = ?", (name, hash))`
    Sql {
        /// The statement it stands in.
        stmt: &'a Stmt,
        /// The call.
        call: &'a Call,
        /// The value that is the hash.
        value: &'a Expr,
        /// `SELECT password FROM users WHERE name = ?`
        first: String,
        /// The values of that one.
        values: Vec<&'a str>,
        /// How an item of the row is read: `[0]` or `["password"]`.
        item: String,
    },
    /// `user = User.query.filter_by(name=name, password=hash).first()`
    Model {
        /// The statement.
        stmt: &'a Stmt,
        /// What is taken out of the arguments.
        taken: At,
        /// The variable the row goes to.
        row: &'a str,
        /// The column's attribute.
        column: String,
    },
}

const WHY: &str = "stored hashes are looked up by their value, which no salted hash allows; fetch the user first and then verify";

/// The lookup in an expression of a statement, if there is one; the reason when it cannot be taken apart.
pub(super) fn lookup<'a>(
    site: &Site<'a>,
    scope: &'a Block,
    stmt: &'a Stmt,
    expr: &'a Expr,
    is_hash: &dyn Fn(&Expr) -> bool,
) -> Result<Option<Lookup<'a>>, String> {
    let mut calls: Vec<(&'a Call, At)> = Vec::new();
    expr.walk(&mut |inner| {
        if let ExprKind::Call(call) = &inner.kind {
            let mut holds = false;
            for arg in &call.args {
                arg.value.walk(&mut |part| holds |= is_hash(part));
            }
            if holds {
                calls.push((call, inner.at));
            }
        }
    });
    for (call, at) in calls {
        let (method, is_query_db) = match &call.callee.kind {
            ExprKind::Member { name, .. } => (name.as_str(), false),
            ExprKind::Name(name) => (name.as_str(), name == "query_db"),
            _ => continue,
        };
        if method.starts_with("execute") || method.starts_with("fetch") || is_query_db {
            let sql = statement_text(scope, call);
            let words = sql.clone().unwrap_or_default().trim_start().to_lowercase();
            if words.starts_with("insert") || words.starts_with("update") || words.starts_with("replace") {
                return Ok(None);
            }
            let sql =
                sql.ok_or_else(|| "the query is put together from texts; bind its values first".to_owned())?;
            return sql_lookup(site, stmt, call, &sql, is_hash).map(Some).ok_or_else(|| WHY.to_owned());
        }
        let model = matches!(method, "filter" | "filter_by" | "where" | "find_one" | "find")
            || method == "get" && call.args.iter().any(|arg| arg.name.is_some());
        if model {
            return model_lookup(site, stmt, call, at, is_hash).map(Some).ok_or_else(|| WHY.to_owned());
        }
    }
    Ok(None)
}

/// The statement's text, when it is one literal.
fn statement_text(scope: &Block, call: &Call) -> Option<String> {
    let first = &call.position(0)?.value;
    let literal = |expr: &Expr| match &expr.kind {
        ExprKind::Text(text) => text.constant(),
        ExprKind::Call(call) if call.callee.dotted().is_some_and(|name| name.ends_with("text")) => {
            call.position(0).and_then(|arg| arg.value.as_text())
        }
        _ => None,
    };
    match &first.kind {
        ExprKind::Name(name) => match bindings(scope, name) {
            (values, 0) if values.len() == 1 => literal(values[0]),
            _ => None,
        },
        _ => literal(first),
    }
}

fn sql_lookup<'a>(
    site: &Site<'a>,
    stmt: &'a Stmt,
    call: &'a Call,
    sql: &str,
    is_hash: &dyn Fn(&Expr) -> bool,
) -> Option<Lookup<'a>> {
    let text = &site.file.text;
    let given = &call.position(1)?.value;
    let ExprKind::List { items, .. } = &given.kind else { return None };
    let at = items.iter().position(is_hash)?;
    let sql: String = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let sql = sql.trim_end_matches(';').trim();
    let lower = sql.to_lowercase();
    let from = lower.find(" from ")?;
    let place = lower.find(" where ")?;
    if !lower.starts_with("select ") || place < from || lower.contains(" or ") || lower.contains(" join ") {
        return None;
    }
    let table = &sql[from + 6..place];
    let end = lower[place..].find(" limit ").map_or(sql.len(), |limit| place + limit);
    if table.contains([',', ' ', '(', '?', '%'])
        || sql[..place].contains(['?', '%'])
        || sql[end..].contains(['?', '%'])
    {
        return None;
    }
    let (mut column, mut kept, mut values) = (None, Vec::new(), Vec::new());
    let mut count = 0;
    for condition in split_and(&sql[place + 7..end]) {
        let (name, value) = condition.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let plain = !name.is_empty()
            && name.chars().all(|letter| letter.is_alphanumeric() || "_.`\"".contains(letter));
        if !plain || !matches!(value, "?" | "%s") {
            return None;
        }
        if count == at {
            column = Some(name.to_owned());
        } else {
            kept.push(condition.trim().to_owned());
            values.push(items.get(count)?.outer.of(text));
        }
        count += 1;
    }
    let column = column?;
    if count != items.len()
        || kept.is_empty()
        || stmt.at.of(text).starts_with("elif")
        || is_awaited(stmt, call)
    {
        return None;
    }
    let bare = column.rsplit('.').next().unwrap_or(&column).trim_matches(['`', '"']).to_owned();
    let by_name = site.project.files.iter().any(|file| {
        ["DictCursor", "dictionary=True", "dict_factory", "dict_row"]
            .iter()
            .any(|word| file.text.contains(word))
    });
    Some(Lookup::Sql {
        stmt,
        call,
        value: &items[at],
        first: format!("SELECT {column} FROM {table} WHERE {}", kept.join(" AND ")),
        values,
        item: if by_name { format!("[\"{bare}\"]") } else { "[0]".to_owned() },
    })
}

fn split_and(conditions: &str) -> Vec<&str> {
    let lower = conditions.to_lowercase();
    let mut out = Vec::new();
    let mut start = 0;
    for (at, _) in lower.match_indices(" and ") {
        out.push(&conditions[start..at]);
        start = at + 5;
    }
    out.push(&conditions[start..]);
    out
}

fn is_awaited(stmt: &Stmt, call: &Call) -> bool {
    let mut found = false;
    for expr in stmt.exprs() {
        expr.walk(&mut |inner| {
            found |= matches!(inner.kind, ExprKind::Await(_)) && inner.at.holds(call.args_at);
        });
    }
    found
}

fn model_lookup<'a>(
    site: &Site<'a>,
    stmt: &'a Stmt,
    call: &'a Call,
    at: At,
    is_hash: &dyn Fn(&Expr) -> bool,
) -> Option<Lookup<'a>> {
    let StmtKind::Assign { targets, value, .. } = &stmt.kind else { return None };
    let [target] = targets.as_slice() else { return None };
    let row = target.as_name()?;
    // The whole value: `….filter_by(…).first()`.
    let last = value.as_call()?;
    let ExprKind::Member { object, name, .. } = &last.callee.kind else { return None };
    if !matches!(name.as_str(), "first" | "one_or_none")
        || object.at != at
        || matches!(value.kind, ExprKind::Await(_))
    {
        return None;
    }
    if call.args.len() < 2 {
        return None;
    }
    let (position, column) =
        call.args.iter().enumerate().find_map(|(position, arg)| match (&arg.name, &arg.value.kind) {
            (Some(name), _) if is_hash(&arg.value) => Some((position, name.clone())),
            (None, ExprKind::Binary { op, left, right }) if op == "==" => {
                let other = if is_hash(right) {
                    left
                } else if is_hash(left) {
                    right
                } else {
                    return None;
                };
                match &other.kind {
                    ExprKind::Member { name, .. } => Some((position, name.clone())),
                    _ => None,
                }
            }
            _ => None,
        })?;
    if column.contains("__") {
        return None;
    }
    let taken = if position == 0 {
        At::new(call.args[0].at.start, call.args[1].at.start)
    } else {
        At::new(call.args[position - 1].at.end, call.args[position].at.end)
    };
    let rest = site.file.text[stmt.at.end..].split('\n').next().unwrap_or("").trim();
    (rest.is_empty() || rest.starts_with('#')).then_some(Lookup::Model { stmt, taken, row, column })
}

/// The edits; `check` writes the call that verifies.
pub(super) fn edits(
    site: &Site<'_>,
    lookup: &Lookup<'_>,
    check: &dyn Fn(&str) -> String,
    taken_names: &mut Vec<String>,
) -> Result<Vec<TextEdit>, String> {
    let text = &site.file.text;
    let nl = newline(site);
    match lookup {
        Lookup::Sql { stmt, call, value, first, values, item } => {
            let indent = indent_of(text, stmt)?;
            let mut free = |choices: &[&str]| {
                let name = choices
                    .iter()
                    .find(|name| !taken_names.iter().any(|taken| taken == *name) && free_word(text, name));
                name.map(|name| {
                    taken_names.push((*name).to_owned());
                    (*name).to_owned()
                })
                .ok_or_else(|| "no free name is left for the stored hash".to_owned())
            };
            let known = free(&["known", "known_row", "stored_row", "found_row", "hash_row"])?;
            let hash = match value.as_name() {
                Some(name) => name.to_owned(),
                None => free(&["stored_hash", "known_hash", "verified_hash", "matching_hash"])?,
            };
            let tuple = if values.len() == 1 {
                format!("({},)", values[0])
            } else {
                format!("({})", values.join(", "))
            };
            let callee = call.callee.at.of(text);
            let quote = if first.contains('"') { "'" } else { "\"" };
            let query = format!("{callee}({quote}{first}{quote}, {tuple}");
            let ExprKind::Member { object, .. } = &call.callee.kind else {
                let one = format!("{known} = {query}, one=True)");
                let chosen = format!(
                    "{hash} = {known}{item} if {known} is not None and {} else None",
                    check(&format!("{known}{item}"))
                );
                let lines = format!("{one}{nl}{indent}{chosen}{nl}{indent}");
                let mut out = vec![replace(At::new(stmt.at.start, stmt.at.start), lines)];
                out.extend((value.as_name().is_none()).then(|| replace(value.outer, hash)));
                return Ok(out);
            };
            let receiver = object.at.of(text);
            // `conn.execute(…).fetchone()` where the code itself chains, else two statements.
            let chains = text[call.args_at.end..].trim_start().starts_with('.');
            let asks = if chains {
                format!("{known} = {query}).fetchone(){nl}{indent}")
            } else {
                format!("{query}){nl}{indent}{known} = {receiver}.fetchone(){nl}{indent}")
            };
            let reads = format!("{known}{item}");
            let chosen = format!(
                "{hash} = {reads} if {known} is not None and {} else None{nl}{indent}",
                check(&reads)
            );
            let mut out = vec![replace(At::new(stmt.at.start, stmt.at.start), format!("{asks}{chosen}"))];
            if value.as_name().is_none() {
                out.push(replace(value.outer, hash));
            }
            Ok(out)
        }
        Lookup::Model { stmt, taken, row, column } => {
            let indent = indent_of(text, stmt)?;
            let step = super::place::step(site);
            let holds = check(&format!("{row}.{column}"));
            let lines =
                format!("{nl}{indent}if {row} is not None and not {holds}:{nl}{indent}{step}{row} = None");
            Ok(vec![replace(*taken, ""), replace(At::new(stmt.at.end, stmt.at.end), lines)])
        }
    }
}
