//! Path traversal in JavaScript and TypeScript: the resolved path must lie inside the folder it was joined to.

use super::answer::framed;
use super::imports::{insert, replace};
use super::pieces::Piece;
use super::syntax::{How, Js, bare, field, functions_around, named, statement_of};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// A path expression: the folder it begins with.
struct Joined {
    /// The folder as an expression.
    folder: String,
    /// The whole path as an expression, made absolute.
    whole: String,
    /// Whether `whole` is what already stands there.
    unchanged: bool,
    /// Parts behind the folder, when the path is a plain join of one value.
    value: Option<String>,
    /// Edits of the import section.
    edits: Vec<TextEdit>,
}

/// The edits that contain the path `argument` of `call`.
///
/// # Errors
/// Why no folder is known, or no check can be put in.
pub(crate) fn contain<'t>(js: &Js<'t>, call: Node<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let node = bare(argument);
    let named_path = if node.kind() == "identifier" { defined_path(js, node) } else { None };
    let expression = named_path.map_or(node, |(value, _)| value);
    let joined = read_path(js, expression)?;
    if functions_around(call).first().is_some_and(|function| js.is_list_callback(*function)) {
        return Err("the path is used inside a list callback, where the check cannot end the request".into());
    }
    let arguments = js.arguments(call);
    if let (None, Some(value), "sendFile", 1) =
        (named_path, &joined.value, js.callee_name(call), arguments.len())
    {
        return Ok(vec![replace(argument, format!("{value}, {{ root: {} }}", joined.folder))]);
    }
    let mut edits = joined.edits.clone();
    let base = folder_text(js, &joined.folder, expression, &mut edits);
    let sep = path_member(js, "sep", &mut edits);
    let semi = js.semi();
    let listing = matches!(js.callee_name(call), "readdir" | "readdirSync" | "opendir");
    let condition = |file: &str| {
        let inside = format!("!{file}.startsWith({base} + {sep})");
        if listing { format!("{file} !== {base} && {inside}") } else { inside }
    };
    let check = |file: &str| -> (Vec<String>, Vec<TextEdit>) {
        let (ways, more) = js.refuse(call, 404, "not found");
        let mut lines = vec![format!("if ({}) {{", condition(file))];
        lines.extend(ways.into_iter().map(|way| format!("{}{way}", js.unit())));
        lines.push("}".into());
        (lines, more)
    };
    match named_path {
        Some((old, made)) if functions_around(made).first() == functions_around(call).first() => {
            let name = js.text(made);
            let (lines, more) = check(name);
            edits.extend(more);
            if !joined.unchanged {
                edits.push(replace(old, joined.whole.clone()));
            }
            let statement = statement_of(made).ok_or("the path is not declared in a statement")?;
            if named(statement).iter().filter(|c| c.kind() == "variable_declarator").count() != 1 {
                return Err("the path is declared together with other names".into());
            }
            let end = line_end(js);
            let indent = js.indent(statement);
            let added = framed(&lines, &format!("{end}{indent}"), "");
            edits.push(insert(statement.end_byte(), added));
        }
        Some(_) => return Err("the path is built outside the function that uses it".into()),
        None => {
            let name = js.fresh_at("filePath", call);
            let (lines, more) = check(&name);
            edits.extend(more);
            let mut all = vec![format!("{} {name} = {}{semi}", js.declare(), joined.whole)];
            all.extend(lines);
            edits.extend(js.before(call, &all).ok_or("no statement can be put before the call")?);
            edits.push(replace(argument, name));
        }
    }
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(edits)
}

fn line_end(js: &Js<'_>) -> &'static str {
    if js.src.contains("\r\n") { "\r\n" } else { "\n" }
}

/// The one value a path's name was declared with, and the declaring name.
fn defined_path<'t>(js: &Js<'t>, name: Node<'t>) -> Option<(Node<'t>, Node<'t>)> {
    let binding = js.binding(js.text(name), name)?;
    let once =
        matches!(binding.how, How::Const | How::Let) && js.writes(js.text(name), binding.scope).is_empty();
    let value = binding.value.map(bare).filter(|_| once)?;
    Some((value, binding.ident))
}

