"""How are tasks wired? ``>>``, ``<<``, ``chain``, ``chain_linear``, ``cross_downstream`` and labels on edges.

Whatever can stand on either side of an arrow (a task, a group, a task's output, a list of those) boils down to tasks:
its *leaves* when it stands upstream, its *roots* when it stands downstream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tradewind.sdk.exceptions import DagArgumentError

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator


class Node:
    """What can stand on either side of an arrow."""

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The tasks that wait for what stands before this."""
        raise NotImplementedError

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The tasks that what stands after this waits for."""
        raise NotImplementedError

    def note_upstream(self, tasks: Sequence[BaseOperator]) -> None:
        """Take notice of the tasks that were wired above it. For groups: an empty one hands them on."""

    def set_downstream(self, other: Any, edge_modifier: Label | None = None) -> None:
        """Make ``other`` (a node or a list of nodes) wait for this."""
        connect(self, other, edge_modifier.label if edge_modifier else None)

    def set_upstream(self, other: Any, edge_modifier: Label | None = None) -> None:
        """Make this wait for ``other`` (a node or a list of nodes)."""
        connect(other, self, edge_modifier.label if edge_modifier else None)

    def __rshift__(self, other: Any) -> Any:
        if isinstance(other, Label):
            other.add_upstream(self)
        else:
            connect(self, other)
        return other

    def __lshift__(self, other: Any) -> Any:
        if isinstance(other, Label):
            other.add_downstream(self)
        else:
            connect(other, self)
        return other

    def __rrshift__(self, other: Any) -> Node:  # [a, b] >> self
        connect(other, self)
        return self

    def __rlshift__(self, other: Any) -> Node:  # [a, b] << self
        connect(self, other)
        return self


class Label:
    """A text on an edge: ``a >> Label("when it rains") >> b``. Shown in the graph view."""

    def __init__(self, label: str) -> None:
        if not isinstance(label, str):
            raise DagArgumentError(f"Label: label must be a text, not {label!r} ({type(label).__name__}).")
        self.label = label
        self._upstream: list[Any] = []
        self._downstream: list[Any] = []

    def add_upstream(self, node: Any) -> None:
        """Take what stands before the label; wires it when what stands after it is known."""
        self._upstream.append(node)
        self._connect()

    def add_downstream(self, node: Any) -> None:
        """Take what stands after the label; wires it when what stands before it is known."""
        self._downstream.append(node)
        self._connect()

    def _connect(self) -> None:
        if self._upstream and self._downstream:
            connect(self._upstream, self._downstream, self.label)

    def __rshift__(self, other: Any) -> Any:
        self.add_downstream(other)
        return other

    def __lshift__(self, other: Any) -> Any:
        self.add_upstream(other)
        return other

    def __rrshift__(self, other: Any) -> Label:
        self.add_upstream(other)
        return self

    def __rlshift__(self, other: Any) -> Label:
        self.add_downstream(other)
        return self


def connect(upstream: Any, downstream: Any, label: str | None = None) -> None:
    """Make every root of ``downstream`` wait for every leaf of ``upstream``.

    Raises:
        DagArgumentError: one side is not a task, group, output or list of those; the tasks belong to different DAGs,
            or to none.
    """
    if _has_labels(upstream) or _has_labels(downstream):  # a >> [Label("x"), Label("y")], which are wired one by one
        for before in _listed(upstream):
            for after in _listed(downstream):
                _ = before >> after
        return
    below = list(_nodes(downstream))
    befores = [task for node in _nodes(upstream) for task in node.leaves]
    afters = [task for node in below for task in node.roots]
    for node in below:
        node.note_upstream(befores)
    for before in befores:
        for after in afters:
            _link(before, after, label)


def _link(before: BaseOperator, after: BaseOperator, label: str | None) -> None:
    dag = before.dag or after.dag
    if dag is None:
        raise DagArgumentError(
            f"Tasks {before.task_id!r} and {after.task_id!r} belong to no DAG yet, so they cannot be wired. "
            "Create them inside `with DAG(...):`, or pass dag=."
        )
    for task in (before, after):
        if task.dag is None:
            dag.add_task(task)
        elif task.dag is not dag:
            raise DagArgumentError(
                f"Tasks {before.task_id!r} (DAG {dag.dag_id!r}) and {after.task_id!r} (DAG {task.dag.dag_id!r}) "
                "belong to different DAGs, so one cannot wait for the other. Wire tasks of one DAG only."
            )
    before.downstream_task_ids.add(after.task_id)
    after.upstream_task_ids.add(before.task_id)
    if label:
        dag.edge_labels[before.task_id, after.task_id] = label


def _listed(side: Any) -> Sequence[Any]:
    return side if isinstance(side, list | tuple) else [side]


def _has_labels(side: Any) -> bool:
    return any(isinstance(one, Label) for one in _listed(side))


def _nodes(side: Any) -> Iterator[Node]:
    if isinstance(side, Node):
        yield side
    elif isinstance(side, list | tuple | set):
        for one in side:
            yield from _nodes(one)
    else:
        raise DagArgumentError(
            f"{side!r} ({type(side).__name__}) cannot be wired. Expected a task, a task group, the result of calling a "
            "@task function, or a list of those. A @task function must be called: write my_task(), not my_task."
        )


def chain(*steps: Any) -> None:
    """Wire each step to the next; two lists in a row must be equally long and are wired pair by pair.

    Labels may stand between steps. A step of None is left out.
    """
    steps = tuple(step for step in steps if step is not None)
    for before, after in pairwise(steps):
        if isinstance(before, Label) or isinstance(after, Label):
            _ = before >> after
        elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
            _pair_up(before, after)
        else:
            connect(before, after)


def _pair_up(befores: Sequence[Any], afters: Sequence[Any]) -> None:
    if len(befores) != len(afters):
        raise DagArgumentError(
            f"chain() got lists of {len(befores)} and {len(afters)} tasks in a row; they must be equally long, since "
            "they are wired pair by pair. Use chain_linear() to wire every one to every other."
        )
    for before, after in zip(befores, afters, strict=True):
        if isinstance(before, Label) or isinstance(after, Label):
            _ = before >> after
        else:
            connect(before, after)


def chain_linear(*steps: Any) -> None:
    """Wire each step to the next; two lists in a row are wired every one to every other."""
    steps = tuple(step for step in steps if step is not None and step != [])
    if len(steps) < 2:
        got = "none" if not steps else "one task" if isinstance(steps[0], Node) else "one list"
        mend = "Unpack it: chain_linear(*steps)." if got == "one list" else "Name what is to be wired."
        raise DagArgumentError(f"chain_linear() needs at least two steps; it got {got}. {mend}")
    for before, after in pairwise(steps):
        if isinstance(before, Label) or isinstance(after, Label):
            _ = before >> after
        else:
            connect(before, after)


def cross_downstream(from_tasks: Sequence[Any], to_tasks: Any) -> None:
    """Make every one of ``to_tasks`` wait for every one of ``from_tasks``."""
    connect(from_tasks, to_tasks)
