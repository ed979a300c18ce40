//! The walls around commands, each held alone: what a command cannot do, and the everyday work that goes on.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "tests make their own files and processes")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod house;

use agent::sandbox::{Done, Exit, Job, Sandbox, SandboxError, Watch, Wish, bare::Bare, linux::Walls, open};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// A workspace, a state folder and a sandbox over them.
struct House {
    root: PathBuf,
    state: PathBuf,
    sandbox: Arc<dyn Sandbox>,
    _folder: tempfile::TempDir,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Namespaces,
    Landlock,
    Bare,
}

impl House {
    /// `None`, loudly, where the machine has no such walls.
    fn build(kind: Kind) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let (root, state) = (base.join("project"), base.join("state"));
        std::fs::create_dir(&root).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_agent"));
        let sandbox: Arc<dyn Sandbox> = match kind {
            Kind::Namespaces => open(&root, &state, program, Wish::Auto),
            Kind::Landlock => Arc::new(Walls::open_without_namespaces(&root, &state, program)),
            Kind::Bare => Arc::new(Bare::open(&root, &state, "test")),
        };
        let wanted = match kind {
            Kind::Namespaces => "namespaces",
            Kind::Landlock => "landlock",
            Kind::Bare => "none",
        };
        let level = sandbox.level().clone();
        if level.name != wanted {
            house::stage::skip(&format!(
                "needs {wanted}, this machine gives {}: {:?}",
                level.name, level.missing
            ));
            return None;
        }
        Some(Self { root, state, sandbox, _folder: folder })
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn run(&self, command: &str) -> Done {
        self.run_for(command, Duration::from_mins(1)).await
    }

    async fn run_for(&self, command: &str, timeout: Duration) -> Done {
        let job = Job { command: command.into(), workdir: self.root.clone(), timeout };
        self.sandbox.run(job, quiet()).await.unwrap()
    }

    /// Runs it and wants exit 0.
    async fn works(&self, command: &str) -> String {
        let done = self.run(command).await;
        assert_eq!(done.exit, Exit::Code(0), "{command}\n{}\n{:?}", done.output, done.denials);
        done.output
    }

    /// Runs it and wants any other end.
    async fn fails(&self, command: &str) -> Done {
        let done = self.run(command).await;
        assert_ne!(done.exit, Exit::Code(0), "{command}\n{}", done.output);
        done
    }
}

fn quiet() -> Watch {
    Watch { output: Arc::new(|_| {}), cancel: CancellationToken::new() }
}

fn walled() -> Vec<House> {
    [Kind::Namespaces, Kind::Landlock].into_iter().filter_map(House::build).collect()
}

fn everywhere() -> Vec<House> {
    [Kind::Namespaces, Kind::Landlock, Kind::Bare].into_iter().filter_map(House::build).collect()
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if !found.status.success() {
        house::stage::skip(&format!("{program} is not installed"));
    }
    found.status.success()
}

fn init_repository(root: &Path) {
    for arguments in [
        &["init", "-q", "."][..],
        &["config", "user.email", "a@example.com"],
        &["config", "user.name", "A"],
        &["add", "."],
        &["commit", "-q", "--allow-empty", "-m", "start"],
    ] {
        let done = Command::new("git").args(arguments).current_dir(root).output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

/// Whether a process with this text in its command line is alive on the host.
fn is_alive(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let pid: Option<u32> = entry.file_name().to_str().and_then(|name| name.parse().ok());
        pid.is_some_and(|pid| pid != std::process::id()) && String::from_utf8_lossy(&line).contains(mark)
    })
}

