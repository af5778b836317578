"""What passes between the manager and the parse server, and between the server and its children?

A child may ask for variables and connections; the server passes questions and answers on.
Both ends are started from the same installation, so the messages carry no version.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from tradewind.model.parsed import FileError, FileWarning
from tradewind.model.spec import DagSpec
from tradewind.sdk.channel import ConnectionData


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """The first message to the server: what holds for every parse."""

    defaults: dict[str, Any]  # fields of tradewind.sdk.defaults.Defaults
    import_seconds: float  # the import is interrupted after these
    kill_seconds: float  # the child is killed after these
    memory_limit_mb: int  # 0: none
    hide_sensitive: bool = True  # [core] hide_sensitive_var_conn_fields
    sensitive_names: tuple[str, ...] = ()  # besides the usual ones
    answer_seconds: float = 10.0  # how long a child waits for each answer
    executors: dict[str, str] = {}  # what a task may write for an executor -> its name; empty: anything


class RunsQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked of a DAG whose timetable is the user's own code: its coming runs, what one by hand is about, or
    which runs it has within a span of the past.

    All instants are aware.
    """

    dag_id: str
    now: datetime
    last_start: datetime | None = None  # the data interval behind which to begin; None: before the first run
    last_end: datetime | None = None
    last_run_after: datetime | None = None
    count: int = 0  # how many coming runs
    manual_at: datetime | None = None  # the logical date of a run that is asked for by hand
    first: datetime | None = None  # of a span of logical dates, both ends included
    last: datetime | None = None


class RunAnswer(msgspec.Struct, frozen=True):
    """One run as the user's timetable has it."""

    run_after: datetime
    start: datetime
    end: datetime
    run_id: str


class RunsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the timetable said: coming runs in their order, or the one by hand."""

    runs: tuple[RunAnswer, ...] = ()
    is_last: bool = False  # nothing follows the last of them
    error: str | None = None  # what went wrong instead


class ParseRequest(msgspec.Struct, frozen=True, tag="parse"):
    """Read one DAG file. The source is given, so that what is parsed is what was looked at.

    With a question, the DAGs that the file defines are not given back, but the answer to it.
    """

    job: int
    path: str  # absolute
    folder: str  # the DAG folder: on the module search path, and what counts as the user's own code
    source: bytes
    question: RunsQuestion | None = None


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a child found. Fields as in ``tradewind.model.parsed.ParsedFile``."""

    specs: tuple[DagSpec, ...] = ()
    errors: tuple[FileError, ...] = ()
    seconds: float = 0.0
    depends_on: tuple[str, ...] = ()
    looks_outside: bool = False
    timed_out: bool = False
    warnings: tuple[FileWarning, ...] = ()
    answer: RunsAnswer | None = None


class Question(msgspec.Struct, frozen=True, tag="question"):
    """A DAG file asks while it is imported. The next questions of the same job have higher numbers."""

    job: int
    number: int
    kind: Literal["variable", "connection"]
    name: str


class Answer(msgspec.Struct, frozen=True, tag="answer", omit_defaults=True):
    """The answer to one question: the value asked for, or why it cannot be had; neither when there is none."""

    job: int
    number: int
    name: str
    variable: str | None = None
    connection: ConnectionData | None = None
    refused: str | None = None


class RawReply(msgspec.Struct, frozen=True, tag="reply"):
    """The answer to one request as the server sends it: it passes on what the child wrote, unread."""

    job: int
    outcome: msgspec.Raw


class Reply(msgspec.Struct, frozen=True, tag="reply"):
    """The same as the manager reads it."""

    job: int
    outcome: Outcome
