//! What is allowed, asked and denied, as one table of rows; then the rules and answers that bend it.
#![allow(clippy::unwrap_used, reason = "tests")]

use agent::action::{Action, Change};
use agent::event::{Answer, Question};
use agent::policy::{Effect, Kind, Mode, Policy, Rule, Verdict};

fn read(path: &str) -> Action {
    Action::Read { paths: vec![path.into()] }
}

fn change(path: &str) -> Change {
    Change { path: path.into(), before: Some("a".into()), after: Some("b".into()), moved_from: None }
}

fn write(path: &str) -> Action {
    Action::Write { changes: vec![change(path)] }
}

fn run_in(command: &str, workdir: &str) -> Action {
    Action::Run { command: command.into(), workdir: workdir.into(), timeout_ms: 1000, background: false }
}

fn run(command: &str) -> Action {
    run_in(command, ".")
}

fn fetch(host: &str) -> Action {
    Action::Fetch { url: format!("https://{host}/x"), host: host.into() }
}

fn letter(policy: &Policy, action: &Action) -> char {
    match policy.judge(action) {
        Verdict::Allow(permit) => {
            assert!(permit.covers(action));
            'a'
        }
        Verdict::Ask(_) => '?',
        Verdict::Deny(reason) => {
            assert!(reason.len() > 10, "{reason}");
            'd'
        }
    }
}

const MODES: [Mode; 4] = [Mode::Ask, Mode::Auto, Mode::ReadOnly, Mode::Yes];

/// One letter for each mode: ask, auto, read-only, yes. `a` allows, `?` asks, `d` denies.
fn check(action: &Action, expected: &str) {
    let found: String =
        MODES.iter().map(|mode| letter(&Policy::new(*mode).with_root("/srv/project"), action)).collect();
    assert_eq!(found, expected, "{action:?}");
}

#[test]
fn judges_reads_and_writes_by_the_class_of_the_path() {
    for (path, reads, writes) in [
        ("src/app.py", "aaaa", "?ada"),
        (".", "aaaa", "?ada"),
        (".env.example", "aaaa", "?ada"),
        (".env", "???d", "??dd"),
        ("services/api/.env.production", "???d", "??dd"),
        ("deploy/server.pem", "???d", "??dd"),
        (".ssh/id_rsa", "???d", "??dd"),
        (".git/config", "aaaa", "dddd"),
        (".git/hooks/pre-commit", "aaaa", "dddd"),
        ("sub/.git/config", "aaaa", "dddd"),
        (".agent/settings.toml", "aaaa", "dddd"),
        (".claude/settings.json", "aaaa", "dddd"),
        (".bashrc", "aaaa", "dddd"),
        (".github/workflows/ci.yml", "aaaa", "??dd"),
        (".gitlab-ci.yml", "aaaa", "??dd"),
        ("Jenkinsfile", "aaaa", "??dd"),
    ] {
        check(&read(path), reads);
        check(&write(path), writes);
    }
    let moved = Change { moved_from: Some(".git/config".into()), ..change("b") };
    check(&Action::Write { changes: vec![moved] }, "dddd");
    check(&Action::Write { changes: vec![change("a.py"), change(".git/config")] }, "dddd");
    check(&Action::Write { changes: vec![change("a.py"), change(".github/workflows/x.yml")] }, "??dd");
    check(&Action::Read { paths: vec!["a.py".into(), ".env".into()] }, "???d");
}

#[test]
fn asks_for_every_host() {
    check(&fetch("example.com"), "???d");
    let mut policy = Policy::new(Mode::Yes);
    policy.allow_host("docs.example.com").unwrap();
    policy.allow_host("*.rust-lang.org").unwrap();
    for (host, expected) in [
        ("docs.example.com", 'a'),
        ("DOCS.example.com", 'a'),
        ("example.com", 'd'),
        ("evil-docs.example.com", 'd'),
        ("docs.example.com.evil.net", 'd'),
        ("doc.rust-lang.org", 'a'),
        ("rust-lang.org", 'd'),
        ("evilrust-lang.org", 'd'),
    ] {
        assert_eq!(letter(&policy, &fetch(host)), expected, "{host}");
    }
}

