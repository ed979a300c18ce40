//! The file door from outside: transactions, walks, links.
#![allow(clippy::disallowed_methods, reason = "tests set the stage with plain files")]
#![allow(clippy::unwrap_used, reason = "a stage that cannot be set is a failed test")]

use agent::action::Change;
use agent::workspace::{Kind, Workspace, WorkspaceError};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

#[path = "files/tools.rs"]
mod tools;

struct Stage {
    dir: tempfile::TempDir,
    workspace: Workspace,
}

impl Stage {
    fn of(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("in");
        fs::create_dir(&root).unwrap();
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let workspace = Workspace::open(&root).unwrap();
        Self { dir, workspace }
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.workspace.root().join(path)
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path(path)).ok()
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) {
        symlink(target, self.path(name)).unwrap();
    }

    /// Every name in the workspace, so that nothing left over goes unseen.
    fn names(&self) -> Vec<String> {
        fn list(dir: &Path, root: &Path, out: &mut Vec<String>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                out.push(path.strip_prefix(root).unwrap().display().to_string());
                if path.is_dir() && !path.is_symlink() {
                    list(&path, root, out);
                }
            }
        }
        let mut out = Vec::new();
        list(self.workspace.root(), self.workspace.root(), &mut out);
        out.sort();
        out
    }
}

fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change {
        path: path.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        moved_from: None,
    }
}

fn moved(from: &str, to: &str, before: &str, after: &str) -> Change {
    Change { moved_from: Some(from.into()), ..change(to, Some(before), Some(after)) }
}

#[test]
fn applies_creations_replacements_removals_and_moves_together() {
    let stage = Stage::of(&[("a", "one"), ("b", "two"), ("c/d", "three")]);
    let done = stage.workspace.apply(&[
        change("a", Some("one"), Some("ONE")),
        change("b", Some("two"), None),
        moved("c/d", "e/f/g", "three", "THREE"),
        change("new/deep/file", None, Some("new")),
    ]);
    done.unwrap();
    assert_eq!(stage.text("a").as_deref(), Some("ONE"));
    assert_eq!(stage.text("b"), None);
    assert_eq!(stage.text("e/f/g").as_deref(), Some("THREE"));
    assert_eq!(stage.names(), ["a", "c", "e", "e/f", "e/f/g", "new", "new/deep", "new/deep/file"]);
}

#[test]
fn writes_nothing_when_one_file_is_not_as_it_was_planned() {
    let check = |changes: &[Change]| {
        let stage = Stage::of(&[("a", "one"), ("b", "changed meanwhile")]);
        let before = stage.names();
        let error = stage.workspace.apply(changes).unwrap_err();
        assert!(matches!(error, WorkspaceError::Stale(_)), "{error}");
        assert_eq!(stage.text("a").as_deref(), Some("one"));
        assert_eq!(stage.names(), before);
    };
    let first = change("a", Some("one"), Some("ONE"));
    check(&[first.clone(), change("b", Some("two"), Some("TWO"))]);
    check(&[first.clone(), change("b", Some("two"), None)]);
    check(&[first.clone(), change("b", None, Some("new"))]);
    check(&[first.clone(), change("x/y", Some("gone"), Some("TWO"))]);
    check(&[first, moved("a2", "c", "gone", "gone")]);
}

#[test]
fn takes_back_what_was_done_when_a_later_step_fails() {
    let stage = Stage::of(&[("a", "one"), ("gone", "two")]);
    fs::set_permissions(stage.path("a"), fs::Permissions::from_mode(0o751)).unwrap();
    let before = stage.names();
    // `d` cannot be a folder and a file: the last rename fails after all others were made.
    let error = stage.workspace.apply(&[
        change("a", Some("one"), Some("ONE")),
        change("gone", Some("two"), None),
        change("d/new", None, Some("x")),
        change("d", None, Some("y")),
    ]);
    assert!(error.is_err());
    assert_eq!(stage.text("a").as_deref(), Some("one"));
    assert_eq!(stage.text("gone").as_deref(), Some("two"));
    assert_eq!(fs::metadata(stage.path("a")).unwrap().mode() & 0o777, 0o751);
    assert_eq!(stage.names(), before);
}

