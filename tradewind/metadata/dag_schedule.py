"""When is a DAG due next? The ``next_*`` columns of its row, and the timer that wakes a scheduler for it.

The two are written together and only here. The timer is there exactly when the DAG is active, not paused and has a next
run. Locks are taken in one order, the DAG row before its timer, and several DAG rows by ascending ``dag_id``.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from tradewind.metadata.models import Dag, DagRun, DagVersion, Timer
from tradewind.metadata.timers import FIRE
from tradewind.metadata.upsert import upsert
from tradewind.model.events import NO_MAP
from tradewind.model.spec import DagSpec, decode_spec
from tradewind.model.states import RunType
from tradewind.timetables import DataInterval, NextRun, from_spec, restriction_of

_AUTOMATED = (RunType.SCHEDULED, RunType.BACKFILL)


def fire_key(dag_id: str) -> str:
    """Return the key of a DAG's timer."""
    return f"{FIRE}:{dag_id}"


def set_next_run(tx: Connection, dag_id: str, following: NextRun | None) -> None:
    """Store what the next scheduled run of a DAG will be, and set its timer. None: there is none.

    A DAG that is paused or inactive gets the columns, for people to see, but no timer. Nothing happens for a DAG that
    does not exist.
    """
    interval = following.interval if following else None
    row = tx.execute(
        update(Dag)
        .where(Dag.dag_id == dag_id)
        .values(
            next_run_after=following.run_after if following else None,
            next_logical_date=following.logical_date if following else None,
            next_interval_start=interval.start if interval else None,
            next_interval_end=interval.end if interval else None,
        )
        .returning(Dag.is_active, Dag.is_paused)
    ).one_or_none()
    if row is None:
        return
    if following is None or not row.is_active or row.is_paused:
        clear_timer(tx, dag_id)
        return
    values = {"kind": FIRE, "dag_id": dag_id, "map_index": NO_MAP, "due_at": following.run_after}
    upsert(tx, Timer, {"key": fire_key(dag_id)}, values)


def clear_timer(tx: Connection, dag_id: str) -> None:
    """Take the timer away; the DAG fires no more until :func:`set_next_run`."""
    tx.execute(delete(Timer).where(Timer.key == fire_key(dag_id)))


def reschedule(tx: Connection, dag_id: str, now: datetime) -> NextRun | None:
    """Compute the next run from the newest version, the last automated run and ``now``; store and return it.

    Doing it again gives the same, as long as nothing has been run between; for a DAG without catchup it passes over the
    runs that were missed. The caller holds the lock of the DAG row, so that a run made meanwhile is either seen here or
    sets the next run after us.
    """
    spec = tx.execute(
        select(DagVersion.spec).join(Dag, Dag.version_id == DagVersion.id).where(Dag.dag_id == dag_id)
    ).scalar_one_or_none()
    following = None if spec is None else next_run_after_last(tx, decode_spec(spec), now)
    set_next_run(tx, dag_id, following)
    return following


def next_run_after_last(tx: Connection, spec: DagSpec, now: datetime) -> NextRun | None:
    """Return the run that follows the last automated one, scheduled or backfilled, in the metadata DB."""
    last = tx.execute(
        select(DagRun.run_after, DagRun.data_interval_start, DagRun.data_interval_end)
        .where(DagRun.dag_id == spec.dag_id, DagRun.run_type.in_(_AUTOMATED), DagRun.logical_date.is_not(None))
        .order_by(DagRun.logical_date.desc())
        .limit(1)
    ).one_or_none()
    if last is None:
        return compute_next(spec, None, None, now)
    start, end = last.data_interval_start, last.data_interval_end
    return compute_next(spec, DataInterval(start, end) if start and end else None, last.run_after, now)


def compute_next(
    spec: DagSpec, last_interval: DataInterval | None, last_run_after: datetime | None, now: datetime
) -> NextRun | None:
    """Return the run that follows the one given (None: the first), by the DAG's timetable, dates and catchup. Pure."""
    return from_spec(spec.timetable).next_run(last_interval, last_run_after, restriction_of(spec), now)