async fn is_alive_soon(mark: &str) -> bool {
    // Not the shell's own text: the program it started.
    let mark = format!("sleep\0{mark}");
    for _ in 0..500 {
        if is_alive(&mark) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

async fn is_gone_soon(mark: &str) -> bool {
    for _ in 0..500 {
        if !is_alive(mark) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn shows_exit_code_signal_output_and_errors_interleaved() {
    for house in everywhere() {
        let done = house.run("echo one; echo two >&2; echo three; exit 7").await;
        assert_eq!(done.exit, Exit::Code(7));
        assert_eq!(done.output, "one\ntwo\nthree\n");
        assert_eq!(house.run("kill -SEGV $$").await.exit, Exit::Signal(11));
        assert_eq!(house.run("no-such-program-here").await.exit, Exit::Code(127));
    }
}

#[tokio::test]
async fn streams_output_while_the_command_runs() {
    for house in everywhere() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let began = Instant::now();
        let sink = seen.clone();
        let output = move |text: &str| sink.lock().unwrap().push((began.elapsed(), text.to_owned()));
        let watch = Watch { output: Arc::new(output), cancel: CancellationToken::new() };
        let command = "echo first; sleep 1; printf 'gr\\xc3'; sleep 0.1; printf '\\xbc\\n'".to_owned();
        let job = Job { command, workdir: house.root.clone(), timeout: Duration::from_secs(20) };
        house.sandbox.run(job, watch).await.unwrap();
        let seen = seen.lock().unwrap();
        assert_eq!(seen[0].1, "first\n");
        let all: String = seen.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(all, "first\ngrü\n");
        let gap = seen.last().unwrap().0.saturating_sub(seen[0].0);
        assert!(gap >= Duration::from_millis(900), "{gap:?}");
    }
}

#[tokio::test]
async fn gives_no_variable_of_the_agent_to_a_command() {
    // Cargo's own variables stand in for keys: they are in this process and must not be in a child.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    for house in everywhere() {
        let output = house.works("env | cut -d= -f1 | sort | tr '\\n' ' '; cat /proc/self/environ").await;
        assert!(!output.contains("CARGO_MANIFEST") && !output.contains("API_KEY"), "{output}");
        for name in output.lines().next().unwrap().split(' ') {
            let known = [
                "PATH", "HOME", "LANG", "TERM", "TZ", "USER", "SHELL", "TMPDIR", "PWD", "SHLVL", "_",
                "OLDPWD",
            ];
            let toolchain = ["RUSTUP_HOME", "CARGO_HOME", "PYENV_ROOT", "NVM_DIR"];
            let fine = known.contains(&name) || name.starts_with("LC_") || toolchain.contains(&name);
            assert!(fine || name.is_empty() || name.contains('\0'), "{name} in {output}");
        }
    }
    if let Some(house) = House::build(Kind::Namespaces) {
        let output = house.run("cat /proc/1/environ; cat /proc/1/maps; ls -l /proc/1/fd").await.output;
        assert!(output.to_lowercase().contains("denied"), "{output}");
        let pids = house.works("ls -d /proc/[0-9]*").await;
        assert!(pids.lines().count() < 5, "{pids}");
    }
}

#[tokio::test]
async fn closes_standard_input() {
    for house in everywhere() {
        let began = Instant::now();
        assert_eq!(house.works("cat; read line; echo done").await, "done\n");
        assert!(began.elapsed() < Duration::from_mins(1));
    }
}

#[tokio::test]
async fn ends_the_whole_tree_at_the_limit() {
    for (number, house) in everywhere().into_iter().enumerate() {
        let mark = format!("98{number}.71");
        let command = format!("trap '' TERM; (trap '' TERM; sleep {mark}) & sleep {mark}; sleep {mark}");
        let began = Instant::now();
        let done = house.run_for(&command, Duration::from_millis(400)).await;
        assert_eq!(done.exit, Exit::TimedOut);
        assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
        assert!(is_gone_soon(&mark).await, "a process of the tree goes on");
    }
}

#[tokio::test]
async fn ends_the_whole_tree_when_cancelled() {
    for (number, house) in everywhere().into_iter().enumerate() {
        let mark = format!("97{number}.73");
        let watch = quiet();
        let cancel = watch.cancel.clone();
        let command = format!("sleep {mark} & sleep {mark}");
        let job = Job { command, workdir: house.root.clone(), timeout: Duration::from_mins(1) };
        let sandbox = house.sandbox.clone();
        let task = tokio::spawn(async move { sandbox.run(job, watch).await });
        assert!(is_alive_soon(&mark).await, "the command has not started");
        cancel.cancel();
        assert_eq!(task.await.unwrap().unwrap().exit, Exit::Cancelled);
        assert!(is_gone_soon(&mark).await, "a process of the tree goes on");
    }
}

#[tokio::test]
async fn ends_the_whole_tree_when_the_call_is_dropped() {
    for (number, house) in everywhere().into_iter().enumerate() {
        let mark = format!("95{number}.79");
        let job = Job {
            command: format!("sleep {mark} & sleep {mark}"),
            workdir: house.root.clone(),
            timeout: Duration::from_mins(1),
        };
        let sandbox = house.sandbox.clone();
        let task = tokio::spawn(async move { sandbox.run(job, quiet()).await });
        assert!(is_alive_soon(&mark).await, "the command has not started");
        task.abort();
        assert!(is_gone_soon(&mark).await, "a process of the tree goes on");
    }
}

#[tokio::test]
async fn ends_the_whole_tree_when_the_agent_is_killed() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    let mark = "94.83";
    let mut agent = Command::new(env!("CARGO_BIN_EXE_agent"))
        .args(["sandbox", "--workspace"])
        .arg(&house.root)
        .args(["--", "sh", "-c", &format!("setsid sleep {mark} & sleep {mark}")])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    assert!(is_alive_soon(mark).await, "the command has not started");
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(is_gone_soon(mark).await, "a process of the tree goes on");
}

#[tokio::test]
async fn runs_beside_files_whose_names_are_no_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let Some(house) = House::build(Kind::Namespaces) else { return };
    let name = std::ffi::OsStr::from_bytes(b"odd-\xff.env");
    std::fs::write(house.root.join(name), "FAKE-env-canary").unwrap();
    assert_eq!(house.works("cat odd*").await, "");
}

