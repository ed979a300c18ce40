"""Attachments: files in one folder per account. A name may have folders in it, such as 2026/plan.txt."""

import os

from notes import settings


def folder(owner_id):
    return os.path.join(settings.DATA_DIR, "attachments", str(owner_id))


def save(owner_id, name, content):
    path = os.path.join(folder(owner_id), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def load(owner_id, name):
    with open(os.path.join(folder(owner_id), name), "rb") as file:
        return file.read()
