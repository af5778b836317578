"""What is a timetable? The contract: given the last run and now, when is the next one due, and what is it about?

Timetables are pure: they read no clock and no configuration, and equal questions get equal answers. All instants in and
out are aware and in UTC; a time zone only decides which instants a schedule means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, NamedTuple

from tradewind.model.spec import TimetableSpec
from tradewind.model.states import RunType


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
    """

    run_after: datetime
    logical_date: datetime
    interval: DataInterval

    @classmethod
    def over(cls, start: datetime, end: datetime) -> NextRun:
        """Return the run that is due at the end of an interval."""
        return cls(end, start, DataInterval(start, end))


class Timetable(ABC):
    """A schedule. Two timetables are equal when their specs are.

    Attributes:
        summary: what the user wrote, e.g. ``"0 2 * * *"``.
        description: the same in words, e.g. ``"At 02:00"``; empty when there are none.
        can_be_scheduled: False: never due by itself.
        active_runs_limit: the only ``max_active_runs`` under which the schedule makes sense; None: any.
    """

    summary: str = ""
    description: str = ""
    can_be_scheduled: ClassVar[bool] = True
    active_runs_limit: ClassVar[int | None] = None

    @abstractmethod
    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        """Return the run to make next; it may be due already, or in the future. None: there is none.

        Args:
            last_interval: of the newest run that was made by the schedule or a backfill; None before the first.
            last_run_after: when that run was due.
            restriction: what the DAG says beside its schedule.
            now: decides which runs were missed, when ``restriction.catchup`` is off.
        """

    @abstractmethod
    def manual_interval(self, run_after: datetime) -> DataInterval:
        """Return the data interval of a run that somebody asks for by hand at ``run_after``."""

    @abstractmethod
    def _args(self) -> Mapping[str, Any]:
        """Return plain data from which ``from_spec`` makes an equal timetable."""

    @classmethod
    @abstractmethod
    def _from_args(cls, args: Mapping[str, Any]) -> Timetable:
        """Return the timetable whose ``_args`` these are."""

    def run_id(
        self, run_type: RunType, run_after: datetime, logical_date: datetime | None = None, unique: str = ""
    ) -> str:
        """Return the name of a run, as Airflow makes it: by when it is due, not by its logical date.

        Args:
            run_type: the first part of the name.
            run_after: when the run is due.
            logical_date: a run that has none may share its instant with others, so ``unique`` is added to its name.
            unique: a few random letters from the caller; timetables make no random choices.
        """
        name = f"{run_type}__{run_after.astimezone(UTC).isoformat()}"
        return name if logical_date is not None or not unique else f"{name}_{unique}"

    def to_spec(self) -> TimetableSpec:
        """Return the timetable as plain data: its kind is the name of the class."""
        return TimetableSpec(type(self).__name__, self._args(), self.summary, self.description)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timetable) and self.to_spec() == other.to_spec()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.summary))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary!r})"
