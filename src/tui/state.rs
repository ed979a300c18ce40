//! What the screen knows, what can happen to it, and what it wants done. Plain data.

use super::composer::Composer;
use super::keys::Keys;
use super::markdown::{Flow, Piece};
use super::question::Ask;
use crate::action::Change;
use crate::diff::Hunk;
use crate::event::{Answer, Event, Outcome, Question, Spent};
use crate::finding::Finding;
use crate::fix::Report;
use crate::policy::Mode;
use crate::session::record::Summary;
use crossterm::event::KeyEvent;

/// Something happened. Closed: whatever reaches the screen comes as one of these.
#[derive(Debug)]
pub enum Msg {
    /// A key.
    Key(KeyEvent),
    /// Pasted text.
    Paste(String),
    /// A new size: columns, rows.
    Resize(u16, u16),
    /// A second passed while there is work.
    Second,
    /// A question has been on the screen long enough to be answered on purpose.
    Armed,
    /// The session says something.
    House(Event),
    /// The session asks; the number goes back with the answer.
    Asked(u64, Question),
    /// The desk says something.
    Told(Told),
    /// Words that still waited.
    Recalled(Vec<String>),
    /// What the user's editor left; `None` when it failed.
    Edited(Option<String>),
}

/// What the desk (the task that has the session) says.
#[derive(Debug)]
pub enum Told {
    /// What there is to work with, before any session.
    Opened(Desk),
    /// Files of the workspace, for completion.
    Files(Vec<String>),
    /// Work began.
    Busy(String),
    /// Work ended.
    Free,
    /// Something could not be done: what, why, what next.
    Trouble(String),
    /// Something was done.
    Done(String),
    /// A mission or a prompt ended.
    Report(Box<Report>),
    /// A text to read.
    Sheet {
        /// Its name.
        title: String,
        /// The text; a diff is coloured.
        text: String,
    },
    /// Sessions to choose from.
    Sessions(Vec<Summary>),
    /// Models to choose from.
    Models(Vec<String>),
    /// What a scan found.
    Found(Vec<Finding>),
    /// What is remembered for this session.
    Remembered(Vec<String>),
    /// A session was opened: what was said in it.
    Replay(Vec<Block>),
    /// A command of the user's own ended.
    Ran {
        /// The command.
        command: String,
        /// What it printed, and how it ended.
        output: String,
        /// Whether it ended well.
        ok: bool,
    },
    /// Tokens the conversation takes, and the model's window.
    Context {
        /// Tokens.
        used: u64,
        /// Tokens; 0 where it is not known.
        window: u64,
    },
}

/// What there is to work with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desk {
    /// `provider/model`.
    pub model: String,
    /// How much happens without asking.
    pub mode: String,
    /// What confines commands, a word.
    pub sandbox: String,
    /// What the walls lack.
    pub missing: Vec<String>,
    /// The folder.
    pub workspace: String,
}

/// What the screen wants done.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// Something for the desk.
    Order(Order),
    /// The answer to the question of that number.
    Answer(u64, Answer),
    /// Stop the work.
    Interrupt,
    /// Words for the model while it works.
    Steer(String),
    /// Words that wait, back.
    Recall,
    /// A text for the terminal's clipboard.
    Copy(String),
    /// A text for the user's editor; the ending names its kind.
    Edit {
        /// The text.
        text: String,
        /// `md`, `py`, …
        ending: String,
    },
    /// A question appeared: arm it after a moment.
    Arm,
    /// Draw everything anew.
    Redraw,
    /// To the shell for a while.
    Suspend,
    /// Leave.
    Leave,
}

/// What the desk is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Words of the user.
    Say(String),
    /// A mission.
    Fix(String),
    /// Look for weaknesses.
    Scan,
    /// A command of the user's own, in the sandbox.
    Run(String),
    /// Go on with a session.
    Resume(String),
    /// Go on with a copy of this session.
    Fork,
    /// Begin a new one.
    New,
    /// Name this session.
    Rename(String),
    /// Another mode.
    Mode(Mode),
    /// Another model.
    Model(String),
    /// Say which models there are.
    Models,
    /// Say which sessions there are.
    Sessions,
    /// Cut the conversation to what matters.
    Compact,
    /// What this session changed.
    Diff,
    /// Take changes back: the last answer's, or all.
    Undo {
        /// All of the session's.
        all: bool,
    },
    /// Take the undo back.
    Redo,
    /// What is remembered.
    Permissions,
    /// Forget one of what is remembered.
    Forget(usize),
    /// Write the conversation to a file of the workspace.
    Export {
        /// Where; a name is chosen when empty.
        path: String,
        /// Markdown.
        text: String,
    },
}

/// A finished part of the conversation; it is printed once, and kept for search, export and a new size.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// The first words.
    Welcome(Desk),
    /// What the user said.
    User(String),
    /// What the model said.
    Prose(Piece),
    /// What was done.
    Call {
        /// One line.
        title: String,
        /// Whether it did what was asked.
        ok: bool,
        /// How it ended.
        summary: String,
        /// The last lines it printed.
        tail: Vec<String>,
    },
    /// A file that changed.
    Change(Shown),
    /// A weakness.
    Finding {
        /// One line.
        text: String,
    },
    /// A gate's answer.
    Gate {
        /// Its name.
        name: String,
        /// `passed`, `failed`, `unknown`.
        status: String,
        /// What was seen.
        evidence: String,
    },
    /// How it ended.
    Ended(Box<Ended>),
    /// A line of the house.
    Note(Tone, String),
}

