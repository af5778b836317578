"""Statements of workers: take what waits in their queues, hear what is not wanted any more, say what became of it.

The metadata DB is the queue. What a broker says is only where to look first: an attempt is taken by an update that
finds it once, whoever asks, and however often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, exists, func, select, text, update
from sqlalchemy.sql.dml import ReturningUpdate

from tradewind.metadata.database import CHANNEL
from tradewind.metadata.inbox import CALLBACK, ENDED, fact_message, put, send
from tradewind.metadata.models import Attempt, DagRun, Process, RunInbox
from tradewind.metadata.models.core import LEAVING
from tradewind.metadata.processes import with_schema
from tradewind.metadata.upsert import insert_missing
from tradewind.model.orders import AttemptEnded, Fact, Outcome
from tradewind.model.states import AttemptState

KIND: Final = "worker"
"""What rows of ``process`` say of workers."""
WORKERS_CHANNEL: Final = f"{CHANNEL}_workers"
"""The PostgreSQL NOTIFY channel on which workers are told that attempts are not wanted any more."""


def ring_workers(tx: Connection) -> None:
    """Have workers look at the metadata DB as soon as the transaction commits: some of their work is not wanted."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_notify(:channel, '')"), {"channel": WORKERS_CHANNEL})


def begin_lease(
    tx: Connection,
    worker_id: UUID,
    *,
    hostname: str,
    pid: int,
    now: datetime,
    lease: timedelta,
    info: Mapping[str, Any],
) -> None:
    """Announce a worker. Saying it twice changes nothing."""
    row = {
        "id": worker_id, "kind": KIND, "hostname": hostname, "pid": pid, "started_at": now, "heartbeat_at": now,
        "expires_at": now + lease, "ended_at": None, "info": with_schema(info),
    }  # fmt: skip
    insert_missing(tx, Process, [row])


def extend_lease(tx: Connection, worker_id: UUID, now: datetime, lease: timedelta, info: Mapping[str, Any]) -> bool:
    """Extend a lease, and write down what the worker is now. False: it is over, and what it had is given to others."""
    result = tx.execute(
        update(Process)
        .where(Process.id == worker_id, Process.kind == KIND, Process.ended_at.is_(None))
        .values(heartbeat_at=now, expires_at=now + lease, info=with_schema(info))
    )
    return result.rowcount == 1


# Built once: for the small rows that are taken here, building a statement costs more than running it.

_LEASE: Final = (
    select(Process.id)
    .where(
        Process.id == bindparam("worker_id"),
        Process.kind == KIND,
        Process.ended_at.is_(None),
        Process.expires_at > bindparam("now"),
    )
    .with_for_update(read=True)
)
"""Whoever takes work holds its lease meanwhile: work taken under one that is ended now would be nobody's."""
_FREE: Final = select(Attempt.id).where(Attempt.state == AttemptState.QUEUED, Attempt.fence == 0)


def _taking(wanted: Select[UUID]) -> ReturningUpdate[UUID]:
    """Return the one statement that takes attempts. Those that somebody else has in hand at this moment are passed
    over, so that nobody waits for another here, and no ring of waiters can close."""
    lease = _LEASE.cte("lease")
    free = wanted.with_for_update(skip_locked=True).cte("free")
    return (
        update(Attempt)
        .where(Attempt.id.in_(select(free.c.id)), exists(select(lease.c.id)))
        .values(state=AttemptState.RUNNING, fence=1, supervisor_id=bindparam("worker_id"))
        .returning(Attempt.id)
    )


_TAKE_TOLD: Final = _taking(_FREE.where(Attempt.id.in_(bindparam("ids", expanding=True))))
_TAKE_WAITING: Final = _taking(
    _FREE.where(
        Attempt.executor == bindparam("wanted_executor"), Attempt.queue.in_(bindparam("queues", expanding=True))
    )
    .order_by(Attempt.queued_at, Attempt.id)
    .limit(bindparam("most"))
)
_MINE: Final = (
    select(Attempt.id, Attempt.run_pk)
    .join(DagRun, DagRun.id == Attempt.run_pk)
    .where(
        Attempt.id.in_(bindparam("ids", expanding=True)),
        Attempt.supervisor_id == bindparam("worker_id"),
        DagRun.kind != LEAVING,
    )
)


def hold_lease(tx: Connection, worker_id: UUID, now: datetime) -> bool:
    """Return whether the lease of a worker holds, and have it hold until the transaction ends."""
    return tx.execute(_LEASE, {"worker_id": worker_id, "now": now}).first() is not None


