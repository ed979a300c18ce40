//! What a process cost: the kernel's own figures for it and every child it waited for.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Seconds from start to end.
    pub wall: f64,
    /// User and system seconds.
    pub cpu: f64,
    /// Largest resident set of any one of its processes, in MiB.
    pub peak_mb: f64,
    /// First request, in KiB.
    pub first_kb: f64,
}

/// Runs a command to its end; `None` when it fails or takes longer than `limit`.
#[allow(
    unsafe_code,
    reason = "only wait4 tells what one child cost, and the standard library has no word for it"
)]
#[allow(clippy::disallowed_methods, reason = "the bench starts the programs it measures")]
pub(crate) fn measure(mut command: Command, limit: Duration) -> Option<Cost> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    // For finding out why one fails.
    if std::env::var_os("AGENT_PEERS_LOUD").is_none() {
        command.stderr(Stdio::null());
    }
    let begun = Instant::now();
    let child = command.spawn().ok()?;
    let pid = i32::try_from(child.id()).ok()?;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    let mut status = 0;
    loop {
        // SAFETY: `pid` is our own child, both places are ours and live as long as the call.
        let waited = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()) };
        if waited == pid {
            break;
        }
        if waited < 0 || begun.elapsed() > limit {
            // SAFETY: the group is the child's own, made above.
            unsafe { libc::kill(-pid, libc::SIGKILL) };
            // SAFETY: as above; the child is gone now, and this reaps it.
            unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
            return None;
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    // SAFETY: zeroed is a valid value, and the kernel has filled it.
    let usage = unsafe { usage.assume_init() };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    libc::WIFEXITED(status).then(|| Cost {
        wall: begun.elapsed().as_secs_f64(),
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak_mb: usage.ru_maxrss as f64 / 1024.0,
        first_kb: 0.0,
    })
}

/// The middle of each figure.
pub(crate) fn median(runs: &[Cost]) -> Cost {
    let middle = |figure: fn(&Cost) -> f64| {
        let mut all: Vec<f64> = runs.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    Cost {
        wall: middle(|cost| cost.wall),
        cpu: middle(|cost| cost.cpu),
        peak_mb: middle(|cost| cost.peak_mb),
        first_kb: middle(|cost| cost.first_kb),
    }
}
