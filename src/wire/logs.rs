//! Logs and telemetry: off unless the user's environment asks for them, never on standard output, secrets hidden.
//!
//! `AGENT_LOG` is a filter (`info`, `agent=debug`); the lines go to `AGENT_LOG_FILE`, else to `agent.log` beside the
//! sessions. With the feature `otel`, `OTEL_EXPORTER_OTLP_ENDPOINT` names the collector that gets the spans.

#[cfg(feature = "otel")]
mod otlp;

use super::{Trouble, exit, lookup};
use crate::text::redact;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

/// A log that has grown to this many bytes is begun anew.
const MAX_LOG: u64 = 16 * 1024 * 1024;

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Keeps telemetry going; its drop sends what is left.
#[derive(Default)]
pub struct Logs {
    #[cfg(feature = "otel")]
    _exporter: Option<otlp::Exporter>,
}

/// Begins what the environment asks for. Costs two look-ups when it asks for nothing.
pub fn begin() -> Result<Logs, Trouble> {
    let mut layers: Vec<Boxed> = Vec::new();
    if let Some(filter) = lookup("AGENT_LOG") {
        layers.push(file_layer(&filter)?);
    }
    #[cfg(feature = "otel")]
    let exporter = otlp::begin()?.map(|(exporter, spans)| {
        layers.push(Box::new(spans.with_filter(filter_fn(is_ours))));
        exporter
    });
    if !layers.is_empty() {
        // Only an embedding program has set one already, and then that one counts.
        let _ = tracing_subscriber::registry().with(layers).try_init();
    }
    Ok(Logs {
        #[cfg(feature = "otel")]
        _exporter: exporter,
    })
}

fn file_layer(filter: &str) -> Result<Boxed, Trouble> {
    let usage = |text: String| Trouble::coded(exit::USAGE, text);
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| usage(format!("AGENT_LOG is no filter such as `info` or `agent=debug`: {error}")))?;
    let path = place().ok_or_else(|| usage("no place for a log: set AGENT_LOG_FILE".into()))?;
    let file = open(&path).map_err(|error| usage(format!("AGENT_LOG_FILE, {}: {error}", path.display())))?;
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(Mutex::new(Redacting(file)));
    // Other crates' words are nobody's to vouch for: they may hold what goes over the wire.
    Ok(Box::new(layer.with_filter(filter).with_filter(filter_fn(is_ours))))
}

fn is_ours(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.target().split("::").next() == Some(env!("CARGO_PKG_NAME"))
}

fn place() -> Option<PathBuf> {
    if let Some(path) = lookup("AGENT_LOG_FILE") {
        return Some(PathBuf::from(path));
    }
    let absolute = |name: &str| lookup(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("agent/agent.log"))
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    if file.metadata()?.len() > MAX_LOG {
        file.set_len(0)?;
    }
    Ok(file)
}

/// The last net: a line is written whole, with what looks like a secret hidden.
struct Redacting(File);

impl Write for Redacting {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
