//! Logs and telemetry through the real binary: nothing unless asked for, never on standard output, no word of what
//! was said and no secret, and the field's names where a collector listens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the test plays the user")]

mod house;

use house::model::{Fault, ModelServer, Turn, Wire};
use house::stage::{Run, Stage};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

const SECRET: &str = "FAKE-secret-canary-0123456789";

/// A run that meets secrets everywhere: in a file, in a command and its output, in the model's own words.
fn play(wire: Wire, more: &[(&str, String)]) -> (Run, Stage) {
    let turns = vec![
        Turn::call("read", json!({"filePath": "notes.txt"})).saying(SECRET),
        Turn::call("bash", json!({"command": format!("echo {SECRET}; exit 3")})),
        Turn::text("Done.").fault(Fault::status(503).with_header("retry-after-ms", "10")),
    ];
    let server = ModelServer::start_blocking(wire, turns);
    let stage = Stage::with(&[("notes.txt", &format!("API_TOKEN={SECRET}\n"))])
        .env(&server.environment())
        .env(more)
        .env(&[("DEPLOY_TOKEN", SECRET.to_owned())]);
    let model = wire.model();
    let run = stage.agent(&["run", "Do it.", "--model", model, "--yes", "--output-format", "json"]).exits(0);
    (run, stage)
}

fn log(stage: &Stage) -> Option<String> {
    std::fs::read_to_string(stage.home().join(".local/state/agent/agent.log")).ok()
}

#[test]
fn nothing_is_logged_unless_it_is_asked_for() {
    let (run, stage) = play(Wire::OpenAi, &[]);
    assert_eq!(log(&stage), None);
    assert_eq!(run.stderr, "");
}

#[test]
fn a_log_says_what_happened_and_holds_no_secret_and_no_word() {
    for wire in Wire::ALL {
        let (run, stage) = play(wire, &[("AGENT_LOG", "trace".into())]);
        run.result();
        assert_eq!(run.stderr, "", "{run}");
        let log = log(&stage).unwrap();
        for wanted in
            ["invoke_agent", "chat scripted", "execute_tool read", "execute_tool bash", "busy", "Done"]
        {
            assert!(log.contains(wanted), "{wire:?}: no {wanted}: {log}");
        }
        for unwanted in ["canary", "FAKE", "API_TOKEN", "echo", "Do it."] {
            assert!(!log.contains(unwanted), "{wire:?}: {unwanted}: {log}");
        }
        let mode =
            std::fs::metadata(stage.home().join(".local/state/agent/agent.log")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}

#[test]
fn the_log_goes_where_the_user_says_and_a_bad_wish_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("below/my.log");
    let file = path.display().to_string();
    let (_, stage) = play(Wire::OpenAi, &[("AGENT_LOG", "agent=info".into()), ("AGENT_LOG_FILE", file)]);
    assert!(std::fs::read_to_string(&path).unwrap().contains("chat scripted") && log(&stage).is_none());
    for (filter, file) in [("agent=loud=1", "x.log"), ("info", "/dev/null/x.log")] {
        let stage = Stage::empty().env(&[("AGENT_LOG", filter), ("AGENT_LOG_FILE", file)]);
        let run = stage.agent(&["doctor"]).exits(2);
        assert!(run.stderr.contains("AGENT_LOG"), "{run}");
    }
}

#[cfg(not(feature = "otel"))]
#[test]
fn without_the_feature_no_collector_is_told_anything() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    play(Wire::OpenAi, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
    assert!(listener.accept().is_err());
}

#[cfg(feature = "otel")]
mod otel {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::time::Duration;

    /// A collector that takes everything; gives what it got, path before body.
    fn collector() -> (String, mpsc::Receiver<(String, String)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                let mut block = [0; 4096];
                loop {
                    let read = stream.read(&mut block).unwrap_or(0);
                    request.extend_from_slice(&block[..read]);
                    let text = String::from_utf8_lossy(&request).into_owned();
                    let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                    let length: usize = head
                        .lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())
                        .unwrap_or(0);
                    if request.len() >= head.len() + 4 + length || read == 0 {
                        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                        let _ = sender.send((path, text));
                        break;
                    }
                }
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        (endpoint, receiver)
    }

    #[test]
    fn a_collector_gets_spans_by_the_fields_names_and_no_secret() {
        for wire in Wire::ALL {
            let (endpoint, received) = collector();
            play(wire, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
            let (path, mut all) = received.recv_timeout(Duration::from_secs(20)).expect("spans");
            assert_eq!(path, "/v1/traces");
            while let Ok((_, more)) = received.recv_timeout(Duration::from_millis(300)) {
                all.push_str(&more);
            }
            for wanted in [
                "invoke_agent agent",
                "chat scripted",
                "execute_tool read",
                "execute_tool bash",
                "gen_ai.request.model",
                "gen_ai.usage.input_tokens",
                "gen_ai.conversation.id",
                "gen_ai.tool.call.id",
                "gen_ai.provider.name",
                "error.type",
            ] {
                assert!(all.contains(wanted), "{wire:?}: no {wanted}: {all}");
            }
            for unwanted in ["canary", "FAKE", "API_TOKEN", "Do it."] {
                assert!(!all.contains(unwanted), "{wire:?}: {unwanted}: {all}");
            }
        }
    }

    #[test]
    fn a_collector_that_is_not_there_costs_nothing_but_the_spans() {
        let begun = std::time::Instant::now();
        play(Wire::OpenAi, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".into())]);
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
