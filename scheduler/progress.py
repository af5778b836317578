"""What follows, once some instances of a run have changed? Others become ready, are skipped, or come to be: pure.

:class:`Progress` keeps the run in memory and the plan of the step together: every change of a state goes through its
:meth:`Progress.emit`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from scheduler import task_deadlines
from scheduler.calling import calls_of_run
from scheduler.judging import expansion_size, grouped_source, judge_sources, judge_task, verdict_reason
from scheduler.plan import (
    PAST,
    RESCHEDULE,
    RETRY,
    WAIT_TIMEOUT,
    Plan,
    Policy,
    TimerSet,
    past_key,
    task_timer_key,
)
from scheduler.trigger_rules import Verdict
from tradewind.model.events import NO_MAP, Event
from tradewind.model.spec import DagSpec
from tradewind.model.states import ACTIVE_TASK_STATES, FINAL_TASK_STATES, RunState, TaskEvent, TaskState
from tradewind.run.view import RunView, TaskKey, TaskView

TIMERS: Final[Mapping[TaskState, str]] = {
    TaskState.UP_FOR_RETRY: RETRY,
    TaskState.UP_FOR_RESCHEDULE: RESCHEDULE,
    TaskState.DEFERRED: WAIT_TIMEOUT,
    TaskState.AWAITING_INPUT: WAIT_TIMEOUT,
}
"""Which timer a task may have in a state."""
WAITS: Final = frozenset({TaskState.DEFERRED, TaskState.AWAITING_INPUT})
"""States in which something is waited for that is stored apart."""
_HINDERED: Final = frozenset({Verdict.SKIP, Verdict.UPSTREAM_FAILED})
_LOOK_AT_PAST: Final = timedelta(seconds=60)
_NOTHING: Final = "there is nothing to map over: the length is 0"


class Progress:
    """One step of one DAG run, as far as it has come."""

    def __init__(
        self, run: RunView, spec: DagSpec, now: datetime, policy: Policy, past: Mapping[str, str] | None = None
    ) -> None:
        """
        Args:
            past: for tasks that must not start yet because of the run before, the reason.
        """
        self.run: Final = run
        self.spec = spec
        self.now: Final = now
        self.plan: Final = Plan(run, run.next_seq)
        self._policy: Final = policy
        self._past: Final = past or {}
        self._finished: list[TaskKey] = []  # reached a final state; their successors are not judged yet
        self._reopened: dict[str, None] = {}  # tasks some of whose instances are to be judged anew
        self._to_create = policy.expand_at_once

    # --- changes -----------------------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Fold an event into the run, and note it and the calls that hang on it."""
        self.run.apply(event, self.now)
        self.plan.events.append(event)
        if event.task_id is None:
            self.plan.calls.extend(calls_of_run(self.run, self.spec, event))

    def emit_task(self, task: TaskView, kind: TaskEvent, **payload: Any) -> None:
        """Fold an event of an instance; what follows from it is judged by :meth:`settle`."""
        self.emit(Event(kind, task.task_id, task.map_index, task.try_number, payload))
        if task.state in FINAL_TASK_STATES:
            self._finished.append(task.key)
            self.forget(task_deadlines.over(self.run, task))
        elif task.state is TaskState.NONE:
            self._reopened[task.task_id] = None
            if self.run.state is RunState.RUNNING and kind in (TaskEvent.CLEARED, TaskEvent.RESTARTED):
                again = task_deadlines.since_run(self.run, (task.task_id,))
                self.plan.timers_set.extend(timer for timer in again if timer.due_at > self.now)

    def forget(self, keys: Collection[str]) -> None:
        """Take timers away, those that this very step has set among them."""
        if keys:
            self.plan.timers_cleared.extend(keys)
            self.plan.timers_set = [timer for timer in self.plan.timers_set if timer.key not in keys]

    def make_ready(self, task: TaskView, **payload: Any) -> None:
        """An instance may start as soon as it has its slots."""
        self.emit_task(task, TaskEvent.SCHEDULED, **payload)
        self.enqueue(task)

    def enqueue(self, task: TaskView) -> None:
        """Tell admission of a ready instance, unless it is held."""
        if not self.run.is_held(task):
            self.plan.ready.append(task.key)

    def end(self, task: TaskView, event: TaskEvent, reason: str, **payload: Any) -> None:
        """Take an instance from whatever it does or waits for, by ``event``."""
        if task.state in ACTIVE_TASK_STATES and task.attempt_id is not None:
            self.plan.cancel.append(task.attempt_id)
        self.end_wait(task)
        self.emit_task(task, event, reason=reason, **payload)

    def end_wait(self, task: TaskView) -> None:
        """Forget what an instance waits for without a slot."""
        if task.state in TIMERS:
            self.forget((task_timer_key(TIMERS[task.state], self.run.pk, task.key),))
        if task.state in WAITS and task.attempt_id is not None:
            self.plan.waits_dropped.append(task.attempt_id)

    def remove(self, task: TaskView, reason: str) -> None:
        """An instance is no longer part of its run, and nor is what it left."""
        self.end(task, TaskEvent.REMOVED, reason)
        self.plan.xcoms_cleared.append(task.key)

    def clear(self, task: TaskView, **payload: Any) -> None:
        """An instance is to be done again, as soon as the process that it has is gone."""
        if task.state in (TaskState.NONE, TaskState.RESTARTING):
            return
        if task.state in ACTIVE_TASK_STATES and task.attempt_id is not None:
            self.plan.cancel.append(task.attempt_id)
        else:
            self.plan.xcoms_cleared.append(task.key)
        self.end_wait(task)
        self.emit_task(task, TaskEvent.CLEARED, **payload)

    def settle(self) -> None:
        """Judge what follows from the changes so far, and go on expanding, in a run that runs. In others nothing does:
        all their tasks are judged when they start."""
        if self.run.state is not RunState.RUNNING:
            self._finished.clear()
            self._reopened.clear()
            return
        self._judge_changed()
        self._go_on_expanding()
        self._judge_changed()

    def reconsider(self) -> None:
        """Have every instance in state none judged by the next :meth:`settle`."""
        self._reopened.update(dict.fromkeys(self.run.graph.tasks))

    def judge_everything(self) -> None:
        """Judge every instance in state none."""
        for task_id in self.run.graph.tasks:
            self.judge_all(task_id)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_changed(self) -> None:
        while self._finished or self._reopened:
            if not self._finished:
                self.judge_all(self._reopened.popitem()[0])
                continue
            task_id, map_index = self._finished.pop()
            for successor in self.run.graph.outer_downstream.get(task_id, ()):  # none: it is of another version
                self.judge_all(successor)
            for successor in self.run.graph.inner_downstream.get(task_id, ()):
                if map_index == NO_MAP or self.run.graph.scopes[successor] in self.run.stale:
                    self.judge_all(successor)
                elif map_index in self.run.waiting.get(successor, ()):
                    self._judge(successor, [map_index])
            for successor in self.run.graph.requiring.get(task_id, ()):
                self.judge_all(successor)
            for scope in self.run.graph.fed.get(task_id, ()):
                for member in self.run.graph.members[scope]:
                    self.judge_all(member)

    def judge_all(self, task_id: str) -> None:
        """Judge the instances of a task that are in state none."""
        if not self.run.waiting.get(task_id):
            return
        scope = self.run.graph.scopes.get(task_id)
        if scope in self.run.stale:
            self._revise(scope)
        waiting = self.run.waiting[task_id]
        if scope is None:
            self._judge(task_id, [NO_MAP])
        elif NO_MAP in waiting and len(self.run.by_task[task_id]) == 1:
            self._judge_unexpanded(self.run.tasks[task_id, NO_MAP])
        else:
            by_sources, reason = judge_sources(self.run, scope)
            if by_sources in _HINDERED:  # a source was done again, and this time there is nothing to map over
                for map_index in sorted(waiting):
                    self._follow(self.run.tasks[task_id, map_index], by_sources, reason)
            else:
                self._judge(task_id, sorted(waiting - {NO_MAP}))

    def _judge(self, task_id: str, indexes: Sequence[int]) -> None:
        """Judge instances in state none. Without inner edges the answer is the same for all of them."""
        if task_id in self.run.graph.inner_upstream:
            for map_index in indexes:
                verdict = judge_task(self.run, task_id, map_index)
                self._follow(self.run.tasks[task_id, map_index], verdict, None)
        elif indexes:
            verdict = judge_task(self.run, task_id)
            reason = verdict_reason(self.run, task_id) if verdict in _HINDERED else None
            for map_index in indexes if verdict is not Verdict.WAIT else ():
                self._follow(self.run.tasks[task_id, map_index], verdict, reason)

    def _judge_unexpanded(self, task: TaskView) -> None:
        scope = self.run.graph.scopes[task.task_id]
        by_sources, reason = judge_sources(self.run, scope)
        if by_sources in _HINDERED:
            self._follow(task, by_sources, reason)
            return
        by_rule = judge_task(self.run, task.task_id)
        if by_rule in _HINDERED:
            self._follow(task, by_rule, None)
        elif by_rule is Verdict.RUN and by_sources is Verdict.RUN:
            source = grouped_source(self.run, scope)
            if source is not None:
                why = f"{source!r} stands in a mapped group, so its output cannot be mapped over"
                self._follow(task, Verdict.UPSTREAM_FAILED, why)
                return
            # What stands below it in the same group comes along, since it follows index by index.
            inner = self.run.graph.inner_upstream
            below = [t for t in self.run.graph.members[scope] if t in inner and t != task.task_id]
            below = [t for t in below if self._is_unexpanded(t) and judge_task(self.run, t) not in _HINDERED]
            self._expand(scope, [task.task_id, *below])

    def _follow(self, task: TaskView, verdict: Verdict, reason: str | None) -> None:
        waits_to_skip = self.run.graph.tasks[task.task_id].wait_for_past_depends_before_skipping
        if task.task_id in self._past and (verdict is Verdict.RUN or (verdict is Verdict.SKIP and waits_to_skip)):
            # The run before tells this one when it moves on; a word between two schedulers may miss it.
            due = self.now + _LOOK_AT_PAST
            self.plan.timers_set.append(TimerSet(past_key(self.run.pk), PAST, due))
        elif verdict is Verdict.RUN:
            if self.run.graph.tasks[task.task_id].needs_process:
                self.make_ready(task)
            elif not self.run.is_held(task):
                self.emit_task(task, TaskEvent.PASSED)
        elif verdict is not Verdict.WAIT:
            event = TaskEvent.SKIPPED if verdict is Verdict.SKIP else TaskEvent.UPSTREAM_FAILED
            self.emit_task(task, event, reason=reason or verdict_reason(self.run, *task.key))

    # --- expansion ---------------------------------------------------------------------------------------------------

    def _is_unexpanded(self, task_id: str) -> bool:
        return NO_MAP in self.run.waiting.get(task_id, ()) and len(self.run.by_task[task_id]) == 1

    def _expand(self, scope: str, task_ids: Sequence[str]) -> None:
        """Create the next indexes of tasks of a scope, as many as this step may, and judge them."""
        if not task_ids:
            return
        size = expansion_size(self.run, self.run.graph.mappings[scope])
        share = max(1, self._to_create // len(task_ids))
        created: list[tuple[str, range]] = []
        for task_id in task_ids:
            task = self.run.tasks[task_id, NO_MAP]
            first = len(self.run.by_task[task_id]) - 1
            # When this step has made enough, what has begun goes on in the next; what has not is begun, or it is lost.
            count = min(size - first, share) if self._to_create > 0 or first == 0 else 0
            if size == 0:
                self.emit_task(task, TaskEvent.SKIPPED, reason=_NOTHING)
            elif count:
                is_last = first + count == size
                self.emit_task(task, TaskEvent.EXPANDED, first=first, count=count, is_last=is_last)
                created.append((task_id, range(first, first + count)))
                self._to_create -= count
            if first + count < size:
                self.plan.has_more = True
        for task_id, indexes in created:
            waiting = self.run.waiting.get(task_id, set())
            self._judge(task_id, [map_index for map_index in indexes if map_index in waiting])

    def _go_on_expanding(self) -> None:
        for scope, members in self.run.graph.members.items():
            begun = [t for t in members if NO_MAP in self.run.waiting.get(t, ()) and len(self.run.by_task[t]) > 1]
            if begun and judge_sources(self.run, scope)[0] is Verdict.RUN:  # or a source is being done again
                self._expand(scope, begun)

    def _revise(self, scope: str) -> None:
        """Something was done again: fit the indexes of a scope to the length that it has now, once that is known."""
        graph = self.run.graph
        if judge_sources(self.run, scope)[0] is not Verdict.RUN:
            return
        self.run.stale.discard(scope)
        size = expansion_size(self.run, graph.mappings[scope])
        for task_id in graph.members[scope]:
            known = len(self.run.by_task.get(task_id, {}).keys() - {NO_MAP})
            if known and self._fit(task_id, known, size):
                for map_index, task in sorted(self.run.by_task[task_id].items()):
                    self._revise_index(task, map_index, size)

    def _fit(self, task_id: str, known: int, size: int) -> bool:
        """Create the indexes that an expanded task lacks. Returns False while it is expanded further anyway."""
        is_expanded = NO_MAP not in self.run.by_task[task_id]
        if size > known and not is_expanded:
            return False
        if size > known or NO_MAP in self.run.waiting.get(task_id, ()):
            payload = {"first": known, "count": max(size - known, 0)}
            self.emit(Event(TaskEvent.EXPANDED, task_id, payload=payload))
            self._reopened[task_id] = None
        return True

    def _revise_index(self, task: TaskView, map_index: int, size: int) -> None:
        if map_index < size and task.state is TaskState.REMOVED:
            self.emit_task(task, TaskEvent.CLEARED)
        elif size == map_index == 0 and task.state is TaskState.NONE:
            if judge_task(self.run, *task.key) is Verdict.RUN:  # with nothing to map over, the rule is asked first
                self.emit_task(task, TaskEvent.SKIPPED, reason=_NOTHING)
            else:
                self.run.stale.add(self.run.graph.scopes[task.task_id])
        elif map_index >= max(size, 1) and task.state is not TaskState.REMOVED:
            self.remove(task, f"its length is {size} now")
