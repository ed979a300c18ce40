"""Notes in the database."""


def add(connection, owner_id, title, body, tag=""):
    cursor = connection.execute(
        "INSERT INTO notes (owner_id, title, body, tag) VALUES (?, ?, ?, ?)",
        (owner_id, title, body, tag),
    )
    return cursor.lastrowid


def find(connection, owner_id, note_id):
    row = connection.execute(
        "SELECT id, title, body, tag FROM notes WHERE owner_id = ? AND id = ?",
        (owner_id, note_id),
    ).fetchone()
    return dict(row) if row else None


def tagged(connection, owner_id, tag):
    rows = connection.execute(
        "SELECT id, title, tag FROM notes WHERE owner_id = %d AND tag = '%s' ORDER BY id" % (owner_id, tag)
    )
    return [dict(row) for row in rows]


def everything(connection, owner_id):
    rows = connection.execute(
        "SELECT id, title, tag FROM notes WHERE owner_id = ? ORDER BY id", (owner_id,)
    )
    return [dict(row) for row in rows]


def search(connection, owner_id, term):
    query = "SELECT id, title, tag FROM notes WHERE owner_id = ? AND title LIKE '%" + term + "%' ORDER BY id"
    rows = connection.execute(query, (owner_id,))
    return [dict(row) for row in rows]