#[tokio::test]
async fn works_in_a_workspace_that_is_reached_by_a_link() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    house.file("a.txt", "here\n");
    let link = house.root.parent().unwrap().join("link");
    std::os::unix::fs::symlink(&house.root, &link).unwrap();
    let sandbox = open(&link, &house.state, Path::new(env!("CARGO_BIN_EXE_agent")), Wish::Auto);
    let job =
        Job { command: "cat a.txt".into(), workdir: house.root.clone(), timeout: Duration::from_mins(1) };
    assert_eq!(sandbox.run(job, quiet()).await.unwrap().output, "here\n");
}

#[tokio::test]
async fn ends_daemons_that_left_the_session() {
    for (number, house) in walled().into_iter().enumerate() {
        let mark = format!("96{number}.77");
        let began = Instant::now();
        let done =
            house.run(&format!("setsid nohup sleep {mark} & setsid sh -c 'sleep {mark} & ' ; echo ok")).await;
        assert_eq!(done.exit, Exit::Code(0));
        assert!(began.elapsed() < Duration::from_mins(1));
        assert!(is_gone_soon(&mark).await, "a daemon goes on");
    }
}

#[tokio::test]
async fn stops_reading_when_the_leader_has_ended_even_if_a_daemon_holds_the_pipe() {
    for house in everywhere() {
        let began = Instant::now();
        let done = house.run("setsid sleep 30.31 & echo here").await;
        assert_eq!(done.output, "here\n");
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn bounds_endless_output() {
    for house in everywhere() {
        assert_eq!(house.works("yes | head -n 2").await, "y\ny\n");
        let done = house.run_for("echo start; yes 0123456789abcdef", Duration::from_secs(2)).await;
        assert_eq!(done.exit, Exit::TimedOut);
        assert!(done.total > 100_000, "{}", done.total);
        assert!(done.output.len() < 60 * 1024, "{}", done.output.len());
        assert!(done.output.starts_with("start\n") && done.output.contains("bytes cut here"));
        let log = done.log.unwrap();
        assert!(log.starts_with(&house.state));
        assert!(std::fs::metadata(&log).unwrap().len() <= 64 * 1024 * 1024);
    }
}

#[tokio::test]
async fn keeps_writes_inside_the_workspace() {
    for house in walled() {
        let outside = house.root.parent().unwrap().join("outside");
        std::fs::write(&outside, "before").unwrap();
        let path = outside.display();
        for command in [
            format!("echo x > {path}"),
            format!("echo x >> {path}"),
            format!("echo x | tee {path} > /dev/null"),
            format!("python3 -c \"open('{path}','w').write('x')\""),
            format!("cp /etc/hostname {path}"),
            format!("mv {path} {path}.moved"),
            format!("rm {path}"),
            format!("ln -s {path} link && echo x > link"),
            format!("sed -i s/b/x/ {path}"),
            "echo x > /etc/agent-was-here".to_owned(),
            "echo x > /usr/agent-was-here".to_owned(),
            "mkdir /var/agent-was-here".to_owned(),
            "echo x > ../outside".to_owned(),
            "echo 1 > /proc/sys/vm/drop_caches".to_owned(),
            "echo h > /proc/sysrq-trigger".to_owned(),
        ] {
            house.run(&command).await;
            assert_eq!(std::fs::read_to_string(&outside).unwrap(), "before", "{command}");
        }
        assert!(!Path::new("/etc/agent-was-here").exists() && !Path::new("/usr/agent-was-here").exists());
        let done = house.fails("echo x > /etc/agent-was-here").await;
        assert!(!done.denials.is_empty() && done.denials[0].contains("/etc/agent-was-here"), "{done:?}");
        house.works("echo inside > file && cat file").await;
    }
}

#[tokio::test]
async fn hides_homes_and_machine_secrets() {
    for house in walled() {
        let home = std::env::var("HOME").unwrap();
        for path in [format!("{home}/.ssh/id_rsa"), format!("{home}/.bash_history"), "/etc/shadow".into()] {
            assert_eq!(house.run(&format!("cat {path} 2>/dev/null")).await.output, "", "{path}");
        }
        assert_eq!(house.run("cat /proc/kcore 2>/dev/null | head -c 4").await.output, "");
        let disks =
            house.run("ls /dev; head -c 16 /dev/vda /dev/sda /dev/mem 2>/dev/null | wc -c").await.output;
        assert!(disks.ends_with("0\n"), "{disks}");
    }
}

#[tokio::test]
async fn blanks_env_files_but_not_their_examples() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    house.file(".env", "KEY=FAKE-env-canary\n");
    house.file("services/api/.env.production", "KEY=FAKE-env-canary\n");
    house.file(".env.example", "KEY=fill-me-in\n");
    let done = house.run("cat .env services/api/.env.production .env.example; cat .env >/dev/null").await;
    assert_eq!(done.output, "KEY=fill-me-in\n");
    assert!(done.denials.iter().any(|denial| denial.contains(".env reads as empty")), "{:?}", done.denials);
    for command in [
        "grep -r canary .",
        "python3 -c \"print(open('.env').read())\"",
        "git diff --no-index /dev/null .env",
        "cp .env x; cat x",
    ] {
        assert!(!house.run(command).await.output.contains("canary"), "{command}");
    }
    house.run("rm -f .env; mv .env y; echo x > .env").await;
    assert_eq!(std::fs::read_to_string(house.root.join(".env")).unwrap(), "KEY=FAKE-env-canary\n");
}

#[tokio::test]
async fn refuses_to_run_beside_secrets_it_cannot_hide() {
    let Some(house) = House::build(Kind::Landlock) else { return };
    house.file(".env", "KEY=FAKE-env-canary\n");
    let job = Job { command: "true".into(), workdir: house.root.clone(), timeout: Duration::from_secs(9) };
    match house.sandbox.run(job, quiet()).await {
        Err(SandboxError::Walls(why)) => assert!(why.contains(".env") && !why.contains("canary"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keeps_hooks_config_and_settings_as_they_are() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    if !has("git") {
        return;
    }
    house.file("a.txt", "a\n");
    house.file(".agent/settings.toml", "mode = \"ask\"\n");
    house.file(".claude/settings.json", "{}\n");
    init_repository(&house.root);
    let config = std::fs::read_to_string(house.root.join(".git/config")).unwrap();
    for command in [
        "echo x > .git/hooks/pre-commit",
        "git config core.fsmonitor ./evil",
        "echo '[core]' >> .git/config",
        "mv .git/hooks .git/old && mkdir .git/hooks && echo x > .git/hooks/pre-commit",
        "mv .git elsewhere",
        "rm -rf .git/hooks",
        "echo x > .agent/settings.toml",
        "rm -rf .agent",
        "echo x > .claude/settings.json",
    ] {
        house.fails(command).await;
    }
    assert_eq!(std::fs::read_to_string(house.root.join(".git/config")).unwrap(), config);
    assert!(!house.root.join(".git/hooks/pre-commit").exists());
    assert!(house.root.join(".agent/settings.toml").exists());
}

#[tokio::test]
async fn puts_settings_aside_that_a_command_creates() {
    for house in walled() {
        if !has("git") {
            return;
        }
        house.file("a.txt", "a\n");
        init_repository(&house.root);
        let config = std::fs::read_to_string(house.root.join(".git/config")).unwrap();
        let done = house
            .run(
                "mkdir .claude; echo x > .claude/settings.json; echo /x > .git/commondir; echo x > .git/config.worktree; \
                 echo x > .git/hooks/pre-push; echo '[core] fsmonitor = x' >> .git/config; echo fine > fine",
            )
            .await;
        for path in [".claude", ".git/commondir", ".git/config.worktree", ".git/hooks/pre-push"] {
            assert!(!house.root.join(path).exists(), "{path}: {done:?}");
        }
        assert_eq!(std::fs::read_to_string(house.root.join(".git/config")).unwrap(), config);
        assert!(house.root.join("fine").exists());
        assert!(done.denials.iter().any(|denial| denial.contains(".claude")), "{:?}", done.denials);
    }
}

#[tokio::test]
async fn lets_everyday_git_work() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    if !has("git") {
        return;
    }
    house.file("a.txt", "one\n");
    init_repository(&house.root);
    house.file("a.txt", "two\n");
    assert_eq!(house.works("git status --short").await, " M a.txt\n");
    assert!(house.works("git diff").await.contains("+two"));
    house.works("git stash && git stash pop").await;
    house.works("git checkout -q -b topic && git commit -qam change && git log --oneline | cat").await;
    house.works("git checkout -q - && git merge -q topic && git show --stat").await;
    house.works("cd /tmp && git init -q x && cd x && touch f && git add f").await;
}

#[tokio::test]
async fn lets_git_look_from_a_linked_worktree() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    if !has("git") {
        return;
    }
    let main = house.root.parent().unwrap().join("main");
    std::fs::create_dir(&main).unwrap();
    std::fs::remove_dir(&house.root).unwrap();
    std::fs::write(main.join("a.txt"), "one\n").unwrap();
    init_repository(&main);
    let added = Command::new("git")
        .args(["worktree", "add", "-q", "-b", "topic"])
        .arg(&house.root)
        .current_dir(&main)
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    // The folder was made anew, so it is looked at anew.
    let sandbox = open(&house.root, &house.state, Path::new(env!("CARGO_BIN_EXE_agent")), Wish::Auto);
    std::fs::write(house.root.join("a.txt"), "two\n").unwrap();
    let run = async |command: &str| {
        let job =
            Job { command: command.into(), workdir: house.root.clone(), timeout: Duration::from_mins(1) };
        sandbox.run(job, quiet()).await.unwrap()
    };
    let done = run("git status --short && git log --oneline | wc -l && git diff | grep +two").await;
    assert_eq!(done.output, " M a.txt\n1\n+two\n");
    assert_ne!(run("echo x > ../main/.git/hooks/pre-commit").await.exit, Exit::Code(0));
    assert_ne!(run("cat ../main/a.txt").await.exit, Exit::Code(0));
    // A pointer that the other side does not confirm opens nothing.
    let private = house.root.parent().unwrap().join("private");
    std::fs::create_dir_all(private.join("objects")).unwrap();
    std::fs::write(private.join("HEAD"), "FAKE-head-canary").unwrap();
    std::fs::write(house.root.join(".git"), format!("gitdir: {}\n", private.display())).unwrap();
    let sandbox = open(&house.root, &house.state, Path::new(env!("CARGO_BIN_EXE_agent")), Wish::Auto);
    let job = Job {
        command: format!("cat {}/HEAD", private.display()),
        workdir: house.root.clone(),
        timeout: Duration::from_mins(1),
    };
    assert_ne!(sandbox.run(job, quiet()).await.unwrap().exit, Exit::Code(0));
}

#[tokio::test]
async fn lets_nothing_leave_the_machine() {
    for house in walled() {
        let script = "import socket\ns=socket.socket(); s.settimeout(3); s.connect(('192.0.2.1',80))";
        let done = house.fails(&format!("python3 -c \"{script}\"")).await;
        assert!(
            done.denials.iter().any(|denial| denial.contains("network") || denial.contains("call")),
            "{done:?}"
        );
        let script = "import socket\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.sendto(b'x',('192.0.2.1',53))";
        house.fails(&format!("python3 -c \"{script}\"")).await;
        house.fails("exec 3<>/dev/tcp/192.0.2.1/80").await;
        house.fails("python3 -c \"import socket; socket.getaddrinfo('example.com',80)\"").await;
    }
}

#[tokio::test]
async fn does_not_reach_servers_and_sockets_of_the_host() {
    for house in walled() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        house.fails(&format!("exec 3<>/dev/tcp/127.0.0.1/{port}")).await;
        let path = house.root.parent().unwrap().join("host.sock");
        let _unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let script =
            format!("import socket\ns=socket.socket(socket.AF_UNIX); s.connect('{}')", path.display());
        house.fails(&format!("python3 -c \"{script}\"")).await;
        house.fails(&format!("kill -0 {}", std::process::id())).await;
    }
}

#[tokio::test]
async fn lets_a_server_on_loopback_work() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    house.file("hello.txt", "hello from loopback\n");
    let output = house
        .works(
            "python3 -m http.server 8765 >/dev/null 2>&1 &\n\
             for i in $(seq 50); do python3 - <<'PY' && break\n\
             import urllib.request\n\
             print(urllib.request.urlopen('http://127.0.0.1:8765/hello.txt').read().decode(), end='')\n\
             PY\n\
             sleep 0.1; done 2>/dev/null",
        )
        .await;
    assert_eq!(output, "hello from loopback\n");
}

