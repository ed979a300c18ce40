//! On a real terminal: the diff is shown, every change is asked for, and no means no.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::stage::{Stage, has};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
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
        let pty = native_pty_system();
        let pair = pty.openpty(PtySize { rows: 50, cols: 160, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_agent"));
        command.args(args);
        command.cwd(stage.root());
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", stage.home());
        command.env("TERM", "xterm-256color");
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
