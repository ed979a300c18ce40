//! Redaction of text that comes in pieces: a secret cut in two must not slip through between them.

use super::redact;

/// The longest line, and the longest key block, that is held back for what may still come, in bytes.
const HELD: usize = 16 * 1024;

/// Hides secrets in a stream. What it gives is the redacted stream in pieces; text is held back to the last
/// blank, and a key block to its end.
#[derive(Debug, Default)]
pub struct Stream {
    /// The current line (or key block), as it came.
    line: String,
    /// What was given of it.
    given: String,
}

impl Stream {
    /// Takes the next piece; gives what can be shown of it by now.
    pub fn push(&mut self, piece: &str) -> String {
        self.line.push_str(piece);
        // Whole lines at once: a flood of short ones must not cost a look each.
        let end = self.block().unwrap_or(self.line.len());
        let whole = self.line[..end].rfind('\n').map_or(0, |at| at + 1);
        let mut out = String::new();
        if whole > 0 {
            out += &self.give(whole);
            self.line.drain(..whole);
            self.given.clear();
        }
        if self.line.len() > HELD {
            out += &self.end_line();
        } else if self.block().is_none()
            && let Some(at) = self.line.rfind([' ', '\t'])
        {
            out += &self.give(at + 1);
        }
        out
    }

    /// Ends the stream; gives the rest.
    pub fn finish(&mut self) -> String {
        self.end_line()
    }

    fn end_line(&mut self) -> String {
        let out = self.give(self.line.len());
        self.line.clear();
        self.given.clear();
        out
    }

    /// Gives the redacted line up to a byte, without what was given of it before.
    fn give(&mut self, end: usize) -> String {
        let shown = redact(&self.line[..end]).into_owned();
        let common = shown.bytes().zip(self.given.bytes()).take_while(|(new, old)| new == old).count();
        let fresh = shown[shown.floor_char_boundary(common)..].to_owned();
        self.given = shown;
        fresh
    }

    /// Where a private key has begun that has not ended.
    fn block(&self) -> Option<usize> {
        let at = self.line.rfind("-----BEGIN ")?;
        let rest = &self.line[at..];
        (rest.contains("PRIVATE KEY") && !rest.contains("-----END ")).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stream in pieces of so many bytes.
    fn streamed(text: &str, size: usize) -> String {
        let mut stream = Stream::default();
        let mut out = String::new();
        let characters: Vec<char> = text.chars().collect();
        for piece in characters.chunks(size) {
            out += &stream.push(&piece.iter().collect::<String>());
        }
        out + &stream.finish()
    }

    #[test]
    fn hides_the_same_however_the_text_is_cut() {
        let secret = "a1B2".repeat(9);
        let block = format!(
            "-----BEGIN PRIVATE KEY-----\n{0}\n{0}\n-----END PRIVATE KEY-----\nafter\n",
            "FAKEcanary0".repeat(6)
        );
        for text in [
            format!("use ghp_{secret} now\nand go on\n"),
            format!("Authorization: Bearer {secret}"),
            "postgres://u:FAKE0canary@db/x\n".to_owned(),
            format!("x\n{block}"),
            "plain words, é ü 漢字\n\n  indented\tmore".to_owned(),
            String::new(),
        ] {
            for size in [1, 2, 3, 7, 64, 4096] {
                let out = streamed(&text, size);
                assert!(!out.contains(&secret) && !out.contains("FAKE"), "{size}: {out}");
                assert_eq!(out, redact(&text), "in pieces of {size}");
            }
        }
    }

    #[test]
    fn does_not_hold_back_plain_words() {
        let mut stream = Stream::default();
        assert_eq!(stream.push("hello wor"), "hello ");
        assert_eq!(stream.push("ld"), "");
        assert_eq!(stream.push(" and\n"), "world and\n");
        assert_eq!(stream.finish(), "");
        assert!(!stream.push(&"x".repeat(HELD + 1)).is_empty(), "a line without end is not kept for ever");
    }
}
