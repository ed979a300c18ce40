//! Where agent definitions, skills, commands and instructions lie, in the order that decides: the project's
//! first, when the user trusts it, then the user's own.

use super::trust::Pass;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most files that are looked at in one folder; the rest is left out.
const MAX_FILES: usize = 500;

/// Who wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The repository. It counts only in a trusted workspace.
    Project,
    /// The user, below the home folder.
    User,
    /// We; it is part of the program.
    Embedded,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Project => "project",
            Origin::User => "user",
            Origin::Embedded => "embedded",
        })
    }
}

/// A file that may count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Who wrote it.
    pub origin: Origin,
}

/// The folders of one run.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The workspace's root.
    pub root: Option<PathBuf>,
    /// What the user trusts of it, if anything.
    pub trusted: Option<Pass>,
    /// What the user should hear of that, where trust would make a difference.
    pub hint: Option<String>,
    /// The user's settings, `$XDG_CONFIG_HOME/agent`.
    pub folder: Option<PathBuf>,
    /// The user's home.
    pub home: Option<PathBuf>,
}

/// Folders of a project, nearest to us first.
const PROJECT: [&[&str]; 3] = [
    &[".agent/agents", ".opencode/agents", ".opencode/agent", ".claude/agents"],
    &[".agent/skills", ".agents/skills", ".opencode/skills", ".claude/skills"],
    &[".agent/commands", ".opencode/commands", ".opencode/command", ".claude/commands"],
];
/// The same below the home folder; our own lie in the settings' folder.
const HOME: [&[&str]; 3] = [
    &[".config/opencode/agents", ".config/opencode/agent", ".claude/agents"],
    &[".agents/skills", ".config/opencode/skills", ".claude/skills"],
    &[".config/opencode/commands", ".config/opencode/command", ".claude/commands"],
];

impl Places {
    /// Agent definitions, `*.md`.
    pub fn agents(&self) -> Vec<Candidate> {
        self.candidates(0, "agents", &markdown)
    }

    /// Skills, `*/SKILL.md`.
    pub fn skills(&self) -> Vec<Candidate> {
        self.candidates(1, "skills", &skill)
    }

    /// The folder with the user's rules of the scanner, and that of a trusted repository.
    pub fn rules(&self) -> (Option<PathBuf>, Option<PathBuf>) {
        let own = self.folder.as_ref().map(|folder| folder.join("rules"));
        let trusted = self.root.as_ref().filter(|_| self.trusted.is_some());
        let project = trusted.map(|root| root.join(".agent/rules"));
        (own.filter(|folder| folder.is_dir()), project.filter(|folder| folder.is_dir()))
    }

    /// Prompt commands, `*.md`.
    pub fn commands(&self) -> Vec<Candidate> {
        self.candidates(2, "commands", &markdown)
    }

    /// The text of a file. The project's must be the very bytes that the user trusts.
    pub fn text(&self, candidate: &Candidate, max: u64) -> Result<String, String> {
        let shown = candidate.path.display();
        let mut bytes = Vec::new();
        std::fs::File::open(&candidate.path)
            .and_then(|file| file.take(max + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("{shown}: {error}"))?;
        if bytes.len() as u64 > max {
            return Err(format!("{shown}: larger than {} KB; it is left out", max / 1024));
        }
        if candidate.origin == Origin::Project {
            let root = self.root.as_deref().unwrap_or(Path::new(""));
            let path = candidate.path.strip_prefix(root).ok().and_then(Path::to_str).unwrap_or_default();
            if !self.trusted.as_ref().is_some_and(|pass| pass.vouches(path, &bytes)) {
                return Err(format!("{shown}: it is not what you trusted; it is left out (`agent trust`)"));
            }
        }
        String::from_utf8(bytes).map_err(|_| format!("{shown}: it is no UTF-8 text"))
    }

    fn candidates(&self, kind: usize, own: &str, pick: &dyn Fn(&Path) -> Option<PathBuf>) -> Vec<Candidate> {
        let project = self.root.iter().flat_map(|root| {
            let below = |folder: &&str| files(&root.join(folder), Some(root), pick);
            PROJECT[kind].iter().flat_map(below).collect::<Vec<_>>()
        });
        let own = self.folder.iter().flat_map(|folder| files(&folder.join(own), None, pick));
        let home = self.home.iter().flat_map(|home| {
            HOME[kind].iter().flat_map(|folder| files(&home.join(folder), None, pick)).collect::<Vec<_>>()
        });
        let of = |origin| move |path| Candidate { path, origin };
        project.map(of(Origin::Project)).chain(own.chain(home).map(of(Origin::User))).collect()
    }
}

/// What a folder holds, by name. `within` keeps what a repository's links lead out of it.
fn files(folder: &Path, within: Option<&Path>, pick: &dyn Fn(&Path) -> Option<PathBuf>) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> =
        entries.take(MAX_FILES).flatten().filter_map(|entry| pick(&entry.path())).collect();
    found.retain(|path| path.is_file() && within.is_none_or(|root| stays_within(path, root)));
    found.sort_unstable();
    found
}

fn stays_within(path: &Path, root: &Path) -> bool {
    let (Ok(path), Ok(root)) = (path.canonicalize(), root.canonicalize()) else { return false };
    path.starts_with(root)
}

fn markdown(path: &Path) -> Option<PathBuf> {
    path.extension().is_some_and(|ending| ending == "md").then(|| path.to_owned())
}

fn skill(path: &Path) -> Option<PathBuf> {
    path.is_dir().then(|| path.join("SKILL.md"))
}
