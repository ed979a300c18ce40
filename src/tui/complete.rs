//! Candidates for what is being written, and lists narrowed by typing.

use super::commands::COMMANDS;
use super::state::{Completion, Pick};
use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// Candidates that are shown at most.
const MAX: usize = 8;

/// Candidates for the word before the cursor: `/command` at the beginning, `@file` anywhere.
pub fn candidates(text: &str, at: usize, files: &[String]) -> Option<Completion> {
    let before = text.get(..at)?;
    let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let start = if before.is_char_boundary(start) { start } else { return None };
    let word = before.get(start..)?;
    if start == 0 && word.starts_with('/') {
        let matching = COMMANDS.iter().filter(|command| command.name.starts_with(&word[1..]));
        let items: Vec<_> =
            matching.map(|command| (format!("/{}", command.name), command.help.to_owned())).collect();
        return (!items.is_empty()).then_some(Completion { start, items, chosen: 0 });
    }
    let sought = word.strip_prefix('@')?;
    let found = best(sought, files.iter().map(String::as_str), Config::DEFAULT.match_paths());
    let items: Vec<_> =
        found.into_iter().take(MAX).map(|index| (format!("@{}", files[index]), String::new())).collect();
    (!items.is_empty()).then_some(Completion { start, items, chosen: 0 })
}

/// The items of a list that match what was typed, best first: by their names, then by what is said of them.
pub fn rank(pick: &Pick) -> Vec<usize> {
    let by_name = best(&pick.filter, pick.items.iter().map(|item| item.label.as_str()), Config::DEFAULT);
    let by_detail = best(&pick.filter, pick.items.iter().map(|item| item.detail.as_str()), Config::DEFAULT);
    let others: Vec<usize> = by_detail.into_iter().filter(|index| !by_name.contains(index)).collect();
    by_name.into_iter().chain(others).collect()
}

fn best<'a>(sought: &str, names: impl Iterator<Item = &'a str>, config: Config) -> Vec<usize> {
    if sought.trim().is_empty() {
        return (0..names.count()).collect();
    }
    let mut matcher = Matcher::new(config);
    let pattern = Pattern::new(sought, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let mut letters = Vec::new();
    let mut found: Vec<(u32, usize, usize)> = names
        .enumerate()
        .filter_map(|(index, name)| {
            let score = pattern.score(Utf32Str::new(name, &mut letters), &mut matcher)?;
            Some((score, name.len(), index))
        })
        .collect();
    // The best first; of equals the shorter one.
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    found.into_iter().map(|(_, _, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[&str]>) {
        let files: Vec<String> = ["notes/accounts.py", "notes/app.py", "tests/test_accounts.py", "README.md"]
            .map(String::from)
            .to_vec();
        let found = candidates(text, text.len(), &files);
        let words: Option<Vec<String>> =
            found.map(|found| found.items.into_iter().map(|(text, _)| text).take(2).collect());
        assert_eq!(
            words,
            expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect()),
            "{text}"
        );
    }

    #[test]
    fn completes_commands_at_the_beginning_and_files_anywhere() {
        check("/fi", Some(&["/fix", "/findings"]));
        check("see /fi", None);
        check("look at @acc", Some(&["@notes/accounts.py", "@tests/test_accounts.py"]));
        check("@tests/tacc", Some(&["@tests/test_accounts.py"]));
        check("@nothing-like-it", None);
        check("mail me@x", None);
        check("plain", None);
    }
}
