//! Rules a person or a definition wrote: kind of action, pattern, effect, and where it was written.

use super::shell::{Simple, parse};
use globset::GlobBuilder;
use serde::{Deserialize, Serialize};

/// Which kind of action a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Looking at a file; the pattern is a glob over workspace-relative paths.
    Read,
    /// Changing a file; the pattern is a glob over workspace-relative paths.
    Write,
    /// Running a command; the pattern is words, `*` at the end stands for any rest.
    Run,
    /// Fetching a page; the pattern is a host, `*.example.com`, or `*`. Denials and questions are about commands
    /// that reach the host as well.
    Fetch,
    /// Calling a tool of a server; the pattern is `SERVER/TOOL`, `*` stands for any run of characters.
    Call,
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It happens without asking, unless a guard or a denial speaks.
    Allow,
    /// A person decides.
    Ask,
    /// It does not happen, whatever else is allowed.
    Deny,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What it is about.
    pub action: Kind,
    /// Which of them.
    pub pattern: String,
    /// Which of these it leaves out again; each is read as narrowly as an allowance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
    /// What it says.
    pub effect: Effect,
    /// File and line, or the flag, it comes from; shown with every verdict it causes.
    pub from: String,
}

impl Rule {
    /// Why the pattern cannot be used, if so. Such a rule fails closed: a denial or question covers everything,
    /// an allowance nothing.
    pub fn check(&self) -> Result<(), String> {
        match self.action {
            Kind::Read | Kind::Write => self.glob(&self.pattern).map(drop),
            Kind::Run => self.words().map(drop),
            Kind::Fetch if self.pattern.is_empty() || self.pattern.contains(['/', ':']) => {
                Err(format!("{}: `{}` is no host", self.from, self.pattern))
            }
            Kind::Call if self.pattern.is_empty() => Err(format!("{}: the pattern is empty", self.from)),
            Kind::Fetch | Kind::Call => Ok(()),
        }
    }

    /// How it is shown: effect, action, pattern, place.
    pub(super) fn title(&self) -> String {
        let (effect, action) = (format!("{:?}", self.effect), format!("{:?}", self.action));
        format!("{} {} `{}` ({})", effect.to_lowercase(), action.to_lowercase(), self.pattern, self.from)
    }

    /// Whether an exception covers it.
    fn leaves_out(&self, covers: impl Fn(&Rule) -> bool) -> bool {
        self.except.iter().any(|pattern| {
            let exception = Rule {
                action: self.action,
                pattern: pattern.clone(),
                except: Vec::new(),
                effect: Effect::Allow,
                from: self.from.clone(),
            };
            covers(&exception)
        })
    }

    fn when_broken(&self) -> bool {
        self.effect != Effect::Allow
    }

    fn glob(&self, pattern: &str) -> Result<globset::GlobMatcher, String> {
        GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map(|glob| glob.compile_matcher())
            .map_err(|error| format!("{}: `{}`: {error}", self.from, self.pattern))
    }

    /// Whether it speaks of this path. A denial or question without `/` means the name in any folder, and a
    /// pattern that names a folder means everything in it.
    pub(super) fn covers_path(&self, path: &str) -> bool {
        if self.leaves_out(|rule| rule.covers_path(path)) {
            return false;
        }
        let Ok(whole) = self.glob(self.pattern.trim_start_matches("./")) else { return self.when_broken() };
        if whole.is_match(path) {
            return true;
        }
        if self.effect == Effect::Allow {
            return false;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let any_folder = !self.pattern.contains('/') && whole.is_match(name);
        let above = path.match_indices('/').any(|(at, _)| {
            let folder = &path[..at];
            let last = folder.rsplit('/').next().unwrap_or(folder);
            whole.is_match(folder) || !self.pattern.contains('/') && whole.is_match(last)
        });
        any_folder || above
    }

    /// Whether it speaks of this host.
    pub(super) fn covers_host(&self, host: &str) -> bool {
        if self.leaves_out(|rule| rule.covers_host(host)) {
            return false;
        }
        if self.check().is_err() {
            return self.when_broken();
        }
        let pattern = self.pattern.to_lowercase();
        if pattern == "*" {
            return true;
        }
        match pattern.strip_prefix("*.") {
            Some(end) => host.strip_suffix(end).is_some_and(|start| start.len() > 1 && start.ends_with('.')),
            None => host == pattern,
        }
    }

    /// Whether it speaks of this tool, `SERVER/TOOL`.
    pub(super) fn covers_call(&self, tool: &str) -> bool {
        !self.leaves_out(|rule| rule.covers_call(tool)) && is_like(&self.pattern, tool)
    }

    fn words(&self) -> Result<Vec<String>, String> {
        let script = parse(&self.pattern.replace('*', "STAR"));
        match script.commands.as_slice() {
            [only] if only.is_exact() && script.redirects.is_empty() && !only.assigned => {
                Ok(only.argv.iter().map(|word| word.text.replace("STAR", "*")).collect())
            }
            // `sudo *` wraps what it starts; the wrapper's own words are meant.
            [first, ..] if first.is_exact() && script.redirects.is_empty() && script.pipes.is_empty() => {
                Ok(first.argv.iter().map(|word| word.text.replace("STAR", "*")).collect())
            }
            _ => Err(format!("{}: `{}` is not one command", self.from, self.pattern)),
        }
    }

    /// Whether it speaks of this command. A denial or question also covers what could turn out to be it, and
    /// the program in any folder; an allowance only the words as they are.
    pub(super) fn covers_command(&self, simple: &Simple) -> bool {
        self.match_command(simple).is_some()
    }

    /// Whether it speaks of this command for certain: every word its pattern names is known.
    pub(super) fn surely_covers(&self, simple: &Simple) -> bool {
        self.match_command(simple) == Some(true)
    }

    fn match_command(&self, simple: &Simple) -> Option<bool> {
        if self.leaves_out(|rule| rule.covers_command(simple)) {
            return None;
        }
        let Ok(words) = self.words() else { return self.when_broken().then_some(true) };
        let strict = self.effect == Effect::Allow;
        if strict && (!simple.is_exact() || simple.assigned) {
            return None;
        }
        // `git push*` and `*--force*` are written as patterns of the whole line; a denial takes them so as well.
        if !strict && is_like(&self.pattern, &line_of(simple)) {
            return Some(true);
        }
        let open = words.last().is_some_and(|word| word.ends_with('*'));
        let fixed =
            if words.last().is_some_and(|word| word == "*") { &words[..words.len() - 1] } else { &words[..] };
        if simple.argv.len() < fixed.len() || !open && simple.argv.len() != fixed.len() {
            return None;
        }
        let mut sure = true;
        for (at, (pattern, word)) in fixed.iter().zip(&simple.argv).enumerate() {
            let text = if at == 0 && !strict { simple.name() } else { word.text.as_str() };
            if !word.exact {
                sure = false;
            } else if !is_like(pattern, text) {
                return None;
            }
        }
        Some(sure)
    }
}

/// The command as one line, the program without its folder.
fn line_of(simple: &Simple) -> String {
    let rest = simple.arguments().iter().map(|word| word.text.as_str());
    std::iter::once(simple.name()).chain(rest).collect::<Vec<_>>().join(" ")
}

/// `*` stands for any characters.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(after) = text.strip_prefix(start) else { return false };
            rest.is_empty()
                || after
                    .char_indices()
                    .map(|(at, _)| at)
                    .chain([after.len()])
                    .any(|at| is_like(rest, &after[at..]))
        }
    }
}
