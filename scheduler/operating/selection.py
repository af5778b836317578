"""Which instances of a run does a selection mean? Pure, and the same for the dry run and for what is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tradewind.model.commands import Selection
from tradewind.model.events import NO_MAP
from tradewind.model.spec import OutputLength
from tradewind.run.graph import DagGraph
from tradewind.run.view import RunView, TaskKey

_ALL: Final = None
"""In place of map indexes: whatever indexes a task has."""
Indexes = frozenset[int] | None


def select(run: RunView, selection: Selection, *, with_setups: bool = True) -> list[TaskKey]:
    """Return the instances that ``selection`` means, in the order in which they can run.

    Tasks that the run does not have are passed over.

    Args:
        with_setups: setups and teardowns come along with the tasks that stand in their scope, whatever their own
            state: what is done again needs its surroundings anew.
    """
    chosen = _chosen(run, selection)
    keys = {key for key in _keys(run, chosen) if not selection.states or run.tasks[key].state in selection.states}
    if with_setups:
        keys |= _surroundings(run, keys)
    return [
        (task_id, map_index)
        for task_id in _ordered(run)
        for map_index in sorted(run.by_task.get(task_id, ()))
        if (task_id, map_index) in keys
    ]


def _ordered(run: RunView) -> list[str]:
    return [*run.graph.tasks, *sorted(task_id for task_id in run.by_task if task_id not in run.graph.tasks)]


def _chosen(run: RunView, selection: Selection) -> dict[str, Indexes]:
    meant: dict[str, Indexes] = {}
    for task_id in run.by_task if selection.task_ids is None else selection.task_ids:
        indexes = selection.map_indexes.get(task_id)
        meant[task_id] = _ALL if indexes is None else frozenset(indexes)
    if selection.starting_from:
        keys = [key for key in _keys(run, meant) if run.tasks[key].state in selection.starting_from]
        meant = {task_id: _indexes_of(run, task_id, keys) for task_id in dict.fromkeys(task_id for task_id, _ in keys)}
    # Of an index, or a task, that this run does not have, nothing stands above or below.
    there = {task_id for task_id, _ in _keys(run, meant)}
    meant = {task_id: indexes for task_id, indexes in meant.items() if task_id in run.graph.tasks and task_id in there}
    found = dict(meant)
    if selection.upstream:
        _spread(run, meant, found, is_down=False)
    if selection.downstream:
        _spread(run, meant, found, is_down=True)
    return found


def _indexes_of(run: RunView, task_id: str, keys: Sequence[TaskKey]) -> Indexes:
    indexes = frozenset(map_index for one, map_index in keys if one == task_id)
    return _ALL if indexes == run.by_task[task_id].keys() else indexes


def _keys(run: RunView, chosen: dict[str, Indexes]) -> Iterator[TaskKey]:
    for task_id, indexes in chosen.items():
        for map_index in run.by_task.get(task_id, ()):
            if (indexes is _ALL or map_index in indexes) and run.graph.has_place(task_id, map_index):
                yield task_id, map_index


def _spread(run: RunView, meant: dict[str, Indexes], found: dict[str, Indexes], *, is_down: bool) -> None:
    """Add all that stands below (or above) the tasks meant. An edge from index to index keeps the indexes."""
    neighbours = run.graph.downstream if is_down else run.graph.upstream
    reached = dict(meant)
    todo = list(meant)
    while todo:
        task_id = todo.pop()
        for neighbour in neighbours[task_id]:
            upper, lower = (task_id, neighbour) if is_down else (neighbour, task_id)
            is_unexpanded = NO_MAP in run.by_task.get(neighbour, ())
            indexes = reached[task_id] if not is_unexpanded and goes_by_index(run, upper, lower) else _ALL
            known = reached.get(neighbour, frozenset())
            both = _ALL if known is _ALL or indexes is _ALL else known | indexes
            if neighbour not in reached or both != known:
                reached[neighbour] = both
                todo.append(neighbour)
    for task_id, indexes in reached.items():
        known = found.get(task_id, frozenset())
        found[task_id] = _ALL if known is _ALL or indexes is _ALL else known | indexes


def goes_by_index(run: RunView, upstream: str, downstream: str) -> bool:
    """Return whether an index of ``downstream`` depends on the same index of ``upstream`` and on no other.

    So it is inside a mapped group, and for a task that is mapped over the output of a mapped one, as long as they have
    the same indexes.
    """
    graph: DagGraph = run.graph
    if graph.is_inner(upstream, downstream):
        return True
    scope = graph.scopes.get(downstream)
    mapping = None if scope is None else graph.mappings[scope]
    if mapping is None or mapping.lengths != (OutputLength(upstream),) or upstream not in graph.scopes:
        return False
    above, below = run.by_task.get(upstream, {}), run.by_task.get(downstream, {})
    return NO_MAP not in above and above.keys() == below.keys()


def _surroundings(run: RunView, keys: set[TaskKey]) -> set[TaskKey]:
    """Return the setups that tasks need, the teardowns of these, and the teardowns of setups that are chosen."""
    graph = run.graph
    added: set[TaskKey] = set()
    for task_id, map_index in keys:
        if task_id not in graph.tasks or graph.tasks[task_id].is_teardown:
            continue
        setups = (task_id,) if graph.tasks[task_id].is_setup else graph.required.get(task_id, ())
        torn = [t for setup in setups for t in graph.downstream[setup] if graph.tasks[t].is_teardown]
        for one in (*setups, *torn):
            is_near = graph.scopes.get(one) is not None and graph.scopes.get(one) == graph.scopes.get(task_id)
            there = [i for i in run.by_task.get(one, ()) if graph.has_place(one, i)]
            added |= {(one, i) for i in there if not is_near or i in (map_index, NO_MAP)}
    return added
