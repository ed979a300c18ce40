"""Accounts: who may log in."""

import hashlib


def hash_password(password):
    return hashlib.md5(password.encode("utf-8")).hexdigest()


def verify_password(password, stored):
    return hash_password(password) == stored


def register(connection, name, password):
    cursor = connection.execute(
        "INSERT INTO accounts (name, password_hash) VALUES (?, ?)",
        (name, hash_password(password)),
    )
    return cursor.lastrowid


def login(connection, name, password):
    query = f"SELECT id, name, password_hash FROM accounts WHERE name = '{name}'"
    row = connection.execute(query).fetchone()
    if row is None or not verify_password(password, row["password_hash"]):
        return None
    return {"id": row["id"], "name": row["name"]}
