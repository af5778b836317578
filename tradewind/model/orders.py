"""What passes between the scheduler and whoever runs a task? An order goes out, facts come back.

Neither knows anything of DAG structure: a durable workflow step or a state machine task is ordered in the same words.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class AttemptOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is needed to run one attempt. Small: values such as XComs are asked for while it runs."""

    attempt_id: UUID
    fence: int  # 1 when claimed; every later word about the attempt carries it
    run_pk: int
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int  # counted from 1
    max_tries: int  # the number of the last try that would be made
    file_path: str  # of the DAG file, relative to the DAG folder
    version_id: int
    source_digest: str  # sha256 of the DAG file at that version
    run_type: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    run_started_at: datetime | None = None
    conf: dict[str, Any] = {}
    queue: str = "default"
    executor: str = "LocalExecutor"
    pool: str = "default_pool"
    execution_timeout_seconds: float | None = None
    triggering_user: str | None = None


class Outcome(StrEnum):
    """How an attempt ended, as its supervisor saw it."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    LOST = "lost"  # nobody knows: the process that watched it is gone
    RETURNED = "returned"  # handed back unfinished: whoever ran it was told to stop


class XComValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One XCom as it is stored: JSON text as ``tradewind.xcom`` encodes it, or the place where it was put."""

    key: str
    value: str | None = None
    location: str | None = None  # URL in the object store, when the value is too large to be kept inline
    size_bytes: int = 0


class AttemptStarted(msgspec.Struct, frozen=True, omit_defaults=True, tag="started"):
    """An attempt has a process now."""

    attempt_id: UUID
    fence: int
    run_pk: int
    at: datetime
    hostname: str = ""
    pid: int = 0
    rendered: dict[str, Any] | None = None  # template fields as the task sees them, masked; None: not known yet


class AttemptEnded(msgspec.Struct, frozen=True, omit_defaults=True, tag="ended"):
    """An attempt has ended. ``started_at`` is set, so that the start need not have been told before."""

    attempt_id: UUID
    fence: int
    run_pk: int
    outcome: Outcome
    at: datetime
    started_at: datetime | None = None
    hostname: str = ""
    pid: int = 0
    may_retry: bool = True  # False: the task said that trying again is no use
    error: str | None = None  # one line: exception type and message, or how the process died
    exit_code: int | None = None
    signal: int | None = None
    peak_rss_bytes: int | None = None
    cpu_seconds: float | None = None
    xcoms: tuple[XComValue, ...] = ()  # pushed with the end, written in the same commit
    rendered: dict[str, Any] | None = None  # as above, when the start did not tell them already; None changes nothing


Fact = AttemptStarted | AttemptEnded
"""What a supervisor says; folded by the scheduler, dropped when the fence is stale."""


def attempt_id(run_pk: int, task_id: str, map_index: int, try_number: int) -> UUID:
    """Return the id of an attempt, derived from what it is: deciding the same start twice gives the same row."""
    seed = f"{run_pk}\0{task_id}\0{map_index}\0{try_number}".encode()
    return UUID(bytes=hashlib.blake2b(seed, digest_size=16).digest())
