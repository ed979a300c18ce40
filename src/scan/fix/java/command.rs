//! Commands: the program with a list of arguments, and no shell in between.

use super::edit::replace;
use super::pieces::Piece;
use super::syntax::{Java, bare, field, simple};
use super::{Case, draft};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::Draft;
use tree_sitter::Node;

const SUMMARY: &str = "Run the program with a list of arguments instead of a shell.";

/// Words that only a shell knows.
const BUILTINS: &[&str] = &[
    "cd", "dir", "type", "copy", "del", "set", "export", "source", "alias", "ulimit", "start", "md", "rd",
    "move",
];

/// The fixer.
pub(super) fn unshell(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let arguments = java.arguments(case.call);
    let first = *arguments.first().ok_or("the call has no arguments")?;
    if case.argument.is_some_and(|argument| argument != first)
        && !matches!(java.name_of(case.call), "ProcessBuilder" | "command")
    {
        return Err("the value stands in the environment of the program; allow known values only".into());
    }
    let edits = if matches!(java.name_of(case.call), "ProcessBuilder" | "command") && arguments.len() > 1 {
        let words = shell_words(java, &arguments)?;
        let (start, end) = (arguments[0].start_byte(), arguments[arguments.len() - 1].end_byte());
        vec![TextEdit { start, end, text: words.join(", ") }]
    } else {
        listed(java, case.call, first)?
    };
    Ok(draft(Tier::A, SUMMARY, edits))
}

/// The command is one argument: a text, an array or a list.
fn listed<'t>(java: &Java<'t>, call: Node<'t>, first: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let node = bare(first);
    let named = node.kind() == "identifier";
    if named && let Some(adds) = added(java, node) {
        return relisted(java, &adds);
    }
    let value = if named {
        java.value_of(java.text(node), node).ok_or("the command is not made in one step in this method")?
    } else {
        node
    };
    if let Some(items) = java.items(value) {
        let words = shell_words(java, &items)?;
        let (Some(one), Some(last)) = (items.first(), items.last()) else {
            return Err("the command is empty".into());
        };
        return Ok(vec![TextEdit { start: one.start_byte(), end: last.end_byte(), text: words.join(", ") }]);
    }
    let words = words_of(java, value, false)?;
    let list = words.join(", ");
    if matches!(java.name_of(call), "ProcessBuilder" | "command") {
        return Ok(vec![replace(first, list)]);
    }
    if named {
        let name = java.text(node);
        let declaration = java.declaration(name, node).ok_or("the command is declared more than once")?;
        let holder = declaration.parent().ok_or("the command has no declaration")?;
        let kind = field(holder, "type").filter(|kind| simple(java.text(*kind)) == "String");
        if let (1, Some(kind), true) =
            (java.uses(name, node).len(), kind, field(declaration, "value") == Some(value))
        {
            return Ok(vec![replace(kind, "String[]"), replace(value, format!("{{{list}}}"))]);
        }
    }
    Ok(vec![replace(first, format!("new String[] {{{list}}}"))])
}

/// The `list.add(word);` statements that fill a list, in one block.
fn added<'t>(java: &Java<'t>, list: Node<'t>) -> Option<Vec<(Node<'t>, Node<'t>)>> {
    let mut out: Vec<(Node<'t>, Node<'t>)> = Vec::new();
    for node in java.uses(java.text(list), list) {
        let Some(call) = node.parent().filter(|call| call.kind() == "method_invocation") else { continue };
        if field(call, "object") != Some(node) || java.name_of(call) != "add" {
            continue;
        }
        let statement = call.parent().filter(|parent| parent.kind() == "expression_statement")?;
        let arguments = java.arguments(call);
        let [word] = arguments.as_slice() else { return None };
        if let Some((known, _)) = out.first()
            && known.parent() != statement.parent()
        {
            return None;
        }
        out.push((statement, *word));
    }
    (out.len() >= 3).then_some(out)
}

fn relisted<'t>(java: &Java<'t>, adds: &[(Node<'t>, Node<'t>)]) -> Result<Vec<TextEdit>, String> {
    let items: Vec<Node<'t>> = adds.iter().map(|(_, word)| *word).collect();
    let words = shell_words(java, &items)?;
    let list = java.text(adds[0].0).split('.').next().unwrap_or("").trim().to_owned();
    let end = java.line_end();
    let indent = java.indent(adds[0].0);
    let lines: Vec<String> = words.iter().map(|word| format!("{list}.add({word});")).collect();
    let mut edits = vec![replace(adds[0].0, lines.join(&format!("{end}{indent}")))];
    edits.extend(adds.iter().skip(1).map(|(statement, _)| java.remove(*statement)));
    Ok(edits)
}

