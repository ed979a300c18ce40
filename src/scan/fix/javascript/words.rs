//! A shell command being built, taken apart into the words the shell would see.

use super::pieces::Piece;
use super::syntax::{Js, bare, field, named, quoted};
use tree_sitter::Node;

/// A word of the command: its parts in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Word<'t> {
    parts: Vec<Piece<'t>>,
    /// Whether it was opened, if only by a pair of quotes.
    open: bool,
}

/// Programs whose options end at `--`, so that a value cannot become one.
pub(crate) const ENDS_OPTIONS: &[&str] = &[
    "ls",
    "cat",
    "wc",
    "grep",
    "rm",
    "cp",
    "mv",
    "head",
    "tail",
    "du",
    "df",
    "file",
    "stat",
    "touch",
    "mkdir",
    "rmdir",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "md5sum",
    "cksum",
    "gzip",
    "gunzip",
    "chmod",
    "chown",
    "ping",
    "sort",
    "uniq",
    "basename",
    "dirname",
    "readlink",
    "realpath",
    "tac",
    "nl",
    "od",
    "cut",
    "ln",
    "kill",
];

/// Words only a shell knows.
pub(crate) const BUILT_IN: &[&str] = &[
    "cd", "source", ".", "export", "alias", "set", "unset", "ulimit", "type", "exec", "eval", "if", "for",
    "while", "until", "case", "function", "time", "wait", "umask", "trap", "dir", "start", "copy", "del",
];

/// The words of a command.
///
/// # Errors
/// What only a shell can do with it.
pub(crate) fn words_of<'t>(js: &Js<'t>, command: Node<'t>) -> Result<Vec<Word<'t>>, String> {
    let operands = js.operands(command).ok_or("the command uses escapes that cannot be kept as they are")?;
    let mut words: Vec<Word<'t>> = Vec::new();
    let mut word = Word::default();
    let mut quote: Option<char> = None;
    for piece in operands.into_iter().flat_map(|operand| operand.pieces) {
        let text = match piece {
            Piece::Hole(hole) => {
                word.open = true;
                word.parts.push(Piece::Hole(hole));
                continue;
            }
            Piece::Text(text) => text,
        };
        for c in text.chars() {
            match quote {
                Some(open) if c == open => quote = None,
                Some('"') if matches!(c, '$' | '`' | '\\' | '!') => return Err(shell_feature(c)),
                Some(_) => word.push(c),
                None => match c {
                    '\'' | '"' => {
                        quote = Some(c);
                        word.open = true;
                    }
                    ' ' | '\t' => word.close(&mut words),
                    '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | ']' | '~'
                    | '#' | '!' | '{' | '}' | '\\' | '\n' | '\r' => return Err(shell_feature(c)),
                    _ => word.push(c),
                },
            }
        }
    }
    if quote.is_some() {
        return Err("the quotes of the command do not match".into());
    }
    word.close(&mut words);
    match words.first().map(|first| first.parts.as_slice()) {
        Some([Piece::Text(program)]) => {
            if BUILT_IN.contains(&program.as_str()) || program.contains('=') {
                return Err(format!("`{program}` needs a shell"));
            }
        }
        Some(parts) if parts.iter().all(|part| js.is_fixed(part)) => {}
        Some(_) => return Err("the program itself comes from outside; choose it from a fixed list".into()),
        None => return Err("the command is empty".into()),
    }
    for constant in words.iter().flat_map(|word| &word.parts) {
        if let Piece::Hole(hole) = constant
            && js
                .fixed_text(*hole)
                .is_some_and(|text| text.contains(|c: char| c.is_whitespace() || "|&;<>*?$`\"'".contains(c)))
        {
            return Err("a constant part of the command holds several words".into());
        }
    }
    Ok(words)
}

fn shell_feature(c: char) -> String {
    let what = match c {
        '|' => "a pipe",
        '<' | '>' => "a redirection",
        '&' | ';' | '\n' | '\r' => "several commands",
        '*' | '?' | '[' | ']' | '~' | '{' | '}' => "a file name pattern",
        _ => "shell syntax",
    };
    format!(
        "the command uses {what}, which only a shell can do; do that part in code, then pass an argument list"
    )
}

