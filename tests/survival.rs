//! Killed, out of disk, locked out, cut off: no user file is lost or half-written, and the session goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::stage::{Stage, skip};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Kills in all, and workspaces they are spread over.
const KILLS: usize = 200;
const WORKSPACES: usize = 8;
/// Rounds of the script; more than any workspace's kills let happen.
const ROUNDS: usize = 40;

/// A small generator with a seed, so that a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A file's content in a version: long enough to be seen half-written.
fn text(name: &str, version: usize) -> String {
    format!("{name} of version {version}\n").repeat(400)
}

const NAMES: [&str; 5] = ["a.txt", "b.txt", "sub/c.txt", "d.txt", "e.txt"];

/// Reads everything, then edits, patches, writes and runs; every file becomes `version`.
fn round(version: usize) -> Vec<Turn> {
    let whole = |name: &str| json!({"filePath": name, "content": text(name, version)});
    let patch = format!(
        "*** Begin Patch\n*** Delete File: gone{0}.txt\n*** Add File: new{0}.txt\n+{1}\n*** End Patch\n",
        version - 1,
        text("new", version).trim_end().replace('\n', "\n+"),
    );
    let first = format!("new{}.txt", version - 1);
    vec![
        Turn::calls(NAMES[..3].iter().map(|name| ("read", json!({"filePath": name})))),
        Turn::calls([("write", whole("a.txt")), ("write", whole("b.txt")), ("write", whole("sub/c.txt"))]),
        Turn::call(
            "patch",
            json!({ "patchText": patch.replace(&format!("gone{}.txt", version - 1), &first) }),
        ),
        Turn::call(
            "bash",
            json!({"command": format!(
                "for name in d e; do sed s/version.*/'version {version}'/ $name.txt > $name.part && mv $name.part $name.txt; done"
            )}),
        ),
    ]
}

/// The user's files as they are, the agent's own leavings and what a command was writing aside.
fn files(stage: &Stage) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (mut files, mut left) = (stage.tree(), BTreeSet::new());
    files.retain(|path, _| {
        let ending = path.rsplit('.').next().unwrap_or_default();
        let is_leaving = ending == "tmp" && path.contains(".agent-");
        if is_leaving {
            left.insert(path.clone());
        }
        !is_leaving && ending != "part"
    });
    (files, left)
}

fn every_file_is_whole(stage: &Stage, seed: &str) {
    let files = files(stage).0;
    for name in NAMES {
        assert!(files.contains_key(name), "{seed}: {name} is gone");
    }
    for (path, found) in &files {
        let name = if path.starts_with("new") { "new" } else { path };
        let is_whole = (0..=ROUNDS).any(|version| *found == text(name, version));
        assert!(is_whole, "{seed}: {path} is half-written: {} bytes", found.len());
    }
}

/// Every call of the history has its result, right behind it.
fn every_history_is_valid(server: &ModelServer, seed: &str) {
    for request in server.received() {
        let body = request.json();
        let messages = body["messages"].as_array().unwrap();
        for (at, message) in messages.iter().enumerate() {
            let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
            let answers = &messages[at + 1..][..calls.len().min(messages.len() - at - 1)];
            let ids = |list: &[Value], key: &str| -> Vec<Value> {
                list.iter().map(|one| one[key].clone()).collect()
            };
            assert_eq!(ids(&calls, "id"), ids(answers, "tool_call_id"), "{seed}: message {at}");
        }
    }
}

fn has_begun(stage: &Stage) -> bool {
    let begun = |path| std::fs::read_to_string(path).is_ok_and(|text: String| text.contains('\n'));
    stage.records().into_iter().any(begun)
}

