//! Which class a workspace path belongs to: plain, secret, protected, CI.

/// What a path is, as far as policy cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An ordinary file.
    Plain,
    /// Holds secrets: reading asks, headless denies, search masks.
    Secret,
    /// Never written: `.git/`, `.agent/`, shell start-up files, settings of other agents.
    Protected,
    /// CI definitions and editor tasks: writing asks.
    Sensitive,
}

/// The class of a workspace-relative, `/`-separated path.
pub fn class(_path: &str) -> Class {
    Class::Plain
}