#[tokio::test]
async fn refuses_tracing_mounts_and_new_namespaces() {
    for house in walled() {
        for command in [
            "unshare -U true",
            "unshare -rm true",
            "mount -t tmpfs none /tmp",
            "chroot / true",
            "python3 -c \"import ctypes,sys; l=ctypes.CDLL(None); sys.exit(0 if l.ptrace(0,0,0,0)==0 else 1)\"",
            "python3 -c \"import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\"",
            "python3 -c \"import socket; socket.socket(40, socket.SOCK_STREAM)\"",
            "python3 -c \"import socket; socket.socket(38, socket.SOCK_SEQPACKET)\"",
            "python3 -c \"import ctypes,sys; l=ctypes.CDLL(None); sys.exit(0 if l.syscall(425,1,0)>=0 else 1)\"",
            "python3 -c \"import fcntl; fcntl.ioctl(0, 0x5412, b'x')\"",
        ] {
            house.fails(command).await;
        }
        let caps = house.works("grep -E 'Cap(Eff|Prm|Bnd|Amb)|NoNewPrivs|Seccomp:' /proc/self/status").await;
        for line in caps.lines().filter(|line| line.starts_with("Cap")) {
            assert!(line.ends_with("0000000000000000") || !line.starts_with("CapEff"), "{caps}");
        }
        assert!(caps.contains("NoNewPrivs:\t1") && caps.contains("Seccomp:\t2"), "{caps}");
    }
}

