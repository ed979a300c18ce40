//! Where a result stands: URIs of any base to a path in the workspace, regions to lines.

use serde_json::Value;

/// Lines of a result; zeros where it says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Region {
    pub(super) line: usize,
    pub(super) end_line: usize,
    pub(super) column: usize,
}

impl Region {
    pub(super) fn of(region: &Value) -> Self {
        let number = |key: &str| region[key].as_u64().and_then(|number| usize::try_from(number).ok());
        let line = number("startLine").unwrap_or(0);
        let end_line = number("endLine").unwrap_or(line).max(line);
        Self { line, end_line, column: number("startColumn").unwrap_or(0) }
    }
}

/// What relative URIs of a run stand on.
pub(super) struct Bases<'r> {
    run: &'r Value,
    root: &'r str,
    exists: &'r dyn Fn(&str) -> bool,
}

impl<'r> Bases<'r> {
    pub(super) fn of(run: &'r Value, root: &'r str, exists: &'r dyn Fn(&str) -> bool) -> Self {
        Self { run, root: root.trim_end_matches('/'), exists }
    }

    /// The workspace-relative path of an artifact; `None` when it names no file or leads out of the workspace.
    pub(super) fn path(&self, artifact: &Value) -> Option<String> {
        let artifact = if artifact["uri"].as_str().is_some() {
            artifact
        } else {
            let index = usize::try_from(artifact["index"].as_u64()?).ok()?;
            &self.run["artifacts"][index]["location"]
        };
        let uri = decode(artifact["uri"].as_str()?);
        let base = artifact["uriBaseId"].as_str().and_then(|base| self.base(base, 0)).unwrap_or_default();
        let whole = if is_absolute(&uri) { uri } else { format!("{base}{uri}") };
        let path = strip_scheme(&whole);
        if !is_absolute(path) {
            return plain(path);
        }
        if let Some(inner) = path.strip_prefix(self.root).and_then(|inner| inner.strip_prefix('/')) {
            return plain(inner);
        }
        // Another machine's path: its longest end that is a file here.
        let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
        (0..parts.len()).map(|from| parts[from..].join("/")).find_map(|end| {
            let end = plain(&end)?;
            (self.exists)(&end).then_some(end)
        })
    }

    /// What a base stands for, with a `/` at its end.
    fn base(&self, name: &str, depth: usize) -> Option<String> {
        let base = &self.run["originalUriBaseIds"][name];
        let uri = decode(base["uri"].as_str()?);
        let below = base["uriBaseId"].as_str().filter(|_| depth < 4);
        let below = below.and_then(|below| self.base(below, depth + 1)).unwrap_or_default();
        let whole = if is_absolute(&uri) { uri } else { format!("{below}{uri}") };
        Some(if whole.is_empty() || whole.ends_with('/') { whole } else { format!("{whole}/") })
    }
}

fn strip_scheme(uri: &str) -> &str {
    let rest = uri.strip_prefix("file:").unwrap_or(uri);
    match rest.strip_prefix("//") {
        // `file://host/path` has a host, mostly an empty one.
        Some(rest) => rest.find('/').map_or(rest, |at| &rest[at..]),
        None => rest,
    }
}

fn is_absolute(path: &str) -> bool {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    path.starts_with(['/', '\\']) || path.starts_with("file:") || drive
}

/// A relative path without `.`; `None` where it leads upwards or is empty.
fn plain(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    let fine = !parts.is_empty() && !parts.contains(&"..") && !path.contains('\0');
    fine.then(|| parts.join("/"))
}

/// Percent signs undone; what is no UTF-8 then stays as it is.
fn decode(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let hex = |at: usize| char::from(*rest.get(at)?).to_digit(16);
        if let (b'%', Some(high), Some(low)) = (*first, hex(1), hex(2)) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
            rest = &rest[3..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| uri.to_owned())
}
