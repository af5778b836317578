"""Which DAG, task group and task are we inside of? The stacks behind ``with DAG(...)`` and its kin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.context import Context
    from tradewind.sdk.dag import DAG
    from tradewind.sdk.task_group import TaskGroup

_dags: ContextVar[tuple[DAG, ...]] = ContextVar("tradewind_dags", default=())
_groups: ContextVar[tuple[TaskGroup, ...]] = ContextVar("tradewind_groups", default=())
_contexts: ContextVar[tuple[Context, ...]] = ContextVar("tradewind_contexts", default=())
_collector: ContextVar[list[DAG] | None] = ContextVar("tradewind_collector", default=None)


def current_dag() -> DAG | None:
    """Return the innermost ``with DAG(...)`` that is open, or None."""
    stack = _dags.get()
    return stack[-1] if stack else None


def push_dag(dag: DAG) -> None:
    """Open ``dag``; registers it with the loader when it wants that."""
    _dags.set((*_dags.get(), dag))


def pop_dag() -> DAG:
    """Close the innermost DAG; tells the loader of it when ``auto_register`` is set."""
    stack = _dags.get()
    _dags.set(stack[:-1])
    collected = _collector.get()
    if collected is not None and stack[-1].auto_register:
        collected.append(stack[-1])
    return stack[-1]


def current_group(dag: DAG | None) -> TaskGroup | None:
    """Return the innermost open task group of ``dag``, or None when none is open."""
    stack = _groups.get()
    return stack[-1] if stack and stack[-1].dag is dag else None


def push_group(group: TaskGroup) -> None:
    """Open ``group``."""
    _groups.set((*_groups.get(), group))


def pop_group() -> None:
    """Close the innermost task group."""
    _groups.set(_groups.get()[:-1])


@contextmanager
def collecting_dags() -> Iterator[list[DAG]]:
    """Collect the DAGs that are closed while a file is imported, in order. Forgets DAGs and groups left open by it."""
    collected: list[DAG] = []
    tokens = _collector.set(collected), _dags.set(()), _groups.set(())
    try:
        yield collected
    finally:
        _collector.reset(tokens[0])
        _dags.reset(tokens[1])
        _groups.reset(tokens[2])


@contextmanager
def running(context: Context) -> Iterator[None]:
    """Make ``context`` what :func:`get_current_context` returns."""
    token = _contexts.set((*_contexts.get(), context))
    try:
        yield
    finally:
        _contexts.reset(token)


def get_current_context() -> Context:
    """Return the context of the task that runs now: ``ti``, ``ds``, ``params`` and the rest.

    Raises:
        AirflowException: no task is running, e.g. the call stands at the top level of a DAG file.
    """
    stack = _contexts.get()
    if not stack:
        raise AirflowException(
            "get_current_context() was called while no task runs. Call it inside a task's function or execute(), "
            "not at the top level of the DAG file."
        )
    return stack[-1]
