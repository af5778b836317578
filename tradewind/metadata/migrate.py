"""How does the metadata DB get its schema? Alembic, driven from here: no ini file, no working directory, no network.

Every change of the schema runs in one transaction that holds a lock, so two processes that start together migrate
once, and one that is killed half way leaves the database as it was. Both databases can roll back DDL.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

import migrations
from tradewind.errors import MetadataError, UsageError, did_you_mean
from tradewind.metadata.database import Database, is_lock_timeout
from tradewind.metadata.models import Base, RunInbox
from tradewind.metadata.pools import ensure_default_pool
from tradewind.metadata.processes import ProcessRecord, older_than
from tradewind.metadata.revision import (
    HEAD,
    LEAST,
    POST,
    REVISIONS,
    VERSION_TABLE,
    note_works_from,
    read_revision,
    what_is_wrong,
)

MIGRATION_LOCK: Final = 0x74726164  # "trad"; any constant that nobody else uses in this database
DEFAULT_POOL_SLOTS: Final = 128
PATIENCE_SECONDS: Final = 60.0
"""How long the tables may be in use before a change of the schema is given up."""
_WAIT_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 1.0
T = TypeVar("T")


def migrate(
    db: Database, *, default_pool_slots: int = DEFAULT_POOL_SLOTS, must_finish: bool = False
) -> tuple[str | None, str]:
    """Bring the metadata DB as far as can be now; create it when it is not there. Repeating it changes nothing.

    Revisions that only add are applied while processes of the version before live. One that takes something away waits
    until none lives that still needs it: :func:`in_the_way` says who does.

    Args:
        default_pool_slots: the size of ``default_pool``, when this call is the one that creates it.
        must_finish: fail when there is something in the way of the newest revision.

    Returns:
        The revision before and the revision now.

    Raises:
        MetadataError: unreachable, ahead of this code, held by others for too long, or processes are in the way of
            what this version needs.
    """
    _make_parent_folder(db)

    def step(tx: Connection) -> tuple[str | None, str]:
        before = read_revision(tx)
        if before is not None and before not in REVISIONS:
            if trouble := what_is_wrong(tx, db.safe_url):
                raise MetadataError(trouble)
            return before, before  # a newer version was here, and this one may go on beside it
        target = _reachable(tx, before, db.now(), must_finish)
        if before != target:
            command.upgrade(_alembic(tx), target)
            note_works_from(tx, target)
        ensure_default_pool(tx, default_pool_slots)
        return before, target

    return _in_one_step(db, step)


def in_the_way(db: Database) -> list[ProcessRecord]:
    """Return the living processes that the next revision which takes something away must wait for."""
    now = db.now()
    with db.read() as tx:
        found = read_revision(tx)
        return [] if found is None or found not in REVISIONS else _waited_for(tx, found, now)[1]


def _reachable(tx: Connection, before: str | None, now: datetime, must_finish: bool) -> str:
    if before is None:
        return HEAD  # nobody can be using it
    reached, older = _waited_for(tx, before, now)
    if older and (must_finish or REVISIONS.index(reached) < REVISIONS.index(LEAST)):
        names = ", ".join(
            f"{process.kind} {process.hostname}:{process.pid} ({process.info.get('version', '?')})" for process in older
        )
        raise MetadataError(
            f"The metadata DB cannot go on from revision {reached}: what the next one takes away is still needed by "
            f"{names}. End them or replace them by this version, then run this again; one that is dead already counts "
            "until its lease is over."
        )
    return reached


def _waited_for(tx: Connection, before: str, now: datetime) -> tuple[str, list[ProcessRecord]]:
    """Return the newest revision that is in reach, and the processes that keep the next one from being applied."""
    reached = before
    for revision in REVISIONS[REVISIONS.index(before) + 1 :]:
        older = older_than(tx, POST[revision], now) if revision in POST else []
        if older:
            return reached, older
        reached = revision
    return reached, []


def downgrade(db: Database, revision: str) -> tuple[str | None, str | None]:
    """Take the schema back to ``revision`` (``base``: no tables at all). Return the revision before and now.

    Raises:
        UsageError: there is no such revision.
        MetadataError: unreachable, or held by others for too long.
    """
    if revision != "base" and revision not in REVISIONS:
        raise UsageError(
            f"There is no revision {revision!r}.{did_you_mean(revision, REVISIONS)} "
            f"Known: {', '.join(('base', *REVISIONS))}."
        )

    def step(tx: Connection) -> tuple[str | None, str | None]:
        before = read_revision(tx)
        if before is not None:
            try:
                command.downgrade(_alembic(tx), revision)
            except CommandError as error:
                raise UsageError(
                    f"The metadata DB at revision {before} cannot go back to {revision}: {error}"
                ) from error
            if revision != "base":
                note_works_from(tx, revision)
        return before, read_revision(tx)

    return _in_one_step(db, step)


def reset(db: Database, *, default_pool_slots: int = DEFAULT_POOL_SLOTS, empty: bool = False) -> None:
    """Drop everything that Tradewind keeps in the metadata DB, then create it anew.

    Tables of others in the same database are left alone. Works from any revision, one that is not known included.

    Args:
        empty: leave it without tables.

    Raises:
        MetadataError: unreachable, or the tables there belong to another program.
    """
    _make_parent_folder(db)

    def step(tx: Connection) -> None:
        ours = {*Base.metadata.tables, VERSION_TABLE}
        _refuse_foreign(tx, db.safe_url)
        there = MetaData()
        there.reflect(tx, only=lambda name, _: name in ours)
        there.drop_all(tx)
        if not empty:
            command.upgrade(_alembic(tx), "head")
            note_works_from(tx, HEAD)
            ensure_default_pool(tx, default_pool_slots)

    _in_one_step(db, step)


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


def _in_one_step(db: Database, step: Callable[[Connection], T]) -> T:
    """Change the schema in one transaction that nobody else's change can be beside.

    A table that somebody reads or writes for long cannot be changed meanwhile, and who waits for it keeps all others
    waiting behind. So this waits for seconds, lets the others go on, and tries again.
    """
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _try_step(db, step)
        except DBAPIError as error:
            if not is_lock_timeout(error) or time.monotonic() > give_up_at:
                raise MetadataError(
                    f"The schema of the metadata DB at {db.safe_url} could not be changed: {str(error.orig).strip()}. "
                    "Nothing was changed. Check that the server runs, that the user may create tables, and that no "
                    "other process holds it."
                ) from error
        time.sleep(_PAUSE_SECONDS)


def _try_step(db: Database, step: Callable[[Connection], T]) -> T:
    with db.write() as tx:  # on SQLite this is the one write lock already
        if not db.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            # A table that is large may take longer than an ordinary statement is allowed to.
            tx.execute(text("SET LOCAL statement_timeout = 0"))
            tx.execute(text(f"SET LOCAL lock_timeout = {int(_WAIT_SECONDS * 1000)}"))
        return step(tx)
