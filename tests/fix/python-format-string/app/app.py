"""Mails by template."""

from web import route

KEY = "FAKE-mail-canary"


class User:
    def __init__(self, name):
        self.name = name


@route("/mail")
def mail(query):
    return "200 OK", query.get("template", "Dear {user.name}").format(user=User(query.get("name", "you")))
