"""Attacks the notes example and says which weaknesses are open: `python3 notes_python.py FOLDER [FAMILY…]`.

A word of its own on a fix: it asks neither the scanner nor the project's tests. One line per attack, `open` or
`closed`; exit 0 when all that were asked for are closed, 1 when one is open, 2 when an attack could not be made.
"""

import base64
import hashlib
import hmac
import io
import json
import logging
import os
import pickle
import sqlite3
import sys
import tempfile
import traceback
from urllib.parse import urlencode

FOLDER = os.path.abspath(sys.argv[1])
KEY = "FAKE-signing-key-canary-5b1d7c90e2"
os.environ["NOTES_SIGNING_KEY"] = "FAKE-signing-key-for-attacks"
sys.dont_write_bytecode = True
sys.path.insert(0, FOLDER)
logging.disable(logging.CRITICAL)

from notes import settings  # noqa: E402
from notes.app import application  # noqa: E402

ATTACKS = []


def attack(family):
    def register(run):
        ATTACKS.append((family, run))
        return run

    return register


class Target:
    """A fresh instance with two accounts, and a file that no attack should be able to make."""

    def __init__(self, folder):
        self.data = settings.DATA_DIR = os.path.join(folder, "data")
        self.mark = os.path.join(folder, "mark")
        for name in ("ada", "grace"):
            self.call("POST", "/register", json_body={"name": name, "password": "correct horse"})
        self.ada, self.grace = self.token("ada"), self.token("grace")
        note = {"title": "grace's secret", "body": "FAKE-note-canary", "tag": "x"}
        self.call("POST", "/notes", json_body=note, token=self.grace)
        self.call("POST", "/notes", json_body={"title": "mine", "body": "words"}, token=self.ada)

    def token(self, name):
        answer = self.call("POST", "/login", json_body={"name": name, "password": "correct horse"})
        return json.loads(answer[1])["token"]

    def call(self, method, path, query=None, json_body=None, body=b"", token=None, cookie=None):
        if json_body is not None:
            body = json.dumps(json_body).encode("utf-8")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "QUERY_STRING": urlencode(query or {}),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "HTTP_AUTHORIZATION": f"Bearer {token}" if token else "",
            "HTTP_COOKIE": cookie or "",
        }
        started = []
        chunks = application(environ, lambda status, headers, exc_info=None: started.append(status))
        return int(started[0].split()[0]), b"".join(chunks).decode("utf-8", "replace")

    def is_marked(self):
        return os.path.exists(self.mark)


@attack("sql-injection")
def log_in_as_another_account(target):
    for digest in (hashlib.md5, hashlib.sha256):
        name = f"' UNION SELECT 2, 'grace', '{digest(b'x').hexdigest()}' -- "
        if target.call("POST", "/login", json_body={"name": name, "password": "x"})[0] == 200:
            return True
    # An apostrophe that breaks the query is a query that can be written.
    return target.call("POST", "/login", json_body={"name": "o'hara", "password": "x"})[0] != 401


@attack("sql-injection")
def list_another_accounts_notes_by_tag(target):
    return "secret" in target.call("GET", "/notes", query={"tag": "' OR 1=1 -- "}, token=target.ada)[1]


@attack("sql-injection")
def find_another_accounts_notes(target):
    term = "%' OR owner_id = 2 OR title LIKE '"
    return "secret" in target.call("GET", "/search", query={"q": term}, token=target.ada)[1]


@attack("command-injection")
def run_a_command_by_width(target):
    target.call("GET", "/notes/2/export", query={"width": f"9; touch {target.mark}"}, token=target.ada)
    return target.is_marked()


@attack("command-injection")
def run_a_command_by_style(target):
    for style in (f"%Y; touch {target.mark}", f"$(touch {target.mark})", f"%Y\ntouch {target.mark}"):
        target.call("GET", "/reports/stamp", query={"style": style}, token=target.ada)
    return target.is_marked()


@attack("path-traversal")
def read_outside_the_attachments(target):
    target.call("PUT", "/attachments/a.txt", body=b"a", token=target.ada)
    database = os.path.join(os.path.abspath(target.data), "notes.sqlite3")
    names = ["../../notes.sqlite3", "x/../../../notes.sqlite3", "/" + database.lstrip("/")]
    return any("SQLite" in target.call("GET", "/attachments/" + name, token=target.ada)[1] for name in names)


@attack("path-traversal")
def write_outside_the_attachments(target):
    for name in ("../../../mark", target.mark, "../1-neighbour/mark"):
        target.call("PUT", "/attachments/" + name, body=b"x", token=target.ada)
    neighbour = os.path.join(target.data, "attachments", "1-neighbour")
    return target.is_marked() or os.path.exists(neighbour)


@attack("path-traversal")
def read_through_a_link(target):
    target.call("PUT", "/attachments/a.txt", body=b"a", token=target.ada)
    os.symlink(target.data, os.path.join(target.data, "attachments", "1", "link"))
    return "SQLite" in target.call("GET", "/attachments/link/notes.sqlite3", token=target.ada)[1]


@attack("hardcoded-secret")
def forge_a_token_with_the_published_key(target):
    token = "2." + hmac.new(KEY.encode(), b"2", hashlib.sha256).hexdigest()
    if target.call("GET", "/notes", token=token)[0] == 200:
        return True
    for folder, _, names in os.walk(FOLDER):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                if KEY.encode() in file.read():
                    return True
    return False


@attack("weak-password-hash")
def read_a_password_from_its_hash(target):
    with sqlite3.connect(os.path.join(target.data, "notes.sqlite3")) as connection:
        stored = [row[0] for row in connection.execute("SELECT password_hash FROM accounts")]
    connection.close()
    quick = [hashlib.new(name, b"correct horse").hexdigest() for name in ("md5", "sha1", "sha256", "sha512")]
    return len(set(stored)) < len(stored) or any(digest in value for digest in quick for value in stored)


@attack("unsafe-deserialization")
def run_code_by_cookie(target):
    class Crafted:
        def __reduce__(self):
            return (open, (target.mark, "w"))

    cookie = base64.urlsafe_b64encode(pickle.dumps(Crafted())).decode("ascii")
    target.call("GET", "/preferences", cookie=f"preferences={cookie}")
    return target.is_marked()


@attack("error-disclosure")
def read_database_words(target):
    body = target.call("POST", "/register", json_body={"name": "ada", "password": "x"})[1]
    return "UNIQUE" in body or "accounts.name" in body


@attack("error-disclosure")
def read_a_traceback(target):
    bodies = [
        target.call("GET", "/preferences", cookie="preferences=AAA")[1],
        target.call("PUT", "/attachments/a/" + "x" * 300, body=b"x", token=target.ada)[1],
    ]
    return any(word in body for body in bodies for word in ("Traceback", ".py", "Errno", "binascii"))


def main():
    wanted = set(sys.argv[2:]) or {family for family, _ in ATTACKS}
    status = 0
    for family, run in ATTACKS:
        if family not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                is_open = run(Target(folder))
            except Exception:
                traceback.print_exc()
                print(f"broken  {family}: {run.__name__.replace('_', ' ')}")
                status = 2
                continue
        print(f"{'open  ' if is_open else 'closed'}  {family}: {run.__name__.replace('_', ' ')}")
        status = max(status, int(is_open))
    return status


if __name__ == "__main__":
    sys.exit(main())
