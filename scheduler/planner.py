"""What follows from what happened to a run? Facts in, events out: pure, with the time as an argument.

A :class:`RunPlanner` folds the facts of one run into its :class:`RunView`, decides what follows, and gathers it all in
a :class:`Plan` that one transaction writes. The view is changed on the way; when the commit is refused, both are thrown
away and the run is read again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from scheduler.backoff import retry_delay
from scheduler.calling import TIMED_OUT, calls_for_dead, calls_of_run
from scheduler.judging import expansion_size, grouped_source, judge_sources, judge_task, names, verdict_reason
from scheduler.plan import (
    PAST,
    RESCHEDULE,
    RETRY,
    RUN_TIMEOUT,
    WAIT_TIMEOUT,
    Plan,
    Policy,
    TimerSet,
    deadline_key,
    past_key,
    run_timeout_key,
    task_timer,
    task_timer_key,
)
from scheduler.trigger_rules import Verdict
from tradewind.model.events import NO_MAP, Event
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptStarted, Outcome, attempt_id
from tradewind.model.spec import DagSpec, FixedLength
from tradewind.model.states import (
    ACTIVE_TASK_STATES,
    FINAL_RUN_STATES,
    FINAL_TASK_STATES,
    RunEvent,
    RunState,
    TaskEvent,
    TaskState,
)
from tradewind.run.view import RunView, TaskKey, TaskView

_TIMERS: Final[Mapping[TaskState, str]] = {
    TaskState.UP_FOR_RETRY: RETRY,
    TaskState.UP_FOR_RESCHEDULE: RESCHEDULE,
    TaskState.DEFERRED: WAIT_TIMEOUT,
    TaskState.AWAITING_INPUT: WAIT_TIMEOUT,
}
"""Which timer a task may have in a state."""
_WAITS: Final = frozenset({TaskState.DEFERRED, TaskState.AWAITING_INPUT})
_HINDERED: Final = frozenset({Verdict.SKIP, Verdict.UPSTREAM_FAILED})
_NO_AFTERMATH: Final = Aftermath()
_LOOK_AT_PAST: Final = timedelta(seconds=60)


class RunPlanner:
    """Plans one step of one DAG run: any number of facts, then :meth:`finish`, then any number of :meth:`queue`."""

    def __init__(
        self, run: RunView, spec: DagSpec, now: datetime, policy: Policy, past: Mapping[str, str] | None = None
    ) -> None:
        """
        Args:
            past: for tasks that must not start yet because of the run before, the reason.
        """
        self._run: Final = run
        self._spec: Final = spec
        self._graph: Final = run.graph
        self._now: Final = now
        self._policy: Final = policy
        self._past: Final = past or {}
        self._finished: list[TaskKey] = []  # reached a final state; their successors are not judged yet
        self._to_create = policy.expand_at_once
        self.plan: Final = Plan(run, run.next_seq)

    # --- facts -----------------------------------------------------------------------------------------------------

    def start(self, logical_date: datetime | None) -> None:
        """The run has its place under ``max_active_runs``: create its instances and judge those without upstream."""
        omitted = [t for t in self._graph.tasks if not self._is_within_dates(t, logical_date)]
        self._emit(Event(RunEvent.STARTED, payload={"omitted": omitted} if omitted else {}))
        if self._spec.dagrun_timeout_seconds is not None:
            due = self._now + timedelta(seconds=self._spec.dagrun_timeout_seconds)
            self.plan.timers_set.append(TimerSet(run_timeout_key(self._run.pk), RUN_TIMEOUT, due))
        for scope, mapping in self._graph.mappings.items():
            is_known = all(isinstance(length, FixedLength) for length in mapping.lengths)
            if is_known and expansion_size(self._run, mapping):  # with nothing to map over, the rule is asked first
                self._expand(scope, [t for t in self._graph.members[scope] if self._is_unexpanded(t)])
        for task_id in self._graph.tasks:
            self._judge_all(task_id)

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
        is_running = task.state is TaskState.RUNNING
        match fact.outcome:
            case Outcome.LOST:
                self._lose(task, fact)
            case Outcome.RETURNED:
                reason = fact.error or "handed back"
                self._emit_task(task, TaskEvent.LOST, at=fact.at.isoformat(), reason=reason, is_counted=False)
                self.plan.ready.append(task.key)
            case Outcome.SUCCESS if is_running:
                self._succeed(task, fact)
            case Outcome.SKIPPED if is_running:
                self._emit_task(task, TaskEvent.SKIPPED_ITSELF, **_end(fact, "it skipped itself"))
                self._keep_xcoms(task, fact)
            case Outcome.RESCHEDULED if is_running:
                self._reschedule(task, fact)
            case Outcome.DEFERRED | Outcome.AWAITING_INPUT if is_running and fact.then and fact.then.wait:
                self._wait(task, fact)
            case _:
                self._fail(task, fact)

    def retry_due(self, key: TaskKey) -> None:
        """The delay of a retry, or of a sensor's next look, may be over; early and late timers do nothing."""
        task = self._run.tasks.get(key)
        if task is None or task.state not in (TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE):
            return
        if task.retry_at is not None and task.retry_at > self._now:
            self.plan.timers_set.append(task_timer(_TIMERS[task.state], self._run.pk, task, task.retry_at))
            return
        self._make_ready(task)

    def wait_over(self, attempt: UUID, event: str | None, failure: str | None) -> None:
        """What an attempt waited for has happened, or never will. Dropped when it waits no more."""
        task = self._run.by_attempt.get(attempt)
        if task is None or task.state not in _WAITS:
            return
        self._end_wait(task)
        told = {"event": event, "failure": failure}
        self._make_ready(task, **{name: text for name, text in told.items() if text is not None})

    def wait_timeout_due(self, key: TaskKey) -> None:
        """The patience of a task that waits may be over."""
        task = self._run.tasks.get(key)
        if task is None or task.state not in _WAITS or task.attempt_id is None:
            return
        event = (task.resume or {}).get("timeout_event")
        self.wait_over(task.attempt_id, event, None if event is not None else "timeout")

    def past_changed(self) -> None:
        """The run before this one has moved on: judge the tasks that waited for it."""
        for task_id in self._graph.past:
            self._judge_all(task_id)

    def run_timeout_due(self) -> None:
        """The run has taken longer than ``dagrun_timeout``: what is not done is skipped, and the run fails."""
        if self._run.state is not RunState.RUNNING:
            return
        limit = timedelta(seconds=self._spec.dagrun_timeout_seconds or 0)
        reason = f"the run took longer than its dagrun_timeout of {limit}"
        self._end_unfinished(running=TaskEvent.SKIPPED, waiting=TaskEvent.SKIPPED, reason=reason)
        self._finished.clear()  # nothing is judged any more
        self._emit(Event(RunEvent.FAILED, payload={"reason": reason, "code": TIMED_OUT}))

    def deadline_missed(self, said: Mapping[str, Any]) -> None:
        """A deadline has passed; the call that hangs on it is noted already."""
        self._emit(Event(RunEvent.DEADLINE_MISSED, payload=said))

    def abort(self, reason: str) -> None:
        """The run cannot go on: end what is not done, and fail it."""
        if self._run.state in FINAL_RUN_STATES:
            return
        self._end_unfinished(running=TaskEvent.FAILED_BY_RUN, waiting=TaskEvent.SKIPPED, reason=reason)
        self._finished.clear()
        self._emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def finish(self) -> None:
        """Judge what follows from the facts, go on expanding, and end the run when nothing is left."""
        self._judge_finished()
        if self._run.state is RunState.RUNNING:
            self._go_on_expanding()
            self._judge_finished()
            if self._run.unfinished == 0:
                self._end_run()
            elif self._run.unfinished == self._run.idle and self._run.has_omitted:
                self._end_deadlock()
        if self._run.state is not RunState.RUNNING and self.plan.events and self._spec.dagrun_timeout_seconds:
            self.plan.timers_cleared.append(run_timeout_key(self._run.pk))

    def queue(self, key: TaskKey) -> int:
        """Admission has given ``key`` its slots: create the next attempt. Returns its try number."""
        task = self._run.tasks[key]
        # After a wait the same try goes on; after a loss in a later part, that part is done again as a new try.
        goes_on = task.part > 0 and task.attempt_id != self._attempt_id(task)
        try_number = task.try_number if goes_on else task.try_number + 1
        if task.try_number and task.resume is None:
            self.plan.xcoms_cleared.append(key)  # what the try before, or a sensor's last look, left goes now
        self._emit(Event(TaskEvent.QUEUED, task.task_id, task.map_index, try_number))
        return try_number

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_finished(self) -> None:
        while self._finished:
            task_id, map_index = self._finished.pop()
            for successor in self._graph.outer_downstream[task_id]:
                self._judge_all(successor)
            for successor in self._graph.inner_downstream.get(task_id, ()):
                if map_index == NO_MAP:
                    self._judge_all(successor)
                elif map_index in self._run.waiting.get(successor, ()):
                    self._judge(successor, [map_index])
            for successor in self._graph.requiring.get(task_id, ()):
                self._judge_all(successor)
            for scope in self._graph.fed.get(task_id, ()):
                for member in self._graph.members[scope]:
                    self._judge_all(member)

    def _judge_all(self, task_id: str) -> None:
        waiting = self._run.waiting.get(task_id)
        if not waiting:
            return
        if task_id not in self._graph.scopes:
            self._judge(task_id, [NO_MAP])
        elif NO_MAP in waiting and len(self._run.by_task[task_id]) == 1:
            self._judge_unexpanded(self._run.tasks[task_id, NO_MAP])
        else:
            self._judge(task_id, sorted(waiting - {NO_MAP}))

    def _judge(self, task_id: str, indexes: Sequence[int]) -> None:
        """Judge instances in state none. Without inner edges the answer is the same for all of them."""
        if task_id in self._graph.inner_upstream:
            for map_index in indexes:
                verdict = judge_task(self._run, task_id, map_index)
                self._follow(self._run.tasks[task_id, map_index], verdict, None)
        elif indexes:
            verdict = judge_task(self._run, task_id)
            reason = verdict_reason(self._run, task_id) if verdict in _HINDERED else None
            for map_index in indexes if verdict is not Verdict.WAIT else ():
                self._follow(self._run.tasks[task_id, map_index], verdict, reason)

    def _judge_unexpanded(self, task: TaskView) -> None:
        scope = self._graph.scopes[task.task_id]
        by_sources, reason = judge_sources(self._run, scope)
        if by_sources in _HINDERED:
            self._follow(task, by_sources, reason)
            return
        by_rule = judge_task(self._run, task.task_id)
        if by_rule in _HINDERED:
            self._follow(task, by_rule, None)
        elif by_rule is Verdict.RUN and by_sources is Verdict.RUN:
            source = grouped_source(self._run, scope)
            if source is not None:
                why = f"{source!r} stands in a mapped group, so its output cannot be mapped over"
                self._follow(task, Verdict.UPSTREAM_FAILED, why)
                return
            # What stands below it in the same group comes along, since it follows index by index.
            below = [t for t in self._graph.members[scope] if t in self._graph.inner_upstream and t != task.task_id]
            below = [t for t in below if self._is_unexpanded(t) and judge_task(self._run, t) not in _HINDERED]
            self._expand(scope, [task.task_id, *below])

    def _follow(self, task: TaskView, verdict: Verdict, reason: str | None) -> None:
        waits_to_skip = self._graph.tasks[task.task_id].wait_for_past_depends_before_skipping
        if task.task_id in self._past and (verdict is Verdict.RUN or (verdict is Verdict.SKIP and waits_to_skip)):
            # The run before tells this one when it moves on; a word between two schedulers may miss it.
            due = self._now + _LOOK_AT_PAST
            self.plan.timers_set.append(TimerSet(past_key(self._run.pk), PAST, due))
        elif verdict is Verdict.RUN:
            if self._graph.tasks[task.task_id].needs_process:
                self._make_ready(task)
            else:
                self._emit_task(task, TaskEvent.PASSED)
        elif verdict is not Verdict.WAIT:
            event = TaskEvent.SKIPPED if verdict is Verdict.SKIP else TaskEvent.UPSTREAM_FAILED
            self._emit_task(task, event, reason=reason or verdict_reason(self._run, *task.key))

    # --- expansion ---------------------------------------------------------------------------------------------------

    def _is_unexpanded(self, task_id: str) -> bool:
        return NO_MAP in self._run.waiting.get(task_id, ()) and len(self._run.by_task[task_id]) == 1

    def _expand(self, scope: str, task_ids: Sequence[str]) -> None:
        """Create the next indexes of tasks of a scope, as many as this step may, and judge them."""
        if not task_ids:
            return
        size = expansion_size(self._run, self._graph.mappings[scope])
        share = max(1, self._to_create // len(task_ids))
        created: list[tuple[str, range]] = []
        for task_id in task_ids:
            task = self._run.tasks[task_id, NO_MAP]
            first = len(self._run.by_task[task_id]) - 1
            # When this step has made enough, what has begun goes on in the next; what has not is begun, or it is lost.
            count = min(size - first, share) if self._to_create > 0 or first == 0 else 0
            if size == 0:
                self._emit_task(task, TaskEvent.SKIPPED, reason="there is nothing to map over: the length is 0")
            elif count:
                is_last = first + count == size
                self._emit_task(task, TaskEvent.EXPANDED, first=first, count=count, is_last=is_last)
                created.append((task_id, range(first, first + count)))
                self._to_create -= count
            if first + count < size:
                self.plan.has_more = True
        for task_id, indexes in created:
            waiting = self._run.waiting.get(task_id, set())
            self._judge(task_id, [map_index for map_index in indexes if map_index in waiting])

    def _go_on_expanding(self) -> None:
        for scope, members in self._graph.members.items():
            begun = [t for t in members if NO_MAP in self._run.waiting.get(t, ()) and len(self._run.by_task[t]) > 1]
            self._expand(scope, begun)

    # --- what follows ------------------------------------------------------------------------------------------------

    def _make_ready(self, task: TaskView, **payload: Any) -> None:
        self._emit_task(task, TaskEvent.SCHEDULED, **payload)
        self.plan.ready.append(task.key)

    def _succeed(self, task: TaskView, fact: AttemptEnded) -> None:
        then = fact.then or _NO_AFTERMATH
        payload = _end(fact)
        if then.length is not None:
            payload["length"] = then.length
        self._emit_task(task, TaskEvent.SUCCEEDED, **payload)
        self._keep_xcoms(task, fact)
        if then.asset_changes:
            self.plan.asset_changes.append((task.key, then.asset_changes))
        for task_id in then.skip:
            self._skip_below(task, task_id)

    def _skip_below(self, task: TaskView, task_id: str) -> None:
        """A task has decided not to run one below it; inside a mapped group, only that of its own index."""
        instances = self._run.by_task.get(task_id, {})
        scope = self._graph.scopes.get(task.task_id)
        if scope is not None and scope == self._graph.scopes.get(task_id):
            instances = {i: instances[i] for i in (task.map_index, NO_MAP) if i in instances}
        for one in list(instances.values()):
            if one.state not in FINAL_TASK_STATES:
                self._end(one, TaskEvent.SKIPPED, f"{task.task_id!r} decided not to run it")

    def _lose(self, task: TaskView, fact: AttemptEnded) -> None:
        reason = fact.error or "its supervisor is gone"
        if task.losses >= self._policy.max_losses:
            text = f"lost {task.losses + 1} times by the infrastructure, more than the limit; last: {reason}"
            self._emit_task(task, TaskEvent.FAILED_BY_RUN, reason=text)
            self._call_for_dead(task, None)
            return
        self._emit_task(task, TaskEvent.LOST, at=fact.at.isoformat(), reason=reason)
        self.plan.ready.append(task.key)

    def _fail(self, task: TaskView, fact: AttemptEnded) -> None:
        spec = self._graph.tasks[task.task_id]
        if fact.may_retry and task.failures < spec.retries:
            asked = (fact.then or _NO_AFTERMATH).retry_delay_seconds
            seed = f"{self._run.pk}\0{task.task_id}\0{task.map_index}"
            delay = (
                retry_delay(spec, task.failures + 1, seed, self._policy.max_retry_delay)
                if asked is None
                else timedelta(seconds=asked)
            )
            retry_at = self._now + delay
            self._emit_task(task, TaskEvent.WILL_RETRY, **_end(fact, "failed"), retry_at=retry_at.isoformat())
            self._call_for_dead(task, fact)
            if delay:
                self.plan.timers_set.append(task_timer(RETRY, self._run.pk, task, retry_at))
            else:
                self._make_ready(task)
            return
        self._emit_task(task, TaskEvent.FAILED, **_end(fact, "failed"))
        self._call_for_dead(task, fact)
        self._keep_xcoms(task, fact)
        if self._spec.fail_fast and not spec.is_teardown:
            self._end_unfinished(
                running=TaskEvent.FAILED_BY_RUN,
                waiting=TaskEvent.SKIPPED,
                reason=f"task {task.task_id!r} failed, and the DAG says fail_fast",
                but=task.task_id,  # its other indexes go on, as in Airflow
            )

    def _call_for_dead(self, task: TaskView, fact: AttemptEnded | None) -> None:
        self.plan.calls.extend(calls_for_dead(self._run, task, fact, task.reason or "failed"))

    def _reschedule(self, task: TaskView, fact: AttemptEnded) -> None:
        resume_at = (fact.then or _NO_AFTERMATH).resume_at or self._now
        self._emit_task(task, TaskEvent.RESCHEDULED, **_end(fact), resume_at=resume_at.isoformat())
        self._keep_xcoms(task, fact)
        self.plan.timers_set.append(task_timer(RESCHEDULE, self._run.pk, task, resume_at))

    def _wait(self, task: TaskView, fact: AttemptEnded) -> None:
        assert fact.then is not None
        assert fact.then.wait is not None
        wait = fact.then.wait
        resume = {"method": wait.method, "kwargs": wait.kwargs, "timeout_event": wait.timeout_event}
        event = TaskEvent.ASKED if fact.outcome is Outcome.AWAITING_INPUT else TaskEvent.DEFERRED
        known = {name: value for name, value in resume.items() if value is not None}
        self._emit_task(task, event, **_end(fact), resume=known)
        self._keep_xcoms(task, fact)
        self.plan.waits.append((fact.attempt_id, task.key, wait))
        if wait.timeout_seconds is not None:
            due = self._now + timedelta(seconds=wait.timeout_seconds)
            self.plan.timers_set.append(task_timer(WAIT_TIMEOUT, self._run.pk, task, due))

    def _keep_xcoms(self, task: TaskView, fact: AttemptEnded) -> None:
        self.plan.xcoms.extend((task.key, value) for value in fact.xcoms)

    # --- endings -----------------------------------------------------------------------------------------------------

    def _end_unfinished(self, *, running: TaskEvent, waiting: TaskEvent, reason: str, but: str | None = None) -> None:
        for task in list(self._run.tasks.values()):
            is_spared = self._spec.fail_fast and self._graph.tasks[task.task_id].is_teardown
            if task.state not in FINAL_TASK_STATES and not is_spared and task.task_id != but:
                self._end(task, running if task.state in ACTIVE_TASK_STATES else waiting, reason)

    def _end(self, task: TaskView, event: TaskEvent, reason: str) -> None:
        """End an instance from here, whatever it does or waits for."""
        if task.state in ACTIVE_TASK_STATES and task.attempt_id is not None:
            self.plan.cancel.append(task.attempt_id)
        self._end_wait(task)
        self._emit_task(task, event, reason=reason)

    def _end_wait(self, task: TaskView) -> None:
        if task.state in _TIMERS:
            self.plan.timers_cleared.append(task_timer_key(_TIMERS[task.state], self._run.pk, task.key))
        if task.state in _WAITS and task.attempt_id is not None:
            self.plan.waits_dropped.append(task.attempt_id)

    def _end_run(self) -> None:
        bad = [
            repr(task.task_id) if task.map_index == NO_MAP else f"{task.task_id!r}[{task.map_index}]"
            for leaf in self._graph.leaves
            for task in self._run.by_task.get(leaf, {}).values()
            if task.state in (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
        ]
        if bad:
            self._emit(Event(RunEvent.FAILED, payload={"reason": f"failed: {names(bad)}"}))
        else:
            self._emit(Event(RunEvent.SUCCEEDED))
            self.plan.timers_cleared += [deadline_key(self._run.pk, n) for n in range(len(self._spec.deadlines))]

    def _end_deadlock(self) -> None:
        """Fail a run in which nothing can happen any more, since tasks wait for some that are not part of it."""
        waiting = [task_id for task_id, indexes in self._run.waiting.items() if indexes]
        if self.plan.has_more or not self._past.keys().isdisjoint(waiting):
            return
        reason = f"nothing can run any more; {waiting[0]!r}: {verdict_reason(self._run, waiting[0])}"
        self._emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def _is_within_dates(self, task_id: str, logical_date: datetime | None) -> bool:
        spec = self._graph.tasks[task_id]
        if logical_date is None:
            return True
        after_start = spec.start_date is None or logical_date >= datetime.fromisoformat(spec.start_date)
        return after_start and (spec.end_date is None or logical_date <= datetime.fromisoformat(spec.end_date))

    def _attempt_id(self, task: TaskView) -> UUID:
        return attempt_id(self._run.pk, task.task_id, task.map_index, task.try_number, task.part)

    def _emit_task(self, task: TaskView, kind: TaskEvent, **payload: Any) -> None:
        self._emit(Event(kind, task.task_id, task.map_index, task.try_number, payload))
        if task.state in FINAL_TASK_STATES:
            self._finished.append(task.key)

    def _emit(self, event: Event) -> None:
        self._run.apply(event, self._now)
        self.plan.events.append(event)
        if event.task_id is None:
            self.plan.calls.extend(calls_of_run(self._run, self._spec, event))


def _end(fact: AttemptEnded, reason: str | None = None) -> dict[str, Any]:
    """Return what the log keeps of every end of an attempt."""
    payload: dict[str, Any] = {"at": fact.at.isoformat()}
    if reason is not None:
        payload["reason"] = fact.error or reason
    if fact.then is not None and fact.then.map_label is not None:
        payload["map_label"] = fact.then.map_label
    return payload
