//! Fixes of generated programs: every fixed text parses, lines nobody had to touch are as they were, the finding is
//! gone, a second run changes nothing; and run for real, benign input gives what it gave and the exploit fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the tests run what they fixed, in folders of their own")]

mod house;

use agent::finding::Finding;
use agent::scan::Scanner;
use agent::scan::project::SourceFile;
use house::stage::has;
use proptest::prelude::*;
use std::path::Path;
use std::process::Command;

/// Programs a property tries; `PROPTEST_CASES` asks for more.
const CASES: u32 = 8;

/// A program, what an attacker sends, and what a client sends.
#[derive(Debug, Clone)]
struct Program {
    path: &'static str,
    family: &'static str,
    code: String,
    benign: &'static str,
    exploit: &'static str,
}

fn cases() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    ProptestConfig { cases, max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() }
}

fn of_family(scanner: &Scanner, path: &str, code: &str, family: &str) -> Vec<Finding> {
    let found = scanner.scan_text(path, code);
    found.into_iter().filter(|finding| finding.family.facts().name == family).collect()
}

/// Fixes everything of the program's family, one finding after the other, and holds what must hold at each step.
fn fixed(program: &Program) -> String {
    let Program { path, family, code, .. } = program;
    let scanner = Scanner::new();
    let first = of_family(&scanner, path, code, family);
    assert!(!first.is_empty(), "not found\n{code}");
    let mut text = code.clone();
    for _ in 0..10 {
        let found = of_family(&scanner, path, &text, family);
        let Some(finding) = found.iter().find(|finding| finding.fix.is_some()) else { break };
        let next = finding.fix.as_ref().unwrap().apply(&text).expect("the edits fit");
        let parsed = SourceFile::parse(path, next.clone()).unwrap();
        assert_eq!(parsed.module.errors, 0, "no longer parses\n{next}");
        untouched_lines_are_as_they_were(finding, &text, &next);
        let left = of_family(&scanner, path, &next, family);
        assert!(left.len() < found.len(), "the finding is still there\n{next}");
        text = next;
    }
    let left = of_family(&scanner, path, &text, family);
    assert!(left.is_empty(), "{:?}\n{text}", left.iter().map(|one| &one.why_no_fix).collect::<Vec<_>>());
    text
}

/// Lines that no edit begins, ends or lies in are there, in their order, byte for byte.
fn untouched_lines_are_as_they_were(finding: &Finding, before: &str, after: &str) {
    let edits = &finding.fix.as_ref().unwrap().edits;
    let mut at = 0;
    let mut rest = after.split_inclusive('\n');
    for line in before.split_inclusive('\n') {
        let (start, end) = (at, at + line.len());
        at = end;
        let touched = edits.iter().any(|edit| {
            edit.start < end && edit.end > start
                || edit.start == edit.end && edit.start > start && edit.start < end
        });
        if !touched {
            assert!(rest.any(|kept| kept == line), "a line was lost: {line:?}\n{before}\n---\n{after}");
        }
    }
}

/// Lines that say nothing about the weakness, in the ways people write them.
fn noise() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("# nothing to see here".to_owned()),
        Just("LIMIT = 20".to_owned()),
        Just("TEXT = \"it's \\\"quoted\\\" {braces} %s\"".to_owned()),
        Just("WIDE = 'naïve café 日本'".to_owned()),
        Just("def helper(value):\n    \"\"\"Doc.\"\"\"\n    return value * 2  # twice".to_owned()),
        Just("class Box:\n\tsize = 1\n".to_owned()),
        Just(String::new()),
    ];
    prop::collection::vec(line, 0..4).prop_map(|lines| lines.join("\n"))
}

fn js_noise() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("// nothing to see here".to_owned()),
        Just("var LIMIT = 20;".to_owned()),
        Just("var TEXT = 'it is \"quoted\" {braces} %s'".to_owned()),
        Just("var WIDE = `naïve café 日本`;".to_owned()),
        Just("/** Twice. */\nfunction helper(value) { return value * 2; }".to_owned()),
        Just(String::new()),
    ];
    prop::collection::vec(line, 0..4).prop_map(|lines| lines.join("\n"))
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["name", "term", "user_name", "q"])
}

