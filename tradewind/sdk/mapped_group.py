"""What is an expanded task group? ``MappedTaskGroup``: its tasks are expanded together, index by index."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tradewind.sdk.exceptions import DagArgumentError
from tradewind.sdk.expand_input import ExpandInput
from tradewind.sdk.mapping import ALWAYS
from tradewind.sdk.task_group import TaskGroup

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator


class MappedTaskGroup(TaskGroup):
    """Made by ``expand`` and ``expand_kwargs`` of a ``@task_group`` function."""

    def __init__(self, *, over: ExpandInput, **settings: Any) -> None:
        super().__init__(**settings)
        self.expand_input = over

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The tasks inside that wait for none inside."""
        self._check_rules()
        return super().roots

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The tasks inside that none inside waits for."""
        self._check_rules()
        return super().leaves

    def _check_rules(self) -> None:
        for child in self.children.values():
            if not isinstance(child, TaskGroup) and child.trigger_rule == ALWAYS:
                raise DagArgumentError(
                    f"{child.who}: trigger_rule 'always' does not wait for what the group {self.group_id!r} around it "
                    "is expanded over. Use another rule, e.g. 'all_done'."
                )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.expand_input is not None:
            for output in self.expand_input.all_outputs():
                self.set_upstream(output.operator)
        super().__exit__(kind, error, trace)
