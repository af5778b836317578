"""Which laws does the planner keep, over generated graphs, outcomes and orders of completion?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler.plan import Policy
from scheduler.planner import RunPlanner
from scheduler.trigger_rules import RULES
from tests.engine.world import dag, task
from tradewind.model.events import Event
from tradewind.model.orders import AttemptEnded, AttemptStarted, Outcome
from tradewind.model.spec import DagSpec
from tradewind.model.states import FINAL_TASK_STATES, TaskEvent, TaskState
from tradewind.run.graph import DagGraph
from tradewind.run.view import RunView, TaskKey

NOW = datetime(2026, 3, 1, tzinfo=UTC)

outcomes = st.sampled_from([Outcome.SUCCESS, Outcome.FAILED, Outcome.SKIPPED])


@st.composite
def graphs(draw: st.DrawFn, rules: tuple[str, ...] = tuple(sorted(RULES)), most: int = 8) -> DagSpec:
    """DAGs with edges from lower to higher numbers, any rule, some retries, some tasks that need no process."""
    size = draw(st.integers(1, most))
    tasks = []
    for number in range(size):
        upstream = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        tasks.append(
            task(
                f"t{number}",
                *[f"t{u}" for u in upstream],
                trigger_rule=draw(st.sampled_from(rules)),
                retries=draw(st.integers(0, 2)),
                retry_delay_seconds=draw(st.sampled_from([0, 60])),
                needs_process=draw(st.booleans()),
            )
        )
    return dag("g", *tasks)


class Simulation:
    """Runs a DAG in memory: completions come in the order that ``pick`` says."""

    def __init__(
        self, spec: DagSpec, pick: Callable[[list[TaskKey]], TaskKey], outcome: Callable[[str], Outcome]
    ) -> None:
        self.spec = spec
        self.view = RunView(1, "g", "r", DagGraph(spec), next_seq=2)
        self.events: list[Event] = []
        self._pick, self._outcome = pick, outcome
        self._ready: list[TaskKey] = []
        self._now = NOW

    def run(self) -> None:
        self._step(lambda planner: planner.start(NOW))
        steps = 0
        while self._ready or self._waiting():
            steps += 1
            assert steps < 1000, "the run does not end"
            for key in self._waiting():
                self._now += timedelta(hours=1)
                self._step(lambda planner, key=key: planner.retry_due(key))  # type: ignore[misc]
            if self._ready:
                key = self._pick(self._ready)
                self._ready.remove(key)
                self._complete(key)

    def _complete(self, key: TaskKey) -> None:
        self._assert_rule_holds(key)
        self._step(lambda planner: planner.queue(key))
        task_view = self.view.tasks[key]
        assert task_view.attempt_id is not None
        started = AttemptStarted(task_view.attempt_id, 1, 1, self._now)
        ended = AttemptEnded(task_view.attempt_id, 1, 1, self._outcome(key[0]), self._now, started_at=self._now)
        self._step(lambda planner: planner.attempt_started(started))
        self._step(lambda planner: planner.attempt_ended(ended))
        before = len(self.events)
        self._step(lambda planner: planner.attempt_ended(ended))  # said twice is said once
        assert len(self.events) == before

    def _assert_rule_holds(self, key: TaskKey) -> None:
        spec = self.view.graph.tasks[key[0]]
        ups = [self.view.tasks[u, -1].state for u in self.view.graph.upstream[key[0]]]
        if spec.trigger_rule == "all_success":
            assert all(state is TaskState.SUCCESS for state in ups)
        if spec.trigger_rule in ("all_done", "none_failed", "none_skipped"):
            assert all(state in FINAL_TASK_STATES for state in ups)

    def _step(self, act: Callable[[RunPlanner], object]) -> None:
        planner = RunPlanner(self.view, self.spec, self._now, Policy())
        act(planner)
        planner.finish()
        self.events.extend(planner.plan.events)
        self._ready.extend(planner.plan.ready)

    def _waiting(self) -> list[TaskKey]:
        return [key for key, t in self.view.tasks.items() if t.state is TaskState.UP_FOR_RETRY]

    def states(self) -> dict[str, TaskState]:
        return {task_view.task_id: task_view.state for task_view in self.view.tasks.values()}


@given(graphs(), st.data())
def test_every_run_ends_and_every_task_with_it(spec: DagSpec, data: st.DataObject) -> None:
    simulation = Simulation(spec, lambda ready: data.draw(st.sampled_from(ready)), lambda _t: data.draw(outcomes))
    simulation.run()

    assert simulation.view.ended_at is not None
    assert all(state in FINAL_TASK_STATES for state in simulation.states().values())
    assert simulation.view.unfinished == 0


@given(graphs(), st.data())
def test_folding_the_log_again_gives_the_same_run(spec: DagSpec, data: st.DataObject) -> None:
    simulation = Simulation(spec, lambda ready: data.draw(st.sampled_from(ready)), lambda _t: data.draw(outcomes))
    # All at one instant: the instants of events are stored beside them, not in them.
    simulation.run()
    again = RunView(1, "g", "r", DagGraph(spec), next_seq=2)
    for event in simulation.events:
        again.apply(event, NOW)

    assert {k: (t.state, t.try_number, t.failures) for k, t in again.tasks.items()} == {
        k: (t.state, t.try_number, t.failures) for k, t in simulation.view.tasks.items()
    }
    assert again.counts == simulation.view.counts
    assert (again.state, again.next_seq) == (simulation.view.state, simulation.view.next_seq)


@given(graphs(rules=("all_done", "none_failed", "always", "none_failed_min_one_success")), st.data())
def test_the_order_of_completions_changes_no_final_state_where_rules_are_order_free(
    spec: DagSpec, data: st.DataObject
) -> None:
    fate = {t.task_id: data.draw(outcomes) for t in spec.tasks}
    first = Simulation(spec, lambda ready: data.draw(st.sampled_from(ready)), fate.__getitem__)
    second = Simulation(spec, lambda ready: data.draw(st.sampled_from(ready)), fate.__getitem__)
    first.run()
    second.run()

    assert first.states() == second.states()


@given(graphs(), st.data())
def test_no_task_starts_more_often_than_its_tries_allow(spec: DagSpec, data: st.DataObject) -> None:
    simulation = Simulation(spec, lambda ready: data.draw(st.sampled_from(ready)), lambda _t: data.draw(outcomes))
    simulation.run()

    for t in spec.tasks:
        starts = [e.try_number for e in simulation.events if e.kind == TaskEvent.QUEUED and e.task_id == t.task_id]
        assert starts == list(range(1, len(starts) + 1))
        assert len(starts) <= t.retries + 1


@given(graphs())
def test_counts_are_what_counting_gives(spec: DagSpec) -> None:
    simulation = Simulation(spec, lambda ready: ready[0], lambda _t: Outcome.SUCCESS)
    simulation.run()

    for task_id, kept in simulation.view.counts.items():
        states = [simulation.view.tasks[u, -1].state for u in simulation.view.graph.upstream[task_id]]
        assert kept.total == len(states)
        assert kept.success == states.count(TaskState.SUCCESS)
        assert kept.skipped == states.count(TaskState.SKIPPED)
        assert kept.upstream_failed == states.count(TaskState.UPSTREAM_FAILED)


def test_a_word_about_an_older_attempt_changes_nothing() -> None:
    spec = dag("g", task("a", retries=1, retry_delay_seconds=0))
    simulation = Simulation(spec, lambda ready: ready[0], lambda _t: Outcome.FAILED)
    simulation._step(lambda planner: planner.start(NOW))
    simulation._step(lambda planner: planner.queue(("a", -1)))
    first = simulation.view.tasks["a", -1].attempt_id
    assert first is not None
    simulation._step(lambda p: p.attempt_ended(AttemptEnded(first, 1, 1, Outcome.FAILED, NOW, started_at=NOW)))
    simulation._step(lambda planner: planner.queue(("a", -1)))
    before = len(simulation.events)

    simulation._step(lambda p: p.attempt_ended(AttemptEnded(first, 1, 1, Outcome.SUCCESS, NOW, started_at=NOW)))

    assert len(simulation.events) == before
    assert simulation.view.tasks["a", -1].state is TaskState.QUEUED


def test_fail_fast_ends_what_runs_and_skips_what_waits() -> None:
    spec = dag("g", task("a"), task("b"), task("c", "b"), fail_fast=True)
    simulation = Simulation(spec, lambda ready: ready[0], lambda _t: Outcome.FAILED)
    simulation._step(lambda planner: planner.start(NOW))
    for key in (("a", -1), ("b", -1)):
        simulation._step(lambda planner, key=key: planner.queue(key))  # type: ignore[misc]
    failed = simulation.view.tasks["a", -1].attempt_id
    assert failed is not None
    simulation._step(lambda p: p.attempt_ended(AttemptEnded(failed, 1, 1, Outcome.FAILED, NOW, started_at=NOW)))

    assert simulation.states() == {"a": "failed", "b": "failed", "c": "skipped"}
