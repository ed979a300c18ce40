//! Every folder of `tests/patch/`: `input/` and `patch.txt` give `expected/`, or the error in `error.txt` and no change.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests set the stage with plain files and real git, and fail where that fails"
)]

mod house;

use agent::action::Action;
use agent::policy::paths::is_protected;
use agent::policy::{Mode, Policy, Verdict};
use agent::sandbox::{Done, Job, Level, Sandbox, SandboxError, Watch};
use agent::scan::Scanner;
use agent::tool::patch::Patch;
use agent::tool::{Progress, Tool, World};
use agent::workspace::Workspace;
use futures_util::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A patch runs nothing.
struct NoSandbox(Level);

impl Sandbox for NoSandbox {
    fn level(&self) -> &Level {
        &self.0
    }

    fn run(&self, _: Job, _: Watch) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async { Err(SandboxError::Walls("there is none in this test".into())) })
    }
}

type Tree = BTreeMap<String, Vec<u8>>;

/// Every file below a folder; nothing when there is no folder.
fn tree(root: &Path) -> Tree {
    let mut out = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                out.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    out
}

fn plant(root: &Path, tree: &Tree) {
    for (name, bytes) in tree {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn names_protected(action: &Action) -> bool {
    let Action::Write { changes } = action else { return false };
    changes.iter().any(|change| is_protected(&change.path))
}

/// Plans, judges and performs; the error is of whichever said no.
async fn apply(root: &Path, text: &str) -> Result<String, String> {
    let level = Level { name: "none", missing: Vec::new() };
    let workspace = Workspace::open(root).unwrap();
    let world = Arc::new(World { workspace, sandbox: Arc::new(NoSandbox(level)), scanner: Scanner::new() });
    let args = serde_json::json!({ "patchText": text });
    let plan = Patch.plan(&args, &world).map_err(|error| error.to_string())?;
    let title = plan.action.title();
    let permit = match Policy::new(Mode::Yes).judge(&plan.action) {
        // Denying is the judge's part; this tool's is that a protected path reaches it by its real name.
        Verdict::Allow(_) if names_protected(&plan.action) => return Err(format!("protected: {title}")),
        Verdict::Allow(permit) => permit,
        Verdict::Ask(question) => return Err(format!("asked to {title}: {}", question.reason)),
        Verdict::Deny(reason) => return Err(format!("denied to {title}: {reason}")),
    };
    plan.perform(permit, Progress::silent()).await.map(|out| out.text).map_err(|error| error.to_string())
}

/// What is wrong with one scenario, if anything.
async fn fault(scenario: &Path) -> Option<String> {
    let input = tree(&scenario.join("input"));
    let expected = tree(&scenario.join("expected"));
    let text = String::from_utf8(std::fs::read(scenario.join("patch.txt")).unwrap()).unwrap();
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join("root");
    std::fs::create_dir(&root).unwrap();
    plant(&root, &input);
    let result = apply(&root, &text).await;
    let after = tree(&root);
    if tree(temp.path()).len() != after.len() {
        return Some("something was written beside the workspace".into());
    }
    match (std::fs::read_to_string(scenario.join("error.txt")).ok(), result) {
        (None, Err(error)) => Some(format!("refused: {error}")),
        (Some(_), Ok(text)) => Some(format!("not refused: {text}")),
        (Some(wanted), Err(error)) if !error.contains(wanted.trim_end()) => {
            Some(format!("the error lacks {:?}: {error}", wanted.trim_end()))
        }
        (Some(_), Err(error)) if error.contains("canary") && !text.contains("canary") => {
            Some(format!("the error shows a secret: {error}"))
        }
        (Some(_), Err(_)) if after != input => Some("refused, but the files changed".into()),
        (Some(_), Err(_)) if expected != input => Some("expected/ differs from input/".into()),
        (None, Ok(_)) if after != expected => {
            let shown: Vec<String> = after
                .iter()
                .map(|(name, bytes)| format!("{name}: {:?}", String::from_utf8_lossy(bytes)))
                .collect();
            Some(format!("got\n    {}", shown.join("\n    ")))
        }
        _ => None,
    }
}

#[tokio::test]
async fn every_scenario_gives_what_it_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/patch");
    let mut scenarios: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("patch.txt").is_file())
        .collect();
    scenarios.sort();
    assert!(scenarios.len() >= 40, "only {} scenarios", scenarios.len());
    let mut faults = Vec::new();
    for scenario in &scenarios {
        if let Some(fault) = fault(scenario).await {
            faults.push(format!("{}: {fault}", scenario.file_name().unwrap().display()));
        }
    }
    assert!(faults.is_empty(), "{} of {} fail:\n{}", faults.len(), scenarios.len(), faults.join("\n"));
}

#[tokio::test]
async fn the_result_names_each_file_with_its_letter_and_counts() {
    let temp = tempfile::tempdir().unwrap();
    let files = [("a.txt", "one\ntwo  \n"), ("b.txt", "x\n"), ("c.txt", "y\n")];
    plant(
        temp.path(),
        &files.iter().map(|(name, text)| ((*name).into(), text.as_bytes().to_vec())).collect(),
    );
    let text = concat!(
        "*** Begin Patch\n*** Update File: a.txt\n@@\n one\n-two\n+2\n+3\n*** Delete File: b.txt\n",
        "*** Update File: c.txt\n*** Move to: d/c.txt\n*** Add File: e.txt\n+new\n*** End Patch\n"
    );
    let result = apply(temp.path(), text).await.unwrap();
    assert_eq!(
        result,
        "M a.txt +2 -1 (not exact: trailing blanks or line endings ignored)\nD b.txt +0 -1\n\
         R c.txt -> d/c.txt +0 -0\nA e.txt +1 -0"
    );
}

