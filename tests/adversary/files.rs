//! The file tools: paths that leave, names that deceive, things that are no files, races.

use crate::yard::{CANARY, Yard};
use agent::policy::Mode;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ways to name something outside or secret; none may be read, written, edited, searched or listed.
fn ways_out(yard: &Yard) -> Vec<String> {
    let outside = yard.outside.display().to_string();
    let root = yard.root().canonicalize().unwrap().display().to_string();
    let home = yard.stage.home().display().to_string();
    vec![
        format!("{outside}/keep"),
        "../keep".into(),
        "sub/../../keep".into(),
        "./././../keep".into(),
        "sub/..//../keep".into(),
        "/etc/passwd".into(),
        "//etc/passwd".into(),
        "/etc/../etc/passwd".into(),
        format!("{root}/../keep"),
        format!("{root}-sibling/keep"),
        "out-link/keep".into(),
        "out-link".into(),
        "passwd-link".into(),
        "./out-link/../out-link/keep".into(),
        "/proc/self/environ".into(),
        "/proc/1/root/etc/passwd".into(),
        "/dev/zero".into(),
        "/dev/stdin".into(),
        "/proc/self/fd/0".into(),
        "/proc/self/cwd/../keep".into(),
        format!("{home}/.ssh/id_ed25519"),
        "../../../../../../../../etc/passwd".into(),
        "sub/link-far/passwd".into(),
        "loop/x".into(),
        "with\0nul".into(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tool_leaves_the_workspace() {
    let yard = Yard::new();
    symlink("/etc", yard.root().join("sub/link-far")).unwrap();
    symlink("loop", yard.root().join("loop")).unwrap();
    let before = yard.beyond();
    let hands = yard.hands(Mode::Auto);
    for path in ways_out(&yard) {
        for (tool, args) in [
            ("read", json!({"filePath": path})),
            ("list", json!({"path": path})),
            ("grep", json!({"pattern": ".", "path": path})),
            ("glob", json!({"pattern": "*", "path": path})),
            ("write", json!({"filePath": path, "content": "x"})),
            ("edit", json!({"filePath": path, "oldString": "untouched", "newString": "x"})),
            (
                "patch",
                json!({"patchText": format!("*** Begin Patch\n*** Add File: {path}\n+x\n*** End Patch")}),
            ),
            (
                "patch",
                json!({"patchText": format!("*** Begin Patch\n*** Delete File: {path}\n*** End Patch")}),
            ),
            (
                "patch",
                json!({"patchText": format!("*** Begin Patch\n*** Update File: app.py\n*** Move to: {path}\n@@\n-def main():\n+def other():\n*** End Patch")}),
            ),
            ("scan", json!({"path": path})),
            ("bash", json!({"command": "true", "workdir": path})),
        ] {
            let went = hands.call(tool, args).await;
            assert!(!went.is_done(), "{tool} {path:?}: {}", went.text());
            assert!(!went.text().contains(CANARY) && !went.text().contains("root:x:"), "{tool} {path:?}");
        }
    }
    for pattern in ["../**", "/etc/*", "**/../../*", "out-link/**", "{../*,a}", "sub/link-far/*"] {
        let went = hands.call("glob", json!({"pattern": pattern})).await;
        assert!(
            !went.text().contains("passwd") || went.text().contains("passwd-link"),
            "{pattern}: {}",
            went.text()
        );
        assert!(!went.text().contains("keep"), "{pattern}: {}", went.text());
    }
    assert_eq!(yard.beyond(), before);
    assert_eq!(yard.stage.read("app.py"), "def main():\n    return 1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_inside_goes_on_working() {
    let yard = Yard::new();
    let root = yard.root().canonicalize().unwrap().display().to_string();
    symlink("sub", yard.root().join("inner-link")).unwrap();
    let hands = yard.hands(Mode::Auto);
    for path in [
        "app.py",
        "./app.py",
        "sub/../app.py",
        &format!("{root}/app.py"),
        "inner-link/inner.txt",
        ".env.example",
        "sub//inner.txt",
    ] {
        let went = hands.call("read", json!({"filePath": path})).await;
        assert!(went.is_done(), "{path}: {}", went.text());
    }
    for (path, content) in [
        ("new/deep/file.txt", "x\n"),
        ("inner-link/new.txt", "x\n"),
        ("ünï cödé 漢字.txt", "x\n"),
        (" leading blank", "x\n"),
        ("-rf", "x\n"),
        ("a'b\"c$(x)`y`;z", "x\n"),
    ] {
        let went = hands.call("write", json!({"filePath": path, "content": content})).await;
        assert!(went.is_done(), "{path}: {}", went.text());
        assert_eq!(yard.stage.read(path), content);
    }
    let went = hands
        .call("edit", json!({"filePath": "app.py", "oldString": "return 1", "newString": "return 2"}))
        .await;
    assert!(went.is_done() || went.text().contains("read"), "{}", went.text());
}

/// Protected and secret names, as another file system or a careless reader would take them.
#[tokio::test(flavor = "multi_thread")]
async fn no_tool_writes_what_is_protected_or_shows_what_is_secret() {
    let yard = Yard::with_git();
    let hook = yard.root().join("hook-link");
    symlink(".git/hooks", hook).unwrap();
    for mode in [Mode::Auto, Mode::Yes] {
        let hands = yard.hands(mode);
        for path in [
            ".git/hooks/pre-commit",
            ".git/config",
            ".GIT/config",
            ".git./config",
            ".Git/hooks/x",
            "git~1/config",
            ".g\u{200c}it/config",
            "hook-link/pre-commit",
            "sub/.git/hooks/x",
            ".git/../.git/config",
            ".agent/agent.toml",
            ".claude/settings.json",
            ".opencode/opencode.json",
            ".mcp.json",
            ".cursor/mcp.json",
            ".vscode/tasks.json",
            ".github/workflows/ci.yml",
            ".gitlab-ci.yml",
            ".husky/pre-commit",
            ".bashrc",
            ".envrc",
            "AGENTS.md",
            ".env",
            ".env.production",
            "deploy/server.pem",
        ] {
            for (tool, args) in [
                ("write", json!({"filePath": path, "content": "evil"})),
                (
                    "patch",
                    json!({"patchText": format!("*** Begin Patch\n*** Add File: {path}\n+evil\n*** End Patch")}),
                ),
                (
                    "patch",
                    json!({"patchText": format!("--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+evil\n")}),
                ),
            ] {
                let went = hands.call(tool, args).await;
                assert!(!went.is_done(), "{tool} {path} in {mode}: {}", went.text());
            }
        }
        for path in [
            ".env",
            "./.env",
            ".ENV",
            "env-link",
            "sub/.env.local",
            "deploy/server.pem",
            "deploy/id_rsa",
            "config/secrets.yml",
            ".npmrc",
            "sub/../.env",
            ".env/",
            ".env.",
        ] {
            let went = hands.call("read", json!({"filePath": path})).await;
            assert!(!went.is_done() && !went.text().contains(CANARY), "{path}: {}", went.text());
            let went = hands
                .call("edit", json!({"filePath": path, "oldString": "SECRETT=", "newString": "x"}))
                .await;
            assert!(!went.text().contains(CANARY), "edit {path}: {}", went.text());
            let went = hands.call("patch", json!({"patchText": format!("*** Begin Patch\n*** Update File: {path}\n@@\n-SECRETT=\n+x\n*** End Patch")})).await;
            assert!(!went.text().contains(CANARY), "patch {path}: {}", went.text());
        }
        for args in [
            json!({"pattern": "canary"}),
            json!({"pattern": "SECRET=.*"}),
            json!({"pattern": "canary", "path": "sub"}),
            json!({"pattern": ".", "include": "*.pem"}),
            json!({"pattern": "adversary", "literal": true, "context": 3}),
            json!({"pattern": "passwor", "ignoreCase": true}),
        ] {
            let went = hands.call("grep", args.clone()).await;
            assert!(!went.text().contains(CANARY), "grep {args}: {}", went.text());
        }
        let went = hands.call("list", json!({})).await;
        assert!(!went.text().contains(CANARY));
    }
    assert!(!yard.root().join(".git/hooks/pre-commit").exists());
    assert!(yard.stage.read(".env").contains(CANARY));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_refused_at_once() {
    let yard = Yard::new();
    let root = yard.root();
    Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
    Command::new("mkfifo").arg(root.join("AGENTS.md")).status().unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();
    std::fs::File::create(root.join("sparse")).unwrap().set_len(1 << 40).unwrap();
    std::fs::write(root.join("binary.bin"), [0, 159, 146, 150].repeat(1000)).unwrap();
    std::fs::write(root.join("long-line.txt"), "a".repeat(3_000_000)).unwrap();
    std::fs::write(root.join("many.txt"), "a\n".repeat(300_000)).unwrap();
    symlink("pipe", root.join("pipe-link")).unwrap();
    let mut deep = root.to_owned();
    for _ in 0..60 {
        deep.push("d");
    }
    std::fs::create_dir_all(&deep).unwrap();
    let hands = yard.hands(Mode::Auto);
    let began = Instant::now();
    for path in ["pipe", "pipe-link", "socket", "AGENTS.md", "sub", "."] {
        for (tool, args) in [
            ("read", json!({"filePath": path})),
            ("write", json!({"filePath": path, "content": "x"})),
            ("edit", json!({"filePath": path, "oldString": "a", "newString": "b"})),
        ] {
            let went = hands.call(tool, args).await;
            assert!(!went.is_done(), "{tool} {path}: {}", went.text());
        }
    }
    for (tool, args) in [
        ("grep", json!({"pattern": "needle-nowhere"})),
        ("grep", json!({"pattern": "(a+)+$b"})),
        ("grep", json!({"pattern": "(((((a*)*)*)*)*)*b", "path": "long-line.txt"})),
        ("grep", json!({"pattern": "a{1000}{1000}"})),
        ("grep", json!({"pattern": "x".repeat(200_000)})),
        ("glob", json!({"pattern": "**/**/**/**/**/**/*x"})),
        ("glob", json!({"pattern": "{".repeat(5000)})),
        ("glob", json!({"pattern": "*".repeat(5000)})),
        ("list", json!({"depth": 1000})),
        ("read", json!({"filePath": "sparse"})),
        ("read", json!({"filePath": "binary.bin"})),
        ("read", json!({"filePath": "long-line.txt"})),
        ("read", json!({"filePath": "many.txt", "offset": 299_999})),
        ("read", json!({"filePath": "many.txt", "limit": 1_000_000_000})),
        ("scan", json!({})),
    ] {
        let began = Instant::now();
        let shown: String = args.to_string().chars().take(60).collect();
        let went = tokio::time::timeout(Duration::from_secs(20), hands.call(tool, args)).await;
        let went = went.unwrap_or_else(|_| panic!("{tool} {shown} hangs"));
        assert!(went.text().len() < 220_000, "{tool} {shown}: {} bytes", went.text().len());
        assert!(began.elapsed() < Duration::from_secs(12), "{tool} {shown}: {:?}", began.elapsed());
    }
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    let went = hands.call("read", json!({"filePath": "many.txt", "limit": 3})).await;
    assert!(went.is_done(), "{}", went.text());
}

/// Somebody swaps a folder for a link while tools read and write through it.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_gains_nothing() {
    let yard = Yard::new();
    let root = yard.root().to_owned();
    std::fs::create_dir(root.join("plain")).unwrap();
    std::fs::write(root.join("plain/keep"), "inside\n").unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (stop, place, outside) = (Arc::clone(&over), root.clone(), yard.outside.clone());
    let swapper = std::thread::spawn(move || {
        symlink(&outside, place.join("evil")).unwrap();
        while !stop.load(Ordering::Relaxed) {
            let _ = std::fs::rename(place.join("plain"), place.join("aside"));
            let _ = std::fs::rename(place.join("evil"), place.join("plain"));
            let _ = std::fs::rename(place.join("plain"), place.join("evil"));
            let _ = std::fs::rename(place.join("aside"), place.join("plain"));
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    let hands = yard.hands(Mode::Auto);
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < Duration::from_secs(3) {
        let went = hands.call("read", json!({"filePath": "plain/keep"})).await;
        assert!(!went.text().contains("untouched"), "{}", went.text());
        done += u32::from(went.is_done());
        let went = hands.call("grep", json!({"pattern": "untouched"})).await;
        assert!(!went.text().contains("1: untouched"), "{}", went.text());
        hands.call("write", json!({"filePath": "plain/planted", "content": "evil"})).await;
    }
    over.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(done > 0, "nothing was ever read");
    assert!(!yard.outside.join("planted").exists());
    assert_eq!(std::fs::read_to_string(yard.outside.join("keep")).unwrap(), "untouched\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_calls_are_answered_and_harm_nothing() {
    let yard = Yard::new();
    let hands = yard.hands(Mode::Auto);
    let before = yard.stage.tree();
    let huge = "x".repeat(20 * 1024 * 1024);
    for tool in ["read", "list", "glob", "grep", "write", "edit", "patch", "bash", "webfetch", "scan"] {
        for args in [
            json!({"filePath": 7, "path": 7, "pattern": 7, "command": 7, "url": 7, "patchText": 7, "content": 7}),
            json!({"filePath": [], "path": {}, "pattern": null, "command": ["ls"], "url": {}, "patchText": true}),
            json!({"filePath": "", "pattern": "", "command": "", "url": "", "patchText": "", "path": "", "oldString": "", "newString": ""}),
            json!({"filePath": "a\u{0}b", "pattern": "\u{0}", "command": "\u{0}", "url": "\u{0}", "patchText": "\u{0}", "path": "\u{0}"}),
            json!({"filePath": huge, "pattern": huge, "url": huge, "path": huge, "command": "true", "workdir": huge}),
            json!({"offset": -1, "limit": -1, "filePath": "app.py", "timeout": -1, "depth": -1, "path": "..", "pattern": "[", "command": " ", "url": "x"}),
            json!({"unknown": {"deep": [[[[[[[[[[]]]]]]]]]]}}),
            json!([]),
            json!("text"),
            json!(null),
        ] {
            let went = tokio::time::timeout(Duration::from_secs(20), hands.call(tool, args)).await;
            let went = went.unwrap_or_else(|_| panic!("{tool} hangs"));
            assert!(went.text().len() < 200_000, "{tool}: an answer of {} bytes", went.text().len());
        }
    }
    assert_eq!(yard.stage.tree(), before);
}
