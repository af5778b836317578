"""When is a run due whose schedule is several cron expressions? Whenever one of them says so; once when several do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from tradewind.errors import DagError
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.durations import decode_delta, encode_delta
from tradewind.timetables.ticks import Delta
from tradewind.timetables.trigger import (
    NO_TIME,
    CronTriggerTimetable,
    decode_run_immediately,
    encode_run_immediately,
)
from tradewind.timetables.zones import zone_name


class MultipleCronTriggerTimetable(Timetable):
    """Run when any of several cron expressions says so, by the wall clock of one time zone."""

    def __init__(
        self,
        *crons: str,
        timezone: str | tzinfo,
        interval: Delta = NO_TIME,
        run_immediately: bool | timedelta | None = False,
    ) -> None:
        """
        Args:
            crons: at least one; each of 5 or 6 fields, or a preset.
            timezone: whose wall clock is meant.
            interval: the length of each run's data interval, which ends when the run is due.
            run_immediately: as of :class:`~tradewind.timetables.trigger.CronTriggerTimetable`, for each expression.

        Raises:
            DagError: there is no expression, or one is wrong.
        """
        if not crons:
            raise DagError("MultipleCronTriggerTimetable has no cron expression. Give at least one, e.g. '0 2 * * *'.")
        self._parts = [
            CronTriggerTimetable(cron, timezone=timezone, interval=interval, run_immediately=run_immediately)
            for cron in crons
        ]
        self.summary = ", ".join(part.summary for part in self._parts)
        self.description = ", ".join(part.description or part.summary for part in self._parts)

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        asked = (part.next_run(last_interval, last_run_after, restriction, now) for part in self._parts)
        runs = [run for run in asked if run is not None]
        # A negative interval puts the logical date behind the tick: what is due is missed all the same.
        missed = [run for run in runs if min(run.logical_date, run.run_after) <= now]
        if missed and not restriction.catchup:
            return max(missed, key=lambda run: run.logical_date)
        return min(runs, key=lambda run: run.logical_date, default=None)

    def manual_interval(self, run_after: datetime) -> DataInterval:
        return self._parts[0].manual_interval(run_after)

    def _args(self) -> Mapping[str, Any]:
        first = self._parts[0]
        return {
            "expressions": [part.expression for part in self._parts],
            "timezone": zone_name(first.timezone),
            "interval": encode_delta(first.interval),
            "run_immediately": encode_run_immediately(first.run_immediately),
        }

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> MultipleCronTriggerTimetable:
        return cls(
            *args["expressions"],
            timezone=args["timezone"],
            interval=decode_delta(args["interval"]),
            run_immediately=decode_run_immediately(args["run_immediately"]),
        )
