//! Command injection in Python: argument lists instead of a shell; quoting where a shell is really needed.

use super::template::{Form, Hole, Seg, Template, bindings, count_word};
use crate::finding::TextEdit;
use crate::scan::fix::javascript::words::{BUILT_IN, ENDS_OPTIONS};
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Call, Expr, ExprKind, StmtKind};

/// Programs that run what they are given as code: a value in their arguments is no mere argument.
const INTERPRETERS: &[&str] = &[
    "sh", "bash", "zsh", "dash", "ksh", "ssh", "su", "xargs", "env", "python", "python3", "perl", "ruby",
    "node", "awk", "gawk", "eval", "php", "find", "parallel", "watch", "nohup", "timeout", "sudo",
];

/// A word of the command.
type Word<'a> = Vec<Part<'a>>;

#[derive(Debug, Clone)]
enum Part<'a> {
    Text(String),
    Hole(Hole<'a>),
}

/// Takes the shell away, or quotes what reaches it.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let call = site.expr.as_call().ok_or("the sink is not a call")?;
    if matches!(site.argument.kind, ExprKind::List { .. }) {
        return Err("the program itself, or the script a shell is given, comes from outside; allow-list it"
            .to_owned());
    }
    if call.keyword("executable").is_some() {
        return Err("a shell is chosen with `executable`".to_owned());
    }
    let (value, variable) = definition(site)?;
    let template = Template::of(site, value)?;
    if !template.has_literals()
        || !template.segs.iter().any(|seg| matches!(seg, Seg::Lit { at, .. } if at.start < at.end))
    {
        return Err("the whole command comes from elsewhere; choose it from a fixed list".to_owned());
    }
    match words(site, &template) {
        Ok(words) => unshell(site, call, &words, value, variable),
        Err(feature) => {
            super::command_quote::fix(site, &template).map_err(|reason| format!("{feature}; {reason}"))
        }
    }
}

/// The expression that builds the command, and the variable it is kept in.
fn definition<'a>(site: &Site<'a>) -> Result<(&'a Expr, Option<&'a str>), String> {
    let Some(name) = site.argument.as_name() else { return Ok((site.argument, None)) };
    let (assigned, others) = bindings(site.scope(), name);
    match (assigned.as_slice(), others) {
        ([value], 0) => Ok((value, Some(name))),
        ([], _) => Err("the command is built by the callers; let them hand over an argument list".to_owned()),
        _ => Err("the command is built in several steps; build an argument list by hand".to_owned()),
    }
}

/// The command's words as a shell would split them. Fails with the shell feature it uses.
fn words<'a>(site: &Site<'a>, template: &Template<'a>) -> Result<Vec<Word<'a>>, String> {
    let mut words: Vec<Word<'a>> = Vec::new();
    let mut word: Word<'a> = Vec::new();
    let mut open = false;
    let mut quote: Option<char> = None;
    for seg in &template.segs {
        let (at, piece) = match seg {
            Seg::Hole(hole) => {
                open = true;
                word.push(Part::Hole(hole.clone()));
                continue;
            }
            Seg::Lit { at, piece } => (*at, piece),
        };
        let mut letters = at.of(&site.file.text).chars().peekable();
        while let Some(mut letter) = letters.next() {
            if letter == '\\' && !piece.is_raw() {
                // In the source, a quote of the literal's own kind is escaped.
                match letters.next() {
                    Some(next @ ('"' | '\'')) => letter = next,
                    _ => return Err("the command uses an escape".to_owned()),
                }
            } else if doubled(piece.form, letter) && letters.peek() == Some(&letter) {
                letters.next();
            }
            match quote {
                Some(open) if letter == open => quote = None,
                Some('"') if matches!(letter, '$' | '`' | '\\' | '!') => {
                    return Err(format!("the command uses `{letter}` of the shell"));
                }
                Some(_) => push(&mut word, letter),
                None => match letter {
                    '\'' | '"' => {
                        quote = Some(letter);
                        open = true;
                    }
                    ' ' | '\t' | '\n' => {
                        if open || !word.is_empty() {
                            words.push(std::mem::take(&mut word));
                        }
                        open = false;
                    }
                    '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | ']' | '~'
                    | '#' | '!' | '{' | '}' | '\\' => {
                        return Err(format!("the command uses `{letter}` of the shell"));
                    }
                    _ => push(&mut word, letter),
                },
            }
        }
    }
    if quote.is_some() {
        return Err("a quote of the shell is not closed in the same text".to_owned());
    }
    if open || !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

fn doubled(form: Option<Form>, letter: char) -> bool {
    match form {
        Some(Form::Percent) => letter == '%',
        Some(Form::Brace | Form::Format) => letter == '{' || letter == '}',
        _ => false,
    }
}

fn push(word: &mut Word<'_>, letter: char) {
    match word.last_mut() {
        Some(Part::Text(text)) => text.push(letter),
        _ => word.push(Part::Text(letter.to_string())),
    }
}

