//! The walls on Linux: the binary runs itself again as a helper that confines itself before it becomes the
//! command. Namespaces, Landlock and a call filter; without namespaces the last two.

mod door;
mod entry;
mod filter;
mod firsts;
mod lock;
mod mounts;
mod orders;
mod site;
mod survey;
mod sys;

pub use entry::helper_main;

use super::denial;
use super::drive::{Ender, drive};
use super::{Done, Exit, Job, Level, Sandbox, SandboxError, Watch, environment, logs_below};
use crate::network::Gate;
use crate::network::guard::Guard;
use crate::network::proxy::Proxy;
use firsts::Firsts;
use futures_util::future::BoxFuture;
use orders::{Height, Orders, Report};
use site::Site;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

/// First argument that makes the binary a helper.
pub const HELPER_ARGUMENT: &str = "__sandbox";

/// Closes this process to tracing, to looks at its memory and to core dumps. For the agent itself, which holds
/// keys; says why where the system refuses.
pub fn seal() -> std::io::Result<()> {
    sys::limit(libc::RLIMIT_CORE, 0)?;
    sys::make_opaque()
}

/// How long the probe may take.
const PROBE_MAX: Duration = Duration::from_secs(10);
/// Reports are a few lines.
const REPORTS_MAX: u64 = 64 * 1024;

/// Runs commands behind the best walls this machine gives.
pub struct Walls {
    workspace: PathBuf,
    state_dir: PathBuf,
    program: PathBuf,
    highest: Height,
    /// Folders outside the workspace that commands may read.
    lent: Vec<PathBuf>,
    guard: Guard,
    chosen: OnceLock<Chosen>,
}

struct Chosen {
    height: Option<Height>,
    site: Option<Site>,
    level: Level,
}

impl Walls {
    /// `program` is the binary whose `main` calls [`helper_main`] for [`HELPER_ARGUMENT`]. Nothing is probed yet.
    pub fn open(workspace: &Path, state_dir: &Path, program: &Path) -> Self {
        Self::at_most(Height::Namespaces, workspace, state_dir, program)
    }

    /// The same without namespaces, as on a machine that refuses them.
    pub fn open_without_namespaces(workspace: &Path, state_dir: &Path, program: &Path) -> Self {
        Self::at_most(Height::Landlock, workspace, state_dir, program)
    }

    fn at_most(highest: Height, workspace: &Path, state_dir: &Path, program: &Path) -> Self {
        Self {
            // Behind the walls a link on the way may be gone.
            workspace: workspace.canonicalize().unwrap_or_else(|_| workspace.to_owned()),
            state_dir: state_dir.to_owned(),
            program: program.to_owned(),
            highest,
            lent: Vec::new(),
            guard: Guard::strict(),
            chosen: OnceLock::new(),
        }
    }

