"""Goes back to where one came from."""

from web import route


@route("/back")
def back(query):
    return "302 Found", query.get("next", "/")
