"""What does the page of one task instance read? Its row, its attempts, its XComs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from tradewind.metadata.models import Attempt, TaskInstance, XCom
from tradewind.metadata.views.runs import TASK_LINE, TaskLine
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


_AT = Attempt
ATTEMPT_LINE: Select[*tuple[Any, ...]] = select(
    _AT.id, _AT.try_number, _AT.state, _AT.executor, _AT.queue, _AT.pool, _AT.pool_slots, _AT.queued_at,
    _AT.started_at, _AT.ended_at, _AT.outcome, _AT.error, _AT.hostname, _AT.pid, _AT.exit_code, _AT.signal,
    _AT.peak_rss_bytes, _AT.cpu_seconds, _AT.rendered,
)  # fmt: skip


def find_task_line(tx: Connection, run_pk: int, task_id: str, map_index: int) -> TaskLine | None:
    """Return one task instance, or None."""
    ti = TaskInstance
    query = TASK_LINE.where(ti.run_pk == run_pk, ti.task_id == task_id, ti.map_index == map_index)
    row = tx.execute(query).one_or_none()
    return None if row is None else TaskLine(*row)


def list_attempts(tx: Connection, run_pk: int, task_id: str, map_index: int) -> list[AttemptLine]:
    """Return the attempts of a task instance, the first one first."""
    at = Attempt
    query = ATTEMPT_LINE.where(at.run_pk == run_pk, at.task_id == task_id, at.map_index == map_index)
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
