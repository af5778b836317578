"""Which tables hold DAGs, runs, attempts and leases?"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from tradewind.metadata.models.base import Base, BigId, partial_index
from tradewind.metadata.types import JsonText
from tradewind.model.states import AttemptState, RunState, RunType, TaskState

_UNFINISHED = (
    "state IN ('scheduled', 'queued', 'running', 'up_for_retry', 'up_for_reschedule', 'deferred', 'awaiting_input')"
)

LEAVING: Final = "leaving"
"""The kind of a run that is being removed: out of sight, and gone soon. See ``tradewind.metadata.retention_runs``."""


# --- DAG files -------------------------------------------------------------------------------------------------------


class DagFile(Base):
    """One file of the DAG folder, as it was last parsed. Its ``error`` is the import error that users see."""

    __tablename__ = "dag_file"

    path: Mapped[str] = mapped_column(String(1000), primary_key=True)  # relative to the DAG folder, with "/"
    digest: Mapped[str] = mapped_column(String(64))  # sha256 of what was parsed
    parsed_at: Mapped[datetime]
    parse_seconds: Mapped[float]
    dag_count: Mapped[int]
    error: Mapped[str | None]  # one line: type, message
    error_line: Mapped[int | None]
    traceback: Mapped[str | None]
    warnings: Mapped[list[dict[str, Any]]] = mapped_column(JsonText, default=list)  # FileWarning


class Dag(Base):
    """A DAG by name. It outlives its file: ``is_active`` is false once the file no longer defines it."""

    __tablename__ = "dag"

    dag_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    file_path: Mapped[str] = mapped_column(String(1000), index=True)
    is_active: Mapped[bool]
    is_paused: Mapped[bool]
    version_id: Mapped[int | None] = mapped_column(BigId)  # the newest; no foreign key, since they point at each other
    max_active_runs: Mapped[int]
    holds_after_failure: Mapped[bool] = mapped_column(default=False, server_default=false())
    days_kept: Mapped[float | None]  # how long its runs are kept after their end; null: as configured
    description: Mapped[str | None]
    display_name: Mapped[str | None]
    schedule_summary: Mapped[str]
    owners: Mapped[str]  # ", "-joined, sorted
    created_at: Mapped[datetime]
    parsed_at: Mapped[datetime]
    # The next scheduled run: when it is due and what it will be. Null: none.
    next_run_after: Mapped[datetime | None]
    next_logical_date: Mapped[datetime | None]
    next_interval_start: Mapped[datetime | None]
    next_interval_end: Mapped[datetime | None]


class DagTag(Base):
    """A tag of a DAG's newest version."""

    __tablename__ = "dag_tag"

    dag_id: Mapped[str] = mapped_column(String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)


