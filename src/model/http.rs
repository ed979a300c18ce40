//! One connection to a model: built when first needed, kept alive, never redirected, never silent for long.

use super::fault::{self, Said, Trouble};
use super::sse::{Decoder, Frame};
use super::{Delta, ModelError, Stop};
use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt, unfold};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, ClientBuilder, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(15);
/// Longest silence in an answer.
pub const IDLE: Duration = Duration::from_mins(5);
/// So many times the longest silence may an answer go on with keep-alives alone: a model that thinks long
/// behind a proxy sends nothing else.
const MURMUR: u32 = 6;
/// Longest wait for what may follow a complete answer: usage, the closing event.
const EPILOGUE: Duration = Duration::from_secs(5);
/// Longest wait for the end of the body behind the closing event; reached, the connection is not kept.
const DRAIN: Duration = Duration::from_millis(250);
/// Most bytes of one answer, framing included.
const ANSWER_LIMIT: usize = 256 * 1024 * 1024;
/// Most bytes read of an error.
const ERROR_LIMIT: usize = 64 * 1024;
/// Most bytes of a document that is no stream.
const DOCUMENT_LIMIT: usize = 8 * 1024 * 1024;
/// Longest wait for a document that is no stream.
const DOCUMENT_WAIT: Duration = Duration::from_secs(30);

/// How a wire carries its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    ApiKey,
    /// `x-goog-api-key: …`
    GoogleKey,
}

/// Where one model is asked.
pub struct Endpoint {
    url: Url,
    host: String,
    key: SecretString,
    headers: HeaderMap,
    idle: Duration,
    client: OnceLock<Client>,
    /// Whether a connection may have been left open by an earlier request.
    kept: AtomicBool,
}

