//! The inside of `agent __sandbox`: reads its orders, raises the walls, starts the command, ends its tree.
//!
//! Runs before anything else in the process: one thread, no runtime, no settings read.

use super::door;
use super::filter::{self, Sockets};
use super::lock::lock;
use super::mounts;
use super::orders::{Height, Orders, Report};
use super::sys::{self, End};
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Largest file a command may write.
const FILE_MAX: u64 = 8 << 30;
/// Open descriptors.
const OPEN_MAX: u64 = 16_384;
/// Processes and threads of one user, inside a user namespace of its own and outside.
const TASKS_MAX: (u64, u64) = (2048, 16_384);
/// Orders are never larger.
const ORDERS_MAX: u32 = 64 << 20;

/// Does what standard input orders and never returns. Standard input must be a socket from the parent.
pub fn helper_main() -> ! {
    sys::ignore(libc::SIGTERM);
    let Ok(()) = sys::close_inherited() else { sys::exit_now(125) };
    let Ok(control) = sys::take_stdin() else { sys::exit_now(125) };
    let control = UnixStream::from(control);
    let told = match read_orders(&control) {
        Ok(orders) => raise(&orders, &control),
        Err(why) => Err(why),
    };
    if let Err(why) = told {
        say(&control, &Report::Fail(why));
        sys::exit_now(125);
    }
    sys::exit_now(0)
}