class DagVersion(Base):
    """What a DAG said at one time. Never changed but for ``bundle``; runs point at the one they started with."""

    __tablename__ = "dag_version"
    __table_args__ = (UniqueConstraint("dag_id", "number"), UniqueConstraint("dag_id", "hash"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    dag_id: Mapped[str] = mapped_column(String(250), ForeignKey("dag.dag_id", ondelete="CASCADE"))
    number: Mapped[int]  # counted from 1 in each DAG
    hash: Mapped[str] = mapped_column(String(64))
    spec: Mapped[str]  # canonical JSON of DagSpec
    source_digest: Mapped[str] = mapped_column(String(64), ForeignKey("dag_source.digest"), index=True)
    file_path: Mapped[str] = mapped_column(String(1000))
    created_at: Mapped[datetime]
    deadlines: Mapped[list[dict[str, Any]] | None] = mapped_column(JsonText)  # of its spec: each new run asks for them
    concurrency: Mapped[dict[str, Any] | None] = mapped_column(JsonText)  # RunLimits of its spec; null: none
    bundle: Mapped[str | None] = mapped_column(String(300))  # the newest in which it was the DAG's version; null: none


class DagSource(Base):
    """The text of a DAG file, kept once however many DAGs and versions come from it."""

    __tablename__ = "dag_source"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str]


# --- Runs: the log and its projection -------------------------------------------------------------------------------


class DagRun(Base):
    """One run. ``next_seq`` guards every commit; ``claimed_by`` and ``fence`` say who looks at it first."""

    __tablename__ = "dag_run"
    __table_args__ = (
        UniqueConstraint("dag_id", "run_id"),
        UniqueConstraint("dag_id", "logical_date"),
        partial_index("ix_dag_run_active", "state", "dag_id", "run_after", where="state IN ('queued', 'running')"),
        Index("ix_dag_run_dag_id_run_after", "dag_id", "run_after"),
        Index("ix_dag_run_run_after", "run_after"),
        partial_index("ix_dag_run_failed", "run_after", "id", where="state = 'failed'"),
        Index("ix_dag_run_dag_id_ended_at", "dag_id", "ended_at"),
        partial_index("ix_dag_run_leaving", "id", where="kind = 'leaving'"),
        partial_index(
            "ix_dag_run_waiting", "dag_id", "run_after", "id", where="state = 'queued' AND run_type <> 'backfill'"
        ),
        partial_index("ix_dag_run_backfill_id", "backfill_id", where="backfill_id IS NOT NULL"),
        partial_index("ix_dag_run_backfill_state", "state", "backfill_id", where="backfill_id IS NOT NULL"),
        CheckConstraint("(ended_at IS NOT NULL) = (state IN ('success', 'failed'))", name="ended_iff_final"),
        {"sqlite_autoincrement": True},
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(20))  # "dag", or LEAVING; workflows and state machines will come
    dag_id: Mapped[str] = mapped_column(String(250))
    run_id: Mapped[str] = mapped_column(String(250))
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("dag_version.id"), index=True)
    run_type: Mapped[RunType]
    triggered_by: Mapped[str] = mapped_column(String(50))  # timetable, cli, ui, rest_api, operator, test
    triggering_user: Mapped[str | None]
    logical_date: Mapped[datetime | None]
    data_interval_start: Mapped[datetime | None]
    data_interval_end: Mapped[datetime | None]
    run_after: Mapped[datetime]
    partition_key: Mapped[str | None] = mapped_column(String(250))  # the part of an asset that the run is about
    partition_date: Mapped[datetime | None]  # where that part begins, when it is one of time
    conf: Mapped[dict[str, Any]]
    note: Mapped[str | None]
    state: Mapped[RunState]
    reason: Mapped[str | None]  # why it failed, in one sentence
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    next_seq: Mapped[int]
    fence: Mapped[int]
    claimed_by: Mapped[UUID | None] = mapped_column(index=True)  # process.id
    held: Mapped[str | None]  # who holds it, and why; null: nobody
    retries_used: Mapped[int] = mapped_column(default=0, server_default="0")  # of the DAG's run_retries
    verdict: Mapped[RunState | None] = mapped_column(String(24))  # how somebody said that it ends, after its teardowns
    backfill_id: Mapped[int | None] = mapped_column(BigInteger)  # backfill.id; no foreign key, since runs outlive it
    replay_of: Mapped[int | None] = mapped_column(BigInteger)  # dag_run.id of the run whose input it has
    input_date: Mapped[datetime | None]  # the logical date that tasks see, where the run replays another and has none
    bundle: Mapped[str | None] = mapped_column(String(300), index=True)  # of its files; null: the folder as it is
    task_subset: Mapped[list[str] | None] = mapped_column(JsonText)  # the tasks that it consists of; null: all
    keys: Mapped[list[str] | None] = mapped_column(JsonText)  # under whose limits it stands while it runs


class RunEvent(Base):
    """The log: append-only, numbered without gaps from 1 in each run."""

    __tablename__ = "run_event"
    __table_args__ = (Index("ix_run_event_at", "at"),)

    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    task_id: Mapped[str | None] = mapped_column(String(250))
    map_index: Mapped[int]
    try_number: Mapped[int]
    payload: Mapped[dict[str, Any]]


