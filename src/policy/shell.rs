//! Shell text to simple commands, redirects and pipes; what cannot be read from the text is said so.
//!
//! Reading decides whether to ask. It never is the wall: that is the sandbox.

use super::wrappers;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};
use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree};

/// One word after the shell's own quoting, as far as the text tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Its value when `exact`, else its source.
    pub(super) text: String,
    /// Whether the shell will see exactly this: no variable, substitution or pattern in it.
    pub(super) exact: bool,
}

impl Word {
    pub(super) fn exact(text: impl Into<String>) -> Self {
        Self { text: text.into(), exact: true }
    }

    pub(super) fn unknown(text: impl Into<String>) -> Self {
        Self { text: text.into(), exact: false }
    }
}

/// One program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Simple {
    /// Program and arguments; never empty.
    pub(super) argv: Vec<Word>,
    /// Whether variables are set for it alone.
    pub(super) assigned: bool,
    /// Whether it stands inside another: `timeout 5 …`, `sh -c '…'`, `find -exec …`.
    pub(super) wrapped: bool,
}

impl Simple {
    /// The program as written.
    pub(super) fn program(&self) -> &str {
        &self.argv[0].text
    }

    /// The program without its folder.
    pub(super) fn name(&self) -> &str {
        let program = self.program();
        program.rsplit('/').next().unwrap_or(program)
    }

    /// Everything after the program.
    pub(super) fn arguments(&self) -> &[Word] {
        &self.argv[1..]
    }

    /// Whether every word is known.
    pub(super) fn is_exact(&self) -> bool {
        self.argv.iter().all(|word| word.exact)
    }
}

/// A redirect to or from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redirect {
    /// Whether the file is written.
    pub(super) writes: bool,
    /// The file.
    pub(super) target: Word,
}

/// What a command text does.
#[derive(Debug, Default, Clone)]
pub(super) struct Script {
    /// Every simple command in it, those in substitutions, functions and wrappers included.
    pub(super) commands: Vec<Simple>,
    /// Every file redirect in it.
    pub(super) redirects: Vec<Redirect>,
    /// For each pipeline, the commands of each of its parts.
    pub(super) pipes: Vec<Vec<Range<usize>>>,
    /// Functions it defines, each with the commands of its body.
    pub(super) functions: Vec<(String, Range<usize>)>,
    /// What cannot be decided from the text, in words.
    pub(super) undecided: Vec<String>,
    /// Whether something is left running behind the text.
    pub(super) background: bool,
    /// Whether it is more than commands joined by pipes, `&&`, `||` and `;` on one line.
    pub(super) compound: bool,
}

/// Text longer than this is not judged.
const MAX_TEXT: usize = 64 * 1024;
/// Pipes beyond this are not parsed at all: the parser's time grows with their square, and it does not look at
/// the clock meanwhile.
const MAX_PIPES: usize = 1000;
/// Time for one text; what takes longer is not judged.
const MAX_TIME: Duration = Duration::from_millis(500);
/// Commands beyond this are not judged one by one.
const MAX_COMMANDS: usize = 200;
/// Nodes within nodes beyond this are not read; the parser itself puts no bound on them.
const MAX_LEVEL: usize = 250;
const TOO_DEEP: &str = "the command is too deeply nested to be judged";
/// `sh -c 'sh -c …'` deeper than this is not followed.
const MAX_DEPTH: usize = 5;

/// Reads a command text.
pub(super) fn parse(text: &str) -> Script {
    parse_at(text, 0)
}

