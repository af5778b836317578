"""What do a triggerer and its trigger process say to each other? Every message, as a tagged union per direction.

Framed as between a supervisor and its processes (``executors.runner.wire``). Requests of triggers are those of tasks,
in an envelope that says who asks.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import msgspec

from executors.runner.protocol import Answer, Request
from tradewind.xcom.policy import XComPolicy

VERSION: Final = 2


class _Message(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True, tag=True):
    """As in ``executors.runner.protocol``."""


# --- host -> trigger process ----------------------------------------------------------------------------------------


class Setup(_Message, frozen=True):
    """What holds for all triggers. Always the first message."""

    version: int
    dags_folder: str
    defaults: dict[str, Any]  # the fields of tradewind.sdk.defaults.Defaults
    log_level: str = "INFO"
    xcom_policy: XComPolicy = XComPolicy()
    sensitive_names: tuple[str, ...] = ()
    hide_sensitive: bool = True
    import_paths: tuple[str, ...] = ()  # folders beside the DAG folder from which modules may come
    lock_path: str = ""  # held from then on, so that the DAG folder stays


class Add(_Message, frozen=True):
    """Run a trigger for a task that waits. ``source`` is given when its class stands in the DAG file itself."""

    wait: UUID  # the id of the attempt that let go of its slot
    trigger: str
    kwargs: str | None
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    log_path: str
    dag_path: str = ""  # of the DAG file, absolute
    source: bytes | None = None
    goes_on: bool = False  # a watcher: each of its events is told, and the end of them as a failure without words
    folder: str = ""  # the DAG folder as it was when the run began; empty: the one of Setup
    lock_path: str = ""  # held from then on, so that this folder stays


class Cancel(_Message, frozen=True):
    """End a trigger; ``kill`` also has it end what it watches, since the task was given up."""

    wait: UUID
    kill: bool = False


class Told(_Message, frozen=True):
    """The answer to :class:`Ask` of the same number."""

    number: int
    answer: Answer


class Ping(_Message, frozen=True):
    """Say how you are."""


ToTriggers = Setup | Add | Cancel | Told | Ping


# --- trigger process -> host ----------------------------------------------------------------------------------------


class Ready(_Message, frozen=True):
    """The process can be given triggers."""

    version: int
    pid: int


class Fired(_Message, frozen=True):
    """A trigger has fired; ``event`` as ``tradewind.xcom.event_text`` writes it."""

    wait: UUID
    event: str


class Failed(_Message, frozen=True):
    """A trigger has ended without an event. ``failure`` says why; its last line is the shortest form of it."""

    wait: UUID
    failure: str


class Ask(_Message, frozen=True):
    """A trigger asks for something."""

    number: int
    wait: UUID
    request: Request


class Pong(_Message, frozen=True):
    """The answer to :class:`Ping`, given also while a trigger blocks all others: then it says which, and since when."""

    running: int
    blocked_by: UUID | None = None
    blocked_seconds: float = 0.0
    where: str = ""  # the stack of the one that blocks


class Blocked(_Message, frozen=True):
    """A trigger has blocked all others for so long."""

    wait: UUID
    seconds: float


FromTriggers = Ready | Fired | Failed | Ask | Pong | Blocked
