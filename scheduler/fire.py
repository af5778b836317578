"""How does a scheduled run come to be? A DAG's timer is due: the run is created, and the next one is set.

What the DAG says for the case that another of its runs is under way is done here as well, and the pause of a DAG whose
runs fail one after the other.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from tradewind.errors import Conflict
from tradewind.metadata import coming_runs, dags, deadlines, failures, inbox, overlap, runs
from tradewind.metadata.dag_schedule import clear_timer
from tradewind.metadata.inbox import Message
from tradewind.metadata.runs import NewRun, RunRecord
from tradewind.metadata.timers import DEADLINE, FAILURES, FIRE, START, TimerRow, clear_timers
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunType
from tradewind.timetables import CronPartitionTimetable, DataInterval, from_spec, needs_own_code

log = logging.getLogger(__name__)

DAG_TIMERS = (FIRE, FAILURES, DEADLINE, START)
"""The kinds of timers that are about a DAG, or about a run that need not have started."""


def handle(tx: Connection, timer: TimerRow, now: datetime) -> RunRecord | None:
    """Do what is due for a DAG. Returns the run that was created, or that may start now, if there is one."""
    assert timer.dag_id is not None
    runs.lock_dag(tx, timer.dag_id)
    if timer.kind == FAILURES:
        failures.pause_after_failures(tx, timer, now)
        return None
    if timer.kind == DEADLINE:
        deadlines.miss_deadline(tx, timer, now)
        return None
    if timer.kind == START:
        clear_timers(tx, [timer.key])
        return next(iter(runs.get_runs(tx, [int(timer.key.rpartition(":")[2])])), None)
    return fire(tx, timer, now)


def fire(tx: Connection, timer: TimerRow, now: datetime) -> RunRecord | None:
    """Create the scheduled run that is due, and set the DAG's next one. Returns the run, or None when none was made.

    The row of the DAG is locked first, so that with several schedulers a run is created once. A run that exists already
    for that date (somebody asked for it by hand) is left as it is, and the schedule goes on.
    """
    assert timer.dag_id is not None
    runs.lock_dag(tx, timer.dag_id)
    dag = dags.find_dag(tx, timer.dag_id)
    if dag is None or not dag.is_active or dag.is_paused or dag.version_id is None or dag.next_run_after is None:
        clear_timer(tx, timer.dag_id)
        return None
    if dag.next_run_after > now:
        dags.reschedule(tx, timer.dag_id, now)  # another scheduler was first, or the DAG file changed
        return None
    spec = dags.load_spec(tx, dag.version_id)
    interval = (
        DataInterval(dag.next_interval_start, dag.next_interval_end)
        if dag.next_interval_start is not None and dag.next_interval_end is not None
        else None
    )
    new = NewRun(
        dag_id=dag.dag_id,
        run_id=_run_id(tx, spec, dag.next_run_after, dag.next_logical_date, interval),
        version_id=dag.version_id,
        run_type=RunType.SCHEDULED,
        triggered_by="timetable",
        run_after=dag.next_run_after,
        logical_date=dag.next_logical_date,
        data_interval_start=interval.start if interval else None,
        data_interval_end=interval.end if interval else None,
    )
    new = _about_partition(spec, new)
    may_start = _make_room(tx, spec, new, interval, now)
    if may_start:
        try:
            runs.insert_run(tx, new, now)
        except Conflict as conflict:
            log.info("%s The schedule goes on.", conflict)
        if new.partition_key is not None and interval is not None:
            dags.pass_over(tx, dag.dag_id, interval, dag.next_run_after)  # the run has no date that says so
    dags.set_next_run(tx, dag.dag_id, dags.next_run_after(tx, spec, interval, dag.next_run_after, now))
    return runs.find_run(tx, dag.dag_id, new.run_id) if may_start else None


def _run_id(
    tx: Connection, spec: DagSpec, due: datetime, logical_date: datetime | None, interval: DataInterval | None
) -> str:
    timetable = from_spec(spec.timetable)
    given = coming_runs.run_id_of(tx, spec.dag_id, interval) if interval and needs_own_code(timetable) else ""
    return given or timetable.run_id(RunType.SCHEDULED, due, logical_date)


def _about_partition(spec: DagSpec, new: NewRun) -> NewRun:
    """Return the run as it is when its schedule says which partition it is about: then it has no logical date."""
    timetable = from_spec(spec.timetable)
    if not isinstance(timetable, CronPartitionTimetable):
        return new
    found = timetable.partition(new.data_interval_end or new.run_after)  # the tick, whatever the jitter
    return replace(
        new,
        run_id=f"{new.run_id}__{found.key}",
        logical_date=None,
        data_interval_start=None,
        data_interval_end=None,
        partition_key=found.key,
        partition_date=found.date,
    )


def _make_room(tx: Connection, spec: DagSpec, new: NewRun, interval: DataInterval | None, now: datetime) -> bool:
    """Do what the DAG's overlap policy asks for. Returns False when no run is to be made for this tick."""
    policy = spec.policy.overlap
    if policy in ("allow", "buffer_all"):  # the latter by a max_active_runs of 1
        return True
    under_way = overlap.runs_under_way(tx, spec.dag_id)
    if policy == "cancel_other":
        reason = overlap.reason_to_cancel(new.run_id)
        inbox.send(tx, [Message(pk, f"cancel:{new.run_id}", inbox.CANCEL, {"reason": reason}) for pk in under_way], now)
        return True
    room = 0 if policy == "skip" else 1
    if len(under_way) <= room:
        return True
    log.info("no run of DAG %r at %s: another is under way (overlap=%r)", spec.dag_id, new.run_after, policy)
    if interval is not None:
        dags.pass_over(tx, spec.dag_id, interval, new.run_after)
    return False
