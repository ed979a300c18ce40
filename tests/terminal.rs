//! On a real terminal: the diff is shown, every change is asked for, and no means no.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::stage::{Stage, has};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::json;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The binary on a pseudo terminal.
struct Terminal {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    screen: Arc<Mutex<String>>,
    answered: usize,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    fn start(stage: &Stage, args: &[&str]) -> Self {
        Self::start_with(stage, args, &[])
    }

    fn start_with(stage: &Stage, args: &[&str], variables: &[(&str, String)]) -> Self {
        let pty = native_pty_system();
        let pair = pty.openpty(PtySize { rows: 50, cols: 160, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_agent"));
        command.args(args);
        command.cwd(stage.root());
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", stage.home());
        command.env("TERM", "xterm-256color");
        for (name, value) in variables {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let screen = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { child, keys, screen, answered: 0, _master: pair.master }
    }

    fn text(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    /// Types `key` at every question until the program ends; gives its exit code.
    fn answer_all(&mut self, key: &str) -> u32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(100));
                return status.exit_code();
            }
            if self.text().matches("[N]o").count() > self.answered {
                self.answered += 1;
                self.keys.write_all(format!("{key}\r").as_bytes()).unwrap();
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "it ends: {}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn shows_the_diff_asks_and_does_exactly_that() {
    if !has("python3") {
        return;
    }
    let stage = Stage::of_example("notes-python");
    let mut terminal = Terminal::start(&stage, &["fix", "SQL injection in the login endpoint"]);
    let code = terminal.answer_all("y");
    let screen = terminal.text();
    assert_eq!(code, 0, "{screen}");
    assert!(terminal.answered >= 2, "the edit and the tests are asked for: {screen}");
    assert!(screen.contains("\u{1b}["), "a terminal gets colour");
    assert!(screen.contains("+++ b/notes/accounts.py") && screen.contains("asked because"), "{screen}");
    assert!(screen.contains("Result: fixed"), "{screen}");
}

#[test]
fn no_means_no() {
    let stage = Stage::of_example("notes-python");
    let before = stage.tree();
    let mut terminal = Terminal::start(&stage, &["fix", "SQL injection in the login endpoint"]);
    let code = terminal.answer_all("n");
    assert_eq!(stage.tree(), before, "{}", terminal.text());
    assert!(matches!(code, 5 | 8), "{code}: {}", terminal.text());
}

#[test]
fn a_key_is_read_without_echo() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::empty();
    let mut terminal = Terminal::start(&stage, &["login", "openai"]);
    let begun = Instant::now();
    while !terminal.text().contains("Key for openai") {
        assert!(begun.elapsed() < Duration::from_mins(1), "it asks: {}", terminal.text());
        std::thread::sleep(Duration::from_millis(20));
    }
    // The question is written just before the echo is turned off.
    std::thread::sleep(Duration::from_millis(300));
    terminal.keys.write_all(b"FAKE-typed-canary\r").unwrap();
    assert_eq!(terminal.answer_all("y"), 0, "{}", terminal.text());
    assert!(!terminal.text().contains("canary"), "{}", terminal.text());
    let file = stage.home().join(".config/agent/keys.toml");
    assert!(std::fs::read_to_string(&file).unwrap().contains("openai = \"FAKE-typed-canary\""));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

/// A person's yes lets one hidden value out, once; a no keeps it.
#[test]
fn a_hidden_value_is_shown_on_a_persons_word() {
    let secret = format!("ghp_{}", &"FAKEcanary0".repeat(8)[..36]);
    for (key, shown) in [("y", vec![1]), ("n", vec![])] {
        let turns = vec![Turn::call("read", json!({"filePath": "app.py", "reveal": 1})), Turn::text("done")];
        let server = ModelServer::start_blocking(Wire::OpenAi, turns);
        let stage = Stage::with(&[("app.py", &format!("TOKEN = \"{secret}\"\n"))]);
        let args = ["run", "x", "--model", "openai/scripted", "--mode", "auto"];
        let variables = server.environment();
        let mut terminal = Terminal::start_with(&stage, &args, &variables);
        terminal.answer_all(key);
        let screen = terminal.text();
        assert_eq!(terminal.answered, 1, "{screen}");
        assert!(screen.contains("hidden value at app.py:1 (github-token, 40 bytes), once?"), "{screen}");
        assert!(!screen.contains("always") && !screen.contains(&secret), "{screen}");
        let holds = |body: &Vec<u8>| String::from_utf8_lossy(body).contains(&secret);
        let got: Vec<usize> =
            server.requests().iter().enumerate().filter(|(_, body)| holds(body)).map(|(at, _)| at).collect();
        assert_eq!(got, shown, "{screen}");
    }
}

/// A command that wants to reach a host waits for a person, who is told which.
#[test]
fn a_person_is_asked_for_each_host_a_command_wants_to_reach() {
    if !has("curl") {
        return;
    }
    let command = "for i in 1 2; do curl -sSf http://unlisted.invalid/; done; echo over";
    let turns = vec![Turn::call("bash", json!({"command": command})), Turn::text("done")];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::empty();
    if stage.agent(&["sandbox", "--", "true"]).code != Some(0) {
        house::stage::skip("no walls on this machine");
        return;
    }
    let args = ["run", "x", "--model", "openai/scripted", "--mode", "auto"];
    let variables = server.environment();
    let mut terminal = Terminal::start_with(&stage, &args, &variables);
    terminal.answer_all("n");
    let screen = terminal.text();
    assert_eq!(terminal.answered, 1, "{screen}");
    assert!(screen.contains("reach unlisted.invalid:80?"), "{screen}");
    assert!(screen.contains("let commands reach unlisted.invalid:80"), "{screen}");
    let told = String::from_utf8_lossy(server.requests().last().unwrap()).into_owned();
    assert!(told.contains("over") && told.contains("[refused: network: unlisted.invalid:80"), "{told}");
}
