"""Which runs does a schedule have within a span of the past? What a backfill is about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tradewind.errors import DagError, UsageError
from tradewind.model.spec import DagSpec
from tradewind.model.states import RunType
from tradewind.timetables.asset import AssetOrTimeSchedule
from tradewind.timetables.asset_cron import CronPartitionTimetable, Partition
from tradewind.timetables.base import NextRun, Restriction, Timetable
from tradewind.timetables.policy import is_excluded
from tradewind.timetables.simple import ContinuousTimetable, OnceTimetable
from tradewind.timetables.zones import zone_of

MAX_DATES = 50_000
"""What one backfill may be about: more are better done one after the other."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run that a schedule has in the past, made or not.

    Attributes:
        partition: what it is about, of a schedule of partitions; then it has no logical date.
        is_excluded: the DAG's policy leaves its day out.
    """

    run: NextRun
    run_id: str
    partition: Partition | None = None
    is_excluded: bool = False

    @property
    def date(self) -> datetime:
        """Its place on the axis of time."""
        return self.run.logical_date if self.partition is None else self.partition.date


def is_periodic(timetable: Timetable) -> bool:
    """Return whether the clock alone says which runs there are, so that those of the past can be told."""
    clock = timetable.timetable if isinstance(timetable, AssetOrTimeSchedule) else timetable
    return clock.can_be_scheduled and not isinstance(clock, OnceTimetable | ContinuousTimetable)


def runs_between(
    spec: DagSpec, timetable: Timetable, first: datetime, last: datetime, now: datetime, limit: int = MAX_DATES
) -> list[PastRun]:
    """Return the runs with dates from ``first`` to ``last``, both included, that are due at ``now``; the oldest first.

    Start, end and catchup of the DAG do not count: whoever asks for the past says which. A schedule of a fixed
    length without ticks of its own, such as ``timedelta(hours=6)``, begins at ``first``.

    Raises:
        OwnCodeNeeded: the timetable is the user's own code, which must not run here.
        DagError: the timetable does not lead forward.
        UsageError: there are more than ``limit``.
    """
    restriction = Restriction(earliest=_begin(timetable, first), catchup=True)
    zone = zone_of(spec.timezone)
    found: list[PastRun] = []
    run = timetable.next_run(None, None, restriction, now)
    while run is not None and run.run_after <= now:
        past = _past_run(timetable, run, is_excluded(spec.policy.excluded, run.run_after.astimezone(zone).date()))
        if past.date > last:
            break
        if past.date >= first:
            found.append(past)
        if len(found) > limit:
            raise UsageError(
                f"DAG {spec.dag_id!r} has more than {limit:,} dates from {first.isoformat()} to {last.isoformat()}. "
                "Do them in several backfills, one after the other."
            )
        following = timetable.next_run(run.interval, run.run_after, restriction, now)
        if following is not None and following.logical_date <= run.logical_date:
            raise DagError(
                f"The schedule of DAG {spec.dag_id!r} does not lead forward: after {run.logical_date.isoformat()} it "
                f"gives {following.logical_date.isoformat()}."
            )
        run = following
    return found


def _begin(timetable: Timetable, first: datetime) -> datetime:
    """Return from where on to ask: partitions may begin some ticks away from when their runs are due."""
    if not isinstance(timetable, CronPartitionTimetable):
        return first
    return timetable.due_about(first)


def _past_run(timetable: Timetable, run: NextRun, excluded: bool) -> PastRun:
    given = run.run_id or timetable.run_id(RunType.BACKFILL, run.run_after, run.logical_date, interval=run.interval)
    if not isinstance(timetable, CronPartitionTimetable):
        return PastRun(run, given, is_excluded=excluded)
    about = timetable.partition(run.run_after)
    return PastRun(run, f"{given}__{about.key}", about, excluded)
