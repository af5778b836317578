"""When is a DAG due next? The ``next_*`` columns of its row, and the timer that wakes a scheduler for it.

The two are written together and only here. The timer is there exactly when the DAG is active, not paused and has a next
run. Locks are taken in one order, the DAG row before its timer, and several DAG rows by ascending ``dag_id``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import Connection, Table, bindparam, delete, select, update

from tradewind.metadata import coming_runs
from tradewind.metadata.coming_runs import Foretold, Wanted
from tradewind.metadata.database import ring
from tradewind.metadata.models import Dag, DagFile, DagRun, DagVersion, PassedTick, Timer
from tradewind.metadata.timers import FIRE, TimerRow, clear_timers, set_timers
from tradewind.metadata.upsert import upsert
from tradewind.model.spec import DagSpec, decode_spec
from tradewind.model.states import RunType
from tradewind.timetables import (
    DataInterval,
    NextRun,
    OwnCodeNeeded,
    from_spec,
    needs_own_code,
    next_planned,
    restriction_of,
)

_AUTOMATED = (RunType.SCHEDULED, RunType.BACKFILL)


def fire_key(dag_id: str) -> str:
    """Return the key of a DAG's timer."""
    return f"{FIRE}:{dag_id}"


def set_next_run(tx: Connection, dag_id: str, following: NextRun | None) -> None:
    """Store what the next scheduled run of a DAG will be, and set its timer. None: there is none.

    A DAG that is paused or inactive gets the columns, for people to see, but no timer. Nothing happens for a DAG that
    does not exist.
    """
    this = update(Dag).where(Dag.dag_id == dag_id).values(_columns(following))
    row = tx.execute(this.returning(Dag.is_active, Dag.is_paused)).one_or_none()
    if row is None:
        return
    if following is None or not row.is_active or row.is_paused:
        clear_timer(tx, dag_id)
        return
    set_fire_timers(tx, {dag_id: following.run_after})


def set_next_runs(tx: Connection, coming: Mapping[str, NextRun | None]) -> None:
    """Do what :func:`set_next_run` does, for many DAGs that the caller has locked and knows to be active and not
    paused."""
    if not coming:
        return
    tx.execute(_SET_NEXT, [{"b_dag": dag_id, **_columns(following)} for dag_id, following in coming.items()])
    set_fire_timers(tx, {dag_id: run.run_after for dag_id, run in coming.items() if run is not None})
    clear_timers(tx, [fire_key(dag_id) for dag_id, following in coming.items() if following is None])


def _columns(following: NextRun | None) -> dict[str, Any]:
    interval = following.interval if following else None
    return {
        "next_run_after": following.run_after if following else None,
        "next_logical_date": following.logical_date if following else None,
        "next_interval_start": interval.start if interval else None,
        "next_interval_end": interval.end if interval else None,
    }


def set_fire_timers(tx: Connection, due: Mapping[str, datetime]) -> None:
    """Set the timers of DAGs to when their rows say that they are due."""
    set_timers(tx, [TimerRow(fire_key(dag_id), FIRE, due_at, dag_id=dag_id) for dag_id, due_at in due.items()])


_DAG: Final = cast("Table", Dag.__table__)
_SET_NEXT: Final = update(_DAG).where(Dag.dag_id == bindparam("b_dag"))


@dataclass(frozen=True, slots=True)
class DueDag:
    """What is known of a DAG whose timer is due: whether it runs at all, and what its next run is to be."""

    dag_id: str
    is_active: bool
    is_paused: bool
    version_id: int | None
    run_after: datetime | None
    logical_date: datetime | None
    interval: DataInterval | None


def lock_due(tx: Connection, dag_ids: Collection[str]) -> list[DueDag]:
    """Return DAGs, their rows locked by ascending id until the transaction ends."""
    return [
        DueDag(
            row.dag_id,
            row.is_active,
            row.is_paused,
            row.version_id,
            row.next_run_after,
            row.next_logical_date,
            DataInterval(start, end) if start is not None and end is not None else None,
        )
        for row in tx.execute(_LOCK_DUE, {"dag_ids": list(dag_ids)})
        for start, end in [(row.next_interval_start, row.next_interval_end)]
    ]


_LOCK_DUE: Final = (
    select(
        Dag.dag_id, Dag.is_active, Dag.is_paused, Dag.version_id,
        Dag.next_run_after, Dag.next_logical_date, Dag.next_interval_start, Dag.next_interval_end,
    )
    .where(Dag.dag_id.in_(bindparam("dag_ids", expanding=True)))
    .order_by(Dag.dag_id)
    .with_for_update()
)  # fmt: skip


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
    """Return the run that follows the last automated one, scheduled or backfilled, in the metadata DB.

    A run that was left out, since another was under way, counts as made.
    """
    return next_run_after(tx, spec, *last_tick(tx, spec.dag_id), now)


