//! What the embedded model says, and the words it listens for.

use crate::finding::issue::Ask;
use crate::finding::listing::Listed;
use crate::finding::{FAMILIES, Family};
use crate::text::clip;
use std::fmt::Write as _;

/// The longest final message, in bytes: a parent agent reads nothing else.
const MAX_LAST: usize = 2_000;

/// The honest answer to what the embedded rules cannot do.
pub(super) fn beyond_me(issue: &str) -> String {
    let families: Vec<&str> = FAMILIES.iter().map(|facts| facts.title).collect();
    format!(
        "Status: blocked\nNo model is configured, and the embedded rules cannot do this: {}\n\
         They find and fix known weaknesses in Python and JavaScript/TypeScript backends: {}.\n\
         A configured model could design and write such a change with tests: set ANTHROPIC_API_KEY and use \
         `--model anthropic/NAME`, or OPENAI_API_KEY (and OPENAI_BASE_URL for any compatible server) and use \
         `--model openai/NAME`. Nothing was changed.",
        quoted(issue),
        families.join(", ")
    )
}

/// Nothing of that kind was found.
pub(super) fn nothing_found(issue: &str, ask: &Ask, scan: &str) -> String {
    let families: Vec<&str> = ask.families.iter().map(|family: &Family| family.facts().title).collect();
    let what = if families.is_empty() { "known weakness".to_owned() } else { families.join(" or ") };
    format!(
        "Status: no_change\nThe embedded rules find no {what} here for: {}\nScan: {}\nThat is no proof that there \
         is none: they know what they know. A configured model can look further.",
        quoted(issue),
        scan.lines().next().unwrap_or_default()
    )
}

/// A tool did not do what was needed.
pub(super) fn failed(tool: &str, text: &str) -> String {
    format!("Status: not_fixed\n`{tool}` failed: {}", clip(text, 800).text)
}

/// The change was not allowed.
pub(super) fn denied(text: &str) -> String {
    format!("Status: blocked\nThe change was {}\nNothing was changed by it.", clip(text, 800).text)
}

/// Before the edits.
pub(super) fn about_to_fix(findings: &[&Listed]) -> String {
    let mut out = String::new();
    for listed in findings.iter().take(12) {
        let at = &listed.sighting;
        let within = if at.within.is_empty() { String::new() } else { format!(" in {}", at.within) };
        let _ = writeln!(out, "{}:{}{within}: {}", at.path, at.line, listed.message);
    }
    if findings.len() > 12 {
        let _ = writeln!(out, "and {} more", findings.len() - 12);
    }
    out
}

/// The final message.
pub(super) fn report(first: &[Listed], left: &[Listed], test: Option<&(String, &str)>) -> String {
    let exit = test.and_then(|(_, text)| exit_code(text));
    let status = match exit {
        _ if !left.is_empty() => "not_fixed",
        Some(code) if code != 0 => "fixed_unverified",
        _ => "fixed",
    };
    let mut out = format!("Status: {status}\n");
    let closed: Vec<&Listed> =
        first.iter().filter(|was| !left.iter().any(|l| l.sighting.id == was.sighting.id)).collect();
    list(&mut out, "Closed", &closed, |listed| listed.fix.clone().unwrap_or_default());
    list(&mut out, "Left", &left.iter().collect::<Vec<_>>(), |listed| {
        listed.no_fix.clone().unwrap_or_else(|| "the fix did not close it".into())
    });
    let _ = writeln!(out, "Verified: `scan` again: {} left", left.len());
    if let Some((command, _)) = test {
        let code = exit.map_or_else(|| "no exit code".to_owned(), |code| format!("exit {code}"));
        let _ = writeln!(out, "Verified: `{command}`: {code}");
    }
    let mut by_hand: Vec<&str> = closed.iter().filter_map(|listed| listed.by_hand.as_deref()).collect();
    by_hand.sort_unstable();
    by_hand.dedup();
    for note in by_hand {
        let _ = writeln!(out, "By hand: {note}");
    }
    clip(&out, MAX_LAST).text.to_owned()
}

fn list(out: &mut String, title: &str, findings: &[&Listed], note: impl Fn(&Listed) -> String) {
    for listed in findings.iter().take(10) {
        let at = &listed.sighting;
        let _ = writeln!(
            out,
            "{title}: {} at {}:{}: {}",
            at.family.facts().title,
            at.path,
            at.line,
            note(listed)
        );
    }
    if findings.len() > 10 {
        let _ = writeln!(out, "{title}: and {} more", findings.len() - 10);
    }
}

/// The exit code in the last lines of what `bash` gave: `exit 0`, `exit code 0`, `exit code: 0`.
fn exit_code(text: &str) -> Option<i32> {
    text.lines().rev().take(6).find_map(|line| {
        let at = line.to_lowercase().find("exit")?;
        let digits: String = line[at + 4..]
            .chars()
            .skip_while(|c| !c.is_ascii_digit() && *c != '-')
            .take_while(|c| c.is_ascii_digit() || *c == '-')
            .collect();
        digits.parse().ok()
    })
}

fn quoted(issue: &str) -> String {
    let line = issue.trim().lines().next().unwrap_or_default();
    format!("\"{}\"", clip(line, 200).text)
}
