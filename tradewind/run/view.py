"""What is the state of a run? The fold of its events: ``RunView.apply`` is the only place where a state is assigned.

The scheduler folds events as it decides them, ``tradewind db verify`` folds the stored log again and compares. Both use
this module, so that the projection in the metadata DB is what the log says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from tradewind.model.events import NO_MAP, Event
from tradewind.model.orders import attempt_id
from tradewind.model.states import (
    FINAL_TASK_STATES,
    RunEvent,
    RunState,
    TaskEvent,
    TaskState,
    next_run_state,
    next_task_state,
)

if TYPE_CHECKING:  # it brings networkx, 11 MB that a process which only creates or shows runs has no use for
    from tradewind.run.graph import DagGraph

TaskKey = tuple[str, int]
"""Task id and map index."""


@dataclass(slots=True)
class TaskView:
    """One task instance; the same fields as its row. Instants are aware UTC.

    ``part`` is that of the active attempt, or else of the one to come: it grows when a try begins to wait without a
    slot, and a new try begins at 0. ``resume`` is what the part to come goes on with, as plain data of ``Resumption``.
    """

    task_id: str
    map_index: int = NO_MAP
    state: TaskState = TaskState.NONE
    try_number: int = 0
    max_tries: int = 0
    failures: int = 0
    losses: int = 0
    attempt_id: UUID | None = None
    scheduled_at: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    retry_at: datetime | None = None
    reason: str | None = None
    part: int = 0
    length: int | None = None
    map_label: str | None = None
    first_started_at: datetime | None = None
    resume: Mapping[str, Any] | None = None

    @property
    def key(self) -> TaskKey:
        return self.task_id, self.map_index


@dataclass(slots=True)
class UpstreamCounts:
    """How the direct upstream instances of a task stand. A mapped upstream counts by its indexes."""

    total: int = 0
    success: int = 0
    failed: int = 0
    upstream_failed: int = 0
    skipped: int = 0
    removed: int = 0

    @property
    def done(self) -> int:
        return self.success + self.failed + self.upstream_failed + self.skipped + self.removed

    def add(self, state: TaskState, by: int) -> None:
        """Count one instance in ``state`` in (``by`` 1) or out (-1); states that are not final are not counted."""
        if state in FINAL_TASK_STATES:
            name = state.value
            setattr(self, name, getattr(self, name) + by)


@dataclass(slots=True)
class RunView:
    """One run in memory.

    Attributes:
        pk: primary key of the run.
        next_seq: the sequence number that the next event gets; a commit is guarded by the one that was seen.
        fence: of the claim under which this view is held.
        tasks: every instance; empty until the run has started.
        by_task: the same instances by task id, then by map index.
        counts: per task, how its upstreams over outer edges stand. Kept up to date by :meth:`apply`, so that the end
            of a task costs its successors and not the size of the run.
        waiting: per task, the indexes in state none.
        open: per task, how many instances are in no final state.
        unfinished: number of instances in no final state; ``idle`` of them are in state none.
        by_attempt: the instance that each newest attempt belongs to; older attempts are not in it.
        created, changed, removed: instances that are new, touched and gone since :meth:`take_changes`.
    """

    pk: int
    dag_id: str
    run_id: str
    graph: DagGraph
    state: RunState = RunState.QUEUED
    next_seq: int = 1
    fence: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    tasks: dict[TaskKey, TaskView] = field(default_factory=dict)
    by_task: dict[str, dict[int, TaskView]] = field(default_factory=dict)
    counts: dict[str, UpstreamCounts] = field(default_factory=dict)
    waiting: dict[str, set[int]] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    idle: int = 0
    by_attempt: dict[UUID, TaskView] = field(default_factory=dict)
    created: dict[TaskKey, TaskView] = field(default_factory=dict)
    changed: dict[TaskKey, TaskView] = field(default_factory=dict)
    removed: set[TaskKey] = field(default_factory=set)

    def apply(self, event: Event, at: datetime) -> None:
        """Fold one event, which happened at ``at``.

        Raises:
            IllegalTransition: the event cannot follow the events before it.
        """
        self.next_seq += 1
        if event.task_id is None:
            self._apply_to_run(RunEvent(event.kind), event, at)
        else:
            self._apply_to_task(self.tasks[event.task_id, event.map_index], TaskEvent(event.kind), event, at)

    @property
    def has_omitted(self) -> bool:
        """Whether tasks of the DAG are not part of this run, since its date lies outside theirs."""
        return len(self.by_task) < len(self.graph.tasks)

    def restore(self, tasks: list[TaskView]) -> None:
        """Take the instances as the projection holds them, instead of folding them from the log."""
        for task in tasks:
            self._insert(task)

    def take_changes(self) -> Changes:
        """Return what changed since the last call, in the order of the first change."""
        changes = Changes(list(self.created.values()), list(self.changed.values()), sorted(self.removed))
        self.created.clear()
        self.changed.clear()
        self.removed.clear()
        return changes

    def inner_upstream(self, task_id: str, map_index: int) -> Iterator[TaskView]:
        """Yield the instances above one instance inside its mapped group: of the same index, or not expanded."""
        for upstream in self.graph.inner_upstream.get(task_id, ()):
            instances = self.by_task.get(upstream, {})
            found = instances.get(map_index) or instances.get(NO_MAP)
            if found is not None:
                yield found

    def _insert(self, task: TaskView) -> None:
        self.tasks[task.key] = task
        self.by_task.setdefault(task.task_id, {})[task.map_index] = task
        if task.state is TaskState.NONE:
            self.waiting.setdefault(task.task_id, set()).add(task.map_index)
            self.idle += 1
        is_open = task.state not in FINAL_TASK_STATES
        self.unfinished += is_open
        self.open[task.task_id] += is_open
        if task.attempt_id is not None:
            self.by_attempt[task.attempt_id] = task
        for successor in self.graph.outer_downstream[task.task_id]:
            counts = self.counts.setdefault(successor, UpstreamCounts())
            counts.total += 1
            counts.add(task.state, 1)

    def _create(self, task_id: str, map_index: int = NO_MAP) -> None:
        task = TaskView(task_id, map_index, max_tries=self.graph.tasks[task_id].retries)
        self._insert(task)
        self.created[task.key] = task

    def _remove(self, task: TaskView) -> None:
        """Take away an unexpanded instance, whose place its indexes have taken. It is in state none."""
        del self.tasks[task.key]
        del self.by_task[task.task_id][task.map_index]
        self.waiting[task.task_id].discard(task.map_index)
        self.idle -= 1
        self.unfinished -= 1
        self.open[task.task_id] -= 1
        for successor in self.graph.outer_downstream[task.task_id]:
            self.counts[successor].total -= 1
        self.changed.pop(task.key, None)
        if self.created.pop(task.key, None) is None:
            self.removed.add(task.key)

    def _apply_to_run(self, kind: RunEvent, event: Event, at: datetime) -> None:
        if kind in (RunEvent.CREATED, RunEvent.DEADLINE_MISSED):
            return
        self.state = next_run_state(self.state, kind)
        if kind is RunEvent.STARTED:
            self.started_at = at
            omitted = frozenset(event.payload.get("omitted", ()))
            for task_id in self.graph.tasks:
                if task_id not in omitted:
                    self._create(task_id)
        else:
            self.ended_at = at
            self.reason = event.payload.get("reason")

    def _apply_to_task(self, task: TaskView, kind: TaskEvent, event: Event, at: datetime) -> None:
        before = task.state
        task.state = next_task_state(before, kind)
        if kind is TaskEvent.EXPANDED:
            self._expand(task, event)
            return
        _FIELD_EFFECTS[kind](self, task, event, at)
        if task.key not in self.created:
            self.changed[task.key] = task
        self._recount(task, before)

    def _expand(self, task: TaskView, event: Event) -> None:
        first, count = event.payload.get("first", 0), event.payload["count"]
        for map_index in range(first, first + count):
            self._create(task.task_id, map_index)
        if event.payload.get("is_last", True):
            self._remove(task)

    def _recount(self, task: TaskView, before: TaskState) -> None:
        if before is TaskState.NONE:
            self.waiting[task.task_id].discard(task.map_index)
            self.idle -= 1
        was_final, is_final = before in FINAL_TASK_STATES, task.state in FINAL_TASK_STATES
        if not (was_final or is_final):
            return
        self.unfinished += was_final - is_final
        self.open[task.task_id] += was_final - is_final
        for successor in self.graph.outer_downstream[task.task_id]:
            counts = self.counts[successor]
            counts.add(before, -1)
            counts.add(task.state, 1)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a number of events did to the instances of a run."""

    created: Sequence[TaskView]
    changed: Sequence[TaskView]
    removed: Sequence[TaskKey]


