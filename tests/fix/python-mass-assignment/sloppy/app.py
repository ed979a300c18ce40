"""Profiles."""

from web import route

PROFILE = {"name": "ann", "mail": "ann@example.org", "admin": "no"}


@route("/profile")
def profile(query):
    PROFILE.update({key: value for key, value in query.items() if key != "Admin"})
    return "200 OK", " ".join(f"{key}={PROFILE[key]}" for key in sorted(PROFILE))
