//! Spans to an OpenTelemetry collector over HTTP, through the house's own client and on a thread of their own.

use super::super::{Trouble, exit, lookup};
use crate::model::http;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::{Handle, Runtime};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;

/// Longest wait for the collector.
const WAIT: Duration = Duration::from_secs(5);

/// A running export.
pub(super) struct Exporter {
    provider: SdkTracerProvider,
    runtime: Option<Runtime>,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // What cannot be sent is lost: telemetry must never fail a run.
        let _ = self.provider.shutdown_with_timeout(WAIT);
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The layer that hands spans over.
pub(super) type Spans = OpenTelemetryLayer<Registry, SdkTracer>;

/// Begins an export to where the environment says; `None` when it says nothing.
pub(super) fn begin() -> Result<Option<(Exporter, Spans)>, Trouble> {
    let variables = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let Some(endpoint) = variables.iter().find_map(|name| lookup(name)) else { return Ok(None) };
    let usage =
        |reason: String| Trouble::coded(exit::USAGE, format!("OTEL_EXPORTER_OTLP_ENDPOINT: {reason}"));
    // Its own thread: the session's ends before the last spans are sent.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| usage(error.to_string()))?;
    let client = http::build(endpoint.starts_with("https"), || {
        reqwest::Client::builder().timeout(WAIT).redirect(reqwest::redirect::Policy::none())
    })
    .map_err(|error| usage(error.to_string()))?;
    let sender = Sender { client, handle: runtime.handle().clone() };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(sender)
        .build()
        .map_err(|error| usage(error.to_string()))?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(Resource::builder().with_service_name(env!("CARGO_PKG_NAME")).build())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(env!("CARGO_PKG_NAME")))
        .with_location(false)
        .with_threads(false);
    Ok(Some((Exporter { provider, runtime: Some(runtime) }, layer)))
}

/// Sends on the export's own runtime, whatever thread asks.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    handle: Handle,
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.handle.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let status = response.status();
            let body = response.bytes().await?;
            Ok(Response::builder().status(status).body(body)?)
        });
        Box::pin(async move { sent.await? })
    }
}
