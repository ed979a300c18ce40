//! Source text to coloured lines, by the grammars the scanner has anyway. Sixteen colours, chosen by the terminal.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use std::cell::RefCell;
use std::sync::OnceLock;
use tree_sitter_highlight::{HighlightConfiguration, HighlightEvent, Highlighter};

/// Text above this is shown plain: nobody reads it on a screen, and colouring costs time. Bytes.
const MAX: usize = 256 * 1024;

/// What a grammar may name, and how it looks.
const LOOKS: &[(&str, Style)] = &[
    ("keyword", Style::new().fg(Color::Magenta)),
    ("string", Style::new().fg(Color::Green)),
    ("string.special", Style::new().fg(Color::Green)),
    ("escape", Style::new().fg(Color::Cyan)),
    ("comment", Style::new().fg(Color::DarkGray).add_modifier(Modifier::ITALIC)),
    ("number", Style::new().fg(Color::Cyan)),
    ("constant", Style::new().fg(Color::Cyan)),
    ("constant.builtin", Style::new().fg(Color::Cyan)),
    ("function", Style::new().fg(Color::Blue)),
    ("function.method", Style::new().fg(Color::Blue)),
    ("function.builtin", Style::new().fg(Color::Blue)),
    ("constructor", Style::new().fg(Color::Yellow)),
    ("type", Style::new().fg(Color::Yellow)),
    ("type.builtin", Style::new().fg(Color::Yellow)),
    ("attribute", Style::new().fg(Color::Yellow)),
    ("property", Style::new()),
    ("operator", Style::new()),
    ("variable", Style::new()),
    ("variable.builtin", Style::new().fg(Color::Cyan)),
    ("punctuation", Style::new()),
    ("embedded", Style::new()),
];

/// A language that can be coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Python.
    Python,
    /// JavaScript.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with markup.
    Tsx,
    /// Java.
    Java,
    /// Shell.
    Bash,
}

/// The language of a code fence's word or a file's ending.
pub fn language(word: &str) -> Option<Language> {
    let word = word.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    Some(match word.to_lowercase().as_str() {
        "python" | "py" | "pyi" | "python3" => Language::Python,
        "javascript" | "js" | "mjs" | "cjs" | "jsx" | "node" => Language::JavaScript,
        "typescript" | "ts" | "mts" | "cts" => Language::TypeScript,
        "tsx" => Language::Tsx,
        "java" => Language::Java,
        "bash" | "sh" | "shell" | "console" | "zsh" => Language::Bash,
        _ => return None,
    })
}

/// The language of a file by its name.
pub fn language_of(path: &str) -> Option<Language> {
    language(path.rsplit_once('.')?.1)
}

/// The text's lines as styled pieces; plain where the language is not known.
pub fn highlight(text: &str, language: Option<Language>) -> Vec<Vec<Span<'static>>> {
    language.and_then(|language| coloured(text, language)).unwrap_or_else(|| plain(text))
}

fn plain(text: &str) -> Vec<Vec<Span<'static>>> {
    text.lines().map(|line| vec![Span::raw(line.to_owned())]).collect()
}

fn coloured(text: &str, language: Language) -> Option<Vec<Vec<Span<'static>>>> {
    thread_local! {
        static HIGHLIGHTER: RefCell<Highlighter> = RefCell::new(Highlighter::new());
    }
    if text.len() > MAX {
        return None;
    }
    let configuration = configuration(language)?;
    HIGHLIGHTER.with_borrow_mut(|highlighter| {
        let events = highlighter.highlight(configuration, text.as_bytes(), None, None, |_| None).ok()?;
        let mut lines = vec![Vec::new()];
        let mut looks: Vec<Style> = Vec::new();
        for event in events {
            match event.ok()? {
                HighlightEvent::HighlightStart(at) => looks.push(LOOKS.get(at.0)?.1),
                HighlightEvent::HighlightEnd => {
                    looks.pop();
                }
                HighlightEvent::Source { start, end } => {
                    let style = looks.last().copied().unwrap_or_default();
                    for (at, piece) in text.get(start..end)?.split('\n').enumerate() {
                        if at > 0 {
                            lines.push(Vec::new());
                        }
                        if let (false, Some(line)) = (piece.is_empty(), lines.last_mut()) {
                            line.push(Span::styled(piece.to_owned(), style));
                        }
                    }
                }
            }
        }
        if text.ends_with('\n') || text.is_empty() {
            lines.pop();
        }
        Some(lines)
    })
}

/// Compiled at first use of a language; most sessions need one.
fn configuration(language: Language) -> Option<&'static HighlightConfiguration> {
    static KNOWN: [OnceLock<Option<HighlightConfiguration>>; 6] = [const { OnceLock::new() }; 6];
    let build = || {
        let typescript = || {
            format!(
                "{}\n{}",
                tree_sitter_javascript::HIGHLIGHT_QUERY,
                tree_sitter_typescript::HIGHLIGHTS_QUERY
            )
        };
        let (grammar, query): (tree_sitter::Language, String) = match language {
            Language::Python => {
                (tree_sitter_python::LANGUAGE.into(), tree_sitter_python::HIGHLIGHTS_QUERY.to_owned())
            }
            Language::JavaScript => {
                (tree_sitter_javascript::LANGUAGE.into(), tree_sitter_javascript::HIGHLIGHT_QUERY.to_owned())
            }
            Language::TypeScript => (tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(), typescript()),
            Language::Tsx => (tree_sitter_typescript::LANGUAGE_TSX.into(), typescript()),
            Language::Java => {
                (tree_sitter_java::LANGUAGE.into(), tree_sitter_java::HIGHLIGHTS_QUERY.to_owned())
            }
            Language::Bash => {
                (tree_sitter_bash::LANGUAGE.into(), tree_sitter_bash::HIGHLIGHT_QUERY.to_owned())
            }
        };
        let mut configuration = HighlightConfiguration::new(grammar, "code", &query, "", "").ok()?;
        let names: Vec<&str> = LOOKS.iter().map(|(name, _)| *name).collect();
        configuration.configure(&names);
        Some(configuration)
    };
    KNOWN.get(language as usize)?.get_or_init(build).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_colours_its_own_keywords_and_keeps_every_byte() {
        for (word, text, keyword) in [
            ("python", "def f(x):\n    return 'a'  # why\n", "def"),
            ("js", "const x = () => `a`;\nreturn x;\n", "const"),
            ("ts", "interface A { x: string }\nexport const a: A = { x: '1' };\n", "export"),
            ("tsx", "const a = <b>x</b>;\n", "const"),
            ("java", "class A { int x = 1; }\n", "class"),
            ("bash", "if true; then echo \"a\"; fi\n", "if"),
        ] {
            let lines = highlight(text, language(word));
            let joined: Vec<String> =
                lines.iter().map(|line| line.iter().map(|span| span.content.as_ref()).collect()).collect();
            assert_eq!(joined, text.lines().collect::<Vec<_>>(), "{word}");
            let styled = lines.iter().flatten().find(|span| span.content.trim() == keyword);
            assert_eq!(styled.map(|span| span.style.fg), Some(Some(Color::Magenta)), "{word}: {lines:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_plain() {
        assert_eq!(language("rust"), None);
        assert_eq!(language_of("a/b.py"), Some(Language::Python));
        assert_eq!(highlight("a\nb", None).len(), 2);
    }
}
