//! Command injection in JavaScript and TypeScript: an argument list instead of a shell.

use super::imports::{insert, replace};
use super::syntax::{How, Js, bare, field, named, statement_of};
use super::words::{argument_list, shell_script, words_of};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// The edits that run the program without a shell.
///
/// # Errors
/// Why the command needs a shell, or cannot be read.
pub(crate) fn unshell<'t>(js: &Js<'t>, call: Node<'t>, callee: &str) -> Result<Vec<TextEdit>, String> {
    let method = callee.rsplit('.').next().unwrap_or(callee);
    let arguments = js.arguments(call);
    let first = *arguments.first().ok_or("the call has no command")?;
    let mut edits = match method {
        "exec" | "execSync" => {
            let target = if method == "exec" { "execFile" } else { "execFileSync" };
            let mut edits = split_command(js, call, first, first)?;
            edits.extend(rename(js, call, method, target)?);
            edits.extend(drop_shell(js, &arguments[1..])?);
            edits
        }
        _ => {
            if let Some(script) = shell_script(js, &arguments) {
                let list = arguments[1];
                let words = words_of(js, text_of(js, script, call)?.0)?;
                let (program, rest) = argument_list(js, &words);
                vec![replace(first, program), replace(list, rest)]
            } else if let Some(list) = arguments.get(1).filter(|second| {
                bare(**second).kind() == "array"
                    && named(bare(**second)).is_empty()
                    && js.string(first).is_none()
            }) {
                let (text, home) = text_of(js, first, call)?;
                let words = words_of(js, text)?;
                let (program, rest) = argument_list(js, &words);
                let mut edits = vec![replace(first, program), replace(*list, rest)];
                edits.extend(home.map(|home| remove_line(js, home)).unwrap_or_default());
                edits.extend(drop_shell(js, &arguments[2..])?);
                edits
            } else if arguments.get(1).is_some_and(|second| bare(*second).kind() == "array") {
                let list = bare(arguments[1]);
                for word in named(list) {
                    if js
                        .string(word)
                        .is_some_and(|text| text.contains(|c: char| " |&;<>*?$`\"'".contains(c)))
                    {
                        return Err("an argument is written for the shell".into());
                    }
                }
                let program =
                    js.string(first).is_some_and(|text| !text.contains(' ')) || js.is_constant(first);
                if !program {
                    return Err("the program itself comes from outside; choose it from a fixed list".into());
                }
                drop_shell(js, &arguments[2..])?
            } else {
                let mut edits = split_command(js, call, first, first)?;
                edits.extend(drop_shell(js, &arguments[1..])?);
                edits
            }
        }
    };
    if edits.is_empty() {
        return Err("no shell is found in the call".into());
    }
    edits.sort_by_key(|edit| (edit.start, edit.end));
    Ok(edits)
}

/// Replaces the command text by program and list.
fn split_command<'t>(
    js: &Js<'t>,
    call: Node<'t>,
    argument: Node<'t>,
    command: Node<'t>,
) -> Result<Vec<TextEdit>, String> {
    let (text, home) = text_of(js, command, call)?;
    let words = words_of(js, text)?;
    for hole in words.iter().flat_map(super::words::Word::holes) {
        if !js.same_value(hole, call) {
            return Err("a value may have changed between building the command and running it".into());
        }
    }
    let (program, list) = argument_list(js, &words);
    let mut edits = vec![replace(argument, format!("{program}, {list}"))];
    if let Some(home) = home {
        edits.extend(remove_line(js, home));
    }
    Ok(edits)
}

