//! The reproducing check: tried by the harness on a clean copy of the base, where it must fail, and on a clean
//! copy of the result, where it must pass.

use super::cheats;
use super::run::{TestRun, Verdict, run};
use super::scope::is_test;
use crate::action::Change;
use crate::tool::World;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A check that took longer than this is not run a second time.
const REPEATED_BELOW_MS: u64 = 60_000;

/// Files as they were before the first deed; `None` where there was none.
pub type Befores = BTreeMap<String, Option<Vec<u8>>>;

/// What is run to show the weakness, and that it is gone.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Check {
    /// The command.
    pub command: String,
    /// Files that are added to the base for it.
    pub files: Vec<String>,
    /// Whether it was named as the check, rather than found among the changes.
    pub declared: bool,
}

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The check.
    pub check: Check,
    /// What it gave on the base, run by run.
    pub base: Vec<TestRun>,
    /// What it gave on the result, run by run.
    pub result: Vec<TestRun>,
    /// Why it could not be tried.
    pub trouble: Option<String>,
    /// Why it proves nothing, whatever it gives.
    pub hollow: Option<String>,
}

/// What the runs of a check on one copy say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Passes(String),
    Fails(String),
    Unknown(String),
}

impl Tried {
    /// What it says of the base. A failure that only comes from what the change adds is none.
    pub(super) fn on_base(&self) -> Told {
        if let Some(trouble) = &self.trouble {
            return Told::Unknown(trouble.clone());
        }
        let told = told(&self.base);
        let added: Vec<&String> = self.base.iter().flat_map(|run| &run.unresolved).collect();
        let also_after = self.result.iter().any(|run| !run.unresolved.is_empty());
        match (&told, added.first()) {
            (Told::Fails(_), Some(name)) if !also_after => Told::Unknown(format!(
                "it fails on the base because something is not there yet ({name}), which shows no weakness"
            )),
            _ => told,
        }
    }

    /// What it says of the result.
    pub(super) fn on_result(&self) -> Told {
        match &self.trouble {
            Some(trouble) => Told::Unknown(trouble.clone()),
            None => told(&self.result),
        }
    }
}

fn told(runs: &[TestRun]) -> Told {
    let Some(first) = runs.first() else { return Told::Unknown("it was not run".to_owned()) };
    let verdicts: Vec<Verdict> = runs.iter().map(TestRun::verdict).collect();
    if let Some(why) = verdicts.iter().find_map(|verdict| match verdict {
        Verdict::Void(why) => Some(why.clone()),
        _ => None,
    }) {
        return Told::Unknown(why);
    }
    if verdicts.iter().any(|verdict| *verdict != verdicts[0]) {
        return Told::Unknown(format!("its {} runs on the same code disagree: it is flaky", runs.len()));
    }
    let times = if runs.len() > 1 { format!(", {} times", runs.len()) } else { String::new() };
    match verdicts[0] {
        Verdict::Passes => Told::Passes(format!("{}{times}", first.tail)),
        _ => Told::Fails(format!("{}{times}", first.tail)),
    }
}

/// The check among what changed: the one that was named, else new or changed tests by the project's own runner.
pub fn find(named: Option<&str>, changes: &[Change], scope: &[String], tests: Option<&str>) -> Option<Check> {
    let stands = |change: &&Change| change.after.is_some();
    let changed_tests: Vec<&Change> = changes.iter().filter(stands).filter(|c| is_test(&c.path)).collect();
    if let Some(command) = named {
        let comes_along = |change: &&Change| {
            let is_named = command.contains(&change.path) && !scope.contains(&change.path);
            is_test(&change.path) || (change.before.is_none() && is_named)
        };
        let files = changes.iter().filter(stands).filter(comes_along).map(|c| c.path.clone()).collect();
        return Some(Check { command: command.to_owned(), files, declared: true });
    }
    let runnable: Vec<&str> =
        changed_tests.iter().map(|c| c.path.as_str()).filter(|p| is_program(p)).collect();
    if runnable.is_empty() {
        return None;
    }
    let command = narrowed(tests?, &runnable);
    let files = changed_tests.iter().map(|change| change.path.clone()).collect();
    Some(Check { command, files, declared: false })
}

