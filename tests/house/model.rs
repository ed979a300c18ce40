//! A scripted model on loopback that speaks all wires, by path, and can go wrong in every known way.
//!
//! Which turn is played follows from the number of assistant messages in the request, so a retry gets
//! the same turn again. It runs on threads of its own: async tests, blocking tests and child processes
//! can all talk to it.

#[allow(unused_imports, reason = "not every test binary counts tokens or breaks things")]
pub use super::speech::{Fault, Tokens, Turn, Wire};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Received {
    /// Path with query.
    pub path: String,
    /// Header names in lower case, with values.
    pub headers: Vec<(String, String)>,
    /// Body, byte for byte.
    pub body: Vec<u8>,
    /// When it was whole.
    pub at: Instant,
}

impl Received {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a request body is JSON")
    }
}

/// How a request of a helper is known.
const HELPER: &str = "# You are a helper";

/// The scripted server. Ends with its value.
pub struct ModelServer {
    wire: Wire,
    address: SocketAddr,
    stage: Arc<Stage>,
}

/// What is answered to a request: its body, and how long that is in bytes.
type Answering = Box<dyn Fn(&Value, usize) -> Turn + Send + Sync>;

struct Stage {
    turns: Vec<Turn>,
    /// What a helper of the agent gets to hear; empty where it is played the same script.
    helper: Vec<Turn>,
    /// In place of turns.
    answering: Option<Answering>,
    received: Mutex<Vec<Received>>,
    tries: Mutex<HashMap<usize, usize>>,
    connections: AtomicUsize,
    over: AtomicBool,
}

impl ModelServer {
    /// Starts the server with its script. `wire` only decides what [`Self::base_url`] looks like.
    #[allow(clippy::unused_async, reason = "tests read the same whatever the server runs on")]
    pub async fn start(wire: Wire, turns: Vec<Turn>) -> Self {
        Self::start_blocking(wire, turns)
    }

    /// A server that decides each answer by the request alone. It keeps no requests: it is for sessions without
    /// end.
    pub fn answering(wire: Wire, answer: impl Fn(&Value, usize) -> Turn + Send + Sync + 'static) -> Self {
        Self::start_stage(wire, Vec::new(), Vec::new(), Some(Box::new(answer)))
    }

    /// The same for tests without a runtime.
    pub fn start_blocking(wire: Wire, turns: Vec<Turn>) -> Self {
        Self::start_stage(wire, turns, Vec::new(), None)
    }

    /// The same with a script of its own for helpers that the agent asks.
    pub fn start_with_helper(wire: Wire, turns: Vec<Turn>, helper: Vec<Turn>) -> Self {
        Self::start_stage(wire, turns, helper, None)
    }

    fn start_stage(wire: Wire, turns: Vec<Turn>, helper: Vec<Turn>, answering: Option<Answering>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let address = listener.local_addr().unwrap();
        let stage = Arc::new(Stage {
            turns,
            helper,
            answering,
            received: Mutex::default(),
            tries: Mutex::default(),
            connections: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&stage);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let stage = Arc::clone(&shared);
                std::thread::spawn(move || {
                    // A client that goes away is no business of the script.
                    let _ = stage.converse(stream);
                });
            }
        });
        Self { wire, address, stage }
    }

    /// What a client is configured with: with `/v1` for OpenAI, `/v1beta` for Gemini, bare for Anthropic.
    pub fn base_url(&self) -> String {
        match self.wire {
            Wire::OpenAi | Wire::Responses => format!("http://{}/v1", self.address),
            Wire::Anthropic => format!("http://{}", self.address),
            Wire::Gemini => format!("http://{}/v1beta", self.address),
        }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Environment that points a child process here, with an obviously fake key.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let (base_url, key) = match self.wire {
            Wire::OpenAi | Wire::Responses => ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
            Wire::Anthropic => ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
            Wire::Gemini => ("GEMINI_BASE_URL", "GEMINI_API_KEY"),
        };
        vec![(base_url, self.base_url()), (key, "FAKE-model-canary".into())]
    }

    /// All requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.stage.received.lock().unwrap().clone()
    }

    /// The bodies of all requests so far, byte for byte.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.received().into_iter().map(|request| request.body).collect()
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.stage.connections.load(Ordering::SeqCst)
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.stage.over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
    }
}

