"""What is a backfill? A span of the past, and what becomes of each date of a schedule within it. Plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Reprocess(StrEnum):
    """What becomes of a date that has a run already."""

    NONE = "none"  # it is left as it is
    FAILED = "failed"  # a failed run is done again
    COMPLETED = "completed"  # a run that has ended is done again, however it ended


class Only(StrEnum):
    """Which dates a backfill is about, when it is not about all of them."""

    MISSING = "missing"  # those that have no run
    FAILED = "failed"  # those whose run failed


class Action(StrEnum):
    """What would become of a date."""

    CREATE = "create"
    RERUN = "rerun"
    SKIP = "skip"


class SlotState(StrEnum):
    """How far a date of a backfill has come."""

    WAITING = "waiting"  # its run is made, or done again, when the window has a place for it
    MADE = "made"  # the run is there: its own state tells the rest
    SKIPPED = "skipped"  # nothing is done; the reason says why
    UPSTREAM_FAILED = "upstream_failed"  # a DAG that this one waits for failed on that date
    CANCELLED = "cancelled"  # the backfill was cancelled before its turn came


class BackfillOutcome(StrEnum):
    """How a backfill ended."""

    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Slot:
    """One date of the schedule of one DAG, as a backfill means to treat it.

    Attributes:
        run_id: of the run that is there, or that is to be made.
        run_pk: of the run that is there; None: none.
        reason: why nothing is done, or what is done again; empty: nothing need be said.
    """

    dag_id: str
    logical_date: datetime | None
    run_after: datetime
    run_id: str
    action: Action
    reason: str = ""
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    partition_key: str | None = None
    partition_date: datetime | None = None
    run_pk: int | None = None

    @property
    def date(self) -> datetime:
        """Its place on the axis of time: the logical date, or where its partition begins."""
        return self.logical_date or self.partition_date or self.run_after


@dataclass(frozen=True, slots=True)
class WantedBackfill:
    """A backfill that somebody asks for.

    Attributes:
        dag_ids: one DAG, or several that are done together; one that builds on another waits for it, date by date.
        from_date, to_date: bounds of the logical dates (of partition dates, where a DAG has those), both inclusive.
        conf: of every run; checked by the params of each DAG. None: that of a run that is done again stays.
        reprocess: None: ``none``, or what ``only`` says.
        only: None: all dates.
        max_active_runs: how many of its runs may be queued or running at once. None: 10, as in Airflow.
        run_on_latest_version: runs that are done again take the newest version of their DAG.
        tasks: patterns such as ``load_*``; empty: all tasks.
        with_upstream, with_downstream: of the tasks chosen.
        order: lists of DAGs of which each waits for the one before it, beside what the DAGs themselves say.
    """

    dag_ids: Sequence[str]
    from_date: datetime
    to_date: datetime
    conf: Mapping[str, Any] | None = None
    reprocess: Reprocess | None = None
    only: Only | None = None
    max_active_runs: int | None = None
    run_backwards: bool = False
    run_on_latest_version: bool = True
    tasks: Sequence[str] = ()
    with_upstream: bool = False
    with_downstream: bool = False
    order: Sequence[Sequence[str]] = ()


@dataclass(frozen=True, slots=True)
class BackfillPlan:
    """What a backfill would do, to the last date: what a dry run shows, and what is stored when it is created.

    Attributes:
        slots: in the order of their turns.
        waits_for: DAG -> the DAGs whose runs of the same time must have succeeded before.
        tasks: DAG -> the tasks that runs consist of; a DAG that is not named here runs whole.
        notes: what somebody should know before.
    """

    wanted: WantedBackfill
    slots: Sequence[Slot]
    waits_for: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tasks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def count(self, action: Action) -> int:
        """Return for how many dates that is to be done."""
        return sum(slot.action is action for slot in self.slots)
