//! Allow, ask or deny an action. Pure: no I/O, the same answer for the same question.
//!
//! Deny beats allow, always. Only this module makes a [`Permit`], for one action.

pub mod paths;
mod guard;
mod hosts;
mod instead;
mod look;
pub mod rule;
mod run;
mod shell;
mod wrappers;

pub use rule::{Effect, Kind, Rule};

use crate::action::{Action, Change};
use crate::event::{Answer, Question};
use paths::{Class, class, is_protected, is_secret};
use run::{Finding, Remembered};

/// How much happens without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Every change and every command is asked for.
    Ask,
    /// Workspace edits and sandboxed commands happen; anything beyond asks.
    Auto,
    /// Nothing changes and nothing runs.
    ReadOnly,
    /// Headless: as `auto`, and what would ask is denied.
    Yes,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Mode::Ask => "ask",
            Mode::Auto => "auto",
            Mode::ReadOnly => "read-only",
            Mode::Yes => "yes",
        })
    }
}

/// Leave to do one action. Made by policy alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    fingerprint: [u8; 32],
}

impl Permit {
    /// Whether this permit is for that action.
    pub fn covers(&self, action: &Action) -> bool {
        self.fingerprint == action.fingerprint()
    }
}

/// What policy says to an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Go ahead.
    Allow(Permit),
    /// Someone must decide.
    Ask(Question),
    /// No, with the rule and the place it comes from.
    Deny(String),
}

/// The rules of one session, and what its user answered so far.
#[derive(Debug, Clone)]
pub struct Policy {
    mode: Mode,
    root: Option<String>,
    walled: bool,
    rules: Vec<Rule>,
    hosts: Vec<hosts::Allowed>,
    reveals: Vec<(String, u64)>,
    answers: Vec<Remember>,
}

/// One answer that holds until the session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Remember {
    Read(String),
    Write(String),
    Run(Remembered),
    Host(String),
    Call(String),
    Connect(String, u16),
}

/// A verdict before it becomes a permit or a question.
enum Leaning {
    Allow,
    /// Asks; `true` when an answer may be remembered.
    Ask(String, bool),
    Deny(String),
}

