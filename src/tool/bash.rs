//! `bash`: a shell command in the sandbox; its output, how it ended, and what the walls refused.

use super::args::{self, Args};
use super::{Leave, Plan, Progress, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::message::Spec;
use crate::network::Gate;
use crate::sandbox::{Done, Exit, Job, Log, Sandbox, SandboxError, Watch};
use crate::text::redact;
use crate::workspace::{Kind, Place};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;

/// Milliseconds a command may take when nothing is said.
const DEFAULT_MS: u64 = 120_000;
/// Milliseconds a command may take at most; a background command has all of them unless told otherwise.
const MAX_MS: u64 = 600_000;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/bash.json")));

/// The tool. Dropping it ends what it left in the background.
#[derive(Debug, Default)]
pub struct Bash {
    ends: CancellationToken,
    count: Arc<AtomicU64>,
}

impl Bash {
    /// With nothing in the background.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Drop for Bash {
    fn drop(&mut self) {
        self.ends.cancel();
    }
}

impl Tool for Bash {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let command = args.text("command")?;
        if command.trim().is_empty() || command.contains('\0') {
            return Err(ToolError::Arguments("`command` must be shell text, without NUL".into()));
        }
        let background = args.flag("background")?;
        let default = if background { MAX_MS } else { DEFAULT_MS };
        let timeout_ms = args.count_opt("timeout")?.unwrap_or(default).clamp(1, MAX_MS);
        let (place, workdir) = folder(world, args.text_opt("workdir")?)?;
        let action = Action::Run {
            command: command.clone(),
            workdir: place.as_str().to_owned(),
            timeout_ms,
            background,
        };
        let job = Job { command, workdir, timeout: Duration::from_millis(timeout_ms) };
        let world = Arc::clone(world);
        if background {
            let id = format!("bg-{}", self.count.fetch_add(1, Ordering::Relaxed) + 1);
            let ends = self.ends.child_token();
            return Ok(Plan::new(action, move |progress| {
                Box::pin(async move { start(world, job, &id, ends, &progress) })
            }));
        }
        Ok(Plan::new(action, move |progress| {
            Box::pin(async move {
                let tell = progress.tell;
                // Secrets are hidden by whoever listens: here a piece may end in the middle of one.
                let watch = Watch { output: Arc::new(move |text| tell(text)), cancel: progress.cancel };
                let limit = job.timeout;
                let gate = gate(progress.leave, &job.command);
                let done = reach(&*world.sandbox, job, watch, gate).await?;
                Ok(report(&done, limit, world.sandbox.level().name))
            })
        }))
    }
}

impl From<SandboxError> for ToolError {
    fn from(error: SandboxError) -> Self {
        ToolError::Failed(error.to_string())
    }
}

fn folder(world: &World, workdir: Option<String>) -> Result<(Place, PathBuf), ToolError> {
    let path = workdir.unwrap_or_else(|| ".".into());
    let place = world.workspace.place(&path)?;
    if !matches!(world.workspace.kind(&place)?, Kind::Directory) {
        return Err(ToolError::Failed(format!("{path} is not a folder; `workdir` must be one")));
    }
    let root = world.workspace.root();
    let absolute = if place.as_str() == "." { root.to_owned() } else { root.join(place.as_str()) };
    Ok((place, absolute))
}