pub(super) fn parse_at(text: &str, depth: usize) -> Script {
    let mut script = Script { compound: text.trim_end().contains('\n'), ..Script::default() };
    if text.len() > MAX_TEXT || depth > MAX_DEPTH || text.matches('|').count() > MAX_PIPES {
        script.undecided.push("the command is too long or too deeply nested to be judged".into());
        return script;
    }
    if let Some(odd) = text.chars().find(|character| is_odd(*character)) {
        script.undecided.push(format!("the command holds the invisible character U+{:04X}", odd as u32));
    }
    let mut parser = Parser::new();
    let tree = match parser.set_language(&tree_sitter_bash::LANGUAGE.into()) {
        Ok(()) => parse_in_time(&mut parser, text),
        Err(_) => None,
    };
    let Some(tree) = tree else {
        script.undecided.push("the command cannot be parsed".into());
        return script;
    };
    if tree.root_node().has_error() {
        script.undecided.push("the command cannot be parsed".into());
    }
    Reader { text, depth, level: 0, script: &mut script }.visit(tree.root_node());
    if script.commands.len() > MAX_COMMANDS {
        script.undecided.push("the command has too many parts to be judged".into());
    }
    script
}

/// Some texts of a few kilobytes would keep the parser busy for minutes.
fn parse_in_time(parser: &mut Parser, text: &str) -> Option<Tree> {
    let began = Instant::now();
    let mut in_time = |_: &ParseState| {
        if began.elapsed() > MAX_TIME { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut in_time);
    parser.parse_with_options(&mut |at, _| text.as_bytes().get(at..).unwrap_or_default(), None, Some(options))
}

/// Characters that look like nothing or hide the rest of a line.
fn is_odd(character: char) -> bool {
    (character.is_control() && character != '\n' && character != '\t')
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}' | '\u{a0}')
}

struct Reader<'a> {
    text: &'a str,
    depth: usize,
    /// Nodes above the one being read.
    level: usize,
    script: &'a mut Script,
}

impl<'a> Reader<'a> {
    fn source(&self, node: Node) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Reads what is inside a node, unless it lies too deep: text must not be able to use up the stack.
    fn descend(&mut self, read: impl FnOnce(&mut Self)) {
        if self.level >= MAX_LEVEL {
            if !self.script.undecided.iter().any(|why| why == TOO_DEEP) {
                self.script.undecided.push(TOO_DEEP.into());
            }
            return;
        }
        self.level += 1;
        read(self);
        self.level -= 1;
    }

    fn visit(&mut self, node: Node) {
        self.descend(|reader| reader.visit_node(node));
    }

    fn visit_node(&mut self, node: Node) {
        match node.kind() {
            "program" | "list" | "redirected_statement" | "comment" => self.visit_children(node),
            "pipeline" => self.visit_pipeline(node),
            "command" => self.visit_command(node),
            "file_redirect" => self.visit_redirect(node),
            "declaration_command" | "unset_command" | "test_command" => {
                let name = node.child(0).map_or("", |child| self.source(child));
                self.push(vec![Word::exact(name), Word::unknown(self.source(node))], false);
                self.script.compound = true;
                self.visit_children(node);
            }
            "variable_assignment" => {
                self.script.compound = true;
                self.visit_children(node);
            }
            "function_definition" => {
                self.script.compound = true;
                let start = self.script.commands.len();
                self.visit_children(node);
                let name = node.child_by_field_name("name").map_or("", |name| self.source(name));
                let body = start..self.script.commands.len();
                self.script.functions.push((name.to_owned(), body));
            }
            _ => {
                if node.is_named() && !is_word(node.kind()) {
                    self.script.compound = true;
                }
                self.visit_children(node);
            }
        }
    }

