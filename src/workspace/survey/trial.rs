//! How the project runs its own tests, as one shell line.
//!
//! The line is made of our own words; from the repository come only folder names of plain characters.

use super::head;
use super::look::{Look, folder_of, name_of};
use super::manifest::{Manifest, Manifests, World};
use crate::workspace::Workspace;

/// Test files whose heads are read to tell pytest from unittest.
const HEADS: usize = 8;

/// Folders below the root that are tried, nearest first.
const MAX_FOLDERS: usize = 6;

/// The command; `None` when nothing was recognised.
pub(super) fn command(
    workspace: &Workspace,
    look: &Look,
    manifests: &Manifests,
    languages: &[&str],
) -> Option<String> {
    let mut folders = vec![String::new()];
    for manifest in &manifests.all {
        let folder = folder_of(&manifest.path);
        let folder = folder.strip_suffix("/requirements").unwrap_or(folder);
        if folder.matches('/').count() < 2 && !folders.iter().any(|known| known == folder) && is_plain(folder)
        {
            folders.push(folder.to_owned());
        }
    }
    folders.iter().take(MAX_FOLDERS + 1).find_map(|folder| {
        let here = Here { workspace, look, manifests, folder };
        let command = here.best(languages)?;
        Some(if folder.is_empty() { command } else { format!("cd {folder} && {command}") })
    })
}

/// One folder and what lies in it.
struct Here<'a> {
    workspace: &'a Workspace,
    look: &'a Look,
    manifests: &'a Manifests,
    folder: &'a str,
}

