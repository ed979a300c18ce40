"""The API: requests in, answers out."""

import json
import logging
import re
import sqlite3
import traceback
from http import cookies
from urllib.parse import parse_qs

from notes import accounts, attachments, db, preferences, reports, settings, store, tokens

log = logging.getLogger(__name__)

REASONS = {
    200: "OK",
    201: "Created",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    409: "Conflict",
    413: "Content Too Large",
    500: "Internal Server Error",
}
ROUTES = []


class Refused(Exception):
    """An answer other than the one hoped for."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Request:
    def __init__(self, environ):
        self.method = environ["REQUEST_METHOD"]
        self.path = environ.get("PATH_INFO", "/").encode("latin-1").decode("utf-8", "replace")
        self.query = {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        self.authorization = environ.get("HTTP_AUTHORIZATION", "")
        self.cookies = cookies.SimpleCookie(environ.get("HTTP_COOKIE", ""))
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > settings.MAX_BODY:
            raise Refused(413, "the body is too large")
        self.body = environ["wsgi.input"].read(length) if length else b""

    def json(self):
        try:
            fields = json.loads(self.body)
        except ValueError:
            raise Refused(400, "the body is not JSON") from None
        if not isinstance(fields, dict):
            raise Refused(400, "the body is not an object")
        return fields

    def field(self, name):
        value = self.json().get(name)
        if not isinstance(value, str) or not value:
            raise Refused(400, f"{name} is missing")
        return value

    def account(self):
        account_id = tokens.account_of(self.authorization.removeprefix("Bearer "))
        if account_id is None:
            raise Refused(401, "log in first")
        return account_id

    def preferences(self):
        morsel = self.cookies.get("preferences")
        return preferences.load(morsel.value if morsel else None)


class Response:
    def __init__(self, status, body, content_type="application/json", headers=()):
        self.status = status
        self.body = body
        self.headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), *headers]


def json_response(status, content, headers=()):
    return Response(status, json.dumps(content).encode("utf-8"), headers=headers)


def text_response(status, text):
    return Response(status, text.encode("utf-8"), "text/plain; charset=utf-8")


def route(method, pattern):
    def register(view):
        ROUTES.append((method, re.compile(pattern), view))
        return view

    return register


@route("POST", "/register")
def register(request):
    name, password = request.field("name"), request.field("password")
    with db.connect() as connection:
        try:
            account_id = accounts.register(connection, name, password)
        except sqlite3.IntegrityError as error:
            return json_response(409, {"error": str(error)})
    return json_response(201, {"id": account_id})


@route("POST", "/login")
def login(request):
    name, password = request.field("name"), request.field("password")
    with db.connect() as connection:
        account = accounts.login(connection, name, password)
    if account is None:
        raise Refused(401, "the name or the password is wrong")
    return json_response(200, {"token": tokens.issue(account["id"]), "name": account["name"]})


@route("POST", "/notes")
def add_note(request):
    owner_id = request.account()
    title, body = request.field("title"), request.field("body")
    with db.connect() as connection:
        note_id = store.add(connection, owner_id, title, body, str(request.json().get("tag", "")))
    return json_response(201, {"id": note_id})


@route("GET", "/notes")
def list_notes(request):
    owner_id = request.account()
    tag = request.query.get("tag")
    with db.connect() as connection:
        found = store.tagged(connection, owner_id, tag) if tag else store.everything(connection, owner_id)
    return json_response(200, {"notes": found[: request.preferences()["page_size"]]})


@route("GET", "/notes/([0-9]+)")
def show_note(request, note_id):
    return json_response(200, note_of(request, note_id))


@route("GET", "/notes/([0-9]+)/export")
def export_note(request, note_id):
    note = note_of(request, note_id)
    width = request.query.get("width", "72")
    return text_response(200, reports.wrap(note["body"], width))


@route("GET", "/search")
def search(request):
    owner_id = request.account()
    term = request.query.get("q", "")
    with db.connect() as connection:
        found = store.search(connection, owner_id, term)
    return json_response(200, {"notes": found})


@route("PUT", "/attachments/(.+)")
def save_attachment(request, name):
    attachments.save(request.account(), name, request.body)
    return json_response(201, {"name": name})


@route("GET", "/attachments/(.+)")
def load_attachment(request, name):
    content = attachments.load(request.account(), name)
    return Response(200, content, "application/octet-stream")


@route("GET", "/reports/usage")
def usage(request):
    return json_response(200, {"kilobytes": reports.usage(request.account())})


@route("GET", "/reports/stamp")
def stamp(request):
    request.account()
    style = request.query.get("style", "%Y-%m-%d")
    return text_response(200, reports.stamp(style))


@route("GET", "/preferences")
def show_preferences(request):
    return json_response(200, request.preferences())


@route("PUT", "/preferences")
def change_preferences(request):
    changed = preferences.change(request.preferences(), request.json())
    cookie = f"preferences={preferences.dump(changed)}; Path=/; HttpOnly; SameSite=Lax"
    return json_response(200, changed, headers=[("Set-Cookie", cookie)])


def note_of(request, note_id):
    with db.connect() as connection:
        note = store.find(connection, request.account(), int(note_id))
    if note is None:
        raise Refused(404, "no such note")
    return note


def respond(request):
    for method, pattern, view in ROUTES:
        match = pattern.fullmatch(request.path)
        if match and method == request.method:
            return view(request, *match.groups())
    raise Refused(404, "no such page")


def application(environ, start_response):
    try:
        response = respond(Request(environ))
    except Refused as refusal:
        response = json_response(refusal.status, {"error": refusal.reason})
    except (FileNotFoundError, IsADirectoryError):
        response = json_response(404, {"error": "no such file"})
    except Exception:
        log.exception("a request failed")
        response = text_response(500, traceback.format_exc())
    start_response(f"{response.status} {REASONS[response.status]}", response.headers)
    return [response.body]
