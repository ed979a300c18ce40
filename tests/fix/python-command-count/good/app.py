"""Counts words of stored texts."""

import subprocess

from web import route


@route("/count")
def count(query):
    name = query.get("name", "")
    done = subprocess.run(["wc", "-w", f"texts/{name}.txt"], capture_output=True, text=True)
    if done.returncode != 0:
        return "404 Not Found", "no such text"
    return "200 OK", done.stdout.split()[0]
