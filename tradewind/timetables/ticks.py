"""At which instants does a schedule tick? Steps forwards and backwards from any instant, of any schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

from dateutil.relativedelta import relativedelta

from tradewind.errors import DagError

Delta = timedelta | relativedelta
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Ticks(Protocol):
    """The instants of a schedule."""

    def after(self, instant: datetime) -> datetime:
        """Return the first tick after ``instant``."""

    def before(self, instant: datetime) -> datetime:
        """Return the last tick before ``instant``."""

    def at_or_after(self, instant: datetime) -> datetime:
        """Return ``instant`` when it is a tick, else the first one after it."""

    def at_or_before(self, instant: datetime) -> datetime:
        """Return ``instant`` when it is a tick, else the last one before it."""


class DeltaTicks:
    """A tick every so often, from wherever one starts: any instant may be a tick. Steps are made in UTC."""

    def __init__(self, delta: Delta) -> None:
        """
        Raises:
            DagError: the delta does not lead forward.
        """
        if EPOCH + delta <= EPOCH:
            raise DagError(f"The schedule {delta!r} does not lead forward in time. Give a positive duration.")
        self.delta = delta

    def after(self, instant: datetime) -> datetime:
        return instant + self.delta

    def before(self, instant: datetime) -> datetime:
        return instant - self.delta

    def at_or_after(self, instant: datetime) -> datetime:
        return instant

    def at_or_before(self, instant: datetime) -> datetime:
        return instant

    def floor(self, instant: datetime, anchor: datetime) -> datetime:
        """Return the last boundary up to ``instant`` of the grid on which intervals are laid when none was made yet.

        Durations of fixed length count from 1970. Months and years have none, so they are counted from ``anchor``,
        step by step as single runs would be: from January 31 to February 29, and from there to March 29.
        """
        if isinstance(self.delta, relativedelta) and (self.delta.months or self.delta.years):
            boundary = anchor
            while boundary < (following := self.after(boundary)) <= instant:
                boundary = following
            return boundary
        return instant - (instant - EPOCH) % _fixed_length(self.delta)


def _fixed_length(delta: Delta) -> timedelta:
    if isinstance(delta, timedelta):
        return delta
    length = timedelta(
        days=delta.days,
        hours=delta.hours,
        minutes=delta.minutes,
        seconds=delta.seconds,
        microseconds=delta.microseconds,
    )
    # relativedelta(weekday=MO) and the like have no length of their own: they are at home on a grid of days.
    return length if length > timedelta(0) else timedelta(days=1)
