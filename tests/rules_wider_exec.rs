//! Fixed code of the wider families, run: in Python and in Node every variant works before and after on benign input,
//! and what an attacker reaches before, nobody reaches after.
#![allow(clippy::disallowed_methods, reason = "the tests run python3 and node on files of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod house;

use agent::scan::Scanner;
use std::path::Path;
use std::process::Command;

/// A program, what is asked of it, and what it says before and after the fix.
struct Case {
    family: &'static str,
    code: &'static str,
    check: &'static str,
    before: &'static str,
    after: &'static str,
}

/// Fixes everything of a family, one finding after the other.
fn fixed(path: &str, family: &str, code: &str) -> String {
    let mut text = code.to_owned();
    for _ in 0..20 {
        let findings = Scanner::new().scan_text(path, &text);
        let fix = findings
            .iter()
            .filter(|finding| finding.family.facts().name == family)
            .find_map(|finding| finding.fix.as_ref());
        match fix {
            Some(fix) => text = fix.apply(&text).expect("edits fit the text"),
            None => return text,
        }
    }
    panic!("fixing does not end\n{text}");
}

/// What the check prints; `None`, said loudly, on a machine without the interpreter or a package.
fn run(folder: &Path, python: bool, code: &str, check: &str) -> Option<String> {
    let (program, app, asks) =
        if python { ("python3", "app.py", "check.py") } else { ("node", "app.js", "check.js") };
    std::fs::write(folder.join(app), code).unwrap();
    std::fs::write(folder.join(asks), check).unwrap();
    let mut command = Command::new(program);
    if python {
        command.arg("-B");
    }
    let Ok(output) = command.arg(asks).current_dir(folder).output() else {
        house::stage::skip(&format!("{program} cannot be started"));
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("ModuleNotFoundError") || said.contains("Cannot find module") {
        house::stage::skip(said.lines().last().unwrap_or(""));
        return None;
    }
    assert!(output.status.success(), "{said}\n{code}");
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn prove(python: bool, cases: &[Case]) {
    let path = if python { "app.py" } else { "app.js" };
    let mut ran = 0;
    for case in cases {
        let folder = tempfile::tempdir().unwrap();
        let after = fixed(path, case.family, case.code);
        assert_ne!(case.code, after, "{}: no fix\n{}", case.family, case.code);
        assert_eq!(
            fixed(path, case.family, &after),
            after,
            "{}: a second run changes something",
            case.family
        );
        let Some(said) = run(folder.path(), python, case.code, case.check) else { continue };
        assert_eq!(said, case.before, "{}, before\n{}", case.family, case.code);
        let Some(said) = run(folder.path(), python, &after, case.check) else { continue };
        assert_eq!(said, case.after, "{}, after\n{after}", case.family);
        ran += 1;
    }
    eprintln!("{ran} variants ran before and after");
}

const PAGE_CHECK: &str = "import app\n\nclient = app.app.test_client()\nprint(client.get(\"/\", query_string={\"name\": \"Ada\"}).get_data(as_text=True))\nprint(\"<script>\" in client.get(\"/\", query_string={\"name\": \"<script>alert(1)</script>\"}).get_data(as_text=True))\n";

macro_rules! page {
    ($body:literal, $shown:literal) => {
        Case {
            family: "cross-site-scripting",
            code: concat!("from flask import Flask, make_response, request\n\napp = Flask(__name__)\n\n\ndef framed(text):\n    return \"<div>\" + text + \"</div>\"\n\n\n@app.get(\"/\")\ndef page():\n    name = request.args.get(\"name\", \"\")\n", $body),
            check: PAGE_CHECK,
            before: concat!($shown, "\nTrue"),
            after: concat!($shown, "\nFalse"),
        }
    };
}

#[test]
fn pages_look_the_same_and_run_no_script() {
    prove(
        true,
        &[
            page!("    return f\"<p>{name}</p>\"\n", "<p>Ada</p>"),
            page!("    return \"<p>\" + name + \"</p>\"\n", "<p>Ada</p>"),
            page!("    return \"<p>%s</p>\" % name\n", "<p>Ada</p>"),
            page!("    return \"<p>{}</p>\".format(name)\n", "<p>Ada</p>"),
            page!(
                "    page = \"<p>\"\n    page += name\n    page += \"</p>\"\n    return page, 200\n",
                "<p>Ada</p>"
            ),
            page!("    answer = make_response(f\"<p>{name}</p>\")\n    return answer\n", "<p>Ada</p>"),
            page!("    return framed(name)\n", "<div>Ada</div>"),
            page!("    return name\n", "Ada"),
            page!("    html = \"<i>\" + name.strip() + \"</i>\"\n    return html\n", "<i>Ada</i>"),
        ],
    );
}

#[test]
fn values_in_templates_and_expressions_are_values() {
    let template = "import app\n\nclient = app.app.test_client()\nprint(client.get(\"/?name=Ada\").get_data(as_text=True))\nprint(client.get(\"/\", query_string={\"name\": \"{{ 7*7 }}\"}).get_data(as_text=True))\n";
    let code = "import app\n\nclient = app.app.test_client()\nprint(client.get(\"/\", query_string={\"expression\": \"2*(3+4)-1\"}).get_data(as_text=True))\ntry:\n    print(client.get(\"/\", query_string={\"expression\": \"__import__('os').getpid() and 5\"}).status_code)\nexcept Exception:\n    print(\"refused\")\n";
    prove(
        true,
        &[
            Case {
                family: "template-injection",
                code: "from flask import Flask, render_template_string, request\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef page():\n    name = request.args[\"name\"]\n    return render_template_string(\"<p>Hello \" + name + \"</p>\")\n",
                check: template,
                before: "<p>Hello Ada</p>\n<p>Hello 49</p>",
                after: "<p>Hello Ada</p>\n<p>Hello {{ 7*7 }}</p>",
            },
            Case {
                family: "template-injection",
                code: "from flask import Flask, request\nfrom jinja2 import Template\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef page():\n    template = Template(\"Hello %s!\" % request.args[\"name\"])\n    return template.render(title=\"x\")\n",
                check: template,
                before: "Hello Ada!\nHello 49!",
                after: "Hello Ada!\nHello {{ 7*7 }}!",
            },
            Case {
                family: "code-injection",
                code: "from flask import Flask, request\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef calculate():\n    return str(eval(request.args[\"expression\"]))\n",
                check: code,
                before: "13\n200",
                after: "13\n500",
            },
        ],
    );
}

#[test]
fn redirects_and_requests_stay_where_they_may_go() {
    let redirect = "import app\n\nclient = app.app.test_client()\nfor target in (\"/account?tab=1\", \"profile\", \"https://evil.example/\", \"//evil.example\", \"/\\\\evil.example\", \"javascript:alert(1)\"):\n    print(client.get(\"/\", query_string={\"next\": target}).headers[\"Location\"])\n";
    let request = "import io\nimport socket\nimport app\n\nsocket.getaddrinfo = lambda host, *rest, **more: [(2, 1, 6, \"\", ({\"public.example\": \"93.184.216.34\"}.get(host, host), 80))]\napp.urlopen = lambda url: io.BytesIO(url.encode())\nclient = app.app.test_client()\nfor url in (\"http://public.example/a\", \"http://127.0.0.1:8080/\", \"http://169.254.169.254/latest\", \"http://10.0.0.1/\", \"file:///etc/passwd\"):\n    answer = client.get(\"/\", query_string={\"url\": url})\n    print(answer.status_code, answer.get_data(as_text=True) if answer.status_code == 200 else \"\")\n";
    prove(
        true,
        &[
            Case {
                family: "open-redirect",
                code: "from flask import Flask, redirect, request\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef leave():\n    return redirect(request.args.get(\"next\"))\n",
                check: redirect,
                before: "/account?tab=1\nprofile\nhttps://evil.example/\n//evil.example\n/%5Cevil.example\njavascript:alert(1)",
                after: "/account?tab=1\nprofile\n/\n/\n/\n/",
            },
            Case {
                family: "server-side-request-forgery",
                code: "from urllib.request import urlopen\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef proxy():\n    text = urlopen(request.args[\"url\"]).read()\n    return {\"text\": text.decode()}\n",
                check: request,
                before: "200 {\"text\":\"http://public.example/a\"}\n\n200 {\"text\":\"http://127.0.0.1:8080/\"}\n\n200 {\"text\":\"http://169.254.169.254/latest\"}\n\n200 {\"text\":\"http://10.0.0.1/\"}\n\n200 {\"text\":\"file:///etc/passwd\"}",
                after: "200 {\"text\":\"http://public.example/a\"}\n\n400 \n400 \n400 \n400",
            },
        ],
    );
}

#[test]
fn what_is_parsed_and_unpacked_reaches_nothing_outside() {
    prove(
        true,
        &[
            Case {
                family: "xml-external-entity",
                code: "import xml.dom.minidom\nimport xml.sax\nimport xml.sax.handler\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n\n@app.post(\"/\")\ndef read():\n    parser = xml.sax.make_parser()\n    parser.setFeature(xml.sax.handler.feature_external_ges, True)\n    document = xml.dom.minidom.parseString(request.get_data(as_text=True), parser)\n    parts = document.documentElement.childNodes\n    return {\"text\": \"\".join(part.data for part in parts)}\n",
                check: "import pathlib\nimport app\n\npathlib.Path(\"secret.txt\").write_text(\"FAKE-canary\")\nclient = app.app.test_client()\nprint(client.post(\"/\", data=\"<a>plain</a>\").json)\nattack = '<!DOCTYPE a [<!ENTITY x SYSTEM \"secret.txt\">]><a>&x;</a>'\nprint(\"canary\" in client.post(\"/\", data=attack).get_data(as_text=True))\n",
                before: "{'text': 'plain'}\nTrue",
                after: "{'text': 'plain'}\nFalse",
            },
            Case {
                family: "path-traversal",
                code: "import tarfile\n\n\ndef unpack(path, folder):\n    with tarfile.open(path) as archive:\n        archive.extractall(folder)\n",
                check: "import io\nimport os\nimport tarfile\nimport app\n\n\ndef pack(path, name):\n    with tarfile.open(path, \"w\") as archive:\n        entry = tarfile.TarInfo(name)\n        entry.size = 2\n        archive.addfile(entry, io.BytesIO(b\"ok\"))\n\n\npack(\"good.tar\", \"a/b.txt\")\npack(\"evil.tar\", \"../evil.txt\")\nos.mkdir(\"out\") if not os.path.exists(\"out\") else None\nos.path.exists(\"evil.txt\") and os.remove(\"evil.txt\")\napp.unpack(\"good.tar\", \"out\")\ntry:\n    app.unpack(\"evil.tar\", \"out\")\nexcept Exception:\n    pass\nprint(open(\"out/a/b.txt\").read(), os.path.exists(\"evil.txt\"))\n",
                before: "ok True",
                after: "ok False",
            },
            Case {
                family: "regex-denial-of-service",
                code: "import re\nfrom flask import Flask, request\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef search():\n    query = request.args[\"q\"]\n    return {\"found\": [word for word in (\"apple\", \"pear\", \"a.c\") if re.search(query, word)]}\n",
                check: "import app\n\nclient = app.app.test_client()\nprint(client.get(\"/?q=app\").json, client.get(\"/?q=a.c\").json, client.get(\"/?q=^.%2B$\").json)\n",
                before: "{'found': ['apple']} {'found': ['a.c']} {'found': ['apple', 'pear', 'a.c']}",
                after: "{'found': ['apple']} {'found': ['a.c']} {'found': []}",
            },
        ],
    );
}

#[test]
fn lines_of_logs_and_headers_stay_one_and_hold_no_secret() {
    prove(
        true,
        &[
            Case {
                family: "log-injection",
                code: "import logging\nfrom flask import Flask, request\n\napp = Flask(__name__)\nlogger = logging.getLogger(\"app\")\n\n\n@app.get(\"/\")\ndef login():\n    name = request.args.get(\"name\")\n    logger.warning(\"login of \" + name)\n    logger.warning(f\"and {name}\")\n    logger.warning(\"and %s\", name)\n    return \"ok\"\n",
                check: "import io\nimport logging\nimport app\n\nheard = io.StringIO()\nlogging.getLogger(\"app\").addHandler(logging.StreamHandler(heard))\nclient = app.app.test_client()\nclient.get(\"/?name=ada\")\nprint(heard.getvalue().split(\"\\n\")[:3])\nheard.truncate(0)\nclient.get(\"/\", query_string={\"name\": \"x\\nERROR forged\"})\nprint(heard.getvalue().count(\"\\n\"))\n",
                before: "['login of ada', 'and ada', 'and ada']\n6",
                after: "['login of ada', 'and ada', 'and ada']\n3",
            },
            Case {
                family: "header-injection",
                code: "from urllib.parse import unquote\n\n\ndef application(environ, start_response):\n    name = unquote(environ[\"QUERY_STRING\"])\n    start_response(\"200 OK\", [(\"X-Name\", \"n=\" + name)])\n    return [b\"ok\"]\n",
                check: "import app\n\nseen = []\nfor query in (\"ada\", \"x%0d%0aSet-Cookie:%20a=1\"):\n    app.application({\"QUERY_STRING\": query}, lambda status, headers: seen.append(headers[0][1]))\nprint(seen[0], \"\\n\" in seen[1])\n",
                before: "n=ada True",
                after: "n=ada False",
            },
            Case {
                family: "sensitive-logging",
                code: "import logging\n\nlogger = logging.getLogger(\"app\")\n\n\ndef login(name, password):\n    logger.warning(\"login of %s with %s\", name, password)\n    logger.warning(f\"login of {name} with {password}\")\n    return True\n",
                check: "import io\nimport logging\nimport app\n\nheard = io.StringIO()\nlogging.getLogger(\"app\").addHandler(logging.StreamHandler(heard))\nprint(app.login(\"ada\", \"FAKE-canary\"), heard.getvalue().count(\"login of ada\"), \"canary\" in heard.getvalue())\n",
                before: "True 2 True",
                after: "True 2 False",
            },
        ],
    );
}

#[test]
fn secrets_cannot_be_guessed_and_files_are_private() {
    prove(
        true,
        &[
            Case {
                family: "weak-randomness",
                code: "import random\nimport string\n\n\ndef make_token():\n    return \"\".join(random.choice(string.ascii_lowercase) for _ in range(12))\n\n\ndef make_otp():\n    return random.randint(100000, 999999)\n",
                check: "import random\nimport app\n\nrandom.seed(1)\none = (app.make_token(), app.make_otp())\nrandom.seed(1)\ntwo = (app.make_token(), app.make_otp())\nprint(len(one[0]), one[0].isalpha(), 100000 <= one[1] <= 999999, one == two)\n",
                before: "12 True True True",
                after: "12 True True False",
            },
            Case {
                family: "insecure-temp-file",
                code: "import tempfile\n\n\ndef report(text):\n    path = tempfile.mktemp(\".txt\", dir=\".\")\n    early = open(path, \"x\") if False else None\n    made = early is None\n    return path, made\n",
                check: "import os\nimport app\n\npath, made = app.report(\"x\")\nprint(path.endswith(\".txt\"), os.path.dirname(os.path.abspath(path)) == os.getcwd(), os.path.exists(path), oct(os.stat(path).st_mode & 0o077) if os.path.exists(path) else \"open\")\n",
                before: "True True False open",
                after: "True True True 0o0",
            },
            Case {
                family: "insecure-permissions",
                code: "import os\n\n\ndef share(path):\n    os.chmod(path, 0o666)\n",
                check: "import os\nimport app\n\nopen(\"a.txt\", \"w\").close()\napp.share(\"a.txt\")\nprint(open(\"a.txt\").read() == \"\", oct(os.stat(\"a.txt\").st_mode & 0o777))\n",
                before: "True 0o666",
                after: "True 0o600",
            },
            Case {
                family: "timing-attack",
                code: "import os\nfrom flask import Flask, abort, request\n\napp = Flask(__name__)\nAPI_KEY = os.environ.get(\"API_KEY\", \"FAKE-key\")\n\n\n@app.get(\"/\")\ndef data():\n    if request.headers.get(\"X-Api-Key\") != API_KEY:\n        abort(401)\n    return \"ok\"\n",
                check: "import app\n\nclient = app.app.test_client()\nprint([client.get(\"/\", headers=headers).status_code for headers in ({\"X-Api-Key\": \"FAKE-key\"}, {\"X-Api-Key\": \"no\"}, {\"X-Api-Key\": \"\"}, {})], \"compare_digest\" in open(\"app.py\").read())\n",
                before: "[200, 401, 401, 401] False",
                after: "[200, 401, 401, 401] True",
            },
            Case {
                family: "insecure-cookie",
                code: "from flask import Flask, make_response\n\napp = Flask(__name__)\n\n\n@app.get(\"/\")\ndef start():\n    response = make_response(\"ok\")\n    response.set_cookie(\"session\", \"x\", max_age=60)\n    return response\n",
                check: "import app\n\ncookie = app.app.test_client().get(\"/\").headers[\"Set-Cookie\"]\nprint(\"session=x\" in cookie, \"Max-Age=60\" in cookie, \"Secure\" in cookie, \"HttpOnly\" in cookie, \"SameSite=Lax\" in cookie)\n",
                before: "True True False False False",
                after: "True True True True True",
            },
            Case {
                family: "weak-hash",
                code: "import hashlib\nimport hmac\n\n\ndef sign(key, text):\n    return hmac.new(key, text, \"md5\").hexdigest()\n\n\ndef signature(text):\n    return hashlib.sha1(text).hexdigest()\n",
                check: "import app\n\nprint(app.sign(b\"k\", b\"t\") == app.sign(b\"k\", b\"t\"), len(app.sign(b\"k\", b\"t\")), len(app.signature(b\"t\")))\n",
                before: "True 32 40",
                after: "True 64 64",
            },
        ],
    );
}

const ANSWER: &str = "const app = require('./app');\nconst ask = (handler, request) => { const out = { headers: {} }; const res = { status(code) { out.status = code; return res; }, type() { return res; }, send(text) { out.body = text; return res; }, json(value) { out.body = JSON.stringify(value); return res; }, end(text) { out.body = text; return res; }, redirect(...args) { out.to = args.pop(); return res; }, cookie(name, value, options) { out.cookie = options || {}; return res; } }; const done = handler({ query: {}, body: {}, params: {}, headers: {}, get(name) { return this.headers[name]; }, ...request }, res); return done && done.then ? done.then(() => out) : out; };\n";

fn node(family: &'static str, code: &'static str, check: &str, before: &'static str, after: &'static str) {
    let check: &'static str = Box::leak(format!("{ANSWER}{check}").into_boxed_str());
    prove(false, &[Case { family, code, check, before, after }]);
}

#[test]
fn node_pages_look_the_same_and_run_no_script() {
    let check = "console.log(ask(app.page, { query: { name: 'Ada' } }).body);\nconsole.log(ask(app.page, { query: { name: '<script>' } }).body.includes('<script>'));\n";
    for code in [
        "exports.page = (req, res) => {\n  res.send(`<p>${req.query.name}</p>`);\n};\n",
        "exports.page = (req, res) => {\n  const { name } = req.query;\n  let html = '<p>';\n  html += name;\n  html += '</p>';\n  res.status(200).send(html);\n};\n",
        "exports.page = function (req, res) {\n  var name = req.query.name || 'nobody';\n  return res.send('<p>' + name + '</p>');\n};\n",
        "exports.page = (req, res) => {\n  const parts = ['<p>', req.query.name, '</p>'];\n  res.send(['<p>', req.query.name, '</p>'].join(''));\n  return parts;\n};\n",
    ] {
        node("cross-site-scripting", code, check, "<p>Ada</p>\ntrue", "<p>Ada</p>\nfalse");
    }
}

#[test]
fn node_values_are_values_and_stay_where_they_may_go() {
    node(
        "code-injection",
        "exports.calc = (req, res) => {\n  try {\n    const result = eval(req.query.expression);\n    res.json({ result });\n  } catch (error) {\n    res.status(400).json({ error: 'bad' });\n  }\n};\n",
        "for (const expression of ['2*(3+4)-1', '-2**2+0.5e1', '10 % 4 / 2', 'process.pid && 5', 'globalThis.x = 1']) {\n  try { console.log(ask(app.calc, { query: { expression } }).body); } catch (error) { console.log('thrown'); }\n}\n"
            .replace("'-2**2+0.5e1'", "'2**3+0.5e1'")
            .as_str(),
        "{\"result\":13}\n{\"result\":13}\n{\"result\":1}\n{\"result\":5}\n{\"result\":1}",
        "{\"result\":13}\n{\"result\":13}\n{\"result\":1}\n{\"error\":\"bad\"}\n{\"error\":\"bad\"}",
    );
    node(
        "open-redirect",
        "exports.leave = (req, res) => {\n  res.redirect(req.query.next);\n};\n",
        "for (const next of ['/account?tab=1', 'https://evil.example/', '//evil.example', '/\\\\evil.example', 'javascript:alert(1)']) {\n  console.log(ask(app.leave, { query: { next } }).to);\n}\n",
        "/account?tab=1\nhttps://evil.example/\n//evil.example\n/\\evil.example\njavascript:alert(1)",
        "/account?tab=1\n/\n/\n/\n/",
    );
    node(
        "server-side-request-forgery",
        "exports.proxy = async (req, res) => {\n  const answer = await fetch(req.query.url);\n  res.json({ text: answer });\n};\n",
        "globalThis.fetch = async (url) => `got ${url}`;\n(async () => {\n  for (const url of ['http://93.184.216.34/a', 'http://127.0.0.1/', 'http://[::1]/', 'http://169.254.169.254/', 'file:///etc/passwd', 'http://2130706433/']) {\n    const out = await ask(app.proxy, { query: { url } });\n    console.log(out.status || 200);\n  }\n})();\n",
        "200\n200\n200\n200\n200\n200",
        "200\n400\n400\n400\n400\n400",
    );
    node(
        "prototype-pollution",
        "function merge(target, source) {\n  for (const key in source) {\n    if (source[key] && typeof source[key] === 'object') {\n      target[key] = target[key] || {};\n      merge(target[key], source[key]);\n    } else {\n      target[key] = source[key];\n    }\n  }\n  return target;\n}\nexports.merge = merge;\n",
        "console.log(JSON.stringify(app.merge({ a: { b: 1 } }, { a: { c: 2 }, d: 3 })));\napp.merge({}, JSON.parse('{\"__proto__\": {\"polluted\": 1}}'));\nconsole.log(({}).polluted);\n",
        "{\"a\":{\"b\":1,\"c\":2},\"d\":3}\n1",
        "{\"a\":{\"b\":1,\"c\":2},\"d\":3}\nundefined",
    );
}

#[test]
fn node_secrets_cannot_be_guessed_and_are_not_told() {
    node(
        "weak-randomness",
        "exports.makeToken = () => {\n  const token = Math.random().toString(36).slice(2);\n  return token;\n};\nexports.makeOtp = () => {\n  const otp = Math.floor(100000 + Math.random() * 900000);\n  return otp;\n};\n",
        "Math.random = () => 0.123456789;\nconst otp = app.makeOtp();\nconsole.log(/^[a-z0-9]+$/.test(app.makeToken()), otp >= 100000 && otp < 1000000, app.makeToken() === app.makeToken());\n",
        "true true true",
        "true true false",
    );
    node(
        "timing-attack",
        "exports.guard = (req, res) => {\n  if (req.get('x-api-key') === process.env.API_KEY) {\n    return res.json({ ok: true });\n  }\n  res.status(401).end();\n};\n",
        "process.env.API_KEY = 'FAKE-key';\nconsole.log([{ 'x-api-key': 'FAKE-key' }, { 'x-api-key': 'no' }, {}].map((headers) => ask(app.guard, { headers }).status || 200).join(' '), require('fs').readFileSync('app.js', 'utf8').includes('timingSafeEqual'));\n",
        "200 401 401 false",
        "200 401 401 true",
    );
    node(
        "insecure-cookie",
        "exports.login = (req, res) => {\n  res.cookie('session', 'x', { maxAge: 1000 });\n  res.end();\n};\n",
        "console.log(JSON.stringify(ask(app.login, {}).cookie));\n",
        "{\"maxAge\":1000}",
        "{\"maxAge\":1000,\"httpOnly\":true,\"secure\":true,\"sameSite\":\"lax\"}",
    );
    node(
        "log-injection",
        "exports.login = (req, res) => {\n  console.log('login of ' + req.body.name);\n  res.end();\n};\n",
        "const heard = [];\nconst say = console.log;\nconsole.log = (...parts) => heard.push(parts.join(' '));\nask(app.login, { body: { name: 'ada' } });\nask(app.login, { body: { name: 'x\\nERROR forged' } });\nsay(heard[0], heard[1].includes('\\n'));\n",
        "login of ada true",
        "login of ada false",
    );
    node(
        "regex-denial-of-service",
        "exports.search = (req, res) => {\n  const pattern = new RegExp(req.query.q, 'i');\n  res.json(['apple', 'a.c'].filter((word) => pattern.test(word)));\n};\n",
        "console.log(ask(app.search, { query: { q: 'APP' } }).body, ask(app.search, { query: { q: 'a.c' } }).body, ask(app.search, { query: { q: '^.+$' } }).body);\n",
        "[\"apple\"] [\"a.c\"] [\"apple\",\"a.c\"]",
        "[\"apple\"] [\"a.c\"] []",
    );
}
