//! The host that tells a client what happens, as session updates.

use super::question;
use super::seat::Seat;
use crate::action::{Action, Change};
use crate::diff;
use crate::event::{Answer, Event, Host, Question, Spent};
use crate::text::clip;
use agent_client_protocol::Client;
use agent_client_protocol::v1::ConnectionTo;
use agent_client_protocol::v1::schema as acp;
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The most text of one update, in bytes: many home-made readers of lines stop at 64 KiB.
pub(super) const MAX_TEXT: usize = 48 * 1024;
/// The first and the last bytes of a running command's output that are shown.
const MAX_OUTPUT: (usize, usize) = (8 * 1024, 24 * 1024);
/// How often a running command's output is shown.
const PACE: Duration = Duration::from_millis(200);
/// What a context window is taken for where nobody says how large it is, in tokens.
const WINDOW: u64 = 200_000;

/// Speaks for one turn of one session.
pub(super) struct Teller {
    seat: Arc<Seat>,
    client: ConnectionTo<Client>,
    offers: acp::ClientCapabilities,
    /// Set when the turn was answered: nothing is said after that.
    muted: Arc<AtomicBool>,
    /// The call that was announced last: questions are about it.
    pub(super) current: Option<acp::ToolCall>,
    running: BTreeMap<String, Output>,
    plan: Option<Plan>,
}

/// What a call has printed so far.
#[derive(Default)]
struct Output {
    head: String,
    tail: String,
    left_out: usize,
    shown: Option<Instant>,
}

/// The steps of a mission, and how far it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Plan {
    Look,
    Change,
    Prove,
    Over,
}

impl Teller {
    pub(super) fn new(
        seat: Arc<Seat>,
        client: ConnectionTo<Client>,
        offers: acp::ClientCapabilities,
        muted: Arc<AtomicBool>,
    ) -> Self {
        Self { seat, client, offers, muted, current: None, running: BTreeMap::new(), plan: None }
    }

    /// One update, unless the turn is answered already.
    pub(super) fn send(&self, update: acp::SessionUpdate) {
        if !self.muted.load(Ordering::SeqCst) {
            // A client that is gone is noticed where the connection ends.
            let _ =
                self.client.send_notification(acp::SessionNotification::new(self.seat.id.clone(), update));
        }
    }

    /// Says something in the agent's own name.
    pub(super) fn say(&self, text: &str) {
        for piece in pieces(text) {
            self.send(acp::SessionUpdate::AgentMessageChunk(acp::ContentChunk::new(piece.into())));
        }
    }

    /// What a user may want to know but did not ask for.
    fn note(&self, text: &str) {
        for piece in pieces(text) {
            self.send(acp::SessionUpdate::AgentThoughtChunk(acp::ContentChunk::new(piece.into())));
        }
    }

    /// A mission has come to this step.
    pub(super) fn step(&mut self, step: Plan) {
        if self.plan.is_some_and(|now| now >= step) {
            return;
        }
        self.plan = Some(step);
        let steps = [
            (Plan::Look, "Look: scan, run the tests as they are"),
            (Plan::Change, "Change as little as closes the weakness"),
            (Plan::Prove, "Prove it: scan and test again, compare"),
        ];
        let entries = steps.into_iter().map(|(at, words)| {
            let status = match at.cmp(&step) {
                std::cmp::Ordering::Less => acp::PlanEntryStatus::Completed,
                std::cmp::Ordering::Equal => acp::PlanEntryStatus::InProgress,
                std::cmp::Ordering::Greater => acp::PlanEntryStatus::Pending,
            };
            acp::PlanEntry::new(words, acp::PlanEntryPriority::High, status)
        });
        self.send(acp::SessionUpdate::Plan(acp::Plan::new(entries.collect())));
    }

    fn update(&self, id: &str, fields: acp::ToolCallUpdateFields) {
        self.send(acp::SessionUpdate::ToolCallUpdate(acp::ToolCallUpdate::new(id.to_owned(), fields)));
    }

    fn announce(&mut self, id: String, tool: &str, title: &str, action: Option<&Action>) {
        let call = tool_call(id, tool, title, action, &self.seat.root);
        self.send(acp::SessionUpdate::ToolCall(call.clone()));
        self.current = Some(call);
    }