#[tokio::test]
async fn contains_a_fork_storm() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    let done = house.run_for("f() { f | f & }; f; sleep 60", Duration::from_secs(1)).await;
    assert_eq!(done.exit, Exit::TimedOut);
    assert_eq!(house.works("echo still here").await, "still here\n");
}

#[tokio::test]
async fn keeps_toolchains_below_the_home_usable() {
    for house in walled() {
        house.works("python3 -c 'import json, ssl, sqlite3, ctypes; print(1)'").await;
        if has("cargo") {
            house.works("cargo --version && rustc --version").await;
        }
        if has("node") {
            house.works("node -e 'console.log(require(\"os\").cpus().length > 0)'").await;
        }
    }
}

#[tokio::test]
async fn lets_tests_of_projects_run() {
    let Some(house) = House::build(Kind::Namespaces) else { return };
    house.file(
        "test_a.py",
        "import unittest\nclass T(unittest.TestCase):\n  def test_one(self):\n    self.assertEqual(1, 1)\n",
    );
    house.works("python3 -m unittest -q").await;
    if has("script") {
        house.works("script -qc true /dev/null").await;
    }
    house.works("python3 -c 'import multiprocessing as m; p=m.Pool(2); print(p.map(abs,[1,-2]))'").await;
    if has("node") && has("npm") {
        house.file(
            "package.json",
            "{\"name\":\"x\",\"version\":\"1.0.0\",\"scripts\":{\"test\":\"node --test\"}}",
        );
        house.file("a.test.js", "const t=require('node:test');t('one',()=>{});");
        let output = house.works("npm test").await;
        assert!(output.contains("pass 1"), "{output}");
    }
    if has("cargo") {
        house.file("Cargo.toml", "[package]\nname=\"x\"\nversion=\"0.1.0\"\nedition=\"2021\"\n");
        house.file("src/lib.rs", "#[test]\nfn one() {}\n");
        let output = house.works("cargo test --offline 2>&1").await;
        assert!(output.contains("1 passed"), "{output}");
    }
}

