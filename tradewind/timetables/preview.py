"""Which runs will a DAG have next, if nothing changes?"""

from __future__ import annotations

from datetime import UTC, datetime

from tradewind.model.spec import DagSpec
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable


def preview(
    timetable: Timetable,
    after: datetime,
    count: int,
    restriction: Restriction | None = None,
    last_interval: DataInterval | None = None,
) -> list[NextRun]:
    """Return up to ``count`` runs that will be made from ``after`` on, each at the moment it is due.

    Args:
        timetable: of the DAG.
        after: now, as a rule. The first run may be due already.
        count: how many; fewer come back when the schedule ends, and one of ``@continuous``, whose next ones depend on
            how long runs take.
        restriction: start, end and catchup of the DAG; None: none.
        last_interval: of the last run that was made; None before the first.
    """
    restriction = restriction or Restriction()
    runs: list[NextRun] = []
    now, last_run_after = after, None
    while len(runs) < count:
        run = timetable.next_run(last_interval, last_run_after, restriction, now)
        if run is None:
            break
        runs.append(run)
        if timetable.active_runs_limit is not None:
            break
        last_interval, last_run_after, now = run.interval, run.run_after, max(now, run.run_after)
    return runs


def restriction_of(spec: DagSpec) -> Restriction:
    """Return what a DAG says beside its schedule.

    The earliest of the DAG's and its tasks' start dates counts, and the latest of their end dates, as in Airflow: the
    tasks' only when each of them has one.
    """
    starts = [date for date in (spec.start_date, *(task.start_date for task in spec.tasks)) if date]
    ends = [task.end_date for task in spec.tasks]
    latest = [date for date in (spec.end_date, *ends) if date] if all(ends) else [spec.end_date]
    return Restriction(
        earliest=min(map(_instant, starts), default=None),
        latest=max((_instant(date) for date in latest if date), default=None),
        catchup=spec.catchup,
    )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
