//! The least program that holds the conversation: `reqwest`, `serde_json`, `sh -c`, and nothing around them. What the
//! agent costs beyond it is what the agent costs. `benches/peers` runs it; it is no example of how to run commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a yardstick that cannot go on should say so loudly"
)]
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

use serde_json::{Value, json};

fn main() {
    if std::env::args().any(|argument| argument == "--version") {
        println!("floor {}", env!("CARGO_PKG_VERSION"));
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(converse());
}

async fn converse() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let url = format!("{}/chat/completions", std::env::var("OPENAI_BASE_URL").unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let prompt = std::env::args().nth(1).unwrap_or_default();
    let tool = json!({"type": "function", "function": {"name": "bash", "parameters": {
        "type": "object", "properties": {"command": {"type": "string"}}}}});
    let mut messages = vec![json!({"role": "user", "content": prompt})];
    loop {
        let body = json!({"model": "scripted", "stream": true, "tools": [tool], "messages": messages});
        let answer = ask(&client, &url, body.to_string()).await;
        if answer.arguments.is_empty() {
            println!("{}", answer.text);
            return;
        }
        let call = json!({"id": answer.id, "type": "function", "function": {"name": "bash", "arguments": answer.arguments}});
        messages.push(json!({"role": "assistant", "tool_calls": [call]}));
        let arguments: Value = serde_json::from_str(&answer.arguments).unwrap();
        let output = run(arguments["command"].as_str().unwrap_or_default());
        messages.push(json!({"role": "tool", "tool_call_id": answer.id, "content": output}));
    }
}

#[derive(Default)]
struct Answer {
    text: String,
    id: String,
    arguments: String,
}

async fn ask(client: &reqwest::Client, url: &str, body: String) -> Answer {
    let mut response =
        client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
    let mut answer = Answer::default();
    let mut held = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        held.extend_from_slice(&chunk);
        while let Some(end) = memchr::memchr(b'\n', &held) {
            let line: Vec<u8> = held.drain(..=end).collect();
            let Some(event) = line.strip_prefix(b"data: ") else { continue };
            let Ok(event) = serde_json::from_slice::<Value>(event) else { continue };
            let delta = &event["choices"][0]["delta"];
            answer.text.push_str(delta["content"].as_str().unwrap_or_default());
            let call = &delta["tool_calls"][0];
            answer.id.push_str(call["id"].as_str().unwrap_or_default());
            answer.arguments.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
        }
    }
    answer
}

#[allow(clippy::disallowed_methods, reason = "the yardstick has no walls")]
fn run(command: &str) -> String {
    let output = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