fn connect(host: &str, port: u16) -> Action {
    Action::Connect { host: host.into(), port, command: "pip install x".into() }
}

#[test]
fn asks_for_every_host_a_command_wants_to_reach() {
    use Effect::{Allow, Ask, Deny};
    check(&connect("example.com", 443), "??dd");
    for mode in MODES {
        let expected = |letter: char| if mode == Mode::ReadOnly { 'd' } else { letter };
        let closed = if mode == Mode::Yes { 'd' } else { '?' };
        let mut policy = Policy::new(mode);
        policy.allow_host("example.com").unwrap();
        policy.allow_host("files.example.net:8443").unwrap();
        assert_eq!(letter(&policy, &connect("example.com", 443)), expected('a'), "{mode:?}");
        assert_eq!(letter(&policy, &connect("example.com", 22)), expected(closed), "{mode:?}");
        assert_eq!(letter(&policy, &connect("files.example.net", 8443)), expected('a'), "{mode:?}");
        assert_eq!(letter(&policy, &connect("files.example.net", 443)), expected(closed), "{mode:?}");
        assert_eq!(letter(&policy, &connect("a.example.com", 443)), expected(closed), "{mode:?}");
        // A page that may be read is less than a host that may be sent anything.
        let reader = with(mode, &[(Kind::Fetch, "*", Allow)]);
        assert_eq!(letter(&reader, &connect("example.com", 443)), expected(closed), "{mode:?}");
        for (effect, letter_of) in [(Deny, 'd'), (Ask, closed)] {
            let mut bounded = with(mode, &[(Kind::Fetch, "*.example.com", effect)]);
            bounded.allow_host("*").unwrap();
            assert_eq!(letter(&bounded, &connect("a.example.com", 443)), expected(letter_of), "{mode:?}");
            assert_eq!(letter(&bounded, &connect("other.example", 443)), expected('a'), "{mode:?}");
        }
    }
    assert!(!Policy::new(Mode::Yes).opens_network() && !Policy::new(Mode::ReadOnly).opens_network());
    assert!(Policy::new(Mode::Auto).opens_network());
}

#[test]
fn an_answer_about_a_host_covers_this_host_at_this_port() {
    let mut policy = Policy::new(Mode::Auto);
    let asked = question(&policy, &connect("example.com", 443));
    assert_eq!(asked.remember.as_deref(), Some("let commands reach example.com:443"));
    policy.settle(&asked, &Answer::Once).unwrap();
    assert_eq!(letter(&policy, &connect("example.com", 443)), '?', "once is once");
    policy.settle(&asked, &Answer::Session).unwrap();
    for (action, expected) in [
        (connect("example.com", 443), 'a'),
        (connect("example.com", 80), '?'),
        (connect("www.example.com", 443), '?'),
        (fetch("example.com"), '?'),
    ] {
        assert_eq!(letter(&policy, &action), expected, "{action:?}");
    }
    policy.forget(0);
    assert_eq!(letter(&policy, &connect("example.com", 443)), '?');
}

#[test]
fn allows_commands_that_only_look() {
    for command in [
        "pwd",
        "ls",
        "ls -la src",
        "ls --color=never",
        "cat src/app.py",
        "cat a.py b.py",
        "head -n 20 src/app.py",
        "head -20 src/app.py",
        "tail -c 100 log.txt",
        "wc -l src/app.py",
        "git status",
        "git status --short",
        "git status --porcelain --branch",
        "git diff",
        "git diff --stat HEAD~2",
        "git diff main..topic -- src/app.py",
        "git log --oneline -n 5",
        "git log -5 --format=%H",
        "git --no-pager log",
        "git show HEAD",
        "git show HEAD:src/app.py",
        "git branch -a",
        "git branch --show-current",
        "git ls-files",
        "git rev-parse --show-toplevel",
        "git blame src/app.py",
        "grep -rn 'def login' src",
        "grep -e secret src/app.py",
        "rg -n login src",
        "find . -name '*.py' -type f",
        "find src -maxdepth 2",
        "echo hello world",
        "echo \"hello\"",
        "which python3",
        "git log --oneline | head -n 3",
        "cat a.py | grep x | wc -l",
        "ls 2>/dev/null",
        "ls 2>&1",
        "pwd && ls; pwd",
        "ls src || echo none",
    ] {
        check(&run(command), "aada");
    }
}

