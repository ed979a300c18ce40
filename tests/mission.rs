//! Missions: small real backends with an executable exploit, played by scripted models (good, sloppy, dishonest,
//! confused) and by the embedded rules. A case is a folder of `tests/fix/`; see its README.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::stage::{Run, Stage, has};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `case.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Language of the backend.
    language: String,
    /// Programs it needs.
    needs: Vec<String>,
    /// What the agent is asked.
    issue: String,
    /// `--test`, where the command is not found by itself.
    #[serde(default)]
    test: Option<String>,
    /// The exploit: exits with 1 while it gets through, with 0 when it does not.
    exploit: String,
    /// The contract that honest players write.
    contract: BTreeMap<String, String>,
    /// Who plays, and what must come of it.
    players: BTreeMap<String, Player>,
}

/// One player of a case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Player {
    /// Status of the result.
    status: String,
    /// Gates that must have failed.
    #[serde(default)]
    failed: Vec<String>,
    /// Gates that must be unknown.
    #[serde(default)]
    unknown: Vec<String>,
    /// A word that must stand in a gate's evidence or the summary.
    #[serde(default)]
    says: Option<String>,
    /// Folder of the case whose files it writes; the player's name where absent.
    #[serde(default)]
    writes: Option<String>,
    /// Files it deletes.
    #[serde(default)]
    deletes: Vec<String>,
    /// Commands it runs.
    #[serde(default)]
    runs: Vec<String>,
    /// `exploit` brings the exploit along and names it; another word is the command; `none` names nothing.
    #[serde(default)]
    check: Option<String>,
    /// Whether it writes the contract first.
    #[serde(default = "yes")]
    contract: bool,
    /// Its last words, without the check.
    #[serde(default)]
    last: Option<String>,
    /// What the fresh helper says of its change.
    #[serde(default)]
    review: Option<String>,
    /// Its answers as they are, instead of all of the above.
    #[serde(default)]
    turns: Option<Vec<Answer>>,
    /// More arguments.
    #[serde(default)]
    args: Vec<String>,
}

/// One scripted answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(default)]
    text: String,
    #[serde(default)]
    calls: Vec<(String, Value)>,
    #[serde(default)]
    refusal: Option<String>,
}

fn yes() -> bool {
    true
}

fn cases() -> Vec<(PathBuf, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fix");
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.is_dir());
    all.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(path.join("case.json")).unwrap();
        let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, case)
    };
    all.into_iter().map(read).collect()
}

/// Files below a folder with their texts.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                out.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    out
}

/// The answers of a player.
fn script(path: &Path, case: &Case, name: &str, player: &Player) -> Vec<Turn> {
    if let Some(turns) = &player.turns {
        let turn = |answer: &Answer| match &answer.refusal {
            Some(why) => Turn::refusal(why),
            None if answer.calls.is_empty() => Turn::text(answer.text.clone()),
            None => Turn::calls(answer.calls.iter().cloned()).saying(&answer.text),
        };
        return turns.iter().map(turn).collect();
    }
    let app = files(&path.join("app"));
    let mut written = files(&path.join(player.writes.as_deref().unwrap_or(name)));
    let mut command = player.check.clone().filter(|check| check != "none");
    if command.as_deref() == Some("exploit") {
        command = Some(case.exploit.clone());
        let exploit = case.exploit.split_whitespace().last().unwrap();
        written.insert(exploit.to_owned(), std::fs::read_to_string(path.join(exploit)).unwrap());
    }
    let contract: String = case
        .contract
        .iter()
        .map(|(name, text)| (name.as_str(), text.clone()))
        .chain(command.clone().map(|command| ("Check", format!("`{command}`"))))
        .fold(String::new(), |lines, (name, text)| lines + &format!("- **{name}**: {text}\n"));
    let contract = if player.contract { format!("The contract:\n{contract}") } else { "I look.".to_owned() };
    let mut turns = Vec::new();
    let known: Vec<&String> =
        written.keys().chain(&player.deletes).filter(|path| app.contains_key(*path)).collect();
    if !known.is_empty() {
        turns.push(
            Turn::calls(known.iter().map(|path| ("read", json!({"filePath": path})))).saying(&contract),
        );
    }
    let mut steps: Vec<(&str, Value)> =
        written.iter().map(|(path, text)| ("write", json!({"filePath": path, "content": text}))).collect();
    for path in &player.deletes {
        let patch = format!("*** Begin Patch\n*** Delete File: {path}\n*** End Patch\n");
        steps.push(("patch", json!({"patchText": patch})));
    }
    steps.extend(player.runs.iter().map(|command| ("bash", json!({"command": command}))));
    if !steps.is_empty() {
        turns.push(Turn::calls(steps).saying(if known.is_empty() { &contract } else { "The change:" }));
    }
    let check = command.map(|command| format!("\nCheck: `{command}`")).unwrap_or_default();
    let last = player.last.as_deref().unwrap_or("Status: fixed\nThe input can do no harm any more.");
    turns.push(Turn::text(format!("{last}{check}")));
    turns
}

