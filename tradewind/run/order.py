"""In which order can the tasks of a DAG run? For people who read lists of them."""

from __future__ import annotations

from graphlib import TopologicalSorter

from tradewind.model.spec import DagSpec


def in_order(spec: DagSpec) -> list[str]:
    """Return the task ids so that each stands behind its upstream tasks; by name where the order is free."""
    sorter = TopologicalSorter({task.task_id: task.upstream for task in spec.tasks})
    sorter.prepare()
    names: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        names.extend(ready)
        sorter.done(*ready)
    return names
