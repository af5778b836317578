"""What may a task ask about runs, its own and others'? Questions and answers, as plain data that cross processes.

Beside its own values a task sees no more of other DAGs than this: which runs there are, and the states of their tasks;
and it may trigger one. None of the answers holds an XCom, a conf or a secret.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True, tag=True):
    """A question or an answer: its tag and its fields in order."""


# --- questions -------------------------------------------------------------------------------------------------------


class TriggerRun(_Part, frozen=True):
    """Create a run of a DAG. A run with that id or that logical date is left alone unless ``replaces`` is set."""

    dag_id: str
    run_id: str
    logical_date: datetime | None = None  # None: a run without one
    run_after: datetime | None = None  # None: now
    conf: dict[str, Any] = {}
    note: str | None = None
    replaces: bool = False  # runs it again, with the conf that it had, when it has ended


class FindRun(_Part, frozen=True):
    """Ask for one run."""

    dag_id: str
    run_id: str


class FindPreviousRun(_Part, frozen=True):
    """Ask for the latest run before a logical date."""

    dag_id: str
    logical_date: datetime
    state: str | None = None  # None: any


class FindPreviousTask(_Part, frozen=True):
    """Ask for the latest instance of a task before a logical date; None: the latest of all."""

    dag_id: str
    task_id: str
    logical_date: datetime | None = None
    map_index: int = -1
    state: str | None = None


class FindDag(_Part, frozen=True):
    """Ask for a DAG."""

    dag_id: str


class CountRuns(_Part, frozen=True):
    """Ask how many runs there are. None and an empty list mean any."""

    dag_id: str
    logical_dates: tuple[datetime, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None


class CountTasks(_Part, frozen=True):
    """Ask how many task instances there are. None and an empty list mean any; the state ``null`` is no state yet."""

    dag_id: str
    map_index: int | None = None
    task_ids: tuple[str, ...] | None = None
    group_id: str | None = None
    logical_dates: tuple[datetime, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    states: tuple[str, ...] | None = None


class ListTasks(_Part, frozen=True):
    """Ask for the states of task instances. With both, ``task_ids`` and those of the group are meant."""

    dag_id: str
    map_index: int | None = None
    task_ids: tuple[str, ...] | None = None
    group_id: str | None = None
    logical_dates: tuple[datetime, ...] | None = None
    run_ids: tuple[str, ...] | None = None
    is_ended: bool = False  # those that have run to an end, only


RunQuestion = TriggerRun | FindRun | FindPreviousRun | FindPreviousTask | FindDag | CountRuns | CountTasks | ListTasks


# --- answers ---------------------------------------------------------------------------------------------------------


class Triggered(_Part, frozen=True):
    """The run that was created, or that was there before."""

    run_id: str
    is_new: bool = True


class RunFacts(_Part, frozen=True):
    """One run."""

    dag_id: str
    run_id: str
    run_type: str
    state: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None


class TaskFacts(_Part, frozen=True):
    """One task instance. ``state`` is None before it has one."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    state: str | None
    try_number: int
    logical_date: datetime | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None

    @property
    def duration(self) -> float | None:
        """Seconds that it took, or None."""
        if self.start_date is None or self.end_date is None:
            return None
        return (self.end_date - self.start_date).total_seconds()


class DagFacts(_Part, frozen=True):
    """One DAG: its newest version."""

    dag_id: str
    is_paused: bool
    is_active: bool  # its file still defines it
    file_path: str
    task_ids: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    owners: str = ""
    tags: tuple[str, ...] = ()
    next_run_after: datetime | None = None


class RunAnswer(_Part, frozen=True):
    """The answer to any question: the field that it is about is set, or nothing was found."""

    count: int = 0
    triggered: Triggered | None = None
    run: RunFacts | None = None
    dag: DagFacts | None = None
    tasks: tuple[TaskFacts, ...] = ()
