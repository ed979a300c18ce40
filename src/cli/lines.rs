//! The host for programs: one JSON object a line, or silence until the result.

use crate::event::{Answer, Event, Host, Question};
use crate::fix::Report;
use crate::session::record::now;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::io::Write;

/// Version of the line format.
pub(super) const VERSION: u32 = 1;

/// Writes every event as `{"v":1,"type":…,"seq":…,"ts":…,"session_id":…,…}`.
#[derive(Default)]
pub(super) struct Lines {
    seq: u64,
    session_id: String,
    silent: bool,
}

impl Lines {
    /// One that keeps silent until the result.
    pub(super) fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// The last line. In silent mode the result object stands alone.
    pub(super) fn finish(&mut self, report: &Report) {
        let result = serde_json::to_value(report).unwrap_or_default();
        if self.silent {
            write_line(&result);
        } else {
            self.write("result", result);
        }
    }

    fn write(&mut self, kind: &str, body: Value) {
        let mut line = json!({ "v": VERSION, "type": kind, "seq": self.seq, "ts": now(), "session_id": self.session_id });
        self.seq += 1;
        if let (Some(line), Value::Object(body)) = (line.as_object_mut(), body) {
            line.extend(body.into_iter().filter(|(key, _)| key != "type"));
        }
        write_line(&line);
    }
}

/// A reader that is gone is no reason to die in the middle of a change.
fn write_line(line: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

impl Host for Lines {
    fn tell(&mut self, event: Event) {
        if let Event::Init { session_id, .. } = &event {
            self.session_id.clone_from(session_id);
        }
        if self.silent {
            return;
        }
        let body = serde_json::to_value(&event).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or("unknown").to_owned();
        self.write(&kind, body);
    }

    fn ask<'a>(&'a mut self, _question: &'a Question) -> BoxFuture<'a, Answer> {
        Box::pin(async {
            Answer::Reject(Some("nobody can be asked over this output; --yes decides without asking".into()))
        })
    }
}
