//! What a command inherits: a short list of names, and a PATH without the workspace.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Names that pass, beside `LC_*`.
const NAMES: [&str; 8] = ["PATH", "HOME", "LANG", "TERM", "TZ", "USER", "SHELL", "TMPDIR"];
/// Used when nothing of the user's PATH is left.
const PLAIN_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The variables of this process that a command may see.
pub(super) fn scrub(workspace: &Path) -> Vec<(OsString, OsString)> {
    scrub_from(std::env::vars_os(), workspace)
}

fn scrub_from(
    all: impl Iterator<Item = (OsString, OsString)>,
    workspace: &Path,
) -> Vec<(OsString, OsString)> {
    let mut kept: Vec<(OsString, OsString)> = all
        .filter(|(name, _)| {
            name.to_str().is_some_and(|name| NAMES.contains(&name) || name.starts_with("LC_"))
        })
        .map(
            |(name, value)| {
                if name == "PATH" { (name, clean_path(&value, workspace)) } else { (name, value) }
            },
        )
        .collect();
    if !kept.iter().any(|(name, _)| name == "PATH") {
        kept.push(("PATH".into(), PLAIN_PATH.into()));
    }
    kept
}

/// PATH without relative parts and without anything inside the workspace, links followed.
fn clean_path(value: &OsStr, workspace: &Path) -> OsString {
    let mut parts: Vec<PathBuf> = Vec::new();
    for part in std::env::split_paths(value) {
        let inside =
            part.starts_with(workspace) || part.canonicalize().is_ok_and(|real| real.starts_with(workspace));
        if part.is_absolute() && !inside && !parts.contains(&part) {
            parts.push(part);
        }
    }
    match std::env::join_paths(parts) {
        Ok(path) if !path.is_empty() => path,
        _ => PLAIN_PATH.into(),
    }
}

/// The value of one variable in a list.
pub(super) fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
}

/// `bash` on that PATH, else `sh`.
pub(super) fn find_shell(variables: &[(OsString, OsString)]) -> PathBuf {
    let path = value(variables, "PATH").unwrap_or(OsStr::new(PLAIN_PATH));
    for name in ["bash", "sh"] {
        for folder in std::env::split_paths(path).chain(["/usr/bin".into(), "/bin".into()]) {
            let candidate = folder.join(name);
            let runs = std::fs::metadata(&candidate)
                .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0);
            if runs {
                return candidate;
            }
        }
    }
    "/bin/sh".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_only_listed_names_pass() {
        let all = [
            ("HOME", "/home/u"),
            ("LC_ALL", "C"),
            ("OPENAI_API_KEY", "FAKE-key-canary"),
            ("LD_PRELOAD", "/x.so"),
            ("BASH_ENV", "/x"),
            ("PATH", "/usr/bin"),
        ];
        let kept = scrub_from(all.iter().map(|(k, v)| (k.into(), v.into())), Path::new("/w"));
        let names: Vec<&str> = kept.iter().filter_map(|(k, _)| k.to_str()).collect();
        assert_eq!(names, ["HOME", "LC_ALL", "PATH"]);
    }

    #[test]
    fn takes_the_workspace_and_relative_parts_out_of_path() {
        let check = |input: &str, expected: &str| {
            assert_eq!(clean_path(OsStr::new(input), Path::new("/w")), expected);
        };
        check("/usr/bin:.:bin:/w/node_modules/.bin::/bin", "/usr/bin:/bin");
        check("/w/bin:.", PLAIN_PATH);
        check("/usr/bin:/usr/bin", "/usr/bin");
    }
}
