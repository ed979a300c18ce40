//! The programs that are compared: where each lies, how it runs headless against our model, and what its tool for
//! commands is called. Settings go into a home of its own; keys are obviously fake.

use super::house::speech::Wire;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that holds the conversation.
pub(crate) struct Peer {
    pub name: &'static str,
    pub program: PathBuf,
    /// The protocol it speaks to the model.
    pub wire: Wire,
    /// Its tool for commands.
    pub tool: &'static str,
    /// That tool's arguments.
    pub call: fn(&str) -> Value,
    /// Its arguments for a prompt.
    pub arguments: fn(&str) -> Vec<String>,
    /// Its settings in a home, given the model's base URL.
    pub prepare: fn(&Path, &str),
    /// Its environment, given the model's base URL.
    environment: fn(&str) -> Vec<(&'static str, String)>,
}

const KEY: &str = "FAKE-bench-canary";

impl Peer {
    /// Its command in a folder, with nothing of this machine's settings.
    #[allow(clippy::disallowed_methods, reason = "the bench starts the programs it measures")]
    pub(crate) fn command(
        &self,
        home: &Path,
        folder: &Path,
        base_url: &str,
        arguments: &[String],
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(folder).env_clear().env("HOME", home).env("TERM", "dumb");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs((self.environment)(base_url));
        command
    }
}

/// Those that are on this machine; this program and the floor come first.
pub(crate) fn found() -> Vec<Peer> {
    let own = |name: &str| {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_agent"));
        if name == "agent" { built } else { built.with_file_name("examples").join(name) }
    };
    let mut peers = all();
    for peer in &mut peers {
        peer.program = match peer.name {
            "agent" | "floor" => own(peer.name),
            name => look(name).unwrap_or_default(),
        };
    }
    peers.retain(|peer| peer.program.is_file());
    peers
}

fn look(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("AGENT_PEERS").map(PathBuf::from);
    let own = own.iter().flat_map(|folder| [folder.join("node_modules/.bin"), folder.join("venv/bin")]);
    let path = std::env::var_os("PATH").unwrap_or_default();
    own.chain(std::env::split_paths(&path)).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn words(list: &[&str], prompt: &str) -> Vec<String> {
    list.iter().copied().chain([prompt]).map(str::to_owned).collect()
}

#[allow(clippy::disallowed_methods, reason = "the bench makes the settings it measures with")]
fn write(home: &Path, path: &str, text: &str) {
    let path = home.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn openai(url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("OPENAI_BASE_URL", url.to_owned()),
        ("OPENAI_API_BASE", url.to_owned()),
        ("OPENAI_API_KEY", KEY.into()),
    ]
}

fn command(text: &str) -> Value {
    json!({"command": text})
}

fn all() -> Vec<Peer> {
    let floor = Peer {
        name: "floor",
        program: PathBuf::new(),
        wire: Wire::OpenAi,
        tool: "bash",
        call: command,
        arguments: |prompt| words(&[], prompt),
        prepare: |_, _| {},
        environment: openai,
    };
    vec![
        Peer {
            name: "agent",
            arguments: |prompt| words(&["run", "--model", "openai/scripted", "--yes"], prompt),
            ..copy(&floor)
        },
        Peer {
            name: "codex",
            wire: Wire::Responses,
            tool: "exec_command",
            call: |text| json!({"cmd": text}),
            arguments: |prompt| {
                words(
                    &["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"],
                    prompt,
                )
            },
            prepare: |home, url| {
                write(
                    home,
                    ".codex/config.toml",
                    &format!(
                        "model = \"scripted\"\nmodel_provider = \"local\"\n[model_providers.local]\nname = \"local\"\n\
                         base_url = \"{url}\"\nenv_key = \"OPENAI_API_KEY\"\nwire_api = \"responses\"\n"
                    ),
                );
            },
            ..copy(&floor)
        },
        Peer {
            name: "opencode",
            call: |text| json!({"command": text, "description": "a small step"}),
            arguments: |prompt| words(&["run", "-m", "local/scripted"], prompt),
            prepare: |home, url| {
                let settings = json!({"provider": {"local": {"npm": "@ai-sdk/openai-compatible",
                    "options": {"baseURL": url, "apiKey": KEY}, "models": {"scripted": {"name": "scripted"}}}},
                    "permission": "allow", "autoupdate": false, "share": "disabled"});
                write(home, ".config/opencode/opencode.json", &settings.to_string());
            },
            ..copy(&floor)
        },
        Peer {
            name: "pi",
            arguments: |prompt| {
                words(&["-p", "--provider", "local", "--model", "scripted", "--no-session"], prompt)
            },
            prepare: |home, url| {
                let settings = json!({"providers": {"local": {"baseUrl": url, "apiKey": KEY, "api": "openai-completions",
                    "models": [{"id": "scripted", "name": "scripted", "reasoning": false, "input": ["text"],
                        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                        "contextWindow": 1_000_000, "maxTokens": 16384}]}}});
                write(home, ".pi/agent/models.json", &settings.to_string());
            },
            environment: |url| [openai(url), vec![("PI_SKIP_VERSION_CHECK", "1".into())]].concat(),
            ..copy(&floor)
        },
        Peer {
            name: "gemini",
            wire: Wire::Gemini,
            tool: "run_shell_command",
            arguments: |prompt| words(&["--yolo", "--skip-trust", "-m", "gemini-2.5-pro", "-p"], prompt),
            prepare: |home, _| {
                let settings = json!({"security": {"auth": {"selectedType": "gemini-api-key"}},
                    "privacy": {"usageStatisticsEnabled": false}, "general": {"disableAutoUpdate": true}});
                write(home, ".gemini/settings.json", &settings.to_string());
            },
            environment: |url| {
                vec![
                    ("GOOGLE_GEMINI_BASE_URL", url.trim_end_matches("/v1beta").to_owned()),
                    ("GEMINI_API_KEY", KEY.into()),
                ]
            },
            ..copy(&floor)
        },
        floor,
    ]
}

fn copy(peer: &Peer) -> Peer {
    Peer { program: peer.program.clone(), ..*peer }
}
