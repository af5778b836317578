"""What follows from what happened to a run? Facts in, events out: pure, with the time as an argument.

A :class:`RunPlanner` folds the facts of one run into its :class:`RunView`, decides what follows, and gathers it all in
a :class:`Plan` that one transaction writes. The view is changed on the way; when the commit is refused, both are thrown
away and the run is read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from scheduler import task_deadlines
from scheduler.backoff import retry_delay
from scheduler.calling import TIMED_OUT, calls_for_dead
from scheduler.judging import expansion_size, names, verdict_reason
from scheduler.operating.selection import select
from scheduler.plan import (
    PAST,
    RESCHEDULE,
    RETRY,
    RUN_START,
    RUN_TIMEOUT,
    WAIT_TIMEOUT,
    RatePause,
    TimerSet,
    deadline_key,
    past_key,
    run_start_key,
    run_timeout_key,
    task_timer,
)
from scheduler.progress import TIMERS, WAITS, Progress
from tradewind.model.commands import Selection, TakeOver
from tradewind.model.events import NO_MAP, Event
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptStarted, Outcome, attempt_id
from tradewind.model.spec import FixedLength, TaskSpec
from tradewind.model.states import (
    ACTIVE_TASK_STATES,
    FINAL_RUN_STATES,
    FINAL_TASK_STATES,
    RunEvent,
    RunState,
    TaskEvent,
    TaskState,
)
from tradewind.run.view import TaskKey, TaskView

_NO_AFTERMATH: Final = Aftermath()


class RunPlanner(Progress):
    """Plans one step of one DAG run: any number of facts, then :meth:`finish`, then any number of :meth:`queue`."""

    # --- facts -----------------------------------------------------------------------------------------------------

    def start(self, logical_date: datetime | None, taken: TakeOver | None = None) -> None:
        """The run has its place under ``max_active_runs``: create its instances and judge those without upstream.

        Args:
            taken: what it takes over from the run that it replays.
        """
        omitted = [t for t in self.run.graph.tasks if not is_within_dates(self.run.graph.tasks[t], logical_date)]
        self.emit(Event(RunEvent.STARTED, payload={"omitted": omitted} if omitted else {}))
        if self.spec.dagrun_timeout_seconds is not None:
            due = self.now + timedelta(seconds=self.spec.dagrun_timeout_seconds)
            self.plan.timers_set.append(TimerSet(run_timeout_key(self.run.pk), RUN_TIMEOUT, due))
        if taken is not None:
            self._take_over(taken)
        for scope, mapping in self.run.graph.mappings.items():
            is_known = all(isinstance(length, FixedLength) for length in mapping.lengths)
            if is_known and expansion_size(self.run, mapping):  # with nothing to map over, the rule is asked first
                self._expand(scope, [t for t in self.run.graph.members[scope] if self._is_unexpanded(t)])
        self.plan.timers_set.extend(task_deadlines.since_run(self.run, self.run.graph.tasks))
        self.judge_everything()

    def attempt_started(self, fact: AttemptStarted) -> None:
        """An attempt has a process. Dropped when it is not the current attempt of its task."""
        task = self.run.by_attempt.get(fact.attempt_id)
        if task is None or task.state is not TaskState.QUEUED:
            return
        self.plan.started.append(fact)
        self.emit_task(task, TaskEvent.STARTED, at=fact.at.isoformat())
        self.plan.timers_set.extend(
            task_deadlines.since_try(self.run, task, task_deadlines.STARTED, task.started_at or self.now)
        )

    def attempt_ended(self, fact: AttemptEnded) -> None:
        """An attempt has ended. A word about an attempt that is not the current one only closes that attempt's row."""
        self.plan.ended.append(fact)
        task = self.run.by_attempt.get(fact.attempt_id)
        if task is None or task.state not in ACTIVE_TASK_STATES:
            return
        if task.state is TaskState.RESTARTING:
            self.emit_task(task, TaskEvent.RESTARTED)
            return
        if task.state is TaskState.QUEUED and fact.started_at is not None:
            self.emit_task(task, TaskEvent.STARTED, at=fact.started_at.isoformat())
        is_running = task.state is TaskState.RUNNING
        match fact.outcome:
            case Outcome.LOST:
                self._lose(task, fact)
            case Outcome.RETURNED:
                reason = fact.error or "handed back"
                self.emit_task(task, TaskEvent.LOST, at=fact.at.isoformat(), reason=reason, is_counted=False)
                self.enqueue(task)
            case Outcome.SUCCESS if is_running:
                self._succeed(task, fact)
            case Outcome.SKIPPED if is_running:
                self.emit_task(task, TaskEvent.SKIPPED_ITSELF, **_end(fact, "it skipped itself"))
                self._keep_xcoms(task, fact)
            case Outcome.RESCHEDULED if is_running:
                self._reschedule(task, fact)
            case Outcome.DEFERRED | Outcome.AWAITING_INPUT if is_running and fact.then and fact.then.wait:
                self._wait(task, fact)
            case _:
                self._fail(task, fact)

    def retry_due(self, key: TaskKey) -> None:
        """The delay of a retry, or of a sensor's next look, may be over; early and late timers do nothing."""
        task = self.run.tasks.get(key)
        if task is None or task.state not in (TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE):
            return
        if task.retry_at is not None and task.retry_at > self.now:
            self.plan.timers_set.append(task_timer(TIMERS[task.state], self.run.pk, task, task.retry_at))
            return
        self.make_ready(task)

    def wait_over(self, attempt: UUID, event: str | None, failure: str | None) -> None:
        """What an attempt waited for has happened, or never will. Dropped when it waits no more."""
        task = self.run.by_attempt.get(attempt)
        if task is None or task.state not in WAITS:
            return
        self.end_wait(task)
        told = {"event": event, "failure": failure}
        self.make_ready(task, **{name: text for name, text in told.items() if text is not None})

    def wait_timeout_due(self, key: TaskKey) -> None:
        """The patience of a task that waits may be over."""
        task = self.run.tasks.get(key)
        if task is None or task.state not in WAITS or task.attempt_id is None:
            return
        event = (task.resume or {}).get("timeout_event")
        self.wait_over(task.attempt_id, event, None if event is not None else "timeout")

    def past_changed(self) -> None:
        """The run before this one has moved on: judge the tasks that waited for it."""
        for task_id in self.run.graph.past:
            self.judge_all(task_id)

    def run_timeout_due(self) -> None:
        """The run has taken longer than ``dagrun_timeout``: what is not done is skipped, and the run fails."""
        if self.run.state is not RunState.RUNNING:
            return
        limit = timedelta(seconds=self.spec.dagrun_timeout_seconds or 0)
        reason = f"the run took longer than its dagrun_timeout of {limit}"
        self.end_unfinished(running=TaskEvent.SKIPPED, waiting=TaskEvent.SKIPPED, reason=reason)
        self.emit(Event(RunEvent.FAILED, payload={"reason": reason, "code": TIMED_OUT}))

    def deadline_missed(self, said: Mapping[str, Any]) -> None:
        """A deadline has passed; the call that hangs on it is noted already."""
        self.emit(Event(RunEvent.DEADLINE_MISSED, payload=said))

    def task_deadline_due(self, key: TaskKey, number: int, due_at: datetime) -> None:
        """A task should be done by now. Nothing happens when it is."""
        found = task_deadlines.missed(self.run, key, number)
        if found is None or self.run.state is not RunState.RUNNING:
            return
        task, alert = found
        said = {"number": number, "due_at": due_at.isoformat(), "name": alert.name, "callback": alert.callback}
        payload = {name: value for name, value in said.items() if value is not None}
        self.emit(Event(TaskEvent.DEADLINE_MISSED, task.task_id, task.map_index, task.try_number, payload))
        self.plan.calls.append(task_deadlines.call(task, said, alert))

    def abort(self, reason: str) -> None:
        """The run cannot go on: end what is not done, and fail it."""
        if self.run.state in FINAL_RUN_STATES:
            return
        self.end_unfinished(running=TaskEvent.FAILED_BY_RUN, waiting=TaskEvent.SKIPPED, reason=reason)
        self.emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def finish(self) -> None:
        """Judge what follows from the facts, go on expanding, and end the run when nothing is left."""
        self.settle()
        if self.run.state is RunState.RUNNING:
            if self.run.unfinished == 0:
                self._end_run()
            elif self.run.missing:
                self._end_deadlock()
        if self.run.state is not RunState.RUNNING and self.plan.events:
            self._forget_timers()

    def _forget_timers(self) -> None:
        """The run does not run any more: what it would have been woken for is over."""
        if self.spec.dagrun_timeout_seconds:
            self.plan.timers_cleared.append(run_timeout_key(self.run.pk))
        if self.run.graph.past:
            self.plan.timers_cleared.append(past_key(self.run.pk))
            self.plan.timers_set = [timer for timer in self.plan.timers_set if timer.kind != PAST]
        self.forget(frozenset(task_deadlines.over_with_run(self.run)))
        if self.run.state is RunState.SUCCESS:
            self.plan.timers_cleared += [deadline_key(self.run.pk, n) for n in range(len(self.spec.deadlines))]
        if self.run.state in FINAL_RUN_STATES and self.spec.run_retries:  # it was to be tried again, and now it is not
            self.plan.timers_cleared.append(run_start_key(self.run.pk))

    def queue(self, key: TaskKey) -> int:
        """Admission has given ``key`` its slots: create the next attempt. Returns its try number."""
        task = self.run.tasks[key]
        # After a wait the same try goes on; after a loss in a later part, that part is done again as a new try.
        goes_on = task.part > 0 and task.attempt_id != self._attempt_id(task)
        try_number = task.try_number if goes_on else task.try_number + 1
        if task.try_number and task.resume is None:
            self.plan.xcoms_cleared.append(key)  # what the try before, or a sensor's last look, left goes now
        self.emit(Event(TaskEvent.QUEUED, task.task_id, task.map_index, try_number))
        if not goes_on:
            self.plan.timers_set.extend(task_deadlines.since_try(self.run, task, task_deadlines.QUEUED, self.now))
        return try_number

    def _take_over(self, taken: TakeOver) -> None:
        for task_id, count in taken.indexes.items():
            if task_id in self.run.graph.scopes and self._is_unexpanded(task_id):
                self.emit(Event(TaskEvent.EXPANDED, task_id, payload={"count": count}))
        reason = f"taken over from run {taken.run_id!r}"
        for one in taken.instances:
            task = self.run.tasks.get((one.task_id, one.map_index))
            if task is None or task.state is not TaskState.NONE:
                continue
            kind = TaskEvent.MARKED_SUCCESS if one.state is TaskState.SUCCESS else TaskEvent.MARKED_SKIPPED
            said = {"length": one.length, "map_label": one.map_label, "skip": list(one.decided_against) or None}
            self.emit_task(task, kind, reason=reason, **{k: v for k, v in said.items() if v is not None})

    # --- what follows ------------------------------------------------------------------------------------------------

    def _succeed(self, task: TaskView, fact: AttemptEnded) -> None:
        then = fact.then or _NO_AFTERMATH
        payload = _end(fact)
        if then.length is not None:
            payload["length"] = then.length
        if then.skip:
            payload["skip"] = list(then.skip)  # it holds when one of them is done again
        self.emit_task(task, TaskEvent.SUCCEEDED, **payload)
        self._keep_xcoms(task, fact)
        if then.asset_changes:
            self.plan.asset_changes.append((task.key, then.asset_changes))
        for task_id in then.skip:
            self._skip_below(task, task_id)

    def _skip_below(self, task: TaskView, task_id: str) -> None:
        """A task has decided not to run one below it; inside a mapped group, only that of its own index."""
        instances = self.run.by_task.get(task_id, {})
        scope = self.run.graph.scopes.get(task.task_id)
        if scope is not None and scope == self.run.graph.scopes.get(task_id):
            instances = {i: instances[i] for i in (task.map_index, NO_MAP) if i in instances}
        for one in list(instances.values()):
            if one.state not in FINAL_TASK_STATES:
                self.end(one, TaskEvent.SKIPPED, f"{task.task_id!r} decided not to run it")

    def _lose(self, task: TaskView, fact: AttemptEnded) -> None:
        reason = fact.error or "its supervisor is gone"
        if task.losses >= self._policy.max_losses:
            text = f"lost {task.losses + 1} times by the infrastructure, more than the limit; last: {reason}"
            self.emit_task(task, TaskEvent.FAILED_BY_RUN, reason=text)
            self._call_for_dead(task, None)
            return
        self.emit_task(task, TaskEvent.LOST, at=fact.at.isoformat(), reason=reason)
        self.enqueue(task)

    def _fail(self, task: TaskView, fact: AttemptEnded) -> None:
        spec = self.run.graph.tasks[task.task_id]
        then = fact.then or _NO_AFTERMATH
        asked = then.retry_delay_seconds
        if then.pause_rate is not None and asked is not None:
            by = f"{self.run.dag_id}.{task.task_id}: {fact.error or 'failed'}"
            self.plan.pauses.append(RatePause(then.pause_rate, self.now + timedelta(seconds=asked), by))
        is_free = then.retry_is_free and task.postponed < self._policy.max_postponements
        if is_free or (fact.may_retry and task.failures < spec.retries):
            seed = f"{self.run.pk}\0{task.task_id}\0{task.map_index}"
            delay = (
                retry_delay(spec, task.failures + 1, seed, self._policy.max_retry_delay)
                if asked is None
                else timedelta(seconds=asked)
            )
            retry_at = self.now + delay
            uncounted = {"is_counted": False} if is_free else {}
            said = {**_end(fact, "failed"), **uncounted}
            self.emit_task(task, TaskEvent.WILL_RETRY, **said, retry_at=retry_at.isoformat())
            self._call_for_dead(task, fact)
            if delay:
                self.plan.timers_set.append(task_timer(RETRY, self.run.pk, task, retry_at))
            else:
                self.make_ready(task)
            return
        self.emit_task(task, TaskEvent.FAILED, **_end(fact, "failed"))
        self._call_for_dead(task, None if then.retry_is_free else fact)  # its process took itself to be tried again
        self._keep_xcoms(task, fact)
        if self.spec.fail_fast and not spec.is_teardown:
            self.end_unfinished(
                running=TaskEvent.FAILED_BY_RUN,
                waiting=TaskEvent.SKIPPED,
                reason=f"task {task.task_id!r} failed, and the DAG says fail_fast",
                but=task.task_id,  # its other indexes go on, as in Airflow
                spares_teardowns=True,
            )

    def _call_for_dead(self, task: TaskView, fact: AttemptEnded | None) -> None:
        self.plan.calls.extend(calls_for_dead(self.run, task, fact, task.reason or "failed"))

    def _reschedule(self, task: TaskView, fact: AttemptEnded) -> None:
        resume_at = (fact.then or _NO_AFTERMATH).resume_at or self.now
        self.emit_task(task, TaskEvent.RESCHEDULED, **_end(fact), resume_at=resume_at.isoformat())
        self._keep_xcoms(task, fact)
        self.plan.timers_set.append(task_timer(RESCHEDULE, self.run.pk, task, resume_at))

    def _wait(self, task: TaskView, fact: AttemptEnded) -> None:
        assert fact.then is not None
        assert fact.then.wait is not None
        wait = fact.then.wait
        resume = {"method": wait.method, "kwargs": wait.kwargs, "timeout_event": wait.timeout_event}
        event = TaskEvent.ASKED if fact.outcome is Outcome.AWAITING_INPUT else TaskEvent.DEFERRED
        known = {name: value for name, value in resume.items() if value is not None}
        self.emit_task(task, event, **_end(fact), resume=known)
        self._keep_xcoms(task, fact)
        self.plan.waits.append((fact.attempt_id, task.key, wait))
        if wait.timeout_seconds is not None:
            due = self.now + timedelta(seconds=wait.timeout_seconds)
            self.plan.timers_set.append(task_timer(WAIT_TIMEOUT, self.run.pk, task, due))

    def _keep_xcoms(self, task: TaskView, fact: AttemptEnded) -> None:
        self.plan.xcoms.extend((task.key, value) for value in fact.xcoms)

    # --- endings -----------------------------------------------------------------------------------------------------

    def end_unfinished(
        self,
        *,
        running: TaskEvent,
        waiting: TaskEvent,
        reason: str,
        but: str | None = None,
        spares_teardowns: bool = False,
    ) -> None:
        """End every instance that is not done.

        Args:
            running, waiting: by what event, with a process and without.
            but: the task whose instances go on.
            spares_teardowns: teardowns go on, and so does the run.
        """
        for task in [task for task in self.run.tasks.values() if task.state not in FINAL_TASK_STATES]:
            is_spared = spares_teardowns and self.run.graph.tasks[task.task_id].is_teardown
            if not is_spared and task.task_id != but:
                self.end(task, running if task.state in ACTIVE_TASK_STATES else waiting, reason)

    def bad_leaves(self) -> list[str]:
        """Return the names of the instances for whose sake the run has failed, once all have ended."""
        return [
            repr(task.task_id) if task.map_index == NO_MAP else f"{task.task_id!r}[{task.map_index}]"
            for leaf in self.run.graph.leaves
            for task in self.run.by_task.get(leaf, {}).values()
            if task.state in (TaskState.FAILED, TaskState.UPSTREAM_FAILED)
        ]

    def _end_run(self) -> None:
        if self.run.verdict is not None:
            is_good = self.run.verdict is RunState.SUCCESS
            kind = RunEvent.MARKED_SUCCESS if is_good else RunEvent.MARKED_FAILED
            self.emit(Event(kind, payload={"reason": self.run.reason}))
            return
        bad = self.bad_leaves()
        if not bad:
            self.emit(Event(RunEvent.SUCCEEDED))
            return
        reason = f"failed: {names(bad)}"
        if self.run.retries_used < self.spec.run_retries:
            self._try_run_again(reason)
        else:
            self.emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def _try_run_again(self, reason: str) -> None:
        """The DAG says ``run_retries``: what failed, and what follows it, is done again after a delay."""
        due = self.now + timedelta(seconds=self.spec.run_retry_delay_seconds)
        self.emit(Event(RunEvent.WILL_RETRY, payload={"reason": reason, "retry_at": due.isoformat()}))
        self.plan.timers_set.append(TimerSet(run_start_key(self.run.pk), RUN_START, due))
        failed = Selection(downstream=True, starting_from=(TaskState.FAILED, TaskState.UPSTREAM_FAILED))
        for key in select(self.run, failed):
            self.clear(self.run.tasks[key])

    def _end_deadlock(self) -> None:
        """Fail a run in which nothing can happen any more, since tasks wait for some that are not part of it."""
        waiting = {task_id: len(indexes) for task_id, indexes in self.run.waiting.items() if indexes}
        may_go_on = self.run.unfinished > sum(waiting.values()) or not self._past.keys().isdisjoint(waiting)
        is_held = any(self.run.is_held(self.run.tasks[t, i]) for t in waiting for i in self.run.waiting[t])
        if may_go_on or is_held or self.plan.has_more:
            return
        first = next(iter(waiting))
        reason = f"nothing can run any more; {first!r}: {verdict_reason(self.run, first)}"
        self.emit(Event(RunEvent.FAILED, payload={"reason": reason}))

    def _attempt_id(self, task: TaskView) -> UUID:
        return attempt_id(self.run.pk, task.task_id, task.map_index, task.try_number, task.part)


def is_within_dates(spec: TaskSpec, logical_date: datetime | None) -> bool:
    """Return whether a run of that date has the task at all."""
    if logical_date is None:
        return True
    after_start = spec.start_date is None or logical_date >= datetime.fromisoformat(spec.start_date)
    return after_start and (spec.end_date is None or logical_date <= datetime.fromisoformat(spec.end_date))


def _end(fact: AttemptEnded, reason: str | None = None) -> dict[str, Any]:
    """Return what the log keeps of every end of an attempt."""
    payload: dict[str, Any] = {"at": fact.at.isoformat()}
    if reason is not None:
        payload["reason"] = fact.error or reason
    if fact.then is not None and fact.then.map_label is not None:
        payload["map_label"] = fact.then.map_label
    return payload
