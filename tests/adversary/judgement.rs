//! Policy alone: what it says to commands that try to look harmless.

use crate::yard::{letter, rule};
use agent::action::{Action, Change};
use agent::event::Answer;
use agent::policy::{Effect, Kind, Mode, Policy, Verdict};

fn run(command: &str) -> Action {
    Action::Run { command: command.into(), workdir: ".".into(), timeout_ms: 1000, background: false }
}

fn write(path: &str) -> Action {
    Action::Write {
        changes: vec![Change { path: path.into(), before: None, after: Some("x".into()), moved_from: None }],
    }
}

/// Commands that a list of safe beginnings or names lets through elsewhere; here they ask.
const DISGUISED: &[&str] = &[
    "env",
    "env rm x",
    "env -i sh -c 'rm x'",
    "env -S 'rm x'",
    "printenv",
    "export",
    "set",
    "echo x > f",
    "echo x >> f",
    "echo x >| f",
    "ls > f",
    "cat a | tee f",
    "timeout 5 rm x",
    "nohup sh",
    "nohup rm x",
    "nice rm x",
    "time rm x",
    "command rm x",
    "exec rm x",
    "builtin eval 'rm x'",
    "stdbuf -o0 rm x",
    "setsid rm x",
    "ls\nrm x",
    "ls & rm x",
    "ls; rm x",
    "ls && rm x",
    "ls || rm x",
    "ls | rm x",
    "ls |& rm x",
    "(rm x)",
    "{ rm x; }",
    "ls $(rm x)",
    "ls `rm x`",
    "ls <(rm x)",
    "echo \"$(rm x)\"",
    "echo ${x:-$(rm x)}",
    "ls $((a[$(rm x)]))",
    "! rm x",
    "if true; then rm x; fi",
    "for i in 1; do rm x; done",
    "while rm x; do :; done",
    "case a in a) rm x;; esac",
    "f() { rm x; }; f",
    "ls() { rm x; }; ls",
    "alias ls='rm x'; ls",
    "trap 'rm x' EXIT",
    "PATH=. ls",
    "LD_PRELOAD=./x ls",
    "GIT_EXTERNAL_DIFF=./x git diff",
    "GIT_PAGER=./x git log",
    "./ls",
    "/tmp/ls",
    "../ls",
    "l\\s; rm x",
    "'rm' x",
    "r''m x",
    "$'rm' x",
    "$'\\x72m' x",
    "${IFS}rm x",
    "rm${IFS}x",
    "x=rm; $x y",
    "eval 'rm x'",
    "bash -c 'rm x'",
    "sh x.sh",
    "source x.sh",
    ". x.sh",
    "find . -delete",
    "find . -exec rm {} ;",
    "find . -execdir rm {} +",
    "find . -ok rm {} ;",
    "find . -fprint f",
    "find . -fls f",
    "xargs rm",
    "ls | xargs rm",
    "sed -i s/a/b/ f",
    "sed 's/a/b/w f' g",
    "sed '1e rm x' f",
    "sed -n 'w f' g",
    "awk 'BEGIN{system(\"rm x\")}'",
    "awk '{print > \"f\"}' g",
    "tar cf x --checkpoint-action=exec=sh .",
    "tar xf x --to-command=sh",
    "rg --pre ./x y",
    "rg --pre=./x y",
    "rg --hostname-bin=./x y",
    "rg --search-zip y",
    "rg -z y",
    "sort -o f g",
    "sort --compress-program=./x g",
    "git -c core.fsmonitor=./x status",
    "git -c core.pager=./x log",
    "git --exec-path=. status",
    "git -C .. status",
    "git --git-dir=x status",
    "git diff --output=f",
    "git diff --ext-diff",
    "git log --output=f",
    "git grep -O./x y",
    "git grep --open-files-in-pager=./x y",
    "git fetch --upload-pack=./x o",
    "git ls-remote ext::x",
    "git archive --exec=./x",
    "git config core.pager x",
    "git rebase -x ./x",
    "git bisect run ./x",
    "git submodule foreach ./x",
    "git branch -D x",
    "git branch new",
    "git tag x",
    "git remote add x y",
    "git stash",
    "git checkout x",
    "man -P ./x ls",
    "less x",
    "vim x",
    "python3 -c 1",
    "python3 x.py",
    "node -e 1",
    "perl -e 1",
    "ruby -e 1",
    "make",
    "npm test",
    "cargo test",
    "curl http://x",
    "wget http://x",
    "nc x 1",
    "ssh x",
    "scp a b",
    "rsync a b",
    "ping x",
    "nslookup x",
    "dig x",
    "docker ps",
    "cat /etc/passwd",
    "cat ~/.ssh/id_rsa",
    "cat ../x",
    "cat .env",
    "head .env",
    "grep -r . ",
    "grep x .env",
    "cat .git/config",
    "cat < .env",
    "ls /root",
    "stat /etc/shadow",
    "echo ~root",
    "cat *",
    "cat .e*",
    "cat .{env,x}",
    "cat $HOME/x",
    "cat \"$f\"",
    "wc -l $(ls)",
    "ls \u{a0}rm",
    "ls \u{200b}x",
    "ls \u{202e}x",
    "ls\rrm x",
    "ls \u{1b}[2K",
    "ls #\nrm x",
    "ls \\\n; rm x",
    "cat <<E\n$(rm x)\nE",
    "cat <<< $(rm x)",
    "coproc rm x",
    "[[ -n $(rm x) ]]",
    "test -n \"$(rm x)\"",
    "echo {a,$(rm x)}",
    "declare x=$(rm x)",
    "unset PATH",
    "enable -f ./x y",
    "hash -p ./x ls",
    "complete -C rm ls",
    "mapfile -C 'rm x' a",
    "read x < f",
    "printf -v x y",
    "let x=1",
    "exec 3<>/dev/tcp/1.2.3.4/80",
    "wait; rm x",
    "disown; rm x",
    "kill 1",
];

