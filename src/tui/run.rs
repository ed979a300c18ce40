//! The loop on a real terminal: keys, signals and the desk's words in; a frame at most every 16 ms out.

use super::desk::{Setup, Wire};
use super::guard::{self, Guard};
use super::keys::Keys;
use super::screen::Screen;
use super::stage::{Outside, Stage};
use super::state::{Msg, State, Tone};
use crate::event::Outcome;
use crate::wire::{Trouble, exit};
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use std::io::{self, Stdout};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep_until};

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(16);
/// A question must have been on the screen so long before a key answers it.
const ARM: Duration = Duration::from_millis(350);
/// How long leaving waits for work that is being stopped.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Messages that are taken before a frame is drawn, at most.
const BATCH: usize = 10_000;

/// Opens the screen and stays until the user leaves; gives the exit code.
pub fn open(setup: Setup, colours: bool) -> Result<u8, Trouble> {
    let broken =
        |error: io::Error| Trouble::new(Outcome::Error, format!("the terminal cannot be used: {error}"));
    let keys = Keys::with(&setup.config.keys)
        .map_err(|text| Trouble::coded(exit::USAGE, format!("config.toml: {text}")))?;
    let size = crossterm::terminal::size().map_err(broken)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let state = State::new(size, keys);
    let screen = Screen::new(io::stdout(), size, colours);
    let guard = Guard::take().map_err(broken)?;
    let (to, messages) = unbounded_channel();
    let code = runtime.block_on(async {
        // The first frame waits for nothing.
        let wire = Wire::open(setup, to)?;
        let mut whole = Stage::new(state, screen, wire);
        whole.draw()?;
        let code = Loop::new(whole, messages)?.run().await;
        Ok(code)
    });
    runtime.shutdown_background();
    drop(guard);
    code.map_err(broken)
}

struct Loop {
    stage: Stage<Stdout>,
    messages: UnboundedReceiver<Msg>,
    keys: Option<EventStream>,
    signals: Signals,
    drawn: Instant,
    dirty: bool,
    armed_at: Option<Instant>,
    second: Instant,
}

/// Signals that end or interrupt a terminal program.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    stop: Signal,
    go_on: Signal,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        let raw = |signal: rustix::process::Signal| SignalKind::from_raw(signal.as_raw());
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            stop: signal(raw(rustix::process::Signal::TSTP))?,
            go_on: signal(raw(rustix::process::Signal::CONT))?,
        })
    }
}

/// How it ended.
enum Out {
    /// As the user wished.
    Left,
    /// By that exit code.
    Code(u8),
}

impl Loop {
    fn new(stage: Stage<Stdout>, messages: UnboundedReceiver<Msg>) -> io::Result<Self> {
        let now = Instant::now();
        Ok(Self {
            stage,
            messages,
            keys: Some(EventStream::new()),
            signals: Signals::watch()?,
            drawn: now,
            dirty: false,
            armed_at: None,
            second: now,
        })
    }

    async fn run(mut self) -> u8 {
        let out = loop {
            match self.step().await {
                Ok(None) => {}
                Ok(Some(out)) => break out,
                // The terminal is gone: there is nobody to tell.
                Err(_) => break Out::Code(exit::HUNG_UP),
            }
        };
        let code = match out {
            Out::Left => 0,
            Out::Code(code) => code,
        };
        if code != exit::HUNG_UP {
            let session = self.stage.state.session.clone();
            if !session.is_empty() {
                self.stage.state.note(Tone::Faint, format!("agent resume {session} goes on with it"));
            }
            let _ = self.stage.finish();
        }
        // What is under way comes to an end of its own, so that nothing is left half done.
        self.stage.close();
        let rest = async { while self.messages.recv().await.is_some() {} };
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
        code
    }

    async fn step(&mut self) -> io::Result<Option<Out>> {
        let frame = self.drawn + FRAME;
        let busy = self.stage.state.is_busy();
        let keys = self.keys.get_or_insert_with(EventStream::new);
        tokio::select! {
            biased;
            key = keys.next() => {
                let Some(event) = key else { return Ok(Some(Out::Code(exit::HUNG_UP))) };
                if let Some(msg) = message(event?)
                    && let Some(out) = self.take(msg)?
                {
                    return Ok(Some(out));
                }
            }
            Some(msg) = self.messages.recv() => {
                let mut next = Some(msg);
                let mut count = 0;
                while let Some(msg) = next {
                    if let Some(out) = self.take(msg)? {
                        return Ok(Some(out));
                    }
                    count += 1;
                    next = if count < BATCH { self.messages.try_recv().ok() } else { None };
                }
            }
            () = sleep_until(frame), if self.dirty => {}
            () = sleep_until(self.armed_at.unwrap_or(frame)), if self.armed_at.is_some() => {
                self.armed_at = None;
                self.take(Msg::Armed)?;
            }
            () = sleep_until(self.second + Duration::from_secs(1)), if busy => {
                self.second = Instant::now();
                self.take(Msg::Second)?;
            }
            _ = self.signals.hangup.recv() => return Ok(Some(Out::Code(exit::HUNG_UP))),
            _ = self.signals.terminate.recv() => return Ok(Some(Out::Code(exit::TERMINATED))),
            _ = self.signals.stop.recv() => self.suspend()?,
            _ = self.signals.go_on.recv() => self.come_back()?,
        }
        if self.dirty && Instant::now() >= frame {
            self.stage.draw()?;
            self.drawn = Instant::now();
            self.dirty = false;
        }
        Ok(None)
    }

    fn take(&mut self, msg: Msg) -> io::Result<Option<Out>> {
        let was_busy = self.stage.state.is_busy();
        self.dirty = true;
        for outside in self.stage.take(msg) {
            match outside {
                Outside::Arm => self.armed_at = Some(Instant::now() + ARM),
                Outside::Edit { text, ending } => self.edit(&text, &ending)?,
                Outside::Suspend => self.suspend()?,
                Outside::Leave => return Ok(Some(Out::Left)),
            }
        }
        if !was_busy {
            self.second = Instant::now();
        }
        Ok(None)
    }

    /// Hands the terminal to the user's editor until it ends. What was approved is read back as it was saved.
    fn edit(&mut self, text: &str, ending: &str) -> io::Result<()> {
        // Its reader must not take the editor's keys.
        self.keys = None;
        self.stage.finish()?;
        guard::give_back();
        let edited = super::editor::edit(text, ending);
        guard::enter()?;
        self.keys = Some(EventStream::new());
        let size = crossterm::terminal::size()?;
        self.stage.take(Msg::Resize(size.0, size.1));
        if let Err(reason) = &edited {
            self.stage.take(Msg::Told(super::state::Told::Trouble(reason.clone())));
        }
        self.stage.take(Msg::Edited(edited.ok()));
        self.come_back()
    }

    /// Back to the shell; goes on when the shell says so.
    fn suspend(&mut self) -> io::Result<()> {
        self.stage.finish()?;
        guard::give_back();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)?;
        self.come_back()
    }

    /// Takes the terminal again after somebody else had it.
    fn come_back(&mut self) -> io::Result<()> {
        guard::enter()?;
        let size = crossterm::terminal::size()?;
        self.stage.take(Msg::Resize(size.0, size.1));
        self.stage.forget();
        self.dirty = true;
        Ok(())
    }
}

fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) => Some(Msg::Key(key)),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::FocusGained | Event::FocusLost | Event::Mouse(_) => None,
    }
}
