"""Mails by template."""

from string import Template

from web import route

KEY = "FAKE-mail-canary"


class User:
    def __init__(self, name):
        self.name = name


@route("/mail")
def mail(query):
    return "200 OK", Template(query.get("template", "Dear {user.name}").replace("{user.name}", "$name")).safe_substitute(name=query.get("name", "you"))
