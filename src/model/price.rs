//! What a model costs: the user's word, else the embedded table's, else nobody knows.

use crate::message::Price;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Prices by `provider/model`.
pub type Prices = BTreeMap<String, Price>;

static TABLE: LazyLock<Prices> =
    LazyLock::new(|| toml::from_str(include_str!("../../prices.toml")).unwrap_or_default());

/// The price of `name` (`provider/model`). `own` are the user's prices and win.
pub fn price(name: &str, own: &Prices) -> Option<Price> {
    versioned(name, own).or_else(|| versioned(name, &TABLE))
}

/// What a table says of `name`, or of the name it is a version of. `responses/NAME` is `openai/NAME`.
pub(super) fn versioned<T: Copy>(name: &str, table: &BTreeMap<String, T>) -> Option<T> {
    let same = |known: &&str| name.strip_prefix(*known).is_some_and(is_version);
    let alias = name.strip_prefix("responses/").map(|model| format!("openai/{model}"));
    let alias_same =
        |known: &&str| alias.as_ref().and_then(|name| name.strip_prefix(*known)).is_some_and(is_version);
    let names = || table.keys().map(String::as_str);
    let found = names().rfind(same).or_else(|| names().rfind(alias_same))?;
    table.get(found).copied()
}

/// Every name with a price, the user's and the table's.
pub fn names(own: &Prices) -> Vec<String> {
    let mut names: Vec<String> = own.keys().chain(TABLE.keys()).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether the rest of a name only says which version: nothing, a date, `latest`. Anything else is another
/// model at another price.
fn is_version(rest: &str) -> bool {
    let Some(version) = rest.strip_prefix(['-', '@']) else { return rest.is_empty() };
    let digits = version.bytes().filter(u8::is_ascii_digit).count();
    version == "latest" || (digits == 8 && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Usage;

    #[test]
    fn every_price_of_the_table_is_read() {
        assert!(TABLE.len() > 15, "{}", TABLE.len());
    }

    #[test]
    fn a_name_stands_for_its_versions_and_nothing_else() {
        let check = |name: &str, expected: Option<f64>| {
            assert_eq!(price(name, &Prices::new()).map(|price| price.input), expected, "{name}");
        };
        check("openai/gpt-5", Some(1.25));
        check("responses/gpt-5", Some(1.25));
        check("responses/gpt-5-mini-2025-08-07", Some(0.25));
        check("openai/gpt-5-2025-08-07", Some(1.25));
        check("openai/gpt-5-mini", Some(0.25));
        check("openai/gpt-5-maximal", None);
        check("openai/gpt-55", None);
        check("anthropic/claude-sonnet-4-5-20250929", Some(3.0));
        check("anthropic/claude-sonnet-4-9", None);
        check("rules", Some(0.0));
        check("openai/local", None);
    }

    #[test]
    fn the_users_price_wins_and_caches_cost_as_input_unless_said() {
        let own: Prices = toml::from_str("[\"openai/gpt-5\"]\ninput = 2.0\noutput = 4.0\n").unwrap();
        let price = price("openai/gpt-5", &own).unwrap();
        let usage = Usage {
            input: 1_000_000,
            cached: 500_000,
            cache_write: 500_000,
            output: 250_000,
            reasoning: 100_000,
        };
        assert!((price.of(usage) - 5.0).abs() < 1e-9);
    }
}
