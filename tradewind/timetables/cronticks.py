"""At which instants does a cron expression tick in a time zone, on the days when the clocks change too?

croniter knows cron on a clock without zones; this module lays its answers on the time line. Two rules, as in Airflow:

* An expression that runs every hour (``*`` for the hour) ticks whenever the clock on the wall shows a matching time:
  twice in an hour that is repeated, not at all in one that is left out.
* Any other expression ticks once for each matching time: in a repeated hour at its second pass. The first of the times
  that are left out is moved forward by what the clocks skip (02:30 becomes 03:30); further ones are dropped.
"""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from croniter import CroniterBadDateError, CroniterError, croniter

from tradewind.errors import DagError

_SECOND: Final = timedelta(seconds=1)
_WALL: Final = datetime(2000, 1, 1)  # noqa: DTZ001  a time on the wall, which croniter counts in
_REACH: Final = timedelta(hours=25)
"""No clock was ever changed by more than a day (Samoa, 2011)."""


class CronTicks:
    """The ticks of a cron expression of 5 or 6 fields (the sixth is seconds) in a zone."""

    def __init__(self, expression: str, zone: tzinfo) -> None:
        """
        Raises:
            DagError: the expression is not cron, or never comes true.
        """
        self._pattern: Final = _parsed(expression)
        self.expression: Final = expression
        self.zone: Final = zone
        self._every_hour: Final = self._pattern.expanded[1] == ["*"]

    def after(self, instant: datetime) -> datetime:
        return self._after_on_the_wall(instant) if self._every_hour else self._after_by_date(instant)

    def before(self, instant: datetime) -> datetime:
        return self._before_on_the_wall(instant) if self._every_hour else self._before_by_date(instant)

    def at_or_after(self, instant: datetime) -> datetime:
        following = self.after(instant)
        return instant if self.before(following) == instant else following

    def at_or_before(self, instant: datetime) -> datetime:
        preceding = self.before(instant)
        return instant if self.after(preceding) == instant else preceding

    # --- expressions that name hours: one tick for each matching time ---

    def _after_by_date(self, instant: datetime) -> datetime:
        steps = self._steps(self._wall(instant))
        while (tick := self._place(steps.get_next(datetime))) <= instant:
            pass
        return tick

    def _before_by_date(self, instant: datetime) -> datetime:
        steps = self._steps(self._wall(instant))
        # In the first pass of a repeated hour, times just gone by on the wall come once more, and tick only then.
        while (tick := self._place(steps.get_prev(datetime))) >= instant:
            pass
        return tick

    def _place(self, wall: datetime) -> datetime:
        """Return the later of the two instants that a wall time can mean; see the rules above."""
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return max(first, second)

    # --- expressions that run every hour: a tick whenever the wall shows a matching time ---

    def _after_on_the_wall(self, instant: datetime) -> datetime:
        begin = self._wall(instant)
        while True:
            offset = self._offset(instant)
            tick = _utc(self._steps(begin).get_next(datetime), offset)
            change = self._first_change(instant, tick)
            if change is None or tick < change:
                return tick
            instant, begin = change, self._wall(change) - _SECOND  # a tick at the very change counts

    def _before_on_the_wall(self, instant: datetime) -> datetime:
        while True:
            just_before = instant - timedelta.resolution
            offset = self._offset(just_before)
            wall = instant.astimezone(UTC).replace(tzinfo=None) + offset
            tick = _utc(self._steps(wall).get_prev(datetime), offset)
            change = self._last_change(tick, just_before)
            if change is None or tick >= change:
                return tick
            instant = change

    def _first_change(self, start: datetime, end: datetime) -> datetime | None:
        """Return when the clocks first change in ``(start, end]``, as far as it can move a tick.

        Looked for close to the start, where a repeated hour can bring times again that are past on the wall, and
        between the ends; changes that cancel out in between move nothing.
        """
        offset = self._offset(start)
        for point in (min(end, start + _REACH), end):
            if self._offset(point) != offset:
                return self._change_between(start, point)
        return None

    def _last_change(self, start: datetime, end: datetime) -> datetime | None:
        offset = self._offset(end)
        for point in (max(start, end - _REACH), start):
            if self._offset(point) != offset:
                return self._change_between(point, end)
        return None

    def _change_between(self, start: datetime, end: datetime) -> datetime:
        """Return the first instant with another offset than ``start``; clocks change at whole seconds."""
        low, high = int(start.timestamp()), -int(-end.timestamp() // 1)
        offset = self._offset(start)
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset(datetime.fromtimestamp(middle, UTC)) == offset:
                low = middle
            else:
                high = middle
        return datetime.fromtimestamp(high, UTC)

    def _offset(self, instant: datetime) -> timedelta:
        offset = instant.astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset

    def _steps(self, wall: datetime) -> croniter:
        """Return what counts on from a time on the wall."""
        steps = copy(self._pattern)
        steps.set_current(wall)
        return steps

    def _wall(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone).replace(tzinfo=None, fold=0)


@lru_cache(1024)
def _parsed(expression: str) -> croniter:
    """Return an expression read, to be copied: reading it takes longer than finding a tick.

    Raises:
        DagError: it is not cron, or never comes true.
    """
    fields = len(expression.split())
    if fields not in (5, 6):
        raise DagError(
            f"The schedule {expression!r} has {fields} field{'' if fields == 1 else 's'}; cron has 5 (minute, "
            "hour, day of month, month, day of week), or 6 with seconds at the end, e.g. '0 2 * * *'."
        )
    if any(part[:1] in "rR" for field in expression.split() for part in field.split(",")):
        raise DagError(f"The schedule {expression!r} has a random field (R), which no two readings agree on.")
    try:
        pattern = croniter(expression, start_time=_WALL)
        copy(pattern).get_next(datetime)
    except CroniterBadDateError:
        raise DagError(
            f"The schedule {expression!r} names days that no calendar has, so it would never run. Correct its day "
            "of month and month, or give None for a DAG that is only run by hand."
        ) from None
    except (CroniterError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise DagError(
            f"The schedule {expression!r} is not a cron expression: {error}. "
            f"{_hint(expression)}Correct the field it names; https://crontab.guru explains the fields."
        ) from error
    return pattern


def _hint(expression: str) -> str:
    """Return what is meant by Quartz's ``5L``, which cron does not know."""
    weekday = expression.split()[4].upper()
    return (
        f"The last such weekday of the month is L{weekday[:-1]} here. " if weekday[:-1] and weekday[-1] == "L" else ""
    )


def _utc(wall: datetime, offset: timedelta) -> datetime:
    return (wall - offset).replace(tzinfo=UTC)
