//! Run a command behind walls, with limits and streamed output.

pub mod bare;
mod capture;
mod drive;
mod environment;
pub mod git;
#[cfg(target_os = "linux")]
mod denial;
#[cfg(target_os = "linux")]
pub mod linux;
#[cfg(target_os = "macos")]
pub mod macos;

pub use capture::{HEAD, LOG_MAX, Log, TAIL};

use crate::network::Gate;
use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A command to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Text for `bash -c`.
    pub command: String,
    /// Absolute directory it starts in; the caller has resolved it beneath the workspace.
    pub workdir: PathBuf,
    /// Limit; the whole process tree ends at it.
    pub timeout: Duration,
}

/// Where a job's output goes while it runs, and how it is stopped.
#[derive(Clone)]
pub struct Watch {
    /// Called with each piece of output, already valid UTF-8.
    pub output: std::sync::Arc<dyn Fn(&str) + Send + Sync>,
    /// Ends the whole process tree when cancelled.
    pub cancel: CancellationToken,
}

/// How a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// By the limit.
    TimedOut,
    /// By the user.
    Cancelled,
}

/// What a job left behind.
#[derive(Debug, Clone)]
pub struct Done {
    /// How it ended.
    pub exit: Exit,
    /// Standard output and error interleaved: head and tail with the cut stated between them.
    pub output: String,
    /// Bytes it printed in all.
    pub total: u64,
    /// Full log on disk, when the output was cut.
    pub log: Option<PathBuf>,
    /// How long it took.
    pub took: Duration,
    /// What the walls refused, one sentence each, as far as can be told.
    pub denials: Vec<String>,
    /// What it reached outside, one sentence each.
    pub reached: Vec<String>,
}

/// Why a job could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The walls could not be built and going on without them was not allowed.
    #[error("the sandbox cannot be set up: {0}; run `agent doctor` to see why")]
    Walls(String),
    /// The command could not be started.
    #[error("cannot start the command: {0}")]
    Spawn(#[from] std::io::Error),
}

/// What confines a command here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// `namespaces`, `landlock`, `none`.
    pub name: &'static str,
    /// What is missing and why, one sentence each.
    pub missing: Vec<String>,
}

/// Somewhere to run commands.
pub trait Sandbox: Send + Sync {
    /// What confines commands here.
    fn level(&self) -> &Level;
    /// Runs one job to its end.
    fn run(&self, job: Job, watch: Watch) -> BoxFuture<'_, Result<Done, SandboxError>>;
    /// The same walls around another folder; commands there may also read what lies in `lent`. `None` where that
    /// cannot be had.
    fn beside(&self, _root: &Path, _lent: &[PathBuf]) -> Option<Arc<dyn Sandbox>> {
        None
    }
    /// Runs one job that may reach the hosts a gate admits. Where these walls cannot carry that it runs without,
    /// and what it is told says so when it fails.
    fn run_reaching(
        &self,
        job: Job,
        watch: Watch,
        _gate: Arc<dyn Gate>,
    ) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async move {
            let mut done = self.run(job, watch).await?;
            if done.exit != Exit::Code(0) && self.level().name != "none" {
                done.denials.push(format!(
                    "network: no host can be allowed with the walls of this machine (level {})",
                    self.level().name
                ));
            }
            Ok(done)
        })
    }
    /// Where logs of cut outputs go; commands can read there.
    fn log_folder(&self) -> Option<PathBuf> {
        None
    }
}

/// The folder for logs below a state folder.
fn logs_below(state_dir: &Path) -> PathBuf {
    state_dir.join("output")
}

/// What the user wants around commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The best walls this machine gives; none means that nothing runs.
    Auto,
    /// No walls. Only ever from a flag the user typed.
    Off,
}

/// A place to run commands in. `program` is the running binary, which becomes its own helper; logs of cut
/// outputs go below `state_dir`. Costs nothing until the first command or the first look at the level.
pub fn open(workspace_root: &Path, state_dir: &Path, program: &Path, wish: Wish) -> Arc<dyn Sandbox> {
    match wish {
        Wish::Off => Arc::new(bare::Bare::open(workspace_root, state_dir, "switched off by the user")),
        Wish::Auto => open_walls(workspace_root, state_dir, program),
    }
}

#[cfg(target_os = "linux")]
fn open_walls(workspace_root: &Path, state_dir: &Path, program: &Path) -> Arc<dyn Sandbox> {
    Arc::new(linux::Walls::open(workspace_root, state_dir, program))
}

#[cfg(target_os = "macos")]
fn open_walls(workspace_root: &Path, state_dir: &Path, _program: &Path) -> Arc<dyn Sandbox> {
    Arc::new(macos::Profile::open(workspace_root, state_dir))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn open_walls(_workspace_root: &Path, _state_dir: &Path, _program: &Path) -> Arc<dyn Sandbox> {
    let missing = vec!["no walls are known for this system".to_owned()];
    Arc::new(Closed { level: Level { name: "none", missing } })
}

/// Runs nothing, and says why.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
struct Closed {
    level: Level,
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
impl Sandbox for Closed {
    fn level(&self) -> &Level {
        &self.level
    }

    fn run(&self, _job: Job, _watch: Watch) -> BoxFuture<'_, Result<Done, SandboxError>> {
        let why = self.level.missing.join("; ");
        Box::pin(async move { Err(SandboxError::Walls(why)) })
    }
}