/// How a member of `path` is written here; the import is extended or added where needed.
fn path_member(js: &Js<'_>, member: &str, edits: &mut Vec<TextEdit>) -> String {
    let known = js.import("path");
    let listed = known.whole.is_none() && !known.members.is_empty();
    let has = known.members.iter().any(|(name, _)| *name == member);
    let (name, more) = if has || (listed && !js.has_name(member)) {
        let reached = js.reach_member("path", member);
        (reached.name, reached.edits)
    } else {
        let reached = js.reach_module("path");
        (format!("{}.{member}", reached.name), reached.edits)
    };
    for edit in more {
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    name
}

fn read_path<'t>(js: &Js<'t>, node: Node<'t>) -> Result<Joined, String> {
    let no_folder = "no folder is known that the path must stay in; name one and join to it";
    let mut edits = Vec::new();
    let method = if node.kind() == "call_expression" { js.callee_name(node) } else { "" };
    if method == "normalize"
        && let Some(inner) = js.arguments(node).first()
    {
        let joined = read_path(js, bare(*inner))?;
        edits.clone_from(&joined.edits);
        let resolve = path_member(js, "resolve", &mut edits);
        let whole = format!("{resolve}({})", js.text(*inner));
        return Ok(Joined { whole, unchanged: false, value: None, edits, ..joined });
    }
    if matches!(method, "join" | "resolve") && is_path_call(js, node) {
        let parts = js.arguments(node);
        if parts.iter().any(|part| part.kind() == "spread_element") {
            return Err(no_folder.into());
        }
        let fixed = parts.iter().take_while(|part| is_folder(js, **part)).count();
        if fixed == 0 || fixed == parts.len() {
            return Err(no_folder.into());
        }
        if !is_folder_start(js, parts[0]) {
            return Err(no_folder.into());
        }
        let folder = if fixed == 1 {
            js.text(parts[0]).to_owned()
        } else {
            let words: Vec<&str> = parts[..fixed].iter().map(|part| js.text(*part)).collect();
            let function = field(node, "function").map_or("path.join", |f| js.text(f));
            format!("{function}({})", words.join(", "))
        };
        let absolute = method == "resolve" || is_absolute(js, parts[0], 4);
        let whole = if absolute {
            js.text(node).to_owned()
        } else {
            format!("{}({})", path_member(js, "resolve", &mut edits), js.text(node))
        };
        // `root` takes a path below it; what `resolve` does with an absolute one would be lost.
        let value = parts.get(fixed).filter(|_| parts.len() == fixed + 1 && absolute);
        return Ok(Joined {
            folder,
            whole,
            unchanged: absolute,
            value: value.map(|v| js.text(*v).to_owned()),
            edits,
        });
    }
    let joined =
        node.kind() == "binary_expression" && field(node, "operator").is_some_and(|op| js.text(op) == "+");
    if joined || js.is_building(node) {
        let folder = leading_folder(js, node).ok_or(no_folder)?;
        let whole = format!("{}({})", path_member(js, "resolve", &mut edits), js.text(node));
        return Ok(Joined { folder, whole, unchanged: false, value: None, edits });
    }
    Err(no_folder.into())
}

fn is_path_call<'t>(js: &Js<'t>, node: Node<'t>) -> bool {
    let known = js.import("path");
    match js.receiver(node) {
        Some(receiver) => {
            let text = js.text(receiver);
            known.whole == Some(text)
                || matches!(text, "path" | "path.posix" | "require('path')" | "require(\"path\")")
        }
        None => known.members.iter().any(|(_, local)| *local == js.callee_name(node)),
    }
}

/// Whether a part of the path is the program's own.
fn is_folder<'t>(js: &Js<'t>, node: Node<'t>) -> bool {
    js.is_constant(node) || js.is_clean(node) || is_own(js, node, 4)
}

/// Names that stand for the program's own places.
fn is_own<'t>(js: &Js<'t>, node: Node<'t>, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let node = bare(node);
    let text = js.text(node);
    if matches!(text, "__dirname" | "process.cwd()" | "import.meta.dirname" | "os.tmpdir()")
        || text.starts_with("process.env.")
        || text.starts_with("this.")
    {
        return true;
    }
    match node.kind() {
        "string" => true,
        "identifier" => js.binding(text, node).is_some_and(|binding| match binding.how {
            How::Import => true,
            How::Const | How::Let => {
                js.writes(text, binding.scope).is_empty()
                    && binding.value.is_some_and(|value| is_own(js, value, depth))
            }
            How::Taken => binding.value.is_some_and(|value| js.text(value).starts_with("require(")),
            _ => false,
        }),
        "call_expression" => {
            (is_path_call(js, node)
                || matches!(js.callee_name(node), "require" | "fileURLToPath" | "dirname"))
                && js.arguments(node).into_iter().all(|argument| is_own(js, argument, depth))
        }
        "member_expression" => {
            text.starts_with("import.meta.")
                || field(node, "object").is_some_and(|object| is_own(js, object, depth))
        }
        "binary_expression" => [field(node, "left"), field(node, "right")]
            .into_iter()
            .flatten()
            .all(|side| is_own(js, side, depth)),
        "template_string" => named(node)
            .into_iter()
            .filter(|part| part.kind() == "template_substitution")
            .all(|part| named(part).first().is_some_and(|hole| is_own(js, *hole, depth))),
        _ => false,
    }
}

/// Whether the first part names a folder at all: an empty text or `/` does not.
fn is_folder_start<'t>(js: &Js<'t>, node: Node<'t>) -> bool {
    js.string(node).is_none_or(|text| !matches!(text.as_str(), "" | "/" | "." | "./"))
}

