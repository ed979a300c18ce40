//! What each file tool tells the model, and what it never tells.

use super::Stage as Files;
use agent::action::Action;
use agent::event::Answer;
use agent::policy::{Mode, Policy, Verdict};
use agent::sandbox::{Done, Job, Level, Sandbox, SandboxError, Watch};
use agent::scan::Scanner;
use agent::tool::{Progress, Tool, ToolError, ToolOutput, World, glob, grep, list, read, write};
use agent::workspace::Workspace;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Nothing here runs commands.
struct NoSandbox(Level);

impl Sandbox for NoSandbox {
    fn level(&self) -> &Level {
        &self.0
    }

    fn run(&self, _: Job, _: Watch) -> BoxFuture<'_, Result<Done, SandboxError>> {
        Box::pin(async { Err(SandboxError::Walls("none in this test".into())) })
    }
}

struct Stage {
    _dir: tempfile::TempDir,
    world: Arc<World>,
}

impl Stage {
    fn of(files: &[(&str, &str)]) -> Self {
        let Files { dir, workspace } = Files::of(files);
        let sandbox = Arc::new(NoSandbox(Level { name: "none", missing: Vec::new() }));
        let world = Arc::new(World { workspace, sandbox, scanner: Scanner::new() });
        Self { _dir: dir, world }
    }

    fn workspace(&self) -> &Workspace {
        &self.world.workspace
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.workspace().root().join(path)
    }

    fn action(&self, tool: &dyn Tool, args: &Value) -> Action {
        tool.plan(args, &self.world).map(|plan| plan.action).unwrap()
    }

    fn call(&self, tool: &dyn Tool, args: &Value) -> Result<ToolOutput, ToolError> {
        let plan = tool.plan(args, &self.world)?;
        let mut policy = Policy::new(Mode::Ask);
        let permit = match policy.judge(&plan.action) {
            Verdict::Allow(permit) => permit,
            Verdict::Ask(question) => policy.settle(&question, &Answer::Once).unwrap(),
            Verdict::Deny(reason) => panic!("denied: {reason}"),
        };
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(plan.perform(permit, Progress::silent()))
    }

    fn text(&self, tool: &dyn Tool, args: &Value) -> String {
        self.call(tool, args).unwrap_or_else(|error| panic!("{args}: {error}")).text
    }

    fn error(&self, tool: &dyn Tool, args: &Value) -> String {
        match self.call(tool, args) {
            Err(error) => error.to_string(),
            Ok(output) => panic!("{args} gave {}", output.text),
        }
    }
}

fn numbered(count: usize) -> String {
    (1..=count).fold(String::new(), |text, number| text + &format!("line {number}\n"))
}

#[test]
fn every_tool_says_what_it_does_in_sixty_words() {
    for (tool, name) in [
        (&read::Read as &dyn Tool, "read"),
        (&list::List, "list"),
        (&glob::Glob, "glob"),
        (&grep::Grep, "grep"),
        (&write::Write, "write"),
    ] {
        let spec = tool.spec();
        assert_eq!(spec.name, name);
        let words = spec.description.split_whitespace().count();
        assert!((5..=60).contains(&words), "{name}: {words} words");
        assert_eq!(spec.parameters["additionalProperties"], json!(false), "{name}");
        assert!(spec.parameters["properties"].is_object(), "{name}");
    }
}

#[test]
fn read_gives_numbered_lines_and_says_where_to_go_on() {
    let stage =
        Stage::of(&[("a", "one\r\n\n  three"), ("long", &numbered(4_321)), ("empty", ""), ("one", "x\n")]);
    let check = |args: Value, expected: &str| {
        let text = stage.text(&read::Read, &args);
        assert!(text.contains(expected), "{args}: {text}");
    };
    assert_eq!(
        stage.text(&read::Read, &json!({"filePath": "a"})),
        "1: one\n2: \n3:   three\n(end of file, 3 lines)"
    );
    check(json!({"filePath": "long"}), "2000: line 2000\n(lines 1-2000 of 4321; go on with offset 2001)");
    check(
        json!({"filePath": "long", "offset": 4_000}),
        "4321: line 4321\n(lines 4000-4321 of 4321, end of file)",
    );
    check(
        json!({"filePath": "long", "offset": "10", "limit": 2}),
        "10: line 10\n11: line 11\n(lines 10-11 of 4321; go on with offset 12)",
    );
    check(json!({"path": "one", "offset": 0}), "1: x\n(end of file, 1 lines)");
    check(json!({"file_path": "empty"}), "the file is empty");
    let root = stage.workspace().root().display().to_string();
    check(json!({"filePath": format!("{root}/one")}), "1: x");
    assert!(
        stage
            .error(&read::Read, &json!({"filePath": "a", "offset": 4}))
            .contains("behind the end: a has 3 lines")
    );
    assert!(stage.error(&read::Read, &json!({"filePath": "a", "limit": 0})).contains("`limit` must be 1"));
}