fn report(done: &Done, limit: Duration, level: &str) -> ToolOutput {
    let mut text = redact(&done.output).into_owned();
    if text.is_empty() {
        text.push_str("(no output)");
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    for denial in &done.denials {
        let _ = writeln!(text, "[refused: {denial}]");
    }
    for place in &done.reached {
        let _ = writeln!(text, "[reached {place}]");
    }
    let ended = ended(done.exit, limit);
    let took = seconds(done.took);
    let _ = write!(text, "[{ended} · {took} · sandbox: {level}]");
    let exit = if let Exit::Code(code) = done.exit { Some(code) } else { None };
    ToolOutput {
        text,
        summary: format!("{ended} in {took}"),
        exit,
        log: done.log.clone(),
        images: Vec::new(),
    }
}

fn ended(exit: Exit, limit: Duration) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        Exit::Signal(signal) => format!("ended by signal {signal}"),
        Exit::TimedOut => format!("stopped at the limit of {}", seconds(limit)),
        Exit::Cancelled => "stopped by the user".to_owned(),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// What a command may reach, where it can come to reach anything.
fn gate(leave: Leave, command: &str) -> Option<Arc<dyn Gate>> {
    let opens = leave.opens_network();
    opens.then(|| Arc::new(Asked { leave, command: command.to_owned(), decided: AsyncMutex::default() }) as _)
}

async fn reach(
    sandbox: &dyn Sandbox,
    job: Job,
    watch: Watch,
    gate: Option<Arc<dyn Gate>>,
) -> Result<Done, SandboxError> {
    match gate {
        Some(gate) => sandbox.run_reaching(job, watch, gate).await,
        None => sandbox.run(job, watch).await,
    }
}

/// Hosts that are asked about in vain for one command; then nobody is asked any more.
const MAX_REFUSED: usize = 8;

/// Asks policy, and the user where policy does, once for each host and port of a command.
struct Asked {
    leave: Leave,
    command: String,
    /// Held while somebody is asked: one question at a time, and never the same one twice.
    decided: AsyncMutex<BTreeMap<(String, u16), Result<(), String>>>,
}

impl Gate for Asked {
    fn admit<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut decided = self.decided.lock().await;
            let place = (host.to_owned(), port);
            if let Some(decided) = decided.get(&place) {
                return decided.clone();
            }
            if decided.values().filter(|decided| decided.is_err()).count() >= MAX_REFUSED {
                return Err("too many hosts were refused to this command".into());
            }
            let action = Action::Connect { host: host.to_owned(), port, command: self.command.clone() };
            let answer = self.leave.ask(action).await;
            decided.insert(place, answer.clone());
            answer
        })
    }
}

