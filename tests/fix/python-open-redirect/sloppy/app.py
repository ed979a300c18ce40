"""Goes back to where one came from."""

from web import route


@route("/back")
def back(query):
    if query.get("next", "/").startswith("http"):
        return "302 Found", "/"
    return "302 Found", query.get("next", "/")
