"""How is the metadata DB reached? One object for both databases: read and write transactions, its clock, its bell."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from tradewind.errors import MetadataError
from tradewind.metadata.bell_socket import bell_path, ring_socket

MIN_SQLITE: Final = (3, 35, 0)
CHANNEL: Final = "tradewind"
"""The PostgreSQL NOTIFY channel of the doorbell."""
WAITS: Final = "waits"
"""What :func:`ring` is given when there is something for triggerers."""
_RUNG: Final = "tradewind_rung"
_IN_DOUBT: Final = "tradewind_in_doubt"
LOCK_SECONDS: Final = 10.0
"""How long a lock is waited for at most: well within a lease."""
IDLE_SECONDS: Final = 15.0
"""How long a transaction may stand still before the server ends it, so that a process that was stopped in the middle of
one does not keep others from its rows until it is taken for dead, and longer."""
KEEPALIVE: Final[dict[str, Any]] = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A server that cannot be reached any more is noticed within half a minute, not when the kernel loses patience."""
DATABASE_ERRORS: Final = (DBAPIError, NoConnectionError)
"""What a loop must survive: the database refused or went away, or all connections of this process were in use."""


def in_words(error: BaseException) -> str:
    """Return the first line of what the driver said: the rest repeats the statement."""
    said = getattr(error, "orig", None) or error
    return (str(said).strip().splitlines() or [type(said).__name__])[0]


def is_in_doubt(error: BaseException) -> bool:
    """Whether the connection broke while it committed: what was written may be there, or not."""
    return bool(getattr(error, _IN_DOUBT, False))


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a statement was given up, with its transaction, since somebody else held a lock for too long."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) == "55P03"


class Database:
    """The metadata DB. Safe to share between threads; not across a fork.

    The outermost function opens a transaction and commits by leaving it; helpers take the connection and do not.
    """

    def __init__(self, url: str, *, pool_size: int = 5, statement_timeout_seconds: float = 60.0) -> None:
        """
        Args:
            url: ``sqlite:////abs/path.db`` or ``postgresql://user@host/name``.
            pool_size: connections kept open at most; each process prints its budget when it starts.
            statement_timeout_seconds: PostgreSQL ends a statement that takes longer. Waiting for a lock ends after half
                of it, and after :data:`LOCK_SECONDS` at the latest.
        """
        parsed = make_url(url)
        if parsed.get_backend_name() == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        elif parsed.get_backend_name() != "sqlite":
            raise MetadataError(
                f"The metadata DB cannot be {parsed.get_backend_name()!r}. Use sqlite:////path/to/file.db or "
                "postgresql://user:password@host/name in [database] sql_alchemy_conn."
            )
        self.url: Final = parsed
        self.is_sqlite: Final = parsed.get_backend_name() == "sqlite"
        # Within a process SQLite writers queue here, where waiting is fair and wakes at once; SQLite's own busy handler
        # sleeps in steps of milliseconds.
        self._write_lock = threading.RLock() if self.is_sqlite else None
        self.engine: Final = self._make_engine(pool_size, statement_timeout_seconds)

    def _make_engine(self, pool_size: int, timeout_seconds: float) -> Engine:
        if not self.is_sqlite:
            millis = int(timeout_seconds * 1000)
            lock_millis = int(min(LOCK_SECONDS, timeout_seconds / 2) * 1000)
            idle_millis = int(min(IDLE_SECONDS, timeout_seconds) * 1000)
            return create_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=0,
                pool_pre_ping=True,
                connect_args={
                    "options": f"-c statement_timeout={millis} -c lock_timeout={lock_millis}"
                    f" -c idle_in_transaction_session_timeout={idle_millis} -c timezone=UTC",
                    "connect_timeout": 10,
                    "application_name": "tradewind",
                    **KEEPALIVE,
                },
            )
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=10,
            connect_args={"timeout": timeout_seconds, "check_same_thread": False},
        )

        @event.listens_for(engine, "connect")
        def _set_up(dbapi_connection: Any, _record: Any) -> None:
            dbapi_connection.isolation_level = None  # transactions begin where we say, not where the driver guesses
            cursor = dbapi_connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA temp_store=MEMORY")
            cursor.close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            write = connection.get_execution_options().get("tradewind_write", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection in a read transaction: one consistent view. Nothing written in it is kept."""
        with self.engine.connect() as connection:
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection in a write transaction, committed on leaving, rolled back on an error.

        When :func:`ring` was called in it, the schedulers are woken after the commit.

        On SQLite it holds the one write lock from its first moment (``BEGIN IMMEDIATE``), so it cannot fail half way
        for another writer. Keep it short: never across user code, a network call or a wait.
        """
        if self._write_lock is None:
            with self._begin_write() as connection:
                yield connection
            return
        with self._write_lock, self._begin_write() as connection:
            yield connection
            rung: set[str] = connection.info.pop(_RUNG, set())
        for what in rung:
            ring_socket(self.bell_path, what)
            if what == WAITS:
                ring_socket(self.waits_bell_path, what)

    @contextmanager
    def _begin_write(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            connection.info.pop(_RUNG, None)
            with connection.execution_options(tradewind_write=True).begin() as transaction:
                yield connection
                try:
                    transaction.commit()
                except DBAPIError as error:
                    setattr(error, _IN_DOUBT, error.connection_invalidated)
                    raise

    @property
    def bell_path(self) -> Path:
        """The socket on which the scheduler of an SQLite database listens."""
        return bell_path(Path(self.url.database or ""))

    @property
    def waits_bell_path(self) -> Path:
        """The socket on which a triggerer of its own listens, beside an SQLite database."""
        return bell_path(Path(f"{self.url.database or ''}.{WAITS}"))

    def now(self) -> datetime:
        """Return the time on the clock of the database, the one that decides what is due."""
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.engine.connect() as connection:
            value = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            assert isinstance(value, datetime)
            return value.astimezone(UTC)

    def check(self) -> None:
        """Raise :class:`MetadataError`, saying the mend, when the database cannot be reached or is too old."""
        if self.is_sqlite:
            import sqlite3

            if sqlite3.sqlite_version_info < MIN_SQLITE:
                raise MetadataError(
                    f"SQLite {sqlite3.sqlite_version} is too old: {'.'.join(map(str, MIN_SQLITE))} or newer is needed. "
                    "Use a newer Python, or PostgreSQL."
                )
            path = self.url.database
            if path and path != ":memory:" and not Path(path).exists():
                raise MetadataError(f"There is no metadata DB at {path}. Create it with `tradewind db migrate`.")
        try:
            with self.read() as tx:
                tx.execute(text("SELECT 1"))
        except DBAPIError as error:
            raise MetadataError(
                f"The metadata DB at {self.safe_url} cannot be reached: {str(error.orig).strip().rstrip('.')}. "
                "Check that the server runs, and [database] sql_alchemy_conn."
            ) from error

    @property
    def safe_url(self) -> str:
        """The address without its password."""
        return self.url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def ring(tx: Connection, what: str = "") -> None:
    """Wake the schedulers of other processes as soon as the transaction commits.

    Args:
        what: short hint, e.g. ``"run"``; listeners look at everything anyway.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_notify(:channel, :what)"), {"channel": CHANNEL, "what": what})
    else:
        tx.info.setdefault(_RUNG, set()).add(what)
