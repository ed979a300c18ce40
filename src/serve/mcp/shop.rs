//! The server: calls become jobs, jobs become results; progress, cancellation and questions in between.

use super::job::{Job, Order, Task};
use super::watch::Asked;
use super::{menu, reports};
use crate::config;
use crate::event::{Answer, Question};
use crate::finding::Family;
use crate::scan::{Filter, Scanner};
use crate::serve::Start;
use crate::text::{clip, redact};
use crate::wire::{self, Trouble};
use crate::workspace::Workspace;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, Implementation,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ProgressNotificationParam, ReadResourceRequestParams, ReadResourceResponse, ReadResourceResult, Resource,
    ResourceContents, ResourceTemplate, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer, ServerHandler};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often a waiting caller hears something; many give up after 60 s of silence.
const BEAT: Duration = Duration::from_secs(5);
/// How long a person may think about a question. Silence is a no.
const THINKING: Duration = Duration::from_mins(5);
/// How long cancelled work may take to end before its call is answered without it.
const PATIENCE: Duration = Duration::from_secs(3);
/// Findings and resources on one page.
const MAX_LISTED: usize = 100;
/// The longest text beside a structured result, in bytes.
const MAX_WORDS: usize = 6 * 1024;

/// The server's state; every conversation shares it.
#[derive(Clone)]
pub(super) struct Shop {
    start: Start,
    jobs: Arc<Mutex<BTreeMap<String, Arc<Job>>>>,
}

/// What the tools take.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    issue: Option<String>,
    prompt: Option<String>,
    cwd: Option<PathBuf>,
    test_command: Option<String>,
    mode: Option<String>,
    max_turns: Option<u32>,
    session_id: Option<String>,
    handle: Option<String>,
    wait_seconds: Option<u64>,
    path: Option<String>,
    family: Option<String>,
}

/// Approval, as a form with one field.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
struct Approval {
    /// Whether it may happen, this once.
    allow: bool,
}

rmcp::elicit_safe!(Approval);

impl Shop {
    pub(super) fn new(start: Start) -> Self {
        Self { start, jobs: Arc::default() }
    }

    /// Interrupts every job and waits for their end, for at most `time`.
    pub(super) async fn close(&self, time: Duration) {
        let jobs: Vec<Arc<Job>> = self.with_jobs(|jobs| jobs.values().cloned().collect());
        for job in &jobs {
            job.cancel.cancel();
        }
        let ended = async {
            for job in &jobs {
                job.finished().await;
            }
        };
        let _ = tokio::time::timeout(time, ended).await;
    }

