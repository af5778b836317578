"""When was it by the clock of the control plane? A worker's own may be off, and instants are compared over there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import structs

from tradewind.model.orders import AttemptStarted, Fact

TOLERATED: Final = timedelta(seconds=1)
"""A difference up to this may be the way of the answer, and changes nothing."""


class OtherClock:
    """The difference between this host's clock and that of the control plane. Any thread."""

    def __init__(self) -> None:
        self._difference = timedelta(0)

    def learn(self, now: datetime | None) -> None:
        """Hear what time it is over there; None: it did not say."""
        if now is not None:
            difference = now - datetime.now(UTC)
            self._difference = difference if abs(difference) > TOLERATED else timedelta(0)

    def set_right(self, fact: Fact) -> Fact:
        """Return a fact with the instants that the clock over there would have shown."""
        by = self._difference
        if not by:
            return fact
        if isinstance(fact, AttemptStarted):
            return structs.replace(fact, at=fact.at + by)
        then = fact.then
        if then is not None and then.resume_at is not None:
            then = structs.replace(then, resume_at=then.resume_at + by)
        started_at = None if fact.started_at is None else fact.started_at + by
        return structs.replace(fact, at=fact.at + by, started_at=started_at, then=then)
