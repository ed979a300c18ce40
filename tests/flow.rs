//! What the flow engine sees through and what it forgets: pairs that differ in one constant, key or check.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says where"
)]

use agent::scan::Scanner;

const HEAD: &str = "import os, re, base64, html, shlex, sqlite3, subprocess\nimport configparser\nfrom urllib.parse import quote, unquote\nfrom flask import Flask, request, abort\n\napp = Flask(__name__)\nSAFE = re.compile(r'[a-z]+')\nALLOWED = {'a', 'b'}\n\n\n";

/// Puts the body into a handler and says whether a command injection is found.
fn is_found(body: &str) -> bool {
    let indented = format!("    {}\n", body.lines().collect::<Vec<_>>().join("\n    "));
    let code = format!("{HEAD}@app.route('/x')\ndef handler():\n{indented}    return 'ok'\n");
    let findings = Scanner::new().scan_text("app.py", &code);
    findings.iter().any(|finding| finding.rule == "python-command-injection")
}

fn is_found_in(code: &str) -> bool {
    let findings = Scanner::new().scan_text("app.py", &format!("{HEAD}{code}"));
    findings.iter().any(|finding| finding.rule == "python-command-injection")
}

#[test]
fn a_value_is_followed_or_forgotten_as_the_code_does() {
    let table: &[(&str, bool)] = &[
        ("x = request.args['x']\nos.system('id ' + x)", true),
        ("x = request.args['x']\nx = 'a'\nos.system('id ' + x)", false),
        ("x = request.args['x']\ny = x if 7 * 6 > 200 else 'a'\nos.system('id ' + y)", false),
        ("x = request.args['x']\ny = x if 7 * 6 < 200 else 'a'\nos.system('id ' + y)", true),
        (
            "x = request.args['x']\nn = 106\nif 7 * 18 + n > 200:\n    y = 'safe'\nelse:\n    y = x\nos.system('id ' + y)",
            false,
        ),
        (
            "x = request.args['x']\nitems = ['safe', x, 'more']\nitems.pop(0)\nos.system('id ' + items[0])",
            true,
        ),
        (
            "x = request.args['x']\nitems = ['safe', x, 'more']\nitems.pop(0)\nos.system('id ' + items[1])",
            false,
        ),
        ("x = request.args['x']\nd = {'a': 'safe', 'b': x}\nos.system('id ' + d['a'])", false),
        ("x = request.args['x']\nd = {'a': 'safe', 'b': x}\nos.system('id ' + d['b'])", true),
        ("x = request.args['x']\nd = {}\nd['a'] = x\nd['b'] = 'safe'\nos.system('id ' + d['b'])", false),
        ("x = request.args['x']\nd = {}\nd['a'] = x\nd['b'] = 'safe'\nos.system('id ' + d.get('a'))", true),
        (
            "x = request.args['x']\ny = base64.b64decode(base64.b64encode(x.encode())).decode()\nos.system('id ' + y)",
            true,
        ),
        ("x = request.args.getlist('x')\nsubprocess.run(['git', 'log'] + x)", false),
        ("x = request.args.getlist('x')\nsubprocess.run(['sh', '-c'] + x)", true),
        ("x = request.args['x']\nos.system('id ' + html.escape(x))", true),
        ("x = request.args['x']\nos.system('id ' + shlex.quote(x))", false),
        ("x = request.args['x']\nif x not in ALLOWED:\n    abort(400)\nos.system('id ' + x)", false),
        ("x = request.args['x']\nif x in ALLOWED:\n    pass\nos.system('id ' + x)", true),
        ("x = request.args['x']\nif not SAFE.fullmatch(x):\n    return 'no'\nos.system('id ' + x)", false),
        ("x = request.args['x']\nif not SAFE.match(x):\n    return 'no'\nos.system('id ' + x)", true),
        (
            "x = request.args['x']\nif not re.fullmatch(r'[\\w-]+', x):\n    return 'no'\nos.system('id ' + x)",
            false,
        ),
        (
            "x = request.args['x']\nif not re.fullmatch(r'.+', x):\n    return 'no'\nos.system('id ' + x)",
            true,
        ),
        ("x = request.args['x']\nif not x.isalnum():\n    return 'no'\nos.system('id ' + x)", false),
        ("x = int(request.args['x'])\nos.system(f'id {x}')", false),
        ("x = request.args.get('x', type=int)\nos.system(f'id {x}')", false),
        (
            "x = request.args['x']\nc = configparser.ConfigParser()\nc.add_section('s')\nc.set('s', 'a', 'safe')\nc.set('s', 'b', x)\nos.system('id ' + c.get('s', 'a'))",
            false,
        ),
        (
            "x = request.args['x']\nc = configparser.ConfigParser()\nc.add_section('s')\nc.set('s', 'a', 'safe')\nc.set('s', 'b', x)\nos.system('id ' + c.get('s', 'b'))",
            true,
        ),
        (
            "x = request.args['x']\nguess = 'ABC'[1]\nmatch guess:\n    case 'A':\n        y = x\n    case 'B':\n        y = 'safe'\n    case _:\n        y = x\nos.system('id ' + y)",
            false,
        ),
        (
            "x = request.args['x']\nguess = 'ABC'[0]\nmatch guess:\n    case 'A':\n        y = x\n    case 'B':\n        y = 'safe'\n    case _:\n        y = 'b'\nos.system('id ' + y)",
            true,
        ),
        ("y = ''\nfor name in request.headers.keys():\n    y = name\n    break\nos.system('id ' + y)", true),
        ("parts = ['id', request.args['x']]\nos.system(' '.join(parts))", true),
        ("parts = ['id', 'a']\nos.system(' '.join(parts))", false),
        (
            "x = request.query_string.decode('utf-8')\nx = x[x.find('=') + 1:]\nos.system('id ' + unquote(x))",
            true,
        ),
        ("try:\n    x = request.args['x']\nexcept KeyError:\n    x = 'a'\nos.system('id ' + x)", true),
        ("x = request.args['x']\nwhile True:\n    x = 'safe'\n    break\nos.system('id ' + x)", false),
        ("f = lambda v: 'id ' + v\nos.system(f(request.args['x']))", true),
        ("f = lambda v: 'id'\nos.system(f(request.args['x']))", false),
        ("a, b = 'safe', request.args['x']\nos.system('id ' + a)", false),
        ("a, b = 'safe', request.args['x']\nos.system('id ' + b)", true),
        ("x = request.args['x']\nsubprocess.run(['id', x])", false),
        ("x = request.args['x']\nsubprocess.run(['sh', '-c', 'id ' + x])", true),
        ("x = request.args['x']\nsubprocess.run('id ' + x, shell=False)", true),
        ("cmd = 'id'\ncmd += ' ' + request.args['x']\nos.system(cmd)", true),
        ("x = request.args['x']\nassert x in ALLOWED\nos.system('id ' + x)", true),
    ];
    let wrong: Vec<String> = table
        .iter()
        .filter(|(body, expected)| is_found(body) != *expected)
        .map(|(body, expected)| format!("expected {expected}:\n{body}"))
        .collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n----\n"));
}