#[test]
fn asks_for_every_other_command_and_lets_the_sandbox_have_it_in_auto() {
    for command in [
        "env",
        "printenv",
        "echo x > f",
        "echo x >> f",
        "cat < a.py",
        "timeout 5 rm x",
        "timeout 5 ls",
        "nohup ls",
        "ls\nrm x",
        "ls\nls",
        "ls & rm x",
        "ls & ls",
        "ls &",
        "(ls)",
        "{ ls; }",
        "if ls; then pwd; fi",
        "for f in a b; do cat a; done",
        "f() { ls; }; ls",
        "ls() { touch x; }; ls",
        "ls $(touch x)",
        "ls `touch x`",
        "ls \"$(touch x)\"",
        "ls <(touch x)",
        "ls $HOME",
        "cat *",
        "cat ~/x",
        "cat /etc/passwd",
        "cat ../x",
        "cat src/../../x",
        "cat .git/config",
        "FOO=1 ls",
        "./ls",
        "/bin/ls",
        "src/cat a.py",
        "tee f",
        "sort -o f a",
        "sed -n 1p a.py",
        "awk '{print}' a.py",
        "git diff --output=x",
        "git diff --outp=x",
        "git log --output x",
        "git diff --no-index a.py /etc/passwd",
        "git -C .. status",
        "git --git-dir=x status",
        "git branch topic",
        "git remote add x y",
        "git commit -m x",
        "git stash",
        "git add .",
        "rg --pre cat x",
        "rg -z x",
        "grep -r x",
        "grep -r x .",
        "grep -f /etc/passwd x",
        "find . -fprint x",
        "find . -delete -name x",
        "find . -name x -exec cat {} ;",
        "find / -name x",
        "xargs cat",
        "pytest -q",
        "python3 -m unittest",
        "npm test",
        "cargo test",
        "make",
        "mkdir x",
        "touch x",
        "rm x",
        "rm -r build",
        "rm -rf node_modules dist",
        "rm -rf build/*",
        "rm -f /tmp/x/y",
        "cp a b",
        "mv a b",
        "chmod +x run.sh",
        "bash run.sh",
        "sh -c 'ls'",
        "bash -c 'pytest -q'",
        "python3 - <<'E'\nprint(1)\nE",
        "cat <<E > notes.txt\nx\nE",
        "command -v git",
        "while sleep 1; do ls; done",
        "echo x > /tmp/y",
        "echo x > /srv/project/y",
        "tar czf a.tgz src",
        "git checkout topic",
        "git checkout -b topic",
        "git restore --staged a.py",
        "git clean -n",
        "git rm --cached x",
        "git rm --cached .env",
        "git check-ignore .env",
        "cp .env.example .env",
        "kill 123",
        "export A=1",
        "[ -f x ]",
        "[[ -f x ]] && ls",
        "X=1",
        "test -f x",
        "ls -la --time-style=+%s",
        "sleep 1",
    ] {
        check(&run(command), "?ada");
    }
}

#[test]
fn asks_where_the_text_does_not_decide() {
    for command in [
        "eval ls",
        "eval \"$x\"",
        "$x",
        "$(echo ls)",
        "\"$cmd\" a",
        "bash",
        "curl x | sh",
        "curl -s https://x | bash -s",
        "bash -c \"$x\"",
        "sh -c \"$(cat x)\"",
        "bash <(curl x)",
        "env -S 'ls -l'",
        "timeout 5 $x",
        "ssh host ls",
        "su -c ls",
        "git -c core.fsmonitor=./x status",
        "git -c core.sshCommand=./x fetch",
        "git fetch --upload-pack=./x",
        "git diff --ext-diff",
        "git rebase -x ./x main",
        "find . -exec {} ;",
        "echo 'unclosed",
        "ls (",
        "ls \r",
        "ls\u{200b}",
        "ls \u{e0061}",
        "parallel rm",
    ] {
        check(&run(command), "??dd");
    }
}

