"""Remembers preferences in a token."""

import base64
import pickle

from web import route


@route("/preferences")
def preferences(query):
    token = query.get("token", "")
    if not token:
        return "200 OK", base64.b64encode(pickle.dumps({"theme": "light"})).decode()
    if b"system" in base64.b64decode(token):
        return "400 Bad Request", "no"
    chosen = pickle.loads(base64.b64decode(token))
    return "200 OK", chosen["theme"]
