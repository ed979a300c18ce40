//! What `agent fix` takes beside the issue: review, reports, delivery.

use super::{say_error, work};
use crate::config::Config;
use crate::fix::deliver::Wish;
use crate::fix::forge::{Forge, Settings, Ticket};
use crate::fix::{Report, dependency};
use crate::sandbox::git::Repository;
use crate::wire::{self, Trouble, exit};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Options of `agent fix` alone.
#[derive(Debug, Clone, Args)]
pub struct FixArgs {
    /// Whether a fresh, read-only helper looks for a way round the change (models other than `rules`); `review` in
    /// config.toml when absent, else on
    #[arg(long, value_enum)]
    pub review: Option<Switch>,
    /// Also write the report to this file; its ending says how: .md, .html, .sarif, .json, .patch; may be repeated
    #[arg(long, value_name = "FILE")]
    pub report: Vec<PathBuf>,
    /// Where an advisory (CVE, GHSA, PYSEC, RUSTSEC, GO id) of a dependency is asked for, or a file that holds it in
    /// OSV's form
    #[arg(long, value_name = "URL|FILE", default_value = crate::fix::dependency::OSV)]
    pub osv_url: String,
    /// Commit the fix, and nothing else, on the branch that is checked out
    #[arg(long)]
    pub commit: bool,
    /// Commit the fix on a new branch of this name; the checkout stays on its own
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// Push that branch to `origin` and open a pull or merge request (`GITHUB_TOKEN`, `GH_TOKEN` or `GITLAB_TOKEN`)
    #[arg(long)]
    pub pr: bool,
    /// Work in a new worktree in this folder, on a branch of its own; several fixes can run side by side
    #[arg(long, value_name = "DIR")]
    pub worktree: Option<PathBuf>,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Where the work is done, when it is not done in the workspace itself.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    folder: PathBuf,
    base: Option<String>,
}

impl FixArgs {
    /// Makes the worktree that was asked for and points the settings there.
    pub(super) fn step_aside(&self, config: &mut Config) -> Result<Option<Beside>, Trouble> {
        let Some(folder) = &self.worktree else { return Ok(None) };
        let failed = |error: String| Trouble::coded(exit::NO_INPUT, error);
        let repository = Repository::open(&config.workspace).map_err(|error| failed(error.to_string()))?;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let branch = self.branch.clone().unwrap_or_else(|| format!("agent/{name}"));
        let folder = std::path::absolute(folder).map_err(|error| failed(error.to_string()))?;
        repository.add_worktree(&folder, &branch).map_err(|error| failed(error.to_string()))?;
        config.workspace.clone_from(&folder);
        Ok(Some(Beside { folder, base: repository.branch() }))
    }

    /// What is to be delivered.
    pub(super) fn wish(&self, beside: Option<&Beside>) -> Wish {
        Wish {
            commit: self.commit || (beside.is_some() && self.branch.is_some()),
            // In a worktree the branch is the one that is checked out.
            branch: self.branch.clone().filter(|_| beside.is_none()),
            pull_request: self.pr,
            worktree: beside.map(|beside| beside.folder.display().to_string()),
            base: beside.and_then(|beside| beside.base.clone()),
        }
    }

    /// Writes the reports that were asked for. Says whether all of them are on disk.
    pub(super) fn write_reports(&self, report: &Report) -> bool {
        let mut well = true;
        for path in &self.report {
            let ending =
                path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
            let text = match ending.as_str() {
                "sarif" => pretty(&report.sarif()),
                "json" => pretty(report),
                "html" | "htm" => report.page(),
                "patch" | "diff" => report.patch.clone(),
                _ => report.markdown(),
            };
            if let Err(error) = work::write_whole(path, text.as_bytes()) {
                say_error(&format!("{}: {error}; the report is not on disk", path.display()));
                well = false;
            }
        }
        well
    }
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The advisory that an argument names: by its id alone, or by an id beside words that speak of a dependency.
pub(super) fn advisory_id(words: &str, fixing: &FixArgs) -> Option<String> {
    let id = dependency::id_in(words)?;
    let lower = words.to_lowercase();
    let speaks =
        ["dependenc", "upgrade", "package", "library", "bump"].iter().any(|word| lower.contains(word));
    let alone = !words.trim().contains(char::is_whitespace);
    (alone || speaks || fixing.osv_url != dependency::OSV).then_some(id)
}

/// Calls `with` with what forges are asked by: environment, kept tokens, the checkout's remote.
pub(super) fn with_forges<T>(config: &Config, with: impl FnOnce(&Settings<'_>) -> T) -> T {
    let keys = wire::keys(config);
    let key = |name: &str| keys.find(name).ok().flatten().map(|(key, _)| key);
    let origin = Repository::open(&config.workspace).ok().and_then(|repository| repository.remote("origin"));
    with(&Settings { variable: &wire::lookup, key: &key, origin })
}

/// The ticket that an argument names, where it names one.
pub(super) fn ticket(words: &str, config: &Config) -> Result<Option<Ticket>, Trouble> {
    if !words.contains(['#', '/']) || words.contains(char::is_whitespace) {
        return Ok(None);
    }
    with_forges(config, |settings| Ticket::named(words, settings))
        .map_err(|error| Trouble::coded(exit::NO_INPUT, error.to_string()))
}

/// The forge of the checkout's remote.
pub(super) fn forge(config: &Config) -> Option<Forge> {
    with_forges(config, Forge::of_origin)
}
