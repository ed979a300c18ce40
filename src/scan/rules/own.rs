//! Rules of one's own: read from folders the user trusts, checked, and put beside the embedded ones.
//!
//! Whoever writes a rule decides what is silent and what a fix writes, so the caller says which folders are
//! trusted; nothing here looks into a workspace by itself.

use super::{Kind, Rule, RuleSet, Sanitizer, Source, Vocabulary, embedded};
use crate::scan::{detect, fix, shape};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A larger file is no rule.
const MAX_FILE: u64 = 256 * 1024;
/// More files than this are another kind of folder.
const MAX_FILES: usize = 2000;
/// Rules with sanitisers and no kind.
const MAX_OWN_KINDS: usize = 60;

/// Why a rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// The key, where one is to blame.
    pub key: String,
    /// Why, in words.
    pub why: String,
    /// What to do.
    pub next: String,
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "{}; {}", self.why, self.next)
    }
}

impl std::error::Error for RuleError {}

fn fault(file: &str, key: &str, why: impl Into<String>, next: impl Into<String>) -> RuleError {
    RuleError { file: file.to_owned(), key: key.to_owned(), why: why.into(), next: next.into() }
}

/// What was read of one folder or file.
#[derive(Debug, Default)]
pub struct Read {
    /// Rules, in the order of their files.
    pub rules: Vec<Rule>,
    /// Vocabularies (files whose name begins with `vocabulary`).
    pub vocabularies: Vec<Vocabulary>,
    /// What cannot be used.
    pub errors: Vec<RuleError>,
}

/// Where rules are read.
pub struct Folder<'v> {
    /// A folder or a file.
    pub path: PathBuf,
    /// Whether the bytes of a file may be used; any may when absent.
    pub vouches: Option<Vouch<'v>>,
}

/// Whether these bytes of a file may be used.
pub type Vouch<'v> = &'v dyn Fn(&Path, &[u8]) -> bool;

impl Folder<'_> {
    /// What the user has or names.
    pub fn of_user(path: PathBuf) -> Self {
        Self { path, vouches: None }
    }
}

/// Reads a rule file, or every `.yaml` and `.yml` file below a folder. Links are not followed.
pub fn read(folder: &Folder<'_>) -> Read {
    let mut out = Read::default();
    let mut files = Vec::new();
    if let Err(error) = list(&folder.path, &mut files) {
        out.errors.push(error);
    }
    files.sort();
    for file in files {
        read_file(&file, folder.vouches, &mut out);
    }
    out
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), RuleError> {
    let shown = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        fault(&shown, "", format!("cannot be read ({error})"), "check the path and its permissions")
    };
    let stamp = std::fs::symlink_metadata(path).map_err(unreadable)?;
    refuse_shared(path, &stamp)?;
    if stamp.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    if !stamp.is_dir() {
        return Err(fault(&shown, "", "is neither a file nor a folder", "name the real place, not a link"));
    }
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let inner = entry.path();
        let is_rule = inner.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if kind.is_dir() {
            list(&inner, files)?;
        } else if kind.is_file() && is_rule {
            refuse_shared(&inner, &entry.metadata().map_err(unreadable)?)?;
            files.push(inner);
        }
        if files.len() > MAX_FILES {
            return Err(fault(
                &shown,
                "",
                format!("holds more than {MAX_FILES} files"),
                "name the folder that holds the rules",
            ));
        }
    }
    Ok(())
}

/// What anybody on this machine may write is not the user's own.
fn refuse_shared(path: &Path, stamp: &std::fs::Metadata) -> Result<(), RuleError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if stamp.permissions().mode() & 0o002 != 0 {
            let shown = path.display().to_string();
            return Err(fault(
                &shown,
                "",
                "everybody may write it, so it is not trusted",
                format!("chmod o-w {shown}"),
            ));
        }
    }
    let _ = (path, stamp);
    Ok(())
}

fn read_file(path: &Path, vouches: Option<Vouch<'_>>, out: &mut Read) {
    let shown = path.display().to_string();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let why = format!("cannot be read ({error})");
        return out.errors.push(fault(&shown, "", why, "check its permissions"));
    }
    if bytes.len() as u64 > MAX_FILE {
        let why = format!("is larger than {} KB", MAX_FILE / 1024);
        return out.errors.push(fault(&shown, "", why, "one rule a file, with small examples"));
    }
    if vouches.is_some_and(|vouches| !vouches(path, &bytes)) {
        return out.errors.push(fault(
            &shown,
            "",
            "is not what you trusted",
            "look at it, then `agent trust`",
        ));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return out.errors.push(fault(&shown, "", "is no UTF-8 text", "save it as UTF-8"));
    };
    let is_vocabulary = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vocabulary"));
    if is_vocabulary {
        match serde_saphyr::from_str::<Vocabulary>(&text) {
            Ok(vocabulary) => out.vocabularies.push(vocabulary),
            Err(error) => out.errors.push(misread(&shown, &error.to_string())),
        }
        return;
    }
    match serde_saphyr::from_str::<Rule>(&text) {
        Ok(mut rule) => {
            rule.file.clone_from(&shown);
            let faults = check(&rule);
            if faults.is_empty() {
                out.rules.push(rule);
            }
            out.errors.extend(faults);
        }
        Err(error) => out.errors.push(misread(&shown, &error.to_string())),
    }
}

