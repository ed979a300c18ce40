//! The command line as types.

use crate::config::Flags;
use crate::finding::{Family, Severity};
use crate::policy::Mode;
use crate::serve::Start;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A coding agent for backend security: finds the weakness, changes little, proves the fix.
#[derive(Debug, Parser)]
#[command(
    name = "agent",
    version,
    about,
    disable_help_subcommand = true,
    // Options before a command would pass for the command's own.
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done, fixed or nothing to fix · 1 error · 2 usage · 4 no such session or input · \
                  5 denied · 6 not fixed · 7 budget used up · 8 blocked: something is missing, or another agent is at work in the workspace · 9 model unavailable · \
                  10 fixed, but a gate is unknown · 11 refused by the provider · 129 lost its terminal · 130 interrupted · 143 terminated"
)]
pub struct Cli {
    /// What to do; without a command, on a terminal, the terminal UI opens
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Model, mode, workspace of the terminal UI
    #[command(flatten)]
    pub work: WorkArgs,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Do what a prompt says
    Run {
        /// What to do, in your words; `-` reads it from standard input
        prompt: String,
        /// Model, mode, workspace, output
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Close one issue and prove it: scan, change, test, scan again, report
    Fix {
        /// The issue: its text, a file that holds it, or `-` for standard input
        #[arg(required_unless_present = "sarif")]
        issue: Option<String>,
        /// The project's test command, when the one that is found is not right
        #[arg(long, value_name = "COMMAND")]
        test: Option<String>,
        /// Review, reports, delivery
        #[command(flatten)]
        fixing: super::fixing::FixArgs,
        /// Another tool's findings instead of an issue
        #[command(flatten)]
        sarif: super::sarif::SarifArgs,
        /// Model, mode, workspace, output
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Look for known weaknesses; changes nothing
    Scan(super::scan::ScanArgs),
    /// Say which rules there are, show one, try their examples
    #[command(subcommand)]
    Rules(super::rules::RulesCommand),
    /// Go on with an earlier session
    Resume {
        /// Session id; the newest of this workspace when absent
        session: Option<String>,
        /// What to say to it
        #[arg(long, default_value = "Go on.")]
        prompt: String,
        /// List the sessions of this workspace instead
        #[arg(long)]
        list: bool,
        /// Model, mode, workspace, output
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Show a session for review: contract, change, gates, transcript; secrets are hidden
    Show(super::show::ShowArgs),
    /// Print the JSON Schema of what programs read
    Schema {
        /// What
        #[arg(value_enum)]
        which: super::show::Schema,
    },
    /// Show as a diff what a session changed; secrets are hidden
    Diff(UndoArgs),
    /// Take back what a session changed; what somebody else changed since stays
    ///
    /// Every file is compared three ways: as it was before the agent, as the agent left it, as it is now. A file
    /// that is no longer as the agent left it is refused, and then nothing is changed at all unless --partial is
    /// given. Covered are tools and commands; not covered are ignored files, .git, links, contents of files that
    /// hold secrets, files above 8 MiB, and what background commands do. `agent redo` takes an undo back.
    ///
    /// Exit codes: 0 done or nothing to do, 4 no such session, 6 something was refused, 8 another agent is at
    /// work here.
    Undo(UndoArgs),
    /// Take the last undo back
    Redo(UndoArgs),
    /// Be the agent of an editor or of another agent: ACP over standard input and output
    ///
    /// Sessions are opened by the client, each in its own folder; the options here are what they begin with.
    /// Ends when standard input does.
    Acp(SessionArgs),
    /// List what was hidden from the model in a session: kind and place, never the value
    ///
    /// Where the value still stands in a file of the workspace, its length and a fingerprint are shown; the same
    /// fingerprint is the same value, within one list. `--reveal PATH:LINE` with run, fix or resume lets the model
    /// see one of them once; without it the model can ask, and you are asked.
    Hidden {
        /// Session id; the newest of this workspace when absent
        session: Option<String>,
        /// Folder the session worked in
        #[arg(long, default_value = ".")]
        workspace: PathBuf,
        /// Form of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output_format: Format,
    },
    /// Be a tool server for other agents: MCP over standard input and output
    ///
    /// Offers fix, scan, run, reply, and start, status, result, cancel for hosts with short limits. Without --mode
    /// it works as `auto`: workspace edits and sandboxed commands happen, anything beyond is asked of the user where
    /// the host can ask, and else left and reported as `needs_approval`.
    Mcp(SessionArgs),
    /// Trust a workspace as it is now: what it holds may configure the agent and start its tool servers
    ///
    /// Before that, nothing in a repository configures or runs anything. Trust is for this folder at this path;
    /// you are asked again when one of its agent definitions, commands, skills or tool servers changes.
    ///
    /// Exit codes: 0 done, trusted or nothing to trust, 6 with --check: not trusted.
    Trust {
        /// Folder
        #[arg(default_value = ".")]
        path: PathBuf,
        /// List the trusted workspaces instead
        #[arg(long, conflicts_with_all = ["revoke", "check"])]
        list: bool,
        /// Take trust back instead
        #[arg(long, conflicts_with = "check")]
        revoke: bool,
        /// Only say how it stands, and what would gain power
        #[arg(long)]
        check: bool,
        /// Form of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output_format: Format,
    },
    /// Say what works on this machine, and why not
    Doctor {
        /// Model, mode, workspace, output
        #[command(flatten)]
        work: WorkArgs,
    },
    /// Keep a provider's key: in the desktop's keyring, else in a file of yours alone
    ///
    /// The key is read without echo from the terminal, or from standard input where that is no terminal, and is
    /// never printed. An environment variable (`OPENAI_API_KEY`, …) beats a kept key.
    Login {
        /// anthropic, openai (also for responses) or gemini; the configured model's when absent
        provider: Option<String>,
    },
    /// Forget a provider's kept key
    Logout {
        /// anthropic, openai or gemini; the configured model's when absent
        provider: Option<String>,
    },
    /// Say which providers are configured, and with --provider which models one has
    Models {
        /// Ask this provider for its models
        #[arg(long, value_name = "PROVIDER")]
        provider: Option<String>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output_format: Format,
    },
    /// Show agent definitions, skills and prompt commands, and which of them count
    Agents {
        /// Folder whose definitions are looked at too
        #[arg(long, value_name = "DIR", default_value = ".")]
        workspace: PathBuf,
        /// Print this agent as a file that other hosts load too (name, description, persona)
        #[arg(long, value_name = "NAME")]
        show: Option<String>,
        /// Form of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output_format: Format,
    },
    /// Print what the model is told of the tools
    Tools {
        /// Form of the output
        #[arg(long, value_enum, default_value_t = Format::Json)]
        output_format: Format,
    },
    /// Run one command in the sandbox
    Sandbox {
        /// Folder it may write in
        #[arg(long, default_value = ".")]
        workspace: PathBuf,
        /// Host it may reach, through a proxy: `example.com`, `example.com:8443`, `*.example.com`, `@registries`;
        /// may be repeated
        #[arg(long, value_name = "HOST[:PORT]")]
        allow_host: Vec<String>,
        /// The command and its arguments, after `--`
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Options of every command that works with a model.
#[derive(Debug, Clone, Args)]
pub struct WorkArgs {
    /// Folder to work in
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Model, mode, limits
    #[command(flatten)]
    pub session: SessionArgs,
    /// Do not ask: what would be asked for is denied, workspace edits and sandboxed commands happen
    #[arg(long, conflicts_with = "mode")]
    pub yes: bool,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub output_format: Format,
    /// Also scan with the rules in this folder or file of yours; may be repeated
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Hidden value that the model may be shown, once, where it asks for it; `agent hidden` lists them; may be
    /// repeated
    #[arg(long, value_name = "PATH:LINE", value_parser = place)]
    pub reveal: Vec<(String, u64)>,
    /// Also write the result object to this file
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
}

/// What a session begins with, whatever opens it.
#[derive(Debug, Clone, Args)]
pub struct SessionArgs {
    /// `anthropic/NAME`, `openai/NAME` (Chat Completions and compatible servers), `responses/NAME` (OpenAI
    /// Responses), `gemini/NAME`, or `rules`, the embedded one
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub model: Option<String>,
    /// Agent definition by name (`agent agents` shows them) or file (`./x.md`); the embedded one when absent
    #[arg(long, value_name = "NAME|FILE")]
    pub agent: Option<String>,
    /// How much happens without asking
    #[arg(long, value_parser = mode, value_name = "ask|auto|read-only|yes")]
    pub mode: Option<Mode>,
    /// Most answers of the model to one prompt
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_turns: Option<u32>,
    /// Most tokens in all, input and output; looked at before every answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_tokens: Option<u64>,
    /// Most US dollars; needs a known price (`agent models`), looked at before every answer
    #[arg(long, value_name = "USD", value_parser = positive)]
    pub max_usd: Option<f64>,
    /// Longest time; ends whatever is under way
    #[arg(long, value_name = "MINUTES", value_parser = positive)]
    pub max_minutes: Option<f64>,
    /// Another model that goes on with the work where the provider's policy refuses; asked first on a terminal. May
    /// be repeated
    #[arg(long, value_name = "PROVIDER/NAME")]
    pub fallback_model: Vec<String>,
    /// Tokens that the model's window holds; the conversation is cut to fit before it fills 80 % of that
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u64).range(1_024..))]
    pub context_window: Option<u64>,
    /// Host that webfetch and commands may reach without asking: `example.com`, `example.com:8443`,
    /// `*.example.com`, or `@registries` for the public registries of packages; may be repeated
    #[arg(long, value_name = "HOST[:PORT]")]
    pub allow_host: Vec<String>,
    /// `off` runs commands without walls, on your word alone
    #[arg(long, value_enum, default_value_t = Walls::Auto)]
    pub sandbox: Walls,
}

impl SessionArgs {
    /// As flags, with nothing else said.
    fn flags(&self) -> Flags {
        Flags {
            model: self.model.clone(),
            mode: self.mode,
            max_turns: self.max_turns,
            max_tokens: self.max_tokens,
            max_usd: self.max_usd,
            max_minutes: self.max_minutes,
            fallback_models: self.fallback_model.clone(),
            context_window: self.context_window,
            allow_hosts: self.allow_host.clone(),
            sandbox_off: self.sandbox == Walls::Off,
            ..Flags::default()
        }
    }

    /// As what a door for other programs is started with.
    pub fn start(&self) -> Start {
        Start { flags: self.flags(), agent: self.agent.clone() }
    }
}

/// Options of the commands that take changes back.
#[derive(Debug, Clone, Args)]
pub struct UndoArgs {
    /// Session id; the newest that changed something in this workspace when absent
    pub session: Option<String>,
    /// Only what this answer of the model changed, counted from 1 (not for redo)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub turn: Option<u32>,
    /// Only this file, or what is below this folder (not for redo)
    #[arg(long, value_name = "PATH")]
    pub file: Option<String>,
    /// Go on with the other files when some are refused; else nothing is changed
    #[arg(long)]
    pub partial: bool,
    /// Also what was found changed after a command that was cut off, though it may be your own change
    #[arg(long)]
    pub interrupted: bool,
    /// Where branches, tags and HEAD pointed before the commands, and nothing else (not for redo)
    #[arg(long)]
    pub history: bool,
    /// Folder the session worked in
    #[arg(long, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub output_format: Format,
}

/// Form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// The result object alone.
    Json,
    /// One event a line, the result last.
    StreamJson,
}

/// Form of a scan's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScanFormat {
    /// For people.
    Text,
    /// Findings as JSON.
    Json,
    /// SARIF 2.1.0.
    Sarif,
}

