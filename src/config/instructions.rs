//! Standing instructions in prose: the user's own `AGENTS.md`, and a trusted repository's chain of `AGENTS.md`
//! (or `CLAUDE.md`) from its root to the folder the program was started in. The nearest one has the last word.

use super::places::Places;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes of all files together; what is over is left out and said.
pub const MAX_INSTRUCTIONS: usize = 32 * 1024;
const NAMES: [&str; 2] = ["AGENTS.md", "CLAUDE.md"];

/// One file's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructions {
    /// The file.
    pub path: PathBuf,
    /// What it says, clipped to what is left of [`MAX_INSTRUCTIONS`].
    pub text: String,
}

/// The user's own words, from the settings' folder.
pub fn of_user(places: &Places) -> Vec<Instructions> {
    let mut left = MAX_INSTRUCTIONS;
    places.folder.iter().filter_map(|folder| read(folder, None, &mut left)).collect()
}

/// The repository's, root first, `here` last; empty when it is not trusted.
pub fn of_project(places: &Places, here: &Path) -> Vec<Instructions> {
    let (Some(root), Some(_)) = (&places.root, &places.trusted) else { return Vec::new() };
    let mut folders = vec![root.clone()];
    if let Ok(below) = here.strip_prefix(root) {
        for part in below.components() {
            let next = folders.last().map(|folder| folder.join(part)).unwrap_or_default();
            folders.push(next);
        }
    }
    let mut left = MAX_INSTRUCTIONS;
    // The nearest words matter most, so they are counted first.
    let mut chain: Vec<Instructions> =
        folders.iter().rev().filter_map(|folder| read(folder, Some(root), &mut left)).collect();
    chain.reverse();
    chain
}

fn read(folder: &Path, within: Option<&Path>, left: &mut usize) -> Option<Instructions> {
    let path = NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())?;
    // A repository's link must not show what lies outside of it.
    if let Some(root) = within
        && !path.canonicalize().ok()?.starts_with(root.canonicalize().ok()?)
    {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&path).ok()?.take(MAX_INSTRUCTIONS as u64 + 4).read_to_end(&mut bytes).ok()?;
    let whole = String::from_utf8_lossy(&bytes);
    let text = crate::text::clip(whole.trim(), *left).text.to_owned();
    *left -= text.len();
    (!text.is_empty()).then_some(Instructions { path, text })
}