/// What the reader of YAML said, with the key it names.
fn misread(file: &str, error: &str) -> RuleError {
    let error = error.lines().find(|line| !line.trim().is_empty()).unwrap_or(error).trim();
    let error = error.strip_prefix("error: ").unwrap_or(error);
    let key = error.split('`').nth(1).unwrap_or("").to_owned();
    let next = if error.contains("unknown field") {
        "check its spelling against `rules/README.md` or `agent rules show ID`"
    } else if error.contains("missing field") {
        "add it; `agent rules show ID` shows a whole rule"
    } else {
        "see `rules/README.md` for what it may hold"
    };
    fault(file, &key, error, next)
}

/// What is wrong with a rule that could be read.
fn check(rule: &Rule) -> Vec<RuleError> {
    let mut out = Vec::new();
    let mut say = |key: &str, why: String, next: &str| out.push(fault(&rule.file, key, why, next));
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if rule.id.len() < 3 || !rule.id.chars().all(is_word) {
        say("id", format!("`{}` is no id", rule.id), "use letters, digits and hyphens: `team-no-eval`");
    }
    if embedded().find(&rule.id).is_some() {
        say(
            "id",
            format!("`{}` is an embedded rule", rule.id),
            "choose another id: begin it with your team's name",
        );
    }
    if rule.cwe == 0 {
        say("cwe", "0 is no CWE".to_owned(), "write the number alone: `cwe: 89`");
    }
    if rule.languages.is_empty() {
        say("languages", "names no language".to_owned(), "write `languages: [python]`");
    }
    if rule.message.trim().is_empty() {
        say("message", "is empty".to_owned(), "say what is wrong, why it matters, what to do");
    }
    if rule.sinks.is_empty() && rule.patterns.is_empty() && rule.detector.is_none() {
        say("sinks", "the rule looks for nothing".to_owned(), "add `sinks` or `patterns`");
    }
    for sink in &rule.sinks {
        if sink.call.is_empty() && !sink.returns {
            say(
                "sinks",
                "a sink names no call".to_owned(),
                "add `call: [\"module.function\"]`, or `returns: true`",
            );
        }
    }
    for origin in &rule.sources.own {
        if origin.paths.is_empty() && origin.calls.is_empty() {
            say("sources", "a source names nothing".to_owned(), "add `paths: [...]` or `calls: [...]`");
        }
    }
    if let Some(name) = rule.detector.as_deref().filter(|name| detect::named(name).is_none()) {
        say(
            "detector",
            format!("there is no `{name}`"),
            "detectors are written in Rust; use `sinks` or `patterns`",
        );
    }
    let fixers = rule.fix.iter().chain(rule.sinks.iter().filter_map(|sink| sink.fix.as_ref()));
    for spec in fixers.filter(|spec| fix::named(&spec.name).is_none()) {
        say(
            "fix",
            format!("there is no fixer `{}`", spec.name),
            "use `rewrite` with a `text`, or leave it out and say `why_no_fix`",
        );
    }
    if let Err((key, why, next)) = shape::check(rule) {
        say(key, why, next);
    }
    out
}

/// Gives every source and sanitiser that counts for one rule alone its number.
pub(super) fn number(rules: &mut [Rule]) -> Result<(), RuleError> {
    let (mut sources, mut kinds) = (0u16, 0u8);
    for rule in rules {
        if !rule.sources.own.is_empty() {
            let own = Source::Own(sources);
            sources = sources.saturating_add(1);
            rule.sources.kinds.push(own);
            rule.sources.own.iter_mut().for_each(|origin| origin.source = own);
        }
        if rule.kind.is_none() && !rule.sanitizers.is_empty() {
            if usize::from(kinds) >= MAX_OWN_KINDS {
                let why = format!("more than {MAX_OWN_KINDS} rules have sanitizers and no kind");
                return Err(fault(&rule.file, "kind", why, "give some of them a `kind`"));
            }
            rule.kind = Some(Kind::Own(kinds));
            kinds += 1;
        }
        rule.safe_by = rule.kind.filter(|_| !rule.sanitizers.is_empty()).map(|kind| Sanitizer {
            call: rule.sanitizers.clone(),
            kinds: vec![kind],
            when: Vec::new(),
        });
    }
    Ok(())
}

/// The embedded rules and those below these folders; the embedded ones alone when there are none. What is read
/// stays in memory until the process ends, so read once. Every fault of every file is told at once.
pub fn with_own(folders: &[Folder<'_>]) -> Result<&'static RuleSet, Vec<RuleError>> {
    if folders.is_empty() {
        return Ok(embedded());
    }
    let mut set = embedded().clone();
    let mut errors = Vec::new();
    for folder in folders {
        let read = read(folder);
        errors.extend(read.errors);
        set.vocabularies.extend(read.vocabularies);
        for rule in read.rules {
            match set.find(&rule.id) {
                Some(known) => {
                    let why = format!("`{}` also stands in {}", rule.id, known.file);
                    errors.push(fault(&rule.file, "id", why, "choose another id"));
                }
                None => set.rules.push(rule),
            }
        }
    }
    set.rules.sort_by(|left, right| left.id.cmp(&right.id));
    // All are numbered anew together.
    for rule in &mut set.rules {
        rule.sources.kinds.retain(|source| !matches!(source, Source::Own(_)));
        rule.kind = rule.kind.filter(|kind| !matches!(kind, Kind::Own(_)));
    }
    if let Err(error) = number(&mut set.rules) {
        errors.push(error);
    }
    if errors.is_empty() { Ok(Box::leak(Box::new(set))) } else { Err(errors) }
}

/// Faults as text, one a line.
pub fn told(errors: &[RuleError]) -> String {
    errors.iter().fold(String::new(), |mut out, error| {
        let _ = writeln!(out, "{error}");
        out
    })
}
