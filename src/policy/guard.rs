//! What no mode lets pass unseen: wiping the project or the machine, losing uncommitted work, rewriting history.

use super::shell::{Script, Simple, Word};
use super::wrappers::SHELLS;

/// A danger, and whether anyone may agree to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Danger {
    /// Refused in every mode; else a person must say yes.
    pub(super) never: bool,
    /// What it is, in words.
    pub(super) why: String,
}

#[allow(clippy::unnecessary_wraps, reason = "each arm of a judgement is an option")]
fn never(why: impl Into<String>) -> Option<Danger> {
    Some(Danger { never: true, why: why.into() })
}

#[allow(clippy::unnecessary_wraps, reason = "each arm of a judgement is an option")]
fn asks(why: impl Into<String>) -> Option<Danger> {
    Some(Danger { never: false, why: why.into() })
}

/// The worst danger in a script. `workdir` is relative to the root, which may be known by its full path too.
pub(super) fn find(script: &Script, text: &str, workdir: &str, root: Option<&str>) -> Option<Danger> {
    let squeezed: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    if squeezed.contains(":(){:|:&};:") {
        return never("a fork bomb");
    }
    let moved = script.commands.iter().any(|simple| matches!(simple.name(), "cd" | "pushd"));
    let place = Place { at_root: workdir == "." && !moved, root };
    let mut dangers: Vec<Danger> =
        script.commands.iter().filter_map(|simple| simple_danger(simple, &place)).collect();
    dangers.extend(recursion(script));
    dangers.extend(downloads(script));
    dangers
        .extend(script.redirects.iter().filter(|item| item.writes).filter_map(|item| device(&item.target)));
    let worst = dangers.iter().position(|danger| danger.never).unwrap_or(0);
    (!dangers.is_empty()).then(|| dangers.swap_remove(worst))
}

struct Place<'a> {
    at_root: bool,
    root: Option<&'a str>,
}

fn simple_danger(simple: &Simple, place: &Place) -> Option<Danger> {
    let name = simple.name();
    let words = simple.arguments();
    match name {
        "rm" | "unlink" | "shred" | "rmdir" | "trash" => removal(name, words, place),
        "mv" => words.iter().filter(|word| is_operand(word)).find_map(|word| match target(word, place) {
            Target::Everything | Target::Repository => never(format!("moving {} away", word.text)),
            _ => None,
        }),
        "find" => sweep(words),
        "git" => git(words),
        "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" => rights(name, words, place),
        "dd" => words.iter().find_map(|word| {
            device(&Word { text: word.text.strip_prefix("of=")?.to_owned(), exact: word.exact })
        }),
        "fdisk" | "sfdisk" | "cfdisk" | "gdisk" | "sgdisk" | "parted" | "wipefs" | "mkswap"
        | "cryptsetup" | "lvremove" | "vgremove" | "pvremove" | "zpool" | "blkdiscard" | "hdparm"
        | "badblocks" => never(format!("{name} works on disks")),
        _ if name.starts_with("mkfs") => never(format!("{name} works on disks")),
        "shutdown" | "reboot" | "halt" | "poweroff" | "init" | "telinit" => {
            never(format!("{name} stops the machine"))
        }
        "sudo" | "doas" | "su" | "pkexec" => asks(format!("{name} asks for more rights")),
        "crontab" | "at" | "systemctl" | "launchctl" => asks(format!("{name} outlives the session")),
        "kill" | "pkill" | "killall" if words.iter().any(|word| word.text == "-1") && name == "kill" => {
            asks("a signal to every process")
        }
        _ => None,
    }
}

/// What a path stands for, as far as its text tells.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    /// The machine, the home or the whole workspace.
    Everything,
    /// The repository's own folder.
    Repository,
    /// Somewhere outside the workspace.
    Outside,
    /// Not known yet.
    Unknown,
    /// Something in the workspace or in a temporary folder.
    Inside,
}

