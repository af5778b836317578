"""What follows from what happened to a run? Facts in, events out: pure, with the time as an argument.

A :class:`RunPlanner` folds the facts of one run into its :class:`RunView`, decides what follows, and gathers it all in
a :class:`Plan` that one transaction writes. The view is changed on the way; when the commit is refused, both are thrown
away and the run is read again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from scheduler.backoff import retry_delay
from scheduler.trigger_rules import Upstream, Verdict, judge
from tradewind.model.events import NO_MAP, Event
from tradewind.model.orders import AttemptEnded, AttemptStarted, Outcome, XComValue
from tradewind.model.spec import DagSpec
from tradewind.model.states import (
    ACTIVE_TASK_STATES,
    FINAL_RUN_STATES,
    FINAL_TASK_STATES,
    RunEvent,
    RunState,
    TaskEvent,
    TaskState,
)
from tradewind.run.view import RunView, TaskKey, TaskView, UpstreamCounts


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of the installation that decisions depend on."""

    max_losses: int = 3
    max_retry_delay: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TimerSet:
    """A timer of this run to be set (or moved, when its key exists)."""

    key: str
    kind: str
    due_at: datetime
    task_id: str | None = None
    map_index: int = NO_MAP


@dataclass(slots=True)
class Plan:
    """Everything that one step of one run writes.

    Attributes:
        seen_seq: the sequence number that the decisions rest on; the commit is guarded by it.
        ready: instances that became scheduled, in the order decided.
        cancel: attempts whose processes are no longer wanted; told to the executors after the commit.
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
    inbox_ids: list[int] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.events or self.inbox_ids or self.ended or self.timers_set or self.timers_cleared)


class RunPlanner:
    """Plans one step of one DAG run: any number of facts, then :meth:`finish`, then any number of :meth:`queue`."""

    def __init__(self, run: RunView, spec: DagSpec, now: datetime, policy: Policy) -> None:
        self._run: Final = run
        self._spec: Final = spec
        self._graph: Final = run.graph
        self._now: Final = now
        self._policy: Final = policy
        self._finished: list[str] = []  # task ids that reached a final state and whose successors are not judged yet
        self.plan: Final = Plan(run, run.next_seq)

    # --- facts -----------------------------------------------------------------------------------------------------

    def start(self, logical_date: datetime | None) -> None:
        """The run has its place under ``max_active_runs``: create its instances and judge those without upstream."""
        omitted = [t for t in self._graph.tasks if not self._is_within_dates(t, logical_date)]
        self._emit(Event(RunEvent.STARTED, payload={"omitted": omitted} if omitted else {}))
        if self._spec.dagrun_timeout_seconds is not None:
            due = self._now + timedelta(seconds=self._spec.dagrun_timeout_seconds)
            self.plan.timers_set.append(TimerSet(run_timeout_key(self._run.pk), "run_timeout", due))
        for task_id in self._graph.tasks:
            self._judge(task_id)

    def attempt_started(self, fact: AttemptStarted) -> None:
        """An attempt has a process. Dropped when it is not the current attempt of its task."""
        task = self._run.by_attempt.get(fact.attempt_id)
        if task is None or task.state is not TaskState.QUEUED:
            return
        self.plan.started.append(fact)
        self._emit_task(task, TaskEvent.STARTED, at=fact.at.isoformat())

    def attempt_ended(self, fact: AttemptEnded) -> None:
        """An attempt has ended. A word about an attempt that is not the current one only closes that attempt's row."""
        self.plan.ended.append(fact)
        task = self._run.by_attempt.get(fact.attempt_id)
        if task is None or task.state not in ACTIVE_TASK_STATES:
            return
        if task.state is TaskState.QUEUED and fact.started_at is not None:
            self._emit_task(task, TaskEvent.STARTED, at=fact.started_at.isoformat())
        at = fact.at.isoformat()
        if fact.outcome is Outcome.LOST:
            self._lose(task, fact)
        elif fact.outcome is Outcome.RETURNED:
            self._emit_task(task, TaskEvent.LOST, at=at, reason=fact.error or "handed back", is_counted=False)
            self.plan.ready.append(task.key)
        elif fact.outcome is Outcome.SUCCESS and task.state is TaskState.RUNNING:
            self._emit_task(task, TaskEvent.SUCCEEDED, at=at)
            self._keep_xcoms(task, fact)
        elif fact.outcome is Outcome.SKIPPED and task.state is TaskState.RUNNING:
            self._emit_task(task, TaskEvent.SKIPPED_ITSELF, at=at, reason=fact.error or "it skipped itself")
            self._keep_xcoms(task, fact)
        else:
            self._fail(task, fact)

    def retry_due(self, key: TaskKey) -> None:
        """The delay of a retry may be over; early and late timers do nothing."""
        task = self._run.tasks.get(key)
        if task is None or task.state is not TaskState.UP_FOR_RETRY:
            return
        if task.retry_at is not None and task.retry_at > self._now:
            self.plan.timers_set.append(_retry_timer(self._run.pk, task, task.retry_at))
            return
        self._make_ready(task)

    def run_timeout_due(self) -> None:
        """The run has taken longer than ``dagrun_timeout``: what is not done is skipped, and the run fails."""
        if self._run.state is not RunState.RUNNING:
            return
        limit = timedelta(seconds=self._spec.dagrun_timeout_seconds or 0)
        reason = f"the run took longer than its dagrun_timeout of {limit}"
        self._end_unfinished(running=TaskEvent.SKIPPED, waiting=TaskEvent.SKIPPED, reason=reason)
        self._finished.clear()  # nothing is judged any more
        self._emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def abort(self, reason: str) -> None:
        """The run cannot go on: end what is not done, and fail it."""
        if self._run.state in FINAL_RUN_STATES:
            return
        self._end_unfinished(running=TaskEvent.FAILED_BY_RUN, waiting=TaskEvent.SKIPPED, reason=reason)
        self._finished.clear()
        self._emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def finish(self) -> None:
        """Judge what follows from the facts, and end the run when nothing is left."""
        while self._finished:
            for successor in self._graph.downstream[self._finished.pop()]:
                self._judge(successor)
        if self._run.state is RunState.RUNNING and self._run.unfinished == 0:
            self._end_run()
        if self._run.state is not RunState.RUNNING and self.plan.events and self._spec.dagrun_timeout_seconds:
            self.plan.timers_cleared.append(run_timeout_key(self._run.pk))

    def queue(self, key: TaskKey) -> int:
        """Admission has given ``key`` its slots: create the next attempt. Returns its try number."""
        task = self._run.tasks[key]
        try_number = task.try_number + 1
        if task.try_number:
            self.plan.xcoms_cleared.append(key)  # those of the try before go when the next one starts
        self._emit(Event(TaskEvent.QUEUED, task.task_id, task.map_index, try_number))
        return try_number

    # --- what follows ------------------------------------------------------------------------------------------------

    def _judge(self, task_id: str) -> None:
        task = self._run.tasks.get((task_id, NO_MAP))
        if task is None or task.state is not TaskState.NONE:
            return
        verdict = judge(self._graph.tasks[task_id].trigger_rule, upstream_of(self._run, task_id))
        if verdict is Verdict.RUN:
            if self._graph.tasks[task_id].needs_process:
                self._make_ready(task)
            else:
                self._emit_task(task, TaskEvent.PASSED)
        elif verdict is not Verdict.WAIT:
            event = TaskEvent.SKIPPED if verdict is Verdict.SKIP else TaskEvent.UPSTREAM_FAILED
            self._emit_task(task, event, reason=verdict_reason(self._run, task_id))

    def _make_ready(self, task: TaskView) -> None:
        self._emit_task(task, TaskEvent.SCHEDULED)
        self.plan.ready.append(task.key)

    def _lose(self, task: TaskView, fact: AttemptEnded) -> None:
        reason = fact.error or "its supervisor is gone"
        if task.losses >= self._policy.max_losses:
            text = f"lost {task.losses + 1} times by the infrastructure, more than the limit; last: {reason}"
            self._emit_task(task, TaskEvent.FAILED_BY_RUN, reason=text)
            return
        self._emit_task(task, TaskEvent.LOST, at=fact.at.isoformat(), reason=reason)
        self.plan.ready.append(task.key)

    def _fail(self, task: TaskView, fact: AttemptEnded) -> None:
        reason = fact.error or "failed"
        spec = self._graph.tasks[task.task_id]
        if fact.may_retry and task.failures < spec.retries:
            seed = f"{self._run.pk}\0{task.task_id}\0{task.map_index}"
            delay = retry_delay(spec, task.failures + 1, seed, self._policy.max_retry_delay)
            retry_at = self._now + delay
            self._emit_task(
                task, TaskEvent.WILL_RETRY, at=fact.at.isoformat(), reason=reason, retry_at=retry_at.isoformat()
            )
            if delay:
                self.plan.timers_set.append(_retry_timer(self._run.pk, task, retry_at))
            else:
                self._make_ready(task)
            return
        self._emit_task(task, TaskEvent.FAILED, at=fact.at.isoformat(), reason=reason)
        self._keep_xcoms(task, fact)
        if self._spec.fail_fast and not spec.is_teardown:
            self._end_unfinished(
                running=TaskEvent.FAILED_BY_RUN,
                waiting=TaskEvent.SKIPPED,
                reason=f"task {task.task_id!r} failed, and the DAG says fail_fast",
            )

    def _keep_xcoms(self, task: TaskView, fact: AttemptEnded) -> None:
        self.plan.xcoms.extend((task.key, value) for value in fact.xcoms)

    def _end_unfinished(self, *, running: TaskEvent, waiting: TaskEvent, reason: str) -> None:
        for task in list(self._run.tasks.values()):
            is_spared = self._spec.fail_fast and self._graph.tasks[task.task_id].is_teardown
            if task.state in FINAL_TASK_STATES or is_spared:
                continue
            is_active = task.state in ACTIVE_TASK_STATES
            if is_active and task.attempt_id is not None:
                self.plan.cancel.append(task.attempt_id)
            if task.state is TaskState.UP_FOR_RETRY:
                self.plan.timers_cleared.append(retry_key(self._run.pk, task.task_id, task.map_index))
            self._emit_task(task, running if is_active else waiting, reason=reason)

    def _end_run(self) -> None:
        bad = [
            task.task_id
            for leaf in self._graph.leaves
            if (task := self._run.tasks.get((leaf, NO_MAP))) is not None
            and task.state in (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
        ]
        if bad:
            self._emit(Event(RunEvent.FAILED, payload={"reason": f"failed: {_names(bad)}"}))
        else:
            self._emit(Event(RunEvent.SUCCEEDED))

    def _is_within_dates(self, task_id: str, logical_date: datetime | None) -> bool:
        spec = self._graph.tasks[task_id]
        if logical_date is None:
            return True
        after_start = spec.start_date is None or logical_date >= datetime.fromisoformat(spec.start_date)
        return after_start and (spec.end_date is None or logical_date <= datetime.fromisoformat(spec.end_date))

    def _emit_task(self, task: TaskView, kind: TaskEvent, **payload: Any) -> None:
        self._emit(Event(kind, task.task_id, task.map_index, task.try_number, payload))
        if task.state in FINAL_TASK_STATES:
            self._finished.append(task.task_id)

    def _emit(self, event: Event) -> None:
        self._run.apply(event, self._now)
        self.plan.events.append(event)


def upstream_of(run: RunView, task_id: str) -> Upstream:
    """Return what the trigger rule of ``task_id`` looks at."""
    setups = UpstreamCounts()
    for setup in run.graph.setups.get(task_id, ()):
        task = run.tasks.get((setup, NO_MAP))
        if task is not None:
            setups.total += 1
            setups.add(task.state, 1)
    return Upstream(run.counts.get(task_id, UpstreamCounts()), setups)


def verdict_reason(run: RunView, task_id: str) -> str:
    """Say which upstreams decide about ``task_id``, e.g. ``trigger rule 'all_success': 'extract' is failed``."""
    rule = run.graph.tasks[task_id].trigger_rule
    by_state: dict[TaskState, list[str]] = {}
    for upstream in run.graph.upstream[task_id]:
        task = run.tasks.get((upstream, NO_MAP))
        if task is not None:
            by_state.setdefault(task.state, []).append(upstream)
    interesting = sorted(by_state.items(), key=lambda item: (item[0] is TaskState.SUCCESS, item[0]))
    parts = [f"{_names(ids)} {'is' if len(ids) == 1 else 'are'} {_words(state)}" for state, ids in interesting]
    return f"trigger rule {rule!r}: {'; '.join(parts)}"


def run_timeout_key(run_pk: int) -> str:
    """The timer of a run's ``dagrun_timeout``."""
    return f"run_timeout:{run_pk}"


def retry_key(run_pk: int, task_id: str, map_index: int) -> str:
    """The timer of a task instance's next try."""
    return f"retry:{run_pk}:{map_index}:{task_id}"


def _retry_timer(run_pk: int, task: TaskView, due_at: datetime) -> TimerSet:
    return TimerSet(retry_key(run_pk, task.task_id, task.map_index), "retry", due_at, task.task_id, task.map_index)


def _words(state: TaskState) -> str:
    return "not finished" if state is TaskState.NONE else state.value


def _names(ids: Iterable[str], most: int = 3) -> str:
    names = [repr(i) for i in ids]
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
