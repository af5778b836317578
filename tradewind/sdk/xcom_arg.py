"""What stands for the output of a task before the task has run? ``XComArg``: a promise that templates can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk.edges import Node
from tradewind.sdk.exceptions import XComNotFound
from tradewind.sdk.literals import Literal
from tradewind.sdk.mapping import mapping_refused

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.operator import BaseOperator

RETURN_VALUE: Final = "return_value"
"""The key under which the returned value of a task is kept."""


class XComArg(Node):
    """The output of ``operator`` under ``key``; an argument of another task, which then waits for it."""

    def __init__(self, operator: BaseOperator, key: str = RETURN_VALUE) -> None:
        self.operator = operator
        self.key = key

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The task whose output it is."""
        return (self.operator,)

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The task whose output it is."""
        return (self.operator,)

    def __getitem__(self, key: str) -> XComArg:
        """Return the output under ``key``, for a task with ``multiple_outputs`` or one that pushes under that key."""
        if not isinstance(key, str):
            raise TypeError(
                f"The output of task {self.operator.task_id!r} is known only when it has run, so it takes a text as "
                f"key and no {type(key).__name__}. Index it inside the task that uses it."
            )
        return XComArg(self.operator, key)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError(
            f"The output of task {self.operator.task_id!r} cannot be iterated over in the DAG file: it is known only "
            "when the task has run. Hand it to a task and iterate there."
        )

    def __contains__(self, item: object) -> bool:
        raise TypeError(
            f"Whether the output of task {self.operator.task_id!r} holds {item!r} is known only at run time."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XComArg) and self.operator is other.operator and self.key == other.key

    def __hash__(self) -> int:
        return hash((id(self.operator), self.key))

    def __str__(self) -> str:
        """Return a template that pulls this output, so that it can stand inside a longer text."""
        who = f"task_ids={self.operator.task_id!r}, dag_id={self.operator.dag_id!r}"
        return f"{{{{ task_instance.xcom_pull({who}, key={self.key!r}) }}}}"

    def __repr__(self) -> str:
        key = "" if self.key == RETURN_VALUE else f"[{self.key!r}]"
        return f"XComArg({self.operator!r}){key}"

    def map(self, *_: Any) -> XComArg:
        """Refused: dynamic task mapping does not exist yet."""
        raise mapping_refused(f"{self.operator.task_id}.map(...)")

    def zip(self, *_: Any, **__: Any) -> XComArg:
        """Refused: dynamic task mapping does not exist yet."""
        raise mapping_refused(f"{self.operator.task_id}.zip(...)")

    def concat(self, *_: Any) -> XComArg:
        """Refused: dynamic task mapping does not exist yet."""
        raise mapping_refused(f"{self.operator.task_id}.concat(...)")

    def as_setup(self) -> XComArg:
        """Mark the task as a setup."""
        self.operator.as_setup()
        return self

    def as_teardown(self, *, setups: Any = None, on_failure_fail_dagrun: bool = False) -> XComArg:
        """Mark the task as a teardown; see :meth:`BaseOperator.as_teardown`."""
        given = [] if setups is None else list(setups) if isinstance(setups, list | tuple | set) else [setups]
        tasks = [one.operator if isinstance(one, XComArg) else one for one in given]
        self.operator.as_teardown(setups=tasks, on_failure_fail_dagrun=on_failure_fail_dagrun)
        return self

    def resolve(self, context: Context) -> Any:
        """Return the value, in a task that runs.

        Raises:
            XComNotFound: nothing was pushed under a key other than the return value's.
        """
        missing = object()
        ti = context["ti"]
        value = ti.xcom_pull(task_ids=self.operator.task_id, key=self.key, default=missing)
        if value is not missing:
            return value
        if self.key == RETURN_VALUE:
            return None
        raise XComNotFound(ti.dag_id, self.operator.task_id, self.key)


def find_outputs(value: Any, around: frozenset[int] = frozenset()) -> Iterator[XComArg]:
    """Yield every task output inside ``value``: in lists, tuples, sets, dicts, and template fields of plain objects.

    ``around`` holds what ``value`` stands inside of, so that a value that contains itself is no trap.
    """
    if isinstance(value, XComArg):
        yield value
    elif value is None or isinstance(value, str | bytes | int | float | Literal) or id(value) in around:
        return
    else:
        inside = around | {id(value)}
        for part in _parts(value):
            yield from find_outputs(part, inside)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.keys()
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif not isinstance(value, Node | type):
        for field in getattr(value, "template_fields", ()) or ():
            yield getattr(value, field, None)
