//! The terminal UI on a real pseudo terminal: what a person sees and types, and what no text can make it do.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]

mod house;

use house::model::{ModelServer, Turn, Wire};
use house::pty::Terminal;
use house::stage::{Stage, has};
use serde_json::json;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

const SIZE: (u16, u16) = (100, 34);
const READY: &str = "ctrl-p commands";

fn opened(stage: &Stage, args: &[&str]) -> Terminal {
    let mut terminal = Terminal::start(stage, args, SIZE);
    terminal.wait("describe an issue");
    terminal.wait(READY);
    terminal.wait_until("the desk", |screen| !screen.contains("starting"));
    terminal
}

/// A terminal whose model says these turns.
fn with_model(stage: Stage, turns: Vec<Turn>) -> (Terminal, ModelServer, Stage) {
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = stage.env(&server.environment());
    let terminal = opened(&stage, &["--model", Wire::OpenAi.model()]);
    (terminal, server, stage)
}

#[test]
fn without_a_terminal_it_is_wrong_usage() {
    let run = Stage::empty().agent(&[]).exits(2);
    assert!(run.stderr.contains("needs a terminal") && run.stdout.is_empty(), "{run}");
}

#[test]
fn an_issue_is_typed_approved_proven_and_taken_back() {
    if !has("python3") {
        return;
    }
    let stage = Stage::of_example("notes-python");
    let before = stage.tree();
    let mut terminal = opened(&stage, &[]);
    terminal.enter("SQL injection in the login endpoint");
    let screen = terminal.wait("change this file?");
    assert!(screen.contains("notes/accounts.py  +2 -2") && screen.contains("asked because"), "{screen}");
    assert_eq!(stage.tree(), before, "nothing happens before the answer");
    terminal.answer("y");
    let screen = terminal.wait("run this command?");
    assert!(screen.contains("network  none;") && screen.contains("sandbox"), "{screen}");
    terminal.answer("a");
    terminal.wait("Result: fixed");
    let all = terminal.everything();
    assert!(all.contains("✓ closed") && all.contains("✓ behaviour"), "{all}");
    assert!(stage.read("notes/accounts.py").contains("(name,)"));
    terminal.wait("describe an issue");
    terminal.enter("/permissions");
    terminal.wait("run `python3 -m unittest`");
    terminal.send(b"\x1b");
    terminal.wait("describe an issue");
    terminal.enter("/undo");
    terminal.wait("taken back notes/accounts.py");
    assert_eq!(stage.tree(), before);
    terminal.send(b"\x04");
    assert_eq!(terminal.end(), 0);
    let screen = terminal.screen();
    assert!(screen.contains("Result: fixed") && !screen.contains(READY), "finished text stays: {screen}");
}

#[test]
fn no_means_no_and_escape_stops_at_once() {
    let stage = Stage::of_example("notes-python");
    let before = stage.tree();
    let mut terminal = opened(&stage, &[]);
    terminal.enter("SQL injection in the login endpoint");
    terminal.wait("change this file?");
    terminal.answer("n");
    terminal.wait("denied: the user said no");
    terminal.wait("describe an issue");
    terminal.enter("SQL injection in the login endpoint");
    terminal.wait("change this file?");
    terminal.answer("\x1b");
    terminal.wait("interrupted");
    terminal.wait("describe an issue");
    assert_eq!(stage.tree(), before);
}

#[test]
fn a_key_typed_before_the_question_does_not_answer_it() {
    let stage = Stage::of_example("notes-python");
    let before = stage.tree();
    let mut terminal = opened(&stage, &[]);
    terminal.enter("SQL injection in the login endpoint");
    let begun = Instant::now();
    while !terminal.screen().contains("change this file?") {
        terminal.send(b"y");
        std::thread::sleep(Duration::from_millis(3));
        assert!(begun.elapsed() < Duration::from_mins(1));
    }
    std::thread::sleep(Duration::from_millis(600));
    assert!(terminal.screen().contains("change this file?"), "{}", terminal.screen());
    assert_eq!(stage.tree(), before);
}

#[test]
fn what_streams_is_shown_as_it_comes_and_stays_as_text() {
    let mut text = String::from("# Plan\n\nFirst **bold** words.\n\n");
    for line in 0..60 {
        writeln!(text, "- item {line} 漢字 🎉").unwrap();
    }
    text += "\n```python\ndef f(x):\n    return x\n```\n\nThe end.";
    let turn = Turn::text(text).in_deltas_of(7).in_writes_of(64);
    let (mut terminal, _server, _stage) = with_model(Stage::with(&[("a.py", "x = 1\n")]), vec![turn]);
    terminal.enter("tell me");
    terminal.wait("The end.");
    terminal.wait("describe an issue");
    let all = terminal.everything();
    for line in 0..60 {
        assert_eq!(all.matches(&format!("• item {line} 漢字 🎉")).count(), 1, "item {line}: {all}");
    }
    assert!(
        all.contains("Plan\n") && all.contains("First bold words.") && all.contains("  def f(x):"),
        "{all}"
    );
    let bytes = String::from_utf8(terminal.bytes()).unwrap();
    assert!(
        bytes.contains("\x1b[?2026h") && bytes.contains("\x1b[0;35mdef"),
        "colour and synchronised frames"
    );
}

