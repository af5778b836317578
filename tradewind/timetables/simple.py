"""When is a run due without any rhythm? Never by itself, once, or as soon as the last one has ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable


class UnclockedTimetable(Timetable):
    """A timetable whose runs no clock makes due: somebody, or something else, asks for them."""

    can_be_scheduled: ClassVar[bool] = False

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        return None

    def manual_interval(self, run_after: datetime) -> DataInterval:
        return DataInterval.exact(run_after)


class _PlainTimetable(Timetable):
    """A timetable without arguments."""

    def manual_interval(self, run_after: datetime) -> DataInterval:
        return DataInterval.exact(run_after)

    def _args(self) -> Mapping[str, Any]:
        return {}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> Timetable:
        return cls()


class NullTimetable(UnclockedTimetable, _PlainTimetable):
    """Never due: runs are asked for by hand. ``schedule=None``."""

    summary = "None"
    description = "Only when asked for"


class OnceTimetable(_PlainTimetable):
    """Due once: at the start date, or at once when there is none. ``schedule="@once"``."""

    summary = "@once"
    description = "Once, as soon as it may"

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        if last_interval is not None or last_run_after is not None:
            return None
        due = now if restriction.earliest is None else restriction.earliest
        if restriction.latest is not None and due > restriction.latest:
            return None
        return NextRun.over(due, due)


class ContinuousTimetable(_PlainTimetable):
    """Due again as soon as the last run has ended. ``schedule="@continuous"``."""

    summary = "@continuous"
    description = "Again and again, one run at a time"
    active_runs_limit: ClassVar[int | None] = 1

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        if last_interval is not None:
            # A first run is about no time at all; the next starts later, since a logical date names one run only.
            start = max(last_interval.end, last_interval.start + timedelta.resolution)
        else:
            start = now if restriction.earliest is None else restriction.earliest
        end = max(start, now)
        if restriction.latest is not None and end > restriction.latest:
            return None
        return NextRun.over(start, end)
