"""Asks the backend as a browser would."""

from urllib.parse import urlencode

import app  # noqa: F401
from web import application


def ask(path, **query):
    told = []
    environ = {"PATH_INFO": path, "QUERY_STRING": urlencode(query), "REQUEST_METHOD": "GET"}
    try:
        body = b"".join(application(environ, lambda status, headers: told.append((status, dict(headers)))))
    except Exception as error:
        print(f"500 for {path}: {error!r}")
        return "500 Internal Server Error", ""
    return told[0][0], body.decode()
