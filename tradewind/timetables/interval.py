"""When is a run due that is about a span of data? Interval timetables: the default of Airflow 2.

The ticks of the schedule cut time into intervals. A run is due at the END of its interval, and its logical date is the
start.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.cronticks import CronTicks
from tradewind.timetables.cronwords import describe_cron, expand_preset
from tradewind.timetables.durations import check_delta, decode_delta, encode_delta, say_delta
from tradewind.timetables.ticks import Delta, DeltaTicks, Ticks
from tradewind.timetables.zones import zone_name, zone_of


class _IntervalTimetable(Timetable):
    """What the two interval timetables share."""

    _ticks: Ticks

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        starts = []
        if last_interval is not None:
            starts.append(self._ticks.at_or_before(last_interval.end))  # aligned: the schedule may have changed
        if restriction.earliest is not None:
            starts.append(self._ticks.at_or_after(restriction.earliest))
        if not restriction.catchup:
            starts.append(self._newest_start(restriction.earliest, now))
        if not starts:
            return None
        start = max(starts)
        if last_interval is not None and start <= last_interval.start:
            # After a change to a coarser schedule the boundary before the last run's end can lie before its start.
            start = self._ticks.after(start)
        if restriction.latest is not None and start > restriction.latest:
            return None
        return NextRun.over(start, self._ticks.after(start))

    @abstractmethod
    def _newest_start(self, earliest: datetime | None, now: datetime) -> datetime:
        """Return where the newest interval begins that is over at ``now``: earlier ones are not caught up with."""


class CronDataIntervalTimetable(_IntervalTimetable):
    """Intervals between the ticks of a cron expression, by the wall clock of a time zone."""

    def __init__(self, cron: str, timezone: str | tzinfo = "UTC") -> None:
        """
        Args:
            cron: 5 fields, 6 with seconds at the end, or a preset such as ``@daily``.
            timezone: whose wall clock is meant.
        """
        self.expression = expand_preset(cron)
        self.timezone = zone_of(timezone)
        self._ticks = CronTicks(self.expression, self.timezone)
        self.summary = self.expression
        self.description = describe_cron(self.expression)

    def _newest_start(self, earliest: datetime | None, now: datetime) -> datetime:
        return self._ticks.before(self._ticks.at_or_before(now))

    def manual_interval(self, run_after: datetime) -> DataInterval:
        end = self._ticks.at_or_before(run_after)
        return DataInterval(self._ticks.before(end), end)

    def _args(self) -> Mapping[str, Any]:
        return {"expression": self.expression, "timezone": zone_name(self.timezone)}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> CronDataIntervalTimetable:
        return cls(args["expression"], args["timezone"])


class DeltaDataIntervalTimetable(_IntervalTimetable):
    """Intervals of the same length, one after the other from the start date."""

    def __init__(self, delta: Delta) -> None:
        """
        Args:
            delta: the length of an interval.
        """
        self.delta = check_delta(delta, "The delta of DeltaDataIntervalTimetable")
        self._ticks: DeltaTicks = DeltaTicks(self.delta)
        self.summary = str(self.delta)
        self.description = say_delta(self.delta)

    def _newest_start(self, earliest: datetime | None, now: datetime) -> datetime:
        anchor = now if earliest is None or earliest > now else earliest
        return self._ticks.before(self._ticks.floor(now, anchor))

    def manual_interval(self, run_after: datetime) -> DataInterval:
        return DataInterval(self._ticks.before(run_after), run_after)

    def _args(self) -> Mapping[str, Any]:
        return {"delta": encode_delta(self.delta)}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> DeltaDataIntervalTimetable:
        return cls(decode_delta(args["delta"]))
