//! Programs that start another program: looked through where the text tells which, else undecided.

use super::shell::{Script, Simple, Word, parse_at};

/// Options that take the next word, per program; every other option stands alone.
const WITH_VALUE: &[(&str, &[&str])] = &[
    ("env", &["-u", "--unset", "-C", "--chdir"]),
    ("timeout", &["-k", "--kill-after", "-s", "--signal"]),
    ("nice", &["-n", "--adjustment"]),
    ("ionice", &["-c", "--class", "-n", "--classdata"]),
    ("stdbuf", &["-i", "--input", "-o", "--output", "-e", "--error"]),
    ("time", &["-f", "--format", "-o", "--output"]),
    ("exec", &["-a"]),
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U", "-r", "-t"]),
    ("doas", &["-u", "-C"]),
    (
        "xargs",
        &[
            "-a",
            "-d",
            "-E",
            "-I",
            "-L",
            "-n",
            "-P",
            "-s",
            "--arg-file",
            "--delimiter",
            "--max-lines",
            "--max-args",
            "--max-procs",
            "--max-chars",
            "--replace",
        ],
    ),
    ("watch", &["-n", "--interval"]),
    ("flock", &["-w", "--timeout", "-E", "--conflict-exit-code"]),
    ("strace", &["-o", "-e", "-p", "-s", "-E", "-P", "-u", "-a", "-I", "-O", "-S", "-X"]),
    ("ltrace", &["-o", "-e", "-p", "-s", "-u", "-a", "-n", "-l", "-x"]),
];

/// Words between the options and the inner program.
const SKIPPED: &[(&str, usize)] = &[("timeout", 1), ("flock", 1), ("taskset", 1)];

/// Programs that become or start what their arguments name.
const PLAIN: &[&str] = &[
    "env",
    "timeout",
    "nohup",
    "setsid",
    "nice",
    "ionice",
    "stdbuf",
    "time",
    "command",
    "builtin",
    "exec",
    "sudo",
    "doas",
    "xargs",
    "watch",
    "flock",
    "taskset",
    "chronic",
    "unbuffer",
    "catchsegv",
    "coproc",
    "strace",
    "ltrace",
];

/// Shells whose `-c` text is read in turn.
pub(super) const SHELLS: &[&str] =
    &["sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh", "busybox"];

/// Programs whose arguments are text that only they understand.
const OPAQUE: &[&str] =
    &["eval", "parallel", "script", "su", "runuser", "pkexec", "ssh", "chroot", "nsenter", "unshare"];

/// Adds a command and everything it starts to the script.
pub(super) fn expand(simple: &Simple, depth: usize, script: &mut Script) {
    let name = simple.name().to_owned();
    let wrapped = simple.wrapped;
    let at = script.commands.len();
    script.commands.push(simple.clone());
    if depth > 5 || script.commands.len() > 1000 {
        script.undecided.push("the command is too deeply nested to be judged".into());
        return;
    }
    if !simple.argv[0].exact {
        return;
    }
    if OPAQUE.contains(&name.as_str()) {
        script.undecided.push(format!("what `{name}` will run cannot be told from its text"));
    } else if SHELLS.contains(&name.as_str()) {
        expand_shell(simple, depth, script);
    } else if name == "find" {
        expand_find(simple, depth, script);
    } else if name == "trap" {
        if let Some(word) = simple.arguments().first() {
            expand_text(word, depth, script);
        }
    } else if name == "git" {
        check_git(simple, script);
    } else if PLAIN.contains(&name.as_str()) {
        if name == "command"
            && simple.arguments().first().is_some_and(|word| matches!(word.text.as_str(), "-v" | "-V"))
        {
            return;
        }
        expand_plain(simple, &name, depth, script);
    }
    // A wrapper shows what it wraps; both stay in the list, the wrapper first.
    for inner in script.commands.iter_mut().skip(at + 1) {
        inner.wrapped = true;
    }
    script.commands[at].wrapped = wrapped;
}