#[test]
fn calls_objects_and_closures_are_followed() {
    let table: &[(&str, bool)] = &[
        (
            "def clean(v):\n    return shlex.quote(v)\n\n\n@app.route('/')\ndef h():\n    os.system('id ' + clean(request.args['x']))\n",
            false,
        ),
        (
            "def same(v):\n    return v\n\n\n@app.route('/')\ndef h():\n    os.system('id ' + same(request.args['x']))\n",
            true,
        ),
        (
            "def run(v):\n    os.system('id ' + v)\n\n\n@app.route('/')\ndef h():\n    run(request.args['x'])\n",
            true,
        ),
        ("def run(v):\n    os.system('id ' + v)\n\n\nrun('a')\n", false),
        (
            "def check(v):\n    if v not in ALLOWED:\n        abort(400)\n\n\n@app.route('/')\ndef h():\n    x = request.args['x']\n    check(x)\n    os.system('id ' + x)\n",
            false,
        ),
        (
            "def is_safe(v):\n    return v in ALLOWED\n\n\n@app.route('/')\ndef h():\n    x = request.args['x']\n    if not is_safe(x):\n        return 'no'\n    os.system('id ' + x)\n",
            false,
        ),
        (
            "class Wrapper:\n    def __init__(self, r):\n        self.r = r\n\n    def get(self, name):\n        return self.r.args[name]\n\n    def safe(self, name):\n        return 'bar'\n\n\n@app.route('/')\ndef h():\n    w = Wrapper(request)\n    os.system('id ' + w.safe('x'))\n",
            false,
        ),
        (
            "class Wrapper:\n    def __init__(self, r):\n        self.r = r\n\n    def get(self, name):\n        return self.r.args[name]\n\n\n@app.route('/')\ndef h():\n    w = Wrapper(request)\n    os.system('id ' + w.get('x'))\n",
            true,
        ),
        (
            "def create():\n    app = Flask('x')\n\n    @app.route('/')\n    def h():\n        os.system('id ' + request.args['x'])\n\n    return app\n",
            true,
        ),
        ("@app.route('/<int:n>')\ndef h(n):\n    os.system(f'id {n}')\n", false),
        ("@app.route('/<n>')\ndef h(n):\n    os.system(f'id {n}')\n", true),
        ("def tool(path: str):\n    os.system('id ' + path)\n", true),
        ("def tool(count: int):\n    os.system(f'id {count}')\n", false),
        ("def tool():\n    os.system('id ' + 'a')\n", false),
        (
            "def deep(n):\n    return deep(n - 1) if n else request.args['x']\n\n\n@app.route('/')\ndef h():\n    os.system('id ' + deep(len(request.path)))\n",
            true,
        ),
    ];
    let wrong: Vec<String> = table
        .iter()
        .filter(|(code, expected)| is_found_in(code) != *expected)
        .map(|(code, expected)| format!("expected {expected}:\n{code}"))
        .collect();
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n----\n"));
}

