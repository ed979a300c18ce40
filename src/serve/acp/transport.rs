//! Standard input and output as lines. Bytes that are no UTF-8 and lines without end are answered as broken
//! JSON; they do not end the connection.

use super::LAST_CALL;
use agent_client_protocol::Lines;
use futures_util::{Sink, Stream, StreamExt, sink, stream};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The longest line taken, in bytes: an image in base64 fits, a stream without end does not.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// What stands for a line that was longer. No JSON, so it is answered as that.
const TOO_LONG: &str = "[line too long";

/// How long a client that writes on before `initialize` is answered is held back at most.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// What was asked and not yet answered.
#[derive(Clone, Default)]
struct Owed {
    /// Cancelled with the first answer.
    greeted: CancellationToken,
    answers: Arc<AtomicUsize>,
}

/// Whether a line is a request, an answer or neither.
#[derive(Deserialize)]
struct Head {
    id: Option<IgnoredAny>,
    method: Option<IgnoredAny>,
}

impl Owed {
    fn hear(&self, line: &str) {
        if let Ok(Head { id: Some(_), method: Some(_) }) = serde_json::from_str(line) {
            self.answers.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn say(&self, line: &str) {
        if let Ok(Head { id: Some(_), method: None }) = serde_json::from_str(line) {
            // An error without an id answers what was no request.
            let less = |owed: usize| Some(owed.saturating_sub(1));
            let _ = self.answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
            self.greeted.cancel();
        }
    }

    /// Ends what is under way, and waits until all of it is answered.
    async fn settle(self, end: impl Fn()) {
        let settled = async {
            loop {
                end();
                if self.answers.load(Ordering::SeqCst) == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(LAST_CALL, settled).await;
    }
}

/// The transport of this process. At the end of input `end` interrupts what is under way, and what is still owed
/// is answered before the connection ends.
pub(super) fn stdio(
    end: impl Fn() + Send + Sync + 'static,
) -> Lines<
    impl Sink<String, Error = io::Error> + Send + 'static,
    impl Stream<Item = io::Result<String>> + Send + 'static,
> {
    let owed = Owed::default();
    Lines::new(Box::pin(outgoing(owed.clone())), Box::pin(incoming(owed, end)))
}

/// A thread of its own reads: it cannot be stopped while it waits, and must not hold up the end.
fn incoming(
    owed: Owed,
    end: impl Fn() + Send + Sync + 'static,
) -> impl Stream<Item = io::Result<String>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Some(line) = read_line(&mut input) {
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            let broken = line.is_err();
            if sender.blocking_send(line).is_err() || broken {
                return;
            }
        }
    });
    let first = (receiver, owed.clone(), false);
    let lines = stream::unfold(first, async |(mut receiver, owed, wait)| {
        if wait {
            // The protocol wants the answer to `initialize` before anything else is asked; some clients do not
            // wait for it.
            let _ = tokio::time::timeout(HANDSHAKE, owed.greeted.cancelled()).await;
        }
        let line = receiver.recv().await?;
        let greets = line.as_ref().is_ok_and(|line| line.contains("\"initialize\""));
        if let Ok(line) = &line {
            owed.hear(line);
        }
        Some((line, (receiver, owed, greets)))
    });
    lines.chain(stream::once(owed.settle(end)).filter_map(async |()| None))
}

/// The next line, `None` at the end of input.
fn read_line(input: &mut impl BufRead) -> Option<io::Result<String>> {
    let mut bytes = Vec::new();
    match input.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes) {
        Ok(0) => return None,
        Ok(_) => {}
        Err(error) => return Some(Err(error)),
    }
    if bytes.len() as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
        return Some(skip_line(input).map(|()| TOO_LONG.to_owned()));
    }
    Some(Ok(String::from_utf8_lossy(bytes.trim_ascii_end()).into_owned()))
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let block = input.fill_buf()?;
        let end = block.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(block.len(), |at| at + 1);
        let over = end.is_some() || block.is_empty();
        input.consume(used);
        if over {
            return Ok(());
        }
    }
}

/// Every message is one write: a reader never sees half a line before a pause of ours.
fn outgoing(owed: Owed) -> impl Sink<String, Error = io::Error> + Send + 'static {
    sink::unfold(owed, async |owed, mut line: String| {
        owed.say(&line);
        line.push('\n');
        tokio::task::spawn_blocking(move || {
            let mut out = io::stdout().lock();
            out.write_all(line.as_bytes())?;
            out.flush()
        })
        .await
        .map_err(io::Error::other)??;
        Ok(owed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lines_whatever_they_hold() {
        let mut input = io::Cursor::new(b"one\r\n\xff\xfe\n\nlast".to_vec());
        let read: Vec<String> = std::iter::from_fn(|| read_line(&mut input)).map(Result::unwrap).collect();
        assert_eq!(read, ["one", "\u{fffd}\u{fffd}", "", "last"]);
    }
}
