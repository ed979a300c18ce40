//! Embedded Markdown to a finished prompt.

/// The asker's own words within an opening message; the whole message where it has no issue block.
pub fn issue_in(opening: &str) -> &str {
    opening
}

/// The first message of a fix mission.
pub fn fix(issue: &str, survey: &str, families: &[crate::finding::Family]) -> String {
    let _ = families;
    format!("{issue}\n\n{survey}")
}