#[tokio::test]
async fn lets_shell_idioms_work() {
    for house in walled() {
        for command in [
            "printf 'b\\na\\n' | sort | head -n 1 | grep -q a",
            "cat <<'END' > notes.txt\nline\nEND\ntest -s notes.txt",
            "diff <(echo a) <(echo a)",
            "x=$(mktemp) && echo hi > $x && grep -q hi $x",
            "sleep 0.1 & wait",
            "mkdir -p deep/er && touch deep/er/f && rm -r deep",
            "echo hi > /dev/null; echo hi > /dev/stderr",
            "test -w $HOME && echo x > ~/.cache-test",
            "chmod +x notes.txt 2>/dev/null; true",
            "tar czf a.tgz notes.txt && tar xzf a.tgz",
            "python3 -c 'import tempfile; tempfile.mkdtemp()'",
        ] {
            house.works(command).await;
        }
    }
}

#[tokio::test]
async fn lets_commands_read_the_full_log_and_nothing_else_of_the_state() {
    for house in walled() {
        std::fs::create_dir_all(&house.state).unwrap();
        std::fs::write(house.state.join("session.jsonl"), "FAKE-session-canary").unwrap();
        let done = house.run("seq 20000").await;
        let log = done.log.unwrap();
        assert!(done.output.contains(&log.display().to_string()));
        assert_eq!(house.works(&format!("sed -n 10000p {}", log.display())).await, "10000\n");
        house.fails(&format!("cat {}/session.jsonl", house.state.display())).await;
        house.fails(&format!("echo x >> {}", log.display())).await;
    }
}