/// The building behind an argument, and its declaration when nothing else reads it.
fn text_of<'t>(js: &Js<'t>, node: Node<'t>, call: Node<'t>) -> Result<(Node<'t>, Option<Node<'t>>), String> {
    let node = bare(node);
    if js.is_building(node) {
        return Ok((node, None));
    }
    let unclear = "the command is not built where it can be seen";
    if node.kind() != "identifier" {
        return Err(
            if js.is_constant(node) { unclear } else { "the whole command comes from outside" }.into()
        );
    }
    let name = js.text(node);
    let binding = js.binding(name, node).ok_or(unclear)?;
    if !matches!(binding.how, How::Const | How::Let) {
        return Err("the whole command comes from outside this function".into());
    }
    let value = binding.value.map(bare).ok_or(unclear)?;
    if !js.writes(name, binding.scope).is_empty() {
        return Err("the command is built in several steps".into());
    }
    if !js.is_building(value) {
        return Err("the whole command comes from outside".into());
    }
    let uses = js.uses(name, binding.scope, binding.ident);
    let alone = uses
        .iter()
        .all(|usage| usage.start_byte() >= call.start_byte() && usage.end_byte() <= call.end_byte());
    let declaration = statement_of(binding.ident).filter(|statement| {
        named(*statement).iter().filter(|c| c.kind() == "variable_declarator").count() == 1
    });
    Ok((value, declaration.filter(|_| alone && uses.len() == 1)))
}

/// Removes a statement with its line, when nothing else stands on it.
fn remove_line(js: &Js<'_>, statement: Node<'_>) -> Vec<TextEdit> {
    let (mut start, mut end) = (statement.start_byte(), statement.end_byte());
    let indent = js.indent(statement).len();
    let line = js.src.get(..start).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
    let rest = js.src.get(end..).unwrap_or("");
    let own = line + indent == start;
    let blank = rest.find('\n').filter(|at| rest[..*at].trim().is_empty());
    if let (true, Some(at)) = (own, blank) {
        start = line;
        end += at + 1;
    }
    vec![TextEdit { start, end, text: String::new() }]
}

/// Takes `shell: …` out of the options.
fn drop_shell<'t>(js: &Js<'t>, rest: &[Node<'t>]) -> Result<Vec<TextEdit>, String> {
    let mut edits = Vec::new();
    for argument in rest {
        let options = bare(*argument);
        match options.kind() {
            "object" => {
                let entries = named(options);
                for (at, pair) in entries.iter().enumerate() {
                    if pair.kind() == "spread_element" {
                        return Err("the call's options are made elsewhere and may ask for a shell".into());
                    }
                    let key = field(*pair, "key").map_or("", |key| js.text(key)).trim_matches(['\'', '"']);
                    let short = pair.kind() == "shorthand_property_identifier" && js.text(*pair) == "shell";
                    if key != "shell" && !short {
                        continue;
                    }
                    edits.push(if entries.len() == 1 {
                        // `, { shell: true }` goes with its comma.
                        let before = js.src.get(..options.start_byte()).unwrap_or("");
                        let comma = before.trim_end().len();
                        let from =
                            if before.trim_end().ends_with(',') { comma - 1 } else { options.start_byte() };
                        TextEdit { start: from, end: options.end_byte(), text: String::new() }
                    } else if let Some(next) = entries.get(at + 1) {
                        TextEdit { start: pair.start_byte(), end: next.start_byte(), text: String::new() }
                    } else {
                        TextEdit {
                            start: entries[at - 1].end_byte(),
                            end: pair.end_byte(),
                            text: String::new(),
                        }
                    });
                }
            }
            "identifier" => {
                let name = js.text(options);
                let value = js.binding(name, options).and_then(|binding| binding.value).map(bare);
                match value {
                    Some(value) if value.kind() == "object" => {
                        if js.text(value).contains("shell") || js.text(value).contains("...") {
                            return Err("the call's options ask for a shell; take that out first".into());
                        }
                    }
                    _ if super::sql_pass::is_callback(js, *argument) => {}
                    _ => return Err("the call's options are made elsewhere and may ask for a shell".into()),
                }
            }
            _ => {}
        }
    }
    Ok(edits)
}

