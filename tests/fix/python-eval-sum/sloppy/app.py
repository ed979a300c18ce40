"""Adds up prices."""

from web import route


@route("/sum")
def total(query):
    prices = eval(query.get("prices", "[]").replace("exec", ""))
    return "200 OK", str(sum(prices))
