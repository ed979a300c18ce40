//! Lines of a file of any size, a bounded piece of each at a time.

use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Take};

/// One line, as far as it is kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its bytes without the line end, at most as many as are kept.
    pub bytes: Vec<u8>,
    /// Bytes it has in the file, the line end not counted.
    pub length: u64,
}

/// Bytes of a file that are looked at: a sparse file of terabytes must not keep anyone waiting.
const MAX_LOOK: u64 = 2 * 1024 * 1024 * 1024;

/// Reads a file line by line in little memory, however long the file and its lines are. What lies behind
/// the first 2 GiB is not looked at.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<Take<File>>,
    keep: usize,
    hasher: Option<Sha256>,
}

impl Lines {
    /// At most `keep` bytes of each line are kept; the hash of the whole is counted along when asked for.
    pub(super) fn new(file: File, keep: usize, with_hash: bool) -> Self {
        Self::limited(file, keep, with_hash, MAX_LOOK)
    }

    fn limited(file: File, keep: usize, with_hash: bool, limit: u64) -> Self {
        let reader = BufReader::with_capacity(64 * 1024, file.take(limit));
        Self { reader, keep, hasher: with_hash.then(Sha256::new) }
    }

    /// The next line into `line`, whose memory is used again; `false` at the end. A last line without a
    /// line end counts; nothing after a final line end does not. `\r\n` ends a line like `\n`.
    pub fn next_into(&mut self, line: &mut Line) -> std::io::Result<bool> {
        line.bytes.clear();
        line.length = 0;
        let mut any = false;
        loop {
            let buffer = self.reader.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            let room = self.keep.saturating_sub(line.bytes.len());
            line.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
            line.length += piece.len() as u64;
            let used = end.map_or(buffer.len(), |end| end + 1);
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&buffer[..used]);
            }
            self.reader.consume(used);
            if end.is_some() {
                if line.bytes.len() as u64 == line.length && line.bytes.last() == Some(&b'\r') {
                    line.bytes.pop();
                    line.length -= 1;
                }
                return Ok(true);
            }
        }
    }

    /// Whether the lines ended because no more is looked at, rather than because the file ended.
    pub fn ended_early(&self) -> bool {
        self.reader.get_ref().limit() == 0
    }

    /// SHA-256 of everything read so far: of the whole file when the end was reached.
    pub fn hash(self) -> Option<[u8; 32]> {
        self.hasher.map(|hasher| hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, Write};

    fn check(text: &str, keep: usize, expected: &[(&str, u64)]) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let mut lines = Lines::new(file, keep, true);
        let mut line = Line::default();
        let mut got = Vec::new();
        while lines.next_into(&mut line).unwrap() {
            got.push((String::from_utf8(line.bytes.clone()).unwrap(), line.length));
        }
        let expected: Vec<(String, u64)> = expected.iter().map(|(t, n)| ((*t).to_owned(), *n)).collect();
        assert_eq!(got, expected);
        let whole: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        assert_eq!(lines.hash(), Some(whole));
    }

    #[test]
    fn counts_lines_as_editors_do_and_keeps_a_bounded_piece() {
        check("", 9, &[]);
        check("a", 9, &[("a", 1)]);
        check("a\nb\n", 9, &[("a", 1), ("b", 1)]);
        check("a\r\n\r\nb", 9, &[("a", 1), ("", 0), ("b", 1)]);
        check("abcdef\ng\n", 3, &[("abc", 6), ("g", 1)]);
        check("a\rb\n", 9, &[("a\rb", 3)]);
    }

    #[test]
    fn stops_where_no_more_is_looked_at() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"a\nb\nc\n").unwrap();
        file.rewind().unwrap();
        let mut lines = Lines::limited(file, 9, false, 4);
        let mut line = Line::default();
        let mut count = 0;
        while lines.next_into(&mut line).unwrap() {
            count += 1;
        }
        assert_eq!(count, 2);
        assert!(lines.ended_early());
    }

    #[test]
    fn a_long_line_costs_only_what_is_kept() {
        let text = "x".repeat(300_000) + "\nend";
        check(&text, 4, &[("xxxx", 300_000), ("end", 3)]);
    }
}
