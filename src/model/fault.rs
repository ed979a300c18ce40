//! What a provider says when it does not answer, sorted into [`ModelError`]. Nothing here lets a key out.

use super::ModelError;
use crate::text;
use serde_json::Value;
use std::time::Duration;

/// Most characters of a provider's own words in an error.
const EXCERPT: usize = 300;

/// What went wrong while an answer was read, before it is sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The provider said so in its own words.
    Said(Said),
    /// Not the protocol.
    Protocol(String),
    /// The answer has no end.
    Cut(String),
}

/// A provider's error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// HTTP status, or the one the error's type stands for.
    pub status: u16,
    /// `type`, `code` and `status` of the error, joined by blanks.
    pub code: String,
    /// Its message.
    pub message: String,
    /// What `retry-after` asked for.
    pub retry_after: Option<Duration>,
}

impl Said {
    /// Reads an error body of HTTP status `status`.
    pub fn in_body(status: u16, body: &str) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(value) => {
                // Google sends a list of one when it streams.
                let value = value.get(0).unwrap_or(&value);
                let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
                Said { status, ..Said::in_event(error) }
            }
            Err(_) if looks_like_html(body) => {
                Said { status, message: "an HTML page instead of an answer".into(), ..Said::default() }
            }
            Err(_) => Said { status, message: body.trim().to_owned(), ..Said::default() },
        }
    }

    /// Reads an error object that came in the middle of an answer.
    pub fn in_event(error: &Value) -> Self {
        let text = |key: &str| match error.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let message = match error {
            Value::String(message) => message.clone(),
            _ => ["message", "detail", "error", "error_description"]
                .iter()
                .map(|key| text(key))
                .find(|message| !message.is_empty())
                .unwrap_or_else(|| error.to_string()),
        };
        let code = [text("type"), text("code"), text("status")].join(" ").trim().to_owned();
        Said { status: implied_status(&code), code, message, retry_after: retry_delay(error) }
    }

    /// Why the provider's policy refuses, if that is what it says.
    pub fn refusal(&self) -> Option<&str> {
        let all = self.lower();
        let refused = self.status < 500
            && ["content_filter", "content_policy", "content filtering policy", "usage polic"]
                .iter()
                .any(|word| all.contains(word));
        refused.then_some(self.message.as_str())
    }

    /// Sorts it. `host` and `key` are the endpoint's.
    pub fn into_error(self, host: &str, key: &str) -> ModelError {
        let reason = self.reason(key);
        let all = self.lower();
        let says = |words: &[&str]| words.iter().any(|word| all.contains(word));
        match self.status {
            402 => ModelError::Quota(reason),
            // Google speaks of quota and billing also when it only wants a pause, and says how long.
            400 | 403 | 429
                if says(&QUOTA) && !(says(&["resource_exhausted"]) && self.retry_after.is_some()) =>
            {
                ModelError::Quota(reason)
            }
            400 if says(&["api key not valid", "api_key_invalid"]) => ModelError::Auth(reason),
            401 | 403 => ModelError::Auth(reason),
            408 | 429 | 500.. => {
                ModelError::Busy { status: self.status, reason, retry_after: self.retry_after }
            }
            413 => ModelError::Overflow(reason),
            400..500 if says(&OVERFLOW) => ModelError::Overflow(reason),
            400..500 if all.contains("an html page") => ModelError::Protocol {
                host: host.to_owned(),
                reason: format!("HTTP {} with an HTML page; is the base URL right?", self.status),
            },
            400..500 => ModelError::Rejected { status: self.status, reason },
            other => {
                ModelError::Protocol { host: host.to_owned(), reason: format!("HTTP {other}: {reason}") }
            }
        }
    }

    fn lower(&self) -> String {
        format!("{} {}", self.code, self.message).to_ascii_lowercase()
    }

    fn reason(&self, key: &str) -> String {
        match (self.message.is_empty(), self.code.is_empty()) {
            (true, true) => "no reason given".into(),
            (true, false) => excerpt(&self.code, key),
            _ => excerpt(&self.message, key),
        }
    }
}

const QUOTA: [&str; 7] = [
    "insufficient_quota",
    "insufficient quota",
    "exceeded your current quota",
    "billing",
    "credit balance",
    "out of credit",
    "insufficient credit",
];

const OVERFLOW: [&str; 11] = [
    "context_length_exceeded",
    "exceed_context_size",
    "context length",
    "context window",
    "context size",
    "context limit",
    "prompt is too long",
    "input is too long",
    "too many input tokens",
    "exceeds the maximum number of tokens",
    "request_too_large",
];

