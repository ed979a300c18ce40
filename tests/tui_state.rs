//! The terminal UI without a terminal: what keys do to the state, what the state looks like, and the whole loop with
//! keys as text. Pictures are kept in `tests/tui/`; `UPDATE=1` rewrites them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "a test keeps its pictures")]

use agent::action::{Action, Change};
use agent::event::{Answer, Event, Question, Spent};
use agent::finding::{Family, Finding, Severity, Span, Step};
use agent::message::Usage;
use agent::policy::Mode;
use agent::tui::desk::Wire;
use agent::tui::keys::{self, Keys};
use agent::tui::screen::Screen;
use agent::tui::stage::{Outside, Stage};
use agent::tui::state::{Desk, Effect, Msg, Order, State, Told};
use agent::tui::update::update;
use agent::tui::view::{View, view};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::path::Path;

fn desk() -> Desk {
    Desk {
        model: "openai/gpt-x".into(),
        mode: "ask".into(),
        sandbox: "namespaces".into(),
        missing: Vec::new(),
        workspace: "/home/me/notes".into(),
    }
}

fn opened(size: (u16, u16)) -> State {
    let mut state = State::new(size, Keys::default());
    update(&mut state, Msg::Told(Told::Opened(desk())));
    state
}

/// Keys as text: letters, and names in angle brackets.
fn strokes(text: &str) -> Vec<KeyEvent> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        if let Some((name, after)) = name
            && let Some((code, modifiers)) = keys::parse(name)
        {
            out.push(KeyEvent::new(code, modifiers));
            rest = after;
        } else {
            out.push(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
            rest = &rest[letter.len_utf8()..];
        }
    }
    out
}

/// Types keys; gives everything that is to be done.
fn press(state: &mut State, text: &str) -> Vec<Effect> {
    strokes(text).into_iter().flat_map(|key| update(state, Msg::Key(key))).collect()
}

fn change(path: &str, before: &str, after: &str) -> Change {
    Change { path: path.into(), before: Some(before.into()), after: Some(after.into()), moved_from: None }
}

fn write() -> Question {
    let before = "import sqlite3\n\n\ndef login(db, name):\n    query = f\"SELECT id FROM users WHERE name = '{name}'\"\n    return db.execute(query).fetchone()\n";
    let after = before
        .replace("f\"SELECT id FROM users WHERE name = '{name}'\"", "\"SELECT id FROM users WHERE name = ?\"")
        .replace("execute(query)", "execute(query, (name,))");
    Question {
        action: Action::Write { changes: vec![change("app/login.py", before, &after)] },
        reason: "every change is asked for in mode `ask`".into(),
        remember: Some("write app/login.py".into()),
    }
}

fn run(command: &str, reason: &str, remember: Option<&str>) -> Question {
    let action =
        Action::Run { command: command.into(), workdir: ".".into(), timeout_ms: 120_000, background: false };
    Question { action, reason: reason.into(), remember: remember.map(ToOwned::to_owned) }
}

fn asked(state: &mut State, question: Question) {
    assert_eq!(update(state, Msg::Asked(7, question)), [Effect::Arm]);
    update(state, Msg::Armed);
}

#[test]
fn words_and_commands_become_orders() {
    let check = |typed: &str, expected: Order| {
        let mut state = opened((80, 24));
        assert_eq!(press(&mut state, typed), [Effect::Order(expected)], "{typed}");
        assert!(state.composer.is_empty(), "{typed}");
    };
    check("fix it<enter>", Order::Say("fix it".into()));
    check("two<alt-enter>lines<enter>", Order::Say("two\nlines".into()));
    check("two\\<enter>lines<enter>", Order::Say("two\nlines".into()));
    check("/fix SQL injection<enter>", Order::Fix("SQL injection".into()));
    check("/scan<enter>", Order::Scan);
    check("/sc<enter>", Order::Scan);
    check("/sc<tab><enter>", Order::Scan);
    check("/undo all<enter>", Order::Undo { all: true });
    check("/mode auto<enter>", Order::Mode(Mode::Auto));
    check("<shift-tab>", Order::Mode(Mode::Auto));
    check("!ls -l<enter>", Order::Run("ls -l".into()));
    check("/etc/hosts is readable<enter>", Order::Say("/etc/hosts is readable".into()));
    check("<ctrl-p>redo<enter>", Order::Redo);
    check("<ctrl-r>", Order::Sessions);
}

