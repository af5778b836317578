"""What do timetables speak of? Spans of data, restrictions, runs to come. Plain values; instants are aware, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class DataInterval(NamedTuple):
    """The span of time whose data a run is about. ``start == end`` for schedules that only say when to run."""

    start: datetime
    end: datetime

    @classmethod
    def exact(cls, at: datetime) -> DataInterval:
        """Return the interval that is one instant."""
        return cls(at, at)


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a DAG says beside its schedule.

    Attributes:
        earliest: no run before it (``start_date``); None: not said.
        latest: no run after it (``end_date``), itself included; None: no end.
        catchup: whether runs that were missed are made one by one; else only the newest of them is.
    """

    earliest: datetime | None = None
    latest: datetime | None = None
    catchup: bool = False


@dataclass(frozen=True, slots=True)
class NextRun:
    """A run that will be made.

    Attributes:
        run_after: the instant at which it is due.
        logical_date: its name on the time axis: the start of the interval.
        interval: the data it is about.
        run_id: the name that the user's own timetable gives it; empty: the usual one.
    """

    run_after: datetime
    logical_date: datetime
    interval: DataInterval
    run_id: str = ""

    @classmethod
    def over(cls, start: datetime, end: datetime) -> NextRun:
        """Return the run that is due at the end of an interval."""
        return cls(end, start, DataInterval(start, end))


class TimeRestriction(NamedTuple):
    """:class:`Restriction` as Airflow hands it to a user's own timetable; its instants are pendulum's."""

    earliest: datetime | None
    latest: datetime | None
    catchup: bool


class DagRunInfo(NamedTuple):
    """:class:`NextRun` as a user's own timetable gives it: when the run is due, and the data it is about."""

    run_after: datetime
    data_interval: DataInterval

    @classmethod
    def exact(cls, at: datetime) -> DagRunInfo:
        """Return a run that is due at an instant, and about nothing but it."""
        return cls(at, DataInterval.exact(at))

    @classmethod
    def interval(cls, start: datetime, end: datetime) -> DagRunInfo:
        """Return a run that is about a span of time, and due at its end."""
        return cls(end, DataInterval(start, end))

    @property
    def logical_date(self) -> datetime:
        """The start of the data interval."""
        return self.data_interval.start
