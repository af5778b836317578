"""How does a connection of the scheduler become an address for SQLAlchemy?"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

# What connections call a database -> what SQLAlchemy calls it, where the two differ.
DIALECTS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}


def sqlalchemy_url(connection: Any) -> str:
    """Return the SQLAlchemy URL of a connection.

    The key ``sqlalchemy_url`` of its extra wins, for databases that need more than the usual parts. For SQLite the
    host is the path of the file.
    """
    given = (connection.extra_dejson or {}).get("sqlalchemy_url")
    if given:
        return str(given)
    if connection.conn_type == "sqlite":
        return f"sqlite:///{connection.host}"
    dialect = DIALECTS.get(connection.conn_type, connection.conn_type)
    login = quote(connection.login or "", safe="")
    secret = f":{quote(connection.password, safe='')}" if connection.password else ""
    port = f":{connection.port}" if connection.port else ""
    return f"{dialect}://{login}{secret}{'@' if login else ''}{connection.host or ''}{port}/{connection.schema or ''}"