/// How long an error's details ask to wait (`google.rpc.RetryInfo`).
fn retry_delay(error: &Value) -> Option<Duration> {
    let details = error.get("details")?.as_array()?;
    let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

/// The HTTP status an error's type stands for; a type nobody knows is worth another try.
fn implied_status(code: &str) -> u16 {
    let known = code.split(' ').find_map(|word| {
        Some(match word {
            "overloaded_error" => 529,
            "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" | "RESOURCE_EXHAUSTED" => 429,
            "timeout_error" | "DEADLINE_EXCEEDED" => 504,
            "UNAVAILABLE" => 503,
            "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => 401,
            "permission_error" | "PERMISSION_DENIED" => 403,
            "billing_error" => 402,
            "request_too_large" => 413,
            "not_found_error" | "NOT_FOUND" => 404,
            "INVALID_ARGUMENT"
            | "FAILED_PRECONDITION"
            | "invalid_request_error"
            | "context_length_exceeded"
            | "content_filter"
            | "invalid_prompt" => 400,
            number => number.parse().ok().filter(|status| (400..600).contains(status))?,
        })
    });
    known.unwrap_or(500)
}

/// A provider's words, fit to show: no key, nothing that looks like a secret, one line, cut to size.
pub fn excerpt(words: &str, key: &str) -> String {
    // Far more than is shown, far less than would take time.
    let words = text::clip(words, 16 * 1024).text;
    let words = hide(words, key);
    let words = text::redact(&words);
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ");
    let shown: String = words.chars().take(EXCERPT).collect();
    text::printable(&shown).into_owned()
}

/// Hides the key, and any eight characters of it beyond its first: servers like to quote a part.
fn hide(words: &str, key: &str) -> String {
    const SHORTEST: usize = 8;
    if key.len() < SHORTEST {
        return if key.is_empty() { words.to_owned() } else { words.replace(key, "[redacted:key]") };
    }
    let (bytes, key) = (words.as_bytes(), key.as_bytes());
    let mut out = String::with_capacity(words.len());
    let (mut at, mut shown) = (0, 0);
    while at < bytes.len() {
        let run = (0..=key.len() - SHORTEST)
            .map(|from| key[from..].iter().zip(&bytes[at..]).take_while(|(a, b)| a == b).count())
            .max()
            .unwrap_or(0);
        if run >= SHORTEST && words.is_char_boundary(at) && words.is_char_boundary(at + run) {
            out.push_str(&words[shown..at]);
            out.push_str("[redacted:key]");
            at += run;
            shown = at;
        } else {
            at += 1;
        }
    }
    out.push_str(&words[shown..]);
    out
}

/// Whether a body is a web page.
pub fn looks_like_html(body: &str) -> bool {
    let start = text::clip(body.trim_start(), 64).text.to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html") || start.starts_with("<head")
}

/// What the headers ask to wait: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date, which
/// is read against the server's own clock where it tells the time.
pub fn retry_after<'h>(header: impl Fn(&str) -> Option<&'h str>, now: jiff::Timestamp) -> Option<Duration> {
    if let Some(ms) = header("retry-after-ms").and_then(|value| value.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(ms / 1000.0).ok();
    }
    let value = header("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let until = date(value)?;
    let now = header("date").and_then(date).unwrap_or(now);
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "FAKE-sk-model-canary-0123456789";

    #[test]
    fn sorts_what_providers_say() {
        let check = |status: u16, body: &str, expected: &str| {
            let error = Said::in_body(status, body).into_error("h:1", KEY);
            let got = format!("{error:?}");
            assert!(got.starts_with(expected), "{status} {body}: {got}");
        };
        let openai = r#"{"error":{"message":"M","type":"T","code":"C"}}"#;
        check(401, &openai.replace('C', "invalid_api_key"), "Auth(\"M\")");
        check(403, openai, "Auth");
        check(404, openai, "Rejected { status: 404, reason: \"M\"");
        check(408, openai, "Busy { status: 408");
        check(422, r#"{"detail":"nope"}"#, "Rejected { status: 422, reason: \"nope\"");
        check(429, openai, "Busy { status: 429");
        check(429, &openai.replace('C', "insufficient_quota"), "Quota");
        check(402, "", "Quota");
        check(500, "", "Busy { status: 500, reason: \"no reason given\"");
        check(503, "<html><h1>x</h1>", "Busy { status: 503, reason: \"an HTML page");
        check(
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            "Busy { status: 529, reason: \"Overloaded\"",
        );
        check(400, &openai.replace('C', "context_length_exceeded"), "Overflow");
        check(
            400,
            r#"{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
            "Overflow",
        );
        check(
            400,
            r#"{"error":{"message":"This model's maximum context length is 8192 tokens"}}"#,
            "Overflow",
        );
        check(400, r#"{"error":{"type":"exceed_context_size_error","message":"m"}}"#, "Overflow");
        check(413, "", "Overflow");
        check(400, r#"{"error":{"message":"Your credit balance is too low"}}"#, "Quota");
        check(
            400,
            r#"{"error":"model 'x' not found"}"#,
            "Rejected { status: 400, reason: \"model 'x' not found\"",
        );
        check(404, "<!doctype html><title>x</title>", "Protocol");
        check(302, "", "Protocol");
        check(200, r#"{"error":{"message":"m"}}"#, "Protocol");
    }

    #[test]
    fn sorts_errors_that_come_in_the_middle_of_an_answer() {
        let check = |error: &str, expected: &str| {
            let said = Said::in_event(&serde_json::from_str(error).unwrap());
            let got = format!("{:?}", said.into_error("h:1", KEY));
            assert!(got.starts_with(expected), "{error}: {got}");
        };
        check(r#"{"type":"overloaded_error","message":"Overloaded"}"#, "Busy { status: 529");
        check(r#"{"type":"rate_limit_error","message":"m"}"#, "Busy { status: 429");
        check(r#"{"type":"api_error","message":"m"}"#, "Busy { status: 500");
        check(r#"{"type":"brand_new_error","message":"m"}"#, "Busy { status: 500");
        check(r#"{"code":502,"message":"upstream"}"#, "Busy { status: 502");
        check(r#"{"type":"authentication_error","message":"m"}"#, "Auth");
        check(r#"{"type":"invalid_request_error","message":"prompt is too long"}"#, "Overflow");
        check(r#"{"type":"insufficient_quota","code":"insufficient_quota","message":"m"}"#, "Quota");
        check(r#""plain words""#, "Busy { status: 500, reason: \"plain words\"");
    }

    #[test]
    fn a_policy_refusal_is_told_apart() {
        let said = |code: &str, message: &str| Said {
            status: 400,
            code: code.into(),
            message: message.into(),
            retry_after: None,
        };
        assert!(said("content_filter", "m").refusal().is_some());
        assert!(said("", "Output blocked by content filtering policy").refusal().is_some());
        assert!(said("invalid_prompt", "flagged as violating our usage policy").refusal().is_some());
        assert!(said("invalid_request_error", "bad tool").refusal().is_none());
    }

    #[test]
    fn an_excerpt_never_holds_the_key_or_a_part_of_it() {
        let check = |words: &str| {
            let shown = excerpt(words, KEY);
            for window in KEY.as_bytes().windows(8) {
                assert!(!shown.contains(std::str::from_utf8(window).unwrap()), "{words:?} gave {shown:?}");
            }
            assert!(shown.chars().count() <= EXCERPT);
        };
        check(&format!("Incorrect API key provided: {KEY}."));
        check(&format!("Incorrect API key provided: {}****.", &KEY[..14]));
        check(&format!("ends with {}", &KEY[20..]));
        check(&KEY.repeat(50));
        check(&format!("ü{KEY}ü日{KEY}"));
        check(&format!("{}{}", "x".repeat(292), KEY));
        assert_eq!(excerpt("plain\n  words", KEY), "plain words");
        assert_eq!(excerpt("a short pw", "pw"), "a short [redacted:key]");
        assert_eq!(excerpt("no key set", ""), "no key set");
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let now: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let check = |headers: &[(&str, &str)], expected: Option<u64>| {
            let header =
                |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            let got = retry_after(header, now).map(|wait| u64::try_from(wait.as_millis()).unwrap());
            assert_eq!(got, expected, "{headers:?}");
        };
        check(&[], None);
        check(&[("retry-after", "7")], Some(7000));
        check(&[("retry-after", "0.5")], Some(500));
        check(&[("retry-after-ms", "250"), ("retry-after", "7")], Some(250));
        check(&[("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT")], Some(9000));
        check(&[("retry-after", "Wed, 31 Dec 2025 23:59:00 GMT")], Some(0));
        let skewed =
            [("retry-after", "Thu, 01 Jan 2026 10:00:05 GMT"), ("date", "Thu, 01 Jan 2026 10:00:00 GMT")];
        check(&skewed, Some(5000));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-3")], None);
        check(&[("retry-after", "1e300")], None);
    }
}
