"""Preferences: kept by the client, in a cookie."""

import base64
import pickle

DEFAULTS = {"theme": "light", "page_size": 20, "tags": []}


def dump(preferences):
    """The cookie's value for these preferences."""
    return base64.urlsafe_b64encode(pickle.dumps(preferences)).decode("ascii")


def load(cookie):
    """The preferences in a cookie's value; what it does not say has its default."""
    if not cookie:
        return dict(DEFAULTS)
    stored = pickle.loads(base64.urlsafe_b64decode(cookie))
    return {**DEFAULTS, **stored}


def change(preferences, wanted):
    """The preferences with the wanted values; unknown names are dropped."""
    return {**preferences, **{name: wanted[name] for name in DEFAULTS if name in wanted}}