def _instant(event: Event, name: str, default: datetime | None) -> datetime | None:
    text = event.payload.get(name)
    return datetime.fromisoformat(text) if text else default


def _scheduled(_run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    task.scheduled_at = at
    task.retry_at = None
    task.reason = None
    if task.resume is not None:
        task.resume = {**task.resume, **event.payload}


def _queued(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    if task.attempt_id is not None:
        run.by_attempt.pop(task.attempt_id, None)
    task.try_number = event.try_number
    task.attempt_id = attempt_id(run.pk, task.task_id, task.map_index, event.try_number, task.part)
    run.by_attempt[task.attempt_id] = task
    task.queued_at = at
    task.started_at = task.ended_at = task.reason = None


def _started(_run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    task.started_at = _instant(event, "at", at)


def _ended(_run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    task.ended_at = _instant(event, "at", at)
    task.reason = event.payload.get("reason")
    task.map_label = event.payload.get("map_label", task.map_label)


def _succeeded(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    _ended(run, task, event, at)
    task.length = event.payload.get("length")
    task.resume = None


def _failed(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    _ended(run, task, event, at)
    task.failures += 1


def _will_retry(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    _failed(run, task, event, at)
    task.retry_at = _instant(event, "retry_at", at)
    task.part, task.first_started_at, task.resume = 0, None, None


def _waits(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    """The try goes on in another process, after a wait without a slot."""
    _ended(run, task, event, at)
    if task.part == 0:
        task.first_started_at = task.started_at
    task.part += 1
    task.retry_at = _instant(event, "resume_at", None)
    task.resume = event.payload.get("resume")


def _lost(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    _ended(run, task, event, at)
    task.losses += event.payload.get("is_counted", True)  # an orderly stop may come as often as it likes
    task.max_tries += 1  # the next try is ours, not one of the user's
    task.scheduled_at = at


def _passed(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    task.started_at = at
    _ended(run, task, event, at)


_FIELD_EFFECTS: Final[dict[TaskEvent, Any]] = {
    TaskEvent.SCHEDULED: _scheduled,
    TaskEvent.QUEUED: _queued,
    TaskEvent.STARTED: _started,
    TaskEvent.SUCCEEDED: _succeeded,
    TaskEvent.FAILED: _failed,
    TaskEvent.WILL_RETRY: _will_retry,
    TaskEvent.SKIPPED_ITSELF: _ended,
    TaskEvent.RESCHEDULED: _waits,
    TaskEvent.DEFERRED: _waits,
    TaskEvent.ASKED: _waits,
    TaskEvent.LOST: _lost,
    TaskEvent.PASSED: _passed,
    TaskEvent.SKIPPED: _ended,
    TaskEvent.UPSTREAM_FAILED: _ended,
    TaskEvent.FAILED_BY_RUN: _ended,
}