/// Calls `target` in place of `method`, with the imports that needs.
fn rename<'t>(js: &Js<'t>, call: Node<'t>, method: &str, target: &str) -> Result<Vec<TextEdit>, String> {
    let function = field(call, "function").ok_or("the call has no name")?;
    if function.kind() == "member_expression" {
        let property = field(function, "property").ok_or("the call has no name")?;
        if js.text(property) != method {
            return Err("the function is called under another name".into());
        }
        return Ok(vec![replace(property, target)]);
    }
    let local = js.text(function);
    if let Some(edits) = rename_promisified(js, function, method, target)? {
        return Ok(edits);
    }
    let known = js.import("child_process");
    if !known.members.iter().any(|(name, alias)| *name == method && *alias == local) {
        return Err("the function is called under another name".into());
    }
    let uses = js.uses(local, js.root, function);
    // What is left: the import itself, in whatever form, and other calls.
    let others = uses.iter().filter(|node| !in_import(**node)).count();
    if others > 0 {
        let reached = js.reach_member("child_process", target);
        let mut edits = reached.edits;
        edits.push(replace(function, reached.name));
        return Ok(edits);
    }
    let mut edits = js.swap_member("child_process", method, target);
    if edits.is_empty() {
        let reached = js.reach_member("child_process", target);
        edits = reached.edits;
        edits.push(replace(function, reached.name));
        return Ok(edits);
    }
    let name = known.members.iter().find(|(name, _)| *name == target).map_or(target, |(_, alias)| alias);
    edits.push(replace(function, name));
    Ok(edits)
}

fn in_import(node: Node<'_>) -> bool {
    let mut at = Some(node);
    while let Some(here) = at {
        match here.kind() {
            "import_statement" | "object_pattern" => return true,
            "variable_declarator" => return field(here, "name") == Some(node),
            "arguments" | "statement_block" => return false,
            _ => at = here.parent(),
        }
    }
    false
}

/// `execAsync` of `const execAsync = promisify(exec)`: the promise form of `execFile` beside or instead of it.
fn rename_promisified<'t>(
    js: &Js<'t>,
    function: Node<'t>,
    method: &str,
    target: &str,
) -> Result<Option<Vec<TextEdit>>, String> {
    let local = js.text(function);
    let Some(binding) = js.binding(local, function) else { return Ok(None) };
    let wrapper = binding
        .value
        .map(bare)
        .filter(|v| v.kind() == "call_expression" && js.callee_name(*v) == "promisify");
    let Some(wrapper) = wrapper else { return Ok(None) };
    let inner = js.arguments(wrapper).first().copied().map(bare).ok_or("nothing is promisified")?;
    let uses = js.uses(local, js.root, binding.ident).into_iter().filter(|usage| *usage != function).count();
    let wish = format!("{target}Async");
    let (inner_text, mut edits) = if inner.kind() == "member_expression" {
        let object = field(inner, "object").map_or("", |object| js.text(object));
        (format!("{object}.{target}"), Vec::new())
    } else {
        let inner_uses =
            js.uses(js.text(inner), js.root, inner).iter().filter(|node| !in_import(**node)).count();
        let swapped = if uses == 0 && inner_uses == 0 {
            js.swap_member("child_process", method, target)
        } else {
            Vec::new()
        };
        if swapped.is_empty() {
            let reached = js.reach_member("child_process", target);
            (reached.name, reached.edits)
        } else {
            (target.to_owned(), swapped)
        }
    };
    let statement = statement_of(binding.ident).ok_or("the promise form is not declared in a statement")?;
    let wrap = field(wrapper, "function").map_or("promisify", |f| js.text(f));
    // A name of ours from an earlier change is used again.
    if js.has_name(&wish) {
        edits.clear();
        edits.push(replace(function, wish));
        return Ok(Some(edits));
    }
    if uses == 0 {
        edits.push(replace(inner, inner_text));
        edits.push(replace(binding.ident, wish.clone()));
    } else {
        let line =
            format!("\n{}{} {wish} = {wrap}({inner_text}){}", js.indent(statement), js.declare(), js.semi());
        edits.push(insert(statement.end_byte(), line));
    }
    edits.push(replace(function, wish));
    Ok(Some(edits))
}