#[tokio::test]
async fn tells_the_model_what_the_walls_refused() {
    use agent::policy::{Mode, Policy, Verdict};
    use agent::tool::{Progress, Tool as _, World, bash::Bash};
    let Some(house) = House::build(Kind::Namespaces) else { return };
    let workspace = agent::workspace::Workspace::open(&house.root).unwrap();
    let world = World { workspace, sandbox: house.sandbox.clone(), scanner: agent::scan::Scanner::new() };
    let args = serde_json::json!({"command": "touch /etc/agent-was-here"});
    let plan = Bash::new().plan(&args, &Arc::new(world)).unwrap();
    let Verdict::Allow(permit) = Policy::new(Mode::Auto).judge(&plan.action) else { panic!("not allowed") };
    let output = plan.perform(permit, Progress::silent()).await.unwrap();
    assert!(
        output.text.contains("\n[refused: write: ") && output.text.contains("/etc/agent-was-here"),
        "{}",
        output.text
    );
    assert!(output.text.ends_with("sandbox: namespaces]"), "{}", output.text);
    assert_eq!(output.exit, Some(1));
}

#[tokio::test]
async fn runs_nothing_when_no_walls_can_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = open(folder.path(), folder.path(), Path::new("/bin/false"), Wish::Auto);
    assert_eq!(sandbox.level().name, "none");
    assert!(!sandbox.level().missing.is_empty());
    let job =
        Job { command: "touch ran".into(), workdir: folder.path().into(), timeout: Duration::from_secs(5) };
    assert!(matches!(sandbox.run(job, quiet()).await, Err(SandboxError::Walls(_))));
    assert!(!folder.path().join("ran").exists());
}

