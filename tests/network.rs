//! Network by grant: what a command reaches through the proxy, and every way around that is none.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "tests play the internet and the attacker")]
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code, reason = "tests")]

mod house;

use agent::action::Action;
use agent::network::guard::Guard;
use agent::network::{Fixed, Gate};
use agent::policy::{Mode, Policy, Verdict};
use agent::sandbox::linux::Walls;
use agent::sandbox::{Done, Exit, Job, Sandbox, Watch};
use agent::scan::Scanner;
use agent::tool::{Leave, Progress, Tool, World, bash::Bash};
use agent::workspace::Workspace;
use futures_util::future::BoxFuture;
use house::model::{ModelServer, Turn, Wire};
use house::stage::{Stage, has, skip};
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A web server on the machine's loopback. It counts who comes.
struct Server {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Server {
    /// `words` is what its pages say; `/to/URL` leads to that address.
    fn start(words: &'static str) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visits);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                    let first = lines.next().unwrap_or_default();
                    lines.take_while(|line| !line.is_empty()).for_each(drop);
                    let path = first.split(' ').nth(1).unwrap_or_default();
                    let head = match path.strip_prefix("/to/") {
                        Some(target) => format!("302 Found\r\nLocation: {target}"),
                        None => "200 OK".to_owned(),
                    };
                    let length = words.len();
                    let _ = write!(
                        &stream,
                        "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{words}"
                    );
                });
            }
        });
        Self { port, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

struct Yard {
    walls: Arc<Walls>,
    folder: tempfile::TempDir,
}

impl Yard {
    fn new(lower: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir(&root).unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_agent"));
        let state = folder.path().join("state");
        let walls = if lower {
            Walls::open_without_namespaces(&root, &state, program)
        } else {
            Walls::open(&root, &state, program)
        };
        let names = [
            ("site.test", LOOPBACK),
            ("other.test", LOOPBACK),
            ("inside.test", "10.0.0.1".parse().unwrap()),
            ("metadata.test", "169.254.169.254".parse().unwrap()),
            ("mapped.test", "::ffff:10.0.0.1".parse().unwrap()),
        ];
        let walls = walls.guarded_by(Guard::for_tests(&names));
        let wanted = if lower { "landlock" } else { "namespaces" };
        if walls.level().name != wanted {
            skip(&format!("needs {wanted}, this machine gives {:?}", walls.level()));
            return None;
        }
        Some(Self { walls: Arc::new(walls), folder })
    }

    fn job(&self, command: &str) -> Job {
        let workdir = self.folder.path().join("project").canonicalize().unwrap();
        Job { command: command.into(), workdir, timeout: Duration::from_mins(1) }
    }

    async fn run(&self, command: &str, gate: impl Gate + 'static) -> Done {
        self.walls.run_reaching(self.job(command), quiet(), Arc::new(gate)).await.unwrap()
    }

    fn world(&self) -> Arc<World> {
        let workspace = Workspace::open(&self.folder.path().join("project")).unwrap();
        Arc::new(World { workspace, sandbox: Arc::clone(&self.walls) as _, scanner: Scanner::new() })
    }
}

fn quiet() -> Watch {
    Watch { output: Arc::new(|_| {}), cancel: CancellationToken::new() }
}

/// Admits what policy admits when this is allowed and nobody is asked.
fn granted(hosts: &[&str]) -> impl Gate + use<> {
    let mut policy = Policy::new(Mode::Yes);
    for host in hosts {
        policy.allow_host(host).unwrap();
    }
    Fixed(move |host: &str, port: u16| {
        let action = Action::Connect { host: host.into(), port, command: "x".into() };
        match policy.judge(&action) {
            Verdict::Allow(_) => Ok(()),
            _ => Err("not granted".into()),
        }
    })
}

#[tokio::test]
async fn commands_reach_a_granted_host_with_their_usual_tools() {
    let Some(yard) = Yard::new(false) else { return };
    let server = Server::start("INTERNET");
    let gate =
        || granted(&[&format!("site.test:{}", server.port), "inside.test", "metadata.test", "mapped.test"]);
    let url = format!("http://site.test:{}/page", server.port);
    let mut visits = 0;
    for (program, script) in [
        ("curl", format!("curl -sSf {url}")),
        ("curl", format!("curl -sSfp {url}")),
        ("curl", format!("curl -sSf -d some=data {url}")),
        ("curl", format!("curl -sSfL http://site.test:{0}/to/http://site.test:{0}/page", server.port)),
        ("python3", format!("python3 -c \"import urllib.request as u; print(u.urlopen('{url}').read())\"")),
        ("node", format!("node -e \"fetch('{url}').then(r => r.text()).then(console.log)\"")),
    ] {
        if !has(program) {
            continue;
        }
        if program == "node" && !node_takes_proxies() {
            skip("this node does not look at proxy variables");
            continue;
        }
        let done = yard.run(&script, gate()).await;
        assert!(done.exit == Exit::Code(0) && done.output.contains("INTERNET"), "{script}: {done:?}");
        assert!(server.visits() > visits, "{script}");
        assert!(done.reached.len() == 1 && done.reached[0].starts_with("site.test:"), "{:?}", done.reached);
        assert!(done.denials.is_empty(), "{:?}", done.denials);
        visits = server.visits();
    }
}

fn node_takes_proxies() -> bool {
    let shown = std::process::Command::new("node").arg("--version").output().unwrap().stdout;
    let major =
        String::from_utf8_lossy(&shown).trim_start_matches('v').split('.').next().unwrap().parse::<u32>();
    major.is_ok_and(|major| major >= 24)
}

/// Servers of the command's own go on working beside the proxy, without passing through it.
#[tokio::test]
async fn loopback_stays_the_commands_own() {
    let Some(yard) = Yard::new(false) else { return };
    if !has("python3") || !has("curl") {
        return;
    }
    let script = "echo own > page; python3 -m http.server 8765 --bind 127.0.0.1 >/dev/null 2>&1 & \
                  for i in $(seq 80); do for host in 127.0.0.1 localhost; do \
                  curl -sf http://$host:8765/page && done=1; done; [ -n \"$done\" ] && exit 0; sleep 0.1; done; exit 1";
    let done = yard.run(script, granted(&["site.test"])).await;
    assert!(done.exit == Exit::Code(0) && done.output.contains("own"), "{done:?}");
    assert!(done.reached.is_empty() && done.denials.is_empty(), "{done:?}");
}

#[tokio::test]
async fn without_a_grant_there_is_no_network_and_no_proxy() {
    let Some(yard) = Yard::new(false) else { return };
    let server = Server::start("INTERNET");
    let script = format!(
        "env | grep -i proxy; curl -sm3 http://site.test:{0}/; curl -sm3 http://127.0.0.1:{0}/; \
         curl -sm3 -x http://127.0.0.1:61080 http://site.test:{0}/; true",
        server.port
    );
    let done = yard.walls.run(yard.job(&script), quiet()).await.unwrap();
    assert_eq!((done.output.as_str(), server.visits()), ("", 0));
}

/// Each attack wants the words of a server on the machine's loopback that nobody granted.
#[tokio::test]
async fn no_way_around_the_grant() {
    let Some(yard) = Yard::new(false) else { return };
    if !has("curl") || !has("python3") {
        return;
    }
    let site = Server::start("INTERNET");
    let victim = Server::start("FAKE-victim-canary");
    let (port, other) = (site.port, victim.port);
    let raw = |words: &str| {
        format!(
            "python3 - <<'END'\nimport socket\ns = socket.create_connection(('127.0.0.1', 61080))\ns.settimeout(3)\n\
             s.sendall({words})\nout = b''\ntry:\n    while True:\n        piece = s.recv(4096)\n        \
             if not piece: break\n        out += piece\nexcept OSError: pass\nprint(out)\nraise SystemExit(0 if b'canary' in out else 1)\nEND"
        )
    };
    let through = "curl -sSfm3 --noproxy '' -x $http_proxy".to_string();
    let mut attacks = vec![
        format!("curl -sSfm3 --noproxy '*' http://127.0.0.1:{other}/"),
        format!("curl -sSfm3 --noproxy '*' http://other.test:{other}/"),
        format!("{through} http://127.0.0.1:{other}/"),
        format!("{through} http://localhost:{other}/"),
        format!("{through} http://[::1]:{other}/"),
        format!("{through} -p http://[::ffff:127.0.0.1]:{other}/"),
        format!("{through} -p http://169.254.169.254/latest/meta-data/"),
        format!("{through} http://metadata.google.internal/"),
        format!("{through} http://metadata.test/"),
        format!("{through} -p http://inside.test/"),
        format!("{through} -p http://mapped.test/"),
        format!("{through} http://other.test:{other}/"),
        format!("{through} -p http://other.test:{other}/"),
        format!("{through} http://site.test:{other}/"),
        format!("{through} -p http://site.test:{other}/"),
        format!("{through} -H 'Host: other.test:{other}' http://site.test:{port}/"),
        format!("{through} http://site.test:{port}@other.test:{other}/"),
        format!("{through} http://other.test.site.test:{other}/"),
        format!("{through} -L http://site.test:{port}/to/http://other.test:{other}/ | grep canary"),
        format!("{through} -L http://site.test:{port}/to/http://127.0.0.1:{other}/ | grep canary"),
        format!("{through} --connect-to site.test:{port}:other.test:{other} -p http://site.test:{port}/"),
        format!("{through} --resolve site.test:{port}:127.0.0.1 http://site.test:{port}/ | grep canary"),
        format!("{through} ftp://other.test:{other}/"),
        format!("curl -sSfm3 --socks5-hostname 127.0.0.1:61080 http://other.test:{other}/"),
        format!("exec 3<>/dev/tcp/127.0.0.1/{other} && echo x >&3"),
        format!("python3 -c \"import socket; socket.create_connection(('127.0.0.1', {other}), 3)\""),
    ];
    for number in ["2130706433", "0x7f000001", "017700000001", "127.1", "0x7f.1", "0"] {
        attacks.push(raw(&format!(
            "b'CONNECT {number}:{other} HTTP/1.1\\r\\n\\r\\nGET / HTTP/1.1\\r\\n\\r\\n'"
        )));
    }
    for words in [
        format!(
            "b'GET http://site.test:{port}/ HTTP/1.1\\r\\n\\r\\nGET http://other.test:{other}/ HTTP/1.1\\r\\n\\r\\n'"
        ),
        format!("b'GET http://site.test:{port}/ HTTP/1.1\\r\\nX: y\\nHost: other.test:{other}\\r\\n\\r\\n'"),
        format!("b'GET http://site.test\\0.x:{port}/ HTTP/1.1\\r\\n\\r\\n'"),
        format!(
            "b'POST http://site.test:{port}/ HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\nContent-Length: 4\\r\\n\\r\\n0\\r\\n\\r\\nGET http://other.test:{other}/ HTTP/1.1\\r\\n\\r\\n'"
        ),
        format!("b'CONNECT site.test:{port}\\t@other.test:{other} HTTP/1.1\\r\\n\\r\\n'"),
        format!("b'CONNECT site.test:{port} other.test:{other} HTTP/1.1\\r\\n\\r\\n'"),
        format!("b'CONNECT other.test:{other}\\r\\nX: HTTP/1.1\\r\\n\\r\\n'"),
        format!("b'CONNECT OTHER.test.:{other} HTTP/1.1\\r\\n\\r\\nGET / HTTP/1.1\\r\\n\\r\\n'"),
    ] {
        attacks.push(raw(&words));
    }
    for attack in &attacks {
        let done = yard
            .run(
                attack,
                granted(&[&format!("site.test:{port}"), "metadata.test", "inside.test", "mapped.test"]),
            )
            .await;
        assert_ne!(done.exit, Exit::Code(0), "{attack}\n{done:?}");
        assert!(!done.output.contains("canary"), "{attack}\n{done:?}");
        assert_eq!(victim.visits(), 0, "{attack}\n{done:?}");
    }
    // The twin: the same host by the same way, when it is granted.
    let twin = format!("{through} http://other.test:{other}/ && {through} -p http://other.test:{other}/");
    let done = yard.run(&twin, granted(&[&format!("other.test:{other}")])).await;
    assert!(done.exit == Exit::Code(0) && victim.visits() == 2, "{done:?}");
    assert!(attacks.len() >= 40, "{}", attacks.len());
}

#[tokio::test]
async fn what_was_refused_is_told_with_host_and_reason() {
    let Some(yard) = Yard::new(false) else { return };
    let done =
        yard.run("curl -sSfm3 http://other.test/ ; curl -sSfm3 https://other.test/", granted(&[])).await;
    assert_ne!(done.exit, Exit::Code(0));
    for port in [80, 443] {
        let line = format!("network: other.test:{port}: not granted");
        assert!(done.denials.contains(&line), "{:?}", done.denials);
    }
}

/// The proxy ends with its command, whatever is still open.
#[tokio::test]
async fn nothing_of_a_command_keeps_its_network() {
    let Some(yard) = Yard::new(false) else { return };
    let site = Server::start("INTERNET");
    let url = format!("http://site.test:{}/", site.port);
    let script = format!("(setsid sh -c 'sleep 2; curl -sm3 {url}' >/dev/null 2>&1 &) ; curl -sSf {url}");
    let done = yard.run(&script, granted(&[&format!("site.test:{}", site.port)])).await;
    assert_eq!(done.exit, Exit::Code(0), "{done:?}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(site.visits(), 1);
}

#[tokio::test]
async fn without_namespaces_no_host_can_be_allowed_and_it_is_said() {
    let Some(yard) = Yard::new(true) else { return };
    let site = Server::start("INTERNET");
    let script = format!("env | grep -i proxy; curl -sSfm3 http://site.test:{}/", site.port);
    let done = yard.run(&script, granted(&["*"])).await;
    assert_ne!(done.exit, Exit::Code(0));
    assert!(!done.output.contains("http_proxy"), "{done:?}");
    assert!(
        done.denials.iter().any(|line| line.contains("without namespaces no host")),
        "{:?}",
        done.denials
    );
    assert!(yard.walls.level().missing.iter().any(|line| line.contains("allowed hosts")));
    assert_eq!(site.visits(), 0);
}

/// Admits everything after a while, as a person does.
struct Slow(Duration);

impl Gate for Slow {
    fn admit<'a>(&'a self, _host: &'a str, _port: u16) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async {
            tokio::time::sleep(self.0).await;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_commands_time_does_not_run_while_somebody_is_asked() {
    let Some(yard) = Yard::new(false) else { return };
    let site = Server::start("INTERNET");
    let job = |script: String| Job { timeout: Duration::from_secs(2), ..yard.job(&script) };
    let gate = || Arc::new(Slow(Duration::from_secs(4)));
    let patient = job(format!("curl -sSf http://site.test:{}/", site.port));
    let done = yard.walls.run_reaching(patient, quiet(), gate()).await.unwrap();
    assert!(done.exit == Exit::Code(0) && done.output.contains("INTERNET"), "{done:?}");
    let endless = job(format!("curl -sSf http://site.test:{}/; sleep 60", site.port));
    let done = yard.walls.run_reaching(endless, quiet(), gate()).await.unwrap();
    assert_eq!(done.exit, Exit::TimedOut);
}

#[tokio::test]
async fn somebody_is_asked_once_for_each_host_of_a_command() {
    let Some(yard) = Yard::new(false) else { return };
    let site = Server::start("INTERNET");
    let victim = Server::start("FAKE-victim-canary");
    let (port, other) = (site.port, victim.port);
    let command = format!(
        "for i in 1 2 3; do curl -sS http://site.test:{port}/ || exit 1; curl -sSf http://other.test:{other}/; done; true"
    );
    let world = yard.world();
    let bash = Bash::new();
    let plan = bash.plan(&json!({"command": command}), &world).unwrap();
    let Verdict::Allow(permit) = Policy::new(Mode::Auto).judge(&plan.action) else { panic!("not allowed") };
    let (asking, mut asked) = tokio::sync::mpsc::unbounded_channel::<agent::tool::Request>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Some(request) = asked.recv().await {
            let Action::Connect { host, .. } = &request.action else { panic!("{:?}", request.action) };
            log.lock().unwrap().push(host.clone());
            let answer = if host == "site.test" { Ok(()) } else { Err("the user said no".into()) };
            let _ = request.answer.send(answer);
        }
    });
    let progress = Progress { leave: Leave::of(Policy::new(Mode::Auto), asking), ..Progress::silent() };
    let output = plan.perform(permit, progress).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["site.test", "other.test"]);
    assert!(
        output.text.contains("INTERNETINTERNETINTERNET") || output.text.matches("INTERNET").count() == 3,
        "{}",
        output.text
    );
    assert!(
        output.text.contains(&format!("[refused: network: other.test:{other}: the user said no]")),
        "{}",
        output.text
    );
    assert!(output.text.contains(&format!("[reached site.test:{port}: ")), "{}", output.text);
    assert_eq!((site.visits(), victim.visits()), (3, 0));
}

