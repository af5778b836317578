"""Statements about waits: what tasks wait for, who runs their triggers, and how a run hears that a wait is over.

A wait is put and dropped in the commit of its run; a triggerer claims it, and says ``wait_over`` to the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, delete, func, select, update

from tradewind.metadata import questions
from tradewind.metadata.database import ring
from tradewind.metadata.inbox import WAIT_OVER, Message, send
from tradewind.metadata.models import Attempt, DagRun, DagVersion, Process, TriggerWait
from tradewind.metadata.upsert import insert_missing
from tradewind.model.orders import Wait
from tradewind.run.view import TaskKey

TIMEOUT, CANCELLED = "timeout", "cancelled"
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class NewWait:
    """A task has let go of its slot, and waits."""

    attempt_id: UUID
    run_pk: int
    key: TaskKey
    wait: Wait


@dataclass(frozen=True, slots=True)
class ClaimedWait:
    """A trigger to be run, with what is needed to find its class and its log."""

    attempt_id: UUID
    trigger: str
    kwargs: str | None
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    file_path: str
    version_id: int
    source_digest: str
    bundle: str | None


@dataclass(frozen=True, slots=True)
class WaitOver:
    """How a wait ended: ``event`` as ``tradewind.xcom.event_text`` writes it, or ``failure`` in words."""

    attempt_id: UUID
    event: str | None = None
    failure: str | None = None


# --- in the commit of a run ------------------------------------------------------------------------------------------


def put_waits(tx: Connection, waits: Sequence[NewWait], now: datetime) -> None:
    """Store what tasks wait for, and wake the triggerers. A wait that is there already stays as it is."""
    if not waits:
        return
    attempts = {
        row.id: row
        for row in tx.execute(
            select(Attempt.id, Attempt.try_number, Attempt.queue).where(Attempt.id.in_([w.attempt_id for w in waits]))
        )
    }
    rows = [
        {
            "attempt_id": new.attempt_id,
            "run_pk": new.run_pk,
            "trigger": new.wait.trigger,
            "kwargs": new.wait.trigger_kwargs,
            "queue": attempts[new.attempt_id].queue,
            "created_at": now,
            "due_at": _due_at(new.wait, now),
            "claimed_by": None,
            "dropped": None,
        }
        for new in waits
        if new.wait.trigger is not None
    ]
    if rows:
        insert_missing(tx, TriggerWait, rows)
        ring(tx, "waits")
    for new in waits:
        if new.wait.question is not None:
            try_number = attempts[new.attempt_id].try_number
            due_at = _due_at(new.wait, now)
            questions.put_question(
                tx, new.attempt_id, new.run_pk, new.key, try_number, new.wait.question, due_at=due_at, now=now
            )


def drop_waits(tx: Connection, attempt_ids: Sequence[UUID], now: datetime | None = None) -> None:
    """Forget waits that are over or that nobody wants any more. Idempotent; ids without a wait are ignored.

    Questions that are open are closed, by their defaults when their time is over.

    Args:
        now: what decides whether the time is over; None: the clock of the database.
    """
    if not attempt_ids:
        return
    at = now or _now(tx)
    for first in range(0, len(attempt_ids), _BATCH):
        ids = attempt_ids[first : first + _BATCH]
        tx.execute(delete(TriggerWait).where(TriggerWait.attempt_id.in_(ids), TriggerWait.claimed_by.is_(None)))
        held = (TriggerWait.attempt_id.in_(ids), TriggerWait.dropped.is_(None))
        late = tx.execute(update(TriggerWait).where(*held, TriggerWait.due_at <= at).values(dropped=TIMEOUT))
        rest = tx.execute(update(TriggerWait).where(*held).values(dropped=CANCELLED))
        if late.rowcount or rest.rowcount:
            ring(tx, "waits")
        questions.close_questions(tx, ids, at)


def _due_at(wait: Wait, now: datetime) -> datetime | None:
    return None if wait.timeout_seconds is None else now + timedelta(seconds=wait.timeout_seconds)


def _now(tx: Connection) -> datetime:
    if tx.dialect.name == "sqlite":
        return datetime.now(UTC)
    at = tx.execute(select(func.now())).scalar_one()
    assert isinstance(at, datetime)
    return at


# --- for triggerers --------------------------------------------------------------------------------------------------


def claim_waits(
    tx: Connection, holder: UUID, now: datetime, limit: int, queues: Sequence[str] | None = None
) -> list[ClaimedWait]:
    """Claim triggers that nobody runs, the oldest first.

    With several triggerers alive each takes its share of what is free at a time, so that none is given all.

    Args:
        limit: how many at most.
        queues: only those of tasks in these queues; None: all.
    """
    free = [TriggerWait.claimed_by.is_(None)]
    if queues is not None:
        free.append(TriggerWait.queue.in_(queues))
    count = tx.execute(select(func.count()).select_from(TriggerWait).where(*free)).scalar_one()
    if not count:
        return []
    alive = tx.execute(
        select(func.count())
        .select_from(Process)
        .where(Process.kind == "triggerer", Process.ended_at.is_(None), Process.expires_at > now)
    ).scalar_one()
    share = min(limit, -(-count // max(1, alive)))
    chosen = list(
        tx.execute(
            select(TriggerWait.attempt_id)
            .where(*free)
            .order_by(TriggerWait.created_at, TriggerWait.attempt_id)
            .limit(share)
            .with_for_update(skip_locked=True)  # not written for SQLite, whose writers are alone anyway
        ).scalars()
    )
    for first in range(0, len(chosen), _BATCH):
        ids = chosen[first : first + _BATCH]
        tx.execute(update(TriggerWait).where(TriggerWait.attempt_id.in_(ids)).values(claimed_by=holder))
    return load_waits(tx, chosen)


@dataclass(frozen=True, slots=True)
class WaitLine:
    """A trigger that a task waits for, as people see it."""

    task_id: str
    map_index: int
    attempt_id: UUID
    trigger: str
    kwargs: str | None
    queue: str
    created_at: datetime


def waits_of(tx: Connection, run_pk: int, keys: Sequence[TaskKey]) -> dict[TaskKey, WaitLine]:
    """Return the triggers that these task instances of a run wait for."""
    if not keys:
        return {}
    rows = tx.execute(
        select(
            Attempt.task_id,
            Attempt.map_index,
            Attempt.id,
            TriggerWait.trigger,
            TriggerWait.kwargs,
            TriggerWait.queue,
            TriggerWait.created_at,
        )
        .join(Attempt, Attempt.id == TriggerWait.attempt_id)
        .where(
            TriggerWait.run_pk == run_pk,
            TriggerWait.dropped.is_(None),
            Attempt.task_id.in_({task_id for task_id, _ in keys}),
            Attempt.map_index.in_({map_index for _, map_index in keys}),
        )
    )
    return {(row.task_id, row.map_index): WaitLine(*row) for row in rows}


def what_is_due(tx: Connection, holder: UUID, queues: Sequence[str] | None = None) -> tuple[bool, bool]:
    """Return whether there are waits that nobody has claimed, and whether ``holder`` has some that were dropped."""
    free = select(TriggerWait.attempt_id).where(TriggerWait.claimed_by.is_(None))
    if queues is not None:
        free = free.where(TriggerWait.queue.in_(queues))
    dropped = select(TriggerWait.attempt_id).where(TriggerWait.claimed_by == holder, TriggerWait.dropped.is_not(None))
    return tx.execute(free.limit(1)).first() is not None, tx.execute(dropped.limit(1)).first() is not None


def load_waits(tx: Connection, attempt_ids: Sequence[UUID]) -> list[ClaimedWait]:
    """Return triggers by the ids of their attempts; those that are gone or dropped are left out."""
    found: list[ClaimedWait] = []
    for first in range(0, len(attempt_ids), _BATCH):
        rows = tx.execute(
            _CLAIMED.where(
                TriggerWait.attempt_id.in_(attempt_ids[first : first + _BATCH]), TriggerWait.dropped.is_(None)
            )
        )
        found += [ClaimedWait(*tuple(row)) for row in rows]
    return found


_CLAIMED = (
    select(
        TriggerWait.attempt_id, TriggerWait.trigger, TriggerWait.kwargs, DagRun.dag_id, DagRun.run_id, Attempt.task_id,
        Attempt.map_index, Attempt.try_number, DagVersion.file_path, DagRun.version_id, DagVersion.source_digest,
        DagRun.bundle,
    )
    .join(Attempt, Attempt.id == TriggerWait.attempt_id)
    .join(DagRun, DagRun.id == TriggerWait.run_pk)
    .join(DagVersion, DagVersion.id == DagRun.version_id)
)  # fmt: skip


def take_dropped(tx: Connection, holder: UUID) -> Mapping[UUID, str]:
    """Remove the claimed waits that nobody waits for any more; return why, by attempt."""
    rows = tx.execute(
        delete(TriggerWait)
        .where(TriggerWait.claimed_by == holder, TriggerWait.dropped.is_not(None))
        .returning(TriggerWait.attempt_id, TriggerWait.dropped)
    )
    return {row.attempt_id: str(row.dropped) for row in rows}


def held_waits(tx: Connection, holder: UUID) -> set[UUID]:
    """Return the attempts whose triggers ``holder`` is to run."""
    return set(tx.execute(select(TriggerWait.attempt_id).where(TriggerWait.claimed_by == holder)).scalars())


def free_dead_claims(tx: Connection, now: datetime) -> int:
    """Let go of what triggerers hold whose lease is over; return how many waits are free again."""
    alive = select(Process.id).where(Process.ended_at.is_(None), Process.expires_at > now)
    dead = (TriggerWait.claimed_by.is_not(None), TriggerWait.claimed_by.not_in(alive))
    tx.execute(delete(TriggerWait).where(*dead, TriggerWait.dropped.is_not(None)))
    return int(tx.execute(update(TriggerWait).where(*dead).values(claimed_by=None)).rowcount)


def release_waits(tx: Connection, holder: UUID) -> None:
    """Let go of all that ``holder`` has claimed, and wake other triggerers."""
    mine = TriggerWait.claimed_by == holder
    tx.execute(delete(TriggerWait).where(mine, TriggerWait.dropped.is_not(None)))
    if tx.execute(update(TriggerWait).where(mine).values(claimed_by=None)).rowcount:
        ring(tx, "waits")


def finish_waits(tx: Connection, holder: UUID, ends: Sequence[WaitOver], now: datetime) -> list[UUID]:
    """Tell runs that waits are over, and remove these. Return those that were told.

    A wait that ``holder`` no longer holds is left out: somebody else runs its trigger, or nobody waits any more.
    """
    told: list[UUID] = []
    messages: list[Message] = []
    for first in range(0, len(ends), _BATCH):
        part = {end.attempt_id: end for end in ends[first : first + _BATCH]}
        rows = tx.execute(
            delete(TriggerWait)
            .where(
                TriggerWait.attempt_id.in_(part),
                TriggerWait.claimed_by == holder,
                TriggerWait.dropped.is_(None),
            )
            .returning(TriggerWait.attempt_id, TriggerWait.run_pk)
        ).all()
        told += [row.attempt_id for row in rows]
        messages += [wait_over(row.run_pk, part[row.attempt_id]) for row in rows]
    send(tx, messages, now)
    return told


def wait_over(run_pk: int, end: WaitOver) -> Message:
    """Return the message that tells a run how a wait ended. Said twice it is said once."""
    payload = {"attempt_id": str(end.attempt_id), "event": end.event, "failure": end.failure}
    return Message(run_pk, f"{WAIT_OVER}:{end.attempt_id}", WAIT_OVER, payload)
