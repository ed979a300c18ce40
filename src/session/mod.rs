//! The loop: ask the model, plan its calls, judge them, ask the user, perform, answer; and again.
//!
//! [`Session::run`] is the whole of it. What happens to one answer's calls is in `calls`, how an answer is
//! had in `answer`, what is kept in `record`.

mod answer;
mod arguments;
mod aside;
mod back;
mod budget;
mod calls;
mod claim;
mod compact;
mod handover;
mod keep;
mod repeats;
pub mod ledger;
mod lighten;
mod permit;
mod room;
pub mod record;
pub mod shelf;
mod steer;
mod trace;

use crate::action::Action;
use crate::event::{Event, Host, Outcome};
use crate::finding::hand_over::{self, HandOver};
use crate::message::{Message, Part, Price, Role, Usage, map_strings, repair};
use crate::model::{Model, ModelError, Stop, window};
use crate::policy::{Mode, Policy};
use crate::prompt::issue_in;
use crate::text::printable;
use crate::tool::{Toolbox, World};
pub use budget::Limits;
pub use claim::claimed;
use claim::outcome_of;
pub use handover::Mind;
use record::{Entry, Record, RecordError};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub use steer::Steering;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How a stretch of work ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// The model's last words, or the reason there are none.
    pub text: String,
}

/// What a session is made of. Wired by a door, once.
pub struct Parts {
    /// The mind.
    pub model: Arc<dyn Model>,
    /// Those that may go on where its provider refuses, in order.
    pub fallbacks: Vec<Mind>,
    /// The hands.
    pub toolbox: Toolbox,
    /// What they work on.
    pub world: Arc<World>,
    /// Who may.
    pub policy: Policy,
    /// System prompt; the same bytes for the whole session.
    pub system: String,
    /// What bounds it.
    pub limits: Limits,
    /// Cancelled when the user interrupts.
    pub cancel: CancellationToken,
}

/// A conversation with a model that acts.
pub struct Session {
    id: String,
    parts: Parts,
    history: Vec<Message>,
    record: Record,
    /// Where sessions are kept.
    state: PathBuf,
    /// Absent where nothing may change.
    keep: Option<keep::Keep>,
    /// The journal's turns before this stretch of work.
    earlier_turns: u32,
    steering: Steering,
    deeds: Vec<Action>,
    /// Paths that the deeds hold the texts of.
    touched: HashSet<String>,
    /// Whether the model takes no images.
    blind: bool,
    /// What was done, however much of the conversation is cut.
    ledger: ledger::Ledger,
    gauge: room::Gauge,
    denials: Vec<String>,
    handed_over: Option<HandOver>,
    /// Whether the last thing that would have changed something was denied.
    stopped_by_denial: bool,
    usage: Usage,
    /// What the session costs so far, in US dollars; `None` where one answer's cost is not known.
    cost: Option<f64>,
    budget: budget::Budget,
    turns: u32,
    /// Answers before this run: limits bound a run.
    earlier: u32,
    repeats: repeats::Repeats,
    /// Words by call for the next request alone; they are in neither history nor record.
    disclosed: Vec<(String, String)>,
}

/// Answers without a word or a call that are borne before the run ends.
const EMPTY_ANSWERS: u32 = 2;

impl Session {
    /// Begins a session, recorded below `state`.
    pub fn begin(parts: Parts, state: &Path) -> Result<Self, RecordError> {
        let id = record::fresh_id();
        let keep = take(&parts, state, &id)?;
        let mut record = Record::create(state, &id)?;
        record.append(&Entry::Start {
            v: record::VERSION,
            session_id: id.clone(),
            workspace: parts.world.workspace.root().display().to_string(),
            model: parts.model.name().to_owned(),
            time: record::now(),
        })?;
        Ok(Self::assemble(id, parts, record, (state, keep)))
    }