impl<'t> Word<'t> {
    fn push(&mut self, c: char) {
        self.open = true;
        if let Some(Piece::Text(text)) = self.parts.last_mut() {
            text.push(c);
        } else {
            self.parts.push(Piece::Text(c.to_string()));
        }
    }

    fn close(&mut self, words: &mut Vec<Word<'t>>) {
        if self.open {
            words.push(std::mem::take(self));
        }
    }

    /// The holes in it.
    pub(crate) fn holes(&self) -> impl Iterator<Item = Node<'t>> {
        self.parts.iter().filter_map(|part| match part {
            Piece::Hole(hole) => Some(*hole),
            Piece::Text(_) => None,
        })
    }

    /// The word as an expression.
    fn code(&self, js: &Js<'t>, quote: char) -> String {
        match self.parts.as_slice() {
            [] => quoted("", quote),
            [Piece::Text(text)] => quoted(text, quote),
            [Piece::Hole(hole)] => {
                if let Some(list) = spread(js, *hole) {
                    return format!("...{}", js.text(list));
                }
                let code = js.text(bare(*hole));
                if js.is_text(*hole) { code.to_owned() } else { format!("String({code})") }
            }
            parts => {
                let mut out = String::from("`");
                for part in parts {
                    match part {
                        Piece::Text(text) => out.push_str(&super::sql_text::escape_template(text)),
                        Piece::Hole(hole) => {
                            out.push_str("${");
                            out.push_str(js.text(*hole));
                            out.push('}');
                        }
                    }
                }
                out.push('`');
                out
            }
        }
    }
}

/// Whether an option of one of these programs takes no value.
fn is_flag(program: &str, option: &str) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        return long.contains('=');
    }
    let takes = match program {
        "head" | "tail" => "nc",
        "grep" => "efmABC",
        "ping" => "ciWwstIlQpTMm",
        "du" => "dBtX",
        "stat" => "cft",
        "sort" => "ktoST",
        "cut" => "dfbc",
        "kill" => "sn",
        "touch" => "dtr",
        "mkdir" => "mZ",
        "gzip" | "gunzip" => "S",
        "od" => "AjNStw",
        "cp" | "mv" | "ln" => "tS",
        "ls" => "IwT",
        "file" => "fFmPe",
        _ => "",
    };
    option.len() > 1 && !option.ends_with(|c: char| takes.contains(c))
}

/// `list` of a hole `list.join(' ')`.
fn spread<'t>(js: &Js<'t>, hole: Node<'t>) -> Option<Node<'t>> {
    let hole = bare(hole);
    if hole.kind() != "call_expression" || js.callee_name(hole) != "join" {
        return None;
    }
    let by = js.arguments(hole).first().and_then(|by| js.string(*by))?;
    if by == " " { js.receiver(hole) } else { None }
}

/// Program and argument list: `'ping'` and `['-c', '4', String(host)]`.
pub(crate) fn argument_list<'t>(js: &Js<'t>, words: &[Word<'t>]) -> (String, String) {
    let quote = js.quote();
    let program = words.first().map_or_else(String::new, |word| word.code(js, quote));
    let rest = words.get(1..).unwrap_or(&[]);
    let name = program.trim_matches(quote);
    let name = name.rsplit('/').next().unwrap_or(name);
    let outside =
        |word: &Word<'t>| matches!(word.parts.first(), Some(Piece::Hole(hole)) if !js.is_constant(*hole));
    let first = rest.iter().position(outside);
    let guard = first.filter(|at| {
        let option =
            |word: &Word<'t>| matches!(word.parts.first(), Some(Piece::Text(text)) if text.starts_with('-'));
        ENDS_OPTIONS.contains(&name)
            && !rest.iter().any(|word| matches!(word.parts.as_slice(), [Piece::Text(text)] if text == "--"))
            && !rest[*at..].iter().any(option)
            // `head -n ${count}`: the value belongs to the option before it.
            && !at.checked_sub(1).and_then(|before| rest.get(before)).is_some_and(|word| {
                option(word) && !matches!(word.parts.as_slice(), [Piece::Text(text)] if is_flag(name, text))
            })
    });
    let mut codes: Vec<String> = Vec::new();
    for (at, word) in rest.iter().enumerate() {
        if guard == Some(at) {
            codes.push(quoted("--", quote));
        }
        codes.push(word.code(js, quote));
    }
    (program, format!("[{}]", codes.join(", ")))
}