#[test]
fn what_is_wrong_is_said_and_nothing_happens() {
    let check = |typed: &str, hint: &str| {
        let mut state = opened((80, 24));
        assert_eq!(press(&mut state, typed), [], "{typed}");
        assert!(state.hint.as_ref().is_some_and(|text| text.contains(hint)), "{typed}: {:?}", state.hint);
    };
    check("/nonsense<enter>", "no command");
    check("/fix <enter>", "needs: ISSUE");
    check("/mode yes<enter>", "modes are");
    check("/copy<enter>", "no answer");
    check("/findings<enter>", "/scan");
    check("<ctrl-c>", "again leaves");
}

#[test]
fn words_while_it_works_steer_and_keys_stop_it() {
    let mut state = opened((80, 24));
    update(&mut state, Msg::Told(Told::Busy("working".into())));
    assert_eq!(press(&mut state, "more<enter>"), [Effect::Steer("more".into())]);
    assert_eq!(state.queued, ["more"]);
    assert_eq!(press(&mut state, "/undo<enter>"), []);
    assert_eq!(press(&mut state, "<alt-up>"), [Effect::Recall]);
    update(&mut state, Msg::Recalled(vec!["more".into()]));
    assert_eq!((state.composer.text(), state.queued.len()), ("more", 0));
    assert_eq!(press(&mut state, "<esc>"), [Effect::Interrupt]);
    assert_eq!(press(&mut state, "<ctrl-c>"), [], "the first clears what is written");
    assert_eq!(press(&mut state, "<ctrl-c>"), [Effect::Leave]);
}

#[test]
fn the_history_is_walked_and_what_was_being_written_comes_back() {
    let mut state = opened((80, 24));
    press(&mut state, "one<enter>");
    press(&mut state, "two<enter>");
    press(&mut state, "draft<up>");
    assert_eq!(state.composer.text(), "two");
    press(&mut state, "<up><up>");
    assert_eq!(state.composer.text(), "one");
    press(&mut state, "<down><down>");
    assert_eq!(state.composer.text(), "draft");
}

#[test]
fn a_question_is_answered_on_purpose_only() {
    let mut state = opened((80, 24));
    update(&mut state, Msg::Asked(7, write()));
    assert_eq!(press(&mut state, "y<enter>"), [], "typed before it could be read");
    assert_eq!(state.composer.text(), "y", "words stay words");
    update(&mut state, Msg::Armed);
    assert_eq!(press(&mut state, "<enter>"), [Effect::Answer(7, Answer::Once)]);

    let check = |question: Question, typed: &str, expected: Answer| {
        let mut state = opened((80, 24));
        asked(&mut state, question);
        assert_eq!(press(&mut state, typed), [Effect::Answer(7, expected)], "{typed}");
        assert!(state.dialog.is_none());
    };
    check(write(), "y", Answer::Once);
    check(write(), "a", Answer::Session);
    check(write(), "n", Answer::Reject(None));
    check(write(), "rno thanks<enter>", Answer::Reject(Some("no thanks".into())));
    check(write(), "<tab><tab><enter>", Answer::Reject(None));
    check(run("git push", "reaches others (built-in rule)", None), "<enter>", Answer::Reject(None));
    check(run("git push", "reaches others (built-in rule)", None), "ay", Answer::Once);
    let fetch = Action::Fetch { url: "https://x.example/".into(), host: "x.example".into() };
    let fetch =
        Question { action: fetch, reason: "new".into(), remember: Some("fetch from x.example".into()) };
    check(fetch, "<enter>", Answer::Reject(None));

    let mut state = opened((80, 24));
    asked(&mut state, write());
    assert_eq!(press(&mut state, "<esc>"), [Effect::Interrupt, Effect::Answer(7, Answer::Reject(None))]);
}

#[test]
fn a_hunk_that_is_left_out_is_not_written() {
    let before: String = (0..40).fold(String::new(), |text, line| text + "line " + &line.to_string() + "\n");
    let after = before.replace("line 3\n", "three\n").replace("line 33\n", "thirty-three\n");
    let question = Question {
        action: Action::Write { changes: vec![change("a.txt", &before, &after)] },
        reason: "every change".into(),
        remember: None,
    };
    let mut state = opened((80, 40));
    asked(&mut state, question);
    let effects = press(&mut state, "h<down><space>y");
    let expected = change("a.txt", &before, &before.replace("line 3\n", "three\n"));
    assert_eq!(effects, [Effect::Answer(7, Answer::Instead(vec![expected]))]);
}

#[test]
fn a_remapped_key_does_the_deed_and_the_help_names_it() {
    let changes = [("palette".to_owned(), "ctrl-x".to_owned())].into();
    let mut state = State::new((80, 24), Keys::with(&changes).unwrap());
    press(&mut state, "<ctrl-p>");
    assert!(state.dialog.is_none());
    press(&mut state, "<ctrl-x>");
    assert!(shown(&state).contains("Commands"));
    press(&mut state, "<esc>");
    assert!(shown(&state).contains("ctrl-x commands"));
}

