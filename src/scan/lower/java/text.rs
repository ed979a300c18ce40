//! Text literals: strings, text blocks, letters.

use super::{Lowering, at};
use crate::scan::ir::{At, Text, TextPart, TextPiece};
use tree_sitter::Node;

impl Lowering<'_> {
    /// A string, a text block or a letter.
    pub(super) fn text_literal(&self, node: Node<'_>) -> Text {
        let written = self.str(node);
        let quote = match written {
            _ if written.starts_with("\"\"\"") => "\"\"\"",
            _ if written.starts_with('\'') => "'",
            _ => "\"",
        };
        let width = quote.len();
        let (from, to) = (node.start_byte() + width, node.end_byte().saturating_sub(width));
        let raw = self.text.get(from..to).unwrap_or("");
        let value = if width == 3 { decode(&block(raw)) } else { decode(raw) };
        let mut parts = Vec::new();
        if !value.is_empty() {
            parts.push(TextPart::Literal { at: At::new(from, to), value, piece: 0 });
        }
        let pieces = vec![TextPiece { at: at(node), prefix: String::new(), quote: quote.to_owned() }];
        Text { parts, pieces, is_bytes: false }
    }
}

/// A text block without the blanks all its lines share.
fn block(raw: &str) -> String {
    let body = raw.split_once('\n').map_or(raw, |(_, body)| body);
    let lines: Vec<&str> = body.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    let last = lines.len().saturating_sub(1);
    let shared = lines
        .iter()
        .enumerate()
        .filter(|(at, line)| *at == last || !line.trim().is_empty())
        .map(|(_, line)| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let stripped: Vec<&str> =
        lines.iter().map(|line| line.get(shared..).unwrap_or("").trim_end_matches([' ', '\t'])).collect();
    stripped.join("\n")
}

/// The value of a literal's letters.
fn decode(raw: &str) -> String {
    if !raw.contains('\\') {
        return raw.to_owned();
    }
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('s') => out.push(' '),
            Some('\n') | None => {}
            Some('u') => {
                while chars.peek() == Some(&'u') {
                    chars.next();
                }
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(first @ '0'..='7') => {
                let mut digits = first.to_string();
                while digits.len() < 3
                    && let Some(next) = chars.next_if(|next| ('0'..='7').contains(next))
                {
                    digits.push(next);
                }
                let code = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
                out.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_blocks_lose_the_blanks_their_lines_share() {
        assert_eq!(block("\n    a\n      b\n    "), "a\n  b\n");
        assert_eq!(block("\n    a\n      b"), "a\n  b");
    }

    #[test]
    fn escapes_are_decoded() {
        assert_eq!(decode("a\\n\\u0041\\101\\\"\\0"), "a\nAA\"\0");
    }
}
