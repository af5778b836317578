"""Does the planner expand, judge and skip as the documented rules say? Against a slow and obvious reference.

The reference knows no counts, no events and no order: it is asked about one instance, walks all instances above it, and
applies the rule as the documentation words it. Every decision of the planner must be what it says at that moment, and
after each step nothing may be left undecided that it has an answer for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import prod

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.plan import Policy
from scheduler.planner import RunPlanner
from scheduler.trigger_rules import RULES
from tests.engine.world import dag, task
from tradewind.model.events import Event
from tradewind.model.orders import Aftermath, AttemptEnded, AttemptStarted, Outcome
from tradewind.model.spec import (
    ConcatLength,
    DagSpec,
    FixedLength,
    GroupSpec,
    Length,
    MappingSpec,
    OutputLength,
    TaskSpec,
    ZipLength,
)
from tradewind.model.states import FINAL_TASK_STATES, TaskEvent, TaskState
from tradewind.run.graph import DagGraph
from tradewind.run.view import RunView, TaskKey

NOW = datetime(2026, 3, 1, tzinfo=UTC)
S, F, U, K = TaskState.SUCCESS, TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.SKIPPED
RUN, WAIT, EXPAND = "run", "wait", "expand"


class Reference:
    """The states of all instances, and the documented rules in the slowest words."""

    def __init__(self, spec: DagSpec) -> None:
        self.spec = {t.task_id: t for t in spec.tasks}
        self.groups = {g.group_id: g for g in spec.groups}
        self.states: dict[TaskKey, TaskState] = {(t.task_id, -1): TaskState.NONE for t in spec.tasks}
        self.lengths: dict[TaskKey, int | None] = {}

    def scope(self, task_id: str) -> tuple[str, MappingSpec] | None:
        spec = self.spec[task_id]
        if spec.mapping is not None:
            return task_id, spec.mapping
        group = self.groups.get(spec.group_id or "")
        return (group.group_id, group.mapping) if group is not None and group.mapping is not None else None

    def indexes(self, task_id: str) -> list[int]:
        return sorted(i for t, i in self.states if t == task_id)

    def above(self, key: TaskKey) -> Iterator[TaskKey]:
        task_id, map_index = key
        for upstream in self.spec[task_id].upstream:
            inner = self.scope(upstream) is not None and self.scope(upstream) == self.scope(task_id)
            indexes = self.indexes(upstream)
            if inner and map_index in indexes:
                yield upstream, map_index
            elif inner:
                yield from ((upstream, i) for i in indexes if i == -1)
            else:
                yield from ((upstream, i) for i in indexes)

    def begun_inside(self, key: TaskKey) -> int:
        """How many tasks above an instance, in its group, are expanded while it is not: they are not done."""
        task_id, map_index = key
        return sum((up, -1) not in self.states for up in self.inner(task_id)) if map_index == -1 else 0

    def inner(self, task_id: str) -> list[str]:
        """What stands above a task in the group with which it is expanded."""
        scope = self.scope(task_id)
        return [up for up in self.spec[task_id].upstream if scope is not None and self.scope(up) == scope]

    def size(self, length: Length) -> int:
        match length:
            case FixedLength():
                return length.length
            case OutputLength():
                if self.indexes(length.task_id) == [-1]:
                    return self.lengths.get((length.task_id, -1)) or 0
                return len([i for i in self.indexes(length.task_id) if self.lengths.get((length.task_id, i))])
            case ConcatLength():
                return sum(map(self.size, length.parts))
            case _:
                return (max if length.fills_gaps else min)(map(self.size, length.parts))

    def sources(self, length: Length) -> set[str]:
        if isinstance(length, OutputLength):
            return {length.task_id}
        return set() if isinstance(length, FixedLength) else set().union(*map(self.sources, length.parts))

    def verdict(self, key: TaskKey) -> str:
        """What is to become of an instance in state none."""
        task_id, map_index = key
        scope = self.scope(task_id)
        if scope is None or map_index >= 0:
            return self.rule(key)
        if len(self.indexes(task_id)) > 1:
            return EXPAND  # has begun, and goes on
        if all(isinstance(length, FixedLength) and length.length for length in scope[1].lengths):
            return EXPAND  # what stands in the file is expanded when the run starts
        sources = set().union(*map(self.sources, scope[1].lengths))
        above = {s: [self.states[s, i] for i in self.indexes(s)] for s in sources}
        plain = [above[s][0] for s in sources if self.indexes(s) == [-1]]
        if F in plain or U in plain:
            return U
        if K in plain:
            return K
        rule = self.rule(key)
        if rule in (U, K):
            return rule
        if self.begun_inside(key):
            return EXPAND  # what stands above it in its group has just been expanded
        if rule == RUN and all(state in FINAL_TASK_STATES for states in above.values() for state in states):
            if any((self.scope(s) or (s,))[0] != s and self.indexes(s) != [-1] for s in sources):
                return U  # each index of a group has values of its own
            if any(self.scope(s) and self.scope(s)[0] != s and self.indexes(s) != [-1] for s in sources):  # type: ignore[index]
                return U  # it stands in a mapped group: its indexes have values of their own
            return EXPAND if prod(map(self.size, scope[1].lengths)) else K
        return WAIT

    def rule(self, key: TaskKey) -> str:
        states = [self.states[up] for up in self.above(key)] + [TaskState.NONE] * self.begun_inside(key)
        if not states:
            return RUN
        done = all(state in FINAL_TASK_STATES for state in states)
        bad, good, skipped = (F in states or U in states), S in states, K in states
        when_done: Callable[[str], str] = lambda verdict: verdict if done else WAIT  # noqa: E731
        match self.spec[key[0]].trigger_rule:
            case "all_success":
                return U if bad else K if skipped else when_done(RUN)
            case "all_failed":
                return K if good or skipped else when_done(RUN)
            case "all_done":
                return when_done(RUN)
            case "all_done_min_one_success":
                return K if skipped else when_done(RUN if good else U)
            case "all_done_setup_success":
                return when_done(RUN)  # no setups here
            case "one_success":
                return RUN if good else when_done(U if bad else K)
            case "one_failed":
                return RUN if bad else when_done(K)
            case "one_done":
                return RUN if good or F in states else when_done(K)
            case "none_failed":
                return U if bad else when_done(RUN)
            case "none_failed_min_one_success":
                return U if bad else when_done(RUN if good else K)
            case "none_skipped":
                return K if skipped else when_done(RUN)
            case "all_skipped":
                return K if good or bad else when_done(RUN)
            case _:
                return RUN

    def see(self, event: Event) -> None:
        """Take over what the planner decided, after asking whether it may."""
        if event.task_id is None:
            return
        key = (event.task_id, event.map_index)
        said = {
            TaskEvent.SCHEDULED: RUN, TaskEvent.PASSED: RUN, TaskEvent.SKIPPED: K, TaskEvent.UPSTREAM_FAILED: U,
            TaskEvent.EXPANDED: EXPAND,
        }.get(TaskEvent(event.kind))  # fmt: skip
        if said is not None and self.states[key] is TaskState.NONE and "decided" not in event.payload.get("reason", ""):
            expected = self.verdict(key)
            comes_along = said in (EXPAND, K) and expected == WAIT and self.is_below_expanded(key)
            assert said == expected or comes_along, f"{key} {event.kind}, and the rules say {expected}"
        match event.kind:
            case TaskEvent.EXPANDED:
                first, count = event.payload["first"], event.payload["count"]
                self.states |= {(event.task_id, i): TaskState.NONE for i in range(first, first + count)}
                if event.payload["is_last"]:
                    del self.states[key]
            case TaskEvent.SCHEDULED:
                self.states[key] = TaskState.SCHEDULED
            case TaskEvent.PASSED | TaskEvent.SUCCEEDED:
                self.states[key] = S
                self.lengths[key] = event.payload.get("length")
            case TaskEvent.SKIPPED | TaskEvent.SKIPPED_ITSELF:
                self.states[key] = K
            case TaskEvent.UPSTREAM_FAILED:
                self.states[key] = U
            case TaskEvent.FAILED:
                self.states[key] = F

    def is_below_expanded(self, key: TaskKey) -> bool:
        """Whether something above it in its group has just been expanded, or found to have nothing to map over."""
        scope = self.scope(key[0])
        return (
            bool(self.inner(key[0]))
            and scope is not None
            and not any(
                self.states.get((s, i)) not in FINAL_TASK_STATES
                for s in set().union(*map(self.sources, scope[1].lengths))
                for i in self.indexes(s)
            )
        )

    def assert_all_is_decided(self) -> None:
        for key, state in self.states.items():
            if state is TaskState.NONE:
                verdict = self.verdict(key)
                assert verdict == WAIT, f"{key} is left alone, and the rules say {verdict}"


@st.composite
def lengths(draw: st.DrawFn, sources: list[str]) -> Length:
    kinds = ["fixed", "output", "zip", "concat"] if sources else ["fixed"]
    match draw(st.sampled_from(kinds)):
        case "fixed":
            return FixedLength(draw(st.integers(0, 3)))
        case "output":
            return OutputLength(draw(st.sampled_from(sources)))
        case "zip":
            parts = (OutputLength(draw(st.sampled_from(sources))), FixedLength(draw(st.integers(1, 3))))
            return ZipLength(parts, draw(st.booleans()))
        case _:
            return ConcatLength((OutputLength(draw(st.sampled_from(sources))), FixedLength(draw(st.integers(0, 2)))))


def sources_of(mapping: MappingSpec) -> set[str]:
    found: set[str] = set()
    for length in mapping.lengths:
        parts = length.parts if isinstance(length, ZipLength | ConcatLength) else (length,)
        found |= {part.task_id for part in parts if isinstance(part, OutputLength)}
    return found


@st.composite
def mapped_dags(draw: st.DrawFn) -> DagSpec:
    """Plain tasks, mapped tasks and mapped groups of up to three tasks, with edges from lower to higher numbers."""
    rules = st.sampled_from(sorted(set(RULES) - {"all_done_setup_success"}))
    tasks: list[TaskSpec] = []
    groups: list[GroupSpec] = []
    for number in range(draw(st.integers(2, 5))):
        known = [t.task_id for t in tasks]
        upstream = draw(st.sets(st.sampled_from(known), max_size=2)) if known else set()
        kind = draw(st.sampled_from(["plain", "plain", "mapped", "group"]))
        if kind == "plain":
            process = draw(st.booleans())
            tasks.append(task(f"t{number}", *upstream, trigger_rule=draw(rules), needs_process=process))
            continue
        mapping = MappingSpec(tuple(draw(st.lists(lengths(known), min_size=1, max_size=2))))
        if kind == "mapped":
            upstream |= sources_of(mapping)
            tasks.append(task(f"t{number}", *upstream, trigger_rule=draw(rules), mapping=mapping))
            continue
        groups.append(GroupSpec(f"g{number}", mapping=mapping))
        inside: list[str] = []
        for letter in "abc"[: draw(st.integers(1, 3))]:
            inner = draw(st.sets(st.sampled_from(inside), max_size=2)) if inside else set()
            outer = draw(st.sets(st.sampled_from(known), max_size=1)) if known else set()
            above = inner | outer | (set() if inner else sources_of(mapping))
            name = f"g{number}{letter}"
            tasks.append(task(name, *above, trigger_rule=draw(rules), group_id=f"g{number}"))
            inside.append(name)
    return dag("g", *tasks, groups=tuple(groups))


class Simulation:
    """Drives the planner: completions in a drawn order, with drawn outcomes, lengths and skip lists."""

    def __init__(self, spec: DagSpec, data: st.DataObject, at_once: int) -> None:
        self.spec, self.data = spec, data
        self.view = RunView(1, "g", "r", DagGraph(spec), next_seq=2)
        self.reference = Reference(spec)
        self.events: list[Event] = []
        self._ready: list[TaskKey] = []
        self._policy = Policy(expand_at_once=at_once)

    def run(self) -> None:
        self.step(lambda planner: planner.start(NOW))
        while self._ready:
            key = self.data.draw(st.sampled_from(self._ready))
            self._ready.remove(key)
            if self.view.tasks[key].state is TaskState.SCHEDULED:  # not skipped meanwhile
                self.complete(key)

    def complete(self, key: TaskKey) -> None:
        self.step(lambda planner: planner.queue(key))
        attempt = self.view.tasks[key].attempt_id
        assert attempt is not None
        outcome = self.data.draw(st.sampled_from([Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILED, Outcome.SKIPPED]))
        then = None
        if outcome is Outcome.SUCCESS:
            length = self.data.draw(st.sampled_from([0, 1, 2, 3] if key[1] == -1 else [1, 1, None]))
            below = sorted(self.view.graph.downstream[key[0]])
            skip = self.data.draw(st.sets(st.sampled_from(below), max_size=1)) if below and key[1] == -1 else set()
            then = Aftermath(length=length, skip=tuple(skip))
        started = AttemptStarted(attempt, 1, 1, NOW)
        self.step(lambda planner: planner.attempt_started(started))
        self.step(lambda planner: planner.attempt_ended(AttemptEnded(attempt, 1, 1, outcome, NOW, NOW, then=then)))

    def step(self, act: Callable[[RunPlanner], object]) -> None:
        while True:
            planner = RunPlanner(self.view, self.spec, NOW, self._policy)
            act(planner)
            planner.finish()
            for event in planner.plan.events:
                self.reference.see(event)
            self.events.extend(planner.plan.events)
            self._ready.extend(planner.plan.ready)
            if not planner.plan.has_more:
                break
            act = lambda _planner: None  # noqa: E731
        self.reference.assert_all_is_decided()


@settings(max_examples=200)
@given(mapped_dags(), st.data(), st.sampled_from([1, 2, 1000]))
def test_every_decision_is_what_the_documented_rules_say(spec: DagSpec, data: st.DataObject, at_once: int) -> None:
    simulation = Simulation(spec, data, at_once)
    simulation.run()

    view = simulation.view
    assert view.ended_at is not None
    assert {key: t.state for key, t in view.tasks.items()} == simulation.reference.states
    leaves = [t.state for leaf in view.graph.leaves for t in view.by_task[leaf].values()]
    assert view.state == ("failed" if F in leaves or U in leaves else "success")


@given(mapped_dags(), st.data(), st.sampled_from([1, 2, 1000]))
def test_folding_the_log_again_gives_the_same_run(spec: DagSpec, data: st.DataObject, at_once: int) -> None:
    simulation = Simulation(spec, data, at_once)
    simulation.run()
    again = RunView(1, "g", "r", DagGraph(spec), next_seq=2)
    for event in simulation.events:
        again.apply(event, NOW)

    view = simulation.view
    assert again.tasks == view.tasks
    assert {t: c for t, c in again.counts.items() if c.total} == {t: c for t, c in view.counts.items() if c.total}
    assert (+again.open, again.unfinished) == (+view.open, 0)


@given(mapped_dags(), st.data())
def test_a_run_that_is_read_back_in_the_middle_goes_on_the_same(spec: DagSpec, data: st.DataObject) -> None:
    """What is stored is enough: throw the view away at every step, and restore it from its instances."""
    simulation = Simulation(spec, data, at_once=2)

    def reread(act: Callable[[RunPlanner], object]) -> None:
        Simulation.step(simulation, act)
        old = simulation.view
        fresh = RunView(1, "g", "r", old.graph, old.state, old.next_seq, started_at=old.started_at)
        fresh.ended_at = old.ended_at
        fresh.restore(list(old.tasks.values()))
        assert {t: i for t, i in fresh.waiting.items() if i} == {t: i for t, i in old.waiting.items() if i}
        simulation.view = fresh

    simulation.step = reread  # type: ignore[method-assign]
    simulation.run()
    assert simulation.view.ended_at is not None