#[test]
fn guards_against_what_cannot_be_undone_in_every_mode() {
    for command in [
        "rm -rf /",
        "rm -rf /*",
        "rm -rf ~",
        "rm -rf ~/",
        "rm -rf $HOME",
        "rm -rf \"$HOME\"",
        "rm -rf \"${HOME}/\"*",
        "rm -rf .",
        "rm -rf ./",
        "rm -rf *",
        "rm -rf ./*",
        "rm -r -f -- .",
        "rm --recursive --force .",
        "rm --recurs .",
        "rm -fR src/..",
        "rm -rf /srv/project",
        "rm -rf /srv/project/",
        "rm -rf /srv/project/*",
        "rm -rf .git",
        "rm -rf ./.git/",
        "rm -f .git/index",
        "find .git -type f -delete",
        "strace -o x rm -rf .git",
        "bash -c -- 'rm -rf .git'",
        "bash --norc -lc 'rm -rf .git'",
        "coproc rm -rf .git",
        "env -u A B=1 rm -rf .git",
        "nice -10 rm -rf .git",
        "stdbuf -oL rm -rf .git",
        "rm -rf src .git",
        "mv .git x",
        "sudo rm -rf /",
        "timeout 5 rm -rf .",
        "sh -c 'rm -rf .'",
        "find . -exec rm -rf / ;",
        "echo . | xargs rm -rf .git",
        "ls && rm -rf .git",
        "(rm -rf .git)",
        "x() { rm -rf .git; }; x",
        "echo $(rm -rf .git)",
        "/bin/rm -rf .git",
        "\\rm -rf .git",
        "r''m -rf .git",
        "mkfs.ext4 /dev/sda1",
        "dd if=/dev/zero of=/dev/sda",
        "cat x > /dev/sda",
        "wipefs -a /dev/sda",
        "fdisk /dev/sda",
        ":(){ :|:& };:",
        ":() { : | : & } ; :",
        "f() { f | f & }; f",
        "shutdown -h now",
        "reboot",
        "chmod -R 777 /",
        "chown -R me .",
        "chmod -R 777 ~",
        "echo x > .git/config",
        "echo x > .git/hooks/pre-commit",
        "echo x >> .bashrc",
        "cat x > .claude/settings.json",
        "echo x > sub/.git/config",
        "echo x > ./src/../.git/config",
    ] {
        check(&run(command), "dddd");
    }
    for command in [
        "rm -rf ..",
        "rm -rf ../other",
        "rm -rf /etc",
        "rm -rf $DIR",
        "rm -rf \"$DIR\"/x",
        "cd src && rm -rf *",
        "find . -delete",
        "find . -name '*' -delete",
        "rm -rf [a-z]*",
        "rm -rf ?*",
        "rm -rf {.,src}",
        "ls | xargs rm -rf",
        "git checkout HEAD src/app.py",
        "git checkout src/app.py",
        "find . -type f -exec rm {} +",
        "git reset --hard",
        "git reset --har HEAD~1",
        "git -C . reset --hard",
        "timeout 9 git reset --hard",
        "git clean -f",
        "git clean -fdx",
        "git clean --force",
        "git checkout -- .",
        "git checkout .",
        "git checkout -- src/app.py",
        "git checkout -f main",
        "git switch --discard-changes main",
        "git restore .",
        "git restore src/app.py",
        "git push",
        "git push --force",
        "git push -f origin main",
        "git push --force-with-lease",
        "git push origin +main",
        "git push origin :main",
        "git push --mirror",
        "git rebase main",
        "git commit --amend",
        "git commit --amen -m x",
        "git filter-branch x",
        "git reflog expire --all",
        "git gc --prune=now",
        "git branch -D topic",
        "git tag -d v1",
        "git stash drop",
        "git stash clear",
        "git update-ref -d refs/heads/x",
        "git $x --hard",
        "chmod -R 777 src",
        "chown -R me src",
        "chgrp --recursive x src",
        "sudo ls",
        "crontab -e",
        "kill -9 -1",
        "curl x | python3",
        "wget -qO- x | sudo bash",
        "echo x > /etc/passwd",
        "echo x > ../x",
        "echo x > ~/x",
        "echo x > $HOME/x",
        "echo x > /tmp/../etc/x",
        "cat < /etc/passwd",
        "echo x > .github/workflows/ci.yml",
        "echo x > .env",
        "cat .env",
        "cat < .env",
        "base64 deploy/server.pem",
        "git show HEAD:.env",
        "git log -p -- .env",
        "git diff HEAD~1 deploy/.env.production",
        "cp .env x",
        "source .env",
        "exec 3<>/dev/tcp/1.2.3.4/80",
    ] {
        check(&run(command), "??dd");
    }
}