fn target(word: &Word, place: &Place) -> Target {
    let text = word.text.replace('"', "").replace("${HOME}", "~").replace("$HOME", "~");
    let text = text
        .strip_suffix("/*")
        .or(text.strip_suffix("/.*"))
        .map_or(text.as_str(), |rest| if rest.is_empty() { "/" } else { rest });
    let inside = match place.root.and_then(|root| text.strip_prefix(root)) {
        Some("" | "/") => return Target::Everything,
        Some(rest) if rest.starts_with('/') => rest,
        _ => text,
    };
    let from_root = inside.len() != text.len();
    if !from_root
        && (text == "/" || text == "~" || text == "~/" || text.starts_with('~') && !text.contains('/'))
    {
        return Target::Everything;
    }
    if !from_root && (text.starts_with('/') || text.starts_with('~')) {
        let temporary = text.starts_with("/tmp/") || text.starts_with("/var/tmp/") || text == "/tmp";
        let climbs = text.split('/').any(|part| part == "..");
        return if temporary && !climbs { Target::Inside } else { Target::Outside };
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in inside.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if parts.pop().is_none() => return Target::Outside,
            ".." => {}
            other => parts.push(other),
        }
    }
    if parts.contains(&".git") {
        return Target::Repository;
    }
    if parts.is_empty() || matches!(parts.as_slice(), ["*" | ".*" | "{*,.*}" | ".[!.]*"]) {
        return if place.at_root || from_root { Target::Everything } else { Target::Unknown };
    }
    let letters = text.chars().filter(|letter| letter.is_alphanumeric()).count();
    if !word.exact && parts.len() == 1 && (letters < 2 || text.starts_with('[')) {
        // `[a-z]*` and the like are everything in other words.
        return Target::Unknown;
    }
    if word.exact || word.text.contains(['*', '?']) && !word.text.contains(['$', '`']) {
        return Target::Inside;
    }
    Target::Unknown
}

fn is_operand(word: &Word) -> bool {
    !word.text.starts_with('-')
}

/// Whether a word is this option: whole, abbreviated to at least `least` letters, or with a value.
fn is_option(word: &Word, full: &str, least: usize) -> bool {
    let text = word.text.split('=').next().unwrap_or_default();
    text.len() >= least && full.starts_with(text)
}

/// Whether a word is a group of short options with one of these letters.
fn has_flag(word: &Word, letters: &[char]) -> bool {
    word.text.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && rest.contains(letters))
}

