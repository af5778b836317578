"""When is a run due whose partition is a tick of the clock? At the ticks of a cron expression, each with its key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from tradewind.errors import DagError
from tradewind.timetables.trigger import CronTriggerTimetable, decode_run_immediately


class Partition(NamedTuple):
    """The part of an asset that a run is about: its name, and where it begins."""

    key: str
    date: datetime


class CronPartitionTimetable(CronTriggerTimetable):
    """Run when a cron expression says so; each run is about the partition of its tick, and has no logical date.

    Args:
        cron: 5 fields, 6 with seconds at the end, or a preset such as ``@daily``.
        timezone: whose wall clock is meant; also that of the key.
        run_offset: so many ticks later (or earlier, when negative) than the run its partition begins.
        key_format: of the key, as for ``strftime``.
        run_immediately: see :class:`CronTriggerTimetable`.
    """

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | tzinfo,
        run_offset: int | None = None,
        run_immediately: bool | timedelta | None = False,
        key_format: str = "%Y-%m-%dT%H:%M:%S",
    ) -> None:
        super().__init__(cron, timezone=timezone, run_immediately=run_immediately)
        if run_offset is not None and (not isinstance(run_offset, int) or isinstance(run_offset, bool)):
            raise DagError(f"run_offset is {run_offset!r}; expected a whole number of ticks.")
        self.run_offset, self.key_format = run_offset or 0, key_format

    def partition(self, run_after: datetime) -> Partition:
        """Return what the run that is due at a tick is about."""
        at = run_after
        for _ in range(abs(self.run_offset)):
            at = self._ticks.after(at) if self.run_offset > 0 else self._ticks.before(at)
        return Partition(at.astimezone(self.timezone).strftime(self.key_format), at)

    def due_about(self, date: datetime) -> datetime:
        """Return an instant at or before which no run is due that is about a partition at or after ``date``."""
        at = self._ticks.at_or_before(date)
        for _ in range(abs(self.run_offset)):
            at = self._ticks.before(at) if self.run_offset > 0 else self._ticks.after(at)
        return at

    def _args(self) -> Mapping[str, Any]:
        return {**super()._args(), "run_offset": self.run_offset, "key_format": self.key_format}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> CronPartitionTimetable:
        return cls(
            args["expression"],
            timezone=args["timezone"],
            run_offset=args["run_offset"],
            run_immediately=decode_run_immediately(args["run_immediately"]),
            key_format=args["key_format"],
        )
