//! The commands that only look: allowed without asking where everything else asks. Judged on parsed words with
//! a list of options per program; an unknown option asks.

use super::paths::is_secret;
use super::shell::{Script, Simple, Word};

/// Whether a whole script only looks, at plain files of the workspace.
pub(super) fn only_looks(script: &Script) -> bool {
    script.undecided.is_empty()
        && !script.compound
        && !script.background
        && script.functions.is_empty()
        && !script.commands.is_empty()
        && script.redirects.iter().all(|redirect| redirect.writes && is_sink(&redirect.target))
        && script.commands.iter().all(simple_looks)
}

/// Whether writing there changes nothing.
pub(super) fn is_sink(target: &Word) -> bool {
    target.exact && matches!(target.text.as_str(), "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty")
}

/// Options of one program: `short` letters may be joined; `long` ends with `=` where a value must follow.
struct Facts {
    name: &'static str,
    short: &'static str,
    long: &'static [&'static str],
    /// Options whose next word is a value.
    valued: &'static [&'static str],
}

const PROGRAMS: &[Facts] = &[
    Facts { name: "pwd", short: "LP", long: &[], valued: &[] },
    Facts { name: "true", short: "", long: &[], valued: &[] },
    Facts { name: "false", short: "", long: &[], valued: &[] },
    Facts { name: "whoami", short: "", long: &[], valued: &[] },
    Facts { name: "uname", short: "asrmpnovi", long: &[], valued: &[] },
    Facts {
        name: "ls",
        short: "1AaBbCcdFfGgHhIiklLmNnopQqRrSstTuUvwxXZ",
        long: &[
            "--all",
            "--almost-all",
            "--human-readable",
            "--recursive",
            "--color=",
            "--classify",
            "--directory",
            "--full-time",
            "--group-directories-first",
            "--reverse",
            "--size",
            "--sort=",
            "--time=",
        ],
        valued: &[],
    },
    Facts {
        name: "cat",
        short: "AbEensTtuv",
        long: &["--number", "--show-all", "--squeeze-blank"],
        valued: &[],
    },
    Facts {
        name: "head",
        short: "nqcv0123456789",
        long: &["--lines=", "--bytes=", "--quiet"],
        valued: &["-n", "-c"],
    },
    Facts {
        name: "tail",
        short: "nqcv0123456789",
        long: &["--lines=", "--bytes=", "--quiet"],
        valued: &["-n", "-c"],
    },
    Facts { name: "wc", short: "clmLw", long: &["--lines", "--words", "--bytes", "--chars"], valued: &[] },
    Facts { name: "nl", short: "ba", long: &[], valued: &[] },
    Facts {
        name: "cut",
        short: "dfcbs0123456789",
        long: &["--fields=", "--delimiter="],
        valued: &["-d", "-f", "-c", "-b"],
    },
    Facts { name: "tr", short: "cdst", long: &[], valued: &[] },
    Facts { name: "stat", short: "Lft", long: &[], valued: &[] },
    Facts {
        name: "du",
        short: "achsbkmd0123456789",
        long: &["--max-depth=", "--summarize", "--human-readable"],
        valued: &["-d"],
    },
    Facts { name: "basename", short: "", long: &[], valued: &[] },
    Facts { name: "dirname", short: "", long: &[], valued: &[] },
    Facts { name: "realpath", short: "", long: &[], valued: &[] },
    Facts { name: "readlink", short: "fen", long: &[], valued: &[] },
    Facts { name: "echo", short: "neE", long: &[], valued: &[] },
    Facts { name: "which", short: "a", long: &[], valued: &[] },
    Facts {
        name: "grep",
        short: "ABCEFGHILPacehilmnoqrRsvwx0123456789",
        long: &[
            "--include=",
            "--exclude=",
            "--exclude-dir=",
            "--color=",
            "--count",
            "--ignore-case",
            "--line-number",
            "--recursive",
            "--files-with-matches",
            "--fixed-strings",
            "--extended-regexp",
            "--context=",
        ],
        valued: &["-A", "-B", "-C", "-e", "-m"],
    },
    Facts {
        name: "rg",
        short: "ABCFSegilnostvwxcmM0123456789",
        long: &[
            "--files",
            "--glob=",
            "--type=",
            "--line-number",
            "--ignore-case",
            "--fixed-strings",
            "--count",
            "--context=",
            "--files-with-matches",
            "--no-heading",
            "--sort=",
            "--max-count=",
            "--color=",
        ],
        valued: &["-A", "-B", "-C", "-e", "-g", "-t", "-m", "-M"],
    },
];