#[test]
fn read_stays_within_its_limits_and_splits_no_character() {
    let wide = "é".repeat(3_000);
    let many = format!("{}\n", "x".repeat(999)).repeat(200);
    let stage = Stage::of(&[("wide", &wide), ("many", &many)]);
    let text = stage.text(&read::Read, &json!({"filePath": "wide"}));
    assert_eq!(text.matches('é').count(), 2_000);
    assert!(text.contains("… (cut; the line has 6000 bytes)"), "{}", &text[4_000..]);
    let text = stage.text(&read::Read, &json!({"filePath": "many"}));
    assert!(text.len() < 52 * 1_024 && text.len() > 45 * 1_024, "{}", text.len());
    assert!(
        text.ends_with("(50 KB shown; lines 1-50 of 200; go on with offset 51)"),
        "{}",
        &text[text.len() - 80..]
    );
}

#[test]
fn read_streams_a_huge_file() {
    let stage = Stage::of(&[("huge", "first\n")]);
    let file = fs::OpenOptions::new().write(true).open(stage.path("huge")).unwrap();
    file.set_len(48 * 1024 * 1024).unwrap();
    file.write_all_at("x".repeat(9_000).as_bytes(), 6).unwrap();
    file.write_all_at(b"\nlast\n", 48 * 1024 * 1024).unwrap();
    let text = stage.text(&read::Read, &json!({"filePath": "huge", "offset": 3}));
    assert_eq!(text, "3: last\n(lines 3-3 of 3, end of file)");
}

#[test]
fn read_names_what_may_have_been_meant() {
    let stage = Stage::of(&[("src/app/views.py", "x"), ("src/app/models.py", "x"), ("README.md", "x")]);
    let check = |path: &str, expected: &str| {
        let error = stage.error(&read::Read, &json!({"filePath": path}));
        assert!(
            error.starts_with(&format!("{path} does not exist; ")) && error.contains(expected),
            "{error}"
        );
    };
    check("views.py", "did you mean src/app/views.py?");
    check("src/app/view.py", "src/app/views.py");
    check("src/app/model.py", "src/app/models.py");
    check("readme.md", "README.md");
    check("nothing-like-it.zig", "use glob or list");
}

#[test]
fn read_refuses_what_is_no_text_at_once() {
    let stage =
        Stage::of(&[("folder/x", "x"), ("utf16", "\u{0}"), ("text", "fine \u{1b}[31mred \u{202e}x\n")]);
    fs::write(stage.path("binary"), b"\x7fELF\0\x01\x02").unwrap();
    fs::write(stage.path("utf16"), b"\xff\xfea\0b\0").unwrap();
    fs::write(stage.path("latin"), b"caf\xe9\n").unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, stage.path("pipe"), fifo, mode, 0).unwrap();
    symlink("/dev/zero", stage.path("zero")).unwrap();
    symlink("/proc/self/environ", stage.path("environ")).unwrap();
    let start = Instant::now();
    for (path, expected) in [
        ("binary", "binary (7 bytes)"),
        ("utf16", "UTF-16"),
        ("folder", "use list"),
        (".", "use list"),
        ("pipe", "is a FIFO"),
        ("zero", "outside the workspace"),
        ("environ", "outside the workspace"),
        ("/dev/zero", "outside the workspace"),
        ("../../etc/passwd", "outside the workspace"),
        ("a\0b", "NUL"),
    ] {
        let error = stage.error(&read::Read, &json!({"filePath": path}));
        assert!(error.contains(expected), "{path}: {error}");
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(
        stage
            .text(&read::Read, &json!({"filePath": "latin"}))
            .contains("caf\u{fffd}\n(end of file, 1 lines)\n(not UTF-8")
    );
    let text = stage.text(&read::Read, &json!({"filePath": "text"}));
    assert!(text.starts_with("1: fine \\u{1b}[31mred \\u{202e}x\n"), "{text}");
}

