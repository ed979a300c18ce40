//! The user's own editor, from the user's own environment.

use std::io::{Read, Write};

/// The most that is read back, in bytes.
const MAX: u64 = 8 * 1024 * 1024;

/// Lets the user edit a text in `$VISUAL` or `$EDITOR` (`vi` when neither is set); gives what was saved, or why
/// there is nothing. Blocks; the terminal must be given back before. The file lies in a private temporary folder.
pub(super) fn edit(text: &str, ending: &str) -> Result<String, String> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi").to_owned();
    let failed = |error: std::io::Error| format!("the editor `{editor}` cannot be used: {error}");
    let folder = tempfile::tempdir().map_err(failed)?;
    let path = folder.path().join(format!("agent.{ending}"));
    let mut file = std::fs::File::create_new(&path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    drop(file);
    #[allow(
        clippy::disallowed_methods,
        reason = "the user's editor is no command of the agent's: it edits what the user types"
    )]
    let status = std::process::Command::new(program).args(words).arg(&path).status().map_err(failed)?;
    if !status.success() {
        return Err(format!("the editor `{editor}` ended with {status}; nothing was taken over"));
    }
    let mut edited = String::new();
    let file = std::fs::File::open(&path).map_err(failed)?;
    file.take(MAX).read_to_string(&mut edited).map_err(failed)?;
    Ok(edited)
}
