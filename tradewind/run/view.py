"""What is the state of a run? The fold of its events: ``RunView.apply`` is the only place where a state is assigned.

The scheduler folds events as it decides them, ``tradewind db verify`` folds the stored log again and compares. Both use
this module, so that the projection in the metadata DB is what the log says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    ``held`` says who keeps it from starting; ``decided_against`` are the tasks below it that it decided not to run;
    ``postponed`` counts the tries in a row that were told to come back later.
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
    held: str | None = None
    decided_against: Sequence[str] | None = None
    postponed: int = 0

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
        version_id: of the DAG version that ``graph`` belongs to; ``graphs`` are those it may change to.
        bundle: the DAG folder as it was when the run was made (``model.bundles``); None: as it is now.
        held: who holds it, and why; None: nobody.
        retries_used: how often the run has failed as a whole and was tried again.
        verdict: how somebody said that it ends, once its teardowns have run.
        missing: tasks of the DAG that are not part of this run, since its date lies outside theirs.
        tasks: every instance; empty until the run has started.
        by_task: the same instances by task id, then by map index.
        counts: per task, how its upstreams over outer edges stand. Kept up to date by :meth:`apply`, so that the end
            of a task costs its successors and not the size of the run.
        waiting: per task, the indexes in state none.
        open: per task, how many instances are in no final state.
        unfinished: number of instances in no final state.
        by_attempt: the instance that each newest attempt belongs to; older attempts are not in it.
        deciders: the instances that decided not to run some task below them.
        stale: scopes whose indexes may be too few or too many, since something was done again. A hint: those that
            were read from the metadata DB are all in it.
        created, changed, removed: instances that are new, touched and gone since :meth:`take_changes`.
    """

    pk: int
    dag_id: str
    run_id: str
    graph: DagGraph
    state: RunState = RunState.QUEUED
    next_seq: int = 1
    fence: int = 0
    version_id: int = 0
    bundle: str | None = None
    logical_date: datetime | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str | None = None
    held: str | None = None
    retries_used: int = 0
    verdict: RunState | None = None
    graphs: Mapping[int, DagGraph] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    tasks: dict[TaskKey, TaskView] = field(default_factory=dict)
    by_task: dict[str, dict[int, TaskView]] = field(default_factory=dict)
    counts: dict[str, UpstreamCounts] = field(default_factory=dict)
    waiting: dict[str, set[int]] = field(default_factory=dict)
    open: Counter[str] = field(default_factory=Counter)
    unfinished: int = 0
    by_attempt: dict[UUID, TaskView] = field(default_factory=dict)
    deciders: set[TaskKey] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
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
        elif event.kind == TaskEvent.EXPANDED:
            self._expand(event.task_id, event)
        else:
            self._apply_to_task(self.tasks[event.task_id, event.map_index], TaskEvent(event.kind), event, at)

    def restore(self, tasks: Iterable[TaskView]) -> None:
        """Take the instances as the projection holds them, instead of folding them from the log."""
        for task in tasks:
            self._insert(task)
        self.stale.update(self.graph.mappings)
        if self.tasks:
            self._find_missing()

    def take_changes(self) -> Changes:
        """Return what changed since the last call, in the order of the first change."""
        changes = Changes(list(self.created.values()), list(self.changed.values()), sorted(self.removed))
        self.created.clear()
        self.changed.clear()
        self.removed.clear()
        return changes

    def is_held(self, task: TaskView) -> bool:
        """Whether somebody keeps an instance from starting: it, or the whole run."""
        return self.held is not None or task.held is not None

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
        is_open = task.state not in FINAL_TASK_STATES
        self.unfinished += is_open
        self.open[task.task_id] += is_open
        if task.attempt_id is not None:
            self.by_attempt[task.attempt_id] = task
        if task.decided_against:
            self.deciders.add(task.key)
        for successor in self.graph.outer_downstream.get(task.task_id, ()):
            counts = self.counts.setdefault(successor, UpstreamCounts())
            counts.total += 1
            counts.add(task.state, 1)

    def _create(self, task_id: str, map_index: int = NO_MAP, held: str | None = None, tried: int = 0) -> None:
        max_tries = tried + self.graph.tasks[task_id].retries
        task = TaskView(task_id, map_index, try_number=tried, max_tries=max_tries, held=held)
        self._insert(task)
        self.created[task.key] = task

    def _create_missing(self, omitted: Collection[str]) -> None:
        for task_id in self.graph.tasks:
            there = self.by_task.get(task_id, {})
            if task_id not in omitted and (not there or (task_id not in self.graph.scopes and NO_MAP not in there)):
                # One that was mapped before goes on counting, so that no try is there twice.
                self._create(task_id, tried=max((task.try_number for task in there.values()), default=0))
        self._find_missing()

    def _find_missing(self) -> None:
        self.missing = frozenset(task_id for task_id in self.graph.tasks if task_id not in self.by_task)

    def _change_graph(self, graph: DagGraph) -> None:
        """Count everything anew, as the graph of another version has it."""
        instances = list(self.tasks.values())
        for counted in (self.tasks, self.by_task, self.counts, self.waiting, self.open, self.by_attempt):
            counted.clear()
        self.deciders.clear()
        self.stale.clear()
        self.unfinished = 0
        self.graph = graph
        self.restore(instances)
        for task_id in graph.scopes:
            self._make_room(task_id)

    def _make_room(self, task_id: str) -> None:
        """A task is mapped again: the instance that it had in between is gone, and its indexes go on counting."""
        there = self.by_task.get(task_id, {})
        alone = there.get(NO_MAP)
        if alone is None or len(there) == 1 or alone.state is not TaskState.REMOVED:
            return
        self._remove(alone)
        for task in there.values():
            task.try_number = max(task.try_number, alone.try_number)
            self.changed[task.key] = task

    def _remove(self, task: TaskView) -> None:
        """Take away an unexpanded instance, whose place its indexes have taken."""
        del self.tasks[task.key]
        del self.by_task[task.task_id][task.map_index]
        self.waiting.get(task.task_id, set()).discard(task.map_index)
        is_open = task.state not in FINAL_TASK_STATES
        self.unfinished -= is_open
        self.open[task.task_id] -= is_open
        if task.attempt_id is not None:
            self.by_attempt.pop(task.attempt_id, None)
        for successor in self.graph.outer_downstream[task.task_id]:
            self.counts[successor].total -= 1
            self.counts[successor].add(task.state, -1)
        self.changed.pop(task.key, None)
        if self.created.pop(task.key, None) is None:
            self.removed.add(task.key)

    def _apply_to_run(self, kind: RunEvent, event: Event, at: datetime) -> None:
        self.state = next_run_state(self.state, kind)
        said = event.payload
        match kind:
            case RunEvent.CREATED:
                self.queued_at, self.bundle = at, said.get("bundle")
            case RunEvent.STARTED:
                self.started_at = at
                self._create_missing(said.get("omitted", ()))
            case RunEvent.WILL_RETRY | RunEvent.QUEUED_AGAIN:
                self.queued_at, self.started_at, self.ended_at, self.verdict = at, None, None, None
                self.reason = said.get("reason")
                self.retries_used = self.retries_used + 1 if kind is RunEvent.WILL_RETRY else 0
            case RunEvent.SUCCEEDED | RunEvent.FAILED | RunEvent.MARKED_SUCCESS | RunEvent.MARKED_FAILED:
                self.ended_at, self.reason, self.held, self.verdict = at, said.get("reason"), None, None
            case RunEvent.VERDICT_NOTED:
                self.verdict = RunState(said["state"]) if "state" in said else None  # none: it was taken back
                self.reason = said.get("reason")
            case RunEvent.HELD | RunEvent.RELEASED:
                self.held = said.get("why")
            case RunEvent.VERSION_CHANGED:
                self.version_id, self.bundle = said["version_id"], said.get("bundle")
                self._change_graph(self.graphs[self.version_id])
                if self.tasks:
                    self._create_missing(said.get("omitted", ()))
            case RunEvent.DEADLINE_MISSED:
                pass

    def _apply_to_task(self, task: TaskView, kind: TaskEvent, event: Event, at: datetime) -> None:
        before = task.state
        task.state = next_task_state(before, kind)
        _FIELD_EFFECTS[kind](self, task, event, at)
        if task.key not in self.created:
            self.changed[task.key] = task
        self._recount(task, before)

    def _expand(self, task_id: str, event: Event) -> None:
        """Create indexes. The unexpanded instance is there until the last of them, and no more when there are more."""
        unexpanded = self.by_task[task_id].get(NO_MAP)
        if unexpanded is not None:
            next_task_state(unexpanded.state, TaskEvent.EXPANDED)
        held, tried = (None, 0) if unexpanded is None else (unexpanded.held, unexpanded.try_number)
        first, count = event.payload.get("first", 0), event.payload["count"]
        for map_index in range(first, first + count):
            self._create(task_id, map_index, held, tried)
        if unexpanded is not None and event.payload.get("is_last", True):
            self._remove(unexpanded)

    def _recount(self, task: TaskView, before: TaskState) -> None:
        if before is TaskState.NONE:
            self.waiting[task.task_id].discard(task.map_index)
        if task.state is TaskState.NONE:
            self.waiting.setdefault(task.task_id, set()).add(task.map_index)
        was_final, is_final = before in FINAL_TASK_STATES, task.state in FINAL_TASK_STATES
        if not (was_final or is_final):
            return
        self.unfinished += was_final - is_final
        self.open[task.task_id] += was_final - is_final
        for successor in self.graph.outer_downstream.get(task.task_id, ()):
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
    _decide(run, task, event.payload.get("skip"))


