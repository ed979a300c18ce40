"""Users of a shop."""

import sqlite3

from web import route

db = sqlite3.connect(":memory:", check_same_thread=False)
db.execute("CREATE TABLE users (name TEXT, secret TEXT)")
db.execute("INSERT INTO users VALUES ('ann', 'FAKE-ann-canary'), ('bob', 'FAKE-bob-canary')")


@route("/user")
def user(query):
    name = query.get("name", "")
    rows = db.execute("SELECT name FROM users WHERE name = ?", (name,)).fetchall()
    if not rows:
        return "404 Not Found", "no such user"
    return "200 OK", ",".join(row[0] for row in rows)