fn expand_plain(simple: &Simple, name: &str, depth: usize, script: &mut Script) {
    let with_value: &[&str] =
        WITH_VALUE.iter().find(|(program, _)| *program == name).map_or(&[], |(_, options)| *options);
    let mut words = simple.arguments().iter().peekable();
    let mut assigned = false;
    while let Some(word) = words.peek() {
        let text = word.text.as_str();
        if text == "--" {
            words.next();
            break;
        }
        if name == "env" && (text.starts_with("-S") || text.starts_with("--split-string")) {
            script.undecided.push("what `env -S` will run cannot be told from its text".into());
            return;
        }
        if text.starts_with('-') && text.len() > 1 {
            words.next();
            if with_value.contains(&text) {
                words.next();
            }
        } else if matches!(name, "env" | "sudo" | "doas") && is_assignment(word) {
            assigned = true;
            words.next();
        } else {
            break;
        }
    }
    let skipped = SKIPPED.iter().find(|(program, _)| *program == name).map_or(0, |(_, count)| *count);
    let mut argv: Vec<Word> = words.skip(skipped).cloned().collect();
    if argv.is_empty() {
        return;
    }
    if name == "xargs" {
        argv.push(Word::unknown("(from input)"));
    }
    if name == "watch" || name == "flock" && argv[0].text == "-c" {
        script.undecided.push(format!("what `{name}` will run cannot be told from its text"));
        return;
    }
    if !argv[0].exact {
        script.undecided.push(format!("`{}` stands for a command that is not known yet", argv[0].text));
    }
    expand(&Simple { argv, assigned, wrapped: true }, depth + 1, script);
}

fn is_assignment(word: &Word) -> bool {
    word.text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    })
}

fn expand_shell(simple: &Simple, depth: usize, script: &mut Script) {
    let mut words = simple.arguments().iter();
    if simple.name() == "busybox" {
        let argv: Vec<Word> = words.cloned().collect();
        if !argv.is_empty() {
            expand(&Simple { argv, assigned: false, wrapped: true }, depth + 1, script);
        }
        return;
    }
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        if !word.exact {
            script.undecided.push(format!("what `{}` will run is not known yet", simple.name()));
            return;
        }
        if matches!(text, "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file") {
            words.next();
        } else if text.starts_with('-') && !text.starts_with("--") && text.contains('c') {
            match words.find(|word| word.text != "--") {
                Some(inner) => expand_text(inner, depth, script),
                None => script.undecided.push("a shell without a command".into()),
            }
            return;
        } else if text == "--version" || text == "--help" {
            return;
        } else if text == "-s" || text == "-" {
            break;
        } else if !text.starts_with('-') && !text.starts_with('+') {
            // A script file: the sandbox holds it as it holds any program of the workspace.
            return;
        }
    }
    script.undecided.push(format!("what `{}` will run comes from its input", simple.name()));
}

/// Reads text that will be run as shell text.
fn expand_text(word: &Word, depth: usize, script: &mut Script) {
    if !word.exact {
        script.undecided.push(format!("{} is run as a command and not known yet", word.text));
        return;
    }
    let inner = parse_at(&word.text, depth + 1);
    let shift = script.commands.len();
    let move_on = |range: std::ops::Range<usize>| range.start + shift..range.end + shift;
    script.commands.extend(inner.commands);
    script.redirects.extend(inner.redirects);
    script.undecided.extend(inner.undecided);
    script.background |= inner.background;
    script.compound = true;
    for parts in inner.pipes {
        script.pipes.push(parts.into_iter().map(move_on).collect());
    }
    for (name, body) in inner.functions {
        script.functions.push((name, move_on(body)));
    }
}

fn expand_find(simple: &Simple, depth: usize, script: &mut Script) {
    let arguments = simple.arguments();
    let mut at = 0;
    while at < arguments.len() {
        if matches!(arguments[at].text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir") {
            let rest = &arguments[at + 1..];
            let end =
                rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+")).unwrap_or(rest.len());
            let argv: Vec<Word> = rest[..end]
                .iter()
                .map(|word| if word.text.contains("{}") { Word::unknown(&word.text) } else { word.clone() })
                .collect();
            if argv.is_empty() {
                script.undecided.push("`find -exec` without a command".into());
            } else {
                if !argv[0].exact {
                    script.undecided.push("`find -exec` runs what it finds".into());
                }
                expand(&Simple { argv, assigned: false, wrapped: true }, depth + 1, script);
            }
            at += end + 1;
        }
        at += 1;
    }
}