#[test]
fn no_text_can_drive_the_terminal() {
    let hostile =
        "\u{1b}]52;c;RkFLRQ==\u{7}\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[31mred\u{202e}evil\u{e0041}\u{9b}5m";
    let write = json!({"filePath": format!("n{hostile}.py"), "content": format!("x = '{hostile}'\n")});
    let run = json!({"command": format!("printf '\\033]52;c;RkFLRQ==\\007\\033[2J\\033]0;owned\\007'; true '{hostile}'")});
    let turns = vec![
        Turn::call("write", write).saying(&format!("I say {hostile}\n\n`{hostile}`\n")),
        Turn::call("bash", run),
        Turn::text(format!("Done {hostile}")),
    ];
    let (mut terminal, _server, _stage) = with_model(Stage::with(&[("a.py", "x = 1\n")]), turns);
    terminal.enter("go");
    let screen = terminal.wait_until("an answer", |screen| {
        screen.contains("change this file?") || screen.contains("run this command?")
    });
    assert!(screen.contains("\\u{1b}"), "{screen}");
    if screen.contains("change this file?") {
        terminal.answer("y");
        terminal.wait("run this command?");
    }
    let screen = terminal.screen();
    assert!(screen.contains("\\u{202e}evil\\u{e0041}"), "{screen}");
    terminal.answer("y");
    terminal.wait("Done \\u{1b}");
    terminal.wait("describe an issue");
    terminal.told(|told| assert!(told.copies.is_empty() && told.titles == 0));
    let bytes = String::from_utf8(terminal.bytes()).expect("UTF-8");
    for bad in ["\u{1b}]", "\u{202e}", "\u{e0041}", "\u{9b}", "\u{7}", "\u{1b}[2J"] {
        assert!(!bytes.contains(bad), "{bad:?}");
    }
}

#[test]
fn only_the_user_copies_to_the_clipboard() {
    let (mut terminal, _server, _stage) = with_model(Stage::empty(), vec![Turn::text("The answer.")]);
    terminal.enter("ask");
    terminal.wait("The answer.");
    terminal.wait("describe an issue");
    terminal.enter("/copy");
    terminal.wait("sent to the terminal's clipboard");
    terminal.told(|told| assert_eq!(told.copies, [b"VGhlIGFuc3dlci4=".to_vec()]));
}

#[test]
fn words_wait_while_it_works_and_can_be_taken_back() {
    let turns = vec![Turn::call("bash", json!({"command": "sleep 3"})), Turn::text("I heard you.")];
    let (mut terminal, server, _stage) = with_model(Stage::empty(), turns);
    terminal.enter("go");
    terminal.wait("run this command?");
    terminal.answer("y");
    terminal.wait("… run sleep 3");
    terminal.enter("first word");
    terminal.enter("second word");
    terminal.wait("waits: second word");
    terminal.send(b"\x1b[1;3A");
    terminal.wait_until("both back", |screen| screen.contains("› first word") && !screen.contains("waits:"));
    terminal.send(b"\x15");
    terminal.send(b"\x7f\x15");
    terminal.enter("only this");
    terminal.wait("I heard you.");
    terminal.wait("describe an issue");
    let last = server.received().last().unwrap().json().to_string();
    assert!(last.contains("only this") && !last.contains("first word"), "{last}");
}

#[test]
fn a_paste_of_ten_thousand_lines_is_one_piece_and_arrives_whole() {
    let (mut terminal, server, _stage) = with_model(Stage::empty(), vec![Turn::text("Read.")]);
    let pasted: String =
        (0..10_000).fold(String::new(), |text, line| text + "line " + &line.to_string() + "\r");
    let begun = Instant::now();
    terminal.send(format!("look \x1b[200~{pasted}\x1b[201~").as_bytes());
    terminal.wait("[paste 1: 10001 lines");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    terminal.send(b"\r");
    terminal.wait("Read.");
    let sent = server.received()[0].json().to_string();
    assert!(sent.contains("line 0\\nline 1\\n") && sent.contains("line 9999"));
}

#[test]
fn a_new_size_is_drawn_without_remains() {
    let (mut terminal, _server, _stage) = with_model(
        Stage::empty(),
        vec![Turn::text("Some words that are wider than forty columns, so they wrap.")],
    );
    terminal.enter("ask");
    terminal.wait("so they wrap.");
    terminal.wait("describe an issue");
    for size in [(60, 20), (40, 30), (120, 40), (200, 12)] {
        terminal.resize(size.0, size.1);
        let narrow = size.0 < 60;
        terminal.wait_until("one frame", |screen| {
            let rule = "─".repeat(usize::from(size.0));
            screen.matches(&rule).count() == 1
                && screen.matches("› ").count() == 2
                && (narrow || screen.contains("so they wrap."))
        });
    }
}