/// Whether a folder is absolute for sure.
fn is_absolute<'t>(js: &Js<'t>, node: Node<'t>, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let node = bare(node);
    let text = js.text(node);
    if matches!(text, "__dirname" | "process.cwd()" | "import.meta.dirname" | "os.tmpdir()") {
        return true;
    }
    match node.kind() {
        "string" => js.string(node).is_some_and(|text| text.starts_with('/')),
        "call_expression" if is_path_call(js, node) => {
            js.callee_name(node) == "resolve"
                || js.arguments(node).first().is_some_and(|first| is_absolute(js, *first, depth))
        }
        "call_expression" => js.callee_name(node) == "dirname" && text.contains("fileURLToPath"),
        "identifier" => js
            .binding(text, node)
            .filter(|binding| binding.how == How::Const)
            .and_then(|binding| binding.value)
            .is_some_and(|value| is_absolute(js, value, depth)),
        "binary_expression" => field(node, "left").is_some_and(|left| is_absolute(js, left, depth)),
        _ => false,
    }
}

/// Whether a folder has no dots and no slash at its end for sure, so that a separator can be put behind it.
fn is_normal<'t>(js: &Js<'t>, node: Node<'t>, depth: usize) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    let node = bare(node);
    match node.kind() {
        "identifier" if js.text(node) == "__dirname" => true,
        "identifier" => js
            .binding(js.text(node), node)
            .filter(|binding| binding.how == How::Const)
            .and_then(|binding| binding.value)
            .is_some_and(|value| is_normal(js, value, depth)),
        "call_expression" if is_path_call(js, node) => {
            js.callee_name(node) == "resolve"
                || js.callee_name(node) == "join"
                    && is_absolute(js, node, 4)
                    && js
                        .arguments(node)
                        .last()
                        .is_some_and(|last| js.string(*last).is_some_and(|t| !t.ends_with('/')))
        }
        _ => false,
    }
}

/// The folder as it is compared: resolved unless it is known to be normal.
fn folder_text<'t>(js: &Js<'t>, folder: &str, expression: Node<'t>, edits: &mut Vec<TextEdit>) -> String {
    let mut normal = folder == "__dirname";
    super::syntax::walk(expression, &mut |node| {
        normal |= js.text(node) == folder && is_normal(js, node, 4);
    });
    if normal {
        return folder.to_owned();
    }
    let resolve = path_member(js, "resolve", edits);
    // `path.resolve(a, b)` says the same as `path.join(a, b)` and is normal.
    let known = js.import("path");
    let join = known.whole.map(|whole| format!("{whole}.join(")).into_iter();
    let local = known.members.iter().find(|(name, _)| *name == "join").map(|(_, local)| format!("{local}("));
    for lead in join.chain(local) {
        if let Some(inner) = folder.strip_prefix(&lead) {
            return format!("{resolve}({inner}");
        }
    }
    if folder.starts_with(&format!("{resolve}(")) {
        folder.to_owned()
    } else {
        format!("{resolve}({folder})")
    }
}

/// The folder a concatenation or template begins with: `DIR` of `${DIR}/${x}`, `'./data'` of `'./data/' + x`.
fn leading_folder<'t>(js: &Js<'t>, node: Node<'t>) -> Option<String> {
    let pieces: Vec<Piece<'t>> = js.operands(node)?.into_iter().flat_map(|operand| operand.pieces).collect();
    let mut text = String::new();
    let mut holes: Vec<Node<'t>> = Vec::new();
    let mut slash = false;
    for piece in &pieces {
        match piece {
            Piece::Text(more) => text.push_str(more),
            Piece::Hole(hole) if is_folder(js, *hole) => {
                if !holes.is_empty() || !text.is_empty() {
                    return None;
                }
                holes.push(*hole);
                text.push('\u{1}');
            }
            Piece::Hole(hole) => {
                // `'./public' + url.pathname`: the value brings the slash.
                let words = js.text(*hole).to_ascii_lowercase();
                slash = words.ends_with("pathname") || words.ends_with("url") || words.ends_with("path");
                break;
            }
        }
    }
    let ends = |hole: &Node<'t>| {
        let value = js.binding(js.text(*hole), *hole).and_then(|binding| binding.value);
        let text = js.text(value.unwrap_or(*hole)).trim_end_matches([')', '\'', '"', '`']);
        text.ends_with('/')
    };
    if (slash || text == "\u{1}" && holes.first().is_some_and(ends)) && !text.ends_with('/') {
        text.push('/');
    }
    let cut = text.rfind('/')?;
    let folder = &text[..cut];
    let q = js.quote();
    match (holes.first(), folder.strip_prefix('\u{1}')) {
        (Some(hole), Some("")) => Some(js.text(*hole).to_owned()),
        (Some(hole), Some(rest)) => Some(format!("{} + {q}{rest}{q}", js.text(*hole))),
        (None, _) if !matches!(folder, "" | "." | "..") => Some(format!("{q}{folder}{q}")),
        _ => None,
    }
}
