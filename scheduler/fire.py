"""How does a scheduled run come to be? A DAG's timer is due: the run is created, and the next one is set.

What the DAG says for the case that another of its runs is under way is done here as well, and the pause of a DAG whose
runs fail one after the other.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from scheduler.versions import VersionCache
from tradewind.metadata import coming_runs, dag_schedule, dags, deadlines, failures, inbox, overlap
from tradewind.metadata.dag_schedule import DueDag
from tradewind.metadata.inbox import Message
from tradewind.metadata.new_runs import NewRun, insert_runs
from tradewind.metadata.timers import DEADLINE, FAILURES, FIRE, START, TimerRow, clear_timers
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunType
from tradewind.timetables import CronPartitionTimetable, DataInterval, NextRun, from_spec, needs_own_code

log = logging.getLogger(__name__)

DAG_TIMERS = (FIRE, FAILURES, DEADLINE, START)
"""The kinds of timers that are about a DAG, or about a run that need not have started."""


def handle(tx: Connection, due: Sequence[TimerRow], now: datetime, versions: VersionCache) -> list[int]:
    """Do what is due for DAGs. Returns the keys of the runs that were created, or may start now.

    The caller has locked the rows of all DAGs that it will lock, by ascending id.
    """
    others = sorted((timer for timer in due if timer.kind != FIRE), key=lambda timer: (timer.dag_id or "", timer.key))
    may_start: list[int] = []
    for timer in others:  # first: a DAG that pauses after failures makes no run
        if timer.kind == FAILURES:
            failures.pause_after_failures(tx, timer, now)
        elif timer.kind == DEADLINE:
            deadlines.miss_deadline(tx, timer, now)
        else:
            clear_timers(tx, [timer.key])
            may_start.append(int(timer.key.rpartition(":")[2]))
    fired = {timer.dag_id for timer in due if timer.kind == FIRE and timer.dag_id is not None}
    return may_start + fire(tx, fired, now, versions)


def fire(tx: Connection, dag_ids: Collection[str], now: datetime, versions: VersionCache) -> list[int]:
    """Create the scheduled runs of DAGs that are due, and set the next ones. Returns the keys of the runs.

    The rows of the DAGs are locked first, by ascending id, so that with several schedulers a run is created once. A run
    that exists already for that date (somebody asked for it by hand) is left as it is, and the schedule goes on.
    """
    if not dag_ids:
        return []
    found = dag_schedule.lock_due(tx, dag_ids)
    firing: list[DueDag] = []
    early: list[DueDag] = []
    for dag in found:
        if dag.is_active and not dag.is_paused and dag.version_id is not None and dag.run_after is not None:
            (firing if dag.run_after <= now else early).append(dag)
    clear_timers(
        tx, [dag_schedule.fire_key(dag_id) for dag_id in {*dag_ids}.difference(d.dag_id for d in firing + early)]
    )
    # Another scheduler was first, or the DAG file changed since the timers were read.
    dag_schedule.set_fire_timers(tx, {dag.dag_id: dag.run_after for dag in early if dag.run_after is not None})
    known = versions.get_many(tx, {dag.version_id for dag in firing if dag.version_id is not None})
    new: list[NewRun] = []
    coming: dict[str, NextRun | None] = {}
    for dag in firing:
        assert dag.version_id is not None
        assert dag.run_after is not None
        spec = known[dag.version_id].spec
        run = _run(tx, dag, spec, dag.run_after)
        if _make_room(tx, spec, run, dag.interval, now):
            new.append(run)
            if run.partition_key is not None and dag.interval is not None:
                dags.pass_over(tx, dag.dag_id, dag.interval, dag.run_after)  # the run has no date that says so
        coming[dag.dag_id] = dags.next_run_after(tx, spec, dag.interval, dag.run_after, now)
    made = insert_runs(tx, new, now)
    for run in new:
        if (run.dag_id, run.run_id) not in made:
            log.info(
                "DAG %r has a run for %s already. The schedule goes on.", run.dag_id, run.logical_date or run.run_id
            )
    dag_schedule.set_next_runs(tx, coming)
    return list(made.values())


def _run(tx: Connection, dag: DueDag, spec: DagSpec, due: datetime) -> NewRun:
    assert dag.version_id is not None
    timetable = from_spec(spec.timetable)
    given = coming_runs.run_id_of(tx, dag.dag_id, dag.interval) if dag.interval and needs_own_code(timetable) else ""
    new = NewRun(
        dag_id=dag.dag_id,
        run_id=given or timetable.run_id(RunType.SCHEDULED, due, dag.logical_date),
        version_id=dag.version_id,
        run_type=RunType.SCHEDULED,
        triggered_by="timetable",
        run_after=due,
        logical_date=dag.logical_date,
        data_interval_start=dag.interval.start if dag.interval else None,
        data_interval_end=dag.interval.end if dag.interval else None,
    )
    return _about_partition(timetable, new) if isinstance(timetable, CronPartitionTimetable) else new


def _about_partition(timetable: CronPartitionTimetable, new: NewRun) -> NewRun:
    """Return the run as it is when its schedule says which partition it is about: then it has no logical date."""
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
