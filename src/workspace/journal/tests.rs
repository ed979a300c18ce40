//! The journal's own tests: what is covered, what is refused, what survives.

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

struct Stage {
    folder: tempfile::TempDir,
    workspace: Workspace,
    journal: Journal,
}

fn stage(files: &[(&str, &str)]) -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("in");
    fs::create_dir(&root).unwrap();
    let workspace = Workspace::open(&root).unwrap();
    let journal = Journal::open(&folder.path().join("state"), "s1", &workspace).unwrap();
    let stage = Stage { folder, workspace, journal };
    for (path, text) in files {
        stage.put(path, text);
    }
    stage
}

impl Stage {
    #[allow(clippy::disallowed_methods, reason = "the test plays the user and the command")]
    fn put(&self, path: &str, text: &str) {
        let path = self.workspace.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.workspace.root().join(path)).ok()
    }

    fn is_there(&self, path: &str) -> bool {
        self.workspace.root().join(path).exists()
    }

    #[allow(clippy::disallowed_methods, reason = "the test plays the command")]
    fn remove(&self, path: &str) {
        fs::remove_file(self.workspace.root().join(path)).unwrap();
    }

    fn change(&self, path: &str, after: Option<&str>) -> Change {
        let (path, after) = (path.to_owned(), after.map(str::to_owned));
        Change { before: self.text(&path), path, after, moved_from: None }
    }

    /// A tool writes.
    fn write(&self, turn: u32, changes: Vec<Change>) {
        let action = Action::Write { changes };
        let step = self.journal.begin(&self.workspace, &action, turn).unwrap().unwrap();
        let Action::Write { changes } = &action else { unreachable!() };
        self.workspace.apply(changes).unwrap();
        assert!(self.journal.settle(&self.workspace, step, true).unwrap().is_empty());
    }

    /// A command runs; gives what is not covered.
    fn run(&self, turn: u32, command: impl FnOnce(&Self)) -> Vec<String> {
        let step = self.journal.begin(&self.workspace, &ran(), turn).unwrap().unwrap();
        command(self);
        self.journal.settle(&self.workspace, step, true).unwrap()
    }

    fn undo(&self, choice: &Choice) -> Done {
        self.journal.undo(&self.workspace, choice).unwrap()
    }

    fn reopen(self) -> Self {
        let state = self.folder.path().join("state");
        let journal = Journal::open(&state, "s1", &self.workspace).unwrap();
        Self { journal, ..self }
    }
}

fn ran() -> Action {
    Action::Run { command: "make".into(), workdir: ".".into(), timeout_ms: 1, background: false }
}

fn all() -> Choice {
    Choice::default()
}

#[test]
fn takes_back_writes_removals_moves_and_new_folders_and_back_again() {
    let stage = stage(&[("a", "one\n"), ("b", "two\n"), ("m", "move\n")]);
    let moved = Change {
        path: "x/y/m".into(),
        before: Some("move\n".into()),
        after: Some("moved\n".into()),
        moved_from: Some("m".into()),
    };
    stage.write(
        1,
        vec![
            stage.change("a", Some("ONE\n")),
            stage.change("b", None),
            stage.change("n/e/w", Some("new\n")),
            moved,
        ],
    );
    for _ in 0..2 {
        let done = stage.undo(&all());
        assert!(done.applied && done.refused.is_empty(), "{done:?}");
        assert_eq!(stage.text("a").unwrap(), "one\n");
        assert_eq!(stage.text("b").unwrap(), "two\n");
        assert_eq!(stage.text("m").unwrap(), "move\n");
        assert!(!stage.is_there("n") && !stage.is_there("x"), "folders that were made go as well");
        assert!(!stage.undo(&all()).applied, "there is nothing more to take back");
        assert!(stage.journal.redo(&stage.workspace, false).unwrap().applied);
        assert_eq!(stage.text("a").unwrap(), "ONE\n");
        assert!(!stage.is_there("b") && !stage.is_there("m"));
        assert_eq!(stage.text("x/y/m").unwrap(), "moved\n");
        assert_eq!(stage.text("n/e/w").unwrap(), "new\n");
        assert!(matches!(stage.journal.redo(&stage.workspace, false), Err(JournalError::NothingUndone)));
    }
}

