//! `agent rules`: which rules there are, one of them whole, and the examples of all of them as tests.

use super::args::Format;
use super::{say, say_error};
use crate::config::Flags;
use crate::scan::rules::own::{self, RuleError};
use crate::scan::rules::trial::{Trial, trial};
use crate::scan::rules::{Rule, RuleSet, embedded, source_of};
use crate::scan::spread;
use crate::text::printable;
use crate::wire::{self, Trouble, exit};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What can be asked of the rules.
#[derive(Debug, Clone, Subcommand)]
pub enum RulesCommand {
    /// Name every rule: language, weakness, severity, whether it fixes
    List(RulesArgs),
    /// Show a rule whole, as its file says it
    Show {
        /// Its id (`agent rules list`)
        id: String,
        /// Where rules come from, form of the output
        #[command(flatten)]
        args: RulesArgs,
    },
    /// Try the examples of every rule: vulnerable ones are found and fixed as they say, safe ones are silent
    ///
    /// Exit codes: 0 all as it says, 2 a rule file cannot be read, 6 an example does not hold.
    Test {
        /// A rule file, or a folder of them; all rules that count when absent
        path: Option<PathBuf>,
        /// Where rules come from, form of the output
        #[command(flatten)]
        args: RulesArgs,
    },
}

/// Options of `agent rules`.
#[derive(Debug, Clone, Args)]
pub struct RulesArgs {
    /// Also the rules in this folder or file of yours; may be repeated
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub output_format: Format,
}

/// `agent rules`.
pub(super) fn rules(command: &RulesCommand) -> u8 {
    let done = match command {
        RulesCommand::List(args) => load(args).map(|set| list(set, args.output_format)),
        RulesCommand::Show { id, args } => load(args).and_then(|set| show(set, id, args.output_format)),
        RulesCommand::Test { path, args } => test(path.as_deref(), args),
    };
    done.unwrap_or_else(|trouble| {
        say_error(&trouble.text);
        trouble.code
    })
}

fn load(args: &RulesArgs) -> Result<&'static RuleSet, Trouble> {
    let config = wire::decide(Flags { scan_rules: args.rules.clone(), ..Flags::default() })?;
    wire::rules(&config)
}

/// A rule in a few words.
fn brief(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "family": rule.family,
        "cwe": rule.cwe,
        "owasp": rule.owasp,
        "severity": rule.severity,
        "languages": rule.languages,
        "fixes": fixes(rule),
        "examples": { "vulnerable": rule.examples.vulnerable.len(), "safe": rule.examples.safe.len() },
        "message": rule.message.split_whitespace().collect::<Vec<_>>().join(" "),
        "file": if rule.file.is_empty() { Value::Null } else { json!(rule.file) },
    })
}

fn fixes(rule: &Rule) -> bool {
    rule.fix.is_some() || rule.sinks.iter().any(|sink| sink.fix.is_some())
}

fn list(set: &RuleSet, format: Format) -> u8 {
    if format != Format::Text {
        let rules: Vec<Value> = set.rules.iter().map(brief).collect();
        say(&format!("{}\n", json!({ "rules": rules })));
        return 0;
    }
    let mut out = String::new();
    let width = set.rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for rule in &set.rules {
        let own = if rule.file.is_empty() { "" } else { "  (yours)" };
        let fix = if fixes(rule) { "fix" } else { "   " };
        let title = rule.family.facts().title;
        let cwe = format!("CWE-{}", rule.cwe);
        let _ = writeln!(out, "{:width$}  {cwe:<8} {:<8} {fix}  {title}{own}", rule.id, rule.severity.name());
    }
    let own = set.rules.iter().filter(|rule| !rule.file.is_empty()).count();
    let examples: usize =
        set.rules.iter().map(|rule| rule.examples.vulnerable.len() + rule.examples.safe.len()).sum();
    let _ = writeln!(out, "{} rules, {own} of them yours, {examples} examples", set.rules.len());
    say(&printable(&out));
    0
}

fn show(set: &RuleSet, id: &str, format: Format) -> Result<u8, Trouble> {
    let rule = set.find(id).ok_or_else(|| {
        let near: Vec<&str> = set
            .rules
            .iter()
            .map(|rule| rule.id.as_str())
            .filter(|known| known.contains(id))
            .take(5)
            .collect();
        let next =
            if near.is_empty() { "`agent rules list` names them".to_owned() } else { near.join(", ") + "?" };
        Trouble::coded(exit::NO_INPUT, format!("there is no rule `{id}`; {next}"))
    })?;
    let source = match rule.file.as_str() {
        "" => source_of(id).unwrap_or_default().to_owned(),
        file => std::fs::read_to_string(file).unwrap_or_default(),
    };
    if format == Format::Text {
        say(&printable(&source));
    } else {
        let mut object = brief(rule);
        object["source"] = json!(source);
        say(&format!("{object}\n"));
    }
    Ok(0)
}

fn test(path: Option<&Path>, args: &RulesArgs) -> Result<u8, Trouble> {
    let (set, rules, errors): (&'static RuleSet, Vec<&Rule>, Vec<RuleError>) = match path {
        None => {
            let set = load(args)?;
            (set, set.rules.iter().collect(), Vec::new())
        }
        Some(path) => {
            let paths = args.rules.iter().cloned().chain([path.to_owned()]);
            let folders: Vec<own::Folder<'_>> = paths.map(own::Folder::of_user).collect();
            match own::with_own(&folders) {
                Ok(set) => {
                    let named = own::read(&own::Folder::of_user(path.to_owned())).rules;
                    let is_named = |rule: &&Rule| named.iter().any(|other| other.id == rule.id);
                    (set, set.rules.iter().filter(is_named).collect(), Vec::new())
                }
                Err(errors) => (embedded(), Vec::new(), errors),
            }
        }
    };
    let tried: Vec<Trial> =
        spread::spread(rules.len(), |at| trial(rules[at], set)).into_iter().flatten().collect();
    let failed = tried.iter().filter(|trial| !trial.problems.is_empty()).count();
    if args.output_format == Format::Text {
        say(&printable(&told(&tried, &errors, failed)));
    } else {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        say(&format!("{}\n", json!({ "rules": tried, "failed": failed, "errors": errors })));
    }
    Ok(match (errors.is_empty(), failed) {
        (false, _) => exit::USAGE,
        (true, 0) => 0,
        _ => exit::NOT_FIXED,
    })
}

fn told(tried: &[Trial], errors: &[RuleError], failed: usize) -> String {
    let mut out = own::told(errors);
    for trial in tried {
        let mark = if trial.problems.is_empty() { "ok    " } else { "FAILED" };
        let (bad, good, fixed) = (trial.vulnerable, trial.safe, trial.fixed);
        let _ = writeln!(out, "{mark} {} ({bad} vulnerable, {good} safe, {fixed} fixed)", trial.rule);
        for problem in &trial.problems {
            for line in problem.lines() {
                let _ = writeln!(out, "       {line}");
            }
        }
    }
    let examples: usize = tried.iter().map(|trial| trial.vulnerable + trial.safe).sum();
    let _ = writeln!(out, "{} rules, {examples} examples, {failed} failed", tried.len());
    out
}
