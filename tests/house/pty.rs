//! The real binary on a real pseudo terminal, and what a person would see there.

use super::stage::Stage;
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Notes what a terminal would have been made to do.
#[derive(Default)]
pub struct Told {
    /// Copies to the clipboard.
    pub copies: Vec<Vec<u8>>,
    /// Titles set.
    pub titles: usize,
}

impl vt100::Callbacks for Told {
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.copies.push(data.to_vec());
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, _: &[u8]) {
        self.titles += 1;
    }
}

type Parser = vt100::Parser<Told>;

/// A terminal with the program in it.
pub struct Terminal {
    pub child: Box<dyn portable_pty::Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    parser: Arc<Mutex<Parser>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    master: Box<dyn MasterPty + Send>,
    /// When the program was started.
    pub begun: Instant,
}

impl Terminal {
    /// Starts the program in the stage's workspace.
    pub fn start(stage: &Stage, args: &[&str], (columns, rows): (u16, u16)) -> Self {
        Self::start_program(env!("CARGO_BIN_EXE_agent"), stage, args, (columns, rows))
    }

    /// Starts any program there.
    pub fn start_program(program: &str, stage: &Stage, args: &[&str], (cols, rows): (u16, u16)) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.cwd(stage.root());
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            command.env(name, std::env::var_os(name).unwrap_or_default());
        }
        command.env("HOME", stage.home());
        command.env("TERM", "xterm-256color");
        for (name, value) in stage.environment() {
            command.env(name, value);
        }
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let parser = Arc::new(Mutex::new(Parser::new_with_callbacks(rows, cols, 10_000, Told::default())));
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (shared, kept) = (Arc::clone(&parser), Arc::clone(&bytes));
        std::thread::spawn(move || {
            let mut buffer = [0; 16 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
                shared.lock().unwrap().process(&buffer[..count]);
            }
        });
        let keys = pair.master.take_writer().unwrap();
        Self { child, keys, parser, bytes, master: pair.master, begun }
    }

    /// Types bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        self.keys.write_all(bytes).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types text and Enter. The program must have read the one before the other counts.
    pub fn enter(&mut self, text: &str) {
        self.send(text.as_bytes());
        std::thread::sleep(Duration::from_millis(60));
        self.send(b"\r");
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        self.parser.lock().unwrap().screen().contents()
    }

    /// Every row that was printed, also what scrolled away.
    pub fn everything(&self) -> String {
        let mut parser = self.parser.lock().unwrap();
        let screen = parser.screen_mut();
        screen.set_scrollback(usize::MAX);
        let mut all = Vec::new();
        let (_, columns) = screen.size();
        loop {
            let offset = screen.scrollback();
            if offset == 0 {
                break;
            }
            all.extend(screen.rows(0, columns).next());
            screen.set_scrollback(offset - 1);
        }
        all.push(screen.contents());
        all.join("\n")
    }

    /// What the terminal was made to do.
    pub fn told<T>(&self, look: impl FnOnce(&Told) -> T) -> T {
        look(self.parser.lock().unwrap().callbacks())
    }

    /// Looks at the terminal's own state.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.parser.lock().unwrap().screen())
    }

    /// Every byte that was written to it.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// Waits until the screen holds these words.
    #[track_caller]
    pub fn wait(&mut self, words: &str) -> String {
        self.wait_until(words, |screen| screen.contains(words))
    }

    /// Waits until the screen is as wished.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                begun.elapsed() < Duration::from_mins(2) && ended.is_none(),
                "waiting for {what:?}, ended: {ended:?}\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Answers a question once it counts.
    pub fn answer(&mut self, key: &str) {
        std::thread::sleep(Duration::from_millis(500));
        self.send(key.as_bytes());
    }

    /// Another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.parser.lock().unwrap().screen_mut().set_size(rows, cols);
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Waits for the end; gives the exit code.
    #[track_caller]
    pub fn end(&mut self) -> u32 {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(100));
                return status.exit_code();
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "it ends: {}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