#[test]
fn a_suppression_needs_a_reason() {
    let code = |comment: &str| {
        format!("{HEAD}@app.route('/')\ndef h():\n    {comment}\n    os.system('id ' + request.args['x'])\n")
    };
    let count = |comment: &str| Scanner::new().scan_text("app.py", &code(comment)).len();
    assert_eq!(count("pass"), 1);
    assert_eq!(count("# agent: ignore[python-command-injection]"), 1);
    assert_eq!(count("# agent: ignore[python-sql-injection] another rule"), 1);
    assert_eq!(count("# agent: ignore[python-command-injection] the gateway admits only known names"), 0);
}

#[test]
fn ids_do_not_move_with_the_lines_above() {
    let code = format!("{HEAD}@app.route('/')\ndef h():\n    os.system('id ' + request.args['x'])\n");
    let first = Scanner::new().scan_text("app.py", &code);
    let second = Scanner::new().scan_text("app.py", &code.replace("app = Flask", "\n\n# more\napp = Flask"));
    assert_eq!(first[0].id, second[0].id);
    assert_ne!(first[0].span.line, second[0].span.line);
}

#[test]
fn calls_are_followed_into_other_files() {
    let dao = "import sqlite3\n\n\ndef find(conn, name):\n    return conn.execute(f\"SELECT 1 FROM t WHERE n = '{name}'\")\n";
    let views = "from flask import Flask, request\nfrom app.dao import find\n\napp = Flask(__name__)\n\n\n@app.route('/u', methods=['POST'])\ndef user():\n    return find(None, request.form['n'])\n";
    let findings = Scanner::new().scan_texts(&[("app/dao.py", dao), ("app/views.py", views)]);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].path, "app/dao.py");
    assert_eq!(findings[0].within.as_deref(), Some("find (POST /u)"));
    assert_eq!(findings[0].severity, agent::finding::Severity::Critical);
    let alone = Scanner::new().scan_text("app/dao.py", dao);
    assert_eq!(alone[0].severity, agent::finding::Severity::Medium);
}

#[test]
fn a_statement_handed_to_a_helper_is_fixed_where_it_is_built() {
    let code = "import sqlite3\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n\ndef query_db(query, args=(), one=False):\n    cur = sqlite3.connect('x').execute(query, args)\n    return cur.fetchall()\n\n\n@app.route('/u')\ndef user():\n    name = request.args['n']\n    return {'u': query_db(\"SELECT * FROM users WHERE name = '\" + name + \"'\")}\n";
    let findings = Scanner::new().scan_text("app.py", code);
    assert_eq!(findings.len(), 1, "{findings:?}");
    let fixed = findings[0].fix.as_ref().expect("a fix").apply(code).unwrap();
    assert!(fixed.contains("query_db(\"SELECT * FROM users WHERE name = ?\", (name,))"), "{fixed}");
}
