//! How much conversation a model takes: the user's word, else the embedded table's, else a cautious guess.

use super::price::versioned;
use super::rules;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Tokens of context by `provider/model`.
pub type Windows = BTreeMap<String, u64>;

/// Tokens of context of a model that nobody knows.
pub const DEFAULT: u64 = 128_000;

static TABLE: LazyLock<Windows> =
    LazyLock::new(|| toml::from_str(include_str!("../../windows.toml")).unwrap_or_default());

/// The window of `name` (`provider/model`), in tokens; `None` where there is no limit. `own` are the user's
/// figures and win.
pub fn window(name: &str, own: &Windows) -> Option<u64> {
    if name == rules::NAME {
        return None;
    }
    Some(versioned(name, own).or_else(|| versioned(name, &TABLE)).unwrap_or(DEFAULT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_word_beats_the_table_and_the_table_a_guess() {
        let own: Windows = toml::from_str("\"openai/local\" = 32768\n\"openai/gpt-5\" = 1000\n").unwrap();
        let check = |name: &str, expected: Option<u64>| assert_eq!(window(name, &own), expected, "{name}");
        check("openai/local", Some(32_768));
        check("openai/gpt-5", Some(1_000));
        check("responses/gpt-5-mini-2025-08-07", Some(272_000));
        check("anthropic/claude-sonnet-4-5-20250929", Some(200_000));
        check("openai/other", Some(DEFAULT));
        check("rules", None);
        assert!(TABLE.len() > 10);
    }
}
