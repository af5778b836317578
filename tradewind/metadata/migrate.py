"""How does the metadata DB get its schema? Alembic, driven from here: no ini file, no working directory, no network.

Every change of the schema runs in one transaction that holds a lock, so two processes that start together migrate
once, and one that is killed half way leaves the database as it was. Both databases can roll back DDL.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

import migrations
from tradewind.errors import MetadataError, UsageError, did_you_mean
from tradewind.metadata.database import Database
from tradewind.metadata.models import Base, RunInbox
from tradewind.metadata.pools import ensure_default_pool
from tradewind.metadata.revision import HEAD, REVISIONS, VERSION_TABLE, explain_mismatch, read_revision

MIGRATION_LOCK: Final = 0x74726164  # "trad"; any constant that nobody else uses in this database
DEFAULT_POOL_SLOTS: Final = 128


def migrate(db: Database, *, default_pool_slots: int = DEFAULT_POOL_SLOTS) -> tuple[str | None, str]:
    """Bring the metadata DB to the newest revision; create it when it is not there. Repeating it changes nothing.

    Args:
        default_pool_slots: the size of ``default_pool``, when this call is the one that creates it.

    Returns:
        The revision before and the revision now.

    Raises:
        MetadataError: unreachable, ahead of this code, or another process has been migrating it for too long.
    """
    _make_parent_folder(db)
    with _exclusive(db) as tx:
        before = read_revision(tx)
        if before is not None and before not in REVISIONS:
            raise MetadataError(explain_mismatch(before, db.safe_url))
        if before != HEAD:
            command.upgrade(_alembic(tx), "head")
        ensure_default_pool(tx, default_pool_slots)
    return before, HEAD


def downgrade(db: Database, revision: str) -> tuple[str | None, str | None]:
    """Take the schema back to ``revision`` (``base``: no tables at all). Return the revision before and now.

    Raises:
        UsageError: there is no such revision.
        MetadataError: unreachable, or locked by another process for too long.
    """
    if revision != "base" and revision not in REVISIONS:
        raise UsageError(
            f"There is no revision {revision!r}.{did_you_mean(revision, REVISIONS)} "
            f"Known: {', '.join(('base', *REVISIONS))}."
        )
    with _exclusive(db) as tx:
        before = read_revision(tx)
        if before is not None:
            try:
                command.downgrade(_alembic(tx), revision)
            except CommandError as error:
                raise UsageError(
                    f"The metadata DB at revision {before} cannot go back to {revision}: {error}"
                ) from error
        return before, read_revision(tx)


def reset(db: Database, *, default_pool_slots: int = DEFAULT_POOL_SLOTS, empty: bool = False) -> None:
    """Drop everything that Tradewind keeps in the metadata DB, then create it anew.

    Tables of others in the same database are left alone. Works from any revision, one that is not known included.

    Args:
        empty: leave it without tables.

    Raises:
        MetadataError: unreachable, or the tables there belong to another program.
    """
    _make_parent_folder(db)
    with _exclusive(db) as tx:
        ours = {*Base.metadata.tables, VERSION_TABLE}
        _refuse_foreign(tx, db.safe_url)
        there = MetaData()
        there.reflect(tx, only=lambda name, _: name in ours)
        there.drop_all(tx)
        if not empty:
            command.upgrade(_alembic(tx), "head")
            ensure_default_pool(tx, default_pool_slots)


def migration_sql(db: Database) -> str:
    """Return the SQL that :func:`migrate` would run on an empty database of this kind. Connects to nothing."""
    out = io.StringIO()
    config = AlembicConfig(output_buffer=out)
    config.set_main_option("script_location", _escape(_folder()))
    config.attributes["url"] = db.url
    command.upgrade(config, "head", sql=True)
    return out.getvalue()


def known_revisions() -> tuple[str, ...]:
    """Return the revisions in ``migrations/versions``, oldest first."""
    config = AlembicConfig()
    config.set_main_option("script_location", _escape(_folder()))
    return tuple(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())[::-1]


def _alembic(tx: Connection) -> AlembicConfig:
    config = AlembicConfig(stdout=io.StringIO())
    config.set_main_option("script_location", _escape(_folder()))
    config.attributes["connection"] = tx
    return config


def _folder() -> Path:
    return Path(migrations.__file__).parent


def _escape(path: Path) -> str:
    return str(path).replace("%", "%%")  # ini interpolation


def _refuse_foreign(tx: Connection, url: str) -> None:
    """Stop before the tables of another program that uses Alembic too (Airflow has a ``dag`` table) are dropped."""
    found = read_revision(tx)
    if found is not None and found not in REVISIONS and not tx.dialect.has_table(tx, RunInbox.__tablename__):
        raise MetadataError(
            f"The database at {url} is at revision {found} of another program, so nothing was dropped. "
            "Point [database] sql_alchemy_conn at a database of Tradewind."
        )


def _make_parent_folder(db: Database) -> None:
    path = db.url.database
    if not db.is_sqlite or not path or path == ":memory:":
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MetadataError(
            f"The folder of the metadata DB {path} cannot be created: {error.strerror}. "
            "Choose another place in [database] sql_alchemy_conn, or make the folder writable."
        ) from error


@contextmanager
def _exclusive(db: Database) -> Iterator[Connection]:
    """Give the one transaction that may change the schema; wait for another process that is at it."""
    try:
        with db.write() as tx:  # on SQLite this is the one write lock already
            if not db.is_sqlite:
                tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
                # A table that is large may take longer than an ordinary statement is allowed to.
                tx.execute(text("SET LOCAL statement_timeout = 0"))
            yield tx
    except DBAPIError as error:
        raise MetadataError(
            f"The schema of the metadata DB at {db.safe_url} could not be changed: {str(error.orig).strip()}. "
            "Nothing was changed. Check that the server runs, that the user may create tables, and that no other "
            "process holds it."
        ) from error