    /// Goes on with a recorded session. Gives the mission it was on, if any.
    pub fn resume(
        parts: Parts,
        state: &Path,
        id: &str,
    ) -> Result<(Self, Option<serde_json::Value>), RecordError> {
        let (record, entries) = Record::open(state, id)?;
        let keep = take(&parts, state, id)?;
        let mut session = Self::assemble(id.to_owned(), parts, record, (state, keep));
        let mut mission = None;
        for entry in entries {
            match entry {
                Entry::Message { message } => {
                    session.note_asked(&message);
                    session.history.push(message);
                }
                Entry::Deed { action } => session.push_deed(action),
                Entry::Notes { notes } => notes.iter().for_each(|note| session.ledger.note(note)),
                Entry::Compacted { history, words } => {
                    session.history = history;
                    session.ledger.words = words.or(session.ledger.words.take());
                }
                Entry::Usage { usage, cost_usd } => session.count(usage, cost_usd),
                Entry::Mission { mission: found } => mission = Some(found),
                Entry::Start { .. } | Entry::End { .. } | Entry::Model { .. } => {}
            }
        }
        session.history = repair(&session.history);
        Ok((session, mission))
    }

    fn assemble(id: String, parts: Parts, record: Record, kept: (&Path, Option<keep::Keep>)) -> Self {
        let budget = budget::Budget::start(&parts.limits, &parts.cancel);
        let told = serde_json::to_string(&parts.toolbox.specs()).unwrap_or_default();
        let gauge = room::Gauge::of(parts.system.len() + told.len());
        let earlier_turns = kept.1.as_ref().map_or(0, keep::Keep::earlier_turns);
        Self {
            id,
            earlier_turns,
            parts,
            history: Vec::new(),
            record,
            state: kept.0.to_owned(),
            keep: kept.1,
            steering: Steering::default(),
            deeds: Vec::new(),
            touched: HashSet::new(),
            blind: false,
            ledger: ledger::Ledger::default(),
            gauge,
            denials: Vec::new(),
            handed_over: None,
            stopped_by_denial: false,
            usage: Usage::default(),
            cost: Some(0.0),
            budget,
            turns: 0,
            earlier: 0,
            repeats: repeats::Repeats::default(),
            disclosed: Vec::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its model's name.
    pub fn model(&self) -> &str {
        self.parts.model.name()
    }

    /// How much happens without asking.
    pub fn mode(&self) -> Mode {
        self.parts.policy.mode()
    }

    /// What it works on.
    pub fn world(&self) -> &Arc<World> {
        &self.parts.world
    }

    /// Cancelled when the user interrupts.
    pub fn cancel(&self) -> &CancellationToken {
        &self.parts.cancel
    }

    /// Everything that was done to the world, in order. Only the first deed on a file holds its texts.
    pub fn deeds(&self) -> &[Action] {
        &self.deeds
    }

    /// What was denied, in order.
    pub fn denials(&self) -> &[String] {
        &self.denials
    }

    /// What was passed on to the sibling instead of being done.
    pub fn handed_over(&self) -> Option<&HandOver> {
        self.handed_over.as_ref()
    }

    /// Tokens so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Cost so far in US dollars; `None` where it is not known.
    pub fn cost(&self) -> Option<f64> {
        self.cost
    }

    /// Answers so far.
    pub fn turns(&self) -> u32 {
        self.turns
    }

    /// The conversation so far.
    pub fn history(&self) -> &[Message] {
        &self.history
    }

    /// Names the session; `agent resume --list` shows it.
    pub fn rename(&self, title: &str) -> Result<(), RecordError> {
        shelf::rename(&self.state, &self.id, title)
    }

    /// Where the user's words wait while the model works.
    pub fn steering(&self) -> Steering {
        self.steering.clone()
    }

    /// Readies the session for another run: its limits start anew, and `cancel` interrupts it. Within a runtime
    /// where there is a limit of time.
    pub fn renew(&mut self, cancel: CancellationToken) {
        self.parts.cancel = cancel;
        self.earlier = self.turns;
        self.budget = budget::Budget::start(&self.parts.limits, &self.parts.cancel);
        self.stopped_by_denial = false;
    }

    /// Changes how much happens without asking. Leaving `read-only` takes the workspace, which another agent
    /// may have: then the mode stays as it was.
    pub fn set_mode(&mut self, mode: Mode) -> Result<(), RecordError> {
        if mode != Mode::ReadOnly && self.keep.is_none() {
            let keep = keep::Keep::take(&self.parts.world, &self.state, &self.id)?;
            // What this session itself did here is already counted in its turns.
            self.keep = Some(keep.counting_from(self.earlier_turns));
        }
        self.parts.policy.set_mode(mode);
        Ok(())
    }

    /// Lets the workspace go between two runs, so that others may work there: until [`Session::set_mode`] takes
    /// it again, nothing may change. Gives the mode it had.
    pub fn rest(&mut self) -> Mode {
        let mode = self.mode();
        self.parts.policy.set_mode(Mode::ReadOnly);
        if let Some(keep) = self.keep.take() {
            self.earlier_turns = keep.earlier_turns();
        }
        mode
    }

    /// Goes on with another model, also of another provider. `price` is what it costs, where that is known.
    pub fn set_model(&mut self, model: Arc<dyn Model>, price: Option<Price>) {
        self.parts.limits.window = window::window(model.name(), &window::Windows::new());
        self.parts.model = model;
        self.parts.limits.price = price;
        self.gauge.forget();
        self.blind = false;
    }

    /// Says how many tokens the model's window holds, where the user knows better; `None` for no limit.
    pub fn set_window(&mut self, window: Option<u64>) {
        self.parts.limits.window = window;
    }

    /// What was answered for the session, in words, and a way to take it back.
    pub fn policy_mut(&mut self) -> &mut Policy {
        &mut self.parts.policy
    }

    /// Keeps what a mission needs to be judged, also after a crash.
    pub fn note_mission(&mut self, mut mission: serde_json::Value) -> Result<(), RecordError> {
        map_strings(&mut mission, &calls::hide);
        self.record.append(&Entry::Mission { mission })
    }

    /// Keeps how the work ended.
    pub fn note_end(&mut self, outcome: Outcome) -> Result<(), RecordError> {
        self.record.append(&Entry::End { outcome, time: record::now() })
    }

    /// Tells the host who is at work.
    pub fn announce(&self, host: &mut dyn Host) {
        host.tell(Event::Init {
            session_id: self.id.clone(),
            workspace: self.parts.world.workspace.root().display().to_string(),
            model: self.parts.model.name().to_owned(),
            mode: self.parts.policy.mode().to_string(),
            sandbox: self.parts.world.sandbox.level().name.to_owned(),
        });
    }

    /// Says `prompt` to the model and works until it has nothing more to do.
    pub async fn run(&mut self, prompt: String, host: &mut dyn Host) -> Result<Ending, RecordError> {
        let span = trace::run(&self.id, self.model());
        let ended = self.work(prompt, host).instrument(span.clone()).await;
        if let Ok(ending) = &ended {
            span.record("agent.outcome", tracing::field::debug(ending.outcome));
        }
        ended
    }

    async fn work(&mut self, prompt: String, host: &mut dyn Host) -> Result<Ending, RecordError> {
        let hand_over = hand_over::asked(issue_in(&prompt));
        self.remember(Message::user(prompt))?;
        if let Some(given) = hand_over {
            let text = given.words();
            host.tell(Event::Message { delta: format!("{text}\n") });
            let parts = vec![Part::Text { text: text.clone() }];
            self.remember(Message { role: Role::Assistant, parts })?;
            self.handed_over = Some(given);
            return Ok(ended(Outcome::Blocked, text));
        }
        let mut empty = 0;
        let mut lightened = false;
        loop {
            if let Some(ending) = self.over() {
                return Ok(ending);
            }
            if let Some(ending) = self.make_room(host).await? {
                return Ok(ending);
            }
            self.turns += 1;
            let sent = self.weight();
            let answer = match self.ask_model(host).await? {
                Ok(answer) => answer,
                Err(Interruption::Cancelled) => return Ok(self.interrupted()),
                Err(Interruption::Over(ending)) => return Ok(ending),
                // Once: what still does not fit then never will.
                Err(Interruption::Model(error)) if !lightened && self.lighten(&error, host).await? => {
                    lightened = true;
                    self.turns -= 1;
                    continue;
                }
                Err(Interruption::Model(error)) => return Ok(ended(outcome_of(&error), error.to_string())),
            };
            lightened = false;
            self.gauge.learn(sent, answer.usage);
            let text = answer.message.text();
            let is_empty = text.trim().is_empty() && answer.calls.is_empty();
            self.account(answer.usage, host)?;
            // What was refused is not handed on: the next model would read half an answer as its own.
            if let Stop::Refusal(reason) = &answer.stop
                && self.hand_over(reason, host).await?
            {
                continue;
            }
            if !answer.message.parts.is_empty() {
                self.remember(answer.message)?;
            }
            if let Stop::Refusal(reason) = answer.stop {
                return Ok(ended(Outcome::PolicyRefusal, format!("the provider refused: {reason}")));
            }
            if is_empty {
                empty += 1;
                if empty > EMPTY_ANSWERS {
                    return Ok(ended(Outcome::Error, "the model answered with nothing, again and again"));
                }
                self.remember(Message::user(compact::NUDGES[0]))?;
                continue;
            }
            empty = 0;
            if answer.calls.is_empty() {
                if answer.stop == Stop::MaxTokens {
                    self.remember(Message::user(compact::NUDGES[1]))?;
                    continue;
                }
                if self.take_steering(host)? {
                    continue;
                }
                return Ok(self.last_words(text));
            }
            let results = self.answer_calls(answer.calls, host).await?;
            let stuck = results.stuck;
            self.remember(Message { role: Role::User, parts: results.parts })?;
            self.note(results.notes)?;
            if let Some(reason) = stuck {
                return Ok(ended(Outcome::Error, reason));
            }
            self.take_steering(host)?;
        }
    }

    /// What the user said while the model worked reaches it now. Says whether there was anything.
    fn take_steering(&mut self, host: &mut dyn Host) -> Result<bool, RecordError> {
        let words = self.steering.drain();
        for text in &words {
            self.remember(Message::user(text.clone()))?;
            host.tell(Event::Steered { text: text.clone() });
        }
        Ok(!words.is_empty())
    }

    /// Another mode the user asked for meanwhile holds from now on.
    fn take_switch(&mut self, host: &mut dyn Host) {
        if let Some(mode) = self.steering.switched()
            && let Err(error) = self.set_mode(mode)
        {
            host.tell(Event::Warning { text: format!("the mode stays {}: {error}", self.mode()) });
        }
    }

    fn last_words(&self, text: String) -> Ending {
        let outcome = match claimed(&text) {
            Some(Outcome::Blocked) => Outcome::Blocked,
            Some(Outcome::NoChange) => Outcome::NoChange,
            _ if self.stopped_by_denial => Outcome::Denied,
            _ => Outcome::Done,
        };
        Ending { outcome, text }
    }

    /// The one way into history and record; what is secret stays out of both.
    fn remember(&mut self, message: Message) -> Result<(), RecordError> {
        // What comes from outside is sent without invisible words; the model's own words go back as they were.
        let message = match message.role {
            Role::User => message.map_text(&|text| printable(&calls::hide(text)).into_owned()),
            Role::Assistant => message.map_text(&calls::hide),
        };
        self.note_asked(&message);
        self.record.append(&Entry::Message { message: message.clone() })?;
        match self.history.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(message.parts),
            _ => self.history.push(message),
        }
        Ok(())
    }
}

/// Takes the workspace, unless nothing may change there: looking needs no lock.
fn take(parts: &Parts, state: &Path, id: &str) -> Result<Option<keep::Keep>, RecordError> {
    let may_change = parts.policy.mode() != Mode::ReadOnly;
    may_change.then(|| keep::Keep::take(&parts.world, state, id)).transpose()
}

/// Why there is no answer.
enum Interruption {
    Cancelled,
    Over(Ending),
    Model(ModelError),
}

fn ended(outcome: Outcome, text: impl Into<String>) -> Ending {
    Ending { outcome, text: text.into() }
}
