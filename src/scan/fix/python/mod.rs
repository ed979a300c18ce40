//! Fixes in Python.

use super::Fixer;

/// The fixer of a name in a Python rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    let _ = name;
    None
}
