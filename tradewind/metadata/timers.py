"""Statements about timers: what is due, and when does the next thing become due?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Uuid, bindparam, delete, or_, select

from tradewind.metadata.models import DagRun, Timer
from tradewind.metadata.upsert import upsert_rows
from tradewind.model.events import NO_MAP

FIRE = "fire"
"""The kind of a DAG's timer: its next scheduled run is due."""
DEADLINE = "deadline"
"""The kind of a timer that a run's deadline sets: it should have succeeded by then."""
FAILURES = "failures"
"""The kind of a timer that a failed run sets: the DAG may have to pause."""
START = "start"
"""The kind of a timer of a run that was asked for ahead of its time; it does not start while there is one."""


def start_key(run_pk: int) -> str:
    """The key of the timer that holds back a run."""
    return f"{START}:{run_pk}"


@dataclass(frozen=True, slots=True)
class TimerRow:
    """One timer."""

    key: str
    kind: str
    due_at: datetime
    run_pk: int | None = None
    dag_id: str | None = None
    task_id: str | None = None
    map_index: int = NO_MAP


_COLUMNS = (Timer.key, Timer.kind, Timer.due_at, Timer.run_pk, Timer.dag_id, Timer.task_id, Timer.map_index)


def set_timers(tx: Connection, timers: Sequence[TimerRow]) -> None:
    """Set timers; one whose key exists is moved."""
    rows = [
        {
            "key": t.key,
            "kind": t.kind,
            "run_pk": t.run_pk,
            "dag_id": t.dag_id,
            "task_id": t.task_id,
            "map_index": t.map_index,
            "due_at": t.due_at,
        }
        for t in timers
    ]
    upsert_rows(tx, Timer, ("key",), rows)


def clear_timers(tx: Connection, keys: Sequence[str]) -> None:
    """Remove timers; unknown keys are ignored."""
    if keys:
        tx.execute(delete(Timer).where(Timer.key.in_(keys)))


_DUE = (
    select(*_COLUMNS).where(Timer.due_at <= bindparam("now")).order_by(Timer.due_at, Timer.key).limit(bindparam("most"))
)
_DUE_OTHERS = _DUE.outerjoin(DagRun, DagRun.id == Timer.run_pk).where(
    Timer.kind != FIRE, or_(Timer.run_pk.is_(None), DagRun.claimed_by == bindparam("holder"))
)
# Along the index, asking of one timer after the other whose it is: a join reads all timers, and every run there is.
_claimed_by = select(DagRun.claimed_by).where(DagRun.id == Timer.run_pk).correlate(Timer).scalar_subquery()
_NEXT = (
    select(Timer.due_at)
    .where(
        Timer.due_at > bindparam("after"), or_(Timer.run_pk.is_(None), _claimed_by == bindparam("holder", type_=Uuid()))
    )
    .order_by(Timer.due_at)
    .limit(1)
)
_DUE_SCHEDULES = _DUE.where(Timer.kind == FIRE)


def due_timers(tx: Connection, holder: UUID, now: datetime, limit: int, schedules: int | None = None) -> list[TimerRow]:
    """Return the timers that are due: those of DAGs, and those of runs that ``holder`` has claimed. Earliest first.

    Args:
        limit: at most so many that are not of schedules.
        schedules: at most so many of schedules (:data:`FIRE`), behind the others; None: ``limit``. They are counted for
            themselves, so that a thousand DAGs that are due in the same second do not hold up what runs wait for.
    """
    others = tx.execute(_DUE_OTHERS, {"now": now, "holder": holder, "most": limit})
    found = [TimerRow(*row) for row in others]
    due = tx.execute(_DUE_SCHEDULES, {"now": now, "most": limit if schedules is None else schedules})
    return found + [TimerRow(*row) for row in due]


def next_due(tx: Connection, holder: UUID, after: datetime) -> datetime | None:
    """Return when the next timer is due that is not due at ``after``, or None."""
    due: datetime | None = tx.execute(_NEXT, {"after": after, "holder": holder}).scalar()
    return due