/// `"sh", "-c", script`: the words of the script.
fn shell_words<'t>(java: &Java<'t>, items: &[Node<'t>]) -> Result<Vec<String>, String> {
    let [shell, flag, script] = items else {
        return Err("the program itself comes from outside; choose it from a fixed list".into());
    };
    let shell = java.constant(*shell).ok_or("which program reads the command is not known here")?;
    let flag = java.constant(*flag).unwrap_or_default();
    let name = shell.rsplit(['/', '\\']).next().unwrap_or(&shell).to_lowercase();
    let known = matches!(name.as_str(), "sh" | "bash" | "dash" | "zsh" | "ksh" | "cmd" | "cmd.exe");
    if !known || !matches!(flag.to_lowercase().as_str(), "-c" | "/c") {
        return Err("the program itself comes from outside; choose it from a fixed list".into());
    }
    let script = bare(*script);
    let script = if script.kind() == "identifier" {
        java.value_of(java.text(script), script).unwrap_or(script)
    } else {
        script
    };
    let words = words_of(java, script, true)?;
    let program = words.first().map(|word| word.trim_matches('"').to_owned()).unwrap_or_default();
    if BUILTINS.contains(&program.as_str()) || (name.starts_with("cmd") && program == "echo") {
        return Err(format!("`{program}` is known to the shell only"));
    }
    Ok(words)
}

/// The words of a command, each as an expression.
fn words_of<'t>(java: &Java<'t>, node: Node<'t>, shell: bool) -> Result<Vec<String>, String> {
    let mut pieces = java.pieces(node);
    if let Some((format, arguments)) = java.format_of(node) {
        return format_words(java, format, &arguments, shell);
    }
    if matches!(pieces.first(), Some(Piece::Value(_))) {
        // A constant beginning: a folder of programs, a name kept elsewhere.
        if let Some(Piece::Value(value)) = pieces.first().copied()
            && java.constant(value).is_none_or(|text| text.contains(char::is_whitespace))
        {
            return Err("the program itself comes from outside; choose it from a fixed list".into());
        }
    }
    let mut words: Vec<Vec<String>> = vec![Vec::new()];
    let mut quote: Option<char> = None;
    for piece in pieces.drain(..) {
        match piece {
            Piece::Value(value) => {
                if let Some(word) = words.last_mut() {
                    let text = java.text(value);
                    let grouped = matches!(value.kind(), "ternary_expression" | "binary_expression");
                    word.push(if grouped { format!("({text})") } else { text.to_owned() });
                }
            }
            Piece::Text(_, letters) => split_letters(letters, shell, &mut quote, &mut words)?,
        }
    }
    if quote.is_some() {
        return Err("a quote of the command is not closed".into());
    }
    finish(words)
}

fn split_letters(
    letters: &str,
    shell: bool,
    quote: &mut Option<char>,
    words: &mut Vec<Vec<String>>,
) -> Result<(), String> {
    let letters = letters.replace("\\\"", "\"");
    for letter in letters.chars() {
        if shell && matches!(letter, '\'' | '"') && quote.is_none_or(|open| open == letter) {
            *quote = if quote.is_some() { None } else { Some(letter) };
            continue;
        }
        if quote.is_none() && letter.is_whitespace() {
            words.push(Vec::new());
            continue;
        }
        if shell && "|&;<>()$`\\\"'*?[]#~!{}\n%".contains(letter) {
            return Err(format!(
                "the command needs a shell for `{letter}`; check the value against what is allowed"
            ));
        }
        let shown = match letter {
            '"' => "\\\"".to_owned(),
            letter => letter.to_string(),
        };
        let Some(word) = words.last_mut() else { continue };
        match word.last_mut() {
            Some(part) if part.starts_with('"') => part.insert_str(part.len() - 1, &shown),
            _ => word.push(format!("\"{shown}\"")),
        }
    }
    Ok(())
}

fn format_words<'t>(
    java: &Java<'t>,
    format: Node<'t>,
    arguments: &[Node<'t>],
    shell: bool,
) -> Result<Vec<String>, String> {
    let written = java.text(format);
    let letters = written.trim_matches('"');
    let mut words: Vec<Vec<String>> = vec![Vec::new()];
    let mut quote = None;
    let mut pieces = letters.split("%s");
    split_letters(pieces.next().unwrap_or(""), shell, &mut quote, &mut words)?;
    let mut arguments = arguments.iter();
    for piece in pieces {
        let value = arguments.next().ok_or("the format has more places than arguments")?;
        if let Some(word) = words.last_mut() {
            word.push(java.text(*value).to_owned());
        }
        split_letters(piece, shell, &mut quote, &mut words)?;
    }
    if letters.replace("%s", "").contains('%') || arguments.next().is_some() {
        return Err("the format has places that are no plain texts".into());
    }
    finish(words)
}

fn finish(words: Vec<Vec<String>>) -> Result<Vec<String>, String> {
    let words: Vec<String> =
        words.into_iter().filter(|word| !word.is_empty()).map(|word| word.join(" + ")).collect();
    match words.first() {
        Some(program) if words.len() > 1 && !program.is_empty() => Ok(words),
        _ => Err("the program itself comes from outside; choose it from a fixed list".into()),
    }
}
