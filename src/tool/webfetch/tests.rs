//! `webfetch` against a server on loopback, through the guard that tests may open.

use super::*;
use crate::event::Answer;
use crate::policy::{Mode, Policy, Verdict};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::Instant;

/// Serves what `answer` gives for a path, byte for byte, and keeps what it was asked.
struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn start(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut head = String::new();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while reader.read_line(&mut head).unwrap_or(0) > 2 {}
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    log.lock().unwrap().push(head);
                    let mut stream = stream;
                    answer(&path, &mut stream);
                });
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://site.test:{}{path}", self.address.port())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn reply(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    for line in headers.lines() {
        write!(head, "{line}\r\n").unwrap();
    }
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(body);
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn tool() -> WebFetch {
    WebFetch::guarded_by(Guard::for_tests(&[("site.test", LOOPBACK), ("other.test", LOOPBACK)]))
}

async fn perform(tool: &WebFetch, args: Value) -> Result<ToolOutput, ToolError> {
    let plan = tool.look(&args)?;
    let mut policy = Policy::new(Mode::Ask);
    let permit = match policy.judge(&plan.action) {
        Verdict::Allow(permit) => permit,
        Verdict::Ask(question) => policy.settle(&question, &Answer::Once).unwrap(),
        Verdict::Deny(why) => panic!("{why}"),
    };
    plan.perform(permit, Progress::silent()).await
}

async fn fetch(url: &str) -> Result<ToolOutput, ToolError> {
    perform(&tool(), json!({ "url": url })).await
}

async fn fails(url: &str, expected: &str) {
    let error = fetch(url).await.expect_err(url).to_string();
    assert!(error.contains(expected), "{url}: {error}");
}

#[test]
fn its_words_for_the_model_are_short_and_whole() {
    assert_eq!(SPEC.name, "webfetch");
    assert!(SPEC.description.split_whitespace().count() <= 60);
}

#[test]
fn planning_names_the_address_and_touches_nothing() {
    let plan = WebFetch::new().look(&json!({"url": " https://EXAMPLE.com:443/a b#part "})).unwrap();
    let expected = Action::Fetch { url: "https://example.com/a%20b".into(), host: "example.com".into() };
    assert_eq!(plan.action, expected);
}

#[test]
fn bad_arguments_say_what_is_wrong() {
    let check = |args: Value, expected: &str| {
        let error = WebFetch::new().look(&args).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(expected), "{args}: {error}");
    };
    check(json!({}), "`url` is missing");
    check(json!({"url": "example.com"}), "http:// or https://");
    check(json!({"url": "https://example.com", "format": "pdf"}), "markdown, text or html");
    check(json!({"url": "https://example.com", "timeout": "soon"}), "timeout");
    check(json!({"url": "file:///etc/passwd"}), "only http and https");
    check(json!({"url": "http://127.0.0.1/"}), "loopback");
    check(json!({"url": "http://169.254.169.254/latest/"}), "link-local");
    check(json!({"url": "https://FAKE-user:FAKE-canary@example.com/"}), "user name or password");
    let error = WebFetch::new().look(&json!({"url": "https://u:FAKE-canary@example.com/"})).err().unwrap();
    assert!(!error.to_string().contains("canary"));
}

#[tokio::test]
async fn a_page_comes_as_untrusted_markdown_with_its_address() {
    let site = Site::start(|_, stream| {
        reply(stream, 200, "content-type: text/html", b"<h1>Hi</h1><p>A <b>page</b>.</p>\x1b[31m");
    });
    let output = fetch(&site.url("/page")).await.unwrap();
    assert!(output.text.contains(&format!("Fetched {}", site.url("/page"))), "{}", output.text);
    assert!(output.text.contains("Untrusted content") && output.text.contains("# Hi\n\nA **page**."));
    assert!(!output.text.contains('\x1b'), "control sequences are made visible");
    assert!(output.summary.ends_with("bytes of markdown from site.test"), "{}", output.summary);
    let asked = site.asked().join("").to_ascii_lowercase();
    for header in ["cookie", "authorization", "referer", "x-api-key"] {
        assert!(!asked.contains(header), "{asked}");
    }
}