#[test]
fn never_overwrites_what_somebody_else_changed() {
    let stage = stage(&[("a", "one\n"), ("b", "two\n")]);
    stage.write(1, vec![stage.change("a", Some("ONE\n")), stage.change("b", Some("TWO\n"))]);
    stage.put("b", "mine\n");
    let done = stage.undo(&all());
    assert!(!done.applied);
    assert_eq!(done.refused[0].path, "b");
    assert_eq!(stage.text("a").unwrap(), "ONE\n", "nothing is changed when something is refused");
    let done = stage.undo(&Choice { partial: true, ..all() });
    assert!(done.applied && done.refused.len() == 1);
    assert_eq!((stage.text("a").unwrap().as_str(), stage.text("b").unwrap().as_str()), ("one\n", "mine\n"));
    stage.put("a", "mine too\n");
    let done = stage.journal.redo(&stage.workspace, false).unwrap();
    assert!(!done.applied && done.refused.len() == 1, "redo looks three ways as well");
}

#[test]
fn a_change_between_two_turns_is_not_lost() {
    let stage = stage(&[("a", "one\n")]);
    stage.write(1, vec![stage.change("a", Some("by the agent\n"))]);
    stage.put("a", "by the user\n");
    stage.write(2, vec![stage.change("a", Some("by both\n"))]);
    let done = stage.undo(&all());
    assert!(!done.applied && done.refused[0].reason.contains("turn 2"), "{done:?}");
    assert!(stage.undo(&Choice { turn: Some(2), ..all() }).applied);
    assert_eq!(stage.text("a").unwrap(), "by the user\n");
}

#[test]
fn one_turn_or_one_file_can_be_chosen() {
    let stage = stage(&[("a", "0"), ("d/b", "0"), ("d/c", "0")]);
    stage.write(1, vec![stage.change("a", Some("1")), stage.change("d/b", Some("1"))]);
    stage.write(2, vec![stage.change("d/c", Some("2")), stage.change("d/b", Some("2"))]);
    assert!(!stage.undo(&Choice { turn: Some(1), ..all() }).applied, "d/b was changed later");
    assert!(stage.undo(&Choice { file: Some("d".into()), ..all() }).applied);
    let texts = |stage: &Stage| ["a", "d/b", "d/c"].map(|path| stage.text(path).unwrap()).concat();
    assert_eq!(texts(&stage), "100");
    assert!(stage.journal.redo(&stage.workspace, false).unwrap().applied);
    assert!(stage.undo(&Choice { turn: Some(2), ..all() }).applied);
    assert_eq!(texts(&stage), "110");
}

#[test]
fn what_a_command_did_is_found_by_comparing() {
    let stage =
        stage(&[("a", "one"), ("b", "two"), ("same", "x"), ("bin", "\u{0}\u{1}"), ("run.sh", "echo")]);
    let uncovered = stage.run(1, |stage| {
        stage.put("a", "ONE");
        stage.remove("b");
        stage.put("out/new", "new");
        stage.put("bin", "\u{0}\u{2}");
        stage.put("same", "x");
        let script = stage.workspace.root().join("run.sh");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    });
    assert_eq!(uncovered, Vec::<String>::new());
    let changed: Vec<String> = stage.journal.changes(&all()).into_iter().map(|touch| touch.path).collect();
    assert_eq!(changed, ["a", "b", "bin", "out/new", "run.sh"]);
    assert!(stage.undo(&all()).applied);
    assert_eq!((stage.text("a").unwrap().as_str(), stage.text("b").unwrap().as_str()), ("one", "two"));
    assert_eq!(stage.text("bin").unwrap(), "\u{0}\u{1}");
    assert!(!stage.is_there("out"));
    let mode = fs::metadata(stage.workspace.root().join("run.sh")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & 0o111, 0, "{mode:o}");
    assert!(stage.journal.redo(&stage.workspace, false).unwrap().applied);
    assert_eq!(stage.text("out/new").unwrap(), "new");
    assert!(!stage.is_there("b"));
}

