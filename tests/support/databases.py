"""How does each test get a fresh, migrated metadata DB quickly? By copying one that was migrated once per process."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from tradewind.metadata.database import Database
from tradewind.metadata.migrate import migrate


def create_schema(url: str) -> None:
    """Bring an empty database to the newest schema."""
    database = Database(url)
    try:
        migrate(database)
    finally:
        database.close()


class SqliteTemplates:
    """Fresh SQLite databases, each a copy of one migrated file."""

    def __init__(self, folder: Path) -> None:
        self._template = folder / "template.db"

    def make(self, folder: Path) -> str:
        """Return the URL of a fresh, migrated database in ``folder``."""
        if not self._template.exists():
            create_schema(f"sqlite:///{self._template}")
            with sqlite3.connect(self._template) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        target = folder / "tradewind.db"
        shutil.copyfile(self._template, target)
        return f"sqlite:///{target}"


class PostgresTemplates:
    """Fresh PostgreSQL databases on one server, each a copy of one migrated database."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._template: str | None = None

    @contextmanager
    def empty(self) -> Iterator[str]:
        """Give the URL of a fresh database without any tables, dropped afterwards."""
        name = f"t_{uuid4().hex}"
        self._do("CREATE DATABASE {}", name)
        try:
            yield self._url(name)
        finally:
            self._do("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """Give the URL of a fresh, migrated database, dropped afterwards."""
        if self._template is None:
            template = f"template_{uuid4().hex}"
            self._do("CREATE DATABASE {}", template)
            create_schema(self._url(template))
            self._template = template
        name = f"t_{uuid4().hex}"
        self._do("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, self._template)
        try:
            yield self._url(name)
        finally:
            self._do("DROP DATABASE {} WITH (FORCE)", name)

    def close(self) -> None:
        """Drop the template: a server given from outside is left as it was."""
        if self._template is not None:
            self._do("DROP DATABASE {} WITH (FORCE)", self._template)
            self._template = None

    def _url(self, name: str) -> str:
        url = make_url(self._server_url).set(drivername="postgresql+psycopg", database=name)
        return url.render_as_string(hide_password=False)

    def _do(self, statement: str, *names: str) -> None:
        url = make_url(self._server_url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
