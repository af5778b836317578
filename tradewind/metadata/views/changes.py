"""What has changed since the last look? The statements behind the live pages: one a second, however many look on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from tradewind.metadata.models import DagRun, RunEvent, TaskInstance


@dataclass(frozen=True, slots=True)
class ChangedRun:
    """A run with new events, and the number of its last one."""

    run_pk: int
    dag_id: str
    run_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class TaskNow:
    """What a live page shows of a task instance."""

    task_id: str
    map_index: int
    state: str
    try_number: int
    started_at: datetime | None
    ended_at: datetime | None


def changed_runs(tx: Connection, since: datetime, limit: int = 5000) -> list[ChangedRun]:
    """Return the runs that have events since ``since``, with their last number.

    The caller looks back a little further than its last look, since a transaction may commit after a later one, and
    knows by the number what it has seen.
    """
    newest = (
        select(RunEvent.run_pk, func.max(RunEvent.seq).label("seq"))
        .where(RunEvent.at >= since)
        .group_by(RunEvent.run_pk)
        .limit(limit)
        .subquery()
    )
    query = select(newest.c.run_pk, DagRun.dag_id, DagRun.run_id, newest.c.seq).join(
        DagRun, DagRun.id == newest.c.run_pk
    )
    return [ChangedRun(*row) for row in tx.execute(query)]


def run_state(tx: Connection, run_pk: int) -> str | None:
    """Return the state of a run, None when it is gone."""
    state = tx.execute(select(DagRun.state).where(DagRun.id == run_pk)).scalar_one_or_none()
    return None if state is None else state.value


def tasks_now(tx: Connection, run_pk: int, task_ids: Sequence[str] | None = None) -> list[TaskNow]:
    """Return what all tasks of a run are at now."""
    ti = TaskInstance
    query = select(ti.task_id, ti.map_index, ti.state, ti.try_number, ti.started_at, ti.ended_at)
    query = query.where(ti.run_pk == run_pk).order_by(ti.task_id, ti.map_index)
    if task_ids is not None:
        query = query.where(ti.task_id.in_(task_ids))
    return [TaskNow(row[0], row[1], row[2].value, *row[3:]) for row in tx.execute(query)]


def find_run_pk(tx: Connection, dag_id: str, run_id: str) -> int | None:
    """Return the key of a run by its names, or None."""
    return tx.execute(select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)).scalar_one_or_none()