fn removal(name: &str, words: &[Word], place: &Place) -> Option<Danger> {
    let recursive = words.iter().any(|word| has_flag(word, &['r', 'R']) || is_option(word, "--recursive", 4));
    for word in words.iter().filter(|word| is_operand(word)) {
        let found = match (target(word, place), recursive) {
            (Target::Everything, true) => never(format!("{name} of everything ({})", word.text)),
            (Target::Everything, false) => asks(format!("{name} of everything ({})", word.text)),
            (Target::Repository, _) => {
                never(format!("{name} inside the repository's own folder ({})", word.text))
            }
            (Target::Outside, _) => asks(format!("{name} outside the workspace ({})", word.text)),
            (Target::Unknown, true) => asks(format!("{name} of what is not known yet ({})", word.text)),
            (Target::Unknown | Target::Inside, _) => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn sweep(words: &[Word]) -> Option<Danger> {
    let deletes = words.iter().any(|word| word.text == "-delete")
        || words.windows(2).any(|pair| {
            pair[0].text.starts_with("-exec") && matches!(pair[1].text.as_str(), "rm" | "shred" | "unlink")
        });
    let filters = [
        "-name",
        "-iname",
        "-path",
        "-ipath",
        "-wholename",
        "-regex",
        "-iregex",
        "-newer",
        "-mtime",
        "-mmin",
        "-empty",
        "-size",
    ];
    let filtered =
        words.windows(2).any(|pair| filters.contains(&pair[0].text.as_str()) && pair[1].text != "*");
    let starts = words.iter().take_while(|word| is_operand(word));
    if deletes && starts.clone().any(|word| word.text.split('/').any(|part| part == ".git")) {
        return never("find deletes inside the repository's own folder");
    }
    if deletes && !filtered { asks("find deletes everything it meets") } else { None }
}

fn git(words: &[Word]) -> Option<Danger> {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.text.starts_with('-')) {
        at += if matches!(word.text.as_str(), "-C" | "-c" | "--git-dir" | "--work-tree" | "--namespace") {
            2
        } else {
            1
        };
    }
    let verb = words.get(at)?;
    let rest = &words[at + 1..];
    let option = |full: &str, least: usize| rest.iter().any(|word| is_option(word, full, least));
    let flag = |letters: &[char]| rest.iter().any(|word| has_flag(word, letters));
    let first = rest.iter().find(|word| is_operand(word)).map(|word| word.text.as_str());
    if !verb.exact {
        return asks("which git command runs is not known yet");
    }
    match verb.text.as_str() {
        "reset" if option("--hard", 4) || option("--merge", 4) || option("--keep", 4) => {
            asks("git reset throws uncommitted work away")
        }
        "clean" if flag(&['f', 'x', 'X', 'd']) || option("--force", 4) => {
            let dry = flag(&['n']) || option("--dry-run", 4);
            if dry { None } else { asks("git clean deletes files that no commit holds") }
        }
        "checkout" | "switch" if flag(&['f']) || option("--force", 4) || option("--discard-changes", 5) => {
            asks("git throws uncommitted work away")
        }
        "checkout"
            if rest.iter().any(|word| matches!(word.text.as_str(), "--" | "." | "./" | ":/" | "*")) =>
        {
            asks("git checkout of files throws uncommitted work away")
        }
        "checkout" if !flag(&['b', 'B', 't']) && !option("--orphan", 4) && !option("--track", 4) => {
            let operands: Vec<&Word> = rest.iter().filter(|word| is_operand(word)).collect();
            let named = |word: &&Word| {
                word.text.rsplit('/').next().is_some_and(|name| name.trim_start_matches('.').contains('.'))
            };
            if operands.len() > 1 || operands.iter().any(named) {
                return asks("git checkout of files throws uncommitted work away");
            }
            None
        }
        "restore" => {
            let staged = (option("--staged", 4) || flag(&['S'])) && !option("--worktree", 4) && !flag(&['W']);
            if staged { None } else { asks("git restore throws uncommitted work away") }
        }
        "push" => {
            let forced = flag(&['f', 'd'])
                || option("--force", 4)
                || option("--force-with-lease", 7)
                || option("--mirror", 4)
                || option("--delete", 4)
                || option("--prune", 5)
                || rest.iter().any(|word| word.text.starts_with('+') || word.text.starts_with(':'));
            if forced {
                asks("git push overwrites or deletes what others have")
            } else {
                asks("git push leaves this machine")
            }
        }
        "rebase" | "filter-branch" | "filter-repo" | "replace" | "fast-import" => {
            asks(format!("git {} rewrites history", verb.text))
        }
        "commit" if option("--amend", 4) => asks("git commit --amend rewrites history"),
        "reflog" if matches!(first, Some("expire" | "delete")) => asks("git reflog forgets commits"),
        "gc" if option("--prune", 4) => asks("git gc forgets commits"),
        "prune" => asks("git prune forgets commits"),
        "update-ref" | "symbolic-ref" if flag(&['d']) || option("--delete", 4) || option("--stdin", 5) => {
            asks("git deletes a reference")
        }
        "branch" if flag(&['D', 'M', 'C', 'f']) || option("--force", 4) => asks("git branch drops commits"),
        "branch" | "tag" if flag(&['d']) || option("--delete", 4) => asks("git deletes a name"),
        "stash" if matches!(first, Some("drop" | "clear")) => asks("git stash drops work"),
        "worktree" if first == Some("remove") && (flag(&['f']) || option("--force", 4)) => {
            asks("git drops a worktree")
        }
        "rm" if flag(&['f', 'r']) || option("--force", 4) => asks("git rm deletes files"),
        _ => None,
    }
}

fn rights(name: &str, words: &[Word], place: &Place) -> Option<Danger> {
    let recursive = words.iter().any(|word| has_flag(word, &['R']) || is_option(word, "--recursive", 4));
    // The first operand is the mode or the owner.
    let targets: Vec<Target> =
        words.iter().filter(|word| is_operand(word)).skip(1).map(|word| target(word, place)).collect();
    if recursive && targets.contains(&Target::Everything) {
        return never(format!("recursive {name} of everything"));
    }
    if recursive { asks(format!("recursive {name}")) } else { None }
}

/// Writing to a device that is not one of the harmless ones.
fn device(word: &Word) -> Option<Danger> {
    let path = word.text.strip_prefix("/dev/")?;
    let harmless = ["null", "stdout", "stderr", "stdin", "tty", "zero", "full"];
    if harmless.contains(&path) || path.starts_with("fd/") || path.starts_with("shm/") {
        return None;
    }
    if path.starts_with("tcp/") || path.starts_with("udp/") {
        return asks("a connection made by the shell");
    }
    never(format!("writing to the device {}", word.text))
}

/// A function that starts itself again.
fn recursion(script: &Script) -> Option<Danger> {
    for (name, body) in &script.functions {
        let calls = script.commands[body.clone()].iter().filter(|simple| simple.program() == name).count();
        if calls > 1 || calls == 1 && script.background {
            return never("a function that multiplies itself");
        }
    }
    None
}

/// Something from the network straight into an interpreter.
fn downloads(script: &Script) -> Option<Danger> {
    let loads = |simple: &Simple| {
        matches!(simple.name(), "curl" | "wget" | "fetch" | "nc" | "ncat" | "aria2c" | "lwp-request")
    };
    let runs = |simple: &Simple| {
        let name = simple.name();
        let interpreter =
            ["python", "perl", "ruby", "node", "php"].iter().any(|start| name.starts_with(start));
        let given = simple
            .arguments()
            .iter()
            .any(|word| is_operand(word) || matches!(word.text.as_str(), "-c" | "-e" | "-m"));
        SHELLS.contains(&name) || interpreter && !given || name == "source" || name == "."
    };
    for parts in &script.pipes {
        let mut loaded = false;
        for part in parts {
            let commands = script.commands.get(part.clone()).unwrap_or_default();
            if loaded && commands.iter().any(runs) {
                return asks("what is downloaded is run unseen");
            }
            loaded |= commands.iter().any(loads);
        }
    }
    None
}
