//! The nine tools, `scan` and `skill`, a file each; their words for the model are in `tools/*.json`.
//!
//! A tool only plans: it looks, touches nothing, and says what it would do. The deed happens in
//! [`Plan::perform`], which wants a [`Permit`] for exactly that action.

pub mod args;
pub mod glob;
pub mod grep;
pub mod list;
pub mod read;
pub mod write;
pub mod edit;
pub mod patch;
pub mod bash;
pub mod webfetch;
pub mod scan;
mod leave;
pub mod skill;

pub use leave::{Leave, Request};

use crate::action::Action;
use crate::message::{Image, Spec};
use crate::policy::Permit;
use crate::sandbox::Sandbox;
use crate::scan::Scanner;
use crate::workspace::Workspace;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What tools work on. Shared by `Arc`, so that a deed can outlive the call that planned it.
pub struct World {
    /// Files.
    pub workspace: Workspace,
    /// Commands.
    pub sandbox: Arc<dyn Sandbox>,
    /// Weaknesses.
    pub scanner: Scanner,
}

/// A tool.
pub trait Tool: Send + Sync {
    /// What the model is told.
    fn spec(&self) -> &'static Spec;
    /// Looks at the world and says what would happen. Touches nothing.
    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError>;
}

/// Every tool there is, in the order the model is told.
pub fn all() -> Vec<Box<dyn Tool>> {
    vec![
        Box::new(read::Read),
        Box::new(list::List),
        Box::new(glob::Glob),
        Box::new(grep::Grep),
        Box::new(write::Write),
        Box::new(edit::Edit),
        Box::new(patch::Patch),
        Box::new(bash::Bash::new()),
        Box::new(webfetch::WebFetch::new()),
        Box::new(scan::Scan),
    ]
}

/// The tools of one session, in a stable order.
pub struct Toolbox {
    tools: Vec<Box<dyn Tool>>,
}

impl Toolbox {
    /// These tools.
    pub fn of(tools: Vec<Box<dyn Tool>>) -> Self {
        Self { tools }
    }

    /// One more, behind the others; a name that is taken is refused.
    pub fn push(&mut self, tool: Box<dyn Tool>) -> bool {
        let is_new = self.find(&tool.spec().name).is_none();
        if is_new {
            self.tools.push(tool);
        }
        is_new
    }

    /// The tool of that name.
    pub fn find(&self, name: &str) -> Option<&dyn Tool> {
        self.tools.iter().find(|tool| tool.spec().name == name).map(AsRef::as_ref)
    }

    /// What the model is told, in order.
    pub fn specs(&self) -> Vec<&'static Spec> {
        self.tools.iter().map(|tool| tool.spec()).collect()
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<&'static str> {
        self.tools.iter().map(|tool| tool.spec().name.as_str()).collect()
    }
}

/// How a deed reports while it runs, and learns that it should stop.
#[derive(Clone)]
pub struct Progress {
    /// Called with pieces of output for the user to see.
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
    /// Cancelled when the user interrupts.
    pub cancel: CancellationToken,
    /// Where a deed that is under way asks for leave to do more.
    pub leave: Leave,
}

impl Progress {
    /// One that nobody watches and nobody cancels.
    pub fn silent() -> Self {
        Self { tell: Arc::new(|_| {}), cancel: CancellationToken::new(), leave: Leave::none() }
    }
}

/// The part of a plan that acts.
pub type Deed = Box<dyn FnOnce(Progress) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send>;

/// What a call would do: it has looked and has touched nothing.
pub struct Plan {
    /// What policy judges and the user sees.
    pub action: Action,
    deed: Deed,
}

impl Plan {
    /// A plan of `action`, done by `deed`.
    pub fn new(
        action: Action,
        deed: impl FnOnce(Progress) -> BoxFuture<'static, Result<ToolOutput, ToolError>> + Send + 'static,
    ) -> Self {
        Self { action, deed: Box::new(deed) }
    }

    /// A plan whose deed blocks (files, search, scan); it runs on the blocking pool.
    pub fn blocking(
        action: Action,
        deed: impl FnOnce(Progress) -> Result<ToolOutput, ToolError> + Send + 'static,
    ) -> Self {
        Self::new(action, move |progress| {
            Box::pin(async move {
                tokio::task::spawn_blocking(move || deed(progress))
                    .await
                    .unwrap_or_else(|error| Err(ToolError::Failed(format!("the tool broke: {error}"))))
            })
        })
    }

    /// Does it, with leave to do exactly this.
    pub async fn perform(self, permit: Permit, progress: Progress) -> Result<ToolOutput, ToolError> {
        if !permit.covers(&self.action) {
            return Err(ToolError::Failed("the permit is for another action; nothing was done".into()));
        }
        (self.deed)(progress).await
    }
}

/// What a call gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolOutput {
    /// What the model reads.
    pub text: String,
    /// One line for people: `120 lines`, `3 matches in 2 files`, `exit 0 in 1.2 s`.
    pub summary: String,
    /// A command's exit code, where there was one.
    pub exit: Option<i32>,
    /// Full output on disk, when `text` was cut.
    pub log: Option<PathBuf>,
    /// What it shows beside the text.
    pub images: Vec<Image>,
}

/// Why a call gave nothing. Goes to the model as a result; never ends the run.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum ToolError {
    /// The arguments do not fit; says which and why. The loop adds the schema.
    #[error("invalid arguments: {0}")]
    Arguments(String),
    /// It was tried or looked at, and does not work; says what, why and what next.
    #[error("{0}")]
    Failed(String),
}

impl From<crate::workspace::WorkspaceError> for ToolError {
    fn from(error: crate::workspace::WorkspaceError) -> Self {
        ToolError::Failed(error.to_string())
    }
}
