//! What undo costs: a change of 1,000 files taken back, and a command among 1,000 files that changes one.
//!
//! `cargo bench --bench journal`: compare `undo` with `plain_copies`, which writes the same files without any
//! of the care (no check, no sync, no second copy).

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should say so loudly")]

use agent::action::{Action, Change};
use agent::workspace::Workspace;
use agent::workspace::journal::{Choice, Journal};
use std::path::Path;

const FILES: usize = 1000;

fn main() {
    divan::main();
}

struct Stage {
    folder: tempfile::TempDir,
    workspace: Workspace,
    journal: Journal,
}

fn text(version: usize, file: usize) -> String {
    format!("line of version {version} of file {file}\n").repeat(100)
}

fn path(file: usize) -> String {
    format!("folder{}/file{file}.txt", file % 20)
}

#[allow(clippy::disallowed_methods, reason = "the bench sets the stage with plain files")]
fn write_all(root: &Path, version: usize) {
    for file in 0..FILES {
        let path = root.join(path(file));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text(version, file)).unwrap();
    }
}

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("project");
    std::fs::create_dir(&root).unwrap();
    write_all(&root, 0);
    let workspace = Workspace::open(&root).unwrap();
    let journal = Journal::open(&folder.path().join("state"), "bench", &workspace).unwrap();
    Stage { folder, workspace, journal }
}

fn ran() -> Action {
    Action::Run { command: "make".into(), workdir: ".".into(), timeout_ms: 1, background: false }
}

fn changed() -> Stage {
    let stage = stage();
    let step = stage.journal.begin(&stage.workspace, &ran(), 1).unwrap().unwrap();
    write_all(stage.workspace.root(), 1);
    stage.journal.settle(&stage.workspace, step, true).unwrap();
    stage
}

/// A change of 1,000 files is taken back.
#[divan::bench(sample_count = 5)]
fn undo(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(changed).bench_values(|stage| {
        let done = stage.journal.undo(&stage.workspace, &Choice::default()).unwrap();
        assert!(done.applied && done.files.len() == FILES);
        stage.folder
    });
}

/// The same files written without any care: what undo is measured against.
#[divan::bench(sample_count = 5)]
fn plain_copies(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(changed).bench_values(|stage| {
        write_all(stage.workspace.root(), 0);
        stage.folder
    });
}

/// Before and after the first command: everything is copied.
#[divan::bench(sample_count = 5)]
fn first_command(bencher: divan::Bencher<'_, '_>) {
    bencher.with_inputs(stage).bench_values(|stage| {
        let step = stage.journal.begin(&stage.workspace, &ran(), 1).unwrap().unwrap();
        stage.journal.settle(&stage.workspace, step, true).unwrap();
        stage.folder
    });
}

/// Before and after a later command: stamps are compared.
#[divan::bench(sample_count = 5)]
fn later_command(bencher: divan::Bencher<'_, '_>) {
    let stage = stage();
    let around = || {
        let step = stage.journal.begin(&stage.workspace, &ran(), 1).unwrap().unwrap();
        stage.journal.settle(&stage.workspace, step, true).unwrap();
    };
    around();
    std::thread::sleep(std::time::Duration::from_millis(100));
    around();
    bencher.bench_local(around);
}

/// A patch over 1,000 files.
#[divan::bench(sample_count = 5)]
fn patch(bencher: divan::Bencher<'_, '_>) {
    let changes = || -> Vec<Change> {
        let change = |file| Change {
            path: path(file),
            before: Some(text(0, file)),
            after: Some(text(1, file)),
            moved_from: None,
        };
        (0..FILES).map(change).collect()
    };
    bencher.with_inputs(|| (stage(), changes())).bench_values(|(stage, changes)| {
        stage.workspace.apply(&changes).unwrap();
        stage.folder
    });
}
