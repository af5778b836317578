"""What passes between the manager and the parse server, and between the server and its children?

Both ends are started from the same installation, so the messages carry no version.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tradewind.model.parsed import FileError, FileWarning
from tradewind.model.spec import DagSpec


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """The first message to the server: what holds for every parse."""

    defaults: dict[str, Any]  # fields of tradewind.sdk.defaults.Defaults
    import_seconds: float  # the import is interrupted after these
    kill_seconds: float  # the child is killed after these
    memory_limit_mb: int  # 0: none


class ParseRequest(msgspec.Struct, frozen=True, tag="parse"):
    """Read one DAG file. The source is given, so that what is parsed is what was looked at."""

    job: int
    path: str  # absolute
    folder: str  # the DAG folder: on the module search path, and what counts as the user's own code
    source: bytes


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a child found. Fields as in ``tradewind.model.parsed.ParsedFile``."""

    specs: tuple[DagSpec, ...] = ()
    errors: tuple[FileError, ...] = ()
    seconds: float = 0.0
    depends_on: tuple[str, ...] = ()
    looks_outside: bool = False
    timed_out: bool = False
    warnings: tuple[FileWarning, ...] = ()


class RawReply(msgspec.Struct, frozen=True):
    """The answer to one request as the server sends it: it passes on what the child wrote, unread."""

    job: int
    outcome: msgspec.Raw


class Reply(msgspec.Struct, frozen=True):
    """The same as the manager reads it."""

    job: int
    outcome: Outcome
