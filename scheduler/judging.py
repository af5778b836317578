"""What do the upstreams of a task say, and in which words? Pure questions to a run in memory."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from scheduler.trigger_rules import Upstream, Verdict, judge
from tradewind.model.events import NO_MAP
from tradewind.model.spec import ConcatLength, FixedLength, Length, MappingSpec, OutputLength
from tradewind.model.states import FINAL_TASK_STATES, TaskState
from tradewind.run.view import RunView, TaskView, UpstreamCounts

_NOTHING: Final[Mapping[tuple[str, TaskState], int]] = MappingProxyType({})
_BAD = (TaskState.FAILED, TaskState.UPSTREAM_FAILED, TaskState.REMOVED)


def upstream_of(run: RunView, task_id: str, map_index: int = NO_MAP) -> Upstream:
    """Return what the trigger rule of an instance looks at.

    Over an outer edge every index of the upstream counts, over an inner one only the instance of the same index.
    """
    counts = run.counts.get(task_id) or UpstreamCounts()
    inner = list(run.inner_upstream(task_id, map_index))
    if inner:
        counts = UpstreamCounts(**{name: getattr(counts, name) for name in UpstreamCounts.__slots__})
        for task in inner:
            counts.total += 1
            counts.add(task.state, 1)
    missing = sum(up in run.missing for up in run.graph.upstream[task_id]) if run.missing else 0
    if missing:  # an instance that does not exist never ends
        counts = UpstreamCounts(**{name: getattr(counts, name) for name in UpstreamCounts.__slots__})
        counts.total += missing
    setups = UpstreamCounts()
    setup_ids = run.graph.setups.get(task_id, ())
    if setup_ids:
        outer = [s for s in setup_ids if s not in run.graph.inner_upstream.get(task_id, ())]
        outer_setups = (task for setup in outer for task in run.by_task.get(setup, {}).values())
        for task in [*outer_setups, *(task for task in inner if task.task_id in setup_ids)]:
            setups.total += 1
            setups.add(task.state, 1)
    return Upstream(counts, setups)


def judge_setups(run: RunView, task_id: str, map_index: int = NO_MAP) -> Verdict:
    """Return what the setups say in whose scope a task stands: it runs when all have succeeded, whatever its rule."""
    verdict = Verdict.RUN
    for setup in run.graph.required.get(task_id, ()):
        instances = run.by_task.get(setup, {})
        if run.graph.scopes.get(setup) is not None and run.graph.scopes.get(setup) == run.graph.scopes.get(task_id):
            instances = {i: instances[i] for i in (map_index, NO_MAP) if i in instances}
        # One that is removed has no part in the run any more: its index is gone, or it is mapped no longer.
        states = {task.state for task in instances.values()} - {TaskState.REMOVED}
        if not states.isdisjoint(_BAD):
            return Verdict.UPSTREAM_FAILED
        if TaskState.SKIPPED in states:
            verdict = Verdict.SKIP
        elif states - {TaskState.SUCCESS} and verdict is Verdict.RUN:
            verdict = Verdict.WAIT
    return verdict


def judge_task(run: RunView, task_id: str, map_index: int = NO_MAP) -> Verdict:
    """Return what is to become of an instance in state none: its setups are asked first, then its trigger rule.

    Before both stands the word of a task directly above that has decided not to run it: it holds however often the
    instance is done again, until that task is.
    """
    if decider(run, task_id, map_index) is not None:
        return Verdict.SKIP
    by_setups = judge_setups(run, task_id, map_index)
    if by_setups is not Verdict.RUN:
        return by_setups
    return judge(run.graph.tasks[task_id].trigger_rule, upstream_of(run, task_id, map_index))


def decider(run: RunView, task_id: str, map_index: int = NO_MAP) -> str | None:
    """Return the task directly above an instance that has decided not to run it, or None."""
    if not run.deciders:
        return None
    for upstream in run.graph.upstream[task_id]:
        is_inner = run.graph.is_inner(upstream, task_id)
        for task in run.by_task.get(upstream, {}).values():
            if task.key not in run.deciders or (is_inner and task.map_index not in (map_index, NO_MAP)):
                continue
            if task_id in (task.decided_against or ()) and task.state is TaskState.SUCCESS:
                return upstream
    return None


def judge_sources(run: RunView, scope: str) -> tuple[Verdict, str]:
    """Return whether a scope can be expanded, given how its sources stand, with the reason when it never can.

    A source that is not expanded must succeed, whatever the trigger rule: there is nothing to map over otherwise. One
    that is expanded gives what its indexes left, and its failures are a matter of the trigger rule.
    """
    verdict, reason = Verdict.RUN, ""
    for source in run.graph.sources[scope]:
        task = run.by_task.get(source, {}).get(NO_MAP)
        if task is not None and task.state in _BAD:
            return Verdict.UPSTREAM_FAILED, f"{source!r}, over which it is mapped, is {task.state.value}"
        if task is not None and task.state is TaskState.SKIPPED:
            verdict, reason = Verdict.SKIP, f"{source!r}, over which it is mapped, is skipped"
        elif run.open[source] and verdict is Verdict.RUN:
            verdict = Verdict.WAIT
    return verdict, reason


def grouped_source(run: RunView, scope: str) -> str | None:
    """Return a source that stands in a mapped group without being mapped itself, or None.

    As in Airflow nothing can be mapped over its output: each of its indexes has values of its own.
    """
    indexes = (s for s in run.graph.sources[scope] if NO_MAP not in run.by_task.get(s, {}))
    return next((s for s in indexes if run.graph.scopes.get(s, s) != s), None)


def expansion_size(run: RunView, mapping: MappingSpec) -> int:
    """Return how many indexes a mapping has. Its sources have ended."""
    return math.prod(_size(run, length) for length in mapping.lengths)


def _size(run: RunView, length: Length) -> int:
    match length:
        case FixedLength():
            return length.length
        case OutputLength():
            instances = run.by_task.get(length.task_id, {})
            if NO_MAP in instances:
                return instances[NO_MAP].length or 0
            return sum(task.length is not None for task in instances.values())
        case ConcatLength():
            return sum(_size(run, part) for part in length.parts)
        case _:
            sizes = [_size(run, part) for part in length.parts]
            return max(sizes) if length.fills_gaps else min(sizes)


def verdict_reason(
    run: RunView, task_id: str, map_index: int = NO_MAP, unseen: Mapping[tuple[str, TaskState], int] = _NOTHING
) -> str:
    """Say which upstreams decide about a task, e.g. ``trigger rule 'all_success': 'extract' is failed``.

    Args:
        unseen: of a run of which only a part was read: how many instances there are besides, by task and state.
    """
    decided = decider(run, task_id, map_index)
    if decided is not None:
        return f"{decided!r} decided not to run it"
    if judge_setups(run, task_id, map_index) is not Verdict.RUN:
        return _setup_reason(run, task_id, map_index)
    rule = run.graph.tasks[task_id].trigger_rule
    inner = run.graph.inner_upstream.get(task_id, ())
    outer = [
        task
        for upstream in run.graph.upstream[task_id]
        if upstream not in inner
        for task in run.by_task.get(upstream, {}).values()
    ]
    missing = [up for up in run.graph.upstream[task_id] if up not in run.by_task]
    by_state: dict[TaskState, list[TaskView]] = {}
    for task in [*outer, *run.inner_upstream(task_id, map_index)]:
        by_state.setdefault(task.state, []).append(task)
    verdict = judge(rule, upstream_of(run, task_id, map_index))
    if verdict in (Verdict.SKIP, Verdict.UPSTREAM_FAILED):  # it is decided, whatever becomes of the others
        by_state = {state: tasks for state, tasks in by_state.items() if state in FINAL_TASK_STATES}
    if verdict is Verdict.UPSTREAM_FAILED and by_state.keys() - {TaskState.SUCCESS}:
        by_state.pop(TaskState.SUCCESS, None)
    interesting = sorted(by_state.items(), key=lambda item: (item[0] is TaskState.SUCCESS, item[0]))
    parts = []
    for state, tasks in interesting:
        more = sum(unseen.get((up, state), 0) for up in {task.task_id for task in tasks} if up not in inner)
        is_one = len(tasks) + more == 1
        parts.append(f"{names((_name(task) for task in tasks), more=more)} {'is' if is_one else 'are'} {_words(state)}")
    if missing:
        parts.append(f"{names(map(repr, missing))} {'is' if len(missing) == 1 else 'are'} not part of this run")
    return f"trigger rule {rule!r}: {'; '.join(parts)}"


def _setup_reason(run: RunView, task_id: str, map_index: int) -> str:
    """Say which setups decide, whatever the trigger rule: those that went wrong, or else those that are not done."""
    near = run.graph.scopes.get(task_id)
    by_state: dict[TaskState, list[TaskView]] = {}
    for setup in run.graph.required[task_id]:
        is_near = near is not None and run.graph.scopes.get(setup) == near
        for task in run.by_task.get(setup, {}).values():
            if task.state is not TaskState.SUCCESS and (not is_near or task.map_index in (map_index, NO_MAP)):
                by_state.setdefault(task.state, []).append(task)
    ended = {state: tasks for state, tasks in by_state.items() if state in FINAL_TASK_STATES}
    parts = [
        f"{names(map(_name, tasks))} {'is' if len(tasks) == 1 else 'are'} {_words(state)}"
        for state, tasks in sorted((ended or by_state).items())
    ]
    return f"it runs when its setups have succeeded: {'; '.join(parts)}"


def names(ids: Iterable[str], most: int = 3, more: int = 0) -> str:
    """Return some names, the first few of many; ``more`` are not among them."""
    shown = list(ids)
    text = ", ".join(shown[:most])
    left = more + max(0, len(shown) - most)
    return f"{text} and {left:,} more" if left else text


def _name(task: TaskView) -> str:
    return repr(task.task_id) if task.map_index == NO_MAP else f"{task.task_id!r}[{task.map_index}]"


def _words(state: TaskState) -> str:
    return "not finished" if state is TaskState.NONE else state.value
