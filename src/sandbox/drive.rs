//! Starts one process, follows its output, and ends its whole group at the limit or when told to.

use super::capture::{Capture, Captured};
use super::{Exit, Job, Watch};
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

/// How long a tree has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(1);
/// How long output is still read when the leader has ended but someone holds the pipe.
const DRAIN: Duration = Duration::from_millis(200);

/// How one process went.
pub(super) struct Driven<T> {
    pub(super) exit: Exit,
    pub(super) captured: Captured,
    pub(super) took: Duration,
    /// What the side conversation gave, when it came to an end.
    pub(super) told: Option<T>,
}

/// Kills the group when the future is dropped half way.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // The group may be gone already; that is what was wanted.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Runs `command` to its end; `talk` goes on beside it. Standard output and error share one pipe, so they
/// come interleaved as written.
pub(super) async fn drive<T>(
    mut command: Command,
    talk: impl Future<Output = T>,
    job: &Job,
    watch: &Watch,
    state_dir: &Path,
) -> std::io::Result<Driven<T>> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).process_group(0).kill_on_drop(true);
    let began = Instant::now();
    let mut child = command.spawn()?;
    // Our own copies of the pipe's writing end must go, or its end is never seen.
    drop(command);
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let mut pipe = Receiver::from_owned_fd(OwnedFd::from(reader))?;
    let mut output = Output { capture: Capture::new(state_dir), open: true, buffer: vec![0; 64 * 1024] };

    let mut talk = std::pin::pin!(talk);
    let mut told = None;
    let limit = tokio::time::sleep(job.timeout);
    let mut limit = std::pin::pin!(limit);
    let mut stopped = None;
    let status = loop {
        tokio::select! {
            status = child.wait() => break Some(status?),
            () = watch.cancel.cancelled() => { stopped = Some(Exit::Cancelled); break None; }
            () = &mut limit => { stopped = Some(Exit::TimedOut); break None; }
            heard = &mut talk, if told.is_none() => told = Some(heard),
            read = pipe.read(&mut output.buffer), if output.open => output.take(read, watch),
        }
    };
    let status = match status {
        Some(status) => status,
        None => {
            group.signal(Signal::TERM);
            let grace = tokio::time::sleep(GRACE);
            let mut grace = std::pin::pin!(grace);
            loop {
                tokio::select! {
                    status = child.wait() => break status?,
                    () = &mut grace => { group.signal(Signal::KILL); break child.wait().await?; }
                    heard = &mut talk, if told.is_none() => told = Some(heard),
                    read = pipe.read(&mut output.buffer), if output.open => output.take(read, watch),
                }
            }
        }
    };
    let took = began.elapsed();
    let drain = tokio::time::sleep(DRAIN);
    let mut drain = std::pin::pin!(drain);
    while output.open || told.is_none() {
        tokio::select! {
            () = &mut drain => break,
            heard = &mut talk, if told.is_none() => told = Some(heard),
            read = pipe.read(&mut output.buffer), if output.open => output.take(read, watch),
        }
    }
    drop(group);
    let exit = stopped.unwrap_or_else(|| exit_of(status));
    Ok(Driven { exit, captured: output.capture.finish(&*watch.output), took, told })
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Signal(0),
    }
}

struct Output {
    capture: Capture,
    open: bool,
    buffer: Vec<u8>,
}

impl Output {
    fn take(&mut self, read: std::io::Result<usize>, watch: &Watch) {
        match read {
            Ok(0) | Err(_) => self.open = false,
            Ok(count) => self.capture.push(&self.buffer[..count], &*watch.output),
        }
    }
}