/// The state as text, blanks at line ends cut.
fn shown(state: &State) -> String {
    let frame = match view(state) {
        View::Inline(frame) | View::Sheet(frame) => frame,
    };
    let width = usize::from(state.size.0);
    assert!(frame.lines.len() <= usize::from(state.size.1), "{} rows", frame.lines.len());
    frame
        .lines
        .iter()
        .map(|line| {
            assert!(line.width() <= width, "wider than {width}: {line}");
            line.to_string().trim_end().to_owned() + "\n"
        })
        .collect()
}

/// Compares with the picture of that name.
#[track_caller]
fn compare(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tui").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, shown).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == shown,
        "{name} differs; UPDATE=1 takes it over\n--- expected\n{expected}\n--- shown\n{shown}"
    );
}

fn finding() -> Finding {
    Finding {
        id: "0123456789ab".into(),
        rule: "python-sql-injection".into(),
        family: Family::SqlInjection,
        cwe: 89,
        severity: Severity::Critical,
        message: "The text of an SQL statement is put together from a value the client controls.".into(),
        path: "app/漢字/login.py".into(),
        span: Span { start: 0, end: 1, line: 24, column: 1, end_line: 24 },
        within: Some("login".into()),
        flow: vec![
            Step { path: "app/views.py".into(), line: 3, note: "`request.form` comes from outside".into() },
            Step { path: "app/漢字/login.py".into(), line: 24, note: "reaches `execute`".into() },
        ],
        fix: None,
        why_no_fix: Some("the statement is built in more than one place 🎉".into()),
    }
}

#[test]
fn every_view_fits_at_every_width() {
    for width in [40, 60, 80, 120, 200] {
        let check = |name: &str, prepare: &dyn Fn(&mut State)| {
            let mut state = opened((width, 24));
            prepare(&mut state);
            let text = shown(&state);
            if [60, 80, 120].contains(&width) {
                compare(&format!("{name}-{width}"), &text);
            }
        };
        check("idle", &|_| {});
        check("writing", &|state| {
            update(state, Msg::Told(Told::Files(vec!["src/漢字.py".into(), "src/kanji.py".into()])));
            press(state, "繰り返し🎉 words that are long enough to wrap on a narrow screen, look at @kan");
        });
        check("working", &|state| {
            update(state, Msg::Told(Told::Busy("running the tests".into())));
            update(state, Msg::House(Event::Message { delta: "Some **words** that 漢字 stream 🎉".into() }));
            press(state, "and then<enter>");
            let spent = Spent {
                usage: Usage::default(),
                cost_usd: Some(0.1),
                total: Usage::default(),
                total_cost_usd: Some(0.1234),
            };
            update(state, Msg::House(Event::Usage(spent)));
            update(state, Msg::Told(Told::Context { used: 170_000, window: 200_000 }));
        });
        check("change", &|state| asked(state, write()));
        check("command", &|state| {
            asked(
                state,
                run(
                    "pytest -q 'tests/漢字' && echo 🎉",
                    "every command is asked for in mode `ask`",
                    Some("run `pytest -q tests/漢字`"),
                ),
            );
        });
        check("outside", &|state| {
            asked(state, run("git push origin main", "git push reaches others (built-in rule)", None));
        });
        check("telling", &|state| {
            asked(state, write());
            press(state, "rkeep the 漢字 comment");
        });
        check("palette", &|state| {
            press(state, "<ctrl-p>mo");
        });
        check("findings", &|state| {
            update(state, Msg::Told(Told::Found(vec![finding(), finding()])));
        });
        check("help", &|state| {
            press(state, "<f1>");
        });
        check("transcript", &|state| {
            update(
                state,
                Msg::House(Event::Message {
                    delta: "# Title\n\n- a\n- 漢字 🎉\n\n```python\nx = 1\n```\n".into(),
                }),
            );
            let call = Event::ToolCall {
                id: "1".into(),
                tool: "write".into(),
                title: "write app/login.py".into(),
                action: Some(write().action),
            };
            update(state, Msg::House(call));
            update(
                state,
                Msg::House(Event::ToolResult {
                    id: "1".into(),
                    tool: "write".into(),
                    ok: true,
                    summary: "+2 -2".into(),
                    duration_ms: 5,
                }),
            );
            let gate = Event::Verify {
                gate: "closed".into(),
                status: "passed".into(),
                evidence: "the scanner finds none of the 1 any more".into(),
            };
            update(state, Msg::House(gate));
            press(state, "<ctrl-t>");
        });
    }
}

