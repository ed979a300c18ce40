//! Starts one process, follows its output, and ends its whole group at the limit or when told to.

use super::capture::{Capture, Captured};
use super::{Exit, Job, Watch};
use crate::network::proxy::Patience;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

/// How long a tree has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(1);
/// How long output is still read when the leader has ended but someone holds the pipe.
const DRAIN: Duration = Duration::from_millis(200);

/// How long a helper has to end what it watches over once its socket is closed.
const HELPER: Duration = Duration::from_secs(3);

/// Who ends what the leader started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ender {
    /// A KILL to the group: it reaches everything, or the kernel sees to the rest.
    Group,
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only the helper on Linux watches over others")
    )]
    /// The leader itself, when the side conversation is dropped: a KILL would orphan what it watches.
    Leader,
}

/// How one process went.
pub(super) struct Driven<T> {
    pub(super) exit: Exit,
    pub(super) captured: Captured,
    pub(super) took: Duration,
    /// What the side conversation gave, when it came to an end.
    pub(super) told: Option<T>,
}

/// Kills the group when the future is dropped half way.
struct Group(Option<Pid>, Ender);

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
        if self.1 == Ender::Group {
            self.signal(Signal::KILL);
        }
    }
}

/// Runs `command` to its end; `talk` goes on beside it. Standard output and error share one pipe, so they
/// come interleaved as written. `patience` says how much of the time was a person's.
pub(super) async fn drive<F: Future>(
    mut command: Command,
    ender: Ender,
    talk: F,
    job: &Job,
    watch: &Watch,
    (logs, patience): (&Path, Option<Arc<Patience>>),
) -> std::io::Result<Driven<F::Output>> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer).process_group(0);
    command.kill_on_drop(ender == Ender::Group);
    let began = Instant::now();
    let mut child = command.spawn()?;
    // Our own copies of the pipe's writing end must go, or its end is never seen.
    drop(command);
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw), ender);
    let mut sides = Sides {
        pipe: Some(Receiver::from_owned_fd(OwnedFd::from(reader))?),
        buffer: vec![0; 64 * 1024],
        capture: Capture::new(logs),
        talk: Some(Box::pin(talk)),
        told: None,
        watch,
    };

    let mut stopped = None;
    let mut status = tokio::select! {
        status = sides.until(child.wait()) => Some(status?),
        () = watch.cancel.cancelled() => { stopped = Some(Exit::Cancelled); None }
        () = limit(job.timeout, patience) => { stopped = Some(Exit::TimedOut); None }
    };
    if status.is_none() {
        group.signal(Signal::TERM);
        status = sides.within(GRACE, child.wait()).await.transpose()?;
    }
    if status.is_none() && ender == Ender::Leader {
        sides.talk = None;
        status = sides.within(HELPER, child.wait()).await.transpose()?;
    }
    let status = if let Some(status) = status {
        status
    } else {
        group.signal(Signal::KILL);
        child.wait().await?
    };
    let took = began.elapsed();
    // Everything said so far is wanted; who still holds the pipe after that is not waited for.
    let _ = tokio::time::timeout(DRAIN, sides.finish()).await;
    drop(group);
    let exit = stopped.unwrap_or_else(|| exit_of(status));
    Ok(Driven { exit, captured: sides.capture.finish(&*watch.output), took, told: sides.told })
}

/// Ends when the command has had its time; waiting for a person is not of it.
async fn limit(time: Duration, patience: Option<Arc<Patience>>) {
    let began = Instant::now();
    loop {
        let (waited, waits) = patience.as_ref().map_or((Duration::ZERO, false), |patience| patience.waited());
        let left = (time + waited).saturating_sub(began.elapsed());
        if left.is_zero() && !waits {
            return;
        }
        tokio::time::sleep(left.max(Duration::from_millis(50))).await;
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Signal(0),
    }
}

/// What goes on beside waiting: output is taken, the conversation is held.
struct Sides<'a, F: Future> {
    pipe: Option<Receiver>,
    buffer: Vec<u8>,
    capture: Capture,
    talk: Option<Pin<Box<F>>>,
    told: Option<F::Output>,
    watch: &'a Watch,
}

impl<F: Future> Sides<'_, F> {
    /// Attends to both until `other` is ready.
    async fn until<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = std::pin::pin!(other);
        loop {
            tokio::select! {
                done = &mut other => return done,
                () = self.attend() => {}
            }
        }
    }

    /// The same for at most `time`.
    async fn within<T>(&mut self, time: Duration, other: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = self.until(other) => Some(done),
            () = tokio::time::sleep(time) => None,
        }
    }

    /// Attends until both sides are over.
    async fn finish(&mut self) {
        while self.pipe.is_some() || self.talk.is_some() {
            self.attend().await;
        }
    }

    /// One piece of output or the end of the conversation. Nothing is lost when this is dropped half way.
    async fn attend(&mut self) {
        let Self { pipe, buffer, talk, .. } = self;
        tokio::select! {
            heard = maybe(talk.as_mut()) => {
                self.told = Some(heard);
                self.talk = None;
            }
            read = maybe(pipe.as_mut().map(|pipe| Box::pin(pipe.read(buffer)))) => match read {
                Ok(count) if count > 0 => self.capture.push(&self.buffer[..count], &*self.watch.output),
                _ => self.pipe = None,
            },
        }
    }
}

/// Waits for what is there; forever for what is not.
async fn maybe<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
