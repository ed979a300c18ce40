//! Detectors for JavaScript and TypeScript alone.

use super::Detector;

/// The detector of a name in a JavaScript rule file.
pub(super) fn named(name: &str) -> Option<Detector> {
    let _ = name;
    None
}