/// Starts a command that goes on beside the conversation; must be called on the runtime.
fn start(
    world: Arc<World>,
    job: Job,
    id: &str,
    ends: CancellationToken,
    progress: &Progress,
) -> Result<ToolOutput, ToolError> {
    let no_log = |error: std::io::Error| {
        ToolError::Failed(format!(
            "no log file for the background command: {error}; run it without `background`"
        ))
    };
    let folder = world.sandbox.log_folder().unwrap_or_else(std::env::temp_dir);
    let log = Log::open(&folder).map_err(no_log)?;
    let path = log.path().to_owned();
    let log = Arc::new(Mutex::new(log));
    let sink = Arc::clone(&log);
    let append = move |text: &str| {
        sink.lock().unwrap_or_else(PoisonError::into_inner).append(text);
    };
    let append = Arc::new(append);
    let limit = job.timeout;
    let cancel = progress.cancel.clone();
    let output = Arc::clone(&append);
    let watch = Watch { output: Arc::new(move |text| output(text)), cancel: ends.clone() };
    let gate = gate(progress.leave.clone().without_asking(), &job.command);
    tokio::spawn(async move {
        let run = reach(&*world.sandbox, job, watch, gate);
        let mut run = std::pin::pin!(run);
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = cancel.cancelled() => {
                ends.cancel();
                run.await
            }
        };
        match ended {
            Ok(done) => {
                let level = world.sandbox.level().name;
                let report = report(&Done { output: String::new(), ..done }, limit, level);
                append(&format!("\n{}\n", report.text.trim_start_matches("(no output)\n")));
            }
            Err(error) => append(&format!("\n[not started: {error}]\n")),
        }
    });
    let text = format!(
        "started in the background as {id}; its output goes to {}, its end is the last line there. \
         It is stopped with the session or after {}.",
        path.display(),
        seconds(limit)
    );
    Ok(ToolOutput { text, summary: format!("{id} started"), log: Some(path), ..ToolOutput::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Mode, Policy, Verdict};
    use crate::sandbox::bare::Bare;
    use crate::scan::Scanner;
    use crate::tool::World;
    use crate::workspace::Workspace;
    use serde_json::json;

    struct Stage {
        world: Arc<World>,
        bash: Bash,
        _folder: tempfile::TempDir,
    }

    fn stage() -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir_all(root.join("sub")).unwrap();
        let sandbox = Arc::new(Bare::open(&root, &folder.path().join("state"), "test"));
        let world = World { workspace: Workspace::open(&root).unwrap(), sandbox, scanner: Scanner::new() };
        Stage { world: Arc::new(world), bash: Bash::new(), _folder: folder }
    }

    impl Stage {
        async fn call(&self, args: Value) -> Result<ToolOutput, ToolError> {
            let plan = self.bash.plan(&args, &self.world)?;
            let Verdict::Allow(permit) = Policy::new(Mode::Auto).judge(&plan.action) else {
                panic!("not allowed: {:?}", plan.action)
            };
            plan.perform(permit, Progress::silent()).await
        }
    }

    #[tokio::test]
    async fn shows_output_exit_code_time_and_level() {
        let stage = stage();
        let output = stage.call(json!({"command": "echo hi; exit 3"})).await.unwrap();
        assert!(output.text.starts_with("hi\n[exit 3 · "), "{}", output.text);
        assert!(output.text.ends_with("sandbox: none]"), "{}", output.text);
        assert_eq!(output.exit, Some(3));
        assert!(output.summary.starts_with("exit 3 in "));
        let output = stage.call(json!({"cmd": "true"})).await.unwrap();
        assert!(output.text.starts_with("(no output)\n[exit 0"), "{}", output.text);
        let output = stage.call(json!({"command": "sleep 5", "timeout": 200})).await.unwrap();
        assert!(output.text.contains("stopped at the limit of 0.2 s"), "{}", output.text);
        assert_eq!(output.exit, None);
    }

    #[tokio::test]
    async fn runs_in_the_folder_that_was_asked_for_and_nowhere_else() {
        let stage = stage();
        let output = stage.call(json!({"command": "basename $PWD", "workdir": "sub"})).await.unwrap();
        assert!(output.text.starts_with("sub\n"), "{}", output.text);
        for workdir in ["..", "/etc", "missing"] {
            let error = stage.call(json!({"command": "true", "workdir": workdir})).await.unwrap_err();
            assert!(matches!(error, ToolError::Failed(_)), "{workdir}: {error:?}");
        }
    }

    #[test]
    fn plans_exactly_what_will_run() {
        let stage = stage();
        let check = |args: Value, timeout: u64, in_background: bool| {
            let plan = stage.bash.plan(&args, &stage.world).unwrap();
            let Action::Run { command, workdir, timeout_ms, background } = plan.action else {
                panic!("no run")
            };
            assert_eq!((command.as_str(), workdir.as_str()), ("ls", "."));
            assert_eq!((timeout_ms, background), (timeout, in_background));
        };
        check(json!({"command": "ls"}), 120_000, false);
        check(json!({"command": "ls", "timeout": 5}), 5, false);
        check(json!({"command": "ls", "timeout_ms": 9_999_999}), 600_000, false);
        check(json!({"command": "ls", "run_in_background": true}), 600_000, true);
        for bad in [
            json!({}),
            json!({"command": " "}),
            json!({"command": "a\u{0}b"}),
            json!({"command": "x", "timeout": "soon"}),
        ] {
            assert!(matches!(stage.bash.plan(&bad, &stage.world), Err(ToolError::Arguments(_))), "{bad}");
        }
    }

    #[tokio::test]
    async fn leaves_a_background_command_running_until_the_tool_goes() {
        let stage = stage();
        let began = std::time::Instant::now();
        let output =
            stage.call(json!({"command": "echo up; sleep 60.437", "background": true})).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(2));
        let log = output.log.unwrap();
        assert!(output.text.contains("bg-1") && output.text.contains(&log.display().to_string()));
        wait_for(&log, "up\n").await;
        drop(stage.bash);
        wait_for(&log, "stopped by the user").await;
    }

    #[tokio::test]
    async fn ends_a_background_command_with_the_session() {
        let stage = stage();
        let plan = stage
            .bash
            .plan(&json!({"command": "echo up; sleep 60", "background": true}), &stage.world)
            .unwrap();
        let Verdict::Allow(permit) = Policy::new(Mode::Auto).judge(&plan.action) else {
            panic!("not allowed")
        };
        let progress = Progress::silent();
        let cancel = progress.cancel.clone();
        let log = plan.perform(permit, progress).await.unwrap().log.unwrap();
        wait_for(&log, "up\n").await;
        cancel.cancel();
        wait_for(&log, "stopped by the user").await;
    }

    async fn wait_for(path: &std::path::Path, text: &str) {
        for _ in 0..200 {
            if std::fs::read_to_string(path).unwrap().contains(text) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no `{text}` in {}", std::fs::read_to_string(path).unwrap());
    }
}
