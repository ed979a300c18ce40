//! Judging a command: its parsed parts, its redirects, the guard, the rules and what was answered before.

use super::guard;
use super::look::{is_sink, only_looks};
use super::paths::{Class, class, is_protected, is_secret};
use super::rule::{Effect, Kind, Rule};
use super::shell::{Script, Simple, Word, parse};

/// What the parts of a command amount to, before mode and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// Never, with the reason.
    Never(String),
    /// A person must say yes each time, with the reason.
    Guarded(String),
    /// A person must say yes, with the reason; a remembered answer will do.
    Asked(String),
    /// Rules of the user allow every part.
    Allowed,
    /// It looks at plain files and does nothing else.
    Looks,
    /// An ordinary command.
    Plain,
}

/// One command as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    words: Vec<String>,
    /// Whether more words may follow.
    open: bool,
    workdir: String,
}

impl Remembered {
    pub(super) fn title(&self) -> String {
        let more = if self.open { " …" } else { "" };
        let place = if self.workdir == "." { String::new() } else { format!(" in {}", self.workdir) };
        format!("`{}{more}`{place}", self.words.join(" "))
    }

    fn covers(&self, simple: &Simple, workdir: &str) -> bool {
        self.workdir == workdir
            && simple.is_exact()
            && !simple.assigned
            && (self.open && simple.argv.len() >= self.words.len() || simple.argv.len() == self.words.len())
            && self.words.iter().zip(&simple.argv).all(|(known, word)| *known == word.text)
    }
}

/// Programs whose second word says what they do: with it the rest may vary.
const RUNNERS: &[(&str, &[&str])] = &[
    ("cargo", &["build", "check", "clippy", "doc", "fmt", "test"]),
    ("go", &["build", "test", "vet"]),
    ("npm", &["test"]),
    ("pnpm", &["test"]),
    ("yarn", &["test"]),
    ("dotnet", &["build", "test"]),
    ("mvn", &["test"]),
];

/// Reads, guards and rules. `root` is the absolute workspace root when known.
pub(super) fn examine(command: &str, workdir: &str, root: Option<&str>, rules: &[Rule]) -> (Script, Finding) {
    let script = parse(command);
    let finding = finding(&script, command, workdir, root, rules);
    (script, finding)
}

fn finding(script: &Script, command: &str, workdir: &str, root: Option<&str>, rules: &[Rule]) -> Finding {
    let matching = |effect: Effect| rules.iter().filter(move |rule| rule.effect == effect);
    let covers = |rule: &Rule| {
        rule.action == Kind::Run && script.commands.iter().any(|simple| rule.covers_command(simple))
    };
    if let Some(rule) = matching(Effect::Deny).find(|rule| covers(rule) || touches(rule, script, workdir)) {
        // What is only possible is asked for; a word that is known decides.
        let sure = script.commands.iter().any(|simple| rule.surely_covers(simple));
        if sure || rule.action != Kind::Run {
            return Finding::Never(rule.title());
        }
        return Finding::Guarded(format!("this could be what is refused by {}", rule.title()));
    }
    let danger = guard::find(script, command, workdir, root);
    if let Some(danger) = danger.as_ref().filter(|danger| danger.never) {
        return Finding::Never(danger.why.clone());
    }
    let mut asked = None;
    let moved = script.commands.iter().any(|simple| matches!(simple.name(), "cd" | "pushd"));
    for redirect in script.redirects.iter().filter(|redirect| !is_sink(&redirect.target)) {
        match redirect_finding(&redirect.target, redirect.writes, workdir, root, moved) {
            Some(Finding::Never(why)) => return Finding::Never(why),
            Some(other) => asked = asked.or(Some(other)),
            None => {}
        }
    }
    if let Some(danger) = danger {
        return Finding::Guarded(danger.why);
    }
    if let Some(why) = script.undecided.first() {
        return Finding::Guarded(why.clone());
    }
    if let Some(finding) = asked {
        return finding;
    }
    if let Some(path) = script.commands.iter().find_map(named_secret) {
        return Finding::Guarded(format!("{path} holds secrets"));
    }
    if let Some(rule) = matching(Effect::Ask).find(|rule| covers(rule)) {
        return Finding::Asked(rule.title());
    }
    let allowed = |simple: &Simple| {
        matching(Effect::Allow).any(|rule| rule.action == Kind::Run && rule.covers_command(simple))
    };
    let quiet = script.redirects.iter().all(|redirect| is_sink(&redirect.target));
    if quiet && !script.background && !script.commands.is_empty() && script.commands.iter().all(allowed) {
        return Finding::Allowed;
    }
    if only_looks(script) { Finding::Looks } else { Finding::Plain }
}

/// Whether a denial on files speaks of a redirect, or of a word that names a file.
fn touches(rule: &Rule, script: &Script, workdir: &str) -> bool {
    let covers = |word: &Word| {
        word.exact && within(workdir, &word.text).is_some_and(|path| path != "." && rule.covers_path(&path))
    };
    match rule.action {
        Kind::Read => {
            rule.check().is_ok()
                && (script.redirects.iter().any(|item| !item.writes && covers(&item.target))
                    || script.commands.iter().flat_map(Simple::arguments).any(covers))
        }
        Kind::Write => {
            rule.check().is_ok() && script.redirects.iter().any(|item| item.writes && covers(&item.target))
        }
        _ => false,
    }
}