    fn print(&mut self, id: &str, delta: &str) {
        let output = self.running.entry(id.to_owned()).or_default();
        output.push(delta);
        if output.shown.is_none_or(|shown| shown.elapsed() >= PACE) {
            output.shown = Some(Instant::now());
            let fields = acp::ToolCallUpdateFields::new()
                .status(acp::ToolCallStatus::InProgress)
                .content(vec![output.render().into()]);
            self.update(id, fields);
        }
    }

    fn usage(&self, spent: &Spent) {
        let usage = spent.usage;
        let used = usage.input + usage.cached + usage.cache_write + usage.output;
        let cost = spent.total_cost_usd.map(|amount| acp::Cost::new(amount, "USD"));
        self.send(acp::SessionUpdate::UsageUpdate(acp::UsageUpdate::new(used, WINDOW.max(used)).cost(cost)));
    }

    fn warn(&self, text: &str) {
        let takes_notices = self.offers.session.as_ref().is_some_and(|session| session.notices.is_some());
        if takes_notices {
            let notice = acp::Notice::new(acp::NoticeSeverity::Warning, clip(text, MAX_TEXT).text);
            self.send(acp::SessionUpdate::Notice(notice));
        } else {
            self.note(&format!("Warning: {text}\n"));
        }
    }
}

impl Output {
    fn push(&mut self, delta: &str) {
        let room = MAX_OUTPUT.0 - self.head.len().min(MAX_OUTPUT.0);
        let (start, rest) = delta.split_at(delta.floor_char_boundary(room));
        self.head.push_str(start);
        self.tail.push_str(rest);
        if self.tail.len() > 2 * MAX_OUTPUT.1 {
            let cut = self.tail.ceil_char_boundary(self.tail.len() - MAX_OUTPUT.1);
            self.left_out += cut;
            self.tail.drain(..cut);
        }
    }

    fn render(&self) -> String {
        let cut = self.tail.ceil_char_boundary(self.tail.len().saturating_sub(MAX_OUTPUT.1));
        let left_out = self.left_out + cut;
        let between = if left_out > 0 { format!("\n[{left_out} bytes left out]\n") } else { String::new() };
        format!("```\n{}{between}{}\n```", self.head, &self.tail[cut..])
    }
}

impl Host for Teller {
    fn tell(&mut self, event: Event) {
        match event {
            Event::Message { delta } => self.say(&delta),
            Event::Thought { delta } => self.note(&delta),
            Event::ToolCall { id, tool, title, action } => self.announce(id, &tool, &title, action.as_ref()),
            Event::ToolUpdate { id, delta } => self.print(&id, &delta),
            Event::ToolResult { id, tool: _, ok, summary, duration_ms } => {
                let status = if ok { acp::ToolCallStatus::Completed } else { acp::ToolCallStatus::Failed };
                let raw = json!({"ok": ok, "summary": summary, "duration_ms": duration_ms});
                let mut fields = acp::ToolCallUpdateFields::new().status(status).raw_output(raw);
                let has_diff = self
                    .current
                    .as_ref()
                    .is_some_and(|call| *call.tool_call_id.0 == *id && !call.content.is_empty());
                if let Some(output) = self.running.remove(&id) {
                    fields = fields.content(vec![output.render().into()]);
                } else if !has_diff || !ok {
                    // A diff that was shown stays.
                    fields = fields.content(vec![summary.into()]);
                }
                self.update(&id, fields);
            }
            Event::Permission { id, verdict, reason } => {
                let fields = acp::ToolCallUpdateFields::new();
                if verdict == "allowed" {
                    self.update(&id, fields.status(acp::ToolCallStatus::InProgress));
                } else {
                    let raw = json!({"denied": reason});
                    self.update(&id, fields.status(acp::ToolCallStatus::Failed).raw_output(raw));
                }
            }
            Event::Usage(spent) => self.usage(&spent),
            Event::Retry { attempt, wait_ms, reason } => {
                self.note(&format!("{reason}; try {attempt} in {wait_ms} ms\n"));
            }
            Event::Findings { findings } => {
                for finding in findings {
                    let (path, line) = (&finding.path, finding.span.line);
                    self.note(&format!("{path}:{line}: {}\n", finding.family.facts().title));
                }
                if self.plan.is_some() {
                    self.step(Plan::Look);
                }
            }
            Event::Contract { contract } => {
                for (name, text) in contract.lines().into_iter().filter(|(_, text)| !text.is_empty()) {
                    self.note(&format!("{name}: {text}\n"));
                }
            }
            Event::Verify { gate, status, evidence } => {
                self.step(Plan::Prove);
                self.note(&format!("{gate}: {status}, {evidence}\n"));
            }
            Event::Steered { text } => self.note(&format!("Heard: {text}\n")),
            Event::Status { text } => self.note(&format!("{text}\n")),
            Event::Warning { text } => self.warn(&text),
            Event::Init { .. } => {}
        }
    }

