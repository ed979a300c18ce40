//! Fixes in JavaScript and TypeScript.

use super::Fixer;

/// The fixer of a name in a JavaScript rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    let _ = name;
    None
}