/// What only looks, and is allowed without a question.
const HARMLESS: &[&str] = &[
    "ls",
    "ls -la src",
    "pwd",
    "cat app.py",
    "head -n 5 app.py",
    "tail -20 app.py",
    "wc -l app.py",
    "grep -n main app.py",
    "rg main",
    "rg -n main src",
    "find . -name '*.py'",
    "git status",
    "git diff",
    "git diff --stat HEAD~1",
    "git log --oneline -5",
    "git show HEAD",
    "git branch",
    "git ls-files",
    "git blame app.py",
    "cat app.py | head -3",
    "ls; pwd",
    "ls && pwd",
    "ls 2>/dev/null",
    "ls 2>&1",
    "echo hello",
    "cat .env.example",
    "git --no-pager diff",
    "which python3",
    "du -sh .",
    "stat app.py",
];

#[test]
fn disguised_commands_ask_and_harmless_ones_do_not() {
    let policy = Policy::new(Mode::Ask);
    for command in DISGUISED {
        assert_ne!(letter(&policy, &run(command)), 'a', "{command:?} is allowed without a question");
    }
    for command in HARMLESS {
        assert_eq!(letter(&policy, &run(command)), 'a', "{command:?} is asked for");
    }
    for command in DISGUISED {
        assert_eq!(letter(&Policy::new(Mode::ReadOnly), &run(command)), 'd', "{command:?}");
    }
}

/// What cannot be taken back is never simply done, whoever is or is not there.
#[test]
fn what_cannot_be_undone_is_never_simply_done() {
    for command in [
        "rm -rf /",
        "rm -rf ~",
        "rm -rf .",
        "rm -rf *",
        "rm -rf ./*",
        "rm -fr ..",
        "rm -r $HOME",
        "rm -rf \"$x\"/",
        "sudo rm -rf /",
        "find . -delete",
        "find / -exec rm {} +",
        "git reset --hard",
        "git reset --hard HEAD~3",
        "git clean -fdx",
        "git checkout -- .",
        "git checkout .",
        "git restore .",
        "git push --force",
        "git push -f origin main",
        "git push origin +main",
        "git push --mirror",
        "git push --delete origin x",
        "git branch -D main",
        "git filter-branch --all",
        "git reflog expire --expire=now --all",
        "git stash drop",
        "git stash clear",
        "git update-ref -d HEAD",
        "git rebase -i HEAD~5",
        "git commit --amend",
        "git gc --prune=now",
        "chmod -R 777 .",
        "chown -R x .",
        "mkfs.ext4 /dev/sda",
        "dd if=/dev/zero of=/dev/sda",
        "shred /dev/sda",
        "wipefs /dev/sda",
        ":(){ :|:& };:",
        "cat x > /dev/sda",
        "mv * /tmp",
        "sh -c 'rm -rf /'",
        "env rm -rf /",
        "timeout 5 rm -rf /",
        "nohup rm -rf / &",
        "xargs rm -rf < list",
        "echo ok; git reset --hard",
        "echo $(git clean -fd)",
        "eval 'git reset --hard'",
        "bash -c \"git push --force\"",
        "cd / && rm -rf *",
        "truncate -s 0 app.py && git reset --hard",
        "rm -rf .git",
        "mv .git x",
    ] {
        for mode in [Mode::Ask, Mode::Auto, Mode::Yes, Mode::ReadOnly] {
            assert_ne!(letter(&Policy::new(mode), &run(command)), 'a', "{command:?} in {mode}");
        }
        assert_eq!(letter(&Policy::new(Mode::Yes), &run(command)), 'd', "{command:?}");
    }
    for command in [
        "git status",
        "git commit -m x",
        "git add .",
        "git stash",
        "rm x.txt",
        "rm -r build",
        "mkdir -p a/b",
        "mv a b",
        "python3 -m pytest -q",
        "cargo test",
        "npm test",
        "git checkout -b x",
        "chmod +x run.sh",
    ] {
        assert_eq!(letter(&Policy::new(Mode::Auto), &run(command)), 'a', "{command:?} is everyday work");
    }
}

