//! A forge on loopback: issues and comments, pull requests, and git over HTTP by git's own backend.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`, `POST`.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Value of `authorization`.
    pub authorization: Option<String>,
    /// The body, where it is JSON.
    pub body: Value,
}

/// The server. Its answers are keyed by path without query.
pub struct ForgeServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ForgeServer {
    /// Starts it; `projects` is the folder that holds `owner/repo.git`.
    pub fn start(answers: &[(&str, Value)], projects: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answers: HashMap<String, Value> =
            answers.iter().map(|(path, answer)| ((*path).to_owned(), answer.clone())).collect();
        let shared = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, asked, projects) = (answers.clone(), Arc::clone(&shared), projects.clone());
                std::thread::spawn(move || {
                    let _ = serve(stream, &answers, &asked, projects.as_ref());
                });
            }
        });
        Self { address, asked }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(
    stream: TcpStream,
    answers: &HashMap<String, Value>,
    asked: &Mutex<Vec<Asked>>,
    projects: Option<&PathBuf>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        asked.lock().unwrap().push(Asked {
            method: method.clone(),
            path: path.clone(),
            authorization: headers.get("authorization").cloned(),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        });
        let bare = path.split('?').next().unwrap_or_default();
        if let Some(projects) = projects.filter(|_| bare.contains(".git/")) {
            backend(&mut stream, projects, &method, &path, &headers, &body)?;
            continue;
        }
        let (status, answer) = match answers.get(bare) {
            Some(answer) => (200, answer.clone()),
            None => (404, json!({"message": "Not Found"})),
        };
        let text = answer.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{text}",
            text.len()
        )?;
    }
}

/// Hands a request to `git http-backend`.
#[allow(clippy::disallowed_methods, reason = "the test plays the server")]
fn backend(
    stream: &mut TcpStream,
    projects: &PathBuf,
    method: &str,
    path: &str,
    headers: &HashMap<String, String>,
    body: &[u8],
) -> std::io::Result<()> {
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let mut command = Command::new("git");
    command.arg("http-backend").env("GIT_PROJECT_ROOT", projects).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("PATH_INFO", bare).env("QUERY_STRING", query).env("REQUEST_METHOD", method);
    command.env("CONTENT_LENGTH", body.len().to_string()).env("REMOTE_USER", "test");
    command.env("CONTENT_TYPE", headers.get("content-type").map_or("", String::as_str));
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    if let Some(protocol) = headers.get("git-protocol") {
        command.env("GIT_PROTOCOL", protocol);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().unwrap().write_all(body)?;
    let output = child.wait_with_output()?.stdout;
    let end = output.windows(4).position(|w| w == b"\r\n\r\n").unwrap_or(0);
    let (head, rest) = output.split_at(end);
    let head = String::from_utf8_lossy(head);
    let status = head.lines().find_map(|l| l.strip_prefix("Status: ")).unwrap_or("200 OK");
    let kept = head.lines().filter(|l| !l.starts_with("Status:"));
    let more = kept.fold(String::new(), |more, line| more + line + "\r\n");
    let rest = rest.get(4..).unwrap_or_default();
    write!(stream, "HTTP/1.1 {status}\r\n{more}content-length: {}\r\n\r\n", rest.len())?;
    stream.write_all(rest)
}
