"""Session tokens: an account's id and its signature."""

import hashlib
import hmac

NOTES_SIGNING_KEY = "FAKE-signing-key-canary-5b1d7c90e2"


def sign(account_id):
    message = str(account_id).encode("ascii")
    return hmac.new(NOTES_SIGNING_KEY.encode("utf-8"), message, hashlib.sha256).hexdigest()


def issue(account_id):
    return f"{account_id}.{sign(account_id)}"


def account_of(token):
    """The account a token was issued for; None when it was not issued by us."""
    account_id, _, signature = token.partition(".")
    if not account_id.isdecimal() or not hmac.compare_digest(sign(int(account_id)), signature):
        return None
    return int(account_id)
