"""What do a worker and the control plane say to each other? Every request with its answer, as two tagged unions.

A worker never speaks SQL itself: it speaks these, to :mod:`executors.worker.sql_link` in its own process, or over HTTPS
to a web server. Every request may be said twice: what it does is done once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from executors.runner.protocol import Answer, Request
from tradewind.model.orders import AttemptOrder, Fact

TALK_VERSION: Final = 1
"""Grows when a message changes its meaning. A control plane answers this version and the one before it."""


class WorkerFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a worker is, for people and for those who look for somebody to run a task."""

    hostname: str  # how people call it: the name of its machine, unless it was given another
    pid: int
    version: str  # of Tradewind
    executor: str  # whose attempts it runs
    queues: tuple[str, ...]
    slots: int  # how many attempts it runs at once
    is_draining: bool = False  # it ends what it runs, and takes no more
    machine: str = ""  # the name of its machine
    born: str | None = None  # tells it from all others that have or had its pid


class Register(msgspec.Struct, frozen=True, omit_defaults=True, tag="register"):
    """A worker begins. Answered by :class:`Welcome`."""

    worker_id: UUID
    facts: WorkerFacts
    talk_version: int = TALK_VERSION


class Claim(msgspec.Struct, frozen=True, omit_defaults=True, tag="claim"):
    """These attempts, told by the broker, are wanted. Answered by :class:`Orders`: those that the worker got."""

    worker_id: UUID
    attempt_ids: tuple[UUID, ...]


class Look(msgspec.Struct, frozen=True, omit_defaults=True, tag="look"):
    """A look at the metadata DB, which decides whatever the broker says. Answered by :class:`Found`."""

    worker_id: UUID
    facts: WorkerFacts
    free: int = 0  # take up to so many queued attempts of the worker's queues
    running: tuple[UUID, ...] = ()  # what it has, from the claim until its end has been told
    is_beat: bool = False  # extend the lease


class Report(msgspec.Struct, frozen=True, omit_defaults=True, tag="report"):
    """Facts of attempts, for the inboxes of their runs. Answered by :class:`Done` once they are stored."""

    worker_id: UUID
    facts: tuple[Fact, ...]


class Ask(msgspec.Struct, frozen=True, omit_defaults=True, tag="ask"):
    """A task of this worker asks. Answered by :class:`Answered`; of an attempt that is over by a refusal in it."""

    worker_id: UUID
    attempt_id: UUID
    fence: int
    request: Request


class GetSource(msgspec.Struct, frozen=True, omit_defaults=True, tag="source"):
    """The DAG file of a version is wanted. Answered by :class:`SourceText`."""

    worker_id: UUID
    version_id: int


class GetManifest(msgspec.Struct, frozen=True, omit_defaults=True, tag="manifest"):
    """The list of the files of a bundle is wanted, of which the worker runs a task. Answered by :class:`FileList`."""

    worker_id: UUID
    bundle: str


class GetContents(msgspec.Struct, frozen=True, omit_defaults=True, tag="contents"):
    """Files of such a bundle are wanted, by their digests; not more than ``tradewind.model.bundles`` lets be asked for
    at once. Answered by :class:`Contents`."""

    worker_id: UUID
    bundle: str
    digests: tuple[str, ...]


class Leave(msgspec.Struct, frozen=True, omit_defaults=True, tag="leave"):
    """The worker ends; what it still had is lost. Answered by :class:`Done`."""

    worker_id: UUID


class Welcome(msgspec.Struct, frozen=True, omit_defaults=True, tag="welcome"):
    """The lease has begun."""

    lease_seconds: float
    talk_version: int = TALK_VERSION
    now: datetime | None = None  # by the clock of the control plane


class Orders(msgspec.Struct, frozen=True, omit_defaults=True, tag="orders"):
    """Attempts that are the worker's now."""

    orders: tuple[AttemptOrder, ...] = ()


class Found(msgspec.Struct, frozen=True, omit_defaults=True, tag="found"):
    """What a look has found."""

    orders: tuple[AttemptOrder, ...] = ()
    cancel: tuple[UUID, ...] = ()  # of those it runs: nobody wants them any more
    is_alive: bool = True  # False: the lease was over; what it ran was given to others. Register anew.
    now: datetime | None = None  # by the clock of the control plane


class Answered(msgspec.Struct, frozen=True, omit_defaults=True, tag="answered"):
    """The answer to a task."""

    answer: Answer


class SourceText(msgspec.Struct, frozen=True, omit_defaults=True, tag="source_text"):
    """A DAG file, byte for byte."""

    text: bytes


class FileList(msgspec.Struct, frozen=True, omit_defaults=True, tag="file_list"):
    """The files of a bundle, as ``tradewind.model.bundles`` encodes the list."""

    data: bytes


class Contents(msgspec.Struct, frozen=True, omit_defaults=True, tag="contents_of"):
    """Files by their digests, byte for byte."""

    files: dict[str, bytes]


class Done(msgspec.Struct, frozen=True, omit_defaults=True, tag="done"):
    """It is stored."""


class No(msgspec.Struct, frozen=True, omit_defaults=True, tag="no"):
    """It cannot be: ``why`` says what happened and the mend. ``is_final``: saying it again is no use."""

    why: str
    is_final: bool = True


WorkerRequest = Register | Claim | Look | Report | Ask | GetSource | GetManifest | GetContents | Leave
WorkerAnswer = Welcome | Orders | Found | Done | Answered | SourceText | FileList | Contents | No
