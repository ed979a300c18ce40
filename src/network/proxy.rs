//! The proxy through which a command reaches granted hosts: CONNECT and plain HTTP, one host a connection.
//!
//! A name is judged by the gate, then looked up once through the guard, and only addresses from that look are
//! connected to. The command itself can look up nothing.

use super::Gate;
use super::guard::Guard;
use super::head::{self, Fault, How, Wanted};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Longest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Connections at once; more wait.
const MAX_CONNECTIONS: usize = 128;
/// How long a client may take to say what it wants.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How long one address may take to answer.
const DIAL_TIME: Duration = Duration::from_secs(10);
/// Hosts and refusals that are told of one command.
const MAX_TOLD: usize = 20;

/// A proxy for one command.
pub struct Proxy {
    gate: Arc<dyn Gate>,
    guard: Guard,
    seen: Mutex<Seen>,
    patience: Arc<Patience>,
}

#[derive(Default)]
struct Seen {
    /// Bytes to and from each host and port.
    traffic: BTreeMap<(String, u16), (u64, u64)>,
    refused: Vec<String>,
}

/// How long a command has waited for a person, which is not its own time.
#[derive(Debug, Default)]
pub struct Patience(Mutex<(usize, Option<Instant>, Duration)>);

impl Patience {
    fn begin(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        all.1.get_or_insert_with(Instant::now);
    }

    fn end(&self) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 -= 1;
        if all.0 == 0
            && let Some(since) = all.1.take()
        {
            all.2 += since.elapsed();
        }
    }

    /// The waiting so far, and whether it goes on.
    pub fn waited(&self) -> (Duration, bool) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (all.2 + all.1.map_or(Duration::ZERO, |since| since.elapsed()), all.1.is_some())
    }
}

/// Ends a wait also when it is dropped half way.
struct Waiting<'a>(&'a Patience);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Proxy {
    /// Through this gate, to addresses that this guard admits.
    pub fn new(gate: Arc<dyn Gate>, guard: Guard) -> Self {
        Self { gate, guard, seen: Mutex::default(), patience: Arc::default() }
    }

    /// How long the gate has kept connections waiting.
    pub fn patience(&self) -> Arc<Patience> {
        Arc::clone(&self.patience)
    }

    /// Serves until it is dropped.
    pub async fn serve(&self, listener: TcpListener) {
        let mut open = FuturesUnordered::new();
        loop {
            tokio::select! {
                taken = listener.accept(), if open.len() < MAX_CONNECTIONS => {
                    // A connection that was gone before it was taken is nobody's loss.
                    if let Ok((client, _)) = taken {
                        open.push(self.attend(client));
                    }
                }
                Some(()) = open.next() => {}
            }
        }
    }

    /// What was carried and what was refused, one sentence each.
    pub fn told(&self) -> (Vec<String>, Vec<String>) {
        let seen = self.seen();
        let carried = seen.traffic.iter().take(MAX_TOLD).map(|((host, port), (sent, received))| {
            format!("{host}:{port}: {sent} bytes sent, {received} received")
        });
        (carried.collect(), seen.refused.clone())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, place: &(String, u16), sent: u64, received: u64) {
        let mut seen = self.seen();
        let both = seen.traffic.entry(place.clone()).or_default();
        both.0 += sent;
        both.1 += received;
    }

