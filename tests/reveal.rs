//! What was hidden is listed, and one value is shown to the model once: by a flag, and in no record.
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code, reason = "tests")]

mod house;

use house::model::{ModelServer, Received, Turn, Wire};
use house::stage::{Run, Stage};
use serde_json::json;

fn secret() -> String {
    format!("ghp_{}", &"FAKEcanary0".repeat(8)[..36])
}

fn stage() -> Stage {
    Stage::with(&[
        ("app.py", &format!("import os\nTOKEN = \"{}\"\nprint(TOKEN)\n", secret())),
        (".env", "PASSWORD=FAKE-masked-canary\n"),
    ])
}

fn play(wire: Wire, turns: Vec<Turn>, flags: &[&str]) -> (Run, Stage, Vec<Received>) {
    let server = ModelServer::start_blocking(wire, turns);
    let stage = stage().env(&server.environment());
    let mut args = vec!["run", "x", "--model", wire.model(), "--output-format", "stream-json", "--yes"];
    args.extend(flags);
    let run = stage.agent(&args);
    let received = server.received();
    (run, stage, received)
}

fn holders(received: &[Received], value: &str) -> Vec<usize> {
    let holds = |request: &Received| String::from_utf8_lossy(&request.body).contains(value);
    (0..received.len()).filter(|at| holds(&received[*at])).collect()
}

/// Everything the agent keeps but the journal, which holds the workspace's own files to put them back.
fn kept(stage: &Stage) -> String {
    let mut out = String::new();
    let mut folders = vec![stage.home().join(".local/state/agent")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("journal") {
                folders.push(path);
            } else if path.is_file() {
                out += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
            }
        }
    }
    out
}

#[test]
fn one_value_is_shown_once_and_kept_nowhere() {
    for wire in Wire::ALL {
        let turns = || {
            vec![
                Turn::call("read", json!({"filePath": "app.py"})),
                Turn::call("read", json!({"filePath": "./app.py", "reveal": 2})),
                // The model repeats it in words no shape tells it by, in text, in a command and in a file.
                Turn::call("bash", json!({"command": format!("echo x{}", &secret()[4..])}))
                    .saying(&format!("It ends with {} I see.", secret())),
                Turn::call("read", json!({"filePath": "app.py", "reveal": 2})),
                Turn::text(format!("The token is {} indeed.", secret()).as_str()),
            ]
        };
        let (run, stage, received) = play(wire, turns(), &["--reveal", "app.py:2"]);
        assert_eq!(holders(&received, &secret()), [2], "{wire:?}: {run}");
        let results = wire.last_results(&received[2].json());
        assert!(results.last().unwrap().contains("as it stands there"), "{results:?}");
        let last = wire.last_results(&received[4].json()).concat();
        assert!(last.contains("denied"), "once is once: {last}");
        assert!(!run.stdout.contains(&secret()) && !run.stderr.contains(&secret()), "{run}");
        assert!(!kept(&stage).contains(&secret()), "the record holds it");
        assert!(kept(&stage).contains("is shown to you in this one request"));

        let (run, stage, received) = play(wire, turns(), &[]);
        assert!(holders(&received, &secret()).is_empty(), "{wire:?}: {run}");
        assert!(wire.last_results(&received[2].json()).concat().contains("--reveal PATH:LINE"));
        assert!(run.stdout.contains("\"verdict\":\"denied\""), "{run}");
        assert!(!kept(&stage).contains(&secret()));
    }
}

#[test]
fn the_word_is_about_this_place_and_needs_something_hidden() {
    for (call, flag, words) in [
        (json!({"filePath": "app.py", "reveal": 2}), "app.py:1", "hidden value leaves this machine"),
        (json!({"filePath": "app.py", "reveal": 2}), "other.py:2", "hidden value leaves this machine"),
        (json!({"filePath": "app.py", "reveal": 3}), "app.py:3", "nothing is hidden on line 3"),
        (json!({"filePath": "../app.py", "reveal": 2}), "../app.py:2", "outside"),
        (json!({"filePath": "app.py", "reveal": 0}), "app.py:2", "nothing is hidden"),
    ] {
        let turns = vec![Turn::call("read", call.clone()), Turn::text("done")];
        let (run, _, received) = play(Wire::OpenAi, turns, &["--reveal", flag]);
        let told = Wire::OpenAi.last_results(&received.last().unwrap().json()).concat();
        assert!(told.contains(words), "{call} {flag}: {told} {run}");
        assert!(holders(&received, &secret()).is_empty());
    }
    let turns = vec![Turn::call("read", json!({"filePath": ".env", "reveal": 1})), Turn::text("done")];
    let (run, stage, received) = play(Wire::OpenAi, turns, &["--reveal", ".env:1"]);
    assert_eq!(holders(&received, "FAKE-masked-canary"), [1], "a file of secrets, on the user's word: {run}");
    assert!(!kept(&stage).contains("FAKE-masked-canary") && !run.stdout.contains("FAKE-masked-canary"));
}

#[test]
fn what_was_hidden_is_listed_without_its_value() {
    let turns = vec![
        Turn::call("read", json!({"filePath": "app.py"})),
        Turn::call("bash", json!({"command": "cat app.py"})),
        Turn::text("done"),
    ];
    let (_, stage, _) = play(Wire::OpenAi, turns, &[]);
    let listed = stage.agent(&["hidden", "--output-format", "json"]).exits(0);
    let all = listed.result()["hidden"].as_array().unwrap().clone();
    let read = all.iter().find(|one| one["place"] == "app.py:2").unwrap_or_else(|| panic!("{listed}"));
    assert_eq!((read["kind"].as_str(), read["bytes"].as_u64()), (Some("github-token"), Some(40)));
    assert_eq!(read["fingerprint"].as_str().unwrap().len(), 8);
    let plain = stage.agent(&["hidden"]).exits(0);
    assert!(plain.stdout.contains("app.py:2  github-token  40 bytes"), "{plain}");
    assert!(plain.stdout.contains("--reveal PATH:LINE"), "{plain}");
    assert!(!format!("{listed}{plain}").contains("canary"), "{listed}");
    let again = stage.agent(&["hidden", "--output-format", "json"]).exits(0).result();
    assert_ne!(again["hidden"][0]["fingerprint"], all[0]["fingerprint"], "nothing to try values against");
    Stage::empty().agent(&["hidden"]).exits(4);
}