impl Here<'_> {
    /// The command of the language that most files are in; of the first that there is when none is.
    fn best(&self, languages: &[&str]) -> Option<String> {
        let rank = |world: World| {
            let names: &[&str] = match world {
                World::Python => &["Python"],
                World::Node => &["JavaScript", "TypeScript"],
                World::Go => &["Go"],
                World::Java => &["Java", "Kotlin", "Scala"],
                World::Php => &["PHP"],
                World::Ruby => &["Ruby"],
                World::DotNet => &["C#"],
                World::Rust => &["Rust"],
            };
            languages.iter().position(|language| names.contains(language)).unwrap_or(usize::MAX)
        };
        let candidates = [
            (World::Python, self.python()),
            (World::Node, self.node()),
            (World::Go, self.when("go.mod", "go test ./...")),
            (World::Rust, self.when("Cargo.toml", "cargo test")),
            (World::Java, self.java()),
            (World::Php, self.php()),
            (World::Ruby, self.ruby()),
            (World::DotNet, self.dot_net()),
        ];
        let best = candidates
            .into_iter()
            .filter_map(|(world, command)| Some((rank(world), command?)))
            .min_by_key(|(rank, _)| *rank)
            .map(|(_, command)| command);
        best.or_else(|| self.make())
    }

    fn path(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    fn has(&self, name: &str) -> bool {
        self.look.has(&self.path(name))
    }

    fn when(&self, file: &str, command: &str) -> Option<String> {
        self.has(file).then(|| command.to_owned())
    }

    fn manifests(&self, world: World) -> impl Iterator<Item = &Manifest> {
        self.manifests.all.iter().filter(move |manifest| {
            let folder = folder_of(&manifest.path);
            manifest.world == world && (folder == self.folder || folder == self.path("requirements"))
        })
    }

    /// Files at or below this folder, with their paths from here.
    fn files(&self) -> impl Iterator<Item = &str> {
        self.look.files.iter().filter_map(|file| {
            if self.folder.is_empty() {
                Some(file.as_str())
            } else {
                file.strip_prefix(self.folder)?.strip_prefix('/')
            }
        })
    }

    fn python(&self) -> Option<String> {
        let python = [".venv", "venv"]
            .iter()
            .find(|name| {
                self.workspace.root().join(self.path(name)).join("bin/python").symlink_metadata().is_ok()
            })
            .map_or_else(|| "python3".to_owned(), |name| format!("{name}/bin/python"));
        let configured =
            ["conftest.py", "tests/conftest.py", "test/conftest.py"].iter().any(|name| self.has(name))
                || self
                    .manifests(World::Python)
                    .any(|manifest| manifest.configures_pytest || manifest.names("pytest"));
        let tests: Vec<&str> = self.files().filter(|file| is_python_test(file)).take(64).collect();
        if configured || (!self.has("manage.py") && self.speaks_pytest(&tests)) {
            return Some(format!("{python} -m pytest -q"));
        }
        if self.has("manage.py") {
            return Some(format!("{python} manage.py test"));
        }
        let first = tests.first()?;
        let start = self.start_of(first);
        let pattern = if name_of(first).starts_with("test") { "" } else { " -p '*_test.py'" };
        match start {
            "" if pattern.is_empty() => Some(format!("{python} -m unittest")),
            "" => Some(format!("{python} -m unittest discover{pattern}")),
            start if is_plain(start) => Some(format!("{python} -m unittest discover -s {start}{pattern}")),
            _ => None,
        }
    }

    /// Whether test files are written for pytest: unittest would find nothing in them, and call that success.
    fn speaks_pytest(&self, tests: &[&str]) -> bool {
        tests.iter().take(HEADS).any(|file| {
            let text = head(self.workspace, &self.path(file), 16 * 1024).unwrap_or_default();
            text.lines().any(|line| {
                ["import pytest", "from pytest", "def test_", "async def test_"]
                    .iter()
                    .any(|start| line.starts_with(start))
            })
        })
    }

    /// Where unittest has to begin to find a file: above the packages it lies in.
    fn start_of<'f>(&self, file: &'f str) -> &'f str {
        let mut folder = folder_of(file);
        while !folder.is_empty() && self.has(&format!("{folder}/__init__.py")) {
            folder = folder_of(folder);
        }
        folder
    }

    fn node(&self) -> Option<String> {
        if !self.manifests(World::Node).any(|manifest| manifest.has_test_script) {
            let mut tests = self.files().filter(|file| {
                [".test.js", ".test.mjs", ".test.cjs"].iter().any(|ending| file.ends_with(ending))
            });
            let speaks = |file: &str| {
                head(self.workspace, &self.path(file), 4 * 1024)
                    .is_some_and(|text| text.contains("node:test"))
            };
            if tests.next().is_some_and(speaks) {
                return Some("node --test".to_owned());
            }
            // A runner among the dependencies and no script that calls it.
            let runners = [
                ("vitest", "npx --no-install vitest run"),
                ("jest", "npx --no-install jest"),
                ("mocha", "npx --no-install mocha"),
            ];
            let named = |runner: &str| self.manifests(World::Node).any(|manifest| manifest.names(runner));
            let found = runners.iter().find(|(runner, _)| named(runner));
            return found.map(|(_, command)| (*command).to_owned());
        }
        // In a repository of many packages the lock file lies at the root.
        let locked = |name: &str| self.has(name) || self.look.has(name);
        Some(
            if locked("pnpm-lock.yaml") {
                "pnpm test"
            } else if locked("yarn.lock") {
                "yarn test"
            } else if locked("bun.lock") || locked("bun.lockb") {
                "bun run test"
            } else {
                "npm test"
            }
            .to_owned(),
        )
    }

    fn java(&self) -> Option<String> {
        let maven = || self.when("mvnw", "./mvnw -q test").or_else(|| Some("mvn -q test".to_owned()));
        let gradle = || self.when("gradlew", "./gradlew test").or_else(|| Some("gradle test".to_owned()));
        if self.has("pom.xml") {
            maven()
        } else if self.has("build.gradle") || self.has("build.gradle.kts") {
            gradle()
        } else {
            None
        }
    }

    fn php(&self) -> Option<String> {
        let has_phpunit = self.has("phpunit.xml")
            || self.has("phpunit.xml.dist")
            || self.manifests(World::Php).any(|manifest| manifest.names("phpunit/phpunit"));
        if self.manifests(World::Php).any(|manifest| manifest.has_test_script) {
            Some("composer test".to_owned())
        } else if self.has("artisan") {
            Some("php artisan test".to_owned())
        } else {
            has_phpunit.then(|| "vendor/bin/phpunit".to_owned())
        }
    }

    fn ruby(&self) -> Option<String> {
        let is_rspec = self.has(".rspec")
            || self.has("spec/spec_helper.rb")
            || self
                .manifests(World::Ruby)
                .any(|manifest| manifest.names("rspec") || manifest.names("rspec-rails"));
        if is_rspec {
            return Some("bundle exec rspec".to_owned());
        }
        self.when("bin/rails", "bin/rails test")
            .or_else(|| self.when("Rakefile", "bundle exec rake test"))
            .or_else(|| self.minitest())
    }

    /// Minitest without a Rakefile: every test file is loaded into one run.
    fn minitest(&self) -> Option<String> {
        let is_test = |file: &str| {
            let stem = name_of(file).strip_suffix(".rb").unwrap_or_default();
            file.starts_with("test/") && (stem.ends_with("_test") || stem.starts_with("test_"))
        };
        self.files().find(|file| is_test(file))?;
        Some("ruby -Ilib -Itest -e 'Dir[\"test/**/{test_*,*_test}.rb\"].sort.each { |file| require \"./#{file}\" }'".to_owned())
    }

    fn dot_net(&self) -> Option<String> {
        let is_project = |file: &str| {
            !file.contains('/') && [".sln", ".slnx", ".csproj"].iter().any(|ending| file.ends_with(ending))
        };
        self.files().any(is_project).then(|| "dotnet test".to_owned())
    }

    fn make(&self) -> Option<String> {
        let name = ["Makefile", "GNUmakefile", "makefile"].into_iter().find(|name| self.has(name))?;
        let text = head(self.workspace, &self.path(name), 64 * 1024)?;
        text.lines().any(|line| line.starts_with("test:")).then(|| "make test".to_owned())
    }
}

fn is_python_test(file: &str) -> bool {
    let name = name_of(file);
    name.strip_suffix(".py")
        .is_some_and(|stem| stem.starts_with("test_") || stem == "tests" || stem.ends_with("_test"))
}

/// Whether a folder's path can stand in a shell line as it is.
fn is_plain(folder: &str) -> bool {
    !folder.starts_with('-')
        && folder.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-'))
}