    async fn attend(&self, mut client: TcpStream) {
        let (head, rest) = match tokio::time::timeout(HEAD_TIME, read_head(&mut client)).await {
            Ok(Ok(Some(read))) => read,
            Ok(Ok(None)) => return refuse(client, 431, "the request's head is too long").await,
            // Nobody is there any more, or nothing was said.
            Ok(Err(_)) | Err(_) => return,
        };
        let Wanted { host, port, how } = match head::parse(&head) {
            Ok(wanted) => wanted,
            Err(Fault(status, why)) => {
                self.note(why.to_owned());
                return refuse(client, status, why).await;
            }
        };
        let mut server = match self.reach(&host, port).await {
            Ok(server) => server,
            Err((status, why)) => {
                self.note(format!("{host}:{port}: {why}"));
                return refuse(client, status, &format!("{host}:{port}: {why}")).await;
            }
        };
        let place = (host, port);
        self.count(&place, 0, 0);
        match how {
            How::Tunnel => {
                if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_err() {
                    return;
                }
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let up = async {
                    let early = rest.len() as u64;
                    if to_server.write_all(&rest).await.is_ok() {
                        self.count(&place, early, 0);
                        pump(&mut from_client, &mut to_server, u64::MAX, |count| {
                            self.count(&place, count, 0);
                        })
                        .await;
                    }
                    let _ = to_server.shutdown().await;
                };
                let down = async {
                    pump(&mut from_server, &mut to_client, u64::MAX, |count| self.count(&place, 0, count))
                        .await;
                    let _ = to_client.shutdown().await;
                };
                tokio::join!(up, down);
            }
            How::Request { head, body } => {
                let (mut from_client, mut to_client) = client.split();
                let (mut from_server, mut to_server) = server.split();
                let up = async {
                    // What comes behind the body would be a request that nobody has judged.
                    let early = &rest[..usize::try_from(body).unwrap_or(usize::MAX).min(rest.len())];
                    if to_server.write_all(&head).await.is_ok() && to_server.write_all(early).await.is_ok() {
                        self.count(&place, (head.len() + early.len()) as u64, 0);
                        let left = body - early.len() as u64;
                        pump(&mut from_client, &mut to_server, left, |count| self.count(&place, count, 0))
                            .await;
                    }
                    std::future::pending::<()>().await;
                };
                let down = async {
                    pump(&mut from_server, &mut to_client, u64::MAX, |count| self.count(&place, 0, count))
                        .await;
                    let _ = to_client.shutdown().await;
                };
                // The answer's end is the end; a body that nobody reads any more is not waited for.
                tokio::select! {
                    () = up => {}
                    () = down => {}
                }
            }
        }
    }

    /// Judged, looked up, connected.
    async fn reach(&self, host: &str, port: u16) -> Result<TcpStream, (u16, String)> {
        self.guard.check_name(host).map_err(|refused| (403, refused.to_string()))?;
        self.patience.begin();
        let admitted = {
            let _waiting = Waiting(&self.patience);
            self.gate.admit(host, port).await
        };
        admitted.map_err(|why| (403, why))?;
        let addresses = self.guard.look_up(host).await.map_err(|refused| (403, refused.to_string()))?;
        let mut last = "no address answered".to_owned();
        for address in addresses {
            let address = SocketAddr::new(address.ip(), port);
            match tokio::time::timeout(DIAL_TIME, TcpStream::connect(address)).await {
                Ok(Ok(server)) => {
                    let _ = server.set_nodelay(true);
                    return Ok(server);
                }
                Ok(Err(error)) => last = error.to_string(),
                Err(_) => last = format!("no answer within {} s", DIAL_TIME.as_secs()),
            }
        }
        Err((502, last))
    }

    fn note(&self, refusal: String) {
        let mut seen = self.seen();
        if seen.refused.len() < MAX_TOLD && !seen.refused.contains(&refusal) {
            seen.refused.push(refusal);
        }
    }
}

/// The head up to and with its empty line, and what came behind it; `None` when it is too long.
async fn read_head(client: &mut TcpStream) -> std::io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let mut all = Vec::with_capacity(1024);
    loop {
        let from = all.len().saturating_sub(3);
        if client.read_buf(&mut all).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(at) = all[from..].windows(4).position(|window| window == b"\r\n\r\n") {
            let end = from + at + 4;
            let rest = all.split_off(end);
            return Ok((end <= MAX_HEAD).then_some((all, rest)));
        }
        if all.len() > MAX_HEAD {
            return Ok(None);
        }
    }
}

/// Carries at most `limit` bytes one way, until either side is through.
async fn pump(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut limit: u64,
    counted: impl Fn(u64),
) {
    let mut buffer = vec![0; 32 * 1024];
    while limit > 0 {
        let room = usize::try_from(limit).unwrap_or(usize::MAX).min(buffer.len());
        let Ok(count @ 1..) = from.read(&mut buffer[..room]).await else { return };
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        limit -= count as u64;
        counted(count as u64);
    }
}

async fn refuse(mut client: TcpStream, status: u16, why: &str) {
    let body = format!("agent: {why}\n");
    let answer = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        match status {
            403 => "Forbidden",
            411 => "Length Required",
            502 => "Bad Gateway",
            505 => "HTTP Version Not Supported",
            _ => "Bad Request",
        },
        body.len(),
    );
    // Whoever does not listen is not told.
    let _ = client.write_all(answer.as_bytes()).await;
    let _ = client.shutdown().await;
    // What is still under way must not turn the answer into a reset; a moment is enough.
    let mut sink = [0; 4096];
    let drained = async { while matches!(client.read(&mut sink).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(Duration::from_millis(200), drained).await;
}

#[cfg(test)]
mod tests;