#[test]
fn where_nobody_can_be_asked_an_unlisted_host_is_denied() {
    let command = "curl -sSfm3 http://unlisted.example/; curl -sSfm3 https://listed.example:8443/; echo over";
    for (flags, expected) in [
        (
            &["--yes", "--allow-host", "listed.example"][..],
            Some("unlisted.example:80: a command wants to reach"),
        ),
        (&["--yes", "--allow-host", "listed.example"], Some("listed.example:8443: a command wants to reach")),
        (&["--yes"], None),
    ] {
        let server = ModelServer::start_blocking(
            Wire::OpenAi,
            vec![Turn::call("bash", json!({"command": command})), Turn::text("done")],
        );
        let stage = Stage::with(&[("app.py", "x = 1\n")]).env(&server.environment());
        if stage.agent(&["sandbox", "--", "true"]).code != Some(0) {
            skip("no walls on this machine");
            return;
        }
        let mut args = vec!["run", "x", "--model", "openai/scripted", "--output-format", "stream-json"];
        args.extend(flags);
        let run = stage.agent(&args);
        let told = Wire::OpenAi.last_results(&server.received().last().unwrap().json()).concat();
        assert!(told.contains("over"), "{told}");
        match expected {
            Some(words) => {
                assert!(told.contains(words) && told.contains("nobody is there to ask"), "{told}");
                assert!(run.stdout.contains("\"verdict\":\"denied\""), "{run}");
            }
            None => {
                assert!(!told.contains("wants to reach"), "no proxy where nothing can come of it: {told}");
            }
        }
    }
}