    fn with_jobs<T>(&self, look: impl FnOnce(&mut BTreeMap<String, Arc<Job>>) -> T) -> T {
        // Every change is a single step: a thread that died in one left whole data.
        look(&mut self.jobs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn call(
        &self,
        name: &str,
        arguments: Option<Map<String, Value>>,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, String> {
        let arguments: Arguments = serde_json::from_value(Value::Object(arguments.unwrap_or_default()))
            .map_err(|error| format!("arguments: {error}"))?;
        match name {
            "scan" => self.scan(arguments).await,
            "fix" | "run" | "reply" => self.work(name, arguments, context).await,
            "start" => {
                let kind = if arguments.issue.is_some() { "fix" } else { "run" };
                let job = self.begin(order(kind, arguments)?, None).await?;
                Ok(standing(&job))
            }
            "status" => match self.job(&arguments)? {
                Ok(job) => Ok(standing(&job)),
                Err(kept) => {
                    Ok(json!({"handle": kept["session_id"], "state": "done", "line": kept["status"]}))
                }
            },
            "result" => match self.job(&arguments)? {
                Ok(job) => {
                    let wait = Duration::from_secs(arguments.wait_seconds.unwrap_or(0).min(50));
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = job.finished() => {}
                        () = context.ct.cancelled() => {}
                    }
                    Ok(job.result().map_or_else(|| standing(&job), done))
                }
                Err(kept) => Ok(done(kept)),
            },
            "cancel" => match self.job(&arguments)? {
                Ok(job) => {
                    job.cancel.cancel();
                    let _ = tokio::time::timeout(PATIENCE, job.finished()).await;
                    Ok(standing(&job))
                }
                Err(kept) => Ok(json!({"handle": kept["session_id"], "state": "done"})),
            },
            _ => Err(format!("there is no tool {name}")),
        }
    }

    /// The job of that handle; else the result that an earlier process kept.
    fn job(&self, arguments: &Arguments) -> Result<Result<Arc<Job>, Value>, String> {
        let handle = arguments.handle.as_deref().ok_or("handle: is missing")?;
        if let Some(job) = self.with_jobs(|jobs| jobs.get(handle).cloned()) {
            return Ok(Ok(job));
        }
        let kept = self.kept(handle).map(|kept| kept["result"].clone());
        kept.map(Err).ok_or_else(|| "handle: there is no such job".to_owned())
    }

    fn kept(&self, id: &str) -> Option<Value> {
        let config = self.start.config(".".as_ref()).ok()?;
        reports::read(&config.state, id)
    }

    async fn begin(&self, order: Order, asks: Option<mpsc::Sender<Asked>>) -> Result<Arc<Job>, String> {
        let job = Job::begin(&self.start, order, asks).await.map_err(|trouble: Trouble| trouble.text)?;
        self.with_jobs(|jobs| {
            // What is done is kept on disk; only what runs is kept in mind.
            jobs.retain(|_, job| job.result().is_none());
            jobs.insert(job.id.clone(), Arc::clone(&job));
        });
        Ok(job)
    }

    /// Begins a job and waits for it: tells progress, asks what it asks, ends it with the call.
    async fn work(
        &self,
        name: &str,
        arguments: Arguments,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, String> {
        let can_ask = !context.peer.supported_elicitation_modes().is_empty();
        let (sender, mut asked) = mpsc::channel(1);
        let job = self.begin(order(name, arguments)?, can_ask.then_some(sender)).await?;
        let token = context.meta.get_progress_token();
        let mut beat = tokio::time::interval(BEAT);
        let mut beats = 0_u32;
        loop {
            tokio::select! {
                result = job.finished() => return Ok(result),
                () = context.ct.cancelled() => {
                    job.cancel.cancel();
                    let _ = tokio::time::timeout(PATIENCE, job.finished()).await;
                    return Ok(job.result().unwrap_or_else(|| {
                        json!({"status": "cancelled", "summary": "interrupted by the caller", "session_id": job.id})
                    }));
                }
                Some(Asked { question, answer }) = asked.recv() => {
                    let _ = answer.send(ask(&context.peer, &question).await);
                }
                _ = beat.tick() => {
                    beats += 1;
                    if let Some(token) = &token {
                        let line = job.board.with(|standing| standing.line.clone());
                        let line = if line.is_empty() { "at work".to_owned() } else { line };
                        let note = ProgressNotificationParam::new(token.clone(), f64::from(beats));
                        // A caller that is gone is noticed where the conversation ends.
                        let _ = context.peer.notify_progress(note.with_message(line)).await;
                    }
                }
            }
        }
    }

    async fn scan(&self, arguments: Arguments) -> Result<Value, String> {
        let folder = folder(arguments.cwd)?;
        let family = match &arguments.family {
            None => Vec::new(),
            Some(name) => vec![Family::named(name).ok_or("family: there is no such family")?],
        };
        let start = self.start.clone();
        let work = tokio::task::spawn_blocking(move || {
            let config = start.config(&folder).map_err(|trouble| trouble.text)?;
            let scanner = Scanner::of(wire::rules(&config).map_err(|trouble| trouble.text)?);
            let workspace = Workspace::open(&folder).map_err(|error| error.to_string())?;
            let place = arguments.path.as_deref().map(|path| workspace.place(path)).transpose();
            let beneath = place.map_err(|error| format!("path: {error}"))?;
            let scan = scanner.scan(&workspace, &Filter { beneath, families: family, ..Filter::default() });
            let all = scan.findings.len();
            let shown: Vec<_> = scan.findings.into_iter().take(MAX_LISTED).collect();
            let findings = serde_json::to_string(&shown).map_err(|error| error.to_string())?;
            let findings: Value = serde_json::from_str(&redact(&findings))
                .map_err(|_| "the findings cannot be shown safely")?;
            Ok(json!({"findings": findings, "files": scan.files, "left_out": all - shown.len()}))
        });
        work.await.map_err(|error| format!("the scan broke: {error}"))?
    }
}

/// Puts a question to the person behind the host. Only a clear yes is a yes.
async fn ask(peer: &Peer<RoleServer>, question: &Question) -> Answer {
    let what = format!("{}\nAsked because: {}", question.action.title(), question.reason);
    let what = clip(&redact(&what), 4_000).text.to_owned();
    match peer.elicit_with_timeout::<Approval>(what, Some(THINKING)).await {
        Ok(Some(Approval { allow: true })) => Answer::Once,
        _ => Answer::Reject(None),
    }
}

fn folder(cwd: Option<PathBuf>) -> Result<PathBuf, String> {
    let folder = match cwd {
        Some(cwd) if !cwd.is_absolute() => return Err("cwd: must be an absolute path".into()),
        Some(cwd) => cwd,
        None => std::env::current_dir().map_err(|error| format!("cwd: {error}"))?,
    };
    if !folder.is_dir() {
        return Err("cwd: there is no such folder".into());
    }
    Ok(folder)
}

fn order(kind: &str, arguments: Arguments) -> Result<Order, String> {
    let needed = |value: Option<String>, name: &str| {
        value.filter(|text| !text.trim().is_empty()).ok_or_else(|| format!("{name}: is missing or empty"))
    };
    let task = match kind {
        "fix" => Task::Fix { issue: needed(arguments.issue, "issue")?, test: arguments.test_command },
        "reply" => Task::Reply {
            session: needed(arguments.session_id, "session_id")?,
            prompt: needed(arguments.prompt, "prompt")?,
        },
        _ => Task::Run(needed(arguments.prompt, "prompt")?),
    };
    let mode = match arguments.mode.as_deref() {
        None => None,
        Some(name) => Some(config::mode(name).ok_or("mode: must be ask, auto or read-only")?),
    };
    Ok(Order {
        task,
        folder: folder(arguments.cwd)?,
        mode,
        max_turns: arguments.max_turns.filter(|n| *n > 0),
    })
}

fn standing(job: &Job) -> Value {
    let elapsed = u64::try_from(job.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let state = if job.result().is_some() { "done" } else { "running" };
    let (line, needs) = job.board.with(|standing| (standing.line.clone(), standing.needs_approval.clone()));
    json!({"handle": job.id, "state": state, "line": line, "elapsed_ms": elapsed, "needs_approval": needs})
}

fn done(mut result: Value) -> Value {
    if let Some(map) = result.as_object_mut() {
        map.insert("state".into(), "done".into());
    }
    result
}

/// The same as text, since hosts differ in what they show their model: what it came to stands first.
fn words(value: &Value) -> String {
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    if let Some(findings) = value["findings"].as_array().filter(|_| value["status"].is_null()) {
        let mut out = format!("{} findings in {} files\n", findings.len(), value["files"]);
        for finding in findings {
            let _ = writeln!(
                out,
                "{}:{} {}",
                finding["path"].as_str().unwrap_or_default(),
                finding["span"]["line"],
                finding["message"].as_str().unwrap_or_default()
            );
        }
        return clip(&out, MAX_WORDS).text.to_owned();
    }
    if value["status"].is_null() {
        return format!("{}: {} {}", text("handle"), text("state"), text("line"));
    }
    let mut out = format!("Status: {}\n{}\n", text("status"), text("summary"));
    for (title, field) in [
        ("changed", "files"),
        ("gate", "verification"),
        ("needs approval", "needs_approval"),
        ("by hand", "by_hand"),
    ] {
        for item in value[field].as_array().into_iter().flatten() {
            let shown = match field {
                "files" => format!(
                    "{} {}",
                    item["kind"].as_str().unwrap_or_default(),
                    item["path"].as_str().unwrap_or_default()
                ),
                "verification" => format!(
                    "{} {}: {}",
                    item["status"].as_str().unwrap_or_default(),
                    item["name"].as_str().unwrap_or_default(),
                    item["evidence"].as_str().unwrap_or_default()
                ),
                _ => item.as_str().unwrap_or_default().to_owned(),
            };
            let _ = writeln!(out, "{title}: {shown}");
        }
    }
    out = clip(&out, MAX_WORDS).text.to_owned();
    format!("{out}session: {}", text("session_id"))
}

impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        let can = ServerCapabilities::builder().enable_tools().enable_resources().build();
        ServerConfig::new(can)
            .with_server_info(Implementation::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")))
            .with_instructions(
                "A security agent for backends. `scan` looks, `fix` closes one weakness and proves it, `run` does what \
                 else a prompt says, `reply` goes on. It works outside of your own sandbox, inside its own.",
            )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(menu::tools()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        menu::tools().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if self.get_tool(&request.name).is_none() {
            return Err(ErrorData::invalid_params(format!("there is no tool {}", request.name), None));
        }
        let result = match self.call(&request.name, request.arguments, &context).await {
            Ok(value) => {
                let failed = matches!(value["status"].as_str(), Some("error" | "model_unavailable"));
                let mut result = CallToolResult::success(vec![ContentBlock::text(words(&value))]);
                result.structured_content = Some(value);
                result.is_error = Some(failed);
                result
            }
            Err(text) => CallToolResult::error(vec![ContentBlock::text(redact(&text).into_owned())]),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let config = self.start.config(".".as_ref());
        let kept = config.map(|config| reports::newest(&config.state, MAX_LISTED)).unwrap_or_default();
        let shown = kept.into_iter().map(|(id, title)| {
            let mut resource = Resource::new(reports::address(&id), format!("report of {id}"));
            resource.description = Some(title);
            resource.mime_type = Some("application/json".into());
            resource
        });
        Ok(ListResourcesResult::with_all_items(shown.collect()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut template = ResourceTemplate::new("agent://session/{id}/report", "report of a session");
        template.mime_type = Some("application/json".into());
        Ok(ListResourceTemplatesResult::with_all_items(vec![template]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let kept = reports::session_of(&request.uri).and_then(|id| self.kept(id));
        let Some(kept) = kept else {
            return Err(ErrorData::resource_not_found(
                format!("there is no {}", clip(&request.uri, 200).text),
                None,
            ));
        };
        let text = serde_json::to_string_pretty(&kept["report"]).unwrap_or_default();
        let contents = ResourceContents::text(text, request.uri).with_mime_type("application/json");
        Ok(ReadResourceResult::new(vec![contents]).into())
    }
}
