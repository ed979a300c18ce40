//! Fixed Python code, run: passwords that are hashed and verified, errors that are answered. Every variant works
//! before and after on benign input; what an attacker gets before, nobody gets after.
#![allow(clippy::disallowed_methods, reason = "the tests run python3 on files of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod house;

use agent::scan::Scanner;
use std::path::Path;
use std::process::Command;

/// Fixes everything of a family, one finding after the other.
fn fixed(family: &str, code: &str) -> String {
    let mut text = code.to_owned();
    for _ in 0..20 {
        let findings = Scanner::new().scan_text("app.py", &text);
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

/// What a program prints; `None`, said loudly, on a machine without python3 or without what the program imports.
fn run(folder: &Path, code: &str, check: &str) -> Option<String> {
    std::fs::write(folder.join("app.py"), code).unwrap();
    std::fs::write(folder.join("check.py"), check).unwrap();
    let output = Command::new("python3").args(["-B", "check.py"]).current_dir(folder).output();
    let Ok(output) = output else {
        house::stage::skip("python3 cannot be started");
        return None;
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("ModuleNotFoundError") {
        house::stage::skip(said.lines().last().unwrap_or(""));
        return None;
    }
    assert!(output.status.success(), "{said}\n{code}");
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where the password is kept and how it is asked for; `MAKE(x)` and `ALGO` are filled in.
const STORES: &[(&str, &str)] = &[
    (
        "a dict with a function that hashes",
        "import hashlib\n\nUSERS = {}\n\n\ndef hash_password(password):\n    return MAKE(password)\n\n\ndef register(name, password):\n    USERS[name] = hash_password(password)\n\n\ndef login(name, password):\n    return name in USERS and USERS[name] == hash_password(password)\n\n\ndef stored():\n    return list(USERS.values())\n",
    ),
    (
        "a dict that is asked with get",
        "import hashlib\n\nUSERS = {}\n\n\ndef register(name, password):\n    USERS[name] = MAKE(password)\n\n\ndef login(name, password):\n    digest = MAKE(password)\n    if USERS.get(name) != digest:\n        return False\n    return True\n\n\ndef stored():\n    return list(USERS.values())\n",
    ),
    (
        "a class with a method that hashes",
        "import hashlib\n\n\nclass Accounts:\n    def __init__(self):\n        self.rows = {}\n\n    def _digest(self, password):\n        return MAKE(password)\n\n    def add(self, name, password):\n        self.rows[name] = {\"password\": self._digest(password)}\n\n    def matches(self, name, password):\n        row = self.rows.get(name)\n        if not row:\n            return False\n        return row[\"password\"] == self._digest(password)\n\n\nACCOUNTS = Accounts()\n\n\ndef register(name, password):\n    ACCOUNTS.add(name, password)\n\n\ndef login(name, password):\n    return ACCOUNTS.matches(name, password)\n\n\ndef stored():\n    return [row[\"password\"] for row in ACCOUNTS.rows.values()]\n",
    ),
    (
        "a table that is asked for the hash",
        "import hashlib\nimport sqlite3\n\nDB = sqlite3.connect(\":memory:\")\nDB.execute(\"CREATE TABLE users (name TEXT, password TEXT)\")\n\n\ndef register(name, password):\n    DB.execute(\"INSERT INTO users (name, password) VALUES (?, ?)\", (name, MAKE(password)))\n\n\ndef login(name, password):\n    digest = MAKE(password)\n    cursor = DB.cursor()\n    cursor.execute(\"SELECT name FROM users WHERE name = ? AND password = ? LIMIT 1\", (name, digest))\n    row = cursor.fetchone()\n    return row is not None and row[0] == name\n\n\ndef stored():\n    return [row[0] for row in DB.execute(\"SELECT password FROM users\")]\n",
    ),
    (
        "a table, chained",
        "import hashlib\nimport sqlite3\n\nDB = sqlite3.connect(\":memory:\")\nDB.row_factory = sqlite3.Row\nDB.execute(\"CREATE TABLE users (name TEXT, password TEXT)\")\n\n\ndef register(name, password):\n    DB.execute(\"INSERT INTO users (name, password) VALUES (?, ?)\", (name, MAKE(password)))\n\n\ndef login(name, password):\n    return bool(DB.execute(\"SELECT * FROM users WHERE password = ? AND name = ?\", (MAKE(password), name)).fetchone())\n\n\ndef stored():\n    return [row[0] for row in DB.execute(\"SELECT password FROM users\")]\n",
    ),
    (
        "a pair of helpers that compare in constant time",
        "import hashlib\nimport hmac\n\nUSERS = {}\n\n\ndef make_hash(pwd):\n    \"\"\"Hashes.\"\"\"\n    return MAKE(pwd)\n\n\ndef check_hash(pwd, stored_hash):\n    \"\"\"Compares.\"\"\"\n    return hmac.compare_digest(make_hash(pwd), stored_hash)\n\n\ndef register(name, pwd):\n    USERS[name] = make_hash(pwd)\n\n\ndef login(name, pwd):\n    return name in USERS and check_hash(pwd, USERS[name])\n\n\ndef stored():\n    return list(USERS.values())\n",
    ),
    (
        "a Flask application with an account made at start",
        "import hashlib\nfrom flask import Flask, request\n\napp = Flask(__name__)\nUSERS = {\"root\": hashlib.ALGO(b\"toor\").hexdigest()}\n\n\n@app.post(\"/register\")\ndef register_view():\n    password = request.form[\"password\"]\n    USERS[request.form[\"name\"]] = hashlib.ALGO(password.encode()).hexdigest()\n    return \"ok\"\n\n\n@app.post(\"/login\")\ndef login_view():\n    digest = hashlib.ALGO(request.form[\"password\"].encode()).hexdigest()\n    if USERS.get(request.form[\"name\"]) == digest:\n        return \"welcome\"\n    return \"denied\", 401\n\n\ndef register(name, password):\n    app.test_client().post(\"/register\", data={\"name\": name, \"password\": password})\n\n\ndef login(name, password):\n    return app.test_client().post(\"/login\", data={\"name\": name, \"password\": password}).status_code == 200\n\n\ndef stored():\n    assert login(\"root\", \"toor\")\n    return list(USERS.values())\n",
    ),
    (
        "a digest that is fed step by step",
        "import hashlib\n\nUSERS = {}\n\n\ndef register(name, password):\n    digest = hashlib.ALGO()\n    digest.update(password.encode(\"utf-8\"))\n    USERS[name] = digest.hexdigest()\n\n\ndef login(name, password):\n    digest = hashlib.ALGO()\n    digest.update(password.encode(\"utf-8\"))\n    return USERS.get(name) == digest.hexdigest()\n\n\ndef stored():\n    return list(USERS.values())\n",
    ),
];

/// Ways to write a fast hash of `X`.
const MAKES: &[&str] = &[
    "hashlib.md5(X.encode()).hexdigest()",
    "hashlib.sha256((\"pepper\" + X).encode(\"utf-8\")).hexdigest()",
    "hashlib.new(\"sha1\", bytes(X, \"utf-8\")).hexdigest()",
    "hashlib.sha512(f\"salt{X}\".encode()).hexdigest()",
];

const PASSWORD_CHECK: &str = "import hashlib\nimport app\n\nfor name in (\"ada\", \"grace\"):\n    app.register(name, \"correct horse\")\nworks = [app.login(\"ada\", \"correct horse\"), app.login(\"ada\", \"wrong\"), app.login(\"nobody\", \"x\"), app.login(\"ada\", \"\")]\nhashes = app.stored()\ncracked = len(set(hashes)) < len(hashes)\nprint([bool(one) for one in works], \"cracked\" if cracked else \"held\")\n";

fn spelled(make: &str, template: &str) -> String {
    let mut code = template.replace("hashlib.ALGO", "hashlib.sha1");
    for name in ["request.form[\"password\"]", "password", "pwd"] {
        code = code.replace(&format!("MAKE({name})"), &make.replace('X', name));
    }
    code
}

#[test]
fn accounts_work_with_slow_hashes_and_equal_passwords_differ() {
    let folder = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for (what, template) in STORES {
        let makes = if template.contains("MAKE") { MAKES } else { &MAKES[..1] };
        for make in makes {
            let before = spelled(make, template);
            let after = fixed("weak-password-hash", &before);
            assert_ne!(before, after, "{what} with {make}: no fix");
            let Some(said) = run(folder.path(), &before, PASSWORD_CHECK) else { continue };
            assert_eq!(said, "[True, False, False, False] cracked", "{what} with {make}, before");
            let Some(said) = run(folder.path(), &after, PASSWORD_CHECK) else { continue };
            assert_eq!(said, "[True, False, False, False] held", "{what} with {make}, after\n{after}");
            ran += 1;
        }
    }
    eprintln!("{ran} variants of password storage ran before and after");
}

/// Answers of a Flask view when something fails; `e` is the error.
const FLASK_ANSWERS: &[&str] = &[
    "return str(e), 500",
    "return repr(e), 500",
    "return f\"Lookup failed: {e}\", 500",
    "return \"Lookup failed: %s\" % e, 500",
    "return \"Lookup failed: {}\".format(e), 500",
    "return \"<p>\" + str(e) + \"</p>\", 500",
    "return {\"error\": str(e), \"ok\": False}, 500",
    "return jsonify(error=str(e)), 500",
    "return jsonify({\"error\": e.args[0]}), 500",
    "return make_response(str(e), 500)",
    "return Response(traceback.format_exc(), status=500)",
    "return make_response(jsonify(detail=traceback.format_exc().splitlines()), 500)",
    "abort(500, str(e))",
    "message = str(e)\n        return jsonify(message=message), 500",
    "answer = {\"ok\": False}\n        answer[\"why\"] = str(e)\n        return answer, 500",
    "return problem(str(e))",
    "return problem(e)",
    "response = jsonify(error=repr(e))\n        response.status_code = 500\n        return response",
    "_, error, _ = sys.exc_info()\n        return str(error), 500",
    "return \"failed \" + \"\".join(traceback.format_exception(type(e), e, e.__traceback__)), 500",
];

const FLASK: &str = "import sys\nimport traceback\nfrom flask import Flask, Response, abort, jsonify, make_response, request\n\napp = Flask(__name__)\nROWS = {\"1\": \"first\"}\n\n\ndef problem(reason):\n    return jsonify(error=str(reason)), 500\n\n\ndef find(key):\n    if key not in ROWS:\n        raise RuntimeError(\"FAKE-canary: /srv/rows.db has no \" + key)\n    return ROWS[key]\n\n\n@app.get(\"/row\")\ndef row():\n    try:\n        return find(request.args[\"key\"])\n    except RuntimeError as e:\n        ANSWER\n";

const FLASK_CHECK: &str = "import logging\nimport app\n\nheard = []\n\n\nclass Ear(logging.Handler):\n    def emit(self, record):\n        heard.append(self.format(record))\n\n\nlogging.getLogger().addHandler(Ear())\nclient = app.app.test_client()\ngood = client.get(\"/row?key=1\")\nbad = client.get(\"/row?key=2\")\nshape = bad.mimetype\ntells = any(word in bad.get_data(as_text=True) for word in (\"canary\", \"Traceback\", \".py\"))\nprint(good.status_code, good.get_data(as_text=True), bad.status_code, shape, \"tells\" if tells else \"silent\", any(\"canary\" in line for line in heard))\n";

#[test]
fn views_answer_errors_with_the_same_status_and_type_but_no_details() {
    let folder = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for answer in FLASK_ANSWERS {
        let before = FLASK.replace("ANSWER", answer);
        let after = fixed("error-disclosure", &before);
        assert_ne!(before, after, "`{answer}`: no fix");
        let Some(first) = run(folder.path(), &before, FLASK_CHECK) else { return };
        let Some(second) = run(folder.path(), &after, FLASK_CHECK) else { return };
        assert!(first.contains("200 first 500") && first.contains(" tells "), "`{answer}`, before: {first}");
        let head = first.split(" tells").next().unwrap();
        assert_eq!(second, format!("{head} silent True"), "`{answer}`, after\n{after}");
        ran += 1;
    }
    eprintln!("{ran} variants of error answers ran before and after");
}

const WSGI_ANSWERS: &[&str] = &[
    "return answer(start_response, str(error).encode())",
    "return answer(start_response, f\"failed: {error}\".encode(\"utf-8\"))",
    "return answer(start_response, traceback.format_exc().encode())",
    "start_response(\"500 Internal Server Error\", [])\n        return [str(error).encode()]",
    "start_response(\"500 Internal Server Error\", [])\n        return [json.dumps({\"error\": repr(error)}).encode()]",
    "body = \"<pre>%s</pre>\" % traceback.format_exc()\n        start_response(\"500 Internal Server Error\", [])\n        return [body.encode()]",
];

const WSGI: &str = "import json\nimport logging\nimport traceback\n\nlog = logging.getLogger(\"app\")\n\n\ndef answer(start_response, body):\n    start_response(\"500 Internal Server Error\", [(\"Content-Type\", \"text/plain\")])\n    return [body]\n\n\ndef application(environ, start_response):\n    try:\n        body = open(environ[\"PATH_INFO\"], \"rb\").read()[:0] + b\"found\"\n    except Exception as error:\n        ANSWER\n    start_response(\"200 OK\", [])\n    return [body]\n";

const WSGI_CHECK: &str = "import logging\nimport app\n\nheard = []\n\n\nclass Ear(logging.Handler):\n    def emit(self, record):\n        heard.append(self.format(record))\n\n\nlogging.getLogger().addHandler(Ear())\n\n\ndef get(path):\n    begun = []\n    chunks = app.application({\"PATH_INFO\": path}, lambda status, headers: begun.append(status))\n    return begun[0][:3], b\"\".join(chunks).decode()\n\n\nstatus, body = get(\"/nowhere/canary\")\ntells = any(word in body for word in (\"canary\", \"Traceback\", \"Errno\", \"No such\"))\nprint(*get(\"/dev/null\"), status, \"tells\" if tells else \"silent\", any(\"canary\" in line for line in heard))\n";

#[test]
fn bare_wsgi_answers_errors_without_details() {
    let folder = tempfile::tempdir().unwrap();
    for answer in WSGI_ANSWERS {
        let before = WSGI.replace("ANSWER", answer);
        let after = fixed("error-disclosure", &before);
        assert_ne!(before, after, "`{answer}`: no fix");
        let Some(first) = run(folder.path(), &before, WSGI_CHECK) else { return };
        let Some(second) = run(folder.path(), &after, WSGI_CHECK) else { return };
        assert_eq!(first, "200 found 500 tells False", "`{answer}`, before");
        assert_eq!(second, "200 found 500 silent True", "`{answer}`, after\n{after}");
    }
}