    fn visit_children(&mut self, node: Node) {
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            if child.kind() == "&" {
                self.script.background = true;
            }
            self.visit(child);
        }
    }

    fn visit_pipeline(&mut self, node: Node) {
        let mut parts = Vec::new();
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            let start = self.script.commands.len();
            self.visit(child);
            parts.push(start..self.script.commands.len());
        }
        self.script.pipes.push(parts);
    }

    fn visit_command(&mut self, node: Node) {
        let mut argv = Vec::new();
        let mut assigned = false;
        let mut inner = Vec::new();
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            match child.kind() {
                "variable_assignment" => {
                    assigned = true;
                    inner.push(child);
                }
                "command_name" => {
                    if let Some(name) = child.named_child(0) {
                        argv.push(self.word(name));
                        inner.push(name);
                    }
                }
                "file_redirect" => self.visit_redirect(child),
                "herestring_redirect" | "heredoc_redirect" => inner.push(child),
                // Operators of tests and the like are not words.
                kind if child.is_named() && is_word(kind) => {
                    argv.push(self.word(child));
                    inner.push(child);
                }
                _ if child.is_named() => inner.push(child),
                _ => argv.push(Word::unknown(self.source(child))),
            }
        }
        if !argv.is_empty() {
            self.push(argv, assigned);
        }
        for child in inner {
            self.visit_inside(child);
        }
    }

    /// Substitutions inside a word are commands too.
    fn visit_inside(&mut self, node: Node) {
        match node.kind() {
            "command_substitution" | "process_substitution" | "file_redirect" | "pipeline" => {
                self.visit(node);
            }
            _ => self.descend(|reader| {
                let mut cursor = node.walk();
                for child in node.children(&mut cursor) {
                    reader.visit_inside(child);
                }
            }),
        }
    }

    fn visit_redirect(&mut self, node: Node) {
        let mut cursor = node.walk();
        let operator = node.children(&mut cursor).find(|child| !child.is_named());
        let operator = operator.map_or("", |child| self.source(child));
        let Some(target) = node.child_by_field_name("destination") else {
            if !operator.ends_with("&-") {
                self.script.undecided.push("a redirect without a plain target".into());
            }
            return;
        };
        let word = self.word(target);
        let copies = operator.ends_with('&') && word.exact && is_descriptor(&word.text);
        if !copies {
            self.script.redirects.push(Redirect { writes: operator.contains('>'), target: word });
        }
        self.visit_inside(target);
    }

    fn push(&mut self, argv: Vec<Word>, assigned: bool) {
        if !argv[0].exact {
            self.script
                .undecided
                .push(format!("`{}` stands for a command that is not known yet", argv[0].text));
        }
        let simple = Simple { argv, assigned, wrapped: false };
        wrappers::expand(&simple, self.depth, self.script);
    }

    fn word(&self, node: Node) -> Word {
        let source = self.source(node);
        match node.kind() {
            "number" if node.named_child_count() == 0 => Word::exact(source),
            "word" => plain_word(source),
            "raw_string" => Word::exact(source.trim_matches('\'')),
            "string" => {
                let mut cursor = node.walk();
                let dynamic = node.named_children(&mut cursor).any(|child| child.kind() != "string_content");
                if dynamic {
                    return Word::unknown(source);
                }
                let inner =
                    source.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(source);
                Word::exact(unescape(inner, |character| matches!(character, '$' | '`' | '"' | '\\')))
            }
            "concatenation" => {
                let mut cursor = node.walk();
                let parts: Vec<Word> = node.children(&mut cursor).map(|part| self.word(part)).collect();
                // `{a,b}` comes apart into words with bare braces; a tilde counts only in front.
                let exact =
                    parts.iter().all(|part| part.exact) && !(source.contains('{') && source.contains('}'));
                if exact {
                    Word::exact(parts.iter().map(|part| part.text.as_str()).collect::<String>())
                } else {
                    Word::unknown(source)
                }
            }
            _ => Word::unknown(source),
        }
    }
}

fn is_word(kind: &str) -> bool {
    matches!(
        kind,
        "word"
            | "number"
            | "string"
            | "raw_string"
            | "ansi_c_string"
            | "translated_string"
            | "concatenation"
            | "simple_expansion"
            | "expansion"
            | "command_substitution"
            | "process_substitution"
            | "arithmetic_expansion"
            | "brace_expression"
            | "extglob_pattern"
            | "regex"
    )
}

fn is_descriptor(text: &str) -> bool {
    text == "-"
        || (!text.is_empty() && text.trim_end_matches('-').chars().all(|digit| digit.is_ascii_digit()))
}