#[test]
fn a_change_in_the_same_tick_and_of_the_same_size_is_found() {
    let stage = stage(&[("a", "one")]);
    for turn in 1..50 {
        let text = format!("{turn:03}");
        stage.put("a", "one");
        stage.run(turn, |stage| stage.put("a", &text));
        let choice = Choice { turn: Some(turn), ..all() };
        assert_eq!(stage.journal.changes(&choice).len(), 1, "turn {turn}");
    }
}

#[test]
fn says_what_is_not_covered_and_keeps_no_secret() {
    let canary = "FAKE-journal-canary";
    let stage = stage(&[(".env", "KEY=old"), (".gitignore", "target\n"), ("target/x", "built")]);
    let big = "x".repeat(usize::try_from(MAX_ONE).unwrap() + 1);
    let uncovered = stage.run(1, |stage| {
        stage.put(".env", &format!("KEY={canary}"));
        stage.put("big", &big);
        stage.put("target/x", "built again");
        std::os::unix::fs::symlink("big", stage.workspace.root().join("link")).unwrap();
    });
    let said = uncovered.join("\n");
    for part in [".env: it holds secrets", "big: it is new", "link: a link came or went"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("target"), "ignored files are not looked at");
    assert!(!stage.undo(&all()).applied);
    for entry in fs::read_dir(stage.folder.path().join("state/journal/s1")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(canary.len()).any(|window| window == canary.as_bytes()), "{}", path.display());
    }
}

#[test]
fn a_file_that_was_only_ignored_before_is_not_removed() {
    let stage = stage(&[(".gitignore", "data\n"), ("data/mine", "precious")]);
    let uncovered = stage.run(1, |stage| stage.put(".gitignore", "\n"));
    assert!(uncovered.join("\n").contains("data/mine"), "{uncovered:?}");
    stage.undo(&all());
    assert_eq!(stage.text("data/mine").unwrap(), "precious");
    assert_eq!(stage.text(".gitignore").unwrap(), "data\n");
}

#[test]
fn a_write_that_was_cut_off_can_be_taken_back_and_leaves_nothing_in_the_way() {
    let stage = stage(&[("a", "one"), ("b", "two")]);
    let changes = vec![stage.change("a", Some("ONE")), stage.change("b", Some("TWO"))];
    stage.journal.begin(&stage.workspace, &Action::Write { changes }, 1).unwrap().unwrap();
    // Killed between the two renames.
    stage.put("a", "ONE");
    let left = format!(".agent-{}.tmp", "0".repeat(32));
    stage.put(&left, "TWO");
    stage.put(".agent-mine.tmp", "the user's");
    let stage = stage.reopen();
    assert!(!stage.is_there(&left) && stage.is_there(".agent-mine.tmp"));
    let paths: Vec<String> = stage.journal.changes(&all()).into_iter().map(|touch| touch.path).collect();
    assert_eq!(paths, ["a"], "what did not happen is not told");
    assert!(stage.undo(&all()).applied);
    assert_eq!((stage.text("a").unwrap().as_str(), stage.text("b").unwrap().as_str()), ("one", "two"));
}

#[test]
fn a_command_that_was_cut_off_is_taken_back_only_when_asked_for() {
    let stage = stage(&[("a", "one")]);
    stage.journal.begin(&stage.workspace, &ran(), 1).unwrap().unwrap();
    stage.put("a", "ONE");
    let stage = stage.reopen();
    let done = stage.undo(&all());
    assert!(!done.applied && done.refused[0].reason.contains("--interrupted"), "{done:?}");
    assert!(stage.undo(&Choice { interrupted: true, ..all() }).applied);
    assert_eq!(stage.text("a").unwrap(), "one");
}