#[test]
fn a_change_that_is_taller_than_the_screen_covers_it_and_can_be_read_to_its_end() {
    let after: String = (0..200).fold(String::new(), |text, line| text + "line " + &line.to_string() + "\n");
    let question = Question {
        action: Action::Write { changes: vec![change("a.txt", "", &after)] },
        reason: "every change".into(),
        remember: None,
    };
    let mut state = opened((80, 24));
    asked(&mut state, question);
    assert!(matches!(view(&state), View::Sheet(_)));
    assert!(shown(&state).contains("line 0") && shown(&state).contains("[y] allow once"));
    press(&mut state, "<end>");
    assert!(shown(&state).contains("line 199"), "{}", shown(&state));
    press(&mut state, "f");
    assert!(matches!(view(&state), View::Inline(_)));
}

/// The whole loop on a terminal in memory.
struct Play {
    stage: Stage<Vec<u8>>,
    terminal: vt100::Parser,
}

impl Play {
    fn new(size: (u16, u16), wire: Wire) -> Self {
        let stage = Stage::new(State::new(size, Keys::default()), Screen::new(Vec::new(), size, true), wire);
        Self { stage, terminal: vt100::Parser::new(size.1, size.0, 1000) }
    }

    fn take(&mut self, msg: Msg) -> Vec<Outside> {
        let outside = self.stage.take(msg);
        self.stage.draw().unwrap();
        let bytes = std::mem::take(self.stage.screen.out());
        self.terminal.process(&bytes);
        outside
    }

    fn press(&mut self, text: &str) -> Vec<Outside> {
        strokes(text).into_iter().flat_map(|key| self.take(Msg::Key(key))).collect()
    }

    fn screen(&self) -> String {
        self.terminal.screen().contents()
    }
}

#[test]
fn the_whole_loop_is_played_with_keys_as_text() {
    let (wire, (mut orders, mut answers)) = Wire::loose();
    let mut play = Play::new((80, 24), wire);
    play.take(Msg::Told(Told::Opened(desk())));
    play.press("fix it<enter>");
    let (order, cancel) = orders.try_recv().unwrap();
    assert_eq!(order, Order::Say("fix it".into()));
    play.take(Msg::Told(Told::Busy("working".into())));
    play.take(Msg::House(Event::Message { delta: "I will.\n\nNow.".into() }));
    assert!(play.screen().contains("› fix it") && play.screen().contains("Now."), "{}", play.screen());
    let call = Event::ToolCall {
        id: "1".into(),
        tool: "write".into(),
        title: "write app/login.py".into(),
        action: Some(write().action),
    };
    play.take(Msg::House(call));
    assert_eq!(play.take(Msg::Asked(1, write())), [Outside::Arm]);
    assert!(play.screen().contains("change this file?"));
    play.take(Msg::Armed);
    play.press("y");
    assert_eq!(answers.try_recv().unwrap(), (1, Answer::Once));
    play.take(Msg::House(Event::ToolResult {
        id: "1".into(),
        tool: "write".into(),
        ok: true,
        summary: "+2 -2".into(),
        duration_ms: 1,
    }));
    assert!(play.screen().contains("✓ write app/login.py  +2 -2"), "{}", play.screen());
    assert!(!cancel.is_cancelled());
    play.press("<esc>");
    assert!(cancel.is_cancelled());
    play.take(Msg::Told(Told::Free));
    assert_eq!(play.press("<ctrl-c><ctrl-c>"), [Outside::Leave]);
}

#[test]
fn a_frame_costs_the_same_however_long_the_session_is() {
    let bytes_of_a_key = |blocks: usize| {
        let (wire, _ends) = Wire::loose();
        let mut play = Play::new((80, 24), wire);
        for block in 0..blocks {
            play.stage.take(Msg::House(Event::Status { text: format!("step {block}") }));
        }
        play.take(Msg::Told(Told::Opened(desk())));
        play.stage.take(Msg::Key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE)));
        play.stage.draw().unwrap();
        std::mem::take(play.stage.screen.out()).len()
    };
    assert_eq!(bytes_of_a_key(1), bytes_of_a_key(5000));
    assert!(bytes_of_a_key(1) < 200, "{}", bytes_of_a_key(1));
}

#[test]
fn five_thousand_deltas_a_second_are_no_load() {
    let (wire, _ends) = Wire::loose();
    let mut play = Play::new((100, 40), wire);
    let begun = std::time::Instant::now();
    for at in 0..5000 {
        let delta =
            if at % 20 == 0 { "\n\nA **new** paragraph with `code`. ".into() } else { format!("word {at} ") };
        play.stage.take(Msg::House(Event::Message { delta }));
        if at % 80 == 0 {
            play.stage.draw().unwrap();
        }
    }
    play.stage.draw().unwrap();
    eprintln!("5000 deltas and 63 frames took {:?}", begun.elapsed());
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}
