"""Greets."""

from html import escape

from web import route


@route("/hello")
def hello(query):
    return "200 OK", f"<p>Hello {escape(query.get('name', 'you'))}</p>"
