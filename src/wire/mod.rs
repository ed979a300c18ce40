//! Settings to a session: the one place where rooms are put together, whatever the door.

pub mod exit;
pub mod logs;

use crate::action::Action;
use crate::config::definition::{Definition, search};
use crate::config::keys::{Keys, Ring};
use crate::config::places::{Origin, Places};
use crate::config::trust::{Standing, Store};
use crate::config::{self, Config, Flags, instructions, skill};
use crate::event::Outcome;
use crate::model::rules::{NAME as RULES, Rules};
use crate::model::{Model, ModelError, choose, price, window};
use crate::policy::{Mode, Policy};
use crate::sandbox::{self, Sandbox, Wish};
use crate::scan::Scanner;
use crate::scan::rules::{RuleSet, own};
use crate::session::record::RecordError;
use crate::session::{Limits, Mind, Parts, Session};
use crate::text::known;
use crate::tool::{self, Tool, Toolbox, World};
use crate::workspace::lock::LockError;
use crate::workspace::{Workspace, WorkspaceError};
use crate::{prompt, remote};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Why nothing was begun, with the exit code that says so.
#[derive(Debug)]
pub struct Trouble {
    /// How that counts as a result.
    pub outcome: Outcome,
    /// Exit code of the process.
    pub code: u8,
    /// What, why, what next.
    pub text: String,
}

impl Trouble {
    /// With the exit code of its outcome.
    pub fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self { outcome, code: exit::code(outcome), text: text.into() }
    }

    /// With an exit code of its own.
    pub fn coded(code: u8, text: impl Into<String>) -> Self {
        Self { outcome: Outcome::Error, code, text: text.into() }
    }
}

impl From<RecordError> for Trouble {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Lock(LockError::Busy(_)) => Self::new(Outcome::Blocked, error.to_string()),
            RecordError::Unknown(_) => Self::coded(exit::NO_INPUT, error.to_string()),
            _ => Self::new(Outcome::Error, error.to_string()),
        }
    }
}

impl From<WorkspaceError> for Trouble {
    fn from(error: WorkspaceError) -> Self {
        Self::coded(exit::NO_INPUT, error.to_string())
    }
}

/// Environment as the settings see it.
pub fn lookup(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Decides the settings.
pub fn decide(flags: Flags) -> Result<Config, Trouble> {
    config::decide(flags, &lookup).map_err(|error| Trouble::coded(exit::USAGE, error.to_string()))
}

/// Opens what tools work on.
pub fn world(config: &Config) -> Result<World, Trouble> {
    world_of(config, &places(config))
}

fn world_of(config: &Config, places: &Places) -> Result<World, Trouble> {
    let workspace = Workspace::open(&config.workspace)?;
    let sandbox = walls(&workspace, &config.state, config.sandbox_off)?;
    Ok(World { workspace, sandbox, scanner: Scanner::of(rules_of(config, places)?) })
}

/// The scanner's rules: the embedded ones, the user's own, those the command line names, and a repository's once
/// it is trusted.
pub fn rules(config: &Config) -> Result<&'static RuleSet, Trouble> {
    rules_of(config, &places(config))
}

fn rules_of(config: &Config, places: &Places) -> Result<&'static RuleSet, Trouble> {
    let (user, project) = places.rules();
    let root = places.root.clone().unwrap_or_default();
    // What is read must be the very bytes that the user trusts.
    let is_trusted = |path: &Path, bytes: &[u8]| {
        let inner = path.strip_prefix(&root).ok().and_then(Path::to_str).unwrap_or_default();
        places.trusted.as_ref().is_some_and(|pass| pass.vouches(inner, bytes))
    };
    let mut folders: Vec<own::Folder<'_>> =
        user.into_iter().chain(config.scan_rules.iter().cloned()).map(own::Folder::of_user).collect();
    folders.extend(project.map(|path| own::Folder { path, vouches: Some(&is_trusted) }));
    own::with_own(&folders).map_err(|errors| {
        Trouble::coded(exit::USAGE, format!("rules that cannot be used:\n{}", own::told(&errors).trim_end()))
    })
}

/// The sandbox of this machine around a workspace.
pub fn walls(workspace: &Workspace, state: &Path, off: bool) -> Result<Arc<dyn Sandbox>, Trouble> {
    let program = std::env::current_exe().map_err(|error| {
        Trouble::new(Outcome::Error, format!("cannot find the agent's own program: {error}"))
    })?;
    let wish = if off { Wish::Off } else { Wish::Auto };
    Ok(sandbox::open(workspace.root(), state, &program, wish))
}

/// Where keys are kept.
pub fn keys(config: &Config) -> Keys {
    Keys::of(config.folder.as_deref(), Ring::desktop())
}

