"""How many tasks may still start under a rate, and when the next? Pure: the starts of late and the instant go in.

What is kept are the starts within the window, not a bucket that fills up again: then there are never more starts than
the rate allows in any window of its length, wherever it begins. With large rates starts are kept in groups of a small
part of the window, and a whole group leaves it when its last start does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from tradewind.model.spec import RateSpec

_GROUPS: Final = 200
"""Groups of starts that one window has at most, or not many more."""


class Starts(msgspec.Struct, array_like=True):
    """So many starts within a small part of the window."""

    first: datetime
    last: datetime
    count: int


@dataclass(slots=True)
class RateUse:
    """How far one rate is used.

    Attributes:
        starts: of late, in order; those that are older than ``kept`` are dropped.
        kept: the longest window that anybody has asked for.
        paused_until: nobody starts before, since a task said so.
        paused_by: which, and why.
        is_changed: whether the starts have to be written.
        is_paused_anew: whether the pause has to be.
    """

    starts: list[Starts] = field(default_factory=list)
    kept: timedelta = timedelta(0)
    paused_until: datetime | None = None
    paused_by: str | None = None
    is_changed: bool = False
    is_paused_anew: bool = False

    def used(self, rate: RateSpec, now: datetime) -> int:
        """Return how many starts are within the window that ends at ``now``."""
        since = now - window(rate)
        return sum(group.count for group in self.starts if group.last > since)

    def free_at(self, rate: RateSpec, now: datetime) -> datetime | None:
        """Return when one more may start, if that is later than ``now``; else None."""
        paused = self.paused_until if self.paused_until is not None and self.paused_until > now else None
        left = self.used(rate, now)
        if left < rate.limit:
            return paused
        since = now - window(rate)
        free = now
        for group in sorted((g for g in self.starts if g.last > since), key=lambda g: g.last):
            left -= group.count
            free = group.last + window(rate)
            if left < rate.limit:
                break
        return free if paused is None else max(free, paused)

    def take(self, rate: RateSpec, now: datetime) -> None:
        """Count one start."""
        self.kept = max(self.kept, window(rate))
        while self.starts and self.starts[0].last <= now - self.kept:
            del self.starts[0]
        newest = self.starts[-1] if self.starts else None
        if newest is not None and newest.first <= now <= newest.first + window(rate) / _GROUPS:
            newest.last = max(newest.last, now)
            newest.count += 1
        else:
            self.starts.append(Starts(now, now, 1))
        self.is_changed = True

    def pause(self, until: datetime, by: str) -> None:
        """Let nobody start before ``until``; a pause that lasts longer stays."""
        if self.paused_until is None or until > self.paused_until:
            self.paused_until, self.paused_by, self.is_paused_anew = until, by, True


def window(rate: RateSpec) -> timedelta:
    """Return the length of the window in which a rate counts."""
    return timedelta(seconds=rate.per_seconds)


def read_starts(stored: Any) -> list[Starts]:
    """Return the starts that were stored as plain data."""
    return msgspec.convert(stored or [], list[Starts])