#[tokio::test]
async fn refuses_a_workspace_that_contains_what_must_stay_hidden() {
    let program = Path::new(env!("CARGO_BIN_EXE_agent"));
    let state = tempfile::tempdir().unwrap();
    for root in ["/", "/var"] {
        let sandbox = open(Path::new(root), state.path(), program, Wish::Auto);
        assert_eq!(sandbox.level().name, "none", "{root}");
        assert!(sandbox.level().missing[0].contains("hidden"), "{:?}", sandbox.level());
    }
}

/// Not a test of truth but of cost; prints medians. `cargo test --test sandbox -- --ignored --nocapture cost`
#[tokio::test]
#[ignore = "a measurement"]
async fn cost_per_command() {
    for kind in [Kind::Bare, Kind::Namespaces, Kind::Landlock] {
        let Some(house) = House::build(kind) else { continue };
        for index in 0..std::env::var("FILES").map_or(2000, |n| n.parse().unwrap()) {
            house.file(&format!("src/{}/{index}.txt", index % 40), "x");
        }
        let mut times = Vec::new();
        for _ in 0..100 {
            let began = Instant::now();
            house.run("true").await;
            times.push(began.elapsed());
        }
        times.sort();
        eprintln!("{kind:?}: least {:?}, median {:?}, p90 {:?}", times[0], times[50], times[90]);
    }
}

/// Package managers write to their caches; what they write is there for the command and gone with it.
#[test]
fn package_caches_take_changes_that_end_with_the_command() {
    let folder = tempfile::Builder::new().prefix("home-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let home = folder.path().canonicalize().unwrap();
    for path in [".cargo/registry/index", ".npm/_cacache", ".cache/pip", ".m2"] {
        std::fs::create_dir_all(home.join(path)).unwrap();
        std::fs::write(home.join(path).join("old"), "old\n").unwrap();
    }
    std::fs::write(home.join(".cargo/credentials.toml"), "FAKE-cache-canary").unwrap();
    std::fs::write(home.join(".m2/settings.xml"), "FAKE-cache-canary").unwrap();
    let stage = house::stage::Stage::empty().env(&[("HOME", home.display().to_string())]);
    let agent = |script: &str| stage.agent(&["sandbox", "--", "bash", "-c", script]);
    let doctor = agent("true");
    if doctor.code != Some(0) || home.starts_with("/tmp") {
        house::stage::skip("no namespaces here, or the build lies in /tmp");
        return;
    }
    let run = agent(
        "set -e; for f in .cargo/registry/index .npm/_cacache .cache/pip .m2; do cd ~/$f; grep -q old old; \
         echo new > new; echo changed > old; mkdir -p deep/er; rm old; cd; done; \
         cat ~/.cargo/credentials.toml ~/.m2/settings.xml; mv ~/.m2/deep ~/.m2/moved",
    );
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{run}");
    for path in [".cargo/registry/index", ".npm/_cacache", ".cache/pip", ".m2"] {
        assert_eq!(std::fs::read_to_string(home.join(path).join("old")).unwrap(), "old\n");
        assert!(!home.join(path).join("new").exists(), "{path}");
    }
    assert_eq!(agent("ls ~/.m2").stdout, "old\nsettings.xml\n");
}

#[tokio::test]
async fn a_commands_memory_is_bounded_and_it_is_the_first_to_go() {
    for house in walled() {
        let output = house.works("ulimit -d; cat /proc/self/oom_score_adj").await;
        let mut lines = output.lines();
        assert!(lines.next().unwrap().parse::<u64>().is_ok(), "a number, not unlimited: {output}");
        assert_eq!(lines.next(), Some("1000"));
        if has("python3") {
            let grab = "python3 -c 'x = [bytearray(1 << 28) for _ in range(100000)]'";
            let done = house.fails(grab).await;
            assert!(done.output.contains("MemoryError"), "{done:?}");
        }
    }
}