    /// The same with another guard over what the proxy connects to, for tests whose hosts are on loopback.
    /// Nothing but code that links this library can get here.
    #[must_use]
    pub fn guarded_by(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    fn chosen(&self) -> &Chosen {
        self.chosen.get_or_init(|| self.choose())
    }

    /// Runs the helper on `true`, from the highest walls down. What works is what counts.
    fn choose(&self) -> Chosen {
        let variables = environment::scrub(&self.workspace);
        let site = match Site::look(&self.workspace, &self.state_dir, &variables) {
            Ok(site) => site.lending(&self.lent),
            Err(why) => {
                return Chosen {
                    height: None,
                    site: None,
                    level: Level { name: "none", missing: vec![why] },
                };
            }
        };
        let mut missing = Vec::new();
        let heights: &[Height] = match self.highest {
            Height::Namespaces => &[Height::Namespaces, Height::Landlock],
            Height::Landlock => &[Height::Landlock],
        };
        for &height in heights {
            match self.probe(&site, height, &variables) {
                Ok(gaps) => {
                    missing.extend(gaps);
                    let name = if height == Height::Namespaces { "namespaces" } else { "landlock" };
                    if height == Height::Landlock {
                        missing.extend(LANDLOCK_GAPS.map(str::to_owned));
                    }
                    return Chosen { height: Some(height), site: Some(site), level: Level { name, missing } };
                }
                Err(why) => missing.push(why),
            }
        }
        Chosen { height: None, site: Some(site), level: Level { name: "none", missing } }
    }

    fn probe(
        &self,
        site: &Site,
        height: Height,
        variables: &[(OsString, OsString)],
    ) -> Result<Vec<String>, String> {
        let shell = environment::find_shell(variables);
        let seen = survey::look(&self.workspace);
        let orders = site.orders(height, shell, "true", &self.workspace, seen, None);
        let run = || -> std::io::Result<Vec<Report>> {
            let (mut ours, theirs) = UnixStream::pair()?;
            ours.set_read_timeout(Some(PROBE_MAX))?;
            #[allow(clippy::disallowed_methods, reason = "this is the sandbox")]
            let mut child = std::process::Command::new(&self.program)
                .arg(HELPER_ARGUMENT)
                .env_clear()
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?;
            let told = ours.write_all(&framed(&orders)).and_then(|()| {
                let mut text = Vec::new();
                (&mut ours).take(REPORTS_MAX).read_to_end(&mut text).map(|_| text)
            });
            // Whatever was heard, the helper must not outlive the probe.
            drop(ours);
            if told.is_err() {
                let _ = child.kill();
            }
            child.wait()?;
            Ok(reports(&told?))
        };
        let reports = run().map_err(|error| format!("the helper did not answer: {error}"))?;
        match reports.as_slice() {
            [Report::Up(missing), Report::Code(0)] => Ok(missing.clone()),
            [.., Report::Fail(why)] => Err(format!("{}: {why}", title(height))),
            _ => Err(format!("{}: the helper ended without an answer", title(height))),
        }
    }

    async fn run_walled(
        &self,
        job: &Job,
        watch: &Watch,
        gate: Option<Arc<dyn Gate>>,
    ) -> Result<Done, SandboxError> {
        let chosen = self.chosen();
        let (Some(height), Some(site)) = (chosen.height, &chosen.site) else {
            return Err(SandboxError::Walls(chosen.level.missing.join("; ")));
        };
        let mut variables = environment::scrub(&self.workspace);
        let shell = environment::find_shell(&variables);
        let root = self.workspace.clone();
        let seen =
            tokio::task::spawn_blocking(move || survey::look(&root)).await.map_err(std::io::Error::other)?;
        let private = match height {
            Height::Namespaces => None,
            Height::Landlock => Some(self.private_folder(&seen)?),
        };
        let folder = private.as_ref().map(tempfile::TempDir::path);
        prepare_variables(&mut variables, site, folder);
        let is_closed = gate.is_some() && height != Height::Namespaces;
        let proxy =
            gate.filter(|_| height == Height::Namespaces).map(|gate| Proxy::new(gate, self.guard.clone()));
        if proxy.is_some() {
            variables.extend(door::variables());
        }
        let secrets: Vec<String> = seen.secrets.iter().filter_map(|path| self.relative(path)).collect();
        let cut = seen.cut;
        let firsts = Firsts::note(&self.workspace, &self.state_dir.join("aside"), &seen);
        let mut orders = site.orders(height, shell, &job.command, &job.workdir, seen, folder);
        orders.door = proxy.is_some();

        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        #[allow(clippy::disallowed_methods, reason = "this is the sandbox")]
        let mut command = tokio::process::Command::new(&self.program);
        command.arg(HELPER_ARGUMENT).env_clear().envs(variables);
        command.current_dir("/").stdin(Stdio::from(OwnedFd::from(theirs)));
        let mut ours = tokio::net::UnixStream::from_std(ours)?;
        let served = proxy.as_ref();
        let talk = async move {
            match ours.write_all(&framed(&orders)).await {
                Ok(()) => converse(ours, served).await,
                Err(_) => Vec::new(),
            }
        };
        // The kernel ends a namespace with its first process; without one the helper must do it.
        let ender = if height == Height::Namespaces { Ender::Group } else { Ender::Leader };
        let logs = logs_below(&self.state_dir);
        let patience = proxy.as_ref().map(Proxy::patience);
        let driven = drive(command, ender, talk, job, watch, (&logs, patience)).await?;
        let undone = tokio::task::spawn_blocking(|| firsts.settle()).await.map_err(std::io::Error::other)?;
        let reports = reports(&driven.told.unwrap_or_default());
        if let Some(Report::Fail(why)) = reports.iter().find(|report| matches!(report, Report::Fail(_))) {
            return Err(SandboxError::Walls(why.clone()));
        }
        let exit = match (driven.exit, reports.last()) {
            (Exit::TimedOut | Exit::Cancelled, _) => driven.exit,
            (_, Some(Report::Code(code))) => Exit::Code(*code),
            (_, Some(Report::Signal(signal))) => Exit::Signal(*signal),
            (_, Some(_)) => Exit::Signal(libc::SIGKILL),
            (_, None) => return Err(SandboxError::Walls("the helper ended before the walls stood".into())),
        };
        let mut denials = denial::find(&driven.captured.text, exit);
        denials.extend(undone);
        let (reached, refused) = proxy.as_ref().map(Proxy::told).unwrap_or_default();
        denials.extend(refused.into_iter().map(|refusal| format!("network: {refusal}")));
        if is_closed && exit != Exit::Code(0) {
            denials.push(NO_GRANT.into());
        }
        denials.extend(denial::blanked(&job.command, &driven.captured.text, exit, &secrets));
        if cut {
            denials.push(
                "secrets: the workspace is too large to look through; secret files deep in it are not hidden"
                    .into(),
            );
        }
        Ok(Done {
            exit,
            output: driven.captured.text,
            total: driven.captured.total,
            log: driven.captured.log,
            took: driven.took,
            denials,
            reached,
        })
    }

    fn relative(&self, path: &Path) -> Option<String> {
        Some(path.strip_prefix(&self.workspace).ok()?.to_string_lossy().into_owned())
    }

    /// Home and `/tmp` of one command that has no mounts of its own. Secret files cannot be hidden then.
    fn private_folder(&self, seen: &survey::Survey) -> Result<tempfile::TempDir, SandboxError> {
        if let Some(path) = seen.secrets.first().and_then(|path| self.relative(path)) {
            return Err(SandboxError::Walls(format!(
                "without namespaces {path} cannot be hidden from commands; move it out of the workspace, \
                 allow user namespaces, or run with --sandbox=off"
            )));
        }
        super::capture::make_private_dir(&self.state_dir)?;
        Ok(tempfile::Builder::new().prefix("home-").tempdir_in(&self.state_dir)?)
    }
}

/// Said of a command that failed where hosts cannot be allowed.
const NO_GRANT: &str =
    "network: without namespaces no host can be allowed; the command had no network at all";

/// What the lower walls cannot do.
const LANDLOCK_GAPS: [&str; 4] = [
    "secret files of the workspace cannot be hidden: commands are refused where there are any",
    "no network at all, loopback and allowed hosts included",
    "changes to .git/hooks and .git/config are undone after a command, not prevented",
    "modes and times of the user's own files can be changed",
];

fn title(height: Height) -> &'static str {
    match height {
        Height::Namespaces => "namespaces",
        Height::Landlock => "landlock",
    }
}

