//! The desk: the task that has the session. It takes orders and tells what becomes of them; it never draws.
//!
//! It runs on a thread of its own, so that no scan, no plan and no test run can hold a key press up.

mod host;
mod shelf;
mod work;

use super::state::{Desk as Facts, Msg, Order, Told};
use crate::config::Config;
use crate::config::definition::Definition;
use crate::event::{Answer, Event, Host, Outcome};
use crate::fix::Mission;
use crate::policy::Mode;
use crate::sandbox::{Exit, Job as Command, Watch};
use crate::scan::Filter;
use crate::session::{Parts, Session, Steering};
use crate::text::redact;
use crate::tool::World;
use crate::wire::{self, Trouble};
use futures_util::FutureExt;
use host::Door;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

/// The longest that a command of the user's own may take.
const COMMAND_LIMIT: Duration = Duration::from_mins(10);
/// Files that are offered for completion.
const MAX_FILES: usize = 50_000;

/// What a screen is opened with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The settings.
    pub config: Config,
    /// Who the agent is.
    pub definition: Definition,
    /// What the user should know at once.
    pub warnings: Vec<String>,
}

/// The other end of a wire: orders with what interrupts them, answers with the number of their question.
pub type Ends = (UnboundedReceiver<(Order, CancellationToken)>, UnboundedReceiver<(u64, Answer)>);

/// The screen's end of the wire to the desk.
pub struct Wire {
    orders: UnboundedSender<(Order, CancellationToken)>,
    answers: UnboundedSender<(u64, Answer)>,
    steering: Arc<Mutex<Option<Steering>>>,
    cancel: CancellationToken,
}

impl Wire {
    /// Sets a desk up; what it says arrives on `to`.
    pub fn open(setup: Setup, to: UnboundedSender<Msg>) -> std::io::Result<Self> {
        let (orders, incoming) = unbounded_channel();
        let (answers, answered) = unbounded_channel();
        let steering = Arc::new(Mutex::new(None));
        let door = Door::new(to, answered);
        let shared = Arc::clone(&steering);
        std::thread::Builder::new()
            .name("session".into())
            .spawn(move || run(setup, door, incoming, &shared))?;
        Ok(Self { orders, answers, steering, cancel: CancellationToken::new() })
    }

    /// A wire without a desk: orders and answers come out at the other end. For tests and benchmarks.
    pub fn loose() -> (Self, Ends) {
        let (orders, incoming) = unbounded_channel();
        let (answers, answered) = unbounded_channel();
        let steering = Arc::new(Mutex::new(Some(Steering::default())));
        (Self { orders, answers, steering, cancel: CancellationToken::new() }, (incoming, answered))
    }

    /// Gives an order; what was under way before it can no longer be interrupted by it.
    pub fn order(&mut self, order: Order) {
        self.cancel = CancellationToken::new();
        // A desk that is gone has said so.
        let _ = self.orders.send((order, self.cancel.clone()));
    }

    /// Stops what is under way and takes no more orders: the desk ends when it is done.
    pub fn close(&mut self) {
        self.interrupt();
        self.orders = unbounded_channel().0;
        self.answers = unbounded_channel().0;
    }

    /// Answers the question of that number.
    pub fn answer(&self, number: u64, answer: Answer) {
        let _ = self.answers.send((number, answer));
    }

    /// Stops what is under way.
    pub fn interrupt(&self) {
        self.cancel.cancel();
    }

    /// Says words while the model works; `false` when nobody listens yet.
    pub fn steer(&self, words: &str) -> bool {
        let steering = self.steering.lock().unwrap_or_else(PoisonError::into_inner);
        steering.as_ref().map(|steering| steering.push(words)).is_some()
    }

    /// Takes back all words that still wait, first first.
    pub fn recall(&self) -> Vec<String> {
        let steering = self.steering.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(steering) = steering.as_ref() else { return Vec::new() };
        let mut words: Vec<String> = std::iter::from_fn(|| steering.recall()).collect();
        words.reverse();
        words
    }
}

