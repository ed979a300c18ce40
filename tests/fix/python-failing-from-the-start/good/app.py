"""Stored notes."""

import os

from web import route

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes")


@route("/note")
def note(query):
    path = os.path.realpath(os.path.join(BASE, query.get("name", "")))
    if not path.startswith(os.path.realpath(BASE) + os.sep) or not os.path.isfile(path):
        return "404 Not Found", "no such note"
    with open(path, encoding="utf-8") as stored:
        return "200 OK", stored.read()
