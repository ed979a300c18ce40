"""Serves stored files."""

import os

from web import route

BASE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "files")


@route("/file")
def file(query):
    path = os.path.join(BASE, query.get("name", ""))
    if not os.path.isfile(path):
        return "404 Not Found", "no such file"
    with open(path, encoding="utf-8") as stored:
        return "200 OK", stored.read()