impl<'t> Js<'t> {
    fn is_fixed(&self, part: &Piece<'t>) -> bool {
        match part {
            Piece::Text(_) => true,
            Piece::Hole(hole) => self.is_constant(*hole) || self.is_clean(*hole),
        }
    }

    /// The text of a constant, where it can be seen.
    fn fixed_text(&self, node: Node<'t>) -> Option<String> {
        let node = bare(node);
        if let Some(text) = self.string(node) {
            return Some(text);
        }
        if node.kind() != "identifier" || !self.is_constant(node) {
            return None;
        }
        self.binding(self.text(node), node)
            .and_then(|binding| binding.value)
            .and_then(|value| self.string(value))
    }

    /// Whether an expression is surely a string.
    pub(crate) fn is_text(&self, node: Node<'t>) -> bool {
        let node = bare(node);
        match node.kind() {
            "string" | "template_string" => true,
            "binary_expression" => self.is_building(node),
            "call_expression" => {
                matches!(
                    self.callee_name(node),
                    "String"
                        | "toString"
                        | "trim"
                        | "toLowerCase"
                        | "toUpperCase"
                        | "slice"
                        | "substring"
                        | "replace"
                        | "replaceAll"
                        | "join"
                        | "basename"
                        | "resolve"
                        | "normalize"
                        | "encodeURIComponent"
                )
            }
            "member_expression" => field(node, "object").is_some_and(|object| {
                let owner = self.text(object);
                owner == "req.params" || owner == "request.params" || owner == "ctx.params"
            }),
            "identifier" => {
                let Some(binding) = self.binding(self.text(node), node) else { return false };
                let typed = binding
                    .ident
                    .parent()
                    .and_then(|parent| field(parent, "type"))
                    .is_some_and(|kind| self.text(kind).trim_start_matches(':').trim() == "string");
                typed
                    || self.is_constant(node) && self.fixed_text(node).is_some()
                    || binding.value.is_some_and(|value| match binding.how {
                        super::syntax::How::Const => self.is_text(value),
                        super::syntax::How::Taken => {
                            matches!(self.text(value), "req.params" | "request.params")
                        }
                        _ => false,
                    })
                    || self.is_checked_text(node)
            }
            _ => false,
        }
    }

    /// Whether a `typeof x !== 'string'` test with a way out stands before the use.
    fn is_checked_text(&self, node: Node<'t>) -> bool {
        let name = self.text(node);
        let Some(function) = super::syntax::functions_around(node).last().copied() else { return false };
        let before = self.src.get(function.start_byte()..node.start_byte()).unwrap_or("");
        ["'", "\""].iter().any(|q| before.contains(&format!("typeof {name} !== {q}string{q}")))
    }
}

/// Nodes of an argument array that hold a whole command behind `-c`.
pub(crate) fn shell_script<'t>(js: &Js<'t>, arguments: &[Node<'t>]) -> Option<Node<'t>> {
    let program = arguments.first().and_then(|p| js.string(*p))?;
    let shell = program.rsplit('/').next().unwrap_or(&program).to_owned();
    if !matches!(shell.as_str(), "sh" | "bash" | "dash" | "zsh") {
        return None;
    }
    let list = arguments.get(1).copied().map(bare).filter(|list| list.kind() == "array")?;
    match named(list).as_slice() {
        [flag, script] if js.string(*flag).as_deref() == Some("-c") => Some(*script),
        _ => None,
    }
}
