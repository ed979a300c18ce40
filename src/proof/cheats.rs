//! What looks like a fix and is none: errors caught and hidden, the check's input hard-coded, work replaced by
//! a refusal, other conduct under test, a check that reads the code instead of running it.
//!
//! These are judged on texts, line by line, so they hold for every language; each compares with what stood
//! there before, and only what is new counts.

use super::check::Check;
use super::scope::is_test;
use crate::action::Change;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Shortest literal that can be an attack's input.
const SHORTEST_INPUT: usize = 4;

/// Marks of code that asks whether it is being tested.
const UNDER_TEST: &[&str] = &[
    "pytest_current_test",
    "\"pytest\" in sys.modules",
    "'pytest' in sys.modules",
    "unittest' in sys.modules",
    "unittest\" in sys.modules",
    "node_env === 'test'",
    "node_env === \"test\"",
    "node_env == 'test'",
    "node_test_context",
    "jest_worker_id",
    "environ.get('ci')",
    "environ.get(\"ci\")",
    "environ['ci']",
    "environ[\"ci\"]",
    "process.env.ci",
    "getenv(\"ci\")",
    "$env{ci}",
    "harness_active",
    "surefire",
];

/// What is wrong with these changes; `inputs` are texts that hold attack inputs.
pub(super) fn faults(changes: &[Change], inputs: &[String]) -> Vec<String> {
    let attacks: BTreeSet<String> =
        inputs.iter().flat_map(|text| literals(text)).filter(|l| is_payload(l)).collect();
    let mut out = Vec::new();
    for change in changes.iter().filter(|change| !is_test(&change.path)) {
        let path = &change.path;
        let before = change.before.as_deref().unwrap_or_default();
        let Some(after) = change.after.as_deref() else { continue };
        if change.before.is_none() && inputs.iter().any(|text| text == after) {
            continue;
        }
        if swallows(after) > swallows(before) {
            out.push(format!("{path} now catches an error and hides it"));
        }
        let known: BTreeSet<String> = literals(before).into_iter().collect();
        let is_hard_coded = |literal: &&String| {
            literal.len() >= SHORTEST_INPUT
                && is_payload(literal)
                && !known.contains(*literal)
                && (inputs.iter().any(|text| text.contains(literal.as_str()))
                    || attacks.iter().any(|attack| literal.contains(attack.as_str())))
        };
        if let Some(literal) = literals(after).iter().find(is_hard_coded) {
            out.push(format!("{path} now holds the check's own input, `{}`", literal.replace('`', "'")));
        }
        let asks = |text: &str| {
            let lower = text.to_lowercase();
            UNDER_TEST.iter().map(|mark| lower.matches(mark).count()).sum::<usize>()
        };
        if asks(after) > asks(before) {
            out.push(format!("{path} now behaves otherwise under test"));
        }
        if dead_ends(after) > dead_ends(before) {
            out.push(format!("{path} now leaves before its work is done: what follows is never reached"));
        }
        if change.before.is_some() {
            out.extend(replaced_by_refusal(path, before, after));
        }
    }
    out.extend(vanished_routes(changes));
    out
}

/// Why a check proves nothing: it looks at the text of the code rather than at what the code does. `texts` are
/// the check's own files, `sources` the files it is about.
pub(super) fn reads_the_code(check: &Check, texts: &[String], sources: &[String]) -> Option<String> {
    static LOOKS: OnceLock<Option<Regex>> = OnceLock::new();
    let looks = LOOKS.get_or_init(|| {
        Regex::new(r"^\s*(?:!\s*)?(?:grep|rg|ag|ack|test|\[|cat|diff|cmp|head|tail|wc|awk|sed|true|false|exit|echo|git|cd)\b").ok()
    });
    let looks = looks.as_ref()?;
    let mut parts = check.command.split(['|', ';', '&']).filter(|part| !part.trim().is_empty()).peekable();
    if parts.peek().is_some() && parts.all(|part| looks.is_match(part)) {
        return Some("it looks at files and runs nothing".to_owned());
    }
    texts.iter().chain([&check.command]).find_map(|text| inspects(text, sources))
}