impl Policy {
    /// The built-in rules under `mode`.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            root: None,
            walled: true,
            rules: Vec::new(),
            hosts: Vec::new(),
            reveals: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Adds rules. Their order does not matter: deny beats ask beats allow, whoever wrote it.
    #[must_use]
    pub fn with_rules(mut self, rules: Vec<Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Tells the absolute root, so that commands may name files by their full path.
    #[must_use]
    pub fn with_root(mut self, root: &str) -> Self {
        let root = root.trim_end_matches('/');
        self.root = (!root.is_empty()).then(|| root.to_owned());
        self
    }

    /// Says that no sandbox is around commands: each is asked for then, except in mode `yes`, where the user
    /// has taken the walls away by a flag and nobody is there to ask.
    #[must_use]
    pub fn without_walls(mut self) -> Self {
        self.walled = false;
        self
    }

    /// Lets this host be reached without asking, by `webfetch` and by commands: `example.com` (for commands, its
    /// web ports), `example.com:8443`, `*.example.com` for every name below, `*`, or `@registries` for the public
    /// registries of packages. Anything else is an error and allows nothing.
    pub fn allow_host(&mut self, host: &str) -> Result<(), String> {
        self.hosts.extend(hosts::allowed(host)?);
        Ok(())
    }

    /// Lets the hidden value on that line (from 1) of a file go to the model, once: [`Policy::spend`] ends it.
    pub fn reveal_once(&mut self, path: &str, line: u64) {
        self.reveals.push((path.to_owned(), line));
    }

    /// Says that an action was done: what was allowed once is allowed no longer.
    pub fn spend(&mut self, action: &Action) {
        if let Action::Reveal { path, line, .. } = action {
            self.reveals.retain(|(known, at)| known != path || at != line);
        }
    }

    /// Whether a command can come to reach anything at all: a host is allowed, or somebody can be asked.
    pub fn opens_network(&self) -> bool {
        match self.mode {
            Mode::ReadOnly => false,
            Mode::Yes => !self.hosts.is_empty(),
            Mode::Ask | Mode::Auto => true,
        }
    }

    /// Changes the mode; what was answered stays.
    pub fn set_mode(&mut self, mode: Mode) {
        self.mode = mode;
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What was answered for the session, in words; [`Policy::forget`] takes the index.
    pub fn remembered(&self) -> Vec<String> {
        let title = |answer: &Remember| match answer {
            Remember::Read(path) => format!("read {path}"),
            Remember::Write(path) => format!("write {path}"),
            Remember::Run(command) => format!("run {}", command.title()),
            Remember::Host(host) => format!("fetch from {host}"),
            Remember::Call(tool) => format!("call {tool}"),
            Remember::Connect(host, port) => format!("let commands reach {host}:{port}"),
        };
        self.answers.iter().map(title).collect()
    }

    /// Takes an answer back. Nothing happens when there is none of that index.
    pub fn forget(&mut self, index: usize) {
        if index < self.answers.len() {
            self.answers.remove(index);
        }
    }

    /// Judges one action.
    pub fn judge(&self, action: &Action) -> Verdict {
        match self.lean(action) {
            Leaning::Allow => Verdict::Allow(Permit { fingerprint: action.fingerprint() }),
            Leaning::Deny(why) => Verdict::Deny(why),
            Leaning::Ask(why, _) if self.mode == Mode::Yes => {
                Verdict::Deny(format!("{why}; nobody is there to ask in mode `yes`: {}", way_out(action)))
            }
            Leaning::Ask(reason, may_remember) => {
                let kept = if may_remember { self.to_remember(action) } else { Vec::new() };
                let policy = Policy { answers: kept, ..Policy::new(self.mode) };
                let words = policy.remembered();
                let remember = (!words.is_empty()).then(|| words.join(", "));
                Verdict::Ask(Question { action: action.clone(), reason, remember })
            }
        }
    }

    /// Turns the user's answer into a permit, and remembers it where asked to. Judges again: no answer
    /// overrides a denial.
    pub fn settle(&mut self, question: &Question, answer: &Answer) -> Result<Permit, String> {
        let action = &question.action;
        let asked = match self.judge(action) {
            Verdict::Allow(permit) => return Ok(permit),
            Verdict::Deny(why) => return Err(why),
            Verdict::Ask(asked) => asked,
        };
        match answer {
            Answer::Reject(reason) => Err(reason.clone().unwrap_or_else(|| "the user said no".into())),
            Answer::Once | Answer::Session => {
                // Only what the user was shown is remembered.
                if *answer == Answer::Session
                    && asked.remember.is_some()
                    && asked.remember == question.remember
                {
                    for item in self.to_remember(action) {
                        if !self.answers.contains(&item) {
                            self.answers.push(item);
                        }
                    }
                }
                Ok(Permit { fingerprint: action.fingerprint() })
            }
            Answer::Instead(_) => Err("another change was approved than the one that was asked about".into()),
        }
    }

    fn lean(&self, action: &Action) -> Leaning {
        match action {
            Action::Read { paths } => self.lean_read(paths),
            Action::Write { changes } => self.lean_write(changes),
            Action::Run { command, workdir, .. } => self.lean_run(command, workdir),
            Action::Fetch { host, url } => self.lean_fetch(host, url),
            Action::Call { server, tool, .. } => self.lean_call(&format!("{server}/{tool}")),
            Action::Connect { host, port, .. } => self.lean_connect(host, *port),
            Action::Reveal { path, line, .. } => self.lean_reveal(path, *line),
        }
    }

    fn lean_read(&self, paths: &[String]) -> Leaning {
        if let Some(rule) =
            self.rule(Kind::Read, Effect::Deny, |rule| paths.iter().any(|path| rule.covers_path(path)))
        {
            return Leaning::Deny(rule.title());
        }
        let known = |path: &String| self.answers.contains(&Remember::Read(path.clone()));
        let allowed =
            |path: &String| self.rule(Kind::Read, Effect::Allow, |rule| rule.covers_path(path)).is_some();
        for path in paths.iter().filter(|path| !known(path)) {
            if let Some(rule) = self.rule(Kind::Read, Effect::Ask, |rule| rule.covers_path(path)) {
                return Leaning::Ask(rule.title(), true);
            }
            if is_secret(path) && !allowed(path) {
                return Leaning::Ask(format!("{path} holds secrets (built-in rule)"), true);
            }
        }
        Leaning::Allow
    }

    fn lean_write(&self, changes: &[Change]) -> Leaning {
        let paths: Vec<&String> = changes
            .iter()
            .flat_map(|change| [Some(&change.path), change.moved_from.as_ref()])
            .flatten()
            .collect();
        if let Some(path) = paths.iter().find(|path| is_protected(path)) {
            return Leaning::Deny(format!(
                "{path} is never written (built-in rule); the user can change it by hand"
            ));
        }
        if let Some(rule) =
            self.rule(Kind::Write, Effect::Deny, |rule| paths.iter().any(|path| rule.covers_path(path)))
        {
            return Leaning::Deny(rule.title());
        }
        if self.mode == Mode::ReadOnly {
            return Leaning::Deny("nothing is written in mode `read-only`".into());
        }
        let known = |path: &&String| self.answers.contains(&Remember::Write((*path).clone()));
        for path in paths.into_iter().filter(|path| !known(path)) {
            if let Some(rule) = self.rule(Kind::Write, Effect::Ask, |rule| rule.covers_path(path)) {
                return Leaning::Ask(rule.title(), true);
            }
            if self.rule(Kind::Write, Effect::Allow, |rule| rule.covers_path(path)).is_some() {
                continue;
            }
            match class(path) {
                Class::Secret => return Leaning::Ask(format!("{path} holds secrets (built-in rule)"), true),
                Class::Sensitive => {
                    return Leaning::Ask(format!("{path} decides what others run (built-in rule)"), true);
                }
                _ if self.mode == Mode::Ask => {
                    return Leaning::Ask("every change is asked for in mode `ask`".into(), true);
                }
                _ => {}
            }
        }
        Leaning::Allow
    }

    fn lean_run(&self, command: &str, workdir: &str) -> Leaning {
        let (script, finding) = run::examine(command, workdir, self.root.as_deref(), &self.rules);
        if let Finding::Never(why) = finding {
            return Leaning::Deny(format!("{why}: refused in every mode"));
        }
        if self.mode == Mode::ReadOnly {
            return Leaning::Deny("nothing runs in mode `read-only`".into());
        }
        let known: Vec<Remembered> = self
            .answers
            .iter()
            .filter_map(|answer| if let Remember::Run(known) = answer { Some(known.clone()) } else { None })
            .collect();
        let known = run::is_remembered(&script, workdir, &known);
        match finding {
            Finding::Never(why) => Leaning::Deny(why),
            Finding::Guarded(why) => Leaning::Ask(format!("{why} (built-in rule)"), false),
            Finding::Asked(_) if known => Leaning::Allow,
            Finding::Asked(why) => Leaning::Ask(why, true),
            Finding::Looks | Finding::Plain if !self.walled && !known && self.mode != Mode::Yes => {
                Leaning::Ask("no sandbox is around this command".into(), true)
            }
            Finding::Allowed | Finding::Looks => Leaning::Allow,
            Finding::Plain if known || self.mode != Mode::Ask => Leaning::Allow,
            Finding::Plain => Leaning::Ask("every command is asked for in mode `ask`".into(), true),
        }
    }

    fn lean_fetch(&self, host: &str, url: &str) -> Leaning {
        let host = host.to_lowercase();
        if let Some(rule) = self.rule(Kind::Fetch, Effect::Deny, |rule| rule.covers_host(&host)) {
            return Leaning::Deny(rule.title());
        }
        if self.answers.contains(&Remember::Host(host.clone())) {
            return Leaning::Allow;
        }
        if let Some(rule) = self.rule(Kind::Fetch, Effect::Ask, |rule| rule.covers_host(&host)) {
            return Leaning::Ask(rule.title(), true);
        }
        let allowed = self.rule(Kind::Fetch, Effect::Allow, |rule| rule.covers_host(&host)).is_some();
        if allowed || self.hosts.iter().any(|one| one.covers_page(&host, url)) {
            return Leaning::Allow;
        }
        Leaning::Ask(format!("{host} has not been asked for before"), true)
    }

    /// Never allowed by a rule or an earlier answer: each value is a word of its own, for one time.
    fn lean_reveal(&self, path: &String, line: u64) -> Leaning {
        if let Some(rule) = self.rule(Kind::Read, Effect::Deny, |rule| rule.covers_path(path)) {
            return Leaning::Deny(rule.title());
        }
        if self.reveals.iter().any(|(known, at)| known == path && *at == line) {
            return Leaning::Allow;
        }
        Leaning::Ask("a hidden value leaves this machine (built-in rule)".into(), false)
    }

    /// A tool of another process works outside of the walls: nothing but a person's word lets it be called.
    fn lean_call(&self, tool: &str) -> Leaning {
        if let Some(rule) = self.rule(Kind::Call, Effect::Deny, |rule| rule.covers_call(tool)) {
            return Leaning::Deny(rule.title());
        }
        let asked = self.rule(Kind::Call, Effect::Ask, |rule| rule.covers_call(tool)).is_some();
        let allowed = !asked && self.rule(Kind::Call, Effect::Allow, |rule| rule.covers_call(tool)).is_some();
        if self.mode == Mode::ReadOnly && !allowed {
            return Leaning::Deny(
                "no tool server is called in mode `read-only` without an allow rule".into(),
            );
        }
        if allowed || self.answers.contains(&Remember::Call(tool.to_owned())) {
            return Leaning::Allow;
        }
        Leaning::Ask(format!("{tool} works outside of the sandbox"), true)
    }

    /// A command's connection. Denials and questions about pages hold for it; allowances do not: a page that may
    /// be read is less than a host that may be sent anything.
    fn lean_connect(&self, host: &str, port: u16) -> Leaning {
        let host = host.to_lowercase();
        if let Some(rule) = self.rule(Kind::Fetch, Effect::Deny, |rule| rule.covers_host(&host)) {
            return Leaning::Deny(rule.title());
        }
        if self.mode == Mode::ReadOnly {
            return Leaning::Deny("nothing runs in mode `read-only`".into());
        }
        if self.answers.contains(&Remember::Connect(host.clone(), port)) {
            return Leaning::Allow;
        }
        if let Some(rule) = self.rule(Kind::Fetch, Effect::Ask, |rule| rule.covers_host(&host)) {
            return Leaning::Ask(rule.title(), true);
        }
        if self.hosts.iter().any(|one| one.covers_port(&host, port)) {
            return Leaning::Allow;
        }
        Leaning::Ask(format!("a command wants to reach {host}:{port}, which nobody has allowed"), true)
    }

    fn rule(&self, action: Kind, effect: Effect, covers: impl Fn(&Rule) -> bool) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.action == action && rule.effect == effect && covers(rule))
    }

