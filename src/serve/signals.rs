//! How a door that serves is asked to end.

use crate::wire::exit;

/// The exit code of an interrupt.
const INTERRUPTED: u8 = 130;

/// Waits for a signal that asks the process to end; gives the exit code that says which.
pub(super) async fn ended() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut int), Ok(mut term), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = int.recv() => INTERRUPTED,
        _ = term.recv() => exit::TERMINATED,
        _ = hangup.recv() => exit::HUNG_UP,
    }
}
