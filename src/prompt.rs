//! Embedded Markdown to a finished prompt.

/// The asker's own words within an opening message; the whole message where it has no issue block.
pub fn issue_in(opening: &str) -> &str {
    opening
}