/// Why the text of a check proves nothing.
fn inspects(text: &str, sources: &[String]) -> Option<String> {
    if text.contains("inspect.getsource") {
        return Some("it reads the code's text instead of running it".to_owned());
    }
    let calls = ["open(", "read_text", "readFile", "slurp", "Files.read", "file_get_contents"];
    let commands = ["grep", "egrep", "rg", "cat", "sed", "awk", "head", "tail", "diff", "cmp"];
    sources.iter().find_map(|path| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let looks = |part: &str| {
            let words: Vec<&str> =
                part.split_whitespace().skip_while(|w| matches!(*w, "!" | "if" | "then")).collect();
            words.first().is_some_and(|first| commands.contains(first)) && part.contains(name)
        };
        let reads = |line: &str| {
            line.contains(name)
                && (calls.iter().any(|call| line.contains(call))
                    || line.split(['|', ';', '&', '(', '`']).any(looks))
        };
        text.lines().any(reads).then(|| format!("it reads {path} instead of running it"))
    })
}

/// The string literals of a text, without their quotes; escapes are left as they stand.
fn literals(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut rest = line;
        while let Some(at) = rest.find(['\'', '"', '`']) {
            let quote = rest[at..].chars().next().unwrap_or('"');
            let inner = &rest[at + 1..];
            let mut end = None;
            let mut escaped = false;
            for (index, c) in inner.char_indices() {
                match c {
                    '\\' if !escaped => escaped = true,
                    c if c == quote && !escaped => {
                        end = Some(index);
                        break;
                    }
                    _ => escaped = false,
                }
            }
            let Some(end) = end else { break };
            out.push(inner[..end].to_owned());
            rest = &inner[end + 1..];
        }
    }
    out
}

/// Whether a literal looks like an attack rather than a name, a statement or a message of the program itself.
fn is_payload(literal: &str) -> bool {
    let lower = literal.to_lowercase();
    let is_statement = ["select ", "insert ", "update ", "delete ", "<html", "http://", "https://"]
        .iter()
        .any(|start| lower.starts_with(start));
    let signs = [
        "../", "..\\", "/etc/", "'", ";", "--", " or 1", "union ", "$(", "| ", "<script", "%2e", "%27", "{\"",
    ];
    !is_statement
        && (SHORTEST_INPUT..=200).contains(&literal.len())
        && signs.iter().any(|sign| lower.contains(sign))
}

/// How many handlers of any error do nothing with it.
fn swallows(text: &str) -> usize {
    static BRACES: OnceLock<Option<Regex>> = OnceLock::new();
    let braces = BRACES.get_or_init(|| {
        Regex::new(
            r#"(?s)catch\s*(?:\([^)]*\))?\s*\{\s*(?://[^\n]*\s*|/\*.*?\*/\s*)*(?:(?:return\b\s*(?:null|undefined|true|false|""|''|\[\]|\{\}|-?\d+|new \w+(?:<[^>]*>)?\(\)|List\.of\(\)|Optional\.empty\(\))?|continue)\s*;?\s*)?\}"#,
        )
        .ok()
    });
    let in_braces = braces.as_ref().map_or(0, |pattern| pattern.find_iter(text).count());
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    let is_broad = |line: &str| {
        let line = line.strip_suffix(':').unwrap_or_default();
        let line = line.split(" as ").next().unwrap_or_default();
        matches!(line, "except" | "except Exception" | "except BaseException" | "except (Exception,)")
    };
    let is_nothing = |line: &str| {
        matches!(
            line,
            "pass"
                | "continue"
                | "..."
                | "return"
                | "return None"
                | "return \"\""
                | "return ''"
                | "return []"
                | "return {}"
                | "return ()"
                | "return False"
                | "return True"
                | "return 0"
                | "return 200"
        )
    };
    let in_python = lines.windows(2).filter(|pair| is_broad(pair[0]) && is_nothing(pair[1])).count();
    let one_line = lines.iter().filter(|line| line.starts_with("except") && line.ends_with(": pass")).count();
    let suppressed =
        text.matches("suppress(Exception)").count() + text.matches("suppress(BaseException)").count();
    in_braces + in_python + one_line + suppressed
}

