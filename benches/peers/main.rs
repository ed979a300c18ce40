//! Whole processes side by side: this program, the least program that does the same (`examples/floor.rs`), and
//! whichever peers are installed, each talking to our own scripted model on loopback in its own protocol.
//!
//! `cargo bench --bench peers` prints medians and ratios. Peers are looked for in `AGENT_PEERS` (a folder with
//! `node_modules/.bin` and `venv/bin`) and on `PATH`; nothing is installed and nothing but loopback is meant to be
//! reached. See `docs/performance.md`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on should say so loudly")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its figures")]

#[path = "../../tests/house/mod.rs"]
mod house;
mod figures;
mod peer;

use figures::{Cost, measure};
use house::model::{ModelServer, Turn};
use peer::Peer;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Small tool turns of the long conversation.
const LONG: usize = 100;
/// Bytes of the big answer, and of each of its deltas.
const BIG: (usize, usize) = (1024 * 1024, 16);
/// Files of the big repository.
const MANY: usize = 50_000;
/// Longest a run may take.
const LIMIT: Duration = Duration::from_mins(2);

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let only = std::env::var("AGENT_PEERS_ONLY").unwrap_or_default();
    let rounds = std::env::var("AGENT_PEERS_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let mut peers = peer::found();
    peers.retain(|peer| only.is_empty() || only.split(',').any(|name| name == peer.name));
    println!("rounds {rounds}; found: {}", peers.iter().map(|peer| peer.name).collect::<Vec<_>>().join(", "));
    let small = folder(3);
    let many = folder(MANY);
    let version: &[(&str, &Path)] = &[("version", small.path())];
    let talks: &[(&str, &Path)] = &[
        ("noop", small.path()),
        ("long100", small.path()),
        ("stream1m", small.path()),
        ("noop50k", many.path()),
    ];
    let mut table: BTreeMap<(usize, &str), BTreeMap<&str, Vec<Cost>>> = BTreeMap::new();
    // Interleaved: what else the machine does falls on everybody.
    for round in 0..rounds {
        eprintln!("round {}", round + 1);
        for (at, (scenario, folder)) in version.iter().chain(talks).enumerate() {
            for peer in &peers {
                let cost = run(peer, scenario, folder);
                let Some(cost) = cost else {
                    eprintln!("{}: {scenario} did not end as it should", peer.name);
                    continue;
                };
                table.entry((at, scenario)).or_default().entry(peer.name).or_default().push(cost);
            }
        }
    }
    for ((_, scenario), costs) in &table {
        println!(
            "\n{scenario:10} {:>10} {:>10} {:>9} {:>9} {:>12}",
            "wall s", "CPU s", "peak MB", "first KB", "CPU of agent"
        );
        let own = costs.get("agent").map(|runs| figures::median(runs).cpu);
        for (name, runs) in costs {
            let cost = figures::median(runs);
            let ratio = own.map_or(f64::NAN, |own| cost.cpu / own);
            println!(
                "{name:10} {:>10.3} {:>10.3} {:>9.1} {:>9.1} {ratio:>11.2}x",
                cost.wall, cost.cpu, cost.peak_mb, cost.first_kb
            );
        }
    }
    if let Some(flatness) = flatness(&peers, small.path()) {
        println!("\nlong100, agent: the last ten turns took {flatness:.2}x of the first ten");
    }
}

/// One run of one program; `None` when it failed or asked for less than the script holds.
fn run(peer: &Peer, scenario: &str, folder: &Path) -> Option<Cost> {
    let home = tempfile::tempdir().unwrap();
    if scenario == "version" {
        return measure(peer.command(home.path(), folder, "", &["--version".to_owned()]), LIMIT);
    }
    let turns = script(peer, scenario);
    let wanted = turns.len();
    let server = ModelServer::start_blocking(peer.wire, turns);
    let arguments = (peer.arguments)("Do what is needed here.");
    (peer.prepare)(home.path(), &server.base_url());
    let cost = measure(peer.command(home.path(), folder, &server.base_url(), &arguments), LIMIT);
    let received = server.requests();
    if cost.is_none() || received.len() < wanted {
        let tools = received.first().map(|body| String::from_utf8_lossy(body).into_owned());
        eprintln!(
            "{}: {} of {wanted} requests; {}",
            peer.name,
            received.len(),
            names(&tools.unwrap_or_default())
        );
        return None;
    }
    cost.map(|cost| Cost { first_kb: received[0].len() as f64 / 1024.0, ..cost })
}

/// The names in a request, for whoever has to find out what a peer calls its tool.
fn names(request: &str) -> String {
    let parts = request.split("\"name\":").skip(1).filter_map(|part| part.split('"').nth(1));
    parts.take(40).collect::<Vec<_>>().join(" ")
}

fn script(peer: &Peer, scenario: &str) -> Vec<Turn> {
    match scenario {
        "long100" => {
            let call = |n: usize| Turn::call(peer.tool, (peer.call)(&format!("echo turn {n}")));
            let mut turns: Vec<Turn> = (0..LONG).map(call).collect();
            turns.push(Turn::text("Status: done"));
            turns
        }
        "stream1m" => vec![Turn::text("word ".repeat(BIG.0 / 5)).in_deltas_of(BIG.1)],
        _ => vec![Turn::text("Status: done")],
    }
}

/// Time between requests late and early in the long conversation.
fn flatness(peers: &[Peer], folder: &Path) -> Option<f64> {
    let peer = peers.iter().find(|peer| peer.name == "agent")?;
    let home = tempfile::tempdir().unwrap();
    let server = ModelServer::start_blocking(peer.wire, script(peer, "long100"));
    let arguments = (peer.arguments)("Do what is needed here.");
    measure(peer.command(home.path(), folder, &server.base_url(), &arguments), LIMIT)?;
    let times: Vec<_> = server.received().iter().map(|request| request.at).collect();
    let span = |from: usize, to: usize| times[to].duration_since(times[from]).as_secs_f64();
    Some(span(times.len() - 12, times.len() - 2) / span(1, 11))
}

/// A git repository of that many files.
#[allow(clippy::disallowed_methods, reason = "the bench makes the repository it measures")]
fn folder(files: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..files {
        let below = folder.path().join(format!("d{}/e{}", n % 50, n % 7));
        std::fs::create_dir_all(&below).unwrap();
        std::fs::write(below.join(format!("f{n}.txt")), json!({"file": n}).to_string()).unwrap();
    }
    let git = |args: &[&str]| {
        let status =
            std::process::Command::new("git").arg("-C").arg(folder.path()).args(args).output().unwrap();
        assert!(status.status.success(), "{status:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["-c", "user.name=b", "-c", "user.email=b@example.invalid", "commit", "-q", "-m", "all"]);
    folder
}
