"""Which run follows when the DAG has wishes beside its timetable? Excluded dates, a catch-up window, jitter. Pure.

The timetable says when the schedule ticks; a policy leaves ticks out, or lets their runs begin a little later. What to
do when the run before has not ended is decided when a run is due: see ``scheduler/fire.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Final

from tradewind.model.spec import DagSpec, SchedulePolicy
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.zones import zone_of

_MAX_STEPS: Final = 10_000
"""A minutely schedule ticks so often in a week; who excludes more than that in a row runs never."""


def next_planned(
    spec: DagSpec,
    timetable: Timetable,
    restriction: Restriction,
    last_interval: DataInterval | None,
    last_run_after: datetime | None,
    now: datetime,
) -> NextRun | None:
    """Return the run to make next by the timetable and the policy of a DAG. None: there is none.

    Args:
        spec: of the DAG; its policy, its time zone and its id count here.
        timetable: of the DAG.
        last_interval, last_run_after: of the newest run that was made, or left out; None before the first.
        now: what was missed is told from it.
    """
    policy = spec.policy
    delay = jitter_of(spec.dag_id, policy)
    # The schedule lives that much behind the clock, so that what is missed is told from when runs really begin.
    now -= delay
    run = _first(timetable, policy, restriction, last_interval, last_run_after, now)
    zone = zone_of(spec.timezone)
    for _ in range(_MAX_STEPS):
        if run is None or not is_excluded(policy.excluded, run.run_after.astimezone(zone).date()):
            break
        now = max(now, run.run_after)
        run = timetable.next_run(run.interval, run.run_after, restriction, now)
    else:
        return None
    return run and replace(run, run_after=run.run_after + delay)


def _first(
    timetable: Timetable,
    policy: SchedulePolicy,
    restriction: Restriction,
    last_interval: DataInterval | None,
    last_run_after: datetime | None,
    now: datetime,
) -> NextRun | None:
    """Return the next run within the catch-up window, in few steps however many were missed."""
    run = timetable.next_run(last_interval, last_run_after, restriction, now)
    if run is None or policy.catchup_window_seconds is None or not restriction.catchup:
        return run
    reach = now - timedelta(seconds=policy.catchup_window_seconds)
    if run.run_after >= reach:
        return run
    # As if the schedule had been asked at the edge of the window, where it need not catch up.
    edge = timetable.next_run(last_interval, last_run_after, replace(restriction, catchup=False), reach)
    if edge is not None and run.run_after <= edge.run_after <= now:
        run = edge
    for _ in range(_MAX_STEPS):  # an own timetable may read the clock itself: then the window is walked to
        if run is None or run.run_after >= reach:
            break
        run = timetable.next_run(run.interval, run.run_after, restriction, now)
    return run


def jitter_of(dag_id: str, policy: SchedulePolicy) -> timedelta:
    """Return by how much the runs of a DAG begin later: always the same, spread evenly over the DAGs."""
    if not policy.jitter_seconds:
        return timedelta(0)
    share = int.from_bytes(hashlib.sha256(dag_id.encode()).digest()[:8]) / 2**64
    return timedelta(seconds=int(policy.jitter_seconds * share))


def is_excluded(excluded: Collection[str], day: date) -> bool:
    """Return whether a day is one of the dates (``2026-12-24``), in one of the spans (``2026-12-24/2027-01-02``, both
    ends included), or comes every year (``*-12-25``)."""
    text = day.isoformat()
    if text in excluded or f"*{text[4:]}" in excluded:
        return True
    return any(first <= text <= last for first, _, last in (span.partition("/") for span in excluded) if last)
