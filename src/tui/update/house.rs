//! What the session says, taken over block by block.

use crate::action::Action;
use crate::event::Event;
use crate::tui::change;
use crate::tui::state::{Block, Dialog, Running, State, Tone};
use crate::tui::wrap::one_line;

/// Lines of a call's output that are kept on the screen while it runs.
const TAIL: usize = 5;
/// Of its output, the last that is looked at; bytes.
const TAIL_BYTES: usize = 4096;

/// Takes an event.
pub(super) fn take(state: &mut State, event: Event) {
    match event {
        Event::Init { session_id, model, mode, sandbox, workspace } => {
            state.session = session_id;
            state.desk.model = model;
            state.desk.mode = mode;
            state.desk.sandbox = sandbox;
            state.desk.workspace = workspace;
        }
        Event::Message { delta } => {
            state.thought.clear();
            for piece in state.flow.push(&delta) {
                state.transcript.push(Block::Prose(piece));
            }
        }
        Event::Thought { delta } => {
            state.thought.push_str(&delta);
            // Thoughts pass by: only their last line is shown.
            if let Some(at) = state.thought.trim_end().rfind('\n') {
                state.thought.drain(..=at);
            }
        }
        Event::ToolCall { id, title, action, .. } => {
            end_text(state);
            if let Some(work) = &mut state.work {
                "working".clone_into(&mut work.what);
            }
            let changes = match action {
                Some(Action::Write { changes }) => changes,
                _ => Vec::new(),
            };
            state.running.push(Running { id, title, changes, tail: Vec::new() });
        }
        Event::ToolUpdate { id, delta } => {
            if let Some(call) = state.running.iter_mut().find(|call| call.id == id) {
                output(&mut call.tail, &delta);
            }
        }
        Event::ToolResult { id, ok, summary, .. } => {
            // A question that is still open then has lost its call: nobody waits for the answer.
            if matches!(state.dialog, Some(Dialog::Ask(_))) {
                state.dialog = None;
            }
            let at = state.running.iter().position(|call| call.id == id);
            let Some(call) = at.map(|at| state.running.remove(at)) else { return };
            let (title, mut tail) = (one_line(&call.title), call.tail);
            if ok && tail.len() > 2 {
                // What went well is told in a line or two; the rest is in the record.
                tail.drain(..tail.len() - 2);
            }
            state.transcript.push(Block::Call { title, ok, summary, tail });
            if ok {
                state.transcript.extend(call.changes.iter().map(|one| Block::Change(change::shown(one))));
            }
        }
        Event::Permission { verdict, reason, .. } => {
            let tone = if verdict == "allowed" { Tone::Faint } else { Tone::Warn };
            state.note(tone, format!("{verdict}: {reason}"));
        }
        Event::Usage(spent) => state.spent = Some(spent),
        Event::Retry { attempt, wait_ms, reason } => {
            let (whole, tenth) = (wait_ms / 1000, wait_ms % 1000 / 100);
            state.note(Tone::Warn, format!("{reason}; try {attempt} in {whole}.{tenth} s"));
        }
        Event::Findings { findings } => {
            for finding in &findings {
                let within =
                    finding.within.as_deref().map(|within| format!(" in {within}")).unwrap_or_default();
                let (path, line, title) = (&finding.path, finding.span.line, finding.family.facts().title);
                let text = format!("{path}:{line}{within}: {title} ({})", finding.severity.name());
                state.transcript.push(Block::Finding { text });
            }
        }
        Event::Contract { contract } => {
            for (name, text) in contract.lines().into_iter().filter(|(_, text)| !text.is_empty()) {
                state.note(Tone::Faint, format!("{name}: {text}"));
            }
        }
        Event::Verify { gate, status, evidence } => {
            state.transcript.push(Block::Gate { name: gate, status, evidence });
        }
        Event::Steered { text } => {
            end_text(state);
            if let Some(at) = state.queued.iter().position(|words| *words == text) {
                state.queued.remove(at);
            }
            state.transcript.push(Block::User(text));
        }
        Event::Status { text } => {
            if let Some(work) = &mut state.work {
                work.what = one_line(&text);
            }
            state.note(Tone::Faint, text);
        }
        Event::Warning { text } => state.note(Tone::Warn, text),
    }
}

/// Ends the words that were streaming.
pub(super) fn end_text(state: &mut State) {
    state.thought.clear();
    if let Some(piece) = state.flow.finish() {
        state.transcript.push(Block::Prose(piece));
    }
}

/// Keeps the last lines of an output; the last may go on.
fn output(tail: &mut Vec<String>, delta: &str) {
    let start = delta.ceil_char_boundary(delta.len().saturating_sub(TAIL_BYTES));
    for (at, line) in delta[start..].split('\n').enumerate() {
        // A carriage return takes the line back to its beginning.
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default();
        match tail.last_mut() {
            Some(last) if at == 0 => {
                if last.len() < TAIL_BYTES {
                    last.push_str(line);
                }
            }
            _ => tail.push(line.to_owned()),
        }
    }
    let last_is_open = tail.last().is_some_and(String::is_empty);
    let keep = TAIL + usize::from(last_is_open);
    tail.drain(..tail.len().saturating_sub(keep));
}
