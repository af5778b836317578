"""What is a timetable? The contract: given the last run and now, when is the next one due, and what is it about?

Timetables are pure: they read no clock and no configuration, and equal questions get equal answers. All instants in and
out are aware and in UTC; a time zone only decides which instants a schedule means.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from tradewind.model.spec import TimetableSpec
from tradewind.model.states import RunType
from tradewind.timetables.own_code import OWN_KIND, OwnCode
from tradewind.timetables.values import DataInterval, NextRun, Restriction

__all__ = ["DataInterval", "NextRun", "Restriction", "Timetable"]


class Timetable(OwnCode):
    """A schedule. Two timetables are equal when their specs are.

    Classes of ours define all methods that raise here; a user's own class defines Airflow's methods instead.

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
        raise NotImplementedError(f"{type(self).__name__} does not define next_dagrun_info()")

    def manual_interval(self, run_after: datetime) -> DataInterval:
        """Return the data interval of a run that somebody asks for by hand at ``run_after``."""
        raise NotImplementedError(f"{type(self).__name__} does not define infer_manual_data_interval()")

    def _args(self) -> Mapping[str, Any]:
        """Return plain data from which ``from_spec`` makes an equal timetable."""
        raise NotImplementedError

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> Timetable:
        """Return the timetable whose ``_args`` these are."""
        raise NotImplementedError

    def run_id(
        self,
        run_type: RunType,
        run_after: datetime,
        logical_date: datetime | None = None,
        unique: str = "",
        interval: DataInterval | None = None,  # only own timetables look at it
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
        """Return the timetable as plain data: its kind is the name of the class; one kind holds all users' own.

        Raises:
            DagError: the user's own timetable cannot say what it is.
        """
        if self.is_own:
            return TimetableSpec(OWN_KIND, self._args(), self.summary or type(self).__name__, self.description)
        return TimetableSpec(type(self).__name__, self._args(), self.summary, self.description)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timetable) and self.to_spec() == other.to_spec()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.summary))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary!r})"