/// Whether the exploit gets through in a copy of the workspace.
#[allow(clippy::disallowed_methods, reason = "the test plays the attacker")]
fn is_exploitable(path: &Path, case: &Case, stage: &Stage) -> bool {
    let yard = tempfile::tempdir().unwrap();
    for (name, text) in stage.tree() {
        let to = yard.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, text).unwrap();
    }
    let exploit = case.exploit.split_whitespace().last().unwrap();
    std::fs::copy(path.join(exploit), yard.path().join(exploit)).unwrap();
    let mut words = case.exploit.split_whitespace();
    let mut command = std::process::Command::new(words.next().unwrap());
    let output =
        command.args(words).current_dir(yard.path()).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    let said =
        || String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(1) => true,
        Some(0) => false,
        other => panic!("{}: the exploit ended with {other:?}: {}", path.display(), said()),
    }
}

/// Plays one player. Gives its status, and what was not as it must be.
fn play(path: &Path, case: &Case, name: &str, player: &Player) -> (String, Vec<String>) {
    let stage = Stage::empty();
    for (file, text) in files(&path.join("app")) {
        stage.write(&file, &text);
    }
    let mut args = vec!["fix", case.issue.as_str(), "--yes", "--output-format", "json"];
    if let Some(test) = &case.test {
        args.extend(["--test", test]);
    }
    args.extend(player.args.iter().map(String::as_str));
    let run: Run = if name == "rules" {
        stage.agent(&args)
    } else {
        let review = player.review.as_deref().unwrap_or("holds\nEvery way in binds the value.");
        let review = vec![Turn::text(review)];
        let server =
            ModelServer::start_with_helper(Wire::Anthropic, script(path, case, name, player), review);
        args.extend(["--model", Wire::Anthropic.model()]);
        stage.agent_in(&args, &server.environment())
    };
    let result = run.result();
    let status = result["status"].as_str().unwrap_or_default().to_owned();
    let mut faults = Vec::new();
    if status != player.status {
        faults.push(format!("status {status}, expected {}", player.status));
    }
    let gates = result["verification"].as_array().cloned().unwrap_or_default();
    let is = |gate: &str, status: &str| gates.iter().any(|g| g["name"] == gate && g["status"] == status);
    for (names, status) in [(&player.failed, "failed"), (&player.unknown, "unknown")] {
        faults.extend(
            names.iter().filter(|name| !is(name, status)).map(|name| format!("{name} is not {status}")),
        );
    }
    if let Some(word) = &player.says
        && !result.to_string().contains(word)
    {
        faults.push(format!("nothing says {word:?}"));
    }
    let open = is_exploitable(path, case, &stage);
    if status == "fixed" && open {
        faults.push("called fixed, and the exploit still gets through".to_owned());
    }
    if name.starts_with("dishonest") && status == "fixed" {
        faults.push("a dishonest run was called fixed".to_owned());
    }
    if !faults.is_empty() {
        let shown: Vec<String> =
            gates.iter().map(|g| format!("{}: {} {}", g["name"], g["status"], g["evidence"])).collect();
        faults.push(format!(
            "summary: {}\n    {}\n    {}",
            result["summary"],
            shown.join("\n    "),
            run.stderr
        ));
    }
    (status, faults)
}

#[test]
fn no_dishonest_run_is_called_fixed_and_every_honest_one_is_judged_right() {
    let only = std::env::var("MISSION").ok();
    let all = cases();
    let mut jobs: Vec<(&PathBuf, &Case, &String, &Player)> = Vec::new();
    for (path, case) in &all {
        let name = path.file_name().unwrap().to_string_lossy();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str()))
            || !case.needs.iter().all(|p| has(p))
        {
            continue;
        }
        jobs.extend(case.players.iter().map(|(name, player)| (path, case, name, player)));
    }
    let (next, faults, seen) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    let workers = std::thread::available_parallelism().map_or(2, |cores| (cores.get() + 1).min(8));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((path, case, name, player)) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let (status, wrong) = play(path, case, name, player);
                    seen.lock().unwrap().insert(status);
                    if !wrong.is_empty() {
                        let case = path.file_name().unwrap().to_string_lossy().into_owned();
                        faults.lock().unwrap().push(format!("{case} / {name}:\n  {}", wrong.join("\n  ")));
                    }
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} of {} runs:\n{}", faults.len(), jobs.len(), faults.join("\n"));
    if only.is_none() {
        for status in
            ["fixed", "fixed_unverified", "no_change", "not_fixed", "blocked", "policy_refusal", "budget"]
        {
            assert!(seen.lock().unwrap().contains(status), "no run ended with {status}");
        }
    }
}

#[test]
fn every_exploit_gets_through_before_anything_is_changed() {
    let mut wrong = Vec::new();
    for (path, case) in cases().iter().filter(|(_, case)| case.needs.iter().all(|program| has(program))) {
        let stage = Stage::empty();
        for (file, text) in files(&path.join("app")) {
            stage.write(&file, &text);
        }
        let safe = path.ends_with("python-already-safe");
        if is_exploitable(path, case, &stage) == safe {
            wrong.push(path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn there_are_thirty_missions_in_four_languages() {
    let all = cases();
    assert!(all.len() >= 30, "{} missions", all.len());
    let languages: BTreeSet<&str> = all.iter().map(|(_, case)| case.language.as_str()).collect();
    assert!(languages.len() >= 4, "{languages:?}");
    for kind in ["good", "sloppy", "dishonest", "confused", "rules"] {
        let players = all.iter().flat_map(|(_, case)| case.players.keys());
        assert!(players.filter(|name| name.starts_with(kind)).count() >= 3, "{kind} plays too seldom");
    }
}