fn program<'w>(words: &'w [Word<'_>]) -> Result<&'w str, String> {
    match words.first().map(Vec::as_slice) {
        Some([Part::Text(name)]) => Ok(name.rsplit('/').next().unwrap_or(name)),
        _ => Err("which program runs is decided by a value; choose it from a fixed list".to_owned()),
    }
}

fn unshell<'a>(
    site: &Site<'a>,
    call: &'a Call,
    words: &[Word<'a>],
    value: &'a Expr,
    variable: Option<&str>,
) -> Result<Draft, String> {
    let name = program(words)?;
    if BUILT_IN.contains(&name) || name.contains('=') {
        return Err(format!("`{name}` is a word of the shell itself, not a program"));
    }
    if INTERPRETERS.contains(&name) {
        return Err(format!("`{name}` runs what it is given as a command of its own"));
    }
    let first = words.iter().position(|word| matches!(word.first(), Some(Part::Hole(_))));
    let options_later = first.is_some_and(|first| {
        words[first..]
            .iter()
            .any(|word| matches!(word.first(), Some(Part::Text(text)) if text.starts_with('-')))
    });
    let guard = first.filter(|_| ENDS_OPTIONS.contains(&name) && !options_later);
    let mut items: Vec<String> = Vec::new();
    let quote =
        if value.outer.of(&site.file.text).contains('"') || !value.outer.of(&site.file.text).contains('\'') {
            '"'
        } else {
            '\''
        };
    for (at, word) in words.iter().enumerate() {
        if guard == Some(at)
            && words[at - 1]
                .as_slice()
                .first()
                .is_none_or(|part| !matches!(part, Part::Text(text) if text == "--"))
        {
            items.push(format!("{quote}--{quote}"));
        }
        items.push(code_of(site, word, quote)?);
    }
    let list = format!("[{}]", items.join(", "));
    let mut draft = Draft {
        summary: "runs the program with an argument list and without a shell".to_owned(),
        ..Draft::default()
    };
    if guard.is_none() && first.is_some() {
        "a value that begins with `-` may still be read as an option by the program; check its form where that matters"
            .clone_into(&mut draft.by_hand);
    }
    let inline = place_list(site, value, variable, &list, &mut draft);
    rewrite_call(site, call, &inline, &mut draft)?;
    Ok(draft)
}

/// Puts the list where the text was. Gives the code that stands for the command in the call.
fn place_list(
    site: &Site<'_>,
    value: &Expr,
    variable: Option<&str>,
    list: &str,
    draft: &mut Draft,
) -> String {
    let Some(name) = variable else { return list.to_owned() };
    let scope = site.function().map_or(&*site.file.text, |function| function.at.of(&site.file.text));
    if count_word(scope, name) == 2 {
        draft.edits.push(replace(value.outer, list));
        return name.to_owned();
    }
    // The text is used elsewhere too (a log line): it stays, the call gets the list.
    list.to_owned()
}

/// A word as Python source.
fn code_of(site: &Site<'_>, word: &Word<'_>, quote: char) -> Result<String, String> {
    let text = &site.file.text;
    if word.iter().any(|part| matches!(part, Part::Text(text) if text.contains(['\\', '\n', '"', '\'']))) {
        return Err("a word of the command has quotes or escapes in it".to_owned());
    }
    match word.as_slice() {
        [] => Ok(format!("{quote}{quote}")),
        [Part::Text(letters)] => Ok(format!("{quote}{letters}{quote}")),
        [Part::Hole(hole)] => {
            let code = hole.expr.outer.of(text);
            let low = code.to_lowercase();
            if ["options", "flags", "opts", "extra_args"].iter().any(|word| low.ends_with(word)) {
                return Err(format!("`{code}` may hold several words"));
            }
            Ok(if is_text(site, hole) { code.to_owned() } else { format!("str({code})") })
        }
        parts => {
            let joined =
                parts.iter().any(|part| matches!(part, Part::Hole(hole) if hole.form == Form::Joined));
            let clash = parts.iter().any(|part| match part {
                Part::Hole(hole) => hole.expr.outer.of(text).contains([quote, '\\', '\n', '{', '}']),
                Part::Text(letters) => letters.contains(['{', '}']),
            });
            let pieces: Vec<String> = parts
                .iter()
                .map(|part| match (part, joined || clash) {
                    (Part::Text(letters), true) => format!("{quote}{letters}{quote}"),
                    (Part::Text(letters), false) => letters.clone(),
                    (Part::Hole(hole), true) if hole.form == Form::Joined => {
                        hole.expr.outer.of(text).to_owned()
                    }
                    (Part::Hole(hole), true) => format!("str({})", hole.expr.outer.of(text)),
                    (Part::Hole(hole), false) => format!("{{{}}}", hole.expr.outer.of(text)),
                })
                .collect();
            Ok(if joined || clash {
                pieces.join(" + ")
            } else {
                format!("f{quote}{}{quote}", pieces.concat())
            })
        }
    }
}

/// Whether a value is certainly a text already.
pub(super) fn is_text(site: &Site<'_>, hole: &Hole<'_>) -> bool {
    if hole.form == Form::Joined {
        return true;
    }
    let annotated = hole.expr.as_name().is_some_and(|name| {
        site.function().is_some_and(|function| {
            function
                .params
                .iter()
                .any(|param| param.name == name && param.annotation.as_deref() == Some("str"))
        })
    });
    let from_text = site.notes.note(hole.expr.at).and_then(|note| note.path).is_some_and(|path| {
        [
            "request.args",
            "request.form",
            "request.values",
            ".GET",
            ".POST",
            ".query_params",
            ".headers",
            ".cookies",
        ]
        .iter()
        .any(|part| path.contains(part))
    });
    annotated || from_text
}

/// The call without a shell.
fn rewrite_call(site: &Site<'_>, call: &Call, command: &str, draft: &mut Draft) -> Result<(), String> {
    let need = |draft: &mut Draft| {
        draft.imports.push(NewImport { module: "subprocess".to_owned(), member: None });
    };
    let whole = site.expr.at;
    match site.callee.as_str() {
        "os.system" => {
            let alone = is_statement(site, whole);
            let tail = if alone { "" } else { ".returncode" };
            draft.edits.push(replace(whole, format!("subprocess.run({command}, check=False){tail}")));
            need(draft);
            drop_inner_edits(draft, whole);
        }
        "os.popen" => {
            if let Some(read) = read_around(site, whole) {
                let run = format!(
                    "subprocess.run({command}, stdout=subprocess.PIPE, text=True, check=False).stdout"
                );
                draft.edits.push(replace(read, run));
            } else {
                let run = format!("subprocess.Popen({command}, stdout=subprocess.PIPE, text=True).stdout");
                draft.edits.push(replace(whole, run));
            }
            need(draft);
        }
        "subprocess.getoutput" => {
            let run = format!(
                "subprocess.run({command}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)\
                 .stdout.rstrip(\"\\n\")"
            );
            draft.edits.push(replace(whole, run));
            need(draft);
        }
        "asyncio.create_subprocess_shell" => {
            let ExprKind::Member { name_at, .. } = &call.callee.kind else {
                return Err("`create_subprocess_shell` is imported by its own name".to_owned());
            };
            draft.edits.push(replace(*name_at, "create_subprocess_exec"));
            let spread = match command.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
                Some(inner) => inner.to_owned(),
                None => format!("*{command}"),
            };
            draft.edits.push(replace(site.argument.outer, spread));
        }
        callee if callee.starts_with("subprocess.") && !callee.ends_with("getstatusoutput") => {
            if site.argument.outer.of(&site.file.text) != command {
                draft.edits.push(replace(site.argument.outer, command));
            }
            draft.edits.push(without_shell(site, call)?);
        }
        callee => return Err(format!("`{callee}` takes a command text only")),
    }
    Ok(())
}

