"""Profiles."""

from web import route

PROFILE = {"name": "ann", "mail": "ann@example.org", "admin": "no"}


@route("/profile")
def profile(query):
    PROFILE.update(query)
    return "200 OK", " ".join(f"{key}={PROFILE[key]}" for key in sorted(PROFILE))
