"""Statements about attempts: claim one, read what to run, count what is active, find what was lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, bindparam, or_, select, update
from sqlalchemy import exists as sql_exists

from tradewind.metadata.callback_attempts import load_callback_orders
from tradewind.metadata.inbox import fact_message, send
from tradewind.metadata.models import Attempt, DagRun, DagVersion, Process, TaskInstance
from tradewind.metadata.order_facts import order_facts
from tradewind.model.orders import AttemptEnded, AttemptOrder, Outcome, is_callback, resumption
from tradewind.model.spec import decode_spec
from tradewind.model.states import AttemptState, RunType


@dataclass(frozen=True, slots=True)
class ActiveAttempt:
    """One attempt that holds slots."""

    id: UUID
    run_pk: int
    dag_id: str
    task_id: str
    map_index: int
    pool: str
    pool_slots: int
    executor: str
    run_type: RunType
    keys: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt as plain data, for people."""

    id: UUID
    task_id: str
    map_index: int
    try_number: int
    part: int
    state: AttemptState
    executor: str
    queue: str
    pool: str
    queued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    error: str | None
    hostname: str | None
    pid: int | None
    exit_code: int | None
    signal: int | None
    peak_rss_bytes: int | None
    cpu_seconds: float | None


_RECORD = (
    Attempt.id, Attempt.task_id, Attempt.map_index, Attempt.try_number, Attempt.part, Attempt.state, Attempt.executor,
    Attempt.queue, Attempt.pool, Attempt.queued_at, Attempt.started_at, Attempt.ended_at, Attempt.outcome,
    Attempt.error, Attempt.hostname, Attempt.pid, Attempt.exit_code, Attempt.signal, Attempt.peak_rss_bytes,
    Attempt.cpu_seconds,
)  # fmt: skip


def list_active(tx: Connection) -> list[ActiveAttempt]:
    """Return every attempt that holds slots. Bounded by parallelism, and read by a partial index."""
    rows = tx.execute(_ACTIVE)
    return [ActiveAttempt(*tuple(row)) for row in rows]


_ACTIVE = (
    select(
        Attempt.id,
        Attempt.run_pk,
        DagRun.dag_id,
        Attempt.task_id,
        Attempt.map_index,
        Attempt.pool,
        Attempt.pool_slots,
        Attempt.executor,
        DagRun.run_type,
        Attempt.keys,
    )
    .join(DagRun, DagRun.id == Attempt.run_pk)
    .where(Attempt.state != AttemptState.ENDED)
)


def list_attempts(tx: Connection, run_pk: int, task_id: str | None = None, map_index: int = -1) -> list[AttemptRecord]:
    """Return the attempts of a run, or of one task instance of it, in the order of their tries."""
    query = select(*_RECORD).select_from(Attempt).where(Attempt.run_pk == run_pk)
    if task_id is not None:
        query = query.where(Attempt.task_id == task_id, Attempt.map_index == map_index)
    rows = tx.execute(query.order_by(Attempt.task_id, Attempt.map_index, Attempt.try_number, Attempt.part))
    return [AttemptRecord(*tuple(row)) for row in rows]


def claim_attempts(tx: Connection, ids: Sequence[UUID], supervisor_id: UUID) -> list[UUID]:
    """Claim attempts for a supervisor; return those that it got. The fence of each becomes 1.

    An attempt that somebody else has claimed, or that is no longer wanted, is not returned: it must not be run.
    """
    claimed = tx.execute(
        update(Attempt)
        .where(Attempt.id.in_(ids), Attempt.state == AttemptState.QUEUED, Attempt.fence == 0)
        .values(state=AttemptState.RUNNING, fence=1, supervisor_id=supervisor_id)
        .returning(Attempt.id)
    )
    return list(claimed.scalars())


class Timeouts:
    """How long tasks may take, by the versions of their DAGs; read once for each. Any thread may use it."""

    def __init__(self, max_versions: int = 500) -> None:
        self._max_versions = max_versions
        self._of_version: dict[tuple[int, str], Mapping[str, float]] = {}

    def read(
        self, tx: Connection, versions: Collection[tuple[int, str]]
    ) -> Mapping[tuple[int, str], Mapping[str, float]]:
        """Return task -> seconds, for the tasks with a limit, of each version, given by its id and hash."""
        found = {version: self._of_version.get(version) for version in versions}
        missing = [version_id for (version_id, _), limits in found.items() if limits is None]
        if missing:
            query = select(DagVersion.id, DagVersion.hash, DagVersion.spec).where(DagVersion.id.in_(missing))
            for row in tx.execute(query):
                limits = {
                    task.task_id: task.execution_timeout_seconds
                    for task in decode_spec(row.spec).tasks
                    if task.execution_timeout_seconds is not None
                }
                found[row.id, row.hash] = limits
                if len(self._of_version) >= self._max_versions:
                    self._of_version.clear()
                self._of_version[row.id, row.hash] = limits
        return {version: limits or {} for version, limits in found.items()}