#[test]
fn read_hides_secrets_and_is_judged_by_the_real_name() {
    let body = "FAKEcanary0".repeat(6);
    let key = format!(
        "x = 1\n-----BEGIN PRIVATE KEY-----\n{body}\n{body}\nFAKEcanary\n-----END PRIVATE KEY-----\ny = 2\n"
    );
    let stage = Stage::of(&[(".env", "DB_PASSWORD=FAKE-canary\n# FAKE-canary\n"), ("app.py", &key)]);
    symlink(".env", stage.path("notes.txt")).unwrap();
    for path in [".env", "notes.txt", "./x/../.env"] {
        let args = json!({"filePath": path});
        assert_eq!(stage.action(&read::Read, &args), Action::Read { paths: vec![".env".into()] });
        let text = stage.text(&read::Read, &args);
        assert!(text.starts_with("1: DB_PASSWORD=[redacted:value]\n2: [redacted:line]\n"), "{text}");
        assert!(!text.contains("canary"));
    }
    for offset in 1..=6 {
        let text = stage.text(&read::Read, &json!({"filePath": "app.py", "offset": offset}));
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("7: y = 2\n"), "{text}");
    }
}

#[test]
fn list_draws_a_tree_with_sizes() {
    let stage = Stage::of(&[
        (".gitignore", "*.log\n"),
        ("README.md", &"x".repeat(1_536)),
        ("src/app.py", "12345"),
        ("src/db/users.py", ""),
        ("src/db/deep/er/x", ""),
        ("noise.log", ""),
        ("node_modules/x.js", ""),
        (".git/config", ""),
    ]);
    symlink("/etc", stage.path("etc")).unwrap();
    let text = stage.text(&list::List, &json!({"ignore": ["node_modules"]}));
    let expected = "./\n  .gitignore  6 B\n  README.md  1.5 KB\n  etc  (link)\n  src/\n    app.py  5 B\n    db/\n      deep/\n      users.py  0 B\n(3 folders, 5 files, 3 levels deep)";
    assert_eq!(text, expected);
    let text = stage.text(&list::List, &json!({"path": "src/db", "depth": 1}));
    assert_eq!(text, "src/db/\n  deep/\n  users.py  0 B\n(1 folders, 1 files, 1 levels deep)");
    assert!(stage.text(&list::List, &json!({"depth": 9})).contains("          x  0 B\n"));
    for (args, expected) in [
        (json!({"path": "README.md"}), "use read"),
        (json!({"path": "etc"}), "outside the workspace"),
        (json!({"path": "nothing"}), "does not exist"),
        (json!({"ignore": ["["]}), "no glob pattern"),
    ] {
        assert!(stage.error(&list::List, &args).contains(expected), "{args}");
    }
}

#[test]
fn list_is_fair_to_every_folder_when_there_is_too_much() {
    let names: Vec<String> =
        (0..1_500).map(|n| format!("big/{n:04}")).chain((0..5).map(|n| format!("small/{n}"))).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let stage = Stage::of(&files);
    let text = stage.text(&list::List, &json!({}));
    assert!(text.contains("    … 507 more\n  small/\n    0  0 B\n"), "{text}");
    assert!(text.ends_with("; 507 entries left out, list their folder)"), "{text}");
    assert_eq!(text.lines().count(), 1_000 + 3);
}

