"""What does the page of one task instance read? Its row, its attempts, its XComs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from tradewind.metadata.models import Attempt, TaskInstance, XCom
from tradewind.metadata.views.runs import TaskLine
from tradewind.model.states import AttemptState


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """One start of the task: how it went and what it cost."""

    id: str
    try_number: int
    state: AttemptState
    executor: str
    queue: str
    pool: str
    pool_slots: int
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    error: str | None
    hostname: str | None
    pid: int | None
    exit_code: int | None
    signal: int | None
    peak_rss_bytes: int | None
    cpu_seconds: float | None
    rendered: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class XComLine:
    """One value that the task left for others; ``value`` is JSON text, None when it is kept elsewhere."""

    key: str
    value: str | None
    location: str | None
    size_bytes: int
    created_at: datetime


def find_task_line(tx: Connection, run_pk: int, task_id: str, map_index: int) -> TaskLine | None:
    """Return one task instance, or None."""
    ti = TaskInstance
    query: Select[*tuple[Any, ...]] = select(
        ti.task_id, ti.map_index, ti.state, ti.try_number, ti.max_tries, ti.scheduled_at, ti.queued_at, ti.started_at,
        ti.ended_at, ti.retry_at, ti.reason, ti.note,
    ).where(ti.run_pk == run_pk, ti.task_id == task_id, ti.map_index == map_index)  # fmt: skip
    row = tx.execute(query).one_or_none()
    return None if row is None else TaskLine(*row)


def list_attempts(tx: Connection, run_pk: int, task_id: str, map_index: int) -> list[AttemptLine]:
    """Return the attempts of a task instance, the first one first."""
    at = Attempt
    query: Select[*tuple[Any, ...]] = select(
        at.id, at.try_number, at.state, at.executor, at.queue, at.pool, at.pool_slots, at.queued_at, at.started_at,
        at.ended_at, at.outcome, at.error, at.hostname, at.pid, at.exit_code, at.signal, at.peak_rss_bytes,
        at.cpu_seconds, at.rendered,
    ).where(at.run_pk == run_pk, at.task_id == task_id, at.map_index == map_index)  # fmt: skip
    rows = tx.execute(query.order_by(at.try_number, at.queued_at).limit(200))
    return [AttemptLine(str(row[0]), *row[1:]) for row in rows]


def list_xcoms(tx: Connection, run_pk: int, task_id: str, map_index: int, limit: int = 200) -> list[XComLine]:
    """Return what the task instance pushed, by key."""
    xcom = XCom
    query = (
        select(xcom.key, xcom.value, xcom.location, xcom.size_bytes, xcom.created_at)
        .where(xcom.run_pk == run_pk, xcom.task_id == task_id, xcom.map_index == map_index)
        .order_by(xcom.key)
        .limit(limit)
    )
    return [XComLine(*row) for row in tx.execute(query)]
