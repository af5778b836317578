"""What follows what in a DAG version? Built once per version, shared by all of its runs, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import networkx as nx

from tradewind.model.events import NO_MAP
from tradewind.model.spec import (
    ConcatLength,
    DagSpec,
    GroupSpec,
    Length,
    MappingSpec,
    OutputLength,
    TaskSpec,
    ZipLength,
)


class DagGraph:
    """The tasks of one DAG version and their edges.

    Tasks that are expanded together form a *scope*: a mapped task alone, or all tasks of a mapped group. Edges inside a
    mapped group lead from an index to the same index (*inner*); all others concern every index (*outer*).

    Attributes:
        tasks: every task by id, in topological order (ties by id), so that walking it meets upstreams first.
        upstream, downstream: direct neighbours by id, sorted.
        outer_downstream, inner_downstream, inner_upstream: the same by kind of edge.
        setups: the direct upstreams that are setup tasks, for tasks that have any.
        required: for each task in the scope of setups, those setups: it runs when all of them have succeeded.
        requiring: the same the other way round.
        leaves: the tasks that decide the state of a run.
        scopes: the scope of each task that is expanded; its id is that of the task or of the group.
        mappings, members: over what a scope is expanded, and its tasks in topological order.
        sources: the tasks whose outputs say how many indexes a scope has.
        fed: the scopes that a task is a source of.
        past: the tasks that look at the run before.
        watched: the tasks that those of the run behind look at.
    """

    def __init__(self, spec: DagSpec) -> None:
        digraph: nx.DiGraph[str] = nx.DiGraph()
        digraph.add_nodes_from(task.task_id for task in spec.tasks)
        digraph.add_edges_from((up, task.task_id) for task in spec.tasks for up in task.upstream)
        by_id = {task.task_id: task for task in spec.tasks}
        self.digraph: Final = digraph
        self.tasks: Final[Mapping[str, TaskSpec]] = {
            task_id: by_id[task_id] for task_id in nx.lexicographical_topological_sort(digraph)
        }
        self.upstream: Final = {t: tuple(sorted(digraph.predecessors(t))) for t in self.tasks}
        self.downstream: Final = {t: tuple(sorted(digraph.successors(t))) for t in self.tasks}
        self.setups: Final = {
            t: ups for t in self.tasks if (ups := tuple(u for u in self.upstream[t] if by_id[u].is_setup))
        }
        self.required: Final = _required_setups(self)
        self.requiring: Final = {
            setup: tuple(t for t, setups in self.required.items() if setup in setups)
            for setup in {s for setups in self.required.values() for s in setups}
        }
        self.leaves: Final = _deciding_leaves(self)

        self.mappings: Final[dict[str, MappingSpec]] = {}
        self.scopes: Final[dict[str, str]] = {}
        groups = {group.group_id: group for group in spec.groups}
        for task in self.tasks.values():
            found = _scope_of(task, groups)
            if found is not None:
                self.scopes[task.task_id], self.mappings[found[0]] = found
        self.members: Final = {s: tuple(t for t in self.tasks if self.scopes.get(t) == s) for s in self.mappings}
        self.sources: Final = {s: _sources(mapping) for s, mapping in self.mappings.items()}
        self.fed: Final = {
            t: scopes for t in self.tasks if (scopes := tuple(s for s, found in self.sources.items() if t in found))
        }
        self.inner_upstream: Final = {
            t: ups for t in self.scopes if (ups := tuple(u for u in self.upstream[t] if self.is_inner(u, t)))
        }
        self.inner_downstream: Final = {
            t: downs for t in self.scopes if (downs := tuple(d for d in self.downstream[t] if self.is_inner(t, d)))
        }
        self.outer_downstream: Final = {
            t: tuple(d for d in self.downstream[t] if not self.is_inner(t, d)) if t in self.scopes else downs
            for t, downs in self.downstream.items()
        }
        self.past: Final = tuple(t for t, task in self.tasks.items() if task.depends_on_past)
        self.watched: Final = frozenset(self.past).union(
            *(self.downstream[t] for t in self.past if self.tasks[t].wait_for_downstream)
        )

    def has_place(self, task_id: str, map_index: int) -> bool:
        """Return whether there may be such an instance. In runs that changed their version, there are others."""
        return task_id in self.tasks and (map_index == NO_MAP or task_id in self.scopes)

    def is_inner(self, upstream: str, downstream: str) -> bool:
        """Return whether the edge between two neighbours leads from an index to the same index."""
        scope = self.scopes.get(upstream)
        return scope is not None and scope == self.scopes.get(downstream)


def _scope_of(task: TaskSpec, groups: Mapping[str, GroupSpec]) -> tuple[str, MappingSpec] | None:
    if task.mapping is not None:
        return task.task_id, task.mapping
    group = groups.get(task.group_id) if task.group_id is not None else None
    while group is not None:
        if group.mapping is not None:
            return group.group_id, group.mapping
        group = groups.get(group.parent_id) if group.parent_id is not None else None
    return None


def _sources(mapping: MappingSpec) -> tuple[str, ...]:
    return tuple(sorted({task_id for length in mapping.lengths for task_id in _outputs(length)}))


def _outputs(length: Length) -> Iterator[str]:
    if isinstance(length, OutputLength):
        yield length.task_id
    elif isinstance(length, ZipLength | ConcatLength):
        for part in length.parts:
            yield from _outputs(part)


def _required_setups(graph: DagGraph) -> dict[str, tuple[str, ...]]:
    """Return the setups that each task stands in the scope of: above it, and not torn down yet.

    The scope of a setup ends with its teardowns, and without one it never ends. A teardown has a rule of its own.
    """
    required: dict[str, list[str]] = {}
    for setup in (task for task in graph.tasks.values() if task.is_setup):
        below: set[str] = nx.descendants(graph.digraph, setup.task_id)
        teardowns = [t for t in graph.downstream[setup.task_id] if graph.tasks[t].is_teardown]
        if teardowns:
            below &= set().union(*(nx.ancestors(graph.digraph, t) for t in teardowns))
        for task_id in below:
            if not graph.tasks[task_id].is_teardown:
                required.setdefault(task_id, []).append(setup.task_id)
    return {task_id: tuple(required[task_id]) for task_id in graph.tasks if task_id in required}


def _deciding_leaves(graph: DagGraph) -> tuple[str, ...]:
    """Return the tasks by which a run is judged.

    A teardown does not count unless it says ``on_failure_fail_dagrun``: it is taken out and what stood above it
    becomes a leaf. When nothing else is there, the teardowns count after all.
    """
    ignored = {t.task_id for t in graph.tasks.values() if t.is_teardown and not t.on_failure_fail_dagrun}
    kept = [t for t in graph.tasks if t not in ignored]
    leaves = tuple(t for t in kept if all(down in ignored for down in graph.downstream[t]))
    return leaves or tuple(t for t in graph.tasks if not graph.downstream[t])
