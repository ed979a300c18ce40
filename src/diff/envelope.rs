//! The `*** Begin Patch` envelope: sections that add, delete, update or move a file.

use super::Tag;
use super::patch::{Chunk, FilePatch, Form, Kind, ParseError, header};

/// First line of an envelope.
pub(super) const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const END_OF_FILE: &str = "*** End of File";
const MOVE: &str = "*** Move to:";

/// Reads the envelope that begins on line `begin`, and any that follow it.
pub(super) fn parse(lines: &[&str], begin: usize) -> Result<Vec<FilePatch>, ParseError> {
    // The last line may be indented, as when the whole patch is quoted; inside, an indented marker is content.
    let last = lines.iter().rposition(|line| line.trim() == END);
    let mut reader = Reader { lines, at: begin + 1, last };
    let mut files = Vec::new();
    loop {
        match reader.peek() {
            None if last.is_some_and(|last| last > begin) => break,
            None => {
                return Err(ParseError::whole(format!(
                    "the patch ends without `{END}`; it may have been cut: send it whole"
                )));
            }
            Some(line) if line.trim() == END => {
                reader.at += 1;
                match reader.lines[reader.at..].iter().position(|line| line.trim() == BEGIN) {
                    Some(next) => reader.at += next + 1,
                    None => break,
                }
            }
            Some(line) if line.trim().is_empty() => reader.at += 1,
            Some(line) => files.push(reader.section(line)?),
        }
    }
    if files.is_empty() {
        return Err(ParseError::whole("the patch is empty: nothing stands between its first and last line"));
    }
    Ok(files)
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    last: Option<usize>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    /// The next line of a section's body; `None` where the section ends.
    fn body(&self) -> Option<&'a str> {
        self.peek().filter(|line| {
            Some(self.at) != self.last && (!line.starts_with("***") || line.trim_end() == END_OF_FILE)
        })
    }

    fn section(&mut self, line: &'a str) -> Result<FilePatch, ParseError> {
        let at = self.at;
        self.at += 1;
        let named = |prefix: &str| line.trim().strip_prefix(prefix).map(str::trim);
        let kinds = [
            ("*** Add File:", Kind::Add),
            ("*** Delete File:", Kind::Delete),
            ("*** Update File:", Kind::Update),
        ];
        let found = kinds.iter().find_map(|(prefix, kind)| named(prefix).map(|path| (path, *kind)));
        let Some((path, kind)) = found else {
            return Err(ParseError::at(
                at,
                "expected `*** Add File: path`, `*** Update File: path` or `*** Delete File: path`",
            ));
        };
        if path.is_empty() {
            return Err(ParseError::at(at, "the path is missing"));
        }
        let mut file = FilePatch {
            path: path.to_owned(),
            moved_to: None,
            kind,
            chunks: Vec::new(),
            form: Form::Envelope,
        };
        match kind {
            Kind::Add => file.chunks.push(self.content()?),
            Kind::Delete => self.nothing()?,
            Kind::Update => {
                if let Some(to) = self.peek().and_then(|line| line.trim().strip_prefix(MOVE)) {
                    if to.trim().is_empty() {
                        return Err(ParseError::at(self.at, "the path to move to is missing"));
                    }
                    file.moved_to = Some(to.trim().to_owned());
                    self.at += 1;
                }
                file.chunks = self.chunks()?;
                if file.chunks.is_empty() && file.moved_to.is_none() {
                    return Err(ParseError::at(at, format!("the update of {path} has no hunk")));
                }
            }
        }
        Ok(file)
    }

    /// The lines of a new file.
    fn content(&mut self) -> Result<Chunk, ParseError> {
        let mut chunk = Chunk::default();
        let mut empty = 0;
        while let Some(line) = self.body() {
            empty = if line.trim().is_empty() { empty + 1 } else { 0 };
            if let Some(text) = line.strip_prefix('+') {
                chunk.push(Tag::Added, text);
            } else if line.trim().is_empty() {
                chunk.push(Tag::Added, "");
            } else if line.starts_with('\\') {
                chunk.mark_unended();
            } else if line.trim_end() != END_OF_FILE {
                return Err(ParseError::at(self.at, "every line of an added file begins with `+`"));
            }
            self.at += 1;
        }
        chunk.drop_trailing(empty);
        Ok(chunk)
    }

    fn nothing(&mut self) -> Result<(), ParseError> {
        while let Some(line) = self.body() {
            if !line.trim().is_empty() {
                return Err(ParseError::at(
                    self.at,
                    "nothing may follow `*** Delete File:` but the next section",
                ));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn chunks(&mut self) -> Result<Vec<Chunk>, ParseError> {
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut open: Option<Chunk> = None;
        let mut empty = 0;
        // Some write the two lines of a unified diff under the section's own.
        let starts = |ahead: usize, prefix| {
            self.lines.get(self.at + ahead).is_some_and(|line: &&str| line.starts_with(prefix))
        };
        if starts(0, "--- ") && starts(1, "+++ ") && starts(2, "@@") {
            self.at += 2;
        }
        while let Some(line) = self.body() {
            if header(line).is_some() {
                // `@@ class A` and `@@ def b` one after the other narrow the same hunk down.
                if open.as_ref().is_none_or(|chunk| !chunk.lines.is_empty() || chunk.at_end) {
                    close(open.replace(Chunk::default()), empty, &mut chunks);
                }
                open.get_or_insert_default().state(line);
                empty = 0;
            } else {
                if open.as_ref().is_some_and(|chunk| chunk.at_end) && !line.trim().is_empty() {
                    close(open.take(), empty, &mut chunks);
                }
                let chunk = open.get_or_insert_with(|| Chunk { header: "@@".into(), ..Chunk::default() });
                empty = if matches!(line, "" | "\r") { empty + 1 } else { 0 };
                if line.trim_end() == END_OF_FILE {
                    chunk.at_end = true;
                } else if matches!(line, "" | "\r") {
                    if !chunk.at_end {
                        chunk.push(Tag::Same, line);
                    }
                } else if line.starts_with('\\') {
                    chunk.mark_unended();
                } else if let Some((tag, text)) = tagged(line) {
                    chunk.push(tag, text);
                } else {
                    return Err(ParseError::at(
                        self.at,
                        "a hunk's lines begin with ` ` (unchanged), `-` (removed) or `+` (added)",
                    ));
                }
            }
            self.at += 1;
        }
        close(open, empty, &mut chunks);
        if let Some(idle) = chunks.iter().find(|chunk| chunk.lines.is_empty()) {
            return Err(ParseError::at(self.at - 1, format!("the hunk `{}` has no lines", idle.header)));
        }
        Ok(chunks)
    }
}

fn close(chunk: Option<Chunk>, empty: usize, chunks: &mut Vec<Chunk>) {
    if let Some(mut chunk) = chunk {
        // Behind `*** End of File` empty lines were not taken up in the first place.
        if !chunk.at_end {
            chunk.drop_trailing(empty);
        }
        if !(chunk.lines.is_empty() && chunk.header == "@@" && chunk.anchors.is_empty()) || chunk.at_end {
            chunks.push(chunk);
        }
    }
}

/// A line of a hunk: its sign and the rest.
pub(super) fn tagged(line: &str) -> Option<(Tag, &str)> {
    let tag = match line.as_bytes().first()? {
        b' ' => Tag::Same,
        b'-' => Tag::Removed,
        b'+' => Tag::Added,
        _ => return None,
    };
    Some((tag, &line[1..]))
}

#[cfg(test)]
mod tests {
    use crate::diff::patch::{Kind, Patch, parse};

    fn read(body: &str) -> Patch {
        parse(&format!("*** Begin Patch\n{body}*** End Patch\n")).unwrap()
    }

    #[test]
    fn every_section_becomes_a_file() {
        let patch = read(concat!(
            "*** Add File: new.py\n+a\n+\n+b\n\n",
            "*** Delete File: old.py\n",
            "*** Update File: x.py\n*** Move to: y.py\n@@ class A\n@@ def b\n a\n-b\n+c\n*** End of File\n",
        ));
        let kinds: Vec<Kind> = patch.files.iter().map(|file| file.kind).collect();
        assert_eq!(kinds, [Kind::Add, Kind::Delete, Kind::Update]);
        assert_eq!(patch.files[0].chunks[0].lines.len(), 3);
        let moved = &patch.files[2];
        assert_eq!(moved.moved_to.as_deref(), Some("y.py"));
        assert_eq!(moved.chunks.len(), 1);
        assert_eq!(moved.chunks[0].anchors, ["class A", "def b"]);
        assert!(moved.chunks[0].at_end);
        assert_eq!(moved.chunks[0].old_lines(), ["a", "b"]);
    }

    #[test]
    fn what_stands_around_an_envelope_is_passed_over() {
        let inner = "*** Begin Patch\n*** Delete File: a\n*** End Patch";
        for text in [
            format!("```diff\n{inner}\n```\n"),
            format!("apply_patch <<'EOF'\n{inner}\nEOF\n"),
            format!("Here it is:\n\n{inner}"),
            inner.replace('\n', "\r\n") + "\r\n",
            format!(" {} ", inner.replace('\n', " \n  ")),
        ] {
            assert_eq!(parse(&text).unwrap().files[0].path, "a", "{text}");
        }
    }

    #[test]
    fn a_broken_envelope_is_refused_with_its_line() {
        let check = |body: &str, expected: &str| {
            let error = parse(&format!("*** Begin Patch\n{body}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{body:?}: {error}");
        };
        check("*** Update File: a\n@@\n-a\n+b\n", "cut");
        check("*** End Patch\n", "empty");
        check("*** Frobnicate File: a\n*** End Patch\n", "line 2");
        check("*** Update File: a\n*** End Patch\n", "no hunk");
        check("*** Update File: a\n@@ x\n*** End Patch\n", "has no lines");
        check("*** Update File: a\n@@\nfoo\n*** End Patch\n", "line 4");
        check("*** Add File: a\nfoo\n*** End Patch\n", "begins with `+`");
        check("*** Add File:\n+a\n*** End Patch\n", "path is missing");
        check("*** Delete File: a\n-a\n*** End Patch\n", "nothing may follow");
    }

    #[test]
    fn a_marker_that_is_content_stays_content() {
        let patch = read("*** Update File: a\n@@\n *** End Patch\n-x\n+*** Begin Patch\n");
        assert_eq!(patch.files[0].chunks[0].old_lines(), ["*** End Patch", "x"]);
    }
}
