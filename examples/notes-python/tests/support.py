"""A client that calls the application without a socket, and a data folder for each test."""

import io
import json
import tempfile
import unittest
from urllib.parse import urlencode

from notes import settings
from notes.app import application


class Answer:
    def __init__(self, status, headers, body):
        self.status = int(status.split()[0])
        self.headers = dict(headers)
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)


def call(method, path, query=None, json_body=None, body=b"", token=None, cookie=None):
    if json_body is not None:
        body = json.dumps(json_body).encode("utf-8")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.encode("utf-8").decode("latin-1"),
        "QUERY_STRING": urlencode(query or {}),
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    if token:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    if cookie:
        environ["HTTP_COOKIE"] = cookie
    started = []
    chunks = application(environ, lambda status, headers: started.append((status, headers)))
    status, headers = started[0]
    return Answer(status, headers, b"".join(chunks))


class NotesTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        before = settings.DATA_DIR
        self.addCleanup(setattr, settings, "DATA_DIR", before)
        settings.DATA_DIR = folder.name

    def register(self, name="ada", password="correct horse"):
        return call("POST", "/register", json_body={"name": name, "password": password})

    def login(self, name="ada", password="correct horse"):
        return call("POST", "/login", json_body={"name": name, "password": password})

    def token(self, name="ada"):
        self.register(name)
        return self.login(name).json["token"]