/// A replaced whole makes the edits inside it needless.
fn drop_inner_edits(draft: &mut Draft, whole: At) {
    draft.edits.retain(|edit| {
        let at = At::new(edit.start, edit.end);
        at == whole || !whole.holds(at)
    });
}

fn is_statement(site: &Site<'_>, at: At) -> bool {
    let mut alone = false;
    site.scope().walk(&mut |stmt| {
        alone |= matches!(&stmt.kind, StmtKind::Expr(expr) if expr.at == at);
    });
    alone
}

/// `os.popen(…).read()` around the call.
fn read_around(site: &Site<'_>, at: At) -> Option<At> {
    let mut found = None;
    site.scope().walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(&mut |inner| {
                if let ExprKind::Call(call) = &inner.kind
                    && call.args.is_empty()
                    && let ExprKind::Member { object, name, .. } = &call.callee.kind
                    && name == "read"
                    && object.at == at
                {
                    found = Some(inner.at);
                }
            });
        }
    });
    found
}

/// Takes `shell=True` out of the arguments, with its comma.
fn without_shell(site: &Site<'_>, call: &Call) -> Result<TextEdit, String> {
    let index = call
        .args
        .iter()
        .position(|arg| arg.name.as_deref() == Some("shell"))
        .ok_or("the shell is asked for in a way that cannot be taken out")?;
    let arg = &call.args[index];
    if !matches!(arg.value.kind, ExprKind::Bool(true) | ExprKind::Number(_)) {
        return Err("whether a shell is used is decided elsewhere".to_owned());
    }
    let text = &site.file.text;
    let before = index.checked_sub(1).map(|before| &call.args[before]);
    let next = call.args.get(index + 1);
    let region = match (before, next) {
        // On a line of its own the line goes, so that the others stay as they are.
        (_, Some(next)) => At::new(arg.at.start, next.at.start),
        (Some(before), None) => {
            let start = before.at.end.max(before.value.outer.end);
            At::new(start, arg.at.end)
        }
        (None, None) => arg.at,
    };
    if region.of(text).contains('#') {
        return Err("a comment stands beside `shell=True`".to_owned());
    }
    Ok(replace(region, ""))
}