/// Length first, so that the parent's closing of the socket stays a sign of its own: the end is wanted.
fn read_orders(mut control: &UnixStream) -> Result<Orders, String> {
    let mut read = || -> std::io::Result<Vec<u8>> {
        let mut length = [0; 4];
        control.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length).min(ORDERS_MAX);
        let mut text = vec![0; length as usize];
        control.read_exact(&mut text)?;
        Ok(text)
    };
    let text = read().map_err(|error| format!("no orders: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("unreadable orders: {error}"))
}

fn say(mut control: &UnixStream, report: &Report) {
    let mut line = serde_json::to_vec(report).unwrap_or_default();
    line.push(b'\n');
    // A parent that is gone hears nothing, and its closed socket ends the tree.
    let _ = control.write_all(&line);
}

fn raise(orders: &Orders, control: &UnixStream) -> Result<(), String> {
    // When the machine runs out of memory, the command goes and not what the user works with. Said before the
    // namespaces are made: after that the file is not this process's to write.
    #[allow(clippy::disallowed_methods, reason = "a kernel setting, not a file")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    match orders.height {
        Height::Namespaces => {
            let (uid, gid) = sys::ids();
            sys::unshare_all().map_err(|error| format!("no user namespace: {error}"))?;
            map_ids(uid, gid)?;
            sys::raise_loopback().map_err(|error| format!("loopback: {error}"))?;
            if orders.door {
                door::send(control).map_err(|error| format!("the door to the proxy: {error}"))?;
            }
            let child = sys::fork().map_err(|error| format!("fork: {error}"))?;
            if child.is_some() {
                // Only waits. When this process is killed the kernel ends the namespace with it.
                let _ = sys::reap(true);
                return Ok(());
            }
            first_process(orders, control)
        }
        Height::Landlock => {
            sys::adopt_orphans().map_err(|error| format!("subreaper: {error}"))?;
            command(orders, control, Vec::new())
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "kernel settings, not files")]
fn map_ids(uid: u32, gid: u32) -> Result<(), String> {
    let write =
        |path: &str, text: String| std::fs::write(path, text).map_err(|error| format!("{path}: {error}"));
    write("/proc/self/setgroups", "deny".into())?;
    write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
    write("/proc/self/gid_map", format!("{gid} {gid} 1"))
}

/// Process 1 of the new namespaces: when it ends, everything in them ends.
fn first_process(orders: &Orders, control: &UnixStream) -> Result<(), String> {
    sys::die_with_parent().map_err(|error| format!("parent death: {error}"))?;
    let missing = mounts::build(orders)?;
    command(orders, control, missing)
}

/// Forks the command and stays behind to reap it.
fn command(orders: &Orders, control: &UnixStream, missing: Vec<String>) -> Result<(), String> {
    let signals = sys::watch_signals().map_err(|error| format!("signals: {error}"))?;
    let Some(leader) = sys::fork().map_err(|error| format!("fork: {error}"))? else {
        let why = become_command(orders, control, missing);
        say(control, &Report::Fail(why));
        sys::exit_now(126)
    };
    sys::make_opaque().map_err(|error| format!("opaque: {error}"))?;
    if orders.height == Height::Namespaces {
        sys::drop_capabilities().map_err(|error| format!("capabilities: {error}"))?;
    }
    let end = watch(leader, control, &signals, orders.height);
    end_all(orders.height, libc::SIGKILL);
    if let Some(end) = end {
        say(
            control,
            &match end {
                End::Code(code) => Report::Code(code),
                End::Signal(signal) => Report::Signal(signal),
            },
        );
    }
    sys::exit_now(0)
}

/// Waits for the leader. `None` when the parent is gone.
fn watch(leader: libc::pid_t, control: &UnixStream, signals: &OwnedFd, height: Height) -> Option<End> {
    loop {
        let [signalled, hung_up] = sys::wait_readable([signals.as_fd(), control.as_fd()]);
        if hung_up {
            return None;
        }
        if !signalled {
            continue;
        }
        match sys::next_signal(signals) {
            Ok(libc::SIGTERM) => end_all(height, libc::SIGTERM),
            Ok(_) => {
                while let Ok(Some((pid, end))) = sys::reap(false) {
                    if pid == leader {
                        return Some(end);
                    }
                }
            }
            Err(_) => return None,
        }
    }
}

/// Signals everything below. KILL goes on until nobody is left.
fn end_all(height: Height, signal: libc::c_int) {
    if height == Height::Namespaces {
        // Only the processes of this namespace can be meant; the kernel does the rest when we end.
        sys::signal(-1, signal);
        return;
    }
    let own = std::process::id().cast_signed();
    loop {
        if signal == libc::SIGKILL {
            // What is stopped cannot fork away from under the list.
            let mut stopped: Vec<libc::pid_t> = Vec::new();
            for _ in 0..100 {
                let fresh: Vec<_> =
                    descendants(own).into_iter().filter(|pid| !stopped.contains(pid)).collect();
                if fresh.is_empty() {
                    break;
                }
                for pid in &fresh {
                    sys::signal(*pid, libc::SIGSTOP);
                }
                stopped.extend(fresh);
            }
        }
        for pid in descendants(own) {
            sys::signal(pid, signal);
        }
        if signal != libc::SIGKILL || sys::reap(true).is_err() {
            return;
        }
    }
}

/// Everything below a process, as the kernel lists it now.
fn descendants(pid: libc::pid_t) -> Vec<libc::pid_t> {
    let mut found = Vec::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return found };
    for task in tasks.flatten() {
        let list = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        for child in list.split_whitespace().filter_map(|word| word.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

/// The last steps, each taking away more, the filter last; returns only with the reason it failed.
fn become_command(orders: &Orders, control: &UnixStream, missing: Vec<String>) -> String {
    match prepare(orders, missing) {
        Ok(missing) => say(control, &Report::Up(missing)),
        Err(why) => return why,
    }
    let name = orders.shell.file_name().and_then(|name| name.to_str()).unwrap_or("sh");
    let error = sys::become_program(&orders.shell, &[name, "-c", &orders.command]);
    format!("{}: {error}", orders.shell.display())
}

/// Most memory one process may write to: three quarters of the machine's, at least 1 GiB. A reservation that is
/// not written to, as virtual machines make them, does not count.
fn memory_max() -> u64 {
    let facts = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = facts
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    total.map_or(u64::MAX, |kibibytes: u64| (kibibytes * 1024 / 4 * 3).max(1 << 30))
}

fn prepare(orders: &Orders, mut missing: Vec<String>) -> Result<Vec<String>, String> {
    let named = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
    sys::leave_session().map_err(named("session"))?;
    sys::reset_signals();
    let contained = orders.height == Height::Namespaces;
    let tasks = if contained { TASKS_MAX.0 } else { TASKS_MAX.1 };
    for (resource, value) in [
        (libc::RLIMIT_CORE, 0),
        (libc::RLIMIT_FSIZE, FILE_MAX),
        (libc::RLIMIT_NOFILE, OPEN_MAX),
        (libc::RLIMIT_NPROC, tasks),
        (libc::RLIMIT_DATA, memory_max()),
    ] {
        sys::limit(resource, value).map_err(named("limits"))?;
    }
    std::env::set_current_dir(&orders.workdir)
        .map_err(|error| format!("{}: {error}", orders.workdir.display()))?;
    sys::forbid_new_privileges().map_err(named("no new privileges"))?;
    if contained || sys::ids().0 == 0 {
        sys::drop_capabilities().map_err(named("capabilities"))?;
    }
    let devices = if contained {
        vec![PathBuf::from("/dev")]
    } else {
        ["null", "zero", "full", "random", "urandom"]
            .iter()
            .map(|name| Path::new("/dev").join(name))
            .collect()
    };
    let locked = lock(&orders.readable, &orders.writable, &devices)?;
    if !locked && contained {
        missing.push("no Landlock in this kernel: the mounts hold alone".into());
    } else if !locked {
        return Err("no Landlock in this kernel".into());
    }
    sys::close_on_exec().map_err(named("descriptors"))?;
    filter::install(if contained { Sockets::Contained } else { Sockets::None })?;
    Ok(missing)
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_the_processes_below_this_one() {
        #[allow(clippy::disallowed_methods, reason = "a test child")]
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let below = super::descendants(std::process::id().cast_signed());
        assert!(below.contains(&child.id().cast_signed()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