#[tokio::test]
async fn each_format_and_each_kind_of_text_is_shown() {
    let site = Site::start(|path, stream| match path {
        "/json" => reply(stream, 200, "content-type: application/problem+json", b"{\"a\": 1}"),
        "/none" => reply(stream, 200, "", b"just text"),
        "/latin" => reply(stream, 200, "content-type: text/plain; charset=latin1", b"gr\xfc\xdfe"),
        _ => reply(stream, 200, "content-type: text/html", b"<p>a <i>b</i></p>"),
    });
    let check = async |path: &str, format: &str, expected: &str| {
        let output = perform(&tool(), json!({"url": site.url(path), "format": format})).await.unwrap();
        assert!(output.text.contains(expected), "{path} {format}: {}", output.text);
    };
    check("/html", "markdown", "\na *b*\n").await;
    check("/html", "text", "\na b\n").await;
    check("/html", "html", "<p>a <i>b</i></p>").await;
    check("/json", "markdown", "{\"a\": 1}").await;
    check("/none", "text", "just text").await;
    check("/latin", "text", "grüße").await;
}

#[tokio::test]
async fn what_is_no_text_or_no_success_is_refused() {
    let site = Site::start(|path, stream| match path {
        "/png" => reply(stream, 200, "content-type: image/png", b"\x89PNG"),
        "/zip" => reply(stream, 200, "content-type: application/zip", b"PK"),
        "/stream" => reply(stream, 200, "content-type: text/event-stream", b"data: x"),
        "/nul" => reply(stream, 200, "content-type: text/plain", b"a\0b"),
        "/br" => reply(stream, 200, "content-type: text/plain\ncontent-encoding: br", b"x"),
        "/half" => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 X\r\ncontent-length: 100\r\ncontent-type: text/plain\r\n\r\nhalf");
        }
        _ => reply(stream, 404, "content-type: text/html", b"gone"),
    });
    fails(&site.url("/png"), "image/png").await;
    fails(&site.url("/zip"), "application/zip").await;
    fails(&site.url("/stream"), "text/event-stream").await;
    fails(&site.url("/nul"), "binary").await;
    fails(&site.url("/br"), "packed as \"br\"").await;
    fails(&site.url("/half"), "broke off").await;
    fails(&site.url("/gone"), "HTTP 404").await;
}

#[tokio::test]
async fn five_megabytes_are_the_limit_on_the_wire_and_unpacked() {
    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packing.write_all(bytes).unwrap();
        packing.finish().unwrap()
    }
    let site = Site::start(|path, stream| {
        let plain = "content-type: text/plain";
        let gzip = "content-type: text/plain\ncontent-encoding: gzip";
        match path {
            "/fits" => reply(stream, 200, plain, &vec![b'x'; BODY_LIMIT]),
            "/large" => reply(stream, 200, plain, &vec![b'x'; BODY_LIMIT + 1]),
            "/bomb" => reply(stream, 200, gzip, &packed(&vec![b'x'; 200_000_000])),
            "/packed" => reply(stream, 200, gzip, &packed("grüße".as_bytes())),
            _ => {
                let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\n\r\n");
                while stream.write_all(&[b'x'; 8192]).is_ok() {}
            }
        }
    });
    let output = fetch(&site.url("/fits")).await.unwrap();
    assert!(output.text.len() < SHOWN + 1000, "only so much is shown");
    assert!(
        output.text.contains(&format!("[cut: {} of {BODY_LIMIT} bytes are not shown]", BODY_LIMIT - SHOWN))
    );
    assert!(fetch(&site.url("/packed")).await.unwrap().text.contains("grüße"));
    for path in ["/large", "/bomb", "/endless"] {
        fails(&site.url(path), "larger than 5 MB").await;
    }
}