    /// What an answer for the session covers: these files, these commands, this host.
    fn to_remember(&self, action: &Action) -> Vec<Remember> {
        match action {
            Action::Read { paths } => {
                let asked = |path: &&String| matches!(self.lean_read(&[(*path).clone()]), Leaning::Ask(..));
                paths.iter().filter(asked).cloned().map(Remember::Read).collect()
            }
            Action::Write { changes } => changes
                .iter()
                .flat_map(|change| [Some(change.path.clone()), change.moved_from.clone()])
                .flatten()
                .map(Remember::Write)
                .collect(),
            Action::Run { command, workdir, .. } => {
                let script = shell::parse(command);
                run::rememberable(&script, workdir)
                    .unwrap_or_default()
                    .into_iter()
                    .map(Remember::Run)
                    .collect()
            }
            Action::Fetch { host, .. } => vec![Remember::Host(host.to_lowercase())],
            Action::Call { server, tool, .. } => vec![Remember::Call(format!("{server}/{tool}"))],
            Action::Connect { host, port, .. } => vec![Remember::Connect(host.to_lowercase(), *port)],
            Action::Reveal { .. } => Vec::new(),
        }
    }
}

/// What would allow it where nobody can be asked.
fn way_out(action: &Action) -> &'static str {
    match action {
        Action::Fetch { .. } | Action::Connect { .. } => "give `--allow-host` for it, or use mode `ask`",
        Action::Reveal { .. } => "give `--reveal PATH:LINE` for it, or use mode `ask`",
        Action::Run { .. } => "use mode `ask`, or run it yourself",
        Action::Call { .. } => "write an allow rule (action \"call\") for this tool, or use mode `ask`",
        Action::Read { .. } | Action::Write { .. } => "write an allow rule for this path, or use mode `ask`",
    }
}
