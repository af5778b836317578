"""How do ``Variable.get`` and ``Connection.get`` reach the outside? The environment, then the task's channel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.channel import TaskChannel

_channel: ContextVar[TaskChannel | None] = ContextVar("tradewind_channel", default=None)
_shared: list[TaskChannel] = []
"""The channel of the task that this process runs, for threads that the task starts: they see no context variables."""


@contextmanager
def through(channel: TaskChannel) -> Iterator[None]:
    """Make ``channel`` the way out for as long as the block runs."""
    token = _channel.set(channel)
    _shared.append(channel)
    try:
        yield
    finally:
        _shared.pop()
        _channel.reset(token)


def channel(what: str) -> TaskChannel:
    """Return the running task's channel.

    Raises:
        AirflowException: no task runs; ``what`` says what was tried.
    """
    found = _channel.get() or (_shared[-1] if _shared else None)
    if found is None:
        raise AirflowException(
            f"{what} was called while no task runs. Call it inside a task, not at the top level of the file."
        )
    return found


def variable_text(key: str) -> str | None:
    """Return a variable's text, or None when there is none. At parse time only the environment is asked."""
    if not isinstance(key, str):
        raise TypeError(f"The key of a variable must be a text, not {key!r} ({type(key).__name__}).")
    found = _from_environment("VAR", key)
    if found is not None:
        return found
    way_out = _channel.get() or (_shared[-1] if _shared else None)
    return None if way_out is None else way_out.get_variable(key)


def connection_text(conn_id: str) -> str | None:
    """Return a connection given in the environment, as URI or JSON, or None."""
    return _from_environment("CONN", conn_id)


def _from_environment(kind: str, name: str) -> str | None:
    for prefix in ("TRADEWIND", "AIRFLOW"):
        value = os.environ.get(f"{prefix}_{kind}_{name.upper()}")
        if value is not None:
            return value
    return None
