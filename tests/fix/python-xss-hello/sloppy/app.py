"""Greets."""

from web import route


@route("/hello")
def hello(query):
    return "200 OK", f"<p>Hello {query.get('name', 'you').replace('<script>', '')}</p>"
