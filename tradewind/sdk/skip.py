"""How does a task decide that tasks below it do not run? ``SkipMixin``: for branches, short circuits, own operators.

The task process resolves which tasks that are; the planner skips them in the commit that ends the task.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tradewind.errors import did_you_mean
from tradewind.sdk.exceptions import AirflowException, DownstreamTasksSkipped
from tradewind.sdk.mapping import mapped_groups

if TYPE_CHECKING:
    import logging

    from tradewind.sdk.operator import BaseOperator

XCOM_SKIPMIXIN_KEY: Final = "skipmixin_key"
"""Under which XCom a task says what it has decided; key and form are Airflow's."""
XCOM_SKIPMIXIN_SKIPPED: Final = "skipped"
XCOM_SKIPMIXIN_FOLLOWED: Final = "followed"


class SkipMixin:
    """Beside ``BaseOperator`` among the bases of an operator: gives it :meth:`skip` and :meth:`skip_all_except`."""

    if TYPE_CHECKING:

        @property
        def log(self) -> logging.Logger: ...

    def skip(self, ti: Any, tasks: Iterable[Any]) -> None:
        """Have ``tasks`` skipped unless they have run; groups among them are passed over.

        Args:
            ti: of the task that decides.
            tasks: tasks of the same DAG, not their ids.

        Raises:
            DownstreamTasksSkipped: there are such tasks: this ends ``execute``, with success. Inside a mapped group it
                is not raised, and only the same index is skipped.
        """
        task_ids = sorted(task.task_id for task in tasks if hasattr(task, "task_id"))
        if not task_ids:
            return
        if getattr(self, "task_id", None) is not None:
            ti.xcom_push(key=XCOM_SKIPMIXIN_KEY, value={XCOM_SKIPMIXIN_SKIPPED: task_ids})
        _hand_over(ti, task_ids)

    def skip_all_except(self, ti: Any, branch_task_ids: str | Iterable[str] | None) -> None:
        """Have the tasks directly below skipped, except the given ones and those that also stand below a given one.

        Args:
            ti: of the task that decides.
            branch_task_ids: one id, several, or None for no branch at all.

        Raises:
            AirflowException: an id is no text, or no task of the DAG has it.
            DownstreamTasksSkipped: as :meth:`skip`.
        """
        task = ti.task
        chosen = _checked_choice(task, branch_task_ids)
        self.log.info("Following branch %s", sorted(chosen))
        below: list[BaseOperator] = task.downstream_list
        if not below:
            return
        kept = set(chosen)
        for task_id in chosen:
            kept |= task.dag.get_task(task_id).get_flat_relative_ids(upstream=False)
        skipped = [one.task_id for one in below if one.task_id not in kept]
        self.log.info("Skipping tasks %s", skipped)
        followed = [one.task_id for one in below if one.task_id in kept]
        ti.xcom_push(key=XCOM_SKIPMIXIN_KEY, value={XCOM_SKIPMIXIN_FOLLOWED: followed})
        _hand_over(ti, skipped)


def _checked_choice(task: BaseOperator, branch_task_ids: str | Iterable[str] | None) -> set[str]:
    if branch_task_ids is None:
        return set()
    if isinstance(branch_task_ids, str):
        chosen: set[Any] = {branch_task_ids}
    elif isinstance(branch_task_ids, Iterable):
        chosen = set(branch_task_ids)
    else:
        raise AirflowException(
            f"{task.who}: what to branch to must be None, a task id or several, not {branch_task_ids!r} "
            f"({type(branch_task_ids).__name__})."
        )
    strange = [one for one in chosen if not isinstance(one, str)]
    if strange:
        raise AirflowException(
            f"{task.who}: task ids to branch to must be texts, and {strange[0]!r} is {type(strange[0]).__name__}. "
            "Return the ids of tasks or groups."
        )
    assert task.dag is not None
    unknown = sorted(chosen - set(task.dag.task_ids))
    if unknown:
        known = [one.task_id for one in task.downstream_list] or task.dag.task_ids
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise AirflowException(
            f"{task.who}: DAG {task.dag.dag_id!r} has no task {', '.join(map(repr, unknown))} to branch to."
            f"{did_you_mean(unknown[0], task.dag.taken_ids())} Below it stand: {shown}."
        )
    return chosen


def _hand_over(ti: Any, task_ids: list[str]) -> None:
    """Tell the end of the attempt whom to skip. An index of a mapped task goes on, since it decides for itself only."""
    if not task_ids:
        return
    if ti.map_index in (None, -1):
        raise DownstreamTasksSkipped(tasks=task_ids)
    ti.skips.extend(_of_the_same_index(ti.task, task_ids))


def _of_the_same_index(task: BaseOperator, task_ids: list[str]) -> list[str]:
    """Return those that are expanded together with ``task``: one index cannot decide for what all of them share."""
    group = next(mapped_groups(task.task_group), None)
    if group is None:
        return []
    assert task.dag is not None
    tasks = task.dag.task_dict
    return [task_id for task_id in task_ids if group in mapped_groups(tasks[task_id].task_group)]
