//! Work spread over threads whose stacks are deep enough for deep trees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stack of a thread; only touched pages cost memory.
const STACK: usize = 256 << 20;

/// Runs `work` for every index below `count`, in parallel; results in order. `None` where it panicked.
pub(super) fn spread<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<Option<R>> {
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