/// What a report says beyond what was shown already.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// Why, where the model said nothing.
    pub reason: String,
    /// Path, lines added, lines removed.
    pub files: Vec<(String, usize, usize)>,
    /// What a person must still do.
    pub by_hand: Vec<String>,
    /// Milliseconds.
    pub ms: u64,
    /// US dollars, where known.
    pub cost: Option<f64>,
    /// Whether gates were there to pass.
    pub is_mission: bool,
}

/// A change as it is shown: hunks with secrets hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The file.
    pub path: String,
    /// Where it was before.
    pub moved_from: Option<String>,
    /// Whether it is new.
    pub created: bool,
    /// Whether it goes.
    pub removed: bool,
    /// What differs; texts with secrets hidden.
    pub hunks: Vec<Hunk>,
}

/// How a note is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// By the way.
    Faint,
    /// Worth reading.
    Plain,
    /// It worked.
    Good,
    /// Mind this.
    Warn,
    /// It did not work.
    Bad,
}

/// A call under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Running {
    /// Call id.
    pub id: String,
    /// One line.
    pub title: String,
    /// What it changes, for the record of the screen.
    pub changes: Vec<Change>,
    /// The last lines it printed.
    pub tail: Vec<String>,
}

/// What is under way.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// What, a few words.
    pub what: String,
    /// Seconds since it began.
    pub seconds: u32,
    /// Whether the user asked to stop.
    pub stopping: bool,
}

/// What fills the place of the composer, or the screen.
#[derive(Debug)]
pub enum Dialog {
    /// A question of the session.
    Ask(Box<Ask>),
    /// Something to choose.
    Pick(Pick),
    /// A text to read: help, a diff, the conversation.
    Sheet(Sheet),
    /// The findings.
    Findings {
        /// Which one is chosen.
        chosen: usize,
    },
}

/// A list to choose from, narrowed by typing.
#[derive(Debug, Clone, PartialEq)]
pub struct Pick {
    /// What it is about.
    pub title: String,
    /// Everything.
    pub items: Vec<Item>,
    /// What was typed.
    pub filter: String,
    /// Which of the ones that match is chosen.
    pub chosen: usize,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name.
    pub label: String,
    /// More of it.
    pub detail: String,
    /// What choosing it does.
    pub then: Then,
}

/// What a choice does.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// Runs a command of the composer.
    Command(&'static str),
    /// Gives an order.
    Order(Order),
}

/// A text that covers the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Its name.
    pub title: String,
    /// What it shows.
    pub content: Content,
    /// The first line that is shown.
    pub top: usize,
    /// What is searched for.
    pub search: String,
}

/// What a sheet shows.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Keys and commands.
    Help,
    /// The conversation.
    Transcript,
    /// This text.
    Text(String),
}

/// Candidates for what is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Completion {
    /// Where in the text it begins.
    pub start: usize,
    /// What would stand there, and a few words about it.
    pub items: Vec<(String, String)>,
    /// Which one.
    pub chosen: usize,
}

/// What the screen knows.
pub struct State {
    /// Columns and rows.
    pub size: (u16, u16),
    /// Keys.
    pub keys: Keys,
    /// What there is to work with.
    pub desk: Desk,
    /// Session id; empty before the first words.
    pub session: String,
    /// Tokens and cost.
    pub spent: Option<Spent>,
    /// Tokens of the conversation, and of the model's window.
    pub context: (u64, u64),
    /// What is being written.
    pub composer: Composer,
    /// What was sent, oldest first.
    pub history: Vec<String>,
    /// Where in the history, and what was being written before.
    pub browsing: Option<(usize, String)>,
    /// Candidates.
    pub completion: Option<Completion>,
    /// Files of the workspace.
    pub files: Vec<String>,
    /// What is finished.
    pub transcript: Vec<Block>,
    /// The model's words as they come.
    pub flow: Flow,
    /// Whether the model thinks, and its last thought.
    pub thought: String,
    /// Calls under way.
    pub running: Vec<Running>,
    /// What is under way.
    pub work: Option<Work>,
    /// Words that wait.
    pub queued: Vec<String>,
    /// What fills the composer's place.
    pub dialog: Option<Dialog>,
    /// What the last scan found.
    pub findings: Vec<Finding>,
    /// Outputs of the user's own commands, for the model, with the next words.
    pub notes: Vec<String>,
    /// A word under the composer.
    pub hint: Option<String>,
    /// Whether the next Ctrl-C leaves.
    pub leaving: bool,
    /// Whether the editor is open for a question's change.
    pub editing: bool,
}

impl State {
    /// Before anything happened.
    pub fn new(size: (u16, u16), keys: Keys) -> Self {
        Self {
            size,
            keys,
            desk: Desk::default(),
            session: String::new(),
            spent: None,
            context: (0, 0),
            composer: Composer::default(),
            history: Vec::new(),
            browsing: None,
            completion: None,
            files: Vec::new(),
            transcript: Vec::new(),
            flow: Flow::default(),
            thought: String::new(),
            running: Vec::new(),
            work: None,
            queued: Vec::new(),
            dialog: None,
            findings: Vec::new(),
            notes: Vec::new(),
            hint: None,
            leaving: false,
            editing: false,
        }
    }

    /// Whether there is work.
    pub fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// A line of the house.
    pub fn note(&mut self, tone: Tone, text: impl Into<String>) {
        self.transcript.push(Block::Note(tone, text.into()));
    }
}
