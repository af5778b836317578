"""How is one task of a run explained without reading the whole run? A view of a part, with the counts of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from scheduler.versions import Version
from tradewind.metadata.instance_groups import count_instances, read_deciders, read_instances, sample_instances
from tradewind.metadata.runs import RunRecord, load_view
from tradewind.model.events import NO_MAP
from tradewind.model.states import FINAL_TASK_STATES, TaskState
from tradewind.run.graph import DagGraph
from tradewind.run.view import RunView, TaskKey, UpstreamCounts

SAMPLE: Final = 4
"""How many instances of each task in each state are read: as many as a sentence names, and one more."""


@dataclass(frozen=True, slots=True)
class PartOfRun:
    """A run of which some instances were read.

    Attributes:
        view: judges as the whole run would: what it counts is counted in the metadata DB.
        counts: the instances of the whole run, by task and state.
        unseen: of these, those that were not read.
    """

    view: RunView
    counts: Mapping[tuple[str, TaskState], int]
    unseen: Mapping[tuple[str, TaskState], int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def size(self, task_id: str) -> int:
        """Return how many instances a task has."""
        return sum(n for (one, _), n in self.counts.items() if one == task_id)


def load_part(tx: Connection, run: RunRecord, version: Version, keys: Collection[TaskKey]) -> PartOfRun:
    """Return as much of a run as is needed to say why these instances are as they are."""
    graph = version.graph
    wanted = set(keys) | {
        (up, index) for task_id, i in keys for up in graph.inner_upstream.get(task_id, ()) for index in (i, NO_MAP)
    }
    near = {task_id for task_id, _ in keys if task_id in graph.tasks}
    around = near.union(*(_looked_at(graph, task_id) for task_id in near))
    tasks = {task.key: task for task in sample_instances(tx, run.pk, each=SAMPLE, task_ids=around)}
    tasks |= {task.key: task for task in read_instances(tx, run.pk, wanted - tasks.keys())}
    above = sorted({up for task_id in near for up in graph.upstream[task_id]})
    tasks |= {task.key: task for task in read_deciders(tx, run.pk, above, near)}
    view = load_view(tx, run, graph, list(tasks.values()))
    counts = count_instances(tx, run.pk)
    _count(view, counts)
    seen = Counter((task.task_id, task.state) for task in tasks.values())
    return PartOfRun(view, counts, {group: n - seen[group] for group, n in counts.items() if n > seen[group]})


def _looked_at(graph: DagGraph, task_id: str) -> set[str]:
    """Return the tasks that decide about another."""
    scope = graph.scopes.get(task_id)
    sources = () if scope is None else graph.sources[scope]
    return {*graph.upstream[task_id], *graph.required.get(task_id, ()), *sources}


def _count(view: RunView, counts: Mapping[tuple[str, TaskState], int]) -> None:
    """Let a view of a part count what the whole run has."""
    view.open = Counter()
    view.counts = {}
    for (task_id, state), n in counts.items():
        view.open[task_id] += n * (state not in FINAL_TASK_STATES)
        for successor in view.graph.outer_downstream.get(task_id, ()):
            upstream = view.counts.setdefault(successor, UpstreamCounts())
            upstream.total += n
            upstream.add(state, n)
    view.unfinished = view.open.total()
    known = {task_id for task_id, _ in counts}
    view.missing = frozenset(view.graph.tasks.keys() - known) if known else frozenset()
