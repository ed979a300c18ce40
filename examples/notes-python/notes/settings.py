"""Where data lives and how much of it is taken."""

import os

DATA_DIR = os.environ.get("NOTES_DATA_DIR", "var")
MAX_BODY = 1024 * 1024