#[tokio::test]
async fn a_secret_the_model_cannot_see_can_be_moved_and_removed_but_not_made_up() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let before = format!("import os\r\nTOKEN = \"{token}\"\r\nuse(TOKEN)\r\n");
    let view = agent::text::redact(&before).into_owned();
    let shown = view.lines().nth(1).unwrap();
    assert!(shown.contains("[redacted:"), "{shown}");
    let check = async |added: &str, expected: Result<String, &str>| {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("f"), &before).unwrap();
        let text = format!(
            "*** Begin Patch\n*** Update File: f\n@@\n import os\n-{shown}\n+{added}\n*** End Patch\n"
        );
        let result = apply(temp.path(), &text).await;
        assert!(!format!("{result:?}").contains(&token));
        let after = std::fs::read_to_string(temp.path().join("f")).unwrap();
        match expected {
            Ok(line) => assert_eq!(after, format!("import os\r\n{line}\r\nuse(TOKEN)\r\n"), "{result:?}"),
            Err(why) => {
                assert!(result.unwrap_err().contains(why));
                assert_eq!(after, before);
            }
        }
    };
    check("TOKEN = os.environ[\"TOKEN\"]", Ok("TOKEN = os.environ[\"TOKEN\"]".into())).await;
    check(&shown.replace("TOKEN", "KEY"), Ok(format!("KEY = \"{token}\""))).await;
    check("TOKEN = \"[redacted:other]\"", Err("secret you cannot see")).await;
}

/// Numbers that look random and are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    /// A text of few different lines, so that blocks repeat.
    fn text(&mut self, lines: usize) -> String {
        let words = ["a", "b", "    c", "", "}", "-- x", "++ y", "ä “z”", "\td"];
        let ending = ["\n", "\n", "\r\n"][self.roll(3)];
        let mut text: String =
            (0..lines).flat_map(|_| [words[self.roll(words.len())], ending]).collect::<Vec<_>>().concat();
        if self.roll(3) == 0 {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        text
    }

    /// The text with a few lines changed, removed and added.
    fn change(&mut self, text: &str) -> String {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        for _ in 0..=self.roll(4) {
            let at = self.roll(lines.len() + 1);
            match self.roll(3) {
                0 => lines.insert(at, if text.contains("\r\n") { "new\r\n" } else { "new\n" }.to_owned()),
                1 if at < lines.len() => drop(lines.remove(at)),
                _ if at < lines.len() => lines[at].insert(0, 'q'),
                _ => {}
            }
        }
        lines.concat()
    }
}

#[tokio::test]
async fn what_git_writes_is_applied_as_git_means_it() {
    let git = |root: &Path, args: &[&str]| {
        std::process::Command::new("git")
            .args(["-c", "core.autocrlf=false", "-c", "user.name=t", "-c", "user.email=t@example.org"])
            .args(args)
            .current_dir(root)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
    };
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path();
    if git(root, &["init", "-q"]).is_err() {
        house::stage::skip("there is no git to make diffs with");
        return;
    }
    let mut dice = Dice(7);
    for round in 0..40 {
        let mut before = Tree::new();
        for name in ["a.txt", "dir/b c.txt", "dir/ä.txt", "e.txt"] {
            let lines = dice.roll(40);
            before.insert(name.into(), dice.text(lines).into_bytes());
        }
        let mut after = Tree::new();
        for (name, bytes) in &before {
            let text = String::from_utf8(bytes.clone()).unwrap();
            match dice.roll(6) {
                0 => {}
                1 => drop(after.insert(format!("moved/{name}"), dice.change(&text).into_bytes())),
                2 => drop(after.insert(name.clone(), bytes.clone())),
                _ => drop(after.insert(name.clone(), dice.change(&text).into_bytes())),
            }
        }
        after.insert("new/file.txt".into(), dice.text(3).into_bytes());
        let clear = || {
            for entry in std::fs::read_dir(root).unwrap().map(Result::unwrap) {
                match entry.path() {
                    path if path.ends_with(".git") => {}
                    path if path.is_dir() => std::fs::remove_dir_all(path).unwrap(),
                    path => std::fs::remove_file(path).unwrap(),
                }
            }
        };
        clear();
        plant(root, &before);
        git(root, &["add", "-A"]).unwrap();
        git(root, &["commit", "-qm", "before", "--allow-empty"]).unwrap();
        clear();
        plant(root, &after);
        git(root, &["add", "-A"]).unwrap();
        let context = format!("-U{}", dice.roll(5));
        let diff = git(root, &["diff", "--cached", "-M", &context]).unwrap().stdout;
        let diff = String::from_utf8(diff).unwrap();
        let work = tempfile::tempdir().unwrap();
        plant(work.path(), &before);
        let result = apply(work.path(), &diff).await;
        assert!(result.is_ok(), "round {round}: {result:?}\n{diff}");
        let got = tree(work.path());
        let differs: Vec<_> = after.iter().filter(|(name, bytes)| got.get(*name) != Some(*bytes)).collect();
        assert!(differs.is_empty() && got.len() == after.len(), "round {round}: {differs:?}\n{diff}");
    }
}
