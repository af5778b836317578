"""Does a run stay whole, whatever people and processes do to it? Random histories of one run, without a metadata DB.

The laws stand in :class:`tests.engine.one_run.OneRun` and are checked after each step; here is what happens.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from scheduler.operating.selection import select
from scheduler.plan import Policy
from tests.engine.one_run import OneRun
from tests.engine.world import dag, task
from tradewind.model.commands import ClearTasks, Hold, MarkRun, MarkTasks, Release, Selection
from tradewind.model.orders import Outcome, Wait
from tradewind.model.spec import DagSpec, FixedLength, GroupSpec, MappingSpec, OutputLength, TaskSpec
from tradewind.model.states import FINAL_RUN_STATES, RunState, TaskState

RULES = (*("all_success",) * 5, "all_done", "none_failed_min_one_success", "one_success", "one_failed", "none_skipped")
MARKS = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED)
HISTORIES = int(os.environ.get("CHAOS_SEEDS", "1"))
"""How many times as many histories ``make chaos`` plays."""


@st.composite
def dags(draw: st.DrawFn) -> DagSpec:
    """A small DAG with a little of everything. Names say nothing of kinds, so that two of them are two versions."""
    tasks: list[TaskSpec] = []
    groups: list[GroupSpec] = []
    for number in range(draw(st.integers(1, 5))):
        name = f"t{number}"
        known = [t.task_id for t in tasks]
        above = draw(st.sets(st.sampled_from(known), max_size=2)) if known else set()
        fields: dict[str, Any] = {
            "trigger_rule": draw(st.sampled_from(RULES)), "retries": draw(st.sampled_from([0, 0, 1])),
            "retry_delay_seconds": draw(st.sampled_from([0.0, 60.0])), "needs_process": draw(st.integers(0, 2)) > 0,
        }  # fmt: skip
        kind = draw(st.sampled_from(["plain", "plain", "mapped", "group", "setup", "teardown"]))
        if kind in ("mapped", "group"):
            sources = [t.task_id for t in tasks if t.group_id is None]
            source = draw(st.sampled_from(sources)) if sources else None
            mapping = MappingSpec((OutputLength(source) if source else FixedLength(draw(st.integers(1, 3))),))
            above |= {source} if source else set()
            if kind == "mapped":
                tasks.append(task(name, *above, mapping=mapping, **fields | {"needs_process": True}))
            else:
                groups.append(GroupSpec(f"g{number}", mapping=mapping))
                tasks.append(task(f"{name}a", *above, group_id=f"g{number}", **fields))
                tasks.append(task(name, f"{name}a", group_id=f"g{number}"))
            continue
        setups = [t.task_id for t in tasks if t.is_setup]
        if kind == "teardown" and setups:
            fields["trigger_rule"] = "all_done_setup_success"
            above |= {draw(st.sampled_from(setups))}
        is_teardown = kind == "teardown" and bool(setups)
        tasks.append(task(name, *above, is_setup=kind == "setup", is_teardown=is_teardown, **fields))
    at_failure = {"fail_fast": draw(st.integers(0, 5)) == 0, "run_retries": draw(st.sampled_from([0, 0, 0, 1]))}
    return dag("g", *tasks, groups=tuple(groups), run_retry_delay_seconds=0.0, **at_failure)


def told(spec: DagSpec) -> str:
    """What is not as usual in a DAG."""
    usual = dag("g").__class__("g", spec.timetable, ())
    fields = {n: getattr(spec, n) for n in spec.__struct_fields__ if getattr(spec, n) != getattr(usual, n)}
    tasks = [
        {n: getattr(one, n) for n in one.__struct_fields__ if getattr(one, n) != getattr(TaskSpec(""), n)}
        for one in fields.pop("tasks", ())
    ]
    return f"{tasks} {fields}"


class RunMachine(RuleBasedStateMachine):
    """One run of a random DAG that has two versions."""

    @initialize(first=dags(), second=dags(), at_once=st.sampled_from([1, 2, 1000]))
    def begin(self, first: DagSpec, second: DagSpec, at_once: int) -> None:
        self.one = OneRun(first, second, policy=Policy(expand_at_once=at_once))
        self.old: list[UUID] = []  # attempts that have ended
        self.one.start()
        note(f"{told(first)}, {at_once} at once; then {told(second)}")

    def draw_selection(self, data: st.DataObject) -> Selection:
        ids = sorted({*self.one.view.graph.tasks, *self.one.view.by_task, "unknown"})
        chosen = data.draw(st.none() | st.lists(st.sampled_from(ids), min_size=1, max_size=2, unique=True))
        some = data.draw(st.dictionaries(st.sampled_from(ids), st.tuples(st.integers(0, 2)), max_size=1))
        return Selection(
            None if chosen is None else tuple(chosen),
            some,
            upstream=data.draw(st.booleans()),
            downstream=data.draw(st.booleans()),
            states=data.draw(st.sampled_from([(), (), (), (TaskState.FAILED, TaskState.UPSTREAM_FAILED)])),
            starting_from=data.draw(st.sampled_from([(), (), (), (TaskState.FAILED,), (TaskState.RUNNING,)])),
        )

    # --- processes ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.one.view.state is RunState.QUEUED and self.one.view.held is None)
    @rule()
    def start(self) -> None:
        self.one.timers.pop("start:1", None)
        self.one.start()

    @precondition(lambda self: self.one.view.state is RunState.RUNNING and self.one.admissible())
    @rule(data=st.data(), is_told=st.booleans())
    def admit(self, data: st.DataObject, is_told: bool) -> None:
        attempt = self.one.admit(data.draw(st.sampled_from(self.one.admissible())))
        if is_told:
            self.one.started(attempt)

    @precondition(lambda self: self.one.processes)
    @rule(data=st.data(), length=st.sampled_from([0, 1, 2, 3, None]))
    def end(self, data: st.DataObject, length: int | None) -> None:
        self.end_one(data.draw(st.sampled_from(sorted(self.one.processes))), data, length)

    @precondition(lambda self: self.one.view.state is RunState.RUNNING and self.one.admissible())
    @rule(data=st.data(), most=st.integers(1, 3), length=st.sampled_from([0, 1, 2, 3, None]))
    def work(self, data: st.DataObject, most: int, length: int | None) -> None:
        """Some are started and end at once, so that histories get on."""
        for _ in range(most):
            if self.one.view.state is RunState.RUNNING and self.one.admissible():
                self.end_one(self.one.admit(data.draw(st.sampled_from(self.one.admissible()))), data, length)

    def end_one(self, attempt: UUID, data: st.DataObject, length: int | None) -> None:
        waits = [Outcome.DEFERRED, Outcome.RESCHEDULED]
        outcome = data.draw(st.sampled_from([Outcome.SUCCESS] * 3 + [Outcome.FAILED, *waits] + sorted(Outcome)))
        task_id, _ = self.one.processes[attempt]
        self.old.append(attempt)
        if outcome in (Outcome.DEFERRED, Outcome.AWAITING_INPUT):
            self.one.ended(attempt, outcome, wait=Wait("resume", timeout_seconds=data.draw(st.sampled_from([None, 9]))))
        elif outcome is Outcome.RESCHEDULED:
            self.one.ended(attempt, outcome, resume_at=self.one.now + timedelta(seconds=9))
        elif outcome is Outcome.SUCCESS:
            below = sorted(self.one.view.graph.downstream.get(task_id, ()))
            skip = data.draw(st.lists(st.sampled_from(below), max_size=1)) if below else []
            self.one.ended(attempt, outcome, length=length, skip=tuple(skip))
        else:
            self.one.ended(attempt, outcome)

    @precondition(lambda self: self.old)
    @rule(data=st.data(), outcome=st.sampled_from(sorted(Outcome)))
    def say_again(self, data: st.DataObject, outcome: Outcome) -> None:
        attempt = data.draw(st.sampled_from(self.old))
        before = self.one.states()
        self.one.started(attempt)
        self.one.ended(attempt, outcome)
        assert self.one.states() == before

    @precondition(lambda self: self.one.waits)
    @rule(data=st.data())
    def come(self, data: st.DataObject) -> None:
        self.one.wait_over(data.draw(st.sampled_from(sorted(self.one.waits))))

    @rule(seconds=st.sampled_from([1.0, 100.0]))
    def pass_time(self, seconds: float) -> None:
        self.one.pass_time(seconds)

    # --- people ------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), version=st.sampled_from([None, None, None, 1, 2]))
    def clear(self, data: st.DataObject, version: int | None) -> None:
        selection = self.draw_selection(data)
        foreseen = select(self.one.view, selection)
        before = {key: self.one.view.tasks[key].state for key in foreseen}
        mark = len(self.one.log)
        self.one.obey(ClearTasks(selection, version))
        if version is None:
            told = [(e.task_id, e.map_index) for e, _ in self.one.log[mark:] if str(e.kind) == "task_cleared"]
            untouched = (TaskState.NONE, TaskState.RESTARTING)
            expected = [key for key in foreseen if before[key] not in untouched]
            assert told[: len(expected)] == expected, "what is done is not what the dry run says"

    @rule(data=st.data(), state=st.sampled_from(MARKS))
    def mark(self, data: st.DataObject, state: TaskState) -> None:
        selection = self.draw_selection(data)
        meant = select(self.one.view, selection, with_setups=False)
        was = {key: self.one.view.tasks[key].state for key in meant}
        begin = len(self.one.log)
        self.one.obey(MarkTasks(selection, state))
        is_tried_again = any(str(event.kind) == "run_will_retry" for event, _ in self.one.log[begin:])
        for key in () if is_tried_again else meant:
            assert was[key] is TaskState.REMOVED or self.one.view.tasks[key].state is state, key

    @precondition(lambda self: self.one.view.tasks)
    @rule(state=st.sampled_from([RunState.SUCCESS, RunState.FAILED, RunState.QUEUED]))
    def mark_run(self, state: RunState) -> None:
        self.one.obey(MarkRun(state))

    @rule(data=st.data(), is_whole=st.booleans())
    def hold(self, data: st.DataObject, is_whole: bool) -> None:
        self.one.obey(Hold(None if is_whole else self.draw_selection(data), "me"))

    @rule(data=st.data(), is_whole=st.booleans())
    def release(self, data: st.DataObject, is_whole: bool) -> None:
        self.one.obey(Release(None if is_whole else self.draw_selection(data)))

    @rule()
    def cancel(self) -> None:
        self.one.do(lambda planner: planner.abort("cancelled"))

    # --- the end -----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        """When nobody holds anything any more and all goes well, the run ends; and once more, and it is a success."""
        if not hasattr(self, "one"):
            return
        self.one.obey(Release())
        self.one.obey(Release(Selection()))
        self.one.go_on()
        assert self.one.view.state in FINAL_RUN_STATES, self.one.states()
        tries = {key: task.try_number for key, task in self.one.view.tasks.items()}
        self.one.obey(ClearTasks(Selection()))
        self.one.obey(Release(Selection()))
        self.one.go_on()
        assert self.one.view.state is RunState.SUCCESS, (self.one.view.reason, self.one.states())
        assert all(self.one.view.tasks[key].try_number >= n for key, n in tries.items() if key in self.one.view.tasks)


pytestmark = pytest.mark.timeout(240 * HISTORIES)
RunMachine.TestCase.settings = settings(
    max_examples=120 * HISTORIES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRandomRuns = RunMachine.TestCase