/// The desk itself.
struct Desk {
    setup: Setup,
    door: Door,
    /// Ready for a session that was not begun yet.
    parts: Option<Parts>,
    world: Option<Arc<World>>,
    session: Option<Session>,
    mission: Option<Mission>,
    /// Where the session's steering is put for the screen.
    steering: Arc<Mutex<Option<Steering>>>,
}

fn run(
    setup: Setup,
    door: Door,
    mut orders: UnboundedReceiver<(Order, CancellationToken)>,
    steering: &Arc<Mutex<Option<Steering>>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let mut desk = Desk {
        setup,
        door,
        parts: None,
        world: None,
        session: None,
        mission: None,
        steering: Arc::clone(steering),
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return desk.door.told(Told::Trouble(format!("cannot start: {error}"))),
    };
    runtime.block_on(async {
        desk.open();
        while let Some((order, cancel)) = orders.recv().await {
            desk.door.told(Told::Busy(named(&order)));
            let done = AssertUnwindSafe(desk.take(order, cancel)).catch_unwind().await;
            match done {
                Ok(Ok(())) => {}
                Ok(Err(trouble)) => desk.door.told(Told::Trouble(redact(&trouble.text).into_owned())),
                Err(_) => {
                    // What broke half-way is not gone on with; its record is whole up to there.
                    desk.put_away();
                    let text = "the agent broke; this is a bug. The session is kept: /resume goes on with it";
                    desk.door.told(Told::Trouble(text.into()));
                }
            }
            desk.context();
            desk.door.told(Told::Free);
        }
    });
    // What blocks may take its time; leaving does not wait for it.
    runtime.shutdown_background();
}

/// What an order is called while it is done.
fn named(order: &Order) -> String {
    match order {
        Order::Say(_) => "working".to_owned(),
        Order::Fix(_) => "looking at the issue".to_owned(),
        Order::Scan => "scanning".to_owned(),
        Order::Run(command) => format!("running {command}"),
        Order::Compact => "cutting the conversation".to_owned(),
        Order::Models => "asking for models".to_owned(),
        _ => "one moment".to_owned(),
    }
}

impl Desk {
    /// Looks at what there is to work with.
    fn open(&mut self) {
        for warning in std::mem::take(&mut self.setup.warnings) {
            self.door.tell(Event::Warning { text: warning });
        }
        if let Err(trouble) = self.ready() {
            self.door.told(Told::Trouble(redact(&trouble.text).into_owned()));
        }
        self.facts();
        if let Some(world) = self.world.clone()
            && let Ok(root) = world.workspace.place(".")
            && let Ok(files) = world.workspace.files(&root)
        {
            let names = files.iter().take(MAX_FILES).map(|place| place.as_str().to_owned());
            self.door.told(Told::Files(names.collect()));
        }
    }

    /// Makes parts for a session, unless there are some.
    fn ready(&mut self) -> Result<(), Trouble> {
        if self.parts.is_none() && self.session.is_none() {
            let config = &self.setup.config;
            match wire::parts(config, &self.setup.definition, CancellationToken::new()) {
                Ok(parts) => {
                    self.world = Some(Arc::clone(&parts.world));
                    self.parts = Some(parts);
                }
                // Without a model there is still something to scan.
                Err(trouble) => {
                    if self.world.is_none() {
                        self.world = Some(Arc::new(wire::world(config)?));
                    }
                    return Err(trouble);
                }
            }
        }
        Ok(())
    }

    /// Adds the tools of the user's tool servers; what is wrong with one is a warning.
    async fn join(&mut self, parts: &mut Parts) {
        let (config, definition) = (&self.setup.config, &self.setup.definition);
        for text in wire::join_servers(parts, config, definition, &BTreeMap::new()).await {
            self.door.tell(Event::Warning { text });
        }
    }