/// Calls `ask` with the settings of models.
pub fn with_settings<T>(config: &Config, ask: impl FnOnce(&choose::Settings<'_>) -> T) -> T {
    let base_url = |name: &str| config.base_urls.get(name).cloned();
    let key = |name: &str| {
        let found = keys(config).find(name).map_err(|error| error.to_string())?;
        Ok(found.map(|(key, _)| {
            // From here on it is hidden wherever it appears, as a key of the environment is.
            known::add(key.expose_secret().trim());
            key
        }))
    };
    ask(&choose::Settings { lookup: &lookup, base_url: &base_url, key: &key })
}

/// Asks a provider for its models: `provider/name` each. Blocks; not within a runtime.
pub fn models_of(config: &Config, name: &str) -> Result<Vec<String>, Trouble> {
    let unusable = |error: &ModelError| match error {
        ModelError::Unusable(_) => Trouble::coded(exit::USAGE, error.to_string()),
        _ => Trouble::new(Outcome::ModelUnavailable, error.to_string()),
    };
    let provider = choose::provider(name).map_err(|error| unusable(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(Outcome::Error, format!("cannot start: {error}")))?;
    let names = with_settings(config, |settings| runtime.block_on(choose::list(provider, settings)));
    Ok(names.map_err(|error| unusable(&error))?.iter().map(|model| format!("{name}/{model}")).collect())
}

/// Opens the model.
pub fn model(config: &Config) -> Result<Arc<dyn Model>, Trouble> {
    if config.model == RULES {
        return Ok(Arc::new(Rules));
    }
    match with_settings(config, |settings| choose::open_with(&config.model, settings)) {
        Ok(model) => Ok(Arc::from(model)),
        Err(error @ ModelError::Auth(_)) => Err(Trouble::new(Outcome::ModelUnavailable, error.to_string())),
        Err(error) => Err(Trouble::coded(exit::USAGE, error.to_string())),
    }
}

/// Where definitions, skills, commands and instructions of a run lie.
pub fn places(config: &Config) -> Places {
    let root = config.workspace.canonicalize().ok();
    let standing = root.as_deref().map(|root| Store::of(&config.state).standing(root));
    Places {
        hint: standing.as_ref().and_then(Standing::hint),
        trusted: standing.and_then(|standing| match standing {
            Standing::Trusted(pass) => Some(pass),
            _ => None,
        }),
        root,
        folder: config.folder.clone(),
        home: lookup("HOME").map(PathBuf::from).filter(|path| path.is_absolute()),
    }
}

/// The agent's definition: by name, a file's (`./x.md`), or the embedded one. An unknown one is an error, never
/// another one in its place.
pub fn definition(agent: Option<&str>, config: &Config) -> Result<(Definition, Origin), Trouble> {
    let usage = |text: String| Trouble::coded(exit::USAGE, text);
    match agent {
        None => Ok((Definition::embedded(), Origin::Embedded)),
        // What the user names by its path, the user has chosen.
        Some(file) if file.contains('/') || Path::new(file).extension().is_some_and(|end| end == "md") => {
            let read = Definition::read(Path::new(file)).map_err(|error| usage(error.to_string()))?;
            Ok((read, Origin::User))
        }
        Some(name) => search::find(name, &places(config)).map_err(|error| usage(error.to_string())),
    }
}

/// What a definition says where flags and environment say nothing: its turns, and its model unless a repository
/// wrote it.
pub fn fit(config: &mut Config, flags: &Flags, (definition, origin): (&Definition, Origin)) {
    if let (None, Some(turns)) = (flags.max_turns, definition.max_turns) {
        config.max_turns = turns;
    }
    if let (None, None, Some(model)) = (&flags.model, lookup("AGENT_MODEL"), &definition.model)
        && origin != Origin::Project
    {
        config.model.clone_from(model);
    }
}

/// What a user should know of what was found beside the work and is not used.
pub fn notes(config: &Config) -> Vec<String> {
    let places = places(config);
    let (_, mut notes) = skill::list(&places);
    notes.extend(places.hint);
    notes
}

/// The system prompt: who the agent is, how it works, what the user and a trusted repository say, which skills
/// there are.
fn system(definition: &Definition, places: &Places, skills: &[skill::Skill]) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).unwrap_or_default();
    let said = |words: Vec<instructions::Instructions>| -> Vec<(String, String)> {
        words.into_iter().map(|words| (words.path.display().to_string(), words.text)).collect()
    };
    let catalogue: Vec<(&str, &str)> =
        skills.iter().map(|skill| (skill.name.as_str(), skill.description.as_str())).collect();
    let user = said(instructions::of_user(places));
    let project = said(instructions::of_project(places, &here));
    prompt::system(definition) + &prompt::guidance(&user, &project, &catalogue)
}

