"""Facts for the question why: who asked for it, which process has it, what keeps it from starting? For people only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, func, or_, select

from tradewind.metadata.callbacks import DEADLINE
from tradewind.metadata.models import (
    Attempt,
    Callback,
    Dag,
    DagFile,
    DagRun,
    Process,
    Question,
    TaskInstance,
    Timer,
    TriggerWait,
)
from tradewind.metadata.models import RunEvent as RunEventRow
from tradewind.metadata.runs import AUTOMATIC, RunRecord, failed_last, is_startable
from tradewind.metadata.timers import start_key
from tradewind.model.states import AttemptState, RunState, RunType
from tradewind.run.view import TaskKey


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has something, and its lease."""

    hostname: str
    pid: int
    heartbeat_at: datetime
    expires_at: datetime
    ended_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it counts as alive."""
        return self.ended_at is None and self.expires_at > now


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """The newest attempt of a task instance, and the process of its supervisor."""

    try_number: int
    state: AttemptState
    executor: str
    queue: str
    queued_at: datetime
    started_at: datetime | None
    hostname: str | None
    pid: int | None
    outcome: str | None
    exit_code: int | None
    signal: int | None
    peak_rss_bytes: int | None
    cpu_seconds: float | None
    is_claimed: bool
    supervisor: Holder | None


@dataclass(frozen=True, slots=True)
class WaitFacts:
    """What a task waits for without a slot."""

    what: str  # dotted path of the trigger, or the subject of the question
    queue: str | None
    due_at: datetime | None
    holder: Holder | None


@dataclass(frozen=True, slots=True)
class StartFacts:
    """All that decides whether a queued run may start; see ``runs.claim_startable``.

    Attributes:
        start_at: of the timer that holds it back.
        is_automatic: nobody asked for it, so it waits for its DAG to go on.
        running: how many runs of the DAG count, with some of their names.
        ahead: startable runs of the DAG whose turn comes earlier.
    """

    is_paused: bool
    failed_last: str | None
    holds_after_failure: bool
    start_at: datetime | None
    is_automatic: bool
    max_active_runs: int
    running: int
    running_ids: list[str]
    ahead: int


@dataclass(frozen=True, slots=True)
class Said:
    """Somebody's word, or the scheduler's, as the log of the run keeps it."""

    kind: str
    at: datetime
    by: str


def find_attempt(tx: Connection, attempt_id: UUID | None) -> AttemptFacts | None:
    """Return an attempt with the process that has it."""
    if attempt_id is None:
        return None
    row = tx.execute(
        select(
            Attempt.try_number, Attempt.state, Attempt.executor, Attempt.queue, Attempt.queued_at, Attempt.started_at,
            Attempt.hostname, Attempt.pid, Attempt.outcome, Attempt.exit_code, Attempt.signal, Attempt.peak_rss_bytes,
            Attempt.cpu_seconds, Attempt.supervisor_id,
        ).where(Attempt.id == attempt_id)
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    *facts, supervisor_id = tuple(row)
    return AttemptFacts(*facts, supervisor_id is not None, find_holder(tx, supervisor_id))  # type: ignore[call-arg]


def find_holder(tx: Connection, process_id: UUID | None) -> Holder | None:
    """Return a process by the id of its lease."""
    columns = (Process.hostname, Process.pid, Process.heartbeat_at, Process.expires_at, Process.ended_at)
    row = None if process_id is None else tx.execute(select(*columns).where(Process.id == process_id)).one_or_none()
    return None if row is None else Holder(*row)


def find_wait(tx: Connection, attempt_id: UUID | None) -> WaitFacts | None:
    """Return what an attempt waits for: a trigger or a person."""
    if attempt_id is None:
        return None
    wait = tx.execute(
        select(TriggerWait.trigger, TriggerWait.queue, TriggerWait.due_at, TriggerWait.claimed_by).where(
            TriggerWait.attempt_id == attempt_id
        )
    ).one_or_none()
    if wait is not None:
        return WaitFacts(wait.trigger, wait.queue, wait.due_at, find_holder(tx, wait.claimed_by))
    asked = tx.execute(select(Question.subject, Question.due_at).where(Question.attempt_id == attempt_id)).one_or_none()
    return None if asked is None else WaitFacts(asked.subject, None, asked.due_at, None)


def find_start(tx: Connection, run: RunRecord) -> StartFacts | None:
    """Return what decides about the start of a queued run; None: its DAG is gone."""
    dag = tx.execute(
        select(Dag.max_active_runs, Dag.is_paused, Dag.holds_after_failure).where(Dag.dag_id == run.dag_id)
    ).one_or_none()
    if dag is None:
        return None
    start_at = tx.execute(select(Timer.due_at).where(Timer.key == start_key(run.pk))).scalar()
    was_started = tx.execute(select(TaskInstance.run_pk).where(TaskInstance.run_pk == run.pk).limit(1)).first()
    is_own = (DagRun.dag_id == run.dag_id) & (DagRun.run_type != RunType.BACKFILL)
    is_running = is_own & (DagRun.state == RunState.RUNNING)
    is_ahead = or_(DagRun.run_after < run.run_after, (DagRun.run_after == run.run_after) & (DagRun.id < run.pk))
    failed = failed_last(tx, run.dag_id)
    only_asked_for = dag.is_paused or (dag.holds_after_failure and failed is not None)
    ahead = select(func.count()).where(is_startable(run.dag_id, only_asked_for=only_asked_for), is_ahead)
    some = select(DagRun.run_id).where(is_running).order_by(DagRun.run_after, DagRun.id).limit(3)
    return StartFacts(
        is_paused=dag.is_paused,
        failed_last=failed,
        holds_after_failure=dag.holds_after_failure,
        start_at=start_at,
        is_automatic=run.run_type in AUTOMATIC and was_started is None,
        max_active_runs=dag.max_active_runs,
        running=tx.execute(select(func.count()).where(is_running)).scalar_one(),
        running_ids=list(tx.execute(some).scalars()),
        ahead=tx.execute(ahead).scalar_one(),
    )


def last_said(tx: Connection, run_pk: int, kinds: Collection[str], key: TaskKey | None = None) -> Said | None:
    """Return the newest entry of some kinds in the log of a run: about one instance, or about the run itself."""
    task_id, map_index = key if key is not None else (None, None)
    query = select(RunEventRow.kind, RunEventRow.at, RunEventRow.payload).where(
        RunEventRow.run_pk == run_pk, RunEventRow.kind.in_(kinds), RunEventRow.task_id.is_not_distinct_from(task_id)
    )
    if map_index is not None:
        query = query.where(RunEventRow.map_index == map_index)
    row = tx.execute(query.order_by(RunEventRow.seq.desc()).limit(1)).one_or_none()
    return None if row is None else Said(row.kind, row.at, row.payload.get("by", ""))


def missed_deadlines(tx: Connection, run_pk: int) -> list[tuple[TaskKey | None, datetime]]:
    """Return the deadlines of a run and of its tasks that have passed, with whose each is; the first few of many."""
    query = (
        select(Callback.task_id, Callback.map_index, Callback.payload)
        .where(Callback.run_pk == run_pk, Callback.kind == DEADLINE)
        .order_by(Callback.id)
        .limit(100)
    )
    found = []
    for row in tx.execute(query):
        key = None if row.task_id is None else (row.task_id, row.map_index)
        found.append((key, datetime.fromisoformat(row.payload["due_at"])))
    return found


def import_error(tx: Connection, file_path: str) -> tuple[str, int | None] | None:
    """Return why a DAG file cannot be imported, and the line, when it cannot."""
    row = tx.execute(select(DagFile.error, DagFile.error_line).where(DagFile.path == file_path)).one_or_none()
    return None if row is None or row.error is None else (row.error, row.error_line)
