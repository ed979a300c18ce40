//! What kind of repository this is, cheaply: languages, frameworks, entry points, test command, git state,
//! instructions. Reads names and a few manifests, never the whole tree.

use super::Workspace;

/// What a first look tells. Everything in it comes from the repository and is untrusted.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Languages by number of files seen, most first.
    pub languages: Vec<String>,
    /// Frameworks named in manifests or imports.
    pub frameworks: Vec<String>,
    /// Files that look like entry points, workspace-relative.
    pub entry_points: Vec<String>,
    /// The project's own test command, as one shell line; `None` when none was recognised.
    pub test_command: Option<String>,
    /// Branch and commit, when it is a git checkout.
    pub git: Option<String>,
    /// AGENTS.md and CLAUDE.md texts, capped, with their paths.
    pub instructions: Vec<(String, String)>,
}

/// Takes a first look.
pub fn survey(workspace: &Workspace) -> Survey {
    let _ = workspace;
    Survey::default()
}

impl Survey {
    /// The survey as the block of text the first message carries, at most 8 KB.
    pub fn render(&self) -> String {
        String::new()
    }
}
