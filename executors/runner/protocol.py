"""What do the processes of a supervisor say to each other? Every message, as a tagged union per direction.

Rules:

* A message is one msgpack frame behind its length (see :mod:`executors.runner.wire`).
* The first message in each direction carries :data:`PROTOCOL_VERSION`; a peer of another version is not talked to.
* A task process asks one thing at a time and waits for the answer; :class:`Rendered` and :class:`Result` have none.
* Keepers (the base process and the warm processes) answer nothing while they import a DAG file, so they are given
  nothing before :class:`Ready`.
* File descriptors travel beside the message that needs one, in the order of those messages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from tradewind.model.asset_talk import AssetAnswer, AssetQuestion
from tradewind.model.orders import Aftermath, AttemptOrder, Outcome, XComValue
from tradewind.sdk.channel import ConnectionData, FoundXCom, PreviousRun
from tradewind.sdk.run_questions import RunAnswer, RunQuestion
from tradewind.xcom.policy import XComPolicy

PROTOCOL_VERSION: Final = 3


class _Message(msgspec.Struct, frozen=True, omit_defaults=True, array_like=True, tag=True):
    """Array form: a message is its tag and its fields in order, small and quick to read."""


# --- supervisor -> keeper -------------------------------------------------------------------------------------------


class FileStamp(_Message, frozen=True):
    """What tells, without reading it, whether a file is still the one that was imported."""

    path: str
    mtime_ns: int
    size: int


class Setup(_Message, frozen=True):
    """What holds for every DAG file. Always the first message to the base process."""

    version: int
    defaults: dict[str, Any]  # the fields of tradewind.sdk.defaults.Defaults


class Load(_Message, frozen=True):
    """Import this DAG file, then answer :class:`Ready`. An import that takes too long ends the keeper."""

    path: str  # absolute
    source: bytes
    dags_folder: str
    timeout_seconds: float
    lock_path: str = ""  # held from then on, so that the DAG folder stays


class Spawn(_Message, frozen=True):
    """Fork a keeper that listens on the descriptor that comes with this message."""


class Run(_Message, frozen=True):
    """Fork a task process for this slot, with the descriptor that comes with this message as its channel."""

    slot: int


class Kill(_Message, frozen=True):
    """Send a signal to the process group of a slot. A slot that has ended is ignored."""

    slot: int
    signal: int


ToKeeper = Setup | Load | Spawn | Run | Kill


# --- keeper -> supervisor -------------------------------------------------------------------------------------------


class Ready(_Message, frozen=True):
    """The keeper can be given work.

    ``unfit``: why this file cannot be kept imported (its import failed or started threads). Such a keeper ends at once,
    and each attempt of the file imports it in its own process.
    """

    version: int
    pid: int
    unfit: str | None = None
    imported: tuple[FileStamp, ...] = ()  # modules of the user's that the DAG file imported


class Exited(_Message, frozen=True):
    """The task process of a slot is gone and reaped, and so is the rest of its process group."""

    slot: int
    pid: int
    exit_code: int | None
    signal: int | None
    peak_rss_bytes: int
    cpu_seconds: float


class NotForked(_Message, frozen=True):
    """The task process of a slot could not be made: the machine has no memory or no process ids left."""

    slot: int
    error: str


FromKeeper = Ready | Exited | NotForked


# --- supervisor -> task process -------------------------------------------------------------------------------------


class Begin(_Message, frozen=True):
    """What to run, and where its log goes. Always the first message to a task process."""

    version: int
    order: AttemptOrder
    log_path: str
    dag_path: str  # absolute
    dags_folder: str
    source: bytes | None = None  # given when the task process has to import the DAG file itself
    import_timeout_seconds: float = 30.0
    log_level: str = "INFO"
    xcom_policy: XComPolicy = XComPolicy()
    memory_limit_bytes: int = 0  # 0: none
    sensitive_names: tuple[str, ...] = ()  # names that sound secret, beside the usual ones
    hide_sensitive: bool = True  # mask values by their names
    lock_path: str = ""  # held when the file is imported, so that the DAG folder stays


class XComs(_Message, frozen=True):
    """The answer to :class:`GetXCom`."""

    found: tuple[FoundXCom, ...] = ()


class Count(_Message, frozen=True):
    """The answer to :class:`CountXComs`."""

    number: int


class Text(_Message, frozen=True):
    """The answer to :class:`GetVariable`."""

    value: str | None = None


class ConnectionAnswer(_Message, frozen=True):
    """The answer to :class:`GetConnection`: its open fields, or None when there is no such connection."""

    data: ConnectionData | None = None


class PreviousAnswer(_Message, frozen=True):
    """The answer to :class:`GetPreviousSuccess`."""

    run: PreviousRun | None = None


class RunsAnswer(_Message, frozen=True):
    """The answer to :class:`AskAboutRuns`."""

    answer: RunAnswer


class AssetsAnswer(_Message, frozen=True):
    """The answer to :class:`AskAssets`."""

    answer: AssetAnswer


class Done(_Message, frozen=True):
    """The answer to a request that asks for a change; ``changed`` is False when there was nothing to change."""

    changed: bool = True


class Refused(_Message, frozen=True):
    """The answer to a request that could not be met, with what happened and the mend."""

    error: str


Answer = XComs | Count | Text | ConnectionAnswer | PreviousAnswer | AssetsAnswer | RunsAnswer | Done | Refused
ToTask = Begin | Answer


# --- task process -> supervisor -------------------------------------------------------------------------------------


class Hello(_Message, frozen=True):
    """The task process exists. Always its first message."""

    version: int
    pid: int
    at: datetime


class GetXCom(_Message, frozen=True):
    """``None`` for the DAG or the run means the attempt's own; for ``map_index``, every one."""

    key: str
    task_ids: tuple[str, ...]
    dag_id: str | None = None
    run_id: str | None = None
    map_index: int | None = None
    include_prior_dates: bool = False