/// `SELECT … WHERE name = '<name>'` put together in one of the ways there are.
fn python_sql() -> impl Strategy<Value = Program> {
    let built = prop::sample::select(vec![
        "conn.execute(\"SELECT id, name FROM users WHERE name = '\" + NAME + \"'\")",
        "conn.execute(f\"SELECT id, name FROM users WHERE name = '{NAME}'\")",
        "conn.execute(\"SELECT id, name FROM users WHERE name = '%s'\" % NAME)",
        "conn.execute(\"SELECT id, name FROM users WHERE name = '%s'\" % (NAME,))",
        "conn.execute(\"SELECT id, name FROM users WHERE name = '{}'\".format(NAME))",
        "conn.execute(\n        \"SELECT id, name \"\n        f\"FROM users WHERE name = '{NAME}'\"\n    )",
        "conn.cursor().execute(\"SELECT id, name FROM users WHERE id > 0 AND name = '\" + NAME + \"' ORDER BY id\")",
    ]);
    let source = prop::sample::select(vec![
        "request.args.get(\"name\", \"\")",
        "request.args[\"name\"]",
        "str(request.args.get(\"name\"))",
    ]);
    (built, source, name(), noise(), noise(), any::<bool>()).prop_map(
        |(built, source, name, before, after, variable)| {
            let call = built.replace("NAME", name);
            let body = match call.strip_prefix("conn.execute(").and_then(|rest| rest.strip_suffix(')')) {
                Some(text) if variable && !text.starts_with('\n') => {
                    format!("    query = {text}\n    rows = conn.execute(query).fetchall()\n")
                }
                _ => format!("    rows = {call}.fetchall()\n"),
            };
            let code = format!(
                "import sqlite3\n\nfrom flask import Flask, request\n\napp = Flask(__name__)\n{before}\n\n\n@app.route(\"/users\")\ndef \
                 handle():\n    conn = sqlite3.connect(\"app.db\")\n    {name} = {source}\n{body}    return [list(row) for row in rows]\n\n\n{after}\n"
            );
            let (benign, exploit) = ("ann", "x' OR '1'='1");
            Program { path: "app.py", family: "sql-injection", code, benign, exploit }
        },
    )
}

/// A file below a folder, read by the name a client gives.
fn python_path() -> impl Strategy<Value = Program> {
    let body = prop::sample::select(vec![
        "    with open(os.path.join(BASE, NAME)) as file:\n        return file.read()\n",
        "    path = os.path.join(BASE, NAME)\n    with open(path, encoding=\"utf-8\") as file:\n        return file.read()\n",
        "    return open(BASE + \"/\" + NAME).read()\n",
        "    path = f\"{BASE}/{NAME}\"\n    return open(path).read()\n",
    ]);
    (body, name(), noise(), noise()).prop_map(|(body, name, before, after)| {
        let code = format!(
            "import os\n\nfrom flask import Flask, request\n\napp = Flask(__name__)\nBASE = \"public\"\n{before}\n\n\n@app.route(\"/file\")\ndef \
             handle():\n    {name} = request.args[\"name\"]\n{}\n\n{after}\n",
            body.replace("NAME", name)
        );
        Program { path: "app.py", family: "path-traversal", code, benign: "note.txt", exploit: "../secret.txt" }
    })
}

