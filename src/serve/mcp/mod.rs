//! MCP: a host's model calls the agent as tools, over standard input and output or over HTTP.

mod job;
mod menu;
mod reports;
mod shop;
mod watch;

use super::{Start, signals};
use crate::event::Outcome;
use crate::wire::Trouble;
use rmcp::ServiceExt;
use shop::Shop;
use std::time::Duration;

/// How long running work has to end once the caller is gone.
const LAST_CALL: Duration = Duration::from_millis(1_500);

/// Serves standard input and output until the caller closes them or a signal comes. Gives the exit code.
pub fn serve(start: Start) -> Result<u8, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(Outcome::Error, format!("cannot start: {error}")))?;
    let code = runtime.block_on(async {
        let shop = Shop::new(start);
        let code = tokio::select! {
            code = talk(shop.clone()) => code,
            code = signals::ended() => code,
        };
        shop.close(LAST_CALL).await;
        code
    });
    runtime.shutdown_background();
    Ok(code)
}

/// One conversation on standard input and output, to its end.
async fn talk(shop: Shop) -> u8 {
    match shop.serve(rmcp::transport::stdio()).await {
        // A caller that leaves without a word is no error of ours.
        Ok(running) => u8::from(running.waiting().await.is_err()),
        Err(_) => 0,
    }
}
