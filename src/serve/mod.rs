//! Be someone's helper: the same session behind other protocols.
//!
//! [`Start`] opens sessions for every door here, `work` runs them, [`acp`] and [`mcp`] speak for them.

pub mod acp;
pub mod mcp;
mod signals;
mod work;

use crate::config::{Config, Flags, Server};
use crate::session::Parts;
use crate::wire::{self, Trouble};
use std::collections::BTreeMap;
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// What a door was started with. Every session it opens begins from it; nothing a caller says later makes a
/// session see more than this allows, except the mode and the model, which are the user's to choose.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// Flags of the command line.
    pub flags: Flags,
    /// The agent's definition, a name or a file; the embedded one when absent.
    pub agent: Option<String>,
}

/// What a session is opened with.
struct Opening {
    config: Config,
    parts: Parts,
    warnings: Vec<String>,
    /// Whether the definition allows nothing but looking.
    read_only: bool,
}

impl Start {
    /// The settings for a session in `folder`.
    fn config(&self, folder: &Path) -> Result<Config, Trouble> {
        wire::decide(Flags { workspace: Some(folder.to_owned()), ..self.flags.clone() })
    }

    /// Puts together what a session in `config.workspace` is made of, with the tools of `servers` beside the
    /// user's own. Blocks; within a runtime, on a thread that may.
    fn open(
        &self,
        mut config: Config,
        servers: &BTreeMap<String, Server>,
        cancel: CancellationToken,
    ) -> Result<Opening, Trouble> {
        let (definition, origin) = wire::definition(self.agent.as_deref(), &config)?;
        wire::fit(&mut config, &self.flags, (&definition, origin));
        let mut parts = wire::parts(&config, &definition, cancel)?;
        let mut warnings: Vec<String> =
            definition.warnings.iter().map(ToString::to_string).chain(wire::notes(&config)).collect();
        if !servers.is_empty() || !config.mcp.is_empty() {
            let joined = wire::join_servers(&mut parts, &config, &definition, servers);
            warnings.extend(tokio::runtime::Handle::current().block_on(joined));
        }
        Ok(Opening { config, parts, warnings, read_only: definition.read_only })
    }
}