def take_told(tx: Connection, worker_id: UUID, ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Take these attempts, of which a broker has told, for a worker whose lease holds; return those that it got.

    Those that it has taken before are returned again, so that an answer that got lost can be asked for again.
    """
    if not ids:
        return []
    got = list(tx.execute(_TAKE_TOLD, {"worker_id": worker_id, "now": now, "ids": list(ids)}).scalars())
    if len(got) == len(ids):
        return got
    missing = set(ids).difference(got)
    before = select(Attempt.id).where(
        Attempt.id.in_(missing), Attempt.supervisor_id == worker_id, Attempt.state == AttemptState.RUNNING
    )
    return got + list(tx.execute(before).scalars())


def take_waiting(
    tx: Connection, worker_id: UUID, executor: str, queues: Sequence[str], limit: int, now: datetime
) -> list[UUID]:
    """Take up to ``limit`` attempts that wait in some queues of an executor, the oldest first."""
    if limit <= 0 or not queues:
        return []
    wanted = {"wanted_executor": executor, "queues": list(queues), "most": limit}
    return list(tx.execute(_TAKE_WAITING, {"worker_id": worker_id, "now": now, **wanted}).scalars())


def attempts_of(tx: Connection, worker_id: UUID) -> dict[UUID, AttemptState]:
    """Return what a worker has by the metadata DB: attempts that nobody has seen the end of."""
    rows = tx.execute(
        select(Attempt.id, Attempt.state).where(
            Attempt.supervisor_id == worker_id,
            Attempt.state.in_((AttemptState.RUNNING, AttemptState.CANCELLING)),
        )
    )
    return {row.id: row.state for row in rows}


def ends_told(tx: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Return those of a worker's attempts whose end is told, and has not been folded yet."""
    if not ids:
        return set()
    keys = {f"{kind}:{one}:1": one for one in ids for kind in (ENDED, CALLBACK)}
    query = (
        select(RunInbox.key)
        .join(Attempt, Attempt.run_pk == RunInbox.run_pk)
        .where(Attempt.id.in_(ids), RunInbox.key.in_(keys))
    )
    return {keys[key] for key in tx.execute(query).scalars()}


def is_run_by(tx: Connection, attempt_id: UUID, fence: int, worker_id: UUID) -> bool:
    """Return whether an attempt is this worker's, and not over."""
    query = select(Attempt.id).where(
        Attempt.id == attempt_id,
        Attempt.fence == fence,
        Attempt.supervisor_id == worker_id,
        Attempt.state.in_((AttemptState.RUNNING, AttemptState.CANCELLING)),
    )
    return tx.execute(query).first() is not None


def runs_version(tx: Connection, worker_id: UUID, version_id: int) -> bool:
    """Return whether a worker has an attempt now of a run with this version of its DAG."""
    query = select(
        exists().where(
            Attempt.supervisor_id == worker_id,
            Attempt.state.in_((AttemptState.RUNNING, AttemptState.CANCELLING)),
            DagRun.id == Attempt.run_pk,
            DagRun.version_id == version_id,
        )
    )
    return bool(tx.execute(query).scalar_one())


def tell_facts(tx: Connection, worker_id: UUID, facts: Sequence[Fact], now: datetime) -> None:
    """Put what a worker says of its attempts into the inboxes of their runs; what it says of others is dropped."""
    if not facts:
        return
    asked = {"ids": list({fact.attempt_id for fact in facts}), "worker_id": worker_id}
    runs = {row.id: row.run_pk for row in tx.execute(_MINE, asked)}
    put(tx, [fact_message(fact) for fact in facts if runs.get(fact.attempt_id) == fact.run_pk], now)


def give_back(tx: Connection, worker_id: UUID, now: datetime) -> None:
    """End the lease of a worker, and hand back whatever it still has."""
    tx.execute(
        update(Process)
        .where(Process.id == worker_id, Process.kind == KIND, Process.ended_at.is_(None))
        .values(ended_at=now)
    )
    left = tx.execute(
        select(Attempt.id, Attempt.fence, Attempt.run_pk).where(
            Attempt.supervisor_id == worker_id,
            Attempt.state.in_((AttemptState.RUNNING, AttemptState.CANCELLING)),
        )
    )
    facts = [
        AttemptEnded(row.id, row.fence, row.run_pk, Outcome.LOST, now, error="its worker ended without a word of it")
        for row in left
    ]
    send(tx, [fact_message(fact) for fact in facts], now)


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """One worker that is alive. ``held`` of its slots are taken, by the metadata DB."""

    id: UUID
    name: str
    executor: str
    queues: tuple[str, ...]
    slots: int
    is_draining: bool
    held: int


def list_workers(tx: Connection, now: datetime, executor: str | None = None) -> list[WorkerRecord]:
    """Return the workers whose lease holds, by their names; those of one executor only, when it is given."""
    held = (
        select(Attempt.supervisor_id, func.count().label("held"))
        .where(Attempt.state.in_((AttemptState.RUNNING, AttemptState.CANCELLING)))
        .group_by(Attempt.supervisor_id)
        .subquery()
    )
    query = (
        select(Process.id, Process.hostname, Process.info, func.coalesce(held.c.held, 0).label("held"))
        .outerjoin(held, held.c.supervisor_id == Process.id)
        .where(Process.kind == KIND, Process.ended_at.is_(None), Process.expires_at > now)
    )
    found = [
        WorkerRecord(
            row.id,
            row.info.get("hostname", row.hostname),
            row.info.get("executor", ""),
            tuple(row.info.get("queues", ())),
            row.info.get("slots", 0),
            row.info.get("is_draining", False),
            row.held,
        )
        for row in tx.execute(query)
    ]
    return sorted((one for one in found if executor in (None, one.executor)), key=lambda one: (one.name, one.id))


def has_known_worker(tx: Connection, executor: str) -> bool:
    """Return whether any worker of an executor is remembered, alive or not."""
    infos = tx.execute(select(Process.info).where(Process.kind == KIND)).scalars()
    return any(info.get("executor") == executor for info in infos)