fn start(stage: &Stage) -> Child {
    let model = ["--model", "openai/scripted", "--yes", "--output-format", "stream-json"];
    let begin: &[&str] = if has_begun(stage) { &["resume"] } else { &["run", "Work."] };
    let mut command = stage.command(&[begin, &model[..]].concat());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Kills the agent: half the time at any moment, half the time shortly after it has set about a deed.
fn kill_somewhere(stage: &Stage, dice: &mut Dice) {
    let mut child = start(stage);
    if dice.roll(4) == 0 {
        std::thread::sleep(Duration::from_millis(dice.roll(250)));
    } else {
        let wanted = dice.roll(6) + 1;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut calls = 0;
        for line in lines {
            let Ok(line) = line else { break };
            calls += u64::from(line.contains("\"type\":\"tool_call\""));
            if calls == wanted {
                std::thread::sleep(Duration::from_micros(dice.roll(30_000)));
                break;
            }
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Whether the journal's last step has no end: the agent was killed in the middle of a deed.
fn is_cut_off(stage: &Stage) -> bool {
    let Ok(sessions) = std::fs::read_dir(stage.home().join(".local/state/agent/journal")) else {
        return false;
    };
    sessions.flatten().any(|session| {
        let log = std::fs::read_to_string(session.path().join("log.jsonl")).unwrap_or_default();
        log.lines().last().is_some_and(|line| line.contains("\"entry\":\"begin\""))
    })
}

/// Kills again and again, goes on, takes everything back. Gives how many kills hit a deed, and how many of
/// them left temporary files.
fn survive(workspace: usize, kills: usize) -> (usize, usize) {
    let turns: Vec<Turn> = (1..=ROUNDS).flat_map(round).map(|turn| turn.in_deltas_of(4096)).collect();
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let mut old: Vec<(String, String)> =
        NAMES.iter().map(|name| ((*name).to_owned(), text(name, 0))).collect();
    old.push(("new0.txt".into(), text("new", 0)));
    let old: Vec<(&str, &str)> = old.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let stage = Stage::with(&old).env(&server.environment());
    let before = stage.tree();
    let (mut in_deed, mut with_leavings) = (0, 0);
    let mut dice = Dice(0x5eed + workspace as u64);
    for kill in 0..kills {
        let seed = format!("workspace {workspace}, kill {kill}");
        kill_somewhere(&stage, &mut dice);
        every_file_is_whole(&stage, &seed);
        in_deed += usize::from(is_cut_off(&stage));
        with_leavings += usize::from(!files(&stage).1.is_empty());
    }
    let seed = format!("workspace {workspace}");
    // It goes on: two more answers, and then the budget ends it.
    let more = ["--model", "openai/scripted", "--yes", "--max-turns", "2", "--output-format", "json"];
    let begin: &[&str] = if has_begun(&stage) { &["resume"] } else { &["run", "Work."] };
    stage.agent(&[begin, &more[..]].concat()).exits(7);
    every_file_is_whole(&stage, &seed);
    every_history_is_valid(&server, &seed);
    let (_, left) = files(&stage);
    assert!(left.is_empty(), "{seed}: temporary files are in the way: {left:?}");
    // What a command that was killed had half-made is its own, and undo says so.
    let run = stage.agent(&["undo", "--interrupted", "--output-format", "json"]).exits(0);
    assert_eq!(run.result()["refused"], json!([]), "{seed}");
    let after = files(&stage).0;
    let differs: Vec<&String> =
        before.keys().chain(after.keys()).filter(|p| before.get(*p) != after.get(*p)).collect();
    assert!(differs.is_empty(), "{seed}: undo restores everything; not {differs:?}");
    (in_deed, with_leavings)
}

#[test]
fn survives_being_killed_at_200_random_points() {
    let begun = Instant::now();
    let lane = |lane: usize| {
        let survive_all = move || -> Vec<(usize, usize)> {
            (lane..WORKSPACES).step_by(2).map(|workspace| survive(workspace, KILLS / WORKSPACES)).collect()
        };
        std::thread::spawn(survive_all)
    };
    let counts: Vec<(usize, usize)> =
        [lane(0), lane(1)].into_iter().flat_map(|lane| lane.join().unwrap()).collect();
    let in_deed: usize = counts.iter().map(|count| count.0).sum();
    let with_leavings: usize = counts.iter().map(|count| count.1).sum();
    eprintln!(
        "{KILLS} kills in {:.1} s: {in_deed} in the middle of a deed, {with_leavings} left temporary files",
        begun.elapsed().as_secs_f64()
    );
    assert!(in_deed >= KILLS / 20, "the kills hit deeds: {in_deed}");
}

/// Edits one file, and says so.
fn one_edit() -> Vec<Turn> {
    vec![
        Turn::call("read", json!({"filePath": "a.txt"})),
        Turn::call("write", json!({"filePath": "a.txt", "content": text("a.txt", 1)})),
        Turn::text("All done."),
    ]
}

#[test]
fn work_goes_on_when_nobody_reads_its_output() {
    let server = ModelServer::start_blocking(Wire::OpenAi, one_edit());
    for format in ["text", "json", "stream-json"] {
        let stage = Stage::with(&[("a.txt", &text("a.txt", 0))]).env(&server.environment());
        let result = stage.home().join("result.json").display().to_string();
        let args = ["run", "Work.", "--model", "openai/scripted", "--yes", "--result", &result];
        let mut command = stage.command(&[&args[..], &["--output-format", format]].concat());
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{format}");
        assert_eq!(stage.read("a.txt"), text("a.txt", 1), "{format}");
        let written: Value = serde_json::from_str(&std::fs::read_to_string(&result).unwrap()).unwrap();
        assert_eq!(written["status"], "done", "{format}");
    }
}

#[test]
fn a_lost_terminal_ends_it_cleanly() {
    let turns =
        vec![Turn::call("bash", json!({"command": "echo up > up.txt; sleep 60"})), Turn::text("never said")];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::with(&[("a.txt", "a\n")]).env(&server.environment());
    let result = stage.home().join("result.json").display().to_string();
    let mut command =
        stage.command(&["run", "Work.", "--model", "openai/scripted", "--yes", "--result", &result]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !stage.root().join("up.txt").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the command starts");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The terminal goes, and the process is told.
    drop((child.stdout.take(), child.stderr.take()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(129));
    assert!(begun.elapsed() < Duration::from_secs(45), "it does not wait for the command");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&result).unwrap()).unwrap();
    assert_eq!(written["status"], "cancelled");
    stage.agent(&["undo"]).exits(0);
    assert!(!stage.root().join("up.txt").exists(), "what the command did is in the journal");
}

/// Runs a shell script with mounts of its own; nothing when this machine does not give any.
#[allow(clippy::disallowed_methods, reason = "the test plays a machine with other disks")]
fn in_own_mounts(stage: &Stage, server: &ModelServer, script: &str) -> Option<String> {
    let try_out = |args: &[&str]| {
        let done = std::process::Command::new("unshare")
            .args(args)
            .args(["mount", "-t", "tmpfs", "x", "/mnt"])
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    let Some(flags) = [&["-m"][..], &["-rm"]].into_iter().find(|flags| try_out(flags)) else {
        skip("no mount namespace of one's own is to be had here");
        return None;
    };
    let mut command = std::process::Command::new("unshare");
    command.args(flags).args(["sh", "-c", script]).current_dir(stage.home()).env("HOME", stage.home());
    command.env("AGENT", env!("CARGO_BIN_EXE_agent")).env("WORKSPACE", stage.root());
    command.envs(server.environment());
    let done = command.output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    Some(text + &String::from_utf8_lossy(&done.stderr))
}

const AGENT: &str =
    "\"$AGENT\" run Work. --model openai/scripted --yes --workspace \"$WORKSPACE\" --output-format json";

#[test]
fn a_full_disk_loses_nothing() {
    let server = ModelServer::start_blocking(Wire::OpenAi, one_edit());
    let stage = Stage::empty();
    // The disk takes the old file and a few pages more, not the new one beside it.
    let script = format!(
        "mount -t tmpfs -o size=24k full \"$WORKSPACE\"; cd \"$WORKSPACE\"
         for n in $(seq 400); do echo 'a.txt of version 0'; done > a.txt; dd if=/dev/zero of=rest 2>/dev/null
         rm rest; head -c 12288 /dev/zero > rest; cp a.txt \"$HOME/old\"; cd /
         {AGENT} > \"$HOME/out.json\"; echo \"exit $?\"; ls -A \"$WORKSPACE\"
         cmp \"$HOME/old\" \"$WORKSPACE/a.txt\" && echo same"
    );
    let Some(said) = in_own_mounts(&stage, &server, &script) else { return };
    assert!(said.contains("exit 0\na.txt\nrest\nsame"), "{said}");
    let told = String::from_utf8(server.requests().pop().unwrap()).unwrap();
    assert!(told.contains("No space left"), "the model is told: {told}");

    let server = ModelServer::start_blocking(Wire::OpenAi, one_edit());
    let stage = Stage::with(&[("a.txt", &text("a.txt", 0))]);
    let full_home = format!(
        "mkdir -p \"$HOME/.local\" && mount -t tmpfs -o size=16k full \"$HOME/.local\"
         mkdir -p \"$HOME/.local/state/agent/sessions\" \"$HOME/.local/state/agent/locks\"
         dd if=/dev/zero of=\"$HOME/.local/rest\" 2>/dev/null
         {AGENT} --result \"$HOME/result.json\" > /dev/null; echo \"exit $?\""
    );
    let Some(said) = in_own_mounts(&stage, &server, &full_home) else { return };
    assert!(said.contains("exit 1"), "{said}");
    assert_eq!(stage.tree()["a.txt"], text("a.txt", 0), "what cannot be undone is not done");
    assert_eq!(stage.tree().len(), 1);
    let result: Value =
        serde_json::from_str(&std::fs::read_to_string(stage.home().join("result.json")).unwrap()).unwrap();
    assert!(result["summary"].as_str().unwrap().contains("space"), "{result}");
}

#[test]
fn a_read_only_folder_is_said_and_nothing_breaks() {
    let server = ModelServer::start_blocking(Wire::OpenAi, one_edit());
    let stage = Stage::empty();
    let script = format!(
        "mount -t tmpfs ro \"$WORKSPACE\"; echo old > \"$WORKSPACE/a.txt\"; mount -o remount,ro \"$WORKSPACE\"
         {AGENT} > \"$HOME/out.json\"; echo \"exit $?\"; ls -A \"$WORKSPACE\"; cat \"$WORKSPACE/a.txt\""
    );
    let Some(said) = in_own_mounts(&stage, &server, &script) else { return };
    assert!(said.contains("exit 0\na.txt\nold"), "{said}");
    let told = String::from_utf8(server.requests().pop().unwrap()).unwrap();
    assert!(told.contains("Read-only file system"), "the model is told: {told}");
}