class CountXComs(_Message, frozen=True):
    """Ask how many map indexes of a task of this run have left an XCom."""

    task_id: str
    key: str


class GetXComRange(_Message, frozen=True):
    """Ask for a part of those XComs, by map index; :class:`XComs` is the answer."""

    task_id: str
    key: str
    start: int
    stop: int


class PushXCom(_Message, frozen=True):
    """Store a value now, before the attempt ends."""

    xcom: XComValue


class GetVariable(_Message, frozen=True):
    """Ask for the open value of a variable."""

    key: str


class SetVariable(_Message, frozen=True):
    """Create or change a variable."""

    key: str
    value: str
    description: str | None = None


class DeleteVariable(_Message, frozen=True):
    """Delete a variable."""

    key: str


class GetConnection(_Message, frozen=True):
    """Ask for a connection with its secrets."""

    conn_id: str


class GetPreviousSuccess(_Message, frozen=True):
    """Ask for the latest successful run of an earlier logical date."""


class AskAboutRuns(_Message, frozen=True):
    """Ask which runs there are and how their tasks stand, or have one triggered."""

    question: RunQuestion


class AskAssets(_Message, frozen=True):
    """Ask something about assets."""

    question: AssetQuestion


class Rendered(_Message, frozen=True):
    """The template fields as the task saw them, masked. Has no answer."""

    fields: dict[str, Any]


class Result(_Message, frozen=True):
    """How the task ended, in its own words. Has no answer; the process ends right after it."""

    outcome: Outcome
    error: str | None = None
    may_retry: bool = True
    xcoms: tuple[XComValue, ...] = ()
    lost_log_bytes: int = 0  # output that could not be written to the log
    then: Aftermath | None = None


Request = (
    GetXCom
    | CountXComs
    | GetXComRange
    | PushXCom
    | GetVariable
    | SetVariable
    | DeleteVariable
    | GetConnection
    | GetPreviousSuccess
    | AskAssets
    | AskAboutRuns
)
FromTask = Hello | Rendered | Result | Request