impl Stage {
    /// Serves one connection until it ends.
    fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        while let Some(request) = read_request(&mut reader)? {
            if self.answering.is_none() {
                self.received.lock().unwrap().push(request.clone());
            }
            if request.path.split('?').next().is_some_and(|path| path.ends_with("/models")) {
                let list = json!({"data": [{"id": "scripted"}, {"id": "other"}],
                    "models": [{"name": "models/scripted"}, {"name": "models/other"}]});
                write_whole(&mut stream, 200, "application/json", &list.to_string(), &[])?;
                continue;
            }
            let Some(wire) = spoken_at(&request.path) else {
                write_whole(
                    &mut stream,
                    404,
                    "application/json",
                    "{\"error\":{\"message\":\"no such path\"}}",
                    &[],
                )?;
                continue;
            };
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            if let Some(answer) = &self.answering {
                let turn = answer(&body, request.body.len());
                if !self.play(&mut stream, wire, &turn, turn.fault_at(0), &request)? {
                    stream.shutdown(Shutdown::Both)?;
                    return Ok(());
                }
                continue;
            }
            let at = wire.answers(&body);
            let tried = {
                let mut tries = self.tries.lock().unwrap();
                let count = tries.entry(at).or_insert(0);
                *count += 1;
                *count - 1
            };
            let is_helper = !self.helper.is_empty()
                && request.body.windows(HELPER.len()).any(|window| window == HELPER.as_bytes());
            let turns = if is_helper { &self.helper } else { &self.turns };
            let Some(turn) = turns.get(at) else {
                let text =
                    wire.error(Some(400), "script_over", &format!("the script has no turn {at}")).to_string();
                write_whole(&mut stream, 400, "application/json", &text, &[])?;
                continue;
            };
            if !self.play(&mut stream, wire, turn, turn.fault_at(tried), &request)? {
                stream.shutdown(Shutdown::Both)?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Plays one answer. Whether the connection can go on.
    fn play(
        &self,
        stream: &mut TcpStream,
        wire: Wire,
        turn: &Turn,
        fault: Option<&Fault>,
        request: &Received,
    ) -> std::io::Result<bool> {
        match fault {
            Some(Fault::Status { status, code, message, headers }) => {
                let text = wire.error(Some(*status), code, message).to_string();
                write_whole(stream, *status, "application/json", &text, headers)?;
                return Ok(true);
            }
            Some(Fault::EchoKey(status)) => {
                let key = ["authorization", "x-api-key", "x-goog-api-key"]
                    .into_iter()
                    .find_map(|name| request.header(name));
                let message = format!("bad key: {}", key.unwrap_or("none"));
                let text = wire.error(Some(*status), "authentication_error", &message).to_string();
                write_whole(stream, *status, "application/json", &text, &[])?;
                return Ok(true);
            }
            Some(Fault::Html) => {
                let page = "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>";
                write_whole(stream, 200, "text/html; charset=utf-8", page, &[])?;
                return Ok(true);
            }
            Some(Fault::Json(text)) => {
                write_whole(stream, 200, "application/json", text, &[])?;
                return Ok(true);
            }
            Some(Fault::Redirect(to)) => {
                write_whole(stream, 307, "text/plain", "", &[("location".into(), to.clone())])?;
                return Ok(true);
            }
            Some(Fault::ResetAtOnce) => return reset(stream),
            Some(Fault::StallAtOnce) => return self.wait_for_the_end(stream),
            _ => {}
        }
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
             transfer-encoding: chunked\r\n\r\n"
        )?;
        let mut events = turn.events(wire, fault);
        let half = events.len() / 2;
        match fault {
            Some(Fault::Reset | Fault::Stall | Fault::CleanEnd | Fault::Murmur | Fault::Flood) => {
                events.truncate(half);
            }
            Some(Fault::NoEvents) => events.clear(),
            Some(Fault::HalfEvent) => {
                events.truncate(half + 1);
                if let Some(last) = events.last_mut() {
                    last.truncate(last.floor_char_boundary(last.len() / 2));
                }
            }
            Some(Fault::BrokenEvent) => events.insert(half, "data: {\"broken\": \n\n".into()),
            Some(Fault::ErrorEvent(code, message)) => {
                let is_named = matches!(wire, Wire::Anthropic | Wire::Responses);
                let named = if is_named { "event: error\n" } else { "" };
                events.insert(half, format!("{named}data: {}\n\n", wire.error(None, code, message)));
            }
            _ => {}
        }
        if let Some(Fault::GiganticLine(bytes)) = fault {
            write_chunk(stream, b"data: ")?;
            let block = vec![b'x'; 64 * 1024];
            for _ in 0..bytes.div_ceil(block.len()) {
                write_chunk(stream, &block)?;
            }
        }
        for event in &events {
            if turn.pause_ms > 0 {
                std::thread::sleep(Duration::from_millis(turn.pause_ms));
            }
            for piece in event.as_bytes().chunks(turn.write.unwrap_or(usize::MAX)) {
                write_chunk(stream, piece)?;
            }
        }
        match fault {
            Some(Fault::Reset) => {
                // What was written should arrive before the reset overtakes it.
                std::thread::sleep(Duration::from_millis(50));
                reset(stream)
            }
            Some(Fault::Stall) => self.wait_for_the_end(stream),
            Some(Fault::Murmur) => loop {
                std::thread::sleep(Duration::from_millis(50));
                write_chunk(stream, b": keep-alive\n\n")?;
            },
            Some(Fault::Flood) => {
                let block = [b": ".as_slice(), "x".repeat(64 * 1024).as_bytes(), b"\n\n"].concat();
                loop {
                    write_chunk(stream, &block)?;
                }
            }
            _ => {
                stream.write_all(b"0\r\n\r\n")?;
                Ok(!turn.hangs_up)
            }
        }
    }

    /// Says nothing until the client or the test is gone.
    fn wait_for_the_end(&self, stream: &mut TcpStream) -> std::io::Result<bool> {
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        while !self.over.load(Ordering::SeqCst) {
            match stream.read(&mut [0; 64]) {
                Ok(0) => break,
                Err(error)
                    if !matches!(
                        error.kind(),
                        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                    ) =>
                {
                    break;
                }
                _ => {}
            }
        }
        Ok(false)
    }
}

fn reset(stream: &TcpStream) -> std::io::Result<bool> {
    rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(false)
}

fn read_request(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Received>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Received { path, headers, body, at: Instant::now() }))
}

fn write_whole(
    stream: &mut TcpStream,
    status: u16,
    kind: &str,
    body: &str,
    headers: &[(String, String)],
) -> std::io::Result<()> {
    let mut head =
        format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head = format!("{head}{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}

fn write_chunk(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    stream.write_all(&chunk)
}

/// The wire that is spoken at a path.
fn spoken_at(path: &str) -> Option<Wire> {
    let ends = |end: &str| path.ends_with(end);
    Some(match path {
        _ if ends("/v1/messages") => Wire::Anthropic,
        _ if ends("/v1/chat/completions") => Wire::OpenAi,
        _ if ends("/v1/responses") => Wire::Responses,
        _ if ends(":streamGenerateContent?alt=sse") => Wire::Gemini,
        _ => return None,
    })
}
