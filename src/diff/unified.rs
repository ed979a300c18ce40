//! Unified diffs, plain or with git's headers.

use super::Tag;
use super::envelope::tagged;
use super::patch::{Chunk, FilePatch, Form, Header, Kind, ParseError, header};

const NULL: &str = "/dev/null";

/// Reads every file of a unified diff; prose between them is passed over.
pub(super) fn parse(lines: &[&str]) -> Result<Vec<FilePatch>, ParseError> {
    let mut reader = Reader { lines, at: 0 };
    let mut files = Vec::new();
    while let Some(line) = reader.peek() {
        if line.starts_with("diff --git ") || reader.at_names() {
            files.push(reader.file()?);
        } else if header(line).is_some_and(|header| matches!(header, Header::Numbers { .. })) {
            return Err(ParseError::at(
                reader.at,
                "a hunk without a file: `--- a/path` and `+++ b/path` go before it",
            ));
        } else {
            reader.at += 1;
        }
    }
    Ok(files)
}

/// The line where a unified diff begins.
pub(super) fn begin(lines: &[&str]) -> Option<usize> {
    (0..lines.len()).find(|at| lines[*at].starts_with("diff --git ") || Reader { lines, at: *at }.at_names())
}

/// What git's extended headers say.
#[derive(Default)]
struct Git<'a> {
    /// What stands behind `diff --git `.
    names: &'a str,
    rename: (Option<&'a str>, Option<&'a str>),
    is_new: bool,
    is_deleted: bool,
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    fn starts(&self, ahead: usize, prefix: &str) -> bool {
        self.lines.get(self.at + ahead).is_some_and(|line| line.starts_with(prefix))
    }

    /// Whether the two lines that name a file stand here.
    fn at_names(&self) -> bool {
        self.starts(0, "--- ") && self.starts(1, "+++ ")
    }

    fn file(&mut self) -> Result<FilePatch, ParseError> {
        let first = self.at;
        let git = self.git()?;
        let mut names = None;
        if self.at_names() {
            names = Some((name(&self.lines[self.at][4..]), name(&self.lines[self.at + 1][4..])));
            self.at += 2;
        }
        let mut file = settle(first, git.as_ref(), names)?;
        while self.peek().is_some_and(|line| line.starts_with("@@")) {
            file.chunks.push(self.hunk()?);
        }
        if file.chunks.is_empty() && names_content(&file) {
            return Err(ParseError::at(first, format!("the diff of {} has no hunk", file.path)));
        }
        Ok(file)
    }

    /// Git's headers, when they stand here.
    fn git(&mut self) -> Result<Option<Git<'a>>, ParseError> {
        let Some(names) = self.peek().and_then(|line| line.strip_prefix("diff --git ")) else {
            return Ok(None);
        };
        let mut git = Git { names: names.trim_end_matches('\r'), ..Git::default() };
        self.at += 1;
        while let Some(line) = self.peek() {
            if self.at_names() || line.starts_with("@@") || line.starts_with("diff --git ") {
                break;
            }
            let line = line.trim_end_matches('\r');
            if let Some(path) = line.strip_prefix("rename from ") {
                git.rename.0 = Some(path);
            } else if let Some(path) = line.strip_prefix("rename to ") {
                git.rename.1 = Some(path);
            } else if line.starts_with("copy from ") {
                return Err(ParseError::at(self.at, "copies are not supported; add the new file whole"));
            } else if line.starts_with("GIT binary patch") || line.starts_with("Binary files ") {
                return Err(ParseError::at(self.at, "binary patches are not supported"));
            } else if line.starts_with("new file mode ") {
                git.is_new = true;
            } else if line.starts_with("deleted file mode ") {
                git.is_deleted = true;
            }
            self.at += 1;
        }
        Ok(Some(git))
    }

    /// One hunk. The counts of its header say where it ends as long as they are right; a header or the end of
    /// the text ends it in any case, and lines beyond the counts still belong to it.
    fn hunk(&mut self) -> Result<Chunk, ParseError> {
        let line = self.lines[self.at];
        let mut chunk = Chunk::default();
        chunk.state(line);
        let mut left = match header(line) {
            Some(Header::Numbers { old_count, new_count, .. }) => Some((old_count, new_count)),
            _ => None,
        };
        let start = self.at;
        self.at += 1;
        let mut empty = 0;
        while let Some(line) = self.peek() {
            let done = matches!(left, None | Some((0, 0)));
            if line.starts_with("diff --git ") || line.starts_with("@@") || self.ends_here(left) {
                break;
            }
            if line.starts_with('\\') {
                chunk.mark_unended();
            } else if let Some((tag, text)) = tagged(line) {
                chunk.push(tag, text);
                left = left.map(|left| count(left, tag));
                empty = 0;
            } else if matches!(line, "" | "\r") {
                chunk.push(Tag::Same, line);
                empty = if done { empty + 1 } else { 0 };
                left = left.map(|left| count(left, Tag::Same));
            } else if done || matches!(line.trim(), "```" | "EOF") {
                break;
            } else {
                return Err(ParseError::at(
                    self.at,
                    "a hunk's lines begin with ` ` (unchanged), `-` (removed) or `+` (added)",
                ));
            }
            self.at += 1;
        }
        chunk.drop_trailing(empty);
        if chunk.lines.is_empty() {
            return Err(ParseError::at(start, "the hunk has no lines"));
        }
        Ok(chunk)
    }

    /// Whether a hunk with these counts left ends before this line though the line has a sign.
    fn ends_here(&self, left: Option<(usize, usize)>) -> bool {
        let done = matches!(left, None | Some((0, 0)));
        if self.at_names() && self.starts(2, "@@") {
            // Removed `-- x` and added `++ y` look the same; right counts tell.
            return left != Some((1, 1));
        }
        if self.at_names() && done {
            return true;
        }
        // The signature git puts under a mailed patch.
        let signature = self.lines.get(self.at).is_some_and(|line| line.trim_end() == "--");
        let version =
            self.lines.get(self.at + 1).is_none_or(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        done && signature && version
    }
}

