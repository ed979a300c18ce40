//! Flags, environment and the user's file to decided settings, once. A repository decides nothing here.

pub mod command;
pub mod definition;
pub mod instructions;
pub mod keys;
pub mod places;
pub mod skill;
pub mod trust;

use crate::message::Price;
use crate::policy::{Effect, Kind, Mode, Rule};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Reads one environment variable; tests hand in a table.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the command line said. Absent means: not said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--workspace`.
    pub workspace: Option<PathBuf>,
    /// `--model`.
    pub model: Option<String>,
    /// `--mode`, or `yes` by `--yes`.
    pub mode: Option<Mode>,
    /// `--max-turns`.
    pub max_turns: Option<u32>,
    /// `--max-tokens`.
    pub max_tokens: Option<u64>,
    /// `--max-usd`.
    pub max_usd: Option<f64>,
    /// `--max-minutes`.
    pub max_minutes: Option<f64>,
    /// `--fallback-model`.
    pub fallback_models: Vec<String>,
    /// `--context-window`.
    pub context_window: Option<u64>,
    /// `--allow-host`.
    pub allow_hosts: Vec<String>,
    /// `--sandbox=off`.
    pub sandbox_off: bool,
    /// `--rules`: folders or files with rules of the scanner.
    pub scan_rules: Vec<PathBuf>,
    /// `--reveal`.
    pub reveals: Vec<(String, u64)>,
}

/// The decided settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The folder to work in, as given.
    pub workspace: PathBuf,
    /// Where sessions and logs are kept.
    pub state: PathBuf,
    /// `provider/model`, or `rules`.
    pub model: String,
    /// How much happens without asking.
    pub mode: Mode,
    /// Whether the user said so, by a flag or in the file; `ask` is the word where nobody did.
    pub mode_said: bool,
    /// Most answers of the model.
    pub max_turns: u32,
    /// Most tokens in all.
    pub max_tokens: Option<u64>,
    /// Most US dollars.
    pub max_usd: Option<f64>,
    /// Longest time, in minutes.
    pub max_minutes: Option<f64>,
    /// Whether a fresh helper looks for a way round every change.
    pub review: bool,
    /// Models that may go on where a provider's policy refuses, in order.
    pub fallback_models: Vec<String>,
    /// Tokens that the window of `model` holds, where the user knows better.
    pub context_window: Option<u64>,
    /// The user's own windows by `provider/model`, in tokens.
    pub context_windows: BTreeMap<String, u64>,
    /// The user's own prices by `provider/model`.
    pub prices: BTreeMap<String, Price>,
    /// The user's own base URLs by provider.
    pub base_urls: BTreeMap<String, String>,
    /// The user's own folder of settings, if there is a place for one.
    pub folder: Option<PathBuf>,
    /// Tool servers of the user's own file, by name.
    pub mcp: BTreeMap<String, Server>,
    /// Hosts that webfetch and commands may reach without asking.
    pub allow_hosts: Vec<String>,
    /// The user's own rules.
    pub rules: Vec<Rule>,
    /// The user's own keys of the terminal UI: what they do to keys separated by blanks. Checked by the UI.
    pub keys: BTreeMap<String, String>,
    /// Whether commands run without walls, by the user's explicit flag alone.
    pub sandbox_off: bool,
    /// Folders or files with rules of the scanner that the command line names.
    pub scan_rules: Vec<PathBuf>,
    /// Hidden values, by file and line, that the model may be shown once; from a flag alone.
    pub reveals: Vec<(String, u64)>,
}

/// Why settings cannot be decided.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No place for state.
    #[error("cannot tell where to keep sessions: set HOME, or XDG_STATE_HOME to an absolute path")]
    NoHome,
    /// The user's file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The user's own file, `$XDG_CONFIG_HOME/agent/config.toml`. An unknown key is an error: a typing mistake in
/// a setting that restricts must not pass for a setting.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Option<String>,
    mode: Option<String>,
    max_turns: Option<u32>,
    max_tokens: Option<u64>,
    max_usd: Option<f64>,
    max_minutes: Option<f64>,
    review: Option<bool>,
    #[serde(default)]
    fallback_models: Vec<String>,
    #[serde(default)]
    context_windows: BTreeMap<String, u64>,
    #[serde(default)]
    prices: BTreeMap<String, Price>,
    #[serde(default)]
    base_urls: BTreeMap<String, String>,
    #[serde(default)]
    allow_hosts: Vec<String>,
    #[serde(default)]
    rules: Vec<Line>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
    #[serde(default)]
    mcp: BTreeMap<String, Server>,
}

/// A tool server that speaks MCP: a program, or an address.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Program, found on the `PATH`.
    pub command: Option<String>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// Its environment, besides a few harmless variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Address of a server that is already running, instead of a program.
    pub url: Option<String>,
    /// Variable that holds its bearer token.
    pub token_env: Option<String>,
    /// Headers sent with every request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Longest call, in seconds; 60 when absent.
    pub timeout_seconds: Option<u64>,
}

/// One `[[rules]]` table: what is allowed, asked or denied. Deny beats allow, whoever wrote it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    action: Kind,
    pattern: String,
    #[serde(default)]
    except: Vec<String>,
    effect: Effect,
}

/// The model when none is configured.
pub const DEFAULT_MODEL: &str = "rules";
/// The smallest window that is believed, in tokens.
pub const LEAST_WINDOW: u64 = 1_024;
/// Answers of the model when nothing else is said.
pub const DEFAULT_MAX_TURNS: u32 = 200;

/// Decides: flags over environment over the user's file over defaults.
pub fn decide(flags: Flags, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    let home = lookup("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let xdg = |name: &str, below_home: &str| {
        lookup(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| home.as_ref().map(|home| home.join(below_home)))
            .map(|path| path.join("agent"))
    };
    let state = xdg("XDG_STATE_HOME", ".local/state").ok_or(ConfigError::NoHome)?;
    let folder = xdg("XDG_CONFIG_HOME", ".config");
    let file = match &folder {
        Some(folder) => read(&folder.join("config.toml"))?,
        None => File::default(),
    };
    let file_mode = match &file.mode {
        Some(word) => Some(mode(word).ok_or_else(|| ConfigError::File {
            path: "config.toml".into(),
            reason: format!("mode = \"{word}\": must be ask, auto, read-only or yes"),
        })?),
        None => None,
    };
    let rules: Vec<Rule> = file
        .rules
        .into_iter()
        .enumerate()
        .map(|(at, Line { action, pattern, except, effect })| {
            let from = format!("config.toml, rule {}", at + 1);
            Rule { action, pattern, except, effect, from }
        })
        .collect();
    for rule in &rules {
        rule.check().map_err(|reason| ConfigError::File { path: "config.toml".into(), reason })?;
    }
    if let Some((name, window)) = file.context_windows.iter().find(|(_, window)| **window < LEAST_WINDOW) {
        return Err(ConfigError::File {
            path: "config.toml".into(),
            reason: format!("context_windows.\"{name}\" = {window}: must be at least {LEAST_WINDOW} tokens"),
        });
    }
    // A limit that cannot be kept must not pass for one.
    for (name, limit) in [("max_usd", file.max_usd), ("max_minutes", file.max_minutes)] {
        if limit.is_some_and(|limit| !(limit > 0.0 && limit <= 500_000.0)) {
            return Err(ConfigError::File {
                path: "config.toml".into(),
                reason: format!("{name}: must be above 0, at most 500000"),
            });
        }
    }
    let mut allow_hosts = flags.allow_hosts;
    allow_hosts.extend(file.allow_hosts);
    Ok(Config {
        workspace: flags.workspace.unwrap_or_else(|| PathBuf::from(".")),
        state,
        model: flags
            .model
            .or_else(|| lookup("AGENT_MODEL").filter(|name| !name.is_empty()))
            .or(file.model)
            .unwrap_or_else(|| DEFAULT_MODEL.to_owned()),
        mode: flags.mode.or(file_mode).unwrap_or(Mode::Ask),
        mode_said: flags.mode.or(file_mode).is_some(),
        max_turns: flags.max_turns.or(file.max_turns).unwrap_or(DEFAULT_MAX_TURNS),
        max_tokens: flags.max_tokens.or(file.max_tokens),
        max_usd: flags.max_usd.or(file.max_usd),
        max_minutes: flags.max_minutes.or(file.max_minutes),
        review: file.review.unwrap_or(true),
        fallback_models: if flags.fallback_models.is_empty() {
            file.fallback_models
        } else {
            flags.fallback_models
        },
        context_window: flags.context_window,
        context_windows: file.context_windows,
        prices: file.prices,
        base_urls: file.base_urls,
        folder,
        mcp: file.mcp,
        allow_hosts,
        rules,
        keys: file.keys,
        sandbox_off: flags.sandbox_off,
        scan_rules: flags.scan_rules,
        reveals: flags.reveals,
    })
}

/// The mode of that name.
pub fn mode(word: &str) -> Option<Mode> {
    [Mode::Ask, Mode::Auto, Mode::ReadOnly, Mode::Yes].into_iter().find(|mode| mode.to_string() == word)
}

fn read(path: &Path) -> Result<File, ConfigError> {
    let failed = |reason: String| ConfigError::File { path: path.display().to_string(), reason };
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| failed(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(File::default()),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(flags: Flags, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        decide(flags, &|name| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn with_file(text: &str) -> (tempfile::TempDir, String) {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".config/agent");
        std::fs::create_dir_all(&folder).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the test plays the user")]
        std::fs::write(folder.join("config.toml"), text).unwrap();
        let path = home.path().display().to_string();
        (home, path)
    }

    #[test]
    fn flags_beat_environment_beats_file_beats_default() {
        let (_keep, home) = with_file("model = \"openai/file\"\nmax_turns = 7\nmode = \"auto\"\n");
        let flag = Flags { model: Some("openai/flag".into()), ..Flags::default() };
        assert_eq!(
            decided(flag, &[("HOME", &home), ("AGENT_MODEL", "openai/env")]).unwrap().model,
            "openai/flag"
        );
        let by_env = decided(Flags::default(), &[("HOME", &home), ("AGENT_MODEL", "openai/env")]).unwrap();
        assert_eq!((by_env.model.as_str(), by_env.max_turns, by_env.mode), ("openai/env", 7, Mode::Auto));
        assert_eq!(decided(Flags::default(), &[("HOME", &home)]).unwrap().model, "openai/file");
        let bare = decided(Flags::default(), &[("HOME", "/nowhere")]).unwrap();
        assert_eq!((bare.model.as_str(), bare.mode, bare.max_turns), ("rules", Mode::Ask, DEFAULT_MAX_TURNS));
        assert_eq!(bare.state, Path::new("/nowhere/.local/state/agent"));
    }

    #[test]
    fn a_bad_file_is_an_error_that_names_it() {
        for text in [
            "max_minutes = -1.0",
            "max_usd = nan",
            "modell = \"x\"",
            "mode = \"yolo\"",
            "max_turns = \"many\"",
            "mode = [",
        ] {
            let (_keep, home) = with_file(text);
            let error = decided(Flags::default(), &[("HOME", &home)]).unwrap_err().to_string();
            assert!(error.contains("config.toml"), "{text}: {error}");
        }
    }

    #[test]
    fn rules_of_the_user_say_where_they_come_from() {
        let (_keep, home) =
            with_file("[[rules]]\naction = \"run\"\npattern = \"git push *\"\neffect = \"deny\"\n");
        let rules = decided(Flags::default(), &[("HOME", &home)]).unwrap().rules;
        assert_eq!((rules[0].effect, rules[0].from.as_str()), (Effect::Deny, "config.toml, rule 1"));
        for bad in
            ["effect = \"maybe\"", "effect = \"deny\"\ncolour = 1", "effect = \"deny\"\npattern = \"a | b\""]
        {
            let (_keep, home) = with_file(&format!("[[rules]]\naction = \"run\"\n{bad}\n"));
            assert!(decided(Flags::default(), &[("HOME", &home)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn relative_xdg_paths_do_not_count() {
        let error = decided(Flags::default(), &[("XDG_STATE_HOME", "here")]).unwrap_err();
        assert!(matches!(error, ConfigError::NoHome));
    }
}