def last_tick(tx: Connection, dag_id: str) -> tuple[DataInterval | None, datetime | None]:
    """Return where the schedule of a DAG stands: the newest interval that it has dealt with, and when that was due."""
    last = tx.execute(
        select(DagRun.run_after, DagRun.data_interval_start, DagRun.data_interval_end, DagRun.logical_date)
        .where(DagRun.dag_id == dag_id, DagRun.run_type.in_(_AUTOMATED), DagRun.logical_date.is_not(None))
        .order_by(DagRun.logical_date.desc())
        .limit(1)
    ).one_or_none()
    passed = tx.execute(
        select(PassedTick.run_after, PassedTick.interval_start, PassedTick.interval_end).where(
            PassedTick.dag_id == dag_id
        )
    ).one_or_none()
    if passed is not None and (last is None or passed.interval_start > last.logical_date):
        return DataInterval(passed.interval_start, passed.interval_end), passed.run_after
    if last is None:
        return None, None
    start, end = last.data_interval_start, last.data_interval_end
    return (DataInterval(start, end) if start and end else None), last.run_after


def next_run_after(
    tx: Connection, spec: DagSpec, last_interval: DataInterval | None, last_run_after: datetime | None, now: datetime
) -> NextRun | None:
    """Return the run that follows the one given (None: the first). Of a timetable that is the user's own: what it has
    foretold; None while nobody knows, and then it is asked."""
    try:
        return compute_next(spec, last_interval, last_run_after, now)
    except OwnCodeNeeded:
        return coming_runs.find_following(tx, spec.dag_id, last_interval, catchup=spec.catchup, now=now)


def pass_over(tx: Connection, dag_id: str, interval: DataInterval, run_after: datetime) -> None:
    """Note that no run is made for a tick, so that the schedule goes on behind it."""
    values = {"run_after": run_after, "interval_start": interval.start, "interval_end": interval.end}
    upsert(tx, PassedTick, {"dag_id": dag_id}, values)


def preview_runs(tx: Connection, spec: DagSpec, first: NextRun | None, count: int, now: datetime) -> list[NextRun]:
    """Return up to ``count`` coming runs of a DAG, ``first`` the first of them; as many as anybody can know."""
    found: list[NextRun] = []
    foretold = coming_runs.window_of(tx, spec.dag_id)
    following = first
    while following is not None and len(found) < count:
        found.append(following)
        now = max(now, following.run_after)
        try:
            following = compute_next(spec, following.interval, following.run_after, now)
        except OwnCodeNeeded:
            following = next((run for run in foretold if run.logical_date > found[-1].logical_date), None)
    return found


@dataclass(frozen=True, slots=True)
class MissedRuns:
    """The scheduled runs that are due and not made yet.

    Attributes:
        is_all: False: there are more, or a timetable of the user's own has not been asked that far.
        following: the first run that is not due yet; None: none, or nobody knows.
    """

    runs: Sequence[NextRun]
    is_all: bool
    following: NextRun | None


def missed_runs(tx: Connection, spec: DagSpec, now: datetime, most: int) -> MissedRuns:
    """Return what a DAG would create at once if it went on now; ``most`` at most.

    For a transaction that may write: more of a timetable of the user's own may be wanted.
    """
    found: list[NextRun] = []
    foretold = coming_runs.window_of(tx, spec.dag_id)
    following = next_run_after_last(tx, spec, now)
    is_own = needs_own_code(from_spec(spec.timetable))
    while following is not None and following.run_after <= now:
        if len(found) == most:
            return MissedRuns(found, False, following)
        found.append(following)
        if spec.timetable.kind == "ContinuousTimetable":  # the next is due when this one has ended
            return MissedRuns(found, True, None)
        try:
            following = compute_next(spec, following.interval, following.run_after, now)
        except OwnCodeNeeded:
            following = next((run for run in foretold if run.logical_date > found[-1].logical_date), None)
    knows_all = not is_own or following is not None or coming_runs.is_known_to_end(tx, spec.dag_id)
    return MissedRuns(found, knows_all, following)


def take_foretold(tx: Connection, wanted: Wanted, last: DataInterval | None, said: Foretold, now: datetime) -> bool:
    """Store what the user's own timetable said about the runs that follow ``last``, and set the next one.

    Returns:
        False when the DAG has another version by now, or stands elsewhere in its schedule: then it is asked again.
    """
    this = select(Dag.version_id, Dag.file_path).where(Dag.dag_id == wanted.dag_id).with_for_update()
    row = tx.execute(this).one_or_none()
    if row is None or row.version_id != wanted.version_id or last_tick(tx, wanted.dag_id)[0] != last:
        return False
    coming_runs.store(tx, wanted.dag_id, wanted.version_id, last, said)
    if said.error is None:
        reschedule(tx, wanted.dag_id, now)
    else:
        set_next_run(tx, wanted.dag_id, None)
        silent = update(DagFile).where(DagFile.path == row.file_path, DagFile.error.is_(None))
        text = unschedulable(wanted.dag_id, said.error)
        tx.execute(silent.values(error=text, traceback=text))
    ring(tx, "dag")
    return True


def unschedulable(dag_id: str, why: str) -> str:
    """Return what is told of a DAG that is good but for its schedule."""
    return f"DAG {dag_id!r} cannot be scheduled: {why}"


def compute_next(
    spec: DagSpec, last_interval: DataInterval | None, last_run_after: datetime | None, now: datetime
) -> NextRun | None:
    """Return the run that follows the one given (None: the first), by all that the DAG says of its schedule. Pure.

    Raises:
        OwnCodeNeeded: the timetable is the user's own code, which must not run here.
    """
    timetable = from_spec(spec.timetable)
    return next_planned(spec, timetable, restriction_of(spec), last_interval, last_run_after, now)
