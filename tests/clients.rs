//! Real clients drive the real binary: the official TypeScript and Python SDKs, from their registries. Only where
//! `AGENT_TEST_CLIENTS` asks for it, since they are installed first.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the test installs and starts real programs")]

mod house;

use house::stage::{Stage, has, pass_over};
use std::path::{Path, PathBuf};
use std::process::Command;

fn is_wanted() -> bool {
    let wanted = std::env::var("AGENT_TEST_CLIENTS").is_ok_and(|value| !value.is_empty());
    if !wanted {
        pass_over("real clients run with AGENT_TEST_CLIENTS=1");
    }
    wanted
}

/// A folder for what is installed, kept from run to run.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn the_python_sdk_works_with_us() {
    if !is_wanted() || !has("python3") {
        return;
    }
    let folder = folder("python");
    let python = folder.join("bin/python");
    if !python.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder));
    }
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "agent-client-protocol==0.12.1"]));
    let stage = Stage::of_example("notes-python");
    let mut command = Command::new(&python);
    command
        .arg(script("client.py"))
        .arg(env!("CARGO_BIN_EXE_agent"))
        .arg(stage.root().canonicalize().unwrap());
    assert!(run(command.env("HOME", stage.home())).contains("ok"));
}

#[test]
fn the_typescript_sdk_works_with_us() {
    if !is_wanted() || !has("node") || !has("npm") {
        return;
    }
    let folder = folder("node");
    run(Command::new("npm")
        .args(["install", "--silent", "--no-save", "--no-audit", "@agentclientprotocol/sdk@2.4"])
        .arg("--prefix")
        .arg(&folder));
    let client = folder.join("client.mjs");
    std::fs::copy(script("client.mjs"), &client).unwrap();
    let stage = Stage::of_example("notes-python");
    let mut command = Command::new("node");
    command.arg(client).arg(env!("CARGO_BIN_EXE_agent")).arg(stage.root().canonicalize().unwrap());
    assert!(run(command.env("HOME", stage.home())).contains("ok"));
}