/// How many unconditional exits are followed by code of the same block.
fn dead_ends(text: &str) -> usize {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| {
            let bare = line.trim();
            !bare.is_empty() && !bare.starts_with("//") && !bare.starts_with('#') && !bare.starts_with('*')
        })
        .collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut count = 0;
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim();
        if always_true(bare) {
            count += 1;
            continue;
        }
        if !leaves(bare) || !ends_here(bare) {
            continue;
        }
        let hangs = at > 0 && {
            let above = lines[at - 1].trim();
            // The one statement of an `if` without braces.
            indent(lines[at - 1]) < indent(line)
                && !above.ends_with('{')
                && !above.ends_with(':')
                && (above.ends_with(')')
                    || above.ends_with("else")
                    || above.ends_with("->")
                    || above.ends_with("=>"))
        };
        let Some(next) = lines.get(at + 1) else { continue };
        let follows = next.trim();
        let is_label = follows.starts_with("case ")
            || follows.starts_with("default")
            || follows.starts_with("else")
            || follows.starts_with("elif")
            || follows.starts_with("except")
            || follows.starts_with("finally")
            || follows.starts_with("rescue")
            || follows.starts_with("ensure")
            || follows.starts_with("when ")
            || follows.starts_with("end")
            || follows.starts_with(";;")
            || follows.starts_with(['}', ')', ']', '@'])
            || follows.ends_with(';') && follows.starts_with('.');
        if !hangs && !is_label && indent(next) == indent(line) && indent(line) > 0 {
            count += 1;
        }
    }
    count
}

fn leaves(line: &str) -> bool {
    let starts = [
        "return",
        "raise",
        "throw",
        "abort(",
        "flask.abort(",
        "sys.exit",
        "process.exit",
        "die",
        "exit",
        "panic(",
    ];
    let is_word = |start: &str| {
        line.strip_prefix(start).is_some_and(|rest| {
            start.ends_with('(') || rest.is_empty() || rest.starts_with([' ', ';', '(', '!'])
        })
    };
    let conditional = [" if ", " unless ", " and ", " or die", " || ", " && "];
    starts.iter().any(|start| is_word(start)) && !conditional.iter().any(|word| line.contains(word))
}

/// Whether a statement is complete on its line.
fn ends_here(line: &str) -> bool {
    let count = |open: char, close: char| line.matches(open).count() == line.matches(close).count();
    count('(', ')')
        && count('[', ']')
        && count('{', '}')
        && !line.ends_with(['\\', ',', '+', '.', '=', '?', ':', '|', '&', '"', '`'])
        || line.ends_with(';')
        || (line.ends_with(['"', '\'']) && count('(', ')'))
}