/// A program started with an argument that a client gives.
fn python_command() -> impl Strategy<Value = Program> {
    let body = prop::sample::select(vec![
        "    return subprocess.check_output(\"cat public/\" + NAME, shell=True, text=True)\n",
        "    return subprocess.check_output(f\"cat public/{NAME}\", shell=True, text=True)\n",
        "    return subprocess.run(\"cat public/%s\" % NAME, shell=True, capture_output=True, text=True).stdout\n",
        "    command = \"cat public/{}\".format(NAME)\n    return subprocess.check_output(command, shell=True, text=True)\n",
    ]);
    (body, name(), noise(), noise()).prop_map(|(body, name, before, after)| {
        let code = format!(
            "import subprocess\n\nfrom flask import Flask, request\n\napp = Flask(__name__)\n{before}\n\n\n@app.route(\"/show\")\ndef \
             handle():\n    {name} = request.args[\"name\"]\n{}\n\n{after}\n",
            body.replace("NAME", name)
        );
        let (benign, exploit) = ("note.txt", "note.txt; cat secret.txt");
        Program { path: "app.py", family: "command-injection", code, benign, exploit }
    })
}

/// The same on Node: a server of the standard library, asked over loopback.
fn node_command() -> impl Strategy<Value = Program> {
    let call = prop::sample::select(vec![
        "execSync('cat public/' + NAME).toString()",
        "execSync(`cat public/${NAME}`).toString()",
        "execSync(`cat public/${NAME}`, { encoding: 'utf8' })",
    ]);
    (call, name(), js_noise(), js_noise()).prop_map(|(call, name, before, after)| {
        let code = format!(
            "const express = require('express');\nconst {{ execSync }} = require('child_process');\n\nconst app = express();\n{before}\n\n\
             app.get('/show', (req, res) => {{\n  const {name} = req.query.name;\n  const out = {};\n  res.send(out);\n}});\n\n{after}\n\nmodule.exports = \
             app;\n",
            call.replace("NAME", name)
        );
        let (benign, exploit) = ("note.txt", "note.txt; cat secret.txt");
        Program { path: "app.js", family: "command-injection", code, benign, exploit }
    })
}

fn node_path() -> impl Strategy<Value = Program> {
    let call = prop::sample::select(vec![
        "fs.readFileSync(path.join(BASE, NAME), 'utf8')",
        "fs.readFileSync(BASE + '/' + NAME, 'utf8')",
        "fs.readFileSync(`${BASE}/${NAME}`, 'utf8')",
    ]);
    (call, name(), js_noise(), js_noise()).prop_map(|(call, name, before, after)| {
        let code = format!(
            "const express = require('express');\nconst fs = require('fs');\nconst path = require('path');\n\nconst app = express();\nconst BASE = \
             'public';\n{before}\n\napp.get('/file', (req, res) => {{\n  const {name} = req.query.name;\n  const text = {};\n  res.send(text);\n}});\n\n\
             {after}\n\nmodule.exports = app;\n",
            call.replace("NAME", name)
        );
        Program { path: "app.js", family: "path-traversal", code, benign: "note.txt", exploit: "../secret.txt" }
    })
}

/// As much of Flask as the programs use.
const FLASK: &str = "class _Args(dict):\n    pass\n\n\nclass _Request:\n    args = _Args()\n\n\nrequest = _Request()\n\n\nclass HTTPError(Exception):\n    pass\n\n\ndef \
                     abort(code, *words):\n    raise HTTPError(code)\n\n\nclass Flask:\n    def __init__(self, name):\n        self.name = name\n\n    def \
                     route(self, *words, **more):\n        return lambda function: function\n";

/// Calls the handler with what a client sends; what it answers, or that it refused.
const ASK_PYTHON: &str = "import sqlite3, sys\nimport flask\n\nconn = sqlite3.connect('app.db')\nconn.execute('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, \
                          name TEXT)')\nif not conn.execute('SELECT 1 FROM users').fetchone():\n    conn.executemany('INSERT INTO users (name) VALUES (?)', [('ann',), \
                          ('bob',)])\nconn.commit()\nconn.close()\nimport app\nfor value in sys.argv[1:]:\n    flask.request.args['name'] = value\n    try:\n        \
                          print('answer', repr(app.handle()))\n    except Exception as error:\n        print('refused', type(error).__name__)\n";

