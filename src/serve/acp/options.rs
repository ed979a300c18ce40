//! What a client may choose for a session: how much happens without asking, and which model works.

use crate::config::{self, Config};
use crate::model::{choose, price, rules};
use crate::policy::Mode;
use crate::wire;
use agent_client_protocol::v1::schema as acp;

/// The option that is the mode.
pub(super) const MODE: &str = "mode";
/// The option that is the model.
pub(super) const MODEL: &str = "model";

/// What stands to choose, and what is chosen.
#[derive(Debug, Clone)]
pub(super) struct Choices {
    pub(super) mode: Mode,
    pub(super) modes: Vec<Mode>,
    pub(super) model: String,
    pub(super) models: Vec<String>,
}

impl Choices {
    /// The choices of a session. A definition that only looks leaves one mode.
    pub(super) fn of(config: &Config, read_only: bool) -> Self {
        let modes = if read_only {
            vec![Mode::ReadOnly]
        } else {
            vec![Mode::Ask, Mode::Auto, Mode::ReadOnly, Mode::Yes]
        };
        let mode = if read_only { Mode::ReadOnly } else { config.mode };
        Self { mode, modes, model: config.model.clone(), models: models(config) }
    }

    /// The mode of that name, if it may be chosen.
    pub(super) fn mode_named(&self, name: &str) -> Option<Mode> {
        config::mode(name).filter(|mode| self.modes.contains(mode))
    }

    /// As session modes.
    pub(super) fn as_modes(&self) -> acp::SessionModeState {
        let shown = |mode: &Mode| {
            let (name, words) = words(*mode);
            acp::SessionMode::new(mode.to_string(), name).description(words.to_owned())
        };
        acp::SessionModeState::new(self.mode.to_string(), self.modes.iter().map(shown).collect())
    }

    /// As config options.
    pub(super) fn as_options(&self) -> Vec<acp::SessionConfigOption> {
        let modes: Vec<_> = self
            .modes
            .iter()
            .map(|mode| {
                let (name, words) = words(*mode);
                acp::SessionConfigSelectOption::new(mode.to_string(), name).description(words.to_owned())
            })
            .collect();
        let minds: Vec<_> = self
            .models
            .iter()
            .map(|name| acp::SessionConfigSelectOption::new(name.clone(), name.clone()))
            .collect();
        vec![
            acp::SessionConfigOption::select(MODE, "Mode", self.mode.to_string(), modes)
                .description("How much happens without asking".to_owned())
                .category(acp::SessionConfigOptionCategory::Mode),
            acp::SessionConfigOption::select(MODEL, "Model", self.model.clone(), minds)
                .category(acp::SessionConfigOptionCategory::Model),
        ]
    }
}

fn words(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Ask => ("Ask", "Every change and every command is asked for"),
        Mode::Auto => ("Auto", "Workspace edits and sandboxed commands happen; anything beyond asks"),
        Mode::ReadOnly => ("Read only", "Nothing changes and nothing runs"),
        Mode::Yes => ("Yes", "As auto, and what would ask is denied"),
    }
}

/// The models on offer: the configured one, the embedded one, and those with a price whose provider has a key.
fn models(config: &Config) -> Vec<String> {
    let mut names = vec![config.model.clone(), rules::NAME.to_owned()];
    wire::with_settings(config, |settings| {
        for provider in choose::providers() {
            let begins = format!("{}/", provider.name);
            let priced: Vec<String> =
                price::names(&config.prices).into_iter().filter(|name| name.starts_with(&begins)).collect();
            // One look for a key per provider; a keyring may take a moment.
            if priced.first().is_some_and(|name| choose::open_with(name, settings).is_ok()) {
                names.extend(priced);
            }
        }
    });
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