#[test]
fn keeps_the_mode_of_a_replaced_and_of_a_moved_file() {
    let stage = Stage::of(&[("run", "one"), ("old", "two")]);
    for name in ["run", "old"] {
        fs::set_permissions(stage.path(name), fs::Permissions::from_mode(0o754)).unwrap();
    }
    let changes = [
        change("run", Some("one"), Some("ONE")),
        moved("old", "new", "two", "two"),
        change("fresh", None, Some("x")),
    ];
    stage.workspace.apply(&changes).unwrap();
    let mode = |name: &str| fs::metadata(stage.path(name)).unwrap().mode() & 0o777;
    assert_eq!((mode("run"), mode("new")), (0o754, 0o754));
    assert_eq!(mode("fresh") & 0o111, 0);
    assert_ne!(mode("fresh") & 0o400, 0);
}

#[test]
fn replaces_the_file_behind_a_link_and_keeps_the_link() {
    let stage = Stage::of(&[("real/x", "one")]);
    stage.link("real/x", "link");
    stage.link("real", "folder");
    stage.workspace.apply(&[change("link", Some("one"), Some("two"))]).unwrap();
    assert_eq!(stage.text("real/x").as_deref(), Some("two"));
    assert!(stage.path("link").is_symlink());
    stage.workspace.apply(&[change("folder/y", None, Some("new"))]).unwrap();
    assert_eq!(stage.text("real/y").as_deref(), Some("new"));
}

#[test]
fn a_link_cannot_lend_its_name_to_a_guarded_file() {
    let stage = Stage::of(&[(".env", "KEY=FAKE-canary"), (".git/hooks/x", "hook")]);
    stage.link(".env", "notes.txt");
    stage.link(".git", "folder");
    for changes in [
        change("notes.txt", Some("KEY=FAKE-canary"), Some("")),
        change("folder/hooks/pre-commit", None, Some("x")),
    ] {
        let error = stage.workspace.apply(&[changes]).unwrap_err();
        assert!(matches!(error, WorkspaceError::Linked(..)), "{error}");
    }
    assert_eq!(stage.text(".env").as_deref(), Some("KEY=FAKE-canary"));
}

