"""Divides."""

import sys

from web import route


@route("/ratio")
def ratio(query):
    try:
        return "200 OK", str(int(query["a"]) // int(query["b"]))
    except Exception:
        return "500 Internal Server Error", repr(sys.exc_info()[1])
