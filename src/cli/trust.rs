//! The command that trusts a workspace: `trust`.

use super::{say, say_error};
use crate::config::trust::{Standing, Store};
use crate::config::{self, Flags};
use crate::event::Outcome;
use crate::text::printable_name;
use crate::wire::{self, Trouble, exit};
use std::fmt::Write as _;
use std::path::Path;

/// What is wanted of the list of trusted workspaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Grant,
    Check,
    Revoke,
    List,
}

/// `agent trust`.
pub(super) fn trust(path: &Path, wanted: Wanted, as_json: bool) -> u8 {
    match act(path, wanted, as_json) {
        Ok((text, code)) => {
            say(&text);
            code
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn act(path: &Path, wanted: Wanted, as_json: bool) -> Result<(String, u8), Trouble> {
    let config = config::decide(Flags::default(), &wire::lookup)
        .map_err(|error| Trouble::coded(exit::USAGE, error.to_string()))?;
    let store = Store::of(&config.state);
    let failed = |error: crate::config::trust::TrustError| Trouble::new(Outcome::Error, error.to_string());
    match wanted {
        Wanted::List => {
            let all = store.list().map_err(failed)?;
            let text = if as_json {
                serde_json::to_string_pretty(&all).unwrap_or_default() + "\n"
            } else if all.is_empty() {
                "no workspace is trusted\n".to_owned()
            } else {
                let line = |one: &crate::config::trust::Listed| {
                    format!("{:8}  {}  {}\n", one.status, one.since, printable_name(&one.root))
                };
                all.iter().map(line).collect()
            };
            Ok((text, 0))
        }
        Wanted::Revoke => {
            let was = store.revoke(path).map_err(failed)?;
            let word = if was { "no longer trusted" } else { "was not trusted" };
            let root = path.display().to_string();
            Ok(told(as_json, &root, "unknown", &[], &format!("{}: {word}\n", printable_name(&root))))
        }
        Wanted::Grant => {
            let (root, gains) = store.grant(path).map_err(failed)?;
            let root = root.display().to_string();
            let mut text = format!("{} is trusted as it is now\n", printable_name(&root));
            for one in &gains {
                let _ = writeln!(text, "  {}", printable_name(one));
            }
            if gains.is_empty() {
                text.push_str("  nothing there configures or runs anything yet\n");
            }
            text.push_str("You are asked again when that changes; `agent trust --revoke` takes it back.\n");
            Ok(told(as_json, &root, "trusted", &gains, &text))
        }
        Wanted::Check => {
            let standing = store.standing(path);
            let (word, paths) = match &standing {
                Standing::Trusted(pass) => ("trusted", pass.paths().map(ToOwned::to_owned).collect()),
                Standing::Nothing => ("nothing", Vec::new()),
                Standing::Unknown(paths) => ("unknown", paths.clone()),
                Standing::Changed(paths) => ("changed", paths.clone()),
                Standing::Unclear(_) => ("unclear", Vec::new()),
            };
            let root = path.canonicalize().unwrap_or_else(|_| path.to_owned()).display().to_string();
            let mut text = match &standing {
                Standing::Trusted(_) => "trusted, as it is\n".to_owned(),
                Standing::Nothing => {
                    "there is nothing here that trust would make a difference to\n".to_owned()
                }
                other => other.hint().unwrap_or_default() + "\n",
            };
            for one in &paths {
                let _ = writeln!(text, "  {}", printable_name(one));
            }
            let code = if matches!(standing, Standing::Trusted(_) | Standing::Nothing) {
                0
            } else {
                exit::NOT_FIXED
            };
            let (text, _) = told(as_json, &root, word, &paths, &text);
            Ok((text, code))
        }
    }
}

fn told(as_json: bool, root: &str, status: &str, paths: &[String], text: &str) -> (String, u8) {
    if !as_json {
        return (text.to_owned(), 0);
    }
    let object = serde_json::json!({ "v": 1, "root": root, "status": status, "paths": paths });
    (format!("{object}\n"), 0)
}