#[test]
fn glob_gives_the_newest_first_and_says_what_it_left_out() {
    let names: Vec<String> = (0..120).map(|n| format!("many/{n:03}.txt")).collect();
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    files.extend([
        ("src/old.py", ""),
        ("src/new.py", ""),
        ("src/deep/mid.py", ""),
        ("top.py", ""),
        (".gitignore", "top.py\n"),
    ]);
    let stage = Stage::of(&files);
    for (path, age) in [("src/old.py", 300), ("src/deep/mid.py", 200), ("src/new.py", 100)] {
        let time = std::time::SystemTime::now() - Duration::from_secs(age);
        fs::File::open(stage.path(path)).unwrap().set_modified(time).unwrap();
    }
    symlink("/etc", stage.path("src/etc")).unwrap();
    let check = |args: Value, expected: &str| assert_eq!(stage.text(&glob::Glob, &args), expected, "{args}");
    check(json!({"pattern": "*.py"}), "src/new.py\nsrc/deep/mid.py\nsrc/old.py\n(3 files, newest first)");
    check(json!({"pattern": "src/*.py"}), "src/new.py\nsrc/old.py\n(2 files, newest first)");
    check(json!({"pattern": "*.{py,rs}", "path": "src/deep"}), "src/deep/mid.py\n(1 file, newest first)");
    check(json!({"pattern": "./deep/**", "path": "src"}), "src/deep/mid.py\n(1 file, newest first)");
    check(
        json!({"pattern": format!("{}/src/deep/*", stage.workspace().root().display())}),
        "src/deep/mid.py\n(1 file, newest first)",
    );
    check(
        json!({"pattern": "passwd"}),
        "no file matches passwd below .; ignored files (.gitignore) are not looked at",
    );
    let text = stage.text(&glob::Glob, &json!({"pattern": "**/*.txt"}));
    assert_eq!(text.lines().count(), 101);
    assert!(text.ends_with("(100 of 120 files, newest first; 20 left out, narrow the pattern)"), "{text}");
    for (args, expected) in [
        (json!({"pattern": "a["}), "`pattern` \"a[\" is no glob pattern"),
        (json!({"pattern": "{a,b"}), "no glob pattern"),
        (json!({"pattern": ""}), "it is empty"),
        (json!({"pattern": "../*"}), "`..` is not followed"),
        (json!({"pattern": "/etc/*"}), "outside the workspace"),
        (json!({"pattern": "*", "path": "src/etc"}), "outside the workspace"),
        (json!({"pattern": "*", "path": "nowhere"}), "does not exist"),
        (json!({"pattern": "*", "path": "src/new.py"}), "is no folder"),
    ] {
        let error = stage.error(&glob::Glob, &args);
        assert!(error.contains(expected), "{args}: {error}");
    }
}

#[test]
fn grep_groups_by_file_with_numbers_and_context() {
    let stage = Stage::of(&[
        ("a.py", "import os\r\ndef run(x):\r\n    os.system(x)\r\n\r\ndone\r\n"),
        ("b.js", "a.b(c)\nA.B(C)\n1\n2\n3\na+b\n"),
        ("ignored.py", "os.system(1)\n"),
        (".gitignore", "ignored.py\n"),
    ]);
    symlink("/etc", stage.path("etc")).unwrap();
    let check = |args: Value, expected: &str| assert_eq!(stage.text(&grep::Grep, &args), expected, "{args}");
    check(json!({"pattern": r"os\.system\("}), "a.py\n3:     os.system(x)\n\n(1 match in 1 file)");
    check(json!({"pattern": r"\)$", "include": "*.py"}), "a.py\n3:     os.system(x)\n\n(1 match in 1 file)");
    check(json!({"pattern": "a.b(c)", "literal": true}), "b.js\n1: a.b(c)\n\n(1 match in 1 file)");
    check(
        json!({"pattern": "a.b(c)", "literal": true, "ignoreCase": true}),
        "b.js\n1: a.b(c)\n2: A.B(C)\n\n(2 matches in 1 file)",
    );
    check(
        json!({"pattern": "^(1|a.b)$", "context": 1, "path": "b.js"}),
        "b.js\n2- A.B(C)\n3: 1\n4- 2\n5- 3\n6: a+b\n\n(2 matches in 1 file)",
    );
    check(
        json!({"pattern": "a", "include": "*.py", "context": 0}),
        "no match for a in 1 files below .; ignored files (.gitignore) and binary files are not searched",
    );
    check(
        json!({"pattern": "system", "path": "ignored.py"}),
        "ignored.py\n1: os.system(1)\n\n(1 match in 1 file)",
    );
    for (args, expected) in [
        (json!({"pattern": "("}), "unclosed group"),
        (json!({"pattern": "(?=x)"}), "look-around"),
        (json!({"pattern": "a\nb"}), "one by one"),
        (json!({"pattern": ""}), "empty"),
        (json!({"pattern": "x", "path": "etc"}), "outside the workspace"),
        (json!({"pattern": "x", "path": "no"}), "does not exist"),
        (json!({"pattern": "x", "include": "["}), "`include`"),
    ] {
        let error = stage.error(&grep::Grep, &args);
        assert!(error.contains(expected), "{args}: {error}");
    }
}

