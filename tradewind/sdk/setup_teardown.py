"""Which work stands between a setup and its teardown? What is made inside ``with setup >> teardown:``.

The tasks made in the block wait for the setups where they wait for nothing else, and the teardowns wait for those that
nothing else waits for. A block inside a block is set up after the outer one, and torn down before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from tradewind.sdk.edges import connect
from tradewind.sdk.exceptions import AirflowException, DagArgumentError

if TYPE_CHECKING:
    from tradewind.sdk.operator import BaseOperator


class Scope:
    """One such block; ``with ... as scope`` gives it, so that tasks made elsewhere can be added."""

    def __init__(self, setups: Sequence[BaseOperator], teardowns: Sequence[BaseOperator]) -> None:
        self._setups, self._teardowns = setups, teardowns
        self._tasks: list[BaseOperator] = []
        self._is_open = True

    def add_task(self, task: Any) -> None:
        """Count a task that was made outside of the block as made inside.

        Raises:
            AirflowException: the block is over.
        """
        if not self._is_open:
            raise AirflowException(
                "Cannot add a task to a setup/teardown scope whose `with` block is over. Add it inside the block."
            )
        for one in task.leaves:
            self.take(one)

    def take(self, task: BaseOperator) -> None:
        """Count ``task`` as work of this scope. Setups and teardowns among it are told apart at the end."""
        self._tasks.append(task)

    def close(self, around: Scope | None) -> None:
        """Wire the work of the block, and the block to the one around it."""
        self._is_open = False
        work = [task for task in self._tasks if not task.is_setup and not task.is_teardown]
        if work:
            firsts = [task for task in work if not task.upstream_task_ids] or work[:1]
            lasts = [task for task in work if not task.downstream_task_ids] or work[-1:]
            connect(self._setups, firsts)
            connect(lasts, self._teardowns)
        if around is not None:
            connect(around._setups, self._setups)
            connect(self._teardowns, around._teardowns)


_scopes: ContextVar[tuple[Scope, ...]] = ContextVar("tradewind_scopes", default=())


def current_scope() -> Scope | None:
    """Return the innermost open scope, or None."""
    stack = _scopes.get()
    return stack[-1] if stack else None


def open_scope(tasks: Sequence[BaseOperator]) -> Scope:
    """Open a scope of these setups (with the teardowns below them), or of these teardowns (with their setups).

    Raises:
        DagArgumentError: they are neither, or some are setups and some teardowns.
    """
    for task in tasks:
        if not task.is_setup and not task.is_teardown:
            raise DagArgumentError(
                f"{task.who} is neither a setup nor a teardown, so it cannot be used with `with`. "
                "Mark it with .as_setup() or .as_teardown(), or use @setup or @teardown."
            )
    if any(task.is_setup != tasks[0].is_setup for task in tasks):
        raise DagArgumentError(
            f"{', '.join(repr(task.task_id) for task in tasks)}: some are setups and some teardowns. "
            "A `with` takes either kind; it finds the others by the arrows between them."
        )
    if tasks[0].is_setup:
        scope = Scope(tasks, _related(tasks, upstream=False))
    else:
        scope = Scope(_related(tasks, upstream=True), tasks)
    _scopes.set((*_scopes.get(), scope))
    return scope


def close_scope() -> None:
    """Close the innermost scope, and wire its work."""
    stack = _scopes.get()
    _scopes.set(stack[:-1])
    stack[-1].close(stack[-2] if len(stack) > 1 else None)


def drop_scope() -> None:
    """Close the innermost scope without wiring anything: its block has failed."""
    _scopes.set(_scopes.get()[:-1])


def _related(tasks: Sequence[BaseOperator], *, upstream: bool) -> list[BaseOperator]:
    """Return the nearest setups above (or teardowns below) ``tasks``."""
    near: dict[str, BaseOperator] = {
        one.task_id: one for task in tasks for one in task.get_direct_relatives(upstream=upstream)
    }
    seen: set[str] = set()
    while near:
        found = [one for one in near.values() if (one.is_setup if upstream else one.is_teardown)]
        if found:
            return found
        seen |= near.keys()
        further: Iterable[BaseOperator] = (
            far for one in near.values() for far in one.get_direct_relatives(upstream=upstream)
        )
        near = {far.task_id: far for far in further if far.task_id not in seen}
    return []


class ContextWrapper(list[Any]):
    """Several setups, or several teardowns, for one ``with``: ``with context_wrapper([a, b]):``."""

    def __enter__(self) -> Scope:
        return open_scope([task for one in self for task in one.leaves])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        close_scope() if kind is None else drop_scope()


context_wrapper: Final = ContextWrapper
"""The name that DAG files use."""