fn count((old, new): (usize, usize), tag: Tag) -> (usize, usize) {
    match tag {
        Tag::Same => (old.saturating_sub(1), new.saturating_sub(1)),
        Tag::Removed => (old.saturating_sub(1), new),
        Tag::Added => (old, new.saturating_sub(1)),
    }
}

/// Whether a file patch without hunks would say nothing.
fn names_content(file: &FilePatch) -> bool {
    file.kind == Kind::Update && file.moved_to.is_none()
}

/// A name as a header line spells it: quoted by git, followed by a tab or a time stamp.
fn name(text: &str) -> String {
    let text = text.trim_end_matches('\r');
    if text.starts_with('"') {
        return unquote(text).unwrap_or_else(|| text.to_owned());
    }
    let text = text.split('\t').next().unwrap_or(text);
    // `name 2026-01-31 10:00:00 …` without a tab.
    let stamp = |at: &usize| {
        let shape: String =
            text[*at..].chars().take(11).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == " 0000-00-00"
    };
    let end = text.match_indices(' ').map(|(at, _)| at).find(stamp).unwrap_or(text.len());
    text[..end].trim_end().to_owned()
}

/// Git's C-style quoting undone; `None` when it is not closed or no UTF-8 comes out.
fn unquote(text: &str) -> Option<String> {
    let mut bytes = text.strip_prefix('"')?.bytes();
    let mut out = Vec::new();
    loop {
        match bytes.next()? {
            b'"' => return String::from_utf8(out).ok(),
            b'\\' => match bytes.next()? {
                b'n' => out.push(b'\n'),
                b't' => out.push(b'\t'),
                first @ b'0'..=b'3' => {
                    let digits = [first, bytes.next()?, bytes.next()?];
                    let digits = std::str::from_utf8(&digits).ok()?.to_owned();
                    out.push(u8::from_str_radix(&digits, 8).ok()?);
                }
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
}

/// The one name behind `diff --git `, when both sides are the same file.
fn common_name(names: &str) -> Option<String> {
    if names.starts_with('"') {
        return unquote(names).map(|name| strip(&name).to_owned());
    }
    names.match_indices(' ').find_map(|(at, _)| {
        let (old, new) = (strip(&names[..at]), strip(&names[at + 1..]));
        (old == new && !old.is_empty()).then(|| old.to_owned())
    })
}

/// A path without git's `a/` or `b/`.
fn strip(path: &str) -> &str {
    path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path)
}

/// Decides kind and paths from all that the headers say.
fn settle(
    at: usize,
    git: Option<&Git<'_>>,
    names: Option<(String, String)>,
) -> Result<FilePatch, ParseError> {
    let file = |path: &str, moved_to: Option<String>, kind| FilePatch {
        path: path.to_owned(),
        moved_to,
        kind,
        chunks: Vec::new(),
        form: Form::Unified,
    };
    if let Some(Git { rename: (Some(from), Some(to)), .. }) = git {
        return Ok(file(&name(from), Some(name(to)), Kind::Update));
    }
    if let Some((old, new)) = names {
        return match (old == NULL, new == NULL) {
            (true, true) => Err(ParseError::at(at, "both sides are /dev/null")),
            (true, false) => Ok(file(strip(&new), None, Kind::Add)),
            (false, true) => Ok(file(strip(&old), None, Kind::Delete)),
            (false, false) => {
                let path = same_file(&old, &new).ok_or_else(|| {
                    ParseError::at(
                        at,
                        format!(
                            "{old} and {new} are two files; a move needs `rename from` and `rename to` lines"
                        ),
                    )
                })?;
                let kind = match git {
                    Some(git) if git.is_new => Kind::Add,
                    Some(git) if git.is_deleted => Kind::Delete,
                    _ => Kind::Update,
                };
                Ok(file(path, None, kind))
            }
        };
    }
    let git = git.ok_or_else(|| ParseError::at(at, "`--- ` and `+++ ` lines are missing"))?;
    let path = common_name(git.names)
        .ok_or_else(|| ParseError::at(at, "the file's name is missing: `--- ` and `+++ ` lines say it"))?;
    match (git.is_new, git.is_deleted) {
        (true, false) => Ok(file(&path, None, Kind::Add)),
        (false, true) => Ok(file(&path, None, Kind::Delete)),
        _ => Ok(file(&path, None, Kind::Update)),
    }
}

/// The path two different spellings of one file mean: `a/x` and `b/x`, `old/x` and `new/x`, `x.orig` and `x`.
fn same_file<'a>(old: &'a str, new: &'a str) -> Option<&'a str> {
    if old == new || old.strip_suffix(".orig") == Some(new) {
        return Some(new);
    }
    let (_, old) = old.split_once('/')?;
    let (_, new) = new.split_once('/')?;
    (old == new || old.strip_suffix(".orig") == Some(new)).then_some(new)
}

#[cfg(test)]
mod tests {
    use super::super::patch::{Kind, parse};

    #[test]
    fn headers_decide_what_happens_to_which_file() {
        let check = |text: &str, kind, path: &str, moved: Option<&str>| {
            let patch = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let file = &patch.files[0];
            assert_eq!(
                (file.kind, file.path.as_str(), file.moved_to.as_deref()),
                (kind, path, moved),
                "{text}"
            );
        };
        let hunk = "@@ -1 +1 @@\n-a\n+b\n";
        check(&format!("--- a/x/f.py\n+++ b/x/f.py\n{hunk}"), Kind::Update, "x/f.py", None);
        check(&format!("--- f.py\n+++ f.py\n{hunk}"), Kind::Update, "f.py", None);
        check(&format!("--- f.py.orig\n+++ f.py\n{hunk}"), Kind::Update, "f.py", None);
        check(&format!("--- old/f.py\n+++ new/f.py\n{hunk}"), Kind::Update, "f.py", None);
        check(
            &format!("--- f.py\t2026-01-01 10:00\n+++ f.py\t2026-01-02\n{hunk}"),
            Kind::Update,
            "f.py",
            None,
        );
        check(
            &format!("--- a b.py 2026-01-01 1\n+++ a b.py 2026-01-02 2\n{hunk}"),
            Kind::Update,
            "a b.py",
            None,
        );
        check("--- /dev/null\n+++ b/n.py\n@@ -0,0 +1 @@\n+a\n", Kind::Add, "n.py", None);
        check("--- a/n.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", Kind::Delete, "n.py", None);
        check("diff --git a/e b/e\nnew file mode 100644\nindex 0000000..e69de29\n", Kind::Add, "e", None);
        check("diff --git a/e f b/e f\ndeleted file mode 100644\n", Kind::Delete, "e f", None);
        let rename = "diff --git a/o.py b/n.py\nsimilarity index 90%\nrename from o.py\nrename to n.py\n";
        check(rename, Kind::Update, "o.py", Some("n.py"));
        check(&format!("{rename}--- a/o.py\n+++ b/n.py\n{hunk}"), Kind::Update, "o.py", Some("n.py"));
        check(
            "--- \"a/\\303\\244 \\\"q\\\".py\"\n+++ \"b/\\303\\244 \\\"q\\\".py\"\n@@ -1 +1 @@\n-a\n+b\n",
            Kind::Update,
            "ä \"q\".py",
            None,
        );
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_a_reason() {
        let check = |text: &str, expected: &str| {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        };
        check("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", "two files");
        check("diff --git a/x b/y\ncopy from x\ncopy to y\n", "copies");
        check("diff --git a/x b/x\nBinary files a/x and b/x differ\n", "binary");
        check("diff --git a/x b/x\nold mode 100644\nnew mode 100755\n", "no hunk");
        check("@@ -1 +1 @@\n-a\n+b\n", "without a file");
        check("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\nb\n", "line 5");
        check("--- a/x\n+++ b/x\n@@ -1 +1 @@\n", "no lines");
        check("--- a/x\n+++ b/x\n", "no hunk");
    }

    #[test]
    fn removed_dashes_are_not_mistaken_for_a_header_while_the_counts_are_right() {
        let text = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n--- b\n+++ c\n@@ -9 +9 @@\n-d\n+e\n";
        let patch = parse(text).unwrap();
        assert_eq!(patch.files.len(), 1);
        assert_eq!(patch.files[0].chunks[0].old_lines(), ["a", "-- b"]);
        assert_eq!(patch.files[0].chunks.len(), 2);
    }

    #[test]
    fn wrong_counts_do_not_swallow_the_next_file_nor_a_signature() {
        let text = concat!(
            "--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a\n-b\n+c\n",
            "--- a/y\n+++ b/y\n@@ -1 +1 @@\n a\n-b\n+c\n-- \n2.39.5\n",
        );
        let patch = parse(text).unwrap();
        assert_eq!(patch.files.len(), 2);
        assert_eq!(patch.files[1].chunks[0].lines.len(), 3);
    }
}
