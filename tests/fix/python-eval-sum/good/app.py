"""Adds up prices."""

import ast

from web import route


@route("/sum")
def total(query):
    prices = ast.literal_eval(query.get("prices", "[]"))
    return "200 OK", str(sum(prices))