#[tokio::test]
async fn a_slow_site_ends_at_the_deadline() {
    let site = Site::start(|path, stream| {
        if path == "/silent" {
            let _ = stream.read(&mut [0]);
            return;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for path in ["/silent", "/drip"] {
        let start = Instant::now();
        let error =
            perform(&tool(), json!({"url": site.url(path), "timeout": 1})).await.unwrap_err().to_string();
        assert!(error.contains("within 1 s"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[tokio::test]
async fn an_interrupt_ends_a_fetch() {
    let site = Site::start(|_, stream| {
        let _ = stream.read(&mut [0]);
    });
    let progress = Progress::silent();
    let cancel = progress.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    let url = Url::parse(&site.url("/")).unwrap();
    let error = tool().fetcher.fetch(url, Format::Text, 60, progress).await.unwrap_err();
    assert_eq!(error, ToolError::Failed("interrupted".into()));
}

#[tokio::test]
async fn redirects_stay_with_the_host_that_was_approved() {
    let site = Site::start(|path, stream| {
        let to = match path {
            "/there" => return reply(stream, 200, "content-type: text/plain", b"arrived"),
            "/once" | "/1" => "/there".to_owned(),
            "/loop" => "/loop".to_owned(),
            "/5" => "/4".to_owned(),
            "/4" => "/3".to_owned(),
            "/3" => "/2".to_owned(),
            "/2" => "/1".to_owned(),
            "/other" => "http://other.test/page?q=1".to_owned(),
            "/port" => "http://site.test:1/".to_owned(),
            "/metadata" => "http://169.254.169.254/latest/meta-data/".to_owned(),
            "/private" => "http://[::ffff:10.0.0.1]/".to_owned(),
            "/key" => "http://user:FAKE-canary@site.test/".to_owned(),
            "/file" => "file:///etc/passwd".to_owned(),
            _ => return reply(stream, 302, "", b""),
        };
        reply(stream, 302, &format!("location: {to}"), b"");
    });
    for path in ["/once", "/5"] {
        let output = fetch(&site.url(path)).await.unwrap();
        assert!(
            output.text.contains("arrived") && output.text.contains(&site.url("/there")),
            "{}",
            output.text
        );
    }
    fails(&site.url("/loop"), "more than 5 redirects").await;
    fails(&site.url("/other"), "call webfetch with http://other.test/page?q=1").await;
    fails(&site.url("/port"), "call webfetch with http://site.test:1/").await;
    fails(&site.url("/metadata"), "refused").await;
    fails(&site.url("/private"), "refused").await;
    fails(&site.url("/key"), "user name or password").await;
    fails(&site.url("/file"), "only http and https").await;
    fails(&site.url("/nowhere"), "no address that can be read").await;
}

#[test]
fn a_redirect_never_leaves_https() {
    let check = |from: &str, to: &str, expected: Option<&str>| {
        let got = Fetcher::default().check_redirect(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        match (got, expected) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{from} {to}: {error}"),
            (got, _) => panic!("{from} {to}: {got:?}"),
        }
    };
    check("http://a.example/", "https://a.example/x", None);
    check("https://a.example/", "https://a.example/x", None);
    check("https://a.example/", "http://a.example/x", Some("from https to http"));
    check("https://a.example/", "https://www.a.example/x", Some("another host"));
    check("http://a.example/", "https://a.example:8443/x", Some("another host"));
    check("http://a.example:8080/", "https://a.example/x", Some("another host"));
}

#[tokio::test]
async fn the_shipped_tool_reaches_nothing_on_this_machine() {
    let site = Site::start(|_, stream| reply(stream, 200, "content-type: text/plain", b"reached"));
    let port = site.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "127.1",
        "2130706433",
        "0x7f000001",
        "[::ffff:127.0.0.1]",
    ] {
        let url = format!("http://{host}:{port}/");
        let got = perform(&WebFetch::new(), json!({ "url": url })).await;
        assert!(got.is_err(), "{url}");
    }
    // A public-looking name that resolves here: the check happens where the connection is made.
    for address in [vec![LOOPBACK], vec!["8.8.8.8".parse().unwrap(), LOOPBACK]] {
        let tool = WebFetch::guarded_by(Guard::resolving("rebound.test", &address));
        let error = perform(&tool, json!({"url": format!("http://rebound.test:{port}/")})).await.unwrap_err();
        assert!(error.to_string().contains("not a public address"), "{error}");
    }
    assert_eq!(site.asked(), Vec::<String>::new());
}
