//! The host for people: events as lines on standard output, questions on the terminal.

use crate::action::Action;
use crate::diff;
use crate::event::{Answer, Event, Host, Question};
use crate::text::{printable, redact};
use anstyle::{AnsiColor, Style};
use futures_util::future::BoxFuture;
use std::io::{BufRead, IsTerminal, Write};

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// Renders events as text. Colours only where standard output is a terminal that wants them.
pub(super) struct Plain {
    out: anstream::AutoStream<std::io::Stdout>,
    in_text: bool,
}

impl Default for Plain {
    fn default() -> Self {
        Self { out: anstream::AutoStream::auto(std::io::stdout()), in_text: false }
    }
}

impl Plain {
    /// Ends a line that was being streamed.
    fn end_text(&mut self) {
        if std::mem::take(&mut self.in_text) {
            let _ = writeln!(self.out);
        }
    }

    fn line(&mut self, style: Style, text: &str) {
        self.end_text();
        let _ = writeln!(self.out, "{style}{}{style:#}", printable(text));
        let _ = self.out.flush();
    }

    /// Shows what would change, exactly.
    fn preview(&mut self, action: &Action) {
        let Action::Write { changes } = action else { return };
        for change in changes {
            let text = match &change.moved_from {
                Some(from) => format!("moved from {from}\n"),
                None => String::new(),
            } + &diff::unified(&change.path, change.before.as_deref(), change.after.as_deref());
            for line in text.lines() {
                let style = match line.as_bytes().first() {
                    Some(b'+') => ADDED,
                    Some(b'-') => REMOVED,
                    Some(b'@') => PLACE,
                    _ => Style::new(),
                };
                let _ = writeln!(self.out, "{style}{}{style:#}", printable(line));
            }
        }
        let _ = self.out.flush();
    }

    /// Prints text for people, as it stands.
    pub(super) fn print(&mut self, text: &str) {
        self.end_text();
        let _ = write!(self.out, "{}", printable(text));
        let _ = self.out.flush();
    }
}

impl Host for Plain {
    fn tell(&mut self, event: Event) {
        match event {
            Event::Init { session_id, workspace, model, mode, sandbox } => {
                self.line(
                    FAINT,
                    &format!("{workspace} · {model} · mode {mode} · sandbox {sandbox} · {session_id}"),
                );
            }
            Event::Message { delta } => {
                let _ = write!(self.out, "{}", printable(&delta));
                let _ = self.out.flush();
                self.in_text = !delta.ends_with('\n') && (self.in_text || !delta.is_empty());
            }
            Event::ToolCall { title, action, .. } => {
                self.line(PLACE, &format!("› {title}"));
                if let Some(action) = action {
                    self.preview(&action);
                }
            }
            Event::ToolResult { ok, summary, .. } => {
                let (mark, style) = if ok { ("  ✓", FAINT) } else { ("  ✗", BAD) };
                self.line(style, &format!("{mark} {summary}"));
            }
            Event::Permission { verdict, reason, .. } => self.line(UNSURE, &format!("  {verdict}: {reason}")),
            Event::Retry { attempt, wait_ms, reason } => {
                self.line(UNSURE, &format!("{reason}; try {attempt} in {:.1} s", f64_of(wait_ms) / 1000.0));
            }
            Event::Findings { findings } => {
                for finding in findings {
                    let within = finding.within.as_deref().map(|w| format!(" in {w}")).unwrap_or_default();
                    let (path, line) = (&finding.path, finding.span.line);
                    self.line(UNSURE, &format!("! {path}:{line}{within}: {}", finding.family.facts().title));
                }
            }
            Event::Contract { contract } => {
                for (name, text) in contract.lines().into_iter().filter(|(_, text)| !text.is_empty()) {
                    self.line(FAINT, &format!("  {name}: {text}"));
                }
            }
            Event::Steered { text } => self.line(PLACE, &format!("» {text}")),
            Event::Status { text } => self.line(FAINT, &text),
            Event::Warning { text } => self.line(UNSURE, &format!("warning: {text}")),
            // The report that follows at once holds the gates.
            Event::Verify { .. } | Event::Thought { .. } | Event::ToolUpdate { .. } | Event::Usage(_) => {}
        }
    }

    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer> {
        self.end_text();
        let _ = writeln!(
            self.out,
            "{UNSURE}{}{UNSURE:#}",
            printable(&redact(&format!("{}?", question.action.title())))
        );
        let _ = writeln!(self.out, "  asked because: {}", printable(&question.reason));
        let session = question.remember.as_ref().map(|what| format!(", [a]lways this session ({what})"));
        let _ = write!(self.out, "  [y]es, [N]o{}: ", printable(&session.unwrap_or_default()));
        let _ = self.out.flush();
        Box::pin(async {
            let Some(line) = read_line().await else {
                return Answer::Reject(Some(
                    "there is no terminal to ask on; --yes decides without asking".into(),
                ));
            };
            match line.trim() {
                "y" | "yes" => Answer::Once,
                "a" | "always" if question.remember.is_some() => Answer::Session,
                "" | "n" | "no" => Answer::Reject(None),
                words => Answer::Reject(Some(words.trim_start_matches("n ").to_owned())),
            }
        })
    }
}

/// Reads a line from the terminal; `None` where there is none.
async fn read_line() -> Option<String> {
    let reading = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        if std::io::stdin().is_terminal() {
            std::io::stdin().lock().read_line(&mut line).ok()?;
        } else if std::io::stdout().is_terminal() {
            // Standard input carries the issue or the prompt; the person sits at the terminal.
            let terminal = std::fs::File::open("/dev/tty").ok()?;
            std::io::BufReader::new(terminal).read_line(&mut line).ok()?;
        } else {
            return None;
        }
        // End of input is no answer, and no answer is no.
        (!line.is_empty()).then_some(line)
    });
    reading.await.ok().flatten()
}

fn f64_of(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX))
}