def _decide(run: RunView, task: TaskView, against: Sequence[str] | None) -> None:
    task.decided_against = against
    if against:
        run.deciders.add(task.key)
    else:
        run.deciders.discard(task.key)


def _failed(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    _ended(run, task, event, at)
    task.failures += 1
    task.postponed = 0


def _will_retry(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    if event.payload.get("is_counted", True):
        _failed(run, task, event, at)
    else:
        _ended(run, task, event, at)
        task.postponed += 1
        task.max_tries += 1  # the next try is none of the task's retries
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


def _cleared(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    if task.state is not TaskState.RESTARTING:
        _restarted(run, task, event, at)


def _restarted(run: RunView, task: TaskView, _event: Event, _at: datetime) -> None:
    """Everything from the beginning, but for the number of the next try: that goes on, and so does the history."""
    task.failures = task.losses = task.postponed = task.part = 0
    task.scheduled_at = task.queued_at = task.started_at = task.ended_at = task.retry_at = task.first_started_at = None
    task.reason = task.length = task.resume = None
    spec = run.graph.tasks.get(task.task_id)
    task.max_tries = task.try_number + (spec.retries if spec else 0)
    _decide(run, task, None)
    scope = run.graph.scopes.get(task.task_id)
    run.stale.update(run.graph.fed.get(task.task_id, ()), () if scope is None else (scope,))


def _marked(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    task.started_at = task.started_at or at
    task.ended_at = at
    task.reason = event.payload.get("reason")
    task.retry_at = task.resume = None
    task.part = 0
    task.length = event.payload.get("length", task.length)
    task.map_label = event.payload.get("map_label", task.map_label)
    _decide(run, task, event.payload.get("skip"))


def _removed(run: RunView, task: TaskView, event: Event, at: datetime) -> None:
    _restarted(run, task, event, at)
    task.ended_at = at
    task.reason = event.payload.get("reason")


def _held(_run: RunView, task: TaskView, event: Event, _at: datetime) -> None:
    task.held = event.payload.get("why")


def _nothing(_run: RunView, _task: TaskView, _event: Event, _at: datetime) -> None:
    """It is only told."""


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
    TaskEvent.CLEARED: _cleared,
    TaskEvent.RESTARTED: _restarted,
    TaskEvent.MARKED_SUCCESS: _marked,
    TaskEvent.MARKED_FAILED: _marked,
    TaskEvent.MARKED_SKIPPED: _marked,
    TaskEvent.REMOVED: _removed,
    TaskEvent.HELD: _held,
    TaskEvent.RELEASED: _held,
    TaskEvent.DEADLINE_MISSED: _nothing,
}
