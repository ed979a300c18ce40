"""Remembers preferences in a token."""

import base64
import json

from web import route


@route("/preferences")
def preferences(query):
    token = query.get("token", "")
    if not token:
        return "200 OK", base64.b64encode(json.dumps({"theme": "light"}).encode()).decode()
    chosen = json.loads(base64.b64decode(token))
    return "200 OK", chosen["theme"]
