"""How do ``Variable.get`` and ``Connection.get`` reach the outside? The environment, then who answers this process.

That is the channel of the task that runs; while a DAG file is imported, it is a :class:`Source`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from tradewind.sdk.exceptions import AirflowException

if TYPE_CHECKING:
    from tradewind.sdk.channel import ConnectionData, TaskChannel

_channel: ContextVar[TaskChannel | None] = ContextVar("tradewind_channel", default=None)
_shared: list[TaskChannel] = []
"""The channel of the task that this process runs, for threads that the task starts: they see no context variables."""


class Source(Protocol):
    """Who answers for variables and connections. A :class:`~tradewind.sdk.channel.TaskChannel` is one."""

    def get_variable(self, key: str) -> str | None:
        """Return the text of a variable, or None when there is none."""

    def get_connection(self, conn_id: str) -> ConnectionData | None:
        """Return a connection, or None when there is none."""

    def mask_secret(self, value: str) -> None:
        """From now on show ``***`` in place of ``value``."""


_sources: list[Source] = []
"""Who answers while a DAG file is imported; for every thread of the process."""


@contextmanager
def reading_from(source: Source) -> Iterator[None]:
    """Let ``source`` answer what is asked while no task runs, for as long as the block runs."""
    _sources.append(source)
    try:
        yield
    finally:
        _sources.pop()


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


def bind(channel: TaskChannel) -> None:
    """Make ``channel`` the way out of the current context, and of no other: many triggers share one process."""
    _channel.set(channel)


def channel(what: str) -> TaskChannel:
    """Return the running task's channel.

    Raises:
        AirflowException: no task runs; ``what`` says what was tried.
    """
    found = _running()
    if found is None:
        raise AirflowException(
            f"{what} was called while no task runs. Call it inside a task, not at the top level of the file."
        )
    return found


def _running() -> TaskChannel | None:
    return _channel.get() or (_shared[-1] if _shared else None)


def source() -> Source | None:
    """Return who answers now: the running task's channel, or who answers the import of a DAG file; None: nobody."""
    return _running() or (_sources[-1] if _sources else None)


def variable_text(key: str) -> str | None:
    """Return a variable's text, or None when there is none. The environment goes first, and may be all there is."""
    if not isinstance(key, str):
        raise TypeError(f"The key of a variable must be a text, not {key!r} ({type(key).__name__}).")
    found = _from_environment("VAR", key)
    if found is not None:
        return found
    answering = source()
    return None if answering is None else answering.get_variable(key)


def connection_text(conn_id: str) -> str | None:
    """Return a connection given in the environment, as URI or JSON, or None."""
    return _from_environment("CONN", conn_id)


def _from_environment(kind: str, name: str) -> str | None:
    for prefix in ("TRADEWIND", "AIRFLOW"):
        value = os.environ.get(f"{prefix}_{kind}_{name.upper()}")
        if value is not None:
            return value
    return None
