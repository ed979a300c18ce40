//! Work spread over threads whose stacks are deep enough for deep trees.

use super::{Progress, Stage, Watch};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stack of a thread; only touched pages cost memory.
const STACK: usize = 256 << 20;

/// Runs `work` for every index below `count`, in parallel; results in order. `None` where it panicked.
pub(crate) fn spread<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<Option<R>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, Option<R>)>> = Mutex::new(Vec::with_capacity(count));
    let turn = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            // One broken file must not end the scan of the others.
            let result = catch_unwind(AssertUnwindSafe(|| work(at))).ok();
            results.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, |cores| cores.get().min(8)).min(count);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            // Where no thread can be had the others do the work, at worst this one.
            let _ = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, turn);
        }
    });
    turn();
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Counts what is done and tells it.
pub(super) struct Count<'w> {
    stage: Stage,
    all: usize,
    done: AtomicUsize,
    watch: Watch<'w>,
}

impl<'w> Count<'w> {
    pub(super) fn new(stage: Stage, all: usize, watch: Watch<'w>) -> Self {
        Self { stage, all, done: AtomicUsize::new(0), watch }
    }

    /// One more is done.
    pub(super) fn one(&self) {
        let Some(watch) = self.watch else { return };
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        watch(Progress { stage: self.stage, done, all: self.all });
    }
}