/// Whether a test file holds tests rather than what they work on.
fn is_program(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    !matches!(
        ending,
        "md" | "txt" | "json" | "yaml" | "yml" | "toml" | "sql" | "html" | "csv" | "xml" | "snap"
    ) && !path.ends_with("conftest.py")
        && !path.ends_with("__init__.py")
}

/// The project's test command for these files alone, where its runner is known to take them.
fn narrowed(tests: &str, files: &[&str]) -> String {
    let (lead, command) = match tests.split_once(" && ") {
        Some((lead, command)) if lead.starts_with("cd ") => (lead, command),
        _ => ("", tests),
    };
    let folder = lead.strip_prefix("cd ").map(|folder| format!("{folder}/")).unwrap_or_default();
    let Some(local) =
        files.iter().map(|file| file.strip_prefix(folder.as_str()).map(quoted)).collect::<Option<Vec<_>>>()
    else {
        return tests.to_owned();
    };
    let list = local.join(" ");
    let command = if command.contains("-m pytest") || command.starts_with("pytest") {
        format!("{command} {list}")
    } else if let Some((python, _)) = command.split_once(" -m unittest discover -s ") {
        let each = files.iter().map(|file| {
            let file = file.strip_prefix(folder.as_str()).unwrap_or(file);
            let (place, name) = file.rsplit_once('/').unwrap_or((".", file));
            format!("{python} -m unittest discover -s {} -p {}", quoted(place), quoted(name))
        });
        each.collect::<Vec<_>>().join(" && ")
    } else if let Some((python, _)) = command.split_once(" -m unittest") {
        format!("{python} -m unittest {list}")
    } else if command.starts_with("node --test") {
        format!("node --test {list}")
    } else if ["phpunit", "rspec", "vitest run", "jest", "mocha"].iter().any(|end| command.ends_with(end)) {
        format!("{command} {list}")
    } else if command.starts_with("go test") {
        let mut folders: Vec<String> = local
            .iter()
            .map(|file| format!("./{}", file.rsplit_once('/').map_or("", |(folder, _)| folder)))
            .collect();
        folders.dedup();
        format!("go test {}", folders.join(" "))
    } else {
        command.to_owned()
    };
    if lead.is_empty() { command } else { format!("{lead} && {command}") }
}

/// A path as one shell word.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// Tries a check on both copies. Nothing is taken from the workspace but its files.
pub async fn attempt(
    world: &Arc<World>,
    check: Check,
    sources: &[String],
    befores: &Befores,
    cancel: &CancellationToken,
) -> Tried {
    let mut base: Befores = befores.clone();
    for path in &check.files {
        let content = world.workspace.place(path).and_then(|place| world.workspace.read(&place));
        base.insert(path.clone(), content.ok().map(|content| content.bytes));
    }
    let hollow = cheats::reads_the_code(&check, &texts(world, &check), sources);
    let mut tried = Tried { check, base: Vec::new(), result: Vec::new(), trouble: None, hollow };
    let command = tried.check.command.clone();
    let wanted = [("base", base, Verdict::Fails), ("result", Befores::new(), Verdict::Passes)];
    for (on, instead, wanted) in wanted {
        match on_copy(world, &instead, on, &command, Some(wanted), cancel).await {
            Ok(runs) if on == "base" => tried.base = runs,
            Ok(runs) => tried.result = runs,
            Err(why) => {
                tried.trouble = Some(why);
                break;
            }
        }
    }
    tried
}

/// What the files of a check say: those it brings and those its command names.
pub fn texts(world: &World, check: &Check) -> Vec<String> {
    let words = check.command.split(|c: char| c.is_whitespace() || "'\";&|()".contains(c));
    let named = words.filter(|word| word.contains('.') && !word.starts_with('/')).map(str::to_owned);
    let mut paths: Vec<String> = check.files.iter().cloned().chain(named).collect();
    paths.sort_unstable();
    paths.dedup();
    let read = |path: &String| {
        let content = world.workspace.place(path).and_then(|place| world.workspace.read(&place)).ok()?;
        content.text().map(ToOwned::to_owned)
    };
    paths.iter().filter_map(read).collect()
}