/// As much of Express as the programs use, over the standard library's server.
const EXPRESS: &str = "const http = require('http');\nmodule.exports = () => {\n  const routes = {};\n  return {\n    get(path, handler) { routes[path] = handler; },\n    \
                       listen(port, host, ready) {\n      const server = http.createServer((req, res) => {\n        const url = new URL(req.url, \
                       'http://127.0.0.1');\n        req.query = Object.fromEntries(url.searchParams);\n        res.status = (code) => { res.statusCode = code; return res; \
                       };\n        res.send = (body) => res.end(String(body));\n        res.sendStatus = (code) => res.status(code).send(code);\n        res.json = (body) => \
                       res.end(JSON.stringify(body));\n        try {\n          routes[url.pathname](req, res);\n        } catch (error) {\n          \
                       res.status(500).send('failed');\n        }\n      });\n      server.listen(port, host, () => ready(server));\n    },\n    routes,\n  };\n};\n";

const ASK_NODE: &str = "const app = require('./app.js');\napp.listen(0, '127.0.0.1', async (server) => {\n  for (const value of process.argv.slice(2)) {\n    const path = \
                        Object.keys(app.routes)[0];\n    const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}?name=${encodeURIComponent(value)}`);\n    \
                        console.log(answer.status === 200 ? 'answer' : 'refused', JSON.stringify(await answer.text()));\n  }\n  server.close();\n  \
                        server.closeAllConnections();\n});\n";

/// What the program answers to these, one line each.
fn answers(path: &str, code: &str, inputs: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        std::fs::write(path, text).unwrap();
    };
    put(path, code);
    put("public/note.txt", "a note\n");
    put("secret.txt", "FAKE-secret-canary\n");
    let is_python = path == "app.py";
    if is_python {
        put("flask.py", FLASK);
        put("ask.py", ASK_PYTHON);
    } else {
        put("node_modules/express/index.js", EXPRESS);
        put("ask.js", ASK_NODE);
    }
    let (program, script) = if is_python { ("python3", "ask.py") } else { ("node", "ask.js") };
    let output = Command::new(program).arg(script).args(inputs).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), inputs.len(), "{said}\n{code}");
    lines
}

/// Fixes a program and runs it before and after.
fn holds_when_run(program: &Program) {
    let text = fixed(program);
    let inputs = [program.benign, program.exploit];
    let before = answers(program.path, &program.code, &inputs);
    let after = answers(program.path, &text, &inputs);
    let leaks = |answer: &str| answer.contains("canary") || answer.contains("bob");
    assert!(before[0].starts_with("answer") && leaks(&before[1]), "no exploit: {before:?}\n{}", program.code);
    assert_eq!(after[0], before[0], "benign input gives something else\n{text}");
    assert!(!leaks(&after[1]), "the exploit still works: {after:?}\n{text}");
}

fn is_there(program: &'static str) -> bool {
    has(program)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn python_sql_is_bound_and_works(program in python_sql()) {
        if is_there("python3") {
            holds_when_run(&program);
        }
    }

    #[test]
    fn python_paths_stay_below_their_folder_and_work(program in python_path()) {
        if is_there("python3") {
            holds_when_run(&program);
        }
    }

    #[test]
    fn python_commands_get_argument_lists_and_work(program in python_command()) {
        if is_there("python3") {
            holds_when_run(&program);
        }
    }

    #[test]
    fn node_commands_get_argument_lists_and_work(program in node_command()) {
        if is_there("node") {
            holds_when_run(&program);
        }
    }

    #[test]
    fn node_paths_stay_below_their_folder_and_work(program in node_path()) {
        if is_there("node") {
            holds_when_run(&program);
        }
    }

    #[test]
    fn what_is_fixed_is_not_fixed_again(program in prop_oneof![python_sql(), python_path(), python_command(), node_path(), node_command()]) {
        let text = fixed(&program);
        let again = Scanner::new().scan_text(program.path, &text);
        let more: Vec<_> = again.iter().filter(|finding| finding.family.facts().name == program.family).collect();
        prop_assert!(more.is_empty(), "{more:?}\n{text}");
    }
}