#[test]
fn a_host_that_is_none_is_wrong_usage() {
    let stage = Stage::with(&[]);
    for host in ["https://example.com", "example.com/x", "", "a b", "example.com:x"] {
        stage.agent(&["sandbox", "--allow-host", host, "--", "true"]).exits(2);
        stage.agent(&["run", "x", "--allow-host", host]).exits(2);
    }
}

/// What a repository says about hosts and proxies is not heard.
#[test]
fn a_repository_grants_nothing() {
    let stage = Stage::with(&[
        (".agent/config.toml", "allow_hosts = [\"*\"]\n"),
        ("config.toml", "allow_hosts = [\"*\"]\n"),
        (".env", "http_proxy=http://127.0.0.1:1\nAGENT_ALLOW_HOST=*\n"),
        (".curlrc", "proxy = http://127.0.0.1:1\n"),
        ("agent.md", "---\nname: x\ndescription: x\npermission:\n  webfetch: allow\n---\nx\n"),
    ]);
    stage.agent(&["trust"]).exits(0);
    let run =
        stage.agent(&["sandbox", "--", "bash", "-c", "env | grep -i proxy; curl -sSfm2 http://example.com/"]);
    assert!(run.code != Some(0) && !run.stdout.contains("proxy"), "{run}");
}
