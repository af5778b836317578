"""When is a run due that starts at the ticks of a schedule? Trigger timetables: the default of Airflow 3.

The run is due at the tick. Its data interval ends there, and has a length only when ``interval`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from tradewind.errors import DagError
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.cronticks import CronTicks
from tradewind.timetables.cronwords import describe_cron, expand_preset
from tradewind.timetables.durations import check_delta, decode_delta, encode_delta, say_delta
from tradewind.timetables.ticks import Delta, DeltaTicks, Ticks
from tradewind.timetables.zones import zone_name, zone_of

NO_TIME = timedelta(0)


class _TriggerTimetable(Timetable):
    """What the two trigger timetables share."""

    _ticks: Ticks
    interval: Delta

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        candidates = []
        if last_interval is not None:
            candidates.append(self._ticks.after(last_interval.end))
        if restriction.earliest is not None:
            candidates.append(self._ticks.at_or_after(restriction.earliest))
        if not candidates:
            candidates.append(self._first_tick(now))
        if restriction.catchup:
            tick = candidates[0]  # after the last run; a start date that is moved later changes nothing then
        else:
            tick = max(self._ticks.at_or_before(now), *candidates)
        if restriction.latest is not None and tick > restriction.latest:
            return None
        start = tick - self.interval
        if last_interval is not None:
            # A logical date names one run only, and grows: but the last days of March less a month are all the last of
            # February, and an interval that was made longer reaches back behind runs that are there.
            start = max(start, last_interval.start + timedelta.resolution)
        return NextRun.over(start, tick)

    def manual_interval(self, run_after: datetime) -> DataInterval:
        return DataInterval(run_after - self.interval, run_after)

    def _first_tick(self, now: datetime) -> datetime:
        """Return the tick of the very first run of a DAG without a start date."""
        return self._ticks.at_or_before(now)


class DeltaTriggerTimetable(_TriggerTimetable):
    """Run every so often: at the start date, and then each time ``delta`` has passed."""

    def __init__(self, delta: Delta, *, interval: Delta = NO_TIME) -> None:
        """
        Args:
            delta: the time from one run to the next.
            interval: the length of each run's data interval, which ends when the run is due.
        """
        self.delta = check_delta(delta, "The delta of DeltaTriggerTimetable")
        self.interval = check_delta(interval, "The interval of DeltaTriggerTimetable")
        self._ticks = DeltaTicks(self.delta)
        self.summary = str(self.delta)
        self.description = say_delta(self.delta)

    def _args(self) -> Mapping[str, Any]:
        return {"delta": encode_delta(self.delta), "interval": encode_delta(self.interval)}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> DeltaTriggerTimetable:
        return cls(decode_delta(args["delta"]), interval=decode_delta(args["interval"]))


class CronTriggerTimetable(_TriggerTimetable):
    """Run when a cron expression says so, by the wall clock of a time zone."""

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | tzinfo = "UTC",
        interval: Delta = NO_TIME,
        run_immediately: bool | timedelta | None = False,
    ) -> None:
        """
        Args:
            cron: 5 fields, 6 with seconds at the end, or a preset such as ``@daily``.
            timezone: whose wall clock is meant.
            interval: the length of each run's data interval, which ends when the run is due.
            run_immediately: whether a new DAG without a start date begins with the tick before now. True: yes; a
                timedelta: when that tick is no older; else: when it is no older than a tenth of the time between two
                ticks, or 5 minutes when that is more.
        """
        self.expression = expand_preset(cron)
        self.timezone = zone_of(timezone)
        self.interval = check_delta(interval, "The interval of CronTriggerTimetable")
        self.run_immediately = check_run_immediately(run_immediately)
        self._ticks = CronTicks(self.expression, self.timezone)
        self.summary = self.expression
        self.description = describe_cron(self.expression)

    def _first_tick(self, now: datetime) -> datetime:
        before, after = self._ticks.at_or_before(now), self._ticks.at_or_after(now)
        if self.run_immediately is True:
            return before
        patience = self.run_immediately
        if not isinstance(patience, timedelta):
            patience = max((after - before) / 10, timedelta(minutes=5))
        return before if now - before <= patience else after

    def _args(self) -> Mapping[str, Any]:
        args: dict[str, Any] = {"expression": self.expression, "timezone": zone_name(self.timezone)}
        args["interval"] = encode_delta(self.interval)
        args["run_immediately"] = encode_run_immediately(self.run_immediately)
        return args

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> CronTriggerTimetable:
        return cls(
            args["expression"],
            timezone=args["timezone"],
            interval=decode_delta(args["interval"]),
            run_immediately=decode_run_immediately(args["run_immediately"]),
        )


def check_run_immediately(value: object) -> bool | timedelta | None:
    """Return ``value`` when it can say whether a new DAG begins with a tick that is past.

    Raises:
        DagError: it is something else.
    """
    if not (value is None or isinstance(value, bool | timedelta)):
        raise DagError(f"run_immediately is {value!r}; expected True, False or a timedelta.")
    return value


def encode_run_immediately(value: bool | timedelta | None) -> Any:
    """Return plain data for it."""
    return {"within": encode_delta(value)} if isinstance(value, timedelta) else value


def decode_run_immediately(data: Any) -> bool | timedelta | None:
    """Return what :func:`encode_run_immediately` stored."""
    if isinstance(data, Mapping):
        return timedelta(seconds=data["within"])
    return check_run_immediately(data)
