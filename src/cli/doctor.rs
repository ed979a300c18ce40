//! `agent doctor`: what works on this machine, and why not.

use super::args::{Format, WorkArgs};
use super::{say, say_error};
use crate::session::record::private_folder;
use crate::text::{printable, redact};
use crate::wire::{self, Trouble};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Programs a backend's tests may need.
const PROGRAMS: &[&str] =
    &["bash", "git", "python3", "node", "npm", "java", "mvn", "go", "php", "ruby", "dotnet", "cargo"];

/// Looks, and prints what it saw. Exit 0 when the main job can run.
pub(super) fn doctor(work: &WorkArgs) -> u8 {
    match look(work) {
        Ok(seen) => {
            say(&if work.output_format == Format::Text {
                printable(&redact(&text(&seen))).into_owned()
            } else {
                format!("{seen}\n")
            });
            u8::from(seen["ok"] != json!(true))
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn look(work: &WorkArgs) -> Result<Value, Trouble> {
    let config = wire::decide(work.flags())?;
    let world = wire::world(&config)?;
    let level = world.sandbox.level().clone();
    let model = wire::model(&config).map(|model| model.name().to_owned()).map_err(|trouble| trouble.text);
    let state = private_folder(&config.state.join("sessions"))
        .map_err(|error| error.to_string())
        .and_then(|()| tempfile::tempfile_in(&config.state).map_err(|error| error.to_string()));
    let found: Vec<Value> = PROGRAMS
        .iter()
        .map(|name| json!({ "name": name, "path": find(name).map(|path| path.display().to_string()) }))
        .collect();
    let keys: Vec<String> = super::keys::sources(&config);
    Ok(json!({
        "ok": model.is_ok() && state.is_ok(),
        "version": env!("CARGO_PKG_VERSION"),
        "workspace": world.workspace.root().display().to_string(),
        "model": { "name": config.model, "problem": model.err() },
        "keys": keys,
        "mode": config.mode.to_string(),
        "sandbox": { "level": level.name, "missing": level.missing },
        "state": { "path": config.state.display().to_string(), "problem": state.err() },
        "programs": found,
    }))
}

fn text(seen: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let problem = |part: &Value| {
        part["problem"].as_str().map_or_else(|| "ok".to_owned(), |why| format!("PROBLEM: {why}"))
    };
    let list = |value: &Value| {
        let words: Vec<String> = value.as_array().into_iter().flatten().map(word).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let mut out = format!("agent {}\n", word(&seen["version"]));
    let _ = writeln!(out, "workspace  {}", word(&seen["workspace"]));
    let _ = writeln!(out, "model      {}: {}", word(&seen["model"]["name"]), problem(&seen["model"]));
    let _ = writeln!(out, "keys       {}", list(&seen["keys"]));
    let _ = writeln!(out, "mode       {}", word(&seen["mode"]));
    let _ = writeln!(out, "sandbox    {}", word(&seen["sandbox"]["level"]));
    for missing in seen["sandbox"]["missing"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "           missing: {}", word(missing));
    }
    let _ = writeln!(out, "state      {}: {}", word(&seen["state"]["path"]), problem(&seen["state"]));
    for program in seen["programs"].as_array().into_iter().flatten() {
        let path = program["path"].as_str().unwrap_or("not found");
        let _ = writeln!(out, "{:<10} {path}", word(&program["name"]));
    }
    out
}

/// Where a program is on PATH.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