/// Whether commands run behind walls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Walls {
    /// The best this machine has; refuses when it has none.
    Auto,
    /// None.
    Off,
}

impl WorkArgs {
    /// As flags.
    pub fn flags(&self) -> Flags {
        let session = self.session.flags();
        Flags {
            workspace: self.workspace.clone(),
            mode: if self.yes { Some(Mode::Yes) } else { session.mode },
            scan_rules: self.rules.clone(),
            reveals: self.reveal.clone(),
            ..session
        }
    }
}

fn place(word: &str) -> Result<(String, u64), String> {
    let parts = word.rsplit_once(':').and_then(|(path, line)| Some((path, line.parse::<u64>().ok()?)));
    let (path, line) =
        parts.filter(|(path, line)| !path.is_empty() && *line > 0).ok_or("must be PATH:LINE")?;
    Ok((path.trim_start_matches("./").to_owned(), line))
}

fn mode(word: &str) -> Result<Mode, String> {
    crate::config::mode(word).ok_or_else(|| "must be ask, auto, read-only or yes".to_owned())
}

/// More than nothing, and less than a year in any unit.
fn positive(word: &str) -> Result<f64, String> {
    let number = word.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= 500_000.0);
    number.ok_or_else(|| "must be a number above 0, at most 500000".to_owned())
}

pub(super) fn family(word: &str) -> Result<Family, String> {
    let names = || crate::finding::FAMILIES.iter().map(|facts| facts.name).collect::<Vec<_>>().join(", ");
    Family::named(word).ok_or_else(|| format!("must be one of {}", names()))
}

pub(super) fn severity(word: &str) -> Result<Severity, String> {
    Severity::named(word).ok_or_else(|| "must be low, medium, high or critical".to_owned())
}
