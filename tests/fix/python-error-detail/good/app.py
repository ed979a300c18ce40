"""Divides."""

import logging

from web import route


@route("/ratio")
def ratio(query):
    try:
        return "200 OK", str(int(query["a"]) // int(query["b"]))
    except Exception:
        logging.exception("ratio failed")
        return "500 Internal Server Error", "internal error"
