//! Delivery of a fix: a commit, a branch, a pull request, each only when it was asked for.

use super::forge::{Forge, ForgeError};
use super::report::{Delivery, Report};
use super::{befores, changes};
use crate::event::Outcome;
use crate::sandbox::git::{GitError, Piece, Repository, Target};
use crate::session::Session;
use std::os::unix::fs::PermissionsExt as _;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// A commit on the branch that is checked out.
    pub commit: bool,
    /// A commit on a new branch of this name.
    pub branch: Option<String>,
    /// A pull or merge request from that branch.
    pub pull_request: bool,
    /// The worktree the work was done in, on a branch of its own.
    pub worktree: Option<String>,
    /// The branch that worktree began on.
    pub base: Option<String>,
}

impl Wish {
    /// Whether anything is to be said of delivery at all.
    pub fn is_any(&self) -> bool {
        self.asks() || self.worktree.is_some()
    }

    fn asks(&self) -> bool {
        self.commit || self.branch.is_some() || self.pull_request
    }
}

/// Delivers what the session changed. Only a change that no gate has failed is delivered; what could not be done
/// is said in the report and undoes nothing.
pub async fn deliver(session: &Session, report: &mut Report, wish: &Wish, forge: Option<&Forge>) {
    let mut delivery = Delivery { worktree: wish.worktree.clone(), ..Delivery::default() };
    match report.status {
        _ if !wish.asks() => {}
        Outcome::Fixed | Outcome::FixedUnverified => {
            if let Err(why) = attempt(session, report, wish, forge, &mut delivery).await {
                delivery.left_out.push(why);
            }
        }
        _ => delivery.left_out.push("nothing was delivered: the weakness is not fixed".to_owned()),
    }
    report.delivery = Some(delivery);
}

async fn attempt(
    session: &Session,
    report: &Report,
    wish: &Wish,
    forge: Option<&Forge>,
    delivery: &mut Delivery,
) -> Result<(), String> {
    let repository = Repository::open(session.world().workspace.root()).map_err(|error| error.to_string())?;
    let base = wish.base.clone().or_else(|| repository.branch());
    let target = match (&wish.branch, wish.pull_request && wish.worktree.is_none()) {
        (Some(name), _) => Target::Branch(name.clone()),
        (None, true) => Target::Branch(format!("agent/fix-{}", short(&report.session_id))),
        (None, false) => Target::Head,
    };
    let committed = repository
        .commit(&pieces(session)?, &report.commit_message(), &target)
        .map_err(|error: GitError| error.to_string())?;
    delivery.commit = Some(committed.commit.clone());
    delivery.branch.clone_from(&committed.branch);
    delivery.left_out.extend(committed.notes);
    if !wish.pull_request {
        return Ok(());
    }
    let Some(forge) = forge else {
        return Err("no pull request: the remote `origin` names no GitHub or GitLab that is known, or there is no token \
                    (GITHUB_TOKEN, GH_TOKEN or GITLAB_TOKEN)"
            .to_owned());
    };
    let (Some(branch), Some(base)) = (committed.branch, base) else {
        return Err("no pull request: HEAD is on no branch".to_owned());
    };
    repository
        .push(&forge.push_url(), &committed.commit, &branch, forge.authorization().as_deref())
        .map_err(|error| format!("no pull request: {error}"))?;
    let (title, body) = report.pull_request();
    let address = forge
        .open(&title, &body, &branch, &base)
        .await
        .map_err(|error: ForgeError| format!("no pull request: {error}"))?;
    delivery.pull_request = Some(address);
    Ok(())
}

/// The fix's files as they are on disk, byte for byte.
fn pieces(session: &Session) -> Result<Vec<Piece>, String> {
    let workspace = &session.world().workspace;
    let befores = befores(session);
    let mut out = Vec::new();
    for change in changes(session) {
        let place = workspace.place(&change.path).map_err(|error| error.to_string())?;
        let after = match &change.after {
            Some(_) => Some(workspace.read(&place).map_err(|error| error.to_string())?.bytes),
            None => None,
        };
        let mode = std::fs::symlink_metadata(workspace.root().join(place.as_str()));
        let executable = mode.is_ok_and(|facts| facts.permissions().mode() & 0o111 != 0);
        let before = befores.get(&change.path).cloned().flatten();
        out.push(Piece { path: change.path, before, after, executable });
    }
    Ok(out)
}

/// The part of a session's id that tells it from others.
fn short(id: &str) -> &str {
    id.rsplit('-').next().unwrap_or(id)
}
