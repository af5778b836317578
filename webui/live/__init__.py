"""How do pages stay live? One look at the database a second for everybody, handed on as server-sent events."""
