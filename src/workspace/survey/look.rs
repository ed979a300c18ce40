//! The names near the root, breadth first and bounded: what a person sees who opens the folder.

use crate::workspace::Workspace;
use crate::workspace::survey::head;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Most directory entries that are looked at.
pub(super) const MAX_ENTRIES: usize = 2_000;

/// Most entries of one folder below the root, so that one full folder does not hide its neighbours.
const MAX_IN_FOLDER: usize = 300;

/// Folders this deep are not opened. Java's packages are why it is not less.
const MAX_DEPTH: usize = 10;

/// The look ends when it has taken this long, with what it has.
const MAX_TIME: Duration = Duration::from_millis(400);

/// Folders that hold what was fetched or built, not what was written.
const NOT_WRITTEN_HERE: &[&str] = &[
    "__pycache__",
    "bower_components",
    "build",
    "coverage",
    "dist",
    "env",
    "htmlcov",
    "node_modules",
    "obj",
    "out",
    "site-packages",
    "target",
    "vendor",
    "venv",
];

/// Endings and their languages.
const LANGUAGES: &[(&str, &str)] = &[
    ("py", "Python"),
    ("js", "JavaScript"),
    ("mjs", "JavaScript"),
    ("cjs", "JavaScript"),
    ("jsx", "JavaScript"),
    ("ts", "TypeScript"),
    ("mts", "TypeScript"),
    ("cts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("java", "Java"),
    ("kt", "Kotlin"),
    ("scala", "Scala"),
    ("go", "Go"),
    ("php", "PHP"),
    ("rb", "Ruby"),
    ("cs", "C#"),
    ("rs", "Rust"),
    ("ex", "Elixir"),
    ("exs", "Elixir"),
    ("swift", "Swift"),
    ("c", "C"),
    ("cc", "C++"),
    ("cpp", "C++"),
];

/// File names that begin a program, in the order of how sure they are.
const ENTRIES: &[&str] = &[
    "manage.py",
    "app.py",
    "main.py",
    "wsgi.py",
    "asgi.py",
    "server.py",
    "application.py",
    "run.py",
    "__main__.py",
    "urls.py",
    "server.js",
    "server.ts",
    "app.js",
    "app.ts",
    "main.js",
    "main.ts",
    "index.js",
    "index.ts",
    "server.mjs",
    "app.mjs",
    "index.mjs",
    "main.go",
    "main.rs",
    "Program.cs",
    "Startup.cs",
    "index.php",
    "artisan",
    "config.ru",
    "routes.rb",
];

/// Most entry points that are named.
const MAX_ENTRY_POINTS: usize = 12;

/// What was seen.
pub(super) struct Look {
    /// Regular files, workspace-relative, the nearest to the root first.
    pub(super) files: Vec<String>,
    /// Whether a limit was met.
    pub(super) is_partial: bool,
}

/// A folder that is still to be opened, and the ignore files on the way to it.
struct Open {
    path: String,
    depth: usize,
    ignores: Rc<Ignores>,
}

struct Ignores {
    own: Gitignore,
    above: Option<Rc<Ignores>>,
}

impl Ignores {
    fn hides(&self, path: &Path, is_dir: bool) -> bool {
        let own = self.own.matched(path, is_dir);
        if own.is_none() {
            return self.above.as_ref().is_some_and(|above| above.hides(path, is_dir));
        }
        own.is_ignore()
    }
}

impl Look {
    /// Looks around. Links are not followed, hidden folders are not opened, ignore files are respected.
    pub(super) fn take(workspace: &Workspace) -> Self {
        let began = Instant::now();
        let mut look = Look { files: Vec::new(), is_partial: false };
        let mut left = MAX_ENTRIES;
        let root = Open { path: String::new(), depth: 0, ignores: ignores(workspace, "", None) };
        let mut open = VecDeque::from([root]);
        while let Some(folder) = open.pop_front() {
            if left == 0 || began.elapsed() > MAX_TIME {
                look.is_partial = true;
                break;
            }
            look.enter(workspace, &folder, &mut open, &mut left);
        }
        look
    }

    fn enter(&mut self, workspace: &Workspace, folder: &Open, open: &mut VecDeque<Open>, left: &mut usize) {
        let Ok(entries) = std::fs::read_dir(workspace.root().join(&folder.path)) else { return };
        let most = if folder.depth == 0 { *left } else { MAX_IN_FOLDER.min(*left) };
        // One more than may be looked at, to know whether there is more.
        let mut names: Vec<(String, std::fs::FileType)> = Vec::new();
        for entry in entries.take(most + 1).filter_map(Result::ok) {
            if let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) {
                names.push((name, kind));
            }
        }
        self.is_partial |= names.len() > most;
        names.truncate(most);
        *left -= names.len();
        names.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (name, kind) in names {
            let path = if folder.path.is_empty() { name.clone() } else { format!("{}/{name}", folder.path) };
            if folder.ignores.hides(Path::new(&path), kind.is_dir()) {
                continue;
            }
            if kind.is_file() {
                self.files.push(path);
            } else if kind.is_dir() && !name.starts_with('.') && !NOT_WRITTEN_HERE.contains(&name.as_str()) {
                if folder.depth + 1 >= MAX_DEPTH {
                    self.is_partial = true;
                    continue;
                }
                let ignores = ignores(workspace, &path, Some(&folder.ignores));
                open.push_back(Open { path, depth: folder.depth + 1, ignores });
            }
        }
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file == path)
    }

    /// Languages by number of files, most first; equal ones by name.
    pub(super) fn languages(&self) -> Vec<&'static str> {
        let mut counts: Vec<(&'static str, usize)> = Vec::new();
        for file in &self.files {
            let Some((_, language)) = LANGUAGES.iter().find(|(ending, _)| Some(*ending) == ending_of(file))
            else {
                continue;
            };
            match counts.iter_mut().find(|(known, _)| known == language) {
                Some((_, count)) => *count += 1,
                None => counts.push((language, 1)),
            }
        }
        counts.sort_unstable_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
        counts.into_iter().map(|(language, _)| language).collect()
    }

    /// Files that look like entry points; `mains` are those that manifests name. The nearest to the root
    /// first, tests and examples left out.
    pub(super) fn entry_points(&self, mains: &[String]) -> Vec<String> {
        let is_aside = |path: &str| {
            path.split('/').any(|part| {
                matches!(
                    part,
                    "test" | "tests" | "spec" | "specs" | "__tests__" | "docs" | "examples" | "fixtures"
                )
            })
        };
        let mut found: Vec<(usize, usize, &String)> = Vec::new();
        for file in self.files.iter().filter(|file| !is_aside(file)) {
            let name = name_of(file);
            let rank = if mains.contains(file) {
                Some(0)
            } else if name.ends_with("Application.java") || name.ends_with("Application.kt") {
                Some(1)
            } else {
                ENTRIES.iter().position(|entry| *entry == name).map(|at| at + 2)
            };
            if let Some(rank) = rank {
                found.push((file.matches('/').count(), rank, file));
            }
        }
        found.sort_unstable();
        found.into_iter().take(MAX_ENTRY_POINTS).map(|(.., file)| file.clone()).collect()
    }
}

/// The last part of a path.
pub(super) fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a path; empty for the root.
pub(super) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What follows the last dot of a file's name.
pub(super) fn ending_of(path: &str) -> Option<&str> {
    name_of(path).rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending)
}

/// The ignore rules of one folder on top of those above it. Read through the door: never through a link.
fn ignores(workspace: &Workspace, folder: &str, above: Option<&Rc<Ignores>>) -> Rc<Ignores> {
    let mut builder = GitignoreBuilder::new(folder);
    for name in [".gitignore", ".ignore"] {
        let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        for line in head(workspace, &path, 64 * 1024).unwrap_or_default().lines() {
            // A line that is no pattern hides nothing, as in git.
            let _ = builder.add_line(None, line);
        }
    }
    let own = builder.build().unwrap_or_else(|_| Gitignore::empty());
    Rc::new(Ignores { own, above: above.map(Rc::clone) })
}
