//! What the walls refused, read from what a failing command printed: one sentence each, with rule and path.

use super::Exit;

/// Sentences told at most.
const MAX: usize = 5;

/// What a program prints when it is refused, lower case, and the rule behind it.
const SIGNS: [(&str, &str); 14] = [
    ("read-only file system", "write: only the workspace, the private home and /tmp can be written"),
    ("erofs", "write: only the workspace, the private home and /tmp can be written"),
    ("permission denied", "access: the path is not open to commands"),
    ("eacces", "access: the path is not open to commands"),
    ("operation not permitted", "call: the operation is not open to commands"),
    ("eperm", "call: the operation is not open to commands"),
    ("network is unreachable", "network: commands reach loopback only"),
    ("enetunreach", "network: commands reach loopback only"),
    ("temporary failure in name resolution", "network: commands reach loopback only; no names are resolved"),
    ("could not resolve host", "network: commands reach loopback only; no names are resolved"),
    ("couldn't resolve host", "network: commands reach loopback only; no names are resolved"),
    ("eai_again", "network: commands reach loopback only; no names are resolved"),
    ("name or service not known", "network: commands reach loopback only; no names are resolved"),
    ("no space left on device", "space: the private home and /tmp are small"),
];

/// The refusals in the output of a command that failed.
pub(super) fn find(output: &str, exit: Exit) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if exit == Exit::Code(0) {
        return found;
    }
    for line in output.lines() {
        let lower = line.to_ascii_lowercase();
        let Some((_, rule)) = SIGNS.iter().find(|(sign, _)| lower.contains(sign)) else { continue };
        let sentence = match path_in(line) {
            Some(path) if !rule.starts_with("network") => format!("{rule} ({path})"),
            _ => (*rule).to_owned(),
        };
        if !found.contains(&sentence) {
            found.push(sentence);
        }
        if found.len() == MAX {
            break;
        }
    }
    found
}

/// Says when a command or its failure names a secret file, which reads as empty: silence would look like an
/// empty file.
pub(super) fn blanked(command: &str, output: &str, exit: Exit, secrets: &[String]) -> Vec<String> {
    let named = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        command.contains(name) || exit != Exit::Code(0) && output.contains(name)
    };
    secrets
        .iter()
        .filter(named)
        .take(MAX)
        .map(|path| format!("secrets: {path} reads as empty inside the sandbox"))
        .collect()
}

/// The path a refusal is about: quoted, else the absolute or dotted word before a colon.
fn path_in(line: &str) -> Option<&str> {
    for quote in ['\'', '"', '`', '‘'] {
        let mut parts = line.split([quote, '’']);
        let quoted = parts.nth(1);
        if let Some(text) = quoted.filter(|text| text.contains('/') && !text.contains(char::is_whitespace)) {
            return Some(text);
        }
    }
    line.split([' ', ':', '(', ')']).find(|word| word.starts_with('/') && word.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_rule_and_path_of_a_refusal() {
        let check = |line: &str, expected: &str| {
            assert_eq!(find(line, Exit::Code(1)), [expected], "{line}");
        };
        let write = "write: only the workspace, the private home and /tmp can be written";
        check("bash: line 1: /etc/x: Read-only file system", &format!("{write} (/etc/x)"));
        check("OSError: [Errno 30] Read-only file system: '/usr/y'", &format!("{write} (/usr/y)"));
        check("Error: EROFS: read-only file system, open '/opt/z'", &format!("{write} (/opt/z)"));
        check("tee: /etc/x: Read-only file system", &format!("{write} (/etc/x)"));
        check(
            "curl: (6) Could not resolve host: example.com",
            "network: commands reach loopback only; no names are resolved",
        );
        check("OSError: [Errno 101] Network is unreachable", "network: commands reach loopback only");
    }

    #[test]
    fn says_nothing_of_a_command_that_went_well() {
        assert_eq!(find("Permission denied", Exit::Code(0)), Vec::<String>::new());
    }
}