/// What bounds a session. A limit of money that nobody can watch is refused.
fn limits(config: &Config) -> Result<Limits, Trouble> {
    let price = price::price(&config.model, &config.prices);
    if config.max_usd.is_some() && price.is_none() {
        return Err(Trouble::coded(
            exit::USAGE,
            format!(
                "the price of {} is not known, so --max-usd cannot be kept; say it in config.toml: \
                 [prices.\"{0}\"] with input and output, in US dollars per million tokens",
                config.model
            ),
        ));
    }
    Ok(Limits {
        max_turns: config.max_turns,
        max_tokens: config.max_tokens,
        max_usd: config.max_usd,
        max_time: config
            .max_minutes
            .and_then(|minutes| std::time::Duration::try_from_secs_f64(minutes * 60.0).ok()),
        price,
        window: window(config, &config.model),
        ..Limits::default()
    })
}

/// The window of a model: the flag's for the session's own, else the user's table, else the embedded one.
pub fn window(config: &Config, name: &str) -> Option<u64> {
    config
        .context_window
        .filter(|_| name == config.model)
        .or_else(|| window::window(name, &config.context_windows))
}

/// The models that may go on where a provider refuses. Somebody at the terminal is asked before one reads the
/// conversation; elsewhere naming it was the user's word.
fn fallbacks(config: &Config) -> Result<Vec<Mind>, Trouble> {
    let asks = config.mode == Mode::Ask && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut out = Vec::new();
    for name in &config.fallback_models {
        let other = Config { model: name.clone(), ..config.clone() };
        let limits = limits(&other)?;
        let ask = name.split_once('/').filter(|_| asks).and_then(|(provider, _)| {
            let provider = choose::provider(provider).ok()?;
            let url = with_settings(config, |settings| settings.url(provider)).ok()?;
            let host = url.host_str().unwrap_or_default().to_owned();
            Some(Action::Fetch { url: url.to_string(), host })
        });
        out.push(Mind { model: model(&other)?, price: limits.price, window: window(config, name), ask });
    }
    Ok(out)
}

/// Puts a session's parts together.
pub fn parts(config: &Config, definition: &Definition, cancel: CancellationToken) -> Result<Parts, Trouble> {
    let model = model(config)?;
    let limits = limits(config)?;
    let places = places(config);
    let world = Arc::new(world_of(config, &places)?);
    let mode = if definition.read_only { Mode::ReadOnly } else { config.mode };
    let own = definition.rules.iter().flat_map(|rule| rule.judged(&definition.name));
    let rules = config.rules.iter().cloned().chain(own).collect();
    let root = world.workspace.root().display().to_string();
    let mut policy = Policy::new(mode).with_root(&root).with_rules(rules);
    if config.sandbox_off {
        policy = policy.without_walls();
    }
    for host in &config.allow_hosts {
        policy.allow_host(host).map_err(|why| Trouble::coded(exit::USAGE, why))?;
    }
    for (path, line) in &config.reveals {
        policy.reveal_once(path, *line);
    }
    let (skills, _) = skill::list(&places);
    let system = system(definition, &places, &skills);
    let mut tools: Vec<Box<dyn Tool>> =
        tool::all().into_iter().filter(|tool| definition.offers(&tool.spec().name)).collect();
    if !skills.is_empty() && definition.offers("skill") {
        tools.push(Box::new(tool::skill::Skill::new(skills)));
    }
    Ok(Parts {
        model,
        fallbacks: fallbacks(config)?,
        toolbox: Toolbox::of(tools),
        world,
        policy,
        system,
        limits,
        cancel,
    })
}

/// Lets a session go on with another model. A window that a flag gave is the first model's.
pub fn change_model(session: &mut Session, config: &Config, name: &str) -> Result<(), Trouble> {
    let model = model(&Config { model: name.to_owned(), ..config.clone() })?;
    session.set_model(model, price::price(name, &config.prices));
    session.set_window(window::window(name, &config.context_windows));
    Ok(())
}

/// Adds the tools of the user's tool servers, and of `more` servers that whoever opened the session named. Gives
/// what was wrong with some of them; a broken server ends nothing.
pub async fn join_servers(
    parts: &mut Parts,
    config: &Config,
    definition: &Definition,
    more: &BTreeMap<String, remote::Server>,
) -> Vec<String> {
    // A tool server reaches further than a command: an agent that may run none calls none.
    if !definition.offers("bash") {
        return Vec::new();
    }
    let mut servers = more.clone();
    // The user's own settings win over what a caller names alike.
    servers.extend(config.mcp.clone());
    let (tools, mut warnings) = remote::tools(&servers).await;
    for tool in tools {
        let name = tool.spec().name.clone();
        if !parts.toolbox.push(tool) {
            warnings.push(format!("two tools are called {name}; the first one is offered"));
        }
    }
    warnings
}
