"""What stands for a timetable of the user's own where his code does not run? A name that refuses to compute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tradewind.errors import DagError
from tradewind.timetables.base import DataInterval, NextRun, Restriction, Timetable
from tradewind.timetables.ticks import EPOCH


class OwnCodeNeeded(DagError):
    """Only the user's own code knows the answer: ask a process that may run it."""

    code = "own-code-needed"


def needs_own_code(timetable: Timetable) -> bool:
    """Return whether a timetable, or a part of it, is the user's own code that does not run here."""
    try:
        timetable.manual_interval(EPOCH)
    except OwnCodeNeeded:
        return True
    return False


class OwnTimetable(Timetable):
    """The stored form of every timetable that is a user's own class."""

    def __init__(self, kind: str, data: Mapping[str, Any]) -> None:
        """
        Args:
            kind: the class, with its module.
            data: what it gave as its ``serialize()``.
        """
        self.kind, self.data = kind, dict(data)
        self.summary = kind.rpartition(".")[2]

    def next_run(
        self,
        last_interval: DataInterval | None,
        last_run_after: datetime | None,
        restriction: Restriction,
        now: datetime,
    ) -> NextRun | None:
        raise self._needed()

    def manual_interval(self, run_after: datetime) -> DataInterval:
        raise self._needed()

    def _needed(self) -> OwnCodeNeeded:
        return OwnCodeNeeded(
            f"The timetable {self.kind} is the user's own code, which does not run here. The scheduler asks a parse "
            "process for its coming runs; start one, or try again in a moment."
        )

    def _args(self) -> Mapping[str, Any]:
        return {"class": self.kind, "data": self.data}

    @classmethod
    def _from_args(cls, args: Mapping[str, Any]) -> OwnTimetable:
        return cls(args["class"], args["data"])