def load_orders(tx: Connection, ids: Sequence[UUID], timeouts: Timeouts | None = None) -> list[AttemptOrder]:
    """Return the orders of attempts, for those who are told only the ids.

    Args:
        timeouts: kept by whoever asks often.
    """
    version = DagVersion.__table__.c
    rows = tx.execute(_ORDERS, {"ids": list(ids)}).mappings().all()
    limits = (timeouts or Timeouts()).read(tx, {(m[version.id], m[version.hash]) for m in rows})
    # A task that is gone from the version that its run was moved to has no limit, and a process that says so.
    orders = [_order(m, limits[m[version.id], m[version.hash]].get(m[Attempt.__table__.c.task_id])) for m in rows]
    return orders + load_callback_orders(tx, [one for one in ids if is_callback(one)])


_ORDERS = (
    select(
        Attempt,
        DagRun,
        DagVersion.id,
        DagVersion.hash,
        DagVersion.file_path,
        DagVersion.source_digest,
        TaskInstance.max_tries,
        TaskInstance.first_started_at,
        TaskInstance.resume,
    )
    .join(DagRun, DagRun.id == Attempt.run_pk)
    .join(DagVersion, DagVersion.id == DagRun.version_id)
    .join(
        TaskInstance,
        (TaskInstance.run_pk == Attempt.run_pk)
        & (TaskInstance.task_id == Attempt.task_id)
        & (TaskInstance.map_index == Attempt.map_index),
    )
    .where(Attempt.id.in_(bindparam("ids", expanding=True)))
)


def _order(m: RowMapping, execution_timeout_seconds: float | None) -> AttemptOrder:
    return AttemptOrder(
        **order_facts(m),
        task_id=m[Attempt.__table__.c.task_id],
        map_index=m[Attempt.__table__.c.map_index],
        try_number=m[Attempt.__table__.c.try_number],
        max_tries=m[TaskInstance.__table__.c.max_tries] + 1,
        execution_timeout_seconds=execution_timeout_seconds,
        part=m[Attempt.__table__.c.part],
        first_started_at=m[TaskInstance.__table__.c.first_started_at],
        resume=resumption(m[TaskInstance.__table__.c.resume]),
    )


def list_unclaimed(tx: Connection, executors: Collection[str]) -> list[UUID]:
    """Return the attempts of some executors that nobody has claimed, the oldest first."""
    if not executors:
        return []
    query = (
        select(Attempt.id)
        .where(Attempt.state == AttemptState.QUEUED, Attempt.executor.in_(executors))
        .order_by(Attempt.queued_at, Attempt.id)
    )
    return list(tx.execute(query).scalars())


def report_lost(tx: Connection, now: datetime, limit: int = 500) -> int:
    """Tell the runs of attempts whose supervisor's lease was ended that they are lost. Returns how many.

    A lease that has run out must be ended first (``processes.end_expired``): a supervisor that still lives is told so,
    and kills what it runs. Safe to repeat and to run in several schedulers: the message has a natural key.
    """
    alive = select(Process.id).where(Process.id == Attempt.supervisor_id, Process.ended_at.is_(None)).correlate(Attempt)
    rows = tx.execute(
        select(Attempt.id, Attempt.fence, Attempt.run_pk)
        .where(
            or_(Attempt.state == AttemptState.RUNNING, Attempt.state == AttemptState.CANCELLING),
            Attempt.supervisor_id.is_not(None),
            ~sql_exists(alive),
        )
        .limit(limit)
    ).all()
    facts = [
        AttemptEnded(row.id, row.fence, row.run_pk, Outcome.LOST, now, error="the lease of its supervisor is over")
        for row in rows
    ]
    send(tx, [fact_message(fact) for fact in facts], now)
    return len(facts)


def report_disowned(tx: Connection, supervisor_id: UUID, running: Sequence[UUID], now: datetime) -> int:
    """Tell the runs of attempts that ``supervisor_id`` should have but does not know that they are lost.

    A commit whose answer got lost leaves such attempts: stored, and never handed over.
    """
    known = set(running)
    rows = tx.execute(
        select(Attempt.id, Attempt.fence, Attempt.run_pk).where(
            Attempt.supervisor_id == supervisor_id, Attempt.state != AttemptState.ENDED
        )
    ).all()
    facts = [
        AttemptEnded(row.id, row.fence, row.run_pk, Outcome.LOST, now, error="it was never handed to its supervisor")
        for row in rows
        if row.id not in known
    ]
    send(tx, [fact_message(fact) for fact in facts], now)
    return len(facts)
