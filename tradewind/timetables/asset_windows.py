"""Of which parts does a period consist? Windows over a decoded partition key, and how many parts are enough."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Set
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, ClassVar

from tradewind.errors import DagError


class Window(ABC):
    """The parts of one period. Parts and period are decoded keys: instants for windows of time, texts for segments."""

    class Direction(str, Enum):  # noqa: UP042  its text is its name, as in Airflow
        """Whether the period begins or ends with the key."""

        BACKWARD = "backward"
        FORWARD = "forward"

    decodes_to: ClassVar[type] = str

    def __init__(self, *, direction: Window.Direction | str = Direction.FORWARD) -> None:
        try:
            self.direction = self.Direction(direction)
        except ValueError:
            raise DagError(
                f"{type(self).__name__}: direction is {direction!r}; expected forward or backward."
            ) from None

    @abstractmethod
    def to_upstream(self, decoded_downstream: Any) -> Iterable[Any]:
        """Return every part of the period, decoded."""

    def args(self) -> Mapping[str, Any]:
        """Return plain data from which an equal window is made."""
        return {"direction": self.direction.value}


class _TimeWindow(Window):
    """Steps of one length: so many of them make up the period."""

    decodes_to = datetime
    count: ClassVar[int]

    def to_upstream(self, decoded_downstream: datetime) -> Iterable[datetime]:
        back = self.count - 1 if self.direction is self.Direction.BACKWARD else 0
        return [self._step(decoded_downstream, number - back) for number in range(self.count)]

    @staticmethod
    @abstractmethod
    def _step(start: datetime, number: int) -> datetime: ...


class HourWindow(_TimeWindow):
    """The 60 minutes of an hour."""

    count = 60

    @staticmethod
    def _step(start: datetime, number: int) -> datetime:
        return start + timedelta(minutes=number)


class DayWindow(_TimeWindow):
    """The 24 hours of a day by the calendar, whatever daylight saving does to it."""

    count = 24

    @staticmethod
    def _step(start: datetime, number: int) -> datetime:
        return start + timedelta(hours=number)


class WeekWindow(_TimeWindow):
    """The 7 days of a week."""

    count = 7

    @staticmethod
    def _step(start: datetime, number: int) -> datetime:
        return start + timedelta(days=number)


class _MonthsWindow(_TimeWindow):
    @staticmethod
    def _step(start: datetime, number: int) -> datetime:
        return add_months(start, number)


class QuarterWindow(_MonthsWindow):
    """The 3 months of a quarter."""

    count = 3


class YearWindow(_MonthsWindow):
    """The 12 months of a year."""

    count = 12


class MonthWindow(Window):
    """The days of a month; backward, those behind the first of the month before, up to the key itself."""

    decodes_to = datetime

    def to_upstream(self, decoded_downstream: datetime) -> Iterable[datetime]:
        start = decoded_downstream
        if self.direction is self.Direction.BACKWARD:
            before = add_months(start, -1)
            return [before + timedelta(days=number + 1) for number in range((start - before).days)]
        return [start + timedelta(days=number) for number in range((add_months(start, 1) - start).days)]


class SegmentWindow(Window):
    """A fixed set of keys, such as regions. The period itself does not matter."""

    def __init__(self, segments: Iterable[str]) -> None:
        super().__init__()
        given = list(segments)
        if not given or any(not isinstance(one, str) or not one for one in given):
            raise DagError(f"SegmentWindow needs texts that are not empty, at least one; got {given!r}.")
        self.segments = frozenset(given)

    def to_upstream(self, decoded_downstream: Any) -> Iterable[Any]:
        return self.segments

    def args(self) -> Mapping[str, Any]:
        return {"segments": sorted(self.segments)}


def add_months(start: datetime, months: int) -> datetime:
    """Return the same day some months later.

    Raises:
        ValueError: ``start`` is not the first of a month, so that there may be no such day.
    """
    if start.day != 1:
        raise ValueError(f"A window of months begins with the first of a month, not with {start.isoformat()}.")
    number = start.month - 1 + months
    return start.replace(year=start.year + number // 12, month=number % 12 + 1)


class WaitPolicy(ABC):
    """How many parts must have come."""

    @abstractmethod
    def is_satisfied(self, come: Set[str], expected: Set[str]) -> bool:
        """Return whether those that have come are enough."""

    @abstractmethod
    def args(self) -> Mapping[str, Any]:
        """Return plain data from which an equal policy is made."""


class WaitForAll(WaitPolicy):
    """Every part."""

    def is_satisfied(self, come: Set[str], expected: Set[str]) -> bool:
        return expected <= come

    def args(self) -> Mapping[str, Any]:
        return {}


class MinimumCount(WaitPolicy):
    """At least ``n`` parts; with a negative ``n`` all but that many."""

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or isinstance(n, bool) or n == 0:
            raise DagError(f"MinimumCount({n!r}): give a whole number that is not 0; WaitForAll() waits for all.")
        self.n = n

    def is_satisfied(self, come: Set[str], expected: Set[str]) -> bool:
        return len(come & expected) >= (self.n if self.n > 0 else max(0, len(expected) + self.n))

    def args(self) -> Mapping[str, Any]:
        return {"n": self.n}