fn redirect_finding(
    target: &Word,
    writes: bool,
    workdir: &str,
    root: Option<&str>,
    moved: bool,
) -> Option<Finding> {
    let text = target.text.as_str();
    if text.starts_with("/dev/fd/") || text == "/dev/stdin" || text == "/dev/zero" {
        return None;
    }
    if !target.exact {
        let outside =
            text.starts_with('~') || text.starts_with('/') || text.contains("..") || text.contains("HOME");
        return (outside && writes)
            .then(|| Finding::Guarded(format!("a redirect to {text}, which may be outside the workspace")));
    }
    let temporary = (text.starts_with("/tmp/") || text.starts_with("/var/tmp/"))
        && !text.split('/').any(|part| part == "..");
    let relative = match root.and_then(|root| text.strip_prefix(root)) {
        Some(rest) if rest.starts_with('/') => within(".", &rest[1..]),
        _ if temporary => return None,
        _ => within(workdir, text),
    };
    let Some(path) = relative else {
        let word = if writes { "writes" } else { "reads" };
        return Some(Finding::Guarded(format!("a redirect {word} {text}, outside the workspace")));
    };
    if writes && (is_protected(&path) || is_protected(text)) {
        return Some(Finding::Never(format!("{path} is never written")));
    }
    if is_secret(&path) {
        return Some(Finding::Guarded(format!("{path} holds secrets")));
    }
    if writes && class(&path) == Class::Sensitive {
        return Some(Finding::Guarded(format!("{path} decides what others run")));
    }
    (writes && moved).then(|| Finding::Asked(format!("a redirect to {path} after a change of folder")))
}

/// A path as seen from the root; `None` when it leaves it.
fn within(workdir: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.starts_with('~') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in workdir.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(if parts.is_empty() { ".".to_owned() } else { parts.join("/") })
}

/// A secret file that a command is given to read.
fn named_secret(simple: &Simple) -> Option<&str> {
    // These look at names and facts, or take words that are no files.
    const BLIND: [&str; 16] = [
        "ls", "test", "[", "stat", "rm", "touch", "git", "chmod", "echo", "printf", "mkdir", "find", "cd",
        "which", "basename", "dirname",
    ];
    // What a commit holds is not blanked by the sandbox.
    const SHOWING: [&str; 7] = ["show", "diff", "log", "cat-file", "blame", "grep", "archive"];
    let words = simple.arguments();
    if simple.name() == "git" && words.iter().any(|word| SHOWING.contains(&word.text.as_str())) {
        let paths = words.iter().filter_map(|word| word.text.rsplit(':').next());
        return paths.filter(|text| text.contains('.')).find(|text| is_secret(text));
    }
    if BLIND.contains(&simple.name()) {
        return None;
    }
    // What is copied to is written, not read.
    let words = match simple.name() {
        "cp" | "mv" | "install" | "ln" if words.len() > 1 => &words[..words.len() - 1],
        _ => words,
    };
    words
        .iter()
        .map(|word| word.text.as_str())
        // As a word of its own `secret` is more often searched for than opened.
        .filter(|text| {
            !text.starts_with('-')
                && !text.contains(char::is_whitespace)
                && !matches!(*text, "secret" | "secrets")
        })
        .find(|text| is_secret(text.trim_matches('"')))
}

/// What "for this session" would cover; `None` when it cannot be said in words that are exact.
pub(super) fn rememberable(script: &Script, workdir: &str) -> Option<Vec<Remembered>> {
    let quiet = script.redirects.iter().all(|redirect| is_sink(&redirect.target));
    let fit = script.undecided.is_empty() && !script.compound && !script.background && quiet;
    if !fit || script.commands.is_empty() || script.commands.len() > 5 {
        return None;
    }
    script.commands.iter().map(|simple| remembered(simple, workdir)).collect()
}

fn remembered(simple: &Simple, workdir: &str) -> Option<Remembered> {
    if !simple.is_exact() || simple.assigned || simple.wrapped {
        return None;
    }
    let words: Vec<String> = simple.argv.iter().map(|word| word.text.clone()).collect();
    let verbs = RUNNERS.iter().find(|(program, _)| *program == words[0]).map_or(&[][..], |(_, verbs)| *verbs);
    let open = words.get(1).is_some_and(|word| verbs.contains(&word.as_str()));
    let words = if open { words[..2].to_vec() } else { words };
    Some(Remembered { words, open, workdir: workdir.to_owned() })
}

/// Whether every part was said yes to before.
pub(super) fn is_remembered(script: &Script, workdir: &str, known: &[Remembered]) -> bool {
    rememberable(script, workdir).is_some()
        && script.commands.iter().all(|simple| known.iter().any(|item| item.covers(simple, workdir)))
}