#[test]
fn the_terminal_is_given_back_on_every_way_out() {
    let checked = |terminal: &mut Terminal, what: &str| {
        terminal.look(|screen| {
            assert!(
                !screen.bracketed_paste() && !screen.hide_cursor() && !screen.alternate_screen(),
                "{what}"
            );
        });
    };
    let stage = Stage::empty();
    let mut terminal = opened(&stage, &[]);
    terminal.send(b"\x03");
    terminal.wait("again leaves");
    terminal.send(b"\x03");
    assert_eq!(terminal.end(), 0);
    checked(&mut terminal, "ctrl-c twice");

    let mut terminal = opened(&stage, &[]);
    terminal.send(b"\x1bOP");
    terminal.wait("Keys ([keys]");
    terminal.look(|screen| assert!(screen.alternate_screen()));
    let pid =
        rustix::process::Pid::from_raw(terminal.child.process_id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(terminal.end(), 143);
    checked(&mut terminal, "SIGTERM in a sheet");

    let mut terminal = opened(&stage, &[]);
    let pid =
        rustix::process::Pid::from_raw(terminal.child.process_id().unwrap().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
    assert_eq!(terminal.end(), 129);
}

#[test]
fn an_editor_changes_what_is_approved_and_exactly_that_is_written() {
    let turns = vec![
        Turn::call("write", json!({"filePath": "new.py", "content": "x = 'proposed'\n"})),
        Turn::text("As you like."),
    ];
    let stage = Stage::with(&[("editor.sh", "#!/bin/sh\nsed -i s/proposed/mine/ \"$1\"\n")]);
    let editor = format!("sh {}", stage.root().join("editor.sh").display());
    let (mut terminal, server, stage) = with_model(stage.env(&[("EDITOR", &editor)]), turns);
    terminal.enter("go");
    terminal.wait("x = 'proposed'");
    terminal.answer("e");
    terminal.wait("edited by you");
    terminal.wait("x = 'mine'");
    terminal.answer("y");
    terminal.wait("As you like.");
    assert_eq!(stage.read("new.py"), "x = 'mine'\n");
    let told = server.received().last().unwrap().json().to_string();
    assert!(told.contains("The user changed your proposal") && told.contains("+x = 'mine'"), "{told}");
}

#[test]
fn findings_are_chosen_and_sessions_are_gone_on_with() {
    if !has("python3") {
        return;
    }
    let stage = Stage::of_example("notes-python");
    let mut terminal = opened(&stage, &[]);
    terminal.enter("/scan");
    let screen = terminal.wait("enter fix this one");
    assert!(screen.contains("critical") && screen.contains("CWE-"), "{screen}");
    terminal.send(b"\r");
    terminal.wait("change this file?");
    terminal.answer("n");
    terminal.wait("describe an issue");
    terminal.enter("/rename the first one");
    terminal.wait("named the first one");
    terminal.enter("/new");
    terminal.wait("a new session");
    terminal.enter("/resume");
    terminal.wait("Sessions of this folder");
    terminal.send(b"\r");
    terminal.wait_until("the picker is gone", |screen| !screen.contains("Sessions of this folder"));
    terminal.wait("describe an issue");
    terminal.send(b"\x14");
    terminal.wait("Conversation");
    terminal.send(b"critical-or-not");
    terminal.wait("0 lines");
}

#[test]
fn the_first_frame_comes_fast_and_an_idle_screen_costs_nothing() {
    let stage = Stage::of_example("notes-python");
    let mut terminal = Terminal::start(&stage, &[], SIZE);
    terminal.wait("describe an issue");
    let first = terminal.begun.elapsed();
    terminal.wait(READY);
    std::thread::sleep(Duration::from_millis(1500));
    let pid = terminal.child.process_id().unwrap();
    let ticks = || -> Option<u64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
    };
    let (before, written) = (ticks(), terminal.bytes().len());
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(terminal.bytes().len(), written, "an idle screen writes nothing");
    eprintln!("first frame after {first:?}; idle CPU ticks in 2 s: {:?}", (before, ticks()));
    if let (Some(before), Some(after)) = (before, ticks()) {
        assert!(after - before <= 1, "{before} → {after}");
    }
    // Far above what it takes, so that a busy machine does not fail it; `docs/tui.md` has the measured figure.
    assert!(first < Duration::from_secs(2), "{first:?}");
}

#[test]
fn a_long_session_stays_small() {
    let text =
        "A paragraph of **bold** words and `code`, 漢字 and more, as a model writes them.\n\n".repeat(20_000);
    let (mut terminal, _server, _stage) =
        with_model(Stage::empty(), vec![Turn::text(text + "The end.").in_deltas_of(200)]);
    terminal.enter("tell me everything");
    terminal.wait("The end.");
    terminal.wait("describe an issue");
    let status = format!("/proc/{}/status", terminal.child.process_id().unwrap());
    let Ok(status) = std::fs::read_to_string(status) else {
        eprintln!("SKIPPED: no /proc to ask for memory");
        return;
    };
    let size = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    eprintln!("after 1.6 MB of answer: {} KB resident, {} KB of its own", size("VmRSS"), size("RssAnon"));
    assert!(size("RssAnon") < 60 * 1024, "{} KB", size("RssAnon"));
}
