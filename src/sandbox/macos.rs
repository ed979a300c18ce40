//! The walls on macOS: a `sandbox-exec` profile. Writes stay in the workspace and the temporary folder, the
//! network stays closed; files outside can be read, which the level says.

use super::drive::{Ender, drive};
use super::{Done, Job, Level, Sandbox, SandboxError, Watch, environment, logs_below};
use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

/// Runs commands under `sandbox-exec`.
pub struct Profile {
    workspace: PathBuf,
    logs: PathBuf,
    level: Level,
}

const PROGRAM: &str = "/usr/bin/sandbox-exec";

/// Paths come in as parameters, never as text of the profile. Later rules win.
const RULES: &str = r#"(version 1)
(allow default)
(deny network*)
(allow network* (local ip "localhost:*"))
(allow network-outbound (remote ip "localhost:*"))
(deny file-write*)
(allow file-write* (subpath (param "WORKSPACE")) (subpath "/private/tmp") (subpath "/private/var/folders"))
(allow file-write* (literal "/dev/null") (literal "/dev/tty") (literal "/dev/stdout") (literal "/dev/stderr"))
(deny file-write* (regex #"/\.git/(hooks|config)"))
(deny file-read* (regex #"/\.env(\.[^/]*)?$") (regex #"/\.(ssh|aws|gnupg|kube|docker)/"))
(allow file-read* (regex #"/\.env\.(example|sample|template)$"))
"#;

impl Profile {
    /// Logs of cut outputs go below `state_dir`.
    pub fn open(workspace: &Path, state_dir: &Path) -> Self {
        let (name, missing) = if Path::new(PROGRAM).exists() {
            (
                "profile",
                "files outside the workspace can be read; the process tree is ended by group only".into(),
            )
        } else {
            ("none", format!("{PROGRAM} is missing"))
        };
        let workspace = workspace.canonicalize().unwrap_or_else(|_| workspace.to_owned());
        Self { workspace, logs: logs_below(state_dir), level: Level { name, missing: vec![missing] } }
    }
}

impl Sandbox for Profile {
    fn level(&self) -> &Level {
        &self.level
    }

    fn beside(&self, root: &Path, _lent: &[PathBuf]) -> Option<Arc<dyn Sandbox>> {
        let workspace = root.canonicalize().ok()?;
        Some(Arc::new(Self { workspace, logs: self.logs.clone(), level: self.level.clone() }))
    }

    fn log_folder(&self) -> Option<PathBuf> {
        Some(self.logs.clone())
    }

    fn run(&self, job: Job, watch: Watch) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async move {
            if self.level.name == "none" {
                return Err(SandboxError::Walls(self.level.missing.join("; ")));
            }
            let variables = environment::scrub(&self.workspace);
            let mut workspace = std::ffi::OsString::from("WORKSPACE=");
            workspace.push(&self.workspace);
            #[allow(clippy::disallowed_methods, reason = "this is the sandbox")]
            let mut command = tokio::process::Command::new(PROGRAM);
            command.arg("-D").arg(workspace).args(["-p", RULES]);
            command.arg(environment::find_shell(&variables)).arg("-c").arg(&job.command);
            command.current_dir(&job.workdir).env_clear().envs(variables).stdin(Stdio::null());
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
