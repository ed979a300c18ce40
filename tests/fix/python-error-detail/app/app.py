"""Divides."""

import traceback

from web import route


@route("/ratio")
def ratio(query):
    try:
        return "200 OK", str(int(query["a"]) // int(query["b"]))
    except Exception:
        return "500 Internal Server Error", traceback.format_exc()