/// Options of git commands that only look. Git takes unambiguous abbreviations, so only whole words pass.
const GIT_LONG: &[&str] = &[
    "--stat",
    "--numstat",
    "--shortstat",
    "--summary",
    "--name-only",
    "--name-status",
    "--oneline",
    "--patch",
    "--no-patch",
    "--graph",
    "--all",
    "--decorate",
    "--no-decorate",
    "--short",
    "--branch",
    "--porcelain",
    "--long",
    "--cached",
    "--staged",
    "--no-color",
    "--color=never",
    "--color=always",
    "--follow",
    "--no-merges",
    "--merges",
    "--first-parent",
    "--reverse",
    "--abbrev-commit",
    "--ignored",
    "--no-ext-diff",
    "--no-textconv",
    "--raw",
    "--show-current",
    "--list",
    "--show-toplevel",
    "--abbrev-ref",
    "--verify",
    "--is-inside-work-tree",
    "--git-dir",
    "--tags",
    "--always",
    "--dirty",
    "--word-diff",
    "--ignore-all-space",
    "--ignore-space-change",
    "--no-renames",
    "--find-renames",
    "--cached",
    "--others",
    "--exclude-standard",
    "--modified",
    "--deleted",
    "--since=",
    "--until=",
    "--after=",
    "--before=",
    "--author=",
    "--grep=",
    "--max-count=",
    "--pretty=",
    "--format=",
    "--date=",
    "--untracked-files=",
    "--unified=",
    "--diff-filter=",
    "--skip=",
];

const GIT_VERBS: &[(&str, &str)] = &[
    ("status", "sbuvz"),
    ("diff", "pswbMCRUS0123456789"),
    ("log", "pnswbMCUSGiLq0123456789"),
    ("show", "pswbMCUnq0123456789"),
    ("rev-parse", ""),
    ("ls-files", "cmodsz"),
    ("describe", ""),
    ("blame", "swL0123456789,"),
    ("shortlog", "sne"),
];

fn simple_looks(simple: &Simple) -> bool {
    if simple.wrapped || simple.assigned || !simple.is_exact() || simple.program() != simple.name() {
        return false;
    }
    if simple.name() == "git" {
        return git_looks(simple.arguments());
    }
    if simple.name() == "find" {
        return find_looks(simple.arguments());
    }
    let Some(facts) = PROGRAMS.iter().find(|facts| facts.name == simple.name()) else { return false };
    let mut words = simple.arguments().iter().map(|word| word.text.as_str());
    // The first operand of these is a pattern, not a path.
    let mut patterns = usize::from(matches!(facts.name, "grep" | "rg"));
    let words_only = matches!(facts.name, "echo" | "tr" | "which" | "basename" | "dirname");
    let mut options_end = false;
    let mut paths = 0;
    while let Some(word) = words.next() {
        if !options_end && word == "--" {
            options_end = true;
        } else if !options_end && word.len() > 1 && word.starts_with('-') {
            if !is_listed(word, facts.short, facts.long) {
                return facts.name == "echo";
            }
            if facts.valued.contains(&word) && words.next().is_none() {
                return false;
            }
            if word == "-e" {
                patterns = 0;
            }
        } else if patterns > 0 {
            patterns -= 1;
        } else if !words_only && !is_plain_path(word) {
            return false;
        } else if word != "." && word != "./" {
            paths += 1;
        }
    }
    // Without a file these wait for input, which is closed: harmless. A search through everything meets
    // secret files too.
    let recursive = facts.name == "grep"
        && simple.arguments().iter().any(|word| {
            word.text == "--recursive"
                || word.text.starts_with('-')
                    && !word.text.starts_with("--")
                    && word.text.contains(['r', 'R'])
        });
    !recursive || paths > 0
}

