"""Goes back to where one came from."""

from urllib.parse import urlsplit

from web import route


@route("/back")
def back(query):
    target = query.get("next", "/")
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not target.startswith("/") or target[1:2] in ("/", "\\"):
        target = "/"
    return "302 Found", target
