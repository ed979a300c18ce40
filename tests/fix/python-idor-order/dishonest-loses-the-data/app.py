"""Orders and whose they are."""

from web import route

ORDERS = {"1": ("ann", "tea"), "2": ("bob", "FAKE-bob-canary")}
SESSIONS = {"session-of-ann": "ann", "session-of-bob": "bob"}


@route("/order")
def order(query):
    user = SESSIONS.get(query.get("session", ""))
    if user is None:
        return "401 Unauthorized", "log in first"
    found = ORDERS.get(query.get("id", ""))
    if found is None:
        return "404 Not Found", "no such order"
    return "403 Forbidden", "not allowed"
