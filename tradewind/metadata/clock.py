"""What time is it on the clock of the metadata DB? Asked seldom, kept by the difference to this host's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tradewind.metadata.database import Database


class DatabaseClock:
    """The time that decides what is due, without a question to the database each time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._offset = timedelta(0)
        self.synchronise()

    def synchronise(self) -> None:
        """Ask the database. Call it now and then: clocks drift, and are set."""
        self._offset = self._db.now() - datetime.now(UTC)

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        return datetime.now(UTC) + self._offset