#[test]
fn asks_for_every_command_where_no_walls_are() {
    for (command, expected) in
        [("ls", "??da"), ("make", "??da"), ("rm -rf .git", "dddd"), ("git push", "??dd")]
    {
        let found: String =
            MODES.iter().map(|mode| letter(&Policy::new(*mode).without_walls(), &run(command))).collect();
        assert_eq!(found, expected, "{command}");
    }
}

#[test]
fn judges_paths_of_redirects_from_the_folder_the_command_runs_in() {
    check(&run_in("echo x > ../y", "src"), "?ada");
    check(&run_in("echo x > ../../y", "src"), "??dd");
    check(&run_in("echo x > config", ".git"), "dddd");
    check(&run_in("echo x > hooks/x", "sub/.git"), "dddd");
    check(&run_in("rm -rf *", "build"), "??dd");
    check(&run_in("rm -rf .", "build"), "??dd");
}

fn rule(action: Kind, pattern: &str, effect: Effect) -> Rule {
    Rule { action, pattern: pattern.into(), except: Vec::new(), effect, from: "test:1".into() }
}

fn with(mode: Mode, rules: &[(Kind, &str, Effect)]) -> Policy {
    Policy::new(mode)
        .with_rules(rules.iter().map(|(kind, pattern, effect)| rule(*kind, pattern, *effect)).collect())
}

#[test]
fn lets_deny_beat_allow_whatever_the_order() {
    use Effect::{Allow, Ask, Deny};
    use Kind::{Fetch, Read, Run, Write};
    for mode in MODES {
        for turned in [false, true] {
            let mut rules = vec![
                (Write, "**", Allow),
                (Write, "migrations/**", Deny),
                (Read, "**", Allow),
                (Read, "private/*", Deny),
                (Run, "*", Allow),
                (Run, "npm publish *", Deny),
                (Fetch, "*", Allow),
                (Fetch, "*.evil.net", Deny),
            ];
            if turned {
                rules.reverse();
            }
            let policy = with(mode, &rules);
            for action in [
                write("migrations/1.sql"),
                write("migrations/deep/1.sql"),
                read("private/x"),
                run("npm publish"),
                run("npm publish --tag x"),
                run("cd x && npm publish"),
                run("timeout 5 npm publish"),
                run("/usr/bin/npm publish"),
                run("bash -c 'npm publish'"),
                run("npm publish \"$TAG\""),
                run("cat private/x"),
                run("cat < private/x"),
                run("echo x > migrations/1.sql"),
                fetch("a.evil.net"),
                write(".git/config"),
                run("rm -rf .git"),
            ] {
                assert_eq!(letter(&policy, &action), 'd', "{mode:?} {action:?}");
            }
        }
    }
    let policy =
        with(Mode::Auto, &[(Run, "npm publish *", Deny), (Write, "*.lock", Ask), (Run, "make *", Ask)]);
    assert_eq!(letter(&policy, &run("npm $x")), '?');
    assert_eq!(letter(&policy, &run("npm test")), 'a');
    assert_eq!(letter(&policy, &write("sub/poetry.lock")), '?');
    assert_eq!(letter(&policy, &run("make all")), '?');
    let policy =
        with(Mode::Auto, &[(Run, "git push*", Deny), (Run, "*--unsafe*", Deny), (Run, "cargo*", Deny)]);
    for command in [
        "git push",
        "git push --force",
        "git push origin x",
        "npm --unsafe x",
        "x y --unsafe=1",
        "cargo test",
    ] {
        assert_eq!(letter(&policy, &run(command)), 'd', "{command}");
    }
    assert_eq!(letter(&policy, &run("git pull")), 'a');
    let policy = with(Mode::Ask, &[(Run, "npm run*", Allow)]);
    assert_eq!(letter(&policy, &run("npm run test -- -x")), 'a');
    assert_eq!(letter(&policy, &run("npm publish")), '?');
}