/// Hears the helper out, and serves the door it passes on, for as long as it talks.
async fn converse(control: tokio::net::UnixStream, proxy: Option<&Proxy>) -> Vec<u8> {
    let (pass, passed) = tokio::sync::oneshot::channel();
    let hear = async move {
        let (mut text, mut pass) = (Vec::new(), Some(pass));
        // What was heard before an error still counts.
        while let Ok((piece, socket)) = door::receive(&control).await {
            if piece.is_empty() || text.len() as u64 > REPORTS_MAX {
                break;
            }
            text.extend(piece);
            if let Some(socket) = socket
                && let Some(pass) = pass.take()
            {
                let _ = pass.send(socket);
            }
        }
        text
    };
    let serve = async {
        if let (Some(proxy), Ok(socket)) = (proxy, passed.await)
            && let Ok(listener) = door::listen(socket)
        {
            proxy.serve(listener).await;
        }
        std::future::pending().await
    };
    tokio::select! {
        text = hear => text,
        text = serve => text,
    }
}

/// Orders as they travel: length, then JSON.
fn framed(orders: &Orders) -> Vec<u8> {
    let text = serde_json::to_vec(orders).unwrap_or_default();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut framed = length.to_le_bytes().to_vec();
    framed.extend_from_slice(&text);
    framed
}

fn reports(text: &[u8]) -> Vec<Report> {
    text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Home and temporary folder as they are behind the walls.
fn prepare_variables(variables: &mut Vec<(OsString, OsString)>, site: &Site, private: Option<&Path>) {
    variables.retain(|(name, _)| name != "TMPDIR" && name != "HOME");
    let home = private.unwrap_or(site.home());
    variables.push(("HOME".into(), home.into()));
    variables.push(("TMPDIR".into(), private.unwrap_or(Path::new("/tmp")).into()));
    if let (Some(_), Some(real)) = (private, site.real_home()) {
        for (name, folder) in [
            ("RUSTUP_HOME", ".rustup"),
            ("CARGO_HOME", ".cargo"),
            ("PYENV_ROOT", ".pyenv"),
            ("NVM_DIR", ".nvm"),
        ] {
            let folder = real.join(folder);
            if folder.is_dir() {
                variables.push((name.into(), folder.into()));
            }
        }
    }
}

impl Sandbox for Walls {
    fn level(&self) -> &Level {
        &self.chosen().level
    }

    fn beside(&self, root: &Path, lent: &[PathBuf]) -> Option<Arc<dyn Sandbox>> {
        let lent = lent.to_vec();
        let walls = Self::at_most(self.highest, root, &self.state_dir, &self.program);
        Some(Arc::new(Self { lent, ..walls }))
    }

    fn log_folder(&self) -> Option<PathBuf> {
        Some(logs_below(&self.state_dir))
    }

    fn run(&self, job: Job, watch: Watch) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async move { self.run_walled(&job, &watch, None).await })
    }

    fn run_reaching(
        &self,
        job: Job,
        watch: Watch,
        gate: Arc<dyn Gate>,
    ) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async move { self.run_walled(&job, &watch, Some(gate)).await })
    }
}
