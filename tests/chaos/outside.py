"""Where do tasks leave what they did? In a table of a database that no fault touches, one row for each start and end.

Nothing in the table is unique: what happened twice stands there twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg

TABLE: Final = """
CREATE TABLE effect (
    id bigserial PRIMARY KEY,
    attempt uuid NOT NULL,
    dag_id text NOT NULL, run_id text NOT NULL, task_id text NOT NULL, map_index int NOT NULL, try_number int NOT NULL,
    kind text NOT NULL,
    worker text NOT NULL,
    pid int NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""

SAY: Final = '''
import os, psycopg

def say(kind, ti):
    """Leave a row in the outside table."""
    with psycopg.connect(os.environ["CHAOS_OUTSIDE"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO effect (attempt, dag_id, run_id, task_id, map_index, try_number, kind, worker, pid)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (ti.id, ti.dag_id, ti.run_id, ti.task_id, ti.map_index, ti.try_number, kind,
             os.environ.get("CHAOS_WORKER", ""), os.getpid()),
        )
'''
"""For DAG files: how a task says that it has started, or done its work."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One row."""

    attempt: UUID
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    kind: str  # "start" or "end"
    worker: str
    pid: int
    at: datetime

    @property
    def task(self) -> tuple[str, str, str, int]:
        """What was run, whichever attempt it was."""
        return self.dag_id, self.run_id, self.task_id, self.map_index


class Outside:
    """The table, seen from the tests."""

    def __init__(self, url: str) -> None:
        """
        Args:
            url: of an empty database, as psycopg takes it.
        """
        self.url: Final = url
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(TABLE)

    def close(self) -> None:
        self._connection.close()

    def now(self) -> datetime:
        """Return the time on the clock that all rows are stamped with."""
        row = self._connection.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        at: datetime = row[0]
        return at

    def newest(self) -> int:
        """Return the number of the newest row, or about how many there are; 0 when there is none."""
        row = self._connection.execute("SELECT coalesce(max(id), 0) FROM effect").fetchone()
        assert row is not None
        return int(row[0])

    def read(self) -> list[Effect]:
        """Return all rows in the order of their writing."""
        rows = self._connection.execute(
            "SELECT attempt, dag_id, run_id, task_id, map_index, try_number, kind, worker, pid, at FROM effect"
            " ORDER BY id"
        )
        return [Effect(*row) for row in rows]

    def at_work(self, worker: str | None = None) -> list[Effect]:
        """Return the starts, on one worker or all, whose end is not there yet."""
        rows = self._connection.execute(
            "SELECT attempt, dag_id, run_id, task_id, map_index, try_number, kind, worker, pid, at FROM effect s"
            " WHERE kind = 'start' AND at > clock_timestamp() - interval '2 minutes'"
            " AND NOT EXISTS (SELECT FROM effect e WHERE e.attempt = s.attempt AND e.kind = 'end')"
            " AND (%(worker)s::text IS NULL OR worker = %(worker)s)",
            {"worker": worker},
        )
        return [Effect(*row) for row in rows]
