//! Branch and commit from git's own files, without starting git.
//!
//! A worktree's `.git` names a folder outside the workspace. That folder is believed only when it points back
//! at this checkout, and all that is taken from it is a reference name and a hash.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes of `HEAD`, `commondir` and the like.
const SMALL: u64 = 4 * 1024;

/// Most bytes of `packed-refs`.
const PACKED: u64 = 4 * 1024 * 1024;

/// `branch main at 1a2b3c4d5e6f`, `detached at …`, `branch main, no commit yet`; `None` when it is no checkout.
pub(super) fn state(root: &Path) -> Option<String> {
    let (own, common) = folders(root)?;
    let head = read(&own.join("HEAD"), SMALL)?;
    let head = head.trim();
    let Some(reference) = head.strip_prefix("ref: ").map(str::trim) else {
        return short(head).map(|commit| format!("detached at {commit}"));
    };
    if !is_reference(reference) {
        return None;
    }
    let branch = reference.strip_prefix("refs/heads/").unwrap_or(reference);
    let loose = [&own, &common].into_iter().find_map(|folder| read(&folder.join(reference), SMALL));
    let commit = loose.as_deref().and_then(|text| short(text.trim())).or_else(|| packed(&common, reference));
    Some(match commit {
        Some(commit) => format!("branch {branch} at {commit}"),
        None => format!("branch {branch}, no commit yet"),
    })
}

/// The checkout's own git folder, and the one it shares with other worktrees.
fn folders(root: &Path) -> Option<(PathBuf, PathBuf)> {
    let git = root.join(".git");
    let kind = std::fs::symlink_metadata(&git).ok()?.file_type();
    if kind.is_dir() {
        return Some((git.clone(), git));
    }
    let pointer = read(&git, SMALL)?;
    let own = root.join(pointer.strip_prefix("gitdir:")?.trim());
    let back = read(&own.join("gitdir"), SMALL)?;
    let back = own.join(back.trim());
    if back.canonicalize().ok()? != git.canonicalize().ok()? {
        return None;
    }
    let common = read(&own.join("commondir"), SMALL)?;
    let common = own.join(common.trim());
    Some((own, common))
}

fn packed(common: &Path, reference: &str) -> Option<String> {
    let packed = read(&common.join("packed-refs"), PACKED)?;
    packed.lines().find_map(|line| {
        let (hash, name) = line.split_once(' ')?;
        if name == reference { short(hash) } else { None }
    })
}

/// A name that git would take for a branch or tag and that stays below its folder.
fn is_reference(name: &str) -> bool {
    name.starts_with("refs/")
        && name.len() <= 255
        && !name.contains("..")
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        && name.chars().all(|c| c.is_alphanumeric() || "/-_.+@#=,".contains(c))
}

fn short(hash: &str) -> Option<String> {
    let is_hash = matches!(hash.len(), 40 | 64) && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then(|| hash[..12].to_ascii_lowercase())
}

/// A small regular file that is no link.
fn read(path: &Path, max: u64) -> Option<String> {
    let facts = std::fs::symlink_metadata(path).ok()?;
    if !facts.is_file() || facts.len() > max {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(max).read_to_end(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}