#[test]
fn deny_beats_everything_and_nobody_there_means_no() {
    let rules = vec![
        rule(Kind::Write, "secret/**", Effect::Deny),
        rule(Kind::Write, "**", Effect::Allow),
        rule(Kind::Run, "git push", Effect::Deny),
        rule(Kind::Run, "git", Effect::Allow),
    ];
    for mode in [Mode::Ask, Mode::Auto, Mode::Yes, Mode::ReadOnly] {
        let mut policy = Policy::new(mode).with_rules(rules.clone());
        assert_eq!(letter(&policy, &write("secret/x")), 'd', "{mode}");
        assert_eq!(letter(&policy, &run("git push")), 'd', "{mode}");
        assert_eq!(letter(&policy, &run("cd x && git push")), 'd', "{mode}");
        assert_eq!(letter(&policy, &write(".git/config")), 'd', "{mode}: no rule opens what is protected");
        // An answer for one file is for that file.
        if let Verdict::Ask(question) = policy.judge(&write(".github/workflows/a.yml")) {
            policy.settle(&question, &Answer::Session).unwrap();
            assert_eq!(letter(&policy, &write(".github/workflows/a.yml")), 'a');
            assert_eq!(
                letter(&policy, &write(".github/workflows/b.yml")),
                letter(&Policy::new(mode).with_rules(rules.clone()), &write(".github/workflows/b.yml"))
            );
        }
    }
    for action in [
        write(".env"),
        write(".github/workflows/x.yml"),
        Action::Fetch { url: "http://x.example/".into(), host: "x.example".into() },
        Action::Read { paths: vec![".env".into()] },
    ] {
        assert_eq!(letter(&Policy::new(Mode::Yes), &action), 'd', "{action:?}");
    }
    assert_eq!(letter(&Policy::new(Mode::Yes), &write("src/app.py")), 'a');
}

/// Anything at all can be judged: no text makes policy fail, hang or allow by accident.
#[test]
fn no_text_breaks_the_judge() {
    let policy = Policy::new(Mode::Ask);
    let deep = format!("{}rm x{}", "$(".repeat(3000), ")".repeat(3000));
    for command in [
        deep,
        "(".repeat(20_000),
        "'".repeat(9999),
        "\\".repeat(9999),
        "ls;".repeat(30_000),
        "a|".repeat(30_000),
        "a|".repeat(1000),
        "<<E\n".repeat(500),
        "{".repeat(20_000),
        "sh -c ".repeat(5000),
        format!("{}ls", "env ".repeat(5000)),
        format!("{}ls", "nohup ".repeat(20_000)),
        "\u{0}".into(),
        "\u{feff}ls".into(),
        "\u{10ffff}".repeat(1000),
        format!("echo {}", "x".repeat(1_000_000)),
        format!("ls {}", "-".repeat(60_000)),
        "if ".repeat(5000),
        "case x in ".repeat(2000),
        "[[ ".repeat(5000),
        "`".repeat(9999),
        "\"$(\"".repeat(3000),
    ] {
        let began = std::time::Instant::now();
        let said = letter(&policy, &run(&command));
        let shown: String = command.chars().take(30).collect();
        assert_ne!(said, 'a', "{shown}");
        eprintln!("{shown}: {:?}", began.elapsed());
        assert!(began.elapsed().as_secs() < 5, "{shown}: {:?}", began.elapsed());
    }
}
