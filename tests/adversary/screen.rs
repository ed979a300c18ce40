//! What drives or deceives a terminal: never on the screen, wherever it comes from.

use crate::house::model::{Fault, ModelServer, Turn, Wire};
use crate::house::stage::Stage;
use serde_json::json;

/// Colour, title, clipboard, link, bell, clear, report, device control, overwriting, direction, tags, zero width.
const EVIL: [&str; 16] = [
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]52;c;ZXZpbA==\u{7}",
    "\u{1b}]8;;http://evil.example\u{1b}\\click\u{1b}]8;;\u{1b}\\",
    "\u{7}\u{8}\u{8}\u{8}",
    "\u{1b}[2J\u{1b}[H",
    "\u{1b}[6n\u{1b}[c",
    "\u{1b}P$q\"p\u{1b}\\",
    "safe\rEVIL",
    "\u{202e}txt.exe\u{202c}",
    "\u{2066}a\u{2069}",
    "\u{e0048}\u{e0049}\u{e007f}",
    "\u{200b}\u{200d}\u{feff}",
    "\u{9b}31m\u{9d}0;x\u{9c}",
    "\u{1b}_Gf=100;AAAA\u{1b}\\",
    "\u{1b}[?1049h\u{1b}[?2004l\u{1b}c",
];

#[track_caller]
fn assert_calm(what: &str, text: &str) {
    let found = text.char_indices().find(|(_, c)| {
        (c.is_control() && *c != '\n' && *c != '\t')
            || matches!(*c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
    });
    if let Some((at, c)) = found {
        let from = text.floor_char_boundary(at.saturating_sub(80));
        panic!("U+{:04X} in {what}: {:?}", c as u32, &text[from..text.floor_char_boundary(at + 40)]);
    }
}

#[test]
fn nothing_from_outside_drives_the_terminal() {
    let evil = EVIL.concat();
    let name = EVIL[..13].concat().replace('/', "_");
    let name: String = name.chars().take(60).collect();
    for wire in Wire::ALL {
        let turns = vec![
            Turn::calls([
                ("read", json!({"filePath": "evil.txt"})),
                ("read", json!({"filePath": name})),
                ("read", json!({"filePath": format!("missing {evil}")})),
                ("list", json!({})),
                ("glob", json!({"pattern": "**"})),
                ("glob", json!({"pattern": evil})),
                ("grep", json!({"pattern": "red|EVIL|exe"})),
                ("grep", json!({"pattern": format!("({evil}")})),
            ])
            .saying(&evil),
            Turn::calls([
                ("write", json!({"filePath": format!("new {name}"), "content": evil})),
                ("edit", json!({"filePath": "evil.txt", "oldString": "plain", "newString": evil})),
                (
                    "patch",
                    json!({"patchText": format!("*** Begin Patch\n*** Add File: p{name}\n+{}\n*** End Patch", evil.replace('\n', ""))}),
                ),
                ("bash", json!({"command": format!("printf '%s' '{evil}'; ls -N")})),
                ("bash", json!({"command": "cat evil.txt"})),
                ("webfetch", json!({"url": format!("https://example.com/{evil}")})),
                (&format!("tool{evil}"), json!({"x": evil})),
            ]),
            Turn::text(format!("Status: done\n{evil}")).in_deltas_of(1).thinking(&evil, "c2ln"),
        ];
        let server = ModelServer::start_blocking(wire, turns);
        let stage = Stage::with(&[
            ("evil.txt", &format!("plain\n{evil}\n")),
            (&name, "x\n"),
            ("evil.py", &format!("password = \"{}\" # {evil}\n", "hunter2hunter2")),
        ])
        .env(&server.environment());
        let model = wire.model();
        for args in [vec!["run", &evil], vec!["fix", &evil], vec!["resume", "--prompt", &evil]] {
            let run = stage.agent(&[&args[..], &["--model", model, "--yes"]].concat());
            assert_calm(&format!("{} out", args[0]), &run.stdout);
            assert_calm(&format!("{} err", args[0]), &run.stderr);
        }
        for args in [
            vec!["resume", "--list"],
            vec!["scan", "."],
            vec!["scan", &evil],
            vec!["fix", &name],
            vec!["run", "x", "--model", &evil],
            vec!["doctor", "--model", &evil],
            vec!["run", "x", "--agent", &evil],
            vec!["resume", &evil],
        ] {
            let run = stage.agent(&args);
            assert_calm(&format!("{args:?} out"), &run.stdout);
            assert_calm(&format!("{args:?} err"), &run.stderr);
        }
        // Machines get JSON, in which controls are spelt out.
        let run = stage.agent(&["run", "x", "--model", model, "--yes", "--output-format", "stream-json"]);
        assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{7}'), "{run}");
        run.lines();
    }
}

#[test]
fn honest_text_of_every_language_is_shown_as_it_is() {
    let text = "naïve café — 漢字 مرحبا שלום 🎉 ñ\ttab";
    let server = ModelServer::start_blocking(Wire::OpenAi, vec![Turn::text(text)]);
    let stage = Stage::with(&[("ünï.txt", text)]).env(&server.environment());
    let run = stage.agent(&["run", "x", "--model", "openai/scripted", "--yes"]).exits(0);
    assert!(run.stdout.contains(text), "{run}");
}

/// Tag characters and the like do not reach the model as invisible words either.
#[test]
fn invisible_words_reach_the_model_visibly() {
    let hidden = "ok\u{e0049}\u{e0047}\u{e004e}\u{202e}";
    let turns = vec![
        Turn::calls([
            ("read", json!({"filePath": "a.txt"})),
            ("grep", json!({"pattern": "ok"})),
            ("bash", json!({"command": "cat a.txt"})),
        ]),
        Turn::text("done"),
    ];
    let server = ModelServer::start_blocking(Wire::OpenAi, turns);
    let stage = Stage::with(&[("a.txt", hidden), ("README.md", hidden)]).env(&server.environment());
    stage.agent(&["run", "x", "--model", "openai/scripted", "--yes"]);
    stage.agent(&["fix", hidden, "--model", "openai/scripted", "--yes"]);
    for body in server.requests() {
        let body = String::from_utf8(body).unwrap();
        assert!(!body.chars().any(|c| matches!(c, '\u{e0000}'..='\u{e0fff}' | '\u{202e}')), "{body}");
    }
}

#[test]
fn a_crash_or_an_error_of_the_provider_is_calm_too() {
    for wire in Wire::ALL {
        let fault = Fault::error(400, "invalid_request_error", &EVIL.concat());
        let server = ModelServer::start_blocking(wire, vec![Turn::text("x").always(fault)]);
        let stage = Stage::empty().env(&server.environment());
        let model = wire.model();
        let run = stage.agent(&["run", "x", "--model", model, "--yes"]);
        assert_calm("out", &run.stdout);
        assert_calm("err", &run.stderr);
    }
}