fn is_listed(word: &str, short: &str, long: &[&str]) -> bool {
    if word.starts_with("--") {
        return long
            .iter()
            .any(|option| if option.ends_with('=') { word.starts_with(option) } else { word == *option });
    }
    word[1..].chars().all(|letter| short.contains(letter))
}

/// A path of the workspace that is no secret: relative, without a step up.
pub(super) fn is_plain_path(path: &str) -> bool {
    !path.starts_with('/')
        && !path.starts_with('~')
        && !path.split('/').any(|part| part == "..")
        && !path.split('/').any(|part| part == ".git")
        && !is_secret(path)
}

fn git_looks(words: &[Word]) -> bool {
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    let words = words.strip_prefix(&["--no-pager"]).unwrap_or(&words);
    let Some((verb, rest)) = words.split_first() else { return false };
    match *verb {
        "branch" => {
            return rest.iter().all(|word| {
                matches!(*word, "-a" | "-r" | "-v" | "-vv" | "--list" | "--show-current" | "--all")
            });
        }
        "remote" => return matches!(rest, [] | ["-v"]),
        "stash" => return matches!(rest, ["list"]),
        "tag" => return matches!(rest, [] | ["-l" | "--list"]),
        _ => {}
    }
    let Some((_, short)) = GIT_VERBS.iter().find(|(name, _)| name == verb) else { return false };
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if matches!(*word, "-n" | "-U" | "-L" | "-S" | "-G") {
            if rest.next().is_none() {
                return false;
            }
        } else if word.starts_with('-') {
            if *word != "--" && !is_listed(word, short, GIT_LONG) {
                return false;
            }
        } else if !is_revision(word) && !is_plain_path(word)
            || is_secret(word.rsplit(':').next().unwrap_or(word))
        {
            return false;
        }
    }
    true
}

/// `HEAD~2`, `main..topic`, `HEAD:src/a.py`.
fn is_revision(word: &str) -> bool {
    let (revision, path) = word.split_once(':').unwrap_or((word, ""));
    let listed = revision.chars().all(|letter| {
        letter.is_ascii_alphanumeric()
            || matches!(letter, '.' | '/' | '-' | '_' | '~' | '^' | '@' | '{' | '}')
    });
    listed
        && !revision.starts_with(['/', '~', '.'])
        && !revision.contains("../")
        && (path.is_empty() || is_plain_path(path))
}

fn find_looks(words: &[Word]) -> bool {
    const TESTS: [&str; 14] = [
        "-name",
        "-iname",
        "-path",
        "-ipath",
        "-type",
        "-maxdepth",
        "-mindepth",
        "-size",
        "-mtime",
        "-newer",
        "-regex",
        "-iregex",
        "-mmin",
        "-perm",
    ];
    let mut words = words.iter().map(|word| word.text.as_str());
    while let Some(word) = words.next() {
        if TESTS.contains(&word) {
            if words.next().is_none() {
                return false;
            }
        } else if !matches!(
            word,
            "-not"
                | "!"
                | "("
                | ")"
                | "-o"
                | "-or"
                | "-a"
                | "-and"
                | "-print"
                | "-print0"
                | "-empty"
                | "-prune"
                | "-ls"
        ) && (word.starts_with('-') || !is_plain_path(word))
        {
            return false;
        }
    }
    true
}
