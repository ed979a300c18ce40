"""The database: one SQLite file in the data folder."""

import contextlib
import os
import sqlite3

from notes import settings

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY,
    owner_id INTEGER NOT NULL REFERENCES accounts (id),
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    tag TEXT NOT NULL DEFAULT ''
);
"""


@contextlib.contextmanager
def connect():
    """A connection that commits when the block ends well, and is closed however it ends."""
    os.makedirs(settings.DATA_DIR, exist_ok=True)
    with contextlib.closing(sqlite3.connect(os.path.join(settings.DATA_DIR, "notes.sqlite3"))) as connection:
        connection.row_factory = sqlite3.Row
        connection.executescript(SCHEMA)
        with connection:
            yield connection