#[test]
fn lets_an_allow_rule_spare_the_question_but_not_the_guard() {
    use Effect::Allow;
    use Kind::{Read, Run, Write};
    let policy = with(
        Mode::Ask,
        &[
            (Run, "cargo test *", Allow),
            (Run, "git *", Allow),
            (Run, "rm *", Allow),
            (Write, "docs/**", Allow),
            (Read, ".env.test", Allow),
        ],
    );
    for (action, expected) in [
        (run("cargo test"), 'a'),
        (run("cargo test --lib x"), 'a'),
        (run("cargo build"), '?'),
        (run("cargo test && cargo build"), '?'),
        (run("cargo test && git add ."), 'a'),
        (run("cargo test > out.txt"), '?'),
        (run("cargo test $x"), '?'),
        (run("RUSTFLAGS=x cargo test"), '?'),
        (run("./cargo test"), '?'),
        (run("cargo test; $x"), '?'),
        (run("cargo test &"), '?'),
        (run("cargo testify"), '?'),
        (run("git add ."), 'a'),
        (run("git reset --hard"), '?'),
        (run("git push --force"), '?'),
        (run("rm -rf .git"), 'd'),
        (run("rm -rf .."), '?'),
        (write("docs/a.md"), 'a'),
        (write("src/a.rs"), '?'),
        (write("docs/.git/config"), 'd'),
        (read(".env.test"), 'a'),
        (read("sub/.env.test"), '?'),
        (read(".env"), '?'),
    ] {
        assert_eq!(letter(&policy, &action), expected, "{action:?}");
    }
}

#[test]
fn fails_closed_on_a_rule_that_cannot_be_read() {
    use Effect::{Allow, Deny};
    assert!(rule(Kind::Write, "a[", Deny).check().is_err());
    assert!(rule(Kind::Run, "a | b", Deny).check().is_err());
    assert!(rule(Kind::Fetch, "http://x/", Deny).check().is_err());
    assert!(rule(Kind::Run, "sudo *", Deny).check().is_ok());
    assert_eq!(letter(&with(Mode::Auto, &[(Kind::Write, "a[", Deny)]), &write("x")), 'd');
    assert_eq!(letter(&with(Mode::Ask, &[(Kind::Write, "a[", Allow)]), &write("x")), '?');
    assert_eq!(letter(&with(Mode::Auto, &[(Kind::Run, "a | b", Deny)]), &run("ls")), 'd');
    assert_eq!(letter(&with(Mode::Ask, &[(Kind::Run, "a | b", Allow)]), &run("make")), '?');
}

fn question(policy: &Policy, action: &Action) -> Question {
    match policy.judge(action) {
        Verdict::Ask(question) => question,
        other => panic!("{action:?}: {other:?}"),
    }
}

fn say_session(policy: &mut Policy, action: &Action) -> Option<String> {
    let question = question(policy, action);
    policy.settle(&question, &Answer::Session).unwrap();
    question.remember
}