    fn ask<'a>(&'a mut self, question: &'a Question) -> BoxFuture<'a, Answer> {
        let call = self.current.clone();
        let (client, seat) = (self.client.clone(), Arc::clone(&self.seat));
        Box::pin(async move { question::ask(&client, &seat, call, question).await })
    }
}

/// A call as the client sees it: what kind, where, and what would change.
pub(super) fn tool_call(
    id: String,
    tool: &str,
    title: &str,
    action: Option<&Action>,
    root: &Path,
) -> acp::ToolCall {
    let looks = action.is_some_and(Action::is_read_only);
    let status = if looks { acp::ToolCallStatus::InProgress } else { acp::ToolCallStatus::Pending };
    let title = clip(title, 500).text.to_owned();
    let mut call =
        acp::ToolCall::new(id, title).name(tool.to_owned()).kind(kind(tool, action)).status(status);
    match action {
        Some(Action::Read { paths }) => {
            call = call.locations(paths.iter().map(|path| place(root, path)).collect());
            call = call.raw_input(json!({"paths": paths}));
        }
        Some(Action::Write { changes }) => {
            call = call
                .locations(changes.iter().map(|change| place(root, &change.path)).collect())
                .content(shown(changes, root))
                .raw_input(json!({
                    "paths": changes.iter().map(|change| &change.path).collect::<Vec<_>>(),
                }));
        }
        Some(Action::Run { command, workdir, timeout_ms, background }) => {
            call = call.locations(vec![place(root, workdir)]).raw_input(json!({
                "command": clip(command, MAX_TEXT).text, "workdir": workdir, "timeout_ms": timeout_ms,
                "background": background,
            }));
        }
        Some(Action::Fetch { url, .. }) => call = call.raw_input(json!({"url": clip(url, 4096).text})),
        Some(Action::Call { server, tool, arguments }) => {
            let arguments = serde_json::from_str(clip(arguments, MAX_TEXT).text).unwrap_or(json!(null));
            call = call.raw_input(json!({"server": server, "tool": tool, "arguments": arguments}));
        }
        Some(Action::Connect { host, port, command }) => {
            call = call.raw_input(json!({
                "host": host, "port": port, "command": clip(command, MAX_TEXT).text,
            }));
        }
        Some(Action::Reveal { path, line, kind, bytes }) => {
            call = call
                .locations(vec![place(root, path)])
                .raw_input(json!({"path": path, "line": line, "kind": kind, "bytes": bytes}));
        }
        None => {}
    }
    call
}

fn kind(tool: &str, action: Option<&Action>) -> acp::ToolKind {
    match action {
        Some(Action::Run { .. }) => acp::ToolKind::Execute,
        Some(Action::Fetch { .. }) => acp::ToolKind::Fetch,
        Some(Action::Write { changes }) if changes.iter().all(|change| change.after.is_none()) => {
            acp::ToolKind::Delete
        }
        Some(Action::Write { changes }) if changes.iter().all(|change| change.moved_from.is_some()) => {
            acp::ToolKind::Move
        }
        Some(Action::Write { .. }) => acp::ToolKind::Edit,
        _ => match tool {
            "read" => acp::ToolKind::Read,
            "list" | "glob" | "grep" | "scan" => acp::ToolKind::Search,
            "write" | "edit" | "patch" => acp::ToolKind::Edit,
            "bash" => acp::ToolKind::Execute,
            "webfetch" => acp::ToolKind::Fetch,
            _ => acp::ToolKind::Other,
        },
    }
}

