"""What follows what in a DAG version? Built once per version, shared by all of its runs, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import networkx as nx

from tradewind.model.spec import DagSpec, TaskSpec


class DagGraph:
    """The tasks of one DAG version and their edges.

    Attributes:
        tasks: every task by id, in topological order (ties by id), so that walking it meets upstreams first.
        upstream, downstream: direct neighbours by id, sorted.
        setups: the direct upstreams that are setup tasks, for tasks that have any.
        leaves: the tasks that decide the state of a run.
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
        self.leaves: Final = _deciding_leaves(self)


def _deciding_leaves(graph: DagGraph) -> tuple[str, ...]:
    """Return the tasks by which a run is judged.

    A teardown does not count unless it says ``on_failure_fail_dagrun``: it is taken out and what stood above it
    becomes a leaf. When nothing else is there, the teardowns count after all.
    """
    ignored = {t.task_id for t in graph.tasks.values() if t.is_teardown and not t.on_failure_fail_dagrun}
    kept = [t for t in graph.tasks if t not in ignored]
    leaves = tuple(t for t in kept if all(down in ignored for down in graph.downstream[t]))
    return leaves or tuple(t for t in graph.tasks if not graph.downstream[t])
