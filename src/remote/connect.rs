//! One server: started or called up, asked which tools it has.

use super::Server;
use super::tool::{McpTool, Wire};
use crate::tool::Tool;
use rmcp::ServiceExt;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

/// Tools taken of one server.
const MAX_TOOLS: usize = 64;
/// Longest call when nothing else is said.
const CALL: Duration = Duration::from_mins(1);
/// What a server's program sees of our environment: no key of anybody.
const HARMLESS: [&str; 8] = ["PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "USER", "SHELL"];

/// The tools of a server, and what was wrong with some of them.
pub(super) async fn tools(name: &str, server: &Server) -> Result<(Vec<Box<dyn Tool>>, Vec<String>), String> {
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) {
        return Err("its name may hold letters, digits, `-` and `_`".into());
    }
    let running = match (&server.command, &server.url) {
        (Some(program), None) => start(program, server).await?,
        (None, Some(url)) => call_up(url, server).await?,
        _ => return Err("it needs either `command` or `url`".into()),
    };
    let listed = running.list_all_tools().await.map_err(|error| error.to_string())?;
    let limit = server.timeout_seconds.map_or(CALL, Duration::from_secs);
    let wire = Arc::new(Wire { server: name.to_owned(), running, limit });
    let mut notes = Vec::new();
    if listed.len() > MAX_TOOLS {
        notes.push(format!("tool server {name}: {} tools, {MAX_TOOLS} are offered", listed.len()));
    }
    let made = listed
        .into_iter()
        .take(MAX_TOOLS)
        .map(|tool| -> Box<dyn Tool> { Box::new(McpTool::new(Arc::clone(&wire), &tool)) });
    Ok((made.collect(), notes))
}

async fn start(program: &str, server: &Server) -> Result<RunningService<RoleClient, ()>, String> {
    #[allow(clippy::disallowed_methods, reason = "a program the user named; it speaks on its standard input")]
    let mut command = tokio::process::Command::new(program);
    let kept = HARMLESS.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    command.args(&server.args).env_clear().envs(kept).envs(&server.env).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    // What it says on standard error is nobody's protocol.
    let spawned = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn();
    let (child, _) = spawned.map_err(|error| format!("cannot start {program}: {error}"))?;
    ().serve(child).await.map_err(|error| error.to_string())
}

async fn call_up(url: &str, server: &Server) -> Result<RunningService<RoleClient, ()>, String> {
    let parsed = url::Url::parse(url).map_err(|error| format!("url: {error}"))?;
    let host = parsed.host_str().unwrap_or_default();
    let near = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if parsed.scheme() != "https" && !(parsed.scheme() == "http" && near) {
        return Err("url: must be https, or http on this machine".into());
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(url.to_owned());
    if let Some(variable) = &server.token_env {
        let token = std::env::var(variable).map_err(|_| format!("token_env: {variable} is not set"))?;
        config = config.auth_header(token);
    }
    let mut headers = HashMap::new();
    for (name, value) in &server.headers {
        let name = name.parse().map_err(|_| format!("headers: {name} is no header's name"))?;
        let value = value.parse().map_err(|_| "headers: a value cannot be sent".to_owned())?;
        headers.insert(name, value);
    }
    config = config.custom_headers(headers);
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .build()
        .map_err(|error| error.to_string())?;
    let transport = StreamableHttpClientTransport::with_client(client, config);
    ().serve(transport).await.map_err(|error| error.to_string())
}
