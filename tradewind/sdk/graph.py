"""Is the graph of a DAG sound, and what weighs how much in it? Cycles found, priorities added up."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Final

from tradewind.errors import DagCycle
from tradewind.sdk.weights import ask

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG

_INT32: Final = 2**31 - 1


def check_acyclic(dag: DAG) -> list[str]:
    """Return the task ids in an order in which they could run.

    Raises:
        DagCycle: there is none; names a ring of tasks that wait for each other.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for task_id in sorted(dag.task_dict):
        sorter.add(task_id, *sorted(dag.task_dict[task_id].upstream_task_ids))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        ring = " -> ".join(error.args[1])
        raise DagCycle(f"{dag.who} has a cycle: {ring}. Remove one of these arrows.") from None


def effective_weights(dag: DAG) -> dict[str, int]:
    """Return each task's priority: its own weight, and by its rule those of all tasks below or above it.

    A rule of the user's own is asked instead.

    Sums are kept within 32 bits, as in Airflow.
    """
    order = check_acyclic(dag)
    rules = {task.weight_rule for task in dag.tasks}
    below = _reach(dag, order, downstream=True) if "downstream" in rules else {}
    above = _reach(dag, order, downstream=False) if "upstream" in rules else {}
    weights = [dag.task_dict[task_id].priority_weight for task_id in order]
    found = {}
    for task in dag.tasks:
        if isinstance(task.weight_rule, str):
            reached = {"downstream": below, "upstream": above}.get(task.weight_rule, {}).get(task.task_id, 0)
            total = task.priority_weight + _sum(reached, weights)
        else:
            total = ask(task.weight_rule, task)
        found[task.task_id] = max(-_INT32 - 1, min(_INT32, total))
    return found


def _reach(dag: DAG, order: list[str], *, downstream: bool) -> dict[str, int]:
    """Return for each task the set of tasks below (or above) it, as a number whose bit ``i`` is task ``order[i]``."""
    place = {task_id: i for i, task_id in enumerate(order)}
    found: dict[str, int] = {}
    for task_id in reversed(order) if downstream else order:
        reached = 0
        for near in dag.task_dict[task_id].get_direct_relative_ids(upstream=not downstream):
            reached |= found[near] | 1 << place[near]
        found[task_id] = reached
    return found


def _sum(members: int, weights: list[int]) -> int:
    if all(weight == 1 for weight in weights):
        return members.bit_count()
    total = 0
    while members:
        low = members & -members
        total += weights[low.bit_length() - 1]
        members ^= low
    return total