#[test]
fn a_torn_log_opens_and_goes_on() {
    let stage = stage(&[("a", "one")]);
    stage.write(1, vec![stage.change("a", Some("two"))]);
    let log = stage.folder.path().join("state/journal/s1/log.jsonl");
    let whole = fs::read(&log).unwrap();
    let mut stage = stage;
    for cut in (0..whole.len()).step_by(7) {
        #[allow(clippy::disallowed_methods, reason = "the test plays the crash")]
        fs::write(&log, &whole[..cut]).unwrap();
        stage = stage.reopen();
        assert!(stage.journal.steps().len() <= 1, "cut at {cut}");
    }
}

#[test]
fn is_readable_by_its_owner_only() {
    let stage = stage(&[("a", "one")]);
    stage.run(1, |stage| stage.put("a", "two"));
    let folder = stage.folder.path().join("state/journal/s1");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn old_sessions_go_when_there_is_too_much() {
    let stage = stage(&[("a", "one")]);
    stage.write(1, vec![stage.change("a", Some("two"))]);
    let all = stage.folder.path().join("state/journal");
    for old in ["r1", "r2"] {
        fs::create_dir(all.join(old)).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the test plays an older session")]
        fs::write(all.join(old).join("log.jsonl"), vec![b' '; 4000]).unwrap();
    }
    prune(&all.join("s1"), 6000);
    assert!(!all.join("r1").exists() && all.join("r2").exists() && all.join("s1").exists());
    prune(&all.join("s1"), 0);
    assert!(!all.join("r2").exists() && all.join("s1").exists());
}

#[test]
fn refs_that_a_command_moved_are_put_back_when_history_is_asked_for() {
    let stage = stage(&[
        ("a", "one"),
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".git/refs/heads/main", "1111\n"),
        (".git/refs/heads/feature/old", "2222\n"),
        (".git/objects/11/11", "object"),
    ]);
    stage.run(1, |stage| {
        stage.put("a", "two");
        stage.put(".git/refs/heads/main", "3333\n");
        stage.put(".git/objects/33/33", "object");
        stage.remove(".git/refs/heads/feature/old");
    });
    assert!(stage.undo(&all()).applied);
    assert_eq!(
        (stage.text("a").unwrap().as_str(), stage.text(".git/refs/heads/main").unwrap().as_str()),
        ("one", "3333\n")
    );
    let done = stage.undo(&Choice { history: true, ..all() });
    assert!(done.applied && done.files.len() == 2, "{done:?}");
    assert_eq!(stage.text(".git/refs/heads/main").unwrap(), "1111\n");
    assert_eq!(stage.text(".git/refs/heads/feature/old").unwrap(), "2222\n");
    assert!(stage.is_there(".git/objects/33/33"));
}

#[test]
fn the_agents_own_folder_in_the_workspace_is_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(folder.path()).unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let journal = Journal::open(&state, "s1", &workspace).unwrap();
    for turn in 1..4 {
        let step = journal.begin(&workspace, &ran(), turn).unwrap().unwrap();
        #[allow(clippy::disallowed_methods, reason = "the test plays the record")]
        fs::write(state.join("record"), turn.to_string()).unwrap();
        assert!(journal.settle(&workspace, step, true).unwrap().is_empty());
    }
    assert_eq!(journal.changes(&all()), []);
}

#[test]
fn a_thousand_folders_are_taken_back_as_one() {
    let stage = stage(&[]);
    let path = |n: usize| format!("f{n}/g/file.txt");
    stage.run(1, |stage| (0..1000).for_each(|n| stage.put(&path(n), "new")));
    stage.run(2, |stage| (0..1000).for_each(|n| stage.put(&path(n), "newer")));
    let choice = Choice { turn: Some(2), ..all() };
    stage.put(&path(999), "mine");
    assert!(!stage.undo(&choice).applied);
    assert_eq!(stage.text(&path(0)).unwrap(), "newer");
    stage.put(&path(999), "newer");
    assert!(stage.undo(&choice).applied);
    assert!((0..1000).all(|n| stage.text(&path(n)).unwrap() == "new"));
    assert!(stage.undo(&all()).applied);
    assert_eq!(fs::read_dir(stage.workspace.root()).unwrap().count(), 0);
}
