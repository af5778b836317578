"""How do calls of user code get their processes? Each is an attempt of its own kind: started, closed, tried again.

Such an attempt (``tradewind.model.orders.is_callback``) holds a place under ``parallelism``, is claimed and watched
like any other, and has nothing to do with the log of its run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, RowMapping, insert, select, update

from tradewind.metadata.callbacks import DONE, FAILED, RUNNING, WAITING
from tradewind.metadata.commit import close_attempts
from tradewind.metadata.database import ring
from tradewind.metadata.models import Attempt, Callback, DagRun, DagVersion
from tradewind.metadata.order_facts import order_facts
from tradewind.model.events import NO_MAP
from tradewind.model.orders import AttemptEnded, AttemptOrder, CallbackOrder, Outcome, callback_attempt_id
from tradewind.model.states import AttemptState

MAX_LOSSES: Final = 3
"""How often a call is made again whose process ended without a word."""
LIMIT_SECONDS: Final = 3600.0
"""How long a call may take, so that one that hangs does not hold its place for ever."""


@dataclass(frozen=True, slots=True)
class WaitingCallback:
    """A call that waits for a process. ``executor`` is the one that it asks for."""

    id: int
    run_pk: int
    starts: int
    executor: str | None


@dataclass(frozen=True, slots=True)
class StartedCallback:
    """A call that gets a process now. ``supervisor_id`` is set when its attempt is born claimed."""

    id: int
    run_pk: int
    start: int
    executor: str
    supervisor_id: UUID | None
    queue: str = "default"

    @property
    def attempt_id(self) -> UUID:
        return callback_attempt_id(self.id, self.start)


def lock_waiting(tx: Connection, limit: int) -> list[WaitingCallback]:
    """Return the calls that wait for a process, the oldest first, held until the transaction ends.

    Those that another scheduler holds are passed over.
    """
    query = (
        select(Callback.id, Callback.run_pk, Callback.starts, Callback.payload)
        .where(Callback.state == WAITING)
        .order_by(Callback.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [WaitingCallback(row.id, row.run_pk, row.starts, row.payload.get("executor")) for row in tx.execute(query)]


def start_callbacks(tx: Connection, started: Sequence[StartedCallback], now: datetime) -> None:
    """Create the attempts that make these calls. The caller has counted them in under the lock of admission."""
    if not started:
        return
    attempts = [
        {
            "id": new.attempt_id,
            "run_pk": new.run_pk,
            "task_id": f":callback:{new.id}",  # no task can be called so
            "map_index": NO_MAP,
            "try_number": new.start,
            "part": 0,
            "state": AttemptState.RUNNING if new.supervisor_id is not None else AttemptState.QUEUED,
            "fence": 1 if new.supervisor_id is not None else 0,
            "executor": new.executor,
            "queue": new.queue,
            "pool": "",
            "pool_slots": 0,
            "supervisor_id": new.supervisor_id,
            "queued_at": now,
        }
        for new in started
    ]
    tx.execute(insert(Attempt), attempts)
    for new in started:
        values = {"state": RUNNING, "starts": new.start, "attempt_id": new.attempt_id}
        tx.execute(update(Callback).where(Callback.id == new.id).values(values))


def load_callback_orders(tx: Connection, attempt_ids: Collection[UUID]) -> list[AttemptOrder]:
    """Return the orders of attempts that make calls; ids of other attempts are left out."""
    if not attempt_ids:
        return []
    rows = tx.execute(
        select(Attempt, Callback, DagRun, DagVersion.file_path, DagVersion.source_digest)
        .join(Callback, Callback.attempt_id == Attempt.id)
        .join(DagRun, DagRun.id == Attempt.run_pk)
        .join(DagVersion, DagVersion.id == DagRun.version_id)
        .where(Attempt.id.in_(attempt_ids))
        .order_by(Callback.id)
    )
    return [_order(row) for row in rows.mappings()]


def _order(m: RowMapping) -> AttemptOrder:
    callback = Callback.__table__.c
    payload = m[callback.payload]
    task = payload.get("task") or {}
    return AttemptOrder(
        **order_facts(m),
        task_id=m[callback.task_id] or "",
        map_index=m[callback.map_index],
        try_number=task.get("try_number", 0),
        max_tries=task.get("max_tries", 1),
        execution_timeout_seconds=LIMIT_SECONDS,
        callback=CallbackOrder(m[callback.id], m[callback.kind], payload, m[callback.starts]),
    )


@dataclass(frozen=True, slots=True)
class ClosedCallback:
    """A call whose attempt has ended. ``state`` is where it is now: done, failed, or waiting to be made again."""

    id: int
    run_pk: int
    kind: str
    payload: Mapping[str, Any]
    state: str
    fact: AttemptEnded


def close_callbacks(tx: Connection, facts: Sequence[AttemptEnded], now: datetime) -> list[ClosedCallback]:
    """Write down how attempts ended that made calls, and return what became of each. Saying it twice changes nothing.

    A call whose process ended without a word (killed, or lost with its machine) waits again, up to :data:`MAX_LOSSES`
    times; one that was handed back in order waits again and does not count. What user code raised is final.
    """
    if not facts:
        return []
    by_attempt = {fact.attempt_id: fact for fact in facts}
    close_attempts(tx, facts)
    columns = (Callback.id, Callback.run_pk, Callback.kind, Callback.payload, Callback.losses, Callback.attempt_id)
    query = (
        select(*columns)
        .where(Callback.attempt_id.in_(by_attempt), Callback.state == RUNNING)
        .order_by(Callback.id)
        .with_for_update()
    )
    closed = []
    for row in tx.execute(query).all():
        fact = by_attempt[row.attempt_id]
        state, losses = _next_state(fact, row.losses)
        values = {
            "state": state,
            "losses": losses,
            "ended_at": None if state == WAITING else now,
            "error": fact.error,
        }
        tx.execute(update(Callback).where(Callback.id == row.id).values(values))
        closed.append(ClosedCallback(row.id, row.run_pk, row.kind, row.payload, state, fact))
    if any(one.state == WAITING for one in closed):
        ring(tx, "callback")
    return closed


def _next_state(fact: AttemptEnded, losses: int) -> tuple[str, int]:
    if fact.outcome is Outcome.RETURNED:
        return WAITING, losses
    if fact.outcome is not Outcome.LOST and not (fact.outcome is Outcome.FAILED and fact.may_retry):
        return (DONE if fact.outcome is Outcome.SUCCESS else FAILED), losses
    return (WAITING if losses < MAX_LOSSES else FAILED), losses + 1


def known_callbacks(tx: Connection, attempt_ids: Collection[UUID]) -> set[UUID]:
    """Return those of the attempts that make calls."""
    if not attempt_ids:
        return set()
    found = select(Attempt.id).where(Attempt.id.in_(attempt_ids), Attempt.task_id.startswith(":callback:"))
    return set(tx.execute(found).scalars())
