//! Tools living in another process: MCP servers of the user's own settings, or given by whoever opened a session.
//!
//! What a server says of itself is material, never an instruction: names, descriptions and results are made
//! printable, cut and quoted. A server that is broken is a warning, not an end.

mod connect;
mod tool;

pub use crate::config::Server;

use crate::tool::Tool;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a server may take to start and to say which tools it has.
const START: Duration = Duration::from_secs(20);

/// Connects to every server, side by side; gives their tools, and what was wrong with some of them.
pub async fn tools(servers: &BTreeMap<String, Server>) -> (Vec<Box<dyn Tool>>, Vec<String>) {
    let each = servers.iter().map(async |(name, server)| {
        let connected = tokio::time::timeout(START, connect::tools(name, server)).await;
        let slow = || Err(format!("it did not answer within {} s", START.as_secs()));
        connected
            .unwrap_or_else(|_| slow())
            .map_err(|why| format!("tool server {name}: {why}; going on without it"))
    });
    let mut tools = Vec::new();
    let mut warnings = Vec::new();
    for done in futures_util::future::join_all(each).await {
        match done {
            Ok((found, notes)) => {
                tools.extend(found);
                warnings.extend(notes);
            }
            Err(why) => warnings.push(crate::text::redact(&crate::text::printable(&why)).into_owned()),
        }
    }
    (tools, warnings)
}
