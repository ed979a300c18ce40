//! What the walls cost: a command in the sandbox against the same command started plainly, in one run; and how
//! fast text is looked through for secrets.
//!
//! `cargo bench --bench walls`: `sandboxed` divided by `plain` is the ratio.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on should say so loudly")]

use agent::sandbox::{Job, Sandbox, Watch, Wish, open};
use divan::counter::BytesCount;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    divan::main();
}

/// `sh -c true` with nothing around it.
#[divan::bench(sample_count = 100)]
#[allow(clippy::disallowed_methods, reason = "the yardstick has no walls")]
fn plain() {
    assert!(std::process::Command::new("bash").args(["-c", "true"]).output().unwrap().status.success());
}

#[divan::bench(sample_count = 100)]
fn sandboxed(bencher: divan::Bencher<'_, '_>) {
    run(bencher, Wish::Auto);
}

/// Our own way of running commands without the walls: groups, pipes, limits.
#[divan::bench(sample_count = 100)]
fn without_walls(bencher: divan::Bencher<'_, '_>) {
    run(bencher, Wish::Off);
}

fn run(bencher: divan::Bencher<'_, '_>, wish: Wish) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let state = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_agent"));
    let sandbox: Arc<dyn Sandbox> = open(folder.path(), state.path(), program, wish);
    bencher.bench_local(|| {
        let job = Job {
            command: "true".into(),
            workdir: folder.path().to_owned(),
            timeout: Duration::from_secs(10),
        };
        let watch = Watch { output: Arc::new(|_| {}), cancel: tokio_util::sync::CancellationToken::new() };
        runtime.block_on(sandbox.run(job, watch)).unwrap()
    });
}

/// Ordinary code, no secret in it.
#[divan::bench]
fn redaction(bencher: divan::Bencher<'_, '_>) {
    let text = include_str!("../src/policy/mod.rs").repeat(20);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| agent::text::redact(divan::black_box(&text)).len());
}
