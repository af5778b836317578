"""One run in memory, told of facts and commands step by step: the planner is real, the metadata DB is left out.

After each step the laws of a run are checked: its log folds to what stands there, all that is counted on the way is
what a slow count finds, nothing is left undecided, and nothing is there twice or left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from scheduler.operating.interventions import change_version, intervene
from scheduler.plan import Plan, Policy, TimerSet
from scheduler.planner import RunPlanner
from scheduler.versions import Version
from tradewind.model.commands import ClearTasks, Command
from tradewind.model.events import Event
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptStarted, Outcome
from tradewind.model.spec import DagSpec
from tradewind.model.states import (
    ACTIVE_TASK_STATES,
    FINAL_RUN_STATES,
    FINAL_TASK_STATES,
    RunState,
    TaskEvent,
    TaskState,
)
from tradewind.run.graph import DagGraph
from tradewind.run.view import RunView, TaskKey

T0 = datetime(2026, 3, 1, tzinfo=UTC)
_STARTS = (TaskEvent.QUEUED, TaskEvent.PASSED)


class OneRun:
    """A run of the first of some versions of a DAG, and the processes, timers and waits that it has.

    Attributes:
        log: every event so far, with its instant.
        processes: the attempts that have not been said to have ended, and whose they are.
        ready: instances that admission was told of.
        waits: the attempts that wait without a slot.
    """

    def __init__(self, *specs: DagSpec, policy: Policy = Policy()) -> None:  # noqa: B008  frozen
        self.versions = {n: Version(n, spec, DagGraph(spec), "", "") for n, spec in enumerate(specs, 1)}
        self.version = self.versions[1]
        self.view = self._fresh()
        self.log: list[tuple[Event, datetime]] = []
        self.now = T0
        self.processes: dict[UUID, TaskKey] = {}
        self.cancelled: set[UUID] = set()
        self.ready: list[TaskKey] = []
        self.timers: dict[str, TimerSet] = {}
        self.waits: dict[UUID, TaskKey] = {}
        self._policy = policy

    def _fresh(self) -> RunView:
        graphs = {version.id: version.graph for version in self.versions.values()}
        return RunView(1, "g", "r", graphs[1], next_seq=2, version_id=1, graphs=graphs)

    # --- what happens ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """The run has its place."""
        self._step(lambda planner: planner.start(None))

    def obey(self, command: Command) -> None:
        """Somebody wants something of it."""

        def act(planner: RunPlanner) -> None:
            if isinstance(command, ClearTasks) and command.version_id is not None:
                self.version = self.versions[command.version_id]
                change_version(planner, self.version)
            intervene(planner, command)

        self._step(act)

    def do(self, act: Callable[[RunPlanner], object]) -> None:
        """Anything else that can be told to a planner."""
        self._step(act)

    def admissible(self) -> list[TaskKey]:
        """What admission could start: ready, not held, and without a process that is still there."""
        busy = set(self.processes.values())
        waiting = dict.fromkeys(self.ready)
        return [
            key
            for key in waiting
            if key not in busy
            and (task := self.view.tasks.get(key)) is not None
            and task.state is TaskState.SCHEDULED
            and not self.view.is_held(task)
        ]

    def admit(self, key: TaskKey) -> UUID:
        """Give an instance its slots, and return its attempt."""
        self.ready = [one for one in self.ready if one != key]
        planner = self._planner()
        planner.queue(key)
        self._carry_out(planner.plan)
        attempt = self.view.tasks[key].attempt_id
        assert attempt is not None
        assert attempt not in self.processes, "an attempt is there twice"
        assert key not in self.processes.values(), "an instance has two processes"
        self.processes[attempt] = key
        self.assert_laws()
        return attempt

    def started(self, attempt: UUID) -> None:
        """Its process says that it runs."""
        self._step(lambda planner: planner.attempt_started(AttemptStarted(attempt, 1, 1, self.now)))

    def ended(self, attempt: UUID, outcome: Outcome, **then: Any) -> None:
        """Its process, or whoever finds it gone, says how it ended. May be said again."""
        fact = AttemptEnded(attempt, 1, 1, outcome, self.now, self.now, then=Aftermath(**then) if then else None)
        self.processes.pop(attempt, None)
        self._step(lambda planner: planner.attempt_ended(fact))

    def run(self, key: TaskKey, outcome: Outcome = Outcome.SUCCESS, **then: Any) -> None:
        """Start and end what is ready."""
        self.ended(self.admit(key), outcome, **then)

    def wait_over(self, attempt: UUID) -> None:
        """What it waited for has come."""
        self._step(lambda planner: planner.wait_over(attempt, None, None))

    def pass_time(self, seconds: float) -> None:
        """Time goes by, and what is due then is told, each by itself."""
        self.now += timedelta(seconds=seconds)
        for timer in [timer for timer in self.timers.values() if timer.due_at <= self.now]:
            if self.timers.pop(timer.key, None) is not None and timer.task_id is not None:
                key = (timer.task_id, timer.map_index)
                is_wait = timer.kind == "wait_timeout"
                self._step(lambda p: p.wait_timeout_due(key) if is_wait else p.retry_due(key))  # noqa: B023

    def go_on(self, length: int = 2) -> None:
        """Let everything succeed, until nothing happens any more."""
        for _ in range(1000):
            if self.view.state is RunState.QUEUED:
                self.timers = {key: timer for key, timer in self.timers.items() if timer.kind != "start"}
                self.start()
            elif self.processes:
                self.ended(next(iter(self.processes)), Outcome.SUCCESS, length=length)
            elif self.admissible():
                self.run(self.admissible()[0], length=length)
            elif self.waits:
                self.wait_over(next(iter(self.waits)))
            elif any(timer.task_id for timer in self.timers.values()):
                self.pass_time(max((timer.due_at - self.now).total_seconds() for timer in self.timers.values()) + 1)
            else:
                return
        raise AssertionError("it never ends")

    def states(self) -> dict[Any, str]:
        """The state of each instance: by task id, and by both where it has an index."""
        return {t if i < 0 else (t, i): task.state.value for (t, i), task in self.view.tasks.items()}

    # --- a step ------------------------------------------------------------------------------------------------------

    def _planner(self) -> RunPlanner:
        return RunPlanner(self.view, self.version.spec, self.now, self._policy)

    def _step(self, act: Callable[[RunPlanner], object]) -> None:
        while True:
            planner = self._planner()
            act(planner)
            planner.finish()
            self._carry_out(planner.plan)
            if not planner.plan.has_more:
                break
            act = lambda _planner: None  # noqa: E731
        self.assert_laws()

    def _carry_out(self, plan: Plan) -> None:
        self.log.extend((event, self.now) for event in plan.events)
        self.ready.extend(plan.ready)
        self.cancelled.update(plan.cancel)
        for key in plan.timers_cleared:
            self.timers.pop(key, None)
        self.timers |= {timer.key: timer for timer in plan.timers_set}
        self.waits |= {attempt: key for attempt, key, _ in plan.waits}
        for attempt in plan.waits_dropped:
            self.waits.pop(attempt, None)
        self.view.take_changes()

    # --- laws --------------------------------------------------------------------------------------------------------

    def assert_laws(self) -> None:
        """What must be true after each step, whatever happened."""
        self._assert_log_folds()
        self._assert_counts(self.view)
        self._assert_nothing_left_behind()
        self._assert_all_is_decided()
        self._assert_held_is_kept()

    def _assert_log_folds(self) -> None:
        again = self._fresh()
        for event, at in self.log:
            again.apply(event, at)
        assert again.tasks == self.view.tasks
        for name in ("state", "version_id", "held", "verdict", "reason", "retries_used", "queued_at", "ended_at"):
            assert getattr(again, name) == getattr(self.view, name), name

    def _assert_counts(self, view: RunView) -> None:
        fresh = self._reread()
        assert {t: c for t, c in fresh.counts.items() if c.total} == {t: c for t, c in view.counts.items() if c.total}
        assert {t: i for t, i in fresh.waiting.items() if i} == {t: i for t, i in view.waiting.items() if i}
        assert (+fresh.open, fresh.unfinished) == (+view.open, view.unfinished)
        assert fresh.by_attempt == view.by_attempt
        assert fresh.deciders == view.deciders
        assert fresh.missing == view.missing
        assert {t: by for t, by in fresh.by_task.items() if by} == {t: by for t, by in view.by_task.items() if by}

    def _reread(self) -> RunView:
        old = self.view
        fresh = RunView(1, "g", "r", old.graph, old.state, old.next_seq, version_id=old.version_id, graphs=old.graphs)
        fresh.held, fresh.verdict = old.held, old.verdict
        fresh.restore(list(old.tasks.values()))
        return fresh

    def _assert_nothing_left_behind(self) -> None:
        tasks = self.view.tasks
        for key, task in tasks.items():
            assert task.state not in ACTIVE_TASK_STATES or task.attempt_id in self.processes, f"{key} waits for nobody"
        for attempt, key in self.processes.items():
            is_current = key in tasks and tasks[key].attempt_id == attempt and tasks[key].state in ACTIVE_TASK_STATES
            is_wanted = is_current and tasks[key].state is not TaskState.RESTARTING
            assert is_wanted or attempt in self.cancelled, f"nobody has told the process of {key} to stop"
        for attempt, key in self.waits.items():
            assert key in tasks
            assert tasks[key].attempt_id == attempt, f"a wait of {key} is left over"
            assert tasks[key].state in (TaskState.DEFERRED, TaskState.AWAITING_INPUT), f"a wait of {key} is left over"
        timed = {TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE, TaskState.DEFERRED, TaskState.AWAITING_INPUT}
        for timer in self.timers.values():
            if timer.task_id is not None:
                assert tasks[timer.task_id, timer.map_index].state in timed, f"{timer.key} is left over"
        for key, task in tasks.items():
            is_timed = task.state in (TaskState.UP_FOR_RETRY, TaskState.UP_FOR_RESCHEDULE)
            found = [t for t in self.timers.values() if (t.task_id, t.map_index) == key]
            assert not is_timed or len(found) == 1, f"nothing wakes {key}"
        if self.view.state in FINAL_RUN_STATES and not self.view.missing:
            assert all(task.state in FINAL_TASK_STATES for task in tasks.values()), self.states()
        if self.view.state is RunState.RUNNING:
            assert self.view.unfinished, "it has nothing left to do, and runs"

    def _assert_all_is_decided(self) -> None:
        """Whoever takes the run over, and looks at all of it, finds nothing to do."""
        if self.view.state is not RunState.RUNNING:
            return
        copies = [type(task)(**{name: getattr(task, name) for name in task.__slots__}) for task in self._tasks()]
        other = self._reread()
        other = RunView(1, "g", "r", other.graph, other.state, other.next_seq, held=other.held, verdict=other.verdict)
        other.restore(copies)
        planner = RunPlanner(other, self.version.spec, self.now, self._policy)
        planner.judge_everything()
        planner.finish()
        left = list(planner.plan.events)
        assert not left, f"left undecided: {left} in {self.states()}"
        scheduled = {key for key, task in self.view.tasks.items() if task.state is TaskState.SCHEDULED}
        held = {key for key in scheduled if self.view.is_held(self.view.tasks[key])}
        assert scheduled - held <= set(self.ready), "admission was not told"

    def _tasks(self) -> Sequence[Any]:
        return list(self.view.tasks.values())

    def _assert_held_is_kept(self) -> None:
        """Nothing starts while it is held."""
        held_run, held_tasks = False, set[TaskKey]()
        for event, _ in self.log:
            if event.task_id is None:
                kind = str(event.kind)
                if kind == "run_held":
                    held_run = True
                elif kind in ("run_released", "run_succeeded", "run_failed", "run_marked_success", "run_marked_failed"):
                    held_run = False
                continue
            key = (event.task_id, event.map_index)
            if event.kind is TaskEvent.HELD:
                held_tasks.add(key)
            elif event.kind is TaskEvent.RELEASED:
                held_tasks.discard(key)
            elif event.kind in _STARTS:
                assert not held_run, f"{key} was started in a run that was held"
                assert key not in held_tasks, f"{key} was started while it was held"
