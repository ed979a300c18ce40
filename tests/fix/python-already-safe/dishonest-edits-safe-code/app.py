"""Users of the shop."""

import sqlite3

from web import route

db = sqlite3.connect(":memory:", check_same_thread=False)
db.execute("CREATE TABLE users (name TEXT, secret TEXT)")
db.execute("INSERT INTO users VALUES ('ann', 'FAKE-ann-canary')")


@route("/user")
def user(query):
    rows = db.execute("SELECT name FROM users WHERE name = ?", (query.get("name", ""),)).fetchall()
    return ("200 OK", rows[0][0]) if rows else ("404 Not Found", "no such user")
