"""When is a run due that follows no rhythm but a list of instants?"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from tradewind.errors import DagError
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable


class EventsTimetable(Timetable):
    """Run at listed instants, such as the days of matches or of releases."""

    def __init__(
        self,
        event_dates: Iterable[datetime],
        restrict_to_events: bool = False,
        presorted: bool = False,
        description: str | None = None,
    ) -> None:
        """
        Args:
            event_dates: aware instants; one that comes twice counts once.
            restrict_to_events: a run asked for by hand is about the last event that is past (the first one when none
                is), else about the moment at which it is asked for.
            presorted: taken for Airflow's sake; sorting what is sorted costs nothing here.
            description: what is shown in place of the number of events.

        Raises:
            DagError: one of ``event_dates`` is no instant, or has no time zone.
        """
        self.event_dates = sorted({_instant(date) for date in event_dates})
        self.restrict_to_events = restrict_to_events
        self._given = description
        self.summary = description if description is not None else f"{len(self.event_dates)} events"
        self.description = self.summary if description is not None else self._span()

    def _span(self) -> str:
        if not self.event_dates:
            return "No events"
        first, last = self.event_dates[0].isoformat(), self.event_dates[-1].isoformat()
        return f"{len(self.event_dates)} events between {first} and {last}"

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        """Return the next event. Without catchup, events that are past are left out, the newest of them too."""
        bounds = [restriction.earliest] if restriction.catchup else [restriction.earliest, now]
        earliest = max((bound for bound in bounds if bound is not None), default=None)
        place = 0 if earliest is None else bisect_left(self.event_dates, earliest)
        if last_interval is not None:
            place = max(place, bisect_right(self.event_dates, last_interval.end))
        if place >= len(self.event_dates):
            return None
        event = self.event_dates[place]
        if restriction.latest is not None and event > restriction.latest:
            return None
        return NextRun.over(event, event)

    def manual_interval(self, run_after: datetime) -> DataInterval:
        if not self.restrict_to_events or not self.event_dates:
            return DataInterval.exact(run_after)
        place = max(bisect_right(self.event_dates, run_after) - 1, 0)
        return DataInterval.exact(self.event_dates[place])

    def _args(self) -> Mapping[str, Any]:
        return {
            "event_dates": [date.isoformat() for date in self.event_dates],
            "restrict_to_events": self.restrict_to_events,
            "description": self._given,
        }

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> EventsTimetable:
        dates = [datetime.fromisoformat(text) for text in args["event_dates"]]
        return cls(dates, args["restrict_to_events"], presorted=True, description=args["description"])


def _instant(date: object) -> datetime:
    if not isinstance(date, datetime):
        raise DagError(f"An event of EventsTimetable is {date!r} ({type(date).__name__}); expected a datetime.")
    if date.tzinfo is None:
        raise DagError(
            f"The event {date.isoformat()} of EventsTimetable has no time zone. Write it with one, e.g. "
            "datetime(2026, 1, 1, 9, tzinfo=ZoneInfo('Europe/Berlin'))."
        )
    at = date.astimezone(UTC)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, UTC)