class RunInbox(Base):
    """Facts and commands not folded yet. ``key`` is natural: saying a thing twice is saying it once."""

    __tablename__ = "run_inbox"
    __table_args__ = (UniqueConstraint("run_pk", "key"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=True)
    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(300))
    kind: Mapped[str] = mapped_column(String(40))
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class TaskInstance(Base):
    """One task of one run (one index of it, when mapped): the projection of its events."""

    __tablename__ = "task_instance"
    __table_args__ = (
        partial_index("ix_task_instance_state", "state", where=_UNFINISHED),
        Index("ix_task_instance_dag_id_task_id", "dag_id", "task_id"),
        partial_index("ix_task_instance_held", "run_pk", where="held IS NOT NULL"),
    )  # fmt: skip

    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True)
    task_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    map_index: Mapped[int] = mapped_column(primary_key=True)
    dag_id: Mapped[str] = mapped_column(String(250))
    state: Mapped[TaskState]
    try_number: Mapped[int]  # of the newest attempt; 0 before the first
    max_tries: Mapped[int]
    failures: Mapped[int]  # attempts that used up a try
    losses: Mapped[int]  # attempts that the infrastructure lost
    postponed: Mapped[int] = mapped_column(default=0, server_default="0")  # tries in a row told to come back later
    attempt_id: Mapped[UUID | None]  # the newest
    scheduled_at: Mapped[datetime | None]
    queued_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    retry_at: Mapped[datetime | None]
    reason: Mapped[str | None]  # why it is skipped, upstream_failed, failed or waits for a retry
    part: Mapped[int] = mapped_column(default=0, server_default="0")  # of the newest attempt, within its try
    length: Mapped[int | None]  # how many values its return value gives to those who map over it
    map_label: Mapped[str | None]  # the rendered map_index_template
    first_started_at: Mapped[datetime | None]  # of the first part
    resume: Mapped[dict[str, Any] | None] = mapped_column(JsonText)  # how the next part goes on; Resumption
    note: Mapped[str | None]
    held: Mapped[str | None]  # who holds it, and why; null: nobody
    decided_against: Mapped[list[str] | None] = mapped_column(JsonText)  # tasks below that it decided not to run


class Attempt(Base):
    """One start of a task: who may run it, who ran it, what it cost. Knows nothing of DAGs."""

    __tablename__ = "attempt"
    __table_args__ = (
        partial_index("ix_attempt_active", "state", "supervisor_id", where="state <> 'ended'"),
        partial_index("ix_attempt_waiting", "executor", "queue", "queued_at", "id", where="state = 'queued'"),
        Index("ix_attempt_run_pk_task_id", "run_pk", "task_id", "map_index"),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True)
    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"))
    task_id: Mapped[str] = mapped_column(String(250))
    map_index: Mapped[int]
    try_number: Mapped[int]
    part: Mapped[int] = mapped_column(default=0, server_default="0")  # processes of one try are counted from 0
    state: Mapped[AttemptState]
    fence: Mapped[int]  # 0 until claimed
    executor: Mapped[str] = mapped_column(String(100))
    queue: Mapped[str] = mapped_column(String(100))
    pool: Mapped[str] = mapped_column(String(250))
    pool_slots: Mapped[int]
    supervisor_id: Mapped[UUID | None]  # process.id of the claimer
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    error: Mapped[str | None]
    hostname: Mapped[str | None]
    pid: Mapped[int | None]
    exit_code: Mapped[int | None]
    signal: Mapped[int | None]
    peak_rss_bytes: Mapped[int | None] = mapped_column(BigInteger)
    cpu_seconds: Mapped[float | None]
    rendered: Mapped[dict[str, Any] | None] = mapped_column(JsonText)  # template fields as the task saw them, masked
    keys: Mapped[list[str] | None] = mapped_column(JsonText)  # under whose limits it stands


class XCom(Base):
    """A value that one task left for others."""

    __tablename__ = "xcom"

    run_pk: Mapped[int] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"), primary_key=True)
    task_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    map_index: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(500), primary_key=True)
    value: Mapped[str | None]  # JSON text
    location: Mapped[str | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]


class Timer(Base):
    """Something that is due at an instant: a retry, a run's timeout, a DAG's next fire time."""

    __tablename__ = "timer"
    __table_args__ = (Index("ix_timer_due_at", "due_at"),)

    key: Mapped[str] = mapped_column(String(600), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))  # retry, run_timeout, fire
    run_pk: Mapped[int | None] = mapped_column(BigId, ForeignKey("dag_run.id", ondelete="CASCADE"), index=True)
    dag_id: Mapped[str | None] = mapped_column(String(250))
    task_id: Mapped[str | None] = mapped_column(String(250))
    map_index: Mapped[int]
    due_at: Mapped[datetime]


# --- Leases ----------------------------------------------------------------------------------------------------------


class Process(Base):
    """A scheduler, supervisor host, triggerer or web server, with its lease. One heartbeat row for all that it does."""

    __tablename__ = "process"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    hostname: Mapped[str]
    pid: Mapped[int]
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    info: Mapped[dict[str, Any]]  # queues, capacity, version
