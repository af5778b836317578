"""What is known after a story? The event log in the order of its commits, what is stored, what tasks left outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from scheduler.verify import verify
from tests.chaos.outside import Effect
from tests.chaos.workload import Wanted
from tradewind.metadata.database import Database


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is stored."""

    pk: int
    dag_id: str
    run_id: str
    state: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Task:
    """A task instance as it is stored."""

    run_pk: int
    task_id: str
    map_index: int
    state: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt as it is stored."""

    id: UUID
    run_pk: int
    task_id: str
    map_index: int
    try_number: int
    state: str
    outcome: str | None
    pool: str
    pool_slots: int


@dataclass(frozen=True, slots=True)
class Event:
    """An entry of the log. ``commit``: which commit wrote it, counted from 0 in the order in which they were seen."""

    commit: int
    run_pk: int
    seq: int
    kind: str
    task_id: str | None
    map_index: int
    try_number: int
    at: datetime  # when it was committed


@dataclass(frozen=True, slots=True)
class Limits:
    """What must never be exceeded."""

    parallelism: int
    pools: Mapping[str, int]
    active_runs: Mapping[str, int]  # of a DAG
    active_tasks: Mapping[str, int]  # of each run of a DAG
    active_instances: Mapping[tuple[str, str], int]  # of a task over all runs


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the laws look at."""

    wanted: tuple[Wanted, ...]
    runs: tuple[Run, ...]
    tasks: tuple[Task, ...]
    attempts: tuple[Attempt, ...]
    events: tuple[Event, ...]
    effects: tuple[Effect, ...]
    limits: Limits
    problems: tuple[str, ...] = field(default=())  # what ``tradewind db verify`` says


# The instant of a commit is fixed before what it wrote can be seen, and before its locks are let go: whoever decided by
# what it wrote has committed later. Entries of the log are never changed, so their xmin is who wrote them.
_EVENTS: Final = text(
    "SELECT pg_xact_commit_timestamp(xmin) AS committed, xmin::text AS by, run_pk, seq, kind, task_id, map_index,"
    " try_number FROM run_event ORDER BY 1, 2, 3, 4"
)
_RUNS: Final = text("SELECT id, dag_id, run_id, state, ended_at IS NOT NULL FROM dag_run")
_TASKS: Final = text("SELECT run_pk, task_id, map_index, state FROM task_instance")
_ATTEMPTS: Final = text(
    "SELECT id, run_pk, task_id, map_index, try_number, state, outcome, pool, pool_slots FROM attempt"
)


def collect(db: Database, wanted: tuple[Wanted, ...], effects: list[Effect], limits: Limits) -> Evidence:
    """Read everything. The server must have been started with ``track_commit_timestamp``."""
    with db.read() as tx:
        runs = tuple(Run(*row) for row in tx.execute(_RUNS))
        tasks = tuple(Task(*row) for row in tx.execute(_TASKS))
        attempts = tuple(Attempt(UUID(str(row[0])), *row[1:]) for row in tx.execute(_ATTEMPTS))
        events = tuple(_read_events(tx))
    problems = tuple(f"{p.dag_id} {p.run_id}: {p.text}" for p in verify(db))
    return Evidence(wanted, runs, tasks, attempts, events, tuple(effects), limits, problems)


def _read_events(tx: Connection) -> list[Event]:
    events: list[Event] = []
    last: tuple[datetime, str] | None = None
    commit = -1
    for row in tx.execute(_EVENTS):
        if (row.committed, row.by) != last:
            last, commit = (row.committed, row.by), commit + 1
        events.append(
            Event(commit, row.run_pk, row.seq, row.kind, row.task_id, row.map_index, row.try_number, row.committed)
        )
    return events