impl Endpoint {
    /// An endpoint at `url`. An empty key sends none. Costs nothing: the client is built when first used.
    pub fn new(url: Url, key: SecretString, auth: Auth) -> Result<Self, ModelError> {
        let host = host_and_port(&url);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        let secret = key.expose_secret().trim();
        if !secret.is_empty() {
            let (name, value) = match auth {
                Auth::Bearer => (reqwest::header::AUTHORIZATION, format!("Bearer {secret}")),
                Auth::ApiKey => (HeaderName::from_static("x-api-key"), secret.to_owned()),
                Auth::GoogleKey => (HeaderName::from_static("x-goog-api-key"), secret.to_owned()),
            };
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                ModelError::Auth("the key holds characters that no key has; was it copied whole?".into())
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(Self {
            url,
            host,
            key,
            headers,
            idle: IDLE,
            client: OnceLock::new(),
            kept: AtomicBool::new(false),
        })
    }

    /// The same with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// The same with another idle limit than [`IDLE`].
    #[must_use]
    pub fn with_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Whether this is the provider's own address.
    pub fn is_at(&self, host: &str) -> bool {
        self.url.host_str() == Some(host)
    }

    /// Asks, and reads the answer through `reader` as it comes.
    ///
    /// Every packet wakes whoever polls this. Polled on the thread that drives the connection (a
    /// current-thread runtime, or a spawned task) a wake is cheap; across threads it is a system call:
    /// 1 MB in 16-byte deltas was measured at 0.09 s of CPU against 0.65 s.
    pub fn converse<'a>(&'a self, body: Vec<u8>, reader: impl Reader + 'a) -> BoxStream<'a, Answered> {
        let talk = Talk {
            endpoint: self,
            body: Some(body),
            response: None,
            decoder: Decoder::default(),
            frames: Vec::new(),
            reader,
            pending: VecDeque::new(),
            failure: None,
            received: 0,
            progress: Instant::now(),
            over: false,
            deadline: None,
        };
        unfold(talk, |mut talk| async move { talk.next().await.map(|answered| (answered, talk)) }).boxed()
    }

    /// Gets a JSON document instead of a stream.
    pub async fn fetch(&self) -> Result<serde_json::Value, ModelError> {
        let client = self.client().map_err(|error| self.unreachable(&error))?;
        let request = client.get(self.url.clone()).headers(self.headers.clone()).timeout(DOCUMENT_WAIT);
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let text = read_start(response, DOCUMENT_WAIT, DOCUMENT_LIMIT).await;
        if status != 200 {
            let said = Said::in_body(status, &text);
            return Err(said.into_error(&self.host, self.secret()));
        }
        serde_json::from_str(&text).map_err(|_| self.protocol("no JSON document"))
    }

    fn client(&self) -> Result<&Client, reqwest::Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = build(self.url.scheme() == "https", || {
            let builder = Client::builder()
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .http1_only()
                .no_gzip()
                .pool_max_idle_per_host(1)
                .user_agent(concat!("agent/", env!("CARGO_PKG_VERSION")));
            if is_loopback(&self.url) { builder.no_proxy() } else { builder }
        })?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn send(&self, body: Vec<u8>) -> Result<Response, Failure> {
        let body = Bytes::from(body);
        let response = match self.post(body.clone()).await {
            // A server may close a kept connection just as the next request goes out on it. That says
            // nothing about the server, so it costs no try and no wait.
            Err(Unsent::Closed(_)) if self.kept.swap(false, Ordering::Relaxed) => self.post(body).await,
            other => other,
        };
        let response = match response {
            Ok(response) => response,
            Err(Unsent::Closed(error) | Unsent::Other(error)) => return Err(self.unreachable(&error).into()),
            Err(Unsent::Silence) => return Err(self.cut(self.silence()).into()),
        };
        self.kept.store(true, Ordering::Relaxed);
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let kind = header(CONTENT_TYPE.as_str()).unwrap_or_default().to_ascii_lowercase();
        if status == 200 && (kind.is_empty() || kind.starts_with("text/event-stream")) {
            return Ok(response);
        }
        if response.status().is_redirection() {
            let to = header(LOCATION.as_str()).unwrap_or("nowhere").to_owned();
            return Err(self
                .protocol(&format!("it redirects to {to}; set the base URL to where it is"))
                .into());
        }
        let retry_after = fault::retry_after(header, jiff::Timestamp::now());
        let text = read_start(response, self.idle.min(CONNECT), ERROR_LIMIT).await;
        if status == 200 && !text.contains("\"error\"") {
            let what = if fault::looks_like_html(&text) { "an HTML page" } else { "no event stream" };
            return Err(self.protocol(&format!("{what} (content type {kind:?})")).into());
        }
        let mut said = Said::in_body(status, &text);
        said.retry_after = retry_after.or(said.retry_after);
        if status == 200 {
            // An error in the clothes of a success: its type says what it is.
            said.status = serde_json::from_str::<serde_json::Value>(&text)
                .map_or(500, |value| Said::in_event(&value["error"]).status);
        }
        Err(self.sort(Trouble::Said(said)))
    }

    async fn post(&self, body: Bytes) -> Result<Response, Unsent> {
        let client = self.client().map_err(Unsent::Other)?;
        let request = client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        match timeout(self.idle, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() || error.is_timeout() => Err(Unsent::Other(error)),
            Ok(Err(error)) => Err(Unsent::Closed(error)),
            Err(_) => Err(Unsent::Silence),
        }
    }

    fn sort(&self, trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Said(said) => match said.refusal() {
                Some(why) => Failure::Refused(fault::excerpt(why, self.secret())),
                None => said.into_error(&self.host, self.secret()).into(),
            },
            Trouble::Protocol(reason) => self.protocol(&reason).into(),
            Trouble::Cut(reason) => self.cut(reason).into(),
        }
    }

    fn secret(&self) -> &str {
        self.key.expose_secret().trim()
    }

    fn silence(&self) -> String {
        format!("not a byte for {} s", self.idle.as_secs_f32())
    }

    fn cut(&self, reason: impl AsRef<str>) -> ModelError {
        ModelError::Cut(fault::excerpt(reason.as_ref(), self.secret()))
    }

    fn protocol(&self, reason: &str) -> ModelError {
        ModelError::Protocol { host: self.host.clone(), reason: fault::excerpt(reason, self.secret()) }
    }

    fn unreachable(&self, error: &reqwest::Error) -> ModelError {
        let reason = if error.is_connect() && error.is_timeout() {
            format!("no connection within {} s", CONNECT.as_secs())
        } else {
            root_cause(error)
        };
        ModelError::Unreachable { host: self.host.clone(), reason: fault::excerpt(&reason, self.secret()) }
    }
}

/// One piece of an answer, or why there is none.
pub type Answered = Result<Delta, ModelError>;

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// More must come.
    Open,
    /// All is said; usage or the closing event may follow.
    Answered,
    /// The closing event was there.
    Closed,
}

/// Reads one wire's events.
pub trait Reader: Send {
    /// Takes one event in.
    fn read(&mut self, frame: &Frame, out: &mut VecDeque<Delta>) -> Result<(), Trouble>;
    /// How far the answer is.
    fn stage(&self) -> Stage;
    /// The stream is over: says the last deltas, or that the answer has no end.
    fn finish(&mut self, out: &mut VecDeque<Delta>) -> Result<(), Trouble>;
}

/// Why a request has no response.
enum Unsent {
    /// The connection was there and is gone.
    Closed(reqwest::Error),
    Other(reqwest::Error),
    Silence,
}