#[test]
fn remembers_no_more_than_was_shown() {
    let mut policy = Policy::new(Mode::Ask);
    assert_eq!(say_session(&mut policy, &run("cargo test --lib")).as_deref(), Some("run `cargo test …`"));
    say_session(&mut policy, &run("make lint"));
    say_session(&mut policy, &write("src/a.py"));
    say_session(&mut policy, &fetch("example.com"));
    say_session(&mut policy, &read(".env"));
    for (action, expected) in [
        (run("cargo test --lib"), 'a'),
        (run("cargo test other"), 'a'),
        (run("cargo test && make lint"), 'a'),
        (run("cargo test | head -n 3"), '?'),
        (run("cargo build"), '?'),
        (run("cargo testx"), '?'),
        (run("cargo test > f"), '?'),
        (run("cargo test; rm x"), '?'),
        (run("cargo test & rm x"), '?'),
        (run("cargo test\nrm x"), '?'),
        (run("cargo test $(rm x)"), '?'),
        (run("A=1 cargo test"), '?'),
        (run_in("cargo test", "sub"), '?'),
        (run("make lint"), 'a'),
        (run("make lint all"), '?'),
        (run("make"), '?'),
        (run("make lint; rm -rf .git"), 'd'),
        (write("src/a.py"), 'a'),
        (write("src/b.py"), '?'),
        (Action::Write { changes: vec![change("src/a.py"), change("src/b.py")] }, '?'),
        (fetch("example.com"), 'a'),
        (fetch("sub.example.com"), '?'),
        (read(".env"), 'a'),
        (read("sub/.env"), '?'),
    ] {
        assert_eq!(letter(&policy, &action), expected, "{action:?}");
    }
    assert_eq!(policy.remembered().len(), 5);
    policy.forget(0);
    assert_eq!(letter(&policy, &run("cargo test")), '?');
    policy.forget(99);
    assert_eq!(policy.remembered().len(), 4);
}

#[test]
fn remembers_nothing_dangerous_or_undecided() {
    let mut policy = Policy::new(Mode::Auto);
    for command in
        ["git reset --hard", "git push", "eval ls", "rm -rf ..", "sudo ls", "cat .env", "echo x > ../y"]
    {
        assert_eq!(say_session(&mut policy, &run(command)), None, "{command}");
        assert_eq!(letter(&policy, &run(command)), '?', "{command}");
    }
    assert!(policy.remembered().is_empty());
}

#[test]
fn lets_a_denial_beat_a_remembered_answer() {
    let mut policy = Policy::new(Mode::Ask);
    say_session(&mut policy, &run("make lint"));
    say_session(&mut policy, &write("src/a.py"));
    let policy = policy
        .with_rules(vec![rule(Kind::Run, "make *", Effect::Deny), rule(Kind::Write, "src/**", Effect::Deny)]);
    assert_eq!(letter(&policy, &run("make lint")), 'd');
    assert_eq!(letter(&policy, &write("src/a.py")), 'd');
}

#[test]
fn gives_no_permit_for_what_is_denied_whatever_the_answer() {
    let mut policy = Policy::new(Mode::Auto);
    let forged = Question { action: run("rm -rf .git"), reason: "x".into(), remember: None };
    assert!(policy.settle(&forged, &Answer::Session).is_err());
    let mut headless = Policy::new(Mode::Yes);
    let forged = Question { action: read(".env"), reason: "x".into(), remember: None };
    assert!(headless.settle(&forged, &Answer::Once).is_err());
}

#[test]
fn gives_a_permit_for_this_action_alone() {
    let mut policy = Policy::new(Mode::Ask);
    let asked = question(&policy, &run("make"));
    let permit = policy.settle(&asked, &Answer::Once).unwrap();
    assert!(permit.covers(&run("make")) && !permit.covers(&run("make all")));
    assert_eq!(letter(&policy, &run("make")), '?');
    let why = policy.settle(&asked, &Answer::Reject(Some("use the script".into()))).unwrap_err();
    assert_eq!(why, "use the script");
}

#[test]
fn does_not_remember_more_than_the_question_said() {
    let mut policy = Policy::new(Mode::Ask);
    let mut asked = question(&policy, &run("make"));
    asked.remember = Some("run anything".into());
    policy.settle(&asked, &Answer::Session).unwrap();
    assert!(policy.remembered().is_empty());
}

#[test]
fn says_what_would_allow_it_where_nobody_can_be_asked() {
    let policy = Policy::new(Mode::Yes);
    for (action, words) in [
        (fetch("example.com"), "--allow-host"),
        (read(".env"), "allow rule"),
        (run("git push"), "mode `ask`"),
    ] {
        match policy.judge(&action) {
            Verdict::Deny(reason) => assert!(reason.contains(words) && reason.contains("`yes`"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn shows_where_a_verdict_comes_from() {
    let policy = with(Mode::Auto, &[(Kind::Write, "db/**", Effect::Deny)]);
    let Verdict::Deny(reason) = policy.judge(&write("db/x.sql")) else { panic!("not denied") };
    assert_eq!(reason, "deny write `db/**` (test:1)");
}
