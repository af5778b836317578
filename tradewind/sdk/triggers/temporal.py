"""How does a task wait for an instant without a slot?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk.instants import pendulum_utc
from tradewind.sdk.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

if TYPE_CHECKING:
    import pendulum

_LONGEST_SLEEP_SECONDS: Final = 3600.0
"""A clock that is set forward is noticed at the end of a sleep, so none is very long; near the end they are short."""


class DateTimeTrigger(BaseTrigger):
    """Fires at an instant; the payload is that instant in UTC, a plain datetime as in Airflow.

    Args:
        moment: an aware datetime.
        target_time: the same as text or datetime, which may come from a template; give one of the two.
        end_from_trigger: end the task with success instead of going on with it.
    """

    def __init__(
        self,
        moment: datetime | None = None,
        *,
        target_time: datetime | str | None = None,
        end_from_trigger: bool = False,
    ) -> None:
        super().__init__()
        if (moment is None) == (target_time is None):
            raise TypeError(f"{type(self).__name__} needs either moment or target_time, and not both.")
        if moment is not None and not isinstance(moment, datetime):
            raise TypeError(f"moment must be a datetime, not {moment!r} ({type(moment).__name__}).")
        if moment is not None and moment.tzinfo is None:
            raise ValueError(f"moment {moment!r} has no time zone. Give it one, e.g. with tzinfo=UTC.")
        self.target_time = target_time
        self.end_from_trigger = end_from_trigger
        self._moment = moment

    @property
    def moment(self) -> pendulum.DateTime:
        """The instant, in UTC."""
        at = self._moment
        if at is None:
            at = self.target_time if isinstance(self.target_time, datetime) else _parsed(self.target_time)
            at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        found = pendulum_utc(at)
        assert found is not None
        return found

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments."""
        given: dict[str, Any] = {"target_time": self.target_time} if self._moment is None else {"moment": self.moment}
        return (
            "airflow.providers.standard.triggers.temporal.DateTimeTrigger",
            {**given, "end_from_trigger": self.end_from_trigger},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep until then."""
        moment = self.moment
        self.log.info("Waiting until %s", moment.isoformat())
        while (left := moment.timestamp() - time.time()) > 0:
            # Half of a long wait, so that a change of the clock is noticed in time; the last stretch in one go.
            await asyncio.sleep(min(left if left < 60 else left / 2, _LONGEST_SLEEP_SECONDS))
        yield TaskSuccessEvent() if self.end_from_trigger else TriggerEvent(datetime.fromisoformat(moment.isoformat()))


class TimeDeltaTrigger(DateTimeTrigger):
    """Fires when ``delta`` has passed since the trigger was made in the task; written down it is a DateTimeTrigger."""

    def __init__(self, delta: timedelta, *, end_from_trigger: bool = False) -> None:
        super().__init__(moment=datetime.now(UTC) + delta, end_from_trigger=end_from_trigger)


def _parsed(text: Any) -> datetime:
    if not isinstance(text, str) or not text:
        raise TypeError(f"target_time must be a datetime or the text of one, not {text!r}.")
    from dateutil.parser import isoparse  # only where a text is given

    return isoparse(text)