enum Failure {
    Error(ModelError),
    Refused(String),
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Failure::Error(error)
    }
}

struct Talk<'a, R> {
    endpoint: &'a Endpoint,
    body: Option<Vec<u8>>,
    response: Option<Response>,
    decoder: Decoder,
    frames: Vec<Frame>,
    reader: R,
    pending: VecDeque<Delta>,
    failure: Option<ModelError>,
    received: usize,
    /// When the answer last went on.
    progress: Instant,
    over: bool,
    deadline: Option<Instant>,
}

impl<R: Reader> Talk<'_, R> {
    async fn next(&mut self) -> Option<Answered> {
        loop {
            if let Some(delta) = self.pending.pop_front() {
                return Some(Ok(delta));
            }
            if let Some(error) = self.failure.take() {
                return Some(Err(error));
            }
            if self.over {
                return None;
            }
            match self.advance().await {
                Ok(()) => {}
                Err(Failure::Error(error)) => {
                    self.over = true;
                    self.failure = Some(error);
                }
                Err(Failure::Refused(why)) => {
                    self.over = true;
                    self.pending.push_back(Delta::Stop(Stop::Refusal(why)));
                }
            }
            if self.over {
                // Dropped here and not with the stream: the connection is free for the next request.
                self.response = None;
            }
        }
    }

    async fn advance(&mut self) -> Result<(), Failure> {
        if let Some(body) = self.body.take() {
            self.response = Some(self.endpoint.send(body).await?);
        }
        let stage = self.reader.stage();
        let limit = self.limit(stage);
        let Some(response) = self.response.as_mut() else { return self.finish() };
        match timeout(limit, response.chunk()).await {
            Ok(Ok(Some(bytes))) => {
                if stage == Stage::Closed {
                    return Ok(());
                }
                self.received += bytes.len();
                if self.received > ANSWER_LIMIT {
                    return Err(self.endpoint.protocol("an answer without end").into());
                }
                let decoded = self.decoder.push(&bytes, &mut self.frames);
                for frame in self.frames.drain(..) {
                    if self.reader.stage() == Stage::Closed {
                        break;
                    }
                    self.reader
                        .read(&frame, &mut self.pending)
                        .map_err(|trouble| self.endpoint.sort(trouble))?;
                }
                decoded.map_err(|error| self.endpoint.protocol(&error.to_string()))?;
                let murmur = self.endpoint.idle * MURMUR;
                if !self.pending.is_empty() {
                    self.progress = Instant::now();
                } else if self.progress.elapsed() > murmur {
                    let reason = format!("nothing but keep-alives for {} s", murmur.as_secs_f32());
                    return Err(self.endpoint.cut(reason).into());
                }
                Ok(())
            }
            Ok(Ok(None)) => self.finish(),
            Ok(Err(_)) | Err(_) if stage != Stage::Open => self.finish(),
            Ok(Err(error)) => Err(self.endpoint.cut(root_cause(&error)).into()),
            Err(_) => Err(self.endpoint.cut(self.endpoint.silence()).into()),
        }
    }

    /// How long to wait for the next bytes. Behind a complete answer the whole wait is limited.
    fn limit(&mut self, stage: Stage) -> Duration {
        let most = match stage {
            Stage::Open => return self.endpoint.idle,
            Stage::Answered => EPILOGUE,
            Stage::Closed => DRAIN,
        };
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + most);
        deadline.saturating_duration_since(now).min(most)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.over = true;
        self.reader.finish(&mut self.pending).map_err(|trouble| self.endpoint.sort(trouble))
    }
}

/// Builds a client on ring and the system's roots; where the system has none, on Mozilla's. Without
/// `tls` no roots are read at all, which is a quarter of a short run's work.
pub fn build(tls: bool, make: impl Fn() -> ClientBuilder) -> Result<Client, reqwest::Error> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error only means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    if !tls {
        return make().tls_certs_only(Vec::new()).build();
    }
    make().build().or_else(|_| {
        let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
        let roots = roots.iter().filter_map(|root| Certificate::from_der(root).ok());
        make().tls_certs_only(roots).build()
    })
}

/// Whether a URL stays on this machine, by its text alone.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The innermost reason of an error: `Connection refused (os error 111)` rather than the layers above.
pub fn root_cause(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or("nowhere");
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

async fn read_start(mut response: Response, wait: Duration, limit: usize) -> String {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() > limit {
                break;
            }
        }
    };
    // Half an error is still an error worth reading.
    let _ = timeout(wait, reading).await;
    String::from_utf8_lossy(&body).into_owned()
}
