//! No walls: a plain shell in its own process group. Used only when the user asks for it by name.

use super::drive::{Ender, drive};
use super::{Done, Job, Level, Sandbox, SandboxError, Watch, environment, logs_below};
use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use tokio::process::Command;

/// Runs commands as the user would, with a scrubbed environment, limits and nothing else.
pub struct Bare {
    workspace: PathBuf,
    logs: PathBuf,
    level: Level,
}

impl Bare {
    /// Logs of cut outputs go below `state_dir`.
    pub fn open(workspace: &Path, state_dir: &Path, why: &str) -> Self {
        let level = Level { name: "none", missing: vec![why.to_owned()] };
        Self { workspace: workspace.to_owned(), logs: logs_below(state_dir), level }
    }
}

impl Sandbox for Bare {
    fn level(&self) -> &Level {
        &self.level
    }

    fn beside(&self, root: &Path, _lent: &[PathBuf]) -> Option<Arc<dyn Sandbox>> {
        Some(Arc::new(Self {
            workspace: root.to_owned(),
            logs: self.logs.clone(),
            level: self.level.clone(),
        }))
    }

    fn log_folder(&self) -> Option<PathBuf> {
        Some(self.logs.clone())
    }

    fn run(&self, job: Job, watch: Watch) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async move {
            let variables = environment::scrub(&self.workspace);
            #[allow(clippy::disallowed_methods, reason = "this is the sandbox")]
            let mut command = Command::new(environment::find_shell(&variables));
            command.arg("-c").arg(&job.command).current_dir(&job.workdir);
            command.env_clear().envs(variables).stdin(Stdio::null());
            let driven =
                drive(command, Ender::Group, std::future::ready(()), &job, &watch, (&self.logs, None))
                    .await?;
            Ok(Done {
                exit: driven.exit,
                output: driven.captured.text,
                total: driven.captured.total,
                log: driven.captured.log,
                took: driven.took,
                denials: Vec::new(),
                reached: Vec::new(),
            })
        })
    }
}
