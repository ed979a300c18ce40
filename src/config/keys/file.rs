//! The file that holds keys where no keyring runs: 0600, refused when anybody else may read it.

use super::KeyError;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::Path;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The keys by provider; none where there is no file.
pub(super) fn read(path: &Path) -> Result<BTreeMap<String, String>, KeyError> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(failed(path, &error.to_string())),
    };
    if is_exposed(&file) {
        return Err(KeyError::Exposed { path: path.display().to_string() });
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| failed(path, &error.to_string()))?;
    // What the parser says would quote the line, and the line is a key.
    toml::from_str(&text).map_err(|_| failed(path, "must hold lines of the form PROVIDER = \"KEY\""))
}

/// Sets or takes out a key; whether there was one. Whole or not at all.
pub(super) fn change(path: &Path, provider: &str, key: Option<&str>) -> Result<bool, KeyError> {
    let mut keys = read(path)?;
    let was = match key {
        Some(key) => keys.insert(provider.to_owned(), key.to_owned()),
        None => keys.remove(provider),
    };
    if was.is_none() && key.is_none() {
        return Ok(false);
    }
    let mut text =
        String::from("# Keys of model providers, kept by `agent login`. Yours alone: mode 0600.\n");
    for (provider, key) in &keys {
        // A JSON string of printable ASCII is a TOML string.
        let _ = writeln!(text, "{provider} = {}", serde_json::Value::from(key.as_str()));
    }
    write(path, &text).map_err(|error| failed(path, &error.to_string()))?;
    Ok(was.is_some())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // Made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(unix)]
fn is_exposed(file: &std::fs::File) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().map_or(true, |meta| meta.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_: &std::fs::File) -> bool {
    false
}

fn failed(path: &Path, reason: &str) -> KeyError {
    KeyError::File { path: path.display().to_string(), reason: reason.to_owned() }
}