    /// Tells what there is to work with.
    fn facts(&self) {
        let level = self.world.as_ref().map(|world| world.sandbox.level().clone());
        let model = match (&self.session, &self.parts) {
            (Some(session), _) => session.model().to_owned(),
            (_, Some(parts)) => parts.model.name().to_owned(),
            _ => self.setup.config.model.clone(),
        };
        let mode = match (&self.session, &self.parts) {
            (Some(session), _) => session.mode(),
            (_, Some(parts)) => parts.policy.mode(),
            _ => self.setup.config.mode,
        };
        let root =
            self.world.as_ref().map_or(self.setup.config.workspace.as_path(), |world| world.workspace.root());
        self.door.told(Told::Opened(Facts {
            model,
            mode: mode.to_string(),
            sandbox: level.as_ref().map_or("none", |level| level.name).to_owned(),
            missing: level.map(|level| level.missing).unwrap_or_default(),
            workspace: root.display().to_string(),
        }));
    }

    async fn take(&mut self, order: Order, cancel: CancellationToken) -> Result<(), Trouble> {
        match order {
            Order::Say(words) => self.say(words, cancel).await,
            Order::Fix(issue) => self.fix(issue, cancel).await,
            Order::Scan => self.scan().await,
            Order::Run(command) => self.command(command, cancel).await,
            Order::Mode(mode) => self.set_mode(mode),
            Order::Model(name) => self.set_model(&name),
            Order::Models => self.models().await,
            Order::Compact => self.compact(cancel).await,
            Order::Permissions => {
                let words = self.session.as_mut().map(|session| session.policy_mut().remembered());
                self.door.told(Told::Remembered(words.unwrap_or_default()));
                Ok(())
            }
            Order::Forget(index) => {
                if let Some(session) = &mut self.session {
                    session.policy_mut().forget(index);
                    self.door.told(Told::Done("taken back; it is asked for again".into()));
                }
                Ok(())
            }
            Order::Resume(id) => self.resume(&id, cancel).await,
            Order::Fork => self.fork(cancel).await,
            Order::New => {
                self.put_away();
                self.ready()?;
                self.facts();
                self.door
                    .told(Told::Done("a new session; the earlier one is kept, /resume leads back".into()));
                Ok(())
            }
            Order::Rename(name) => self.rename(&name),
            Order::Sessions => self.sessions(),
            Order::Diff => {
                self.diff();
                Ok(())
            }
            Order::Undo { all } => self.undo(all),
            Order::Redo => self.redo(),
            Order::Export { path, text } => self.export(&path, text),
        }
    }

    fn set_mode(&mut self, mode: Mode) -> Result<(), Trouble> {
        if let Some(session) = &mut self.session {
            session.set_mode(mode)?;
        }
        self.setup.config.mode = mode;
        if let Some(parts) = &mut self.parts {
            parts.policy.set_mode(mode);
        }
        self.facts();
        Ok(())
    }

    fn set_model(&mut self, name: &str) -> Result<(), Trouble> {
        let config = Config { model: name.to_owned(), ..self.setup.config.clone() };
        if let Some(session) = &mut self.session {
            wire::change_model(session, &self.setup.config, name)?;
        } else {
            wire::model(&config)?;
            self.parts = None;
        }
        self.setup.config = config;
        self.ready()?;
        self.facts();
        self.door.told(Told::Done(format!("the model is {name} now")));
        Ok(())
    }

    /// Tells how full the model's window is.
    fn context(&self) {
        if let Some(session) = &self.session
            && let Some(window) = session.context_window()
        {
            self.door.told(Told::Context { used: session.context_used(), window });
        }
    }

    async fn compact(&mut self, cancel: CancellationToken) -> Result<(), Trouble> {
        let Some(session) = &mut self.session else {
            return Err(Trouble::new(Outcome::Error, "there is nothing to cut yet: no session has begun"));
        };
        session.renew(cancel);
        if !session.compact(&mut self.door).await? {
            self.door.told(Told::Done("nothing to cut: the conversation is short".into()));
        }
        Ok(())
    }