/// A word without quotes: backslashes go, patterns and tildes make it unknown.
fn plain_word(source: &str) -> Word {
    let mut escaped = false;
    for character in source.chars() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if matches!(character, '*' | '?' | '[' | '`' | '$') {
            return Word::unknown(source);
        }
    }
    let braces = source.contains('{') && (source.contains(',') || source.contains(".."));
    if source.starts_with('~') || braces || escaped {
        return Word::unknown(source);
    }
    Word::exact(unescape(source, |_| true))
}

fn unescape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek().copied()) {
            ('\\', Some('\n')) => {
                characters.next();
            }
            ('\\', Some(next)) if is_escaped(next) => {
                out.push(next);
                characters.next();
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let script = parse(text);
        let shown: Vec<String> = script
            .commands
            .iter()
            .map(|simple| {
                let words: Vec<String> = simple
                    .argv
                    .iter()
                    .map(|word| if word.exact { word.text.clone() } else { format!("?{}", word.text) })
                    .collect();
                words.join("|")
            })
            .collect();
        assert_eq!(shown, expected, "{text}: {:?}", script.undecided);
        assert!(script.undecided.is_empty(), "{text}: {:?}", script.undecided);
    }

    #[test]
    fn reads_words_through_every_kind_of_quoting() {
        check("ls -la src", &["ls|-la|src"]);
        check("echo 'a b' \"c d\" e\\ f", &["echo|a b|c d|e f"]);
        check("echo a'b'\"c\"", &["echo|abc"]);
        check("l's' x", &["ls|x"]);
        check("\\rm x", &["rm|x"]);
        check("echo \"$x\" $y", &["echo|?\"$x\"|?$y"]);
        check("ls *.py ~/x", &["ls|?*.py|?~/x"]);
        check("echo {a,b}", &["echo|?{a,b}"]);
        check("sleep 5", &["sleep|5"]);
    }

    #[test]
    fn finds_commands_wherever_they_hide() {
        check("a; b && c || d | e", &["a", "b", "c", "d", "e"]);
        check("a\nb", &["a", "b"]);
        check("a & b", &["a", "b"]);
        check("echo $(rm x)", &["echo|?$(rm x)", "rm|x"]);
        check("echo \"a `rm x` b\"", &["echo|?\"a `rm x` b\"", "rm|x"]);
        check("diff <(a) <(b)", &["diff|?<(a)|?<(b)", "a", "b"]);
        check("(a; b)", &["a", "b"]);
        check("{ a; }", &["a"]);
        check("if a; then b; else c; fi", &["a", "b", "c"]);
        check("for i in 1 2; do a $i; done", &["a|?$i"]);
        check("while a; do b; done", &["a", "b"]);
        check("case x in y) a;; esac", &["a"]);
        check("f() { a; }; f", &["a", "f"]);
        check("cat <<E\n$(rm x)\nE", &["cat", "rm|x"]);
        check("cat <<E | sh-like\nx\nE", &["cat", "sh-like"]);
        check("x=$(rm y) true", &["true", "rm|y"]);
        check("x=$(rm y)", &["rm|y"]);
        check("! a", &["a"]);
        check("a > f 2>&1", &["a"]);
    }

    #[test]
    fn finds_redirects_wherever_they_stand() {
        let check = |text: &str, expected: &[(bool, &str)]| {
            let script = parse(text);
            let shown: Vec<(bool, &str)> =
                script.redirects.iter().map(|item| (item.writes, item.target.text.as_str())).collect();
            assert_eq!(shown, expected, "{text}");
        };
        check("a > f", &[(true, "f")]);
        check("a >> f 2>&1", &[(true, "f")]);
        check("a &> f", &[(true, "f")]);
        check("a < f", &[(false, "f")]);
        check("> f", &[(true, "f")]);
        check("(a) > f", &[(true, "f")]);
        check("> f a", &[(true, "f")]);
        check("cat <<E > f\nx\nE", &[(true, "f")]);
        check("a 2>/dev/null", &[(true, "/dev/null")]);
        check("a >| f", &[(true, "f")]);
        check("echo $(a > f)", &[(true, "f")]);
    }
}
