"""Tests of the notes API, through the API."""

import os

os.environ.setdefault("NOTES_SIGNING_KEY", "FAKE-signing-key-for-tests")