/// Settings given on git's command line can start programs.
fn check_git(simple: &Simple, script: &mut Script) {
    const HARMLESS: [&str; 9] = [
        "user.",
        "color.",
        "advice.",
        "init.defaultbranch=",
        "core.quotepath=",
        "commit.gpgsign=false",
        "core.pager=cat",
        "protocol.version=",
        "core.autocrlf=",
    ];
    let mut words = simple.arguments().iter();
    while let Some(word) = words.next() {
        let text = word.text.as_str();
        let setting = match text {
            "-c" | "--config-env" => words.next(),
            "-C" | "--git-dir" | "--work-tree" | "--namespace" => {
                words.next();
                continue;
            }
            _ if text.starts_with("-c") || text.starts_with("--config-env") => Some(word),
            _ if text.starts_with("--exec-path=") => Some(word),
            _ if text.starts_with('-') => continue,
            _ => break,
        };
        let lower = setting.map(|word| word.text.to_lowercase()).unwrap_or_default();
        if !HARMLESS.iter().any(|start| lower.starts_with(start)) {
            script.undecided.push("settings on git's command line can start programs".into());
        }
    }
    let runs = ["--upload-pack", "--receive-pack", "--exec=", "--ext-diff", "--open-files-in-pager"];
    let opens = simple.arguments().iter().any(|word| {
        runs.iter().any(|option| word.text.starts_with(option)) || word.text.starts_with("ext::")
    });
    let executes = simple.arguments().windows(2).any(|pair| {
        (pair[0].text == "rebase" || pair[0].text.starts_with('-'))
            && matches!(pair[1].text.as_str(), "-x" | "--exec")
            || pair[0].text == "bisect" && pair[1].text == "run"
    });
    if opens || executes {
        script.undecided.push("an option of this git command starts a program".into());
    }
}

#[cfg(test)]
mod tests {
    use super::super::shell::parse;

    fn names(text: &str) -> Vec<String> {
        parse(text).commands.iter().map(|simple| simple.name().to_owned()).collect()
    }

    #[test]
    fn looks_through_programs_that_start_programs() {
        let check = |text: &str, last: &str| {
            let script = parse(text);
            assert!(script.undecided.is_empty(), "{text}: {:?}", script.undecided);
            assert_eq!(names(text).last().map(String::as_str), Some(last), "{text}");
        };
        check("env -i A=1 -u B rm x", "rm");
        check("timeout -k 1 5 rm x", "rm");
        check("timeout --signal KILL 5 rm x", "rm");
        check("nohup nice -n 5 rm x", "rm");
        check("sudo -u root rm x", "rm");
        check("xargs -n 1 rm", "rm");
        check("sh -c 'rm x'", "rm");
        check("bash -euc \"rm x\"", "rm");
        check("bash -o pipefail -c 'rm x'", "rm");
        check("/bin/sh -c \"sh -c 'rm x'\"", "rm");
        check("find . -name x -exec rm {} ;", "rm");
        check("find . -name x -exec rm {} +", "rm");
        check("command rm x", "rm");
        check("exec rm x", "rm");
        check("time -p rm x", "rm");
        check("trap 'rm x' EXIT", "rm");
        check("busybox rm x", "rm");
        check("git -c user.name=x commit -m y", "git");
    }

    #[test]
    fn says_what_it_cannot_decide() {
        for text in [
            "eval ls",
            "$x y",
            "\"$x\" y",
            "sh",
            "bash -s",
            "bash -c \"$x\"",
            "bash -c",
            "timeout 5 $x",
            "env -S 'rm x'",
            "find . -exec {} ;",
            "git -c core.fsmonitor=x status",
            "git -c alias.x=!y x",
            "git fetch --upload-pack=x",
            "git bisect run ./x",
            "ssh host ls",
            "parallel rm",
            "echo 'unclosed",
            "ls \r rm x",
            "ls \u{200b}x",
            "`echo rm` x",
        ] {
            assert!(!parse(text).undecided.is_empty(), "{text}");
        }
    }
}