#[test]
fn grep_stays_within_its_limits() {
    let wide = format!("{}needle{}\n", "x".repeat(3_000), "é".repeat(3_000));
    let stage = Stage::of(&[("many", &"needle\n".repeat(150)), ("wide", &wide), ("deep/more", "needle\n")]);
    fs::write(stage.path("binary"), b"needle\n\0\n").unwrap();
    let text = stage.text(&grep::Grep, &json!({"pattern": "needle"}));
    assert_eq!(text.matches(": needle").count(), 100, "{text}");
    assert!(
        text.ends_with("(100 of 152 matches in 3 files; 52 left out, narrow the pattern or path)"),
        "{text}"
    );
    let long = format!("{}needle\n", "x".repeat(400)).repeat(90);
    fs::write(stage.path("long"), format!("{}{long}", "y".repeat(400) + "\n")).unwrap();
    let text = stage.text(&grep::Grep, &json!({"pattern": "needle", "path": "long", "context": 10}));
    assert!(text.ends_with("(90 matches in 1 file)"), "{}", &text[text.len() - 200..]);
    let far = format!("needle\n{}", format!("{}\n", "y".repeat(490)).repeat(20)).repeat(30);
    fs::write(stage.path("far"), far).unwrap();
    let text = stage.text(&grep::Grep, &json!({"pattern": "needle", "path": "far", "context": 10}));
    assert!(
        text.len() < 52 * 1_024
            && text.ends_with("of 30 matches in 1 file; 24 left out, narrow the pattern or path)"),
        "{} {}",
        text.len(),
        &text[text.len() - 200..]
    );
    let text = stage.text(&grep::Grep, &json!({"pattern": "needle", "path": "wide"}));
    let line = text.lines().nth(1).unwrap();
    assert!(line.contains("needle") && line.chars().count() <= 500 + 10, "{line}");
    assert!(line.starts_with("1: …") && line.ends_with('…'), "{line}");
}

