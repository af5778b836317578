"""How are tasks put into boxes? ``TaskGroup``: a prefix of task ids, a box in the graph view, one end of an arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tradewind.errors import DagError, DuplicateTaskId
from tradewind.sdk import arguments
from tradewind.sdk.current import current_dag, current_group, pop_group, push_group
from tradewind.sdk.edges import Node
from tradewind.sdk.exceptions import DagArgumentError

if TYPE_CHECKING:
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.expand_input import ExpandInput
    from tradewind.sdk.operator import BaseOperator


class TaskGroup(Node):
    """A group of tasks and groups. The root group of a DAG has no id.

    Args:
        group_id: unique among the groups and tasks of its parent.
        prefix_group_id: whether ids inside begin with ``group_id.``.
        parent_group: the group around it; by default the innermost open one.
        dag: by default the innermost open DAG.
        default_args: arguments of the tasks inside, where they say nothing themselves.
        tooltip, ui_color, ui_fgcolor, group_display_name, doc_md: for the graph view.
        add_suffix_on_collision: give ``group_id`` a number when it is taken, instead of an error.
    """

    def __init__(
        self,
        group_id: str | None = None,
        prefix_group_id: bool = True,
        parent_group: TaskGroup | None = None,
        dag: DAG | None = None,
        default_args: Mapping[str, Any] | None = None,
        tooltip: str = "",
        ui_color: str = "CornflowerBlue",
        ui_fgcolor: str = "#000",
        add_suffix_on_collision: bool = False,
        group_display_name: str = "",
        doc_md: str | None = None,
        *,
        is_root: bool = False,
    ) -> None:
        self.prefix_group_id = prefix_group_id
        self.tooltip, self.ui_color, self.ui_fgcolor = tooltip, ui_color, ui_fgcolor
        self.group_display_name, self.doc_md = group_display_name, doc_md
        self.is_root = is_root
        self.expand_input: ExpandInput | None = None  # set when the group is expanded
        self._waits_for: list[BaseOperator] = []  # tasks wired above it while it was empty
        self.children: dict[str, BaseOperator | TaskGroup] = {}
        found_dag = dag or (parent_group.dag if parent_group else None) or current_dag()
        if found_dag is None:
            raise DagArgumentError(f"TaskGroup {group_id!r} belongs to no DAG. Create it inside `with DAG(...):`.")
        self.dag: DAG = found_dag
        if default_args is not None and not isinstance(default_args, Mapping):
            raise arguments.wrong(f"TaskGroup {group_id!r}", "default_args", default_args, "a dict")
        self.default_args = dict(default_args or {})
        self.parent_group: TaskGroup | None = None
        self.group_id: str | None = None
        if not is_root:
            own_id = arguments.check_id("TaskGroup", "group_id", group_id)
            if "." in own_id:
                raise DagArgumentError(
                    f"TaskGroup: group_id {own_id!r} must not hold a '.', which parts groups from what is in them. "
                    "Rename it, or nest one group in the other."
                )
            self.parent_group = parent_group or current_group(self.dag) or self.dag.task_group
            self.group_id = self._free_id(own_id, add_suffix_on_collision)
            arguments.check_length("TaskGroup", "group_id", self.group_id, arguments.MAX_GROUP_ID_LENGTH)
            self.label = self.group_id.rsplit(".", 1)[-1]
            self.parent_group.children[self.group_id] = self
            self.dag.add_group(self)

    def _free_id(self, own_id: str, add_suffix: bool) -> str:
        assert self.parent_group is not None
        wanted = self.parent_group.child_id(own_id)
        taken = self.dag.taken_ids()
        if wanted not in taken:
            return wanted
        if not add_suffix:
            raise DuplicateTaskId(
                f"DAG {self.dag.dag_id!r} has a task or group {wanted!r} already. Give the group another id, "
                "or pass add_suffix_on_collision=True."
            )
        number = 1
        while f"{wanted}__{number}" in taken:
            number += 1
        return f"{wanted}__{number}"

    @property
    def merged_default_args(self) -> dict[str, Any]:
        """Its default arguments over those of the groups around it."""
        around = self.parent_group.merged_default_args if self.parent_group else {}
        return {**around, **self.default_args}

    @property
    def node_id(self) -> str | None:
        """The group id."""
        return self.group_id

    def child_id(self, label: str) -> str:
        """Return the id that a task or group called ``label`` has inside this group."""
        return f"{self.group_id}.{label}" if self.group_id and self.prefix_group_id else label

    def __enter__(self) -> Self:
        push_group(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pop_group()

    def iter_tasks(self) -> Iterator[BaseOperator]:
        """Yield the tasks inside, near and far."""
        for child in self.children.values():
            if isinstance(child, TaskGroup):
                yield from child.iter_tasks()
            else:
                yield child

    def _inner_ids(self) -> set[str]:
        return {task.task_id for task in self.iter_tasks()}

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The tasks inside that wait for none inside."""
        inside = self._inner_ids()
        return [task for task in self.iter_tasks() if not task.upstream_task_ids & inside]

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The tasks inside that none inside waits for; teardowns are passed over, so ``group >> task`` skips them.

        An empty group hands on what stands above it.
        """
        inside = {task.task_id: task for task in self.iter_tasks()}
        found: dict[str, BaseOperator] = {}
        for task in inside.values():
            if not task.downstream_task_ids & inside.keys():
                ends = _work_above(task, inside) if task.is_teardown else (task,)
                found.update((end.task_id, end) for end in ends)
        if found or inside:
            return list(found.values()) or [task for task in inside.values() if not task.is_teardown]
        if self._waits_for or self.parent_group is None or self.parent_group.is_root:
            return self._waits_for
        return self.parent_group.leaves

    def note_upstream(self, tasks: Sequence[BaseOperator]) -> None:
        """Remember what stands above it, as long as there is nothing inside that could wait for it."""
        if next(self.iter_tasks(), None) is None:
            self._waits_for.extend(tasks)

    def get_roots(self) -> Sequence[BaseOperator]:
        """Return :attr:`roots`, under Airflow's other name."""
        return self.roots

    def get_leaves(self) -> Sequence[BaseOperator]:
        """Return :attr:`leaves`, under Airflow's other name."""
        return self.leaves

    def has_task(self, task: BaseOperator) -> bool:
        """Return whether ``task`` is inside, near or far."""
        return any(one is task for one in self.iter_tasks())

    def get_child_by_label(self, label: str) -> BaseOperator | TaskGroup:
        """Return the task or group directly inside that is called ``label``."""
        try:
            return self.children[self.child_id(label)]
        except KeyError:
            raise DagError(f"Group {self.group_id!r} holds no task or group {label!r}. Check its id.") from None

    def __getitem__(self, label: str) -> BaseOperator | TaskGroup:
        return self.get_child_by_label(label)

    def __repr__(self) -> str:
        return f"<TaskGroup: {self.group_id}>"


def _work_above(teardown: BaseOperator, inside: Mapping[str, BaseOperator]) -> Iterator[BaseOperator]:
    """Yield the tasks of a group that a teardown at its end waits for, and no other work does."""
    for task_id in sorted(teardown.upstream_task_ids & inside.keys()):
        task = inside[task_id]
        if task.is_teardown:
            yield from _work_above(task, inside)
        elif not task.is_setup and not any(
            not inside[below].is_teardown for below in task.downstream_task_ids & inside.keys()
        ):
            yield task
