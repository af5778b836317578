"""What does one step of one run write? ``Plan``: made by the planner, carried out by one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tradewind.model.events import NO_MAP, Event
from tradewind.model.orders import AssetChange, AttemptEnded, AttemptStarted, Wait, XComValue
from tradewind.run.view import RunView, TaskKey, TaskView

RETRY, RESCHEDULE, WAIT_TIMEOUT, RUN_TIMEOUT, PAST = "retry", "reschedule", "wait_timeout", "run_timeout", "past"
"""Kinds of timers of a run."""
TASK_DEADLINE = "task_deadline"
"""The kind of the timer of a task that should be done by then; of a run like those above."""
RUN_START = "start"
"""The kind of the timer that keeps a queued run from starting; it belongs to the DAG, since nobody holds such a run."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of the installation that decisions depend on.

    Attributes:
        expand_at_once: so many instances of mapped tasks one step creates at most, so that other runs get their turn.
        backfill_share: how much of parallelism the tasks of backfills may take.
        max_postponements: how many tries in a row may end in ``RetryAfter`` without using up a retry.
    """

    max_losses: int = 3
    max_retry_delay: timedelta = timedelta(days=1)
    expand_at_once: int = 2000
    backfill_share: float = 0.75
    max_postponements: int = 100


@dataclass(frozen=True, slots=True)
class TimerSet:
    """A timer of this run to be set (or moved, when its key exists)."""

    key: str
    kind: str
    due_at: datetime
    task_id: str | None = None
    map_index: int = NO_MAP


@dataclass(frozen=True, slots=True)
class RatePause:
    """Nobody starts under a rate before an instant, since a task was told to come back then; ``by`` says which."""

    name: str
    until: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Call:
    """User code to be called because of what happened; see ``tradewind.sdk.callback_run`` for kinds and payloads."""

    kind: str
    key: TaskKey | None
    payload: Mapping[str, Any]


@dataclass(slots=True)
class Plan:
    """Everything that one step of one run writes.

    Attributes:
        seen_seq: the sequence number that the decisions rest on; the commit is guarded by it.
        ready: instances that became scheduled, in the order decided.
        cancel: attempts whose processes are no longer wanted; told to the executors after the commit.
        waits: what attempts wait for without a slot; ``waits_dropped`` are over, whatever came of them.
        has_more: the step was cut short; the next one goes on without being told anything.
        inbox_ids: rows that were folded and go away with the commit.
    """

    run: RunView
    seen_seq: int
    events: list[Event] = field(default_factory=list)
    ready: list[TaskKey] = field(default_factory=list)
    started: list[AttemptStarted] = field(default_factory=list)
    ended: list[AttemptEnded] = field(default_factory=list)
    cancel: list[UUID] = field(default_factory=list)
    timers_set: list[TimerSet] = field(default_factory=list)
    timers_cleared: list[str] = field(default_factory=list)
    xcoms: list[tuple[TaskKey, XComValue]] = field(default_factory=list)
    xcoms_cleared: list[TaskKey] = field(default_factory=list)
    waits: list[tuple[UUID, TaskKey, Wait]] = field(default_factory=list)
    waits_dropped: list[UUID] = field(default_factory=list)
    asset_changes: list[tuple[TaskKey, Sequence[AssetChange]]] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    pauses: list[RatePause] = field(default_factory=list)
    has_more: bool = False
    inbox_ids: list[int] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.events or self.inbox_ids or self.ended or self.timers_set or self.timers_cleared)


def run_timeout_key(run_pk: int) -> str:
    """The timer of a run's ``dagrun_timeout``."""
    return f"{RUN_TIMEOUT}:{run_pk}"


def run_start_key(run_pk: int) -> str:
    """The timer that a queued run waits for, as ``tradewind.metadata.timers`` names it."""
    return f"{RUN_START}:{run_pk}"


def deadline_key(run_pk: int, number: int) -> str:
    """The timer of one of a run's deadlines, as ``tradewind.metadata.deadlines`` sets it."""
    return f"deadline:{run_pk}:{number}"


def task_deadline_key(run_pk: int, key: TaskKey, number: int) -> str:
    """The timer of one of a task's deadlines: of an instance, or of the task as a whole."""
    task_id, map_index = key
    return f"{TASK_DEADLINE}:{run_pk}:{number}:{map_index}:{task_id}"


def past_key(run_pk: int) -> str:
    """The timer that makes a run look at the run before it."""
    return f"{PAST}:{run_pk}"


def task_timer(kind: str, run_pk: int, task: TaskView, due_at: datetime) -> TimerSet:
    """Return the one timer of this kind that a task instance has."""
    return TimerSet(task_timer_key(kind, run_pk, task.key), kind, due_at, task.task_id, task.map_index)


def task_timer_key(kind: str, run_pk: int, key: TaskKey) -> str:
    """The timer of a task instance's next try, of its next look, or of the end of its patience."""
    task_id, map_index = key
    return f"{kind}:{run_pk}:{map_index}:{task_id}"
