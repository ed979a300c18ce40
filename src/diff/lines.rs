//! Lines and their endings: split without loss, and give new text the ending its surroundings have.

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// `\n`.
    Lf,
    /// `\r\n`.
    Crlf,
}

impl Ending {
    /// As text.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Ending::Lf => "\n",
            Ending::Crlf => "\r\n",
        }
    }

    /// The ending of one line; `None` when it has none.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        line.strip_suffix('\n').map(|body| if body.ends_with('\r') { Ending::Crlf } else { Ending::Lf })
    }

    /// The ending of the first line that has one.
    pub(super) fn first(text: &str) -> Option<Self> {
        text.split_inclusive('\n').next().and_then(Self::of_line)
    }

    /// The ending most lines of a text have; `None` when no line ends.
    pub(super) fn dominant(text: &str) -> Option<Self> {
        let all = text.matches('\n').count();
        let crlf = text.matches("\r\n").count();
        (all > 0).then_some(if crlf * 2 > all { Ending::Crlf } else { Ending::Lf })
    }

    /// `text` with every `\n` and `\r\n` turned into this ending.
    pub(super) fn adopt(self, text: &str) -> String {
        let plain = text.replace("\r\n", "\n");
        match self {
            Ending::Lf => plain,
            Ending::Crlf => plain.replace('\n', "\r\n"),
        }
    }
}

/// The byte order mark some editors put first.
pub(super) const BOM: char = '\u{feff}';

/// Lines with their endings; none for the empty text.
pub(super) fn split(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// A line without its `\n`.
pub(super) fn body(line: &str) -> &str {
    line.strip_suffix('\n').unwrap_or(line)
}

/// A line without its ending, `\n` or `\r\n`; a `\r` at the end of a body counts as one.
pub(super) fn bare(line: &str) -> &str {
    let body = body(line);
    body.strip_suffix('\r').unwrap_or(body)
}

/// Whether nothing but blanks is on a line.
pub(super) fn is_blank(line: &str) -> bool {
    line.chars().all(char::is_whitespace)
}

/// The blanks a line begins with.
pub(super) fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
