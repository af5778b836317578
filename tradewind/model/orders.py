"""What passes between the scheduler and whoever runs a task? An order goes out, facts come back.

Neither knows anything of DAG structure: a durable workflow step or a state machine task is ordered in the same words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import msgspec


class Resumption(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an attempt goes on where the one before it let go of its slot to wait.

    Values are JSON text as ``tradewind.xcom`` encodes them. ``failure`` is set when the wait ended badly: then
    ``method`` is not called with an event, the task is told of the failure instead.
    """

    method: str  # of the operator
    kwargs: str | None = None  # JSON object
    event: str | None = None  # what the trigger or the person said
    failure: str | None = None  # "timeout", or why the trigger ended without an event


class CallbackOrder(msgspec.Struct, frozen=True, omit_defaults=True):
    """User code that hangs on a run or a task, to be called in a process of its own.

    ``kind`` says what it hangs on, ``payload`` (plain JSON) what happened; see ``tradewind.sdk.callback_run``.
    """

    id: int
    kind: str
    payload: dict[str, Any] = {}
    start: int = 1  # counts the processes that were started for it


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
    partition_key: str | None = None  # the part of an asset that the run is about
    partition_date: datetime | None = None
    part: int = 0  # counts the processes of one try: a sensor that looks again, or a task that comes back from a wait
    first_started_at: datetime | None = None  # of the first part; None in that part itself
    resume: Resumption | None = None  # None: from the beginning
    bundle: str | None = None  # the DAG folder as it was when the run was made (model.bundles); None: as it is now
    callback: CallbackOrder | None = None  # instead of running the task, which is only whose context it gets, or ""


class Outcome(StrEnum):
    """How an attempt ended, as its supervisor saw it."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    LOST = "lost"  # nobody knows: the process that watched it is gone
    RETURNED = "returned"  # handed back unfinished: whoever ran it was told to stop
    RESCHEDULED = "rescheduled"  # wants to look again later: ``Aftermath.resume_at``
    DEFERRED = "deferred"  # waits for a trigger: ``Aftermath.wait``
    AWAITING_INPUT = "awaiting_input"  # waits for a person: ``Aftermath.wait`` with a question


class XComValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One XCom as it is stored: JSON text as ``tradewind.xcom`` encodes it, or the place where it was put."""

    key: str
    value: str | None = None
    location: str | None = None  # URL in the object store, when the value is too large to be kept inline
    size_bytes: int = 0


class Question(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a task asks of a person. ``params`` are fields to fill in: name -> JSON schema with its default."""

    subject: str
    options: tuple[str, ...]
    body: str | None = None
    defaults: tuple[str, ...] | None = None  # chosen when the time is over; None: the task fails then
    multiple: bool = False
    params: dict[str, Any] = {}
    assignees: tuple[str, ...] = ()  # user names, beside admins; empty: whoever has the role op


IN_DAG_FILE: Final = "dag file:"
"""Stands before the name of a trigger class that the DAG file itself defines, in place of a module."""


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a task waits for without a slot, and how it goes on. Values are JSON text of ``tradewind.xcom``."""

    method: str  # of the operator, called when the wait is over
    kwargs: str | None = None  # JSON object for it, beside the event
    trigger: str | None = None  # dotted path of a trigger class
    trigger_kwargs: str | None = None  # JSON object
    timeout_seconds: float | None = None
    timeout_event: str | None = None  # stands for the event when the time is over; None: that is a failure
    question: Question | None = None


class AssetChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """An asset that a task has updated. Either of ``name`` and ``uri`` is enough to find it."""

    name: str | None = None
    uri: str | None = None
    extra: dict[str, Any] = {}  # of the event
    alias: str | None = None  # of the AssetAlias that it was reported through
    asset_extra: dict[str, Any] = {}  # of the asset itself, should the alias be the first to name it
    partition_key: str | None = None


class Aftermath(msgspec.Struct, frozen=True, omit_defaults=True):
    """What follows from an attempt beside its outcome, as its task process says."""

    length: int | None = None  # how many values its return value gives to those who map over it; None: it left none
    map_label: str | None = None  # the rendered map_index_template
    skip: tuple[str, ...] = ()  # task ids below it that it has decided not to run
    resume_at: datetime | None = None  # of a RESCHEDULED attempt
    wait: Wait | None = None  # of a DEFERRED attempt, or one AWAITING_INPUT
    retry_delay_seconds: float | None = None  # instead of the task's own, when it is tried again
    retry_is_free: bool = False  # it uses up no retry
    pause_rate: str | None = None  # nobody starts under this rate before that delay is over
    asset_changes: tuple[AssetChange, ...] = ()


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
    died: bool = False  # its process ended without a word, so that it has called nobody back
    error: str | None = None  # one line: exception type and message, or how the process died
    exit_code: int | None = None
    signal: int | None = None
    peak_rss_bytes: int | None = None
    cpu_seconds: float | None = None
    xcoms: tuple[XComValue, ...] = ()  # pushed with the end, written in the same commit
    rendered: dict[str, Any] | None = None  # as above, when the start did not tell them already; None changes nothing
    then: Aftermath | None = None


Fact = AttemptStarted | AttemptEnded
"""What a supervisor says; folded by the scheduler, dropped when the fence is stale."""


def resumption(resume: Mapping[str, Any] | None) -> Resumption | None:
    """Return how an attempt goes on, from what its task instance keeps; None: from the beginning."""
    return None if resume is None else msgspec.convert(resume, Resumption)


def attempt_id(run_pk: int, task_id: str, map_index: int, try_number: int, part: int = 0) -> UUID:
    """Return the id of an attempt, derived from what it is: deciding the same start twice gives the same row."""
    seed = f"{run_pk}\0{task_id}\0{map_index}\0{try_number}\0{part}".encode()
    return UUID(bytes=hashlib.blake2b(seed, digest_size=16).digest())


_CALLBACK: Final = b"call"
"""How the ids of attempts begin that call back: they are known as such without a look at the metadata DB."""


def callback_attempt_id(callback_id: int, start: int) -> UUID:
    """Return the id of the attempt that is the ``start``-th to make a call."""
    digest = hashlib.blake2b(f"{callback_id}\0{start}".encode(), digest_size=16 - len(_CALLBACK)).digest()
    return UUID(bytes=_CALLBACK + digest)


def is_callback(attempt: UUID) -> bool:
    """Return whether an attempt makes a call instead of running a task.

    True by chance for one task attempt in four billion: whoever asks must find the call, or treat it as a task.
    """
    return attempt.bytes.startswith(_CALLBACK)