    /// Names of models: the embedded one, the one at work, what the provider at work has.
    async fn models(&mut self) -> Result<(), Trouble> {
        let config = &self.setup.config;
        let mut names = vec![crate::model::rules::NAME.to_owned()];
        let provider = config.model.split_once('/').map(|(provider, _)| provider.to_owned());
        if let Some(provider) = provider {
            names.push(config.model.clone());
            let config = config.clone();
            match tokio::task::spawn_blocking(move || wire::models_of(&config, &provider)).await {
                Ok(Ok(found)) => names.extend(found),
                Ok(Err(trouble)) => self.door.told(Told::Trouble(redact(&trouble.text).into_owned())),
                Err(_) => {}
            }
        } else {
            let text =
                "others by name: /model anthropic/…, openai/…, responses/…, gemini/… (keys: `agent login`)";
            self.door.tell(Event::Status { text: text.into() });
        }
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        self.door.told(Told::Models(names));
        Ok(())
    }

    async fn scan(&mut self) -> Result<(), Trouble> {
        self.ready()?;
        let Some(world) = self.world.clone() else { return Ok(()) };
        let found =
            tokio::task::spawn_blocking(move || world.scanner.scan(&world.workspace, &Filter::default()));
        let scan = found.await.map_err(|_| Trouble::new(Outcome::Error, "the scan broke; this is a bug"))?;
        let (files, skipped) = (scan.files, scan.skipped.len());
        let more = if skipped > 0 { format!(", {skipped} could not be read") } else { String::new() };
        self.door.tell(Event::Status { text: format!("looked at {files} files{more}") });
        let mut findings = scan.findings;
        findings
            .sort_by(|a, b| b.severity.cmp(&a.severity).then(a.path.cmp(&b.path)).then(a.span.cmp(&b.span)));
        self.door.told(Told::Found(findings));
        Ok(())
    }

    /// A command that the user typed: behind the same walls as the model's.
    async fn command(&mut self, command: String, cancel: CancellationToken) -> Result<(), Trouble> {
        self.ready()?;
        let Some(world) = self.world.clone() else { return Ok(()) };
        let id = "own".to_owned();
        let show = self.door.sender();
        let title = format!("! {command}");
        let start = Event::ToolCall { id: id.clone(), tool: "!".into(), title, action: None };
        self.door.tell(start);
        let watch = Watch {
            output: Arc::new(move |piece| {
                let delta = redact(piece).into_owned();
                let _ = show.send(Msg::House(Event::ToolUpdate { id: id.clone(), delta }));
            }),
            cancel,
        };
        let job = Command {
            command: command.clone(),
            workdir: world.workspace.root().to_owned(),
            timeout: COMMAND_LIMIT,
        };
        let (mut output, ok) = match world.sandbox.run(job, watch).await {
            Ok(done) => {
                let end = match done.exit {
                    Exit::Code(0) => String::new(),
                    Exit::Code(code) => format!("exit code {code}"),
                    Exit::Signal(signal) => format!("ended by signal {signal}"),
                    Exit::TimedOut => "stopped at its limit".into(),
                    Exit::Cancelled => "interrupted".into(),
                };
                (
                    format!("{}\n{}\n{end}", done.output.trim_end(), done.denials.join("\n")),
                    done.exit == Exit::Code(0),
                )
            }
            Err(error) => (error.to_string(), false),
        };
        output = redact(output.trim()).into_owned();
        self.door.told(Told::Ran { command, output, ok });
        Ok(())
    }

    /// Leaves the session; the next words begin another.
    fn put_away(&mut self) {
        (self.session, self.mission, self.parts) = (None, None, None);
        *self.steering.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts a session on the desk.
    fn put(&mut self, session: Session) {
        *self.steering.lock().unwrap_or_else(PoisonError::into_inner) = Some(session.steering());
        session.announce(&mut self.door);
        self.session = Some(session);
    }
}