/// Runs a command on a clean copy of the workspace, `instead` standing in it. What comes out as it is wanted is
/// run once more, each time on a copy of its own: luck must not pass for proof.
pub(super) async fn on_copy(
    world: &Arc<World>,
    instead: &Befores,
    on: &str,
    command: &str,
    wanted: Option<Verdict>,
    cancel: &CancellationToken,
) -> Result<Vec<TestRun>, String> {
    let mut runs: Vec<TestRun> = Vec::new();
    loop {
        let copy = tempfile::Builder::new()
            .prefix("agent-copy-")
            .tempdir()
            .map_err(|error| format!("a clean copy cannot be made: {error}"))?;
        let root =
            copy.path().canonicalize().map_err(|error| format!("a clean copy cannot be made: {error}"))?;
        let lent = {
            let (world, instead, root) = (Arc::clone(world), instead.clone(), root.clone());
            let copied = tokio::task::spawn_blocking(move || world.workspace.copy_to(&root, &instead)).await;
            match copied {
                Ok(Ok(copied)) => copied.lent,
                Ok(Err(error)) => return Err(format!("a clean copy cannot be made: {error}")),
                Err(error) => return Err(format!("a clean copy cannot be made: {error}")),
            }
        };
        let Some(walls) = world.sandbox.beside(&root, &lent) else {
            return Err("commands cannot be confined to a clean copy here".to_owned());
        };
        let done = run(&walls, &root, on, &at_copy(command, world.workspace.root(), &root), cancel).await;
        let again = wanted.as_ref() == Some(&done.verdict()) && done.duration_ms < REPEATED_BELOW_MS;
        runs.push(TestRun { command: command.to_owned(), ..done });
        if !again || runs.len() == 2 {
            return Ok(runs);
        }
    }
}

/// A command that names the workspace by its absolute path means the copy.
fn at_copy(command: &str, workspace: &Path, copy: &Path) -> String {
    match (workspace.to_str(), copy.to_str()) {
        (Some(from), Some(to)) if from.len() > 1 => command.replace(from, to),
        _ => command.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>) -> Change {
        let before = before.map(Into::into);
        Change { path: path.into(), before, after: Some("x".into()), moved_from: None }
    }

    #[test]
    fn finds_the_check_among_the_changes() {
        let changes =
            [change("app.py", Some("a")), change("tests/test_login.py", None), change("x.sh", None)];
        let check = |named: Option<&str>, tests: Option<&str>, command: Option<&str>, files: &[&str]| {
            let found = find(named, &changes, &["app.py".into()], tests);
            assert_eq!(found.as_ref().map(|check| check.command.as_str()), command);
            assert_eq!(found.map(|check| check.files).unwrap_or_default(), files);
        };
        check(Some("sh x.sh"), None, Some("sh x.sh"), &["tests/test_login.py", "x.sh"]);
        check(
            None,
            Some("python3 -m unittest discover -s tests"),
            Some("python3 -m unittest discover -s tests -p test_login.py"),
            &["tests/test_login.py"],
        );
        check(None, Some("make test"), Some("make test"), &["tests/test_login.py"]);
        check(None, None, None, &[]);
    }

    #[test]
    fn disagreeing_and_empty_runs_are_unknown() {
        let run = |exit| TestRun { exit, tail: "t".into(), ..TestRun::default() };
        assert!(matches!(told(&[run(Some(1)), run(Some(1))]), Told::Fails(_)));
        assert!(matches!(told(&[run(Some(1)), run(Some(0))]), Told::Unknown(_)));
        assert!(matches!(told(&[run(None)]), Told::Unknown(_)));
        assert!(matches!(told(&[]), Told::Unknown(_)));
        let added = TestRun { unresolved: vec!["ImportError: x".into()], ..run(Some(1)) };
        let check = Check { command: "c".into(), files: vec![], declared: true };
        let tried =
            Tried { check, base: vec![added], result: vec![run(Some(0))], trouble: None, hollow: None };
        assert!(matches!(tried.on_base(), Told::Unknown(_)));
    }
}