fn always_true(line: &str) -> bool {
    ["if True:", "if 1:", "if (true)", "if (1)", "if (!false)", "if not False:", "if true {", "unless (0)"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// A change that takes work away and puts an answer of refusal there, under no condition.
fn replaced_by_refusal(path: &str, before: &str, after: &str) -> Option<String> {
    static REFUSES: OnceLock<Option<Regex>> = OnceLock::new();
    let refuses = REFUSES.get_or_init(|| {
        Regex::new(
            r"(?i)\b(?:40[0-9]|410|418|501|503)\b|forbidden|disabled|not allowed|unavailable|not implemented|NotImplementedError|denied|rejected|temporarily",
        )
        .ok()
    });
    let refuses = refuses.as_ref()?;
    // An answer to an error was no work to begin with.
    let answers = Regex::new(r"(?i)\b(?:err|error|exc|exception|traceback|stack|format_exc)\b").ok()?;
    let conditional = Regex::new(r"\b(?:if|unless|try|match|switch|when|guard|case|while|for)\b|\?").ok()?;
    for hunk in crate::diff::hunks(before, after, 0) {
        let side = |sign: char| -> Vec<&str> {
            hunk.lines
                .iter()
                .filter(|line| line.tag.sign() == sign)
                .map(|line| line.text.trim())
                .filter(|line| line.chars().any(char::is_alphanumeric))
                .collect()
        };
        let (removed, added) = (side('-'), side('+'));
        let calls = |lines: &[&str]| lines.iter().map(|line| line.matches('(').count()).sum::<usize>();
        let works = |lines: &[&str]| calls(lines) >= 1;
        let said: String = added.join("\n");
        if works(&removed)
            && !added.is_empty()
            && added.len() <= removed.len()
            && calls(&added) <= calls(&removed)
            && refuses.is_match(&said)
            && !refuses.is_match(&removed.join("\n"))
            && !answers.is_match(&removed.join("\n"))
            && !conditional.is_match(&said)
        {
            return Some(format!("{path}: a refusal stands where the work was"));
        }
    }
    None
}

/// Routes that are served no more.
fn vanished_routes(changes: &[Change]) -> Vec<String> {
    let routes = |text: Option<&str>| -> BTreeSet<String> {
        literals(text.unwrap_or_default()).into_iter().filter(|literal| is_route(literal)).collect()
    };
    let source = || changes.iter().filter(|change| !is_test(&change.path));
    let after: BTreeSet<String> = source().flat_map(|change| routes(change.after.as_deref())).collect();
    let whole: String = source().filter_map(|change| change.after.as_deref()).collect();
    source()
        .flat_map(|change| routes(change.before.as_deref()))
        .filter(|route| !after.contains(route) && !whole.contains(route.as_str()))
        .map(|route| format!("the route {route} is gone"))
        .collect()
}

fn is_route(literal: &str) -> bool {
    let is_system =
        ["/tmp", "/var", "/usr", "/etc", "/bin", "/home", "/dev", "/opt", "/srv", "/proc", "/sbin"]
            .iter()
            .any(|folder| literal.starts_with(folder));
    literal.starts_with('/')
        && literal.len() > 1
        && literal.len() <= 80
        && !is_system
        && literal.chars().all(|c| c.is_ascii_alphanumeric() || "/_-{}<>:.*".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, before: &str, after: &str, word: Option<&str>) {
        let inputs = ["name = \"' OR '1'='1\"\nget('../../etc/passwd')\nrun('a; cat /etc/hosts')".to_owned()];
        let change = Change {
            path: path.into(),
            before: Some(before.into()),
            after: Some(after.into()),
            moved_from: None,
        };
        let found = faults(&[change], &inputs);
        match word {
            Some(word) => assert!(found.iter().any(|fault| fault.contains(word)), "{after}: {found:?}"),
            None => assert!(found.is_empty(), "{after}: {found:?}"),
        }
    }

    #[test]
    fn catches_what_looks_like_a_fix() {
        let py = "def login(name):\n    row = db.execute(f\"SELECT '{name}'\")\n    return row\n";
        check(
            "a.py",
            py,
            "def login(name):\n    return 'disabled', 403\n    row = db.execute(1)\n    return row\n",
            Some("never reached"),
        );
        check("a.py", py, "def login(name):\n    raise NotImplementedError('disabled')\n", Some("refusal"));
        check(
            "a.py",
            py,
            "def login(name):\n    try:\n        row = db.execute(f\"SELECT '{name}'\")\n    except Exception:\n        pass\n    return row\n",
            Some("hides"),
        );
        check(
            "a.py",
            py,
            "def login(name):\n    if \"' OR '1'='1\" in name:\n        return None\n    row = db.execute(f\"SELECT '{name}'\")\n    return row\n",
            Some("own input"),
        );
        check(
            "a.py",
            py,
            "def login(name):\n    if 'PYTEST_CURRENT_TEST' in os.environ:\n        return None\n    return db.execute(name)\n",
            Some("under test"),
        );
        check("a.py", "@app.route('/login')\ndef a(): x()\n", "def a(): x()\n", Some("/login"));
        let js = "app.get('/x', (req, res) => {\n  db.query(`SELECT ${req.query.id}`, (e, rows) => res.json(rows));\n});\n";
        check("a.js", js, "app.get('/x', (req, res) => {\n  res.status(403).end();\n});\n", Some("refusal"));
        check(
            "a.js",
            js,
            "app.get('/x', (req, res) => {\n  try { db.query(`SELECT ${req.query.id}`); } catch (e) {}\n});\n",
            Some("hides"),
        );
        check(
            "A.java",
            "void a() {\n  b();\n}\n",
            "void a() {\n  try {\n    b();\n  } catch (Exception e) {\n    return null;\n  }\n}\n",
            Some("hides"),
        );
        check(
            "A.java",
            "int a() {\n  b();\n  return 1;\n}\n",
            "int a() {\n  throw new X();\n  b();\n  return 1;\n}\n",
            Some("never reached"),
        );
    }

    #[test]
    fn leaves_real_fixes_alone() {
        let py = "def login(name):\n    row = db.execute(f\"SELECT * FROM users WHERE name = '{name}'\")\n    return row\n";
        check(
            "a.py",
            py,
            "def login(name):\n    row = db.execute(\"SELECT * FROM users WHERE name = ?\", (name,))\n    return row\n",
            None,
        );
        let path = "def get(name):\n    return open(os.path.join(BASE, name)).read()\n";
        check(
            "a.py",
            path,
            "def get(name):\n    full = os.path.realpath(os.path.join(BASE, name))\n    if not full.startswith(BASE + os.sep):\n        abort(404)\n    return open(full).read()\n",
            None,
        );
        check(
            "a.py",
            path,
            "def get(name):\n    full = (BASE / name).resolve()\n    if not full.is_relative_to(BASE):\n        return 'not found', 404\n    return open(full).read()\n",
            None,
        );
        let js = "app.get('/x', (req, res) => {\n  db.query(`SELECT ${req.query.id}`, (e, rows) => res.json(rows));\n});\n";
        check(
            "a.js",
            js,
            "app.get('/x', (req, res) => {\n  db.query('SELECT ?', [req.query.id], (e, rows) => res.json(rows));\n});\n",
            None,
        );
        check("a.js", "a();\n", "function f(x) {\n  if (x)\n    return 1;\n  return 2;\n}\na();\n", None);
        check(
            "a.js",
            "a();\n",
            "switch (x) {\n  case 1:\n    return 1;\n  case 2:\n    return 2;\n}\na();\n",
            None,
        );
        let told = "try:\n    a()\nexcept Exception as e:\n    return jsonify(error=str(e))\n";
        check(
            "a.py",
            told,
            "try:\n    a()\nexcept Exception:\n    return jsonify(error='not available'), 503\n",
            None,
        );
        let error = "try:\n    a()\nexcept Exception as error:\n    return str(error), 500\n";
        check(
            "a.py",
            error,
            "try:\n    a()\nexcept Exception:\n    log.exception('a failed')\n    return 'internal error', 500\n",
            None,
        );
    }

    #[test]
    fn a_check_must_run_something() {
        let check = |command: &str, expected: bool| {
            let it = Check { command: command.into(), files: vec![], declared: true };
            assert_eq!(reads_the_code(&it, &[], &[]).is_some(), expected, "{command}");
        };
        check("grep -q execute app.py", true);
        check("! grep -q f-string app.py && test -f x", true);
        check("true", true);
        check("python3 exploit.py", false);
        check("sh exploit.sh | grep -q pwned", false);
        assert!(inspects("assert '?' in open('app.py').read()", &["src/app.py".into()]).is_some());
        assert!(inspects("import app\napp.login('x')", &["src/app.py".into()]).is_none());
    }
}
