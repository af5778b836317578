"""Who removes what is old? One process at a time, whichever has the lock. It is gone with the process that has it."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tradewind.metadata.database import Database

_KEY: Final = 0x7265746E  # "retn"; any constant that nobody else uses in this database


@contextlib.contextmanager
def only_cleaner(db: Database) -> Iterator[bool]:
    """Be the only one who removes what is old, for as long as the context lasts. Gives False when another is at it."""
    if db.is_sqlite:
        with _file_lock(Path(f"{db.url.database}.retention.lock")) as is_ours:
            yield is_ours
        return
    # A connection of its own, out of the pool, and in no transaction: it lasts for minutes.
    engine = create_engine(db.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _KEY}).scalar_one())
    finally:
        engine.dispose()


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[bool]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