#[test]
fn grep_never_shows_nor_tells_what_a_secret_file_holds() {
    let stage = Stage::of(&[
        (".env", "API_KEY=FAKE-canary\nnext=1\n"),
        ("config/id_rsa", "FAKE-canary\n"),
        ("app.py", "key = os.environ['API_KEY']\nurl = 'postgres://me:FAKE-canary@db/x'\n"),
    ]);
    let text = stage.text(&grep::Grep, &json!({"pattern": "API_KEY", "context": 2}));
    assert!(text.contains(".env\n1: API_KEY=[redacted:value]\n"), "{text}");
    assert!(text.contains("1: key = os.environ['API_KEY']"), "{text}");
    assert!(text.contains("(only names were searched, values are hidden, in .env, config/id_rsa)"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    // A search that could tell whether a guess is right would give the value away letter by letter.
    for pattern in ["FAKE-canary", "API_KEY=F", "^FAKE"] {
        for path in [".env", "config/id_rsa"] {
            let text = stage.text(&grep::Grep, &json!({"pattern": pattern, "path": path}));
            assert!(text.starts_with("no match"), "{pattern}: {text}");
        }
    }
    let text = stage.text(&grep::Grep, &json!({"pattern": "canary"}));
    assert!(text.contains("2: url = 'postgres://me:[redacted:url-password]@db/x'"), "{text}");
}

#[test]
fn grep_is_not_held_up_by_a_pipe_or_a_hostile_pattern() {
    let stage = Stage::of(&[("a", &"a".repeat(100_000)), ("b", "needle\n")]);
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, stage.path("pipe"), fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    let start = Instant::now();
    assert!(stage.text(&grep::Grep, &json!({"pattern": "(a+)+$|needle"})).contains("b\n1: needle"));
    assert!(stage.error(&grep::Grep, &json!({"pattern": "(a{1000}){1000}"})).contains("regular expression"));
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn write_creates_and_replaces_what_was_read() {
    let stage = Stage::of(&[("old", "one\ntwo\n"), ("folder/x", "")]);
    let write =
        |path: &str, content: &str| stage.call(&write::Write, &json!({"filePath": path, "content": content}));
    assert_eq!(write("new/deep/file", "a\nb\n").unwrap().text, "created new/deep/file: 2 lines");
    assert_eq!(fs::read_to_string(stage.path("new/deep/file")).unwrap(), "a\nb\n");
    // What was just written is known.
    assert_eq!(write("new/deep/file", "a\nc\n").unwrap().text, "wrote new/deep/file: +1 -1 lines");
    let error = write("old", "three\n").unwrap_err().to_string();
    assert!(error.contains("you have not read it; read it first"), "{error}");
    stage.text(&read::Read, &json!({"filePath": "old", "limit": 1}));
    let unchanged = write("old", "one\ntwo\n").unwrap();
    assert_eq!(unchanged.text, "old already has exactly this content; nothing was written");
    fs::write(stage.path("old"), "someone else\n").unwrap();
    let error = write("old", "three\n").unwrap_err().to_string();
    assert!(error.contains("changed since you read it"), "{error}");
    assert_eq!(fs::read_to_string(stage.path("old")).unwrap(), "someone else\n");
    stage.text(&read::Read, &json!({"filePath": "old"}));
    assert_eq!(write("old", "three\n").unwrap().summary, "+1 -1");
    for (path, expected) in [
        ("folder", "is a folder"),
        ("old/below", "not a directory"),
        ("../escaped", "outside the workspace"),
        ("/tmp/escaped", "outside the workspace"),
    ] {
        let error = write(path, "x").unwrap_err().to_string();
        assert!(error.contains(expected), "{path}: {error}");
    }
}

#[test]
fn write_is_shown_before_it_happens_and_refused_when_the_file_moved_on() {
    let stage = Stage::of(&[("a", "one\n")]);
    stage.text(&read::Read, &json!({"filePath": "a"}));
    let args = json!({"file_path": "a", "contents": "two\n"});
    let plan = write::Write.plan(&args, &stage.world).unwrap();
    let Action::Write { changes } = &plan.action else { panic!("{:?}", plan.action) };
    assert_eq!(changes[0].before.as_deref(), Some("one\n"));
    assert_eq!(changes[0].after.as_deref(), Some("two\n"));
    assert_eq!(fs::read_to_string(stage.path("a")).unwrap(), "one\n", "a plan touches nothing");
    fs::write(stage.path("a"), "meanwhile\n").unwrap();
    let Verdict::Allow(permit) = Policy::new(Mode::Auto).judge(&plan.action) else { panic!("not allowed") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(plan.perform(permit, Progress::silent())).unwrap_err().to_string();
    assert!(error.contains("changed since it was read"), "{error}");
    assert_eq!(fs::read_to_string(stage.path("a")).unwrap(), "meanwhile\n");
}

#[test]
fn write_names_the_file_behind_a_link_and_keeps_hidden_values() {
    let stage = Stage::of(&[("real", "one\n"), (".env", "KEY=FAKE-canary\n")]);
    symlink("real", stage.path("link")).unwrap();
    symlink(".env", stage.path("notes")).unwrap();
    stage.text(&read::Read, &json!({"filePath": "link"}));
    let action = stage.action(&write::Write, &json!({"filePath": "link", "content": "two\n"}));
    assert_eq!(action.title(), "write real");
    stage.text(&read::Read, &json!({"filePath": ".env"}));
    let error =
        stage.error(&write::Write, &json!({"filePath": ".env", "content": "KEY=[redacted:value]\nX=1\n"}));
    assert!(error.contains("would destroy"), "{error}");
    let action = stage.action(&write::Write, &json!({"filePath": "notes", "content": "X=1\n"}));
    assert_eq!(action.title(), "write .env");
}