fn place(root: &Path, path: &str) -> acp::ToolCallLocation {
    acp::ToolCallLocation::new(if path == "." { root.to_owned() } else { root.join(path) })
}

/// Diffs of whole files; of what changed in them where that is too much; of nothing but words beyond that.
fn shown(changes: &[Change], root: &Path) -> Vec<acp::ToolCallContent> {
    let mut left = MAX_TEXT;
    let mut out = Vec::new();
    for change in changes {
        let (mut before, mut after) = (change.before.clone(), change.after.clone().unwrap_or_default());
        let size =
            |before: &Option<String>, after: &str| before.as_ref().map_or(0, String::len) + after.len();
        if size(&before, &after) > left
            && let Some(text) = &before
        {
            let (from, to) = narrowed(text, &after);
            (before, after) = (Some(from), to);
        }
        if size(&before, &after) > left {
            let text = diff::unified(&change.path, change.before.as_deref(), change.after.as_deref());
            let clipped = clip(&text, left / 2);
            left = left.saturating_sub(clipped.text.len());
            out.push(format!("```diff\n{}\n[{} bytes left out]\n```", clipped.text, clipped.left_out).into());
            continue;
        }
        left -= size(&before, &after);
        out.push(acp::Diff::new(root.join(&change.path), after).old_text(before).into());
    }
    out
}

/// Both texts without the lines they begin and end with alike, but for three around the change.
fn narrowed(before: &str, after: &str) -> (String, String) {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let most = old.len().min(new.len());
    let first = (0..most).take_while(|at| old[*at] == new[*at]).count();
    let rest = most - first;
    let last = (1..=rest).take_while(|at| old[old.len() - at] == new[new.len() - at]).count();
    let (from, until) = (first.saturating_sub(3), last.saturating_sub(3));
    (old[from..old.len() - until].concat(), new[from..new.len() - until].concat())
}

/// A text in pieces that fit an update.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, left) = rest.split_at(rest.floor_char_boundary(MAX_TEXT));
        rest = left;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_come_in_pieces_and_none_is_lost() {
        let text = "ä".repeat(MAX_TEXT);
        let all: Vec<&str> = pieces(&text).collect();
        assert!(all.len() == 2 && all.iter().all(|piece| piece.len() <= MAX_TEXT));
        assert_eq!(all.concat(), text);
        assert_eq!(pieces("").count(), 0);
    }

    #[test]
    fn output_keeps_its_head_and_its_tail() {
        let mut output = Output::default();
        output.push("begin\n");
        for _ in 0..10_000 {
            output.push("xxxxxxxxxxxxxxxxxxx\n");
        }
        output.push("end");
        let text = output.render();
        assert!(text.len() < MAX_TEXT && text.starts_with("```\nbegin") && text.ends_with("end\n```"));
        assert!(text.contains("bytes left out"));
    }

    #[test]
    fn a_large_file_is_narrowed_to_what_changed() {
        let lines: String = (0..50_000).map(|n| ["line ", &n.to_string(), "\n"].concat()).collect();
        let after = lines.replace("line 40000\n", "changed\n");
        let change = Change {
            path: "a.txt".into(),
            before: Some(lines.clone()),
            after: Some(after),
            moved_from: None,
        };
        let content = shown(&[change], Path::new("/w"));
        let acp::ToolCallContent::Diff(diff) = &content[0] else { panic!("{content:?}") };
        assert!(diff.new_text.contains("changed") && diff.new_text.len() < 200, "{}", diff.new_text);
        let all_new = Change { path: "b".into(), before: None, after: Some(lines), moved_from: None };
        let content = shown(&[all_new], Path::new("/w"));
        assert!(matches!(&content[0], acp::ToolCallContent::Content(_)));
        assert!(serde_json::to_string(&content).unwrap().len() < 64 * 1024);
    }
}
