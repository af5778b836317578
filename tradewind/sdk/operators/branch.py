"""Which way does a run go? Branch operators: choose among the tasks and groups below, and skip the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tradewind.sdk.operator import BaseOperator
from tradewind.sdk.operators.python import PythonOperator
from tradewind.sdk.skip import SkipMixin

if TYPE_CHECKING:
    from tradewind.sdk.context import Context

Choice = str | Iterable[str] | None
"""What a branch says: an id of a task or a group, several, or None for none of them."""


class BranchMixIn(SkipMixin):
    """Gives an operator :meth:`do_branch`."""

    def do_branch(self, context: Context, branches_to_execute: Choice) -> Choice:
        """Skip the tasks directly below that were not chosen; return the choice.

        Raises:
            AirflowException: it names something that the DAG does not have.
            DownstreamTasksSkipped: some are skipped; see :meth:`SkipMixin.skip_all_except`.
        """
        self.log.info("Branch into %s", branches_to_execute)
        ti = context["ti"]
        chosen = None if branches_to_execute is None else list(_tasks_of(ti.task, branches_to_execute))
        self.skip_all_except(ti, chosen)
        return branches_to_execute


def _tasks_of(task: BaseOperator, choice: Any) -> Iterator[Any]:
    """Yield the chosen ids, with the first tasks of a group in its place."""
    groups = task.dag.group_dict if task.dag is not None else {}
    for one in [choice] if isinstance(choice, str) or not isinstance(choice, Iterable) else choice:
        if isinstance(one, str) and one in groups:
            yield from (root.task_id for root in groups[one].roots)
        else:
            yield one


class BaseBranchOperator(BaseOperator, BranchMixIn):
    """Base of own branches: give it ``choose_branch(context)``."""

    inherits_from_skipmixin = True

    def choose_branch(self, context: Context) -> Choice:
        """Return the ids of tasks or groups to follow, one or several; None follows none. For subclasses."""
        raise NotImplementedError(
            f"{type(self).__name__} has no choose_branch(). Give it one: def choose_branch(self, context): ..."
        )

    def execute(self, context: Context) -> Any:
        """Choose, and skip the rest."""
        return self.do_branch(context, self.choose_branch(context))


class BranchPythonOperator(BaseBranchOperator, PythonOperator):
    """Calls ``python_callable`` as ``PythonOperator`` does; it returns the ids of the tasks or groups to follow."""

    def choose_branch(self, context: Context) -> Choice:
        """Return what the function returns."""
        choice: Choice = PythonOperator.execute(self, context)
        return choice