#[test]
fn refuses_to_write_outside_over_folders_and_twice() {
    let stage = Stage::of(&[("a", "one"), ("folder/x", "x")]);
    stage.link("../escaped", "leaves");
    stage.link("/tmp", "far");
    let before = stage.names();
    let check = |changes: &[Change], expected: &str| {
        let error = stage.workspace.apply(changes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(stage.names(), before);
    };
    check(&[change("../escaped", None, Some("x"))], "outside the workspace");
    check(&[change("leaves", None, Some("x"))], "outside the workspace");
    check(&[change("far/x", None, Some("x"))], "outside the workspace");
    check(&[change("folder", None, Some("x"))], "a directory");
    check(&[change(".", None, Some("x"))], "a directory");
    check(&[change("a/below", None, Some("x"))], "not a directory");
    check(&[change("n", None, Some("x")), change("./n", None, Some("y"))], "two changes");
    check(&[moved("a", "folder/x", "one", "one")], "changed since");
    let huge = "x".repeat(16 * 1024 * 1024 + 1);
    check(&[change("n", None, Some(&huge))], "more than the limit");
    assert!(!stage.dir.path().join("escaped").exists());
}

#[test]
fn a_file_with_two_names_is_replaced_under_the_name_that_was_given() {
    let stage = Stage::of(&[("a", "one")]);
    fs::hard_link(stage.path("a"), stage.path("twin")).unwrap();
    stage.workspace.apply(&[change("a", Some("one"), Some("two"))]).unwrap();
    assert_eq!(stage.text("a").as_deref(), Some("two"));
    assert_eq!(stage.text("twin").as_deref(), Some("one"));
}

#[test]
fn a_reader_never_sees_half_a_file() {
    let stage = Stage::of(&[("a", &"0".repeat(200_000))]);
    let root = stage.workspace.root().to_owned();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let text = fs::read(root.join("a")).unwrap();
                assert_eq!(text.len(), 200_000);
                assert!(text.iter().all(|byte| *byte == text[0]));
            }
        });
        let text = |digit: u8| char::from(b'0' + digit % 10).to_string().repeat(200_000);
        for turn in 0..20 {
            stage.workspace.apply(&[change("a", Some(&text(turn)), Some(&text(turn + 1)))]).unwrap();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn remembers_what_was_seen_by_its_real_name() {
    let stage = Stage::of(&[("real", "one")]);
    stage.link("real", "link");
    let place = stage.workspace.place("link").unwrap();
    assert_eq!(stage.workspace.seen(&place), None);
    let content = stage.workspace.read(&place).unwrap();
    stage.workspace.note_seen(&place, content.hash);
    assert_eq!(stage.workspace.seen(&stage.workspace.place("./real").unwrap()), Some(content.hash));
}

#[test]
fn refuses_a_file_larger_than_what_is_read_whole_but_streams_it() {
    let stage = Stage::of(&[("big", "first\n")]);
    let file = fs::OpenOptions::new().write(true).open(stage.path("big")).unwrap();
    file.set_len(64 * 1024 * 1024).unwrap();
    let place = stage.workspace.place("big").unwrap();
    assert!(matches!(stage.workspace.read(&place), Err(WorkspaceError::TooLarge(..))));
    let mut lines = stage.workspace.lines(&place, 100).unwrap();
    let mut line = agent::workspace::Line::default();
    assert!(lines.next_into(&mut line).unwrap());
    assert_eq!(line.bytes, b"first");
}

#[test]
fn walks_what_is_not_ignored_and_follows_no_link() {
    let stage = Stage::of(&[
        (".gitignore", "build/\n*.log\n"),
        (".hidden/x", ""),
        (".git/config", ""),
        ("sub/.git/config", ""),
        ("build/out", ""),
        ("build/deep/out", ""),
        ("a.rs", "12345"),
        ("sub/b.rs", ""),
        ("sub/c.log", ""),
    ]);
    stage.link("/etc", "sub/far");
    stage.link("..", "sub/up");
    let walk = |path: &str, depth| -> Vec<String> {
        let place = stage.workspace.place(path).unwrap();
        stage.workspace.walk(&place, depth).unwrap().map(|entry| entry.place.as_str().to_owned()).collect()
    };
    assert_eq!(
        walk(".", None),
        [".gitignore", ".hidden", ".hidden/x", "a.rs", "sub", "sub/b.rs", "sub/far", "sub/up"]
    );
    assert_eq!(walk(".", Some(1)), [".gitignore", ".hidden", "a.rs", "sub"]);
    assert_eq!(walk("sub", None), ["sub/b.rs", "sub/far", "sub/up"]);
    assert_eq!(walk("build", Some(1)), ["build/deep", "build/out"]);
    let files = |path: &str| -> Vec<String> {
        let place = stage.workspace.place(path).unwrap();
        stage.workspace.files(&place).unwrap().iter().map(|place| place.as_str().to_owned()).collect()
    };
    assert_eq!(files("."), [".gitignore", ".hidden/x", "a.rs", "sub/b.rs"]);
    assert_eq!(files("build/deep"), ["build/deep/out"]);
    assert_eq!(files("sub/c.log"), ["sub/c.log"]);
    let root = stage.workspace.place(".").unwrap();
    let entry =
        stage.workspace.walk(&root, None).unwrap().find(|entry| entry.place.as_str() == "a.rs").unwrap();
    assert_eq!((entry.kind, entry.depth, entry.is_link), (Kind::File(5), 1, false));
    assert!(stage.workspace.walk(&stage.workspace.place("a.rs").unwrap(), None).is_err());
    assert!(matches!(
        stage.workspace.files(&stage.workspace.place("no").unwrap()),
        Err(WorkspaceError::Missing(_))
    ));
}

#[test]
fn a_hostile_ignore_file_neither_stops_nor_blinds_a_walk() {
    let stage = Stage::of(&[
        ("a/x.rs", ""),
        ("b/y.rs", ""),
        ("c/.gitignore", "[\n*.log\n!keep.log\n"),
        ("c/z.log", ""),
        ("c/keep.log", ""),
    ]);
    stage.link("/dev/zero", ".gitignore");
    stage.link("../../outside", "a/.gitignore");
    let pipe = stage.path("b/.ignore");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let root = stage.workspace.place(".").unwrap();
    let files: Vec<String> =
        stage.workspace.files(&root).unwrap().iter().map(|place| place.as_str().to_owned()).collect();
    assert_eq!(files, ["a/x.rs", "b/y.rs", "c/.gitignore", "c/keep.log"]);
    assert_eq!(stage.workspace.walk(&root, None).unwrap().filter(|entry| entry.is_link).count(), 2);
}

#[test]
fn ignore_files_count_from_the_nearest_outwards() {
    let stage = Stage::of(&[
        (".gitignore", "*.log\n/top\nsub/hidden/\n!sub/kept.log\n"),
        (".git/info/exclude", "excluded\n"),
        ("sub/.gitignore", "!again.log\n*.tmp\n"),
        ("sub/again.log", ""),
        ("sub/kept.log", ""),
        ("sub/gone.log", ""),
        ("sub/gone.tmp", ""),
        ("sub/top", ""),
        ("sub/hidden/x", ""),
        ("sub/excluded", ""),
        ("top", ""),
        ("outer.tmp", ""),
    ]);
    let files = |path: &str| -> Vec<String> {
        let place = stage.workspace.place(path).unwrap();
        stage.workspace.files(&place).unwrap().iter().map(|place| place.as_str().to_owned()).collect()
    };
    let in_sub = ["sub/.gitignore", "sub/again.log", "sub/kept.log", "sub/top"];
    assert_eq!(files("sub"), in_sub);
    assert_eq!(files("."), [&[".gitignore", "outer.tmp"][..], &in_sub[..]].concat());
    assert_eq!(files("sub/hidden"), ["sub/hidden/x"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_set_of_changes_happens_whole_or_not_at_all(
        files in proptest::collection::btree_map(sample_path(), "[ab]", 0..5),
        changes in proptest::collection::vec(
            (sample_path(), proptest::option::of("[ab]"), proptest::option::of("[abc]"), proptest::option::of(sample_path())),
            1..5,
        ),
    ) {
        // A name cannot be a file and a folder.
        let has_clash = files.keys().any(|path| files.keys().any(|other| other.starts_with(&format!("{path}/"))));
        prop_assume!(!has_clash);
        let pairs: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let stage = Stage::of(&pairs);
        let names = stage.names();
        let changes: Vec<Change> = changes
            .into_iter()
            .map(|(path, before, after, moved_from)| {
                // Half of them know what is there: else hardly any would go through.
                let source = moved_from.as_ref().unwrap_or(&path);
                let before = if after.as_deref() == Some("c") { files.get(source).cloned() } else { before };
                Change { path, before, after, moved_from }
            })
            .collect();
        let mut expected = files.clone();
        for change in &changes {
            expected.remove(change.moved_from.as_ref().unwrap_or(&change.path));
            if let Some(after) = &change.after {
                expected.insert(change.path.clone(), after.clone());
            }
        }
        let done = stage.workspace.apply(&changes).is_ok();
        let expected = if done { &expected } else { &files };
        let found: BTreeMap<String, String> = stage
            .names()
            .into_iter()
            .filter(|name| stage.path(name).is_file())
            .map(|name| (name.clone(), stage.text(&name).unwrap()))
            .collect();
        prop_assert_eq!(&found, expected);
        if !done {
            prop_assert_eq!(stage.names(), names);
        }
    }
}

fn sample_path() -> impl Strategy<Value = String> {
    proptest::sample::select(vec!["a", "b", "c/d", "c/e", "a/b", "n/e/w"]).prop_map(str::to_owned)
}
